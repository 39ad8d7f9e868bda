//! A week as the history keeps it: what the next weeks are compared with, in one stream of bytes.
//!
//! A line of JSON says what follows and how much of it; then come fixed-width entries, little-endian, 12 bytes a claim
//! and 39 a video; a BLAKE3 of all that ends the stream, so that a torn or changed file is refused and never read as
//! a smaller week. Titles of videos are left out, and uploaders with few claims: they
//! are half of a week's bytes, and nothing compares them.

mod ahead;
mod keep;
mod recall;
#[cfg(test)]
mod tests;

use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::gather::Source;
use super::lengths::STEP_COUNT;
use super::state::{AssetState, Known, ReferenceState, ReportFacts, UploaderState};
use crate::claims::strings::Text;
use crate::claims::week::Week;

/// The version of the form; another one is refused, since guessing would compare with wrong numbers.
const VERSION: u32 = 2;

/// The version before, which is read and no longer written: it ends with a SHA-256, whose sum took more time than all
/// else about a week of a hundred megabytes.
const WITH_SHA256: u32 = 1;

/// From this many claims on an uploader is kept: one with fewer has no habit that a week could be held against, and
/// nearly all of millions have fewer.
pub const KEPT_CLAIMS: u32 = 10;

/// How much is read, hashed and made entries of at once, and the other way round: enough for a thread to be worth its
/// start, and little beside a week.
const PART_BYTES: usize = 1024 * 1024;

// How wide each entry is.
const ASSET_BYTES: usize = 17 + 3 + 24 + 8 * 4 + 5 * 8 + 8 * 4;
const CHANNEL_BYTES: usize = 24 + 4 + 2 * 8 + 2 * 4;
const UPLOADER_BYTES: usize = 24 + 6 * 4;
const VIDEO_BYTES: usize = 11 + 3 * 4 + 2 * 8;
const REFERENCE_BYTES: usize = 2 * 4 + 5 * 4 + STEP_COUNT * 4;
const CLAIM_BYTES: usize = 8 + 4;

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
