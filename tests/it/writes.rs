//! What an answer to a write means, and what happens to the writes when the place where outcomes are kept goes away.

use std::time::{Duration, Instant};

use dn_core::transport::wait;
use dn_sandbox::{Asset, Fault, Match, ReportRow, Service, Standing};
use dn_tests::{Rehearsal, Run, asset, assets_to_set, video};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const TASK: &str = "cms-customid-cleanup";
/// No canary and no reading back of all: what is read after the plan is read for a doubt.
const BARE: [&str; 4] = ["--json", "--canary", "0", "--no-verify"];

fn refused(code: u16, reason: &str) -> Fault {
    let body = json!({"error": {"code": code, "message": "no", "errors": [{"reason": reason}]}});
    Fault::status(code, body.to_string())
}

/// A success that speaks of another value; nothing is applied.
fn other_echo(number: u64) -> Fault {
    Fault::status(200, json!({"id": asset(number), "metadataMine": {"customId": "another"}}).to_string())
}

fn on_write(rehearsal: &Rehearsal, number: u64, times: u64, fault: Fault) {
    let wanted = Match::operation("assets.patch").id(asset(number));
    rehearsal.sandbox.faults().inject(Service::YouTube, wanted, times, fault);
}

fn live(rehearsal: &Rehearsal, number: u64) -> Option<String> {
    rehearsal.sandbox.asset(&asset(number)).and_then(|asset| asset.custom_id)
}

fn patches(rehearsal: &Rehearsal, number: u64) -> u64 {
    rehearsal.sandbox.journal().patches_per_asset().get(&asset(number)).copied().unwrap_or_default()
}

fn counts(summary: &Value) -> [u64; 4] {
    ["updatedCount", "skippedCount", "failedCount", "remainingCount"]
        .map(|key| summary[key].as_u64().unwrap())
}

fn rejects(rehearsal: &Rehearsal, summary: &Value) -> String {
    rehearsal.run_file(TASK, &summary["runId"], "rejects.csv").unwrap()
}

/// Runs the cleanup, and does something once so many writes have come in.
async fn meanwhile(rehearsal: &Rehearsal, arguments: &[&str], after: u64, act: impl FnOnce()) -> Run {
    let when_written = async {
        let deadline = Instant::now() + Duration::from_mins(1);
        while rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch") < after {
            assert!(Instant::now() < deadline, "the writes never began");
            wait(Duration::from_millis(2)).await;
        }
        act();
    };
    let (run, ()) = tokio::join!(rehearsal.cleanup(arguments), when_written);
    run.unwrap()
}

/// Everything that is read after the plan takes so long that somebody can set a value before.
fn slow_second_look(rehearsal: &Rehearsal) {
    let reads = Match::operation("assets.list").after(1);
    rehearsal.sandbox.faults().inject(Service::YouTube, reads, 10, Fault::Delay { ms: 3_000 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a12_an_asset_gone_or_merged_between_plan_and_write_is_named_and_the_rest_goes_on() {
    let world = assets_to_set(CHANNEL, 3)
        .row(ReportRow::new(video(4), CHANNEL).asset(asset(4), video(4)))
        .asset(Asset::web(asset(4), video(4)).standing(Standing::Merged { into: asset(1) }));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    on_write(&rehearsal, 2, 1, refused(404, "assetNotFound"));
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, counts(&summary)), (Some(3), [2, 0, 2, 0]), "{run:?}");
    let rejects = rejects(&rehearsal, &summary);
    for (number, code) in [(2, ",gone,"), (4, ",merged,")] {
        let row = rejects.lines().find(|line| line.contains(&asset(number))).unwrap();
        assert!(row.contains(code), "{row}");
    }
    assert_eq!(patches(&rehearsal, 2), 1, "not tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a24_a_list_with_fewer_assets_in_another_order_and_some_twice_is_matched_by_id() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 5)).await.unwrap();
    let item = |number: u64, custom_id: &str| json!({"kind": "youtubePartner#asset", "id": asset(number), "type": "web", "metadataMine": {"customId": custom_id}});
    // Asset 3 is missing, 9 was not asked for, 5 comes first and twice, 2 was set by hand.
    let items = [
        item(5, &video(5)),
        item(9, &video(9)),
        item(2, "by-hand"),
        item(5, &video(5)),
        item(4, &video(4)),
        item(1, &video(1)),
    ];
    let list = json!({"kind": "youtubePartner#assetList", "items": items});
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        "assets.list",
        1,
        Fault::status(200, list.to_string()),
    );
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, counts(&summary)), (Some(3), [3, 1, 1, 0]), "{run:?}");
    let row = rejects(&rehearsal, &summary).lines().find(|line| line.contains(&asset(3))).unwrap().to_owned();
    assert!(row.contains(",gone,"), "absent is gone, never unchanged: {row}");
    let mut written: Vec<String> =
        rehearsal.sandbox.writes().into_iter().map(|write| write.asset_id).collect();
    written.sort();
    assert_eq!(written, [asset(1), asset(4), asset(5)]);
}

#[rstest::rstest]
#[case::and_in_conflict_for_ever(true, 3)]
#[case::and_done(false, 0)]
#[tokio::test(flavor = "multi_thread")]
async fn a14_a_write_in_conflict_is_read_back_and_decided_once_more(
    #[case] for_ever: bool,
    #[case] code: i32,
) {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 5)).await.unwrap();
    on_write(&rehearsal, 1, 1, refused(409, "conflict"));
    on_write(&rehearsal, 2, 1, refused(412, "conditionNotMet"));
    on_write(&rehearsal, 3, 1, Fault::status(412, "Precondition Failed"));
    if for_ever {
        on_write(&rehearsal, 4, 100, refused(409, "conflict"));
    }
    slow_second_look(&rehearsal);
    let run = meanwhile(&rehearsal, &BARE, 5, || {
        rehearsal.sandbox.set_asset_custom_id(&asset(2), Some("artist-one"));
        rehearsal.sandbox.set_asset_custom_id(&asset(3), Some("somebody-else"));
    })
    .await;
    let summary = run.summary().unwrap();
    let failed = u64::from(for_ever);
    assert_eq!((run.code, counts(&summary)), (Some(code), [4 - failed, 1, failed, 0]), "{run:?}");
    let values = [1, 2, 3].map(|number| live(&rehearsal, number).unwrap());
    assert_eq!(values, ["artist-one", "artist-one", "somebody-else"]);
    let sent = [1, 2, 3, 4].map(|number| patches(&rehearsal, number));
    assert_eq!(sent, [2, 1, 1, 1 + failed], "once more where the planned value still is, never a third time");
    if for_ever {
        assert!(rejects(&rehearsal, &summary).contains("write_conflict"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a21_an_answer_of_another_asset_over_a_right_value_is_no_failure() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 2)).await.unwrap();
    let echo = json!({"id": asset(9), "metadataMine": {"customId": "artist-one"}});
    on_write(&rehearsal, 1, 1, Fault::status(200, echo.to_string()));
    slow_second_look(&rehearsal);
    let run = meanwhile(&rehearsal, &BARE, 1, || {
        assert!(rehearsal.sandbox.set_asset_custom_id(&asset(1), Some("artist-one")));
    })
    .await;
    assert_eq!((run.code, counts(&run.summary().unwrap())), (Some(0), [2, 0, 0, 0]), "{run:?}");
    assert_eq!(patches(&rehearsal, 1), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a21_one_value_that_was_not_echoed_is_a_row_and_the_second_stops_the_writes() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 30)).await.unwrap();
    let one_by_one = [&BARE[..], &["--max-in-flight", "1"]].concat();
    on_write(&rehearsal, 3, 1, other_echo(3));
    on_write(&rehearsal, 6, 1, other_echo(6));
    let run = rehearsal.cleanup(&one_by_one).await.unwrap();
    let summary = run.summary().unwrap();
    let order: Vec<String> = rehearsal.sandbox.writes().into_iter().map(|write| write.asset_id).collect();
    assert_eq!(run.code, Some(6), "{run:?}");
    assert!(run.stderr.contains("2 writes were answered with another value"), "{}", run.stderr);
    let written = order.len() as u64;
    assert_eq!(counts(&summary), [written, 0, 2, 28 - written], "{summary}");
    assert_eq!(
        rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch"),
        written + 2,
        "none is begun after the second was read back"
    );
    assert!(written < 28, "the writes stopped");
    assert_eq!(rejects(&rehearsal, &summary).matches("not_echoed").count(), 2);

    on_write(&rehearsal, 6, 1, other_echo(6));
    let run = rehearsal.cleanup(&one_by_one).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, counts(&summary)), (Some(3), [29 - written, 0, 1, 0]), "one is borne: {run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a18_a_write_that_nobody_answered_is_read_back_counted_once_and_can_be_undone() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 3)).await.unwrap();
    // Carried out every time, and every answer lost: before its first byte, or in the middle of its body.
    on_write(&rehearsal, 1, 5, Fault::ResetAfter);
    on_write(&rehearsal, 2, 1, Fault::HalfBody);
    // The tries of a call to a server that serves nobody else outlast a bad minute; here a shorter one.
    let run = rehearsal.cleanup(&[&BARE[..], &["--max-wait", "10s"]].concat()).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, counts(&summary)), (Some(0), [3, 0, 0, 0]), "{run:?}");
    assert_eq!((patches(&rehearsal, 1), patches(&rehearsal, 2)), (5, 2));
    assert_eq!(
        rehearsal.sandbox.journal().count(Service::YouTube, "assets.list"),
        2,
        "the plan's, and this one's"
    );
    let id = summary["runId"].as_str().unwrap();
    let undo = rehearsal.cleanup(&["undo", "--run", id, "--json"]).await.unwrap();
    assert_eq!((undo.code, counts(&undo.summary().unwrap())), (Some(0), [3, 0, 0, 0]), "{undo:?}");
    assert_eq!(live(&rehearsal, 1), Some(video(1)));
}

/// The folder of the one run that there is.
fn run_folder(rehearsal: &Rehearsal) -> std::path::PathBuf {
    let state = rehearsal.sandbox.env().remove("STATE_URI").unwrap();
    let mut runs = std::fs::read_dir(std::path::Path::new(&state).join(TASK).join("runs")).unwrap();
    runs.next().unwrap().unwrap().path()
}

#[tokio::test(flavor = "multi_thread")]
async fn p04_a_run_folder_that_is_gone_in_mid_run_stops_the_writes() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 60)).await.unwrap();
    let slow = ["--json", "--rate-per-second", "50", "--max-in-flight", "4"];
    let run = meanwhile(&rehearsal, &slow, 3, || {
        let folder = run_folder(&rehearsal);
        std::fs::rename(&folder, rehearsal.directory().join("moved")).unwrap();
        std::fs::write(&folder, "no folder any more").unwrap();
    })
    .await;
    assert_eq!(run.code, Some(5), "{run:?}");
    assert!(run.stderr.contains("the outcomes could not be kept"), "{}", run.stderr);
    let sent = rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch");
    assert_eq!(
        (sent, counts(&run.summary().unwrap())),
        (25, [25, 0, 0, 35]),
        "the canary, and nothing after it"
    );
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Failed").len(), 1);

    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_eq!((run.code, counts(&run.summary().unwrap())), (Some(0), [35, 0, 0, 0]), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p04_an_export_that_cannot_be_written_is_a_warning() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 2)).await.unwrap();
    let file = rehearsal.directory().join("a-file");
    std::fs::write(&file, "").unwrap();
    let nowhere = file.join("export");
    let run = rehearsal.cleanup(&["--json", "--export-dir", nowhere.to_str().unwrap()]).await.unwrap();
    let summary = run.summary().unwrap();
    assert_eq!((run.code, counts(&summary)), (Some(0), [2, 0, 0, 0]), "{run:?}");
    assert!(run.stderr.contains("export not written"), "{}", run.stderr);
    assert_eq!(summary["exportPath"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_without_a_journal_there_are_no_writes() {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 60)).await.unwrap();
    let state = rehearsal.sandbox.state_in_s3();
    let slow = ["--json", "--state-uri", &state, "--rate-per-second", "50", "--max-in-flight", "4"];
    let down = Fault::status(503, "<Error><Code>ServiceUnavailable</Code><Message>down</Message></Error>");
    // For as long as the store is asked for the outcomes: five times as soon as they are due, and again at the end.
    let run = meanwhile(&rehearsal, &slow, 3, || {
        rehearsal.sandbox.faults().inject(Service::S3, "PutObject", 10, down);
    })
    .await;
    assert_eq!(run.code, Some(5), "{run:?}");
    assert!(run.stderr.contains("the outcomes could not be kept"), "{}", run.stderr);
    assert_eq!(rehearsal.sandbox.faults().pending(), 0);
    let sent = rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch");
    assert_eq!(sent, 25, "the canary, and nothing after its outcomes could not be kept");
    assert_eq!(counts(&run.summary().unwrap()), [25, 0, 0, 35]);
    assert_eq!(rehearsal.events("CMS Custom ID Cleanup Failed").len(), 1);

    let run = rehearsal.cleanup(&["--json", "--state-uri", &state]).await.unwrap();
    assert_eq!((run.code, counts(&run.summary().unwrap())), (Some(0), [35, 0, 0, 0]), "{run:?}");
}

/// A run of three writes whose middle one failed, and the path of its outcomes.
async fn journalled() -> (Rehearsal, String, std::path::PathBuf) {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 3)).await.unwrap();
    on_write(&rehearsal, 2, 1, refused(400, "invalidValue"));
    let run = rehearsal.cleanup(&[&BARE[..], &["--max-in-flight", "1"]].concat()).await.unwrap();
    assert_eq!(run.code, Some(3), "{run:?}");
    let id = run.summary().unwrap()["runId"].as_str().unwrap().to_owned();
    let outcomes = run_folder(&rehearsal).join("outcomes-0001.jsonl");
    assert_eq!(std::fs::read_to_string(&outcomes).unwrap().lines().count(), 3);
    (rehearsal, id, outcomes)
}

#[tokio::test(flavor = "multi_thread")]
async fn p03_a_torn_last_line_of_the_outcomes_is_passed_over() {
    let (rehearsal, id, outcomes) = journalled().await;
    let text = std::fs::read_to_string(&outcomes).unwrap();
    let last = text.trim_end().rfind('\n').unwrap();
    std::fs::write(&outcomes, &text[..last + 20]).unwrap();
    // The asset of the torn line is judged by its live value, as if nothing had been kept of it.
    let undo = rehearsal.cleanup(&["undo", "--run", &id, "--json"]).await.unwrap();
    assert_eq!((undo.code, counts(&undo.summary().unwrap())), (Some(0), [2, 0, 0, 0]), "{undo:?}");
    let values = [1, 2, 3].map(|number| live(&rehearsal, number).unwrap());
    assert_eq!(values, [1, 2, 3].map(video));
}

#[tokio::test(flavor = "multi_thread")]
async fn p06_outcomes_with_a_corrupt_line_in_the_middle_are_refused() {
    let (rehearsal, id, outcomes) = journalled().await;
    let text = std::fs::read_to_string(&outcomes).unwrap();
    std::fs::write(&outcomes, text.replacen("\"failed\"", "\"fai", 1)).unwrap();
    let written = rehearsal.sandbox.write_count();
    let undo = rehearsal.cleanup(&["undo", "--run", &id]).await.unwrap();
    assert_eq!(undo.code, Some(4), "{undo:?}");
    assert!(undo.stderr.contains("outcomes-0001.jsonl") && undo.stderr.contains("line 2"), "{}", undo.stderr);
    assert_eq!(rehearsal.sandbox.write_count(), written);
}

#[rstest::rstest]
#[case::of_another_version("\"row\":", "\"priority\":1,\"row\":")]
#[case::with_a_corrupt_line_in_the_middle("\"asset_id\":\"A0000000000000002\"", "\"asset_id\":\"A00\u{0}")]
#[tokio::test(flavor = "multi_thread")]
async fn p06_a_plan_that_this_program_does_not_make_is_refused_though_its_hash_fits(
    #[case] from: &str,
    #[case] to: &str,
) {
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 3)).await.unwrap();
    let plan = rehearsal.cleanup(&["plan", "--json"]).await.unwrap().summary().unwrap();
    let folder = run_folder(&rehearsal);
    let text = std::fs::read_to_string(folder.join("plan.jsonl")).unwrap();
    let changed = text.replacen(from, to, 1);
    assert_ne!(changed, text);
    std::fs::write(folder.join("plan.jsonl"), &changed).unwrap();
    let inputs = std::fs::read_to_string(folder.join("plan-inputs.json")).unwrap();
    let digest = |text: &str| -> String {
        Sha256::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    };
    let inputs = inputs.replace(&digest(&text), &digest(&changed));
    std::fs::write(folder.join("plan-inputs.json"), inputs).unwrap();
    let id = plan["runId"].as_str().unwrap();
    for command in [["apply", "--plan", id], ["undo", "--run", id]] {
        let run = rehearsal.cleanup(&command).await.unwrap();
        assert_eq!(run.code, Some(4), "{run:?}");
        assert!(run.stderr.contains("no line of a plan"), "{}", run.stderr);
    }
    assert!(rehearsal.sandbox.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn l09_writes_that_wait_for_their_turn_are_not_sent_once_a_guard_has_tripped() {
    // 32 are given out at once, and most of them stand in the queue for the rate when the first answers come.
    let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 40)).await.unwrap();
    for number in 1..=40 {
        let echo = json!({"id": asset(number), "metadataMine": {"customId": "something-else"}}).to_string();
        on_write(&rehearsal, number, 1, Fault::status(200, echo));
    }
    let arguments = ["--json", "--canary", "0", "--max-in-flight", "32", "--rate-per-second", "8"];
    let run = rehearsal.cleanup(&arguments).await.unwrap();
    assert_eq!(run.code, Some(6), "{run:?}");
    let sent = rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch");
    assert!(sent <= 4, "two doubts end the run; each is looked into before a further write: {sent}");
}
