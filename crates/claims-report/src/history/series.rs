//! The series: for each video, asset, reference and uploader its numbers of each week.
//!
//! Rows are keyed by week first, so that a new week is written at the end of its table and an old one is taken off in
//! one piece. A reader has one cursor for each week and walks through all of them in step: it needs memory for as
//! many rows as there are weeks, whatever the number of subjects.

use rusqlite::types::Value;
use rusqlite::{Row, Statement, Transaction, params, params_from_iter};

use dn_domain::claims::snapshot::{
    AssetState, KEPT_CLAIMS, ReferenceState, Snapshot, Source, UploaderState, VideoState,
};
use dn_domain::claims::week::Week;

use super::HistoryError;
use super::tables::{known, number_of, stored};

/// One week's numbers of one subject.
pub trait Point: Sized {
    /// The number by which subjects of this kind are known.
    const KIND: i64;
    /// The table.
    const TABLE: &'static str;
    /// Its columns behind week and subject.
    const COLUMNS: &'static [&'static str];

    /// As many numbers as there are columns.
    type Cells: IntoIterator<Item = Option<u64>>;

    /// The numbers in the order of the columns.
    fn cells(&self) -> Self::Cells;

    /// The numbers of a row, from a column on.
    fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self>;
}

macro_rules! series {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $table:literal, {$($(#[$field_doc:meta])* $field:ident,)*}) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<u64>,)*
        }

        impl Point for $name {
            const KIND: i64 = $kind;
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),*];

            type Cells = [Option<u64>; [$(stringify!($field)),*].len()];

            fn cells(&self) -> Self::Cells {
                [$(self.$field),*]
            }

            fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
                let mut columns = first..;
                let mut next = || known(row, columns.next().unwrap_or(first));
                Ok(Self { $($field: next()?),* })
            }
        }
    };
}

series! {
    /// A video in a week.
    VideoWeek, 1, "video_week", {
        /// Lifetime views.
        views,
        /// Lifetime engaged views.
        engaged_views,
    }
}

series! {
    /// An asset in a week. The counts of claims are unknown where the week has no claim report.
    AssetWeek, 2, "asset_week", {
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
    ReferenceWeek, 3, "reference_week", {
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
    UploaderWeek, 4, "uploader_week", {
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

/// The kinds of subjects and the tables of their weeks.
pub(super) const SERIES: [(i64, &str); 4] = [
    (VideoWeek::KIND, VideoWeek::TABLE),
    (AssetWeek::KIND, AssetWeek::TABLE),
    (ReferenceWeek::KIND, ReferenceWeek::TABLE),
    (UploaderWeek::KIND, UploaderWeek::TABLE),
];

/// Writes all series of a week.
pub(super) fn write(transaction: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), HistoryError> {
    let week = number_of(snapshot.week);
    let has_claims = snapshot.reports.contains_key(&Source::Claims);
    let counted = |count: u32| Some(u64::from(count)).filter(|_| has_claims);
    insert(
        transaction,
        week,
        &snapshot.videos,
        |video: &VideoState| video.id,
        |video| VideoWeek { views: video.views.get(), engaged_views: video.engaged_views.get() },
    )?;
    insert(
        transaction,
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
    insert(transaction, week, &snapshot.references, reference_id, |reference| ReferenceWeek {
        claims: counted(reference.claims),
        created: counted(reference.claims_created),
        inactive: counted(reference.claims_inactive),
        disputed: counted(reference.claims_disputed),
        short: Some(reference.lengths.short()).filter(|_| has_claims),
        median_seconds: reference.lengths.median_seconds().map(u64::from),
    })?;
    insert(
        transaction,
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

/// Writes one series of a week; who has no number at all has no row. The entries come in the order of their ids, and
/// so do the subjects of the history: walking through both in step needs no look-up.
fn insert<'a, T, I: AsRef<str>, P: Point>(
    transaction: &Transaction<'_>,
    week: i64,
    entries: &'a [T],
    id: impl Fn(&'a T) -> I,
    point: impl Fn(&T) -> P,
) -> Result<(), HistoryError> {
    let has_numbers = |entry: &&T| point(entry).cells().into_iter().any(|cell| cell.is_some());
    // Subject and position: 16 bytes for each entry, while they are put in order.
    let mut numbered: Vec<(u32, u32)> = Vec::new();
    let mut strangers: Vec<u32> = Vec::new();
    {
        let mut subjects =
            transaction.prepare_cached("SELECT number, id FROM subject WHERE kind = ?1 ORDER BY id")?;
        let mut subjects = subjects.query([P::KIND])?;
        let mut subject = next_subject(&mut subjects)?;
        for (position, entry) in entries.iter().enumerate().filter(|(_, entry)| has_numbers(entry)) {
            let position = u32::try_from(position).map_err(|_| HistoryError::TooMany)?;
            let entry_id = id(entry);
            while subject.as_ref().is_some_and(|(_, known)| known.as_str() < entry_id.as_ref()) {
                subject = next_subject(&mut subjects)?;
            }
            match &subject {
                Some((number, known)) if known == entry_id.as_ref() => numbered.push((*number, position)),
                _ => strangers.push(position),
            }
        }
    }
    let mut next: u32 =
        transaction.query_row("SELECT COALESCE(MAX(number), 0) FROM subject", [], |row| row.get(0))?;
    let mut introduce = transaction.prepare_cached("INSERT INTO subject VALUES (?1, ?2, ?3)")?;
    for position in strangers {
        next = next.checked_add(1).ok_or(HistoryError::TooMany)?;
        if let Some(entry) = entry_at(entries, position) {
            introduce.execute(params![next, P::KIND, id(entry).as_ref()])?;
        }
        numbered.push((next, position));
    }
    // In the order of the table's key each row goes to its end.
    numbered.sort_unstable();
    let places = ", ?".repeat(P::COLUMNS.len());
    let mut insert =
        transaction.prepare_cached(&format!("INSERT INTO {} VALUES (?, ?{places})", P::TABLE))?;
    for (number, position) in numbered {
        let Some(entry) = entry_at(entries, position) else { continue };
        let head = [Value::Integer(week), Value::Integer(i64::from(number))];
        let cells = point(entry).cells().into_iter().map(|cell| match stored(cell) {
            Some(number) => Value::Integer(number),
            None => Value::Null,
        });
        insert.execute(params_from_iter(head.into_iter().chain(cells)))?;
    }
    Ok(())
}

fn entry_at<T>(entries: &[T], position: u32) -> Option<&T> {
    entries.get(usize::try_from(position).ok()?)
}

fn next_subject(rows: &mut rusqlite::Rows<'_>) -> rusqlite::Result<Option<(u32, String)>> {
    rows.next()?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// Walks through the series of all subjects that have a number in one of the weeks, in no order that means anything.
/// Each is told with its id and its point of each week, none for a week without one. An error of `each` ends the walk.
pub(super) fn walk<P: Point, E: From<HistoryError>>(
    connection: &rusqlite::Connection,
    weeks: &[Week],
    mut each: impl FnMut(&str, &[Option<P>]) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error: rusqlite::Error| E::from(HistoryError::from(error));
    let columns = P::COLUMNS.join(", ");
    let select = format!("SELECT subject, {columns} FROM {} WHERE week = ?1 ORDER BY subject", P::TABLE);
    let mut statements: Vec<Statement<'_>> =
        weeks.iter().map(|_| connection.prepare(&select)).collect::<Result<_, _>>().map_err(failed)?;
    let mut cursors = Vec::with_capacity(weeks.len());
    for (statement, week) in statements.iter_mut().zip(weeks) {
        cursors.push(Cursor::open(statement, *week).map_err(failed)?);
    }
    let mut subjects =
        connection.prepare("SELECT id FROM subject WHERE number = ?1 AND kind = ?2").map_err(failed)?;
    let mut points: Vec<Option<P>> = Vec::with_capacity(weeks.len());
    while let Some(subject) = cursors.iter().filter_map(Cursor::subject).min() {
        points.clear();
        for cursor in &mut cursors {
            points.push(cursor.take(subject).map_err(failed)?);
        }
        let id: String =
            subjects.query_row(params![subject, P::KIND], |row| row.get(0)).map_err(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => {
                    HistoryError::Damaged(format!("a row of {} is of nobody", P::TABLE)).into()
                }
                error => failed(error),
            })?;
        each(&id, &points)?;
    }
    Ok(())
}

/// One week's rows, the next of them at hand.
struct Cursor<'a, P> {
    rows: rusqlite::Rows<'a>,
    next: Option<(i64, P)>,
}

impl<'a, P: Point> Cursor<'a, P> {
    fn open(statement: &'a mut Statement<'_>, week: Week) -> rusqlite::Result<Self> {
        let mut cursor = Self { rows: statement.query([number_of(week)])?, next: None };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> rusqlite::Result<()> {
        self.next = self
            .rows
            .next()?
            .map(|row| Ok::<_, rusqlite::Error>((row.get(0)?, P::read(row, 1)?)))
            .transpose()?;
        Ok(())
    }

    fn subject(&self) -> Option<i64> {
        self.next.as_ref().map(|(subject, _)| *subject)
    }

    /// The subject's point, if it is the next.
    fn take(&mut self, subject: i64) -> rusqlite::Result<Option<P>> {
        if self.subject() != Some(subject) {
            return Ok(None);
        }
        let taken = self.next.take().map(|(_, point)| point);
        self.advance()?;
        Ok(taken)
    }
}
