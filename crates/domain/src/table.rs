//! One reader for every header-named CSV of the suite.
//!
//! Columns are found by name, in any order, extra ones ignored; rows stream through one reused buffer. The reader
//! stands on `csv-core` and not on `csv` because of three things an operator needs: the physical line of a record
//! also where lines end in a lone CR or cells hold line breaks, an end to an unclosed quote long before it has
//! swallowed the file, and the certainty whether the last record was complete.

mod borders;
mod cells;
mod header;
mod optional;
mod print;
mod records;
mod report;
mod rows;
#[cfg(test)]
mod tests;

use std::io::Read;

pub use cells::{BadRow, Cells};
pub(crate) use header::column_key;
pub(crate) use optional::{Optional, OptionalColumn, optional_cells, optional_columns};
pub use records::{MAX_FIELD_BYTES, MAX_RECORD_BYTES};
pub(crate) use report::report;
pub(crate) use rows::Line;
pub use rows::Rows;

use crate::refusal::{Refusal, RefusalKind};
use header::Header;
use records::{Ended, Records};

/// The code of a row whose number of fields is not the header's.
pub const WRONG_FIELD_COUNT: &str = "wrong_field_count";

/// From how many columns on a short last row without a line end means that the file was cut off. Reports have 20
/// and more; a sheet typed by hand has three, and a short last row there is a slip of its author.
const REPORT_COLUMNS: usize = 4;

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
    records: Records<R>,
    header: Header,
    record: u64,
    misfits: u64,
    blanks: u64,
}

impl<R: Read> Table<R> {
    /// Reads the header. Which columns are needed is asked afterwards.
    pub fn open(file: &str, source: R) -> Result<Self, Refusal> {
        Self::open_at(file, source, b',', 1)
    }

    /// The same where cells are separated by something else, or where lines were passed over before.
    pub fn open_at(file: &str, source: R, delimiter: u8, line: u64) -> Result<Self, Refusal> {
        let mut records = Records::open_at(file, source, delimiter, line)?;
        let found = records.read()?;
        let cells = records.cells();
        if found.is_none() || (cells.are_blank() && cells.len() == 1) {
            return Err(Refusal::new(
                file,
                RefusalKind::Empty,
                "the file is empty",
                "An empty file is not the same as no rows: fetch or export it again.",
            ));
        }
        if cells.iter().any(|cell| memchr::memchr(0, cell).is_some()) {
            return Err(Refusal::new(
                file,
                RefusalKind::Encoding,
                "the header holds NUL bytes: this is UTF-16 or not text at all",
                "Save the file as UTF-8 CSV.",
            )
            .at_line(records.line()));
        }
        let names = cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        let header = Header { file: file.to_owned(), names };
        Ok(Self { records, header, record: 0, misfits: 0, blanks: 0 })
    }

    /// The next row that has something in it. Blank rows are counted and passed over.
    pub fn next(&mut self) -> Result<Next, Refusal> {
        let ended = loop {
            let Some(ended) = self.records.read()? else {
                return Ok(Next::End);
            };
            if !self.pass_blank() {
                break ended;
            }
        };
        self.look_at(ended)
    }

    /// Counts the record that was read, and whether there is nothing in it.
    fn pass_blank(&mut self) -> bool {
        self.record += 1;
        let is_blank = self.cells().is_blank_row();
        self.blanks += u64::from(is_blank);
        is_blank
    }

    /// What the record that was read is, by the number of its cells.
    fn look_at(&mut self, ended: Ended) -> Result<Next, Refusal> {
        let (found, expected) = (self.cells().len(), self.headers().len());
        if found == expected {
            return Ok(Next::Row);
        }
        if ended == Ended::WithFile && expected >= REPORT_COLUMNS && found < expected {
            return Err(self
                .refusal(
                    RefusalKind::Truncated,
                    format!(
                        "the file stops inside row {}: {found} of {expected} fields and no end of line",
                        self.record
                    ),
                    "Fetch the file again; this copy is incomplete.",
                )
                .at_line(self.records.line()));
        }
        self.misfits += 1;
        Ok(Next::Misfit)
    }

    /// Reads rows until there are enough to be handed on, and to be split; none at the end. What the rows with a wrong
    /// number of fields say of the file is for [`Self::check_end`].
    pub fn fill(&mut self, rows: &mut Rows) -> Result<(), Refusal> {
        rows.restart(self.headers().len());
        while !rows.is_full() {
            // Nearly all rows are lines that need no look at each of them.
            if let Some(lines) = self.records.read_lines(rows.room())? {
                rows.push_lines(&lines, self.record + 1);
                self.record += u64::try_from(lines.ends.len()).unwrap_or_default();
                continue;
            }
            let Some(ended) = self.records.read()? else { break };
            if !self.pass_blank() {
                self.look_at(ended)?;
                rows.push(self.cells(), self.place());
            }
        }
        Ok(())
    }

    /// The checks that need the whole file: that there was a row, and that rows seldom had a wrong number of fields.
    pub fn check_end(&self) -> Result<(), Refusal> {
        self.check_split(self.misfits)
    }

    /// The same where rows were read to be split: how many of them had a wrong number of fields [`Rows::split`] said.
    pub fn check_split(&self, misfits: u64) -> Result<(), Refusal> {
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
        if misfits > 1 && misfits * 100 > self.record {
            return Err(self.refusal(
                RefusalKind::TooManyBadRows,
                format!(
                    "{} of {} rows have another number of fields than the header ({})",
                    misfits,
                    self.record,
                    self.headers().len()
                ),
                "More than 1 % means that the file is damaged or has unquoted commas: export it again.",
            ));
        }
        Ok(())
    }
}

impl<R> Table<R> {
    pub fn file(&self) -> &str {
        &self.header.file
    }

    /// The header's names as they stand in the file, the byte order mark off.
    pub fn headers(&self) -> &[String] {
        &self.header.names
    }

    pub fn cells(&self) -> Cells<'_> {
        self.records.cells()
    }

    pub fn place(&self) -> Place {
        Place { record: self.record, line: self.records.line() }
    }

    /// How many rows were read so far, blank ones and misfits included.
    pub fn record_count(&self) -> u64 {
        self.record
    }

    /// How many rows had nothing in them so far.
    pub fn blank_count(&self) -> u64 {
        self.blanks
    }

    /// The current row as one with a wrong number of fields.
    pub fn misfit(&self) -> BadRow<'_> {
        wrong_field_count(self.cells(), self.place(), self.headers().len())
    }

    pub fn refusal(
        &self,
        kind: RefusalKind,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Refusal {
        Refusal::new(self.file(), kind, problem, remedy)
    }

    /// The position of a column that must be there once.
    pub fn required(&self, name: &str) -> Result<usize, Refusal> {
        self.header.required(name)
    }

    /// The position of a column that may be absent; of two the first.
    pub fn optional(&self, name: &str) -> Option<usize> {
        self.header.optional(name)
    }

    /// The refusal of a file without a column.
    pub fn missing(&self, name: &str) -> Refusal {
        self.header.missing(name)
    }
}

/// A row with another number of fields than the header.
fn wrong_field_count(cells: Cells<'_>, place: Place, expected: usize) -> BadRow<'_> {
    BadRow {
        cells,
        record: place.record,
        line: place.line,
        code: WRONG_FIELD_COUNT,
        reason: format!("the row has {} fields, the header {expected}", cells.len()),
    }
}
