//! Who owns what where, out of the rights management system, in the suite's one normal form.
//!
//! Shares are percent as exact decimals: three owners of a third each are 33.333333333 and must not come to more than
//! a hundred by a float's rounding.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use jiff::civil::Date;

use crate::calendar;
use crate::number::Decimal;
use crate::platform_file::{TrackKey, track_key};
use crate::printable::printable;
use crate::refusal::Refusal;
use crate::row_fault::RowFault;
use crate::table::{BadRow, Cells, Next, Optional, Place, Table, optional_cells, optional_columns};

/// The columns that must be there; besides, one of `isrc`, `upc` and `custom_id`.
pub const REQUIRED: [&str; 4] = ["platform", "territory", "owner", "share"];

optional_columns! {
    /// What a row may say besides.
    RightsColumn {
        /// The recording's ISRC.
        Isrc = "isrc",
        /// The release's UPC.
        Upc = "upc",
        /// The custom ID.
        CustomId = "custom_id",
        /// What is to happen to a match.
        Policy = "policy",
        /// The first day.
        ValidFrom = "valid_from",
        /// The last day.
        ValidTo = "valid_to",
    }
}

optional_cells!(RightsRow, RightsColumn);

/// A file of rights records being read.
pub struct RightsFile<R: Read> {
    table: Table<R>,
    columns: Columns,
}

#[derive(Debug, Clone)]
struct Columns {
    platform: usize,
    territory: usize,
    owner: usize,
    share: usize,
    optional: Optional,
}

/// A line of the file.
pub enum RightsLine<'a> {
    /// A row with as many fields as the header.
    Row(RightsRow<'a>),
    /// A row that cannot be used.
    Bad(BadRow<'a>),
}

/// A row, borrowed until the next is read.
#[derive(Clone, Copy)]
pub struct RightsRow<'a> {
    cells: Cells<'a>,
    columns: &'a Columns,
    place: Place,
}

/// Where a right holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Territory {
    /// `WW`: everywhere.
    World,
    /// One country, its two letters in capitals.
    Country([u8; 2]),
}

/// A row with all its values checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsRecord<'a> {
    /// Where the right is exercised, in small letters. Hostile text.
    pub platform: Cow<'a, str>,
    /// What is owned.
    pub key: TrackKey<'a>,
    /// Where.
    pub territory: Territory,
    /// By whom. Hostile text.
    pub owner: Cow<'a, str>,
    /// Percent, 0 to 100.
    pub share: Decimal,
    /// What is to happen to a match; empty where nothing is said. Hostile text.
    pub policy: Cow<'a, str>,
    /// The first day; none where it has always been so.
    pub valid_from: Option<Date>,
    /// The last day; none where no end is known.
    pub valid_to: Option<Date>,
}

impl RightsRecord<'_> {
    /// Whether the right holds on a day. Its last day is still one.
    pub fn holds_on(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day <= to)
    }
}

impl Territory {
    /// Reads a territory; nothing is trimmed.
    pub fn parse_bytes(cell: &[u8]) -> Option<Self> {
        let code = <[u8; 2]>::try_from(cell).ok()?.map(|byte| byte.to_ascii_uppercase());
        if !code.iter().all(u8::is_ascii_uppercase) {
            return None;
        }
        Some(if code == *b"WW" { Self::World } else { Self::Country(code) })
    }

    /// Whether two territories have a country in common.
    pub fn meets(self, other: Self) -> bool {
        self == Self::World || other == Self::World || self == other
    }
}

impl fmt::Display for Territory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => f.pad("WW"),
            Self::Country(code) => f.pad(std::str::from_utf8(code).unwrap_or_default()),
        }
    }
}

impl<R: Read> RightsFile<R> {
    /// Reads the header; refused when a required column is missing.
    pub fn open(file: &str, source: R) -> Result<Self, Refusal> {
        let table = Table::open(file, source)?;
        let [platform, territory, owner, share] = REQUIRED;
        let columns = Columns {
            platform: table.required(platform)?,
            territory: table.required(territory)?,
            owner: table.required(owner)?,
            share: table.required(share)?,
            optional: Optional::find::<R, RightsColumn>(&table),
        };
        let keys = [RightsColumn::Isrc, RightsColumn::Upc, RightsColumn::CustomId];
        if keys.iter().all(|key| columns.optional.position(*key).is_none()) {
            return Err(table.missing("isrc"));
        }
        Ok(Self { table, columns })
    }

    /// The next line, none at the end, which may refuse the file as a whole.
    pub fn next_row(&mut self) -> Result<Option<RightsLine<'_>>, Refusal> {
        match self.table.next()? {
            Next::End => {
                self.table.check_end()?;
                Ok(None)
            }
            Next::Misfit => Ok(Some(RightsLine::Bad(self.table.misfit()))),
            Next::Row => Ok(Some(RightsLine::Row(RightsRow {
                cells: self.table.cells(),
                columns: &self.columns,
                place: self.table.place(),
            }))),
        }
    }

    /// The column names as they stand in the file.
    pub fn headers(&self) -> &[String] {
        self.table.headers()
    }
}

impl<'a> RightsRow<'a> {
    /// The row's number, the first after the header being 1.
    pub fn record_number(&self) -> u64 {
        self.place.record
    }

    /// The physical line on which the row begins.
    pub fn line(&self) -> u64 {
        self.place.line
    }

    /// The row's values, or what is wrong with the first that cannot be read.
    pub fn record(&self) -> Result<RightsRecord<'a>, RowFault> {
        let cell = |column: usize| self.cells.trimmed(Some(column));
        let key = track_key(
            self.cell(RightsColumn::Isrc),
            self.cell(RightsColumn::Upc),
            self.cell(RightsColumn::CustomId),
            None,
        )
        .map_err(|fault| self.fault(fault.column, fault.code, fault.reason, fault.remedy))?;
        let territory = cell(self.columns.territory);
        let territory = Territory::parse_bytes(territory).ok_or_else(|| {
            self.fault(
                "territory",
                "territory_invalid",
                format!("\"{}\" is not a territory", printable(territory)),
                "Write the two letters of a country, or WW for everywhere.",
            )
        })?;
        let owner = String::from_utf8_lossy(cell(self.columns.owner));
        if owner.is_empty() {
            return Err(self.fault("owner", "owner_missing", "the cell is empty", "Name the owner."));
        }
        let share = self.share(cell(self.columns.share))?;
        let valid_from = self.day("valid_from", RightsColumn::ValidFrom)?;
        let valid_to = self.day("valid_to", RightsColumn::ValidTo)?;
        if let (Some(from), Some(to)) = (valid_from, valid_to)
            && to < from
        {
            return Err(self.fault(
                "valid_to",
                "period_invalid",
                format!("{to} is before valid_from, {from}"),
                "Mend one of the two days.",
            ));
        }
        let platform = String::from_utf8_lossy(cell(self.columns.platform)).to_lowercase().into();
        let policy = self.text(RightsColumn::Policy);
        Ok(RightsRecord { platform, key, territory, owner, share, policy, valid_from, valid_to })
    }

    fn share(&self, cell: &[u8]) -> Result<Decimal, RowFault> {
        const REMEDY: &str = "Write percent from 0 to 100, with a point and at most 9 places.";
        let number = cell.strip_suffix(b"%").unwrap_or(cell).trim_ascii();
        let share = Decimal::parse_bytes(number)
            .map_err(|error| self.fault("share", "share_invalid", error, REMEDY))?;
        if share < Decimal::ZERO || share > Decimal::whole(100) {
            return Err(self.fault("share", "share_invalid", format!("{share} is no share"), REMEDY));
        }
        Ok(share)
    }

    fn day(&self, name: &'static str, column: RightsColumn) -> Result<Option<Date>, RowFault> {
        calendar::date(self.cell(column))
            .map_err(|error| self.fault(name, "date_invalid", error, "Write the day as YYYY-MM-DD."))
    }

    /// All cells as they came, in the order of the file's columns.
    pub fn fields(&self) -> Cells<'a> {
        self.cells
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "errors and texts come as they are made, at ten places"
    )]
    fn fault(
        &self,
        column: &'static str,
        code: &'static str,
        reason: impl ToString,
        remedy: &'static str,
    ) -> RowFault {
        let Place { record, line } = self.place;
        RowFault { record, line, column, code, reason: reason.to_string(), remedy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::fixture;
    use proptest::prelude::*;
    use rstest::rstest;

    fn shown(bytes: &[u8]) -> String {
        let mut file = RightsFile::open("x.csv", bytes).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = file.next_row().unwrap() {
            lines.push(match line {
                RightsLine::Row(row) => match row.record() {
                    Ok(record) => format!(
                        "{}: {} {:?} {} {} {} {:?} {:?}",
                        row.line(),
                        record.platform,
                        record.key,
                        record.territory,
                        record.owner,
                        record.share,
                        record.valid_from,
                        record.valid_to
                    ),
                    Err(fault) => format!("{fault} [{}]", fault.code),
                },
                RightsLine::Bad(bad) => format!("{}: {}", bad.line(), bad.code),
            });
        }
        lines.join("\n")
    }

    #[test]
    fn v19_shares_are_exact_and_what_cannot_be_read_is_named_with_its_remedy() {
        insta::assert_snapshot!(shown(fixture("rights_record/small.csv")), @r#"
        2: youtube Isrc(Isrc(USABC2600001)) WW Alpha Records 60 Some(2026-01-01) None
        3: youtube Isrc(Isrc(USABC2600001)) US Beta Songs 33.333333333 None Some(2026-12-31)
        4: spotify Upc("00602445790920") DE Gamma 50 None None
        line 5: column "share": 100.5 is no share. Write percent from 0 to 100, with a point and at most 9 places. [share_invalid]
        line 6: column "territory": "Germany" is not a territory. Write the two letters of a country, or WW for everywhere. [territory_invalid]
        line 7: column "valid_to": 2026-05-01 is before valid_from, 2026-06-01. Mend one of the two days. [period_invalid]
        line 8: column "isrc": the row has neither ISRC nor UPC nor custom ID. Give one of them: titles are never used to join. [key_missing]
        line 9: column "owner": the cell is empty. Name the owner. [owner_missing]
        "#);
    }

    #[test]
    fn v06_a_file_without_any_key_is_refused() {
        let refusal =
            RightsFile::open("x.csv", &b"platform,territory,owner,share\na,WW,c,5\n"[..]).err().unwrap();
        assert_eq!(refusal.column.as_deref(), Some("isrc"));
    }

    #[rstest]
    #[case("2025-12-31", false)]
    #[case("2026-01-01", true)]
    #[case("2026-12-31", true)]
    #[case("2027-01-01", false)]
    fn a_right_holds_from_its_first_day_to_its_last(#[case] day: Date, #[case] holds: bool) {
        let text = "platform,isrc,territory,owner,share,valid_from,valid_to\n\
                    youtube,USABC2600001,WW,A,100,2026-01-01,2026-12-31\n";
        let mut file = RightsFile::open("x.csv", text.as_bytes()).unwrap();
        let Some(RightsLine::Row(row)) = file.next_row().unwrap() else { panic!("no row") };
        assert_eq!(row.record().unwrap().holds_on(day), holds);
    }

    #[test]
    fn the_world_meets_every_country() {
        let [us, de] = [b"us", b"DE"].map(|code| Territory::parse_bytes(code).unwrap());
        assert!(Territory::World.meets(us) && us.meets(Territory::World) && us.meets(us) && !us.meets(de));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let mut text = b"platform,isrc,territory,owner,share,valid_from,valid_to\n".to_vec();
            text.extend(bytes);
            if let Ok(mut file) = RightsFile::open("x.csv", text.as_slice()) {
                while let Ok(Some(line)) = file.next_row() {
                    if let RightsLine::Row(row) = line {
                        let _ = row.record();
                    }
                }
            }
        }
    }
}
