//! The new weights held against those in use, on weeks that neither was fitted to.
//!
//! Causally: the weights are fitted to claims whose twelve weeks were over when the first claim that they are asked about
//! was noted. Whatever lies between is used for neither. Both tables have their shifts from the same older weeks, so that
//! only the weights differ.

use super::{Cells, Counts, Free, Model, Outcome, cells, fit, softplus};
use crate::claims::risk::outcome::WATCHED_WEEKS;
use crate::claims::risk::weights::{Weights, sigmoid};
use crate::claims::week::Week;

/// There must be so many disputes in the older weeks, and in the newer.
pub(super) const LEAST_DISPUTED: usize = 10;

/// How both tables do on the newer weeks.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// The first of the newer weeks.
    pub from: Week,
    /// What the weights were fitted to.
    pub older: Counts,
    /// What they were asked about.
    pub newer: Counts,
    /// How those in use do.
    pub present: Score,
    /// How the new ones do.
    pub fitted: Score,
    /// By how much the new ones' loss is less, of one claim on the average.
    pub gain: f64,
    /// The standard error of that.
    pub error: f64,
}

impl HeldOut {
    /// Whether the gain is more than its error: below that it may be chance.
    pub fn is_better(&self) -> bool {
        self.gain > self.error
    }
}

/// How good probabilities were.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The mean negative logarithm of the probability of what came about.
    pub log_loss: f64,
    /// The mean square of what was missing to certainty (Brier).
    pub brier: f64,
    /// Claims by their probability, from the lowest tenth to the highest. Claims of one probability stay together, so
    /// there may be fewer than ten.
    pub tenths: Vec<Tenth>,
}

/// A tenth of the claims.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tenth {
    /// What became of them.
    pub counts: Counts,
    /// Their mean probability.
    pub predicted: f64,
}

/// Holds them against each other; none where older or newer weeks tell too little.
pub(super) fn held_out(outcomes: &[Outcome], present: &Weights) -> Option<HeldOut> {
    let from = split(outcomes)?;
    let (older, newer) = (older(outcomes, from), outcomes.iter().filter(|outcome| outcome.week >= from));
    let counts = (Counts::of(older.clone()), Counts::of(newer.clone()));
    let (older, newer) = (cells(older), cells(newer));
    let (fitted, _) = fit(&older, present, Free::Weights);
    let (shifted, _) = fit(&older, present, Free::Shifts);
    let (gain, error) = gain(&newer, &shifted, &fitted);
    Some(HeldOut {
        from,
        older: counts.0,
        newer: counts.1,
        present: score(&newer, &shifted),
        fitted: score(&newer, &fitted),
        gain,
        error,
    })
}

fn older(outcomes: &[Outcome], from: Week) -> impl Iterator<Item = &Outcome> + Clone {
    let last = from.plus(-i32::from(WATCHED_WEEKS));
    outcomes.iter().filter(move |outcome| outcome.week <= last)
}

/// The week from which on the weights are asked: where older and newer weeks have as many disputes as can be.
fn split(outcomes: &[Outcome]) -> Option<Week> {
    let mut weeks: Vec<Week> = outcomes.iter().map(|outcome| outcome.week).collect();
    weeks.sort_unstable();
    weeks.dedup();
    let fewest = |from: Week| {
        let newer = outcomes.iter().filter(|outcome| outcome.week >= from);
        Counts::of(older(outcomes, from)).disputed.min(Counts::of(newer).disputed)
    };
    let best = weeks.into_iter().map(|from| (fewest(from), from)).max()?;
    (best.0 >= LEAST_DISPUTED).then_some(best.1)
}

/// The mean gain of a claim, and its standard error by the spread between claims.
fn gain(cells: &Cells, present: &Model, fitted: &Model) -> (f64, f64) {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (cell, tally) in cells {
        let (before, now) = (present.log_odds(*cell), fitted.log_odds(*cell));
        for (claims, gain) in [
            (tally.disputed, softplus(-before) - softplus(-now)),
            (tally.kept, softplus(before) - softplus(now)),
        ] {
            count += claims;
            sum += claims * gain;
            squares += claims * gain * gain;
        }
    }
    let mean = sum / count;
    (mean, ((squares / count - mean * mean).max(0.0) / count).sqrt())
}

fn score(cells: &Cells, model: &Model) -> Score {
    let mut by_odds: Vec<_> = cells.iter().map(|(cell, tally)| (model.log_odds(*cell), *tally)).collect();
    by_odds.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let count: f64 = by_odds.iter().map(|(_, tally)| tally.all()).sum();
    let (mut loss, mut brier, mut before) = (0.0, 0.0, 0.0);
    let mut tenths = vec![(super::Tally::default(), 0.0); 10];
    for (log_odds, tally) in by_odds {
        let probability = sigmoid(log_odds);
        loss += tally.disputed * softplus(-log_odds) + tally.kept * softplus(log_odds);
        brier += tally.disputed * (1.0 - probability).powi(2) + tally.kept * probability.powi(2);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to below 10")]
        let place = ((before + tally.all() / 2.0) / count * 10.0) as usize;
        before += tally.all();
        if let Some((sum, predicted)) = tenths.get_mut(place) {
            sum.disputed += tally.disputed;
            sum.kept += tally.kept;
            *predicted += tally.all() * probability;
        }
    }
    tenths.retain(|(sum, _)| sum.all() > 0.0);
    let tenths = tenths
        .into_iter()
        .map(|(sum, predicted)| Tenth { counts: sum.counts(), predicted: predicted / sum.all() });
    Score { log_loss: loss / count, brier: brier / count, tenths: tenths.collect() }
}
