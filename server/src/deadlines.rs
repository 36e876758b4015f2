//! Things to look at later: stalled writes, idle sockets, unfinished messages, requests
//! that wait.
//!
//! One entry for each thing that waits, in one heap of a shard, which shares the shard's one timer.
//! An entry whose time comes asks the thing whether it is still waiting, and until when. What is gone
//! is taken out early, all of it at once when it may be half of the heap: an entry holds the memory of
//! what it watches, and peers that come and go would pile it up until its time comes.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Weak;

use bayeux_core::Instant;

/// Something that waits on time.
pub(crate) trait Watched: Send + Sync {
    /// Acts on what is overdue; when to look again, if at all.
    fn check(&self, now: Instant) -> Option<Instant>;
}

/// What a shard watches.
#[derive(Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<Deadline>>,
    /// How many entries were left of the last clearance.
    cleared: usize,
}

struct Deadline {
    at: Instant,
    what: Weak<dyn Watched>,
}

/// How many entries are not worth a clearance.
const FEW: usize = 64;

impl Deadlines {
    pub(crate) fn add(&mut self, at: Instant, what: Weak<dyn Watched>) {
        if self.heap.len() >= 2 * self.cleared.max(FEW) {
            self.clear();
        }
        self.heap.push(Reverse(Deadline { at, what }));
    }

    /// Takes out what is gone.
    fn clear(&mut self) {
        self.heap
            .retain(|Reverse(deadline)| deadline.what.strong_count() > 0);
        self.cleared = self.heap.len();
        self.heap.shrink_to(4 * self.cleared.max(FEW));
    }

    /// When to call [`check`](Self::check) next.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(deadline)| deadline.at)
    }

    /// Looks at everything that is due.
    pub(crate) fn check(&mut self, now: Instant) {
        while self.next().is_some_and(|at| at <= now) {
            let Some(Reverse(Deadline { what, .. })) = self.heap.pop() else {
                return;
            };
            let again = what.upgrade().and_then(|watched| watched.check(now));
            if let Some(at) = again.filter(|at| *at > now) {
                self.add(at, what);
            }
        }
    }
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Waits until `until`, and counts how often it was looked at.
    struct Waiting {
        until: AtomicU64,
        looks: AtomicU64,
    }

    impl Watched for Waiting {
        fn check(&self, now: Instant) -> Option<Instant> {
            self.looks.fetch_add(1, Ordering::Relaxed);
            let until = Instant::from_millis(self.until.load(Ordering::Relaxed));
            (until > now).then_some(until)
        }
    }

    fn waiting(until: u64) -> Arc<Waiting> {
        Arc::new(Waiting {
            until: AtomicU64::new(until),
            looks: AtomicU64::new(0),
        })
    }

    fn as_watched(waiting: &Arc<Waiting>) -> Weak<dyn Watched> {
        Arc::<Waiting>::downgrade(waiting) as _
    }

    #[test]
    fn what_is_gone_is_forgotten_before_its_time_and_what_is_there_is_not() {
        let mut deadlines = Deadlines::default();
        let kept: Vec<_> = (0..FEW as u64 + 1).map(waiting).collect();
        for (number, waiting) in (0..).zip(&kept) {
            deadlines.add(Instant::from_millis(number), as_watched(waiting));
        }

        for number in 0..100_000 {
            deadlines.add(
                Instant::from_millis(1_000 + number),
                as_watched(&waiting(0)),
            );
            assert!(deadlines.heap.len() <= 4 * FEW);
        }

        assert!(deadlines.heap.capacity() <= 16 * FEW);
        deadlines.check(Instant::from_millis(999));
        let looks = |waiting: &Arc<Waiting>| waiting.looks.load(Ordering::Relaxed);
        assert!(kept.iter().all(|waiting| looks(waiting) == 1));
    }

    #[test]
    fn what_is_put_off_is_looked_at_again_and_what_is_gone_is_not() {
        let mut deadlines = Deadlines::default();
        let (kept, gone) = (waiting(30), waiting(10));
        deadlines.add(Instant::from_millis(10), as_watched(&kept));
        deadlines.add(Instant::from_millis(5), as_watched(&gone));
        drop(gone);

        deadlines.check(Instant::from_millis(10));
        assert_eq!(deadlines.next(), Some(Instant::from_millis(30)));

        deadlines.check(Instant::from_millis(30));
        assert_eq!(
            (deadlines.next(), kept.looks.load(Ordering::Relaxed)),
            (None, 2)
        );
    }
}
