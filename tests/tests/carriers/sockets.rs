use super::*;

// Proves: WS-6, WS-8, CN-2
#[test]
fn events_are_pushed_past_the_held_connect() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&client, "/news");
    let socket = connect(&mut script, &client, "held");

    script.publish("/news", json!(1));
    script.expect(socket, json!([event("/news", json!(1))]));
    script.publish("/news", json!(2));
    script.expect(socket, json!([event("/news", json!(2))]));
    let published = script.publish_as(&client, "/other", json!(0));
    assert_eq!(script.take(published)[0]["channel"], "/other");
    assert_eq!(inspect(&mut script, &client).phase, Phase::Held);

    script.after(29_999).expect_nothing(socket);
    script.after(1).expect(socket, json!([connected("held")]));
    nothing_leaks(&mut script);
}

// Proves: WS-6, RC-5
#[test]
fn with_deliver_only_the_connect_is_answered_and_carries_them() {
    let only = TransportOptions {
        meta_connect_deliver_only: Some(true),
        ..TransportOptions::default()
    };
    let mut script = Script::new(Config {
        websocket: only,
        ..Config::default()
    });
    let client = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&client, "/news");
    let socket = client.socket.unwrap();
    script.publish("/news", json!(1)).expect_nothing(socket);

    connect(&mut script, &client, "first");
    script.expect(socket, json!([event("/news", json!(1))]));
    script.expect(socket, json!([connected("first")]));
    connect(&mut script, &client, "second");
    script.expect_nothing(socket).publish("/news", json!(2));

    script.expect(socket, json!([event("/news", json!(2))]));
    script.expect(socket, json!([connected("second")]));
}

// Proves: WS-7
#[test]
fn pushing_begins_with_the_first_message_that_is_no_handshake() {
    let mut script = Script::new(Config::default());
    let client = script.handshaken_over(SOCKET, Value::Null);
    let socket = client.socket.unwrap();
    let session = SessionId::parse(&client.session).unwrap();
    let deliver = |script: &mut Script, data| {
        script.call(Call::Deliver {
            session,
            channel: "/x".parse().unwrap(),
            data: bayeux_core::Payload::from(json!(data)),
            laziness: bayeux_core::Laziness::Prompt,
        });
    };
    deliver(&mut script, 1);
    script.expect_nothing(socket);

    let id = script.id();
    let subscribe = json!({
        "id": id, "channel": "/meta/subscribe", "clientId": client.session,
        "subscription": "/news",
    });
    script.send(socket, subscribe);

    script.expect(socket, json!([event("/x", json!(1))]));
    assert_eq!(script.take(socket)[0]["successful"], true);
    deliver(&mut script, 2);
    script.expect(socket, json!([event("/x", json!(2))]));
    nothing_leaks(&mut script);
}

// Proves: WS-19
#[test]
fn a_failed_write_ends_the_socket_and_not_the_session() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&client, "/news");
    script.write_by_hand();
    script.publish("/news", json!(1));
    let socket = client.socket.unwrap();
    script.take(socket);

    script.close(socket);

    assert_eq!(inspect(&mut script, &client).queued.0, 1);
    let page = by(&mut script, &client, SOCKET, Peer::default());
    let socket = script.connect(&page);
    script.expect(socket, json!([event("/news", json!(1))]));
    script.written(socket);
    nothing_leaks(&mut script);
}

// Proves: WS-13
#[test]
fn the_next_frame_is_asked_for_when_the_one_before_is_done() {
    let mut script = Script::with_scripted_store(Config::default());
    let socket = script.open(SOCKET);
    script.send(
        socket,
        json!({"channel": "/meta/handshake", "version": "1.0"}),
    );

    assert!(!script.is_asked(socket));
    let (ticket, _) = script.take_store();
    script.stored(ticket, bayeux_core::StoreReply::Done);

    assert!(script.is_asked(socket));
}

// Proves: WS-13
#[test]
fn a_frame_that_was_not_asked_for_ends_the_socket() {
    let mut script = Script::with_scripted_store(Config::default());
    let socket = script.open(SOCKET);
    let handshake = json!({"channel": "/meta/handshake", "version": "1.0"});
    script.send(socket, handshake.clone());
    let messages =
        bayeux_core::Messages::decode(handshake.to_string(), &bayeux_core::DecodeLimits::default());

    script.fact(bayeux_core::Input::Received {
        connection: socket,
        messages: messages.unwrap(),
    });

    script.expect_closed(socket, CloseReason::Unasked);
}

// Proves: WS-13, TM-4
#[test]
fn who_does_not_read_expires_and_is_cut_off() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&client, "/news");
    let socket = client.socket.unwrap();
    connect(&mut script, &client, "held");
    script.write_by_hand();
    script.publish("/news", json!(1)).after(1_000);
    script.take(socket); // written to nobody
    for data in 0..100 {
        script.publish("/news", json!(data));
    }
    script.expect_nothing(socket);

    script.after(28_999); // the hold times out, and its answer waits behind the events
    script.expect_nothing(socket);
    script.after(10_001);

    script.expect_closed(socket, CloseReason::SessionOver);
    nothing_leaks(&mut script);
}

// Proves: WS-12
#[test]
fn each_reason_to_close_has_its_code() {
    for (reason, code) in [
        (CloseReason::Duplicate, 1000),
        (CloseReason::SessionOver, 1000),
        (CloseReason::Superseded, 1000),
        (CloseReason::Idle, 1000),
        (CloseReason::Shutdown, 1001),
        (CloseReason::Unasked, 1008),
        (CloseReason::Limit, 1008),
        (CloseReason::Unavailable, 1013),
    ] {
        assert_eq!(reason.close_code(), code, "{reason:?}");
    }
}

// Proves: WS-16
#[test]
fn an_unknown_session_is_refused_message_by_message() {
    let mut script = Script::new(Config::default());
    let socket = script.open(SOCKET);

    script.send(
        socket,
        json!([
            {"id": "1", "channel": "/x", "clientId": "nobody", "data": 1},
            {"id": "2", "channel": "/meta/connect", "clientId": "nobody"},
            {"id": "3", "channel": "/x", "data": 1},
        ]),
    );

    script.expect(
        socket,
        json!([
            {"id": "1", "channel": "/x", "successful": false, "error": "402::session_unknown"},
            {
                "id": "2", "channel": "/meta/connect", "successful": false,
                "error": "402::session_unknown",
                "advice": {"reconnect": "handshake", "interval": 0, "timeout": 30000},
            },
            {"id": "3", "channel": "/x", "successful": false, "error": "402::session_unknown"},
        ]),
    );
    assert_eq!(script.closed(socket), None);
    assert!(script.is_asked(socket));
    let handshake = json!({"channel": "/meta/handshake", "version": "1.0"});
    script.send(socket, handshake);
    assert_eq!(script.take(socket)[0]["successful"], true);
}

// Proves: WS-17, WS-18
#[test]
fn the_messages_of_a_frame_are_answered_in_one_and_by_their_ids() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    let session = &client.session;
    let socket = client.socket.unwrap();

    script.send(
        socket,
        json!([
            {"id": "a-1", "channel": "/meta/subscribe", "clientId": session,
             "subscription": "/news"},
            {"id": 2, "channel": "/news", "clientId": session, "data": 1},
            {"channel": "/other", "clientId": session, "data": 1},
            {"id": "c", "channel": "/meta/connect", "clientId": session},
        ]),
    );

    script.expect(socket, json!([event("/news", json!(1))]));
    script.expect(
        socket,
        json!([
            {"id": "a-1", "channel": "/meta/subscribe", "successful": true,
             "subscription": "/news"},
            {"id": 2, "channel": "/news", "successful": true},
            {"channel": "/other", "successful": true},
            connected("c"),
        ]),
    );
    script.expect_nothing(socket);
}

// Proves: DC-6, DE-8
#[test]
fn a_disconnected_socket_waits_five_seconds_for_a_new_handshake() {
    type End = fn(&mut Script, &Client);
    let ends: [End; 2] = [
        |script, client| {
            let message = json!({"channel": "/meta/disconnect", "clientId": client.session});
            let socket = script.request(client, message);
            while script.try_take(socket).is_some() {}
        },
        |script, client| {
            let session = SessionId::parse(&client.session).unwrap();
            script.call(Call::Disconnect { session });
            while script.try_take(client.socket.unwrap()).is_some() {}
        },
    ];
    for end in ends {
        for held in [false, true] {
            let mut script = Script::new(Config::default());
            let client = script.connected_over(SOCKET, Value::Null);
            let socket = client.socket.unwrap();
            if held {
                script.connect(&client);
            }

            end(&mut script, &client);

            script.after(4_999).expect_nothing(socket);
            let handshake = json!({"channel": "/meta/handshake", "version": "1.0"});
            script.send(socket, handshake);
            let reply = script.take(socket);
            let again = Client {
                session: reply[0]["clientId"].as_str().unwrap().to_owned(),
                ..client
            };
            script.first_connect(&again);
            script.after(5_000).expect_nothing(socket);
            end(&mut script, &again);
            script.after(5_000).expect_closed(socket, CloseReason::Idle);
            nothing_leaks(&mut script);
        }
    }
}

// Proves: WS-5, RC-5
#[test]
fn one_flush_carries_the_events_of_one_session() {
    let mut script = Script::new(Config::default());
    let first = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&first, "/news");
    let other = script.connected();
    script.subscribe(&other, "/news");
    let socket = first.socket.unwrap();
    script.write_by_hand();
    script.send(
        socket,
        json!({"id": "x", "channel": "/x", "clientId": first.session, "data": 0}),
    );
    // Behind a reply that is slow: a connect with an event, and another session with its own.
    script.publish("/news", json!(1));
    let now = json!({"advice": {"timeout": 0}});
    script.connect_with(&first, now.clone());
    script.send(
        socket,
        json!({"id": "h", "channel": "/meta/handshake", "version": "1.0"}),
    );
    let sessions = match script.call(Call::ListSessions { from: 0, limit: 9 }) {
        CallResult::Sessions(sessions, _) => sessions,
        other => panic!("{other:?}"),
    };
    let second = Client {
        session: sessions[2].text().to_string(),
        ..first.clone()
    };
    script.connect_with(&second, now.clone());
    while script.try_take(socket).is_some() {
        while script.try_take(socket).is_some() {}
        script.written(socket);
    }

    // Neither of the two is stuck.
    script.publish("/news", json!(2));
    let polling = by(&mut script, &first, HTTP, Peer::default());
    let exchange = script.connect_with(&polling, now);
    let reply = script.take(exchange);
    assert_eq!(reply[0], event("/news", json!(2)), "{reply}");
    script.written(exchange);
    nothing_leaks(&mut script);
}
