//! The messages of a client, to be changed at will before they are sent.

use serde_json::{Value, json};

use super::Client;

impl Client<'_> {
    /// A message with an id of its own and, if there is a session, its `clientId`.
    pub fn message(&mut self, channel: &str) -> Value {
        self.last_id += 1;
        let mut message = json!({"channel": channel, "id": self.last_id.to_string()});
        if !self.session.is_empty() {
            message["clientId"] = json!(self.session);
        }
        message
    }

    /// A handshake.
    pub fn handshake_message(&mut self) -> Value {
        let mut message = self.message("/meta/handshake");
        message["version"] = json!("1.0");
        message["supportedConnectionTypes"] =
            json!(["websocket", "long-polling", "callback-polling"]);
        message
    }

    /// A connect without advice.
    pub fn connect_message(&mut self) -> Value {
        let mut message = self.message("/meta/connect");
        message["connectionType"] = json!(self.transport.name());
        message
    }

    /// A subscription.
    pub fn subscribe_message(&mut self, subscription: impl Into<Value>) -> Value {
        let mut message = self.message("/meta/subscribe");
        message["subscription"] = subscription.into();
        message
    }

    /// The end of a subscription.
    pub fn unsubscribe_message(&mut self, subscription: impl Into<Value>) -> Value {
        let mut message = self.message("/meta/unsubscribe");
        message["subscription"] = subscription.into();
        message
    }

    /// A publish.
    pub fn publish_message(&mut self, channel: &str, data: impl Into<Value>) -> Value {
        let mut message = self.message(channel);
        message["data"] = data.into();
        message
    }
}
