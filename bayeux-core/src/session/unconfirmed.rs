//! Subscriptions that hold here, and that the store has not confirmed.
//!
//! Several writes may be open for one of them: the first that is done confirms it, and it is undone only
//! with the last that is not.

use alloc::collections::BTreeMap;

use crate::channel::ChannelPattern;
use crate::id::StoreTicket;
use crate::session::SessionKey;

/// What is known of each of them. An entry goes with the last of its writes at the latest.
#[derive(Default)]
pub(crate) struct Unconfirmed(BTreeMap<(SessionKey, ChannelPattern), Writes>);

struct Writes {
    /// What was asked for before is about an earlier subscription to the same pattern.
    first: StoreTicket,
    open: usize,
}

impl Unconfirmed {
    /// The store is asked to keep a subscription that is new here.
    pub(crate) fn begin(
        &mut self,
        session: SessionKey,
        pattern: &ChannelPattern,
        first: StoreTicket,
    ) {
        let writes = Writes { first, open: 1 };
        self.0.insert((session, pattern.clone()), writes);
    }

    /// The store is asked once more.
    pub(crate) fn repeat(&mut self, session: SessionKey, pattern: &ChannelPattern) {
        if let Some(writes) = self.0.get_mut(&(session, pattern.clone())) {
            writes.open += 1;
        }
    }

    /// Whether the store may still say no to a subscription that holds here.
    pub(crate) fn contains(&self, session: SessionKey, pattern: &ChannelPattern) -> bool {
        self.0.contains_key(&(session, pattern.clone()))
    }

    /// The store keeps it, by this write.
    pub(crate) fn confirm(
        &mut self,
        session: SessionKey,
        pattern: &ChannelPattern,
        by: StoreTicket,
    ) {
        let key = (session, pattern.clone());
        if self.0.get(&key).is_some_and(|writes| writes.first <= by) {
            self.0.remove(&key);
        }
    }

    /// This write has failed; whether it was the last that could confirm the subscription.
    pub(crate) fn fail(
        &mut self,
        session: SessionKey,
        pattern: &ChannelPattern,
        by: StoreTicket,
    ) -> bool {
        let key = (session, pattern.clone());
        let Some(writes) = self.0.get_mut(&key).filter(|writes| writes.first <= by) else {
            return false;
        };
        writes.open = writes.open.saturating_sub(1);
        let is_last = writes.open == 0;
        if is_last {
            self.0.remove(&key);
        }
        is_last
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
