//! An engine with all that is around it: the driver whose server is compared with the model.
//!
//! It does at once what the engine orders, in virtual time, with a [`Store`] of anybody's.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use bayeux_core::{
    Batch, Call, CallTicket, ChannelPattern, ChannelRule, Config, ConnectionId, DecodeLimits, Echo,
    Engine, Input, Instant, Laziness, MemoryOptions, MemoryStore, Messages, NodeId, Output,
    Payload, Peer, QueuePolicy, Seed, SessionId, StoreReply, StoreRequest, StoreTicket, Transport,
};
use serde_json::Value;

use crate::deciders;
use crate::history::Setting;
use crate::history::cast::{Fact, Transport as Way, name};
use crate::invariants::{Broken, Watch};
use crate::play::{Counts, Server};
use crate::seen::{BROKEN, Seen};

/// One engine's end of a store: how it is asked, and what it says. The contract is written at
/// [`StoreRequest`]; one node of an empty store stands behind it.
pub trait Store {
    /// The engine asks for something.
    fn submit(&mut self, now: Instant, ticket: StoreTicket, request: StoreRequest);

    /// The next thing that the engine is told: [`Input::Stored`] or [`Input::Notified`]; `None` once
    /// everything that was asked is answered and every entry is told. It may block until then.
    fn poll(&mut self, now: Instant) -> Option<Input>;
}

/// The store in memory, with one node.
pub struct InMemory {
    store: MemoryStore,
    node: NodeId,
}

impl InMemory {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let mut store = MemoryStore::new(MemoryOptions::default());
        let node = store.attach();
        Self { store, node }
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for InMemory {
    fn submit(&mut self, now: Instant, ticket: StoreTicket, request: StoreRequest) {
        self.store.submit(self.node, now, ticket, request);
    }

    fn poll(&mut self, now: Instant) -> Option<Input> {
        self.store.poll(self.node, now)
    }
}

/// An engine, its driver, and a store.
pub struct Rig<S> {
    engine: Engine,
    watch: Watch,
    store: S,
    now: Instant,
    connections: BTreeMap<u32, Connection>,
    /// Those that the engine has ended, and has not been told that they are gone.
    closing: VecDeque<ConnectionId>,
    names: Names,
    store_works: bool,
    /// Replies are kept until there are no more, and given in another order.
    late: bool,
    calls: u64,
    seen: Seen,
    /// All orders, for runs to be compared.
    orders: String,
}

struct Connection {
    exchange: bool,
    works: bool,
    asked: bool,
    waiting: VecDeque<Vec<Value>>,
}

/// The real names of sessions, and those that a history uses.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn known(&self, real: &str) -> Option<u32> {
        let at = self.0.iter().position(|known| known == real);
        at.and_then(|at| u32::try_from(at).ok())
    }

    fn of(&mut self, real: &str) -> String {
        if self.known(real).is_none() {
            self.0.push(real.to_owned());
        }
        name(self.known(real))
    }

    fn real(&self, number: u32) -> Option<&String> {
        self.0.get(usize::try_from(number).ok()?)
    }
}

/// The configuration of a setting.
#[must_use]
pub fn config(setting: Setting) -> Config {
    let mut config = Config {
        deciders: deciders::deciders().unwrap_or_default(),
        ..Config::default()
    };
    if let Ok(pattern) = "/lazy/**".parse::<ChannelPattern>() {
        config.channels.push(ChannelRule {
            pattern,
            lazy: Some(Duration::from_secs(1)),
            broadcast_to_publisher: None,
            persistent: false,
        });
    }
    match setting {
        Setting::Usual | Setting::LateStore => {}
        Setting::DeliverOnly => config.meta_connect_deliver_only = true,
        Setting::NoEcho => config.broadcast_to_publisher = Echo::ToOthers,
        Setting::AllOrNothing => config.subscribe_all_or_nothing = true,
        Setting::ShortQueueEnds => config.limits.max_queued_events = 3,
        Setting::ShortQueueDropsOldest => {
            config.limits.max_queued_events = 3;
            config.queue_policy = QueuePolicy::DropOldest;
        }
        Setting::ShortQueueDropsNewest => {
            config.limits.max_queued_events = 3;
            config.queue_policy = QueuePolicy::DropNewest;
        }
        Setting::FewSubscriptions => config.limits.max_subscriptions = 2,
        Setting::EchoClientId => config.echo_client_id = true,
        Setting::NoAck => config.acknowledge = false,
    }
    config
}

impl Rig<InMemory> {
    /// An engine over a store in memory.
    ///
    /// # Errors
    ///
    /// The promise that the engine breaks as it begins.
    pub fn in_memory(setting: Setting) -> Result<Self, Broken> {
        Self::new(setting, InMemory::new())
    }
}

impl<S: Store> Rig<S> {
    /// An engine over this store.
    ///
    /// # Errors
    ///
    /// The promise that the engine breaks as it begins.
    pub fn new(setting: Setting, store: S) -> Result<Self, Broken> {
        let config = config(setting);
        let mut rig = Self {
            engine: Engine::new(config.clone(), Seed::new([42; 32])),
            watch: Watch::new(config),
            store,
            now: Instant::EPOCH,
            connections: BTreeMap::new(),
            closing: VecDeque::new(),
            names: Names::default(),
            store_works: true,
            late: setting == Setting::LateStore,
            calls: 0,
            seen: Seen::default(),
            orders: String::new(),
        };
        rig.settle()?;
        Ok(rig)
    }

    /// Every order that the engine has given: another run of the same history gives the same.
    #[must_use]
    pub fn orders(&self) -> &str {
        &self.orders
    }

    /// Everybody leaves, and much time passes: then the engine holds what a new one holds.
    ///
    /// # Errors
    ///
    /// What it still holds, or the promise that it breaks before.
    pub fn everybody_leaves(&mut self) -> Result<(), Broken> {
        let open: Vec<_> = self.connections.keys().copied().collect();
        for connection in open {
            self.cut(connection)?;
        }
        self.pass(Duration::from_secs(3_600))?;
        self.watch.gone(&self.engine)
    }

    fn fact(&mut self, input: Input) -> Result<(), Broken> {
        self.tell(input);
        self.settle()
    }

    fn tell(&mut self, input: Input) {
        self.watch.fact(&input);
        self.engine.handle(self.now, input);
    }

    /// Does what is ordered, and what follows from it, until nothing more does.
    fn settle(&mut self) -> Result<(), Broken> {
        loop {
            while let Some(output) = self.engine.poll_output() {
                let _ = writeln!(self.orders, "{:?} {output:?}", self.now);
                self.watch.order(&output)?;
                self.obey(output)?;
            }
            if self.hear_store() {
                continue;
            }
            if self.hand_over()? {
                continue;
            }
            let Some(connection) = self.closing.pop_front() else {
                break;
            };
            self.tell(Input::Closed { connection });
        }
        self.watch.drained(&self.engine, self.now)
    }

    /// Gives the engine what the store says; whether it says something.
    fn hear_store(&mut self) -> bool {
        if !self.late {
            let input = self.store.poll(self.now);
            return input.map(|input| self.tell(input)).is_some();
        }
        let mut replies = Vec::new();
        let mut notices = Vec::new();
        while let Some(input) = self.store.poll(self.now) {
            let is_reply = matches!(input, Input::Stored { .. });
            let told = if is_reply { &mut replies } else { &mut notices };
            told.push(input);
        }
        let some = !replies.is_empty() || !notices.is_empty();
        for input in replies.into_iter().rev().chain(notices) {
            self.tell(input);
        }
        some
    }

    /// Hands over a frame that was waiting to be asked for; whether there was one.
    fn hand_over(&mut self) -> Result<bool, Broken> {
        let ready = |connection: &Connection| connection.asked && !connection.waiting.is_empty();
        let Some((number, connection)) = self.connections.iter_mut().find(|(_, it)| ready(it))
        else {
            return Ok(false);
        };
        connection.asked = false;
        let messages = connection.waiting.pop_front().unwrap_or_default();
        let connection = ConnectionId::new(u64::from(*number));
        let messages = self.decoded(messages)?;
        self.tell(Input::Received {
            connection,
            messages,
        });
        Ok(true)
    }

    fn decoded(&self, mut messages: Vec<Value>) -> Result<Messages, Broken> {
        for message in &mut messages {
            if let Some(session) = message.get_mut("clientId") {
                let number = session.as_str().and_then(crate::history::cast::number);
                if let Some(real) = number.and_then(|number| self.names.real(number)) {
                    *session = real.as_str().into();
                }
            }
        }
        let text = Value::Array(messages).to_string();
        let decoded = Messages::decode(text, &DecodeLimits::default());
        decoded.map_err(|error| format!("a good frame was not decoded: {error}"))
    }

    fn obey(&mut self, output: Output) -> Result<(), Broken> {
        match output {
            Output::Receive { connection } => {
                if let Some(known) = self.connections.get_mut(&number(connection)) {
                    known.asked = true;
                }
            }
            Output::Send { connection, batch } => self.send(connection, &batch)?,
            Output::Close { connection, reason } => {
                self.seen.on(number(connection)).closed = Some(reason.name());
                self.connections.remove(&number(connection));
                if closes_late(connection) {
                    self.closing.push_back(connection);
                } else {
                    self.tell(Input::Closed { connection });
                }
            }
            // What ended while the store was away it may keep: the protocol does not say.
            Output::Store { ticket, request }
                if self.store_works || matches!(request, StoreRequest::End { .. }) =>
            {
                self.store.submit(self.now, ticket, request);
            }
            Output::Store { ticket, .. } => {
                let reply = StoreReply::Failed;
                self.tell(Input::Stored { ticket, reply });
            }
            Output::Decide { ticket, question } => {
                let verdict = deciders::verdict(&question);
                self.tell(Input::Decided { ticket, verdict });
            }
            Output::Return { .. } | Output::Report(_) => {}
        }
        Ok(())
    }

    fn send(&mut self, connection: ConnectionId, batch: &Batch) -> Result<(), Broken> {
        let at = number(connection);
        let Some(known) = self.connections.get(&at) else {
            return Ok(());
        };
        let (works, exchange) = (known.works, known.exchange);
        for frame in batch.frames() {
            let _ = writeln!(self.orders, "{}", String::from_utf8_lossy(frame));
            let frame: Vec<Value> = serde_json::from_slice(frame)
                .map_err(|error| format!("a frame that is no list: {error}"))?;
            let frame: Vec<_> = frame
                .into_iter()
                .map(|message| self.named(message))
                .collect();
            in_order(&frame)?;
            let heard = self.seen.on(at);
            if works {
                heard.messages.extend(frame);
            } else if exchange {
                heard.lost.extend(frame);
            } else {
                heard.closed = Some(BROKEN);
            }
        }
        if exchange || !works {
            self.connections.remove(&at);
        }
        if works {
            self.tell(Input::Written { connection });
        } else {
            self.tell(Input::Closed { connection });
        }
        Ok(())
    }

    /// A message with the name of its session as histories have it.
    fn named(&mut self, mut message: Value) -> Value {
        let made = message.get("channel") == Some(&"/meta/handshake".into());
        if let Some(session) = message.get_mut("clientId")
            && let Some(real) = session.as_str()
            && (made || self.names.known(real).is_some())
        {
            *session = self.names.of(real).into();
        }
        message
    }

    fn session(&self, number: u32) -> Option<SessionId> {
        self.names
            .real(number)
            .and_then(|real| SessionId::parse(real))
    }

    fn cut(&mut self, connection: u32) -> Result<(), Broken> {
        if self.connections.remove(&connection).is_none() {
            return Ok(());
        }
        let connection = ConnectionId::new(u64::from(connection));
        self.fact(Input::Closed { connection })
    }

    fn call(&mut self, call: Call) -> Result<(), Broken> {
        self.calls += 1;
        let ticket = CallTicket::new(self.calls);
        self.fact(Input::Called { ticket, call })
    }

    fn pass(&mut self, time: Duration) -> Result<(), Broken> {
        let target = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= target) {
            self.now = self.now.max(due);
            self.fact(Input::Elapsed)?;
        }
        self.now = target;
        Ok(())
    }

    fn open(&mut self, connection: u32, transport: Way) -> Result<(), Broken> {
        let transport = match transport {
            Way::Poll => Transport::LongPolling,
            Way::Callback => Transport::CallbackPolling,
            Way::Socket => Transport::WebSocket,
        };
        let new = Connection {
            exchange: transport.is_exchange(),
            works: true,
            asked: true,
            waiting: VecDeque::new(),
        };
        self.connections.insert(connection, new);
        self.fact(Input::Opened {
            connection: ConnectionId::new(u64::from(connection)),
            transport,
            peer: Peer::default(),
        })
    }
}

impl<S: Store> Server for Rig<S> {
    fn meet(&mut self, fact: &Fact) -> Result<(), Broken> {
        let laziness = |lazy: bool| {
            if lazy {
                Laziness::Lazy
            } else {
                Laziness::Prompt
            }
        };
        match fact {
            Fact::Opened {
                connection,
                transport,
            } => self.open(*connection, *transport),
            Fact::Frame {
                connection,
                messages,
            } => {
                if let Some(known) = self.connections.get_mut(connection) {
                    known.waiting.push_back(messages.clone());
                }
                self.settle()
            }
            Fact::Cut { connection } => self.cut(*connection),
            Fact::Wire { connection, works } => {
                if let Some(known) = self.connections.get_mut(connection) {
                    known.works = *works;
                }
                Ok(())
            }
            Fact::Publish {
                channel,
                data,
                lazy,
            } => match channel.parse() {
                Ok(channel) => self.call(Call::Publish {
                    channel,
                    data: Payload::from(Value::from(*data)),
                    ext: None,
                    laziness: laziness(*lazy),
                }),
                Err(error) => Err(format!("{channel} is no channel: {error}")),
            },
            Fact::Deliver {
                session,
                channel,
                data,
                lazy,
            } => match (self.session(*session), channel.parse()) {
                (Some(session), Ok(channel)) => self.call(Call::Deliver {
                    session,
                    channel,
                    data: Payload::from(Value::from(*data)),
                    laziness: laziness(*lazy),
                }),
                _ => Err(format!("{session} is no session, or {channel} no channel")),
            },
            Fact::Disconnect { session } => match self.session(*session) {
                Some(session) => self.call(Call::Disconnect { session }),
                None => Err(format!("{session} is no session")),
            },
            Fact::Pass { millis } => self.pass(Duration::from_millis(u64::from(*millis))),
            Fact::Store { works } => {
                self.store_works = *works;
                Ok(())
            }
        }
    }

    fn seen(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }

    fn counts(&self) -> Option<Counts> {
        let load = self.engine.load();
        Some(Counts {
            sessions: load.sessions,
            connections: load.connections,
            subscriptions: load.subscriptions,
        })
    }

    fn finish(&mut self) -> Result<(), Broken> {
        self.everybody_leaves()
    }
}

/// RC-2: in an array a handshake comes first, then events, then other replies.
fn in_order(frame: &[Value]) -> Result<(), Broken> {
    let ranks: Vec<_> = frame.iter().filter_map(rank).collect();
    if frame.is_empty() || !ranks.is_sorted() {
        let frame = Value::Array(frame.to_vec());
        return Err(format!("out of order, or empty: {frame}"));
    }
    Ok(())
}

/// Where a message stands; `None` if it may be an event or a reply, as a disconnect without id may.
fn rank(message: &Value) -> Option<u8> {
    let successful = message.get("successful") == Some(&Value::Bool(true));
    match message.get("channel").and_then(Value::as_str) {
        Some("/meta/handshake") if successful => Some(0),
        Some("/meta/disconnect") if successful && message.get("id").is_none() => None,
        _ if message.get("data").is_some() => Some(1),
        _ => Some(2),
    }
}

/// Whether the driver ends a connection once everything else is done, or as it is told to: of some numbers and of others,
/// so that a history is the same each time.
fn closes_late(connection: ConnectionId) -> bool {
    connection.number().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0
}

fn number(connection: ConnectionId) -> u32 {
    u32::try_from(connection.number()).unwrap_or(u32::MAX)
}
