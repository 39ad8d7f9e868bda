//! The score from which on a series is told to the reader, so that about as many are told a week as he can attend to.

use std::collections::VecDeque;

/// How many past weeks the threshold is set by: half a year.
const PAST: usize = 26;
/// How many there must be.
const LEAST_PAST: usize = 4;
/// The threshold until then: a series of small spread at four times its habit.
const START: f32 = 1.2;
/// The lowest threshold: a very steady series at twice its habit.
const LOWEST: f32 = 0.6;
/// How many times the budget is kept of each week, so that one week full of surges counts in full.
const KEPT: f32 = 16.0;

/// The highest scores of the past weeks.
#[derive(Debug)]
pub(super) struct Budget {
    per_week: f32,
    past: VecDeque<Vec<f32>>,
}

impl Budget {
    pub(super) fn new(per_week: f32) -> Self {
        Self { per_week: per_week.max(0.0), past: VecDeque::new() }
    }

    /// The score above which the past weeks would have had as many new alerts as the budget allows.
    pub(super) fn threshold(&self) -> f32 {
        if self.past.len() < LEAST_PAST {
            return START;
        }
        let mut scores: Vec<f32> = self.past.iter().flatten().copied().collect();
        scores.sort_unstable_by(|one, other| other.total_cmp(one));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "no budget is below nought"
        )]
        let allowed = (self.per_week * self.past.len() as f32) as usize;
        scores.get(allowed).map_or(LOWEST, |score| score.max(LOWEST))
    }

    /// Takes a week's scores of the series that were not told of the week before.
    pub(super) fn take(&mut self, mut scores: Vec<f32>) {
        scores.retain(|score| *score > LOWEST);
        scores.sort_unstable_by(|one, other| other.total_cmp(one));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "no budget is below nought"
        )]
        scores.truncate((self.per_week * KEPT) as usize + 1);
        scores.shrink_to_fit();
        if self.past.len() == PAST {
            self.past.pop_front();
        }
        self.past.push_back(scores);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_lets_through_what_the_budget_allows() {
        let mut budget = Budget::new(2.0);
        assert_eq!(budget.threshold(), START);
        for _ in 0..LEAST_PAST {
            budget.take(vec![0.9, 3.0, 0.7, 2.0, 1.0]);
        }
        assert_eq!(budget.threshold(), 1.0);
        for _ in 0..PAST {
            budget.take(vec![0.1, 0.5]);
        }
        assert_eq!(budget.threshold(), LOWEST);
    }

    #[test]
    fn a_smaller_budget_has_a_higher_threshold() {
        let threshold = |per_week| {
            let mut budget = Budget::new(per_week);
            for week in 0_u8..10 {
                budget.take(
                    (0_u8..50).map(|place| f32::from(place) / 20.0 + f32::from(week) / 100.0).collect(),
                );
            }
            budget.threshold()
        };
        assert!(threshold(0.0) > threshold(0.5) && threshold(0.5) > threshold(5.0));
    }
}
