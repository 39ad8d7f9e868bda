//! The asset report (`content_owner_asset_a3`): one row per asset, with its number of active claims.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use crate::claim_report::count_under;
use crate::id::{AssetId, IdError};
use crate::number;
pub use crate::number::NumberError;
use crate::refusal::{Refusal, RefusalKind};
use crate::report_kind::{ReportKind, expect_kind};
use crate::table::{BadRow, Cells, Optional, Place, Table, optional_cells, optional_columns, report};

/// The columns that must be there.
pub const REQUIRED: [&str; 3] = ["asset_id", "asset_type", "active_claims"];

optional_columns! {
    /// What the weekly report reads of an asset where the report has it.
    AssetColumn {
        /// A daily mean of views.
        DailyViews = "approx_daily_views",
        /// A daily mean of engaged views, another measure: the two are never mixed.
        DailyEngagedViews = "approx_daily_engaged_views",
        /// The assets that were merged into this one.
        ConstituentAssetId = "constituent_asset_id",
        /// The references that match, separated by `|`.
        ActiveReferenceId = "active_reference_id",
        /// The references that no longer match, separated by `|`.
        InactiveReferenceId = "inactive_reference_id",
        /// The asset's labels.
        Labels = "asset_labels",
        /// What happens to a video that matches.
        MatchPolicy = "match_policy",
        /// Whether assets were merged into this one.
        IsMerged = "is_merged",
        /// Who else claims to own it.
        ConflictingOwner = "conflicting_owner",
        /// Where.
        ConflictingCountryCode = "conflicting_country_code",
        /// What the content owner owns of it.
        Ownership = "ownership",
        /// The recording's ISRC, in music reports.
        Isrc = "isrc",
        /// The ISRC that YouTube shows.
        DisplayIsrc = "display_isrc",
        /// The ISRC that the content owner gave.
        YourIsrc = "your_isrc",
        /// The ISRC that others gave.
        OtherIsrc = "other_isrc",
        /// The release's UPC.
        Upc = "upc",
        /// The artist.
        Artist = "artist",
        /// The title.
        Title = "asset_title",
        /// The record label.
        Label = "label",
    }
}

optional_cells!(AssetRow, AssetColumn);
report!(AssetReport, AssetLine, AssetRow, AssetColumns, AssetColumn);

/// An asset report being read.
pub struct AssetReport<R: Read> {
    table: Table<R>,
    columns: AssetColumns,
}

/// Where the report has its columns.
#[derive(Debug, Clone)]
pub struct AssetColumns {
    asset_id: usize,
    asset_type: usize,
    active_claims: usize,
    custom_id: Option<usize>,
    optional: Optional,
}

/// A line of the report.
pub enum AssetLine<'a> {
    /// A row with as many fields as the header.
    Row(AssetRow<'a>),
    /// A row that cannot be used.
    Bad(BadRow<'a>),
}

/// An asset, borrowed until the next row is read.
#[derive(Clone, Copy)]
pub struct AssetRow<'a> {
    cells: Cells<'a>,
    columns: &'a AssetColumns,
    place: Place,
}

impl<R: Read> AssetReport<R> {
    /// Reads the header; refused when a required column is missing or the file is another report. The basic asset
    /// report is easily taken for this one, so it is named when the claims are what is missing.
    pub fn open(file: &str, source: R) -> Result<Self, Refusal> {
        let table = Table::open(file, source)?;
        expect_kind(&table, ReportKind::Asset)?;
        let [asset_id, asset_type, active_claims] = REQUIRED;
        let (asset_id, asset_type) = (table.required(asset_id)?, table.required(asset_type)?);
        if table.optional(active_claims).is_none() {
            return Err(table
                .refusal(
                    RefusalKind::WrongReportType,
                    "the column is missing: this looks like content_owner_asset_basic_a3, which has no claims",
                    "Give the report content_owner_asset_a3.",
                )
                .in_column(active_claims)
                .at_line(1));
        }
        let columns = AssetColumns {
            asset_id,
            asset_type,
            active_claims: table.required(active_claims)?,
            custom_id: table.optional("custom_id"),
            optional: Optional::find::<R, AssetColumn>(&table),
        };
        Ok(Self { table, columns })
    }

    /// Reads the report to its end and counts it.
    pub fn count(mut self) -> Result<AssetCounts, Refusal> {
        let mut counts = AssetCounts::default();
        while let Some(line) = self.next_row()? {
            match line {
                AssetLine::Row(row) => counts.add(&row),
                AssetLine::Bad(_) => counts.bad_rows += 1,
            }
        }
        Ok(counts)
    }
}

impl<'a> AssetRow<'a> {
    /// The row's number, the first after the header being 1.
    pub fn record(&self) -> u64 {
        self.place.record
    }

    /// The physical line on which the row begins.
    pub fn line(&self) -> u64 {
        self.place.line
    }

    /// The asset.
    pub fn asset_id(&self) -> Result<AssetId, IdError> {
        AssetId::parse_bytes(self.cells.trimmed(Some(self.columns.asset_id)))
    }

    /// `SOUND_RECORDING`, `WEB` or what else YouTube writes, as it stands.
    pub fn asset_type(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.cells.trimmed(Some(self.columns.asset_type)))
    }

    /// The same, as bytes.
    pub fn asset_type_bytes(&self) -> &'a [u8] {
        self.cells.trimmed(Some(self.columns.asset_type))
    }

    /// The custom ID's cell as it stands; empty where the report has no such column.
    pub fn custom_id_bytes(&self) -> &'a [u8] {
        self.cells.trimmed(self.columns.custom_id)
    }

    /// How many active claims the asset has; an empty cell is none, never an error.
    pub fn active_claims(&self) -> Result<u64, NumberError> {
        Ok(number::whole(self.cells.trimmed(Some(self.columns.active_claims)))?.unwrap_or(0))
    }

    /// All cells as they came, in the order of the report's columns.
    pub fn fields(&self) -> Cells<'a> {
        self.cells
    }
}

/// Assets by what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetCounts {
    /// Assets counted; the map sums to it.
    pub assets: u64,
    /// Rows with a wrong number of fields, or an unreadable asset ID or number of claims.
    pub bad_rows: u64,
    /// Assets per `asset_type`, folded to capitals.
    pub by_type: BTreeMap<String, u64>,
    /// Active claims of all counted assets.
    pub active_claims: u64,
}

impl AssetCounts {
    /// Counts one row.
    pub fn add(&mut self, row: &AssetRow<'_>) {
        let (Ok(_), Ok(claims)) = (row.asset_id(), row.active_claims()) else {
            self.bad_rows += 1;
            return;
        };
        self.assets += 1;
        self.active_claims = self.active_claims.saturating_add(claims);
        count_under(&mut self.by_type, &row.asset_type());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::fixture;
    use rstest::rstest;

    fn count(name: &str) -> Result<AssetCounts, Refusal> {
        AssetReport::open(name, fixture(name))?.count()
    }

    #[test]
    fn v19_assets_are_counted_and_a_number_with_separators_is_no_number() {
        insta::assert_debug_snapshot!(count("asset_report/small.csv").unwrap(), @r#"
        AssetCounts {
            assets: 3,
            bad_rows: 1,
            by_type: {
                "SOUND_RECORDING": 2,
                "WEB": 1,
            },
            active_claims: 3,
        }
        "#);
    }

    #[test]
    fn the_basic_report_is_named_for_what_it_is() {
        insta::assert_snapshot!(count("asset_report/basic_without_claims.csv").unwrap_err(), @r#"asset_report/basic_without_claims.csv:1: column "active_claims": the column is missing: this looks like content_owner_asset_basic_a3, which has no claims. Give the report content_owner_asset_a3."#);
    }

    #[test]
    fn another_report_is_named_for_what_it_is() {
        insta::assert_snapshot!(count("claim_report/small.csv").unwrap_err(), @"claim_report/small.csv:1: this looks like a claim report (content_owner_active_claims), not like an asset report (content_owner_asset). Give each report under its own setting.");
    }

    #[rstest]
    #[case("7", Ok(7))]
    #[case("", Ok(0))]
    #[case("18446744073709551615", Ok(u64::MAX))]
    #[case("18446744073709551616", Err(()))]
    #[case("-1", Err(()))]
    #[case("+1", Err(()))]
    #[case("1.0", Err(()))]
    #[case("NaN", Err(()))]
    fn v19_a_number_of_claims_is_whole_or_an_error(#[case] cell: &str, #[case] claims: Result<u64, ()>) {
        let text = format!("asset_id,asset_type,active_claims,custom_id\nA000000000000001,WEB,{cell},x\n");
        let mut report = AssetReport::open("x.csv", text.as_bytes()).unwrap();
        let Some(AssetLine::Row(row)) = report.next_row().unwrap() else { panic!("no row") };
        assert_eq!(row.active_claims().map_err(|_| ()), claims);
        assert_eq!(row.custom_id_bytes(), b"x");
    }

    #[test]
    fn what_the_weekly_report_needs_is_read_where_it_is_there_and_named_where_it_is_not() {
        let text = "asset_id,asset_type,active_claims,approx_daily_views,asset_title,active_reference_id\n\
                    A000000000000001,WEB,1,\"1,2\",=x,a|b\n";
        let mut report = AssetReport::open("x.csv", text.as_bytes()).unwrap();
        assert!(report.missing_columns().contains(&"approx_daily_engaged_views"));
        assert!(!report.missing_columns().contains(&"approx_daily_views"));
        let Some(AssetLine::Row(row)) = report.next_row().unwrap() else { panic!("no row") };
        assert_eq!(row.text(AssetColumn::Title), "=x");
        assert_eq!(row.cell(AssetColumn::ActiveReferenceId), b"a|b");
        assert!(row.number(AssetColumn::DailyViews).is_err());
        assert_eq!(row.number(AssetColumn::DailyEngagedViews), Ok(None));
    }
}
