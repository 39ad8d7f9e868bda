//! Whether a whole report or a whole channel departs from its own habit this week.
//!
//! A doubled, partial or late delivery moves all series at once, and so does a season. Taking the common factor out
//! always would be wrong: where a channel is four new videos, their common factor is the launch. So only a departure
//! is taken out that is large, that is significant against the scatter of the series (a robust standard error of their
//! median) and against the scatter of the past weeks' medians, and only for three weeks running. A level that stays
//! longer is the new habit, and the series' memory is moved there at once.

use std::collections::VecDeque;

use super::robust::{centre, error_of_median};

/// How many past medians tell the habit.
const HABIT: usize = 8;
/// How many there must be before a week is judged.
const LEAST_HABIT: usize = 4;
/// How many standard errors a departure must have.
const ERRORS: f32 = 4.0;
/// How many times the scatter of the past medians.
const SCATTERS: f32 = 3.0;
/// How many weeks running a departure is taken out.
const MOST_WEEKS: u8 = 3;
/// A departure, in log, at and below which what is left is no smaller count but none: less than a fifth or so.
const LOST: f32 = -1.5;

/// How many mature series a report must have to be judged.
pub(super) const REPORT_SERIES: usize = 100;
/// The smallest departure of a report, in log: an eighth.
pub(super) const REPORT_DEPARTURE: f32 = 0.12;
/// How many mature series a channel must have to be judged.
pub(super) const CHANNEL_SERIES: usize = 6;
/// The smallest departure of a channel, in log.
pub(super) const CHANNEL_DEPARTURE: f32 = 0.25;

/// A common factor that was taken out of a week: the report's or a channel's data are not to be believed as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Departure {
    /// The group, by its place in the panel; none for the report as a whole.
    pub group: Option<u32>,
    /// By which factor the group's series stand off their habit: two of a doubled report.
    pub factor: f32,
    /// The robust standard error of the factor's logarithm.
    pub error: f32,
    /// Of how many mature series it is the median.
    pub series: usize,
    /// Whether so little is left that the week is taken for a gap.
    pub is_lost: bool,
    /// Whether it has lasted so long that it is the habit from now on.
    pub is_habit_now: bool,
}

/// The past of one group.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate {
    medians: VecDeque<f32>,
    running: u8,
}

impl Gate {
    /// Judges a week by the log ratios of its mature series to their habits. The ratios are lost.
    pub(super) fn judge(
        &mut self,
        group: Option<u32>,
        ratios: &mut [f32],
        least: usize,
        smallest: f32,
    ) -> Option<Departure> {
        if ratios.len() < least {
            return None;
        }
        let series = ratios.len();
        let (now, spread) = centre(ratios)?;
        let error = error_of_median(spread, series);
        if let Some((habit, scatter)) = self.habit() {
            let by = now - habit;
            if by.abs() >= smallest.max(ERRORS * error).max(SCATTERS * scatter) {
                let is_habit_now = self.running == MOST_WEEKS;
                self.running = if is_habit_now { 0 } else { self.running + 1 };
                let is_lost = by <= LOST && !is_habit_now;
                return Some(Departure { group, factor: by.exp(), error, series, is_lost, is_habit_now });
            }
        }
        self.running = 0;
        if self.medians.len() == HABIT {
            self.medians.pop_front();
        }
        self.medians.push_back(now);
        None
    }

    fn habit(&self) -> Option<(f32, f32)> {
        let mut values = [0.0; HABIT];
        let values = &mut values[..self.medians.len()];
        for (value, median) in values.iter_mut().zip(&self.medians) {
            *value = *median;
        }
        if values.len() < LEAST_HABIT { None } else { centre(values) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(around: f32) -> Vec<f32> {
        (0_u8..9).map(|place| around + (f32::from(place) - 4.0) / 100.0).collect()
    }

    fn judge(gate: &mut Gate, around: f32) -> Option<Departure> {
        gate.judge(Some(0), &mut week(around), CHANNEL_SERIES, CHANNEL_DEPARTURE)
    }

    fn with_a_habit_of(around: f32) -> Gate {
        let mut gate = Gate::default();
        for _ in 0..LEAST_HABIT {
            assert_eq!(judge(&mut gate, around), None);
        }
        gate
    }

    #[test]
    fn a_doubled_channel_departs_by_a_factor_of_two() {
        let departure = judge(&mut with_a_habit_of(0.0), 2_f32.ln()).unwrap();
        assert!((departure.factor - 2.0).abs() < 1e-3 && !departure.is_lost, "{departure:?}");
    }

    #[test]
    fn a_channel_whose_videos_all_decay_does_not_depart() {
        assert_eq!(judge(&mut with_a_habit_of(-0.6), -0.6), None);
        assert!(judge(&mut with_a_habit_of(-0.6), 0.0).is_some(), "it is held against its own habit");
    }

    #[test]
    fn without_a_habit_or_with_few_series_nothing_is_judged() {
        assert_eq!(judge(&mut Gate::default(), 3.0), None);
        let mut gate = with_a_habit_of(0.0);
        assert_eq!(gate.judge(None, &mut week(3.0)[..5], CHANNEL_SERIES, CHANNEL_DEPARTURE), None);
    }

    #[test]
    fn a_small_departure_or_one_within_the_scatter_is_none() {
        assert_eq!(judge(&mut with_a_habit_of(0.0), 0.2), None);
        let mut wild: Vec<f32> = (0_u8..9).map(|place| 0.3 + (f32::from(place) - 4.0)).collect();
        assert_eq!(with_a_habit_of(0.0).judge(None, &mut wild, CHANNEL_SERIES, CHANNEL_DEPARTURE), None);
        let mut restless = Gate::default();
        for around in [-0.4, 0.4, -0.4, 0.4, 0.0] {
            judge(&mut restless, around);
        }
        assert_eq!(judge(&mut restless, 0.8), None);
    }

    #[test]
    fn what_lasts_longer_than_three_weeks_is_the_habit() {
        let mut gate = with_a_habit_of(0.0);
        let lasting: Vec<bool> = (0..4).map(|_| judge(&mut gate, 1.0).unwrap().is_habit_now).collect();
        assert_eq!(lasting, [false, false, false, true]);
        let mut gone = with_a_habit_of(0.0);
        let lost: Vec<bool> = (0..4).map(|_| judge(&mut gone, -5.0).unwrap().is_lost).collect();
        assert_eq!(lost, [true, true, true, false]);
    }
}
