//! The handshake (section 8).

use serde_json::{Value, json};

use super::Model;
use super::frame::{Frame, UNAVAILABLE, none};
use super::reply::{Reply, advice};
use super::session::{Carrier, Session, TIMEOUT};
use crate::history::cast::Transport;

/// What this server offers, the preferred one first (HS-5).
const TYPES: [&str; 3] = ["websocket", "long-polling", "callback-polling"];

impl Model {
    pub(super) fn handshake(&mut self, frame: &mut Frame, message: &Value, reply: Reply) -> Reply {
        let asked = message
            .get("supportedConnectionTypes")
            .and_then(Value::as_array);
        let asked: Vec<_> = asked
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        // HS-6.
        let known = |name: &&str| TYPES.contains(name) || *name == "cross-origin-long-polling";
        if !asked.is_empty() && !asked.iter().any(known) {
            let error = format!("301:{}:connection_types_unsupported", asked.join(","));
            return reply.failure(&error).with("advice", none());
        }
        // HS-9.
        if message.pointer("/ext/denied").is_some() {
            return reply
                .failure("403::handshake_denied")
                .with("advice", none());
        }
        if !self.store_works {
            return reply
                .failure(UNAVAILABLE)
                .with("advice", advice("handshake", 0, TIMEOUT));
        }
        let mut types = TYPES.to_vec();
        if asked.contains(&"cross-origin-long-polling") {
            types.push("cross-origin-long-polling");
        }
        let session = self.handshakes;
        self.handshakes += 1;
        let ack = self.rules.ack && message.pointer("/ext/ack") == Some(&json!(true));
        let created = Session {
            ack,
            start: self.end,
            transport: Some(frame.transport),
            ..Session::default()
        };
        self.sessions.insert(session, created);
        frame.created = Some(session);
        if frame.transport == Transport::Socket {
            self.bind(frame.connection, session);
        }
        let name = crate::history::cast::name(Some(session));
        let reply = reply
            .success()
            .with("clientId", name.into())
            .with("version", json!("1.0"))
            .with("minimumVersion", json!("1.0"))
            .with("supportedConnectionTypes", json!(types))
            .with("advice", advice("retry", 0, TIMEOUT));
        if ack {
            return reply.with("ext", json!({"ack": true}));
        }
        reply
    }

    /// WS-5: a later handshake on a socket replaces the binding; the older session just expires.
    fn bind(&mut self, connection: u32, session: u32) {
        let Some(open) = self.connections.get_mut(&connection) else {
            return;
        };
        open.closes = None;
        let before = open.session.replace(session);
        let Some(number) = before else {
            return;
        };
        let Some(older) = self.session(number) else {
            return;
        };
        let held = older
            .hold
            .as_ref()
            .is_some_and(|hold| hold.connection == connection);
        if older.carrier == Carrier::Socket(connection) {
            older.carrier = Carrier::None;
        }
        if held {
            older.drop_hold();
        }
        if held {
            self.start_clock(number);
        }
    }
}
