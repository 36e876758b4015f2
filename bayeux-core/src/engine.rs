//! Routes a fact to its handler, and nothing else.

use core::fmt;
use core::time::Duration;

use crate::config::Config;
use crate::debts::Parting;
use crate::decide::Arrived;
use crate::decision::Verdict;
use crate::id::{ConnectionId, DecisionTicket, Seed, StoreTicket};
use crate::io::{Input, Output};
use crate::report::{Counters, Removal};
use crate::session::{Census, Session};
use crate::store::{Position, StoreReply};
use crate::tickets::{Asker, StoreUse};
use crate::time::Instant;
use crate::timer::Alarm;
use crate::turn::{Parts, Turn};

/// For how long the answer to a claim that came too late for its request is still waited for.
const VERY_LATE: Duration = Duration::from_secs(60);

/// One Bayeux server, or one shard of one: facts in, orders out.
pub struct Engine {
    parts: Parts,
    now: Instant,
}

impl Engine {
    /// An engine without sessions.
    #[must_use]
    pub fn new(config: Config, seed: Seed) -> Self {
        Self {
            parts: Parts::new(config, seed),
            now: Instant::EPOCH,
        }
    }

    /// Takes in one fact. Total: whatever a peer, the store or the driver says, this returns.
    ///
    /// Several facts may be handled before the orders are [polled](Self::poll_output): batches then carry
    /// more at a time. Orders that nobody polls pile up, no more of them than follow from what was handled.
    ///
    /// What is due by `now` happens first, and what becomes due with it at once. A `now` before the last
    /// one is taken as the last one.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        self.parts.counters.facts += 1;
        let mut turn = Turn::new(self.now, &mut self.parts);
        turn.elapse();
        turn.take(input);
        // What was set for no later than now: a grace of zero, say.
        turn.elapse();
    }

    /// The next order; `None` until something more is handled. O(1) when there is none.
    ///
    /// To be polled until `None` before the driver waits, after one fact or after several. Orders are
    /// carried out in this order; some may be taken before the first of them is carried out.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(output) = self.parts.outbox.pop() {
            return Some(output);
        }
        let mut turn = Turn::new(self.now, &mut self.parts);
        while let Some(connection) = turn.outbox.due.pop_front() {
            if let Some(batch) = turn.build(connection) {
                return Some(Output::Send { connection, batch });
            }
        }
        turn.outbox.pop()
    }

    /// When [`Input::Elapsed`] is due; `None` if nothing waits on time. Once
    /// [`poll_output`](Self::poll_output) has said `None`, this is the only reason to wake that does
    /// not come from outside.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (timers, expiries) = (self.parts.timers.next(), self.parts.expiries.next());
        timers.into_iter().chain(expiries).min()
    }

    /// Whether a duplex is bound to a session that lives (WS-5). One that is not may as well be handed
    /// to the engine that has the session which its next frame names: `Closed` here, `Opened` there.
    #[must_use]
    pub fn carries(&self, connection: ConnectionId) -> bool {
        let connection = self.parts.connections.get(connection);
        let bound = connection.and_then(|connection| connection.session);
        bound.is_some_and(|session| self.parts.sessions.get(session).is_some())
    }

    /// What has been counted so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.parts.counters
    }

    /// How many sessions there are, by what they are doing. Costs the same however many there are.
    #[must_use]
    pub fn census(&self) -> &Census {
        self.parts.sessions.census()
    }

    /// The position up to which the engine has seen the log.
    #[must_use]
    pub const fn seen(&self) -> Position {
        self.parts.log.seen()
    }

    /// Whether the store can be reached, as far as the engine was told
    /// ([`Notice::Down`](crate::Notice), [`Notice::Up`](crate::Notice)).
    #[must_use]
    pub const fn has_store(&self) -> bool {
        !self.parts.log.is_down()
    }

    /// How much the engine holds at the moment.
    #[must_use]
    pub fn load(&self) -> Load {
        let parts = &self.parts;
        Load {
            sessions: parts.sessions.len(),
            connections: parts.connections.len(),
            channels: parts.channels.len(),
            subscriptions: parts.channels.subscriptions(),
            requests: parts.requests.len(),
            tickets: parts.tickets.len(),
            unconfirmed: parts.unconfirmed.len(),
            debts: parts.debts.len(),
            timers: parts.timers.len() + parts.expiries.len(),
            browsers: parts.browsers.len(),
            addresses: parts.addresses.len(),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("now", &self.now)
            .field("load", &self.load())
            .finish()
    }
}

/// How much an engine holds. A drained engine without sessions, after its channels have vanished,
/// holds what a new one holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Load {
    /// Sessions.
    pub sessions: usize,
    /// Exchanges and duplexes.
    pub connections: usize,
    /// Channels, patterns that somebody is subscribed to among them.
    pub channels: usize,
    /// Subscriptions of all sessions.
    pub subscriptions: usize,
    /// Frames that are being worked on.
    pub requests: usize,
    /// Requests to the store and questions to deciders that are open.
    pub tickets: usize,
    /// Subscriptions that the store has not confirmed.
    pub unconfirmed: usize,
    /// What the store has still to be told, having been out of reach.
    pub debts: usize,
    /// What waits on time.
    pub timers: usize,
    /// Browsers that hold connects (BR-7).
    pub browsers: usize,
    /// Addresses that have sessions (HS-17).
    pub addresses: usize,
}

impl Turn<'_> {
    /// Lets everything happen that is due.
    fn elapse(&mut self) {
        let now = self.now;
        while let Some(alarm) = self.timers.due(now) {
            match alarm {
                Alarm::Session(session) => self.session_alarm(session),
                Alarm::Admission(session) => self.expel(session, Removal::Lapsed),
                Alarm::Lazy(session) => self.lazy_alarm(session),
                Alarm::Request(request) => self.request_overdue(request),
                Alarm::Store(ticket) => self.store_is_late(ticket),
                Alarm::Decision(ticket) => self.decider_is_late(ticket),
                Alarm::Debts => self.pay_debts(),
                Alarm::Channel(channel) => self.channel_alarm(channel),
                Alarm::Duplex(connection) => self.duplex_alarm(connection),
                Alarm::Drain => self.drained(),
                Alarm::Landing => self.cut_landing(),
            }
        }
        while let Some(session) = self.expiries.due(now) {
            self.expire(session, Removal::Expired);
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Opened {
                connection,
                transport,
                peer,
            } => {
                self.opened_connection(connection, transport, peer);
            }
            Input::Received {
                connection,
                messages,
            } => self.received(connection, messages),
            Input::Written { connection } => self.written(connection),
            Input::Closed { connection } => self.closed(connection),
            Input::Stored { ticket, reply } => self.stored(ticket, reply),
            Input::Notified { notice } => self.notified(notice),
            Input::Decided { ticket, verdict } => self.decided(ticket, Some(verdict)),
            Input::Called { ticket, call } => self.called(ticket, call),
            Input::Configured { change } => self.configured(change),
            Input::Draining { over } => self.drain(over),
            Input::Elapsed => {}
        }
    }

    pub(crate) fn stored(&mut self, ticket: StoreTicket, reply: StoreReply) {
        let Some((what, deadline)) = self.tickets.end_store(ticket) else {
            self.counters.facts_ignored += 1;
            return;
        };
        self.timers.clear(deadline, Alarm::Store(ticket));
        if matches!(reply, StoreReply::Failed | StoreReply::Fenced) {
            self.counters.store_failed += 1;
        }
        match what {
            StoreUse::Step(request) | StoreUse::Claim(request) => self.stored_for(request, reply),
            StoreUse::LateClaim => {
                if let StoreReply::Claimed(record) = reply {
                    // As if its client had come, and gone away again.
                    self.claimed(*record);
                }
            }
            StoreUse::Open {
                request,
                session,
                fence,
            } => {
                if matches!(reply, StoreReply::Failed) {
                    self.part_with(session, fence, Parting::Ended);
                }
                self.stored_for(request, reply);
            }
            StoreUse::End {
                request,
                session,
                fence,
            } => {
                self.parted(session, fence, Parting::Ended, &reply);
                self.stored_for(request, reply);
            }
            StoreUse::Append { .. } => self.appended(ticket, what, &reply),
            StoreUse::Subscribe { .. } => self.subscribed(ticket, what, &reply),
            StoreUse::Follow { request, followers } => self.followed(request, followers, reply),
            StoreUse::Unsubscribe { request, slot } => self.unsubscribed(request, slot, &reply),
            StoreUse::Read(session) => {
                let reading = self.sessions.get(session).and_then(Session::reading);
                if reading.is_some_and(|reading| reading.ticket == ticket) {
                    self.read(session, reply);
                }
            }
            StoreUse::Call {
                call,
                session,
                patterns,
            } => {
                if let Some(session) = session {
                    self.settle_subscriptions(session, patterns, ticket, &reply);
                }
                self.call_stored(call, reply);
            }
            StoreUse::Parting {
                session,
                fence,
                parting,
            } => self.parted(session, fence, parting, &reply),
            StoreUse::Withdrawal { session, patterns } => {
                self.withdrawn(session, patterns, &reply);
            }
            StoreUse::Binding(session) => self.bound(session, &reply),
            StoreUse::Release => self.released(),
            StoreUse::Nothing => {}
        }
    }

    /// The store has not answered in time: it may or may not have done what it was asked.
    fn store_is_late(&mut self, ticket: StoreTicket) {
        self.counters.store_late += 1;
        let is_claim = self.tickets.is_claim(ticket);
        self.stored(ticket, StoreReply::Failed);
        // Nobody but the store knows any more whose the session is, if it does answer.
        if is_claim && self.tickets.len() < self.config.limits.max_sessions {
            let deadline = self.now + VERY_LATE;
            self.tickets.keep_late_claim(ticket, deadline);
            self.timers.set(deadline, Alarm::Store(ticket));
        }
    }

    fn decided(&mut self, ticket: DecisionTicket, verdict: Option<Verdict>) {
        let Some((asker, deadline)) = self.tickets.end_question(ticket) else {
            self.counters.facts_ignored += 1;
            return;
        };
        self.timers.clear(deadline, Alarm::Decision(ticket));
        match asker {
            Asker::Request(request) => {
                let arrived = verdict.map_or(Arrived::Late, Arrived::Verdict);
                self.decided_for(request, ticket, arrived);
            }
            Asker::Event(session, decider) => self.event_decided(ticket, session, decider, verdict),
        }
    }

    fn decider_is_late(&mut self, ticket: DecisionTicket) {
        self.counters.decisions_late += 1;
        self.decided(ticket, None);
    }
}
