//! What happened in a schedule, as the laws look at it. Nothing here is used to decide anything.

use std::collections::BTreeMap;
use std::time::Duration;

use dn_domain::cleanup_plan::PlanLine;
use dn_domain::cleanup_plan::carry_out::{Counts, Fate};

use crate::cms::Asset;

/// Everything that happened.
#[derive(Debug, Clone)]
pub struct Story {
    pub is_enforced: bool,
    pub max_in_flight: usize,
    /// The assets as they were at first, and as they are at last.
    pub at_first: Vec<Asset>,
    pub at_last: Vec<Asset>,
    /// What others set: people, and an API that writes what it was not told.
    pub edits: Vec<Edit>,
    /// Writes as the CMS carried them out.
    pub writes: Vec<Write>,
    /// Answers that said yes to a write that was not carried out.
    pub lies: Vec<(usize, usize)>,
    pub runs: Vec<RunStory>,
    /// For schedules that take a run back: which one.
    pub undone: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct Edit {
    pub at: Duration,
    pub asset: usize,
    pub value: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Write {
    pub at: Duration,
    pub run: usize,
    pub asset: usize,
    pub value: Option<String>,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Cleanup,
    Undo(usize),
}

/// What became of an asset before any write was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    AlreadyRight,
    Skipped,
    Conflict,
    Rejected,
}

#[derive(Debug, Clone)]
pub struct RunStory {
    pub purpose: Purpose,
    pub began: Duration,
    pub before: Vec<Option<String>>,
    /// What the plan settled; what is in no entry is a planned write, or for an undo not its matter.
    pub settled: BTreeMap<usize, Settled>,
    /// The planned writes with their assets, as they were read back from the durable plan.
    pub plan: Vec<(usize, PlanLine)>,
    pub plan_kept_at: Option<Duration>,
    /// Writes that were begun: when, and the line.
    pub begun: Vec<(Duration, usize)>,
    /// Writes that were begun while outcomes were being kept.
    pub begun_while_keeping: usize,
    /// When the store first refused outcomes.
    pub not_kept_at: Option<Duration>,
    /// When the machine took the verdict that ends the run.
    pub verdict_at: Option<Duration>,
    /// The parts of the journal, by number.
    pub journal: BTreeMap<u32, Vec<u8>>,
    pub most_lines_held: usize,
    pub most_unkept: usize,
    pub killed_at: Option<Duration>,
    pub end: Option<RunEnd>,
    /// What each planned write came to, as far as it was known at the end or the kill.
    pub fates: Vec<Fate>,
    /// What was logged and told.
    pub said: Vec<String>,
}

/// What a run told at its end.
#[derive(Debug, Clone)]
pub struct RunEnd {
    pub at: Duration,
    pub exit: u8,
    pub status: &'static str,
    pub counts: Counts,
    pub is_journal_whole: bool,
}

impl RunStory {
    /// Whether it came to its own end: 0 or 3.
    pub fn is_finished(&self) -> bool {
        self.end.as_ref().is_some_and(|end| matches!(end.exit, 0 | 3))
    }

    pub fn count(&self, wanted: Settled) -> u64 {
        self.settled.values().filter(|settled| **settled == wanted).count() as u64
    }
}
