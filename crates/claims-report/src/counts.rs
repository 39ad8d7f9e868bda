//! Going through a report row by row. Rows stream; only the counts are kept.

use std::collections::BTreeMap;
use std::io::Read;

use dn_domain::asset_report::{AssetCounts, AssetLine, AssetReport};
use dn_domain::claim_report::{ClaimCounts, ClaimLine, ClaimReport};
use dn_domain::id::ChannelId;
use dn_domain::printable::printable;
use dn_domain::video_report::{ReportLine, VideoReport, VideoRow};

/// How many rows go by between two looks at whether the run is to stop: some milliseconds' worth.
const ROWS_BETWEEN_LOOKS: u64 = 10_000;

/// Counts the rows that go by, shows how far the report has come, and ends the reading when the run winds down.
pub(crate) struct Rows<'a> {
    advance: &'a dyn Fn(u64),
    is_stopped: &'a dyn Fn() -> bool,
    count: u64,
    shown: u64,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(advance: &'a dyn Fn(u64), is_stopped: &'a dyn Fn() -> bool) -> Self {
        Self { advance, is_stopped, count: 0, shown: 0 }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    fn pass(&mut self) -> anyhow::Result<()> {
        self.count += 1;
        if self.count - self.shown == ROWS_BETWEEN_LOOKS {
            (self.advance)(ROWS_BETWEEN_LOOKS);
            self.shown = self.count;
            anyhow::ensure!(!(self.is_stopped)(), "stopped while the report was read");
        }
        Ok(())
    }

    fn end(&self) {
        (self.advance)(self.count - self.shown);
    }
}

/// Counts a claim report.
pub(crate) fn count_claims(
    name: &str,
    text: Box<dyn Read + Send>,
    rows: &mut Rows<'_>,
) -> anyhow::Result<ClaimCounts> {
    let mut report = ClaimReport::open(name, text)?;
    let mut counts = ClaimCounts::default();
    while let Some(line) = report.next_row()? {
        match line {
            ClaimLine::Row(row) => counts.add(&row),
            ClaimLine::Bad(_) => counts.bad_rows += 1,
        }
        rows.pass()?;
    }
    rows.end();
    Ok(counts)
}

/// Counts an asset report.
pub(crate) fn count_assets(
    name: &str,
    text: Box<dyn Read + Send>,
    rows: &mut Rows<'_>,
) -> anyhow::Result<AssetCounts> {
    let mut report = AssetReport::open(name, text)?;
    let mut counts = AssetCounts::default();
    while let Some(line) = report.next_row()? {
        match line {
            AssetLine::Row(row) => counts.add(&row),
            AssetLine::Bad(_) => counts.bad_rows += 1,
        }
        rows.pass()?;
    }
    rows.end();
    Ok(counts)
}

/// What a video report holds. A video stands in it once for each of its claims, so rows are counted and not videos:
/// to know the videos apart, all their IDs would have to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VideoCounts {
    /// Rows counted; each map sums to it.
    pub rows: u64,
    /// Rows with a wrong number of fields, or an unreadable video or channel ID.
    pub bad_rows: u64,
    /// Rows that name at least one asset.
    pub rows_with_asset: u64,
    /// Rows per `video_privacy_status`, folded to capitals; empty where the report has no such column.
    pub by_status: BTreeMap<String, u64>,
    /// Rows per `content_type`, folded to capitals; empty where the report has no such column.
    pub by_type: BTreeMap<String, u64>,
    /// Rows per channel.
    pub by_channel: BTreeMap<ChannelId, u64>,
}

/// Counts a video report.
pub(crate) fn count_videos(
    name: &str,
    text: Box<dyn Read + Send>,
    rows: &mut Rows<'_>,
) -> anyhow::Result<VideoCounts> {
    let mut report = VideoReport::open(name, text)?;
    let status = column(report.headers(), "video_privacy_status");
    let kind = column(report.headers(), "content_type");
    let mut counts = VideoCounts::default();
    while let Some(line) = report.next_row()? {
        match line {
            ReportLine::Row(row) => counts.add(&row, status, kind),
            ReportLine::Bad(_) => counts.bad_rows += 1,
        }
        rows.pass()?;
    }
    rows.end();
    Ok(counts)
}

impl VideoCounts {
    fn add(&mut self, row: &VideoRow<'_>, status: Option<usize>, kind: Option<usize>) {
        let (Ok(_), Ok(channel_id)) = (row.video_id(), row.channel_id()) else {
            self.bad_rows += 1;
            return;
        };
        self.rows += 1;
        self.rows_with_asset += u64::from(row.assets().next().is_some());
        for (counts, column) in [(&mut self.by_status, status), (&mut self.by_type, kind)] {
            if let Some(cell) = column.and_then(|column| row.fields().get(column)) {
                *counts.entry(folded(cell)).or_default() += 1;
            }
        }
        *self.by_channel.entry(channel_id).or_default() += 1;
    }
}

/// A column that only the counts want, by its name as YouTube writes it with blanks and case folded.
fn column(headers: &[String], name: &str) -> Option<usize> {
    headers.iter().position(|header| header.trim().to_lowercase().replace(' ', "_") == name)
}

/// A value of an enumeration as it is counted; a report may hold anything there.
fn folded(cell: &[u8]) -> String {
    match String::from_utf8_lossy(cell.trim_ascii()).to_uppercase() {
        value if value.is_empty() => "(none)".to_owned(),
        value => printable(value),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn count(text: &'static str) -> anyhow::Result<VideoCounts> {
        let mut rows = Rows::new(&|_| {}, &|| false);
        count_videos("v.csv", Box::new(text.as_bytes()), &mut rows)
    }

    #[test]
    fn rows_of_videos_are_counted_by_status_type_and_channel_where_the_report_has_them() {
        let counts = count(
            "video_id,channel_id,asset_id,custom_id,Video Privacy Status,content_type\n\
             vid1_______,UCalpha00000000000000000,A000000000000001,,Public,UGC\n\
             vid1_______,UCalpha00000000000000000,|,|,public,\n\
             vid2_______,UCbravo00000000000000000,,,PRIVATE,\"a\nb\"\n\
             bad,UCbravo00000000000000000,,,PUBLIC,UGC\n",
        )
        .unwrap();
        insta::assert_debug_snapshot!(counts, @r#"
        VideoCounts {
            rows: 3,
            bad_rows: 1,
            rows_with_asset: 1,
            by_status: {
                "PRIVATE": 1,
                "PUBLIC": 2,
            },
            by_type: {
                "(none)": 1,
                "A\\nB": 1,
                "UGC": 1,
            },
            by_channel: {
                ChannelId(UCalpha00000000000000000): 2,
                ChannelId(UCbravo00000000000000000): 1,
            },
        }
        "#);
        let counts =
            count("video_id,channel_id,asset_id,custom_id\nvid1_______,UCalpha00000000000000000,,\n")
                .unwrap();
        assert_eq!((counts.rows, counts.by_status.len(), counts.by_type.len()), (1, 0, 0));
    }

    #[test]
    fn a_run_that_is_told_to_stop_stops_in_the_middle_of_a_report() {
        let line = "vid1_______,UCalpha00000000000000000,,\n";
        let text = format!("video_id,channel_id,asset_id,custom_id\n{}", line.repeat(25_000));
        let shown = Cell::new(0);
        let advance = |by| shown.set(shown.get() + by);
        let is_stopped = || shown.get() >= 20_000;
        let mut rows = Rows::new(&advance, &is_stopped);
        let stopped = count_videos("v.csv", Box::new(std::io::Cursor::new(text.clone())), &mut rows);
        assert_eq!(stopped.unwrap_err().to_string(), "stopped while the report was read");
        assert_eq!(rows.count(), 20_000);

        shown.set(0);
        let mut rows = Rows::new(&advance, &|| false);
        count_videos("v.csv", Box::new(std::io::Cursor::new(text)), &mut rows).unwrap();
        assert_eq!((rows.count(), shown.get()), (25_000, 25_000));
    }
}
