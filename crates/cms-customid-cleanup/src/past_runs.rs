//! What past runs did to an asset: their plans and outcomes, newest first, streamed.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};

use anyhow::Context as _;
use dn_core::store::{self, StoreError};
use dn_core::task::{Context, InputError};
use dn_domain::cleanup_plan::PlanLine;
use dn_domain::id::{AssetId, ChannelId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Tally;
use crate::explain::Wanted;

/// So many runs that made a plan are looked through.
const MAX_PLANS: usize = 20;
/// And so many runs in all, the plan's or not: a folder costs a request.
const MAX_FOLDERS: usize = 200;
/// No summary is near this.
const MAX_SUMMARY_BYTES: u64 = 1 << 20;

/// What was found in the state folder.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PastRuns {
    /// Runs whose plan was looked through.
    pub searched_count: usize,
    /// Newest first.
    pub writes: Vec<PastWrite>,
}

/// A write that a past run planned.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PastWrite {
    pub run_id: String,
    /// What the run was told to do; none when it was cut off.
    pub command: Option<String>,
    /// When it ended; likewise.
    pub ended_at: Option<String>,
    pub asset_id: AssetId,
    pub channel_id: ChannelId,
    pub old: Option<String>,
    pub new: Option<String>,
    pub reason: String,
    /// `updated`, `failed`, `skipped`, `only_planned`, `not_reached`; `unknown` when the run was cut off before it kept one.
    pub outcome: String,
    pub code: Option<String>,
    pub outcome_reason: Option<String>,
}

#[derive(Deserialize)]
struct KeptOutcome {
    asset_id: AssetId,
    outcome: String,
    code: Option<String>,
    reason: Option<String>,
}

/// Looks through the last runs that made a plan.
pub(crate) async fn search(context: &Context<Tally>, wanted: &Wanted) -> anyhow::Result<PastRuns> {
    let store = context.store()?;
    let folders = store.list_folders("cms-customid-cleanup/runs").await?;
    let mut found = PastRuns::default();
    for run_id in folders.iter().rev().take(MAX_FOLDERS) {
        let folder = format!("cms-customid-cleanup/runs/{run_id}/");
        let keys: Vec<String> = store.list(&folder).await?.into_iter().map(|object| object.key).collect();
        let plan = format!("{folder}plan.jsonl");
        if !keys.contains(&plan) {
            continue;
        }
        found.searched_count += 1;
        let lines = lines_with(context, &plan, wanted.as_str()).await?;
        let lines: Vec<PlanLine> = lines.iter().filter_map(|line| read_line(&plan, line, wanted)).collect();
        if !lines.is_empty() {
            let outcomes = outcomes(context, &keys, &lines).await?;
            let summary = store.get(&format!("{folder}summary.json"), MAX_SUMMARY_BYTES).await?;
            let summary: Option<Value> = summary.and_then(|(bytes, _)| serde_json::from_slice(&bytes).ok());
            let writes = lines.into_iter().map(|line| past_write(run_id, summary.as_ref(), line, &outcomes));
            found.writes.extend(writes);
        }
        if found.searched_count == MAX_PLANS {
            break;
        }
    }
    Ok(found)
}

fn read_line(plan: &str, line: &str, wanted: &Wanted) -> Option<PlanLine> {
    match PlanLine::from_json(line) {
        Ok(line) => wanted.is_meant_by(line.asset_id, &line.videos).then_some(line),
        Err(error) => {
            tracing::warn!(plan, %error, "line of a past plan passed over");
            None
        }
    }
}

/// The outcomes of these lines' assets, in the order in which they were kept.
async fn outcomes(
    context: &Context<Tally>,
    keys: &[String],
    lines: &[PlanLine],
) -> anyhow::Result<Vec<KeptOutcome>> {
    let assets: HashSet<AssetId> = lines.iter().map(|line| line.asset_id).collect();
    let mut outcomes = Vec::new();
    for key in keys.iter().filter(|key| key.contains("/outcomes-")) {
        for asset in &assets {
            for line in lines_with(context, key, asset.as_str()).await? {
                match serde_json::from_str::<KeptOutcome>(&line) {
                    Ok(outcome) if outcome.asset_id == *asset => outcomes.push(outcome),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(key, %error, "outcome of a past run passed over"),
                }
            }
        }
    }
    Ok(outcomes)
}

fn past_write(run_id: &str, summary: Option<&Value>, line: PlanLine, outcomes: &[KeptOutcome]) -> PastWrite {
    let text = |name: &str| summary.and_then(|summary| summary[name].as_str()).map(str::to_owned);
    // Of two outcomes of one asset the later one counts.
    let outcome = outcomes.iter().rfind(|outcome| outcome.asset_id == line.asset_id);
    let command = text("command");
    let wrote_nothing = command.as_deref() == Some("plan")
        || summary.is_some_and(|summary| summary["dryRun"].as_bool() == Some(true));
    let without = match summary {
        _ if wrote_nothing => "only_planned",
        Some(_) => "not_reached",
        None => "unknown",
    };
    PastWrite {
        run_id: run_id.to_owned(),
        command,
        ended_at: text("timestamp"),
        asset_id: line.asset_id,
        channel_id: line.channel_id,
        old: line.old,
        new: line.new,
        reason: line.reason.into_owned(),
        outcome: outcome.map_or_else(|| without.to_owned(), |outcome| outcome.outcome.clone()),
        code: outcome.and_then(|outcome| outcome.code.clone()),
        outcome_reason: outcome.and_then(|outcome| outcome.reason.clone()),
    }
}

/// The lines of a file of the state folder in which an id stands, whatever the file's length.
async fn lines_with(context: &Context<Tally>, key: &str, id: &str) -> anyhow::Result<Vec<String>> {
    let uri = context.store()?.uri(key);
    let reader = match store::open_read(&uri, &context.aws).await {
        Ok(reader) => reader,
        // A plan without a write is an empty file.
        Err(StoreError::Empty { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(InputError(error).into()),
    };
    let quoted = format!("\"{id}\"");
    let stopped = context.stop.token();
    let read = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        for line in BufReader::new(reader.into_sync_read()).lines() {
            anyhow::ensure!(!stopped.is_cancelled(), "stopped while past runs were searched");
            let line = line?;
            if line.contains(&quoted) {
                found.push(line);
            }
        }
        Ok(found)
    });
    read.await?.with_context(|| format!("{uri} could not be read"))
}
