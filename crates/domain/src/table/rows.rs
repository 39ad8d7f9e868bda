//! Rows that stay together beyond the next one, so that one thread can read while another decides.

use super::cells::{BadRow, Cells};
use super::{Place, wrong_field_count};

/// So many bytes are kept together: enough to be worth waking another thread for, and few enough for a core's cache.
const FULL_BYTES: usize = 256 * 1024;

/// So many rows at most.
const FULL_ROWS: usize = 1024;

/// Rows of a table.
#[derive(Default)]
pub struct Rows {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    marks: Vec<Mark>,
    width: usize,
}

/// Where a row ends, and what is known of it.
struct Mark {
    bytes_end: usize,
    ends_end: usize,
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

    /// Forgets the rows and keeps the room. `width` is the header's number of fields.
    pub(super) fn restart(&mut self, width: usize) {
        self.bytes.clear();
        self.ends.clear();
        self.marks.clear();
        self.width = width;
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES || self.marks.len() >= FULL_ROWS
    }

    pub(super) fn push(&mut self, cells: Cells<'_>, place: Place) {
        let fingerprint = cells.join(&mut self.bytes, &mut self.ends);
        self.marks.push(Mark { bytes_end: self.bytes.len(), ends_end: self.ends.len(), place, fingerprint });
    }

    /// One of the rows.
    pub(crate) fn line(&self, index: usize) -> Option<Line<'_>> {
        let mark = self.marks.get(index)?;
        let before = index.checked_sub(1).and_then(|index| self.marks.get(index));
        let (bytes_start, ends_start) = before.map_or((0, 0), |mark| (mark.bytes_end, mark.ends_end));
        let bytes = self.bytes.get(bytes_start..mark.bytes_end)?;
        let ends = self.ends.get(ends_start..mark.ends_end)?;
        let cells = Cells::joined(bytes, ends, Some(mark.fingerprint));
        Some(if ends.len() == self.width {
            Line::Row(cells, mark.place)
        } else {
            Line::Misfit(wrong_field_count(cells, mark.place, self.width))
        })
    }
}
