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

    /// The epoch as the time since 1970, for an engine's `wall_clock`. It moves when the system's clock is
    /// set, and when the machine has slept.
    pub(crate) fn wall_clock(&self) -> Duration {
        since_1970().saturating_sub(self.epoch.elapsed())
    }
}

/// What time it is for everybody else.
pub(crate) fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

/// Notices that the wall clock has moved against the one that measures.
#[derive(Debug)]
pub(crate) struct WallClock {
    /// The epoch as the time since 1970, as it was last.
    known: Duration,
    /// Not looked at before.
    again: Instant,
}

impl WallClock {
    /// What it may be off by, and how seldom it is looked at.
    const SLACK: Duration = Duration::from_secs(1);

    pub(crate) const fn new(known: Duration) -> Self {
        Self {
            known,
            again: Instant::EPOCH,
        }
    }

    /// Where the epoch is now, if that is somewhere else than it was.
    pub(crate) fn moved(
        &mut self,
        now: Instant,
        epoch: impl FnOnce() -> Duration,
    ) -> Option<Duration> {
        if now < self.again {
            return None;
        }
        self.again = now + Self::SLACK;
        let epoch = epoch();
        if epoch.abs_diff(self.known) <= Self::SLACK {
            return None;
        }
        self.known = epoch;
        Some(epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_is_noticed_and_one_that_drifts_a_little_is_not() {
        let begin = Duration::from_secs(1_700_000_000);
        let hour = Duration::from_secs(3_600);
        let mut clock = WallClock::new(begin);

        for (at, epoch, moved) in [
            (0, begin, false),
            (1, begin + Duration::from_secs(1), false),
            (2, begin + hour, true),
            (3, begin + hour, false),
            (4, begin, true),
            (5, begin - Duration::from_millis(1_001), true),
        ] {
            let now = Instant::from_epoch(Duration::from_secs(at));
            let expected = moved.then_some(epoch);
            assert_eq!(clock.moved(now, || epoch), expected, "{at}");
            // It is not asked for at each turn.
            assert_eq!(clock.moved(now, || Duration::ZERO), None, "{at}");
        }
    }
}
