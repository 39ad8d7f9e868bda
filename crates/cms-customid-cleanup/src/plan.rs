//! The plan: live values read 50 at a time, a decision for every asset, the writes with their old values in
//! `plan.jsonl`, durable before the first of them; and the same change as YouTube's own metadata CSV.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use dn_core::task::{Ended, Exit, Scratch};
use dn_core::youtube::content_id::{ASSETS_PER_READ, LiveAnswer};
use dn_domain::cleanup_plan::{
    AssetEntry, Decision, Gathered, Overview, PlanLine, check_overwrites, decide, decide_from_report,
};
use dn_domain::id::AssetId;
use dn_domain::partner_channels::PartnerChannels;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::export::ExportedVideo;
use crate::job::{Job, eta_seconds, live};
use crate::kept_plan::{PlanInputs, Planned, fingerprint, keep_inputs};
use crate::rejects::RejectedAsset;

/// Decides about every gathered asset and keeps the plan. A guard that trips ends the run here: the plan is kept, so
/// that it can be read, and nothing was written.
pub(crate) async fn plan(
    job: &mut Job<'_>,
    partners: &PartnerChannels,
    gathered: &Gathered,
    report_etag: Option<String>,
) -> anyhow::Result<Planned> {
    let (cleanup, context) = (job.cleanup, job.context);
    let mut ledger = Ledger::begin(job, partners, report_etag.clone())?;
    for video in &gathered.without_asset {
        ledger.export(&ExportedVideo {
            video_id: video.video_id,
            channel_id: Some(partners.channel(video.channel).channel_id),
            asset_id: None,
            old: None,
            new: None,
            outcome: "skipped",
            reason: Some("no_asset"),
        });
    }
    let mut candidates: Vec<&AssetEntry> = Vec::new();
    for entry in &gathered.assets {
        match decide_from_report(entry, partners, cleanup.policy) {
            Some(decision) => ledger.note(entry, &decision, None)?,
            None => candidates.push(entry),
        }
    }
    let progress = context.progress.step("live values", Some(candidates.len() as u64));
    let content_id = Arc::clone(&ledger.job.content_id);
    let mut reads = stream::iter(candidates.chunks(ASSETS_PER_READ))
        .map(|chunk| {
            let content_id = &content_id;
            async move {
                let ids: Vec<AssetId> = chunk.iter().map(|entry| entry.asset_id).collect();
                content_id.live_values(&ids).await.map(|answers| (chunk, answers))
            }
        })
        // In order: the plan's order is the order of the writes, most viewed first.
        .buffered(cleanup.youtube.max_in_flight);
    while let Some((chunk, answers)) =
        reads.try_next().await.context("the live custom IDs could not be read")?
    {
        for entry in chunk {
            let answer = answers.get(&entry.asset_id);
            let decision = decide(entry, partners, cleanup.policy, &live(entry.asset_id, answer));
            let old = match answer {
                Some(LiveAnswer::Found { custom_id, .. }) => custom_id.as_deref(),
                _ => None,
            };
            ledger.note(entry, &decision, old)?;
        }
        progress.advance(chunk.len() as u64);
    }
    drop(reads);
    let Ledger { lines, bulk, overview, count, .. } = ledger;
    let folder = context.run_folder()?;
    folder.put_scratch("bulk-update.csv", bulk).await?;
    let (planned, plan_sha256) = Planned::keep(context, lines, count).await?;
    let inputs = PlanInputs {
        content_owner: cleanup.youtube.content_owner.clone(),
        filter_target: cleanup.filter_target.clone(),
        policy: cleanup.policy.to_string(),
        report_uri: cleanup.report.clone(),
        report_etag,
        partners_sha256: fingerprint(partners),
        plan_sha256,
    };
    keep_inputs(context, &inputs).await.context("the plan could not be kept; nothing was written")?;
    let eta_seconds = eta_seconds(count, cleanup.writes_per_second());
    context.count(|tally| {
        tally.eta_seconds = Some(eta_seconds);
        tally.overview = Some(overview.clone());
    });
    tracing::info!(
        updates = count,
        candidates = candidates.len(),
        eta_seconds,
        plan = folder.uri("plan.jsonl"),
        "plan kept"
    );
    check_overwrites(&overview, cleanup.max_overwrite_ratio).map_err(|tripped| {
        Ended::new(Exit::Guard, format!("{tripped}; the plan is in {}", folder.uri("plan.jsonl")))
    })?;
    Ok(planned)
}

/// Everything that a decision is noted in.
struct Ledger<'l, 'a> {
    job: &'l mut Job<'a>,
    partners: &'l PartnerChannels,
    report_etag: Option<String>,
    lines: Scratch,
    bulk: Scratch,
    overview: Overview,
    count: u64,
}

impl<'l, 'a> Ledger<'l, 'a> {
    fn begin(
        job: &'l mut Job<'a>,
        partners: &'l PartnerChannels,
        report_etag: Option<String>,
    ) -> std::io::Result<Self> {
        let mut bulk = Scratch::new()?;
        writeln!(bulk, "asset_id,custom_id")?;
        let (lines, overview) = (Scratch::new()?, Overview::default());
        Ok(Self { job, partners, report_etag, lines, bulk, overview, count: 0 })
    }

    /// Notes a decision: a planned write in the plan, everything else where it ends here.
    fn note(&mut self, entry: &AssetEntry, decision: &Decision, old: Option<&str>) -> anyhow::Result<()> {
        let channel_id = self.partners.channel(entry.channel()).channel_id;
        self.overview.note(channel_id, entry.asset_id, decision);
        let (outcome, reason) = match decision {
            Decision::Update(update) => {
                let line = PlanLine::new(entry, self.partners, update, self.report_etag.as_deref());
                writeln!(self.lines, "{}", line.to_json()?)?;
                // Neither an asset ID nor a custom ID can hold anything that a CSV would have to quote.
                writeln!(self.bulk, "{},{}", entry.asset_id, update.new)?;
                self.count += 1;
                return Ok(());
            }
            Decision::AlreadyRight => {
                self.job.context.count(|tally| tally.assets.already_right += 1);
                ("already_right", None)
            }
            Decision::Skipped { reason } => {
                self.job.context.count(|tally| tally.assets.skipped += 1);
                ("skipped", Some(*reason))
            }
            Decision::Conflict { reason, detail } => {
                self.job.context.count(|tally| tally.assets.conflict += 1);
                tracing::warn!(asset_id = %entry.asset_id, reason, detail, "asset in conflict, left alone");
                ("conflict", Some(*reason))
            }
            Decision::Reject { code, reason } => {
                self.job.context.count(|tally| tally.assets.failed += 1);
                tracing::warn!(asset_id = %entry.asset_id, code, reason, "asset cannot be set");
                self.job.rejects.add_asset(&RejectedAsset {
                    asset_id: entry.asset_id,
                    video_id: entry.videos().next().map(|video| video.video_id),
                    channel_id: Some(channel_id),
                    old,
                    code,
                    reason,
                })?;
                ("failed", Some(*code))
            }
        };
        for video in entry.videos() {
            let channel_id = Some(self.partners.channel(video.channel).channel_id);
            self.export(&ExportedVideo {
                video_id: video.video_id,
                channel_id,
                asset_id: Some(entry.asset_id),
                old,
                new: None,
                outcome,
                reason,
            });
        }
        Ok(())
    }

    fn export(&mut self, video: &ExportedVideo<'_>) {
        if let Some(export) = &mut self.job.export {
            export.add(video);
        }
    }
}
