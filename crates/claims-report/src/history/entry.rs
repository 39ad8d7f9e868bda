//! What is recorded of a week, and what is told of one.

use std::collections::BTreeSet;
use std::sync::Arc;

use dn_domain::claims::alert::Alert;
use dn_domain::claims::movers::WeekTotals;
use dn_domain::claims::platforms::KeyKind;
use dn_domain::claims::risk::Signs;
use dn_domain::claims::snapshot::{ReportFacts, Snapshot, Source};
use dn_domain::claims::week::Week;
use dn_domain::id::{AssetId, ChannelId, ClaimId, VideoId};
use dn_domain::number::Decimal;
use jiff::civil::Date;

/// A week as it is recorded, all of it at once.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The run that made it; a name within the history, so letters, digits and `-` alone.
    pub run_id: String,
    /// When the digest was made, RFC 3339.
    pub generated_at: String,
    /// The reports it was made from.
    pub reports: Vec<KeptReport>,
    /// The week itself, and which week it is.
    pub snapshot: Arc<Snapshot>,
    /// Its sums.
    pub totals: WeekTotals,
    /// Its alerts as settled, all of them, in order.
    pub alerts: Vec<KeptAlert>,
    /// Claims that somebody has to see to.
    pub open_claims: Vec<OpenClaim>,
    /// Claims that the Content ID API says are disputed, whatever the claim report says.
    pub disputed: BTreeSet<ClaimId>,
    /// Claims that are looked after from this week on, to learn what becomes of them.
    pub candidates: Vec<NotedClaim>,
    /// What other platforms counted, of this week or of others: late files tell of weeks before.
    pub platform_values: Vec<PlatformValue>,
}

/// A report of a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReport {
    /// Which one.
    pub source: Source,
    /// The API's id of it, or the `ETag` of its file.
    pub id: String,
    /// Where it came from, without anything secret.
    pub uri: String,
    /// When it was made, RFC 3339, where that is known.
    pub modified: Option<String>,
    /// The last day it covers, where that is known.
    pub covers_until: Option<Date>,
    /// Whether the week's verdict was not to believe it: then it is nothing that later reports are held against.
    pub is_suspect: bool,
    /// What it came to.
    pub facts: ReportFacts,
}

/// An alert of a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAlert {
    /// The alert.
    pub alert: Alert,
    /// Whether it was told; others were held back by the budget.
    pub is_told: bool,
}

/// A claim that was open in a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenClaim {
    /// The claim.
    pub claim_id: ClaimId,
    /// Its asset.
    pub asset_id: Option<AssetId>,
    /// The claimed video.
    pub video_id: Option<VideoId>,
    /// `disputed`, `appealed` and so on.
    pub status: String,
    /// The first week in which it was seen open in this status. Recorded is the earliest of this and of what the history knows.
    pub first_seen: Week,
    /// What says that it is weak.
    pub signs: Signs,
    /// What that comes to; none of a week that was recorded by a program that did not tell.
    pub risk: Option<Decimal>,
}

/// A claim whose risk was assessed.
#[derive(Debug, Clone, PartialEq)]
pub struct NotedClaim {
    /// The claim.
    pub claim_id: ClaimId,
    /// Its asset.
    pub asset_id: Option<AssetId>,
    /// The channel of the claimed video.
    pub channel_id: ChannelId,
    /// The reasons that held.
    pub signs: Signs,
    /// Whether somebody made it by hand.
    pub is_manual: bool,
    /// Whether it was one of those with the most at stake.
    pub is_ranked: bool,
    /// Whether the lot fell on it.
    pub is_drawn: bool,
    /// How likely a dispute was held to be.
    pub probability: f64,
    /// What a dispute would have held back.
    pub at_stake: Decimal,
}

/// What a platform counted in a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformValue {
    /// The platform's name.
    pub platform: String,
    /// What the key is.
    pub key_kind: KeyKind,
    /// The key.
    pub key: String,
    /// What was counted.
    pub metric: String,
    /// When.
    pub week: Week,
    /// How much, exactly.
    pub value: Decimal,
}

/// A week of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptWeek {
    /// The week.
    pub week: Week,
    /// The run that made it.
    pub run_id: String,
    /// When, RFC 3339.
    pub generated_at: String,
    /// Its reports that were not believed.
    pub suspects: Vec<Source>,
    /// Whether the whole week is kept beside its sums.
    pub is_whole: bool,
}

impl KeptWeek {
    /// Whether every report of the week was believed.
    pub fn is_good(&self) -> bool {
        self.suspects.is_empty()
    }
}
