//! The Bayeux publish/subscribe protocol as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod channel;
mod message;

pub use channel::{
    ChannelKind, ChannelName, ChannelNameError, ChannelPattern, ChannelTemplate, Characters,
    Grammar, MetaChannel, PatternParts, Wildcard,
};
pub use message::{
    Advice, ClientAdvice, DecodeError, DecodeLimits, Event, Extensions, HandshakeFields, Id,
    Message, MessageId, Messages, Payload, ProtocolError, Reconnect, Reply, Subscription,
};
