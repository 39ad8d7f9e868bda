use super::header::edit_distance;
use super::records::BUFFER_BYTES;
use super::*;
use rstest::rstest;
use std::io;

/// A source without end, which must never be read to its end.
struct Endless {
    start: &'static [u8],
    given: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = self.start.get(self.given).copied().unwrap_or(b'x');
            self.given += 1;
        }
        Ok(buffer.len())
    }
}

fn read_all<R: Read>(source: R) -> Result<Vec<Vec<Vec<u8>>>, Refusal> {
    let mut table = Table::open("x.csv", source)?;
    let mut rows = Vec::new();
    while table.next()? != Next::End {
        rows.push(table.cells().to_fields());
    }
    table.check_end()?;
    Ok(rows)
}

#[test]
fn v04_a_quote_that_swallows_an_endless_file_is_stopped_early() {
    let mut source = Endless { start: b"a,b\n1,2\n3,\"", given: 0 };
    let refusal = read_all(&mut source).unwrap_err();
    insta::assert_snapshot!(refusal, @"x.csv:3: a cell of the record that begins here passes 65536 bytes. Most likely a quote in it is never closed: close it, or fetch the file again.");
    assert!(source.given <= 3 * BUFFER_BYTES, "{} bytes were read", source.given);
}

#[test]
fn v04_a_record_of_endless_small_cells_is_stopped_early() {
    let mut text = b"a,b\n1".to_vec();
    text.extend_from_slice(&b",y".repeat(2 * MAX_RECORD_BYTES));
    let refusal = read_all(text.as_slice()).unwrap_err();
    insta::assert_snapshot!(refusal, @"x.csv:2: the record that begins here passes 1048576 bytes. Most likely a quote in it is never closed: close it, or fetch the file again.");
    assert!(matches!(refusal.kind, RefusalKind::TooLarge));
}

#[test]
fn a_cell_of_the_greatest_size_is_taken() {
    let text = format!("a,b\n1,\"{}\"\n", "z\n".repeat(MAX_FIELD_BYTES / 2));
    assert_eq!(read_all(text.as_bytes()).unwrap()[0][1].len(), MAX_FIELD_BYTES);
    let text = format!("a,b\n1,\"{}\"\n", "z".repeat(MAX_FIELD_BYTES + 1));
    assert!(matches!(read_all(text.as_bytes()).unwrap_err().kind, RefusalKind::TooLarge));
}

#[rstest]
#[case("a,b\n1,2", 1)]
#[case("a,b\n1,\"2\"", 1)]
#[case("a,b\n1,", 1)]
#[case("a,b\n1,2\r", 1)]
#[case("a,b\n1,2\n3,\"\"", 2)]
fn v02_a_last_row_without_its_line_end_is_whole(#[case] text: &str, #[case] rows: usize) {
    assert_eq!(read_all(text.as_bytes()).unwrap().len(), rows);
}

#[rstest]
#[case("a,b\n1,\"")]
#[case("a,b\n1,\"2")]
#[case("a,b\n1,\"2\"\"")]
#[case("a,\"b")]
fn v04_a_quote_open_at_the_end_is_refused(#[case] text: &str) {
    assert!(matches!(read_all(text.as_bytes()).unwrap_err().kind, RefusalKind::Truncated));
}

#[test]
fn s01_a_failed_read_is_refused_with_its_line_and_its_cause() {
    struct Failing(bool);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::new(io::ErrorKind::ConnectionReset, "cut off by the store"));
            }
            buffer[..10].copy_from_slice(b"a,b\n1,2\n3,");
            Ok(10)
        }
    }
    let refusal = read_all(Failing(false)).unwrap_err();
    insta::assert_snapshot!(refusal, @"x.csv:3: reading failed: cut off by the store. Nothing was written; run again once the file can be read to its end.");
    match &refusal.kind {
        RefusalKind::Unreadable(cause) => assert_eq!(cause.kind(), io::ErrorKind::ConnectionReset),
        kind => panic!("{kind:?}"),
    }
}

#[rstest]
#[case("Channel ID", "channelID")]
#[case("\u{feff} channel_id ", "channelID")]
#[case("VIDEO TITLE", "video_title")]
fn v07_names_are_compared_without_case_spaces_and_blanks(#[case] header: &str, #[case] column: &str) {
    assert_eq!(column_key(header), column_key(column));
}

#[rstest]
#[case("customid", "customid", 0)]
#[case("custmid", "customid", 1)]
#[case("cusotmid", "customid", 2)]
#[case("", "abc", 3)]
fn the_nearest_name_is_told_by_its_changes(#[case] a: &str, #[case] b: &str, #[case] changes: usize) {
    assert_eq!(edit_distance(a, b), changes);
    assert_eq!(edit_distance(b, a), changes);
}

/// Gives one byte at a time, so that no record ever stands whole in the buffer.
struct Bytewise<'a>(&'a [u8]);

impl Read for Bytewise<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(1);
        self.0.read(&mut buffer[..count])
    }
}

type Seen = (bool, u64, u64, Vec<Vec<u8>>, u64);

fn seen(source: impl Read) -> (Vec<Seen>, Option<String>) {
    let mut rows = Vec::new();
    let read = || -> Result<(), Refusal> {
        let mut table = Table::open("x.csv", source)?;
        loop {
            let next = table.next()?;
            if next == Next::End {
                return table.check_end();
            }
            let (cells, place) = (table.cells(), table.place());
            let is_row = next == Next::Row;
            rows.push((is_row, place.record, place.line, cells.to_fields(), cells.fingerprint()));
        }
    };
    let refused = read().err().map(|refusal| refusal.to_string());
    (rows, refused)
}

fn seen_at_once(source: impl Read) -> (Vec<Seen>, Option<String>) {
    let mut seen = Vec::new();
    let read = || -> Result<(), Refusal> {
        let mut table = Table::open("x.csv", source)?;
        let mut rows = Rows::default();
        let mut misfits = 0;
        loop {
            table.fill(&mut rows)?;
            if rows.is_empty() {
                return table.check_split(misfits);
            }
            misfits += rows.split();
            seen.extend((0..rows.len()).filter_map(|index| rows.line(index)).map(|line| match line {
                Line::Row(cells, place) => {
                    (true, place.record, place.line, cells.to_fields(), cells.fingerprint())
                }
                Line::Misfit(bad) => {
                    (false, bad.record, bad.line, bad.cells.to_fields(), bad.cells.fingerprint())
                }
            }));
        }
    };
    let refused = read().err().map(|refusal| refusal.to_string());
    (seen, refused)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_row_reads_the_same_with_and_without_the_short_way(text in "(a,b,c\n)?([ab]{0,9}|,|,|,|\"|\r|\n|\r\n|\n| |\u{a0}){0,60}") {
        let by_grammar = seen(Bytewise(text.as_bytes()));
        proptest::prop_assert_eq!(&seen(text.as_bytes()), &by_grammar);
        // What is read at once is refused before its last rows are handed on.
        let (rows, refused) = seen_at_once(text.as_bytes());
        proptest::prop_assert_eq!(&refused, &by_grammar.1);
        let is_whole = rows.len() == by_grammar.0.len();
        proptest::prop_assert!(by_grammar.0.starts_with(&rows) && (is_whole || refused.is_some()));
    }
}

#[test]
fn borders_are_found_wherever_they_stand_in_a_word() {
    // Longer than what is looked at together, and with more commas than are put down together.
    for length in [0, 1, 63, 64, 65, 127, 128, 129, 1_000] {
        let line = b",x,".iter().copied().cycle().take(length).chain([b'y']).collect::<Vec<u8>>();
        let (rows, _) = seen([b"a\n".as_slice(), &line, b"\n"].concat().as_slice());
        let expected: Vec<Vec<u8>> = line.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect();
        assert_eq!(rows[0].3, expected);
    }
    for commas in 0_u32..1 << 9 {
        let line: Vec<u8> = (0..9)
            .flat_map(|place| if commas >> place & 1 == 1 { &b","[..] } else { &b"-\xac\x2d"[..=place % 3] })
            .copied()
            .collect();
        let line = [b"x".as_slice(), &line].concat();
        let text = [b"a\n".as_slice(), &line, b"\n"].concat();
        let (rows, _) = seen(text.as_slice());
        let expected: Vec<Vec<u8>> = line.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect();
        assert_eq!(rows[0].3, expected);
    }
}
