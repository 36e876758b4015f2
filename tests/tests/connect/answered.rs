//! When a connect is held and when it is answered at once (CN-1 to CN-8, CN-10, CN-11, CN-17).

use core::time::Duration;

use bayeux_core::testing::event;
use bayeux_core::{Limits, Phase, TransportOptions};
use serde_json::json;

use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// Proves: CN-2, AD-3
#[test]
fn the_first_connect_is_answered_at_once_with_advice_whatever_it_asks_for() {
    for transport in TRANSPORTS {
        for members in [
            json!({"id": "c"}),
            json!({"id": "c", "advice": {"timeout": 20_000}}),
        ] {
            let mut script = script();
            let alice = script.handshaken_over(transport, Value::Null);

            let first = script.connect_with(&alice, members);

            script.expect(first, json!([advised("c", retry())]));
            let second = connect(&mut script, &alice, "d");
            script.expect_nothing(second);
            script.expect_no_trace();
        }
    }
}

// Proves: CN-3
#[test]
fn what_a_connect_says_of_its_transport_is_not_looked_at() {
    for named in [
        json!(null),
        json!("carrier-pigeon"),
        json!(7),
        json!("websocket"),
    ] {
        let mut script = script();
        let alice = reader(&mut script, POLLING);
        let message = json!({
            "id": "c", "channel": "/meta/connect", "clientId": alice.session,
            "connectionType": named,
        });

        let held = script.post(message);

        script.publish("/news", json!(1));
        script.expect(held, json!([event("/news", json!(1)), connected("c")]));
        script.expect_no_trace();
    }
}

// Proves: CN-3, AD-3, WS-10, MO-1
#[test]
fn events_follow_the_last_connect_to_the_transport_it_came_by() {
    for before in TRANSPORTS {
        for after in TRANSPORTS {
            let mut script = script();
            let alice = reader(&mut script, before);
            let again = over(&mut script, &alice, after);

            let held = connect(&mut script, &again, "c");
            script.publish("/news", json!(1));

            assert_eq!(
                script.take(held)[0],
                event("/news", json!(1)),
                "{before:?} {after:?}"
            );
            if let Some(socket) = alice.socket {
                script.expect_nothing(socket);
            }
            script.expect_no_trace();
        }
    }
}

// Proves: CN-1, CN-4, CN-6, CN-7, CN-17, CN-18
#[test]
fn a_held_connect_is_answered_when_the_timeout_passes_and_not_before() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = script.connected_over(transport, Value::Null);
        let held = connect(&mut script, &alice, "c");

        script.at(29_999).expect_nothing(held);
        script.at(30_000).expect(held, json!([connected("c")]));

        script.expect_no_trace();
    }
}

// Proves: CN-5, AD-7, TM-1
#[test]
fn a_connect_is_held_for_what_the_client_else_the_session_else_the_transport_says() {
    let limit = Some(10_000);
    for (asked, session, transport, limit, expected) in [
        (json!(null), None, None, None, 30_000),
        (json!(null), None, Some(20_000), None, 20_000),
        (json!(null), Some(5_000), Some(20_000), None, 5_000),
        (json!(7_000), Some(5_000), Some(20_000), None, 7_000),
        (json!(299_999), None, None, None, 299_999),
        (json!(300_001), None, None, None, 300_000),
        (json!(900_000), Some(400_000), None, None, 400_000),
        (json!(10_001), None, None, limit, 10_000),
        (json!(null), None, None, limit, 30_000),
        (json!(-1), Some(5_000), None, None, 5_000),
        (json!("0"), Some(5_000), None, None, 5_000),
    ] {
        for carrier in TRANSPORTS {
            let options = TransportOptions {
                timeout: transport.map(ms),
                ..TransportOptions::default()
            };
            let mut script = Script::new(Config {
                long_polling: options,
                callback_polling: options,
                websocket: options,
                limits: Limits {
                    max_timeout: limit.map(ms),
                    ..Limits::default()
                },
                ..Config::default()
            });
            let alice = script.connected_over(carrier, Value::Null);
            if let Some(own) = session {
                script.call(configure_timeout(&alice, own));
            }

            let held = script.connect_with(&alice, json!({"advice": {"timeout": asked}}));

            script.at(expected - 1).expect_nothing(held);
            script.at(expected);
            assert_eq!(
                script.take(held)[0]["successful"],
                json!(true),
                "{asked} {carrier:?}"
            );
            script.expect_no_trace();
        }
    }
}

fn configure_timeout(client: &Client, millis: u64) -> Call {
    Call::Configure {
        session: session(client),
        timeout: Some(ms(millis)),
        interval: None,
        max_interval: None,
    }
}

// Proves: CN-4
#[test]
fn a_connect_that_asks_for_no_timeout_is_not_held() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = script.connected_over(transport, Value::Null);

        let reply = connect_briefly(&mut script, &alice, "c");

        script.expect(reply, json!([advised("c", retry())]));
        script.expect_no_trace();
    }
}

// Proves: CN-4, CN-11
#[test]
fn a_connect_in_company_is_answered_at_once_in_its_place() {
    for transport in TRANSPORTS {
        for connect_at in [0, 1] {
            let mut script = script();
            let alice = script.connected_over(transport, Value::Null);
            let id = &alice.session;
            let mut frame = vec![json!({
                "id": "s", "channel": "/meta/subscribe", "clientId": id, "subscription": "/news",
            })];
            frame.insert(
                connect_at,
                json!({
                    "id": "c", "channel": "/meta/connect", "clientId": id,
                    "connectionType": transport.name(),
                }),
            );

            let reply = script.request(&alice, json!(frame));

            let sent = script.take(reply);
            assert_eq!(sent[connect_at], connected("c"), "{transport:?}");
            assert_eq!(sent[1 - connect_at]["successful"], json!(true));
            assert_eq!(phase(&mut script, &alice), Some(Phase::Away));
            script.expect_no_trace();
        }
    }
}

// Proves: CN-4, CN-6
#[test]
fn events_that_wait_are_a_reason_not_to_hold_and_lazy_ones_are_not() {
    for (laziness, held) in [(Laziness::Prompt, false), (Laziness::Lazy, true)] {
        let mut script = script();
        let alice = script.connected();
        script.call(Call::Deliver {
            session: session(&alice),
            channel: "/notice".parse().unwrap(),
            data: json!(1).into(),
            laziness,
        });

        let reply = connect(&mut script, &alice, "c");

        assert_eq!(
            phase(&mut script, &alice) == Some(Phase::Held),
            held,
            "{laziness:?}"
        );
        script.at(5_000);
        script.expect(reply, json!([event("/notice", json!(1)), connected("c")]));
        script.expect_no_trace();
    }
}

// Proves: CN-6
#[test]
fn a_batch_of_the_application_holds_back_the_answer() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    let held = connect(&mut script, &alice, "c");
    let session = session(&alice);
    script.call(Call::Batch { session });
    script.publish("/news", json!(1)).publish("/news", json!(2));
    script.expect_nothing(held);

    script.call(Call::Flush { session });

    let events = [
        event("/news", json!(1)),
        event("/news", json!(2)),
        connected("c"),
    ];
    script.expect(held, json!(events));
    script.expect_no_trace();
}

// Proves: CN-8
#[test]
fn a_connect_that_brings_advice_gets_the_advice_that_is_in_force_when_it_is_answered() {
    let mut script = script();
    let alice = script.connected();
    let asked = json!({"id": "c", "advice": {"timeout": 10_000}});
    let held = script.connect_with(&alice, asked);
    script.call(configure_timeout(&alice, 20_000));

    script.at(10_000);

    let advice = json!({"reconnect": "retry", "interval": 0, "timeout": 20_000});
    script.expect(held, json!([advised("c", advice)]));
    script.expect_no_trace();
}

// Proves: CN-10
#[test]
fn a_connect_of_an_unknown_session_is_told_to_begin_anew() {
    for transport in TRANSPORTS {
        for stranger in ["", "x", "0123456789abcdefghijklmn", "../../etc/passwd"] {
            let mut script = script();
            let socket = (transport == SOCKET).then(|| script.open(SOCKET));
            let session = stranger.to_string();
            let client = Client {
                session,
                transport,
                socket,
                peer: <_>::default(),
            };

            let reply = connect(&mut script, &client, "c");

            script.expect(reply, json!([unknown("c", begin_anew())]));
            script.expect_no_trace();
        }
    }
}

// Proves: CN-18
#[test]
fn every_connect_that_found_its_session_succeeds() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = script.handshaken_over(transport, Value::Null);
        for (number, wait) in [(0, 0), (1, 30_000), (2, 30_000)] {
            let reply = connect(&mut script, &alice, &number.to_string());
            script.after(wait);
            assert_eq!(script.take(reply)[0]["successful"], json!(true));
        }
        script.expect_no_trace();
    }
}

// Proves: CN-4, CN-6
#[test]
fn a_hold_lasts_as_long_as_it_may_though_one_before_it_was_cut_short() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = script.connected_over(transport, Value::Null);
        connect(&mut script, &alice, "c");

        script.after(10_000);
        let newer = connect(&mut script, &alice, "d");

        script.after(29_999).expect_nothing(newer);
        script.after(1);
        script.expect(newer, json!([connected("d")]));
        script.expect_no_trace();
    }
}
