//! How a kept week comes back.

use std::io::Read;

use super::super::claim_state::ClaimEntry;
use super::super::gather::{Both, InTurn};
use super::super::lengths::{LengthCounts, STEP_COUNT};
use super::super::state::{AssetState, ChannelState, ReferenceState, Snapshot, UploaderState, VideoState};
use super::ahead::In;
use super::{
    ASSET_BYTES, CHANNEL_BYTES, CLAIM_BYTES, KeptError, PART_BYTES, REFERENCE_BYTES, UPLOADER_BYTES,
    VIDEO_BYTES, asset_counts, asset_numbers, asset_texts, reference_counts, uploader_counts,
};
use crate::claims::strings::{MAX_TEXT_BYTES, Strings, Text};
use crate::id::{AssetId, ChannelId, VideoId};

impl Snapshot {
    /// Reads a kept week. Whatever the bytes, this ends with a week that holds together or with an error.
    pub fn recall(from: impl Read + Send) -> Result<Self, KeptError> {
        Self::recall_on(from, &InTurn)
    }

    /// The same where two things may be done side by side.
    pub fn recall_on(from: impl Read + Send, both: &impl Both) -> Result<Self, KeptError> {
        Self::recall_in(from, both, PART_BYTES)
    }

    /// The same in parts of so many bytes.
    pub(super) fn recall_in(
        from: impl Read + Send,
        both: &impl Both,
        part_bytes: usize,
    ) -> Result<Self, KeptError> {
        let (head, mut from) = In::open(from, both, part_bytes)?;
        let mut strings = Strings::default();
        let mut texts = Vec::new();
        for _ in 0..head.strings {
            let length: [u8; 4] = from.take(4)?.try_into().unwrap_or_default();
            let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
            if length > MAX_TEXT_BYTES {
                return Err(KeptError::Damaged("a text is too long"));
            }
            // Each stands there once, and none is looked for by its bytes.
            texts.push(strings.keep_first_alone(Text::EMPTY, from.take(length)?));
        }
        let text = |number: u32| {
            let text = usize::try_from(number).ok().and_then(|number| texts.get(number)).copied();
            text.ok_or(KeptError::Damaged("a text is not there"))
        };
        let assets = from.many::<ASSET_BYTES, _>(
            head.assets,
            |from| {
                let mut asset = AssetState::new(asset_id(from.array()?)?);
                let [is_reported, is_shared, told] = from.array()?;
                (asset.is_reported, asset.is_shared, asset.told) = (is_reported != 0, is_shared != 0, told);
                let channel: [u8; 24] = from.array()?;
                asset.channel = if channel == [0; 24] { None } else { Some(channel_id(channel)?) };
                for place in asset_texts(&mut asset) {
                    *place = text(from.u32()?)?;
                }
                for place in asset_numbers(&mut asset) {
                    *place = from.known()?;
                }
                for place in asset_counts(&mut asset) {
                    *place = from.u32()?;
                }
                Ok(asset)
            },
            |one, next| one.id < next.id,
        )?;
        let channels = from.many::<CHANNEL_BYTES, _>(
            head.channels,
            |from| {
                let mut channel = ChannelState::new(channel_id(from.array()?)?, text(from.u32()?)?);
                channel.views = from.known()?;
                channel.engaged_views = from.known()?;
                channel.video_rows = from.u32()?;
                channel.videos = from.u32()?;
                Ok(channel)
            },
            |one, next| one.id < next.id,
        )?;
        let uploaders = from.many::<UPLOADER_BYTES, _>(
            head.uploaders,
            |from| {
                let mut uploader = UploaderState::new(channel_id(from.array()?)?);
                for place in uploader_counts(&mut uploader) {
                    *place = from.u32()?;
                }
                Ok(uploader)
            },
            |one, next| one.id < next.id,
        )?;
        let is_there = |position: u32, count: u64| {
            if u64::from(position) < count {
                Ok(position)
            } else {
                Err(KeptError::Damaged("an entry is not there"))
            }
        };
        let asset_position = |position: u32| match position {
            u32::MAX => Ok(None),
            position => is_there(position, head.assets).map(Some),
        };
        let videos = from.many::<VIDEO_BYTES, _>(
            head.videos,
            |from| {
                let id = VideoId::parse_bytes(&from.array::<11>()?)
                    .map_err(|_| KeptError::Damaged("a video ID is none"))?;
                let channel = is_there(from.u32()?, head.channels)?;
                let asset = asset_position(from.u32()?)?;
                let published =
                    u16::try_from(from.u32()?).map_err(|_| KeptError::Damaged("a day is none"))?;
                let (views, engaged_views) = (from.known()?, from.known()?);
                Ok(VideoState { id, channel, asset, published, title: Text::EMPTY, views, engaged_views })
            },
            |one, next| one.id < next.id,
        )?;
        let references = from.many::<REFERENCE_BYTES, _>(
            head.references,
            |from| {
                let mut reference = ReferenceState::new(text(from.u32()?)?, asset_position(from.u32()?)?);
                for place in reference_counts(&mut reference) {
                    *place = from.u32()?;
                }
                let mut lengths = [0; STEP_COUNT];
                for place in &mut lengths {
                    *place = from.u32()?;
                }
                reference.lengths = LengthCounts(lengths);
                Ok(reference)
            },
            |_, _| true,
        )?;
        let claims = from.many::<CLAIM_BYTES, _>(
            head.claims,
            |from| {
                let key = u64::from_le_bytes(from.array()?);
                let claim = ClaimEntry::with_bits(key, from.u32()?);
                claim.asset().map_or(Ok(0), |asset| is_there(asset, head.assets))?;
                Ok(claim)
            },
            |one, next| one.key() < next.key(),
        )?;
        from.end()?;
        let reports = head.reports.into_iter().collect();
        Ok(Self {
            week: head.week,
            strings,
            assets,
            videos,
            channels,
            uploaders,
            references,
            claims,
            open_claims: Vec::new(),
            own_channels: Vec::new(),
            contested: Vec::new(),
            candidates: Vec::new(),
            reports,
        })
    }
}

fn asset_id(padded: [u8; 17]) -> Result<AssetId, KeptError> {
    let length = padded.iter().position(|byte| *byte == 0).unwrap_or(padded.len());
    AssetId::parse_bytes(&padded[..length]).map_err(|_| KeptError::Damaged("an asset ID is none"))
}

fn channel_id(bytes: [u8; 24]) -> Result<ChannelId, KeptError> {
    ChannelId::parse_bytes(&bytes).map_err(|_| KeptError::Damaged("a channel ID is none"))
}
