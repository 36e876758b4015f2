//! A frame from end to end (section 5).

use serde_json::{Value, json};

use super::reply::Reply;
use super::session::Carrier;
use super::{Model, Name};
use crate::history::cast::{Transport, number};

/// A frame that is being worked on.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) connection: u32,
    pub(super) transport: Transport,
    /// The session that the request is for (HT-9, WS-5).
    pub(super) session: Option<u32>,
    /// How many messages it has.
    pub(super) messages: usize,
    /// A handshake is its first message (HS-7).
    pub(super) is_handshake: bool,
    /// Its session is not here, and may be elsewhere (ER-7).
    pub(super) elsewhere: bool,
    /// What waited for a session that ended in it (DC-3).
    pub(super) rest: Vec<Value>,
    pub(super) replies: Vec<Reply>,
    /// The connects in it that were accepted.
    pub(super) connects: Vec<Connect>,
    /// The session that was made by it.
    pub(super) created: Option<u32>,
}

/// A connect that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Connect {
    /// Which of the replies is its own.
    pub(super) place: usize,
    pub(super) session: u32,
    pub(super) request: Value,
    pub(super) is_first: bool,
    /// It is answered at once, whatever waits.
    pub(super) at_once: bool,
    pub(super) timeout: u64,
}

impl Model {
    pub(super) fn frame(&mut self, connection: u32, messages: &[Value]) {
        let Some(open) = self.connections.get(&connection) else {
            return;
        };
        let transport = open.transport;
        let first = messages.first().cloned().unwrap_or_default();
        let is_handshake = channel(&first) == Some("/meta/handshake");
        let mut frame = Frame {
            connection,
            transport,
            session: None,
            messages: messages.len(),
            is_handshake,
            elsewhere: false,
            rest: Vec::new(),
            replies: Vec::new(),
            connects: Vec::new(),
            created: None,
        };
        frame.elsewhere = !is_handshake && self.is_elsewhere(connection, transport, &first);
        if !is_handshake {
            frame.session = self.session_of_request(connection, transport, &first);
            self.adopt(&frame);
        }
        for (at, message) in messages.iter().enumerate() {
            if let Some(reply) = self.message(&mut frame, at, message) {
                frame.replies.push(reply);
            }
        }
        self.spread();
        // ER-7: a connect that cannot be served ends with its connection.
        let is_connect = |message: &Value| channel(message) == Some("/meta/connect");
        if frame.elsewhere && messages.iter().any(is_connect) {
            self.seen.on(connection).closed = Some("unavailable");
            return self.closed(connection);
        }
        self.respond(frame);
        self.wake_all(None);
    }

    /// HT-9, WS-5.
    fn session_of_request(
        &mut self,
        connection: u32,
        transport: Transport,
        first: &Value,
    ) -> Option<u32> {
        let named = named(first).filter(|number| self.sessions.contains_key(number));
        if transport != Transport::Socket {
            return named;
        }
        let open = self.connections.get(&connection);
        let bound = open.and_then(|open| open.session);
        bound
            .filter(|number| self.sessions.contains_key(number))
            .or(named)
    }

    /// A socket is bound to the session of its first message, good or bad (WS-5), unless that is to leave.
    fn adopt(&mut self, frame: &Frame) {
        let living = |number: &u32| self.sessions.get(number).is_some_and(|it| !it.leaving);
        let session = frame.session.filter(living);
        if frame.transport == Transport::Socket
            && let Some(open) = self.connections.get_mut(&frame.connection)
            && session.is_some()
        {
            open.session = session;
            open.closes = None;
        }
    }

    /// A session that is not here may be elsewhere, which cannot be told while the store is away (ER-7).
    fn is_elsewhere(&mut self, connection: u32, transport: Transport, first: &Value) -> bool {
        let named = named(first).is_some_and(|session| !self.sessions.contains_key(&session));
        !self.store_works
            && named
            && self
                .session_of_request(connection, transport, first)
                .is_none()
    }

    fn message(&mut self, frame: &mut Frame, at: usize, message: &Value) -> Option<Reply> {
        let reply = self.reply(message);
        // WS-7: any message but a handshake will do.
        let bound = self
            .connections
            .get(&frame.connection)
            .and_then(|open| open.session);
        let speaks = !frame.is_handshake && channel(message) != Some("/meta/handshake");
        if let Some(bound) = bound.filter(|_| speaks) {
            self.speak(frame, bound);
        }
        // PL-1: FI-1, FI-2, CH-2.
        let Some(text) = channel(message) else {
            return Some(reply.failure("400::channel_missing"));
        };
        if message
            .get("id")
            .is_some_and(|id| !id.is_string() && !id.is_number() && !id.is_null())
        {
            let reply = reply.failure("405::message_id_invalid");
            // AD-5.
            let is_handshake = at == 0 && text == "/meta/handshake";
            return Some(match is_handshake {
                true => reply.with("advice", none()),
                false => reply,
            });
        }
        let name = match Name::parse(text) {
            Some(name) if !name.is_reserved() && !name.is_pattern() => name,
            _ => return Some(reply.failure("405::channel_invalid")),
        };
        if text == "/meta/handshake" {
            if at > 0 {
                return Some(reply.failure("400::handshake_must_be_first"));
            }
            return Some(self.handshake(frame, message, reply));
        }
        let Some(session) = self.session_of_message(frame, message) else {
            return Some(match frame.elsewhere {
                true => reply.failure(UNAVAILABLE),
                false => reply.unknown(),
            });
        };
        if text == "/meta/connect" {
            return Some(self.connect(frame, session, message, reply));
        }
        self.extend_clock(session);
        self.speak(frame, session);
        // MO-6: these take effect behind what was published before them.
        let ordered = ["/meta/subscribe", "/meta/unsubscribe", "/meta/disconnect"].contains(&text);
        if ordered && !self.published.is_empty() {
            self.spread();
            self.wake_all(frame.session);
        }
        // Its own publishes may have been more than its queue holds (QU-5).
        if !self.sessions.contains_key(&session) {
            return Some(reply.unknown());
        }
        Some(match text {
            "/meta/subscribe" => self.subscribe(session, message, reply),
            "/meta/unsubscribe" => self.unsubscribe(session, message, reply),
            "/meta/disconnect" => self.disconnect(frame, session, reply),
            _ => self.publish(session, &name, message, reply),
        })
    }

    /// PL-3: the session that the message names, if it is that of the request and lives.
    fn session_of_message(&mut self, frame: &mut Frame, message: &Value) -> Option<u32> {
        if frame.is_handshake {
            return None;
        }
        let session = named(message)?;
        // DC-5, DC-7: who is disconnected is told so by its next connect, and can do nothing else.
        let told = !frame.connects.is_empty() || channel(message) != Some("/meta/connect");
        let living = self
            .session(session)
            .is_some_and(|session| !session.leaving || !told);
        if frame.session != Some(session) || !living {
            return None;
        }
        Some(session)
    }

    /// WS-7: a socket carries its session from the first message on that is no handshake, if no other
    /// carrier lives.
    fn speak(&mut self, frame: &Frame, number: u32) {
        let rules = frame.transport == Transport::Socket;
        let Some(session) = self.session(number).filter(|_| rules) else {
            return;
        };
        let polls = session.carrier == Carrier::Polls && session.hold.is_none();
        if (session.carrier == Carrier::None || polls) && !session.leaving {
            session.carrier = Carrier::Socket(frame.connection);
        }
    }
}

pub(super) fn channel(message: &Value) -> Option<&str> {
    message.get("channel").and_then(Value::as_str)
}

fn named(message: &Value) -> Option<u32> {
    message
        .get("clientId")
        .and_then(Value::as_str)
        .and_then(number)
}

/// The `timeout` or `interval` that a client asks for (AD-7).
pub(super) fn asked(message: &Value, name: &str) -> Option<u64> {
    message
        .get("advice")
        .and_then(|advice| advice.get(name))
        .and_then(Value::as_u64)
}

/// Whether it carries advice.
pub(super) fn carries_advice(message: &Value) -> bool {
    message.get("advice").is_some_and(Value::is_object)
}

/// An error of the store (ER-7).
pub(super) const UNAVAILABLE: &str = "503::unavailable";

pub(super) fn none() -> Value {
    json!({"reconnect": "none"})
}
