//! Rows that stay together beyond the next one, so that one thread can read while others look at them and decide.

use std::ops::Range;

use super::borders::Borders;
use super::cells::{BadRow, Cells};
use super::print::of_plain;
use super::records::Lines;
use super::{Place, wrong_field_count};

/// So many bytes are kept together: few enough that all that is made of them stays in a core's own cache.
const FULL_BYTES: usize = 128 * 1024;

/// So many rows at most, where they are read one by one.
const FULL_ROWS: usize = 1024;

/// Rows of a table. They are read in order and by one; where they and their cells end is then found by [`Rows::split`],
/// which needs nothing but them, so that many threads may do it.
#[derive(Debug, Default)]
pub struct Rows {
    bytes: Vec<u8>,
    borders: Borders,
    // What was read, in its order.
    pieces: Vec<Piece>,
    // Where lines end, each counted from where its piece begins.
    line_ends: Vec<usize>,
    // The rows, once they are split.
    marks: Vec<Mark>,
    width: usize,
}

#[derive(Debug)]
enum Piece {
    /// A row whose cells are known.
    Row(Mark),
    /// Lines in which every comma is a border: where they begin, their ends, and the place of the first.
    Lines(usize, Range<usize>, Place),
}

/// Where a row stands, and what is known of it.
#[derive(Debug, Clone)]
struct Mark {
    bytes: Range<usize>,
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
    /// How many rows there are, once they are split.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many bytes a row has on average, and one at least; none where there is no row.
    pub fn bytes_a_row(&self) -> Option<u64> {
        let bytes = self.bytes.len().checked_div(self.marks.len())?;
        Some(u64::try_from(bytes).unwrap_or(u64::MAX).max(1))
    }

    /// Finds the rows and their cells, and says how many rows have a wrong number of them. Until then no row can be had.
    pub fn split(&mut self) -> u64 {
        self.marks.clear();
        for piece in &self.pieces {
            match piece {
                Piece::Row(mark) => self.marks.push(mark.clone()),
                Piece::Lines(lines_start, line_ends, place) => {
                    let (mut start, mut place) = (*lines_start, *place);
                    for end in self.line_ends.get(line_ends.clone()).unwrap_or_default() {
                        let bytes = start..lines_start + end;
                        start = bytes.end + 1;
                        let line = self.bytes.get(bytes.clone()).unwrap_or_default();
                        let ends_start = self.borders.len();
                        let ends = ends_start..ends_start + self.borders.find(line);
                        // Any letter or digit says that it is no blank row.
                        let is_blank = !line.iter().any(u8::is_ascii_alphanumeric) && {
                            let ends = self.borders.all().get(ends.clone()).unwrap_or_default();
                            Cells::joined(line, ends, None).is_blank_row()
                        };
                        if !is_blank {
                            self.marks.push(Mark { bytes, ends, place, fingerprint: of_plain(line) });
                        }
                        place = Place { record: place.record + 1, line: place.line + 1 };
                    }
                }
            }
        }
        let misfits = self.marks.iter().filter(|mark| mark.ends.len() != self.width).count();
        u64::try_from(misfits).unwrap_or(u64::MAX)
    }

    /// Forgets the rows and keeps the room. `width` is the header's number of fields.
    pub(super) fn restart(&mut self, width: usize) {
        self.bytes.clear();
        self.borders.clear();
        self.pieces.clear();
        self.line_ends.clear();
        self.marks.clear();
        self.width = width;
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES || self.pieces.len() >= FULL_ROWS
    }

    /// How many bytes more it takes to be full.
    pub(super) fn room(&self) -> usize {
        FULL_BYTES.saturating_sub(self.bytes.len())
    }

    /// Adds a row whose cells are known.
    pub(super) fn push(&mut self, cells: Cells<'_>, place: Place) {
        let (bytes_start, ends_start) = (self.bytes.len(), self.borders.len());
        let fingerprint = cells.join(&mut self.bytes, &mut self.borders);
        let (bytes, ends) = (bytes_start..self.bytes.len(), ends_start..self.borders.len());
        self.pieces.push(Piece::Row(Mark { bytes, ends, place, fingerprint }));
    }

    /// Adds lines, none of them empty, in which every comma is a border.
    pub(super) fn push_lines(&mut self, lines: &Lines<'_>, record: u64) {
        let (start, ends_start) = (self.bytes.len(), self.line_ends.len());
        self.bytes.extend_from_slice(lines.text);
        self.line_ends.extend_from_slice(lines.ends);
        let place = Place { record, line: lines.first };
        self.pieces.push(Piece::Lines(start, ends_start..self.line_ends.len(), place));
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
