//! Which series surged this week beyond their habit: views of videos and assets, claims, likes, comments.
//!
//! [`Detector::step`] takes one week of every series and scores it by the weeks before, never by a later one:
//!
//! 1. **Habit**: the median of a series' last four weeks that were there ([`HABIT_WEEKS`]).
//! 2. **Health of the report**: where a whole report or a whole channel departs from its own habit, the common factor is
//!    taken out of that week and told as a [`Departure`] (`gate`).
//! 3. **Expectation**: the habit; more where a launch still climbs, where the same weeks of last year rose, or where
//!    the count may hold weeks that were missing before (`expectation`).
//! 4. **Score**: the shrunk log ratio of seen to expected over the spread of the series, `ln((x+40)/(e+40)) / (1+s)`. The
//!    constant in the divisor keeps a steady series' small change from passing for a surge (Tusher, Tibshirani and Chu
//!    2001, *Significance analysis of microarrays*); `s` is the series' own robust spread, shrunk towards that of the
//!    catalogue at its level (`spread`).
//! 5. **Crowd**: when far more of the catalogue rises at once than ever did, it is the season (`crowd`).
//! 6. **Threshold**: what let through as many new alerts a week as the reader can attend to (`budget`).
//!
//! Nothing is learnt elsewhere and carried here; what is fitted is fitted to the catalogue's own past. What it is worth
//! and what was tried stands in `docs/DETECTION.md`. The same input gives the same bytes.

#![cfg_attr(
    test,
    expect(clippy::float_cmp, reason = "the same input gives the same bytes, and tests compare them")
)]

mod budget;
mod counters;
mod crowd;
mod detector;
mod expectation;
mod finding;
mod gate;
mod memory;
mod panel;
mod panel_file;
mod robust;
mod spread;
#[cfg(test)]
mod tests;
mod week;

pub use counters::{LifetimeCounters, gains_of};
pub use detector::{Counting, Detector};
pub use expectation::Basis;
pub use finding::draft;
pub use gate::Departure;
pub use memory::HABIT_WEEKS;
pub use panel::Panel;
pub use panel_file::{GROUP_COLUMN, SERIES_COLUMN, read_panel};
pub use week::{Cell, Week};

/// What stands for a week without a row. It is a gap, never a zero.
pub const GAP: f32 = f32::NAN;

/// The largest count there is: what is beyond it is taken for it, so that no arithmetic on counts overflows.
const MOST: f32 = 1e15;

/// How many weeks with a row a series must have before one of its weeks is scored.
pub const LEAST_PAST: u16 = 4;
