//! Clients: small and honest, as those of CometD and Faye are.
//!
//! A client shakes hands, connects again and again, presents the last number that it saw, subscribes
//! to what it wants, and publishes. What is lost it tries again, but for publishes; told to shake
//! hands, it does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bayeux_core::{SessionId, Transport};
use serde_json::{Value, json};

use super::dice::Dice;
use super::link::{Frame, Link};
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
    transport: Transport,
    wants: BTreeSet<&'static str>,
    session: Option<Membership>,
    socket: Option<u64>,
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
    connected: bool,
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
    /// What, and what stands before it in the same frame.
    Publish(u64, Option<u64>),
    Disconnect,
}

/// Something that is due at a client.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alarm {
    Handshake,
    Connect,
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

    /// Why it is not there, if it is not.
    pub(super) fn absence(&self) -> Option<&'static str> {
        let Some(session) = &self.session else {
            return Some("it has no session");
        };
        if !session.connected && !self.is_doing(&What::Connect) {
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
    if dice.permille(500) {
        Transport::WebSocket
    } else {
        Transport::LongPolling
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
            Alarm::Overdue(id) => self.overdue(number, id),
            Alarm::Whim => self.whim(number),
        }
    }

    // What it says.

    fn shake_hands(&mut self, number: usize) {
        let Some(client) = self.clients.get(number) else {
            return;
        };
        if client.is_doing(&What::Handshake) {
            return;
        }
        let mut message = json!({
            "channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": ["websocket", "long-polling"],
        });
        if client.acknowledges {
            put(&mut message, "ext", json!({"ack": true}));
        }
        self.say(number, vec![(What::Handshake, message)]);
    }

    fn connect(&mut self, number: usize) {
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let Some(session) = &client.session else {
            return;
        };
        let mut message = json!({
            "channel": "/meta/connect", "connectionType": client.transport.name(),
        });
        if client.acknowledges {
            put(&mut message, "ext", json!({"ack": session.number}));
        }
        self.say(number, vec![(What::Connect, message)]);
    }

    fn subscribe(&mut self, number: usize, pattern: &'static str) {
        if let Some(session) = self.clients.get(number).and_then(Client::session_id) {
            self.judge.subscribes(session, pattern);
        }
        let message = json!({"channel": "/meta/subscribe", "subscription": pattern});
        self.say(number, vec![(What::Subscribe(pattern), message)]);
    }

    fn unsubscribe(&mut self, number: usize, pattern: &'static str) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        client.wants.remove(pattern);
        let Some(session) = &mut client.session else {
            return;
        };
        session.subscribed.remove(pattern);
        self.judge.unsubscribes(&session.id, pattern);
        let message = json!({"channel": "/meta/unsubscribe", "subscription": pattern});
        self.say(number, vec![(What::Unsubscribe(pattern), message)]);
    }

    fn publish(&mut self, number: usize) {
        let mut messages = Vec::new();
        let several = self.dice.permille(300);
        let mut before = None;
        for _ in 0..=self.dice.below(if several { 5 } else { 1 }) {
            let what = self.new_number();
            let channel = self.dice.pick(&CHANNELS).unwrap_or("/all/a");
            let message = json!({"channel": channel, "data": {"n": what}});
            messages.push((What::Publish(what, before), message));
            before = Some(what);
        }
        self.say(number, messages);
    }

    /// Sends messages in one frame, over what it talks over.
    fn say(&mut self, number: usize, messages: Vec<(What, Value)>) {
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let (transport, socket) = (client.transport, client.socket);
        let usable = socket.filter(|link| self.links.get(link).is_some_and(Link::is_open));
        let link = usable.unwrap_or_else(|| self.open(number, transport));
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if !transport.is_exchange() {
            client.socket = Some(link);
        }
        let session = client.session_id().map(str::to_owned);
        let mut patience = PATIENCE;
        let mut frame = Vec::new();
        let mut first = None;
        let mut connects = false;
        for (what, mut message) in messages {
            let id = client.new_id();
            first = first.or(Some(id));
            put(&mut message, "id", json!(id.to_string()));
            if let Some(session) = session.as_ref().filter(|_| what != What::Handshake) {
                put(&mut message, "clientId", json!(session));
            }
            if what == What::Connect {
                patience = CONNECT_PATIENCE;
                connects = true;
            }
            client.pending.insert(id, Pending { what, link });
            frame.push(message);
        }
        let bytes = Value::Array(frame).to_string().into_bytes();
        let session = session.as_deref().and_then(SessionId::parse);
        self.send_up(link, Frame::from(bytes), session, connects);
        if let Some(id) = first {
            self.alarm(number, patience, Alarm::Overdue(id));
        }
    }

    // What it hears.

    pub(super) fn got(&mut self, number: usize, link: u64, frame: &Frame, is_stale: bool) {
        let Ok(Value::Array(messages)) = serde_json::from_slice(frame) else {
            self.fail("a node has said what is no list".to_owned());
            return;
        };
        self.story.tell(self.now, || {
            format!("client {number} < {}", super::story::in_short(frame))
        });
        let life = self.links.get(&link).map(|link| link.client_life);
        if self.clients.get(number).map(Client::life) != life {
            return;
        }
        for message in &messages {
            if message.get("data").is_some() {
                self.got_event(number, link, message, is_stale);
            } else {
                self.got_reply(number, message);
            }
        }
        let exchange = self
            .clients
            .get(number)
            .is_some_and(|c| c.transport.is_exchange());
        if exchange {
            // What its one answer did not answer never will be.
            self.fail_pending(number, link);
        }
    }

    fn got_event(&mut self, number: usize, link: u64, message: &Value, is_stale: bool) {
        let what = message.pointer("/data/n").and_then(Value::as_u64);
        let (Some(what), Some(client)) = (what, self.clients.get(number)) else {
            self.fail(format!(
                "client {number} got what nobody published: {message}"
            ));
            return;
        };
        let Some(session) = client.session_id() else {
            return;
        };
        if is_stale && !client.acknowledges {
            // A node that has lost a session and does not know it yet may send what it had in hand.
            return;
        }
        let before = self.links.get(&link).and_then(|link| link.last);
        match self.judge.delivered(session, what, before) {
            Ok(place) => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.last = Some(place);
                }
            }
            Err(why) => self.fail(format!("client {number}: {why}")),
        }
    }

    fn got_reply(&mut self, number: usize, message: &Value) {
        let id = message.get("id").and_then(Value::as_str);
        let id = id.and_then(|id| id.parse::<u64>().ok());
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let what = id.and_then(|id| client.pending.remove(&id)).map(|p| p.what);
        let successful = message.get("successful") == Some(&Value::Bool(true));
        if message.get("channel").and_then(Value::as_str) == Some("/meta/connect")
            && let Some(ack) = message.pointer("/ext/ack").and_then(Value::as_i64)
            && let Some(session) = &mut client.session
        {
            if ack < session.number {
                let before = session.number;
                self.fail(format!(
                    "client {number}: the number falls from {before} to {ack}"
                ));
                return;
            }
            session.number = ack;
        }
        let Some(what) = what else {
            return;
        };
        let error = message.get("error").and_then(Value::as_str).unwrap_or("");
        if error.starts_with("402") {
            self.is_unknown(number, &what, message);
            return;
        }
        if successful {
            self.succeeded(number, what, message);
        } else {
            self.failed(number, &what);
        }
    }

    /// There is no such session, says a node.
    fn is_unknown(&mut self, number: usize, what: &What, message: &Value) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if *what != What::Connect {
            self.failed(number, what);
            return;
        }
        let Some(session) = client.session.take() else {
            return;
        };
        if message.pointer("/advice/reconnect") != Some(&json!("handshake")) {
            self.fail(format!("client {number} is not told what to do: {message}"));
            return;
        }
        let verdict = self.judge.unknown(&session.id, now);
        self.hold(verdict.map_err(|why| format!("client {number}: {why}")));
        self.give_up(number);
        let wait = message.pointer("/advice/interval").and_then(Value::as_u64);
        let wait = Duration::from_millis(wait.unwrap_or(0));
        self.alarm(number, wait, Alarm::Handshake);
        self.alarm(number, wait, Alarm::Whim);
    }

    fn succeeded(&mut self, number: usize, what: What, message: &Value) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        match what {
            What::Handshake => self.shaken(number, message),
            What::Connect => {
                if let Some(session) = &mut client.session {
                    session.connected = true;
                    let id = session.id.clone();
                    self.judge.alive(&id, now);
                }
                let wait = message.pointer("/advice/interval").and_then(Value::as_u64);
                self.alarm(
                    number,
                    Duration::from_millis(wait.unwrap_or(0)),
                    Alarm::Connect,
                );
            }
            What::Subscribe(pattern) => {
                if let Some(session) = &mut client.session
                    && client.wants.contains(pattern)
                {
                    session.subscribed.insert(pattern);
                    self.judge.subscribed(&session.id, pattern);
                }
            }
            What::Publish(what, before) => {
                let verdict = self.judge.published(what);
                self.hold(verdict);
                let verdict = before.map_or(Ok(()), |before| self.judge.in_order(before, what));
                self.hold(verdict);
            }
            What::Unsubscribe(_) | What::Disconnect => {}
        }
    }

    fn shaken(&mut self, number: usize, message: &Value) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let Some(id) = message.get("clientId").and_then(Value::as_str) else {
            self.fail(format!("client {number} got no session: {message}"));
            return;
        };
        client.session = Some(Membership {
            id: id.to_owned(),
            number: 0,
            subscribed: BTreeSet::new(),
            connected: false,
        });
        let wants: Vec<_> = client.wants.iter().copied().collect();
        let verdict = self.judge.begins(id, client.acknowledges, now);
        self.hold(verdict);
        self.connect(number);
        for pattern in wants {
            self.subscribe(number, pattern);
        }
    }

    /// An answer says no, or will never come.
    fn failed(&mut self, number: usize, what: &What) {
        let wait = self.dice.millis(100..1_500);
        match what {
            What::Handshake => self.alarm(number, wait, Alarm::Handshake),
            What::Connect => {
                if let Some(session) = self
                    .clients
                    .get_mut(number)
                    .and_then(|c| c.session.as_mut())
                {
                    session.connected = false;
                }
                self.alarm(number, wait, Alarm::Connect);
            }
            // A later whim subscribes to what is missing.
            What::Subscribe(_) | What::Unsubscribe(_) | What::Publish(..) | What::Disconnect => {}
        }
    }

    /// A connection is gone.
    pub(super) fn lost(&mut self, number: usize, link: u64) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if client.socket == Some(link) {
            client.socket = None;
            // It needs another one, also if nothing was under way.
            self.alarm(number, Duration::from_millis(300), Alarm::Connect);
        }
        self.fail_pending(number, link);
    }

    fn fail_pending(&mut self, number: usize, link: u64) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let gone: Vec<u64> = client
            .pending
            .iter()
            .filter(|(_, pending)| pending.link == link)
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            let pending = self
                .clients
                .get_mut(number)
                .and_then(|c| c.pending.remove(&id));
            if let Some(pending) = pending {
                self.failed(number, &pending.what);
            }
        }
    }

    fn overdue(&mut self, number: usize, id: u64) {
        let pending = self.clients.get(number).and_then(|c| c.pending.get(&id));
        let Some(link) = pending.map(|pending| pending.link) else {
            return;
        };
        self.story.tell(self.now, || {
            format!("client {number} has waited for #{id} in vain")
        });
        self.hang_up(link);
        self.lost(number, link);
    }

    // What comes to its mind.

    fn whim(&mut self, number: usize) {
        let next = self.dice.millis(200..4_000);
        self.alarm(number, next, Alarm::Whim);
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let Some(session) = &client.session else {
            return;
        };
        let missing = client.wants.iter().find(|pattern| {
            !session.subscribed.contains(*pattern) && !client.is_doing(&What::Subscribe(pattern))
        });
        if let Some(pattern) = missing.copied() {
            self.subscribe(number, pattern);
            return;
        }
        if self.is_peaceful {
            return;
        }
        match self.dice.below(40) {
            0..=24 => self.publish(number),
            25..=27 => self.begin_to_want(number),
            28..=29 => self.stop_wanting(number),
            30..=32 if !self.plan.calm => self.abort(number),
            33 if !self.plan.calm => self.change_transport(number),
            34 if !self.plan.calm => self.vanish(number),
            35 => self.disconnect(number),
            _ => {}
        }
    }

    fn begin_to_want(&mut self, number: usize) {
        let pattern = self.dice.pick(&PATTERNS);
        let (Some(pattern), Some(client)) = (pattern, self.clients.get_mut(number)) else {
            return;
        };
        // An answer to an unsubscription that is under way would end it.
        if !client.is_doing(&What::Unsubscribe(pattern)) && client.wants.insert(pattern) {
            self.subscribe(number, pattern);
        }
    }

    fn stop_wanting(&mut self, number: usize) {
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let Some(session) = &client.session else {
            return;
        };
        let mut some = session.subscribed.iter().copied();
        if let Some(pattern) = some.find(|pattern| *pattern != "/all/*") {
            self.unsubscribe(number, pattern);
        }
    }

    /// Gives up its connect and tries another way at once.
    fn abort(&mut self, number: usize) {
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let mut pending = client.pending.values();
        let connect = pending.find(|pending| pending.what == What::Connect);
        if let Some(link) = connect.map(|pending| pending.link) {
            self.story
                .tell(self.now, || format!("client {number} aborts {link}"));
            self.hang_up(link);
            self.lost(number, link);
            self.connect(number);
        }
    }

    fn change_transport(&mut self, number: usize) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        client.transport = transport(&mut self.dice);
        if let Some(socket) = client.socket.filter(|_| client.transport.is_exchange()) {
            self.hang_up(socket);
            self.lost(number, socket);
        }
    }

    /// Is gone without a word, and somebody else comes later.
    fn vanish(&mut self, number: usize) {
        self.story.tell(self.now, || {
            format!("client {number} is gone without a word")
        });
        self.give_up(number);
        let after = self.dice.millis(0..20_000);
        self.alarm(number, after, Alarm::Handshake);
        self.alarm(number, after, Alarm::Whim);
    }

    /// Says goodbye, and comes back later.
    fn disconnect(&mut self, number: usize) {
        self.say_goodbye(number);
        let after = self.dice.millis(1_000..10_000);
        self.alarm(number, after, Alarm::Handshake);
        self.alarm(number, after, Alarm::Whim);
    }

    fn say_goodbye(&mut self, number: usize) {
        let message = json!({"channel": "/meta/disconnect"});
        self.say(number, vec![(What::Disconnect, message)]);
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if let Some(session) = client.session.take() {
            self.judge.ends(&session.id);
        }
        client.life += 1;
        client.pending.clear();
        client.socket = None;
        // It waits a little for the answer, and closes what it had.
        for link in self.links_of(number) {
            self.at(
                self.now + Duration::from_secs(2),
                Happening::NodeSees { link },
            );
        }
    }

    fn give_up(&mut self, number: usize) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if let Some(session) = client.session.take() {
            self.judge.ends(&session.id);
        }
        client.life += 1;
        client.socket = None;
        client.pending.clear();
        let links: Vec<u64> = self
            .links
            .iter()
            .filter(|(_, link)| link.client == number && link.is_open())
            .map(|(link, _)| *link)
            .collect();
        for link in links {
            self.hang_up(link);
        }
    }

    /// Leaves for good: with a word or without.
    pub(super) fn leave(&mut self, number: usize) {
        if self.dice.permille(500) {
            self.say_goodbye(number);
        } else {
            self.give_up(number);
        }
    }

    fn links_of(&self, number: usize) -> Vec<u64> {
        let of_client = self.links.iter().filter(|(_, link)| link.client == number);
        of_client.map(|(number, _)| *number).collect()
    }
}

fn put(message: &mut Value, name: &str, value: Value) {
    if let Some(members) = message.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
