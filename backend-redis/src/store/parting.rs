//! Sessions without acknowledgement that have come while their former owner was alive: it is given a moment
//! to say how far they had come, so that what waited for them there is not lost.

use std::collections::BTreeMap;

use super::*;

/// How long a claim waits for the former owner.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Partings {
    /// What engines of this node have claimed.
    waiting: BTreeMap<Holding, Waiter>,
    /// What was taken from them: the node that wants to know how far it had come.
    asked: BTreeMap<(SessionId, Fence), (Instant, Box<str>)>,
}

/// A claim that is not answered yet.
struct Waiter {
    asker: Asker,
    record: Box<SessionRecord>,
    due: Instant,
}

impl RedisStore {
    /// A session has come from an owner that lives: the claim is answered when that has spoken.
    pub(super) fn await_parting(&mut self, asker: Asker, record: Box<SessionRecord>) {
        let due = self.now + PATIENCE;
        let waiter = Waiter { asker, record, due };
        let holding = (waiter.record.session, asker.0);
        self.partings.waiting.insert(holding, waiter);
    }

    /// When a claim has waited for long enough.
    pub(super) fn parting_due(&self) -> Option<Instant> {
        self.partings
            .waiting
            .values()
            .map(|waiter| waiter.due)
            .min()
    }

    /// Answers the claims that have waited for long enough, and forgets who need not be told any more.
    ///
    /// Who has said nothing until now gives nothing out that came after the claim: it reads its letters first.
    pub(super) fn end_partings(&mut self) {
        let now = self.now;
        let late = self
            .partings
            .waiting
            .iter()
            .filter(|(_, waiter)| waiter.due <= now);
        let late: Vec<_> = late
            .map(|(holding, waiter)| (*holding, waiter.record.end))
            .collect();
        for (holding, end) in late {
            self.parted(holding, Some(end));
        }
        self.partings.asked.retain(|_, (due, _)| *due > now);
    }

    /// The former owner has spoken, or the claim waits no longer.
    pub(super) fn parted(&mut self, holding: Holding, cursor: Option<Position>) {
        let Some(mut waiter) = self.partings.waiting.remove(&holding) else {
            return;
        };
        waiter.record.released = cursor.or(waiter.record.released);
        self.seats
            .reply(waiter.asker, StoreReply::Claimed(waiter.record));
        self.arrived(holding);
    }

    /// A letter from the former owner of a session that was claimed under this fence.
    pub(super) fn heard_parting(&mut self, session: SessionId, fence: Fence, cursor: Position) {
        let mut waiting = self.partings.waiting.iter();
        let claimed =
            waiting.find(|((known, _), waiter)| *known == session && waiter.record.fence == fence);
        if let Some((holding, _)) = claimed {
            let holding = *holding;
            self.parted(holding, Some(cursor));
        }
    }

    /// All claims that wait have failed.
    pub(super) fn partings_failed(&mut self) {
        for (holding, waiter) in std::mem::take(&mut self.partings.waiting) {
            self.owned.remove(holding);
            self.claim_failed(waiter.asker, holding.0);
        }
    }

    /// An engine here was told that a session is another's, which wants to know how far it had come.
    pub(super) fn is_asked_to_part(&mut self, session: SessionId, fence: Fence, asker: Box<str>) {
        let due = self.now + PATIENCE;
        self.partings.asked.insert((session, fence), (due, asker));
    }

    pub(super) fn part(
        &mut self,
        asker: Asker,
        session: SessionId,
        fence: Fence,
        cursor: Position,
    ) {
        let Some((_, node)) = self.partings.asked.remove(&(session, fence)) else {
            self.seats.reply(asker, StoreReply::Done);
            return;
        };
        let letter = letter::parting(session, fence, cursor);
        let words = self.letter_to(&node, letter);
        self.order(Purpose::Write(asker), words);
    }
}
