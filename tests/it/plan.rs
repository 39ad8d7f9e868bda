//! plan → apply → undo: a change that one can read, trust and take back; and the guards before it.

use dn_sandbox::{Asset, Fault, Match, Profile, ReportRow, Service, WorldBuilder};
use dn_tests::{Rehearsal, asset, video};
use serde_json::{Value, json};

const ONE: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

fn live(rehearsal: &Rehearsal, number: u64) -> Option<String> {
    rehearsal.sandbox.asset(&asset(number)).and_then(|asset| asset.custom_id)
}

/// One partner channel; asset `n` carries the value that `value` gives it, and the report says so.
fn world(count: u64, value: impl Fn(u64) -> String) -> WorldBuilder {
    let world = WorldBuilder::new().stored(ONE, ONE, Some("artist-one"), Some("Artist One"));
    (1..=count).fold(world, |world, number| {
        let now = value(number);
        world
            .row(ReportRow::new(video(number), ONE).asset(asset(number), &now).viewed(1_000 - number))
            .asset(Asset::web(asset(number), now))
    })
}

fn run_id(summary: &Value) -> String {
    summary["runId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_the_change_and_makes_none_and_apply_makes_just_that_one() {
    let rehearsal =
        Rehearsal::of(world(5, |number| if number == 5 { "by-hand".to_owned() } else { video(number) }))
            .await
            .unwrap();
    let plan = rehearsal.cleanup(&["plan", "--json", "--detailed-exitcode"]).await.unwrap();
    assert_eq!(plan.code, Some(10), "{plan:?}");
    let summary = plan.summary().unwrap();
    assert_eq!((&summary["updatedCount"], &summary["skippedCount"]), (&json!(4), &json!(1)), "{summary}");
    assert_eq!(summary["channels"][0]["fillDefault"], json!(4));
    assert!(rehearsal.sandbox.writes().is_empty() && rehearsal.sandbox.events().is_empty());
    let id = run_id(&summary);
    let bulk = rehearsal.run_file("cms-customid-cleanup", &summary["runId"], "bulk-update.csv").unwrap();
    assert_eq!(bulk.lines().next(), Some("asset_id,custom_id"));
    assert_eq!(bulk.lines().nth(1), Some(format!("{},artist-one", asset(1)).as_str()), "most viewed first");

    let table = rehearsal.cleanup(&["plan"]).await.unwrap();
    assert_eq!(table.code, Some(0));
    assert!(table.stdout.contains(ONE) && table.stdout.contains("4 writes"), "{}", table.stdout);

    // Somebody edits one of them between plan and apply.
    rehearsal.sandbox.set_asset_custom_id(&asset(2), Some("edited-since"));
    let apply = rehearsal.cleanup(&["apply", "--plan", &id, "--json"]).await.unwrap();
    assert_eq!(apply.code, Some(0), "{apply:?}");
    let summary = apply.summary().unwrap();
    assert_eq!(
        (&summary["updatedCount"], &summary["skippedCount"], &summary["totalCount"]),
        (&json!(3), &json!(1), &json!(4))
    );
    let values: Vec<_> = (1..=5).map(|number| live(&rehearsal, number).unwrap()).collect();
    assert_eq!(values, ["artist-one", "edited-since", "artist-one", "artist-one", "by-hand"]);
    assert!(apply.stderr.contains(&asset(2)), "the one left alone is named");

    let done = rehearsal.cleanup(&["plan", "--detailed-exitcode"]).await.unwrap();
    assert_eq!(done.code, Some(0), "nothing to do any more: {done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_whose_bytes_or_inputs_changed_is_refused() {
    let rehearsal = Rehearsal::of(world(3, video)).await.unwrap();
    let plan = rehearsal.cleanup(&["plan", "--json"]).await.unwrap().summary().unwrap();
    let id = run_id(&plan);
    let path = plan["planUri"].as_str().unwrap().to_owned();
    let kept = std::fs::read_to_string(&path).unwrap();

    std::fs::write(&path, kept.replacen("artist-one", "artist-two", 1)).unwrap();
    let run = rehearsal.cleanup(&["apply", "--plan", &id]).await.unwrap();
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(run.stderr.contains("SHA-256"), "{}", run.stderr);
    std::fs::write(&path, &kept).unwrap();

    let mut record = rehearsal.sandbox.channels().unwrap().remove(0);
    record.custom_id = Some("another".to_owned());
    rehearsal.sandbox.set_channel(&record).unwrap();
    let run = rehearsal.cleanup(&["apply", "--plan", &id]).await.unwrap();
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(run.stderr.contains("partner channels have changed"), "{}", run.stderr);

    for nonsense in ["20200101T000000000Z-00000000", "../../secrets"] {
        let run = rehearsal.cleanup(&["apply", "--plan", nonsense]).await.unwrap();
        assert!(matches!(run.code, Some(2 | 4)), "{run:?}");
    }
    assert!(rehearsal.sandbox.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_puts_back_what_nobody_touched_since_and_undoing_twice_changes_nothing() {
    let rehearsal = Rehearsal::generated(5, 20, 400, Profile::Calm).await.unwrap();
    rehearsal.sandbox.set_task_env("FILTER_TARGET", "nobody");
    assert_eq!(rehearsal.backfill(&[]).await.unwrap().code, Some(0));
    rehearsal.sandbox.wait_for_idle(std::time::Duration::from_mins(1)).await.unwrap();
    let ids: Vec<String> = rehearsal.sandbox.world().truth.keys().cloned().collect();
    let values = || {
        ids.iter().map(|id| rehearsal.sandbox.asset(id).and_then(|asset| asset.custom_id)).collect::<Vec<_>>()
    };
    let before = values();

    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(3), "{run:?}");
    let id = run_id(&run.summary().unwrap());
    assert_ne!(values(), before);
    let edited = rehearsal.sandbox.writes()[0].asset_id.clone();
    rehearsal.sandbox.set_asset_custom_id(&edited, Some("edited-since"));

    let undo = rehearsal.cleanup(&["undo", "--run", &id, "--json"]).await.unwrap();
    assert_eq!(undo.code, Some(0), "{undo:?}");
    assert_eq!(undo.summary().unwrap()["skippedCount"], json!(1));
    for ((id, before), now) in ids.iter().zip(&before).zip(values()) {
        if *id == edited {
            assert_eq!(now.as_deref(), Some("edited-since"), "what somebody set since is his");
        } else {
            assert_eq!(now, *before, "{id}");
        }
    }
    let writes = rehearsal.sandbox.write_count();
    let again = rehearsal.cleanup(&["undo", "--run", &id, "--json"]).await.unwrap();
    assert_eq!((again.code, &again.summary().unwrap()["updatedCount"]), (Some(0), &json!(0)), "{again:?}");
    assert_eq!(rehearsal.sandbox.write_count(), writes);

    let runs = rehearsal.cleanup(&["runs", "--json"]).await.unwrap().summary().unwrap();
    let commands: Vec<&str> =
        runs.as_array().unwrap().iter().filter_map(|run| run["command"].as_str()).collect();
    assert_eq!(commands, ["run", "run", "undo", "undo"], "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_reads_back_wrong_stops_the_run_before_the_rest() {
    let rehearsal = Rehearsal::of(world(60, video)).await.unwrap();
    // The API says yes to the first write and keeps something else.
    let echo = json!({"id": asset(1), "metadataMine": {"customId": "artist-one"}});
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        Match::operation("assets.patch").id(asset(1)),
        1,
        Fault::status(200, echo.to_string()),
    );
    let run = rehearsal.cleanup(&["--json", "--canary", "5"]).await.unwrap();
    assert_eq!(run.code, Some(6), "{run:?}");
    assert!(run.stderr.contains(&asset(1)), "{}", run.stderr);
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch"), 5);
    let summary = run.summary().unwrap();
    assert_eq!(
        (&summary["updatedCount"], &summary["failedCount"], &summary["remainingCount"]),
        (&json!(4), &json!(1), &json!(55))
    );

    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let plan =
        rehearsal.run_file("cms-customid-cleanup", &run.summary().unwrap()["runId"], "plan.jsonl").unwrap();
    assert_eq!(plan.lines().count(), 56);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_read_back_and_a_value_that_was_not_kept_is_a_failure() {
    let rehearsal = Rehearsal::of(world(60, video)).await.unwrap();
    let echo = json!({"id": asset(40), "metadataMine": {"customId": "artist-one"}});
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        Match::operation("assets.patch").id(asset(40)),
        1,
        Fault::status(200, echo.to_string()),
    );
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!(
        (run.code, &summary["updatedCount"], &summary["failedCount"]),
        (Some(3), &json!(59), &json!(1)),
        "{run:?}"
    );
    let rejects = rehearsal.run_file("cms-customid-cleanup", &summary["runId"], "rejects.csv").unwrap();
    assert!(rejects.contains("not_kept") && rejects.contains(&asset(40)), "{rejects}");
    // 2 reads before, 1 of the canary, 2 of all.
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "assets.list"), 5);

    // What failed comes first in the next run.
    rehearsal.sandbox.set_asset_custom_id(&asset(3), None);
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    let plan =
        rehearsal.run_file("cms-customid-cleanup", &run.summary().unwrap()["runId"], "plan.jsonl").unwrap();
    let first: Value = serde_json::from_str(plan.lines().next().unwrap()).unwrap();
    assert_eq!(first["asset_id"], json!(asset(40)), "though asset 3 has more views");
}

#[tokio::test(flavor = "multi_thread")]
async fn enforce_stops_when_it_would_overwrite_too_much_and_says_how_to_go_on() {
    let by_hand =
        |number: u64| if number <= 6 { format!("by-hand-{number}") } else { "artist-one".to_owned() };
    let rehearsal = Rehearsal::of(world(15, by_hand)).await.unwrap();
    let run = rehearsal.cleanup(&["--policy", "enforce"]).await.unwrap();
    assert_eq!(run.code, Some(6), "{run:?}");
    assert!(
        run.stderr.contains("6 values set by hand of 15") && run.stderr.contains("--max-overwrite-ratio"),
        "{}",
        run.stderr
    );
    let plan =
        rehearsal.cleanup(&["plan", "--policy", "enforce", "--max-overwrite-ratio", "0.5"]).await.unwrap();
    assert!(
        plan.stdout.contains(&format!("overwrites {}: by-hand-1 → artist-one", asset(1))),
        "{}",
        plan.stdout
    );
    assert!(rehearsal.sandbox.writes().is_empty());
    let run = rehearsal.cleanup(&["--policy", "enforce", "--max-overwrite-ratio", "0.5"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(rehearsal.sandbox.writes().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn g08_far_fewer_partner_channels_than_last_time_stop_the_run() {
    let channels: Vec<String> = (0..10).map(|number| format!("UC{number:022}")).collect();
    let base = channels.iter().fold(world(3, video), |world, id| world.stored(id, id, Some("other"), None));
    let rehearsal = Rehearsal::of(base).await.unwrap();
    assert_eq!(rehearsal.cleanup(&[]).await.unwrap().code, Some(0));
    for id in &channels[..8] {
        rehearsal.sandbox.delete_channel(id).unwrap();
    }
    rehearsal.sandbox.set_asset_custom_id(&asset(1), None);
    let run = rehearsal.cleanup(&[]).await.unwrap();
    assert_eq!(run.code, Some(6), "{run:?}");
    assert!(
        run.stderr.contains("there are 3 partner channels") && run.stderr.contains("had 11"),
        "{}",
        run.stderr
    );
    let run = rehearsal.cleanup(&["--min-size-ratio", "0.2"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s05_a_stale_report_is_refused() {
    let rehearsal = Rehearsal::of(world(1, video)).await.unwrap();
    let report = std::fs::File::open(&rehearsal.sandbox.world().report_path).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    report.set_modified(old).unwrap();
    let run = rehearsal.cleanup(&[]).await.unwrap();
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(run.stderr.contains("--max-report-age"), "{}", run.stderr);
    let run = rehearsal.cleanup(&["--max-report-age", "99999d"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn e01_an_event_that_was_served_is_not_served_again() {
    let rehearsal = Rehearsal::of(world(2, video)).await.unwrap();
    let event = json!({"id": "event-1", "source": "dn.backend.channelbackfill", "detail-type": "Channel Backfill Completed", "detail": {"status": "success"}}).to_string();
    let first = rehearsal.cleanup(&["--json", "--trigger-event", &event]).await.unwrap();
    assert_eq!(
        (first.code, &first.summary().unwrap()["triggeredBy"]),
        (Some(0), &json!("event-1")),
        "{first:?}"
    );
    rehearsal.sandbox.set_asset_custom_id(&asset(1), None);
    let requests = rehearsal.sandbox.journal().count(Service::YouTube, "*");
    let second = rehearsal.cleanup(&["--json", "--trigger-event", &event]).await.unwrap();
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.summary().unwrap()["ignored"].as_str().unwrap().contains("event-1"));
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "*"), requests, "no API call");
    assert_eq!(rehearsal.sandbox.events().len(), 1, "and no second event");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_which_everything_fails_trips_the_breaker() {
    let rehearsal = Rehearsal::of(world(300, video)).await.unwrap();
    let refused = r#"{"error":{"code":400,"message":"no","errors":[{"reason":"invalidValue"}]}}"#;
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        Match::operation("assets.patch").after(30),
        1_000,
        Fault::status(400, refused),
    );
    let run = rehearsal.cleanup(&["--json", "--max-in-flight", "4"]).await.unwrap();
    assert_eq!(run.code, Some(6), "{run:?}");
    assert!(
        run.stderr.contains("of the last 100 writes failed") && run.stderr.contains("--max-error-ratio"),
        "{}",
        run.stderr
    );
    assert!(rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch") < 110);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_days_budget_of_calls_is_shared_by_its_runs_and_defers_the_rest() {
    let rehearsal = Rehearsal::of(world(60, video)).await.unwrap();
    let budget = ["--json", "--call-budget", "40", "--canary", "0", "--no-verify"];
    let run = rehearsal.cleanup(&budget).await.unwrap();
    assert_eq!(run.code, Some(8), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!(
        (&summary["updatedCount"], &summary["remainingCount"]),
        (&json!(38), &json!(22)),
        "2 of the 40 were reads"
    );
    assert!(
        run.stderr.contains("--call-budget") && run.stderr.contains("midnight in Los Angeles"),
        "{}",
        run.stderr
    );
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "*"), 40);
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Deferred").len(), 1);

    let run = rehearsal.cleanup(&budget).await.unwrap();
    assert_eq!(run.code, Some(8), "nothing is left of the day: {run:?}");
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "*"), 40);
    let run = rehearsal.cleanup(&["--json", "--call-budget", "1000"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["updatedCount"]), (Some(0), &json!(22)), "{run:?}");
}
