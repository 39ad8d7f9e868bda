//! cms-customid-cleanup against the sandbox: which values it may touch, in how many calls, and what it says.

use std::collections::BTreeMap;

use dn_sandbox::{Asset, Fault, Kind, Match, Profile, ReportRow, Service, Standing, WorldBuilder};
use dn_tests::{Rehearsal, asset, video};
use serde_json::{Value, json};

const ONE: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const TWO: &str = "UCbbbbbbbbbbbbbbbbbbbbbb";
const FOREIGN: &str = "UCzzzzzzzzzzzzzzzzzzzzzz";

/// Two partner channels that the database knows.
fn partners() -> WorldBuilder {
    WorldBuilder::new().stored(ONE, ONE, Some("artist-one"), Some("Artist One")).stored(
        TWO,
        TWO,
        Some("artist-two"),
        Some("Artist Two"),
    )
}

/// An asset with one video of channel one, its report row saying what is live.
fn with(world: WorldBuilder, number: u64, asset_now: Asset) -> WorldBuilder {
    let reported = asset_now.custom_id.clone().unwrap_or_default();
    world.row(ReportRow::new(video(number), ONE).asset(asset(number), reported)).asset(asset_now)
}

fn live(rehearsal: &Rehearsal, number: u64) -> Option<String> {
    rehearsal.sandbox.asset(&asset(number)).and_then(|asset| asset.custom_id)
}

fn export(rehearsal: &Rehearsal, name: &str) -> Vec<Value> {
    let directory = rehearsal.sandbox.env().remove("EXPORT_DIR").unwrap();
    serde_json::from_slice(&std::fs::read(std::path::Path::new(&directory).join(name)).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_catalogue_meets_its_truth_in_the_least_calls_and_a_second_run_writes_nothing() {
    let rehearsal = Rehearsal::generated(11, 60, 3_000, Profile::Calm).await.unwrap();
    // The cleanup that the bus starts finds nothing to do, so that the one counted here is this test's own.
    rehearsal.sandbox.set_task_env("FILTER_TARGET", "UCnobodynobodynobodynobo");
    assert_eq!(rehearsal.backfill(&[]).await.unwrap().code, Some(0));
    rehearsal.sandbox.wait_for_idle(std::time::Duration::from_mins(1)).await.unwrap();
    let journal = rehearsal.sandbox.journal();
    assert_eq!(journal.count(Service::YouTube, "*"), 0, "a filter that fits no channel ends before any call");

    let run = rehearsal.cleanup(&["--json", "--no-verify", "--canary", "0"]).await.unwrap();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    let score = rehearsal.sandbox.score().unwrap();
    assert!(score.is_perfect(), "{score:?}");
    assert_eq!(score.assets.repeated_writes, 0);

    let summary = run.summary().unwrap();
    let right = |kind| json!(score.assets.right.get(&kind).copied().unwrap_or_default());
    assert_eq!(summary["updatedCount"], right(Kind::Updated));
    assert_eq!(summary["conflictCount"], right(Kind::Conflict));
    let parts = ["updatedCount", "alreadyRightCount", "skippedCount", "conflictCount", "failedCount"];
    let sum: u64 = parts.iter().map(|part| summary[part].as_u64().unwrap()).sum();
    assert_eq!(json!(sum), summary["totalCount"]);
    assert_eq!(summary["totalCount"], json!(rehearsal.sandbox.world().truth.len()));

    // ceil(candidates / 50) reads before the writes, one PATCH for each asset that differs, and nothing else.
    let entries = journal.entries();
    let of =
        |operation: &str| entries.iter().filter(|entry| entry.operation == operation).collect::<Vec<_>>();
    let (reads, writes) = (of("assets.list"), of("assets.patch"));
    let candidates: usize = reads.iter().map(|read| read.ids.len()).sum();
    assert_eq!(reads.len(), candidates.div_ceil(50));
    assert!(
        reads.last().unwrap().seq < writes.first().unwrap().seq,
        "every read comes before the first write"
    );
    assert_eq!(journal.count(Service::YouTube, "*"), (reads.len() + writes.len()) as u64);
    let plan = rehearsal.run_file("cms-customid-cleanup", &summary["runId"], "plan.jsonl").unwrap();
    assert_eq!(plan.lines().count(), writes.len());
    assert!(journal.patches_per_asset().values().all(|count| *count == 1));
    assert_eq!(summary["youtubeCalls"], json!(journal.count(Service::YouTube, "*")));

    let second = rehearsal.cleanup(&["--json"]).await.unwrap();
    let summary = second.summary().unwrap();
    assert_eq!(summary["updatedCount"], json!(0), "{summary}");
    let patched: u64 = journal.patches_per_asset().values().sum();
    let refused = summary["failedCount"].as_u64().unwrap();
    assert!(patched - writes.len() as u64 <= refused, "only what the API refused is tried again");
    assert_eq!(rehearsal.sandbox.write_count() as u64, right(Kind::Updated).as_u64().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_only_an_empty_value_or_the_video_id_is_replaced() {
    let world = with(partners(), 1, Asset::web(asset(1), ""));
    let world = with(world, 2, Asset::web(asset(2), video(2)));
    let world = with(world, 3, Asset::web(asset(3), "set-by-hand"));
    let world = with(world, 4, Asset::web(asset(4), "artist-one"));
    // The report is a day old: it says default, and somebody has set a value since.
    let world = world
        .row(ReportRow::new(video(5), ONE).asset(asset(5), video(5)))
        .asset(Asset::web(asset(5), "set-since"));
    // Another asset's video ID is no default of this one.
    let world = with(world, 6, Asset::web(asset(6), video(2)));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let values: Vec<_> = (1..=6).map(|number| live(&rehearsal, number).unwrap()).collect();
    assert_eq!(
        values,
        ["artist-one", "artist-one", "set-by-hand", "artist-one", "set-since", video(2).as_str()]
    );
    let summary = run.summary().unwrap();
    let counts: Vec<u64> = ["updatedCount", "alreadyRightCount", "skippedCount", "totalCount"]
        .iter()
        .map(|key| summary[*key].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [2, 1, 3, 6]);
    assert_eq!(rehearsal.sandbox.writes().len(), 2);

    let enforced = rehearsal.cleanup(&["--json", "--policy", "enforce"]).await.unwrap();
    assert_eq!(enforced.summary().unwrap()["updatedCount"], json!(3), "{enforced:?}");
    assert!((1..=6).all(|number| live(&rehearsal, number).as_deref() == Some("artist-one")));
}

#[tokio::test(flavor = "multi_thread")]
async fn v13_an_asset_of_two_partner_channels_is_left_alone_unless_they_agree() {
    let world = partners()
        .stored("UCcccccccccccccccccccccc", "UCcccccccccccccccccccccc", Some("artist-one"), None)
        .row(ReportRow::new(video(1), ONE).asset(asset(1), ""))
        .row(ReportRow::new(video(2), TWO).asset(asset(1), ""))
        .row(ReportRow::new(video(3), ONE).asset(asset(2), ""))
        .row(ReportRow::new(video(4), "UCcccccccccccccccccccccc").asset(asset(2), ""))
        .row(ReportRow::new(video(5), FOREIGN).asset(asset(2), ""))
        .asset(Asset::web(asset(1), ""))
        .asset(Asset::web(asset(2), ""));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.cleanup(&["--json", "--policy", "enforce"]).await.unwrap();
    assert_eq!(run.code, Some(0), "a conflict is a finding, not a failure: {run:?}");
    assert_eq!((live(&rehearsal, 1), live(&rehearsal, 2)), (None, Some("artist-one".to_owned())));
    assert_eq!(run.summary().unwrap()["conflictCount"], json!(1));
    // Limited to one of the two, it is still a conflict.
    let run = rehearsal.cleanup(&["--json", "--filter-target", TWO]).await.unwrap();
    assert_eq!(run.summary().unwrap()["conflictCount"], json!(1), "{run:?}");
    assert_eq!(live(&rehearsal, 1), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn g07_g10_the_assets_of_a_channel_without_one_clear_custom_id_are_left_alone() {
    let world = partners()
        .stored("second", TWO, Some("another"), None)
        .stored("UCdddddddddddddddddddddd", "UCdddddddddddddddddddddd", None, None)
        .row(ReportRow::new(video(1), ONE).asset(asset(1), ""))
        .row(ReportRow::new(video(2), TWO).asset(asset(2), ""))
        .row(ReportRow::new(video(3), "UCdddddddddddddddddddddd").asset(asset(3), ""));
    let world = (1..=3).fold(world, |world, number| world.asset(Asset::web(asset(number), "")));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(3), "somebody has to mend the record: {run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["conflictCount"], &summary["updatedCount"]), (&json!(2), &json!(1)));
    assert!(run.stderr.contains(TWO) && run.stderr.contains("UCdddddddddddddddddddddd"), "{}", run.stderr);
    assert_eq!((live(&rehearsal, 2), live(&rehearsal, 3)), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a10_a12_a24_what_cannot_be_set_is_named_and_the_rest_goes_on() {
    let world = with(partners(), 1, Asset::web(asset(1), video(1)));
    let world = with(world, 2, Asset::web(asset(2), video(2)).standing(Standing::Foreign));
    let world = with(world, 3, Asset::web(asset(3), video(3)).standing(Standing::Gone));
    let world = with(world, 4, Asset::web(asset(4), video(4)).standing(Standing::Merged { into: asset(1) }));
    let world = with(world, 5, Asset::web(asset(5), video(5)).of_type("music_video"));
    let world =
        with(world, 6, Asset::web(asset(6), video(6)).of_type("sound_recording").by(&["The Band", "Guest"]));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(3), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!(
        (&summary["updatedCount"], &summary["failedCount"], &summary["status"]),
        (&json!(2), &json!(4), &json!("partial"))
    );
    let music = rehearsal.sandbox.asset(&asset(6)).unwrap();
    assert_eq!(
        (music.custom_id.as_deref(), music.artists),
        (Some("artist-one"), vec!["The Band".to_owned(), "Guest".to_owned()])
    );

    let rejects = rehearsal.run_file("cms-customid-cleanup", &summary["runId"], "rejects.csv").unwrap();
    assert_eq!(rejects.lines().count(), 5, "{rejects}");
    for (number, code) in [(2, "forbidden"), (3, "gone"), (4, "merged"), (5, "artist_missing")] {
        let row = rejects.lines().find(|line| line.contains(&asset(number))).unwrap();
        assert!(row.contains(code) && row.contains(&video(number)) && row.contains(ONE), "{row}");
    }
    let outcomes: BTreeMap<String, String> = export(&rehearsal, "all.json")
        .iter()
        .map(|video| {
            (video["assetId"].as_str().unwrap().to_owned(), video["outcome"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(outcomes.len(), 6);
    assert_eq!(outcomes.values().filter(|outcome| *outcome == "failed").count(), 4);
    assert_eq!(outcomes[&asset(1)], "updated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a21_a_success_that_does_not_carry_the_new_value_is_a_failure() {
    let rehearsal = Rehearsal::of(with(partners(), 1, Asset::web(asset(1), video(1)))).await.unwrap();
    let echo = json!({"id": asset(1), "metadataMine": {"customId": "something-else"}});
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        "assets.patch",
        1,
        Fault::status(200, echo.to_string()),
    );
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!(
        (run.code, &summary["failedCount"], &summary["updatedCount"]),
        (Some(3), &json!(1), &json!(0)),
        "{run:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_a_token_refused_in_the_middle_costs_one_refresh_and_no_row() {
    let world = (1..=40)
        .fold(partners(), |world, number| with(world, number, Asset::web(asset(number), video(number))));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let refused = json!({"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}});
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        Match::operation("assets.patch").after(10),
        1,
        Fault::status(401, refused.to_string()),
    );
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["updatedCount"]), (Some(0), &json!(40)), "{run:?}");
    assert_eq!(
        rehearsal.sandbox.journal().count(Service::Token, "*"),
        2,
        "one token to begin with, one refresh"
    );
    assert_eq!(
        rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch"),
        41,
        "the refused call once more"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a06_the_days_quota_stops_new_calls_at_once_and_defers_the_rest() {
    let world = (1..=60)
        .fold(partners(), |world, number| with(world, number, Asset::web(asset(number), video(number))));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let refused = json!({"error": {"code": 403, "message": "Quota exceeded", "errors": [{"domain": "usageLimits", "reason": "quotaExceeded"}]}});
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        Match::operation("assets.patch").after(20),
        1_000,
        Fault::status(403, refused.to_string()),
    );
    let run = rehearsal.cleanup(&["--json", "--max-in-flight", "4"]).await.unwrap();
    assert_eq!(run.code, Some(8), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["updatedCount"], &summary["remainingCount"]), (&json!(20), &json!(40)), "{summary}");
    assert!(
        rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch") <= 24,
        "no call begun after the refusal"
    );
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Deferred").len(), 1);
    assert_eq!(rehearsal.sandbox.events().len(), 1);

    rehearsal.sandbox.faults().clear();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(
        (run.code, &run.summary().unwrap()["updatedCount"]),
        (Some(0), &json!(40)),
        "it goes on: {run:?}"
    );
    assert_eq!(rehearsal.sandbox.writes().len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_a_wrong_content_owner_is_fatal_and_makes_no_storm() {
    let world = (1..=200)
        .fold(partners(), |world, number| with(world, number, Asset::web(asset(number), video(number))));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let refused =
        json!({"error": {"code": 403, "message": "Forbidden", "errors": [{"reason": "forbidden"}]}})
            .to_string();
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        "assets.patch",
        1_000,
        Fault::status(403, refused.clone()),
    );
    let run = rehearsal.cleanup(&["--json", "--max-in-flight", "4"]).await.unwrap();
    assert_eq!(run.code, Some(7), "{run:?}");
    assert!(rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch") <= 24);

    rehearsal.sandbox.faults().clear();
    rehearsal.sandbox.faults().inject(Service::YouTube, "assets.list", 1_000, Fault::status(403, refused));
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(7), "{run:?}");
    assert!(rehearsal.sandbox.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a16_an_asset_that_fails_for_ever_is_tried_five_times_and_the_rest_is_done() {
    let world = (1..=10)
        .fold(partners(), |world, number| with(world, number, Asset::web(asset(number), video(number))));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        Match::operation("assets.patch").id(asset(4)),
        1_000,
        Fault::status(500, r#"{"error":{"code":500,"message":"Backend Error"}}"#),
    );
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!(
        (run.code, &summary["updatedCount"], &summary["failedCount"]),
        (Some(3), &json!(9), &json!(1)),
        "{run:?}"
    );
    assert_eq!(rehearsal.sandbox.journal().patches_per_asset()[&asset(4)], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a18_a_write_whose_answer_was_lost_is_counted_once() {
    let rehearsal = Rehearsal::of(with(partners(), 1, Asset::web(asset(1), video(1)))).await.unwrap();
    rehearsal.sandbox.faults().inject(Service::YouTube, "assets.patch", 1, Fault::ResetAfter);
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["updatedCount"]), (Some(0), &json!(1)), "{run:?}");
    assert!(rehearsal.sandbox.writes().iter().all(|write| write.new.as_deref() == Some("artist-one")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_target_limits_the_run_to_a_channel_or_to_a_custom_id() {
    let world = partners()
        .row(ReportRow::new(video(1), ONE).asset(asset(1), ""))
        .row(ReportRow::new(video(2), TWO).asset(asset(2), ""))
        .row(ReportRow::new(video(3), TWO))
        .asset(Asset::web(asset(1), ""))
        .asset(Asset::web(asset(2), ""));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.cleanup(&["--json", "--filter-target", "artist-two"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["totalCount"]), (Some(0), &json!(1)), "{run:?}");
    assert_eq!((live(&rehearsal, 1), live(&rehearsal, 2)), (None, Some("artist-two".to_owned())));
    let videos = export(&rehearsal, "artist-two.json");
    assert_eq!(videos.len(), 2, "{videos:?}");
    assert!(videos.iter().any(|video| video["assetId"].is_null() && video["reason"] == "no_asset"));

    let run = rehearsal.cleanup(&["--filter-target", ONE]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(export(&rehearsal, &format!("{ONE}.json")).len(), 1);
    let run = rehearsal.cleanup(&["--filter-target", "nobody"]).await.unwrap();
    assert_eq!(run.code, Some(2), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn v05_v16_rows_that_cannot_be_read_are_rejected_and_hostile_titles_do_no_harm() {
    let mut report = b"video_id,channel_id,asset_id,custom_id,video_title\n".to_vec();
    for number in 1..=150 {
        let title = [
            "=cmd|' /C calc'!A0",
            "<script>alert(1)</script>",
            "\u{1b}[31mred\u{202e}",
            "a \"\"quoted\"\"\nline, and more",
        ][number % 4];
        report.extend(format!("vid{number:08},{ONE},{},,\"{title}\"\n", asset(number as u64)).bytes());
    }
    report.extend(b"vid9999\xff999,UCaaaaaaaaaaaaaaaaaaaaaa,A9999999999999999,,bad bytes in an id\n");
    report.extend(b"vid00000151,UCaaaaaaaaaaaaaaaaaaaaaa,A0000000000000151\n");
    let world = (1..=150).fold(partners(), |world, number| world.asset(Asset::web(asset(number), "")));
    let rehearsal = Rehearsal::of(world.report_bytes(report)).await.unwrap();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, &summary["updatedCount"]), (Some(3), &json!(150)), "{run:?}");
    let rejects = rehearsal.run_file("cms-customid-cleanup", &summary["runId"], "rejects.csv").unwrap();
    assert!(rejects.contains("wrong_field_count") && rejects.contains("video_id_invalid"), "{rejects}");
    assert_eq!(summary["rejectedRowCount"], json!(2));
    assert!(!run.stderr.contains('\u{1b}'), "no terminal escape reaches a log");
}

#[tokio::test(flavor = "multi_thread")]
async fn e04_a_trigger_that_is_no_success_is_ignored_and_nothing_is_read() {
    let rehearsal = Rehearsal::of(with(partners(), 1, Asset::web(asset(1), ""))).await.unwrap();
    let mut environment = rehearsal.environment();
    environment.extend([
        ("TRIGGER_SOURCE".to_owned(), "dn.backend.channelbackfill".to_owned()),
        ("TRIGGER_DETAIL_TYPE".to_owned(), "Channel Backfill Completed".to_owned()),
        ("TRIGGER_STATUS".to_owned(), "partial".to_owned()),
        ("TRIGGER_EVENT_ID".to_owned(), "event-1".to_owned()),
    ]);
    let run = dn_tests::run("cms-customid-cleanup", &environment, &["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.summary().unwrap()["ignored"].as_str().unwrap().contains("partial"));
    assert!(rehearsal.sandbox.journal().is_empty(), "nothing is asked of anybody");
    assert!(rehearsal.sandbox.events().is_empty());

    environment.remove("TRIGGER_STATUS");
    let run = dn_tests::run("cms-customid-cleanup", &environment, &[]).await.unwrap();
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("TRIGGER_STATUS"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_plans_everything_and_writes_and_tells_nothing() {
    let rehearsal = Rehearsal::of(with(partners(), 1, Asset::web(asset(1), ""))).await.unwrap();
    let run = rehearsal.cleanup(&["--json", "--dry-run"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, &summary["updatedCount"]), (Some(0), &json!(1)), "{run:?}");
    let plan = rehearsal.run_file("cms-customid-cleanup", &summary["runId"], "plan.jsonl").unwrap();
    let line: Value = serde_json::from_str(plan.trim_end()).unwrap();
    assert_eq!(
        (&line["old"], &line["new"], &line["channel_id"]),
        (&Value::Null, &json!("artist-one"), &json!(ONE))
    );
    assert!(rehearsal.sandbox.writes().is_empty() && rehearsal.sandbox.events().is_empty());
    assert_eq!(
        summary["exportPath"].as_str().map(|path| path.contains(summary["runId"].as_str().unwrap())),
        Some(true)
    );
    let export = rehearsal.run_file("cms-customid-cleanup", &summary["runId"], "export.json").unwrap();
    assert_eq!(serde_json::from_str::<Value>(&export).unwrap()[0]["outcome"], "planned");
    let outside = rehearsal.sandbox.env().remove("EXPORT_DIR").unwrap();
    assert!(
        !std::path::Path::new(&outside).join("all.json").exists(),
        "nothing is written outside the run folder"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn state_may_lie_in_s3() {
    let rehearsal = Rehearsal::of(with(partners(), 1, Asset::web(asset(1), ""))).await.unwrap();
    let state = rehearsal.sandbox.state_in_s3();
    let run = rehearsal.cleanup(&["--json", "--state-uri", &state]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(summary["planUri"].as_str().unwrap().starts_with("s3://"));
    let journal = rehearsal.sandbox.journal().entries();
    let place = |operation: &str, part: &str| {
        let found = journal.iter().find(|entry| entry.operation == operation && entry.target.contains(part));
        found.unwrap_or_else(|| panic!("no {operation} of {part}")).seq
    };
    assert!(
        place("PutObject", "plan.jsonl") < place("assets.patch", ""),
        "the plan is durable before the first write"
    );
}
