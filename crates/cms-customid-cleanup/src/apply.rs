//! The writes: one PATCH per planned asset, most viewed first, every outcome noted. A row's failure is data; only
//! what makes every further write pointless ends the run.
//!
//! The first few are a canary: they are read back before the rest begins. At the end everything that was written is
//! read back. What became of each asset is told once that is known.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Context as _;
use dn_core::task::{Context, Ended, Exit};
use dn_core::transport::{CallError, wait};
use dn_core::youtube::content_id::{ASSETS_PER_READ, CustomIdWrite, Echo, LiveAnswer};
use dn_core::youtube::quota::reset_hint;
use dn_domain::cleanup_plan::PlanLine;
use dn_domain::id::AssetId;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use crate::Tally;
use crate::job::{Job, eta_seconds};
use crate::kept_plan::Planned;

/// When the first writes are all refused as forbidden, the content owner or the role is wrong, not twenty assets.
const FORBIDDEN_AT_FIRST: u64 = 20;
/// The breaker looks at so many of the last writes.
const BREAKER_WINDOW: usize = 100;
/// So many outcomes go into one part of the journal.
const OUTCOMES_PER_PART: usize = 2_000;

/// Of so many calls a killed run may leave the day's budget in the dark.
const CALLS_PER_SAVE: u64 = 200;
/// What is under way when the run is told to stop has this long; the rest of the time before the process is killed is
/// for the journal and the event.
const DRAIN: Duration = Duration::from_secs(12);

/// What became of one planned write.
#[derive(Debug, Clone)]
enum Fate {
    /// The run ended before it, or its outcome is not known.
    NotReached,
    Updated,
    /// Left alone: read just before the write, it was no longer what the plan knew.
    ChangedSince,
    Failed(Box<Failure>),
}

#[derive(Debug, Clone)]
struct Failure {
    code: String,
    reason: String,
}

/// Carries a plan out.
pub(crate) async fn apply(job: &mut Job<'_>, planned: &Planned) -> anyhow::Result<()> {
    let mut fates = vec![Fate::NotReached; usize::try_from(planned.count)?];
    let mut journal = Journal { context: job.context, part: 0, lines: Vec::new() };
    let done = carry_out(job, planned, &mut fates, &mut journal).await;
    tell(job, planned, &fates)?;
    journal.flush().await.context("the outcomes could not be kept")?;
    let left = job.context.tally().remaining();
    let eta = eta_seconds(left, job.cleanup.writes_per_second());
    job.context.count(|tally| tally.eta_seconds = Some(eta));
    done.with_context(|| match left {
        0 => "every planned write was made".to_owned(),
        left => format!(
            "{left} of {} planned writes are left for the next run, {eta} s of work; {}",
            planned.count,
            reset_hint(job.context.info.started_at)
        ),
    })
}

async fn carry_out(
    job: &Job<'_>,
    planned: &Planned,
    fates: &mut [Fate],
    journal: &mut Journal<'_>,
) -> anyhow::Result<()> {
    let mut writes = Writes::new(job, planned)?;
    let canary = job.cleanup.canary.min(fates.len());
    writes.run(canary, fates, journal).await?;
    // The canary is the reading back of a plan that has no more to it.
    let is_canary = canary > 0 && (canary < fates.len() || !job.cleanup.verify);
    if is_canary && let Some(mismatch) = read_back(job, planned, fates, journal).await? {
        let message =
            format!("the canary found another value than was written: {mismatch}; no further write is begun");
        return Err(Ended::new(Exit::Guard, message).into());
    }
    writes.run(fates.len(), fates, journal).await?;
    if job.cleanup.verify {
        read_back(job, planned, fates, journal).await?;
    }
    Ok(())
}

/// A dry run: what would be written is counted and exported as planned.
pub(crate) fn rehearse(job: &mut Job<'_>, planned: &Planned) -> anyhow::Result<()> {
    for line in planned.lines()? {
        let line = line?;
        job.context.count(|tally| tally.assets.updated += 1);
        job.export_line(&line, "planned", Some(&line.reason));
    }
    Ok(())
}

/// The writes of a plan, in order.
struct Writes<'j, I> {
    job: &'j Job<'j>,
    lines: std::iter::Enumerate<I>,
    begun: usize,
    forbidden_only: u64,
    finished: u64,
    recent: VecDeque<bool>,
    progress: dn_core::task::ProgressStep,
}

impl<'j> Writes<'j, ()> {
    fn new(
        job: &'j Job<'j>,
        planned: &Planned,
    ) -> anyhow::Result<Writes<'j, impl Iterator<Item = anyhow::Result<PlanLine>> + use<>>> {
        Ok(Writes {
            job,
            lines: planned.lines()?.enumerate(),
            begun: 0,
            forbidden_only: 0,
            finished: 0,
            recent: VecDeque::with_capacity(BREAKER_WINDOW),
            progress: job.context.progress.step("custom IDs", Some(planned.count)),
        })
    }
}

impl<I: Iterator<Item = anyhow::Result<PlanLine>>> Writes<'_, I> {
    /// Writes up to the line `until`. What is under way when the run has to end is still waited for.
    async fn run(
        &mut self,
        until: usize,
        fates: &mut [Fate],
        journal: &mut Journal<'_>,
    ) -> anyhow::Result<()> {
        let (content_id, cleanup) = (&self.job.content_id, self.job.cleanup);
        let mut ended: Option<anyhow::Error> = None;
        let mut under_way = stream::FuturesUnordered::new();
        let stop = self.job.context.stop.token();
        let mut drained = std::pin::pin!(async {
            stop.cancelled().await;
            wait(DRAIN).await;
        });
        loop {
            while ended.is_none() && self.begun < until && under_way.len() < cleanup.youtube.max_in_flight {
                let Some((index, line)) = self.lines.next() else { break };
                let line = match line {
                    Ok(line) => line,
                    Err(error) => {
                        ended = Some(error);
                        break;
                    }
                };
                self.begun = index + 1;
                under_way.push(async move {
                    let write = CustomIdWrite {
                        asset: line.asset_id,
                        old: line.old.as_deref(),
                        new: line.new.as_deref().unwrap_or_default(),
                        artists: &line.artists,
                    };
                    let result = content_id.set_custom_id(write).await;
                    (index, line, result)
                });
            }
            let next = tokio::select! {
                biased;
                next = under_way.next() => next,
                () = &mut drained => {
                    ended.get_or_insert_with(|| anyhow::anyhow!("{} writes had no answer in time", under_way.len()));
                    break;
                }
            };
            let Some((index, line, result)) = next else { break };
            let (fate, end) = judge(&line, result);
            self.note(&fate);
            journal.add(&line, &fate);
            if matches!(fate, Fate::Updated) {
                self.job.context.count(|tally| tally.assets.updated += 1);
            } else if matches!(fate, Fate::ChangedSince) {
                self.job.context.count(|tally| tally.assets.skipped += 1);
            } else if let Fate::Failed(failure) = &fate {
                let Failure { code, reason } = failure.as_ref();
                self.job.context.count(|tally| tally.assets.failed += 1);
                tracing::warn!(asset_id = %line.asset_id, code, reason, "custom ID not set");
            }
            fates[index] = fate;
            self.progress.advance(1);
            if let Some(end) = end.or_else(|| self.breaker().map(anyhow::Error::from)) {
                ended.get_or_insert(end);
            }
            if let Some(budget) = self.job.budget.as_ref().filter(|budget| budget.unsaved() >= CALLS_PER_SAVE)
                && let Err(error) = budget.save().await
            {
                let error = anyhow::Error::from(error).context("the day's calls could not be kept");
                ended.get_or_insert(error);
            }
            if journal.lines.len() >= OUTCOMES_PER_PART && ended.is_none() {
                let flushed = journal.flush().await;
                ended = flushed.context("the outcomes could not be kept; no further write is begun").err();
            }
        }
        ended.map_or(Ok(()), Err)
    }

    fn note(&mut self, fate: &Fate) {
        let is_forbidden = matches!(fate, Fate::Failed(failure) if failure.code == "forbidden");
        if is_forbidden && self.forbidden_only == self.finished {
            self.forbidden_only += 1;
        }
        self.finished += 1;
        if self.recent.len() == BREAKER_WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(matches!(fate, Fate::Failed(_)));
    }

    /// Whether so much fails that going on would do harm or nothing.
    fn breaker(&self) -> Option<Ended> {
        if self.forbidden_only == FORBIDDEN_AT_FIRST && self.finished == FORBIDDEN_AT_FIRST {
            return Some(Ended::new(
                Exit::Unauthorized,
                format!(
                    "the first {FORBIDDEN_AT_FIRST} writes were all refused as forbidden: the content owner \
                     (YOUTUBE_CONTENT_OWNER) or the credential's role is wrong"
                ),
            ));
        }
        let failed = self.recent.iter().filter(|failed| **failed).count();
        let (share, limit) = (failed as f64 / BREAKER_WINDOW as f64, self.job.cleanup.max_error_ratio);
        (self.recent.len() == BREAKER_WINDOW && share > limit).then(|| {
            Ended::new(
                Exit::Guard,
                format!(
                    "{failed} of the last {BREAKER_WINDOW} writes failed ({:.0} %, the limit is {:.0} %): see the \
                     reasons in the rejects, and lift the limit with --max-error-ratio",
                    100.0 * share,
                    100.0 * limit
                ),
            )
        })
    }
}

/// What one answer means for its row, and whether it ends the run.
fn judge(line: &PlanLine, result: Result<Echo, CallError>) -> (Fate, Option<anyhow::Error>) {
    let failed = |code: &str, reason| Fate::Failed(Box::new(Failure { code: code.to_owned(), reason }));
    match result {
        Ok(Echo::Written) => (Fate::Updated, None),
        Ok(Echo::Different { custom_id, asset_id }) => {
            let reason = format!(
                "the answer to the write carries custom ID {custom_id:?} of asset {asset_id:?}, not {:?}",
                line.new.as_deref().unwrap_or_default()
            );
            (failed("not_echoed", reason), None)
        }
        Ok(Echo::ChangedSince { found }) => {
            tracing::warn!(
                asset_id = %line.asset_id, found, old = line.old, new = line.new,
                "asset was changed since the plan, left alone"
            );
            (Fate::ChangedSince, None)
        }
        Err(error) if error.kind.ends_the_run() => (Fate::NotReached, Some(error.into())),
        Err(error) => (failed(error.kind.code(), error.reason), None),
    }
}

/// Reads back what was written so far, 50 assets a call. An asset with another value has failed after all; gives the
/// first of them.
async fn read_back(
    job: &Job<'_>,
    planned: &Planned,
    fates: &mut [Fate],
    journal: &mut Journal<'_>,
) -> anyhow::Result<Option<String>> {
    let (content_id, context) = (&job.content_id, job.context);
    let updated: Vec<bool> = fates.iter().map(|fate| matches!(fate, Fate::Updated)).collect();
    let written =
        planned.lines()?.enumerate().filter(|(index, _)| updated.get(*index).copied().unwrap_or(false));
    let total = updated.iter().filter(|updated| **updated).count();
    let progress = context.progress.step("read back", Some(total as u64));
    let mut reads = stream::iter(ChunksOf { items: written, size: ASSETS_PER_READ })
        .map(|chunk| async move {
            let chunk = chunk
                .into_iter()
                .map(|(index, line)| Ok((index, line?)))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let ids: Vec<AssetId> = chunk.iter().map(|(_, line)| line.asset_id).collect();
            let answers =
                content_id.live_values(&ids).await.context("what was written could not be read back")?;
            anyhow::Ok((chunk, answers))
        })
        .buffered(job.cleanup.youtube.max_in_flight);
    let mut first = None;
    while let Some((chunk, answers)) = reads.try_next().await? {
        progress.advance(chunk.len() as u64);
        for (index, line) in chunk {
            let found = match answers.get(&line.asset_id) {
                Some(LiveAnswer::Found { custom_id, .. }) => custom_id.as_deref(),
                _ => None,
            };
            if found == line.new.as_deref() {
                continue;
            }
            let reason = format!("{} carries {found:?} after {:?} was written", line.asset_id, line.new);
            tracing::error!(asset_id = %line.asset_id, reason, "written value not kept");
            context.count(|tally| {
                tally.assets.updated -= 1;
                tally.assets.failed += 1;
            });
            first.get_or_insert_with(|| reason.clone());
            fates[index] = Fate::Failed(Box::new(Failure { code: "not_kept".to_owned(), reason }));
            journal.add(&line, &fates[index]);
        }
    }
    Ok(first)
}

struct ChunksOf<I> {
    items: I,
    size: usize,
}

impl<I: Iterator> Iterator for ChunksOf<I> {
    type Item = Vec<I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk: Vec<I::Item> = self.items.by_ref().take(self.size).collect();
        (!chunk.is_empty()).then_some(chunk)
    }
}

/// Tells what became of every planned write: to the export, and to the rejects what failed.
fn tell(job: &mut Job<'_>, planned: &Planned, fates: &[Fate]) -> anyhow::Result<()> {
    for (line, fate) in planned.lines()?.zip(fates) {
        let line = line?;
        match fate {
            Fate::Updated => job.export_line(&line, "updated", Some(&line.reason)),
            Fate::NotReached => job.export_line(&line, "not_reached", None),
            Fate::ChangedSince => job.export_line(&line, "skipped", Some("changed_since")),
            Fate::Failed(failure) => {
                job.export_line(&line, "failed", Some(&failure.code));
                job.reject_line(&line, &failure.code, &failure.reason)?;
            }
        }
    }
    Ok(())
}

/// The outcomes, in parts: an object store cannot append. Of two lines about one asset the later one counts.
struct Journal<'a> {
    context: &'a Context<Tally>,
    part: usize,
    lines: Vec<String>,
}

impl Journal<'_> {
    fn add(&mut self, line: &PlanLine, fate: &Fate) {
        let (outcome, failure) = match fate {
            Fate::Updated => ("updated", None),
            Fate::ChangedSince => ("skipped", None),
            Fate::Failed(failure) => ("failed", Some(failure)),
            Fate::NotReached => return,
        };
        let code = failure.map(|failure| failure.code.as_str());
        let code = code.or(matches!(fate, Fate::ChangedSince).then_some("changed_since"));
        let reason = failure.map(|failure| &failure.reason);
        let entry = json!({"asset_id": line.asset_id, "outcome": outcome, "new": line.new, "code": code, "reason": reason});
        self.lines.push(format!("{entry}\n"));
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
