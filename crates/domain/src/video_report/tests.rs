use super::*;
use crate::fixture::fixture;
use crate::refusal::RefusalKind;
use proptest::prelude::*;
use rstest::rstest;

fn refused(name: &str) -> Refusal {
    let mut report = match VideoReport::open(name, fixture(name)) {
        Ok(report) => report,
        Err(refusal) => return refusal,
    };
    loop {
        match report.next_row() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("{name} was taken"),
            Err(refusal) => return refusal,
        }
    }
}

/// One line per row: place, ids and assets with their reported custom IDs.
fn shown(bytes: &[u8]) -> String {
    let mut report = VideoReport::open("x.csv", bytes).unwrap();
    let mut lines = Vec::new();
    while let Some(line) = report.next_row().unwrap() {
        lines.push(match line {
            ReportLine::Row(row) => {
                let assets: Vec<String> = row
                    .assets()
                    .map(|(asset, custom_id)| {
                        let custom_id = custom_id.map_or("unknown".into(), String::from_utf8_lossy);
                        format!("{}={custom_id}", String::from_utf8_lossy(asset))
                    })
                    .collect();
                format!("{}:{} views {:?} [{}]", row.record(), row.line(), row.views(), assets.join(" "))
            }
            ReportLine::Bad(bad) => format!("{}:{} {}", bad.record(), bad.line(), bad.code),
        });
    }
    lines.join("\n")
}

#[test]
fn v03_rows_come_with_record_and_line_whatever_their_titles_hold() {
    insta::assert_snapshot!(shown(fixture("video_report/small.csv")), @r"
    1:2 views Some(1000) [A000000000000001=vid1_______]
    2:3 views Some(500) [A000000000000002=alpha-01]
    3:5 views Some(70) [A000000000000003=]
    4:6 views Some(9) [A000000000000004=vid4_______]
    5:7 views Some(60) [A000000000000005=set-by-hand]
    6:8 views Some(5) []
    ");
}

#[test]
fn lists_are_paired_by_position_and_left_unpaired_where_their_lengths_differ() {
    insta::assert_snapshot!(shown(fixture("video_report/lists.csv")), @r"
    1:2 views Some(10) [A000000000000001=vid1_______ A000000000000002=by-hand]
    2:3 views Some(10) [A000000000000003=unknown A000000000000004=unknown]
    3:4 views Some(10) [A000000000000005=alpha-01 oldAsset_-1=]
    ");
}

#[test]
fn v15_v16_hostile_titles_are_data() {
    let mut report = VideoReport::open("x.csv", fixture("video_report/hostile_titles.csv")).unwrap();
    let mut titles = Vec::new();
    while let Some(line) = report.next_row().unwrap() {
        if let ReportLine::Row(row) = line {
            titles.push(row.title().into_owned());
        }
    }
    assert_eq!(
        titles,
        ["=HYPERLINK(\"http://x\",\"y\")", "a\nERROR b\r\nc", "\u{fffd}\u{fffd} \u{0}\u{1b}[31m \u{202e}"]
    );
}

#[test]
fn s03_a_report_without_a_row_is_refused_when_its_end_is_seen() {
    let refusal = refused("video_report/header_only.csv");
    assert!(matches!(refusal.kind, RefusalKind::HeaderOnly));
    assert!(matches!(refused("channel_sheet/empty.csv").kind, RefusalKind::Empty));
}

#[test]
fn s01_a_report_that_stops_inside_a_row_is_refused() {
    insta::assert_snapshot!(refused("video_report/cut_off.csv"), @"video_report/cut_off.csv:7: the file stops inside row 5: 4 of 8 fields and no end of line. Fetch the file again; this copy is incomplete.");
}

#[test]
fn another_report_is_named_for_what_it_is() {
    insta::assert_snapshot!(refused("claim_report/small.csv"), @"claim_report/small.csv:1: this looks like a claim report (content_owner_active_claims), not like a video report (content_owner_video_metadata). Give each report under its own setting.");
    insta::assert_snapshot!(refused("asset_report/small.csv"), @"asset_report/small.csv:1: this looks like an asset report (content_owner_asset), not like a video report (content_owner_video_metadata). Give each report under its own setting.");
    insta::assert_snapshot!(refused("channel_sheet/plain.csv"), @"channel_sheet/plain.csv:1: this looks like a channel sheet (channelID, customID, displayName), not like a video report (content_owner_video_metadata). Give each report under its own setting.");
}

#[rstest]
fn v06_a_missing_column_is_refused_before_any_row(#[values(0, 1, 2, 3)] missing: usize) {
    let mut columns = REQUIRED.to_vec();
    let name = columns.remove(missing);
    let text = format!("{}\n1,2,3\n", columns.join(","));
    // Without both ids of video and asset what is left is a channel sheet's header at most.
    let refusal = VideoReport::open("x.csv", text.as_bytes()).err().unwrap();
    assert!(matches!(refusal.kind, RefusalKind::MissingColumn), "{refusal}");
    assert_eq!(refusal.column.as_deref(), Some(name));
}

#[test]
fn the_columns_as_youtube_writes_them_are_recognised() {
    assert!(REQUIRED.iter().all(|name| COLUMNS.contains(name)));
    let text = format!("{}\n{}\n", COLUMNS.join(","), ",".repeat(COLUMNS.len() - 1).replacen(',', "v,", 1));
    assert_eq!(shown(text.as_bytes()), "1:2 views None []");
}

#[rstest]
#[case("12", Some(12))]
#[case(" 12 ", Some(12))]
#[case("", None)]
#[case("1,200", None)]
#[case("-1", None)]
#[case("NaN", None)]
#[case("18446744073709551616", None)]
fn v19_views_are_whole_numbers_or_unknown(#[case] cell: &str, #[case] views: Option<u64>) {
    let text = format!("video_id,channel_id,asset_id,custom_id,views\na,b,c,d,\"{cell}\"\n");
    assert_eq!(shown(text.as_bytes()), format!("1:2 views {views:?} [c=d]"));
}

#[test]
fn what_the_weekly_report_needs_is_read_where_it_is_there_and_named_where_it_is_not() {
    let text = "video_id,channel_id,asset_id,custom_id,views,time_published\na,b,c,d,7,2026-01-02\n";
    let mut report = VideoReport::open("x.csv", text.as_bytes()).unwrap();
    assert!(report.missing_columns().contains(&"engaged_views"));
    let Some(ReportLine::Row(row)) = report.next_row().unwrap() else { panic!("no row") };
    assert_eq!(row.number(VideoColumn::Views), Ok(Some(7)));
    assert_eq!(row.number(VideoColumn::EngagedViews), Ok(None));
    assert_eq!(row.cell(VideoColumn::Published), b"2026-01-02");
}

#[test]
fn v09_a_misfit_keeps_its_cells_for_the_rejects() {
    let text = "video_id,channel_id,asset_id,custom_id\na,\"b,b\"\na,b,c,d\n";
    let mut report = VideoReport::open("x.csv", text.as_bytes()).unwrap();
    match report.next_row().unwrap().unwrap() {
        ReportLine::Bad(bad) => {
            assert_eq!(bad.cells().to_fields(), [b"a".to_vec(), b"b,b".to_vec()]);
            assert_eq!(bad.reason, "the row has 2 fields, the header 4");
        }
        ReportLine::Row(_) => panic!("the row was taken"),
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        let mut text = b"video_id,channel_id,asset_id,custom_id\n".to_vec();
        text.extend(bytes);
        if let Ok(mut report) = VideoReport::open("x.csv", text.as_slice()) {
            while let Ok(Some(line)) = report.next_row() {
                if let ReportLine::Row(row) = line {
                    let _ = (row.video_id(), row.channel_id(), row.views(), row.title(), row.assets().count());
                }
            }
        }
    }

    #[test]
    fn a_list_of_assets_comes_back_as_it_was_joined(
        pairs in prop::collection::vec(("[A-Z0-9]{1,12}", "[a-z]{0,5}"), 1..6)
    ) {
        let assets: Vec<_> = pairs.iter().map(|(asset, _)| asset.as_str()).collect();
        let custom_ids: Vec<_> = pairs.iter().map(|(_, custom_id)| custom_id.as_str()).collect();
        let text = format!(
            "video_id,channel_id,asset_id,custom_id\nv,c,{},{}\n",
            assets.join("|"),
            custom_ids.join("|")
        );
        let mut report = VideoReport::open("x.csv", text.as_bytes()).unwrap();
        let Some(ReportLine::Row(row)) = report.next_row().unwrap() else { panic!("no row") };
        let read: Vec<(String, String)> = row
            .assets()
            .map(|(a, c)| (String::from_utf8_lossy(a).into_owned(), String::from_utf8_lossy(c.unwrap()).into_owned()))
            .collect();
        prop_assert_eq!(read, pairs);
    }
}
