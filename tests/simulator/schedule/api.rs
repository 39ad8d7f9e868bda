//! The API: what it does with a request, and what it says.

use super::{Event, Said, Schedule, Work, masked, ms};
use crate::cms::{Habit, Standing};
use crate::luck::Fault;
use crate::run::{Halt, Run, State};
use crate::story::Write;

impl Schedule {
    /// A request is with the API.
    pub(super) fn arrive(&mut self, number: usize, sending: u32, answer_ms: Option<u64>) {
        let call = self.calls[number].clone();
        let said = match &call.work {
            Work::Read(lines) => self.serve_read(call.run, lines),
            Work::Write(line) => {
                let asset = self.runs[call.run].story.plan[*line].0;
                // What nobody can prevent is left out: a request that the network held back while a person set a value,
                // or until it had been read back that it had not been carried out.
                let is_dead = self.runs[call.run].state == State::Over;
                let is_stale = answer_ms.is_none() || sending != call.sending || is_dead;
                let touched = self.edits.iter().any(|edit| edit.asset == asset && edit.at >= call.sent_at);
                let is_given_up = self.seen_without.contains(&(call.run, *line));
                if is_stale && (touched || call.refused.contains(&sending) || is_given_up) {
                    return;
                }
                let written = self.writes.len();
                let said = self.serve_write(call.run, *line, asset, !is_stale);
                // An API that does not carry a request out does not do so when it is delivered again.
                if !matches!(said, Said::Transient) && self.writes.len() == written {
                    self.calls[number].refused.push(sending);
                }
                said
            }
        };
        if let Some(answer_ms) = answer_ms {
            self.after(answer_ms, Event::Answer { call: number, sending, said });
        }
    }

    pub(super) fn serve_any(&mut self) -> Option<Said> {
        if self.luck.strikes(Fault::ApiDown) {
            if self.luck.one_in(10) {
                self.api_down_until = self.now + ms(self.luck.between(1_000, 600_000));
            } else {
                self.luck.forget(Fault::ApiDown);
            }
        }
        if self.now < self.api_down_until || self.luck.strikes(Fault::ServerError) {
            return Some(Said::Transient);
        }
        if self.luck.strikes(Fault::RateLimited) {
            return Some(Said::RateLimited);
        }
        if self.luck.strikes(Fault::Quota) {
            return Some(Said::Ends(Halt::Quota));
        }
        if self.luck.strikes(Fault::Unauthorized) {
            return Some(Said::Ends(Halt::Unauthorized));
        }
        None
    }

    pub(super) fn serve_read(&mut self, run: usize, lines: &[usize]) -> Said {
        if let Some(said) = self.serve_any() {
            return said;
        }
        if self.luck.strikes(Fault::Unreadable) {
            return Said::Unreadable;
        }
        let plan = &self.runs[run].story.plan;
        for line in lines {
            let (asset, planned) = &plan[*line];
            if self.assets[*asset].value != planned.new {
                self.seen_without.insert((run, *line));
            }
        }
        Said::Values(lines.iter().map(|line| (*line, self.assets[plan[*line].0].clone())).collect())
    }

    pub(super) fn serve_write(&mut self, run: usize, line: usize, index: usize, is_answered: bool) -> Said {
        if let Some(said) = self.serve_any() {
            // An API that breaks may have done its work before.
            if matches!(said, Said::Transient) && self.luck.one_in(3) && self.assets[index].is_writable() {
                self.apply(run, line, index);
            }
            return said;
        }
        // Between the reading for a plan and the write nobody sees what another sets: that is known, and left out.
        let is_alone = |(other, one): (usize, &Run)| (one.state == State::Over) != (other == run);
        let is_seen = is_answered && self.runs.iter().enumerate().all(is_alone);
        let asset = &self.assets[index];
        match (asset.habit, asset.standing) {
            (Habit::Refuses, _) | (Habit::None, Standing::Foreign) => return Said::Refused("forbidden"),
            (Habit::Breaks, _) => return Said::Transient,
            (Habit::Conflicts, _) => return Said::Conflict,
            (Habit::None, Standing::Gone | Standing::Merged) => return Said::Refused("gone"),
            (Habit::None, Standing::Live) => {}
        }
        let sends_artists = !self.runs[run].story.plan[line].1.artists.is_empty();
        if asset.is_music && !sends_artists {
            return Said::Refused("invalidMetadata");
        }
        if self.luck.strikes(Fault::Refused) {
            return Said::Refused("invalidValue");
        }
        if self.luck.strikes(Fault::Conflict) {
            // With a person at the same asset, now and then.
            if is_seen && self.luck.one_in(3) {
                self.edit(index);
            }
            return Said::Conflict;
        }
        if self.runs[run].is_verified && self.luck.strikes(Fault::Lie) {
            self.lies.push((run, index));
            return Said::Yes;
        }
        let echo = || format!("the answer carries custom ID \"another\" {}", masked());
        if is_seen && self.luck.strikes(Fault::WroteOther) {
            self.edit_count += 1;
            self.set_by_another(index, Some(format!("never-told-{}", self.edit_count)));
            return Said::Echo(echo());
        }
        if self.luck.strikes(Fault::WrongEcho) {
            if self.luck.one_in(2) {
                self.apply(run, line, index);
            }
            return Said::Echo(echo());
        }
        self.apply(run, line, index);
        if self.luck.strikes(Fault::Unreadable) {
            return Said::Unreadable;
        }
        Said::Yes
    }

    pub(super) fn apply(&mut self, run: usize, line: usize, asset: usize) {
        let value = self.runs[run].story.plan[line].1.new.clone();
        self.assets[asset].value.clone_from(&value);
        self.writes.push(Write { at: self.now, run, asset, value });
    }
}
