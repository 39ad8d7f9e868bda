//! From rows to a week.

mod assets;
mod claim_signs;
mod claim_table;
mod claims;
mod entries;
mod finish;
mod videos;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hash};
use std::ops::RangeInclusive;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

use super::claim_state::OpenClaim;
use super::database::DatabaseVideos;
use super::state::{
    AssetState, ChannelState, ContestedVideo, OwnChannel, ReportFacts, UploaderState, VideoState,
};
use crate::claims::risk::{Candidates, Weights};
use crate::claims::strings::{Strings, Text};
use crate::claims::week::Week;
use crate::id::{AssetId, ChannelId};
use crate::number::NumberError;
use crate::row_fault::RowFault;
use claim_table::ClaimTable;
pub use claims::ClaimRows;
use claims::GatheredReference;
use entries::{Entries, at_mut};
pub use finish::{Both, InTurn};
pub use videos::VideoRows;

/// The reports that a week is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The asset report.
    Assets,
    /// The claim report.
    Claims,
    /// The video report.
    Videos,
    /// The conflict report.
    Conflicts,
}

/// The day from which the day of a video's publication is counted: there is no older video.
const FIRST_DAY: Date = date(2005, 1, 1);

/// So many open claims are kept whatever they wait for.
const MAX_OPEN_CLAIMS: usize = 100_000;

/// So many rows of videos that others claim are kept.
const MAX_CONTESTED: usize = 100_000;

/// So many rows take each step together.
const ROWS_AT_ONCE: usize = 64;

/// What it takes to read a week's rows apart from the week.
#[derive(Debug, Clone)]
pub struct RowReader {
    days: RangeInclusive<Date>,
    hasher: DefaultHashBuilder,
}

impl RowReader {
    fn hash(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }
}

/// Gathers a week row by row; see the module.
pub struct Gather {
    week: Week,
    days: RangeInclusive<Date>,
    young_since: Date,
    partners: HashSet<ChannelId>,
    database: Option<Arc<DatabaseVideos>>,
    hasher: DefaultHashBuilder,
    strings: Strings,
    assets: Entries<AssetState>,
    videos: Entries<VideoState>,
    channels: Entries<ChannelState>,
    uploaders: Entries<UploaderState>,
    references: Entries<GatheredReference>,
    claims: ClaimTable,
    claim_bytes: Option<u64>,
    found_references: Vec<(usize, u32)>,
    open_claims: Vec<OpenClaim>,
    own_channels: BTreeMap<ChannelId, OwnChannel>,
    contested: Vec<ContestedVideo>,
    candidates: Option<Candidates>,
    asset_rows: Vec<u64>,
    video_rows: Vec<u64>,
    conflict_rows: Vec<u64>,
    reports: HashMap<Source, ReportFacts>,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Assets, Self::Claims, Self::Videos, Self::Conflicts];

    /// The report's name for people and as the id of its findings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assets => "asset report",
            Self::Claims => "claim report",
            Self::Videos => "video report",
            Self::Conflicts => "conflict report",
        }
    }
}

impl Gather {
    /// A week of which nothing is known yet. Of several channels whose videos carry one asset a partner's goes first.
    pub fn new(week: Week, partners: impl IntoIterator<Item = ChannelId>) -> Self {
        Self {
            week,
            days: week.monday()..=week.sunday(),
            young_since: claim_signs::young_since(week),
            partners: partners.into_iter().collect(),
            database: None,
            hasher: DefaultHashBuilder::default(),
            strings: Strings::default(),
            assets: Entries::default(),
            videos: Entries::default(),
            channels: Entries::default(),
            uploaders: Entries::default(),
            references: Entries::default(),
            claims: ClaimTable::default(),
            claim_bytes: None,
            found_references: Vec::new(),
            open_claims: Vec::new(),
            own_channels: BTreeMap::new(),
            contested: Vec::new(),
            candidates: None,
            asset_rows: Vec::new(),
            video_rows: Vec::new(),
            conflict_rows: Vec::new(),
            reports: HashMap::new(),
        }
    }

    /// Gives the week the videos of the database, for the channels of assets of which no report says them.
    #[must_use]
    pub fn with_database(mut self, videos: Arc<DatabaseVideos>) -> Self {
        self.database = Some(videos);
        self
    }

    /// Keeps the claims with the most at stake that nobody disputes yet, by this table.
    pub fn rank_risks(&mut self, weights: Weights) {
        self.candidates = Some(Candidates::new(weights, self.week));
    }

    /// Begins a report: from here on it counts as given. `missing` are the columns it does not have.
    pub fn begin(&mut self, source: Source, missing: &[&str]) {
        let facts = self.reports.entry(source).or_default();
        facts.missing_columns = missing.iter().map(|name| (*name).to_owned()).collect();
    }

    /// By what [`ClaimRows`] and [`VideoRows`] are read for this week.
    pub fn row_reader(&self) -> RowReader {
        RowReader { days: self.days.clone(), hasher: self.hasher.clone() }
    }

    /// Counts rows that were read at once.
    fn count_rows(&mut self, source: Source, rows: usize, used: usize, fingerprint: u64) {
        let count = |count: usize| u64::try_from(count).unwrap_or_default();
        let facts = self.reports.entry(source).or_default();
        facts.rows += count(rows);
        facts.used += count(used);
        facts.rejected += count(rows.saturating_sub(used));
        facts.fingerprint = facts.fingerprint.wrapping_add(fingerprint);
    }

    /// Counts a row with a wrong number of fields.
    pub fn misfit(&mut self, source: Source) {
        let facts = self.reports.entry(source).or_default();
        facts.rows += 1;
        facts.rejected += 1;
    }

    /// Counts a row that was read or not, and adds it to the report's fingerprint.
    fn counted<T>(&mut self, source: Source, print: u64, read: Result<T, RowFault>) -> Result<T, RowFault> {
        let facts = self.reports.entry(source).or_default();
        facts.rows += 1;
        facts.fingerprint = facts.fingerprint.wrapping_add(print);
        match &read {
            Ok(_) => facts.used += 1,
            Err(_) => facts.rejected += 1,
        }
        read
    }

    fn asset_position(&mut self, id: AssetId) -> u32 {
        self.assets.position(&self.hasher, id, |asset| asset.id, || AssetState::new(id))
    }

    fn channel_position(&mut self, id: ChannelId, hash: u64, name: &[u8]) -> u32 {
        let new = || ChannelState::new(id, Text::EMPTY);
        let position = self.channels.position_by(hash, id, |channel| channel.id, new);
        if let Some(channel) = at_mut(&mut self.channels.entries, position) {
            channel.name = self.strings.keep_first(channel.name, name);
        }
        position
    }
}

fn add(count: &mut u32, is_one: bool) {
    *count = count.saturating_add(u32::from(is_one));
}

/// Where a row stands: record and line.
#[derive(Clone, Copy)]
struct Place(u64, u64);

impl Place {
    fn id<T>(self, column: &'static str, id: Result<T, crate::id::IdError>) -> Result<T, RowFault> {
        id.map_err(|error| self.fault(column, "id_invalid", error.to_string()))
    }

    fn number<T>(self, column: &'static str, number: Result<T, NumberError>) -> Result<T, RowFault> {
        number.map_err(|error| self.fault(column, "number_invalid", error.to_string()))
    }

    fn fault(self, column: &'static str, code: &'static str, reason: String) -> RowFault {
        let remedy = "The row is left out; fetch the report again if there are many.";
        RowFault { record: self.0, line: self.1, column, code, reason, remedy }
    }
}
