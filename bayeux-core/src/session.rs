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
mod hold;
mod queue;
mod unconfirmed;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::num::NonZeroU32;
use core::time::Duration;

use smallvec::SmallVec;

pub use self::census::Census;
pub(crate) use self::hold::Hold;
pub(crate) use self::queue::{Keep, Queue, Queued, Taken};
pub(crate) use self::unconfirmed::Unconfirmed;
use crate::call::Phase;
use crate::channel::ChannelKey;
use crate::connection::Leftover;
use crate::id::{BrowserId, ConnectionId, Entropy, SessionId, StoreTicket};
use crate::io::Transport;
use crate::keyed::Index;
use crate::page::page;
use crate::request::RequestKey;
use crate::slots::Slots;
use crate::store::{Fence, Position, SessionRecord, SessionSettings};
use crate::time::Instant;
use crate::turn::CountedAddress;

/// Where a session is in [`Sessions`]; finds nothing once the session is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SessionKey {
    slot: u32,
    generation: NonZeroU32,
}

impl SessionKey {
    /// The number by which channels know it while it lives.
    pub(crate) const fn slot(self) -> u32 {
        self.slot
    }
}

/// One session.
///
/// What each event of it has to look at stands in front, in as few lines of the cache as it takes: with many sessions
/// that is most of what an event costs.
#[repr(C, align(64))]
pub(crate) struct Session {
    generation: NonZeroU32,
    /// How many requests that are worked on hold back its events (QU-2).
    pub(crate) batching: u32,
    /// Entries up to here have been queued for it, or need not be.
    pub(crate) received: Position,
    /// What few sessions have.
    special: Option<Box<Special>>,
    pub(crate) settings: Arc<SessionSettings>,
    /// The duplex that carries its events, if one does (WS-7, DE-1).
    pub(crate) socket: Option<ConnectionId>,
    /// Where what is in flight is in flight.
    pub(crate) in_flight: Option<ConnectionId>,
    pub(crate) queue: Queue,
    pub(crate) state: State,
    pub(crate) id: SessionId,
    pub(crate) subscriptions: SmallVec<[Subscribed; 2]>,
    pub(crate) fence: Fence,
    pub(crate) browser: Option<BrowserId>,
    /// The position that its acknowledgement numbers count from.
    pub(crate) start: Position,
    /// Up to here its client has everything (with acknowledgement).
    pub(crate) acknowledged: Position,
    /// Requests that bring a connect which has not begun yet, in order of arrival.
    pub(crate) arriving: SmallVec<[RequestKey; 1]>,
    /// Where the answer to its last connect is on its way.
    pub(crate) answering: Option<ConnectionId>,
    /// When it last did something but connect (EX-3).
    pub(crate) active: Instant,
    /// What its client was last told of timings (AD-3).
    pub(crate) advised: Option<Advised>,
    /// Appends that the store has not answered.
    pub(crate) open_appends: u32,
    /// What it counts for among the sessions of its address.
    pub(crate) address: Option<CountedAddress>,
    pub(crate) binding: Binding,
    /// Whether it has connected once (CN-2).
    pub(crate) connected: bool,
    /// What its last connect came by.
    pub(crate) transport: Option<Transport>,
    /// It was told to poll slowly, its browser having another (BR-9).
    pub(crate) multiple: bool,
}

/// What few sessions have, kept apart.
#[derive(Default)]
pub(crate) struct Special {
    /// What is particular to a session that was claimed from another engine.
    pub(crate) takeover: Takeover,
    /// The request of its connect, which waits until the log was read.
    pub(crate) awaiting: Option<RequestKey>,
    /// The `interval` that its client asked for with the last connect (AD-7).
    pub(crate) client_interval: Option<Duration>,
    /// Until when it was admitted, if there is an end to that (HS-18).
    pub(crate) until: Option<Instant>,
    /// How many batches the application has begun and not ended (QU-3).
    pub(crate) batches: u32,
}

/// What a session that was claimed has still to get from the log.
#[derive(Default)]
pub(crate) struct Takeover {
    /// Some of its subscriptions begin after what this engine had seen then, none of them after this.
    pub(crate) floor: Position,
    /// The log is being read for it: what is to stand before the rest of its queue is still missing.
    pub(crate) reading: Option<Reading>,
    /// The log up to here is to be read for it once its client has said how far it has come (with
    /// acknowledgement).
    pub(crate) unread: Option<Position>,
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

/// Timings as a client knows them, in milliseconds; what is longer than seven weeks counts as that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Advised {
    pub(crate) transport: Transport,
    pub(crate) timeout: u32,
    pub(crate) interval: u32,
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
    Held(Hold),
    /// The last connect was answered; gone unless it comes back before `expires`.
    Away { expires: Instant },
    /// Disconnected by the server between two connects; the next one takes the rest (DC-5).
    Leaving {
        expires: Instant,
        rest: Box<[Leftover]>,
    },
    /// The application's own: events leave on this connection.
    Local,
}

/// Whether the cookie of a session has come back once: from then on it is found with that alone (BR-4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Binding {
    /// It has not.
    Open,
    /// It has, and the store is to be told so when it comes again, or once there is a store again.
    Unrecorded,
    /// It has, and the store knows or is being told.
    Recorded,
}

impl Session {
    /// A session as `record` has it, without connection.
    pub(crate) fn new(record: SessionRecord, now: Instant, seen: Position) -> Self {
        Self {
            generation: NonZeroU32::MIN,
            batching: 0,
            received: record.start.max(seen),
            special: None,
            settings: record.settings,
            socket: None,
            in_flight: None,
            queue: Queue::default(),
            state: State::Fresh { expires: now },
            id: record.session,
            subscriptions: SmallVec::new(),
            fence: record.fence,
            browser: record.browser,
            start: record.start,
            acknowledged: record.start,
            arriving: SmallVec::new(),
            answering: None,
            active: now,
            advised: None,
            open_appends: 0,
            address: None,
            binding: if record.bound {
                Binding::Recorded
            } else {
                Binding::Open
            },
            connected: false,
            transport: None,
            multiple: false,
        }
    }

    pub(crate) const fn key(&self, slot: u32) -> SessionKey {
        SessionKey {
            slot,
            generation: self.generation,
        }
    }

    /// What its events are kept until.
    pub(crate) fn keep(&self) -> Keep {
        if self.settings.acknowledged {
            Keep::Acknowledged
        } else {
            Keep::Written
        }
    }

    /// What is special about it, if something is.
    pub(crate) fn special(&self) -> Option<&Special> {
        self.special.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn special_mut(&mut self) -> Option<&mut Special> {
        self.special.as_deref_mut()
    }

    /// Makes something special about it.
    pub(crate) fn make_special(&mut self) -> &mut Special {
        self.special.get_or_insert_default()
    }

    /// The `interval` that its client asked for with the last connect (AD-7).
    pub(crate) fn client_interval(&self) -> Option<Duration> {
        self.special()?.client_interval
    }

    /// Whether its events are held back for company.
    pub(crate) fn is_batching(&self) -> bool {
        self.batching > 0 || self.special().is_some_and(|special| special.batches > 0)
    }

    /// Whether its events may leave: none of them is in flight, and none is still to be read that
    /// stands before them.
    pub(crate) fn may_give_out(&self) -> bool {
        self.in_flight.is_none() && self.reading().is_none()
    }

    /// The part of the log that is being read for it.
    pub(crate) fn reading(&self) -> Option<Reading> {
        self.special()?.takeover.reading
    }

    /// After which position every one of its subscriptions has begun.
    pub(crate) fn floor(&self) -> Position {
        self.special()
            .map_or(Position::ZERO, |special| special.takeover.floor)
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
        self.reading().map_or(seen, |reading| reading.after)
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
    slots: Slots<Session>,
    names: Index,
    /// What sessions mostly agree on: those that do share it.
    usual: [Arc<SessionSettings>; 2],
    generation: NonZeroU32,
    /// Kept in step by `insert`, `remove` and `change`.
    census: Census,
}

impl Sessions {
    pub(crate) fn new(entropy: &mut Entropy) -> Self {
        Self {
            slots: Slots::default(),
            names: Index::new((entropy.word(), entropy.word())),
            usual: [false, true].map(|acknowledged| {
                Arc::new(SessionSettings {
                    acknowledged,
                    ..SessionSettings::default()
                })
            }),
            generation: NonZeroU32::MIN,
            census: Census::default(),
        }
    }

    pub(crate) fn insert(&mut self, mut session: Session) -> SessionKey {
        // After 4 billion of them it begins anew.
        self.generation = self.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        session.generation = self.generation;
        session.settings = self.share(session.settings);
        let hash = self.names.hash(session.id);
        self.census.add(&session);
        let slot = self.slots.insert(session);
        let (names, slots) = (&mut self.names, &self.slots);
        names.insert(hash, slot, |keys, slot| {
            let session = slots.get(slot);
            session.map_or(0, |session| keys.hash_one(session.id))
        });
        SessionKey {
            slot,
            generation: self.generation,
        }
    }

    /// The same settings, with others that have agreed on them.
    pub(crate) fn share(&self, settings: Arc<SessionSettings>) -> Arc<SessionSettings> {
        let usual = self.usual.iter().find(|usual| **usual == settings);
        usual.map_or(settings, Arc::clone)
    }

    pub(crate) fn remove(&mut self, key: SessionKey) -> Option<Session> {
        self.get(key)?;
        let session = self.slots.remove(key.slot)?;
        let hash = self.names.hash(session.id);
        self.names.remove(hash, key.slot);
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
        let session = self.slots.get_mut(key.slot)?;
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
            Census::of(self.slots.iter().map(|(_, session)| session)),
            "each change is counted"
        );
        &self.census
    }

    pub(crate) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        let session = self.slots.get_mut(key.slot)?;
        (session.generation == key.generation).then_some(session)
    }

    pub(crate) fn get(&self, key: SessionKey) -> Option<&Session> {
        let session = self.slots.get(key.slot)?;
        (session.generation == key.generation).then_some(session)
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<SessionKey> {
        let is_it = |slot| self.slots.get(slot).is_some_and(|session| session.id == id);
        let slot = self.names.find(self.names.hash(id), is_it)?;
        Some(self.slots.get(slot)?.key(slot))
    }

    /// The session that a channel knows by this number.
    pub(crate) fn at_slot(&mut self, slot: u32) -> Option<(SessionKey, &mut Session)> {
        let session = self.slots.get_mut(slot)?;
        Some((session.key(slot), session))
    }

    /// The sessions from slot `from` on, at most `limit` of them, and the slot where to go on if there
    /// may be more.
    pub(crate) fn page(&self, from: u32, limit: u32) -> (Vec<SessionKey>, Option<u32>) {
        page(from, limit, self.slots.end(), |slot| {
            let slot = u32::try_from(slot).ok()?;
            Some(self.slots.get(slot)?.key(slot))
        })
    }

    /// All of them, for what concerns all of them: a shutdown, the loss of the log.
    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        let slots = self.slots.iter();
        slots.map(|(slot, session)| session.key(slot)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use core::mem::offset_of;

    use super::*;
    use crate::connection::{Connection, Sending};
    use crate::io::Peer;

    #[test]
    fn an_event_looks_at_two_lines_of_its_session() {
        assert_eq!(align_of::<Session>(), 64);
        assert!(offset_of!(Session, state) <= 128);
    }

    #[test]
    fn what_there_is_one_of_for_each_session_stays_small() {
        // What makes one larger costs every session of every server that much: it belongs into a box, or the
        // figure here goes up for a reason.
        for (name, size, most) in [
            ("Session", size_of::<Session>(), 320),
            ("State", size_of::<State>(), 32),
            ("Queue", size_of::<Queue>(), 72),
            ("Queued", size_of::<Queued>(), 32),
            ("Subscribed", size_of::<Subscribed>(), 16),
            ("Connection", size_of::<Connection>(), 160),
            ("Option<Sending>", size_of::<Option<Sending>>(), 40),
            ("Peer", size_of::<Peer>(), 48),
            ("SessionRecord", size_of::<SessionRecord>(), 112),
            ("Option<ConnectionId>", size_of::<Option<ConnectionId>>(), 8),
            ("Option<SessionKey>", size_of::<Option<SessionKey>>(), 8),
            ("Option<BrowserId>", size_of::<Option<BrowserId>>(), 16),
            ("Option<Instant>", size_of::<Option<Instant>>(), 8),
        ] {
            assert!(size <= most, "{name} has {size} bytes, more than {most}");
        }
    }
}
