//! Queues, and what carries them (QU-1, QU-2, QU-4, QU-7, QU-9).

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, CloseReason, Config, Decider, DeciderId, Laziness, Operations, Role,
    SessionSettings, Transport, TransportOptions, Verdict,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

fn connected_reply(frame: &Value) -> &Value {
    let reply = frame.as_array().and_then(|frame| frame.last()).unwrap();
    assert_eq!(reply["channel"], "/meta/connect", "{frame}");
    reply
}

// Proves: QU-1
#[test]
fn an_event_wakes_a_held_connect() {
    for transport in [Transport::LongPolling, Transport::CallbackPolling] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        script.subscribe(&alice, "/a");
        let held = script.connect(&alice);

        script.publish("/a", json!(1));

        let frame = script.take(held);
        assert_eq!(frame[0], event("/a", json!(1)));
        connected_reply(&frame);
        script.expect_no_trace();
    }
}

// Proves: QU-1
#[test]
fn an_event_leaves_on_the_socket_that_carries_the_session() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    script.subscribe(&alice, "/a");
    let socket = script.connect(&alice);

    script.publish("/a", json!(1));

    script.expect(socket, json!([event("/a", json!(1))]));
    assert_eq!(script.try_take(socket), None);
    script.expect_no_trace();
}

// Proves: QU-1
#[test]
fn events_leave_in_the_order_in_which_they_were_queued() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/**");

    script.publish("/b", json!(1)).publish("/a", json!(2));
    deliver(
        &mut script,
        &alice,
        "/service/c",
        json!(3),
        Laziness::Prompt,
    );
    script.publish("/a", json!(4));

    let data: Vec<_> = events(&mut script, &alice)
        .iter()
        .map(|e| e["data"].clone())
        .collect();
    assert_eq!(data, [1, 2, 3, 4]);
    script.expect_no_trace();
}

// Proves: QU-2
#[test]
fn what_a_request_causes_for_its_own_session_rides_on_its_response() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");
    let held = script.connect(&alice);

    let answer = ask(
        &mut script,
        &alice,
        json!([
            publish(&alice, "/a", json!(1)),
            publish(&alice, "/a", json!(2))
        ]),
    );

    let one_and_two = [event("/a", json!(1)), event("/a", json!(2))];
    let [one, two] = one_and_two;
    assert_eq!(answer, json!([one, two, ok("/a"), ok("/a")]));
    script.expect_nothing(held);
    script.publish("/a", json!(3));
    assert_eq!(script.take(held)[0], event("/a", json!(3)));
    script.expect_no_trace();
}

// Proves: QU-2, QU-4
#[test]
fn what_a_response_may_not_carry_wakes_the_connect_behind_it() {
    let mut script = Script::new(Config {
        meta_connect_deliver_only: true,
        ..Config::default()
    });
    let alice = script.connected();
    script.subscribe(&alice, "/a");
    let held = script.connect(&alice);

    let answer = ask(&mut script, &alice, publish(&alice, "/a", json!(1)));

    assert_eq!(answer, json!([ok("/a")]));
    assert_eq!(script.take(held)[0], event("/a", json!(1)));
    script.expect_no_trace();
}

/// How a script may be told that events travel with connect replies only.
const WAYS: [&str; 3] = ["server", "transport", "session"];

/// A connected client whose events travel with connect replies only, for this reason.
fn deliver_only(way: &str, transport: Transport) -> (Script, Client) {
    let only = TransportOptions {
        meta_connect_deliver_only: Some(true),
        ..TransportOptions::default()
    };
    let mut config = Config::default();
    match way {
        "server" => config.meta_connect_deliver_only = true,
        "transport" => {
            config.long_polling = only;
            config.websocket = only;
        }
        _ => config.deciders.push(Decider {
            id: DeciderId(1),
            role: Role::Policy(Operations {
                handshake: true,
                ..Operations::default()
            }),
        }),
    }
    let mut script = Script::new(config);
    if way != "session" {
        let alice = script.connected_over(transport, Value::Null);
        return (script, alice);
    }
    let connection = script.open(transport);
    script.send(
        connection,
        json!({
            "channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": ["websocket", "long-polling"],
        }),
    );
    let settings = SessionSettings {
        deliver_only: Some(true),
        ..SessionSettings::default()
    };
    script.decide(Verdict::Admit(Box::new(Admission {
        settings,
        ..Admission::default()
    })));
    let reply = script.take(connection);
    let alice = Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        transport,
        socket: (!transport.is_exchange()).then_some(connection),
        peer: bayeux_core::Peer::default(),
    };
    script.first_connect(&alice);
    (script, alice)
}

// Proves: QU-4, RC-3, RC-7
#[test]
fn events_can_be_kept_for_connect_replies() {
    for (way, transport) in WAYS.iter().flat_map(|way| {
        [Transport::LongPolling, Transport::WebSocket].map(|transport| (*way, transport))
    }) {
        let (mut script, alice) = deliver_only(way, transport);
        script.subscribe(&alice, "/a");

        let answer = ask(&mut script, &alice, publish(&alice, "/a", json!(1)));

        assert_eq!(answer, json!([ok("/a")]), "{way} {transport:?}");
        let connection = script.connect(&alice);
        let got = messages(&mut script, connection);
        assert_eq!(got[0], event("/a", json!(1)), "{way} {transport:?}");
        assert_eq!(got[1]["channel"], "/meta/connect");
        script.expect_no_trace();
    }
}

// Proves: QU-4
#[test]
fn on_a_socket_that_behaves_like_polling_an_event_releases_the_connect() {
    for way in WAYS {
        let (mut script, alice) = deliver_only(way, Transport::WebSocket);
        script.subscribe(&alice, "/a");
        let socket = script.connect(&alice);

        script.publish("/a", json!(1)).publish("/a", json!(2));

        let got = messages(&mut script, socket);
        assert_eq!(got[0], event("/a", json!(1)), "{way}");
        assert_eq!(got[1]["channel"], "/meta/connect", "{way}");
        assert_eq!(got.len(), 2, "{way}");
        script.expect_no_trace();
    }
}

// Proves: QU-4
#[test]
fn callback_polling_and_acknowledgement_always_keep_events_for_connect_replies() {
    let offer = json!({"ack": true});
    for (transport, ext) in [
        (Transport::CallbackPolling, Value::Null),
        (Transport::LongPolling, offer.clone()),
        (Transport::WebSocket, offer),
    ] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, ext);
        script.subscribe(&alice, "/a");

        let answer = ask(&mut script, &alice, publish(&alice, "/a", json!(1)));

        assert_eq!(answer, json!([ok("/a")]), "{transport:?}");
        assert_eq!(view(&mut script, &alice).queued.0, 1);
        script.expect_no_trace();
    }
}

// Proves: QU-7
#[test]
fn a_response_takes_the_whole_queue() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    for (data, laziness) in [
        (1, Laziness::Lazy),
        (2, Laziness::Prompt),
        (3, Laziness::Lazy),
    ] {
        deliver(&mut script, &alice, "/a", json!(data), laziness);
    }

    let answer = ask(&mut script, &alice, publish(&alice, "/b", json!(0)));

    let data: Vec<_> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["data"].clone())
        .collect();
    assert_eq!(data, [json!(1), json!(2), json!(3), Value::Null]);
    script.expect_no_trace();
}

// Proves: QU-9
#[test]
fn what_was_not_written_returns_to_the_front() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        script.subscribe(&alice, "/a");
        let carrier = script.connect(&alice);
        script.write_by_hand();

        script.publish("/a", json!(1)).publish("/a", json!(2));
        script.close(carrier).publish("/a", json!(3));

        let bytes = 3 * event("/a", json!(1)).to_string().len();
        assert_eq!(view(&mut script, &alice).queued, (3, bytes));
        assert_eq!(script.engine().counters().events_requeued, 1);
        assert_eq!(script.engine().counters().events_written, 0);
        let again = Client {
            transport: Transport::LongPolling,
            socket: None,
            ..alice
        };
        let seen: Vec<_> = events(&mut script, &again)
            .iter()
            .map(|e| e["data"].clone())
            .collect();
        assert_eq!(seen, [1, 2, 3], "{transport:?}");
        script.expect_no_trace();
    }
}

// Proves: QU-9
#[test]
fn an_event_is_taken_when_it_is_about_to_be_written() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    script.subscribe(&alice, "/a");
    let socket = script.connect(&alice);
    script.write_by_hand();

    for data in 1..=3 {
        script.publish("/a", json!(data));
    }

    script.expect(socket, json!([event("/a", json!(1))]));
    script.expect_nothing(socket);
    script.written(socket);
    script.expect(
        socket,
        json!([event("/a", json!(2)), event("/a", json!(3))]),
    );
    assert_eq!(script.engine().counters().events_written, 1);
    script.written(socket);
    assert_eq!(script.engine().counters().events_written, 3);
    assert_eq!(view(&mut script, &alice).queued, (0, 0));
    script.expect_no_trace();
}

// Proves: QU-9
#[test]
fn with_acknowledgement_events_are_kept_until_acknowledged() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::LongPolling, json!({"ack": true}));
    script.subscribe(&alice, "/a");
    script.publish("/a", json!(1)).publish("/a", json!(2));

    let poll = script.connect_with(&alice, json!({"ext": {"ack": 0}}));
    let frame = script.take(poll);

    assert_eq!(view(&mut script, &alice).queued.0, 2);
    assert_eq!(script.engine().counters().events_written, 2);
    let number = connected_reply(&frame)["ext"]["ack"].clone();
    script.connect_with(&alice, json!({"ext": {"ack": number}}));
    assert_eq!(view(&mut script, &alice).queued, (0, 0));
    script.expect_no_trace();
}

// Proves: QU-9
#[test]
fn events_that_are_sent_again_are_counted() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::LongPolling, json!({"ack": true}));
    script.subscribe(&alice, "/a");
    script.publish("/a", json!(1)).publish("/a", json!(2));
    let unacknowledged = json!({"ext": {"ack": 0}});
    script.connect_with(&alice, unacknowledged.clone());
    assert_eq!(script.engine().counters().events_resent, 0);

    let again = script.connect_with(&alice, unacknowledged);

    assert_eq!(script.take(again)[0], event("/a", json!(1)));
    assert_eq!(script.engine().counters().events_resent, 2);
    script.expect_no_trace();
}

#[test]
fn a_carrier_that_takes_nothing_is_cut_when_its_client_connects_anew() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");
    let slow = script.connect(&alice);
    script.write_by_hand().publish("/a", json!(1));
    script.take(slow);

    let next = script.connect(&alice);

    script.expect_closed(slow, CloseReason::Superseded);
    assert_eq!(script.take(next)[0], event("/a", json!(1)));
    script.expect_no_trace();
}
