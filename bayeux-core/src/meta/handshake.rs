//! `/meta/handshake` (HS-1): from a stranger to a session.
//!
//! A session is known here only once the store keeps it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::connection::{Answer, AnswerKind};
use crate::debts::Parting;
use crate::decide::Authorization;
use crate::decision::Subject;
use crate::id::{BrowserId, SessionId};
use crate::io::Transport;
use crate::message::{Event, Extensions, HandshakeFields, Message, Payload, ProtocolError, Reply};
use crate::meta::final_advice;
use crate::report::ReportKind;
use crate::request::{Current, Flow, Request, RequestKey, Stage};
use crate::session::{Session, SessionKey};
use crate::store::{
    Destination, Echo, Laziness, NewEntry, SessionRecord, StoreReply, StoreRequest,
};
use crate::tickets::StoreUse;
use crate::time::Instant;
use crate::timer::Alarm;
use crate::turn::Turn;

/// How far a handshake has come.
pub(crate) enum HandshakeStage {
    /// Policy is asked.
    Deciding,
    /// The store keeps the session.
    Opening(Box<SessionRecord>),
    /// The log takes in what welcomes the session.
    Welcoming { session: SessionKey, ahead: usize },
}

impl Turn<'_> {
    pub(crate) fn begin_handshake(&mut self, request: &Request, current: &mut Current) -> Flow {
        if !request.is_handshake(current) {
            let error = ProtocolError::handshake_must_be_first();
            return Flow::fail(&current.message, error);
        }
        if let Some(error) = self.handshake_limit(request) {
            self.counters.handshakes_limited += 1;
            return self.try_later(request, &current.message, error);
        }
        let types = current.message.connection_types.as_ref();
        if let Some(types) = types.filter(|types| !self.offers_any(types)) {
            let error = ProtocolError::connection_types_unsupported(types);
            let mut answer = Answer::refuse(&current.message, error);
            answer.reply.advice = Some(final_advice());
            return self.refused(answer);
        }
        current.stage = Stage::Handshake(HandshakeStage::Deciding);
        Flow::Go
    }

    /// HS-6: whether one of the client's transports is offered here.
    fn offers_any(&self, types: &[Box<str>]) -> bool {
        let offered = &self.config.allowed_transports;
        types.iter().any(|name| {
            let cross_origin = &**name == CROSS_ORIGIN && offered.contains(&Transport::LongPolling);
            cross_origin || offered.iter().any(|transport| transport.name() == &**name)
        })
    }

    /// HS-17, DE-16: why there is no room for one more session; or the store is away (ER-7).
    fn handshake_limit(&mut self, request: &Request) -> Option<ProtocolError> {
        let now = self.now;
        let parts = &mut **self;
        let admitted = request.peer.address.is_none_or(|address| {
            address.is_loopback() || parts.addresses.admit(address, now, &parts.config.limits)
        });
        let full = self.is_full(request);
        let refused = full || !admitted || self.draining.is_some() || self.log.is_down();
        refused.then(ProtocolError::unavailable)
    }

    /// Whether there are as many sessions as may be, altogether or of this address.
    fn is_full(&self, request: &Request) -> bool {
        let limits = &self.config.limits;
        let address = request.peer.address;
        let address = address.filter(|address| !address.is_loopback());
        let of_address = address.map(|address| self.addresses.sessions_of(address));
        self.sessions.len() >= limits.max_sessions
            || of_address.is_some_and(|count| count >= limits.max_sessions_per_address)
    }

    pub(crate) fn try_later(
        &mut self,
        request: &Request,
        message: &Message,
        error: ProtocolError,
    ) -> Flow {
        let interval = self.spread();
        let transport = request.transport().unwrap_or(Transport::LongPolling);
        let mut answer = Answer::refuse(message, error);
        answer.reply.advice = Some(self.handshake_advice(transport, interval));
        self.refused(answer)
    }

    pub(crate) fn refused(&mut self, mut answer: Answer) -> Flow {
        self.counters.handshakes_refused += 1;
        answer.kind = AnswerKind::Handshake;
        answer.reply.handshake = Some(Box::new(self.handshake_fields(None)));
        Flow::Answer(Box::new(answer))
    }

    pub(crate) fn handshake(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        let Stage::Handshake(stage) = &mut current.stage else {
            return Flow::Go;
        };
        match stage {
            HandshakeStage::Deciding => self.decide_handshake(key, request, current),
            HandshakeStage::Opening(_) => self.opened(key, request, current),
            HandshakeStage::Welcoming { .. } => self.welcomed(request, current),
        }
    }

    fn decide_handshake(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        let subject = |current: &Current| Subject::Handshake(current.message.clone().into());
        match self.authorize(key, request, current, |o| o.handshake, None, subject) {
            Authorization::Waiting => Flow::Wait,
            Authorization::Late => self.overdue(request, current),
            Authorization::Denied(denial) => {
                let error = ProtocolError::handshake_denied();
                self.refuse(request, current, error, *denial)
            }
            Authorization::Allowed => self.open_session(key, request, current),
        }
    }

    /// Asks the store to keep the new session.
    fn open_session(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        let session = self.mint();
        let browser = self.browser_of(request);
        let admission = current.admission.as_deref();
        let mut settings = admission
            .map(|terms| terms.settings.clone())
            .unwrap_or_default();
        settings.acknowledged = self.config.acknowledge && offers_ack(&current.message);
        let record = SessionRecord {
            browser,
            settings: self.sessions.share(Arc::new(settings)),
            start: self.log.seen(),
            ..SessionRecord::new(session)
        };
        let fence = record.fence;
        let open = StoreRequest::Open(Box::new(record.clone()));
        self.store(
            open,
            StoreUse::Open {
                request: key,
                session,
                fence,
            },
        );
        current.stage = Stage::Handshake(HandshakeStage::Opening(Box::new(record)));
        Flow::Wait
    }

    /// An identifier that falls on this shard, and that no session here has.
    pub(crate) fn mint(&mut self) -> SessionId {
        let shard = self.config.shard;
        loop {
            let id = SessionId::draw(&mut self.entropy);
            if id.shard(shard.count) == shard.index && self.sessions.find(id).is_none() {
                return id;
            }
        }
    }

    /// The browser of a handshake: the cookie it brought, or a new one over HTTP (BR-1, HS-16).
    fn browser_of(&mut self, request: &mut Request) -> Option<BrowserId> {
        let exchange = request.transport().is_some_and(Transport::is_exchange);
        if request.peer.browser.is_some() || !exchange {
            return request.peer.browser;
        }
        let browser = self.mint_browser();
        request.cookie = Some(browser);
        Some(browser)
    }

    /// A browser that falls on this shard: its later handshakes come here too, and what it holds is
    /// counted in one place (BR-7).
    fn mint_browser(&mut self) -> BrowserId {
        let shard = self.config.shard;
        loop {
            let browser = BrowserId::draw(&mut self.entropy);
            if browser.shard(shard.count) == shard.index {
                return browser;
            }
        }
    }

    /// The store has kept the session, or has not.
    fn opened(&mut self, key: RequestKey, request: &mut Request, current: &mut Current) -> Flow {
        let Some(reply) = current.stored.take() else {
            return Flow::Wait;
        };
        let stage = core::mem::replace(&mut current.stage, Stage::Dispatch);
        let Stage::Handshake(HandshakeStage::Opening(record)) = stage else {
            return Flow::Silent;
        };
        if !matches!(reply, StoreReply::Done) {
            request.cookie = None;
            return self.try_later(request, &current.message, ProtocolError::unavailable());
        }
        if self.is_full(request) || self.is_drained() {
            // Others, who came at the same time, were faster; or so was a shutdown.
            let (session, fence) = (record.session, record.fence);
            self.part_with(session, fence, Parting::Ended);
            self.counters.handshakes_limited += 1;
            request.cookie = None;
            return self.try_later(request, &current.message, ProtocolError::unavailable());
        }
        let session = self.admit(key, *record, request);
        let welcome = current
            .admission
            .as_mut()
            .map(|terms| core::mem::take(&mut terms.welcome));
        let welcome = welcome.unwrap_or_default();
        let ahead = welcome.len();
        let Some(id) = self.sessions.get(session).map(|session| session.id) else {
            return Flow::Silent;
        };
        for (channel, data) in welcome {
            let entry = NewEntry {
                origin: None,
                fence: None,
                to: Destination::Session(id),
                event: self.stamp(Event::deliver(&channel, &data)),
                laziness: Laziness::Prompt,
                echo: Echo::ToPublisher,
            };
            self.store(StoreRequest::Append(Box::new(entry)), StoreUse::Step(key));
        }
        current.stage = Stage::Handshake(HandshakeStage::Welcoming { session, ahead });
        if ahead == 0 { Flow::Go } else { Flow::Wait }
    }

    /// A session begins.
    fn admit(
        &mut self,
        by: RequestKey,
        record: SessionRecord,
        request: &mut Request,
    ) -> SessionKey {
        // An extension may have made a handshake of a message of another session.
        self.part(by, request);
        let id = record.session;
        let seen = self.log.seen();
        let mut session = Session::new(record, self.now, seen);
        let address = request.peer.address;
        let address = address.filter(|address| !address.is_loopback());
        session.address = address.map(Into::into);
        if let Some(address) = session.address {
            self.addresses.add(address);
        }
        session.transport = request.transport();
        let key = self.sessions.insert(session);
        self.start_fresh_clock(key);
        self.start_admission(key);
        request.session = Some(key);
        if let (Some(connection), Some(transport)) = (request.connection(), request.transport())
            && !transport.is_exchange()
        {
            self.bind_handshaken(connection, key);
        }
        self.counters.handshakes += 1;
        self.report(ReportKind::SessionCreated(id));
        key
    }

    /// HS-13, TM-3: how long a client may take for its first connect, from the answer to its
    /// handshake on; and until then at the least, should the answer never come.
    pub(crate) fn start_fresh_clock(&mut self, key: SessionKey) {
        let fresh = self.sessions.get(key).is_some_and(Session::is_fresh);
        if fresh {
            let timings = self.timings(key);
            self.start_clock(key, timings.until_expiry());
        }
    }

    /// HS-18: sets the end of an admission that has one, by the wall clock as it is set now.
    pub(crate) fn start_admission(&mut self, key: SessionKey) {
        let wall_clock = self.config.wall_clock;
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let Some(until) = session.settings.until else {
            return;
        };
        let at = Instant::EPOCH + until.saturating_sub(wall_clock);
        session.make_special().until = Some(at);
        self.timers.set(at, Alarm::Admission(key));
    }

    pub(crate) fn end_admission(&mut self, key: SessionKey) {
        let session = self.sessions.get_mut(key);
        let special = session.and_then(Session::special_mut);
        if let Some(at) = special.and_then(|special| special.until.take()) {
            self.timers.clear(at, Alarm::Admission(key));
        }
    }

    /// What welcomes the session is in the log, or some of it still is not.
    fn welcomed(&mut self, request: &mut Request, current: &mut Current) -> Flow {
        let stored = current.stored.take();
        let Stage::Handshake(HandshakeStage::Welcoming { session, ahead }) = &mut current.stage
        else {
            return Flow::Silent;
        };
        if let Some(reply) = stored {
            *ahead = ahead.saturating_sub(1);
            if let StoreReply::Appended(position) = reply {
                request.wait_until_seen(position);
            }
        }
        let (session, ahead) = (*session, *ahead);
        if ahead > 0 {
            return Flow::Wait;
        }
        Flow::Answer(Box::new(self.welcome_reply(session, request, current)))
    }

    fn welcome_reply(&self, key: SessionKey, request: &Request, current: &mut Current) -> Answer {
        let message = &current.message;
        let mut answer = Answer::to(message);
        answer.kind = AnswerKind::Handshake;
        let transport = request.transport().unwrap_or(Transport::LongPolling);
        let Some(session) = self.sessions.get(key) else {
            // It was ended while it was being welcomed.
            answer.reply.outcome = Err(ProtocolError::handshake_failed());
            answer.reply.advice = Some(self.handshake_advice(transport, Duration::ZERO));
            return answer;
        };
        let fields = self.handshake_fields(Some(message));
        let admitted = current
            .admission
            .as_mut()
            .and_then(|terms| terms.ext.take());
        let ack = session
            .settings
            .acknowledged
            .then(|| Payload::from(serde_json::Value::Bool(true)));
        answer.reply = Reply {
            session: Some(session.id.text().into()),
            handshake: Some(Box::new(fields)),
            advice: Some(self.retry_advice(&self.timings_of(Some(session), transport))),
            ext: match (admitted, ack) {
                (ext, Some(ack)) => Some(ext.unwrap_or_default().with("ack", ack)),
                (ext, None) => ext,
            },
            ..answer.reply
        };
        answer
    }

    /// HS-4, HS-5: what every handshake reply says of the server.
    fn handshake_fields(&self, message: Option<&Message>) -> HandshakeFields {
        let offered = &self.config.allowed_transports;
        let mut supported = Vec::from_iter(offered.iter().map(|transport| transport.name()));
        let asked = message.and_then(|message| message.connection_types.as_ref());
        let cross_origin =
            asked.is_some_and(|types| types.iter().any(|name| &**name == CROSS_ORIGIN));
        if cross_origin && offered.contains(&Transport::LongPolling) {
            supported.push(CROSS_ORIGIN);
        }
        HandshakeFields {
            supported,
            messages: 0,
        }
    }
}

/// Faye's name for long-polling across origins (XO-1, HS-5).
const CROSS_ORIGIN: &str = "cross-origin-long-polling";

/// AK-1: whether a handshake offers acknowledgement.
fn offers_ack(message: &Message) -> bool {
    let offer = message.ext.as_ref().and_then(|ext| ext.get("ack"));
    offer.is_some_and(|offer| {
        let enabled = || Extensions::from_payload(offer.clone())?.get("enabled");
        offer.as_str() == "true" || enabled().is_some_and(|enabled| enabled.as_str() == "true")
    })
}
