//! What is remembered of each series: the last weeks, how far they were off, and the year.
//!
//! Bytes a series: 24 for the habit, 105 for the deviations, 232 for the year, and 5.

use std::collections::VecDeque;

use super::robust::{median, spread_about_zero};

/// How many of the last weeks with a row are a series' habit. One wild week of four changes it little, and a level
/// that is there to stay is believed after three.
pub const HABIT_WEEKS: usize = 4;

/// How many past deviations tell a series' own spread: half a year.
const DEVIATIONS: usize = 26;

/// How many weeks are remembered as a whole: a year and the six weeks that stand before its first.
pub(super) const YEAR: usize = 58;

/// The memory of all series.
#[derive(Debug)]
pub(super) struct Memory {
    last: Vec<[f32; HABIT_WEEKS]>,
    last_weeks: Vec<[u16; HABIT_WEEKS]>,
    kept: Vec<u8>,
    seen: Vec<u16>,
    seen_last: Vec<u16>,
    deviations: Vec<f32>,
    deviation_counts: Vec<u16>,
    /// The last weeks as they were believed, the latest at the back.
    year: VecDeque<Vec<f32>>,
}

impl Memory {
    pub(super) fn new(series: usize) -> Self {
        Self {
            last: vec![[0.0; HABIT_WEEKS]; series],
            last_weeks: vec![[0; HABIT_WEEKS]; series],
            kept: vec![0; series],
            seen: vec![0; series],
            seen_last: vec![0; series],
            deviations: vec![0.0; series * DEVIATIONS],
            deviation_counts: vec![0; series],
            year: VecDeque::with_capacity(YEAR),
        }
    }

    pub(super) fn series(&self) -> usize {
        self.seen.len()
    }

    /// In how many weeks the series had a row.
    pub(super) fn seen(&self, series: usize) -> u16 {
        self.seen[series]
    }

    /// The week of its last row; meaningless before its first.
    pub(super) fn seen_last(&self, series: usize) -> u16 {
        self.seen_last[series]
    }

    /// The believed values of its last weeks with a row, at most [`HABIT_WEEKS`], the latest last.
    pub(super) fn last(&self, series: usize) -> &[f32] {
        &self.last[series][HABIT_WEEKS.saturating_sub(self.kept[series].into())..]
    }

    /// The weeks that these are of.
    pub(super) fn last_weeks(&self, series: usize) -> &[u16] {
        &self.last_weeks[series][HABIT_WEEKS.saturating_sub(self.kept[series].into())..]
    }

    /// The series' habit.
    pub(super) fn habit(&self, series: usize) -> Option<f32> {
        let kept = self.last(series);
        let mut values = [0.0; HABIT_WEEKS];
        let values = &mut values[..kept.len()];
        values.copy_from_slice(kept);
        median(values)
    }

    /// The spread of its past deviations about zero, and how many there are.
    pub(super) fn own_spread(&self, series: usize) -> Option<(f32, usize)> {
        let count = usize::from(self.deviation_counts[series]).min(DEVIATIONS);
        let mut values = [0.0; DEVIATIONS];
        let values = &mut values[..count];
        values.copy_from_slice(&self.deviations[series * DEVIATIONS..][..count]);
        Some((spread_about_zero(values)?, count))
    }

    /// The series so many weeks ago, [`super::GAP`] where it had no row.
    pub(super) fn ago(&self, series: usize, weeks: usize) -> f32 {
        let place = self.year.len().checked_sub(weeks);
        place.and_then(|place| self.year.get(place)).map_or(super::GAP, |week| week[series])
    }

    /// Takes the level of a series' last weeks for another one.
    pub(super) fn rescale(&mut self, series: usize, factor: f32) {
        for value in &mut self.last[series] {
            *value = (*value * factor).min(super::MOST);
        }
    }

    /// Remembers a deviation.
    pub(super) fn deviated(&mut self, series: usize, by: f32) {
        let place = usize::from(self.deviation_counts[series]) % DEVIATIONS;
        self.deviations[series * DEVIATIONS + place] = by;
        let counted = self.deviation_counts[series] + 1;
        // Beyond the first round only the place in the round matters.
        self.deviation_counts[series] =
            if usize::from(counted) == 2 * DEVIATIONS { counted / 2 } else { counted };
    }

    /// Remembers a believed value of a week.
    pub(super) fn believed(&mut self, series: usize, value: f32, week: u16) {
        self.last[series].rotate_left(1);
        self.last[series][HABIT_WEEKS - 1] = value;
        self.last_weeks[series].rotate_left(1);
        self.last_weeks[series][HABIT_WEEKS - 1] = week;
        self.kept[series] = self.kept[series].saturating_add(1);
    }

    /// Remembers that the series had a row.
    pub(super) fn was_seen(&mut self, series: usize, week: u16) {
        self.seen[series] = self.seen[series].saturating_add(1);
        self.seen_last[series] = week;
    }

    /// Remembers a whole week as it was believed.
    pub(super) fn keep_week(&mut self, week: Vec<f32>) {
        if self.year.len() == YEAR {
            self.year.pop_front();
        }
        self.year.push_back(week);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_habit_is_of_the_last_four_rows_however_far_apart() {
        let mut memory = Memory::new(1);
        assert_eq!(memory.habit(0), None);
        for (week, value) in [(0, 100.0), (1, 1.0), (5, 2.0), (6, 3.0), (9, 4.0)] {
            memory.believed(0, value, week);
        }
        assert_eq!(memory.habit(0), Some(2.5));
        assert_eq!(memory.last_weeks(0), [1, 5, 6, 9]);
    }

    #[test]
    fn old_deviations_make_room_for_new_ones() {
        let mut memory = Memory::new(2);
        assert_eq!(memory.own_spread(1), None);
        for _ in 0..1000 {
            memory.deviated(1, 1.0);
        }
        for _ in 0..DEVIATIONS {
            memory.deviated(1, -2.0);
        }
        let (spread, count) = memory.own_spread(1).unwrap();
        assert!((spread - 2.0 * 1.4826).abs() < 1e-6 && count == DEVIATIONS, "{spread} {count}");
        assert_eq!(memory.own_spread(0), None, "another series is not touched");
    }

    #[test]
    fn a_year_is_remembered_and_no_more() {
        let mut memory = Memory::new(1);
        assert!(memory.ago(0, 1).is_nan());
        for week in 0_u8..100 {
            memory.keep_week(vec![f32::from(week)]);
        }
        assert_eq!(memory.ago(0, 1), 99.0);
        assert_eq!(memory.ago(0, YEAR), 42.0);
        assert!(memory.ago(0, YEAR + 1).is_nan());
    }
}
