//! Everything of a Bayeux server that no runtime is needed for.
//!
//! A [`Node`] is one server: a number of [`Shard`]s, each an engine to be run on a thread of its
//! own, and a [`Door`] for each thread, which serves a socket from its first byte to its last. A
//! [`Runtime`] is what a runtime lends: a timer and a way to start a task. Sockets are anything
//! with hyper's IO traits. The application's end of it is a [`Handle`].
//!
//! The crates for single runtimes (`bayeux-server-tokio`) put this on threads and listeners; whoever
//! has an IO stack without hyper drives `bayeux-core` directly.
#![forbid(unsafe_code)]

mod admin;
mod admission;
mod application;
mod carrier;
mod clock;
pub mod command_line;
pub mod config;
mod conformance;
mod deadlines;
mod door;
mod entrance;
mod frames;
mod guarded;
mod http;
mod inbox;
mod line;
mod node;
mod pace;
pub mod page;
mod probe;
mod router;
mod runtime;
mod shard;
mod site;
mod socket;
mod store;
mod tally;
mod websocket;

pub use self::http::Body;
pub use admission::Admitted;
pub use application::{
    CallError, Cursor, CursorError, Decide, Handle, Listener, Page, Publication, Subscription,
};
pub use door::{Answer, Door, Service};
pub use entrance::Entrance;
pub use node::{Extras, Node};
pub use runtime::{Runtime, Task};
pub use shard::Shard;
pub use tally::{Count, Tally};
