//! What stands in a response or a flush, and in which order (section 16).

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, Change, Config, Decider, DeciderId, Input, Operations, Payload, ReportKind, Role,
    StoreReply, Transport, Verdict,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

fn handshake() -> Value {
    json!({
        "id": "m", "channel": "/meta/handshake", "version": "1.0",
        "supportedConnectionTypes": ["websocket", "long-polling"],
    })
}

fn decider(role: Role) -> Decider {
    let id = DeciderId(1);
    Decider { id, role }
}

// Proves: RC-1, RC-2
#[test]
fn events_stand_before_the_replies_which_stand_in_request_order() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script
        .subscribe(&alice, "/a")
        .publish("/a", json!(1))
        .publish("/a", json!(2));
    let with_id = |id: u32, channel: &str| message(&alice, channel, json!({"id": id}));

    let answer = ask(
        &mut script,
        &alice,
        json!([
            with_id(1, "/b"),
            with_id(2, "/a/*"),
            with_id(3, "/a"),
            with_id(4, "/meta/x")
        ]),
    );

    let expected = json!([
        event("/a", json!(1)),
        event("/a", json!(2)),
        event("/a", Value::Null),
        {"id": 1, "channel": "/b", "successful": true},
        {"id": 2, "channel": "/a/*", "successful": false, "error": "405::channel_invalid"},
        {"id": 3, "channel": "/a", "successful": true},
        {
            "id": 4, "channel": "/meta/x", "successful": false,
            "error": "403:denied_by_security_policy:channel_create_denied",
        },
    ]);
    assert_eq!(answer, expected);
    script.expect_no_trace();
}

// Proves: RC-2, RC-3
#[test]
fn a_connect_reply_is_last() {
    for batched in [true, false] {
        let mut script = Script::new(Config::default());
        let alice = script.connected();
        script.subscribe(&alice, "/a").publish("/a", json!(1));
        let connect = message(
            &alice,
            "/meta/connect",
            json!({"connectionType": "long-polling"}),
        );
        let frame = if batched {
            json!([publish(&alice, "/b", json!(2)), connect])
        } else {
            connect
        };

        let answer = ask(&mut script, &alice, frame);

        let answer = answer.as_array().unwrap();
        assert_eq!(answer[0], event("/a", json!(1)));
        assert_eq!(answer.last().unwrap()["channel"], "/meta/connect");
        script.expect_no_trace();
    }
}

/// A script that welcomes a client with two events, and the connection of its handshake.
fn welcomed(transport: Transport, during_handshake: bool) -> (Script, bayeux_core::ConnectionId) {
    let operations = Operations {
        handshake: true,
        ..Operations::default()
    };
    let mut script = Script::new(Config {
        deliver_during_handshake: during_handshake,
        deciders: vec![decider(Role::Policy(operations))],
        ..Config::default()
    });
    let connection = script.open(transport);
    script.send(connection, handshake());
    let welcome = |data: u32| ("/w".parse().unwrap(), Payload::from(json!(data)));
    script.decide(Verdict::Admit(Box::new(Admission {
        welcome: vec![welcome(1), welcome(2)],
        ..Admission::default()
    })));
    (script, connection)
}

// Proves: RC-2, RC-3, RC-5
#[test]
fn a_handshake_reply_is_first_and_carries_events_only_if_it_may() {
    for (transport, may) in [
        (Transport::LongPolling, true),
        (Transport::LongPolling, false),
        (Transport::WebSocket, true),
        (Transport::WebSocket, false),
    ] {
        let (mut script, connection) = welcomed(transport, may);

        let first = script.take(connection);

        let reply = &first[0];
        assert_eq!(reply["channel"], "/meta/handshake");
        let (one, two) = (event("/w", json!(1)), event("/w", json!(2)));
        if !may {
            assert_eq!(reply.get("x-messages"), None);
            assert_eq!(first, json!([reply]));
            assert_eq!(script.try_take(connection), None);
        } else if transport.is_exchange() {
            assert_eq!(reply["x-messages"], 2);
            assert_eq!(first, json!([reply, one, two]));
        } else {
            assert_eq!(reply["x-messages"], 2);
            assert_eq!(first, json!([reply]), "a frame of its own");
            script.expect(connection, json!([one, two]));
        }
        script.expect_no_trace();
    }
}

// Proves: RC-3
#[test]
fn any_reply_carries_events_unless_it_may_not() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");
    for request in [
        publish(&alice, "/b", json!(1)),
        publish(&alice, "/b/*", json!(1)),
        subscribe(&alice, json!("/c")),
        unsubscribe(&alice, json!("/c")),
        publish(&alice, "/service/x", json!(1)),
    ] {
        script.publish("/a", json!(1));

        let answer = ask(&mut script, &alice, request.clone());

        assert_eq!(answer[0], event("/a", json!(1)), "{request}");
    }
    script.expect_no_trace();
}

// Proves: RC-4
#[test]
fn a_refused_message_carries_nobodys_events() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (script.connected(), script.connected());
    for client in [&alice, &bob] {
        script.subscribe(client, "/a");
    }
    script.publish("/a", json!(1));
    let refused = |channel: &str| failed(channel, "402::session_unknown");
    let foreign = Client {
        session: "1".repeat(26),
        ..alice.clone()
    };

    let answer = ask(&mut script, &foreign, publish(&foreign, "/a", json!(2)));
    assert_eq!(answer, json!([refused("/a")]));
    let answer = ask(&mut script, &foreign, disconnect(&foreign));
    assert_eq!(answer, json!([refused("/meta/disconnect")]));
    // The first message decides whose request it is.
    let mixed = json!([
        publish(&foreign, "/a", json!(2)),
        publish(&alice, "/a", json!(2))
    ]);
    assert_eq!(
        ask(&mut script, &foreign, mixed),
        json!([refused("/a"), refused("/a")])
    );

    assert_eq!(events(&mut script, &alice), [event("/a", json!(1))]);
    assert_eq!(events(&mut script, &bob), [event("/a", json!(1))]);
    script.expect_no_trace();
}

// Proves: RC-4
#[test]
fn a_message_that_the_store_refuses_carries_nobodys_events() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let subscribing = script.request(&alice, subscribe(&alice, json!("/a")));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
    script.take(subscribing);
    script.notify(entries(1, "/a", &[1]));
    let connection = script.request(&alice, publish(&alice, "/a", json!(2)));
    let (ticket, _) = script.take_store();

    // Another engine has had this session since.
    script.stored_or_gone(ticket, StoreReply::Fenced);

    script.expect(connection, json!([failed("/a", "402::session_unknown")]));
    script.expect_no_trace();
}

// Proves: RC-5
#[test]
fn a_frame_has_as_many_events_as_it_may() {
    // What messagesPerFrame says, and how ten events are spread over frames.
    let table: [(usize, &[usize]); 5] = [
        (0, &[10]),
        (1, &[1; 10]),
        (3, &[3, 3, 3, 1]),
        (10, &[10]),
        (11, &[10]),
    ];
    for (messages_per_frame, expected) in table {
        let mut script = Script::new(Config {
            messages_per_frame,
            ..Config::default()
        });
        let alice = script.connected_over(Transport::WebSocket, Value::Null);
        let socket = alice.socket.unwrap();
        script.subscribe(&alice, "/a");
        let frame = Vec::from_iter((0..10).map(|n| publish(&alice, "/a", json!(n))));

        script.request(&alice, json!(frame));

        let mut frames = Vec::new();
        while let Some(frame) = script.try_take(socket) {
            frames.push(frame.as_array().cloned().unwrap());
        }
        let replies = frames.pop().unwrap();
        assert_eq!(replies, vec![ok("/a"); 10]);
        let spread: Vec<_> = frames.iter().map(Vec::len).collect();
        assert_eq!(spread, expected, "{messages_per_frame}");
        let data: Vec<_> = frames.concat().iter().map(|e| e["data"].clone()).collect();
        assert_eq!(data, Vec::from_iter(0..10), "{messages_per_frame}");
        script.expect_no_trace();
    }
}

// Proves: RC-5
#[test]
fn a_frame_of_events_is_no_larger_than_64_kib_unless_one_event_is() {
    let table: [(&[usize], &[usize]); 4] = [
        (&[40_000, 20_000, 30_000, 100_000, 10, 10], &[2, 1, 1, 2]),
        (&[100_000, 10], &[1, 1]),
        (&[10, 100_000], &[1, 1]),
        (&[32_739, 32_739], &[2]),
    ];
    for (sizes, expected) in table {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(Transport::WebSocket, Value::Null);
        let socket = alice.socket.unwrap();
        script.subscribe(&alice, "/a");
        script.write_by_hand().publish("/a", json!("first"));
        script.take(socket);
        for size in sizes {
            script.publish("/a", json!("x".repeat(*size)));
        }

        script.written(socket);

        let mut spread = Vec::new();
        while let Some(bytes) = script.take_bytes(socket) {
            let frame: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
            assert!(bytes.len() <= 65_536 || frame.len() == 1);
            spread.push(frame.len());
        }
        assert_eq!(spread, expected, "{sizes:?}");
        script.expect_no_trace();
    }
}

// Proves: RC-6
#[test]
fn without_reply_and_without_event_there_is_nothing_to_say() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        let change = Change::AddDecider(decider(Role::Outgoing));
        script.fact(Input::Configured { change });
        let connection = script.request(&alice, publish(&alice, "/service/x", json!(1)));

        script.decide(Verdict::Drop);

        if transport.is_exchange() {
            script.expect(connection, json!([]));
        } else {
            script.expect_nothing(connection);
            assert!(script.is_asked(connection));
        }
        script.expect_no_trace();
    }
}

// Proves: RC-6
#[test]
fn without_reply_an_event_that_is_due_still_leaves() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a").publish("/a", json!(1));
    let change = Change::AddDecider(decider(Role::Outgoing));
    script.fact(Input::Configured { change });
    let connection = script.request(&alice, publish(&alice, "/service/x", json!(1)));

    script.decide(Verdict::Drop);

    script.expect(connection, json!([event("/a", json!(1))]));
    script.expect_no_trace();
}

// Proves: RC-7
#[test]
fn a_strict_client_gets_one_message_for_each_request_but_connects() {
    let mut script = Script::new(Config {
        meta_connect_deliver_only: true,
        ..Config::default()
    });
    let alice = script.connected();
    script.subscribe(&alice, "/a").publish("/a", json!(1));

    for request in [
        subscribe(&alice, json!("/b")),
        unsubscribe(&alice, json!("/b")),
        publish(&alice, "/c", json!(1)),
        disconnect(&alice),
    ] {
        let answer = ask(&mut script, &alice, request);
        assert_eq!(answer.as_array().unwrap().len(), 1, "{answer}");
    }
    script.expect_no_trace();
}

// Proves: RC-8
#[test]
fn every_subscriber_gets_the_same_bytes_and_nothing_behind_them() {
    let mut script = Script::new(Config::default());
    let clients = Vec::from_iter((0..3).map(|_| {
        let client = script.connected_over(Transport::WebSocket, Value::Null);
        script.subscribe(&client, "/a");
        client
    }));

    script.publish("/a", json!({"n": 1.0}));

    let expected = br#"[{"channel":"/a","data":{"n":1.0}}]"#;
    let mut seen = Vec::new();
    for client in &clients {
        let bytes = script.take_bytes(client.socket.unwrap()).unwrap();
        assert_eq!(&bytes[..], expected);
        seen.push(bytes.as_ptr());
    }
    // One encoding, shared.
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
    let poller = script.connected();
    let answer = script.request(&poller, publish(&poller, "/b", json!(1)));
    assert_eq!(script.take_bytes(answer).unwrap().last(), Some(&b']'));
    script.expect_no_trace();
}
// Proves: RC-6
#[test]
fn a_session_whose_connect_reply_was_dropped_expires_nevertheless() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        let change = Change::AddDecider(decider(Role::Outgoing));
        script.fact(Input::Configured { change });
        let connection = script.connect(&alice);

        script.decide(Verdict::Drop);

        if transport.is_exchange() {
            script.expect(connection, json!([]));
        } else {
            script.expect_nothing(connection);
        }
        script.after(9_999);
        assert_eq!(script.engine().load().sessions, 1);
        script.after(1);
        assert_eq!(script.engine().load().sessions, 0, "{transport:?}");
        script.expect_no_trace();
    }
}

#[test]
fn an_answer_without_events_holds_none_up() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a").write_by_hand();
    let held = script.connect(&alice);
    let published = script.publish_as(&alice, "/elsewhere", json!(1));

    script.publish("/a", json!(2));

    assert_eq!(script.take(held)[0], event("/a", json!(2)));
    script.written(held).written(published);
    script.expect_no_trace();
}

// Proves: RC-5
#[test]
fn what_speaks_for_another_session_waits_for_the_next_batch() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, json!({"ack": true}));
    let socket = alice.socket.unwrap();
    script.subscribe(&alice, "/a").write_by_hand();
    script.request(&alice, publish(&alice, "/elsewhere", json!(1)));
    script.publish("/a", json!(1));
    let at_once = json!({"advice": {"timeout": 0}});
    script.connect_with(&alice, at_once.clone());
    script.reports();
    script.send(socket, handshake());
    let created = script.reports().into_iter().find_map(|report| {
        let ReportKind::SessionCreated(id) = report else {
            return None;
        };
        Some(id)
    });
    let bob = Client {
        session: created.unwrap().text().to_string(),
        ..alice
    };
    script.connect_with(&bob, at_once);
    script.expect(socket, json!([ok("/elsewhere")]));

    let [first, second] = [(); 2].map(|()| {
        script.written(socket);
        messages(&mut script, socket)
    });

    let channels = |sent: &[Value]| Vec::from_iter(sent.iter().map(|m| m["channel"].clone()));
    assert_eq!(channels(&first), ["/meta/handshake", "/a", "/meta/connect"]);
    assert_eq!(
        first[0].get("ext"),
        None,
        "the numbers are not its session's"
    );
    assert_eq!(channels(&second), ["/meta/connect"]);
    script.written(socket);
    script.expect_no_trace();
}

// Proves: QU-2
#[test]
fn what_an_answer_was_to_take_along_goes_elsewhere_if_that_cannot_leave() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");
    let held = script.connect(&alice);
    script.stall_store();
    let published = script.publish_as(&alice, "/a", json!(1));

    script.close(published).resume_store();

    assert_eq!(script.take(held)[0], event("/a", json!(1)));
    script.expect_no_trace();
}
