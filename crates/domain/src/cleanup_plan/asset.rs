//! A partner asset as the scan leaves it to the decision.

use crate::id::{AssetId, VideoId};
use crate::partner_channels::PartnerIndex;

/// One partner asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetEntry {
    /// The asset.
    pub asset_id: AssetId,
    /// The sum of its videos' views.
    pub views: u64,
    /// Whether it is clear which custom ID it should carry.
    pub standing: Standing,
    /// What the report says about its custom ID.
    pub reported: Reported,
    pub(super) first: VideoOfAsset,
    pub(super) more: Box<[VideoOfAsset]>,
}

/// A video by which a partner channel has an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoOfAsset {
    /// The video.
    pub video_id: VideoId,
    /// The channel that has it.
    pub channel: PartnerIndex,
    /// The number of the report's row, the first after the header being 1.
    pub record: u64,
}

/// Whether it is clear which custom ID an asset should carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// All its channels have the same custom ID. Several channels may: who is paid is then the same whichever of them
    /// is meant.
    Clear,
    /// Channels with different custom IDs have videos of it.
    TwoCustomIds(Box<[PartnerIndex]>),
    /// One of its channels is left out, so what it should carry is not known.
    ChannelLeftOut(PartnerIndex),
}

/// What the report says about an asset's custom ID. A report is a day old; it serves to save live reads, never to
/// overwrite a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// Empty, a video ID of one of its partner rows, unknown, or different from row to row: only the live value tells.
    NeedsLive,
    /// Every row says what the asset should carry.
    Target,
    /// Every row says something else, which nobody but a person can have set.
    SetByHand,
}

impl AssetEntry {
    /// The channel of the asset's first row. Where the standing is clear, its custom ID is the asset's target.
    pub fn channel(&self) -> PartnerIndex {
        self.first.channel
    }

    /// The number of the report's row in which the asset came first.
    pub fn record(&self) -> u64 {
        self.first.record
    }

    /// The asset's videos on partner channels, at least one, in the report's order.
    pub fn videos(&self) -> impl Iterator<Item = &VideoOfAsset> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// Whether a value is what YouTube sets by itself: the video ID of any of the asset's rows by a partner channel.
    pub fn is_default(&self, value: &str) -> bool {
        self.videos().any(|video| video.video_id.as_str() == value)
    }
}
