//! An export read through its mapping: each row one or several of the normal form, or a fault.

use std::borrow::Cow;
use std::io::Read;

use jiff::civil::Date;

use super::day::DayPlace;
use super::{Counts, Mapping, Sought, Told};
use crate::number::Decimal;
use crate::platform_file::{PlatformValue, Span, TrackKey, small, track_key};
use crate::printable::printable;
use crate::refusal::{Refusal, RefusalKind};
use crate::row_fault::RowFault;
use crate::table::{BadRow, Cells, Next, Place, Table};

/// An export being read.
pub struct MappedFile<'m, R: Read> {
    mapping: &'m Mapping,
    table: Table<R>,
    columns: Columns,
}

/// Where the file has what the mapping names.
struct Columns {
    platform: Option<usize>,
    day: Day,
    isrc: Option<usize>,
    upc: Option<usize>,
    custom_id: Option<usize>,
    asset_id: Option<usize>,
    country: Option<usize>,
    /// The metrics that the file has, each with its place among the mapping's.
    wide: Vec<(usize, usize)>,
    long: Option<(usize, usize)>,
    leave_out: Vec<Option<usize>>,
}

#[derive(Clone, Copy)]
enum Day {
    Column(usize),
    Of(Date, Span),
}

/// A line of the export.
pub enum MappedLine<'a> {
    /// A row with as many fields as the header.
    Row(MappedRow<'a>),
    /// A row that cannot be used.
    Bad(BadRow<'a>),
}

/// A row, borrowed until the next is read.
#[derive(Clone, Copy)]
pub struct MappedRow<'a> {
    mapping: &'a Mapping,
    columns: &'a Columns,
    headers: &'a [String],
    cells: Cells<'a>,
    place: Place,
}

impl<'m, R: Read> MappedFile<'m, R> {
    /// Reads the header, which begins on `line`; refused when a column is missing, is there twice, or nothing says which
    /// recordings the file is about.
    pub fn open(mapping: &'m Mapping, file: &str, source: R, line: u64) -> Result<Self, Refusal> {
        let table = Table::open_at(file, source, mapping.delimiter, line)?;
        let columns = Columns::find(mapping, &table).map_err(|mut refusal| {
            refusal.line = refusal.line.map(|_| line);
            refusal.problem = format!("read as \"{}\": {}", mapping.name, refusal.problem);
            refusal
        })?;
        Ok(Self { mapping, table, columns })
    }

    /// The next line, none at the end, which may refuse the file as a whole. Rows that the mapping leaves out are passed
    /// over.
    pub fn next_line(&mut self) -> Result<Option<MappedLine<'_>>, Refusal> {
        let next = loop {
            let next = self.table.next()?;
            if next == Next::End || !self.is_left_out() {
                break next;
            }
        };
        match next {
            Next::End => {
                self.table.check_end()?;
                Ok(None)
            }
            Next::Misfit => Ok(Some(MappedLine::Bad(self.table.misfit()))),
            Next::Row => Ok(Some(MappedLine::Row(MappedRow {
                mapping: self.mapping,
                columns: &self.columns,
                headers: self.table.headers(),
                cells: self.table.cells(),
                place: self.table.place(),
            }))),
        }
    }

    fn is_left_out(&self) -> bool {
        let cells = self.table.cells();
        self.mapping.leave_out.iter().zip(&self.columns.leave_out).any(|(rule, column)| {
            let is_there = column.is_some_and(|column| column < cells.len());
            let cell = String::from_utf8_lossy(cells.trimmed(*column));
            is_there && rule.values.iter().any(|value| *value == cell.to_lowercase())
        })
    }

    /// The column names as they stand in the file.
    pub fn headers(&self) -> &[String] {
        self.table.headers()
    }

    /// The mapping's name.
    pub fn mapping(&self) -> &'m str {
        &self.mapping.name
    }
}

impl Columns {
    fn find<R: Read>(mapping: &Mapping, table: &Table<R>) -> Result<Self, Refusal> {
        // The first of the names that is there; once, or nobody knows which of the two counts.
        let first = |names: &[String]| -> Result<Option<usize>, Refusal> {
            let there = names.iter().find(|name| table.optional(name).is_some());
            there.map(|name| table.required(name)).transpose()
        };
        let sought = |sought: &Sought| first(&sought.columns);
        let (wide, long) = match &mapping.counts {
            Counts::Wide(metrics) => (wide(metrics, table)?, None),
            Counts::Long { metric, value } => {
                (Vec::new(), Some((table.required(metric)?, table.required(value)?)))
            }
        };
        let columns = Self {
            platform: match &mapping.platform {
                Told::Constant(_) => None,
                Told::Column(name) => Some(table.required(name)?),
            },
            day: match &mapping.day.place {
                DayPlace::Column(name) => Day::Column(table.required(name)?),
                DayPlace::FileName => {
                    let (day, span) = mapping.day.of_path(table.file()).map_err(|problem| {
                        let remedy =
                            "Write the day, or the first and last day of the week, into the file's name.";
                        table.refusal(RefusalKind::WrongValue, problem, remedy)
                    })?;
                    Day::Of(day, span)
                }
            },
            isrc: sought(&mapping.isrc)?,
            upc: sought(&mapping.upc)?,
            custom_id: sought(&mapping.custom_id)?,
            asset_id: sought(&mapping.asset_id)?,
            country: sought(&mapping.country)?,
            wide,
            long,
            leave_out: mapping.leave_out.iter().map(|rule| table.optional(&rule.column)).collect(),
        };
        let keys = [&mapping.isrc, &mapping.upc, &mapping.custom_id, &mapping.asset_id];
        let found = [columns.isrc, columns.upc, columns.custom_id, columns.asset_id];
        if found.iter().all(Option::is_none) && keys.iter().all(|key| key.constant.is_none()) {
            let names: Vec<String> = keys
                .iter()
                .flat_map(|key| &key.columns)
                .map(|name| format!("\"{}\"", printable(name)))
                .collect();
            let problem = format!(
                "nothing says which recordings it is about: it has no column {}, and titles are never used to join",
                names.join(" or ")
            );
            let remedy = "Give the export that has such a column, add the column, or map another one.";
            return Err(table.refusal(RefusalKind::MissingColumn, problem, remedy).at_line(1));
        }
        Ok(columns)
    }
}

/// The metrics' columns that are there: one of each metric at most.
fn wide<R: Read>(metrics: &[(String, String)], table: &Table<R>) -> Result<Vec<(usize, usize)>, Refusal> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, (column, metric)) in metrics.iter().enumerate() {
        if table.optional(column).is_none() {
            continue;
        }
        let position = table.required(column)?;
        let other =
            found.iter().filter_map(|(other, _)| metrics.get(*other)).find(|(_, other)| other == metric);
        if let Some((other, _)) = other {
            let problem = format!(
                "it counts {} as column \"{}\" does, which is there too",
                printable(metric),
                printable(other)
            );
            let remedy =
                "Leave one of the two out of the file or of the mapping, so that it is clear which counts.";
            return Err(table
                .refusal(RefusalKind::DuplicateColumn, problem, remedy)
                .in_column(column.as_str())
                .at_line(1));
        }
        found.push((at, position));
    }
    match (found.is_empty(), metrics.first()) {
        (true, Some((column, _))) => Err(table.missing(column)),
        _ => Ok(found),
    }
}

impl<'a> MappedRow<'a> {
    /// The row's number, the first after the header being 1.
    pub fn record(&self) -> u64 {
        self.place.record
    }

    /// The physical line on which the row begins.
    pub fn line(&self) -> u64 {
        self.place.line
    }

    /// All cells as they came, in the order of the file's columns.
    pub fn fields(&self) -> Cells<'a> {
        self.cells
    }

    /// The row's values in the normal form, or what is wrong with the first cell that cannot be read. A row counts as a
    /// whole or not at all: nothing was given away where there is a fault.
    pub fn values(&self, mut each: impl FnMut(&PlatformValue<'a>)) -> Result<(), RowFault> {
        let (date, span) = match self.columns.day {
            Day::Of(day, span) => (day, span),
            Day::Column(column) => self.day(column)?,
        };
        let platform = match &self.mapping.platform {
            Told::Constant(platform) => Cow::Borrowed(platform.as_str()),
            Told::Column(_) => small(self.cells.trimmed(self.columns.platform)),
        };
        if platform.is_empty() {
            return Err(self.fault(
                "platform",
                "platform_missing",
                "the cell is empty",
                "Name the platform.",
            ));
        }
        let key = self.key()?;
        let country = self.sought(self.columns.country, &self.mapping.country);
        let country = String::from_utf8_lossy(country);
        let made = |metric: Cow<'a, str>, value: Decimal| PlatformValue {
            date,
            span,
            platform: platform.clone(),
            metric,
            value,
            country: country.clone(),
            key,
        };
        match (&self.mapping.counts, self.columns.long) {
            (Counts::Wide(metrics), _) => {
                let mut known = 0;
                for (_, column) in &self.columns.wide {
                    known += usize::from(self.value(*column)?.is_some());
                }
                if known == 0 {
                    return Err(self.no_value());
                }
                // All of them can be read: only now is one given away.
                for (at, column) in &self.columns.wide {
                    if let (Some((_, metric)), Some(value)) = (metrics.get(*at), self.value(*column)?) {
                        each(&made(Cow::Borrowed(metric), value));
                    }
                }
            }
            (Counts::Long { .. }, Some((metric, value))) => {
                let metric = small(self.cells.trimmed(Some(metric)));
                if metric.is_empty() {
                    return Err(self.fault(
                        "metric",
                        "metric_missing",
                        "the cell is empty",
                        "Name what is counted.",
                    ));
                }
                let Some(value) = self.value(value)? else { return Err(self.no_value()) };
                each(&made(metric, value));
            }
            // The columns were looked up by the same mapping.
            (Counts::Long { .. }, None) => return Err(self.no_value()),
        }
        Ok(())
    }

    fn no_value(&self) -> RowFault {
        self.fault(
            "value",
            "value_missing",
            "the row has no number at all",
            "Give one, or leave the row out.",
        )
    }

    fn day(&self, column: usize) -> Result<(Date, Span), RowFault> {
        let cell = self.cells.trimmed(Some(column));
        if cell.is_empty() {
            return Err(self.fault("date", "date_missing", "the cell is empty", "Give the day."));
        }
        self.mapping.day.of_cell(cell).map_err(|reason| {
            let remedy = "Write the day as the mapping's date.format has it, or mend the mapping.";
            self.fault("date", "date_invalid", &self.in_column(column, &reason), remedy)
        })
    }

    fn value(&self, column: usize) -> Result<Option<Decimal>, RowFault> {
        self.mapping.numbers.read(self.cells.trimmed(Some(column))).map_err(|reason| {
            let remedy = "Write the number as the mapping's [numbers] has it, or mend the mapping.";
            self.fault("value", "value_invalid", &self.in_column(column, &reason), remedy)
        })
    }

    fn key(&self) -> Result<TrackKey<'a>, RowFault> {
        let (mapping, columns) = (self.mapping, self.columns);
        track_key(
            self.sought(columns.isrc, &mapping.isrc),
            self.sought(columns.upc, &mapping.upc),
            self.sought(columns.custom_id, &mapping.custom_id),
            Some(self.sought(columns.asset_id, &mapping.asset_id)),
        )
        .map_err(|fault| self.fault(fault.column, fault.code, &fault.reason, fault.remedy))
    }

    /// The cell, else what is the same for all rows. A cell that is empty is not filled: the row may be about something
    /// else.
    fn sought(&self, column: Option<usize>, sought: &'a Sought) -> &'a [u8] {
        match (column, &sought.constant) {
            (None, Some(constant)) => constant.as_bytes(),
            _ => self.cells.trimmed(column),
        }
    }

    /// A reason with the column's own name, where the normal form's is another.
    fn in_column(&self, column: usize, reason: &str) -> String {
        let header = self.headers.get(column).map_or("", String::as_str);
        format!("column \"{}\": {reason}", printable(header))
    }

    fn fault(
        &self,
        column: &'static str,
        code: &'static str,
        reason: &str,
        remedy: &'static str,
    ) -> RowFault {
        let Place { record, line } = self.place;
        RowFault { record, line, column, code, reason: reason.to_owned(), remedy }
    }
}
