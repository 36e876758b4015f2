//! How long the request of a connection has waited for its answer.

use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use bayeux_core::Instant;

use crate::deadlines::Watched;
use crate::guarded::Guarded;
use crate::inbox::Fact;
use crate::router::Gateway;

/// What waits for this long may wait for much longer.
const LONG: Duration = Duration::from_millis(50);

/// Many that begin within so much are looked at together.
const GRAIN: u64 = 10;

/// Tells when the request that waits on a connection has waited for long.
///
/// The shard looks at it once in that time at the most, however many come and are answered.
pub(crate) struct Wait {
    itself: Weak<Self>,
    gateway: Gateway,
    state: Guarded<State>,
}

#[derive(Default)]
struct State {
    /// When the request that waits has waited for long.
    due: Option<Instant>,
    /// Whether it has.
    is_long: bool,
    /// Whether the shard is going to look.
    is_watched: bool,
    /// To be woken when it is long.
    task: Option<Waker>,
}

impl Wait {
    pub(crate) fn new(gateway: Gateway) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            itself: itself.clone(),
            gateway,
            state: Guarded::default(),
        })
    }

    /// A request waits, from now on or already: `waker` is woken once it has waited for long. One that
    /// begins to wait before the end of another was said counts as that one.
    pub(crate) fn goes_on(&self, waker: &Waker) {
        let mut state = self.state.lock();
        match &mut state.task {
            Some(task) => task.clone_from(waker),
            task => *task = Some(waker.clone()),
        }
        if state.due.is_some() {
            return;
        }
        let due = self.due();
        state.due = Some(due);
        if !std::mem::replace(&mut state.is_watched, true) {
            drop(state);
            let watched: Weak<dyn Watched> = self.itself.clone();
            self.gateway
                .tell(self.gateway.place.shard(), Fact::Watch(due, watched));
        }
    }

    fn due(&self) -> Instant {
        let at = self.gateway.router.clock.now() + LONG;
        let millis = u64::try_from(at.since_epoch().as_millis()).unwrap_or(u64::MAX);
        Instant::from_millis((millis / GRAIN).saturating_add(1).saturating_mul(GRAIN))
    }

    /// No request waits.
    pub(crate) fn ends(&self) {
        let mut state = self.state.lock();
        state.due = None;
        state.is_long = false;
    }

    /// Whether a request has waited for long.
    pub(crate) fn is_long(&self) -> bool {
        self.state.lock().is_long
    }
}

impl Watched for Wait {
    fn check(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock();
        if let Some(due) = state.due.filter(|due| *due > now) {
            return Some(due);
        }
        state.is_watched = false;
        state.is_long = state.due.is_some();
        let task = state.task.take();
        let is_long = state.is_long;
        drop(state);
        if is_long && let Some(task) = task {
            task.wake();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::config::Settings;
    use crate::node::{Extras, Node};
    use crate::router::Place;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// When the shard was told to look.
    fn looks(gateway: &Gateway) -> Vec<Instant> {
        let mut facts = Vec::new();
        gateway.router.inbox(0).unwrap().take(&mut facts);
        let at = |fact| match fact {
            Fact::Watch(at, _) => Some(at),
            Fact::Input(_)
            | Fact::Opened(_)
            | Fact::Call(..)
            | Fact::OpenLocal(..)
            | Fact::AddDecider(..)
            | Fact::RemoveDecider(_)
            | Fact::Measure(_)
            | Fact::Drain(..) => None,
        };
        facts.into_iter().map(|fact| at(fact).unwrap()).collect()
    }

    #[test]
    fn requests_that_are_answered_soon_cost_one_look_in_all_and_one_that_waits_wakes_its_task() {
        let node = Node::new(Settings::default(), Extras::default()).unwrap();
        let gateway = node.gateway(Place::Shard(0));
        let wait = Wait::new(gateway.clone());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let wakes = || woken.0.load(Ordering::Relaxed);

        for _ in 0..100 {
            wait.goes_on(&waker);
            wait.goes_on(&waker);
            wait.ends();
        }
        wait.goes_on(&waker);
        let [at] = *looks(&gateway) else {
            panic!("one look");
        };

        // The last began later than the first.
        wait.state.lock().due = Some(at + LONG);
        assert_eq!(wait.check(at), Some(at + LONG));
        assert!(!wait.is_long() && wakes() == 0);
        assert_eq!(wait.check(at + LONG), None);
        assert!(wait.is_long() && wakes() == 1);

        wait.ends();
        assert!(!wait.is_long());
        wait.goes_on(&waker);
        assert_eq!(looks(&gateway).len(), 1);
        wait.ends();
        assert_eq!(wait.check(at + 3 * LONG), None);
        assert!(!wait.is_long() && wakes() == 1);
    }
}
