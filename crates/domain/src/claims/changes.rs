//! What changed between two weeks: numbers of each asset, and what became of each claim.
//!
//! The week before may be missing; then the last one that is there is compared with, and [`Changes::weeks_apart`] says
//! how far it lies back. What a week's reports do not say is unknown: it has no difference and is no zero.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::snapshot::{AssetState, Both, ClaimEntry, ClaimState, InTurn, Known, Snapshot, Source};
use super::strings::Text;
use super::week::Week;
use crate::id::{AssetId, ChannelId};
use crate::printable::is_invisible;

/// The columns of `changes.csv`.
pub const COLUMNS: [&str; 11] = [
    "asset_id",
    "custom_id",
    "channel_id",
    "title",
    "artist",
    "isrc",
    "metric",
    "before",
    "now",
    "difference",
    "state",
];

/// What is compared of an asset, in the order of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Active claims as YouTube counts them.
    ActiveClaims,
    /// A daily mean of views.
    DailyViews,
    /// A daily mean of engaged views.
    DailyEngagedViews,
}

impl Metric {
    /// All of them, in the order of the sheet.
    pub const ALL: [Self; 3] = [Self::ActiveClaims, Self::DailyViews, Self::DailyEngagedViews];

    /// The metric's name in the sheet.
    pub fn name(self) -> &'static str {
        match self {
            Self::ActiveClaims => "active_claims",
            Self::DailyViews => "daily_views",
            Self::DailyEngagedViews => "daily_engaged_views",
        }
    }

    fn of(self, asset: &AssetState) -> Option<u64> {
        let number = match self {
            Self::ActiveClaims => asset.active_claims,
            Self::DailyViews => asset.daily_views,
            Self::DailyEngagedViews => asset.daily_engaged_views,
        };
        Known::get(number)
    }
}

/// How an asset's number changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// The asset was not in the report before.
    New,
    /// It is no longer in the report, which does not say that its number is zero.
    Gone,
    /// More than before.
    Up,
    /// Less than before.
    Down,
}

impl ChangeState {
    /// The state's name in the sheet.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A number of an asset that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The asset.
    pub asset_id: AssetId,
    /// Its custom ID; empty where it has none.
    pub custom_id: String,
    /// The channel whose video carries it.
    pub channel_id: Option<ChannelId>,
    /// Its title. Hostile text.
    pub title: String,
    /// Its artist. Hostile text.
    pub artist: String,
    /// Its ISRC as it stands.
    pub isrc: String,
    /// What changed.
    pub metric: Metric,
    /// What it was; none where the asset was not there.
    pub before: Option<u64>,
    /// What it is; none where the asset is not there.
    pub now: Option<u64>,
    /// By how much; none where one of the two is unknown.
    pub difference: Option<i64>,
    /// How.
    pub state: ChangeState,
}

/// What became of claims.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimMoves {
    /// Not held before (or not there), held now.
    pub opened: u64,
    /// Held before, inactive now.
    pub released: u64,
    /// Held before, no longer in the report.
    pub gone: u64,
    /// Not disputed before (or not there), disputed or appealed now.
    pub disputed: u64,
    /// Disputed or appealed before, neither now.
    pub settled: u64,
}

impl ClaimMoves {
    fn add(&mut self, before: Option<ClaimState>, now: Option<ClaimState>) {
        let is_held = |state: Option<ClaimState>| state.is_some_and(|state| state > ClaimState::Inactive);
        let is_disputed = |state: Option<ClaimState>| state.is_some_and(ClaimState::is_disputed);
        match (is_held(before), is_held(now)) {
            (false, true) => self.opened += 1,
            (true, false) if now.is_some() => self.released += 1,
            (true, false) => self.gone += 1,
            _ => {}
        }
        match (is_disputed(before), is_disputed(now)) {
            (false, true) => self.disputed += 1,
            (true, false) => self.settled += 1,
            _ => {}
        }
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// All that changed between two weeks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The week compared with.
    pub before: Week,
    /// How many weeks lie between: more than one means that reports are missing.
    pub weeks_apart: i32,
    /// The numbers, `active_claims` first, the largest difference first in each.
    pub rows: Arc<Vec<Change>>,
    /// What became of claims of each asset with such, by id; empty where one of the weeks has no claim report.
    pub claims: BTreeMap<AssetId, ClaimMoves>,
    /// The same of all claims, those without an asset included.
    pub claims_total: ClaimMoves,
}

/// Compares two weeks.
pub fn compare(before: &Snapshot, now: &Snapshot) -> Changes {
    Changes::new(before, now, Arc::new(changed_numbers(before, now)), Moves::between(before, now))
}

/// The rows of [`Changes`], for whoever does something with them before the claims are compared.
pub fn changed_numbers(before: &Snapshot, now: &Snapshot) -> Vec<Change> {
    if have(before, now, Source::Assets) { compare_assets(before, now) } else { Vec::new() }
}

impl Changes {
    /// What two weeks came to, of their assets and of their claims; these may be forgotten since.
    pub fn new(before: &Snapshot, now: &Snapshot, rows: Arc<Vec<Change>>, moves: Moves) -> Self {
        let Moves { by_asset: claims, total: claims_total } = moves;
        Self { before: before.week, weeks_apart: now.week.since(before.week), rows, claims, claims_total }
    }
}

/// Whether both weeks have a report.
fn have(before: &Snapshot, now: &Snapshot, source: Source) -> bool {
    before.reports.contains_key(&source) && now.reports.contains_key(&source)
}

/// What became of the claims of two weeks.
#[derive(Debug, Default)]
pub struct Moves {
    by_asset: BTreeMap<AssetId, ClaimMoves>,
    total: ClaimMoves,
}

impl Moves {
    /// Compares each claim of two weeks.
    pub fn between(before: &Snapshot, now: &Snapshot) -> Self {
        Self::between_on(before, now, &InTurn)
    }

    /// The same where two things may be done side by side.
    pub fn between_on(before: &Snapshot, now: &Snapshot, both: &impl Both) -> Self {
        if !have(before, now, Source::Claims) {
            return Self::default();
        }
        let middle = now.claims.get(now.claims.len() / 2).map(ClaimEntry::key);
        let halves = |claims| {
            let claims: &[ClaimEntry] = claims;
            claims.split_at(claims.partition_point(|claim| Some(claim.key()) < middle))
        };
        let ((was_low, was_high), (is_low, is_high)) = (halves(&before.claims), halves(&now.claims));
        let of = |was, is| {
            let mut moves = Self::default();
            for pair in pairs(was, is, ClaimEntry::key) {
                moves.compare(before, now, pair);
            }
            moves
        };
        let (mut moves, high) = both.both(|| of(was_low, is_low), || of(was_high, is_high));
        for (asset, more) in high.by_asset {
            moves.by_asset.entry(asset).or_default().plus(more);
        }
        moves.total.plus(high.total);
        moves
    }

    fn compare(
        &mut self,
        before: &Snapshot,
        now: &Snapshot,
        (was, is): (Option<&ClaimEntry>, Option<&ClaimEntry>),
    ) {
        let mut moves = ClaimMoves::default();
        moves.add(was.map(ClaimEntry::state), is.map(ClaimEntry::state));
        if moves.is_empty() {
            return;
        }
        let asset_of = |snapshot: &Snapshot, claim: Option<&ClaimEntry>| {
            claim.and_then(ClaimEntry::asset).and_then(|asset| snapshot.asset_at(asset)).map(|asset| asset.id)
        };
        if let Some(asset) = asset_of(now, is).or_else(|| asset_of(before, was)) {
            self.by_asset.entry(asset).or_default().plus(moves);
        }
        self.total.plus(moves);
    }
}

/// The changes of the assets' numbers in the order in which they are told.
fn compare_assets(before: &Snapshot, now: &Snapshot) -> Vec<Change> {
    let mut rows = Vec::new();
    for pair in pairs(&before.assets, &now.assets, |asset| asset.id) {
        compare_asset(before, now, pair, &mut rows);
    }
    rows.sort_by_cached_key(|change: &Change| {
        let alone = change.before.or(change.now).unwrap_or_default();
        let size = change.difference.map_or(alone, i64::unsigned_abs);
        (change.metric, std::cmp::Reverse(size), change.asset_id)
    });
    rows
}

fn compare_asset(
    before: &Snapshot,
    now: &Snapshot,
    (was, is): (Option<&AssetState>, Option<&AssetState>),
    rows: &mut Vec<Change>,
) {
    let reported = |asset: Option<&AssetState>| asset.is_some_and(|asset| asset.is_reported);
    for metric in Metric::ALL {
        let number = |asset: Option<&AssetState>| {
            asset.filter(|asset| asset.is_reported).and_then(|asset| metric.of(asset))
        };
        let (from, to) = (number(was), number(is));
        let state = match (from, to) {
            (Some(from), Some(to)) if from < to => ChangeState::Up,
            (Some(from), Some(to)) if from > to => ChangeState::Down,
            (Some(_), None) if !reported(is) => ChangeState::Gone,
            (None, Some(_)) if !reported(was) => ChangeState::New,
            _ => continue,
        };
        let Some(asset_id) = is.or(was).map(|asset| asset.id) else { continue };
        let text = |field: fn(&AssetState) -> Text| {
            let of = |snapshot: &Snapshot, asset: Option<&AssetState>| {
                asset.map(|asset| snapshot.text(field(asset)).to_owned())
            };
            of(now, is).filter(|text| !text.is_empty()).or_else(|| of(before, was)).unwrap_or_default()
        };
        rows.push(Change {
            asset_id,
            custom_id: match is {
                // An asset that has lost its custom ID has none, whatever it was.
                Some(asset) if asset.is_reported => now.text(asset.custom_id).to_owned(),
                _ => text(|asset| asset.custom_id),
            },
            channel_id: is.and_then(|asset| asset.channel).or_else(|| was.and_then(|asset| asset.channel)),
            title: text(|asset| asset.title),
            artist: text(|asset| asset.artist),
            isrc: text(|asset| asset.isrc),
            metric,
            before: from,
            now: to,
            difference: from.zip(to).map(|(from, to)| difference(from, to)),
            state,
        });
    }
}

impl Changes {
    /// Writes `changes.csv`: see [`write_csv`].
    pub fn write_csv<W: Write>(&self, to: W) -> io::Result<W> {
        write_csv(&self.rows, to)
    }
}

impl ClaimMoves {
    /// Adds other moves to these.
    pub fn plus(&mut self, other: Self) {
        self.opened += other.opened;
        self.released += other.released;
        self.gone += other.gone;
        self.disputed += other.disputed;
        self.settled += other.settled;
    }
}

/// Writes `changes.csv`, its header also where nothing changed. It is made for people's spreadsheets: see [`neutral`].
pub fn write_csv<W: Write>(rows: &[Change], to: W) -> io::Result<W> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(COLUMNS)?;
    for change in rows {
        let number = |number: Option<String>| number.unwrap_or_default();
        csv.write_record([
            neutral(change.asset_id.as_str()).as_str(),
            &neutral(&change.custom_id),
            change.channel_id.as_ref().map_or("", ChannelId::as_str),
            &neutral(&change.title),
            &neutral(&change.artist),
            &neutral(&change.isrc),
            change.metric.name(),
            &number(change.before.map(|number| number.to_string())),
            &number(change.now.map(|number| number.to_string())),
            // A minus sign before digits alone is a number and no formula.
            &number(change.difference.map(|number| number.to_string())),
            change.state.name(),
        ])?;
    }
    csv.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// A cell that no spreadsheet evaluates: an apostrophe goes before what begins like a formula. Blanks and characters
/// that cannot be seen do not hide such a beginning, since some programs take them off first.
pub fn neutral(cell: &str) -> String {
    let begins = cell.chars().find(|character| *character != ' ' && !is_invisible(*character));
    let is_formula =
        matches!(begins, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'));
    if is_formula { format!("'{cell}") } else { cell.to_owned() }
}

fn difference(from: u64, to: u64) -> i64 {
    let size = i64::try_from(from.abs_diff(to)).unwrap_or(i64::MAX);
    if to < from { -size } else { size }
}

/// Walks through two lists in the order of a key that each has once, and pairs what has the same key.
pub(super) fn pairs<'a, T, K: Ord>(
    before: &'a [T],
    now: &'a [T],
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = (Option<&'a T>, Option<&'a T>)> {
    let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (before.peek(), now.peek()) {
            (None, None) => return None,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(was), Some(is)) => key(was).cmp(&key(is)),
        };
        Some(match order {
            std::cmp::Ordering::Less => (before.next(), None),
            std::cmp::Ordering::Greater => (None, now.next()),
            std::cmp::Ordering::Equal => (before.next(), now.next()),
        })
    })
}

#[cfg(test)]
mod tests;
