//! The clients of a history, and what they know: which sessions they were given, which connections they
//! have, how far they have acknowledged. A cast makes the facts of a step, in which no session has its real
//! name yet.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Ack, Asked, CLIENTS, IdKind, Odd, SOCKETS, Said, Step, Types, Way, What, Whose, channel,
};
use crate::seen::Seen;

/// By what messages travel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Transport {
    /// Long-polling.
    Poll,
    /// Callback-polling.
    Callback,
    /// A websocket.
    Socket,
}

impl Transport {
    /// Its `connectionType`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poll => "long-polling",
            Self::Callback => "callback-polling",
            Self::Socket => "websocket",
        }
    }
}

/// Something that happens to a server.
#[derive(Clone, PartialEq, Debug)]
pub enum Fact {
    /// A connection begins.
    Opened {
        /// Its number, not used before.
        connection: u32,
        /// What it is.
        transport: Transport,
    },
    /// A client sends a frame. Sessions are named as in [`Seen`].
    Frame {
        /// On which connection.
        connection: u32,
        /// The messages, at least one.
        messages: Vec<Value>,
    },
    /// A connection breaks, and the server sees it.
    Cut {
        /// Which.
        connection: u32,
    },
    /// From now on a connection breaks when it is written to, or does not any more.
    Wire {
        /// Which.
        connection: u32,
        /// Whether writing works.
        works: bool,
    },
    /// The application publishes.
    Publish {
        /// To which broadcast channel, in its normal form.
        channel: &'static str,
        /// What.
        data: u64,
        /// Whether it may wait.
        lazy: bool,
    },
    /// The application delivers to a session.
    Deliver {
        /// Which, by its number.
        session: u32,
        /// On which channel, in its normal form.
        channel: &'static str,
        /// What.
        data: u64,
        /// Whether it may wait.
        lazy: bool,
    },
    /// The application disconnects a session.
    Disconnect {
        /// Which, by its number.
        session: u32,
    },
    /// Time passes.
    Pass {
        /// How many milliseconds.
        millis: u32,
    },
    /// From now on the store fails at whatever it is asked, or does it again.
    Store {
        /// Whether it does it.
        works: bool,
    },
}

/// The clients.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    clients: BTreeMap<u8, Client>,
    /// Whose each connection is, while it is open.
    open: BTreeMap<u32, (u8, Transport)>,
    /// The session of each message, by the id that is its own.
    asked: BTreeMap<String, u32>,
    /// The last number that came with the reply to a connect, by session.
    acknowledged: BTreeMap<u32, i64>,
    connections: u32,
    ids: u64,
    data: u64,
}

#[derive(Clone, Debug, Default)]
struct Client {
    own: Option<u32>,
    former: Option<u32>,
    sockets: BTreeMap<u8, u32>,
    broken: bool,
}

impl Cast {
    /// What a step comes down to.
    pub fn facts(&mut self, step: &Step) -> Vec<Fact> {
        match step {
            Step::Send { who, way, messages } => self.send(who % CLIENTS, *way, messages),
            Step::Cut { who, which } => self.cut(who % CLIENTS, *which),
            Step::Wire { who, works } => self.wire(who % CLIENTS, *works),
            Step::Publish { channel, lazy } => match plain(*channel) {
                Some(channel) => vec![Fact::Publish {
                    channel,
                    data: self.datum(),
                    lazy: *lazy,
                }],
                None => Vec::new(),
            },
            Step::Deliver { who, channel, lazy } => {
                match (self.session_of(*who), plain(*channel)) {
                    (Some(session), Some(channel)) => vec![Fact::Deliver {
                        session,
                        channel,
                        data: self.datum(),
                        lazy: *lazy,
                    }],
                    _ => Vec::new(),
                }
            }
            Step::Disconnect { who } => {
                let session = self.session_of(*who).into_iter();
                session
                    .map(|session| Fact::Disconnect { session })
                    .collect()
            }
            Step::Pass { millis } => vec![Fact::Pass { millis: *millis }],
            Step::Store { works } => vec![Fact::Store { works: *works }],
        }
    }

    /// The clients take in what they see.
    pub fn learn(&mut self, seen: &Seen) {
        for (connection, heard) in &seen.0 {
            let Some((who, transport)) = self.open.get(connection).copied() else {
                continue;
            };
            let client = self.clients.entry(who).or_default();
            for message in &heard.messages {
                client.hear(message);
                let text = message.get("id").map(Value::to_string);
                let number = message.pointer("/ext/ack").and_then(Value::as_i64);
                if let (Some(session), Some(number)) =
                    (text.and_then(|id| self.asked.get(&id)), number)
                {
                    self.acknowledged.insert(*session, number);
                }
            }
            let answered = transport != Transport::Socket && !heard.messages.is_empty();
            if answered || !heard.lost.is_empty() || heard.closed.is_some() {
                self.forget(*connection);
            }
        }
    }

    fn forget(&mut self, connection: u32) {
        if let Some((who, _)) = self.open.remove(&connection)
            && let Some(client) = self.clients.get_mut(&who)
        {
            client.sockets.retain(|_, socket| *socket != connection);
        }
    }

    fn session_of(&self, who: u8) -> Option<u32> {
        self.clients
            .get(&(who % CLIENTS))
            .and_then(|client| client.own)
    }

    fn send(&mut self, who: u8, way: Way, messages: &[Said]) -> Vec<Fact> {
        let (connection, transport, mut facts) = self.connection(who, way);
        let messages: Vec<_> = messages
            .iter()
            .map(|said| self.message(who, transport, said))
            .collect();
        if !messages.is_empty() {
            facts.push(Fact::Frame {
                connection,
                messages,
            });
        }
        facts
    }

    /// The connection that a client sends by, and what is needed for it.
    fn connection(&mut self, who: u8, way: Way) -> (u32, Transport, Vec<Fact>) {
        let client = self.clients.entry(who).or_default();
        let transport = match way {
            Way::Poll => Transport::Poll,
            Way::Callback => Transport::Callback,
            Way::Socket(_) => Transport::Socket,
        };
        if let Way::Socket(number) = way
            && let Some(socket) = client.sockets.get(&(number % SOCKETS))
        {
            return (*socket, transport, Vec::new());
        }
        let connection = self.connections;
        self.connections += 1;
        self.open.insert(connection, (who, transport));
        if let Way::Socket(number) = way {
            client.sockets.insert(number % SOCKETS, connection);
        }
        let mut facts = vec![Fact::Opened {
            connection,
            transport,
        }];
        if client.broken {
            facts.push(Fact::Wire {
                connection,
                works: false,
            });
        }
        (connection, transport, facts)
    }

    fn cut(&mut self, who: u8, which: u8) -> Vec<Fact> {
        let theirs = self
            .open
            .iter()
            .rev()
            .filter(|(_, (whose, _))| *whose == who);
        let Some(connection) = theirs
            .map(|(connection, _)| *connection)
            .nth(usize::from(which))
        else {
            return Vec::new();
        };
        self.forget(connection);
        vec![Fact::Cut { connection }]
    }

    fn wire(&mut self, who: u8, works: bool) -> Vec<Fact> {
        self.clients.entry(who).or_default().broken = !works;
        let theirs = self.open.iter().filter(|(_, (whose, _))| *whose == who);
        theirs
            .map(|(connection, _)| Fact::Wire {
                connection: *connection,
                works,
            })
            .collect()
    }

    fn datum(&mut self) -> u64 {
        self.data += 1;
        self.data
    }

    fn message(&mut self, who: u8, transport: Transport, said: &Said) -> Value {
        self.ids += 1;
        let ids = self.ids;
        let client = self.clients.entry(who).or_default();
        let session = match said.whose {
            Whose::Own => Some(client.own),
            Whose::Former => Some(client.former),
            Whose::Of(other) => Some(self.session_of(other)),
            Whose::Nobody => Some(None),
            Whose::Missing => None,
        };
        let mut message = self.content(session.flatten(), transport, &said.what);
        let Some(members) = message.as_object_mut() else {
            return message;
        };
        if let (Some(session), false) = (session, matches!(said.what, What::Handshake { .. })) {
            members.insert("clientId".to_owned(), name(session).into());
        }
        let id = match said.id {
            IdKind::Text => json!(ids.to_string()),
            IdKind::Number => json!(ids),
            IdKind::Missing => return message,
            IdKind::Null => Value::Null,
            IdKind::Wrong => json!({}),
        };
        if let Some(session) = session.flatten() {
            self.asked.insert(id.to_string(), session);
        }
        members.insert("id".to_owned(), id);
        message
    }

    fn content(&mut self, session: Option<u32>, transport: Transport, what: &What) -> Value {
        match what {
            What::Handshake { ack, types } => handshake(*ack, *types),
            What::Connect { advice, ack } => {
                connect(transport, *advice, self.number(session, *ack))
            }
            What::Subscribe(names) => {
                json!({"channel": "/meta/subscribe", "subscription": subscription(names)})
            }
            What::Unsubscribe(names) => {
                json!({"channel": "/meta/unsubscribe", "subscription": subscription(names)})
            }
            What::Publish(number) => json!({"channel": channel(*number), "data": self.datum()}),
            What::Disconnect => json!({"channel": "/meta/disconnect"}),
            What::Odd(odd) => match odd {
                Odd::NoChannel => json!({"data": 1}),
                Odd::UnknownMeta => json!({"channel": "/meta/x", "data": 1}),
                Odd::NoSubscription => json!({"channel": "/meta/subscribe"}),
                Odd::NumberSubscription => json!({"channel": "/meta/subscribe", "subscription": 7}),
                Odd::MixedSubscription => {
                    json!({"channel": "/meta/subscribe", "subscription": ["/a", 7]})
                }
                Odd::NoUnsubscription => json!({"channel": "/meta/unsubscribe"}),
            },
        }
    }
}

impl Cast {
    fn number(&self, session: Option<u32>, ack: Ack) -> Option<i64> {
        let last = session
            .and_then(|session| self.acknowledged.get(&session))
            .copied();
        match ack {
            Ack::Honest => last,
            Ack::Missing => None,
            Ack::Less => last.map(|number| number - 1),
            Ack::Zero => Some(0),
            Ack::Negative => Some(-1),
        }
    }
}

impl Client {
    fn hear(&mut self, message: &Value) {
        let session = message.get("clientId").and_then(Value::as_str);
        if message.get("channel") == Some(&"/meta/handshake".into())
            && let Some(session) = session.and_then(number)
        {
            self.former = self.own.replace(session);
        }
    }
}

fn handshake(ack: bool, types: Types) -> Value {
    let mut message = json!({"channel": "/meta/handshake", "version": "1.0"});
    let (types, denied) = match types {
        Types::Usual => (Some(json!(["long-polling", "websocket"])), false),
        Types::CrossOrigin => (
            Some(json!(["cross-origin-long-polling", "long-polling"])),
            false,
        ),
        Types::Foreign => (Some(json!(["iframe", "flash"])), false),
        Types::Missing => (None, false),
        Types::Denied => (Some(json!(["long-polling"])), true),
    };
    if let (Some(types), Some(members)) = (types, message.as_object_mut()) {
        members.insert("supportedConnectionTypes".to_owned(), types);
    }
    match (ack, denied) {
        (false, false) => {}
        (true, false) => set(&mut message, "ext", json!({"ack": true})),
        (_, true) => set(&mut message, "ext", json!({"denied": true})),
    }
    message
}

fn connect(transport: Transport, advice: Asked, number: Option<i64>) -> Value {
    let mut message = json!({"channel": "/meta/connect", "connectionType": transport.name()});
    match advice {
        Asked::Nothing => {}
        Asked::Timeout(millis) => set(&mut message, "advice", json!({"timeout": millis})),
        Asked::Interval(millis) => set(&mut message, "advice", json!({"interval": millis})),
        Asked::Wrong => set(&mut message, "advice", json!(7)),
    }
    if let Some(number) = number {
        set(&mut message, "ext", json!({"ack": number}));
    }
    message
}

fn set(message: &mut Value, name: &str, value: Value) {
    if let Some(members) = message.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn subscription(names: &[u8]) -> Value {
    match names {
        [one] => channel(*one).into(),
        names => names.iter().map(|number| channel(*number)).collect(),
    }
}

/// A channel that the application may use: well formed, and nobody has a say in it.
fn plain(number: u8) -> Option<&'static str> {
    let plain = ["/a", "/a/b", "/a/b/c", "/lazy/x", "/a*"];
    plain.into_iter().find(|name| *name == channel(number))
}

/// How a session is called.
#[must_use]
pub fn name(session: Option<u32>) -> String {
    session.map_or_else(|| "nobody".to_owned(), |session| format!("#{session}"))
}

/// The number of the session that is called so.
#[must_use]
pub fn number(name: &str) -> Option<u32> {
    name.strip_prefix('#')?.parse().ok()
}
