//! Lazy events (QU-6 to QU-8).

use core::time::Duration;

use bayeux_core::testing::{Script, event};
use bayeux_core::{ChannelRule, Config, Laziness, Transport};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

/// A script with channels that are lazy for so many milliseconds.
fn with_lazy(rules: &[(&str, u64)]) -> Config {
    let rule = |(pattern, millis): &(&str, u64)| ChannelRule {
        pattern: pattern.parse().unwrap(),
        lazy: Some(Duration::from_millis(*millis)),
        broadcast_to_publisher: None,
        persistent: false,
    };
    Config {
        channels: rules.iter().map(rule).collect(),
        ..Config::default()
    }
}

// Proves: QU-6
#[test]
fn a_lazy_event_leaves_after_its_channels_timeout_at_the_latest() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(with_lazy(&[("/a", 1_000)]));
        let alice = script.connected_over(transport, Value::Null);
        script.subscribe(&alice, "/a");
        let held = script.connect(&alice);

        script.publish("/a", json!(1));

        script.after(999).expect_nothing(held);
        script.after(1);
        assert_eq!(script.take(held)[0], event("/a", json!(1)), "{transport:?}");
        script.expect_no_trace();
    }
}

// Proves: QU-6
#[test]
fn a_lazy_event_leaves_with_the_next_response_or_flush() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        for with in ["event", "response"] {
            let mut script = Script::new(with_lazy(&[("/a", 1_000)]));
            let alice = script.connected_over(transport, Value::Null);
            script.subscribe(&alice, "/**");
            let held = script.connect(&alice);
            script.publish("/a", json!(1)).expect_nothing(held);

            let carrier = if with == "event" {
                script.publish("/b", json!(2));
                held
            } else {
                script.request(&alice, publish(&alice, "/b", json!(2)))
            };

            let frame = script.take(carrier);
            assert_eq!(frame[0], event("/a", json!(1)), "{transport:?} {with}");
            assert_eq!(frame[1], event("/b", json!(2)), "{transport:?} {with}");
            while script.try_take(held).is_some() {}
            if !transport.is_exchange() {
                // Nothing is left to hurry.
                script.after(1_000).expect_nothing(held);
            }
            script.expect_no_trace();
        }
    }
}

// Proves: QU-6
#[test]
fn the_earliest_deadline_wins() {
    for first in ["/slow", "/fast"] {
        let second = if first == "/slow" { "/fast" } else { "/slow" };
        let mut script = Script::new(with_lazy(&[("/slow", 3_000), ("/fast", 1_000)]));
        let alice = script.connected();
        script.subscribe(&alice, "/**");
        let held = script.connect(&alice);

        script.publish(first, json!(1)).publish(second, json!(2));

        script.after(999).expect_nothing(held);
        script.after(1);
        assert_eq!(script.take(held)[1], event(second, json!(2)));
        script.expect_no_trace();
    }
}

// Proves: QU-6
#[test]
fn how_long_a_lazy_event_waits() {
    // The channel's timeout, the server's, whether the message is lazy, and the wait.
    let table = [
        (None, 5_000, Laziness::Prompt, 0),
        (None, 5_000, Laziness::Lazy, 5_000),
        (None, 0, Laziness::Lazy, 0),
        (Some(0), 5_000, Laziness::Prompt, 5_000),
        (Some(0), 0, Laziness::Prompt, 0),
        (Some(100), 0, Laziness::Prompt, 100),
        (Some(100), 5_000, Laziness::Lazy, 100),
    ];
    for (own, server, laziness, wait) in table {
        let mut config = match own {
            Some(own) => with_lazy(&[("/a", own)]),
            None => Config::default(),
        };
        config.max_lazy_timeout = Duration::from_millis(server);
        let mut script = Script::new(config);
        let alice = script.connected();
        script.subscribe(&alice, "/a");
        let held = script.connect(&alice);

        script.call(bayeux_core::Call::Publish {
            channel: "/a".parse().unwrap(),
            data: bayeux_core::Payload::from(json!(1)),
            ext: None,
            laziness,
        });

        if wait > 0 {
            script.after(wait - 1).expect_nothing(held);
            script.after(1);
        }
        let frame = script.take(held);
        assert_eq!(
            frame[0],
            event("/a", json!(1)),
            "{own:?} {server} {laziness:?}"
        );
        script.expect_no_trace();
    }
}

// Proves: QU-6
#[test]
fn a_connect_is_held_though_lazy_events_wait() {
    let mut script = Script::new(with_lazy(&[("/a", 1_000)]));
    let alice = script.connected();
    script.subscribe(&alice, "/a").publish("/a", json!(1));

    let held = script.after(600).connect(&alice);

    script.after(399).expect_nothing(held);
    script.after(1);
    assert_eq!(script.take(held)[0], event("/a", json!(1)));
    script.expect_no_trace();
}

// Proves: QU-6
#[test]
fn lazy_events_whose_time_has_come_do_not_wait_for_the_next_ones() {
    let mut script = Script::new(with_lazy(&[("/a", 1_000)]));
    let alice = script.connected();
    script.subscribe(&alice, "/a").publish("/a", json!(1));

    // Nobody is there to take them when their time comes.
    let next = script.after(1_500).connect(&alice);

    assert_eq!(script.take(next)[0], event("/a", json!(1)));
    let held = script.connect(&alice);
    script.publish("/a", json!(2));
    script.after(999).expect_nothing(held);
    script.after(1);
    assert_eq!(script.take(held)[0], event("/a", json!(2)));
    script.expect_no_trace();
}

// Proves: QU-6, QU-9
#[test]
fn lazy_events_that_were_not_written_do_not_wait_again() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(with_lazy(&[("/a", 1_000)]));
        let alice = script.connected_over(transport, Value::Null);
        script.subscribe(&alice, "/a");
        let carrier = script.connect(&alice);
        script.write_by_hand().publish("/a", json!(1)).after(1_000);
        assert_eq!(script.take(carrier)[0], event("/a", json!(1)));

        script.close(carrier);

        let again = bayeux_core::testing::Client {
            transport: Transport::LongPolling,
            socket: None,
            ..alice
        };
        let next = script.connect(&again);
        assert_eq!(script.take(next)[0], event("/a", json!(1)), "{transport:?}");
        script.expect_no_trace();
    }
}

// Proves: QU-6
#[test]
fn lazy_events_that_one_response_cannot_take_leave_with_the_next() {
    let mut config = with_lazy(&[("/a", 1_000)]);
    config.limits.max_message_size = 100;
    let mut script = Script::new(config);
    let alice = script.connected();
    script.subscribe(&alice, "/**");
    let large = json!("x".repeat(60));
    script.publish("/a", large.clone()).publish("/a", large);

    let first = script.request(&alice, publish(&alice, "/service/x", json!(0)));

    assert_eq!(script.take(first).as_array().unwrap().len(), 2);
    let next = script.connect(&alice);
    assert_eq!(script.take(next)[0]["channel"], "/a");
    script.expect_no_trace();
}

// Proves: QU-8
#[test]
fn laziness_comes_from_the_patterns_that_match() {
    let table = [
        ("/a", "/a", true),
        ("/a", "/a/b", false),
        ("/a/*", "/a/b", true),
        ("/a/*", "/a", false),
        ("/a/*", "/a/b/c", false),
        ("/a/**", "/a/b/c", true),
        ("/**", "/a", true),
    ];
    for (pattern, channel, lazy) in table {
        let mut script = Script::new(with_lazy(&[(pattern, 1_000)]));
        let alice = script.connected();
        script.subscribe(&alice, "/**");
        let held = script.connect(&alice);

        script.publish(channel, json!(1));

        let left = script.try_take(held).is_some();
        assert_eq!(left, !lazy, "{pattern} {channel}");
        script.expect_no_trace();
    }
}

// Proves: QU-8
#[test]
fn what_is_delivered_to_one_session_is_not_lazy_for_its_channels_sake() {
    let mut script = Script::new(with_lazy(&[("/a", 1_000)]));
    let alice = script.connected();
    let held = script.connect(&alice);

    deliver(&mut script, &alice, "/a", json!(1), Laziness::Prompt);

    assert_eq!(script.take(held)[0], event("/a", json!(1)));
    script.expect_no_trace();
}
