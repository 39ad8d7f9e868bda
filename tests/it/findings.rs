//! The made-up weeks through the real program: what was planted is found, and hardly anything else.

use std::collections::{BTreeMap, BTreeSet};

use dn_sandbox::WorldBuilder;
use dn_sandbox::weeks::{Finding, Options, Weeks, generate};
use dn_tests::{Rehearsal, run};
use serde_json::Value;

/// The kinds that must be found.
const KINDS: [&str; 11] = [
    "bad_reference",
    "own_channel_claim",
    "short_match",
    "release_rate",
    "ownership_conflict",
    "views_claims_discrepancy",
    "claims_change",
    "claims_ahead",
    "rights_conflict",
    "cross_platform",
    "engagement_spike",
];

/// So many findings of a week may be of nothing that was planted.
const MOST_FALSE: usize = 2;

/// Runs the program over all weeks, and gives the alerts of each by its Monday.
async fn run_over(options: Options) -> (Weeks, Vec<Vec<Value>>) {
    let rehearsal = Rehearsal::of(WorldBuilder::new()).await.unwrap();
    let dir = rehearsal.directory().join("weeks");
    let weeks = tokio::task::spawn_blocking(move || generate(&options, &dir)).await.unwrap().unwrap();
    rehearsal.sandbox.publish_partners(&weeks).unwrap();
    let mut all = Vec::new();
    for week in &weeks.weeks {
        let mut environment = rehearsal.environment();
        for (name, path) in [
            ("CLAIM_REPORT_URI", &week.claims),
            ("ASSET_REPORT_URI", &week.assets),
            ("VIDEO_REPORT_URI", &week.videos),
            ("CONFLICT_REPORT_URI", &week.conflicts),
            ("ANALYTICS_URI", &week.analytics),
            ("RIGHTS_URI", &week.rights),
        ] {
            environment.insert(name.to_owned(), path.display().to_string());
        }
        let monday = week.monday.to_string();
        let arguments = ["--json", "--week", &monday, "--alert-budget", "10000"];
        let run = run("claims-report", &environment, &arguments).await.unwrap();
        assert_eq!(run.code, Some(0), "{monday}: {run:?}");
        let summary = run.summary().unwrap();
        let alerts = std::fs::read_to_string(summary["files"]["alerts.json"].as_str().unwrap()).unwrap();
        all.push(serde_json::from_str(&alerts).unwrap());
    }
    (weeks, all)
}

/// Whether an alert is about what a finding is about: an asset and a recording are also known by their ISRC.
fn is_about(alert: &Value, finding: &Finding) -> bool {
    let id = finding.subject_id.as_str();
    alert["kind"] == finding.kind
        && (alert["subject"]["id"] == id || finding.subject_type == "isrc" && alert["evidence"]["isrc"] == id)
}

struct Score {
    missed: Vec<String>,
    /// By the week's Monday.
    strange: BTreeMap<String, Vec<String>>,
}

fn score(weeks: &Weeks, found: &[Vec<Value>]) -> Score {
    let of = |at: usize| {
        let monday = weeks.weeks[at].monday;
        weeks.findings.iter().filter(move |finding| finding.week == monday)
    };
    let mut score = Score { missed: Vec::new(), strange: BTreeMap::new() };
    for (at, alerts) in found.iter().enumerate() {
        let is_open = |alert: &&Value| alert["state"] != "resolved";
        let here_or_next = || alerts.iter().chain(found.get(at + 1).into_iter().flatten()).filter(is_open);
        for finding in of(at).filter(|finding| !finding.implied && KINDS.contains(&finding.kind)) {
            if !here_or_next().any(|alert| is_about(alert, finding)) {
                score.missed.push(format!(
                    "{} {} {}: {}",
                    finding.week, finding.kind, finding.subject_id, finding.note
                ));
            }
        }
        for alert in alerts.iter().filter(|alert| alert["state"] == "new") {
            // What happened a week ago may be found today.
            let mut truth = of(at).chain(at.checked_sub(1).into_iter().flat_map(of));
            if !truth.any(|finding| is_about(alert, finding)) {
                let told = format!("{} {}: {}", alert["kind"], alert["subject"]["id"], alert["reason"]);
                score.strange.entry(weeks.weeks[at].monday.to_string()).or_default().push(told);
            }
        }
    }
    score
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_planted_is_found_in_its_week_or_the_next_and_hardly_anything_else() {
    let (weeks, found) = run_over(Options::ending("2020-03-16".parse().unwrap())).await;
    let kinds: BTreeSet<&str> = weeks.findings.iter().map(|finding| finding.kind).collect();
    assert!(KINDS.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    let score = score(&weeks, &found);
    assert!(score.missed.is_empty(), "missed: {:#?}\nbesides: {:#?}", score.missed, score.strange);
    assert!(score.strange.values().all(|found| found.len() <= MOST_FALSE), "{:#?}", score.strange);
    let first = &found[0];
    let needs_a_past = |kind: &str| KINDS.contains(&kind) && kind != "rights_conflict";
    assert!(first.iter().all(|alert| !needs_a_past(alert["kind"].as_str().unwrap())), "{first:#?}");
}
