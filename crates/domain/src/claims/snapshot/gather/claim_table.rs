//! Every claim of a week, found by its fingerprint: five million of them, and each row asks for one.
//!
//! A plain table with open addressing, 16 bytes a place. A look into it is one line of cache from memory, where an index
//! of entries would be three. It grows by a quarter when four of five places are taken, as one piece of memory that goes
//! back to the machine when it is done with: the week before is recalled into the room that it leaves.

use super::super::claim_state::ClaimEntry;
use super::Both;

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

/// So many places are tried where a claim belongs; then the search goes on where its row belongs. So a report that has
/// one claim in a million rows is no slower than another.
const NEAR: usize = 64;

/// So many parts the claims are sorted in.
const PARTS: usize = 256;

/// The claims of a week.
#[derive(Default)]
pub(super) struct ClaimTable {
    places: Vec<GatheredClaim>,
    count: usize,
}

impl ClaimTable {
    /// Makes room for so many claims: a table that grows has each of its claims put in some five times.
    pub fn expect(&mut self, count: usize) {
        let places = count.saturating_mul(5) / 4 + 64;
        if places > self.places.len() {
            self.resize(places);
        }
    }

    /// Adds a claim, unless the same row of it is there already.
    pub fn insert(&mut self, claim: GatheredClaim) -> bool {
        if self.count * 5 >= self.places.len() * 4 {
            self.grow();
        }
        let is_new = put(&mut self.places, claim);
        self.count += usize::from(is_new);
        is_new
    }

    /// Something of the place where a claim would stand, so that its line of cache is on its way when it is asked for.
    pub fn touch(&self, key: u64) -> u32 {
        self.places.get(home(key, self.places.len())).map_or(0, |claim| claim.row)
    }

    /// The claims by their keys, `change`d: of rows that disagree about one claim the first by `order` stands.
    pub fn into_sorted<O: Ord>(
        self,
        both: &impl Both,
        change: impl Fn(ClaimEntry) -> ClaimEntry,
        order: impl Fn(&ClaimEntry) -> O + Sync,
    ) -> Vec<ClaimEntry> {
        // First by the first byte of the keys, whose parts then fit into a core's cache while they are sorted.
        let part = |key: u64| usize::try_from(key >> 56).unwrap_or_default();
        let mut ends = [0_usize; PARTS];
        let taken = || self.places.iter().filter(|claim| **claim != FREE);
        for claim in taken() {
            ends[part(claim.key)] += 1;
        }
        let mut start = 0;
        for end in &mut ends {
            (start, *end) = (start + *end, start);
        }
        let mut sorted = vec![FREE.entry(); self.count];
        for claim in taken() {
            let next = &mut ends[part(claim.key)];
            if let Some(place) = sorted.get_mut(*next) {
                *place = change(claim.entry());
            }
            *next += 1;
        }
        drop(self.places);
        let sort = |mut claims: &mut [ClaimEntry], parts: &[usize], mut start: usize| {
            for end in parts {
                let Some((part, rest)) = claims.split_at_mut_checked(end - start) else { return };
                part.sort_unstable_by(|a, b| a.key().cmp(&b.key()).then_with(|| order(a).cmp(&order(b))));
                (claims, start) = (rest, *end);
            }
        };
        let (low, high) = ends.split_at(PARTS / 2);
        let middle = low.last().copied().unwrap_or_default();
        if let Some((first, second)) = sorted.split_at_mut_checked(middle) {
            both.both(|| sort(first, low, 0), || sort(second, high, middle));
        }
        sorted.dedup_by_key(|claim| claim.key());
        sorted
    }

    fn grow(&mut self) {
        self.resize((self.places.len() + self.places.len() / 4).max(64));
    }

    fn resize(&mut self, count: usize) {
        let mut places = vec![FREE; count];
        for claim in self.places.iter().filter(|claim| **claim != FREE) {
            put(&mut places, *claim);
        }
        self.places = places;
    }
}

/// Puts a claim into the first free place of its own. There is always one.
fn put(places: &mut [GatheredClaim], claim: GatheredClaim) -> bool {
    let mut at = home(claim.key, places.len());
    let mut tried = 0;
    loop {
        let Some(place) = places.get_mut(at) else {
            at = 0;
            continue;
        };
        if *place == FREE {
            *place = claim;
            return true;
        }
        if (place.key, place.row) == (claim.key, claim.row) {
            return false;
        }
        tried += 1;
        at = if tried == NEAR { far_home(claim, places.len()) } else { at + 1 };
    }
}

/// Where a claim stands if nothing is in its way: any number of places will do.
fn home(key: u64, places: usize) -> usize {
    usize::try_from((u128::from(key) * (places as u128)) >> 64).unwrap_or_default()
}

fn far_home(claim: GatheredClaim, places: usize) -> usize {
    let spread =
        claim.key ^ (u64::from(claim.row) << 32 | u64::from(claim.row)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    home(spread, places)
}

#[cfg(test)]
mod tests {
    use super::super::InTurn;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn claim(key: u64, row: u32) -> GatheredClaim {
        GatheredClaim { key, row, asset_and_state: (row << 3) | 2 }
    }

    #[test]
    fn one_claim_in_a_hundred_thousand_rows_is_found_as_fast_as_any() {
        let mut table = ClaimTable::default();
        for row in 0..100_000 {
            assert!(table.insert(claim(u64::MAX / 3, row)));
        }
        assert!((0..100_000).step_by(997).all(|row| !table.insert(claim(u64::MAX / 3, row))));
        let longest = table.places.chunk_by(|a, b| (*a == FREE) == (*b == FREE)).map(<[_]>::len).max();
        assert!(longest.unwrap() < 2_000, "{longest:?} places in a row");
        assert_eq!(table.into_sorted(&InTurn, |claim| claim, ClaimEntry::asset).len(), 1);
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
                .into_sorted(&InTurn, |claim| claim, ClaimEntry::asset)
                .iter()
                .map(|claim| (claim.key(), claim.asset().unwrap()))
                .collect();
            let first = |rows: &Vec<u32>| rows.iter().copied().min().unwrap();
            let expected: Vec<(u64, u32)> = known.iter().map(|(key, rows)| (*key, first(rows))).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
