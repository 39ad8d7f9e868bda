//! Two runs at once: one does the work, the other leaves everything alone.

use std::process::Stdio;
use std::time::{Duration, Instant};

use dn_sandbox::{Service, WorldBuilder};
use dn_tests::{Rehearsal, assets_to_set, command};
use serde_json::json;

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

fn assets(count: u64) -> WorldBuilder {
    assets_to_set(CHANNEL, count)
}

async fn until_writes_begin(rehearsal: &Rehearsal) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch") < 3 {
        assert!(Instant::now() < deadline, "the writes never began");
        tokio::task::yield_now().await;
    }
}

#[rstest::rstest]
#[case::directory(false)]
#[case::s3(true)]
#[tokio::test(flavor = "multi_thread")]
async fn e02_of_two_cleanups_at_once_one_does_the_work_and_the_other_writes_nothing(#[case] in_s3: bool) {
    let rehearsal = Rehearsal::of(assets(60)).await.unwrap();
    let mut environment = rehearsal.environment();
    environment.insert("RATE_PER_SECOND".to_owned(), "20".to_owned());
    if in_s3 {
        environment.insert("STATE_URI".to_owned(), rehearsal.sandbox.state_in_s3());
    }
    let mut first = command("cms-customid-cleanup", &environment, &["--json"]).unwrap();
    let first = first.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    until_writes_begin(&rehearsal).await;

    let second = dn_tests::run("cms-customid-cleanup", &environment, &["--json"]).await.unwrap();
    assert_eq!(second.code, Some(11), "{second:?}");
    assert!(second.stderr.contains("another run holds the lock"), "{}", second.stderr);
    let dry = dn_tests::run("cms-customid-cleanup", &environment, &["--json", "--dry-run"]).await.unwrap();
    assert_eq!(dry.code, Some(0), "what writes nothing needs no lock: {dry:?}");

    let first = tokio::task::spawn_blocking(move || first.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(first.status.code(), Some(0));
    assert_eq!(rehearsal.sandbox.writes().len(), 60);
    assert_eq!(rehearsal.sandbox.events().len(), 1, "the one that lost tells nothing");

    let third = dn_tests::run("cms-customid-cleanup", &environment, &["--json"]).await.unwrap();
    assert_eq!(third.code, Some(0), "a run that ended gives the lock back at once: {third:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn e03_a_killed_runs_lock_is_taken_over_after_its_lease_and_the_work_completed() {
    let rehearsal = Rehearsal::of(assets(60)).await.unwrap();
    let mut environment = rehearsal.environment();
    environment.insert("RATE_PER_SECOND".to_owned(), "20".to_owned());
    environment.insert("LOCK_LEASE".to_owned(), "3s".to_owned());
    let mut first = command("cms-customid-cleanup", &environment, &[]).unwrap();
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until_writes_begin(&rehearsal).await;
    first.kill().unwrap();
    first.wait().unwrap();

    assert_eq!(dn_tests::run("cms-customid-cleanup", &environment, &[]).await.unwrap().code, Some(11));
    environment.insert("RATE_PER_SECOND".to_owned(), "5000".to_owned());
    let deadline = Instant::now() + Duration::from_mins(1);
    let run = loop {
        let run = dn_tests::run("cms-customid-cleanup", &environment, &["--json"]).await.unwrap();
        if run.code != Some(11) {
            break run;
        }
        assert!(Instant::now() < deadline, "the dead run's lock was never free");
    };
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(rehearsal.sandbox.score().unwrap().is_perfect());
    assert!(rehearsal.sandbox.journal().patches_per_asset().values().all(|count| *count <= 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn e02_of_two_backfills_at_once_one_does_the_work() {
    let rehearsal = Rehearsal::of(assets(1)).await.unwrap();
    let (one, two) = tokio::join!(rehearsal.backfill(&["--json"]), rehearsal.backfill(&["--json"]));
    let mut codes = [one.unwrap().code, two.unwrap().code];
    codes.sort_unstable();
    assert!(codes == [Some(0), Some(0)] || codes == [Some(0), Some(11)], "{codes:?}");
    let ends = rehearsal.events("Channel Backfill Completed");
    assert_eq!(ends.len(), codes.iter().filter(|code| **code == Some(0)).count());
    assert_eq!(ends[0]["unchangedCount"], json!(1));
}
