//! Weekly gains of lifetime counters.

use super::GAP;

/// The last value of each series' lifetime counter, and the week it is of.
#[derive(Debug, Clone)]
pub struct LifetimeCounters {
    week: u16,
    last: Vec<Option<(u64, u16)>>,
}

impl LifetimeCounters {
    /// Counters of which nothing is known yet.
    pub fn new(series: usize) -> Self {
        Self { week: 0, last: vec![None; series] }
    }

    /// Takes a week's counters, none where a series has no row, and gives the week's gains.
    ///
    /// What was gained since a counter was last seen, over the weeks since then: a gain of two weeks is not a week's
    /// gain. A counter seen for the first time or that went back tells nothing: a gap.
    pub fn take(&mut self, counters: &[Option<u64>]) -> Vec<f32> {
        let week = self.week;
        self.week = week.saturating_add(1);
        let gains = self.last.iter_mut().zip(counters).map(|(last, now)| {
            let Some(now) = *now else { return GAP };
            let before = last.replace((now, week));
            match before.and_then(|(before, of)| Some((now.checked_sub(before)?, week.saturating_sub(of)))) {
                Some((gain, weeks)) => gain as f32 / f32::from(weeks.max(1)),
                None => GAP,
            }
        });
        gains.collect()
    }
}

/// The weekly gains of one counter over weeks in a row, as [`LifetimeCounters::take`] gives them week by week. `gains` is
/// emptied first.
pub fn gains_of(counters: &[Option<u64>], gains: &mut Vec<f32>) {
    gains.clear();
    let mut last: Option<(u64, usize)> = None;
    for (week, now) in counters.iter().enumerate() {
        gains.push(match (*now, last) {
            (Some(now), Some((before, of))) => {
                now.checked_sub(before).map_or(GAP, |gain| gain as f32 / (week - of) as f32)
            }
            _ => GAP,
        });
        if let Some(now) = *now {
            last = Some((now, week));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_over_several_weeks_is_shared_among_them() {
        let mut counters = LifetimeCounters::new(2);
        assert!(counters.take(&[Some(1_000), None]).iter().all(|gain| gain.is_nan()));
        assert_eq!(counters.take(&[Some(1_100), Some(5)])[0], 100.0);
        assert!(counters.take(&[None, Some(5)])[0].is_nan());
        assert_eq!(counters.take(&[Some(1_300), Some(9)]), [100.0, 4.0]);
    }

    #[test]
    fn a_counter_that_went_back_is_a_gap_and_a_new_start() {
        let mut counters = LifetimeCounters::new(1);
        counters.take(&[Some(1_000)]);
        assert!(counters.take(&[Some(10)])[0].is_nan());
        assert_eq!(counters.take(&[Some(30)]), [20.0]);
    }

    #[test]
    fn one_series_at_a_time_gains_what_it_gains_week_by_week() {
        let counters = [None, Some(5), Some(9), None, None, Some(30), Some(2), Some(2)];
        let mut by_week = LifetimeCounters::new(1);
        let expected: Vec<f32> = counters.iter().map(|counter| by_week.take(&[*counter])[0]).collect();
        let mut gains = vec![1.0];
        gains_of(&counters, &mut gains);
        let bits = |gains: &[f32]| gains.iter().map(|gain| gain.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&gains), bits(&expected));
    }
}
