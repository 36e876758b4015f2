//! Promises about the log: one order for all.

use bayeux_core::{
    Destination, Echo, Event, Fence, Input, Laziness, NewEntry, Notice, StoreReply, StoreRequest,
};

use super::Make;
use super::trial::{
    Trial, by, claim, data, delivery, end, entry, forward, positions, read, release, session,
    subscribe, unsubscribe, whole,
};

pub(super) fn the_first_thing_a_node_is_told_is_where_it_begins(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();

    let first = trial.publish(one, "/a", 1);
    let (_, later) = trial.node_at();

    assert_eq!(first, begins.plus(1));
    assert_eq!(later, first);
}

pub(super) fn positions_have_no_holes(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    let two = trial.node();

    let given: Vec<_> = (0..20)
        .map(|at| trial.publish([one, two][at % 2], "/a", at))
        .collect();

    let expected: Vec<_> = (1..=20).map(|count| begins.plus(count)).collect();
    assert_eq!(given, expected);
}

pub(super) fn every_node_sees_every_entry_in_the_same_order(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let nodes: [_; 3] = trial.nodes();

    let mut tickets = Vec::new();
    for at in 0..60 {
        let node = nodes[at % 3];
        let request = StoreRequest::Append(Box::new(entry("/a", at)));
        tickets.push((node, trial.submit(node, request)));
    }
    for (node, ticket) in tickets {
        assert!(matches!(trial.reply(node, ticket), StoreReply::Appended(_)));
    }

    let seen = nodes.map(|node| whole(&trial.entries(node, 60)));
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    for node in nodes {
        trial.expect_silence(node);
    }
}

pub(super) fn a_node_sees_what_follows_on_where_it_began(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let one = trial.node();
    trial.publish(one, "/a", 1);

    let (two, begins) = trial.node_at();
    trial.publish(one, "/a", 2);

    let seen = trial.entries(two, 1);
    assert_eq!(data(&seen), [2]);
    assert_eq!(positions(&seen), [begins.number() + 1]);
}

pub(super) fn appends_of_one_node_keep_their_order(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();

    let append = |at| StoreRequest::Append(Box::new(entry("/a", at)));
    let tickets: Vec<_> = (0..100).map(|at| trial.submit(one, append(at))).collect();

    let given: Vec<_> = tickets
        .into_iter()
        .map(|ticket| trial.reply(one, ticket))
        .collect();
    let given: Vec<_> = given
        .iter()
        .map(|reply| match reply {
            StoreReply::Appended(position) => position.number(),
            other => panic!("{other:?}"),
        })
        .collect();
    let seen = trial.entries(two, 100);
    assert!(given.is_sorted());
    assert_eq!(positions(&seen), given);
    assert_eq!(data(&seen), (0..100).collect::<Vec<_>>());
}

pub(super) fn the_reply_to_an_append_comes_before_its_entry(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let one = trial.node();

    for at in 0..50 {
        trial.submit(one, StoreRequest::Append(Box::new(entry("/a", at))));
    }

    let (mut replied, mut seen) = (None, 0);
    while seen < 50 {
        match trial.next(one) {
            Input::Stored {
                reply: StoreReply::Appended(position),
                ..
            } => replied = Some(position),
            Input::Notified {
                notice: Notice::Entries(entries),
            } => {
                let last = entries.last().map(|entry| entry.position);
                assert!(
                    last <= replied,
                    "{last:?} was told when {replied:?} was answered"
                );
                seen += entries.len();
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn entries_are_told_as_they_were_appended(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let origin = trial.open(one, 1);

    let new = peculiar(origin);
    let expected = appended(&mut trial, one, &new);

    for node in [one, two] {
        assert_eq!(whole(&trial.entries(node, new.len())), expected);
    }
}

/// Entries of every kind, with events that a careless encoding would change.
pub(super) fn peculiar(origin: bayeux_core::SessionId) -> Vec<NewEntry> {
    let long = format!(r#"{{"data":"{}"}}"#, "x".repeat(100_000));
    let events = [
        "{ \"data\" : 1.0e400 ,\n\t\"data\":\"twice\" }",
        r#"{"channel":"/a","data":"\ud83d\ude00 \u0000 \"quoted\" \\"}"#,
        "{\"data\":\"\u{1f600} \u{e9} \u{2028}\"}",
        r#"{"data":12345678901234567890123456789.000}"#,
        "{}",
        &long,
    ];
    let mut all = Vec::new();
    for (at, event) in events.into_iter().enumerate() {
        let plain = NewEntry {
            event: Event::from_object(event),
            ..entry("/a/b c/!#$()*+-.@_{~}", at)
        };
        let theirs = by(origin, Fence(1), plain.clone());
        all.push(NewEntry {
            laziness: Laziness::Lazy,
            ..plain.clone()
        });
        all.push(NewEntry {
            echo: Echo::ToOthers,
            ..theirs.clone()
        });
        all.push(NewEntry {
            to: Destination::Session(session(2)),
            ..theirs
        });
        all.push(NewEntry {
            origin: Some(session(3)),
            ..plain
        });
    }
    all
}

/// Appends `new`; gives what is to be seen of them.
pub(super) fn appended(trial: &mut Trial, node: super::Node, new: &[NewEntry]) -> Vec<String> {
    let mut entries = Vec::new();
    for entry in new {
        let position = trial.append(node, entry.clone());
        let NewEntry {
            origin,
            to,
            event,
            laziness,
            echo,
            ..
        } = entry.clone();
        entries.push(bayeux_core::Entry {
            position,
            origin,
            to,
            event,
            laziness,
            echo,
        });
    }
    whole(&entries)
}

pub(super) fn a_node_that_did_not_look_catches_up_in_order(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();

    let append = |at| StoreRequest::Append(Box::new(entry("/a", at)));
    let tickets: Vec<_> = (0..2_000).map(|at| trial.submit(one, append(at))).collect();
    for ticket in tickets {
        trial.reply(one, ticket);
    }

    assert_eq!(
        data(&trial.entries(two, 2_000)),
        (0..2_000).collect::<Vec<_>>()
    );
    trial.expect_silence(two);
}

pub(super) fn a_delivery_to_one_session_is_an_entry_for_all_nodes(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();

    trial.publish(one, "/a", 1);
    trial.append(two, delivery(session(1), 2));
    trial.publish(one, "/a", 3);

    assert_eq!(data(&trial.entries(one, 3)), [1, 2, 3]);
    assert_eq!(data(&trial.entries(two, 3)), [1, 2, 3]);
}

pub(super) fn every_request_is_answered_once(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    let known = trial.open(one, 1);
    let requests = [known, session(9)].map(|id| {
        [
            subscribe(id, Fence(1), &["/a"], 0),
            unsubscribe(id, Fence(1), &["/a"]),
            StoreRequest::Append(Box::new(by(id, Fence(1), entry("/a", 1)))),
            read(id, &[("/a", begins)], (begins, begins.plus(9))),
            claim(id),
            release(id, Fence(1), 0),
            forward(id, 1),
            end(id, Fence(1)),
        ]
    });

    let mut open: Vec<_> = requests
        .into_iter()
        .flatten()
        .map(|request| trial.submit(one, request))
        .collect();

    while !open.is_empty() {
        if let Input::Stored { ticket, .. } = trial.next(one) {
            let at = open.iter().position(|known| *known == ticket);
            open.remove(at.expect("a request that is open"));
        }
    }
    while let Some(input) = trial.rest(one) {
        assert!(
            !matches!(input, Input::Stored { .. }),
            "{input:?} answers nothing"
        );
    }
}

pub(super) fn what_a_dead_node_appended_is_kept(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();

    let position = trial.publish(one, "/a", 1);
    trial.kill(one);
    let next = trial.publish(two, "/a", 2);

    assert_eq!(next, position.plus(1));
    assert_eq!(data(&trial.entries(two, 2)), [1, 2]);
}
