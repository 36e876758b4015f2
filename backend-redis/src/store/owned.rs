//! The sessions that the engines of this node have, as far as the store was told.
//!
//! They are kept alive in Redis, and proved to be still ours after an outage.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bayeux_core::{BrowserId, Fence, Instant, SessionId, SessionRecord};

/// A session, and the engine that has it.
pub(super) type Holding = (SessionId, u32);

#[derive(Default)]
pub(super) struct Owned {
    all: BTreeMap<Holding, Hold>,
    /// By when their keys are to be kept alive.
    due: BTreeSet<(Instant, Holding)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) fence: Fence,
    /// How often its subscriptions were changed, as far as Redis has said so.
    pub(super) version: u64,
    /// How long Redis keeps it untouched: it is touched before a quarter of that is over.
    pub(super) ttl: Duration,
    /// The browser whose cookie has come back, as far as Redis has said that it knows.
    pub(super) bound: Option<BrowserId>,
    due: Instant,
}

impl Hold {
    pub(super) fn new(fence: Fence, version: u64, ttl: Duration, record: &SessionRecord) -> Self {
        Self {
            fence,
            version,
            ttl,
            bound: record.browser.filter(|_| record.bound),
            due: Instant::EPOCH,
        }
    }
}

impl Owned {
    pub(super) fn insert(&mut self, now: Instant, holding: Holding, hold: Hold) {
        self.remove(holding);
        let due = now + hold.ttl / 4;
        self.all.insert(holding, Hold { due, ..hold });
        self.due.insert((due, holding));
    }

    /// The cookie of this browser has come back.
    pub(super) fn bound(&mut self, holding: Holding, browser: BrowserId) {
        if let Some(hold) = self.all.get_mut(&holding) {
            hold.bound = Some(browser);
        }
    }

    /// It was changed, so many times by now.
    pub(super) fn changed(&mut self, holding: Holding, version: u64) {
        if let Some(hold) = self.all.get_mut(&holding) {
            hold.version = hold.version.max(version);
        }
    }

    pub(super) fn get(&self, holding: Holding) -> Option<Hold> {
        self.all.get(&holding).copied()
    }

    pub(super) fn remove(&mut self, holding: Holding) {
        if let Some(hold) = self.all.remove(&holding) {
            self.due.remove(&(hold.due, holding));
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (Holding, Hold)> {
        self.all.iter().map(|(holding, hold)| (*holding, *hold))
    }

    /// The next one whose key is to be kept alive; it is due again later.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<(Holding, Duration)> {
        let (due, holding) = self.due.first().copied().filter(|(due, _)| *due <= now)?;
        let hold = self.all.get_mut(&holding)?;
        self.due.remove(&(due, holding));
        hold.due = now + hold.ttl / 4;
        self.due.insert((hold.due, holding));
        Some((holding, hold.ttl))
    }
}
