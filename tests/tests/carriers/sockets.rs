use super::*;

// Proves: WS-5
#[test]
fn a_handshake_binds_a_socket_and_a_later_one_binds_it_anew() {
    let mut script = Script::new(Config::default());
    let first = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&first, "/news");
    script.connect(&first);
    let socket = first.socket.unwrap();
    script.send(
        socket,
        json!({"id": "h", "channel": "/meta/handshake", "version": "1.0"}),
    );
    let reply = script.take(socket);
    let second = Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        ..first.clone()
    };

    // The session before waits for another carrier, and its clock runs.
    script.publish("/news", json!(1)).expect_nothing(socket);
    assert_eq!(inspect(&mut script, &first).phase, Phase::Away);
    assert!(!is_known(&mut script, &first));
    assert!(is_known(&mut script, &second));
    let polling = by(&mut script, &first, HTTP, Peer::default());
    let exchange = connect(&mut script, &polling, "c");
    let reply = script.take(exchange);
    assert_eq!(reply[0], event("/news", json!(1)));
    nothing_leaks(&mut script);
}

// Proves: WS-5
#[test]
fn a_bound_socket_refuses_the_messages_of_others() {
    let mut script = Script::new(Config::default());
    let own = script.connected_over(SOCKET, Value::Null);
    let other = script.connected();
    let socket = own.socket.unwrap();

    script.send(
        socket,
        json!([
            {"id": "1", "channel": "/x", "clientId": own.session, "data": 1},
            {"id": "2", "channel": "/x", "clientId": other.session, "data": 2},
            {"id": "3", "channel": "/x", "clientId": own.session, "data": 3},
        ]),
    );

    let replies = script.take(socket);
    let successes: Vec<_> = replies.as_array().unwrap().iter().collect();
    let successes: Vec<_> = successes.iter().map(|reply| &reply["successful"]).collect();
    assert_eq!(successes, [&json!(true), &json!(false), &json!(true)]);
    assert_eq!(replies[1]["error"], "402::session_unknown");
}

// Proves: WS-5
#[test]
fn a_socket_whose_session_is_gone_can_adopt_another() {
    let mut script = Script::new(Config {
        max_interval: Duration::from_secs(60),
        ..Config::default()
    });
    let gone = script.connected_over(SOCKET, Value::Null);
    let other = script.connected();
    let socket = gone.socket.unwrap();
    // The session that the socket is bound to, but does not carry any more, ends.
    let polling = by(&mut script, &gone, HTTP, Peer::default());
    let held = script.connect(&polling);
    script.expect_nothing(held);
    assert!(script.engine().carries(socket));
    let session = SessionId::parse(&gone.session).unwrap();
    script.call(Call::Disconnect { session });
    assert_eq!(script.closed(socket), None);
    assert!(!script.engine().carries(socket));

    let adopted = Client {
        session: other.session,
        ..gone.clone()
    };

    assert!(is_known(&mut script, &adopted));
    assert!(script.engine().carries(socket));
    script
        .subscribe(&adopted, "/news")
        .publish("/news", json!(1));
    script.expect(socket, json!([event("/news", json!(1))]));
    assert!(!is_known(&mut script, &gone));
}

// Proves: WS-5
#[test]
fn with_a_handshake_required_for_each_socket_nothing_is_adopted() {
    let mut script = Script::new(Config {
        require_handshake_per_connection: true,
        ..Config::default()
    });
    let client = script.connected();
    let socket = by(&mut script, &client, SOCKET, Peer::default());

    assert!(!is_known(&mut script, &socket));

    let own = script.connected_over(SOCKET, Value::Null);
    assert!(is_known(&mut script, &own));
    // HTTP is no socket.
    let polling = by(&mut script, &own, HTTP, Peer::default());
    assert!(is_known(&mut script, &polling));
}

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

// Proves: WS-7, WS-10, DE-1
#[test]
fn a_socket_carries_a_session_that_nothing_else_carries() {
    let mut script = Script::new(Config::default());
    let client = script.connected();
    script.subscribe(&client, "/news");
    let socket = by(&mut script, &client, SOCKET, Peer::default());

    assert!(is_known(&mut script, &socket));

    script.publish("/news", json!(1));
    script.expect(socket.socket.unwrap(), json!([event("/news", json!(1))]));
}

// Proves: WS-10, DE-1
#[test]
fn only_a_connect_moves_a_session_that_something_carries() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&client, "/news");
    let first = client.socket.unwrap();
    let other = by(&mut script, &client, SOCKET, Peer::default());
    let second = other.socket.unwrap();
    let polling = by(&mut script, &client, HTTP, Peer::default());

    // Another socket, without connect: served, and carries nothing.
    assert!(is_known(&mut script, &other));
    script.publish("/news", json!(1));
    script.expect(first, json!([event("/news", json!(1))]));
    script.expect_nothing(second);
    // With a connect.
    script.connect(&other);
    script.publish("/news", json!(2));
    script.expect(second, json!([event("/news", json!(2))]));
    script.expect_nothing(first);
    // The first one again, without.
    assert!(is_known(&mut script, &client));
    script.publish("/news", json!(3));
    script.expect(second, json!([event("/news", json!(3))]));
    // HTTP.
    let held = connect(&mut script, &polling, "p");
    assert!(is_known(&mut script, &other));
    script.publish("/news", json!(4));
    script.expect(
        held,
        json!([event("/news", json!(4)), {
            "id": "p", "channel": "/meta/connect", "successful": true,
            "advice": {"reconnect": "retry", "interval": 0, "timeout": 30000},
        }]),
    );
    script.expect_nothing(first).expect_nothing(second);
    nothing_leaks(&mut script);
}

// Proves: WS-9, CN-9
#[test]
fn an_overtaken_connect_on_a_websocket_is_never_answered() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    let socket = connect(&mut script, &client, "older");

    connect(&mut script, &client, "newer");

    script
        .after(30_000)
        .expect(socket, json!([connected("newer")]));
    script.expect_nothing(socket);
    nothing_leaks(&mut script);
}

// Proves: CN-9, WS-10, DE-6
#[test]
fn an_overtaken_connect_ends_as_its_own_transport_demands() {
    let mut script = Script::new(Config::default());
    let polling = script.connected();
    let socket = by(&mut script, &polling, SOCKET, Peer::default());
    script.connect_with(&socket, json!({"advice": {"timeout": 0}}));
    script.take(socket.socket.unwrap());

    let exchange = script.connect_with(&polling, json!({"advice": {"timeout": 0}}));
    script.take(exchange);
    let over_http = script.connect(&polling);
    let over_socket = connect(&mut script, &socket, "older");
    script.expect_closed(over_http, CloseReason::Duplicate);
    assert_eq!(script.try_take(over_http), None);
    let over_http = script.connect(&polling);

    script.after(60_000);

    script.expect_nothing(over_socket);
    assert!(script.try_take(over_http).is_some());
    assert_eq!(script.try_take(over_http), None);
    nothing_leaks(&mut script);
}

// Proves: CN-12, DE-6
#[test]
fn a_disconnect_releases_a_hold_on_the_other_transport() {
    for (holds, ends) in [(HTTP, SOCKET), (SOCKET, HTTP)] {
        let mut script = Script::new(Config::default());
        let first = script.connected();
        let holder = by(&mut script, &first, holds, Peer::default());
        let ender = by(&mut script, &first, ends, Peer::default());
        let ask = json!({"advice": {"timeout": 0}});
        let connection = script.connect_with(&holder, ask);
        script.take(connection);
        let held = connect(&mut script, &holder, "held");
        script.expect_nothing(held);

        let message = json!({"id": "d", "channel": "/meta/disconnect", "clientId": first.session});
        let ended = script.request(&ender, message);

        script.expect(
            ended,
            json!([{"id": "d", "channel": "/meta/disconnect", "successful": true}]),
        );
        script.expect(
            held,
            json!([{
                "id": "held", "channel": "/meta/connect", "successful": true,
                "advice": {"reconnect": "none"},
            }]),
        );
        nothing_leaks(&mut script);
    }
}

// Proves: WS-11, TM-10, DE-1
#[test]
fn a_session_outlives_the_socket_that_carries_it() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&client, "/news");
    script.connect(&client);
    script.after(20_000).close(client.socket.unwrap());
    script.after(9_999).publish("/news", json!(1));

    let page = by(&mut script, &client, SOCKET, Peer::default());
    let socket = script.connect_with(&page, json!({"id": "r", "advice": {"timeout": 0}}));

    script.expect(socket, json!([event("/news", json!(1))]));
    let reply = script.take(socket);
    assert_eq!(
        (&reply[0]["id"], &reply[0]["successful"]),
        (&json!("r"), &json!(true))
    );
    script.close(socket).after(10_000);
    assert_eq!(script.engine().load().sessions, 0);
    nothing_leaks(&mut script);
}

// Proves: WS-7, DE-1
#[test]
fn a_socket_steps_in_for_the_one_that_closed() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&client, "/news");
    let other = by(&mut script, &client, SOCKET, Peer::default());
    script.connect(&client);
    script.close(client.socket.unwrap());
    script.publish("/news", json!(1));

    let published = script.publish_as(&other, "/other", json!(0));

    script.expect(published, json!([event("/news", json!(1))]));
    assert_eq!(script.take(published)[0]["channel"], "/other");
}

// Proves: TM-10, WS-10, DE-1
#[test]
fn the_close_of_another_socket_starts_no_clock() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    let other = by(&mut script, &client, SOCKET, Peer::default());
    assert!(is_known(&mut script, &other));
    let socket = connect(&mut script, &client, "held");

    script.close(other.socket.unwrap()).after(29_999);

    script.expect_nothing(socket);
    assert_eq!(inspect(&mut script, &client).phase, Phase::Held);
}

// Proves: WS-10, QU-9
#[test]
fn what_a_dead_socket_did_not_take_waits_for_the_next_carrier() {
    let mut script = Script::new(Config::default());
    let client = script.connected_over(SOCKET, Value::Null);
    script.subscribe(&client, "/news");
    script.write_by_hand();
    script.publish("/news", json!(1)).publish("/news", json!(2));
    script.take(client.socket.unwrap()); // but it never arrives

    let page = by(&mut script, &client, SOCKET, Peer::default());
    let ask = json!({"advice": {"timeout": 0}});
    let socket = script.connect_with(&page, ask);

    script.expect_closed(client.socket.unwrap(), CloseReason::Superseded);
    script.expect(
        socket,
        json!([event("/news", json!(1)), event("/news", json!(2))]),
    );
    script.written(socket);
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
