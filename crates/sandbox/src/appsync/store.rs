//! The table behind the API: records of each model in one SQLite file, read in DynamoDB's order and pages.

use std::path::Path;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::lock::hold;

/// Which model a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    Channel,
    Video,
}

impl Model {
    fn name(self) -> &'static str {
        match self {
            Self::Channel => "Channel",
            Self::Video => "Video",
        }
    }
}

/// Why a record was not stored or read.
#[derive(Debug)]
pub(crate) enum Unstored {
    /// The record is there and must not be, is absent and must be there, or is not as the condition wants it.
    Condition,
    /// The record is of another version than the write names.
    Conflict {
        /// The record as it is.
        record: Map<String, Value>,
    },
    /// The page token is none of ours.
    Token,
    /// The file failed.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Unstored {
    fn from(why: rusqlite::Error) -> Self {
        Self::Sqlite(why)
    }
}

/// A page before its filter.
pub(crate) struct Page {
    pub records: Vec<Map<String, Value>>,
    pub next_token: Option<String>,
}

/// The records, one connection for all: requests are short.
pub(crate) struct RecordStore {
    connection: Mutex<Connection>,
    /// Records carry a version, and a deleted one stays as a tombstone.
    versioned: bool,
}

impl RecordStore {
    pub(crate) fn open(path: &Path, versioned: bool) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // The file is for looking into, and a sandbox that lost its power is started anew.
        connection.execute_batch(
            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;
             DROP TABLE IF EXISTS record;
             CREATE TABLE record (
                 model TEXT NOT NULL, id TEXT NOT NULL, scan INTEGER NOT NULL, body TEXT NOT NULL,
                 PRIMARY KEY (model, id));
             CREATE UNIQUE INDEX record_scan ON record (model, scan);",
        )?;
        Ok(Self { connection: Mutex::new(connection), versioned })
    }

    pub(crate) fn get(&self, model: Model, id: &str) -> Result<Option<Map<String, Value>>, Unstored> {
        let connection = hold(&self.connection);
        let body: Option<String> = connection
            .prepare_cached("SELECT body FROM record WHERE model = ?1 AND id = ?2")?
            .query_row(params![model.name(), id], |row| row.get(0))
            .optional()?;
        Ok(body.map(|body| read(&body)))
    }

    /// Stores a record that must not be there yet. Without an id it gets one.
    pub(crate) fn create(
        &self,
        model: Model,
        mut record: Map<String, Value>,
    ) -> Result<Map<String, Value>, Unstored> {
        let now = clock::with_milliseconds(clock::now());
        let id = match record.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => new_id(&now, hold(&self.connection).last_insert_rowid()),
        };
        record.insert("id".into(), json!(id));
        self.stamp(&mut record, None);
        record.entry("createdAt").or_insert_with(|| json!(now));
        record.entry("updatedAt").or_insert_with(|| json!(now));
        let body = Value::Object(record.clone()).to_string();
        let written = hold(&self.connection)
            .prepare_cached("INSERT OR IGNORE INTO record (model, id, scan, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![model.name(), id, scan_position(&id), body])?;
        if written == 1 { Ok(record) } else { Err(Unstored::Condition) }
    }

    /// Changes a record that must be there and meet the condition; what the input does not name stays.
    pub(crate) fn update(
        &self,
        model: Model,
        input: Map<String, Value>,
        condition: impl Fn(&Map<String, Value>) -> bool,
    ) -> Result<Map<String, Value>, Unstored> {
        let id = input.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut record = self.get(model, &id)?.ok_or(Unstored::Condition)?;
        if !condition(&record) {
            return Err(Unstored::Condition);
        }
        let version = version_of(&record);
        if self.versioned && (version.is_none() || version_of(&input) != version) {
            return Err(Unstored::Conflict { record });
        }
        record.extend(input);
        self.stamp(&mut record, version);
        record.insert("updatedAt".into(), json!(clock::with_milliseconds(clock::now())));
        self.replace(model, &id, &record)?;
        Ok(record)
    }

    /// Puts a record in place of whatever was there, as one more change of it.
    pub(crate) fn put(&self, model: Model, id: &str, mut record: Map<String, Value>) -> Result<(), Unstored> {
        let before = self.get(model, id)?.as_ref().and_then(version_of);
        self.stamp(&mut record, before);
        self.replace(model, id, &record)
    }

    /// Where records have versions: gives the record the one after `before`, and makes it one that is not deleted.
    fn stamp(&self, record: &mut Map<String, Value>, before: Option<i64>) {
        if self.versioned {
            record.insert("_version".into(), json!(before.unwrap_or_default() + 1));
            record.insert("_lastChangedAt".into(), json!(clock::now().as_millisecond()));
            record.remove("_deleted");
        }
    }

    fn replace(&self, model: Model, id: &str, record: &Map<String, Value>) -> Result<(), Unstored> {
        let body = Value::Object(record.clone()).to_string();
        hold(&self.connection)
            .prepare_cached("INSERT OR REPLACE INTO record (model, id, scan, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![model.name(), id, scan_position(id), body])?;
        Ok(())
    }

    /// Takes a record away; where records have versions, a tombstone stays.
    pub(crate) fn delete(&self, model: Model, id: &str) -> Result<bool, Unstored> {
        if self.versioned {
            let Some(mut record) = self.get(model, id)?.filter(|record| !is_deleted(record)) else {
                return Ok(false);
            };
            let before = version_of(&record);
            self.stamp(&mut record, before);
            record.insert("_deleted".into(), json!(true));
            self.replace(model, id, &record)?;
            return Ok(true);
        }
        let deleted = hold(&self.connection)
            .prepare_cached("DELETE FROM record WHERE model = ?1 AND id = ?2")?
            .execute(params![model.name(), id])?;
        Ok(deleted > 0)
    }

    pub(crate) fn all(&self, model: Model) -> Result<Vec<Map<String, Value>>, Unstored> {
        let connection = hold(&self.connection);
        let mut statement =
            connection.prepare_cached("SELECT body FROM record WHERE model = ?1 ORDER BY id")?;
        let bodies = statement.query_map(params![model.name()], |row| row.get::<_, String>(0))?;
        bodies.map(|body| Ok(read(&body?))).collect()
    }

    /// A page of a table scan, in an order that has nothing to do with the ids. A full page goes on even when
    /// nothing follows it, as DynamoDB's does.
    pub(crate) fn scan(&self, model: Model, token: Option<&str>, limit: u64) -> Result<Page, Unstored> {
        let after = match token {
            None => i64::MIN,
            Some(token) => read_token(model.name(), token)?,
        };
        let connection = hold(&self.connection);
        let mut statement = connection.prepare_cached(
            "SELECT scan, body FROM record WHERE model = ?1 AND scan > ?2 ORDER BY scan LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<(i64, String)> = statement
            .query_map(params![model.name(), after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let full = i64::try_from(rows.len()) == Ok(limit);
        let next_token = rows.last().filter(|_| full).map(|(scan, _)| write_token(model.name(), *scan));
        Ok(Page { records: rows.iter().map(|(_, body)| read(body)).collect(), next_token })
    }

    /// A page of an index: the records with one value of an attribute, by id.
    pub(crate) fn query(
        &self,
        model: Model,
        attribute: &str,
        value: &str,
        descending: bool,
        token: Option<&str>,
        limit: u64,
    ) -> Result<Page, Unstored> {
        let context = format!("{}.{attribute}", model.name());
        let from = match token {
            None => 0,
            Some(token) => read_token(&context, token)?,
        };
        let mut found: Vec<Map<String, Value>> = self
            .all(model)?
            .into_iter()
            .filter(|record| record.get(attribute).and_then(Value::as_str) == Some(value))
            .collect();
        if descending {
            found.reverse();
        }
        let from = usize::try_from(from).map_err(|_| Unstored::Token)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let records: Vec<_> = found.into_iter().skip(from).take(limit).collect();
        let next = i64::try_from(from + records.len()).unwrap_or(i64::MAX);
        let next_token = (records.len() == limit).then(|| write_token(&context, next));
        Ok(Page { records, next_token })
    }
}

fn version_of(record: &Map<String, Value>) -> Option<i64> {
    record.get("_version").and_then(Value::as_i64)
}

/// Whether a record is the tombstone of one.
pub(crate) fn is_deleted(record: &Map<String, Value>) -> bool {
    record.get("_deleted").and_then(Value::as_bool) == Some(true)
}

fn read(body: &str) -> Map<String, Value> {
    serde_json::from_str(body).unwrap_or_default()
}

/// Where a key stands in a scan: by its hash, as DynamoDB spreads keys over partitions.
fn scan_position(id: &str) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&Sha256::digest(id.as_bytes())[..8]);
    i64::from_be_bytes(bytes)
}

fn new_id(now: &str, salt: i64) -> String {
    let digits = hex::encode(Sha256::digest(format!("{now}-{salt}").as_bytes()));
    format!(
        "{}-{}-4{}-a{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..32]
    )
}

/// A token means nothing to the caller, and nothing to another list.
fn write_token(context: &str, position: i64) -> String {
    let check = hex::encode(&Sha256::digest(format!("{context}:{position}").as_bytes())[..6]);
    URL_SAFE_NO_PAD.encode(format!("{{\"version\":3,\"token\":\"{check}:{context}:{position}\"}}"))
}

fn read_token(context: &str, token: &str) -> Result<i64, Unstored> {
    let read = || {
        let text: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let position: i64 = text.get("token")?.as_str()?.rsplit(':').next()?.parse().ok()?;
        (write_token(context, position) == token).then_some(position)
    };
    read().ok_or(Unstored::Token)
}
