//! Connections: what is being worked on for each, what is ready to be sent, what is on its way.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use crate::id::{BrowserId, ConnectionId, SessionId};
use crate::io::{Peer, Transport};
use crate::message::{Event, Messages, Reply};
use crate::request::RequestKey;
use crate::session::SessionKey;
use crate::store::Position;
use crate::time::Instant;
use crate::timesync::Timesync;

/// An exchange or a duplex.
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) peer: Peer,
    /// The session that a duplex is bound to (WS-5).
    pub(crate) session: Option<SessionKey>,
    /// The session whose connect it holds.
    pub(crate) held: Option<SessionKey>,
    /// What came in and is not answered yet, in order.
    pub(crate) requests: SmallVec<[RequestKey; 1]>,
    /// A frame that waits until those before it have found their session again.
    pub(crate) early: Option<Box<Messages>>,
    /// What is answered and not sent yet, in order.
    pub(crate) ready: VecDeque<Response>,
    /// What was sent and is not written yet.
    pub(crate) sending: Option<Sending>,
    /// It stands in the outbox to be built.
    pub(crate) due: bool,
    /// It was told to close.
    pub(crate) closing: bool,
    /// It takes nothing any more, and is closed once what it has been given is written.
    pub(crate) finishing: bool,
    /// The driver may hand over a frame.
    pub(crate) reading: bool,
    /// When it is closed for having no session (DE-8).
    pub(crate) grace: Option<Instant>,
    /// The connection of a session of the application's own.
    pub(crate) local: bool,
}

impl Connection {
    pub(crate) fn new(transport: Transport, peer: Peer) -> Self {
        Self {
            transport,
            peer,
            session: None,
            held: None,
            requests: SmallVec::new(),
            early: None,
            ready: VecDeque::new(),
            sending: None,
            due: false,
            closing: false,
            finishing: false,
            reading: true,
            grace: None,
            local: false,
        }
    }
}

/// What is on its way.
#[derive(Default)]
pub(crate) struct Sending {
    /// Whose events are in flight.
    pub(crate) events: Option<SessionKey>,
    /// How many.
    pub(crate) count: u32,
    /// The last of those events, if some had to stay behind.
    pub(crate) cut_off: Option<Position>,
    /// Whose connect is answered with it: its clock starts when this is written (TM-4).
    pub(crate) connect: Option<SessionKey>,
    /// To be reported as delivered, if that is wanted.
    pub(crate) positions: Box<[Position]>,
    /// What it carries of a session that has ended.
    pub(crate) rest: Option<Box<(SessionId, Vec<Position>)>>,
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

/// All connections of an engine.
#[derive(Default)]
pub(crate) struct Connections {
    /// Looked up many times for each event. Their names are the driver's, so that no peer can choose
    /// them to collide.
    map: HashMap<ConnectionId, Box<Connection>, FxBuildHasher>,
}

impl Connections {
    pub(crate) fn insert(&mut self, id: ConnectionId, connection: Connection) {
        self.map.insert(id, Box::new(connection));
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Box<Connection>> {
        self.map.remove(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.map.get_mut(&id).map(Box::as_mut)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.map.get(&id).map(Box::as_ref)
    }

    /// All duplexes in order, for a shutdown to close.
    pub(crate) fn duplexes(&self) -> Vec<ConnectionId> {
        let all = self.map.iter();
        let duplexes = all.filter(|(_, connection)| !connection.transport.is_exchange());
        let mut duplexes: Vec<_> = duplexes.map(|(id, _)| *id).collect();
        duplexes.sort_unstable();
        duplexes
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }
}
