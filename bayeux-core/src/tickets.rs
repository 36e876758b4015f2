//! What is under way outside: requests to the store, questions to deciders.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::channel::ChannelPattern;
use crate::decision::DeciderId;
use crate::id::{CallTicket, DecisionTicket, SessionId, StoreTicket};
use crate::message::ProtocolError;
use crate::request::RequestKey;
use crate::session::SessionKey;
use crate::store::{Fence, StoreRequest};
use crate::time::Instant;

/// For what the store was asked.
#[derive(Debug)]
pub(crate) enum StoreUse {
    /// The message that this request is at cannot go on without it.
    Step(RequestKey),
    /// An append, for the reply in this slot of a request; the session has it open.
    Append {
        request: RequestKey,
        slot: usize,
        session: Option<SessionKey>,
    },
    /// Subscriptions that hold here already; undone if the store does not keep them.
    Subscribe {
        request: RequestKey,
        slot: usize,
        session: SessionKey,
        patterns: Vec<ChannelPattern>,
    },
    /// Subscriptions to be forgotten before the reply in this slot.
    Slot { request: RequestKey, slot: usize },
    /// The message in this slot has gone after its session.
    Follow {
        request: RequestKey,
        slot: usize,
        error: ProtocolError,
    },
    /// A part of the log for a session that was claimed.
    Read(SessionKey),
    /// A new session: if nobody waits for it any more, it is ended.
    Open {
        request: RequestKey,
        session: SessionId,
        fence: Fence,
    },
    /// A call of the application, with the patterns that it subscribes a session to.
    Call {
        call: CallTicket,
        session: Option<SessionKey>,
        patterns: Vec<ChannelPattern>,
    },
    /// A shutdown waits until a session is given back.
    Release,
    /// Nobody waits for it.
    Nothing,
}

/// For what a decider was asked.
#[derive(Debug)]
pub(crate) enum Asker {
    /// The message that this request is at.
    Request(RequestKey),
    /// An event on its way to this session; `DeciderId` was asked.
    Event(SessionKey, DeciderId),
}

/// Everything that is under way.
#[derive(Default)]
pub(crate) struct Tickets {
    last: u64,
    store: BTreeMap<StoreTicket, (StoreUse, Instant)>,
    questions: BTreeMap<DecisionTicket, (Asker, Instant)>,
}

impl Tickets {
    pub(crate) fn open_store(&mut self, what: StoreUse, deadline: Instant) -> StoreTicket {
        self.last += 1;
        let ticket = StoreTicket::new(self.last);
        self.store.insert(ticket, (what, deadline));
        ticket
    }

    pub(crate) fn open_question(&mut self, asker: Asker, deadline: Instant) -> DecisionTicket {
        self.last += 1;
        let ticket = DecisionTicket::new(self.last);
        self.questions.insert(ticket, (asker, deadline));
        ticket
    }

    /// Ends a request to the store; says what it was for, and its deadline.
    pub(crate) fn end_store(&mut self, ticket: StoreTicket) -> Option<(StoreUse, Instant)> {
        self.store.remove(&ticket)
    }

    /// What undoes a request that may yet have been done, its reply being late.
    pub(crate) fn undo(&self, ticket: StoreTicket) -> Option<StoreRequest> {
        match &self.store.get(&ticket)?.0 {
            StoreUse::Open { session, fence, .. } => Some(StoreRequest::End {
                session: *session,
                fence: *fence,
            }),
            StoreUse::Step(_)
            | StoreUse::Append { .. }
            | StoreUse::Subscribe { .. }
            | StoreUse::Slot { .. }
            | StoreUse::Follow { .. }
            | StoreUse::Read(_)
            | StoreUse::Call { .. }
            | StoreUse::Release
            | StoreUse::Nothing => None,
        }
    }

    /// Ends a question; says who had it asked, and its deadline.
    pub(crate) fn end_question(&mut self, ticket: DecisionTicket) -> Option<(Asker, Instant)> {
        self.questions.remove(&ticket)
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.store.len() + self.questions.len()
    }
}
