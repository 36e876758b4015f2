//! From the answers of a request to its response.
//!
//! The response leaves once every slot is filled, once this engine has seen of the log what it may have
//! to carry, and after those of the requests that came before it on the same connection.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Current, Flow, Origin, Request, RequestKey, Slot, Stage, set};
use crate::connection::{Answer, AnswerKind, Carries, Response};
use crate::id::{ConnectionId, ForwardTicket};
use crate::io::Transport;
use crate::message::{Payload, ProtocolError};
use crate::session::SessionKey;
use crate::store::{Position, StoreRequest};
use crate::tickets::StoreUse;
use crate::timer::Alarm;
use crate::turn::Turn;

/// An engine that notices a time later than this has not run meanwhile.
const A_NAP: Duration = Duration::from_millis(500);

impl Turn<'_> {
    /// The message at hand is done, its reply waits for the store. If extensions are to see it, so
    /// does the next message.
    pub(crate) fn wait_for_store(
        &self,
        request: &mut Request,
        current: &mut Current,
        mut answer: Box<Answer>,
    ) -> Flow {
        request.open += 1;
        self.name_session(&current.message, &mut answer);
        if self.deciders.see_outgoing() {
            current.stage = Stage::Stored(answer);
            return Flow::Wait;
        }
        let message = Box::new(core::mem::take(&mut current.message));
        set(
            &mut request.slots,
            current.slot,
            Slot::Open(Some((answer, message))),
        );
        Flow::Handed
    }

    /// Puts an answer into its slot; a connect's may be held instead.
    pub(super) fn answered(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        slot: usize,
        answer: Box<Answer>,
    ) {
        if answer.reply.outcome.is_err() {
            self.counters.messages_refused += 1;
        }
        let held = match answer.kind {
            AnswerKind::Connect(session) => self.connected(key, request, session, answer),
            AnswerKind::Handshake | AnswerKind::Other => Err(answer),
        };
        request.held |= held.is_ok();
        let answer = held.map_or_else(Slot::Ready, |()| Slot::None);
        set(&mut request.slots, slot, answer);
    }

    /// The store has answered what a slot waited for.
    pub(crate) fn fill(
        &mut self,
        key: RequestKey,
        slot: usize,
        outcome: Result<(), ProtocolError>,
        after: Position,
    ) {
        let parts = &mut **self;
        let Some(request) = parts.requests.get_mut(key) else {
            return;
        };
        request.open = request.open.saturating_sub(1);
        request.after = request.after.max(after);
        let current = request.current.as_deref_mut();
        if let Some(current) = current.filter(|current| current.slot == slot) {
            current.stored(outcome);
            return self.advance(key);
        }
        let place = request.slots.get_mut(slot);
        if let Some(place @ Slot::Open(_)) = place
            && let Slot::Open(Some((mut answer, _))) = core::mem::replace(place, Slot::None)
        {
            if outcome.is_err() {
                answer.reply.outcome = outcome;
            }
            parts.counters.messages_refused += u64::from(answer.reply.outcome.is_err());
            *place = Slot::Ready(answer);
        }
        self.settled(key);
    }

    /// A slot waits for the store no longer: what waited for that goes on.
    fn settled(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        if request.processed {
            self.go_after(key);
            return self.finish(key);
        }
        if request.current.is_none() {
            // What can begin now may be refused too, and go along.
            self.advance(key);
        }
        self.go_after(key);
    }

    /// The answers to what these slots waited for are among those that another engine has composed.
    pub(super) fn fill_with_nothing(
        &mut self,
        key: RequestKey,
        slots: impl IntoIterator<Item = usize>,
    ) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        for slot in slots {
            request.open = request.open.saturating_sub(1);
            request.current.take_if(|current| current.slot == slot);
            set(&mut request.slots, slot, Slot::None);
        }
        self.settled(key);
    }

    /// Sends the response of a request if it is complete, and its turn.
    pub(crate) fn finish(&mut self, key: RequestKey) {
        let patience = self.config.store_timeout;
        let Some(mut request) = self.requests.take(key) else {
            return;
        };
        let incomplete = request.open > 0 || !request.processed;
        let after = request.after;
        let waits = incomplete || self.wait_for_log(key, &mut request, after, patience);
        let origin = request.origin;
        self.requests.put(key, request);
        if waits {
            return;
        }
        match origin {
            Origin::Forward(forward, _) => self.answer_forward(key, forward),
            Origin::Connection(connection, _) => {
                let first = self
                    .connections
                    .get(connection)
                    .and_then(|c| c.requests.first());
                if first.is_none_or(|first| *first == key) {
                    self.respond(key, connection);
                }
            }
        }
    }

    /// Hands the response of a request to its connection, and looks at the next request.
    fn respond(&mut self, key: RequestKey, connection: ConnectionId) {
        self.end_request(key);
        let Some(request) = self.requests.take(key) else {
            return;
        };
        self.requests.remove(key);
        let next = self.connections.get_mut(connection).and_then(|entry| {
            entry.requests.retain(|other| *other != key);
            entry.requests.first().copied()
        });
        if let Origin::Connection(_, transport) = request.origin {
            self.make_ready(*request, connection, transport);
            self.resume_reading(connection);
        }
        if let Some(next) = next {
            self.finish(next);
        }
        self.begin_early(connection);
    }

    fn make_ready(&mut self, request: Request, connection: ConnectionId, transport: Transport) {
        let session = request.session;
        let answers = Vec::from_iter(request.slots.into_iter().filter_map(|slot| match slot {
            Slot::Ready(answer) => Some(*answer),
            Slot::Open(_) | Slot::None => None,
        }));
        let exchange = transport.is_exchange();
        let handshake = answers.first().map(|answer| answer.kind) == Some(AnswerKind::Handshake);
        if let Some(session) = session.filter(|_| handshake) {
            self.start_fresh_clock(session);
        }
        if request.held {
            // It came alone (CN-4).
            if let Some(session) = session {
                self.wake(session);
            }
            return;
        }
        let carries = if request.rest.events.is_empty() {
            self.may_carry(&answers, session, transport)
        } else {
            Carries::Rest(request.rest)
        };
        // RC-6: a websocket has no answer without something to say.
        let empty = answers.is_empty() && matches!(carries, Carries::Nothing);
        let carried = matches!(carries, Carries::Queue(_)) && self.is_open(connection);
        if exchange || !empty {
            let response = Response {
                answers,
                carries,
                cookie: request.cookie,
            };
            self.send_response(connection, response);
        }
        // Events that were held back for this response, and that it does not carry.
        if let Some(session) = session.filter(|_| !carried) {
            self.wake(session);
        }
    }

    /// Which events may travel with these answers (RC-3, RC-4).
    fn may_carry(
        &self,
        answers: &[Answer],
        session: Option<SessionKey>,
        transport: Transport,
    ) -> Carries {
        let connect = answers.iter().find_map(|answer| match answer.kind {
            AnswerKind::Connect(session) => Some(session),
            AnswerKind::Handshake | AnswerKind::Other => None,
        });
        if let Some(session) = connect {
            return Carries::Queue(session);
        }
        let Some(key) = session else {
            return Carries::Nothing;
        };
        let Some(entry) = self.sessions.get(key) else {
            return Carries::Nothing;
        };
        let handshake = answers
            .first()
            .is_some_and(|a| a.kind == AnswerKind::Handshake);
        let refused = ProtocolError::session_unknown();
        let any = answers.is_empty()
            || answers
                .iter()
                .any(|answer| answer.reply.outcome.as_ref() != Err(&refused));
        let permitted = if handshake {
            self.config.deliver_during_handshake
        } else {
            any && !self.is_deliver_only(entry, transport) && transport.is_exchange()
        };
        if permitted {
            Carries::Queue(key)
        } else {
            Carries::Nothing
        }
    }

    fn answer_forward(&mut self, key: RequestKey, forward: ForwardTicket) {
        self.end_request(key);
        let Some(request) = self.requests.take(key) else {
            return;
        };
        self.requests.remove(key);
        let rest = request
            .rest
            .events
            .iter()
            .map(|(_, event)| event.object().to_vec());
        let mut replies: Vec<_> = rest
            .filter_map(|event| Payload::parse(event).ok())
            .collect();
        for slot in request.slots {
            if let Slot::Ready(answer) = slot {
                let mut text = Vec::new();
                answer.reply.encode(&mut text);
                replies.extend(Payload::parse(text));
            }
        }
        self.store(StoreRequest::Answer { forward, replies }, StoreUse::Nothing);
        if let Some(session) = request.session {
            self.wake(session);
        }
    }

    /// Undoes what a request holds elsewhere.
    pub(super) fn end_request(&mut self, key: RequestKey) {
        self.stop_waiting(key);
        let Some(mut request) = self.requests.take(key) else {
            return;
        };
        self.part(key, &mut request);
        self.requests.put(key, request);
    }

    /// Undoes what a request holds in its session.
    pub(crate) fn part(&mut self, key: RequestKey, request: &mut Request) {
        let batching = core::mem::take(&mut request.batching);
        let took_time = self.now > request.began;
        let Some(session) = request.session else {
            return;
        };
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        entry.batching -= u32::from(batching).min(entry.batching);
        let arriving = entry.arriving.len();
        entry.arriving.retain(|arriving| *arriving != key);
        let is_unbegun = entry.arriving.len() < arriving;
        if entry.connecting() == Some(key) {
            // Its connect has come to nothing: an extension has dropped the reply.
            self.end_connecting(session);
            self.go_away(session);
        } else if is_unbegun && took_time {
            // TM-3: the work on its connect has failed before it began.
            let grace = self.timings(session).until_expiry();
            self.extend_clock(session, grace);
        } else if batching && took_time {
            // TM-5: its connect may have waited behind it.
            let grace = self.timings(session).max_interval;
            self.extend_clock(session, grace);
        }
    }

    /// Lets a request wait, `patience` at most and once only, until the engine has seen `position`;
    /// whether it has to.
    pub(crate) fn wait_for_log(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        position: Position,
        patience: Duration,
    ) -> bool {
        if position <= self.log.seen() || request.has_waited {
            return false;
        }
        if request.waits.is_none() {
            let until = self.now + patience;
            request.waits = Some((position, until));
            self.requests.waiting.insert((position, key));
            self.timers.set(until, Alarm::Request(key));
        }
        true
    }

    fn stop_waiting(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let Some((position, until)) = request.waits.take() else {
            return;
        };
        self.requests.waiting.remove(&(position, key));
        self.timers.clear(until, Alarm::Request(key));
    }

    /// The engine has seen more of the log.
    pub(crate) fn release_waiting(&mut self) {
        let seen = self.log.seen();
        while let Some(&(position, key)) = self.requests.waiting.first() {
            if position > seen {
                return;
            }
            self.requests.waiting.pop_first();
            self.go_on(key);
        }
    }

    /// A request has waited for the log long enough.
    pub(crate) fn request_overdue(&mut self, key: RequestKey) {
        let (now, patience) = (self.now, self.config.limits.max_log_wait);
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        if let Some((_, until)) = &mut request.waits
            && now.saturating_duration_since(*until) > A_NAP
        {
            // The engine itself stood still: what has come of the log meanwhile is handled next.
            *until = now + patience;
            let until = *until;
            return self.timers.set(until, Alarm::Request(key));
        }
        request.has_waited = true;
        self.go_on(key);
    }

    /// Goes on with a request that has waited for the log.
    fn go_on(&mut self, key: RequestKey) {
        self.stop_waiting(key);
        match self.requests.get_mut(key).map(|request| request.processed) {
            Some(true) => self.finish(key),
            Some(false) => self.advance(key),
            None => {}
        }
    }
}
