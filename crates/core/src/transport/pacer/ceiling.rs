//! The operator's rate, which is never exceeded: governor's arithmetic, by the time that the pacer is told.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// A clock that stands where it was last set.
#[derive(Debug, Clone)]
struct ToldTime(Arc<Mutex<Instant>>);

impl Clock for ToldTime {
    type Instant = Instant;

    fn now(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many calls a second at most.
#[derive(Debug)]
pub(super) struct Ceiling {
    per_second: f64,
    begun: Option<(ToldTime, RateLimiter<NotKeyed, InMemoryState, ToldTime>)>,
}

impl Ceiling {
    pub(super) fn new(per_second: f64) -> Self {
        Self { per_second, begun: None }
    }

    /// Takes a call's turn at `now`, or says how long it has to wait.
    pub(super) fn take(&mut self, now: Instant) -> Option<Duration> {
        if self.begun.is_none() {
            let time = ToldTime(Arc::new(Mutex::new(now)));
            let quota = Quota::with_period(Duration::from_secs_f64(1.0 / self.per_second))?;
            let quota = quota.allow_burst(burst(self.per_second));
            self.begun = Some((time.clone(), RateLimiter::direct_with_clock(quota, time)));
        }
        let (time, limiter) = self.begun.as_ref()?;
        *time.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
        limiter.check().err().map(|not_until| not_until.wait_time_from(now))
    }
}

/// A tenth of a second's calls may go at once, at least one: enough not to lose calls to the timer's grain.
fn burst(rate: f64) -> NonZeroU32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=1000 before")]
    let calls = (rate / 10.0).clamp(1.0, 1_000.0) as u32;
    NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN)
}
