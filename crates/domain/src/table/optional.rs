//! The columns that a report may or may not have, looked up once and asked for by name.

use super::{Cells, Table};
use crate::number::{self, NumberError};

/// The columns of one report that its reader does not insist on.
pub(crate) trait OptionalColumn: Copy + 'static {
    /// All of them, each at the position of its [`OptionalColumn::index`].
    const ALL: &'static [Self];

    /// The column's name as YouTube writes it.
    fn name(self) -> &'static str;

    /// The column's place in [`OptionalColumn::ALL`].
    fn index(self) -> usize;
}

/// Where a report has its optional columns. One list for a whole report: a row carries a reference and costs no more
/// for every column that somebody may ask for.
#[derive(Debug, Clone)]
pub(crate) struct Optional {
    positions: Vec<Option<usize>>,
}

impl Optional {
    pub fn find<R: std::io::Read, C: OptionalColumn>(table: &Table<R>) -> Self {
        Self { positions: C::ALL.iter().map(|column| table.optional(column.name())).collect() }
    }

    pub fn position<C: OptionalColumn>(&self, column: C) -> Option<usize> {
        self.positions.get(column.index()).copied().flatten()
    }

    /// The cell without ASCII blanks around it; empty where the report has no such column.
    pub fn cell<'a, C: OptionalColumn>(&self, cells: Cells<'a>, column: C) -> &'a [u8] {
        cells.trimmed(self.position(column))
    }

    /// The cell's whole number; none where the cell is empty or the column is not there.
    pub fn number<C: OptionalColumn>(&self, cells: Cells<'_>, column: C) -> Result<Option<u64>, NumberError> {
        number::whole(self.cell(cells, column))
    }

    /// The names of the columns that the report does not have.
    pub fn missing<C: OptionalColumn>(&self) -> Vec<&'static str> {
        C::ALL.iter().filter(|column| self.position(**column).is_none()).map(|column| column.name()).collect()
    }
}

/// Names the optional columns of a report as an enum.
macro_rules! optional_columns {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $column:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $crate::table::OptionalColumn for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $column,)*
                }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

/// What every row with optional columns offers for them.
macro_rules! optional_cells {
    ($row:ident, $column:ident) => {
        impl<'a> $row<'a> {
            /// The cell of an optional column as it stands, without blanks around it; empty where the report has no
            /// such column.
            pub fn cell(&self, column: $column) -> &'a [u8] {
                self.columns.optional.cell(self.cells, column)
            }

            /// The same as text, bad bytes replaced. Hostile where people wrote it.
            pub fn text(&self, column: $column) -> std::borrow::Cow<'a, str> {
                String::from_utf8_lossy(self.cell(column))
            }

            /// The same as a whole number; none where there is nothing, which is not zero.
            pub fn number(&self, column: $column) -> Result<Option<u64>, $crate::number::NumberError> {
                self.columns.optional.number(self.cells, column)
            }
        }
    };
}

pub(crate) use {optional_cells, optional_columns};
