//! Every claim of a week, found by its fingerprint: five million of them, and each row asks for one.
//!
//! A plain table with open addressing, 16 bytes a place, in 256 parts by the first byte of the fingerprint. A look
//! into it is one line of cache from memory, where an index of entries would be three. A part grows by a quarter when
//! it is full, and only it stands twice meanwhile. The parts are in the order of the fingerprints, so that at the end
//! each is sorted for itself.

use super::super::state::ClaimEntry;

/// A claim while rows come: with part of its row's fingerprint, by which a repeated row is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GatheredClaim {
    pub key: u64,
    pub row: u32,
    pub asset_and_state: u32,
}

impl GatheredClaim {
    pub fn entry(&self) -> ClaimEntry {
        ClaimEntry::with_bits(self.key, self.asset_and_state)
    }
}

/// No claim has all bits set: there are fewer states than the low three bits could tell.
const FREE: GatheredClaim = GatheredClaim { key: 0, row: 0, asset_and_state: u32::MAX };

const PARTS: usize = 256;

/// The claims of a week.
pub(super) struct ClaimTable {
    parts: Vec<Part>,
}

#[derive(Default)]
struct Part {
    places: Vec<GatheredClaim>,
    count: usize,
}

impl Default for ClaimTable {
    fn default() -> Self {
        Self { parts: (0..PARTS).map(|_| Part::default()).collect() }
    }
}

impl ClaimTable {
    /// Adds a claim, unless the same row of it is there already.
    pub fn insert(&mut self, claim: GatheredClaim) -> bool {
        let part = usize::try_from(claim.key >> 56).unwrap_or_default();
        self.parts.get_mut(part).is_some_and(|part| part.insert(claim))
    }

    /// Something of the place where a claim would stand, so that its line of cache is on its way when it is asked for.
    pub fn touch(&self, key: u64) -> u32 {
        let part = usize::try_from(key >> 56).unwrap_or_default();
        let place = self.parts.get(part).and_then(|part| part.places.get(part.home(key)));
        place.map_or(0, |claim| claim.row)
    }

    /// The claims by their keys, `change`d, each part given back once it is done: of rows that disagree about one
    /// claim the first by `order` stands.
    pub fn into_sorted<O: Ord>(
        self,
        change: impl Fn(GatheredClaim) -> GatheredClaim,
        order: impl Fn(&GatheredClaim) -> O,
    ) -> Vec<ClaimEntry> {
        let mut sorted = Vec::with_capacity(self.parts.iter().map(|part| part.count).sum());
        for part in self.parts {
            let mut claims = part.places;
            claims.retain(|claim| *claim != FREE);
            for claim in &mut claims {
                *claim = change(*claim);
            }
            claims.sort_unstable_by(|a, b| a.key.cmp(&b.key).then_with(|| order(a).cmp(&order(b))));
            claims.dedup_by_key(|claim| claim.key);
            sorted.extend(claims.iter().map(GatheredClaim::entry));
        }
        sorted
    }
}

impl Part {
    fn insert(&mut self, claim: GatheredClaim) -> bool {
        // Four of five places are taken at most.
        if self.count * 5 >= self.places.len() * 4 {
            self.grow();
        }
        let mut at = self.home(claim.key);
        loop {
            let Some(place) = self.places.get_mut(at) else {
                at = 0;
                continue;
            };
            if *place == FREE {
                *place = claim;
                self.count += 1;
                return true;
            }
            if (place.key, place.row) == (claim.key, claim.row) {
                return false;
            }
            at += 1;
        }
    }

    /// Where a claim stands if nothing is in its way: in the order of the fingerprints, so that any number of places
    /// will do.
    fn home(&self, key: u64) -> usize {
        let share = u128::from(key << 8) * (self.places.len() as u128);
        usize::try_from(share >> 64).unwrap_or_default()
    }

    fn grow(&mut self) {
        let larger = (self.places.len() + self.places.len() / 4).max(16);
        let old = std::mem::replace(&mut self.places, vec![FREE; larger]);
        for claim in old.into_iter().filter(|claim| *claim != FREE) {
            let mut at = self.home(claim.key);
            while self.places.get(at).is_some_and(|place| *place != FREE) {
                at += 1;
            }
            let at = if at < self.places.len() { at } else { self.free_from_the_start() };
            if let Some(place) = self.places.get_mut(at) {
                *place = claim;
            }
        }
    }

    fn free_from_the_start(&self) -> usize {
        self.places.iter().position(|place| *place == FREE).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn claim(key: u64, row: u32) -> GatheredClaim {
        GatheredClaim { key, row, asset_and_state: (row << 3) | 2 }
    }

    proptest! {
        #[test]
        fn a_claim_is_there_once_a_row_and_comes_back_once_in_order(
            keys in prop::collection::vec((prop_oneof![0..40_u64, Just(u64::MAX), any::<u64>()], 0..3_u32), 0..2_000)
        ) {
            let mut table = ClaimTable::default();
            let mut known: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
            for (key, row) in keys {
                let rows = known.entry(key).or_default();
                let is_new = !rows.contains(&row);
                if is_new {
                    rows.push(row);
                }
                table.touch(key);
                prop_assert_eq!(table.insert(claim(key, row)), is_new);
            }
            let found: Vec<(u64, u32)> = table
                .into_sorted(|claim| claim, |claim| claim.row)
                .iter()
                .map(|claim| (claim.key(), claim.asset().unwrap()))
                .collect();
            let first = |rows: &Vec<u32>| rows.iter().copied().min().unwrap();
            let expected: Vec<(u64, u32)> = known.iter().map(|(key, rows)| (*key, first(rows))).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
