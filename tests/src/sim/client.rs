//! Clients: small and honest, as those of CometD and Faye are.
//!
//! A client shakes hands, connects again and again, presents the last number that it saw, subscribes
//! to what it wants, and publishes. What is lost it tries again, but for publishes; told to shake
//! hands, it does.

mod hearing;
mod speech;
mod whims;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bayeux_core::{Instant, Transport};

use super::dice::Dice;
use super::world::{Happening, World};

/// What may be subscribed to.
const PATTERNS: [&str; 5] = ["/all/a", "/all/b", "/all/*", "/**", "/other/x"];
/// What is published to.
const CHANNELS: [&str; 4] = ["/all/a", "/all/b", "/other/x", "/nobody"];
/// How long a client waits for the answer to a connect: the timeout, and what the network may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Client {
    pub(super) acknowledges: bool,
    pub(super) transport: Transport,
    wants: BTreeSet<&'static str>,
    session: Option<Membership>,
    socket: Option<u64>,
    /// It publishes over a websocket, whatever it connects by: as Faye does while it changes.
    mixes: bool,
    /// That websocket.
    aside: Option<u64>,
    pending: BTreeMap<u64, Pending>,
    last_id: u64,
    /// How often it has begun anew: what rings for a life before is void.
    life: u64,
}

/// What a client knows of its session.
struct Membership {
    id: String,
    /// The number to present with the next connect.
    number: i64,
    subscribed: BTreeSet<&'static str>,
    /// What it may still be subscribed to, nobody having said that it is not.
    doubtful: BTreeSet<&'static str>,
    /// When it has unsubscribed last.
    unsubscribed: Option<Instant>,
    connected: bool,
    /// It is its browser's alone.
    bound: bool,
    /// Until when it may be without connect, having lost one just now.
    forgiven: Instant,
}

/// A message that is not answered.
struct Pending {
    what: What,
    link: u64,
}

#[derive(Clone, PartialEq, Eq)]
enum What {
    Handshake,
    Connect,
    Subscribe(&'static str),
    Unsubscribe(&'static str),
    Publish(u64),
    Disconnect,
}

/// Something that is due at a client.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alarm {
    Handshake,
    Connect,
    /// It tries again what it could not subscribe to.
    Subscribe(&'static str),
    /// No answer has come to this.
    Overdue(u64),
    /// It has an idea.
    Whim,
}

impl Client {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let mut client = Self {
            acknowledges: dice.permille(600),
            transport: transport(dice),
            wants: BTreeSet::new(),
            session: None,
            socket: None,
            mixes: dice.permille(150),
            aside: None,
            pending: BTreeMap::new(),
            last_id: 0,
            life: 0,
        };
        // Everybody gets what is published in the end.
        client.wants.insert("/all/*");
        for _ in 0..dice.below(3) {
            client.wants.extend(dice.pick(&PATTERNS));
        }
        client
    }

    pub(super) fn session_id(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.id.as_str())
    }

    /// Its session, if no other browser may have it.
    pub(super) fn bound_session(&self) -> Option<&str> {
        let session = self.session.as_ref().filter(|session| session.bound);
        session.map(|session| session.id.as_str())
    }

    /// What it is surely subscribed to, and what it may be.
    pub(super) fn subscriptions(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let session = self.session.as_ref();
        session.map_or_else(Default::default, |session| {
            let sure = session.subscribed.iter().copied().collect();
            let asked = PATTERNS
                .into_iter()
                .filter(|pattern| self.is_doing(&What::Subscribe(pattern)));
            let all = session.subscribed.union(&session.doubtful).copied();
            (sure, all.chain(asked).collect())
        })
    }

    /// Why it is not there, if it is not.
    pub(super) fn absence(&self, now: Instant) -> Option<&'static str> {
        let Some(session) = &self.session else {
            return Some("it has no session");
        };
        if !session.connected && !self.is_doing(&What::Connect) && now > session.forgiven {
            return Some("it is not connected");
        }
        if !self.wants.is_subset(&session.subscribed) {
            return Some("it is not subscribed");
        }
        None
    }

    pub(super) const fn life(&self) -> u64 {
        self.life
    }

    fn is_doing(&self, what: &What) -> bool {
        self.pending.values().any(|pending| pending.what == *what)
    }

    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

fn transport(dice: &mut Dice) -> Transport {
    match dice.below(10) {
        0..=4 => Transport::WebSocket,
        5..=7 => Transport::LongPolling,
        _ => Transport::CallbackPolling,
    }
}

impl World {
    pub(super) fn alarm(&mut self, client: usize, after: Duration, alarm: Alarm) {
        let life = self.clients.get(client).map_or(0, |client| client.life);
        self.after(
            after,
            Happening::Alarm {
                client,
                life,
                alarm,
            },
        );
    }

    pub(super) fn rings(&mut self, number: usize, life: u64, alarm: Alarm) {
        let Some(client) = self
            .clients
            .get(number)
            .filter(|client| client.life == life)
        else {
            return;
        };
        if self.is_over {
            return;
        }
        match alarm {
            Alarm::Handshake if client.session.is_none() => self.shake_hands(number),
            Alarm::Connect if client.session.is_some() && !client.is_doing(&What::Connect) => {
                self.connect(number);
            }
            Alarm::Handshake | Alarm::Connect => {}
            Alarm::Subscribe(pattern) => {
                let is_missing = client.session.as_ref().is_some_and(|session| {
                    client.wants.contains(pattern) && !session.subscribed.contains(pattern)
                });
                if is_missing && !client.is_doing(&What::Subscribe(pattern)) {
                    self.subscribe(number, pattern);
                }
            }
            Alarm::Overdue(id) => self.overdue(number, id),
            Alarm::Whim => self.whim(number),
        }
    }
}
