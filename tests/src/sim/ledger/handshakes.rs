//! Handshakes: so many in a second from one address, so many sessions of one address, so many sessions (HS-17).
//!
//! Whom there is room for has the store asked at once, and has a session once that has answered; nobody else has.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few facts and orders out of many are looked at"
)]

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use bayeux_core::{
    ConnectionId, Input, Instant, Limits, Notice, ReportKind, SessionId, StoreReply, StoreTicket,
};

use super::super::judge::Verdict;
use super::Visitor;

#[derive(Default)]
pub(super) struct Handshakes {
    /// How many have come in this second, by address.
    came: BTreeMap<IpAddr, usize>,
    second: u64,
    /// Those that there is room for, and for which the store has yet to be asked.
    let_in: VecDeque<ConnectionId>,
    /// Those that the store is asked for.
    openings: BTreeMap<StoreTicket, Opening>,
    /// The one that the store has answered just now.
    answered: Option<Answered>,
    /// Where each session has shaken hands that is here.
    sessions: BTreeMap<SessionId, IpAddr>,
    is_down: bool,
    is_draining: bool,
}

/// A session that is about to begin.
struct Opening {
    session: SessionId,
    by: ConnectionId,
    address: IpAddr,
    /// When nobody waits for the store any longer.
    until: Instant,
}

/// The store has answered.
struct Answered {
    session: SessionId,
    address: IpAddr,
    has_room: bool,
    /// Its client still waits for it.
    is_due: bool,
}

/// What there is room for.
pub(super) struct Room<'a> {
    pub(super) limits: &'a Limits,
    /// How many sessions there are.
    pub(super) sessions: usize,
    pub(super) connections: &'a BTreeMap<ConnectionId, Visitor>,
}

impl Handshakes {
    pub(super) fn told(&mut self, input: &Input, room: &Room<'_>, now: Instant) {
        match input {
            Input::Received {
                connection,
                messages,
            } if messages.is_handshake() => self.came(*connection, room, now),
            Input::Stored { ticket, reply } => {
                let opening = self.openings.remove(ticket);
                if let Some(opening) = opening.filter(|_| matches!(reply, StoreReply::Done)) {
                    self.answered = Some(self.answer(&opening, room, now));
                }
            }
            Input::Notified { notice } => match notice {
                Notice::Down => self.is_down = true,
                Notice::Up { .. } => self.is_down = false,
                Notice::Reset { .. } => self.openings.clear(),
                _ => {}
            },
            Input::Draining { .. } => self.is_draining = true,
            _ => {}
        }
    }

    fn came(&mut self, connection: ConnectionId, room: &Room<'_>, now: Instant) {
        let by = room.connections.get(&connection);
        let Some(address) = by.filter(|by| !by.is_ended).and_then(|by| by.address) else {
            return;
        };
        let second = now.since_epoch().as_secs();
        if core::mem::replace(&mut self.second, second) != second {
            self.came.clear();
        }
        let count = self.came.entry(address).or_default();
        *count += 1;
        let is_slow = *count <= room.limits.max_handshakes_per_second;
        if is_slow && !self.is_down && !self.is_draining && self.has_room(address, room) {
            self.let_in.push_back(connection);
        }
    }

    fn answer(&self, opening: &Opening, room: &Room<'_>, now: Instant) -> Answered {
        let by = room.connections.get(&opening.by);
        let waits = by.is_some_and(|by| !by.is_ended) && now < opening.until;
        let has_room = self.has_room(opening.address, room);
        Answered {
            session: opening.session,
            address: opening.address,
            has_room,
            is_due: has_room && waits && !self.is_draining,
        }
    }

    fn has_room(&self, address: IpAddr, room: &Room<'_>) -> bool {
        room.sessions < room.limits.max_sessions
            && self.of_address(address) < room.limits.max_sessions_per_address
    }

    fn of_address(&self, address: IpAddr) -> usize {
        self.sessions.values().filter(|of| **of == address).count()
    }

    /// The store is asked to keep a session.
    pub(super) fn asks(
        &mut self,
        ticket: StoreTicket,
        session: SessionId,
        connections: &BTreeMap<ConnectionId, Visitor>,
        until: Instant,
    ) -> Verdict {
        let by = self.let_in.pop_front();
        let address = by.and_then(|by| connections.get(&by)?.address);
        let (Some(by), Some(address)) = (by, address) else {
            return Err("a handshake is let in, and there is no room for it".to_owned());
        };
        let opening = Opening {
            session,
            by,
            address,
            until,
        };
        self.openings.insert(ticket, opening);
        Ok(())
    }

    pub(super) fn reported(&mut self, what: &ReportKind) -> Verdict {
        match what {
            ReportKind::SessionCreated(session) => self.begins(*session),
            ReportKind::SessionRemoved(session, _) => {
                self.sessions.remove(session);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A session has come to the engine. Those that were claimed are counted for no address.
    fn begins(&mut self, session: SessionId) -> Verdict {
        let Some(new) = self.answered.take_if(|new| new.session == session) else {
            return Ok(());
        };
        self.sessions.insert(session, new.address);
        if new.has_room {
            return Ok(());
        }
        Err("a session begins, and there is no room for it".to_owned())
    }

    /// Everything has been done that follows at once from what has come.
    pub(super) fn are_settled(&mut self) -> Verdict {
        if self.let_in.pop_front().is_some() {
            return Err("a handshake is refused, and there is room for it".to_owned());
        }
        match self.answered.take() {
            Some(new) if new.is_due => Err(format!(
                "{:?} does not begin, and there is room for it",
                new.session
            )),
            Some(_) | None => Ok(()),
        }
    }
}
