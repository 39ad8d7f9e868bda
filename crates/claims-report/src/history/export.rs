//! The history as files that people open: a CSV for each table.
//!
//! Titles and other texts are neutralised, since a spreadsheet would evaluate what begins like a formula. An unknown
//! number is an empty cell, and a week without data has no row.

use std::io::{self, Write};

use anyhow::Context as _;
use dn_core::store::{Condition, Store};
use dn_core::task::Scratch;
use dn_domain::claims::changes::neutral;
use dn_domain::number::Decimal;
use rusqlite::types::ValueRef;

use super::tables::Tables;
use super::{History, HistoryError};

/// The Monday of a table's week.
macro_rules! monday {
    ($column:literal) => {
        concat!("date('1970-01-05', (", $column, " * 7) || ' days')")
    };
}

/// A series with the ids of its subjects.
macro_rules! series {
    ($table:literal, $id:literal, $columns:literal) => {
        concat!(
            "SELECT ",
            monday!("week"),
            " AS week, subject.id AS ",
            $id,
            ", ",
            $columns,
            " FROM ",
            $table,
            " AS series JOIN subject ON subject.number = series.subject ORDER BY series.week, series.subject"
        )
    };
}

/// The files and what stands in them.
const FILES: [(&str, &str); 11] = [
    (
        "weeks.csv",
        concat!(
            "SELECT ",
            monday!("week"),
            " AS week, run_id, generated_at, assets, videos, claims, views, \
             engaged_views, active_claims FROM week ORDER BY week.week"
        ),
    ),
    (
        "reports.csv",
        concat!(
            "SELECT ",
            monday!("week"),
            " AS week, source, report_id, uri, modified, covers_until, \
             CASE is_suspect WHEN 0 THEN 'no' ELSE 'yes' END AS suspect, facts -> 'rows' AS rows, \
             facts -> 'used' AS used, facts -> 'duplicates' AS duplicates, facts -> 'rejected' AS rejected, \
             facts -> 'entries' AS entries, facts -> 'channels' AS channels, \
             NULLIF(facts -> 'views', 'null') AS views, NULLIF(facts -> 'engagedViews', 'null') AS engaged_views, \
             NULLIF(facts -> 'activeClaims', 'null') AS active_claims FROM report ORDER BY report.week, source"
        ),
    ),
    (
        "totals.csv",
        concat!(
            "SELECT ",
            monday!("week"),
            " AS week, kind, id, title, views, engaged_views, active_claims FROM total \
             ORDER BY total.week, kind, id"
        ),
    ),
    (
        "alerts.csv",
        concat!(
            "SELECT ",
            monday!("week"),
            " AS week, CASE is_told WHEN 0 THEN 'no' ELSE 'yes' END AS told, \
             alert ->> 'id' AS id, alert ->> 'kind' AS kind, alert ->> 'severity' AS severity, \
             alert ->> 'state' AS state, alert ->> '$.subject.type' AS subject_type, \
             alert ->> '$.subject.id' AS subject_id, alert ->> '$.subject.title' AS title, \
             NULLIF(alert -> 'value', 'null') AS value, alert ->> 'reason' AS reason, \
             alert -> 'evidence' AS evidence FROM alert ORDER BY alert.week, place"
        ),
    ),
    (
        "open_claims.csv",
        concat!(
            "SELECT ",
            monday!("week"),
            " AS week, claim_id, asset_id, video_id, status, ",
            monday!("first_seen"),
            " AS first_seen, signs, risk FROM open_claim ORDER BY open_claim.week, claim_id"
        ),
    ),
    (
        "candidates.csv",
        concat!(
            "SELECT ",
            monday!("week"),
            " AS week, claim_id, asset_id, channel_id, signs, \
             CASE is_manual WHEN 0 THEN 'no' ELSE 'yes' END AS manual, \
             CASE is_ranked WHEN 0 THEN 'no' ELSE 'yes' END AS ranked, \
             CASE is_drawn WHEN 0 THEN 'no' ELSE 'yes' END AS drawn, probability, at_stake, \
             looked, disputed, released, gone FROM candidate ORDER BY candidate.week, claim_id"
        ),
    ),
    ("video_week.csv", series!("video_week", "video_id", "views, engaged_views")),
    (
        "asset_week.csv",
        series!(
            "asset_week",
            "asset_id",
            "active_claims, claims, created, inactive, disputed, short, daily_views, daily_engaged_views, \
             claimed_views, claimed_engaged_views"
        ),
    ),
    (
        "reference_week.csv",
        series!(
            "reference_week",
            "reference_id",
            "claims, created, inactive, disputed, short, median_seconds"
        ),
    ),
    (
        "uploader_week.csv",
        series!("uploader_week", "channel_id", "claims, created, inactive, disputed, short"),
    ),
    (
        "platform_week.csv",
        concat!(
            "SELECT ",
            monday!("week"),
            " AS week, platform, key_kind, key, metric, value FROM platform_week \
             ORDER BY platform_week.week, platform, key_kind, key, metric"
        ),
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
    for (name, select) in FILES {
        let scratch = Scratch::new().context("no temporary file for the export")?;
        let (scratch, rows) = history
            .ask(move |tables| {
                let mut csv = csv::Writer::from_writer(scratch);
                let rows = write(tables, select, &mut csv)?;
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
fn write<W: Write>(tables: &Tables, select: &str, to: &mut csv::Writer<W>) -> Result<u64, HistoryError> {
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

/// A text as a cell. A minus sign before digits alone is a number and no formula.
fn cell(column: &str, text: &str) -> String {
    let is_number =
        column == "value" && !text.starts_with('+') && Decimal::parse_bytes(text.as_bytes()).is_ok();
    if is_number { text.to_owned() } else { neutral(text) }
}
