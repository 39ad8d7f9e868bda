//! One reader for every header-named CSV of the suite.
//!
//! Columns are found by name, in any order, extra ones ignored; rows stream through one reused buffer. The reader
//! stands on `csv-core` and not on `csv` because of three things an operator needs: the physical line of a record
//! also where lines end in a lone CR or cells hold line breaks, an end to an unclosed quote long before it has
//! swallowed the file, and the certainty whether the last record was complete.

use std::io::{self, Read};

use csv_core::ReadRecordResult;

use crate::printable::{printable, trim_blanks};
use crate::refusal::{Refusal, RefusalKind};

/// The most bytes of one record. YouTube's widest rows stay under 20 KiB; an unclosed quote passes this at once.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// The most bytes of one cell. The longest real cells are `|` lists of a few hundred ids.
pub const MAX_FIELD_BYTES: usize = 64 * 1024;
/// How much is asked from the source at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// The cells of one row, borrowed from the reader.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    /// How many cells the row has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the row has no cell at all, which no row of a file has.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The exact bytes of one cell, quotes undone.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(index)?;
        let start = match index {
            0 => 0,
            _ => *self.ends.get(index - 1)?,
        };
        self.bytes.get(start..end)
    }

    /// All cells in the order of the input's columns.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let cells = *self;
        (0..cells.len()).map(move |index| cells.get(index).unwrap_or_default())
    }

    /// The exact bytes of all cells, to be kept beyond the row.
    pub fn to_fields(&self) -> Vec<Vec<u8>> {
        self.iter().map(<[u8]>::to_vec).collect()
    }

    /// Whether no cell holds anything but blanks.
    pub(crate) fn are_blank(&self) -> bool {
        match std::str::from_utf8(self.bytes) {
            Ok(text) => trim_blanks(text).is_empty(),
            Err(_) => false,
        }
    }

    /// The cell of a column, without ASCII blanks around it; a column that is not there reads as empty.
    pub(crate) fn trimmed(&self, column: Option<usize>) -> &'a [u8] {
        column.and_then(|index| self.get(index)).unwrap_or_default().trim_ascii()
    }
}

/// A row that cannot be used: it is passed over, counted, and goes to the rejects with its reason.
pub struct BadRow<'a> {
    cells: Cells<'a>,
    record: u64,
    line: u64,
    /// Why, as a stable word for machines.
    pub code: &'static str,
    /// Why, as a sentence for people.
    pub reason: String,
}

impl<'a> BadRow<'a> {
    /// The row's number, the first row after the header being 1.
    pub fn record(&self) -> u64 {
        self.record
    }

    /// The physical line on which the row begins.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The row's cells as they came.
    pub fn cells(&self) -> Cells<'a> {
        self.cells
    }
}

/// Up to how many bytes a row is looked at for being blank: more than a spreadsheet leaves behind in an emptied row,
/// less than any row of a report has.
const BLANK_ROW_BYTES: usize = 128;

/// The code of a row whose number of fields is not the header's.
pub const WRONG_FIELD_COUNT: &str = "wrong_field_count";

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub record: u64,
    pub line: u64,
}

/// What the reader found next; the cells are then to be had from [`Table::cells`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Row,
    /// A row with a wrong number of fields.
    Misfit,
    End,
}

/// A CSV file with a header, read row by row.
pub(crate) struct Table<R> {
    file: String,
    source: R,
    parser: csv_core::Reader,
    buffer: Vec<u8>,
    unread: std::ops::Range<usize>,
    source_ended: bool,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    byte_count: usize,
    end_count: usize,
    lines: LineCount,
    record_line: u64,
    record: u64,
    misfits: u64,
    blanks: u64,
    headers: Vec<String>,
}

impl<R: Read> Table<R> {
    /// Reads the header. `required` names the columns without which the file is of no use.
    pub fn open(file: &str, source: R) -> Result<Self, Refusal> {
        let mut table = Self {
            file: file.to_owned(),
            source,
            parser: csv_core::Reader::new(),
            buffer: vec![0; BUFFER_BYTES],
            unread: 0..0,
            source_ended: false,
            bytes: vec![0; 4096],
            ends: vec![0; 64],
            byte_count: 0,
            end_count: 0,
            lines: LineCount { line: 1, after_cr: false },
            record_line: 1,
            record: 0,
            misfits: 0,
            blanks: 0,
            headers: Vec::new(),
        };
        table.pass_byte_order_mark()?;
        if !table.read_record()?.is_some_and(|_| !table.cells().are_blank() || table.end_count > 1) {
            return Err(table.refusal(
                RefusalKind::Empty,
                "the file is empty",
                "An empty file is not the same as no rows: fetch or export it again.",
            ));
        }
        if memchr::memchr(0, &table.bytes[..table.byte_count]).is_some() {
            return Err(table
                .refusal(
                    RefusalKind::Encoding,
                    "the header holds NUL bytes: this is UTF-16 or not text at all",
                    "Save the file as UTF-8 CSV.",
                )
                .at_line(table.record_line));
        }
        table.headers = table.cells().iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        Ok(table)
    }

    /// The next row that has something in it. Blank rows are counted and passed over.
    pub fn next(&mut self) -> Result<Next, Refusal> {
        let terminated = loop {
            let Some(terminated) = self.read_record()? else {
                return Ok(Next::End);
            };
            self.record += 1;
            if self.byte_count > BLANK_ROW_BYTES || !self.cells().are_blank() {
                break terminated;
            }
            self.blanks += 1;
        };
        if self.end_count == self.headers.len() {
            return Ok(Next::Row);
        }
        if !terminated && self.headers.len() >= REPORT_COLUMNS && self.end_count < self.headers.len() {
            return Err(self
                .refusal(
                    RefusalKind::Truncated,
                    format!(
                        "the file stops inside row {}: {} of {} fields and no end of line",
                        self.record,
                        self.end_count,
                        self.headers.len()
                    ),
                    "Fetch the file again; this copy is incomplete.",
                )
                .at_line(self.record_line));
        }
        self.misfits += 1;
        Ok(Next::Misfit)
    }

    /// Reads one record into the reused buffers: `None` at the end of the file, else whether its end was there or was
    /// only the end of the file.
    fn read_record(&mut self) -> Result<Option<bool>, Refusal> {
        (self.byte_count, self.end_count) = (0, 0);
        if !self.pass_line_ends()? {
            return Ok(None);
        }
        self.record_line = self.lines.line;
        let mut raw_bytes = 0_usize;
        loop {
            if self.unread.is_empty() && !self.fill()? {
                return self.close_record().map(Some);
            }
            let input = &self.buffer[self.unread.clone()];
            let (result, read, written, ended) = self.parser.read_record(
                input,
                &mut self.bytes[self.byte_count..],
                &mut self.ends[self.end_count..],
            );
            self.lines.pass(&input[..read]);
            self.unread.start += read;
            self.byte_count += written;
            self.end_count += ended;
            raw_bytes += read;
            if raw_bytes > MAX_FIELD_BYTES {
                self.refuse_beyond_caps(raw_bytes)?;
            }
            match result {
                ReadRecordResult::Record => return Ok(Some(true)),
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Ends the last record of a file without a last line end. A quote that is still open takes the line end for
    /// content, and that is how it is found out.
    fn close_record(&mut self) -> Result<bool, Refusal> {
        loop {
            let (result, _, written, ended) = self.parser.read_record(
                b"\n",
                &mut self.bytes[self.byte_count..],
                &mut self.ends[self.end_count..],
            );
            self.byte_count += written;
            self.end_count += ended;
            match result {
                ReadRecordResult::OutputFull if written == 0 => {
                    self.bytes.resize(self.bytes.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull if ended == 0 => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                ReadRecordResult::Record => return Ok(false),
                _ => {
                    return Err(self
                        .refusal(
                            RefusalKind::Truncated,
                            "the file ends inside a quoted cell of the record that begins here",
                            "Close the quote, or fetch the file again if it was cut off.",
                        )
                        .at_line(self.record_line));
                }
            }
        }
    }

    fn refuse_beyond_caps(&self, raw_bytes: usize) -> Result<(), Refusal> {
        let last_end = self.end_count.checked_sub(1).map_or(0, |last| self.ends[last]);
        let mut start = 0;
        let mut longest = self.byte_count - last_end;
        for end in &self.ends[..self.end_count] {
            longest = longest.max(end - start);
            start = *end;
        }
        let problem = if longest > MAX_FIELD_BYTES {
            format!("a cell of the record that begins here passes {MAX_FIELD_BYTES} bytes")
        } else if raw_bytes > MAX_RECORD_BYTES {
            format!("the record that begins here passes {MAX_RECORD_BYTES} bytes")
        } else {
            return Ok(());
        };
        Err(self
            .refusal(
                RefusalKind::TooLarge,
                problem,
                "Most likely a quote in it is never closed: close it, or fetch the file again.",
            )
            .at_line(self.record_line))
    }

    /// Passes over line ends before a record: blank lines, and the LF of a CR LF.
    fn pass_line_ends(&mut self) -> Result<bool, Refusal> {
        loop {
            if self.unread.is_empty() && !self.fill()? {
                return Ok(false);
            }
            let input = &self.buffer[self.unread.clone()];
            let count = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.lines.pass(&input[..count]);
            self.unread.start += count;
            if !self.unread.is_empty() {
                return Ok(true);
            }
        }
    }

    fn pass_byte_order_mark(&mut self) -> Result<(), Refusal> {
        while self.unread.len() < 3 && self.fill()? {}
        let start = &self.buffer[self.unread.clone()];
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            return Err(self
                .refusal(
                    RefusalKind::Encoding,
                    "the file is UTF-16, as its first two bytes say",
                    "Save it as UTF-8 CSV (in Excel: \"CSV UTF-8\").",
                )
                .at_line(1));
        }
        if start.starts_with(b"\xef\xbb\xbf") {
            self.unread.start += 3;
        }
        Ok(())
    }

    /// Reads more behind what is unread; false at the end of the source.
    fn fill(&mut self) -> Result<bool, Refusal> {
        if self.source_ended {
            return Ok(false);
        }
        if self.unread.is_empty() {
            self.unread = 0..0;
        }
        loop {
            match self.source.read(&mut self.buffer[self.unread.end..]) {
                Ok(0) => {
                    self.source_ended = true;
                    return Ok(false);
                }
                Ok(count) => {
                    self.unread.end += count;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let line = self.lines.line;
                    let problem = format!("reading failed: {error}");
                    return Err(self
                        .refusal(
                            RefusalKind::Unreadable(error),
                            problem,
                            "Nothing was written; run again once the file can be read to its end.",
                        )
                        .at_line(line));
                }
            }
        }
    }

    /// The checks that need the whole file: that there was a row, and that rows seldom had a wrong number of fields.
    pub fn check_end(&self) -> Result<(), Refusal> {
        if self.record == 0 {
            return Err(self
                .refusal(
                    RefusalKind::HeaderOnly,
                    "the file has a header and no row",
                    "An empty report is not the same as no rows: fetch or export it again.",
                )
                .at_line(1));
        }
        // One stray row proves nothing in a small sheet; from 100 rows on this is the same as 1 % alone.
        if self.misfits > 1 && self.misfits * 100 > self.record {
            return Err(self.refusal(
                RefusalKind::TooManyBadRows,
                format!(
                    "{} of {} rows have another number of fields than the header ({})",
                    self.misfits,
                    self.record,
                    self.headers.len()
                ),
                "More than 1 % means that the file is damaged or has unquoted commas: export it again.",
            ));
        }
        Ok(())
    }
}

/// From how many columns on a short last row without a line end means that the file was cut off. Reports have 20
/// and more; a sheet typed by hand has three, and a short last row there is a slip of its author.
const REPORT_COLUMNS: usize = 4;

impl<R> Table<R> {
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The header's names as they stand in the file, the byte order mark off.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    pub fn cells(&self) -> Cells<'_> {
        Cells { bytes: &self.bytes[..self.byte_count], ends: &self.ends[..self.end_count] }
    }

    pub fn place(&self) -> Place {
        Place { record: self.record, line: self.record_line }
    }

    /// How many rows were read so far, blank ones and misfits included.
    pub fn record_count(&self) -> u64 {
        self.record
    }

    /// The current row as one with a wrong number of fields.
    pub fn misfit(&self) -> BadRow<'_> {
        let reason = format!("the row has {} fields, the header {}", self.end_count, self.headers.len());
        BadRow {
            cells: self.cells(),
            record: self.record,
            line: self.record_line,
            code: WRONG_FIELD_COUNT,
            reason,
        }
    }

    /// How many rows had nothing in them so far.
    pub fn blank_count(&self) -> u64 {
        self.blanks
    }

    pub fn refusal(
        &self,
        kind: RefusalKind,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Refusal {
        Refusal::new(&self.file, kind, problem, remedy)
    }

    /// The position of a column that must be there once.
    pub fn required(&self, name: &str) -> Result<usize, Refusal> {
        let mut found = self.positions(name);
        match (found.next(), found.next()) {
            (Some(index), None) => Ok(index),
            (Some(first), Some(second)) => Err(self
                .refusal(
                    RefusalKind::DuplicateColumn,
                    format!(
                        "the column stands in the header twice, as field {} and {}",
                        first + 1,
                        second + 1
                    ),
                    "Remove or rename one of the two, so that it is clear which one counts.",
                )
                .in_column(name)
                .at_line(1)),
            (None, _) => Err(self.missing(name)),
        }
    }

    /// The position of a column that may be absent; of two the first.
    pub fn optional(&self, name: &str) -> Option<usize> {
        self.positions(name).next()
    }

    fn positions(&self, name: &str) -> impl Iterator<Item = usize> {
        let wanted = column_key(name);
        self.headers
            .iter()
            .enumerate()
            .filter(move |(_, header)| column_key(header) == wanted)
            .map(|(index, _)| index)
    }

    pub fn missing(&self, name: &str) -> Refusal {
        if let Some((delimiter, shown)) = self.other_delimiter(name) {
            return self
                .refusal(
                    RefusalKind::WrongDelimiter,
                    format!("the cells are separated by {shown}, not by commas"),
                    format!(
                        "Export the file with commas as separators (found \"{delimiter}\" in the header)."
                    ),
                )
                .in_column(name)
                .at_line(1);
        }
        let listed: Vec<String> =
            self.headers.iter().map(|header| format!("\"{}\"", printable(header))).collect();
        let remedy = match self.nearest_header(name) {
            Some(near) => {
                format!("Did \"{}\" mean it? Rename that column or add the missing one.", printable(near))
            }
            None => "Add the column, or give the file that has it.".to_owned(),
        };
        self.refusal(
            RefusalKind::MissingColumn,
            format!("the required column is missing; found: {}", listed.join(", ")),
            remedy,
        )
        .in_column(name)
        .at_line(1)
    }

    /// Another delimiter by which the header, wrongly read as few long cells, would fall into the column asked for.
    fn other_delimiter(&self, name: &str) -> Option<(char, &'static str)> {
        let wanted = column_key(name);
        [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")].into_iter().find(|(delimiter, _)| {
            self.headers.iter().any(|header| {
                header.contains(*delimiter)
                    && header.split(*delimiter).any(|part| column_key(part.trim_matches('"')) == wanted)
            })
        })
    }

    fn nearest_header(&self, name: &str) -> Option<&str> {
        let wanted = column_key(name);
        self.headers
            .iter()
            .filter(|header| header.len() <= 200)
            .map(|header| (edit_distance(&column_key(header), &wanted), header.as_str()))
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, _)| *distance <= wanted.chars().count() / 3 + 1)
            .map(|(_, header)| header)
    }
}

/// A header name as it is compared: blanks around it off, lower case, and neither spaces nor `_` within, so that
/// `Channel ID`, `channel_id` and `channelID` are the same column.
pub(crate) fn column_key(header: &str) -> String {
    trim_blanks(header)
        .chars()
        .filter(|character| !matches!(character, ' ' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// How many characters must be put in, taken out or changed to make one text of the other (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Physical lines, whatever they end in: LF, CR LF or a lone CR, mixed in one file.
struct LineCount {
    line: u64,
    after_cr: bool,
}

impl LineCount {
    fn pass(&mut self, bytes: &[u8]) {
        for position in memchr::memchr2_iter(b'\n', b'\r', bytes) {
            let after_cr = match position {
                0 => self.after_cr,
                _ => bytes[position - 1] == b'\r',
            };
            if bytes[position] == b'\r' || !after_cr {
                self.line += 1;
            }
        }
        if let Some(last) = bytes.last() {
            self.after_cr = *last == b'\r';
        }
    }
}

#[cfg(test)]
mod tests;
