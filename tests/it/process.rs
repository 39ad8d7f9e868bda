//! The fault matrix's rows about events, the process, the machine and time, with the real programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dn_sandbox::{CredentialKind, Fault, Match, Profile, Service, WorldBuilder};
use dn_tests::{Rehearsal, Run, assets_to_set, command, run};
use serde_json::{Value, json};

use crate::inputs::peak_kib;

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const BACKFILL: &str = "channelbackfill";
const CLEANUP: &str = "cms-customid-cleanup";

/// A sheet of so many channels, none of them stored.
fn sheet(count: usize) -> WorldBuilder {
    (0..count)
        .fold(WorldBuilder::new(), |world, n| world.channel(&format!("UC{n:022}"), &format!("c-{n}"), "Name"))
}

/// A backfill's world. What its event starts is no part of these tests.
async fn backfill_of(world: WorldBuilder) -> Rehearsal {
    let rehearsal = Rehearsal::of(world).await.unwrap();
    rehearsal.sandbox.set_task_env("VIDEO_REPORT_URI", "/nowhere/report.csv");
    rehearsal
}

fn spawn(program: &str, environment: &BTreeMap<String, String>) -> Child {
    let mut command = command(program, environment, &["--json"]).unwrap();
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

async fn ended(child: Child) -> Run {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Runs a program again until the lock of one that died is free.
async fn run_once_free(program: &str, environment: &BTreeMap<String, String>) -> Run {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let next = run(program, environment, &["--json"]).await.unwrap();
        if next.code != Some(11) {
            return next;
        }
        assert!(Instant::now() < deadline, "the dead run's lock was never free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e05_an_event_older_than_a_run_that_went_through_everything_is_no_work() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 3)).await.unwrap();
    let event = |id: &str, time: &str| {
        json!({"id": id, "time": time, "source": "dn.backend.channelbackfill",
            "detail-type": "Channel Backfill Completed", "detail": {"status": "success"}})
        .to_string()
    };
    let (late, next) = (event("late", "2020-01-01T00:00:00Z"), event("next", "2999-01-01T00:00:00Z"));
    // Before anything was gone through, an event is served however late it comes; one channel is not everything.
    let filtered = rehearsal.cleanup(&["--json", "--filter-target", "artist-one"]).await.unwrap();
    assert_eq!(filtered.code, Some(0), "{filtered:?}");
    let served =
        rehearsal.cleanup(&["--json", "--trigger-event", &event("first", "2020-01-01T00:00:00Z")]).await;
    assert_eq!(served.unwrap().summary().unwrap()["ignored"], Value::Null);

    let calls = rehearsal.sandbox.journal().count(Service::YouTube, "*");
    let events = rehearsal.sandbox.events().len();
    let run = rehearsal.cleanup(&["--json", "--trigger-event", &late]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let ignored = run.summary().unwrap()["ignored"].to_string();
    assert!(ignored.contains("has gone through everything since"), "{ignored}");
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "*"), calls, "no API call");
    assert_eq!(rehearsal.sandbox.events().len(), events, "and no event");

    let enforce = ["--json", "--policy", "enforce", "--trigger-event", &late];
    let run = rehearsal.cleanup(&enforce).await.unwrap();
    assert_eq!(run.summary().unwrap()["ignored"], Value::Null, "another policy may have other work");
    let run = rehearsal.cleanup(&["--json", "--trigger-event", &next]).await.unwrap();
    assert_eq!(
        (run.code, &run.summary().unwrap()["ignored"]),
        (Some(0), &Value::Null),
        "a newer event is served"
    );
}

#[rstest::rstest]
#[case::directory(false)]
#[case::s3(true)]
#[tokio::test(flavor = "multi_thread")]
async fn e06_an_event_that_was_never_taken_is_sent_by_the_next_run_without_doing_the_work_again(
    #[case] in_s3: bool,
) {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 3)).await.unwrap();
    let mut environment = rehearsal.environment();
    if in_s3 {
        environment.insert("STATE_URI".to_owned(), rehearsal.sandbox.state_in_s3());
    }
    let refused = json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}]});
    let refused = Fault::status(200, refused.to_string());
    rehearsal.sandbox.faults().inject(Service::EventBridge, "PutEvents", 5, refused);
    let first = run(CLEANUP, &environment, &["--json"]).await.unwrap();
    assert_eq!(first.code, Some(5), "{first:?}");
    assert_eq!((rehearsal.sandbox.writes().len(), rehearsal.sandbox.events().len()), (3, 0));

    let second = run(CLEANUP, &environment, &["--json"]).await.unwrap();
    assert_eq!(second.code, Some(0), "{second:?}");
    assert_eq!(rehearsal.sandbox.writes().len(), 3, "nothing was written again");
    let told = rehearsal.events("CMS Custom ID Cleanup Completed");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["runId"], &told[0]["updatedCount"]),
        (&first.summary().unwrap()["runId"], &json!(3))
    );

    let third = run(CLEANUP, &environment, &["--json"]).await.unwrap();
    let told = rehearsal.events("CMS Custom ID Cleanup Completed");
    assert_eq!((told.len(), &told[1]["runId"]), (2, &third.summary().unwrap()["runId"]), "each end once");
}

#[tokio::test(flavor = "multi_thread")]
async fn e08_an_event_has_counts_and_no_rows_however_many_failed() {
    let rows = (0..5_000).map(|n| format!("UC{n:022},\"not an id {n}\",Name\n")).collect::<Vec<_>>().concat();
    let sheet = format!("channelID,customID,displayName\n{CHANNEL},one,One\n{rows}");
    let rehearsal = backfill_of(WorldBuilder::new().sheet_bytes(sheet)).await;
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(3), "{:?}", run.summary());
    let told = rehearsal.events("Channel Backfill Completed");
    assert_eq!((told.len(), &told[0]["errorCount"]), (1, &json!(5_000)));
    assert!(told[0].to_string().len() < 1_024, "{}", told[0]);
    let rejects = rehearsal.run_file(BACKFILL, &told[0]["runId"], "rejects.csv").unwrap();
    assert_eq!(rejects.lines().count(), 5_001, "where the event's run id leads, every row is");
}

#[rstest::rstest]
#[case::directory(false)]
#[case::s3(true)]
#[tokio::test(flavor = "multi_thread")]
async fn e09_the_event_of_a_run_that_died_before_it_goes_out_with_its_own_run_id_and_once(
    #[case] in_s3: bool,
) {
    let rehearsal = backfill_of(sheet(30)).await;
    let mut environment = rehearsal.environment();
    environment.insert("LOCK_LEASE".to_owned(), "2s".to_owned());
    if in_s3 {
        environment.insert("STATE_URI".to_owned(), rehearsal.sandbox.state_in_s3());
    }
    rehearsal.sandbox.faults().inject(Service::EventBridge, "PutEvents", 1, Fault::Stall);
    let mut first = spawn(BACKFILL, &environment);
    until("the event was never sent", || rehearsal.sandbox.faults().pending() == 0).await;
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!((rehearsal.sandbox.channels().unwrap().len(), rehearsal.sandbox.events().len()), (30, 0));

    let second = run_once_free(BACKFILL, &environment).await;
    assert_eq!(second.code, Some(0), "{second:?}");
    let summary = second.summary().unwrap();
    assert_eq!((&summary["unchangedCount"], &summary["createdCount"]), (&json!(30), &json!(0)));
    let told = rehearsal.events("Channel Backfill Completed");
    assert_eq!(told.len(), 1, "the work was done once and is told once: {told:?}");
    assert_eq!(told[0]["createdCount"], json!(30));
    assert!(told[0]["runId"].as_str() < summary["runId"].as_str(), "with the run id of the run that did it");

    let third = rehearsal_run(&environment).await;
    let told = rehearsal.events("Channel Backfill Completed");
    assert_eq!((told.len(), &told[1]["runId"]), (2, &third["runId"]), "the next run tells its own end");
}

async fn rehearsal_run(environment: &BTreeMap<String, String>) -> Value {
    let next = run(BACKFILL, environment, &["--json"]).await.unwrap();
    assert_eq!(next.code, Some(0), "{next:?}");
    next.summary().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn p01_a_signal_ends_a_backfill_with_one_event_and_the_next_run_completes_it() {
    let rehearsal = backfill_of(sheet(1_500)).await;
    let journal = rehearsal.sandbox.journal();
    rehearsal.sandbox.faults().inject(Service::AppSync, "createChannel", 1_000, Fault::Delay { ms: 500 });
    let child = spawn(BACKFILL, &rehearsal.environment());
    until("no channel was made", || journal.count(Service::AppSync, "*") > 1).await;
    send("-TERM", &child);
    let run = ended(child).await;
    assert_eq!(run.code, Some(143), "{run:?}");
    let failed = rehearsal.events("Channel Backfill Failed");
    assert_eq!((failed.len(), rehearsal.sandbox.events().len()), (1, 1));
    assert_eq!(failed[0]["exitCode"], json!(143));
    let stored = rehearsal.sandbox.channels().unwrap().len();
    assert!(stored < 1_500, "it stopped before the end");
    let summary = run.summary().unwrap();
    assert_eq!(summary["createdCount"], json!(stored), "what was under way was ended and counted");

    rehearsal.sandbox.faults().clear();
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!(
        (&summary["createdCount"], &summary["unchangedCount"]),
        (&json!(1_500 - stored), &json!(stored))
    );
}

#[rstest::rstest]
#[case::backfill_term(BACKFILL, "-TERM", 143)]
#[case::cleanup_term(CLEANUP, "-TERM", 143)]
#[case::cleanup_int(CLEANUP, "-INT", 130)]
#[tokio::test(flavor = "multi_thread")]
async fn p02_a_second_signal_ends_the_run_at_once_and_it_is_told_all_the_same(
    #[case] program: &str,
    #[case] signal: &str,
    #[case] code: i32,
) {
    let (rehearsal, service, operation, failed) = if program == BACKFILL {
        (backfill_of(sheet(3)).await, Service::AppSync, "createChannel", "Channel Backfill Failed")
    } else {
        let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 3)).await.unwrap();
        (rehearsal, Service::YouTube, "assets.patch", "CMS Custom ID Cleanup Failed")
    };
    // A call that never ends keeps the first signal waiting.
    rehearsal.sandbox.faults().inject(service, Match::operation(operation), 1, Fault::Stall);
    let log = rehearsal.directory().join("log");
    let mut command = command(program, &rehearsal.environment(), &["--json"]).unwrap();
    command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    until("nothing was written", || rehearsal.sandbox.faults().pending() == 0).await;
    send(signal, &child);
    until("the first signal was not seen", || {
        std::fs::read_to_string(&log).unwrap_or_default().contains("told to stop: no new call is begun")
    })
    .await;
    assert!(child.try_wait().unwrap().is_none(), "the first signal waits for what is under way");
    send(signal, &child);
    let run = ended(child).await;
    assert_eq!(run.code, Some(code), "{run:?}");
    let told = rehearsal.events(failed);
    assert_eq!((told.len(), &told[0]["exitCode"]), (1, &json!(code)));
    let error = told[0]["error"].as_str().unwrap();
    assert!(error.contains("told to stop twice"), "{error}");
    let kept = rehearsal.run_file(program, &run.summary().unwrap()["runId"], "summary.json").unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap()["exitCode"], json!(code));
}

#[tokio::test(flavor = "multi_thread")]
async fn p07_both_tasks_pass_within_128_mib() {
    let rehearsal = Rehearsal::generated(1, 372, 8_000, Profile::Calm).await.unwrap();
    rehearsal.sandbox.set_task_env("RATE_PER_SECOND", "5000");
    let child = spawn(BACKFILL, &rehearsal.environment());
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let peak = tokio::task::spawn_blocking(move || {
        let mut peak = None;
        // The kernel keeps the peak itself, so that only what is held in the last moment can be missed.
        while let Some(now) = peak_kib(&status) {
            peak = Some(now);
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    });
    let run = ended(child).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let peak = peak.await.unwrap().expect("a peak");
    assert!(peak < 128 * 1024, "{peak} KiB");

    let started = rehearsal.sandbox.wait_invocation(1, Duration::from_mins(2)).await.unwrap();
    assert_eq!(started[0].exit_code, Some(3), "what the made-up catalogue has to be refused is");
    assert!(rehearsal.sandbox.score().unwrap().is_perfect());
    let peak = started[0].peak_memory_bytes.expect("a peak");
    assert!(peak < 128 << 20, "{peak} bytes");
}

/// The library that makes a program's wall clock wrong, made by the C compiler that the workspace needs anyway.
fn wrong_clock(directory: &Path) -> String {
    let library = directory.join("shifted_clock.so");
    let source = dn_tests::root().join("tests/it/shifted_clock.c");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(made.success(), "the C compiler");
    library.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_a_wall_clock_that_jumps_ends_no_patience_no_budget_and_no_lease() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 40)).await.unwrap();
    let mut environment = rehearsal.environment();
    let settings = [
        ("LD_PRELOAD", wrong_clock(rehearsal.directory()).as_str()),
        // 200 s with every look, and each limit is less: by the wall clock all of them are over at once.
        ("CLOCK_JUMP_S", "100"),
        ("MAX_WAIT", "90s"),
        ("MAX_DURATION", "90s"),
        ("LOCK_LEASE", "90s"),
        ("RATE_PER_SECOND", "100"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    environment.extend(settings);
    let unavailable = Fault::status(503, "{}");
    rehearsal.sandbox.faults().inject(Service::YouTube, "assets.patch", 3, unavailable);
    let cleanup = run(CLEANUP, &environment, &["--json"]).await.unwrap();
    assert_eq!(cleanup.code, Some(0), "{cleanup:?}");
    assert_eq!(cleanup.summary().unwrap()["updatedCount"], json!(40));
    let backfill = run(BACKFILL, &environment, &["--json"]).await.unwrap();
    assert_eq!(backfill.code, Some(0), "{backfill:?}");
}

#[rstest::rstest]
#[case::fast(900)]
#[case::slow(-900)]
#[tokio::test(flavor = "multi_thread")]
async fn t01_a_clock_that_is_a_quarter_of_an_hour_off_is_corrected_for_aws_and_named_for_google(
    #[case] off_s: i64,
) {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 2)).await.unwrap();
    rehearsal.sandbox.set_task_env("VIDEO_REPORT_URI", "/nowhere/report.csv");
    let mut environment = rehearsal.environment();
    environment.insert("LD_PRELOAD".to_owned(), wrong_clock(rehearsal.directory()));
    environment.insert("CLOCK_OFFSET_S".to_owned(), off_s.to_string());
    environment.insert("STATE_URI".to_owned(), rehearsal.sandbox.state_in_s3());
    let backfill = run(BACKFILL, &environment, &["--json"]).await.unwrap();
    assert_eq!(backfill.code, Some(0), "{backfill:?}");
    let refused = rehearsal.sandbox.journal().count(Service::EventBridge, "DescribeEventBus");
    assert_eq!(refused, 2, "refused for its time once, and signed anew");
    rehearsal.sandbox.wait_for_idle(Duration::from_mins(1)).await.unwrap();

    environment.insert(
        "YOUTUBE_CREDENTIALS".to_owned(),
        rehearsal.sandbox.credentials(CredentialKind::ServiceAccount),
    );
    let signed_in = run(CLEANUP, &environment, &["--json"]).await.unwrap();
    if off_s > 0 {
        // An assertion from the future is refused; what was signed a while ago still holds.
        assert_eq!(signed_in.code, Some(7), "{signed_in:?}");
        assert!(signed_in.stderr.contains("clock"), "{}", signed_in.stderr);
        let other = rehearsal.sandbox.credentials(CredentialKind::AuthorizedUser);
        environment.insert("YOUTUBE_CREDENTIALS".to_owned(), other);
        let signed_in = run(CLEANUP, &environment, &["--json"]).await.unwrap();
        assert_eq!(signed_in.code, Some(0), "{signed_in:?}");
    } else {
        assert_eq!(signed_in.code, Some(0), "{signed_in:?}");
    }
    assert_eq!(rehearsal.sandbox.writes().len(), 2);
}
