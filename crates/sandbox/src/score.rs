//! The score: what the tasks left behind, beside what the world was made of.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::world::{Kind, StoredChannel, World};
use crate::youtube::catalogue::{Catalogue, Write};

/// How the database came out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChannelScore {
    /// Channels of the sheet that had no record and have one now.
    pub created: u64,
    /// Channels whose record was changed to what the sheet says.
    pub updated: u64,
    /// Channels whose record said it already.
    pub unchanged: u64,
    /// Channels whose records do not say what the sheet says, or were changed without being in the sheet.
    pub wrong: Vec<String>,
}

/// An asset that did not end as it must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrongAsset {
    /// The asset.
    pub id: String,
    /// How it should have ended.
    pub kind: Kind,
    /// The custom ID it should have.
    pub expected: Option<String>,
    /// The custom ID it has.
    pub found: Option<String>,
}

/// How the CMS came out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AssetScore {
    /// Partner assets that carry the right custom ID, by how they must end.
    pub right: BTreeMap<Kind, u64>,
    /// Partner assets that do not.
    pub wrong: Vec<WrongAsset>,
    /// Right without a write: had to stay as they were, and did.
    pub untouched: u64,
    /// Writes to assets that nothing was to be written to, or of another value than theirs.
    pub unplanned_writes: Vec<Write>,
    /// Writes beyond the first one to an asset, all of the same value.
    pub repeated_writes: u64,
    /// Assets whose own metadata or labels are not what they were, but for the custom ID.
    pub metadata_lost: Vec<String>,
}

/// The whole score.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// The database.
    pub channels: ChannelScore,
    /// The CMS.
    pub assets: AssetScore,
}

impl Score {
    pub(crate) fn new(world: &World, channels: &[StoredChannel], catalogue: &Catalogue) -> Self {
        Self { channels: score_channels(world, channels), assets: score_assets(world, catalogue) }
    }

    /// Whether the truth was met: everything right, nothing written that was not to be written.
    pub fn is_perfect(&self) -> bool {
        self.channels.wrong.is_empty()
            && self.assets.wrong.is_empty()
            && self.assets.unplanned_writes.is_empty()
            && self.assets.metadata_lost.is_empty()
    }

    /// Partner assets that ended right.
    pub fn right_count(&self) -> u64 {
        self.assets.right.values().sum()
    }
}

fn by_channel(records: &[StoredChannel]) -> HashMap<&str, Vec<&StoredChannel>> {
    let mut found: HashMap<&str, Vec<&StoredChannel>> = HashMap::new();
    for record in records {
        found.entry(&record.channel_id).or_default().push(record);
    }
    found
}

fn score_channels(world: &World, now: &[StoredChannel]) -> ChannelScore {
    let (before, now) = (by_channel(&world.stored), by_channel(now));
    let mut score = ChannelScore::default();
    for channel in &world.channels {
        let says = |record: &&StoredChannel| {
            record.custom_id.as_ref() == Some(&channel.custom_id)
                && (channel.display_name.is_empty()
                    || record.display_name.as_ref() == Some(&channel.display_name))
        };
        let id = channel.channel_id.as_str();
        match (before.get(id), now.get(id)) {
            (_, None) => score.wrong.push(id.to_owned()),
            (_, Some(records)) if !records.iter().all(says) => score.wrong.push(id.to_owned()),
            (None, Some(_)) => score.created += 1,
            (Some(old), Some(_)) if old.iter().all(says) => score.unchanged += 1,
            (Some(_), Some(_)) => score.updated += 1,
        }
    }
    let in_sheet: std::collections::HashSet<&str> =
        world.channels.iter().map(|channel| channel.channel_id.as_str()).collect();
    for id in before.keys().chain(now.keys()).filter(|id| !in_sheet.contains(**id)) {
        if before.get(id) != now.get(id) && !score.wrong.iter().any(|known| known == id) {
            score.wrong.push((*id).to_owned());
        }
    }
    score.wrong.sort();
    score
}

fn score_assets(world: &World, catalogue: &Catalogue) -> AssetScore {
    let mut score = AssetScore::default();
    let mut written: HashMap<String, u64> = HashMap::new();
    for write in catalogue.writes() {
        let expected = world.truth.get(&write.asset_id);
        let planned =
            expected.is_some_and(|expected| expected.kind == Kind::Updated && expected.value == write.new);
        let count = written.entry(write.asset_id.clone()).or_default();
        *count += 1;
        if !planned {
            score.unplanned_writes.push(write);
        } else if *count > 1 {
            score.repeated_writes += 1;
        }
    }
    for (id, expected) in &world.truth {
        let now = catalogue.asset(id);
        if let (Some(before), Some(now)) = (world.assets.get(id), &now)
            && !now.has_metadata_of(before)
        {
            score.metadata_lost.push(id.clone());
        }
        let found = now.and_then(|asset| asset.custom_id);
        if found == expected.value {
            *score.right.entry(expected.kind.clone()).or_default() += 1;
            if !written.contains_key(id) {
                score.untouched += 1;
            }
        } else {
            score.wrong.push(WrongAsset {
                id: id.clone(),
                kind: expected.kind.clone(),
                expected: expected.value.clone(),
                found,
            });
        }
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::world::Asset;

    const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

    fn world() -> World {
        let dir = tempfile::tempdir().unwrap();
        World::small(dir.path()).unwrap()
    }

    fn record(custom_id: &str) -> StoredChannel {
        StoredChannel {
            id: CHANNEL.into(),
            channel_id: CHANNEL.into(),
            custom_id: Some(custom_id.into()),
            display_name: Some("First Channel".into()),
        }
    }

    fn catalogue(custom_id: &str) -> Catalogue {
        let asset = Asset::web("A100000000000001", custom_id);
        Catalogue::new(HashMap::from([(asset.id.clone(), asset)]), 0, "owner", Clock::start())
    }

    #[test]
    fn a_world_where_nothing_ran_is_no_perfect_world() {
        let world = world();
        let score = Score::new(&world, &[], &catalogue("vid00000001"));
        assert_eq!(score.channels.wrong, [CHANNEL]);
        assert_eq!(score.assets.wrong[0].expected.as_deref(), Some("IND-0001"));
        assert!(!score.is_perfect());
    }

    #[test]
    fn tells_created_updated_and_unchanged_channels_apart() {
        let mut world = world();
        let score = |world: &World, now: &str| Score::new(world, &[record(now)], &catalogue("IND-0001"));
        assert_eq!(score(&world, "IND-0001").channels.created, 1);
        world.stored = vec![record("OLD")];
        assert_eq!(score(&world, "IND-0001").channels.updated, 1);
        assert_eq!(score(&world, "OLD").channels.wrong, [CHANNEL]);
        world.stored = vec![record("IND-0001")];
        assert_eq!(score(&world, "IND-0001").channels.unchanged, 1);
        assert!(score(&world, "IND-0001").is_perfect());
    }

    #[test]
    fn a_record_that_is_not_in_the_sheet_must_stay_as_it_was() {
        let mut world = world();
        let mut other = record("LEGACY");
        other.id = "UCzzzzzzzzzzzzzzzzzzzzzz".into();
        other.channel_id = other.id.clone();
        world.stored = vec![other.clone()];
        let right = [record("IND-0001"), other.clone()];
        assert!(Score::new(&world, &right, &catalogue("IND-0001")).is_perfect());
        other.custom_id = Some("changed".into());
        let wrong = Score::new(&world, &[record("IND-0001"), other], &catalogue("IND-0001"));
        assert_eq!(wrong.channels.wrong, ["UCzzzzzzzzzzzzzzzzzzzzzz"]);
    }
}
