//! What the readers of YouTube's reports have in common.

/// The reading of a report: one by one, or many rows at once for another thread. `$report` has a `table` and `columns`
/// of the type `$columns`, which has the `optional` ones of the type `$optional`.
macro_rules! report {
    ($report:ident, $line:ident, $row:ident, $columns:ident, $optional:ident) => {
        impl<R: std::io::Read> $report<R> {
            /// The next line, none at the end. The end itself may refuse the report: when there was no row at all, or
            /// when more than 1 % of the rows had a wrong number of fields. So nothing may be written before the end
            /// was seen.
            pub fn next_row(&mut self) -> Result<Option<$line<'_>>, crate::refusal::Refusal> {
                match self.table.next()? {
                    crate::table::Next::End => {
                        self.table.check_end()?;
                        Ok(None)
                    }
                    crate::table::Next::Misfit => Ok(Some($line::Bad(self.table.misfit()))),
                    crate::table::Next::Row => Ok(Some($line::Row($row {
                        cells: self.table.cells(),
                        columns: &self.columns,
                        place: self.table.place(),
                    }))),
                }
            }

            /// Reads the next few hundred lines, to be split; none at the end, which is then to be checked by
            /// [`Self::check_end`].
            pub fn next_rows(
                &mut self,
                rows: &mut crate::table::Rows,
            ) -> Result<(), crate::refusal::Refusal> {
                self.table.fill(rows)
            }

            /// Whether the end of such lines refuses the report, as [`Self::next_row`] does; `misfits` are the rows
            /// with a wrong number of fields that were found when they were split.
            pub fn check_end(&self, misfits: u64) -> Result<(), crate::refusal::Refusal> {
                self.table.check_split(misfits)
            }

            /// The columns, to read such lines by.
            pub fn columns(&self) -> &$columns {
                &self.columns
            }

            /// The optional columns that this report does not have, by name.
            pub fn missing_columns(&self) -> Vec<&'static str> {
                self.columns.optional.missing::<$optional>()
            }

            /// The column names as they stand in the file.
            pub fn headers(&self) -> &[String] {
                self.table.headers()
            }
        }

        impl $columns {
            /// The lines that were read at once by a report with these columns, in their order.
            pub fn lines<'a>(&'a self, rows: &'a crate::table::Rows) -> impl Iterator<Item = $line<'a>> {
                (0..rows.len()).filter_map(|index| self.line(rows, index))
            }

            /// One of these lines.
            pub fn line<'a>(&'a self, rows: &'a crate::table::Rows, index: usize) -> Option<$line<'a>> {
                Some(match rows.line(index)? {
                    crate::table::Line::Row(cells, place) => $line::Row($row { cells, columns: self, place }),
                    crate::table::Line::Misfit(bad) => $line::Bad(bad),
                })
            }
        }
    };
}

pub(crate) use report;
