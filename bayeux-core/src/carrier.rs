//! What travels to a session, and on what: the one place where batches are built.
//!
//! A batch is built when it is polled, from the front of the queue; until it is `Written` there is
//! no other for that connection, and what it took stays where it was (QU-9, RC-1 to RC-5).

mod frames;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use smallvec::smallvec;

use self::frames::{Array, Frames};
use crate::config::ActivityMode;
use crate::connection::{Answer, AnswerKind, Carries, Connection, Response, Sending};
use crate::id::{ConnectionId, SessionId};
use crate::io::{Batch, CloseReason, Peer, Transport};
use crate::message::{Event, Messages, Payload};
use crate::report::{Removal, ReportKind};
use crate::request::Origin;
use crate::session::{SessionKey, State, Taken};
use crate::store::Position;
use crate::turn::Turn;

/// The events of a batch, in order.
#[derive(Default)]
struct Gathered {
    events: Vec<Arc<Event>>,
    /// The last of those that belong to a session, if some of it had to stay behind.
    cut_off: Option<Position>,
}

impl Gathered {
    fn events(&self) -> impl Iterator<Item = &Event> + Clone {
        self.events.iter().map(|event| &**event)
    }
}

impl Turn<'_> {
    /// A connection has begun.
    pub(crate) fn opened_connection(
        &mut self,
        connection: ConnectionId,
        transport: Transport,
        peer: Peer,
    ) {
        let entry = Connection::new(connection, transport, peer);
        self.connections.insert(entry);
        if self.connections.len() > self.config.limits.max_connections {
            self.counters.connections_limited += 1;
            self.close(connection, CloseReason::Limit);
        } else if self.draining.is_some() && !transport.is_exchange() {
            self.close(connection, CloseReason::Shutdown);
        }
    }

    /// A frame has come.
    pub(crate) fn received(&mut self, connection: ConnectionId, messages: Messages) {
        let Some(entry) = self.connections.get_mut(connection) else {
            self.counters.facts_ignored += 1;
            return;
        };
        if entry.closing || entry.finishing {
            return;
        }
        if !core::mem::take(&mut entry.reading) || entry.local {
            self.counters.frames_unasked += 1;
            self.close(connection, CloseReason::Unasked);
            return;
        }
        if self.is_drained() {
            self.close(connection, CloseReason::Shutdown);
            return;
        }
        self.take_in(connection, messages);
    }

    /// Lets a duplex carry messages of `session` (WS-5), and its events if nothing else does (WS-7,
    /// DE-1).
    pub(crate) fn bind_duplex(&mut self, connection: ConnectionId, session: SessionKey) {
        self.end_grace(connection);
        let Some(entry) = self.connections.get_mut(connection) else {
            // It has closed meanwhile, and carries nothing any more.
            return;
        };
        entry.session = Some(session);
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        let connects = entry.hold().is_some() || entry.connecting().is_some();
        if entry.socket.is_none() && !connects {
            entry.socket = Some(connection);
        }
    }

    /// A handshake on a duplex binds it anew; the session before goes on without it.
    pub(crate) fn bind_handshaken(&mut self, connection: ConnectionId, session: SessionKey) {
        self.end_grace(connection);
        let Some(entry) = self.connections.get_mut(connection) else {
            return;
        };
        if let Some(before) = entry.session.replace(session) {
            self.lost_carrier(before, connection);
        }
    }

    /// Something waits for a session: lets its carrier take it, if it has one that may (QU-1).
    pub(crate) fn wake(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        if session.is_batching() || session.reading().is_some() || !session.queue.is_prompt() {
            return;
        }
        // What is held on a duplex is held on the one that carries the session.
        let by_connect =
            session.socket.is_none() || self.is_deliver_only(session, Transport::WebSocket);
        if by_connect && session.hold().is_some() {
            if session.in_flight.is_none() {
                self.release_hold(key);
            }
            return;
        }
        if let Some(socket) = session.socket {
            self.due(socket);
        }
    }

    /// Lets a response leave on a connection. If that is gone, so is what the response carries.
    pub(crate) fn send_response(&mut self, connection: ConnectionId, response: Response) {
        match self.connections.get_mut(connection) {
            Some(entry) => entry.push_ready(response),
            None => self.counters.events_discarded += response.losses(),
        }
        self.due(connection);
    }

    /// Whether what is ready on a connection may still leave.
    pub(crate) fn is_open(&self, connection: ConnectionId) -> bool {
        let entry = self.connections.get(connection);
        entry.is_some_and(|entry| !entry.closing)
    }

    /// The next batch of this connection, if there is something to send.
    pub(crate) fn build(&mut self, connection: ConnectionId) -> Option<Batch> {
        let entry = self.connections.get_mut(connection)?;
        entry.due = false;
        if entry.sending.is_some() || entry.closing {
            return None;
        }
        let (transport, carried, local) = (entry.transport, entry.session, entry.local);
        if transport.is_exchange() {
            let response = entry.pop_ready()?;
            return Some(self.build_exchange(connection, response));
        }
        if entry.ready() == 0 {
            return self.build_push(connection, carried?, local);
        }
        let mut responses = entry.take_ready();
        let mut frames = Frames::new(
            self.config.messages_per_frame,
            self.config.limits.max_frame_bytes,
        );
        let mut sending = Sending::default();
        let mut answers = Vec::new();
        let mut gathered = Gathered::default();
        while let Some(mut response) = responses.pop_front() {
            // One batch carries the events of one session: what speaks for another waits (RC-5).
            let other = matches!(response.carries, Carries::Queue(key)
                if sending.events.is_some_and(|first| first != key));
            if other {
                responses.push_front(response);
                break;
            }
            let carries = core::mem::take(&mut response.carries);
            self.take_events(connection, carries, &mut sending, &mut gathered);
            for mut answer in response.answers {
                self.complete(&mut answer, &mut sending, gathered.cut_off);
                if answer.kind == AnswerKind::Handshake {
                    frames.alone(&answer);
                } else {
                    answers.push(answer);
                }
            }
        }
        if let Some(session) = carried.filter(|_| sending.events.is_none())
            && self.pushes_to(session, connection)
        {
            self.take_events(
                connection,
                Carries::Queue(session),
                &mut sending,
                &mut gathered,
            );
        }
        if !responses.is_empty()
            && let Some(entry) = self.connections.get_mut(connection)
        {
            entry.put_ready(responses);
        }
        let together = sending.connect.and_then(|key| self.sessions.get(key));
        let together = together.is_some_and(|session| session.settings.acknowledged);
        frames.fill(gathered.events(), &answers, together);
        self.sent(connection, sending);
        Some(Batch {
            frames: frames.done,
            cookie: None,
            last: false,
        })
    }

    /// The one response of an exchange.
    fn build_exchange(&mut self, connection: ConnectionId, mut response: Response) -> Batch {
        let mut sending = Sending::default();
        let mut gathered = Gathered::default();
        let carries = core::mem::take(&mut response.carries);
        self.take_events(connection, carries, &mut sending, &mut gathered);
        for answer in &mut response.answers {
            self.complete(answer, &mut sending, gathered.cut_off);
        }
        let first = response
            .answers
            .iter()
            .filter(|a| a.kind == AnswerKind::Handshake);
        let rest = response
            .answers
            .iter()
            .filter(|a| a.kind != AnswerKind::Handshake);
        let mut array = Array::of(gathered.events(), response.answers.len());
        first.for_each(|answer| array.answer(answer));
        gathered.events().for_each(|event| array.event(event));
        rest.for_each(|answer| array.answer(answer));
        self.sent(connection, sending);
        let last = self.draining.is_some();
        Batch {
            frames: smallvec![array.done()],
            cookie: response.cookie,
            last,
        }
    }

    /// Events for a duplex that nobody has asked anything of: the common case, one event to many.
    fn build_push(
        &mut self,
        connection: ConnectionId,
        key: SessionKey,
        local: bool,
    ) -> Option<Batch> {
        if !local && !self.pushes_to(key, connection) {
            return None;
        }
        let limits = &self.config.limits;
        let (max_bytes, frame_bytes) = (limits.max_message_size, limits.max_frame_bytes);
        let mut frames = Frames::new(self.config.messages_per_frame, frame_bytes);
        let session = self.sessions.get_mut(key)?;
        if !session.may_give_out() || session.is_batching() {
            return None;
        }
        let keep = session.keep();
        let taken = session.queue.take(keep, max_bytes);
        let count = taken.count;
        let only = session.queue.front(count).next()?;
        if count == 1 {
            frames.done.push(only.event.framed().clone());
        } else {
            let front = session.queue.front(count);
            frames.fill(front.map(|queued| &*queued.event), &[], false);
        }
        let mut sending = Sending {
            events: Some(key),
            ..Sending::default()
        };
        self.note_taken(key, connection, taken, &mut sending);
        self.sent(connection, sending);
        Some(Batch {
            frames: frames.done,
            cookie: None,
            last: false,
        })
    }

    /// WS-6: whether events are pushed to this duplex.
    pub(crate) fn pushes_to(&self, key: SessionKey, connection: ConnectionId) -> bool {
        let Some(session) = self.sessions.get(key) else {
            return false;
        };
        session.socket == Some(connection) && !self.is_deliver_only(session, Transport::WebSocket)
    }

    /// Takes the events that a response carries.
    fn take_events(
        &mut self,
        connection: ConnectionId,
        carries: Carries,
        sending: &mut Sending,
        gathered: &mut Gathered,
    ) {
        let key = match carries {
            Carries::Nothing => return,
            Carries::Rest(rest) => {
                let positions = rest.positions().collect();
                if let Some(session) = rest.session {
                    let told = sending.positions.get_or_insert_default();
                    told.rest = Some((session, positions));
                }
                let events = rest.events.into_iter();
                gathered.events.extend(events.map(|(_, event)| event));
                return;
            }
            Carries::Queue(key) => key,
        };
        let limits = &self.config.limits;
        let (frame, message) = (limits.max_frame_bytes, limits.max_message_size);
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if !session.may_give_out() || sending.events == Some(key) {
            return;
        }
        let keep = session.keep();
        let max_bytes = if session.settings.acknowledged {
            frame
        } else {
            message
        };
        let taken = session.queue.take(keep, max_bytes);
        let count = taken.count;
        let front = session.queue.front(count);
        let events = front.map(|queued| Arc::clone(&queued.event));
        gathered.events.extend(events);
        sending.events = Some(key);
        if taken.count < session.queue.len() {
            let last = session.queue.last_of(taken.count);
            gathered.cut_off = Some(last.unwrap_or(session.acknowledged));
        }
        self.note_taken(key, connection, taken, sending);
    }

    /// Notes that events of a session are on their way.
    fn note_taken(
        &mut self,
        key: SessionKey,
        connection: ConnectionId,
        Taken { count, again }: Taken,
        sending: &mut Sending,
    ) {
        let reports = self.config.reports.messages;
        let counts_as_activity = self
            .config
            .activity
            .is_some_and(|activity| activity.mode == ActivityMode::ClientServer);
        let now = self.now;
        sending.count += u32::try_from(count).unwrap_or(u32::MAX);
        self.counters.events_resent += again as u64;
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if count > 0 && !session.settings.acknowledged {
            session.in_flight = Some(connection);
        }
        if count > 0 && counts_as_activity {
            session.active = now;
        }
        if reports {
            let taken = session.queue.front(count);
            let told = sending.positions.get_or_insert_default();
            told.events = taken.map(|queued| queued.position).collect();
        }
        self.calm(key);
    }

    /// What is known of an answer only as it leaves: the acknowledgement number, the time it took.
    fn complete(&self, answer: &mut Answer, sending: &mut Sending, cut_off: Option<Position>) {
        if let Some(sync) = answer.timesync.take()
            && let Some(value) = sync.answer(self.now, self.config.wall_clock)
        {
            let ext = answer.reply.ext.take().unwrap_or_default();
            answer.reply.ext = Some(ext.with("timesync", value));
        }
        answer.reply.timestamp = self.timestamp();
        let key = match answer.kind {
            AnswerKind::Connect(key) => {
                sending.connect = Some(key);
                key
            }
            AnswerKind::Handshake if self.config.deliver_during_handshake => {
                let Some(key) = sending.events else { return };
                if let Some(fields) = &mut answer.reply.handshake {
                    fields.messages = sending.count;
                }
                key
            }
            AnswerKind::Handshake | AnswerKind::Other => return,
        };
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        if !session.settings.acknowledged {
            return;
        }
        let number = self.ack_number(session, cut_off);
        let number = Payload::from(serde_json::Value::from(number));
        let handshake = answer.kind == AnswerKind::Handshake;
        let value = if handshake { enabled(&number) } else { number };
        let ext = answer.reply.ext.take().unwrap_or_default();
        answer.reply.ext = Some(ext.with("ack", value));
    }

    /// The batch is about to be handed over.
    fn sent(&mut self, connection: ConnectionId, sending: Sending) {
        if let Some(session) = sending.connect.and_then(|key| self.sessions.get_mut(key)) {
            session.answering = Some(connection);
        }
        if let Some(entry) = self.connections.get_mut(connection) {
            entry.sending = Some(sending);
        }
    }

    /// The last batch of a connection is on the wire.
    pub(crate) fn written(&mut self, connection: ConnectionId) {
        let Some(entry) = self.connections.get_mut(connection) else {
            self.counters.facts_ignored += 1;
            return;
        };
        let Some(sending) = entry.sending.take() else {
            self.counters.facts_ignored += 1;
            return;
        };
        let (exchange, more) = (entry.transport.is_exchange(), entry.ready() > 0);
        if entry.finishing && !more && entry.requests.is_empty() {
            self.close(connection, CloseReason::SessionOver);
        }
        if exchange {
            self.drop_connection(connection);
        }
        if let Some(key) = sending.events {
            self.events_written(key, connection, &sending);
        }
        let rest = sending.positions.as_ref();
        if let Some((session, positions)) = rest.and_then(|told| told.rest.as_ref()) {
            self.rest_written(*session, positions);
        }
        if let Some(key) = sending.connect {
            self.connect_written(key, connection);
        }
        if more {
            self.due(connection);
        }
        self.resume_reading(connection);
    }

    fn events_written(&mut self, key: SessionKey, connection: ConnectionId, sending: &Sending) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let id = sending.positions.as_ref().map(|_| session.id);
        if session.in_flight == Some(connection) {
            session.in_flight = None;
            session.queue.written();
        }
        self.counters.events_written += u64::from(sending.count);
        if let (Some(id), Some(positions)) = (id, &sending.positions) {
            for position in &positions.events {
                self.report(ReportKind::Delivered(id, *position));
            }
        }
        self.wake(key);
        self.has_landed(key);
    }

    fn rest_written(&mut self, session: SessionId, positions: &[Position]) {
        self.counters.events_written += positions.len() as u64;
        if self.config.reports.messages {
            for position in positions {
                self.report(ReportKind::Delivered(session, *position));
            }
        }
    }

    /// TM-3, TM-4: the clock of a session starts once its connect's answer is on the wire. An
    /// overtaken answer does not start it (TM-8).
    fn connect_written(&mut self, key: SessionKey, connection: ConnectionId) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let newest = session.answering.take_if(|at| *at == connection).is_some();
        if newest && matches!(session.state, State::Away { .. }) {
            self.go_away(key);
        }
    }

    /// A connection is gone (CN-14, CN-15, TM-10, WS-11).
    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        let Some(mut entry) = self.drop_connection(connection) else {
            self.counters.facts_ignored += 1;
            return;
        };
        for key in entry.session.into_iter().chain(entry.held) {
            self.lost_carrier(key, connection);
        }
        if let Some(key) = entry.session.filter(|_| entry.local) {
            // The application has hung up on a session of its own.
            self.remove(key, Removal::DisconnectedByServer);
        }
        let backlog = entry.take_backlog();
        let sending = entry.sending.unwrap_or_default();
        if let Some(key) = sending.events {
            self.return_events(key, connection);
        }
        let rest = sending.positions.and_then(|told| told.rest);
        let lost = rest.map_or(0, |(_, positions)| positions.len() as u64);
        self.counters.events_discarded += lost;
        // Those that only waited for their turn here are over.
        for request in entry.requests {
            self.stand_alone(request);
            self.finish(request);
        }
        if let Some(messages) = backlog.early {
            let origin = Origin::Connection(connection, entry.transport);
            self.begin_orphaned(origin, entry.peer, messages);
        }
        for response in backlog.ready {
            self.counters.events_discarded += response.losses();
            if let Carries::Queue(key) = response.carries {
                self.wake(key);
            }
        }
    }

    /// A session has lost a connection that it may have been carried by.
    fn lost_carrier(&mut self, key: SessionKey, connection: ConnectionId) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.socket == Some(connection) {
            session.socket = None;
        }
        if session
            .hold()
            .is_some_and(|hold| hold.connection == connection)
        {
            self.end_hold(key);
        }
    }

    /// What was in flight comes back to the front of the queue.
    fn return_events(&mut self, key: SessionKey, connection: ConnectionId) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.in_flight == Some(connection) {
            session.in_flight = None;
            let count = session.queue.requeue() as u64;
            self.counters.events_requeued += count;
            self.wake(key);
            self.has_landed(key);
        }
    }

    fn drop_connection(&mut self, connection: ConnectionId) -> Option<Connection> {
        self.end_grace(connection);
        self.connections.remove(connection)
    }

    /// Starts the clock of a session that is between two connects (TM-3).
    pub(crate) fn start_clock(&mut self, key: SessionKey, after: Duration) {
        self.stop_clock(key);
        let now = self.now;
        let at = self.expiries.set(now, after, key);
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        match &mut session.state {
            State::Fresh { expires } | State::Away { expires } | State::Leaving { expires, .. } => {
                *expires = at;
            }
            State::Connecting { .. } | State::Held(_) | State::Local => {
                self.expiries.clear(at, key);
            }
        }
    }

    pub(crate) fn stop_clock(&mut self, key: SessionKey) {
        let expires = self
            .sessions
            .get(key)
            .and_then(crate::session::Session::expires);
        if let Some(at) = expires {
            self.expiries.clear(at, key);
        }
    }
}

/// `ext.ack` of a handshake that delivers (AK-1).
fn enabled(number: &Payload) -> Payload {
    let text = alloc::format!(r#"{{"enabled":true,"batch":{}}}"#, number.as_str());
    Payload::parse(text).unwrap_or_else(|_| Payload::null())
}
