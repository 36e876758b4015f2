//! Everything of a Bayeux server that no runtime is needed for.
//!
//! A [`Server`] is built, started and stopped here, and runs on threads of its own: one for each
//! shard, with an engine, and one that takes in connections. What a thread runs on is a [`Stack`],
//! which the crates for single runtimes (`bayeux-server-tokio`) lend, together with what its tasks
//! need, a [`Runtime`]. Sockets are anything with hyper's IO traits. The application's end of it is a
//! [`Handle`].
//!
//! [`Stack`] and [`Runtime`] are a private matter of these crates: whoever has an IO stack of their
//! own drives `bayeux-core` directly.
#![forbid(unsafe_code)]

mod access;
mod admin;
mod admission;
mod application;
mod binary;
mod carrier;
mod client_file;
mod clock;
pub mod command_line;
mod complaints;
pub mod config;
mod conformance;
mod deadlines;
mod descriptors;
mod doctor;
mod door;
mod entrance;
mod frames;
mod guarded;
mod health;
mod http;
mod inbox;
mod line;
mod log;
mod measure;
mod metrics;
mod node;
mod pace;
mod page;
mod probe;
mod process;
mod reload;
mod requests;
mod router;
mod runtime;
mod server;
mod service;
mod shard;
mod site;
mod socket;
mod stack;
mod store;
mod tally;
pub mod tls;
mod wait;
mod websocket;

pub use self::http::Body;
pub use access::{Access, NeedsRestart};
pub use application::{
    CallError, Cursor, CursorError, Decide, Handle, Page, Publication, Subscription,
};
pub use binary::main;
pub use door::{Answer, Service};
pub use reload::ReloadError;
pub use runtime::{Runtime, Task};
pub use server::{Builder, Running, Server, StartError};
pub use stack::Stack;
pub use tally::{Count, Tally};
