//! The writes: one for each planned asset, most viewed first, every outcome noted. What is to be done next is decided
//! by `dn_domain::cleanup_plan::carry_out`; here it is done, and told back.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use dn_core::task::{Context, Ended, Exit, ProgressStep};
use dn_core::transport::{CallError, CallErrorKind, wait};
use dn_core::youtube::content_id::{CustomIdWrite, Echo, LiveAnswer, WRITE_CONFLICT};
use dn_core::youtube::quota::reset_hint;
use dn_domain::cleanup_plan::PlanLine;
use dn_domain::cleanup_plan::carry_out::{
    Answer, CarryOut, Ending, Failure, Fate, Limits, Outcome, Step, Tripped,
};
use dn_domain::id::AssetId;
use dn_domain::tally::CleanupTally;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};

use crate::Tally;
use crate::job::{Job, eta_seconds, live};
use crate::kept_plan::Planned;

/// Of so many calls a killed run may leave the day's budget in the dark.
const CALLS_PER_SAVE: u64 = 200;

/// Carries a plan out.
pub(crate) async fn apply(job: &mut Job<'_>, planned: &Planned) -> anyhow::Result<()> {
    let limits = Limits {
        canary: job.cleanup.canary,
        verify: job.cleanup.verify,
        max_in_flight: job.cleanup.youtube.max_in_flight,
        max_error_ratio: job.cleanup.max_error_ratio,
    };
    let mut machine = CarryOut::new(usize::try_from(planned.count)?, limits);
    let done = Driver::new(job, planned, &mut machine).drive().await;
    let told = tell(job, planned, machine.fates());
    let left = job.context.tally().remaining();
    let eta = eta_seconds(left, job.cleanup.writes_per_second());
    job.context.count(|tally| tally.eta_seconds = Some(eta));
    let done = done.with_context(|| match left {
        0 => "every planned write was made".to_owned(),
        left => format!(
            "{left} of {} planned writes are left for the next run, {eta} s of work; {}",
            planned.count,
            reset_hint(job.context.info.started_at)
        ),
    });
    crate::first_of(done, told)
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

/// Does what the machine says, and tells it what came of it.
struct Driver<'d, 'j> {
    job: &'d Job<'j>,
    machine: &'d mut CarryOut,
    started: Instant,
    /// The first failure that ends the run; the machine knows only that there is one.
    broken: Option<anyhow::Error>,
    /// The lines of writes without a fate: at most as many as are under way.
    held: HashMap<usize, PlanLine>,
    to_write: Place<'d>,
    to_read: Place<'d>,
    under_way: FuturesUnordered<BoxFuture<'d, Done>>,
    /// What was counted before the first write.
    before: CleanupTally,
    writes: ProgressStep,
    reads: Option<ProgressStep>,
}

/// Something that was under way and is not any more.
enum Done {
    Written(usize, PlanLine, Result<Echo, NoEcho>),
    ReadBack(Vec<(usize, PlanLine)>, Result<HashMap<AssetId, LiveAnswer>, CallError>),
    Kept(Vec<Outcome>, anyhow::Result<()>),
}

/// Why a write has no echo.
enum NoEcho {
    Call(CallError),
    Panicked,
}

impl<'d, 'j> Driver<'d, 'j> {
    fn new(job: &'d Job<'j>, planned: &'d Planned, machine: &'d mut CarryOut) -> Self {
        Self {
            job,
            machine,
            started: Instant::now(),
            broken: None,
            held: HashMap::new(),
            to_write: Place::at_the_start(planned),
            to_read: Place::at_the_start(planned),
            under_way: FuturesUnordered::new(),
            before: job.context.tally().assets,
            writes: job.context.progress.step("custom IDs", Some(planned.count)),
            reads: None,
        }
    }

    async fn drive(mut self) -> anyhow::Result<()> {
        let stop = self.job.context.stop.token();
        let (mut is_stopped, mut is_held, mut is_ended) = (false, false, false);
        loop {
            let now = self.started.elapsed();
            let next = self.machine.next(now);
            // Most of the writes under way still wait for their turn: what holds or ends the writes is for them too.
            if self.machine.is_ending() && !is_ended {
                is_ended = true;
                self.job.content_id.end_writes("no further write is begun");
            }
            if self.machine.holds_writes() != is_held {
                is_held = !is_held;
                self.job.content_id.hold_writes(is_held);
            }
            match next {
                Step::Write(index) => self.begin_write(index),
                Step::ReadBack(indexes) => self.begin_read(&indexes),
                Step::Keep(part, outcomes) => self.begin_keep(part, outcomes),
                Step::Ended(ending) => return self.end(ending),
                Step::Wait(until) => {
                    let time = async {
                        match until {
                            Some(until) => wait(until.saturating_sub(now)).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        biased;
                        Some(done) = self.under_way.next() => self.note(done).await,
                        () = stop.cancelled(), if !is_stopped => {
                            is_stopped = true;
                            self.machine.stop(self.now());
                        }
                        () = time => {}
                    }
                }
            }
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn begin_write(&mut self, index: usize) {
        let line = match self.held.remove(&index).map_or_else(|| self.to_write.line(index), Ok) {
            Ok(line) => line,
            Err(error) => {
                self.machine.not_begun(index);
                self.broken.get_or_insert(error);
                return;
            }
        };
        let content_id = &self.job.content_id;
        self.under_way.push(Box::pin(async move {
            let write = CustomIdWrite {
                asset: line.asset_id,
                old: line.old.as_deref(),
                new: line.new.as_deref().unwrap_or_default(),
                artists: &line.artists,
            };
            let written = contained(content_id.set_custom_id(write)).await;
            Done::Written(index, line, written)
        }));
    }

    fn begin_read(&mut self, indexes: &[usize]) {
        let lines: anyhow::Result<Vec<(usize, PlanLine)>> = indexes
            .iter()
            .map(|index| {
                let line = self.held.remove(index).map_or_else(|| self.to_read.line(*index), Ok);
                line.map(|line| (*index, line))
            })
            .collect();
        let lines = match lines {
            Ok(lines) => lines,
            Err(error) => {
                self.machine.not_read(indexes);
                self.broken.get_or_insert(error);
                return;
            }
        };
        let content_id = &self.job.content_id;
        self.under_way.push(Box::pin(async move {
            let ids: Vec<AssetId> = lines.iter().map(|(_, line)| line.asset_id).collect();
            let answers = content_id.live_values(&ids).await;
            Done::ReadBack(lines, answers)
        }));
    }

    fn begin_keep(&mut self, part: u32, outcomes: Vec<Outcome>) {
        let context = self.job.context;
        self.under_way.push(Box::pin(async move {
            let kept = keep(context, part, &outcomes).await;
            Done::Kept(outcomes, kept)
        }));
    }

    async fn note(&mut self, done: Done) {
        match done {
            Done::Written(index, line, written) => self.note_written(index, line, written).await,
            Done::ReadBack(lines, answers) => self.note_read(lines, answers),
            Done::Kept(_, Ok(())) => self.machine.kept(),
            Done::Kept(outcomes, Err(error)) => {
                self.machine.not_kept(self.now(), outcomes);
                self.broken.get_or_insert(
                    error.context("the outcomes could not be kept; no further write is begun"),
                );
            }
        }
        let counts = self.machine.counts();
        let before = self.before;
        self.job.context.count(|tally| {
            tally.assets.updated = before.updated + counts.updated;
            tally.assets.skipped = before.skipped + counts.skipped;
            tally.assets.failed = before.failed + counts.failed;
        });
    }

    async fn note_written(&mut self, index: usize, line: PlanLine, written: Result<Echo, NoEcho>) {
        let (answer, error) = judge(&line, written);
        self.machine.written(self.now(), index, &line, answer);
        if let Some(error) = error {
            self.broken.get_or_insert(error.into());
        }
        self.hold_or_tell(index, line, true);
        if let Some(budget) = self.job.budget.as_ref().filter(|budget| budget.unsaved() >= CALLS_PER_SAVE)
            && let Err(error) = budget.save().await
        {
            self.machine.broke_off();
            self.broken
                .get_or_insert(anyhow::Error::from(error).context("the day's calls could not be kept"));
        }
    }

    fn note_read(
        &mut self,
        lines: Vec<(usize, PlanLine)>,
        answers: Result<HashMap<AssetId, LiveAnswer>, CallError>,
    ) {
        match answers {
            Ok(answers) => {
                let progress = &self.job.context.progress;
                let reads = self.reads.get_or_insert_with(|| progress.step("read back", None));
                reads.advance(lines.len() as u64);
                let in_doubt = lines.first().is_some_and(|(index, _)| self.machine.is_under_way(*index));
                let found = lines
                    .iter()
                    .map(|(index, line)| (*index, line, live(line.asset_id, answers.get(&line.asset_id))));
                self.machine.read_back(self.started.elapsed(), found);
                for (index, line) in lines {
                    self.hold_or_tell(index, line, in_doubt);
                }
            }
            Err(error) => {
                let indexes: Vec<usize> = lines.iter().map(|(index, _)| *index).collect();
                self.machine.not_read(&indexes);
                let error = anyhow::Error::from(error).context("what was written could not be read back");
                self.broken.get_or_insert(error);
            }
        }
    }

    /// A line that is still under way will be asked for again; of one that is not, what is not right is told.
    fn hold_or_tell(&mut self, index: usize, line: PlanLine, was_under_way: bool) {
        if self.machine.is_under_way(index) {
            self.held.insert(index, line);
            return;
        }
        self.writes.advance(u64::from(was_under_way));
        match self.machine.fates().get(index) {
            Some(Fate::Failed(failure)) => {
                let Failure { code, reason } = failure.as_ref();
                tracing::warn!(asset_id = %line.asset_id, code, reason, "custom ID not set");
            }
            Some(Fate::Unknown(failure)) => {
                let Failure { code, reason } = failure.as_ref();
                tracing::warn!(asset_id = %line.asset_id, code, reason, "not known whether the custom ID was set");
            }
            Some(Fate::ChangedSince) => tracing::warn!(
                asset_id = %line.asset_id, old = line.old, new = line.new,
                "asset was changed since the plan, left alone"
            ),
            Some(Fate::Updated | Fate::NotReached) | None => {}
        }
    }

    fn end(self, ending: Ending) -> anyhow::Result<()> {
        let broken = || self.broken.unwrap_or_else(|| anyhow::anyhow!("the writes ended early"));
        Err(match ending {
            Ending::Done => return Ok(()),
            Ending::Tripped(tripped) => {
                let exit = match tripped {
                    Tripped::ForbiddenOnly { .. } => Exit::Unauthorized,
                    Tripped::Canary(_) | Tripped::TooManyFailed { .. } | Tripped::NotEchoed { .. } => {
                        Exit::Guard
                    }
                };
                Ended::new(exit, tripped.to_string()).into()
            }
            Ending::Stopped => anyhow::anyhow!("the run is being stopped"),
            Ending::OutOfTime(count) => anyhow::anyhow!("{count} writes had no answer in time"),
            Ending::BrokeOff | Ending::NotKept => broken(),
        })
    }
}

/// A bug that one asset brings out is that asset's failure: the write's outcome is then not known.
async fn contained(write: impl Future<Output = Result<Echo, CallError>>) -> Result<Echo, NoEcho> {
    match AssertUnwindSafe(write).catch_unwind().await {
        Ok(written) => written.map_err(NoEcho::Call),
        Err(_) => Err(NoEcho::Panicked),
    }
}

/// What an answer means for its asset, and the failure that ends the run if it is one.
fn judge(line: &PlanLine, written: Result<Echo, NoEcho>) -> (Answer, Option<CallError>) {
    let error = match written {
        Ok(Echo::Written) => return (Answer::Written, None),
        Ok(Echo::Different { custom_id, asset_id }) => {
            let told = format!(
                "the answer to the write carries custom ID {custom_id:?} of asset {asset_id:?}, not {:?}",
                line.new.as_deref().unwrap_or_default()
            );
            return (Answer::EchoedOtherwise(told), None);
        }
        Ok(Echo::ChangedSince { found }) => {
            tracing::warn!(
                asset_id = %line.asset_id, found, old = line.old, new = line.new,
                "asset was changed since the plan, left alone"
            );
            return (Answer::ChangedSince, None);
        }
        Err(NoEcho::Panicked) => {
            let failure = Failure::new("bug", "the program panicked over this write; see the log");
            return (Answer::Unknown(failure), None);
        }
        Err(NoEcho::Call(error)) => error,
    };
    let failure = Failure::new(error.kind.code(), &error.reason);
    match &error.kind {
        kind if kind.ends_the_run() => {
            // A try whose end nobody knows may have been carried out; one that was refused was not.
            let unknown = (error.lost > 0).then_some(failure);
            (Answer::EndsTheRun { unknown }, Some(error))
        }
        CallErrorKind::Refused { code } if code == WRITE_CONFLICT => (Answer::Conflict(failure), None),
        CallErrorKind::Refused { .. } if error.lost == 0 => (Answer::Refused(failure), None),
        _ => (Answer::Unknown(failure), None),
    }
}

/// A place in the plan: its lines are read one after the other, never all held.
struct Place<'p> {
    planned: &'p Planned,
    lines: Option<Box<dyn Iterator<Item = anyhow::Result<PlanLine>> + Send>>,
    next: usize,
}

impl<'p> Place<'p> {
    fn at_the_start(planned: &'p Planned) -> Self {
        Self { planned, lines: None, next: 0 }
    }

    /// The line of this number. One that was passed already is read from the start again.
    fn line(&mut self, index: usize) -> anyhow::Result<PlanLine> {
        let mut lines = match self.lines.take() {
            Some(lines) if index >= self.next => lines,
            _ => {
                self.next = 0;
                Box::new(self.planned.lines()?)
            }
        };
        let line = lines.nth(index - self.next).context("the plan has fewer lines than it was made of")??;
        self.next = index + 1;
        self.lines = Some(lines);
        Ok(line)
    }
}

/// Tells what became of every planned write: to the export, and to the rejects what failed.
fn tell(job: &mut Job<'_>, planned: &Planned, fates: &[Fate]) -> anyhow::Result<()> {
    for (line, fate) in planned.lines()?.zip(fates) {
        let line = line?;
        match fate {
            Fate::Updated => job.export_line(&line, "updated", Some(&line.reason)),
            Fate::NotReached => job.export_line(&line, "not_reached", None),
            Fate::Unknown(failure) => job.export_line(&line, "unknown", Some(&failure.code)),
            Fate::ChangedSince => job.export_line(&line, "skipped", Some("changed_since")),
            Fate::Failed(failure) => {
                job.export_line(&line, "failed", Some(&failure.code));
                job.reject_line(&line, &failure.code, &failure.reason)?;
            }
        }
    }
    Ok(())
}

/// Keeps outcomes as a part of the journal: an object store cannot append.
async fn keep(context: &Context<Tally>, part: u32, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for outcome in outcomes {
        lines.extend_from_slice(outcome.to_json()?.as_bytes());
        lines.push(b'\n');
    }
    Ok(context.run_folder()?.put(&format!("outcomes-{part:04}.jsonl"), lines).await?)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use dn_domain::id::{ChannelId, VideoId};

    use super::*;

    fn line() -> PlanLine {
        PlanLine {
            asset_id: AssetId::parse("A1000000000000001").unwrap(),
            videos: vec![VideoId::parse("vid00000001").unwrap()],
            channel_id: ChannelId::parse("UCaaaaaaaaaaaaaaaaaaaaaa").unwrap(),
            old: None,
            new: Some("artist-one".to_owned()),
            reason: Cow::Borrowed("empty"),
            artists: Vec::new(),
            row: 1,
            report_etag: None,
        }
    }

    fn answer(kind: CallErrorKind, lost: u32) -> (Answer, bool) {
        let error = CallError {
            operation: "youtube assets.patch".to_owned(),
            target: String::new(),
            kind,
            reason: "no".to_owned(),
            tries: lost + 1,
            lost,
            elapsed: Duration::ZERO,
        };
        let (answer, ends) = judge(&line(), Err(NoEcho::Call(error)));
        (answer, ends.is_some())
    }

    #[tokio::test]
    async fn p08_a_write_that_panics_leaves_its_row_in_doubt_and_the_others_alone() {
        let rows: Vec<u32> = Vec::new();
        let panicked = contained(async move {
            assert!(rows[0] > 0, "never reached");
            Ok(Echo::Written)
        })
        .await;
        let (answer, ends) = judge(&line(), panicked);
        assert!(matches!(answer, Answer::Unknown(failure) if failure.code == "bug") && ends.is_none());
        assert!(matches!(contained(async { Ok(Echo::Written) }).await, Ok(Echo::Written)));
    }

    #[test]
    fn a18_only_a_write_without_a_lost_try_is_known_not_to_have_been_carried_out() {
        let refused = || CallErrorKind::Refused { code: "invalidValue".to_owned() };
        assert!(matches!(answer(refused(), 0), (Answer::Refused(_), false)));
        assert!(matches!(answer(refused(), 1), (Answer::Unknown(_), false)), "the first answer was lost");
        assert!(matches!(answer(CallErrorKind::Exhausted, 5), (Answer::Unknown(_), false)));
        assert!(matches!(answer(CallErrorKind::BadAnswer, 3), (Answer::Unknown(_), false)));
        for (kind, lost, is_unknown) in [
            (CallErrorKind::QuotaExhausted, 0, false),
            (CallErrorKind::QuotaExhausted, 1, true),
            (CallErrorKind::Interrupted, 0, false),
            (CallErrorKind::Interrupted, 1, true),
            (CallErrorKind::LockLost, 0, false),
            (CallErrorKind::PatienceOver, 1, true),
        ] {
            let (answer, ends) = answer(kind, lost);
            assert!(
                ends && matches!(answer, Answer::EndsTheRun { unknown } if unknown.is_some() == is_unknown)
            );
        }
    }
}
