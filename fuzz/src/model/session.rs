//! Sessions, and when they expire (sections 1 and 15).

use serde_json::Value;

use super::delivery::Event;
use super::frame::carries_advice;
use super::{Model, Name};
use crate::history::cast::Transport;

/// `maxInterval`.
pub(super) const MAX_INTERVAL: u64 = 10_000;
/// `timeout`.
pub(super) const TIMEOUT: u64 = 30_000;

/// A session.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// It acknowledges (AK-1).
    pub(super) ack: bool,
    /// Its first connect was accepted (MO-2).
    pub(super) connected: bool,
    pub(super) hold: Option<Hold>,
    /// `None`: never (TM-2).
    pub(super) expires: Option<u64>,
    /// What it was told to wait in its last connect, in place of `interval` (TM-3).
    pub(super) interval: u64,
    pub(super) carrier: Carrier,
    pub(super) subscriptions: Vec<Name>,
    /// What waits to be sent, in order.
    pub(super) queue: Vec<Event>,
    /// What was sent and not acknowledged, in order (AK-3).
    pub(super) unacknowledged: Vec<Event>,
    /// The position at its handshake (AK-4).
    pub(super) start: u64,
    /// The highest number that it has presented.
    pub(super) presented: u64,
    /// What its last connect came by, its handshake before.
    pub(super) transport: Option<Transport>,
    /// Its transport has changed since it was given advice (AD-3).
    pub(super) changed: bool,
    /// The application has disconnected it, and it was not told yet (DC-5).
    pub(super) leaving: bool,
}

/// A connect that is held.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Hold {
    pub(super) connection: u32,
    pub(super) request: Value,
    pub(super) until: u64,
}

/// Where a session's events go (WS-10).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Carrier {
    #[default]
    None,
    /// With the replies to polls.
    Polls,
    Socket(u32),
}

impl Session {
    /// A connect is never answered; the advice that it asked for is still owed.
    pub(super) fn drop_hold(&mut self) -> Option<Hold> {
        let hold = self.hold.take()?;
        self.changed |= carries_advice(&hold.request);
        Some(hold)
    }
}

impl Model {
    pub(super) fn session(&mut self, number: u32) -> Option<&mut Session> {
        self.sessions.get_mut(&number)
    }

    /// The clock of a session starts (TM-3).
    pub(super) fn start_clock(&mut self, number: u32) {
        let now = self.now;
        if let Some(session) = self.session(number) {
            session.expires = Some(now + session.interval + MAX_INTERVAL);
        }
    }

    /// A message other than a connect extends what runs (TM-5).
    pub(super) fn extend_clock(&mut self, number: u32) {
        let now = self.now;
        if let Some(session) = self.session(number) {
            session.expires = session
                .expires
                .map(|expires| expires.max(now + MAX_INTERVAL));
        }
    }

    /// A session ends without a word.
    pub(super) fn end_session(&mut self, number: u32) {
        self.sessions.remove(&number);
    }

    /// A session is swept (TM-6); the socket that carries it is cut (CN-13, WS-13).
    pub(super) fn expire(&mut self, number: u32) {
        let carrier = self.sessions.remove(&number).map(|session| session.carrier);
        if let Some(Carrier::Socket(connection)) = carrier {
            self.seen.on(connection).closed = Some("session_over");
            self.closed(connection);
        }
    }

    /// A connection is gone, whoever closed it.
    pub(super) fn closed(&mut self, connection: u32) {
        self.connections.remove(&connection);
        let all: Vec<_> = self.sessions.keys().copied().collect();
        for number in all {
            let Some(session) = self.session(number) else {
                continue;
            };
            let held = session
                .hold
                .as_ref()
                .is_some_and(|hold| hold.connection == connection);
            let carried = session.carrier == Carrier::Socket(connection);
            if held {
                session.drop_hold();
            }
            if carried {
                session.carrier = Carrier::None;
            }
            // CN-14, TM-10; a clock that runs goes on.
            let stands = session.expires.is_none();
            if stands && (held || carried) {
                self.start_clock(number);
            }
        }
    }
}
