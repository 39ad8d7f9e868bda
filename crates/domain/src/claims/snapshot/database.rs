//! Whose assets are by the videos of the internal content database, for assets of which no report says so.
//!
//! The database is a copy of the catalogue, older than the reports and changed by others than the CMS. So it answers
//! this one question, and only where the reports are silent: an asset's custom ID is never taken from it.

use hashbrown::{HashMap, HashSet};

use super::state::ReportFacts;
use crate::id::{AssetId, ChannelId, IdError};

/// The channel whose videos carry an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Carrier {
    pub channel: ChannelId,
    /// Whether several partner channels have such videos.
    pub is_shared: bool,
}

impl Carrier {
    /// Takes another channel into account: a partner goes before a stranger, and of equals the first in the order of
    /// ids. `known` is none for the first channel of all.
    pub fn with(known: Option<Self>, channel: ChannelId, partners: &HashSet<ChannelId>) -> Self {
        let Some(mut known) = known.filter(|known| known.channel != channel) else {
            return known.unwrap_or(Self { channel, is_shared: false });
        };
        let [is_ours, is_known_ours] = [channel, known.channel].map(|channel| partners.contains(&channel));
        known.is_shared |= is_ours && is_known_ours;
        if (!is_ours, channel) < (!is_known_ours, known.channel) {
            known.channel = channel;
        }
        known
    }
}

/// The database's videos, as far as a week needs them: some 50 bytes for each asset. The order of videos changes
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct DatabaseVideos {
    partners: HashSet<ChannelId>,
    carriers: HashMap<AssetId, Carrier>,
    rows: u64,
    used: u64,
}

impl DatabaseVideos {
    /// Without a video yet. Of several channels whose videos carry one asset a partner's goes first.
    pub fn new(partners: impl IntoIterator<Item = ChannelId>) -> Self {
        Self { partners: partners.into_iter().collect(), ..Self::default() }
    }

    /// Takes a video. One without a channel or an asset is of no use, and no fault; `Err` for an id that is none, and
    /// what is right beside it is taken all the same.
    pub fn add(&mut self, channel_id: Option<&str>, asset_ids: Option<&str>) -> Result<(), IdError> {
        self.rows += 1;
        let is_used = self.take(channel_id.unwrap_or_default().trim(), asset_ids.unwrap_or_default())?;
        self.used += u64::from(is_used);
        Ok(())
    }

    fn take(&mut self, channel_id: &str, asset_ids: &str) -> Result<bool, IdError> {
        // Several assets stand as they do in the video report.
        let asset_ids = asset_ids.split('|').map(str::trim).filter(|id| !id.is_empty());
        if channel_id.is_empty() {
            return Ok(false);
        }
        let channel = ChannelId::parse(channel_id)?;
        let mut taken = Ok(false);
        for id in asset_ids {
            match AssetId::parse_bytes(id.as_bytes()) {
                Ok(id) => {
                    let known = self.carriers.get(&id).copied();
                    self.carriers.insert(id, Carrier::with(known, channel, &self.partners));
                    taken = taken.map(|_| true);
                }
                Err(error) => taken = Err(error),
            }
        }
        taken
    }

    /// Whether no asset is told of.
    pub fn is_empty(&self) -> bool {
        self.carriers.is_empty()
    }

    /// What it came to: videos, assets, channels. Rejected is what says of no asset whose it is.
    pub fn facts(&self) -> ReportFacts {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let channels: HashSet<ChannelId> = self.carriers.values().map(|carrier| carrier.channel).collect();
        ReportFacts {
            rows: self.rows,
            used: self.used,
            rejected: self.rows - self.used,
            entries: count(self.carriers.len()),
            channels: count(channels.len()),
            ..ReportFacts::default()
        }
    }

    pub(super) fn carrier(&self, asset: AssetId) -> Option<Carrier> {
        self.carriers.get(&asset).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::world::channel;

    #[test]
    fn a_video_without_a_channel_or_an_asset_is_no_fault_and_an_id_that_is_none_is_one() {
        let mut videos = DatabaseVideos::default();
        let one = channel(1);
        let one = one.as_str();
        for (channel, assets, is_good) in [
            (None, Some("A000000000000001"), true),
            (Some(one), None, true),
            (Some("  "), Some("A000000000000001"), true),
            (Some(one), Some(" | "), true),
            (Some("UCshort"), Some("A000000000000001"), false),
            (Some(one), Some("nonsense|A000000000000002"), false),
        ] {
            assert_eq!(videos.add(channel, assets).is_ok(), is_good, "{channel:?} {assets:?}");
        }
        assert!(videos.carrier(AssetId::parse_bytes(b"A000000000000001").unwrap()).is_none());
        assert!(videos.carrier(AssetId::parse_bytes(b"A000000000000002").unwrap()).is_some());
        videos.add(Some(&format!(" {one}")), Some("A000000000000002| A000000000000003")).unwrap();
        let facts = videos.facts();
        assert_eq!((facts.rows, facts.used, facts.rejected), (7, 1, 6));
        assert_eq!((facts.entries, facts.channels), (2, 1));
    }
}
