//! A mutex without poison.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared state behind a lock that is held for a few instructions at a time.
///
/// A panic while it was held does not spread: what is behind it is valid between any two
/// statements.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Has the processor fetch the lock and what lies beside it. What it says means nothing.
    pub(crate) fn prefetch(&self) -> bool {
        self.0.is_poisoned()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
