//! What a store in Redis is told at its start.

use std::time::Duration;

use bayeux_core::Config;

/// What bounds a [`RedisStore`](crate::RedisStore), and how it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// What the names of all keys begin with, in braces. Nodes with the same prefix are one cluster.
    pub prefix: Box<str>,
    /// What this node is called in Redis. A number that is drawn at each start follows, so two nodes may
    /// have the same name.
    pub node: Box<str>,
    /// How long entries are kept.
    pub retention: Duration,
    /// About how many entries are kept at the most, in Redis and on each node.
    pub max_entries: usize,
    /// About how many bytes of memory a node keeps of the log. What it has not it reads from Redis.
    pub max_bytes: usize,
    /// For how long a session is kept at the most when no node keeps it alive; three quarters of that at the least. For
    /// one that has agreed on longer times of its own it is twice the sum of those.
    pub session_ttl: Duration,
    /// The most forwards that this node waits for; [`StoreRequest::Forward`](bayeux_core::StoreRequest) ends
    /// in `Failed` beyond.
    pub max_forwards: usize,
    /// How long a forward waits for its answer; it ends in `Failed` then.
    pub forward_timeout: Duration,
    /// The most entries in one `Notice::Entries`, at least one.
    pub max_batch: usize,
    /// After what time without a word a node counts as dead. It says one ten times as often.
    pub lease: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: "bayeux".into(),
            node: "node".into(),
            retention: Duration::from_secs(180),
            max_entries: 1 << 20,
            max_bytes: 256 << 20,
            session_ttl: Duration::from_secs(260),
            max_forwards: 4_096,
            forward_timeout: Duration::from_secs(30),
            max_batch: 256,
            lease: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// These options for engines with this configuration: sessions are kept for twice what may pass
    /// between two connects, and as long as the log besides, so that they outlive an outage.
    #[must_use]
    pub fn for_config(self, config: &Config) -> Self {
        let cycle = [config.timeout, config.interval, config.max_interval]
            .into_iter()
            .fold(Duration::ZERO, Duration::saturating_add);
        Self {
            session_ttl: cycle.saturating_mul(2).saturating_add(self.retention),
            ..self
        }
    }

    /// How often a node says that it lives.
    pub(crate) fn beat(&self) -> Duration {
        self.lease / 10
    }
}
