//! The messages of a request, one after the other, each stage by stage until it is done.
//!
//! A message begins only when the one before it is done (MO-6). While a request is worked on it is taken
//! out of the table: whatever arrives for it meanwhile finds nothing, and whoever takes it puts it back.

use alloc::boxed::Box;

use super::{Current, Flow, Origin, Request, RequestKey, Slot, Stage, set};
use crate::channel::{ChannelName, MetaChannel};
use crate::connection::Answer;
use crate::decide::{Arrived, Consultation, Order, Step};
use crate::decision::{Denial, Role, Subject, Verdict};
use crate::id::DecisionTicket;
use crate::io::CloseReason;
use crate::message::{Id, Message, ProtocolError};
use crate::meta::final_advice;
use crate::session::SessionKey;
use crate::store::StoreReply;
use crate::timesync::Timesync;
use crate::turn::Turn;

impl Turn<'_> {
    /// Goes on with a request as far as it goes.
    pub(crate) fn advance(&mut self, key: RequestKey) {
        let Some(mut request) = self.requests.take(key) else {
            return;
        };
        if request.forwarding.is_some() {
            let stored = request
                .current
                .as_mut()
                .and_then(|current| current.stored.take());
            let Some(reply) = stored else {
                self.requests.put(key, request);
                return;
            };
            request.current = None;
            self.sought(key, &mut request, reply);
            if request.forwarding.is_some() {
                self.requests.put(key, request);
                return;
            }
        }
        if request.slots.is_empty() && refuses_as_a_whole(&request) {
            self.abandon(key, request);
            return;
        }
        loop {
            let current = match request.current.take() {
                Some(current) => current,
                None if self.is_paused(key, &request) => break,
                None => match request.messages.next() {
                    Some(message) => self.start(&mut request, message),
                    None => {
                        request.processed = true;
                        break;
                    }
                },
            };
            if !self.work(key, &mut request, current) {
                break;
            }
        }
        let processed = request.processed;
        let origin = request.origin;
        let seeks = !request.refused.is_empty();
        self.requests.put(key, request);
        if seeks {
            self.go_after(key);
        }
        if processed {
            self.finish(key);
            if let Origin::Connection(connection, _) = origin {
                self.resume_reading(connection);
            }
        }
    }

    /// Gives up on a request with its connection.
    fn abandon(&mut self, key: RequestKey, request: Box<Request>) {
        self.requests.put(key, request);
        self.end_request(key);
        let connection = self.requests.get_mut(key).map(|request| request.origin);
        self.requests.remove(key);
        if let Some(Origin::Connection(connection, _)) = connection {
            if let Some(entry) = self.connections.get_mut(connection) {
                entry.requests.retain(|other| *other != key);
            }
            self.close(connection, CloseReason::Unavailable);
        }
    }

    /// Whether the next message has to wait until the store has caught up.
    fn is_paused(&mut self, key: RequestKey, request: &Request) -> bool {
        let limit = self.config.limits.max_open_appends;
        if request.messages.as_slice().is_empty() {
            return false;
        }
        let entry = request
            .session
            .and_then(|session| Some((session, self.sessions.get(session)?)));
        match entry {
            Some((session, entry)) if entry.open_appends as usize >= limit => {
                let paused = self.requests.paused.entry(session).or_default();
                if !paused.contains(&key) {
                    paused.push_back(key);
                }
                true
            }
            Some(_) | None => request.open >= limit,
        }
    }

    /// The store has answered an append of a session: what waited for that goes on.
    pub(crate) fn append_settled(&mut self, session: SessionKey) {
        let limit = self.config.limits.max_open_appends;
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.open_appends = entry.open_appends.saturating_sub(1);
        }
        // Those that append nothing leave the room to the ones behind them.
        while let Some(entry) = self.sessions.get(session) {
            if entry.open_appends as usize >= limit {
                return;
            }
            let Some(key) = self.requests.next_paused(session) else {
                return;
            };
            self.advance(key);
        }
    }

    /// Something has arrived for the message that a request is at.
    pub(crate) fn stored_for(&mut self, key: RequestKey, reply: StoreReply) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        if request.forwarding.is_some() {
            // No message has begun yet; what arrived is kept where `advance` looks for it.
            let message = Message::default();
            let Some(mut taken) = self.requests.take(key) else {
                return;
            };
            let mut current = self.start(&mut taken, message);
            taken.slots.clear();
            current.stored = Some(reply);
            taken.current = Some(current);
            self.requests.put(key, taken);
        } else if let Some(current) = &mut request.current {
            current.stored = Some(reply);
        }
        self.advance(key);
    }

    /// A decider has answered, or not in time.
    pub(crate) fn decided_for(
        &mut self,
        key: RequestKey,
        ticket: DecisionTicket,
        arrived: Arrived,
    ) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        if let Some(current) = &mut request.current {
            current.consultation.arrive(ticket, arrived);
        }
        self.advance(key);
    }

    fn start(&mut self, request: &mut Request, message: Message) -> Box<Current> {
        let slot = request.slots.len();
        request.slots.push(Slot::Open(None));
        let timesync = match message.operation() {
            Some(_) if self.config.timesync => Timesync::of(message.ext.as_ref(), self.now),
            Some(_) | None => None,
        };
        Box::new(Current {
            message,
            channel: None,
            slot,
            stage: Stage::Validate,
            consultation: Consultation::new(Order::Registered),
            authorizing: false,
            granted: false,
            asked_authorizer: false,
            admission: None,
            stored: None,
            timesync,
        })
    }

    /// Works on one message; whether it is done.
    fn work(&mut self, key: RequestKey, request: &mut Request, mut current: Box<Current>) -> bool {
        loop {
            let flow = self.step(key, request, &mut current);
            match flow {
                Flow::Go => {}
                Flow::Wait => {
                    request.current = Some(current);
                    return false;
                }
                Flow::Answer(mut answer) => {
                    if answer.timesync.is_none() {
                        answer.timesync = current.timesync.take();
                    }
                    self.name_session(&current.message, &mut answer);
                    current.reply(answer);
                }
                Flow::Handed => return true,
                Flow::Silent => {
                    set(&mut request.slots, current.slot, Slot::None);
                    return true;
                }
            }
        }
    }

    fn step(&mut self, key: RequestKey, request: &mut Request, current: &mut Current) -> Flow {
        match &current.stage {
            Stage::Validate => self.validate(request, current),
            Stage::Incoming => self.incoming(key, request, current),
            Stage::Dispatch => self.dispatch(key, request, current),
            Stage::Handshake(_) => self.handshake(key, request, current),
            Stage::Connect => self.connect(key, request, current),
            Stage::Subscribe(_) => self.subscribe(key, request, current),
            Stage::Publish(_) => self.publish(key, request, current),
            Stage::Disconnect => self.disconnected(request, current),
            Stage::Stored(_) => Flow::Wait,
            Stage::Reply(_) => self.outgoing(key, request, current),
        }
    }

    /// PL-1: what a message is has to be clear before anybody looks at it (FI-1, FI-2, CH-2).
    fn validate(&mut self, request: &Request, current: &mut Current) -> Flow {
        match self.check_fields(&current.message) {
            Ok(channel) => {
                current.channel = channel;
                current.stage = Stage::Incoming;
                Flow::Go
            }
            Err(error) => self.refuse(request, current, error, Denial::default()),
        }
    }

    /// The channel that a message is published to, if it is no operation.
    fn check_fields(&self, message: &Message) -> Result<Option<ChannelName>, ProtocolError> {
        let Some(text) = &message.channel else {
            return Err(ProtocolError::channel_missing());
        };
        if self.config.validate_message_fields && message.id == Id::Invalid {
            return Err(ProtocolError::message_id_invalid());
        }
        if message.operation().is_some() {
            return Ok(None);
        }
        // PB-5: a wildcard is no channel to publish to.
        let channel = ChannelName::parse(text, &self.config.grammar).ok();
        let channel = channel.filter(|channel| !channel.is_reserved());
        channel.map(Some).ok_or_else(ProtocolError::channel_invalid)
    }

    /// Refuses the message at hand: a handshake never without advice (AD-3, AD-5).
    pub(crate) fn refuse(
        &mut self,
        request: &Request,
        current: &Current,
        error: ProtocolError,
        denial: Denial,
    ) -> Flow {
        let mut answer = Answer::deny(&current.message, error, denial);
        if request.is_handshake(current) {
            answer.reply.advice.get_or_insert_with(final_advice);
            return self.refused(answer);
        }
        Flow::Answer(Box::new(answer))
    }

    /// A decision about the message at hand came too late (ER-7).
    pub(crate) fn overdue(&mut self, request: &Request, current: &Current) -> Flow {
        let error = ProtocolError::unavailable();
        if request.is_handshake(current) {
            return self.try_later(request, &current.message, error);
        }
        Flow::fail(&current.message, error)
    }

    /// Extensions look at a message that has come in (PL-1, PL-4).
    fn incoming(&mut self, key: RequestKey, request: &Request, current: &mut Current) -> Flow {
        let deleted = ProtocolError::message_deleted;
        loop {
            let wanted = |role: &Role| (*role == Role::Incoming).then_some(());
            let subject = |current: &Current, ()| Subject::Incoming(current.message.clone().into());
            match self.consult(key, request, current, wanted, subject) {
                Step::Waiting => return Flow::Wait,
                Step::Late => return self.overdue(request, current),
                Step::Verdict(Verdict::Drop) => {
                    return self.refuse(request, current, deleted(), Denial::default());
                }
                Step::Verdict(Verdict::Deny(denial)) => {
                    return self.refuse(request, current, deleted(), *denial);
                }
                Step::Verdict(Verdict::Replace(message)) => {
                    current.message = *message;
                    current.stage = Stage::Validate;
                    return Flow::Go;
                }
                Step::Verdict(
                    Verdict::Allow
                    | Verdict::Abstain
                    | Verdict::ReplaceEvent(_)
                    | Verdict::Extend(_)
                    | Verdict::Admit(_)
                    | Verdict::Answer { .. },
                ) => {}
                Step::Done => {
                    current.stage = Stage::Dispatch;
                    current.consultation = Consultation::new(Order::Registered);
                    return Flow::Go;
                }
            }
        }
    }

    /// Extensions look at a reply (PL-5).
    fn outgoing(&mut self, key: RequestKey, request: &mut Request, current: &mut Current) -> Flow {
        loop {
            let Stage::Reply(answer) = &mut current.stage else {
                return Flow::Silent;
            };
            let successful = answer.reply.outcome.is_ok();
            let wanted = |role: &Role| (*role == Role::Outgoing).then_some(());
            let subject = |current: &Current, ()| {
                let message = current.message.clone().into();
                Subject::Reply {
                    message,
                    successful,
                }
            };
            let step = self.consult(key, request, current, wanted, subject);
            let Stage::Reply(answer) = &mut current.stage else {
                return Flow::Silent;
            };
            match step {
                Step::Waiting => return Flow::Wait,
                Step::Verdict(Verdict::Drop) => return Flow::Silent,
                Step::Verdict(Verdict::Extend(added)) => answer.extend(&added),
                Step::Verdict(
                    Verdict::Allow
                    | Verdict::Abstain
                    | Verdict::Deny(_)
                    | Verdict::Replace(_)
                    | Verdict::ReplaceEvent(_)
                    | Verdict::Admit(_)
                    | Verdict::Answer { .. },
                )
                | Step::Late => {}
                Step::Done => {
                    let stage = core::mem::replace(&mut current.stage, Stage::Incoming);
                    if let Stage::Reply(answer) = stage {
                        self.answered(key, request, current.slot, answer);
                    }
                    return Flow::Handed;
                }
            }
        }
    }

    /// FI-3: replies name the session, if they are to.
    pub(super) fn name_session(&self, message: &Message, answer: &mut Answer) {
        let handshake = message.operation() == Some(MetaChannel::Handshake);
        if self.config.echo_client_id && !handshake {
            answer.reply.session.clone_from(&message.session);
        }
    }
}

/// ER-7: a connect that would have to be handed over while the store is away gets no answer at all,
/// but 503 or 1013.
fn refuses_as_a_whole(request: &Request) -> bool {
    let mut messages = request.messages.as_slice().iter();
    request.refusal == Some(ProtocolError::unavailable())
        && messages.any(|message| message.operation() == Some(MetaChannel::Connect))
}
