//! The memory store keeps the contract, and does what it says beyond it.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that fails panics"
)]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use bayeux_core::{
    Access, Config, Destination, Echo, Event, Fence, Input, Instant, Laziness, Limits,
    MemoryOptions, MemoryStore, Messages, NewEntry, NodeId, Notice, Peer, Position, SessionId,
    SessionRecord, Shard, StoreReply, StoreRequest, StoreTicket, Transport,
};

use rig::memory_store;

bayeux_tests::store_contract!(memory_store);

const NOW: Instant = Instant::EPOCH;
const TICKET: StoreTicket = StoreTicket::new(7);

fn entry(text: &str) -> StoreRequest {
    StoreRequest::Append(Box::new(NewEntry {
        origin: None,
        fence: None,
        to: Destination::Channel("/a".parse().unwrap()),
        event: Event::from_object(text),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    }))
}

fn session(number: u8) -> SessionId {
    SessionId::parse(&format!("{number:025}")).unwrap()
}

fn open(number: u8) -> StoreRequest {
    StoreRequest::Open(Box::new(SessionRecord::new(session(number))))
}

fn release(number: u8) -> StoreRequest {
    StoreRequest::Release {
        session: session(number),
        fence: Fence(1),
        cursor: Position::ZERO,
    }
}

fn claim(session: SessionId) -> StoreRequest {
    let access = Access::Any;
    StoreRequest::Claim { session, access }
}

fn forward(number: u8) -> StoreRequest {
    StoreRequest::Forward {
        session: session(number),
        messages: Messages::default(),
        peer: Peer::default(),
        transport: Transport::LongPolling,
    }
}

fn store(options: MemoryOptions) -> (MemoryStore, NodeId, NodeId) {
    let mut store = MemoryStore::new(options);
    let nodes = [store.attach(), store.attach()];
    for node in nodes {
        assert_eq!(drain(&mut store, node).len(), 1);
    }
    (store, nodes[0], nodes[1])
}

/// All that `node` is told until there is nothing more.
fn drain(store: &mut MemoryStore, node: NodeId) -> Vec<Input> {
    std::iter::from_fn(|| store.poll(node, NOW)).collect()
}

fn woken(store: &mut MemoryStore) -> Vec<NodeId> {
    std::iter::from_fn(|| store.poll_wake()).collect()
}

/// The reply to the one request that `node` has made.
fn reply(store: &mut MemoryStore, node: NodeId) -> StoreReply {
    let mut told = drain(store, node);
    match told.pop() {
        Some(Input::Stored { reply, .. }) if told.is_empty() => reply,
        other => panic!("{told:?}, {other:?}"),
    }
}

#[test]
fn the_bounds_on_entries_are_exact() {
    let bounds = MemoryOptions {
        max_entries: 3,
        ..MemoryOptions::default()
    };
    let (mut store, one, _) = store(bounds);

    for _ in 0..10 {
        store.submit(one, NOW, TICKET, entry("{}"));
    }
    let of_three = store.bytes();
    store.submit(one, NOW, TICKET, entry("{}"));

    assert_eq!(
        (store.len(), store.end(), store.bytes()),
        (3, Position::new(11), of_three)
    );
}

#[test]
fn the_bound_on_bytes_holds_for_entries_of_any_size() {
    let bounds = MemoryOptions {
        max_bytes: 4_000,
        ..MemoryOptions::default()
    };
    let (mut store, one, _) = store(bounds);

    for size in (0..3_000).step_by(37) {
        let text = format!(r#"{{"data":"{}"}}"#, "x".repeat(size));
        store.submit(one, NOW, TICKET, entry(&text));
        assert!((size..=4_000).contains(&store.bytes()), "{size}");
    }
}

#[test]
fn a_node_that_lost_entries_goes_on_behind_the_newest() {
    let bounds = MemoryOptions {
        max_entries: 3,
        ..MemoryOptions::default()
    };
    let (mut store, one, two) = store(bounds);
    for _ in 0..10 {
        store.submit(one, NOW, TICKET, entry("{}"));
    }

    let told = drain(&mut store, two);
    store.submit(one, NOW, TICKET, entry("{}"));
    let then = drain(&mut store, two);

    let [
        Input::Notified {
            notice: Notice::Reset { position },
        },
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!(*position, Position::new(10));
    let [
        Input::Notified {
            notice: Notice::Entries(entries),
        },
    ] = &then[..]
    else {
        panic!("{then:?}")
    };
    assert_eq!(entries[0].position, Position::new(11));
}

#[test]
fn a_node_that_has_what_is_kept_is_not_reset() {
    let bounds = MemoryOptions {
        max_entries: 3,
        ..MemoryOptions::default()
    };
    let (mut store, one, two) = store(bounds);

    for _ in 0..3 {
        store.submit(one, NOW, TICKET, entry("{}"));
    }

    let told = drain(&mut store, two);
    assert!(
        matches!(&told[..], [Input::Notified { notice: Notice::Entries(three) }] if three.len() == 3)
    );
}

#[test]
fn age_takes_nothing_that_a_node_has_yet_to_see() {
    let (mut store, one, two) = store(MemoryOptions::default());
    let later = NOW + Duration::from_secs(1_000);
    store.submit(one, NOW, TICKET, entry("{}"));
    store.submit(one, NOW, TICKET, entry("{}"));
    drain(&mut store, one);

    store.poll(one, later);
    assert_eq!(store.len(), 2, "for the other node");
    let told = store.poll(two, later);
    store.poll(two, later);

    assert!(
        matches!(told, Some(Input::Notified { notice: Notice::Entries(both) }) if both.len() == 2)
    );
    assert_eq!((store.len(), store.bytes()), (0, 0));
}

#[test]
fn a_dead_node_keeps_nothing_alive() {
    let (mut store, one, two) = store(MemoryOptions::default());
    let later = NOW + Duration::from_secs(1_000);
    store.submit(one, NOW, TICKET, entry("{}"));
    drain(&mut store, one);

    store.detach(two, NOW);
    store.poll(one, later);

    assert!(store.is_empty());
}

#[test]
fn entries_are_told_in_batches() {
    let (mut store, one, two) = store(MemoryOptions {
        max_batch: 4,
        ..MemoryOptions::default()
    });
    for _ in 0..10 {
        store.submit(one, NOW, TICKET, entry("{}"));
    }

    let told = drain(&mut store, two);

    let size = |input: &Input| match input {
        Input::Notified {
            notice: Notice::Entries(entries),
        } => entries.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told.iter().map(size).collect::<Vec<_>>(), [4, 4, 2]);
}

#[test]
fn a_sleeping_node_is_woken_once() {
    let (mut store, one, two) = store(MemoryOptions::default());

    store.submit(one, NOW, TICKET, entry("{}"));
    store.submit(one, NOW, TICKET, entry("{}"));
    assert_eq!(
        woken(&mut store),
        [two],
        "not the one that submits: it is awake"
    );
    store.submit(one, NOW, TICKET, entry("{}"));
    assert_eq!(woken(&mut store), [], "it is on its way");

    assert!(store.has_news(two));
    drain(&mut store, two);
    assert!(!store.has_news(two));
    store.submit(one, NOW, TICKET, entry("{}"));
    assert_eq!(woken(&mut store), [two]);
}

#[test]
fn a_node_that_stopped_half_way_is_awake() {
    let (mut store, one, two) = store(MemoryOptions {
        max_batch: 1,
        ..MemoryOptions::default()
    });
    store.submit(one, NOW, TICKET, entry("{}"));
    store.submit(one, NOW, TICKET, entry("{}"));
    woken(&mut store);

    assert!(store.poll(two, NOW).is_some());
    store.submit(one, NOW, TICKET, entry("{}"));

    assert_eq!(woken(&mut store), []);
    assert!(store.has_news(two));
}

#[test]
fn a_claim_and_a_forward_wake_the_owner() {
    let (mut store, one, two) = store(MemoryOptions::default());
    store.submit(one, NOW, TICKET, open(1));
    store.submit(one, NOW, TICKET, open(2));
    drain(&mut store, one);

    store.submit(two, NOW, TICKET, forward(1));
    assert_eq!(woken(&mut store), [one]);
    drain(&mut store, one);
    store.submit(two, NOW, TICKET, claim(session(2)));
    assert_eq!(woken(&mut store), [one]);
}

#[test]
fn a_dead_node_is_neither_woken_nor_heard() {
    let (mut store, one, two) = store(MemoryOptions::default());
    store.submit(one, NOW, TICKET, entry("{}"));

    store.detach(two, NOW);
    store.detach(two, NOW);
    store.submit(two, NOW, TICKET, entry("{}"));

    assert_eq!(woken(&mut store), []);
    assert!(!store.has_news(two));
    assert!(store.poll(two, NOW).is_none());
    assert_eq!((store.end(), store.nodes()), (Position::new(1), 1));
}

#[test]
fn names_of_nodes_are_not_used_again() {
    let (mut store, one, two) = store(MemoryOptions::default());

    store.detach(two, NOW);
    let three = store.attach();

    assert_eq!([one, two, three].map(NodeId::number), [0, 1, 2]);
    assert_eq!(store.nodes(), 2);
}

#[test]
fn a_forward_that_nobody_has_seen_follows_its_session() {
    let (mut store, one, two) = store(MemoryOptions::default());
    let three = store.attach();
    drain(&mut store, three);
    store.submit(one, NOW, TICKET, open(1));
    drain(&mut store, one);

    store.submit(two, NOW, TICKET, forward(1));
    store.submit(three, NOW, TICKET, claim(session(1)));
    drain(&mut store, three);
    woken(&mut store);
    let told = drain(&mut store, one);

    assert!(
        matches!(
            &told[..],
            [Input::Notified {
                notice: Notice::Taken { .. }
            }]
        ),
        "{told:?}"
    );
    assert_eq!(woken(&mut store), [three]);
    let told = drain(&mut store, three);
    assert!(
        matches!(
            &told[..],
            [Input::Notified {
                notice: Notice::Forwarded { .. }
            }]
        ),
        "{told:?}"
    );
}

#[test]
fn a_forward_that_follows_its_session_takes_up_no_room_where_it_was() {
    let options = MemoryOptions {
        max_inbox: 1,
        ..MemoryOptions::default()
    };
    let (mut store, one, two) = store(options);
    for number in [1, 2] {
        store.submit(one, NOW, TICKET, open(number));
    }
    drain(&mut store, one);
    store.submit(two, NOW, TICKET, forward(1));
    store.submit(two, NOW, TICKET, claim(session(1)));
    drain(&mut store, one);
    drain(&mut store, two);

    store.submit(two, NOW, TICKET, forward(2));

    assert_eq!(drain(&mut store, two).len(), 0);
    assert_eq!(drain(&mut store, one).len(), 1);
}

#[test]
fn a_forward_that_nobody_has_seen_is_answered_when_its_session_goes() {
    let (mut store, one, two) = store(MemoryOptions::default());
    for number in [1, 2] {
        store.submit(one, NOW, TICKET, open(number));
    }
    drain(&mut store, one);

    store.submit(two, NOW, TICKET, forward(1));
    store.submit(one, NOW, TICKET, release(1));
    drain(&mut store, one);
    assert!(matches!(reply(&mut store, two), StoreReply::Unowned));
    store.submit(two, NOW, TICKET, forward(2));
    store.submit(
        one,
        NOW,
        TICKET,
        StoreRequest::End {
            session: session(2),
            fence: Fence(1),
        },
    );
    drain(&mut store, one);
    assert!(matches!(reply(&mut store, two), StoreReply::Unknown));
}

#[test]
fn a_session_that_agreed_on_longer_times_is_kept_longer() {
    let (mut store, one, _) = store(MemoryOptions::default());
    let StoreRequest::Open(mut record) = open(1) else {
        panic!()
    };
    Arc::make_mut(&mut record.settings).timeout = Some(Duration::from_secs(300));
    store.submit(one, NOW, TICKET, StoreRequest::Open(record));
    store.submit(one, NOW, TICKET, open(2));
    store.submit(one, NOW, TICKET, release(1));
    store.submit(one, NOW, TICKET, release(2));

    let mut sessions = |seconds| {
        store.poll(one, NOW + Duration::from_secs(seconds));
        store.sessions()
    };

    assert_eq!([79, 80, 599, 600].map(&mut sessions), [2, 1, 1, 0]);
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let (mut store, one, two) = store(MemoryOptions::default());
    store.submit(one, NOW + Duration::from_secs(100), TICKET, open(1));
    store.submit(one, NOW, TICKET, release(1));

    let claim = claim(session(1));
    store.submit(two, NOW + Duration::from_secs(179), TICKET, claim);

    assert!(matches!(reply(&mut store, two), StoreReply::Claimed(_)));
}

#[test]
fn sessions_without_an_owner_are_cleared_away_by_whatever_is_called() {
    let (mut store, one, two) = store(MemoryOptions::default());
    for number in 0..200 {
        store.submit(one, NOW, TICKET, open(number));
    }
    store.detach(one, NOW);
    assert_eq!(store.sessions(), 200);
    let kept = store.record(session(199)).map(|record| record.session);
    assert_eq!(
        (kept, store.record(session(200))),
        (Some(session(199)), None)
    );

    for _ in 0..4 {
        store.poll(two, NOW + Duration::from_secs(80));
    }

    assert_eq!(store.sessions(), 0);
}

#[test]
fn the_options_follow_the_configuration() {
    let config = Config {
        timeout: Duration::from_secs(60),
        limits: Limits {
            max_sessions: 7,
            ..Limits::default()
        },
        shard: Shard { index: 1, count: 2 },
        ..Config::default()
    };

    let options = MemoryOptions::for_config(&config);

    assert_eq!(options.session_ttl, Duration::from_secs(140));
    assert_eq!(options.max_sessions, 14, "of both shards");
}

#[test]
fn a_session_whose_time_is_over_is_unknown_before_it_is_cleared_away() {
    let (mut store, one, two) = store(MemoryOptions::default());
    for number in 0..200 {
        store.submit(one, NOW, TICKET, open(number));
    }
    store.detach(one, NOW);
    let over = NOW + Duration::from_secs(80);

    store.submit(two, over, TICKET, claim(session(199)));
    assert!(store.sessions() > 100, "not cleared away yet");
    assert!(matches!(reply(&mut store, two), StoreReply::Unknown));
    store.submit(two, over, TICKET, open(198));

    assert!(matches!(reply(&mut store, two), StoreReply::Done));
}
