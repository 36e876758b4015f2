//! The memory store against the contract written naively: lists, searched from end to end.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a difference panics"
)]

mod model;
mod told;

use std::time::Duration;

use bayeux_core::{
    Access, BrowserId, ChannelName, ChannelPattern, Destination, Echo, Entry, Event, Fence,
    ForwardTicket, Input, Instant, Laziness, MemoryOptions, MemoryStore, Messages, NewEntry,
    NodeId, Notice, Peer, Position, SessionId, SessionRecord, StoreReply, StoreRequest,
    StoreTicket, StoredSubscription, Transport,
};
use proptest::prelude::*;

use model::Model;
use told::{Told, told};

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
    Claim(usize, u8, usize),
    Bind(usize, u8, u64, usize),
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
        3 => (n.clone(), s.clone(), 0..5_usize).prop_map(|(n, s, a)| Step::Claim(n, s, a)),
        1 => (n.clone(), s.clone(), f.clone(), 0..2_usize)
            .prop_map(|(n, s, f, b)| Step::Bind(n, s, f, b)),
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
            Step::Claim(node, session, access) => {
                let access = match access {
                    0 | 1 => Access::Browser(browser(access)),
                    2 => Access::Unbound,
                    3 => Access::Browserless,
                    _ => Access::Any,
                };
                let session = id(session);
                (node, StoreRequest::Claim { session, access })
            }
            Step::Bind(node, session, fence, of) => {
                let request = StoreRequest::Bind {
                    session: id(session),
                    fence: Fence(fence),
                    browser: browser(of),
                };
                (node, request)
            }
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
                        transport: Transport::LongPolling,
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

fn browser(which: usize) -> BrowserId {
    BrowserId::parse(&["a", "b"][which].repeat(24)).unwrap()
}

fn record(session: u8) -> SessionRecord {
    SessionRecord::new(id(session))
}
