//! Promises about reading the log: what is for a session, and nothing else.

use bayeux_core::{Echo, Fence, NewEntry, StoreReply, StoreRequest};

use super::Make;
use super::log::{appended, peculiar};
use super::trial::{Trial, by, data, delivery, entry, session, subscriptions, whole};

pub(super) fn a_read_gives_what_the_patterns_match(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    let channels = [
        "/a",
        "/a/b",
        "/a/b/c",
        "/b",
        "/ab",
        "/service/a",
        "/meta/a",
        "/a/b/c/d",
    ];
    for (at, channel) in channels.iter().enumerate() {
        trial.publish(one, channel, at);
    }
    let table: &[(&[&str], &[usize])] = &[
        (&[], &[]),
        (&["/a"], &[0]),
        (&["/a/*"], &[1]),
        (&["/a/**"], &[1, 2, 7]),
        (&["/*"], &[0, 3, 4]),
        (&["/**"], &[0, 1, 2, 3, 4, 7]),
        (&["/a/b/*", "/b"], &[2, 3]),
        (&["/service/a"], &[5]),
        (&["/service/*", "/service/**", "/meta/**"], &[]),
        (&["/c", "/a/b/c/d/*", "/a/c/*"], &[]),
    ];

    for (patterns, expected) in table {
        let subscriptions: Vec<_> = patterns.iter().map(|pattern| (*pattern, begins)).collect();
        let entries = trial.read(one, session(1), &subscriptions, (begins, begins.plus(8)));
        assert_eq!(data(&entries), *expected, "{patterns:?}");
    }
}

pub(super) fn a_read_gives_deliveries_to_its_session_only(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();

    trial.append(one, delivery(session(1), 1));
    trial.append(one, delivery(session(2), 2));
    trial.publish(one, "/a", 3);
    trial.append(one, delivery(session(1), 4));

    let everything = [("/**", begins)];
    let range = (begins, begins.plus(4));
    assert_eq!(data(&trial.read(one, session(1), &[], range)), [1, 4]);
    assert_eq!(
        data(&trial.read(one, session(1), &everything, range)),
        [1, 3, 4]
    );
    assert_eq!(
        data(&trial.read(one, session(2), &everything, range)),
        [2, 3]
    );
}

pub(super) fn a_read_begins_after_and_ends_with_what_was_asked(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    for at in 1..=5 {
        trial.publish(one, "/a", at);
    }

    let range = (begins.plus(1), begins.plus(4));
    let entries = trial.read(one, session(1), &[("/a", begins)], range);

    assert_eq!(data(&entries), [2, 3, 4]);
    assert_eq!(entries[0].position, begins.plus(2));
}

pub(super) fn a_subscription_covers_nothing_up_to_its_since(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    for at in 1..=3 {
        trial.publish(one, "/a", at);
        trial.publish(one, "/b", 10 + at);
    }

    let subscriptions = [("/a", begins.plus(3)), ("/b", begins)];
    let entries = trial.read(one, session(1), &subscriptions, (begins, begins.plus(6)));

    assert_eq!(data(&entries), [11, 12, 3, 13]);
}

pub(super) fn what_two_subscriptions_cover_is_read_once(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    for at in 1..=3 {
        trial.publish(one, "/a/b", at);
    }

    let older = begins.plus(1);
    let newer = begins.plus(2);
    let lists = [
        [("/a/b", newer), ("/a/*", older), ("/**", newer)],
        [("/a/*", older), ("/a/*", newer), ("/a/*", newer)],
        [("/a/b", newer), ("/a/b", newer), ("/a/b", older)],
    ];
    for subscriptions in lists {
        let entries = trial.read(one, session(1), &subscriptions, (begins, begins.plus(3)));
        assert_eq!(
            data(&entries),
            [2, 3],
            "from the oldest on: {subscriptions:?}"
        );
    }
}

pub(super) fn a_read_beyond_the_end_gives_what_there_is(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    let end = trial.publish(one, "/a", 1);
    let subscriptions = [("/a", begins)];

    let ahead = trial.read(
        one,
        session(1),
        &subscriptions,
        (begins, begins.plus(1_000)),
    );
    let beyond = trial.read(
        one,
        session(1),
        &subscriptions,
        (end.plus(10), end.plus(20)),
    );

    assert_eq!(data(&ahead), [1]);
    assert!(beyond.is_empty());
}

pub(super) fn a_read_of_nothing_gives_nothing(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    trial.publish(one, "/a", 1);
    let end = trial.publish(one, "/a", 2);

    for range in [(begins, begins), (end, end), (end, begins)] {
        assert!(
            trial
                .read(one, session(1), &[("/a", begins)], range)
                .is_empty(),
            "{range:?}"
        );
    }
}

pub(super) fn a_read_gives_entries_as_they_were_appended(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    let origin = trial.open(one, 1);
    let new = peculiar(origin);
    let expected = appended(&mut trial, one, &new);

    let range = (begins, begins.plus(new.len() as u64));
    let entries = trial.read(one, session(2), &[("/**", begins)], range);

    assert_eq!(whole(&entries), expected);
}

pub(super) fn a_read_gives_what_a_session_published_itself(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    let origin = trial.open(one, 1);
    trial.append(one, by(origin, Fence(1), entry("/a", 1)));
    trial.append(
        one,
        NewEntry {
            echo: Echo::ToOthers,
            ..by(origin, Fence(1), entry("/a", 2))
        },
    );

    let entries = trial.read(one, origin, &[("/a", begins)], (begins, begins.plus(2)));

    assert_eq!(data(&entries), [1, 2]);
    assert_eq!(entries[1].origin, Some(origin));
    assert_eq!(entries[1].echo, Echo::ToOthers);
}

pub(super) fn a_new_node_reads_what_was_there_before_it(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    let append = |at| StoreRequest::Append(Box::new(entry(["/a", "/b"][at % 2], at)));
    let tickets: Vec<_> = (0..1_000).map(|at| trial.submit(one, append(at))).collect();
    for ticket in tickets {
        trial.reply(one, ticket);
    }
    trial.kill(one);

    let (two, end) = trial.node_at();
    let entries = trial.read(two, session(1), &[("/b", begins)], (begins, end));

    assert_eq!(
        data(&entries),
        (0..1_000).filter(|at| at % 2 == 1).collect::<Vec<_>>()
    );
}

pub(super) fn a_read_of_more_than_is_worth_having_is_a_gap(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (one, begins) = trial.node_at();
    for at in 0..3 {
        trial.publish(one, "/a", at);
        trial.publish(one, "/b", at);
    }
    let read = |limit| StoreRequest::Read {
        session: session(1),
        subscriptions: subscriptions(&[("/a", begins)]),
        after: begins,
        until: begins.plus(6),
        limit,
    };

    let too_many = trial.ask(one, read(2));
    let just_right = trial.ask(one, read(3));

    assert!(matches!(too_many, StoreReply::Gap), "{too_many:?}");
    assert!(
        matches!(&just_right, StoreReply::Entries(entries) if data(entries) == [0, 1, 2]),
        "{just_right:?}"
    );
}
