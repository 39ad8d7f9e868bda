//! Whether far more of the catalogue rises at once than it ever did: then it is the season, and no video's own news.
//!
//! The scores' upper tail is held against the same tail of the past weeks. What the week is above it is taken from the
//! score of every series of which nobody knows how it did in these weeks last year; one that is known to have been
//! quiet then, or whose rise of last year is expected already, is judged as always. In the first year that is all.

use std::collections::VecDeque;

use super::robust::{centre, quantile};

/// Which tail: one in 200.
const SHARE: f32 = 0.995;
/// How many mature series there must be for their tail to say something.
const LEAST_SERIES: usize = 1_000;
/// How many past weeks the tail is held against, and how many there must be.
const PAST: usize = 26;
const LEAST_PAST: usize = 4;
/// The smallest excess of the tail, and how many times the past weeks' scatter it must be.
const SMALLEST: f32 = 0.25;
const SCATTERS: f32 = 4.0;
/// How many weeks running the tail may be above its past before it is believed.
const MOST_WEEKS: u8 = 6;

/// The tails of the past weeks.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    tails: VecDeque<f32>,
    running: u8,
}

impl Crowd {
    /// By how much this week's tail is above its past; nought in most weeks. The scores are lost.
    pub(super) fn judge(&mut self, scores: &mut [f32]) -> f32 {
        if scores.len() < LEAST_SERIES {
            return 0.0;
        }
        let Some(tail) = quantile(scores, SHARE) else { return 0.0 };
        let mut past: Vec<f32> = self.tails.iter().copied().collect();
        if past.len() >= LEAST_PAST
            && self.running < MOST_WEEKS
            && let Some((usual, scatter)) = centre(&mut past)
            && tail - usual >= SMALLEST.max(SCATTERS * scatter)
        {
            self.running += 1;
            return tail - usual;
        }
        self.running = 0;
        if self.tails.len() == PAST {
            self.tails.pop_front();
        }
        self.tails.push_back(tail);
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(crowd: &mut Crowd, surging: usize) -> f32 {
        let mut scores = vec![0.1; LEAST_SERIES];
        scores[..surging].fill(1.5);
        crowd.judge(&mut scores)
    }

    #[test]
    fn a_few_surges_are_news_and_a_crowd_is_the_season() {
        let mut crowd = Crowd::default();
        for _ in 0..LEAST_PAST {
            assert_eq!(judge(&mut crowd, 2), 0.0);
        }
        assert_eq!(judge(&mut crowd, 4), 0.0);
        assert!((judge(&mut crowd, 20) - 1.4).abs() < 1e-6);
        assert_eq!(judge(&mut crowd, 2), 0.0);
    }

    #[test]
    fn a_crowd_that_stays_is_believed_in_the_end() {
        let mut crowd = Crowd::default();
        for _ in 0..LEAST_PAST {
            judge(&mut crowd, 0);
        }
        let weeks = (0..20).filter(|_| judge(&mut crowd, 20) > 0.0).count();
        assert!((usize::from(MOST_WEEKS)..20).contains(&weeks), "{weeks}");
    }

    #[test]
    fn a_small_catalogue_has_no_tail() {
        let mut crowd = Crowd::default();
        for _ in 0..9 {
            assert_eq!(crowd.judge(&mut vec![0.1; LEAST_SERIES - 1]), 0.0);
        }
        assert_eq!(crowd.judge(&mut vec![9.0; LEAST_SERIES - 1]), 0.0);
    }
}
