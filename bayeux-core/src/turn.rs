//! One turn: the engine's parts borrowed apart for the handling of one fact.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use core::net::IpAddr;
use core::time::Duration;

use crate::channel::{Channels, Characters};
use crate::config::{Config, Limits};
use crate::connection::Connection;
use crate::debts::Debts;
use crate::decide::Deciders;
use crate::decision::Question;
use crate::http::counted_as;
use crate::id::{BrowserId, ConnectionId, DecisionTicket, Entropy, Seed, StoreTicket};
use crate::io::{CloseReason, Output};
use crate::keyed::Keyed;
use crate::log::Log;
use crate::named::ByName;
use crate::report::{Counters, Report, ReportKind};
use crate::request::Requests;
use crate::session::{SessionKey, Sessions, Unconfirmed};
use crate::store::StoreRequest;
use crate::tickets::{Asker, StoreUse, Tickets};
use crate::time::Instant;
use crate::timer::{Alarm, Expiries, Timers};

/// Everything that an engine holds.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) deciders: Deciders,
    pub(crate) sessions: Sessions,
    pub(crate) connections: ByName<Connection>,
    pub(crate) channels: Channels,
    pub(crate) requests: Requests,
    pub(crate) tickets: Tickets,
    pub(crate) unconfirmed: Unconfirmed,
    pub(crate) debts: Debts,
    pub(crate) log: Log,
    pub(crate) timers: Timers,
    pub(crate) expiries: Expiries,
    pub(crate) addresses: Addresses,
    /// How many holds count for each browser (BR-7).
    pub(crate) browsers: Keyed<BrowserId, u32>,
    pub(crate) outbox: Outbox,
    pub(crate) counters: Counters,
    pub(crate) entropy: Entropy,
    /// When the window of a shutdown ends, once one has begun.
    pub(crate) draining: Option<Instant>,
    /// Sessions that are being given back at its end.
    pub(crate) releasing: usize,
    /// Sessions that are not yet, having events in flight.
    pub(crate) landing: BTreeSet<SessionKey>,
}

impl Parts {
    pub(crate) fn new(mut config: Config, seed: Seed) -> Self {
        if !config.validate_message_fields {
            config.grammar.characters = Characters::Wide;
        }
        let mut entropy = Entropy::new(seed);
        Self {
            deciders: Deciders::new(config.deciders.clone()),
            sessions: Sessions::new(&mut entropy),
            connections: ByName::default(),
            channels: Channels::new((entropy.word(), entropy.word())),
            requests: Requests::default(),
            tickets: Tickets::default(),
            unconfirmed: Unconfirmed::default(),
            debts: Debts::default(),
            log: Log::default(),
            timers: Timers::default(),
            expiries: Expiries::default(),
            addresses: Addresses::new(&mut entropy),
            browsers: Keyed::new(&mut entropy),
            outbox: Outbox::default(),
            counters: Counters::default(),
            draining: None,
            releasing: 0,
            landing: BTreeSet::new(),
            entropy,
            config,
        }
    }
}

/// The parts at one point in time. Handlers are its methods, each in the file of its subject.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    parts: &'a mut Parts,
}

impl core::ops::Deref for Turn<'_> {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        self.parts
    }
}

impl core::ops::DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut Parts {
        self.parts
    }
}

impl<'a> Turn<'a> {
    pub(crate) const fn new(now: Instant, parts: &'a mut Parts) -> Self {
        Self { now, parts }
    }

    /// Lets `connection` be looked at when the next order is asked for.
    pub(crate) fn due(&mut self, connection: ConnectionId) {
        let parts = &mut *self.parts;
        if let Some(entry) = parts.connections.get_mut(connection)
            && !entry.due
            && !entry.closing
        {
            entry.due = true;
            parts.outbox.due.push_back(connection);
        }
    }

    /// Asks the driver to end `connection`; it stays until it is `Closed`.
    pub(crate) fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        let Some(entry) = self.connections.get_mut(connection) else {
            return;
        };
        if !core::mem::replace(&mut entry.closing, true) {
            self.outbox.push(Output::Close { connection, reason });
        }
    }

    /// Asks the store; the reply goes to `what`.
    pub(crate) fn store(&mut self, request: StoreRequest, what: StoreUse) -> StoreTicket {
        let deadline = self.now + self.patience(&request);
        let ticket = self.tickets.open_store(what, deadline);
        self.timers.set(deadline, Alarm::Store(ticket));
        self.outbox.push(Output::Store { ticket, request });
        ticket
    }

    /// How long this may take: the owner of a session does what is forwarded to it one after the other.
    fn patience(&self, request: &StoreRequest) -> Duration {
        let mut count = 1;
        if let StoreRequest::Forward { messages, .. } = request {
            count = u32::try_from(messages.len()).unwrap_or(u32::MAX).max(1);
        }
        self.config.store_timeout.saturating_mul(count)
    }

    /// Asks a decider; the verdict goes to `asker`.
    pub(crate) fn ask(&mut self, question: Question, asker: Asker) -> DecisionTicket {
        let deadline = self.now + self.config.decision_timeout;
        let ticket = self.tickets.open_question(asker, deadline);
        self.timers.set(deadline, Alarm::Decision(ticket));
        self.counters.decisions += 1;
        let question = Box::new(question);
        self.outbox.push(Output::Decide { ticket, question });
        ticket
    }

    pub(crate) fn report(&mut self, kind: ReportKind) {
        let report = Report { at: self.now, kind };
        self.outbox.push(Output::Report(report));
    }

    /// A promise of ours to ourselves does not hold: said aloud, and the show goes on.
    pub(crate) fn broken(&mut self, what: &'static str) {
        debug_assert!(false, "{what}");
        self.report(ReportKind::Broken(what));
    }
}

/// Orders that wait to be polled.
#[derive(Default)]
pub(crate) struct Outbox {
    /// In order.
    orders: VecDeque<Output>,
    /// Connections for which a batch is built when polled.
    pub(crate) due: VecDeque<ConnectionId>,
}

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        self.orders.push_back(output);
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.orders.pop_front()
    }
}

/// What is counted per address (HS-17, DE-16).
pub(crate) struct Addresses {
    sessions: Keyed<CountedAddress, usize>,
    handshakes: Keyed<CountedAddress, usize>,
    /// The second that `handshakes` counts.
    second: u64,
}

/// What is counted together, as [`counted_as`] has it: an IPv4 address, or the first half of an IPv6 one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum CountedAddress {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl From<IpAddr> for CountedAddress {
    fn from(address: IpAddr) -> Self {
        match counted_as(address) {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

impl Addresses {
    fn new(entropy: &mut Entropy) -> Self {
        Self {
            sessions: Keyed::new(entropy),
            handshakes: Keyed::new(entropy),
            second: 0,
        }
    }

    /// Counts a handshake from `address`; whether the limits permit it.
    pub(crate) fn admit(&mut self, address: IpAddr, now: Instant, limits: &Limits) -> bool {
        let second = now.since_epoch().as_secs();
        if self.second != second {
            self.second = second;
            self.handshakes.clear();
        }
        let handshakes = self.handshakes.or_default(address.into());
        *handshakes += 1;
        *handshakes <= limits.max_handshakes_per_second
    }

    /// How many sessions `address` has.
    pub(crate) fn sessions_of(&self, address: IpAddr) -> usize {
        self.sessions.get(&address.into()).copied().unwrap_or(0)
    }

    /// How many addresses have sessions.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Counts a session of `address`.
    pub(crate) fn add(&mut self, address: CountedAddress) {
        *self.sessions.or_default(address) += 1;
    }

    /// Counts it no longer.
    pub(crate) fn remove(&mut self, address: CountedAddress) {
        let Some(sessions) = self.sessions.get_mut(&address) else {
            return;
        };
        *sessions = sessions.saturating_sub(1);
        if *sessions == 0 {
            self.sessions.remove(&address);
        }
    }
}
