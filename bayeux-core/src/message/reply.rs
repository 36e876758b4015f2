//! What the server answers to one message.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::encode::Object;
use super::{Extensions, Id, Message, MessageId, Payload, ProtocolError};

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
        let mut object = Object::begin(out);
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
        object.end();
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
        let mut object = Object::begin(out);
        self.encode_outcome(&mut object);
        if let Some(handshake) = &self.handshake {
            handshake.encode(&mut object);
        }
        if let Some(subscription) = &self.subscription {
            object.raw("subscription", subscription.as_bytes());
        }
        if let Err(error) = &self.outcome {
            object.string("error", &error.to_string());
        }
        if let Some(advice) = &self.advice {
            advice.encode(object.name("advice"));
        }
        if let Some(ext) = &self.ext {
            object.raw("ext", ext.as_payload().as_bytes());
        }
        if let Some(timestamp) = &self.timestamp {
            object.string("timestamp", timestamp);
        }
        object.end();
    }

    fn encode_outcome(&self, object: &mut Object<'_>) {
        if let Some(id) = &self.id {
            object.raw("id", id.as_json().as_bytes());
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
    fn encode(&self, object: &mut Object<'_>) {
        object.string("version", "1.0");
        object.string("minimumVersion", "1.0");
        object.strings("supportedConnectionTypes", &self.supported);
        if self.messages > 0 {
            object.number("x-messages", u64::from(self.messages));
        }
    }
}
