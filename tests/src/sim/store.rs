//! The store behind a network: the store in memory, whose answers come late, in another order, or
//! not at all.
//!
//! What a node is told keeps the order that the contract asks for: the log and what the store says of
//! itself in one row; all that concerns one session in another; that a session was taken in both.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few facts and orders out of many are looked at"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bayeux_core::{
    Destination, Entry, Input, Instant, MemoryOptions, MemoryStore, NewEntry, NodeId, Notice,
    Position, SessionId, StoreReply, StoreRequest, StoreTicket,
};
use serde_json::Value;

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

    /// How many sessions are kept.
    pub(super) fn left(&self) -> usize {
        self.memory.sessions()
    }

    /// What a session is subscribed to, as the store has it.
    pub(super) fn patterns_of(&self, session: SessionId) -> Option<Vec<&str>> {
        let record = self.memory.record(session)?;
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
        };
        self.store.lines.insert(life, line);
        self.hear_store();
    }

    /// A life of a node is over, as the store sees it.
    pub(super) fn detach(&mut self, life: u64) {
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
            StoreRequest::Claim(session) => {
                self.store.owners.insert(*session, life);
            }
            _ => {}
        }
        self.store.memory.submit(node, self.now, ticket, request);
        match failure {
            Some(Failure::Done) => {
                self.answer_store(life, ticket, StoreReply::Failed);
            }
            Some(Failure::Silent) => {
                if let Some(line) = self.store.lines.get_mut(&life) {
                    line.open.remove(&ticket);
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
    }

    /// A session has ended on a node.
    pub(super) fn session_ended(&mut self, life: u64, session: SessionId) {
        self.store.here.remove(&(life, session));
    }

    /// A node was given a session and does not hear of it: then nobody has it.
    fn disown(&mut self, session: SessionId) {
        let (now, ticket) = (self.now, StoreTicket::new(0));
        let nobody = self.store.memory.attach();
        let claim = StoreRequest::Claim(session);
        self.store.memory.submit(nobody, now, ticket, claim);
        self.store.memory.detach(nobody, now);
        self.store.owners.remove(&session);
    }

    /// A reply goes to a node: in any order, but for those about one session.
    fn answer_store(&mut self, life: u64, ticket: StoreTicket, reply: StoreReply) {
        let delay = self.delay();
        let now = self.now;
        let Some(line) = self.store.lines.get_mut(&life) else {
            return;
        };
        let Some(subject) = line.open.remove(&ticket) else {
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
                self.store.history.push(anew(&entry));
                self.story.tell(self.now, || {
                    format!(
                        "log      {:?} n{number} to {}",
                        entry.position,
                        channel.as_str()
                    )
                });
                let verdict = self.judge.logged(number, channel);
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
                    self.answer_store(life, ticket, reply);
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

    /// A node cannot reach the store any more. What was answered before comes before that is known, or
    /// it straggles.
    pub(super) fn cut_store(&mut self, life: u64, straggles: bool) {
        let now = self.now;
        let Some(line) = self.store.lines.get_mut(&life).filter(|l| l.away.is_none()) else {
            return;
        };
        line.away = Some(now);
        line.cuts += 1;
        let replies = if straggles { now } else { line.replies };
        let at = line.of_log(now.max(replies));
        let open: Vec<StoreTicket> = line.open.keys().copied().collect();
        for ticket in open {
            if self.dice.permille(500) {
                self.answer_store(life, ticket, StoreReply::Failed);
            } else if let Some(line) = self.store.lines.get_mut(&life) {
                line.open.remove(&ticket);
            }
        }
        self.tell_node(life, at, notified(Notice::Down));
    }

    /// A node can reach the store again: first it hears which sessions it has lost.
    pub(super) fn mend_store(&mut self, life: u64) {
        let now = self.now;
        let Some(line) = self.store.lines.get_mut(&life) else {
            return;
        };
        if line.away.take().is_none() {
            return;
        }
        let node = line.node;
        let mut after = Vec::new();
        let before = line
            .sessions
            .values()
            .copied()
            .max()
            .unwrap_or(now)
            .max(now);
        line.entries = line.entries.max(before);
        let position = line.tail;
        let mut taken = Vec::new();
        while let Some(input) = self.store.memory.poll(node, now) {
            match input {
                // Whoever asked has given up.
                Input::Stored { .. } => {}
                Input::Notified {
                    notice: Notice::Taken { session, fence },
                } => taken.push((session, fence)),
                other => after.push(other),
            }
        }
        let Some(line) = self.store.lines.get_mut(&life) else {
            return;
        };
        for (session, _) in &taken {
            line.of_session(Some(*session), before);
        }
        for input in &after {
            if let Input::Notified { notice } = input {
                match notice {
                    Notice::Entries(entries) => {
                        line.tail = entries.last().map_or(line.tail, |last| last.position);
                    }
                    Notice::Reset { position } => line.tail = *position,
                    _ => {}
                }
            }
        }
        for (session, fence) in taken {
            self.tell_node(life, before, notified(Notice::Taken { session, fence }));
        }
        let at = self
            .store
            .lines
            .get_mut(&life)
            .map_or(before, |line| line.of_log(before));
        self.tell_node(life, at, notified(Notice::Up { position }));
        for input in after {
            self.tell_node(life, at, input);
        }
    }

    /// The store has lost its sessions and the end of its log, or all of it. All nodes are cut off from it.
    pub(super) fn lose_store(&mut self, lost: usize) {
        self.judge.reset();
        self.store.owners.clear();
        self.store.memory = MemoryStore::new(self.store.options.clone());
        let now = self.now;
        let kept = self.store.history.len().saturating_sub(lost);
        self.store.history.truncate(kept);
        let before = self.store.memory.attach();
        for entry in &self.store.history {
            let entry = StoreRequest::Append(Box::new(entry.clone()));
            let ticket = StoreTicket::new(0);
            self.store.memory.submit(before, now, ticket, entry);
        }
        self.store.memory.detach(before, now);
        self.store.observer = self.store.memory.attach();
        let position = self.store.memory.end();
        let mut facts = Vec::new();
        for (life, line) in &mut self.store.lines {
            line.node = self.store.memory.attach();
            // What it is told first is told below.
            let _ = self.store.memory.poll(line.node, now);
            line.tail = position;
            let at = line.of_log(now);
            facts.push((*life, at));
        }
        for (life, at) in facts {
            self.tell_node(life, at, notified(Notice::Reset { position }));
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

/// An entry as somebody might append it once more.
fn anew(entry: &Entry) -> NewEntry {
    NewEntry {
        origin: entry.origin,
        fence: None,
        to: entry.to.clone(),
        event: entry.event.clone(),
        laziness: entry.laziness,
        echo: entry.echo,
    }
}

/// The session that a request is about.
fn subject(request: &StoreRequest) -> Option<SessionId> {
    match request {
        StoreRequest::Open(record) => Some(record.session),
        StoreRequest::Append(entry) => entry.origin,
        StoreRequest::Claim(session)
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
