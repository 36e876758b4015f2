//! The protocol, written naively from `docs/protocol.md`: what clients have to see.
//!
//! Nothing of the engine is used here, and nothing is clever: every list is walked, a subscription is
//! compared segment by segment, whatever is due is looked for. A model is given facts with
//! [`meet`](Model::meet) and says what is [`Seen`] in consequence. The store answers at once, so a step is
//! over when the model returns. Rules are cited where they are followed.
//!
//! A frame is done as a whole before anybody else hears of it: how many events share a frame is left open by
//! the protocol, and this is how a server does it that has nothing else to do.

mod channel;
mod connect;
mod delivery;
mod disconnect;
mod frame;
mod handshake;
mod policy;
mod publish;
mod reply;
mod response;
mod session;
mod subscribe;
mod time;

use std::collections::BTreeMap;

pub use self::channel::{Kind, Name, matches};
use self::delivery::Entry;
use self::session::Session;
use crate::history::Setting;
use crate::history::cast::{Fact, Transport};
use crate::seen::Seen;

/// The options that a setting changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rules {
    deliver_only: bool,
    echo: bool,
    all_or_nothing: bool,
    queue: usize,
    full: Full,
    subscriptions: usize,
    echo_client_id: bool,
    ack: bool,
}

/// What happens to a full queue (QU-5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Full {
    Ends,
    DropsOldest,
    DropsNewest,
}

impl Rules {
    fn new(setting: Setting) -> Self {
        let short = [
            Setting::ShortQueueEnds,
            Setting::ShortQueueDropsOldest,
            Setting::ShortQueueDropsNewest,
        ];
        let full = if setting == Setting::ShortQueueDropsOldest {
            Full::DropsOldest
        } else if setting == Setting::ShortQueueDropsNewest {
            Full::DropsNewest
        } else {
            Full::Ends
        };
        Self {
            deliver_only: setting == Setting::DeliverOnly,
            echo: setting != Setting::NoEcho,
            all_or_nothing: setting == Setting::AllOrNothing,
            queue: if short.contains(&setting) { 3 } else { 10_000 },
            full,
            subscriptions: if setting == Setting::FewSubscriptions {
                2
            } else {
                1_024
            },
            echo_client_id: setting == Setting::EchoClientId,
            ack: setting != Setting::NoAck,
        }
    }
}

/// A server of Bayeux, in the simplest way.
#[derive(Clone, Debug)]
pub struct Model {
    rules: Rules,
    /// Milliseconds.
    now: u64,
    /// By number. Numbers are given when the handshake is answered.
    sessions: BTreeMap<u32, Session>,
    handshakes: u32,
    connections: BTreeMap<u32, Connection>,
    /// What has been published in this step and not been spread yet.
    published: Vec<Entry>,
    /// The position of the newest entry, those that are not spread included.
    end: u64,
    /// The position of the newest entry that is spread.
    reached: u64,
    store_works: bool,
    seen: Seen,
}

/// A connection that is open.
#[derive(Clone, Debug)]
struct Connection {
    transport: Transport,
    works: bool,
    /// The session that a socket is bound to (WS-5).
    session: Option<u32>,
    /// When an unused socket is closed (DC-6).
    closes: Option<u64>,
}

impl Model {
    /// A server that nobody has talked to yet.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        Self {
            rules: Rules::new(setting),
            now: 0,
            sessions: BTreeMap::new(),
            handshakes: 0,
            connections: BTreeMap::new(),
            published: Vec::new(),
            end: 0,
            reached: 0,
            store_works: true,
            seen: Seen::default(),
        }
    }

    /// What is seen when this happens.
    pub fn meet(&mut self, facts: &[Fact]) -> Seen {
        for fact in facts {
            self.one(fact);
        }
        std::mem::take(&mut self.seen)
    }

    fn one(&mut self, fact: &Fact) {
        match fact {
            Fact::Opened {
                connection,
                transport,
            } => {
                let open = Connection {
                    transport: *transport,
                    works: true,
                    session: None,
                    closes: None,
                };
                self.connections.insert(*connection, open);
            }
            Fact::Frame {
                connection,
                messages,
            } => self.frame(*connection, messages),
            Fact::Cut { connection } => self.closed(*connection),
            Fact::Wire { connection, works } => {
                if let Some(open) = self.connections.get_mut(connection) {
                    open.works = *works;
                }
            }
            Fact::Publish {
                channel,
                data,
                lazy,
            } => self.application_publishes(channel, *data, *lazy),
            Fact::Deliver {
                session,
                channel,
                data,
                lazy,
            } => self.application_delivers(*session, channel, *data, *lazy),
            Fact::Disconnect { session } => self.application_disconnects(*session),
            Fact::Pass { millis } => self.pass(u64::from(*millis)),
            Fact::Store { works } => self.store_works = *works,
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The connections on which a connect is held.
    #[must_use]
    pub fn held(&self) -> Vec<u32> {
        let holds = self
            .sessions
            .values()
            .filter_map(|session| session.hold.as_ref());
        holds.map(|hold| hold.connection).collect()
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.sessions
            .values()
            .map(|session| session.subscriptions.len())
            .sum()
    }
}
