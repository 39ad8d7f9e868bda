//! What a subject's weekly count usually is, with little known of each and much of all: empirical Bayes.
//!
//! Each subject has a rate; the rates of the catalogue are gamma distributed, and their mean and variance are those of
//! the subjects' means less what chance alone adds (moments). A subject's rate is shrunk towards them by as much as its
//! own weeks leave open. Weeks scatter more than Poisson's counts, by a dispersion that is the middle of the
//! catalogue's, shrunk likewise.

use crate::claims::tails::{count_quantile, count_tail, median};

/// So many weeks the catalogue's dispersion weighs against a subject's own.
const DISPERSION_WEEKS: f64 = 4.0;

/// From this mean on a subject tells something about dispersion.
const TELLING_MEAN: f64 = 1.0;

/// The catalogue's rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    shape: f64,
    weeks: f64,
    dispersion: f64,
}

/// What is expected of a subject this week.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Expected {
    /// The usual count.
    pub mean: f64,
    /// With what is not known of it, and with what weeks scatter.
    pub variance: f64,
    /// The weeks that were seen.
    pub weeks: usize,
}

impl Expected {
    /// How probable so many or more are.
    pub(super) fn tail(&self, count: u64) -> f64 {
        count_tail(count as f64, self.mean, self.variance)
    }
}

/// The count at or below which such a share lies.
pub(super) fn quantile(share: f64, mean: f64, variance: f64) -> u64 {
    count_quantile(share, mean, variance)
}

struct Moments {
    weeks: f64,
    mean: f64,
    variance: f64,
}

fn moments(counts: impl Iterator<Item = u64>) -> Moments {
    let (mut weeks, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for count in counts {
        let count = count as f64;
        weeks += 1.0;
        sum += count;
        squares += count * count;
    }
    let mean = if weeks > 0.0 { sum / weeks } else { 0.0 };
    let variance = if weeks > 1.0 { ((squares - weeks * mean * mean) / (weeks - 1.0)).max(0.0) } else { 0.0 };
    Moments { weeks, mean, variance }
}

/// Learns the catalogue's rates from one subject after the other.
#[derive(Debug, Default)]
pub(super) struct Learner {
    subjects: f64,
    means: f64,
    squares: f64,
    by_chance: f64,
    dispersions: Vec<f64>,
}

impl Learner {
    /// Takes a subject's counts of the weeks that are known.
    pub(super) fn add(&mut self, counts: impl Iterator<Item = u64>) {
        let moments = moments(counts);
        if moments.weeks == 0.0 {
            return;
        }
        self.subjects += 1.0;
        self.means += moments.mean;
        self.squares += moments.mean * moments.mean;
        self.by_chance += moments.mean / moments.weeks;
        if moments.mean >= TELLING_MEAN && moments.weeks >= 3.0 {
            self.dispersions.push((moments.variance - moments.mean) / (moments.mean * moments.mean));
        }
    }

    /// The catalogue's rates; of an empty catalogue such that nothing is surprising.
    pub(super) fn rates(mut self) -> Rates {
        let subjects = self.subjects.max(1.0);
        let mean = (self.means / subjects).max(1e-3);
        let variance =
            (self.squares / subjects - mean * mean - self.by_chance / subjects).max(mean * mean * 0.05);
        Rates {
            shape: mean * mean / variance,
            weeks: mean / variance,
            dispersion: median(&mut self.dispersions).unwrap_or(0.5).max(0.0),
        }
    }
}

impl Rates {
    /// What is expected of a subject with these counts in the weeks that are known.
    pub(super) fn expect(&self, counts: impl Iterator<Item = u64>) -> Expected {
        let own = moments(counts);
        let weeks = own.weeks + self.weeks;
        let mean = (self.shape + own.mean * own.weeks) / weeks;
        let own_dispersion =
            if own.mean > 0.0 { (own.variance - own.mean) / (own.mean * own.mean) } else { 0.0 };
        // One week says nothing about scatter.
        let telling = if own.mean >= TELLING_MEAN { (own.weeks - 1.0).max(0.0) } else { 0.0 };
        let dispersion = ((DISPERSION_WEEKS * self.dispersion + telling * own_dispersion)
            / (DISPERSION_WEEKS + telling))
            .max(0.0);
        let variance = mean + mean / weeks + dispersion * mean * mean;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of weeks")]
        let seen = own.weeks as usize;
        Expected { mean, variance, weeks: seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Rates {
        let mut learner = Learner::default();
        for subject in 0..200_u64 {
            learner.add((0..8).map(|week| (subject + week) % 3 + subject % 5));
        }
        learner.rates()
    }

    #[test]
    fn a_subject_with_few_weeks_is_drawn_to_the_catalogue_and_one_with_many_is_not() {
        let rates = catalogue();
        let all = rates.expect(std::iter::empty()).mean;
        assert!((all - 3.0).abs() < 0.1, "{all}");
        let one = rates.expect([30].into_iter()).mean;
        let many = rates.expect([30; 11].into_iter()).mean;
        assert!(all < one && one < many && many < 30.0 && many > 25.0, "{one} {many}");
    }

    #[test]
    fn weeks_that_scatter_make_a_count_less_surprising() {
        let rates = catalogue();
        let calm = rates.expect([8, 8, 7, 9, 8, 8].into_iter());
        let wild = rates.expect([0, 20, 1, 25, 0, 2].into_iter());
        assert!(calm.tail(40) < 1e-6 && wild.tail(40) > 1e-3, "{} {}", calm.tail(40), wild.tail(40));
    }

    #[test]
    fn nothing_but_zeros_is_expected_to_stay_nothing() {
        let mut learner = Learner::default();
        for _ in 0..100 {
            learner.add([0; 8].into_iter());
        }
        let expected = learner.rates().expect([0; 8].into_iter());
        assert!(expected.mean < 0.01 && (expected.tail(0) - 1.0).abs() < 1e-12);
        assert!(Learner::default().rates().expect(std::iter::empty()).variance.is_finite());
    }
}
