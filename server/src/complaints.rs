//! What an operator should hear of although nobody asked: limits that are reached.
//!
//! A limit that is reached once is reached a thousand times: it is said once a minute, with the number.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bayeux_core::{Counters, Instant};

/// How long the same is not said again.
const SILENCE: Duration = Duration::from_secs(60);

/// What the counters of an engine may give reason to say: each with its words.
const ABOUT: [(fn(&Counters) -> u64, &str); 8] = [
    (
        |counters| counters.connections_limited,
        "limits.maxConnections is reached: requests are refused",
    ),
    (
        |counters| counters.handshakes_limited,
        "a limit on sessions or handshakes is reached: handshakes are refused",
    ),
    (
        |counters| counters.subscriptions_limited,
        "limits.maxSubscriptions is reached: subscriptions are refused",
    ),
    (
        |counters| counters.channels_limited,
        "limits.maxChannels is reached: channels are refused",
    ),
    (
        |counters| counters.sessions_overflowed,
        "sessions end because their queue is full: clients read too slowly",
    ),
    (
        |counters| counters.events_dropped,
        "events are dropped: queues are full, or an extension drops them",
    ),
    (
        |counters| counters.store_late + counters.store_failed,
        "the store is late or fails",
    ),
    (
        |counters| counters.decisions_late,
        "deciders do not answer within limits.decisionTimeout",
    ),
];

/// What one shard complains of.
#[derive(Default)]
pub(crate) struct Complaints([Complaint; ABOUT.len()]);

#[derive(Clone, Copy, Default)]
struct Complaint {
    /// The count when it was last said.
    said: u64,
    again: Option<Instant>,
}

impl Complaints {
    /// Says what is new in `counters`, if it was not said lately.
    pub(crate) fn hear(&mut self, now: Instant, counters: &Counters) {
        for (complaint, (count, text)) in self.0.iter_mut().zip(ABOUT) {
            let count = count(counters);
            if count == complaint.said || complaint.again.is_some_and(|again| now < again) {
                continue;
            }
            tracing::warn!(times = count - complaint.said, "{text}");
            *complaint = Complaint {
                said: count,
                again: Some(now + SILENCE),
            };
        }
    }
}

/// The same for what many threads count.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    /// From when on it may be said again, in milliseconds of the clock; 0 at first.
    again: AtomicU64,
}

impl Seldom {
    /// Whether it is to be said now. Of threads that ask at a time, one is told so.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let again = self.again.load(Ordering::Relaxed);
        let millis =
            |instant: Instant| u64::try_from(instant.since_epoch().as_millis()).unwrap_or(u64::MAX);
        again <= millis(now)
            && self
                .again
                .compare_exchange(
                    again,
                    millis(now + SILENCE),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute() {
        let mut complaints = Complaints::default();
        let mut counters = Counters::default();
        let said = |complaints: &Complaints| complaints.0.map(|complaint| complaint.said);

        complaints.hear(Instant::EPOCH, &counters);
        assert_eq!(said(&complaints), [0; ABOUT.len()]);

        counters.connections_limited = 3;
        complaints.hear(Instant::EPOCH, &counters);
        counters.connections_limited = 5;
        complaints.hear(Instant::from_millis(59_999), &counters);
        assert_eq!(said(&complaints)[0], 3);
        complaints.hear(Instant::from_millis(60_000), &counters);
        assert_eq!(said(&complaints)[0], 5);
    }

    #[test]
    fn of_what_many_threads_see_one_speaks_a_minute() {
        let seldom = Seldom::default();

        let due = [0, 1, 59_999, 60_000, 60_001].map(|at| seldom.is_due(Instant::from_millis(at)));

        assert_eq!(due, [true, false, false, true, false]);
    }
}
