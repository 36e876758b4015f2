//! The store behind a network: the store in memory, whose answers come late, in another order, or
//! not at all.
//!
//! What a node is told keeps the order that the contract asks for: the log and what the store says of
//! itself in one row; all that concerns one session in another; that a session was taken in both.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few facts and orders out of many are looked at"
)]

mod loss;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bayeux_core::{
    Access, Destination, Fence, Input, Instant, MemoryOptions, MemoryStore, NewEntry, NodeId,
    Notice, Position, SessionId, SessionRecord, StoreReply, StoreRequest, StoreTicket,
};
use serde_json::Value;

use super::parting::Partings;
use super::plan::LEASE;
use super::world::{Happening, World};

pub(super) struct Store {
    memory: MemoryStore,
    options: MemoryOptions,
    /// Sees the log for the judge.
    observer: NodeId,
    /// By life of a node.
    lines: BTreeMap<u64, Line>,
    owners: BTreeMap<SessionId, u64>,
    /// The sessions that lives of nodes have, as they themselves see it.
    here: BTreeSet<(u64, SessionId)>,
    /// The log since the store has begun, or begun anew.
    history: Vec<NewEntry>,
    /// Who had a session before it was claimed last.
    former: BTreeMap<SessionId, u64>,
    pub(super) partings: Partings,
}

/// What a node has to do with the store.
struct Line {
    node: NodeId,
    /// Since when it cannot reach the store.
    away: Option<Instant>,
    /// How often that has happened: what was on its way then never comes.
    cuts: u64,
    /// When the last request comes to the store, the last entry to the node, the last word of a
    /// session.
    up: Instant,
    entries: Instant,
    replies: Instant,
    sessions: BTreeMap<SessionId, Instant>,
    /// The last position that the node was told.
    tail: Position,
    /// What is not answered, and about which session it is.
    open: BTreeMap<StoreTicket, Option<SessionId>>,
    /// The log was lost, it begins here, and the node has not heard of it.
    lost: Option<Position>,
}

/// How a request fails.
#[derive(Clone, Copy)]
enum Failure {
    /// It never came to the store, and the node is told.
    Undone,
    /// It was done, and the node is told that it may not have been.
    Done,
    /// It was done, and the node is told nothing.
    Silent,
}

impl Store {
    pub(super) fn new(options: MemoryOptions) -> Self {
        let mut memory = MemoryStore::new(options.clone());
        let observer = memory.attach();
        Self {
            memory,
            options,
            observer,
            lines: BTreeMap::new(),
            owners: BTreeMap::new(),
            here: BTreeSet::new(),
            history: Vec::new(),
            former: BTreeMap::new(),
            partings: Partings::new(),
        }
    }

    /// Whether this life of a node has this session, as the store sees it.
    pub(super) fn owns(&self, life: u64, session: SessionId) -> bool {
        self.owners.get(&session) == Some(&life)
    }

    /// Whether this life of a node has this session, as both of them see it.
    pub(super) fn keeps(&self, life: u64, session: SessionId) -> bool {
        self.owns(life, session) && self.here.contains(&(life, session))
    }

    /// Whether this life of a node can be reached.
    pub(super) fn is_there(&self, life: u64) -> bool {
        let line = self.lines.get(&life);
        line.is_some_and(|line| line.away.is_none())
    }

    /// How many sessions are kept.
    pub(super) fn left(&self) -> usize {
        self.memory.sessions()
    }

    pub(super) fn record(&self, session: SessionId) -> Option<&SessionRecord> {
        self.memory.record(session)
    }

    /// What a session is subscribed to, as the store has it.
    pub(super) fn patterns_of(&self, session: SessionId) -> Option<Vec<&str>> {
        let record = self.record(session)?;
        let patterns = record.subscriptions.iter();
        Some(
            patterns
                .map(|subscribed| subscribed.pattern.as_str())
                .collect(),
        )
    }

    /// Whether a node that has a session was not heard of for so long that it counts as dead.
    fn is_orphan(&self, session: SessionId, now: Instant) -> bool {
        let owner = self
            .owners
            .get(&session)
            .and_then(|life| self.lines.get(life));
        let away = owner.and_then(|line| line.away);
        away.is_some_and(|since| now.saturating_duration_since(since) >= LEASE)
    }

    /// Whether a claim like that moves the session.
    fn admits(&self, session: SessionId, access: Access) -> bool {
        let record = self.record(session);
        record.is_none_or(|record| record.admits(access))
    }
}

impl World {
    /// A life of a node begins.
    pub(super) fn attach(&mut self, life: u64) {
        let now = self.now;
        let node = self.store.memory.attach();
        // It serves nobody before it has heard where the log stands.
        if let Some(up) = self.store.memory.poll(node, now) {
            self.tell_node(life, now, up);
        }
        let line = Line {
            node,
            away: None,
            cuts: 0,
            up: now,
            entries: now,
            replies: now,
            sessions: BTreeMap::new(),
            tail: self.store.memory.end(),
            open: BTreeMap::new(),
            lost: None,
        };
        self.store.lines.insert(life, line);
        self.hear_store();
    }

    /// A life of a node is over, as the store sees it.
    pub(super) fn detach(&mut self, life: u64) {
        self.give_up_claims(life);
        if let Some(line) = self.store.lines.remove(&life) {
            self.store.memory.detach(line.node, self.now);
            self.store.owners.retain(|_, owner| *owner != life);
            self.hear_store();
        }
    }

    /// A node asks the store.
    pub(super) fn ask_store(&mut self, life: u64, ticket: StoreTicket, request: StoreRequest) {
        let delay = self.delay();
        let now = self.now;
        let subject = subject(&request);
        let Some(line) = self.store.lines.get_mut(&life) else {
            return;
        };
        line.open.insert(ticket, subject);
        if line.away.is_some() {
            self.answer_store(life, ticket, StoreReply::Failed);
            return;
        }
        line.up = line.up.max(now + delay);
        let (at, cuts) = (line.up, line.cuts);
        self.at(
            at,
            Happening::Asked {
                life,
                cuts,
                ticket,
                request: Box::new(request),
            },
        );
    }

    /// A request has come to the store.
    pub(super) fn asked(
        &mut self,
        life: u64,
        cuts: u64,
        ticket: StoreTicket,
        request: StoreRequest,
    ) {
        let Some(line) = self.store.lines.get(&life).filter(|line| line.cuts == cuts) else {
            return;
        };
        let node = line.node;
        self.story.tell(self.now, || {
            format!("store    < life {life}: {}", told(&request))
        });
        let failure = self.failure();
        if matches!(failure, Some(Failure::Undone)) {
            self.answer_store(life, ticket, StoreReply::Failed);
            return;
        }
        if let StoreRequest::Forward { session, .. } = &request
            && self.store.is_orphan(*session, self.now)
        {
            self.answer_store(life, ticket, StoreReply::Unowned);
            return;
        }
        match &request {
            StoreRequest::Open(record) => {
                self.store.owners.insert(record.session, life);
            }
            StoreRequest::Claim { session, access } if self.store.admits(*session, *access) => {
                self.part_now(*session);
                match self.store.owners.insert(*session, life) {
                    Some(before) => self.store.former.insert(*session, before),
                    None => self.store.former.remove(session),
                };
            }
            _ => {}
        }
        let parts = parting(&request);
        let claim = claim(&request);
        let before = claim.and_then(|(session, _)| self.store.record(session).cloned());
        self.store.memory.submit(node, self.now, ticket, request);
        if let Some((_, access)) = claim {
            let verdict = self.has_moved_for(access, before);
            self.hold(verdict);
        }
        if let Some((session, fence, cursor)) = parts {
            self.parts(session, fence, cursor);
        }
        match failure {
            Some(Failure::Done) => {
                self.answer_store(life, ticket, StoreReply::Failed);
            }
            Some(Failure::Silent) => {
                if let Some(line) = self.store.lines.get_mut(&life) {
                    line.forget(ticket);
                }
            }
            Some(Failure::Undone) | None => {}
        }
        self.hear_store();
    }

    fn failure(&mut self) -> Option<Failure> {
        let chance = if self.is_peaceful {
            0
        } else {
            self.plan.bad_requests
        };
        if !self.dice.permille(chance) {
            return None;
        }
        self.dice
            .pick(&[Failure::Undone, Failure::Done, Failure::Silent])
    }

    /// A session has come to a node.
    pub(super) fn session_began(&mut self, life: u64, session: SessionId) {
        self.store.here.insert((life, session));
        self.judge.moves(&session.text());
    }

    /// A session has ended on a node.
    pub(super) fn session_ended(&mut self, life: u64, session: SessionId) {
        self.store.here.remove(&(life, session));
    }

    /// A node was given a session and does not hear of it: then nobody has it.
    pub(super) fn disown(&mut self, session: SessionId) {
        let (now, ticket) = (self.now, StoreTicket::new(0));
        let nobody = self.store.memory.attach();
        let access = Access::Any;
        let claim = StoreRequest::Claim { session, access };
        self.store.memory.submit(nobody, now, ticket, claim);
        self.store.memory.detach(nobody, now);
        self.store.owners.remove(&session);
    }

    /// A reply goes to a node: in any order, but for those about one session.
    pub(super) fn answer_store(&mut self, life: u64, ticket: StoreTicket, reply: StoreReply) {
        let delay = self.delay();
        let now = self.now;
        let Some(line) = self.store.lines.get_mut(&life) else {
            return;
        };
        let Some(subject) = line.forget(ticket) else {
            if let StoreReply::Claimed(record) = reply {
                self.disown(record.session);
            }
            return;
        };
        let at = line.of_session(subject, now + delay);
        line.replies = line.replies.max(at);
        self.tell_node(life, at, Input::Stored { ticket, reply });
    }

    fn tell_node(&mut self, life: u64, at: Instant, input: Input) {
        self.at(
            at,
            Happening::Told {
                life,
                input: Box::new(input),
            },
        );
    }

    /// What the store has to say goes on its way.
    pub(super) fn hear_store(&mut self) {
        self.hear_log();
        let lives: Vec<u64> = self.store.lines.keys().copied().collect();
        for life in lives {
            self.hear_for(life);
        }
        while self.store.memory.poll_wake().is_some() {}
    }

    /// The judge sees the log first.
    fn hear_log(&mut self) {
        let observer = self.store.observer;
        while let Some(input) = self.store.memory.poll(observer, self.now) {
            let Input::Notified {
                notice: Notice::Entries(entries),
            } = input
            else {
                continue;
            };
            for entry in entries {
                let Destination::Channel(channel) = &entry.to else {
                    continue;
                };
                let number = number_in(entry.event.framed());
                self.store.history.push(loss::anew(&entry));
                self.story.tell(self.now, || {
                    format!(
                        "log      {:?} n{number} to {}",
                        entry.position,
                        channel.as_str()
                    )
                });
                let at = (entry.position, entry.event.size());
                let verdict = self.judge.logged(number, channel, at, self.now);
                self.hold(verdict);
            }
        }
    }

    fn hear_for(&mut self, life: u64) {
        loop {
            let Some(line) = self.store.lines.get_mut(&life).filter(|l| l.away.is_none()) else {
                return;
            };
            let node = line.node;
            let Some(input) = self.store.memory.poll(node, self.now) else {
                return;
            };
            let delay = self.delay();
            let now = self.now;
            let Some(line) = self.store.lines.get_mut(&life) else {
                return;
            };
            let at = match &input {
                Input::Stored { ticket, reply } => {
                    let (ticket, reply) = (*ticket, reply.clone());
                    match reply {
                        StoreReply::Claimed(record) if self.plan.parting => {
                            let before = self.store.former.remove(&record.session);
                            self.is_claimed(life, ticket, record, before);
                        }
                        reply => self.answer_store(life, ticket, reply),
                    }
                    continue;
                }
                Input::Notified { notice } => match notice {
                    Notice::Taken { session, .. } => {
                        let at = line.entries.max(now + delay);
                        let at = line.of_session(Some(*session), at);
                        line.of_log(at)
                    }
                    Notice::Forwarded { session, .. } => {
                        line.of_session(Some(*session), now + delay)
                    }
                    Notice::Entries(entries) => {
                        line.tail = entries.last().map_or(line.tail, |last| last.position);
                        line.of_log(now + delay)
                    }
                    Notice::Up { position } | Notice::Reset { position } => {
                        line.tail = *position;
                        line.of_log(now + delay)
                    }
                    _ => line.of_log(now + delay),
                },
                _ => continue,
            };
            self.tell_node(life, at, input);
        }
    }

    /// How long a message takes between a node and the store.
    fn delay(&mut self) -> Duration {
        if self.dice.permille(self.plan.slow) {
            return self.dice.millis(0..700);
        }
        self.dice.millis(0..12)
    }
}

impl Line {
    /// A request is over; which session it was about.
    fn forget(&mut self, ticket: StoreTicket) -> Option<Option<SessionId>> {
        self.open.remove(&ticket)
    }

    /// What concerns one session stays in order.
    fn of_session(&mut self, session: Option<SessionId>, at: Instant) -> Instant {
        let Some(session) = session else {
            return at;
        };
        let last = self.sessions.entry(session).or_insert(at);
        *last = (*last).max(at);
        *last
    }

    fn of_log(&mut self, at: Instant) -> Instant {
        self.entries = self.entries.max(at);
        self.entries
    }
}

/// How far a session had come that was taken.
const fn parting(request: &StoreRequest) -> Option<(SessionId, Fence, Position)> {
    match request {
        StoreRequest::Part {
            session,
            fence,
            cursor,
        } => Some((*session, *fence, *cursor)),
        _ => None,
    }
}

/// The session that is claimed, and for whom.
const fn claim(request: &StoreRequest) -> Option<(SessionId, Access)> {
    match request {
        StoreRequest::Claim { session, access } => Some((*session, *access)),
        _ => None,
    }
}

/// The session that a request is about.
fn subject(request: &StoreRequest) -> Option<SessionId> {
    match request {
        StoreRequest::Open(record) => Some(record.session),
        StoreRequest::Append(entry) => entry.origin,
        StoreRequest::Claim { session, .. }
        | StoreRequest::Bind { session, .. }
        | StoreRequest::Subscribe { session, .. }
        | StoreRequest::Unsubscribe { session, .. }
        | StoreRequest::Read { session, .. }
        | StoreRequest::Forward { session, .. }
        | StoreRequest::Release { session, .. }
        | StoreRequest::End { session, .. } => Some(*session),
        _ => None,
    }
}

/// The number of what was published.
fn number_in(frame: &[u8]) -> u64 {
    let message: Value = serde_json::from_slice(frame).unwrap_or_default();
    let message = message.get(0).unwrap_or(&message);
    let number = message.pointer("/data/n").and_then(Value::as_u64);
    number.unwrap_or_default()
}

fn told(request: &StoreRequest) -> String {
    let text = format!("{request:?}");
    text.chars().take(110).collect()
}

fn notified(notice: Notice) -> Input {
    Input::Notified { notice }
}
