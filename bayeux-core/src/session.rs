//! Sessions, and where each of them stands.
//!
//! ```text
//!              connect                 nothing to say
//!   Fresh ───────────────▶ Connecting ───────────────▶ Held
//!     │                     ▲      │                    │  event, timeout, abort,
//!     │             connect │      │ answered           │  newer connect
//!     │                     └──── Away ◀────────────────┘
//!     └── expires ──▶ gone ◀───────┘ expires
//! ```
//!
//! `Leaving` is `Away` with nothing before it but the last connect; `Local` has no connects.

mod census;
mod queue;
mod unconfirmed;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use slab::Slab;
use smallvec::SmallVec;

pub use self::census::Census;
pub(crate) use self::queue::{Keep, Queue, Queued, Taken};
pub(crate) use self::unconfirmed::Unconfirmed;
use crate::call::Phase;
use crate::channel::ChannelKey;
use crate::connection::{Answer, Leftover};
use crate::id::{BrowserId, ConnectionId, Entropy, SessionId, StoreTicket};
use crate::io::Transport;
use crate::keyed::Keyed;
use crate::page::page;
use crate::request::RequestKey;
use crate::store::{Fence, Position, SessionRecord, SessionSettings};
use crate::time::Instant;

/// Where a session is in [`Sessions`]; finds nothing once the session is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SessionKey {
    slot: u32,
    generation: u32,
}

impl SessionKey {
    /// The number by which channels know it while it lives.
    pub(crate) const fn slot(self) -> u32 {
        self.slot
    }
}

/// One session.
pub(crate) struct Session {
    generation: u32,
    pub(crate) id: SessionId,
    pub(crate) fence: Fence,
    pub(crate) state: State,
    /// The duplex that carries its events, if one does (WS-7, DE-1).
    pub(crate) socket: Option<ConnectionId>,
    /// Whether it has connected once (CN-2).
    pub(crate) connected: bool,
    /// What its last connect came by.
    pub(crate) transport: Option<Transport>,
    /// The `interval` that its client asked for with the last connect (AD-7).
    pub(crate) client_interval: Option<Duration>,
    /// What its client was last told of timings (AD-3).
    pub(crate) advised: Option<Advised>,
    pub(crate) settings: Box<SessionSettings>,
    pub(crate) browser: Option<BrowserId>,
    pub(crate) binding: Binding,
    /// It was told to poll slowly, its browser having another (BR-9).
    pub(crate) multiple: bool,
    pub(crate) address: Option<IpAddr>,
    pub(crate) subscriptions: Vec<Subscribed>,
    pub(crate) queue: Queue,
    /// Where what is in flight is in flight.
    pub(crate) in_flight: Option<ConnectionId>,
    /// How many requests that are worked on hold back its events (QU-2).
    pub(crate) batching: u32,
    /// How many batches the application has begun and not ended (QU-3).
    pub(crate) batches: u32,
    /// The position that its acknowledgement numbers count from.
    pub(crate) start: Position,
    /// Up to here its client has everything (with acknowledgement).
    pub(crate) acknowledged: Position,
    /// Entries up to here have been queued for it, or need not be.
    pub(crate) received: Position,
    /// Some subscriptions begin after what this engine had seen when it claimed the session.
    pub(crate) floor: Position,
    /// The log is being read for it: what is to stand before the rest of its queue is still missing.
    pub(crate) reading: Option<Reading>,
    /// It was claimed, and the log up to here is to be read for it once its client has said how far
    /// it has come (with acknowledgement).
    pub(crate) unread: Option<Position>,
    /// Requests that bring a connect which has not begun yet, in order of arrival.
    pub(crate) arriving: SmallVec<[RequestKey; 1]>,
    /// Where the answer to its last connect is on its way.
    pub(crate) answering: Option<ConnectionId>,
    /// The request of its connect, which waits until the log was read.
    pub(crate) awaiting: Option<RequestKey>,
    /// Appends that the store has not answered.
    pub(crate) open_appends: usize,
    /// Requests that wait until there are fewer.
    pub(crate) paused: Vec<RequestKey>,
    /// Until when it was admitted, if there is an end to that (HS-18).
    pub(crate) until: Option<Instant>,
    /// When it last did something but connect (EX-3).
    pub(crate) active: Instant,
}

/// A part of the log that was asked for: what follows `after`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) ticket: StoreTicket,
    pub(crate) after: Position,
}

/// A subscription, seen from its session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscribed {
    pub(crate) channel: ChannelKey,
    /// Where in the channel's list of subscribers.
    pub(crate) index: u32,
    pub(crate) since: Position,
}

/// Timings as a client knows them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Advised {
    pub(crate) transport: Transport,
    pub(crate) timeout: Duration,
    pub(crate) interval: Duration,
}

/// Where a session stands between two of its connects.
pub(crate) enum State {
    /// Handshaken; has not connected yet.
    Fresh { expires: Instant },
    /// A connect is being worked on by this request.
    Connecting {
        request: RequestKey,
        stuck: Option<Instant>,
    },
    /// A connect waits for something to say.
    Held(Box<Hold>),
    /// The last connect was answered; gone unless it comes back before `expires`.
    Away { expires: Instant },
    /// Disconnected by the server between two connects; the next one takes the rest (DC-5).
    Leaving {
        expires: Instant,
        rest: Vec<Leftover>,
    },
    /// The application's own: events leave on this connection.
    Local,
}

/// Whether the cookie of a session has come back once: from then on it is found with that alone (BR-4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Binding {
    /// It has not.
    Open,
    /// It has, and the store is to be told so when it comes again.
    Unrecorded,
    /// It has, and the store knows or is being told.
    Recorded,
}

/// A connect that is held.
pub(crate) struct Hold {
    pub(crate) connection: ConnectionId,
    pub(crate) until: Instant,
    /// How it will be answered, but for what is known only then.
    pub(crate) answer: Answer,
    /// The browser whose hold this is, if it counts (BR-7).
    pub(crate) browser: Option<BrowserId>,
}

impl Session {
    /// A session as `record` has it, without connection.
    pub(crate) fn new(record: SessionRecord, now: Instant, seen: Position) -> Self {
        Self {
            generation: 0,
            id: record.session,
            fence: record.fence,
            state: State::Fresh { expires: now },
            socket: None,
            connected: false,
            transport: None,
            client_interval: None,
            advised: None,
            settings: Box::new(record.settings),
            browser: record.browser,
            binding: if record.bound {
                Binding::Recorded
            } else {
                Binding::Open
            },
            multiple: false,
            address: None,
            subscriptions: Vec::new(),
            queue: Queue::default(),
            in_flight: None,
            batching: 0,
            batches: 0,
            start: record.start,
            acknowledged: record.start,
            received: record.start.max(seen),
            floor: Position::ZERO,
            reading: None,
            unread: None,
            arriving: SmallVec::new(),
            answering: None,
            awaiting: None,
            open_appends: 0,
            paused: Vec::new(),
            until: None,
            active: now,
        }
    }

    pub(crate) const fn key(&self, slot: u32) -> SessionKey {
        SessionKey {
            slot,
            generation: self.generation,
        }
    }

    /// What its events are kept until.
    pub(crate) const fn keep(&self) -> Keep {
        if self.settings.acknowledged {
            Keep::Acknowledged
        } else {
            Keep::Written
        }
    }

    /// Whether its events are held back for company.
    pub(crate) const fn is_batching(&self) -> bool {
        self.batching > 0 || self.batches > 0
    }

    /// Whether its events may leave: none of them is in flight, and none is still to be read that
    /// stands before them.
    pub(crate) const fn may_give_out(&self) -> bool {
        self.in_flight.is_none() && self.reading.is_none()
    }

    pub(crate) const fn hold(&self) -> Option<&Hold> {
        match &self.state {
            State::Held(hold) => Some(hold),
            State::Fresh { .. }
            | State::Connecting { .. }
            | State::Away { .. }
            | State::Leaving { .. }
            | State::Local => None,
        }
    }

    /// The request that works on its connect, if one does.
    pub(crate) const fn connecting(&self) -> Option<RequestKey> {
        match &self.state {
            State::Connecting { request, .. } => Some(*request),
            State::Fresh { .. }
            | State::Held(_)
            | State::Away { .. }
            | State::Leaving { .. }
            | State::Local => None,
        }
    }

    /// The requests that bring its connects, begun or not.
    pub(crate) fn connects(&self) -> SmallVec<[RequestKey; 1]> {
        self.arriving
            .iter()
            .copied()
            .chain(self.connecting())
            .collect()
    }

    /// Its state as the application sees it.
    pub(crate) const fn phase(&self) -> Phase {
        match &self.state {
            State::Fresh { .. } => Phase::Fresh,
            State::Connecting { .. } => Phase::Connecting,
            State::Held(_) => Phase::Held,
            State::Away { .. } | State::Leaving { .. } => Phase::Away,
            State::Local => Phase::Local,
        }
    }

    /// When it expires, if that is running.
    pub(crate) const fn expires(&self) -> Option<Instant> {
        match &self.state {
            State::Fresh { expires } | State::Away { expires } | State::Leaving { expires, .. } => {
                Some(*expires)
            }
            State::Connecting { .. } | State::Held(_) | State::Local => None,
        }
    }

    pub(crate) const fn is_fresh(&self) -> bool {
        matches!(self.state, State::Fresh { .. })
    }

    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving { .. })
    }

    pub(crate) const fn is_local(&self) -> bool {
        matches!(self.state, State::Local)
    }

    /// Up to where every entry of the log is in its queue, has been, or need not be; `seen` is what
    /// the engine has seen.
    pub(crate) fn settled(&self, seen: Position) -> Position {
        self.reading.map_or(seen, |reading| reading.after)
    }

    /// Up to where everything that is for it has left (with acknowledgement: has arrived); `seen` is what
    /// the engine has seen.
    pub(crate) fn reached(&self, seen: Position) -> Position {
        if self.settings.acknowledged {
            return self.acknowledged;
        }
        // It may have come from one that was ahead of this engine.
        let settled = self.settled(seen.max(self.received));
        match self.queue.next_to_leave() {
            Some(next) => settled.min(Position::new(next.number().saturating_sub(1))),
            None => settled,
        }
    }
}

/// All sessions of an engine, by key and by name.
pub(crate) struct Sessions {
    slots: Slab<Box<Session>>,
    names: Keyed<SessionId, SessionKey>,
    generation: u32,
    /// Kept in step by `insert`, `remove` and `change`.
    census: Census,
}

impl Sessions {
    pub(crate) fn new(entropy: &mut Entropy) -> Self {
        Self {
            slots: Slab::new(),
            names: Keyed::new(entropy),
            generation: 0,
            census: Census::default(),
        }
    }

    pub(crate) fn insert(&mut self, mut session: Session) -> SessionKey {
        self.generation = self.generation.wrapping_add(1);
        session.generation = self.generation;
        let id = session.id;
        self.census.add(&session);
        let slot = self.slots.insert(Box::new(session));
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        let key = SessionKey {
            slot,
            generation: self.generation,
        };
        self.names.insert(id, key);
        key
    }

    pub(crate) fn remove(&mut self, key: SessionKey) -> Option<Box<Session>> {
        self.get(key)?;
        let session = self.slots.try_remove(key.slot as usize)?;
        self.names.remove(&session.id);
        self.census.remove(&session);
        Some(session)
    }

    /// Changes what the census is taken by, the state or the transport of a session; gives the state
    /// that it had.
    pub(crate) fn change(
        &mut self,
        key: SessionKey,
        state: State,
        transport: Option<Transport>,
    ) -> Option<State> {
        let session = self.slots.get_mut(key.slot as usize)?;
        if session.generation != key.generation {
            return None;
        }
        self.census.remove(session);
        session.transport = transport.or(session.transport);
        let before = core::mem::replace(&mut session.state, state);
        self.census.add(session);
        Some(before)
    }

    /// How many there are of each kind.
    pub(crate) fn census(&self) -> &Census {
        debug_assert_eq!(
            self.census,
            Census::of(self.slots.iter().map(|(_, session)| &**session)),
            "each change is counted"
        );
        &self.census
    }

    pub(crate) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        let session = self.slots.get_mut(key.slot as usize)?;
        (session.generation == key.generation).then_some(session)
    }

    pub(crate) fn get(&self, key: SessionKey) -> Option<&Session> {
        let session = self.slots.get(key.slot as usize)?;
        (session.generation == key.generation).then_some(session)
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<SessionKey> {
        self.names.get(&id).copied()
    }

    /// The session that a channel knows by this number.
    pub(crate) fn at_slot(&mut self, slot: u32) -> Option<(SessionKey, &mut Session)> {
        let session = self.slots.get_mut(slot as usize)?;
        Some((session.key(slot), session))
    }

    /// The sessions from slot `from` on, at most `limit` of them, and the slot where to go on if there
    /// may be more.
    pub(crate) fn page(&self, from: u32, limit: u32) -> (Vec<SessionKey>, Option<u32>) {
        page(from, limit, self.slots.capacity(), |slot| {
            let session = self.slots.get(slot)?;
            Some(session.key(u32::try_from(slot).unwrap_or(u32::MAX)))
        })
    }

    /// All of them, for what concerns all of them: a shutdown, the loss of the log.
    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        let slots = self.slots.iter();
        slots
            .map(|(slot, session)| session.key(u32::try_from(slot).unwrap_or(u32::MAX)))
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}
