//! The run folder: what outlives a task. `<task>/runs/<run-id>/` in the state folder.

use std::io::{BufWriter, Write};

use rand::Rng as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::store::{Condition, Store, StoreError};

/// One run's folder.
#[derive(Debug)]
pub struct RunFolder {
    store: Store,
    prefix: String,
}

impl RunFolder {
    /// The folder of one run of a task.
    pub fn new(store: Store, task: &str, run_id: &str) -> Self {
        Self { store, prefix: format!("{task}/runs/{run_id}") }
    }

    /// The state folder that it lies in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The address of a file in it, for summaries and messages.
    pub fn uri(&self, name: &str) -> String {
        self.store.uri(&self.key(name))
    }

    /// Writes a small file; durable when it returns.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.store.put(&self.key(name), bytes.into(), Condition::None).await.map(drop)
    }

    /// Writes a local file.
    pub async fn put_file(&self, name: &str, path: &std::path::Path) -> Result<(), StoreError> {
        self.store.put_file(&self.key(name), path, Condition::None).await.map(drop)
    }

    /// Writes a file that was gathered on the local disk; durable when it returns. The local copy is handed back, with
    /// the SHA-256 of its bytes.
    pub async fn put_scratch(
        &self,
        name: &str,
        scratch: Scratch,
    ) -> Result<(tempfile::TempPath, String), StoreError> {
        let (path, sha256) =
            scratch.finish().map_err(|error| StoreError::Io { uri: self.uri(name), error })?;
        self.store.put_file(&self.key(name), &path, Condition::None).await?;
        Ok((path, sha256))
    }

    /// As [`Self::put_scratch`], and beside it the SHA-256 in the form that `sha256sum -c` reads.
    pub async fn put_plan(
        &self,
        name: &str,
        scratch: Scratch,
    ) -> Result<(tempfile::TempPath, String), StoreError> {
        let (path, sha256) = self.put_scratch(name, scratch).await?;
        self.put(&format!("{name}.sha256"), format!("{sha256}  {name}\n").into_bytes()).await?;
        Ok((path, sha256))
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }
}

/// No summary is near this.
const MAX_SUMMARY_BYTES: u64 = 16 << 20;

/// What the summaries of a task's runs say under these names, oldest first. Of a run that was cut off before it could
/// write one there is the `runId` alone.
pub async fn summaries(store: &Store, task: &str, names: &[&str]) -> Result<Vec<Value>, StoreError> {
    let mut runs = Vec::new();
    for run_id in store.list_folders(&format!("{task}/runs")).await? {
        let summary = store.get(&format!("{task}/runs/{run_id}/summary.json"), MAX_SUMMARY_BYTES).await?;
        let summary = summary.and_then(|(bytes, _)| serde_json::from_slice::<Value>(&bytes).ok());
        let mut run = json!({"runId": run_id});
        for name in names {
            run[*name] = summary.as_ref().map_or(Value::Null, |summary| summary[*name].clone());
        }
        runs.push(run);
    }
    Ok(runs)
}

/// A file gathered on the local disk before it goes to the run folder: so that a plan of any length needs no memory.
#[derive(Debug)]
pub struct Scratch {
    file: BufWriter<tempfile::NamedTempFile>,
    sha256: Sha256,
}

impl Scratch {
    /// An empty file in the directory for temporary files; gone when it is dropped.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { file: BufWriter::new(tempfile::NamedTempFile::new()?), sha256: Sha256::new() })
    }

    /// The file as it lies on the local disk, gone when that is dropped, and the SHA-256 of its bytes.
    pub fn finish(self) -> std::io::Result<(tempfile::TempPath, String)> {
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok((file.into_temp_path(), hex::encode(self.sha256.finalize())))
    }
}

impl Write for Scratch {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A new run's id: the time, so that ids sort by it, and a random part, so that two runs never share one.
pub fn new_run_id(at: jiff::Timestamp) -> String {
    let random: u32 = rand::rng().random();
    format!("{}-{random:08x}", at.strftime("%Y%m%dT%H%M%S%3fZ"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn run_ids_sort_by_time_and_differ() {
        let early = super::new_run_id("2026-11-23T09:59:59.999Z".parse().unwrap());
        let late = super::new_run_id("2026-11-23T10:00:00Z".parse().unwrap());
        assert!(early < late, "{early} {late}");
        assert!(early.starts_with("20261123T095959999Z-"), "{early}");
        assert_ne!(late, super::new_run_id("2026-11-23T10:00:00Z".parse().unwrap()));
    }
}
