//! The step to form 3: the series, which were rows of a table for each kind, become blocks.
//!
//! What the tables before and the blocks after it are called is told here once more, since this form stays as it is
//! whatever comes after it.

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::history::HistoryError;
use crate::history::series::Writer;
use crate::history::tables::known;

/// A table of the form before.
struct Table {
    kind: i64,
    name: &'static str,
    numbers: &'static str,
    count: usize,
}

/// The small ones first: their room is there for the blocks of the large one.
const TABLES: [Table; 4] = [
    Table { kind: 4, name: "uploader_week", numbers: "claims, created, inactive, disputed, short", count: 5 },
    Table {
        kind: 3,
        name: "reference_week",
        numbers: "claims, created, inactive, disputed, short, median_seconds",
        count: 6,
    },
    Table {
        kind: 2,
        name: "asset_week",
        numbers: "active_claims, claims, created, inactive, disputed, short, daily_views, daily_engaged_views, \
                  claimed_views, claimed_engaged_views",
        count: 10,
    },
    Table { kind: 1, name: "video_week", numbers: "views, engaged_views", count: 2 },
];

/// Writes all series as blocks and takes the tables off.
pub(super) fn carry(transaction: &Transaction<'_>) -> Result<(), HistoryError> {
    for table in &TABLES {
        let mut after = i64::MIN;
        while let Some(week) = next_week(transaction, table, after)? {
            carry_week(transaction, table, week)?;
            after = week;
        }
        transaction.execute_batch(&format!("DROP TABLE {}", table.name))?;
    }
    transaction.execute_batch("DROP TABLE subject")?;
    Ok(())
}

fn next_week(transaction: &Transaction<'_>, table: &Table, after: i64) -> Result<Option<i64>, HistoryError> {
    let select = format!("SELECT week FROM {} WHERE week > ?1 ORDER BY week LIMIT 1", table.name);
    Ok(transaction.query_row(&select, [after], |row| row.get(0)).optional()?)
}

fn carry_week(transaction: &Transaction<'_>, table: &Table, week: i64) -> Result<(), HistoryError> {
    let Table { kind, name, numbers, count } = table;
    // Subjects in the order of their ids, and each one's row of the week looked up: nothing is put in order on the disk.
    let mut rows = transaction.prepare(&format!(
        "SELECT id, {numbers} FROM subject CROSS JOIN {name} AS series \
         ON series.week = ?1 AND series.subject = subject.number WHERE kind = ?2 ORDER BY id"
    ))?;
    let mut rows = rows.query(params![week, kind])?;
    let mut writer = Writer::new(transaction, week, *kind)?;
    let mut cells = vec![None; *count];
    let mut carried: i64 = 0;
    while let Some(row) = rows.next()? {
        for (column, cell) in (1..).zip(&mut cells) {
            *cell = known(row, column)?;
        }
        let id = row.get_ref(0)?.as_str().map_err(|error| HistoryError::Damaged(error.to_string()))?;
        writer.add(id, &cells)?;
        carried += 1;
    }
    writer.finish()?;
    let there = format!("SELECT COUNT(*) FROM {name} WHERE week = ?1");
    let there: i64 = transaction.query_row(&there, [week], |row| row.get(0))?;
    if there == carried {
        Ok(())
    } else {
        Err(HistoryError::Damaged(format!("{} rows of {name} are of nobody", there - carried)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::time::Duration;

    use dn_domain::claims::snapshot::Known;
    use rusqlite::Connection;
    use rusqlite::types::Value;

    use super::*;
    use crate::history::sample::{entry, snapshot, week};
    use crate::history::schema::{MIGRATIONS, open};
    use crate::history::series::{self, AssetWeek, Point, ReferenceWeek, UploaderWeek, VideoWeek};
    use crate::history::tables::{Tables, number_of};

    const YEARS: Duration = Duration::from_hours(730 * 24);

    /// The weeks of the newest form: 2,000 of each kind for several weeks, those of a week not all in the next.
    fn newest(path: &Path) -> Tables {
        let mut tables = Tables::open(path, YEARS).unwrap();
        for index in [3, 0, 1] {
            let start = u32::try_from(index).unwrap() * 300;
            let numbers: Vec<u32> = (start..start + 2_000).collect();
            let mut snapshot = snapshot(week(index), &numbers, 100 + u64::from(start));
            let most = Known::new(Some(u64::MAX));
            if index == 3 {
                // Large numbers, and some that nobody knows.
                for video in snapshot.videos.iter_mut().step_by(3) {
                    video.engaged_views = video.views;
                    video.views = most;
                }
                for asset in &mut snapshot.assets {
                    (asset.claimed_views, asset.claimed_engaged_views, asset.daily_views) =
                        (most, most, most);
                }
            }
            tables.record(&entry(&format!("run-{index}"), snapshot)).unwrap();
        }
        tables
    }

    /// Puts the series of the newest form into the tables of form 2 as a program of that form did, but for the numbers of the
    /// subjects, which came in no order of ids.
    fn as_rows<P: Point>(from: &Connection, to: &Connection, table: &str) {
        let mut subjects = to.prepare("INSERT OR IGNORE INTO subject VALUES (NULL, ?1, ?2)").unwrap();
        let places = ", ?".repeat(P::COLUMNS.len());
        let number = "(SELECT number FROM subject WHERE kind = ? AND id = ?)";
        let mut rows = to.prepare(&format!("INSERT INTO {table} VALUES (?, {number}{places})")).unwrap();
        for of in series::weeks(from).unwrap().into_iter().rev() {
            series::walk(from, &[of], |id, points: &[Option<P>]| {
                let Some(point) = &points[0] else { panic!("a point of each") };
                subjects.execute(params![P::KIND, id]).unwrap();
                let head = [number_of(of).into(), P::KIND.into(), Value::Text(id.to_owned())];
                let cells = point.cells();
                let cells = cells.as_ref().iter().map(|cell| {
                    cell.map_or(Value::Null, |number| Value::Integer(i64::try_from(number).unwrap()))
                });
                rows.execute(rusqlite::params_from_iter(head.into_iter().chain(cells))).unwrap();
                Ok::<_, HistoryError>(())
            })
            .unwrap();
        }
    }

    fn form_2(path: &Path, from: &Connection) -> Connection {
        let to = open(path, &MIGRATIONS[..2]).unwrap();
        to.execute_batch("BEGIN").unwrap();
        as_rows::<VideoWeek>(from, &to, "video_week");
        as_rows::<AssetWeek>(from, &to, "asset_week");
        as_rows::<ReferenceWeek>(from, &to, "reference_week");
        as_rows::<UploaderWeek>(from, &to, "uploader_week");
        to.execute_batch("COMMIT").unwrap();
        to
    }

    /// All series by week and id.
    fn points<P: Point>(connection: &Connection) -> BTreeMap<(String, i64), Vec<Option<u64>>> {
        let mut told = BTreeMap::new();
        for of in series::weeks(connection).unwrap() {
            series::walk(connection, &[of], |id, points: &[Option<P>]| {
                let cells = points[0].as_ref().unwrap().cells();
                told.insert((id.to_owned(), number_of(of)), cells.as_ref().to_vec());
                Ok::<_, HistoryError>(())
            })
            .unwrap();
        }
        told
    }

    fn blocks(connection: &Connection) -> Vec<(i64, i64, String, i64, Vec<u8>)> {
        let mut statement =
            connection.prepare("SELECT * FROM series_block ORDER BY week, kind, first").unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn rows_become_the_blocks_that_the_same_weeks_are_recorded_as() {
        let folder = tempfile::tempdir().unwrap();
        let recorded = newest(&folder.path().join("recorded")).connection;
        let path = folder.path().join("carried");
        let old = form_2(&path, &recorded);
        let large = "SELECT COUNT(*) FROM video_week WHERE views = 9223372036854775807";
        let large: i64 = old.query_row(large, [], |row| row.get(0)).unwrap();
        assert_eq!(large, 667);
        drop(old);

        let carried = open(&path, MIGRATIONS).unwrap();
        let videos = points::<VideoWeek>(&carried);
        assert_eq!(videos.len(), 3 * 2_000);
        assert_eq!(videos, points::<VideoWeek>(&recorded));
        assert_eq!(points::<AssetWeek>(&carried), points::<AssetWeek>(&recorded));
        assert_eq!(points::<ReferenceWeek>(&carried), points::<ReferenceWeek>(&recorded));
        assert_eq!(points::<UploaderWeek>(&carried), points::<UploaderWeek>(&recorded));
        assert!(blocks(&carried) == blocks(&recorded), "byte for byte");
        let count = |index, kind| {
            let of = blocks(&carried).into_iter();
            of.filter(|(week_number, of, ..)| (*week_number, *of) == (number_of(week(index)), kind)).count()
        };
        assert!(count(3, AssetWeek::KIND) > 1, "it is about more than one block");
    }

    #[test]
    fn the_room_of_the_rows_is_given_back_with_the_next_week() {
        let folder = tempfile::tempdir().unwrap();
        let recorded = newest(&folder.path().join("recorded")).connection;
        let path = folder.path().join("carried");
        drop(form_2(&path, &recorded));
        let size = || std::fs::metadata(&path).unwrap().len();
        let before = size();
        let mut tables = Tables::open(&path, YEARS).unwrap();
        tables.record(&entry("run-4", snapshot(week(4), &[1], 100))).unwrap();
        let free: i64 =
            tables.connection.pragma_query_value(None, "freelist_count", |row| row.get(0)).unwrap();
        assert_eq!(free, 0);
        assert!(size() < before / 2, "{} of {before} bytes", size());
    }

    #[test]
    fn a_row_of_nobody_is_damage_and_leaves_the_form_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.sqlite");
        let old = open(&path, &MIGRATIONS[..2]).unwrap();
        old.execute_batch(
            "INSERT INTO subject VALUES (7, 1, 'v0000000001'), (8, 2, 'A000000000000001');
             INSERT INTO video_week VALUES (1, 7, 5, NULL), (1, 8, 5, NULL);",
        )
        .unwrap();
        drop(old);
        let error = open(&path, MIGRATIONS).unwrap_err();
        assert!(matches!(&error, HistoryError::Damaged(why) if why == "1 rows of video_week are of nobody"));
        let old = open(&path, &MIGRATIONS[..2]).unwrap();
        let rows: i64 = old.query_row("SELECT COUNT(*) FROM video_week", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 2);
        assert!(old.prepare("SELECT * FROM series_block").is_err());
    }
}
