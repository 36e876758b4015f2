//! Promises about a store that cannot be reached for a while, or loses its log.

use bayeux_core::{Fence, Notice, Position, StoreReply, StoreRequest};

use super::trial::{Trial, data, entry, read, session, subscribe};
use super::{Make, Node, Setup};

const OUTAGES: Setup = Setup {
    max_entries: None,
    max_bytes: None,
    retention: None,
    session_ttl: None,
    max_sessions: None,
    max_inbox: None,
    forward_timeout: None,
    outages: true,
    losses: false,
};

#[track_caller]
fn expect_down(trial: &mut Trial, node: Node) {
    let notice = trial.notice(node);
    assert!(matches!(notice, Notice::Down), "{notice:?}");
}

#[track_caller]
fn expect_up(trial: &mut Trial, node: Node) -> Position {
    match trial.notice(node) {
        Notice::Up { position } => position,
        other => panic!("{node:?} was told {other:?}"),
    }
}

pub(super) fn a_node_is_told_when_the_store_is_down_and_up(make: Make<'_>) {
    let Some(mut trial) = Trial::with(make, &OUTAGES) else {
        return;
    };
    let [one, two] = trial.nodes();
    let last = trial.publish(one, "/a", 1);
    trial.entries(one, 1);
    trial.entries(two, 1);

    trial.store().cut(one);
    expect_down(&mut trial, one);
    trial.store().restore(one);

    assert_eq!(expect_up(&mut trial, one), last);
    trial.expect_silence(one);
    trial.expect_silence(two);
}

pub(super) fn what_was_appended_during_an_outage_comes_after_it(make: Make<'_>) {
    let Some(mut trial) = Trial::with(make, &OUTAGES) else {
        return;
    };
    let [one, two] = trial.nodes();
    let last = trial.publish(two, "/a", 0);
    trial.entries(one, 1);

    trial.store().cut(one);
    expect_down(&mut trial, one);
    for at in 1..=3 {
        trial.publish(two, "/a", at);
    }
    trial.store().restore(one);

    assert_eq!(expect_up(&mut trial, one), last);
    assert_eq!(data(&trial.entries(one, 3)), [1, 2, 3]);
    trial.publish(one, "/a", 4);
    assert_eq!(data(&trial.entries(one, 1)), [4]);
}

pub(super) fn requests_during_an_outage_fail(make: Make<'_>) {
    let Some(mut trial) = Trial::with(make, &OUTAGES) else {
        return;
    };
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    trial.store().cut(one);
    expect_down(&mut trial, one);

    let requests = [
        StoreRequest::Append(Box::new(entry("/a", 1))),
        StoreRequest::Claim(id),
        subscribe(id, Fence(1), &["/a"], 0),
    ];
    for request in requests {
        let reply = trial.ask(one, request);
        assert!(matches!(reply, StoreReply::Failed), "{reply:?}");
    }
    trial.expect_silence(two);
    trial.store().restore(one);

    expect_up(&mut trial, one);
    trial.expect_done(one, subscribe(id, Fence(1), &["/b"], 0));
}

pub(super) fn what_was_taken_during_an_outage_is_told_before_it_is_over(make: Make<'_>) {
    let Some(mut trial) = Trial::with(make, &OUTAGES) else {
        return;
    };
    let [one, two] = trial.nodes();
    let [kept, taken] = [1, 2].map(|number| trial.open(one, number));
    trial.store().cut(one);
    expect_down(&mut trial, one);

    let fence = trial.claim(two, taken).fence;
    trial.store().restore(one);

    match trial.notice(one) {
        Notice::Taken { session, fence: by } => assert_eq!((session, by), (taken, fence)),
        other => panic!("{other:?}"),
    }
    expect_up(&mut trial, one);
    trial.expect_done(one, subscribe(kept, Fence(1), &["/a"], 0));
    trial.expect_fenced(one, subscribe(taken, Fence(1), &["/a"], 0));
}

pub(super) fn a_lost_log_is_a_reset_to_a_position_never_given(make: Make<'_>) {
    let setup = Setup {
        losses: true,
        ..Setup::default()
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let (one, begins) = trial.node_at();
    let last = trial.publish(one, "/a", 1);
    trial.entries(one, 1);

    trial.store().lose();

    let reset = loop {
        match trial.notice(one) {
            Notice::Reset { position } => break position,
            Notice::Down | Notice::Up { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(reset >= last, "{reset:?}");
    let next = trial.publish(one, "/a", 2);
    assert_eq!(next, reset.plus(1));
    assert_eq!(data(&trial.entries(one, 1)), [2]);
    let reply = trial.ask(one, read(session(1), &[("/a", begins)], (begins, next)));
    assert!(matches!(reply, StoreReply::Gap), "{reply:?}");
}
