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
}
