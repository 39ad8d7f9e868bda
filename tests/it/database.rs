//! The GraphQL database on its bad days, and as one that keeps versions of its records: for both tasks that read it.

use dn_sandbox::{Asset, Fault, Match, ReportRow, Service, StoredChannel, WorldBuilder};
use dn_tests::{Rehearsal, Run, asset, video};
use rstest::rstest;
use serde_json::{Value, json};

const ONE: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const TWO: &str = "UCbbbbbbbbbbbbbbbbbbbbbb";
const THREE: &str = "UCcccccccccccccccccccccc";

/// A sheet of two channels, both stored as it says, with an asset each that is to be set.
fn two_partners() -> WorldBuilder {
    let world = [(1, ONE, "artist-one"), (2, TWO, "artist-two")];
    world.into_iter().fold(WorldBuilder::new(), |world, (number, channel, custom_id)| {
        world
            .channel(channel, custom_id, "A")
            .stored(channel, channel, Some(custom_id), Some("A"))
            .row(ReportRow::new(video(number), channel).asset(asset(number), video(number)))
            .asset(Asset::web(asset(number), video(number)))
    })
}

/// A sheet of three channels, stored with other custom IDs.
fn three_to_update() -> WorldBuilder {
    [ONE, TWO, THREE].into_iter().fold(WorldBuilder::new(), |world, id| {
        world.channel(id, "new", "A").stored(id, id, Some("old"), Some("A"))
    })
}

fn record(id: &str, custom_id: &str) -> Value {
    json!({"id": id, "channelId": id, "customId": custom_id, "displayName": "A"})
}

fn stored(id: &str, custom_id: &str) -> StoredChannel {
    let (custom_id, display_name) = (Some(custom_id.to_owned()), Some("A".to_owned()));
    StoredChannel { id: id.to_owned(), channel_id: id.to_owned(), custom_id, display_name }
}

/// A page as AppSync answers it.
fn page(items: &[Value], next_token: Option<&str>) -> Fault {
    let page = json!({"items": items, "nextToken": next_token});
    Fault::status(200, json!({"data": {"listChannels": page}}).to_string())
}

/// A 200 with one error, at a path or of the whole request.
fn error(error_type: &str, path: &Value, data: &Value) -> Fault {
    let error = json!({"path": path, "errorType": error_type, "message": "as injected", "errorInfo": null, "data": null});
    Fault::status(200, json!({"data": data, "errors": [error]}).to_string())
}

fn inject(rehearsal: &Rehearsal, wanted: impl Into<Match>, times: u64, fault: Fault) {
    rehearsal.sandbox.faults().inject(Service::AppSync, wanted, times, fault);
}

fn count(rehearsal: &Rehearsal, operation: &str) -> u64 {
    rehearsal.sandbox.journal().count(Service::AppSync, operation)
}

fn live(rehearsal: &Rehearsal, number: u64) -> Option<String> {
    rehearsal.sandbox.asset(&asset(number)).unwrap().custom_id
}

/// Nothing was written to the database or the CMS, nothing was even read there, and the event says why.
fn assert_stopped(rehearsal: &Rehearsal, run: &Run, exit: i32, failed: &str) {
    assert_eq!(run.code, Some(exit), "{run:?}");
    assert_eq!(count(rehearsal, "createChannel") + count(rehearsal, "updateChannel"), 0);
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "*"), 0);
    let events = rehearsal.events(failed);
    assert_eq!(events.last().map(|event| &event["exitCode"]), Some(&json!(exit)), "{events:?}");
    assert!(rehearsal.sandbox.invocations().is_empty(), "a backfill that failed starts no cleanup");
}

const BACKFILL_FAILED: &str = "Channel Backfill Failed";
const CLEANUP_FAILED: &str = "CMS Custom ID Cleanup Failed";

#[tokio::test(flavor = "multi_thread")]
async fn g01_a_partner_list_with_an_error_in_it_is_used_by_neither_task() {
    let rehearsal = Rehearsal::of(two_partners()).await.unwrap();
    // One record of two came, the other is a hole: at face value TWO would be new, and its assets nobody's.
    let data = json!({"listChannels": {"items": [record(ONE, "artist-one"), null], "nextToken": null}});
    let partial = error("MappingTemplate", &json!(["listChannels", "items", 1, "channelId"]), &data);
    inject(&rehearsal, "listChannels", 100, partial);
    assert_stopped(&rehearsal, &rehearsal.backfill(&[]).await.unwrap(), 5, BACKFILL_FAILED);
    let run = rehearsal.cleanup(&[]).await.unwrap();
    assert_stopped(&rehearsal, &run, 5, CLEANUP_FAILED);
    assert!(
        run.stderr.contains("could not be listed") && run.stderr.contains("MappingTemplate"),
        "{}",
        run.stderr
    );
    rehearsal.sandbox.faults().clear();
    assert_eq!(rehearsal.cleanup(&[]).await.unwrap().code, Some(0));
    assert_eq!(
        (live(&rehearsal, 1).as_deref(), live(&rehearsal, 2).as_deref()),
        (Some("artist-one"), Some("artist-two"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn g02_a_throttled_list_is_asked_for_again_until_it_comes_whole() {
    let rehearsal = Rehearsal::of(two_partners()).await.unwrap();
    let throttles = || {
        let path = json!(["listChannels"]);
        inject(
            &rehearsal,
            "listChannels",
            1,
            error("ThrottlingException", &path, &json!({"listChannels": null})),
        );
        inject(&rehearsal, "listChannels", 1, error("LimitExceededError", &Value::Null, &Value::Null));
        inject(
            &rehearsal,
            "listChannels",
            1,
            Fault::status(429, r#"{"errors":[{"errorType":"TooManyRequestsException"}]}"#),
        );
        inject(&rehearsal, "listChannels", 1, Fault::status(503, "busy"));
    };
    throttles();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["updatedCount"]), (Some(0), &json!(2)), "{run:?}");
    assert_eq!(count(&rehearsal, "listChannels"), 5);
    throttles();
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["unchangedCount"]), (Some(0), &json!(2)), "{run:?}");
    assert_eq!(rehearsal.sandbox.faults().pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn g02_of_a_batch_the_throttled_row_alone_is_sent_again() {
    let rehearsal = Rehearsal::of(
        [ONE, TWO, THREE].into_iter().fold(WorldBuilder::new(), |world, id| world.channel(id, "new", "A")),
    )
    .await
    .unwrap();
    // The database has made two of the three, as the injected answer says.
    inject(&rehearsal, "listChannels", 1, page(&[], None));
    rehearsal.sandbox.set_channel(&stored(ONE, "new")).unwrap();
    rehearsal.sandbox.set_channel(&stored(THREE, "new")).unwrap();
    let data = json!({"w0": {"id": ONE}, "w1": null, "w2": {"id": THREE}});
    inject(&rehearsal, "createChannel", 1, error("ThrottlingException", &json!(["w1"]), &data));
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["createdCount"]), (Some(0), &json!(3)), "{run:?}");
    let entries = rehearsal.sandbox.journal().entries();
    let sent: Vec<_> =
        entries.iter().filter(|entry| entry.operation == "createChannel").map(|entry| &entry.ids).collect();
    assert_eq!(sent.len(), 2);
    assert!(sent[1].iter().all(|id| id == TWO), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn g04_a_record_that_was_changed_since_the_list_is_read_and_decided_again() {
    let rehearsal = Rehearsal::versioned(three_to_update()).await.unwrap();
    let seen = |id: &str| {
        let mut seen = record(id, "old");
        seen["_version"] = json!(1);
        seen
    };
    inject(&rehearsal, "listChannels", 1, page(&[seen(ONE), seen(TWO), seen(THREE)], None));
    // Somebody was quicker with two of them, and with one to the same end.
    rehearsal.sandbox.set_channel(&stored(ONE, "somebody-else")).unwrap();
    rehearsal.sandbox.set_channel(&stored(TWO, "new")).unwrap();
    let run = rehearsal.backfill(&["--json", "--versioned-api", "yes"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["updatedCount"], &summary["unchangedCount"]), (&json!(2), &json!(1)), "{summary}");
    assert!(rehearsal.sandbox.score().unwrap().channels.wrong.is_empty());
    // All three in one request; then each of the two is read, and the one that still differs is written.
    assert_eq!((count(&rehearsal, "updateChannel"), count(&rehearsal, "getChannel")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn g04_a_record_that_changes_under_every_write_is_rejected_after_three_rounds() {
    let rehearsal = Rehearsal::versioned(three_to_update()).await.unwrap();
    let data = json!({"w0": {"id": ONE}, "w1": null, "w2": {"id": THREE}});
    inject(&rehearsal, "updateChannel", 1, error("ConflictUnhandled", &json!(["w1"]), &data));
    let conflict = error("ConflictUnhandled", &json!(["w0"]), &json!({"w0": null}));
    inject(&rehearsal, Match::operation("updateChannel").id(TWO), 100, conflict);
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(3), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["updatedCount"], &summary["errorCount"]), (&json!(2), &json!(1)), "{summary}");
    assert_eq!((count(&rehearsal, "updateChannel"), count(&rehearsal, "getChannel")), (1 + 3, 3));
    let rejects = rehearsal.run_file("channelbackfill", &summary["runId"], "rejects.csv").unwrap();
    assert!(rejects.contains(TWO) && rejects.contains("keeps_changing"), "{rejects}");
}

#[tokio::test(flavor = "multi_thread")]
async fn g04_a_refusal_for_the_version_is_proof_enough_that_there_are_versions() {
    let rehearsal = Rehearsal::versioned(three_to_update()).await.unwrap();
    // An API that says of itself that it has none.
    let items = [ONE, TWO, THREE].map(|id| record(id, "old"));
    let told =
        json!({"listChannels": {"items": items, "nextToken": null}, "__type": {"fields": [{"name": "id"}]}});
    inject(&rehearsal, "listChannels", 1, Fault::status(200, json!({"data": told}).to_string()));
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["updatedCount"]), (Some(0), &json!(3)), "{run:?}");
    assert!(rehearsal.sandbox.score().unwrap().channels.wrong.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn g05_a_refused_key_ends_the_cleanup_before_any_call_to_the_cms() {
    let rehearsal = Rehearsal::of(two_partners()).await.unwrap();
    let mut environment = rehearsal.environment();
    environment.insert("GRAPHQL_API_KEY".to_owned(), "da2-wrongwrongwrongwrongwrong".to_owned());
    let run = dn_tests::run("cms-customid-cleanup", &environment, &[]).await.unwrap();
    assert_stopped(&rehearsal, &run, 7, CLEANUP_FAILED);
    assert!(run.stderr.contains("has expired") && run.stderr.contains("make a new one"), "{}", run.stderr);
    assert!(!run.stderr.contains("da2-wrong"), "{}", run.stderr);
    assert_eq!(count(&rehearsal, "*"), 1);

    // The same inside a 200, as a role gets it that the API does not list.
    let refused = error("Unauthorized", &json!(["listChannels"]), &json!({"listChannels": null}));
    inject(&rehearsal, "listChannels", 1, refused);
    let run = rehearsal.cleanup(&[]).await.unwrap();
    assert_stopped(&rehearsal, &run, 7, CLEANUP_FAILED);
    assert!(run.stderr.contains("custom-roles.json"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn g05_a_role_that_may_read_and_not_write_ends_the_backfill() {
    let rehearsal = Rehearsal::of(three_to_update()).await.unwrap();
    let data = json!({"w0": null, "w1": null, "w2": null});
    inject(&rehearsal, "updateChannel", 1, error("Unauthorized", &json!(["w1"]), &data));
    let run = rehearsal.backfill(&[]).await.unwrap();
    assert_eq!(run.code, Some(7), "{run:?}");
    assert!(run.stderr.contains("custom-roles.json"), "{}", run.stderr);
    assert_eq!(count(&rehearsal, "updateChannel"), 1, "not once more, and not row by row");
    assert_eq!(rehearsal.events(BACKFILL_FAILED)[0]["exitCode"], json!(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn g06_a_token_that_comes_again_ends_both_tasks_and_an_empty_page_does_not_end_the_list() {
    let rehearsal = Rehearsal::of(two_partners()).await.unwrap();
    inject(&rehearsal, "listChannels", 100, page(&[record(ONE, "artist-one")], Some("again")));
    let run = rehearsal.backfill(&[]).await.unwrap();
    assert_stopped(&rehearsal, &run, 5, BACKFILL_FAILED);
    assert!(run.stderr.contains("a nextToken that came before"), "{}", run.stderr);
    assert_stopped(&rehearsal, &rehearsal.cleanup(&[]).await.unwrap(), 5, CLEANUP_FAILED);
    assert_eq!(count(&rehearsal, "*"), 4, "two pages each show it");
    rehearsal.sandbox.faults().clear();

    let pages = || {
        inject(&rehearsal, "listChannels", 1, page(&[], Some("a")));
        inject(&rehearsal, "listChannels", 1, page(&[record(ONE, "artist-one")], Some("b")));
        inject(&rehearsal, "listChannels", 1, page(&[], Some("c")));
        inject(&rehearsal, "listChannels", 1, page(&[record(TWO, "artist-two")], None));
    };
    pages();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["updatedCount"]), (Some(0), &json!(2)), "{run:?}");
    pages();
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["unchangedCount"]), (Some(0), &json!(2)), "{run:?}");
    assert_eq!(rehearsal.sandbox.faults().pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn g06_a_deleted_channel_is_no_partner_for_the_cleanup_and_is_made_anew_by_the_backfill() {
    let rehearsal = Rehearsal::versioned(two_partners()).await.unwrap();
    rehearsal.sandbox.delete_channel(TWO).unwrap();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.summary().unwrap()["totalCount"], json!(1));
    assert_eq!((live(&rehearsal, 1).as_deref(), live(&rehearsal, 2)), (Some("artist-one"), Some(video(2))));

    // Its id is taken as long as its tombstone stands: a create is refused, so the tombstone is updated.
    rehearsal.sandbox.set_task_env("FILTER_TARGET", "UCnobodynobodynobodynobo");
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["createdCount"], &summary["unchangedCount"]), (&json!(1), &json!(1)), "{summary}");
    assert!(rehearsal.sandbox.score().unwrap().channels.wrong.is_empty());
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.summary().unwrap()["unchangedCount"], json!(2), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn g06_a_tombstone_that_a_write_does_not_bring_back_is_a_rejected_row() {
    let rehearsal = Rehearsal::versioned(two_partners()).await.unwrap();
    rehearsal.sandbox.delete_channel(TWO).unwrap();
    let written = json!({"data": {"w0": {"id": TWO, "_deleted": true}}}).to_string();
    inject(&rehearsal, "updateChannel", 1, Fault::status(200, written));
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, &summary["errorCount"]), (Some(3), &json!(1)), "{run:?}");
    let rejects = rehearsal.run_file("channelbackfill", &summary["runId"], "rejects.csv").unwrap();
    assert!(rejects.contains(TWO) && rejects.contains("still_deleted"), "{rejects}");
}

#[tokio::test(flavor = "multi_thread")]
async fn g08_a_database_whose_channels_are_all_deleted_stops_the_cleanup() {
    let rehearsal = Rehearsal::versioned(two_partners()).await.unwrap();
    for id in [ONE, TWO] {
        rehearsal.sandbox.delete_channel(id).unwrap();
    }
    assert_stopped(&rehearsal, &rehearsal.cleanup(&[]).await.unwrap(), 6, CLEANUP_FAILED);
}

#[tokio::test(flavor = "multi_thread")]
async fn g09_an_update_whose_answer_was_lost_finds_its_own_version_and_writes_no_second() {
    let rehearsal = Rehearsal::versioned(three_to_update()).await.unwrap();
    inject(&rehearsal, "updateChannel", 1, Fault::ResetAfter);
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["processedCount"]), (Some(0), &json!(3)), "{run:?}");
    assert!(rehearsal.sandbox.score().unwrap().channels.wrong.is_empty());
    // Sent again with versions that its own first sending made old; each record is read, and says the right thing.
    assert_eq!((count(&rehearsal, "updateChannel"), count(&rehearsal, "getChannel")), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn g10_a_channel_without_a_custom_id_is_named_and_the_others_go_on() {
    let world = two_partners()
        .stored(THREE, THREE, None, Some("A"))
        .row(ReportRow::new(video(3), THREE).asset(asset(3), video(3)))
        .asset(Asset::web(asset(3), video(3)));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(3), "somebody has to mend the record: {run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["updatedCount"], &summary["conflictCount"]), (&json!(2), &json!(1)), "{summary}");
    assert!(run.stderr.contains("partner channel left out") && run.stderr.contains(THREE), "{}", run.stderr);
    assert_eq!(live(&rehearsal, 3), Some(video(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a23_a_partner_list_that_never_ends_ends_both_tasks() {
    let rehearsal = Rehearsal::of(two_partners()).await.unwrap();
    // Every page has another token: no repetition ever shows.
    for number in 0..1_100 {
        let token = format!("token-{number}");
        inject(&rehearsal, "listChannels", 1, page(&[record(ONE, "artist-one")], Some(&token)));
    }
    let run = rehearsal.backfill(&[]).await.unwrap();
    assert_stopped(&rehearsal, &run, 5, BACKFILL_FAILED);
    assert!(run.stderr.contains("have no end"), "{}", run.stderr);
    assert_eq!(count(&rehearsal, "*"), 500);
    assert_stopped(&rehearsal, &rehearsal.cleanup(&[]).await.unwrap(), 5, CLEANUP_FAILED);
    assert_eq!(count(&rehearsal, "*"), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a23_a_partner_list_longer_than_any_ends_both_tasks() {
    let rehearsal = Rehearsal::of(two_partners()).await.unwrap();
    let items = vec![record(ONE, "artist-one"); 26_000];
    for number in 0..8 {
        inject(&rehearsal, "listChannels", 1, page(&items, Some(&format!("token-{number}"))));
    }
    assert_stopped(&rehearsal, &rehearsal.backfill(&[]).await.unwrap(), 5, BACKFILL_FAILED);
    let run = rehearsal.cleanup(&[]).await.unwrap();
    assert_stopped(&rehearsal, &run, 5, CLEANUP_FAILED);
    assert!(run.stderr.contains("100000 records"), "{}", run.stderr);
    assert_eq!(rehearsal.sandbox.faults().pending(), 0);
}

/// What it costs to know whether there are versions, on a day when nothing is to be written.
#[rstest]
#[case::without_versions(false, true, "auto", 1)]
#[case::with_versions(true, true, "auto", 2)]
#[case::without_versions_and_introspection(false, false, "auto", 3)]
#[case::with_versions_without_introspection(true, false, "auto", 2)]
#[case::told_yes(true, true, "yes", 1)]
#[case::told_no(false, false, "no", 1)]
#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_day_is_the_list_and_no_mutation(
    #[case] versioned: bool,
    #[case] introspection: bool,
    #[case] setting: &str,
    #[case] requests: u64,
) {
    let rehearsal = if versioned {
        let rehearsal =
            Rehearsal::versioned(two_partners().stored(THREE, THREE, Some("x"), None)).await.unwrap();
        rehearsal.sandbox.delete_channel(THREE).unwrap();
        rehearsal
    } else {
        Rehearsal::of(two_partners()).await.unwrap()
    };
    rehearsal.sandbox.set_introspection(introspection);
    let run = rehearsal.backfill(&["--json", "--versioned-api", setting]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["unchangedCount"]), (Some(0), &json!(2)), "{run:?}");
    rehearsal.sandbox.wait_invocation(1, std::time::Duration::from_mins(1)).await.unwrap();
    let entries = rehearsal.sandbox.journal().entries();
    let before_the_event = entries.iter().take_while(|entry| entry.operation != "PutEvents");
    assert_eq!(before_the_event.filter(|entry| entry.service == Service::AppSync).count() as u64, requests);

    let mut environment = rehearsal.environment();
    environment.insert("GRAPHQL_VERSIONED".to_owned(), setting.to_owned());
    let run = dn_tests::run("cms-customid-cleanup", &environment, &["plan", "--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!run.stderr.contains(THREE), "the deleted channel is nobody's: {}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_for_versions_that_is_none_is_a_configuration_error() {
    let rehearsal = Rehearsal::of(two_partners()).await.unwrap();
    for run in [
        rehearsal.backfill(&["--versioned-api", "maybe"]).await.unwrap(),
        rehearsal.cleanup(&["--versioned-api", "maybe"]).await.unwrap(),
    ] {
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("GRAPHQL_VERSIONED") && run.stderr.contains("maybe"), "{}", run.stderr);
    }
    assert_eq!(count(&rehearsal, "*"), 0);
}
