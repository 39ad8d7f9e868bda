//! What other platforms report (Spotify, `TikTok` and so on), in the suite's one normal form.
//!
//! Platforms and metrics are open sets: an unknown one is carried as it stands, in small letters. A value is an exact
//! decimal, since some metrics are money.

use std::borrow::Cow;
use std::io::Read;

use jiff::civil::Date;

use crate::calendar;
use crate::id::AssetId;
use crate::isrc::Isrc;
use crate::number::Decimal;
use crate::refusal::Refusal;
use crate::row_fault::RowFault;
use crate::table::{BadRow, Cells, Next, Optional, Place, Table, optional_cells, optional_columns};

/// The columns that must be there.
pub const REQUIRED: [&str; 5] = ["date", "platform", "isrc", "metric", "value"];

optional_columns! {
    /// What a row may say besides.
    PlatformColumn {
        /// The release's UPC, by which a row without an ISRC is joined.
        Upc = "upc",
        /// The custom ID, by which a row without both is joined.
        CustomId = "custom_id",
        /// The asset at YouTube, by which a row without all three is joined.
        AssetId = "asset_id",
        /// Where.
        Country = "country",
    }
}

optional_cells!(PlatformRow, PlatformColumn);

/// A platform file being read.
pub struct PlatformFile<R: Read> {
    table: Table<R>,
    columns: Columns,
}

#[derive(Debug, Clone)]
struct Columns {
    date: usize,
    platform: usize,
    isrc: usize,
    metric: usize,
    value: usize,
    optional: Optional,
}

/// A line of the file.
pub enum PlatformLine<'a> {
    /// A row with as many fields as the header.
    Row(PlatformRow<'a>),
    /// A row that cannot be used.
    Bad(BadRow<'a>),
}

/// A row, borrowed until the next is read.
#[derive(Clone, Copy)]
pub struct PlatformRow<'a> {
    cells: Cells<'a>,
    columns: &'a Columns,
    place: Place,
}

/// A row with all its values checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformValue<'a> {
    /// The day; of a whole week its Sunday.
    pub date: Date,
    /// How much time the value is of.
    pub span: Span,
    /// The platform in small letters. Hostile text.
    pub platform: Cow<'a, str>,
    /// What is counted, in small letters. Hostile text.
    pub metric: Cow<'a, str>,
    /// How much of it.
    pub value: Decimal,
    /// Where; empty for everywhere, or where nothing is said. Hostile text.
    pub country: Cow<'a, str>,
    /// What the row is about; at least one of the four keys is there.
    pub key: TrackKey<'a>,
}

/// How much time a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// One day.
    Day,
    /// The whole week that ends with the day.
    Week,
}

/// How a track is found across platforms: by ISRC, else by UPC, else by custom ID, else by its asset at YouTube, never by
/// its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackKey<'a> {
    /// The recording's own number.
    Isrc(Isrc),
    /// The release's number.
    Upc(&'a str),
    /// The label's own mark.
    CustomId(&'a str),
    /// The asset at YouTube.
    AssetId(AssetId),
}

impl<R: Read> PlatformFile<R> {
    /// Reads the header; refused when a required column is missing.
    pub fn open(file: &str, source: R) -> Result<Self, Refusal> {
        let table = Table::open(file, source)?;
        let [date, platform, isrc, metric, value] = REQUIRED;
        let columns = Columns {
            date: table.required(date)?,
            platform: table.required(platform)?,
            isrc: table.required(isrc)?,
            metric: table.required(metric)?,
            value: table.required(value)?,
            optional: Optional::find::<R, PlatformColumn>(&table),
        };
        Ok(Self { table, columns })
    }

    /// The next line, none at the end, which may refuse the file as a whole.
    pub fn next_row(&mut self) -> Result<Option<PlatformLine<'_>>, Refusal> {
        match self.table.next()? {
            Next::End => {
                self.table.check_end()?;
                Ok(None)
            }
            Next::Misfit => Ok(Some(PlatformLine::Bad(self.table.misfit()))),
            Next::Row => Ok(Some(PlatformLine::Row(PlatformRow {
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

impl<'a> PlatformRow<'a> {
    /// The row's number, the first after the header being 1.
    pub fn record(&self) -> u64 {
        self.place.record
    }

    /// The physical line on which the row begins.
    pub fn line(&self) -> u64 {
        self.place.line
    }

    /// The row's values, or what is wrong with the first that cannot be read.
    pub fn value(&self) -> Result<PlatformValue<'a>, RowFault> {
        let cell = |column: usize| self.cells.trimmed(Some(column));
        let date = match calendar::date(cell(self.columns.date)) {
            Ok(Some(date)) => date,
            Ok(None) => return Err(self.fault("date", "date_missing", "the cell is empty", "Give the day.")),
            Err(error) => {
                return Err(self.fault("date", "date_invalid", error, "Write the day as YYYY-MM-DD."));
            }
        };
        let platform = small(cell(self.columns.platform));
        if platform.is_empty() {
            return Err(self.fault(
                "platform",
                "platform_missing",
                "the cell is empty",
                "Name the platform.",
            ));
        }
        let metric = small(cell(self.columns.metric));
        if metric.is_empty() {
            return Err(self.fault("metric", "metric_missing", "the cell is empty", "Name what is counted."));
        }
        let value = Decimal::parse_bytes(cell(self.columns.value)).map_err(|error| {
            self.fault("value", "value_invalid", error, "Write the number without separators and units.")
        })?;
        let key = track_key(
            cell(self.columns.isrc),
            self.cell(PlatformColumn::Upc),
            self.cell(PlatformColumn::CustomId),
            Some(self.cell(PlatformColumn::AssetId)),
        )
        .map_err(|fault| self.fault(fault.column, fault.code, fault.reason, fault.remedy))?;
        let country = self.text(PlatformColumn::Country);
        Ok(PlatformValue { date, span: Span::Day, platform, metric, value, country, key })
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

/// The text of a name in small letters, bad bytes replaced.
pub(crate) fn small(cell: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(cell);
    if text.chars().any(char::is_uppercase) { Cow::Owned(text.to_lowercase()) } else { text }
}

/// What is wrong with the keys of a row, wherever it stands.
pub(crate) struct KeyFault {
    pub column: &'static str,
    pub code: &'static str,
    pub reason: String,
    pub remedy: &'static str,
}

/// The first key that is there; `asset_id` is none where no row can have one. An ISRC that cannot be read is a fault also where another key could stand in for it:
/// passing it over would join the row to another recording.
pub(crate) fn track_key<'a>(
    isrc: &'a [u8],
    upc: &'a [u8],
    custom_id: &'a [u8],
    asset_id: Option<&'a [u8]>,
) -> Result<TrackKey<'a>, KeyFault> {
    if !isrc.is_empty() {
        return Isrc::parse_bytes(isrc).map(TrackKey::Isrc).map_err(|error| KeyFault {
            column: "isrc",
            code: "isrc_invalid",
            reason: error.to_string(),
            remedy: "Mend the ISRC, or leave it empty and give a UPC or custom ID.",
        });
    }
    let text = |cell: &'a [u8], column| {
        std::str::from_utf8(cell).map_err(|_| KeyFault {
            column,
            code: "bad_utf8",
            reason: "the cell is not UTF-8".to_owned(),
            remedy: "Save the file as UTF-8 CSV.",
        })
    };
    if !upc.is_empty() {
        return text(upc, "upc").map(TrackKey::Upc);
    }
    if !custom_id.is_empty() {
        return text(custom_id, "custom_id").map(TrackKey::CustomId);
    }
    if let Some(asset_id) = asset_id.filter(|asset_id| !asset_id.is_empty()) {
        return AssetId::parse_bytes(asset_id).map(TrackKey::AssetId).map_err(|error| KeyFault {
            column: "asset_id",
            code: "asset_id_invalid",
            reason: error.to_string(),
            remedy: "Mend the asset ID, or give an ISRC, UPC or custom ID.",
        });
    }
    Err(KeyFault {
        column: "isrc",
        code: "key_missing",
        reason: match asset_id {
            Some(_) => "the row has neither ISRC nor UPC nor custom ID nor asset ID".to_owned(),
            None => "the row has neither ISRC nor UPC nor custom ID".to_owned(),
        },
        remedy: "Give one of them: titles are never used to join.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::fixture;
    use proptest::prelude::*;

    fn shown(bytes: &[u8]) -> String {
        let mut file = PlatformFile::open("x.csv", bytes).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = file.next_row().unwrap() {
            lines.push(match line {
                PlatformLine::Row(row) => match row.value() {
                    Ok(value) => format!(
                        "{}: {} {} {} {} {:?} {}",
                        row.line(),
                        value.date,
                        value.platform,
                        value.metric,
                        value.value,
                        value.key,
                        row.text(PlatformColumn::Country)
                    ),
                    Err(fault) => format!("{fault} [{}]", fault.code),
                },
                PlatformLine::Bad(bad) => format!("{}: {}", bad.line(), bad.code),
            });
        }
        lines.join("\n")
    }

    #[test]
    fn v19_values_are_exact_and_what_cannot_be_read_is_named_with_its_remedy() {
        insta::assert_snapshot!(shown(fixture("platform_file/small.csv")), @r#"
        2: 2026-11-16 spotify streams 1200 Isrc(Isrc(USABC2600001)) US
        3: 2026-11-16 tiktok creations 12.5 Isrc(Isrc(USABC2600002)) 
        4: 2026-11-16 newcomer revenue 0.0000123 Isrc(Isrc(USABC2600003)) DE
        line 5: column "value": "1,200" is not a decimal number (digits, a point, at most 18 digits before and 9 after it). Write the number without separators and units. [value_invalid]
        line 6: column "date": "16.11.2026" is not a date (YYYY-MM-DD). Write the day as YYYY-MM-DD. [date_invalid]
        line 7: column "platform": the cell is empty. Name the platform. [platform_missing]
        line 8: column "isrc": "nonsense" is not an ISRC (two letters, three letters or digits, seven digits). Mend the ISRC, or leave it empty and give a UPC or custom ID. [isrc_invalid]
        line 9: column "isrc": the row has neither ISRC nor UPC nor custom ID nor asset ID. Give one of them: titles are never used to join. [key_missing]
        10: wrong_field_count
        "#);
    }

    #[test]
    fn a_row_without_an_isrc_is_joined_by_upc_then_by_custom_id_then_by_asset() {
        let text = "date,platform,isrc,metric,value,upc,custom_id,asset_id\n\
                    2026-11-16,shazam,,tags,1,00602445790920,alpha,A000000000000001\n\
                    2026-11-16,shazam,,tags,1,,alpha,A000000000000001\n\
                    2026-11-16,youtube,,views,1,,,A000000000000001\n\
                    2026-11-16,youtube,,views,1,,,dQw4w9WgXcQQ\n";
        insta::assert_snapshot!(shown(text.as_bytes()), @r#"
        2: 2026-11-16 shazam tags 1 Upc("00602445790920") 
        3: 2026-11-16 shazam tags 1 CustomId("alpha") 
        4: 2026-11-16 youtube views 1 AssetId(AssetId(A000000000000001)) 
        line 5: column "asset_id": "dQw4w9WgXcQQ" is not an asset ID (A and 15 or 16 digits, or 11 characters of A-Z a-z 0-9 _ -). Mend the asset ID, or give an ISRC, UPC or custom ID. [asset_id_invalid]
        "#);
    }

    #[test]
    fn v06_a_file_without_values_is_refused() {
        let refusal =
            PlatformFile::open("x.csv", &b"date,platform,isrc,metric\na,b,c,d\n"[..]).err().unwrap();
        assert_eq!(refusal.column.as_deref(), Some("value"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let mut text = b"date,platform,isrc,metric,value\n".to_vec();
            text.extend(bytes);
            if let Ok(mut file) = PlatformFile::open("x.csv", text.as_slice()) {
                while let Ok(Some(line)) = file.next_row() {
                    if let PlatformLine::Row(row) = line {
                        let _ = row.value();
                    }
                }
            }
        }
    }
}
