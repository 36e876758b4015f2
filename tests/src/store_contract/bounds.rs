//! Promises about limits: nothing grows without a bound, and what a bound costs is said.

use std::time::Duration;

use bayeux_core::{Fence, Input, Notice, Position, StoreReply, StoreRequest};

use super::trial::{
    Trial, answer, answered, claim, data, end, entry, forward, read, record, release, session,
};
use super::{Make, Node, Setup};

/// Appends the numbers below `count`; gives the position of the last.
fn fill(trial: &mut Trial, node: Node, count: usize) -> Position {
    let append = |at| StoreRequest::Append(Box::new(entry("/a", at)));
    let tickets: Vec<_> = (0..count)
        .map(|at| trial.submit(node, append(at)))
        .collect();
    let mut last = None;
    for ticket in tickets {
        last = Some(trial.reply(node, ticket));
    }
    match last {
        Some(StoreReply::Appended(position)) => position,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn expect_gap(trial: &mut Trial, node: Node, range: (Position, Position)) {
    let reply = trial.ask(node, read(session(1), &[("/a", range.0)], range));
    assert!(matches!(reply, StoreReply::Gap), "{reply:?}");
}

pub(super) fn too_many_entries_are_trimmed_from_the_front(make: Make<'_>) {
    let setup = Setup {
        max_entries: Some(100),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let (one, begins) = trial.node_at();

    let end = fill(&mut trial, one, 1_000);

    expect_gap(&mut trial, one, (begins, end));
    expect_gap(&mut trial, one, (begins, begins.plus(1)));
}

pub(super) fn too_many_bytes_are_trimmed_from_the_front(make: Make<'_>) {
    let setup = Setup {
        max_bytes: Some(100_000),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let (one, begins) = trial.node_at();

    let mut last = begins;
    for at in 0..100 {
        let mut large = entry("/a", at);
        large.event = bayeux_core::Event::from_object(format!(
            r#"{{"x":"{}","d":{at}}}"#,
            "x".repeat(10_000)
        ));
        last = trial.append(one, large);
    }

    expect_gap(&mut trial, one, (begins, last));
    let before = Position::new(last.number() - 1);
    assert_eq!(
        data(&trial.read(one, session(1), &[("/a", begins)], (before, last))),
        [99]
    );
}

pub(super) fn old_entries_are_trimmed(make: Make<'_>) {
    let retention = Duration::from_secs(2);
    let setup = Setup {
        retention: Some(retention),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let (one, begins) = trial.node_at();

    let old = fill(&mut trial, one, 10);
    trial.entries(one, 10);
    trial.pass(retention * 2);
    let new = fill(&mut trial, one, 1);

    expect_gap(&mut trial, one, (begins, new));
    assert_eq!(
        data(&trial.read(one, session(1), &[("/a", begins)], (old, new))),
        [0]
    );
}

pub(super) fn trimming_leaves_the_newest_entries(make: Make<'_>) {
    let setup = Setup {
        max_entries: Some(100),
        retention: Some(Duration::from_secs(60)),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let (one, begins) = trial.node_at();

    let end = fill(&mut trial, one, 1_000);

    let after = Position::new(end.number() - 100);
    let newest = trial.read(one, session(1), &[("/a", begins)], (after, end));
    assert_eq!(data(&newest), (900..1_000).collect::<Vec<_>>());
}

pub(super) fn a_node_never_loses_an_entry_silently(make: Make<'_>) {
    let setup = Setup {
        max_entries: Some(100),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let (one, _) = trial.node_at();
    let (two, mut seen) = trial.node_at();

    fill(&mut trial, one, 1_000);
    let mut last = fill(&mut trial, one, 50);

    while seen < last {
        match trial.next(two) {
            Input::Notified {
                notice: Notice::Entries(entries),
            } => {
                for entry in entries {
                    assert_eq!(entry.position, seen.plus(1));
                    seen = entry.position;
                }
            }
            Input::Notified {
                notice: Notice::Reset { position },
            } => {
                assert!(
                    position > seen,
                    "a reset to {position:?}, when {seen:?} was seen"
                );
                seen = position;
                last = trial.publish(one, "/a", 1);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, last);
}

const TTL: Duration = Duration::from_secs(4);

pub(super) fn a_session_without_an_owner_is_forgotten_in_time(make: Make<'_>) {
    let setup = Setup {
        session_ttl: Some(TTL),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let [one, two] = trial.nodes();
    let orphan = trial.open(one, 1);
    trial.kill(one);
    let released = trial.open(two, 2);
    trial.expect_done(two, release(released, Fence(1), 0));

    trial.pass(TTL / 4);
    let reply = trial.ask(two, forward(released, 1));
    assert!(matches!(reply, StoreReply::Unowned), "{reply:?}");
    trial.pass(TTL * 2);

    for id in [orphan, released] {
        let reply = trial.ask(two, claim(id));
        assert!(matches!(reply, StoreReply::Unknown), "{reply:?}");
        let reply = trial.ask(two, forward(id, 1));
        assert!(matches!(reply, StoreReply::Unknown), "{reply:?}");
    }
    trial.open(two, 1);
}

pub(super) fn a_session_with_an_owner_is_not_forgotten(make: Make<'_>) {
    let setup = Setup {
        session_ttl: Some(TTL),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);

    trial.pass(TTL * 3);

    assert_eq!(trial.claim(two, id).fence, Fence(2));
}

pub(super) fn a_claim_stops_the_clock(make: Make<'_>) {
    let setup = Setup {
        session_ttl: Some(TTL),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let [one, two] = trial.nodes();
    let [released, orphan] = [trial.open(one, 1), trial.open(one, 2)];
    trial.expect_done(one, release(released, Fence(1), 0));
    trial.kill(one);

    trial.pass(TTL / 4);
    trial.claim(two, released);
    trial.claim(two, orphan);
    trial.pass(TTL * 2);

    for id in [released, orphan] {
        assert_eq!(trial.claim(two, id).fence, Fence(2));
    }
}

pub(super) fn too_many_sessions_fail_until_one_ends(make: Make<'_>) {
    let setup = Setup {
        max_sessions: Some(2),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let one = trial.node();
    let first = trial.open(one, 1);
    trial.open(one, 2);

    let reply = trial.ask(one, StoreRequest::Open(Box::new(record(3))));
    assert!(matches!(reply, StoreReply::Failed), "{reply:?}");
    trial.expect_done(one, end(first, Fence(1)));

    trial.open(one, 3);
}

pub(super) fn too_many_forwards_fail_until_one_is_answered(make: Make<'_>) {
    let setup = Setup {
        max_inbox: Some(3),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let [owner, asker] = trial.nodes();
    let id = trial.open(owner, 1);

    let tickets: Vec<_> = (0..3)
        .map(|at| trial.submit(asker, forward(id, at)))
        .collect();
    let reply = trial.ask(asker, forward(id, 3));
    assert!(matches!(reply, StoreReply::Failed), "{reply:?}");
    let (first, ..) = trial.forwarded(owner, id);
    let reply = trial.ask(asker, forward(id, 4));
    assert!(
        matches!(reply, StoreReply::Failed),
        "handed over is not answered: {reply:?}"
    );
    trial.expect_done(owner, answer(first, "0"));
    // Over a network there is room once the answer has come.
    assert_eq!(answered(trial.reply(asker, tickets[0])), ["0"]);
    let last = trial.submit(asker, forward(id, 5));

    for _ in 0..3 {
        let (forward, ..) = trial.forwarded(owner, id);
        trial.expect_done(owner, answer(forward, "1"));
    }
    assert_eq!(answered(trial.reply(asker, last)), ["1"]);
}

pub(super) fn a_forward_that_nobody_answers_fails(make: Make<'_>) {
    let timeout = Duration::from_secs(2);
    let setup = Setup {
        forward_timeout: Some(timeout),
        max_inbox: Some(2),
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let [owner, asker] = trial.nodes();
    let id = trial.open(owner, 1);
    let tickets = [1, 2].map(|at| trial.submit(asker, forward(id, at)));
    let (late, ..) = trial.forwarded(owner, id);
    let (later, ..) = trial.forwarded(owner, id);

    trial.pass(timeout * 2);

    for ticket in tickets {
        let reply = trial.reply(asker, ticket);
        assert!(matches!(reply, StoreReply::Failed), "{reply:?}");
    }
    trial.expect_done(owner, answer(late, "1"));
    trial.expect_done(owner, answer(later, "1"));
    trial.expect_silence(asker);
    trial.submit(asker, forward(id, 3));
    trial.forwarded(owner, id);
}
