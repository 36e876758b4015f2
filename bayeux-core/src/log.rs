//! The log as this engine sees it: what comes is spread to whom it is for.
//!
//! Entries come in order, and a session is offered each of them once.

mod takeover;

use alloc::sync::Arc;
use core::time::Duration;

use smallvec::SmallVec;

use crate::channel::{ChannelKey, ChannelName};
use crate::config::QueuePolicy;
use crate::decide::reaches;
use crate::decision::{DeciderId, Question, Subject, Verdict};
use crate::id::{DecisionTicket, SessionId};
use crate::io::{Peer, Transport};
use crate::message::{Event, Messages};
use crate::report::{Removal, ReportKind};
use crate::request::Origin;
use crate::session::{Queued, Session, SessionKey};
use crate::store::{
    Destination, Echo, Entry, Laziness, Notice, Position, StoreReply, StoreRequest,
};
use crate::tickets::{Asker, StoreUse};
use crate::time::Instant;
use crate::timer::Alarm;
use crate::turn::Turn;

/// For how long at most those are spread who come back after the loss of the log (ER-7): whoever takes longer to
/// come back does not come with the crowd.
const LONGEST_SPREAD: Duration = Duration::from_secs(60 * 60);

/// What is known of the log.
#[derive(Default)]
pub(crate) struct Log {
    seen: Position,
    down: bool,
    /// It was lost: by then those have come back whose sessions were lost with it.
    stray_until: Option<Instant>,
}

impl Log {
    /// Up to here every entry has been seen.
    pub(crate) const fn seen(&self) -> Position {
        self.seen
    }

    /// Whether clients still come whose sessions were lost with the log.
    pub(crate) fn has_strays(&self, now: Instant) -> bool {
        self.stray_until.is_some_and(|until| now < until)
    }

    /// Whether the store cannot be reached.
    pub(crate) const fn is_down(&self) -> bool {
        self.down
    }
}

/// How long an event may wait for company; `None`: it leaves at once (QU-6).
type LazyFor = Option<Duration>;

impl Turn<'_> {
    pub(crate) fn notified(&mut self, notice: Notice) {
        match notice {
            Notice::Entries(entries) => {
                for entry in entries {
                    self.entry(entry);
                }
                self.release_waiting();
            }
            Notice::Taken { session, fence } => self.taken(session, fence),
            Notice::Forwarded {
                forward,
                session,
                messages,
                peer,
                transport,
            } => self.forwarded_here(session, Origin::Forward(forward, transport), peer, messages),
            Notice::Down => {
                self.log.down = true;
                let now = self.now;
                self.expiries.stop(now);
            }
            Notice::Up { position } => self.up(position),
            Notice::Reset { position } => self.reset(position),
        }
    }

    /// Messages of a session that the store takes for this engine's.
    fn forwarded_here(
        &mut self,
        session: SessionId,
        origin: Origin,
        peer: Peer,
        messages: Messages,
    ) {
        if self.sessions.find(session).is_some() {
            self.begin(origin, peer, messages, None, Some(session));
        } else if let Origin::Forward(forward, _) = origin {
            // It was let go of meanwhile: whoever forwarded them is to claim it.
            self.store(StoreRequest::Refuse { forward }, StoreUse::Nothing);
        }
    }

    /// The next entry of the log, to everybody it is for.
    fn entry(&mut self, entry: Entry) {
        if entry.position <= self.log.seen {
            self.counters.facts_ignored += 1;
            return;
        }
        self.log.seen = entry.position;
        self.counters.entries_seen += 1;
        let event = Arc::new(entry.event);
        match entry.to {
            Destination::Session(id) => {
                if let Some(key) = self.sessions.find(id) {
                    let lazy = self.lazy_for(entry.laziness, None);
                    self.offer(key, entry.position, &event, lazy);
                }
            }
            Destination::Channel(name) => {
                let quiet = (entry.echo == Echo::ToOthers)
                    .then_some(entry.origin)
                    .flatten();
                self.fan_out(
                    &name,
                    entry.position,
                    &event,
                    (entry.laziness, quiet),
                    entry.origin,
                );
            }
        }
    }

    /// PB-8, PL-10: to each session once, however many of its patterns match.
    fn fan_out(
        &mut self,
        name: &ChannelName,
        position: Position,
        event: &Arc<Event>,
        (laziness, mut quiet): (Laziness, Option<SessionId>),
        origin: Option<SessionId>,
    ) {
        let mut channels: SmallVec<[ChannelKey; 8]> = SmallVec::new();
        self.channels.matching(name, &mut channels);
        let (rule, echo) = self.rules_for(name);
        if echo == Some(Echo::ToOthers) {
            quiet = quiet.or(origin);
        }
        let lazy = self.lazy_for(laziness, rule);
        for channel in channels {
            let mut at = 0;
            // A session that ends because its queue is full leaves the list: the last one of the
            // list takes its place, and is looked at next.
            while let Some(subscriber) = self.subscriber(channel, at) {
                let before = self.subscribers(channel);
                self.offer_to_subscriber(subscriber, position, event, lazy, quiet);
                at += usize::from(self.subscribers(channel) == before);
            }
        }
    }

    /// What the configuration says of a channel: the first rule that says something counts (QU-8,
    /// PB-7).
    fn rules_for(&self, name: &ChannelName) -> (Option<Duration>, Option<Echo>) {
        let rules = self
            .config
            .channels
            .iter()
            .filter(|rule| reaches(&rule.pattern, name));
        rules.fold((None, None), |(lazy, echo), rule| {
            (lazy.or(rule.lazy), echo.or(rule.broadcast_to_publisher))
        })
    }

    fn subscriber(&self, channel: ChannelKey, at: usize) -> Option<(u32, u32)> {
        let subscriber = self.channels.get(channel)?.subscribers.get(at)?;
        Some((subscriber.session, subscriber.entry))
    }

    fn subscribers(&self, channel: ChannelKey) -> usize {
        self.channels
            .get(channel)
            .map_or(0, |channel| channel.subscribers.len())
    }

    fn offer_to_subscriber(
        &mut self,
        (slot, entry): (u32, u32),
        position: Position,
        event: &Arc<Event>,
        lazy: LazyFor,
        quiet: Option<SessionId>,
    ) {
        let Some((key, session)) = self.sessions.at_slot(slot) else {
            self.broken("a channel has a subscriber that does not exist");
            return;
        };
        if position <= session.received || Some(session.id) == quiet {
            return;
        }
        if position <= session.floor() {
            let subscribed = session.subscriptions.get(entry as usize);
            if subscribed.is_none_or(|subscribed| position <= subscribed.since) {
                return;
            }
        }
        session.received = position;
        self.enqueue(key, position, event, lazy);
    }

    /// QU-6: its publisher may call an event lazy, or the configuration its channel.
    fn lazy_for(&self, laziness: Laziness, rule: Option<Duration>) -> LazyFor {
        let longest = self.config.max_lazy_timeout;
        match (laziness, rule) {
            (Laziness::Prompt, None) => None,
            (_, Some(own)) if !own.is_zero() => Some(own),
            (_, Some(_)) | (Laziness::Lazy, None) => (!longest.is_zero()).then_some(longest),
        }
    }

    /// Queues an event for a session that has not received it yet.
    fn offer(&mut self, key: SessionKey, position: Position, event: &Arc<Event>, lazy: LazyFor) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if position <= session.received {
            return;
        }
        session.received = position;
        self.enqueue(key, position, event, lazy);
    }

    fn enqueue(&mut self, key: SessionKey, position: Position, event: &Arc<Event>, lazy: LazyFor) {
        if !self.has_room(key, position, event) {
            return;
        }
        self.counters.events_queued += 1;
        let laziness = if lazy.is_some() {
            Laziness::Lazy
        } else {
            Laziness::Prompt
        };
        let pending = self.ask_outgoing(key, event);
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        session.queue.push(Queued {
            position,
            event: Arc::clone(event),
            laziness,
            pending,
        });
        match lazy {
            None => self.wake(key),
            Some(wait) => self.hurry_in(key, wait),
        }
    }

    /// Whether a session's queue takes one more event (QU-5).
    fn has_room(&mut self, key: SessionKey, position: Position, event: &Event) -> bool {
        let parts = &mut **self;
        let Some(session) = parts.sessions.get(key) else {
            return false;
        };
        let size = event.size();
        session.queue.has_room(size, &parts.config.limits) || self.make_room(key, position, size)
    }

    /// QU-5: a session's queue is full; whether there is room now.
    fn make_room(&mut self, key: SessionKey, position: Position, size: usize) -> bool {
        let Some(session) = self.sessions.get(key) else {
            return false;
        };
        let policy = if session.settings.acknowledged {
            QueuePolicy::End
        } else {
            self.config.queue_policy
        };
        match policy {
            QueuePolicy::End => self.expel(key, Removal::QueueFull),
            QueuePolicy::DropOldest if size <= self.config.limits.max_queued_bytes => {
                return self.drop_oldest(key, position, size);
            }
            QueuePolicy::DropOldest | QueuePolicy::DropNewest => self.dropped(key, position),
        }
        false
    }

    /// Drops events until one of this size fits; if none is left that may go, that one.
    fn drop_oldest(&mut self, key: SessionKey, position: Position, size: usize) -> bool {
        loop {
            let parts = &mut **self;
            let Some(session) = parts.sessions.get_mut(key) else {
                return false;
            };
            if session.queue.has_room(size, &parts.config.limits) {
                return true;
            }
            let oldest = session.queue.drop_oldest();
            self.dropped(key, oldest.unwrap_or(position));
            if oldest.is_none() {
                return false;
            }
        }
    }

    /// An event of a session was dropped.
    fn dropped(&mut self, key: SessionKey, position: Position) {
        self.counters.events_dropped += 1;
        let id = self.sessions.get(key).map(|session| session.id);
        if let Some(id) = id.filter(|_| self.config.reports.messages) {
            self.report(ReportKind::Dropped(id, position));
        }
    }

    /// A session's lazy events leave after `wait` at the latest; the earliest deadline wins.
    fn hurry_in(&mut self, key: SessionKey, wait: Duration) {
        let at = self.now + wait;
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        match session.queue.hurry_at() {
            Some(before) if before <= at => return,
            Some(before) => {
                session.queue.set_hurry_at(Some(at));
                self.timers.clear(before, Alarm::Lazy(key));
            }
            None => session.queue.set_hurry_at(Some(at)),
        }
        self.timers.set(at, Alarm::Lazy(key));
    }

    /// Nothing lazy waits any more.
    pub(crate) fn calm(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if let Some(at) = session.queue.hurry_at() {
            session.queue.set_hurry_at(None);
            self.timers.clear(at, Alarm::Lazy(key));
        }
    }

    pub(crate) fn lazy_alarm(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.queue.set_hurry_at(None);
            session.queue.hurry();
        }
        self.wake(key);
    }

    /// Asks the first of a session's own extensions about an event.
    fn ask_outgoing(&mut self, key: SessionKey, event: &Arc<Event>) -> Option<DecisionTicket> {
        let session = self.sessions.get(key)?;
        let first = session
            .settings
            .outgoing
            .iter()
            .find(|id| self.deciders.sees_events(**id))
            .copied()?;
        Some(self.ask_about_event(key, first, event))
    }

    fn ask_about_event(
        &mut self,
        key: SessionKey,
        decider: DeciderId,
        event: &Event,
    ) -> DecisionTicket {
        let session = self.sessions.get(key);
        let question = Question {
            decider,
            session: session.map(|session| session.id),
            identity: session.and_then(|session| session.settings.identity.clone()),
            peer: Peer::default(),
            subject: Subject::Event(event.clone()),
        };
        self.ask(question, Asker::Event(key, decider))
    }

    /// One of a session's extensions has looked at an event.
    pub(crate) fn event_decided(
        &mut self,
        ticket: DecisionTicket,
        key: SessionKey,
        decider: DeciderId,
        verdict: Option<Verdict>,
    ) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let Some(event) = session.queue.pending(ticket) else {
            // It was dropped meanwhile, and a connect may wait for what is in front by now.
            return self.end_awaiting(key);
        };
        let mut event = Some(event);
        match verdict {
            Some(Verdict::ReplaceEvent(replaced)) => event = Some(Arc::new(replaced)),
            Some(Verdict::Drop | Verdict::Deny(_)) => event = None,
            Some(
                Verdict::Allow
                | Verdict::Abstain
                | Verdict::Replace(_)
                | Verdict::Extend(_)
                | Verdict::Admit(_)
                | Verdict::Answer { .. },
            )
            // PL-6: an extension that fails is passed over.
            | None => {}
        }
        let later = session
            .settings
            .outgoing
            .iter()
            .skip_while(|id| **id != decider)
            .skip(1);
        let next = later.copied().find(|id| self.deciders.sees_events(*id));
        if let (Some(event), Some(next)) = (&event, next) {
            let event = Arc::clone(event);
            let again = self.ask_about_event(key, next, &event);
            if let Some(session) = self.sessions.get_mut(key) {
                session.queue.ask_again(ticket, again, event);
            }
            return;
        }
        if event.is_none() {
            self.counters.events_dropped += 1;
        }
        if let Some(session) = self.sessions.get_mut(key) {
            session.queue.settle(ticket, event);
        }
        self.end_awaiting(key);
        self.wake(key);
    }

    fn up(&mut self, position: Position) {
        self.log.down = false;
        let now = self.now;
        self.expiries.go_on(now);
        if self.sessions.len() == 0 || position <= self.log.seen {
            self.log.seen = self.log.seen.max(position);
            self.release_waiting();
        } else {
            // What lies between was trimmed while nobody could see it.
            self.lose(position, Removal::Gap);
        }
        self.record_bindings();
        self.pay_debts();
    }

    /// The log was lost, and begins anew; so does what sessions that stay know of it.
    fn reset(&mut self, position: Position) {
        // Whatever was asked before was asked of a store that is no more.
        for ticket in self.tickets.open_requests() {
            self.stored(ticket, StoreReply::Failed);
        }
        let until = self.now + self.longest_cycle().min(LONGEST_SPREAD);
        self.log.stray_until = self.log.stray_until.max(Some(until));
        self.lose(position, Removal::Gap);
        for key in self.sessions.keys() {
            let Some(session) = self.sessions.get_mut(key) else {
                continue;
            };
            session.received = session.received.min(position);
            if let Some(special) = session.special_mut() {
                let floor = &mut special.takeover.floor;
                *floor = position.min(*floor);
            }
            for subscribed in &mut session.subscriptions {
                subscribed.since = subscribed.since.min(position);
            }
        }
    }

    /// The longest time that a client leaves between two connects, or lets pass before it counts as gone.
    fn longest_cycle(&self) -> Duration {
        let transports = Transport::ALL.into_iter();
        let usual = transports.map(|transport| self.timings_of(None, transport).cycle());
        let keys = self.sessions.keys();
        let own = keys.into_iter().map(|key| {
            let timings = self.timings(key);
            let session = self.sessions.get(key);
            let interval = session.and_then(Session::client_interval);
            timings.cycle().saturating_add(interval.unwrap_or_default())
        });
        usual.chain(own).max().unwrap_or_default()
    }

    /// Every session has to begin anew, not all at once.
    fn lose(&mut self, position: Position, reason: Removal) {
        for key in self.sessions.keys() {
            if self
                .sessions
                .get(key)
                .is_some_and(|session| !session.is_local())
            {
                self.expel(key, reason);
            }
        }
        self.log.seen = position;
        self.release_waiting();
    }
}
