//! Requests: the messages of one frame, one after the other, until all of them are answered.
//!
//! A message is *done* when the next may begin (MO-6): for a publish or a subscription that is when
//! the store has been asked, since it keeps the order in which it was asked; its reply waits for
//! the store's answer. What changes who receives waits for the entries before it (`order`);
//! everything else is waited for. The response leaves when all replies are there.

mod follow;
mod intake;
mod order;
mod pipeline;
mod response;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use slab::Slab;

pub(crate) use self::follow::Followers;
use self::follow::Refused;
pub(crate) use self::order::Behind;
use crate::channel::{ChannelName, MetaChannel};
use crate::connection::{Answer, AnswerKind, Rest};
use crate::decide::{Consultation, Order};
use crate::decision::{Admission, Denial};
use crate::id::{BrowserId, ConnectionId, ForwardTicket, SessionId};
use crate::io::{Peer, Transport};
use crate::message::{Event, Message, Payload, ProtocolError, Reply};
use crate::meta::handshake::HandshakeStage;
use crate::meta::publish::PublishStage;
use crate::meta::subscribe::SubscribeStage;
use crate::report::Removal;
use crate::session::SessionKey;
use crate::store::{Position, StoreReply};
use crate::time::Instant;
use crate::timesync::Timesync;

/// Where a request is in [`Requests`]; finds nothing once it is answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct RequestKey {
    slot: u32,
    generation: NonZeroU32,
}

/// The messages of one frame.
pub(crate) struct Request {
    pub(crate) origin: Origin,
    pub(crate) peer: Peer,
    began: Instant,
    /// The session that it speaks for (HT-9, WS-5).
    pub(crate) session: Option<SessionKey>,
    /// What that session is called, also once it is gone.
    pub(crate) name: Option<SessionId>,
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
    /// What its messages come behind (PB-8).
    pub(crate) behind: Behind,
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
    /// Its messages were handed to the owner of this session, or wait until that is here.
    forwarding: Option<(SessionId, Vec<Message>)>,
    /// Messages that the store has refused, and that are yet to go after their session.
    refused: Vec<Refused>,
}

/// Where a request came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// A connection of this engine.
    Connection(ConnectionId, Transport),
    /// Another engine, to which it came by this transport.
    Forward(ForwardTicket, Transport),
}

impl Origin {
    /// What its client sent it by, wherever that was.
    pub(crate) const fn came_by(&self) -> Transport {
        match self {
            Self::Connection(_, transport) | Self::Forward(_, transport) => *transport,
        }
    }
}

/// The answer to one message of a request.
enum Slot {
    /// Not there yet: not begun, or it waits for the store, with the message in case it is to be done
    /// elsewhere.
    Open(Option<(Box<Answer>, Box<Message>)>),
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
        let mut settings = admission.settings;
        settings.identity = settings.identity.or(before.settings.identity.take());
        let ends = [settings.until, before.settings.until];
        settings.until = ends.into_iter().flatten().min();
        before.settings = settings;
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
pub(crate) struct Requests {
    slots: Slab<(NonZeroU32, Option<Box<Request>>)>,
    generation: NonZeroU32,
    /// Those that wait for the log, by the position that they wait for.
    pub(crate) waiting: BTreeSet<(Position, RequestKey)>,
    /// Those that wait until their session has fewer appends open, in order.
    pub(crate) paused: BTreeMap<SessionKey, VecDeque<RequestKey>>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            slots: Slab::new(),
            generation: NonZeroU32::MIN,
            waiting: BTreeSet::new(),
            paused: BTreeMap::new(),
        }
    }
}

impl Requests {
    fn insert(&mut self, request: Request) -> RequestKey {
        // After 4 billion of them it begins anew.
        self.generation = self.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
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

    /// The first that waits for appends of `session`, which it does no longer.
    fn next_paused(&mut self, session: SessionKey) -> Option<RequestKey> {
        let paused = self.paused.get_mut(&session)?;
        let first = paused.pop_front();
        if paused.is_empty() {
            self.paused.remove(&session);
        }
        first
    }

    pub(crate) fn get_mut(&mut self, key: RequestKey) -> Option<&mut Request> {
        self.entry(key)?.as_deref_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}

impl Request {
    /// One that nothing has been done for, with so many messages to come.
    fn new(origin: Origin, peer: Peer, total: usize, began: Instant) -> Self {
        Self {
            origin,
            peer,
            began,
            session: None,
            refusal: None,
            messages: Vec::new().into_iter(),
            total,
            slots: Vec::with_capacity(total),
            current: None,
            open: 0,
            after: Position::ZERO,
            behind: Behind::At(Position::ZERO),
            waits: None,
            has_waited: false,
            name: None,
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
            refused: Vec::new(),
        }
    }

    /// Takes a reply that another engine has composed.
    fn pass_on(&mut self, reply: &Payload) {
        let event = Event::from_object(reply.as_bytes());
        self.rest.events.push((None, Arc::new(event)));
    }

    /// Lets the response wait until the engine has seen `position`.
    pub(crate) fn wait_until_seen(&mut self, position: Position) {
        self.after = self.after.max(position);
    }

    /// The transport that its response travels on.
    pub(crate) const fn transport(&self) -> Option<Transport> {
        match self.origin {
            Origin::Connection(_, transport) => Some(transport),
            Origin::Forward(..) => None,
        }
    }

    pub(crate) const fn connection(&self) -> Option<ConnectionId> {
        match self.origin {
            Origin::Connection(connection, _) => Some(connection),
            Origin::Forward(..) => None,
        }
    }

    /// Whether the message at hand is a handshake that may be answered as one (HS-7).
    pub(crate) fn is_handshake(&self, current: &Current) -> bool {
        let handshake = current.message.operation() == Some(MetaChannel::Handshake);
        handshake && current.slot == 0
    }
}

fn set(slots: &mut [Slot], index: usize, slot: Slot) {
    if let Some(place) = slots.get_mut(index) {
        *place = slot;
    }
}
