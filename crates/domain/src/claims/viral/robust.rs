//! Medians and the like, of numbers without a gap among them.

/// What makes a median of absolute deviations a standard deviation where the deviations are normal.
const NORMAL: f32 = 1.4826;
/// The standard error of a median over that of a mean, where the values are normal: the root of π/2.
const OF_A_MEDIAN: f32 = 1.2533;

/// The median; with an even number of values the mean of the middle two. The order of the values is lost.
pub(super) fn median(values: &mut [f32]) -> Option<f32> {
    let count = values.len();
    if count == 0 {
        return None;
    }
    let (below, middle, _) = values.select_nth_unstable_by(count / 2, f32::total_cmp);
    let middle = *middle;
    if count % 2 == 1 {
        return Some(middle);
    }
    let lower = below.iter().copied().max_by(f32::total_cmp).unwrap_or(middle);
    Some(lower + (middle - lower) / 2.0)
}

/// The value below which a share of the values lies. The order of the values is lost.
pub(super) fn quantile(values: &mut [f32], share: f32) -> Option<f32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is a place"
    )]
    let place = (values.len() as f32 * share) as usize;
    let last = values.len().checked_sub(1)?;
    Some(*values.select_nth_unstable_by(place.min(last), f32::total_cmp).1)
}

/// Median and robust standard deviation. The values are lost.
pub(super) fn centre(values: &mut [f32]) -> Option<(f32, f32)> {
    let middle = median(values)?;
    for value in values.iter_mut() {
        *value = (*value - middle).abs();
    }
    Some((middle, NORMAL * median(values)?))
}

/// The robust standard deviation of values whose centre is zero. The values are lost.
pub(super) fn spread_about_zero(values: &mut [f32]) -> Option<f32> {
    for value in values.iter_mut() {
        *value = value.abs();
    }
    Some(NORMAL * median(values)?)
}

/// The standard error of a median of so many values of that spread.
pub(super) fn error_of_median(spread: f32, count: usize) -> f32 {
    OF_A_MEDIAN * spread / (count.max(1) as f32).sqrt()
}

/// The logarithm of a ratio of counts that is shrunk towards one where both are small.
pub(super) fn shrunk_log_ratio(count: f32, of: f32, shrink: f32) -> f32 {
    ((count + shrink) / (of + shrink)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_between_the_middle_two() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&mut [f32::MAX, f32::MAX]), Some(f32::MAX), "the sum of two does not overflow");
    }

    #[test]
    fn one_wild_value_moves_neither_centre_nor_spread() {
        let (middle, spread) = centre(&mut [1.0, 2.0, 3.0, 4.0, 1e30]).unwrap();
        assert_eq!((middle, spread), (3.0, NORMAL));
        assert_eq!(spread_about_zero(&mut [-1.0, 1.0, 1e30]), Some(NORMAL));
    }

    #[test]
    fn a_quantile_of_few_values_is_the_last_of_them() {
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [1.0, 2.0], 1.0), Some(2.0));
        assert_eq!(quantile(&mut (0_u8..100).map(f32::from).collect::<Vec<_>>(), 0.95), Some(95.0));
    }
}
