//! How much a client may repeat: a share of its calls, so that a server in trouble is not met with several times the
//! requests. (The idea is Finagle's retry budget; the figures are our promise of 1.2 requests a call.)

use std::time::{Duration, Instant};

/// Each call earns so much of a repetition: 1.15 requests a call leave room for the ones below.
const EARNED: f64 = 0.15;
/// A run begins with so many, and never saves up more than this.
const RESERVE: f64 = 10.0;
const MOST: f64 = 50.0;
/// Without any left one repetition may go in this time: a client whose every call waits to be repeated earns nothing.
const TRICKLE: Duration = Duration::from_secs(1);

/// What one client has left.
#[derive(Debug)]
pub(super) struct RetryBudget {
    left: f64,
    trickle_at: Option<Instant>,
}

impl RetryBudget {
    pub(super) fn new() -> Self {
        Self { left: RESERVE, trickle_at: None }
    }

    /// A call is sent for the first time.
    pub(super) fn earn(&mut self) {
        self.left = (self.left + EARNED).min(MOST);
    }

    /// Takes one repetition, or says how long to wait before asking again.
    pub(super) fn take(&mut self, now: Instant) -> Option<Duration> {
        if self.left >= 1.0 {
            self.left -= 1.0;
            return None;
        }
        let at = *self.trickle_at.get_or_insert(now + TRICKLE);
        if at <= now {
            self.trickle_at = Some(now + TRICKLE);
            return None;
        }
        Some((at - now).min(TRICKLE / 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a15_repetitions_are_a_share_of_the_calls_and_one_a_second_when_there_are_none() {
        let mut budget = RetryBudget::new();
        let start = Instant::now();
        let mut taken = 0;
        for _ in 0..1_000 {
            budget.earn();
            taken += u32::from(budget.take(start).is_none());
        }
        assert!((155..=160).contains(&taken), "{taken}");
        let later =
            (0..30).filter(|second| budget.take(start + Duration::from_secs(*second)).is_none()).count();
        assert!((29..=30).contains(&later), "{later}");
    }
}
