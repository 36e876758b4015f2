//! Connections: what is being worked on for each, what is ready to be sent, what is on its way.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::id::{BrowserId, ConnectionId, SessionId};
use crate::io::{Peer, Transport};
use crate::message::{Event, Messages, Reply};
use crate::named::{ByName, Named};
use crate::request::RequestKey;
use crate::session::SessionKey;
use crate::store::Position;
use crate::time::Instant;
use crate::timesync::Timesync;

/// An exchange or a duplex.
///
/// What each batch has to look at stands in front: two lines of the cache, wherever it begins.
#[repr(C, align(32))]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) transport: Transport,
    /// It stands in the outbox to be built.
    pub(crate) due: bool,
    /// It was told to close.
    pub(crate) closing: bool,
    /// It takes nothing any more, and is closed once what it has been given is written.
    pub(crate) finishing: bool,
    /// The driver may hand over a frame.
    pub(crate) reading: bool,
    /// The connection of a session of the application's own.
    pub(crate) local: bool,
    /// The session that a duplex is bound to (WS-5).
    pub(crate) session: Option<SessionKey>,
    /// What was sent and is not written yet.
    pub(crate) sending: Option<Sending>,
    /// What waits for its turn.
    backlog: Option<Box<Backlog>>,
    /// What came in and is not answered yet, in order.
    pub(crate) requests: SmallVec<[RequestKey; 1]>,
    /// The session whose connect it holds.
    pub(crate) held: Option<SessionKey>,
    /// When it is closed for having no session (DE-8).
    pub(crate) grace: Option<Instant>,
    pub(crate) peer: Peer,
}

impl Named for Connection {
    type Name = ConnectionId;

    fn name(&self) -> ConnectionId {
        self.id
    }
}

/// What waits for its turn on a connection, if something does.
#[derive(Default)]
pub(crate) struct Backlog {
    /// A frame that waits until those before it have found their session again.
    pub(crate) early: Option<Messages>,
    /// What is answered and not sent yet, in order.
    pub(crate) ready: VecDeque<Response>,
}

impl Connection {
    pub(crate) fn new(id: ConnectionId, transport: Transport, peer: Peer) -> Self {
        Self {
            id,
            transport,
            due: false,
            closing: false,
            finishing: false,
            reading: true,
            local: false,
            session: None,
            sending: None,
            backlog: None,
            requests: SmallVec::new(),
            held: None,
            grace: None,
            peer,
        }
    }

    /// Lets a frame wait.
    pub(crate) fn postpone(&mut self, early: Messages) {
        self.backlog.get_or_insert_default().early = Some(early);
    }

    /// Takes the frame that waits.
    pub(crate) fn take_early(&mut self) -> Option<Messages> {
        self.change_backlog(|backlog| backlog.early.take())
    }

    /// Whether a frame waits.
    pub(crate) fn has_early(&self) -> bool {
        let backlog = self.backlog.as_ref();
        backlog.is_some_and(|backlog| backlog.early.is_some())
    }

    /// Adds what is ready to be sent.
    pub(crate) fn push_ready(&mut self, response: Response) {
        let backlog = self.backlog.get_or_insert_default();
        backlog.ready.push_back(response);
    }

    /// Takes the first of what is ready to be sent.
    pub(crate) fn pop_ready(&mut self) -> Option<Response> {
        self.change_backlog(|backlog| backlog.ready.pop_front())
    }

    /// Takes all that is ready to be sent.
    pub(crate) fn take_ready(&mut self) -> VecDeque<Response> {
        let all = self.change_backlog(|backlog| Some(core::mem::take(&mut backlog.ready)));
        all.unwrap_or_default()
    }

    /// Puts back what of that has to wait.
    pub(crate) fn put_ready(&mut self, ready: VecDeque<Response>) {
        self.backlog.get_or_insert_default().ready = ready;
    }

    /// How many responses are ready to be sent.
    pub(crate) fn ready(&self) -> usize {
        let backlog = self.backlog.as_ref();
        backlog.map_or(0, |backlog| backlog.ready.len())
    }

    /// All that still waits, once it is gone.
    pub(crate) fn take_backlog(&mut self) -> Backlog {
        self.backlog
            .take()
            .map_or_else(Backlog::default, |all| *all)
    }

    /// A connection at rest keeps no empty backlog: most have none.
    fn change_backlog<T>(&mut self, change: impl FnOnce(&mut Backlog) -> Option<T>) -> Option<T> {
        let backlog = self.backlog.as_mut()?;
        let taken = change(backlog);
        if backlog.early.is_none() && backlog.ready.is_empty() {
            self.backlog = None;
        }
        taken
    }
}

/// What is on its way.
#[derive(Default)]
pub(crate) struct Sending {
    /// Whose events are in flight.
    pub(crate) events: Option<SessionKey>,
    /// How many.
    pub(crate) count: u32,
    /// Whose connect is answered with it: its clock starts when this is written (TM-4).
    pub(crate) connect: Option<SessionKey>,
    /// What else has to be known of it, which mostly is nothing.
    pub(crate) positions: Option<Box<Positions>>,
}

/// Which events are on their way.
#[derive(Default)]
pub(crate) struct Positions {
    /// To be reported as delivered, if that is wanted.
    pub(crate) events: Vec<Position>,
    /// What it carries of a session that has ended.
    pub(crate) rest: Option<(SessionId, Vec<Position>)>,
}

/// The answer to one message.
#[derive(PartialEq)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) kind: AnswerKind,
    /// Its time synchronisation, to be computed as it leaves (EX-1).
    pub(crate) timesync: Option<Box<Timesync>>,
}

/// What an answer is to, as far as that matters for what travels with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AnswerKind {
    /// A handshake: first in its response, in a websocket frame of its own (RC-2, RC-5).
    Handshake,
    /// A connect of this session: carries events, and the acknowledgement number.
    Connect(SessionKey),
    /// Anything else.
    Other,
}

/// The answers to the messages of one frame, and what may travel with them.
#[derive(Default)]
pub(crate) struct Response {
    pub(crate) answers: Vec<Answer>,
    pub(crate) carries: Carries,
    /// The browser cookie to set (BR-1).
    pub(crate) cookie: Option<BrowserId>,
}

/// Which events a response carries (RC-3, RC-4).
#[derive(Default)]
pub(crate) enum Carries {
    /// None.
    #[default]
    Nothing,
    /// Those that wait for this session.
    Queue(SessionKey),
    /// These.
    Rest(Rest),
}

/// What a session that has ended leaves behind.
#[derive(Default)]
pub(crate) struct Rest {
    /// Which session; `None` if these are another engine's replies.
    pub(crate) session: Option<SessionId>,
    /// In order. What has no position is no event, and not counted as one.
    pub(crate) events: Vec<Leftover>,
}

/// Something that a session leaves behind, and where in the log it stands.
pub(crate) type Leftover = (Option<Position>, Arc<Event>);

impl Rest {
    /// The positions of the events.
    pub(crate) fn positions(&self) -> impl Iterator<Item = Position> {
        self.events.iter().filter_map(|(position, _)| *position)
    }
}

impl Response {
    /// How many events are lost with it if it does not leave.
    pub(crate) fn losses(&self) -> u64 {
        match &self.carries {
            Carries::Rest(rest) => rest.positions().count() as u64,
            Carries::Nothing | Carries::Queue(_) => 0,
        }
    }
}

impl ByName<Connection> {
    /// All duplexes in order, for a shutdown to close.
    pub(crate) fn duplexes(&self) -> Vec<ConnectionId> {
        let duplexes = self.iter().filter(|entry| !entry.transport.is_exchange());
        let mut duplexes: Vec<_> = duplexes.map(|entry| entry.id).collect();
        duplexes.sort_unstable();
        duplexes
    }
}
