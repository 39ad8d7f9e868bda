use std::fmt::Write as _;

use super::*;
use crate::refusal::RefusalKind;
use crate::reject_sheet::RejectSheet;
use proptest::prelude::*;
use rstest::rstest;

fn fixture(name: &str) -> &'static [u8] {
    crate::fixture::fixture(&format!("channel_sheet/{name}"))
}

fn read_fixture(name: &str) -> Result<ChannelSheet, Refusal> {
    read(name, fixture(name))
}

fn refused(name: &str) -> String {
    read_fixture(name).unwrap_err().to_string()
}

fn channel(name: &str) -> String {
    format!("UC{name:0<22}")
}

/// What a sheet says about its channels, without where it says so.
fn said(sheet: &ChannelSheet) -> Vec<(String, String, Option<String>)> {
    sheet
        .rows
        .iter()
        .map(|row| (row.channel_id.to_string(), row.custom_id.to_string(), row.display_name.clone()))
        .collect()
}

fn rejects(sheet: &ChannelSheet) -> String {
    let lines: Vec<String> = sheet
        .rejects
        .iter()
        .map(|reject| {
            let column = reject.column.as_deref().unwrap_or("-");
            format!("{} (row {}) {column} {}: {}", reject.line, reject.record, reject.code, reject.reason)
        })
        .collect();
    lines.join("\n")
}

#[rstest]
#[case::v01_a_byte_order_mark_and_v02_crlf("bom_and_crlf.csv")]
#[case::v02_lone_cr("lone_cr.csv")]
#[case::v02_mixed_line_ends_and_no_last_one("mixed_line_ends_and_blank_lines.csv")]
fn v02_the_same_rows_whatever_the_line_ends(#[case] name: &str) {
    let sheet = read_fixture(name).unwrap();
    assert_eq!(said(&sheet), said(&read_fixture("plain.csv").unwrap()));
    assert_eq!((sheet.total_count, sheet.rejects.len()), (3, 0));
    assert_eq!(sheet.headers, COLUMNS);
}

#[test]
fn v02_lines_are_counted_as_an_editor_counts_them() {
    let lines = |name| read_fixture(name).unwrap().rows.iter().map(|row| row.line).collect::<Vec<_>>();
    assert_eq!(lines("lone_cr.csv"), [2, 3, 4]);
    assert_eq!(lines("bom_and_crlf.csv"), [2, 3, 4]);
    assert_eq!(lines("mixed_line_ends_and_blank_lines.csv"), [3, 5, 8]);
}

#[test]
fn v03_quotes_and_line_breaks_in_names_keep_record_and_line_right() {
    let sheet = read_fixture("quoted_names_with_line_breaks.csv").unwrap();
    let names: Vec<_> = sheet.rows.iter().map(|row| row.display_name.as_deref().unwrap()).collect();
    assert_eq!(names, ["Alpha, \"Live\"\nat Home", "Bravo\r\n\r\nand Sons", "Charlie"]);
    let places: Vec<_> = sheet.rows.iter().map(|row| (row.record, row.line)).collect();
    assert_eq!(places, [(1, 2), (2, 4), (3, 7)]);
}

#[test]
fn v07_columns_are_found_by_name_in_any_order_case_and_spacing() {
    let sheet = read_fixture("reordered_renamed_and_extra_columns.csv").unwrap();
    assert_eq!(said(&sheet), said(&read_fixture("plain.csv").unwrap()));
    let fields: Vec<&[u8]> = sheet.rows[2].fields.iter().map(Vec::as_slice).collect();
    assert_eq!(fields, [b"Charlie".as_slice(), b"a,b", b"charlie-03", channel("charlie").as_bytes()]);
}

#[test]
fn s03_an_empty_sheet_is_not_no_channels() {
    insta::assert_snapshot!(refused("empty.csv"), @"empty.csv: the file is empty. An empty file is not the same as no rows: fetch or export it again.");
    insta::assert_snapshot!(refused("header_only.csv"), @"header_only.csv:1: the file has a header and no row. An empty report is not the same as no rows: fetch or export it again.");
    let blank_lines = read("blank", "\n\r\n\n".as_bytes()).unwrap_err();
    assert!(matches!(blank_lines.kind, RefusalKind::Empty));
}

#[test]
fn v01_utf16_is_refused() {
    insta::assert_snapshot!(refused("utf16.csv"), @r#"utf16.csv:1: the file is UTF-16, as its first two bytes say. Save it as UTF-8 CSV (in Excel: "CSV UTF-8")."#);
    let refusal = read("utf16", &fixture("utf16.csv")[2..]).unwrap_err();
    assert!(matches!(refusal.kind, RefusalKind::Encoding), "{refusal}");
}

#[test]
fn v04_a_quote_never_closed_is_refused_at_the_line_where_it_opens() {
    insta::assert_snapshot!(refused("unclosed_quote.csv"), @"unclosed_quote.csv:3: the file ends inside a quoted cell of the record that begins here. Close the quote, or fetch the file again if it was cut off.");
}

#[test]
fn v06_a_missing_column_is_refused_with_what_was_found() {
    insta::assert_snapshot!(refused("missing_custom_id_column.csv"), @r#"missing_custom_id_column.csv:1: column "customID": the required column is missing; found: "channelID", "custom_di", "displayName". Did "custom_di" mean it? Rename that column or add the missing one."#);
    let none_near = read("x.csv", "channelID,payee,displayName\n".as_bytes()).unwrap_err().to_string();
    assert!(none_near.ends_with("Add the column, or give the file that has it."), "{none_near}");
}

#[test]
fn v08_a_required_column_that_is_there_twice_is_refused() {
    insta::assert_snapshot!(refused("custom_id_column_twice.csv"), @r#"custom_id_column_twice.csv:1: column "customID": the column stands in the header twice, as field 2 and 4. Remove or rename one of the two, so that it is clear which one counts."#);
    let note_twice = format!("note,channelID,customID,displayName,note\n,{},a,,\n", channel("a"));
    assert_eq!(read("x.csv", note_twice.as_bytes()).unwrap().rows.len(), 1);
}

#[test]
fn v20_another_delimiter_is_named() {
    insta::assert_snapshot!(refused("semicolons.csv"), @r#"semicolons.csv:1: column "channelID": the cells are separated by semicolons, not by commas. Export the file with commas as separators (found ";" in the header)."#);
    insta::assert_snapshot!(refused("tabs.csv"), @r#"tabs.csv:1: column "channelID": the cells are separated by tabs, not by commas. Export the file with commas as separators (found "\t" in the header)."#);
}

#[test]
fn v09_a_short_row_is_rejected_and_never_shifted() {
    let sheet = read_fixture("short_row.csv").unwrap();
    insta::assert_snapshot!(rejects(&sheet), @"3 (row 2) - wrong_field_count: the row has 2 fields, the header 3");
    assert_eq!(sheet.rows.len(), 2);
}

#[test]
fn v09_more_than_one_row_in_a_hundred_with_a_wrong_number_of_fields_is_refused() {
    insta::assert_snapshot!(refused("many_short_and_long_rows.csv"), @"many_short_and_long_rows.csv: 2 of 3 rows have another number of fields than the header (3). More than 1 % means that the file is damaged or has unquoted commas: export it again.");
}

#[rstest]
#[case(1, 1, true)]
#[case(2, 50, false)]
#[case(2, 199, false)]
#[case(2, 200, true)]
#[case(3, 299, false)]
#[case(3, 300, true)]
fn v09_the_share_is_judged_over_the_whole_file(
    #[case] short: usize,
    #[case] total: usize,
    #[case] taken: bool,
) {
    let mut text = COLUMNS.join(",") + "\n";
    for number in 0..total {
        let name = if number < short { "" } else { ",name" };
        writeln!(text, "UC{number:022},id-{number}{name}").unwrap();
    }
    let result = read("x.csv", text.as_bytes());
    assert_eq!(result.is_ok(), taken, "{result:?}");
}

#[test]
fn v10_v11_the_same_again_collapses_and_rows_that_disagree_are_all_rejected() {
    let sheet = read_fixture("duplicate_and_conflicting_rows.csv").unwrap();
    assert_eq!(said(&sheet), [(channel("alpha"), "alpha-01".to_owned(), Some("Alpha".to_owned()))]);
    assert_eq!((sheet.total_count, sheet.duplicate_count, sheet.blank_count), (8, 1, 2));
    insta::assert_snapshot!(rejects(&sheet), @r#"
    3 (row 2) - conflicting_rows: other rows disagree about channel UCbravo00000000000000000: line 5 says bravo-99
    5 (row 4) - conflicting_rows: other rows disagree about channel UCbravo00000000000000000: line 3 says bravo-02
    6 (row 5) - conflicting_rows: other rows disagree about channel UCcharlie000000000000000: line 7 names it "Charles"
    7 (row 6) - conflicting_rows: other rows disagree about channel UCcharlie000000000000000: line 6 names it "Charlie"
    "#);
}

#[test]
fn v12_one_custom_id_for_two_channels_is_taken_with_a_warning() {
    let sheet = read_fixture("shared_custom_id.csv").unwrap();
    assert_eq!(sheet.rows.len(), 3);
    insta::assert_debug_snapshot!(sheet.warnings, @r#"
    [
        "the custom ID shared is given to 2 channels: UCalpha00000000000000000 (line 2), UCbravo00000000000000000 (line 3)",
    ]
    "#);
}

#[test]
fn v17_what_a_spreadsheet_made_of_an_id_is_rejected_with_the_way_back() {
    let sheet = read_fixture("spreadsheet_artefacts.csv").unwrap();
    assert_eq!(said(&sheet), [(channel("golf"), "12E5".to_owned(), Some("Golf".to_owned()))]);
    insta::assert_snapshot!(rejects(&sheet), @r#####"
    2 (row 1) customID spreadsheet_artefact: "1.23E+11" is a number in a spreadsheet's scientific notation: format the column as text and enter the id again
    3 (row 2) customID spreadsheet_artefact: "="123"" is a spreadsheet formula: give the bare value, without the = and the quotes
    4 (row 3) customID spreadsheet_artefact: "#N/A" is a spreadsheet's error value: the formula behind it found nothing
    5 (row 4) customID spreadsheet_artefact: "####" is what a spreadsheet shows when a column is too narrow: widen it and export again
    6 (row 5) customID spreadsheet_artefact: "'00042" is marked as text by a spreadsheet's apostrophe: remove it
    7 (row 6) channelID spreadsheet_artefact: "#REF!" is a spreadsheet's error value: the formula behind it found nothing
    "#####);
}

#[test]
fn v17_blanks_around_ids_are_taken_off_and_an_empty_name_is_none() {
    let sheet = read_fixture("blanks_around_ids.csv").unwrap();
    assert_eq!(
        said(&sheet),
        [
            (channel("alpha"), "alpha-01".to_owned(), Some("Alpha".to_owned())),
            (channel("bravo"), "bravo-02".to_owned(), None),
        ]
    );
}

#[test]
fn v05_bad_utf8_in_a_name_is_replaced_and_in_an_id_rejected() {
    let sheet = read_fixture("bad_utf8.csv").unwrap();
    assert_eq!(sheet.rows[0].display_name.as_deref(), Some("Alph\u{fffd}"));
    assert_eq!(sheet.rows.len(), 2);
    insta::assert_snapshot!(rejects(&sheet), @r#"3 (row 2) customID bad_utf8: "brav\xf6-02" is not UTF-8"#);
    insta::assert_debug_snapshot!(sheet.warnings, @r#"
    [
        "line 2: the displayName of UCalpha00000000000000000 is not UTF-8; bad bytes were replaced",
    ]
    "#);
}

#[test]
fn v15_ids_keep_to_their_grammar() {
    let sheet = read_fixture("bad_ids.csv").unwrap();
    assert_eq!(sheet.rows.len(), 1);
    insta::assert_snapshot!(rejects(&sheet), @r#"
    2 (row 1) customID custom_id_empty: the custom ID is empty
    3 (row 2) customID custom_id_invalid: the custom ID "bravo 02" has the character ' ' at position 6; only A-Z a-z 0-9 - _ . @ / are allowed
    4 (row 3) customID custom_id_invalid: the custom ID "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" is 65 bytes long; YouTube takes at most 64
    5 (row 4) channelID channel_id_invalid: "UCshort" is not a channel ID (UC and 22 characters of A-Z a-z 0-9 _ -)
    "#);
}

#[test]
fn v16_a_hostile_name_is_kept_as_it_is_and_no_message_breaks() {
    let sheet = read_fixture("hostile_names.csv").unwrap();
    let names: Vec<_> = sheet.rows.iter().map(|row| row.display_name.as_deref().unwrap()).collect();
    assert_eq!(names, ["=cmd|' /C calc'!A0", "Bravo\nERROR payout sent", "Char\u{202e}lie"]);
    assert!(sheet.warnings.is_empty());
}

#[test]
fn a_sheet_whose_every_row_is_rejected_is_still_a_sheet() {
    let sheet = read("x.csv", "channelID,customID,displayName\nUCx,y,z\n".as_bytes()).unwrap();
    assert_eq!((sheet.rows.len(), sheet.rejects.len()), (0, 1));
}

#[test]
fn rejects_mended_and_fed_back_are_taken() {
    let sheet = read_fixture("spreadsheet_artefacts.csv").unwrap();
    let mut rejected = RejectSheet::new(Vec::new(), &sheet.headers).unwrap();
    for reject in &sheet.rejects {
        rejected.write(&reject.fields, reject.code, &reject.reason).unwrap();
    }
    let text = String::from_utf8(rejected.finish().unwrap()).unwrap();
    let unmended = read("rejects.csv", text.as_bytes()).unwrap();
    assert_eq!((unmended.rows.len(), unmended.rejects.len()), (0, 6));
    let mended = text.replace("1.23E+11", "123000000000").replace("#N/A", "charlie-03");
    let mended = read("rejects.csv", mended.as_bytes()).unwrap();
    assert_eq!((mended.rows.len(), mended.rejects.len()), (2, 4));
}

/// A source that gives as little as it likes.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[rstest]
fn the_size_of_the_reads_changes_nothing(
    #[values(
        "bom_and_crlf.csv",
        "lone_cr.csv",
        "mixed_line_ends_and_blank_lines.csv",
        "quoted_names_with_line_breaks.csv",
        "duplicate_and_conflicting_rows.csv"
    )]
    name: &str,
    #[values(1, 2, 7)] size: usize,
) {
    assert_eq!(read(name, Dribble(fixture(name), size)).unwrap(), read_fixture(name).unwrap());
}

fn reconciles(sheet: &ChannelSheet) -> bool {
    sheet.rows.len() as u64 + sheet.rejects.len() as u64 + sheet.duplicate_count + sheet.blank_count
        == sheet.total_count
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" ".to_owned()),
        "UC[ab]{22}",
        "[a-c]{1,3}",
        "\"[a-z,\n\r]{0,6}\"",
        ".{0,8}"
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, size in 1_usize..40) {
        let mut text = b"channelID,customID,displayName\n".to_vec();
        text.extend(bytes.iter());
        for input in [bytes, text] {
            if let Ok(sheet) = read("x.csv", Dribble(&input, size)) {
                prop_assert!(reconciles(&sheet));
            }
        }
    }

    #[test]
    fn l04_every_row_is_in_exactly_one_part(rows in prop::collection::vec((cell(), cell(), cell()), 1..40)) {
        let mut text = COLUMNS.join(",") + "\n";
        for (a, b, c) in &rows {
            writeln!(text, "{a},{b},{c}").unwrap();
        }
        if let Ok(sheet) = read("x.csv", text.as_bytes()) {
            prop_assert!(reconciles(&sheet), "{sheet:?}");
            let channels: std::collections::HashSet<_> = sheet.rows.iter().map(|row| row.channel_id).collect();
            prop_assert_eq!(channels.len(), sheet.rows.len());
        }
    }

    #[test]
    fn v03_the_line_of_each_row_is_where_its_text_begins(
        rows in prop::collection::vec(("[a-z\n\r,\"]{0,12}", prop_oneof![Just("\n"), Just("\r"), Just("\r\n")], 0_usize..3), 1..20)
    ) {
        let mut text = COLUMNS.join(",") + "\n";
        let mut begins = Vec::new();
        for (number, (name, end, blank_lines)) in rows.iter().enumerate() {
            begins.push(text.len());
            write!(text, "UC{number:022},id,\"x{}\"", name.replace('"', "\"\"")).unwrap();
            // After a lone CR the next CR LF or CR would still be another line; LF alone would not.
            text += &end.repeat(blank_lines + 1);
        }
        let sheet = read("x.csv", text.as_bytes()).unwrap();
        let lines: Vec<u64> = sheet.rows.iter().map(|row| row.line).collect();
        let counted: Vec<u64> = begins.iter().map(|begin| {
            let before = text[..*begin].replace("\r\n", "\n").replace('\r', "\n");
            before.matches('\n').count() as u64 + 1
        }).collect();
        prop_assert_eq!(lines, counted);
    }
}
