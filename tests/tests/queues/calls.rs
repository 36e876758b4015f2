//! What the application may ask, and each answer.

use core::time::Duration;

use bayeux_core::testing::{Script, event};
use bayeux_core::{
    Call, CallResult, ChannelPattern, CloseReason, Config, ConnectionId, Counters, Decider,
    DeciderId, Extensions, Laziness, Limits, Notice, Operations, Payload, Phase, Position, Removal,
    ReportKind, Reports, Role, SessionId, StoreReply, StoreRequest, Transport,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

fn publishing(channel: &str) -> Call {
    Call::Publish {
        channel: channel.parse().unwrap(),
        data: Payload::from(json!(1)),
        ext: None,
        laziness: Laziness::Prompt,
    }
}

fn delivering(session: SessionId) -> Call {
    Call::Deliver {
        session,
        channel: "/a".parse().unwrap(),
        data: Payload::from(json!(1)),
        laziness: Laziness::Prompt,
    }
}

fn pattern(text: &str) -> ChannelPattern {
    text.parse().unwrap()
}

fn subscribing(session: SessionId, text: &str) -> Call {
    Call::Subscribe {
        session,
        pattern: pattern(text),
    }
}

fn unsubscribing(session: SessionId, text: &str) -> Call {
    Call::Unsubscribe {
        session,
        pattern: pattern(text),
    }
}

fn opened(script: &mut Script) -> (ConnectionId, SessionId) {
    let (connection, result) = script.open_local();
    let CallResult::Opened(session) = result else {
        panic!("{result:?}")
    };
    (connection, session)
}

#[test]
fn what_is_published_is_answered_with_its_place_in_the_log() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");

    assert_eq!(
        script.call(publishing("/a")),
        CallResult::Appended(Position::new(1))
    );
    let ext = Extensions::new().with("x", Payload::from(json!(2)));
    let with_ext = Call::Publish {
        channel: "/a".parse().unwrap(),
        data: Payload::from(json!(2)),
        ext: Some(ext),
        laziness: Laziness::Prompt,
    };
    assert_eq!(
        script.call(with_ext),
        CallResult::Appended(Position::new(2))
    );

    assert_eq!(
        events(&mut script, &alice),
        [
            event("/a", json!(1)),
            json!({"channel": "/a", "data": 2, "ext": {"x": 2}}),
        ]
    );
    script.expect_no_trace();
}

#[test]
fn what_nobody_could_receive_is_not_published() {
    for channel in ["/service/x", "/meta/x", "/meta", "/service"] {
        let mut script = Script::new(Config::default());

        assert_eq!(
            script.call(publishing(channel)),
            CallResult::Limited,
            "{channel}"
        );

        assert_eq!(script.engine().counters().published, 0);
        script.expect_no_trace();
    }
}

#[test]
fn calls_about_a_session_that_is_not_here() {
    let mut script = Script::new(Config::default());
    let session = SessionId::parse(&script.handshaken().session).unwrap();
    script.expect_no_trace();

    for call in [
        delivering(session),
        subscribing(session, "/a"),
        unsubscribing(session, "/a"),
        Call::Disconnect { session },
        Call::Batch { session },
        Call::Flush { session },
        Call::Configure {
            session,
            timeout: None,
            interval: None,
            max_interval: None,
        },
        Call::Inspect { session },
    ] {
        assert_eq!(script.call(call.clone()), CallResult::Unknown, "{call:?}");
    }
    script.expect_no_trace();
}

#[test]
fn calls_that_need_the_store_while_it_is_away() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let alice = session(&alice);

    script.notify(Notice::Down);

    for call in [
        publishing("/a"),
        delivering(alice),
        subscribing(alice, "/a"),
        unsubscribing(alice, "/a"),
    ] {
        assert_eq!(
            script.call(call.clone()),
            CallResult::Unavailable,
            "{call:?}"
        );
    }
    assert!(!script.has_store_requests());
    assert_eq!(script.engine().load().channels, 0);
}

#[test]
fn calls_are_answered_as_the_store_answers() {
    let position = Position::new(1);
    let table = [
        (
            StoreReply::Appended(position),
            CallResult::Appended(position),
        ),
        (StoreReply::Failed, CallResult::Unavailable),
        (StoreReply::Fenced, CallResult::Unknown),
    ];
    for (reply, expected) in table {
        let mut script = Script::with_scripted_store(Config::default());
        let alice = connected_by_hand(&mut script);
        for call in [publishing("/a"), delivering(session(&alice))] {
            let ticket = script.call_later(call);
            assert_eq!(script.result(ticket), None);
            let (request, _) = script.take_store();

            script.stored(request, reply.clone());

            assert_eq!(script.result(ticket), Some(expected.clone()), "{reply:?}");
        }
        script.expect_no_trace();
    }
}

#[test]
fn a_subscription_that_the_store_does_not_keep_is_no_subscription() {
    for (reply, expected, kept) in [
        (StoreReply::Done, CallResult::Done, &["/a"][..]),
        (StoreReply::Failed, CallResult::Unavailable, &[]),
        (StoreReply::Fenced, CallResult::Unknown, &[]),
    ] {
        let mut script = Script::with_scripted_store(Config::default());
        let alice = connected_by_hand(&mut script);
        let ticket = script.call_later(subscribing(session(&alice), "/a"));
        let (request, wanted) = script.take_store();
        assert!(matches!(wanted, StoreRequest::Subscribe { .. }));

        script.stored(request, reply.clone());

        assert_eq!(script.result(ticket), Some(expected), "{reply:?}");
        assert_eq!(subscriptions(&mut script, &alice), kept, "{reply:?}");
        script.expect_no_trace();
    }
}

#[test]
fn a_call_promises_no_subscription_that_another_write_can_take_back() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let first = script.call_later(subscribing(session(&alice), "/a"));
    let (write, _) = script.take_store();
    let second = script.call_later(subscribing(session(&alice), "/a"));
    assert_eq!(script.result(second), None);
    let (another, _) = script.take_store();

    script.stored(write, StoreReply::Failed);
    script.stored(another, StoreReply::Done);

    assert_eq!(script.result(first), Some(CallResult::Unavailable));
    assert_eq!(script.result(second), Some(CallResult::Done));
    assert_eq!(subscriptions(&mut script, &alice), ["/a"]);
    script.expect_no_trace();
}

#[test]
fn a_call_that_the_store_does_not_answer_is_answered_in_the_end() {
    let mut script = Script::with_scripted_store(Config::default());
    let ticket = script.call_later(publishing("/a"));

    script.after(4_999);
    assert_eq!(script.result(ticket), None);
    script.after(1);

    assert_eq!(script.result(ticket), Some(CallResult::Unavailable));
    script.expect_no_trace();
}

#[test]
fn the_application_subscribes_a_session() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    let id = session(&alice);

    assert_eq!(script.call(subscribing(id, "/a/*")), CallResult::Done);
    assert_eq!(script.call(subscribing(id, "/a/*")), CallResult::Done);
    script.publish("/a/b", json!(1));
    assert_eq!(events(&mut script, &alice), [event("/a/b", json!(1))]);

    assert_eq!(script.call(unsubscribing(id, "/a/*")), CallResult::Done);
    assert_eq!(script.call(unsubscribing(id, "/a/*")), CallResult::Done);
    script.publish("/a/b", json!(2));
    assert_eq!(events(&mut script, &alice), [Value::Null; 0]);
    for none in ["/service/x", "/meta/connect", "/meta/*", "/meta"] {
        assert_eq!(
            script.call(subscribing(id, none)),
            CallResult::Limited,
            "{none}"
        );
    }
    script.expect_no_trace();
}

// Proves: CN-16
#[test]
fn a_session_may_be_given_times_of_its_own() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    let held = script.connect(&alice);

    let result = script.call(Call::Configure {
        session: session(&alice),
        timeout: Some(Duration::from_secs(7)),
        interval: None,
        max_interval: Some(Duration::from_secs(1)),
    });

    assert_eq!(result, CallResult::Done);
    deliver(&mut script, &alice, "/a", json!(1), Laziness::Prompt);
    let advice = json!({"reconnect": "retry", "interval": 0, "timeout": 7_000});
    assert_eq!(script.take(held)[1]["advice"], advice);
    let next = script.connect(&alice);
    script.after(6_999).expect_nothing(next);
    script.after(1);
    assert_eq!(script.take(next)[0]["successful"], true);
    script.after(999);
    assert_eq!(script.engine().load().sessions, 1);
    script.after(1);
    assert_eq!(script.engine().load().sessions, 0);
    script.expect_no_trace();
}

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

// Proves: TM-9, PL-9
#[test]
fn a_session_of_the_applications_own_may_do_everything_and_never_expires() {
    let operations = Operations::ALL;
    let mut script = Script::new(Config {
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Policy(operations),
        }],
        ..Config::default()
    });
    let (connection, id) = opened(&mut script);
    let CallResult::Session(view) = script.call(Call::Inspect { session: id }) else {
        panic!("it is here")
    };
    assert_eq!(
        (view.phase, view.transport, view.expires_in),
        (Phase::Local, None, None)
    );

    assert_eq!(script.call(subscribing(id, "/**")), CallResult::Done);
    script.after(100_000_000).publish("/a", json!(1));

    assert!(script.question().is_none(), "nobody is asked");
    script.expect(connection, json!([event("/a", json!(1))]));
    script.call(delivering(id));
    script.expect(connection, json!([event("/a", json!(1))]));
    script.call(unsubscribing(id, "/**"));
    script.publish("/a", json!(2)).expect_nothing(connection);
    script.expect_no_trace();
}

// Proves: TM-9
#[test]
fn a_session_of_the_applications_own_is_no_clients() {
    let mut script = Script::new(Config::default());
    let (connection, id) = opened(&mut script);
    let alice = script.handshaken();
    let stolen = bayeux_core::testing::Client {
        session: id.text(),
        ..alice
    };

    for frame in [
        publish(&stolen, "/a", json!(1)),
        disconnect(&stolen),
        message(
            &stolen,
            "/meta/connect",
            json!({"connectionType": "long-polling"}),
        ),
    ] {
        let reply = ask(&mut script, &stolen, frame);
        assert_eq!(reply[0]["error"], "402::session_unknown");
    }
    script.expect_nothing(connection);
    script.expect_no_trace();
}

#[test]
fn a_session_of_the_applications_own_is_not_in_the_store() {
    let mut script = Script::with_scripted_store(Config::default());
    let (_, id) = opened(&mut script);

    script.call(subscribing(id, "/a"));
    script.call(unsubscribing(id, "/a"));
    script.call(Call::Disconnect { session: id });

    assert!(!script.has_store_requests());
    script.expect_no_trace();
}

#[test]
fn a_session_of_the_applications_own_ends_by_either_side() {
    for by_call in [true, false] {
        let mut script = Script::new(Config::default());
        let (connection, id) = opened(&mut script);
        script.call(subscribing(id, "/a"));
        script.reports();

        if by_call {
            assert_eq!(
                script.call(Call::Disconnect { session: id }),
                CallResult::Done
            );
            let goodbye = json!({"channel": "/meta/disconnect", "successful": true});
            script.expect(connection, json!([goodbye]));
            script
                .after(5_000)
                .expect_closed(connection, CloseReason::Idle);
        } else {
            script.close(connection);
        }

        let removed = ReportKind::SessionRemoved(id, Removal::DisconnectedByServer);
        assert!(script.reports().contains(&removed), "{by_call}");
        assert_eq!(script.engine().load().sessions, 0);
        script.expect_no_trace();
    }
}

#[test]
fn sessions_of_the_applications_own_are_limited() {
    let mut script = Script::new(Config {
        limits: Limits {
            max_sessions: 1,
            ..Limits::default()
        },
        ..Config::default()
    });
    let (connection, _) = opened(&mut script);

    let (_, second) = script.open_local();

    assert_eq!(second, CallResult::Limited);
    assert_eq!(script.call(Call::Open { connection }), CallResult::Limited);
    assert_eq!(script.engine().load().connections, 1);
}

#[test]
fn a_session_of_the_applications_own_has_a_bounded_queue() {
    let mut script = Script::new(Config {
        limits: Limits {
            max_queued_events: 2,
            ..Limits::default()
        },
        reports: Reports { messages: true },
        ..Config::default()
    });
    let (connection, id) = opened(&mut script);
    script.call(subscribing(id, "/a"));
    script.write_by_hand();

    for n in 1..=3 {
        script.publish("/a", json!(n));
    }

    script.expect_closed(connection, CloseReason::SessionOver);
    assert_eq!(script.engine().counters().sessions_overflowed, 1);
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
