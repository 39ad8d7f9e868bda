//! The remote API's bad days: what a client meets that talks to YouTube for hours.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dn_sandbox::{Fault, Match, Profile, Service};
use dn_tests::{Rehearsal, Run, assets_to_set, run};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

async fn with_assets(count: u64) -> Rehearsal {
    Rehearsal::of(assets_to_set(CHANNEL, count)).await.unwrap()
}

fn google(code: u16, reason: &str) -> Fault {
    let error = json!({"error": {"code": code, "message": reason, "errors": [{"domain": "global", "reason": reason}]}});
    Fault::status(code, error.to_string())
}

/// Runs the cleanup with a few settings of its own.
async fn cleanup(rehearsal: &Rehearsal, settings: &[(&str, &str)]) -> Run {
    let mut environment: BTreeMap<String, String> = rehearsal.environment();
    environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    run("cms-customid-cleanup", &environment, &["--json"]).await.unwrap()
}

fn count(run: &Run, key: &str) -> Value {
    run.summary().unwrap()[key].clone()
}

fn patches(rehearsal: &Rehearsal) -> u64 {
    rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch")
}

#[tokio::test(flavor = "multi_thread")]
async fn a02_a_token_refused_again_after_its_refresh_ends_the_run_without_a_loop() {
    let rehearsal = with_assets(40).await;
    let wanted = Match::operation("assets.patch").after(10);
    rehearsal.sandbox.faults().inject(Service::YouTube, wanted, 1_000_000, google(401, "authError"));
    let run = cleanup(&rehearsal, &[("MAX_IN_FLIGHT", "4")]).await;
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(7), json!(10)), "{run:?}");
    assert!(
        patches(&rehearsal) <= 10 + 8,
        "each refused call once more and no further: {}",
        patches(&rehearsal)
    );
    assert!(rehearsal.sandbox.journal().count(Service::Token, "*") <= 5);
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Failed").len(), 1);

    rehearsal.sandbox.faults().clear();
    let run = cleanup(&rehearsal, &[]).await;
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(0), json!(30)), "the next run does the rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_tokens_refused_to_32_calls_at_once_cost_one_refresh() {
    let rehearsal = with_assets(200).await;
    rehearsal.sandbox.faults().set_latency(Duration::from_millis(30));
    let expire = async {
        while patches(&rehearsal) < 60 {
            tokio::task::yield_now().await;
        }
        rehearsal.sandbox.expire_tokens();
    };
    let (run, ()) = tokio::join!(cleanup(&rehearsal, &[]), expire);
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(0), json!(200)), "{run:?}");
    assert_eq!(rehearsal.sandbox.journal().count(Service::Token, "*"), 2, "one to begin with, one refresh");
}

#[tokio::test(flavor = "multi_thread")]
async fn a03_a_run_that_crosses_four_token_lives_loses_no_row() {
    let world = assets_to_set(CHANNEL, 1_700);
    let rehearsal = Rehearsal::with(world, Profile::TokenExpires).await.unwrap();
    let run = cleanup(&rehearsal, &[]).await;
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(0), json!(1_700)), "{run:?}");
    let tokens = rehearsal.sandbox.journal().count(Service::Token, "*");
    assert!(tokens >= 5, "a token lives 400 calls here: {tokens}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a04_a_token_endpoint_that_fails_for_a_while_fails_no_call() {
    let rehearsal = with_assets(30).await;
    let faults = rehearsal.sandbox.faults();
    faults.inject(Service::Token, "*", 1, Fault::status(503, r#"{"error":"temporarily_unavailable"}"#));
    faults.inject(Service::Token, "*", 1, Fault::status(500, "<html>Error</html>"));
    faults.inject(Service::Token, "*", 1, Fault::ResetBefore);
    let run = cleanup(&rehearsal, &[]).await;
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(0), json!(30)), "{run:?}");
    assert_eq!(faults.pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a04_a_token_endpoint_that_stays_away_ends_the_run_as_a_passing_fault() {
    let rehearsal = with_assets(3).await;
    rehearsal.sandbox.faults().inject(Service::Token, "*", 1_000_000, Fault::status(503, "busy"));
    let run = cleanup(&rehearsal, &[("MAX_WAIT", "2s")]).await;
    assert_eq!(run.code, Some(5), "{run:?}");
    assert_eq!(rehearsal.sandbox.write_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a06_a_quota_of_one_method_stops_that_method_alone() {
    let rehearsal = with_assets(60).await;
    let wanted = Match::operation("assets.patch").after(10);
    rehearsal.sandbox.faults().inject(Service::YouTube, wanted, 1_000, google(403, "quotaExceeded"));
    let settings = [("CANARY", "5"), ("MAX_IN_FLIGHT", "2")];
    let run = cleanup(&rehearsal, &settings).await;
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(8), json!(10)), "{run:?}");
    assert!(run.stderr.contains("midnight in Los Angeles"), "{}", run.stderr);
    assert!(patches(&rehearsal) <= 12, "no write was begun after the refusal: {}", patches(&rehearsal));
    // The other method is not touched by it: a plan is made the same hour.
    let environment = rehearsal.environment();
    let planned = run_plan(&environment).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
}

async fn run_plan(environment: &BTreeMap<String, String>) -> Run {
    run("cms-customid-cleanup", environment, &["plan", "--json"]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn l09_a_verdict_that_ends_the_run_does_not_wait_for_a_pause_that_the_server_asked_for() {
    let rehearsal = with_assets(6).await;
    rehearsal.sandbox.faults().set_latency(Duration::from_millis(200));
    let wait_long = Fault::Status {
        code: 429,
        headers: vec![("retry-after".to_owned(), "600".to_owned())],
        body: json!({"error": {"code": 429, "message": "slow down"}}).to_string(),
    };
    for number in 1..=3 {
        let wanted = Match::operation("assets.patch").id(dn_tests::asset(number));
        rehearsal.sandbox.faults().inject(Service::YouTube, wanted, 1, wait_long.clone());
    }
    for number in 4..=6 {
        let wanted = Match::operation("assets.patch").id(dn_tests::asset(number));
        rehearsal.sandbox.faults().inject(Service::YouTube, wanted, 1, google(403, "quotaExceeded"));
    }
    let run = tokio::time::timeout(Duration::from_mins(2), cleanup(&rehearsal, &[])).await;
    let run = run.expect("the run ends before the server's ten minutes");
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(8), json!(0)), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a07_a_server_with_a_wall_is_met_seldom_and_the_run_is_finished() {
    let world = assets_to_set(CHANNEL, 400);
    let rehearsal = Rehearsal::with(world, Profile::RateWall).await.unwrap();
    let run = cleanup(&rehearsal, &[("RATE_PER_SECOND", "100")]).await;
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(0), json!(400)), "{run:?}");
    let refused = rehearsal.sandbox.journal().entries().iter().filter(|entry| entry.fault.is_some()).count();
    assert!((1..=60).contains(&refused), "{refused} refusals; a client that learns nothing meets hundreds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a08_a_servers_wait_holds_every_call_of_the_client() {
    let rehearsal = with_assets(120).await;
    let slow_down = Fault::Status {
        code: 429,
        headers: vec![("retry-after".to_owned(), "2".to_owned())],
        body: json!({"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}})
            .to_string(),
    };
    let wanted = Match::operation("assets.patch").after(40);
    rehearsal.sandbox.faults().inject(Service::YouTube, wanted, 1, slow_down);
    let run = cleanup(&rehearsal, &[]).await;
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(0), json!(120)), "{run:?}");
    let entries = rehearsal.sandbox.journal().entries();
    let told = entries.iter().find(|entry| entry.status == 429).unwrap().t_ms;
    // What was under way when it was said may still come in.
    let early = entries.iter().filter(|entry| {
        entry.service == Service::YouTube && (told + 500..told + 1_900).contains(&entry.t_ms)
    });
    assert_eq!(early.count(), 0, "two seconds of silence");
}

#[tokio::test(flavor = "multi_thread")]
async fn a15_an_outage_is_ridden_out_without_a_row_lost_or_a_storm() {
    let rehearsal = with_assets(400).await;
    let wanted = Match::operation("assets.patch").after(100);
    rehearsal.sandbox.faults().inject(Service::YouTube, wanted, 1_000_000, google(503, "backendError"));
    let recover = async {
        let until = Instant::now() + Duration::from_mins(1);
        while rehearsal.sandbox.faults().pending() == 1_000_000 && Instant::now() < until {
            tokio::task::yield_now().await;
        }
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(5))).await.unwrap();
        rehearsal.sandbox.faults().clear();
    };
    let (run, ()) = tokio::join!(cleanup(&rehearsal, &[]), recover);
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(0), json!(400)), "{run:?}");
    assert!(patches(&rehearsal) <= 480, "{} requests for 400 writes", patches(&rehearsal));
}

#[tokio::test(flavor = "multi_thread")]
async fn a17_a_server_that_only_fails_ends_the_run_when_the_patience_is_over() {
    let rehearsal = with_assets(400).await;
    let wanted = Match::operation("assets.patch").after(30);
    rehearsal.sandbox.faults().inject(Service::YouTube, wanted, 1_000_000, google(503, "backendError"));
    let run = cleanup(&rehearsal, &[("MAX_WAIT", "3s")]).await;
    assert_eq!(run.code, Some(5), "{run:?}");
    assert!(run.stderr.contains("--max-wait"), "{}", run.stderr);
    assert!(patches(&rehearsal) < 200, "no storm: {}", patches(&rehearsal));
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Failed").len(), 1);

    rehearsal.sandbox.faults().clear();
    assert_eq!(cleanup(&rehearsal, &[]).await.code, Some(0), "the next run does the rest");
    assert!(rehearsal.sandbox.score().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a19_a_server_that_stalls_or_drips_holds_no_call_beyond_its_time() {
    let rehearsal = with_assets(20).await;
    let faults = rehearsal.sandbox.faults();
    faults.inject(Service::YouTube, "assets.patch", 2, Fault::Stall);
    faults.inject(Service::YouTube, "assets.patch", 1, Fault::Drip { ms: 500 });
    faults.inject(Service::AppSync, "listChannels", 1, Fault::Stall);
    let run = cleanup(&rehearsal, &[("CALL_TIMEOUT", "3s")]).await;
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(0), json!(20)), "{run:?}");
    assert_eq!(faults.pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a19_a_database_that_never_answers_ends_the_backfill_as_a_passing_fault() {
    let rehearsal = with_assets(1).await;
    rehearsal.sandbox.faults().inject(Service::AppSync, "*", 1_000, Fault::Stall);
    let mut environment = rehearsal.environment();
    environment
        .extend([("CALL_TIMEOUT", "1s"), ("MAX_WAIT", "3s")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    let run = run("channelbackfill", &environment, &["--json"]).await.unwrap();
    assert_eq!(run.code, Some(5), "{run:?}");
    assert_eq!(rehearsal.events("Channel Backfill Failed").len(), 1);
}

#[rstest::rstest]
#[case::half_a_document(r#"{"id":"A"#.to_owned())]
#[case::a_login_page("<!DOCTYPE html><title>Sign in</title>".to_owned())]
#[case::nothing(String::new())]
#[case::another_kind(r#"{"kind":"youtubePartner#claim"}"#.to_owned())]
#[case::nine_mebibytes(format!(r#"{{"id":"{}"}}"#, "x".repeat(9 << 20)))]
#[tokio::test(flavor = "multi_thread")]
async fn a20_an_answer_that_is_none_is_asked_for_three_times_and_then_fails_its_row(#[case] body: String) {
    let rehearsal = with_assets(12).await;
    let wanted = Match::operation("assets.patch").id(dn_tests::asset(5));
    rehearsal.sandbox.faults().inject(Service::YouTube, wanted, 1_000, Fault::status(200, body));
    let run = cleanup(&rehearsal, &[]).await;
    assert_eq!(
        (run.code, count(&run, "updatedCount"), count(&run, "failedCount")),
        (Some(3), json!(11), json!(1)),
        "{run:?}"
    );
    assert_eq!(rehearsal.sandbox.journal().patches_per_asset()[&dn_tests::asset(5)], 3);
    assert!(run.stderr.len() < 20_000, "an answer is not quoted whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_a_list_that_stays_unreadable_ends_either_run_as_a_passing_fault() {
    for operation in [(Service::YouTube, "assets.list"), (Service::AppSync, "listChannels")] {
        let rehearsal = with_assets(12).await;
        rehearsal.sandbox.faults().inject(operation.0, operation.1, 1_000, Fault::status(200, "<html>"));
        let run = cleanup(&rehearsal, &[]).await;
        assert_eq!(run.code, Some(5), "{operation:?} {run:?}");
        assert_eq!(rehearsal.sandbox.write_count(), 0);
        if operation.0 == Service::AppSync {
            let run = rehearsal.backfill(&[]).await.unwrap();
            assert_eq!(run.code, Some(5), "{run:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a22_new_fields_and_values_of_an_answer_are_passed_over() {
    let rehearsal = with_assets(1).await;
    let live = json!({"kind": "youtubePartner#assetList", "etag": "new", "pageInfo": {"totalResults": 1}, "items": [{
        "kind": "youtubePartner#asset", "id": dn_tests::asset(1), "type": "hologram", "status": "SHINY",
        "metadataMine": {"customId": dn_tests::video(1), "mood": ["new"]}, "novelty": {"deep": [1, 2]}}]});
    let written = json!({"kind": "youtubePartner#asset", "id": dn_tests::asset(1), "novelty": 1, "type": "hologram",
        "metadataMine": {"customId": "artist-one", "mood": null}});
    let faults = rehearsal.sandbox.faults();
    faults.inject(Service::YouTube, "assets.list", 1, Fault::status(200, live.to_string()));
    faults.inject(Service::YouTube, "assets.patch", 1, Fault::status(200, written.to_string()));
    let arguments = ["--json", "--canary", "0", "--no-verify"];
    let run = rehearsal.cleanup(&arguments).await.unwrap();
    assert_eq!((run.code, count(&run, "updatedCount")), (Some(0), json!(1)), "{run:?}");
    assert_eq!(faults.pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_a_redirect_is_not_followed_and_no_credential_leaves() {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", elsewhere.local_addr().unwrap());
    let visited = tokio::spawn(async move {
        let (mut stream, _) = elsewhere.accept().await.unwrap();
        let mut head = vec![0; 4_096];
        let read = stream.read(&mut head).await.unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    for (service, program) in [
        (Service::YouTube, "cms-customid-cleanup"),
        (Service::AppSync, "cms-customid-cleanup"),
        (Service::AppSync, "channelbackfill"),
    ] {
        for code in [301, 302, 307] {
            let rehearsal = with_assets(2).await;
            let headers = vec![("location".to_owned(), address.clone())];
            let redirect = Fault::Status { code, headers, body: String::new() };
            rehearsal.sandbox.faults().inject(service, "*", 1_000, redirect);
            let run = run(program, &rehearsal.environment(), &["--json"]).await.unwrap();
            assert_eq!(run.code, Some(5), "{program} {code} {run:?}");
            assert!(run.stderr.contains("redirect"), "{}", run.stderr);
            assert_eq!(rehearsal.sandbox.write_count(), 0);
        }
    }
    assert!(!visited.is_finished(), "somebody followed: {:?}", visited.await);
    visited.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a26_a_name_that_nobody_knows_and_a_port_that_nobody_serves_are_passing_faults() {
    let rehearsal = with_assets(2).await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (variable, address) in [
        ("GRAPHQL_ENDPOINT", "https://nobody.invalid/graphql".to_owned()),
        ("GRAPHQL_ENDPOINT", format!("http://{free}/graphql")),
        ("YOUTUBE_API_BASE_URL", format!("http://{free}/youtube/partner/v1")),
    ] {
        let run = cleanup(&rehearsal, &[(variable, &address), ("MAX_WAIT", "2s")]).await;
        assert_eq!(run.code, Some(5), "{address} {run:?}");
        assert_eq!(rehearsal.sandbox.write_count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a26_a_proxy_that_wants_a_password_is_for_somebody_to_mend() {
    let rehearsal = with_assets(2).await;
    rehearsal.sandbox.faults().inject(Service::YouTube, "*", 1_000, Fault::status(407, "proxy"));
    let run = cleanup(&rehearsal, &[]).await;
    assert_eq!(run.code, Some(7), "{run:?}");
}
