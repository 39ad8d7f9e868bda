//! The frame of every finding: what it is about, why, what it is worth, and whether it is news.
//!
//! A finding is drafted anew each week and then settled against last week's: the same condition is the same alert,
//! `ongoing` and no news; one that no longer holds is said once more as `resolved`. What could not be judged this week,
//! because its report is missing or not to be believed, stays as it was.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::number::Decimal;

/// What a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A video or asset is watched far beyond its habit.
    Viral,
    /// A surge that goes from platform to platform.
    CrossPlatform,
    /// A reference claims far more than it used to.
    BadReference,
    /// A claim on a partner's own channel.
    OwnChannelClaim,
    /// A rising share of short matches.
    ShortMatch,
    /// Claims of an asset are released far more often than others.
    ReleaseRate,
    /// Another owner contests a much-watched asset.
    OwnershipConflict,
    /// Views rise and claims do not, or the reverse.
    ViewsClaimsDiscrepancy,
    /// Active claims changed beyond the asset's own habit.
    ClaimsChange,
    /// Content that will raise claims.
    ClaimsAhead,
    /// Rights records contradict each other or YouTube.
    RightsConflict,
    /// Likes, comments, shares or watch time far beyond their habit.
    EngagementSpike,
    /// A dispute's time runs out.
    DisputeDeadline,
    /// A claim that is likely to be disputed.
    DisputeRisk,
    /// An asset's custom ID is not its channel's.
    CustomIdMismatch,
    /// A report says everything twice.
    ReportDoubled,
    /// A report lacks a part.
    ReportPartial,
    /// A report is older than its week, or last week's again.
    ReportStale,
    /// A report is not there.
    ReportMissing,
    /// A channel's rows or numbers are doubled.
    ChannelDoubled,
    /// A channel is no longer in the report, or most of it is not.
    ChannelMissing,
    /// A report lacks a column that is needed.
    ColumnMissing,
    /// A report is another one.
    WrongReportType,
    /// Rows could not be read.
    RowsRejected,
    /// Rows say again what others say.
    DuplicateRows,
}

impl Kind {
    /// Whether the finding is about the data, not about what they say.
    pub fn is_quality(self) -> bool {
        self >= Self::ReportDoubled
    }

    /// The kind's name as it stands in files and events.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            _ => format!("{self:?}"),
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Today.
    Critical,
    /// This week.
    High,
    /// To know.
    Info,
}

/// Whether a finding is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was not there last week.
    New,
    /// It still is.
    Ongoing,
    /// It no longer is.
    Resolved,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// `video`, `asset`, `channel`, `reference`, `claim`, `file` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name for people. Hostile text, and no part of what the finding is: a new title is no new finding.
    pub title: String,
}

impl Subject {
    /// What a finding is about.
    pub fn new(kind: &str, id: impl Into<String>, title: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), id: id.into(), title: title.into() }
    }
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The same for the same kind and subject, in every run.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// Why, as a sentence with the numbers that raised it.
    pub reason: String,
    /// These numbers and ids, by name.
    pub evidence: BTreeMap<String, Value>,
    /// Whether it is news.
    pub state: State,
    /// What it is worth; none where that cannot be told.
    pub value: Option<Decimal>,
    /// Where to look.
    pub links: Vec<String>,
}

impl Alert {
    /// A finding of this week, held against no other yet.
    pub fn draft(kind: Kind, severity: Severity, subject: Subject, reason: impl Into<String>) -> Self {
        Self {
            id: id(kind, &subject),
            kind,
            severity,
            subject,
            reason: reason.into(),
            evidence: BTreeMap::new(),
            state: State::New,
            value: None,
            links: Vec::new(),
        }
    }

    /// The same with a number or id that raised it.
    #[must_use]
    pub fn because(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(name.to_owned(), value.into());
        self
    }

    /// The same with what it is worth.
    #[must_use]
    pub fn worth(mut self, value: Decimal) -> Self {
        self.value = Some(value);
        self
    }

    /// The same with a place to look.
    #[must_use]
    pub fn see(mut self, link: impl Into<String>) -> Self {
        self.links.push(link.into());
        self
    }
}

/// The id of a finding: 16 hex digits of the hash of its kind and subject.
fn id(kind: Kind, subject: &Subject) -> String {
    let mut hash = Sha256::new();
    for part in [kind.name().as_str(), &subject.kind, &subject.id] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let number = hash.finalize().iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{number:016x}")
}

/// Settles this week's drafts against the alerts of the last run, all of them, held back ones included.
///
/// `is_judged` says whether alerts like this one could be found this week. Where not, an alert that was open stays
/// open: no data are no relief. Of two drafts with one id the graver stands. The result is in the order of
/// [`Alert`]'s urgency: severity, then value, then id.
pub fn settle(drafts: Vec<Alert>, last: &[Alert], is_judged: impl Fn(&Alert) -> bool) -> Vec<Alert> {
    let open: BTreeMap<&str, &Alert> = last
        .iter()
        .filter(|alert| alert.state != State::Resolved)
        .map(|alert| (alert.id.as_str(), alert))
        .collect();
    let mut settled = drafts;
    settled.sort_by(by_urgency);
    let mut seen = BTreeSet::new();
    settled.retain(|alert| seen.insert(alert.id.clone()));
    for alert in &mut settled {
        alert.state = if open.contains_key(alert.id.as_str()) { State::Ongoing } else { State::New };
    }
    for (id, alert) in open {
        if !seen.contains(id) {
            let state = if is_judged(alert) { State::Resolved } else { State::Ongoing };
            settled.push(Alert { state, ..alert.clone() });
        }
    }
    settled.sort_by(by_urgency);
    settled
}

fn by_urgency(a: &Alert, b: &Alert) -> std::cmp::Ordering {
    (a.severity, std::cmp::Reverse(a.value), &a.id, &a.reason).cmp(&(
        b.severity,
        std::cmp::Reverse(b.value),
        &b.id,
        &b.reason,
    ))
}

/// Alerts parted by what a reader can attend to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budgeted {
    /// What asks for attention, and what needs none: the resolved, and what is only to be known.
    pub told: Vec<Alert>,
    /// What would ask for attention beyond the budget. To be kept, so that it is not news once there is room for it.
    pub held_back: Vec<Alert>,
}

/// Lets at most so many alerts ask for attention: by severity, what is news before what goes on, then by value.
///
/// Resolved alerts and those of severity `info` ask for none, and are always told.
pub fn within_budget(alerts: Vec<Alert>, budget: usize) -> Budgeted {
    let (mut asking, mut told): (Vec<Alert>, Vec<Alert>) = alerts
        .into_iter()
        .partition(|alert| alert.state != State::Resolved && alert.severity != Severity::Info);
    asking.sort_by(|a, b| {
        (a.severity, a.state, std::cmp::Reverse(a.value), &a.id).cmp(&(
            b.severity,
            b.state,
            std::cmp::Reverse(b.value),
            &b.id,
        ))
    });
    let held_back = asking.split_off(budget.min(asking.len()));
    asking.append(&mut told);
    Budgeted { told: asking, held_back }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn draft(kind: Kind, severity: Severity, id: &str, value: u64) -> Alert {
        Alert::draft(kind, severity, Subject::new("asset", id, "t"), "r").worth(Decimal::whole(value))
    }

    fn states(alerts: &[Alert]) -> Vec<(&str, State)> {
        alerts.iter().map(|alert| (alert.subject.id.as_str(), alert.state)).collect()
    }

    #[test]
    fn an_alert_stands_in_json_as_it_is_promised() {
        let alert = Alert::draft(
            Kind::CustomIdMismatch,
            Severity::Critical,
            Subject::new("asset", "A000000000000001", "=x\n\"<b>"),
            "its custom ID is not its channel's",
        )
        .because("expected", "alpha-01")
        .because("activeClaims", 3)
        .worth("12.5".parse().unwrap())
        .see("https://studio.youtube.com/");
        insta::assert_snapshot!(serde_json::to_string_pretty(&alert).unwrap(), @r#"
        {
          "id": "aae2686d4ca4ae09",
          "kind": "custom_id_mismatch",
          "severity": "critical",
          "subject": {
            "type": "asset",
            "id": "A000000000000001",
            "title": "=x\n\"<b>"
          },
          "reason": "its custom ID is not its channel's",
          "evidence": {
            "activeClaims": 3,
            "expected": "alpha-01"
          },
          "state": "new",
          "value": 12.5,
          "links": [
            "https://studio.youtube.com/"
          ]
        }
        "#);
        let json = serde_json::to_string(&alert).unwrap();
        assert_eq!(serde_json::from_str::<Alert>(&json).unwrap(), alert);
    }

    #[test]
    fn every_kind_has_the_name_that_others_rely_on() {
        let names: Vec<String> = [
            Kind::Viral,
            Kind::CrossPlatform,
            Kind::BadReference,
            Kind::OwnChannelClaim,
            Kind::ShortMatch,
            Kind::ReleaseRate,
            Kind::OwnershipConflict,
            Kind::ViewsClaimsDiscrepancy,
            Kind::ClaimsChange,
            Kind::ClaimsAhead,
            Kind::RightsConflict,
            Kind::EngagementSpike,
            Kind::DisputeDeadline,
            Kind::DisputeRisk,
            Kind::CustomIdMismatch,
            Kind::ReportDoubled,
            Kind::ReportPartial,
            Kind::ReportStale,
            Kind::ReportMissing,
            Kind::ChannelDoubled,
            Kind::ChannelMissing,
            Kind::ColumnMissing,
            Kind::WrongReportType,
            Kind::RowsRejected,
            Kind::DuplicateRows,
        ]
        .map(Kind::name)
        .to_vec();
        insta::assert_snapshot!(names.join(" "), @"viral cross_platform bad_reference own_channel_claim short_match release_rate ownership_conflict views_claims_discrepancy claims_change claims_ahead rights_conflict engagement_spike dispute_deadline dispute_risk custom_id_mismatch report_doubled report_partial report_stale report_missing channel_doubled channel_missing column_missing wrong_report_type rows_rejected duplicate_rows");
        assert!(
            !Kind::CustomIdMismatch.is_quality()
                && Kind::ReportDoubled.is_quality()
                && Kind::DuplicateRows.is_quality()
        );
    }

    #[test]
    fn an_id_is_of_kind_and_subject_and_never_changes() {
        let alert = draft(Kind::Viral, Severity::High, "a", 1);
        insta::assert_snapshot!(alert.id, @"9af54d258d46876d");
        let other = Alert { reason: "other".to_owned(), ..draft(Kind::Viral, Severity::Info, "a", 2) };
        assert_eq!(alert.id, other.id);
        assert_ne!(alert.id, draft(Kind::ClaimsAhead, Severity::High, "a", 1).id);
        assert_ne!(alert.id, draft(Kind::Viral, Severity::High, "b", 1).id);
    }

    #[test]
    fn t06_the_same_condition_next_week_is_ongoing_and_then_resolved_once() {
        let first = settle(vec![draft(Kind::Viral, Severity::High, "a", 1)], &[], |_| true);
        assert_eq!(states(&first), [("a", State::New)]);
        let second = settle(vec![draft(Kind::Viral, Severity::High, "a", 9)], &first, |_| true);
        assert_eq!(states(&second), [("a", State::Ongoing)]);
        assert_eq!(second[0].value, Some(Decimal::whole(9)), "the numbers are this week's");
        let third = settle(Vec::new(), &second, |_| true);
        assert_eq!(states(&third), [("a", State::Resolved)]);
        assert_eq!(settle(Vec::new(), &third, |_| true), []);
        let again = settle(vec![draft(Kind::Viral, Severity::High, "a", 1)], &third, |_| true);
        assert_eq!(states(&again), [("a", State::New)]);
    }

    #[test]
    fn t05_what_could_not_be_judged_this_week_is_not_resolved() {
        let last = settle(
            vec![
                draft(Kind::Viral, Severity::High, "a", 2),
                draft(Kind::ClaimsAhead, Severity::High, "b", 1),
            ],
            &[],
            |_| true,
        );
        let now = settle(Vec::new(), &last, |alert| alert.kind == Kind::ClaimsAhead);
        assert_eq!(states(&now), [("a", State::Ongoing), ("b", State::Resolved)]);
    }

    #[test]
    fn the_budget_lets_the_gravest_ask_then_news_then_the_most_valuable() {
        let last = settle(vec![draft(Kind::Viral, Severity::High, "old", 99)], &[], |_| true);
        let alerts = settle(
            vec![
                draft(Kind::Viral, Severity::High, "old", 99),
                draft(Kind::Viral, Severity::High, "small", 1),
                draft(Kind::Viral, Severity::High, "big", 5),
                draft(Kind::DisputeDeadline, Severity::Critical, "late", 0),
                draft(Kind::ShortMatch, Severity::Info, "note", 1000),
            ],
            &last,
            |_| true,
        );
        let parted = within_budget(alerts.clone(), 2);
        let ids = |alerts: &[Alert]| alerts.iter().map(|alert| alert.subject.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&parted.told), ["late", "big", "note"]);
        assert_eq!(ids(&parted.held_back), ["small", "old"]);
        assert_eq!(within_budget(alerts.clone(), 0).held_back.len(), 4);
        assert_eq!(within_budget(alerts, 99).held_back, []);
    }

    proptest! {
        #[test]
        fn the_order_of_drafts_changes_nothing(
            drafts in prop::collection::vec((0_usize..3, "[a-c]", 0_u64..4), 0..12),
            seed in any::<prop::sample::Index>(),
        ) {
            let severities = [Severity::Critical, Severity::High, Severity::Info];
            let mut alerts: Vec<Alert> =
                drafts.iter().map(|(severity, id, value)| draft(Kind::Viral, severities[*severity], id, *value)).collect();
            let settled = settle(alerts.clone(), &[], |_| true);
            if !alerts.is_empty() {
                let middle = seed.index(alerts.len());
                alerts.rotate_left(middle);
                alerts.reverse();
            }
            prop_assert_eq!(settle(alerts.clone(), &[], |_| true), settled.clone());
            let again = settle(alerts, &settled, |_| true);
            prop_assert_eq!(again.len(), settled.len());
            prop_assert!(again.iter().all(|alert| alert.state == State::Ongoing));
        }
    }
}
