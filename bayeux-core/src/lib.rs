//! The Bayeux publish/subscribe protocol as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod channel;

pub use channel::{
    ChannelKind, ChannelName, ChannelNameError, ChannelPattern, ChannelTemplate, Characters,
    Grammar, MetaChannel, PatternParts, Wildcard,
};
