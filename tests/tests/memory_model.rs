//! The memory store against the contract written naively: lists, searched from end to end.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a difference panics"
)]

use std::time::Duration;

use bayeux_core::{
    ChannelName, ChannelPattern, Destination, Echo, Entry, Event, Fence, ForwardTicket, Input,
    Instant, Laziness, MemoryOptions, MemoryStore, Messages, NewEntry, NodeId, Notice, Peer,
    Position, SessionId, SessionRecord, SessionSettings, StoreReply, StoreRequest, StoreTicket,
    StoredSubscription,
};
use proptest::prelude::*;

const CHANNELS: &[&str] = &["/a", "/a/b", "/a/b/c", "/service/a"];
const PATTERNS: &[&str] = &[
    "/a",
    "/a/b",
    "/a/*",
    "/a/**",
    "/**",
    "/*",
    "/service/a",
    "/service/**",
];
const MAX_ENTRIES: usize = 6;
const MAX_BATCH: usize = 2;
const MAX_INBOX: usize = 2;
const MAX_SESSIONS: usize = 2;
const RETENTION: Duration = Duration::from_secs(10);
const TTL: Duration = Duration::from_secs(7);

/// What may happen. Nodes, sessions and forwards are small numbers; one that makes no sense is sent all
/// the same.
#[derive(Clone, Debug)]
enum Step {
    Attach,
    Detach(usize),
    Poll(usize),
    Drain(usize),
    Pass(u64),
    Publish(usize, usize, Option<(u8, u64)>),
    Deliver(usize, u8),
    Open(usize, u8),
    Claim(usize, u8),
    Subscribe(usize, u8, u64, Vec<usize>, u64),
    Unsubscribe(usize, u8, u64, Vec<usize>),
    Release(usize, u8, u64, u64),
    End(usize, u8, u64),
    Forward(usize, u8),
    Answer(usize, usize),
    Read(usize, u8, Vec<(usize, u64)>, u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (node, session) = (0..3_usize, 0..3_u8);
    let fence = prop_oneof![4 => Just(1_u64), 2 => Just(2), 1 => Just(3)];
    let patterns = || prop::collection::vec(0..PATTERNS.len(), 1..3);
    let subscriptions = prop::collection::vec((0..PATTERNS.len(), 0..20_u64), 0..4);
    let origin = prop::option::of((session.clone(), fence.clone()));
    let (n, s, f) = (node, session, fence);
    prop_oneof![
        1 => Just(Step::Attach),
        1 => n.clone().prop_map(Step::Detach),
        5 => n.clone().prop_map(Step::Poll),
        3 => n.clone().prop_map(Step::Drain),
        1 => (1..9_u64).prop_map(Step::Pass),
        6 => (n.clone(), 0..CHANNELS.len(), origin).prop_map(|(n, c, o)| Step::Publish(n, c, o)),
        1 => (n.clone(), s.clone()).prop_map(|(n, s)| Step::Deliver(n, s)),
        3 => (n.clone(), s.clone()).prop_map(|(n, s)| Step::Open(n, s)),
        3 => (n.clone(), s.clone()).prop_map(|(n, s)| Step::Claim(n, s)),
        2 => (n.clone(), s.clone(), f.clone(), patterns(), 0..20_u64)
            .prop_map(|(n, s, f, p, since)| Step::Subscribe(n, s, f, p, since)),
        1 => (n.clone(), s.clone(), f.clone(), patterns())
            .prop_map(|(n, s, f, p)| Step::Unsubscribe(n, s, f, p)),
        2 => (n.clone(), s.clone(), f.clone(), 0..20_u64)
            .prop_map(|(n, s, f, c)| Step::Release(n, s, f, c)),
        1 => (n.clone(), s.clone(), f).prop_map(|(n, s, f)| Step::End(n, s, f)),
        3 => (n.clone(), s.clone()).prop_map(|(n, s)| Step::Forward(n, s)),
        3 => (n.clone(), 0..4_usize).prop_map(|(n, k)| Step::Answer(n, k)),
        3 => (n, s, subscriptions, 0..20_u64, 0..25_u64)
            .prop_map(|(n, s, list, after, until)| Step::Read(n, s, list, after, until)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(steps in prop::collection::vec(step(), 1..120)) {
        let mut run = Run::new();
        for step in steps {
            run.step(&step);
        }
    }
}

/// The store, the model, and which nodes are awake.
struct Run {
    store: MemoryStore,
    model: Model,
    now: Instant,
    nodes: Vec<NodeId>,
    awake: Vec<bool>,
    /// The forwards that were handed to somebody: the store's name and the model's.
    handed: Vec<(ForwardTicket, usize)>,
    tickets: u64,
}

impl Run {
    fn new() -> Self {
        let options = MemoryOptions {
            retention: RETENTION,
            max_entries: MAX_ENTRIES,
            session_ttl: TTL,
            max_sessions: MAX_SESSIONS,
            max_inbox: MAX_INBOX,
            max_batch: MAX_BATCH,
            forward_timeout: Duration::from_secs(1_000_000),
            ..MemoryOptions::default()
        };
        let mut run = Self {
            store: MemoryStore::new(options),
            model: Model::default(),
            now: Instant::EPOCH,
            nodes: Vec::new(),
            awake: Vec::new(),
            handed: Vec::new(),
            tickets: 0,
        };
        run.attach();
        run.attach();
        run
    }

    fn attach(&mut self) {
        self.nodes.push(self.store.attach());
        self.awake.push(true);
        self.model.attach();
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Attach => self.attach(),
            Step::Detach(node) => {
                if let Some(id) = self.nodes.get(*node) {
                    self.store.detach(*id, self.now);
                    self.model.pass(self.now);
                    self.model.detach(*node);
                }
            }
            Step::Poll(node) => {
                self.poll(*node);
            }
            Step::Drain(node) => while self.poll(*node) {},
            Step::Pass(seconds) => self.now = self.now + Duration::from_secs(*seconds),
            other => self.submit(other),
        }
        self.check_wakes();
        assert_eq!(self.store.end().number(), self.model.log.len() as u64);
    }

    /// Whether there was something.
    fn poll(&mut self, node: usize) -> bool {
        let Some(id) = self.nodes.get(node) else {
            return false;
        };
        let input = self.store.poll(*id, self.now);
        self.model.pass(self.now);
        let expected = self.model.poll(node);
        if let Some(Input::Notified {
            notice: Notice::Forwarded { forward, .. },
        }) = &input
            && let Some(Told::Forwarded(number, _)) = &expected
        {
            self.handed.push((*forward, *number));
        }
        let number = |ticket| {
            self.handed
                .iter()
                .find(|known| known.0 == ticket)
                .unwrap()
                .1
        };
        assert_eq!(input.as_ref().map(|input| told(input, number)), expected);
        self.awake[node] = input.is_some();
        input.is_some()
    }

    fn submit(&mut self, step: &Step) {
        let (node, request) = self.request(step);
        let Some(id) = self.nodes.get(node) else {
            return;
        };
        self.tickets += 1;
        if self.model.nodes[node].is_some() {
            self.awake[node] = true;
        }
        self.model.pass(self.now);
        self.model
            .submit(node, self.tickets, request.clone(), &self.handed);
        self.store
            .submit(*id, self.now, StoreTicket::new(self.tickets), request);
    }

    fn request(&self, step: &Step) -> (usize, StoreRequest) {
        match step.clone() {
            Step::Publish(node, channel, origin) => {
                let mut new = entry(Destination::Channel(CHANNELS[channel].parse().unwrap()));
                new.origin = origin.map(|(session, _)| id(session));
                new.fence = origin.map(|(_, fence)| Fence(fence));
                (node, StoreRequest::Append(Box::new(new)))
            }
            Step::Deliver(node, session) => {
                let new = entry(Destination::Session(id(session)));
                (node, StoreRequest::Append(Box::new(new)))
            }
            Step::Open(node, session) => (node, StoreRequest::Open(Box::new(record(session)))),
            Step::Claim(node, session) => (node, StoreRequest::Claim(id(session))),
            Step::Subscribe(node, session, fence, list, since) => {
                let request = StoreRequest::Subscribe {
                    session: id(session),
                    fence: Fence(fence),
                    patterns: patterns(&list),
                    since: Position::new(since),
                };
                (node, request)
            }
            Step::Unsubscribe(node, session, fence, list) => {
                let (session, fence) = (id(session), Fence(fence));
                (
                    node,
                    StoreRequest::Unsubscribe {
                        session,
                        fence,
                        patterns: patterns(&list),
                    },
                )
            }
            Step::Release(node, session, fence, cursor) => {
                let (session, fence, cursor) = (id(session), Fence(fence), Position::new(cursor));
                (
                    node,
                    StoreRequest::Release {
                        session,
                        fence,
                        cursor,
                    },
                )
            }
            Step::End(node, session, fence) => (
                node,
                StoreRequest::End {
                    session: id(session),
                    fence: Fence(fence),
                },
            ),
            Step::Forward(node, session) => {
                let (messages, peer) = (Messages::default(), Peer::default());
                (
                    node,
                    StoreRequest::Forward {
                        session: id(session),
                        messages,
                        peer,
                    },
                )
            }
            Step::Answer(node, at) => {
                let of_nobody = ForwardTicket::new(u64::MAX);
                let forward = self
                    .handed
                    .iter()
                    .rev()
                    .nth(at)
                    .map_or(of_nobody, |known| known.0);
                (
                    node,
                    StoreRequest::Answer {
                        forward,
                        replies: Vec::new(),
                    },
                )
            }
            Step::Read(node, session, list, after, until) => {
                let stored = |(at, since): &(usize, u64)| StoredSubscription {
                    pattern: PATTERNS[*at].parse().unwrap(),
                    since: Position::new(*since),
                };
                let request = StoreRequest::Read {
                    session: id(session),
                    subscriptions: list.iter().map(stored).collect(),
                    after: Position::new(after),
                    until: Position::new(until),
                    limit: usize::MAX,
                };
                (node, request)
            }
            Step::Attach | Step::Detach(_) | Step::Poll(_) | Step::Drain(_) | Step::Pass(_) => {
                unreachable!("no request")
            }
        }
    }

    /// Whoever has news is awake; nobody is woken who is.
    fn check_wakes(&mut self) {
        while let Some(woken) = self.store.poll_wake() {
            let node = self.nodes.iter().position(|id| *id == woken).unwrap();
            assert!(!self.awake[node], "{woken:?} was woken twice");
            assert!(
                self.store.has_news(woken),
                "{woken:?} was woken for nothing"
            );
            self.awake[node] = true;
        }
        for (node, id) in self.nodes.iter().enumerate() {
            assert!(
                self.awake[node] || !self.store.has_news(*id),
                "{id:?} sleeps"
            );
        }
    }
}

fn id(session: u8) -> SessionId {
    SessionId::parse(&format!("{session:025}")).unwrap()
}

fn patterns(list: &[usize]) -> Vec<ChannelPattern> {
    list.iter()
        .map(|at| PATTERNS[*at].parse().unwrap())
        .collect()
}

fn entry(to: Destination) -> NewEntry {
    NewEntry {
        origin: None,
        fence: None,
        to,
        event: Event::from_object("{}"),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    }
}

fn record(session: u8) -> SessionRecord {
    SessionRecord {
        session: id(session),
        fence: Fence(1),
        browser: None,
        bound: false,
        settings: SessionSettings::default(),
        start: Position::ZERO,
        released: None,
        end: Position::ZERO,
        subscriptions: Vec::new(),
    }
}

/// What a node is told, in words that the store and the model have in common.
#[derive(Clone, PartialEq, Debug)]
enum Told {
    Up(u64),
    Reply(u64, Reply),
    Taken(SessionId, u64),
    /// The model's number of the forward.
    Forwarded(usize, SessionId),
    Entries(Vec<Seen>),
    Reset(u64),
}

#[derive(Clone, PartialEq, Debug)]
enum Reply {
    Done,
    Appended(u64),
    Claimed(u64, Option<u64>, Vec<(String, u64)>),
    Unknown,
    Unowned,
    Fenced,
    Entries(Vec<Seen>),
    Gap,
    Answered,
    Failed,
}

/// An entry: its position, where to, by whom.
type Seen = (u64, String, Option<SessionId>);

/// What the store said; forwards are numbered by `number`.
fn told(input: &Input, number: impl Fn(ForwardTicket) -> usize) -> Told {
    match input {
        Input::Stored { ticket, reply } => Told::Reply(ticket.number(), replied(reply)),
        Input::Notified { notice } => match notice {
            Notice::Entries(entries) => Told::Entries(seen(entries)),
            Notice::Taken { session, fence } => Told::Taken(*session, fence.0),
            Notice::Forwarded {
                forward, session, ..
            } => Told::Forwarded(number(*forward), *session),
            Notice::Up { position } => Told::Up(position.number()),
            Notice::Reset { position } => Told::Reset(position.number()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn replied(reply: &StoreReply) -> Reply {
    match reply {
        StoreReply::Done => Reply::Done,
        StoreReply::Appended(position) => Reply::Appended(position.number()),
        StoreReply::Claimed(record) => {
            let released = record.released.map(Position::number);
            Reply::Claimed(record.fence.0, released, subscribed(&record.subscriptions))
        }
        StoreReply::Unknown => Reply::Unknown,
        StoreReply::Unowned => Reply::Unowned,
        StoreReply::Fenced => Reply::Fenced,
        StoreReply::Entries(entries) => Reply::Entries(seen(entries)),
        StoreReply::Gap => Reply::Gap,
        StoreReply::Answered(_) => Reply::Answered,
        StoreReply::Failed => Reply::Failed,
        other => panic!("{other:?}"),
    }
}

fn subscribed(subscriptions: &[StoredSubscription]) -> Vec<(String, u64)> {
    let pair = |kept: &StoredSubscription| (kept.pattern.to_string(), kept.since.number());
    let mut all: Vec<_> = subscriptions.iter().map(pair).collect();
    all.sort();
    all
}

fn seen(entries: &[Entry]) -> Vec<Seen> {
    let seen = |entry: &Entry| {
        (
            entry.position.number(),
            format!("{:?}", entry.to),
            entry.origin,
        )
    };
    entries.iter().map(seen).collect()
}

/// The contract, naively: nothing is ever thrown away, and everything is searched for.
#[derive(Default)]
struct Model {
    now: Instant,
    /// Every entry there ever was, and when it came.
    log: Vec<(Instant, NewEntry)>,
    /// How many of them are no longer kept.
    trimmed: usize,
    nodes: Vec<Option<ModelNode>>,
    sessions: Vec<ModelSession>,
    forwards: Vec<ModelForward>,
}

struct ModelNode {
    cursor: usize,
    mail: Vec<Told>,
    inbox: Vec<usize>,
}

struct ModelSession {
    record: SessionRecord,
    owner: Option<usize>,
    /// Since when there is no owner.
    alone: Instant,
}

struct ModelForward {
    asker: usize,
    ticket: u64,
    owner: usize,
    session: SessionId,
    is_handed: bool,
    is_over: bool,
}

impl Model {
    fn attach(&mut self) {
        let up = Told::Up(self.log.len() as u64);
        self.nodes.push(Some(ModelNode {
            cursor: self.log.len(),
            mail: vec![up],
            inbox: Vec::new(),
        }));
    }

    fn detach(&mut self, node: usize) {
        if self.nodes[node].take().is_none() {
            return;
        }
        for session in self
            .sessions
            .iter_mut()
            .filter(|session| session.owner == Some(node))
        {
            session.owner = None;
            session.alone = self.now;
            session.record.released = None;
        }
        for at in 0..self.forwards.len() {
            let forward = &mut self.forwards[at];
            if !forward.is_over && (forward.owner == node || forward.asker == node) {
                forward.is_over = true;
                let (asker, ticket) = (forward.asker, forward.ticket);
                let reply = if forward.is_handed {
                    Reply::Failed
                } else {
                    Reply::Unowned
                };
                self.tell(asker, Told::Reply(ticket, reply));
            }
        }
    }

    fn pass(&mut self, now: Instant) {
        self.now = now;
        self.sessions
            .retain(|session| session.owner.is_some() || session.alone + TTL > now);
        let seen = self.nodes.iter().flatten().map(|node| node.cursor).min();
        let seen = seen.unwrap_or(self.log.len());
        while self.trimmed < seen && self.log[self.trimmed].0 + RETENTION <= now {
            self.trimmed += 1;
        }
    }

    fn tell(&mut self, node: usize, told: Told) {
        if let Some(node) = &mut self.nodes[node] {
            node.mail.push(told);
        }
    }

    fn find(&mut self, session: SessionId) -> Option<&mut ModelSession> {
        self.sessions
            .iter_mut()
            .find(|known| known.record.session == session)
    }

    fn under(&mut self, session: SessionId, fence: Fence) -> Option<&mut ModelSession> {
        self.find(session)
            .filter(|known| known.record.fence == fence)
    }

    fn poll(&mut self, at: usize) -> Option<Told> {
        loop {
            let node = self.nodes[at].as_mut()?;
            if !node.mail.is_empty() {
                return Some(node.mail.remove(0));
            }
            if node.inbox.is_empty() {
                break;
            }
            let number = node.inbox.remove(0);
            if self.forwards[number].is_over {
                continue;
            }
            let session = self.forwards[number].session;
            if self
                .find(session)
                .is_some_and(|known| known.owner == Some(at))
            {
                self.forwards[number].is_handed = true;
                return Some(Told::Forwarded(number, session));
            }
            self.forwards[number].is_over = true;
            let (asker, ticket) = (self.forwards[number].asker, self.forwards[number].ticket);
            if let Some(reply) = self.forward(asker, ticket, session) {
                self.tell(asker, Told::Reply(ticket, reply));
            }
        }
        let (end, trimmed) = (self.log.len(), self.trimmed);
        let node = self.nodes[at].as_mut()?;
        if node.cursor == end {
            return None;
        }
        if node.cursor < trimmed {
            node.cursor = end;
            return Some(Told::Reset(end as u64));
        }
        let from = node.cursor;
        node.cursor = end.min(from + MAX_BATCH);
        let to = node.cursor;
        Some(Told::Entries(
            (from..to).map(|index| self.seen(index)).collect(),
        ))
    }

    fn seen(&self, index: usize) -> Seen {
        let (_, entry) = &self.log[index];
        (index as u64 + 1, format!("{:?}", entry.to), entry.origin)
    }

    fn submit(
        &mut self,
        node: usize,
        ticket: u64,
        request: StoreRequest,
        handed: &[(ForwardTicket, usize)],
    ) {
        if self.nodes[node].is_none() {
            return;
        }
        let reply = match request {
            StoreRequest::Forward { session, .. } => self.forward(node, ticket, session),
            StoreRequest::Answer { forward, .. } => {
                let number = handed
                    .iter()
                    .find(|known| known.0 == forward)
                    .map(|known| known.1);
                Some(self.answer(node, number))
            }
            other => Some(self.change(node, other)),
        };
        if let Some(reply) = reply {
            self.tell(node, Told::Reply(ticket, reply));
        }
    }

    fn forward(&mut self, asker: usize, ticket: u64, session: SessionId) -> Option<Reply> {
        let Some(known) = self.find(session) else {
            return Some(Reply::Unknown);
        };
        let Some(owner) = known.owner else {
            return Some(Reply::Unowned);
        };
        let open = self
            .forwards
            .iter()
            .filter(|other| other.owner == owner && !other.is_over)
            .count();
        let inbox = self.nodes[owner]
            .as_ref()
            .map_or(0, |node| node.inbox.len());
        if open.max(inbox) >= MAX_INBOX {
            return Some(Reply::Failed);
        }
        let number = self.forwards.len();
        let (is_handed, is_over) = (false, false);
        self.forwards.push(ModelForward {
            asker,
            ticket,
            owner,
            session,
            is_handed,
            is_over,
        });
        self.nodes[owner].as_mut().unwrap().inbox.push(number);
        None
    }

    fn answer(&mut self, node: usize, number: Option<usize>) -> Reply {
        if let Some(number) = number {
            let forward = &mut self.forwards[number];
            if forward.owner == node && forward.is_handed && !forward.is_over {
                forward.is_over = true;
                let (asker, ticket) = (forward.asker, forward.ticket);
                self.tell(asker, Told::Reply(ticket, Reply::Answered));
            }
        }
        Reply::Done
    }

    fn change(&mut self, node: usize, request: StoreRequest) -> Reply {
        let now = self.now;
        match request {
            StoreRequest::Append(entry) => self.append(*entry),
            StoreRequest::Read {
                session,
                subscriptions,
                after,
                until,
                limit: _,
            } => self.read(session, &subscriptions, after.number(), until.number()),
            StoreRequest::Open(record) => {
                if self.sessions.len() >= MAX_SESSIONS {
                    return Reply::Failed;
                }
                if self.find(record.session).is_some() {
                    return Reply::Fenced;
                }
                let owner = Some(node);
                self.sessions.push(ModelSession {
                    record: *record,
                    owner,
                    alone: now,
                });
                Reply::Done
            }
            StoreRequest::Claim(session) => self.claim(node, session),
            StoreRequest::Subscribe {
                session,
                fence,
                patterns,
                since,
            } => {
                let Some(known) = self.under(session, fence) else {
                    return Reply::Fenced;
                };
                let list = &mut known.record.subscriptions;
                for pattern in patterns {
                    match list.iter_mut().find(|kept| kept.pattern == pattern) {
                        Some(kept) => kept.since = kept.since.min(since),
                        None => list.push(StoredSubscription { pattern, since }),
                    }
                }
                Reply::Done
            }
            StoreRequest::Unsubscribe {
                session,
                fence,
                patterns,
            } => {
                let Some(known) = self.under(session, fence) else {
                    return Reply::Fenced;
                };
                known
                    .record
                    .subscriptions
                    .retain(|kept| !patterns.contains(&kept.pattern));
                Reply::Done
            }
            StoreRequest::Release {
                session,
                fence,
                cursor,
            } => {
                let Some(known) = self.under(session, fence) else {
                    return Reply::Fenced;
                };
                known.owner = None;
                known.alone = now;
                known.record.released = Some(cursor);
                Reply::Done
            }
            StoreRequest::End { session, fence } => {
                if self.find(session).is_none() {
                    return Reply::Done;
                }
                if self.under(session, fence).is_none() {
                    return Reply::Fenced;
                }
                self.sessions
                    .retain(|known| known.record.session != session);
                Reply::Done
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn append(&mut self, entry: NewEntry) -> Reply {
        if let (Some(origin), Some(fence)) = (entry.origin, entry.fence)
            && self.under(origin, fence).is_none()
        {
            return Reply::Fenced;
        }
        self.log.push((self.now, entry));
        self.trimmed = self.trimmed.max(self.log.len().saturating_sub(MAX_ENTRIES));
        Reply::Appended(self.log.len() as u64)
    }

    fn claim(&mut self, node: usize, session: SessionId) -> Reply {
        let Some(known) = self.find(session) else {
            return Reply::Unknown;
        };
        let former = known.owner.replace(node);
        if former != Some(node) {
            known.record.fence.0 += 1;
        }
        if former.is_some_and(|former| former != node) {
            known.record.released = None;
        }
        let fence = known.record.fence.0;
        let released = known.record.released.map(Position::number);
        let reply = Reply::Claimed(fence, released, subscribed(&known.record.subscriptions));
        if let Some(former) = former.filter(|former| *former != node) {
            self.tell(former, Told::Taken(session, fence));
        }
        reply
    }

    fn read(
        &self,
        session: SessionId,
        subscriptions: &[StoredSubscription],
        after: u64,
        until: u64,
    ) -> Reply {
        let covers = |channel: &ChannelName, position: u64| {
            let covers = |kept: &StoredSubscription| {
                kept.since.number() < position && kept.pattern.matches(channel)
            };
            subscriptions.iter().any(covers)
        };
        let mut found = Vec::new();
        for (index, (_, entry)) in self.log.iter().enumerate() {
            let position = index as u64 + 1;
            if position <= after || position > until {
                continue;
            }
            if index < self.trimmed {
                return Reply::Gap;
            }
            let is_for_it = match &entry.to {
                Destination::Session(to) => *to == session,
                Destination::Channel(channel) => covers(channel, position),
            };
            if is_for_it {
                found.push(self.seen(index));
            }
        }
        Reply::Entries(found)
    }
}
