//! What other platforms report, summed to weeks.
//!
//! Tracks are joined by ISRC, else by UPC, else by custom ID, else by asset, never by title. A day that a platform does not report is
//! unknown and no zero, so each sum says of how many days it is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::alert::{Alert, Kind, Severity, Subject};
use super::week::Week;
use crate::number::Decimal;
use crate::platform_file::{PlatformValue, Span, TrackKey};
use crate::printable::printable;

/// All days of a week, a bit each.
pub(super) const WHOLE_WEEK: u8 = 0x7f;

/// The kind of a track's key, in the order in which keys are preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// The recording.
    Isrc,
    /// The release.
    Upc,
    /// The label's own mark.
    CustomId,
    /// The asset at YouTube.
    AssetId,
}

impl KeyKind {
    /// A track's key as it is kept.
    pub fn of(key: TrackKey<'_>) -> (Self, String) {
        match key {
            TrackKey::Isrc(isrc) => (Self::Isrc, isrc.to_string()),
            TrackKey::Upc(upc) => (Self::Upc, upc.to_owned()),
            TrackKey::CustomId(custom_id) => (Self::CustomId, custom_id.to_owned()),
            TrackKey::AssetId(asset) => (Self::AssetId, asset.to_string()),
        }
    }

    /// The kind's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Isrc => "isrc",
            Self::Upc => "upc",
            Self::CustomId => "custom_id",
            Self::AssetId => "asset_id",
        }
    }

    /// The kind by its name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Isrc, Self::Upc, Self::CustomId, Self::AssetId].into_iter().find(|kind| kind.name() == name)
    }
}

/// What a number is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The platform in small letters. Hostile text.
    pub platform: String,
    /// What is counted, in small letters. Hostile text.
    pub metric: String,
    /// By what the track is known.
    pub kind: KeyKind,
    /// The track.
    pub key: String,
}

/// A week of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekValue {
    /// The sum of its days.
    pub value: Decimal,
    /// How many different days reported anything, each a bit from Monday on.
    pub days: u8,
}

/// All platforms' weeks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlatformWeeks {
    /// By series and week.
    pub series: BTreeMap<SeriesKey, BTreeMap<Week, WeekValue>>,
    /// The last day that each platform reports.
    pub last_days: BTreeMap<String, Date>,
}

impl PlatformWeeks {
    /// Adds a row. Countries add up; of several rows of one day and country the sum stands, since platforms split a day
    /// as they please.
    pub fn add(&mut self, row: &PlatformValue<'_>) {
        let (kind, key) = KeyKind::of(row.key);
        let platform = row.platform.clone().into_owned();
        let last = self.last_days.entry(platform.clone()).or_insert(row.date);
        *last = (*last).max(row.date);
        let series = SeriesKey { platform, metric: row.metric.clone().into_owned(), kind, key };
        let week = Week::of(row.date);
        let day = u32::try_from(row.date.duration_since(week.monday()).as_hours() / 24).unwrap_or_default();
        let value = self.series.entry(series).or_default().entry(week);
        let value = value.or_insert(WeekValue { value: Decimal::ZERO, days: 0 });
        value.value = [value.value, row.value].into_iter().sum();
        value.days |= match row.span {
            Span::Day => 1_u8.checked_shl(day).unwrap_or_default(),
            Span::Week => WHOLE_WEEK,
        };
    }

    /// Adds what another file tells.
    pub fn merge(&mut self, other: Self) {
        for (series, weeks) in other.series {
            let known = self.series.entry(series).or_default();
            for (week, more) in weeks {
                let value = known.entry(week).or_insert(WeekValue { value: Decimal::ZERO, days: 0 });
                value.value = [value.value, more.value].into_iter().sum();
                value.days |= more.days;
            }
        }
        for (platform, day) in other.last_days {
            let last = self.last_days.entry(platform).or_insert(day);
            *last = (*last).max(day);
        }
    }

    /// Whether nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Whether all platforms tell of a week to its last day: what is late is no relief.
    pub fn has_week(&self, week: Week) -> bool {
        !self.is_empty() && self.last_days.values().all(|last| *last >= week.sunday())
    }

    /// What is wrong with the platforms' data of a week. `known` are the platforms of the week before.
    pub fn judge(&self, week: Week, known: &BTreeSet<String>) -> Vec<Alert> {
        let subject = |platform: &str| Subject::new("platform", platform, platform);
        let missing =
            known.iter().filter(|platform| !self.last_days.contains_key(*platform)).map(|platform| {
                let reason = format!("{}: no file has it, it was there last week", printable(platform));
                Alert::draft(Kind::ReportMissing, Severity::High, subject(platform), reason)
            });
        let stale = self.last_days.iter().filter(|(_, last)| **last < week.sunday()).map(|(platform, last)| {
            // Days that are still to come are late; a week without any is not there.
            let severity = if *last < week.monday() { Severity::High } else { Severity::Info };
            let reason = format!(
                "{}: its last day is {last}, the week ends on {}; the days between are unknown and not zero",
                printable(platform),
                week.sunday()
            );
            Alert::draft(Kind::ReportStale, severity, subject(platform), reason)
                .because("date", last.to_string())
                .because("weekEnd", week.sunday().to_string())
        });
        missing.chain(stale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform_file::{PlatformFile, PlatformLine};

    fn weeks(rows: &[&str]) -> PlatformWeeks {
        let text = format!("date,platform,isrc,metric,value,upc\n{}\n", rows.join("\n"));
        let mut file = PlatformFile::open("p.csv", text.as_bytes()).unwrap();
        let mut weeks = PlatformWeeks::default();
        while let Some(line) = file.next_row().unwrap() {
            if let PlatformLine::Row(row) = line {
                weeks.add(&row.value().unwrap());
            }
        }
        weeks
    }

    #[test]
    fn days_are_summed_to_weeks_by_platform_metric_and_track() {
        let weeks = weeks(&[
            "2026-11-16,Spotify,USABC2600001,streams,1.5,",
            "2026-11-22,spotify,USABC2600001,streams,2,",
            "2026-11-23,spotify,USABC2600001,streams,9,",
            "2026-11-16,spotify,,streams,7,123456789012",
        ]);
        let shown: Vec<String> = weeks
            .series
            .iter()
            .flat_map(|(key, weeks)| {
                weeks.iter().map(move |(week, value)| {
                    format!("{} {} {week} {} {:07b}", key.platform, key.key, value.value, value.days)
                })
            })
            .collect();
        assert_eq!(
            shown,
            [
                "spotify USABC2600001 2026-11-16 3.5 1000001",
                "spotify USABC2600001 2026-11-23 9 0000001",
                "spotify 123456789012 2026-11-16 7 0000001",
            ]
        );
    }

    #[test]
    fn a_weeks_sum_is_of_all_its_days_and_two_of_them_add_up() {
        let mut weeks = PlatformWeeks::default();
        for value in [70, 7] {
            weeks.add(&PlatformValue {
                date: jiff::civil::date(2026, 11, 22),
                span: Span::Week,
                platform: "spotify".into(),
                metric: "streams".into(),
                value: Decimal::whole(value),
                country: "".into(),
                key: TrackKey::Upc("123456789012"),
            });
        }
        let week = Week::parse("2026-11-16").unwrap();
        let told = weeks.series.values().next().unwrap()[&week];
        assert_eq!(told, WeekValue { value: Decimal::whole(77), days: WHOLE_WEEK });
        assert!(weeks.has_week(week) && weeks.judge(week, &BTreeSet::new()).is_empty());
    }

    #[test]
    fn t04_t07_days_that_are_to_come_are_a_note_and_a_platform_that_is_gone_is_missed() {
        let weeks =
            weeks(&["2026-11-20,spotify,USABC2600001,streams,1,", "2026-11-10,tiktok,USABC2600001,views,1,"]);
        let week = Week::parse("2026-11-16").unwrap();
        let known = BTreeSet::from(["spotify".to_owned(), "shazam".to_owned()]);
        let found: Vec<_> = weeks
            .judge(week, &known)
            .into_iter()
            .map(|alert| (alert.kind, alert.severity, alert.subject.id))
            .collect();
        assert_eq!(
            found,
            [
                (Kind::ReportMissing, Severity::High, "shazam".to_owned()),
                (Kind::ReportStale, Severity::Info, "spotify".to_owned()),
                (Kind::ReportStale, Severity::High, "tiktok".to_owned()),
            ]
        );
    }
}
