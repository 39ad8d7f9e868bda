//! Things that are found by a key within them.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// A table of entries that are found by a key within them.
pub(super) struct Entries<T> {
    pub entries: Vec<T>,
    pub index: HashTable<u32>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: HashTable::new() }
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
        self.position_by(hasher.hash_one(key), hasher, key, key_of, make)
    }

    /// The same where the key's hash is known.
    pub fn position_by<K: Hash + Eq + Copy>(
        &mut self,
        hash: u64,
        hasher: &DefaultHashBuilder,
        key: K,
        key_of: impl Fn(&T) -> K,
        make: impl FnOnce() -> T,
    ) -> u32 {
        let entries = &mut self.entries;
        let found = self
            .index
            .find(hash, |position| at(entries, *position).is_some_and(|entry| key_of(entry) == key));
        if let Some(position) = found {
            return *position;
        }
        let Ok(position) = u32::try_from(entries.len()) else {
            return u32::MAX;
        };
        entries.push(make());
        self.index.insert_unique(hash, position, |position| {
            at(entries, *position).map_or(0, |entry| hasher.hash_one(key_of(entry)))
        });
        position
    }
}

pub(super) fn at<T>(entries: &[T], position: u32) -> Option<&T> {
    entries.get(usize::try_from(position).ok()?)
}

pub(super) fn at_mut<T>(entries: &mut [T], position: u32) -> Option<&mut T> {
    entries.get_mut(usize::try_from(position).ok()?)
}
