//! What an engine has, counted a second time: from what it is told, and from what it orders.
//!
//! Its bounds hold both ways: it never has more than it may, and it turns nobody away while there is room.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few facts and orders out of many are looked at"
)]

mod access;
mod handshakes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bayeux_core::{
    BrowserId, Change, CloseReason, Config, ConnectionId, Fence, Input, Instant, Limits, Notice,
    Output, Peer, SessionId, StoreRequest, StoreTicket, Transport,
};

use self::access::Frames;
use self::handshakes::Handshakes;
use super::judge::Verdict;

/// Of one life of a node.
pub(super) struct Ledger {
    limits: Limits,
    store_timeout: Duration,
    /// Nobody is asked: what comes is let in at once, or not at all.
    decides_alone: bool,
    connections: BTreeMap<ConnectionId, Visitor>,
    /// Those that there is no room for, and that are still there.
    crowd: BTreeSet<ConnectionId>,
    appends: BTreeMap<StoreTicket, Append>,
    handshakes: Option<Handshakes>,
    frames: Frames,
}

/// Who has opened a connection.
struct Visitor {
    transport: Transport,
    address: Option<IpAddr>,
    browser: Option<BrowserId>,
    /// The engine has ended it.
    is_ended: bool,
}

/// An append that was ordered, and when nobody waits for its answer any longer.
struct Append {
    of: (SessionId, Fence),
    until: Instant,
}

impl Ledger {
    /// That of an engine which has just begun. `is_exact` is whether it does what it is ordered after each fact:
    /// then its handshakes are counted too.
    pub(super) fn new(config: &Config, is_exact: bool) -> Self {
        let decides_alone = config.deciders.is_empty();
        Self {
            limits: config.limits.clone(),
            store_timeout: config.store_timeout,
            decides_alone,
            connections: BTreeMap::new(),
            crowd: BTreeSet::new(),
            appends: BTreeMap::new(),
            handshakes: (is_exact && decides_alone).then(Handshakes::default),
            frames: Frames::new(config.browser_binding),
        }
    }

    /// The engine, which has so many sessions, is about to be told this.
    pub(super) fn told(&mut self, input: &Input, sessions: usize, now: Instant) {
        match input {
            Input::Opened {
                connection,
                transport,
                peer,
            } => self.opened(*connection, *transport, peer),
            Input::Received {
                connection,
                messages,
            } => {
                if let Some(visitor) = self.connections.get(connection) {
                    self.frames.told(messages, visitor);
                }
            }
            Input::Written { connection } => {
                let visitor = self.connections.get(connection);
                if visitor.is_some_and(|visitor| visitor.transport.is_exchange()) {
                    self.connections.remove(connection);
                }
            }
            Input::Closed { connection } => {
                self.connections.remove(connection);
                self.crowd.remove(connection);
            }
            Input::Stored { ticket, reply } => {
                self.appends.remove(ticket);
                self.frames.answered(reply);
            }
            Input::Notified {
                notice: Notice::Reset { .. },
            } => self.appends.clear(),
            Input::Configured {
                change: Change::Limits(limits),
            } => self.limits = (**limits).clone(),
            _ => {}
        }
        if let Some(handshakes) = &mut self.handshakes {
            let room = handshakes::Room {
                limits: &self.limits,
                sessions,
                connections: &self.connections,
            };
            handshakes.told(input, &room, now);
        }
    }

    fn opened(&mut self, connection: ConnectionId, transport: Transport, peer: &Peer) {
        let visitor = Visitor {
            transport,
            address: peer.address,
            browser: peer.browser,
            is_ended: false,
        };
        self.connections.insert(connection, visitor);
        if self.connections.len() > self.limits.max_connections {
            self.crowd.insert(connection);
        }
    }

    /// The engine orders this.
    pub(super) fn orders(&mut self, output: &Output, now: Instant) -> Verdict {
        match output {
            Output::Close { connection, reason } => {
                if let Some(visitor) = self.connections.get_mut(connection) {
                    visitor.is_ended = true;
                }
                let is_crowded = self.crowd.remove(connection);
                if *reason == CloseReason::Limit && !is_crowded {
                    return Err(format!("{connection:?} is turned away, and there is room"));
                }
            }
            Output::Store { ticket, request } => return self.asks(*ticket, request, now),
            Output::Report(report) => {
                if let Some(handshakes) = &mut self.handshakes {
                    return handshakes.reported(&report.kind);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The engine has ordered all that it had to.
    pub(super) fn is_settled(&mut self) -> Verdict {
        self.frames.clear();
        if let Some(connection) = self.crowd.first() {
            return Err(format!("{connection:?} is let in, and there is no room"));
        }
        self.handshakes
            .as_mut()
            .map_or(Ok(()), Handshakes::are_settled)
    }

    fn asks(&mut self, ticket: StoreTicket, request: &StoreRequest, now: Instant) -> Verdict {
        match request {
            StoreRequest::Append(entry) => {
                let (Some(session), Some(fence)) = (entry.origin, entry.fence) else {
                    return Ok(());
                };
                let append = Append {
                    of: (session, fence),
                    until: now + self.store_timeout,
                };
                self.appends.insert(ticket, append);
                self.appends_are_few((session, fence), now)
            }
            StoreRequest::Claim { session, access } => self.frames.claimed(*session, *access),
            StoreRequest::Open(record) => {
                let until = now + self.store_timeout;
                let handshakes = self.handshakes.as_mut();
                handshakes.map_or(Ok(()), |handshakes| {
                    handshakes.asks(ticket, record.session, &self.connections, until)
                })
            }
            _ => Ok(()),
        }
    }

    /// A session has no more appends open than it may. With deciders each connection may have a message that was
    /// let in before, and is decided on.
    fn appends_are_few(&self, of: (SessionId, Fence), now: Instant) -> Verdict {
        let limit = self.limits.max_open_appends;
        let mut open = 0;
        for append in self.appends.values() {
            open += usize::from(append.of == of && now < append.until);
        }
        if self.decides_alone && open > limit {
            return Err(format!("a session has {open} appends open, not {limit}"));
        }
        Ok(())
    }
}
