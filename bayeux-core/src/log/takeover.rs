//! Sessions that come from another engine, and those that go to one.
//!
//! What the log has for a session from before it came is read back and stands before what has come
//! since; while it is read, none of it leaves.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::debts::Parting;
use crate::id::SessionId;
use crate::io::CloseReason;
use crate::report::{Removal, ReportKind};
use crate::session::{Reading, Session, SessionKey, Takeover};
use crate::store::{
    Destination, Echo, Entry, Fence, Position, SessionRecord, StoreReply, StoreRequest,
    StoredSubscription,
};
use crate::tickets::StoreUse;
use crate::turn::Turn;

/// The fence of a session that has changed hands once.
const FIRST_MOVE: Fence = Fence(2);

impl Turn<'_> {
    /// A session comes from another engine. Without acknowledgement it goes on where it was let go
    /// of, or here; with it, where its client says with its next connect.
    pub(crate) fn claimed(&mut self, mut record: SessionRecord) -> SessionKey {
        self.counters.sessions_claimed += 1;
        if let Some(key) = self.sessions.find(record.session) {
            // It was here all the time, and has a new fence.
            if let Some(session) = self.sessions.get_mut(key) {
                session.fence = record.fence;
            }
            return key;
        }
        match self.debts.returns(record.session) {
            // What the store has kept of an earlier release was given out here meanwhile.
            Some(Parting::Ended) => record.released = None,
            Some(Parting::Released(cursor)) => record.released = Some(cursor),
            None => {}
        }
        let seen = self.log.seen;
        let (id, acknowledged) = (record.session, record.settings.acknowledged);
        // Whoever had it and died may have been ahead of this engine.
        let here = record.end.max(seen);
        let released = record
            .released
            .unwrap_or(if acknowledged { record.start } else { here });
        let subscriptions = record.subscriptions.clone();
        let floor = subscriptions.iter().map(|s| s.since).max();
        // Who had it from its handshake on may not have answered it a connect (CN-2). With acknowledgement
        // clients ask for that answer themselves.
        let connected = acknowledged || record.fence > FIRST_MOVE;
        let mut session = Session::new(record, self.now, seen);
        session.connected = connected;
        session.acknowledged = released;
        session.make_special().takeover = Takeover {
            floor: floor.unwrap_or_default(),
            reading: None,
            unread: acknowledged.then_some(seen),
        };
        if !acknowledged {
            session.received = released.max(seen);
        }
        let key = self.sessions.insert(session);
        for subscription in &subscriptions {
            self.add_subscription(key, &subscription.pattern, subscription.since);
        }
        let timings = self.timings(key);
        self.start_clock(key, timings.until_expiry());
        self.start_admission(key);
        self.report(ReportKind::SessionCreated(id));
        if !acknowledged && released < seen {
            self.read_back(key, released, seen);
        }
        key
    }

    /// The client of a claimed session connects: what it has not, by the number that it presents, is
    /// read from the log (AK-7).
    pub(crate) fn read_unread(&mut self, key: SessionKey, presented: Option<u64>) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let special = session.special_mut();
        let Some(until) = special.and_then(|special| special.takeover.unread.take()) else {
            return;
        };
        if let Some(number) = presented {
            session.acknowledged = session.start.plus(number).min(until).max(session.start);
        }
        let after = session.acknowledged;
        if after < until {
            self.read_back(key, after, until);
        }
    }

    fn read_back(&mut self, key: SessionKey, after: Position, until: Position) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let subscriptions = session.subscriptions.iter().filter_map(|subscribed| {
            let channel = self.channels.get(subscribed.channel)?;
            Some(StoredSubscription {
                pattern: channel.pattern.clone(),
                since: subscribed.since,
            })
        });
        let read = StoreRequest::Read {
            session: session.id,
            subscriptions: subscriptions.collect(),
            after,
            until,
            limit: self.config.limits.max_queued_events,
        };
        let ticket = self.store(read, StoreUse::Read(key));
        if let Some(session) = self.sessions.get_mut(key) {
            session.make_special().takeover.reading = Some(Reading { ticket, after });
        }
    }

    /// What the log had for a session that was claimed.
    pub(crate) fn read(&mut self, key: SessionKey, reply: StoreReply) {
        match reply {
            StoreReply::Entries(entries) => self.read_entries(key, entries),
            StoreReply::Gap | StoreReply::Unknown => self.expel(key, Removal::Gap),
            StoreReply::Done
            | StoreReply::Appended(_)
            | StoreReply::Claimed(_)
            | StoreReply::Unowned
            | StoreReply::Fenced
            | StoreReply::Answered(_)
            | StoreReply::Failed => self.read_failed(key),
        }
    }

    /// Puts what was read before what has come since.
    fn read_entries(&mut self, key: SessionKey, entries: Vec<Entry>) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let (own, later) = (session.id, session.queue.lift());
        for entry in entries {
            let (rule, echo) = match &entry.to {
                Destination::Channel(name) => self.rules_for(name),
                Destination::Session(_) => (None, None),
            };
            let quiet = entry.echo == Echo::ToOthers || echo == Some(Echo::ToOthers);
            if !quiet || entry.origin != Some(own) {
                let lazy = self.lazy_for(entry.laziness, rule);
                self.enqueue(key, entry.position, &Arc::new(entry.event), lazy);
            }
        }
        for queued in later {
            if self.has_room(key, queued.position, &queued.event)
                && let Some(session) = self.sessions.get_mut(key)
            {
                session.queue.push(queued);
            }
        }
        self.read_is_done(key);
    }

    fn read_is_done(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if let Some(special) = session.special_mut() {
            special.takeover.reading = None;
        }
        self.end_awaiting(key);
        self.wake(key);
    }

    /// Lets the connect go on that waited for what was read, once the first of it is decided on: a connect that
    /// cannot be held would leave without it, and the next may take the session elsewhere.
    pub(super) fn end_awaiting(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.reading().is_some() || session.queue.is_undecided_in_front() {
            return;
        }
        let special = session.special_mut();
        if let Some(request) = special.and_then(|special| special.awaiting.take()) {
            self.advance(request);
        }
    }

    /// The log could not be read: the session is given back for whoever can (ER-7).
    fn read_failed(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let (id, fence, cursor) = (session.id, session.fence, session.acknowledged);
        let connecting = session.connecting();
        if let Some(connection) = self.connection_of(connecting) {
            self.close(connection, CloseReason::Unavailable);
        }
        self.remove(key, Removal::Released);
        self.part_with(id, fence, Parting::Released(cursor));
    }

    /// Another engine has claimed a session of this one.
    pub(super) fn taken(&mut self, id: SessionId, fence: Fence) {
        let Some(key) = self.sessions.find(id) else {
            return;
        };
        let Some(session) = self
            .sessions
            .get(key)
            .filter(|session| session.fence < fence)
        else {
            return;
        };
        let in_flight = session.in_flight;
        let connects = session.connects();
        if !session.settings.acknowledged {
            let cursor = session.reached(self.log.seen);
            let part = StoreRequest::Part {
                session: id,
                fence,
                cursor,
            };
            self.store(part, StoreUse::Nothing);
        }
        let held = self.end_hold(key).map(|hold| hold.connection);
        let connecting = connects
            .into_iter()
            .filter_map(|request| self.connection_of(Some(request)));
        for connection in Vec::from_iter(connecting.chain(held)) {
            self.let_go_of(connection, None);
        }
        // Nothing more is sent: what is in flight is cut off where that is still possible.
        if let Some(connection) = in_flight {
            self.close(connection, CloseReason::Superseded);
        }
        self.remove(key, Removal::Taken);
    }
}
