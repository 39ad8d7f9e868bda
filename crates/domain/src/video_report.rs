//! The video report: one row per video and claim, tens of thousands of rows and up.
//!
//! Streaming and borrowed: a row lives until the next one is asked for, and its ids are parsed only when somebody
//! wants them. Most rows belong to channels that are no partners, and such a row costs its parse and one look-up of
//! [`VideoRow::channel_id_bytes`].

use std::borrow::Cow;
use std::io::Read;

use crate::id::{ChannelId, IdError, VideoId};
use crate::refusal::Refusal;
use crate::report_kind::{ReportKind, expect_kind};
use crate::table::{BadRow, Cells, Optional, Place, Table, optional_cells, optional_columns, report};

/// The columns that must be there.
pub const REQUIRED: [&str; 4] = ["video_id", "channel_id", "asset_id", "custom_id"];

/// The columns of the report as YouTube writes it (`content_owner_video_metadata_a3`, v1.3).
pub const COLUMNS: [&str; 43] = [
    "video_id",
    "channel_id",
    "channel_display_name",
    "time_uploaded",
    "time_published",
    "video_title",
    "video_length",
    "views",
    "comments",
    "video_privacy_status",
    "video_url",
    "category",
    "embedding_allowed",
    "ratings_allowed",
    "comments_allowed",
    "claim_origin",
    "content_type",
    "upload_source",
    "claimed_by_this_owner",
    "claimed_by_another_owner",
    "other_owners_claiming",
    "offweb_syndicatable",
    "claim_id",
    "asset_id",
    "custom_id",
    "effective_policy",
    "third_party_video_id",
    "third_party_ads_enabled",
    "display_ads_enabled",
    "sponsored_cards_enabled",
    "overlay_ads_enabled",
    "nonskippable_video_ads_enabled",
    "long_nonskippable_video_ads_enabled",
    "skippable_video_ads_enabled",
    "prerolls_enabled",
    "midrolls_enabled",
    "postrolls_enabled",
    "isrc",
    "eidr",
    "in_video_ads_enabled",
    "is_made_for_kids_effective_setting",
    "is_made_for_kids_modifiable",
    "is_made_for_kids_user_selection",
];

optional_columns! {
    /// What the weekly report reads of a video where the report has it.
    VideoColumn {
        /// The channel's name.
        ChannelName = "channel_display_name",
        /// When the video was uploaded.
        Uploaded = "time_uploaded",
        /// When the video was published.
        Published = "time_published",
        /// Lifetime views.
        Views = "views",
        /// Lifetime engaged views, another measure: the two are never mixed.
        EngagedViews = "engaged_views",
        /// Who may watch it.
        PrivacyStatus = "video_privacy_status",
        /// How its claim came about.
        ClaimOrigin = "claim_origin",
        /// Who uploaded what.
        ContentType = "content_type",
        /// Whether the content owner claims it.
        ClaimedByThisOwner = "claimed_by_this_owner",
        /// Whether another owner claims it.
        ClaimedByAnotherOwner = "claimed_by_another_owner",
        /// Who.
        OtherOwners = "other_owners_claiming",
        /// What happens to it.
        EffectivePolicy = "effective_policy",
        /// The recording's ISRC.
        Isrc = "isrc",
    }
}

optional_cells!(VideoRow, VideoColumn);
report!(VideoReport, ReportLine, VideoRow, VideoColumns, VideoColumn);

/// A video report being read.
pub struct VideoReport<R: Read> {
    table: Table<R>,
    columns: VideoColumns,
}

/// Where the report has its columns.
#[derive(Debug, Clone)]
pub struct VideoColumns {
    video_id: usize,
    channel_id: usize,
    asset_id: usize,
    custom_id: usize,
    views: Option<usize>,
    title: Option<usize>,
    claim_id: Option<usize>,
    optional: Optional,
}

/// A line of the report.
pub enum ReportLine<'a> {
    /// A row with as many fields as the header.
    Row(VideoRow<'a>),
    /// A row that cannot be read without moving its values into other columns.
    Bad(BadRow<'a>),
}

/// A row of the report, borrowed until the next is read.
#[derive(Clone, Copy)]
pub struct VideoRow<'a> {
    cells: Cells<'a>,
    columns: &'a VideoColumns,
    place: Place,
}

impl<R: Read> VideoReport<R> {
    /// Reads the header; refused when a required column is missing or the file is another report.
    pub fn open(file: &str, source: R) -> Result<Self, Refusal> {
        let table = Table::open(file, source)?;
        expect_kind(&table, ReportKind::Video)?;
        let [video_id, channel_id, asset_id, custom_id] = REQUIRED;
        let columns = VideoColumns {
            video_id: table.required(video_id)?,
            channel_id: table.required(channel_id)?,
            asset_id: table.required(asset_id)?,
            custom_id: table.required(custom_id)?,
            views: table.optional("views"),
            title: table.optional("video_title"),
            claim_id: table.optional("claim_id"),
            optional: Optional::find::<R, VideoColumn>(&table),
        };
        Ok(Self { table, columns })
    }

    /// The report's name as it was given.
    pub fn file(&self) -> &str {
        self.table.file()
    }
}

impl<'a> VideoRow<'a> {
    /// The row's number, the first after the header being 1.
    pub fn record(&self) -> u64 {
        self.place.record
    }

    /// The physical line on which the row begins.
    pub fn line(&self) -> u64 {
        self.place.line
    }

    /// The video.
    pub fn video_id(&self) -> Result<VideoId, IdError> {
        VideoId::parse_bytes(self.cells.trimmed(Some(self.columns.video_id)))
    }

    /// The channel's cell, unchecked: enough to look it up among the partner channels.
    pub fn channel_id_bytes(&self) -> &'a [u8] {
        self.cells.trimmed(Some(self.columns.channel_id))
    }

    /// The channel.
    pub fn channel_id(&self) -> Result<ChannelId, IdError> {
        ChannelId::parse_bytes(self.channel_id_bytes())
    }

    /// The video's lifetime views; none where the report has no such column or the cell is no whole number.
    pub fn views(&self) -> Option<u64> {
        std::str::from_utf8(self.cells.trimmed(self.columns.views)).ok()?.parse().ok()
    }

    /// The video's title with bad bytes replaced; empty where the report has no titles. Hostile text.
    pub fn title(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.title_bytes())
    }

    /// The same as it stands.
    pub fn title_bytes(&self) -> &'a [u8] {
        self.columns.title.and_then(|index| self.cells.get(index)).unwrap_or_default()
    }

    /// The claim's cell as it stands: one claim ID, several separated by `|`, or nothing.
    pub fn claim_id_bytes(&self) -> &'a [u8] {
        self.cells.trimmed(self.columns.claim_id)
    }

    /// The assets of the row, each with the custom ID that the report gives for it.
    ///
    /// Several assets are separated by `|` and paired with the custom IDs by position. Where the two lists differ in
    /// length it is unknown which custom ID belongs to which asset, and every asset comes with none.
    pub fn assets(&self) -> Assets<'a> {
        let assets = self.cells.trimmed(Some(self.columns.asset_id));
        let custom_ids = self.cells.trimmed(Some(self.columns.custom_id));
        let paired = count_bars(assets) == count_bars(custom_ids);
        Assets { assets: Some(assets), custom_ids: paired.then_some(custom_ids) }
    }

    /// All cells as they came, in the order of the report's columns.
    pub fn fields(&self) -> Cells<'a> {
        self.cells
    }
}

fn count_bars(cell: &[u8]) -> usize {
    memchr::memchr_iter(b'|', cell).count()
}

/// The assets of a row with their reported custom IDs, empty places passed over.
#[derive(Debug, Clone)]
pub struct Assets<'a> {
    assets: Option<&'a [u8]>,
    custom_ids: Option<&'a [u8]>,
}

impl<'a> Iterator for Assets<'a> {
    /// An asset's cell, unchecked, and its reported custom ID: empty where it has none, `None` where that is unknown.
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (asset, rest) = split_bar(self.assets?);
            self.assets = rest;
            let custom_id = self.custom_ids.map(|cell| {
                let (custom_id, rest) = split_bar(cell);
                self.custom_ids = Some(rest.unwrap_or_default());
                custom_id
            });
            if !asset.is_empty() {
                return Some((asset, custom_id));
            }
        }
    }
}

/// The part before the first bar, without blanks, and what follows the bar.
fn split_bar(cell: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'|', cell) {
        Some(bar) => (cell[..bar].trim_ascii(), Some(&cell[bar + 1..])),
        None => (cell.trim_ascii(), None),
    }
}

#[cfg(test)]
mod tests;
