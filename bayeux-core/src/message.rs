//! Messages: what came in, decoded; what goes out, encoded.
//!
//! Values that the protocol does not look into (`data`, members of `ext`) are kept as the text they came
//! as, checked once and never parsed again, so that numbers survive unchanged (FR-5).

mod decode;
mod encode;
mod error;
mod event;
mod extensions;
mod id;
mod members;
mod payload;
mod reply;
mod scan;

pub use self::decode::{DecodeError, DecodeLimits};
pub use self::error::ProtocolError;
pub use self::event::Event;
pub use self::extensions::Extensions;
pub use self::id::MessageId;
pub use self::payload::Payload;
pub use self::reply::{Advice, HandshakeFields, Reconnect, Reply};

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::channel::MetaChannel;

/// One message from a client, as far as it could be understood (FI-1 to FI-8).
///
/// A member of the wrong type counts as absent (FI-7) or as present but wrong, whichever the reply depends on;
/// it never fails the messages around it.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Message {
    /// `channel` as sent; `None` if it is missing, null or no string (FI-1).
    pub channel: Option<Box<str>>,
    /// `id`.
    pub id: Id,
    /// `clientId`; the empty text, which no session has, if it is no string (FI-3).
    pub session: Option<Box<str>>,
    /// `data`; null is data too (FI-4).
    pub data: Option<Payload>,
    /// `ext`.
    pub ext: Option<Extensions>,
    /// `advice`.
    pub advice: Option<ClientAdvice>,
    /// `subscription`; null counts as absent.
    pub subscription: Option<Subscription>,
    /// `connectionType`.
    pub connection_type: Option<Box<str>>,
    /// The strings in `supportedConnectionTypes`; `None` if there are none (HS-6, DE-14).
    pub connection_types: Option<Vec<Box<str>>>,
    /// `timestamp`.
    pub timestamp: Option<Payload>,
    /// The members that the protocol does not know, in order; subscribers get them too (FI-6, DE-13).
    pub others: Vec<(Box<str>, Payload)>,
}

impl Message {
    /// The operation that the channel asks for, if it is one (DE-12).
    pub fn operation(&self) -> Option<MetaChannel> {
        MetaChannel::of(self.channel.as_deref()?)
    }
}

impl fmt::Debug for Message {
    /// Without the secrets: 4 characters of the session, and of `ext` the size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("channel", &self.channel)
            .field("id", &self.id)
            .field("session", &self.session.as_deref().map(Shortened))
            .field("data", &self.data)
            .field("ext", &self.ext)
            .field("advice", &self.advice)
            .field("subscription", &self.subscription)
            .field("connection_type", &self.connection_type)
            .field("connection_types", &self.connection_types)
            .field("timestamp", &self.timestamp)
            .field("others", &self.others)
            .finish()
    }
}

/// A secret of which 4 characters may be seen.
struct Shortened<'a>(&'a str);

impl fmt::Debug for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .take(4)
            .try_for_each(|character| f.write_char(character))?;
        f.write_char('…')
    }
}

/// The messages of one frame, in order: a request body, a websocket text, a form value.
#[derive(Clone, Debug, Default)]
pub struct Messages(Vec<Message>);

impl Messages {
    /// Adds those of another value of the same request (DE-20).
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one that decides whose frame this is (HT-9).
    pub fn first(&self) -> Option<&Message> {
        self.0.first()
    }

    /// In order.
    pub fn iter(&self) -> core::slice::Iter<'_, Message> {
        self.0.iter()
    }

    /// Whether the first message is a handshake.
    pub fn is_handshake(&self) -> bool {
        self.first().and_then(Message::operation) == Some(MetaChannel::Handshake)
    }

    /// The session that the frame speaks for: that of the first message, none if that is a handshake (HT-9,
    /// HS-1).
    pub fn session(&self) -> Option<&str> {
        if self.is_handshake() {
            return None;
        }
        self.first()?.session.as_deref()
    }
}

impl From<Vec<Message>> for Messages {
    fn from(messages: Vec<Message>) -> Self {
        Self(messages)
    }
}

impl IntoIterator for Messages {
    type Item = Message;
    type IntoIter = alloc::vec::IntoIter<Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Messages {
    type Item = &'a Message;
    type IntoIter = core::slice::Iter<'a, Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// `id` of a message (FI-2, DE-13).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Id {
    /// None, or null.
    #[default]
    Absent,
    /// One to be echoed.
    Given(MessageId),
    /// A boolean, an object or a list: `405::message_id_invalid`.
    Invalid,
}

/// `advice` of a client's connect or handshake, in milliseconds; what is negative or no number is absent
/// (AD-7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClientAdvice {
    /// How long a connect may be held.
    pub timeout: Option<u64>,
    /// How long the client will wait before its next connect.
    pub interval: Option<u64>,
}

/// `subscription` of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscription {
    /// As sent, for the reply (SU-2).
    pub raw: Payload,
    /// The names in it, one for a string; `None` if it is or has anything but strings (SU-1).
    pub names: Option<Vec<Box<str>>>,
}
