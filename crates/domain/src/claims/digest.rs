//! The week as one value: all that a renderer needs, and the shape of `report.json`.
//!
//! Renderers read nothing else, so that page, e-mail, workbook and JSON cannot say different things.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::alert::{Alert, State};
use super::changes::{Change, ClaimMoves};
use super::movers::{Numbers, Trend, WeekTotals};
use super::quality::Reconciliation;
use super::snapshot::{ReportFacts, Source};
use super::week::Week;
use crate::id::{AssetId, ClaimId, VideoId};
use crate::number::Decimal;

/// The version of the shape. It grows when a reader of the old shape would misread the new one.
pub const SCHEMA_VERSION: u32 = 1;

/// The week as one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The week's Monday.
    pub week: Week,
    /// When the digest was made, RFC 3339; given from outside.
    pub generated_at: String,
    /// The files it was made from.
    pub sources: Vec<SourceFile>,
    /// The week in sums.
    pub totals: Totals,
    /// The weeks up to this one.
    pub trends: Vec<Trend>,
    /// What asks for attention, and what is resolved.
    pub alerts: Vec<Alert>,
    /// How many alerts ask for attention beyond the budget; they are kept and not listed.
    #[serde(default)]
    pub held_back_count: u64,
    /// What a thousand views are taken to be worth; none where nobody has said.
    #[serde(default)]
    pub rpm: Option<Decimal>,
    /// What is wrong with the data.
    pub quality: Vec<Alert>,
    /// What changed since the week before.
    pub changes: ChangeSummary,
    /// Open disputes in working order.
    pub disputes: Vec<Dispute>,
}

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Read to its end.
    Used,
    /// Not given, or not there.
    Missing,
    /// Refused; it lies in quarantine.
    Refused,
}

/// An input of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceFile {
    /// The report, or the platform's name.
    pub name: String,
    /// Where it came from, without anything secret.
    pub uri: String,
    /// The last day it covers, where that is known.
    pub date: Option<Date>,
    /// What became of it.
    pub state: SourceState,
    /// What it came to.
    pub facts: Option<ReportFacts>,
    /// Held against the last good one.
    pub reconciliation: Option<Reconciliation>,
}

/// The week in sums, and the week compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Assets of the asset report.
    pub assets: Option<u64>,
    /// Videos of the video report.
    pub videos: Option<u64>,
    /// Claims of the claim report.
    pub claims: Option<u64>,
    /// Lifetime views and active claims.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// The same of the week compared with; none in the first run.
    pub before: Option<Box<Totals>>,
    /// What the alerts that are not resolved are worth together.
    pub value: Decimal,
}

impl Totals {
    /// The sums of a week and of the one before it.
    pub fn of(now: &WeekTotals, before: Option<&WeekTotals>, alerts: &[Alert]) -> Self {
        let sums = |totals: &WeekTotals| Self {
            assets: totals.assets,
            videos: totals.videos,
            claims: totals.claims,
            numbers: totals.all,
            before: None,
            value: Decimal::ZERO,
        };
        Self {
            before: before.map(|before| Box::new(sums(before))),
            value: alerts
                .iter()
                .filter(|alert| alert.state != State::Resolved)
                .filter_map(|alert| alert.value)
                .sum(),
            ..sums(now)
        }
    }
}

/// What changed, and how much of it is shown here: all of it stands in `changes.csv`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeSummary {
    /// The week compared with; none in the first run.
    pub before: Option<Week>,
    /// How many weeks lie between; more than one means that reports are missing.
    pub weeks_apart: Option<i32>,
    /// How many changes there are.
    pub count: u64,
    /// What became of claims.
    pub claims: ClaimMoves,
    /// The first of them.
    pub rows: Vec<Change>,
}

impl ChangeSummary {
    /// The changes cut to so many rows.
    pub fn of(changes: &super::changes::Changes, row_count: usize) -> Self {
        Self {
            before: Some(changes.before),
            weeks_apart: Some(changes.weeks_apart),
            count: u64::try_from(changes.rows.len()).unwrap_or(u64::MAX),
            claims: changes.claims_total,
            rows: changes.rows.iter().take(row_count).cloned().collect(),
        }
    }
}

/// An open dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dispute {
    /// The claim.
    pub claim_id: ClaimId,
    /// Its asset.
    pub asset_id: Option<AssetId>,
    /// The claimed video.
    pub video_id: Option<VideoId>,
    /// `disputed`, `appealed` and so on.
    pub status: String,
    /// The last day to act, where it is known or estimated.
    pub deadline: Option<Date>,
    /// Days until then, negative when it is over.
    pub days_left: Option<i32>,
    /// Whether the deadline is an estimate.
    pub estimate: bool,
    /// Whether it cannot wait.
    pub critical: bool,
    /// What is lost if nothing is done.
    pub value_at_risk: Option<Decimal>,
    /// How likely a claim with these reasons is to be disputed at all: the higher, the weaker it is.
    pub risk: Option<Decimal>,
    /// Why, as stable words.
    pub reasons: Vec<String>,
    /// What to do.
    pub action: String,
    /// Where.
    pub link: String,
}

impl SourceFile {
    /// A report as the digest names it.
    pub fn report(
        source: Source,
        uri: impl Into<String>,
        date: Option<Date>,
        facts: Option<ReportFacts>,
    ) -> Self {
        let state = if facts.is_some() { SourceState::Used } else { SourceState::Missing };
        Self { name: source.name().to_owned(), uri: uri.into(), date, state, facts, reconciliation: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::alert::{Kind, Severity, Subject};
    use crate::claims::movers::trends;
    use crate::claims::snapshot::Gather;

    #[test]
    fn a_digest_of_nothing_has_every_key_and_comes_back_from_json() {
        let week = Week::parse("2026-11-16").unwrap();
        let totals = WeekTotals::of(&Gather::new(week, []).finish());
        let digest = Digest {
            schema_version: SCHEMA_VERSION,
            week,
            generated_at: "2026-11-23T06:00:00Z".to_owned(),
            sources: vec![SourceFile::report(Source::Assets, "s3://b/a.csv", None, None)],
            totals: Totals::of(&totals, None, &[]),
            trends: trends(std::slice::from_ref(&totals), week, 5),
            alerts: Vec::new(),
            held_back_count: 0,
            rpm: None,
            quality: Vec::new(),
            changes: ChangeSummary::default(),
            disputes: Vec::new(),
        };
        insta::assert_snapshot!(serde_json::to_string_pretty(&digest).unwrap(), @r#"
        {
          "schemaVersion": 1,
          "week": "2026-11-16",
          "generatedAt": "2026-11-23T06:00:00Z",
          "sources": [
            {
              "name": "asset report",
              "uri": "s3://b/a.csv",
              "date": null,
              "state": "missing",
              "facts": null,
              "reconciliation": null
            }
          ],
          "totals": {
            "assets": null,
            "videos": null,
            "claims": null,
            "views": null,
            "engagedViews": null,
            "activeClaims": null,
            "before": null,
            "value": 0
          },
          "trends": [],
          "alerts": [],
          "heldBackCount": 0,
          "rpm": null,
          "quality": [],
          "changes": {
            "before": null,
            "weeksApart": null,
            "count": 0,
            "claims": {
              "opened": 0,
              "released": 0,
              "gone": 0,
              "disputed": 0,
              "settled": 0
            },
            "rows": []
          },
          "disputes": []
        }
        "#);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }

    #[test]
    fn v19_the_value_of_all_alerts_is_an_exact_sum() {
        let week = Week::parse("2026-11-16").unwrap();
        let totals = WeekTotals::of(&Gather::new(week, []).finish());
        let alert = |id: &str| {
            Alert::draft(Kind::Viral, Severity::High, Subject::new("video", id, ""), "r")
                .worth("0.1".parse().unwrap())
        };
        let sum = Totals::of(&totals, Some(&totals), &[alert("a"), alert("b"), alert("c")]);
        assert_eq!(sum.value.to_string(), "0.3");
        assert!(sum.before.is_some());
    }
}
