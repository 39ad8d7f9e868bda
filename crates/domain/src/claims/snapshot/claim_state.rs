//! Claims of a week: what each is in, and those that somebody has to decide about.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::claims::risk::Signs;
use crate::id::{AssetId, ChannelId, ClaimId, VideoId};

/// What a claim is worth watching for, in rising order: of rows that disagree about one claim the highest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// A status that this program does not know.
    Other,
    /// No longer held: released, closed, taken over.
    Inactive,
    /// Held.
    Active,
    /// Not yet decided about.
    Pending,
    /// The uploader disputes it.
    Disputed,
    /// The uploader has appealed: seven days are left.
    Appealed,
}

impl ClaimState {
    const ALL: [Self; 6] =
        [Self::Other, Self::Inactive, Self::Active, Self::Pending, Self::Disputed, Self::Appealed];

    /// The state by `claim_status` and `claim_status_detail`. A dispute shows as pending with a detail that says so.
    pub fn of(status: &[u8], detail: &[u8]) -> Self {
        if status.eq_ignore_ascii_case(b"ACTIVE") {
            Self::Active
        } else if status.eq_ignore_ascii_case(b"INACTIVE") {
            Self::Inactive
        } else if status.eq_ignore_ascii_case(b"PENDING") {
            match OpenStatus::of(detail) {
                OpenStatus::Appealed => Self::Appealed,
                OpenStatus::Disputed => Self::Disputed,
                OpenStatus::Potential | OpenStatus::RoutedForReview | OpenStatus::Pending => Self::Pending,
            }
        } else {
            Self::Other
        }
    }

    /// Whether the uploader objects.
    pub fn is_disputed(self) -> bool {
        matches!(self, Self::Disputed | Self::Appealed)
    }
}

/// A claim, in 12 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimEntry {
    // The fingerprint of the claim's ID in two halves: as a whole it would take the entry to 16 bytes.
    key: [u32; 2],
    // The asset's position, and the state in the low three bits.
    pub(super) asset_and_state: u32,
}

/// A claim that somebody has to decide about, by a row whose status is `PENDING`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenClaim {
    /// The claim.
    pub claim_id: ClaimId,
    /// What it waits for.
    pub status: OpenStatus,
    /// Its asset.
    pub asset_id: Option<AssetId>,
    /// The claimed video.
    pub video_id: Option<VideoId>,
    /// The channel of that video.
    pub channel_id: ChannelId,
    /// The day on which the claim was made.
    pub created: Option<Date>,
    /// Lifetime views of the video.
    pub views: Option<u64>,
    /// The day on which the video was uploaded.
    pub uploaded: Option<Date>,
    /// What its row says of how weak it is.
    pub signs: Signs,
    /// Whether somebody made it by hand.
    pub is_manual: bool,
}

/// What an open claim waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenStatus {
    /// An answer to the uploader's appeal: seven days.
    Appealed,
    /// An answer to the uploader's dispute: thirty days.
    Disputed,
    /// A decision whether to claim at all.
    Potential,
    /// A look by somebody, as the policy asks.
    RoutedForReview,
    /// Something that the report does not tell.
    Pending,
}

impl OpenStatus {
    /// The status by `claim_status_detail` of a claim that is pending.
    pub fn of(detail: &[u8]) -> Self {
        let detail = detail.to_ascii_uppercase();
        let says = |word: &[u8]| memchr::memmem::find(&detail, word).is_some();
        if says(b"APPEAL") {
            Self::Appealed
        } else if says(b"DISPUT") {
            Self::Disputed
        } else if says(b"POTENTIAL") {
            Self::Potential
        } else if says(b"REVIEW") {
            Self::RoutedForReview
        } else {
            Self::Pending
        }
    }

    /// The status's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Appealed => "appealed",
            Self::Disputed => "disputed",
            Self::Potential => "potential",
            Self::RoutedForReview => "routed_for_review",
            Self::Pending => "pending",
        }
    }
}

/// The asset's position of a claim whose row names none.
pub(super) const NO_ASSET: u32 = u32::MAX >> 3;

impl ClaimEntry {
    /// A claim of an asset at a position, in a state.
    pub fn new(key: u64, asset: Option<u32>, state: ClaimState) -> Self {
        let state_bits = ClaimState::ALL.iter().position(|known| *known == state).unwrap_or_default();
        let asset = asset.filter(|asset| *asset < NO_ASSET).unwrap_or(NO_ASSET);
        Self::with_bits(key, (asset << 3) | u32::try_from(state_bits).unwrap_or_default())
    }

    /// The same with asset and state as they are kept.
    #[inline]
    pub(super) fn with_bits(key: u64, asset_and_state: u32) -> Self {
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
        Self { key: [half(key >> 32), half(key)], asset_and_state }
    }

    /// The fingerprint of the claim's ID, the same in every run.
    #[inline]
    pub fn key(&self) -> u64 {
        let [high, low] = self.key;
        (u64::from(high) << 32) | u64::from(low)
    }

    /// The position of its asset in [`Snapshot::assets`].
    #[inline]
    pub fn asset(&self) -> Option<u32> {
        Some(self.asset_and_state >> 3).filter(|asset| *asset != NO_ASSET)
    }

    /// Its state.
    #[inline]
    pub fn state(&self) -> ClaimState {
        usize::try_from(self.asset_and_state & 7)
            .ok()
            .and_then(|bits| ClaimState::ALL.get(bits).copied())
            .unwrap_or(ClaimState::Other)
    }
}
