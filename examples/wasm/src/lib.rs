//! A Bayeux server without a network, for a page: the engine, its store, and lines that bytes go in and out by.
//!
//! A [`World`] is one server. Its clock stands still unless it is told to go on, nothing leaves a line before it is
//! taken, and every fact and order is noted. That makes it a fifth IO stack around the same engine: what stands
//! between bytes and facts is what any server writes, on top of `bayeux_core::http`.
#![forbid(unsafe_code)]

mod http;
mod journal;
mod line;
mod net;
mod websocket;
mod world;

pub use world::World;
