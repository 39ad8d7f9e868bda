//! A line of `plan.jsonl`, the write-ahead log of the cleanup.
//!
//! The plan is durable before the first write and carries the old values: what a crash left unknown is read back
//! against it, and undoing a run is its plan reversed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::asset::AssetEntry;
use super::decide::PlannedUpdate;
use crate::custom_id::CustomId;
use crate::id::{AssetId, ChannelId, VideoId};
use crate::partner_channels::PartnerChannels;
use crate::printable::printable;

/// The reason of a line that takes another one back.
pub const UNDO: &str = "undo";

/// One planned write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanLine {
    /// The asset to write to.
    pub asset_id: AssetId,
    /// Its videos on partner channels.
    pub videos: Vec<VideoId>,
    /// The partner channel whose custom ID it gets.
    pub channel_id: ChannelId,
    /// The value before; null where it was empty.
    pub old: Option<String>,
    /// The value to write; null clears it, as only undoing a write does.
    pub new: Option<String>,
    /// Why the old value may be replaced.
    pub reason: Cow<'static, str>,
    /// The artists to send along, for music assets alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artists: Vec<String>,
    /// The number of the report's row in which the asset came first.
    pub row: u64,
    /// The version of the report that was read.
    pub report_etag: Option<String>,
}

/// A line that is no planned write.
#[derive(Debug, thiserror::Error)]
#[error("\"{line}\" is no line of a plan")]
pub struct PlanLineError {
    line: String,
    #[source]
    cause: serde_json::Error,
}

impl PlanLine {
    /// The line of a decided update.
    pub fn new(
        entry: &AssetEntry,
        partners: &PartnerChannels,
        update: &PlannedUpdate,
        report_etag: Option<&str>,
    ) -> Self {
        Self {
            asset_id: entry.asset_id,
            videos: entry.videos().map(|video| video.video_id).collect(),
            channel_id: partners.channel(entry.channel()).channel_id,
            old: update.old.clone(),
            new: Some(update.new.as_str().to_owned()),
            reason: Cow::Borrowed(update.reason),
            artists: update.artists.clone(),
            row: entry.record(),
            report_etag: report_etag.map(str::to_owned),
        }
    }

    /// The line that takes this one back.
    pub fn reversed(&self) -> Self {
        Self { old: self.new.clone(), new: self.old.clone(), reason: Cow::Borrowed(UNDO), ..self.clone() }
    }

    /// The line as JSON, without a line end.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a line back. Whatever is not exactly such a line is refused: a plan is never guessed.
    pub fn from_json(line: &str) -> Result<Self, PlanLineError> {
        let refuse = |cause| PlanLineError { line: printable(line), cause };
        let read: Self = serde_json::from_str(line).map_err(refuse)?;
        // What is put back was somebody's value and may be older than the grammar; what is planned never is.
        if read.reason != UNDO {
            let new = read.new.as_deref().unwrap_or_default();
            CustomId::parse(new).map_err(|error| refuse(serde::de::Error::custom(error)))?;
        }
        Ok(read)
    }
}
