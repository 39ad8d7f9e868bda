//! The local copy of the history: what is asked of it. All of it blocks; [`super::History`] calls it where that holds
//! nobody up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use dn_domain::claims::movers::{Numbers, SubjectTotals, WeekTotals};
use dn_domain::claims::platforms::KeyKind;
use dn_domain::claims::risk::Signs;
use dn_domain::claims::snapshot::{ReportFacts, Source};
use dn_domain::claims::week::Week;
use dn_domain::number::Decimal;
use jiff::civil::{Date, date};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::HistoryError;
use super::entry::{KeptAlert, KeptReport, KeptWeek, OpenClaim};
use super::schema::{self, MIGRATIONS};
use super::series::{self, AssetWeek, ReferenceWeek, UploaderWeek, VideoWeek};

/// The Monday that weeks are counted from.
const FIRST: Date = date(1970, 1, 5);

/// The local copy of the history.
#[derive(Debug)]
pub struct Tables {
    pub(super) connection: Connection,
    /// How long weeks are kept.
    pub(super) retention: Duration,
}

/// Where the whole of a week lies beside the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WholeWeek {
    /// The object's name in its folder.
    pub object: String,
    /// The hash that ends it, in hex.
    pub hash: String,
}

impl Tables {
    /// Opens a database file, or makes one where there is none.
    pub fn open(path: &Path, retention: Duration) -> Result<Self, HistoryError> {
        Ok(Self { connection: schema::open(path, MIGRATIONS)?, retention })
    }

    /// All weeks, the oldest first. A week that is missing is not there.
    pub fn weeks(&self) -> Result<Vec<KeptWeek>, HistoryError> {
        self.weeks_before(i64::MAX)
    }

    /// The newest week before one.
    pub fn last_before(&self, week: Week) -> Result<Option<KeptWeek>, HistoryError> {
        Ok(self.weeks_before(number_of(week))?.pop())
    }

    fn weeks_before(&self, number: i64) -> Result<Vec<KeptWeek>, HistoryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT week, run_id, generated_at, object IS NOT NULL FROM week WHERE week < ?1 ORDER BY week",
        )?;
        let mut suspects = self
            .connection
            .prepare_cached("SELECT source FROM report WHERE week = ?1 AND is_suspect ORDER BY source")?;
        let mut rows = statement.query([number])?;
        let mut weeks = Vec::new();
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            let names = suspects.query_map([number], |row| row.get::<_, String>(0))?;
            weeks.push(KeptWeek {
                week: week_of(number)?,
                run_id: row.get(1)?,
                generated_at: row.get(2)?,
                is_whole: row.get(3)?,
                suspects: names.map(|name| source_of(&name?)).collect::<Result<_, HistoryError>>()?,
            });
        }
        Ok(weeks)
    }

    /// The newest week all of whose reports were believed. What comes after it is to be looked at again.
    pub fn watermark(&self) -> Result<Option<Week>, HistoryError> {
        Ok(self.weeks()?.into_iter().rev().find(KeptWeek::is_good).map(|week| week.week))
    }

    /// The sums of those of so many weeks in a row that are there, the oldest first.
    pub fn totals(&self, last: Week, count: i32) -> Result<Vec<WeekTotals>, HistoryError> {
        let mut weeks = self.connection.prepare_cached(
            "SELECT week, assets, videos, claims, views, engaged_views, active_claims FROM week \
             WHERE week > ?1 AND week <= ?2 ORDER BY week",
        )?;
        let mut subjects = self.connection.prepare_cached(
            "SELECT id, title, views, engaged_views, active_claims FROM total WHERE week = ?1 AND kind = ?2",
        )?;
        let mut rows = weeks.query([number_of(last) - i64::from(count), number_of(last)])?;
        let mut totals = Vec::new();
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            let mut of_kind = |kind: &str| -> Result<BTreeMap<_, _>, HistoryError> {
                let rows = subjects.query_map(params![number, kind], |row| {
                    Ok((row.get(0)?, SubjectTotals { title: row.get(1)?, numbers: numbers(row, 2)? }))
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            };
            totals.push(WeekTotals {
                week: week_of(number)?,
                assets: known(row, 1)?,
                videos: known(row, 2)?,
                claims: known(row, 3)?,
                all: numbers(row, 4)?,
                channels: of_kind(CHANNEL)?,
                artists: of_kind(ARTIST)?,
            });
        }
        Ok(totals)
    }

    /// The alerts of a week in order, told and held back.
    pub fn alerts(&self, week: Week) -> Result<Vec<KeptAlert>, HistoryError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT alert, is_told FROM alert WHERE week = ?1 ORDER BY place")?;
        let mut rows = statement.query([number_of(week)])?;
        let mut alerts = Vec::new();
        while let Some(row) = rows.next()? {
            alerts.push(KeptAlert { alert: from_json(&row.get::<_, String>(0)?)?, is_told: row.get(1)? });
        }
        Ok(alerts)
    }

    /// The reports of a week.
    pub fn reports(&self, week: Week) -> Result<Vec<KeptReport>, HistoryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT source, report_id, uri, modified, covers_until, is_suspect, facts FROM report \
             WHERE week = ?1 ORDER BY source",
        )?;
        let mut rows = statement.query([number_of(week)])?;
        let mut reports = Vec::new();
        while let Some(row) = rows.next()? {
            reports.push(KeptReport {
                source: source_of(&row.get::<_, String>(0)?)?,
                id: row.get(1)?,
                uri: row.get(2)?,
                modified: row.get(3)?,
                covers_until: parsed(row, 4)?,
                is_suspect: row.get(5)?,
                facts: from_json(&row.get::<_, String>(6)?)?,
            });
        }
        Ok(reports)
    }

    /// What the last believed report of a kind came to before a week.
    pub fn report_facts(
        &self,
        before: Week,
        source: Source,
    ) -> Result<Option<(Week, ReportFacts)>, HistoryError> {
        let found: Option<(i64, String)> = self
            .connection
            .query_row(
                "SELECT week, facts FROM report WHERE week < ?1 AND source = ?2 AND NOT is_suspect \
                 ORDER BY week DESC LIMIT 1",
                params![number_of(before), source_name(source)?],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        found.map(|(week, facts)| Ok((week_of(week)?, from_json(&facts)?))).transpose()
    }

    /// The claims that were open in a week, by id.
    pub fn open_claims(&self, week: Week) -> Result<Vec<OpenClaim>, HistoryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT claim_id, asset_id, video_id, status, first_seen, signs, risk FROM open_claim WHERE week = ?1 \
             ORDER BY claim_id",
        )?;
        let mut rows = statement.query([number_of(week)])?;
        let mut claims = Vec::new();
        while let Some(row) = rows.next()? {
            let claim_id = parsed(row, 0)?;
            claims.push(OpenClaim {
                claim_id: claim_id.ok_or_else(|| HistoryError::Damaged("a claim is none".to_owned()))?,
                asset_id: parsed(row, 1)?,
                video_id: parsed(row, 2)?,
                status: row.get(3)?,
                first_seen: week_of(row.get(4)?)?,
                signs: Signs::named(row.get::<_, Option<String>>(5)?.unwrap_or_default().split(' ')),
                risk: parsed(row, 6)?,
            });
        }
        Ok(claims)
    }

    /// The platforms that a week heard of.
    pub fn platforms(&self, week: Week) -> Result<BTreeSet<String>, HistoryError> {
        let mut statement =
            self.connection.prepare_cached("SELECT DISTINCT platform FROM platform_week WHERE week = ?1")?;
        let rows = statement.query_map([number_of(week)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Tells what the platforms counted in a week, in no order that means anything: platform, metric, what the key is, the
    /// key, and how much.
    pub fn platform_values(
        &self,
        week: Week,
        mut each: impl FnMut(&str, &str, KeyKind, &str, Decimal),
    ) -> Result<(), HistoryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT platform, metric, key_kind, key, value FROM platform_week WHERE week = ?1",
        )?;
        let mut rows = statement.query([number_of(week)])?;
        while let Some(row) = rows.next()? {
            let text = |column| -> Result<&str, HistoryError> {
                row.get_ref(column)?.as_str().map_err(|error| HistoryError::Damaged(error.to_string()))
            };
            let kind = KeyKind::named(text(2)?)
                .ok_or_else(|| HistoryError::Damaged("a track is known by nothing".to_owned()))?;
            let value: Option<Decimal> = parsed(row, 4)?;
            if let Some(value) = value {
                each(text(0)?, text(1)?, kind, text(3)?, value);
            }
        }
        Ok(())
    }

    /// Tells the views of each video in these weeks; see [`Self::asset_series`].
    pub fn video_series<E: From<HistoryError>>(
        &self,
        weeks: &[Week],
        each: impl FnMut(&str, &[Option<VideoWeek>]) -> Result<(), E>,
    ) -> Result<(), E> {
        series::walk(&self.connection, weeks, each)
    }

    /// Tells the numbers of each asset in these weeks, one asset after the other in the order of their ids, with a
    /// point for each of the weeks in the order given, none for one without numbers of it. An error of `each` ends
    /// the walk. Memory grows with the number of weeks alone.
    pub fn asset_series<E: From<HistoryError>>(
        &self,
        weeks: &[Week],
        each: impl FnMut(&str, &[Option<AssetWeek>]) -> Result<(), E>,
    ) -> Result<(), E> {
        series::walk(&self.connection, weeks, each)
    }

    /// Tells the claims of each reference in these weeks; see [`Self::asset_series`].
    pub fn reference_series<E: From<HistoryError>>(
        &self,
        weeks: &[Week],
        each: impl FnMut(&str, &[Option<ReferenceWeek>]) -> Result<(), E>,
    ) -> Result<(), E> {
        series::walk(&self.connection, weeks, each)
    }

    /// Tells the claims on the videos of each uploader in these weeks; see [`Self::asset_series`].
    pub fn uploader_series<E: From<HistoryError>>(
        &self,
        weeks: &[Week],
        each: impl FnMut(&str, &[Option<UploaderWeek>]) -> Result<(), E>,
    ) -> Result<(), E> {
        series::walk(&self.connection, weeks, each)
    }

    /// Where the whole week lies, if it is kept.
    pub(super) fn whole_week(&self, week: Week) -> Result<Option<WholeWeek>, HistoryError> {
        let found = self
            .connection
            .query_row(
                "SELECT object, hash FROM week WHERE week = ?1 AND object IS NOT NULL",
                [number_of(week)],
                |row| Ok(WholeWeek { object: row.get(0)?, hash: row.get(1)? }),
            )
            .optional()?;
        Ok(found)
    }

    /// The names of all whole weeks that are kept.
    pub(super) fn objects(&self) -> Result<Vec<String>, HistoryError> {
        let mut statement =
            self.connection.prepare_cached("SELECT object FROM week WHERE object IS NOT NULL")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}

/// The kinds of sums.
pub(super) const CHANNEL: &str = "channel";
pub(super) const ARTIST: &str = "artist";

/// The number of a week.
pub(super) fn number_of(week: Week) -> i64 {
    i64::from(week.since(Week::of(FIRST)))
}

/// The week of a number.
pub(super) fn week_of(number: i64) -> Result<Week, HistoryError> {
    let number = i32::try_from(number).map_err(|_| HistoryError::Damaged("a week is none".to_owned()))?;
    Ok(Week::of(FIRST).plus(number))
}

/// A number as `SQLite` holds it; what is above half of all numbers stands for itself no longer, which no counter of
/// views comes near.
pub(super) fn stored(number: Option<u64>) -> Option<i64> {
    number.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

/// A number of a row, none where it is unknown.
pub(super) fn known(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    let number: Option<i64> = row.get(column)?;
    number
        .map(|number| {
            u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
        })
        .transpose()
}

fn numbers(row: &Row<'_>, first: usize) -> rusqlite::Result<Numbers> {
    Ok(Numbers {
        views: known(row, first)?,
        engaged_views: known(row, first + 1)?,
        active_claims: known(row, first + 2)?,
    })
}

/// A text of a row that must be what it was written from.
pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<T>, HistoryError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|error: T::Err| HistoryError::Damaged(error.to_string())))
        .transpose()
}

/// The name of a report as it stands in the tables.
pub(super) fn source_name(source: Source) -> Result<String, HistoryError> {
    let name = serde_json::to_value(source).map_err(|error| HistoryError::Damaged(error.to_string()))?;
    Ok(name.as_str().unwrap_or_default().to_owned())
}

fn source_of(name: &str) -> Result<Source, HistoryError> {
    serde_json::from_value(name.into()).map_err(|error| HistoryError::Damaged(error.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, HistoryError> {
    serde_json::from_str(text).map_err(|error| HistoryError::Damaged(error.to_string()))
}
