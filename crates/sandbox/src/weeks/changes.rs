//! What `changes.csv` must say, from what was written and not from what was read.

use std::cmp::Reverse;
use std::path::Path;

use anyhow::Result;

use crate::weeks::columns::CHANGES;
use crate::weeks::model::Asset;
use crate::weeks::sheet::Sheet;

/// What a week's reports say of an asset, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reported {
    pub active_claims: u64,
    pub daily_views: Option<u64>,
    pub daily_engaged_views: Option<u64>,
    pub custom_id: String,
    /// The channel of its videos in the video report.
    pub channel: Option<String>,
}

/// The rows of one week, in no order yet.
#[derive(Debug, Default)]
pub(super) struct Changes {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    metric: usize,
    size: u64,
    asset: String,
    /// The cells before the metric's and those behind, written one after the other.
    cells: [String; 10],
}

const METRICS: [&str; 3] = ["active_claims", "daily_views", "daily_engaged_views"];

impl Changes {
    /// Compares the week with the one before it that has reports.
    pub(super) fn compare(&mut self, asset: &Asset, before: Option<&Reported>, now: Option<&Reported>) {
        let Some(shown) = now.or(before) else { return };
        let channel = now.and_then(|now| now.channel.as_ref());
        let channel = channel.or_else(|| before.and_then(|before| before.channel.as_ref()));
        let numbers =
            |week: &Reported| [Some(week.active_claims), week.daily_views, week.daily_engaged_views];
        let (was, is) = (before.map(numbers), now.map(numbers));
        for (metric, name) in METRICS.into_iter().enumerate() {
            let number =
                |week: Option<[Option<u64>; 3]>| week.and_then(|week| week.get(metric).copied().flatten());
            let (from, to) = (number(was), number(is));
            let state = match (from, to) {
                (Some(from), Some(to)) if to > from => "up",
                (Some(from), Some(to)) if to < from => "down",
                (Some(_), None) if is.is_none() => "gone",
                (None, Some(_)) if was.is_none() => "new",
                _ => continue,
            };
            let size = match (from, to) {
                (Some(from), Some(to)) => from.abs_diff(to),
                (one, other) => one.or(other).unwrap_or_default(),
            };
            let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
            let sign = if to < from { "-" } else { "" };
            let difference = from.and(to).map(|_| format!("{sign}{size}")).unwrap_or_default();
            self.rows.push(Row {
                metric,
                size,
                asset: asset.id.clone(),
                cells: [
                    disarmed(&shown.custom_id),
                    channel.cloned().unwrap_or_default(),
                    disarmed(&String::from_utf8_lossy(asset.title.trim_ascii())),
                    disarmed(&asset.artist),
                    asset.isrc.clone(),
                    name.to_owned(),
                    text(from),
                    text(to),
                    difference,
                    state.to_owned(),
                ],
            });
        }
    }

    /// Writes the rows: by metric, then the largest difference first, then by the asset's id.
    pub(super) fn write(mut self, path: &Path) -> Result<()> {
        self.rows.sort_by(|a, b| {
            (a.metric, Reverse(a.size), &a.asset).cmp(&(b.metric, Reverse(b.size), &b.asset))
        });
        let mut sheet = Sheet::create(path, &CHANGES)?;
        for row in &self.rows {
            sheet.texts([&disarmed(&row.asset)]);
            for cell in &row.cells {
                sheet.texts([cell]);
            }
            sheet.end(1)?;
        }
        sheet.finish()
    }
}

/// A cell that no spreadsheet takes for a formula, whatever blanks and marks without width stand before it.
fn disarmed(cell: &str) -> String {
    let is_unseen = |letter: char| {
        letter == ' '
            || matches!(u32::from(letter), 0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff)
    };
    let seen = cell.trim_start_matches(is_unseen);
    if seen
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
    {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_formula_is_disarmed_and_nothing_else_is() {
        for armed in ["=1", "+1", "-x", "@x", " \u{200b}=x", "\u{feff}+x", "\u{ff1d}1"] {
            assert_eq!(disarmed(armed), format!("'{armed}"));
        }
        for harmless in ["", "a=b", "\u{202e}gnp", "'=x", "1-1"] {
            assert_eq!(disarmed(harmless), harmless);
        }
    }
}
