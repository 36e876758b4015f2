//! The attached engines: what waits for each of them, and which of them sleep.
//!
//! A node is awake until it was told that there is nothing more, and woken once when there is. Each
//! awake node is on its way to a poll, so nothing is done for it but to keep what it will find.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::id::{ForwardTicket, SessionId, StoreTicket};
use crate::store::{Fence, Position, StoreReply};

use super::NodeId;

#[derive(Default)]
pub(super) struct Nodes {
    all: BTreeMap<NodeId, Node>,
    asleep: Vec<NodeId>,
    to_wake: VecDeque<NodeId>,
    next: u32,
}

/// One engine.
pub(super) struct Node {
    /// The last entry that it was told.
    pub(super) cursor: Position,
    mail: VecDeque<Mail>,
    /// Forwarded messages on their way to it.
    pub(super) inbox: VecDeque<ForwardTicket>,
    /// Forwards that it has not answered yet.
    pub(super) unanswered: usize,
    asleep: bool,
}

/// What a node is told besides entries and forwarded messages.
pub(super) enum Mail {
    Stored {
        ticket: StoreTicket,
        reply: StoreReply,
    },
    Taken {
        session: SessionId,
        fence: Fence,
    },
    Up {
        position: Position,
    },
}

impl Nodes {
    /// A new node, awake, which sees what follows on `position`.
    pub(super) fn attach(&mut self, position: Position) -> NodeId {
        let id = NodeId(self.next);
        self.next = self.next.wrapping_add(1);
        let node = Node {
            cursor: position,
            mail: VecDeque::from([Mail::Up { position }]),
            inbox: VecDeque::new(),
            unanswered: 0,
            asleep: false,
        };
        self.all.insert(id, node);
        id
    }

    /// Whether it was attached.
    pub(super) fn detach(&mut self, id: NodeId) -> bool {
        self.asleep.retain(|node| *node != id);
        self.to_wake.retain(|node| *node != id);
        self.all.remove(&id).is_some()
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.all.get_mut(&id)
    }

    pub(super) fn contains(&self, id: NodeId) -> bool {
        self.all.contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Keeps `mail` for a node, and wakes it. A node that is gone gets none.
    pub(super) fn post(&mut self, id: NodeId, mail: Mail) {
        if let Some(node) = self.all.get_mut(&id) {
            node.mail.push_back(mail);
            self.wake(id);
        }
    }

    pub(super) fn take_mail(&mut self, id: NodeId) -> Option<Mail> {
        self.all.get_mut(&id)?.mail.pop_front()
    }

    /// Lets a sleeping node be woken.
    pub(super) fn wake(&mut self, id: NodeId) {
        if self.rouse(id) {
            self.to_wake.push_back(id);
        }
    }

    /// Lets all sleeping nodes be woken.
    pub(super) fn wake_all(&mut self) {
        for id in self.asleep.drain(..) {
            if let Some(node) = self.all.get_mut(&id) {
                node.asleep = false;
                self.to_wake.push_back(id);
            }
        }
    }

    /// Notes that a node is awake; whether it slept.
    pub(super) fn rouse(&mut self, id: NodeId) -> bool {
        let Some(node) = self.all.get_mut(&id).filter(|node| node.asleep) else {
            return false;
        };
        node.asleep = false;
        self.asleep.retain(|sleeper| *sleeper != id);
        true
    }

    /// Notes that a node was told that there is nothing more.
    pub(super) fn sleep(&mut self, id: NodeId) {
        if let Some(node) = self.all.get_mut(&id).filter(|node| !node.asleep) {
            node.asleep = true;
            self.asleep.push(id);
        }
    }

    /// The next one to be woken.
    pub(super) fn next_to_wake(&mut self) -> Option<NodeId> {
        self.to_wake.pop_front()
    }

    /// What every node has seen; `None` if there are no nodes.
    pub(super) fn slowest(&self) -> Option<Position> {
        self.all.values().map(|node| node.cursor).min()
    }
}

impl Node {
    /// Whether something waits for it in a log that ends at `end`.
    pub(super) fn has_news(&self, end: Position) -> bool {
        !self.mail.is_empty() || !self.inbox.is_empty() || self.cursor < end
    }
}
