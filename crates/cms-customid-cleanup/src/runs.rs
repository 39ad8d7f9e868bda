//! `runs`: the runs in the state folder, newest last.

use dn_core::task::{Context, Exit, Task as _, summaries};

use crate::{Cleanup, Tally};

const TOLD: [&str; 12] = [
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
];

/// Reads the summary of every run. A run that was cut off before it could write one is listed as such.
pub(crate) async fn list(context: &Context<Tally>) -> anyhow::Result<Exit> {
    let runs = summaries(context.store()?, Cleanup::NAME, &TOLD).await?;
    context.count(|tally| tally.runs = Some(runs));
    Ok(Exit::Done)
}
