//! The asset conflict report (`content_owner_asset_conflict_a3`): one row per asset and owner that contests it.

use std::borrow::Cow;
use std::io::Read;

use crate::id::{AssetId, IdError};
use crate::refusal::Refusal;
use crate::report_kind::{ReportKind, expect_kind};
use crate::table::{BadRow, Cells, Optional, Place, Table, optional_cells, optional_columns, report};

/// The columns that must be there.
pub const REQUIRED: [&str; 2] = ["asset_id", "conflicting_owner"];

optional_columns! {
    /// What the weekly report reads of a conflict where the report has it.
    ConflictColumn {
        /// The asset's custom ID.
        CustomId = "custom_id",
        /// A daily mean of views.
        DailyViews = "approx_daily_views",
        /// A daily mean of engaged views, another measure: the two are never mixed.
        DailyEngagedViews = "approx_daily_engaged_views",
        /// `SOUND_RECORDING` and so on.
        AssetType = "asset_type",
        /// How many active claims the asset has.
        ActiveClaims = "active_claims",
        /// The other owner's ISRC.
        OwnerIsrc = "conflicting_owner_isrc",
        /// The other owner's title.
        OwnerTitle = "conflicting_owner_asset_title",
        /// The other owner's artist.
        OwnerArtist = "conflicting_owner_artist",
        /// Engaged views a day where both claim to own it.
        EngagedViewsInConflict = "engaged_views_in_conflict",
        /// Lifetime views where both claim to own it.
        LifetimeViewsInConflict = "lifetime_views_in_conflict",
        /// Lifetime engaged views where both claim to own it.
        LifetimeEngagedViewsInConflict = "lifetime_engaged_views_in_conflict",
        /// Where both claim to own it.
        CountryCode = "conflicting_country_code",
        /// When the content owner's ownership was last changed.
        OwnershipUpdated = "ownership_last_updated",
        /// When the other's was.
        OtherOwnershipUpdated = "other_ownership_last_updated",
        /// Where the content owner's ownership comes from.
        OwnershipOrigination = "ownership_origination",
        /// Where the other's comes from.
        OtherOwnershipOrigination = "other_ownership_origination",
        /// What happens to a video that matches.
        MatchPolicy = "match_policy",
        /// The asset's labels.
        Labels = "asset_labels",
    }
}

optional_cells!(ConflictRow, ConflictColumn);
report!(ConflictReport, ConflictLine, ConflictRow, ConflictColumns, ConflictColumn);

/// A conflict report being read.
pub struct ConflictReport<R: Read> {
    table: Table<R>,
    columns: ConflictColumns,
}

/// Where the report has its columns.
#[derive(Debug, Clone)]
pub struct ConflictColumns {
    asset_id: usize,
    conflicting_owner: usize,
    optional: Optional,
}

/// A line of the report.
pub enum ConflictLine<'a> {
    /// A row with as many fields as the header.
    Row(ConflictRow<'a>),
    /// A row that cannot be used.
    Bad(BadRow<'a>),
}

/// A conflict, borrowed until the next row is read.
#[derive(Clone, Copy)]
pub struct ConflictRow<'a> {
    cells: Cells<'a>,
    columns: &'a ConflictColumns,
    place: Place,
}

impl<R: Read> ConflictReport<R> {
    /// Reads the header; refused when a required column is missing or the file is another report.
    ///
    /// A content owner without a conflict has a report of a header alone; it is refused like every report without a
    /// row ([`Refusal`] of the kind `HeaderOnly`), and the caller who knows better may take that for none.
    pub fn open(file: &str, source: R) -> Result<Self, Refusal> {
        let table = Table::open(file, source)?;
        expect_kind(&table, ReportKind::AssetConflict)?;
        let [asset_id, conflicting_owner] = REQUIRED;
        let columns = ConflictColumns {
            asset_id: table.required(asset_id)?,
            conflicting_owner: table.required(conflicting_owner)?,
            optional: Optional::find::<R, ConflictColumn>(&table),
        };
        Ok(Self { table, columns })
    }
}

impl<'a> ConflictRow<'a> {
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

    /// Who else claims to own the asset, as it stands: one owner or several separated by `|`. Hostile text.
    pub fn conflicting_owner(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.cells.trimmed(Some(self.columns.conflicting_owner)))
    }

    /// The countries in conflict, as they stand between bars and blanks.
    pub fn countries(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.cell(ConflictColumn::CountryCode)
            .split(|byte| matches!(byte, b'|' | b',' | b' '))
            .filter(|country| !country.is_empty())
    }

    /// All cells as they came, in the order of the report's columns.
    pub fn fields(&self) -> Cells<'a> {
        self.cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::fixture;
    use crate::refusal::RefusalKind;
    use proptest::prelude::*;

    #[test]
    fn conflicts_are_read_with_owner_countries_and_views() {
        let mut report = ConflictReport::open("x.csv", fixture("conflict_report/small.csv")).unwrap();
        let mut shown = Vec::new();
        while let Some(line) = report.next_row().unwrap() {
            shown.push(match line {
                ConflictLine::Row(row) => format!(
                    "{}:{} {} {} {:?} {:?}",
                    row.record(),
                    row.line(),
                    row.asset_id().map_or_else(|error| error.to_string(), |id| id.to_string()),
                    row.conflicting_owner(),
                    row.countries().map(String::from_utf8_lossy).collect::<Vec<_>>(),
                    row.number(ConflictColumn::LifetimeViewsInConflict),
                ),
                ConflictLine::Bad(bad) => format!("{}:{} {}", bad.record(), bad.line(), bad.code),
            });
        }
        insta::assert_snapshot!(shown.join("\n"), @r#"
        1:2 A000000000000001 Other Music Ltd ["US", "CA"] Ok(Some(500000))
        2:3 A000000000000002 Räuber, Söhne & Co ["WW"] Ok(None)
        3:4 "bad" is not an asset ID (A and 15 or 16 digits, or 11 characters of A-Z a-z 0-9 _ -) Other ["US"] Ok(Some(1))
        4:5 wrong_field_count
        5:6 A000000000000004 A|B ["US", "DE"] Err(NumberError { value: "1,000" })
        "#);
    }

    #[test]
    fn another_report_is_named_for_what_it_is() {
        let refusal = ConflictReport::open("a.csv", fixture("asset_report/small.csv")).err().unwrap();
        assert!(matches!(refusal.kind, RefusalKind::WrongReportType));
        insta::assert_snapshot!(refusal, @"a.csv:1: this looks like an asset report (content_owner_asset), not like an asset conflict report (content_owner_asset_conflict). Give each report under its own setting.");
    }

    #[test]
    fn v06_a_report_without_the_other_owner_is_refused() {
        let text = "asset_id,lifetime_views_in_conflict\nA000000000000001,5\n";
        let refusal = ConflictReport::open("x.csv", text.as_bytes()).err().unwrap();
        assert_eq!(refusal.column.as_deref(), Some("conflicting_owner"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let mut text = b"asset_id,conflicting_owner,conflicting_country_code\n".to_vec();
            text.extend(bytes);
            if let Ok(mut report) = ConflictReport::open("x.csv", text.as_slice()) {
                while let Ok(Some(line)) = report.next_row() {
                    if let ConflictLine::Row(row) = line {
                        let _ = (row.asset_id(), row.conflicting_owner(), row.countries().count());
                    }
                }
            }
        }
    }
}
