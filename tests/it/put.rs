//! `--write-method put`: the whole own metadata read, one value changed, all of it sent back.

use std::time::Duration;

use dn_sandbox::{Asset, Fault, Profile, ReportRow, Service, WorldBuilder};
use dn_tests::{Rehearsal, asset, assets_to_set, video};
use serde_json::json;

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

/// An asset with everything that a client could lose.
fn full(number: u64) -> Asset {
    Asset::web(asset(number), video(number))
        .titled("=A \"Song\"\u{202e}")
        .by(&["The Band", "Guest"])
        .labelled(&["catalogue", "2024"])
        .with_metadata("isrc", json!("QZES71234567"))
        .with_metadata("album", json!(null))
        .with_metadata(
            "someNewField",
            json!({"views": "18446744073709551616", "share": 0.1, "list": [1, {"a": []}]}),
        )
}

/// A partner channel with these assets, each with one video whose report row says its default.
fn world(assets: impl IntoIterator<Item = Asset>) -> WorldBuilder {
    let base = WorldBuilder::new().channel(CHANNEL, "artist-one", "A").stored(
        CHANNEL,
        CHANNEL,
        Some("artist-one"),
        Some("A"),
    );
    (1..).zip(assets).fold(base, |world, (number, asset_now)| {
        world.row(ReportRow::new(video(number), CHANNEL).asset(asset(number), video(number))).asset(asset_now)
    })
}

fn count(rehearsal: &Rehearsal, operation: &str) -> u64 {
    rehearsal.sandbox.journal().count(Service::YouTube, operation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_changes_the_custom_id_alone_and_loses_nothing_of_an_asset() {
    let assets = [
        full(1),
        full(2).of_type("music_video"),
        full(3).of_type("sound_recording"),
        Asset::web(asset(4), video(4)),
    ];
    let rehearsal = Rehearsal::of(world(assets.clone())).await.unwrap();
    let run = rehearsal.cleanup(&["--json", "--write-method", "put"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let score = rehearsal.sandbox.score().unwrap();
    assert!(score.is_perfect(), "{score:?}");
    for (number, before) in (1..).zip(assets) {
        let now = rehearsal.sandbox.asset(&asset(number)).unwrap();
        assert_eq!(now, Asset { custom_id: Some("artist-one".to_owned()), ..before });
    }
    // One read for the plan and one to read back; each write is a read and a PUT.
    assert_eq!((count(&rehearsal, "assets.list"), count(&rehearsal, "assets.update")), (2 + 4, 4));
    assert_eq!(count(&rehearsal, "assets.patch"), 0);
    let summary = run.summary().unwrap();
    assert_eq!((&summary["updatedCount"], &summary["youtubeCalls"]), (&json!(4), &json!(10)));

    let second = rehearsal.cleanup(&["--json", "--write-method", "put"]).await.unwrap();
    assert_eq!((second.code, &second.summary().unwrap()["alreadyRightCount"]), (Some(0), &json!(4)));
    assert_eq!(count(&rehearsal, "assets.update"), 4, "a second run writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_leaves_alone_what_was_changed_since_the_plan_read_it() {
    let world = world([full(1), full(2), full(3)]);
    let rehearsal = Rehearsal::of(world).await.unwrap();
    // What the plan reads is how it was before somebody set one by hand, and another already to the right value.
    let seen =
        |number| json!({"id": asset(number), "type": "web", "metadataMine": {"customId": video(number)}});
    let list = json!({"kind": "youtubePartner#assetList", "items": [seen(1), seen(2), seen(3)]});
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        "assets.list",
        1,
        Fault::status(200, list.to_string()),
    );
    rehearsal.sandbox.set_asset_custom_id(&asset(1), Some("by-hand"));
    rehearsal.sandbox.set_asset_custom_id(&asset(2), Some("artist-one"));
    let run = rehearsal.cleanup(&["--json", "--write-method", "put"]).await.unwrap();
    assert_eq!(run.code, Some(0), "a value left alone is a finding, no failure: {run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["skippedCount"], &summary["updatedCount"]), (&json!(1), &json!(2)), "{summary}");
    assert!(run.stderr.contains("changed since the plan"), "{}", run.stderr);
    assert_eq!(rehearsal.sandbox.asset(&asset(1)).unwrap().custom_id.as_deref(), Some("by-hand"));
    assert_eq!(count(&rehearsal, "assets.update"), 1, "what is right already needs no write");
    let export = rehearsal.directory().join("export/all.json");
    let export: serde_json::Value = serde_json::from_slice(&std::fs::read(export).unwrap()).unwrap();
    let of = |number| export.as_array().unwrap().iter().find(|one| one["assetId"] == asset(number)).unwrap();
    assert_eq!((&of(1)["outcome"], &of(1)["reason"]), (&json!("skipped"), &json!("changed_since")));

    // Nor is it taken back by undo: it was never written.
    let run_id = summary["runId"].as_str().unwrap();
    let undo =
        rehearsal.cleanup(&["undo", "--run", run_id, "--json", "--write-method", "put"]).await.unwrap();
    assert_eq!(undo.code, Some(0), "{undo:?}");
    assert_eq!(rehearsal.sandbox.asset(&asset(1)).unwrap().custom_id.as_deref(), Some("by-hand"));
    assert_eq!(rehearsal.sandbox.asset(&asset(3)).unwrap().custom_id, Some(video(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_whose_answer_is_lost_is_sent_again_and_counted_once() {
    let rehearsal = Rehearsal::of(world([full(1), full(2)])).await.unwrap();
    rehearsal.sandbox.faults().inject(Service::YouTube, "assets.update", 1, Fault::ResetAfter);
    let run = rehearsal.cleanup(&["--json", "--write-method", "put"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, &summary["updatedCount"]), (Some(0), &json!(2)), "{run:?}");
    assert_eq!(count(&rehearsal, "assets.update"), 3);
    let score = rehearsal.sandbox.score().unwrap();
    assert!(score.is_perfect() && score.assets.repeated_writes == 1, "{score:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_by_put_clears_what_was_empty_before() {
    let empty = |number| Asset { custom_id: None, ..full(number) };
    let assets = [empty(1), empty(2).of_type("music_video")];
    let base = WorldBuilder::new().stored(CHANNEL, CHANNEL, Some("artist-one"), None);
    let world = (1..).zip(assets.clone()).fold(base, |world, (number, asset_now)| {
        world.row(ReportRow::new(video(number), CHANNEL).asset(asset(number), "")).asset(asset_now)
    });
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.cleanup(&["--json", "--write-method", "put"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let run_id = run.summary().unwrap()["runId"].as_str().unwrap().to_owned();
    let undo =
        rehearsal.cleanup(&["undo", "--run", &run_id, "--json", "--write-method", "put"]).await.unwrap();
    assert_eq!((undo.code, &undo.summary().unwrap()["updatedCount"]), (Some(0), &json!(2)), "{undo:?}");
    for (number, before) in (1..).zip(assets) {
        assert_eq!(rehearsal.sandbox.asset(&asset(number)).unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_read_before_each_put_counts_in_the_budget_and_in_the_time_that_is_told() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 10)).await.unwrap();
    let eta = async |method: &str| {
        let arguments = ["plan", "--json", "--rate-per-second", "1", "--write-method", method];
        rehearsal.cleanup(&arguments).await.unwrap().summary().unwrap()["etaSeconds"].clone()
    };
    assert_eq!((eta("patch").await, eta("put").await), (json!(10), json!(20)));

    // One call is the plan's read; of the other eight each write takes two.
    let mark = rehearsal.sandbox.journal().len();
    let limits = ["--call-budget", "9", "--canary", "0", "--no-verify", "--max-in-flight", "1"];
    let run = rehearsal.cleanup(&[&["--json", "--write-method", "put"], &limits[..]].concat()).await.unwrap();
    assert_eq!(run.code, Some(8), "{run:?}");
    let calls = rehearsal.sandbox.journal().since(mark);
    assert_eq!(calls.iter().filter(|entry| entry.service == Service::YouTube).count(), 9);
    let summary = run.summary().unwrap();
    assert_eq!((&summary["updatedCount"], &summary["remainingCount"]), (&json!(4), &json!(6)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_catalogue_meets_its_truth_by_put_on_a_bad_day() {
    let rehearsal = Rehearsal::generated(5, 30, 600, Profile::Flaky).await.unwrap();
    rehearsal.sandbox.set_task_env("WRITE_METHOD", "put");
    rehearsal.sandbox.set_task_env("RATE_PER_SECOND", "5000");
    assert_eq!(rehearsal.backfill(&[]).await.unwrap().code, Some(0));
    let started = rehearsal.sandbox.wait_invocation(1, Duration::from_mins(2)).await.unwrap();
    assert!(matches!(started[0].exit_code, Some(0 | 3)), "{started:?}");
    let score = rehearsal.sandbox.score().unwrap();
    assert!(score.is_perfect(), "{score:?}");
    assert_eq!(count(&rehearsal, "assets.patch"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_method_that_is_none_is_a_configuration_error() {
    let rehearsal = Rehearsal::of(world([full(1)])).await.unwrap();
    let run = rehearsal.cleanup(&["--write-method", "post"]).await.unwrap();
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("WRITE_METHOD") && run.stderr.contains("patch"), "{}", run.stderr);
    assert_eq!(count(&rehearsal, "*"), 0);
}
