//! A message whose session has gone elsewhere while the store was asked: nothing was written, so it is
//! handed to whoever has the session now.
//!
//! Its client need not know: behind a balancer each of its connects may move the session.

use alloc::vec;

use super::{RequestKey, Slot};
use crate::id::SessionId;
use crate::message::{Messages, ProtocolError};
use crate::store::{Position, StoreReply, StoreRequest};
use crate::tickets::StoreUse;
use crate::turn::Turn;

/// How often a message goes after its session before its client is told to try later.
const MOST: u8 = 5;

impl Turn<'_> {
    /// The store has refused a write, the session being another engine's or gone; whether the message in
    /// this slot has gone after it. If there is no such session any more, its answer is `error`.
    pub(crate) fn follow(&mut self, key: RequestKey, slot: usize, error: ProtocolError) -> bool {
        if self.log.is_down() {
            return false;
        }
        let Some(request) = self.requests.get_mut(key) else {
            return false;
        };
        let current = request.current.as_deref();
        let message = match (current, request.slots.get(slot)) {
            (Some(current), _) if current.slot == slot => &current.message,
            (_, Some(Slot::Open(Some((_, message))))) => &**message,
            (_, Some(Slot::Open(None) | Slot::Ready(_) | Slot::None) | None) => return false,
        };
        let session = message.session.as_deref().and_then(SessionId::parse);
        let Some(session) = session.filter(|_| request.follows < MOST) else {
            return false;
        };
        let messages = Messages::from(vec![message.clone()]);
        let peer = request.peer.clone();
        request.follows += 1;
        self.counters.forwarded += 1;
        let forward = StoreRequest::Forward {
            session,
            messages,
            peer,
        };
        let what = StoreUse::Follow {
            request: key,
            slot,
            error,
        };
        self.store(forward, what);
        true
    }

    /// What became of a message that went after its session.
    pub(crate) fn followed(
        &mut self,
        key: RequestKey,
        slot: usize,
        error: ProtocolError,
        reply: StoreReply,
    ) {
        let error = match reply {
            StoreReply::Answered(replies) => {
                if let Some(request) = self.requests.get_mut(key) {
                    for reply in &replies {
                        request.pass_on(reply);
                    }
                }
                return self.fill_with_nothing(key, slot);
            }
            // It goes on moving.
            StoreReply::Unowned if self.follow(key, slot, error.clone()) => return,
            StoreReply::Unknown => error,
            StoreReply::Unowned
            | StoreReply::Done
            | StoreReply::Appended(_)
            | StoreReply::Claimed(_)
            | StoreReply::Fenced
            | StoreReply::Entries(_)
            | StoreReply::Gap
            | StoreReply::Failed => ProtocolError::unavailable(),
        };
        self.fill(key, slot, Err(error), Position::ZERO);
    }
}
