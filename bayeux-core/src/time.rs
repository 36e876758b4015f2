//! Time as the engine knows it: a count since an epoch that the driver picks.

use core::fmt;
use core::num::NonZeroU64;
use core::ops::Add;
use core::time::Duration;

/// A point in time: the duration since an epoch of the driver's choice, in nanoseconds.
///
/// The engine has no clock. Whoever drives it says what time it is with every fact; a time that
/// lies before the last one is taken as the last one.
///
/// ```
/// # use bayeux_core::Instant;
/// # use core::time::Duration;
/// let start = Instant::from_epoch(Duration::from_secs(1));
/// assert_eq!(start + Duration::from_millis(500), Instant::from_millis(1_500));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(NonZeroU64); // One more, so that an `Option` of it is no larger.

impl Instant {
    /// The driver's epoch itself.
    pub const EPOCH: Self = Self(NonZeroU64::MIN);

    /// The instant `elapsed` after the epoch; beyond 584 years it stays at the last one there is.
    #[must_use]
    pub fn from_epoch(elapsed: Duration) -> Self {
        Self::EPOCH + elapsed
    }

    /// The instant `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(millis.saturating_mul(1_000_000)))
    }

    /// How long after the epoch this is.
    #[must_use]
    pub const fn since_epoch(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::EPOCH
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates: an instant too far away to be named never comes.
    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.since_epoch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_as_far_from_the_epoch_as_was_said() {
        let second = Duration::from_secs(1);

        assert_eq!(Instant::from_epoch(second).since_epoch(), second);
        assert_eq!(Instant::from_epoch(second), Instant::from_millis(1_000));
        assert!(Instant::from_epoch(Duration::MAX) > Instant::from_epoch(second));
    }
}
