//! One run: what its process holds, and what is lost when it is killed.

use std::collections::BTreeMap;
use std::time::Duration;

use dn_domain::cleanup_plan::PlanLine;
use dn_domain::cleanup_plan::carry_out::{CarryOut, Counts, Ending, Fate, Outcome, Tripped};

use crate::cms::Asset;
use crate::story::{Purpose, RunEnd, RunStory, Settled};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Planning,
    Writing,
    Over,
}

/// Why a run's client begins no further call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    Quota,
    Unauthorized,
    Patience,
    LockLost,
    Stopped,
    NotRead,
    Journal,
}

impl Halt {
    fn exit(self) -> u8 {
        match self {
            Self::Quota => 8,
            Self::Unauthorized => 7,
            Self::Patience | Self::LockLost | Self::NotRead | Self::Journal => 5,
            Self::Stopped => 143,
        }
    }
}

pub struct Run {
    pub state: State,
    pub started: Duration,
    pub machine: CarryOut,
    pub halt: Option<Halt>,
    pub stop_asked: bool,
    /// Since when nothing but failures came back.
    pub failing_since: Option<Duration>,
    pub lease_ends: Duration,
    pub lock_fence: u64,
    pub frozen_until: Duration,
    /// After so many more of its steps the process is killed, or told to stop.
    pub kill_in: Option<u64>,
    pub stop_in: Option<u64>,
    /// Or it is killed while its first outcomes are on their way to the store.
    pub dies_keeping: bool,
    pub is_keeping: bool,
    pub lines_held: usize,
    pub is_verified: bool,
    /// Planned and not yet durable.
    pub pending: Option<(Vec<u8>, BTreeMap<usize, Settled>)>,
    pub story: RunStory,
}

impl Run {
    pub fn begin(purpose: Purpose, now: Duration, assets: &[Asset], machine: CarryOut) -> Self {
        Self {
            state: State::Planning,
            started: now,
            machine,
            halt: None,
            stop_asked: false,
            failing_since: None,
            lease_ends: now,
            lock_fence: 0,
            frozen_until: Duration::ZERO,
            kill_in: None,
            stop_in: None,
            dies_keeping: false,
            is_keeping: false,
            lines_held: 0,
            is_verified: true,
            pending: None,
            story: RunStory {
                purpose,
                began: now,
                before: assets.iter().map(|asset| asset.value.clone()).collect(),
                settled: BTreeMap::new(),
                plan: Vec::new(),
                plan_kept_at: None,
                begun: Vec::new(),
                begun_while_keeping: 0,
                not_kept_at: None,
                verdict_at: None,
                journal: BTreeMap::new(),
                most_lines_held: 0,
                most_unkept: 0,
                killed_at: None,
                end: None,
                fates: Vec::new(),
                said: Vec::new(),
            },
        }
    }

    pub fn line(&self, index: usize) -> PlanLine {
        self.story.plan[index].1.clone()
    }

    /// The time by the run's own clock, which begins with its writes.
    pub fn clock(&self, now: Duration) -> Duration {
        now.saturating_sub(self.started)
    }

    /// Notes what the machine shows after each step.
    pub fn observe(&mut self, now: Duration) {
        self.story.most_lines_held = self.story.most_lines_held.max(self.lines_held);
        self.story.most_unkept = self.story.most_unkept.max(self.machine.unkept());
        if self.machine.is_ending() {
            self.story.verdict_at.get_or_insert(now);
        }
    }

    /// Ends by itself, as the task's own mapping has it.
    pub fn end(&mut self, now: Duration, ending: &Ending) {
        let counts = self.machine.counts();
        let rejected = self.story.count(Settled::Rejected);
        let exit = match ending {
            Ending::Done if counts.failed + rejected > 0 => 3,
            Ending::Done => 0,
            Ending::Tripped(tripped) => {
                self.story.said.push(tripped.to_string());
                if matches!(tripped, Tripped::ForbiddenOnly { .. }) { 7 } else { 6 }
            }
            Ending::Stopped | Ending::OutOfTime(_) => 143,
            Ending::NotKept => 5,
            Ending::BrokeOff => self.halt.map_or(1, Halt::exit),
        };
        let exit = if self.stop_asked && !matches!(exit, 0 | 3) { 143 } else { exit };
        self.told(now, exit, counts);
    }

    /// Ends without a machine that ran.
    pub fn told(&mut self, now: Duration, exit: u8, counts: Counts) {
        let status = match exit {
            0 => "success",
            3 => "partial",
            8 => "deferred",
            11 => "",
            _ => "failed",
        };
        self.story.fates = self.machine.fates().to_vec();
        for fate in &self.story.fates {
            if let Fate::Failed(failure) | Fate::Unknown(failure) = fate {
                self.story.said.push(failure.reason.clone());
            }
        }
        let is_journal_whole =
            self.story.plan_kept_at.is_some() && self.machine.unkept() == 0 && !self.is_keeping;
        self.story.end = Some(RunEnd { at: now, exit, status, counts, is_journal_whole });
        self.state = State::Over;
    }

    /// The process is gone, and with it all that it held.
    pub fn kill(&mut self, now: Duration) {
        self.story.fates = self.machine.fates().to_vec();
        self.story.killed_at = Some(now);
        self.state = State::Over;
    }

    /// A part of the journal as the store has it.
    pub fn keep(&mut self, part: u32, bytes: Vec<u8>) {
        self.story.journal.insert(part, bytes);
    }
}

/// A part of the journal as it is written.
pub fn part(outcomes: &[Outcome]) -> Vec<u8> {
    outcomes.iter().flat_map(|outcome| (outcome.to_json().unwrap() + "\n").into_bytes()).collect()
}
