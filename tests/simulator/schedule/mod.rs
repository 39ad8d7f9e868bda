//! One schedule: a world, its runs, and every fault that a seed has for them, in virtual time.
//!
//! The machine, the decisions and the formats are the product's own (`dn_domain`). What is simulated is what lies around
//! them: the client that sends, repeats and gives up, the API, the store, the lock, the clocks and the operator.

mod accidents;
mod api;
mod client;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dn_domain::cleanup_plan::Policy;
use dn_domain::cleanup_plan::carry_out::{CarryOut, Counts, Limits, Outcome};

use crate::cms::{self, Asset, Habit, Standing, default_value};
use crate::laws::SECRET;
use crate::luck::{Fault, Luck, Thrown};
use crate::run::{Halt, Run, State};
use crate::story::{Edit, Purpose, Story, Write};

/// A client gives up on an answer after so long; what was sent arrives before.
const DEADLINE: u64 = 30_000;
const LEASE: u64 = 120_000;
const PATIENCE: Duration = Duration::from_mins(3);
const MAX_TRIES: u32 = 5;
const MAX_UNREADABLE: u32 = 3;
/// So many runs are started at most until one must have come to its end.
const MAX_RUNS: usize = 40;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A call under way.
#[derive(Debug, Clone)]
struct Call {
    run: usize,
    work: Work,
    tries: u32,
    unreadable: u32,
    /// Grows with every sending: an answer to an earlier one is nobody's.
    sending: u32,
    sent_at: Duration,
    /// Sendings that were refused: so is the same request delivered again.
    refused: Vec<u32>,
}

#[derive(Debug, Clone)]
enum Work {
    Write(usize),
    Read(Vec<usize>),
}

/// What the API answers, as far as the client can tell it apart.
#[derive(Debug, Clone)]
enum Said {
    Yes,
    Echo(String),
    Values(Vec<(usize, Asset)>),
    Conflict,
    Refused(&'static str),
    Transient,
    Unreadable,
    RateLimited,
    Ends(Halt),
}

#[derive(Debug, Clone)]
enum Event {
    /// The plan was decided by the live values of this moment.
    Planned(usize),
    PlanKept(usize),
    /// A call goes out, again or for the first time.
    Send(usize),
    /// A request is with the API; the answer then takes so long, or never comes.
    Arrive {
        call: usize,
        sending: u32,
        answer_ms: Option<u64>,
    },
    Answer {
        call: usize,
        sending: u32,
        said: Said,
    },
    Kept {
        run: usize,
        part: u32,
        outcomes: Vec<Outcome>,
    },
    /// A run asks again what is next.
    Wake(usize),
    Beat(usize),
}

/// The lock as the store has it.
#[derive(Debug, Default)]
struct Lock {
    fence: u64,
    /// By the wall clock.
    expires_at: Duration,
}

pub struct Schedule {
    luck: Luck,
    now: Duration,
    /// How far the wall clock is ahead.
    wall_ahead: Duration,
    events: BTreeMap<(Duration, u64), Event>,
    sequence: u64,
    limits: Limits,
    policy: Policy,
    assets: Vec<Asset>,
    calls: Vec<Call>,
    runs: Vec<Run>,
    lock: Lock,
    api_down_until: Duration,
    store_down_until: Duration,
    edits: Vec<Edit>,
    writes: Vec<Write>,
    lies: Vec<(usize, usize)>,
    at_first: Vec<Asset>,
    edit_count: u64,
    /// Lines of runs whose asset was read back without the value that was written.
    seen_without: BTreeSet<(usize, usize)>,
    /// Whether a run is to be taken back: then none is beside it, whose writes would be its own.
    takes_back: bool,
    /// What is happening to a run just now.
    at_hand: Option<Event>,
}

/// Plays a schedule to its end.
pub fn play(seed: u64) -> Result<(Story, Thrown), String> {
    let mut schedule = Schedule::new(seed);
    let undone = schedule.play()?;
    let Schedule { luck, limits, policy, assets, runs, edits, writes, lies, at_first, .. } = schedule;
    let story = Story {
        is_enforced: policy == Policy::Enforce,
        max_in_flight: limits.max_in_flight,
        at_first,
        at_last: assets,
        edits,
        writes,
        lies,
        runs: runs.into_iter().map(|run| run.story).collect(),
        undone,
    };
    Ok((story, luck.thrown))
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut luck = Luck::new(seed);
        let count = match luck.between(0, 9) {
            0..=6 => luck.between(5, 20),
            7..=8 => luck.between(20, 40),
            _ => luck.between(40, cms::MOST_ASSETS as u64),
        };
        let is_odd = luck.one_in(3);
        let assets: Vec<Asset> = (0..usize::try_from(count).unwrap())
            .map(|index| {
                let standing = match luck.between(0, 40) {
                    0 => Standing::Foreign,
                    1 => Standing::Gone,
                    2 => Standing::Merged,
                    _ => Standing::Live,
                };
                let habit = match luck.between(0, 60) {
                    0 if is_odd => Habit::Refuses,
                    1 if is_odd => Habit::Breaks,
                    2 if is_odd => Habit::Conflicts,
                    _ => Habit::None,
                };
                let is_music = luck.one_in(4);
                let artists = if is_music && !luck.one_in(8) { vec!["Somebody".to_owned()] } else { vec![] };
                let value = first_value(&mut luck, index);
                Asset { value, standing, habit, is_music, artists }
            })
            .collect();
        let limits = Limits {
            canary: usize::try_from([0, 1, 3, 25][usize::try_from(luck.between(0, 3)).unwrap()]).unwrap_or(0),
            verify: !luck.one_in(4),
            max_in_flight: usize::try_from(luck.between(1, 12)).unwrap(),
            max_error_ratio: 0.5,
        };
        let policy = if luck.one_in(4) { Policy::Enforce } else { Policy::FillDefault };
        Self {
            luck,
            now: Duration::ZERO,
            wall_ahead: ms(1_000_000),
            events: BTreeMap::new(),
            sequence: 0,
            limits,
            policy,
            at_first: assets.clone(),
            assets,
            calls: Vec::new(),
            runs: Vec::new(),
            lock: Lock::default(),
            api_down_until: Duration::ZERO,
            store_down_until: Duration::ZERO,
            edits: Vec::new(),
            writes: Vec::new(),
            lies: Vec::new(),
            edit_count: 0,
            seen_without: BTreeSet::new(),
            takes_back: false,
            at_hand: None,
        }
    }

    /// Runs until one comes to its own end; or takes one back, twice.
    fn play(&mut self) -> Result<Option<usize>, String> {
        if !self.luck.one_in(3) {
            self.until_finished(Purpose::Cleanup)?;
            return Ok(None);
        }
        self.takes_back = true;
        let run = self.once(Purpose::Cleanup)?;
        // Nothing to take back, where nothing was planned.
        let Some(undone) = run.filter(|run| self.runs[*run].story.plan_kept_at.is_some()) else {
            self.until_finished(Purpose::Cleanup)?;
            return Ok(None);
        };
        self.luck.ease = 0;
        self.until_finished(Purpose::Undo(undone))?;
        // And again, on a good day.
        self.luck.ease = 16;
        self.once(Purpose::Undo(undone))?;
        Ok(Some(undone))
    }

    fn until_finished(&mut self, purpose: Purpose) -> Result<(), String> {
        for _ in 0..MAX_RUNS {
            let first = self.runs.len();
            self.once(purpose)?;
            // Of what others set later, beside the end of another run, it could not know.
            let last_edit = self.edits.last().map_or(Duration::ZERO, |edit| edit.at);
            let has_seen_all = |run: &Run| run.story.end.as_ref().is_some_and(|end| end.at > last_edit);
            if self.runs[first..].iter().any(|run| run.story.is_finished() && has_seen_all(run)) {
                return Ok(());
            }
            self.luck.ease += 1;
        }
        Err(format!("no run came to its end in {MAX_RUNS}"))
    }

    /// One run, perhaps with a second one beside it, until all is quiet. Gives the first, if it got the lock.
    fn once(&mut self, purpose: Purpose) -> Result<Option<usize>, String> {
        if self.luck.strikes(Fault::HandEdit) && !self.runs.is_empty() {
            for _ in 0..self.luck.between(1, 4) {
                let index = usize::try_from(self.luck.between(0, self.assets.len() as u64 - 1)).unwrap();
                self.edit(index);
            }
        }
        self.jump();
        let run = self.start(purpose);
        let second = !self.takes_back && self.luck.strikes(Fault::SecondRun);
        if second {
            // While the first is at its plan or its writes; it may find a clock that says the lock is over.
            let at = self.now + ms(self.luck.between(0, 2_000));
            self.work_off(Some(at))?;
            self.jump();
            self.start(purpose);
        }
        self.work_off(None)?;
        // What is still on the way arrives, and a dead run's lock is over, or is not yet.
        let rest = match (run, self.luck.one_in(4)) {
            // Somebody looks what holds the lock for so long.
            (None, _) => 7_200_000,
            (Some(_), true) => DEADLINE,
            (Some(_), false) => LEASE,
        };
        self.now += ms(rest + 5_000);
        Ok(run)
    }

    fn after(&mut self, wait_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + ms(wait_ms), self.sequence), event);
    }

    fn wall(&self) -> Duration {
        self.now + self.wall_ahead
    }

    fn start(&mut self, purpose: Purpose) -> Option<usize> {
        let number = self.runs.len();
        let mut run = Run::begin(purpose, self.now, &self.assets, CarryOut::new(0, self.limits));
        if self.wall() < self.lock.expires_at {
            run.told(self.now, 11, Counts::default());
            self.runs.push(run);
            return None;
        }
        self.lock.fence += 1;
        self.lock.expires_at = self.wall() + ms(LEASE);
        run.lock_fence = self.lock.fence;
        run.lease_ends = self.now + ms(LEASE);
        // A run of n writes has some 5 n steps.
        let steps = self.assets.len() as u64 * 6 + 6;
        // Counted once they come to be: a run may be over before.
        if self.luck.strikes(Fault::Kill) {
            self.luck.forget(Fault::Kill);
            run.dies_keeping = self.luck.one_in(4);
            run.kill_in = Some(self.luck.between(1, steps)).filter(|_| !run.dies_keeping);
        }
        if self.luck.strikes(Fault::Stop) {
            self.luck.forget(Fault::Stop);
            run.stop_in = Some(self.luck.between(1, steps));
        }
        run.is_verified = self.limits.verify;
        self.runs.push(run);
        self.after(LEASE / 4, Event::Beat(number));
        let planning = self.luck.between(100, 5_000);
        self.after(planning, Event::Planned(number));
        Some(number)
    }

    /// Works off what is to come, up to a time or until nothing is.
    fn work_off(&mut self, until: Option<Duration>) -> Result<(), String> {
        for _ in 0..200_000 {
            let Some((&(at, sequence), _)) = self.events.first_key_value() else { return Ok(()) };
            if until.is_some_and(|until| at > until) {
                return Ok(());
            }
            let Some(event) = self.events.remove(&(at, sequence)) else { return Ok(()) };
            self.now = self.now.max(at);
            self.happen(event);
        }
        Err("a run that never ends".to_owned())
    }

    fn happen(&mut self, event: Event) {
        let run = match &event {
            Event::Arrive { call, sending, answer_ms } => {
                let (call, sending, answer_ms) = (*call, *sending, *answer_ms);
                return self.arrive(call, sending, answer_ms);
            }
            Event::Planned(run)
            | Event::PlanKept(run)
            | Event::Wake(run)
            | Event::Beat(run)
            | Event::Kept { run, .. } => *run,
            Event::Send(call) | Event::Answer { call, .. } => self.calls[*call].run,
        };
        if self.runs[run].state == State::Over {
            return;
        }
        // A process that is frozen does nothing, and finds everything at once when it wakes.
        let frozen_until = self.runs[run].frozen_until;
        if frozen_until > self.now {
            let left = u64::try_from(frozen_until.saturating_sub(self.now).as_millis()).unwrap();
            return self.after(left, event);
        }
        if self.luck.strikes(Fault::Freeze) {
            if self.luck.one_in(20) {
                self.runs[run].frozen_until = self.now + ms(self.luck.between(1, 2 * LEASE));
            } else {
                self.luck.forget(Fault::Freeze);
            }
        }
        self.at_hand = Some(event.clone());
        let is_dead = !matches!(event, Event::Beat(_)) && self.is_struck_down(run);
        self.at_hand = None;
        if is_dead {
            return;
        }
        match event {
            Event::Planned(run) => self.plan(run),
            Event::PlanKept(run) => self.plan_kept(run),
            Event::Send(call) => self.send(call),
            Event::Answer { call, sending, said } => self.answered(call, sending, said),
            Event::Kept { run, part, outcomes } => self.kept(run, part, outcomes),
            Event::Wake(run) => self.pump(run),
            Event::Beat(run) => self.beat(run),
            Event::Arrive { .. } => {}
        }
    }
}

fn first_value(luck: &mut Luck, index: usize) -> Option<String> {
    match luck.between(0, 9) {
        0..=1 => None,
        2..=7 => Some(default_value(index)),
        8 => Some(format!("by-hand-{index}-at-first")),
        _ => cms::target(index).map(str::to_owned),
    }
}

/// What the API says in its errors, as the suite's clients show it.
fn masked() -> String {
    dn_core::transport::error::excerpt(format!("{{\"token\":\"{SECRET}\"}}").as_bytes())
}
