//! What the store, the deciders and the application say, as they should or otherwise.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a broken promise has to fail"
)]

use std::time::Duration;

use bayeux_core::{
    Activity, ActivityMode, Admission, BrowserBinding, Call, CallTicket, Change, Config,
    ConnectionId, Decider, DeciderId, DecisionTicket, DecodeLimits, Destination, Echo, Entry,
    Event, Extensions, Fence, ForwardTicket, Input, Laziness, Limits, Messages, NewEntry, Notice,
    Operations, Payload, Peer, Position, QueuePolicy, Role, Scope, SessionId, SessionRecord,
    SessionSettings, StoreReply, StoreRequest, StoreTicket, Transport, Verdict,
};
use serde_json::{Value, json};

use super::Sent;
use super::world::{Connection, World, name, pick};

impl World {
    pub(super) fn stored(&mut self, at: u8, how: Option<u8>) {
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
            StoreRequest::Claim { session, .. } => {
                StoreReply::Claimed(Box::new(self.record(session)))
            }
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
            }
            .into(),
            start: Position::new(self.end / 2),
            released: None,
            end: Position::new(self.end),
            subscriptions: Vec::new(),
        }
    }

    pub(super) fn notified(&mut self, what: u8) {
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
                transport: Transport::LongPolling,
            },
        };
        self.fact(Input::Notified { notice });
    }

    fn session(&self, at: u8) -> Option<SessionId> {
        pick(&self.sessions, at).and_then(|session| SessionId::parse(session))
    }

    pub(super) fn called(&mut self, what: u8, at: u8) {
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
    pub(super) fn nonsense(&mut self, what: u8) {
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
}

/// A configuration that differs from the usual by the bits of `kind`, with limits that a short history can reach.
#[must_use]
pub fn config(kind: u8) -> Config {
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

pub(super) fn change(what: u8, at: u8) -> Change {
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

pub(super) fn verdict(how: u8) -> Verdict {
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

pub(super) fn decode(frame: &Value) -> Messages {
    Messages::decode(frame.to_string(), &DecodeLimits::default()).unwrap()
}
