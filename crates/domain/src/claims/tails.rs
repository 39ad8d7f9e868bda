//! Tails of the distributions that counts are held against, and what keeps false findings rare among many.
//!
//! A count of a week is negative binomial: a Poisson count whose rate is not known for certain. A share is
//! beta-binomial. Both tails come from the logarithm of the gamma function (Lanczos, g = 7) and the incomplete beta
//! function (Lentz' continued fraction, as in Press et al., Numerical Recipes, 6.4).

use serde_json::Value;

/// Of the findings of one kind in one week at most this share is false on average.
const FALSE_SHARE: f64 = 0.01;

/// The most terms of a fraction, and of a sum, which has one for each claim of an asset: what has not settled by then is
/// told as no evidence at all.
const MAX_TERMS: u32 = 100_000;
const MAX_SUMMANDS: u32 = 10_000_000;

const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// The logarithm of the gamma function of a positive number.
pub(super) fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        let pi = std::f64::consts::PI;
        return (pi / (pi * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let mut sum = LANCZOS[0];
    let mut at = 0.0;
    for term in LANCZOS.iter().skip(1) {
        at += 1.0;
        sum += term / (x + at);
    }
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The regularised incomplete beta function; 1 where it does not settle, which is no evidence.
fn beta_share(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        fraction(a, b, x).map_or(1.0, |value| (front * value / a).clamp(0.0, 1.0))
    } else {
        fraction(b, a, 1.0 - x).map_or(1.0, |value| (1.0 - front * value / b).clamp(0.0, 1.0))
    }
}

fn fraction(a: f64, b: f64, x: f64) -> Option<f64> {
    const TINY: f64 = 1e-300;
    let off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut above = 1.0;
    let mut below = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = below;
    for term in 1..MAX_TERMS {
        let at = f64::from(term);
        let numerators = [
            at * (b - at) * x / ((a + 2.0 * at - 1.0) * (a + 2.0 * at)),
            -(a + at) * (a + b + at) * x / ((a + 2.0 * at) * (a + 2.0 * at + 1.0)),
        ];
        for numerator in numerators {
            below = 1.0 / off_zero(1.0 + numerator * below);
            above = off_zero(1.0 + numerator / above);
            value *= below * above;
        }
        if (below * above - 1.0).abs() < 1e-14 {
            return Some(value);
        }
    }
    None
}

/// How probable so many or more are, where so many are expected with such a variance; a variance that is not above
/// the mean is taken for just above it, which is Poisson's.
pub(super) fn count_tail(count: f64, mean: f64, variance: f64) -> f64 {
    if count <= 0.0 {
        return 1.0;
    }
    if mean <= 0.0 {
        return 0.0;
    }
    let variance = variance.max(mean * (1.0 + 1e-6));
    // Failures with the probability q before r successes.
    let q = 1.0 - mean / variance;
    let r = mean * mean / (variance - mean);
    beta_share(count, r, q)
}

/// The smallest count at or below which such a share of all counts lies; see [`count_tail`].
pub(super) fn count_quantile(share: f64, mean: f64, variance: f64) -> u64 {
    let is_reached = |count: u64| 1.0 - count_tail(count as f64 + 1.0, mean, variance) >= share;
    let mut high = 1_u64;
    while !is_reached(high) && high < 1 << 50 {
        high *= 2;
    }
    let mut low = 0;
    while low < high {
        let middle = low + (high - low) / 2;
        if is_reached(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// How probable so many or more of `of` are, where the share is known no better than by `yes` and `no` seen before.
pub(super) fn share_tail(count: u64, of: u64, yes: f64, no: f64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    let (count, of) = (count as f64, of as f64);
    if count > of {
        return 0.0;
    }
    let ln = ln_gamma(of + 1.0) - ln_gamma(count + 1.0) - ln_gamma(of - count + 1.0)
        + ln_beta(count + yes, of - count + no)
        - ln_beta(yes, no);
    let mut term = ln.exp();
    let mut sum = term;
    let mut at = count;
    for _ in 0..MAX_SUMMANDS {
        if at >= of || term < sum * 1e-16 {
            return sum.min(1.0);
        }
        term *= (of - at) / (at + 1.0) * (at + yes) / (of - at - 1.0 + no);
        at += 1.0;
        sum += term;
    }
    1.0
}

/// Which of these are findings when so many were looked at: at most a share `q` of them is false on average
/// (Benjamini and Hochberg 1995). The probabilities that are not here count as 1.
pub(super) fn discoveries(probabilities: &[f64], looked_at: usize, q: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> = probabilities.to_vec();
    sorted.sort_by(f64::total_cmp);
    let of = looked_at.max(sorted.len()).max(1) as f64;
    let mut line = None;
    let mut rank = 0.0;
    for probability in &sorted {
        rank += 1.0;
        if *probability <= q * rank / of {
            line = Some(*probability);
        }
    }
    probabilities.iter().map(|probability| line.is_some_and(|line| *probability <= line)).collect()
}

/// Keeps of candidates, each with its probability, those that are findings when so many were looked at.
pub(super) fn discovered<T>(candidates: Vec<(f64, T)>, looked_at: usize) -> Vec<(f64, T)> {
    let probabilities: Vec<f64> = candidates.iter().map(|(probability, _)| *probability).collect();
    let found = discoveries(&probabilities, looked_at, FALSE_SHARE);
    candidates.into_iter().zip(found).filter(|(_, is_found)| *is_found).map(|(one, _)| one).collect()
}

/// How probable a departure of so much or more is where such departures scatter so widely around a centre. Logarithms
/// of growths have heavier tails than normal numbers; they are taken for Laplace's, whose scale is the middle distance
/// from the centre by the logarithm of 2.
pub(super) fn departure_tail(departure: f64, spread: f64) -> f64 {
    let scale = spread / (NORMAL_SPREAD * std::f64::consts::LN_2);
    0.5 * (-departure.max(0.0) / scale).exp()
}

/// A number for people: three figures behind the point at most; of a tiny probability its power of ten.
pub(super) fn shown(number: f64) -> Value {
    let rounded = (number * 1000.0).round() / 1000.0;
    if number > 0.0 && number < 0.001 { Value::from(format!("{number:.1e}")) } else { Value::from(rounded) }
}

/// The middle distance of normal numbers from their centre, times this, is their standard deviation.
const NORMAL_SPREAD: f64 = 1.4826;

/// The middle of some numbers, the mean of two middles; none of none.
pub(super) fn median(numbers: &mut [f64]) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = *numbers.get(numbers.len() / 2)?;
    if numbers.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *numbers.get(numbers.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// The middle, and the spread around it as a standard deviation of normal numbers would be.
pub(super) fn centre_and_spread(mut numbers: Vec<f64>) -> Option<(f64, f64)> {
    let centre = median(&mut numbers)?;
    for number in &mut numbers {
        *number = (*number - centre).abs();
    }
    Some((centre, NORMAL_SPREAD * median(&mut numbers)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn close(found: f64, known: f64) {
        assert!((found / known - 1.0).abs() < 1e-9, "{found:e}, known is {known:e}");
    }

    #[test]
    fn tails_are_the_known_ones() {
        // Geometric tails.
        close(count_tail(5.0, 1.0, 2.0), 0.5_f64.powi(5));
        close(count_tail(40.0, 9.0, 90.0), 0.9_f64.powi(40));
        // Four coin tosses.
        assert!((share_tail(3, 4, 5e7, 5e7) - 5.0 / 16.0).abs() < 1e-6);
        // A share of which nothing is known: each count is as probable as any other.
        close(share_tail(8, 9, 1.0, 1.0), 2.0 / 10.0);
        close(share_tail(100, 1_000_000, 1.0, 1.0), (1_000_001.0 - 100.0) / 1_000_001.0);
        // Poisson, from its table: 1 - e^-2 (1 + 2 + 2).
        let poisson = 1.0 - (-2.0_f64).exp() * 5.0;
        assert!((count_tail(3.0, 2.0, 2.0) - poisson).abs() < 1e-5);
        close(ln_gamma(11.0), 3_628_800.0_f64.ln());
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln());
    }

    #[test]
    fn quantiles_are_those_of_a_geometric_count() {
        // Below 5 lies 1 - 2^-5 of all.
        assert_eq!(count_quantile(0.96, 1.0, 2.0), 4);
        assert_eq!(count_quantile(0.5, 1.0, 2.0), 0);
        assert_eq!(count_quantile(0.9, 0.0, 0.0), 0);
    }

    #[test]
    fn of_many_only_the_least_probable_are_findings() {
        let found = discoveries(&[0.001, 0.02, 0.9], 3, 0.05);
        assert_eq!(found, [true, true, false]);
        assert_eq!(discoveries(&[0.001, 0.02, 0.9], 1000, 0.05), [false; 3]);
        assert_eq!(discoveries(&[], 1000, 0.05), [false; 0]);
    }

    proptest! {
        #[test]
        fn a_tail_is_a_probability_and_falls_whatever_the_counts(
            count in 0_u64..1 << 50, more in 0_u64..1 << 40, mean in 0.0_f64..1e12, over in 0.0_f64..1e3,
        ) {
            let variance = mean * (1.0 + over);
            let [here, beyond] = [count, count + more].map(|count| count_tail(count as f64, mean, variance));
            prop_assert!((0.0..=1.0).contains(&here) && beyond <= here + 1e-9);
            let small = count % 100_000;
            let tail = share_tail(small, 100_000, 0.5 + over, 1.0 + over);
            prop_assert!((0.0..=1.0).contains(&tail));
        }
    }
}
