//! Connects (section 9), and the numbers on them (section 24).

use serde_json::{Value, json};

use super::Model;
use super::frame::{Connect, Frame, asked, carries_advice};
use super::reply::{Reply, advice};
use super::session::{Carrier, Hold, Session, TIMEOUT};
use crate::history::cast::Transport;

/// `limits.maxTimeout` and `limits.maxClientInterval` (AD-7).
const MAX_TIMEOUT: u64 = 300_000;
const MAX_CLIENT_INTERVAL: u64 = 60_000;

impl Model {
    /// A connect has come. Its reply is made when it leaves; this one holds its place.
    pub(super) fn connect(
        &mut self,
        frame: &mut Frame,
        number: u32,
        message: &Value,
        reply: Reply,
    ) -> Reply {
        self.overtake(number);
        let Some(session) = self.sessions.get_mut(&number) else {
            return reply.unknown();
        };
        session.expires = None;
        let before = session.transport.replace(frame.transport);
        session.changed |= before != session.transport;
        session.interval = asked(message, "interval")
            .unwrap_or(0)
            .min(MAX_CLIENT_INTERVAL);
        session.carrier = match frame.transport {
            Transport::Socket => Carrier::Socket(frame.connection),
            Transport::Poll | Transport::Callback => Carrier::Polls,
        };
        let is_first = !std::mem::replace(&mut session.connected, true);
        let mut at_once = is_first || frame.messages > 1 || session.leaving;
        if session.ack {
            // AK-5, AK-7, AK-10: what is acknowledged is forgotten.
            let given = message
                .pointer("/ext/ack")
                .and_then(Value::as_i64)
                .unwrap_or(0);
            let given = u64::try_from(given).unwrap_or(0);
            let (start, highest) = (session.start, self.reached - session.start);
            if given <= highest {
                session.presented = session.presented.max(given);
                session
                    .unacknowledged
                    .retain(|event| event.position - start > given);
                session.queue.retain(|event| event.position - start > given);
            }
            // AK-6.
            at_once |= !session.unacknowledged.is_empty();
        }
        let timeout = asked(message, "timeout")
            .unwrap_or(TIMEOUT)
            .min(MAX_TIMEOUT);
        frame.connects.push(Connect {
            place: frame.replies.len(),
            session: number,
            request: message.clone(),
            is_first,
            at_once: at_once || timeout == 0,
            timeout,
        });
        match frame.messages {
            1 => reply,
            _ => self.connect_reply(number, message, is_first),
        }
    }

    /// CN-9: a newer connect ends the older one.
    fn overtake(&mut self, number: u32) {
        let Some(hold) = self.session(number).and_then(|session| session.drop_hold()) else {
            return;
        };
        let open = self.connections.get(&hold.connection);
        if open.is_some_and(|open| open.transport != Transport::Socket) {
            self.connections.remove(&hold.connection);
            self.seen.on(hold.connection).closed = Some("duplicate");
        }
    }

    /// CN-4: holds the connect of a frame, if it is to be held.
    pub(super) fn hold(&mut self, connection: u32, connect: &Connect) -> bool {
        let now = self.now;
        let pushes = self.pushes(connect.session);
        let Some(session) = self.session(connect.session) else {
            return false;
        };
        let waits = session.queue.iter().any(|event| !event.is_lazy(now));
        if connect.at_once || (waits && !pushes) {
            return false;
        }
        session.hold = Some(Hold {
            connection,
            request: connect.request.clone(),
            until: now + connect.timeout,
        });
        true
    }

    /// A reply that was made before the rest of its frame was done: its number is that of its leaving.
    pub(super) fn renumber(&self, number: u32, reply: &mut Reply) {
        if let Some(session) = self.sessions.get(&number).filter(|session| session.ack) {
            *reply = reply.clone().with("ext", session.number(self.reached));
        }
    }

    /// The reply to a connect, as it leaves now.
    pub(super) fn connect_reply(&mut self, number: u32, request: &Value, is_first: bool) -> Reply {
        let reply = self.reply(request).success();
        let reached = self.reached;
        let Some(session) = self.sessions.get_mut(&number) else {
            return reply;
        };
        let reply = match session.ack {
            true => reply.with("ext", session.number(reached)),
            false => reply,
        };
        if session.leaving {
            return reply.with("advice", super::frame::none());
        }
        // AD-3, CN-8.
        if is_first || carries_advice(request) || session.changed {
            session.changed = false;
            return reply.with("advice", advice("retry", 0, TIMEOUT));
        }
        reply
    }
}

impl Session {
    /// AK-4: how far everything is settled.
    fn number(&self, reached: u64) -> Value {
        json!({"ack": (reached - self.start).max(self.presented)})
    }
}
