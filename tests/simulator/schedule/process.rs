//! A run's process: decides, keeps its plan, and does what the machine says.

use std::collections::BTreeMap;
use std::time::Duration;

use dn_domain::cleanup_plan::carry_out::{CarryOut, Counts, Outcome, Step, not_written, read_outcomes};
use dn_domain::cleanup_plan::{Decision, PlanLine, Replay, decide, replay};

use super::{Event, Schedule, Work, ms};
use crate::cms::catalogue;
use crate::luck::Fault;
use crate::run::{Halt, State, part};
use crate::story::{Purpose, Settled};

impl Schedule {
    pub(super) fn give_up_planning(&mut self, number: usize, exit: u8) {
        let now = self.now;
        self.runs[number].told(now, exit, Counts::default());
        self.release(number);
    }

    /// Decides by the live values of this moment.
    pub(super) fn plan(&mut self, number: usize) {
        if self.runs[number].stop_asked {
            return self.give_up_planning(number, 143);
        }
        if self.luck.strikes(Fault::PlanNotRead) {
            return self.give_up_planning(number, 5);
        }
        let mut text = Vec::new();
        let mut settled = BTreeMap::new();
        let lines = match self.runs[number].story.purpose {
            Purpose::Cleanup => self.decide(&mut settled),
            Purpose::Undo(undone) => self.take_back(undone, &mut settled),
        };
        for line in lines {
            text.extend(line.to_json().unwrap().into_bytes());
            text.push(b'\n');
        }
        self.runs[number].pending = Some((text, settled));
        self.after(50, Event::PlanKept(number));
    }

    pub(super) fn decide(&self, settled: &mut BTreeMap<usize, Settled>) -> Vec<PlanLine> {
        let catalogue = catalogue();
        let mut lines = Vec::new();
        for (index, asset) in self.assets.iter().enumerate() {
            let entry = &catalogue.entries[index];
            let word = match decide(entry, &catalogue.partners, self.policy, &asset.live(index)) {
                Decision::Update(update) => {
                    lines.push(PlanLine::new(entry, &catalogue.partners, &update, None));
                    continue;
                }
                Decision::AlreadyRight => Settled::AlreadyRight,
                Decision::Skipped { .. } => Settled::Skipped,
                Decision::Conflict { .. } => Settled::Conflict,
                Decision::Reject { .. } => Settled::Rejected,
            };
            settled.insert(index, word);
        }
        lines
    }

    pub(super) fn take_back(&self, undone: usize, settled: &mut BTreeMap<usize, Settled>) -> Vec<PlanLine> {
        let undone = &self.runs[undone].story;
        let outcomes = undone.journal.values().flat_map(|part| read_outcomes(part).unwrap());
        let not_written = not_written(outcomes);
        let mut lines = Vec::new();
        for (index, line) in &undone.plan {
            if not_written.contains(&line.asset_id) {
                continue;
            }
            let word = match replay(&line.reversed(), &self.assets[*index].live(*index)) {
                Replay::Write(line) => {
                    lines.push(line);
                    continue;
                }
                Replay::AlreadyRight => Settled::AlreadyRight,
                Replay::ChangedSince { .. } => Settled::Skipped,
                Replay::Reject { .. } => Settled::Rejected,
            };
            settled.insert(*index, word);
        }
        lines
    }

    pub(super) fn plan_kept(&mut self, number: usize) {
        if self.is_store_down() {
            return self.give_up_planning(number, 5);
        }
        let Some((text, settled)) = self.runs[number].pending.take() else { return };
        let text = String::from_utf8(text).unwrap();
        let lines = text.lines().map(|line| {
            let line = PlanLine::from_json(line).unwrap();
            let index = catalogue().entries.iter().position(|entry| entry.asset_id == line.asset_id);
            (index.unwrap(), line)
        });
        let (limits, now) = (self.limits, self.now);
        let run = &mut self.runs[number];
        run.story.plan = lines.collect();
        run.story.plan_kept_at = Some(now);
        run.story.settled = settled;
        run.machine = CarryOut::new(run.story.plan.len(), limits);
        run.started = now;
        run.state = State::Writing;
        if run.stop_asked {
            run.machine.stop(Duration::ZERO);
            run.observe(now);
        }
        self.pump(number);
    }

    pub(super) fn is_store_down(&mut self) -> bool {
        if self.luck.strikes(Fault::StoreDown) {
            self.store_down_until = self.now + ms(self.luck.between(1, 60_000));
        }
        self.now < self.store_down_until
    }

    /// Asks the machine what is next until it is to wait.
    pub(super) fn pump(&mut self, number: usize) {
        loop {
            let now = self.now;
            let run = &mut self.runs[number];
            if run.state != State::Writing {
                return;
            }
            let clock = run.clock(now);
            let step = run.machine.next(clock);
            match step {
                Step::Write(line) => {
                    run.story.begun.push((now, line));
                    run.story.begun_while_keeping += usize::from(run.is_keeping);
                    run.lines_held += 1;
                    self.begin(number, Work::Write(line));
                }
                Step::ReadBack(lines) => self.begin(number, Work::Read(lines)),
                Step::Keep(part, outcomes) => {
                    run.is_keeping = true;
                    let takes = self.luck.between(10, 500);
                    self.after(takes, Event::Kept { run: number, part, outcomes });
                }
                Step::Wait(until) => {
                    if let Some(until) = until {
                        let left = (self.runs[number].started + until).saturating_sub(now);
                        let left = u64::try_from(left.as_millis()).unwrap();
                        self.after(left, Event::Wake(number));
                    }
                    self.runs[number].observe(now);
                    return;
                }
                Step::Ended(ending) => {
                    run.observe(now);
                    run.end(now, &ending);
                    self.release(number);
                    return;
                }
            }
            self.runs[number].observe(now);
        }
    }

    pub(super) fn kept(&mut self, number: usize, part_number: u32, outcomes: Vec<Outcome>) {
        let is_down = self.is_store_down();
        let now = self.now;
        let run = &mut self.runs[number];
        run.is_keeping = false;
        let clock = run.clock(now);
        if is_down {
            run.halt.get_or_insert(Halt::Journal);
            run.story.not_kept_at.get_or_insert(now);
            run.machine.not_kept(clock, outcomes);
        } else {
            run.keep(part_number, part(&outcomes));
            run.machine.kept();
        }
        run.observe(now);
        self.pump(number);
    }
}
