//! `rejects.csv`: the rows of the report that could not be used and the assets that could not be set, in the report's
//! own columns.

use std::io::Write as _;

use dn_core::task::{Context, Scratch};
use dn_domain::id::{AssetId, ChannelId, VideoId};
use dn_domain::reject_sheet::RejectSheet;

use crate::Tally;

/// A row of the report that could not be used.
pub(crate) struct RejectedRow {
    pub line: u64,
    pub fields: Vec<Vec<u8>>,
    pub code: String,
    pub reason: String,
}

/// An asset that could not be set.
pub(crate) struct RejectedAsset<'a> {
    pub asset_id: AssetId,
    pub video_id: Option<VideoId>,
    pub channel_id: Option<ChannelId>,
    pub old: Option<&'a str>,
    pub code: &'a str,
    pub reason: &'a str,
}

/// The rejects under way; nothing is kept when there are none.
pub(crate) struct Rejects {
    sheet: Option<RejectSheet<Scratch>>,
    headers: Vec<String>,
    count: u64,
    failed_assets: Vec<AssetId>,
}

/// The columns of a sheet of assets that no report was read for.
const OWN_COLUMNS: [&str; 4] = ["video_id", "channel_id", "asset_id", "custom_id"];

impl Rejects {
    /// None so far.
    pub fn begin() -> Self {
        Self { sheet: None, headers: Vec::new(), count: 0, failed_assets: Vec::new() }
    }

    /// The assets among them.
    pub fn failed_assets(&self) -> &[AssetId] {
        &self.failed_assets
    }

    /// Begins the sheet, once the report's columns are known.
    pub fn set_headers(&mut self, headers: &[String]) -> std::io::Result<()> {
        self.sheet = Some(RejectSheet::new(Scratch::new()?, headers)?);
        self.headers = headers.to_vec();
        Ok(())
    }

    /// Adds a row with its exact bytes.
    pub fn add_row(&mut self, row: &RejectedRow) -> std::io::Result<()> {
        self.count += 1;
        let Some(sheet) = &mut self.sheet else { return Ok(()) };
        sheet.write(&row.fields, &row.code, &row.reason)
    }

    /// Adds an asset: the four columns that the cleanup reads, so that the sheet can be fed back as a report.
    pub fn add_asset(&mut self, asset: &RejectedAsset<'_>) -> std::io::Result<()> {
        if self.sheet.is_none() {
            self.set_headers(&OWN_COLUMNS.map(str::to_owned))?;
        }
        self.count += 1;
        self.failed_assets.push(asset.asset_id);
        let Some(sheet) = &mut self.sheet else { return Ok(()) };
        let fields: Vec<&str> = self
            .headers
            .iter()
            .map(|header| match normal(header).as_str() {
                "asset_id" => asset.asset_id.as_str(),
                "video_id" => asset.video_id.as_ref().map_or("", VideoId::as_str),
                "channel_id" => asset.channel_id.as_ref().map_or("", ChannelId::as_str),
                "custom_id" => asset.old.unwrap_or_default(),
                _ => "",
            })
            .collect();
        sheet.write(&fields, asset.code, asset.reason)
    }

    /// Puts the sheet into the run folder, if there is anything in it.
    pub async fn keep(self, context: &Context<Tally>) -> anyhow::Result<()> {
        let Some(sheet) = self.sheet.filter(|_| self.count > 0) else { return Ok(()) };
        let mut scratch = sheet.finish()?;
        scratch.flush()?;
        let folder = context.run_folder()?;
        folder.put_scratch("rejects.csv", scratch).await?;
        let uri = folder.uri("rejects.csv");
        context.count(|tally| tally.rejects_uri = Some(uri));
        Ok(())
    }
}

/// A header as the readers know it.
fn normal(header: &str) -> String {
    header.trim_start_matches('\u{feff}').trim().to_lowercase().replace(' ', "_")
}
