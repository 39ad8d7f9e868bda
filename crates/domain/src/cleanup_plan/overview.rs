//! A plan at a glance: counts per channel and reason.

use std::collections::BTreeMap;

use super::decide::Decision;
use crate::custom_id::CustomId;
use crate::id::{AssetId, ChannelId};

/// What the plan means for one channel's assets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelCounts {
    /// Writes to assets without a custom ID.
    pub fill_empty: u64,
    /// Writes over YouTube's default, the video ID.
    pub fill_default: u64,
    /// Writes over a value that was set by hand.
    pub overwrite: u64,
    /// Assets that carry the right value.
    pub already_right: u64,
    /// Values set by hand that stay.
    pub set_by_hand: u64,
    /// Assets in conflict.
    pub conflict: u64,
    /// Assets that cannot be set.
    pub rejected: u64,
}

impl ChannelCounts {
    /// All writes.
    pub fn writes(&self) -> u64 {
        self.fill_empty + self.fill_default + self.overwrite
    }

    /// All assets.
    pub fn total(&self) -> u64 {
        self.writes() + self.already_right + self.set_by_hand + self.conflict + self.rejected
    }

    fn add(&mut self, other: &Self) {
        self.fill_empty += other.fill_empty;
        self.fill_default += other.fill_default;
        self.overwrite += other.overwrite;
        self.already_right += other.already_right;
        self.set_by_hand += other.set_by_hand;
        self.conflict += other.conflict;
        self.rejected += other.rejected;
    }
}

/// So many values that would be lost are named one by one; the plan has them all.
const OVERWRITES_NAMED: usize = 10;

/// A value set by hand that the plan overwrites.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overwrite {
    /// The asset.
    pub asset_id: AssetId,
    /// The value that is lost.
    pub old: String,
    /// The value that takes its place.
    pub new: CustomId,
}

/// Counts for every channel that has an asset in the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    channels: BTreeMap<ChannelId, ChannelCounts>,
    targets: BTreeMap<ChannelId, CustomId>,
    overwrites: Vec<Overwrite>,
}

impl Overview {
    /// Counts a decision for an asset and its channel.
    pub fn note(&mut self, channel: ChannelId, asset_id: AssetId, decision: &Decision) {
        if let Decision::Update(update) = decision {
            self.targets.entry(channel).or_insert_with(|| update.new.clone());
            if let ("differs", Some(old)) = (update.reason, &update.old)
                && self.overwrites.len() < OVERWRITES_NAMED
            {
                self.overwrites.push(Overwrite { asset_id, old: old.clone(), new: update.new.clone() });
            }
        }
        let counts = self.channels.entry(channel).or_default();
        *match decision {
            Decision::Update(update) => match update.reason {
                "empty" => &mut counts.fill_empty,
                "default_video_id" => &mut counts.fill_default,
                _ => &mut counts.overwrite,
            },
            Decision::AlreadyRight => &mut counts.already_right,
            Decision::Skipped { .. } => &mut counts.set_by_hand,
            Decision::Conflict { .. } => &mut counts.conflict,
            Decision::Reject { .. } => &mut counts.rejected,
        } += 1;
    }

    /// Each channel with its counts: the most writes first, then by id.
    pub fn channels(&self) -> Vec<(ChannelId, ChannelCounts)> {
        let mut channels: Vec<_> = self.channels.iter().map(|(id, counts)| (*id, *counts)).collect();
        channels.sort_by(|a, b| b.1.writes().cmp(&a.1.writes()).then(a.0.cmp(&b.0)));
        channels
    }

    /// The custom ID that a channel's assets get; none where nothing is written.
    pub fn target(&self, channel: ChannelId) -> Option<&CustomId> {
        self.targets.get(&channel)
    }

    /// The first few values set by hand that the plan overwrites, most viewed first.
    pub fn overwrites(&self) -> &[Overwrite] {
        &self.overwrites
    }

    /// All channels together.
    pub fn total(&self) -> ChannelCounts {
        self.channels.values().fold(ChannelCounts::default(), |mut total, counts| {
            total.add(counts);
            total
        })
    }
}
