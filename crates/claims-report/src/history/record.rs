//! How a week is written: all of it in one transaction, in place of what was there of that week.

use std::time::Duration;

use dn_domain::claims::week::Week;
use dn_domain::id::{AssetId, VideoId};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::entry::Entry;
use super::series;
use super::tables::{ARTIST, CHANNEL, Tables, WholeWeek, number_of, source_name, stored, week_of};
use super::{HistoryError, candidates};

/// So many of the newest weeks are kept whole: last week's to compare with, and some to go back to when a report
/// proves bad later.
pub(super) const WHOLE_WEEKS: i64 = 4;

/// Room is given back when a quarter of the file is empty; less is filled by the next weeks.
const EMPTY_PART: i64 = 4;

/// What names a week in every table that has it.
const OF_WEEK: [&str; 8] =
    ["week", "report", "total", "alert", "open_claim", "platform_week", "candidate", "series_block"];

impl Tables {
    /// Whether a week is among those that are kept whole, once it is recorded.
    pub(super) fn is_whole(&self, week: Week) -> Result<bool, HistoryError> {
        let newer: i64 = self.connection.query_row(
            "SELECT COUNT(*) FROM week WHERE week > ?1",
            [number_of(week)],
            |row| row.get(0),
        )?;
        Ok(newer < WHOLE_WEEKS)
    }

    /// Records a week in place of whatever there was of it, and takes off what is too old. The same entry twice leaves
    /// the same content.
    pub(super) fn record(&mut self, entry: &Entry) -> Result<(), HistoryError> {
        let week = number_of(entry.snapshot.week);
        let transaction = self.connection.transaction()?;
        let seen = first_seen(&transaction, entry)?;
        let known = candidates::known(&transaction, entry)?;
        clear(&transaction, week, week)?;
        write_week(&transaction, entry)?;
        write_reports(&transaction, entry)?;
        write_totals(&transaction, entry)?;
        write_alerts(&transaction, entry)?;
        write_open_claims(&transaction, entry, &seen)?;
        write_platform_values(&transaction, entry)?;
        candidates::write(&transaction, entry, &known)?;
        candidates::look(&transaction, entry)?;
        series::write(&transaction, &entry.snapshot)?;
        if let Some(oldest) = oldest_kept(&transaction, self.retention)? {
            clear(&transaction, i64::MIN, number_of(oldest) - 1)?;
        }
        transaction.execute(
            "UPDATE week SET object = NULL, hash = NULL \
             WHERE week NOT IN (SELECT week FROM week ORDER BY week DESC LIMIT ?1)",
            [WHOLE_WEEKS],
        )?;
        transaction.commit()?;
        self.give_back_room()
    }

    /// Says where the whole of a week that is recorded lies.
    pub(super) fn name_whole(&mut self, week: Week, whole: &WholeWeek) -> Result<(), HistoryError> {
        self.connection.execute(
            "UPDATE week SET object = ?2, hash = ?3 WHERE week = ?1",
            params![number_of(week), whole.object, whole.hash],
        )?;
        Ok(())
    }

    fn give_back_room(&self) -> Result<(), HistoryError> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        if pragma("freelist_count")?.saturating_mul(EMPTY_PART) > pragma("page_count")? {
            self.connection.execute_batch("VACUUM")?;
        }
        Ok(())
    }
}

/// The oldest week that is not too old, by the newest: so a run of an old week takes nothing off that another keeps.
fn oldest_kept(transaction: &Transaction<'_>, retention: Duration) -> Result<Option<Week>, HistoryError> {
    let newest: Option<i64> = transaction.query_row("SELECT MAX(week) FROM week", [], |row| row.get(0))?;
    let weeks = i32::try_from(retention.as_secs() / (7 * 24 * 3600)).unwrap_or(i32::MAX);
    newest.map(|newest| Ok(week_of(newest)?.plus(-weeks))).transpose()
}

/// Takes off everything of the weeks from one to another.
fn clear(transaction: &Transaction<'_>, from: i64, to: i64) -> Result<(), HistoryError> {
    for table in OF_WEEK {
        transaction.execute(&format!("DELETE FROM {table} WHERE week BETWEEN ?1 AND ?2"), [from, to])?;
    }
    Ok(())
}

fn write_week(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), HistoryError> {
    let totals = &entry.totals;
    transaction.execute(
        "INSERT INTO week VALUES (?1, ?2, ?3, NULL, NULL, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            number_of(entry.snapshot.week),
            entry.run_id,
            entry.generated_at,
            stored(totals.assets),
            stored(totals.videos),
            stored(totals.claims),
            stored(totals.all.views),
            stored(totals.all.engaged_views),
            stored(totals.all.active_claims),
        ],
    )?;
    Ok(())
}

fn write_reports(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), HistoryError> {
    let mut insert =
        transaction.prepare_cached("INSERT INTO report VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for report in &entry.reports {
        insert.execute(params![
            number_of(entry.snapshot.week),
            source_name(report.source)?,
            report.id,
            report.uri,
            report.modified,
            report.covers_until.map(|day| day.to_string()),
            report.is_suspect,
            to_json(&report.facts)?,
        ])?;
    }
    Ok(())
}

fn write_totals(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), HistoryError> {
    let mut insert = transaction.prepare_cached("INSERT INTO total VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for (kind, subjects) in [(CHANNEL, &entry.totals.channels), (ARTIST, &entry.totals.artists)] {
        for (id, totals) in subjects {
            insert.execute(params![
                number_of(entry.snapshot.week),
                kind,
                id,
                totals.title,
                stored(totals.numbers.views),
                stored(totals.numbers.engaged_views),
                stored(totals.numbers.active_claims),
            ])?;
        }
    }
    Ok(())
}

fn write_alerts(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), HistoryError> {
    let mut insert = transaction.prepare_cached("INSERT INTO alert VALUES (?1, ?2, ?3, ?4)")?;
    for (place, kept) in (0_i64..).zip(&entry.alerts) {
        let alert = to_json(&kept.alert)?;
        insert.execute(params![number_of(entry.snapshot.week), place, kept.is_told, alert])?;
    }
    Ok(())
}

/// Since when each open claim has been known in its status, this week's own earlier row included: a week that is done again must not
/// forget what came from a week that is gone meanwhile.
fn first_seen(transaction: &Transaction<'_>, entry: &Entry) -> Result<Vec<i64>, HistoryError> {
    let mut earliest = transaction.prepare_cached(
        "SELECT MIN(first_seen) FROM open_claim WHERE claim_id = ?1 AND week <= ?2 AND status = ?3",
    )?;
    let week = number_of(entry.snapshot.week);
    let seen = entry.open_claims.iter().map(|claim| {
        let known: Option<Option<i64>> = earliest
            .query_row(params![claim.claim_id.as_str(), week, claim.status], |row| row.get(0))
            .optional()?;
        let told = number_of(claim.first_seen);
        Ok(known.flatten().map_or(told, |known| known.min(told)))
    });
    seen.collect()
}

fn write_open_claims(
    transaction: &Transaction<'_>,
    entry: &Entry,
    first_seen: &[i64],
) -> Result<(), HistoryError> {
    let mut insert = transaction
        .prepare_cached("INSERT OR REPLACE INTO open_claim VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    // A week that is recorded late may have seen a claim before the weeks that are there.
    let mut move_back = transaction.prepare_cached(
        "UPDATE open_claim SET first_seen = ?3 \
         WHERE claim_id = ?1 AND week > ?2 AND first_seen > ?3 AND status = ?4",
    )?;
    let week = number_of(entry.snapshot.week);
    for (claim, seen) in entry.open_claims.iter().zip(first_seen) {
        insert.execute(params![
            week,
            claim.claim_id.as_str(),
            claim.asset_id.as_ref().map(AssetId::as_str),
            claim.video_id.as_ref().map(VideoId::as_str),
            claim.status,
            seen,
            candidates::codes(claim.signs),
            claim.risk.map(|risk| risk.to_string()),
        ])?;
        move_back.execute(params![claim.claim_id.as_str(), week, seen, claim.status])?;
    }
    Ok(())
}

fn write_platform_values(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), HistoryError> {
    let mut insert =
        transaction.prepare_cached("INSERT OR REPLACE INTO platform_week VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for value in &entry.platform_values {
        insert.execute(params![
            number_of(value.week),
            value.platform,
            value.key_kind.name(),
            value.key,
            value.metric,
            value.value.to_string(),
        ])?;
    }
    Ok(())
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, HistoryError> {
    serde_json::to_string(value).map_err(|error| HistoryError::Damaged(error.to_string()))
}
