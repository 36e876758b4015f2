//! From a frame to a request that speaks for a session, or is refused one.
//!
//! A session that is not here is looked for elsewhere: a connect claims it, anything else is handed to
//! the engine that has it. No message is begun before it is known whose it is.

use alloc::vec::Vec;

use super::{Origin, Request, RequestKey};
use crate::channel::MetaChannel;
use crate::id::{ConnectionId, SessionId};
use crate::io::Peer;
use crate::message::{Id, Message, Messages, ProtocolError};
use crate::session::SessionKey;
use crate::store::{StoreReply, StoreRequest};
use crate::tickets::StoreUse;
use crate::turn::Turn;

impl Turn<'_> {
    /// Begins to work on a frame, unless those before it on a duplex are yet to go after their session:
    /// it would overtake them (MO-6).
    pub(crate) fn take_in(&mut self, connection: ConnectionId, messages: Messages) {
        let is_early = !messages.is_handshake() && self.seeks_session(connection);
        let Some(entry) = self.connections.get_mut(connection) else {
            return;
        };
        if is_early {
            entry.postpone(messages);
            return;
        }
        let origin = Origin::Connection(connection, entry.transport);
        let (peer, carried) = (entry.peer.clone(), entry.session);
        let carried = carried.filter(|session| self.sessions.get(*session).is_some());
        let named = messages.session().and_then(SessionId::parse);
        self.begin(origin, peer, messages, carried, named);
    }

    /// Begins to work on a frame that has waited, if it need not wait any longer. On a connection that is being
    /// closed it waits until that is gone.
    pub(super) fn begin_early(&mut self, connection: ConnectionId) {
        let is_drained = self.is_drained();
        let entry = self.connections.get_mut(connection);
        let open = entry.filter(|entry| !entry.closing && !is_drained);
        if let Some(messages) = open.and_then(|entry| entry.take_early()) {
            self.take_in(connection, messages);
        }
    }

    /// Begins to work on a frame that has waited until its connection was gone. Its connects never begin: nobody
    /// hears the answer, and they would take the session from where its client is by now. Nor does a handshake,
    /// which was not the first (HS-7). The rest speaks for whom the whole frame did (HT-9).
    pub(crate) fn begin_orphaned(&mut self, origin: Origin, peer: Peer, messages: Messages) {
        if self.is_drained() {
            return;
        }
        let named = messages.session().and_then(SessionId::parse);
        let mut rest = Vec::from_iter(messages);
        rest.retain(|message| {
            let is_handshake = message.operation() == Some(MetaChannel::Handshake);
            !is_handshake && !self.connects(message)
        });
        if !rest.is_empty() {
            self.begin(origin, peer, Messages::from(rest), None, named);
        }
    }

    /// Begins to work on messages that speak for the session that their duplex carries, or else for the one `named`.
    pub(crate) fn begin(
        &mut self,
        origin: Origin,
        peer: Peer,
        messages: Messages,
        carried: Option<SessionKey>,
        named: Option<SessionId>,
    ) {
        self.counters.messages_received += messages.len() as u64;
        let handshake = messages.is_handshake();
        let has_connect = messages.iter().any(|message| self.connects(message));
        let mut request = Request::new(origin, peer, messages.len(), self.now);
        if let Origin::Connection(connection, transport) = origin
            && !transport.is_exchange()
        {
            request.behind = self.behind(connection);
        }
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
            carried.or_else(|| self.look_up(named, &request))
        };
        if let Some(session) = found {
            request.messages = Vec::from_iter(messages).into_iter();
            self.adopt(key, &mut request, session);
        } else if let Some(session) = named.filter(|_| !handshake && self.may_seek(&request)) {
            self.seek(key, &mut request, session, messages, has_connect);
        } else {
            request.messages = Vec::from_iter(messages).into_iter();
        }
        self.requests.put(key, request);
        self.advance(key);
    }

    /// The session `id`, if it is here and this request may act for it.
    fn look_up(&mut self, id: Option<SessionId>, request: &Request) -> Option<SessionKey> {
        let key = self.sessions.find(id?)?;
        let may_find =
            self.may_adopt(request) && self.may_find(key, &request.peer, request.origin.came_by());
        may_find.then_some(key)
    }

    /// Whether a session that is not here may be looked for elsewhere.
    fn may_seek(&self, request: &Request) -> bool {
        matches!(request.origin, Origin::Connection(..)) && self.may_adopt(request)
    }

    /// WS-5: a socket may be told to carry only what was handshaken on it. Whoever forwards has seen to that.
    fn may_adopt(&self, request: &Request) -> bool {
        match request.origin {
            Origin::Connection(_, transport) => {
                transport.is_exchange() || !self.config.require_handshake_per_connection
            }
            Origin::Forward(..) => true,
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
        self.part_before(session);
        request.forwarding = Some((session, Vec::from_iter(messages.iter().cloned())));
        if has_connect {
            self.claim(key, request, session);
        } else {
            self.counters.forwarded += messages.len() as u64;
            let forward = StoreRequest::Forward {
                session,
                messages,
                peer: request.peer.clone(),
                transport: request.origin.came_by(),
            };
            self.store(forward, StoreUse::Step(key));
        }
    }

    /// Asks the store for the session of a request.
    fn claim(&mut self, key: RequestKey, request: &Request, session: SessionId) {
        let access = self.access(&request.peer, request.origin.came_by());
        let claim = StoreRequest::Claim { session, access };
        self.store(claim, StoreUse::Claim(key));
    }

    /// What the store says of a session that was looked for elsewhere.
    pub(super) fn sought(&mut self, key: RequestKey, request: &mut Request, reply: StoreReply) {
        let Some((session, messages)) = request.forwarding.take() else {
            return;
        };
        match reply {
            StoreReply::Claimed(record) => {
                let session = self.claimed(*record);
                request.messages = messages.into_iter();
                if self.may_find(session, &request.peer, request.origin.came_by()) {
                    self.adopt(key, request, session);
                } else {
                    request.refusal = Some(ProtocolError::session_unknown());
                }
            }
            StoreReply::Answered(replies) => {
                for reply in &replies {
                    request.pass_on(reply);
                }
            }
            StoreReply::Unowned => {
                request.forwarding = Some((session, messages));
                self.part_before(session);
                self.claim(key, request, session);
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

    /// Whether a message is a connect that will be read: one whose `id` is none is refused before that.
    fn connects(&self, message: &Message) -> bool {
        let is_read = !(self.config.validate_message_fields && message.id == Id::Invalid);
        is_read && message.operation() == Some(MetaChannel::Connect)
    }

    /// Lets a request speak for `session`.
    fn adopt(&mut self, key: RequestKey, request: &mut Request, session: SessionKey) {
        request.session = Some(session);
        let messages = request.messages.as_slice();
        let has_connect = messages.iter().any(|message| self.connects(message));
        let begins_with_it = messages
            .first()
            .is_some_and(|message| self.connects(message));
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        request.name = Some(entry.id);
        if entry.is_leaving() || entry.is_local() {
            // Only the connect that takes the rest is still answered (DC-7).
            return;
        }
        if has_connect {
            entry.arriving.push(key);
        }
        if !begins_with_it {
            // QU-2: what it causes for itself rides on its own response.
            request.batching = true;
            entry.batching += 1;
        }
        let Origin::Connection(connection, transport) = request.origin else {
            return;
        };
        if !transport.is_exchange() {
            self.bind_duplex(connection, session);
        }
    }

    /// Asks a duplex for its next frame, if it may hand over one.
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
        if !busy && !entry.has_early() && entry.requests.len() + entry.ready() < limit {
            entry.reading = true;
            parts.outbox.push(crate::io::Output::Receive { connection });
        }
    }

    /// The connection that a request came by, if it is still worked on.
    pub(crate) fn connection_of(&mut self, request: Option<RequestKey>) -> Option<ConnectionId> {
        self.requests.get_mut(request?)?.connection()
    }
}
