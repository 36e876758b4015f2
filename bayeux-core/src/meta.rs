//! What the five meta channels and a publish do, each in its own file.

pub(crate) mod connect;
pub(crate) mod disconnect;
pub(crate) mod handshake;
pub(crate) mod publish;
pub(crate) mod subscribe;

use alloc::boxed::Box;
use core::time::Duration;

use crate::channel::MetaChannel;
use crate::config::BrowserBinding;
use crate::connection::Answer;
use crate::id::{BrowserId, SessionId};
use crate::io::{HttpVersion, Peer, Transport};
use crate::message::{Advice, Message, ProtocolError, Reconnect};
use crate::request::{Current, Flow, Request, RequestKey, Stage};
use crate::session::{Advised, Binding, Session, SessionKey};
use crate::store::{Access, StoreReply, StoreRequest};
use crate::tickets::StoreUse;
use crate::turn::Turn;

impl Turn<'_> {
    /// Looks at a message for what it is (PL-1, PL-3).
    pub(crate) fn dispatch(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        let message = &current.message;
        let operation = message.operation();
        if operation == Some(MetaChannel::Handshake) {
            return self.begin_handshake(request, current);
        }
        let connectionless = operation.is_none()
            && message.session.is_none()
            && self.config.allow_connectionless_publish;
        if !connectionless {
            if operation != Some(MetaChannel::Connect) && self.has_moved(request, &current.message)
            {
                return self.seek_out(request, current, ProtocolError::session_unknown());
            }
            if let Some(refused) = self.check_session(request, current, operation) {
                return refused;
            }
        }
        if self.waits_behind(key, request, current) {
            return Flow::Wait;
        }
        match operation {
            Some(MetaChannel::Connect) => {
                current.stage = Stage::Connect;
                self.begin_connect(key, request, current)
            }
            Some(MetaChannel::Subscribe) => self.begin_subscribe(current),
            Some(MetaChannel::Unsubscribe) => self.unsubscribe(key, request, current),
            Some(MetaChannel::Disconnect) => self.begin_disconnect(key, request, current),
            Some(MetaChannel::Handshake | MetaChannel::Other) | None => self.begin_publish(current),
        }
    }

    /// PL-3: the session has to be the request's own, and alive.
    fn check_session(
        &mut self,
        request: &Request,
        current: &Current,
        operation: Option<MetaChannel>,
    ) -> Option<Flow> {
        let message = &current.message;
        let named = message.session.as_deref().and_then(SessionId::parse);
        let session = request.session.and_then(|key| self.sessions.get(key));
        let usable = session.is_some_and(|session| {
            let last = session.is_leaving() && operation == Some(MetaChannel::Connect);
            named == Some(session.id) && !session.is_local() && (!session.is_leaving() || last)
        });
        if usable {
            if let (Some(key), Some(operation)) =
                (request.session, operation.or(Some(MetaChannel::Other)))
            {
                self.note_activity(key, operation);
            }
            return None;
        }
        if operation == Some(MetaChannel::Connect) && request.gone.is_some() {
            return Some(self.connect_without_session(request, current));
        }
        let error = request
            .refusal
            .clone()
            .unwrap_or_else(ProtocolError::session_unknown);
        if operation != Some(MetaChannel::Connect) {
            return Some(Flow::fail(message, error));
        }
        let transport = request.transport().unwrap_or(Transport::LongPolling);
        let pause = self.pause_before_handshake();
        Some(Self::refuse_connect(
            message,
            error,
            self.handshake_advice(transport, pause),
        ))
    }

    fn refuse_connect(message: &Message, error: ProtocolError, advice: Advice) -> Flow {
        let mut answer = Answer::refuse(message, error);
        answer.reply.advice = Some(advice);
        Flow::Answer(Box::new(answer))
    }

    /// TM-5, EX-3: what any message of a session does to its clocks.
    fn note_activity(&mut self, key: SessionKey, operation: MetaChannel) {
        if operation == MetaChannel::Connect {
            return;
        }
        let now = self.now;
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        session.active = now;
        let grace = self.timings(key).max_interval;
        self.extend_clock(key, grace);
    }

    /// Lets a session that is between two connects live for so long from now on, at least.
    pub(crate) fn extend_clock(&mut self, key: SessionKey, grace: Duration) {
        let Some(expires) = self.sessions.get(key).and_then(Session::expires) else {
            return;
        };
        if self.expiries.remaining(self.now, expires) < grace {
            self.start_clock(key, grace);
        }
    }

    /// Which sessions a request of this peer may act for (BR-3, BR-4, BR-6, DE-5).
    pub(crate) fn access(&self, peer: &Peer, transport: Transport) -> Access {
        match (self.config.browser_binding, peer.browser) {
            (BrowserBinding::Off, _) => Access::Any,
            (_, Some(cookie)) => Access::Browser(cookie),
            (_, None) if !transport.is_exchange() => Access::Any,
            (BrowserBinding::Lenient, None) => Access::Unbound,
            (BrowserBinding::Strict, None) => Access::Browserless,
        }
    }

    /// Whether a request of this peer may act for a session that is here. Notes the cookie's return.
    pub(crate) fn may_find(&mut self, key: SessionKey, peer: &Peer, transport: Transport) -> bool {
        let access = self.access(peer, transport);
        let Some(session) = self.sessions.get(key) else {
            return false;
        };
        let is_bound = session.binding != Binding::Open;
        if session.is_local() || !access.admits(session.browser, is_bound) {
            return false;
        }
        // BR-13: only an exchange binds a session that was of no browser.
        if let Access::Browser(cookie) = access
            && (session.browser.is_some() || transport.is_exchange())
        {
            self.bind_to_browser(key, cookie);
        }
        true
    }

    /// The cookie of a session has come back (BR-4): the store is told once, for whoever has it next.
    fn bind_to_browser(&mut self, key: SessionKey, cookie: BrowserId) {
        let is_down = self.log.is_down();
        let Some(entry) = self.sessions.get_mut(key) else {
            return;
        };
        if entry.binding == Binding::Recorded {
            return;
        }
        entry.browser = Some(cookie);
        if is_down {
            entry.binding = Binding::Unrecorded;
            return;
        }
        entry.binding = Binding::Recorded;
        let bind = StoreRequest::Bind {
            session: entry.id,
            fence: entry.fence,
            browser: cookie,
        };
        self.store(bind, StoreUse::Binding(key));
    }

    /// The store is there again: it is told whose cookie has come back meanwhile.
    pub(crate) fn record_bindings(&mut self) {
        for key in self.sessions.keys() {
            let session = self.sessions.get(key);
            let unrecorded = session.filter(|session| session.binding == Binding::Unrecorded);
            if let Some(cookie) = unrecorded.and_then(|session| session.browser) {
                self.bind_to_browser(key, cookie);
            }
        }
    }

    /// The store has noted that a cookie came back, or has not: the next time it comes will do, or after an outage.
    pub(crate) fn bound(&mut self, key: SessionKey, reply: &StoreReply) {
        if matches!(reply, StoreReply::Failed | StoreReply::Fenced)
            && let Some(session) = self.sessions.get_mut(key)
        {
            session.binding = Binding::Unrecorded;
        }
    }

    /// What holds for a session: its own, else its transport's, else the server's (CN-5).
    pub(crate) fn timings(&self, key: SessionKey) -> Timings {
        let session = self.sessions.get(key);
        let transport = session.and_then(|session| session.transport);
        self.timings_of(session, transport.unwrap_or(Transport::LongPolling))
    }

    pub(crate) fn timings_of(&self, session: Option<&Session>, transport: Transport) -> Timings {
        let options = self.config.transport(transport);
        let own = session.map(|session| &session.settings);
        Timings {
            timeout: own
                .and_then(|own| own.timeout)
                .or(options.timeout)
                .unwrap_or(self.config.timeout),
            interval: own
                .and_then(|own| own.interval)
                .or(options.interval)
                .unwrap_or(self.config.interval),
            max_interval: own
                .and_then(|own| own.max_interval)
                .or(options.max_interval)
                .unwrap_or(self.config.max_interval),
        }
    }

    /// Whether events travel with connect replies only (QU-4, CB-6, AK-2).
    pub(crate) fn is_deliver_only(&self, session: &Session, transport: Transport) -> bool {
        session.settings.acknowledged
            || transport == Transport::CallbackPolling
            || session
                .settings
                .deliver_only
                .or(self.config.transport(transport).meta_connect_deliver_only)
                .unwrap_or(self.config.meta_connect_deliver_only)
    }

    /// Complete advice to go on (AD-2).
    pub(crate) fn retry_advice(&self, timings: &Timings) -> Advice {
        let reconnect = self
            .config
            .handshake_reconnect
            .then_some(timings.max_interval);
        Advice {
            reconnect: Some(Reconnect::Retry),
            interval: Some(millis(timings.interval)),
            timeout: Some(millis(timings.timeout)),
            max_interval: reconnect.map(millis),
            multiple_clients: None,
        }
    }

    /// Advice to begin anew (CN-10), after `interval`.
    pub(crate) fn handshake_advice(&self, transport: Transport, interval: Duration) -> Advice {
        let timings = self.timings_of(None, transport);
        Advice {
            reconnect: Some(Reconnect::Handshake),
            interval: Some(millis(interval)),
            timeout: Some(millis(timings.timeout)),
            ..Advice::default()
        }
    }

    /// A wait drawn at random, for clients that must not all come back at once (ER-7).
    pub(crate) fn spread(&mut self) -> Duration {
        let spread = millis(self.config.spread);
        Duration::from_millis(self.entropy.below(spread.saturating_add(1)))
    }

    /// How long a client waits whose session is not known: not at all, but for the time in which all those come whose
    /// sessions the store has lost (ER-7).
    pub(crate) fn pause_before_handshake(&mut self) -> Duration {
        if self.log.has_strays(self.now) {
            self.spread()
        } else {
            Duration::ZERO
        }
    }

    /// The hold limit of a browser (BR-7); `None`: no limit.
    pub(crate) fn hold_limit(&self, http: HttpVersion) -> Option<u32> {
        let limit = match http {
            HttpVersion::One => self.config.max_sessions_per_browser,
            HttpVersion::Two => self.config.http2_max_sessions_per_browser,
        };
        u32::try_from(limit).ok()
    }

    /// What the client would be told of timings now.
    pub(crate) fn advised(&self, key: SessionKey, transport: Transport) -> Advised {
        let timings = self.timings_of(self.sessions.get(key), transport);
        Advised {
            transport,
            timeout: clamped(timings.timeout),
            interval: clamped(timings.interval),
        }
    }
}

/// The three times of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timings {
    pub(crate) timeout: Duration,
    pub(crate) interval: Duration,
    pub(crate) max_interval: Duration,
}

impl Timings {
    /// How long it may be from one connect to the next.
    pub(crate) const fn cycle(&self) -> Duration {
        self.timeout.saturating_add(self.until_expiry())
    }

    /// How long a session lives from an answer on without coming back (TM-3).
    pub(crate) const fn until_expiry(&self) -> Duration {
        self.interval.saturating_add(self.max_interval)
    }
}

/// Whole milliseconds, as the wire has them.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn clamped(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Advice that ends it (AD-6).
pub(crate) fn final_advice() -> Advice {
    Advice {
        reconnect: Some(Reconnect::None),
        ..Advice::default()
    }
}
