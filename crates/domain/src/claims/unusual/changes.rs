//! Active claims that changed beyond the asset's own habit. The plain differences are for `changes.csv`.

use super::habits::{Field, signed};
use super::rates::Learner;
use super::{Inputs, MIN_WEEKS, discovered, shown};
use crate::claims::alert::{Alert, Kind, Severity};
use crate::claims::snapshot::Source;

/// From such a difference on.
const MIN_DIFFERENCE: u64 = 15;

/// From so many times the usual difference, and this share of the claims, on.
const MIN_RATIO: f64 = 3.0;
const MIN_SHARE: f64 = 0.1;

pub(super) fn alerts(inputs: &Inputs<'_>) -> Vec<Alert> {
    let habits = inputs.habits;
    if !habits.has_last(Source::Assets) {
        return Vec::new();
    }
    let sizes = |position: usize| {
        habits.gains(position, Field::ActiveClaims).into_iter().flatten().map(i64::unsigned_abs)
    };
    let mut learner = Learner::default();
    for (position, _) in inputs.assets() {
        learner.add(sizes(position));
    }
    let rates = learner.rates();
    let mut looked_at = 0;
    let mut candidates = Vec::new();
    for (position, asset) in inputs.assets() {
        let before = habits.asset(position, Field::ActiveClaims).last().flatten();
        let (Some(now), Some(before)) = (asset.active_claims.get(), before) else { continue };
        looked_at += 1;
        let size = now.abs_diff(before);
        if size < MIN_DIFFERENCE || (size as f64) < MIN_SHARE * now.max(before) as f64 {
            continue;
        }
        let expected = rates.expect(sizes(position));
        if expected.weeks >= MIN_WEEKS && size as f64 >= MIN_RATIO * expected.mean {
            candidates.push((expected.tail(size), (asset, before, now, expected)));
        }
    }
    let found = discovered(candidates, looked_at).into_iter();
    found
        .map(|(probability, (asset, before, now, expected))| {
            let difference = signed(now) - signed(before);
            let reason = format!(
                "active claims {before} → {now} ({difference:+}); a week usually changes {:.1}",
                expected.mean
            );
            let action = if difference < 0 {
                "See what was released or lost: policy, ownership and references of the asset."
            } else {
                "See where the new claims come from; if the matches are right all is well."
            };
            inputs
                .on_asset(Kind::ClaimsChange, Severity::High, asset, reason)
                .because("before", before)
                .because("now", now)
                .because("difference", difference)
                .because("usual", shown(expected.mean))
                .because("weeks", expected.weeks)
                .because("probability", shown(probability))
                .because("action", action)
        })
        .collect()
}
