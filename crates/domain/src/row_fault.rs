//! What is wrong with one row of a sheet that people make: enough to find the cell and mend it.

use std::fmt;

/// A row that cannot be used, with the place and the way to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The row's number, the first after the header being 1.
    pub record: u64,
    /// The physical line on which it begins.
    pub line: u64,
    /// The column at fault.
    pub column: &'static str,
    /// Why, as a stable word for machines.
    pub code: &'static str,
    /// Why, as a sentence's beginning for people.
    pub reason: String,
    /// What to do about it, a whole sentence.
    pub remedy: &'static str,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: column \"{}\": {}. {}", self.line, self.column, self.reason, self.remedy)
    }
}

impl std::error::Error for RowFault {}
