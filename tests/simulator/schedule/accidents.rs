//! What happens to a run from outside: signals, a clock that jumps, a lock that passes on, people at its assets.

use super::{Event, LEASE, Schedule, ms};
use crate::cms::default_value;
use crate::luck::Fault;
use crate::run::{State, part};
use crate::story::Edit;

impl Schedule {
    pub(super) fn jump(&mut self) {
        if self.luck.strikes(Fault::ClockJump) {
            // Forward, a living run's lock seems to be over; backward, a dead one's to be held for ever.
            let by = ms(self.luck.between(1, 7_200_000));
            self.wall_ahead =
                if self.luck.one_in(2) { self.wall_ahead + by } else { self.wall_ahead.saturating_sub(by) };
        }
    }

    pub(super) fn edit(&mut self, index: usize) {
        self.edit_count += 1;
        let value = match self.luck.between(0, 3) {
            0 => None,
            1 => Some(default_value(index)),
            _ => Some(format!("by-hand-{}", self.edit_count)),
        };
        self.set_by_another(index, value);
    }

    pub(super) fn set_by_another(&mut self, index: usize, value: Option<String>) {
        self.assets[index].value.clone_from(&value);
        self.edits.push(Edit { at: self.now, asset: index, value });
    }

    /// Counts a step of a run's process; true when it was its last.
    pub(super) fn is_struck_down(&mut self, number: usize) -> bool {
        let now = self.now;
        let run = &mut self.runs[number];
        if let Some(left) = &mut run.stop_in {
            *left -= 1;
            if *left == 0 {
                run.stop_in = None;
                self.luck.note(Fault::Stop);
                run.stop_asked = true;
                if run.state == State::Writing {
                    let clock = run.clock(now);
                    run.machine.stop(clock);
                    run.observe(now);
                }
            }
        }
        let is_last = match &mut run.kill_in {
            Some(left) => {
                *left -= 1;
                *left == 0
            }
            None => run.dies_keeping && matches!(self.at_hand, Some(Event::Kept { .. })),
        };
        if !is_last {
            return false;
        }
        self.luck.note(Fault::Kill);
        run.kill(now);
        self.tear(number);
        true
    }

    /// A part of the journal that was on its way to the store may be there when its run is dead: in whole, or torn.
    pub(super) fn tear(&mut self, number: usize) {
        let under_way = self.events.values().chain(&self.at_hand).find_map(|event| match event {
            Event::Kept { run, part: place, outcomes } if *run == number => Some((*place, part(outcomes))),
            _ => None,
        });
        let Some((place, mut bytes)) = under_way else { return };
        if self.luck.one_in(3) {
            return;
        }
        if self.luck.one_in(2) {
            self.luck.note(Fault::TornPart);
            let cut = self.luck.between(0, bytes.len() as u64);
            bytes.truncate(usize::try_from(cut).unwrap());
        }
        self.runs[number].keep(place, bytes);
    }

    pub(super) fn beat(&mut self, number: usize) {
        if self.runs[number].state == State::Over {
            return;
        }
        if self.lock.fence == self.runs[number].lock_fence {
            self.lock.expires_at = self.wall() + ms(LEASE);
            self.runs[number].lease_ends = self.now + ms(LEASE);
            self.after(LEASE / 4, Event::Beat(number));
        } else {
            self.runs[number].lease_ends = self.now;
        }
    }

    pub(super) fn release(&mut self, number: usize) {
        if self.lock.fence == self.runs[number].lock_fence {
            self.lock.expires_at = self.wall();
        }
    }
}
