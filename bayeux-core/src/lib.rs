//! The Bayeux publish/subscribe protocol as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod call;
mod carrier;
mod channel;
mod config;
mod connection;
mod decide;
mod decision;
mod engine;
pub mod http;
mod id;
mod io;
mod keyed;
mod log;
mod memory;
mod message;
mod meta;
mod report;
mod request;
mod serve;
mod session;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod tickets;
mod time;
mod timer;
mod timesync;
mod turn;

pub use call::{Call, CallResult, Phase, SessionView};
pub use channel::{
    ChannelKind, ChannelName, ChannelNameError, ChannelPattern, ChannelTemplate, Characters,
    Grammar, MetaChannel, PatternParts, Wildcard,
};
pub use config::{
    Activity, ActivityMode, BrowserBinding, Change, ChannelRule, Config, Limits, QueuePolicy,
    Shard, TransportOptions,
};
pub use decision::{
    Admission, Decider, DeciderId, Denial, Operations, Question, Role, Scope, Subject, Verdict,
};
pub use engine::{Engine, Load};
pub use id::{
    BrowserId, CallTicket, ConnectionId, DecisionTicket, ForwardTicket, Seed, SessionId,
    StoreTicket,
};
pub use io::{Batch, CloseReason, HttpVersion, Input, Output, Peer, PeerDetails, Transport};
pub use memory::{MemoryOptions, MemoryStore, NodeId};
pub use message::{
    Advice, ClientAdvice, DecodeError, DecodeLimits, Event, Extensions, HandshakeFields, Id,
    Message, MessageId, Messages, Payload, ProtocolError, Reconnect, Reply, Subscription,
};
pub use report::{Counters, Removal, Report, ReportKind, Reports};
pub use store::{
    Destination, Echo, Entry, Fence, Laziness, NewEntry, Notice, Position, SessionRecord,
    SessionSettings, StoreReply, StoreRequest, StoredSubscription,
};
pub use time::Instant;
