//! The workbook, opened again.

use std::io::{Cursor, Read as _};

use calamine::{Data, Range, Reader as _, Xlsx};

use dn_domain::printable::one_line;

use super::super::sample;
use super::super::tests::flood;
use super::sheet::MAX_CHARS;
use super::*;

fn sheet(bytes: &[u8], name: &str) -> Range<Data> {
    Xlsx::new(Cursor::new(bytes)).unwrap().worksheet_range(name).unwrap()
}

fn workbook(digest: &Digest, changes: &[Change]) -> anyhow::Result<Vec<u8>> {
    begin(changes)?.finish(digest)
}

/// A part of the file as it is written.
fn part(bytes: &[u8], name: &str) -> String {
    let mut text = String::new();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn column(range: &Range<Data>, title: &str) -> usize {
    range.headers().unwrap().iter().position(|header| header == title).unwrap()
}

fn busy() -> Vec<u8> {
    let (digest, changes) = sample::busy();
    workbook(&digest, &changes.rows).unwrap()
}

#[test]
fn every_change_is_a_row_with_numbers_as_numbers_and_ids_as_text() {
    let (digest, changes) = sample::busy();
    let range = sheet(&workbook(&digest, &changes.rows).unwrap(), "Changes");
    assert_eq!(range.height(), changes.rows.len() + 1);
    let cell = |row: usize, title| &range[(row, column(&range, title))];
    for (index, change) in changes.rows.iter().enumerate() {
        let row = index + 1;
        assert_eq!(*cell(row, "Asset"), Data::String(change.asset_id.to_string()));
        let number = |number: Option<u64>| number.map_or(Data::Empty, |number| Data::Float(number as f64));
        assert_eq!((cell(row, "Before"), cell(row, "Now")), (&number(change.before), &number(change.now)));
        assert_eq!(*cell(row, "Title"), Data::String(one_line(&change.title)));
    }
}

#[test]
fn v15_no_sheet_has_a_formula_whatever_the_titles() {
    let bytes = busy();
    let mut workbook = Xlsx::new(Cursor::new(bytes.as_slice())).unwrap();
    let names = workbook.sheet_names();
    assert_eq!(names, ["Summary", "Alerts", "Disputes", "Changes", "Movers", "Quality", "Sources"]);
    for name in names {
        assert!(workbook.worksheet_formula(&name).unwrap().is_empty(), "{name}");
    }
    assert!(format!("{:?}", sheet(&bytes, "Changes")).contains("=HYPERLINK"), "the title is there, as text");
}

#[test]
fn days_are_days_and_shares_and_amounts_are_numbers() {
    let range = sheet(&busy(), "Disputes");
    let first = |title| range[(1, column(&range, title))].clone();
    let Data::DateTime(deadline) = first("Deadline") else { panic!("{:?}", first("Deadline")) };
    assert_eq!(deadline.to_ymd_hms_milli(), (2026, 11, 25, 0, 0, 0, 0));
    assert_eq!(first("Value at risk"), Data::Float(2400.05));
    assert_eq!(first("Risk"), Data::Float(0.65));
    assert_eq!(first("Days left"), Data::Float(2.0));
    assert_eq!(first("Critical"), Data::String("yes".to_owned()));
    let without = &range[(5, column(&range, "Deadline"))];
    assert_eq!(*without, Data::Empty, "a deadline that is not known is no text");
}

#[test]
fn todays_numbers_are_numbers_and_the_findings_on_the_data_have_none() {
    let (mut digest, _) = sample::busy();
    let gone = Alert { evidence: std::collections::BTreeMap::new(), ..digest.alerts[0].clone() };
    digest.alerts = vec![
        digest.alerts.iter().find(|alert| alert.evidence.contains_key("liveViews")).unwrap().clone(),
        gone.clone().because("liveAsOf", "2026-11-23T06:00:00Z").because("liveGone", true),
        gone.because("liveViews", 7),
    ];
    let bytes = workbook(&digest, &[]).unwrap();
    let range = sheet(&bytes, "Alerts");
    let row = |row: usize| TODAY.map(|(title, _)| range[(row, column(&range, title))].clone());
    let number = Data::Float;
    assert_eq!(row(1), [number(24_811_300.0), number(402_118.0), number(1_104_220.0), Data::Empty]);
    assert_eq!(row(2), [Data::String("no longer public".to_owned()), Data::Empty, Data::Empty, Data::Empty]);
    assert_eq!(row(3), [Data::Empty, Data::Empty, Data::Empty, Data::Empty], "of which day nobody says");
    assert_eq!(column(&range, "Evidence"), column(&range, "Comments today") + 1);
    assert!(!sheet(&bytes, "Quality").headers().unwrap().contains(&"Views today".to_owned()));
}

#[test]
fn every_sheet_has_its_header_frozen_and_a_filter_over_its_rows() {
    let bytes = busy();
    for number in 1..=7 {
        let xml = part(&bytes, &format!("xl/worksheets/sheet{number}.xml"));
        assert!(xml.contains("<pane ySplit=\"1\"") && xml.contains("state=\"frozen\""), "sheet {number}");
        assert!(xml.contains("<autoFilter ref=\"A1:") && xml.contains("customWidth=\"1\""), "sheet {number}");
    }
}

#[test]
fn links_lead_to_youtube_alone_and_are_no_more_than_a_sheet_takes() {
    let (digest, _) = sample::busy();
    let changes = sample::changes(7_000);
    let bytes = workbook(&digest, &changes.rows).unwrap();
    let links = |sheet: u8| part(&bytes, &format!("xl/worksheets/_rels/sheet{sheet}.xml.rels"));
    assert_eq!(links(4).matches("/hyperlink\"").count(), 5_000);
    assert_eq!(sheet(&bytes, "Changes").height(), 7_001, "the others stand there without a link");
    for number in [2, 3, 4, 6] {
        for target in links(number).split("Target=\"").skip(1) {
            let is_known = ["https://studio.youtube.com/", "https://www.youtube.com/"];
            assert!(is_known.iter().any(|start| target.starts_with(start)), "{target}");
        }
    }
}

#[test]
fn the_workbook_was_made_when_the_digest_was() {
    let core = part(&busy(), "docProps/core.xml");
    assert_eq!(core.matches("2026-11-23T06:00:00Z").count(), 2, "{core}");
    let (mut digest, _) = sample::busy();
    digest.generated_at = "soon".to_owned();
    assert!(workbook(&digest, &[]).is_err());
}

#[test]
fn changes_that_a_sheet_has_no_room_for_are_counted() {
    let (digest, changes) = sample::busy();
    let bytes = begin_with(&changes.rows, 100).unwrap().finish(&digest).unwrap();
    assert_eq!(sheet(&bytes, "Changes").height(), 101);
    let summary = sheet(&bytes, "Summary");
    let row = summary.rows().find(|row| row[0] == "Changes that no sheet has room for").unwrap();
    assert_eq!(row[1], Data::Float(2_500.0));
}

#[test]
fn texts_too_long_for_a_cell_are_cut() {
    let (mut digest, _) = sample::busy();
    digest.alerts = flood(3);
    digest.alerts[0].reason = "x".repeat(40_000);
    let range = sheet(&workbook(&digest, &[]).unwrap(), "Alerts");
    let Data::String(reason) = &range[(1, column(&range, "Reason"))] else { panic!("no text") };
    assert_eq!(reason.chars().count(), MAX_CHARS + 1);
}
