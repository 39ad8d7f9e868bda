//! How views come: a base, a shape over the weeks, some noise, and a lifetime counter that sums them.

use crate::weeks::dice::{Dice, count};

/// What the weekly gain does over the weeks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// The same every week.
    Steady,
    /// This many times as much every week.
    Growth(f64),
    /// Many views at first, which decay.
    Launch,
    /// A little more at first.
    Young,
    /// From a week on this many times as much, and twice that from the next on.
    Surge(usize, f64),
    /// From a week on this many times as much as in the week before.
    Rise(usize, f64),
}

/// A video's views. Everything is counted in weeks from the first of the catalogue.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// Where its noise comes from.
    pub key: u64,
    /// Lifetime views so far.
    pub views: u64,
    /// Views that a week brings.
    pub base: f64,
    /// The share of engaged views.
    pub engaged: f64,
    pub shape: Shape,
    /// The week of its publication, negative where that was before the first.
    pub from: i64,
}

impl Series {
    /// Adds a week's views to the counter, and gives them.
    pub(super) fn add_week(&mut self, week: usize) -> u64 {
        let at = i64::try_from(week).unwrap_or(i64::MAX);
        if at < self.from {
            return 0;
        }
        let age = (at - self.from) as f64;
        let factor = match self.shape {
            Shape::Growth(factor) => factor.powf(week as f64),
            Shape::Launch => 1.0 + 20.0 * (1.0 + age).powf(-1.1),
            Shape::Young => (1.0 + age).powf(-0.3),
            Shape::Surge(from, factor) if week == from => factor,
            Shape::Surge(from, factor) if week > from => 2.0 * factor,
            Shape::Rise(from, factor) if week >= from => factor.powf((week - from + 1) as f64),
            Shape::Steady | Shape::Surge(..) | Shape::Rise(..) => 1.0,
        };
        let noise = (0.08 * Dice::at(self.key, &[week as u64]).normal()).exp();
        let gain = count(self.base * factor * noise * season(week));
        self.views += gain;
        gain
    }

    /// Lifetime views in which somebody took part.
    pub(super) fn engaged_views(&self) -> u64 {
        count((self.views as f64 * self.engaged).floor())
    }
}

/// What all of YouTube has in common in a week.
pub(super) fn season(week: usize) -> f64 {
    1.0 + 0.04 * (week as f64 * 0.9).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gains(shape: Shape, from: i64) -> Vec<u64> {
        let mut series = Series { key: 7, views: 1_000, base: 1_000.0, engaged: 0.5, shape, from };
        (0..8).map(|week| series.add_week(week)).collect()
    }

    #[test]
    fn each_shape_does_what_its_name_says() {
        let steady = gains(Shape::Steady, -9);
        assert!(steady.iter().all(|gain| (600..1_500).contains(gain)), "{steady:?}");
        let surge = gains(Shape::Surge(6, 14.0), -9);
        assert!(surge[5] < 1_500 && surge[6] > 9_000 && surge[7] > 18_000, "{surge:?}");
        let launch = gains(Shape::Launch, 3);
        assert!(launch[2] == 0 && launch[3] > 4 * launch[7], "{launch:?}");
        let rise = gains(Shape::Rise(3, 1.5), -9);
        assert!(rise[2] < 1_500 && rise[7] > 5 * rise[2], "{rise:?}");
    }

    #[test]
    fn a_counter_sums_the_weeks_and_its_engaged_views_never_fall() {
        let mut series =
            Series { key: 3, views: 50, base: 10.0, engaged: 0.77, shape: Shape::Young, from: 0 };
        let (mut sum, mut before) = (50, 0);
        for week in 0..20 {
            sum += series.add_week(week);
            assert_eq!(series.views, sum);
            assert!(series.engaged_views() >= before && series.engaged_views() <= sum);
            before = series.engaged_views();
        }
    }
}
