//! What the store still has to be told: it was out of reach, or may not have done what it was asked.
//!
//! A session that has ended or was given back here leaves the store sooner or later, and so does a
//! subscription that its client was told it does not have. What is asked again does no harm if it was
//! done before, and goes ahead of what is asked about the same session later.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::channel::ChannelPattern;
use crate::id::SessionId;
use crate::session::SessionKey;
use crate::store::{Fence, Position, StoreReply, StoreRequest};
use crate::tickets::StoreUse;
use crate::time::Instant;
use crate::timer::Alarm;
use crate::turn::Turn;

/// How much of each kind the store is told at a time, and how long it is then given.
const AT_ONCE: usize = 256;
const A_LITTLE: Duration = Duration::from_millis(100);

/// How a session has left this engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parting {
    /// It has ended.
    Ended,
    /// It is there for any engine, with what its client has up to here.
    Released(Position),
}

/// All that is owed.
#[derive(Default)]
pub(crate) struct Debts {
    partings: BTreeMap<SessionId, (Fence, Parting)>,
    withdrawals: BTreeMap<SessionKey, BTreeSet<ChannelPattern>>,
    /// When it is tried again.
    again: Option<Instant>,
}

impl Debts {
    /// A session is here again: its parting is void. Says what the store has not heard of that.
    pub(crate) fn returns(&mut self, session: SessionId) -> Option<Parting> {
        let (_, parting) = self.partings.remove(&session)?;
        Some(parting)
    }

    /// A session is subscribed after all.
    pub(crate) fn is_subscribed(&mut self, session: SessionKey, pattern: &ChannelPattern) {
        let Some(patterns) = self.withdrawals.get_mut(&session) else {
            return;
        };
        patterns.remove(pattern);
        if patterns.is_empty() {
            self.withdrawals.remove(&session);
        }
    }

    /// A session is gone, and what was to be withdrawn from it.
    pub(crate) fn forget(&mut self, session: SessionKey) {
        self.withdrawals.remove(&session);
    }

    pub(crate) fn len(&self) -> usize {
        self.partings.len() + self.withdrawals.values().map(BTreeSet::len).sum::<usize>()
    }
}

impl Turn<'_> {
    /// Tells the store how a session has left this engine, now or when it can be told.
    pub(crate) fn part_with(&mut self, session: SessionId, fence: Fence, parting: Parting) {
        if self.log.is_down() {
            return self.owe_parting(session, fence, parting);
        }
        let request = match parting {
            Parting::Ended => StoreRequest::End { session, fence },
            Parting::Released(cursor) => StoreRequest::Release {
                session,
                fence,
                cursor,
            },
        };
        let what = StoreUse::Parting {
            session,
            fence,
            parting,
        };
        self.store(request, what);
    }

    /// The store was told of a parting, or may not have been.
    pub(crate) fn parted(
        &mut self,
        session: SessionId,
        fence: Fence,
        parting: Parting,
        reply: &StoreReply,
    ) {
        if matches!(reply, StoreReply::Failed) {
            self.owe_parting(session, fence, parting);
        }
    }

    fn owe_parting(&mut self, session: SessionId, fence: Fence, parting: Parting) {
        // Those that were here, and those that were about to begin.
        let limits = &self.config.limits;
        let most = limits.max_sessions.saturating_add(limits.max_connections);
        let here = self
            .sessions
            .find(session)
            .and_then(|key| self.sessions.get(key));
        // One that has come back meanwhile is not to be taken from under its client.
        let is_back = here.is_some_and(|session| !session.is_leaving());
        if is_back || self.debts.partings.len() >= most {
            return;
        }
        self.debts.partings.insert(session, (fence, parting));
        self.try_again(self.config.store_timeout);
    }

    /// A session is asked for that has left this engine: what the store does not know of that comes first.
    pub(crate) fn part_before(&mut self, session: SessionId) {
        if let Some((fence, parting)) = self.debts.partings.remove(&session) {
            self.part_with(session, fence, parting);
        }
    }

    /// Takes from the store's record what it may have although the session does not.
    pub(crate) fn withdraw(&mut self, key: SessionKey, patterns: Vec<ChannelPattern>) {
        let Some(session) = self.sessions.get(key).filter(|_| !patterns.is_empty()) else {
            return;
        };
        let (id, fence) = (session.id, session.fence);
        if self.log.is_down() {
            return self.owe_withdrawal(key, patterns);
        }
        let request = StoreRequest::Unsubscribe {
            session: id,
            fence,
            patterns: patterns.clone(),
        };
        let what = StoreUse::Withdrawal {
            session: key,
            patterns,
        };
        self.store(request, what);
    }

    /// The store has withdrawn subscriptions, or may not have.
    pub(crate) fn withdrawn(
        &mut self,
        key: SessionKey,
        patterns: Vec<ChannelPattern>,
        reply: &StoreReply,
    ) {
        if matches!(reply, StoreReply::Failed) {
            self.owe_withdrawal(key, patterns);
        }
    }

    fn owe_withdrawal(&mut self, key: SessionKey, patterns: Vec<ChannelPattern>) {
        if self.sessions.get(key).is_none() {
            return;
        }
        let most = self.config.limits.max_subscriptions;
        for pattern in patterns {
            // It may have been subscribed to since, which the store was asked for later.
            if self.has_subscription(key, &pattern) {
                continue;
            }
            let patterns = self.debts.withdrawals.entry(key).or_default();
            // A client that goes on asking for what fails is not to fill the memory.
            if patterns.len() < most {
                patterns.insert(pattern);
            }
        }
        self.try_again(self.config.store_timeout);
    }

    /// Lets what is owed be tried again after a while, or once the store is back.
    fn try_again(&mut self, after: Duration) {
        if self.debts.again.is_none() && !self.log.is_down() && self.debts.len() > 0 {
            let at = self.now + after;
            self.debts.again = Some(at);
            self.timers.set(at, Alarm::Debts);
        }
    }

    /// The store may be told now what it has not heard; not all of it at once.
    pub(crate) fn pay_debts(&mut self) {
        if let Some(at) = self.debts.again.take() {
            self.timers.clear(at, Alarm::Debts);
        }
        if self.log.is_down() {
            return;
        }
        for _ in 0..AT_ONCE {
            let Some((session, (fence, parting))) = self.debts.partings.pop_first() else {
                break;
            };
            self.part_with(session, fence, parting);
        }
        for _ in 0..AT_ONCE {
            let Some((session, patterns)) = self.debts.withdrawals.pop_first() else {
                break;
            };
            self.withdraw(session, patterns.into_iter().collect());
        }
        self.try_again(A_LITTLE);
    }
}
