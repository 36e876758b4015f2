//! What cannot be brought about with a real Redis at will: what is said at one moment and no other.

use bayeux_core::{Destination, Echo, Event, Laziness, Notice, Peer, StoreReply, Transport};
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

fn session() -> SessionId {
    SessionId::parse(&"7".repeat(25)).unwrap()
}

/// The only engine claims the session.
fn claim(store: &mut RedisStore, ticket: u64) {
    let claim = StoreRequest::Claim {
        session: session(),
        access: Access::Any,
    };
    store.submit(0, START, StoreTicket::new(ticket), claim);
}

/// What Redis says to a claim that it has done.
fn claimed(former: &str, lives: bool, fence: u64) -> Value {
    let text = |text: &str| Value::BulkString(text.into());
    let fields = [
        text("r"),
        Value::BulkString(record::encode(&SessionRecord::new(session()))),
        text("f"),
        text(&fence.to_string()),
        text("n"),
        text("9000"),
    ];
    let reply = [
        text(former),
        Value::Int(lives.into()),
        text("1-0"),
        Value::Array(fields.into()),
    ];
    Value::Array(reply.into())
}

fn refused() -> Value {
    redis::parse_redis_value(b"-NOREPLICAS Not enough good replicas.\r\n").unwrap()
}

/// Redis is given what there is, and says these to it, in order.
fn answer_each<const COUNT: usize>(store: &mut RedisStore, replies: [Value; COUNT]) {
    let count = store.next_commands().map_or(0, |commands| commands.len());
    assert_eq!(count, COUNT, "commands");
    store.replied(START, replies.into()).unwrap();
}

/// A letter comes: the session was claimed by another node.
fn hears_that_it_was_taken(store: &mut RedisStore, fence: u64) {
    let letter = letter_that_it_was_taken(store, fence);
    store.tailed(START, Value::Array([letter].into())).unwrap();
}

fn letter_that_it_was_taken(store: &RedisStore, fence: u64) -> Value {
    let letter = format!("T{} {fence} another", session().text());
    let fields = ["s", "0", "l", &letter].map(|text| text.as_bytes().to_vec());
    stream(&store.keys.inbox(&store.node), [("1-1".into(), fields)])
}

/// What comes of one stream.
fn stream<const COUNT: usize>(
    name: &str,
    entries: impl IntoIterator<Item = (String, [Vec<u8>; COUNT])>,
) -> Value {
    let bytes = |bytes: Vec<u8>| Value::BulkString(bytes);
    let entry = |(id, fields): (String, [Vec<u8>; COUNT])| {
        Value::Array(vec![
            bytes(id.into()),
            Value::Array(fields.map(bytes).into()),
        ])
    };
    let entries = entries.into_iter().map(entry).collect();
    Value::Array(vec![bytes(name.into()), Value::Array(entries)])
}

/// The next `count` entries of the log, which somebody else has appended.
fn entries(store: &RedisStore, count: u64) -> Value {
    let entry = NewEntry {
        origin: None,
        fence: None,
        to: Destination::Channel("/a".parse().unwrap()),
        event: Event::from_object("{}"),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    };
    let entry = entry::encode(&[9; 8], 1, &entry);
    let first = store.log.tail.position + 1;
    let named = (first..first + count)
        .map(|position| (format!("1-{position}"), [b"e".to_vec(), entry.clone()]));
    stream(&store.keys.log, named)
}

/// What the engine is told of claims, and that sessions are taken: in words.
fn told(store: &mut RedisStore) -> Vec<String> {
    let word = |input| {
        if let Input::Stored { ticket, reply } = input {
            let reply = if let StoreReply::Claimed(record) = reply {
                format!("claimed {:?}", record.fence)
            } else {
                format!("{reply:?}")
            };
            return Some(format!("{ticket:?} {reply}"));
        }
        let Input::Notified { notice } = input else {
            return None;
        };
        let Notice::Taken { fence, .. } = notice else {
            return None;
        };
        Some(format!("taken {fence:?}"))
    };
    std::iter::from_fn(|| store.poll(0, START))
        .filter_map(word)
        .collect()
}

/// What Redis is yet to be asked, but for the beats of this node.
fn is_to_disown(store: &RedisStore) -> bool {
    let mut out = store.out.iter();
    out.any(|command| matches!(command.purpose, Purpose::Disown(_)))
}

#[test]
fn claims_of_a_session_whose_former_owner_is_silent_are_all_answered() {
    let mut store = store(Options::default());
    claim(&mut store, 1);
    answer_each(&mut store, [claimed("another/0", true, 2)]);
    claim(&mut store, 2);
    let own = store.owner(0);
    answer_each(&mut store, [claimed(&own, false, 2)]);
    assert_eq!(told(&mut store), [""; 0], "the former owner may speak yet");

    store.elapsed(START + Duration::from_secs(1));

    let expected = [1, 2].map(|ticket| {
        let (ticket, fence) = (StoreTicket::new(ticket), Fence(2));
        format!("{ticket:?} claimed {fence:?}")
    });
    assert_eq!(told(&mut store), expected);
    assert!(store.coming.is_empty());
}

#[test]
fn a_claim_outlives_that_its_session_was_taken_before_it() {
    let mut store = store(Options::default());
    claim(&mut store, 1);
    answer_each(&mut store, [claimed("another/0", true, 2)]);
    // It has gone, and come back.
    claim(&mut store, 2);
    answer_each(&mut store, [claimed("another/0", true, 4)]);

    hears_that_it_was_taken(&mut store, 3);

    assert_eq!(told(&mut store), [""; 0], "the former owner may speak yet");
    store.heard_parting(session(), Fence(4), Position::new(0));
    let told = told(&mut store);
    assert_eq!(told.len(), 2, "{told:?}");
    let fence = format!("claimed {:?}", Fence(4));
    assert!(told.iter().all(|told| told.ends_with(&fence)), "{told:?}");
    assert!(store.coming.is_empty());
}

#[test]
fn a_claim_that_is_refused_does_not_hide_that_the_session_was_taken() {
    for reply in [Value::Nil, refused()] {
        let mut store = store(Options::default());
        claim(&mut store, 1);
        claim(&mut store, 2);
        let count = store.next_commands().map(|commands| commands.len());
        assert_eq!(count, Some(2));

        // It is heard of on another connection, and so may come first.
        hears_that_it_was_taken(&mut store, 3);
        store
            .replied(START, vec![reply, claimed("", false, 2)])
            .unwrap();

        let last = format!("taken {:?}", Fence(3));
        assert_eq!(told(&mut store).last(), Some(&last));
        assert_eq!(store.owned.len(), 0);
        assert!(store.coming.is_empty());
    }
}

#[test]
fn a_claim_that_failed_takes_nothing_from_another() {
    let (done, failed) = (claimed("", false, 2), refused());
    for replies in [[done.clone(), failed.clone()], [failed.clone(), done]] {
        let mut store = store(Options::default());
        claim(&mut store, 1);
        claim(&mut store, 2);

        answer_each(&mut store, replies);

        assert!(!is_to_disown(&store), "it is the engine's");
        assert!(store.coming.is_empty());
    }
    // What was refused for its cookie says nothing of another.
    for replies in [[Value::Nil, failed.clone()], [failed, Value::Nil]] {
        let mut store = store(Options::default());
        claim(&mut store, 1);
        claim(&mut store, 2);

        answer_each(&mut store, replies);

        assert!(is_to_disown(&store), "it may have been done");
        assert!(store.coming.is_empty());
    }
}

#[test]
fn a_claim_that_failed_is_not_undone_once_another_is_done() {
    let mut store = store(Options::default());
    claim(&mut store, 1);
    answer(&mut store, refused());
    // Nor can it be undone.
    answer(&mut store, refused());
    assert!(!store.doubtful.is_empty());

    claim(&mut store, 2);
    answer(&mut store, claimed("", false, 2));
    let is_claimed = |told: &String| told.contains("claimed");
    assert!(told(&mut store).iter().any(is_claimed));
    store.lost(START);
    join(&mut store);

    let said: Vec<_> = store.out.iter().map(|command| &command.purpose).collect();
    assert!(
        matches!(said[..], [Purpose::Verify(_)]),
        "it is proved, and kept"
    );
}

#[test]
fn the_log_is_read_at_a_pace_under_load_and_at_once_after_a_silence() {
    let pace = Duration::from_millis(2);
    let mut store = store(Options::default());
    let mut now = START;
    // Each of these is one of a burst, and the next one has to wait.
    for _ in 0..2 {
        for read in 0..10 {
            let came = Value::Array(vec![entries(&store, 1)]);
            assert_eq!(store.tailed(now, came).unwrap(), Duration::ZERO, "{read}");
        }
        for read in 0..10 {
            let came = Value::Array(vec![entries(&store, 3)]);
            assert_eq!(store.tailed(now, came).unwrap(), pace, "{read}");
            now = now + pace;
        }
        // A silence.
        now = now + pace * 10;
    }
    assert_eq!(store.load().end.number(), 2 * (10 + 30));
}

#[test]
fn letters_and_what_does_not_come_at_once_are_not_waited_for() {
    let mut store = store(Options::default());
    for _ in 0..20 {
        let came = Value::Array(vec![entries(&store, 1)]);
        store.tailed(START, came).unwrap();
    }
    let letter = letter_that_it_was_taken(&store, 3);
    let unpaced = [
        vec![letter.clone(), entries(&store, 1)],
        vec![letter],
        Vec::new(),
    ];
    for came in unpaced {
        let pause = store.tailed(START, Value::Array(came)).unwrap();
        assert_eq!(pause, Duration::ZERO);
    }
    let full = Value::Array(vec![entries(&store, 512)]);
    assert_eq!(store.tailed(START, full).unwrap(), Duration::ZERO);

    let came = Value::Array(vec![entries(&store, 511)]);
    assert!(store.tailed(START, came).unwrap() > Duration::ZERO);
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
    claim(&mut store, 1);
    let letter = Letter::Forward {
        asker: "other".into(),
        number: 1,
        session: session(),
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
