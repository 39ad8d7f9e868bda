//! What must become of every asset, worked out from what the world was made of and not from what a task would read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::world::{Asset, SheetChannel, Standing, StoredChannel};
use crate::youtube::catalogue::is_custom_id;

/// How an asset must end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Written once, with its channel's custom ID.
    Updated,
    /// Had its channel's custom ID already.
    AlreadyRight,
    /// Has a value that is neither empty nor a default: left alone.
    SetByHand,
    /// Two partner channels disagree about it, or its channel has no usable custom ID: left alone.
    Conflict,
    /// Cannot be written, for this reason.
    Refused(&'static str),
    /// Belongs to no partner channel: never touched.
    NotPartner,
}

/// An asset's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// Its custom ID at the end.
    pub value: Option<String>,
    /// Why.
    pub kind: Kind,
}

/// What the report says about one asset of a partner channel.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reported {
    /// Channel and video of each row.
    rows: Vec<(String, String)>,
    /// The custom IDs reported, once each; empty text for none.
    custom_ids: BTreeSet<String>,
}

/// The custom ID of every partner channel once the backfill ran; `None` where the records give no usable one.
pub(crate) fn partners(sheet: &[SheetChannel], stored: &[StoredChannel]) -> HashMap<String, Option<String>> {
    let mut partners: HashMap<String, Option<String>> = HashMap::new();
    for record in stored {
        let usable = record.custom_id.clone().filter(|custom_id| is_custom_id(custom_id));
        partners
            .entry(record.channel_id.clone())
            .and_modify(|known| {
                if *known != usable {
                    *known = None;
                }
            })
            .or_insert(usable);
    }
    for channel in sheet {
        partners.insert(channel.channel_id.clone(), Some(channel.custom_id.clone()));
    }
    partners
}

/// Gathers the partner rows while the report is being written.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    assets: HashMap<String, Reported>,
}

impl Ledger {
    pub(crate) fn note(&mut self, asset: &str, channel: &str, video: &str, custom_id: &str) {
        let reported = self.assets.entry(asset.to_owned()).or_default();
        reported.rows.push((channel.to_owned(), video.to_owned()));
        reported.custom_ids.insert(custom_id.to_owned());
    }

    /// Judges every asset by the policy `fill-default`.
    pub(crate) fn judge(
        self,
        partners: &HashMap<String, Option<String>>,
        assets: &HashMap<String, Asset>,
    ) -> BTreeMap<String, Expected> {
        self.assets
            .into_iter()
            .filter_map(|(id, mut reported)| {
                // Only the rows of partner channels count, also for the question which values are defaults.
                reported.rows.retain(|(channel, _)| partners.contains_key(channel));
                if reported.rows.is_empty() {
                    return None;
                }
                let live = assets.get(&id).and_then(|asset| asset.custom_id.clone());
                let kind = judge_one(&reported, partners, assets.get(&id), live.as_deref());
                let value = match &kind {
                    (Kind::Updated, Some(target)) => Some(target.clone()),
                    _ => live,
                };
                Some((id, Expected { value, kind: kind.0 }))
            })
            .collect()
    }
}

fn judge_one(
    reported: &Reported,
    partners: &HashMap<String, Option<String>>,
    asset: Option<&Asset>,
    live: Option<&str>,
) -> (Kind, Option<String>) {
    let targets: BTreeSet<Option<&String>> =
        reported.rows.iter().filter_map(|(channel, _)| partners.get(channel).map(Option::as_ref)).collect();
    let [Some(target)] = targets.into_iter().collect::<Vec<_>>()[..] else { return (Kind::Conflict, None) };

    let is_default = |value: &str| value.is_empty() || reported.rows.iter().any(|(_, video)| video == value);
    if !reported.custom_ids.iter().any(|value| is_default(value)) {
        // Nothing that the report shows could be overwritten, so the live value is never asked for.
        let right = reported.custom_ids.iter().all(|value| value == target);
        return (if right { Kind::AlreadyRight } else { Kind::SetByHand }, None);
    }
    let Some(asset) = asset else { return (Kind::Refused("gone"), None) };
    let kind = match &asset.standing {
        Standing::Gone => Kind::Refused("gone"),
        Standing::Merged { .. } => Kind::Refused("merged"),
        Standing::Foreign => Kind::Refused("forbidden"),
        Standing::Live if live == Some(target.as_str()) => Kind::AlreadyRight,
        Standing::Live if !is_default(live.unwrap_or_default()) => Kind::SetByHand,
        Standing::Live if asset.is_music() && asset.artists.is_empty() => Kind::Refused("artist_missing"),
        Standing::Live => Kind::Updated,
    };
    (kind, Some(target.clone()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::world::{ReportRow, WorldBuilder};

    const ONE: &str = "UC0000000000000000000001";
    const TWO: &str = "UC0000000000000000000002";
    const TWIN: &str = "UC0000000000000000000003";
    const NAMELESS: &str = "UC0000000000000000000004";
    const STRANGER: &str = "UC0000000000000000000009";

    fn judged(asset: &Asset, rows: &[(&str, &str, &str)]) -> Option<Expected> {
        let dir = tempfile::tempdir().unwrap();
        let id = asset.id.clone();
        let mut world = WorldBuilder::new()
            .channel(ONE, "ONE", "One")
            .channel(TWO, "TWO", "Two")
            .channel(TWIN, "ONE", "Twin")
            .stored(NAMELESS, NAMELESS, None, None)
            .asset(asset.clone());
        for (channel, video, custom_id) in rows {
            world = world.row(ReportRow::new(*video, *channel).asset(&id, *custom_id));
        }
        let world = world.build(Path::new(dir.path())).unwrap();
        world.truth.get(&id).cloned()
    }

    fn ends(asset: &Asset, rows: &[(&str, &str, &str)], kind: Kind, value: Option<&str>) {
        let expected = Some(Expected { value: value.map(str::to_owned), kind });
        assert_eq!(judged(asset, rows), expected, "{asset:?} {rows:?}");
    }

    fn live(custom_id: &str) -> Asset {
        Asset::web("A100000000000001", custom_id)
    }

    #[test]
    fn a_default_is_written_and_a_value_set_by_hand_is_not() {
        let reported = |custom_id| [(ONE, "video000001", custom_id)];
        ends(&live("video000001"), &reported("video000001"), Kind::Updated, Some("ONE"));
        ends(&live(""), &reported(""), Kind::Updated, Some("ONE"));
        ends(&live("ONE"), &reported("video000001"), Kind::AlreadyRight, Some("ONE"));
        ends(&live("ONE"), &reported("ONE"), Kind::AlreadyRight, Some("ONE"));
        ends(&live("HAND"), &reported("HAND"), Kind::SetByHand, Some("HAND"));
        ends(&live("HAND"), &reported("video000001"), Kind::SetByHand, Some("HAND"));
    }

    #[test]
    fn every_video_of_the_asset_counts_as_a_default_and_a_strangers_does_not() {
        let both = [(ONE, "video000001", "video000002"), (ONE, "video000002", "video000002")];
        ends(&live("video000002"), &both, Kind::Updated, Some("ONE"));
        let mixed = [(ONE, "video000001", "video000001"), (STRANGER, "video000002", "video000001")];
        ends(&live("video000002"), &mixed, Kind::SetByHand, Some("video000002"));
        assert_eq!(judged(&live("x"), &[(STRANGER, "video000001", "x")]), None);
    }

    #[test]
    fn partners_that_disagree_or_have_no_custom_id_make_a_conflict() {
        let claimed = |other| [(ONE, "video000001", "video000001"), (other, "video000002", "video000001")];
        ends(&live("video000001"), &claimed(TWO), Kind::Conflict, Some("video000001"));
        ends(&live("video000001"), &claimed(NAMELESS), Kind::Conflict, Some("video000001"));
        ends(&live("video000001"), &claimed(TWIN), Kind::Updated, Some("ONE"));
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let rows = [(ONE, "video000001", "video000001")];
        let standing = |standing| live("video000001").standing(standing);
        let value = Some("video000001");
        ends(&standing(Standing::Gone), &rows, Kind::Refused("gone"), value);
        ends(&standing(Standing::Foreign), &rows, Kind::Refused("forbidden"), value);
        ends(&standing(Standing::Merged { into: "A2".into() }), &rows, Kind::Refused("merged"), value);
        ends(&live("video000001").of_type("music_video"), &rows, Kind::Refused("artist_missing"), value);
        ends(&live("video000001").of_type("music_video").by(&["X"]), &rows, Kind::Updated, Some("ONE"));
    }
}
