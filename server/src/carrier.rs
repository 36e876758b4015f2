//! The other ends of an engine's connections, as its shard holds them.

use std::sync::Arc;

use bayeux_core::{Batch, CloseReason, ConnectionId, Instant, Messages};

pub(crate) use crate::application::LocalEnd;
use crate::frames::Frames;
pub(crate) use crate::http::Exchange;

/// What a shard writes to.
pub(crate) enum Carrier {
    /// A request that waits for its response.
    Exchange(Arc<Exchange>),
    /// A websocket.
    Duplex(Arc<dyn Duplex>),
    /// A session of the application's own.
    Local(Arc<LocalEnd>),
}

/// What became of an order to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    /// The operating system has it.
    Written,
    /// It is under way: `Written` or `Closed` will come through the inbox.
    Later,
}

/// When an order to close is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// It is over, and whatever was under way was not written.
    Now,
    /// `Closed` will come through the inbox, behind the `Written` of what was written after all.
    Later,
}

/// A websocket, whatever it runs over. Its own task may be on another thread.
pub(crate) trait Duplex: Send + Sync {
    /// Has the processor fetch what [`send`](Self::send) needs first. What it says means nothing.
    fn prefetch(&self) -> bool;
    /// Writes at once what the socket takes at once.
    fn send(
        &self,
        now: Instant,
        connection: ConnectionId,
        batch: &Batch,
        frames: &mut Frames,
    ) -> Sent;
    /// Lets the next frame be read.
    fn receive(&self, connection: ConnectionId);
    /// Begins the end. `Closed` comes through the inbox.
    fn close(&self, connection: ConnectionId, reason: CloseReason);
    /// Has another shard told of it, with these messages; this one has let go of it.
    fn hand_on(&self, connection: ConnectionId, shard: u32, messages: Messages);
}

impl Carrier {
    /// Has the processor fetch what [`send`](Self::send) needs first. What it says means nothing.
    pub(crate) fn prefetch(&self) -> bool {
        match self {
            Self::Duplex(duplex) => duplex.prefetch(),
            Self::Exchange(_) | Self::Local(_) => false,
        }
    }

    pub(crate) fn send(
        &self,
        now: Instant,
        connection: ConnectionId,
        batch: Batch,
        frames: &mut Frames,
    ) -> Sent {
        match self {
            Self::Exchange(exchange) => exchange.answer(batch),
            Self::Duplex(duplex) => return duplex.send(now, connection, &batch, frames),
            Self::Local(end) => end.deliver(batch),
        }
        Sent::Later
    }

    pub(crate) fn receive(&self, connection: ConnectionId) {
        match self {
            Self::Duplex(duplex) => duplex.receive(connection),
            Self::Exchange(_) | Self::Local(_) => {}
        }
    }

    pub(crate) fn close(&self, connection: ConnectionId, reason: CloseReason) -> Ended {
        match self {
            Self::Exchange(exchange) => exchange.close(reason),
            Self::Duplex(duplex) => duplex.close(connection, reason),
            Self::Local(end) => {
                end.close(reason);
                return Ended::Now;
            }
        }
        Ended::Later
    }
}
