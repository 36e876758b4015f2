//! Messages on their way to the owner of their session, and their replies on the way back.
//!
//! A forward is `Waiting` until its owner polls for it, then `Handed` until it is answered. Each ends in
//! exactly one reply to the engine that asked: from the owner, or because the owner is gone or its time
//! is over.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::id::{ForwardTicket, SessionId, StoreTicket};
use crate::io::{Peer, Transport};
use crate::message::Messages;
use crate::time::Instant;

use super::NodeId;

#[derive(Default)]
pub(super) struct Forwards {
    /// In the order in which they came, which is that of their deadlines.
    open: BTreeMap<ForwardTicket, Forward>,
    next: u64,
}

pub(super) struct Forward {
    pub(super) asker: NodeId,
    pub(super) ticket: StoreTicket,
    pub(super) owner: NodeId,
    pub(super) due: Instant,
    pub(super) stage: Stage,
}

pub(super) enum Stage {
    Waiting(Box<Content>),
    Handed,
}

pub(super) struct Content {
    pub(super) session: SessionId,
    pub(super) messages: Messages,
    pub(super) peer: Peer,
    pub(super) transport: Transport,
}

impl Forwards {
    pub(super) fn add(&mut self, forward: Forward) -> ForwardTicket {
        let ticket = ForwardTicket::new(self.next);
        self.next += 1;
        self.open.insert(ticket, forward);
        ticket
    }

    pub(super) fn get_mut(&mut self, ticket: ForwardTicket) -> Option<&mut Forward> {
        self.open.get_mut(&ticket)
    }

    pub(super) fn remove(&mut self, ticket: ForwardTicket) -> Option<Forward> {
        self.open.remove(&ticket)
    }

    /// Takes out the one that `owner` answers; `None` if it has none of that name.
    pub(super) fn answered(&mut self, ticket: ForwardTicket, owner: NodeId) -> Option<Forward> {
        let forward = self.open.get(&ticket)?;
        let is_its = forward.owner == owner && matches!(forward.stage, Stage::Handed);
        if is_its {
            self.open.remove(&ticket)
        } else {
            None
        }
    }

    /// Takes out one whose time is over.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Forward> {
        let oldest = self.open.first_entry()?;
        (oldest.get().due <= now).then(|| oldest.remove())
    }

    /// Takes out those that go to or come from `node`.
    pub(super) fn of(&mut self, node: NodeId) -> Vec<Forward> {
        let theirs = |_: &ForwardTicket, forward: &mut Forward| {
            forward.owner == node || forward.asker == node
        };
        self.open
            .extract_if(.., theirs)
            .map(|(_, forward)| forward)
            .collect()
    }
}
