//! The store of a Bayeux server in Redis: any node of a cluster serves any session.
//!
//! To its engines a [`RedisStore`] is what a [`MemoryStore`](bayeux_core::MemoryStore) is: they submit
//! requests, and poll for facts. Like the engine it is pure: it gives out commands, and takes in what Redis
//! says. A [`SharedStore`] is the same behind one short lock, for the engines of several threads, and
//! `drive` (with the feature `tokio` or `smol`) carries the commands. Redis 7.0 or newer is needed.
//!
//! What nodes promise each other, and what is kept under which key, is told in `docs/architecture.md` and
//! `docs/operating.md` of the repository.
//!
//! ```
//! use std::sync::Arc;
//! use bayeux_backend_redis::{Options, RedisStore, SharedStore, Target};
//! use bayeux_core::{Access, Config, Input, Instant, StoreReply, StoreRequest, StoreTicket};
//!
//! let target: Target = "rediss://bayeux:secret@redis.internal/0".parse()?;
//! assert_eq!(target.to_string(), "rediss://redis.internal/0");
//!
//! let options = Options::default().for_config(&Config::default());
//! let random = [7; 16]; // from the operating system
//! let store = Arc::new(SharedStore::new(RedisStore::new(options, random)));
//! let shard = store.attach();
//!
//! // Before `drive(store, target, surroundings)` has reached Redis, everything fails at once.
//! let session = bayeux_core::SessionId::parse(&"7".repeat(25)).ok_or("no identifier")?;
//! let claim = StoreRequest::Claim { session, access: Access::Any };
//! store.submit(shard, Instant::EPOCH, StoreTicket::new(1), claim);
//! let told = store.poll(shard, Instant::EPOCH);
//! assert!(matches!(told, Some(Input::Stored { reply: StoreReply::Failed, .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(any(feature = "tokio", feature = "smol")),
    allow(
        dead_code,
        unused_imports,
        reason = "without a runtime there is no driver"
    )
)]

mod codec;
mod counts;
#[cfg(any(feature = "tokio", feature = "smol"))]
mod driver;
mod entry;
mod keys;
mod letter;
mod options;
mod record;
mod reply;
mod script;
mod shared;
mod store;
mod surroundings;
mod target;

pub use counts::{Counts, Load};
#[cfg(any(feature = "tokio", feature = "smol"))]
pub use driver::{drive, probe};
pub use options::Options;
pub use shared::SharedStore;
pub use store::RedisStore;
pub use surroundings::{Sleep, Surroundings, Timer};
pub use target::{Target, TargetError};
