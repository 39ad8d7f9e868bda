//! How a week is written for later ones.

use std::io::{self, Write};

use super::super::gather::{Both, InTurn};
use super::super::state::{Known, Snapshot, UploaderState};
use super::{
    ASSET_BYTES, CHANNEL_BYTES, CLAIM_BYTES, Hash, Head, KEPT_CLAIMS, PART_BYTES, REFERENCE_BYTES,
    UPLOADER_BYTES, VERSION, VIDEO_BYTES, asset_counts, asset_numbers, asset_texts, reference_counts,
    uploader_counts,
};
use crate::claims::strings::{Ranked, Text};
use crate::id::AssetId;

impl Snapshot {
    /// Writes the week for later comparisons; the bytes are the same for the same rows.
    pub fn keep<W: Write + Send>(&self, to: W) -> io::Result<W> {
        self.keep_on(to, &InTurn)
    }

    /// The same where two things may be done side by side.
    pub fn keep_on<W: Write + Send>(&self, to: W, both: &impl Both) -> io::Result<W> {
        self.keep_in(to, both, PART_BYTES)
    }

    /// The same in parts of so many bytes.
    pub(super) fn keep_in<W: Write + Send>(
        &self,
        to: W,
        both: &impl Both,
        part_bytes: usize,
    ) -> io::Result<W> {
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
        let (part, next) = (Part::default(), Part::default());
        let mut out = Out { to, both, part, next, part_bytes, hash: Hash::of(VERSION) };
        let mut line = serde_json::to_vec(&head)?;
        line.push(b'\n');
        out.part.bytes(&line);
        for text in &texts.texts {
            out.part.u32(u32::try_from(text.len()).unwrap_or_default());
            out.part.bytes(text.as_bytes());
            if out.part.0.len() >= part_bytes {
                out.pass_on()?;
            }
        }
        // The texts are in the order of their bytes, so that the same rows in another order are kept alike.
        let number = |text: Text| texts.number(text).unwrap_or_default();
        out.many::<ASSET_BYTES, _>(&self.assets, |asset, out| {
            out.asset_id(asset.id);
            out.bytes(&[u8::from(asset.is_reported), u8::from(asset.is_shared), asset.told]);
            out.bytes(asset.channel.as_ref().map_or(&[0; 24][..], |id| id.as_bytes()));
            let asset = &mut asset.clone();
            for text in asset_texts(asset) {
                out.u32(number(*text));
            }
            for known in asset_numbers(asset) {
                out.known(*known);
            }
            for count in asset_counts(asset) {
                out.u32(*count);
            }
        })?;
        out.many::<CHANNEL_BYTES, _>(&self.channels, |channel, out| {
            out.bytes(channel.id.as_bytes());
            out.u32(number(channel.name));
            out.known(channel.views);
            out.known(channel.engaged_views);
            out.u32(channel.video_rows);
            out.u32(channel.videos);
        })?;
        out.many::<UPLOADER_BYTES, _>(&uploaders, |uploader, out| {
            out.bytes(uploader.id.as_bytes());
            for count in uploader_counts(&mut (*uploader).clone()) {
                out.u32(*count);
            }
        })?;
        out.many::<VIDEO_BYTES, _>(&self.videos, |video, out| {
            out.bytes(video.id.as_bytes());
            out.u32(video.channel);
            out.u32(video.asset.unwrap_or(u32::MAX));
            out.u32(u32::from(video.published));
            out.known(video.views);
            out.known(video.engaged_views);
        })?;
        out.many::<REFERENCE_BYTES, _>(&self.references, |reference, out| {
            out.u32(number(reference.id));
            out.u32(reference.asset.unwrap_or(u32::MAX));
            for count in reference_counts(&mut reference.clone()) {
                out.u32(*count);
            }
            for count in reference.lengths.0 {
                out.u32(count);
            }
        })?;
        out.many::<CLAIM_BYTES, _>(&self.claims, |claim, out| {
            out.bytes(&claim.key().to_le_bytes());
            out.u32(claim.asset_and_state);
        })?;
        out.finish()
    }

    /// The texts of everything but videos, each once, in the order of their bytes; the empty one is always there.
    fn texts(&self) -> Ranked<'_> {
        let assets = self.assets.iter().flat_map(|asset| asset_texts(&mut asset.clone()).map(|text| *text));
        let channels = self.channels.iter().map(|channel| channel.name);
        let references = self.references.iter().map(|reference| reference.id);
        self.strings.ranked(assets.chain(channels).chain(references).chain([Text::EMPTY]))
    }
}

/// A week on its way out: while bytes are made of some entries, those of the entries before them are hashed and written.
struct Out<'b, W, B> {
    to: W,
    both: &'b B,
    /// What is neither hashed nor written yet.
    part: Part,
    /// What is filled meanwhile.
    next: Part,
    part_bytes: usize,
    hash: Hash,
}

impl<W: Write + Send, B: Both> Out<'_, W, B> {
    /// Entries of so many bytes each.
    fn many<const BYTES: usize, T: Sync>(
        &mut self,
        entries: &[T],
        one: impl Fn(&T, &mut Part) + Sync,
    ) -> io::Result<()> {
        for entries in entries.chunks((self.part_bytes / BYTES).max(1)) {
            let Self { to, both, part, next, hash, .. } = self;
            let fill = || {
                next.0.reserve(entries.len() * BYTES);
                for entry in entries {
                    one(entry, next);
                }
                debug_assert_eq!(next.0.len(), entries.len() * BYTES);
            };
            let (passed_on, ()) = both.both(|| part.pass_on(hash, to), fill);
            passed_on?;
            std::mem::swap(part, next);
        }
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.part.pass_on(&mut self.hash, &mut self.to)
    }

    fn finish(mut self) -> io::Result<W> {
        self.pass_on()?;
        self.to.write_all(&self.hash.finish())?;
        self.to.flush()?;
        Ok(self.to)
    }
}

/// Bytes of some entries.
#[derive(Default)]
struct Part(Vec<u8>);

impl Part {
    fn pass_on(&mut self, hash: &mut Hash, to: &mut impl Write) -> io::Result<()> {
        hash.add(&self.0);
        to.write_all(&self.0)?;
        self.0.clear();
        Ok(())
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    #[inline]
    fn known(&mut self, number: Known) {
        self.bytes(&number.0.to_le_bytes());
    }

    #[inline]
    fn asset_id(&mut self, id: AssetId) {
        let bytes = id.as_bytes();
        let mut padded = [0; 17];
        padded[..bytes.len()].copy_from_slice(bytes);
        self.bytes(&padded);
    }
}
