//! What other platforms counted in the weeks before, beside this week's files: four bytes for each week of a series.

use super::platforms::{KeyKind, PlatformWeeks, SeriesKey, WHOLE_WEEK};
use super::week::Week;
use crate::number::Decimal;

/// So many weeks before the one at hand: enough for a lag, which needs twelve points in common.
pub const PLATFORM_WEEKS: i32 = 20;

/// From so many days on a week is told by its daily mean.
const MIN_DAYS: u32 = 4;

/// Added to both sides of a growth, so that few plays are no surge.
const SMALL: f64 = 50.0;

/// The week is held against the middle of so many before it, of so many known at least.
const HABIT: usize = 4;
const MIN_HABIT: usize = 3;

/// What is counted of what people do with a track beyond playing it.
const ENGAGEMENT: [&str; 8] =
    ["like", "comment", "share", "save", "watch_time", "favorite", "favourite", "creation"];

/// What is counted when a track is played, the first that a platform tells goes before the others.
const PLAYS: [&str; 5] = ["streams", "plays", "views", "listens", "shazams"];

/// The weeks before, of the series that this week's files have.
#[derive(Debug, Clone, Default)]
pub struct PlatformHabits {
    weeks: Vec<Week>,
    /// By the series' place among this week's; not a number where nothing is known.
    values: Vec<f32>,
}

impl PlatformHabits {
    /// Of nothing yet.
    pub fn new(now: &PlatformWeeks, week: Week) -> Self {
        let weeks: Vec<Week> = week.plus(-1).row_of(PLATFORM_WEEKS).collect();
        let values = vec![f32::NAN; weeks.len() * now.series.len()];
        Self { weeks, values }
    }

    /// The weeks whose values are taken.
    pub fn weeks(&self) -> &[Week] {
        &self.weeks
    }

    /// Takes a value. `keys` are this week's series in their order; what is none of them is passed over.
    pub fn add(&mut self, keys: &[&SeriesKey], week: Week, of: (&str, &str, KeyKind, &str), value: Decimal) {
        let (platform, metric, kind, key) = of;
        let order = |known: &&SeriesKey| {
            (known.platform.as_str(), known.metric.as_str(), known.kind, known.key.as_str())
                .cmp(&(platform, metric, kind, key))
        };
        let Ok(series) = keys.binary_search_by(order) else { return };
        let Some(at) = self.weeks.iter().position(|known| *known == week) else { return };
        if let Some(place) = self.values.get_mut(series * self.weeks.len() + at) {
            *place = float(value);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven figures are more than a growth needs")]
fn float(value: Decimal) -> f32 {
    value.to_string().parse::<f64>().unwrap_or(f64::NAN) as f32
}

/// A series with its past: the last value is this week's.
#[derive(Debug, Clone)]
pub(super) struct Series<'a> {
    pub key: &'a SeriesKey,
    pub values: Vec<Option<f64>>,
}

impl Series<'_> {
    /// The logarithm of the growth of a week so many weeks ago against those before it.
    pub(super) fn growth(&self, ago: usize) -> Option<f64> {
        let (value, usual) = self.compared(ago)?;
        Some(((value + SMALL) / (usual + SMALL)).ln())
    }

    /// The value of a week so many weeks ago, and the middle of those before it.
    pub(super) fn compared(&self, ago: usize) -> Option<(f64, f64)> {
        let at = self.values.len().checked_sub(1 + ago)?;
        let value = self.values.get(at).copied().flatten()?;
        let before = self.values.get(at.saturating_sub(HABIT)..at)?;
        let mut before: Vec<f64> = before.iter().copied().flatten().collect();
        if before.len() < MIN_HABIT {
            return None;
        }
        Some((value, super::tails::median(&mut before)?))
    }

    /// Whether it counts what people do beyond playing.
    pub(super) fn is_engagement(&self) -> bool {
        ENGAGEMENT.iter().any(|word| self.key.metric.starts_with(word))
    }

    /// How well it tells how often a track is played: less is better.
    pub(super) fn rank(&self) -> usize {
        PLAYS.iter().position(|metric| *metric == self.key.metric).unwrap_or(PLAYS.len())
    }
}

/// All of this week's series with their past. What this week's files say of whole weeks before goes before the history.
pub(super) fn series<'a>(now: &'a PlatformWeeks, week: Week, habits: &PlatformHabits) -> Vec<Series<'a>> {
    let count = habits.weeks.len();
    let mut all = Vec::with_capacity(now.series.len());
    for (place, (key, weeks)) in now.series.iter().enumerate() {
        let past = habits.values.get(place * count..(place + 1) * count).unwrap_or_default();
        let mut values: Vec<Option<f64>> =
            past.iter().map(|value| Some(f64::from(*value)).filter(|value| value.is_finite())).collect();
        for (value, week) in values.iter_mut().zip(&habits.weeks) {
            if let Some(told) = weeks.get(week).filter(|told| told.days == WHOLE_WEEK) {
                *value = Some(f64::from(float(told.value)));
            }
        }
        let told = weeks.get(&week).filter(|told| told.days.count_ones() >= MIN_DAYS);
        values.push(told.map(|told| f64::from(float(told.value)) * 7.0 / f64::from(told.days.count_ones())));
        all.push(Series { key, values });
    }
    all
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use crate::claims::platforms::WeekValue;
    use crate::claims::world::week;

    /// A track of a platform, with its weeks' values of each metric, the last of week 0.
    #[derive(Debug, Clone)]
    pub(crate) struct Track {
        pub platform: String,
        pub kind: KeyKind,
        pub key: String,
        pub metrics: Vec<(String, Vec<u64>)>,
    }

    impl Track {
        pub(crate) fn new(platform: &str, isrc: &str) -> Self {
            let (platform, key) = (platform.to_owned(), isrc.to_owned());
            Self { platform, kind: KeyKind::Isrc, key, metrics: Vec::new() }
        }

        pub(crate) fn known_by(self, kind: KeyKind) -> Self {
            Self { kind, ..self }
        }

        pub(crate) fn with(mut self, metric: &str, values: &[u64]) -> Self {
            self.metrics.retain(|(known, _)| known != metric);
            self.metrics.push((metric.to_owned(), values.to_vec()));
            self
        }
    }

    /// So many tracks on three platforms with nothing but some noise, for as many weeks as a lag needs.
    pub(crate) fn tracks(count: u64) -> Vec<Track> {
        let mut all = Vec::new();
        for number in 0..count {
            for (platform, metrics) in [
                ("spotify", ["streams", "saves"]),
                ("tiktok", ["views", "likes"]),
                ("apple_music", ["plays", "shares"]),
            ] {
                let mut track = Track::new(platform, &format!("USABC26{number:05}"));
                for (at, metric) in (1..).zip(metrics) {
                    let noise = |week: u64| (number * 31 + week * 17 + at * 7) % 23;
                    let values: Vec<u64> = (0..20).map(|week| 1000 / at + noise(week)).collect();
                    track = track.with(metric, &values);
                }
                all.push(track);
            }
        }
        all
    }

    /// The tracks as this week's files and the history tell them.
    pub(crate) fn platforms(tracks: &[Track]) -> (PlatformWeeks, PlatformHabits) {
        let mut now = PlatformWeeks::default();
        let mut past = Vec::new();
        for track in tracks {
            for (metric, values) in &track.metrics {
                let key = SeriesKey {
                    platform: track.platform.clone(),
                    metric: metric.clone(),
                    kind: track.kind,
                    key: track.key.clone(),
                };
                let Some((last, before)) = values.split_last() else { continue };
                for (ago, value) in (1..).zip(before.iter().rev()) {
                    past.push((key.clone(), week(-ago), *value));
                }
                let value = WeekValue { value: Decimal::whole(*last), days: WHOLE_WEEK };
                now.series.entry(key).or_default().insert(week(0), value);
                now.last_days.insert(track.platform.clone(), week(0).sunday());
            }
        }
        let mut habits = PlatformHabits::new(&now, week(0));
        let keys: Vec<&SeriesKey> = now.series.keys().collect();
        for (key, week, value) in &past {
            let of = (key.platform.as_str(), key.metric.as_str(), key.kind, key.key.as_str());
            habits.add(&keys, *week, of, Decimal::whole(*value));
        }
        (now, habits)
    }

    #[test]
    fn a_week_of_some_days_is_told_by_its_mean_and_one_of_fewer_not_at_all() {
        let (mut now, habits) =
            platforms(&[Track::new("spotify", "USABC2600001").with("streams", &[70, 70, 70])]);
        for (days, expected) in [(0b000_1111, Some(700.0)), (0b000_0111, None), (WHOLE_WEEK, Some(400.0))] {
            for weeks in now.series.values_mut() {
                weeks.insert(week(0), WeekValue { value: Decimal::whole(400), days });
                // The first days of an older week alone do not change what is known of it.
                weeks.insert(week(-1), WeekValue { value: Decimal::whole(5), days: 0b11 });
            }
            let all = series(&now, week(0), &habits);
            assert_eq!(all[0].values[18..], [Some(70.0), Some(70.0), expected]);
        }
    }
}
