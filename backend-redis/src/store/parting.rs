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

/// Claims of one session that are not answered yet.
struct Waiter {
    askers: Vec<Asker>,
    /// What the last of them that moved the session was given.
    record: Box<SessionRecord>,
    due: Instant,
}

impl RedisStore {
    /// A session has come: the claim is answered when its former owner has spoken, if that `may_speak`, and so is
    /// one that was done while another waits for that.
    pub(super) fn await_parting(
        &mut self,
        asker: Asker,
        record: Box<SessionRecord>,
        may_speak: bool,
    ) {
        let holding = (record.session, asker.0);
        let mut askers = Vec::new();
        if let Some(waiter) = self.partings.waiting.get_mut(&holding) {
            if waiter.record.fence == record.fence {
                waiter.askers.push(asker);
                return;
            }
            askers = std::mem::take(&mut waiter.askers);
        }
        askers.push(asker);
        let waiter = Waiter {
            askers,
            record,
            due: self.now + PATIENCE,
        };
        self.partings.waiting.insert(holding, waiter);
        if !may_speak {
            self.parted(holding, None);
        }
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
        for asker in &waiter.askers {
            let record = waiter.record.clone();
            self.seats.reply(*asker, StoreReply::Claimed(record));
        }
        for _ in waiter.askers {
            self.arrived(holding);
        }
    }

    /// A session that has come has gone on, under this fence: the claim waits for nobody any more.
    pub(super) fn parted_before(&mut self, holding: Holding, fence: Fence) {
        let waiter = self.partings.waiting.get(&holding);
        if waiter.is_some_and(|waiter| waiter.record.fence < fence) {
            self.parted(holding, None);
        }
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
            for asker in waiter.askers {
                self.claim_failed(asker, holding.0);
            }
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
