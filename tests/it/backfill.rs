//! channelbackfill against the sandbox's AppSync.

use dn_sandbox::{Fault, Match, Profile, Service, StoredChannel, WorldBuilder};
use dn_tests::Rehearsal;
use serde_json::json;

fn channel(number: usize) -> String {
    format!("UC{number:022}")
}

/// A sheet of so many channels, none of them stored.
fn sheet(count: usize) -> WorldBuilder {
    (0..count).fold(WorldBuilder::new(), |world, number| {
        world.channel(&channel(number), &format!("artist-{number}"), &format!("Artist {number}"))
    })
}

fn graphql_error(path: Option<&str>, error_type: &str) -> Fault {
    let data = path.map_or(json!(null), |path| json!({ path: null }));
    let mut error = json!({"message": "as injected", "errorType": error_type, "errorInfo": null});
    if let Some(path) = path {
        error["path"] = json!([path]);
    }
    Fault::status(200, json!({"data": data, "errors": [error]}).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sheet_of_372_rows_takes_at_most_20_requests_and_a_second_run_one_without_a_mutation() {
    let rehearsal = Rehearsal::generated(7, 372, 500, Profile::Calm).await.unwrap();
    let journal = rehearsal.sandbox.journal();

    let first = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(first.code, Some(0), "{first:?}");
    let requests = journal.count(Service::AppSync, "*");
    assert!(requests <= 20, "{requests} requests");
    let summary = first.summary().unwrap();
    assert_eq!(summary["totalCount"], json!(372));
    assert_eq!(summary["processedCount"], json!(368));
    assert_eq!(summary["skippedCount"], json!(4));
    assert_eq!(rehearsal.sandbox.score().unwrap().channels.wrong, Vec::<String>::new());
    let stored = rehearsal.sandbox.channels().unwrap();

    let second = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(journal.count(Service::AppSync, "*") - requests <= 2);
    let summary = second.summary().unwrap();
    assert_eq!(summary["unchangedCount"], json!(368));
    assert_eq!((&summary["createdCount"], &summary["updatedCount"]), (&json!(0), &json!(0)));
    assert_eq!(rehearsal.sandbox.channels().unwrap(), stored, "a second run writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_of_372_new_channels_takes_16_requests() {
    let rehearsal = Rehearsal::of(sheet(372)).await.unwrap();
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.summary().unwrap()["createdCount"], json!(372), "{run:?}");
    assert_eq!(rehearsal.sandbox.journal().count(Service::AppSync, "*"), 1 + 15);
    let plan = rehearsal.run_file("channelbackfill", &run.summary().unwrap()["runId"], "plan.jsonl").unwrap();
    assert_eq!(plan.lines().count(), 372);
}

#[tokio::test(flavor = "multi_thread")]
async fn g01_one_row_that_the_database_refuses_costs_itself_alone() {
    let rehearsal = Rehearsal::of(sheet(30)).await.unwrap();
    // The first batch is refused as a whole once; then each of its rows goes alone, and one is refused again.
    let faults = rehearsal.sandbox.faults();
    faults.inject(Service::AppSync, "createChannel", 1, graphql_error(None, "BadRequestException"));
    faults.inject(
        Service::AppSync,
        Match::operation("createChannel").id(channel(3)),
        1,
        graphql_error(Some("w0"), "MappingTemplate"),
    );
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(3), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!(summary["createdCount"], json!(29));
    assert_eq!(summary["errorCount"], json!(1));
    assert_eq!(summary["status"], json!("partial"), "1 of 30 is over the tolerance of 1 %");
    let rejects = rehearsal.run_file("channelbackfill", &summary["runId"], "rejects.csv").unwrap();
    assert_eq!(rejects.lines().count(), 2, "{rejects}");
    assert!(rejects.contains(&channel(3)) && rejects.contains("MappingTemplate"), "{rejects}");
    assert!(rehearsal.sandbox.invocations().is_empty(), "a partial backfill starts no cleanup");

    // Mended and fed back, the rejects are a sheet.
    let file = rehearsal.directory().join("mended.csv");
    std::fs::write(&file, rejects).unwrap();
    let run = rehearsal.backfill(&["--json", "--csv", file.to_str().unwrap()]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.summary().unwrap()["createdCount"], json!(1));
    assert_eq!(rehearsal.sandbox.channels().unwrap().len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn g02_a_throttled_row_is_sent_again_without_the_others() {
    let rehearsal = Rehearsal::of(sheet(3)).await.unwrap();
    rehearsal.sandbox.faults().inject(
        Service::AppSync,
        "createChannel",
        1,
        graphql_error(Some("w1"), "DynamoDB:ProvisionedThroughputExceededException"),
    );
    // The injected answer has data for no alias: rows without an outcome are failures, never successes.
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!(
        (run.code, &summary["createdCount"], &summary["errorCount"]),
        (Some(3), &json!(1), &json!(2)),
        "{run:?}"
    );
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["createdCount"]), (Some(0), &json!(2)), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn g03_a_record_that_came_in_between_is_read_and_brought_into_line() {
    let rehearsal = Rehearsal::of(sheet(2)).await.unwrap();
    // Somebody makes both records between our list and our create: one right, one wrong.
    rehearsal.sandbox.faults().inject(
        Service::AppSync,
        "listChannels",
        1,
        Fault::status(200, json!({"data": {"listChannels": {"items": [], "nextToken": null}}}).to_string()),
    );
    for (number, custom_id) in [(0, "artist-0"), (1, "somebody-else")] {
        let record = StoredChannel {
            id: channel(number),
            channel_id: channel(number),
            custom_id: Some(custom_id.to_owned()),
            display_name: Some(format!("Artist {number}")),
        };
        rehearsal.sandbox.set_channel(&record).unwrap();
    }
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["unchangedCount"], &summary["updatedCount"]), (&json!(1), &json!(1)), "{summary}");
    let stored = rehearsal.sandbox.channels().unwrap();
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|record| record.custom_id.as_deref() != Some("somebody-else")));
}

#[tokio::test(flavor = "multi_thread")]
async fn g05_a_refused_key_ends_the_run_at_once_and_says_how_to_rotate_it() {
    let rehearsal = Rehearsal::of(sheet(2)).await.unwrap();
    let mut environment = rehearsal.environment();
    environment.insert("GRAPHQL_API_KEY".to_owned(), "da2-wrongwrongwrongwrongwrong".to_owned());
    let run = dn_tests::run("channelbackfill", &environment, &[]).await.unwrap();
    assert_eq!(run.code, Some(7), "{run:?}");
    assert!(run.stderr.contains("make a new one") && !run.stderr.contains("da2-wrong"), "{}", run.stderr);
    assert_eq!(rehearsal.sandbox.journal().count(Service::AppSync, "*"), 1);
    let failed = rehearsal.events("Channel Backfill Failed");
    assert_eq!((failed.len(), &failed[0]["exitCode"]), (1, &json!(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn g09_a_create_whose_answer_was_lost_makes_no_second_record() {
    let rehearsal = Rehearsal::of(sheet(5)).await.unwrap();
    rehearsal.sandbox.faults().inject(Service::AppSync, "createChannel", 1, Fault::ResetAfter);
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.summary().unwrap()["processedCount"], json!(5));
    assert_eq!(rehearsal.sandbox.channels().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_let_in_by_its_signature_and_a_wrong_one_is_not() {
    let rehearsal = Rehearsal::of(sheet(2)).await.unwrap();
    let mut environment = rehearsal.environment();
    environment.remove("GRAPHQL_API_KEY");
    let run = dn_tests::run("channelbackfill", &environment, &["--json"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["createdCount"]), (Some(0), &json!(2)), "{run:?}");

    environment.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "another/secret".to_owned());
    let run = dn_tests::run("channelbackfill", &environment, &["--json"]).await.unwrap();
    assert_eq!(run.code, Some(7), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_stored_twice_is_brought_into_line_in_both_records() {
    let world = sheet(1).stored("record-a", &channel(0), Some("old"), None).stored(
        "record-b",
        &channel(0),
        None,
        None,
    );
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!(
        (run.code, &summary["updatedCount"], &summary["totalCount"]),
        (Some(0), &json!(1), &json!(1)),
        "{run:?}"
    );
    let stored = rehearsal.sandbox.channels().unwrap();
    assert!(stored.iter().all(|record| record.custom_id.as_deref() == Some("artist-0")), "{stored:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn v11_rows_that_disagree_are_both_rejected_and_the_others_go_on() {
    let sheet = format!(
        "channelID,customID,displayName\n{a},one,A\n{b},two,B\n{a},three,A\n",
        a = channel(1),
        b = channel(2)
    );
    let rehearsal = Rehearsal::of(WorldBuilder::new().sheet_bytes(sheet)).await.unwrap();
    let run = rehearsal.backfill(&["--json", "--error-tolerance", "0.7"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!(
        (run.code, &summary["createdCount"], &summary["errorCount"]),
        (Some(3), &json!(1), &json!(2)),
        "{run:?}"
    );
    assert_eq!(summary["status"], json!("success"), "two of three are within a tolerance of 70 %");
    let rejects = rehearsal.run_file("channelbackfill", &summary["runId"], "rejects.csv").unwrap();
    assert_eq!(rejects.lines().count(), 3, "{rejects}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_decides_everything_and_writes_and_tells_nothing() {
    let rehearsal = Rehearsal::of(sheet(3)).await.unwrap();
    let run = rehearsal.backfill(&["--json", "--dry-run"]).await.unwrap();
    assert_eq!((run.code, &run.summary().unwrap()["createdCount"]), (Some(0), &json!(3)), "{run:?}");
    assert!(rehearsal.sandbox.channels().unwrap().is_empty());
    assert!(rehearsal.sandbox.events().is_empty());
}
