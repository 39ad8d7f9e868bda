//! A world made by hand, as small as a test's question.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

use crate::world::report::{ReportRow, ReportWriter};
use crate::world::truth::{Ledger, partners};
use crate::world::{Asset, SHEET_NAME, SheetChannel, StoredChannel, StoredVideo, World, report_path};

/// Collects channels, records, assets and report rows, then writes the two input files.
#[derive(Debug, Clone, Default)]
pub struct WorldBuilder {
    sheet: Vec<Vec<String>>,
    channels: Vec<SheetChannel>,
    stored: Vec<StoredChannel>,
    videos: Vec<StoredVideo>,
    assets: HashMap<String, Asset>,
    rows: Vec<ReportRow>,
    raw_report: Option<Vec<u8>>,
    raw_sheet: Option<Vec<u8>>,
}

impl WorldBuilder {
    /// A world with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A channel of the sheet.
    #[must_use]
    pub fn channel(mut self, channel_id: &str, custom_id: &str, display_name: &str) -> Self {
        let channel = SheetChannel {
            channel_id: channel_id.to_owned(),
            custom_id: custom_id.to_owned(),
            display_name: display_name.to_owned(),
        };
        self.sheet.push(vec![channel_id.to_owned(), custom_id.to_owned(), display_name.to_owned()]);
        self.channels.push(channel);
        self
    }

    /// A row of the sheet that makes no channel: a duplicate, a blank one, a wrong one.
    #[must_use]
    pub fn sheet_row(mut self, cells: &[&str]) -> Self {
        self.sheet.push(cells.iter().map(|&cell| cell.to_owned()).collect());
        self
    }

    /// These bytes as the sheet, in place of the rows. The channels given otherwise are still what is expected.
    #[must_use]
    pub fn sheet_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw_sheet = Some(bytes.into());
        self
    }

    /// A record that the database has from the start.
    #[must_use]
    pub fn stored(
        mut self,
        id: &str,
        channel_id: &str,
        custom_id: Option<&str>,
        display_name: Option<&str>,
    ) -> Self {
        self.stored.push(StoredChannel {
            id: id.to_owned(),
            channel_id: channel_id.to_owned(),
            custom_id: custom_id.map(str::to_owned),
            display_name: display_name.map(str::to_owned),
        });
        self
    }

    /// A video that the database has from the start.
    #[must_use]
    pub fn stored_video(mut self, video_id: &str, channel_id: &str, asset_id: &str) -> Self {
        self.videos.push(StoredVideo {
            video_id: video_id.to_owned(),
            channel_id: channel_id.to_owned(),
            channel_display_name: "A channel".to_owned(),
            title: "A title".to_owned(),
            asset_id: asset_id.to_owned(),
            custom_id: None,
            views: 1,
        });
        self
    }

    /// An asset of the CMS.
    #[must_use]
    pub fn asset(mut self, asset: Asset) -> Self {
        self.assets.insert(asset.id.clone(), asset);
        self
    }

    /// A row of the report.
    #[must_use]
    pub fn row(mut self, row: ReportRow) -> Self {
        self.rows.push(row);
        self
    }

    /// These bytes as the report, in place of the rows. The rows given otherwise are still what is expected.
    #[must_use]
    pub fn report_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw_report = Some(bytes.into());
        self
    }

    /// Writes the sheet and the report below `dir` and works out the truth.
    pub fn build(self, dir: &Path) -> Result<World> {
        let sheet_path = dir.join(SHEET_NAME);
        let report_path = report_path(dir);
        fs::create_dir_all(report_path.parent().context("the report has no folder")?)?;
        if let Some(bytes) = self.raw_sheet {
            fs::write(&sheet_path, bytes)?;
        } else {
            let mut sheet = csv::WriterBuilder::new().flexible(true).from_path(&sheet_path)?;
            sheet.write_record(["channelID", "customID", "displayName"])?;
            for row in &self.sheet {
                sheet.write_record(row)?;
            }
            sheet.flush()?;
        }
        let mut ledger = Ledger::default();
        let mut report = ReportWriter::new(File::create(&report_path)?)?;
        for row in &self.rows {
            report.write(row)?;
            for (asset, custom_id) in &row.claims {
                ledger.note(asset, &row.channel_id, &row.video_id, custom_id);
            }
        }
        let report_rows = report.rows();
        report.finish()?;
        if let Some(bytes) = self.raw_report {
            fs::write(&report_path, bytes)?;
        }
        let partners = partners(&self.channels, &self.stored);
        let claimed_rows =
            self.rows.iter().filter(|row| !partners.contains_key(&row.channel_id)).count() as u64;
        Ok(World {
            seed: 0,
            sheet_path,
            report_path,
            sheet_rows: self.sheet.len() as u64,
            channels: self.channels,
            stored: self.stored,
            videos: self.videos,
            report_rows,
            claimed_rows,
            truth: ledger.judge(&partners, &self.assets),
            assets: self.assets,
        })
    }
}
