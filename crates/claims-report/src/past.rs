//! What the findings need of the weeks before, read from the history.

use std::collections::BTreeMap;

use dn_domain::claims::platform_habits::PlatformHabits;
use dn_domain::claims::platforms::{PlatformWeeks, SeriesKey};
use dn_domain::claims::snapshot::Snapshot;
use dn_domain::claims::unusual::{AssetPoint, Habits};
use dn_domain::claims::week::Week;

use crate::history::{AssetWeek, HistoryError, ReferenceWeek, Tables, UploaderWeek};

/// The habits of what the week knows. It blocks; see [`crate::history::History::ask`].
pub(crate) fn habits(tables: &Tables, now: &Snapshot) -> Result<Habits, HistoryError> {
    let weeks = Habits::weeks_before(now.week);
    let mut good = BTreeMap::new();
    for week in &weeks {
        let reports = tables.reports(*week)?.into_iter();
        good.insert(*week, reports.filter(|report| !report.is_suspect).map(|report| report.source).collect());
    }
    let mut habits = Habits::new(now, &good);
    tables.asset_series(&weeks, |id, points: &[Option<AssetWeek>]| {
        let points = points.iter().map(|point| {
            point.map(|point| AssetPoint {
                active_claims: point.active_claims,
                claims: point.claims,
                created: point.created,
                inactive: point.inactive,
                short: point.short,
                daily_views: point.daily_views,
                daily_engaged_views: point.daily_engaged_views,
            })
        });
        habits.add_asset(now, id, points);
        Ok::<_, HistoryError>(())
    })?;
    tables.reference_series(&weeks, |id, points: &[Option<ReferenceWeek>]| {
        habits.add_reference(now, id, points.iter().map(|point| point.and_then(|point| point.created)));
        Ok::<_, HistoryError>(())
    })?;
    tables.uploader_series(&weeks, |id, points: &[Option<UploaderWeek>]| {
        habits.add_uploader(now, id, points.iter().map(|point| point.and_then(|point| point.created)));
        Ok::<_, HistoryError>(())
    })?;
    Ok(habits)
}

/// What the platforms counted before, of the series that this week's files have. It blocks.
pub(crate) fn platform_habits(
    tables: &Tables,
    now: &PlatformWeeks,
    week: Week,
) -> Result<PlatformHabits, HistoryError> {
    let mut habits = PlatformHabits::new(now, week);
    let keys: Vec<&SeriesKey> = now.series.keys().collect();
    for past in habits.weeks().to_vec() {
        tables.platform_values(past, |platform, metric, kind, key, value| {
            habits.add(&keys, past, (platform, metric, kind, key), value);
        })?;
    }
    Ok(habits)
}
