//! `/meta/disconnect` (section 13).

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Call, CallResult, CloseReason, Config, Laziness, Payload, Removal, ReportKind, Transport,
};
use serde_json::{Value, json};

use bayeux_tests::talk::*;

const UNKNOWN: &str = "402::session_unknown";

fn goodbye() -> Value {
    json!({"channel": "/meta/disconnect", "successful": true})
}

fn deliver(script: &mut Script, client: &Client, data: Value) -> CallResult {
    script.call(Call::Deliver {
        session: session(client),
        channel: "/notice".parse().unwrap(),
        data: Payload::from(data),
        laziness: Laziness::Prompt,
    })
}

fn end(script: &mut Script, client: &Client) -> CallResult {
    script.call(Call::Disconnect {
        session: session(client),
    })
}

// Proves: DC-1
#[test]
fn a_goodbye_ends_the_session_and_releases_its_connect() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");
    let held = script.connect(&alice);
    script.reports();

    let reply = ask(&mut script, &alice, disconnect(&alice));

    assert_eq!(reply, json!([ok("/meta/disconnect")]));
    let released = script.take(held);
    assert_eq!(released[0]["successful"], true);
    assert_eq!(released[0]["advice"], json!({"reconnect": "none"}));
    let removed = ReportKind::SessionRemoved(session(&alice), Removal::Disconnected);
    assert!(script.reports().contains(&removed));
    assert_eq!(script.engine().load().sessions, 0);
    let again = script.connect(&alice);
    assert_eq!(script.take(again)[0]["error"], UNKNOWN);
    script.expect_no_trace();
}

// Proves: DC-1
#[test]
fn on_a_socket_both_answers_come() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    let socket = script.connect(&alice);

    script.request(&alice, disconnect(&alice));

    let mut answers = Vec::new();
    while let Some(Value::Array(frame)) = script.try_take(socket) {
        answers.extend(frame);
    }
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(answers.contains(&ok("/meta/disconnect")));
    assert!(
        answers
            .iter()
            .any(|answer| answer["advice"] == json!({"reconnect": "none"}))
    );
    script.expect_no_trace();
}

// Proves: DC-2
#[test]
fn a_goodbye_of_nobody_is_refused_without_advice() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let connection = script.open(transport);

        script.send(
            connection,
            json!({"id": "m", "channel": "/meta/disconnect", "clientId": "gone"}),
        );

        script.expect(connection, json!([failed("/meta/disconnect", UNKNOWN)]));
        script.expect_no_trace();
    }
}

// Proves: DC-3
#[test]
fn what_still_waits_goes_with_the_goodbye_where_responses_carry_events() {
    for (deliver_only, carried) in [(false, true), (true, false)] {
        let mut script = Script::new(Config {
            meta_connect_deliver_only: deliver_only,
            ..Config::default()
        });
        let alice = script.connected();
        script.subscribe(&alice, "/a");
        script.publish("/a", json!(1));

        let reply = ask(&mut script, &alice, disconnect(&alice));

        let expected = if carried {
            json!([event("/a", json!(1)), ok("/meta/disconnect")])
        } else {
            json!([ok("/meta/disconnect")])
        };
        assert_eq!(reply, expected);
        let counters = *script.engine().counters();
        assert_eq!(counters.events_written, u64::from(carried));
        assert_eq!(counters.events_discarded, u64::from(!carried));
        script.expect_no_trace();
    }
}

// Proves: DC-3, MO-5
#[test]
fn what_is_on_its_way_does_not_go_with_the_goodbye_as_well() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    script.subscribe(&alice, "/a");
    script.write_by_hand();
    script.publish("/a", json!(1));
    let socket = alice.socket.unwrap();
    script.take(socket);
    script.publish("/a", json!(2));

    let exchange = script.post(disconnect(&alice));

    script.expect(
        exchange,
        json!([event("/a", json!(2)), ok("/meta/disconnect")]),
    );
    script.written(exchange).written(socket);
    script.expect_no_trace();
}

// Proves: DC-4
#[test]
fn messages_count_before_the_goodbye_and_not_after_it() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&bob, "/a");

    let reply = ask(
        &mut script,
        &alice,
        json!([
            publish(&alice, "/a", json!("before")),
            disconnect(&alice),
            publish(&alice, "/a", json!("after")),
            disconnect(&alice),
        ]),
    );

    assert_eq!(
        reply,
        json!([
            ok("/a"),
            ok("/meta/disconnect"),
            failed("/a", UNKNOWN),
            failed("/meta/disconnect", UNKNOWN),
        ])
    );
    assert_eq!(events(&mut script, &bob), [event("/a", json!("before"))]);
    script.expect_no_trace();
}

// Proves: DC-5
#[test]
fn the_server_says_goodbye_behind_what_waits() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    deliver(&mut script, &alice, json!(1));
    script.reports();

    assert_eq!(end(&mut script, &alice), CallResult::Done);

    let removed = ReportKind::SessionRemoved(session(&alice), Removal::DisconnectedByServer);
    assert!(script.reports().contains(&removed));
    let last = script.connect(&alice);
    let frame = script.take(last);
    assert_eq!(frame[0], event("/notice", json!(1)));
    assert_eq!(frame[1], goodbye());
    assert_eq!(frame[2]["successful"], true);
    assert_eq!(frame[2]["advice"], json!({"reconnect": "none"}));
    assert_eq!(script.engine().load().sessions, 0);
    script.expect_no_trace();
}

// Proves: DC-5
#[test]
fn the_servers_goodbye_releases_a_held_connect() {
    for transport in [
        Transport::LongPolling,
        Transport::CallbackPolling,
        Transport::WebSocket,
    ] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        let held = script.connect(&alice);

        end(&mut script, &alice);

        let mut answers = Vec::new();
        while let Some(Value::Array(frame)) = script.try_take(held) {
            answers.extend(frame);
        }
        assert_eq!(answers[0], goodbye(), "{transport:?}");
        assert_eq!(answers[1]["advice"], json!({"reconnect": "none"}));
        assert_eq!(answers[1]["successful"], true);
        assert_eq!(answers.len(), 2);
        script.expect_no_trace();
    }
}

// Proves: DC-5
#[test]
fn the_servers_goodbye_is_pushed_to_a_socket_without_connect() {
    for connected in [true, false] {
        let mut script = Script::new(Config::default());
        let alice = script.handshaken_over(Transport::WebSocket, Value::Null);
        if connected {
            script.first_connect(&alice);
        } else {
            // Any other message lets the socket carry the session (WS-7).
            script.subscribe(&alice, "/a");
        }

        end(&mut script, &alice);

        script.expect(alice.socket.unwrap(), json!([goodbye()]));
        script.expect_no_trace();
    }
}

// Proves: DC-6
#[test]
fn a_socket_stays_for_a_new_handshake_after_its_session_was_disconnected() {
    for by_server in [true, false] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(Transport::WebSocket, Value::Null);
        let socket = alice.socket.unwrap();

        if by_server {
            end(&mut script, &alice);
        } else {
            script.request(&alice, disconnect(&alice));
        }
        script.take(socket);
        script.after(4_999).expect_nothing(socket);
        script.after(1).expect_closed(socket, CloseReason::Idle);

        assert_eq!(CloseReason::Idle.close_code(), 1000);
        script.expect_no_trace();
    }
}

// Proves: DC-6
#[test]
fn a_socket_stays_for_a_new_handshake_though_the_goodbye_came_elsewhere() {
    for held in [true, false] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(Transport::WebSocket, Value::Null);
        let socket = alice.socket.unwrap();
        if held {
            script.connect(&alice);
        }

        let exchange = script.post(disconnect(&alice));

        script.expect(exchange, json!([ok("/meta/disconnect")]));
        if held {
            assert_eq!(
                script.take(socket)[0]["advice"],
                json!({"reconnect": "none"})
            );
        }
        script.after(4_999).expect_nothing(socket);
        script.after(1).expect_closed(socket, CloseReason::Idle);
        script.expect_no_trace();
    }
}

// Proves: DC-6
#[test]
fn a_new_handshake_keeps_the_socket() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    let socket = alice.socket.unwrap();
    script.request(&alice, disconnect(&alice));
    script.take(socket);

    script.after(4_999).send(
        socket,
        json!({
            "channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": ["websocket"],
        }),
    );

    assert_eq!(script.take(socket)[0]["successful"], true);
    script.after(5_000).expect_nothing(socket);
    script.expect_no_trace();
}

// Proves: DC-7
#[test]
fn a_disconnected_session_accepts_nothing_more() {
    // Ended by its client, by the server with a connect held, by the server between two connects.
    for case in ["client", "held", "away"] {
        let mut script = Script::new(Config::default());
        let alice = script.connected();
        if case == "held" {
            script.connect(&alice);
        }
        if case == "client" {
            ask(&mut script, &alice, disconnect(&alice));
        } else {
            end(&mut script, &alice);
        }

        let pattern: bayeux_core::ChannelPattern = "/a".parse().unwrap();
        let id = session(&alice);
        let unknown = CallResult::Unknown;
        assert_eq!(deliver(&mut script, &alice, json!(1)), unknown, "{case}");
        assert_eq!(end(&mut script, &alice), unknown, "{case}");
        let call = Call::Subscribe {
            session: id,
            pattern: pattern.clone(),
        };
        assert_eq!(script.call(call), unknown, "{case}");
        let call = Call::Unsubscribe {
            session: id,
            pattern,
        };
        assert_eq!(script.call(call), unknown, "{case}");
        let reply = ask(&mut script, &alice, publish(&alice, "/a", json!(1)));
        assert_eq!(reply, json!([failed("/a", UNKNOWN)]), "{case}");
        assert_eq!(script.engine().counters().events_queued, 0);
        script.expect_no_trace();
    }
}

#[test]
fn a_session_that_never_takes_its_goodbye_is_forgotten() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    end(&mut script, &alice);

    script.after(10_000);

    assert_eq!(script.engine().load().sessions, 0);
    let late = script.connect(&alice);
    assert_eq!(script.take(late)[0]["error"], UNKNOWN);
    script.expect_no_trace();
}
