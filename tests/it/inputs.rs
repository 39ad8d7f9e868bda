//! The fault matrix's rows about inputs, with the real programs: how a sheet and a report that are not as they should be
//! end, in writes and in the exit code.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use dn_sandbox::{Asset, Fault, Match, Service, WorldBuilder};
use dn_tests::{Rehearsal, Run, asset, command, video};
use serde_json::{Value, json};

const ONE: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const TWO: &str = "UCbbbbbbbbbbbbbbbbbbbbbb";
const SHEET: &str = "channelID,customID,displayName\n";
const REPORT: &str = "video_id,channel_id,asset_id,custom_id\n";

/// The backfill over a sheet of these bytes.
async fn backfill(sheet: impl Into<Vec<u8>>) -> (Rehearsal, Run) {
    let rehearsal = Rehearsal::of(WorldBuilder::new().sheet_bytes(sheet)).await.unwrap();
    // Only the backfill is looked at: its event's cleanup finds no report that it could read.
    rehearsal.sandbox.set_task_env("VIDEO_REPORT_URI", "/nowhere/report.csv");
    let run = rehearsal.backfill(&["--json"]).await.unwrap();
    (rehearsal, run)
}

/// A world whose one partner channel is stored, with so many assets to be set and a report of these bytes.
fn world(assets: u64, report: impl Into<Vec<u8>>) -> WorldBuilder {
    let world = WorldBuilder::new().stored(ONE, ONE, Some("artist-one"), None).stored(
        TWO,
        TWO,
        Some("artist-two"),
        None,
    );
    let world = (1..=assets).fold(world, |world, n| world.asset(Asset::web(asset(n), "")));
    world.report_bytes(report)
}

/// The cleanup over a report of these bytes.
async fn cleanup(assets: u64, report: impl Into<Vec<u8>>) -> (Rehearsal, Run) {
    let rehearsal = Rehearsal::of(world(assets, report)).await.unwrap();
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    (rehearsal, run)
}

/// A row of an asset of channel one.
fn row(number: u64) -> String {
    format!("{},{ONE},{},\n", video(number), asset(number))
}

fn rows(numbers: std::ops::RangeInclusive<u64>) -> String {
    numbers.map(row).collect()
}

#[track_caller]
fn assert_end(run: &Run, code: i32, counts: &[(&str, u64)]) {
    assert_eq!(run.code, Some(code), "{run:?}");
    let summary = run.summary().unwrap();
    for (name, count) in counts {
        assert_eq!(summary[*name], json!(count), "{name} of {summary}");
    }
}

#[track_caller]
fn assert_refused(rehearsal: &Rehearsal, run: &Run, parts: &[&str]) {
    assert_eq!(run.code, Some(4), "{run:?}");
    let error = run.summary().unwrap()["error"].to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "*"), 0, "nothing was asked of the CMS");
    assert!(rehearsal.sandbox.channels().unwrap().len() <= 2, "no channel was made");
}

fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn v01_a_byte_order_mark_is_taken_off_and_utf16_is_refused_with_4() {
    let (sheet, report) = (format!("{SHEET}{ONE},one,One\n"), format!("{REPORT}{}", row(1)));
    let (_, run) = backfill(format!("\u{feff}{sheet}")).await;
    assert_end(&run, 0, &[("createdCount", 1), ("totalCount", 1)]);
    let (_, run) = cleanup(1, format!("\u{feff}{report}")).await;
    assert_end(&run, 0, &[("updatedCount", 1), ("totalCount", 1)]);

    let (rehearsal, run) = backfill(utf16(&sheet)).await;
    assert_refused(&rehearsal, &run, &["UTF-16"]);
    let (rehearsal, run) = cleanup(1, utf16(&report)).await;
    assert_refused(&rehearsal, &run, &["UTF-16"]);
}

#[rstest::rstest]
#[case::crlf("\r\n", true)]
#[case::lone_cr("\r", true)]
#[case::no_last_line_end("\n", false)]
#[tokio::test(flavor = "multi_thread")]
async fn v02_the_same_rows_whatever_their_line_ends(#[case] end: &str, #[case] last: bool) {
    let text = |header: &str, rows: [String; 3]| {
        let lines = [header.trim_end().to_owned(), rows[0].clone(), String::new(), rows[1].clone()];
        // Mixed, with a blank line: the last row's end is a line feed, or none.
        let text = format!("{}\n{}", lines.join(end), rows[2]);
        if last { format!("{text}\n") } else { text }
    };
    let sheet =
        text(SHEET, [ONE, TWO, "UCcccccccccccccccccccccc"].map(|id| format!("{id},of-{},", &id[3..6])));
    let (rehearsal, run) = backfill(sheet).await;
    assert_end(&run, 0, &[("createdCount", 3), ("totalCount", 3), ("errorCount", 0)]);
    let stored = rehearsal.sandbox.channels().unwrap();
    assert!(stored.iter().any(|one| one.channel_id == ONE && one.custom_id.as_deref() == Some("of-aaa")));

    let (_, run) = cleanup(3, text(REPORT, [1, 2, 3].map(|n| row(n).trim_end().to_owned()))).await;
    assert_end(&run, 0, &[("updatedCount", 3), ("totalCount", 3), ("rejectedRowCount", 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v03_quotes_and_line_breaks_are_part_of_a_name_and_a_message_has_row_and_line() {
    let name = "She said \"no\",\nand left";
    let sheet = format!("{SHEET}{ONE},one,\"{}\"\n{TWO},two,Two\n", name.replace('"', "\"\""));
    let (rehearsal, run) = backfill(sheet.clone()).await;
    assert_end(&run, 0, &[("createdCount", 2)]);
    let stored = rehearsal.sandbox.channels().unwrap();
    assert!(stored.iter().any(|one| one.display_name.as_deref() == Some(name)), "{stored:?}");
    // The third row begins on line 5.
    let (_, run) = backfill(format!("{sheet}UCcccccccccccccccccccccc,bad id,C\n")).await;
    assert_end(&run, 3, &[("createdCount", 2), ("errorCount", 1)]);
    assert!(run.stderr.contains("\"line\":5"), "{}", run.stderr);

    let header = "video_id,channel_id,asset_id,custom_id,video_title\n";
    let title = "\"a \"\"b\"\",\nc\"";
    let report: String =
        (1..=3).map(|n| format!("{},{ONE},{},,{title}\n", video(n), asset(n))).collect::<Vec<_>>().concat();
    let (_, run) = cleanup(3, format!("{header}{report}")).await;
    assert_end(&run, 0, &[("updatedCount", 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v04_a_quote_that_is_never_closed_refuses_the_file() {
    let (rehearsal, run) = backfill(format!("{SHEET}\"{ONE},one,One\n{TWO},two,Two\n")).await;
    assert_refused(&rehearsal, &run, &["quote", ":2"]);
    let report = format!("{REPORT}{}\"{}{}", row(1), row(2), rows(3..=30_000));
    let (rehearsal, run) = cleanup(1, report).await;
    assert_refused(&rehearsal, &run, &["quote"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v05_bad_utf8_in_a_name_is_replaced_and_in_an_id_costs_the_row() {
    let mut sheet = format!("{SHEET}{ONE},one,").into_bytes();
    sheet.extend(b"Alph\xff\n");
    let (rehearsal, run) = backfill(sheet.clone()).await;
    assert_end(&run, 0, &[("createdCount", 1)]);
    assert!(run.stderr.contains("not UTF-8"), "{}", run.stderr);
    assert_eq!(rehearsal.sandbox.channels().unwrap()[0].display_name.as_deref(), Some("Alph\u{fffd}"));
    sheet.extend(format!("{TWO},tw").bytes());
    sheet.extend(b"\xff,Two\n");
    let (_, run) = backfill(sheet).await;
    assert_end(&run, 3, &[("createdCount", 1), ("errorCount", 1)]);

    let mut report = format!("{}{}", "video_id,channel_id,asset_id,custom_id,video_title\n", "").into_bytes();
    report.extend(format!("{},{ONE},{},,", video(1), asset(1)).bytes());
    report.extend(b"bad \xff title\n");
    let (_, run) = cleanup(1, report.clone()).await;
    assert_end(&run, 0, &[("updatedCount", 1)]);
    report.extend(b"vid9999\xff999,UCaaaaaaaaaaaaaaaaaaaaaa,A9999999999999999,,title\n");
    let (_, run) = cleanup(1, report).await;
    assert_end(&run, 3, &[("updatedCount", 1), ("rejectedRowCount", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v06_a_missing_column_is_refused_with_what_was_found_and_the_nearest_name() {
    let (rehearsal, run) = backfill(format!("channelID,CustomerID,displayName\n{ONE},one,One\n")).await;
    assert_refused(&rehearsal, &run, &["customID", "found", "Did", "CustomerID"]);
    let (rehearsal, run) = cleanup(1, format!("video_id,channel_id,aset_id,custom_id\n{}", row(1))).await;
    assert_refused(&rehearsal, &run, &["asset_id", "found", "aset_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v07_columns_are_found_by_name_in_any_order_case_and_spacing() {
    let (_, run) = backfill(format!(" Display Name ,note,CUSTOM ID,Channel Id\nOne,x,one,{ONE}\n")).await;
    assert_end(&run, 0, &[("createdCount", 1)]);
    let report =
        format!("Custom ID,note, ASSET_ID ,Channel Id,Video ID\n,x,{},{ONE},{}\n", asset(1), video(1));
    let (_, run) = cleanup(1, report).await;
    assert_end(&run, 0, &[("updatedCount", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v08_a_required_column_that_is_there_twice_is_refused() {
    let (rehearsal, run) =
        backfill(format!("channelID,customID,customID,displayName\n{ONE},a,b,One\n")).await;
    assert_refused(&rehearsal, &run, &["customID", ":1"]);
    let report = format!("video_id,channel_id,asset_id,asset_id,custom_id\n{},{ONE},a,b,\n", video(1));
    let (rehearsal, run) = cleanup(1, report).await;
    assert_refused(&rehearsal, &run, &["asset_id", ":1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v09_a_short_row_is_rejected_and_more_than_one_in_a_hundred_refuse_the_file() {
    let channels = |count: u64| -> String {
        (1..=count).map(|n| format!("UC{n:022},c-{n},Name\n")).collect::<Vec<_>>().concat()
    };
    let (_, run) = backfill(format!("{SHEET}{}{ONE},one\n", channels(150))).await;
    assert_end(&run, 3, &[("createdCount", 150), ("errorCount", 1)]);
    let (rehearsal, run) = backfill(format!("{SHEET}{}{ONE},one\n{TWO},two,a,b\n", channels(100))).await;
    assert_refused(&rehearsal, &run, &["2 of 102 rows"]);

    let short = format!("{},{ONE}\n", video(999));
    let (_, run) = cleanup(150, format!("{REPORT}{}{short}", rows(1..=150))).await;
    assert_end(&run, 3, &[("updatedCount", 150), ("rejectedRowCount", 1)]);
    let (rehearsal, run) = cleanup(100, format!("{REPORT}{}{short}{short}", rows(1..=100))).await;
    assert_refused(&rehearsal, &run, &["2 of 102 rows"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v10_the_same_row_again_is_counted_and_changes_nothing() {
    let one = format!("{ONE},one,One\n");
    let (rehearsal, run) = backfill(format!("{SHEET}{one}{one}{TWO},two,Two\n{one}")).await;
    assert_end(&run, 0, &[("createdCount", 2), ("skippedCount", 2), ("totalCount", 4)]);
    assert_eq!(rehearsal.sandbox.channels().unwrap().len(), 2);
    let (rehearsal, run) = cleanup(2, format!("{REPORT}{}{}{}", row(1), row(1), rows(1..=2))).await;
    assert_end(&run, 0, &[("updatedCount", 2), ("totalCount", 2)]);
    assert_eq!(rehearsal.sandbox.writes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn v11_rows_that_disagree_about_a_channel_are_both_rejected_and_the_others_go_on() {
    let (rehearsal, run) = backfill(format!("{SHEET}{ONE},a,One\n{TWO},two,Two\n{ONE},b,One\n")).await;
    assert_end(&run, 3, &[("createdCount", 1), ("errorCount", 2)]);
    let stored = rehearsal.sandbox.channels().unwrap();
    assert_eq!((stored.len(), stored[0].channel_id.as_str()), (1, TWO));
    let summary = run.summary().unwrap();
    let rejects = rehearsal.run_file("channelbackfill", &summary["runId"], "rejects.csv").unwrap();
    assert_eq!(rejects.matches("conflicting_rows").count(), 2, "{rejects}");
    assert!(rehearsal.sandbox.invocations().is_empty(), "a sheet of which two thirds fail starts no cleanup");
}

#[tokio::test(flavor = "multi_thread")]
async fn v12_one_custom_id_for_two_channels_is_taken_with_a_warning() {
    let (rehearsal, run) = backfill(format!("{SHEET}{ONE},shared,One\n{TWO},shared,Two\n")).await;
    assert_end(&run, 0, &[("createdCount", 2), ("errorCount", 0)]);
    assert!(run.stderr.contains("the custom ID shared is given to 2 channels"), "{}", run.stderr);
    assert!(
        rehearsal.sandbox.channels().unwrap().iter().all(|one| one.custom_id.as_deref() == Some("shared"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn v13_an_asset_in_many_rows_is_written_once_and_one_that_two_partners_claim_is_left_alone() {
    let again = format!("{},{ONE},{},\n", video(11), asset(1));
    let of_two = format!("{},{TWO},{},\n", video(12), asset(2));
    let (rehearsal, run) = cleanup(2, format!("{REPORT}{}{again}{of_two}", rows(1..=2))).await;
    assert_end(&run, 0, &[("updatedCount", 1), ("conflictCount", 1), ("totalCount", 2)]);
    assert_eq!(rehearsal.sandbox.writes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn v15_a_formula_is_a_name_like_any_other_and_no_id() {
    let names = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\ttab"];
    let sheet: String = names
        .iter()
        .enumerate()
        .map(|(n, name)| format!("UC{n:022},c-{n},\"{name}\"\n"))
        .collect::<Vec<_>>()
        .concat();
    let (rehearsal, run) = backfill(format!("{SHEET}{sheet}")).await;
    assert_end(&run, 0, &[("createdCount", names.len() as u64)]);
    let mut stored: Vec<_> =
        rehearsal.sandbox.channels().unwrap().into_iter().filter_map(|one| one.display_name).collect();
    stored.sort_unstable();
    let mut expected = names.map(|name| name.trim().to_owned());
    expected.sort_unstable();
    assert_eq!(stored, expected, "exactly the sheet's names");
    let (rehearsal, run) = backfill(format!("{SHEET}{ONE},=1+1,One\n{TWO},two,Two\n")).await;
    assert_end(&run, 3, &[("createdCount", 1), ("errorCount", 1)]);
    let rejects =
        rehearsal.run_file("channelbackfill", &run.summary().unwrap()["runId"], "rejects.csv").unwrap();
    assert!(rejects.contains(",=1+1,"), "a machine file has the exact bytes: {rejects}");

    let header = "video_id,channel_id,asset_id,custom_id,video_title\n";
    let report = format!("{header}{},{ONE},{},,=cmd|' /C calc'!A0\n", video(1), asset(1));
    let (_, run) = cleanup(1, report).await;
    assert_end(&run, 0, &[("updatedCount", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v16_control_characters_of_a_name_reach_no_terminal_and_forge_no_line() {
    let hostile = "a\u{0}b\u{1b}[31m\u{202e}\n{\"level\":\"ERROR\",\"message\":\"forged\"}";
    let quoted = hostile.replace('"', "\"\"");
    // The doubtful custom ID makes the row be spoken of.
    let (_, run) = backfill(format!("{SHEET}{ONE},shared,\"{quoted}\"\n{TWO},shared,\"{quoted}\"\n")).await;
    assert_end(&run, 0, &[("createdCount", 2)]);
    let header = "video_id,channel_id,asset_id,custom_id,video_title\n";
    let report = format!("{header}{},{ONE},{},,\"{quoted}\"\n", video(1), asset(1));
    let (_, cleaned) = cleanup(1, report).await;
    assert_end(&cleaned, 0, &[("updatedCount", 1)]);
    for said in [&run.stderr, &cleaned.stderr] {
        assert!(!said.contains(['\u{0}', '\u{1b}', '\u{202e}']), "{said}");
        assert!(!said.lines().any(|line| line.starts_with("{\"level\":\"ERROR\",\"message\":\"forged\"")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn v17_blanks_around_ids_are_taken_off_and_what_a_spreadsheet_made_of_one_is_rejected() {
    let sheet = format!(
        "{SHEET}\u{200b} {ONE}\u{a0},\u{feff}one ,One\n{TWO},1.23E+11,Two\nUC{:022},\"=\"\"123\"\"\",C\n",
        3
    );
    let (rehearsal, run) = backfill(sheet).await;
    assert_end(&run, 3, &[("createdCount", 1), ("errorCount", 2)]);
    let stored = rehearsal.sandbox.channels().unwrap();
    assert_eq!((stored[0].channel_id.as_str(), stored[0].custom_id.as_deref()), (ONE, Some("one")));
    let rejects =
        rehearsal.run_file("channelbackfill", &run.summary().unwrap()["runId"], "rejects.csv").unwrap();
    assert!(
        rejects.contains("format the column as text") && rejects.contains("spreadsheet formula"),
        "{rejects}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn v18_a_row_of_totals_is_no_video() {
    let (_, run) = cleanup(150, format!("{REPORT}{}Total,,150,\n", rows(1..=150))).await;
    assert_end(&run, 3, &[("updatedCount", 150), ("rejectedRowCount", 1)]);
    let (rehearsal, run) = cleanup(1, format!("Content owner,Report\nA,B\n\n{REPORT}{}", row(1))).await;
    assert_refused(&rehearsal, &run, &["required column"]);
}

#[rstest::rstest]
#[case::semicolons(";")]
#[case::tabs("\t")]
#[tokio::test(flavor = "multi_thread")]
async fn v20_another_delimiter_is_seen_at_the_header(#[case] by: &str) {
    let (rehearsal, run) = backfill(format!("{SHEET}{ONE},one,One\n").replace(',', by)).await;
    assert_refused(&rehearsal, &run, &[":1", "comma"]);
    let (rehearsal, run) = cleanup(1, format!("{REPORT}{}", row(1)).replace(',', by)).await;
    assert_refused(&rehearsal, &run, &[":1", "comma"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s01_a_report_whose_connection_breaks_is_read_on_and_one_that_only_breaks_is_given_up() {
    let rehearsal = Rehearsal::of(world(40, format!("{REPORT}{}", rows(1..=40)))).await.unwrap();
    rehearsal.sandbox.faults().inject(Service::S3, "GetObject", 100, Fault::HalfBody);
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_end(&run, 5, &[("updatedCount", 0)]);
    assert!(rehearsal.sandbox.writes().is_empty());
    rehearsal.sandbox.faults().clear();
    rehearsal.sandbox.faults().inject(Service::S3, "GetObject", 2, Fault::HalfBody);
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_end(&run, 0, &[("updatedCount", 40), ("totalCount", 40)]);
    assert_eq!(rehearsal.sandbox.faults().pending(), 0);
}

/// The bucket's file of the report.
fn report_path(rehearsal: &Rehearsal) -> PathBuf {
    rehearsal.sandbox.world().report_path.clone()
}

/// Puts another version of an object in its place, whole at once.
fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    std::fs::write(&next, text).unwrap();
    std::fs::rename(next, path).unwrap();
}

/// Breaks each of so many reads in the middle, and holds its resumption until the object was replaced.
async fn replace_under_reads(rehearsal: &Rehearsal, path: PathBuf, versions: Vec<String>) {
    let reads = versions.len() as u64;
    for (done, version) in (1..).zip(versions) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while rehearsal.sandbox.faults().pending() > 2 * (reads - done) {
            assert!(Instant::now() < deadline, "the object was never asked for");
            tokio::task::yield_now().await;
        }
        replace(&path, &version);
    }
}

fn break_and_hold(rehearsal: &Rehearsal, key: &str, reads: u64) {
    for _ in 0..reads {
        let object = Match::operation("GetObject").id(key);
        rehearsal.sandbox.faults().inject(Service::S3, object.clone(), 1, Fault::HalfBody);
        rehearsal.sandbox.faults().inject(Service::S3, object, 1, Fault::Delay { ms: 1_000 });
    }
}

const REPORT_KEY: &str = "reports/video_report_Indmusic_V_v1-3.csv";

#[tokio::test(flavor = "multi_thread")]
async fn s02_a_report_that_is_replaced_under_the_read_is_read_again_from_its_first_row() {
    // The old version has a row that cannot be used and an asset that the new one does not have.
    let old = format!("{REPORT}vid9,{ONE},{},\n{}", asset(7), rows(1..=40));
    let new = format!("{REPORT}{}", rows(1..=30));
    let rehearsal = Rehearsal::of(world(40, old)).await.unwrap();
    break_and_hold(&rehearsal, REPORT_KEY, 1);
    let path = report_path(&rehearsal);
    let (run, ()) =
        tokio::join!(rehearsal.cleanup(&["--json"]), replace_under_reads(&rehearsal, path, vec![new]));
    let run = run.unwrap();
    assert_end(&run, 0, &[("updatedCount", 30), ("totalCount", 30), ("rejectedRowCount", 0)]);
    let summary = run.summary().unwrap();
    assert_eq!(summary["rejectsUri"], Value::Null, "what the old version had is forgotten");

    // What is there now is what the plan was made from.
    let plan = rehearsal.run_file("cms-customid-cleanup", &summary["runId"], "plan.jsonl").unwrap();
    let planned: Vec<Value> = plan.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let again = rehearsal.cleanup(&["--json", "--policy", "enforce", "plan"]).await.unwrap();
    let again =
        rehearsal.run_file("cms-customid-cleanup", &again.summary().unwrap()["runId"], "plan-inputs.json");
    let inputs: Value = serde_json::from_str(&again.unwrap()).unwrap();
    let etag = inputs.as_object().unwrap().values().find(|value| **value == planned[0]["report_etag"]);
    assert!(etag.is_some(), "{} is not the version in {inputs}", planned[0]["report_etag"]);
    assert!(planned.iter().all(|line| line["report_etag"] == planned[0]["report_etag"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn s02_a_report_that_is_replaced_without_end_is_given_up_after_three_beginnings_anew() {
    let version = |n: u64| format!("{REPORT}{}", rows(1..=30 + n));
    let rehearsal = Rehearsal::of(world(40, version(0))).await.unwrap();
    break_and_hold(&rehearsal, REPORT_KEY, 4);
    let path = report_path(&rehearsal);
    let versions = (1..=4).map(version).collect();
    let (run, ()) =
        tokio::join!(rehearsal.cleanup(&["--json"]), replace_under_reads(&rehearsal, path, versions));
    let run = run.unwrap();
    assert_end(&run, 5, &[("updatedCount", 0)]);
    let error = run.summary().unwrap()["error"].to_string();
    assert!(error.contains("begun again 3 times") && error.contains("replaced"), "{error}");
    assert!(rehearsal.sandbox.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn s02_claims_that_are_replaced_under_the_read_are_counted_again_from_the_first() {
    let claims = |count: u64| -> String {
        let rows = (0..count).map(|n| format!("c{n},{ONE},ACTIVE,AUDIO\n"));
        std::iter::once("claim_id,channel_id,claim_status,claim_type\n".to_owned()).chain(rows).collect()
    };
    let rehearsal = Rehearsal::of(WorldBuilder::new()).await.unwrap();
    let path = rehearsal.directory().join("s3/sandbox-state/claims.csv");
    std::fs::write(&path, claims(60)).unwrap();
    let mut environment = rehearsal.environment();
    environment.remove("VIDEO_REPORT_URI");
    environment.insert("CLAIM_REPORT_URI".to_owned(), "s3://sandbox-state/claims.csv".to_owned());
    let count = || dn_tests::run("claims-report", &environment, &["--json"]);

    break_and_hold(&rehearsal, "claims.csv", 1);
    let (run, ()) = tokio::join!(count(), replace_under_reads(&rehearsal, path.clone(), vec![claims(20)]));
    assert_end(&run.unwrap(), 0, &[("claimCount", 20)]);
    break_and_hold(&rehearsal, "claims.csv", 4);
    let versions = (30..34).map(claims).collect();
    let (run, ()) = tokio::join!(count(), replace_under_reads(&rehearsal, path, versions));
    let run = run.unwrap();
    assert_end(&run, 5, &[]);
    assert_eq!(run.summary().unwrap()["claimCount"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn s03_a_report_that_is_missing_forbidden_empty_or_a_mere_header_is_refused() {
    for report in [String::new(), REPORT.to_owned()] {
        let (rehearsal, run) = cleanup(1, report).await;
        assert_refused(&rehearsal, &run, &["video_report"]);
    }
    let rehearsal = Rehearsal::of(world(1, row(1))).await.unwrap();
    let none =
        rehearsal.cleanup(&["--json", "--report", "s3://youtube-reporting-main/none.csv"]).await.unwrap();
    assert_refused(&rehearsal, &none, &["NoSuchKey"]);
    let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    rehearsal.sandbox.faults().inject(Service::S3, "GetObject", 1, Fault::status(403, denied));
    let denied = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_refused(&rehearsal, &denied, &["s3:GetObject"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s04_a_store_that_asks_to_slow_down_is_asked_again_and_given_up_when_it_does_nothing_else() {
    let slow = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
    let rehearsal = Rehearsal::of(world(1, format!("{REPORT}{}", row(1)))).await.unwrap();
    rehearsal.sandbox.faults().inject(Service::S3, "GetObject", 100, Fault::status(503, slow));
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_end(&run, 5, &[]);
    assert_eq!(rehearsal.sandbox.journal().count(Service::S3, "GetObject"), 5, "five tries in all");
    rehearsal.sandbox.faults().clear();
    rehearsal.sandbox.faults().inject(Service::S3, "GetObject", 2, Fault::status(503, slow));
    assert_end(&rehearsal.cleanup(&["--json"]).await.unwrap(), 0, &[("updatedCount", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s05_a_stale_report_stops_the_run_and_one_from_the_future_is_a_warning() {
    let rehearsal = Rehearsal::of(world(1, format!("{REPORT}{}", row(1)))).await.unwrap();
    let date = |offset_s: u64, back: bool| {
        let now = std::fs::metadata(report_path(&rehearsal)).unwrap().modified().unwrap();
        let offset = Duration::from_secs(offset_s);
        let at: SystemTime = if back { now - offset } else { now + offset };
        std::fs::File::options()
            .append(true)
            .open(report_path(&rehearsal))
            .unwrap()
            .set_modified(at)
            .unwrap();
    };
    date(8 * 86_400, true);
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_refused(&rehearsal, &run, &["--max-report-age", "8 days old"]);
    date(18 * 86_400, false);
    let run = rehearsal.cleanup(&["--json"]).await.unwrap();
    assert_end(&run, 0, &[("updatedCount", 1)]);
    assert!(run.stderr.contains("from the future"), "{}", run.stderr);
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn s06_a_packed_report_is_read_whatever_its_name_and_a_bomb_is_refused() {
    let (_, run) = cleanup(1, packed(format!("{REPORT}{}", row(1)).as_bytes())).await;
    assert_end(&run, 0, &[("updatedCount", 1)]);
    let bomb = format!("{REPORT}{}{}", row(1), "\n".repeat(20 << 20));
    let (rehearsal, run) = cleanup(1, packed(bomb.as_bytes())).await;
    assert_refused(&rehearsal, &run, &["packed bytes became"]);
}

/// The most memory that the cleanup held while it read a report of so many rows of foreign channels out of a pipe.
async fn peak_kib_of_a_piped_report(foreign_rows: u64) -> u64 {
    let rehearsal = Rehearsal::of(world(1, row(1))).await.unwrap();
    let pipe = rehearsal.directory().join("report.pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let arguments = ["--json", "--report", pipe.to_str().unwrap()];
    let mut command = command("cms-customid-cleanup", &rehearsal.environment(), &arguments).unwrap();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let written = tokio::task::spawn_blocking(move || {
        let mut report = std::io::BufWriter::new(std::fs::File::options().write(true).open(pipe).unwrap());
        report.write_all(format!("{REPORT}{}", row(1)).as_bytes()).unwrap();
        let mut peak = 0;
        for number in 0..foreign_rows {
            writeln!(report, "v{number:010},UC{number:022},A{number:016},custom-{number}").unwrap();
            if number % 1_000 == 0 {
                peak = peak_kib(&status).unwrap_or(peak);
            }
        }
        report.flush().unwrap();
        peak_kib(&status).unwrap_or(peak)
    });
    let peak = written.await.unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["updatedCount"], json!(1), "{summary}");
    peak
}

/// The kernel's own record of the most memory that a process held.
pub(crate) fn peak_kib(status: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn v14_memory_does_not_grow_with_the_rows_of_foreign_channels_and_no_copy_is_needed() {
    let (few, many) = (peak_kib_of_a_piped_report(2_000).await, peak_kib_of_a_piped_report(200_000).await);
    assert!(few > 0, "the peak was never read");
    assert!(many < few + 8 * 1024, "{few} KiB for 2,000 rows and {many} KiB for 200,000");
    assert!(many < 64 * 1024, "{many} KiB");
}
