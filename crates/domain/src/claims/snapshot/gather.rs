//! From rows to a week.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

use super::database::{Carrier, DatabaseVideos};
use super::hashing::{fingerprint, row_fingerprint};
use super::state::{
    AssetState, ChannelState, ClaimEntry, ClaimState, ContestedVideo, Known, NO_ASSET, OpenClaim, OpenStatus,
    OwnChannel, ReferenceState, ReportFacts, SHORT_MATCH_SECONDS, Snapshot, UploaderState, VideoState,
};
use crate::asset_report::{AssetColumn, AssetRow};
use crate::calendar;
use crate::claim_report::{ClaimColumn, ClaimRow};
use crate::claims::risk::{Candidate, Candidates, Sign, Signs, Weights};
use crate::claims::strings::{Strings, Text};
use crate::claims::week::Week;
use crate::conflict_report::{ConflictColumn, ConflictRow};
use crate::id::{AssetId, ChannelId, VideoId};
use crate::number::{self, NumberError};
use crate::row_fault::RowFault;
use crate::video_report::{VideoColumn, VideoRow};

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

/// A claim that is younger than four weeks is a young one.
const YOUNG_DAYS: i64 = 28;

/// So many open claims are kept whatever they wait for.
const MAX_OPEN_CLAIMS: usize = 100_000;

/// So many rows of videos that others claim are kept.
const MAX_CONTESTED: usize = 100_000;

/// A table of entries that are found by a key within them.
struct Entries<T> {
    entries: Vec<T>,
    index: HashTable<u32>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: HashTable::new() }
    }
}

impl<T> Entries<T> {
    /// The position of the entry with this key, which is made where there is none. Beyond four thousand million
    /// entries the last one stands for all.
    fn position<K: Hash + Eq + Copy>(
        &mut self,
        hasher: &DefaultHashBuilder,
        key: K,
        key_of: impl Fn(&T) -> K,
        make: impl FnOnce() -> T,
    ) -> u32 {
        let hash = hasher.hash_one(key);
        let entries = &mut self.entries;
        let found = self
            .index
            .find(hash, |position| at(entries, *position).is_some_and(|entry| key_of(entry) == key));
        if let Some(position) = found {
            return *position;
        }
        let Ok(position) = u32::try_from(entries.len()) else {
            return u32::MAX;
        };
        entries.push(make());
        self.index.insert_unique(hash, position, |position| {
            at(entries, *position).map_or(0, |entry| hasher.hash_one(key_of(entry)))
        });
        position
    }
}

fn at<T>(entries: &[T], position: u32) -> Option<&T> {
    entries.get(usize::try_from(position).ok()?)
}

fn at_mut<T>(entries: &mut [T], position: u32) -> Option<&mut T> {
    entries.get_mut(usize::try_from(position).ok()?)
}

/// Gathers a week row by row; see the module.
pub struct Gather {
    week: Week,
    partners: HashSet<ChannelId>,
    database: Option<Arc<DatabaseVideos>>,
    hasher: DefaultHashBuilder,
    strings: Strings,
    assets: Entries<AssetState>,
    videos: Entries<VideoState>,
    channels: Entries<ChannelState>,
    uploaders: Entries<UploaderState>,
    references: Entries<ReferenceState>,
    claims: Entries<GatheredClaim>,
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
            partners: partners.into_iter().collect(),
            database: None,
            hasher: DefaultHashBuilder::default(),
            strings: Strings::default(),
            assets: Entries::default(),
            videos: Entries::default(),
            channels: Entries::default(),
            uploaders: Entries::default(),
            references: Entries::default(),
            claims: Entries::default(),
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
        self.candidates = Some(Candidates::new(weights));
    }

    /// Begins a report: from here on it counts as given. `missing` are the columns it does not have.
    pub fn begin(&mut self, source: Source, missing: &[&str]) {
        let facts = self.reports.entry(source).or_default();
        facts.missing_columns = missing.iter().map(|name| (*name).to_owned()).collect();
    }

    /// Counts a row with a wrong number of fields.
    pub fn misfit(&mut self, source: Source) {
        let facts = self.reports.entry(source).or_default();
        facts.rows += 1;
        facts.rejected += 1;
    }

    /// Takes a row of the asset report.
    pub fn asset(&mut self, row: &AssetRow<'_>) -> Result<(), RowFault> {
        let read = (|| {
            let place = Place(row.record(), row.line());
            let id = place.id("asset_id", row.asset_id())?;
            let number = |name, column| place.number(name, row.number(column)).map(Known::new);
            Ok(AssetNumbers {
                id,
                active_claims: Known::new(Some(place.number("active_claims", row.active_claims())?)),
                daily_views: number("approx_daily_views", AssetColumn::DailyViews)?,
                daily_engaged_views: number("approx_daily_engaged_views", AssetColumn::DailyEngagedViews)?,
            })
        })();
        let print = row_fingerprint(row.fields().iter());
        let read = self.counted(Source::Assets, print, read)?;
        self.asset_rows.push(print);
        let isrc = [AssetColumn::Isrc, AssetColumn::YourIsrc, AssetColumn::DisplayIsrc]
            .map(|column| row.cell(column))
            .into_iter()
            .find(|cell| !cell.is_empty())
            .unwrap_or_default();
        let texts = [
            row.custom_id_bytes(),
            row.cell(AssetColumn::Title),
            row.cell(AssetColumn::Artist),
            isrc,
            row.asset_type_bytes(),
            row.cell(AssetColumn::MatchPolicy),
            row.cell(AssetColumn::ConflictingOwner),
            row.cell(AssetColumn::ConflictingCountryCode),
        ]
        .map(|cell| self.strings.keep(cell));
        let position = self.asset_position(read.id);
        let Some(asset) = at_mut(&mut self.assets.entries, position) else { return Ok(()) };
        let [custom_id, title, artist, isrc, asset_type, match_policy, owner, countries] = texts;
        let own = OwnTexts([custom_id, title, artist, isrc]);
        // That the report gives no custom ID is said by it; that it gives no title is not, most have no such column.
        own.put(asset, &self.strings, true);
        asset.is_reported = true;
        for (kept, said) in [
            (&mut asset.asset_type, asset_type),
            (&mut asset.match_policy, match_policy),
            (&mut asset.conflicting_owner, owner),
            (&mut asset.conflicting_countries, countries),
        ] {
            *kept = self.strings.first_of(*kept, said);
        }
        asset.active_claims = asset.active_claims.max(read.active_claims);
        asset.daily_views = asset.daily_views.max(read.daily_views);
        asset.daily_engaged_views = asset.daily_engaged_views.max(read.daily_engaged_views);
        asset.active_references =
            asset.active_references.max(list_length(row.cell(AssetColumn::ActiveReferenceId)));
        asset.inactive_references =
            asset.inactive_references.max(list_length(row.cell(AssetColumn::InactiveReferenceId)));
        Ok(())
    }

    /// Takes a row of the conflict report.
    pub fn conflict(&mut self, row: &ConflictRow<'_>) -> Result<(), RowFault> {
        let read = Place(row.record(), row.line()).id("asset_id", row.asset_id());
        let print = row_fingerprint(row.fields().iter());
        let id = self.counted(Source::Conflicts, print, read)?;
        self.conflict_rows.push(print);
        let owner = self.strings.keep(row.conflicting_owner().as_bytes());
        let countries = self.strings.keep(row.cell(ConflictColumn::CountryCode));
        let position = self.asset_position(id);
        if let Some(asset) = at_mut(&mut self.assets.entries, position) {
            asset.conflicting_owner = self.strings.first_of(asset.conflicting_owner, owner);
            asset.conflicting_countries = self.strings.first_of(asset.conflicting_countries, countries);
        }
        Ok(())
    }

    /// Takes a row of the video report.
    pub fn video(&mut self, row: &VideoRow<'_>) -> Result<(), RowFault> {
        let read = (|| {
            let place = Place(row.record(), row.line());
            let number = |name, column| place.number(name, row.number(column)).map(Known::new);
            Ok(VideoNumbers {
                id: place.id("video_id", row.video_id())?,
                channel: place.id("channel_id", row.channel_id())?,
                views: number("views", VideoColumn::Views)?,
                engaged_views: number("engaged_views", VideoColumn::EngagedViews)?,
            })
        })();
        let print = row_fingerprint(row.fields().iter());
        let read = self.counted(Source::Videos, print, read)?;
        self.video_rows.push(print);
        let name = self.strings.keep(row.cell(VideoColumn::ChannelName));
        let channel = self.channel_position(read.channel, name);
        if let Some(channel) = at_mut(&mut self.channels.entries, channel) {
            channel.video_rows = channel.video_rows.saturating_add(1);
        }
        let isrc = self.strings.keep(row.cell(VideoColumn::Isrc));
        let mut first: Option<(AssetId, u32)> = None;
        for (cell, custom_id) in row.assets() {
            let Ok(id) = AssetId::parse_bytes(cell) else { continue };
            let position = self.asset_position(id);
            let custom_id = self.strings.keep(custom_id.unwrap_or_default());
            if let Some(asset) = at_mut(&mut self.assets.entries, position) {
                asset.carry(Carrier::with(asset.carrier(), read.channel, &self.partners));
                OwnTexts([custom_id, Text::EMPTY, Text::EMPTY, isrc]).put(asset, &self.strings, false);
            }
            if first.is_none_or(|(known, _)| id < known) {
                first = Some((id, position));
            }
        }
        self.keep_contested(row, &read);
        let title = self.strings.keep(row.title().as_bytes());
        let published = days_since_first(row.cell(VideoColumn::Published));
        let position = self.videos.position(
            &self.hasher,
            read.id,
            |video| video.id,
            || VideoState {
                id: read.id,
                channel,
                asset: None,
                published,
                title,
                views: Known::UNKNOWN,
                engaged_views: Known::UNKNOWN,
            },
        );
        let (assets, channels) = (&self.assets.entries, &self.channels.entries);
        let Some(video) = at_mut(&mut self.videos.entries, position) else { return Ok(()) };
        let id_of = |asset: Option<u32>| asset.and_then(|asset| at(assets, asset)).map(|asset| asset.id);
        video.asset = match (id_of(video.asset), first) {
            (Some(known), Some((id, position))) if id < known => Some(position),
            (None, Some((_, position))) => Some(position),
            _ => video.asset,
        };
        let known = at(channels, video.channel).map(|channel| channel.id);
        if known.is_some_and(|known| read.channel < known) {
            video.channel = channel;
        }
        video.title = self.strings.first_of(video.title, title);
        video.published = video.published.max(published);
        video.views = video.views.max(read.views);
        video.engaged_views = video.engaged_views.max(read.engaged_views);
        Ok(())
    }

    /// Keeps a partner's video that another owner claims. Beyond [`MAX_CONTESTED`] rows no more are kept.
    fn keep_contested(&mut self, row: &VideoRow<'_>, read: &VideoNumbers) {
        if self.contested.len() >= MAX_CONTESTED || !self.partners.contains(&read.channel) {
            return;
        }
        let owners = row.cell(VideoColumn::OtherOwners);
        if owners.is_empty() && number::flag(row.cell(VideoColumn::ClaimedByAnotherOwner)) != Some(true) {
            return;
        }
        let owners = self.strings.keep(owners);
        self.contested.push(ContestedVideo { video: read.id, channel: read.channel, owners });
    }

    /// Takes a row of the claim report.
    pub fn claim(&mut self, row: &ClaimRow<'_>) -> Result<(), RowFault> {
        let read = (|| {
            let place = Place(row.record(), row.line());
            let number = |name, column| place.number(name, row.number(column)).map(Known::new);
            let created = calendar::date(row.cell(ClaimColumn::CreatedDate))
                .map_err(|error| place.fault("claim_created_date", "date_invalid", error.to_string()))?;
            Ok(ClaimNumbers {
                key: fingerprint(place.id("claim_id", row.claim_id_bytes())?),
                channel: place.id("channel_id", row.channel_id())?,
                asset: match row.asset_id_bytes() {
                    b"" => None,
                    cell => Some(place.id("asset_id", AssetId::parse_bytes(cell))?),
                },
                views: number("views", ClaimColumn::Views)?,
                engaged_views: number("engaged_views", ClaimColumn::EngagedViews)?,
                is_created: created.is_some_and(|day| self.week.contains(day)),
                created,
            })
        })();
        let print = row_fingerprint(row.fields().iter());
        let read = self.counted(Source::Claims, print, read)?;
        let asset = read.asset.map(|id| self.asset_position(id));
        let state = ClaimState::of(row.claim_status().as_bytes(), row.cell(ClaimColumn::StatusDetail));
        let [row_bits, _] =
            [print >> 32, print].map(|bits| u32::try_from(bits & 0xffff_ffff).unwrap_or_default());
        let entry = GatheredClaim {
            key: read.key,
            row: row_bits,
            asset_and_state: ClaimEntry::new(read.key, asset, state).asset_and_state,
        };
        let before = self.claims.entries.len();
        self.claims.position(&self.hasher, (read.key, row_bits), |claim| (claim.key, claim.row), || entry);
        if self.claims.entries.len() == before {
            let facts = self.reports.entry(Source::Claims).or_default();
            facts.duplicates += 1;
            facts.used -= 1;
            return Ok(());
        }
        if state >= ClaimState::Pending {
            self.keep_open(row, &read);
        }
        let length = [ClaimColumn::LongestMatch, ClaimColumn::MatchingDuration, ClaimColumn::MatchingLength]
            .into_iter()
            .find_map(|column| number::seconds(row.cell(column)));
        let counted = Counted {
            state,
            is_created: read.is_created,
            is_short: length.is_some_and(|length| length < SHORT_MATCH_SECONDS),
        };
        if state == ClaimState::Active {
            self.keep_candidate(asset, row, &read, counted);
        }
        self.count_for_asset(asset, row, &read, counted);
        let uploader = self.uploaders.position(
            &self.hasher,
            read.channel,
            |uploader| uploader.id,
            || UploaderState::new(read.channel),
        );
        if let Some(uploader) = at_mut(&mut self.uploaders.entries, uploader) {
            add(&mut uploader.claims, true);
            add(&mut uploader.claims_active, state == ClaimState::Active);
            add(&mut uploader.claims_inactive, state == ClaimState::Inactive);
            add(&mut uploader.claims_disputed, state.is_disputed());
            add(&mut uploader.claims_created, counted.is_created);
            add(&mut uploader.claims_short, counted.is_short);
        }
        if state >= ClaimState::Active && self.partners.contains(&read.channel) {
            self.count_for_own_channel(row, &read);
        }
        for reference in row.cell(ClaimColumn::ReferenceId).split(|byte| *byte == b'|') {
            let reference = self.strings.keep(reference.trim_ascii());
            if !reference.is_empty() {
                self.count_for_reference(reference, asset, counted, length);
            }
        }
        Ok(())
    }

    /// Keeps a claim that waits for somebody. Beyond [`MAX_OPEN_CLAIMS`] only those that an uploader objects to are kept:
    /// nobody works down more, and memory must not grow with a report that is wrong.
    fn keep_open(&mut self, row: &ClaimRow<'_>, read: &ClaimNumbers) {
        let status = OpenStatus::of(row.cell(ClaimColumn::StatusDetail));
        if self.open_claims.len() >= MAX_OPEN_CLAIMS && status > OpenStatus::Disputed {
            return;
        }
        let Ok(claim_id) = row.claim_id() else { return };
        let day = |column| calendar::date(row.cell(column)).ok().flatten();
        self.open_claims.push(OpenClaim {
            claim_id,
            status,
            asset_id: read.asset,
            video_id: row.video_id().and_then(Result::ok),
            channel_id: read.channel,
            created: day(ClaimColumn::CreatedDate),
            views: read.views.get().or(read.engaged_views.get()),
            uploaded: day(ClaimColumn::UploadDate),
        });
    }

    /// Keeps a claim that may be disputed, where enough is at stake. What one uploaded oneself nobody disputes.
    fn keep_candidate(
        &mut self,
        asset: Option<u32>,
        row: &ClaimRow<'_>,
        read: &ClaimNumbers,
        counted: Counted,
    ) {
        let views = read.views.get().or(read.engaged_views.get()).unwrap_or_default();
        let Some(candidates) = self.candidates.as_mut().filter(|them| them.may_take(views)) else { return };
        let uploaded = calendar::date(row.cell(ClaimColumn::UploadDate)).ok().flatten();
        let Some(there_since) = uploaded.or(read.created) else { return };
        let sunday = self.week.sunday();
        let age = |day: Date| sunday.duration_since(day).as_hours() / 24 + 1;
        let views_a_day = views / u64::try_from(age(there_since)).unwrap_or(1).max(1);
        if !candidates.may_take(views_a_day) {
            return;
        }
        let origin = row.cell(ClaimColumn::Origin).to_ascii_uppercase();
        let says = |word: &[u8]| memchr::memmem::find(&origin, word).is_some();
        if says(b"UPLOAD") {
            return;
        }
        let Ok(claim_id) = row.claim_id() else { return };
        let mut signs = Signs::default();
        for (sign, holds) in [
            (Sign::ShortMatch, counted.is_short),
            (Sign::BlockPolicy, !row.cell(ClaimColumn::PolicyBlock).is_empty()),
            (Sign::UploaderPartner, self.partners.contains(&read.channel)),
            (Sign::YoungClaim, read.created.is_some_and(|day| age(day) <= YOUNG_DAYS)),
            (Sign::Shorts, number::flag(row.cell(ClaimColumn::IsShortsEligible)) == Some(true)),
        ] {
            if holds {
                signs.add(sign);
            }
        }
        candidates.add(Candidate {
            claim_id,
            asset,
            video_id: row.video_id().and_then(Result::ok),
            channel_id: read.channel,
            views_a_day,
            signs,
            is_manual: says(b"MANUAL") || says(b"DESCRIPTIVE"),
        });
    }

    fn count_for_asset(
        &mut self,
        asset: Option<u32>,
        row: &ClaimRow<'_>,
        read: &ClaimNumbers,
        counted: Counted,
    ) {
        let Some(position) = asset else { return };
        let is_told = at(&self.assets.entries, position).is_some_and(|asset| asset.told == OwnTexts::ALL);
        let columns =
            [ClaimColumn::CustomId, ClaimColumn::AssetTitle, ClaimColumn::Artist, ClaimColumn::Isrc];
        // Where the asset report has told everything, the same texts in millions of claims need no second look.
        let texts = (!is_told).then(|| columns.map(|column| self.strings.keep(row.cell(column))));
        let Some(asset) = at_mut(&mut self.assets.entries, position) else { return };
        asset.claimed_views = asset.claimed_views.plus(read.views);
        asset.claimed_engaged_views = asset.claimed_engaged_views.plus(read.engaged_views);
        add(&mut asset.claims_created, counted.is_created);
        add(&mut asset.claims_short, counted.is_short);
        if let Some(texts) = texts {
            OwnTexts(texts).put(asset, &self.strings, false);
        }
    }

    /// Counts a claim on a partner's channel, unless the partner made it by uploading.
    fn count_for_own_channel(&mut self, row: &ClaimRow<'_>, read: &ClaimNumbers) {
        let origin = row.cell(ClaimColumn::Origin).to_ascii_lowercase();
        let is_upload = match origin.as_slice() {
            // An upload is no match of a reference.
            b"" => row.cell(ClaimColumn::ReferenceId).is_empty(),
            origin => memchr::memmem::find(origin, b"upload").is_some(),
        };
        if is_upload {
            return;
        }
        let own = self.own_channels.entry(read.channel).or_insert(OwnChannel {
            channel: read.channel,
            held: 0,
            created: 0,
            first_asset: None,
            views: Known::UNKNOWN,
        });
        add(&mut own.held, true);
        add(&mut own.created, read.is_created);
        own.first_asset = own.first_asset.into_iter().chain(read.asset).min();
        own.views = own.views.plus(read.views);
    }

    fn count_for_reference(&mut self, id: Text, asset: Option<u32>, counted: Counted, length: Option<u32>) {
        let position = self.references.position(
            &self.hasher,
            id,
            |reference| reference.id,
            || ReferenceState::new(id, asset),
        );
        let assets = &self.assets.entries;
        let id_of = |asset: Option<u32>| asset.and_then(|asset| at(assets, asset)).map(|asset| asset.id);
        let Some(reference) = at_mut(&mut self.references.entries, position) else { return };
        if id_of(asset).is_some_and(|id| id_of(reference.asset).is_none_or(|known| id < known)) {
            reference.asset = asset;
        }
        add(&mut reference.claims, true);
        add(&mut reference.claims_active, counted.state == ClaimState::Active);
        add(&mut reference.claims_inactive, counted.state == ClaimState::Inactive);
        add(&mut reference.claims_disputed, counted.state.is_disputed());
        add(&mut reference.claims_created, counted.is_created);
        if let Some(length) = length {
            reference.lengths.add(length);
        }
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

    fn channel_position(&mut self, id: ChannelId, name: Text) -> u32 {
        let position =
            self.channels.position(&self.hasher, id, |channel| channel.id, || ChannelState::new(id, name));
        if let Some(channel) = at_mut(&mut self.channels.entries, position) {
            channel.name = self.strings.first_of(channel.name, name);
        }
        position
    }

    /// The week, everything in the order of its ids and everything summed that needs all rows.
    pub fn finish(self) -> Snapshot {
        let Self {
            week,
            mut strings,
            assets,
            videos,
            channels,
            uploaders,
            references,
            claims,
            mut open_claims,
            own_channels,
            mut contested,
            candidates,
            reports,
            database,
            ..
        } = self;
        strings.close();
        drop((assets.index, videos.index, channels.index, uploaders.index, references.index, claims.index));
        let (mut assets, new_asset) = sorted(assets.entries, |asset| asset.id);
        if let Some(database) = database {
            // Only now is it sure that no report tells them.
            for asset in assets.iter_mut().filter(|asset| asset.channel.is_none()) {
                if let Some(carrier) = database.carrier(asset.id) {
                    asset.carry(carrier);
                    asset.told |= AssetState::CHANNEL_BY_DATABASE;
                }
            }
        }
        let (mut channels, new_channel) = sorted(channels.entries, |channel| channel.id);
        let renumbered = |numbers: &[u32], old: Option<u32>| old.and_then(|old| at(numbers, old).copied());

        let mut gathered = claims.entries;
        for claim in &mut gathered {
            let entry = claim.entry();
            let asset = renumbered(&new_asset, entry.asset());
            claim.asset_and_state = ClaimEntry::new(claim.key, asset, entry.state()).asset_and_state;
        }
        // Of rows that disagree about one claim the highest state stands, and of its assets the first.
        gathered.sort_unstable_by_key(|claim| {
            let entry = claim.entry();
            (claim.key, std::cmp::Reverse(entry.state()), entry.asset().unwrap_or(NO_ASSET))
        });
        gathered.dedup_by_key(|claim| claim.key);
        let claims: Vec<ClaimEntry> = gathered.iter().map(GatheredClaim::entry).collect();
        drop(gathered);
        for claim in &claims {
            let Some(asset) = claim.asset().and_then(|asset| at_mut(&mut assets, asset)) else { continue };
            add(&mut asset.claims, true);
            add(&mut asset.claims_active, claim.state() == ClaimState::Active);
            add(&mut asset.claims_inactive, claim.state() == ClaimState::Inactive);
            add(&mut asset.claims_disputed, claim.state().is_disputed());
        }

        let mut videos = videos.entries;
        videos.sort_unstable_by_key(|video| video.id);
        for video in &mut videos {
            video.asset = renumbered(&new_asset, video.asset);
            video.channel = renumbered(&new_channel, Some(video.channel)).unwrap_or(video.channel);
            if let Some(channel) = at_mut(&mut channels, video.channel) {
                add(&mut channel.videos, true);
                channel.views = channel.views.plus(video.views);
                channel.engaged_views = channel.engaged_views.plus(video.engaged_views);
            }
        }

        let mut uploaders = uploaders.entries;
        uploaders.sort_unstable_by_key(|uploader| uploader.id);

        let mut references = references.entries;
        for reference in &mut references {
            reference.asset = renumbered(&new_asset, reference.asset);
        }
        references.sort_unstable_by(|a, b| strings.get(a.id).cmp(strings.get(b.id)));

        // Of rows that disagree about one claim the most pressing status stands.
        open_claims.sort_unstable();
        open_claims.dedup_by(|later, first| later.claim_id == first.claim_id);
        // Of rows that name different owners, or channels, the first by name stands.
        contested.sort_unstable_by(|a, b| {
            let owners = |one: &ContestedVideo| strings.get(one.owners);
            (a.video, owners(a).is_empty(), owners(a), a.channel).cmp(&(
                b.video,
                owners(b).is_empty(),
                owners(b),
                b.channel,
            ))
        });
        contested.dedup_by_key(|one| one.video);

        // Of rows that disagree another may say that somebody disputes it already, or that it is given up.
        let is_active = |candidate: &Candidate| {
            let key = fingerprint(candidate.claim_id.as_bytes());
            let found = claims.binary_search_by_key(&key, ClaimEntry::key).ok();
            found.and_then(|index| claims.get(index)).is_some_and(|claim| claim.state() == ClaimState::Active)
        };
        let mut candidates = candidates.map(Candidates::into_vec).unwrap_or_default();
        candidates.retain(is_active);
        for candidate in &mut candidates {
            candidate.asset = renumbered(&new_asset, candidate.asset);
        }

        let mut snapshot = Snapshot {
            week,
            strings,
            assets,
            videos,
            channels,
            uploaders,
            references,
            claims,
            open_claims,
            own_channels: own_channels.into_values().collect(),
            contested,
            candidates,
            reports,
        };
        snapshot.settle_facts(Source::Assets, self.asset_rows);
        snapshot.settle_facts(Source::Videos, self.video_rows);
        snapshot.settle_facts(Source::Conflicts, self.conflict_rows);
        snapshot.settle_facts(Source::Claims, Vec::new());
        snapshot
    }
}

impl Snapshot {
    /// Puts into a report's facts what is only known at the end.
    fn settle_facts(&mut self, source: Source, mut rows: Vec<u64>) {
        let Some(mut facts) = self.reports.remove(&source) else { return };
        let row_count = rows.len();
        rows.sort_unstable();
        rows.dedup();
        let repeated = u64::try_from(row_count - rows.len()).unwrap_or_default();
        facts.duplicates += repeated;
        facts.used -= repeated;
        let sum = |numbers: &mut dyn Iterator<Item = Known>| numbers.fold(Known::UNKNOWN, Known::plus).get();
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        match source {
            Source::Assets => {
                let reported = || self.assets.iter().filter(|asset| asset.is_reported);
                facts.entries = count(reported().count());
                facts.views = sum(&mut reported().map(|asset| asset.daily_views));
                facts.engaged_views = sum(&mut reported().map(|asset| asset.daily_engaged_views));
                facts.active_claims = sum(&mut reported().map(|asset| asset.active_claims));
            }
            Source::Claims => {
                facts.entries = count(self.claims.len());
                facts.channels = count(self.uploaders.len());
                facts.views = sum(&mut self.assets.iter().map(|asset| asset.claimed_views));
                facts.engaged_views = sum(&mut self.assets.iter().map(|asset| asset.claimed_engaged_views));
                let active = self.claims.iter().filter(|claim| claim.state() == ClaimState::Active);
                facts.active_claims = Some(count(active.count()));
            }
            Source::Videos => {
                facts.entries = count(self.videos.len());
                facts.channels = count(self.channels.len());
                facts.views = sum(&mut self.videos.iter().map(|video| video.views));
                facts.engaged_views = sum(&mut self.videos.iter().map(|video| video.engaged_views));
            }
            Source::Conflicts => facts.entries = facts.used,
        }
        self.reports.insert(source, facts);
    }
}

/// The texts by which people know an asset: custom ID, title, artist, ISRC.
struct OwnTexts([Text; 4]);

impl OwnTexts {
    const ALL: u8 = 0b1111;
    const CUSTOM_ID: u8 = 0b0001;

    /// Puts the texts into an asset. What the asset report says goes before what the others say, whichever is read
    /// first; among rows of equal standing the first text in the order of bytes stands.
    fn put(&self, asset: &mut AssetState, strings: &Strings, by_asset_report: bool) {
        let told = asset.told;
        let places = [&mut asset.custom_id, &mut asset.title, &mut asset.artist, &mut asset.isrc];
        for ((place, said), bit) in places.into_iter().zip(self.0).zip([1_u8, 2, 4, 8]) {
            let counts = by_asset_report && (bit == Self::CUSTOM_ID || !said.is_empty());
            if counts && told & bit == 0 {
                *place = said;
                asset.told |= bit;
            } else if by_asset_report == (told & bit != 0) {
                *place = strings.first_of(*place, said);
            }
        }
    }
}

/// Sorts entries, and says for every old position the new one.
fn sorted<T, K: Ord>(entries: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, Vec<u32>) {
    let mut numbered: Vec<(u32, T)> = (0_u32..).zip(entries).collect();
    numbered.sort_unstable_by_key(|(_, entry)| key(entry));
    let mut new_positions = vec![0; numbered.len()];
    for (new, (old, _)) in (0_u32..).zip(&numbered) {
        if let Some(place) = at_mut(&mut new_positions, *old) {
            *place = new;
        }
    }
    (numbered.into_iter().map(|(_, entry)| entry).collect(), new_positions)
}

fn add(count: &mut u32, is_one: bool) {
    *count = count.saturating_add(u32::from(is_one));
}

fn list_length(cell: &[u8]) -> u32 {
    let count = cell.split(|byte| *byte == b'|').filter(|id| !id.trim_ascii().is_empty()).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A video's day in 2 bytes; 0 where it is unknown, since nothing is detected by this alone.
fn days_since_first(cell: &[u8]) -> u16 {
    let Ok(Some(day)) = calendar::date(cell) else { return 0 };
    u16::try_from(day.duration_since(FIRST_DAY).as_hours() / 24).unwrap_or_default()
}

/// A claim while rows come: with part of its row's fingerprint, by which a repeated row is known.
struct GatheredClaim {
    key: u64,
    row: u32,
    asset_and_state: u32,
}

impl GatheredClaim {
    fn entry(&self) -> ClaimEntry {
        ClaimEntry::with_bits(self.key, self.asset_and_state)
    }
}

#[derive(Clone, Copy)]
struct Counted {
    state: ClaimState,
    is_created: bool,
    is_short: bool,
}

struct AssetNumbers {
    id: AssetId,
    active_claims: Known,
    daily_views: Known,
    daily_engaged_views: Known,
}

struct VideoNumbers {
    id: VideoId,
    channel: ChannelId,
    views: Known,
    engaged_views: Known,
}

struct ClaimNumbers {
    key: u64,
    channel: ChannelId,
    asset: Option<AssetId>,
    views: Known,
    engaged_views: Known,
    is_created: bool,
    created: Option<Date>,
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
