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
//!
//! Mounted, it needs no listener, and deciders say who may do what (`examples/mounted.rs` has it whole).
//! A mounted service is called on a runtime of tokio's, with its timer enabled: there it starts what it
//! has to, above all its websockets.
//!
//! ```
//! use bayeux_core::http::Scheme;
//! use bayeux_core::{Operations, Question, Role, Verdict};
//! use bayeux_server_tokio::Server;
//! use hyper::server::conn::http1;
//! use hyper_util::rt::TokioIo;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let running = Server::builder().start().await?;
//!
//! let publishes = Operations { publish: true, ..Operations::default() };
//! let decide = async |question: Question| match question.session {
//!     Some(_) => Verdict::Allow,
//!     None => Verdict::Deny(Box::default()),
//! };
//! running.handle().add_decider(Role::Policy(publishes), decide).await?;
//!
//! let service = running.service();
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let serving = async move {
//!     while let Ok((socket, peer)) = listener.accept().await {
//!         let bayeux = service.of(peer, Scheme::Http);
//!         let serving = http1::Builder::new().serve_connection(TokioIo::new(socket), bayeux);
//!         tokio::spawn(serving.with_upgrades());
//!     }
//! };
//! # drop(serving);
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod socket;
mod stack;

pub use bayeux_server::config::Settings;
pub use bayeux_server::{
    Access, Answer, Body, CallError, Count, Cursor, CursorError, Decide, Handle, NeedsRestart,
    Page, Publication, ReloadError, Running, Service, StartError, Subscription, Tally,
    command_line, config, tls,
};
pub use socket::Socket;
pub use stack::Tokio;

/// A server on tokio that is not running yet.
pub type Server = bayeux_server::Server<Tokio>;

/// What a server on tokio is to be.
pub type Builder = bayeux_server::Builder<Tokio>;

/// Runs a server as the binary with that name does, with the command line of this process.
#[must_use]
pub fn main(name: &'static str) -> std::process::ExitCode {
    bayeux_server::main::<Tokio>(name)
}
