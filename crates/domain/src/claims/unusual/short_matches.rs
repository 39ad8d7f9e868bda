//! Assets whose new claims are more and more matches of some seconds: mostly chance, or a sample.

use super::habits::Field;
use super::{Inputs, discovered, shown};
use crate::claims::alert::{Alert, Kind, Severity};
use crate::claims::snapshot::Source;
use crate::claims::tails::share_tail;

/// So many new claims must there be for a share to mean anything, and so many of them must be short.
const MIN_CREATED: u64 = 8;
const MIN_SHORT: u64 = 5;

/// From this share on, in hundredths, and this many times the usual one.
const MIN_SHARE: f64 = 0.5;
const MIN_RATIO: f64 = 3.0;

/// The share is held against what stood so many weeks ago or longer.
const WEEKS_AGO: usize = 3;

/// So many claims at least tell something of how shares differ between assets.
const TELLING_CLAIMS: u64 = 10;

pub(super) fn alerts(inputs: &Inputs<'_>) -> Vec<Alert> {
    let habits = inputs.habits;
    if !habits.has_last(Source::Claims) {
        return Vec::new();
    }
    // What stood at first: claims and, of them, the short ones.
    let at_first = |position: usize| {
        let weeks: Vec<_> =
            habits.asset(position, Field::Claims).zip(habits.asset(position, Field::Short)).collect();
        // The last of them is the week before.
        let old = weeks.len().saturating_sub(WEEKS_AGO - 1);
        let known = weeks.iter().take(old).find_map(|(claims, short)| Some(((*claims)?, (*short)?)));
        known.map(|(claims, short)| (claims, short.min(claims)))
    };
    let prior = prior(inputs.assets().filter_map(|(position, _)| at_first(position)));
    let mut looked_at = 0;
    let mut candidates = Vec::new();
    for (position, asset) in inputs.assets() {
        let Some((claims, short)) = at_first(position) else { continue };
        looked_at += 1;
        let created = u64::from(asset.claims_created);
        let last = habits.asset(position, Field::Short).last().flatten();
        let Some(new_short) = last.and_then(|last| u64::from(asset.claims_short).checked_sub(last)) else {
            continue;
        };
        let new_short = new_short.min(created);
        if created < MIN_CREATED || new_short < MIN_SHORT {
            continue;
        }
        let share = new_short as f64 / created as f64;
        let (yes, no) = (prior.0 + short as f64, prior.1 + (claims - short) as f64);
        let usual = yes / (yes + no);
        if share >= MIN_SHARE && share >= MIN_RATIO * usual {
            candidates.push((share_tail(new_short, created, yes, no), (asset, new_short, created, usual)));
        }
    }
    let found = discovered(candidates, looked_at).into_iter();
    found
        .map(|(probability, (asset, new_short, created, usual))| {
            let reason = format!(
                "{new_short} of {created} new claims match less than 10 s, usual are {:.0} %",
                usual * 100.0
            );
            inputs
                .on_asset(Kind::ShortMatch, Severity::High, asset, reason)
                .because("newShort", new_short)
                .because("created", created)
                .because("share", shown(new_short as f64 / created as f64))
                .because("usualShare", shown(usual))
                .because("probability", shown(probability))
                .because("action", "Raise the least match length in the asset's match policy, or cut the passage out of the reference that others share.")
        })
        .collect()
}

/// The catalogue's shares as a beta distribution, by the moments of those with enough claims.
pub(super) fn prior(shares: impl Iterator<Item = (u64, u64)>) -> (f64, f64) {
    let (mut assets, mut sum, mut squares, mut by_chance) = (0.0, 0.0, 0.0, 0.0);
    let (mut all, mut yes) = (0.0, 0.0);
    for (of, count) in shares {
        let (of, count) = (of as f64, count as f64);
        all += of;
        yes += count;
        if of >= TELLING_CLAIMS as f64 {
            let share = count / of;
            assets += 1.0;
            sum += share;
            squares += share * share;
            by_chance += 1.0 / of;
        }
    }
    let mean: f64 = ((yes + 0.5) / (all + 10.0)).clamp(1e-4, 0.5);
    let mut weight = 20.0;
    if assets >= 20.0 {
        let centre = sum / assets;
        let spread = squares / assets - centre * centre - mean * (1.0 - mean) * by_chance / assets;
        if spread > 0.0 {
            weight = (mean * (1.0 - mean) / spread - 1.0).clamp(2.0, 100.0);
        } else {
            weight = 100.0;
        }
    }
    (mean * weight, (1.0 - mean) * weight)
}
