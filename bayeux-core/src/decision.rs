//! Questions that the application answers: policy, authorizers, extensions and handlers.
//!
//! All of them are *deciders*: the engine asks with a ticket and goes on with others until the
//! verdict comes. What nobody registered for is never asked and costs nothing.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::channel::{ChannelName, ChannelPattern, ChannelTemplate};
use crate::id::SessionId;
use crate::io::Peer;
use crate::message::{Advice, Event, Extensions, Message, Payload, ProtocolError};
use crate::store::SessionSettings;

/// A decider's name, chosen by the application.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeciderId(pub u32);

/// Somebody who wants to be asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Decider {
    /// Its name; one decider may be registered in several roles under several names.
    pub id: DeciderId,
    /// When it is asked.
    pub role: Role,
}

/// When a decider is asked.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Role {
    /// The security policy for these operations: asked before the authorizers, can only deny
    /// (PL-7, PL-8).
    Policy(Operations),
    /// An authorizer for these operations on channels that the pattern matches (PL-8). A deny
    /// denies; without any grant the operation is denied.
    Authorizer {
        /// On which channels.
        pattern: ChannelPattern,
        /// For what.
        operations: Operations,
    },
    /// An extension that sees every message that comes in, in order of registration (PL-1).
    Incoming,
    /// An extension that sees every reply, and every published event once, in reverse order of
    /// registration (PL-1, PL-10).
    Outgoing,
    /// A handler of messages published to channels that match: listener of a broadcast channel
    /// or the other end of a service channel (SV-1). Asked from the widest pattern inward (PL-10).
    Handler(Scope),
    /// An extension that sees every event on its way to those sessions whose admission named it.
    SessionOutgoing,
}

/// The channels that a handler stands behind.
#[derive(Clone, PartialEq, Debug)]
pub enum Scope {
    /// Those the pattern matches. Unlike a subscription, `/service/**` reaches service channels.
    Pattern(ChannelPattern),
    /// Those of this form; the question carries the parameters (CH-10).
    Template(ChannelTemplate),
}

/// A set of operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Operations {
    /// Handshakes. Authorizers are not asked for these.
    pub handshake: bool,
    /// The coming into being of a channel.
    pub create: bool,
    /// Subscriptions.
    pub subscribe: bool,
    /// Publishes, to service channels too.
    pub publish: bool,
}

impl Operations {
    /// Every operation.
    pub const ALL: Self = Self {
        handshake: true,
        create: true,
        subscribe: true,
        publish: true,
    };
}

/// A question to one decider.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who is asked.
    pub decider: DeciderId,
    /// The session it is about; `None` for a handshake and for a connectionless publish.
    pub session: Option<SessionId>,
    /// Who is behind that session, by the word of whoever admitted it (HS-18).
    pub identity: Option<Identity>,
    /// Where the message came from.
    pub peer: Peer,
    /// What is asked.
    pub subject: Subject,
}

/// What a question is about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Subject {
    /// May this handshake succeed?
    Handshake(Box<Message>),
    /// May this channel come into being, for the operation in `message`?
    Create(ChannelPattern, Box<Message>),
    /// May the session subscribe to this?
    Subscribe(ChannelPattern, Box<Message>),
    /// May the session publish this message to this channel?
    Publish(ChannelName, Box<Message>),
    /// A message has come in: leave, replace or drop it.
    Incoming(Box<Message>),
    /// A message was published: handle it.
    Handle {
        /// To which channel.
        channel: ChannelName,
        /// What the template's parameters stand for.
        parameters: Vec<(Box<str>, Box<str>)>,
        /// The message.
        message: Box<Message>,
    },
    /// A reply is about to leave: leave it, add `ext`, or drop it (PL-5).
    Reply {
        /// The message it answers.
        message: Box<Message>,
        /// Whether it was successful.
        successful: bool,
    },
    /// An event is about to leave: for all subscribers (`Outgoing`), or for this session
    /// (`SessionOutgoing`).
    Event(Event),
}

/// Who is behind a session: what a decider wants to be reminded of in later questions (HS-18).
///
/// The engine keeps it with the session, wherever that goes, and does not look into it.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(Payload);

impl Identity {
    /// An identity in words of the application's own.
    #[must_use]
    pub const fn new(words: Payload) -> Self {
        Self(words)
    }

    /// The words.
    #[must_use]
    pub const fn words(&self) -> &Payload {
        &self.0
    }
}

impl fmt::Debug for Identity {
    /// The size alone: it tells of a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} bytes)", self.0.size())
    }
}

/// A decider's answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Yes; carry on; an authorizer's grant.
    Allow,
    /// Neither yes nor no: what an authorizer says that does not care. Elsewhere as `Allow`.
    Abstain,
    /// No, in these words.
    Deny(Box<Denial>),
    /// Drop it: an incoming message is refused with `404::message_deleted` (PL-4), a reply is not
    /// sent, an event does not leave (PL-5).
    Drop,
    /// Carry on with this message in its place.
    Replace(Box<Message>),
    /// Let this event leave in its place.
    ReplaceEvent(Event),
    /// Let the reply leave with these extensions added.
    Extend(Extensions),
    /// A handshake may succeed, on these terms.
    Admit(Box<Admission>),
    /// The message is handled, and this is the result of the call it made (SV-4).
    Answer {
        /// Whether the call succeeded.
        successful: bool,
        /// Its result, or the error.
        data: Payload,
    },
}

/// How an operation is refused.
#[derive(Clone, Debug, Default)]
pub struct Denial {
    /// The `<reason>` of `403:<reason>:…_denied` (PL-7); `denied_by_security_policy` or
    /// `denied_by_not_granting` if none is given.
    pub reason: Option<Box<str>>,
    /// The whole error, in place of the one that the operation would give.
    pub error: Option<ProtocolError>,
    /// Advice on the reply; a refused handshake has `{"reconnect":"none"}` without (HS-9).
    pub advice: Option<Advice>,
    /// Extensions on the reply.
    pub ext: Option<Extensions>,
}

/// The terms on which a handshake succeeds.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// What holds for this session alone. `acknowledged` is the client's to ask for: it is
    /// ignored here. Of several admissions the last one counts, but for `identity`, where the last
    /// one that names somebody does, and `until`, where the earliest does.
    pub settings: SessionSettings,
    /// Extensions on the reply.
    pub ext: Option<Extensions>,
    /// Events for the session from the start: with the handshake reply under HS-14, otherwise
    /// with the first response that may carry them (HS-12).
    pub welcome: Vec<(ChannelName, Payload)>,
}
