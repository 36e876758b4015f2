//! Which shard a message belongs to, and the way there.
//!
//! A session's identifier says where it lives, so no table is asked. Facts of one connection go to
//! one shard at a time, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use bayeux_core::{Call, CallResult, ConnectionId, Input, Messages, Peer, SessionId};
use futures_channel::oneshot;

use crate::clock::Clock;
use crate::inbox::{Fact, Inbox, Opening};
use crate::measure::Latest;
use crate::site::Site;

/// What the shards of one process share.
pub(crate) struct Router {
    pub(crate) site: Site,
    pub(crate) clock: Clock,
    seats: Box<[Seat]>,
    /// How many websockets there are.
    pub(crate) websockets: AtomicUsize,
    /// Which shard is next if several would do.
    turn: AtomicU32,
    crossed: AtomicU64,
    /// What the shards said of themselves.
    pub(crate) latest: Latest,
    has_deciders: AtomicBool,
    is_draining: AtomicBool,
}

/// One shard as others see it.
#[derive(Default)]
struct Seat {
    inbox: Inbox,
    /// The number of the last connection named here.
    named: AtomicU64,
    /// How many sockets it has.
    sockets: AtomicUsize,
}

impl Router {
    pub(crate) fn new(site: Site, clock: Clock, shards: u32) -> Self {
        Self {
            site,
            clock,
            seats: (0..shards).map(|_| Seat::default()).collect(),
            websockets: AtomicUsize::new(0),
            turn: AtomicU32::new(0),
            crossed: AtomicU64::new(0),
            latest: Latest::new(shards),
            has_deciders: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
        }
    }

    pub(crate) fn shards(&self) -> u32 {
        u32::try_from(self.seats.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn inbox(&self, shard: u32) -> Option<&Inbox> {
        self.seat(shard).map(|seat| &seat.inbox)
    }

    pub(crate) fn tell(&self, shard: u32, fact: Fact) {
        if let Some(inbox) = self.inbox(shard) {
            inbox.push(fact);
        }
    }

    /// Asks one shard; `None` if it is gone.
    pub(crate) async fn ask(&self, shard: u32, call: Call) -> Option<CallResult> {
        self.submit(shard, call).await.ok()
    }

    /// The same at once, with the answer to be waited for.
    pub(crate) fn submit(&self, shard: u32, call: Call) -> oneshot::Receiver<CallResult> {
        let (answer, answered) = oneshot::channel();
        self.tell(shard, Fact::Call(call, answer));
        answered
    }

    /// A name for a connection, with the shard that it came to in its upper bits.
    pub(crate) fn name(&self, shard: u32) -> ConnectionId {
        let number = self
            .seat(shard)
            .map_or(0, |seat| seat.named.fetch_add(1, Ordering::Relaxed));
        ConnectionId::new(u64::from(shard) << 48 | number)
    }

    /// The shard with the fewest sockets; of several the next in turn, so that sessions spread also
    /// where each request is a connection of its own. Each round begins one further on, lest clients
    /// that come in step always find the same.
    pub(crate) fn least_loaded(&self) -> u32 {
        let count = self.shards();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = turn.wrapping_add(turn / count);
        let load = |shard: u32| {
            self.seat(shard)
                .map(|seat| seat.sockets.load(Ordering::Relaxed))
        };
        let in_turn = (0..count).map(|step| first.wrapping_add(step) % count);
        in_turn.min_by_key(|shard| load(*shard)).unwrap_or(0)
    }

    pub(crate) fn socket_opened(&self, shard: u32) {
        if let Some(seat) = self.seat(shard) {
            seat.sockets.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn socket_closed(&self, shard: u32) {
        if let Some(seat) = self.seat(shard) {
            seat.sockets.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many websockets are open.
    pub(crate) fn websockets(&self) -> usize {
        self.websockets.load(Ordering::Relaxed)
    }

    /// How many facts were told by one shard to another.
    pub(crate) fn crossed(&self) -> u64 {
        self.crossed.load(Ordering::Relaxed)
    }

    /// How many facts wait to be heard.
    pub(crate) fn waiting(&self) -> usize {
        self.seats.iter().map(|seat| seat.inbox.len()).sum()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    pub(crate) fn begin_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_deciders(&self) -> bool {
        self.has_deciders.load(Ordering::Relaxed)
    }

    pub(crate) fn decider_added(&self) {
        self.has_deciders.store(true, Ordering::Relaxed);
    }

    fn seat(&self, shard: u32) -> Option<&Seat> {
        self.seats.get(usize::try_from(shard).ok()?)
    }
}

/// The way to the shards from one place.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) router: Arc<Router>,
    pub(crate) place: Place,
}

/// Where facts come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The thread of this shard.
    Shard(u32),
    /// Another application's runtime; what belongs nowhere is for this shard.
    Mounted(u32),
}

impl Place {
    /// The shard for what belongs nowhere.
    pub(crate) const fn shard(self) -> u32 {
        match self {
            Self::Shard(shard) | Self::Mounted(shard) => shard,
        }
    }
}

impl Gateway {
    /// The shard that the first frame of a connection belongs to.
    pub(crate) fn home(&self, messages: &Messages, peer: &Peer) -> u32 {
        if messages.is_handshake() {
            return match peer.browser {
                Some(browser) => browser.shard(self.router.shards()),
                None => self.place.shard(),
            };
        }
        self.named(messages).unwrap_or(self.place.shard())
    }

    /// The shard of the session that a frame names.
    pub(crate) fn named(&self, messages: &Messages) -> Option<u32> {
        let session = messages.session().and_then(SessionId::parse)?;
        Some(session.shard(self.router.shards()))
    }

    pub(crate) fn tell(&self, shard: u32, fact: Fact) {
        if matches!(self.place, Place::Shard(here) if here != shard) {
            self.router.crossed.fetch_add(1, Ordering::Relaxed);
        }
        self.router.tell(shard, fact);
    }

    /// Tells a shard of a new connection, and keeps it told.
    pub(crate) fn open(&self, shard: u32, opening: Opening) -> Engagement {
        self.engage(shard, opening.connection, Fact::Opened(Box::new(opening)))
    }

    /// The same for a connection that `fact` tells of.
    pub(crate) fn engage(&self, shard: u32, connection: ConnectionId, fact: Fact) -> Engagement {
        self.tell(shard, fact);
        Engagement {
            gateway: self.clone(),
            shard,
            connection,
            is_over: false,
        }
    }
}

/// A connection that a shard knows of. Dropped, it tells the shard that the connection is gone.
pub(crate) struct Engagement {
    gateway: Gateway,
    shard: u32,
    connection: ConnectionId,
    is_over: bool,
}

impl Engagement {
    pub(crate) const fn shard(&self) -> u32 {
        self.shard
    }

    /// The next frame.
    pub(crate) fn received(&self, messages: Messages) {
        let connection = self.connection;
        self.tell(Input::Received {
            connection,
            messages,
        });
    }

    /// The end of an order to send.
    pub(crate) fn written(&self) {
        self.tell(Input::Written {
            connection: self.connection,
        });
    }

    /// The end of an exchange.
    pub(crate) fn written_and_over(mut self) {
        self.written();
        self.is_over = true;
    }

    /// The shard knows already.
    pub(crate) fn release(mut self) {
        self.is_over = true;
    }

    fn tell(&self, input: Input) {
        self.gateway.tell(self.shard, Fact::Input(input));
    }
}

impl Drop for Engagement {
    fn drop(&mut self) {
        if !self.is_over {
            self.tell(Input::Closed {
                connection: self.connection,
            });
        }
    }
}
