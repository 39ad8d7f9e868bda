//! The cells of a row as the reader lends them out.

use super::borders::Borders;
use super::print::{fingerprint, of_plain};
use crate::printable::trim_blanks;

/// Up to how many bytes a row is looked at for being blank: more than a spreadsheet leaves behind in an emptied row,
/// less than any row of a report has.
const BLANK_ROW_BYTES: usize = 128;

/// The cells of one row, borrowed from the reader.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    bytes: &'a [u8],
    // Where each cell ends in `bytes`.
    ends: &'a [u32],
    // What stands between two cells: a comma, or nothing.
    gap: usize,
    fingerprint: Option<u64>,
}

impl<'a> Cells<'a> {
    /// Cells that follow each other without anything between them.
    pub(super) fn bare(bytes: &'a [u8], ends: &'a [u32]) -> Self {
        Self { bytes, ends, gap: 0, fingerprint: None }
    }

    /// Cells with a comma between each two; where the fingerprint is not known, none of them holds a comma.
    pub(super) fn joined(bytes: &'a [u8], ends: &'a [u32], fingerprint: Option<u64>) -> Self {
        Self { bytes, ends, gap: 1, fingerprint }
    }

    /// Adds the cells with a comma between each two, however they were read, their bytes and where each ends; and gives
    /// their fingerprint.
    pub(super) fn join(&self, bytes: &mut Vec<u8>, ends: &mut Borders) -> u64 {
        if self.gap == 1 {
            bytes.extend_from_slice(self.bytes);
            ends.extend(self.ends);
            return self.fingerprint();
        }
        let (start, ends_start) = (bytes.len(), ends.len());
        for (index, cell) in self.iter().enumerate() {
            if index > 0 {
                bytes.push(b',');
            }
            bytes.extend_from_slice(cell);
            ends.push(bytes.len() - start);
        }
        fingerprint(bytes.get(start..).unwrap_or_default(), ends.all().get(ends_start..).unwrap_or_default())
    }

    /// A fingerprint of the row, the same for the same cells in every run and however they were quoted.
    pub fn fingerprint(&self) -> u64 {
        match self.fingerprint {
            Some(known) => known,
            None if self.gap == 1 => of_plain(self.bytes),
            None => self.join(&mut Vec::new(), &mut Borders::default()),
        }
    }

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
        let start = match index.checked_sub(1) {
            Some(before) => at(self.ends, before)? + self.gap,
            None => 0,
        };
        self.bytes.get(start..at(self.ends, index)?)
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
    fn byte_count(&self) -> usize {
        self.bytes.len() - self.gap * self.ends.len().saturating_sub(1)
    }

    /// Whether they are a row that a spreadsheet left behind, with nothing in it.
    pub(super) fn is_blank_row(&self) -> bool {
        self.byte_count() <= BLANK_ROW_BYTES && self.are_blank()
    }

    /// Whether no cell holds anything but blanks.
    pub(crate) fn are_blank(&self) -> bool {
        self.iter().all(|cell| std::str::from_utf8(cell).is_ok_and(|text| trim_blanks(text).is_empty()))
    }

    /// The cell of a column, without ASCII blanks around it; a column that is not there reads as empty.
    pub(crate) fn trimmed(&self, column: Option<usize>) -> &'a [u8] {
        let cell = column.and_then(|index| self.get(index)).unwrap_or_default();
        match cell {
            // Nearly every cell begins and ends with something that is no blank.
            [first, .., last] if *first > b' ' && *last > b' ' => cell,
            _ => cell.trim_ascii(),
        }
    }
}

fn at(ends: &[u32], index: usize) -> Option<usize> {
    usize::try_from(*ends.get(index)?).ok()
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
