//! The columns of the reports, in the order of YouTube's exports.

/// `content_owner_active_claims_a3`.
pub(super) const CLAIMS: [&str; 49] = [
    "claim_id",
    "channel_id",
    "asset_id",
    "video_id",
    "reference_id",
    "reference_video_id",
    "claim_policy_id",
    "asset_policy_id",
    "custom_id",
    "claim_status",
    "claim_status_detail",
    "claim_origin",
    "claim_type",
    "uploader",
    "channel_display_name",
    "video_title",
    "views",
    "engaged_views",
    "video_matching_length",
    "matching_duration",
    "longest_match",
    "content_type",
    "claim_policy_monetize",
    "claim_policy_track",
    "claim_policy_block",
    "asset_policy_monetize",
    "asset_policy_track",
    "asset_policy_block",
    "claim_created_date",
    "video_upload_date",
    "video_duration_sec",
    "asset_title",
    "asset_labels",
    "tms",
    "director",
    "season",
    "episode_number",
    "episode_title",
    "release_date",
    "hfa_song_code",
    "isrc",
    "grid",
    "artist",
    "album",
    "record_label",
    "upc",
    "iswc",
    "writers",
    "is_shorts_eligible",
];

/// `content_owner_asset_a3`, with the columns of the music files behind it.
pub(super) const ASSETS: [&str; 29] = [
    "asset_id",
    "custom_id",
    "constituent_asset_id",
    "active_reference_id",
    "inactive_reference_id",
    "approx_daily_views",
    "approx_daily_engaged_views",
    "sr_approx_daily_engaged_views",
    "asset_type",
    "asset_labels",
    "metadata_origination",
    "season",
    "episode_title",
    "tms",
    "active_claims",
    "match_policy",
    "is_merged",
    "conflicting_owner",
    "ownership",
    "conflicting_country_code",
    "display_isrc",
    "your_isrc",
    "other_isrc",
    "isrc",
    "grid",
    "upc",
    "artist",
    "asset_title",
    "label",
];

/// `content_owner_asset_conflict_a3`.
pub(super) const CONFLICTS: [&str; 27] = [
    "asset_id",
    "custom_id",
    "constituent_asset_id",
    "approx_daily_views",
    "approx_daily_engaged_views",
    "sr_approx_daily_engaged_views",
    "asset_type",
    "metadata_origination",
    "season",
    "episode_title",
    "tms",
    "active_claims",
    "conflicting_owner",
    "conflicting_owner_isrc",
    "conflicting_owner_asset_title",
    "conflicting_owner_artist",
    "engaged_views_in_conflict",
    "lifetime_views_in_conflict",
    "lifetime_engaged_views_in_conflict",
    "conflicting_country_code",
    "ownership_last_updated",
    "ownership_origination",
    "other_ownership_last_updated",
    "other_ownership_origination",
    "match_policy",
    "is_merged",
    "asset_labels",
];

/// The column that version 1.4 of the video report adds to [`crate::world::REPORT_COLUMNS`].
pub(super) const ENGAGED_VIEWS: &str = "engaged_views";

/// A platform file in the normal form.
pub(super) const PLATFORM: [&str; 8] =
    ["date", "platform", "isrc", "metric", "value", "custom_id", "asset_id", "country"];

/// Spotify's table of the songs of a week, as `docs/PLATFORMS.md` has it: the export's five, and the ISRC that whoever
/// takes it adds.
pub(super) const SPOTIFY: [&str; 6] = ["song", "isrc", "listeners", "streams", "saves", "release_date"];

/// What stands before Spotify's header.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Rights records in the normal form.
pub(super) const RIGHTS: [&str; 10] = [
    "platform",
    "isrc",
    "upc",
    "custom_id",
    "territory",
    "owner",
    "share",
    "policy",
    "valid_from",
    "valid_to",
];

/// `changes.csv` of the claims report.
pub(super) const CHANGES: [&str; 11] = [
    "asset_id",
    "custom_id",
    "channel_id",
    "title",
    "artist",
    "isrc",
    "metric",
    "before",
    "now",
    "difference",
    "state",
];
