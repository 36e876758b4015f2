//! The engines of this node: what waits for each of them, and which of them sleep.
//!
//! An engine is awake until it was told that there is nothing more, and woken once when there is.

use std::collections::VecDeque;

use bayeux_core::{Fence, Input, Notice, Position, SessionId, StoreReply, StoreTicket};

use crate::letter::Letter;

#[derive(Default)]
pub(super) struct Seats {
    all: Vec<Seat>,
    to_wake: VecDeque<u32>,
}

/// One engine.
#[derive(Default)]
pub(super) struct Seat {
    /// The last entry that it was told, or where it began.
    pub(super) cursor: Position,
    pub(super) mail: VecDeque<Mail>,
    /// Letters that it will look at: until then they count as unseen.
    pub(super) letters: VecDeque<Waiting>,
    /// Whether it was told that the store can be reached, last.
    pub(super) is_up: bool,
    is_asleep: bool,
}

/// A letter with the name that Redis gave it.
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) letter: Letter,
}

/// What an engine is told besides entries.
pub(super) enum Mail {
    Input(Input),
    /// The store can be reached; the position is that of the last entry told.
    Up,
}

impl Seats {
    pub(super) fn attach(&mut self, cursor: Position) -> u32 {
        let seat = Seat {
            cursor,
            ..Seat::default()
        };
        self.all.push(seat);
        u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn get_mut(&mut self, shard: u32) -> Option<&mut Seat> {
        self.all.get_mut(usize::try_from(shard).ok()?)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Seat> {
        self.all.iter_mut()
    }

    pub(super) fn post(&mut self, shard: u32, mail: Mail) {
        if let Some(seat) = self.get_mut(shard) {
            seat.mail.push_back(mail);
            self.wake(shard);
        }
    }

    pub(super) fn reply(&mut self, (shard, ticket): (u32, StoreTicket), reply: StoreReply) {
        self.post(shard, Mail::Input(Input::Stored { ticket, reply }));
    }

    pub(super) fn notify(&mut self, shard: u32, notice: Notice) {
        self.post(shard, Mail::Input(Input::Notified { notice }));
    }

    pub(super) fn taken(&mut self, shard: u32, session: SessionId, fence: Fence) {
        self.notify(shard, Notice::Taken { session, fence });
    }

    /// Every engine is told the same.
    pub(super) fn notify_all(&mut self, notice: &Notice) {
        for shard in 0..self.all.len() {
            let shard = u32::try_from(shard).unwrap_or(u32::MAX);
            self.notify(shard, notice.clone());
        }
    }

    /// Whatever an engine waits for, there may be some of it.
    pub(super) fn wake(&mut self, shard: u32) {
        if self.rouse(shard) {
            self.to_wake.push_back(shard);
        }
    }

    pub(super) fn wake_all(&mut self) {
        for shard in 0..self.all.len() {
            self.wake(u32::try_from(shard).unwrap_or(u32::MAX));
        }
    }

    /// Notes that an engine is awake; whether it slept.
    pub(super) fn rouse(&mut self, shard: u32) -> bool {
        self.get_mut(shard)
            .is_some_and(|seat| std::mem::take(&mut seat.is_asleep))
    }

    /// Notes that an engine was told that there is nothing more.
    pub(super) fn sleep(&mut self, shard: u32) {
        if let Some(seat) = self.get_mut(shard) {
            seat.is_asleep = true;
        }
    }

    pub(super) fn next_to_wake(&mut self) -> Option<u32> {
        self.to_wake.pop_front()
    }

    /// What every engine has seen.
    pub(super) fn slowest(&self) -> Option<Position> {
        self.all.iter().map(|seat| seat.cursor).min()
    }
}
