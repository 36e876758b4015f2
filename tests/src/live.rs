//! Real processes over real sockets: the server binary, clients in use, a network that breaks, a browser.
//!
//! Everything here waits for something to happen, until a deadline; nothing sleeps. What was started is ended when its
//! handle is dropped, by its process id. Whatever does not come in time, or is not installed, panics and says so.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

mod authority;
mod balancer;
mod browser;
mod build;
mod client;
mod cluster;
mod cutter;
mod deadline;
mod http;
mod http2;
mod lines;
mod peer;
mod poller;
mod process;
mod redis;
mod sentinel;
mod server;
mod siege;
mod websocket;
mod wire;

pub use bayeux_conformance::{Ending, Frame, Opcode};

pub use authority::{Authority, Hello, Identity};
pub use balancer::Balancer;
pub use browser::{Page, Pages};
pub use build::{executable, page_with_an_engine};
pub use client::{Client, Event, Extras, Software, Transport};
pub use cluster::Cluster;
pub use cutter::Cutter;
pub use deadline::Deadline;
pub use http::{HttpConnection, Response, percent};
pub use http2::Http2;
pub use peer::Peer;
pub use poller::{Held, Poller};
pub use process::Process;
pub use redis::Redis;
pub use sentinel::Watched;
pub use server::{Server, Settings};
pub use siege::{Kept, Siege};
pub use websocket::WebSocket;
pub use wire::Wire;

/// The scripts that steer clients, and what they need.
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// Servers of others, and what they need.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
