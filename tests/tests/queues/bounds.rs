//! What bounds queues, subscriptions, channels, and the appends and frames of a session.

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Call, CallResult, ChannelPattern, ChannelRule, CloseReason, Config, Decider, DeciderId, Input,
    Limits, Messages, Position, QueuePolicy, Removal, ReportKind, Reports, Role, Scope, StoreReply,
    StoreRequest, StoreTicket, Transport, Verdict,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

/// Messages reported, and these limits.
fn limited(limits: Limits, queue_policy: QueuePolicy) -> Script {
    Script::new(Config {
        limits,
        queue_policy,
        reports: Reports { messages: true },
        ..Config::default()
    })
}

/// Queues of three events.
fn three_events() -> Limits {
    Limits {
        max_queued_events: 3,
        ..Limits::default()
    }
}

/// What the next connect brings of `/a`.
fn data(script: &mut Script, client: &Client) -> Vec<Value> {
    events(script, client)
        .iter()
        .map(|event| event["data"].clone())
        .collect()
}

fn dropped(script: &mut Script) -> Vec<u64> {
    let mut positions = Vec::new();
    for report in script.reports() {
        if let ReportKind::Dropped(_, position) = report {
            positions.push(position.number());
        }
    }
    positions
}

// Proves: QU-5
#[test]
fn a_queue_that_is_full_ends_its_session() {
    let mut script = limited(three_events(), QueuePolicy::End);
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&alice, "/a").subscribe(&bob, "/a");
    for n in 1..=3 {
        script.publish("/a", json!(n));
        assert_eq!(data(&mut script, &bob), [n]);
    }
    assert_eq!(view(&mut script, &alice).queued.0, 3);
    script.reports();

    script.publish("/a", json!(4));

    let removed = ReportKind::SessionRemoved(session(&alice), Removal::QueueFull);
    assert!(script.reports().contains(&removed));
    assert_eq!(script.engine().counters().sessions_overflowed, 1);
    assert_eq!(script.engine().counters().events_discarded, 3);
    let poll = script.connect(&alice);
    let reply = script.take(poll);
    assert_eq!(reply[0]["error"], "402::session_unknown");
    assert_eq!(reply[0]["advice"]["reconnect"], "handshake");
    assert_eq!(data(&mut script, &bob), [4], "nobody else notices");
    script.expect_no_trace();
}

// Proves: QU-5
#[test]
fn a_full_queue_may_drop_the_oldest_or_the_newest() {
    for (policy, kept, gone) in [
        (QueuePolicy::DropOldest, [3, 4, 5], [1, 2]),
        (QueuePolicy::DropNewest, [1, 2, 3], [4, 5]),
    ] {
        let mut script = limited(three_events(), policy);
        let alice = script.connected();
        script.subscribe(&alice, "/a");

        for n in 1..=5 {
            script.publish("/a", json!(n));
        }

        assert_eq!(dropped(&mut script), gone, "{policy:?}");
        assert_eq!(script.engine().counters().events_dropped, 2);
        assert_eq!(data(&mut script, &alice), kept, "{policy:?}");
        assert_eq!(script.engine().load().sessions, 1);
        script.expect_no_trace();
    }
}

// Proves: QU-5
#[test]
fn a_queue_is_bounded_in_bytes() {
    for policy in [
        QueuePolicy::End,
        QueuePolicy::DropOldest,
        QueuePolicy::DropNewest,
    ] {
        let limits = Limits {
            max_queued_bytes: 1_000,
            ..Limits::default()
        };
        let mut script = limited(limits, policy);
        let alice = script.connected();
        script.subscribe(&alice, "/a");
        for n in 0..20 {
            script.publish("/a", json!(n));
        }

        for _ in 0..10 {
            script.publish("/a", json!("x".repeat(300)));
            if policy == QueuePolicy::End {
                continue;
            }
            let (_, bytes) = view(&mut script, &alice).queued;
            assert!(bytes <= 1_000, "{policy:?}: {bytes}");
        }

        let sessions = usize::from(policy != QueuePolicy::End);
        assert_eq!(script.engine().load().sessions, sessions, "{policy:?}");
        let counters = *script.engine().counters();
        let left = match policy {
            QueuePolicy::End => 0,
            QueuePolicy::DropOldest | QueuePolicy::DropNewest => {
                view(&mut script, &alice).queued.0 as u64
            }
        };
        let reported = dropped(&mut script).len() as u64;
        assert_eq!(reported, counters.events_dropped, "{policy:?}");
        if policy == QueuePolicy::DropOldest {
            assert_eq!(left + counters.events_dropped, 30);
        }
        script.expect_no_trace();
    }
}

// Proves: QU-5
#[test]
fn an_event_that_no_queue_could_hold_is_dropped_alone() {
    let limits = Limits {
        max_queued_bytes: 1_000,
        ..Limits::default()
    };
    let mut script = limited(limits, QueuePolicy::DropOldest);
    let alice = script.connected();
    script.subscribe(&alice, "/a").publish("/a", json!(1));

    script.publish("/a", json!("x".repeat(2_000)));

    assert_eq!(dropped(&mut script), [2]);
    assert_eq!(data(&mut script, &alice), [1]);
    script.expect_no_trace();
}

// Proves: QU-5
#[test]
fn what_is_on_its_way_is_not_dropped() {
    let mut script = limited(three_events(), QueuePolicy::DropOldest);
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    let socket = alice.socket.unwrap();
    script.subscribe(&alice, "/a").write_by_hand();

    for n in 1..=5 {
        script.publish("/a", json!(n));
    }

    script.expect(socket, json!([event("/a", json!(1))]));
    assert_eq!(dropped(&mut script), [2, 3]);
    script.written(socket);
    script.expect(
        socket,
        json!([event("/a", json!(4)), event("/a", json!(5))]),
    );
    script.expect_no_trace();
}

// Proves: QU-5
#[test]
fn with_acknowledgement_a_full_queue_always_ends_the_session() {
    for policy in [
        QueuePolicy::End,
        QueuePolicy::DropOldest,
        QueuePolicy::DropNewest,
    ] {
        let mut script = limited(three_events(), policy);
        let alice = script.connected_over(Transport::LongPolling, json!({"ack": true}));
        script.subscribe(&alice, "/a");

        for n in 1..=4 {
            script.publish("/a", json!(n));
        }

        assert_eq!(
            script.engine().counters().sessions_overflowed,
            1,
            "{policy:?}"
        );
        assert_eq!(script.engine().counters().events_dropped, 0, "{policy:?}");
        let poll = script.connect(&alice);
        assert_eq!(script.take(poll)[0]["advice"]["reconnect"], "handshake");
        script.expect_no_trace();
    }
}

// Proves: QU-5
#[test]
fn who_takes_nothing_any_more_is_cut_when_the_queue_is_full() {
    let mut script = limited(three_events(), QueuePolicy::End);
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    let socket = script.connect(&alice);
    script.subscribe(&alice, "/a").write_by_hand();

    for n in 1..=4 {
        script.publish("/a", json!(n));
    }

    script.expect_closed(socket, CloseReason::SessionOver);
    assert_eq!(script.engine().load().sessions, 0);
    script.expect_no_trace();
}

// Proves: QU-5
#[test]
fn a_queue_that_is_full_ends_one_of_many_subscribers() {
    let mut script = limited(three_events(), QueuePolicy::End);
    let clients = Vec::from_iter((0..5).map(|_| {
        let client = script.connected();
        script.subscribe(&client, "/a");
        client
    }));
    for n in 1..=4 {
        script.publish("/a", json!(n));
        for (at, client) in clients.iter().enumerate() {
            if at % 2 == 1 {
                assert_eq!(data(&mut script, client), [n], "{at}");
            }
        }
    }

    assert_eq!(script.engine().load().sessions, 2);
    script.publish("/a", json!(5));
    for client in [&clients[1], &clients[3]] {
        assert_eq!(data(&mut script, client), [5]);
    }
    script.expect_no_trace();
}

// Channels.

#[test]
fn a_subscription_makes_no_channel_beyond_the_limit() {
    let limits = Limits {
        max_channels: 2,
        ..Limits::default()
    };
    let mut script = limited(limits, QueuePolicy::End);
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&bob, "/there");

    let wanted = json!(["/there", "/new", "/new", "/more"]);
    let reply = ask(&mut script, &alice, subscribe(&alice, wanted));

    assert_eq!(reply[0]["error"], "403:too_many_channels:create_denied");
    assert_eq!(subscriptions(&mut script, &alice), ["/there", "/new"]);
    assert_eq!(script.engine().load().channels, 2);
    assert_eq!(script.engine().counters().channels_limited, 1);
    script.expect_no_trace();
}

#[test]
fn a_publish_needs_no_channel_beyond_the_limit() {
    let limits = Limits {
        max_channels: 1,
        ..Limits::default()
    };
    let mut script = limited(limits, QueuePolicy::End);
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&bob, "/**");

    let reply = ask(&mut script, &alice, publish(&alice, "/new", json!(1)));

    assert_eq!(reply, json!([ok("/new")]));
    assert_eq!(data(&mut script, &bob), [1]);
    assert_eq!(script.engine().load().channels, 1);
    assert_eq!(script.engine().counters().channels_limited, 1);
    script.expect_no_trace();
}

#[test]
fn calls_obey_the_limits() {
    let limits = Limits {
        max_channels: 2,
        max_subscriptions: 1,
        ..Limits::default()
    };
    let mut script = limited(limits, QueuePolicy::End);
    let (alice, bob, carol) = (script.connected(), script.connected(), script.connected());
    let mut call = |client: &Client, pattern: &str| {
        script.call(Call::Subscribe {
            session: session(client),
            pattern: pattern.parse().unwrap(),
        })
    };

    assert_eq!(call(&alice, "/a"), CallResult::Done);
    assert_eq!(call(&alice, "/a"), CallResult::Done, "it has that already");
    assert_eq!(call(&alice, "/b"), CallResult::Limited, "one subscription");
    assert_eq!(call(&bob, "/b"), CallResult::Done);
    assert_eq!(call(&carol, "/c"), CallResult::Limited, "two channels");
    assert_eq!(call(&carol, "/b"), CallResult::Done);

    assert_eq!(script.engine().load().channels, 2);
    let counters = script.engine().counters();
    assert_eq!(
        (counters.subscriptions_limited, counters.channels_limited),
        (1, 1)
    );
    script.expect_no_trace();
}

fn channel_reports(script: &mut Script) -> Vec<(char, String)> {
    let mut channels = Vec::new();
    for report in script.reports() {
        if let ReportKind::ChannelCreated(channel) = &report {
            channels.push(('+', channel.as_str().to_owned()));
        }
        if let ReportKind::ChannelRemoved(channel) = &report {
            channels.push(('-', channel.as_str().to_owned()));
        }
    }
    channels
}

fn created(channel: &str) -> Vec<(char, String)> {
    vec![('+', channel.to_owned())]
}

fn removed(channel: &str) -> Vec<(char, String)> {
    vec![('-', channel.to_owned())]
}

// Proves: CH-13
#[test]
fn a_channel_that_is_published_to_stays_for_three_sweeps() {
    for by_call in [true, false] {
        let mut script = Script::new(Config::default());
        let socket = script.connected_over(Transport::WebSocket, Value::Null);
        script.connect(&socket);
        let publish_again = |script: &mut Script| {
            if by_call {
                script.publish("/a", json!(1));
            } else {
                script.request(&socket, publish(&socket, "/a", json!(1)));
            }
        };

        publish_again(&mut script);
        assert_eq!(channel_reports(&mut script), created("/a"), "{by_call}");
        script.after(2_000);
        publish_again(&mut script);
        script.after(2_990);
        assert_eq!(channel_reports(&mut script), [], "used again");
        script.after(1);

        assert_eq!(channel_reports(&mut script), removed("/a"));
        assert_eq!(script.engine().load().channels, 0);
        publish_again(&mut script);
        assert_eq!(channel_reports(&mut script), created("/a"));
        script.expect_no_trace();
    }
}

// Proves: CH-13
#[test]
fn a_channel_stays_while_somebody_is_subscribed() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    script.connect(&alice);
    script.subscribe(&alice, "/a/*");
    assert_eq!(channel_reports(&mut script), created("/a/*"));

    script.after(20_000);
    assert_eq!(channel_reports(&mut script), []);
    script.request(&alice, unsubscribe(&alice, json!("/a/*")));
    script.after(2_990);
    assert_eq!(channel_reports(&mut script), []);
    script.after(1);

    assert_eq!(channel_reports(&mut script), removed("/a/*"));
    script.expect_no_trace();
}

// Proves: CH-13
#[test]
fn a_channel_is_used_again_when_somebody_subscribes_in_time() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    script.connect(&alice);
    script
        .publish("/a", json!(1))
        .after(2_990)
        .subscribe(&alice, "/a");

    script.after(20_000);

    assert_eq!(channel_reports(&mut script), created("/a"));
    script.expect_no_trace();
}

// Proves: CH-13
#[test]
fn a_persistent_channel_stays() {
    let mut script = Script::new(Config {
        channels: vec![ChannelRule {
            pattern: "/a/*".parse().unwrap(),
            lazy: None,
            broadcast_to_publisher: None,
            persistent: true,
        }],
        ..Config::default()
    });

    script
        .publish("/a/b", json!(1))
        .publish("/b", json!(1))
        .after(10_000);

    let CallResult::Channels(channels, None) =
        script.call(Call::ListChannels { from: 0, limit: 10 })
    else {
        panic!("channels are listed")
    };
    let stays: ChannelPattern = "/a/b".parse().unwrap();
    assert_eq!(channels, [(stays, 0)]);
}

// Appends and frames.

/// A socket client of a script whose store is played by the test.
fn flooding() -> (Script, Client) {
    let mut script = Script::with_scripted_store(Config::default());
    let connection = script.open(Transport::WebSocket);
    script.send(
        connection,
        json!({
            "channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": ["websocket"],
        }),
    );
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
    let reply = script.take(connection);
    let client = Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        transport: Transport::WebSocket,
        socket: Some(connection),
        peer: bayeux_core::Peer::default(),
    };
    script.first_connect(&client);
    (script, client)
}

/// Takes the appends that the store was asked for: their tickets, and what they say.
fn appends(script: &mut Script) -> Vec<(StoreTicket, Value)> {
    let mut appends = Vec::new();
    while script.has_store_requests() {
        let (ticket, request) = script.take_store();
        let StoreRequest::Append(entry) = request else {
            panic!("{request:?}")
        };
        let event: Value = serde_json::from_slice(entry.event.object()).unwrap();
        appends.push((ticket, event["data"].clone()));
    }
    appends
}

fn stored(script: &mut Script, position: u64, ticket: StoreTicket) {
    script.stored(ticket, StoreReply::Appended(Position::new(position)));
}

// Proves: MO-6
#[test]
fn a_batch_pauses_at_64_open_appends_and_goes_on() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let (mut script, alice) = if transport.is_exchange() {
            let mut script = Script::with_scripted_store(Config::default());
            let alice = connected_by_hand(&mut script);
            (script, alice)
        } else {
            flooding()
        };
        let frame = Vec::from_iter((0..1_000).map(|n| publish(&alice, "/a", json!(n))));

        let connection = script.request(&alice, json!(frame));

        let mut open = appends(&mut script);
        assert_eq!(open.len(), 64);
        let mut seen = Vec::new();
        while !open.is_empty() {
            assert!(open.len() <= 64);
            script.expect_nothing(connection);
            let (ticket, data) = open.remove(0);
            seen.push(data);
            stored(&mut script, seen.len() as u64, ticket);
            open.extend(appends(&mut script));
        }
        assert_eq!(seen, Vec::from_iter((0..1_000).map(|n| json!(n))));
        assert_eq!(script.take(connection), json!(vec![ok("/a"); 1_000]));
        script.expect_no_trace();
    }
}

// Proves: MO-6
#[test]
fn a_publisher_that_floods_is_slowed_down() {
    let (mut script, alice) = flooding();
    let socket = alice.socket.unwrap();

    let mut sent = 0;
    while script.is_asked(socket) {
        script.request(&alice, publish(&alice, "/a", json!(sent)));
        sent += 1;
        assert!(sent <= 64, "its frames are taken in without end");
    }

    assert_eq!(sent, 64);
    let open = appends(&mut script);
    stored(&mut script, 1, open[0].0);
    assert!(
        script.is_asked(socket),
        "it goes on when the store has caught up"
    );
    script.expect(socket, json!([ok("/a")]));
    script.request(&alice, publish(&alice, "/a", json!(sent)));
    assert!(!script.is_asked(socket));
    for (position, (ticket, _)) in (2..).zip(open.into_iter().skip(1)) {
        stored(&mut script, position, ticket);
    }
    script.expect_no_trace();
}

// Proves: MO-6
#[test]
fn a_batch_that_pauses_is_not_followed_by_the_next_frame() {
    let (mut script, alice) = flooding();
    let socket = alice.socket.unwrap();
    let frame = Vec::from_iter((0..65).map(|n| publish(&alice, "/a", json!(n))));

    script.request(&alice, json!(frame));

    assert!(!script.is_asked(socket));
    let open = appends(&mut script);
    stored(&mut script, 1, open[0].0);
    assert!(script.is_asked(socket), "all of its messages are taken in");
    script.expect_no_trace();
}

// Proves: MO-6
#[test]
fn exchanges_that_wait_for_the_store_all_go_on() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let frame = Vec::from_iter((0..64).map(|n| publish(&alice, "/a", json!(n))));
    script.request(&alice, json!(frame));
    let open = appends(&mut script);
    // Messages that need no append, in more requests than appends are open.
    let waiting = Vec::from_iter((0..100).map(|_| {
        let request = publish(&alice, "/service/x", json!(1));
        let connection = script.request(&alice, request);
        script.expect_nothing(connection);
        connection
    }));

    for (position, (ticket, _)) in (1..).zip(open) {
        stored(&mut script, position, ticket);
    }

    for connection in waiting {
        script.expect(connection, json!([ok("/service/x")]));
    }
    script.expect_no_trace();
}

// Proves: MO-6
#[test]
fn a_publisher_without_client_is_slowed_down_as_well() {
    for behind in [true, false] {
        let mut script = Script::with_scripted_store(Config {
            allow_connectionless_publish: true,
            ..Config::default()
        });
        let alice = connected_by_hand(&mut script);
        let bare = (0..100).map(|n| json!({"channel": "/a", "data": n}));
        let first = behind.then(|| publish(&alice, "/service/x", json!(0)));
        let frame = Vec::from_iter(first.into_iter().chain(bare));
        let count = frame.len();

        let connection = script.post(json!(frame));

        let mut open = appends(&mut script);
        assert_eq!(open.len(), 64, "{behind}");
        let mut position = 0;
        while let Some((ticket, _)) = open.pop() {
            position += 1;
            stored(&mut script, position, ticket);
            open.extend(appends(&mut script));
        }
        assert_eq!(position, 100);
        let replies = script.take(connection);
        assert_eq!(replies.as_array().unwrap().len(), count);
        script.expect_no_trace();
    }
}

// Proves: WS-13
#[test]
fn the_next_frame_is_asked_for_when_the_one_before_is_processed() {
    let mut script = Script::new(Config {
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Handler(Scope::Pattern("/service/*".parse().unwrap())),
        }],
        ..Config::default()
    });
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    let socket = alice.socket.unwrap();
    assert!(script.is_asked(socket));

    script.request(&alice, publish(&alice, "/service/x", json!(1)));

    assert!(!script.is_asked(socket));
    script.decide(Verdict::Allow);
    assert!(script.is_asked(socket));
    script.connect(&alice);
    assert!(
        script.is_asked(socket),
        "a connect that is held is processed"
    );
    script.expect_no_trace();
}

// Proves: WS-13
#[test]
fn a_peer_that_does_not_read_is_not_read_from_without_end() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    let socket = alice.socket.unwrap();
    script.write_by_hand();

    let mut sent = 0;
    while script.is_asked(socket) {
        script.request(&alice, publish(&alice, "/a", json!(sent)));
        sent += 1;
        assert!(sent <= 1_000, "its replies gather without end");
    }

    for _ in 0..2 {
        script.written(socket);
    }
    assert!(
        script.is_asked(socket),
        "it reads again, and is read from again"
    );
    assert_eq!(messages(&mut script, socket).len(), sent);
    script.expect_no_trace();
}

#[test]
fn a_frame_that_nobody_asked_for_closes_the_connection() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::with_scripted_store(Config::default());
        let connection = script.open(transport);
        let frame = json!({
            "channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": [transport.name()],
        });
        script.send(connection, frame.clone());
        let messages = Messages::decode(frame.to_string(), &Default::default()).unwrap();

        script.fact(Input::Received {
            connection,
            messages,
        });

        script.expect_closed(connection, CloseReason::Unasked);
        assert_eq!(
            script.engine().counters().frames_unasked,
            1,
            "{transport:?}"
        );
        assert_eq!(CloseReason::Unasked.close_code(), 1008);
        assert_eq!(CloseReason::Unasked.http_status(500), 400);
        script.expect_no_trace();
    }
}

#[test]
fn a_frame_on_a_session_of_the_applications_own_closes_it() {
    let mut script = Script::new(Config::default());
    let (connection, _) = script.open_local();
    let messages = Messages::decode("[{}]", &Default::default()).unwrap();

    script.fact(Input::Received {
        connection,
        messages,
    });

    script.expect_closed(connection, CloseReason::Unasked);
    script.expect_no_trace();
}

#[test]
fn what_concerns_nobody_is_counted_and_ignored() {
    let mut script = Script::new(Config::default());
    let gone = bayeux_core::ConnectionId::new(77);
    let messages = Messages::decode("[{}]", &Default::default()).unwrap();
    for fact in [
        Input::Received {
            connection: gone,
            messages,
        },
        Input::Written { connection: gone },
        Input::Closed { connection: gone },
        Input::Stored {
            ticket: StoreTicket::new(77),
            reply: StoreReply::Done,
        },
        Input::Decided {
            ticket: bayeux_core::DecisionTicket::new(77),
            verdict: Verdict::Allow,
        },
    ] {
        let before = script.engine().counters().facts_ignored;
        script.fact(fact.clone());
        assert_eq!(
            script.engine().counters().facts_ignored,
            before + 1,
            "{fact:?}"
        );
    }

    let connection = script.open(bayeux_core::Transport::WebSocket);
    let before = script.engine().counters().facts_ignored;
    script.fact(Input::Written { connection });
    assert_eq!(
        script.engine().counters().facts_ignored,
        before + 1,
        "nothing was sent there"
    );
    script.expect_no_trace();
}
