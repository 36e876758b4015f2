//! The store of a Bayeux server in Redis: any node of a cluster serves any session.
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
