//! What the advice of a reply says, and which replies have one (section 7, CN-16).

use core::time::Duration;

use bayeux_core::{BrowserId, Peer, TransportOptions, Verdict};
use serde_json::json;

use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn configure(client: &Client, timeout: Option<u64>, interval: Option<u64>) -> Call {
    Call::Configure {
        session: session(client),
        timeout: timeout.map(ms),
        interval: interval.map(ms),
        max_interval: None,
    }
}

// Proves: AD-1, AD-2, AD-9
#[test]
fn advice_on_success_is_complete_in_numbers_and_lower_case() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = script.handshaken_over(transport, Value::Null);

        let reply = script.first_connect(&alice);

        assert_eq!(reply[0]["advice"], retry());
        let asked = script.connect_with(&alice, json!({"id": "c", "advice": {"timeout": 0}}));
        script.expect(asked, json!([advised("c", retry())]));
        script.expect_no_trace();
    }
}

// Proves: AD-1, AD-2, HS-15
#[test]
fn advice_says_the_times_of_the_transport_and_of_the_session() {
    let options = TransportOptions {
        timeout: Some(ms(25_000)),
        interval: Some(ms(100)),
        ..TransportOptions::default()
    };
    let mut script = Script::new(Config {
        websocket: options,
        handshake_reconnect: true,
        ..Config::default()
    });
    let alice = script.handshaken();
    let own = script.first_connect(&alice);
    let socket = over(&mut script, &alice, SOCKET);

    let reply = connect_briefly(&mut script, &socket, "c");

    let polling = json!({
        "reconnect": "retry", "interval": 0, "timeout": 30_000, "maxInterval": 10_000,
    });
    let websocket = json!({
        "reconnect": "retry", "interval": 100, "timeout": 25_000, "maxInterval": 10_000,
    });
    assert_eq!(own[0]["advice"], polling);
    script.expect(reply, json!([advised("c", websocket)]));
    script.expect_no_trace();
}

// Proves: AD-3, CN-7
#[test]
fn a_later_reply_has_advice_only_for_a_reason() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = script.connected_over(transport, Value::Null);

        let plain = connect(&mut script, &alice, "c");
        script.after(30_000).expect(plain, json!([connected("c")]));
        let asked = script.connect_with(&alice, json!({"id": "d", "advice": {}}));
        script
            .after(30_000)
            .expect(asked, json!([advised("d", retry())]));
        let plain = connect(&mut script, &alice, "e");
        script.after(30_000).expect(plain, json!([connected("e")]));
        script.expect_no_trace();
    }
}

// Proves: AD-3, CN-16
#[test]
fn times_that_change_show_in_the_next_answer_and_only_there() {
    for transport in TRANSPORTS {
        for (timeout, interval) in [
            (Some(20_000), None),
            (None, Some(50)),
            (Some(20_000), Some(50)),
        ] {
            for while_held in [true, false] {
                let mut script = script();
                let alice = script.connected_over(transport, Value::Null);
                if !while_held {
                    script.call(configure(&alice, timeout, interval));
                }
                let held = connect(&mut script, &alice, "c");
                if while_held {
                    script.call(configure(&alice, timeout, interval));
                }

                let before = if while_held {
                    30_000
                } else {
                    timeout.unwrap_or(30_000)
                };
                script.after(before);

                let advice = json!({
                    "reconnect": "retry", "interval": interval.unwrap_or(0),
                    "timeout": timeout.unwrap_or(30_000),
                });
                script.expect(held, json!([advised("c", advice)]));
                let next = connect(&mut script, &alice, "d");
                script.after(timeout.unwrap_or(30_000));
                script.expect(next, json!([connected("d")]));
                script.expect_no_trace();
            }
        }
    }
}

// Proves: CN-16
#[test]
fn times_that_change_back_during_a_hold_do_not_show() {
    let mut script = script();
    let alice = script.connected();
    let held = connect(&mut script, &alice, "c");
    script.call(configure(&alice, Some(20_000), None));
    script.call(configure(&alice, Some(30_000), None));

    script.at(30_000);

    script.expect(held, json!([connected("c")]));
    script.expect_no_trace();
}

/// Every reply that a session of each kind sees from its beginning to its end, and beyond.
fn all_replies(script: &mut Script, transport: Transport) -> Vec<Value> {
    let browser = BrowserId::parse("0123456789abcdefghijklmn");
    let peer = Peer {
        browser,
        ..Peer::default()
    };
    let mut seen = Vec::new();
    let alice = script.handshaken_as(peer.clone(), transport, Value::Null);
    let bob = script.handshaken_as(peer, transport, Value::Null);
    let mut open = Vec::new();
    for round in 0..3 {
        for client in [&alice, &bob] {
            open.push(connect(script, client, &round.to_string()));
            open.push(script.publish_as(client, "/news", json!(1)));
        }
    }
    open.push(disconnect(script, &alice));
    open.push(connect(script, &alice, "late"));
    script.call(Call::Disconnect {
        session: session(&bob),
    });
    open.push(connect(script, &bob, "last"));
    open.push(connect(script, &bob, "late"));
    for connection in open {
        while let Some(Value::Array(frame)) = script.try_take(connection) {
            seen.extend(frame);
        }
    }
    seen
}

// Proves: AD-2, AD-4, AD-6
#[test]
fn no_success_asks_for_a_handshake_and_none_is_for_the_end_alone() {
    for transport in TRANSPORTS {
        for limit in [0, 2_000] {
            let config = Config {
                multi_session_interval: ms(limit),
                ..Config::default()
            };
            let mut script = Script::new(config);

            let replies = all_replies(&mut script, transport);

            for reply in replies {
                let advice = &reply["advice"];
                match (&reply["successful"], advice["reconnect"].as_str()) {
                    (Value::Bool(true), Some("retry")) => {
                        assert!(advice["interval"].is_u64() && advice["timeout"].is_u64());
                    }
                    (Value::Bool(true), Some("handshake")) => panic!("{reply}"),
                    (Value::Bool(false), Some("handshake")) => {
                        assert_eq!(reply["error"], json!("402::session_unknown"));
                    }
                    (Value::Bool(false), Some("none")) => {
                        assert_eq!(reply["error"], json!("403::too_many_sessions"));
                    }
                    (Value::Bool(true), Some("none")) => {
                        let last = ["2", "last"].map(Some).contains(&reply["id"].as_str());
                        assert!(last, "{reply}");
                    }
                    (_, None) => assert!(advice.is_null(), "{reply}"),
                    other => panic!("{other:?}"),
                }
            }
            script.expect_no_trace();
        }
    }
}

// Proves: AD-6, TM-6
#[test]
fn an_expired_session_is_never_told_to_stop() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = script.connected_over(transport, Value::Null);
        script.at(10_000);
        let again = over(&mut script, &alice, transport);

        let late = connect(&mut script, &again, "late");

        script.expect(late, json!([unknown("late", begin_anew())]));
        script.expect_no_trace();
    }
}

// Proves: AD-5
#[test]
fn an_unsuccessful_connect_without_advice_is_possible_where_a_retry_is_right() {
    let mut script = script();
    let alice = script.connected();
    ask(&mut script, Role::Incoming);
    let refused = connect(&mut script, &alice, "c");
    ask_nobody(&mut script);

    script.decide(Verdict::Drop);

    let deleted = json!({
        "id": "c", "channel": "/meta/connect", "successful": false,
        "error": "404::message_deleted",
    });
    script.expect(refused, json!([deleted]));
    let next = connect(&mut script, &alice, "d");
    script.expect_nothing(next);
    script.expect_no_trace();
}
