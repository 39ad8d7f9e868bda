//! The tables of the history, and the way from every older form to the newest.

mod rows_to_blocks;

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Transaction};

use super::HistoryError;

/// What makes each form out of the one before; the first makes it out of nothing. A form that was once deployed is
/// never changed: a new one is added at the end.
pub(super) const MIGRATIONS: &[Step] = &[
    Step::sql(include_str!("schema/1.sql")),
    Step::sql(include_str!("schema/2.sql")),
    Step { sql: include_str!("schema/3.sql"), then: Some(rows_to_blocks::carry) },
];

/// The way from one form to the next.
#[derive(Clone, Copy)]
pub(super) struct Step {
    sql: &'static str,
    /// What is done after it that SQL alone cannot do.
    then: Option<Carry>,
}

type Carry = fn(&Transaction<'_>) -> Result<(), HistoryError>;

impl Step {
    const fn sql(sql: &'static str) -> Self {
        Self { sql, then: None }
    }
}

/// The number in a file's head by which a database of somebody else is known: "dnCH".
const APPLICATION_ID: i32 = 0x646e_4348;

/// Pages that are kept in memory, in KiB: some hundred times what one table's insertion point takes.
const CACHE_KIB: i32 = 16 * 1024;

/// Opens the local copy of the database, looks whether it holds together, and brings it to the newest form.
pub(super) fn open(path: &Path, migrations: &[Step]) -> Result<Connection, HistoryError> {
    let is_new = !path.exists();
    // Who asks holds the tables alone: locks of its own would be taken millions of times for nothing.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    // The copy is thrown away if this process dies, so nothing of it need survive a loss of power.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    if is_new {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    } else {
        look_over(&connection)?;
    }
    migrate(&mut connection, migrations)?;
    Ok(connection)
}

/// Refuses what is no history or no longer a whole one.
fn look_over(connection: &Connection) -> Result<(), HistoryError> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(HistoryError::Damaged("it is a database of something else".to_owned()));
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(HistoryError::Damaged(found)) }
}

/// Carries out what is missing, each step whole or not at all.
fn migrate(connection: &mut Connection, migrations: &[Step]) -> Result<(), HistoryError> {
    let found: usize = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?
        .try_into()
        .map_err(|_| HistoryError::Damaged("its version is no number of one".to_owned()))?;
    if found > migrations.len() {
        return Err(HistoryError::Newer { found, known: migrations.len() });
    }
    for (index, step) in migrations.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step.sql)?;
        if let Some(then) = step.then {
            then(&transaction)?;
        }
        transaction.pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form that this program does not have yet.
    const NEXT: Step =
        Step::sql("ALTER TABLE week ADD COLUMN mood TEXT; CREATE TABLE mood (week INTEGER) STRICT;");

    fn schema(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn every_older_form_becomes_the_newest_and_keeps_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let newest: Vec<Step> = MIGRATIONS.iter().copied().chain([NEXT]).collect();
        let fresh = schema(&open(&folder.path().join("fresh"), &newest).unwrap());
        for version in 1..newest.len() {
            let path = folder.path().join(format!("{version}.sqlite"));
            let old = open(&path, &newest[..version]).unwrap();
            old.execute("INSERT INTO total VALUES (1, 'channel', 'UC1', 'Title', 1, 2, 3)", []).unwrap();
            old.close().unwrap();
            let migrated = open(&path, &newest).unwrap();
            assert_eq!(schema(&migrated), fresh, "from version {version}");
            let kept: String = migrated.query_row("SELECT id FROM total", [], |row| row.get(0)).unwrap();
            assert_eq!(kept, "UC1");
            drop(migrated);
            assert_eq!(schema(&open(&path, &newest).unwrap()), fresh, "a second time nothing is left to do");
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_form_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.sqlite");
        drop(open(&path, MIGRATIONS).unwrap());
        let broken: Vec<Step> =
            MIGRATIONS.iter().copied().chain([Step::sql("CREATE TABLE half (a) STRICT; nonsense")]).collect();
        assert!(open(&path, &broken).is_err());
        let before = open(&path, MIGRATIONS).unwrap();
        assert!(schema(&before).iter().all(|sql| !sql.contains("half")));
    }

    #[test]
    fn a_newer_form_and_a_file_that_is_no_history_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let newer = folder.path().join("newer");
        let newest: Vec<Step> = MIGRATIONS.iter().copied().chain([NEXT]).collect();
        drop(open(&newer, &newest).unwrap());
        assert!(matches!(open(&newer, MIGRATIONS), Err(HistoryError::Newer { found: 4, known: 3 })));

        let other = folder.path().join("other");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
        assert!(matches!(open(&other, MIGRATIONS), Err(HistoryError::Damaged(_))));

        let text = folder.path().join("text");
        std::fs::write(&text, "video_id,views\n".repeat(500)).unwrap();
        let error = open(&text, MIGRATIONS).unwrap_err();
        assert!(error.is_damage(), "{error}");
    }

    #[test]
    fn a_file_that_was_cut_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.sqlite");
        let connection = open(&path, MIGRATIONS).unwrap();
        for number in 0..2_000 {
            connection
                .execute(
                    "INSERT INTO total VALUES (?1, 'channel', ?2, '', 1, 2, 3)",
                    (number, "UC".repeat(12)),
                )
                .unwrap();
        }
        connection.close().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = open(&path, MIGRATIONS).unwrap_err();
        assert!(error.is_damage(), "{error}");
    }
}
