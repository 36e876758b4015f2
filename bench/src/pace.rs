//! When something is due.

use std::time::{Duration, Instant};

/// The most that is on its way while a rate is kept; a server that is so far behind has failed.
pub(crate) const MOST: usize = 100_000;
const PATIENCE: Duration = Duration::from_millis(100);
/// The system's timers are no finer than that; what is due earlier is waited for awake.
const GRAIN: Duration = Duration::from_millis(1);

/// What sets the pace.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// The clock: so many a second, whatever has become of those before (an open loop).
    Rate(f64),
    /// The server: the next is due as soon as fewer than so many are on their way (a closed loop).
    InFlight(usize),
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// One was due then.
    Due(Instant),
    /// None is due, for so long at least, unless something arrives.
    Wait(Duration),
}

impl Pace {
    /// Asks for the next one, when so many have been done since the beginning, and some of them are on their way.
    pub(crate) fn turn(self, begun: Instant, done: usize, on_their_way: usize) -> Turn {
        let now = Instant::now();
        match self {
            Self::InFlight(most) if on_their_way < most => Turn::Due(now),
            Self::Rate(_) if on_their_way >= MOST => Turn::Wait(PATIENCE),
            Self::InFlight(_) => Turn::Wait(PATIENCE),
            Self::Rate(rate) => Self::by_the_clock(now, begun, done as f64 / rate),
        }
    }

    fn by_the_clock(now: Instant, begun: Instant, seconds: f64) -> Turn {
        let due = begun + Duration::from_secs_f64(seconds);
        let left = due.saturating_duration_since(now);
        if left.is_zero() {
            return Turn::Due(due);
        }
        Turn::Wait(left.saturating_sub(GRAIN).min(PATIENCE))
    }

    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Rate(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_loop_waits_for_the_server() {
        let begun = Instant::now();

        let turn = |on_their_way| Pace::InFlight(2).turn(begun, 7, on_their_way);

        assert!(matches!(turn(1), Turn::Due(at) if at >= begun));
        assert_eq!(turn(2), Turn::Wait(PATIENCE));
    }

    #[test]
    fn an_open_loop_makes_up_for_what_it_is_late_with_and_says_when_that_was_due() {
        let begun = Instant::now() - Duration::from_secs(10);
        let turn = |done| Pace::Rate(4.0).turn(begun, done, 1_000);

        assert_eq!(turn(0), Turn::Due(begun));
        assert_eq!(turn(30), Turn::Due(begun + Duration::from_millis(7_500)));
        assert_eq!(turn(4_000), Turn::Wait(PATIENCE));
    }

    #[test]
    fn the_last_millisecond_is_waited_for_awake() {
        let now = Instant::now();
        let turn = |seconds| Pace::by_the_clock(now, now, seconds);

        assert_eq!(turn(0.0005), Turn::Wait(Duration::ZERO));
        assert_eq!(turn(0.011), Turn::Wait(Duration::from_millis(10)));
    }

    #[test]
    fn a_server_that_stands_still_is_not_buried() {
        let begun = Instant::now() - Duration::from_secs(1);

        assert_eq!(
            Pace::Rate(1e9).turn(begun, MOST, MOST),
            Turn::Wait(PATIENCE)
        );
    }
}
