//! The table of sessions: who owns each of them, under which fence, and until when nobody may.
//!
//! A session is in `unowned` exactly if it has no owner; an owner is always an attached node.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use crate::channel::ChannelPattern;
use crate::id::{BrowserId, SessionId};
use crate::named::{ByName, Named};
use crate::store::{Access, Fence, Position, SessionRecord, SessionSettings, StoredSubscription};
use crate::time::Instant;

use super::{NodeId, STEP};

/// Up to so many subscriptions are kept without room for more.
const FEW: usize = 4;

#[derive(Default)]
pub(super) struct Sessions {
    table: ByName<Held>,
    /// By when they are forgotten.
    unowned: BTreeSet<(Instant, SessionId)>,
}

struct Held {
    owner: Owner,
    record: SessionRecord,
}

impl Named for Held {
    type Name = SessionId;

    fn name(&self) -> SessionId {
        self.record.session
    }
}

/// Who may speak for a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// The engine that opened or claimed it.
    Node(NodeId),
    /// Nobody, since its owner released it or died; it is forgotten when it `expires`.
    Nobody { expires: Instant },
}

/// What a claim changed.
pub(super) struct Claimed {
    pub(super) record: Box<SessionRecord>,
    /// The other node that owned it, if one did.
    pub(super) former: Option<NodeId>,
}

/// Why nothing was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stale;

impl Sessions {
    /// Keeps a new session under the first fence.
    pub(super) fn open(
        &mut self,
        now: Instant,
        node: NodeId,
        mut record: SessionRecord,
    ) -> Result<(), Stale> {
        if self.owner(now, record.session).is_some() {
            return Err(Stale);
        }
        self.forget(record.session);
        let given = core::mem::take(&mut record.subscriptions);
        record.released = None;
        record.fence = Fence(1);
        for StoredSubscription { pattern, since } in given {
            add(&mut record.subscriptions, pattern, since);
        }
        self.table.insert(Held {
            owner: Owner::Node(node),
            record,
        });
        Ok(())
    }

    /// Makes `node` the owner; `None` if there is no such session, or it does not admit `access`.
    pub(super) fn claim(
        &mut self,
        now: Instant,
        node: NodeId,
        session: SessionId,
        access: Access,
        end: Position,
    ) -> Option<Claimed> {
        let owner = self.owner(now, session)?;
        let held = self.table.get_mut(session)?;
        if !held.record.admits(access) {
            return None;
        }
        held.owner = Owner::Node(node);
        let former = match owner {
            Owner::Node(former) if former == node => None,
            Owner::Node(former) => {
                held.record.fence.0 += 1;
                held.record.released = None;
                Some(former)
            }
            Owner::Nobody { expires } => {
                held.record.fence.0 += 1;
                self.unowned.remove(&(expires, session));
                None
            }
        };
        held.record.end = end;
        Some(Claimed {
            record: Box::new(held.record.clone()),
            former,
        })
    }

    /// Notes that the cookie of this browser has come back.
    pub(super) fn bind(
        &mut self,
        now: Instant,
        session: SessionId,
        fence: Fence,
        browser: BrowserId,
    ) -> Result<(), Stale> {
        let record = &mut self.under(now, session, fence)?.record;
        record.browser = Some(browser);
        record.bound = true;
        Ok(())
    }

    /// Adds subscriptions; an older `since` stays.
    pub(super) fn subscribe(
        &mut self,
        now: Instant,
        session: SessionId,
        fence: Fence,
        patterns: Vec<ChannelPattern>,
        since: Position,
    ) -> Result<(), Stale> {
        let held = self.under(now, session, fence)?;
        let subscriptions = &mut held.record.subscriptions;
        if subscriptions.len() < FEW {
            // Most sessions never have more.
            subscriptions.reserve_exact(patterns.len());
        }
        for pattern in patterns {
            add(subscriptions, pattern, since);
        }
        Ok(())
    }

    /// Takes subscriptions away.
    pub(super) fn unsubscribe(
        &mut self,
        now: Instant,
        session: SessionId,
        fence: Fence,
        patterns: &[ChannelPattern],
    ) -> Result<(), Stale> {
        let subscriptions = &mut self.under(now, session, fence)?.record.subscriptions;
        for pattern in patterns {
            if let Ok(index) = find(subscriptions, pattern) {
                subscriptions.remove(index);
            }
        }
        Ok(())
    }

    /// Lets go of a session.
    pub(super) fn release(
        &mut self,
        now: Instant,
        session: SessionId,
        fence: Fence,
        cursor: Position,
        ttl: Duration,
    ) -> Result<(), Stale> {
        let held = self.under(now, session, fence)?;
        held.record.released = Some(cursor);
        let before = held.owner;
        held.owner = Owner::Nobody {
            expires: now + lifetime(ttl, &held.record.settings),
        };
        let after = held.owner;
        self.index(session, before, after);
        Ok(())
    }

    /// Forgets a session. One that is not there is forgotten already.
    pub(super) fn end(
        &mut self,
        now: Instant,
        session: SessionId,
        fence: Fence,
    ) -> Result<(), Stale> {
        if self.owner(now, session).is_some() {
            self.under(now, session, fence)?;
            self.forget(session);
        }
        Ok(())
    }

    /// Leaves what `node` owned without an owner. The one walk over all sessions there is.
    pub(super) fn orphan(&mut self, now: Instant, ttl: Duration, node: NodeId) {
        let all = self.table.iter_mut();
        for held in all.filter(|held| held.owner == Owner::Node(node)) {
            let expires = now + lifetime(ttl, &held.record.settings);
            held.record.released = None;
            held.owner = Owner::Nobody { expires };
            self.unowned.insert((expires, held.record.session));
        }
    }

    /// Forgets a few of those whose time is over.
    pub(super) fn sweep(&mut self, now: Instant) {
        for _ in 0..STEP {
            match self.unowned.first() {
                Some((expires, session)) if *expires <= now => self.forget(*session),
                _ => return,
            }
        }
    }

    /// Who owns it; `None` if there is no such session, or its time is over.
    pub(super) fn owner(&self, now: Instant, session: SessionId) -> Option<Owner> {
        let held = self.table.get(session)?;
        (!held.is_over(now)).then_some(held.owner)
    }

    /// Whether `fence` is the one that the session is held under.
    pub(super) fn is_current(&self, now: Instant, session: SessionId, fence: Fence) -> bool {
        self.table
            .get(session)
            .is_some_and(|held| held.is_under(now, fence))
    }

    pub(super) fn record(&self, session: SessionId) -> Option<&SessionRecord> {
        self.table.get(session).map(|held| &held.record)
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    fn under(
        &mut self,
        now: Instant,
        session: SessionId,
        fence: Fence,
    ) -> Result<&mut Held, Stale> {
        let held = self.table.get_mut(session);
        held.filter(|held| held.is_under(now, fence)).ok_or(Stale)
    }

    fn forget(&mut self, session: SessionId) {
        if let Some(Held {
            owner: Owner::Nobody { expires },
            ..
        }) = self.table.remove(session)
        {
            self.unowned.remove(&(expires, session));
        }
    }

    fn index(&mut self, session: SessionId, before: Owner, after: Owner) {
        if let Owner::Nobody { expires } = before {
            self.unowned.remove(&(expires, session));
        }
        if let Owner::Nobody { expires } = after {
            self.unowned.insert((expires, session));
        }
    }
}

impl Held {
    fn is_over(&self, now: Instant) -> bool {
        matches!(self.owner, Owner::Nobody { expires } if expires <= now)
    }

    fn is_under(&self, now: Instant, fence: Fence) -> bool {
        self.record.fence == fence && !self.is_over(now)
    }
}

/// How long a session without an owner is kept: twice what may pass between two of its connects, if
/// that is more than usual.
fn lifetime(ttl: Duration, settings: &SessionSettings) -> Duration {
    let own = [settings.timeout, settings.interval, settings.max_interval];
    let own = own
        .into_iter()
        .flatten()
        .fold(Duration::ZERO, Duration::saturating_add);
    ttl.max(own.saturating_mul(2))
}

/// Adds one to subscriptions that are in the order of their patterns.
fn add(subscriptions: &mut Vec<StoredSubscription>, pattern: ChannelPattern, since: Position) {
    match find(subscriptions, &pattern) {
        Ok(index) => {
            if let Some(known) = subscriptions.get_mut(index) {
                known.since = known.since.min(since);
            }
        }
        Err(index) => subscriptions.insert(index, StoredSubscription { pattern, since }),
    }
}

fn find(subscriptions: &[StoredSubscription], pattern: &ChannelPattern) -> Result<usize, usize> {
    subscriptions.binary_search_by(|known| known.pattern.cmp(pattern))
}
