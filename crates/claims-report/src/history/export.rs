//! The history as files that people open: a CSV for each table.
//!
//! Titles and other texts are neutralised, since a spreadsheet would evaluate what begins like a formula. An unknown
//! number is an empty cell, and a week without data has no row.

use std::io;

use anyhow::Context as _;
use dn_core::store::{Condition, Store};
use dn_core::task::Scratch;
use dn_domain::claims::changes::neutral;
use dn_domain::number::Decimal;
use rusqlite::types::ValueRef;

use super::series::{self, AssetWeek, Point, ReferenceWeek, UploaderWeek, VideoWeek};
use super::tables::Tables;
use super::{History, HistoryError};

/// The Monday of a table's week.
macro_rules! monday {
    ($column:literal) => {
        concat!("date('1970-01-05', (", $column, " * 7) || ' days')")
    };
}

/// What stands in a file.
#[derive(Clone, Copy)]
enum Content {
    /// The answer to a question.
    Rows(&'static str),
    /// The series of a kind.
    Series(fn(&Tables, &mut csv::Writer<Scratch>) -> Result<u64, HistoryError>),
}

/// The files and what stands in them.
const FILES: [(&str, Content); 11] = [
    (
        "weeks.csv",
        Content::Rows(concat!(
            "SELECT ",
            monday!("week"),
            " AS week, run_id, generated_at, assets, videos, claims, views, \
             engaged_views, active_claims FROM week ORDER BY week.week"
        )),
    ),
    (
        "reports.csv",
        Content::Rows(concat!(
            "SELECT ",
            monday!("week"),
            " AS week, source, report_id, uri, modified, covers_until, \
             CASE is_suspect WHEN 0 THEN 'no' ELSE 'yes' END AS suspect, facts -> 'rows' AS rows, \
             facts -> 'used' AS used, facts -> 'duplicates' AS duplicates, facts -> 'rejected' AS rejected, \
             facts -> 'entries' AS entries, facts -> 'channels' AS channels, \
             NULLIF(facts -> 'views', 'null') AS views, NULLIF(facts -> 'engagedViews', 'null') AS engaged_views, \
             NULLIF(facts -> 'activeClaims', 'null') AS active_claims FROM report ORDER BY report.week, source"
        )),
    ),
    (
        "totals.csv",
        Content::Rows(concat!(
            "SELECT ",
            monday!("week"),
            " AS week, kind, id, title, views, engaged_views, active_claims FROM total \
             ORDER BY total.week, kind, id"
        )),
    ),
    (
        "alerts.csv",
        Content::Rows(concat!(
            "SELECT ",
            monday!("week"),
            " AS week, CASE is_told WHEN 0 THEN 'no' ELSE 'yes' END AS told, \
             alert ->> 'id' AS id, alert ->> 'kind' AS kind, alert ->> 'severity' AS severity, \
             alert ->> 'state' AS state, alert ->> '$.subject.type' AS subject_type, \
             alert ->> '$.subject.id' AS subject_id, alert ->> '$.subject.title' AS title, \
             NULLIF(alert -> 'value', 'null') AS value, alert ->> 'reason' AS reason, \
             alert -> 'evidence' AS evidence FROM alert ORDER BY alert.week, place"
        )),
    ),
    (
        "open_claims.csv",
        Content::Rows(concat!(
            "SELECT ",
            monday!("week"),
            " AS week, claim_id, asset_id, video_id, status, ",
            monday!("first_seen"),
            " AS first_seen, signs, risk FROM open_claim ORDER BY open_claim.week, claim_id"
        )),
    ),
    (
        "candidates.csv",
        Content::Rows(concat!(
            "SELECT ",
            monday!("week"),
            " AS week, claim_id, asset_id, channel_id, signs, \
             CASE is_manual WHEN 0 THEN 'no' ELSE 'yes' END AS manual, \
             CASE is_ranked WHEN 0 THEN 'no' ELSE 'yes' END AS ranked, \
             CASE is_drawn WHEN 0 THEN 'no' ELSE 'yes' END AS drawn, probability, at_stake, \
             looked, disputed, released, gone FROM candidate ORDER BY candidate.week, claim_id"
        )),
    ),
    ("video_week.csv", Content::Series(write_series::<VideoWeek>)),
    ("asset_week.csv", Content::Series(write_series::<AssetWeek>)),
    ("reference_week.csv", Content::Series(write_series::<ReferenceWeek>)),
    ("uploader_week.csv", Content::Series(write_series::<UploaderWeek>)),
    (
        "platform_week.csv",
        Content::Rows(concat!(
            "SELECT ",
            monday!("week"),
            " AS week, platform, key_kind, key, metric, value FROM platform_week \
             ORDER BY platform_week.week, platform, key_kind, key, metric"
        )),
    ),
];

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Where it is.
    pub uri: String,
    /// Rows without the header.
    pub rows: u64,
}

/// Writes the history into a folder or bucket, in place of files of the same names. Rows are streamed, so memory does
/// not grow with the history.
pub async fn export(history: &History, to: &Store) -> anyhow::Result<Vec<Exported>> {
    let mut exported = Vec::with_capacity(FILES.len());
    for (name, content) in FILES {
        let scratch = Scratch::new().context("no temporary file for the export")?;
        let (scratch, rows) = history
            .ask(move |tables| {
                let mut csv = csv::Writer::from_writer(scratch);
                let rows = match content {
                    Content::Rows(select) => write_rows(tables, select, &mut csv)?,
                    Content::Series(write) => write(tables, &mut csv)?,
                };
                Ok((csv.into_inner().map_err(csv::IntoInnerError::into_error)?, rows))
            })
            .await?;
        let (path, _) = scratch.finish()?;
        to.put_file(name, &path, Condition::None).await?;
        exported.push(Exported { uri: to.uri(name), rows });
    }
    Ok(exported)
}

/// Writes the header and the rows of a table, and counts them.
fn write_rows(tables: &Tables, select: &str, to: &mut csv::Writer<Scratch>) -> Result<u64, HistoryError> {
    let mut statement = tables.connection.prepare(select)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    to.write_record(&columns).map_err(io::Error::from)?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        for (index, column) in columns.iter().enumerate() {
            let cell = match row.get_ref(index)? {
                ValueRef::Null => String::new(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => number.to_string(),
                ValueRef::Text(text) | ValueRef::Blob(text) => cell(column, &String::from_utf8_lossy(text)),
            };
            to.write_field(cell).map_err(io::Error::from)?;
        }
        to.write_record(None::<&[u8]>).map_err(io::Error::from)?;
        count += 1;
    }
    Ok(count)
}

/// Writes the header and the series of a kind, a row for each week and subject, by week and id, and counts the rows.
fn write_series<P: Point>(tables: &Tables, to: &mut csv::Writer<Scratch>) -> Result<u64, HistoryError> {
    let head = ["week", P::ID];
    to.write_record(head.iter().chain(P::COLUMNS)).map_err(io::Error::from)?;
    let mut count = 0;
    for week in series::weeks(&tables.connection)? {
        let monday = week.to_string();
        series::walk(&tables.connection, &[week], |id, points: &[Option<P>]| {
            for point in points.iter().flatten() {
                to.write_field(&monday).map_err(io::Error::from)?;
                to.write_field(neutral(id)).map_err(io::Error::from)?;
                for cell in point.cells().as_ref() {
                    let cell = cell.map(|number| number.to_string()).unwrap_or_default();
                    to.write_field(cell).map_err(io::Error::from)?;
                }
                to.write_record(None::<&[u8]>).map_err(io::Error::from)?;
                count += 1;
            }
            Ok::<_, HistoryError>(())
        })?;
    }
    Ok(count)
}

/// A text as a cell. A minus sign before digits alone is a number and no formula.
fn cell(column: &str, text: &str) -> String {
    let is_number =
        column == "value" && !text.starts_with('+') && Decimal::parse_bytes(text.as_bytes()).is_ok();
    if is_number { text.to_owned() } else { neutral(text) }
}
