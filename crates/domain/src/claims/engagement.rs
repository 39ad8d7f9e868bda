//! Likes, comments, shares, saves or watch time far beyond a track's habit, and not because it is played more.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::alert::{Alert, Kind, Severity};
use super::platform_habits::{PlatformHabits, Series, series};
use super::platforms::{KeyKind, PlatformWeeks, SeriesKey};
use super::recordings::Recordings;
use super::snapshot::Snapshot;
use super::tails::{centre_and_spread, departure_tail, discovered, shown};
use super::week::Week;
use crate::printable::printable;

/// From so many times the usual on, and so many more.
const MIN_RATIO: f64 = 3.0;
const MIN_MORE: f64 = 200.0;

/// Growths of one platform and metric differ by so much even where this week's do not.
const MIN_SPREAD: f64 = 0.15;

/// A common growth of all tracks is taken off when it is so large, of so many series, and clear of what chance makes:
/// smaller ones are the season's, and taking them off costs more than it brings.
const COMMON: f64 = 0.12;
const COMMON_SERIES: usize = 20;
const COMMON_ERRORS: f64 = 4.0;

/// A series that has risen.
struct Risen<'a> {
    series: &'a Series<'a>,
    value: f64,
    usual: f64,
    probability: f64,
}

/// All such tracks, each once whatever of it has risen.
pub fn alerts(now: &Snapshot, platforms: &PlatformWeeks, week: Week, habits: &PlatformHabits) -> Vec<Alert> {
    let all = series(platforms, week, habits);
    let mut plays: BTreeMap<(&str, KeyKind, &str), &Series<'_>> = BTreeMap::new();
    let mut groups: BTreeMap<(&str, &str), Vec<(&Series<'_>, f64)>> = BTreeMap::new();
    for one in &all {
        if one.is_engagement() {
            if let Some(growth) = one.growth(0) {
                groups.entry((&one.key.platform, &one.key.metric)).or_default().push((one, growth));
            }
        } else {
            let known = plays.entry((&one.key.platform, one.key.kind, &one.key.key)).or_insert(one);
            if one.rank() < known.rank() {
                *known = one;
            }
        }
    }
    let looked_at = groups.values().map(Vec::len).sum();
    let mut candidates = Vec::new();
    for group in groups.values() {
        let growths: Vec<f64> = group.iter().map(|(_, growth)| *growth).collect();
        let error_by = (growths.len() as f64).sqrt();
        let Some((centre, spread)) = centre_and_spread(growths) else { continue };
        let is_common = centre.abs() >= COMMON
            && group.len() >= COMMON_SERIES
            && centre.abs() > COMMON_ERRORS * spread / error_by;
        let common = if is_common { centre } else { 0.0 };
        for (one, growth) in group {
            let departure = growth - common;
            let Some((value, usual)) = one.compared(0) else { continue };
            if departure < MIN_RATIO.ln() || value < usual + MIN_MORE {
                continue;
            }
            let played = plays.get(&(one.key.platform.as_str(), one.key.kind, one.key.key.as_str()));
            // More plays bring more of everything: then the surge is the news and not what follows from it.
            if played.and_then(|played| played.growth(0)).is_some_and(|played| played > departure / 2.0) {
                continue;
            }
            candidates.push((departure_tail(departure, spread.max(MIN_SPREAD)), (*one, value, usual)));
        }
    }
    if candidates.is_empty() {
        return Vec::new();
    }
    let recordings = Recordings::of(now);
    let mut by_track: BTreeMap<(KeyKind, Cow<'_, str>), Vec<Risen<'_>>> = BTreeMap::new();
    for (probability, (series, value, usual)) in discovered(candidates, looked_at) {
        let risen = Risen { series, value, usual, probability };
        by_track.entry(recordings.track(series.key.kind, &series.key.key)).or_default().push(risen);
    }
    by_track
        .into_iter()
        .map(|(key, mut risen)| {
            risen.sort_by(|a, b| (b.value - b.usual).total_cmp(&(a.value - a.usual)));
            let told: Vec<String> = risen
                .iter()
                .map(|one| {
                    let SeriesKey { platform, metric, .. } = one.series.key;
                    format!("{} {} {:.0} → {:.0}", printable(platform), printable(metric), one.usual, one.value)
                })
                .collect();
            let metrics: Vec<Value> = risen
                .iter()
                .map(|one| {
                    json!({
                        "platform": one.series.key.platform,
                        "metric": one.series.key.metric,
                        "value": shown(one.value),
                        "usual": shown(one.usual),
                        "probability": shown(one.probability),
                    })
                })
                .collect();
            let reason = format!("in the week: {}", told.join(", "));
            recordings.draft(Kind::EngagementSpike, Severity::High, (key.0, &key.1), reason).because("metrics", metrics).because(
                "action",
                "See what people do with it: a trend on one platform often comes to the others within weeks.",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::platform_habits::samples::{Track, platforms, tracks};
    use crate::claims::world::{World, week};

    fn found(track: &Track) -> Vec<String> {
        let mut all = tracks(40);
        all.push(track.clone());
        let (now, habits) = platforms(&all);
        let alerts = alerts(&World::default().snapshot(), &now, week(0), &habits).into_iter();
        alerts.map(|alert| format!("{}: {}", alert.subject.id, alert.reason)).collect()
    }

    #[test]
    fn likes_far_beyond_their_habit_are_told_unless_the_track_is_played_more() {
        let spike = Track::new("tiktok", "USABC2699999")
            .with("views", &[9000, 9100, 8900, 9000, 9050])
            .with("likes", &[900, 910, 890, 900, 9000])
            .with("shares", &[100, 110, 90, 100, 1200]);
        assert_eq!(
            found(&spike),
            ["USABC2699999: in the week: tiktok likes 900 → 9000, tiktok shares 100 → 1200"]
        );
        let played = spike.clone().with("views", &[9000, 9100, 8900, 9000, 90_000]);
        let none: [&str; 0] = [];
        assert_eq!(found(&played), none);
        let few = Track::new("tiktok", "USABC2699999").with("likes", &[3, 4, 3, 4, 60]);
        assert_eq!(found(&few), none, "many times as much, and still nothing");
        let young = Track::new("tiktok", "USABC2699999").with("likes", &[900, 9000]);
        assert_eq!(found(&young), none, "two weeks are no habit");
    }

    #[test]
    fn what_all_tracks_of_a_platform_do_is_nobodys_spike() {
        let all: Vec<Track> = (0..40)
            .map(|number| {
                let isrc = format!("USABC26{number:05}");
                Track::new("tiktok", &isrc).with("likes", &[900 + number, 910, 890, 900, 9000 + number])
            })
            .collect();
        let (now, habits) = platforms(&all);
        assert_eq!(alerts(&World::default().snapshot(), &now, week(0), &habits), []);
    }
}
