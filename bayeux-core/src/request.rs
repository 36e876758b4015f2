//! Requests: the messages of one frame, one after the other, until all of them are answered.
//!
//! A message is *done* when the next may begin (MO-6): for a publish or a subscription that is when
//! the store has been asked, since it keeps the order in which it was asked; its reply waits for the
//! store's answer. Everything else is waited for. The response leaves when all replies are there.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use slab::Slab;

use crate::channel::{ChannelName, MetaChannel};
use crate::connection::{Answer, AnswerKind, Carries, Response, Rest};
use crate::decide::{Arrived, Consultation, Order, Step};
use crate::decision::{Admission, Denial, Role, Subject, Verdict};
use crate::id::{BrowserId, ConnectionId, DecisionTicket, ForwardTicket, SessionId};
use crate::io::{CloseReason, Peer, Transport};
use crate::message::{Event, Id, Message, Messages, Payload, ProtocolError, Reply};
use crate::meta::final_advice;
use crate::meta::handshake::HandshakeStage;
use crate::meta::publish::PublishStage;
use crate::meta::subscribe::SubscribeStage;
use crate::report::Removal;
use crate::session::SessionKey;
use crate::store::{Position, StoreReply, StoreRequest};
use crate::tickets::StoreUse;
use crate::time::Instant;
use crate::timer::Alarm;
use crate::timesync::Timesync;
use crate::turn::Turn;

/// Where a request is in [`Requests`]; finds nothing once it is answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct RequestKey {
    slot: u32,
    generation: u32,
}

/// The messages of one frame.
pub(crate) struct Request {
    pub(crate) origin: Origin,
    pub(crate) peer: Peer,
    /// The session that it speaks for (HT-9, WS-5).
    pub(crate) session: Option<SessionKey>,
    /// Not found here: everything that is no handshake is answered with this.
    pub(crate) refusal: Option<ProtocolError>,
    messages: vec::IntoIter<Message>,
    /// How many messages there were.
    pub(crate) total: usize,
    slots: Vec<Slot>,
    pub(crate) current: Option<Box<Current>>,
    /// Slots that wait for the store.
    open: usize,
    /// To be answered only once the engine has seen this of the log (RC-2, SU-11).
    after: Position,
    /// It waits for the log to reach this, until then.
    waits: Option<(Position, Instant)>,
    /// It has waited for the log long enough.
    has_waited: bool,
    /// It holds back its session's events, to take them along (QU-2).
    batching: bool,
    /// All messages are done.
    processed: bool,
    /// It carries what this ended session leaves behind.
    pub(crate) rest: Rest,
    pub(crate) cookie: Option<BrowserId>,
    /// One of its messages is a connect that is held now: no answer.
    held: bool,
    /// How long its connect may be held, if that is the client's to say (AD-7).
    pub(crate) asked_timeout: Option<u64>,
    /// One of its messages called the server, and the result is on its way to its session (SV-4).
    pub(crate) calls: bool,
    /// Why the session of its connect is gone.
    pub(crate) gone: Option<Removal>,
    /// A newer connect has begun before its own: that is never answered (CN-9).
    pub(crate) overtaken: bool,
    /// Its messages were handed to the owner of their session.
    forwarding: Option<Vec<Message>>,
}

/// Where a request came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// A connection of this engine.
    Connection(ConnectionId, Transport),
    /// Another engine.
    Forward(ForwardTicket),
}

/// The answer to one message of a request.
enum Slot {
    /// Not there yet.
    Open(Option<Box<Answer>>),
    Ready(Box<Answer>),
    /// There is none: an extension dropped it, or the connect is held.
    None,
}

/// The message that a request is at.
pub(crate) struct Current {
    pub(crate) message: Message,
    /// Where it is published to, if it is.
    pub(crate) channel: Option<ChannelName>,
    pub(crate) slot: usize,
    pub(crate) stage: Stage,
    pub(crate) consultation: Consultation,
    /// Authorizers are being asked, no longer policy.
    pub(crate) authorizing: bool,
    /// An authorizer has granted.
    pub(crate) granted: bool,
    /// There was one to ask.
    pub(crate) asked_authorizer: bool,
    /// The terms of a handshake, as its deciders have set them.
    pub(crate) admission: Option<Box<Admission>>,
    /// What the store has answered.
    pub(crate) stored: Option<StoreReply>,
    pub(crate) timesync: Option<Box<Timesync>>,
}

impl Current {
    /// The store has answered: extensions may see the reply.
    fn stored(&mut self, outcome: Result<(), ProtocolError>) {
        if let Stage::Stored(answer) = &mut self.stage {
            let mut answer = core::mem::replace(answer, Box::new(Answer::to(&self.message)));
            if outcome.is_err() {
                answer.reply.outcome = outcome;
            }
            self.reply(answer);
        }
    }

    /// Extensions see the reply next, in reverse order (PL-1).
    fn reply(&mut self, answer: Box<Answer>) {
        self.consultation = Consultation::new(Order::Reversed);
        self.stage = Stage::Reply(answer);
    }

    /// Whether policy or authorizers have been asked about the stage that it is in.
    pub(crate) fn is_being_authorized(&self) -> bool {
        self.authorizing || self.consultation.has_begun()
    }

    /// What was asked for the last stage does not count for the next.
    pub(crate) fn reset_authorization(&mut self) {
        self.authorizing = false;
        self.granted = false;
        self.asked_authorizer = false;
        self.consultation = Consultation::new(Order::Registered);
    }

    /// The session that the message speaks for: a publish without client speaks for none (PB-2),
    /// whatever the request is of.
    pub(crate) fn session(&self, request: &Request) -> Option<SessionKey> {
        let bare = self.message.session.is_none() && self.message.operation().is_none();
        request.session.filter(|_| !bare)
    }

    /// Adds to the terms of a handshake; what was said last counts.
    pub(crate) fn admit(&mut self, admission: Admission) {
        let Some(before) = &mut self.admission else {
            self.admission = Some(Box::new(admission));
            return;
        };
        let ext = match (before.ext.take(), admission.ext) {
            (Some(first), Some(second)) => Some(
                second
                    .iter()
                    .fold(first, |all, (name, value)| all.with(&name, value)),
            ),
            (first, second) => second.or(first),
        };
        before.welcome.extend(admission.welcome);
        before.settings = admission.settings;
        before.ext = ext;
    }
}

/// How far a message has come.
pub(crate) enum Stage {
    /// Its fields are looked at.
    Validate,
    /// The extensions look at it.
    Incoming,
    /// It is looked at for what it is.
    Dispatch,
    Handshake(HandshakeStage),
    /// A connect waits for the log.
    Connect,
    Subscribe(Box<SubscribeStage>),
    Publish(Box<PublishStage>),
    /// The store is told that the session has ended.
    Disconnect,
    /// It is done; the extensions look at its reply once the store has answered.
    Stored(Box<Answer>),
    /// The extensions look at its reply.
    Reply(Box<Answer>),
}

/// What becomes of a message.
pub(crate) enum Flow {
    /// It waits for something.
    Wait,
    /// It goes on in the stage that was set.
    Go,
    /// This is the answer, subject to extensions.
    Answer(Box<Answer>),
    /// It is done; the answer comes with the store's.
    Handed,
    /// It is done, and has no answer.
    Silent,
}

impl Flow {
    pub(crate) fn fail(message: &Message, error: ProtocolError) -> Self {
        Self::Answer(Box::new(Answer::refuse(message, error)))
    }

    pub(crate) fn deny(message: &Message, error: ProtocolError, denial: Denial) -> Self {
        Self::Answer(Box::new(Answer::deny(message, error, denial)))
    }

    pub(crate) fn succeed(message: &Message) -> Self {
        Self::Answer(Box::new(Answer::to(message)))
    }
}

impl Answer {
    /// That `message` succeeded.
    pub(crate) fn to(message: &Message) -> Self {
        Self {
            reply: Reply::to(message),
            kind: AnswerKind::Other,
            timesync: None,
        }
    }

    /// That `message` is refused.
    pub(crate) fn refuse(message: &Message, error: ProtocolError) -> Self {
        let mut answer = Self::to(message);
        answer.reply.outcome = Err(error);
        answer
    }

    /// That somebody refuses `message`, with `error` if nothing else was said.
    fn deny(message: &Message, error: ProtocolError, denial: Denial) -> Self {
        let mut answer = Self::refuse(message, denial.error.unwrap_or(error));
        answer.reply.advice = denial.advice;
        answer.reply.ext = denial.ext;
        answer
    }

    /// Adds to what the extensions have said.
    fn extend(&mut self, added: &crate::Extensions) {
        let before = self.reply.ext.take().unwrap_or_default();
        self.reply.ext = Some(
            added
                .iter()
                .fold(before, |all, (name, value)| all.with(&name, value)),
        );
    }
}

/// The requests of an engine.
#[derive(Default)]
pub(crate) struct Requests {
    slots: Slab<(u32, Option<Box<Request>>)>,
    generation: u32,
    /// Those that wait for the log, by the position that they wait for.
    pub(crate) waiting: alloc::collections::BTreeSet<(Position, RequestKey)>,
}

impl Requests {
    fn insert(&mut self, request: Request) -> RequestKey {
        self.generation = self.generation.wrapping_add(1);
        let slot = self
            .slots
            .insert((self.generation, Some(Box::new(request))));
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        RequestKey {
            slot,
            generation: self.generation,
        }
    }

    fn entry(&mut self, key: RequestKey) -> Option<&mut Option<Box<Request>>> {
        let (generation, request) = self.slots.get_mut(key.slot as usize)?;
        (*generation == key.generation).then_some(request)
    }

    /// Takes it out to be worked on; to be `put` back or `remove`d.
    fn take(&mut self, key: RequestKey) -> Option<Box<Request>> {
        self.entry(key)?.take()
    }

    fn put(&mut self, key: RequestKey, request: Box<Request>) {
        if let Some(entry) = self.entry(key) {
            *entry = Some(request);
        }
    }

    fn remove(&mut self, key: RequestKey) {
        if self.entry(key).is_some() {
            self.slots.remove(key.slot as usize);
        }
    }

    pub(crate) fn get_mut(&mut self, key: RequestKey) -> Option<&mut Request> {
        self.entry(key)?.as_deref_mut()
    }

    /// A request that is gone waits for nothing.
    fn forget_waiting(&mut self, key: RequestKey) {
        self.waiting.retain(|(_, waiting)| *waiting != key);
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}

impl Turn<'_> {
    /// Begins to work on messages.
    pub(crate) fn begin(
        &mut self,
        origin: Origin,
        peer: Peer,
        messages: Messages,
        bound: Option<SessionKey>,
    ) {
        self.counters.messages_received += messages.len() as u64;
        let handshake = messages.is_handshake();
        let named = messages.session().and_then(SessionId::parse);
        let has_connect = messages
            .iter()
            .any(|message| message.operation() == Some(MetaChannel::Connect));
        let total = messages.len();
        let request = Request {
            origin,
            peer,
            session: None,
            refusal: None,
            messages: Vec::new().into_iter(),
            total,
            slots: Vec::with_capacity(total),
            current: None,
            open: 0,
            after: Position::ZERO,
            waits: None,
            has_waited: false,
            batching: false,
            processed: false,
            rest: Rest::default(),
            cookie: None,
            held: false,
            asked_timeout: None,
            calls: false,
            gone: None,
            overtaken: false,
            forwarding: None,
        };
        let key = self.requests.insert(request);
        if let Origin::Connection(connection, _) = origin
            && let Some(connection) = self.connections.get_mut(connection)
        {
            connection.requests.push(key);
        }
        let Some(mut request) = self.requests.take(key) else {
            return;
        };
        let found = if handshake {
            None
        } else {
            bound.or_else(|| self.look_up(named, &request))
        };
        if let Some(session) = found {
            request.messages = Vec::from_iter(messages).into_iter();
            self.adopt(key, &mut request, session);
        } else if let Some(session) = named.filter(|_| !handshake && self.may_seek(&request)) {
            self.seek(key, &mut request, session, messages, has_connect);
        } else {
            request.messages = Vec::from_iter(messages).into_iter();
            request.refusal = (!handshake).then(ProtocolError::session_unknown);
        }
        self.requests.put(key, request);
        self.advance(key);
    }

    /// The session `id`, if it is here and this request may act for it.
    fn look_up(&mut self, id: Option<SessionId>, request: &Request) -> Option<SessionKey> {
        let key = self.sessions.find(id?)?;
        let exchange = match request.origin {
            Origin::Connection(_, transport) => transport.is_exchange(),
            // The other engine does not say what it came by: the stricter of the two.
            Origin::Forward(_) => true,
        };
        // WS-5: a socket may be told to carry only what was handshaken on it.
        let adopts = exchange || !self.config.require_handshake_per_connection;
        (adopts && self.may_find(key, &request.peer, exchange)).then_some(key)
    }

    /// Whether a session that is not here may be looked for elsewhere.
    fn may_seek(&self, request: &Request) -> bool {
        match request.origin {
            Origin::Connection(_, transport) => {
                transport.is_exchange() || !self.config.require_handshake_per_connection
            }
            Origin::Forward(_) => false,
        }
    }

    /// Looks elsewhere for the session of a request. Only a connect moves it here.
    fn seek(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        session: SessionId,
        messages: Messages,
        has_connect: bool,
    ) {
        if self.sessions.find(session).is_some() {
            // It is here, and not to be found by this peer: the same text as for an unknown one.
            request.messages = Vec::from_iter(messages).into_iter();
            request.refusal = Some(ProtocolError::session_unknown());
            return;
        }
        if self.log.is_down() {
            request.messages = Vec::from_iter(messages).into_iter();
            request.refusal = Some(ProtocolError::unavailable());
            return;
        }
        let ask = if has_connect {
            StoreRequest::Claim(session)
        } else {
            self.counters.forwarded += messages.len() as u64;
            let peer = request.peer.clone();
            StoreRequest::Forward {
                session,
                messages: messages.clone(),
                peer,
            }
        };
        request.forwarding = Some(Vec::from_iter(messages));
        self.store(ask, StoreUse::Step(key));
    }

    /// What the store says of a session that was looked for elsewhere.
    fn sought(&mut self, key: RequestKey, request: &mut Request, reply: StoreReply) {
        let messages = request.forwarding.take().unwrap_or_default();
        match reply {
            StoreReply::Claimed(record) => {
                let session = self.claimed(*record);
                request.messages = messages.into_iter();
                let exchange =
                    matches!(request.origin, Origin::Connection(_, t) if t.is_exchange());
                if self.may_find(session, &request.peer, exchange) {
                    self.adopt(key, request, session);
                } else {
                    request.refusal = Some(ProtocolError::session_unknown());
                }
            }
            StoreReply::Answered(replies) => {
                for reply in replies {
                    self.pass_on(request, reply);
                }
            }
            StoreReply::Unowned => {
                let id = messages
                    .first()
                    .and_then(|message| message.session.as_deref());
                let Some(id) = id.and_then(SessionId::parse) else {
                    return;
                };
                request.forwarding = Some(messages);
                self.store(StoreRequest::Claim(id), StoreUse::Step(key));
            }
            StoreReply::Unknown => {
                request.messages = messages.into_iter();
                request.refusal = Some(ProtocolError::session_unknown());
            }
            StoreReply::Done
            | StoreReply::Appended(_)
            | StoreReply::Fenced
            | StoreReply::Entries(_)
            | StoreReply::Gap
            | StoreReply::Failed => {
                request.messages = messages.into_iter();
                request.refusal = Some(ProtocolError::unavailable());
            }
        }
    }

    /// Takes a reply that another engine has composed.
    fn pass_on(&mut self, request: &mut Request, reply: Payload) {
        let event = Event::from_object(reply.as_bytes());
        request.rest.events.push((None, Arc::new(event)));
    }

    /// Lets a request speak for `session`.
    fn adopt(&mut self, key: RequestKey, request: &mut Request, session: SessionKey) {
        request.session = Some(session);
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        if entry.is_leaving() || entry.is_local() {
            // Only the connect that takes the rest is still answered (DC-7).
            return;
        }
        let connects = |message: &Message| message.operation() == Some(MetaChannel::Connect);
        let messages = request.messages.as_slice();
        if messages.iter().any(connects) {
            entry.arriving.push(key);
        }
        if !messages.first().is_some_and(connects) {
            // QU-2: what it causes for itself rides on its own response.
            request.batching = true;
            entry.batching += 1;
        }
        let Origin::Connection(connection, transport) = request.origin else {
            return;
        };
        if !transport.is_exchange() {
            self.bind(connection, session);
        }
    }

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
        self.requests.put(key, request);
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
        match request
            .session
            .and_then(|session| self.sessions.get_mut(session))
        {
            Some(session) if session.open_appends >= limit => {
                if !session.paused.contains(&key) {
                    session.paused.push(key);
                }
                true
            }
            Some(_) | None => request.open >= limit,
        }
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

    /// Puts an answer into its slot; a connect's may be held instead.
    fn answered(
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
        set(&mut request.slots, current.slot, Slot::Open(Some(answer)));
        Flow::Handed
    }

    /// FI-3: replies name the session, if they are to.
    fn name_session(&self, message: &Message, answer: &mut Answer) {
        let handshake = message.operation() == Some(crate::MetaChannel::Handshake);
        if self.config.echo_client_id && !handshake {
            answer.reply.session.clone_from(&message.session);
        }
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
            && let Slot::Open(Some(mut answer)) = core::mem::replace(place, Slot::None)
        {
            if outcome.is_err() {
                answer.reply.outcome = outcome;
            }
            parts.counters.messages_refused += u64::from(answer.reply.outcome.is_err());
            *place = Slot::Ready(answer);
        }
        if request.processed {
            self.finish(key);
        } else if request.current.is_none() {
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

    /// Sends the response of a request if it is complete, and its turn.
    fn finish(&mut self, key: RequestKey) {
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
            Origin::Forward(forward) => self.answer_forward(key, forward),
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
        if request.held && (exchange || answers.is_empty()) {
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
    fn end_request(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let batching = core::mem::take(&mut request.batching);
        let session = request.session;
        self.stop_waiting(key);
        let Some(session) = session else { return };
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        entry.batching -= u32::from(batching).min(entry.batching);
        entry.arriving.retain(|arriving| *arriving != key);
        if entry.connecting() == Some(key) {
            // Its connect has come to nothing: an extension has dropped the reply.
            self.end_connecting(session);
            self.go_away(session);
        }
    }

    /// Lets a request wait, `patience` at most and once only, until the engine has seen `position`;
    /// whether it has to.
    pub(crate) fn wait_for_log(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        position: Position,
        patience: core::time::Duration,
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
            self.go_on(key);
        }
    }

    /// A request has waited for the log long enough.
    pub(crate) fn request_overdue(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.get_mut(key) {
            request.has_waited = true;
        }
        self.go_on(key);
    }

    /// Goes on with a request that has waited for the log.
    fn go_on(&mut self, key: RequestKey) {
        self.stop_waiting(key);
        match self.requests.get_mut(key).map(|request| request.processed) {
            Some(true) => self.finish(key),
            Some(false) => self.advance(key),
            None => self.requests.forget_waiting(key),
        }
    }

    /// The connection that a request came by, if it is still worked on.
    pub(crate) fn connection_of(&mut self, request: Option<RequestKey>) -> Option<ConnectionId> {
        self.requests.get_mut(request?)?.connection()
    }

    /// Whether a duplex may hand over its next frame, and asks for it if so.
    pub(crate) fn resume_reading(&mut self, connection: ConnectionId) {
        let parts = &mut **self;
        let Some(entry) = parts.connections.get_mut(connection) else {
            return;
        };
        if entry.transport.is_exchange() || entry.reading || entry.closing || entry.local {
            return;
        }
        let requests = &mut parts.requests;
        let mut under_way = entry.requests.iter();
        let busy = under_way.any(|key| requests.get_mut(*key).is_none_or(|r| !r.processed));
        let limit = parts.config.limits.max_open_appends;
        // WS-13: what its peer does not read does not gather either.
        if !busy && entry.requests.len() + entry.ready.len() < limit {
            entry.reading = true;
            parts.outbox.push(crate::io::Output::Receive { connection });
        }
    }

    /// The store has answered an append of a session: what waited for that goes on.
    pub(crate) fn append_settled(&mut self, session: SessionKey) {
        let limit = self.config.limits.max_open_appends;
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.open_appends = entry.open_appends.saturating_sub(1);
        }
        // Those that append nothing leave the room to the ones behind them.
        while let Some(entry) = self.sessions.get_mut(session) {
            if entry.open_appends >= limit || entry.paused.is_empty() {
                return;
            }
            let key = entry.paused.remove(0);
            self.advance(key);
        }
    }
}

impl Request {
    /// Lets the response wait until the engine has seen `position`.
    pub(crate) fn wait_until_seen(&mut self, position: Position) {
        self.after = self.after.max(position);
    }

    /// The transport that its response travels on.
    pub(crate) const fn transport(&self) -> Option<Transport> {
        match self.origin {
            Origin::Connection(_, transport) => Some(transport),
            Origin::Forward(_) => None,
        }
    }

    pub(crate) const fn connection(&self) -> Option<ConnectionId> {
        match self.origin {
            Origin::Connection(connection, _) => Some(connection),
            Origin::Forward(_) => None,
        }
    }

    /// Whether the message at hand is a handshake that may be answered as one (HS-7).
    pub(crate) fn is_handshake(&self, current: &Current) -> bool {
        let handshake = current.message.operation() == Some(crate::MetaChannel::Handshake);
        handshake && current.slot == 0
    }
}

/// ER-7: a connect that would have to be handed over while the store is away gets no answer at all,
/// but 503 or 1013.
fn refuses_as_a_whole(request: &Request) -> bool {
    let mut messages = request.messages.as_slice().iter();
    request.refusal == Some(ProtocolError::unavailable())
        && messages.any(|message| message.operation() == Some(MetaChannel::Connect))
}

fn set(slots: &mut [Slot], index: usize, slot: Slot) {
    if let Some(place) = slots.get_mut(index) {
        *place = slot;
    }
}
