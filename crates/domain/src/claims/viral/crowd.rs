//! Whether far more of the catalogue rises at once than ever did: then it is the season, and no video's own news.
//!
//! Counted is the share of the mature series whose score says twice their habit. When it is several times what it was
//! in the past weeks, the scores are lowered until the usual share is left above that mark: not by a fixed amount, so
//! that a surge beyond the crowd stays one. Lowered is every series of which nobody knows how it did in these weeks
//! last year; one that is known to have been quiet then, or whose rise of last year is expected already, is judged as
//! always. A catalogue in which surges are many has a high share always, and is judged by that.

use std::collections::VecDeque;

use super::robust::{centre, quantile};

/// Above which score a series has risen: a very steady one at twice its habit.
const RISEN: f32 = 0.6;
/// How many mature series there must be for their share to say something.
const LEAST_SERIES: usize = 1_000;
/// How many past weeks the share is held against, and how many there must be.
const PAST: usize = 26;
const LEAST_PAST: usize = 12;
/// How many times the usual share, how much more, and how many times the past weeks' scatter more a crowd is.
const TIMES: f32 = 2.5;
const MORE: f32 = 0.005;
const SCATTERS: f32 = 4.0;
/// How many weeks running a crowd may stay before it is what is usual.
const MOST_WEEKS: u8 = 6;

/// The shares of the past weeks.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    shares: VecDeque<f32>,
    running: u8,
}

impl Crowd {
    /// By how much this week's scores are to be lowered; nought in most weeks. The scores are lost.
    pub(super) fn judge(&mut self, scores: &mut [f32]) -> f32 {
        if scores.len() < LEAST_SERIES {
            return 0.0;
        }
        let risen = scores.iter().filter(|score| **score > RISEN).count();
        let share = risen as f32 / scores.len() as f32;
        let mut past: Vec<f32> = self.shares.iter().copied().collect();
        if self.shares.len() == PAST {
            self.shares.pop_front();
        }
        // A crowd's share is kept as any other: in a long past it moves no median, and a short one learns by it.
        self.shares.push_back(share);
        if past.len() >= LEAST_PAST
            && self.running < MOST_WEEKS
            && let Some((usual, scatter)) = centre(&mut past)
            && share >= (TIMES * usual).max(usual + MORE).max(usual + SCATTERS * scatter)
        {
            self.running += 1;
            return quantile(scores, 1.0 - usual).map_or(0.0, |mark| (mark - RISEN).max(0.0));
        }
        self.running = 0;
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

    fn with_a_past_of(surging: usize) -> Crowd {
        let mut crowd = Crowd::default();
        for _ in 0..LEAST_PAST {
            assert_eq!(judge(&mut crowd, surging), 0.0);
        }
        crowd
    }

    #[test]
    fn a_few_surges_are_news_and_a_crowd_is_the_season() {
        let mut crowd = with_a_past_of(2);
        assert_eq!(judge(&mut crowd, 6), 0.0);
        assert!((judge(&mut crowd, 20) - 0.9).abs() < 1e-6);
        assert_eq!(judge(&mut crowd, 2), 0.0);
    }

    #[test]
    fn where_surges_are_many_it_takes_more_for_a_crowd() {
        let mut crowd = with_a_past_of(20);
        assert_eq!(judge(&mut crowd, 45), 0.0);
        assert!(judge(&mut crowd, 60) > 0.0);
    }

    #[test]
    fn a_crowd_that_stays_is_usual_in_the_end() {
        let mut crowd = with_a_past_of(0);
        let weeks = (0..40).filter(|_| judge(&mut crowd, 20) > 0.0).count();
        assert!((usize::from(MOST_WEEKS)..40).contains(&weeks), "{weeks}");
    }

    #[test]
    fn a_small_catalogue_has_no_crowd() {
        let mut crowd = Crowd::default();
        for _ in 0..LEAST_PAST {
            assert_eq!(crowd.judge(&mut vec![0.1; LEAST_SERIES - 1]), 0.0);
        }
        assert_eq!(crowd.judge(&mut vec![9.0; LEAST_SERIES - 1]), 0.0);
    }
}
