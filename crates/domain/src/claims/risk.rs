//! How likely a claim is to be disputed that is not yet: `sigmoid(logit(base) + Σ weights)`.
//!
//! The base rates are those of YouTube's copyright transparency report of 2024: 0.54 % of automatic and 1.13 % of manual
//! claims are disputed, and 65 % of disputes end for the uploader. The weights stand in a table that an operator may
//! replace. They are calibrated to the base rates, a claim without any reason having just that, and validated by
//! nothing: no public data tell of single claims.
//!
//! Candidates are kept while rows stream ([`Candidates`]), the few with the most at stake by what their own row says, and
//! some by lot; what the whole week knows (the asset, the uploader, what is viral) is added for these few alone. What
//! became of them twelve weeks later ([`Fate`]) is what the weights are fitted to anew ([`refit`]).

mod candidates;
pub mod open;
mod outcome;
pub mod refit;
mod weights;

use serde_json::json;

pub use candidates::{Candidate, Candidates, DRAWN_CANDIDATES, KEPT_CANDIDATES};
pub use outcome::{Fate, Sight, WATCHED_WEEKS, Watched};
pub use weights::{BUILT_IN, Base, Sign, Signs, Weights, WeightsError};

use super::alert::{Alert, Kind, Severity, Subject};
use super::disputes::DISPUTE_DAYS;
use super::links;
use super::snapshot::{AssetState, Snapshot, claim_key};
use super::week::Week;
use crate::id::{AssetId, ChannelId, ClaimId, VideoId};
use crate::number::Decimal;

/// The odds must be so many times those of a claim without a reason before anybody is told: two strong reasons, or three
/// others. Two that are common (a short match, a young claim) are met every week.
const TOLD_ODDS: f64 = 8.0;

/// And so many times before anybody is to look this week.
const HIGH_ODDS: f64 = 20.0;

/// So many of the highest are told at most.
const TOLD: usize = 5;

/// What the week knows beside the claim's row.
pub struct Context<'a> {
    /// The table.
    pub weights: &'a Weights,
    /// What a thousand views are worth.
    pub rpm: Decimal,
    /// Whether an uploader is known to have disputed a claim in the weeks before.
    pub has_disputed: &'a dyn Fn(ChannelId) -> bool,
    /// Whether a video is viral this week.
    pub is_viral_video: &'a dyn Fn(VideoId) -> bool,
    /// Whether an asset is.
    pub is_viral_asset: &'a dyn Fn(AssetId) -> bool,
}

/// A claim that may be disputed, with what would be at stake.
#[derive(Debug, Clone, PartialEq)]
pub struct Risk {
    /// The claim.
    pub claim_id: ClaimId,
    /// Its asset.
    pub asset_id: Option<AssetId>,
    /// The claimed video.
    pub video_id: Option<VideoId>,
    /// The channel of that video.
    pub channel_id: ChannelId,
    /// Whether somebody made it by hand.
    pub is_manual: bool,
    /// Why.
    pub signs: Signs,
    /// How likely a dispute is.
    pub probability: f64,
    /// What a dispute would hold back: thirty days of views.
    pub at_stake: Decimal,
    /// What it would hold back on the average.
    pub expected: Decimal,
    /// Whether it is one of those with the most at stake.
    pub is_ranked: bool,
    /// Whether the lot fell on it.
    pub is_drawn: bool,
}

impl Risk {
    /// Whether the claim is looked after from this week on, to learn what becomes of it: each claim has its own week in
    /// twelve, so that no claim is looked after twice at once.
    pub fn is_noted(&self, week: Week) -> bool {
        outcome::is_due(claim_key(&self.claim_id), week)
    }
}

/// The candidates of a week with all that is known of them, the highest expected loss first.
pub fn assess(now: &Snapshot, context: &Context<'_>) -> Vec<Risk> {
    let mut risks: Vec<Risk> = now.candidates.iter().map(|one| risk(now, one, context)).collect();
    risks.sort_by(|a, b| b.expected.cmp(&a.expected).then_with(|| a.claim_id.cmp(&b.claim_id)));
    risks
}

/// What the week knows around a claim.
struct Setting<'a> {
    asset: Option<&'a AssetState>,
    video_id: Option<VideoId>,
    is_disputing: bool,
}

impl Setting<'_> {
    /// The reasons that the claim's own row tells, and those that the week adds.
    fn add_to(&self, mut signs: Signs, now: &Snapshot, context: &Context<'_>) -> Signs {
        let is_text = |text| !now.text(text).is_empty();
        let asset = self.asset;
        for (sign, holds) in [
            (
                Sign::CompositionMatch,
                asset.is_some_and(|asset| now.text(asset.asset_type).eq_ignore_ascii_case("COMPOSITION")),
            ),
            (Sign::OwnershipConflict, asset.is_some_and(|asset| is_text(asset.conflicting_owner))),
            (Sign::AssetReleased, asset.is_some_and(|asset| asset.claims_inactive > 0)),
            (Sign::UploaderDisputed, self.is_disputing),
            (
                Sign::Viral,
                self.video_id.is_some_and(context.is_viral_video)
                    || asset.is_some_and(|asset| (context.is_viral_asset)(asset.id)),
            ),
        ] {
            if holds {
                signs.add(sign);
            }
        }
        signs
    }
}

fn risk(now: &Snapshot, candidate: &Candidate, context: &Context<'_>) -> Risk {
    let asset = candidate.asset.and_then(|position| now.asset_at(position));
    let uploader = now.uploader(candidate.channel_id);
    let setting = Setting {
        asset,
        video_id: candidate.video_id,
        is_disputing: uploader.is_some_and(|uploader| uploader.claims_disputed > 0)
            || (context.has_disputed)(candidate.channel_id),
    };
    let signs = setting.add_to(candidate.signs, now, context);
    let probability = context.weights.probability(candidate.is_manual, signs);
    let views = candidate.views_a_day.saturating_mul(DISPUTE_DAYS.unsigned_abs());
    let at_stake = context.rpm.for_views(views).rounded(2);
    Risk {
        claim_id: candidate.claim_id.clone(),
        asset_id: asset.map(|asset| asset.id),
        video_id: candidate.video_id,
        channel_id: candidate.channel_id,
        is_manual: candidate.is_manual,
        signs,
        probability,
        at_stake,
        expected: context.rpm.for_views(share(views, probability)).rounded(2),
        is_ranked: candidate.is_ranked,
        is_drawn: candidate.is_drawn,
    }
}

/// The alerts of the few highest: those far above the base rate, and at most a handful.
pub fn alerts(risks: &[Risk], weights: &Weights, title: &dyn Fn(&Risk) -> String) -> Vec<Alert> {
    let told = risks.iter().filter(|risk| risk.is_ranked && risk.expected > Decimal::ZERO);
    let told = told.filter_map(|risk| Some((risk, severity(risk, weights)?)));
    told.take(TOLD).map(|(risk, severity)| alert(risk, severity, title(risk))).collect()
}

fn severity(risk: &Risk, weights: &Weights) -> Option<Severity> {
    let odds = |probability: f64| probability / (1.0 - probability);
    let times = odds(risk.probability) / odds(weights.base_rate(risk.is_manual));
    if times >= HIGH_ODDS {
        Some(Severity::High)
    } else if times >= TOLD_ODDS {
        Some(Severity::Info)
    } else {
        None
    }
}

fn alert(risk: &Risk, severity: Severity, title: String) -> Alert {
    let reasons: Vec<&str> = risk.signs.iter().map(Sign::name).collect();
    let shown = decimal(risk.probability);
    let reason = format!(
        "a dispute is likelier than usual ({} %): {}",
        decimal(risk.probability * 100.0).rounded(1),
        reasons.join(", ").replace('_', " ")
    );
    let id = |id: Option<String>| id.map_or(serde_json::Value::Null, Into::into);
    let mut alert = Alert::draft(
        Kind::DisputeRisk,
        severity,
        Subject::new("claim", risk.claim_id.as_str(), title),
        reason,
    )
    .because("risk", json!(shown))
    .because("reasons", json!(reasons))
    .because("valueAtStake", json!(risk.at_stake))
    .because("isManual", risk.is_manual)
    .because("assetId", id(risk.asset_id.map(|id| id.to_string())))
    .because("videoId", id(risk.video_id.map(|id| id.to_string())))
    .because("channelId", risk.channel_id.as_str())
    .worth(risk.expected);
    if let Some(video) = risk.video_id {
        alert = alert.see(links::video(video));
    }
    match risk.asset_id {
        Some(asset) => alert.see(links::asset(asset)),
        None => alert,
    }
}

/// A share of a number of views.
fn share(views: u64, probability: f64) -> u64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a product of two estimates, not below nothing"
    )]
    let share = (views as f64 * probability) as u64;
    share
}

/// A probability with four places.
pub fn decimal(number: f64) -> Decimal {
    format!("{number:.4}").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests;
