//! A refused input leaves everything untouched: exit 4, and the message names file, line, column and remedy.

use dn_sandbox::{Asset, ReportRow, Service, WorldBuilder};
use dn_tests::{Rehearsal, Run};
use serde_json::json;

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

fn sheet_of(bytes: impl Into<Vec<u8>>) -> WorldBuilder {
    WorldBuilder::new().sheet_bytes(bytes)
}

/// A world whose partner channel is stored, with this report.
fn report_of(bytes: impl Into<Vec<u8>>) -> WorldBuilder {
    WorldBuilder::new()
        .stored(CHANNEL, CHANNEL, Some("artist-one"), None)
        .asset(Asset::web("A1000000000000001", "vid00000001"))
        .row(ReportRow::new("vid00000001", CHANNEL).asset("A1000000000000001", "vid00000001"))
        .report_bytes(bytes)
}

fn assert_refused(run: &Run, parts: &[&str]) {
    assert_eq!(run.code, Some(4), "{run:?}");
    for part in parts {
        assert!(run.stderr.contains(part), "{part:?} is not in {}", run.stderr);
    }
}

#[rstest::rstest]
#[case::v06_missing_column("channelID,displayName\nUCaaaaaaaaaaaaaaaaaaaaaa,A\n", &[":1", "customID"])]
#[case::v08_column_twice("channelID,customID,customID,displayName\nUCaaaaaaaaaaaaaaaaaaaaaa,a,b,A\n", &[":1", "customID"])]
#[case::v20_semicolons("channelID;customID;displayName\nUCaaaaaaaaaaaaaaaaaaaaaa;a;A\n", &[":1"])]
#[case::v01_utf16("\u{feff}channelID", &["UTF-16"])]
#[case::s03_header_only("channelID,customID,displayName\n", &["channels_customids.csv"])]
#[case::v04_open_quote("channelID,customID,displayName\n\"UCaaaaaaaaaaaaaaaaaaaaaa,a,A\nUCbbbbbbbbbbbbbbbbbbbbbb,b,B\n", &["quote"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sheet_leaves_the_database_untouched(#[case] sheet: &str, #[case] parts: &[&str]) {
    let bytes = match sheet.strip_prefix('\u{feff}') {
        Some(text) => {
            [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
        }
        None => sheet.as_bytes().to_vec(),
    };
    let rehearsal = Rehearsal::of(sheet_of(bytes)).await.unwrap();
    let run = rehearsal.backfill(&["--log-format", "pretty"]).await.unwrap();
    assert_refused(&run, parts);
    assert!(run.stderr.contains("channels_customids.csv"), "{}", run.stderr);
    assert_eq!(rehearsal.sandbox.journal().count(Service::AppSync, "*"), 0);
    let failed = rehearsal.events("Channel Backfill Failed");
    assert_eq!((failed.len(), &failed[0]["exitCode"]), (1, &json!(4)));
    assert!(rehearsal.sandbox.invocations().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn s03_a_sheet_that_is_not_there_or_empty_is_refused() {
    let rehearsal = Rehearsal::of(sheet_of("")).await.unwrap();
    assert_refused(&rehearsal.backfill(&[]).await.unwrap(), &["empty"]);
    assert_refused(
        &rehearsal.backfill(&["--csv", "/nowhere/sheet.csv"]).await.unwrap(),
        &["/nowhere/sheet.csv"],
    );
}

#[rstest::rstest]
#[case::v06_missing_column("video_id,channel_id,asset_id\nvid00000001,UCaaaaaaaaaaaaaaaaaaaaaa,A1000000000000001\n", &[":1", "custom_id"])]
#[case::s03_header_only("video_id,channel_id,asset_id,custom_id\n", &["video_report"])]
#[case::s03_empty("", &["empty"])]
#[case::cut_off("video_id,channel_id,asset_id,custom_id\nvid00000001,UCaaaaaaaaaaaaaaaaaaaaaa,A1000000000000001,vid00000001\nvid00000002,UCaaaa", &[":3"])]
#[case::another_report("claim_id,channel_id,asset_id,video_id,claim_status,custom_id\nc,UCaaaaaaaaaaaaaaaaaaaaaa,A1000000000000001,vid00000001,ACTIVE,x\n", &["claim"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_report_leaves_the_cms_untouched(#[case] report: &str, #[case] parts: &[&str]) {
    let rehearsal = Rehearsal::of(report_of(report)).await.unwrap();
    let run = rehearsal.cleanup(&["--log-format", "pretty"]).await.unwrap();
    assert_refused(&run, parts);
    assert!(run.stderr.contains("s3://youtube-reporting-main/reports/video_report"), "{}", run.stderr);
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "*"), 0);
    let failed = rehearsal.events("CMS Custom ID Cleanup Failed");
    assert_eq!((failed.len(), &failed[0]["exitCode"]), (1, &json!(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn s03_a_report_that_is_not_there_is_refused() {
    let rehearsal = Rehearsal::of(report_of("x")).await.unwrap();
    let run =
        rehearsal.cleanup(&["--report", "s3://youtube-reporting-main/reports/nothing.csv"]).await.unwrap();
    assert_refused(&run, &["s3://youtube-reporting-main/reports/nothing.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_gzip_report_is_refused_and_a_whole_one_is_read() {
    use std::io::Write as _;
    let whole = "video_id,channel_id,asset_id,custom_id\nvid00000001,UCaaaaaaaaaaaaaaaaaaaaaa,A1000000000000001,vid00000001\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(whole.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();

    let rehearsal = Rehearsal::of(report_of(&packed[..packed.len() - 12])).await.unwrap();
    assert_eq!(rehearsal.cleanup(&[]).await.unwrap().code, Some(4));
    assert!(rehearsal.sandbox.writes().is_empty());

    let rehearsal = Rehearsal::of(report_of(packed)).await.unwrap();
    let run = rehearsal.cleanup(&[]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(rehearsal.sandbox.writes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn g08_a_database_without_partner_channels_stops_the_run() {
    let world =
        WorldBuilder::new().row(ReportRow::new("vid00000001", CHANNEL).asset("A1000000000000001", ""));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.cleanup(&[]).await.unwrap();
    assert_eq!(run.code, Some(6), "{run:?}");
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "*"), 0);
}
