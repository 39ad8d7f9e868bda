//! Views that rise while claims do not, and claims that rise while views do not.
//!
//! The first is music that is watched and not claimed (a reference is missing, or matches nothing), the second claims
//! that bring nothing (short or wrong matches). Both are held over some weeks: a single week is a surge or a change,
//! and these have findings of their own.

use super::habits::Field;
use super::{Inputs, discovered, shown};
use crate::claims::alert::{Alert, Kind, Severity};
use crate::claims::snapshot::AssetState;
use crate::claims::tails::{centre_and_spread, departure_tail, median};

/// The habit is the middle of what was so many weeks ago and longer, of two weeks at least.
const WEEKS_AGO: usize = 5;
const MIN_WEEKS: usize = 2;

/// Views that rise: to so many times the habit, by so many a day.
const VIEWS_RATIO: f64 = 3.0;
const MIN_MORE_VIEWS: u64 = 200;
/// Claims that rise: to so many times the habit, by so many.
const CLAIMS_RATIO: f64 = 2.0;
const MIN_MORE_CLAIMS: u64 = 50;
/// Flat is what grew to less than so many times the habit.
const FLAT_CLAIMS: f64 = 1.1;
const FLAT_VIEWS: f64 = 1.3;

/// Added to both sides of a ratio, so that few views are no surge.
const SMALL_VIEWS: f64 = 10.0;
const SMALL_CLAIMS: f64 = 3.0;

/// Growths differ by so much even where the catalogue's do not.
const MIN_SPREAD: f64 = 0.05;

struct Compared<'a> {
    asset: &'a AssetState,
    views: (u64, f64),
    claims: (u64, f64),
    // Ratios to the habit.
    views_growth: f64,
    views_week_before: Option<f64>,
    claims_growth: f64,
}

pub(super) fn alerts(inputs: &Inputs<'_>) -> Vec<Alert> {
    let compared: Vec<Compared<'_>> =
        inputs.assets().filter_map(|(position, asset)| compare(inputs, position, asset)).collect();
    let spread = |growth: fn(&Compared<'_>) -> f64| {
        centre_and_spread(compared.iter().map(|one| growth(one).ln()).collect()).unwrap_or((0.0, 0.0))
    };
    let (views, claims) = (spread(|one| one.views_growth), spread(|one| one.claims_growth));
    let mut candidates = Vec::new();
    for one in &compared {
        let (views_now, views_habit) = one.views;
        let (claims_now, claims_habit) = one.claims;
        // All of the catalogue's growth in common is nobody's discrepancy.
        let views_growth = one.views_growth / views.0.exp();
        let is_up = views_growth >= VIEWS_RATIO
            && views_now as f64 >= views_habit + MIN_MORE_VIEWS as f64
            && one.views_week_before.is_some_and(|growth| growth / views.0.exp() >= VIEWS_RATIO / 2.0)
            && one.claims_growth < FLAT_CLAIMS;
        let is_down = one.claims_growth >= CLAIMS_RATIO
            && claims_now as f64 >= claims_habit + MIN_MORE_CLAIMS as f64
            && views_growth < FLAT_VIEWS;
        if is_up {
            candidates.push((
                departure_tail(one.views_growth.ln() - views.0, views.1.max(MIN_SPREAD)),
                (one, true),
            ));
        } else if is_down {
            candidates.push((
                departure_tail(one.claims_growth.ln() - claims.0, claims.1.max(MIN_SPREAD)),
                (one, false),
            ));
        }
    }
    let found = discovered(candidates, compared.len()).into_iter();
    found.map(|(_, (one, is_views))| alert(inputs, one, is_views)).collect()
}

fn compare<'a>(inputs: &Inputs<'a>, position: usize, asset: &'a AssetState) -> Option<Compared<'a>> {
    if inputs.is_suspect_channel(asset.channel) {
        return None;
    }
    // One of the two throughout, never a mix.
    let of = |field| -> Vec<Option<u64>> { inputs.habits.asset(position, field).collect() };
    let (views_now, past) = [
        (asset.daily_views.get(), Field::DailyViews),
        (asset.daily_engaged_views.get(), Field::DailyEngagedViews),
    ]
    .into_iter()
    .find_map(|(now, field)| Some((now?, of(field))).filter(|(_, past)| habit(past).is_some()))?;
    let claims_now = asset.active_claims.get()?;
    let claims_habit = habit(&of(Field::ActiveClaims))?;
    let views_habit = habit(&past)?;
    let growth = |now: u64, habit: f64, small: f64| (now as f64 + small) / (habit + small);
    Some(Compared {
        asset,
        views: (views_now, views_habit),
        claims: (claims_now, claims_habit),
        views_growth: growth(views_now, views_habit, SMALL_VIEWS),
        views_week_before: past.last().copied().flatten().map(|last| growth(last, views_habit, SMALL_VIEWS)),
        claims_growth: growth(claims_now, claims_habit, SMALL_CLAIMS),
    })
}

fn habit(weeks: &[Option<u64>]) -> Option<f64> {
    let mut old: Vec<f64> =
        weeks.iter().rev().skip(WEEKS_AGO - 1).flatten().map(|number| *number as f64).collect();
    if old.len() < MIN_WEEKS {
        return None;
    }
    median(&mut old)
}

fn alert(inputs: &Inputs<'_>, one: &Compared<'_>, is_views: bool) -> Alert {
    let (views_now, views_habit) = one.views;
    let (claims_now, claims_habit) = one.claims;
    let (reason, action) = if is_views {
        (
            format!(
                "views {views_habit:.0} → {views_now} a day, and active claims {claims_habit:.0} → {claims_now}"
            ),
            "See whether its references are active and match: what is watched is hardly claimed.",
        )
    } else {
        (
            format!(
                "active claims {claims_habit:.0} → {claims_now}, and views {views_habit:.0} → {views_now} a day"
            ),
            "See some of the new claims: they bring no views, and may be wrong or too short.",
        )
    };
    inputs
        .on_asset(Kind::ViewsClaimsDiscrepancy, Severity::High, one.asset, reason)
        .because("viewsUsual", shown(views_habit))
        .because("viewsGrowth", shown(one.views_growth))
        .because("claimsUsual", shown(claims_habit))
        .because("claims", claims_now)
        .because("claimsGrowth", shown(one.claims_growth))
        .because("action", action)
}
