//! Weeks of claims reports: made, and put where the tasks look for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use dn_sandbox::CredentialKind;
use dn_sandbox::weeks::{Options, generate};
use serde_json::Value;

use crate::harness::{Bench, json};

fn options() -> Options {
    Options { assets: 300, ..Options::ending("2026-11-16".parse().unwrap()) }
}

/// All files below a folder, by their path in it.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn one_seed_makes_one_set_of_weeks_and_a_missing_week_leaves_the_others_as_they_are() {
    let made = |options: &Options| {
        let dir = tempfile::tempdir().unwrap();
        let weeks = generate(options, dir.path()).unwrap();
        (files(dir.path()), weeks.weeks.len())
    };
    let (one, count) = made(&options());
    assert_eq!(count, 10);
    assert!(one == made(&options()).0, "the same seed");
    assert!(one != made(&Options { seed: 2, ..options() }).0, "another seed");
    let (gap, count) = made(&Options { missing_week: Some(4), ..options() });
    assert_eq!(count, 9);
    assert!(!gap.keys().any(|name| name.contains("2026-10-05")));
    for (name, bytes) in &gap {
        // The week behind the gap is compared with the one before it.
        let is_other = name.starts_with("truth/2026-10-12") || name == "truth/findings.json";
        assert!(is_other || &one[name] == bytes, "{name}");
    }
    for wrong in [
        Options { missing_week: Some(1), ..options() },
        Options { missing_week: Some(10), ..options() },
        Options { last_week: "2026-11-17".parse().unwrap(), ..options() },
        Options { weeks: 0, ..options() },
        Options { assets: 0, ..options() },
        Options { assets: 30, report_faults: true, ..options() },
    ] {
        assert!(generate(&wrong, tempfile::tempdir().unwrap().path()).is_err(), "{wrong:?}");
    }
}

#[test]
fn every_kind_that_the_claims_report_knows_is_planted_once_at_least() {
    let dir = tempfile::tempdir().unwrap();
    let weeks = generate(&Options { report_faults: true, ..options() }, dir.path()).unwrap();
    for kind in [
        "viral",
        "cross_platform",
        "bad_reference",
        "own_channel_claim",
        "short_match",
        "release_rate",
        "ownership_conflict",
        "views_claims_discrepancy",
        "claims_change",
        "claims_ahead",
        "rights_conflict",
        "engagement_spike",
        "dispute_deadline",
        "custom_id_mismatch",
        "report_doubled",
        "report_partial",
        "channel_doubled",
        "channel_missing",
    ] {
        assert!(weeks.findings.iter().any(|one| one.kind == kind && !one.implied), "{kind}");
    }
    let said: Value = serde_json::from_slice(&fs::read(&weeks.findings_path).unwrap()).unwrap();
    assert_eq!(said.as_array().unwrap().len(), weeks.findings.len());
    for key in ["week", "kind", "subjectType", "subjectId", "note", "implied"] {
        assert!(said[0].get(key).is_some(), "{key}");
    }
    // Of the open claims the urgent ones are those that must be found.
    let urgent = weeks.findings.iter().filter(|one| one.kind == "dispute_deadline" && !one.implied);
    let open = |id: &str| weeks.open_claims.iter().find(|claim| claim.id == id);
    let statuses: Vec<&str> = urgent.map(|one| open(&one.subject_id).unwrap().status.as_str()).collect();
    assert_eq!(statuses.len(), 3);
    assert_eq!(statuses.iter().filter(|status| **status == "appealed").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_week_is_in_the_reporting_api_the_bucket_the_database_and_the_claim_search() {
    let bench = Bench::small().await;
    let dir = tempfile::tempdir().unwrap();
    let weeks = generate(&Options { assets: 280, ..options() }, dir.path()).unwrap();
    let week = weeks.weeks.last().unwrap();
    bench.sandbox.publish_partners(&weeks).unwrap();
    bench.sandbox.publish_week(week).unwrap();
    let uri = bench.sandbox.upload_week(week, "weeks").unwrap();
    assert_eq!(uri, "s3://youtube-reporting-main/weeks/2026-11-16");

    let key: Value = serde_json::from_str(&bench.sandbox.credentials(CredentialKind::Static)).unwrap();
    let ask = |url: String| bench.client.get(url).bearer_auth(key["token"].as_str().unwrap()).send();
    let base = bench.env("YOUTUBE_REPORTING_BASE_URL");
    for (report_type, path) in
        [("content_owner_asset_a3", &week.assets), ("content_owner_active_claims_a3", &week.claims)]
    {
        let owner = "onBehalfOfContentOwner=SandboxContentOwner";
        let reports = ask(format!("{base}/jobs/job-{report_type}/reports?{owner}")).await.unwrap();
        let reports = json(reports).await;
        let report = &reports["reports"][0];
        // A day of Los Angeles: the Sunday.
        assert_eq!(report["startTime"], "2026-11-22T08:00:00Z");
        assert_eq!(report["endTime"], "2026-11-23T08:00:00Z");
        let file = ask(report["downloadUrl"].as_str().unwrap().to_owned()).await.unwrap();
        assert!(file.bytes().await.unwrap() == fs::read(path).unwrap(), "{report_type}");
    }
    let stored = bench.sandbox.dir().join("s3/youtube-reporting-main/weeks/2026-11-16");
    assert!(files(&stored) == files(&week.dir));
    let channels = bench.sandbox.channels().unwrap();
    assert!(weeks.partners.iter().all(|partner| channels.contains(partner)));
    let found = bench.youtube("GET", "/claimSearch?status=appealed").send().await.unwrap();
    assert_eq!(json(found).await["items"].as_array().map(Vec::len), Some(1));

    // What is watched far more keeps its likes and comments, and has more views than the report counted.
    let viral =
        weeks.findings.iter().rfind(|one| one.kind == "viral" && one.subject_type == "video").unwrap();
    let url =
        format!("{}/videos?part=statistics&id={}", bench.env("YOUTUBE_DATA_BASE_URL"), viral.subject_id);
    let live = json(ask(url).await.unwrap()).await;
    let counts = &live["items"][0]["statistics"];
    let count = |name: &str| counts[name].as_str().unwrap().parse::<u64>().unwrap();
    let mut report = csv::Reader::from_path(&week.videos).unwrap();
    let column = report.headers().unwrap().iter().position(|name| name == "views").unwrap();
    let mut rows = report.records().map(Result::unwrap);
    let reported = rows.find(|row| row[0] == viral.subject_id).unwrap()[column].parse::<u64>().unwrap();
    assert!(count("viewCount") > reported, "{live}");
    assert!(count("likeCount") > count("commentCount") && count("commentCount") > 0, "{live}");
}

#[test]
fn the_program_writes_weeks_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_dn-sandbox"))
        .args(["weeks", "--weeks", "2", "--assets", "40", "--last-week", "2026-11-16", "--out"])
        .arg(dir.path())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), 4, "{said}");
    let names: Vec<String> = files(dir.path()).into_keys().collect();
    for name in ["2026-11-09/claims.csv", "2026-11-16/analytics/tiktok.csv", "truth/2026-11-16.changes.csv"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}
