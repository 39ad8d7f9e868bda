//! Surges that go from platform to platform.
//!
//! A platform's growth in a week is held against what all its tracks did that week: its centre and its spread, both of
//! middles, so that a few surges do not hide each other. A track *propagates* when two platforms pass the line within
//! three weeks; the first of them leads. How many weeks it leads by is told only where there are weeks enough in common
//! and where the same numbers in a shuffled order go together less well.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::alert::{Alert, Kind, Severity};
use super::platform_habits::{PlatformHabits, Series, series};
use super::platforms::{KeyKind, PlatformWeeks};
use super::recordings::Recordings;
use super::snapshot::Snapshot;
use super::tails::{centre_and_spread, departure_tail, discovered, shown};
use super::week::Week;
use crate::number::Decimal;
use crate::printable::printable;

/// The line: so many of the platform's spreads above its centre.
const LINE: f64 = 2.0;

/// And so many times as much as usual, and so many plays more.
const MIN_RATIO: f64 = 2.0;
const MIN_MORE: f64 = 300.0;

/// Growths of one platform differ by so much even where this week's do not.
const MIN_SPREAD: f64 = 0.1;

/// Two platforms must pass the line within so many weeks.
const WITHIN: usize = 3;

/// A lag is looked for up to so many weeks, needs so many points in common, and must beat all but so many of so many
/// shuffled orders.
const MAX_LAG: usize = 3;
const MIN_POINTS: usize = 12;
const SHUFFLES: u64 = 199;
const MAX_BEATEN: u64 = 9;

/// A platform that passed the line.
struct Passed<'a> {
    series: &'a Series<'a>,
    /// The week in which it first did, of the last three.
    ago: usize,
    growth: f64,
    score: f64,
    probability: f64,
    value: f64,
    usual: f64,
}

/// All tracks that propagate.
pub fn alerts(
    now: &Snapshot,
    platforms: &PlatformWeeks,
    week: Week,
    habits: &PlatformHabits,
    rpm: Decimal,
) -> Vec<Alert> {
    let all = series(platforms, week, habits);
    if all.is_empty() {
        return Vec::new();
    }
    let recordings = Recordings::of(now);
    // Of each platform's track the series that tells best how often it is played.
    let mut plays: BTreeMap<(KeyKind, &str, &str), &Series<'_>> = BTreeMap::new();
    for one in all.iter().filter(|one| !one.is_engagement()) {
        let known = plays.entry((one.key.kind, &one.key.key, &one.key.platform)).or_insert(one);
        if one.rank() < known.rank() {
            *known = one;
        }
    }
    let mut by_platform: BTreeMap<(&str, usize), Vec<f64>> = BTreeMap::new();
    for ((_, _, platform), one) in &plays {
        for ago in 0..WITHIN {
            if let Some(growth) = one.growth(ago) {
                by_platform.entry((platform, ago)).or_default().push(growth);
            }
        }
    }
    let habit: BTreeMap<(&str, usize), (f64, f64)> = by_platform
        .into_iter()
        .filter_map(|(key, growths)| Some((key, centre_and_spread(growths)?)))
        .collect();
    let mut passed: BTreeMap<(KeyKind, Cow<'_, str>), Vec<Passed<'_>>> = BTreeMap::new();
    let mut tracks = BTreeSet::new();
    for ((kind, key, platform), one) in &plays {
        let track = recordings.track(*kind, key);
        tracks.insert(track.clone());
        // The first week over the line is the one that counts for who leads.
        let first = (0..WITHIN).rev().find_map(|ago| {
            let (centre, spread) = *habit.get(&(*platform, ago))?;
            let spread = spread.max(MIN_SPREAD);
            let growth = one.growth(ago)?;
            let (value, usual) = one.compared(ago)?;
            let departure = growth - centre;
            let is_over =
                departure >= LINE * spread && departure >= MIN_RATIO.ln() && value >= usual + MIN_MORE;
            is_over.then(|| Passed {
                series: one,
                ago,
                growth,
                score: departure / spread,
                probability: departure_tail(departure, spread),
                value,
                usual,
            })
        });
        if let Some(first) = first {
            passed.entry(track).or_default().push(first);
        }
    }
    let mut candidates = Vec::new();
    for (track, mut platforms) in passed {
        // A platform that knows the track by several keys is one platform: its strongest counts.
        platforms.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut names = BTreeSet::new();
        platforms.retain(|one| names.insert(one.series.key.platform.as_str()));
        if platforms.len() < 2 {
            continue;
        }
        platforms.sort_by(|a, b| b.ago.cmp(&a.ago).then(b.score.total_cmp(&a.score)));
        // The two least probable, each in one of three weeks.
        let mut probabilities: Vec<f64> = platforms.iter().map(|one| one.probability).collect();
        probabilities.sort_by(f64::total_cmp);
        let probability = probabilities.iter().take(2).map(|one| (one * WITHIN as f64).min(1.0)).product();
        candidates.push((probability, (track, platforms)));
    }
    let found = discovered(candidates, tracks.len());
    found
        .into_iter()
        .filter_map(|(probability, (track, platforms))| {
            alert(&recordings, week, (track.0, &track.1), &platforms, probability, rpm)
        })
        .collect()
}

fn alert(
    recordings: &Recordings<'_>,
    week: Week,
    track: (KeyKind, &str),
    platforms: &[Passed<'_>],
    probability: f64,
    rpm: Decimal,
) -> Option<Alert> {
    let (leader, others) = platforms.split_first()?;
    let week_of = |ago: usize| week.plus(-i32::try_from(ago).unwrap_or_default()).to_string();
    let name = |one: &Passed<'_>| printable(&one.series.key.platform);
    let told: Vec<String> = platforms
        .iter()
        .map(|one| format!("{} ×{:.1} ({})", name(one), one.growth.exp(), week_of(one.ago)))
        .collect();
    let is_tie = others.iter().any(|one| one.ago == leader.ago);
    let first = if is_tie { "at once" } else { "one after the other" };
    let evidence: Vec<Value> = platforms
        .iter()
        .map(|one| {
            json!({
                "platform": one.series.key.platform,
                "metric": one.series.key.metric,
                "week": week_of(one.ago),
                "growth": shown(one.growth.exp()),
                "score": shown(one.score),
                "value": shown(one.value),
                "usual": shown(one.usual),
            })
        })
        .collect();
    let mut alert = recordings
        .draft(
            Kind::CrossPlatform,
            Severity::High,
            track,
            format!("it rises on {} platforms {first}: {}", platforms.len(), told.join(", ")),
        )
        .because("platforms", evidence)
        .because("leader", leader.series.key.platform.as_str())
        .because("probability", shown(probability))
        .because("action", "See that references, policies and deliveries are in place on the platforms it has not come to yet.");
    let lags: Vec<Value> = others
        .iter()
        .filter_map(|other| {
            let (lag, correlation) = lag(&leader.series.values, &other.series.values)?;
            Some(json!({
                "platform": other.series.key.platform,
                "weeks": lag,
                "correlation": shown(correlation),
            }))
        })
        .collect();
    if !lags.is_empty() {
        alert = alert.because("lags", lags);
    }
    let asset = recordings.asset(track.0, track.1);
    if let Some(views) = asset.and_then(|asset| asset.daily_views.get().or(asset.daily_engaged_views.get())) {
        alert = alert.because("dailyViews", views).worth(rpm.for_views(views.saturating_mul(7)).rounded(2));
    }
    Some(alert)
}

/// By how many weeks one series follows another, with how well; none where it does not do so better than by chance.
pub(super) fn lag(leader: &[Option<f64>], follower: &[Option<f64>]) -> Option<(usize, f64)> {
    let steps = |values: &[Option<f64>]| -> Vec<Option<f64>> {
        values.windows(2).map(|pair| Some(((pair[1]? + 50.0) / (pair[0]? + 50.0)).ln())).collect()
    };
    let (leader, follower) = (steps(leader), steps(follower));
    let (lag, correlation) = best_lag(&leader, &follower)?;
    let mut better = 0;
    for seed in 0..SHUFFLES {
        let shuffled = shuffled(&leader, seed);
        if best_lag(&shuffled, &follower).is_some_and(|(_, other)| other >= correlation) {
            better += 1;
        }
    }
    (better <= MAX_BEATEN).then_some((lag, correlation))
}

fn best_lag(leader: &[Option<f64>], follower: &[Option<f64>]) -> Option<(usize, f64)> {
    (1..=MAX_LAG)
        .filter_map(|lag| {
            let pairs: Vec<(f64, f64)> = leader
                .iter()
                .zip(follower.iter().skip(lag))
                .filter_map(|(a, b)| Some(((*a)?, (*b)?)))
                .collect();
            Some((lag, correlation(&pairs)?))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < MIN_POINTS {
        return None;
    }
    let count = pairs.len() as f64;
    let means = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0 / count, sum.1 + pair.1 / count));
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for (a, b) in pairs {
        let (a, b) = (a - means.0, b - means.1);
        both += a * b;
        first += a * a;
        second += b * b;
    }
    let scale = (first * second).sqrt();
    (scale > 1e-12).then(|| both / scale)
}

/// The known values in an order that the seed alone decides; what is unknown stays where it is.
fn shuffled(values: &[Option<f64>], seed: u64) -> Vec<Option<f64>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut known: Vec<(u64, f64)> = values.iter().flatten().map(|value| (next(), *value)).collect();
    known.sort_by_key(|(place, _)| *place);
    let mut known = known.into_iter().map(|(_, value)| value);
    values.iter().map(|value| value.and_then(|_| known.next())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::platform_habits::samples::{Track, platforms, tracks};
    use crate::claims::world::{World, rows, week};

    const ISRC: &str = "USABC2699999";

    fn found(more: &[Track]) -> Vec<Alert> {
        let mut all = tracks(40);
        all.extend_from_slice(more);
        let (now, habits) = platforms(&all);
        let snapshot = World {
            assets: rows(&["A000000000000001,alpha,First,Ann,us-abc-26-99999,SOUND_RECORDING,3,700,9,r1"]),
            ..World::default()
        }
        .snapshot();
        alerts(&snapshot, &now, week(0), &habits, "2".parse().unwrap())
    }

    /// A track with so many plays in the last four weeks, and a thousand before.
    fn track(platform: &str, isrc: &str, last: [u64; 4]) -> Track {
        let metric = if platform == "tiktok" { "views" } else { "streams" };
        let mut values = vec![1000; 8];
        values.extend(last);
        Track::new(platform, isrc).with(metric, &values)
    }

    #[test]
    fn a_surge_on_one_platform_and_then_another_propagates_and_the_first_leads() {
        let alerts = found(&[
            track("tiktok", ISRC, [1000, 9000, 14_000, 15_000]),
            track("spotify", ISRC, [1000, 1000, 1000, 7000]),
        ]);
        assert_eq!(alerts.len(), 1, "{alerts:#?}");
        let alert = &alerts[0];
        assert_eq!((alert.subject.kind.as_str(), alert.subject.id.as_str()), ("asset", "A000000000000001"));
        assert_eq!((&alert.evidence["leader"], &alert.evidence["isrc"]), (&json!("tiktok"), &json!(ISRC)));
        assert_eq!(alert.evidence["platforms"][1]["week"], json!(week(0).to_string()));
        assert!(!alert.evidence.contains_key("lags"), "eleven steps are no lag");
        insta::assert_snapshot!(alert.reason, @"it rises on 2 platforms one after the other: tiktok ×8.6 (2026-11-02), spotify ×6.7 (2026-11-16)");
        assert_eq!(alert.value, Some("9.8".parse().unwrap()));
    }

    #[test]
    fn a_track_that_one_platform_knows_by_its_asset_is_the_one_that_another_knows_by_isrc() {
        let by = |kind, key: &str| track("tiktok", key, [1000, 9000, 14_000, 15_000]).known_by(kind);
        let spotify = track("spotify", ISRC, [1000, 1000, 1000, 7000]);
        for key in [(KeyKind::AssetId, "A000000000000001"), (KeyKind::CustomId, "alpha")] {
            let alerts = found(&[by(key.0, key.1), spotify.clone()]);
            assert_eq!(alerts.len(), 1, "{key:?}: {alerts:#?}");
            let alert = &alerts[0];
            assert_eq!(
                (&alert.evidence["leader"], &alert.evidence["isrc"]),
                (&json!("tiktok"), &json!(ISRC))
            );
        }
        // An asset that no report has, and one platform that knows a track twice.
        assert_eq!(found(&[by(KeyKind::AssetId, "A000000000000009"), spotify]), []);
        let twice = [by(KeyKind::AssetId, "A000000000000001"), by(KeyKind::Isrc, ISRC)];
        assert_eq!(found(&twice), []);
    }

    #[test]
    fn one_platform_alone_and_two_that_are_too_far_apart_do_not_propagate() {
        assert_eq!(found(&[track("tiktok", ISRC, [1000, 9000, 14_000, 15_000])]), []);
        let mut early = track("tiktok", ISRC, [1000; 4]);
        early.metrics[0].1 = vec![1000, 1000, 1000, 1000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000];
        assert_eq!(found(&[early, track("spotify", ISRC, [1000, 1000, 1000, 7000])]), []);
    }

    #[test]
    fn what_no_asset_has_is_a_recording_and_what_all_tracks_do_is_no_surge() {
        let other = "USABC2688888";
        let alerts = found(&[
            track("tiktok", other, [1000, 1000, 9000, 9000]),
            track("spotify", other, [1000, 1000, 1000, 7000]),
        ]);
        assert_eq!((alerts[0].subject.kind.as_str(), alerts[0].subject.id.as_str()), ("recording", other));
        let all: Vec<Track> = (0..40_u64)
            .flat_map(|number| {
                let isrc = format!("USABC26{number:05}");
                ["tiktok", "spotify"]
                    .map(|platform| track(platform, &isrc, [1000, 1000, 1000, 3000 + number]))
            })
            .collect();
        let (now, habits) = platforms(&all);
        let rpm = "1".parse().unwrap();
        assert_eq!(super::alerts(&World::default().snapshot(), &now, week(0), &habits, rpm), []);
    }

    #[test]
    fn a_lag_is_told_when_one_follows_the_other_and_not_when_it_only_looks_like_it() {
        let wave = |shift: usize| -> Vec<Option<f64>> {
            let values = [
                1000, 1800, 900, 2500, 1100, 700, 3000, 1500, 800, 2200, 1000, 1900, 600, 2700, 1300, 900,
                2100, 1200,
            ];
            (0..20).map(|at: usize| values.get(at.checked_sub(shift)?).copied().map(f64::from)).collect()
        };
        let (weeks, correlation) = lag(&wave(0), &wave(2)).unwrap();
        assert_eq!(weeks, 2);
        assert!(correlation > 0.99, "{correlation}");
        let other: Vec<Option<f64>> = (0..20_u64).map(|at| Some(((at * 7919) % 1013 + 500) as f64)).collect();
        assert_eq!(lag(&wave(0), &other), None);
        assert_eq!(lag(&wave(0)[..12], &wave(2)[..12]), None, "too few points in common");
        assert_eq!(lag(&[Some(5.0); 20], &wave(0)), None, "what never moves leads nobody");
    }
}
