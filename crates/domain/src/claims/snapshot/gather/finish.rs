//! The end of the rows.

use super::super::claim_state::{ClaimEntry, ClaimState, NO_ASSET};
use super::super::hashing::fingerprint;
use super::super::kept::KEPT_CLAIMS;
use super::super::state::{AssetState, ContestedVideo, Known, ReferenceState, Snapshot};
use super::entries::{at, at_mut};
use super::{Gather, Source, add};
use crate::claims::risk::{Candidate, Candidates};

/// Does two things: one after the other, or side by side where there are threads for it, of which nothing is known here.
pub trait Both: Sync {
    /// What the two give.
    fn both<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B);
}

/// One after the other.
#[derive(Debug, Clone, Copy, Default)]
pub struct InTurn;

impl Both for InTurn {
    fn both<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        (one(), other())
    }
}

impl Gather {
    /// The week, everything in the order of its ids and everything summed that needs all rows.
    pub fn finish(self) -> Snapshot {
        self.finish_on(&InTurn)
    }

    /// The same where two things may be done side by side.
    pub fn finish_on(self, both: &impl Both) -> Snapshot {
        let Self {
            week,
            mut strings,
            assets,
            videos,
            channels,
            uploaders,
            references,
            claims,
            mut open_claims,
            own_channels,
            mut contested,
            candidates,
            reports,
            database,
            asset_rows,
            video_rows,
            conflict_rows,
            ..
        } = self;
        strings.close();
        drop((assets.index, videos.index, channels.index, uploaders.index, references.index));
        let (mut assets, new_asset) = sorted(assets.entries, |asset| asset.id);
        if let Some(database) = database {
            // Only now is it sure that no report tells them.
            for asset in assets.iter_mut().filter(|asset| asset.channel.is_none()) {
                if let Some(carrier) = database.carrier(asset.id) {
                    asset.carry(carrier);
                    asset.told |= AssetState::CHANNEL_BY_DATABASE;
                }
            }
        }
        let (mut channels, new_channel) = sorted(channels.entries, |channel| channel.id);
        let renumbered = |numbers: &[u32], old: Option<u32>| old.and_then(|old| at(numbers, old).copied());

        let count_claims = || {
            // Of rows that disagree about one claim the highest state stands, and of its assets the first.
            let claims = claims.into_sorted(
                both,
                |claim| ClaimEntry::new(claim.key(), renumbered(&new_asset, claim.asset()), claim.state()),
                |claim| (std::cmp::Reverse(claim.state()), claim.asset().unwrap_or(NO_ASSET)),
            );
            // By themselves first: five million looks all over the assets would each wait for memory.
            let count_some = |claims: &[ClaimEntry]| {
                let mut counts = vec![ClaimCounts::default(); assets.len()];
                for claim in claims {
                    let Some(counts) = claim.asset().and_then(|asset| at_mut(&mut counts, asset)) else {
                        continue;
                    };
                    add(&mut counts.all, true);
                    add(&mut counts.active, claim.state() == ClaimState::Active);
                    add(&mut counts.inactive, claim.state() == ClaimState::Inactive);
                    add(&mut counts.disputed, claim.state().is_disputed());
                }
                counts
            };
            let (some, others) = claims.split_at(claims.len() / 2);
            let (some, others) = both.both(|| count_some(some), || count_some(others));
            for (asset, (some, others)) in assets.iter_mut().zip(some.into_iter().zip(others)) {
                asset.claims = some.all.saturating_add(others.all);
                asset.claims_active = some.active.saturating_add(others.active);
                asset.claims_inactive = some.inactive.saturating_add(others.inactive);
                asset.claims_disputed = some.disputed.saturating_add(others.disputed);
            }
            (claims, assets)
        };
        let put_in_order = || {
            let mut videos = videos.entries;
            videos.sort_unstable_by_key(|video| video.id);
            for video in &mut videos {
                video.asset = renumbered(&new_asset, video.asset);
                video.channel = renumbered(&new_channel, Some(video.channel)).unwrap_or(video.channel);
                if let Some(channel) = at_mut(&mut channels, video.channel) {
                    add(&mut channel.videos, true);
                    channel.views = channel.views.plus(video.views);
                    channel.engaged_views = channel.engaged_views.plus(video.engaged_views);
                }
            }
            // Nearly all of a million are asked for nothing any more.
            let mut uploaders = uploaders.entries;
            let uploader_count = count(uploaders.len());
            uploaders.retain(|uploader| uploader.claims >= KEPT_CLAIMS || uploader.claims_disputed > 0);
            uploaders.shrink_to_fit();
            uploaders.sort_unstable_by_key(|uploader| uploader.id);

            let mut references: Vec<ReferenceState> =
                references.entries.into_iter().map(|gathered| gathered.state).collect();
            for reference in &mut references {
                reference.asset = renumbered(&new_asset, reference.asset);
            }
            references.sort_unstable_by(|a, b| strings.get(a.id).cmp(strings.get(b.id)));
            // Names that are the same as far as they are kept are one from here on: the history knows nothing else of them.
            references.dedup_by(|later, first| {
                let is_same = strings.get(later.id) == strings.get(first.id);
                if is_same {
                    first.add(later);
                }
                is_same
            });
            let repeated = [
                (Source::Assets, repeated(asset_rows)),
                (Source::Videos, repeated(video_rows)),
                (Source::Conflicts, repeated(conflict_rows)),
                (Source::Claims, 0),
            ];
            (videos, channels, uploaders, uploader_count, references, repeated)
        };
        let ((claims, assets), (videos, channels, uploaders, uploader_count, references, repeated)) =
            both.both(count_claims, put_in_order);

        // Of rows that disagree about one claim the most pressing status stands.
        open_claims.sort_unstable();
        open_claims.dedup_by(|later, first| later.claim_id == first.claim_id);
        // Of rows that name different owners, or channels, the first by name stands.
        contested.sort_unstable_by(|a, b| {
            let owners = |one: &ContestedVideo| strings.get(one.owners);
            (a.video, owners(a).is_empty(), owners(a), a.channel).cmp(&(
                b.video,
                owners(b).is_empty(),
                owners(b),
                b.channel,
            ))
        });
        contested.dedup_by_key(|one| one.video);

        // Of rows that disagree another may say that somebody disputes it already, or that it is given up.
        let is_active = |candidate: &Candidate| {
            let key = fingerprint(candidate.claim_id.as_bytes());
            let found = claims.binary_search_by_key(&key, ClaimEntry::key).ok();
            found.and_then(|index| claims.get(index)).is_some_and(|claim| claim.state() == ClaimState::Active)
        };
        let mut candidates = candidates.map(Candidates::into_vec).unwrap_or_default();
        candidates.retain(is_active);
        for candidate in &mut candidates {
            candidate.asset = renumbered(&new_asset, candidate.asset);
        }

        let mut snapshot = Snapshot {
            week,
            strings,
            assets,
            videos,
            channels,
            uploaders,
            references,
            claims,
            open_claims,
            own_channels: own_channels.into_values().collect(),
            contested,
            candidates,
            reports,
        };
        for (source, repeated) in repeated {
            snapshot.settle_facts(source, repeated, uploader_count);
        }
        snapshot
    }
}

/// The claims of an asset.
#[derive(Clone, Copy, Default)]
struct ClaimCounts {
    all: u32,
    active: u32,
    inactive: u32,
    disputed: u32,
}

/// How many rows say what another has said, by their fingerprints.
fn repeated(mut rows: Vec<u64>) -> u64 {
    let all = rows.len();
    rows.sort_unstable();
    rows.dedup();
    count(all - rows.len())
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Snapshot {
    /// Puts into a report's facts what is only known at the end.
    fn settle_facts(&mut self, source: Source, repeated: u64, uploaders: u64) {
        let Some(mut facts) = self.reports.remove(&source) else { return };
        facts.duplicates += repeated;
        facts.used -= repeated;
        let sum = |numbers: &mut dyn Iterator<Item = Known>| numbers.fold(Known::UNKNOWN, Known::plus).get();
        match source {
            Source::Assets => {
                let reported = || self.assets.iter().filter(|asset| asset.is_reported);
                facts.entries = count(reported().count());
                facts.views = sum(&mut reported().map(|asset| asset.daily_views));
                facts.engaged_views = sum(&mut reported().map(|asset| asset.daily_engaged_views));
                facts.active_claims = sum(&mut reported().map(|asset| asset.active_claims));
            }
            Source::Claims => {
                facts.entries = count(self.claims.len());
                facts.channels = uploaders;
                facts.views = sum(&mut self.assets.iter().map(|asset| asset.claimed_views));
                facts.engaged_views = sum(&mut self.assets.iter().map(|asset| asset.claimed_engaged_views));
                let active = self.claims.iter().filter(|claim| claim.state() == ClaimState::Active);
                facts.active_claims = Some(count(active.count()));
            }
            Source::Videos => {
                facts.entries = count(self.videos.len());
                facts.channels = count(self.channels.len());
                facts.views = sum(&mut self.videos.iter().map(|video| video.views));
                facts.engaged_views = sum(&mut self.videos.iter().map(|video| video.engaged_views));
            }
            Source::Conflicts => facts.entries = facts.used,
        }
        self.reports.insert(source, facts);
    }
}

/// Sorts entries, and says for every old position the new one.
fn sorted<T, K: Ord>(entries: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, Vec<u32>) {
    let mut numbered: Vec<(u32, T)> = (0_u32..).zip(entries).collect();
    numbered.sort_unstable_by_key(|(_, entry)| key(entry));
    let mut new_positions = vec![0; numbered.len()];
    for (new, (old, _)) in (0_u32..).zip(&numbered) {
        if let Some(place) = at_mut(&mut new_positions, *old) {
            *place = new;
        }
    }
    (numbered.into_iter().map(|(_, entry)| entry).collect(), new_positions)
}
