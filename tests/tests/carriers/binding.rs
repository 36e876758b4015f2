//! Which session a websocket is bound to.

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
