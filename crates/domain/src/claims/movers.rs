//! Totals of each week, and which channels and artists moved most.
//!
//! Views and engaged views are two measures: each has a trend of its own, and a week that lacks one of them is a gap
//! in that trend. Views are lifetime counters, so what a trend shows of them is the gain over the week before; where
//! that week is missing the gain cannot be told and is a gap too.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::outlook::{self, ChangePoint, Outlook};
use super::snapshot::{Known, Snapshot, Source};
use super::week::Week;

/// How many weeks a trend shows: a quarter.
pub const TREND_WEEKS: i32 = 12;

/// How many weeks before the last a mover is held against.
const HABIT_WEEKS: usize = 4;

/// What is totalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Views gained in the week.
    Views,
    /// Engaged views gained in the week.
    EngagedViews,
    /// Active claims at the week's end.
    ActiveClaims,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Views, Self::EngagedViews, Self::ActiveClaims];
}

/// Numbers at the end of a week; none where the week's reports do not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Numbers {
    /// Lifetime views.
    pub views: Option<u64>,
    /// Lifetime engaged views.
    pub engaged_views: Option<u64>,
    /// Active claims.
    pub active_claims: Option<u64>,
}

impl Numbers {
    fn get(&self, measure: Measure) -> Option<u64> {
        match measure {
            Measure::Views => self.views,
            Measure::EngagedViews => self.engaged_views,
            Measure::ActiveClaims => self.active_claims,
        }
    }

    fn plus(&mut self, views: Known, engaged_views: Known, active_claims: Known) {
        let sum = |sum: Option<u64>, more: Known| Known::new(sum).plus(more).get();
        self.views = sum(self.views, views);
        self.engaged_views = sum(self.engaged_views, engaged_views);
        self.active_claims = sum(self.active_claims, active_claims);
    }
}

/// A channel or artist in a week.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectTotals {
    /// Its name for people. Hostile text.
    pub title: String,
    /// Its numbers.
    #[serde(flatten)]
    pub numbers: Numbers,
}

/// A week in sums, small enough to be kept for years.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeekTotals {
    /// The week.
    pub week: Week,
    /// Assets of the asset report.
    pub assets: Option<u64>,
    /// Videos of the video report.
    pub videos: Option<u64>,
    /// Claims of the claim report.
    pub claims: Option<u64>,
    /// All channels, or all assets for claims.
    pub all: Numbers,
    /// Channels with videos, by id: their videos' views, and the active claims of their assets.
    pub channels: BTreeMap<String, SubjectTotals>,
    /// Artists by name: views of the videos claimed for their assets, and the active claims of these.
    pub artists: BTreeMap<String, SubjectTotals>,
}

impl WeekTotals {
    /// The sums of a week.
    pub fn of(snapshot: &Snapshot) -> Self {
        let facts = |source| snapshot.reports.get(&source);
        let mut channels: BTreeMap<String, SubjectTotals> = BTreeMap::new();
        for channel in snapshot.channels.iter().filter(|channel| channel.videos > 0) {
            let totals = channels.entry(channel.id.to_string()).or_default();
            snapshot.text(channel.name).clone_into(&mut totals.title);
            totals.numbers.plus(channel.views, channel.engaged_views, Known::UNKNOWN);
        }
        let mut artists: BTreeMap<String, SubjectTotals> = BTreeMap::new();
        for asset in &snapshot.assets {
            // By the database it would look as if a channel had gained the claims on the day its videos were copied.
            let reported = asset.channel.filter(|_| !asset.is_channel_by_database());
            if let Some(channel) = reported.and_then(|id| channels.get_mut(id.as_str())) {
                channel.numbers.plus(Known::UNKNOWN, Known::UNKNOWN, asset.active_claims);
            }
            let artist = snapshot.text(asset.artist);
            if !artist.is_empty() {
                let totals = artists.entry(artist.to_owned()).or_default();
                artist.clone_into(&mut totals.title);
                totals.numbers.plus(asset.claimed_views, asset.claimed_engaged_views, asset.active_claims);
            }
        }
        Self {
            week: snapshot.week,
            assets: facts(Source::Assets).map(|facts| facts.entries),
            videos: facts(Source::Videos).map(|facts| facts.entries),
            claims: facts(Source::Claims).map(|facts| facts.entries),
            all: Numbers {
                views: facts(Source::Videos).and_then(|facts| facts.views),
                engaged_views: facts(Source::Videos).and_then(|facts| facts.engaged_views),
                active_claims: facts(Source::Assets).and_then(|facts| facts.active_claims),
            },
            channels,
            artists,
        }
    }
}

/// A channel or artist over the weeks of a trend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mover {
    /// The channel's id or the artist's name.
    pub id: String,
    /// Its name for people. Hostile text.
    pub title: String,
    /// Its values, one a week, none for a gap.
    pub values: Vec<Option<i64>>,
    /// The last value.
    pub last: i64,
    /// The last value less the middle of the up to four values before it.
    pub change: i64,
}

/// One measure over some weeks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trend {
    /// What is shown.
    pub measure: Measure,
    /// The weeks, the oldest first, those without a report too.
    pub weeks: Vec<Week>,
    /// All channels together, one value a week, none for a gap.
    pub values: Vec<Option<i64>>,
    /// The weeks from which on all together are on another level.
    pub change_points: Vec<ChangePoint>,
    /// What the week after the last will probably bring all together.
    pub outlook: Option<Outlook>,
    /// The channels that moved most, up or down.
    pub channels: Vec<Mover>,
    /// The artists that moved most, up or down.
    pub artists: Vec<Mover>,
}

/// The trends up to a week, with so many movers at most of each kind. A measure that no week knows has no trend.
pub fn trends(history: &[WeekTotals], last: Week, mover_count: usize) -> Vec<Trend> {
    // Of two entries of one week the later in the history stands: a week that was done again.
    let by_week: BTreeMap<Week, &WeekTotals> = history.iter().map(|totals| (totals.week, totals)).collect();
    Measure::ALL
        .into_iter()
        .map(|measure| trend(&by_week, measure, last, mover_count))
        .filter(|trend| trend.values.iter().any(Option::is_some))
        .collect()
}

fn trend(by_week: &BTreeMap<Week, &WeekTotals>, measure: Measure, last: Week, mover_count: usize) -> Trend {
    let series = |numbers: &dyn Fn(&WeekTotals) -> Option<u64>| -> Vec<Option<i64>> {
        let at = |week: Week| by_week.get(&week).and_then(|totals| numbers(totals)).map(signed);
        last.row_of(TREND_WEEKS)
            .map(|week| match measure {
                Measure::ActiveClaims => at(week),
                Measure::Views | Measure::EngagedViews => Some(at(week)? - at(week.plus(-1))?),
            })
            .collect()
    };
    let movers = |kind: fn(&WeekTotals) -> &BTreeMap<String, SubjectTotals>| {
        // Who is not in the last week has no last value and cannot be a mover.
        let now = by_week.get(&last).map(|totals| kind(totals));
        let ids: BTreeSet<&String> = now.into_iter().flat_map(BTreeMap::keys).collect();
        let mut movers: Vec<Mover> = ids
            .into_iter()
            .filter_map(|id| {
                let values = series(&|totals| kind(totals).get(id)?.numbers.get(measure));
                let last = values.last().copied().flatten()?;
                let change = last.saturating_sub(habit(&values)?);
                let title = now.and_then(|now| now.get(id)).map(|totals| totals.title.clone());
                (change != 0).then(|| Mover {
                    id: id.clone(),
                    title: title.unwrap_or_default(),
                    values,
                    last,
                    change,
                })
            })
            .collect();
        movers.sort_by(|a, b| (b.change.unsigned_abs(), &a.id).cmp(&(a.change.unsigned_abs(), &b.id)));
        movers.truncate(mover_count);
        movers
    };
    let weeks: Vec<Week> = last.row_of(TREND_WEEKS).collect();
    let values = series(&|totals| totals.all.get(measure));
    Trend {
        measure,
        change_points: outlook::change_points(&weeks, &values),
        outlook: outlook::outlook(last, &values),
        weeks,
        values,
        channels: movers(|totals| &totals.channels),
        artists: movers(|totals| &totals.artists),
    }
}

/// The middle of the last values before the last one, the lower of two middles; none where there is none.
fn habit(values: &[Option<i64>]) -> Option<i64> {
    let (_, before) = values.split_last()?;
    let mut present: Vec<i64> = before.iter().rev().flatten().take(HABIT_WEEKS).copied().collect();
    present.sort_unstable();
    present.get(present.len().checked_sub(1)? / 2).copied()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(index: i32) -> Week {
        Week::parse("2026-11-16").unwrap().plus(index)
    }

    fn totals(index: i32, views: Option<u64>, channel: &[(&str, u64)]) -> WeekTotals {
        WeekTotals {
            week: week(index),
            assets: None,
            videos: None,
            claims: None,
            all: Numbers { views, engaged_views: views.map(|views| views / 2), active_claims: None },
            channels: channel
                .iter()
                .map(|(id, views)| {
                    let numbers = Numbers { views: Some(*views), ..Numbers::default() };
                    ((*id).to_owned(), SubjectTotals { title: format!("name of {id}"), numbers })
                })
                .collect(),
            artists: BTreeMap::new(),
        }
    }

    #[test]
    fn a_missing_week_is_a_gap_and_so_is_the_gain_after_it() {
        let history = [
            totals(-4, Some(100), &[]),
            totals(-3, Some(130), &[]),
            totals(-1, Some(300), &[]),
            totals(0, Some(330), &[]),
        ];
        let trends = trends(&history, week(0), 5);
        assert_eq!(trends.len(), 2, "no week knows active claims");
        assert_eq!(trends[0].measure, Measure::Views);
        assert_eq!(trends[0].values[7..], [None, Some(30), None, None, Some(30)]);
        assert_eq!(trends[1].measure, Measure::EngagedViews);
        assert_eq!(trends[1].values[7..], [None, Some(15), None, None, Some(15)]);
        assert_eq!(trends[0].weeks.len(), 12);
    }

    #[test]
    fn t05_a_channel_that_is_absent_has_no_value_and_is_no_mover() {
        let history = [
            totals(-3, Some(0), &[("a", 0), ("b", 0), ("c", 0)]),
            totals(-2, Some(0), &[("a", 10), ("b", 10), ("c", 5)]),
            totals(-1, Some(0), &[("a", 20), ("b", 20), ("c", 10)]),
            totals(0, Some(0), &[("a", 30), ("b", 200)]),
        ];
        let trend = &trends(&history, week(0), 5)[0];
        let shown: Vec<_> =
            trend.channels.iter().map(|mover| (mover.id.as_str(), mover.last, mover.change)).collect();
        assert_eq!(shown, [("b", 180, 170)], "a gains what it always gains, c is not there");
        assert_eq!(trend.channels[0].title, "name of b");
    }

    #[test]
    fn the_history_may_come_in_any_order_and_a_week_twice() {
        let mut history = vec![totals(-1, Some(1), &[("a", 1)]), totals(0, Some(5), &[("a", 5)])];
        let once = trends(&history, week(0), 5);
        history.reverse();
        history.push(history[0].clone());
        assert_eq!(trends(&history, week(0), 5), once);
    }

    #[test]
    fn a_counter_that_fell_is_shown_as_it_is() {
        let history = [totals(-1, Some(10), &[]), totals(0, Some(4), &[])];
        assert_eq!(trends(&history, week(0), 5)[0].values.last(), Some(&Some(-6)));
    }
}
