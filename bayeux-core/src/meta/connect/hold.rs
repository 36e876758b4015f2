//! Connects that are held: whether, for how long, and how a hold ends (CN-4 to CN-7, BR-7 to BR-9).
//!
//! A hold is counted for its browser, and known to its connection, for exactly as long as it lasts.

use alloc::boxed::Box;
use core::time::Duration;

use crate::connection::{Answer, Carries, Response};
use crate::id::ConnectionId;
use crate::io::Transport;
use crate::message::{Advice, ProtocolError, Reconnect};
use crate::meta::millis;
use crate::request::Request;
use crate::session::{Hold, SessionKey, State};
use crate::timer::Alarm;
use crate::turn::Turn;

/// A connect that was held.
pub(crate) struct Released {
    pub(crate) connection: ConnectionId,
    pub(crate) answer: Box<Answer>,
}

impl Turn<'_> {
    /// CN-4: for how long this connect may be held, if it may.
    pub(super) fn hold_for(
        &self,
        key: SessionKey,
        request: &Request,
        answer: &Answer,
    ) -> Option<Duration> {
        let session = self.sessions.get(key)?;
        let transport = request.transport()?;
        if request.total > 1 || answer.reply.outcome.is_err() || self.draining.is_some() {
            return None;
        }
        let waits = transport.is_exchange() || self.is_deliver_only(session, transport);
        let resend = session.settings.acknowledged && session.queue.is_unacknowledged();
        // What cannot leave yet, others being in flight, is no reason to answer: it would leave
        // without it.
        let may_leave = !session.is_batching() && session.in_flight.is_none();
        if waits && (session.queue.is_prompt() || resend) && may_leave {
            return None;
        }
        let timeout = self.timings_of(Some(session), transport).timeout;
        let longest = self.config.limits.max_timeout;
        let longest = longest.unwrap_or_else(|| timeout.max(Duration::from_secs(300)));
        let asked = request.asked_timeout.map(Duration::from_millis);
        let timeout = asked.map_or(timeout, |asked| asked.min(longest));
        (!timeout.is_zero()).then_some(timeout)
    }

    /// Holds a connect, unless its browser holds others already (BR-7 to BR-9).
    pub(super) fn hold(
        &mut self,
        key: SessionKey,
        request: &Request,
        mut answer: Box<Answer>,
        timeout: Duration,
    ) -> Result<(), Box<Answer>> {
        let connection = request.connection();
        let open = connection.filter(|connection| self.connections.get(*connection).is_some());
        let Some(connection) = open else {
            return Err(answer);
        };
        let exchange = request.transport().is_some_and(Transport::is_exchange);
        let limit = self.hold_limit(request.peer.http).filter(|_| exchange);
        let browser = request.peer.browser.filter(|_| limit.is_some());
        if let (Some(browser), Some(limit)) = (browser, limit)
            && self.browsers.get(&browser).copied().unwrap_or(0) >= limit
        {
            self.refuse_hold(key, &mut answer);
            return Err(answer);
        }
        let Some(session) = self.sessions.get_mut(key) else {
            return Err(answer);
        };
        if core::mem::take(&mut session.multiple) {
            // BR-9: told once that it may be held again, with interval 0.
            let timings = self.timings(key);
            answer.reply.advice = Some(self.retry_advice(&timings));
            return Err(answer);
        }
        if let Some(browser) = browser {
            *self.browsers.or_default(browser) += 1;
        }
        let until = self.now + timeout;
        let hold = Hold::new(key, answer, (connection, until), browser);
        self.end_connecting(key);
        self.timers.set(until, Alarm::Session(key));
        self.counters.connects_held += 1;
        self.sessions.change(key, State::Held(hold), None);
        if let Some(entry) = self.connections.get_mut(connection) {
            entry.held = Some(key);
        }
        Ok(())
    }

    /// BR-8: the browser has other sessions that hold connects.
    fn refuse_hold(&mut self, key: SessionKey, answer: &mut Answer) {
        self.counters.connects_multiple += 1;
        if let Some(session) = self.sessions.get_mut(key) {
            session.multiple = true;
            session.advised = None;
        }
        let interval = self.config.multi_session_interval;
        let refused = interval.is_zero();
        let timings = self.timings(key);
        answer.reply.advice = Some(Advice {
            reconnect: Some(if refused {
                Reconnect::None
            } else {
                Reconnect::Retry
            }),
            interval: (!refused).then(|| millis(interval)),
            timeout: (!refused).then(|| millis(timings.timeout)),
            multiple_clients: Some(true),
            ..Advice::default()
        });
        if refused {
            answer.reply.outcome = Err(ProtocolError::too_many_sessions());
        } else if let Some(session) = self.sessions.get_mut(key) {
            // The wait that it is told counts towards its expiry (AD-8).
            session.make_special().client_interval = Some(interval);
        }
    }

    /// Takes the hold from a session, which is then between two connects.
    pub(crate) fn end_hold(&mut self, key: SessionKey) -> Option<Released> {
        self.sessions.get(key)?.hold()?;
        let away = State::Away { expires: self.now };
        let state = self.sessions.change(key, away, None)?;
        let State::Held(hold) = state else {
            return None;
        };
        self.timers.clear(hold.until, Alarm::Session(key));
        if let Some(entry) = self.connections.get_mut(hold.connection) {
            entry.held = None;
        }
        let connection = hold.connection;
        let (answer, browser) = hold.into_answer(key);
        if answer.reply.advice.is_some()
            && let Some(session) = self.sessions.get_mut(key)
        {
            // AD-3: what does not leave is still owed.
            session.advised = None;
        }
        if let Some(browser) = browser {
            let left = self.browsers.get_mut(&browser).map_or(0, |holds| {
                *holds = holds.saturating_sub(1);
                *holds
            });
            if left == 0 {
                self.browsers.remove(&browser);
            }
        }
        self.go_away(key);
        Some(Released { connection, answer })
    }

    /// Answers the held connect of a session (CN-6, CN-7), if there is one.
    pub(crate) fn release_hold(&mut self, key: SessionKey) {
        let Some(mut hold) = self.end_hold(key) else {
            return;
        };
        match self.draining {
            Some(window) => hold.answer.reply.advice = Some(self.drain_advice(key, window)),
            None => self.advise_changed(key, &mut hold.answer),
        }
        self.send_held(hold, Carries::Queue(key));
    }

    /// CN-16: timings that changed during the hold show in its answer.
    fn advise_changed(&mut self, key: SessionKey, answer: &mut Answer) {
        let Some(transport) = self.sessions.get(key).and_then(|session| session.transport) else {
            return;
        };
        let advised = self.advised(key, transport);
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.advised != Some(advised) {
            session.advised = Some(advised);
            let timings = self.timings(key);
            answer.reply.advice = Some(self.retry_advice(&timings));
        }
    }

    /// Sends the answer of a hold that has ended.
    pub(crate) fn send_held(&mut self, hold: Released, carries: Carries) {
        let connection = hold.connection;
        let response = Response {
            answers: alloc::vec![*hold.answer],
            carries,
            cookie: None,
        };
        self.send_response(connection, response);
    }
}
