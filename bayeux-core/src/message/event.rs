//! What clients get: encoded once, shared by all who get it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::encode::Object;
use super::{Extensions, Message, MessageId, Payload, decode};
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
        let data = message
            .data
            .as_ref()
            .map_or(&b"null"[..], Payload::as_bytes);
        let others = || {
            message
                .others
                .iter()
                .filter(|(name, _)| decode::passes_on(name))
        };
        let room = 96
            + channel.as_str().len()
            + data.len()
            + ext.as_ref().map_or(0, |ext| ext.as_payload().size())
            + others()
                .map(|(name, value)| name.len() + value.size() + 4)
                .sum::<usize>();
        Self::framed_object(room, |object| {
            object.string("channel", channel.as_str());
            object.raw("data", data);
            if let Some(ext) = &ext {
                object.raw("ext", ext.as_payload().as_bytes());
            }
            match (timestamp, &message.timestamp) {
                (Some(timestamp), _) => object.string("timestamp", timestamp),
                (None, Some(timestamp)) => object.raw("timestamp", timestamp.as_bytes()),
                (None, None) => {}
            }
            for (name, value) in others() {
                object.raw(name, value.as_bytes());
            }
        })
    }

    /// Plain data from the server on `channel` (SV-3).
    pub fn deliver(channel: &ChannelName, data: &Payload) -> Self {
        Self::framed_object(32 + channel.as_str().len() + data.size(), |object| {
            object.string("channel", channel.as_str());
            object.raw("data", data.as_bytes());
        })
    }

    /// The result of a remote call: the one event with an id (SV-4).
    pub fn answer(channel: &str, id: &MessageId, successful: bool, data: &Payload) -> Self {
        Self::framed_object(
            64 + channel.len() + id.as_json().len() + data.size(),
            |object| {
                object.raw("id", id.as_json().as_bytes());
                object.string("channel", channel);
                object.boolean("successful", successful);
                object.raw("data", data.as_bytes());
            },
        )
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

    /// The object that `write` fills, in about `room` bytes.
    fn framed_object(room: usize, write: impl FnOnce(&mut Object<'_>)) -> Self {
        let mut framed = Vec::with_capacity(room);
        framed.push(b'[');
        let mut object = Object::begin(&mut framed);
        write(&mut object);
        object.end();
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
