//! How many calls at once a server bears, learnt from its answers.
//!
//! Starts at the operator's limit. Halved at once when the server says that it is too much (a refusal for rate, a 503),
//! taken down by a tenth when answers take twice as long as the best of the last minute, and raised by one call a
//! round while all of it is used. The best is a minimum, as in TCP Vegas: an average would follow a server that gets
//! slower and slower, and call that normal.

use std::time::{Duration, Instant};

/// The limit is taken down when a round's answers take this many times the best round's.
const SLOW: f64 = 2.0;
/// Up to so much above the best nothing is slow: on a fast link a busy machine alone makes such differences.
const SLACK: Duration = Duration::from_millis(50);
/// Answers of a round at least: fewer say nothing about a jittery link.
const ROUND: u32 = 10;
/// The best round is that of this window and the one before it.
const WINDOW: Duration = Duration::from_secs(30);

/// The limit of one client.
#[derive(Debug)]
pub(super) struct Limit {
    most: f64,
    calls: f64,
    cut_at: Option<Instant>,
    round: Round,
    best: Best,
}

#[derive(Debug, Default)]
struct Round {
    begun: Option<Instant>,
    answers: u32,
    took: Duration,
    /// Whether the limit was reached: one that nobody meets is not raised, and not to blame for slowness.
    was_full: bool,
}

#[derive(Debug, Default)]
struct Best {
    since: Option<Instant>,
    now: Option<Duration>,
    before: Option<Duration>,
}

impl Limit {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1) as f64;
        Self { most, calls: most, cut_at: None, round: Round::default(), best: Best::default() }
    }

    /// Calls at once.
    pub(super) fn calls(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and the operator's limit"
        )]
        let calls = self.calls as usize;
        calls.max(1)
    }

    /// A call begins as the `in_flight`th.
    pub(super) fn began(&mut self, in_flight: usize) {
        self.round.was_full |= in_flight >= self.calls();
    }

    /// An answer came, and said nothing about the load.
    pub(super) fn answered(&mut self, begun: Instant, now: Instant) {
        let round_begun = *self.round.begun.get_or_insert(begun);
        self.round.answers += 1;
        self.round.took += now.saturating_duration_since(begun);
        // A round is over when a call that began in it was answered, and enough others.
        if self.round.answers < ROUND || begun < round_begun {
            return;
        }
        let mean = self.round.took / self.round.answers;
        let best = self.best.note(mean, now);
        let (slow, fine) = (best.mul_f64(SLOW).max(best + SLACK), best.mul_f64(1.5).max(best + SLACK / 2));
        if self.round.was_full {
            if mean > slow {
                self.calls = (self.calls * 0.9).max(1.0);
            } else if mean <= fine {
                self.calls = (self.calls + 1.0).min(self.most);
            }
        }
        self.round = Round { begun: Some(now), ..Round::default() };
    }

    /// The server said that it is too much, to a call that began at `begun`; what was under way at the last cut
    /// belongs to that one.
    pub(super) fn overloaded(&mut self, begun: Instant, now: Instant) {
        if self.cut_at.is_some_and(|at| begun <= at) {
            return;
        }
        self.calls = (self.calls * 0.5).max(1.0);
        self.cut_at = Some(now);
        self.round = Round { begun: Some(now), ..Round::default() };
    }
}

impl Best {
    fn note(&mut self, mean: Duration, now: Instant) -> Duration {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= WINDOW {
            self.before = self.now.take();
            self.since = Some(now);
        }
        let best = self.now.map_or(mean, |best| best.min(mean));
        self.now = Some(best);
        self.before.map_or(best, |before| before.min(best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Rounds of `limit` calls that all take `took`.
    fn rounds(limit: &mut Limit, mut now: Instant, count: u32, took: Duration) -> Instant {
        for _ in 0..count {
            let calls = limit.calls().max(ROUND as usize);
            for call in 1..=calls {
                limit.began(call);
            }
            for _ in 0..calls {
                limit.answered(now, now + took);
            }
            now += took;
        }
        now
    }

    #[test]
    fn a_503_halves_at_once_and_those_under_way_with_it_do_not_halve_again() {
        let start = Instant::now();
        let mut limit = Limit::new(32);
        for _ in 0..32 {
            limit.overloaded(start, start + 50 * MS);
        }
        assert_eq!(limit.calls(), 16);
        limit.overloaded(start + 60 * MS, start + 100 * MS);
        assert_eq!(limit.calls(), 8);
    }

    #[test]
    fn answers_that_take_twice_as_long_as_the_best_take_it_down_and_good_ones_raise_it_again() {
        let mut limit = Limit::new(32);
        let now = rounds(&mut limit, Instant::now(), 5, 100 * MS);
        assert_eq!(limit.calls(), 32);
        let now = rounds(&mut limit, now, 10, 300 * MS);
        assert!((8..=14).contains(&limit.calls()), "{}", limit.calls());
        rounds(&mut limit, now, 40, 100 * MS);
        assert_eq!(limit.calls(), 32);
    }

    #[test]
    fn a_limit_that_nobody_reaches_stays_whatever_the_answers_take() {
        let start = Instant::now();
        let mut limit = Limit::new(32);
        for call in 0..200_u32 {
            limit.began(3);
            let begun = start + call * 100 * MS;
            limit.answered(begun, begun + (call + 1) * 10 * MS);
        }
        assert_eq!(limit.calls(), 32);
    }
}
