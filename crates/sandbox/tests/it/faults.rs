//! Faults on purpose.

use std::time::{Duration, Instant};

use dn_sandbox::{Fault, Match, Profile, Service};
use serde_json::json;

use crate::harness::{Bench, json};

#[tokio::test]
async fn an_injected_answer_comes_as_often_as_asked_and_applies_nothing() {
    let bench = Bench::small().await;
    let fault = Fault::Status {
        code: 429,
        headers: vec![("retry-after".into(), "7".into())],
        body: r#"{"error":{"code":429}}"#.into(),
    };
    bench.sandbox.faults().inject(Service::YouTube, Match::operation("assets.patch").after(1), 2, fault);
    let body = json!({"metadataMine": {"customId": "IND-0001"}});
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let reply = bench.youtube("PATCH", "/assets/A100000000000001").json(&body).send().await.unwrap();
        statuses.push(reply.status().as_u16());
        if reply.status() == 429 {
            assert_eq!(reply.headers()["retry-after"], "7");
        }
    }
    assert_eq!(statuses, [200, 429, 429, 200]);
    assert_eq!(bench.sandbox.write_count(), 2);
    assert_eq!(bench.sandbox.faults().pending(), 0);
    let entries = bench.sandbox.journal().entries();
    assert_eq!((entries[1].status, entries[1].fault), (429, Some("status")));
}

#[tokio::test]
async fn a_broken_connection_leaves_the_write_done_or_undone_as_it_was_meant() {
    let bench = Bench::small().await;
    let body = json!({"metadataMine": {"customId": "IND-0001"}});
    let patch = || bench.youtube("PATCH", "/assets/A100000000000001").json(&body).send();
    bench.sandbox.faults().inject(Service::YouTube, "assets.patch", 1, Fault::ResetBefore);
    assert!(patch().await.is_err());
    assert_eq!(bench.sandbox.write_count(), 0);
    bench.sandbox.faults().inject(Service::YouTube, "assets.patch", 1, Fault::ResetAfter);
    assert!(patch().await.is_err());
    assert_eq!(bench.sandbox.write_count(), 1);
    bench.sandbox.faults().inject(Service::YouTube, "*", 1, Fault::HalfBody);
    let half = patch().await.unwrap();
    assert_eq!(half.status(), 200);
    assert!(half.bytes().await.is_err());
    assert_eq!(bench.sandbox.write_count(), 2);
}

#[tokio::test]
async fn half_an_object_ends_before_its_length() {
    let bench = Bench::small().await;
    bench.sandbox.faults().inject(Service::S3, "GetObject", 1, Fault::HalfBody);
    let s3 = crate::signing::Signed::new(&bench, "s3");
    let report = format!(
        "{}/youtube-reporting-main/reports/video_report_Indmusic_V_v1-3.csv",
        bench.env("AWS_ENDPOINT_URL_S3")
    );
    let half = s3.send("GET", &report, &[], "").await;
    assert_eq!(half.status(), 200);
    assert!(half.bytes().await.is_err());
    assert!(s3.send("GET", &report, &[], "").await.bytes().await.is_ok());
}

#[tokio::test]
async fn a_fault_for_one_asset_leaves_the_others_alone() {
    let bench = Bench::small().await;
    let wanted = Match::operation("assets.patch").id("A100000000000009");
    bench.sandbox.faults().inject(Service::YouTube, wanted, 1, Fault::status(500, "{}"));
    let body = json!({"metadataMine": {"customId": "IND-0001"}});
    let patch = |id: &str| bench.youtube("PATCH", &format!("/assets/{id}")).json(&body).send();
    assert_eq!(patch("A100000000000001").await.unwrap().status(), 200);
    assert_eq!(patch("A100000000000009").await.unwrap().status(), 500);
    assert_eq!(patch("A100000000000009").await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_template_that_is_missing_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = crate::harness::options(dir.path(), Profile::Calm);
    options.workflow = dir.path().join("nothing.yaml");
    let Err(refused) = dn_sandbox::Sandbox::start(options).await else { panic!("it started") };
    assert!(refused.to_string().contains("nothing.yaml"), "{refused:#}");
}

#[tokio::test]
async fn a_slow_profile_takes_its_time() {
    let bench = Bench::over_with(dn_sandbox::World::small, |options| options.profile = Profile::Slow).await;
    let began = Instant::now();
    let reply = bench.youtube("GET", "/assets?id=A100000000000001").send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn under_flaky_no_request_fails_for_ever_and_some_fail() {
    let bench = Bench::over_with(dn_sandbox::World::small, |options| options.profile = Profile::Flaky).await;
    let mut failures = 0;
    for number in 0..300 {
        let ask = || bench.youtube("GET", &format!("/assets?id=A1{number:015}")).send();
        let mut tries = 0;
        loop {
            tries += 1;
            match ask().await {
                Ok(reply) if reply.status() == 200 => {
                    json(reply).await;
                    break;
                }
                _ => failures += 1,
            }
            assert!(tries <= 2, "a request failed more than twice");
        }
    }
    assert!((2..40).contains(&failures), "{failures} of 300");
}

#[tokio::test]
async fn a_stalled_request_gets_no_byte() {
    let bench = Bench::small().await;
    bench.sandbox.faults().inject(Service::YouTube, "*", 1, Fault::Stall);
    let ask = bench.youtube("GET", "/assets?id=A100000000000001");
    let answer = ask.timeout(Duration::from_millis(300)).send().await;
    assert!(answer.unwrap_err().is_timeout());
}
