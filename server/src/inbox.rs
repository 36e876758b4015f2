//! What other tasks and threads have to tell a shard.
//!
//! The list is bounded by what may be told: a connection has at most one frame, one end of a
//! write and a look or two under way, a call waits for its answer.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use bayeux_core::{
    Call, CallResult, ConnectionId, Decider, DeciderId, Input, Instant, Messages, Peer, Transport,
};
use futures_channel::oneshot;
use futures_util::task::AtomicWaker;

use crate::application::DynDecide;
use crate::carrier::{Carrier, LocalEnd};
use crate::deadlines::Watched;
use crate::guarded::Guarded;
use crate::measure::Measure;

/// Something a shard is told.
pub(crate) enum Fact {
    /// A fact for the engine as it is.
    Input(Input),
    /// A connection has begun, and has brought its first messages.
    Opened(Box<Opening>),
    /// Look at this at that time, if it is still there.
    Watch(Instant, Weak<dyn Watched>),
    /// The application wants something.
    Call(Call, oneshot::Sender<CallResult>),
    /// The application wants a session of its own.
    OpenLocal(
        ConnectionId,
        std::sync::Arc<LocalEnd>,
        oneshot::Sender<CallResult>,
    ),
    /// Somebody wants to be asked.
    AddDecider(Decider, DynDecide),
    /// Somebody no longer wants to be asked.
    RemoveDecider(DeciderId),
    /// Somebody wants to know how things are.
    Measure(oneshot::Sender<Box<Measure>>),
    /// The process is about to stop; to be answered when nothing is left to write.
    Drain(std::time::Duration, oneshot::Sender<()>),
}

/// A connection as it begins.
pub(crate) struct Opening {
    pub(crate) connection: ConnectionId,
    pub(crate) transport: Transport,
    pub(crate) peer: Peer,
    pub(crate) carrier: Carrier,
    pub(crate) messages: Messages,
}

/// The inbox of one shard.
#[derive(Default)]
pub(crate) struct Inbox {
    mail: Guarded<Mail>,
    log_moved: AtomicBool,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Mail {
    facts: Vec<Fact>,
    is_closed: bool,
}

impl Inbox {
    /// Adds a fact, and wakes the shard if this is the first since it last looked. A shard that is
    /// gone hears nothing: whoever waits for its answer is told by the fact being dropped.
    pub(crate) fn push(&self, fact: Fact) {
        let is_first = {
            let mut mail = self.mail.lock();
            if mail.is_closed {
                return;
            }
            mail.facts.push(fact);
            mail.facts.len() == 1
        };
        if is_first {
            self.waker.wake();
        }
    }

    /// Says that the log has new entries; many calls cost one wake.
    pub(crate) fn log_moved(&self) {
        if !self.log_moved.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Moves everything into `facts`, which must be empty.
    pub(crate) fn take(&self, facts: &mut Vec<Fact>) {
        std::mem::swap(&mut self.mail.lock().facts, facts);
        self.log_moved.store(false, Ordering::Release);
    }

    /// How many facts wait.
    pub(crate) fn len(&self) -> usize {
        self.mail.lock().facts.len()
    }

    /// Has `waker` woken at the next fact; says whether there is one already.
    pub(crate) fn listen(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.log_moved.load(Ordering::Acquire) || !self.mail.lock().facts.is_empty()
    }

    /// The shard is gone.
    pub(crate) fn close(&self) {
        let unheard = {
            let mut mail = self.mail.lock();
            mail.is_closed = true;
            std::mem::take(&mut mail.facts)
        };
        drop(unheard);
    }
}
