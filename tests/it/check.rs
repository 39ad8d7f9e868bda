//! `check`: the configuration proved without a run, and nothing left behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use dn_sandbox::{Asset, CredentialKind, Fault, ReportRow, Service, WorldBuilder};
use dn_tests::{Rehearsal, Run, run};
use serde_json::{Value, json};

const ONE: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const CLEANUP: &str = "cms-customid-cleanup";
const BACKFILL: &str = "channelbackfill";

async fn rehearsal() -> Rehearsal {
    let world = WorldBuilder::new()
        .channel(ONE, "artist-one", "Artist One")
        .stored(ONE, ONE, Some("artist-one"), Some("Artist One"))
        .row(ReportRow::new("vid00000001", ONE).asset("A0000000000000001", "vid00000001"))
        .asset(Asset::web("A0000000000000001", "vid00000001"));
    Rehearsal::of(world).await.unwrap()
}

async fn check(task: &str, environment: &BTreeMap<String, String>) -> Run {
    run(task, environment, &["check", "--json"]).await.unwrap()
}

/// The state and the fix of each line.
fn lines(run: &Run) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = run.summary().unwrap();
    let rows = rows.as_array().unwrap_or_else(|| panic!("no list: {run:?}"));
    rows.iter().map(|row| (text(&row["what"]), (text(&row["state"]), text(&row["fix"])))).collect()
}

fn failed(run: &Run) -> Vec<String> {
    lines(run).into_iter().filter(|(_, (state, _))| state == "FAIL").map(|(what, _)| what).collect()
}

/// Every file below a directory, but the lock file that a state folder's writers take turns at, and what the played S3
/// had in hand before it looked at a write's condition.
fn files(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.ends_with("s3-incoming") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().is_some_and(|name| name != ".lock") {
            found.push(path.display().to_string());
        }
    }
    found.sort();
    found
}

/// No secret of the environment stands in what a program said.
fn assert_no_secret(run: &Run, environment: &BTreeMap<String, String>) {
    let said = format!("{}{}", run.stdout, run.stderr);
    let credential: Value = serde_json::from_str(&environment["YOUTUBE_CREDENTIALS"]).unwrap();
    let of_credential = ["private_key", "token", "api_key", "refresh_token", "client_secret"];
    let secrets = of_credential.iter().filter_map(|name| credential[*name].as_str());
    let secrets = secrets.chain(["GRAPHQL_API_KEY", "AWS_SECRET_ACCESS_KEY"].map(|name| &*environment[name]));
    for secret in secrets {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_configuration_passes_every_line_and_nothing_is_written_anywhere() {
    let rehearsal = rehearsal().await;
    let mut environment = rehearsal.environment();
    let before = files(rehearsal.directory());
    for state in [environment["STATE_URI"].clone(), rehearsal.sandbox.state_in_s3()] {
        environment.insert("STATE_URI".to_owned(), state);
        let cleanup = check(CLEANUP, &environment).await;
        assert_eq!(cleanup.code, Some(0), "{cleanup:?}");
        let whats = [
            "settings",
            "graphql database",
            "token",
            "content owner",
            "video report",
            "event bus",
            "state folder",
            "clock",
        ];
        let rows = cleanup.summary().unwrap();
        let pass: Vec<Value> = whats.iter().map(|what| json!([what, "PASS", null])).collect();
        let seen: Vec<Value> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| json!([row["what"], row["state"], row["fix"]]))
            .collect();
        assert_eq!(seen, pass, "{rows}");
        assert_eq!(rows[0].as_object().unwrap().len(), 4, "what, state, detail, fix: {rows}");

        let backfill = check(BACKFILL, &environment).await;
        assert_eq!(backfill.code, Some(0), "{backfill:?}");
        assert_eq!(
            lines(&backfill).into_keys().collect::<Vec<_>>(),
            ["channel sheet", "clock", "event bus", "graphql database", "settings", "state folder"]
        );
        assert!(lines(&backfill).values().all(|(state, _)| state == "PASS"), "{backfill:?}");
        assert_no_secret(&cleanup, &environment);
        assert_no_secret(&backfill, &environment);
    }
    rehearsal.sandbox.journal().flush();
    let new: Vec<String> =
        files(rehearsal.directory()).into_iter().filter(|file| !before.contains(file)).collect();
    assert_eq!(new, Vec::<String>::new());
    assert!(rehearsal.sandbox.events().is_empty() && rehearsal.sandbox.writes().is_empty());
    assert_eq!(rehearsal.sandbox.journal().count(Service::EventBridge, "PutEvents"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_and_a_refused_content_owner_end_with_7_and_hide_no_other_line() {
    let rehearsal = rehearsal().await;
    let mut environment = rehearsal.environment();
    environment.insert("GRAPHQL_API_KEY".to_owned(), "da2-wrongwrongwrongwrongwrong".to_owned());
    for task in [CLEANUP, BACKFILL] {
        let run = check(task, &environment).await;
        assert_eq!((run.code, failed(&run)), (Some(7), vec!["graphql database".to_owned()]), "{run:?}");
        assert!(lines(&run)["graphql database"].1.contains("GRAPHQL_API_KEY"), "{run:?}");
        assert_eq!(lines(&run)["state folder"].0, "PASS");
        assert_no_secret(&run, &environment);
    }

    environment.insert("YOUTUBE_CONTENT_OWNER".to_owned(), "somebody-else".to_owned());
    let run = check(CLEANUP, &environment).await;
    assert_eq!((run.code, failed(&run)), (Some(7), vec!["content owner".into(), "graphql database".into()]));
    let lines = lines(&run);
    assert!(lines["content owner"].1.contains("YOUTUBE_CONTENT_OWNER"), "{run:?}");
    assert_eq!(lines["token"].0, "PASS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_fails_its_line_whatever_its_kind() {
    let rehearsal = rehearsal().await;
    let mut environment = rehearsal.environment();
    let kinds = [
        (CredentialKind::AuthorizedUser, "refresh_token", "token"),
        (CredentialKind::TokenService, "api_key", "token"),
        // Nobody is asked for a static token: the first call shows it.
        (CredentialKind::Static, "token", "content owner"),
    ];
    for (kind, field, line) in kinds {
        let mut credential: Value = serde_json::from_str(&rehearsal.sandbox.credentials(kind)).unwrap();
        environment.insert("YOUTUBE_CREDENTIALS".to_owned(), credential.to_string());
        let run = check(CLEANUP, &environment).await;
        assert_eq!(run.code, Some(0), "{kind:?}: {run:?}");
        credential[field] = json!("ya29.refused-refused-refused");
        environment.insert("YOUTUBE_CREDENTIALS".to_owned(), credential.to_string());
        let run = check(CLEANUP, &environment).await;
        assert_eq!((run.code, failed(&run)), (Some(7), vec![line.to_owned()]), "{kind:?}: {run:?}");
        assert_no_secret(&run, &environment);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_ends_with_2_and_names_where_it_is_set() {
    let rehearsal = rehearsal().await;
    let good = rehearsal.environment();
    let broken = [
        (CLEANUP, "VIDEO_REPORT_URI", "s3://sandbox-state/none.csv", "video report"),
        (CLEANUP, "EVENT_BUS_NAME", "no-such-bus", "event bus"),
        (CLEANUP, "STATE_URI", "s3://no-such-bucket/state", "state folder"),
        (BACKFILL, "STATE_URI", "/dev/null/state", "state folder"),
        (BACKFILL, "CHANNELS_CSV", "none.csv", "channel sheet"),
        (BACKFILL, "EVENT_BUS_NAME", "no-such-bus", "event bus"),
    ];
    for (task, variable, value, line) in broken {
        let mut environment = good.clone();
        environment.insert(variable.to_owned(), value.to_owned());
        let run = check(task, &environment).await;
        assert_eq!((run.code, failed(&run)), (Some(2), vec![line.to_owned()]), "{variable}: {run:?}");
        assert!(lines(&run)[line].1.contains(variable), "{variable}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_setting_is_a_line_and_what_does_not_need_it_is_checked_all_the_same() {
    let rehearsal = rehearsal().await;
    let mut environment = rehearsal.environment();
    environment.remove("YOUTUBE_CONTENT_OWNER");
    environment.insert("CANARY".to_owned(), "many".to_owned());
    let run = check(CLEANUP, &environment).await;
    assert_eq!((run.code, failed(&run)), (Some(2), vec!["settings".to_owned()]), "{run:?}");
    let rows = run.summary().unwrap();
    let told: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["what"] == "settings")
        .filter_map(|row| row["detail"].as_str())
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("YOUTUBE_CONTENT_OWNER") && told[1].contains("CANARY"), "{told:?}");
    let lines = lines(&run);
    assert_eq!((&*lines["token"].0, &*lines["content owner"].0), ("PASS", "WARN"), "{run:?}");
    assert!(rehearsal.sandbox.events().is_empty(), "though EVENT_BUS_NAME is set, no Failed event");

    let state = rehearsal.environment().remove("STATE_URI").unwrap();
    let nothing = BTreeMap::from([
        ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
        ("STATE_URI".to_owned(), state),
    ]);
    let run = check("claims-report", &nothing).await;
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(failed(&run).contains(&"settings".to_owned()), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_report_is_a_warning_and_a_bus_that_may_not_be_looked_at_too() {
    let rehearsal = rehearsal().await;
    let mut environment = rehearsal.environment();
    let report = rehearsal.directory().join("old.csv");
    std::fs::copy(&rehearsal.sandbox.world().report_path, &report).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_hours(50 * 365 * 24);
    std::fs::File::options().append(true).open(&report).unwrap().set_modified(old).unwrap();
    environment.insert("VIDEO_REPORT_URI".to_owned(), report.display().to_string());
    let denied = r#"{"__type":"AccessDeniedException","message":"not authorized to perform: events:DescribeEventBus"}"#;
    rehearsal.sandbox.faults().inject(
        Service::EventBridge,
        "DescribeEventBus",
        10,
        Fault::status(400, denied),
    );
    let run = check(CLEANUP, &environment).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let lines = lines(&run);
    assert_eq!((&*lines["video report"].0, &*lines["event bus"].0), ("WARN", "WARN"), "{run:?}");
    assert!(lines["video report"].1.contains("--max-report-age"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reports_given_are_opened_and_one_of_another_kind_is_told() {
    let rehearsal = rehearsal().await;
    let claims = rehearsal.directory().join("claims.csv");
    std::fs::write(
        &claims,
        "claim_id,channel_id,claim_status,claim_type\nc,UCalpha00000000000000000,ACTIVE,AUDIO\n",
    )
    .unwrap();
    let mut environment = rehearsal.environment();
    environment.insert("CLAIM_REPORT_URI".to_owned(), claims.display().to_string());
    let run = run("claims-report", &environment, &["check"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stdout.contains("PASS  claim report") && run.stdout.contains("PASS  video report"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.ends_with("claims-report check: 9 passed, 0 to be looked at, 0 failed\n"),
        "{}",
        run.stdout
    );

    environment.insert("ASSET_REPORT_URI".to_owned(), claims.display().to_string());
    let run = check("claims-report", &environment).await;
    assert_eq!((run.code, failed(&run)), (Some(2), vec!["asset report".to_owned()]), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_runs_is_no_run() {
    let rehearsal = rehearsal().await;
    assert_eq!(rehearsal.cleanup(&["plan"]).await.unwrap().code, Some(0));
    for _ in 0..2 {
        let runs = rehearsal.cleanup(&["runs", "--json"]).await.unwrap();
        assert_eq!(runs.code, Some(0), "{runs:?}");
        assert_eq!(runs.summary().unwrap().as_array().map(Vec::len), Some(1), "{runs:?}");
        assert!(!runs.stderr.contains("\"_aws\""), "no figure for CloudWatch: {}", runs.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_command_can_be_named_with_its_flags_on_either_side() {
    let rehearsal = rehearsal().await;
    let sheet = rehearsal.sandbox.env()["CHANNELS_CSV"].clone();
    let named: [&[&str]; 3] = [
        &["--csv", &sheet, "--dry-run", "--json"],
        &["run", "--csv", &sheet, "--dry-run", "--json"],
        &["--csv", &sheet, "--dry-run", "--json", "run"],
    ];
    for arguments in named {
        let run = rehearsal.backfill(arguments).await.unwrap();
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.summary().unwrap()["unchangedCount"], json!(1), "{arguments:?}");
    }
}
