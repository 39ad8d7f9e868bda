//! The series: for each video, asset, reference and uploader its numbers of each week.
//!
//! They lie in blocks by week, kind and id: a new week is written at the end of its table, an old one is taken off in
//! one piece. A reader has one cursor for each week and walks through all of them in step: it needs memory for as many
//! blocks as there are weeks, whatever the number of subjects.

#[cfg(test)]
mod tests;

use std::fmt;

use rusqlite::{CachedStatement, Connection, Row, Rows, Statement, params};

use dn_domain::claims::snapshot::{
    AssetState, KEPT_CLAIMS, ReferenceState, Snapshot, Source, UploaderState, VideoState,
};
use dn_domain::claims::week::Week;

use super::HistoryError;
use super::blocks::{Decoder, Encoder};
use super::tables::{number_of, week_of};

/// One week's numbers of one subject.
pub trait Point: Sized {
    /// The number by which blocks of this kind are known.
    const KIND: i64;
    /// What the series are called.
    const NAME: &'static str;
    /// What the ids of the subjects are called.
    const ID: &'static str;
    /// What the numbers are called, in the order in which they are kept.
    const COLUMNS: &'static [&'static str];

    /// As many numbers as there are columns.
    type Cells: AsRef<[Option<u64>]> + AsMut<[Option<u64>]> + Default + Copy;

    /// The numbers in the order of the columns.
    fn cells(&self) -> Self::Cells;

    /// A point of these numbers.
    fn of(cells: Self::Cells) -> Self;
}

macro_rules! series {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $series:literal, $id:literal, {$($(#[$field_doc:meta])* $field:ident,)*}) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<u64>,)*
        }

        impl Point for $name {
            const KIND: i64 = $kind;
            const NAME: &'static str = $series;
            const ID: &'static str = $id;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),*];

            type Cells = [Option<u64>; [$(stringify!($field)),*].len()];

            fn cells(&self) -> Self::Cells {
                [$(self.$field),*]
            }

            fn of([$($field),*]: Self::Cells) -> Self {
                Self { $($field),* }
            }
        }
    };
}

series! {
    /// A video in a week.
    VideoWeek, 1, "video_week", "video_id", {
        /// Lifetime views.
        views,
        /// Lifetime engaged views.
        engaged_views,
    }
}

series! {
    /// An asset in a week. The counts of claims are unknown where the week has no claim report.
    AssetWeek, 2, "asset_week", "asset_id", {
        /// Active claims by the asset report.
        active_claims,
        /// Claims by the claim report.
        claims,
        /// Of them those made in the week.
        created,
        /// Of them the inactive ones.
        inactive,
        /// Of them the disputed and appealed ones.
        disputed,
        /// Of them those with a short match.
        short,
        /// A daily mean of views.
        daily_views,
        /// A daily mean of engaged views.
        daily_engaged_views,
        /// Lifetime views of all videos claimed for it.
        claimed_views,
        /// Lifetime engaged views of the same.
        claimed_engaged_views,
    }
}

series! {
    /// A reference in a week.
    ReferenceWeek, 3, "reference_week", "reference_id", {
        /// Its claims.
        claims,
        /// Of them those made in the week.
        created,
        /// Of them the inactive ones.
        inactive,
        /// Of them the disputed and appealed ones.
        disputed,
        /// Of them those with a short match.
        short,
        /// The length of the middle match, rounded down to a step.
        median_seconds,
    }
}

series! {
    /// A channel of claimed videos in a week, from [`KEPT_CLAIMS`] claims on.
    UploaderWeek, 4, "uploader_week", "channel_id", {
        /// Claims on its videos.
        claims,
        /// Of them those made in the week.
        created,
        /// Of them the inactive ones.
        inactive,
        /// Of them the disputed and appealed ones.
        disputed,
        /// Of them those with a short match.
        short,
    }
}

/// Writes all series of a week.
pub(super) fn write(connection: &Connection, snapshot: &Snapshot) -> Result<(), HistoryError> {
    let week = number_of(snapshot.week);
    let has_claims = snapshot.reports.contains_key(&Source::Claims);
    let counted = |count: u32| Some(u64::from(count)).filter(|_| has_claims);
    insert(
        connection,
        week,
        &snapshot.videos,
        |video: &VideoState| video.id,
        |video| VideoWeek { views: video.views.get(), engaged_views: video.engaged_views.get() },
    )?;
    insert(
        connection,
        week,
        &snapshot.assets,
        |asset: &AssetState| asset.id,
        |asset| AssetWeek {
            active_claims: asset.active_claims.get(),
            claims: counted(asset.claims),
            created: counted(asset.claims_created),
            inactive: counted(asset.claims_inactive),
            disputed: counted(asset.claims_disputed),
            short: counted(asset.claims_short),
            daily_views: asset.daily_views.get(),
            daily_engaged_views: asset.daily_engaged_views.get(),
            claimed_views: asset.claimed_views.get(),
            claimed_engaged_views: asset.claimed_engaged_views.get(),
        },
    )?;
    let reference_id = |reference: &ReferenceState| snapshot.text(reference.id);
    insert(connection, week, &snapshot.references, reference_id, |reference| ReferenceWeek {
        claims: counted(reference.claims),
        created: counted(reference.claims_created),
        inactive: counted(reference.claims_inactive),
        disputed: counted(reference.claims_disputed),
        short: Some(reference.lengths.short()).filter(|_| has_claims),
        median_seconds: reference.lengths.median_seconds().map(u64::from),
    })?;
    insert(
        connection,
        week,
        &snapshot.uploaders,
        |uploader: &UploaderState| uploader.id,
        |uploader| {
            let counted = |count: u32| counted(count).filter(|_| uploader.claims >= KEPT_CLAIMS);
            UploaderWeek {
                claims: counted(uploader.claims),
                created: counted(uploader.claims_created),
                inactive: counted(uploader.claims_inactive),
                disputed: counted(uploader.claims_disputed),
                short: counted(uploader.claims_short),
            }
        },
    )
}

/// Writes one series of a week; who has no number at all has no entry. The entries come in the order of their ids.
fn insert<'a, T, I: AsRef<str>, P: Point>(
    connection: &Connection,
    week: i64,
    entries: &'a [T],
    id: impl Fn(&'a T) -> I,
    point: impl Fn(&T) -> P,
) -> Result<(), HistoryError> {
    let mut writer = Writer::new(connection, week, P::KIND)?;
    for entry in entries {
        let cells = point(entry).cells();
        if cells.as_ref().iter().any(Option::is_some) {
            writer.add(id(entry).as_ref(), cells.as_ref())?;
        }
    }
    writer.finish()
}

/// Writes the blocks of one kind and week.
pub(super) struct Writer<'a> {
    insert: CachedStatement<'a>,
    week: i64,
    kind: i64,
    encoder: Encoder,
}

impl<'a> Writer<'a> {
    pub fn new(connection: &'a Connection, week: i64, kind: i64) -> Result<Self, HistoryError> {
        let insert = connection.prepare_cached("INSERT INTO series_block VALUES (?1, ?2, ?3, ?4, ?5)")?;
        Ok(Self { insert, week, kind, encoder: Encoder::default() })
    }

    /// Adds an entry, whose id must be above that of the one before.
    pub fn add(&mut self, id: &str, numbers: &[Option<u64>]) -> Result<(), HistoryError> {
        self.encoder.push(id, numbers).map_err(|_| HistoryError::OutOfOrder(id.to_owned()))?;
        if self.encoder.is_full() { self.put() } else { Ok(()) }
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<(), HistoryError> {
        self.put()
    }

    fn put(&mut self) -> Result<(), HistoryError> {
        if let Some((first, entries, block)) = self.encoder.block() {
            self.insert.execute(params![self.week, self.kind, first, entries, block])?;
        }
        self.encoder.begin();
        Ok(())
    }
}

/// The weeks that have series, the oldest first.
pub(super) fn weeks(connection: &Connection) -> Result<Vec<Week>, HistoryError> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT week FROM series_block ORDER BY week")?;
    let numbers = statement.query_map([], |row| row.get(0))?;
    numbers.map(|number| week_of(number?)).collect()
}

/// Walks through the series of all subjects that have a number in one of the weeks, in the order of their ids. Each is
/// told with its id and its point of each week, none for a week without one. An error of `each` ends the walk.
pub(super) fn walk<P: Point, E: From<HistoryError>>(
    connection: &Connection,
    weeks: &[Week],
    mut each: impl FnMut(&str, &[Option<P>]) -> Result<(), E>,
) -> Result<(), E> {
    let statements: Result<Vec<Statement<'_>>, _> =
        weeks.iter().map(|_| connection.prepare(BLOCKS)).collect();
    let mut statements = statements.map_err(HistoryError::from)?;
    let cursors: Result<Vec<Cursor<'_, P>>, HistoryError> =
        statements.iter_mut().zip(weeks).map(|(statement, week)| Cursor::open(statement, *week)).collect();
    let mut cursors = cursors?;
    let mut id = String::new();
    let mut points: Vec<Option<P>> = Vec::with_capacity(weeks.len());
    while let Some(next) = cursors.iter().filter_map(|cursor| cursor.reader.id()).min() {
        next.clone_into(&mut id);
        points.clear();
        for cursor in &mut cursors {
            points.push(cursor.take(&id)?);
        }
        each(&id, &points)?;
    }
    Ok(())
}

/// Looks for single subjects in a week, by ids in rising order, and tells the points of those that the week knows. Of
/// the week's blocks only those are read that may have one of them.
pub(super) fn find<P: Point, I: AsRef<str>>(
    connection: &Connection,
    week: Week,
    ids: &[I],
    mut each: impl FnMut(&I, P),
) -> Result<(), HistoryError> {
    let mut last_before = connection.prepare_cached(LAST_BLOCK)?;
    let mut reader = Reader::<P>::new(week);
    for id in ids {
        if !reader.reach(id.as_ref())? {
            let mut rows = last_before.query(params![number_of(week), P::KIND, id.as_ref()])?;
            let Some(row) = rows.next()? else { continue };
            reader = Reader::new(week);
            reader.begin(row)?;
            reader.reach(id.as_ref())?;
        }
        if reader.id() == Some(id.as_ref()) {
            each(id, P::of(reader.cells));
        }
    }
    Ok(())
}

/// A week's blocks of a kind.
const BLOCKS: &str =
    "SELECT first, entries, block FROM series_block WHERE week = ?1 AND kind = ?2 ORDER BY first";
/// The one that has an id, if any has it.
const LAST_BLOCK: &str = "SELECT first, entries, block FROM series_block WHERE week = ?1 AND kind = ?2 AND first <= ?3 \
     ORDER BY first DESC LIMIT 1";

/// A week's entries, one of them at hand.
struct Reader<P: Point> {
    week: Week,
    decoder: Decoder,
    cells: P::Cells,
    is_at_entry: bool,
}

impl<P: Point> Reader<P> {
    fn new(week: Week) -> Self {
        Self { week, decoder: Decoder::default(), cells: P::Cells::default(), is_at_entry: false }
    }

    /// Begins a block: first id, number of entries, entries.
    fn begin(&mut self, row: &Row<'_>) -> Result<(), HistoryError> {
        let first = row.get_ref(0)?.as_str().map_err(|error| self.damaged(error))?;
        let block = row.get_ref(2)?.as_blob().map_err(|error| self.damaged(error))?;
        self.decoder.begin(first, row.get(1)?, block).map_err(|flaw| self.damaged(flaw))
    }

    /// Goes to the block's next entry; not so at its end.
    fn advance(&mut self) -> Result<bool, HistoryError> {
        let is_at_entry = self.decoder.next(self.cells.as_mut());
        self.is_at_entry = is_at_entry.map_err(|flaw| self.damaged(flaw))?;
        Ok(self.is_at_entry)
    }

    /// Goes to the block's first entry from an id on; not so if it has none.
    fn reach(&mut self, id: &str) -> Result<bool, HistoryError> {
        while self.id().is_none_or(|at| at < id) {
            if !self.advance()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The id of the entry at hand.
    fn id(&self) -> Option<&str> {
        self.is_at_entry.then(|| self.decoder.id())
    }

    fn damaged(&self, why: impl fmt::Display) -> HistoryError {
        let id = self.decoder.id();
        HistoryError::Damaged(format!("a block of {} of {}, at or behind {id:?}: {why}", P::NAME, self.week))
    }
}

/// One week's blocks, the next entry at hand.
struct Cursor<'a, P: Point> {
    blocks: Rows<'a>,
    reader: Reader<P>,
}

impl<'a, P: Point> Cursor<'a, P> {
    fn open(statement: &'a mut Statement<'_>, week: Week) -> Result<Self, HistoryError> {
        let blocks = statement.query(params![number_of(week), P::KIND])?;
        let mut cursor = Self { blocks, reader: Reader::new(week) };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), HistoryError> {
        while !self.reader.advance()? {
            let Some(row) = self.blocks.next()? else { break };
            self.reader.begin(row)?;
        }
        Ok(())
    }

    /// The subject's point, if it is the next.
    fn take(&mut self, id: &str) -> Result<Option<P>, HistoryError> {
        if self.reader.id() != Some(id) {
            return Ok(None);
        }
        let taken = P::of(self.reader.cells);
        self.advance()?;
        Ok(Some(taken))
    }
}
