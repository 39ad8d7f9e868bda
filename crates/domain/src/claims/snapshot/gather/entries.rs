//! Things that are found by a key within them.

use std::hash::{BuildHasher, Hash};

use hashbrown::DefaultHashBuilder;

/// A table of entries that are found by a key within them.
pub(super) struct Entries<T> {
    pub entries: Vec<T>,
    pub index: Index,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: Index::default() }
    }
}

impl<T> Entries<T> {
    /// The position of the entry with this key, which is made where there is none. Beyond four thousand million
    /// entries the last one stands for all.
    pub fn position<K: Hash + Eq + Copy>(
        &mut self,
        hasher: &DefaultHashBuilder,
        key: K,
        key_of: impl Fn(&T) -> K,
        make: impl FnOnce() -> T,
    ) -> u32 {
        self.position_by(hasher.hash_one(key), key, key_of, make)
    }

    /// The same where the key's hash is known.
    pub fn position_by<K: Eq + Copy>(
        &mut self,
        hash: u64,
        key: K,
        key_of: impl Fn(&T) -> K,
        make: impl FnOnce() -> T,
    ) -> u32 {
        let entries = &mut self.entries;
        let is_it = |position| at(entries, position).is_some_and(|entry| key_of(entry) == key);
        if let Some(position) = self.index.find(hash, is_it) {
            return position;
        }
        let Some(position) = u32::try_from(entries.len()).ok().filter(|position| *position < FREE) else {
            return FREE;
        };
        entries.push(make());
        self.index.insert(hash, position);
        position
    }

    /// Something of the place where an entry would be looked for, so that its line of cache is on its way when it is.
    pub fn touch_place(&self, hash: u64) -> u32 {
        self.index.places.get(self.index.home(hash)).map_or(0, |place| place.position)
    }

    /// Something of the entry that is probably the one, for the same end; its place is best touched before.
    pub fn touch<R>(&self, hash: u64, some: impl Fn(&T) -> R) -> Option<R> {
        let position = self.index.find(hash, |_| true)?;
        at(&self.entries, position).map(some)
    }
}

/// Where entries stand, by the hashes of their keys.
///
/// A plain table with open addressing that knows enough of each hash to grow without a look at the entries, and to ask
/// for the key of hardly any entry but the right one. Places are in the order of the hashes, so that it grows from the
/// first to the last.
#[derive(Default)]
pub(super) struct Index {
    places: Vec<Place>,
    count: usize,
}

#[derive(Clone, Copy)]
struct Place {
    /// The upper half of a hash.
    tag: u32,
    position: u32,
}

/// The position that no entry has.
const FREE: u32 = u32::MAX;

impl Index {
    fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let mut at = self.home(hash);
        loop {
            match self.places.get(at) {
                Some(place) if place.position == FREE => return None,
                Some(place) if place.tag == tag && is_it(place.position) => return Some(place.position),
                Some(_) => at += 1,
                None if self.places.is_empty() => return None,
                // There is always a free one.
                None => at = 0,
            }
        }
    }

    fn insert(&mut self, hash: u64, position: u32) {
        if self.count * 4 >= self.places.len() * 3 {
            let larger = (self.places.len() + self.places.len() / 2).max(64);
            let old = std::mem::replace(&mut self.places, vec![Place { tag: 0, position: FREE }; larger]);
            old.into_iter().filter(|place| place.position != FREE).for_each(|place| self.put(place));
        }
        self.put(Place { tag: tag(hash), position });
        self.count += 1;
    }

    /// Puts it into the first free place of its own. There is always one.
    fn put(&mut self, put: Place) {
        let home = self.home(u64::from(put.tag) << 32);
        let Some((before, after)) = self.places.split_at_mut_checked(home) else { return };
        if let Some(free) = after.iter_mut().chain(before).find(|place| place.position == FREE) {
            *free = put;
        }
    }

    fn home(&self, hash: u64) -> usize {
        let product = u128::from(tag(hash)) * (self.places.len() as u128);
        usize::try_from(product >> 32).unwrap_or_default()
    }
}

fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}

pub(super) fn at<T>(entries: &[T], position: u32) -> Option<&T> {
    entries.get(usize::try_from(position).ok()?)
}

pub(super) fn at_mut<T>(entries: &mut [T], position: u32) -> Option<&mut T> {
    entries.get_mut(usize::try_from(position).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_key_has_one_position_whatever_the_hashes(
            keys in prop::collection::vec(0_u64..400, 0..2_000),
            spread in prop_oneof![Just(0), Just(1), Just(1 << 32), Just(1 << 62), Just(0x9e37_79b9_7f4a_7c15_u64)],
        ) {
            let mut entries: Entries<u64> = Entries::default();
            let mut known: Vec<u64> = Vec::new();
            for key in keys {
                let hash = key.wrapping_mul(spread);
                entries.touch_place(hash);
                let position = entries.position_by(hash, key, |entry| *entry, || key);
                let expected = known.iter().position(|other| *other == key).unwrap_or_else(|| {
                    known.push(key);
                    known.len() - 1
                });
                prop_assert_eq!(position as usize, expected);
                prop_assert!(entries.touch(hash, |entry| *entry).is_some());
            }
            prop_assert_eq!(entries.entries, known);
        }
    }
}
