//! `/meta/subscribe` and `/meta/unsubscribe` (section 10).

use bayeux_core::testing::{Script, event};
use bayeux_core::{Config, Decider, DeciderId, Limits, Operations, Role, Transport, Verdict};
use serde_json::{Value, json};

use bayeux_tests::talk::*;

const INVALID: &str = "403::subscription_invalid";

// Proves: SU-1, SU-2
#[test]
fn what_names_no_channel_fails_whole_and_is_echoed() {
    let bad = [
        json!(7),
        json!(true),
        json!({}),
        json!(""),
        json!([]),
        json!([1]),
        json!(["/a", 1]),
        json!(["/a", null]),
        json!(["/a", ["/b"]]),
        json!("a"),
        json!("/"),
        json!("/a//b"),
        json!("/a/*/b"),
        json!("/a?b"),
        json!("/meta"),
        json!("/service"),
        json!(["/ok", "/a/**/b"]),
        json!(["/a/**/b", "/ok"]),
    ];
    for subscription in bad {
        let mut script = Script::new(Config::default());
        let alice = script.connected();

        for (message, channel) in [
            (subscribe(&alice, subscription.clone()), "/meta/subscribe"),
            (
                unsubscribe(&alice, subscription.clone()),
                "/meta/unsubscribe",
            ),
        ] {
            let reply = ask(&mut script, &alice, message);

            let mut expected = failed(channel, INVALID);
            expected["subscription"] = subscription.clone();
            assert_eq!(reply, json!([expected]), "{subscription}");
        }

        assert_eq!(
            subscriptions(&mut script, &alice),
            [""; 0],
            "{subscription}"
        );
        script.expect_no_trace();
    }
}

// Proves: SU-1
#[test]
fn a_subscription_to_nothing_is_missing() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();

    for channel in ["/meta/subscribe", "/meta/unsubscribe"] {
        let reply = ask(&mut script, &alice, message(&alice, channel, json!({})));

        assert_eq!(reply, json!([failed(channel, "403::subscription_missing")]));
    }
    script.expect_no_trace();
}

// Proves: SU-2
#[test]
fn the_reply_has_the_subscription_as_it_was_sent() {
    let table = [
        json!("/a"),
        json!(" /a/ "),
        json!(["/a"]),
        json!(["/a/", "/a", "/b/**"]),
    ];
    for subscription in table {
        let mut script = Script::new(Config::default());
        let alice = script.connected();

        for (message, channel) in [
            (subscribe(&alice, subscription.clone()), "/meta/subscribe"),
            (
                unsubscribe(&alice, subscription.clone()),
                "/meta/unsubscribe",
            ),
        ] {
            let mut expected = ok(channel);
            expected["subscription"] = subscription.clone();
            assert_eq!(ask(&mut script, &alice, message), json!([expected]));
        }
        script.expect_no_trace();
    }
}

// Proves: SU-3
#[test]
fn an_array_stops_at_the_first_refusal() {
    let wanted = json!(["/a", "/meta/connect", "/b"]);
    for (all_or_nothing, kept) in [(false, &["/a"][..]), (true, &[])] {
        let mut script = Script::new(Config {
            subscribe_all_or_nothing: all_or_nothing,
            ..Config::default()
        });
        let alice = script.connected();

        let reply = ask(&mut script, &alice, subscribe(&alice, wanted.clone()));

        let error = "403:denied_by_security_policy:subscribe_denied";
        let mut expected = failed("/meta/subscribe", error);
        expected["subscription"] = wanted.clone();
        assert_eq!(reply, json!([expected]));
        assert_eq!(subscriptions(&mut script, &alice), kept);
        script.expect_no_trace();
    }
}

/// A script whose sessions may have two subscriptions.
fn with_two_subscriptions() -> Script {
    let limits = Limits {
        max_subscriptions: 2,
        ..Limits::default()
    };
    Script::new(Config {
        limits,
        ..Config::default()
    })
}

// Proves: SU-3
#[test]
fn a_subscription_beyond_the_limit_is_refused() {
    let mut script = with_two_subscriptions();
    let alice = script.connected();
    let too_many = "403:too_many_subscriptions:subscribe_denied";

    let reply = ask(
        &mut script,
        &alice,
        subscribe(&alice, json!(["/a", "/b", "/c"])),
    );

    assert_eq!(reply[0]["error"], too_many);
    assert_eq!(subscriptions(&mut script, &alice), ["/a", "/b"]);
    let reply = ask(&mut script, &alice, subscribe(&alice, json!("/c")));
    assert_eq!(reply[0]["error"], too_many);
    assert_eq!(script.engine().counters().subscriptions_limited, 2);
    ask(&mut script, &alice, unsubscribe(&alice, json!("/a")));
    let reply = ask(&mut script, &alice, subscribe(&alice, json!(["/c", "/d"])));
    assert_eq!(reply[0]["error"], too_many, "what is granted counts");
    assert_eq!(subscriptions(&mut script, &alice), ["/b", "/c"]);
    script.expect_no_trace();
}

// Proves: SU-3, SU-4
#[test]
fn what_is_no_further_subscription_does_not_count_towards_the_limit() {
    let table = [
        json!(["/a", "/b"]),
        json!(["/b", "/b", "/b"]),
        json!(["/service/x", "/service/y", "/b"]),
        json!(["/a", "/a", "/b", "/b/", "/service/x"]),
    ];
    for subscription in table {
        let mut script = with_two_subscriptions();
        let alice = script.connected();
        script.subscribe(&alice, "/a");

        let reply = ask(&mut script, &alice, subscribe(&alice, subscription.clone()));

        assert_eq!(reply[0]["successful"], true, "{subscription}: {reply}");
        assert_eq!(subscriptions(&mut script, &alice), ["/a", "/b"]);
        script.expect_no_trace();
    }
}

// Proves: SU-3
#[test]
fn a_session_may_have_1024_subscriptions_by_default() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    let names: Vec<_> = (0..1_024).map(|number| format!("/c/{number}")).collect();

    let reply = ask(&mut script, &alice, subscribe(&alice, json!(names)));

    assert_eq!(reply[0]["successful"], true);
    let reply = ask(&mut script, &alice, subscribe(&alice, json!("/c/more")));
    assert_eq!(
        reply[0]["error"],
        "403:too_many_subscriptions:subscribe_denied"
    );
    script.expect_no_trace();
}

// Proves: SU-4
#[test]
fn an_event_comes_once_however_many_patterns_match() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    for pattern in ["/a/b", "/a/b", "/a/*", "/a/**", "/**", "/a/b/"] {
        script.subscribe(&alice, pattern);
    }

    script.publish("/a/b", json!(1));

    assert_eq!(events(&mut script, &alice), [event("/a/b", json!(1))]);
    assert_eq!(
        subscriptions(&mut script, &alice),
        ["/a/b", "/a/*", "/a/**", "/**"]
    );
    script.expect_no_trace();
}

// Proves: SU-5
#[test]
fn unsubscribing_from_what_one_is_not_subscribed_to_succeeds() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&bob, "/there");

    for channel in ["/there", "/nowhere", "/nowhere/**"] {
        let reply = ask(&mut script, &alice, unsubscribe(&alice, json!(channel)));

        assert_eq!(reply[0]["successful"], true, "{channel}");
    }
    assert_eq!(subscriptions(&mut script, &bob), ["/there"]);
    script.expect_no_trace();
}

#[test]
fn nothing_comes_after_unsubscribing() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    for pattern in ["/a", "/b", "/c"] {
        script.subscribe(&alice, pattern);
    }

    ask(
        &mut script,
        &alice,
        unsubscribe(&alice, json!(["/a", "/b"])),
    );

    for channel in ["/a", "/b", "/c"] {
        script.publish(channel, json!(1));
    }
    assert_eq!(events(&mut script, &alice), [event("/c", json!(1))]);
    script.expect_no_trace();
}

// Proves: SU-4, SU-5
#[test]
fn subscriptions_come_and_go_in_any_order() {
    let mut script = Script::new(Config::default());
    let channels = ["/a", "/b", "/c", "/d"];
    let clients = [(); 4].map(|()| script.connected());
    let mut expected = [[false; 4]; 4];
    // A walk that visits every pair many times over, the same each time.
    let mut state = 1_u32;
    for _ in 0..600 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [client, channel, on] = [state >> 30, state >> 28 & 3, state >> 27 & 1];
        let (client, channel) = (client as usize, channel as usize);
        let (who, what) = (&clients[client], json!(channels[channel]));
        let message = if on == 1 {
            subscribe(who, what)
        } else {
            unsubscribe(who, what)
        };

        let reply = ask(&mut script, who, message);

        assert_eq!(reply[0]["successful"], true);
        expected[client][channel] = on == 1;
        script.publish(channels[channel], json!(1));
        for (client, wanted) in clients.iter().zip(&expected) {
            let got = usize::from(wanted[channel]);
            assert_eq!(events(&mut script, client).len(), got);
        }
    }
    script.expect_no_trace();
}

// Proves: SU-6
#[test]
fn subscribing_to_a_service_channel_succeeds_and_does_nothing() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (script.connected(), script.connected());

    for name in ["/service/x", "/service/**"] {
        let reply = ask(&mut script, &alice, subscribe(&alice, json!(name)));
        assert_eq!(reply[0]["successful"], true);
    }

    assert_eq!(subscriptions(&mut script, &alice), [""; 0]);
    ask(&mut script, &bob, publish(&bob, "/service/x", json!(1)));
    assert_eq!(events(&mut script, &alice), [Value::Null; 0]);
    let reply = ask(
        &mut script,
        &alice,
        unsubscribe(&alice, json!("/service/x")),
    );
    assert_eq!(reply[0]["successful"], true);
    script.expect_no_trace();
}

// Proves: SU-7
#[test]
fn subscribing_to_a_meta_channel_is_refused() {
    let table = [
        (
            "/meta/connect",
            "403:denied_by_security_policy:subscribe_denied",
        ),
        (
            "/meta/handshake",
            "403:denied_by_security_policy:subscribe_denied",
        ),
        ("/meta/*", "403:denied_by_security_policy:create_denied"),
        ("/meta/**", "403:denied_by_security_policy:create_denied"),
        ("/meta/other", "403:denied_by_security_policy:create_denied"),
    ];
    for (name, error) in table {
        let mut script = Script::new(Config::default());
        let alice = script.connected();

        let reply = ask(&mut script, &alice, subscribe(&alice, json!(name)));

        assert_eq!(reply[0]["error"], error, "{name}");
        assert_eq!(subscriptions(&mut script, &alice), [""; 0]);
        script.expect_no_trace();
    }
}

// Proves: SU-8
#[test]
fn everything_may_be_subscribed_to_where_policy_permits() {
    for pattern in ["/**", "/*"] {
        let mut script = Script::new(Config::default());
        let alice = script.connected();
        script.subscribe(&alice, pattern);

        script.publish("/a", json!(1));

        assert_eq!(events(&mut script, &alice), [event("/a", json!(1))]);
        script.expect_no_trace();
    }
}

// Proves: SU-8
#[test]
fn policy_may_refuse_a_subscription_to_everything() {
    let operations = Operations {
        subscribe: true,
        ..Operations::default()
    };
    let mut script = Script::new(Config {
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Policy(operations),
        }],
        ..Config::default()
    });
    let alice = script.connected();
    let connection = script.request(&alice, subscribe(&alice, json!("/**")));

    script.decide(Verdict::Deny(Box::default()));

    let reply = script.take(connection);
    let error = "403:denied_by_security_policy:subscribe_denied";
    assert_eq!(reply[0]["error"], error);
    assert_eq!(subscriptions(&mut script, &alice), [""; 0]);
    script.expect_no_trace();
}

// Proves: SU-10
#[test]
fn subscriptions_die_with_their_session() {
    for expires in [true, false] {
        let mut script = Script::new(Config::default());
        let (alice, bob) = (script.connected(), script.connected());
        script.subscribe(&alice, "/a");
        let held = script.connect(&bob);

        if expires {
            script.after(10_000);
        } else {
            ask(&mut script, &alice, disconnect(&alice));
        }

        assert!(
            matches!(
                script.call(bayeux_core::Call::ListSubscribers {
                    pattern: "/a".parse().unwrap(),
                    from: 0,
                    limit: 10,
                }),
                bayeux_core::CallResult::Sessions(sessions, None) if sessions.is_empty()
            ),
            "expires: {expires}"
        );
        let again = script.connected();
        assert_eq!(subscriptions(&mut script, &again), [""; 0]);
        script.publish("/a", json!(1));
        assert_eq!(script.engine().counters().events_queued, 0);
        script.expect_nothing(held);
        script.expect_no_trace();
    }
}

// Proves: SU-11
#[test]
fn a_subscription_holds_for_the_next_message_of_its_batch() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        let mut subscribed = ok("/meta/subscribe");
        subscribed["subscription"] = json!("/a");
        let replies = [subscribed, ok("/a")];

        let connection = script.request(
            &alice,
            json!([
                subscribe(&alice, json!("/a")),
                publish(&alice, "/a", json!(1))
            ]),
        );

        let [first, second] = replies;
        if transport == Transport::LongPolling {
            script.expect(connection, json!([event("/a", json!(1)), first, second]));
        } else {
            script.expect(connection, json!([event("/a", json!(1))]));
            script.expect(connection, json!([first, second]));
        }
        script.expect_no_trace();
    }
}
