//! What waits on time, in ordered sets, one of them for sessions: nothing ever walks all of those.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use crate::channel::ChannelKey;
use crate::id::{ConnectionId, DecisionTicket, StoreTicket};
use crate::request::RequestKey;
use crate::session::SessionKey;
use crate::time::Instant;

/// What is to happen when a time comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Alarm {
    /// A held connect has been held long enough, or a connect is being worked on for too long.
    Session(SessionKey),
    /// A session was admitted until now (HS-18).
    Admission(SessionKey),
    /// A session's lazy events have waited long enough (QU-6).
    Lazy(SessionKey),
    /// A request has waited for the log long enough.
    Request(RequestKey),
    /// The store has not answered.
    Store(StoreTicket),
    /// A decider has not answered.
    Decision(DecisionTicket),
    /// What the store has not heard is told again.
    Debts,
    /// Nobody has used this channel (CH-13).
    Channel(ChannelKey),
    /// A duplex has been without a session (DE-8).
    Duplex(ConnectionId),
    /// The window of a shutdown is over.
    Drain,
    /// What was in flight then has had its time.
    Landing,
}

/// What is to happen, in order of time.
struct Deadlines<T> {
    set: BTreeSet<(Instant, T)>,
    /// Before this none of it is due, which is mostly all that has to be known.
    soonest: Option<Instant>,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self {
            set: BTreeSet::new(),
            soonest: None,
        }
    }
}

impl<T: Copy + Ord> Deadlines<T> {
    fn insert(&mut self, at: Instant, what: T) {
        self.soonest = Some(self.soonest.map_or(at, |soonest| soonest.min(at)));
        self.set.insert((at, what));
    }

    fn remove(&mut self, at: Instant, what: T) {
        self.set.remove(&(at, what));
    }

    fn next(&self) -> Option<Instant> {
        self.set.first().map(|&(at, _)| at)
    }

    /// When the first of it was due, if it is by `now`.
    fn due(&mut self, now: Instant) -> Option<Instant> {
        self.soonest.filter(|soonest| *soonest <= now)?;
        self.soonest = self.next();
        self.soonest.filter(|soonest| *soonest <= now)
    }

    fn pop(&mut self) -> Option<T> {
        self.set.pop_first().map(|(_, what)| what)
    }

    fn len(&self) -> usize {
        self.set.len()
    }
}

/// Alarms in order of time. Whoever sets one keeps its time, to clear it.
#[derive(Default)]
pub(crate) struct Timers {
    /// Those of sessions, before all others of the same time: nearly each session has one, so they are kept small.
    sessions: Deadlines<SessionKey>,
    others: Deadlines<Alarm>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, alarm: Alarm) {
        if let Alarm::Session(session) = alarm {
            self.sessions.insert(at, session);
        } else {
            self.others.insert(at, alarm);
        }
    }

    pub(crate) fn clear(&mut self, at: Instant, alarm: Alarm) {
        if let Alarm::Session(session) = alarm {
            self.sessions.remove(at, session);
        } else {
            self.others.remove(at, alarm);
        }
    }

    /// Takes out the first alarm that is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Alarm> {
        match (self.sessions.due(now), self.others.due(now)) {
            (None, None) => None,
            (Some(session), other) if other.is_none_or(|other| session <= other) => {
                self.sessions.pop().map(Alarm::Session)
            }
            (_, _) => self.others.pop(),
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        let (sessions, others) = (self.sessions.next(), self.others.next());
        sessions.into_iter().chain(others).min()
    }

    /// Takes out the ends of all admissions. It walks all alarms but those of sessions, which only a clock that
    /// was set is worth.
    pub(crate) fn take_admissions(&mut self) -> Vec<SessionKey> {
        let mut taken = Vec::new();
        self.others.set.retain(|(_, alarm)| match alarm {
            Alarm::Admission(session) => {
                taken.push(*session);
                false
            }
            Alarm::Session(_)
            | Alarm::Lazy(_)
            | Alarm::Request(_)
            | Alarm::Store(_)
            | Alarm::Decision(_)
            | Alarm::Debts
            | Alarm::Channel(_)
            | Alarm::Duplex(_)
            | Alarm::Drain
            | Alarm::Landing => true,
        });
        taken
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len() + self.others.len()
    }
}

/// When sessions expire, by a clock that stands still while the store is away: nobody is to lose a
/// session because *we* could not be reached (ER-7).
#[derive(Default)]
pub(crate) struct Expiries {
    set: Deadlines<SessionKey>,
    /// Since when the clock stands.
    stopped: Option<Instant>,
    /// For how long it has stood before.
    lost: Duration,
}

impl Expiries {
    /// What this clock says at `now`.
    fn reading(&self, now: Instant) -> Instant {
        let running = self.stopped.unwrap_or(now);
        Instant::EPOCH + running.saturating_duration_since(Instant::EPOCH + self.lost)
    }

    /// Lets `session` expire `after` from now, and says when that is on this clock.
    pub(crate) fn set(&mut self, now: Instant, after: Duration, session: SessionKey) -> Instant {
        let at = self.reading(now) + after;
        self.set.insert(at, session);
        at
    }

    pub(crate) fn clear(&mut self, at: Instant, session: SessionKey) {
        self.set.remove(at, session);
    }

    /// How long it is from `now` until `at` on this clock.
    pub(crate) fn remaining(&self, now: Instant, at: Instant) -> Duration {
        at.saturating_duration_since(self.reading(now))
    }

    /// Stops the clock.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.stopped.get_or_insert(now);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self, now: Instant) {
        if let Some(since) = self.stopped.take() {
            self.lost += now.saturating_duration_since(since);
        }
    }

    /// Takes out the first session that has expired.
    pub(crate) fn due(&mut self, now: Instant) -> Option<SessionKey> {
        if self.stopped.is_some() {
            return None;
        }
        self.set.due(self.reading(now))?;
        self.set.pop()
    }

    /// When the first one does, on the driver's clock.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.stopped.is_some() {
            return None;
        }
        self.set.next().map(|at| at + self.lost)
    }

    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }
}
