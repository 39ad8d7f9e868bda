//! Kept plans: applying one later, and taking one back. Compare before write: a live value that is not the one the
//! plan knew is somebody's, and stays.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use dn_core::store;
use dn_core::task::{Ended, Exit, InputError, Scratch};
use dn_core::youtube::content_id::ASSETS_PER_READ;
use dn_domain::cleanup_plan::carry_out::{not_written, read_outcomes};
use dn_domain::cleanup_plan::{PlanLine, Replay, replay};
use dn_domain::id::AssetId;
use dn_domain::partner_channels::PartnerChannels;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::job::{Job, live};
use crate::kept_plan::{KeptPlan, PlanInputs, Planned, fingerprint, keep_inputs};

/// No part of the outcomes is near this.
const MAX_OUTCOMES_BYTES: u64 = 16 << 20;

/// Refuses a plan whose inputs are not what they were when it was made.
pub(crate) async fn check_inputs(
    job: &Job<'_>,
    kept: &KeptPlan,
    partners: &PartnerChannels,
) -> anyhow::Result<()> {
    let inputs = &kept.inputs;
    let mut changed = Vec::new();
    if inputs.content_owner != job.cleanup.youtube.content_owner {
        changed.push("the content owner is another");
    }
    if inputs.partners_sha256 != fingerprint(partners) {
        changed.push("the partner channels have changed");
    }
    let report = store::open_read(&inputs.report_uri, &job.context.aws).await.map_err(InputError)?;
    if report.etag != inputs.report_etag {
        changed.push("the video report is another");
    }
    if changed.is_empty() {
        return Ok(());
    }
    let message =
        format!("the plan's inputs are not what they were: {}; make a new plan", changed.join(", "));
    Err(Ended::new(Exit::InputRefused, message).into())
}

/// The assets that a run says it did not write: they are not its to take back.
pub(crate) async fn failed_assets(job: &Job<'_>, run_id: &str) -> anyhow::Result<HashSet<AssetId>> {
    let store = job.context.store()?;
    let mut outcomes = Vec::new();
    for part in store.list(&format!("cms-customid-cleanup/runs/{run_id}/outcomes-")).await? {
        let Some((bytes, _)) = store.get(&part.key, MAX_OUTCOMES_BYTES).await? else { continue };
        let read = read_outcomes(&bytes).map_err(|error| {
            Ended::new(Exit::InputRefused, format!("{} is refused: {error}", store.uri(&part.key)))
        })?;
        outcomes.extend(read);
    }
    Ok(not_written(outcomes))
}

/// Compares every line with the live value and keeps the writes that are left as this run's own plan, with the old
/// values of this moment.
pub(crate) async fn plan_again(
    job: &mut Job<'_>,
    inputs: &PlanInputs,
    lines: impl Iterator<Item = anyhow::Result<PlanLine>>,
) -> anyhow::Result<Planned> {
    let (cleanup, context) = (job.cleanup, job.context);
    let mut kept = Scratch::new()?;
    let mut count = 0;
    let progress = context.progress.step("live values", None);
    let content_id = Arc::clone(&job.content_id);
    let mut reads = stream::iter(Chunks { lines })
        .map(|chunk| {
            let content_id = &content_id;
            async move {
                let chunk = chunk?;
                let ids: Vec<AssetId> = chunk.iter().map(|line| line.asset_id).collect();
                let answers =
                    content_id.live_values(&ids).await.context("the live custom IDs could not be read")?;
                anyhow::Ok((chunk, answers))
            }
        })
        .buffered(cleanup.youtube.max_in_flight);
    while let Some((chunk, answers)) = reads.try_next().await? {
        progress.advance(chunk.len() as u64);
        for line in chunk {
            context.count(|tally| tally.assets.total += 1);
            match replay(&line, &live(line.asset_id, answers.get(&line.asset_id))) {
                Replay::Write(line) => {
                    writeln!(kept, "{}", line.to_json()?)?;
                    count += 1;
                }
                Replay::AlreadyRight => {
                    context.count(|tally| tally.assets.already_right += 1);
                    job.export_line(&line, "already_right", None);
                }
                Replay::ChangedSince { found } => {
                    context.count(|tally| tally.assets.skipped += 1);
                    tracing::warn!(
                        asset_id = %line.asset_id, found, old = line.old, new = line.new,
                        "asset was changed since the plan, left alone"
                    );
                    job.export_line(&line, "skipped", Some("changed_since"));
                }
                Replay::Reject { code, reason } => {
                    context.count(|tally| tally.assets.failed += 1);
                    tracing::warn!(asset_id = %line.asset_id, code, reason, "asset cannot be set");
                    job.export_line(&line, "failed", Some(code));
                    job.reject_line(&line, code, &reason)?;
                }
            }
        }
    }
    drop(reads);
    let (planned, plan_sha256) = Planned::keep(context, kept, count).await?;
    keep_inputs(context, &PlanInputs { plan_sha256, ..inputs.clone() }).await?;
    Ok(planned)
}

/// Lines in chunks of one live read.
struct Chunks<I> {
    lines: I,
}

impl<I: Iterator<Item = anyhow::Result<PlanLine>>> Iterator for Chunks<I> {
    type Item = anyhow::Result<Vec<PlanLine>>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk: anyhow::Result<Vec<PlanLine>> = self.lines.by_ref().take(ASSETS_PER_READ).collect();
        match chunk {
            Ok(chunk) if chunk.is_empty() => None,
            chunk => Some(chunk),
        }
    }
}
