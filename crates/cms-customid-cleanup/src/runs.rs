//! `runs`: the runs in the state folder, newest last.

use dn_core::task::{Context, Exit};
use serde_json::{Value, json};

use crate::Tally;

/// No summary is near this.
const MAX_SUMMARY_BYTES: u64 = 1 << 20;

/// Reads the summary of every run. A run that was cut off before it could write one is listed as such.
pub(crate) async fn list(context: &Context<Tally>) -> anyhow::Result<Exit> {
    let store = context.store()?;
    let mut runs = Vec::new();
    for run_id in store.list_folders("cms-customid-cleanup/runs").await? {
        let key = format!("cms-customid-cleanup/runs/{run_id}/summary.json");
        let summary = store.get(&key, MAX_SUMMARY_BYTES).await?;
        let summary = summary.and_then(|(bytes, _)| serde_json::from_slice::<Value>(&bytes).ok());
        let mut run = json!({"runId": run_id});
        for name in [
            "command",
            "timestamp",
            "status",
            "exitCode",
            "triggeredBy",
            "updatedCount",
            "alreadyRightCount",
            "skippedCount",
            "conflictCount",
            "failedCount",
            "totalCount",
            "remainingCount",
        ] {
            run[name] = summary.as_ref().map_or(Value::Null, |summary| summary[name].clone());
        }
        runs.push(run);
    }
    context.count(|tally| tally.runs = Some(runs));
    Ok(Exit::Done)
}
