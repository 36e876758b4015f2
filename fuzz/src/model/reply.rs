//! Replies and their errors (sections 3, 6 and 7).

use serde_json::{Map, Value, json};

use super::Model;
use super::session::TIMEOUT;

/// A reply that is being made.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Reply {
    pub(super) members: Map<String, Value>,
    /// It says that there is no such session, so nobody's events go with it (RC-4).
    pub(super) is_unknown: bool,
}

impl Reply {
    /// The reply to a message: its channel as it was sent, its id if it has a good one (FI-2, FI-8), what it
    /// is about (SU-2).
    pub(super) fn to(message: &Value) -> Self {
        let mut members = Map::new();
        if let Some(channel) = message.get("channel") {
            members.insert("channel".to_owned(), channel.clone());
        }
        if let Some(id) = message
            .get("id")
            .filter(|id| id.is_string() || id.is_number())
        {
            members.insert("id".to_owned(), id.clone());
        }
        let about = message.get("channel").and_then(Value::as_str);
        if matches!(about, Some("/meta/subscribe" | "/meta/unsubscribe"))
            && let Some(subscription) = message.get("subscription")
        {
            members.insert("subscription".to_owned(), subscription.clone());
        }
        Self {
            members,
            is_unknown: false,
        }
    }

    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    pub(super) fn success(self) -> Self {
        self.with("successful", json!(true))
    }

    /// ER-5.
    pub(super) fn failure(self, error: &str) -> Self {
        self.with("successful", json!(false))
            .with("error", json!(error))
    }

    /// PL-3.
    pub(super) fn unknown(mut self) -> Self {
        self.is_unknown = true;
        let is_connect = self.members.get("channel") == Some(&json!("/meta/connect"));
        let reply = self.failure("402::session_unknown");
        if is_connect {
            return reply.with("advice", advice("handshake", 0, TIMEOUT));
        }
        reply
    }
}

/// Complete advice (AD-2).
pub(super) fn advice(reconnect: &str, interval: u64, timeout: u64) -> Value {
    json!({"reconnect": reconnect, "interval": interval, "timeout": timeout})
}

impl Model {
    /// The reply to a message; with the option, it names the session as the message does (FI-3).
    pub(super) fn reply(&self, message: &Value) -> Reply {
        let reply = Reply::to(message);
        match message
            .get("clientId")
            .filter(|_| self.rules.echo_client_id)
        {
            Some(session) => reply.with("clientId", session.clone()),
            None => reply,
        }
    }
}
