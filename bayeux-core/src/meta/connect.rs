//! `/meta/connect` (CN-1): the heartbeat, and on polling transports the carrier of events.
//!
//! The newest connect of a session is the only one that is answered (CN-9).

mod hold;

use alloc::boxed::Box;
use core::time::Duration;

use smallvec::SmallVec;

use crate::connection::{Answer, AnswerKind, Rest};
use crate::id::ConnectionId;
use crate::io::{CloseReason, Transport};
use crate::message::{Message, ProtocolError};
use crate::meta::final_advice;
use crate::report::{Removal, ReportKind};
use crate::request::{Current, Flow, Request, RequestKey};
use crate::session::{Session, SessionKey, State};
use crate::store::Position;
use crate::timer::Alarm;
use crate::turn::Turn;

/// The highest number that a reply could bear (AK-4).
const HIGHEST: u64 = (1 << 31) - 2;

/// The acknowledgement number that a connect presents: how far its client has come (AK-5). Below
/// zero is the start; what is no number, or more than any reply could bear, says nothing (AK-7).
pub(crate) fn presented(message: &Message) -> Option<u64> {
    let number = message.ext.as_ref()?.get("ack")?;
    let number: f64 = serde_json::from_str(number.as_str()).ok()?;
    Some(number as u64).filter(|number| *number <= HIGHEST)
}

impl Turn<'_> {
    /// A connect has come for a session that is here.
    pub(crate) fn begin_connect(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        let Some(session) = request.session else {
            return Flow::Silent;
        };
        if request.overtaken {
            return Flow::Silent;
        }
        if self.is_inactive(session) {
            self.disconnect_session(session, Removal::Inactive);
        }
        if self.sessions.get(session).is_none_or(Session::is_leaving) {
            return self.last_connect(session, request, current);
        }
        request.asked_timeout = current.message.advice.and_then(|advice| advice.timeout);
        self.overtake_arriving(session, key, request);
        let older = self.overtake(session, request);
        self.begin_connecting(session, key, request, &current.message);
        if let Some(older) = older {
            self.advance(older);
        }
        Flow::Go
    }

    /// EX-3: whether the session has done nothing for too long.
    fn is_inactive(&self, key: SessionKey) -> bool {
        let Some(activity) = self.config.activity else {
            return false;
        };
        let Some(session) = self.sessions.get(key) else {
            return false;
        };
        self.now.saturating_duration_since(session.active) > activity.max_inactivity
    }

    /// The last connect of a session that the server has disconnected takes what is left (DC-5).
    fn last_connect(
        &mut self,
        session: SessionKey,
        request: &mut Request,
        current: &Current,
    ) -> Flow {
        if let Some(session) = self.sessions.get_mut(session) {
            // What the client has already, by its own word, is not sent again.
            let has = presented(&current.message).filter(|_| session.settings.acknowledged);
            let has = has.map_or(Position::ZERO, |number| session.start.plus(number));
            if let State::Leaving { rest, .. } = &mut session.state {
                let rest = core::mem::take(rest).into_iter();
                request.rest = Rest {
                    session: Some(session.id),
                    events: rest
                        .filter(|(at, _)| at.is_none_or(|at| at > has))
                        .collect(),
                };
            }
        }
        // It has not moved: it is over.
        request.name = None;
        self.forget(session);
        self.has_gone(session);
        if let Some(connection) = request.connection() {
            self.start_grace(connection);
        }
        let mut answer = Answer::to(&current.message);
        answer.reply.advice = Some(final_advice());
        Flow::Answer(Box::new(answer))
    }

    /// A connect has come later than others that have not even begun (CN-9): they never will.
    fn overtake_arriving(&mut self, key: SessionKey, by: RequestKey, request: &Request) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let Some(own) = session.arriving.iter().position(|other| *other == by) else {
            return;
        };
        let arrived: SmallVec<[RequestKey; 1]> = session.arriving.drain(..=own).collect();
        for older in arrived.into_iter().filter(|older| *older != by) {
            let Some(older) = self.requests.get_mut(older) else {
                continue;
            };
            older.overtaken = true;
            let connection = older.connection();
            self.counters.connects_overtaken += 1;
            if let Some(connection) = connection {
                self.let_go_of(connection, request.connection());
            }
        }
    }

    /// A newer connect ends the one before it (CN-9, BR-10, WS-10).
    /// Names the request of the older one if that is still being worked on.
    fn overtake(&mut self, key: SessionKey, request: &Request) -> Option<RequestKey> {
        let newer = request.connection();
        if let Some(hold) = self.end_hold(key) {
            self.counters.connects_overtaken += 1;
            self.let_go_of(hold.connection, newer);
        }
        let overtaken = self.sessions.get(key)?.connecting();
        if overtaken.is_some() {
            self.counters.connects_overtaken += 1;
            if let Some(older) = self.connection_of(overtaken) {
                self.let_go_of(older, newer);
            }
            self.end_connecting(key);
        }
        self.give_up_on_carrier(key, newer);
        overtaken
    }

    /// What is in flight on the carrier before will not be waited for.
    fn give_up_on_carrier(&mut self, key: SessionKey, newer: Option<ConnectionId>) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let socket = session.socket;
        let Some(in_flight) = session
            .in_flight
            .filter(|in_flight| Some(*in_flight) != newer)
        else {
            return;
        };
        // A client that connects anew has given up on the carrier before; a response to one of its
        // other requests may well still be under way.
        let carrier = self
            .connections
            .get(in_flight)
            .and_then(|entry| entry.sending.as_ref());
        if Some(in_flight) == socket || carrier.is_some_and(|sending| sending.connect.is_some()) {
            self.close(in_flight, CloseReason::Superseded);
        }
    }

    /// The connection of an overtaken connect: an exchange fails, a duplex just goes on.
    pub(crate) fn let_go_of(&mut self, connection: ConnectionId, newer: Option<ConnectionId>) {
        let exchange = self
            .connections
            .get(connection)
            .is_some_and(|c| c.transport.is_exchange());
        if exchange && newer != Some(connection) {
            self.close(connection, CloseReason::Duplicate);
        }
    }

    fn begin_connecting(
        &mut self,
        key: SessionKey,
        by: RequestKey,
        request: &Request,
        message: &Message,
    ) {
        self.stop_clock(key);
        let duplex = request.connection().filter(|connection| {
            let entry = self.connections.get(*connection);
            entry.is_some_and(|entry| !entry.transport.is_exchange())
        });
        let stuck = self.config.max_processing.map(|longest| self.now + longest);
        let state = State::Connecting { request: by, stuck };
        self.sessions.change(key, state, request.transport());
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if let Some(special) = session.special_mut() {
            special.client_interval = None;
        }
        session.answering = None;
        // A socket that has closed meanwhile carries nothing any more.
        session.socket = duplex;
        if let Some(stuck) = stuck {
            self.timers.set(stuck, Alarm::Session(key));
        }
        self.limit_client_interval(key, message);
    }

    /// AD-7, DE-4: the client's own interval, within bounds, counts towards its expiry.
    fn limit_client_interval(&mut self, key: SessionKey, message: &Message) {
        let Some(asked) = message.advice.and_then(|advice| advice.interval) else {
            return;
        };
        let own = self.timings(key).interval;
        let longest = self.config.limits.max_client_interval;
        let longest = longest.unwrap_or_else(|| own.max(Duration::from_secs(60)));
        if let Some(session) = self.sessions.get_mut(key) {
            let interval = Duration::from_millis(asked).min(longest);
            session.make_special().client_interval = Some(interval);
        }
    }

    /// Goes on with a connect: first everything that it acknowledges has to be known here.
    pub(crate) fn connect(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        let Some(session) = request.session else {
            return Flow::Silent;
        };
        let Some(entry) = self.sessions.get(session) else {
            return self.connect_without_session(request, current);
        };
        if entry.connecting() != Some(key) {
            // A newer connect has come: this one is never answered (CN-9).
            return Flow::Silent;
        }
        let number = presented(&current.message).filter(|_| entry.settings.acknowledged);
        if number.is_some_and(|number| self.is_behind(session, number)) {
            return self.send_elsewhere(session, request);
        }
        self.read_unread(session, number);
        if self.waits_for_reading(session, key) {
            return Flow::Wait;
        }
        if let Some(number) = number
            && !self.acknowledge(session, number, key, request)
        {
            return Flow::Wait;
        }
        if self.is_outrun(session, request) {
            return self.begin_anew(session, request, current);
        }
        let mut answer = Answer::to(&current.message);
        answer.kind = AnswerKind::Connect(session);
        self.advise(session, request, &current.message, &mut answer);
        Flow::Answer(Box::new(answer))
    }

    /// AK-4: whether the log has gone too far since the handshake for numbers that clients can keep, and
    /// all that the session has can leave now: else a later connect will do.
    fn is_outrun(&self, key: SessionKey, request: &Request) -> bool {
        let Some(session) = self.sessions.get(key) else {
            return false;
        };
        let span = self.log.seen().since(session.start);
        let most = self.config.limits.max_log_span.min(HIGHEST);
        if !session.settings.acknowledged || span <= most || !session.queue.is_decided() {
            return false;
        }
        let carrier = request.connection();
        let carrier = carrier.and_then(|connection| self.connections.get(connection));
        carrier.is_some_and(|carrier| carrier.sending.is_none())
    }

    /// Ends a session whose client begins anew, with all that it has not acknowledged on this reply.
    fn begin_anew(&mut self, key: SessionKey, request: &mut Request, current: &Current) -> Flow {
        if let Some(session) = self.sessions.get_mut(key) {
            request.rest = Rest {
                session: Some(session.id),
                events: session.queue.drain().collect(),
            };
        }
        self.expel(key, Removal::Outrun);
        request.gone = Some(Removal::Outrun);
        self.connect_without_session(request, current)
    }

    /// ER-7: whether a client has more than this engine, which cannot ask the store who has its session
    /// by now.
    fn is_behind(&self, key: SessionKey, number: u64) -> bool {
        let session = self.sessions.get(key);
        let ahead = session.is_some_and(|session| session.start.plus(number) > self.log.seen());
        ahead && self.log.is_down()
    }

    /// A connect that this engine cannot serve is to come to another one.
    fn send_elsewhere(&mut self, key: SessionKey, request: &Request) -> Flow {
        self.end_connecting(key);
        self.go_away(key);
        if let Some(connection) = request.connection() {
            self.close(connection, CloseReason::Unavailable);
        }
        Flow::Silent
    }

    /// Whether a connect has to wait until the log was read for its session, and the first of that is decided on if
    /// a connect before it waits for that.
    fn waits_for_reading(&mut self, key: SessionKey, by: RequestKey) -> bool {
        let Some(session) = self.sessions.get_mut(key) else {
            return false;
        };
        let awaits = session
            .special()
            .is_some_and(|special| special.awaiting.is_some());
        let is_undecided = awaits && session.queue.is_undecided_in_front();
        let waits = session.reading().is_some() || is_undecided;
        if waits {
            session.make_special().awaiting = Some(by);
        }
        waits
    }

    /// The session ended while its connect was worked on (CN-12).
    pub(crate) fn connect_without_session(&mut self, request: &Request, current: &Current) -> Flow {
        if request.gone == Some(Removal::Taken) {
            // A newer connect has come, to another engine.
            return Flow::Silent;
        }
        if request.gone == Some(Removal::Released) {
            // It was given back for whoever can serve it (ER-7).
            if let Some(connection) = request.connection() {
                self.close(connection, CloseReason::Unavailable);
            }
            return Flow::Silent;
        }
        let mut answer = Answer::to(&current.message);
        self.say_session_is_gone(request, &mut answer);
        Flow::Answer(Box::new(answer))
    }

    fn say_session_is_gone(&mut self, request: &Request, answer: &mut Answer) {
        let transport = request.transport().unwrap_or(Transport::LongPolling);
        let (outcome, advice) = match request.gone {
            // DC-5: it takes along what the session leaves behind.
            Some(Removal::DisconnectedByServer | Removal::Inactive) => (Ok(()), final_advice()),
            Some(Removal::Disconnected) => (Err(ProtocolError::session_unknown()), final_advice()),
            reason => {
                // Whoever began with it is outrun with it.
                let pause = if reason == Some(Removal::Outrun) {
                    self.spread()
                } else {
                    self.pause_before_handshake()
                };
                let advice = self.handshake_advice(transport, pause);
                (Err(ProtocolError::session_unknown()), advice)
            }
        };
        answer.kind = AnswerKind::Other;
        answer.reply.outcome = outcome;
        answer.reply.advice = Some(advice);
    }

    /// AK-5, AK-7, DE-3: forgets what the client has; whether that can be done now. A number ahead
    /// of what this engine has seen waits, bounded, for the log, and then changes nothing.
    fn acknowledge(
        &mut self,
        key: SessionKey,
        number: u64,
        by: RequestKey,
        request: &mut Request,
    ) -> bool {
        let patience = self.config.limits.max_log_wait;
        let seen = self.log.seen();
        let Some(session) = self.sessions.get_mut(key) else {
            return true;
        };
        let position = session.start.plus(number);
        if position > seen {
            return !self.wait_for_log(by, request, position, patience);
        }
        if position > session.acknowledged {
            session.acknowledged = position;
            session.queue.acknowledge(position);
        }
        true
    }

    /// AD-3, CN-8, CN-16, DE-10: advice on a connect's reply, if there is a reason for it.
    fn advise(
        &mut self,
        key: SessionKey,
        request: &Request,
        message: &Message,
        answer: &mut Answer,
    ) {
        let transport = request.transport().unwrap_or(Transport::LongPolling);
        let advised = self.advised(key, transport);
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let told = session.advised == Some(advised);
        if told && message.advice.is_none() {
            return;
        }
        session.advised = Some(advised);
        let timings = self.timings(key);
        answer.reply.advice = Some(self.retry_advice(&timings));
    }

    /// The answer to a connect is there: held, or sent, or never to leave since a newer connect has
    /// come (CN-9).
    ///
    /// # Errors
    ///
    /// Gives the answer back if it is to leave at once.
    pub(crate) fn connected(
        &mut self,
        by: RequestKey,
        request: &mut Request,
        key: SessionKey,
        mut answer: Box<Answer>,
    ) -> Result<(), Box<Answer>> {
        let Some(session) = self.sessions.get_mut(key) else {
            if request.gone == Some(Removal::Taken) {
                return Ok(());
            }
            self.say_session_is_gone(request, &mut answer);
            return Err(answer);
        };
        if session.connecting() != Some(by) {
            return Ok(());
        }
        let first = !core::mem::replace(&mut session.connected, true);
        let id = session.id;
        if first {
            self.report(ReportKind::SessionConnected(id));
        }
        let timeout = self.hold_for(key, request, &answer);
        let Some(timeout) = timeout.filter(|_| !first) else {
            self.let_answer_leave(key, &mut answer);
            return Err(answer);
        };
        match self.hold(key, request, answer, timeout) {
            Ok(()) => Ok(()),
            Err(mut answer) => {
                self.let_answer_leave(key, &mut answer);
                Err(answer)
            }
        }
    }

    /// A connect's answer is about to leave: the session is away from now on.
    fn let_answer_leave(&mut self, key: SessionKey, answer: &mut Answer) {
        if let Some(window) = self.draining {
            answer.reply.advice = Some(self.drain_advice(key, window));
        }
        self.end_connecting(key);
        self.go_away(key);
    }

    /// The session is between two connects.
    pub(crate) fn go_away(&mut self, key: SessionKey) {
        self.stop_clock(key);
        let mut timings = self.timings(key);
        let away = State::Away { expires: self.now };
        self.sessions.change(key, away, None);
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        timings.interval = session.client_interval().unwrap_or(timings.interval);
        self.start_clock(key, timings.until_expiry());
    }

    /// A session is no longer worked on by a connect.
    pub(crate) fn end_connecting(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        if let State::Connecting {
            stuck: Some(stuck), ..
        } = session.state
        {
            self.timers.clear(stuck, Alarm::Session(key));
        }
    }

    /// The time of a session's hold, or of its work on a connect, has come.
    pub(crate) fn session_alarm(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        match &session.state {
            State::Held(_) => self.release_hold(key),
            // TM-7: somebody never finished.
            State::Connecting { .. } => self.expire(key, Removal::Stuck),
            State::Fresh { .. } | State::Away { .. } | State::Leaving { .. } | State::Local => {}
        }
    }

    /// The number of a reply that carries all there is, or goes no further than `cut_off` (AK-4):
    /// never past an unsettled event, never below what was presented.
    pub(crate) fn ack_number(&self, session: &Session, cut_off: Option<Position>) -> u64 {
        let reached = cut_off.unwrap_or_else(|| session.settled(self.log.seen()));
        reached.max(session.acknowledged).since(session.start)
    }
}
