//! From report rows to partner assets, in little memory.
//!
//! A row of a foreign channel leaves no trace but a counter. Of a partner asset one entry is kept, with its first
//! video inline, since nearly every asset of a partner channel has one video and one row; further videos stand in one
//! list for all assets. Whatever the report's size, memory grows with the partner catalogue alone.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::asset::{AssetEntry, Reported, Standing, VideoOfAsset};
use crate::id::{AssetId, VideoId};
use crate::partner_channels::{Filter, PartnerChannels, PartnerIndex};
use crate::video_report::VideoRow;

/// Gathers partner assets row by row.
pub struct Scan<'p> {
    partners: &'p PartnerChannels,
    hasher: DefaultHashBuilder,
    assets: Vec<Gathering>,
    by_asset: HashTable<u32>,
    mentions: Vec<Mention>,
    by_mention: HashTable<u32>,
    unreadable: Vec<(u64, PartnerIndex)>,
    stats: ScanStats,
}

/// What a row was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A row of a partner channel; its assets are gathered.
    Partner,
    /// A row of another channel.
    NotPartner,
    /// A row of a partner channel whose video has no asset.
    WithoutAsset,
}

/// A row of a partner channel with an id that cannot be read, or a row whose channel's cannot.
///
/// What is readable in it was gathered all the same as far as it tells whose an asset is: a bad cell must not hide
/// that two channels claim one asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RowReject {
    /// Why, as a stable word for machines.
    pub code: &'static str,
    /// The column at fault.
    pub column: &'static str,
    /// Why, as a sentence for people.
    pub reason: String,
    /// The partner channel whose row it is, so that a run limited to others can pass it over; `None` when nobody knows.
    pub channel: Option<PartnerIndex>,
}

/// What the scan went through, counted over the whole report before any filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanStats {
    /// Rows taken: `partner_rows + foreign_rows`.
    pub rows: u64,
    /// Rows of partner channels.
    pub partner_rows: u64,
    /// Rows of other channels, and of none that can be read.
    pub foreign_rows: u64,
    /// Partner rows that say again what an earlier row said (same video, asset and channel).
    pub duplicate_rows: u64,
    /// Partner rows with an id that cannot be read, and rows whose channel's cannot.
    pub rejected_rows: u64,
    /// Partner rows whose video has no asset.
    pub rows_without_asset: u64,
    /// Partner assets of the whole report, whatever the filter.
    pub partner_assets: u64,
    /// Partner assets within the filter that cannot be worked on because their id, or the video ID of each of their
    /// rows, cannot be read. They are no entries and belong to the tally's `failed` and `total`.
    pub unreadable_assets: u64,
}

/// Everything a cleanup decides about.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// The assets within the filter, by views descending, then by id: what most people see is put right first.
    pub assets: Vec<AssetEntry>,
    /// Partner videos within the filter that have no asset, in the report's order.
    pub without_asset: Vec<VideoOfAsset>,
    /// What the scan went through.
    pub stats: ScanStats,
}

/// An asset while rows still come.
struct Gathering {
    asset_id: AssetId,
    first_video: Option<VideoId>,
    channel: PartnerIndex,
    record: u64,
    views: u64,
    reported_hash: u64,
    facts: u8,
}

// What is known of an asset's reported custom ID.
const HAS_VALUE: u8 = 1;
const NEEDS_LIVE: u8 = 2;
const OFF_TARGET: u8 = 4;

/// A video beyond an asset's first, or one of no asset.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mention {
    owner: u32,
    video_id: Option<VideoId>,
    channel: PartnerIndex,
    record: u64,
}

/// The owner of a video without an asset.
const NO_ASSET: u32 = u32::MAX;

impl<'p> Scan<'p> {
    /// A scan for the assets of these partner channels.
    pub fn new(partners: &'p PartnerChannels) -> Self {
        Self {
            partners,
            hasher: DefaultHashBuilder::default(),
            assets: Vec::new(),
            by_asset: HashTable::new(),
            mentions: Vec::new(),
            by_mention: HashTable::new(),
            unreadable: Vec::new(),
            stats: ScanStats::default(),
        }
    }

    /// Takes a row into account.
    pub fn take(&mut self, row: &VideoRow<'_>) -> Result<Taken, RowReject> {
        self.stats.rows += 1;
        let Some(channel) = self.partners.get(row.channel_id_bytes()) else {
            self.stats.foreign_rows += 1;
            // Whose it is nobody knows: it may be a partner's, or a row of totals.
            if let Err(error) = row.channel_id() {
                self.stats.rejected_rows += 1;
                let (code, column) = ("channel_id_invalid", "channel_id");
                return Err(RowReject { code, column, reason: error.to_string(), channel: None });
            }
            return Ok(Taken::NotPartner);
        };
        self.stats.partner_rows += 1;
        let video_id = row.video_id();
        let mut fault =
            video_id.as_ref().err().map(|error| ("video_id_invalid", "video_id", error.to_string()));
        let video_id = video_id.ok();
        let (mut asset_count, mut news_count) = (0_u64, 0_u64);
        for (asset, reported) in row.assets() {
            asset_count += 1;
            match AssetId::parse_bytes(asset) {
                Ok(asset_id) => {
                    let mention = Mention { owner: NO_ASSET, video_id, channel, record: row.record() };
                    if self.gather(asset_id, mention, row, reported) {
                        news_count += 1;
                    }
                }
                Err(error) => {
                    self.unreadable.push((self.hasher.hash_one(asset), channel));
                    fault.get_or_insert(("asset_id_invalid", "asset_id", error.to_string()));
                }
            }
        }
        if let Some((code, column, reason)) = fault {
            self.stats.rejected_rows += 1;
            return Err(RowReject { code, column, reason, channel: Some(channel) });
        }
        if asset_count == 0 {
            self.stats.rows_without_asset += 1;
            let mention = Mention { owner: NO_ASSET, video_id, channel, record: row.record() };
            if !self.mention(mention) {
                self.stats.duplicate_rows += 1;
            }
            return Ok(Taken::WithoutAsset);
        }
        if news_count == 0 {
            self.stats.duplicate_rows += 1;
        }
        Ok(Taken::Partner)
    }

    /// Notes an asset of a row; false when the same video, asset and channel were seen before.
    fn gather(
        &mut self,
        asset_id: AssetId,
        mention: Mention,
        row: &VideoRow<'_>,
        reported: Option<&[u8]>,
    ) -> bool {
        let hash = self.hasher.hash_one(asset_id);
        let (assets, hasher) = (&self.assets, &self.hasher);
        let found = self.by_asset.find(hash, |index| assets[position(*index)].asset_id == asset_id).copied();
        let owner = if let Some(owner) = found {
            owner
        } else {
            let owner = next_index(self.assets.len());
            self.by_asset
                .insert_unique(hash, owner, |index| hasher.hash_one(assets[position(*index)].asset_id));
            self.assets.push(Gathering {
                asset_id,
                first_video: mention.video_id,
                channel: mention.channel,
                record: mention.record,
                views: 0,
                reported_hash: 0,
                facts: 0,
            });
            owner
        };
        self.note_reported(owner, mention, reported);
        let asset = &self.assets[position(owner)];
        let said_before = found.is_some()
            && ((asset.first_video == mention.video_id && asset.channel == mention.channel)
                || !self.mention(Mention { owner, ..mention }));
        if !said_before && mention.video_id.is_some() {
            let asset = &mut self.assets[position(owner)];
            asset.views = asset.views.saturating_add(row.views().unwrap_or(0));
        }
        !said_before
    }

    /// Adds to what is known of an asset's reported custom ID.
    fn note_reported(&mut self, owner: u32, mention: Mention, reported: Option<&[u8]>) {
        let asset = &mut self.assets[position(owner)];
        let Some(value) = reported.filter(|value| !value.is_empty()) else {
            asset.facts |= NEEDS_LIVE;
            return;
        };
        let target = self.partners.channel(mention.channel).target();
        let is_target = target.is_some_and(|target| target.as_bytes() == value);
        if !is_target {
            asset.facts |= OFF_TARGET;
            // A default of another row of the asset is found in that row: rows that agree say it there too, and
            // rows that disagree are read live in any case.
            if mention.video_id.is_some_and(|video_id| video_id.as_bytes() == value) {
                asset.facts |= NEEDS_LIVE;
            }
        }
        let hash = self.hasher.hash_one(value);
        if asset.facts & HAS_VALUE != 0 && asset.reported_hash != hash {
            asset.facts |= NEEDS_LIVE;
        }
        asset.reported_hash = hash;
        asset.facts |= HAS_VALUE;
    }

    /// Keeps a mention; false when it was kept before.
    fn mention(&mut self, mention: Mention) -> bool {
        let key = |mention: &Mention| (mention.owner, mention.video_id, mention.channel);
        let (mentions, hasher) = (&self.mentions, &self.hasher);
        let hash = hasher.hash_one(key(&mention));
        if self.by_mention.find(hash, |index| key(&mentions[position(*index)]) == key(&mention)).is_some() {
            return false;
        }
        self.by_mention.insert_unique(hash, next_index(mentions.len()), |index| {
            hasher.hash_one(key(&mentions[position(*index)]))
        });
        self.mentions.push(mention);
        true
    }

    /// Ends the scan. Conflicts are judged among all partner channels and the filter narrows afterwards: an asset is in
    /// when any of its channels is, or a run limited to one channel would take what another has a claim to.
    pub fn finish(self, filter: &Filter) -> Gathered {
        let Self { partners, assets, by_asset, mut mentions, by_mention, unreadable, mut stats, .. } = self;
        drop((by_asset, by_mention));
        mentions.sort_unstable_by_key(|mention| (mention.owner, mention.record));
        stats.partner_assets = assets.len() as u64;
        // However many rows say it, and of however many channels: one asset, once.
        let mut unreadable: Vec<u64> = unreadable
            .into_iter()
            .filter(|(_, channel)| filter.contains(*channel))
            .map(|(asset, _)| asset)
            .collect();
        unreadable.sort_unstable();
        unreadable.dedup();
        stats.unreadable_assets = unreadable.len() as u64;
        let mut rest = mentions.as_slice();
        let mut entries = Vec::with_capacity(if filter.is_all() { assets.len() } else { 0 });
        for (asset, owner) in assets.into_iter().zip(0_u32..) {
            let count = rest.iter().take_while(|mention| mention.owner == owner).count();
            let (own, others) = rest.split_at(count);
            rest = others;
            let is_in =
                filter.contains(asset.channel) || own.iter().any(|mention| filter.contains(mention.channel));
            if !is_in {
                continue;
            }
            match asset.into_entry(own, partners) {
                Some(entry) => entries.push(entry),
                None => stats.unreadable_assets += 1,
            }
        }
        entries.sort_unstable_by(|a, b| b.views.cmp(&a.views).then(a.asset_id.cmp(&b.asset_id)));
        let without_asset = rest
            .iter()
            .filter(|mention| filter.contains(mention.channel))
            .filter_map(Mention::video)
            .collect();
        Gathered { assets: entries, without_asset, stats }
    }
}

impl Mention {
    fn video(&self) -> Option<VideoOfAsset> {
        let video_id = self.video_id?;
        Some(VideoOfAsset { video_id, channel: self.channel, record: self.record })
    }
}

impl Gathering {
    /// The finished entry; none when not one row of the asset has a readable video ID.
    fn into_entry(self, own: &[Mention], partners: &PartnerChannels) -> Option<AssetEntry> {
        let standing = self.standing(own, partners);
        let first =
            Mention { owner: 0, video_id: self.first_video, channel: self.channel, record: self.record };
        let mut videos = first.video().into_iter().chain(own.iter().filter_map(Mention::video));
        let first = videos.next()?;
        let more: Box<[VideoOfAsset]> = videos.collect();
        let reported = if self.facts & NEEDS_LIVE != 0 {
            Reported::NeedsLive
        } else if self.facts & OFF_TARGET == 0 {
            Reported::Target
        } else {
            Reported::SetByHand
        };
        Some(AssetEntry { asset_id: self.asset_id, views: self.views, standing, reported, first, more })
    }

    fn standing(&self, own: &[Mention], partners: &PartnerChannels) -> Standing {
        let mut channels: Vec<PartnerIndex> =
            std::iter::once(self.channel).chain(own.iter().map(|mention| mention.channel)).collect();
        channels.sort_unstable();
        channels.dedup();
        if let Some(left_out) = channels.iter().find(|channel| partners.channel(**channel).target().is_none())
        {
            return Standing::ChannelLeftOut(*left_out);
        }
        let target = partners.channel(self.channel).target();
        if channels.iter().all(|channel| partners.channel(*channel).target() == target) {
            Standing::Clear
        } else {
            Standing::TwoCustomIds(channels.into())
        }
    }
}

fn position(index: u32) -> usize {
    index as usize
}

/// The index of what is pushed next. Four thousand million partner assets do not fit into memory, so the end of the
/// range is never met.
fn next_index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NO_ASSET)
}
