//! claims-report against S3.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dn_sandbox::{Fault, Service};
use dn_tests::{command, run};
use serde_json::json;

use crate::services::Services;

const REPORT: &str = "claim_id,channel_id,claim_status,claim_type\nc,UCalpha00000000000000000,ACTIVE,AUDIO\n";

#[tokio::test]
async fn s01_a_packed_report_in_s3_is_read_though_its_body_breaks_off() {
    let services = Services::start().await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(REPORT.as_bytes()).expect("memory");
    std::fs::write(services.object("claims.csv"), packed.finish().expect("memory"))
        .expect("the bucket's folder");
    services.sandbox.faults().inject(Service::S3, "GetObject", 1, Fault::HalfBody);
    let arguments = ["--json", "--claims", "s3://sandbox-state/claims.csv"];
    let mut environment = services.sandbox.env();
    environment.remove("VIDEO_REPORT_URI");
    let run = run("claims-report", &environment, &arguments).await.expect("the program");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let summary = run.summary().expect("a summary");
    assert_eq!(summary["claimCount"], 1);
    assert_eq!(services.count(Service::S3, "GetObject"), 2);
}

#[tokio::test]
async fn s01_a_report_that_cannot_be_read_to_its_end_is_a_passing_fault() {
    let services = Services::start().await;
    std::fs::write(services.object("claims.csv"), REPORT).expect("the bucket's folder");
    services.sandbox.faults().inject(Service::S3, "GetObject", 100, Fault::HalfBody);
    let mut environment = services.sandbox.env();
    environment.remove("VIDEO_REPORT_URI");
    let arguments = ["--json", "--claims", "s3://sandbox-state/claims.csv"];
    let run = run("claims-report", &environment, &arguments).await.expect("the program");
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(run.stderr.contains("broke off after"), "{}", run.stderr);
}

/// Claims in the bucket, and the environment of a run that counts them; with its state in S3 if that is asked for.
fn claims_in_s3(services: &Services, state_in_s3: bool) -> BTreeMap<String, String> {
    std::fs::write(services.object("claims.csv"), REPORT).expect("the bucket's folder");
    let mut environment = services.sandbox.env();
    environment.remove("VIDEO_REPORT_URI");
    environment.insert("CLAIM_REPORT_URI".to_owned(), "s3://sandbox-state/claims.csv".to_owned());
    if state_in_s3 {
        environment.insert("STATE_URI".to_owned(), services.sandbox.state_in_s3());
    }
    environment
}

/// Starts a run whose first look at its claims takes so long, and waits until it holds the lock.
async fn started(
    services: &Services,
    environment: &BTreeMap<String, String>,
    read_takes: Fault,
) -> std::process::Child {
    let claims = dn_sandbox::Match::operation("GetObject").id("claims.csv");
    services.sandbox.faults().inject(Service::S3, claims, 1, read_takes);
    let mut first = command("claims-report", environment, &["--json"]).expect("the program");
    let first = first.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a process");
    let deadline = Instant::now() + Duration::from_mins(1);
    while services.sandbox.faults().pending() > 0 {
        assert!(Instant::now() < deadline, "the claims were never asked for");
        tokio::task::yield_now().await;
    }
    first
}

#[rstest::rstest]
#[case::directory(false)]
#[case::s3(true)]
#[tokio::test(flavor = "multi_thread")]
async fn e02_of_two_claims_reports_at_once_one_does_the_work(#[case] state_in_s3: bool) {
    let services = Services::start().await;
    let environment = claims_in_s3(&services, state_in_s3);
    let first = started(&services, &environment, Fault::Delay { ms: 3_000 }).await;

    let second = run("claims-report", &environment, &["--json"]).await.expect("the program");
    assert_eq!(second.code, Some(11), "{second:?}");
    assert!(second.stderr.contains("another run holds the lock"), "{}", second.stderr);
    assert_eq!(services.sandbox.journal().count(Service::EventBridge, "PutEvents"), 0);
    let dry = run("claims-report", &environment, &["--json", "--dry-run"]).await.expect("the program");
    assert_eq!(dry.code, Some(0), "what writes nothing needs no lock: {dry:?}");

    let first = tokio::task::spawn_blocking(move || first.wait_with_output()).await.expect("a thread");
    assert_eq!(first.expect("its end").status.code(), Some(0));
    let mut events = services.sandbox.events();
    assert!(events.iter().all(|event| event["source"] == "dn.claims.report"));
    events.retain(|event| event["detail-type"] != "Claims Alert Raised");
    assert_eq!(events.len(), 1, "the one that lost tells nothing");
    assert_eq!(events[0]["detail-type"], json!("Claims Report Completed"));
    assert_eq!(events[0]["detail"]["claimCount"], json!(1));

    let third = run("claims-report", &environment, &["--json"]).await.expect("the program");
    assert_eq!(third.code, Some(0), "a run that ended gives the lock back at once: {third:?}");
    let runs = run("claims-report", &environment, &["runs", "--json"]).await.expect("the program");
    let runs = runs.summary().expect("a list");
    assert_eq!(runs.as_array().map(Vec::len), Some(3), "the one that lost left no folder: {runs}");
    assert_eq!((&runs[2]["claimCount"], &runs[2]["exitCode"]), (&json!(1), &json!(0)), "{runs}");
}

#[rstest::rstest]
#[case::directory(false)]
#[case::s3(true)]
#[tokio::test(flavor = "multi_thread")]
async fn e03_a_dead_claims_reports_lock_is_taken_over_after_its_lease(#[case] state_in_s3: bool) {
    let services = Services::start().await;
    let mut environment = claims_in_s3(&services, state_in_s3);
    environment.insert("LOCK_LEASE".to_owned(), "3s".to_owned());
    let mut first = started(&services, &environment, Fault::Stall).await;
    first.kill().expect("a process of ours");
    first.wait().expect("its end");

    assert_eq!(run("claims-report", &environment, &[]).await.expect("the program").code, Some(11));
    let deadline = Instant::now() + Duration::from_mins(1);
    let next = loop {
        let next = run("claims-report", &environment, &["--json"]).await.expect("the program");
        if next.code != Some(11) {
            break next;
        }
        assert!(Instant::now() < deadline, "the dead run's lock was never free");
    };
    assert_eq!(next.code, Some(0), "{next:?}");
    assert_eq!(next.summary().expect("a summary")["claimCount"], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_report_is_told_to_the_bus_and_a_bus_that_is_not_there_is_found_out_first() {
    let services = Services::start().await;
    let environment = claims_in_s3(&services, false);
    let missing = ["--claims", "s3://sandbox-state/none.csv"];
    let refused = run("claims-report", &environment, &missing).await.expect("the program");
    assert_eq!(refused.code, Some(4), "{refused:?}");
    let events = services.sandbox.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["detail-type"], json!("Claims Report Failed"));
    assert_eq!(events[0]["detail"]["exitCode"], json!(4));

    let before = services.count(Service::S3, "GetObject");
    let lost =
        run("claims-report", &environment, &["--event-bus", "another-bus"]).await.expect("the program");
    assert_eq!(lost.code, Some(7), "{lost:?}");
    assert_eq!(services.count(Service::S3, "GetObject"), before, "no report is read");
}

mod fetch {
    use dn_sandbox::{Fault, ReportFile, Service, WorldBuilder};
    use dn_tests::{Rehearsal, Run, run};
    use serde_json::{Value, json};

    const TYPES: [&str; 4] = [
        "content_owner_active_claims_a3",
        "content_owner_asset_a3",
        "content_owner_video_metadata_a3",
        "content_owner_asset_conflict_a3",
    ];

    /// A report of the last day of the week of 16 November.
    fn add(rehearsal: &Rehearsal, report_type: &str, id: &str, created: &str) {
        let path = rehearsal.directory().join(format!("{id}.report"));
        std::fs::write(&path, format!("asset_id\n{id}\n")).unwrap();
        rehearsal.sandbox.add_report(ReportFile {
            report_type: report_type.to_owned(),
            id: id.to_owned(),
            start: "2026-11-22T08:00:00Z".parse().unwrap(),
            end: "2026-11-23T08:00:00Z".parse().unwrap(),
            created: created.parse().unwrap(),
            path,
        });
    }

    async fn fetch(rehearsal: &Rehearsal) -> Run {
        run("claims-report", &rehearsal.environment(), &["fetch", "--week", "2026-11-16", "--json"])
            .await
            .unwrap()
    }

    fn states(run: &Run) -> Vec<Value> {
        let summary = run.summary().unwrap();
        summary["fetched"].as_array().unwrap().iter().map(|one| one["state"].clone()).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_weeks_reports_are_fetched_once_and_one_made_anew_is_fetched_too() {
        let rehearsal = Rehearsal::of(WorldBuilder::new()).await.unwrap();
        for report_type in TYPES {
            add(&rehearsal, report_type, &format!("{report_type}-1"), "2026-11-24T10:00:00Z");
        }
        rehearsal.sandbox.faults().inject(Service::Reporting, "media.download", 1, Fault::HalfBody);
        let first = fetch(&rehearsal).await;
        assert_eq!(first.code, Some(0), "{first:?}");
        assert_eq!(states(&first), vec![json!("fetched"); 4]);
        let summary = first.summary().unwrap();
        let file = summary["fetched"][1]["uri"].as_str().unwrap();
        assert!(
            file.ends_with("raw/content_owner_asset_a3/2026-11-23-content_owner_asset_a3-1.csv"),
            "{file}"
        );
        assert_eq!(std::fs::read_to_string(file).unwrap(), "asset_id\ncontent_owner_asset_a3-1\n");

        let downloads = || rehearsal.sandbox.journal().count(Service::Reporting, "media.download");
        let before = downloads();
        let second = fetch(&rehearsal).await;
        assert_eq!((second.code, states(&second), downloads()), (Some(0), vec![json!("kept"); 4], before));

        add(&rehearsal, "content_owner_asset_a3", "again", "2026-11-24T20:00:00Z");
        let third = fetch(&rehearsal).await;
        assert_eq!(states(&third), ["kept", "fetched", "kept", "kept"].map(Value::from));
        assert_eq!(rehearsal.sandbox.events().len(), 0, "no report was made, and the bus is told of none");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_type_without_a_report_is_named_and_the_others_are_fetched() {
        let rehearsal = Rehearsal::of(WorldBuilder::new()).await.unwrap();
        add(&rehearsal, TYPES[1], "only", "2026-11-24T10:00:00Z");
        rehearsal.sandbox.add_report_job(TYPES[0]);
        let run = fetch(&rehearsal).await;
        assert_eq!(run.code, Some(3), "{run:?}");
        assert_eq!(states(&run), ["missing", "fetched", "missing", "missing"].map(Value::from));
        assert!(run.stderr.contains(TYPES[0]), "{}", run.stderr);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_week_that_is_no_monday_and_settings_that_are_missing_are_told_at_once() {
        let nothing = std::collections::BTreeMap::new();
        let run = run("claims-report", &nothing, &["fetch", "--week", "2026-11-18"]).await.unwrap();
        assert_eq!(run.code, Some(2), "{run:?}");
        for part in ["2026-11-16", "YOUTUBE_CONTENT_OWNER", "YOUTUBE_CREDENTIALS"] {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
    }
}
