//! Rows that stay together beyond the next one, so that one thread can read while others look at them and decide.

use std::ops::Range;

use super::borders::Borders;
use super::cells::{BadRow, Cells};
use super::print::of_plain;
use super::{Place, wrong_field_count};

/// So many bytes are kept together: enough to be worth waking another thread for, and few enough for a core's cache.
const FULL_BYTES: usize = 256 * 1024;

/// So many rows at most.
const FULL_ROWS: usize = 1024;

/// Rows of a table. They are read in order and by one; where their cells end is then found by [`Rows::split`], which
/// needs nothing but them, so that many threads may do it.
#[derive(Debug, Default)]
pub struct Rows {
    bytes: Vec<u8>,
    borders: Borders,
    marks: Vec<Mark>,
    width: usize,
}

/// Where a row stands, and what is known of it.
#[derive(Debug)]
struct Mark {
    bytes: Range<usize>,
    // Empty until they are found.
    ends: Range<usize>,
    place: Place,
    fingerprint: u64,
}

/// One of them.
pub(crate) enum Line<'a> {
    Row(Cells<'a>, Place),
    /// One with a wrong number of fields.
    Misfit(BadRow<'a>),
}

impl Rows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// How many bytes a row has on average, and one at least.
    pub fn bytes_a_row(&self) -> u64 {
        let bytes = self.bytes.len() / self.marks.len().max(1);
        u64::try_from(bytes).unwrap_or(u64::MAX).max(1)
    }

    /// Finds the cells of the rows, and says how many rows have a wrong number of them. Until then no row can be had.
    pub fn split(&mut self) -> u64 {
        let mut misfits = 0;
        for mark in &mut self.marks {
            if mark.ends.is_empty() {
                let line = self.bytes.get(mark.bytes.clone()).unwrap_or_default();
                let start = self.borders.len();
                mark.ends = start..start + self.borders.find(line);
                mark.fingerprint = of_plain(line);
            }
            misfits += u64::from(mark.ends.len() != self.width);
        }
        misfits
    }

    /// Forgets the rows and keeps the room. `width` is the header's number of fields.
    pub(super) fn restart(&mut self, width: usize) {
        self.bytes.clear();
        self.borders.clear();
        self.marks.clear();
        self.width = width;
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES || self.marks.len() >= FULL_ROWS
    }

    /// Adds a row whose cells are known.
    pub(super) fn push(&mut self, cells: Cells<'_>, place: Place) {
        let (bytes_start, ends_start) = (self.bytes.len(), self.borders.len());
        let fingerprint = cells.join(&mut self.bytes, &mut self.borders);
        let (bytes, ends) = (bytes_start..self.bytes.len(), ends_start..self.borders.len());
        self.marks.push(Mark { bytes, ends, place, fingerprint });
    }

    /// Adds a row in which every comma is a border.
    pub(super) fn push_plain(&mut self, line: &[u8], place: Place) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(line);
        self.marks.push(Mark { bytes: start..self.bytes.len(), ends: 0..0, place, fingerprint: 0 });
    }

    /// One of the rows, once they are split.
    pub(crate) fn line(&self, index: usize) -> Option<Line<'_>> {
        let mark = self.marks.get(index)?;
        let bytes = self.bytes.get(mark.bytes.clone())?;
        let ends = self.borders.all().get(mark.ends.clone())?;
        let cells = Cells::joined(bytes, ends, Some(mark.fingerprint));
        Some(if ends.len() == self.width {
            Line::Row(cells, mark.place)
        } else {
            Line::Misfit(wrong_field_count(cells, mark.place, self.width))
        })
    }
}
