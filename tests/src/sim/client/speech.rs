//! What clients say.

use bayeux_core::{SessionId, Transport};
use serde_json::{Value, json};

use super::super::link::{Frame, Link};
use super::super::world::World;
use super::{Alarm, CHANNELS, CONNECT_PATIENCE, Client, PATIENCE, Pending, What};

impl World {
    pub(super) fn shake_hands(&mut self, number: usize) {
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

    pub(super) fn connect(&mut self, number: usize) {
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
        self.judge.presents(&session.id, self.now);
        self.say(number, vec![(What::Connect, message)]);
    }

    pub(super) fn subscribe(&mut self, number: usize, pattern: &'static str) {
        if let Some(session) = self.clients.get(number).and_then(Client::session_id) {
            self.judge.subscribes(session, pattern, self.now);
        }
        let message = json!({"channel": "/meta/subscribe", "subscription": pattern});
        self.say(number, vec![(What::Subscribe(pattern), message)]);
    }

    pub(super) fn unsubscribe(&mut self, number: usize, pattern: &'static str) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        client.wants.remove(pattern);
        let Some(session) = &mut client.session else {
            return;
        };
        session.subscribed.remove(pattern);
        session.doubtful.insert(pattern);
        session.unsubscribed = Some(self.now);
        self.judge.unsubscribes(&session.id, pattern);
        let message = json!({"channel": "/meta/unsubscribe", "subscription": pattern});
        self.say(number, vec![(What::Unsubscribe(pattern), message)]);
    }

    pub(super) fn publish(&mut self, number: usize) {
        let mut messages = Vec::new();
        let several = self.dice.permille(300);
        for _ in 0..=self.dice.below(if several { 5 } else { 1 }) {
            let what = self.new_number();
            let channel = self.dice.pick(&CHANNELS).unwrap_or("/all/a");
            let message = json!({"channel": channel, "data": {"n": what}});
            messages.push((What::Publish(what), message));
        }
        self.say(number, messages);
    }

    /// Sends messages in one frame, over what it talks over.
    pub(super) fn say(&mut self, number: usize, messages: Vec<(What, Value)>) {
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let aside = client.mixes
            && messages
                .iter()
                .all(|(what, _)| matches!(what, What::Publish(_)));
        let (transport, socket) = if aside {
            (Transport::WebSocket, client.aside)
        } else {
            (client.transport, client.socket)
        };
        let usable = socket.filter(|link| self.links.get(link).is_some_and(Link::is_open));
        let link = usable.unwrap_or_else(|| self.open(number, transport));
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if aside {
            client.aside = Some(link);
        } else if !transport.is_exchange() {
            client.socket = Some(link);
        }
        let session = client.session_id().map(str::to_owned);
        let mut patience = PATIENCE;
        let mut frame = Vec::new();
        let mut first = None;
        for (what, mut message) in messages {
            let id = client.new_id();
            first = first.or(Some(id));
            put(&mut message, "id", json!(id.to_string()));
            if let Some(session) = session.as_ref().filter(|_| what != What::Handshake) {
                put(&mut message, "clientId", json!(session));
            }
            if what == What::Connect {
                patience = CONNECT_PATIENCE;
            }
            client.pending.insert(id, Pending { what, link });
            frame.push(message);
        }
        let bytes = Value::Array(frame).to_string().into_bytes();
        let session = session.as_deref().and_then(SessionId::parse);
        self.send_up(link, Frame::from(bytes), session);
        if let Some(id) = first {
            self.alarm(number, patience, Alarm::Overdue(id));
        }
    }
}

fn put(message: &mut Value, name: &str, value: Value) {
    if let Some(members) = message.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
