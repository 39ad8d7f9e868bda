//! The writes: one PATCH per planned asset, most viewed first, every outcome noted. A row's failure is data; only
//! what makes every further write pointless ends the run.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use dn_core::task::{Context, Ended, Exit};
use dn_core::transport::CallError;
use dn_core::youtube::ContentId;
use dn_core::youtube::content_id::Echo;
use dn_domain::cleanup_plan::PlanLine;
use futures::{StreamExt as _, stream};
use serde_json::json;

use crate::export::{Export, ExportedVideo};
use crate::plan::{Planned, eta_seconds};
use crate::rejects::{RejectedAsset, Rejects};
use crate::{Cleanup, Tally};

/// When the first writes are all refused as forbidden, the content owner or the role is wrong, not twenty assets.
const FORBIDDEN_AT_FIRST: u64 = 20;
/// So many outcomes go into one part of the journal.
const OUTCOMES_PER_PART: usize = 2_000;

/// What became of one planned write.
enum Outcome {
    Updated,
    Failed {
        code: String,
        reason: String,
    },
    /// The run is ending; the asset was not come to, or its outcome is not known.
    NotReached,
}

/// Carries a plan out.
pub(crate) async fn apply(
    cleanup: &Cleanup,
    context: &Context<Tally>,
    content_id: &ContentId,
    planned: &Planned,
    export: &mut Export,
    rejects: &mut Rejects,
) -> anyhow::Result<()> {
    let progress = context.progress.step("custom IDs", Some(planned.count));
    let mut journal = Journal { context, part: 0, lines: Vec::new() };
    let mut forbidden_only = 0;
    let mut ended: Option<anyhow::Error> = None;
    let mut lines = read_plan(&planned.path)?;
    // A queue that is filled only while the run goes on: what is under way when it ends is still waited for.
    let mut under_way = stream::FuturesUnordered::new();
    loop {
        while ended.is_none() && under_way.len() < cleanup.youtube.max_in_flight {
            let Some(line) = lines.next() else { break };
            let line = line.context("the plan cannot be read back")?;
            under_way.push(async move {
                let result = content_id
                    .set_custom_id(line.asset_id, line.new.as_deref().unwrap_or_default(), &line.artists)
                    .await;
                (line, result)
            });
        }
        let Some((line, result)) = under_way.next().await else { break };
        let (outcome, end) = judge(&line, result);
        forbidden_only = match &outcome {
            Outcome::Failed { code, .. } if code == "forbidden" && forbidden_only == journal.count() => {
                forbidden_only + 1
            }
            _ => forbidden_only,
        };
        note(context, &line, &outcome, export, rejects)?;
        journal.add(&line, &outcome);
        progress.advance(1);
        if journal.lines.len() >= OUTCOMES_PER_PART && ended.is_none() {
            journal.flush().await.context("the outcomes could not be kept; no further write is begun")?;
        }
        if let Some(end) = end {
            ended.get_or_insert(end);
        }
        if forbidden_only == FORBIDDEN_AT_FIRST && journal.count() == FORBIDDEN_AT_FIRST && ended.is_none() {
            ended = Some(all_forbidden().into());
        }
    }
    // What was never begun is left for the next run, and said so.
    for line in lines {
        note(context, &line.context("the plan cannot be read back")?, &Outcome::NotReached, export, rejects)?;
    }
    journal.flush().await.context("the outcomes could not be kept")?;
    let left = context.tally().remaining();
    context.count(|tally| tally.eta_seconds = Some(eta_seconds(left, cleanup.youtube.rate_per_second)));
    match ended {
        Some(error) => {
            Err(error
                .context(format!("{left} of {} planned writes are left for the next run", planned.count)))
        }
        None => Ok(()),
    }
}

/// A dry run: what would be written is counted and exported as planned.
pub(crate) fn rehearse(
    context: &Context<Tally>,
    planned: &Planned,
    export: &mut Export,
) -> anyhow::Result<()> {
    for line in read_plan(&planned.path)? {
        let line = line.context("the plan cannot be read back")?;
        context.count(|tally| tally.assets.updated += 1);
        export_line(export, &line, "planned", Some(&line.reason));
    }
    Ok(())
}

fn read_plan(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<PlanLine>> + use<>> {
    let file = std::fs::File::open(path).context("the plan cannot be read back")?;
    Ok(BufReader::new(file).lines().map(|line| Ok(PlanLine::from_json(&line?)?)))
}

/// What one answer means for its row, and whether it ends the run.
fn judge(line: &PlanLine, result: Result<Echo, CallError>) -> (Outcome, Option<anyhow::Error>) {
    match result {
        Ok(Echo::Written) => (Outcome::Updated, None),
        Ok(Echo::Different { custom_id, asset_id }) => {
            let reason = format!(
                "the answer to the write carries custom ID {custom_id:?} of asset {asset_id:?}, not {:?}",
                line.new.as_deref().unwrap_or_default()
            );
            (Outcome::Failed { code: "not_echoed".to_owned(), reason }, None)
        }
        Err(error) if error.kind.ends_the_run() => (Outcome::NotReached, Some(error.into())),
        Err(error) => {
            let code = error.kind.code().to_owned();
            (Outcome::Failed { code, reason: error.reason }, None)
        }
    }
}

fn note(
    context: &Context<Tally>,
    line: &PlanLine,
    outcome: &Outcome,
    export: &mut Export,
    rejects: &mut Rejects,
) -> anyhow::Result<()> {
    match outcome {
        Outcome::Updated => {
            context.count(|tally| tally.assets.updated += 1);
            export_line(export, line, "updated", Some(&line.reason));
        }
        Outcome::NotReached => export_line(export, line, "not_reached", None),
        Outcome::Failed { code, reason } => {
            context.count(|tally| tally.assets.failed += 1);
            tracing::warn!(asset_id = %line.asset_id, code, reason, "custom ID not set");
            export_line(export, line, "failed", Some(code));
            rejects.add_asset(&RejectedAsset {
                asset_id: line.asset_id,
                video_id: line.videos.first().copied(),
                channel_id: Some(line.channel_id),
                old: line.old.as_deref(),
                code,
                reason,
            })?;
        }
    }
    Ok(())
}

fn export_line(export: &mut Export, line: &PlanLine, outcome: &str, reason: Option<&str>) {
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

fn all_forbidden() -> Ended {
    Ended::new(
        Exit::Unauthorized,
        format!(
            "the first {FORBIDDEN_AT_FIRST} writes were all refused as forbidden: the content owner \
             (YOUTUBE_CONTENT_OWNER) or the credential's role is wrong; nothing was changed"
        ),
    )
}

/// The outcomes, in parts: an object store cannot append.
struct Journal<'a> {
    context: &'a Context<Tally>,
    part: usize,
    lines: Vec<String>,
}

impl Journal<'_> {
    fn add(&mut self, line: &PlanLine, outcome: &Outcome) {
        let (outcome, code, reason) = match outcome {
            Outcome::Updated => ("updated", None, None),
            Outcome::Failed { code, reason } => ("failed", Some(code), Some(reason)),
            Outcome::NotReached => return,
        };
        let entry = json!({"asset_id": line.asset_id, "outcome": outcome, "new": line.new, "code": code, "reason": reason});
        self.lines.push(format!("{entry}\n"));
    }

    /// How many outcomes were noted.
    fn count(&self) -> u64 {
        (self.part * OUTCOMES_PER_PART + self.lines.len()) as u64
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let name = format!("outcomes-{:04}.jsonl", self.part + 1);
        self.context.run_folder()?.put(&name, self.lines.concat().into_bytes()).await?;
        self.part += 1;
        self.lines.clear();
        Ok(())
    }
}
