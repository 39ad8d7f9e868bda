//! Panels of weekly views with planted surges, with what only looks like one, and with faults of the reports; and the
//! scoring of alerts against what was planted.
//!
//! This is a second judge of the viral detector beside the catalogue's own past: it is made from what is known about
//! weekly counts (levels of many sizes, launches that decay or climb, season, songs that return each year, noise that
//! grows with the level, reports that come doubled or in part) and shares no code with the detector.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are rounded numbers of nought or more, far below what their types hold"
)]

mod faults;
mod generate;
mod score;
mod truth;

pub use generate::{PanelOptions, generate};
pub use score::{PanelScore, score_panel};
pub use truth::{Note, Scope, Truth};

/// A panel: a row for each series, a value for each week, none where the report had no row.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The channel of each series.
    pub channels: Vec<usize>,
    /// The counts of each series, a week each.
    pub counts: Vec<Vec<Option<u64>>>,
}

impl Panel {
    /// The id of a series.
    pub fn series_id(series: usize) -> String {
        format!("v{series:06}")
    }

    /// The id of a channel.
    pub fn channel_id(channel: usize) -> String {
        format!("ch{channel:04}")
    }

    /// Writes the panel as `series_id,group_id,w0,w1,…`.
    pub fn write(&self, to: impl std::io::Write) -> anyhow::Result<()> {
        let mut out = csv::Writer::from_writer(to);
        let weeks = self.counts.first().map_or(0, Vec::len);
        let header = ["series_id".to_owned(), "group_id".to_owned()];
        out.write_record(header.into_iter().chain((0..weeks).map(|week| format!("w{week}"))))?;
        for (series, counts) in self.counts.iter().enumerate() {
            let ids = [Self::series_id(series), Self::channel_id(self.channels[series])];
            let cells = counts.iter().map(|count| count.map_or(String::new(), |count| count.to_string()));
            out.write_record(ids.into_iter().chain(cells))?;
        }
        out.flush()?;
        Ok(())
    }
}
