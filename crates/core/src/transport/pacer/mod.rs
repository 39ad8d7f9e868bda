//! When a client may begin a call: a state machine over `now`, without clock or I/O.
//!
//! What a server says about its load it says to the whole client, so everything here is shared by all of a client's
//! calls: one "not before", the operator's rate ([`ceiling`]) and the learnt one ([`rate`]), one learnt number of calls at
//! once ([`limit`]), one budget of repetitions ([`retry_budget`]) and one patience.

mod ceiling;
mod limit;
mod rate;
mod retry_budget;

use std::time::{Duration, Instant};

use self::ceiling::Ceiling;
use self::limit::Limit;
use self::rate::Rate;
use self::retry_budget::RetryBudget;
use super::backoff;

/// From this many failures in a row, without one success between them, the whole client waits and not just the
/// call that failed: a single bad asset fails five times at most before another call's answer comes in.
const STORM_FROM: u32 = 8;

/// Whether a call may begin.
#[derive(Debug, Clone, Copy)]
pub enum Turn {
    /// It has begun.
    Begun(Begun),
    /// Not before so long.
    Wait(Duration),
    /// When one that is under way has ended.
    Full,
}

/// What a call came to, as far as the pace is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The server dealt with it, whether it said yes or no.
    Served,
    /// Refused for rate, with what the server said about waiting.
    Slowed(Option<Duration>),
    /// A failure that says nothing about the load, with what the server said about waiting.
    Failed(Option<Duration>),
    /// A failure that says that it is too much (503, no answer in time).
    Overloaded(Option<Duration>),
    /// Nobody knows: it was given up.
    Abandoned,
}

/// A call that has begun; to be given back by [`Pacer::ended`].
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    at: Instant,
}

/// Whether to go on after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The server may come back.
    Left,
    /// The server has done nothing but fail for as long as the client was told to bear it.
    Over {
        /// How long it has been failing.
        failing_for: Duration,
    },
}

/// The shared pacing state of one client.
#[derive(Debug)]
pub struct Pacer {
    max_wait: Duration,
    not_before: Option<Instant>,
    failing_since: Option<Instant>,
    served_at: Option<Instant>,
    failures_in_a_row: u32,
    /// How many pauses have followed each other without a success between them.
    steps: u32,
    in_flight: usize,
    ceiling: Option<Ceiling>,
    rate: Rate,
    limit: Limit,
    retries: RetryBudget,
}

impl Pacer {
    /// A pacer that begins at the operator's figures, `rate_per_second` and `max_in_flight`, and bears a server which
    /// only fails for `max_wait`, counted from the first failure.
    pub fn new(rate_per_second: Option<f64>, max_in_flight: usize, max_wait: Duration) -> Self {
        Self {
            max_wait,
            not_before: None,
            failing_since: None,
            served_at: None,
            failures_in_a_row: 0,
            steps: 0,
            in_flight: 0,
            ceiling: rate_per_second.map(Ceiling::new),
            rate: Rate::new(rate_per_second),
            limit: Limit::new(max_in_flight),
            retries: RetryBudget::new(),
        }
    }

    /// Begins a call at `now`, for the first time or again, if one may begin.
    pub fn turn(&mut self, now: Instant, is_first_try: bool) -> Turn {
        if let Some(wait) = self.wait_from(now) {
            return Turn::Wait(wait);
        }
        if self.in_flight >= self.limit.calls() {
            return Turn::Full;
        }
        // The ceiling last, since asking it takes a turn.
        let wait = self.rate.wait_from(now).or_else(|| self.ceiling.as_mut()?.take(now));
        if let Some(wait) = wait {
            return Turn::Wait(wait);
        }
        if is_first_try {
            self.retries.earn();
        }
        self.in_flight += 1;
        self.limit.began(self.in_flight);
        self.rate.began(now);
        Turn::Begun(Begun { at: now })
    }

    /// A call has ended.
    pub fn ended(&mut self, begun: Begun, now: Instant, signal: Signal) -> Patience {
        self.in_flight = self.in_flight.saturating_sub(1);
        match signal {
            Signal::Abandoned => return Patience::Left,
            Signal::Served => {
                self.limit.answered(begun.at, now);
                self.rate.served(now);
                self.served(now);
                return Patience::Left;
            }
            Signal::Slowed(retry_after) => {
                self.limit.overloaded(begun.at, now);
                self.rate.refused(begun.at, now);
                self.slow_down(now, retry_after);
            }
            Signal::Overloaded(retry_after) => {
                self.limit.overloaded(begun.at, now);
                self.fail(now, retry_after);
            }
            Signal::Failed(retry_after) => self.fail(now, retry_after),
        }
        self.note_failure(now)
    }

    /// Takes a repetition out of the budget, or says how long to wait before asking again.
    pub fn take_retry(&mut self, now: Instant) -> Option<Duration> {
        self.retries.take(now)
    }

    /// Whether the server does nothing but fail.
    pub fn is_storm(&self) -> bool {
        self.failures_in_a_row >= STORM_FROM
    }

    /// Whether the server has served any call since `then`.
    pub fn served_since(&self, then: Instant) -> bool {
        self.served_at.is_some_and(|at| at > then)
    }

    /// The learnt rate, where it is below the operator's, and the calls at once: what the scenarios look at.
    pub fn learnt(&self, now: Instant) -> (Option<f64>, usize) {
        (self.rate.per_second(now), self.limit.calls())
    }

    /// How long everybody has to wait from `now`, if at all.
    fn wait_from(&self, now: Instant) -> Option<Duration> {
        self.not_before.and_then(|at| at.checked_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// A pause that is under way stays: it was the server's own word, and an answer that was in flight when it was said
    /// takes nothing of it back.
    fn served(&mut self, now: Instant) {
        self.served_at = Some(now);
        self.failing_since = None;
        self.failures_in_a_row = 0;
        self.steps = 0;
    }

    /// The server refused for rate: everybody waits for what it said, or for a step of the schedule.
    fn slow_down(&mut self, now: Instant, retry_after: Option<Duration>) {
        // Calls that were under way together are refused together: one step for all of them.
        let is_news = self.wait_from(now).is_none();
        let step = backoff::nth(self.steps);
        if is_news {
            self.steps = self.steps.saturating_add(1);
        }
        if is_news || retry_after.is_some() {
            self.pause_until(now + retry_after.unwrap_or(step));
        }
    }

    /// A call failed in a way that may pass. The server's own "wait" pauses everybody; without one, everybody is
    /// paused only in a storm.
    fn fail(&mut self, now: Instant, retry_after: Option<Duration>) {
        if let Some(wait) = retry_after {
            self.pause_until(now + wait);
        } else if self.failures_in_a_row + 1 >= STORM_FROM && self.wait_from(now).is_none() {
            self.pause_until(now + backoff::nth(self.steps));
            self.steps = self.steps.saturating_add(1);
        }
    }

    fn pause_until(&mut self, at: Instant) {
        self.not_before = Some(self.not_before.map_or(at, |before| before.max(at)));
    }

    fn note_failure(&mut self, now: Instant) -> Patience {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let since = *self.failing_since.get_or_insert(now);
        let failing_for = now.saturating_duration_since(since);
        if failing_for > self.max_wait { Patience::Over { failing_for } } else { Patience::Left }
    }
}

#[cfg(test)]
mod scenarios;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pacer() -> Pacer {
        Pacer::new(None, 32, 60 * SECOND)
    }

    fn begin(pacer: &mut Pacer, now: Instant) -> Begun {
        match pacer.turn(now, true) {
            Turn::Begun(begun) => begun,
            held => panic!("{held:?}"),
        }
    }

    /// How long the next call has to wait; it is not made.
    fn hold(pacer: &mut Pacer, now: Instant) -> Duration {
        match pacer.turn(now, true) {
            Turn::Begun(begun) => {
                pacer.ended(begun, now, Signal::Abandoned);
                Duration::ZERO
            }
            Turn::Wait(wait) => wait,
            Turn::Full => panic!("{pacer:?}"),
        }
    }

    #[test]
    fn a08_a_servers_wait_holds_the_whole_client_and_a_late_success_does_not_cancel_it() {
        let start = Instant::now();
        let mut pacer = pacer();
        let (told, late) = (begin(&mut pacer, start), begin(&mut pacer, start));
        pacer.ended(told, start, Signal::Slowed(Some(30 * SECOND)));
        pacer.ended(late, start, Signal::Served);
        assert_eq!(hold(&mut pacer, start), 30 * SECOND);
        assert_eq!(hold(&mut pacer, start + 29 * SECOND), SECOND);
        assert_eq!(hold(&mut pacer, start + 30 * SECOND), Duration::ZERO);
    }

    #[test]
    fn a_shorter_wait_never_shortens_a_longer_one() {
        let start = Instant::now();
        let mut pacer = pacer();
        let (first, second) = (begin(&mut pacer, start), begin(&mut pacer, start));
        pacer.ended(first, start, Signal::Slowed(Some(30 * SECOND)));
        pacer.ended(second, start, Signal::Slowed(Some(SECOND)));
        assert_eq!(hold(&mut pacer, start), 30 * SECOND);
    }

    #[test]
    fn one_failing_call_holds_nobody_else_and_a_storm_holds_all() {
        let start = Instant::now();
        let mut pacer = pacer();
        for _ in 0..7 {
            let begun = begin(&mut pacer, start);
            pacer.ended(begun, start, Signal::Failed(None));
        }
        assert_eq!(hold(&mut pacer, start), Duration::ZERO);
        let begun = begin(&mut pacer, start);
        pacer.ended(begun, start, Signal::Failed(None));
        assert!(!hold(&mut pacer, start).is_zero());
    }

    #[test]
    fn a07_a_burst_of_refusals_at_one_moment_is_one_step() {
        let start = Instant::now();
        let mut pacer = pacer();
        let begun: Vec<_> = (0..32).map(|_| begin(&mut pacer, start)).collect();
        for begun in begun {
            pacer.ended(begun, start, Signal::Slowed(None));
        }
        assert!(hold(&mut pacer, start) <= 2 * backoff::FIRST_WAIT, "{pacer:?}");
        assert_eq!(pacer.learnt(start).1, 16, "halved once");
    }

    #[test]
    fn no_more_calls_begin_than_may_be_under_way() {
        let start = Instant::now();
        let mut pacer = Pacer::new(None, 2, SECOND);
        let first = begin(&mut pacer, start);
        let _second = begin(&mut pacer, start);
        assert!(matches!(pacer.turn(start, true), Turn::Full));
        pacer.ended(first, start, Signal::Abandoned);
        assert!(matches!(pacer.turn(start, true), Turn::Begun(_)));
    }

    #[test]
    fn a17_patience_ends_only_with_a_server_that_does_nothing_but_fail() {
        let start = Instant::now();
        let mut pacer = pacer();
        let mut call = |at: Duration, signal| {
            let begun = begin(&mut pacer, start + at);
            pacer.ended(begun, start + at, signal)
        };
        let failed = Signal::Failed(None);
        assert_eq!(call(Duration::ZERO, failed), Patience::Left);
        assert_eq!(call(60 * SECOND, failed), Patience::Left);
        call(60 * SECOND, Signal::Served);
        assert_eq!(call(61 * SECOND, failed), Patience::Left);
        assert_eq!(
            call(122 * SECOND, failed),
            Patience::Over { failing_for: 61 * SECOND },
            "61 s of nothing but failures are over a patience of 60 s"
        );
    }
}
