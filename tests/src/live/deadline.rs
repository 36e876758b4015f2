//! The one place that reads a clock: how long a test waits for what must come.

#![expect(
    clippy::disallowed_methods,
    reason = "a wait for a real process needs an end"
)]

use std::time::{Duration, Instant};

/// A point in time by which something must have happened.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// How long tests wait for what should take milliseconds: generous, because machines that run tests are busy.
    pub const USUAL: Duration = Duration::from_secs(60);

    /// That long from now.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait)
    }

    /// [`Deadline::USUAL`] from now.
    #[must_use]
    pub fn usual() -> Self {
        Self::after(Self::USUAL)
    }

    /// What is left until then; `None` once it is over.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        self.0
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    /// Stands still until then. Only for what *is* a length of time: an outage, or the time that a client was told to
    /// wait. What is to happen is waited for.
    pub fn pass(self) {
        while let Some(left) = self.left() {
            std::thread::park_timeout(left);
        }
    }
}
