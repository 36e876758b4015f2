//! Acknowledged delivery (section 24): everything once and in order, whatever is lost on the way.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

use std::time::Duration;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, Call, CallResult, ChannelName, ChannelRule, CloseReason, Config, ConnectionId,
    Decider, DeciderId, Input, Laziness, Limits, Load, Operations, Payload, QueuePolicy, Role,
    SessionId, SessionSettings, Transport, Verdict,
};
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

/// What a frame brought: the data of its events in order, and the number on its connect reply.
fn read(frame: &Value) -> (Vec<Value>, Option<u64>) {
    let messages = frame.as_array().unwrap();
    let data = messages.iter().filter_map(|message| message.get("data"));
    let number = messages
        .iter()
        .find(|message| message["channel"] == "/meta/connect")
        .and_then(|reply| reply.pointer("/ext/ack"))
        .map(|number| number.as_u64().unwrap());
    (data.cloned().collect(), number)
}

fn brings(frame: &Value, data: impl IntoIterator<Item = i64>, number: u64) {
    let data: Vec<Value> = data.into_iter().map(Value::from).collect();
    assert_eq!(read(frame), (data, Some(number)), "{frame}");
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

// Proves: AK-1
#[test]
fn acknowledgement_is_agreed_on_if_both_sides_want_it() {
    let off = Config {
        acknowledge: false,
        ..Config::default()
    };
    for (config, offer, agreed) in [
        (Config::default(), json!({"ack": true}), true),
        (Config::default(), json!({"ack": {"enabled": true}}), true),
        (Config::default(), json!({"ack": false}), false),
        (Config::default(), json!({"ack": {"enabled": false}}), false),
        (Config::default(), json!({"ack": 1}), false),
        (Config::default(), json!({}), false),
        (off, json!({"ack": true}), false),
    ] {
        let mut script = Script::new(config);
        let exchange = script.post(json!({
            "id": "1", "channel": "/meta/handshake", "version": "1.0", "ext": offer,
        }));
        let reply = script.take(exchange);

        let ack = reply.pointer("/0/ext/ack");
        assert_eq!(ack, agreed.then_some(&json!(true)), "{offer}");
        let session = reply[0]["clientId"].as_str().unwrap();
        let exchange = script.post(json!({
            "id": "2", "channel": "/meta/connect", "clientId": session, "ext": {"ack": 0},
        }));
        let reply = script.take(exchange);
        assert_eq!(
            reply.pointer("/0/ext/ack"),
            agreed.then_some(&json!(0)),
            "{offer}"
        );
        nothing_leaks(&mut script);
    }
}

/// An engine whose handshakes are welcomed with 1 and 2 if they are admitted by `welcome`.
fn welcoming(deliver_during_handshake: bool) -> Script {
    let handshake = Operations {
        handshake: true,
        ..Operations::default()
    };
    Script::new(Config {
        deliver_during_handshake,
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Policy(handshake),
        }],
        ..Config::default()
    })
}

fn welcome(script: &mut Script, transport: Transport) -> (ConnectionId, Client) {
    let connection = script.open(transport);
    script.send(
        connection,
        json!({"id": "h", "channel": "/meta/handshake", "version": "1.0", "ext": {"ack": true}}),
    );
    let channel: ChannelName = "/welcome".parse().unwrap();
    script.decide(Verdict::Admit(Box::new(Admission {
        welcome: vec![
            (channel.clone(), Payload::from(json!(1))),
            (channel, Payload::from(json!(2))),
        ],
        ..Admission::default()
    })));
    let session = only_session(script);
    let client = Client {
        session,
        transport,
        socket: (transport == SOCKET).then_some(connection),
        peer: Default::default(),
    };
    (connection, client)
}

fn only_session(script: &mut Script) -> String {
    match script.call(Call::ListSessions { from: 0, limit: 10 }) {
        CallResult::Sessions(sessions, _) => sessions[0].text().to_owned(),
        other => panic!("{other:?}"),
    }
}

// Proves: AK-1, HS-14
#[test]
fn a_handshake_that_delivers_has_a_number_of_its_own() {
    let mut script = welcoming(true);
    script
        .publish("/before", json!(0))
        .publish("/before", json!(0));

    let (exchange, client) = welcome(&mut script, HTTP);

    let reply = script.take(exchange);
    assert_eq!(reply[0]["x-messages"], 2);
    assert_eq!(reply[0]["ext"]["ack"], json!({"enabled": true, "batch": 2}));
    assert_eq!(
        (&reply[1], &reply[2]),
        (&event("/welcome", json!(1)), &event("/welcome", json!(2)))
    );
    brings(&probe(&mut script, &client, 2), [], 2);
    nothing_leaks(&mut script);
}

// Proves: AK-9
#[test]
fn what_welcomes_a_session_is_sent_again_until_it_is_acknowledged() {
    let mut script = welcoming(true);
    let (exchange, client) = welcome(&mut script, HTTP);
    script.take(exchange); // and lost

    brings(&probe(&mut script, &client, 0), [1, 2], 2);
    brings(&probe(&mut script, &client, 1), [2], 2);
    brings(&probe(&mut script, &client, 2), [], 2);

    let mut script = welcoming(false);
    let (exchange, client) = welcome(&mut script, HTTP);
    let reply = script.take(exchange);
    assert_eq!(reply.as_array().unwrap().len(), 1);
    assert_eq!(reply[0]["ext"]["ack"], true);
    brings(&probe(&mut script, &client, 0), [1, 2], 2);
    nothing_leaks(&mut script);
}

// Proves: AK-2, AK-14
#[test]
fn only_connect_replies_carry_events_and_numbers() {
    for transport in [HTTP, SOCKET, Transport::CallbackPolling] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, transport);
        script.publish("/news", json!(1));
        let session = &client.session;

        for message in [
            json!({"channel": "/meta/subscribe", "clientId": session, "subscription": "/more"}),
            json!({"channel": "/meta/unsubscribe", "clientId": session, "subscription": "/more"}),
            json!({"channel": "/news", "clientId": session, "data": 2}),
            json!({"channel": "/service/x", "clientId": session, "data": 2}),
        ] {
            let connection = script.request(&client, message.clone());
            let reply = script.take(connection);
            assert_eq!(reply.as_array().unwrap().len(), 1, "{reply}");
            assert_eq!(reply[0]["successful"], true);
            assert_eq!(reply[0].get("ext"), None, "{reply}");
            script.expect_nothing(connection);
        }

        brings(&probe(&mut script, &client, 0), [1, 2], 2);
        let bye = json!({"channel": "/meta/disconnect", "clientId": session});
        let connection = script.request(&client, bye);
        assert_eq!(
            script.take(connection),
            json!([{"channel": "/meta/disconnect", "successful": true}])
        );
        nothing_leaks(&mut script);
    }
}

// Proves: AK-3, AK-5, DE-3
#[test]
fn an_event_is_kept_until_its_number_is_acknowledged() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    for data in 1..=3 {
        script.publish("/news", json!(data));
    }

    brings(&probe(&mut script, &client, 0), [1, 2, 3], 3);
    brings(&probe(&mut script, &client, -1), [1, 2, 3], 3);
    brings(&probe(&mut script, &client, 1), [2, 3], 3);
    brings(&probe(&mut script, &client, 3), [], 3);
    script.publish("/news", json!(4));
    brings(&probe(&mut script, &client, 3), [4], 4);
    // Less than before: what was acknowledged does not come back, what was not does.
    brings(&probe(&mut script, &client, 1), [4], 4);
    brings(&probe(&mut script, &client, 4), [], 4);
    nothing_leaks(&mut script);
}

// Proves: AK-5, DC-5
#[test]
fn the_last_connect_of_a_session_that_was_ended_brings_what_it_does_not_acknowledge() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    for data in 1..=3 {
        script.publish("/news", json!(data));
    }
    brings(&probe(&mut script, &client, 0), [1, 2, 3], 3);
    let session = SessionId::parse(&client.session).unwrap();
    assert_eq!(script.call(Call::Disconnect { session }), CallResult::Done);

    let last = connect(&mut script, &client, 1);

    assert_eq!(read(&script.take(last)).0, [json!(2), json!(3)]);
    nothing_leaks(&mut script);
}

// Proves: AK-4
#[test]
fn the_number_is_the_position_since_the_handshake() {
    let mut script = Script::new(Config::default());
    for _ in 0..5 {
        script.publish("/before", json!(0));
    }
    let client = reader(&mut script, HTTP);

    brings(&probe(&mut script, &client, 0), [], 0);
    script
        .publish("/other", json!(0))
        .publish("/other", json!(0));
    brings(&probe(&mut script, &client, 0), [], 2);
    script
        .publish("/news", json!(1))
        .publish("/other", json!(0));
    brings(&probe(&mut script, &client, 2), [1], 4);
    brings(&probe(&mut script, &client, 4), [], 4);
    let held = connect(&mut script, &client, 4);
    script.publish("/other", json!(0)).expect_nothing(held);
    script.publish("/news", json!(2));
    brings(&script.take(held), [2], 6);
    nothing_leaks(&mut script);
}

// Proves: AK-4
#[test]
fn a_held_connect_that_times_out_says_how_far_the_log_has_come() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    let held = connect(&mut script, &client, 0);
    script
        .publish("/other", json!(0))
        .publish("/other", json!(0));

    script.after(30_000);

    brings(&script.take(held), [], 2);
    nothing_leaks(&mut script);
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

// Proves: AK-4
#[test]
fn the_number_never_passes_an_event_that_is_not_decided_on() {
    let (mut script, client) = inspected();
    for data in 1..=4 {
        script.publish("/news", json!(data));
    }
    let mut tickets = Vec::new();
    for _ in 1..=4 {
        tickets.push(script.take_question().0);
    }
    let say = |script: &mut Script, at: usize, verdict| {
        let ticket = tickets[at - 1];
        script.fact(Input::Decided { ticket, verdict });
    };

    brings(&probe(&mut script, &client, 0), [], 0);
    say(&mut script, 2, Verdict::Allow);
    brings(&probe(&mut script, &client, 0), [], 0);
    say(&mut script, 1, Verdict::Allow);
    brings(&probe(&mut script, &client, 0), [1, 2], 2);
    say(&mut script, 4, Verdict::Allow);
    brings(&probe(&mut script, &client, 2), [], 2);
    brings(&probe(&mut script, &client, 0), [], 2);
    // Nothing is left of the third: the number may pass it.
    say(&mut script, 3, Verdict::Drop);
    brings(&probe(&mut script, &client, 2), [4], 4);
    brings(&probe(&mut script, &client, 4), [], 4);
}

// Proves: AK-4
#[test]
fn a_held_connect_waits_for_the_decision_on_its_event() {
    let (mut script, client) = inspected();
    let held = connect(&mut script, &client, 0);

    script.publish("/news", json!(1)).publish("/news", json!(2));
    let (first, _) = script.take_question();
    script.decide(Verdict::Allow).expect_nothing(held);
    script.fact(Input::Decided {
        ticket: first,
        verdict: Verdict::Allow,
    });

    brings(&script.take(held), [1, 2], 2);
}

// Proves: AK-6
#[test]
fn what_was_lost_is_sent_again_at_once() {
    for transport in [HTTP, SOCKET] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, transport);
        let held = connect(&mut script, &client, 0);
        script.publish("/news", json!(1)).publish("/news", json!(2));
        brings(&script.take(held), [1], 1);

        let held = connect(&mut script, &client, 0);

        brings(&script.take(held), [1, 2], 2);
        let held = connect(&mut script, &client, 2);
        script.expect_nothing(held);
    }
}

// Proves: AK-6
#[test]
fn lazy_events_that_were_never_sent_do_not_hurry() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    script.publish("/news", json!(1));
    brings(&probe(&mut script, &client, 0), [1], 1);
    publish_lazily(&mut script, json!(2));

    let held = connect(&mut script, &client, 1);

    script.expect_nothing(held);
    script.after(4_999).expect_nothing(held);
    script.after(1);
    brings(&script.take(held), [2], 2);
    // Once it was sent, it is to arrive.
    let again = connect(&mut script, &client, 1);
    brings(&script.take(again), [2], 2);
    nothing_leaks(&mut script);
}

// Proves: AK-7, DE-3
#[test]
fn a_number_ahead_of_the_log_is_waited_for() {
    for transport in [HTTP, SOCKET] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, transport);
        script.publish("/news", json!(1));

        let connection = connect(&mut script, &client, 3);

        script.after(1_999).expect_nothing(connection);
        for data in 2..=4 {
            script.publish("/news", json!(data));
        }
        brings(&script.take(connection), [4], 4);
    }
}

// Proves: AK-7, AK-4, DE-3
#[test]
fn a_number_that_never_was_changes_nothing() {
    for number in [json!(2), json!(1_000_000), json!(u64::MAX), json!(1e300)] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, HTTP);
        script.publish("/news", json!(1));
        let connection = connect(&mut script, &client, number.clone());

        script.after(1_999).expect_nothing(connection);
        script.after(1);

        brings(&script.take(connection), [1], 1);
        brings(&probe(&mut script, &client, 0), [1], 1);
        script.publish("/news", json!(2));
        brings(&probe(&mut script, &client, 1), [2], 2);
        nothing_leaks(&mut script);
    }
}

// Proves: AK-10, DE-3
#[test]
fn a_connect_without_a_number_acknowledges_nothing() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    script.publish("/news", json!(1)).publish("/news", json!(2));
    brings(&probe(&mut script, &client, 0), [1, 2], 2);

    for ext in [
        json!({}),
        json!({"ext": {}}),
        json!({"ext": {"ack": null}}),
        json!({"ext": {"ack": true}}),
        json!({"ext": {"ack": "2"}}),
        json!({"ext": {"ack": [2]}}),
        json!({"ext": {"ack": {"batch": 2}}}),
    ] {
        let mut members = ext.clone();
        members["advice"] = json!({"timeout": 0});
        let connection = script.connect_with(&client, members);
        brings(&script.take(connection), [1, 2], 2);
    }
    brings(&probe(&mut script, &client, 2), [], 2);
    nothing_leaks(&mut script);
}

// Proves: AK-8
#[test]
fn an_overtaken_reply_holds_nothing_beyond_its_own_number() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    script.write_by_hand();
    let older = connect(&mut script, &client, 0);
    script.publish("/news", json!(1)); // answers it, slowly
    script.publish("/news", json!(2));

    let newer = connect(&mut script, &client, 0);

    brings(&script.take(older), [1], 1);
    brings(&script.take(newer), [1, 2], 2);
    script.written(newer).written(older);
    script.expect_nothing(older).expect_nothing(newer);
    let held = connect(&mut script, &client, 2);
    script.expect_nothing(held);
    script.close(held);
    nothing_leaks(&mut script);
}

// Proves: AK-8
#[test]
fn an_overtaken_hold_takes_nothing_along() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    let older = connect(&mut script, &client, 0);

    let newer = connect(&mut script, &client, 0);

    script.expect_closed(older, CloseReason::Duplicate);
    assert_eq!(script.try_take(older), None);
    script.publish("/news", json!(1));
    brings(&script.take(newer), [1], 1);
    nothing_leaks(&mut script);
}

// Proves: AK-7, AK-8
#[test]
fn a_connect_that_waits_for_the_log_is_overtaken_like_any_other() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    let older = connect(&mut script, &client, 7);

    let newer = connect(&mut script, &client, 0);

    script.expect_closed(older, CloseReason::Duplicate);
    script.publish("/news", json!(1));
    brings(&script.take(newer), [1], 1);
    assert_eq!(script.try_take(older), None);
    nothing_leaks(&mut script);
}

// Proves: AK-11
#[test]
fn events_and_number_share_one_frame() {
    let mut script = Script::new(Config {
        messages_per_frame: 1,
        ..Config::default()
    });
    let client = reader(&mut script, SOCKET);
    for data in 1..=5 {
        script.publish("/news", json!(data));
    }

    brings(&probe(&mut script, &client, 0), [1, 2, 3, 4, 5], 5);

    assert_eq!(script.try_take(client.socket.unwrap()), None);
}

// Proves: AK-11, AK-4
#[test]
fn what_does_not_fit_is_for_the_next_connect_which_does_not_wait() {
    for transport in [HTTP, SOCKET] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, transport);
        for number in 1..=7 {
            script.publish("/news", large(number));
            script.publish("/other", json!(0));
        }
        let (mut got, mut number) = (Vec::new(), 0);
        let mut frames = 0;
        while got.len() < 7 {
            let connection = connect(&mut script, &client, number);
            let frame = script.take_bytes(connection).unwrap();
            assert!(frame.len() <= 65 << 10, "{}", frame.len());
            let frame: Value = serde_json::from_slice(&frame).unwrap();
            let (data, reached) = read(&frame);
            got.extend(numbers(&data));
            // The number of the last event that it carries, or all if it carries all.
            let last = *got.last().unwrap();
            assert_eq!(reached, Some(if last == 7 { 14 } else { 2 * last - 1 }));
            number = reached.unwrap();
            frames += 1;
        }
        assert_eq!(got, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(frames, 3);
        let connection = connect(&mut script, &client, number);
        script.expect_nothing(connection);
    }
}

// Proves: AK-11
#[test]
fn lazy_events_that_do_not_fit_do_not_wait_either() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    for number in 1..=5 {
        publish_lazily(&mut script, large(number));
    }
    let (data, number) = read(&probe(&mut script, &client, 0));
    assert_eq!(numbers(&data), [1, 2, 3]);

    let connection = connect(&mut script, &client, number.unwrap());

    let (data, number) = read(&script.take(connection));
    assert_eq!((numbers(&data), number), (vec![4, 5], Some(5)));
    nothing_leaks(&mut script);
}

// Proves: AK-11, AK-4
#[test]
fn two_connect_replies_in_one_flush_do_not_skip_what_did_not_fit() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, SOCKET);
    let socket = client.socket.unwrap();
    for number in 1..=5 {
        script.publish("/news", large(number));
    }
    script.write_by_hand();
    let id = script.id();
    script.send(
        socket,
        json!({"id": id, "channel": "/x", "clientId": client.session, "data": 0}),
    );
    let ask = json!({"ext": {"ack": 0}, "advice": {"timeout": 0}});
    script.connect_with(&client, ask.clone());
    script.connect_with(&client, ask);
    script.take(socket);

    script.written(socket);

    let frame = script.take(socket);
    let replies = frame.as_array().unwrap().iter();
    let numbers: Vec<_> = replies.filter_map(|m| m.pointer("/ext/ack")).collect();
    assert_eq!(
        numbers,
        [3, 3],
        "the fourth and fifth are not in this frame"
    );
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
        assert_eq!(read(&script.take(held)), (vec![json!(1)], None)); // and lost

        let ask = json!({"ext": {"ack": 0}, "advice": {"timeout": 0}});
        let probe = script.connect_with(&client, ask);

        assert_eq!(read(&script.take(probe)), (vec![], None));
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

// A client that follows the protocol, and a network that loses what it likes.

#[derive(Clone, Debug)]
enum Step {
    /// Something is published: small or large, prompt or lazy, for this client or not.
    Publish {
        large: bool,
        lazy: bool,
        other: bool,
    },
    /// The client connects, over HTTP or its websocket; it gives up on what it waited for before.
    Connect { socket: bool },
    /// The client reads the answer to its connect, if there is one.
    Read,
    /// The answer, or what will be the answer, is lost; the server may believe that it was written.
    Lose { written: bool },
    /// Time passes.
    Pass(u64),
    /// The oldest open question about an event is answered; or the newest.
    Decide { newest: bool, drop: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flag = any::<bool>;
    let step = prop_oneof![
        4 => (prop::bool::weighted(0.3), prop::bool::weighted(0.3), prop::bool::weighted(0.2))
            .prop_map(|(large, lazy, other)| Step::Publish { large, lazy, other }),
        4 => flag().prop_map(|socket| Step::Connect { socket }),
        4 => Just(Step::Read),
        2 => flag().prop_map(|written| Step::Lose { written }),
        1 => (1_u64..40_000).prop_map(Step::Pass),
        3 => (flag(), prop::bool::weighted(0.1))
            .prop_map(|(newest, drop)| Step::Decide { newest, drop }),
    ];
    prop::collection::vec(step, 1..80)
}

/// What the client is waiting for, and what it has.
struct Reader {
    client: Client,
    socket: Option<ConnectionId>,
    waits: Option<(ConnectionId, String)>,
    /// Answers that it does not wait for any more.
    abandoned: Vec<ConnectionId>,
    number: u64,
    got: Vec<u64>,
}

impl Reader {
    fn connect(&mut self, script: &mut Script, socket: bool) {
        if !socket || self.waits.is_some() {
            // Nobody sends a second connect on a websocket while the first is unanswered.
            self.drop_socket(script);
        }
        let id = script.id();
        let message = json!({
            "id": id, "channel": "/meta/connect", "clientId": self.client.session,
            "connectionType": if socket { "websocket" } else { "long-polling" },
            "ext": {"ack": self.number},
        });
        let connection = if socket {
            *self.socket.get_or_insert_with(|| script.open(SOCKET))
        } else {
            script.open(HTTP)
        };
        script.send(connection, message);
        let before = self.waits.replace((connection, id));
        self.abandoned
            .extend(before.map(|(connection, _)| connection));
    }

    fn drop_socket(&mut self, script: &mut Script) {
        if let Some(socket) = self.socket.take() {
            script.close(socket);
            if self.waits.as_ref().is_some_and(|(at, _)| *at == socket) {
                self.waits = None;
            }
        }
    }

    /// Whether there was an answer.
    fn read(&mut self, script: &mut Script) -> bool {
        let Some((connection, id)) = self.waits.clone() else {
            return false;
        };
        let Some(frame) = script.try_take(connection) else {
            return false;
        };
        script.written(connection);
        let replies = frame.as_array().unwrap();
        let reply = replies.last().unwrap();
        assert_eq!(
            (&reply["id"], &reply["successful"]),
            (&json!(id), &json!(true))
        );
        let (data, number) = read(&frame);
        self.got.extend(numbers(&data));
        let number = number.unwrap();
        assert!(number >= self.number, "{number} is less than was presented");
        self.number = number;
        self.waits = None;
        true
    }

    fn lose(&mut self, script: &mut Script, written: bool) {
        let Some((connection, _)) = self.waits.take() else {
            return;
        };
        let sent = script.try_take(connection).is_some();
        if sent && written {
            script.written(connection);
        }
        let socket = self.socket == Some(connection);
        if socket {
            self.socket = None;
        }
        let gone = socket || !(sent && written);
        if gone && script.closed(connection).is_none() {
            script.close(connection);
        }
    }
}

fn run(steps: &[Step], mut script: Script, client: Client) {
    let mut reader = Reader {
        client,
        socket: None,
        waits: None,
        abandoned: Vec::new(),
        number: 0,
        got: Vec::new(),
    };
    script.write_by_hand();
    let mut wanted = Vec::new();
    let mut open = Vec::new();
    for (number, step) in (1..).zip(steps) {
        match step {
            Step::Publish {
                large: big,
                lazy,
                other,
            } => {
                let data = if *big { large(number) } else { json!(number) };
                let channel = if *other { "/other" } else { "/news" };
                let laziness = if *lazy {
                    Laziness::Lazy
                } else {
                    Laziness::Prompt
                };
                if !other {
                    wanted.push(number as u64);
                }
                script.call(Call::Publish {
                    channel: channel.parse().unwrap(),
                    data: Payload::from(data),
                    ext: None,
                    laziness,
                });
                if script.question().is_some() {
                    open.push((script.take_question().0, number as u64));
                }
            }
            Step::Connect { socket } => reader.connect(&mut script, *socket),
            Step::Read => {
                reader.read(&mut script);
            }
            Step::Lose { written } => reader.lose(&mut script, *written),
            Step::Pass(millis) => {
                script.after(*millis);
            }
            Step::Decide { newest, drop } => {
                if open.is_empty() {
                    continue;
                }
                let (ticket, of) = if *newest {
                    open.pop().unwrap()
                } else {
                    open.remove(0)
                };
                let verdict = if *drop { Verdict::Drop } else { Verdict::Allow };
                script.fact(Input::Decided { ticket, verdict });
                if *drop {
                    wanted.retain(|number| *number != of);
                }
            }
        }
    }
    for (ticket, _) in open {
        let verdict = Verdict::Allow;
        script.fact(Input::Decided { ticket, verdict });
    }
    // The network has no more mischief in it.
    reader.lose(&mut script, false);
    for _ in 0..100 {
        reader.connect(&mut script, false);
        while !reader.read(&mut script) {
            script.after(1_000);
        }
        if reader.got.len() >= wanted.len() && reader.waits.is_none() {
            break;
        }
    }
    assert_eq!(reader.got, wanted);
    let session = SessionId::parse(&reader.client.session).unwrap();
    script.call(Call::Disconnect { session });
    reader.drop_socket(&mut script);
    for connection in reader.abandoned {
        if script.closed(connection).is_none() {
            script.close(connection);
        }
    }
    script.after(8_000_000);
    assert_eq!(script.engine().load(), Load::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    // Proves: MO-5, AK-3, AK-6, AK-11, AK-13
    #[test]
    fn whatever_is_lost_each_event_arrives_once_and_in_order(steps in steps()) {
        let mut script = Script::new(Config {
            max_interval: Duration::from_secs(3_600),
            ..Config::default()
        });
        let client = reader(&mut script, HTTP);
        run(&steps, script, client);
    }

    // Proves: AK-4
    #[test]
    fn so_it_does_while_events_wait_for_decisions(steps in steps()) {
        let (script, client) = inspected();
        run(&steps, script, client);
    }
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
