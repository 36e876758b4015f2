//! What the application is told of sessions, channels and counts.

use core::time::Duration;

use super::calls::{opened, pattern};
use bayeux_core::testing::Script;
use bayeux_core::{
    BrowserId, Call, CallResult, ChannelPattern, Config, Counters, Decider, DeciderId, Load, Peer,
    Phase, Role, SessionId, Transport,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

/// All pages of a list, and how many there were.
fn pages<T>(
    script: &mut Script,
    call: impl Fn(u32) -> Call,
    page: impl Fn(CallResult) -> (Vec<T>, Option<u32>),
    limit: usize,
) -> Vec<T> {
    let mut all = Vec::new();
    let mut from = 0;
    for _ in 0..100 {
        let (items, next) = page(script.call(call(from)));
        assert!(items.len() <= limit);
        all.extend(items);
        match next {
            Some(next) => {
                assert!(next > from, "the next page begins behind this one");
                from = next;
            }
            None => return all,
        }
    }
    panic!("the list does not end")
}

fn sessions(result: CallResult) -> (Vec<SessionId>, Option<u32>) {
    let CallResult::Sessions(sessions, next) = result else {
        panic!("{result:?}")
    };
    (sessions, next)
}

fn channels(result: CallResult) -> (Vec<(ChannelPattern, u32)>, Option<u32>) {
    let CallResult::Channels(channels, next) = result else {
        panic!("{result:?}")
    };
    (channels, next)
}

#[test]
fn everything_is_listed_once_in_pages_of_any_size() {
    for limit in [1_u32, 2, 3, 7, 100, u32::MAX] {
        let mut script = Script::new(Config::default());
        let clients = Vec::from_iter((0..7).map(|_| script.connected()));
        for (at, client) in clients.iter().enumerate() {
            script
                .subscribe(client, "/all")
                .subscribe(client, &format!("/own/{at}"));
        }
        // Gaps, where somebody has gone.
        for gone in [&clients[0], &clients[3]] {
            ask(&mut script, gone, disconnect(gone));
        }
        let mut left: Vec<_> = clients.iter().map(session).collect();
        left.remove(3);
        left.remove(0);
        left.sort();
        let size = limit as usize;

        let call = |from| Call::ListSessions { from, limit };
        let mut listed = pages(&mut script, call, sessions, size);
        listed.sort();
        assert_eq!(listed, left, "{limit}");

        let call = |from| Call::ListSubscribers {
            pattern: pattern("/all"),
            from,
            limit,
        };
        let mut listed = pages(&mut script, call, sessions, size);
        listed.sort();
        assert_eq!(listed, left, "{limit}");

        let call = |from| Call::ListChannels { from, limit };
        let mut listed = pages(&mut script, call, channels, size);
        listed.sort();
        let own = |at| {
            (
                pattern(&format!("/own/{at}")),
                u32::from(at != 0 && at != 3),
            )
        };
        let mut expected = Vec::from_iter((0..7).map(own));
        expected.insert(0, (pattern("/all"), 5));
        assert_eq!(listed, expected, "{limit}");
        script.expect_no_trace();
    }
}

#[test]
fn those_channels_that_exist_are_found_with_their_subscribers() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (script.connected(), script.connected());
    script
        .subscribe(&alice, "/a")
        .subscribe(&bob, "/a")
        .subscribe(&bob, "/a/*");
    let patterns = ["/nowhere", "/a/*", "/a/b", "/a"].map(pattern).to_vec();

    let found = script.call(Call::FindChannels { patterns });

    let expected = vec![(pattern("/a/*"), 1), (pattern("/a"), 2)];
    assert_eq!(found, CallResult::Channels(expected, None));
    script.expect_no_trace();
}

#[test]
fn nobody_listens_to_what_does_not_exist() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a/*");

    for text in ["/nowhere", "/a/b", "/a/**"] {
        let call = Call::ListSubscribers {
            pattern: pattern(text),
            from: 0,
            limit: 10,
        };
        assert_eq!(
            script.call(call),
            CallResult::Sessions(Vec::new(), None),
            "{text}"
        );
    }
    script.expect_no_trace();
}

#[test]
fn a_session_is_inspected_in_every_phase() {
    let policy = Decider {
        id: DeciderId(1),
        role: Role::Incoming,
    };
    let mut script = Script::new(Config::default());
    let alice = script.handshaken_over(Transport::LongPolling, json!({"ack": true}));
    let seen = view(&mut script, &alice);
    assert_eq!(seen.session, session(&alice));
    assert_eq!((seen.phase, seen.transport), (Phase::Fresh, None));
    assert!(seen.acknowledged);
    assert_eq!(seen.expires_in, Some(Duration::from_secs(10)));

    script.first_connect(&alice);
    script
        .subscribe(&alice, "/a")
        .after(4_000)
        .publish("/a", json!(1));
    let seen = view(&mut script, &alice);
    assert_eq!(
        (seen.phase, seen.transport),
        (Phase::Away, Some(Transport::LongPolling))
    );
    assert_eq!(seen.expires_in, Some(Duration::from_secs(6)));
    assert_eq!(seen.subscriptions, [pattern("/a")]);
    assert_eq!(seen.queued.0, 1);
    assert!(seen.queued.1 > 0);

    script.connect_with(&alice, json!({"ext": {"ack": 1}}));
    let seen = view(&mut script, &alice);
    assert_eq!(
        (seen.phase, seen.queued, seen.expires_in),
        (Phase::Held, (0, 0), None)
    );

    let change = bayeux_core::Change::AddDecider(policy);
    script.fact(bayeux_core::Input::Configured { change });
    script.connect(&alice);
    script.decide(bayeux_core::Verdict::Allow);
    let change = bayeux_core::Change::RemoveDecider(DeciderId(1));
    script.fact(bayeux_core::Input::Configured { change });
    assert_eq!(view(&mut script, &alice).phase, Phase::Held);
    script.expect_no_trace();
}

#[test]
fn what_was_counted_is_told() {
    let mut script = Script::new(Config::default());
    script.connected();

    let result = script.call(Call::Count);

    let CallResult::Counters(counters) = result else {
        panic!("{result:?}")
    };
    assert_eq!(counters.handshakes, 1);
    assert_eq!(*counters, *script.engine().counters());
    script.call(Call::Count);
    assert_eq!(script.engine().counters().facts, counters.facts + 1);
    assert!(
        counters
            .iter()
            .any(|(name, count)| (name, count) == ("handshakes", 1))
    );
    assert_eq!(counters.plus(&counters).handshakes, 2);
    assert_eq!(
        Counters::default()
            .iter()
            .map(|(_, count)| count)
            .sum::<u64>(),
        0
    );
}

#[test]
fn the_census_has_each_session_where_it_stands() {
    let mut script = Script::new(Config::default());
    let count =
        |script: &Script, phase, transport| script.engine().census().count(phase, transport);
    let (polling, socket) = (Some(Transport::LongPolling), Some(Transport::WebSocket));

    let alice = script.handshaken();
    assert_eq!(count(&script, Phase::Fresh, polling), 1);
    script.first_connect(&alice);
    assert_eq!(count(&script, Phase::Fresh, polling), 0);
    assert_eq!(count(&script, Phase::Away, polling), 1);
    let bob = script.connected_over(Transport::WebSocket, json!({}));
    script.connect(&bob);
    assert_eq!(count(&script, Phase::Held, socket), 1);
    opened(&mut script);
    assert_eq!(count(&script, Phase::Local, None), 1);

    let census = *script.engine().census();
    assert_eq!(census.plus(&census).count(Phase::Held, socket), 2);
    script.after(400_000);
    let left: Vec<_> = script
        .engine()
        .census()
        .iter()
        .filter(|kind| kind.2 > 0)
        .collect();
    assert_eq!(left, [(Phase::Local, None, 1)]);
}

#[test]
fn the_last_page_of_subscribers_is_full_without_another() {
    let mut script = Script::new(Config::default());
    let clients = [script.connected(), script.connected()];
    for client in &clients {
        script.subscribe(client, "/a");
    }

    let listed = script.call(Call::ListSubscribers {
        pattern: pattern("/a"),
        from: 0,
        limit: 2,
    });

    let all = clients.iter().map(session).collect();
    assert_eq!(listed, CallResult::Sessions(all, None));
    script.expect_no_trace();
}

#[test]
fn the_load_has_everything_that_is_there() {
    let mut script = Script::with_scripted_store(Config::default());
    assert_eq!(script.engine().load(), Load::default());
    let alice = connected_by_hand(&mut script);
    script.connect(&alice);
    let decider = Decider {
        id: DeciderId(1),
        role: Role::Incoming,
    };
    let change = bayeux_core::Change::AddDecider(decider);
    script.fact(bayeux_core::Input::Configured { change });

    script.call_later(super::calls::subscribing(session(&alice), "/a"));
    script.post(publish(&alice, "/b", json!(1)));

    let load = script.engine().load();
    assert_eq!((load.sessions, load.connections), (1, 2));
    assert_eq!((load.channels, load.subscriptions), (1, 1));
    assert_eq!((load.requests, load.tickets, load.unconfirmed), (1, 2, 1));
    let timers = load.timers;
    assert!(timers > 2, "the hold, both answers: {timers}");
    script.expect_no_trace();
}

#[test]
fn the_load_has_the_browsers_that_hold_connects_and_the_addresses_of_sessions() {
    let mut script = Script::new(Config::default());
    for number in 1..=3 {
        let text = format!("{number:0>24}");
        let alice = script.handshaken_as(
            Peer {
                browser: BrowserId::parse(&text),
                address: format!("192.0.2.{number}").parse().ok(),
                ..Peer::default()
            },
            Transport::LongPolling,
            Value::Null,
        );
        script.first_connect(&alice);
        script.connect(&alice);
    }

    let load = script.engine().load();

    assert_eq!((load.browsers, load.addresses), (3, 3));
    script.expect_no_trace();
}
