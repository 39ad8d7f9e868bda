//! Assets whose claims are released far more often than others': somebody releases what should be held, or what was
//! claimed should never have been.

use super::habits::Field;
use super::short_matches::prior;
use super::{Inputs, discovered, shown};
use crate::claims::alert::{Alert, Kind, Severity};
use crate::claims::snapshot::Source;
use crate::claims::tails::share_tail;

/// From so many released in a week on.
const MIN_RELEASED: u64 = 5;

/// From more than so many times the usual rate on.
const MIN_RATIO: f64 = 4.0;

pub(super) fn alerts(inputs: &Inputs<'_>) -> Vec<Alert> {
    let (Some(before), Some(changes)) = (inputs.week_before(Source::Claims), inputs.changes) else {
        return Vec::new();
    };
    let habits = inputs.habits;
    // Claims held, week after week, and what of them was released by the next.
    let own = |position: usize| {
        let weeks: Vec<_> =
            habits.asset(position, Field::Claims).zip(habits.asset(position, Field::Inactive)).collect();
        weeks.windows(2).fold((0, 0), |(held, released), pair| match pair {
            [(Some(claims), Some(from)), (_, Some(to))] => {
                let open = claims.saturating_sub(*from);
                (held + open, released + to.saturating_sub(*from).min(open))
            }
            _ => (held, released),
        })
    };
    // Without a single week of releases before, nobody knows a usual rate.
    if inputs.assets().all(|(position, _)| own(position).0 == 0) {
        return Vec::new();
    }
    let prior = prior(inputs.assets().map(|(position, _)| own(position)));
    let mut looked_at = 0;
    let mut candidates = Vec::new();
    for (position, asset) in inputs.assets() {
        let Some(was) = before.asset(asset.id) else { continue };
        let held = u64::from(was.claims.saturating_sub(was.claims_inactive));
        if held == 0 {
            continue;
        }
        looked_at += 1;
        let released = changes.claims.get(&asset.id).map_or(0, |moves| moves.released).min(held);
        if released < MIN_RELEASED {
            continue;
        }
        let (held_before, released_before) = own(position);
        let yes = prior.0 + released_before as f64;
        let no = prior.1 + held_before.saturating_sub(released_before) as f64;
        let usual = yes / (yes + no);
        if released as f64 / held as f64 > MIN_RATIO * usual {
            candidates.push((share_tail(released, held, yes, no), (asset, released, held, usual)));
        }
    }
    let found = discovered(candidates, looked_at).into_iter();
    found
        .map(|(probability, (asset, released, held, usual))| {
            let share = released as f64 / held as f64;
            let reason = format!(
                "{released} of {held} claims were released in the week, {:.1} %; usual are {:.1} %",
                share * 100.0,
                usual * 100.0
            );
            inputs
                .on_asset(Kind::ReleaseRate, Severity::High, asset, reason)
                .because("released", released)
                .because("held", held)
                .because("rate", shown(share))
                .because("usualRate", shown(usual))
                .because("probability", shown(probability))
                .because("action", "See who released them and why; if the matches were wrong mend the reference, if not claim again.")
        })
        .collect()
}
