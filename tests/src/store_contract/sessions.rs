//! Promises about sessions: one owner at a time, and a record that goes from owner to owner.

use std::time::Duration;

use bayeux_core::{
    DeciderId, Echo, Fence, Identity, Input, Notice, Payload, Position, SessionId, SessionRecord,
    SessionSettings, StoreReply, StoreRequest,
};

use super::trial::{
    Trial, bind, browser, by, claim, data, end, entry, record, release, session, subscribe,
    subscribed, subscriptions, unsubscribe,
};
use super::{Make, Node};

#[track_caller]
pub(super) fn expect_taken(trial: &mut Trial, node: Node, wanted: SessionId, by: Fence) {
    match trial.notice(node) {
        Notice::Taken { session, fence } => assert_eq!((session, fence), (wanted, by)),
        other => panic!("{node:?} was told {other:?}"),
    }
}

#[track_caller]
pub(super) fn expect_unknown(trial: &mut Trial, node: Node, request: StoreRequest) {
    let reply = trial.ask(node, request);
    assert!(matches!(reply, StoreReply::Unknown), "{reply:?}");
}

/// The last owner has not said how far the session had come.
#[track_caller]
fn expect_nothing_said(claimed: &SessionRecord) {
    let released = claimed.released;
    assert!(released.is_none_or(|at| at == claimed.end), "{claimed:?}");
}

/// A record in which nothing is as usual.
fn rich(number: usize) -> SessionRecord {
    SessionRecord {
        browser: Some(browser("b")),
        bound: true,
        settings: SessionSettings {
            acknowledged: true,
            deliver_only: Some(false),
            timeout: Some(Duration::from_millis(12_345)),
            interval: Some(Duration::ZERO),
            max_interval: Some(Duration::from_nanos(7_000_000)),
            echo: Some(Echo::ToOthers),
            outgoing: vec![DeciderId(3), DeciderId(1)],
            identity: Some(Identity::new(Payload::string("ann"))),
            until: Some(Duration::from_secs(1_700_000_000)),
        }
        .into(),
        start: Position::new(1 << 40),
        subscriptions: subscriptions(&[
            ("/a/**", Position::new(7)),
            ("/b c", Position::new(1 << 41)),
        ]),
        ..record(number)
    }
}

pub(super) fn a_session_keeps_its_record(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    trial.expect_done(one, StoreRequest::Open(Box::new(rich(1))));

    let mut claimed = trial.claim(two, session(1));

    claimed
        .subscriptions
        .sort_by(|a, b| a.pattern.cmp(&b.pattern));
    assert_eq!(
        claimed,
        SessionRecord {
            fence: Fence(2),
            ..rich(1)
        }
    );
}

pub(super) fn a_session_is_opened_under_the_first_fence(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let one = trial.node();
    let odd = SessionRecord {
        fence: Fence(7),
        released: Some(Position::new(3)),
        ..record(1)
    };

    trial.expect_done(one, StoreRequest::Open(Box::new(odd)));

    trial.expect_fenced(one, subscribe(session(1), Fence(7), &["/a"], 0));
    trial.expect_done(one, subscribe(session(1), Fence(1), &["/b"], 0));
    let claimed = trial.claim(one, session(1));
    assert_eq!((claimed.fence, claimed.released), (Fence(1), None));
}

pub(super) fn a_session_is_opened_once(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);

    trial.expect_fenced(two, StoreRequest::Open(Box::new(rich(1))));
    trial.expect_fenced(one, StoreRequest::Open(Box::new(rich(1))));

    assert_eq!(trial.claim(one, id), record(1));
    trial.expect_silence(one);
}

pub(super) fn a_session_that_nobody_opened_is_unknown(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let one = trial.node();
    trial.open(one, 1);

    expect_unknown(&mut trial, one, claim(session(2)));
}

pub(super) fn a_claim_raises_the_fence_and_tells_the_former_owner(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two, three] = trial.nodes();
    let id = trial.open(one, 1);

    let claimed = trial.claim(two, id);

    assert_eq!(claimed.fence, Fence(2));
    expect_nothing_said(&claimed);
    expect_taken(&mut trial, one, id, Fence(2));
    for node in [one, two, three] {
        trial.expect_silence(node);
    }
}

pub(super) fn a_former_owner_is_told_before_what_comes_after_the_claim(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    trial.claim(two, id);
    trial.publish(two, "/a", 1);

    let told = [trial.next(one), trial.next(one)];

    assert!(
        matches!(
            told,
            [
                Input::Notified {
                    notice: Notice::Taken { .. }
                },
                Input::Notified {
                    notice: Notice::Entries(_)
                }
            ]
        ),
        "{told:?}"
    );
}

pub(super) fn a_claim_says_where_the_log_ends(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    let end = trial.publish(one, "/a", 1);

    let claimed = trial.claim(two, id);

    assert_eq!(claimed.end, end);
}

pub(super) fn a_claim_that_is_answered_late_says_where_it_was_made(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    let end = trial.publish(one, "/a", 1);
    trial.entries(two, 1);
    let ticket = trial.submit(two, claim(id));
    expect_taken(&mut trial, one, id, Fence(2));
    let later = trial.publish(one, "/a", 2);

    let mut told = Vec::new();
    let claimed = loop {
        match trial.next(two) {
            Input::Notified {
                notice: Notice::Entries(entries),
            } => told.extend(entries),
            Input::Stored {
                ticket: of,
                reply: StoreReply::Claimed(record),
            } if of == ticket => break record,
            other => panic!("{other:?}"),
        }
    };

    assert_eq!(claimed.end, end);
    expect_nothing_said(&claimed);
    if told.iter().any(|entry| entry.position == later) {
        assert_eq!(claimed.released, Some(end), "it was told more before");
    }
}

pub(super) fn a_claim_by_the_owner_gives_the_same_record_again(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    trial.expect_done(one, subscribe(id, Fence(1), &["/a"], 4));
    trial.expect_done(one, release(id, Fence(1), 9));

    let first = trial.claim(two, id);
    let second = trial.claim(two, id);

    assert_eq!(first, second);
    assert_eq!(
        (first.fence, first.released),
        (Fence(2), Some(Position::new(9)))
    );
    trial.expect_silence(one);
    trial.expect_silence(two);
}

pub(super) fn claims_are_all_answered_though_the_former_owner_is_silent(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    let first = trial.submit(two, claim(id));
    expect_taken(&mut trial, one, id, Fence(2));

    let second = trial.submit(two, claim(id));

    for ticket in [first, second] {
        match trial.reply(two, ticket) {
            StoreReply::Claimed(record) => assert_eq!(record.fence, Fence(2)),
            other => panic!("{other:?}"),
        }
    }
    trial.expect_silence(two);
}

pub(super) fn a_session_goes_back_and_forth(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let nodes: [_; 2] = trial.nodes();
    let id = trial.open(nodes[0], 1);

    for turn in 1..=6 {
        let [former, owner] = [nodes[(turn + 1) % 2], nodes[turn % 2]];
        let fence = Fence(turn as u64 + 1);
        assert_eq!(trial.claim(owner, id).fence, fence);
        expect_taken(&mut trial, former, id, fence);
    }
}

pub(super) fn of_many_claims_the_last_one_counts(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let nodes: [_; 4] = trial.nodes();
    let id = trial.open(nodes[0], 1);

    let claims = nodes.map(|node| (node, trial.submit(node, claim(id))));

    let mut fences = Vec::new();
    for (node, ticket) in claims {
        match trial.reply(node, ticket) {
            StoreReply::Claimed(record) => fences.push((record.fence, node)),
            other => panic!("{other:?}"),
        }
    }
    fences.sort_unstable();
    let (last, owner) = fences[3];
    for (fence, node) in fences {
        let reply = trial.ask(node, subscribe(id, fence, &["/a"], 0));
        assert_eq!(
            matches!(reply, StoreReply::Done),
            fence == last,
            "{fence:?}: {reply:?}"
        );
    }
    assert_eq!(trial.claim(owner, id).fence, last);
}

pub(super) fn a_write_under_another_fence_changes_nothing(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    trial.expect_done(one, subscribe(id, Fence(1), &["/a"], 4));
    let mut before = trial.claim(two, id);
    expect_nothing_said(&before);
    before.released = None;

    for stale in [Fence(0), Fence(1), Fence(3)] {
        trial.expect_fenced(one, subscribe(id, stale, &["/b"], 0));
        trial.expect_fenced(one, subscribe(id, stale, &["/a"], 0));
        trial.expect_fenced(one, unsubscribe(id, stale, &["/a"]));
        trial.expect_fenced(one, bind(id, stale, browser("a")));
        trial.expect_fenced(one, release(id, stale, 0));
        trial.expect_fenced(one, end(id, stale));
        trial.expect_fenced(
            one,
            StoreRequest::Append(Box::new(by(id, stale, entry("/a", 1)))),
        );
    }

    assert_eq!(trial.claim(two, id), before);
    trial.expect_silence(two);
}

pub(super) fn fenced_appends_among_others_are_told_apart(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let [kept, taken] = [trial.open(one, 1), trial.open(one, 2)];
    trial.claim(two, taken);
    let before = trial.publish(one, "/a", 0);

    // By who has it, by who has not, by nobody, and by who is not there; over and over.
    let append = |at: usize| match at % 4 {
        0 => by(kept, Fence(1), entry("/a", at)),
        1 => by(taken, Fence(1), entry("/a", at)),
        2 => entry("/a", at),
        _ => by(session(3), Fence(1), entry("/a", at)),
    };
    let tickets: Vec<_> = (0..400)
        .map(|at| trial.submit(one, StoreRequest::Append(Box::new(append(at)))))
        .collect();

    let mut last = before;
    for (at, ticket) in tickets.into_iter().enumerate() {
        match trial.reply(one, ticket) {
            StoreReply::Appended(position) => {
                assert_eq!((at % 2, position), (0, last.plus(1)));
                last = position;
            }
            reply => assert!(
                at % 2 == 1 && matches!(reply, StoreReply::Fenced),
                "{reply:?}"
            ),
        }
    }
    let expected: Vec<usize> = std::iter::once(0).chain((0..400).step_by(2)).collect();
    assert_eq!(data(&trial.entries(two, 201)), expected);
}

pub(super) fn a_fenced_append_takes_no_position(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    trial.claim(two, id);

    let before = trial.publish(one, "/a", 1);
    trial.expect_fenced(
        one,
        StoreRequest::Append(Box::new(by(id, Fence(1), entry("/a", 2)))),
    );
    let after = trial.publish(one, "/a", 3);

    assert_eq!(after, before.plus(1));
    assert_eq!(trial.entries(two, 2).len(), 2);
    trial.expect_silence(two);
}

pub(super) fn an_append_without_a_fence_is_not_refused(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let one = trial.node();

    let mut unfenced = by(session(9), Fence(1), entry("/a", 1));
    unfenced.fence = None;
    trial.append(one, unfenced);
    let mut nobody = by(session(9), Fence(1), entry("/a", 1));
    nobody.origin = None;
    trial.append(one, nobody);

    assert_eq!(trial.entries(one, 2).len(), 2);
}

pub(super) fn writes_to_a_session_that_is_not_there_are_fenced(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let one = trial.node();
    let ended = trial.open(one, 1);
    trial.expect_done(one, end(ended, Fence(1)));

    for id in [ended, session(2)] {
        trial.expect_fenced(one, subscribe(id, Fence(1), &["/a"], 0));
        trial.expect_fenced(one, unsubscribe(id, Fence(1), &["/a"]));
        trial.expect_fenced(one, release(id, Fence(1), 0));
        trial.expect_fenced(
            one,
            StoreRequest::Append(Box::new(by(id, Fence(1), entry("/a", 1)))),
        );
        expect_unknown(&mut trial, one, claim(id));
    }
}

pub(super) fn the_new_owner_writes_under_its_fence(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);

    let fence = trial.claim(two, id).fence;

    trial.expect_done(two, subscribe(id, fence, &["/a", "/b"], 0));
    trial.expect_done(two, unsubscribe(id, fence, &["/b"]));
    trial.append(two, by(id, fence, entry("/a", 1)));
    trial.expect_done(two, release(id, fence, 3));
    let claimed = trial.claim(one, id);
    assert_eq!(
        (claimed.fence, claimed.released),
        (Fence(3), Some(Position::new(3)))
    );
    trial.expect_done(one, end(id, Fence(3)));
}

pub(super) fn subscriptions_go_with_their_session(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    let other = trial.open(one, 2);

    trial.expect_done(one, subscribe(id, Fence(1), &["/b", "/a/**"], 5));
    trial.expect_done(one, subscribe(other, Fence(1), &["/c"], 6));
    trial.expect_done(one, subscribe(id, Fence(1), &["/service/a"], 7));

    let expected = [
        ("/a/**".into(), 5),
        ("/b".into(), 5),
        ("/service/a".into(), 7),
    ];
    assert_eq!(subscribed(&trial.claim(two, id)), expected);
    assert_eq!(subscribed(&trial.claim(two, other)), [("/c".into(), 6)]);
}

pub(super) fn a_repeated_subscription_keeps_the_older_position(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let one = trial.node();
    let id = trial.open(one, 1);

    trial.expect_done(one, subscribe(id, Fence(1), &["/a", "/b"], 5));
    trial.expect_done(one, subscribe(id, Fence(1), &["/a", "/a", "/c"], 9));
    trial.expect_done(one, subscribe(id, Fence(1), &["/b"], 2));

    let expected = [("/a".into(), 5), ("/b".into(), 2), ("/c".into(), 9)];
    assert_eq!(subscribed(&trial.claim(one, id)), expected);
}

pub(super) fn unsubscribing_takes_away_what_it_names(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let one = trial.node();
    let id = trial.open(one, 1);
    trial.expect_done(one, subscribe(id, Fence(1), &["/a", "/a/*", "/b", "/c"], 5));

    trial.expect_done(
        one,
        unsubscribe(id, Fence(1), &["/a", "/b", "/never", "/**"]),
    );
    trial.expect_done(one, subscribe(id, Fence(1), &["/b"], 8));

    let expected = [("/a/*".into(), 5), ("/b".into(), 8), ("/c".into(), 5)];
    assert_eq!(subscribed(&trial.claim(one, id)), expected);
}

pub(super) fn a_released_session_remembers_how_far_it_came(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);

    trial.expect_done(one, release(id, Fence(1), 77));
    let claimed = trial.claim(two, id);

    assert_eq!(
        (claimed.fence, claimed.released),
        (Fence(2), Some(Position::new(77)))
    );
    trial.expect_fenced(one, release(id, Fence(1), 78));
}

pub(super) fn a_release_tells_nobody(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);

    trial.expect_done(one, release(id, Fence(1), 77));
    trial.claim(two, id);

    trial.expect_silence(one);
    trial.expect_silence(two);
}

pub(super) fn a_release_is_forgotten_with_the_next_owner(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two, three] = trial.nodes();
    let taken = trial.open(one, 1);
    let died = trial.open(one, 2);
    for id in [taken, died] {
        trial.expect_done(one, release(id, Fence(1), 77));
    }

    trial.claim(three, taken);
    trial.claim(two, died);
    let taken = trial.claim(one, taken);
    trial.kill(two);
    let died = trial.claim(one, died);

    assert_eq!(taken.fence, Fence(3));
    expect_nothing_said(&taken);
    assert_eq!((died.fence, died.released), (Fence(3), None));
}

pub(super) fn the_session_of_a_dead_node_can_be_claimed(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    trial.expect_done(one, subscribe(id, Fence(1), &["/a"], 5));

    trial.kill(one);
    let claimed = trial.claim(two, id);

    assert_eq!((claimed.fence, claimed.released), (Fence(2), None));
    assert_eq!(subscribed(&claimed), [("/a".into(), 5)]);
    trial.expect_silence(two);
}

pub(super) fn an_ended_session_is_unknown(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    let other = trial.open(one, 2);

    trial.expect_done(one, end(id, Fence(1)));

    expect_unknown(&mut trial, one, claim(id));
    expect_unknown(&mut trial, two, claim(id));
    trial.claim(two, other);
}

pub(super) fn ending_again_is_no_mistake(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);

    for node in [one, one, two] {
        trial.expect_done(node, end(id, Fence(1)));
    }
    trial.expect_done(one, end(session(9), Fence(1)));
}
