//! What there is many of and each has a name, which no peer has a say in.
//!
//! Whoever gives out the names, a driver or an engine, does not choose them to collide: they are hashed without a key.

use core::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

use crate::keyed::Index;
use crate::slots::Slots;

/// Something with a name.
pub(crate) trait Named {
    type Name: Copy + Eq + Hash;

    fn name(&self) -> Self::Name;
}

/// A table of them, by name.
pub(crate) struct ByName<T> {
    slots: Slots<T>,
    names: Index<FxBuildHasher>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self {
            slots: Slots::default(),
            names: Index::default(),
        }
    }
}

impl<T: Named> ByName<T> {
    /// Adds `value`; one of the same name is lost.
    pub(crate) fn insert(&mut self, value: T) {
        self.remove(value.name());
        let hash = self.names.hash(value.name());
        let slot = self.slots.insert(value);
        let (names, slots) = (&mut self.names, &self.slots);
        names.insert(hash, slot, |hasher, slot| {
            let value = slots.get(slot);
            value.map_or(0, |value| hasher.hash_one(value.name()))
        });
    }

    pub(crate) fn remove(&mut self, name: T::Name) -> Option<T> {
        let slot = self.find(name)?;
        self.names.remove(self.names.hash(name), slot);
        self.slots.remove(slot)
    }

    pub(crate) fn get(&self, name: T::Name) -> Option<&T> {
        self.slots.get(self.find(name)?)
    }

    pub(crate) fn get_mut(&mut self, name: T::Name) -> Option<&mut T> {
        let slot = self.find(name)?;
        self.slots.get_mut(slot)
    }

    fn find(&self, name: T::Name) -> Option<u32> {
        self.names.find(self.names.hash(name), |slot| {
            let value = self.slots.get(slot);
            value.is_some_and(|value| value.name() == name)
        })
    }

    /// All of them, in an order that follows from what was added and removed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}
