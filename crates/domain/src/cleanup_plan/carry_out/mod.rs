//! Carrying a plan out, as a state machine over `now`.
//!
//! [`CarryOut`] decides and does nothing: it is asked what is [`next`](CarryOut::next) and told what came of it. Whoever
//! drives it sends the writes, reads back, keeps outcomes and waits. It never looks at a clock, so that a simulator can
//! lead it through years of bad luck in a moment; and it keeps a fate for each planned write and no line of the plan,
//! so that a plan of any length costs a few bytes a write.
//!
//! What it holds to: writes go out in the plan's order, most valuable first, so many at a time. The first ones are a
//! canary, read back before the rest begins, and their outcomes are kept before it too: a journal that cannot be kept
//! is found out early. While outcomes are being kept, or an answer that speaks of another value is being looked into,
//! no write is begun. After the verdict that ends the run no write is begun either; what is under way is waited for,
//! and what it came to is kept.

mod breaker;
mod outcome;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub use outcome::{Failure, Fate, Outcome, OutcomeLineError, OutcomeWord, not_written, read_outcomes};

use self::breaker::Breaker;
use super::decide::Live;
use super::plan_line::PlanLine;
use super::replay::{Replay, replay};

/// So many assets are read back at once at most.
pub const ASSETS_PER_READ_BACK: usize = 50;
/// So many outcomes go into one part of the journal at most, give or take what is under way.
const OUTCOMES_PER_PART: usize = 2_000;
/// No outcome waits longer than this to be kept while writes go on.
const KEPT_AFTER: Duration = Duration::from_mins(1);
/// What is under way when the run is told to stop has this long; the rest of the time before the process is killed is
/// for the journal and the event.
const DRAIN: Duration = Duration::from_secs(12);
/// The one answer with another value that may be an accident.
const NOT_ECHOED_BORNE: usize = 1;

/// How a plan is to be carried out.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// So many writes are read back before the rest begins; 0 for none.
    pub canary: usize,
    /// Whether everything that was written is read back at the end.
    pub verify: bool,
    /// Writes, and readings, under way at once.
    pub max_in_flight: usize,
    /// The share of the last 100 writes that may fail.
    pub max_error_ratio: f64,
}

/// What is to be done next. All but waiting is done beside what is under way already.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Write this line of the plan, counted from 0. Lines come in order; one that is to be written a second time was
    /// written before.
    Write(usize),
    /// Read the live values of these lines' assets, in ascending order, [`ASSETS_PER_READ_BACK`] at most.
    ReadBack(Vec<usize>),
    /// Make these outcomes durable, as the part of this number, counted from 1.
    Keep(u32, Vec<Outcome>),
    /// Nothing until something that is under way has come to its end, or until this time.
    Wait(Option<Duration>),
    /// It is over.
    Ended(Ending),
}

/// What a write came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A success that carries the new value for this asset.
    Written,
    /// A success that carries something else: in a sentence, what.
    EchoedOtherwise(String),
    /// Not sent: read just before the write, the asset was no longer what the plan knew.
    ChangedSince,
    /// Refused because of the state that the asset is in (409, 412).
    Conflict(Failure),
    /// Refused for good, and carried out by no try.
    Refused(Failure),
    /// No answer tells whether it was carried out.
    Unknown(Failure),
    /// What came back means that no further write should be begun. The driver knows why.
    EndsTheRun {
        /// Whether it may have been carried out all the same, and what to say of it then.
        unknown: Option<Failure>,
    },
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// Every planned write has its fate, and what was to be read back was.
    Done,
    /// A guard stopped it.
    Tripped(Tripped),
    /// It was told to stop.
    Stopped,
    /// It was told to stop, and so many writes had no answer in the time that was left.
    OutOfTime(usize),
    /// Something failed without which no write may be made; the driver knows what.
    BrokeOff,
    /// The outcomes could not be kept.
    NotKept,
}

/// A guard that stopped the writes.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Tripped {
    /// The canary found another value than was written.
    #[error("the canary found another value than was written: {0}; no further write is begun")]
    Canary(String),
    /// The first writes were all refused as forbidden.
    #[error(
        "the first {count} writes were all refused as forbidden: the content owner (YOUTUBE_CONTENT_OWNER) or the \
         credential's role is wrong"
    )]
    ForbiddenOnly {
        /// How many.
        count: u64,
    },
    /// Too many of the last writes failed.
    #[error(
        "{failed} of the last {of} writes failed ({:.0} %, the limit is {:.0} %): see the reasons in the rejects, and \
         lift the limit with --max-error-ratio",
        100.0 * *failed as f64 / *of as f64,
        100.0 * limit
    )]
    TooManyFailed {
        /// How many failed.
        failed: usize,
        /// Of how many.
        of: usize,
        /// The largest share that goes on.
        limit: f64,
    },
    /// Answers spoke of other values than were written, and reading back bore them out.
    #[error(
        "{count} writes were answered with another value, and reading back bore it out, the last time so: {last}; \
         either the API writes what it was not told, or another program sets custom IDs: no further write is begun"
    )]
    NotEchoed {
        /// How many.
        count: usize,
        /// What the last of them was.
        last: String,
    },
}

/// What the planned writes came to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Assets that carry the new value.
    pub updated: u64,
    /// Assets that were left alone, since somebody set another value in the meantime.
    pub skipped: u64,
    /// Assets that failed for good.
    pub failed: u64,
}

/// A line whose write was begun and has no fate yet. It holds its place among those under way until it has one.
#[derive(Debug)]
enum Course {
    Sent,
    SentAgain,
    InDoubt(Doubt),
}

/// Why a line is read back before anything else becomes of it.
#[derive(Debug)]
enum Doubt {
    Conflict,
    Echo(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Writing the lines before this one.
    Write { is_canary: bool, until: usize },
    /// Reading back from this line on: of the canary, or of all.
    ReadBack { is_canary: bool, from: usize },
}

/// A plan being carried out.
#[derive(Debug)]
pub struct CarryOut {
    limits: Limits,
    fates: Vec<Fate>,
    counts: Counts,
    phase: Phase,
    begun: usize,
    under_way: HashMap<usize, Course>,
    /// Steps for lines that hold their place already.
    follow_ups: VecDeque<Step>,
    reads_under_way: usize,
    breaker: Breaker,
    /// The first value that was found not to be the one written.
    mismatch: Option<String>,
    not_echoed: usize,
    outcomes: Vec<Outcome>,
    unkept_since: Option<Duration>,
    part: u32,
    is_keeping: bool,
    /// The outcomes of an ended run are tried to be kept once.
    last_kept: bool,
    ending: Option<Ending>,
    stopped_at: Option<Duration>,
}

impl CarryOut {
    /// A plan of so many writes, none of them begun.
    pub fn new(count: usize, limits: Limits) -> Self {
        let limits = Limits { max_in_flight: limits.max_in_flight.max(1), ..limits };
        let canary = limits.canary.min(count);
        // The canary is the reading back of a plan that has no more to it.
        let is_canary = canary > 0 && (canary < count || !limits.verify);
        Self {
            limits,
            fates: vec![Fate::NotReached; count],
            counts: Counts::default(),
            phase: Phase::Write { is_canary, until: if is_canary { canary } else { count } },
            begun: 0,
            under_way: HashMap::new(),
            follow_ups: VecDeque::new(),
            reads_under_way: 0,
            breaker: Breaker::new(limits.max_error_ratio),
            mismatch: None,
            not_echoed: 0,
            outcomes: Vec::new(),
            unkept_since: None,
            part: 1,
            is_keeping: false,
            last_kept: false,
            ending: None,
            stopped_at: None,
        }
    }

    /// What is to be done now. Asked again and again until it is to wait or at its end.
    pub fn next(&mut self, now: Duration) -> Step {
        if self.ending.is_some() {
            return self.wind_down(now);
        }
        if let Some(step) = self.follow_up() {
            if matches!(step, Step::ReadBack(_)) {
                self.reads_under_way += 1;
            }
            return step;
        }
        if self.is_keeping {
            return Step::Wait(None);
        }
        let is_due = self.unkept_since.is_some_and(|since| now >= since + KEPT_AFTER);
        if is_due || self.outcomes.len() >= OUTCOMES_PER_PART {
            return self.keep();
        }
        loop {
            match self.phase {
                Phase::Write { until, .. } if self.begun < until => {
                    if self.under_way.len() >= self.limits.max_in_flight || self.is_echo_in_doubt() {
                        return self.wait();
                    }
                    let index = self.begun;
                    self.begun += 1;
                    self.under_way.insert(index, Course::Sent);
                    return Step::Write(index);
                }
                Phase::Write { .. } if !self.under_way.is_empty() => return self.wait(),
                Phase::Write { is_canary, .. } => self.phase = Phase::ReadBack { is_canary, from: 0 },
                Phase::ReadBack { is_canary, from } => {
                    if self.reads_under_way >= self.limits.max_in_flight {
                        return self.wait();
                    }
                    let chunk = self.to_be_read(is_canary || self.limits.verify, from);
                    if let Some(last) = chunk.last() {
                        self.phase = Phase::ReadBack { is_canary, from: last + 1 };
                        self.reads_under_way += 1;
                        return Step::ReadBack(chunk);
                    }
                    if self.reads_under_way > 0 {
                        return self.wait();
                    }
                    if !is_canary {
                        self.end(Ending::Done);
                        return self.wind_down(now);
                    }
                    if let Some(mismatch) = self.mismatch.clone() {
                        self.end(Ending::Tripped(Tripped::Canary(mismatch)));
                        return self.wind_down(now);
                    }
                    self.phase = Phase::Write { is_canary: false, until: self.fates.len() };
                    if self.begun < self.fates.len() && !self.outcomes.is_empty() {
                        return self.keep();
                    }
                }
            }
        }
    }

    /// Tells what a write came to.
    pub fn written(&mut self, now: Duration, index: usize, line: &PlanLine, answer: Answer) {
        let Some(course) = self.under_way.get(&index) else { return };
        let is_first = matches!(course, Course::Sent);
        match answer {
            Answer::Written => self.settle(now, index, line, Fate::Updated),
            Answer::ChangedSince => self.settle(now, index, line, Fate::ChangedSince),
            Answer::EchoedOtherwise(told) => self.doubt(now, index, line, Doubt::Echo(told)),
            Answer::Conflict(_) if is_first => self.doubt(now, index, line, Doubt::Conflict),
            Answer::Refused(failure) => self.settle(now, index, line, Fate::Failed(Box::new(failure))),
            // A conflict again: with whom, the reading back at the end tells.
            Answer::Conflict(failure) | Answer::Unknown(failure) => {
                self.settle(now, index, line, Fate::Unknown(Box::new(failure)));
            }
            Answer::EndsTheRun { unknown } => {
                self.end(Ending::BrokeOff);
                match unknown {
                    Some(failure) => self.settle(now, index, line, Fate::Unknown(Box::new(failure))),
                    None => drop(self.under_way.remove(&index)),
                }
            }
        }
    }

    /// Tells the live values of lines that were to be read back.
    pub fn read_back<'l>(
        &mut self,
        now: Duration,
        found: impl IntoIterator<Item = (usize, &'l PlanLine, Live<'l>)>,
    ) {
        self.reads_under_way = self.reads_under_way.saturating_sub(1);
        for (index, line, live) in found {
            match self.under_way.remove(&index) {
                Some(Course::InDoubt(doubt)) => self.decide_again(now, index, line, &live, doubt),
                Some(course) => drop(self.under_way.insert(index, course)),
                None => self.compare(now, index, line, &live),
            }
        }
    }

    /// Tells that a line of the plan could not be had or written, for a reason that ends the run.
    pub fn not_begun(&mut self, index: usize) {
        self.end(Ending::BrokeOff);
        self.under_way.remove(&index);
    }

    /// Tells that a reading back failed, which ends the run.
    pub fn not_read(&mut self, indexes: &[usize]) {
        self.end(Ending::BrokeOff);
        self.reads_under_way = self.reads_under_way.saturating_sub(1);
        for index in indexes {
            self.give_up(*index);
        }
    }

    /// Tells that outcomes are durable.
    pub fn kept(&mut self) {
        self.is_keeping = false;
        self.part += 1;
    }

    /// Tells that these outcomes could not be kept: no journal, no writes.
    pub fn not_kept(&mut self, now: Duration, outcomes: Vec<Outcome>) {
        self.is_keeping = false;
        let since = std::mem::replace(&mut self.outcomes, outcomes);
        self.outcomes.extend(since);
        self.unkept_since.get_or_insert(now);
        if self.ending == Some(Ending::Done) {
            self.ending = Some(Ending::NotKept);
        }
        self.end(Ending::NotKept);
    }

    /// Tells that the run is to stop: nothing new is begun.
    pub fn stop(&mut self, now: Duration) {
        self.stopped_at.get_or_insert(now);
        self.end(Ending::Stopped);
    }

    /// Tells that something broke without which no write may be made.
    pub fn broke_off(&mut self) {
        self.end(Ending::BrokeOff);
    }

    /// Whether a line's write was begun and has no fate yet: its line will be needed again.
    pub fn is_under_way(&self, index: usize) -> bool {
        self.under_way.contains_key(&index)
    }

    /// Whether a write that was given out and is not sent yet has to wait: outcomes are being kept, or an answer is in
    /// doubt that may end the run.
    pub fn holds_writes(&self) -> bool {
        self.is_keeping || self.is_echo_in_doubt()
    }

    /// Whether it winds down or is over.
    pub fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// What became of each planned write so far.
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// How many of them came to what.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Outcomes that are not kept yet.
    pub fn unkept(&self) -> usize {
        self.outcomes.len()
    }

    /// What is to be done for a line that holds its place already. A second write waits for what any write waits for.
    fn follow_up(&mut self) -> Option<Step> {
        let may_write = !self.is_keeping && !self.is_echo_in_doubt();
        let may_go = |step: &Step| may_write || matches!(step, Step::ReadBack(_));
        let place = self.follow_ups.iter().position(may_go)?;
        self.follow_ups.remove(place)
    }

    fn is_echo_in_doubt(&self) -> bool {
        self.under_way.values().any(|course| matches!(course, Course::InDoubt(Doubt::Echo(_))))
    }

    /// The next lines to read back: what was written, if that is wanted, and always what is not known.
    fn to_be_read(&self, written_too: bool, from: usize) -> Vec<usize> {
        let is_wanted = |fate: &Fate| match fate {
            Fate::Updated => written_too,
            Fate::Unknown(_) => true,
            Fate::NotReached | Fate::ChangedSince | Fate::Failed(_) => false,
        };
        let fates = self.fates.iter().enumerate().skip(from).take(self.begun.saturating_sub(from));
        let wanted = fates.filter(|(_, fate)| is_wanted(fate)).map(|(index, _)| index);
        wanted.take(ASSETS_PER_READ_BACK).collect()
    }

    fn wait(&self) -> Step {
        Step::Wait(self.unkept_since.map(|since| since + KEPT_AFTER))
    }

    fn keep(&mut self) -> Step {
        self.is_keeping = true;
        self.unkept_since = None;
        Step::Keep(self.part, std::mem::take(&mut self.outcomes))
    }

    /// Nothing new is begun any more. The first reason stays.
    fn end(&mut self, ending: Ending) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(ending);
        for step in std::mem::take(&mut self.follow_ups) {
            match step {
                Step::Write(index) => self.give_up(index),
                Step::ReadBack(indexes) => indexes.into_iter().for_each(|index| self.give_up(index)),
                Step::Keep(..) | Step::Wait(_) | Step::Ended(_) => {}
            }
        }
    }

    /// Lets go of a line that nothing more becomes of.
    fn give_up(&mut self, index: usize) {
        self.under_way.remove(&index);
    }

    fn wind_down(&mut self, now: Duration) -> Step {
        let is_busy = !self.under_way.is_empty() || self.reads_under_way > 0 || self.is_keeping;
        if is_busy {
            match self.stopped_at.map(|at| at + DRAIN) {
                Some(until) if now >= until => {
                    if self.ending == Some(Ending::Stopped) {
                        self.ending = Some(Ending::OutOfTime(self.under_way.len()));
                    }
                    self.under_way.clear();
                    self.reads_under_way = 0;
                    // A store that did not answer by now will not take another part either; and what it did not take
                    // is not kept, though every write be made.
                    self.last_kept |= self.is_keeping;
                    if self.is_keeping && self.ending == Some(Ending::Done) {
                        self.ending = Some(Ending::NotKept);
                    }
                    self.is_keeping = false;
                }
                until => return Step::Wait(until),
            }
        }
        if !self.outcomes.is_empty() && !self.last_kept {
            self.last_kept = true;
            return self.keep();
        }
        Step::Ended(self.ending.clone().unwrap_or(Ending::Done))
    }

    fn doubt(&mut self, now: Duration, index: usize, line: &PlanLine, doubt: Doubt) {
        if self.ending.is_some() {
            // Nothing is read any more. What a conflict refused was not carried out; of the rest nobody knows.
            match doubt {
                Doubt::Conflict => self.give_up(index),
                Doubt::Echo(told) => {
                    let failure = Box::new(Failure::new("not_echoed", told));
                    self.settle(now, index, line, Fate::Unknown(failure));
                }
            }
            return;
        }
        if let Doubt::Echo(told) = &doubt {
            // Noted now: should the run end before it was looked into, this asset is known to be in question.
            let fate = Fate::Unknown(Box::new(Failure::new("not_echoed", told.clone())));
            self.note(now, line, &fate);
            self.fates[index] = fate;
        }
        self.under_way.insert(index, Course::InDoubt(doubt));
        self.follow_ups.push_back(Step::ReadBack(vec![index]));
    }

    /// What becomes of a line whose answer left a doubt, now that its live value is known.
    fn decide_again(&mut self, now: Duration, index: usize, line: &PlanLine, found: &Live<'_>, doubt: Doubt) {
        let decision = replay(line, found);
        let fate = match (decision, doubt) {
            (Replay::AlreadyRight, _) => Fate::Updated,
            (Replay::Write(_), Doubt::Conflict) => {
                if self.ending.is_none() {
                    self.under_way.insert(index, Course::SentAgain);
                    self.follow_ups.push_back(Step::Write(index));
                }
                return;
            }
            (Replay::ChangedSince { .. }, Doubt::Conflict) => Fate::ChangedSince,
            (Replay::Reject { code, reason }, Doubt::Conflict) => {
                Fate::Failed(Box::new(Failure::new(code, reason)))
            }
            (_, Doubt::Echo(told)) => {
                let reason = format!("{told}; read back, it carries {}", shown(found));
                self.not_echoed += 1;
                if self.not_echoed > NOT_ECHOED_BORNE {
                    let last = format!("{}: {reason}", line.asset_id);
                    self.end(Ending::Tripped(Tripped::NotEchoed { count: self.not_echoed, last }));
                }
                Fate::Failed(Box::new(Failure::new("not_echoed", reason)))
            }
        };
        self.settle(now, index, line, fate);
    }

    /// Compares what was read back with what was written, or may have been.
    fn compare(&mut self, now: Duration, index: usize, line: &PlanLine, found: &Live<'_>) {
        let is_right = matches!(found, Live::Found(_)) && value(found) == line.new.as_deref();
        let fate = match &self.fates[index] {
            Fate::Updated if is_right => return,
            Fate::Unknown(_) if is_right => {
                self.counts.updated += 1;
                Fate::Updated
            }
            Fate::Unknown(failure) => {
                self.counts.failed += 1;
                Fate::Failed(failure.clone())
            }
            Fate::Updated => {
                let reason =
                    format!("{} carries {} after {:?} was written", line.asset_id, shown(found), line.new);
                self.counts.updated -= 1;
                self.counts.failed += 1;
                self.mismatch.get_or_insert_with(|| reason.clone());
                Fate::Failed(Box::new(Failure::new("not_kept", reason)))
            }
            Fate::NotReached | Fate::ChangedSince | Fate::Failed(_) => return,
        };
        self.note(now, line, &fate);
        self.fates[index] = fate;
    }

    /// A line under way has its fate, for all that is known now.
    fn settle(&mut self, now: Duration, index: usize, line: &PlanLine, fate: Fate) {
        self.under_way.remove(&index);
        let failed = match &fate {
            Fate::Failed(failure) | Fate::Unknown(failure) => Some(failure.code.as_str()),
            Fate::NotReached | Fate::Updated | Fate::ChangedSince => None,
        };
        if let Some(tripped) = self.breaker.note(failed) {
            self.end(Ending::Tripped(tripped));
        }
        match &fate {
            Fate::Updated => self.counts.updated += 1,
            Fate::ChangedSince => self.counts.skipped += 1,
            Fate::Failed(_) => self.counts.failed += 1,
            Fate::NotReached | Fate::Unknown(_) => {}
        }
        self.note(now, line, &fate);
        self.fates[index] = fate;
    }

    fn note(&mut self, now: Duration, line: &PlanLine, fate: &Fate) {
        if let Some(outcome) = Outcome::of(line.asset_id, line.new.as_deref(), fate) {
            self.outcomes.push(outcome);
            self.unkept_since.get_or_insert(now);
        }
    }
}

/// The custom ID that was found; none where it is empty, or the asset is not there.
fn value<'l>(live: &Live<'l>) -> Option<&'l str> {
    match live {
        Live::Found(asset) => asset.custom_id.filter(|value| !value.trim().is_empty()),
        Live::Merged { .. } | Live::Gone => None,
    }
}

fn shown(live: &Live<'_>) -> String {
    match live {
        Live::Found(_) => format!("{:?}", value(live)),
        Live::Merged { into } => format!("nothing, since it was merged into {into:?}"),
        Live::Gone => "nothing, since YouTube does not know the asset any more".to_owned(),
    }
}
