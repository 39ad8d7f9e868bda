//! Weeks out of text, for the tests of the analysis.

use std::sync::Arc;

use proptest::prelude::*;

use super::snapshot::{DatabaseVideos, Gather, Snapshot, Source};
use super::week::Week;
use crate::asset_report::{AssetLine, AssetReport};
use crate::claim_report::{ClaimLine, ClaimReport};
use crate::conflict_report::{ConflictLine, ConflictReport};
use crate::id::ChannelId;
use crate::video_report::{ReportLine, VideoReport};

pub(crate) const ASSETS: &str = "asset_id,custom_id,asset_title,artist,isrc,asset_type,active_claims,approx_daily_views,approx_daily_engaged_views,active_reference_id";
pub(crate) const CLAIMS: &str = "claim_id,channel_id,asset_id,video_id,reference_id,claim_status,claim_status_detail,claim_origin,views,longest_match,claim_created_date";
pub(crate) const VIDEOS: &str =
    "video_id,channel_id,channel_display_name,video_title,views,engaged_views,asset_id,custom_id";
pub(crate) const CONFLICTS: &str = "asset_id,conflicting_owner,conflicting_country_code";

/// The rows of a week's reports; none where a report is not given.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub week: i32,
    pub assets: Option<Vec<String>>,
    pub claims: Option<Vec<String>>,
    pub videos: Option<Vec<String>>,
    pub conflicts: Option<Vec<String>>,
    pub partners: Vec<ChannelId>,
    /// Channel and asset of the database's videos.
    pub database: Vec<(String, String)>,
}

pub(crate) fn week(index: i32) -> Week {
    Week::parse("2026-11-16").unwrap().plus(index)
}

#[expect(clippy::unnecessary_wraps, reason = "a report that is given, as the world has it")]
pub(crate) fn rows(text: &[&str]) -> Option<Vec<String>> {
    Some(text.iter().map(|row| (*row).to_owned()).collect())
}

pub(crate) fn channel(index: u32) -> String {
    format!("UC{index:022}")
}

/// So many videos of each of so many channels, each with an asset and a claim of its own, and all with so many views
/// and some.
pub(crate) fn catalogue(channels: u32, videos: u32, views: u64) -> World {
    let mut world = World {
        assets: Some(Vec::new()),
        claims: Some(Vec::new()),
        videos: Some(Vec::new()),
        ..World::default()
    };
    for channel_number in 0..channels {
        for video in 0..videos {
            let number = channel_number * videos + video;
            let (channel, asset) = (channel(channel_number), format!("A{number:015}"));
            let views = views + u64::from(number);
            let (assets, claims, videos) = (&mut world.assets, &mut world.claims, &mut world.videos);
            let daily = views / 10;
            assets.get_or_insert_default().push(format!(
                "{asset},label-{channel_number},Title {number},Artist {channel_number},,SOUND_RECORDING,3,{daily},{daily},r{number}"
            ));
            claims.get_or_insert_default().push(format!(
                "c{number},{channel},{asset},v{number:010},r{number},ACTIVE,,ID_MATCH,{views},30,2026-01-01"
            ));
            videos.get_or_insert_default().push(format!(
                "v{number:010},{channel},Channel {channel_number},Title {number},{views},{},{asset},label-{channel_number}",
                views / 2
            ));
        }
    }
    world
}

impl World {
    pub(crate) fn in_week(mut self, index: i32) -> Self {
        self.week = index;
        self
    }

    /// The week as the reports show it, claims before assets, as the order of reports must not matter either.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.read(false)
    }

    pub(crate) fn read(&self, assets_first: bool) -> Snapshot {
        let mut database = DatabaseVideos::new(self.partners.iter().copied());
        for (channel, asset) in &self.database {
            drop(database.add(Some(channel), Some(asset)));
        }
        let gather = Gather::new(week(self.week), self.partners.iter().copied());
        let mut gather = gather.with_database(Arc::new(database));
        if assets_first {
            self.read_assets(&mut gather);
        }
        if let Some(rows) = &self.claims {
            let text = text(CLAIMS, rows);
            let mut report = ClaimReport::open("claims.csv", text.as_bytes()).unwrap();
            gather.begin(Source::Claims, &report.missing_columns());
            while let Ok(Some(line)) = report.next_row() {
                match line {
                    ClaimLine::Row(row) => drop(gather.claim(&row)),
                    ClaimLine::Bad(_) => gather.misfit(Source::Claims),
                }
            }
        }
        if let Some(rows) = &self.videos {
            let text = text(VIDEOS, rows);
            let mut report = VideoReport::open("videos.csv", text.as_bytes()).unwrap();
            gather.begin(Source::Videos, &report.missing_columns());
            while let Ok(Some(line)) = report.next_row() {
                match line {
                    ReportLine::Row(row) => drop(gather.video(&row)),
                    ReportLine::Bad(_) => gather.misfit(Source::Videos),
                }
            }
        }
        if let Some(rows) = &self.conflicts {
            let text = text(CONFLICTS, rows);
            let mut report = ConflictReport::open("conflicts.csv", text.as_bytes()).unwrap();
            gather.begin(Source::Conflicts, &report.missing_columns());
            while let Ok(Some(line)) = report.next_row() {
                match line {
                    ConflictLine::Row(row) => drop(gather.conflict(&row)),
                    ConflictLine::Bad(_) => gather.misfit(Source::Conflicts),
                }
            }
        }
        if !assets_first {
            self.read_assets(&mut gather);
        }
        gather.finish()
    }

    fn read_assets(&self, gather: &mut Gather) {
        if let Some(rows) = &self.assets {
            let text = text(ASSETS, rows);
            let mut report = AssetReport::open("assets.csv", text.as_bytes()).unwrap();
            gather.begin(Source::Assets, &report.missing_columns());
            while let Ok(Some(line)) = report.next_row() {
                match line {
                    AssetLine::Row(row) => drop(gather.asset(&row)),
                    AssetLine::Bad(_) => gather.misfit(Source::Assets),
                }
            }
        }
    }

    /// The same rows in another order.
    pub(crate) fn shuffled(&self, by: u64) -> Self {
        fn in_order<T: Ord>(rows: Vec<T>, by: u64) -> Vec<T> {
            // Any order will do as long as the seed decides it: by a hash of place and seed.
            let mut keyed: Vec<(u64, T)> = (0_u64..)
                .zip(rows)
                .map(|(place, row)| ((place + 1).wrapping_mul(by | 1).rotate_left(17) ^ by, row))
                .collect();
            keyed.sort();
            keyed.into_iter().map(|(_, row)| row).collect()
        }
        let shuffle = |rows: &Option<Vec<String>>| rows.clone().map(|rows| in_order(rows, by));
        Self {
            assets: shuffle(&self.assets),
            claims: shuffle(&self.claims),
            videos: shuffle(&self.videos),
            conflicts: shuffle(&self.conflicts),
            database: in_order(self.database.clone(), by),
            ..self.clone()
        }
    }
}

fn text(header: &str, rows: &[String]) -> String {
    format!("{header}\n{}\n", rows.join("\n"))
}

/// Small worlds full of rows that repeat, contradict and cannot be read.
pub(crate) fn any_world() -> impl Strategy<Value = World> {
    let title = prop::sample::select(vec!["", "Song", "=1+1", "\"a\nb\"", "\u{202e}x", "Another"]);
    let number = prop::sample::select(vec!["", "0", "7", "99", "x"]);
    let asset = (0_u32..4).prop_map(|number| format!("A{number:015}"));
    let channel = (0_u32..3).prop_map(channel);
    let assets = (asset.clone(), "[ab]?", title.clone(), title.clone(), number.clone(), number.clone())
        .prop_map(|(id, custom_id, title, artist, claims, views)| {
            format!("{id},{custom_id},{title},{artist},,WEB,{claims},{views},,a|b")
        });
    let state =
        prop::sample::select(vec!["ACTIVE,", "INACTIVE,", "PENDING,DISPUTED", "PENDING,APPEALED", "NEW,"]);
    let claims = (0_u32..6, channel.clone(), asset.clone(), state, number.clone(), 0_u32..20).prop_map(
        |(id, channel, asset, state, views, length)| {
            format!("c{id},{channel},{asset},v,r{},{state},x,{views},{length},2026-11-17", id % 2)
        },
    );
    let videos = (0_u32..5, channel, title, number.clone(), number, asset, "[ab]?").prop_map(
        |(id, channel, title, views, engaged, asset, custom_id)| {
            format!("v{id:010},{channel},{title},{title},{views},{engaged},{asset},{custom_id}")
        },
    );
    let stored =
        (0_u32..4, 0_u32..5).prop_map(|(channel, asset)| (self::channel(channel), format!("A{asset:015}")));
    let conflicts =
        prop::sample::select(vec!["A000000000000001,Other,US", "A000000000000001,An Other,DE", "bad,x,y"])
            .prop_map(str::to_owned);
    (
        prop::option::weighted(0.9, prop::collection::vec(assets, 1..8)),
        prop::option::weighted(0.9, prop::collection::vec(claims, 1..12)),
        prop::option::weighted(0.9, prop::collection::vec(videos, 1..10)),
        prop::option::weighted(0.5, prop::collection::vec(conflicts, 1..4)),
        prop::collection::vec(stored, 0..8),
        // None, one or two of them: an asset is shared by two.
        prop::sample::subsequence(vec![1, 2, 3], 0..3),
    )
        .prop_map(|(assets, claims, videos, conflicts, database, partners)| World {
            week: 0,
            assets,
            claims,
            videos,
            conflicts,
            partners: partners
                .into_iter()
                .map(|one| ChannelId::parse(&self::channel(one)).unwrap())
                .collect(),
            database,
        })
}
