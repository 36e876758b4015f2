//! The log, shared by the shards of one process behind one short lock.
//!
//! It is held to append and to copy a batch out; nobody parses, matches or writes under it. Each
//! shard reads from a cursor of its own, so order needs no protocol.

use std::sync::Arc;

use bayeux_core::{
    Event, Input, Instant, MemoryOptions, MemoryStore, NodeId, Notice, StoreRequest, StoreTicket,
};

use crate::guarded::Guarded;
use crate::measure::LogMeasure;
use crate::router::Router;

/// Up to this size an event is copied for each shard, so that its count of references is not
/// shared between cores: a fan-out touches it once for each subscriber.
const COPIED: usize = 4 << 10;

/// The log of a process.
pub(crate) struct SharedLog(Guarded<MemoryStore>);

impl SharedLog {
    pub(crate) fn new(options: MemoryOptions) -> Arc<Self> {
        Arc::new(Self(Guarded::new(MemoryStore::new(options))))
    }
}

/// One shard's end of the log.
pub(crate) struct LogEnd {
    log: Arc<SharedLog>,
    node: NodeId,
    is_copying: bool,
    has_submitted: bool,
}

impl LogEnd {
    /// The end of the shard with the same number, if ends are made in that order.
    pub(crate) fn new(log: &Arc<SharedLog>, shards: u32) -> Self {
        let node = log.0.lock().attach();
        Self {
            log: Arc::clone(log),
            node,
            is_copying: shards > 1,
            has_submitted: false,
        }
    }

    pub(crate) fn submit(&mut self, now: Instant, ticket: StoreTicket, request: StoreRequest) {
        self.has_submitted = true;
        self.log.0.lock().submit(self.node, now, ticket, request);
    }

    pub(crate) fn measure(&self) -> LogMeasure {
        let store = self.log.0.lock();
        LogMeasure {
            end: store.end(),
            entries: store.len(),
            bytes: store.bytes(),
            sessions: store.sessions(),
        }
    }

    /// Whether something was submitted since the log was last read.
    pub(crate) const fn has_submitted(&self) -> bool {
        self.has_submitted
    }

    /// The next fact from the store. Those who have something to hear by now are woken.
    pub(crate) fn next(&mut self, now: Instant, router: &Router) -> Option<Input> {
        self.has_submitted = false;
        let mut store = self.log.0.lock();
        while let Some(node) = store.poll_wake() {
            if let Some(inbox) = router.inbox(node.number()) {
                inbox.log_moved();
            }
        }
        let input = store.poll(self.node, now)?;
        drop(store);
        Some(if self.is_copying {
            copied(input)
        } else {
            input
        })
    }
}

fn copied(mut input: Input) -> Input {
    if let Input::Notified {
        notice: Notice::Entries(entries),
    } = &mut input
    {
        for entry in entries
            .iter_mut()
            .filter(|entry| entry.event.size() <= COPIED)
        {
            entry.event = Event::from_object(entry.event.object());
        }
    }
    input
}
