//! What a driver needs besides Redis.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bayeux_core::Instant;

/// A while.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The timer of a runtime.
pub type Timer = dyn Fn(Duration) -> Sleep + Send + Sync;

/// What a driver needs besides Redis.
pub struct Surroundings {
    /// The clock of the engines.
    pub now: Box<dyn Fn() -> Instant + Send + Sync>,
    /// That of the runtime that the driver is run on.
    pub timer: Box<Timer>,
    /// Wakes an engine: there is something to poll for.
    pub wake: Box<dyn Fn(u32) + Send + Sync>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}
