//! Records out of bytes: the CSV grammar, the size caps, the physical lines.

use std::io::{self, Read};

use csv_core::ReadRecordResult;

use super::borders::Borders;
use super::cells::Cells;
use crate::refusal::{Refusal, RefusalKind};

/// The most bytes of one record. YouTube's widest rows stay under 20 KiB; an unclosed quote passes this at once.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// The most bytes of one cell. The longest real cells are `|` lists of a few hundred ids.
pub const MAX_FIELD_BYTES: usize = 64 * 1024;
/// How much is asked from the source at once.
pub(super) const BUFFER_BYTES: usize = 128 * 1024;

/// The records of a CSV file, read one by one into reused buffers.
pub(super) struct Records<R> {
    pub file: String,
    source: R,
    parser: csv_core::Reader,
    has_commas: bool,
    buffer: Vec<u8>,
    unread: std::ops::Range<usize>,
    source_ended: bool,
    bytes: Vec<u8>,
    // Where the record that was read last stands in the buffer, if it has no quote and stands there whole.
    plain: Option<std::ops::Range<usize>>,
    // Where the grammar found that cells end.
    ends: Vec<usize>,
    // Where the cells of the record that was read last end.
    borders: Borders,
    // Where the lines that were read last end.
    line_ends: Vec<usize>,
    byte_count: usize,
    end_count: usize,
    lines: LineCount,
    record_line: u64,
}

/// Lines that were read at once.
pub(super) struct Lines<'a> {
    /// Each of them ends in LF.
    pub text: &'a [u8],
    /// Where each of these stands in the text.
    pub ends: &'a [usize],
    /// The physical line of the first.
    pub first: u64,
}

/// How a record ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    WithLine,
    /// Only because the file did: such a record may be the head of a longer one.
    WithFile,
}

impl<R: Read> Records<R> {
    /// Begins to read, behind the byte order mark if there is one.
    pub fn open_at(file: &str, source: R, delimiter: u8, line: u64) -> Result<Self, Refusal> {
        let mut records = Self {
            file: file.to_owned(),
            source,
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            has_commas: delimiter == b',',
            buffer: vec![0; BUFFER_BYTES],
            unread: 0..0,
            source_ended: false,
            bytes: vec![0; 4096],
            plain: None,
            ends: vec![0; 64],
            borders: Borders::default(),
            line_ends: Vec::new(),
            byte_count: 0,
            end_count: 0,
            lines: LineCount { line, after_cr: false },
            record_line: line,
        };
        // The parser takes a byte order mark off its first input, but only where it comes in one piece: a file with two
        // of them would read one way or the other. After this its first input is behind it, and ours alone is taken off.
        records.parser.read_record(b"\n", &mut records.bytes, &mut records.ends);
        records.pass_byte_order_mark()?;
        Ok(records)
    }

    /// Takes the lines that stand whole in the buffer, `most` bytes at most, up to one that is empty, has a quote or ends
    /// in CR: in them every comma is a border. `None`, and nothing has happened, where the next record is none of these
    /// or its end is not in the buffer yet.
    pub fn read_lines(&mut self, most: usize) -> Result<Option<Lines<'_>>, Refusal> {
        if !self.has_commas || !self.pass_line_ends()? {
            return Ok(None);
        }
        let input = &self.buffer[self.unread.clone()];
        // So none of them is longer than a cell may be.
        let input = &input[..input.len().min(most).min(MAX_FIELD_BYTES)];
        self.line_ends.clear();
        let mut length = 0;
        for at in memchr::memchr3_iter(b'\n', b'\r', b'"', input) {
            if at == length || input[at] != b'\n' {
                break;
            }
            self.line_ends.push(at);
            length = at + 1;
        }
        if length == 0 {
            return Ok(None);
        }
        let lines = Lines { text: &input[..length], ends: &self.line_ends, first: self.lines.line };
        let count = u64::try_from(lines.ends.len()).unwrap_or_default();
        self.lines = LineCount { line: lines.first + count, after_cr: false };
        self.unread.start += length;
        Ok(Some(lines))
    }

    /// Reads the next record that is not an empty line; `None` at the end of the file.
    pub fn read(&mut self) -> Result<Option<Ended>, Refusal> {
        (self.byte_count, self.end_count, self.plain) = (0, 0, None);
        self.borders.clear();
        if !self.pass_line_ends()? {
            return Ok(None);
        }
        self.record_line = self.lines.line;
        if self.has_commas && self.read_plain()? {
            if let Some(place) = &self.plain {
                self.borders.find(&self.buffer[place.clone()]);
            }
            return Ok(Some(Ended::WithLine));
        }
        let ended = self.read_by_grammar()?;
        self.borders.set(&self.ends[..self.end_count]);
        Ok(ended)
    }

    fn read_by_grammar(&mut self) -> Result<Option<Ended>, Refusal> {
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
                ReadRecordResult::Record => return Ok(Some(Ended::WithLine)),
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Takes a record without a quote where it stands in the buffer: of such a one every comma is a border. That is
    /// what nearly all rows of a report are, and it takes a fraction of the grammar's time. False, and nothing has
    /// happened, where the record is none of these or its end is not in the buffer yet.
    fn read_plain(&mut self) -> Result<bool, Refusal> {
        let find = |input: &[u8]| memchr::memchr3(b'\n', b'\r', b'"', input);
        let mut found = find(&self.buffer[self.unread.clone()]);
        if found.is_none() && self.unread.end == self.buffer.len() && self.unread.start > 0 {
            // The buffer's end stands in the middle of the line.
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            self.fill()?;
            found = find(&self.buffer[self.unread.clone()]);
        }
        let Some(length) = found else { return Ok(false) };
        let (start, end) = (self.unread.start, self.unread.start + length);
        let ended_by = self.buffer[end];
        if ended_by == b'"' || length > MAX_FIELD_BYTES {
            return Ok(false);
        }
        self.lines = LineCount { line: self.lines.line + 1, after_cr: ended_by == b'\r' };
        self.plain = Some(start..end);
        self.unread.start = end + 1;
        Ok(true)
    }

    /// Ends the last record of a file without a last line end. A quote that is still open takes the line end for
    /// content, and that is how it is found out.
    fn close_record(&mut self) -> Result<Ended, Refusal> {
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
                ReadRecordResult::Record => return Ok(Ended::WithFile),
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
}

impl<R> Records<R> {
    /// The cells of the record that was read last.
    pub fn cells(&self) -> Cells<'_> {
        match &self.plain {
            Some(place) => Cells::joined(&self.buffer[place.clone()], self.borders.all(), None),
            None => Cells::bare(&self.bytes[..self.byte_count], self.borders.all()),
        }
    }

    /// The physical line on which that record begins.
    pub fn line(&self) -> u64 {
        self.record_line
    }

    fn refusal(&self, kind: RefusalKind, problem: impl Into<String>, remedy: impl Into<String>) -> Refusal {
        Refusal::new(&self.file, kind, problem, remedy)
    }
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
