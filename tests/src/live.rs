//! Real processes over real sockets: the server binary, clients in use, a network that breaks, a browser.
//!
//! Everything here waits for something to happen, until a deadline; nothing sleeps. What was started is ended when its
//! handle is dropped, by its process id. Whatever does not come in time, or is not installed, panics and says so.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

mod browser;
mod build;
mod client;
mod cutter;
mod deadline;
mod http;
mod poller;
mod process;
mod server;
mod siege;
mod websocket;
mod wire;

pub use browser::Page;
pub use build::executable;
pub use client::{Client, Event, Library, Transport};
pub use cutter::Cutter;
pub use deadline::Deadline;
pub use http::{HttpConnection, Response};
pub use poller::{Held, Poller};
pub use process::Process;
pub use server::{Server, Settings};
pub use siege::{Kept, Siege};
pub use websocket::{CloseCode, Frame, Opcode, WebSocket};
pub use wire::Wire;
