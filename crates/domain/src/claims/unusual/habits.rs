//! What the weeks before say of assets, references and partners' channels, in some bytes for each number.

use std::collections::{BTreeMap, BTreeSet};

use crate::claims::snapshot::{Snapshot, Source};
use crate::claims::week::Week;
use crate::id::{AssetId, ChannelId};

/// So many weeks before the one at hand tell its habits: a quarter.
pub const HABIT_WEEKS: i32 = 12;

/// A number that nobody knows.
const UNKNOWN: u32 = u32::MAX;

/// What is kept of an asset's week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    ActiveClaims,
    Claims,
    Created,
    Inactive,
    Short,
    DailyViews,
    DailyEngagedViews,
}

const FIELDS: usize = 7;

/// An asset in a week, as the history has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AssetPoint {
    /// Active claims by the asset report.
    pub active_claims: Option<u64>,
    /// Claims by the claim report.
    pub claims: Option<u64>,
    /// Of them those made in the week.
    pub created: Option<u64>,
    /// Of them the inactive ones.
    pub inactive: Option<u64>,
    /// Of them those with a short match.
    pub short: Option<u64>,
    /// A daily mean of views.
    pub daily_views: Option<u64>,
    /// A daily mean of engaged views.
    pub daily_engaged_views: Option<u64>,
}

/// The weeks before, the oldest first; a week that is missing or whose report was not believed says nothing.
#[derive(Debug, Clone, Default)]
pub struct Habits {
    weeks: Vec<Week>,
    /// The reports of each week that were believed.
    good: Vec<BTreeSet<Source>>,
    /// By the asset's position in the week at hand.
    assets: Vec<[u32; FIELDS]>,
    /// Claims made, by the reference's position in the week at hand.
    references: Vec<u32>,
    /// Claims made on the videos of a channel.
    uploaders: BTreeMap<ChannelId, Vec<Option<u64>>>,
}

impl Habits {
    /// Of nothing yet. `good` says for each week of the history which of its reports were believed.
    pub fn new(now: &Snapshot, good: &BTreeMap<Week, BTreeSet<Source>>) -> Self {
        let weeks = Self::weeks_before(now.week);
        let good: Vec<_> = weeks.iter().map(|week| good.get(week).cloned().unwrap_or_default()).collect();
        let count = weeks.len();
        Self {
            weeks,
            good,
            assets: vec![[UNKNOWN; FIELDS]; now.assets.len() * count],
            references: vec![UNKNOWN; now.references.len() * count],
            uploaders: BTreeMap::new(),
        }
    }

    /// The weeks whose points are taken, in their order.
    pub fn weeks_before(week: Week) -> Vec<Week> {
        week.plus(-1).row_of(HABIT_WEEKS).collect()
    }

    /// Takes an asset's points, one for each of [`Self::weeks_before`]. What the week at hand does not know is passed over.
    pub fn add_asset(&mut self, now: &Snapshot, id: &str, points: impl Iterator<Item = Option<AssetPoint>>) {
        let Ok(id) = AssetId::parse(id) else { return };
        let Ok(position) = now.assets.binary_search_by_key(&id, |asset| asset.id) else { return };
        let first = position * self.weeks.len();
        for ((row, good), point) in self.assets.iter_mut().skip(first).zip(&self.good).zip(points) {
            let Some(point) = point else { continue };
            let by_claims = [point.claims, point.created, point.inactive, point.short]
                .map(|number| number.filter(|_| good.contains(&Source::Claims)));
            let by_assets = [point.active_claims, point.daily_views, point.daily_engaged_views]
                .map(|number| number.filter(|_| good.contains(&Source::Assets)));
            let [claims, created, inactive, short] = by_claims;
            let [active, views, engaged] = by_assets;
            *row = [active, claims, created, inactive, short, views, engaged].map(packed);
        }
    }

    /// Takes the claims that a reference made in each week; none for a week without a row of it.
    pub fn add_reference(&mut self, now: &Snapshot, id: &str, created: impl Iterator<Item = Option<u64>>) {
        let found = now.references.binary_search_by(|reference| now.text(reference.id).cmp(id));
        let Ok(position) = found else { return };
        let first = position * self.weeks.len();
        let (mut has_begun, mut had_report) = (false, false);
        for ((row, good), created) in self.references.iter_mut().skip(first).zip(&self.good).zip(created) {
            if !good.contains(&Source::Claims) {
                continue;
            }
            // The week in which it came is no habit. After that, a reference without a row has made no claims.
            let is_first = !has_begun && had_report;
            has_begun |= created.is_some();
            had_report = true;
            if has_begun && !is_first {
                *row = packed(Some(created.unwrap_or_default()));
            }
        }
    }

    /// Takes the claims that were made in each week on a channel's videos; of channels with matches on partners' videos
    /// alone.
    pub fn add_uploader(&mut self, now: &Snapshot, id: &str, created: impl Iterator<Item = Option<u64>>) {
        let Ok(id) = ChannelId::parse(id) else { return };
        if now.own_channels.binary_search_by_key(&id, |own| own.channel).is_ok() {
            self.uploaders.insert(id, created.collect());
        }
    }

    /// Whether a report of the week before was believed.
    pub(super) fn has_last(&self, source: Source) -> bool {
        self.good.last().is_some_and(|good| good.contains(&source))
    }

    /// An asset's numbers, one a week.
    pub(super) fn asset(
        &self,
        position: usize,
        field: Field,
    ) -> impl DoubleEndedIterator<Item = Option<u64>> + '_ {
        let first = position * self.weeks.len();
        let rows = self.assets.get(first..first + self.weeks.len()).unwrap_or_default();
        rows.iter().map(move |row| row.get(field as usize).copied().and_then(unpacked))
    }

    /// What an asset's counter gained from week to week, none where one of two weeks is unknown.
    pub(super) fn gains(&self, position: usize, field: Field) -> Vec<Option<i64>> {
        let counters: Vec<Option<u64>> = self.asset(position, field).collect();
        let pairs = counters.windows(2).map(|pair| match pair {
            [Some(from), Some(to)] => Some(signed(*to) - signed(*from)),
            _ => None,
        });
        pairs.collect()
    }

    /// A reference's new claims of the weeks that are known.
    pub(super) fn reference(&self, position: usize) -> impl Iterator<Item = u64> + '_ {
        let first = position * self.weeks.len();
        let rows = self.references.get(first..first + self.weeks.len()).unwrap_or_default();
        rows.iter().copied().filter_map(unpacked)
    }

    /// New claims on a channel's videos in the weeks that have a claim report.
    pub(super) fn uploader(&self, id: ChannelId) -> impl Iterator<Item = u64> + '_ {
        let counts = self.uploaders.get(&id);
        self.good.iter().enumerate().filter(|(_, good)| good.contains(&Source::Claims)).map(
            move |(week, _)| {
                counts.and_then(|counts| counts.get(week).copied().flatten()).unwrap_or_default()
            },
        )
    }
}

fn packed(number: Option<u64>) -> u32 {
    number.map_or(UNKNOWN, |number| u32::try_from(number).unwrap_or(UNKNOWN).min(UNKNOWN - 1))
}

fn unpacked(number: u32) -> Option<u64> {
    Some(u64::from(number)).filter(|_| number != UNKNOWN)
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
