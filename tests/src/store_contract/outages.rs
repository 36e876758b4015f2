//! Promises about a store that cannot be reached for a while, or loses its log.

use bayeux_core::{
    Access, Fence, Notice, Position, SessionId, SessionRecord, StoreReply, StoreRequest,
};

use super::trial::{
    Trial, bind, browser, claim, claim_with, data, entry, forward, read, record, release, subscribe,
};
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

const LOSSES: Setup = Setup {
    outages: false,
    losses: true,
    ..OUTAGES
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
        claim(id),
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

pub(super) fn a_claim_that_failed_leaves_the_session_without_an_owner(make: Make<'_>) {
    let setup = Setup {
        outages: true,
        ..LOSSES
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    trial.expect_done(one, subscribe(id, Fence(1), &["/canary"], 0));
    trial.expect_done(one, release(id, Fence(1), 0));
    trial.store().cut_inside(two, "/canary");

    let reply = trial.ask(two, claim(id));

    assert!(matches!(reply, StoreReply::Failed), "{reply:?}");
    expect_down(&mut trial, two);
    expect_up(&mut trial, two);
    let reply = trial.ask(two, forward(id, 1));
    assert!(matches!(reply, StoreReply::Unowned), "{reply:?}");
    let record = trial.claim(one, id);
    assert_eq!(record.released, Some(Position::ZERO));
    trial.expect_silence(two);
}

/// Where a node is told that the log begins anew.
#[track_caller]
fn expect_reset(trial: &mut Trial, node: Node) -> Position {
    loop {
        match trial.notice(node) {
            Notice::Reset { position } => return position,
            Notice::Down | Notice::Up { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn expect_unknown(trial: &mut Trial, node: Node, session: SessionId) {
    let reply = trial.ask(node, claim(session));
    assert!(matches!(reply, StoreReply::Unknown), "{reply:?}");
}

/// The store ends and comes back, and a node is told so before anything else.
fn lose(trial: &mut Trial, node: Node) {
    trial.store().lose();
    expect_down(trial, node);
}

pub(super) fn the_lost_end_of_the_log_is_a_reset_that_leaves_no_session_to_claim(make: Make<'_>) {
    let Some(mut trial) = Trial::with(make, &LOSSES) else {
        return;
    };
    let one = trial.node();
    let [held, released] = [trial.open(one, 1), trial.open(one, 2)];
    trial.expect_done(one, release(released, Fence(1), 0));
    trial.publish(one, "/a", 1);
    trial.store().keep();
    let last = trial.publish(one, "/a", 2);
    trial.entries(one, 2);

    trial.store().lose();

    let reset = expect_reset(&mut trial, one);
    assert!(reset >= last, "{reset:?}");
    expect_up(&mut trial, one);
    for id in [held, released] {
        expect_unknown(&mut trial, one, id);
    }
    let next = trial.publish(one, "/a", 3);
    assert_eq!(next, reset.plus(1));
    assert_eq!(data(&trial.entries(one, 1)), [3]);
}

pub(super) fn what_follows_a_lost_log_outlives_who_joins_later(make: Make<'_>) {
    join_one_after_the_other(make, |_| {});
}

pub(super) fn what_follows_the_lost_end_of_the_log_outlives_who_joins_later(make: Make<'_>) {
    join_one_after_the_other(make, |trial| trial.store().keep());
}

/// All nodes know what was lost, and something new is appended before each of them is back.
fn join_one_after_the_other(make: Make<'_>, keep: fn(&mut Trial)) {
    let setup = Setup {
        outages: true,
        ..LOSSES
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let [first, second, third] = trial.nodes();
    let nodes = [first, second, third];
    let mut old = Vec::new();
    for (number, node) in (1..).zip(nodes) {
        old.push(trial.open(node, number));
    }
    keep(&mut trial);
    let last = trial.publish(first, "/a", 0);
    for node in nodes {
        trial.entries(node, 1);
        trial.store().cut(node);
        expect_down(&mut trial, node);
    }
    trial.store().lose();

    trial.store().restore(first);
    let reset = expect_reset(&mut trial, first);
    assert!(reset >= last, "{reset:?}");
    expect_up(&mut trial, first);
    let new = trial.open(first, 4);
    for (data, later) in [(1, second), (2, third)] {
        trial.publish(first, "/a", data);
        trial.store().restore(later);
        let begins = expect_reset(&mut trial, later);
        assert_eq!(expect_up(&mut trial, later), begins);
    }
    let end = trial.publish(third, "/a", 3);

    assert_eq!(data(&trial.entries(first, 3)), [1, 2, 3]);
    assert_eq!(data(&trial.entries(second, 2)), [2, 3]);
    assert_eq!(data(&trial.entries(third, 1)), [3]);
    let all = trial.read(third, new, &[("/a", reset)], (reset, end));
    assert_eq!(data(&all), [1, 2, 3]);
    for id in old {
        expect_unknown(&mut trial, second, id);
    }
    trial.expect_done(first, subscribe(new, Fence(1), &["/a"], 0));
    for node in nodes {
        trial.expect_silence(node);
    }
}

pub(super) fn who_comes_back_late_takes_nothing_from_a_newer_log(make: Make<'_>) {
    let setup = Setup {
        outages: true,
        ..LOSSES
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let late = trial.node();
    let old = trial.open(late, 1);
    for at in 0..5 {
        trial.publish(late, "/a", at);
    }
    let known = trial.entries(late, 5)[4].position;
    trial.store().cut(late);
    expect_down(&mut trial, late);
    trial.store().lose();
    let (young, begins) = trial.node_at();
    let new = trial.open(young, 2);
    let early = trial.publish(young, "/a", 5);
    assert!(early < known, "{early:?} is to be behind {known:?}");
    assert_eq!(data(&trial.entries(young, 1)), [5]);

    for round in [6, 8] {
        trial.store().restore(late);
        if round == 6 {
            let reset = expect_reset(&mut trial, late);
            assert!(reset >= known, "{reset:?}");
        }
        expect_up(&mut trial, late);
        // Where the log goes on under a new epoch, who has not heard of it yet fails.
        for (at, node) in (round..).zip([late, young]) {
            let position = trial.publish(node, "/a", at);
            assert!(position > known, "{position:?} was given before");
            assert_eq!(data(&trial.entries(young, 1)), [at]);
        }
        assert_eq!(data(&trial.entries(late, 2)), [round, round + 1]);
        trial.store().cut(late);
        expect_down(&mut trial, late);
    }

    let end = trial.publish(young, "/a", 10);
    let all = trial.read(young, new, &[("/a", begins)], (begins, end));
    assert_eq!(data(&all), [5, 6, 7, 8, 9, 10]);
    expect_unknown(&mut trial, young, old);
    trial.expect_done(young, subscribe(new, Fence(1), &["/a"], 0));
}

pub(super) fn who_knows_of_no_loss_is_told_of_it_by_others(make: Make<'_>) {
    let setup = Setup {
        outages: true,
        ..LOSSES
    };
    let Some(mut trial) = Trial::with(make, &setup) else {
        return;
    };
    let [ahead, behind] = trial.nodes();
    let id = trial.open(behind, 1);
    trial.store().keep();
    trial.store().cut(behind);
    expect_down(&mut trial, behind);
    trial.publish(ahead, "/a", 1);
    trial.entries(ahead, 1);

    trial.store().cut(ahead);
    trial.store().lose();
    trial.store().restore(behind);
    expect_up(&mut trial, behind);
    assert_eq!(trial.claim(behind, id).fence, Fence(1));
    trial.publish(behind, "/a", 2);
    trial.store().restore(ahead);

    let reset = expect_reset(&mut trial, ahead);
    assert_eq!(expect_reset(&mut trial, behind), reset);
    for node in [ahead, behind] {
        expect_up(&mut trial, node);
        expect_unknown(&mut trial, node, id);
    }
}

pub(super) fn a_session_whose_last_change_is_lost_is_gone(make: Make<'_>) {
    let Some(mut trial) = Trial::with(make, &LOSSES) else {
        return;
    };
    let one = trial.node();
    let [same, changed] = [trial.open(one, 1), trial.open(one, 2)];
    trial.store().keep();
    trial.expect_done(one, subscribe(changed, Fence(1), &["/a"], 0));

    lose(&mut trial, one);

    match trial.notice(one) {
        Notice::Taken { session, .. } => assert_eq!(session, changed),
        other => panic!("{other:?}"),
    }
    expect_up(&mut trial, one);
    expect_unknown(&mut trial, one, changed);
    trial.expect_done(one, subscribe(same, Fence(1), &["/a"], 0));
}

pub(super) fn a_session_whose_binding_is_lost_is_bound_again(make: Make<'_>) {
    let Some(mut trial) = Trial::with(make, &LOSSES) else {
        return;
    };
    let one = trial.node();
    let cookie = browser("a");
    let opened = SessionRecord {
        browser: Some(cookie),
        ..record(1)
    };
    let ids = [opened.session, trial.open(one, 2)];
    trial.expect_done(one, StoreRequest::Open(Box::new(opened)));
    trial.store().keep();
    for id in ids {
        trial.expect_done(one, bind(id, Fence(1), cookie));
    }

    lose(&mut trial, one);
    expect_up(&mut trial, one);

    for id in ids {
        let reply = trial.ask(one, claim_with(id, Access::Unbound));
        assert!(matches!(reply, StoreReply::Unknown), "{reply:?}");
        let reply = trial.ask(one, claim_with(id, Access::Browser(cookie)));
        assert!(matches!(reply, StoreReply::Claimed(_)), "{reply:?}");
    }
}

pub(super) fn a_store_that_kept_all_it_was_told_goes_on(make: Make<'_>) {
    let Some(mut trial) = Trial::with(make, &LOSSES) else {
        return;
    };
    let one = trial.node();
    let id = trial.open(one, 1);
    trial.expect_done(one, subscribe(id, Fence(1), &["/a"], 0));
    let last = trial.publish(one, "/a", 1);
    trial.entries(one, 1);
    trial.store().keep();

    lose(&mut trial, one);

    assert_eq!(expect_up(&mut trial, one), last);
    trial.expect_done(one, subscribe(id, Fence(1), &["/b"], 0));
    let next = trial.publish(one, "/a", 2);
    assert!(next > last, "{next:?}");
    assert_eq!(data(&trial.entries(one, 1)), [2]);
}

pub(super) fn a_lost_log_is_a_reset_to_a_position_never_given(make: Make<'_>) {
    let Some(mut trial) = Trial::with(make, &LOSSES) else {
        return;
    };
    let (one, begins) = trial.node_at();
    let id = trial.open(one, 1);
    let last = trial.publish(one, "/a", 1);
    trial.entries(one, 1);

    trial.store().lose();

    let reset = expect_reset(&mut trial, one);
    assert!(reset >= last, "{reset:?}");
    expect_up(&mut trial, one);
    expect_unknown(&mut trial, one, id);
    let next = trial.publish(one, "/a", 2);
    assert_eq!(next, reset.plus(1));
    assert_eq!(data(&trial.entries(one, 1)), [2]);
    let reply = trial.ask(one, read(id, &[("/a", begins)], (begins, next)));
    assert!(matches!(reply, StoreReply::Gap), "{reply:?}");
}
