//! What goes out: events, encoded once for all who get them, and replies.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use bytes::Bytes;

use super::{Extensions, Id, Message, MessageId, Payload, ProtocolError, decode};
use crate::channel::ChannelName;

/// A message on its way to clients, encoded; cloning it is cheap.
///
/// It carries `data`, and neither the publisher's session nor, but for [`Event::answer`], an id (FI-4, FI-5).
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    framed: Bytes,
}

impl Event {
    /// `message` as published on `channel` (FI-4 to FI-6, PB-3): its data, its `ext` without the members named
    /// in `strip_ext`, its timestamp or `timestamp` in its place, and what the protocol does not know.
    pub fn publish(
        channel: &ChannelName,
        message: &Message,
        strip_ext: &[Box<str>],
        timestamp: Option<&str>,
    ) -> Self {
        let ext = message.ext.as_ref().and_then(|ext| strip(ext, strip_ext));
        let mut object = Object::framed();
        object.string("channel", channel.as_str());
        object.raw(
            "data",
            message.data.as_ref().map_or("null", Payload::as_str),
        );
        if let Some(ext) = &ext {
            object.raw("ext", ext.as_payload().as_str());
        }
        match (timestamp, &message.timestamp) {
            (Some(timestamp), _) => object.string("timestamp", timestamp),
            (None, Some(timestamp)) => object.raw("timestamp", timestamp.as_str()),
            (None, None) => {}
        }
        for (name, value) in message
            .others
            .iter()
            .filter(|(name, _)| decode::passes_on(name))
        {
            object.raw(name, value.as_str());
        }
        object.into_event()
    }

    /// Plain data from the server on `channel` (SV-3).
    pub fn deliver(channel: &ChannelName, data: &Payload) -> Self {
        let mut object = Object::framed();
        object.string("channel", channel.as_str());
        object.raw("data", data.as_str());
        object.into_event()
    }

    /// The result of a remote call: the one event with an id (SV-4).
    pub fn answer(channel: &str, id: &MessageId, successful: bool, data: &Payload) -> Self {
        let mut object = Object::framed();
        object.raw("id", id.as_json());
        object.string("channel", channel);
        object.boolean("successful", successful);
        object.raw("data", data.as_str());
        object.into_event()
    }

    /// What tells a client that the server has ended its session (DC-5).
    pub fn disconnect() -> Self {
        Self {
            framed: Bytes::from_static(br#"[{"channel":"/meta/disconnect","successful":true}]"#),
        }
    }

    /// An event encoded elsewhere; `object` is one JSON object.
    pub fn from_object(object: impl AsRef<[u8]>) -> Self {
        let object = object.as_ref();
        let mut framed = Vec::with_capacity(object.len() + 2);
        framed.push(b'[');
        framed.extend_from_slice(object);
        framed.push(b']');
        Self {
            framed: framed.into(),
        }
    }

    /// A frame with this event alone: `[{…}]`.
    pub fn framed(&self) -> &Bytes {
        &self.framed
    }

    /// The event to be put among others: `{…}`.
    pub fn object(&self) -> &[u8] {
        self.framed
            .get(1..self.framed.len().saturating_sub(1))
            .unwrap_or_default()
    }

    /// How many bytes the object is.
    pub fn size(&self) -> usize {
        self.object().len()
    }
}

/// `ext` without `names`; `None` if nothing is left.
fn strip<'a>(ext: &'a Extensions, names: &[Box<str>]) -> Option<Cow<'a, Extensions>> {
    if names.is_empty() {
        return Some(Cow::Borrowed(ext));
    }
    ext.without(names).map(Cow::Owned)
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(self.object()).unwrap_or_default())
    }
}

/// What a client is to do after this reply (AD-1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reconnect {
    /// Connect again.
    Retry,
    /// Begin with a new handshake.
    Handshake,
    /// Stop for good.
    None,
}

impl Reconnect {
    fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Handshake => "handshake",
            Self::None => "none",
        }
    }
}

/// `advice` of a reply, in milliseconds (AD-1).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Advice {
    /// `reconnect`
    pub reconnect: Option<Reconnect>,
    /// `interval`: how long to wait before the next connect.
    pub interval: Option<u64>,
    /// `timeout`: how long the server may hold it.
    pub timeout: Option<u64>,
    /// `maxInterval`: how long a session lives without one (HS-15).
    pub max_interval: Option<u64>,
    /// `multiple-clients`: the browser has more sessions than may be held (BR-8).
    pub multiple_clients: Option<bool>,
}

impl Advice {
    /// Appends the JSON object to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_json().as_bytes());
    }

    fn to_json(&self) -> String {
        let mut object = Object::new(String::new());
        if let Some(multiple) = self.multiple_clients {
            object.boolean("multiple-clients", multiple);
        }
        if let Some(reconnect) = self.reconnect {
            object.string("reconnect", reconnect.as_str());
        }
        let numbers = [
            ("interval", self.interval),
            ("timeout", self.timeout),
            ("maxInterval", self.max_interval),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                object.number(name, number);
            }
        }
        object.into_json()
    }
}

/// The answer to one message. It never has data, by which clients tell it from an event (FI-4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// `channel`, as sent (DE-12).
    pub channel: Option<Box<str>>,
    /// `id`, as sent.
    pub id: Option<MessageId>,
    /// `successful`, and `error` if it is not (ER-5).
    pub outcome: Result<(), ProtocolError>,
    /// `clientId`: in the reply to a handshake, elsewhere by the option `echoClientId` (FI-3).
    pub session: Option<Box<str>>,
    /// `subscription`, as sent (SU-2).
    pub subscription: Option<Payload>,
    /// What only the reply to a handshake has.
    pub handshake: Option<Box<HandshakeFields>>,
    /// `ext`
    pub ext: Option<Extensions>,
    /// `advice`
    pub advice: Option<Advice>,
    /// `timestamp` (EX-2)
    pub timestamp: Option<Box<str>>,
}

/// What only the reply to a handshake has; version 1.0 goes without saying (HS-4).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HandshakeFields {
    /// `supportedConnectionTypes`, in the server's order of preference (HS-5).
    pub supported: Vec<&'static str>,
    /// `x-messages`: how many events follow in the same response; absent if 0 (HS-14).
    pub messages: u32,
}

impl Reply {
    /// That `message` succeeded.
    pub fn to(message: &Message) -> Self {
        let id = match &message.id {
            Id::Given(id) => Some(id.clone()),
            Id::Absent | Id::Invalid => None,
        };
        Self {
            channel: message.channel.clone(),
            id,
            outcome: Ok(()),
            session: None,
            subscription: message
                .subscription
                .as_ref()
                .map(|subscription| subscription.raw.clone()),
            handshake: None,
            ext: None,
            advice: None,
            timestamp: None,
        }
    }

    /// Appends the JSON object to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(String::new());
        self.encode_outcome(&mut object);
        if let Some(handshake) = &self.handshake {
            handshake.encode(&mut object);
        }
        if let Some(subscription) = &self.subscription {
            object.raw("subscription", subscription.as_str());
        }
        if let Err(error) = &self.outcome {
            object.display("error", error);
        }
        if let Some(advice) = &self.advice {
            object.raw("advice", &advice.to_json());
        }
        if let Some(ext) = &self.ext {
            object.raw("ext", ext.as_payload().as_str());
        }
        if let Some(timestamp) = &self.timestamp {
            object.string("timestamp", timestamp);
        }
        out.extend_from_slice(object.into_json().as_bytes());
    }

    fn encode_outcome(&self, object: &mut Object) {
        if let Some(id) = &self.id {
            object.raw("id", id.as_json());
        }
        if let Some(channel) = &self.channel {
            object.string("channel", channel);
        }
        object.boolean("successful", self.outcome.is_ok());
        if let Some(session) = &self.session {
            object.string("clientId", session);
        }
    }
}

impl HandshakeFields {
    fn encode(&self, object: &mut Object) {
        object.string("version", "1.0");
        object.string("minimumVersion", "1.0");
        let mut types = String::from("[");
        for (position, name) in self.supported.iter().enumerate() {
            if position > 0 {
                types.push(',');
            }
            push_string(&mut types, name);
        }
        types.push(']');
        object.raw("supportedConnectionTypes", &types);
        if self.messages > 0 {
            object.number("x-messages", u64::from(self.messages));
        }
    }
}

/// A JSON object being written.
struct Object {
    json: String,
    empty: bool,
}

impl Object {
    fn new(mut json: String) -> Self {
        json.push('{');
        Self { json, empty: true }
    }

    fn framed() -> Self {
        Self::new(String::from("["))
    }

    fn name(&mut self, name: &str) {
        if !self.empty {
            self.json.push(',');
        }
        self.empty = false;
        push_string(&mut self.json, name);
        self.json.push(':');
    }

    fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.json.push_str(json);
    }

    fn string(&mut self, name: &str, text: &str) {
        self.name(name);
        push_string(&mut self.json, text);
    }

    fn display(&mut self, name: &str, value: impl fmt::Display) {
        self.string(name, &alloc::format!("{value}"));
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        let _ = write!(self.json, "{value}");
    }

    fn into_json(mut self) -> String {
        self.json.push('}');
        self.json
    }

    fn into_event(self) -> Event {
        let mut framed = self.into_json();
        framed.push(']');
        Event {
            framed: framed.into(),
        }
    }
}

/// A JSON object of members that are JSON text already.
pub(super) fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut object = Object::new(String::new());
    for (name, value) in members {
        object.raw(name, value);
    }
    object.into_json()
}

/// Appends `text` as a JSON string.
pub(super) fn push_string(json: &mut String, text: &str) {
    json.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|character| matches!(character, '"' | '\\' | '\0'..='\u{1f}')) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        json.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => json.push_str("\\\""),
            Some('\\') => json.push_str("\\\\"),
            Some('\n') => json.push_str("\\n"),
            Some('\r') => json.push_str("\\r"),
            Some('\t') => json.push_str("\\t"),
            Some(control) => drop(write!(json, "\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = characters.as_str();
    }
    json.push_str(rest);
    json.push('"');
}
