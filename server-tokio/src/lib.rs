//! A Bayeux server on tokio: CometD's and Faye's clients connect to it unmodified.
//!
//! A [`Server`] runs on threads of its own, one for each shard, whatever runtime the application is
//! on. The application has a [`Handle`] to publish, subscribe, decide and inspect, and may mount a
//! [`Service`] in its own web framework in place of (or beside) listeners.
//!
//! ```
//! use bayeux_core::Payload;
//! use bayeux_server_tokio::Server;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let running = Server::builder().listen("127.0.0.1:0".parse()?).start().await?;
//! println!("clients may come to http://{}/bayeux", running.addresses()[0]);
//!
//! let position = running.handle().publish("/news".parse()?, Payload::parse(r#"{"hello":1}"#)?).await;
//! # let _ = position;
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod listener;
mod server;
mod thread;

pub use bayeux_server::config::Settings;
pub use bayeux_server::{
    Answer, Body, CallError, Count, Decide, Extras, Handle, Service, Subscription, Tally,
    command_line, config,
};
pub use server::{Builder, Running, Server, StartError};
