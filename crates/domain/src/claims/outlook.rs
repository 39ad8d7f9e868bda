//! Where a trend changed for good, and what its next week will probably bring.
//!
//! Change points: the weeks are split so that the squared distances from each part's mean, in the series' own noise, and
//! a price for each split come to the least (optimal partitioning, Jackson et al. 2005). A steady growth is taken off
//! first, and a split counts only if the step is clear of the noise and large against the level.
//!
//! The outlook is one of three plain forecasts, whichever would have erred least so far. Its interval is made of the
//! errors that it did make (split conformal): it is as wide as the series is hard to tell, and there is none where it was
//! not tried often enough.

use serde::{Deserialize, Serialize};

use super::tails::{centre_and_spread, median};
use super::week::Week;

/// So many weeks must a part have, and so many known weeks a series.
const MIN_PART: usize = 3;
const MIN_WEEKS: usize = 2 * MIN_PART;

/// What a split must save for each factor e of weeks: twice what a part of chance saves on average, as all places of a
/// split are tried.
const PRICE: f64 = 4.0;

/// A step is so many times the noise, and such a share of the level.
const MIN_NOISES: f64 = 4.0;
const MIN_SHARE: f64 = 0.05;

/// Noise is never less than this share of the level: no series is known better.
const LEAST_NOISE: f64 = 0.005;

/// A forecast looks back on so many weeks, of which so many must be known.
const LOOK_BACK: usize = 4;
const MIN_KNOWN: usize = 3;

/// A forecast must have been tried so often.
const MIN_ERRORS: usize = 5;

/// In so many of a hundred weeks the interval holds.
const PERCENT: u32 = 80;

/// A week from which on a series is on another level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangePoint {
    /// The first week of the new level.
    pub week: Week,
    /// The middle of the part before it.
    pub before: i64,
    /// The middle of the part that it begins.
    pub after: i64,
}

/// What the next week will probably bring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// The week.
    pub week: Week,
    /// The forecast.
    pub expected: i64,
    /// The interval's ends.
    pub low: i64,
    /// See `low`.
    pub high: i64,
    /// In so many of a hundred weeks it holds.
    pub percent: u32,
    /// The weeks in which the forecast was tried.
    pub tried: usize,
}

/// The weeks from which on the series is on another level, the oldest first.
pub(super) fn change_points(weeks: &[Week], values: &[Option<i64>]) -> Vec<ChangePoint> {
    let known: Vec<(Week, f64, f64)> = weeks
        .iter()
        .zip(values)
        .enumerate()
        .filter_map(|(at, (week, value))| Some((*week, at as f64, (*value)? as f64)))
        .collect();
    let steps: Vec<f64> = known
        .windows(2)
        .filter_map(|pair| match pair {
            [(_, from, was), (_, to, is)] => Some((is - was) / (to - from)),
            _ => None,
        })
        .collect();
    let Some((drift, spread)) = centre_and_spread(steps).filter(|_| known.len() >= MIN_WEEKS) else {
        return Vec::new();
    };
    let level = known.iter().map(|(.., value)| value.abs()).sum::<f64>() / known.len() as f64;
    // A difference has the noise of two weeks.
    let noise = (spread / std::f64::consts::SQRT_2).max(LEAST_NOISE * level).max(1.0);
    let flat: Vec<f64> = known.iter().map(|(_, at, value)| value - drift * at).collect();
    let is_step = |step: f64| step.abs() >= MIN_NOISES * noise && step.abs() >= MIN_SHARE * level;
    let starts: Vec<usize> = split(&flat, noise);
    let ends = starts.iter().skip(1).copied().chain([flat.len()]);
    let parts: Vec<(usize, usize)> = starts.iter().copied().zip(ends).collect();
    parts
        .windows(2)
        .filter_map(|pair| match pair {
            [(begin, middle), (_, end)] => {
                // One odd week moves a part's mean and not its middle.
                let flat_middle = |from, to| median(&mut flat.get(from..to)?.to_vec());
                if !is_step(flat_middle(*middle, *end)? - flat_middle(*begin, *middle)?) {
                    return None;
                }
                let middle_of = |from: usize, to: usize| {
                    let part = known.get(from..to)?.iter().map(|(.., value)| *value);
                    median(&mut part.collect::<Vec<_>>()).map(whole)
                };
                let (week, ..) = known.get(*middle)?;
                Some(ChangePoint {
                    week: *week,
                    before: middle_of(*begin, *middle)?,
                    after: middle_of(*middle, *end)?,
                })
            }
            _ => None,
        })
        .collect()
}

/// Where the parts of the cheapest split begin, the first at 0.
fn split(values: &[f64], noise: f64) -> Vec<usize> {
    let price = PRICE * (values.len() as f64).ln();
    let cost = |part: &[f64]| {
        let centre = mean(part.iter().copied());
        part.iter().map(|value| ((value - centre) / noise).powi(2)).sum::<f64>()
    };
    // By the number of values: the least cost, and where the last part begins.
    let mut best: Vec<(f64, usize)> = vec![(0.0, 0)];
    for end in 1..=values.len() {
        let mut least = (f64::INFINITY, 0);
        for begin in 0..end {
            if end - begin < MIN_PART || begin > 0 && begin < MIN_PART {
                continue;
            }
            let before = best.get(begin).map_or(f64::INFINITY, |(cost, _)| *cost);
            let split_price = if begin > 0 { price } else { 0.0 };
            let all = before + cost(values.get(begin..end).unwrap_or_default()) + split_price;
            if all < least.0 {
                least = (all, begin);
            }
        }
        best.push(least);
    }
    let mut starts = Vec::new();
    let mut end = values.len();
    while end > 0 {
        let begin = best.get(end).map_or(0, |(_, begin)| *begin);
        starts.push(begin);
        end = begin;
    }
    starts.reverse();
    starts
}

/// What the week after the last will probably bring; none where no forecast was tried often enough.
pub(super) fn outlook(last: Week, values: &[Option<i64>]) -> Option<Outlook> {
    let values: Vec<Option<f64>> = values.iter().map(|value| value.map(|value| value as f64)).collect();
    let trials: Vec<(f64, [f64; 3])> = (0..values.len())
        .filter_map(|at| Some((values.get(at).copied()??, forecasts(values.get(..at)?)?)))
        .collect();
    if trials.len() < MIN_ERRORS {
        return None;
    }
    let next = forecasts(&values)?;
    let errors = |method: usize| -> Vec<f64> {
        let forecast = |forecasts: &[f64; 3]| forecasts.get(method).copied().unwrap_or_default();
        trials.iter().map(|(value, forecasts)| (value - forecast(forecasts)).abs()).collect()
    };
    let (expected, mut errors) = next
        .into_iter()
        .enumerate()
        .map(|(method, next)| (next, errors(method)))
        .min_by(|a, b| a.1.iter().sum::<f64>().total_cmp(&b.1.iter().sum()))?;
    errors.sort_by(f64::total_cmp);
    // Of so many errors and the coming one each is as likely to be the k-th.
    let count = errors.len();
    let rank = ((count + 1) * usize::try_from(PERCENT).ok()?).div_ceil(100).min(count);
    let width = errors.get(rank.checked_sub(1)?).copied()?;
    let is_count = values.iter().flatten().all(|value| *value >= 0.0);
    let floor = if is_count { 0.0 } else { f64::NEG_INFINITY };
    Some(Outlook {
        week: last.plus(1),
        expected: whole(expected.max(floor)),
        low: whole((expected - width).max(floor)),
        high: whole(expected + width),
        percent: PERCENT,
        tried: count,
    })
}

/// The next value by what came before: as the last, as the mean of the last, and on from the last as fast as these went.
fn forecasts(before: &[Option<f64>]) -> Option<[f64; 3]> {
    let back = before.get(before.len().checked_sub(LOOK_BACK)?..)?;
    let known: Vec<(f64, f64)> =
        back.iter().enumerate().filter_map(|(at, value)| Some((at as f64, (*value)?))).collect();
    let last = back.last().copied().flatten()?;
    let (first_at, first) = *known.first()?;
    if known.len() < MIN_KNOWN {
        return None;
    }
    let pace = (last - first) / (LOOK_BACK as f64 - 1.0 - first_at);
    Some([last, mean(known.iter().map(|(_, value)| *value)), last + pace])
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a sum of views; what is beyond all numbers is the largest"
)]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::world::week;
    use proptest::prelude::*;

    fn weeks() -> Vec<Week> {
        week(0).row_of(12).collect()
    }

    fn points(values: &[i64]) -> Vec<(String, i64, i64)> {
        let values: Vec<Option<i64>> = values.iter().copied().map(Some).collect();
        let found = change_points(&weeks(), &values).into_iter();
        found.map(|point| (point.week.to_string(), point.before, point.after)).collect()
    }

    #[test]
    fn a_step_is_a_change_and_noise_a_steady_growth_and_one_odd_week_are_none() {
        let step = [100, 104, 98, 101, 99, 103, 150, 148, 153, 149, 151, 150].map(|value| value * 1000);
        assert_eq!(points(&step), [(week(-5).to_string(), 100_500, 150_000)]);
        let none: [(String, i64, i64); 0] = [];
        assert_eq!(
            points(&[100, 104, 98, 101, 99, 103, 97, 102, 100, 99, 104, 98].map(|value| value * 1000)),
            none
        );
        assert_eq!(
            points(&[10, 20, 31, 40, 50, 61, 70, 80, 91, 100, 110, 120].map(|value| value * 1000)),
            none
        );
        assert_eq!(
            points(&[100, 104, 98, 101, 99, 103, 190, 102, 100, 99, 104, 98].map(|value| value * 1000)),
            none
        );
        assert_eq!(points(&[0; 12]), none);
    }

    #[test]
    fn the_outlook_is_as_wide_as_the_series_is_hard_to_tell() {
        let of = |values: &[i64]| outlook(week(0), &values.iter().copied().map(Some).collect::<Vec<_>>());
        let steady = of(&[10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]).unwrap();
        assert_eq!((steady.expected, steady.low, steady.high, steady.tried), (130, 130, 130, 8));
        assert_eq!(steady.week, week(1));
        let wild = of(&[100, 160, 40, 120, 30, 170, 90, 20, 150, 60, 180, 10]).unwrap();
        assert!(wild.high - wild.low > 100 && wild.low >= 0, "{wild:?}");
        assert_eq!(of(&[1, 2, 3, 4, 5, 6, 7, 8]), None, "four trials are too few");
        let mut gap: Vec<Option<i64>> = (0..12).map(Some).collect();
        gap[11] = None;
        assert_eq!(outlook(week(0), &gap), None, "nothing follows from a week that is not known");
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_forecast_whatever_the_numbers(
            values in prop::collection::vec(prop::option::weighted(0.9, any::<i64>()), 0..13),
        ) {
            if let Some(outlook) = outlook(week(0), &values) {
                prop_assert!(outlook.low <= outlook.expected && outlook.expected <= outlook.high);
            }
            let points = change_points(&weeks(), &values);
            prop_assert!(points.len() < 4 && points.iter().all(|point| weeks().contains(&point.week)));
        }
    }
}
