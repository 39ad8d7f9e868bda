//! What is kept of a week.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::claim_state::{ClaimEntry, OpenClaim};
use super::database::Carrier;
use super::lengths::LengthCounts;
use crate::claims::risk::Candidate;
use crate::claims::strings::{Strings, Text};
use crate::claims::week::Week;
use crate::id::{AssetId, ChannelId, VideoId};

/// A number that may be unknown, in 8 bytes. Unknown is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known(pub(super) u64);

impl Known {
    /// Nobody said.
    pub const UNKNOWN: Self = Self(0);

    /// A number that was said; the largest of all is kept as the one below it.
    pub fn new(number: Option<u64>) -> Self {
        Self(number.map_or(0, |number| number.saturating_add(1)))
    }

    /// The number, where there is one.
    pub fn get(self) -> Option<u64> {
        self.0.checked_sub(1)
    }

    /// The larger of two, a known one before an unknown.
    pub fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// The sum of what is known.
    pub fn plus(self, other: Self) -> Self {
        match (self.get(), other.get()) {
            (Some(a), Some(b)) => Self::new(Some(a.saturating_add(b))),
            _ => self.max(other),
        }
    }
}

/// An asset as a week's reports show it. Its numbers are those of the asset report unless said otherwise.
///
/// What millions of rows of claims ask for and add to stands together: 48 bytes, where a line of cache is 64.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct AssetState {
    /// The asset.
    pub id: AssetId,
    /// Whether the asset report has it; others are known from claims and videos alone.
    pub is_reported: bool,
    /// Whether videos of several partner channels carry it, so that whose it is must be settled first.
    pub is_shared: bool,
    /// Who told what of it: a bit for each of its texts that the asset report told, and
    /// [`Self::CHANNEL_BY_DATABASE`].
    pub(super) told: u8,
    /// Rows of claims made in this week.
    pub claims_created: u32,
    /// Rows of claims whose match is short.
    pub claims_short: u32,
    /// Lifetime views of all videos claimed for it, by the claim report.
    pub claimed_views: Known,
    /// Lifetime engaged views of the same.
    pub claimed_engaged_views: Known,
    /// Its custom ID.
    pub custom_id: Text,
    /// Its title. Hostile text.
    pub title: Text,
    /// Its artist. Hostile text.
    pub artist: Text,
    /// Its ISRC as it stands.
    pub isrc: Text,
    /// `SOUND_RECORDING` and so on.
    pub asset_type: Text,
    /// What happens to a video that matches.
    pub match_policy: Text,
    /// Who else claims to own it, by the asset or conflict report. Hostile text.
    pub conflicting_owner: Text,
    /// Where.
    pub conflicting_countries: Text,
    /// The partner's or other channel whose video carries it: by the video report or, where that is silent, by the
    /// database.
    pub channel: Option<ChannelId>,
    /// How many active claims YouTube counts.
    pub active_claims: Known,
    /// A daily mean of views.
    pub daily_views: Known,
    /// A daily mean of engaged views.
    pub daily_engaged_views: Known,
    /// References that match.
    pub active_references: u32,
    /// References that no longer match.
    pub inactive_references: u32,
    /// Claims by the claim report, whatever their state.
    pub claims: u32,
    /// Of them the active ones.
    pub claims_active: u32,
    /// Of them the inactive ones: released or closed.
    pub claims_inactive: u32,
    /// Of them those somebody disputes or has appealed.
    pub claims_disputed: u32,
}

impl AssetState {
    /// Among the bits of `told`: no report told the channel, the database did.
    pub(super) const CHANNEL_BY_DATABASE: u8 = 0b1_0000;

    /// Whether no report told its channel and the database's videos did: enough to hold a custom ID against, and
    /// nothing to count by.
    pub fn is_channel_by_database(&self) -> bool {
        self.told & Self::CHANNEL_BY_DATABASE != 0
    }

    pub(super) fn carrier(&self) -> Option<Carrier> {
        self.channel.map(|channel| Carrier { channel, is_shared: self.is_shared })
    }

    pub(super) fn carry(&mut self, carrier: Carrier) {
        (self.channel, self.is_shared) = (Some(carrier.channel), carrier.is_shared);
    }

    /// An asset of which nothing is known yet.
    pub(super) fn new(id: AssetId) -> Self {
        Self {
            id,
            is_reported: false,
            is_shared: false,
            told: 0,
            custom_id: Text::EMPTY,
            title: Text::EMPTY,
            artist: Text::EMPTY,
            isrc: Text::EMPTY,
            asset_type: Text::EMPTY,
            match_policy: Text::EMPTY,
            conflicting_owner: Text::EMPTY,
            conflicting_countries: Text::EMPTY,
            channel: None,
            active_claims: Known::UNKNOWN,
            daily_views: Known::UNKNOWN,
            daily_engaged_views: Known::UNKNOWN,
            claimed_views: Known::UNKNOWN,
            claimed_engaged_views: Known::UNKNOWN,
            active_references: 0,
            inactive_references: 0,
            claims: 0,
            claims_active: 0,
            claims_inactive: 0,
            claims_disputed: 0,
            claims_created: 0,
            claims_short: 0,
        }
    }
}

impl ChannelState {
    /// A channel of which nothing but its name is known yet.
    pub(super) fn new(id: ChannelId, name: Text) -> Self {
        Self { id, name, video_rows: 0, videos: 0, views: Known::UNKNOWN, engaged_views: Known::UNKNOWN }
    }
}

impl UploaderState {
    /// An uploader of whom no claim is known yet.
    pub(super) fn new(id: ChannelId) -> Self {
        Self {
            id,
            claims: 0,
            claims_active: 0,
            claims_inactive: 0,
            claims_disputed: 0,
            claims_created: 0,
            claims_short: 0,
        }
    }
}

impl ReferenceState {
    /// A reference of which no claim is known yet.
    pub(super) fn new(id: Text, asset: Option<u32>) -> Self {
        Self {
            id,
            asset,
            claims: 0,
            claims_active: 0,
            claims_inactive: 0,
            claims_disputed: 0,
            claims_created: 0,
            lengths: LengthCounts::default(),
        }
    }

    /// Adds what another is that goes by the same name, once assets are in the order of their ids.
    pub(super) fn add(&mut self, other: &Self) {
        self.asset = self.asset.into_iter().chain(other.asset).min();
        for (count, more) in [
            (&mut self.claims, other.claims),
            (&mut self.claims_active, other.claims_active),
            (&mut self.claims_inactive, other.claims_inactive),
            (&mut self.claims_disputed, other.claims_disputed),
            (&mut self.claims_created, other.claims_created),
        ] {
            *count = count.saturating_add(more);
        }
        for (count, more) in self.lengths.0.iter_mut().zip(other.lengths.0) {
            *count = count.saturating_add(more);
        }
    }
}

/// A video by the video report.
#[derive(Debug, Clone, Copy)]
pub struct VideoState {
    /// The video.
    pub id: VideoId,
    /// Its channel's position in [`Snapshot::channels`].
    pub channel: u32,
    /// Its asset's position in [`Snapshot::assets`], of several the first by id.
    pub asset: Option<u32>,
    /// Days from 2005-01-01 to its publication; 0 where that is unknown.
    pub published: u16,
    /// Its title. Hostile text.
    pub title: Text,
    /// Lifetime views.
    pub views: Known,
    /// Lifetime engaged views.
    pub engaged_views: Known,
}

/// A channel of the video report.
#[derive(Debug, Clone)]
pub struct ChannelState {
    /// The channel.
    pub id: ChannelId,
    /// Its name. Hostile text.
    pub name: Text,
    /// Rows of the video report, those that say again what another says included.
    pub video_rows: u32,
    /// Videos.
    pub videos: u32,
    /// Lifetime views of them all.
    pub views: Known,
    /// Lifetime engaged views of them all.
    pub engaged_views: Known,
}

/// The channel of claimed videos, by the claim report: rows of claims on them, in 48 bytes, since there may be millions.
#[derive(Debug, Clone)]
pub struct UploaderState {
    /// The channel.
    pub id: ChannelId,
    /// All of them.
    pub claims: u32,
    /// The active ones.
    pub claims_active: u32,
    /// The inactive ones.
    pub claims_inactive: u32,
    /// The disputed ones.
    pub claims_disputed: u32,
    /// Those made in this week.
    pub claims_created: u32,
    /// Those with a short match.
    pub claims_short: u32,
}

/// A partner's channel on whose videos matches hold claims: those that its own uploads make are none of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChannel {
    /// The channel.
    pub channel: ChannelId,
    /// Rows of claims that are held.
    pub held: u32,
    /// Of them those made in the week.
    pub created: u32,
    /// The first of their assets by id.
    pub first_asset: Option<AssetId>,
    /// Lifetime views of the videos.
    pub views: Known,
}

/// A partner's video that another owner claims, by the video report.
#[derive(Debug, Clone, Copy)]
pub struct ContestedVideo {
    /// The video.
    pub video: VideoId,
    /// Its channel.
    pub channel: ChannelId,
    /// Who else claims it, where that is told. Hostile text.
    pub owners: Text,
}

/// A reference by the claim report.
#[derive(Debug, Clone)]
pub struct ReferenceState {
    /// The reference as it stands.
    pub id: Text,
    /// Its asset's position in [`Snapshot::assets`], of several the first by id.
    pub asset: Option<u32>,
    /// Rows of claims it raised.
    pub claims: u32,
    /// Of them the active ones.
    pub claims_active: u32,
    /// Of them the inactive ones.
    pub claims_inactive: u32,
    /// Of them the disputed ones.
    pub claims_disputed: u32,
    /// Of them those made in this week.
    pub claims_created: u32,
    /// How long the matches are.
    pub lengths: LengthCounts,
}

/// What a report came to, to be held against the same report of another week.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportFacts {
    /// Rows, all of them: `used + duplicates + rejected`.
    pub rows: u64,
    /// Rows that were used.
    pub used: u64,
    /// Rows that say again, cell for cell, what another says.
    pub duplicates: u64,
    /// Rows that cannot be used.
    pub rejected: u64,
    /// Different things (assets, claims, videos, conflicts) in the rows used.
    pub entries: u64,
    /// Channels in the rows used.
    pub channels: u64,
    /// Lifetime views (assets: a daily mean), each thing once; none where the report does not say.
    pub views: Option<u64>,
    /// The same in engaged views.
    pub engaged_views: Option<u64>,
    /// Active claims.
    pub active_claims: Option<u64>,
    /// A sum over the rows in which their order does not matter: equal means the same rows.
    pub fingerprint: u64,
    /// Columns that the weekly report would read and that are not there.
    pub missing_columns: Vec<String>,
}

/// A week.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The week.
    pub week: Week,
    /// The texts of all that follows.
    pub strings: Strings,
    /// Assets by id.
    pub assets: Vec<AssetState>,
    /// Videos by id.
    pub videos: Vec<VideoState>,
    /// Channels of the video report by id.
    pub channels: Vec<ChannelState>,
    /// Channels of claimed videos by id: those with [`super::KEPT_CLAIMS`] claims or more, or with a disputed one.
    pub uploaders: Vec<UploaderState>,
    /// References by id.
    pub references: Vec<ReferenceState>,
    /// Claims by key, each once; none once they are forgotten.
    pub claims: Vec<ClaimEntry>,
    /// Claims that wait for somebody, by id, each once; of a recalled week none.
    pub open_claims: Vec<OpenClaim>,
    /// Partners' channels with claims by matches, by id; of a recalled week none.
    pub own_channels: Vec<OwnChannel>,
    /// Partners' videos that others claim, by id, each once; of a recalled week none.
    pub contested: Vec<ContestedVideo>,
    /// Claims with the most at stake that nobody disputes yet, by id; of a recalled week none.
    pub candidates: Vec<Candidate>,
    /// The reports that were read; a report that is not here was not given, which is not the same as empty.
    pub reports: HashMap<super::Source, ReportFacts>,
}

impl Snapshot {
    /// Gives back the memory of the claims, once the week was compared with another.
    pub fn forget_claims(&mut self) {
        self.claims = Vec::new();
    }

    /// The asset, if the week knows it.
    pub fn asset(&self, id: AssetId) -> Option<&AssetState> {
        self.assets.binary_search_by_key(&id, |asset| asset.id).ok().and_then(|index| self.assets.get(index))
    }

    /// The asset at a position.
    pub fn asset_at(&self, position: u32) -> Option<&AssetState> {
        self.assets.get(usize::try_from(position).ok()?)
    }

    /// The channel, if the week knows it.
    pub fn channel(&self, id: ChannelId) -> Option<&ChannelState> {
        self.channels
            .binary_search_by_key(&id, |channel| channel.id)
            .ok()
            .and_then(|index| self.channels.get(index))
    }

    /// The channel as an uploader of claimed videos, if the week has kept it.
    pub fn uploader(&self, id: ChannelId) -> Option<&UploaderState> {
        self.uploaders
            .binary_search_by_key(&id, |uploader| uploader.id)
            .ok()
            .and_then(|index| self.uploaders.get(index))
    }

    /// The channel at a position.
    pub fn channel_at(&self, position: u32) -> Option<&ChannelState> {
        self.channels.get(usize::try_from(position).ok()?)
    }

    /// The text.
    pub fn text(&self, text: Text) -> &str {
        self.strings.get(text)
    }
}
