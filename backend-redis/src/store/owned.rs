//! The sessions that the engines of this node have, as far as the store was told.
//!
//! They are kept alive in Redis, and proved to be still ours after an outage.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bayeux_core::{Fence, Instant, SessionId};

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
    /// How long it is kept when nobody has it.
    ttl: Duration,
    due: Instant,
}

impl Hold {
    /// How long Redis keeps it untouched: it is touched before a third of that is over.
    pub(super) fn life(self) -> Duration {
        self.ttl + self.ttl / 2
    }
}

impl Owned {
    pub(super) fn insert(&mut self, now: Instant, holding: Holding, fence: Fence, ttl: Duration) {
        self.remove(holding);
        let due = now + ttl / 2;
        self.all.insert(holding, Hold { fence, ttl, due });
        self.due.insert((due, holding));
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
        hold.due = now + hold.ttl / 2;
        self.due.insert((hold.due, holding));
        Some((holding, hold.life()))
    }
}
