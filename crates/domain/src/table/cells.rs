//! The cells of a row as the reader lends them out.

use crate::printable::trim_blanks;

/// The cells of one row, borrowed from the reader.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) ends: &'a [usize],
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

    /// How many bytes the cells have together.
    pub(super) fn byte_count(&self) -> usize {
        self.bytes.len()
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
    pub(super) cells: Cells<'a>,
    pub(super) record: u64,
    pub(super) line: u64,
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
