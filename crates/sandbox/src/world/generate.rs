//! A catalogue from a seed: channels, database, CMS and a video report of any length, written as it is made.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::world::report::{ReportRow, ReportWriter};
use crate::world::titles::{ENDINGS, HOSTILE_NAMES, HOSTILE_TITLES, OPENINGS};
use crate::world::truth::{Ledger, partners};
use crate::world::{
    Asset, SHEET_NAME, SheetChannel, Standing, StoredChannel, StoredVideo, World, report_path,
};

/// How large a world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Data rows of the channel sheet, about one in ninety of them a duplicate or blank.
    pub channels: usize,
    /// Rows of the video report.
    pub videos: usize,
}

impl Default for Size {
    /// The known environment: 372 channels, 38,412 rows.
    fn default() -> Self {
        Self { channels: 372, videos: 38_412 }
    }
}

/// Of the default report's 38,412 rows 38,000 are the partners'. A larger report has no more of them: a CMS report
/// grows by claims on other people's videos.
const DEFAULT_ROWS: usize = 38_412;
const DEFAULT_PARTNER_ROWS: usize = 38_000;
/// One sheet row in so many is a duplicate or blank: 4 of 372.
const SKIPPED_SHARE: usize = 93;
/// Partners that the database knows and the sheet does not.
const DATABASE_ONLY: usize = 3;
/// Channels whose videos carry claims.
const CLAIMED_CHANNELS: usize = 5_000;
/// Videos that the database has.
const STORED_VIDEOS: usize = 400;
/// How far apart the rows of one asset stand.
const APART_ROWS: usize = 700;
const ID_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The asset of a claim on somebody else's video: it follows from its id, so that a million of them take no memory.
pub(crate) fn claimed_asset(id: &str, claimed_rows: u64) -> Option<Asset> {
    let digits = id.strip_prefix("A9").filter(|digits| digits.len() == 15)?;
    let number: u64 = digits.parse().ok()?;
    (number < claimed_rows).then(|| Asset::web(id, claimed_custom_id(number)))
}

fn claimed_custom_id(number: u64) -> String {
    format!("REF-{number:06}")
}

pub(super) fn generate(seed: u64, size: Size, dir: &Path) -> Result<World> {
    ensure!(size.channels > 0, "a world needs at least one channel");
    ensure!(size.videos > 0, "a world needs at least one row in its report");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let sheet_path = dir.join(SHEET_NAME);
    let report_path = report_path(dir);
    fs::create_dir_all(report_path.parent().context("the report has no folder")?)?;

    let channels = make_channels(&mut rng, size.channels);
    let sheet_rows = write_sheet(&sheet_path, &channels, size.channels)?;
    let stored = make_stored(&mut rng, &channels);
    let partners = partners(&channels, &stored);
    let names = partner_list(&channels, &stored);

    let partner_rows = (size.videos.min(DEFAULT_ROWS) * DEFAULT_PARTNER_ROWS).div_ceil(DEFAULT_ROWS);
    let mut report = ReportWriter::new(File::create(&report_path)?)?;
    let mut maker = Maker::new(rng, names);
    let mut partner_written = 0;
    let mut claimed_rows = 0;
    for row in 0..size.videos {
        // The partners' rows lie evenly among the others.
        if (row + 1) * partner_rows / size.videos > partner_written {
            let next = maker.partner_row(partner_rows - partner_written);
            maker.note(&next);
            report.write(&next)?;
            partner_written += 1;
        } else {
            report.write(&maker.claimed_row(claimed_rows))?;
            claimed_rows += 1;
        }
    }
    let report_rows = report.rows();
    report.finish()?;
    let Maker { assets, ledger, videos, .. } = maker;
    Ok(World {
        seed,
        sheet_path,
        report_path,
        truth: ledger.judge(&partners, &assets),
        channels,
        sheet_rows,
        stored,
        videos,
        report_rows,
        claimed_rows,
        assets,
    })
}

fn letters(rng: &mut ChaCha8Rng, count: usize) -> String {
    (0..count).map(|_| char::from(ID_LETTERS[rng.random_range(0..64_usize)])).collect()
}

fn make_channels(rng: &mut ChaCha8Rng, sheet_rows: usize) -> Vec<SheetChannel> {
    let count = sheet_rows - sheet_rows / SKIPPED_SHARE;
    let mut channels: Vec<SheetChannel> = Vec::with_capacity(count);
    for number in 0..count {
        let custom_id = match channels.last() {
            // Some labels run two channels under one custom ID.
            Some(before) if number % 60 == 59 => before.custom_id.clone(),
            _ => match number % 5 {
                0 => format!("IND-{number:04}"),
                1 => format!("artist.{number}@label"),
                2 => format!("DN/{number}/main"),
                3 => format!("label_{:02}-artist_{number}", number % 17),
                _ => format!("{}{number}", letters(rng, 6).replace(['-', '_'], "x")),
            },
        };
        let display_name = match number % 37 {
            11 => HOSTILE_NAMES[(number / 37) % HOSTILE_NAMES.len()].to_owned(),
            23 => String::new(),
            _ => format!("{} Records {number}", OPENINGS[number % OPENINGS.len()]),
        };
        channels.push(SheetChannel {
            channel_id: format!("UC{}", letters(rng, 22)),
            custom_id,
            display_name,
        });
    }
    channels
}

/// The sheet as people export it: a BOM in front, a few rows twice, one left blank.
fn write_sheet(path: &Path, channels: &[SheetChannel], rows: usize) -> Result<u64> {
    let skipped = rows / SKIPPED_SHARE;
    let blank_after = if skipped > 0 { Some(channels.len() / 2) } else { None };
    let mut duplicates = skipped.saturating_sub(1);
    let mut file = File::create(path)?;
    file.write_all(b"\xef\xbb\xbf")?;
    let mut sheet = csv::Writer::from_writer(file);
    sheet.write_record(["channelID", "customID", "displayName"])?;
    let mut written = 0;
    for (number, channel) in channels.iter().enumerate() {
        let cells = [&channel.channel_id, &channel.custom_id, &channel.display_name];
        sheet.write_record(cells)?;
        written += 1;
        if duplicates > 0 && number % 7 == 5 {
            sheet.write_record(cells)?;
            written += 1;
            duplicates -= 1;
        }
        if blank_after == Some(number) {
            sheet.write_record(["", "", ""])?;
            written += 1;
        }
    }
    sheet.flush()?;
    Ok(written)
}

/// A database that was filled by hand over the years: half of it right, some of it old, some of it missing.
fn make_stored(rng: &mut ChaCha8Rng, channels: &[SheetChannel]) -> Vec<StoredChannel> {
    let mut stored = Vec::new();
    for (number, channel) in channels.iter().enumerate() {
        let display_name = Some(channel.display_name.clone()).filter(|name| !name.is_empty());
        let custom_id = match number % 20 {
            0..=9 => Some(channel.custom_id.clone()),
            10 | 11 => Some(format!("OLD-{number}")),
            12 => None,
            _ => continue,
        };
        // Records from before the suite have keys of their own.
        let id = if number % 4 == 1 {
            let digits: u128 = rng.random();
            let text = format!("{digits:032x}");
            format!("{}-{}-4{}-a{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
        } else {
            channel.channel_id.clone()
        };
        stored.push(StoredChannel { id, channel_id: channel.channel_id.clone(), custom_id, display_name });
    }
    if channels.len() > 10 {
        for number in 0..DATABASE_ONLY {
            let channel_id = format!("UC{}", letters(rng, 22));
            stored.push(StoredChannel {
                id: channel_id.clone(),
                channel_id,
                custom_id: Some(format!("LEGACY-{number}")),
                display_name: Some(format!("Legacy partner {number}")),
            });
        }
    }
    stored
}

struct Partner {
    channel_id: String,
    custom_id: String,
    name: String,
}

fn partner_list(channels: &[SheetChannel], stored: &[StoredChannel]) -> Vec<Partner> {
    let mut list: Vec<Partner> = channels
        .iter()
        .map(|channel| Partner {
            channel_id: channel.channel_id.clone(),
            custom_id: channel.custom_id.clone(),
            name: channel.display_name.clone(),
        })
        .collect();
    for record in stored.iter().filter(|record| record.id == record.channel_id) {
        if let Some(custom_id) = record.custom_id.as_ref().filter(|id| id.starts_with("LEGACY-")) {
            list.push(Partner {
                channel_id: record.channel_id.clone(),
                custom_id: custom_id.clone(),
                name: record.display_name.clone().unwrap_or_default(),
            });
        }
    }
    list
}

struct Maker {
    rng: ChaCha8Rng,
    partners: Vec<Partner>,
    claimed_channels: Vec<String>,
    assets: HashMap<String, Asset>,
    ledger: Ledger,
    videos: Vec<StoredVideo>,
    /// Second rows of assets, each with the partner row before which it must not stand.
    pending: VecDeque<(usize, ReportRow)>,
    made: usize,
    /// Partner assets that claims on other people's videos refer to.
    recent: VecDeque<(String, String)>,
}

impl Maker {
    fn new(mut rng: ChaCha8Rng, partners: Vec<Partner>) -> Self {
        let claimed_channels =
            (0..CLAIMED_CHANNELS).map(|_| format!("UC{}", letters(&mut rng, 22))).collect();
        Self {
            rng,
            partners,
            claimed_channels,
            assets: HashMap::new(),
            ledger: Ledger::default(),
            videos: Vec::new(),
            pending: VecDeque::new(),
            made: 0,
            recent: VecDeque::new(),
        }
    }

    fn note(&mut self, row: &ReportRow) {
        for (asset, custom_id) in &row.claims {
            self.ledger.note(asset, &row.channel_id, &row.video_id, custom_id);
        }
        if let [(asset, custom_id)] = &row.claims[..] {
            if self.videos.len() < STORED_VIDEOS {
                self.videos.push(StoredVideo {
                    video_id: row.video_id.clone(),
                    channel_id: row.channel_id.clone(),
                    channel_display_name: row.channel_display_name.clone(),
                    title: String::from_utf8_lossy(&row.title).into_owned(),
                    asset_id: asset.clone(),
                    custom_id: Some(custom_id.clone()).filter(|text| !text.is_empty()),
                    views: row.views,
                });
            }
            if self.recent.len() == 64 {
                self.recent.pop_front();
            }
            self.recent.push_back((asset.clone(), custom_id.clone()));
        }
    }

    /// The next row of a partner channel; `left` rows, this one included, are still to come.
    fn partner_row(&mut self, left: usize) -> ReportRow {
        self.made += 1;
        let due = self.pending.front().is_some_and(|(from, _)| *from <= self.made);
        if (due || self.pending.len() >= left)
            && let Some((_, row)) = self.pending.pop_front()
        {
            return row;
        }
        let room = left - self.pending.len() > 1;
        let (first, second) = self.unit(room);
        if let Some(second) = second {
            self.pending.push_back((self.made + APART_ROWS, second));
        }
        first
    }

    /// One asset (or a video without one) and the rows it stands in.
    fn unit(&mut self, room: bool) -> (ReportRow, Option<ReportRow>) {
        // Few channels have many videos.
        let share: f64 = self.rng.random();
        let channel = self.pick(share * share);
        let row = self.video(channel);
        let video = row.video_id.clone();
        match self.rng.random_range(0..1000) {
            0..12 => (row, None),
            12..22 => {
                // Two claims in one row: a default of ours, and a reference with an ID of its own.
                let (ours, other) = (self.asset_id(), self.asset_id());
                let by_hand = format!("REFERENCE-{}", self.made);
                self.add(Asset::web(&ours, &video));
                self.add(Asset::web(&other, &by_hand));
                (row.asset(ours, video).asset(other, by_hand), None)
            }
            22..32 if room => {
                // Two partners' videos under one asset. Where their custom IDs differ nobody can say who is paid.
                let asset = self.asset_id();
                self.add(Asset::web(&asset, &video));
                let share: f64 = self.rng.random();
                let other = self.pick(share);
                let second = self.video(other).asset(&asset, &video);
                (row.asset(asset, video), Some(second))
            }
            32..36 if room && self.partners.len() > 60 => {
                // The two channels of one label share their custom ID.
                let (one, other) = (self.video(58), self.video(59));
                let asset = self.asset_id();
                self.add(Asset::web(&asset, &one.video_id));
                let video = one.video_id.clone();
                (one.asset(&asset, &video), Some(other.asset(asset, video)))
            }
            36..56 if room => {
                // A re-upload: two videos of one channel under one asset.
                let asset = self.asset_id();
                self.add(Asset::web(&asset, &video));
                let second = self.video(channel).asset(&asset, &video);
                (row.asset(asset, video), Some(second))
            }
            56..71 if room => {
                // The same video claimed twice with the same asset.
                let asset = self.asset_id();
                self.add(Asset::web(&asset, &video));
                let row = row.asset(asset, video);
                (row.clone(), Some(row))
            }
            _ => (self.ordinary(row, channel), None),
        }
    }

    /// One video, one asset, in one of the states that a CMS gets into.
    fn ordinary(&mut self, row: ReportRow, channel: usize) -> ReportRow {
        let id = self.asset_id();
        let video = row.video_id.clone();
        let target = self.partners[channel].custom_id.clone();
        let by_hand = format!("HAND-{}", self.made);
        let artist = format!("Artist {channel}");
        let (asset, reported) = match self.rng.random_range(0..1000) {
            0..60 => (Asset::web(&id, ""), String::new()),
            60..120 => (Asset::web(&id, &target), target),
            120..140 => (Asset::web(&id, &target), video),
            140..180 => (Asset::web(&id, &by_hand), by_hand),
            180..192 => (Asset::web(&id, &by_hand), video),
            192..212 => (Asset::web(&id, &video).of_type("music_video").by(&[&artist]), video),
            212..222 => {
                (Asset::web(&id, "").of_type("sound_recording").by(&[&artist, "B-side"]), String::new())
            }
            222..226 => (Asset::web(&id, &video).of_type("music_video"), video),
            226..230 => {
                let into = self.asset_id();
                self.add(Asset::web(&into, &target));
                (Asset::web(&id, &video).standing(Standing::Merged { into }), video)
            }
            230..234 => (Asset::web(&id, &video).standing(Standing::Gone), video),
            234..237 => (Asset::web(&id, "").standing(Standing::Foreign), String::new()),
            237..247 => (Asset::web(&id, &video).of_type("art_track_video").by(&[&artist]), video),
            _ => (Asset::web(&id, &video), video),
        };
        self.add(asset);
        row.asset(id, reported)
    }

    fn claimed_row(&mut self, number: u64) -> ReportRow {
        let channel = self.rng.random_range(0..self.claimed_channels.len());
        let mut row = ReportRow::new(letters(&mut self.rng, 11), self.claimed_channels[channel].clone());
        row.channel_display_name = format!("Somebody's channel {channel}");
        row.title = self.title(number);
        row.views = self.rng.random_range(0..5_000);
        match self.rng.random_range(0..100) {
            0..3 => row,
            // A reference of a partner found in somebody else's video: that row is no reason to touch the asset.
            3..15 if !self.recent.is_empty() => {
                let at = self.rng.random_range(0..self.recent.len());
                let (asset, custom_id) = self.recent[at].clone();
                row.asset(asset, custom_id)
            }
            _ => row.asset(format!("A9{number:015}"), claimed_custom_id(number)),
        }
    }

    fn pick(&self, share: f64) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a small length"
        )]
        let at = (share * self.partners.len() as f64) as usize;
        at.min(self.partners.len() - 1)
    }

    fn video(&mut self, channel: usize) -> ReportRow {
        let mut row = ReportRow::new(letters(&mut self.rng, 11), self.partners[channel].channel_id.clone());
        row.channel_display_name.clone_from(&self.partners[channel].name);
        row.title = self.title(self.made as u64);
        // A long tail: most videos have a few hundred views, a handful have hundreds of millions.
        let rank: f64 = self.rng.random_range(0.000_001..1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded by 120 / 0.000001^1.1"
        )]
        let views = (120.0 / rank.powf(1.1)) as u64;
        row.viewed(views)
    }

    fn title(&mut self, number: u64) -> Vec<u8> {
        let roll: usize = self.rng.random_range(0..60 * HOSTILE_TITLES.len());
        if let Some(hostile) = HOSTILE_TITLES.get(roll) {
            return hostile.to_vec();
        }
        let (opening, ending) = (OPENINGS[roll % OPENINGS.len()], ENDINGS[(roll / 12) % ENDINGS.len()]);
        format!("{opening} {ending} #{number}").into_bytes()
    }

    fn asset_id(&mut self) -> String {
        format!("A1{:015}", self.rng.random_range(0..1_000_000_000_000_000_u64))
    }

    fn add(&mut self, asset: Asset) {
        self.assets.insert(asset.id.clone(), asset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Kind;

    #[test]
    fn the_default_world_has_the_known_figures() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::generate(1, Size::default(), dir.path()).unwrap();
        assert_eq!((world.sheet_rows, world.channels.len()), (372, 368));
        assert_eq!((world.report_rows, world.claimed_rows), (38_412, 412));
        let bytes = fs::metadata(&world.report_path).unwrap().len();
        assert!((300..360).contains(&(bytes / 38_412)), "{} bytes a row", bytes / 38_412);
        let counts = world.expected_counts();
        for kind in [Kind::Updated, Kind::AlreadyRight, Kind::SetByHand, Kind::Conflict] {
            assert!(counts.get(&kind).is_some_and(|count| *count > 100), "{kind:?}: {counts:?}");
        }
        for reason in ["gone", "merged", "forbidden", "artist_missing"] {
            assert!(counts.contains_key(&Kind::Refused(reason)), "{reason}: {counts:?}");
        }
        let mut rows = csv::Reader::from_path(&world.report_path).unwrap();
        assert_eq!(rows.headers().unwrap().len(), 43);
        let partners: std::collections::HashSet<Vec<u8>> = partner_list(&world.channels, &world.stored)
            .into_iter()
            .map(|p| p.channel_id.into_bytes())
            .collect();
        let of_partners =
            rows.byte_records().filter(|row| partners.contains(&row.as_ref().unwrap()[1])).count();
        assert_eq!(of_partners, 38_000);
    }

    #[test]
    fn one_seed_makes_one_world() {
        let read = |seed| {
            let dir = tempfile::tempdir().unwrap();
            let world = World::generate(seed, Size { channels: 40, videos: 2_000 }, dir.path()).unwrap();
            (fs::read(&world.sheet_path).unwrap(), fs::read(&world.report_path).unwrap(), world.truth)
        };
        assert_eq!(read(7), read(7));
        assert_ne!(read(7).1, read(8).1);
    }

    #[test]
    fn a_larger_report_grows_by_other_peoples_rows() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::generate(1, Size { channels: 372, videos: 60_000 }, dir.path()).unwrap();
        assert_eq!((world.report_rows, world.claimed_rows), (60_000, 22_000));
    }

    #[test]
    fn the_smallest_world_is_one_channel_and_one_video() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::generate(1, Size { channels: 1, videos: 1 }, dir.path()).unwrap();
        assert_eq!((world.sheet_rows, world.channels.len(), world.report_rows), (1, 1, 1));
    }

    #[test]
    fn an_asset_of_a_claimed_row_follows_from_its_id() {
        assert_eq!(claimed_asset("A9000000000000007", 8).unwrap().custom_id.as_deref(), Some("REF-000007"));
        assert_eq!(claimed_asset("A9000000000000008", 8), None);
        assert_eq!(claimed_asset("A1000000000000007", 8), None);
        assert_eq!(claimed_asset("A907", 8), None);
    }
}
