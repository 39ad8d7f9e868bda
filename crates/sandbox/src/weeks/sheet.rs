//! Writing rows cell by cell.

use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

/// A file of rows that all have as many cells as its header.
pub(super) struct Sheet {
    csv: csv::Writer<File>,
    row: csv::ByteRecord,
    text: String,
}

impl Sheet {
    pub(super) fn create(path: &Path, columns: &[&str]) -> Result<Self> {
        Self::create_behind(path, b"", columns)
    }

    /// The same with something before the header.
    pub(super) fn create_behind(path: &Path, start: &[u8], columns: &[&str]) -> Result<Self> {
        let mut file = File::create(path).with_context(|| format!("{} cannot be made", path.display()))?;
        file.write_all(start)?;
        let mut csv = csv::WriterBuilder::new().buffer_capacity(1 << 16).from_writer(file);
        csv.write_record(columns)?;
        Ok(Self { csv, row: csv::ByteRecord::new(), text: String::new() })
    }

    /// The next cells, as they are.
    pub(super) fn texts<const COUNT: usize>(&mut self, cells: [&str; COUNT]) -> &mut Self {
        for cell in cells {
            self.row.push_field(cell.as_bytes());
        }
        self
    }

    /// The next cell, which may be no UTF-8.
    pub(super) fn bytes(&mut self, cell: &[u8]) -> &mut Self {
        self.row.push_field(cell);
        self
    }

    /// The next cell: a number, a date.
    pub(super) fn shown(&mut self, cell: impl Display) -> &mut Self {
        self.text.clear();
        // Writing to a text does not fail.
        let _written = write!(self.text, "{cell}");
        self.row.push_field(self.text.as_bytes());
        self
    }

    /// The next cell: a number, empty where it is unknown.
    pub(super) fn known(&mut self, number: Option<u64>) -> &mut Self {
        match number {
            Some(number) => self.shown(number),
            None => self.blank(1),
        }
    }

    /// The next cells, empty.
    pub(super) fn blank(&mut self, count: usize) -> &mut Self {
        for _ in 0..count {
            self.row.push_field(b"");
        }
        self
    }

    /// Ends the row, which stands in the file so many times.
    pub(super) fn end(&mut self, times: usize) -> Result<()> {
        for _ in 0..times {
            self.csv.write_byte_record(&self.row)?;
        }
        self.row.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<()> {
        Ok(self.csv.flush()?)
    }
}
