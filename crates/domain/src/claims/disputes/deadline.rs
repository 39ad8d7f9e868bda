//! Which of what is open is told as an alert.

use super::{APPEAL_DAYS, CRITICAL_DAYS, is_near};
use crate::claims::alert::{Alert, Kind, Severity, Subject};
use crate::claims::digest::Dispute;
use crate::claims::links;
use crate::claims::snapshot::OpenStatus;

/// So few days left that the claim is not to wait for the next weekly report.
pub const HIGH_DAYS: i32 = 7;

/// The alerts of a queue: every appeal, and what ends within a week. `title` names a claim for people.
pub fn alerts(queue: &[Dispute], title: &dyn Fn(&Dispute) -> String) -> Vec<Alert> {
    queue.iter().filter_map(|dispute| Some(alert(dispute, severity(dispute)?, title(dispute)))).collect()
}

fn severity(dispute: &Dispute) -> Option<Severity> {
    let is_near = |days| is_near(dispute.days_left, dispute.estimate, days);
    if dispute.status == OpenStatus::Appealed.name() || is_near(CRITICAL_DAYS) {
        Some(Severity::Critical)
    } else if is_near(HIGH_DAYS) {
        Some(Severity::High)
    } else {
        None
    }
}

fn alert(dispute: &Dispute, severity: Severity, title: String) -> Alert {
    let is_appeal = dispute.status == OpenStatus::Appealed.name();
    let about = if dispute.estimate { "about " } else { "" };
    let days = |days: i32| if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    let reason = match dispute.days_left {
        None if is_appeal => format!("the uploader appealed; an appeal is open for {APPEAL_DAYS} days"),
        None => "its time runs out".to_owned(),
        Some(left) if left < 0 => {
            format!("{about}{} past its deadline; see whether it is still open", days(-left))
        }
        Some(0) => format!("its deadline is {about}today"),
        Some(left) => format!("{about}{} left to decide; then it is released for good", days(left)),
    };
    let subject = Subject::new("claim", dispute.claim_id.as_str(), title);
    let mut alert = Alert::draft(Kind::DisputeDeadline, severity, subject, reason)
        .because("status", dispute.status.as_str())
        .because("deadline", dispute.deadline.map(|day| day.to_string()))
        .because("daysLeft", dispute.days_left)
        .because("estimate", dispute.estimate)
        .because("assetId", dispute.asset_id.map(|id| id.to_string()))
        .because("videoId", dispute.video_id.map(|id| id.to_string()));
    if let Some(value) = dispute.value_at_risk {
        let shown = serde_json::to_value(value).unwrap_or_default();
        alert = alert.because("valueAtRisk", shown).worth(value);
    }
    if !dispute.link.is_empty() {
        alert = alert.see(dispute.link.clone());
    }
    match dispute.asset_id {
        Some(asset) if dispute.video_id.is_some() => alert.see(links::asset(asset)),
        _ => alert,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Case, Since, order};
    use super::*;
    use crate::number::Decimal;
    use rstest::rstest;

    fn dispute(status: OpenStatus, since: Since) -> Dispute {
        let case = Case {
            claim_id: "c1".parse().unwrap(),
            status,
            since,
            asset_id: Some("A000000000000001".parse().unwrap()),
            video_id: Some("vid1_______".parse().unwrap()),
            channel_id: None,
            views: None,
            there_since: None,
        };
        let today = "2026-11-25".parse().unwrap();
        order(&[case], today, Some(Decimal::whole(2)), &|_| Some(500)).remove(0)
    }

    fn told(status: OpenStatus, since: Since) -> Option<Severity> {
        let dispute = dispute(status, since);
        let alerts = alerts(std::slice::from_ref(&dispute), &|_| "a title".to_owned());
        let severity = alerts.first().map(|alert| alert.severity);
        assert_eq!(dispute.critical, severity == Some(Severity::Critical), "file and alert agree");
        severity
    }

    #[rstest]
    // Thirty days from the objection: on 25 November 3 are left of 29 October's, 4 of 30 October's.
    #[case("2026-10-29", Some(Severity::Critical))]
    #[case("2026-10-30", Some(Severity::High))]
    #[case("2026-11-02", Some(Severity::High))]
    #[case("2026-11-03", None)]
    // Its last day, and the day after it.
    #[case("2026-10-26", Some(Severity::Critical))]
    #[case("2026-10-25", None)]
    fn a_dispute_asks_for_attention_by_the_days_that_are_left(
        #[case] since: &str,
        #[case] expected: Option<Severity>,
    ) {
        assert_eq!(told(OpenStatus::Disputed, Since::Objection(since.parse().unwrap())), expected);
        assert_eq!(told(OpenStatus::Potential, Since::Objection(since.parse().unwrap())), expected);
        assert_eq!(told(OpenStatus::Pending, Since::Objection(since.parse().unwrap())), None);
    }

    #[rstest]
    #[case(Since::Objection("2026-11-25".parse().unwrap()))]
    #[case(Since::Objection("2025-11-25".parse().unwrap()))]
    #[case(Since::Status("2026-11-20".parse().unwrap()))]
    #[case(Since::Unknown)]
    fn every_appeal_is_critical_whatever_its_age(#[case] since: Since) {
        assert_eq!(told(OpenStatus::Appealed, since), Some(Severity::Critical));
    }

    #[test]
    fn an_estimate_that_is_over_may_still_be_open_for_six_days() {
        let since = |day: &str| Since::Status(day.parse().unwrap());
        assert_eq!(told(OpenStatus::Disputed, since("2026-10-20")), Some(Severity::Critical));
        assert_eq!(told(OpenStatus::Disputed, since("2026-10-19")), None);
    }

    #[test]
    fn an_alert_carries_its_deadline_and_what_is_at_risk() {
        let dispute = dispute(OpenStatus::Disputed, Since::Status("2026-10-31".parse().unwrap()));
        let alert = alerts(&[dispute], &|_| "A song".to_owned()).remove(0);
        assert_eq!((alert.subject.kind.as_str(), alert.subject.id.as_str()), ("claim", "c1"));
        insta::assert_snapshot!(serde_json::to_string(&alert.evidence).unwrap(), @r#"{"assetId":"A000000000000001","daysLeft":5,"deadline":"2026-11-30","estimate":true,"status":"disputed","valueAtRisk":5,"videoId":"vid1_______"}"#);
        insta::assert_snapshot!(alert.reason, @"about 5 days left to decide; then it is released for good");
        assert_eq!(alert.value, Some(Decimal::whole(5)));
        assert_eq!(alert.links.len(), 2);
    }
}
