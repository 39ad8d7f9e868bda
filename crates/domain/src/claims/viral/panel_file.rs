//! A panel as a file: `series_id,group_id,w0,w1,…`, a row for each series, an empty cell where it has none that week.
//!
//! What is measured on such a file is only worth something when every cell was read, so nothing is passed over here.

use std::collections::HashSet;
use std::io::Read;

use super::{GAP, Panel};
use crate::printable::printable;
use crate::refusal::{Refusal, RefusalKind};
use crate::table::{Next, Table};

/// The first column.
pub const SERIES_COLUMN: &str = "series_id";
/// The second column: the channel, or empty.
pub const GROUP_COLUMN: &str = "group_id";

/// How many columns stand before the weeks.
const BEFORE_WEEKS: usize = 2;

/// Reads a panel; refused with line and column at the first cell that is none.
pub fn read_panel(file: &str, source: impl Read) -> Result<Panel, Refusal> {
    let mut table = Table::open(file, source)?;
    let weeks = check_header(&table)?;
    let mut panel = Panel::new(weeks);
    let mut ids: HashSet<Box<str>> = HashSet::new();
    let mut values = Vec::with_capacity(weeks);
    loop {
        match table.next()? {
            Next::End => break,
            Next::Misfit => {
                let (found, expected) = (table.cells().len(), table.headers().len());
                return Err(wrong(
                    &table,
                    format!("the row has {found} fields and the header {expected}"),
                    "Give every series a cell for every week, an empty one where it has no row.",
                ));
            }
            Next::Row => {}
        }
        let cells = table.cells();
        let (id, group) = (text(&table, 0)?, text(&table, 1)?);
        if id.is_empty() {
            return Err(wrong(&table, "it is empty", "Give the series an id.").in_column(SERIES_COLUMN));
        }
        values.clear();
        for (place, cell) in cells.iter().enumerate().skip(BEFORE_WEEKS) {
            let Some(value) = count(cell) else {
                let column = table.headers().get(place).cloned().unwrap_or_default();
                let problem = format!("\"{}\" is no count", printable(cell));
                let remedy =
                    "A count is a number of nought or more; where there is no row the cell is empty.";
                return Err(wrong(&table, problem, remedy).in_column(column));
            };
            values.push(value);
        }
        if !ids.insert(id.into()) {
            let problem = format!("\"{}\" stands there for the second time", printable(id.as_bytes()));
            return Err(wrong(&table, problem, "Give each series one row.").in_column(SERIES_COLUMN));
        }
        panel.push(id, group, &values);
    }
    table.check_end()?;
    Ok(panel)
}

/// The columns in their order: a week's number is its place, so that a column that is missing or at another place
/// would be another week.
fn check_header<R: Read>(table: &Table<R>) -> Result<usize, Refusal> {
    let headers = table.headers();
    for (place, name) in [SERIES_COLUMN, GROUP_COLUMN].into_iter().enumerate() {
        if headers.get(place).map(|header| header.trim()) != Some(name) {
            let problem = format!("column {} of a panel is \"{name}\"", place + 1);
            return Err(table
                .refusal(
                    RefusalKind::MissingColumn,
                    problem,
                    "Name the columns series_id,group_id,w0,w1,… in this order.",
                )
                .at_line(1)
                .in_column(name));
        }
    }
    let weeks = headers.len() - BEFORE_WEEKS;
    let misplaced = (0..weeks).find(|week| headers[BEFORE_WEEKS + week].trim() != format!("w{week}"));
    let misplaced = misplaced.or((weeks == 0).then_some(0));
    if let Some(week) = misplaced {
        let found = headers.get(BEFORE_WEEKS + week).map_or("nothing", |header| header.as_str());
        return Err(table
            .refusal(
                RefusalKind::MissingColumn,
                format!("\"{}\" stands there", printable(found.as_bytes())),
                "Name the weeks w0,w1,… without a gap.",
            )
            .at_line(1)
            .in_column(format!("w{week}")));
    }
    Ok(weeks)
}

fn text<R: Read>(table: &Table<R>, place: usize) -> Result<&str, Refusal> {
    std::str::from_utf8(table.cells().trimmed(Some(place))).map_err(|_| {
        let column = table.headers().get(place).cloned().unwrap_or_default();
        wrong(table, "it is not UTF-8", "Save the file as UTF-8 CSV.").in_column(column)
    })
}

/// A cell's count, [`GAP`] where it is empty.
fn count(cell: &[u8]) -> Option<f32> {
    let text = std::str::from_utf8(cell).ok()?.trim();
    if text.is_empty() {
        return Some(GAP);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    text.parse().ok().filter(|value: &f32| value.is_finite())
}

fn wrong<R: Read>(table: &Table<R>, problem: impl Into<String>, remedy: &'static str) -> Refusal {
    table.refusal(RefusalKind::WrongValue, problem, remedy).at_line(table.place().line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read_panel("p.csv", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_panel_is_read_with_its_gaps() {
        let panel = read_panel("p.csv", "series_id,group_id,w0,w1\na,x,1,\nb,,,2.5\n".as_bytes()).unwrap();
        assert_eq!((panel.id(1), panel.groups()[1], panel.weeks().len()), ("b", None, 2));
        assert_eq!((panel.weeks()[0][0], panel.weeks()[1][1]), (1.0, 2.5));
        assert!(panel.weeks()[1][0].is_nan() && panel.weeks()[0][1].is_nan());
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_column() {
        insta::assert_snapshot!(refused("series_id,group_id,w0\na,x,1\nb,x,1e3\n"), @r#"p.csv:3: column "w0": "1e3" is no count. A count is a number of nought or more; where there is no row the cell is empty."#);
        insta::assert_snapshot!(refused("series_id,group_id,w0\na,x,-1\n"), @r#"p.csv:2: column "w0": "-1" is no count. A count is a number of nought or more; where there is no row the cell is empty."#);
        insta::assert_snapshot!(refused("series_id,group_id,w0\na,x,1\na,x,1\n"), @r#"p.csv:3: column "series_id": "a" stands there for the second time. Give each series one row."#);
        insta::assert_snapshot!(refused("series_id,group_id,w0\n,x,1\n"), @r#"p.csv:2: column "series_id": it is empty. Give the series an id."#);
        insta::assert_snapshot!(refused("series_id,group_id,w0,w1\na,x,1\n"), @"p.csv:2: the row has 3 fields and the header 4. Give every series a cell for every week, an empty one where it has no row.");
        insta::assert_snapshot!(refused("series_id,group_id,w0,w2\na,x,1,2\n"), @r#"p.csv:1: column "w1": "w2" stands there. Name the weeks w0,w1,… without a gap."#);
        insta::assert_snapshot!(refused("series_id,group_id\na,x\n"), @r#"p.csv:1: column "w0": "nothing" stands there. Name the weeks w0,w1,… without a gap."#);
        insta::assert_snapshot!(refused("series,group_id,w0\na,x,1\n"), @r#"p.csv:1: column "series_id": column 1 of a panel is "series_id". Name the columns series_id,group_id,w0,w1,… in this order."#);
        insta::assert_snapshot!(refused("series_id,group_id,w0\n"), @"p.csv:1: the file has a header and no row. An empty report is not the same as no rows: fetch or export it again.");
        insta::assert_snapshot!(refused(""), @"p.csv: the file is empty. An empty file is not the same as no rows: fetch or export it again.");
    }
}
