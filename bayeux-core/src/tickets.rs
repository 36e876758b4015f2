//! What is under way outside: requests to the store, questions to deciders.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::channel::ChannelPattern;
use crate::debts::Parting;
use crate::decision::DeciderId;
use crate::id::{CallTicket, DecisionTicket, SessionId, StoreTicket};
use crate::request::{Followers, RequestKey};
use crate::session::SessionKey;
use crate::store::Fence;
use crate::time::Instant;

/// For what the store was asked.
#[derive(Debug)]
pub(crate) enum StoreUse {
    /// The message that this request is at cannot go on without it.
    Step(RequestKey),
    /// The session of a request, which another engine may have.
    Claim(RequestKey),
    /// The same, given up on: should it be this engine's after all, it is kept.
    LateClaim,
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
    Unsubscribe { request: RequestKey, slot: usize },
    /// Messages of a request have gone after their session.
    Follow {
        request: RequestKey,
        followers: Followers,
    },
    /// A part of the log for a session that was claimed.
    Read(SessionKey),
    /// A new session: if it may have been kept and nobody knows, it is ended.
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
    /// A session that its client has ended, which waits for the answer.
    End {
        request: RequestKey,
        session: SessionId,
        fence: Fence,
    },
    /// A session has left this engine.
    Parting {
        session: SessionId,
        fence: Fence,
        parting: Parting,
    },
    /// Subscriptions that the store may have and the session does not.
    Withdrawal {
        session: SessionKey,
        patterns: Vec<ChannelPattern>,
    },
    /// That the cookie of this session has come back.
    Binding(SessionKey),
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

    /// Waits on for the answer to a claim that was given up on.
    pub(crate) fn keep_late_claim(&mut self, ticket: StoreTicket, deadline: Instant) {
        self.store.insert(ticket, (StoreUse::LateClaim, deadline));
    }

    /// Whether the store was asked for a session, and has not answered in time.
    pub(crate) fn is_claim(&self, ticket: StoreTicket) -> bool {
        let asked = self.store.get(&ticket);
        asked.is_some_and(|(what, _)| matches!(what, StoreUse::Claim(_)))
    }

    /// All requests to the store that are open.
    pub(crate) fn open_requests(&self) -> Vec<StoreTicket> {
        self.store.keys().copied().collect()
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
