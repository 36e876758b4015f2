//! A map that peers cannot fill with collisions, and that nothing can walk.
//!
//! Its hashes are keyed from the seed; it has no iterator, so that no order of
//! hashes ever shows in what the engine does.

use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};

use hashbrown::{HashMap, HashTable};
use siphasher::sip::SipHasher13;

use crate::id::Entropy;

/// A hash map under keys of its own.
pub(crate) struct Keyed<K, V>(HashMap<K, V, Keys>);

/// The keys of hashes.
#[derive(Clone, Copy)]
pub(crate) struct Keys(u64, u64);

impl BuildHasher for Keys {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// Numbers of slots by the hash of what is in them: the key itself is there and not kept twice.
#[derive(Default)]
pub(crate) struct Index<H = Keys> {
    keys: H,
    table: HashTable<u32>,
}

impl Index {
    pub(crate) const fn new((first, second): (u64, u64)) -> Self {
        Self {
            keys: Keys(first, second),
            table: HashTable::new(),
        }
    }
}

impl<H: BuildHasher + Copy> Index<H> {
    /// Adds a slot that is not there; `rehash` finds the hash of what is in another.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32, rehash: impl Fn(H, u32) -> u64) {
        let keys = self.keys;
        self.table
            .insert_unique(hash, slot, |slot| rehash(keys, *slot));
    }

    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
    }

    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.table.find(hash, |slot| is_it(*slot)).copied()
    }

    pub(crate) fn hash(&self, key: impl Hash) -> u64 {
        self.keys.hash_one(key)
    }

    pub(crate) fn hasher(&self) -> H::Hasher {
        self.keys.build_hasher()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

impl<K: Eq + Hash, V> Keyed<K, V> {
    pub(crate) fn new(entropy: &mut Entropy) -> Self {
        Self(HashMap::with_hasher(Keys(entropy.word(), entropy.word())))
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    pub(crate) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    /// The value of `key`, made if it is not there.
    pub(crate) fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.0.entry(key).or_default()
    }

    /// Forgets everything, and gives the memory back.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to_fit();
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Seed;

    #[test]
    fn whoever_does_not_know_the_seed_cannot_tell_what_collides() {
        let hashes = [1, 2].map(|seed| {
            let map = Keyed::<u32, ()>::new(&mut Entropy::new(Seed::new([seed; 32])));
            map.0.hasher().hash_one(7_u32)
        });

        assert_ne!(hashes[0], hashes[1]);
    }
}
