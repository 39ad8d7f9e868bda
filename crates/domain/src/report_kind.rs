//! Which of YouTube's reports a file is, told by its columns.
//!
//! The video, claim and asset reports share most of the columns that are required of them, so a claim report given
//! as a video report would be read without complaint; the columns that only one of them has tell them apart.

use std::fmt;

use crate::refusal::{Refusal, RefusalKind};
use crate::table::{Table, column_key};

/// A kind of input file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// One row per video and claim.
    Video,
    /// One row per claim.
    Claim,
    /// One row per asset.
    Asset,
    /// One row per asset whose ownership is contested.
    AssetConflict,
    /// The sheet of partner channels.
    ChannelSheet,
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "a video report (content_owner_video_metadata)",
            Self::Claim => "a claim report (content_owner_active_claims)",
            Self::Asset => "an asset report (content_owner_asset)",
            Self::AssetConflict => "an asset conflict report (content_owner_asset_conflict)",
            Self::ChannelSheet => "a channel sheet (channelID, customID, displayName)",
        })
    }
}

/// The kind that a header looks like; none where the columns could belong to several.
pub fn recognise(headers: &[String]) -> Option<ReportKind> {
    let keys: Vec<String> = headers.iter().map(|header| column_key(header)).collect();
    let has = |name: &str| keys.iter().any(|key| *key == column_key(name));
    if has("claim_status") {
        Some(ReportKind::Claim)
    } else if has("engaged_views_in_conflict")
        || has("lifetime_views_in_conflict")
        || has("conflicting_owner_asset_title")
    {
        Some(ReportKind::AssetConflict)
    } else if has("asset_type") && !has("video_id") {
        Some(ReportKind::Asset)
    } else if has("video_privacy_status") || has("time_published") || has("embedding_allowed") {
        Some(ReportKind::Video)
    } else if has("channel_id") && has("custom_id") && !has("video_id") && !has("asset_id") {
        Some(ReportKind::ChannelSheet)
    } else {
        None
    }
}

/// Refuses a file that is plainly of another kind than the one asked for.
pub(crate) fn expect_kind<R>(table: &Table<R>, wanted: ReportKind) -> Result<(), Refusal> {
    match recognise(table.headers()) {
        Some(found) if found != wanted => Err(table
            .refusal(
                RefusalKind::WrongReportType,
                format!("this looks like {found}, not like {wanted}"),
                "Give each report under its own setting.",
            )
            .at_line(1)),
        _ => Ok(()),
    }
}
