//! When so much fails that going on would do harm or nothing.

use std::collections::VecDeque;

use super::Tripped;

/// When the first writes are all refused as forbidden, the content owner or the role is wrong, not twenty assets.
const FORBIDDEN_AT_FIRST: u64 = 20;
/// The breaker looks at so many of the last writes.
const WINDOW: usize = 100;

/// Watches how writes end.
#[derive(Debug)]
pub(super) struct Breaker {
    max_error_ratio: f64,
    recent: VecDeque<bool>,
    finished: u64,
    forbidden_only: u64,
}

impl Breaker {
    pub(super) fn new(max_error_ratio: f64) -> Self {
        Self { max_error_ratio, recent: VecDeque::new(), finished: 0, forbidden_only: 0 }
    }

    /// Takes the end of a write: nothing, or the code that it failed with.
    pub(super) fn note(&mut self, failed: Option<&str>) -> Option<Tripped> {
        if failed == Some("forbidden") && self.forbidden_only == self.finished {
            self.forbidden_only += 1;
        }
        self.finished += 1;
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(failed.is_some());
        if self.forbidden_only == FORBIDDEN_AT_FIRST && self.finished == FORBIDDEN_AT_FIRST {
            return Some(Tripped::ForbiddenOnly { count: FORBIDDEN_AT_FIRST });
        }
        let failed = self.recent.iter().filter(|failed| **failed).count();
        let share = failed as f64 / WINDOW as f64;
        (self.recent.len() == WINDOW && share > self.max_error_ratio).then_some(Tripped::TooManyFailed {
            failed,
            of: WINDOW,
            limit: self.max_error_ratio,
        })
    }
}
