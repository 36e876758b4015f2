//! Claims that wait until the former owner has said how far it had come, as those in Redis do.
//!
//! A session without acknowledgement goes on where it was if its owner says so in time; if not, where its
//! new owner stands.

use std::collections::BTreeMap;
use std::time::Duration;

use bayeux_core::{Fence, Position, SessionId, SessionRecord, StoreReply, StoreTicket};

use super::world::{Happening, World};

/// How long a claim waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// The claims that wait, by session.
pub(super) type Partings = BTreeMap<SessionId, Claim>;

/// A claim that was granted, and of which its node has not heard.
pub(super) struct Claim {
    life: u64,
    ticket: StoreTicket,
    record: Box<SessionRecord>,
}

impl World {
    /// A claim was granted: it waits, if there is somebody to wait for.
    pub(super) fn is_claimed(
        &mut self,
        life: u64,
        ticket: StoreTicket,
        record: Box<SessionRecord>,
        before: Option<u64>,
    ) {
        let before = before.filter(|before| *before != life && self.store.is_there(*before));
        let waits = !record.settings.acknowledged && record.released.is_none();
        if before.is_none() || !waits {
            self.answer_store(life, ticket, StoreReply::Claimed(record));
            return;
        }
        let (session, fence) = (record.session, record.fence);
        let claim = Claim {
            life,
            ticket,
            record,
        };
        self.store.partings.insert(session, claim);
        self.after(PATIENCE, Happening::Parted { session, fence });
    }

    /// The former owner has said how far it had come.
    pub(super) fn parts(&mut self, session: SessionId, fence: Fence, cursor: Position) {
        let claim = self.store.partings.get_mut(&session);
        if let Some(claim) = claim.filter(|claim| claim.record.fence == fence) {
            claim.record.released = Some(cursor);
            self.has_parted(session, fence);
        }
    }

    /// It has, or it has not in time.
    pub(super) fn has_parted(&mut self, session: SessionId, fence: Fence) {
        let claims = &mut self.store.partings;
        if claims
            .get(&session)
            .is_none_or(|claim| claim.record.fence != fence)
        {
            return;
        }
        if let Some(claim) = claims.remove(&session) {
            self.answer_store(claim.life, claim.ticket, StoreReply::Claimed(claim.record));
        }
    }

    /// Somebody else asks for the session: whoever waits for it hears of it first.
    pub(super) fn part_now(&mut self, session: SessionId) {
        let fence = self.store.partings.get(&session).map(|c| c.record.fence);
        if let Some(fence) = fence {
            self.has_parted(session, fence);
        }
    }

    /// A node does not hear any more what it has claimed.
    pub(super) fn give_up_claims(&mut self, life: u64) {
        let claims = self.store.partings.iter();
        let mine: Vec<SessionId> = claims
            .filter(|(_, claim)| claim.life == life)
            .map(|(session, _)| *session)
            .collect();
        for session in mine {
            self.store.partings.remove(&session);
            self.disown(session);
        }
    }
}
