//! The one clock: what time it is, for all engines of a process alike.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bayeux_core::Instant;

/// Measures from an epoch that all shards share, so that their instants can be compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: std::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            epoch: std::time::Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_epoch(self.epoch.elapsed())
    }

    /// The instant as the operating system has it.
    pub(crate) fn system(&self, at: Instant) -> std::time::Instant {
        let far = Duration::from_secs(365 * 24 * 3600);
        self.epoch + at.since_epoch().min(self.epoch.elapsed() + far)
    }

    /// The epoch as the time since 1970, for an engine's `wall_clock`.
    pub(crate) fn wall_clock(&self) -> Duration {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        now.saturating_sub(self.epoch.elapsed())
    }
}
