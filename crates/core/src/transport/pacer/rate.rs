//! How many calls a second a server bears, learnt from its refusals.
//!
//! The operator's rate is a ceiling; where a server's own wall is lower, calls at the ceiling are refused again and
//! again. After a refusal the rate is cut at once, and grows back on the curve that TCP CUBIC uses (RFC 9438, section
//! 4.2): fast while far below the rate that was refused, slowly around it, fast again once that is behind. Halving and
//! adding one call a second each second would spend a third of the time far below the wall, and meet it every few seconds.

use std::time::{Duration, Instant};

/// A cut leaves this share of what the server bore.
const CUT: f64 = 0.8;
/// So long the curve takes from a cut back to the rate that was refused: a probe of the wall every half a minute costs
/// two or three refusals in a thousand calls at 40 a second.
const BACK_AFTER: Duration = Duration::from_secs(20);
/// No rate is cut below one call in ten seconds: without calls nothing is learnt.
const FLOOR_PER_SECOND: f64 = 0.1;
/// A timer's grain: so much lateness is made good by calls in a row, and one call's interval in any case.
const GRAIN: Duration = Duration::from_millis(10);

/// The rate of one client.
#[derive(Debug)]
pub(super) struct Rate {
    /// The operator's; a client without one makes too few calls to learn from.
    ceiling: Option<f64>,
    /// The last cut; without one the ceiling alone holds.
    cut: Option<Cut>,
    served: Meter,
    served_since_cut: bool,
    /// When the next call may begin by the learnt rate.
    next_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    at: Instant,
    /// The rate that was too much.
    refused: f64,
}

impl Rate {
    pub(super) fn new(ceiling: Option<f64>) -> Self {
        Self { ceiling, cut: None, served: Meter::default(), served_since_cut: true, next_at: None }
    }

    /// The learnt rate; `None` while nothing but the ceiling is known.
    pub(super) fn per_second(&self, now: Instant) -> Option<f64> {
        let Cut { at, refused } = self.cut?;
        let back = BACK_AFTER.as_secs_f64();
        let since = now.saturating_duration_since(at).as_secs_f64();
        let rate = refused + refused * (1.0 - CUT) * ((since - back) / back).powi(3);
        match self.ceiling {
            Some(ceiling) if rate >= ceiling => None,
            _ => Some(rate.max(FLOOR_PER_SECOND)),
        }
    }

    /// How long the next call has to wait for its turn.
    pub(super) fn wait_from(&self, now: Instant) -> Option<Duration> {
        self.per_second(now)?;
        self.next_at?.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// A call begins.
    pub(super) fn began(&mut self, now: Instant) {
        let Some(rate) = self.per_second(now) else {
            self.next_at = None;
            return;
        };
        let interval = Duration::from_secs_f64(1.0 / rate);
        let earliest = now.checked_sub(interval.max(GRAIN)).unwrap_or(now);
        self.next_at = Some(self.next_at.map_or(now, |at| at.max(earliest)) + interval);
    }

    /// The server did what it was asked.
    pub(super) fn served(&mut self, now: Instant) {
        self.served.count(now);
        self.served_since_cut = true;
    }

    /// The server refused for rate a call that began at `begun`. Calls that were under way when the rate was cut are
    /// refused with the one that made the cut and tell nothing new; nor does a server that serves nothing at all.
    pub(super) fn refused(&mut self, begun: Instant, now: Instant) {
        let Some(current) = self.per_second(now).or(self.ceiling) else { return };
        if !self.served_since_cut || self.cut.is_some_and(|cut| begun <= cut.at) {
            return;
        }
        let served = self.served.per_second(now);
        // The first refusal halves what was tried at least; later ones come close to the wall.
        let least = if self.cut.is_some() { current * 0.5 } else { current * 0.25 };
        let most = if self.cut.is_some() { current } else { current * 0.5 / CUT };
        let refused = served.clamp(least.min(most), most).max(FLOOR_PER_SECOND);
        self.cut = Some(Cut { at: now, refused });
        self.served_since_cut = false;
        self.next_at = None;
    }
}

/// Events of about the last second.
#[derive(Debug, Default)]
struct Meter {
    second: Option<Instant>,
    now: u32,
    before: u32,
}

impl Meter {
    fn count(&mut self, now: Instant) {
        self.turn(now);
        self.now = self.now.saturating_add(1);
    }

    /// This second's events, and of the last second's those that are less than a second ago.
    fn per_second(&mut self, now: Instant) -> f64 {
        let begun = self.turn(now);
        let part = now.saturating_duration_since(begun).as_secs_f64().min(1.0);
        f64::from(self.before).mul_add(1.0 - part, f64::from(self.now))
    }

    fn turn(&mut self, now: Instant) -> Instant {
        let begun = *self.second.get_or_insert(now);
        let since = now.saturating_duration_since(begun).as_secs();
        if since == 0 {
            return begun;
        }
        self.before = if since == 1 { self.now } else { 0 };
        self.now = 0;
        let begun = begun + Duration::from_secs(since);
        self.second = Some(begun);
        begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn learnt(ceiling: f64, wall: u32) -> (Rate, Instant) {
        let mut now = Instant::now();
        let mut rate = Rate::new(Some(ceiling));
        for _ in 0..2 * wall {
            rate.served(now);
            now += Duration::from_secs(1) / wall;
        }
        rate.refused(now, now + MS);
        (rate, now + MS)
    }

    #[test]
    fn a07_the_first_refusal_halves_the_rate_at_least_and_takes_what_was_served_for_the_wall() {
        let (rate, now) = learnt(100.0, 40);
        let after = rate.per_second(now).unwrap();
        assert!((30.0..=34.0).contains(&after), "{after}");
        let (rate, now) = learnt(100.0, 95);
        let after = rate.per_second(now).unwrap();
        assert!((48.0..=50.0).contains(&after), "{after}");
    }

    #[test]
    fn the_rate_grows_back_fast_then_slowly_and_passes_the_wall_after_a_while() {
        let (rate, now) = learnt(100.0, 40);
        let at = |seconds| rate.per_second(now + Duration::from_secs(seconds)).unwrap();
        assert!(at(5) - at(0) > 4.0, "{} {}", at(0), at(5));
        assert!(at(22) - at(18) < 0.1, "{} {}", at(18), at(22));
        assert!(at(40) > 45.0, "{}", at(40));
    }

    #[test]
    fn a07_calls_refused_together_cut_once_and_a_server_that_serves_nothing_is_not_measured() {
        let (mut rate, now) = learnt(100.0, 40);
        let before = rate.per_second(now).unwrap();
        rate.refused(now, now + 50 * MS);
        rate.refused(now + MS, now + 60 * MS);
        assert!(rate.per_second(now + 60 * MS).unwrap() >= before);
        rate.served(now + 70 * MS);
        rate.refused(now + 65 * MS, now + 80 * MS);
        assert!(rate.per_second(now + 80 * MS).unwrap() < before);
    }

    #[test]
    fn calls_are_spread_evenly_at_the_learnt_rate_and_lateness_is_made_good_by_a_call_at_most() {
        let (mut rate, mut now) = learnt(100.0, 40);
        let began = now;
        let mut calls = 0;
        while now < began + Duration::from_secs(1) {
            if let Some(wait) = rate.wait_from(now) {
                now += wait + MS;
            } else {
                rate.began(now);
                calls += 1;
            }
        }
        assert!((31..=35).contains(&calls), "{calls}");
        now += Duration::from_secs(10);
        let burst =
            (0..10).take_while(|_| rate.wait_from(now).is_none().then(|| rate.began(now)).is_some()).count();
        assert!(burst <= 2, "{burst}");
    }
}
