//! A refused input: the run stops before anything is written.
//!
//! A bad row is data and is passed over; an input that as a whole cannot be trusted is refused. The message is the
//! operator's interface: it names file, line and column, says what is wrong and what to do about it.

use std::fmt;
use std::io;

use crate::printable::{one_line, printable};

/// An input that cannot be trusted, with everything its owner needs to mend it.
#[derive(Debug)]
pub struct Refusal {
    /// The input's name: a path or URI as the operator gave it.
    pub file: String,
    /// The physical line, counted from 1, where there is one to name.
    pub line: Option<u64>,
    /// The column's name, where one column is to blame.
    pub column: Option<Box<str>>,
    /// What kind of fault it is.
    pub kind: RefusalKind,
    /// What is wrong, a sentence without its full stop.
    pub problem: String,
    /// What to do about it, a whole sentence.
    pub remedy: String,
}

/// The kinds of faults for which an input is refused.
#[derive(Debug)]
pub enum RefusalKind {
    /// Not one byte, or nothing but blank lines: not the same as "no videos".
    Empty,
    /// A header and no row.
    HeaderOnly,
    /// A required column is not there.
    MissingColumn,
    /// A required column is there twice, so which of the two counts is unknown.
    DuplicateColumn,
    /// Cells are separated by something else than commas.
    WrongDelimiter,
    /// Not UTF-8 text but UTF-16 or binary.
    Encoding,
    /// A record or cell beyond every sensible size: nearly always a quote that is never closed.
    TooLarge,
    /// More than one row in a hundred has a wrong number of fields.
    TooManyBadRows,
    /// A cell that cannot be read, in a file of which every cell counts.
    WrongValue,
    /// A report of another type than was asked for.
    WrongReportType,
    /// The end is missing: the file stops inside a row.
    Truncated,
    /// Made before the time it is asked to tell of was over.
    Stale,
    /// Far smaller than the last good one.
    Shrunken,
    /// Not there.
    Missing,
    /// Reading failed; the source's error is kept for whoever has to tell a passing fault from a lasting one.
    Unreadable(io::Error),
}

impl Refusal {
    /// A refusal of a file as a whole; line and column are added where they are known.
    pub fn new(
        file: impl Into<String>,
        kind: RefusalKind,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line: None,
            column: None,
            kind,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The same, at a physical line.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// The same, about one column.
    #[must_use]
    pub fn in_column(mut self, column: impl Into<Box<str>>) -> Self {
        self.column = Some(column.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", one_line(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if let Some(column) = &self.column {
            write!(f, "column \"{}\": ", printable(column.as_bytes()))?;
        }
        write!(f, "{}. {}", one_line(&self.problem), one_line(&self.remedy))
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            RefusalKind::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_from_place_to_problem_to_remedy() {
        let refusal = Refusal::new("a.csv", RefusalKind::MissingColumn, "it is not there", "Add it.");
        assert_eq!(refusal.to_string(), "a.csv: it is not there. Add it.");
        let refusal = refusal.at_line(1).in_column("customID");
        assert_eq!(refusal.to_string(), "a.csv:1: column \"customID\": it is not there. Add it.");
    }

    #[test]
    fn v16_a_hostile_file_name_stays_on_its_line() {
        let refusal = Refusal::new("a\nb.csv", RefusalKind::Empty, "x", "y");
        assert_eq!(refusal.to_string(), "a\\nb.csv: x. y");
    }
}
