//! What the weekly report knows of the weeks before: one `SQLite` file in the state folder, and beside it the newest
//! weeks as a whole.
//!
//! A run copies the file to the local disk ([`History::open`]), asks it, records its week ([`History::record`]) and
//! puts it back ([`History::save`]) on the condition that nobody else has meanwhile: that put is what makes the week
//! part of the history. Until then nothing outside has changed but for an object that no row names. What is asked of
//! the tables blocks, so it is asked on a thread of its own ([`History::ask`]).

mod blocks;
mod candidates;
mod entry;
mod export;
mod lookup;
mod record;
#[cfg(test)]
mod sample;
mod schema;
mod series;
mod settings;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use dn_core::store::{Condition, ETag, Store, StoreError};
use dn_core::task::{Ended, Exit};
use dn_domain::claims::movers::WeekTotals;
use dn_domain::claims::snapshot::{KeptError, ReportFacts, Snapshot, Source};
use dn_domain::claims::week::Week;
use tempfile::TempDir;

pub use candidates::Fates;
pub use entry::{Entry, KeptAlert, KeptReport, KeptWeek, NotedClaim, OpenClaim, PlatformValue};
pub use export::{Exported, export};
pub use series::{AssetWeek, Point, ReferenceWeek, UploaderWeek, VideoWeek};
pub use settings::{HISTORY_RETENTION, HistoryArgs};
pub use tables::Tables;

use tables::WholeWeek;

use crate::in_two::SideBySide;

/// The database's key in the state folder.
const DATABASE: &str = "claims-report/history/history.sqlite";
/// The folder of whole weeks.
const WEEKS: &str = "claims-report/history/weeks/";
/// The hash that ends a kept week.
const HASH_BYTES: usize = 32;

/// Why the tables do not answer.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It is of a program that is newer than this one.
    #[error("it has the form {found}, and this program knows forms up to {known}")]
    Newer {
        /// The form found.
        found: usize,
        /// The newest form known.
        known: usize,
    },
    /// Series are to be written that are not in the order of their ids.
    #[error("what is to be written is out of order at {0:?}")]
    OutOfOrder(String),
    /// `SQLite` fails.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A temporary file fails.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl HistoryError {
    /// Whether the file is at fault.
    fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Damaged(_) => true,
            Self::Newer { .. } | Self::OutOfOrder(_) | Self::Io(_) => false,
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => {
                matches!(failure.code, DatabaseCorrupt | NotADatabase)
            }
            Self::Sqlite(error) => matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::Utf8Error(..)
            ),
        }
    }

    /// Whether the local disk is at fault.
    fn is_of_disk(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DiskFull, OutOfMemory, ReadOnly, SystemIoFailure};
        match self {
            Self::Io(_) => true,
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => {
                matches!(failure.code, CannotOpen | DiskFull | OutOfMemory | ReadOnly | SystemIoFailure)
            }
            _ => false,
        }
    }

    /// The error as the end of a run, with the remedy.
    fn of(self, uri: &str) -> anyhow::Error {
        if self.is_damage() {
            let message = format!(
                "the history {uri} cannot be used: {self}; put an earlier version of the object in its place, or move \
                 it away: the next run then begins a new history and compares with nothing"
            );
            return Ended::new(Exit::InputRefused, message).into();
        }
        if let Self::Newer { .. } = self {
            let message = format!(
                "the history {uri} cannot be used: {self}; run the newer program, or put an earlier version of the \
                 object in its place"
            );
            return Ended::new(Exit::InputRefused, message).into();
        }
        if self.is_of_disk() {
            let message =
                format!("the local copy of the history {uri}: {self}; see the room for temporary files");
            return Ended::new(Exit::Temporary, message).into();
        }
        anyhow::Error::new(self).context(format!("the history {uri}"))
    }
}

/// The history, open in a local copy.
#[derive(Debug)]
pub struct History {
    store: Store,
    tables: Arc<Mutex<Tables>>,
    /// Holds the local copy, and goes with it.
    folder: TempDir,
    /// The version that was copied; none where there was none.
    etag: Option<ETag>,
    is_changed: bool,
}

impl History {
    /// Copies the history of a state folder to the local disk and opens it. Where there is none it is empty, which is
    /// the first run. Weeks that are older than the newest by more than the retention go when a week is recorded.
    pub async fn open(store: &Store, retention: Duration) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("no folder for the local copy of the history")?;
        let path = Self::path_in(&folder);
        let etag = store.get_file(DATABASE, &path).await?;
        let uri = store.uri(DATABASE);
        let tables = tokio::task::spawn_blocking(move || Tables::open(&path, retention)).await?;
        Ok(Self {
            store: store.clone(),
            tables: Arc::new(Mutex::new(tables.map_err(|error| error.of(&uri))?)),
            folder,
            etag,
            is_changed: false,
        })
    }

    fn path_in(folder: &TempDir) -> std::path::PathBuf {
        folder.path().join("history.sqlite")
    }

    /// Asks the tables, where that holds nobody up.
    pub async fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Tables) -> Result<R, HistoryError> + Send + 'static,
    ) -> anyhow::Result<R> {
        let tables = Arc::clone(&self.tables);
        let asked = tokio::task::spawn_blocking(move || {
            question(&mut tables.lock().unwrap_or_else(PoisonError::into_inner))
        });
        asked.await?.map_err(|error| error.of(&self.store.uri(DATABASE)))
    }

    /// As [`Tables::weeks`].
    pub async fn weeks(&self) -> anyhow::Result<Vec<KeptWeek>> {
        self.ask(|tables| tables.weeks()).await
    }

    /// As [`Tables::last_before`].
    pub async fn last_before(&self, week: Week) -> anyhow::Result<Option<KeptWeek>> {
        self.ask(move |tables| tables.last_before(week)).await
    }

    /// As [`Tables::watermark`].
    pub async fn watermark(&self) -> anyhow::Result<Option<Week>> {
        self.ask(|tables| tables.watermark()).await
    }

    /// As [`Tables::totals`].
    pub async fn totals(&self, last: Week, count: i32) -> anyhow::Result<Vec<WeekTotals>> {
        self.ask(move |tables| tables.totals(last, count)).await
    }

    /// As [`Tables::alerts`].
    pub async fn alerts(&self, week: Week) -> anyhow::Result<Vec<KeptAlert>> {
        self.ask(move |tables| tables.alerts(week)).await
    }

    /// As [`Tables::reports`].
    pub async fn reports(&self, week: Week) -> anyhow::Result<Vec<KeptReport>> {
        self.ask(move |tables| tables.reports(week)).await
    }

    /// As [`Tables::report_facts`].
    pub async fn report_facts(
        &self,
        before: Week,
        source: Source,
    ) -> anyhow::Result<Option<(Week, ReportFacts)>> {
        self.ask(move |tables| tables.report_facts(before, source)).await
    }

    /// As [`Tables::open_claims`].
    pub async fn open_claims(&self, week: Week) -> anyhow::Result<Vec<OpenClaim>> {
        self.ask(move |tables| tables.open_claims(week)).await
    }

    /// As [`Tables::fates`].
    pub async fn fates(&self) -> anyhow::Result<Fates> {
        self.ask(|tables| tables.fates()).await
    }

    /// As [`Tables::platforms`].
    pub async fn platforms(&self, week: Week) -> anyhow::Result<BTreeSet<String>> {
        self.ask(move |tables| tables.platforms(week)).await
    }

    /// The whole of a week; none where it is not kept, is gone from the store or has the form of another program, and
    /// then there is nothing to compare with. One that is damaged is refused: it is recalled when the new week is
    /// finished and not before, since both take much memory.
    pub async fn recall(&self, week: Week) -> anyhow::Result<Option<Snapshot>> {
        let Some(whole) = self.ask(move |tables| tables.whole_week(week)).await? else { return Ok(None) };
        let key = format!("{WEEKS}{}", whole.object);
        let uri = self.store.uri(&key);
        let path = self.folder.path().join("recalled");
        let Some(file) = self.store.open_file(&key, &path).await? else {
            tracing::warn!(%week, uri, "whole week is gone from the history, nothing to compare with");
            return Ok(None);
        };
        let recalled = tokio::task::spawn_blocking(move || recall_from(file, week, &whole.hash));
        match recalled.await? {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) => without_whole_week(error, week, uri).map(|()| None),
        }
    }

    /// Records a week in the local copy, in place of whatever there was of it. [`Self::save`] makes it last.
    pub async fn record(&mut self, entry: Entry) -> anyhow::Result<()> {
        let is_name = |run_id: &str| {
            !run_id.is_empty() && run_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        anyhow::ensure!(is_name(&entry.run_id), "{:?} is no run's id", entry.run_id);
        let week = entry.snapshot.week;
        let object = format!("{week}-{}.week", entry.run_id);
        let key = format!("{WEEKS}{object}");
        let keeping = if self.ask(move |tables| tables.is_whole(week)).await? {
            let snapshot = Arc::clone(&entry.snapshot);
            Some(tokio::spawn(put_whole(self.store.clone(), key.clone(), snapshot)))
        } else {
            None
        };
        // The week is put beside its rows: either takes a second for a million videos.
        let recorded = self.ask(move |tables| tables.record(&entry)).await;
        if let Some(keeping) = keeping {
            let hash = keeping.await?;
            if recorded.is_err()
                && let Err(error) = self.store.delete(&key).await
            {
                // The next run deletes it.
                tracing::warn!(%error, "a whole week that is not recorded is not deleted");
            }
            recorded?;
            let whole = WholeWeek { object, hash: hash? };
            self.ask(move |tables| tables.name_whole(week, &whole)).await?;
        } else {
            recorded?;
        }
        self.is_changed = true;
        Ok(())
    }

    /// Puts the history back, whose whole weeks are there already, if it is still the version that was opened; after
    /// that what no row names any more is deleted. Another run's newer history is left as it is, and the error says so.
    pub async fn save(self) -> anyhow::Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let named = self.ask(|tables| tables.objects()).await?;
        let Self { store, tables, folder, etag, .. } = self;
        // Listed before the put: whoever opens the history after it may lay a week there that is none of ours to delete.
        let there = store.list(WEEKS).await?;
        // A question whose asker went away may still hold them: a file in the middle of a change must not be put.
        let Ok(tables) = Arc::try_unwrap(tables) else { anyhow::bail!("the history is still being asked") };
        let close = tokio::task::spawn_blocking(move || {
            let tables = tables.into_inner().unwrap_or_else(PoisonError::into_inner);
            tables.connection.close().map_err(|(_, error)| HistoryError::from(error))
        });
        close.await?.map_err(|error| error.of(&store.uri(DATABASE)))?;
        let condition = etag.map_or(Condition::IfAbsent, Condition::IfMatch);
        match store.put_file(DATABASE, &Self::path_in(&folder), condition).await {
            Ok(_) => {}
            Err(error @ StoreError::Precondition { .. }) => {
                let message = format!(
                    "another run has written the history since this one read it, and its version stands ({error}); run \
                     the week again"
                );
                return Err(Ended::new(Exit::Temporary, message).into());
            }
            Err(error) => return Err(error.into()),
        }
        for object in there {
            let is_named =
                object.key.strip_prefix(WEEKS).is_some_and(|name| named.iter().any(|it| it == name));
            if !is_named && let Err(error) = store.delete(&object.key).await {
                // The next run deletes it.
                tracing::warn!(%error, "an old whole week is not deleted");
            }
        }
        Ok(())
    }
}

/// Puts a whole week into the store, where no row names it yet, and gives the hash at its end. A run's id is its own:
/// whatever lies there is an earlier try's.
async fn put_whole(store: Store, key: String, snapshot: Arc<Snapshot>) -> anyhow::Result<String> {
    let mut object = store.begin(&key).await?;
    let keeping = tokio::task::spawn_blocking(move || {
        let hash = last_bytes(snapshot.keep_on(object.file(), &SideBySide)?)?;
        Ok::<_, io::Error>((object, hash))
    });
    let (object, hash) = keeping.await?.context("the whole week")?;
    store.finish(object).await?;
    Ok(hash)
}

/// Whether the run goes on without a whole week that cannot be recalled, for this reason.
fn without_whole_week(error: KeptError, week: Week, uri: String) -> anyhow::Result<()> {
    match error {
        // The disk's fault and none of the file's.
        KeptError::Unreadable(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(StoreError::Io { uri, error }.into())
        }
        KeptError::OtherVersion { found } => {
            tracing::warn!(%week, uri, form = found, "whole week has the form of another program, nothing to compare with");
            Ok(())
        }
        error => {
            let message = format!(
                "{uri}: {error}; put an earlier version of the object in its place, or delete it: the week is then \
                 compared with nothing"
            );
            Err(Ended::new(Exit::InputRefused, message).into())
        }
    }
}

fn recall_from(mut file: File, week: Week, hash: &str) -> Result<Snapshot, KeptError> {
    if file.metadata()?.len() < HASH_BYTES as u64 || last_bytes(&mut file)? != hash {
        return Err(KeptError::Damaged("it is not the week that the history names"));
    }
    file.rewind()?;
    let snapshot = Snapshot::recall_on(file, &SideBySide)?;
    if snapshot.week == week { Ok(snapshot) } else { Err(KeptError::Damaged("it is another week")) }
}

/// The hash that ends a kept week, in hex.
fn last_bytes(file: &mut File) -> io::Result<String> {
    let mut bytes = [0; HASH_BYTES];
    let end = i64::try_from(HASH_BYTES).unwrap_or_default();
    file.seek(SeekFrom::End(-end))?;
    file.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
}
