//! A shutdown: how an engine lets go of everything (TM-11, DE-7).
//!
//! Held connects are answered over a window; at its end every session is given back to the store with
//! the position that its client has reached. Once none is left, `Drained` is reported.

use core::time::Duration;

use crate::id::ConnectionId;
use crate::io::{CloseReason, Output};
use crate::message::Advice;
use crate::meta::millis;
use crate::report::{Removal, ReportKind};
use crate::session::{SessionKey, State};
use crate::store::StoreRequest;
use crate::tickets::StoreUse;
use crate::time::Instant;
use crate::timer::Alarm;
use crate::turn::Turn;

/// How long a shutdown waits, after its window, for what is still in flight.
const LAST_WRITES: Duration = Duration::from_secs(1);

impl Turn<'_> {
    /// TM-11, DE-7: held connects are answered over a window; then every session is let go of.
    pub(crate) fn drain(&mut self, over: Duration) {
        if self.draining.is_some() {
            return;
        }
        // What is ready says nothing of the end, so it is not the last on its connection.
        self.build_all();
        let end = self.now + over;
        self.draining = Some(end);
        self.timers.set(end, Alarm::Drain);
        for key in self.sessions.keys() {
            let later = Duration::from_millis(self.entropy.below(millis(over).max(1)));
            let at = self.now + later;
            let Some(session) = self.sessions.get_mut(key) else {
                continue;
            };
            if let State::Held(hold) = &mut session.state {
                let before = core::mem::replace(&mut hold.until, at);
                self.timers.clear(before, Alarm::Session(key));
                self.timers.set(at, Alarm::Session(key));
            }
        }
    }

    /// The window is over: what is ready leaves, and every session is given back; those that have
    /// events in flight once it is known whether these have arrived.
    pub(crate) fn drained(&mut self) {
        self.draining = Some(self.now);
        self.build_all();
        for key in self.sessions.keys() {
            let in_flight = self.sessions.get(key).and_then(|session| session.in_flight);
            if in_flight.is_some() {
                self.landing.insert(key);
            } else {
                self.let_go(key);
            }
        }
        for connection in self.connections.duplexes() {
            self.finish_duplex(connection);
        }
        let patience = self.now + LAST_WRITES;
        if !self.landing.is_empty() {
            self.timers.set(patience, Alarm::Landing);
        }
        self.check_drained();
    }

    /// Builds what waits to be built when it is polled.
    fn build_all(&mut self) {
        while let Some(connection) = self.outbox.due.pop_front() {
            if let Some(batch) = self.build(connection) {
                self.outbox.push(Output::Send { connection, batch });
            }
        }
    }

    /// What is still in flight after a shutdown has had its time.
    pub(crate) fn cut_landing(&mut self) {
        for key in self.landing.clone() {
            let in_flight = self.sessions.get(key).and_then(|session| session.in_flight);
            if let Some(connection) = in_flight {
                self.close(connection, CloseReason::Shutdown);
            }
        }
    }

    /// Gives a session back to the store, with the exact position that its client has.
    fn let_go(&mut self, key: SessionKey) {
        let seen = self.log.seen();
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        if session.is_local() {
            return;
        }
        if session.is_leaving() {
            return self.remove(key, Removal::Released);
        }
        let connects = session.connects();
        let (session_id, fence) = (session.id, session.fence);
        let cursor = session.reached(seen);
        if !self.log.is_down() {
            let release = StoreRequest::Release {
                session: session_id,
                fence,
                cursor,
            };
            self.releasing += 1;
            self.store(release, StoreUse::Release);
        }
        for request in connects {
            if let Some(connection) = self.connection_of(Some(request)) {
                self.close(connection, CloseReason::Shutdown);
            }
        }
        self.remove(key, Removal::Released);
    }

    /// The store has a session back.
    pub(crate) fn released(&mut self) {
        self.releasing = self.releasing.saturating_sub(1);
        self.check_drained();
    }

    fn finish_duplex(&mut self, connection: ConnectionId) {
        let Some(entry) = self.connections.get(connection) else {
            return;
        };
        if !entry.local {
            self.close(connection, CloseReason::Shutdown);
        }
    }

    /// Nothing of a session is in flight any more.
    pub(crate) fn has_landed(&mut self, key: SessionKey) {
        if self.landing.contains(&key) {
            self.let_go(key);
        }
    }

    /// A session was removed: perhaps the last one that a shutdown waits for.
    pub(crate) fn has_gone(&mut self, key: SessionKey) {
        if !self.landing.remove(&key) {
            return;
        }
        if let Some(end) = self.draining.filter(|_| self.landing.is_empty()) {
            self.timers.clear(end + LAST_WRITES, Alarm::Landing);
        }
        self.check_drained();
    }

    fn check_drained(&mut self) {
        if self.releasing == 0 && self.landing.is_empty() {
            self.report(ReportKind::Drained);
        }
    }

    /// Whether the window of a shutdown is over: nothing is taken in any more.
    pub(crate) fn is_drained(&self) -> bool {
        self.draining.is_some_and(|end| end <= self.now)
    }

    /// DE-7: complete advice with a wait that spreads clients over the window.
    pub(crate) fn drain_advice(&mut self, key: SessionKey, end: Instant) -> Advice {
        let window = end.saturating_duration_since(self.now);
        let interval = self.entropy.below(millis(window).saturating_add(1));
        let mut advice = self.retry_advice(&self.timings(key));
        advice.interval = Some(interval);
        advice
    }
}
