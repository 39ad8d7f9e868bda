use std::fmt::Write as _;

use rstest::rstest;

use super::*;
use crate::channel_sheet;
use crate::cleanup_plan::{Gathered, LiveAsset, Scan};
use crate::video_report::{ReportLine, VideoReport};

const ALPHA: &str = "UCalpha00000000000000000";
const BRAVO: &str = "UCbravo00000000000000000";
const NAMELESS: &str = "UCnameless00000000000000";
const VIDEO: &str = "video000001";

fn sheet(rows: &[&str]) -> ChannelSheet {
    let text = format!("channelID,customID,displayName\n{}\n", rows.join("\n"));
    channel_sheet::read("sheet.csv", text.as_bytes()).unwrap()
}

fn record(channel_id: &str, custom_id: Option<&str>) -> StoredChannel {
    StoredChannel {
        id: channel_id.to_owned(),
        channel_id: channel_id.to_owned(),
        custom_id: custom_id.map(str::to_owned),
        display_name: None,
        version: None,
    }
}

fn told(drift: &Drift) -> Vec<String> {
    let differences = drift.differences.iter();
    differences.map(|one| format!("{} {}: {}", one.class.as_str(), one.id, one.detail)).collect()
}

#[rstest]
#[case::agree(&["UCalpha00000000000000000,a,"], &[(ALPHA, Some("a"))], None)]
#[case::agree_but_for_blanks(&["UCalpha00000000000000000,a,"], &[(ALPHA, Some(" a "))], None)]
#[case::missing(&["UCalpha00000000000000000,a,"], &[], Some("missing UCalpha00000000000000000: in the sheet (line 2), not in the database"))]
#[case::extra(&[], &[(ALPHA, Some("a"))], Some("extra UCalpha00000000000000000: in the database, not in the sheet"))]
#[case::differs(&["UCalpha00000000000000000,a,"], &[(ALPHA, Some("b"))], Some("differs UCalpha00000000000000000: the sheet (line 2) says a, the database has b"))]
#[case::case_counts(&["UCalpha00000000000000000,a,"], &[(ALPHA, Some("A"))], Some("differs UCalpha00000000000000000: the sheet (line 2) says a, the database has A"))]
#[case::no_custom_id(&["UCalpha00000000000000000,a,"], &[(ALPHA, Some(" "))], Some("differs UCalpha00000000000000000: the sheet (line 2) says a, the database has none"))]
#[case::doubled(&["UCalpha00000000000000000,a,"], &[(ALPHA, Some("a")), (ALPHA, Some("a"))], Some("duplicate UCalpha00000000000000000: 2 records, all with a"))]
#[case::doubled_and_unlike(&["UCalpha00000000000000000,a,"], &[(ALPHA, Some("b")), (ALPHA, None)], Some("duplicate UCalpha00000000000000000: 2 records, which disagree: (none), b"))]
#[case::doubled_outside_the_sheet(&[], &[(ALPHA, Some("a")), (ALPHA, Some("a"))], Some("duplicate UCalpha00000000000000000: 2 records, all with a"))]
#[case::named_by_a_row_to_be_mended(&["UCalpha00000000000000000,a b,"], &[(ALPHA, Some("a"))], None)]
#[case::named_by_rows_that_disagree(&["UCalpha00000000000000000,a,", "UCalpha00000000000000000,b,"], &[(ALPHA, Some("a"))], None)]
#[case::no_channel(&[], &[("x\ny", Some("a"))], Some("extra x\ny: in the database, not in the sheet"))]
fn a_channel_is_in_one_class(
    #[case] rows: &[&str],
    #[case] records: &[(&str, Option<&str>)],
    #[case] expected: Option<&str>,
) {
    let stored: Vec<_> = records.iter().map(|(id, custom_id)| record(id, *custom_id)).collect();
    // A row beside it: a sheet without rows would be refused.
    let rows = [rows, &["UCother00000000000000000,other,"]].concat();
    let stored = [stored, vec![record("UCother00000000000000000", Some("other"))]].concat();
    let drift = Drift::of_channels(&sheet(&rows), &stored, ALL);
    assert_eq!(told(&drift), expected.map(str::to_owned).into_iter().collect::<Vec<_>>());
    let ChannelDriftCounts { missing, extra, differs, duplicate, agree, not_compared } = drift.channels;
    assert_eq!(missing + extra + differs + duplicate + agree + not_compared, 2);
    assert_eq!(missing + extra + differs + duplicate, u64::from(expected.is_some()));
}

#[test]
fn a_filter_leaves_the_channels_that_it_names_on_either_side() {
    let rows = ["UCalpha00000000000000000,a,", "UCbravo00000000000000000,b,"];
    let stored = [record(BRAVO, Some("a")), record(NAMELESS, Some("c"))];
    let found = |target| told(&Drift::of_channels(&sheet(&rows), &stored, target)).len();
    assert_eq!((found(ALL), found("a"), found(ALPHA), found("c"), found("none")), (3, 2, 1, 1, 0));
}

fn asset_drift(rows: &[(&str, &str)], live: &Live<'_>) -> Drift {
    let partners = PartnerChannels::build(
        [(ALPHA, Some("alpha-01")), (BRAVO, Some("bravo-02")), (NAMELESS, None)]
            .map(|(id, custom_id)| record(id, custom_id)),
    );
    let mut text = "video_id,channel_id,asset_id,custom_id\n".to_owned();
    for (video, channel) in rows {
        writeln!(text, "{video},{channel},A000000000000001,").unwrap();
    }
    let mut report = VideoReport::open("report.csv", text.as_bytes()).unwrap();
    let mut scan = Scan::new(&partners);
    while let Some(ReportLine::Row(row)) = report.next_row().unwrap() {
        scan.take(&row).unwrap();
    }
    let Gathered { assets, .. } = scan.finish(&partners.filter("all").unwrap());
    let mut drift = Drift::default();
    drift.take_asset(&assets[0], &partners, live);
    drift
}

fn found(custom_id: Option<&str>) -> Live<'_> {
    let asset_id = crate::id::AssetId::parse("A000000000000001").unwrap();
    Live::Found(LiveAsset { asset_id, asset_type: Some("web"), custom_id, artists: &[] })
}

#[rstest]
#[case::the_channels(&[(VIDEO, ALPHA)], found(Some("alpha-01")), "agree", None)]
#[case::empty(&[(VIDEO, ALPHA)], found(None), "unset", None)]
#[case::blank(&[(VIDEO, ALPHA)], found(Some(" ")), "unset", None)]
#[case::default(&[(VIDEO, ALPHA)], found(Some(VIDEO)), "unset", None)]
#[case::default_of_another_row(&[("video000002", ALPHA), (VIDEO, ALPHA)], found(Some(VIDEO)), "unset", None)]
#[case::another_videos_id(&[(VIDEO, ALPHA)], found(Some("video000009")), "differs", Some("carries video000009, its channel's custom ID is alpha-01"))]
#[case::by_hand(&[(VIDEO, ALPHA)], found(Some("by\nhand")), "differs", Some("carries by\\nhand, its channel's custom ID is alpha-01"))]
#[case::two_custom_ids(&[(VIDEO, ALPHA), (VIDEO, BRAVO)], found(Some("by-hand")), "conflict", None)]
#[case::channel_left_out(&[(VIDEO, NAMELESS)], found(Some("by-hand")), "conflict", None)]
#[case::gone(&[(VIDEO, ALPHA)], Live::Gone, "unreachable", Some("YouTube does not know it any more"))]
#[case::merged(&[(VIDEO, ALPHA)], Live::Merged { into: "A2\n".into() }, "unreachable", Some("merged into A2\\n"))]
#[case::gone_in_conflict(&[(VIDEO, ALPHA), (VIDEO, BRAVO)], Live::Gone, "unreachable", Some("YouTube does not know it any more"))]
fn an_asset_is_in_one_class(
    #[case] rows: &[(&str, &str)],
    #[case] live: Live<'_>,
    #[case] count: &str,
    #[case] detail: Option<&str>,
) {
    let drift = asset_drift(rows, &live);
    let counts = serde_json::to_value(drift.assets).unwrap();
    for (name, value) in counts.as_object().unwrap() {
        assert_eq!(value, u64::from(name == count), "{counts}");
    }
    assert_eq!(drift.differences.first().map(|one| one.detail.as_str()), detail);
}
