//! How runs end that do not come to their own end, and what no run may ever say.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dn_sandbox::{CredentialKind, Fault, Profile, Service, WorldBuilder};
use dn_tests::{Rehearsal, Run, assets_to_set, command};
use serde_json::json;

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

fn assets(count: u64) -> WorldBuilder {
    assets_to_set(CHANNEL, count)
}

/// Runs the cleanup, sends it a signal once so many writes have come in, and waits for its end.
async fn signalled(
    rehearsal: &Rehearsal,
    environment: &BTreeMap<String, String>,
    after: u64,
    signal: &str,
) -> (Run, u64) {
    let mut command = command("cms-customid-cleanup", environment, &["--json"]).unwrap();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let journal = rehearsal.sandbox.journal();
    let deadline = Instant::now() + Duration::from_mins(1);
    while journal.count(Service::YouTube, "assets.patch") < after {
        assert!(Instant::now() < deadline, "the writes never began");
        tokio::task::yield_now().await;
    }
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let begun = journal.count(Service::YouTube, "assets.patch");
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let run = Run { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
    (run, begun)
}

#[rstest::rstest]
#[case("-TERM", 143)]
#[case("-INT", 130)]
#[tokio::test(flavor = "multi_thread")]
async fn p01_a_signal_ends_the_run_with_one_event_and_the_next_run_completes_it(
    #[case] signal: &str,
    #[case] code: i32,
) {
    let rehearsal = Rehearsal::of(assets(120)).await.unwrap();
    let mut environment = rehearsal.environment();
    environment.insert("RATE_PER_SECOND".to_owned(), "20".to_owned());
    environment.insert("MAX_IN_FLIGHT".to_owned(), "4".to_owned());
    let (run, begun) = signalled(&rehearsal, &environment, 10, signal).await;
    assert_eq!(run.code, Some(code), "{run:?}");
    let patched = rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch");
    assert!(patched <= begun + 4, "no call is begun after the signal: {begun} before, {patched} in all");

    let failed = rehearsal.events("CMS Custom ID Cleanup Failed");
    assert_eq!((failed.len(), rehearsal.sandbox.events().len()), (1, 1));
    assert_eq!(failed[0]["exitCode"], json!(code));
    let summary = run.summary().unwrap();
    assert_eq!(summary["updatedCount"], failed[0]["updatedCount"]);
    assert_eq!(
        summary["updatedCount"],
        json!(rehearsal.sandbox.writes().len()),
        "what was under way was counted"
    );
    assert_eq!(summary["updatedCount"].as_u64().unwrap() + summary["remainingCount"].as_u64().unwrap(), 120);

    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(rehearsal.sandbox.score().unwrap().is_perfect());
    assert_eq!(rehearsal.sandbox.writes().len(), 120, "nothing was written twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_budget_defers_the_rest_and_the_next_run_goes_on() {
    let rehearsal = Rehearsal::of(assets(120)).await.unwrap();
    let slow = ["--json", "--rate-per-second", "20", "--max-duration", "2s"];
    let run = rehearsal.cleanup(&slow).await.unwrap();
    assert_eq!(run.code, Some(8), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!(summary["status"], json!("deferred"));
    assert!(
        summary["remainingCount"].as_u64().unwrap() > 0 && summary["etaSeconds"].as_u64().unwrap() > 0,
        "{summary}"
    );
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Deferred").len(), 1);
    assert_eq!(rehearsal.cleanup(&[]).await.unwrap().code, Some(0));
    assert_eq!(rehearsal.sandbox.writes().len(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn p08_a_panic_is_one_failed_run_with_its_event() {
    let rehearsal = Rehearsal::of(assets(0)).await.unwrap();
    let run = dn_tests::run("panicking-task", &rehearsal.environment(), &["--json"]).await.unwrap();
    assert_eq!(run.code, Some(1), "{run:?}");
    let failed = rehearsal.events("Panicking Task Failed");
    assert_eq!(failed.len(), 1);
    assert_eq!((&failed[0]["done"], &failed[0]["exitCode"]), (&json!(7), &json!(1)));
    assert!(failed[0]["error"].as_str().unwrap().contains("index out of bounds"), "{}", failed[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn e07_a_bus_that_is_not_there_stops_the_run_before_the_first_write() {
    let rehearsal = Rehearsal::of(assets(3)).await.unwrap();
    let run = rehearsal.backfill(&["--event-bus", "another-bus"]).await.unwrap();
    assert_eq!(run.code, Some(7), "{run:?}");
    let run = rehearsal.cleanup(&["--event-bus", "another-bus"]).await.unwrap();
    assert_eq!(run.code, Some(7), "{run:?}");
    assert!(rehearsal.sandbox.writes().is_empty());
    assert_eq!(rehearsal.sandbox.journal().count(Service::AppSync, "*"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn e06_an_event_that_the_bus_never_takes_fails_the_run_though_the_work_is_done() {
    let rehearsal = Rehearsal::of(assets(1)).await.unwrap();
    let refused = json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}]});
    rehearsal.sandbox.faults().inject(
        Service::EventBridge,
        "PutEvents",
        100,
        Fault::status(200, refused.to_string()),
    );
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(5), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["exitCode"], &summary["unchangedCount"]), (&json!(5), &json!(1)), "{summary}");
    assert_eq!(rehearsal.sandbox.journal().count(Service::EventBridge, "PutEvents"), 5);

    rehearsal.sandbox.faults().clear();
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "a rerun finds the work done and tells it: {run:?}");
    assert_eq!(rehearsal.events("Channel Backfill Completed").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_missing_is_said_at_once_and_nothing_is_touched() {
    let run = dn_tests::run(
        "cms-customid-cleanup",
        &BTreeMap::new(),
        &["--rate-per-second", "fast", "--policy", "all"],
    )
    .await
    .unwrap();
    assert_eq!(run.code, Some(2), "{run:?}");
    for name in
        ["GRAPHQL_ENDPOINT", "YOUTUBE_CONTENT_OWNER", "YOUTUBE_CREDENTIALS", "RATE_PER_SECOND", "POLICY"]
    {
        assert!(run.stderr.contains(name), "{name} is not in {}", run.stderr);
    }
}

#[rstest::rstest]
#[case(CredentialKind::ServiceAccount)]
#[case(CredentialKind::AuthorizedUser)]
#[case(CredentialKind::TokenService)]
#[case(CredentialKind::Static)]
#[tokio::test(flavor = "multi_thread")]
async fn l06_every_kind_of_credential_signs_in_and_no_secret_is_said_at_trace_level(
    #[case] kind: CredentialKind,
) {
    let rehearsal = Rehearsal::of(assets(3)).await.unwrap();
    let mut environment = rehearsal.environment();
    let credentials = rehearsal.sandbox.credentials(kind);
    environment.insert("YOUTUBE_CREDENTIALS".to_owned(), credentials.clone());
    environment.insert("RUST_LOG".to_owned(), "trace".to_owned());
    environment.insert("LOG_FORMAT".to_owned(), "json".to_owned());
    let backfill = dn_tests::run("channelbackfill", &environment, &["--json"]).await.unwrap();
    // The cleanup that the bus started holds the lock until it ends.
    rehearsal.sandbox.wait_for_idle(Duration::from_mins(1)).await.unwrap();
    let cleanup = dn_tests::run("cms-customid-cleanup", &environment, &["--json"]).await.unwrap();
    assert_eq!((backfill.code, cleanup.code), (Some(0), Some(0)), "{cleanup:?}");
    assert!(cleanup.stderr.contains("TRACE"), "the test has to look at trace level");

    let mut secrets =
        vec![environment["GRAPHQL_API_KEY"].clone(), environment["AWS_SECRET_ACCESS_KEY"].clone()];
    let fields: serde_json::Value = serde_json::from_str(&credentials).unwrap();
    for name in ["private_key", "client_secret", "refresh_token", "api_key", "token"] {
        if let Some(secret) = fields[name].as_str() {
            // A key is a text of many lines: any of them would be too much.
            secrets.extend(
                secret.lines().filter(|line| line.len() > 8 && !line.contains("-----")).map(str::to_owned),
            );
        }
    }
    assert!(secrets.len() > 2, "{kind:?} has a secret");
    let mut said = format!("{backfill:?}{cleanup:?}{:?}", rehearsal.sandbox.events());
    for file in files(&rehearsal.directory().join("state")) {
        said.push_str(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
    }
    for secret in secrets {
        assert!(!said.contains(&secret), "a secret of {kind:?} was said");
    }
    assert!(!said.contains("Bearer ") && !said.contains("ya29."), "an access token was said");
}

#[tokio::test(flavor = "multi_thread")]
async fn a05_a_refused_credential_is_fatal_and_says_what_kills_one() {
    let rehearsal = Rehearsal::with(assets(3), Profile::Calm).await.unwrap();
    let refused = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
    rehearsal.sandbox.faults().inject(Service::Token, "*", 100, Fault::status(400, refused));
    for kind in [CredentialKind::ServiceAccount, CredentialKind::AuthorizedUser] {
        let mut environment = rehearsal.environment();
        environment.insert("YOUTUBE_CREDENTIALS".to_owned(), rehearsal.sandbox.credentials(kind));
        let before = rehearsal.sandbox.journal().count(Service::Token, "*");
        let run = dn_tests::run("cms-customid-cleanup", &environment, &[]).await.unwrap();
        assert_eq!(run.code, Some(7), "{run:?}");
        assert!(run.stderr.contains("revoked") && run.stderr.contains("six months"), "{}", run.stderr);
        assert_eq!(rehearsal.sandbox.journal().count(Service::Token, "*") - before, 1, "not tried again");
    }
}

fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_cannot_be_used_ends_the_run_before_any_write_and_the_bus_is_told() {
    let rehearsal = Rehearsal::of(assets(2)).await.unwrap();
    let file = rehearsal.directory().join("no-folder");
    std::fs::write(&file, "a file").unwrap();
    let state = file.join("state");
    let run = rehearsal.cleanup(&["--state-uri", state.to_str().unwrap()]).await.unwrap();
    assert_eq!(run.code, Some(5), "{run:?}");
    assert!(rehearsal.sandbox.writes().is_empty());
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Failed").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_stand_before_or_after_the_command() {
    let rehearsal = Rehearsal::of(assets(2)).await.unwrap();
    for arguments in
        [["--dry-run", "--json", "run"], ["run", "--dry-run", "--json"], ["--json", "run", "--dry-run"]]
    {
        let run = rehearsal.cleanup(&arguments).await.unwrap();
        assert_eq!((run.code, &run.summary().unwrap()["dryRun"]), (Some(0), &json!(true)), "{run:?}");
    }
    assert!(rehearsal.sandbox.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_an_answer_that_is_no_asset_list_never_makes_assets_gone() {
    let rehearsal = Rehearsal::of(assets(2)).await.unwrap();
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        "assets.list",
        100,
        Fault::status(200, r#"{"message":"ok"}"#),
    );
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["failedCount"]), (Some(5), &json!(0)), "{run:?}");
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "assets.list"), 3, "asked again, twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn p01_a_run_that_waits_for_the_bus_at_its_start_is_stopped_all_the_same() {
    let rehearsal = Rehearsal::of(assets(2)).await.unwrap();
    rehearsal.sandbox.faults().inject(Service::EventBridge, "DescribeEventBus", 1, Fault::Stall);
    let mut command = command("cms-customid-cleanup", &rehearsal.environment(), &["--json"]).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while rehearsal.sandbox.faults().pending() > 0 {
        assert!(Instant::now() < deadline, "the bus was never asked");
        tokio::task::yield_now().await;
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let code = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap().code();
    assert_eq!(code, Some(143));
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Failed").len(), 1);
    assert!(rehearsal.sandbox.writes().is_empty());
}
