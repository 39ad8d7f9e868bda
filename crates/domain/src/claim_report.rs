//! The claim report (`content_owner_active_claims_a3`): one row per claim.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use crate::id::{AssetId, ChannelId, ClaimId, IdError, VideoId};
use crate::printable::printable;
use crate::refusal::Refusal;
use crate::report_kind::{ReportKind, expect_kind};
use crate::table::{BadRow, Cells, Optional, Place, Table, optional_cells, optional_columns, report};

/// The columns that must be there; besides, one of `claim_type` and `claim_origin`.
pub const REQUIRED: [&str; 3] = ["claim_id", "channel_id", "claim_status"];

optional_columns! {
    /// What the weekly report reads of a claim where the report has it.
    ClaimColumn {
        /// The reference that matched.
        ReferenceId = "reference_id",
        /// The reference's video.
        ReferenceVideoId = "reference_video_id",
        /// The asset's custom ID.
        CustomId = "custom_id",
        /// Why the claim has its status: `DISPUTED`, `RELEASED` and so on.
        StatusDetail = "claim_status_detail",
        /// How the claim came about: a match, by hand, an upload of the partner's own.
        Origin = "claim_origin",
        /// What is claimed: audio, video or both.
        Type = "claim_type",
        /// The uploader's name.
        Uploader = "uploader",
        /// The name of the claimed video's channel.
        ChannelName = "channel_display_name",
        /// The claimed video's title.
        VideoTitle = "video_title",
        /// Lifetime views of the claimed video.
        Views = "views",
        /// Lifetime engaged views, another measure: the two are never mixed.
        EngagedViews = "engaged_views",
        /// How much of the video matches, older reports.
        MatchingLength = "video_matching_length",
        /// How much of the video matches.
        MatchingDuration = "matching_duration",
        /// The longest match of one piece.
        LongestMatch = "longest_match",
        /// Who uploaded what: `UGC`, `PARTNER_UPLOADED` and so on.
        ContentType = "content_type",
        /// Where the claim earns.
        PolicyMonetize = "claim_policy_monetize",
        /// Where the claim only counts.
        PolicyTrack = "claim_policy_track",
        /// Where the claim blocks.
        PolicyBlock = "claim_policy_block",
        /// Where the asset's policy earns.
        AssetPolicyMonetize = "asset_policy_monetize",
        /// Where the asset's policy only counts.
        AssetPolicyTrack = "asset_policy_track",
        /// Where the asset's policy blocks.
        AssetPolicyBlock = "asset_policy_block",
        /// The day on which the claim was made.
        CreatedDate = "claim_created_date",
        /// The day on which the video was uploaded.
        UploadDate = "video_upload_date",
        /// The video's length.
        DurationSeconds = "video_duration_sec",
        /// The asset's title.
        AssetTitle = "asset_title",
        /// The asset's labels.
        AssetLabels = "asset_labels",
        /// The recording's ISRC.
        Isrc = "isrc",
        /// The artist.
        Artist = "artist",
        /// The release's UPC.
        Upc = "upc",
        /// The record label.
        RecordLabel = "record_label",
        /// Whether the video may be a Short.
        IsShortsEligible = "is_shorts_eligible",
    }
}

optional_cells!(ClaimRow, ClaimColumn);
report!(ClaimReport, ClaimLine, ClaimRow, ClaimColumns, ClaimColumn);

/// A claim report being read.
pub struct ClaimReport<R: Read> {
    table: Table<R>,
    columns: ClaimColumns,
}

/// Where the report has its columns.
#[derive(Debug, Clone)]
pub struct ClaimColumns {
    claim_id: usize,
    channel_id: usize,
    claim_status: usize,
    claim_type: Option<usize>,
    claim_origin: Option<usize>,
    asset_id: Option<usize>,
    video_id: Option<usize>,
    optional: Optional,
}

/// A line of the report.
pub enum ClaimLine<'a> {
    /// A row with as many fields as the header.
    Row(ClaimRow<'a>),
    /// A row that cannot be used.
    Bad(BadRow<'a>),
}

/// A claim, borrowed until the next row is read.
#[derive(Clone, Copy)]
pub struct ClaimRow<'a> {
    cells: Cells<'a>,
    columns: &'a ClaimColumns,
    place: Place,
}

impl<R: Read> ClaimReport<R> {
    /// Reads the header; refused when a required column is missing or the file is another report.
    pub fn open(file: &str, source: R) -> Result<Self, Refusal> {
        let table = Table::open(file, source)?;
        expect_kind(&table, ReportKind::Claim)?;
        let [claim_id, channel_id, claim_status] = REQUIRED;
        let columns = ClaimColumns {
            claim_id: table.required(claim_id)?,
            channel_id: table.required(channel_id)?,
            claim_status: table.required(claim_status)?,
            claim_type: table.optional("claim_type"),
            claim_origin: table.optional("claim_origin"),
            asset_id: table.optional("asset_id"),
            video_id: table.optional("video_id"),
            optional: Optional::find::<R, ClaimColumn>(&table),
        };
        if columns.claim_type.is_none() && columns.claim_origin.is_none() {
            return Err(table.missing("claim_type"));
        }
        Ok(Self { table, columns })
    }

    /// Reads the report to its end and counts it.
    pub fn count(mut self) -> Result<ClaimCounts, Refusal> {
        let mut counts = ClaimCounts::default();
        while let Some(line) = self.next_row()? {
            match line {
                ClaimLine::Row(row) => counts.add(&row),
                ClaimLine::Bad(_) => counts.bad_rows += 1,
            }
        }
        Ok(counts)
    }
}

impl<'a> ClaimRow<'a> {
    /// The row's number, the first after the header being 1.
    pub fn record(&self) -> u64 {
        self.place.record
    }

    /// The physical line on which the row begins.
    pub fn line(&self) -> u64 {
        self.place.line
    }

    /// The claim.
    pub fn claim_id(&self) -> Result<ClaimId, IdError> {
        ClaimId::parse_bytes(self.cells.trimmed(Some(self.columns.claim_id)))
    }

    /// The claim's cell, checked and not copied: a report has millions of them.
    pub fn claim_id_bytes(&self) -> Result<&'a [u8], IdError> {
        let cell = self.cells.trimmed(Some(self.columns.claim_id));
        ClaimId::check_bytes(cell).map(|()| cell)
    }

    /// The asset's cell as it stands; empty where the report has no such column.
    pub fn asset_id_bytes(&self) -> &'a [u8] {
        self.cells.trimmed(self.columns.asset_id)
    }

    /// The channel of the claimed video.
    pub fn channel_id(&self) -> Result<ChannelId, IdError> {
        ChannelId::parse_bytes(self.cells.trimmed(Some(self.columns.channel_id)))
    }

    /// The asset in whose name it is claimed, where the report has the column.
    pub fn asset_id(&self) -> Option<Result<AssetId, IdError>> {
        self.columns.asset_id.map(|column| AssetId::parse_bytes(self.cells.trimmed(Some(column))))
    }

    /// The claimed video, where the report has the column.
    pub fn video_id(&self) -> Option<Result<VideoId, IdError>> {
        self.columns.video_id.map(|column| VideoId::parse_bytes(self.cells.trimmed(Some(column))))
    }

    /// `ACTIVE`, `INACTIVE`, `PENDING` or what YouTube may come to write, as it stands.
    pub fn claim_status(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.claim_status_bytes())
    }

    /// The same, as bytes.
    pub fn claim_status_bytes(&self) -> &'a [u8] {
        self.cells.trimmed(Some(self.columns.claim_status))
    }

    /// What is claimed (`claim_type`); where the report has no such column or an empty cell, how the claim came about
    /// (`claim_origin`).
    pub fn claim_type(&self) -> Cow<'a, str> {
        let cell = match self.cells.trimmed(self.columns.claim_type) {
            b"" => self.cells.trimmed(self.columns.claim_origin),
            cell => cell,
        };
        String::from_utf8_lossy(cell)
    }

    /// All cells as they came, in the order of the report's columns.
    pub fn fields(&self) -> Cells<'a> {
        self.cells
    }
}

/// Claims by what they are. Statuses and types are folded to capitals, since YouTube writes both forms; a cell
/// without a value is counted under `(none)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimCounts {
    /// Claims counted; each map sums to it.
    pub claims: u64,
    /// Rows with a wrong number of fields, or an unreadable claim or channel ID.
    pub bad_rows: u64,
    /// Claims per `claim_status`.
    pub by_status: BTreeMap<String, u64>,
    /// Claims per `claim_type`, else `claim_origin`.
    pub by_type: BTreeMap<String, u64>,
    /// Claims per channel of the claimed video.
    pub by_channel: BTreeMap<ChannelId, u64>,
}

impl ClaimCounts {
    /// Counts one row.
    pub fn add(&mut self, row: &ClaimRow<'_>) {
        let (Ok(_), Ok(channel_id)) = (row.claim_id(), row.channel_id()) else {
            self.bad_rows += 1;
            return;
        };
        self.claims += 1;
        count_under(&mut self.by_status, &row.claim_status());
        count_under(&mut self.by_type, &row.claim_type());
        *self.by_channel.entry(channel_id).or_default() += 1;
    }
}

/// Counts a value of an enumeration, escaped and shortened since a report may hold anything there.
pub(crate) fn count_under(counts: &mut BTreeMap<String, u64>, value: &str) {
    let key = match value {
        "" => "(none)".to_owned(),
        value => printable(value.to_uppercase()),
    };
    *counts.entry(key).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::fixture;
    use crate::refusal::RefusalKind;

    fn count(name: &str) -> Result<ClaimCounts, Refusal> {
        ClaimReport::open(name, fixture(name))?.count()
    }

    #[test]
    fn v18_claims_are_counted_and_a_total_row_is_no_claim() {
        insta::assert_debug_snapshot!(count("claim_report/small.csv").unwrap(), @r#"
        ClaimCounts {
            claims: 4,
            bad_rows: 1,
            by_status: {
                "ACTIVE": 2,
                "INACTIVE": 1,
                "PENDING": 1,
            },
            by_type: {
                "AUDIO": 2,
                "AUDIOVISUAL": 1,
                "DESCRIPTIVE_SEARCH": 1,
            },
            by_channel: {
                ChannelId(UCalpha00000000000000000): 2,
                ChannelId(UCbravo00000000000000000): 2,
            },
        }
        "#);
    }

    #[test]
    fn another_report_is_named_for_what_it_is() {
        let refusal = count("asset_report/small.csv").unwrap_err();
        assert!(matches!(refusal.kind, RefusalKind::WrongReportType));
        insta::assert_snapshot!(refusal, @"asset_report/small.csv:1: this looks like an asset report (content_owner_asset), not like a claim report (content_owner_active_claims). Give each report under its own setting.");
    }

    #[test]
    fn v06_a_report_with_neither_type_nor_origin_is_refused() {
        let text = "claim_id,channel_id,claim_status\nc,UCalpha00000000000000000,ACTIVE\n";
        let refusal = ClaimReport::open("x.csv", text.as_bytes()).err().unwrap();
        assert_eq!(refusal.column.as_deref(), Some("claim_type"));
    }

    #[test]
    fn a_row_gives_its_ids_where_the_report_has_them() {
        let text =
            "claim_id,channel_id,claim_status,claim_origin,asset_id\nc,UCalpha00000000000000000,,x,bad\n";
        let mut report = ClaimReport::open("x.csv", text.as_bytes()).unwrap();
        let Some(ClaimLine::Row(row)) = report.next_row().unwrap() else { panic!("no row") };
        assert_eq!(row.claim_id().unwrap().as_str(), "c");
        assert!(row.asset_id().unwrap().is_err());
        assert_eq!(row.video_id(), None);
        assert_eq!((row.record(), row.line(), row.fields().len()), (1, 2, 5));
        let counts = ClaimReport::open("x.csv", text.as_bytes()).unwrap().count().unwrap();
        assert_eq!(counts.by_status["(none)"], 1);
    }

    #[test]
    fn what_the_weekly_report_needs_is_read_where_it_is_there_and_named_where_it_is_not() {
        let text = "claim_id,channel_id,claim_status,claim_origin,Reference ID,views,longest_match,is_shorts_eligible\n\
                    c,UCalpha00000000000000000,ACTIVE,ID_MATCH, ref-1 ,12,0:09,Yes\n";
        let mut report = ClaimReport::open("x.csv", text.as_bytes()).unwrap();
        assert!(report.missing_columns().contains(&"engaged_views"));
        assert!(!report.missing_columns().contains(&"views"));
        let Some(ClaimLine::Row(row)) = report.next_row().unwrap() else { panic!("no row") };
        assert_eq!(row.text(ClaimColumn::ReferenceId), "ref-1");
        assert_eq!(row.number(ClaimColumn::Views), Ok(Some(12)));
        assert_eq!(row.number(ClaimColumn::EngagedViews), Ok(None));
        assert!(row.number(ClaimColumn::Origin).is_err());
        assert_eq!(crate::number::seconds(row.cell(ClaimColumn::LongestMatch)), Some(9));
        assert_eq!(crate::number::flag(row.cell(ClaimColumn::IsShortsEligible)), Some(true));
    }
}
