//! A message whose session has gone elsewhere while the store was asked: nothing was written, so it is
//! handed to whoever has the session now.
//!
//! Its client need not know: behind a balancer each of its connects may move the session. One goes at a
//! time, and none before those that came before it are done (MO-6): the store may refuse them in any order.

use alloc::boxed::Box;
use alloc::vec;

use super::{Current, Flow, Request, RequestKey, Slot};
use crate::connection::Answer;
use crate::id::{ConnectionId, SessionId, StoreTicket};
use crate::message::{Message, Messages, ProtocolError};
use crate::store::{Position, StoreReply, StoreRequest};
use crate::tickets::StoreUse;
use crate::turn::Turn;

/// How often a message goes after its session before its client is told to try later.
const MOST: u8 = 5;

/// A message that the store has refused, the session being another engine's or gone.
#[derive(Debug)]
pub(crate) struct Refused {
    slot: usize,
    /// Its answer if there is no such session any more.
    error: ProtocolError,
    /// The append that was refused: others come behind it.
    entry: Option<StoreTicket>,
    /// How often it has gone.
    tries: u8,
}

impl Turn<'_> {
    /// The message in this slot was refused; whether it goes after its session. If there is no such session any
    /// more, its answer is `error`. `entry` is the append that it was, if it was one.
    pub(crate) fn follow(
        &mut self,
        key: RequestKey,
        slot: usize,
        error: ProtocolError,
        entry: Option<StoreTicket>,
    ) -> bool {
        if self.log.is_down() {
            return false;
        }
        let Some(request) = self.requests.get_mut(key) else {
            return false;
        };
        if request.waiting(slot).and_then(session_of).is_none() {
            return false;
        }
        request.refused.push(Refused {
            slot,
            error,
            entry,
            tries: 0,
        });
        self.go_after(key);
        true
    }

    /// Whether the session that this message speaks for was here as its frame came, and is not any more: it may
    /// be elsewhere.
    pub(crate) fn has_moved(&self, request: &Request, message: &Message) -> bool {
        let is_gone = request
            .session
            .is_some_and(|session| self.sessions.get(session).is_none());
        is_gone
            && !self.log.is_down()
            && request
                .name
                .is_some_and(|name| session_of(message) == Some(name))
    }

    /// A message that is not begun goes after its session when its turn comes. If there is no such session any
    /// more, its answer is `error`.
    pub(crate) fn seek_out(
        &self,
        request: &mut Request,
        current: &mut Current,
        error: ProtocolError,
    ) -> Flow {
        request.refused.push(Refused {
            slot: current.slot,
            error,
            entry: None,
            tries: 0,
        });
        let answer = Answer::to(&current.message);
        self.wait_for_store(request, current, Box::new(answer))
    }

    /// Whether messages of a duplex wait for the store whose session has gone meanwhile: it may refuse them yet.
    pub(super) fn seeks_session(&mut self, connection: ConnectionId) -> bool {
        let parts = &mut **self;
        let Some(entry) = parts.connections.get(connection) else {
            return false;
        };
        let (requests, sessions) = (&mut parts.requests, &parts.sessions);
        entry.requests.iter().any(|key| {
            let request = requests.get_mut(*key).filter(|request| request.open > 0);
            let session = request.and_then(|request| request.session);
            session.is_some_and(|session| sessions.get(session).is_none())
        })
    }

    /// Sends the refused message whose turn it is, if it is the turn of one: of this request, or of those on the
    /// same duplex, which do one frame after the other.
    pub(super) fn go_after(&mut self, key: RequestKey) {
        let parts = &mut **self;
        let request = parts.requests.get_mut(key);
        let connection = request.and_then(|request| request.connection());
        let connection = connection.and_then(|connection| parts.connections.get(connection));
        let (alone, line) = ([key], connection.map(|entry| entry.requests.as_slice()));
        for key in line.filter(|line| line.contains(&key)).unwrap_or(&alone) {
            let Some(request) = parts.requests.get_mut(*key) else {
                continue;
            };
            if request.open == 0 {
                continue;
            }
            let first = request.first_waiting();
            let turn = request
                .refused
                .iter()
                .position(|refused| Some(refused.slot) == first);
            let Some(turn) = turn else {
                return;
            };
            let (key, refused) = (*key, request.refused.swap_remove(turn));
            return self.send_after(key, refused);
        }
    }

    fn send_after(&mut self, key: RequestKey, mut refused: Refused) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let Some(message) = request.waiting(refused.slot) else {
            return;
        };
        let Some(session) = session_of(message) else {
            return;
        };
        let messages = Messages::from(vec![message.clone()]);
        let (peer, transport) = (request.peer.clone(), request.origin.came_by());
        refused.tries += 1;
        self.counters.forwarded += 1;
        let forward = StoreRequest::Forward {
            session,
            messages,
            peer,
            transport,
        };
        let what = StoreUse::Follow {
            request: key,
            refused,
        };
        self.store(forward, what);
    }

    /// What became of a message that went after its session.
    pub(crate) fn followed(&mut self, key: RequestKey, refused: Refused, reply: StoreReply) {
        let error = match reply {
            StoreReply::Answered(replies) => {
                let waiting = self.is_placed(key, &refused);
                if let Some(request) = self.requests.get_mut(key) {
                    for reply in &replies {
                        request.pass_on(reply);
                    }
                }
                self.fill_with_nothing(key, refused.slot);
                return self.advance_all(waiting);
            }
            // It goes on moving.
            StoreReply::Unowned if refused.tries < MOST && !self.log.is_down() => {
                return self.send_after(key, refused);
            }
            StoreReply::Unknown => refused.error.clone(),
            StoreReply::Unowned
            | StoreReply::Done
            | StoreReply::Appended(_)
            | StoreReply::Claimed(_)
            | StoreReply::Fenced
            | StoreReply::Entries(_)
            | StoreReply::Gap
            | StoreReply::Failed => ProtocolError::unavailable(),
        };
        let waiting = self.is_placed(key, &refused);
        self.fill(key, refused.slot, Err(error), Position::ZERO);
        self.advance_all(waiting);
    }

    /// What comes behind it need not wait for it any longer.
    fn is_placed(
        &mut self,
        key: RequestKey,
        refused: &Refused,
    ) -> impl IntoIterator<Item = RequestKey> + use<> {
        let entry = refused.entry;
        entry.map_or_else(Default::default, |entry| {
            self.entry_placed(key, entry, Position::ZERO)
        })
    }

    fn advance_all(&mut self, requests: impl IntoIterator<Item = RequestKey>) {
        for request in requests {
            self.advance(request);
        }
    }
}

impl Request {
    /// The message in this slot, if it waits for the store.
    fn waiting(&self, slot: usize) -> Option<&Message> {
        match (self.current.as_deref(), self.slots.get(slot)) {
            (Some(current), _) if current.slot == slot => Some(&current.message),
            (_, Some(Slot::Open(Some((_, message))))) => Some(message),
            (_, Some(Slot::Open(None) | Slot::Ready(_) | Slot::None) | None) => None,
        }
    }

    /// The first slot that waits for the store, if any of them was refused; some do.
    fn first_waiting(&self) -> Option<usize> {
        if self.refused.is_empty() {
            return None;
        }
        let is_waiting = |slot: &Slot| matches!(slot, Slot::Open(Some(_)));
        let handed = self.slots.iter().position(is_waiting);
        handed.or_else(|| self.current.as_deref().map(|current| current.slot))
    }
}

fn session_of(message: &Message) -> Option<SessionId> {
    message.session.as_deref().and_then(SessionId::parse)
}
