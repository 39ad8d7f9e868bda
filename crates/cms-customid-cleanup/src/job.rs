//! What every command that touches the CMS works with.

use std::sync::Arc;

use dn_core::task::Context;
use dn_core::youtube::content_id::LiveAnswer;
use dn_core::youtube::{CallBudget, ContentId};
use dn_domain::cleanup_plan::{Live, LiveAsset, PlanLine};
use dn_domain::id::AssetId;

use crate::export::{Export, ExportedVideo};
use crate::rejects::{RejectedAsset, Rejects};
use crate::{Cleanup, Tally};

/// The settings, the client, and where findings are noted.
pub(crate) struct Job<'a> {
    pub cleanup: &'a Cleanup,
    pub context: &'a Context<Tally>,
    pub content_id: Arc<ContentId>,
    /// The day's budget of calls, if there is one.
    pub budget: Option<Arc<CallBudget>>,
    /// `None` for a command that exports nothing.
    pub export: Option<Export>,
    pub rejects: Rejects,
    /// Where a dry run's export is gathered; gone when the job is.
    pub aside: Option<tempfile::TempDir>,
}

impl Job<'_> {
    /// Begins the export: at its place, or for a dry run aside.
    pub fn begin_export(&mut self, filter_target: &str) -> std::io::Result<()> {
        if self.context.info.dry_run {
            let (export, aside) = Export::aside()?;
            (self.export, self.aside) = (Some(export), Some(aside));
        } else {
            self.export = Some(Export::begin(&self.cleanup.export_dir, filter_target));
        }
        Ok(())
    }

    /// Adds the videos of a planned write to the export.
    pub fn export_line(&mut self, line: &PlanLine, outcome: &str, reason: Option<&str>) {
        let Some(export) = &mut self.export else { return };
        for video in &line.videos {
            export.add(&ExportedVideo {
                video_id: *video,
                channel_id: Some(line.channel_id),
                asset_id: Some(line.asset_id),
                old: line.old.as_deref(),
                new: line.new.as_deref(),
                outcome,
                reason,
            });
        }
    }

    /// Puts a planned write that cannot be done to the rejects.
    pub fn reject_line(&mut self, line: &PlanLine, code: &str, reason: &str) -> std::io::Result<()> {
        self.rejects.add_asset(&RejectedAsset {
            asset_id: line.asset_id,
            video_id: line.videos.first().copied(),
            channel_id: Some(line.channel_id),
            old: line.old.as_deref(),
            code,
            reason,
        })
    }

    /// Keeps the rejects and puts the export in its place.
    pub async fn finish(self) -> anyhow::Result<()> {
        let Self { context, content_id, budget, export, rejects, aside: _aside, .. } = self;
        if let Some(budget) = budget {
            budget.save().await?;
        }
        context.count(|tally| tally.youtube_calls = content_id.request_count());
        if let Some(path) = export.and_then(Export::finish) {
            let place = if context.info.dry_run {
                let folder = context.run_folder()?;
                folder.put_file("export.json", &path).await?;
                folder.uri("export.json")
            } else {
                path.display().to_string()
            };
            context.count(|tally| tally.export_path = Some(place));
        }
        rejects.keep(context).await
    }
}

/// The live value as the domain judges it; no answer is an asset that is gone.
pub(crate) fn live(asset_id: AssetId, answer: Option<&LiveAnswer>) -> Live<'_> {
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

/// How long so many writes take at a rate of writes.
pub(crate) fn eta_seconds(writes: u64, writes_per_second: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a non-negative count over a rate of at least 0.005"
    )]
    let seconds = (writes as f64 / writes_per_second).ceil() as u64;
    seconds
}
