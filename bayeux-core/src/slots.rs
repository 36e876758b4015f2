//! What there is many of, in numbered slots that stay where they are.
//!
//! It grows by a chunk at a time, so that nothing is moved and little is held in reserve. The lowest chunk with room is
//! filled first, and one that has become empty gives its memory back: after a crowd those that stay come to stand close
//! together as others come and go.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use slab::Slab;

/// How many slots are made at a time.
const CHUNK: usize = 256;

/// A table whose slots are used again.
pub(crate) struct Slots<T> {
    chunks: Vec<Slab<T>>,
    /// The chunks that are not full.
    roomy: BTreeSet<usize>,
    len: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            roomy: BTreeSet::new(),
            len: 0,
        }
    }
}

impl<T> Slots<T> {
    /// Puts `value` into a free slot, and says which.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let number = self.roomy.first().copied().unwrap_or(self.chunks.len());
        if number == self.chunks.len() {
            self.chunks.push(Slab::new());
            self.roomy.insert(number);
        }
        let Some(chunk) = self.chunks.get_mut(number) else {
            return u32::MAX;
        };
        if chunk.capacity() == 0 {
            chunk.reserve_exact(CHUNK);
        }
        let place = chunk.insert(value);
        if chunk.len() == CHUNK {
            self.roomy.remove(&number);
        }
        self.len += 1;
        u32::try_from(number * CHUNK + place).unwrap_or(u32::MAX)
    }

    /// Takes out what is in `slot`.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let (number, place) = split(slot);
        let chunk = self.chunks.get_mut(number)?;
        let value = chunk.try_remove(place)?;
        self.len -= 1;
        if chunk.len() == CHUNK - 1 {
            self.roomy.insert(number);
        }
        // The first one stays: a table with little in it does not ask for memory anew each time.
        if chunk.is_empty() && number > 0 {
            *chunk = Slab::new();
        }
        Some(value)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        let (number, place) = split(slot);
        self.chunks.get(number)?.get(place)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let (number, place) = split(slot);
        self.chunks.get_mut(number)?.get_mut(place)
    }

    /// Everything, in the order of the slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let chunks = self.chunks.iter().enumerate();
        chunks.flat_map(|(number, chunk)| {
            let slot = move |place| u32::try_from(number * CHUNK + place).unwrap_or(u32::MAX);
            chunk.iter().map(move |(place, value)| (slot(place), value))
        })
    }

    /// The same, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let chunks = self.chunks.iter_mut();
        chunks.flat_map(|chunk| chunk.iter_mut().map(|(_, value)| value))
    }

    /// The slot after the last one that there is.
    pub(crate) fn end(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

fn split(slot: u32) -> (usize, usize) {
    let slot = slot as usize;
    (slot / CHUNK, slot % CHUNK)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn filled(count: u32) -> Slots<u32> {
        let mut slots = Slots::default();
        for value in 0..count {
            assert_eq!(slots.insert(value), value, "slots are given in order");
        }
        slots
    }

    #[test]
    fn what_was_put_in_is_found_in_its_slot_until_it_is_taken_out() {
        let mut slots = filled(1_000);

        assert_eq!(slots.remove(300), Some(300));
        assert_eq!((slots.remove(300), slots.get(300)), (None, None));
        assert_eq!((slots.get(301), slots.get(5_000)), (Some(&301), None));
        *slots.get_mut(999).unwrap() = 7;
        assert_eq!(slots.get(999), Some(&7));
        assert_eq!((slots.len(), slots.end()), (999, 1_024));
        let all: Vec<u32> = slots.iter().map(|(slot, _)| slot).collect();
        let expected: Vec<u32> = (0..1_000).filter(|slot| *slot != 300).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn the_lowest_chunk_with_room_is_filled_first() {
        let mut slots = filled(1_000);
        for slot in [700, 20, 300] {
            slots.remove(slot);
        }

        assert_eq!([(); 4].map(|()| slots.insert(7)), [20, 300, 700, 1_000]);
    }

    #[test]
    fn an_empty_chunk_gives_its_memory_back_unless_it_is_the_first() {
        let mut slots = filled(1_000);
        for slot in 0..1_000 {
            slots.remove(slot);
        }

        let room: Vec<usize> = slots.chunks.iter().map(Slab::capacity).collect();
        assert_eq!(room, [CHUNK, 0, 0, 0]);
        assert_eq!((slots.len(), slots.insert(7)), (0, 255));
    }
}
