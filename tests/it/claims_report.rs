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
async fn s01_a_packed_report_in_s3_is_counted_though_its_body_breaks_off() {
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
    assert_eq!(summary["claims"]["byStatus"]["ACTIVE"], 1);
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
    let events = services.sandbox.events();
    assert_eq!(events.len(), 1, "the one that lost tells nothing: {events:?}");
    assert_eq!(
        (&events[0]["source"], &events[0]["detail-type"]),
        (&json!("dn.claims.report"), &json!("Claims Report Completed"))
    );
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
    let lost = run("claims-report", &environment, &["--event-bus", "another-bus"]).await.expect("the program");
    assert_eq!(lost.code, Some(7), "{lost:?}");
    assert_eq!(services.count(Service::S3, "GetObject"), before, "no report is read");
}
