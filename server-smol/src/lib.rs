//! A Bayeux server on smol: CometD's and Faye's clients connect to it unmodified.
//!
//! It is the same server as that of `bayeux-server-tokio`, without a runtime of tokio's. A [`Server`]
//! runs on threads of its own, one for each shard, whatever runtime the application is on. The
//! application has a [`Handle`] to publish, subscribe, decide and inspect, and may mount a [`Service`]
//! in its own web framework in place of (or beside) listeners.
//!
//! ```
//! use bayeux_core::Payload;
//! use bayeux_server_smol::Server;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! async_io::block_on(async {
//!     let running = Server::builder().listen("127.0.0.1:0".parse()?).start().await?;
//!     println!("clients may come to http://{}/bayeux", running.addresses()[0]);
//!
//!     let position = running.handle().publish("/news".parse()?, Payload::parse(r#"{"hello":1}"#)?).await;
//!     # let _ = position;
//!     running.shutdown().await;
//!     # Ok(())
//! })
//! # }
//! ```
//!
//! Mounted, it needs no listener (`examples/mounted.rs` has it whole). What a mounted service starts
//! itself, above all its websockets, runs on a thread of the server's own.
#![forbid(unsafe_code)]

mod socket;
mod stack;

pub use bayeux_server::config::Settings;
pub use bayeux_server::{
    Answer, Body, CallError, Count, Decide, Handle, Running, Service, StartError, Subscription,
    Tally, command_line, config,
};
pub use socket::Socket;
pub use stack::Smol;

/// A server on smol that is not running yet.
pub type Server = bayeux_server::Server<Smol>;

/// What a server on smol is to be.
pub type Builder = bayeux_server::Builder<Smol>;

/// Runs a server as the binary with that name does, with the command line of this process.
#[must_use]
pub fn main(name: &'static str) -> std::process::ExitCode {
    bayeux_server::main::<Smol>(name)
}
