//! What carries a session when there is more than one that could.

use super::*;

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
