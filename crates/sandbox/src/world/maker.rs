//! Making the rows of a report and the assets behind them, in every state that a CMS gets into.

use std::collections::{HashMap, VecDeque};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::world::report::ReportRow;
use crate::world::titles::{ENDINGS, HOSTILE_TITLES, OPENINGS};
use crate::world::truth::Ledger;
use crate::world::{Asset, Standing, StoredVideo};

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

/// Random letters of the alphabet that video and channel IDs are written in.
pub(super) fn letters(rng: &mut ChaCha8Rng, count: usize) -> String {
    (0..count).map(|_| char::from(ID_LETTERS[rng.random_range(0..64_usize)])).collect()
}

/// A channel whose assets are to carry a custom ID.
pub(super) struct Partner {
    pub channel_id: String,
    pub custom_id: String,
    pub name: String,
}

/// Makes rows, and notes what they say.
pub(super) struct Maker {
    rng: ChaCha8Rng,
    partners: Vec<Partner>,
    claimed_channels: Vec<String>,
    pub assets: HashMap<String, Asset>,
    pub ledger: Ledger,
    pub videos: Vec<StoredVideo>,
    /// Second rows of assets, each with the partner row before which it must not stand.
    pending: VecDeque<(usize, ReportRow)>,
    made: usize,
    /// Partner assets that claims on other people's videos refer to.
    recent: VecDeque<(String, String)>,
}

impl Maker {
    pub(super) fn new(mut rng: ChaCha8Rng, partners: Vec<Partner>) -> Self {
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

    pub(super) fn note(&mut self, row: &ReportRow) {
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
    pub(super) fn partner_row(&mut self, left: usize) -> ReportRow {
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

    pub(super) fn claimed_row(&mut self, number: u64) -> ReportRow {
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

    #[test]
    fn an_asset_of_a_claimed_row_follows_from_its_id() {
        assert_eq!(claimed_asset("A9000000000000007", 8).unwrap().custom_id.as_deref(), Some("REF-000007"));
        assert_eq!(claimed_asset("A9000000000000008", 8), None);
        assert_eq!(claimed_asset("A1000000000000007", 8), None);
        assert_eq!(claimed_asset("A907", 8), None);
    }
}
