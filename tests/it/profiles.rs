//! The whole chain on the sandbox's bad days. The truth is met all the same.

use std::time::Duration;

use dn_sandbox::{Profile, Service};
use dn_tests::Rehearsal;

#[rstest::rstest]
#[case(Profile::Slow)]
#[case(Profile::Flaky)]
#[case(Profile::Rough)]
#[case(Profile::Jitter)]
#[case(Profile::RateWall)]
#[case(Profile::HalfBody)]
#[case(Profile::ErrorIn200)]
#[case(Profile::TokenExpires)]
#[tokio::test(flavor = "multi_thread")]
async fn the_chain_meets_its_truth_on_a_bad_day(#[case] profile: Profile) {
    let videos = if profile == Profile::RateWall { 300 } else { 800 };
    let rehearsal = Rehearsal::generated(3, 30, videos, profile).await.unwrap();
    rehearsal.sandbox.set_task_env("RATE_PER_SECOND", "5000");
    let backfill = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(backfill.code, Some(0), "{backfill:?}");
    let started = rehearsal.sandbox.wait_invocation(1, Duration::from_mins(3)).await.unwrap();
    let log = std::fs::read_to_string(&started[0].stderr).unwrap();
    assert_eq!(
        started[0].exit_code,
        Some(3),
        "some assets cannot be set, and nothing else went wrong: {log}"
    );
    let score = rehearsal.sandbox.score().unwrap();
    assert!(score.is_perfect(), "{score:?}");
    if profile == Profile::TokenExpires {
        assert!(rehearsal.sandbox.journal().count(Service::Token, "*") > 1);
    }
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Completed").len(), 1);
}
