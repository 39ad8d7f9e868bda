//! What must become of every asset, worked out from what the world was made of and not from what a task would read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::world::{Asset, SheetChannel, Standing, StoredChannel};
use crate::youtube::content_id::is_custom_id;

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
