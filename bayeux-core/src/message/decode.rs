//! From the bytes of a frame to messages.
//!
//! A frame is always decoded whole, so it does not matter where it was split on its way (FR-8).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    ClientAdvice, Extensions, Id, Message, MessageId, Messages, Payload, Subscription, members,
    scan,
};

/// How much a frame may ask of us (FR-6, DE-16).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeLimits {
    /// The most bytes.
    pub max_size: usize,
    /// The most levels of lists and objects, the outermost list included (DE-15).
    pub max_depth: usize,
    /// The most messages.
    pub max_messages: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_size: 1024 * 1024,
            max_depth: 128,
            max_messages: 1000,
        }
    }
}

/// Why a frame as a whole cannot be used (FR-3 to FR-6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not JSON, or not JSON that may be passed on (FR-3, DE-15).
    NotJson,
    /// JSON, but neither a message nor a list of messages (FR-3).
    NotMessages,
    /// `[]`, or nothing but white space (FR-4).
    Empty,
    /// Nested beyond [`DecodeLimits::max_depth`].
    TooDeep,
    /// Longer than [`DecodeLimits::max_size`].
    TooLarge,
    /// More than [`DecodeLimits::max_messages`].
    TooMany,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "not JSON",
            Self::NotMessages => "neither a message nor a list of messages",
            Self::Empty => "no messages",
            Self::TooDeep => "nested too deep",
            Self::TooLarge => "too large",
            Self::TooMany => "too many messages",
        })
    }
}

impl core::error::Error for DecodeError {}

impl Messages {
    /// Reads a frame: a list of messages, or one message (FR-1), behind a byte order mark or not (FR-7).
    ///
    /// ```
    /// # use bayeux_core::{DecodeLimits, Messages};
    /// let body = r#"[{"channel":"/chat/demo","clientId":"1a7k3n9v","data":{"n":1.50}}]"#;
    /// let messages = Messages::decode(body, &DecodeLimits::default())?;
    /// let data = messages.first().and_then(|message| message.data.as_ref());
    /// assert_eq!(data.map(|data| data.as_str()), Some(r#"{"n":1.50}"#));
    /// # Ok::<(), bayeux_core::DecodeError>(())
    /// ```
    pub fn decode(body: impl Into<Bytes>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let body: Bytes = body.into();
        if body.len() > limits.max_size {
            return Err(DecodeError::TooLarge);
        }
        let text = core::str::from_utf8(&body).map_err(|_| DecodeError::NotJson)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii();
        if text.is_empty() {
            return Err(DecodeError::Empty);
        }
        let depth = if text.starts_with('[') {
            0
        } else {
            scan::IN_LIST
        };
        scan::check(text, limits.max_depth, depth)?;
        let messages = read(text, &body, limits.max_messages)?;
        if messages.is_empty() {
            return Err(DecodeError::Empty);
        }
        Ok(Self(messages))
    }
}

fn read(text: &str, body: &Bytes, max_messages: usize) -> Result<Vec<Message>, DecodeError> {
    let too_many = Cell::new(false);
    let frame = Frame {
        body,
        max_messages,
        too_many: &too_many,
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    let messages = frame
        .deserialize(&mut parser)
        .and_then(|messages| parser.end().map(|()| messages));
    messages.map_err(|error| match error.classify() {
        serde_json::error::Category::Data if too_many.get() => DecodeError::TooMany,
        serde_json::error::Category::Data => DecodeError::NotMessages,
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => DecodeError::NotJson,
    })
}

/// A list of messages, or one.
struct Frame<'a> {
    body: &'a Bytes,
    max_messages: usize,
    too_many: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Frame<'_> {
    type Value = Vec<Message>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Message>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Frame<'_> {
    type Value = Vec<Message>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Message>, A::Error> {
        let mut messages = Vec::with_capacity(1);
        while messages.len() < self.max_messages {
            let Some(message) = list.next_element_seed(OneMessage { body: self.body })? else {
                return Ok(messages);
            };
            messages.push(message);
        }
        if list.next_element::<IgnoredAny>()?.is_some() {
            self.too_many.set(true);
            return Err(A::Error::custom("too many messages"));
        }
        Ok(messages)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Message>, A::Error> {
        let message = OneMessage { body: self.body }.visit_map(map)?;
        Ok(Vec::from([message]))
    }
}

struct OneMessage<'a> {
    body: &'a Bytes,
}

impl<'de> DeserializeSeed<'de> for OneMessage<'_> {
    type Value = Message;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Message, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneMessage<'_> {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut message = Message::default();
        while let Some(members::Name(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            message.set(&name, value.get(), self.body);
        }
        members::keep_last(&mut message.others);
        Ok(message)
    }
}

impl Message {
    /// Takes in one member; the last of several with one name counts (FR-7).
    fn set(&mut self, name: &str, value: &str, body: &Bytes) {
        let payload = || Payload::part_of(body, value);
        match Field::of(name) {
            Some(Field::Channel) => self.channel = string(value),
            Some(Field::Id) => self.id = id(value),
            Some(Field::Session) => self.session = session(value),
            Some(Field::Data) => self.data = Some(payload()),
            Some(Field::Ext) => self.ext = Extensions::from_payload(payload()),
            Some(Field::Advice) => self.advice = advice(value),
            Some(Field::Subscription) => self.subscription = subscription(value, body),
            Some(Field::ConnectionType) => self.connection_type = string(value),
            Some(Field::ConnectionTypes) => self.connection_types = connection_types(value),
            Some(Field::Timestamp) => self.timestamp = (value != "null").then(payload),
            Some(Field::Dropped) => {}
            None => self.others.push((name.into(), payload())),
        }
    }
}

/// The members that the protocol knows (section 3).
enum Field {
    Channel,
    Id,
    Session,
    Data,
    Ext,
    Advice,
    Subscription,
    ConnectionType,
    ConnectionTypes,
    Timestamp,
    /// Means nothing in a request, and is not for subscribers either (DE-13).
    Dropped,
}

impl Field {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "channel" => Self::Channel,
            "id" => Self::Id,
            "clientId" => Self::Session,
            "data" => Self::Data,
            "ext" => Self::Ext,
            "advice" => Self::Advice,
            "subscription" => Self::Subscription,
            "connectionType" => Self::ConnectionType,
            "supportedConnectionTypes" => Self::ConnectionTypes,
            "timestamp" => Self::Timestamp,
            "successful" | "error" | "lazy" | "x-messages" | "version" | "minimumVersion" => {
                Self::Dropped
            }
            _ => return None,
        })
    }
}

/// Whether the member `name` of a published message goes on to subscribers though nobody here knows it
/// (FI-6).
pub(super) fn passes_on(name: &str) -> bool {
    Field::of(name).is_none()
}

fn string(json: &str) -> Option<Box<str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(json)
            .ok()
            .map(String::into_boxed_str);
    }
    Some(inner.into())
}

fn id(json: &str) -> Id {
    match json.as_bytes().first() {
        Some(b'"' | b'-' | b'0'..=b'9') => Id::Given(MessageId(json.into())),
        Some(b'n') => Id::Absent,
        _ => Id::Invalid,
    }
}

fn session(json: &str) -> Option<Box<str>> {
    match json {
        "null" => None,
        _ => Some(string(json).unwrap_or_default()),
    }
}

fn advice(json: &str) -> Option<ClientAdvice> {
    let mut advice = ClientAdvice::default();
    let is_object = members::walk(json, |name, value| match &*name {
        "timeout" => advice.timeout = milliseconds(value),
        "interval" => advice.interval = milliseconds(value),
        _ => {}
    });
    is_object.then_some(advice)
}

/// A number that is not negative, without its fraction (AD-7).
fn milliseconds(json: &str) -> Option<u64> {
    if let Ok(number) = json.parse::<u64>() {
        return Some(number);
    }
    let number = json.parse::<f64>().ok().filter(|number| *number >= 0.0)?;
    Some(number as u64)
}

fn subscription(json: &str, body: &Bytes) -> Option<Subscription> {
    let names = match json.as_bytes().first() {
        Some(b'n') => return None,
        Some(b'"') => string(json).map(|name| Vec::from([name])),
        Some(b'[') => serde_json::from_str::<Vec<Box<str>>>(json).ok(),
        _ => None,
    };
    Some(Subscription {
        raw: Payload::part_of(body, json),
        names,
    })
}

fn connection_types(json: &str) -> Option<Vec<Box<str>>> {
    let list: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let types: Vec<_> = list
        .into_iter()
        .filter_map(|value| string(value.get()))
        .collect();
    (!types.is_empty()).then_some(types)
}
