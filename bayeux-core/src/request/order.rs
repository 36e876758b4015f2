//! Who receives an entry is fixed by its position in the log (PB-8), and a publish is done before that is known
//! (MO-6): a message that changes who receives waits until what was published before it is in its place.
//!
//! Before it is what came in the same frame, and on a duplex in the frames before; between two exchanges there is
//! no order.

use smallvec::SmallVec;

use super::{Current, Request, RequestKey, Stage};
use crate::channel::MetaChannel;
use crate::id::{ConnectionId, StoreTicket};
use crate::store::Position;
use crate::turn::Turn;

/// The last entry that the messages of a request come behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Behind {
    /// The store was asked to append it.
    Asked(StoreTicket),
    /// It is there; at the start if there is none.
    At(Position),
}

impl Turn<'_> {
    /// What the next request on a connection comes behind.
    pub(super) fn behind(&mut self, connection: ConnectionId) -> Behind {
        let entry = self.connections.get(connection);
        let last = entry.and_then(|entry| entry.requests.last().copied());
        let last = last.and_then(|last| self.requests.get_mut(last));
        last.map_or(Behind::At(Position::ZERO), |last| last.behind)
    }

    /// Whether the message at hand has to wait for what was published before it. That is bounded: the store's
    /// answer has a deadline, and so has the wait for the log.
    pub(crate) fn waits_behind(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &Current,
    ) -> bool {
        let operation = current.message.operation();
        if !operation.is_some_and(changes_receivers) {
            return false;
        }
        match request.behind {
            Behind::Asked(_) => true,
            Behind::At(position) => {
                let patience = self.config.store_timeout;
                self.wait_for_log(key, request, position, patience)
            }
        }
    }

    /// The store has answered for an entry of the request `by`. Names those that waited for that.
    pub(crate) fn entry_placed(
        &mut self,
        by: RequestKey,
        ticket: StoreTicket,
        at: Position,
    ) -> SmallVec<[RequestKey; 1]> {
        let parts = &mut **self;
        let connection = parts.requests.get_mut(by).and_then(|by| by.connection());
        let connection = connection.and_then(|connection| parts.connections.get(connection));
        let (alone, later) = ([by], connection.map(|entry| entry.requests.as_slice()));
        let later = later.unwrap_or(&alone).iter().skip_while(|key| **key != by);
        let mut waiting = SmallVec::new();
        for key in later {
            let Some(request) = parts.requests.get_mut(*key) else {
                continue;
            };
            if request.behind == Behind::Asked(ticket) {
                request.behind = Behind::At(at);
                waiting.extend(request.is_waiting_behind().then_some(*key));
            } else if *key != by {
                break;
            }
        }
        waiting
    }

    /// The connection of a request is gone, and with it the order of its frames.
    pub(crate) fn stand_alone(&mut self, key: RequestKey) {
        self.go_after(key);
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        if request.open == 0 && matches!(request.behind, Behind::Asked(_)) {
            request.behind = Behind::At(Position::ZERO);
            if request.is_waiting_behind() {
                self.advance(key);
            }
        }
    }
}

impl Request {
    /// Whether the message at hand waits for an entry before it: nothing else is waited for in that stage.
    fn is_waiting_behind(&self) -> bool {
        let current = self.current.as_deref();
        current.is_some_and(|current| matches!(current.stage, Stage::Dispatch))
    }
}

/// Whether an operation changes what its session receives.
const fn changes_receivers(operation: MetaChannel) -> bool {
    matches!(
        operation,
        MetaChannel::Subscribe | MetaChannel::Unsubscribe | MetaChannel::Disconnect
    )
}
