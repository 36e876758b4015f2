//! Any history of facts, sensible or hostile: two engines with one seed give the same orders, byte for byte, and
//! after each fact holds what always has to hold.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use bayeux_core::{
    Activity, ActivityMode, Admission, Batch, BrowserBinding, BrowserId, Call, CallTicket, Change,
    Config, ConnectionId, Decider, DeciderId, DecisionTicket, DecodeLimits, Destination, Echo,
    Engine, Entry, Event, Extensions, Fence, ForwardTicket, Input, Instant, Laziness, Limits,
    Messages, NewEntry, Notice, Operations, Output, Payload, Peer, Position, Question, QueuePolicy,
    ReportKind, Role, Scope, Seed, SessionId, SessionRecord, SessionSettings, StoreReply,
    StoreRequest, StoreTicket, Transport, Verdict,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Something that happens. Small numbers name what there is, modulo how much of it there is; what makes no sense
/// at the time happens all the same.
#[derive(Clone, Debug)]
enum Step {
    Open(u8),
    /// On a connection of its own, or on one that there is.
    Frame(Option<u8>, u8, Vec<Sent>),
    Written(u8),
    Closed(u8),
    /// The store answers an open request as it should, or in some other way.
    Stored(u8, Option<u8>),
    Notified(u8),
    Decided(u8, u8),
    Called(u8, u8),
    Configured(u8, u8),
    Draining(u16),
    /// Time passes: until the next alarm, or some milliseconds.
    Passes(Option<u16>),
    /// The clock runs back.
    RunsBack,
    /// Facts about what there is not.
    Nonsense(u8),
}

/// A message of a frame: what it is, whose, where to.
#[derive(Clone, Debug)]
struct Sent(u8, u8, u8);

const CHANNELS: [&str; 12] = [
    "/a",
    "/a/b",
    "/a/b/c",
    "/service/x",
    "/*",
    "/a/**",
    "/**",
    "/meta/x",
    "/a//b",
    "/meta/connect/",
    "/lazy/x",
    "/conformance",
];

impl Sent {
    fn to_json(&self, sessions: &[String]) -> Value {
        let Self(kind, whose, at) = self;
        let session = sessions.get(usize::from(*whose) % (sessions.len() + 1));
        let session = session.map_or("0123456789abcdefghijklmno", String::as_str);
        let channel = CHANNELS[usize::from(*at) % CHANNELS.len()];
        let ack = json!({"ack": i64::from(*at % 8) - 1});
        match kind % 14 {
            0 => json!({"id": "h", "channel": "/meta/handshake", "version": "1.0"}),
            1 => json!({"channel": "/meta/handshake", "ext": {"ack": true}}),
            2 => json!({"channel": "/meta/handshake", "supportedConnectionTypes": ["iframe"]}),
            3 => json!({"id": 3, "channel": "/meta/connect", "clientId": session, "ext": ack}),
            4 => json!({"id": "c", "channel": "/meta/connect", "clientId": session}),
            5 => json!({
                "channel": "/meta/connect", "clientId": session, "advice": {"timeout": 0, "interval": at},
                "ext": {"timesync": {"tc": 1, "l": 0, "o": 0}},
            }),
            6 => {
                json!({"channel": "/meta/subscribe", "clientId": session, "subscription": channel})
            }
            7 => json!({
                "id": "s", "channel": "/meta/subscribe", "clientId": session,
                "subscription": [channel, "/a", "/b/*"],
            }),
            8 => {
                json!({"channel": "/meta/unsubscribe", "clientId": session, "subscription": channel})
            }
            9 | 10 => json!({"id": "p", "channel": channel, "clientId": session, "data": at}),
            11 => json!({"channel": channel, "data": {"n": at}, "ext": {"x": 1}}),
            12 => json!({"id": "d", "channel": "/meta/disconnect", "clientId": session}),
            _ => json!({"id": [], "clientId": 7, "subscription": 1, "ext": 1}),
        }
    }
}

/// What a driver knows of a connection.
#[derive(Debug)]
struct Connection {
    transport: Transport,
    /// It has had its one response, or was closed, by whomever.
    over: bool,
    unwritten: bool,
    /// It is the application's own.
    local: bool,
    gone: bool,
    /// A duplex that may hand over a frame.
    asked: bool,
}

/// Who does at once what is asked of them; the others do it when a step says so.
#[derive(Clone, Copy, Debug)]
struct Eager {
    store: bool,
    network: bool,
    deciders: bool,
}

impl Eager {
    const ALL: Self = Self {
        store: true,
        network: true,
        deciders: true,
    };

    const fn of(kind: u8) -> Self {
        Self {
            store: kind & 3 != 0,
            network: kind & 12 != 0,
            deciders: kind & 48 != 0,
        }
    }
}

/// An engine, and all that is around it.
struct World {
    engine: Engine,
    now: Instant,
    connections: Vec<Connection>,
    requests: BTreeMap<StoreTicket, StoreRequest>,
    questions: BTreeMap<DecisionTicket, Question>,
    /// Calls that wait for their answer.
    calls: Vec<CallTicket>,
    last_call: u64,
    /// Every session that was ever heard of.
    sessions: Vec<String>,
    /// Who does at once what is asked of them.
    eager: Eager,
    /// The log.
    end: u64,
    unseen: Vec<Entry>,
    /// All orders so far.
    orders: String,
}

impl World {
    fn new(config: Config, seed: u8) -> Self {
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
            orders: String::new(),
        }
    }

    /// Three clients come, one of each kind, connect and subscribe; then everybody is as `eager` says.
    fn begin(&mut self, eager: Eager) {
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

    fn take(&mut self, step: &Step) {
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

    fn fact(&mut self, input: Input) {
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
    fn connection(&self, at: u8) -> ConnectionId {
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

    fn stored(&mut self, at: u8, how: Option<u8>) {
        let tickets: Vec<_> = self.requests.keys().copied().collect();
        let Some(ticket) = pick(&tickets, at).copied() else {
            return;
        };
        let request = self.requests.remove(&ticket).unwrap();
        let reply = match how {
            None => self.good_reply(request),
            Some(how) => self.other_reply(how),
        };
        self.fact(Input::Stored { ticket, reply });
    }

    fn good_reply(&mut self, request: StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Append(entry) => {
                self.end += 1;
                self.unseen.push(at_position(*entry, self.end));
                StoreReply::Appended(Position::new(self.end))
            }
            StoreRequest::Claim(session) => StoreReply::Claimed(Box::new(self.record(session))),
            StoreRequest::Read { after, until, .. } => {
                let positions = after.number() + 1..=until.number().min(after.number() + 9);
                StoreReply::Entries(positions.map(|at| at_position(entry(None), at)).collect())
            }
            StoreRequest::Forward { .. } => {
                StoreReply::Answered(vec![json!({"channel": "/a", "successful": true}).into()])
            }
            _ => StoreReply::Done,
        }
    }

    fn other_reply(&mut self, how: u8) -> StoreReply {
        match how % 9 {
            0 | 1 => StoreReply::Failed,
            2 => StoreReply::Unknown,
            3 => StoreReply::Unowned,
            4 => StoreReply::Fenced,
            5 => StoreReply::Gap,
            6 => StoreReply::Done,
            7 => StoreReply::Entries(vec![at_position(entry(None), 1)]),
            _ => {
                let session = SessionId::parse("000000000000000000000000z").unwrap();
                StoreReply::Claimed(Box::new(self.record(session)))
            }
        }
    }

    fn record(&mut self, session: SessionId) -> SessionRecord {
        let text = session.text();
        if !self.sessions.contains(&text) {
            self.sessions.push(text);
        }
        SessionRecord {
            session,
            fence: Fence(self.end + 2),
            browser: None,
            bound: false,
            settings: SessionSettings {
                acknowledged: self.end.is_multiple_of(2),
                ..SessionSettings::default()
            },
            start: Position::new(self.end / 2),
            released: None,
            end: Position::new(self.end),
            subscriptions: Vec::new(),
        }
    }

    fn notified(&mut self, what: u8) {
        let session = self.session(what);
        let notice = match what % 12 {
            0..=5 => Notice::Entries(std::mem::take(&mut self.unseen)),
            6 => {
                self.end += 1;
                Notice::Entries(vec![at_position(entry(session), self.end)])
            }
            7 => Notice::Down,
            8 => Notice::Up {
                position: Position::new(self.end),
            },
            9 => Notice::Reset {
                position: Position::new(self.end),
            },
            10 => Notice::Taken {
                session: session.unwrap_or_else(stranger),
                fence: Fence(u64::from(what)),
            },
            _ => Notice::Forwarded {
                forward: ForwardTicket::new(u64::from(what)),
                session: session.unwrap_or_else(stranger),
                messages: decode(&json!([Sent(what, what, what).to_json(&self.sessions)])),
                peer: Peer::default(),
            },
        };
        self.fact(Input::Notified { notice });
    }

    fn session(&self, at: u8) -> Option<SessionId> {
        pick(&self.sessions, at).and_then(|session| SessionId::parse(session))
    }

    fn called(&mut self, what: u8, at: u8) {
        let session = self.session(at).unwrap_or_else(stranger);
        let channel = || "/a/b".parse().unwrap();
        let (data, pattern) = (Payload::from(json!(at)), "/a/**".parse().unwrap());
        let call = match what % 12 {
            0 | 1 => Call::Publish {
                channel: channel(),
                data,
                ext: None,
                laziness: if at.is_multiple_of(2) {
                    Laziness::Prompt
                } else {
                    Laziness::Lazy
                },
            },
            2 => Call::Deliver {
                session,
                channel: channel(),
                data,
                laziness: Laziness::Prompt,
            },
            3 => Call::Disconnect { session },
            4 => Call::Subscribe { session, pattern },
            5 => Call::Unsubscribe { session, pattern },
            6 => Call::Batch { session },
            7 => Call::Flush { session },
            8 => Call::Configure {
                session,
                timeout: Some(Duration::from_millis(u64::from(at))),
                interval: None,
                max_interval: Some(Duration::from_millis(u64::from(at) * 100)),
            },
            9 => {
                self.connections.push(Connection {
                    transport: Transport::WebSocket,
                    over: false,
                    unwritten: false,
                    local: true,
                    gone: false,
                    asked: false,
                });
                Call::Open {
                    connection: name(self.connections.len() - 1),
                }
            }
            10 => Call::ListSessions { from: 0, limit: 3 },
            _ => Call::Inspect { session },
        };
        self.last_call += 1;
        let ticket = CallTicket::new(self.last_call);
        self.calls.push(ticket);
        self.fact(Input::Called { ticket, call });
    }

    /// Facts about what there is not, and what no driver should say.
    fn nonsense(&mut self, what: u8) {
        let connection = ConnectionId::new(u64::MAX - u64::from(what));
        let number = u64::from(what) / 8;
        let fact = match what % 8 {
            0 => Input::Written { connection },
            1 => Input::Closed { connection },
            2 => Input::Received {
                connection,
                messages: Messages::default(),
            },
            3 => Input::Stored {
                ticket: StoreTicket::new(u64::MAX - number),
                reply: StoreReply::Done,
            },
            4 => Input::Decided {
                ticket: DecisionTicket::new(u64::MAX - number),
                verdict: Verdict::Allow,
            },
            5 => Input::Received {
                connection: self.connection(what),
                messages: Messages::default(),
            },
            6 => Input::Notified {
                notice: Notice::Entries(vec![at_position(entry(None), number % (self.end + 1))]),
            },
            _ => Input::Notified {
                notice: Notice::Taken {
                    session: stranger(),
                    fence: Fence(u64::MAX),
                },
            },
        };
        self.fact(fact);
    }

    /// Does what the engine orders, and looks at what always has to hold.
    fn obey(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            writeln!(self.orders, "{:?} {output:?}", self.now).unwrap();
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
            writeln!(self.orders, "  {frame:?}").unwrap();
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

/// What holds for every message that leaves (FI-4, FI-5, ER-1 to ER-5, AD-1, AD-4).
fn expect_sound(message: &Value, local: bool) {
    let has = |name: &str| message.get(name).is_some();
    let successful = message
        .get("successful")
        .map(|value| value.as_bool().expect("a boolean"));
    let channel = message.get("channel").and_then(Value::as_str);
    if has("data") {
        assert!(
            !has("clientId") && !has("advice") && !has("error"),
            "{message}"
        );
        assert!(has("id") == successful.is_some(), "{message}");
        return;
    }
    assert!(!local || channel == Some("/meta/disconnect"), "{message}");
    let successful = successful.unwrap_or_else(|| panic!("neither event nor reply: {message}"));
    assert_eq!(successful, !has("error"), "{message}");
    let error = message
        .get("error")
        .map(|error| error.as_str().expect("a string"));
    let known = error.is_none_or(|error| ERRORS.contains(&error));
    assert!(known, "{message}");
    assert_eq!(
        has("clientId"),
        successful && channel == Some("/meta/handshake"),
        "{message}"
    );
    let advice = message.get("advice");
    let reconnect = advice.map(|advice| advice["reconnect"].as_str().expect("reconnect"));
    assert!(reconnect.is_none_or(|text| ["retry", "handshake", "none"].contains(&text)));
    assert!(!successful || reconnect != Some("handshake"), "{message}");
    let outage = error == Some("503::unavailable");
    assert!(!outage || reconnect != Some("none"), "{message}");
}

/// The errors of ER-1, but for reasons that an application gives.
const ERRORS: [&str; 25] = [
    "301:iframe:connection_types_unsupported",
    "400::channel_missing",
    "400::handshake_must_be_first",
    "402::session_unknown",
    "403::handshake_denied",
    "403::handshake_failed",
    "403::subscription_missing",
    "403::subscription_invalid",
    "403:too_many_subscriptions:subscribe_denied",
    "403::too_many_sessions",
    "403:too_many_channels:create_denied",
    "403:denied_by_security_policy:create_denied",
    "403:denied_by_not_granting:create_denied",
    "403:denied_by_security_policy:subscribe_denied",
    "403:denied_by_not_granting:subscribe_denied",
    "403::subscribe_failed",
    "403::unsubscribe_failed",
    "403:denied_by_security_policy:channel_create_denied",
    "403:denied_by_not_granting:channel_create_denied",
    "403:denied_by_security_policy:publish_denied",
    "403:denied_by_not_granting:publish_denied",
    "404::message_deleted",
    "405::channel_invalid",
    "405::message_id_invalid",
    "503::unavailable",
];

fn config(kind: u8) -> Config {
    let has = |bit: u8| kind & (1 << bit) != 0;
    let roles = [
        Role::Incoming,
        Role::Outgoing,
        Role::Policy(Operations::ALL),
        Role::SessionOutgoing,
    ];
    let deciders = roles.into_iter().zip(0..).map(|(role, id)| Decider {
        id: DeciderId(id),
        role,
    });
    Config {
        deciders: deciders.filter(|_| has(0)).collect(),
        meta_connect_deliver_only: has(1),
        deliver_during_handshake: has(2),
        allow_connectionless_publish: has(3),
        subscribe_all_or_nothing: has(3),
        browser_binding: if has(4) {
            BrowserBinding::Strict
        } else {
            BrowserBinding::Lenient
        },
        broadcast_to_publisher: if has(5) {
            Echo::ToOthers
        } else {
            Echo::ToPublisher
        },
        queue_policy: if has(6) {
            QueuePolicy::DropOldest
        } else {
            QueuePolicy::End
        },
        activity: has(7).then_some(Activity {
            mode: ActivityMode::Client,
            max_inactivity: Duration::from_secs(20),
        }),
        max_processing: has(7).then_some(Duration::from_secs(3)),
        limits: small_limits(),
        ..Config::default()
    }
}

/// Limits that a short history can reach.
fn small_limits() -> Limits {
    Limits {
        max_subscriptions: 4,
        max_channels: 6,
        max_sessions: 5,
        max_sessions_per_address: 4,
        max_handshakes_per_second: 6,
        max_queued_events: 3,
        max_queued_bytes: 300,
        max_frame_bytes: 60,
        max_open_appends: 2,
        max_connections: 12,
        ..Limits::default()
    }
}

fn change(what: u8, at: u8) -> Change {
    let role = match what % 9 {
        0 => Role::Policy(Operations::ALL),
        1 => Role::Authorizer {
            pattern: "/a/**".parse().unwrap(),
            operations: Operations::ALL,
        },
        2 => Role::Incoming,
        3 => Role::Outgoing,
        4 => Role::Handler(Scope::Pattern("/service/**".parse().unwrap())),
        5 => Role::Handler(Scope::Template("/a/{x}".parse().unwrap())),
        6 => Role::SessionOutgoing,
        7 => return Change::RemoveDecider(DeciderId(u32::from(at % 4))),
        _ => {
            return Change::Limits(Box::new(if at.is_multiple_of(2) {
                small_limits()
            } else {
                Limits::default()
            }));
        }
    };
    Change::AddDecider(Decider {
        id: DeciderId(u32::from(at % 4)),
        role,
    })
}

fn verdict(how: u8) -> Verdict {
    match how % 12 {
        0..=3 => Verdict::Allow,
        4 => Verdict::Abstain,
        5 => Verdict::Deny(Box::default()),
        6 => Verdict::Drop,
        7 => Verdict::Replace(Box::default()),
        8 => Verdict::ReplaceEvent(Event::from_object(br#"{"channel":"/a","data":"new"}"#)),
        9 => Verdict::Extend(Extensions::new()),
        10 => Verdict::Admit(Box::new(Admission {
            settings: SessionSettings {
                outgoing: vec![DeciderId(3), DeciderId(1)],
                interval: Some(Duration::from_millis(10)),
                ..SessionSettings::default()
            },
            ext: None,
            welcome: vec![("/a".parse().unwrap(), Payload::null())],
        })),
        _ => Verdict::Answer {
            successful: true,
            data: Payload::null(),
        },
    }
}

fn entry(to: Option<SessionId>) -> NewEntry {
    let channel = "/a/b".parse().unwrap();
    NewEntry {
        origin: None,
        fence: None,
        event: Event::deliver(&channel, &Payload::null()),
        to: to.map_or(Destination::Channel(channel), Destination::Session),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    }
}

fn at_position(entry: NewEntry, position: u64) -> Entry {
    Entry {
        position: Position::new(position),
        origin: entry.origin,
        to: entry.to,
        event: entry.event,
        laziness: entry.laziness,
        echo: entry.echo,
    }
}

fn stranger() -> SessionId {
    SessionId::parse("0123456789abcdefghijklmno").unwrap()
}

fn decode(frame: &Value) -> Messages {
    Messages::decode(frame.to_string(), &DecodeLimits::default()).unwrap()
}

fn name(index: usize) -> ConnectionId {
    ConnectionId::new(index as u64)
}

fn index(connection: ConnectionId) -> usize {
    usize::try_from(connection.number()).unwrap()
}

fn pick<T>(all: &[T], at: u8) -> Option<&T> {
    all.get(usize::from(at).checked_rem(all.len())?)
}

fn step() -> impl Strategy<Value = Step> {
    // More of what is said in earnest than of the rest.
    let kind = prop_oneof![
        2 => 0..14_u8,
        3 => 3..6_u8,
        3 => Just(9),
        1 => Just(6),
    ];
    let channel = prop_oneof![1 => any::<u8>(), 2 => 0..3_u8];
    let sent = (kind, 0..4_u8, channel).prop_map(|(a, b, c)| Sent(a, b, c));
    let frame = prop::collection::vec(sent, 1..4);
    let byte = any::<u8>;
    prop_oneof![
        1 => byte().prop_map(Step::Open),
        10 => (prop::option::weighted(0.3, byte()), byte(), frame)
            .prop_map(|(connection, transport, sent)| Step::Frame(connection, transport, sent)),
        6 => byte().prop_map(Step::Written),
        2 => byte().prop_map(Step::Closed),
        10 => (byte(), prop::option::weighted(0.15, byte())).prop_map(|(at, how)| Step::Stored(at, how)),
        5 => byte().prop_map(Step::Notified),
        6 => (byte(), byte()).prop_map(|(at, how)| Step::Decided(at, how)),
        3 => (byte(), byte()).prop_map(|(what, at)| Step::Called(what, at)),
        1 => (byte(), byte()).prop_map(|(what, at)| Step::Configured(what, at)),
        1 => prop_oneof![9 => Just(Step::Passes(Some(1))), 1 => any::<u16>().prop_map(Step::Draining)],
        3 => prop::option::of(0..6_000_u16).prop_map(Step::Passes),
        1 => Just(Step::RunsBack),
        1 => byte().prop_map(Step::Nonsense),
    ]
}

proptest! {
    // Proves: ER-1, ER-3, ER-4, ER-5, AD-1
    #[test]
    fn two_engines_given_the_same_seed_and_facts_give_the_same_bytes(
        kind in any::<u8>(),
        seed in any::<u8>(),
        eager in any::<u8>().prop_map(Eager::of),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut worlds = [World::new(config(kind), seed), World::new(config(kind), seed)];
        worlds.iter_mut().for_each(|world| world.begin(eager));
        for step in &steps {
            for world in &mut worlds {
                world.take(step);
            }
            let [one, other] = &mut worlds;
            prop_assert_eq!(&one.orders, &other.orders);
            prop_assert_eq!(one.engine.poll_timeout(), other.engine.poll_timeout());
            prop_assert_eq!(one.engine.counters(), other.engine.counters());
            let census = one.engine.census();
            let counted: usize = census.iter().map(|(_, _, count)| count).sum();
            prop_assert_eq!(counted, one.engine.load().sessions);
            one.orders.clear();
            other.orders.clear();
        }
    }
}
