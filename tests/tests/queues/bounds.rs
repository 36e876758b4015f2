//! What bounds queues, subscriptions, channels, and the appends and frames of a session.

use core::time::Duration;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Call, CallResult, ChannelRule, CloseReason, Config, Limits, QueuePolicy, Removal, ReportKind,
    Reports, Transport,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

/// Messages reported, and these limits.
pub(super) fn limited(limits: Limits, queue_policy: QueuePolicy) -> Script {
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
pub(super) fn data(script: &mut Script, client: &Client) -> Vec<Value> {
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

// Appends and frames.

// Proves: QU-5, CN-12
#[test]
fn a_socket_whose_session_has_outgrown_its_queue_may_shake_hands_again() {
    let mut script = limited(three_events(), QueuePolicy::End);
    let alice = script.connected_over(Transport::WebSocket, json!({"ack": true}));
    let socket = alice.socket.unwrap();
    script.subscribe(&alice, "/a");
    for n in 1..=4 {
        script.publish("/a", json!(n));
    }
    assert_eq!(script.engine().load().sessions, 0);

    script.after(60_000);
    script.send(
        socket,
        json!({"channel": "/meta/handshake", "version": "1.0"}),
    );

    assert_eq!(script.take(socket)[0]["successful"], true);
    script.expect_no_trace();
}

// Proves: QU-5, QU-6
#[test]
fn an_event_that_was_dropped_hurries_no_lazy_one() {
    let lazy = ChannelRule {
        pattern: "/lazy".parse().unwrap(),
        lazy: Some(Duration::from_secs(1)),
        broadcast_to_publisher: None,
        persistent: false,
    };
    let mut script = Script::new(Config {
        limits: Limits {
            max_queued_events: 1,
            ..Limits::default()
        },
        queue_policy: QueuePolicy::DropOldest,
        channels: vec![lazy],
        ..Config::default()
    });
    let alice = script.connected();
    script.subscribe(&alice, "/**");
    script
        .publish("/prompt", json!(1))
        .publish("/lazy", json!(2));

    let held = script.connect(&alice);

    script.expect_nothing(held).after(1_000);
    assert_eq!(script.take(held)[0], event("/lazy", json!(2)));
    script.expect_no_trace();
}

#[test]
fn the_store_does_not_hear_of_a_session_of_the_applications_own_that_overflows() {
    let mut script = Script::with_scripted_store(Config {
        limits: Limits {
            max_queued_events: 1,
            ..Limits::default()
        },
        ..Config::default()
    });
    let (_, session) = super::calls::opened(&mut script);
    script.call(super::calls::subscribing(session, "/a"));
    script.write_by_hand();

    script.notify(entries(1, "/a", &[1, 2, 3]));

    assert_eq!(script.engine().load().sessions, 0);
    assert!(!script.has_store_requests());
}
