//! What cannot be brought about with a real Redis at will: what is said at one moment and no other.

use bayeux_core::{Peer, StoreReply, Transport};
use redis::Value;

use super::*;
use crate::letter::Letter;

const START: Instant = Instant::EPOCH;

/// A store with one engine, and Redis that has just said where the log is.
fn store(options: Options) -> RedisStore {
    let mut store = RedisStore::new(options, [7; 16]);
    store.attach();
    join(&mut store);
    store
}

fn join(store: &mut RedisStore) {
    store.connected(START, Names::default());
    let meta = ["log", "1.a"].map(|text| Value::BulkString(text.into()));
    let joined = [Value::Int(1), Value::Int(0), Value::Array(meta.into())];
    answer(store, Value::Array(joined.into()));
}

/// Redis is given what there is, and says this to all of it.
fn answer(store: &mut RedisStore, reply: Value) {
    let count = store.next_commands().map_or(0, |commands| commands.len());
    assert!(count > 0, "nothing was asked");
    store.replied(START, vec![reply; count]).unwrap();
}

#[test]
fn a_node_that_has_left_does_not_come_back_with_a_beat() {
    let mut store = store(Options::default());

    store.leave();
    answer(&mut store, Value::Int(2));

    assert!(store.has_left());
    for seconds in 0..10 {
        store.elapsed(START + Duration::from_secs(seconds));
        assert!(!store.has_commands(), "after {seconds} s");
    }
    assert_eq!(store.poll_timeout(), None);
}

#[test]
fn a_node_that_leaves_does_not_come_back_for_what_is_gone() {
    let mut store = store(Options::default());
    store.elapsed(START);
    assert!(store.next_commands().is_some(), "a beat");

    store.leave();
    store.replied(START, vec![Value::Nil]).unwrap();

    let said: Vec<_> = store.out.iter().map(|command| &command.purpose).collect();
    assert!(matches!(said[..], [Purpose::Nothing]), "it leaves");
}

#[test]
fn a_claim_that_failed_is_not_undone_once_another_is_done() {
    let mut store = store(Options::default());
    let session = SessionId::parse(&"7".repeat(25)).unwrap();
    let refused = redis::parse_redis_value(b"-NOREPLICAS Not enough good replicas.\r\n").unwrap();
    store.submit(
        0,
        START,
        StoreTicket::new(1),
        StoreRequest::Claim {
            session,
            access: Access::Any,
        },
    );
    answer(&mut store, refused.clone());
    // Nor can it be undone.
    answer(&mut store, refused);
    assert!(!store.doubtful.is_empty());

    store.submit(
        0,
        START,
        StoreTicket::new(2),
        StoreRequest::Claim {
            session,
            access: Access::Any,
        },
    );
    let record = SessionRecord::new(session);
    let fields = [
        b"r".to_vec(),
        record::encode(&record),
        b"f".to_vec(),
        b"2".to_vec(),
        b"n".to_vec(),
        b"9000".to_vec(),
    ];
    let fields = fields.map(Value::BulkString);
    let claimed = [
        Value::BulkString(Vec::new()),
        Value::Int(0),
        Value::BulkString(b"1-0".to_vec()),
        Value::Array(fields.into()),
    ];
    answer(&mut store, Value::Array(claimed.into()));
    let is_claimed = |input| {
        matches!(
            input,
            Input::Stored {
                reply: StoreReply::Claimed(_),
                ..
            }
        )
    };
    assert!(std::iter::from_fn(|| store.poll(0, START)).any(is_claimed));
    store.lost(START);
    join(&mut store);

    let said: Vec<_> = store.out.iter().map(|command| &command.purpose).collect();
    assert!(
        matches!(said[..], [Purpose::Verify(_)]),
        "it is proved, and kept"
    );
}

#[test]
fn entries_are_kept_in_redis_for_as_long_as_was_asked_and_not_much_longer() {
    let retention = Duration::from_secs(24 * 3600);
    let lease = Duration::from_secs(100 * 3600);
    let mut store = store(Options {
        retention,
        lease,
        ..Options::default()
    });
    // As often as with a usual lease.
    let beat = Options::default().beat();

    let mut now = START;
    let mut kept_until = None;
    for position in 1.. {
        now = now + beat;
        store.now = now;
        store.log.tail = EntryId { epoch: 1, position };
        store.trim();
        assert!(store.samples.len() <= 4_097, "{}", store.samples.len());
        if !store.out.is_empty() {
            kept_until = Some(now);
            break;
        }
    }

    let kept = kept_until.map(|until| until.saturating_duration_since(START + beat));
    assert!(
        kept.is_some_and(|kept| kept >= retention && kept <= retention + beat),
        "{kept:?}"
    );
}

#[test]
fn a_message_for_a_session_on_its_way_here_waits_for_that() {
    let mut store = store(Options::default());
    while store.poll(0, START).is_some() {}
    let session = SessionId::parse(&"7".repeat(25)).unwrap();
    let claim = StoreRequest::Claim {
        session,
        access: Access::Any,
    };
    store.submit(0, START, StoreTicket::new(1), claim);
    let letter = Letter::Forward {
        asker: "other".into(),
        number: 1,
        session,
        messages: Vec::new().into(),
        peer: Peer::default(),
        transport: Transport::LongPolling,
    };
    let id = "1-0".into();
    let letters = &mut store.seats.get_mut(0).unwrap().letters;
    letters.push_back(Waiting { id, letter });
    let is_looked_at = |store: &mut RedisStore| {
        while store.poll(0, START).is_some() {}
        let mut commands = store.out.iter();
        commands.any(|command| matches!(command.purpose, Purpose::Accept(..)))
    };

    assert!(!is_looked_at(&mut store), "its engine would refuse it");
    answer(&mut store, Value::Nil);

    assert_eq!(store.poll_wake(), Some(0));
    assert!(is_looked_at(&mut store), "it waits no longer");
}
