//! The CMS in memory: partner assets of a made-up report, and what happens to them.

use std::fmt::Write as _;
use std::sync::OnceLock;

use dn_domain::cleanup_plan::{AssetEntry, Live, LiveAsset, Scan};
use dn_domain::custom_id::CustomId;
use dn_domain::partner_channels::{PartnerChannels, PartnerRecord};
use dn_domain::video_report::{ReportLine, VideoReport};

/// The largest world.
pub const MOST_ASSETS: usize = 60;
const CHANNELS: [(&str, &str); 2] =
    [("UCalpha00000000000000000", "alpha-01"), ("UCbravo00000000000000000", "bravo-02")];

/// The partner channels and their assets, most viewed first; every world has the first so many of them.
pub struct Catalogue {
    pub partners: PartnerChannels,
    pub entries: Vec<AssetEntry>,
}

/// The one catalogue, scanned once from a report that says nothing of any custom ID: the live value decides.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let partners = PartnerChannels::build(CHANNELS.map(|(channel_id, custom_id)| PartnerRecord {
            channel_id: channel_id.to_owned(),
            custom_id: Some(custom_id.to_owned()),
            display_name: None,
        }));
        let mut text = "video_id,channel_id,asset_id,custom_id,views\n".to_owned();
        for index in 0..MOST_ASSETS {
            let (channel, _) = CHANNELS[usize::from(index % 3 == 0)];
            let (asset, video) = (format!("A{index:015}"), default_value(index));
            writeln!(text, "{video},{channel},{asset},,{}", 10_000 - index).unwrap();
            if index % 13 == 7 {
                // Claimed by the other channel too: a conflict.
                let (other, _) = CHANNELS[usize::from(index % 3 != 0)];
                writeln!(text, "two{index:08},{other},{asset},,0").unwrap();
            }
        }
        let mut report = VideoReport::open("report.csv", text.as_bytes()).unwrap();
        let mut scan = Scan::new(&partners);
        while let Some(line) = report.next_row().unwrap() {
            let ReportLine::Row(row) = line else { panic!("a bad row") };
            scan.take(&row).unwrap();
        }
        let entries = scan.finish(&partners.filter("all").unwrap()).assets;
        assert_eq!(entries.len(), MOST_ASSETS);
        Catalogue { partners, entries }
    })
}

/// What YouTube sets by itself.
pub fn default_value(index: usize) -> String {
    format!("vid{index:08}")
}

/// The custom ID that an asset should carry, if that is clear.
pub fn target(index: usize) -> Option<&'static str> {
    let catalogue = catalogue();
    let is_conflict = index % 13 == 7;
    let channel = catalogue.entries[index].channel();
    catalogue.partners.channel(channel).target().filter(|_| !is_conflict).map(CustomId::as_str)
}

/// Whether the asset can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Live,
    Foreign,
    Gone,
    Merged,
}

/// What an asset always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    None,
    /// Refuses every write for good.
    Refuses,
    /// Answers every write with 500.
    Breaks,
    /// Is in conflict with every write.
    Conflicts,
}

#[derive(Debug, Clone)]
pub struct Asset {
    pub value: Option<String>,
    pub standing: Standing,
    pub habit: Habit,
    pub is_music: bool,
    pub artists: Vec<String>,
}

impl Asset {
    /// The asset as a reading shows it.
    pub fn live(&self, index: usize) -> Live<'_> {
        match self.standing {
            Standing::Gone => Live::Gone,
            Standing::Merged => Live::Merged { into: "A999999999999999".to_owned() },
            Standing::Live | Standing::Foreign => Live::Found(LiveAsset {
                asset_id: catalogue().entries[index].asset_id,
                asset_type: Some(if self.is_music { "sound_recording" } else { "web" }),
                custom_id: self.value.as_deref(),
                artists: &self.artists,
            }),
        }
    }

    /// Whether a write can be carried out at all.
    pub fn is_writable(&self) -> bool {
        self.standing == Standing::Live
            && matches!(self.habit, Habit::None)
            && !(self.is_music && self.artists.is_empty())
    }
}
