//! The world that the servers play: a channel sheet, a database, a video report, the CMS behind it, and the truth
//! about what the two tasks must make of them.

mod builder;
mod generate;
mod maker;
mod report;
pub(crate) mod titles;
mod truth;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

pub use builder::WorldBuilder;
pub use generate::Size;
pub(crate) use maker::claimed_asset;
pub use report::{COLUMNS as REPORT_COLUMNS, ReportRow};
pub use truth::{Expected, Kind};

/// The bucket and key of the video report, as the tasks' default has them.
pub const REPORT_BUCKET: &str = "youtube-reporting-main";
/// The report's key in its bucket.
pub const REPORT_KEY: &str = "reports/video_report_Indmusic_V_v1-3.csv";
/// The sheet's file name.
pub const SHEET_NAME: &str = "channels_customids.csv";

/// A valid row of the channel sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SheetChannel {
    /// `UC` and 22 characters.
    pub channel_id: String,
    /// The custom ID that the channel's assets are to carry.
    pub custom_id: String,
    /// May be empty, and may be hostile.
    pub display_name: String,
}

/// A record of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredChannel {
    /// The record's key; the channel's ID for records that the suite made.
    pub id: String,
    /// The channel.
    pub channel_id: String,
    /// Null in old records.
    pub custom_id: Option<String>,
    /// Null in old records.
    pub display_name: Option<String>,
}

/// A record of the database's video table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredVideo {
    /// The video, also the record's key.
    pub video_id: String,
    /// The channel that published it.
    pub channel_id: String,
    /// The channel's name.
    pub channel_display_name: String,
    /// The title, as text.
    pub title: String,
    /// The asset it is claimed with.
    pub asset_id: String,
    /// The custom ID that the catalogue last saw.
    pub custom_id: Option<String>,
    /// Lifetime views.
    pub views: u64,
}

/// What the CMS knows of an asset besides its metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Owned and there.
    Live,
    /// Folded into another asset: answers under that one's id, refuses writes under its own.
    Merged {
        /// The asset that took it in.
        into: String,
    },
    /// Deleted.
    Gone,
    /// Another owner's: can be read without its private metadata, refuses writes.
    Foreign,
}

/// An asset of the CMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asset {
    /// `A` and digits.
    pub id: String,
    /// `web`, `music_video`, `sound_recording` …
    pub asset_type: String,
    /// What happened to it.
    pub standing: Standing,
    /// `metadataMine.customId`.
    pub custom_id: Option<String>,
    /// `metadataMine.artist`.
    pub artists: Vec<String>,
    /// `metadataMine.title`.
    pub title: String,
    /// Whatever else stands in `metadataMine`, as the API has it.
    pub more: Map<String, Value>,
    /// `label`.
    pub labels: Vec<String>,
}

impl Asset {
    /// A video uploaded by a partner, owned, with this custom ID (none when empty).
    pub fn web(id: impl Into<String>, custom_id: impl Into<String>) -> Self {
        let custom_id = Some(custom_id.into()).filter(|text| !text.is_empty());
        Self {
            id: id.into(),
            asset_type: "web".into(),
            standing: Standing::Live,
            custom_id,
            artists: Vec::new(),
            title: String::new(),
            more: Map::new(),
            labels: Vec::new(),
        }
    }

    /// The same asset with a title.
    #[must_use]
    pub fn titled(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// The same asset with one more field in its own metadata (`isrc`, or one that nobody knows).
    #[must_use]
    pub fn with_metadata(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// The same asset with these labels.
    #[must_use]
    pub fn labelled(mut self, labels: &[&str]) -> Self {
        self.labels = labels.iter().map(|&label| label.to_owned()).collect();
        self
    }

    /// Whether the other is this asset but for its custom ID.
    pub(crate) fn has_metadata_of(&self, other: &Self) -> bool {
        (&self.title, &self.artists, &self.more, &self.labels)
            == (&other.title, &other.artists, &other.more, &other.labels)
    }

    /// The same asset of another type.
    #[must_use]
    pub fn of_type(mut self, asset_type: impl Into<String>) -> Self {
        self.asset_type = asset_type.into();
        self
    }

    /// The same asset by these artists.
    #[must_use]
    pub fn by(mut self, artists: &[&str]) -> Self {
        self.artists = artists.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// The same asset in another standing.
    #[must_use]
    pub fn standing(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }

    /// Whether a write must name the artists.
    pub fn is_music(&self) -> bool {
        matches!(self.asset_type.as_str(), "music_video" | "sound_recording")
    }
}

/// Everything there is at the start, and what must be there in the end.
#[derive(Debug, Clone)]
pub struct World {
    /// The seed it was made from; 0 for one made by hand.
    pub seed: u64,
    /// The channel sheet.
    pub sheet_path: PathBuf,
    /// The video report.
    pub report_path: PathBuf,
    /// The sheet's valid rows, once each.
    pub channels: Vec<SheetChannel>,
    /// The sheet's data rows, duplicates and blank ones included.
    pub sheet_rows: u64,
    /// The database before the first run.
    pub stored: Vec<StoredChannel>,
    /// The database's videos.
    pub videos: Vec<StoredVideo>,
    /// The report's data rows.
    pub report_rows: u64,
    /// Of these, the rows of channels that are no partners.
    pub claimed_rows: u64,
    /// The CMS before the first run. Assets of claimed rows are not listed: they follow from their id.
    pub assets: HashMap<String, Asset>,
    /// Per asset of a partner channel, what it must end as under the policy `fill-default`.
    pub truth: BTreeMap<String, Expected>,
}

impl World {
    /// One channel, one video, one asset that still carries its default custom ID.
    pub fn small(dir: &Path) -> anyhow::Result<Self> {
        WorldBuilder::new()
            .channel("UCaaaaaaaaaaaaaaaaaaaaaa", "IND-0001", "First Channel")
            .asset(Asset::web("A100000000000001", "vid00000001"))
            .row(
                ReportRow::new("vid00000001", "UCaaaaaaaaaaaaaaaaaaaaaa")
                    .asset("A100000000000001", "vid00000001"),
            )
            .build(dir)
    }

    /// A catalogue of the given size from a seed, its two input files written below `dir`.
    pub fn generate(seed: u64, size: Size, dir: &Path) -> anyhow::Result<Self> {
        generate::generate(seed, size, dir)
    }

    /// How many partner assets must end in each way.
    pub fn expected_counts(&self) -> BTreeMap<Kind, u64> {
        let mut counts = BTreeMap::new();
        for expected in self.truth.values() {
            *counts.entry(expected.kind.clone()).or_default() += 1;
        }
        counts
    }
}

/// Where the report lies below the sandbox's directory: the object store serves it from there.
pub(crate) fn report_path(dir: &Path) -> PathBuf {
    dir.join("s3").join(REPORT_BUCKET).join(REPORT_KEY)
}
