//! When the whole client may go on: one shared "not before" and one shared patience.
//!
//! A state machine over `now`, without clock or I/O. A server that says "wait" says it to the whole client, so the
//! deadline is shared: nobody sleeps on his own while the others go on knocking.

use std::time::{Duration, Instant};

use super::backoff;

/// From this many failures in a row, without one success between them, the whole client waits and not just the
/// call that failed: a single bad asset fails five times at most before another call's answer comes in.
const STORM_FROM: u32 = 8;

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
    failures_in_a_row: u32,
    /// How many pauses have followed each other without a success between them.
    steps: u32,
}

impl Pacer {
    /// A pacer that bears a server which only fails for `max_wait`, counted from the first failure.
    pub fn new(max_wait: Duration) -> Self {
        Self { max_wait, not_before: None, failing_since: None, failures_in_a_row: 0, steps: 0 }
    }

    /// How long everybody has to wait from `now`, if at all.
    pub fn wait_from(&self, now: Instant) -> Option<Duration> {
        self.not_before.and_then(|at| at.checked_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// An answer that is no failure. A pause that is under way stays: it was the server's own word, and an answer
    /// that was in flight when it was said takes nothing of it back.
    pub fn succeeded(&mut self) {
        self.failing_since = None;
        self.failures_in_a_row = 0;
        self.steps = 0;
    }

    /// The server refused for rate: everybody waits for what it said, or for a step of the schedule.
    pub fn rate_limited(&mut self, now: Instant, retry_after: Option<Duration>) -> Patience {
        let step = backoff::nth(self.steps);
        // Calls that were under way together are refused together: one step for all of them.
        let is_news = self.wait_from(now).is_none();
        if is_news {
            self.steps = self.steps.saturating_add(1);
        }
        if is_news || retry_after.is_some() {
            self.pause_until(now + retry_after.unwrap_or(step));
        }
        self.note_failure(now)
    }

    /// A call failed in a way that may pass. The server's own "wait" pauses everybody; without one, everybody is
    /// paused only in a storm.
    pub fn failed(&mut self, now: Instant, retry_after: Option<Duration>) -> Patience {
        if let Some(wait) = retry_after {
            self.pause_until(now + wait);
        } else if self.failures_in_a_row + 1 >= STORM_FROM && self.wait_from(now).is_none() {
            self.pause_until(now + backoff::nth(self.steps));
            self.steps = self.steps.saturating_add(1);
        }
        self.note_failure(now)
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
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a8_a_servers_wait_holds_the_whole_client_and_a_late_success_does_not_cancel_it() {
        let start = Instant::now();
        let mut pacer = Pacer::new(60 * SECOND);
        pacer.rate_limited(start, Some(30 * SECOND));
        pacer.succeeded();
        assert_eq!(pacer.wait_from(start), Some(30 * SECOND));
        assert_eq!(pacer.wait_from(start + 29 * SECOND), Some(SECOND));
        assert_eq!(pacer.wait_from(start + 30 * SECOND), None);
    }

    #[test]
    fn a_shorter_wait_never_shortens_a_longer_one() {
        let start = Instant::now();
        let mut pacer = Pacer::new(60 * SECOND);
        pacer.rate_limited(start, Some(30 * SECOND));
        pacer.rate_limited(start, Some(SECOND));
        assert_eq!(pacer.wait_from(start), Some(30 * SECOND));
    }

    #[test]
    fn one_failing_call_holds_nobody_else_and_a_storm_holds_all() {
        let start = Instant::now();
        let mut pacer = Pacer::new(60 * SECOND);
        for _ in 0..7 {
            pacer.failed(start, None);
        }
        assert_eq!(pacer.wait_from(start), None);
        pacer.failed(start, None);
        assert!(pacer.wait_from(start).is_some());
    }

    #[test]
    fn a7_a_burst_of_refusals_at_one_moment_is_one_step() {
        let start = Instant::now();
        let mut pacer = Pacer::new(60 * SECOND);
        for _ in 0..32 {
            pacer.rate_limited(start, None);
        }
        assert!(pacer.wait_from(start).unwrap() <= 2 * backoff::FIRST_WAIT, "{pacer:?}");
        let later = start + SECOND;
        for _ in 0..32 {
            pacer.failed(later, None);
        }
        assert!(pacer.wait_from(later).unwrap() <= 4 * backoff::FIRST_WAIT, "{pacer:?}");
    }

    #[test]
    fn a17_patience_ends_only_with_a_server_that_does_nothing_but_fail() {
        let start = Instant::now();
        let mut pacer = Pacer::new(60 * SECOND);
        assert_eq!(pacer.failed(start, None), Patience::Left);
        assert_eq!(pacer.failed(start + 60 * SECOND, None), Patience::Left);
        pacer.succeeded();
        assert_eq!(pacer.failed(start + 61 * SECOND, None), Patience::Left);
        assert_eq!(
            pacer.failed(start + 122 * SECOND, None),
            Patience::Over { failing_for: 61 * SECOND },
            "61 s of nothing but failures are over a patience of 60 s"
        );
    }
}
