//! The plan: live values read 50 at a time, a decision for every asset, the writes with their old values in
//! `plan.jsonl`, durable before the first of them.

use std::io::Write as _;

use anyhow::Context as _;
use dn_core::task::{Context, Scratch};
use dn_core::youtube::ContentId;
use dn_core::youtube::content_id::{ASSETS_PER_READ, LiveAnswer};
use dn_domain::cleanup_plan::{
    AssetEntry, Decision, Gathered, Live, LiveAsset, PlanLine, decide, decide_from_report,
};
use dn_domain::id::AssetId;
use dn_domain::partner_channels::PartnerChannels;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::export::{Export, ExportedVideo};
use crate::rejects::{RejectedAsset, Rejects};
use crate::{Cleanup, Tally};

/// A plan that is durable: how many writes, and the local copy that they are read from.
pub(crate) struct Planned {
    pub path: tempfile::TempPath,
    pub count: u64,
}

/// Everything that a decision is noted in.
struct Ledger<'a> {
    context: &'a Context<Tally>,
    partners: &'a PartnerChannels,
    report_etag: Option<&'a str>,
    lines: Scratch,
    count: u64,
    export: &'a mut Export,
    rejects: &'a mut Rejects,
}

/// Decides about every gathered asset and keeps the plan.
#[expect(
    clippy::too_many_arguments,
    reason = "what a plan is made from and what it is noted in, each a thing of its own"
)]
pub(crate) async fn plan(
    cleanup: &Cleanup,
    context: &Context<Tally>,
    content_id: &ContentId,
    partners: &PartnerChannels,
    gathered: &Gathered,
    report_etag: Option<&str>,
    export: &mut Export,
    rejects: &mut Rejects,
) -> anyhow::Result<Planned> {
    let mut ledger =
        Ledger { context, partners, report_etag, lines: Scratch::new()?, count: 0, export, rejects };
    for video in &gathered.without_asset {
        ledger.export.add(&ExportedVideo {
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
    let mut reads = stream::iter(candidates.chunks(ASSETS_PER_READ))
        .map(|chunk| async move {
            let ids: Vec<AssetId> = chunk.iter().map(|entry| entry.asset_id).collect();
            content_id.live_values(&ids).await.map(|answers| (chunk, answers))
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
    let Ledger { lines, count, .. } = ledger;
    let folder = context.run_folder()?;
    let path = folder
        .put_scratch("plan.jsonl", lines)
        .await
        .context("the plan could not be kept; nothing was written")?;
    let eta_seconds = eta_seconds(count, cleanup.youtube.rate_per_second);
    context.count(|tally| {
        tally.plan_uri = Some(folder.uri("plan.jsonl"));
        tally.eta_seconds = Some(eta_seconds);
    });
    tracing::info!(
        updates = count,
        candidates = candidates.len(),
        eta_seconds,
        plan = folder.uri("plan.jsonl"),
        "plan kept"
    );
    Ok(Planned { path, count })
}

/// How long so many writes take at a rate.
pub(crate) fn eta_seconds(writes: u64, rate_per_second: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a non-negative count over a rate of at least 0.01"
    )]
    let seconds = (writes as f64 / rate_per_second).ceil() as u64;
    seconds
}

fn live(asset_id: AssetId, answer: Option<&LiveAnswer>) -> Live<'_> {
    match answer {
        Some(LiveAnswer::Found { asset_type, custom_id, artists }) => Live::Found(LiveAsset {
            asset_id,
            asset_type: asset_type.as_deref(),
            custom_id: custom_id.as_deref(),
            artists,
        }),
        Some(LiveAnswer::Merged { into }) => Live::Merged { into: into.clone() },
        Some(LiveAnswer::Gone) | None => Live::Gone,
    }
}

impl Ledger<'_> {
    /// Notes a decision: a planned write in the plan, everything else where it ends here.
    fn note(&mut self, entry: &AssetEntry, decision: &Decision, old: Option<&str>) -> anyhow::Result<()> {
        let (outcome, reason) = match decision {
            Decision::Update(update) => {
                let line = PlanLine::new(entry, self.partners, update, self.report_etag);
                writeln!(self.lines, "{}", line.to_json()?)?;
                self.count += 1;
                return Ok(());
            }
            Decision::AlreadyRight => {
                self.context.count(|tally| tally.assets.already_right += 1);
                ("already_right", None)
            }
            Decision::Skipped { reason } => {
                self.context.count(|tally| tally.assets.skipped += 1);
                ("skipped", Some(*reason))
            }
            Decision::Conflict { reason, detail } => {
                self.context.count(|tally| tally.assets.conflict += 1);
                tracing::warn!(asset_id = %entry.asset_id, reason, detail, "asset in conflict, left alone");
                ("conflict", Some(*reason))
            }
            Decision::Reject { code, reason } => {
                self.context.count(|tally| tally.assets.failed += 1);
                tracing::warn!(asset_id = %entry.asset_id, code, reason, "asset cannot be set");
                self.rejects.add_asset(&RejectedAsset {
                    asset_id: entry.asset_id,
                    video_id: entry.videos().next().map(|video| video.video_id),
                    channel_id: Some(self.partners.channel(entry.channel()).channel_id),
                    old,
                    code,
                    reason,
                })?;
                ("failed", Some(*code))
            }
        };
        for video in entry.videos() {
            self.export.add(&ExportedVideo {
                video_id: video.video_id,
                channel_id: Some(self.partners.channel(video.channel).channel_id),
                asset_id: Some(entry.asset_id),
                old,
                new: None,
                outcome,
                reason,
            });
        }
        Ok(())
    }
}
