//! The client: sends, repeats and gives up as the suite's transport does.

use dn_domain::cleanup_plan::PlanLine;
use dn_domain::cleanup_plan::carry_out::{Answer, Failure};

use super::{Call, DEADLINE, Event, MAX_TRIES, MAX_UNREADABLE, PATIENCE, Said, Schedule, Work, masked};
use crate::cms::Asset;
use crate::luck::Fault;
use crate::run::Halt;

impl Schedule {
    pub(super) fn begin(&mut self, run: usize, work: Work) {
        let call = self.calls.len();
        self.calls.push(Call {
            run,
            work,
            tries: 0,
            unreadable: 0,
            sending: 0,
            sent_at: self.now,
            refused: Vec::new(),
        });
        self.after(0, Event::Send(call));
    }

    /// Sends a call, unless the run's client begins none any more.
    pub(super) fn send(&mut self, number: usize) {
        let now = self.now;
        let Call { run: of, tries, .. } = self.calls[number];
        let run = &mut self.runs[of];
        if now >= run.lease_ends {
            run.halt.get_or_insert(Halt::LockLost);
        } else if run.stop_asked {
            run.halt.get_or_insert(Halt::Stopped);
        }
        if run.halt.is_some_and(|halt| halt != Halt::Journal) {
            return self.conclude(number, Err(tries > 0));
        }
        let call = &mut self.calls[number];
        call.tries += 1;
        call.sending += 1;
        call.sent_at = now;
        let sending = call.sending;
        let is_write = matches!(call.work, Work::Write(_));
        let there = self.luck.between(5, 200);
        let back = self.luck.between(5, 200);
        if self.luck.strikes(Fault::LostBefore) {
            let noticed = if self.luck.one_in(3) { DEADLINE } else { there };
            return self.after(noticed, Event::Answer { call: number, sending, said: Said::Transient });
        }
        let there = if self.luck.strikes(Fault::Late) { self.luck.between(200, 20_000) } else { there };
        let answer_ms = if self.luck.strikes(Fault::LostAfter) {
            let noticed = if self.luck.one_in(3) { DEADLINE } else { there + back };
            self.after(noticed, Event::Answer { call: number, sending, said: Said::Transient });
            None
        } else {
            Some(back)
        };
        self.after(there, Event::Arrive { call: number, sending, answer_ms });
        if is_write && self.luck.strikes(Fault::Duplicate) {
            let again = there + self.luck.between(0, 5_000);
            self.after(again, Event::Arrive { call: number, sending, answer_ms: None });
        }
    }

    /// What the client makes of an answer: the call is over, or goes out again.
    pub(super) fn answered(&mut self, number: usize, sending: u32, said: Said) {
        let call = &mut self.calls[number];
        if call.sending != sending {
            return;
        }
        // Whatever comes now to this sending is nobody's.
        call.sending += 1;
        let run = &mut self.runs[call.run];
        if !matches!(said, Said::Transient | Said::RateLimited | Said::Unreadable) {
            run.failing_since = None;
        } else if self.now >= *run.failing_since.get_or_insert(self.now) + PATIENCE {
            run.halt.get_or_insert(Halt::Patience);
            return self.conclude(number, Err(true));
        }
        match said {
            Said::RateLimited => {
                call.tries -= 1;
                let wait = self.luck.between(1_000, 30_000);
                self.after(wait, Event::Send(number));
            }
            Said::Transient if call.tries < MAX_TRIES => {
                let wait = self.luck.between(100, 8_000);
                self.after(wait, Event::Send(number));
            }
            Said::Unreadable if call.unreadable + 1 < MAX_UNREADABLE => {
                call.unreadable += 1;
                let wait = self.luck.between(100, 8_000);
                self.after(wait, Event::Send(number));
            }
            Said::Ends(halt) => {
                let unknown = call.tries > 1;
                run.halt.get_or_insert(halt);
                self.conclude(number, Err(unknown));
            }
            said => self.conclude(number, Ok(said)),
        }
    }

    /// Tells the machine what a call came to; `Err` when it ends the run, and whether it may have been carried out.
    pub(super) fn conclude(&mut self, number: usize, came_to: Result<Said, bool>) {
        let Call { run: of, work, tries, .. } = self.calls[number].clone();
        let now = self.now;
        let run = &mut self.runs[of];
        let clock = run.clock(now);
        match work {
            Work::Read(lines) => {
                if let Ok(Said::Values(values)) = came_to {
                    let found: Vec<(usize, PlanLine, Asset)> =
                        values.into_iter().map(|(line, asset)| (line, run.line(line), asset)).collect();
                    let plan = &run.story.plan;
                    let found =
                        found.iter().map(|(index, line, asset)| (*index, line, asset.live(plan[*index].0)));
                    let before = lines.iter().filter(|line| run.machine.is_under_way(**line)).count();
                    run.machine.read_back(clock, found);
                    let after = lines.iter().filter(|line| run.machine.is_under_way(**line)).count();
                    run.lines_held -= before - after;
                    // One that is written again is counted when that begins.
                    run.lines_held -= after;
                } else {
                    run.halt.get_or_insert(Halt::NotRead);
                    let before = lines.iter().filter(|line| run.machine.is_under_way(**line)).count();
                    run.machine.not_read(&lines);
                    run.lines_held -= before;
                }
            }
            Work::Write(index) => {
                let line = run.line(index);
                let failure = |code: &str| Failure::new(code, format!("no {}", masked()));
                let answer = match came_to {
                    Ok(Said::Yes) => Answer::Written,
                    Ok(Said::Echo(told)) => Answer::EchoedOtherwise(told),
                    Ok(Said::Conflict) => Answer::Conflict(failure("write_conflict")),
                    Ok(Said::Refused(code)) if tries <= 1 => Answer::Refused(failure(code)),
                    Ok(Said::Refused(code)) => Answer::Unknown(failure(code)),
                    Ok(_) => Answer::Unknown(failure("unavailable")),
                    Err(unknown) => Answer::EndsTheRun { unknown: unknown.then(|| failure("interrupted")) },
                };
                run.machine.written(clock, index, &line, answer);
                if !run.machine.is_under_way(index) {
                    run.lines_held -= 1;
                }
            }
        }
        self.runs[of].observe(now);
        self.pump(of);
    }
}
