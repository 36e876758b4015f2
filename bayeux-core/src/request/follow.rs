//! A message whose session has gone elsewhere while the store was asked: nothing was written, so it is
//! handed to whoever has the session now.
//!
//! Its client need not know: behind a balancer each of its connects may move the session. Those that come one
//! after the other in a frame go together, and none before those that came before it are done (MO-6): the store
//! may refuse them in any order.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Current, Flow, Request, RequestKey, Slot};
use crate::connection::Answer;
use crate::id::{ConnectionId, SessionId, StoreTicket};
use crate::message::{Message, ProtocolError};
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
}

/// Refused messages of a request on their way to whoever has their session, in order.
#[derive(Debug)]
pub(crate) struct Followers {
    all: Vec<Refused>,
    /// How often they have gone.
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
        request.refused.push(Refused { slot, error, entry });
        self.go_after(key);
        true
    }

    /// Whether the session that this message speaks for was here as its frame came, and is not any more: it may
    /// be elsewhere, or have ended. The store knows which, once it has heard of what has ended here.
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

    /// Sends the refused messages whose turn it is, if it is the turn of some: of this request, or of those on
    /// the same duplex, which do one frame after the other.
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
            let (key, all) = (*key, request.take_refused_in_turn());
            if !all.is_empty() {
                self.send_after(key, Followers { all, tries: 0 });
            }
            return;
        }
    }

    fn send_after(&mut self, key: RequestKey, mut followers: Followers) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let waiting = followers.all.iter();
        let messages: Vec<_> = waiting
            .filter_map(|refused| request.waiting(refused.slot).cloned())
            .collect();
        let Some(session) = messages.first().and_then(session_of) else {
            return;
        };
        let (peer, transport) = (request.peer.clone(), request.origin.came_by());
        // If it has ended here and the store may not have heard of that, no other engine is to be asked for it.
        self.part_before(session);
        followers.tries += 1;
        self.counters.forwarded += messages.len() as u64;
        let forward = StoreRequest::Forward {
            session,
            messages: messages.into(),
            peer,
            transport,
        };
        let what = StoreUse::Follow {
            request: key,
            followers,
        };
        self.store(forward, what);
    }

    /// What became of messages that went after their session.
    pub(crate) fn followed(&mut self, key: RequestKey, followers: Followers, reply: StoreReply) {
        let is_unknown = match reply {
            StoreReply::Answered(replies) => {
                let waiting = self.are_placed(key, &followers);
                if let Some(request) = self.requests.get_mut(key) {
                    for reply in &replies {
                        request.pass_on(reply);
                    }
                }
                let slots = followers.all.iter().map(|refused| refused.slot);
                self.fill_with_nothing(key, slots);
                return self.advance_all(waiting);
            }
            // It goes on moving.
            StoreReply::Unowned if followers.tries < MOST && !self.log.is_down() => {
                return self.send_after(key, followers);
            }
            StoreReply::Unknown => true,
            StoreReply::Unowned
            | StoreReply::Done
            | StoreReply::Appended(_)
            | StoreReply::Claimed(_)
            | StoreReply::Fenced
            | StoreReply::Entries(_)
            | StoreReply::Gap
            | StoreReply::Failed => false,
        };
        let waiting = self.are_placed(key, &followers);
        for refused in followers.all {
            let error = if is_unknown {
                refused.error
            } else {
                ProtocolError::unavailable()
            };
            self.fill(key, refused.slot, Err(error), Position::ZERO);
        }
        self.advance_all(waiting);
    }

    /// What comes behind them need not wait for them any longer.
    fn are_placed(&mut self, key: RequestKey, followers: &Followers) -> Vec<RequestKey> {
        let entries = followers.all.iter().filter_map(|refused| refused.entry);
        entries
            .flat_map(|entry| self.entry_placed(key, entry, Position::ZERO))
            .collect()
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

    /// Takes out the first messages that wait for the store, as far as they were refused and speak for one session.
    fn take_refused_in_turn(&mut self) -> Vec<Refused> {
        if self.refused.is_empty() {
            return Vec::new();
        }
        self.refused.sort_unstable_by_key(|refused| refused.slot);
        let slots = self.refused.iter().map(|refused| refused.slot);
        let mut session = None;
        let in_turn = self.waiting_slots().zip(slots).take_while(|(first, slot)| {
            let named = self.waiting(*slot).and_then(session_of);
            first == slot && named.is_some() && *session.get_or_insert(named) == named
        });
        let count = in_turn.count();
        self.refused.drain(..count).collect()
    }

    /// The slots that wait for the store, in order.
    fn waiting_slots(&self) -> impl Iterator<Item = usize> {
        let slots = self.slots.iter().enumerate();
        let handed =
            slots.filter_map(|(at, slot)| matches!(slot, Slot::Open(Some(_))).then_some(at));
        handed.chain(self.current.as_deref().map(|current| current.slot))
    }
}

fn session_of(message: &Message) -> Option<SessionId> {
    message.session.as_deref().and_then(SessionId::parse)
}
