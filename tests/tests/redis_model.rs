//! The scripts of the store in Redis, on a real Redis, against the store in memory, which has a model of its own.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a difference panics"
)]

mod redis_rig;

use std::collections::BTreeMap;

use bayeux_core::{
    Access, BrowserId, Destination, Echo, Event, Fence, Input, Instant, Laziness, MemoryOptions,
    MemoryStore, Messages, NewEntry, NodeId, Notice, Payload, Peer, Position, SessionId,
    SessionRecord, SessionSettings, StoreReply, StoreRequest, StoreTicket, StoredSubscription,
    Transport,
};
use bayeux_tests::store_contract::{Node, Setup, StoreUnderTest, Wait};
use proptest::prelude::*;

use redis_rig::Runtime;

const CHANNELS: &[&str] = &["/a", "/a/b", "/a/b/c"];
const PATTERNS: &[&str] = &["/a", "/a/b", "/a/*", "/a/**", "/**", "/*"];
const NODES: usize = 3;

/// What a node asks. Whatever makes no sense is asked all the same.
#[derive(Clone, Debug)]
enum Step {
    Open(u8, Vec<(usize, u64)>, Option<usize>, bool),
    Claim(u8, usize),
    Bind(u8, u64, usize),
    Subscribe(u8, u64, Vec<usize>, u64),
    Unsubscribe(u8, u64, Vec<usize>),
    Release(u8, u64, u64),
    End(u8, u64),
    Publish(usize, Option<(u8, u64)>),
    Deliver(u8),
    Read(u8, Vec<(usize, u64)>, u64, u64),
    Forward(u8, usize),
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let session = || 0..3_u8;
    let fence = || prop_oneof![4 => Just(1_u64), 3 => Just(2), 1 => Just(3)];
    let patterns = || prop::collection::vec(0..PATTERNS.len(), 1..3);
    let subscriptions = || prop::collection::vec((0..PATTERNS.len(), 0..20_u64), 0..4);
    let origin = prop::option::of((session(), fence()));
    let step = prop_oneof![
        3 => (session(), subscriptions(), prop::option::of(0..2_usize), any::<bool>())
            .prop_map(|(s, list, b, bound)| Step::Open(s, list, b, bound)),
        4 => (session(), 0..5_usize).prop_map(|(s, a)| Step::Claim(s, a)),
        2 => (session(), fence(), 0..2_usize).prop_map(|(s, f, b)| Step::Bind(s, f, b)),
        3 => (session(), fence(), patterns(), 0..20_u64)
            .prop_map(|(s, f, p, since)| Step::Subscribe(s, f, p, since)),
        2 => (session(), fence(), patterns()).prop_map(|(s, f, p)| Step::Unsubscribe(s, f, p)),
        2 => (session(), fence(), 0..20_u64).prop_map(|(s, f, c)| Step::Release(s, f, c)),
        1 => (session(), fence()).prop_map(|(s, f)| Step::End(s, f)),
        4 => (0..CHANNELS.len(), origin).prop_map(|(c, o)| Step::Publish(c, o)),
        1 => session().prop_map(Step::Deliver),
        2 => (session(), subscriptions(), 0..20_u64, 0..25_u64)
            .prop_map(|(s, list, after, until)| Step::Read(s, list, after, until)),
        2 => (session(), 0..Transport::ALL.len()).prop_map(|(s, t)| Step::Forward(s, t)),
    ];
    (0..NODES, step)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn redis_does_what_the_store_in_memory_does(
        on_smol in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = if on_smol { Runtime::Smol } else { Runtime::Tokio };
        let mut pair = Pair::new(runtime);
        for (node, step) in steps {
            pair.step(node, &step);
        }
        pair.hear_the_rest();
    }
}

/// Both stores, and what their nodes were told besides replies.
struct Pair {
    redis: Box<dyn StoreUnderTest>,
    memory: MemoryStore,
    nodes: Vec<NodeId>,
    tickets: u64,
    told: [Vec<Heard>; 2],
    /// Replies that came while something else was waited for.
    early: BTreeMap<StoreTicket, StoreReply>,
}

/// What a node was told unasked: entries, sessions that were taken.
#[derive(Clone, Debug, Default, PartialEq)]
struct Heard {
    entries: Vec<String>,
    taken: Vec<String>,
}

impl Pair {
    fn new(runtime: Runtime) -> Self {
        let mut redis = redis_rig::store(&Setup::default(), runtime).unwrap();
        let mut memory = MemoryStore::new(MemoryOptions::default());
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let node = redis.attach();
            let up = redis.next(node, Wait::Long).unwrap();
            nodes.push(memory.attach());
            let model = memory.poll(nodes[node.0], Instant::EPOCH).unwrap();
            assert_eq!(format!("{up:?}"), format!("{model:?}"));
        }
        Self {
            redis,
            memory,
            nodes,
            tickets: 0,
            told: [(); 2].map(|()| vec![Heard::default(); NODES]),
            early: BTreeMap::new(),
        }
    }

    fn step(&mut self, node: usize, step: &Step) {
        let request = request(step);
        let ticket = self.submit(node, &request);
        if let Step::Forward(session, transport) = step
            && let Some(owner) = self.owner_to_answer(id(*session))
        {
            self.answer(owner, Transport::ALL[*transport]);
        }
        let model = self.reply_of_memory(node, ticket);
        let redis = self.reply_of_redis(node, ticket);
        assert_eq!(replied(&redis), replied(&model), "{step:?} by {node}");
    }

    fn submit(&mut self, node: usize, request: &StoreRequest) -> StoreTicket {
        self.tickets += 1;
        let ticket = StoreTicket::new(self.tickets);
        self.redis.submit(Node(node), ticket, request.clone());
        let now = Instant::EPOCH;
        self.memory
            .submit(self.nodes[node], now, ticket, request.clone());
        ticket
    }

    /// The node that a forward waits at, by the word of the store in memory.
    fn owner_to_answer(&mut self, session: SessionId) -> Option<(usize, StoreRequest)> {
        for node in 0..NODES {
            while let Some(input) = self.memory.poll(self.nodes[node], Instant::EPOCH) {
                if let Input::Notified {
                    notice:
                        Notice::Forwarded {
                            forward,
                            session: of,
                            ..
                        },
                } = input
                {
                    assert_eq!(of, session);
                    let answer = StoreRequest::Answer {
                        forward,
                        replies: vec![Payload::parse("{}").unwrap()],
                    };
                    return Some((node, answer));
                }
                self.kept(0, node, input);
            }
        }
        None
    }

    fn answer(&mut self, (owner, answer): (usize, StoreRequest), came_by: Transport) {
        self.tickets += 1;
        let now = Instant::EPOCH;
        let ticket = StoreTicket::new(self.tickets);
        self.memory.submit(self.nodes[owner], now, ticket, answer);
        loop {
            let input = self.redis.next(Node(owner), Wait::Long).unwrap();
            if let Input::Notified {
                notice:
                    Notice::Forwarded {
                        forward, transport, ..
                    },
            } = input
            {
                assert_eq!(transport, came_by);
                let replies = vec![Payload::parse("{}").unwrap()];
                let answer = StoreRequest::Answer { forward, replies };
                self.redis.submit(Node(owner), ticket, answer);
                return;
            }
            self.kept(1, owner, input);
        }
    }

    fn reply_of_memory(&mut self, node: usize, wanted: StoreTicket) -> StoreReply {
        loop {
            match self.memory.poll(self.nodes[node], Instant::EPOCH) {
                Some(Input::Stored { ticket, reply }) if ticket == wanted => return reply,
                Some(input) => self.kept(0, node, input),
                // It came while the owner was looked for.
                None => return self.early.remove(&wanted).unwrap(),
            }
        }
    }

    fn reply_of_redis(&mut self, node: usize, wanted: StoreTicket) -> StoreReply {
        loop {
            match self.redis.next(Node(node), Wait::Long).unwrap() {
                Input::Stored { ticket, reply } if ticket == wanted => return reply,
                input => self.kept(1, node, input),
            }
        }
    }

    fn kept(&mut self, store: usize, node: usize, input: Input) {
        match input {
            Input::Notified {
                notice: Notice::Entries(entries),
            } => {
                let entries = entries.iter().map(|entry| format!("{entry:?}"));
                self.told[store][node].entries.extend(entries);
            }
            Input::Notified {
                notice: Notice::Taken { session, fence },
            } => {
                let taken = format!("{} {fence:?}", session.text());
                self.told[store][node].taken.push(taken);
            }
            Input::Stored { ticket, reply } if store == 0 => {
                self.early.insert(ticket, reply);
            }
            // An answer to an answer.
            Input::Stored { .. } => {}
            other => panic!("{node} was told {other:?}"),
        }
    }

    /// All nodes have been told the same by both.
    fn hear_the_rest(&mut self) {
        for node in 0..NODES {
            while let Some(input) = self.memory.poll(self.nodes[node], Instant::EPOCH) {
                self.kept(0, node, input);
            }
        }
        for node in 0..NODES {
            while self.told[1][node] != self.told[0][node] {
                match self.redis.next(Node(node), Wait::Long) {
                    Some(input) => self.kept(1, node, input),
                    None => assert_eq!(self.told[1][node], self.told[0][node], "{node}"),
                }
            }
        }
    }
}

/// A reply, with lists in order.
fn replied(reply: &StoreReply) -> String {
    let mut reply = reply.clone();
    if let StoreReply::Claimed(record) = &mut reply {
        record
            .subscriptions
            .sort_by(|one, two| one.pattern.cmp(&two.pattern));
    }
    format!("{reply:?}")
}

fn browser(which: usize) -> BrowserId {
    BrowserId::parse(&["a", "b"][which].repeat(24)).unwrap()
}

fn id(session: u8) -> SessionId {
    SessionId::parse(&format!("{session:025}")).unwrap()
}

fn stored(list: &[(usize, u64)]) -> Vec<StoredSubscription> {
    let stored = |(pattern, since): &(usize, u64)| StoredSubscription {
        pattern: PATTERNS[*pattern].parse().unwrap(),
        since: Position::new(*since),
    };
    list.iter().map(stored).collect()
}

fn entry(to: Destination, origin: Option<(u8, u64)>) -> StoreRequest {
    StoreRequest::Append(Box::new(NewEntry {
        origin: origin.map(|(session, _)| id(session)),
        fence: origin.map(|(_, fence)| Fence(fence)),
        to,
        event: Event::from_object("{}"),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    }))
}

fn request(step: &Step) -> StoreRequest {
    let patterns = |list: &[usize]| {
        list.iter()
            .map(|at| PATTERNS[*at].parse().unwrap())
            .collect()
    };
    match step {
        Step::Open(session, list, of, bound) => StoreRequest::Open(Box::new(SessionRecord {
            settings: SessionSettings {
                acknowledged: true,
                ..SessionSettings::default()
            }
            .into(),
            subscriptions: stored(list),
            browser: of.map(browser),
            bound: *bound && of.is_some(),
            ..SessionRecord::new(id(*session))
        })),
        Step::Claim(session, access) => StoreRequest::Claim {
            session: id(*session),
            access: match access {
                0 | 1 => Access::Browser(browser(*access)),
                2 => Access::Unbound,
                3 => Access::Browserless,
                _ => Access::Any,
            },
        },
        Step::Bind(session, fence, of) => StoreRequest::Bind {
            session: id(*session),
            fence: Fence(*fence),
            browser: browser(*of),
        },
        Step::Subscribe(session, fence, list, since) => StoreRequest::Subscribe {
            session: id(*session),
            fence: Fence(*fence),
            patterns: patterns(list),
            since: Position::new(*since),
        },
        Step::Unsubscribe(session, fence, list) => StoreRequest::Unsubscribe {
            session: id(*session),
            fence: Fence(*fence),
            patterns: patterns(list),
        },
        Step::Release(session, fence, cursor) => StoreRequest::Release {
            session: id(*session),
            fence: Fence(*fence),
            cursor: Position::new(*cursor),
        },
        Step::End(session, fence) => StoreRequest::End {
            session: id(*session),
            fence: Fence(*fence),
        },
        Step::Publish(channel, origin) => {
            let channel = CHANNELS[*channel].parse().unwrap();
            entry(Destination::Channel(channel), *origin)
        }
        Step::Deliver(session) => entry(Destination::Session(id(*session)), None),
        Step::Read(session, list, after, until) => StoreRequest::Read {
            session: id(*session),
            subscriptions: stored(list),
            after: Position::new(*after),
            until: Position::new(*until),
            limit: 1_000,
        },
        Step::Forward(session, transport) => StoreRequest::Forward {
            session: id(*session),
            messages: Messages::decode(
                r#"{"channel":"/x"}"#,
                &bayeux_core::DecodeLimits::default(),
            )
            .unwrap(),
            peer: Peer::default(),
            transport: Transport::ALL[*transport],
        },
    }
}
