//! Writing a video report: one row per video and claim, all columns of version 1.3.

use std::io::Write;

use anyhow::Result;

/// The 43 columns of `content_owner_video_metadata_a3`, version 1.3, in the order of the export.
pub const COLUMNS: [&str; 43] = [
    "video_id",
    "channel_id",
    "channel_display_name",
    "time_uploaded",
    "time_published",
    "video_title",
    "video_length",
    "views",
    "comments",
    "video_privacy_status",
    "video_url",
    "category",
    "embedding_allowed",
    "ratings_allowed",
    "comments_allowed",
    "claim_origin",
    "content_type",
    "upload_source",
    "claimed_by_this_owner",
    "claimed_by_another_owner",
    "other_owners_claiming",
    "offweb_syndicatable",
    "claim_id",
    "asset_id",
    "custom_id",
    "effective_policy",
    "third_party_video_id",
    "third_party_ads_enabled",
    "display_ads_enabled",
    "sponsored_cards_enabled",
    "overlay_ads_enabled",
    "nonskippable_video_ads_enabled",
    "long_nonskippable_video_ads_enabled",
    "skippable_video_ads_enabled",
    "prerolls_enabled",
    "midrolls_enabled",
    "postrolls_enabled",
    "isrc",
    "eidr",
    "in_video_ads_enabled",
    "is_made_for_kids_effective_setting",
    "is_made_for_kids_modifiable",
    "is_made_for_kids_user_selection",
];

/// One row of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// The video.
    pub video_id: String,
    /// The channel that published it.
    pub channel_id: String,
    /// The channel's name.
    pub channel_display_name: String,
    /// The title, as bytes: some are no UTF-8.
    pub title: Vec<u8>,
    /// Lifetime views.
    pub views: u64,
    /// Asset and reported custom ID of each claim of this row; several become `|` lists.
    pub claims: Vec<(String, String)>,
}

impl ReportRow {
    /// A video without a claim.
    pub fn new(video_id: impl Into<String>, channel_id: impl Into<String>) -> Self {
        Self {
            video_id: video_id.into(),
            channel_id: channel_id.into(),
            channel_display_name: String::new(),
            title: b"A video".to_vec(),
            views: 100,
            claims: Vec::new(),
        }
    }

    /// Claimed with this asset, whose custom ID the report gives as `custom_id`.
    #[must_use]
    pub fn asset(mut self, asset_id: impl Into<String>, custom_id: impl Into<String>) -> Self {
        self.claims.push((asset_id.into(), custom_id.into()));
        self
    }

    /// With this title.
    #[must_use]
    pub fn titled(mut self, title: impl Into<Vec<u8>>) -> Self {
        self.title = title.into();
        self
    }

    /// With so many views.
    #[must_use]
    pub fn viewed(mut self, views: u64) -> Self {
        self.views = views;
        self
    }
}

/// Writes rows one by one: a report of a million rows is never in memory.
pub(crate) struct ReportWriter<W: Write> {
    csv: csv::Writer<W>,
    rows: u64,
    text: String,
}

impl<W: Write> ReportWriter<W> {
    pub(crate) fn new(to: W) -> Result<Self> {
        let mut csv = csv::WriterBuilder::new().buffer_capacity(1 << 18).from_writer(to);
        csv.write_record(COLUMNS)?;
        Ok(Self { csv, rows: 0, text: String::new() })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn write(&mut self, row: &ReportRow) -> Result<()> {
        use std::fmt::Write as _;
        let number = self.rows;
        self.rows += 1;
        let text = &mut self.text;
        let csv = &mut self.csv;
        let claimed = !row.claims.is_empty();
        // Seven years of uploads, spread over the rows.
        let (year, month, day) = (2018 + number % 7, 1 + number % 12, 1 + number % 28);

        csv.write_field(&row.video_id)?;
        csv.write_field(&row.channel_id)?;
        csv.write_field(&row.channel_display_name)?;
        text.clear();
        write!(text, "{year}-{month:02}-{day:02}")?;
        csv.write_field(&*text)?;
        csv.write_field(&*text)?;
        csv.write_field(&row.title)?;
        text.clear();
        write!(text, "{}", 60 + number % 600)?;
        csv.write_field(&*text)?;
        text.clear();
        write!(text, "{}", row.views)?;
        csv.write_field(&*text)?;
        text.clear();
        write!(text, "{}", row.views / 900)?;
        csv.write_field(&*text)?;
        csv.write_field(if number % 40 == 7 { "unlisted" } else { "public" })?;
        text.clear();
        write!(text, "https://youtu.be/{}", row.video_id)?;
        csv.write_field(&*text)?;
        csv.write_field("Music")?;
        for flag in ["Yes", "Yes", "Yes"] {
            csv.write_field(flag)?;
        }
        csv.write_field(if claimed { "Descriptive Search" } else { "" })?;
        csv.write_field(if number % 9 == 4 { "UGC" } else { "Premium" })?;
        csv.write_field("web")?;
        csv.write_field(if claimed { "Yes" } else { "No" })?;
        csv.write_field("No")?;
        csv.write_field("")?;
        csv.write_field("Yes")?;
        text.clear();
        for at in 0..row.claims.len() {
            let separator = if at == 0 { "" } else { "|" };
            write!(text, "{separator}Cl{number:08}{at}")?;
        }
        csv.write_field(&*text)?;
        join(text, row.claims.iter().map(|(asset, _)| asset.as_str()));
        csv.write_field(&*text)?;
        join(text, row.claims.iter().map(|(_, custom_id)| custom_id.as_str()));
        csv.write_field(&*text)?;
        csv.write_field(if claimed { "Monetize" } else { "" })?;
        csv.write_field("")?;
        for flag in ["No", "Yes", "No", "Yes", "Yes", "No", "Yes", "Yes", "Yes", "No"] {
            csv.write_field(flag)?;
        }
        csv.write_field("")?;
        csv.write_field("")?;
        csv.write_field("Yes")?;
        csv.write_field("Not made for kids")?;
        csv.write_field("Yes")?;
        csv.write_field("")?;
        csv.write_record(None::<&[u8]>)?;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        self.csv.flush()?;
        Ok(())
    }
}

fn join<'a>(text: &mut String, parts: impl Iterator<Item = &'a str>) {
    text.clear();
    for (at, part) in parts.enumerate() {
        if at > 0 {
            text.push('|');
        }
        text.push_str(part);
    }
}
