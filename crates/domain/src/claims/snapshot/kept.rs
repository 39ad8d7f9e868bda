//! A week as the history keeps it: what the next weeks are compared with, in one stream of bytes.
//!
//! A line of JSON says what follows and how much of it; then come fixed-width entries, little-endian, 12 bytes a claim
//! and 39 a video; a BLAKE3 of all that ends the stream, so that a torn or changed file is refused and never read as
//! a smaller week. Titles of videos are left out, and uploaders with few claims: they
//! are half of a week's bytes, and nothing compares them.

use std::io::{self, Read, Write};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::claim_state::ClaimEntry;
use super::gather::Source;
use super::lengths::{LengthCounts, STEP_COUNT};
use super::state::{
    AssetState, ChannelState, Known, ReferenceState, ReportFacts, Snapshot, UploaderState, VideoState,
};
use crate::claims::strings::{MAX_TEXT_BYTES, Ranked, Strings, Text};
use crate::claims::week::Week;
use crate::id::{AssetId, ChannelId, VideoId};

/// The version of the form; another one is refused, since guessing would compare with wrong numbers.
const VERSION: u32 = 2;

/// The version before, which is read and no longer written: it ends with a SHA-256, whose sum took more time than all
/// else about a week of a hundred megabytes.
const WITH_SHA256: u32 = 1;

/// From this many claims on an uploader is kept: one with fewer has no habit that a week could be held against, and
/// nearly all of millions have fewer.
pub const KEPT_CLAIMS: u32 = 10;

/// The longest first line that is read.
const MAX_HEAD_BYTES: u64 = 1024 * 1024;

/// The most entries that are made room for before they are read: the counts are not trusted yet.
const TRUSTED_ENTRIES: u64 = 1024 * 1024;

/// A kept week that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Reading failed, or the stream ends too early.
    #[error("the kept week cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is another form.
    #[error("the kept week has the form {found}, this program reads {VERSION}")]
    OtherVersion {
        /// The form found.
        found: u32,
    },
    /// It is damaged.
    #[error("the kept week is damaged: {0}")]
    Damaged(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    version: u32,
    week: Week,
    reports: Vec<(Source, ReportFacts)>,
    strings: u64,
    assets: u64,
    channels: u64,
    uploaders: u64,
    videos: u64,
    references: u64,
    claims: u64,
}

impl Snapshot {
    /// Writes the week for later comparisons; the bytes are the same for the same rows.
    pub fn keep<W: Write>(&self, to: W) -> io::Result<W> {
        let texts = self.texts();
        let uploaders: Vec<&UploaderState> =
            self.uploaders.iter().filter(|uploader| uploader.claims >= KEPT_CLAIMS).collect();
        let mut reports: Vec<_> =
            self.reports.iter().map(|(source, facts)| (*source, facts.clone())).collect();
        reports.sort_by_key(|(source, _)| *source);
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let head = Head {
            version: VERSION,
            week: self.week,
            reports,
            strings: count(texts.texts.len()),
            assets: count(self.assets.len()),
            channels: count(self.channels.len()),
            uploaders: count(uploaders.len()),
            videos: count(self.videos.len()),
            references: count(self.references.len()),
            claims: count(self.claims.len()),
        };
        let mut out = Out { to, held: Vec::with_capacity(HELD_BYTES), hash: Hash::of(VERSION) };
        let mut line = serde_json::to_vec(&head)?;
        line.push(b'\n');
        out.bytes(&line)?;
        for text in &texts.texts {
            out.u32(u32::try_from(text.len()).unwrap_or_default())?;
            out.bytes(text.as_bytes())?;
        }
        // The texts are in the order of their bytes, so that the same rows in another order are kept alike.
        let number = |text: Text| texts.number(text).unwrap_or_default();
        for asset in &self.assets {
            out.asset_id(asset.id)?;
            out.bytes(&[u8::from(asset.is_reported), u8::from(asset.is_shared), asset.told])?;
            out.bytes(asset.channel.as_ref().map_or(&[0; 24][..], |id| id.as_bytes()))?;
            for text in asset_texts(&mut asset.clone()) {
                out.u32(number(*text))?;
            }
            for known in asset_numbers(&mut asset.clone()) {
                out.known(*known)?;
            }
            for count in asset_counts(&mut asset.clone()) {
                out.u32(*count)?;
            }
        }
        for channel in &self.channels {
            out.bytes(channel.id.as_bytes())?;
            out.u32(number(channel.name))?;
            out.known(channel.views)?;
            out.known(channel.engaged_views)?;
            out.u32(channel.video_rows)?;
            out.u32(channel.videos)?;
        }
        for uploader in &uploaders {
            out.bytes(uploader.id.as_bytes())?;
            for count in uploader_counts(&mut (*uploader).clone()) {
                out.u32(*count)?;
            }
        }
        for video in &self.videos {
            out.bytes(video.id.as_bytes())?;
            out.u32(video.channel)?;
            out.u32(video.asset.unwrap_or(u32::MAX))?;
            out.u32(u32::from(video.published))?;
            out.known(video.views)?;
            out.known(video.engaged_views)?;
        }
        for reference in &self.references {
            out.u32(number(reference.id))?;
            out.u32(reference.asset.unwrap_or(u32::MAX))?;
            for count in reference_counts(&mut reference.clone()) {
                out.u32(*count)?;
            }
            for count in reference.lengths.0 {
                out.u32(count)?;
            }
        }
        for claim in &self.claims {
            out.bytes(&claim.key().to_le_bytes())?;
            out.u32(claim.asset_and_state)?;
        }
        out.finish()
    }

    /// The texts of everything but videos, each once, in the order of their bytes; the empty one is always there.
    fn texts(&self) -> Ranked<'_> {
        let assets = self.assets.iter().flat_map(|asset| asset_texts(&mut asset.clone()).map(|text| *text));
        let channels = self.channels.iter().map(|channel| channel.name);
        let references = self.references.iter().map(|reference| reference.id);
        self.strings.ranked(assets.chain(channels).chain(references).chain([Text::EMPTY]))
    }

    /// Reads a kept week. Whatever the bytes, this ends with a week that holds together or with an error.
    pub fn recall(from: impl Read) -> Result<Self, KeptError> {
        let (head, mut from) = In::open(from)?;
        let mut strings = Strings::default();
        let texts = from.many(head.strings, |from| {
            let length = usize::try_from(from.u32()?).unwrap_or(usize::MAX);
            if length > MAX_TEXT_BYTES {
                return Err(KeptError::Damaged("a text is too long"));
            }
            let mut bytes = [0; MAX_TEXT_BYTES];
            from.fill(&mut bytes[..length])?;
            // Each stands there once, and none is looked for by its bytes.
            Ok(strings.keep_first_alone(Text::EMPTY, &bytes[..length]))
        })?;
        let text = |number: u32| {
            let text = usize::try_from(number).ok().and_then(|number| texts.get(number)).copied();
            text.ok_or(KeptError::Damaged("a text is not there"))
        };
        let assets = from.many(head.assets, |from| {
            let mut asset = AssetState::new(from.asset_id()?);
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
        })?;
        in_order(&assets, |asset| asset.id)?;
        let channels = from.many(head.channels, |from| {
            let mut channel = ChannelState::new(channel_id(from.array()?)?, text(from.u32()?)?);
            channel.views = from.known()?;
            channel.engaged_views = from.known()?;
            channel.video_rows = from.u32()?;
            channel.videos = from.u32()?;
            Ok(channel)
        })?;
        in_order(&channels, |channel| channel.id)?;
        let uploaders = from.many(head.uploaders, |from| {
            let mut uploader = UploaderState::new(channel_id(from.array()?)?);
            for place in uploader_counts(&mut uploader) {
                *place = from.u32()?;
            }
            Ok(uploader)
        })?;
        in_order(&uploaders, |uploader| uploader.id)?;
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
        let videos = from.many(head.videos, |from| {
            let id = VideoId::parse_bytes(&from.array::<11>()?)
                .map_err(|_| KeptError::Damaged("a video ID is none"))?;
            let channel = is_there(from.u32()?, head.channels)?;
            let asset = asset_position(from.u32()?)?;
            let published = u16::try_from(from.u32()?).map_err(|_| KeptError::Damaged("a day is none"))?;
            let (views, engaged_views) = (from.known()?, from.known()?);
            Ok(VideoState { id, channel, asset, published, title: Text::EMPTY, views, engaged_views })
        })?;
        in_order(&videos, |video| video.id)?;
        let references = from.many(head.references, |from| {
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
        })?;
        let claims = from.many(head.claims, |from| {
            let key = u64::from_le_bytes(from.array()?);
            let claim = ClaimEntry::with_bits(key, from.u32()?);
            claim.asset().map_or(Ok(0), |asset| is_there(asset, head.assets))?;
            Ok(claim)
        })?;
        in_order(&claims, ClaimEntry::key)?;
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

fn channel_id(bytes: [u8; 24]) -> Result<ChannelId, KeptError> {
    ChannelId::parse_bytes(&bytes).map_err(|_| KeptError::Damaged("a channel ID is none"))
}

/// Each list is searched by halves and walked in step with another's, so its order must hold.
fn in_order<T, K: Ord>(entries: &[T], key: impl Fn(&T) -> K) -> Result<(), KeptError> {
    if entries.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])) {
        Ok(())
    } else {
        Err(KeptError::Damaged("entries are out of order"))
    }
}

fn asset_texts(asset: &mut AssetState) -> [&mut Text; 8] {
    [
        &mut asset.custom_id,
        &mut asset.title,
        &mut asset.artist,
        &mut asset.isrc,
        &mut asset.asset_type,
        &mut asset.match_policy,
        &mut asset.conflicting_owner,
        &mut asset.conflicting_countries,
    ]
}

fn asset_numbers(asset: &mut AssetState) -> [&mut Known; 5] {
    [
        &mut asset.active_claims,
        &mut asset.daily_views,
        &mut asset.daily_engaged_views,
        &mut asset.claimed_views,
        &mut asset.claimed_engaged_views,
    ]
}

fn asset_counts(asset: &mut AssetState) -> [&mut u32; 8] {
    [
        &mut asset.active_references,
        &mut asset.inactive_references,
        &mut asset.claims,
        &mut asset.claims_active,
        &mut asset.claims_inactive,
        &mut asset.claims_disputed,
        &mut asset.claims_created,
        &mut asset.claims_short,
    ]
}

fn uploader_counts(uploader: &mut UploaderState) -> [&mut u32; 6] {
    [
        &mut uploader.claims,
        &mut uploader.claims_active,
        &mut uploader.claims_inactive,
        &mut uploader.claims_disputed,
        &mut uploader.claims_created,
        &mut uploader.claims_short,
    ]
}

fn reference_counts(reference: &mut ReferenceState) -> [&mut u32; 5] {
    [
        &mut reference.claims,
        &mut reference.claims_active,
        &mut reference.claims_inactive,
        &mut reference.claims_disputed,
        &mut reference.claims_created,
    ]
}

/// So many bytes are hashed and written at once: they come in millions of small pieces.
const HELD_BYTES: usize = 128 * 1024;

/// The length of what a stream ends with.
const HASH_BYTES: usize = 32;

/// What a stream ends with.
enum Hash {
    Blake3(Box<blake3::Hasher>),
    Sha256(Sha256),
}

impl Hash {
    fn of(version: u32) -> Self {
        match version {
            WITH_SHA256 => Self::Sha256(Sha256::default()),
            _ => Self::Blake3(Box::default()),
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hash) => {
                hash.update(bytes);
            }
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> [u8; HASH_BYTES] {
        match self {
            Self::Blake3(hash) => hash.finalize().into(),
            Self::Sha256(hash) => hash.finalize().into(),
        }
    }
}

struct Out<W: Write> {
    to: W,
    held: Vec<u8>,
    hash: Hash,
}

impl<W: Write> Out<W> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.held.len() + bytes.len() > HELD_BYTES {
            self.pass_on()?;
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.hash.add(&self.held);
        self.to.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        self.pass_on()?;
        self.to.write_all(&self.hash.finish())?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn u32(&mut self, number: u32) -> io::Result<()> {
        self.bytes(&number.to_le_bytes())
    }

    fn known(&mut self, number: Known) -> io::Result<()> {
        self.bytes(&number.0.to_le_bytes())
    }

    fn asset_id(&mut self, id: AssetId) -> io::Result<()> {
        let bytes = id.as_bytes();
        let mut padded = [0; 17];
        padded[..bytes.len()].copy_from_slice(bytes);
        self.bytes(&padded)
    }
}

struct In<R: Read> {
    from: R,
    hash: Hash,
    held: Box<[u8]>,
    // What of it was read and not asked for yet.
    left: Range<usize>,
}

impl<R: Read> In<R> {
    /// Reads the first line, which says how the others are to be read.
    fn open(from: R) -> Result<(Head, Self), KeptError> {
        let mut from = io::BufReader::new(from);
        let mut line = Vec::new();
        io::BufRead::read_until(&mut from.by_ref().take(MAX_HEAD_BYTES), b'\n', &mut line)?;
        let head: Head = serde_json::from_slice(&line)
            .map_err(|_| KeptError::Damaged("its first line says nothing of a week"))?;
        if !matches!(head.version, VERSION | WITH_SHA256) {
            return Err(KeptError::OtherVersion { found: head.version });
        }
        let mut hash = Hash::of(head.version);
        hash.add(&line);
        let mut room = vec![0; HELD_BYTES].into_boxed_slice();
        let ahead = from.buffer();
        room[..ahead.len()].copy_from_slice(ahead);
        let left = 0..ahead.len();
        Ok((head, Self { from: from.into_inner(), hash, held: room, left }))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeptError> {
        if self.left.len() < bytes.len() {
            self.read_on(bytes.len())?;
        }
        let end = self.left.start + bytes.len();
        bytes.copy_from_slice(&self.held[self.left.start..end]);
        self.left.start = end;
        Ok(())
    }

    /// Reads until there are so many bytes, which are far fewer than are held. What was asked for is hashed.
    fn read_on(&mut self, count: usize) -> Result<(), KeptError> {
        self.hash.add(&self.held[..self.left.start]);
        self.held.copy_within(self.left.clone(), 0);
        self.left = 0..self.left.len();
        while self.left.len() < count {
            match self.from.read(&mut self.held[self.left.end..]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => self.left.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KeptError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, KeptError> {
        self.array().map(u32::from_le_bytes)
    }

    fn known(&mut self) -> Result<Known, KeptError> {
        self.array().map(|bytes| Known(u64::from_le_bytes(bytes)))
    }

    fn asset_id(&mut self) -> Result<AssetId, KeptError> {
        let padded: [u8; 17] = self.array()?;
        let length = padded.iter().position(|byte| *byte == 0).unwrap_or(padded.len());
        AssetId::parse_bytes(&padded[..length]).map_err(|_| KeptError::Damaged("an asset ID is none"))
    }

    fn many<T>(
        &mut self,
        count: u64,
        mut one: impl FnMut(&mut Self) -> Result<T, KeptError>,
    ) -> Result<Vec<T>, KeptError> {
        let mut entries = Vec::with_capacity(usize::try_from(count.min(TRUSTED_ENTRIES)).unwrap_or_default());
        for _ in 0..count {
            entries.push(one(self)?);
        }
        Ok(entries)
    }

    /// The hash that was written must be that of what was read, and nothing may follow it.
    fn end(mut self) -> Result<(), KeptError> {
        // What was asked for is hashed by this, and the hash itself is not.
        self.read_on(HASH_BYTES)?;
        let (written, after) = self.held[self.left].split_at(HASH_BYTES);
        if self.hash.finish() != written {
            return Err(KeptError::Damaged("its bytes are not those that were written"));
        }
        if !after.is_empty() || self.from.read(&mut [0])? > 0 {
            return Err(KeptError::Damaged("something follows its end"));
        }
        Ok(())
    }
}
