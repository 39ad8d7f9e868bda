//! The channel sheet: which custom ID belongs to which partner channel, typed by people.
//!
//! The sheet is small (hundreds of rows) and is kept whole, since rows contradict each other and that is only known
//! at the end. A row that cannot be trusted becomes a [`Reject`] with the row's exact bytes, so that the rejects can
//! be mended and fed back; a sheet that cannot be trusted is refused as a whole.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;

use crate::custom_id::{CustomId, CustomIdError};
use crate::id::ChannelId;
use crate::printable::{printable, trim_blanks};
use crate::refusal::Refusal;
use crate::table::{Cells, Next, Place, Table};

/// The columns of the sheet; all must be there, in any order.
pub const COLUMNS: [&str; 3] = ["channelID", "customID", "displayName"];

/// The sheet, every row of it in exactly one of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSheet {
    /// The input's own column names, in its order.
    pub headers: Vec<String>,
    /// The usable rows, in the sheet's order, one for each channel.
    pub rows: Vec<ChannelRow>,
    /// The rows that must be mended, in the sheet's order.
    pub rejects: Vec<Reject>,
    /// Rows that say again what an earlier row said.
    pub duplicate_count: u64,
    /// Rows without anything in them (`,,`); lines without even a comma are no rows.
    pub blank_count: u64,
    /// All rows: `rows + rejects + duplicates + blank`.
    pub total_count: u64,
    /// What was accepted but should be looked at.
    pub warnings: Vec<String>,
}

/// One channel and the custom ID its assets should carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// The row's number, the first after the header being 1.
    pub record: u64,
    /// The physical line on which it begins.
    pub line: u64,
    /// The channel.
    pub channel_id: ChannelId,
    /// The custom ID of its assets.
    pub custom_id: CustomId,
    /// The channel's name for people; none says nothing about the stored one.
    pub display_name: Option<String>,
    /// The row's exact bytes in the input's columns, for the rejects file should the row fail later.
    pub fields: Vec<Vec<u8>>,
}

/// A row that must be mended by its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The row's number, the first after the header being 1.
    pub record: u64,
    /// The physical line on which it begins.
    pub line: u64,
    /// The column at fault, where one is.
    pub column: Option<String>,
    /// Why, as a stable word for machines.
    pub code: &'static str,
    /// Why, as a sentence for people.
    pub reason: String,
    /// The row's exact bytes in the input's columns.
    pub fields: Vec<Vec<u8>>,
}

struct Fault {
    column: &'static str,
    code: &'static str,
    reason: String,
}

/// Reads the whole sheet. An error means that the sheet as such cannot be trusted; a sheet whose every row is
/// rejected is not an error here, since the task decides how many rejects it bears.
pub fn read(file: &str, source: impl Read) -> Result<ChannelSheet, Refusal> {
    let mut table = Table::open(file, source)?;
    let [channel, custom, name] = COLUMNS;
    let columns = Columns {
        channel_id: table.required(channel)?,
        custom_id: table.required(custom)?,
        display_name: table.required(name)?,
    };
    let mut sheet = ChannelSheet {
        headers: table.headers().to_vec(),
        rows: Vec::new(),
        rejects: Vec::new(),
        duplicate_count: 0,
        blank_count: 0,
        total_count: 0,
        warnings: Vec::new(),
    };
    loop {
        match table.next()? {
            Next::End => break,
            Next::Row => sheet.take(columns, table.cells(), table.place()),
            Next::Misfit => {
                let bad = table.misfit();
                sheet.rejects.push(Reject {
                    record: bad.record(),
                    line: bad.line(),
                    column: None,
                    code: bad.code,
                    reason: bad.reason.clone(),
                    fields: bad.cells().to_fields(),
                });
            }
        }
    }
    table.check_end()?;
    sheet.total_count = table.record_count();
    sheet.blank_count = table.blank_count();
    sheet.settle_repeated_channels();
    sheet.warn_of_shared_custom_ids();
    Ok(sheet)
}

#[derive(Clone, Copy)]
struct Columns {
    channel_id: usize,
    custom_id: usize,
    display_name: usize,
}

impl ChannelSheet {
    fn take(&mut self, columns: Columns, cells: Cells<'_>, place: Place) {
        match parse_ids(columns, cells) {
            Ok((channel_id, custom_id)) => {
                let name = String::from_utf8_lossy(cells.get(columns.display_name).unwrap_or_default());
                if let Cow::Owned(_) = name {
                    self.warnings.push(format!(
                        "line {}: the displayName of {channel_id} is not UTF-8; bad bytes were replaced",
                        place.line
                    ));
                }
                let name = trim_blanks(&name);
                self.rows.push(ChannelRow {
                    record: place.record,
                    line: place.line,
                    channel_id,
                    custom_id,
                    display_name: (!name.is_empty()).then(|| name.to_owned()),
                    fields: cells.to_fields(),
                });
            }
            Err(fault) => self.rejects.push(Reject {
                record: place.record,
                line: place.line,
                column: Some(fault.column.to_owned()),
                code: fault.code,
                reason: fault.reason,
                fields: cells.to_fields(),
            }),
        }
    }

    /// Rows that repeat a channel: the same again is counted and dropped, and where any two disagree all of them are
    /// rejected, since "the last wins" would pay by the order of rows.
    fn settle_repeated_channels(&mut self) {
        let mut by_channel: HashMap<ChannelId, Vec<usize>> = HashMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            by_channel.entry(row.channel_id).or_default().push(index);
        }
        let mut fate: Vec<Option<String>> = vec![None; self.rows.len()];
        let mut dropped = vec![false; self.rows.len()];
        for indices in by_channel.values().filter(|indices| indices.len() > 1) {
            let first = &self.rows[indices[0]];
            let agree = indices.iter().all(|index| {
                let row = &self.rows[*index];
                row.custom_id == first.custom_id && row.display_name == first.display_name
            });
            if agree {
                for index in &indices[1..] {
                    dropped[*index] = true;
                    self.duplicate_count += 1;
                }
                continue;
            }
            for index in indices {
                fate[*index] = Some(disagreement(&self.rows, *index, indices));
            }
        }
        for (index, row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            if let Some(reason) = fate[index].take() {
                self.rejects.push(Reject {
                    record: row.record,
                    line: row.line,
                    column: None,
                    code: "conflicting_rows",
                    reason,
                    fields: row.fields,
                });
            } else if !dropped[index] {
                self.rows.push(row);
            }
        }
        self.rejects.sort_by_key(|reject| reject.record);
    }

    fn warn_of_shared_custom_ids(&mut self) {
        let mut by_custom_id: HashMap<&CustomId, Vec<&ChannelRow>> = HashMap::new();
        for row in &self.rows {
            by_custom_id.entry(&row.custom_id).or_default().push(row);
        }
        let mut shared: Vec<_> = by_custom_id.into_iter().filter(|(_, rows)| rows.len() > 1).collect();
        shared.sort_by_key(|(_, rows)| rows[0].record);
        for (custom_id, rows) in shared {
            let channels: Vec<String> =
                rows.iter().take(5).map(|row| format!("{} (line {})", row.channel_id, row.line)).collect();
            let more = match rows.len().saturating_sub(5) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.warnings.push(format!(
                "the custom ID {custom_id} is given to {} channels: {}{more}",
                rows.len(),
                channels.join(", ")
            ));
        }
    }
}

/// Why one of several rows of a channel cannot stand, naming the lines of the others.
fn disagreement(rows: &[ChannelRow], index: usize, group: &[usize]) -> String {
    let row = &rows[index];
    let others: Vec<&ChannelRow> =
        group.iter().filter(|other| **other != index).map(|other| &rows[*other]).collect();
    let said: Vec<String> = others
        .iter()
        .filter(|other| other.custom_id != row.custom_id || other.display_name != row.display_name)
        .take(5)
        .map(|other| {
            if other.custom_id == row.custom_id {
                let name = other.display_name.as_deref().unwrap_or_default();
                format!("line {} names it \"{}\"", other.line, printable(name))
            } else {
                format!("line {} says {}", other.line, other.custom_id)
            }
        })
        .collect();
    let same: Vec<String> = others
        .iter()
        .filter(|other| other.custom_id == row.custom_id && other.display_name == row.display_name)
        .take(5)
        .map(|other| format!("line {} says the same", other.line))
        .collect();
    format!("other rows disagree about channel {}: {}", row.channel_id, [said, same].concat().join(", "))
}

fn parse_ids(columns: Columns, cells: Cells<'_>) -> Result<(ChannelId, CustomId), Fault> {
    let [channel_column, custom_column, _] = COLUMNS;
    let channel = id_text(channel_column, cells.get(columns.channel_id).unwrap_or_default())?;
    let channel_id = ChannelId::parse(channel).map_err(|error| Fault {
        column: channel_column,
        code: "channel_id_invalid",
        reason: error.to_string(),
    })?;
    let custom = id_text(custom_column, cells.get(columns.custom_id).unwrap_or_default())?;
    let custom_id = CustomId::parse(custom).map_err(|error| Fault {
        column: custom_column,
        code: match error {
            CustomIdError::Empty => "custom_id_empty",
            _ => "custom_id_invalid",
        },
        reason: error.to_string(),
    })?;
    Ok((channel_id, custom_id))
}

/// The text of an id's cell without the blanks around it, refused where a spreadsheet has changed it.
fn id_text<'a>(column: &'static str, cell: &'a [u8]) -> Result<&'a str, Fault> {
    let text = std::str::from_utf8(cell).map_err(|_| Fault {
        column,
        code: "bad_utf8",
        reason: format!("\"{}\" is not UTF-8", printable(cell)),
    })?;
    let text = trim_blanks(text);
    match spreadsheet_artefact(text) {
        None => Ok(text),
        Some(hint) => Err(Fault {
            column,
            code: "spreadsheet_artefact",
            reason: format!("\"{}\" is {hint}", printable(text)),
        }),
    }
}

/// What a spreadsheet has made of an id, with the way back.
fn spreadsheet_artefact(text: &str) -> Option<&'static str> {
    const ERRORS: [&str; 9] =
        ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"];
    if text.starts_with('=') || text.starts_with("\"=") {
        return Some("a spreadsheet formula: give the bare value, without the = and the quotes");
    }
    if ERRORS.iter().any(|error| text.eq_ignore_ascii_case(error)) {
        return Some("a spreadsheet's error value: the formula behind it found nothing");
    }
    if text.len() >= 3 && text.bytes().all(|byte| byte == b'#') {
        return Some("what a spreadsheet shows when a column is too narrow: widen it and export again");
    }
    if text.starts_with('\'') {
        return Some("marked as text by a spreadsheet's apostrophe: remove it");
    }
    if is_scientific(text) {
        return Some(
            "a number in a spreadsheet's scientific notation: format the column as text and enter the id again",
        );
    }
    None
}

/// `1.23E+11`, `1,23E+11`, `1.23E11`, but not `12E5`, which may well be a custom ID.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = mantissa.trim_start_matches(['+', '-']);
    let fraction = mantissa.split_once(['.', ',']);
    let whole = fraction.map_or(mantissa, |(whole, _)| whole);
    let signed = exponent.starts_with(['+', '-']);
    digits(whole)
        && fraction.is_none_or(|(_, rest)| digits(rest))
        && digits(exponent.trim_start_matches(['+', '-']))
        && (signed || fraction.is_some())
}

#[cfg(test)]
mod tests;
