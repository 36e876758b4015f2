//! What cannot be brought about with a real Redis at will: what is said at one moment and no other.

use redis::Value;

use super::*;

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
