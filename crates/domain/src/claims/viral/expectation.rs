//! What a series would have this week if nothing had happened to it.

use super::memory::Memory;
use super::robust::median;

/// A young series is one with fewer weeks than this.
const YOUNG_WEEKS: u16 = 8;
/// The most that a launch is expected to grow from one week to the next.
const MOST_GROWTH: f32 = 3.0;
/// The most weeks that one count is expected to hold.
const MOST_PILED_WEEKS: u16 = 3;
/// What counts are shrunk by where growth is asked for.
const SHRINK: f32 = 10.0;
/// By how much the same weeks of last year must have risen over those around them, to be expected again.
const LEAST_RISE: f32 = 1.5;
/// How many weeks a year has.
pub(super) const WEEKS_A_YEAR: usize = 52;

/// What an expectation rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The median of the last weeks.
    Habit,
    /// A launch that climbed for two weeks, and is expected to go on.
    Climb,
    /// The same weeks of last year, which rose.
    LastYear,
}

/// What is expected of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Expectation {
    pub count: f32,
    /// The same without looking at last year.
    pub without_last_year: f32,
    pub basis: Basis,
    /// How many weeks the count may hold.
    pub piled_weeks: u16,
}

/// What is expected of a series whose habit is known. `missing` is the number of weeks before this one that it alone
/// had no row in, where the count may have piled up.
pub(super) fn expect(memory: &Memory, series: usize, habit: f32, missing: u16) -> Expectation {
    let mut count = habit;
    let mut basis = Basis::Habit;
    if memory.seen(series) < YOUNG_WEEKS
        && let Some(climbed) = climb(memory.last(series))
        && climbed > count
    {
        (count, basis) = (climbed, Basis::Climb);
    }
    let without_last_year = count;
    if let Some(rise) = rise_of_last_year(memory, series)
        && habit * rise > count
    {
        (count, basis) = (habit * rise, Basis::LastYear);
    }
    let piled_weeks = missing.saturating_add(1).min(MOST_PILED_WEEKS);
    let piled = f32::from(piled_weeks);
    Expectation { count: count * piled, without_last_year: without_last_year * piled, basis, piled_weeks }
}

/// Where two weeks of growth lead.
fn climb(last: &[f32]) -> Option<f32> {
    let [.., first, second, third] = last else { return None };
    let growth = ((third + SHRINK) / (second + SHRINK)).min(MOST_GROWTH);
    (first < second && second < third).then_some(third * growth)
}

/// The factor by which the same weeks of last year, give or take one, stood over the four before and the four after,
/// whichever were the higher: a level that came to stay is no season.
fn rise_of_last_year(memory: &Memory, series: usize) -> Option<f32> {
    let ago = |weeks: usize| memory.ago(series, weeks);
    let peak = (WEEKS_A_YEAR - 1..=WEEKS_A_YEAR + 1).map(ago).fold(f32::NAN, f32::max);
    if peak.is_nan() {
        return None;
    }
    let usual = |first: usize| {
        let mut around = [0.0; 4];
        let mut count = 0;
        for value in (first..first + around.len()).map(ago).filter(|value| !value.is_nan()) {
            around[count] = value;
            count += 1;
        }
        median(&mut around[..count])
    };
    let (before, after) = (usual(WEEKS_A_YEAR + 3), usual(WEEKS_A_YEAR - 6));
    let base = match (before, after) {
        (Some(before), Some(after)) => before.max(after),
        (before, after) => before.or(after)?,
    };
    let rise = (peak + SHRINK) / (base + SHRINK);
    (rise > LEAST_RISE).then_some(rise)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(values: &[f32]) -> Memory {
        let mut memory = Memory::new(1);
        for (week, value) in (0..).zip(values) {
            if !value.is_nan() {
                memory.believed(0, *value, week);
                memory.was_seen(0, week);
            }
            memory.keep_week(vec![*value]);
        }
        memory
    }

    fn expected(values: &[f32], missing: u16) -> Expectation {
        let memory = memory(values);
        expect(&memory, 0, memory.habit(0).unwrap(), missing)
    }

    #[test]
    fn a_launch_that_climbs_is_expected_to_climb_on() {
        let launch = expected(&[10.0, 90.0, 190.0, 390.0], 0);
        assert_eq!((launch.basis, launch.count), (Basis::Climb, 780.0));
        let settled = expected(&[100.0; 9], 0);
        assert_eq!((settled.basis, settled.count), (Basis::Habit, 100.0));
        let old = expected(&[9.0, 9.0, 9.0, 9.0, 10.0, 90.0, 190.0, 390.0], 0);
        assert_eq!(old.basis, Basis::Habit, "a surge of a series that is not young is no launch");
        let decays = expected(&[900.0, 300.0, 200.0, 100.0], 0);
        assert_eq!((decays.basis, decays.count), (Basis::Habit, 250.0));
    }

    #[test]
    fn a_song_of_the_season_is_expected_again() {
        let mut year = vec![100.0; 58];
        year[6] = 490.0;
        let again = expected(&year, 0);
        assert_eq!(again.basis, Basis::LastYear);
        assert!((again.count - 454.5).abs() < 1.0 && again.without_last_year == 100.0, "{again:?}");
        assert_eq!(expected(&year[..50], 0).basis, Basis::Habit, "there is no last year yet");
        let mut kept = vec![100.0; 6];
        kept.extend([500.0; 52]);
        assert_eq!(expected(&kept, 0).basis, Basis::Habit, "a level that stayed is no season");
    }

    #[test]
    fn a_count_after_a_gap_may_hold_the_gap_too() {
        assert_eq!(expected(&[100.0; 9], 1).count, 200.0);
        assert_eq!(expected(&[100.0; 9], 40).count, 300.0);
    }
}
