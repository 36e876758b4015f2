//! Publishes that come together are handed out together: one write to each subscriber for all of them.
//!
//! Before the log is read, the sockets are looked at once more, and again as long as something comes.
//! Nobody waits for long: what a look costs is small beside what handing out the last events took.

use std::time::Duration;

use bayeux_core::Instant;

/// How long publishes are gathered at the most, while more come in without a pause.
const AT_MOST: Duration = Duration::from_millis(1);

/// How long the next one is waited for: this part of the time that handing out the last ones took, and no
/// longer than that.
const PATIENCE: (u32, Duration) = (64, Duration::from_micros(100));

/// Less is not worth a look.
const HASTE: Duration = Duration::from_micros(2);

/// Whether a shard is to read the log now, or to look at its sockets first.
#[derive(Default)]
pub(crate) struct Gathering {
    begun: Option<Begun>,
    /// How long the next publish is waited for.
    patience: Duration,
}

#[derive(Clone, Copy)]
struct Begun {
    since: Instant,
    /// When something last came.
    last: Instant,
}

/// What has come since the last turn.
#[derive(Clone, Copy)]
pub(crate) struct News {
    /// This shard has something in the log that it has not read.
    pub(crate) has_submitted: bool,
    /// Others have.
    pub(crate) has_log_moved: bool,
    /// Something was told, whatever it was.
    pub(crate) has_facts: bool,
}

impl Gathering {
    /// Whether the log is to be read a turn later.
    pub(crate) fn goes_on(&mut self, now: Instant, news: News) -> bool {
        let begun = match self.begun {
            None if !news.has_submitted && (!news.has_log_moved || self.patience.is_zero()) => {
                return false;
            }
            None => Begun {
                since: now,
                last: now,
            },
            Some(begun) if news.has_facts || news.has_log_moved => Begun { last: now, ..begun },
            Some(begun) => begun,
        };
        let is_over = now >= begun.since + AT_MOST || now > begun.last + self.patience;
        self.begun = (!is_over).then_some(begun);
        !is_over
    }

    /// Whether it has begun and is not over.
    pub(crate) const fn is_under_way(&self) -> bool {
        self.begun.is_some()
    }

    /// Handing out what was new took so long.
    pub(crate) fn handed_out(&mut self, took: Duration) {
        let patience = (took / PATIENCE.0).min(PATIENCE.1);
        self.patience = if patience < HASTE {
            Duration::ZERO
        } else {
            patience
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: News = News {
        has_submitted: false,
        has_log_moved: false,
        has_facts: false,
    };
    const PUBLISHED: News = News {
        has_submitted: true,
        has_facts: true,
        ..NOTHING
    };
    const FROM_OTHERS: News = News {
        has_log_moved: true,
        ..NOTHING
    };

    fn at(micros: u64) -> Instant {
        Instant::from_epoch(Duration::from_micros(micros))
    }

    #[test]
    fn a_publish_waits_for_one_look_at_the_sockets_and_for_those_behind_it() {
        let mut gathering = Gathering::default();

        assert!(!gathering.goes_on(at(0), NOTHING));
        assert!(gathering.goes_on(at(1), PUBLISHED));
        assert!(gathering.is_under_way());
        assert!(gathering.goes_on(at(20), PUBLISHED));
        assert!(!gathering.goes_on(at(21), NOTHING));
        assert!(!gathering.is_under_way());
    }

    #[test]
    fn publishes_without_end_are_handed_out_all_the_same() {
        let mut gathering = Gathering::default();

        let turns = (0..).take_while(|turn| gathering.goes_on(at(turn * 10), PUBLISHED));

        assert_eq!(turns.count(), 100);
    }

    #[test]
    fn the_longer_the_last_ones_took_the_longer_the_next_is_waited_for_and_never_for_long() {
        for (took, waits) in [(0, 0), (100, 0), (6_400, 100), (1_000_000, 100)] {
            let mut gathering = Gathering::default();
            gathering.handed_out(Duration::from_micros(took));

            assert_eq!(gathering.goes_on(at(0), FROM_OTHERS), waits > 0, "{took}");
            assert!(gathering.goes_on(at(0), PUBLISHED), "{took}");
            assert!(gathering.goes_on(at(waits), NOTHING), "{took}");
            assert!(!gathering.goes_on(at(waits + 1), NOTHING), "{took}");
        }
    }
}
