//! The driver: it tells the facts, and holds the engine to what it promises.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken promise has to fail"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use bayeux_core::{
    Batch, BrowserId, CallTicket, Config, ConnectionId, DecisionTicket, Engine, Entry, Input,
    Instant, Output, Peer, Question, ReportKind, Seed, StoreRequest, StoreTicket, Transport,
};
use serde_json::{Value, json};

use super::around::{change, decode, verdict};
use super::sound::expect_sound;
use super::{Eager, Sent, Step};

/// An engine, and all that is around it.
///
/// It panics where the engine breaks a promise.
pub struct World {
    pub(super) engine: Engine,
    pub(super) now: Instant,
    pub(super) connections: Vec<Connection>,
    pub(super) requests: BTreeMap<StoreTicket, StoreRequest>,
    pub(super) questions: BTreeMap<DecisionTicket, Question>,
    /// Calls that wait for their answer.
    pub(super) calls: Vec<CallTicket>,
    pub(super) last_call: u64,
    /// Every session that was ever heard of.
    pub(super) sessions: Vec<String>,
    /// Who does at once what is asked of them.
    pub(super) eager: Eager,
    /// The log.
    pub(super) end: u64,
    pub(super) unseen: Vec<Entry>,
    /// All orders since they were asked for, if anybody will.
    orders: Option<String>,
}

impl World {
    /// An engine that nothing has happened to.
    #[must_use]
    pub fn new(config: Config, seed: u8) -> Self {
        Self {
            engine: Engine::new(config, Seed::new([seed; 32])),
            now: Instant::from_millis(1),
            connections: Vec::new(),
            requests: BTreeMap::new(),
            questions: BTreeMap::new(),
            calls: Vec::new(),
            last_call: 0,
            sessions: Vec::new(),
            eager: Eager::ALL,
            end: 0,
            unseen: Vec::new(),
            orders: None,
        }
    }

    /// Three clients come, one of each kind, connect and subscribe; then everybody is as `eager` says.
    pub fn begin(&mut self, eager: Eager) {
        for (socket, handshake) in [(None, 0), (None, 1), (Some(1), 0)] {
            let whose = u8::try_from(self.sessions.len()).unwrap();
            for sent in [Sent(handshake, 0, 0), Sent(4, whose, 0), Sent(6, whose, 5)] {
                let transport = u8::from(socket.is_some());
                let connection = socket.filter(|_| sent.0 > 1).map(|_| 0);
                self.take(&Step::Frame(connection, transport, vec![sent]));
            }
        }
        self.eager = eager;
    }

    /// Lets a step happen, and what the eager ones make of it.
    pub fn take(&mut self, step: &Step) {
        self.act(step);
        while self.react() {}
    }

    /// Lets the eager ones do what is asked of them; whether anything was.
    fn react(&mut self) -> bool {
        if self.eager.store && !self.requests.is_empty() {
            self.stored(0, None);
        } else if self.eager.store && !self.unseen.is_empty() {
            self.notified(0);
        } else if self.eager.deciders && !self.questions.is_empty() {
            self.act(&Step::Decided(0, 0));
        } else if self.eager.network && !self.waiting().is_empty() {
            self.act(&Step::Written(0));
        } else {
            return false;
        }
        true
    }

    fn act(&mut self, step: &Step) {
        match step {
            Step::Open(transport) => {
                self.open(*transport);
            }
            Step::Frame(connection, transport, sent) => {
                let messages: Vec<_> = sent
                    .iter()
                    .map(|sent| sent.to_json(&self.sessions))
                    .collect();
                let messages = decode(&json!(messages));
                let connection = match *connection {
                    Some(connection) => self.asked(connection),
                    None => self.open(*transport),
                };
                self.fact(Input::Received {
                    connection,
                    messages,
                });
            }
            Step::Written(at) => {
                let waiting = self.waiting();
                if let Some(index) = pick(&waiting, *at) {
                    self.connections[*index].unwritten = false;
                    let connection = name(*index);
                    self.fact(Input::Written { connection });
                }
            }
            Step::Closed(at) => {
                let connection = self.connection(*at);
                self.close(connection);
            }
            Step::Stored(at, how) => self.stored(*at, *how),
            Step::Notified(what) => self.notified(*what),
            Step::Decided(at, how) => {
                let tickets: Vec<_> = self.questions.keys().copied().collect();
                if let Some(ticket) = pick(&tickets, *at).copied() {
                    self.questions.remove(&ticket);
                    let verdict = verdict(*how);
                    self.fact(Input::Decided { ticket, verdict });
                }
            }
            Step::Called(what, at) => self.called(*what, *at),
            Step::Configured(what, at) => {
                let change = change(*what, *at);
                self.fact(Input::Configured { change });
            }
            Step::Draining(millis) => {
                let over = Duration::from_millis(u64::from(*millis));
                self.fact(Input::Draining { over });
            }
            Step::Passes(Some(millis)) => {
                self.now = self.now + Duration::from_millis(u64::from(*millis));
                self.fact(Input::Elapsed);
            }
            Step::Passes(None) => {
                self.now = self.engine.poll_timeout().unwrap_or(self.now).max(self.now);
                self.fact(Input::Elapsed);
            }
            Step::RunsBack => {
                let now = std::mem::replace(&mut self.now, Instant::EPOCH);
                self.engine.handle(self.now, Input::Elapsed);
                self.now = now;
                self.obey();
            }
            Step::Nonsense(what) => self.nonsense(*what),
        }
    }

    pub(super) fn fact(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.obey();
    }

    fn open(&mut self, transport: u8) -> ConnectionId {
        let connection = name(self.connections.len());
        let transport = [
            Transport::LongPolling,
            Transport::WebSocket,
            Transport::CallbackPolling,
        ][usize::from(transport) % 3];
        self.connections.push(Connection {
            transport,
            over: false,
            unwritten: false,
            local: false,
            gone: false,
            asked: false,
        });
        let browser = BrowserId::parse("000000000000000000000001");
        let peer = Peer {
            address: Some([10, 0, 0, 1].into()),
            browser: browser.filter(|_| self.connections.len().is_multiple_of(4)),
            ..Peer::default()
        };
        self.fact(Input::Opened {
            connection,
            transport,
            peer,
        });
        connection
    }

    /// A connection that there was at some time.
    pub(super) fn connection(&self, at: u8) -> ConnectionId {
        let count = self.connections.len().max(1);
        name(count - 1 - usize::from(at) % count)
    }

    /// A connection that may hand over a frame, if there is one.
    fn asked(&mut self, at: u8) -> ConnectionId {
        let all = self.connections.iter().enumerate();
        let asked: Vec<_> = all
            .filter(|(_, c)| c.asked && !c.gone)
            .map(|(index, _)| index)
            .collect();
        let Some(index) = pick(&asked, at).copied() else {
            return self.connection(at);
        };
        self.connections[index].asked = false;
        name(index)
    }

    /// The connections with a batch that is not written.
    fn waiting(&self) -> Vec<usize> {
        let all = self.connections.iter().enumerate();
        all.filter(|(_, connection)| connection.unwritten)
            .map(|(index, _)| index)
            .collect()
    }

    fn close(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.connections.get_mut(index(connection)) {
            entry.unwritten = false;
            entry.over = true;
            entry.gone = true;
        }
        self.fact(Input::Closed { connection });
    }

    /// The store comes back if it was away, everybody hangs up, and time passes.
    pub fn end(&mut self) {
        self.eager = Eager::ALL;
        self.take(&Step::Notified(8));
        for index in 0..self.connections.len() {
            if !self.connections[index].gone {
                self.close(name(index));
            }
        }
        while self.react() {}
        // From alarm to alarm: an engine that stood still meanwhile gives those who wait more time.
        for _ in 0..1_000 {
            self.take(&Step::Passes(None));
        }
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// All that was ordered since this was asked last, as text; from the first time on it is kept.
    pub fn orders(&mut self) -> String {
        self.orders.replace(String::new()).unwrap_or_default()
    }

    /// Does what the engine orders, and looks at what always has to hold.
    fn obey(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            if let Some(orders) = &mut self.orders {
                writeln!(orders, "{:?} {output:?}", self.now).unwrap();
            }
            self.obey_one(output);
        }
        let due = self.engine.poll_timeout();
        let now = self.now;
        assert!(due.is_none_or(|due| due > now), "what is due was not done");
    }

    fn obey_one(&mut self, output: Output) {
        match output {
            Output::Receive { connection } => {
                let entry = &mut self.connections[index(connection)];
                assert!(!entry.transport.is_exchange() && !entry.gone);
                entry.asked = true;
            }
            Output::Send { connection, batch } => self.sent(connection, &batch),
            Output::Close { connection, .. } => {
                let entry = &mut self.connections[index(connection)];
                assert!(!entry.gone, "{connection:?} is gone already");
                let exchange = entry.transport.is_exchange();
                // What is being written may still be cut off; what was written may not.
                assert!(
                    !exchange || !entry.over || entry.unwritten,
                    "{connection:?} has had its end"
                );
                entry.unwritten = false;
                entry.over = true;
                entry.gone = true;
                self.engine.handle(self.now, Input::Closed { connection });
            }
            Output::Store { ticket, request } => {
                let before = self.requests.insert(ticket, request);
                assert!(before.is_none(), "a ticket was used twice");
            }
            Output::Decide { ticket, question } => {
                let before = self.questions.insert(ticket, *question);
                assert!(before.is_none(), "a ticket was used twice");
            }
            Output::Return { ticket, .. } => {
                let place = self.calls.iter().position(|call| *call == ticket);
                self.calls.remove(place.expect("a call is answered once"));
            }
            Output::Report(report) => {
                assert!(!matches!(report.kind, ReportKind::Broken(_)), "{report:?}");
            }
        }
    }

    fn sent(&mut self, connection: ConnectionId, batch: &Batch) {
        let entry = &mut self.connections[index(connection)];
        assert!(!entry.gone, "{connection:?} is gone");
        assert!(!entry.unwritten, "{connection:?} has an unwritten batch");
        let exchange = entry.transport.is_exchange();
        assert!(
            !exchange || !entry.over,
            "{connection:?} has had its response"
        );
        assert!(
            !exchange || batch.frames().len() == 1,
            "an exchange has one body"
        );
        assert!(batch.frames().len() > 0, "a batch says something");
        entry.unwritten = true;
        entry.over |= exchange;
        let local = entry.local;
        for frame in batch.frames() {
            if let Some(orders) = &mut self.orders {
                writeln!(orders, "  {frame:?}").unwrap();
            }
            let frame: Value = serde_json::from_slice(frame).expect("JSON");
            let messages = frame.as_array().expect("a list");
            assert!(
                exchange || !messages.is_empty(),
                "a websocket frame says something"
            );
            for message in messages {
                expect_sound(message, local);
                let session = message.get("clientId").and_then(Value::as_str);
                let handshake = message["channel"] == "/meta/handshake";
                self.sessions
                    .extend(session.filter(|_| handshake).map(str::to_owned));
            }
        }
    }
}

/// What a driver knows of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) transport: Transport,
    /// It has had its one response, or was closed, by whomever.
    pub(super) over: bool,
    pub(super) unwritten: bool,
    /// It is the application's own.
    pub(super) local: bool,
    pub(super) gone: bool,
    /// A duplex that may hand over a frame.
    pub(super) asked: bool,
}

/// The connections are numbered.
pub(super) fn name(index: usize) -> ConnectionId {
    ConnectionId::new(index as u64)
}

fn index(connection: ConnectionId) -> usize {
    usize::try_from(connection.number()).unwrap()
}

pub(super) fn pick<T>(all: &[T], at: u8) -> Option<&T> {
    all.get(usize::from(at).checked_rem(all.len())?)
}
