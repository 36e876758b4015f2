//! Clients: what they say, over what they talk over.
//!
//! Whatever a client sends has an identifier of its own.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::Script;
use crate::{ConnectionId, Peer, Transport};

/// A client's side of a session.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its `clientId`.
    pub session: String,
    /// What it talks over.
    pub transport: Transport,
    /// Its websocket, if it talks over one.
    pub socket: Option<ConnectionId>,
    /// What it says of itself with each request.
    pub peer: Peer,
}

impl Script {
    /// A client that has shaken hands over long-polling.
    pub fn handshaken(&mut self) -> Client {
        self.handshaken_over(Transport::LongPolling, Value::Null)
    }

    /// A client that has shaken hands, with these extensions.
    pub fn handshaken_over(&mut self, transport: Transport, ext: Value) -> Client {
        self.handshaken_as(Peer::default(), transport, ext)
    }

    /// The same for a known peer.
    pub fn handshaken_as(&mut self, peer: Peer, transport: Transport, ext: Value) -> Client {
        let connection = self.open_as(transport, peer.clone());
        let types = json!(["websocket", "long-polling", "callback-polling"]);
        let mut message = json!({
            "id": self.id(), "channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": types,
        });
        add(&mut message, "ext", ext);
        self.send(connection, message);
        let reply = self.take(connection);
        let session = reply.pointer("/0/clientId").and_then(Value::as_str);
        let session = session.unwrap_or_else(|| panic!("the handshake was refused: {reply}"));
        let socket = (!transport.is_exchange()).then_some(connection);
        Client {
            session: session.to_string(),
            transport,
            socket,
            peer,
        }
    }

    /// A long-polling client whose first connect was answered.
    pub fn connected(&mut self) -> Client {
        self.connected_over(Transport::LongPolling, Value::Null)
    }

    /// A client whose first connect was answered.
    pub fn connected_over(&mut self, transport: Transport, ext: Value) -> Client {
        let client = self.handshaken_over(transport, ext);
        self.first_connect(&client);
        client
    }

    /// The first connect of a client, and its answer.
    pub fn first_connect(&mut self, client: &Client) -> Value {
        let connection = self.connect_with(client, json!({}));
        self.take(connection)
    }

    /// Sends a connect; it may be held.
    pub fn connect(&mut self, client: &Client) -> ConnectionId {
        self.connect_with(client, json!({}))
    }

    /// Sends a connect with these members.
    pub fn connect_with(&mut self, client: &Client, members: Value) -> ConnectionId {
        let mut message = json!({
            "id": self.id(), "channel": "/meta/connect", "clientId": client.session,
            "connectionType": client.transport.name(),
        });
        merge(&mut message, members);
        self.request(client, message)
    }

    /// Sends a message, or a list of them, of a client, over what it talks over.
    pub fn request(&mut self, client: &Client, frame: Value) -> ConnectionId {
        let connection = match client.socket {
            Some(socket) => socket,
            None => self.open_as(client.transport, client.peer.clone()),
        };
        self.send(connection, frame);
        connection
    }

    /// A client subscribes, successfully.
    pub fn subscribe(&mut self, client: &Client, pattern: &str) -> &mut Self {
        let id = self.id();
        let message = json!({
            "id": id, "channel": "/meta/subscribe", "clientId": client.session,
            "subscription": pattern,
        });
        let connection = self.request(client, message);
        let reply = self.take(connection);
        let replies = reply.as_array().map(Vec::as_slice).unwrap_or_default();
        let successful = replies.iter().any(|reply| {
            reply.get("id") == Some(&json!(id)) && reply.get("successful") == Some(&json!(true))
        });
        assert!(
            successful,
            "the subscription to {pattern} was refused: {reply}"
        );
        self
    }

    /// A client publishes; the answer is to be taken from the connection.
    pub fn publish_as(&mut self, client: &Client, channel: &str, data: Value) -> ConnectionId {
        let id = self.id();
        let message =
            json!({"id": id, "channel": channel, "clientId": client.session, "data": data});
        self.request(client, message)
    }

    /// The next message identifier, a decimal string.
    pub fn id(&mut self) -> String {
        self.last_id += 1;
        self.last_id.to_string()
    }
}

fn add(message: &mut Value, name: &str, value: Value) {
    if let (Some(members), false) = (message.as_object_mut(), value.is_null()) {
        members.insert(name.to_string(), value);
    }
}

fn merge(message: &mut Value, members: Value) {
    if let Value::Object(members) = members {
        for (name, value) in members {
            add(message, &name, value);
        }
    }
}
