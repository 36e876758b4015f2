//! Script: one engine under scripted time, for tests of the engine, of deciders and of stores.
//!
//! A script is a driver that does what a real one does, at once and by hand: it hands over frames,
//! writes what it is told to write, keeps the log in a [`MemoryStore`], and says what time it is.
//! After every step it checks what must always be true: an exchange has one end, a connection has at
//! most one batch that is not written, and an engine that has nothing to say waits for something.
//!
//! A script panics where a test should fail; it is not for servers.
//!
//! ```
//! # use bayeux_core::{Config, testing::Script};
//! # use serde_json::json;
//! let mut script = Script::new(Config::default());
//! let alice = script.connected();
//! script.subscribe(&alice, "/news");
//! let held = script.connect(&alice);
//!
//! script.at(1_500).publish("/news", json!("hi"));
//!
//! let connected = json!({"id": "4", "channel": "/meta/connect", "successful": true});
//! script.expect(held, json!([{"channel": "/news", "data": "hi"}, connected]));
//! ```

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a failing test has to fail"
)]

mod client;
mod driver;

pub use self::client::Client;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    BrowserId, Call, CallResult, CallTicket, ChannelName, CloseReason, Config, ConnectionId,
    DecisionTicket, Engine, Input, Laziness, Load, MemoryOptions, MemoryStore, MessageId, Messages,
    NodeId, Notice, Payload, Peer, Question, Report, ReportKind, Seed, StoreReply, StoreRequest,
    StoreTicket, Transport, Verdict,
};
use crate::{DecodeLimits, Instant};

/// An engine, the log, and everything that the engine has ordered so far.
pub struct Script {
    engine: Engine,
    now: Instant,
    store: Store,
    connections: BTreeMap<ConnectionId, Connection>,
    last_connection: u64,
    last_id: u64,
    last_call: u64,
    writing: Writing,
    questions: VecDeque<(DecisionTicket, Question)>,
    results: BTreeMap<CallTicket, CallResult>,
    reports: Vec<Report>,
    limits: DecodeLimits,
}

/// Who answers what the engine asks of the store.
enum Store {
    Memory(Rc<RefCell<MemoryStore>>, NodeId),
    /// It does not answer for the time being.
    Stalled(
        Rc<RefCell<MemoryStore>>,
        NodeId,
        Vec<(StoreTicket, StoreRequest)>,
    ),
    /// The test does.
    Scripted(VecDeque<(StoreTicket, StoreRequest)>),
}

/// Whether what is sent is written at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    AtOnce,
    ByHand,
}

/// What a script knows of a connection.
struct Connection {
    transport: Transport,
    sent: VecDeque<Bytes>,
    cookie: Option<BrowserId>,
    last: bool,
    unwritten: bool,
    closed: Option<CloseReason>,
    /// It has had its one response, or is gone.
    over: bool,
    /// Frames that it may hand over.
    credit: u32,
}

impl Script {
    /// An engine with this configuration and a log of its own, at time 0.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let options = MemoryOptions::for_config(&config);
        Self::with_store(config, MemoryStore::new(options))
    }

    /// The same, with this store.
    #[must_use]
    pub fn with_store(config: Config, mut store: MemoryStore) -> Self {
        let node = store.attach();
        let store = Rc::new(RefCell::new(store));
        Self::with(config, [42; 32], Store::Memory(store, node))
    }

    /// One more engine over the same store. Each script does what its own engine orders; what the
    /// others do to it is seen by [`catch_up`](Self::catch_up).
    #[must_use]
    pub fn join(&self, config: Config) -> Self {
        let Store::Memory(store, _) = &self.store else {
            panic!("the store is a script")
        };
        let node = store.borrow_mut().attach();
        let mut seed = [42; 32];
        seed[..4].copy_from_slice(&node.number().to_be_bytes());
        let mut joined = Self::with(config, seed, Store::Memory(Rc::clone(store), node));
        joined.now = self.now;
        joined.catch_up();
        joined
    }

    /// The engine dies: its sessions can be claimed, and it is heard of no more.
    pub fn crash(self) {
        if let Store::Memory(store, node) = &self.store {
            store.borrow_mut().detach(*node, self.now);
        }
    }

    /// The same, but the test plays the store.
    #[must_use]
    pub fn with_scripted_store(config: Config) -> Self {
        Self::with(config, [42; 32], Store::Scripted(VecDeque::new()))
    }

    fn with(config: Config, seed: [u8; 32], store: Store) -> Self {
        let limits = DecodeLimits::default();
        Self {
            engine: Engine::new(config, Seed::new(seed)),
            now: Instant::EPOCH,
            store,
            connections: BTreeMap::new(),
            last_connection: 0,
            last_id: 0,
            last_call: 0,
            writing: Writing::AtOnce,
            questions: VecDeque::new(),
            results: BTreeMap::new(),
            reports: Vec::new(),
            limits,
        }
    }

    // Time.

    /// Lets time pass until `millis` after the epoch; whatever is due on the way happens when it is
    /// due.
    pub fn at(&mut self, millis: u64) -> &mut Self {
        let target = Instant::from_millis(millis);
        assert!(
            target >= self.now,
            "time does not run back: {target:?} is before {:?}",
            self.now
        );
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= target) {
            self.now = self.now.max(due);
            self.fact(Input::Elapsed);
            let next = self.engine.poll_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "an alarm that is due stays due"
            );
        }
        self.now = target;
        self
    }

    /// Lets `millis` pass.
    pub fn after(&mut self, millis: u64) -> &mut Self {
        let now = u64::try_from(self.now.since_epoch().as_millis()).unwrap_or(u64::MAX);
        self.at(now + millis)
    }

    /// Lets `millis` pass, and has the driver notice only then whatever was due on the way.
    pub fn oversleep(&mut self, millis: u64) -> &mut Self {
        self.now = self.now + core::time::Duration::from_millis(millis);
        self.fact(Input::Elapsed)
    }

    /// What time it is.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    // Facts.

    /// Hands a fact to the engine, and does what it orders.
    pub fn fact(&mut self, input: Input) -> &mut Self {
        self.engine.handle(self.now, input);
        self.obey();
        self
    }

    /// Hands over several facts before anything is done of what the engine orders.
    pub fn facts(&mut self, inputs: impl IntoIterator<Item = Input>) -> &mut Self {
        for input in inputs {
            self.engine.handle(self.now, input);
        }
        self.obey();
        self
    }

    /// Takes in what the store has for this engine; whether there was something.
    pub fn catch_up(&mut self) -> bool {
        let Store::Memory(store, node) = &self.store else {
            panic!("the store is a script")
        };
        let news = store.borrow().has_news(*node);
        self.obey();
        news
    }

    /// The store says something unasked.
    pub fn notify(&mut self, notice: Notice) -> &mut Self {
        self.fact(Input::Notified { notice })
    }

    /// Opens a connection for a peer that nothing is known of.
    pub fn open(&mut self, transport: Transport) -> ConnectionId {
        self.open_as(transport, Peer::default())
    }

    /// Opens a connection.
    pub fn open_as(&mut self, transport: Transport, peer: Peer) -> ConnectionId {
        self.last_connection += 1;
        let connection = ConnectionId::new(self.last_connection);
        self.connections
            .insert(connection, Connection::new(transport));
        self.fact(Input::Opened {
            connection,
            transport,
            peer,
        });
        connection
    }

    /// Hands over a frame: a message, or a list of them.
    pub fn send(&mut self, connection: ConnectionId, frame: Value) -> &mut Self {
        let messages = Messages::decode(frame.to_string(), &self.limits).expect("valid messages");
        self.receive(connection, messages)
    }

    /// The same, decoded.
    pub fn receive(&mut self, connection: ConnectionId, messages: Messages) -> &mut Self {
        let entry = self.connection(connection);
        assert!(entry.credit > 0, "{connection:?} was not asked for a frame");
        entry.credit -= 1;
        self.fact(Input::Received {
            connection,
            messages,
        })
    }

    /// Sends a frame over HTTP, on an exchange of its own.
    pub fn post(&mut self, frame: Value) -> ConnectionId {
        self.post_as(Peer::default(), frame)
    }

    /// The same for a known peer.
    pub fn post_as(&mut self, peer: Peer, frame: Value) -> ConnectionId {
        let connection = self.open_as(Transport::LongPolling, peer);
        self.send(connection, frame);
        connection
    }

    /// The peer, or the network, ends a connection.
    pub fn close(&mut self, connection: ConnectionId) -> &mut Self {
        self.connection(connection).over = true;
        self.fact(Input::Closed { connection })
    }

    /// The peer ends a connection, if it has not ended yet.
    pub fn hang_up(&mut self, connection: ConnectionId) -> &mut Self {
        if self.connection(connection).over {
            return self;
        }
        self.close(connection)
    }

    /// From now on nothing is written until [`written`](Self::written) says so.
    pub fn write_by_hand(&mut self) -> &mut Self {
        self.writing = Writing::ByHand;
        self
    }

    /// What was sent last on a connection is on the wire.
    pub fn written(&mut self, connection: ConnectionId) -> &mut Self {
        let entry = self.connection(connection);
        assert!(
            entry.unwritten,
            "nothing on {connection:?} waits to be written"
        );
        entry.unwritten = false;
        entry.over |= entry.transport.is_exchange();
        self.fact(Input::Written { connection })
    }

    /// A decider answers the oldest question that is open.
    pub fn decide(&mut self, verdict: Verdict) -> &mut Self {
        let (ticket, _) = self.questions.pop_front().expect("no question is open");
        self.fact(Input::Decided { ticket, verdict })
    }

    /// The store answers a request.
    pub fn stored(&mut self, ticket: StoreTicket, reply: StoreReply) -> &mut Self {
        self.fact(Input::Stored { ticket, reply })
    }

    /// The store answers this, and if that is [`Fenced`](StoreReply::Fenced) and a message goes after its
    /// session, that there is none any more.
    pub fn stored_or_gone(&mut self, ticket: StoreTicket, reply: StoreReply) -> &mut Self {
        let is_fenced = matches!(reply, StoreReply::Fenced);
        self.stored(ticket, reply);
        if is_fenced {
            let (ticket, request) = self.take_store();
            let is_after_it = matches!(request, StoreRequest::Forward { .. });
            assert!(is_after_it, "{request:?}");
            self.stored(ticket, StoreReply::Unknown);
        }
        self
    }

    /// From now on the log answers nothing until [`resume_store`](Self::resume_store).
    pub fn stall_store(&mut self) -> &mut Self {
        let store = core::mem::replace(&mut self.store, Store::Scripted(VecDeque::new()));
        self.store = match store {
            Store::Memory(store, node) => Store::Stalled(store, node, Vec::new()),
            stalled @ Store::Stalled(..) => stalled,
            Store::Scripted(_) => panic!("a scripted store is stalled by saying nothing"),
        };
        self
    }

    /// The log does what it was asked meanwhile.
    pub fn resume_store(&mut self) -> &mut Self {
        let store = core::mem::replace(&mut self.store, Store::Scripted(VecDeque::new()));
        let Store::Stalled(store, node, requests) = store else {
            panic!("the store was not stalled")
        };
        for (ticket, request) in requests {
            store.borrow_mut().submit(node, self.now, ticket, request);
        }
        self.store = Store::Memory(store, node);
        self.obey();
        self
    }

    /// The application calls, and gets its answer.
    pub fn call(&mut self, call: Call) -> CallResult {
        let ticket = self.call_later(call);
        self.result(ticket).expect("the call is not answered yet")
    }

    /// The application calls; the answer may come later.
    pub fn call_later(&mut self, call: Call) -> CallTicket {
        self.last_call += 1;
        let ticket = CallTicket::new(self.last_call);
        self.fact(Input::Called { ticket, call });
        ticket
    }

    /// The answer to a call, if it has come.
    pub fn result(&mut self, ticket: CallTicket) -> Option<CallResult> {
        self.results.remove(&ticket)
    }

    /// The application publishes.
    pub fn publish(&mut self, channel: &str, data: Value) -> &mut Self {
        let channel: ChannelName = channel.parse().expect("a channel name");
        let data = Payload::from(data);
        self.call_later(Call::Publish {
            channel,
            data,
            ext: None,
            laziness: Laziness::Prompt,
        });
        self
    }

    // What has come of it.

    /// Takes the oldest frame that was sent on a connection.
    pub fn take(&mut self, connection: ConnectionId) -> Value {
        let frame = self.try_take(connection);
        frame.unwrap_or_else(|| panic!("nothing was sent on {connection:?}"))
    }

    /// Takes the oldest frame that was sent on a connection, if there is one.
    pub fn try_take(&mut self, connection: ConnectionId) -> Option<Value> {
        let frame = self.take_bytes(connection)?;
        Some(serde_json::from_slice(&frame).expect("what is sent is JSON"))
    }

    /// The same, as it goes over the wire.
    pub fn take_bytes(&mut self, connection: ConnectionId) -> Option<Bytes> {
        self.connection(connection).sent.pop_front()
    }

    /// The oldest frame that was sent on a connection is this.
    pub fn expect(&mut self, connection: ConnectionId, frame: Value) -> &mut Self {
        let sent = self.take(connection);
        assert_eq!(sent, frame, "\n  sent: {sent}\nwanted: {frame}\n");
        self
    }

    /// Nothing was sent on a connection, and it was not closed.
    pub fn expect_nothing(&mut self, connection: ConnectionId) -> &mut Self {
        let entry = self.connection(connection);
        assert_eq!(entry.closed, None, "{connection:?} was closed");
        let sent = entry.sent.front();
        assert!(
            sent.is_none(),
            "on {connection:?}: {}",
            String::from_utf8_lossy(sent.unwrap_or(&Bytes::new()))
        );
        self
    }

    /// The engine has closed a connection, for this reason.
    pub fn expect_closed(&mut self, connection: ConnectionId, reason: CloseReason) -> &mut Self {
        let closed = self.connection(connection).closed;
        assert_eq!(closed, Some(reason), "{connection:?}");
        self
    }

    /// Whether the engine has closed a connection, and why.
    pub fn closed(&mut self, connection: ConnectionId) -> Option<CloseReason> {
        self.connection(connection).closed
    }

    /// Whether a duplex was asked for its next frame.
    pub fn is_asked(&mut self, connection: ConnectionId) -> bool {
        self.connection(connection).credit > 0
    }

    /// The browser cookie that a response has set.
    pub fn cookie(&mut self, connection: ConnectionId) -> Option<BrowserId> {
        self.connection(connection).cookie
    }

    /// Whether a response said that the HTTP connection is not to be used again.
    pub fn is_last(&mut self, connection: ConnectionId) -> bool {
        self.connection(connection).last
    }

    /// The oldest question to a decider that is open.
    pub fn question(&self) -> Option<&Question> {
        self.questions.front().map(|(_, question)| question)
    }

    /// Takes the oldest question that is open, to be answered by hand or never.
    pub fn take_question(&mut self) -> (DecisionTicket, Question) {
        self.questions.pop_front().expect("no question is open")
    }

    /// The oldest request to a scripted store that was not taken yet.
    pub fn take_store(&mut self) -> (StoreTicket, StoreRequest) {
        let Store::Scripted(requests) = &mut self.store else {
            panic!("the store is no script")
        };
        requests
            .pop_front()
            .expect("the store was asked for nothing")
    }

    /// Whether a scripted store was asked for something that was not taken yet.
    #[must_use]
    pub fn has_store_requests(&self) -> bool {
        matches!(&self.store, Store::Scripted(requests) if !requests.is_empty())
    }

    /// Everybody hangs up, and time passes: the engine holds what a new one holds.
    pub fn expect_no_trace(&mut self) {
        let open = self.connections.iter().filter(|(_, entry)| !entry.over);
        let open = Vec::from_iter(open.map(|(connection, _)| *connection));
        for connection in open {
            self.close(connection);
        }
        self.after(3_600_000);
        self.settle_store();
        assert_eq!(self.engine.load(), Load::default(), "something is left");
    }

    /// The store comes back if it was away, and a scripted one says that it has done whatever it is still
    /// asked for: then the engine owes it nothing.
    pub fn settle_store(&mut self) {
        if matches!(self.store, Store::Stalled(..)) {
            self.resume_store();
        }
        if !self.engine.has_store() {
            let position = self.engine.seen();
            self.notify(Notice::Up { position });
        }
        for _ in 0..100 {
            while self.has_store_requests() {
                let (ticket, _) = self.take_store();
                self.stored(ticket, StoreReply::Done);
            }
            if self.engine.load().debts == 0 {
                return;
            }
            self.after(1_000);
        }
    }

    /// Everything reported since this was asked last.
    pub fn reports(&mut self) -> Vec<ReportKind> {
        self.reports.drain(..).map(|report| report.kind).collect()
    }

    /// The engine itself.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    fn connection(&mut self, connection: ConnectionId) -> &mut Connection {
        let entry = self.connections.get_mut(&connection);
        entry.unwrap_or_else(|| panic!("{connection:?} was never opened"))
    }

    /// A connection that the application's own session is to use.
    pub fn open_local(&mut self) -> (ConnectionId, CallResult) {
        self.last_connection += 1;
        let connection = ConnectionId::new(self.last_connection);
        self.connections
            .insert(connection, Connection::new(Transport::WebSocket));
        let result = self.call(Call::Open { connection });
        (connection, result)
    }
}

impl Connection {
    const fn new(transport: Transport) -> Self {
        Self {
            transport,
            sent: VecDeque::new(),
            cookie: None,
            last: false,
            unwritten: false,
            closed: None,
            over: false,
            credit: 1,
        }
    }
}

/// An event as a subscriber gets it.
#[must_use]
pub fn event(channel: &str, data: Value) -> Value {
    json!({"channel": channel, "data": data})
}

/// A message identifier that is a decimal string.
#[must_use]
pub fn message_id(number: u64) -> MessageId {
    MessageId::new(&number.to_string())
}
