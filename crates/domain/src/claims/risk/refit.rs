//! The weights fitted anew to what became of claims.
//!
//! A logistic regression with a prior: each weight is held to that of the table in use by a normal prior, so few
//! outcomes move it little, a reason that never held not at all, and of two reasons that always hold together each
//! takes its part. The maximum is unique and is found by Newton's method (iteratively reweighted least squares); outcomes
//! that are alike are summed first, so their order changes nothing, to the last bit.
//!
//! **The base rates are not fitted.** Most of the claims that are looked after are those with the most at stake, and how
//! often these are disputed within twelve weeks is not how often claims are disputed. The base rate stands as an offset;
//! what this catalogue departs from it is taken up by two shifts, one for the claims with the most at stake and one for
//! those that were drawn by lot, and both are dropped: a table takes over the weights alone. That the claims are chosen by
//! their reasons and their views, and never by what became of them, is what makes their weights worth anything.
//!
//! Whether the new weights are better is asked of newer weeks than those that they were fitted to ([`held_out`]).

mod held_out;
mod table;

use std::collections::BTreeMap;

pub use held_out::{HeldOut, Score, Tenth};
pub use table::table;

use super::weights::{Base, Sign, Signs, Weights, logit, sigmoid};
use crate::claims::week::Week;

/// Fewer outcomes than this are fitted to nothing.
pub const LEAST_OUTCOMES: usize = 300;

/// There must be so many disputes among them, and as many claims that nobody disputed: three for each weight.
pub const LEAST_OF_EACH: usize = 30;

/// How far a weight may lie from that of the table in use before any outcome is seen: one standard deviation. Half a
/// unit is a factor of 1.6 in the odds, and about what the table's own weights differ by.
const PRIOR_DEVIATION: f64 = 0.5;

/// The same for a shift of the base rate, of which nothing is known: a factor of seven.
const SHIFT_DEVIATION: f64 = 2.0;

const SIGNS: usize = Sign::ALL.len();
/// A weight for each reason, the shift of the drawn and that of the ranked.
const PARAMETERS: usize = SIGNS + 2;

/// Newton's method doubles the right digits with each step; it never comes near this.
const MOST_STEPS: usize = 100;
const CLOSE_ENOUGH: f64 = 1e-12;

/// What became of one claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The week in which its reasons were noted.
    pub week: Week,
    /// Its reasons then.
    pub signs: Signs,
    /// Whether somebody made it by hand.
    pub is_manual: bool,
    /// Whether it was one of those with the most at stake.
    pub is_ranked: bool,
    /// Whether the lot fell on it.
    pub is_drawn: bool,
    /// Whether it was disputed within twelve weeks; else it was kept.
    pub is_disputed: bool,
}

/// How many outcomes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Disputed claims.
    pub disputed: usize,
    /// Claims that stand undisputed.
    pub kept: usize,
}

impl Counts {
    /// Of these outcomes.
    pub fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        outcomes.fold(Self::default(), |mut counts, outcome| {
            *(if outcome.is_disputed { &mut counts.disputed } else { &mut counts.kept }) += 1;
            counts
        })
    }

    /// Both.
    pub fn all(self) -> usize {
        self.disputed + self.kept
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Refit {
    /// There is too little to learn from.
    TooFew(Counts),
    /// New weights.
    Fitted(Box<Fitted>),
}

/// New weights, and what speaks for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// What they were fitted to.
    pub counts: Counts,
    /// The table with the new weights, to four places.
    pub weights: Weights,
    /// What was learnt of each reason, in the order of [`Sign::ALL`].
    pub signs: [Learnt; SIGNS],
    /// How often claims drawn by lot were disputed, beside what the table in use says of them.
    pub drawn: Drawn,
    /// How the new weights do on newer weeks than they were fitted to; none where those weeks tell too little.
    pub held_out: Option<HeldOut>,
}

impl Fitted {
    /// Whether the new weights did better on weeks that they had not seen, by more than chance does.
    pub fn is_recommended(&self) -> bool {
        self.held_out.as_ref().is_some_and(HeldOut::is_better)
    }
}

/// What was learnt of a reason.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learnt {
    /// The weight in use.
    pub before: f64,
    /// The new one.
    pub now: f64,
    /// How sure it is: its standard deviation, the prior included.
    pub error: f64,
    /// Of how many outcomes the reason held.
    pub counts: Counts,
}

/// Claims that were drawn by lot: a fair sample, so their share of disputes is the catalogue's, within twelve weeks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Drawn {
    /// Of the claims that a match made.
    pub automatic: Rate,
    /// Of those that somebody made.
    pub manual: Rate,
}

/// How many were disputed, and how many the table in use would have had.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rate {
    /// What there was.
    pub counts: Counts,
    /// What the table says.
    pub expected: f64,
}

/// Fits the weights anew, and holds them against those in use.
pub fn refit(outcomes: &[Outcome], present: &Weights) -> Refit {
    let counts = Counts::of(outcomes.iter());
    if counts.all() < LEAST_OUTCOMES || counts.disputed.min(counts.kept) < LEAST_OF_EACH {
        return Refit::TooFew(counts);
    }
    let cells = cells(outcomes.iter());
    let (model, errors) = fit(&cells, present, Free::Weights);
    let weights = model.weights(present.base());
    let learnt = |place: usize| Learnt {
        before: present.values()[place],
        now: weights.values()[place],
        error: errors[place],
        counts: Counts::of(outcomes.iter().filter(|outcome| outcome.signs.has(Sign::ALL[place]))),
    };
    let fitted = Fitted {
        counts,
        weights,
        signs: std::array::from_fn(learnt),
        drawn: drawn(outcomes, present),
        held_out: held_out::held_out(outcomes, present),
    };
    Refit::Fitted(Box::new(fitted))
}

fn drawn(outcomes: &[Outcome], present: &Weights) -> Drawn {
    let rate = |is_manual: bool| {
        let outcomes = outcomes.iter().filter(|outcome| outcome.is_drawn && outcome.is_manual == is_manual);
        let counts = Counts::of(outcomes.clone());
        // Summed by kinds of claims: the order of outcomes must not show in the last digits.
        let expected = cells(outcomes);
        let expected =
            expected.iter().map(|(kind, cell)| cell.all() * present.probability(is_manual, kind.signs));
        // The sum of nothing would be less than nothing: -0.
        Rate { counts, expected: expected.fold(0.0, |sum, claims| sum + claims) }
    };
    Drawn { automatic: rate(false), manual: rate(true) }
}

/// Outcomes that are alike to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    signs: Signs,
    is_manual: bool,
    is_ranked: bool,
}

/// How many there are of a cell.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    disputed: f64,
    kept: f64,
}

impl Tally {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole numbers of claims")]
    fn counts(self) -> Counts {
        Counts { disputed: self.disputed as usize, kept: self.kept as usize }
    }

    fn all(self) -> f64 {
        self.disputed + self.kept
    }
}

type Cells = BTreeMap<Cell, Tally>;

fn cells<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Cells {
    outcomes.fold(Cells::new(), |mut cells, outcome| {
        let Outcome { signs, is_manual, is_ranked, .. } = *outcome;
        let tally = cells.entry(Cell { signs, is_manual, is_ranked }).or_default();
        *(if outcome.is_disputed { &mut tally.disputed } else { &mut tally.kept }) += 1.0;
        cells
    })
}

/// What is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Free {
    /// The weights and the shifts.
    Weights,
    /// The shifts alone: the weights stay those in use.
    Shifts,
}

/// Weights with the shifts of their base rates.
#[derive(Debug, Clone, Copy)]
struct Model {
    base: Base,
    parameters: [f64; PARAMETERS],
}

impl Model {
    fn log_odds(&self, cell: Cell) -> f64 {
        let base = if cell.is_manual { self.base.manual } else { self.base.automatic };
        let features = features(cell);
        let sum: f64 = features.iter().zip(self.parameters).map(|(feature, weight)| feature * weight).sum();
        logit(base) + sum
    }

    fn probability(&self, cell: Cell) -> f64 {
        sigmoid(self.log_odds(cell))
    }

    /// The table without the shifts.
    fn weights(&self, base: Base) -> Weights {
        Weights::new(base, std::array::from_fn(|place| rounded(self.parameters[place])))
    }
}

/// What a weights file has of a weight.
fn rounded(weight: f64) -> f64 {
    let rounded = (weight * 1e4).round() / 1e4;
    // No file says that nothing is less than nothing.
    if rounded == 0.0 { 0.0 } else { rounded }
}

fn features(cell: Cell) -> [f64; PARAMETERS] {
    let mut features = [0.0; PARAMETERS];
    for (feature, sign) in features.iter_mut().zip(Sign::ALL) {
        *feature = f64::from(u8::from(cell.signs.has(sign)));
    }
    features[SIGNS + usize::from(cell.is_ranked)] = 1.0;
    features
}

/// The likeliest model, and the standard deviation of each of its parameters.
fn fit(cells: &Cells, present: &Weights, free: Free) -> (Model, [f64; PARAMETERS]) {
    let mut prior = [0.0; PARAMETERS];
    prior[..SIGNS].copy_from_slice(&present.values());
    let precision: [f64; PARAMETERS] = std::array::from_fn(|place| {
        let deviation = if place < SIGNS { PRIOR_DEVIATION } else { SHIFT_DEVIATION };
        1.0 / (deviation * deviation)
    });
    let mut model = Model { base: present.base(), parameters: prior };
    let loss = |model: &Model| {
        let data: f64 = cells.iter().map(|(cell, tally)| loss_of(model, *cell, *tally)).sum();
        let parameters = model.parameters.iter().zip(prior).zip(precision);
        let held: f64 = parameters.map(|((now, prior), precision)| precision * (now - prior).powi(2)).sum();
        data + held / 2.0
    };
    let mut now = loss(&model);
    let mut curvature = [[0.0; PARAMETERS]; PARAMETERS];
    for _ in 0..MOST_STEPS {
        let mut slope = [0.0; PARAMETERS];
        curvature = [[0.0; PARAMETERS]; PARAMETERS];
        for place in 0..PARAMETERS {
            slope[place] = precision[place] * (prior[place] - model.parameters[place]);
            curvature[place][place] = precision[place];
        }
        for (cell, tally) in cells {
            let mut features = features(*cell);
            if free == Free::Shifts {
                features[..SIGNS].fill(0.0);
            }
            let probability = model.probability(*cell);
            let residual = tally.disputed - tally.all() * probability;
            let spread = tally.all() * probability * (1.0 - probability);
            for row in 0..PARAMETERS {
                slope[row] += features[row] * residual;
                for column in 0..PARAMETERS {
                    curvature[row][column] += spread * features[row] * features[column];
                }
            }
        }
        let step = solve(&curvature, slope);
        // Half a step, and half of that, until it leads down: far off Newton's step may lead too far.
        let mut part = 1.0;
        let next = loop {
            let mut next = model;
            for (parameter, step) in next.parameters.iter_mut().zip(step) {
                *parameter += part * step;
            }
            let loss = loss(&next);
            if loss <= now || part < CLOSE_ENOUGH {
                now = loss.min(now);
                break next;
            }
            part /= 2.0;
        };
        let moved = step.iter().fold(0.0_f64, |most, step| most.max((part * step).abs()));
        model = next;
        if moved < CLOSE_ENOUGH {
            break;
        }
    }
    let errors = std::array::from_fn(|place| {
        let mut unit = [0.0; PARAMETERS];
        unit[place] = 1.0;
        solve(&curvature, unit)[place].sqrt()
    });
    (model, errors)
}

/// The negative log likelihood of a cell, without ever taking the log of nothing.
fn loss_of(model: &Model, cell: Cell, tally: Tally) -> f64 {
    let log_odds = model.log_odds(cell);
    tally.disputed * softplus(-log_odds) + tally.kept * softplus(log_odds)
}

/// `ln(1 + e^x)`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Solves a system with a positive definite matrix by Cholesky's decomposition. The prior keeps it from being singular.
fn solve(matrix: &[[f64; PARAMETERS]; PARAMETERS], right: [f64; PARAMETERS]) -> [f64; PARAMETERS] {
    let mut lower = [[0.0; PARAMETERS]; PARAMETERS];
    for row in 0..PARAMETERS {
        for column in 0..=row {
            let known: f64 = (0..column).map(|place| lower[row][place] * lower[column][place]).sum();
            let left = matrix[row][column] - known;
            lower[row][column] = if row == column { left.sqrt() } else { left / lower[column][column] };
        }
    }
    let mut solution = right;
    for row in 0..PARAMETERS {
        let known: f64 = (0..row).map(|place| lower[row][place] * solution[place]).sum();
        solution[row] = (solution[row] - known) / lower[row][row];
    }
    for row in (0..PARAMETERS).rev() {
        let known: f64 = (row + 1..PARAMETERS).map(|place| lower[place][row] * solution[place]).sum();
        solution[row] = (solution[row] - known) / lower[row][row];
    }
    solution
}

#[cfg(test)]
mod tests;
