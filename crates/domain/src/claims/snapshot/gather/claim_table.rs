//! Every claim of a week, found by its fingerprint: five million of them, and each row asks for one.
//!
//! A plain table with open addressing, 16 bytes a place. A look into it is one line of cache from memory, where an index
//! of entries would be three. It grows by a quarter when four of five places are taken, as one piece of memory that goes
//! back to the machine when it is done with: the week before is recalled into the room that it leaves.

use std::cmp::Ordering;

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
/// one claim in a million rows is no slower than another. Of claims that differ one in thousands stands so far off where
/// four of five places are taken.
const NEAR: usize = 256;

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
    ///
    /// Places are in the order of the keys, but for claims that found theirs taken: between two free places stand some
    /// dozen claims, which are sorted by themselves.
    pub fn into_sorted<O: Ord>(
        self,
        both: &impl Both,
        change: impl Fn(ClaimEntry) -> ClaimEntry + Sync,
        order: impl Fn(&ClaimEntry) -> O + Sync,
    ) -> Vec<ClaimEntry> {
        let by_key =
            |a: &ClaimEntry, b: &ClaimEntry| a.key().cmp(&b.key()).then_with(|| order(a).cmp(&order(b)));
        let count = self.places.len();
        // Puts the claims of some places in order, and gives how many they are and those that belong elsewhere.
        let put_in_order = |places: &[GatheredClaim], start: usize, sorted: &mut [ClaimEntry]| {
            let (mut end, mut done, mut strays) = (start, 0, Vec::new());
            for run in places.chunk_by(|a, b| (*a == FREE) == (*b == FREE)) {
                let here = end..end + run.len();
                end = here.end;
                let first = done;
                for claim in run.iter().filter(|claim| **claim != FREE) {
                    let entry = change(claim.entry());
                    match sorted.get_mut(done) {
                        Some(place) if here.contains(&home(claim.key, count)) => {
                            *place = entry;
                            done += 1;
                        }
                        _ => strays.push(entry),
                    }
                }
                if let Some(run) = sorted.get_mut(first..done) {
                    run.sort_unstable_by(by_key);
                }
            }
            (done, strays)
        };
        let middle = (count / 2..count).find(|at| self.places.get(*at) == Some(&FREE)).unwrap_or(count);
        let (low, high) = self.places.split_at(middle);
        let low_count = low.iter().filter(|claim| **claim != FREE).count();
        let mut sorted = vec![FREE.entry(); self.count];
        let (first, second) = sorted.split_at_mut(low_count);
        let ((first_done, mut strays), (second_done, more)) =
            both.both(|| put_in_order(low, 0, first), || put_in_order(high, middle, second));
        drop(self.places);
        strays.extend(more);
        sorted.copy_within(low_count..low_count + second_done, first_done);
        sorted.truncate(first_done + second_done);
        strays.sort_unstable_by(by_key);
        put_between(&mut sorted, &strays, by_key);
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

/// Puts some into the order of many: each of the many is moved once at most.
fn put_between<T: Copy>(many: &mut Vec<T>, some: &[T], by: impl Fn(&T, &T) -> Ordering) {
    let mut end = many.len();
    many.extend_from_slice(some);
    for (before, one) in some.iter().enumerate().rev() {
        let Some(start) = many.get(..end).map(|many| many.partition_point(|other| by(other, one).is_le()))
        else {
            return;
        };
        // Behind what is moved now the others stand already.
        many.copy_within(start..end, start + before + 1);
        if let Some(place) = many.get_mut(start + before) {
            *place = *one;
        }
        end = start;
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
        fn some_between_many_are_all_in_order(mut many: Vec<u8>, mut some: Vec<u8>) {
            let mut all = [many.clone(), some.clone()].concat();
            all.sort_unstable();
            many.sort_unstable();
            some.sort_unstable();
            put_between(&mut many, &some, u8::cmp);
            prop_assert_eq!(many, all);
        }

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
