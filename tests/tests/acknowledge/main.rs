//! Acknowledged delivery (section 24): everything once and in order, whatever is lost on the way.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

mod agreed;
mod frames;
mod losses;
mod numbers;
mod overtaken;

use std::time::Duration;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, Call, CallResult, Change, ChannelName, ChannelRule, CloseReason, Config,
    ConnectionId, Decider, DeciderId, Input, Laziness, Limits, Load, Operations, Payload,
    QueuePolicy, Role, SessionId, SessionSettings, Transport, Verdict,
};
use bayeux_tests::talk::brought;
use proptest::prelude::*;
use serde_json::{Value, json};

const HTTP: Transport = Transport::LongPolling;
const SOCKET: Transport = Transport::WebSocket;

/// A client with acknowledgement, connected and subscribed to `/news`.
fn reader(script: &mut Script, transport: Transport) -> Client {
    let client = script.connected_over(transport, json!({"ack": true}));
    script.subscribe(&client, "/news");
    client
}

/// A connect that presents this number.
fn connect(script: &mut Script, client: &Client, number: impl Into<Value>) -> ConnectionId {
    let number: Value = number.into();
    script.connect_with(client, json!({"ext": {"ack": number}}))
}

/// The same, to be answered at once.
fn probe(script: &mut Script, client: &Client, number: i64) -> Value {
    let ask = json!({"ext": {"ack": number}, "advice": {"timeout": 0}});
    let connection = script.connect_with(client, ask);
    script.take(connection)
}

fn brings(frame: &Value, data: impl IntoIterator<Item = i64>, number: u64) {
    let data: Vec<Value> = data.into_iter().map(Value::from).collect();
    assert_eq!(brought(frame), (data, Some(number)), "{frame}");
}

fn publish_lazily(script: &mut Script, data: Value) {
    script.call(Call::Publish {
        channel: "/news".parse().unwrap(),
        data: Payload::from(data),
        ext: None,
        laziness: Laziness::Lazy,
    });
}

/// Lets every session expire, and every channel vanish: then the engine holds what a new one holds.
fn nothing_leaks(script: &mut Script) {
    script.after(400_000);
    let mut load = script.engine().load();
    load.connections = 0; // a socket may stay without a session
    assert_eq!(load, Load::default());
}

/// A large event: `count` of them do not fit one frame.
fn large(number: usize) -> Value {
    json!([number, "x".repeat(20 << 10)])
}

fn numbers(data: &[Value]) -> Vec<u64> {
    let number = |data: &Value| data.as_u64().or_else(|| data[0].as_u64()).unwrap();
    data.iter().map(number).collect()
}

/// An engine with one decider that sees every event on its way to each session, and a client of it.
fn inspected() -> (Script, Client) {
    let handshake = Operations {
        handshake: true,
        ..Operations::default()
    };
    let deciders = [(1, Role::Policy(handshake)), (2, Role::SessionOutgoing)];
    let deciders = deciders.map(|(id, role)| Decider {
        id: DeciderId(id),
        role,
    });
    let mut script = Script::new(Config {
        deciders: deciders.to_vec(),
        decision_timeout: Duration::from_secs(3_600),
        max_interval: Duration::from_secs(3_600),
        ..Config::default()
    });
    let exchange = script.post(json!({
        "id": "h", "channel": "/meta/handshake", "version": "1.0", "ext": {"ack": true},
    }));
    script.decide(Verdict::Admit(Box::new(Admission {
        settings: SessionSettings {
            outgoing: vec![DeciderId(2)],
            ..SessionSettings::default()
        },
        ..Admission::default()
    })));
    let reply = script.take(exchange);
    let client = Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        transport: HTTP,
        socket: None,
        peer: Default::default(),
    };
    script.first_connect(&client);
    script.subscribe(&client, "/news");
    (script, client)
}

// Proves: AK-12, QU-5
#[test]
fn too_much_that_is_not_acknowledged_ends_the_session() {
    let limits = [
        Limits {
            max_queued_events: 2,
            ..Limits::default()
        },
        Limits {
            max_queued_bytes: 50,
            ..Limits::default()
        },
    ];
    for limits in limits {
        let mut script = Script::new(Config {
            limits,
            queue_policy: QueuePolicy::DropOldest,
            ..Config::default()
        });
        let client = reader(&mut script, HTTP);
        script.publish("/news", json!(1));
        brings(&probe(&mut script, &client, 0), [1], 1);
        script.publish("/news", json!(2));

        script.publish("/news", json!(3));

        let reply = probe(&mut script, &client, 0);
        assert_eq!(reply[0]["error"], "402::session_unknown");
        assert_eq!(reply[0]["advice"]["reconnect"], "handshake");
        nothing_leaks(&mut script);
    }
}

// Proves: AK-12
#[test]
fn nothing_is_kept_beyond_the_session() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    script.publish("/news", json!(1));
    brings(&probe(&mut script, &client, 0), [1], 1);

    script.after(10_000);

    let reply = probe(&mut script, &client, 0);
    assert_eq!(reply[0]["error"], "402::session_unknown");
    nothing_leaks(&mut script);
}

// Proves: AK-13
#[test]
fn it_works_alike_on_every_transport_and_across_them() {
    let mut script = Script::new(Config::default());
    let polling = reader(&mut script, HTTP);
    let callback = Client {
        transport: Transport::CallbackPolling,
        ..polling.clone()
    };
    let socket = Client {
        transport: SOCKET,
        socket: Some(script.open(SOCKET)),
        ..polling.clone()
    };
    let carriers = [&polling, &socket, &callback, &socket, &polling, &callback];

    for (number, client) in (0_u64..).zip(carriers) {
        let held = connect(&mut script, client, number);
        script.expect_nothing(held);
        script.publish("/news", json!(number));
        brings(&script.take(held), [number as i64], number + 1);
        script.expect_nothing(socket.socket.unwrap());
    }
    nothing_leaks(&mut script);
}

// Proves: AK-13
#[test]
fn each_burst_on_a_websocket_answers_the_connect() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, SOCKET);
    let socket = client.socket.unwrap();

    for number in 0..3_u64 {
        connect(&mut script, &client, number);
        script.expect_nothing(socket);
        script.publish("/news", json!(number));
        brings(&script.take(socket), [number as i64], number + 1);
        // Nothing is pushed while no connect is held.
        script.expect_nothing(socket);
    }
}

// Proves: MO-5
#[test]
fn without_acknowledgement_what_was_written_is_not_sent_again() {
    for transport in [HTTP, SOCKET] {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(transport, Value::Null);
        script.subscribe(&client, "/news");
        let held = script.connect(&client);
        script.publish("/news", json!(1));
        assert_eq!(brought(&script.take(held)), (vec![json!(1)], None)); // and lost

        let ask = json!({"ext": {"ack": 0}, "advice": {"timeout": 0}});
        let probe = script.connect_with(&client, ask);

        assert_eq!(brought(&script.take(probe)), (vec![], None));
    }
}

// Proves: MO-5, AK-3
#[test]
fn an_aborted_poll_loses_nothing() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    let held = connect(&mut script, &client, 0);
    script.close(held);
    script.publish("/news", json!(1));
    script.write_by_hand();
    let held = connect(&mut script, &client, 0);
    brings(&script.take(held), [1], 1);
    script.close(held); // before it was written

    let held = connect(&mut script, &client, 0);

    brings(&script.take(held), [1], 1);
    script.written(held);
    nothing_leaks(&mut script);
}

// Proves: QU-6
#[test]
fn a_lazy_channel_is_lazy_for_acknowledged_delivery_too() {
    let mut script = Script::new(Config {
        channels: vec![ChannelRule {
            pattern: "/news".parse().unwrap(),
            lazy: Some(Duration::from_secs(1)),
            broadcast_to_publisher: None,
            persistent: false,
        }],
        ..Config::default()
    });
    let client = reader(&mut script, HTTP);
    let held = connect(&mut script, &client, 0);

    script
        .publish("/news", json!(1))
        .after(999)
        .expect_nothing(held);
    script.after(1);

    brings(&script.take(held), [1], 1);
    nothing_leaks(&mut script);
}
