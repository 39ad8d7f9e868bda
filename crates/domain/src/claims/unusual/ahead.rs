//! Content that will raise claims: assets whose claimed uses accelerate, sounds in a surge that nothing claims or earns
//! with, and partners' videos that another owner claims.

use std::cmp::Reverse;

use super::habits::Field;
use super::rates::quantile;
use super::{Inputs, discovered, shown};
use crate::claims::alert::{Alert, Kind, Severity, Subject};
use crate::claims::links;
use crate::claims::tails::median;
use crate::printable::printable;

/// A trend is fitted to so many weeks, this one included, and needs so many of them.
const TREND_WEEKS: usize = 6;
const MIN_TREND_WEEKS: usize = 5;

/// An acceleration is so many new claims in the week, and so many times as many from week to week.
const MIN_CREATED: u64 = 10;
const MIN_GROWTH: f64 = 1.2;

/// The share of weeks that an interval is to hold.
const INTERVAL: f64 = 0.8;

/// A sound in a surge: so many times its usual views and so many a day more.
const SURGE_RATIO: f64 = 4.0;
const SURGE_MORE: u64 = 200;

/// A contested video is worth a word from so many views a week on, and so many of them are named.
const CONTESTED_VIEWS: u64 = 5_000;
const MOST_CONTESTED: usize = 20;

/// A trend of counts: Poisson's with a scatter of its own, its logarithm a straight line (fitted by Newton's method).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trend {
    /// The logarithm of the factor from week to week, and how well it is known.
    pub slope: f64,
    pub slope_error: f64,
    /// What the next week is expected to bring, with its variance.
    pub next: f64,
    pub next_variance: f64,
}

/// Fits a trend to counts by their week, the last one being 0; none where there is nothing to fit.
pub(super) fn trend(counts: &[(f64, u64)]) -> Option<Trend> {
    let total: f64 = counts.iter().map(|(_, count)| *count as f64).sum();
    if counts.len() < 3 || total <= 0.0 {
        return None;
    }
    let (mut level, mut slope) = ((total / counts.len() as f64).ln(), 0.0);
    let mut information = [0.0; 3];
    for _ in 0..50 {
        let (mut gradient, mut sums) = ([0.0; 2], [1e-9, 0.0, 1e-9]);
        for (at, count) in counts {
            let mean = (level + slope * at).clamp(-30.0, 40.0).exp();
            let off = *count as f64 - mean;
            gradient = [gradient[0] + off, gradient[1] + off * at];
            sums = [sums[0] + mean, sums[1] + mean * at, sums[2] + mean * at * at];
        }
        let determinant = sums[0] * sums[2] - sums[1] * sums[1];
        if determinant <= 0.0 {
            return None;
        }
        let steps = [
            (sums[2] * gradient[0] - sums[1] * gradient[1]) / determinant,
            (sums[0] * gradient[1] - sums[1] * gradient[0]) / determinant,
        ];
        // A long step leaves the country where the next one is any good.
        let shrink = (1.0 / steps.iter().fold(1.0_f64, |most, step| most.max(step.abs()))).min(1.0);
        level += shrink * steps[0];
        slope += shrink * steps[1];
        information = [sums[2] / determinant, -sums[1] / determinant, sums[0] / determinant];
        if steps.iter().all(|step| step.abs() < 1e-9) {
            break;
        }
    }
    let scatter: f64 = counts
        .iter()
        .map(|(at, count)| {
            let mean = (level + slope * at).exp();
            (*count as f64 - mean).powi(2) / mean.max(0.5)
        })
        .sum();
    let scatter = (scatter / (counts.len() as f64 - 2.0)).max(1.0);
    let next = (level + slope).clamp(-30.0, 40.0).exp();
    let unsure = scatter * (information[0] + 2.0 * information[1] + information[2]);
    let trend = Trend {
        slope,
        slope_error: (scatter * information[2]).sqrt(),
        next,
        next_variance: scatter * next + next * next * unsure,
    };
    (trend.slope.is_finite() && trend.next_variance.is_finite()).then_some(trend)
}

/// Assets whose new claims are more from week to week.
pub(super) fn accelerating(inputs: &Inputs<'_>) -> Vec<Alert> {
    let mut looked_at = 0;
    let mut candidates = Vec::new();
    for (position, asset) in inputs.assets() {
        let created = u64::from(asset.claims_created);
        let mut weeks: Vec<(f64, u64)> = vec![(0.0, created)];
        let mut at = 0.0;
        for past in inputs.habits.asset(position, Field::Created).rev().take(TREND_WEEKS - 1) {
            at -= 1.0;
            weeks.extend(past.map(|past| (at, past)));
        }
        if weeks.len() < MIN_TREND_WEEKS || inputs.is_suspect_channel(asset.channel) {
            continue;
        }
        looked_at += 1;
        let rises = weeks
            .windows(2)
            .take(2)
            .all(|pair| matches!(pair, [(_, later), (_, earlier)] if later > earlier));
        if created < MIN_CREATED || !rises {
            continue;
        }
        let Some(trend) = trend(&weeks).filter(|trend| trend.slope >= MIN_GROWTH.ln()) else { continue };
        candidates.push((normal_tail(trend.slope / trend.slope_error), (asset, weeks, trend)));
    }
    let found = discovered(candidates, looked_at).into_iter();
    found
        .map(|(probability, (asset, weeks, trend))| {
            let [low, high] = [1.0 - INTERVAL, 1.0 + INTERVAL]
                .map(|share| quantile(share / 2.0, trend.next, trend.next_variance));
            let counts: Vec<u64> = weeks.iter().rev().map(|(_, count)| *count).collect();
            let reason = format!(
                "{} new claims, {:.1} times as many from week to week; next week some {:.0} are expected ({low} to {high})",
                asset.claims_created,
                trend.slope.exp(),
                trend.next
            );
            inputs
                .on_asset(Kind::ClaimsAhead, Severity::High, asset, reason)
                .because("created", counts)
                .because("growth", shown(trend.slope.exp()))
                .because("expected", shown(trend.next))
                .because("expectedLow", low)
                .because("expectedHigh", high)
                .because("interval", INTERVAL)
                .because("probability", shown(probability))
                .because("action", "See that reference, match policy and ownership are right before the uses come.")
        })
        .collect()
}

/// Sound recordings in a surge that have no reference, or that no match earns with.
pub(super) fn unprotected(inputs: &Inputs<'_>) -> Vec<Alert> {
    let now = inputs.now;
    let facts = now.reports.get(&crate::claims::snapshot::Source::Assets);
    let has =
        |name: &str| facts.is_some_and(|facts| !facts.missing_columns.iter().any(|missing| missing == name));
    let (has_references, has_policy) = (has("active_reference_id"), has("match_policy"));
    let mut alerts = Vec::new();
    for (position, asset) in inputs.assets() {
        let kind = now.text(asset.asset_type);
        let is_sound = kind.is_empty() || kind.eq_ignore_ascii_case("SOUND_RECORDING");
        let lacks_reference = has_references && asset.active_references == 0;
        let earns = now.text(asset.match_policy).to_ascii_lowercase().contains("moneti");
        let lacks_policy = has_policy && !earns;
        if !is_sound || !(lacks_reference || lacks_policy) || inputs.is_suspect_channel(asset.channel) {
            continue;
        }
        let views = [
            (asset.daily_views.get(), Field::DailyViews),
            (asset.daily_engaged_views.get(), Field::DailyEngagedViews),
        ];
        let Some((views, field)) = views.into_iter().find_map(|(views, field)| Some((views?, field))) else {
            continue;
        };
        let mut past: Vec<f64> =
            inputs.habits.asset(position, field).rev().take(4).flatten().map(|views| views as f64).collect();
        let (true, Some(usual)) = (past.len() >= 2, median(&mut past)) else { continue };
        let ratio = (views as f64 + 10.0) / (usual + 10.0);
        if ratio < SURGE_RATIO || (views as f64) < usual + SURGE_MORE as f64 {
            continue;
        }
        let (lack, action) = if lacks_reference {
            ("it has no active reference", "Deliver a reference: nothing claims the uses that come.")
        } else {
            ("its match policy does not monetise", "Set a policy that monetises, or say that it is not to.")
        };
        let reason = format!("{lack}, and it has {views} views a day, {ratio:.1} times its usual number");
        alerts.push(
            inputs
                .on_asset(Kind::ClaimsAhead, Severity::High, asset, reason)
                .because("usualDailyViews", shown(usual))
                .because("activeReferences", asset.active_references)
                .because("matchPolicy", now.text(asset.match_policy))
                .because("action", action),
        );
    }
    alerts
}

/// Partners' videos that another owner claims, the most watched of them in the week.
pub(super) fn contested(inputs: &Inputs<'_>) -> Vec<Alert> {
    let Inputs { now, rpm, .. } = inputs;
    let Some(before) = inputs.before else { return Vec::new() };
    let weeks = u64::try_from(now.week.since(before.week)).unwrap_or(1).max(1);
    let mut found = Vec::new();
    for contested in &now.contested {
        if inputs.is_suspect_channel(Some(contested.channel)) {
            continue;
        }
        let video = |week: &crate::claims::snapshot::Snapshot| {
            let at = week.videos.binary_search_by_key(&contested.video, |video| video.id).ok()?;
            week.videos.get(at).copied()
        };
        let (Some(is), Some(was)) = (video(now), video(before)) else { continue };
        let gain = match (is.views.get(), was.views.get()) {
            (Some(is), Some(was)) => is.checked_sub(was),
            _ => {
                is.engaged_views.get().zip(was.engaged_views.get()).and_then(|(is, was)| is.checked_sub(was))
            }
        };
        let Some(gain) = gain.map(|gain| gain / weeks).filter(|gain| *gain >= CONTESTED_VIEWS) else {
            continue;
        };
        found.push((gain, contested, is));
    }
    found.sort_by_key(|(gain, contested, _)| (Reverse(*gain), contested.video));
    found.truncate(MOST_CONTESTED);
    found
        .into_iter()
        .map(|(gain, contested, video)| {
            let owners = now.text(contested.owners);
            let by = if owners.is_empty() { "another owner".to_owned() } else { printable(owners) };
            let reason = format!("{by} claims the partner's video, which gained {gain} views in the week");
            let subject = Subject::new("video", contested.video.as_str(), now.text(video.title));
            Alert::draft(Kind::ClaimsAhead, Severity::High, subject, reason)
                .because("channelId", contested.channel.as_str())
                .because("otherOwners", owners)
                .because("weeklyViews", gain)
                .because(
                    "action",
                    "See what the other owner claims, and dispute it if the sound is the partner's own.",
                )
                .worth(rpm.for_views(gain).rounded(2))
                .see(links::video(contested.video))
        })
        .collect()
}

/// How probable so many standard errors or more are: a bound that is close for all that is improbable.
fn normal_tail(z: f64) -> f64 {
    if z <= 1.0 {
        return 1.0;
    }
    (-z * z / 2.0).exp() / (z * std::f64::consts::TAU.sqrt())
}
