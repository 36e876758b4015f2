//! Routes a fact to its handler, and nothing else.

use crate::config::Config;
use crate::id::Seed;
use crate::io::{Input, Output};
use crate::report::Counters;
use crate::time::Instant;

/// One Bayeux server, or one shard of one: facts in, orders out.
#[derive(Debug)]
pub struct Engine {
    counters: Counters,
}

impl Engine {
    /// An engine without sessions.
    #[must_use]
    pub fn new(_config: Config, _seed: Seed) -> Self {
        Self {
            counters: Counters::default(),
        }
    }

    /// Takes in one fact. Total: whatever a peer, the store or the driver says, this returns.
    pub fn handle(&mut self, _now: Instant, _input: Input) {}

    /// The next order; `None` until something more is handled.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When [`Input::Elapsed`] is due; `None` if nothing waits on time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// What has been counted so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}
