//! A server for the Bayeux publish/subscribe protocol, which CometD and Faye clients speak, as a pure
//! state machine.
//!
//! An [`Engine`] holds the sessions, channels and subscriptions, and decides what is answered and
//! delivered to whom, and when. It has no socket, clock, thread, lock or randomness of its own.
//! Whoever embeds it, called the *driver* here, has these: any HTTP library, any runtime or none.
//!
//! # Facts and orders
//!
//! The driver tells the engine what has happened: an [`Input`] is a fact, in the past tense, such as
//! [`Received`](Input::Received), handed to [`Engine::handle`] with the time. The engine says what is
//! to be done: an [`Output`] is an order, such as [`Send`](Output::Send), taken from
//! [`Engine::poll_output`]. Each order names the fact that ends it: `Send` ends in
//! [`Written`](Input::Written) or [`Closed`](Input::Closed), [`Store`](Output::Store) in
//! [`Stored`](Input::Stored). Nothing blocks and nothing is called back, so the answer to an order may
//! come at once, or later with other facts before it.
//!
//! - An HTTP request is an *exchange*, with a [`ConnectionId`] of its own: `Opened`, `Received`, one
//!   `Send`, and with `Written` it is over. The `Send` may come much later: that is what long-polling is.
//! - A websocket is a *duplex*: after `Opened` one frame may be handed over, and one more for each
//!   [`Receive`](Output::Receive); a connection has one `Send` at a time that is not `Written`. This is
//!   the backpressure, in both directions.
//! - Bodies and frames are decoded with [`Messages::decode`], on any thread.
//!
//! # The loop
//!
//! Every driver is this loop: carry out the orders until there are none, then wait for a fact, at most
//! until [`Engine::poll_timeout`].
//!
//! ```
//! # use std::sync::mpsc::{Receiver, RecvTimeoutError};
//! # use bayeux_core::*;
//! # trait Net {
//! #     fn receive(&self, connection: ConnectionId);
//! #     fn send(&self, connection: ConnectionId, batch: Batch);
//! #     fn close(&self, connection: ConnectionId, reason: CloseReason);
//! # }
//! # trait Store { fn submit(&self, ticket: StoreTicket, request: StoreRequest); }
//! # trait App {
//! #     fn decide(&self, ticket: DecisionTicket, question: Box<Question>);
//! #     fn returned(&self, ticket: CallTicket, result: CallResult);
//! #     fn report(&self, report: Report);
//! # }
//! # fn run(mut engine: Engine, facts: &Receiver<Input>, net: &dyn Net, store: &dyn Store, app: &dyn App) {
//! let epoch = std::time::Instant::now(); // the only clock there is
//! let now = || Instant::from_epoch(epoch.elapsed());
//! loop {
//!     while let Some(output) = engine.poll_output() {
//!         match output {
//!             Output::Receive { connection } => net.receive(connection),
//!             Output::Send { connection, batch } => net.send(connection, batch),
//!             Output::Close { connection, reason } => net.close(connection, reason),
//!             Output::Store { ticket, request } => store.submit(ticket, request),
//!             Output::Decide { ticket, question } => app.decide(ticket, question),
//!             Output::Return { ticket, result } => app.returned(ticket, result),
//!             Output::Report(report) => app.report(report),
//!         }
//!     }
//!     let fact = match engine.poll_timeout() {
//!         Some(due) => facts.recv_timeout(due.saturating_duration_since(now())),
//!         None => facts.recv().map_err(RecvTimeoutError::from),
//!     };
//!     match fact {
//!         Ok(input) => engine.handle(now(), input),
//!         Err(RecvTimeoutError::Timeout) => engine.handle(now(), Input::Elapsed),
//!         Err(RecvTimeoutError::Disconnected) => return,
//!     }
//! }
//! # }
//! ```
//!
//! # A server without a network
//!
//! A client shakes hands and publishes, all of it in memory:
//!
//! ```
//! use bayeux_core::{
//!     Config, ConnectionId, DecodeLimits, Engine, Input, Instant, MemoryOptions, MemoryStore,
//!     Messages, Output, Peer, Seed, Transport,
//! };
//! use serde_json::{Value, json};
//!
//! let config = Config::default();
//! let mut store = MemoryStore::new(MemoryOptions::for_config(&config));
//! let node = store.attach();
//! let mut engine = Engine::new(config, Seed::new([7; 32])); // elsewhere: random, and used once
//! let now = Instant::EPOCH; // elsewhere: from a clock
//!
//! let mut request = |number, message: Value| -> Value {
//!     let (connection, transport) = (ConnectionId::new(number), Transport::LongPolling);
//!     let messages = Messages::decode(message.to_string(), &DecodeLimits::default()).unwrap();
//!     let peer = Peer::default();
//!     engine.handle(now, Input::Opened { connection, transport, peer });
//!     engine.handle(now, Input::Received { connection, messages });
//!     let mut response = Value::Null;
//!     loop {
//!         while let Some(output) = engine.poll_output() {
//!             match output {
//!                 Output::Store { ticket, request } => store.submit(node, now, ticket, request),
//!                 Output::Send { connection, batch } => {
//!                     let frame = batch.frames().next().unwrap();
//!                     response = serde_json::from_slice(frame).unwrap();
//!                     engine.handle(now, Input::Written { connection });
//!                 }
//!                 _ => {} // reports
//!             }
//!         }
//!         match store.poll(node, now) {
//!             Some(fact) => engine.handle(now, fact),
//!             None => return response,
//!         }
//!     }
//! };
//!
//! let types = ["long-polling"];
//! let handshake = json!({"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": types});
//! let session = request(1, handshake)[0]["clientId"].take();
//! let publish = json!({"channel": "/chat/demo", "clientId": session, "data": "hello"});
//! assert_eq!(request(2, publish), json!([{"channel": "/chat/demo", "successful": true}]));
//! ```
//!
//! # Where to go next
//!
//! - **Step by step:** `docs/embedding.md` in the repository goes from nothing to a loop, a decider and
//!   a store with their tests.
//! - **A whole server:** `examples/blocking` is the loop with `std::net` and threads around it, for
//!   every transport: `cargo run -p bayeux-core --example blocking`.
//! - **The vocabulary:** [`Input`] and [`Output`] have one page each, and say what is promised.
//! - **HTTP:** [`http`] has what every server for Bayeux needs and no HTTP library has: which request
//!   is what, form bodies, callbacks, origins, cookies. It is pure as well, and optional.
//! - **Stores:** published events and the table of sessions lie outside of the engine. [`MemoryStore`]
//!   has them for one process, for one engine or several; another store keeps the contract that is
//!   written at [`StoreRequest`], [`StoreReply`] and [`Notice`].
//! - **The application:** it is asked as a [`Decider`], does things with a [`Call`], and hears of
//!   [`Report`]s.
//! - **Settings:** [`Config`] and [`Limits`], with CometD's names and values where CometD has them.
//!
//! Short names such as `HS-3` in these pages are rules of the protocol, from `docs/protocol.md` in the
//! repository.
//!
//! # Features
//!
//! - `testing`: `testing::Script`, one engine under scripted time, for tests of deciders, stores and
//!   drivers. Off by default, and not for servers.
//!
//! The crate is `no_std` and needs `alloc`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod call;
mod calls;
mod carrier;
mod channel;
mod config;
mod connection;
mod debts;
mod decide;
mod decision;
mod drain;
mod engine;
pub mod http;
mod id;
mod io;
mod keyed;
mod log;
mod memory;
mod message;
mod meta;
mod named;
mod page;
mod report;
mod request;
mod session;
mod slots;
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
    Admission, Decider, DeciderId, Denial, Identity, Operations, Question, Role, Scope, Subject,
    Verdict,
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
pub use session::Census;
pub use store::{
    Access, Destination, Echo, Entry, Fence, Interest, Laziness, NewEntry, Notice, Position,
    SessionRecord, SessionSettings, StoreReply, StoreRequest, StoredSubscription,
};
pub use time::Instant;
