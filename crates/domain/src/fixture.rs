//! The hand-made inputs of the tests, compiled in: this crate reads no files, its tests included.

macro_rules! fixtures {
    ($($name:literal,)*) => {
        /// The bytes of an input under `fixtures/`.
        pub(crate) fn fixture(name: &str) -> &'static [u8] {
            match name {
                $($name => include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/", $name)),)*
                _ => panic!("there is no fixture {name}"),
            }
        }
    };
}

fixtures! {
    "asset_report/basic_without_claims.csv",
    "asset_report/small.csv",
    "channel_sheet/bad_ids.csv",
    "channel_sheet/bad_utf8.csv",
    "channel_sheet/blanks_around_ids.csv",
    "channel_sheet/bom_and_crlf.csv",
    "channel_sheet/custom_id_column_twice.csv",
    "channel_sheet/duplicate_and_conflicting_rows.csv",
    "channel_sheet/empty.csv",
    "channel_sheet/header_only.csv",
    "channel_sheet/hostile_names.csv",
    "channel_sheet/lone_cr.csv",
    "channel_sheet/many_short_and_long_rows.csv",
    "channel_sheet/missing_custom_id_column.csv",
    "channel_sheet/mixed_line_ends_and_blank_lines.csv",
    "channel_sheet/plain.csv",
    "channel_sheet/quoted_names_with_line_breaks.csv",
    "channel_sheet/reordered_renamed_and_extra_columns.csv",
    "channel_sheet/semicolons.csv",
    "channel_sheet/shared_custom_id.csv",
    "channel_sheet/short_row.csv",
    "channel_sheet/spreadsheet_artefacts.csv",
    "channel_sheet/tabs.csv",
    "channel_sheet/unclosed_quote.csv",
    "channel_sheet/utf16.csv",
    "claim_report/small.csv",
    "conflict_report/small.csv",
    "platform_file/small.csv",
    "platforms/apple_music_for_artists-2026-11-22.csv",
    "platforms/generic.csv",
    "platforms/spotify_for_artists-songs-2026-11-22.csv",
    "platforms/tiktok.csv",
    "platforms/youtube_analytics.csv",
    "platforms/youtube_studio-2026-11-16_2026-11-23.csv",
    "rights_record/small.csv",
    "video_report/bad_ids.csv",
    "video_report/cut_off.csv",
    "video_report/header_only.csv",
    "video_report/hostile_titles.csv",
    "video_report/lists.csv",
    "video_report/small.csv",
}
