//! Who subscribes to what, and where each event goes: known from numbers alone.

use std::ops::Range;

use crate::Failure;

/// What the channel of every room begins with.
pub(crate) const ROOM: &str = "/bench/room/";

/// Subscribers, and the rooms that they are in.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    subscribers: usize,
    /// How many rooms a subscriber is in: as many as that from its own number on.
    each: usize,
    /// How many are in each room.
    members: Vec<usize>,
}

impl Layout {
    /// Everybody in one room.
    pub(crate) fn one_room(subscribers: usize) -> Result<Self, Failure> {
        Self::new(subscribers, 1, 1)
    }

    pub(crate) fn new(subscribers: usize, rooms: usize, each: usize) -> Result<Self, Failure> {
        if each == 0 || each > rooms {
            return Err("a client is in one room at least, and in all at most".into());
        }
        let mut members = vec![0; rooms];
        for subscriber in 0..subscribers {
            for room in rooms_of(subscriber, rooms, each) {
                if let Some(count) = members.get_mut(room) {
                    *count += 1;
                }
            }
        }
        if members.contains(&0) {
            return Err("there would be rooms with nobody in them".into());
        }
        Ok(Self {
            subscribers,
            each,
            members,
        })
    }

    pub(crate) fn subscribers(&self) -> Range<usize> {
        0..self.subscribers
    }

    pub(crate) fn subscriptions(&self, subscriber: usize) -> Vec<String> {
        let rooms = rooms_of(subscriber, self.members.len(), self.each);
        rooms.map(channel).collect()
    }

    pub(crate) fn is_in(&self, subscriber: usize, room: usize) -> bool {
        let rooms = self.members.len();
        (room + rooms - subscriber % rooms) % rooms < self.each
    }

    pub(crate) fn members(&self, room: usize) -> usize {
        self.members.get(room).copied().unwrap_or(0)
    }

    /// The room that an event goes to: any, and always the same.
    pub(crate) fn room(&self, event: usize) -> usize {
        // SplitMix64, of whose bits each depends on all of the number.
        let mut bits = (event as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        (bits % self.members.len() as u64) as usize
    }
}

pub(crate) fn channel(room: usize) -> String {
    format!("{ROOM}{room}")
}

fn rooms_of(subscriber: usize, rooms: usize, each: usize) -> impl Iterator<Item = usize> {
    (subscriber..subscriber + each).map(move |place| place % rooms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_shape_of_cometd_a_room_has_a_hundred_members() {
        let layout = Layout::new(1_000, 100, 10).unwrap();

        for room in 0..100 {
            let inside = layout.subscribers().filter(|&who| layout.is_in(who, room));
            assert_eq!((inside.count(), layout.members(room)), (100, 100));
        }
        for subscriber in [0, 95, 999] {
            let mut names = layout.subscriptions(subscriber);
            let mut rooms: Vec<_> = (0..100)
                .filter(|&room| layout.is_in(subscriber, room))
                .map(channel)
                .collect();
            names.sort();
            rooms.sort();
            assert_eq!(names, rooms);
        }
    }

    #[test]
    fn events_go_to_all_rooms_alike() {
        let layout = Layout::new(1_000, 100, 10).unwrap();
        let mut counts = [0; 100];
        for event in 0..10_000 {
            counts[layout.room(event)] += 1;
        }

        assert!(counts.iter().all(|count| (60..150).contains(count)));
    }

    #[test]
    fn a_room_with_nobody_in_it_is_refused() {
        assert!(Layout::new(5, 10, 1).is_err());
        assert!(Layout::new(5, 10, 11).is_err());
        assert!(Layout::one_room(0).is_err());
    }
}
