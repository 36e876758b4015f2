//! `/meta/disconnect` (DC-1), and every other way for a session to end.
//!
//! Whichever it is, the session's end is counted and reported once.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::connection::{Answer, AnswerKind, Carries, Leftover, Response, Rest};
use crate::debts::Parting;
use crate::id::{ConnectionId, SessionId};
use crate::io::{CloseReason, Transport};
use crate::message::{Event, ProtocolError};
use crate::meta::final_advice;
use crate::report::{Removal, ReportKind};
use crate::request::{Current, Flow, Request, RequestKey, Stage};
use crate::session::{SessionKey, State};
use crate::store::StoreRequest;
use crate::tickets::StoreUse;
use crate::timer::Alarm;
use crate::turn::Turn;

impl Turn<'_> {
    /// The client says goodbye (DC-1).
    pub(crate) fn begin_disconnect(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        let Some(session) = request.session else {
            return Flow::Silent;
        };
        let Some(entry) = self.sessions.get_mut(session) else {
            return Flow::Silent;
        };
        let (id, fence) = (entry.id, entry.fence);
        let transport = request.transport().unwrap_or(Transport::LongPolling);
        let socket = entry.socket;
        // DC-3: what still waits goes with this response, if responses carry events at all.
        let entry = self.sessions.get(session);
        let carried = entry.is_some_and(|entry| !self.is_deliver_only(entry, transport));
        let exchange = transport.is_exchange();
        if carried
            && (exchange || socket == request.connection())
            && let Some(entry) = self.sessions.get_mut(session)
        {
            request.rest = all(id, entry.queue.drain().collect());
        }
        if let Some(mut hold) = self.end_hold(session) {
            // CN-12: the held connect is released, and told not to come back.
            hold.answer.reply.advice = Some(final_advice());
            hold.answer.kind = AnswerKind::Other;
            self.send_held(hold, Carries::Nothing);
        }
        if let Some(entry) = self.sessions.get_mut(session)
            && socket == request.connection()
        {
            // DC-6: the socket that this came by stays until it is answered, and its time after.
            entry.socket = None;
        }
        self.remove(session, Removal::Disconnected);
        request.session = None;
        request.refusal = Some(ProtocolError::session_unknown());
        if self.log.is_down() {
            self.part_with(id, fence, Parting::Ended);
            if let Some(connection) = request.connection() {
                self.start_grace(connection);
            }
            return Flow::succeed(&current.message);
        }
        let end = StoreRequest::End { session: id, fence };
        self.store(
            end,
            StoreUse::End {
                request: key,
                session: id,
                fence,
            },
        );
        current.stage = Stage::Disconnect;
        Flow::Wait
    }

    /// The store has forgotten the session, or has not: it is gone here either way.
    pub(crate) fn disconnected(&mut self, request: &Request, current: &mut Current) -> Flow {
        if current.stored.take().is_none() {
            return Flow::Wait;
        }
        if let Some(connection) = request.connection() {
            self.start_grace(connection);
        }
        Flow::Answer(Box::new(Answer::to(&current.message)))
    }

    /// The server ends a session (DC-5): what waits for it, then the news of its end, then the
    /// answer to its connect.
    pub(crate) fn disconnect_session(&mut self, key: SessionKey, reason: Removal) {
        let end = self.stamp(Event::disconnect());
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let (id, fence) = (session.id, session.fence);
        let mut rest: Vec<_> = session.queue.drain().collect();
        rest.push((None, Arc::new(end)));
        let socket = session.socket;
        let pushes = socket.is_some_and(|socket| self.pushes_to(key, socket));
        let local = self
            .sessions
            .get(key)
            .is_some_and(|session| session.is_local());
        if let Some(mut hold) = self.end_hold(key) {
            hold.answer.reply.advice = Some(final_advice());
            hold.answer.kind = AnswerKind::Other;
            let connection = hold.connection;
            self.send_held(hold, Carries::Rest(all(id, rest)));
            self.remove(key, reason);
            self.start_grace(connection);
        } else if let Some(socket) = socket.filter(|_| pushes || local) {
            let response = Response {
                carries: Carries::Rest(all(id, rest)),
                ..Response::default()
            };
            self.send_response(socket, response);
            self.remove(key, reason);
            self.start_grace(socket);
        } else {
            self.leave(key, rest, reason);
        }
        if !local {
            self.part_with(id, fence, Parting::Ended);
        }
    }

    /// Nothing can carry a session's last events: they wait for its next connect.
    fn leave(&mut self, key: SessionKey, rest: Vec<Leftover>, reason: Removal) {
        let connecting = self
            .sessions
            .get(key)
            .and_then(|s| Some((s.id, s.connecting()?)));
        if let Some((id, connecting)) = connecting {
            // The connect that is being worked on takes them along.
            if let Some(request) = self.requests.get_mut(connecting) {
                request.rest = all(id, rest);
            }
            self.remove(key, reason);
            return;
        }
        self.end_admission(key);
        self.unsubscribe_all(key);
        self.go_away(key);
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let id = session.id;
        if let State::Away { expires } = session.state {
            let rest = rest.into_boxed_slice();
            self.sessions
                .change(key, State::Leaving { expires, rest }, None);
        }
        self.counters.sessions_removed += 1;
        self.report(ReportKind::SessionRemoved(id, reason));
    }

    /// Removes a session, and says so.
    pub(crate) fn remove(&mut self, key: SessionKey, reason: Removal) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let (id, leaving, socket) = (session.id, session.is_leaving(), session.socket);
        for request in session.connects() {
            if let Some(request) = self.requests.get_mut(request) {
                request.gone = Some(reason);
            }
        }
        self.forget(key);
        if leaving {
            // Its end was counted and reported when the server ended it.
            return self.has_gone(key);
        }
        if let Some(socket) = socket.filter(|_| is_disconnect(reason)) {
            self.start_grace(socket);
        }
        self.counters.sessions_removed += 1;
        match reason {
            Removal::Expired => self.counters.sessions_expired += 1,
            Removal::QueueFull => self.counters.sessions_overflowed += 1,
            Removal::Lapsed => self.counters.sessions_lapsed += 1,
            Removal::Taken => self.counters.sessions_taken += 1,
            Removal::Disconnected
            | Removal::DisconnectedByServer
            | Removal::Stuck
            | Removal::Inactive
            | Removal::Released
            | Removal::Gap
            | Removal::Outrun => {}
        }
        self.report(ReportKind::SessionRemoved(id, reason));
        self.has_gone(key);
    }

    /// Removes every trace of a session.
    pub(crate) fn forget(&mut self, key: SessionKey) {
        if let Some(hold) = self.end_hold(key) {
            self.close(hold.connection, CloseReason::SessionOver);
        }
        self.end_connecting(key);
        self.stop_clock(key);
        self.end_admission(key);
        self.unsubscribe_all(key);
        self.debts.forget(key);
        self.calm(key);
        let Some(session) = self.sessions.remove(key) else {
            return;
        };
        if let Some(address) = session.address {
            self.addresses.remove(address);
        }
        self.counters.events_discarded += session.queue.len() as u64;
        if let State::Leaving { rest, .. } = &session.state {
            self.counters.events_discarded += losses(rest);
        }
        let connecting = session.connecting();
        let paused = self.requests.paused.remove(&key).unwrap_or_default();
        let awaiting = session.special().and_then(|special| special.awaiting);
        let waiting = paused.into_iter().chain(awaiting);
        for request in Vec::from_iter(waiting.chain(connecting)) {
            self.advance(request);
        }
    }

    /// Ends a session whose client has to begin anew: it is told so if it listens, and otherwise
    /// when it comes back.
    pub(crate) fn expel(&mut self, key: SessionKey, reason: Removal) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let (id, fence, socket) = (session.id, session.fence, session.socket);
        let (in_flight, local) = (session.in_flight, session.is_local());
        let connecting = session.connecting();
        let mut asking = self.connection_of(connecting);
        if let Some(mut hold) = self.end_hold(key) {
            asking = Some(hold.connection);
            let transport = self
                .connections
                .get(hold.connection)
                .map(|entry| entry.transport);
            let interval = self.spread();
            let advice =
                self.handshake_advice(transport.unwrap_or(Transport::LongPolling), interval);
            hold.answer.reply.outcome = Err(ProtocolError::session_unknown());
            hold.answer.reply.advice = Some(advice);
            hold.answer.kind = AnswerKind::Other;
            self.send_held(hold, Carries::Nothing);
        }
        self.remove(key, reason);
        // A carrier that takes nothing any more would never hear of it.
        for connection in socket.into_iter().chain(in_flight) {
            let stuck = self
                .connections
                .get(connection)
                .is_some_and(|c| c.sending.is_some());
            if stuck {
                self.close(connection, CloseReason::SessionOver);
            }
        }
        if reason == Removal::Lapsed && !local {
            for connection in socket.into_iter().chain(asking) {
                self.close_once_written(connection);
            }
        }
        if !local {
            self.part_with(id, fence, Parting::Ended);
        }
    }

    /// HS-18: closes a duplex as soon as it has written what it was given. What its peer showed as it
    /// opened would be judged again with each handshake over it, and is not good any more.
    fn close_once_written(&mut self, connection: ConnectionId) {
        let Some(entry) = self.connections.get_mut(connection) else {
            return;
        };
        if entry.transport.is_exchange() || entry.closing {
            return;
        }
        entry.finishing = true;
        let busy = entry.sending.is_some() || entry.ready() > 0 || !entry.requests.is_empty();
        if !busy {
            return self.close(connection, CloseReason::SessionOver);
        }
        // Not every message is answered.
        self.start_grace(connection);
    }

    /// A session has not come back in time (TM-6), or a message of it was never done (TM-7): nobody
    /// is told, and what carries it is closed (CN-13).
    pub(crate) fn expire(&mut self, key: SessionKey, reason: Removal) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let (id, fence, leaving) = (session.id, session.fence, session.is_leaving());
        let is_worked_on = !session.arriving.is_empty() || session.batching > 0;
        if reason == Removal::Expired && is_worked_on {
            // TM-2: its connect is here, and an extension still looks at it; or something else of it is
            // still worked on, behind which its connect may wait to be read.
            let grace = self.timings(key).max_interval;
            return self.start_clock(key, grace.max(self.config.sweep_period.max(A_MOMENT)));
        }
        let connecting = session.connecting();
        let carriers = [session.socket, session.in_flight, session.answering];
        let connecting =
            connecting.and_then(|request| self.requests.get_mut(request)?.connection());
        for connection in carriers.into_iter().flatten().chain(connecting) {
            self.close(connection, CloseReason::SessionOver);
        }
        self.remove(key, reason);
        if !leaving {
            self.part_with(id, fence, Parting::Ended);
        }
    }

    /// DE-8: a duplex without session stays a while, for a new handshake.
    pub(crate) fn start_grace(&mut self, connection: ConnectionId) {
        let until = self.now + self.config.disconnected_grace;
        let Some(entry) = self.connections.get_mut(connection) else {
            return;
        };
        if entry.transport.is_exchange() || entry.grace.is_some() {
            return;
        }
        entry.grace = Some(until);
        entry.session = None;
        self.timers.set(until, Alarm::Duplex(connection));
    }

    /// The duplex is used again.
    pub(crate) fn end_grace(&mut self, connection: ConnectionId) {
        let grace = self
            .connections
            .get_mut(connection)
            .and_then(|entry| entry.grace.take());
        if let Some(until) = grace {
            self.timers.clear(until, Alarm::Duplex(connection));
        }
    }

    pub(crate) fn duplex_alarm(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.connections.get_mut(connection) {
            entry.grace = None;
        }
        self.close(connection, CloseReason::Idle);
    }
}

/// The shortest time that a session which cannot expire yet goes on.
const A_MOMENT: Duration = Duration::from_millis(1);

/// How many events are lost with them.
fn losses(rest: &[Leftover]) -> u64 {
    rest.iter()
        .filter(|(position, _)| position.is_some())
        .count() as u64
}

/// Whether a session has ended because one side wanted it to.
const fn is_disconnect(reason: Removal) -> bool {
    matches!(
        reason,
        Removal::Disconnected | Removal::DisconnectedByServer | Removal::Inactive
    )
}

fn all(session: SessionId, events: Vec<Leftover>) -> Rest {
    Rest {
        session: Some(session),
        events,
    }
}
