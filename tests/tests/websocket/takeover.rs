//! What carries a session when there are several connections.

use super::*;

// Proves: WS-10, QU-9
#[test]
fn a_batch_that_another_connection_takes_over_is_not_finished() {
    const EVENTS: usize = 24;
    let settings = one_shard().option("limits.maxQueuedBytes", 100_000_000);
    let server = Server::start(&settings);
    let mut old = Socket::held(&server);
    old.subscribe("/t");
    let mut publisher = Poller::connected(server.address());
    // More than the operating system takes for a peer that does not read.
    let padding = "x".repeat(900_000);
    for number in 0..EVENTS {
        let data = json!({"number": number, "padding": padding});
        let replies = publisher.post(json!([publisher.publish("/t", data)]));
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
    }

    let mut new = Socket {
        socket: WebSocket::open(server.address(), Server::PATH, &[]),
        session: old.session.clone(),
    };
    new.send(new.connect("4"));
    let mut taken = Vec::new();
    while taken.last() != Some(&(EVENTS as u64 - 1)) {
        taken.extend(numbers(&new.socket.messages()));
    }
    let mut seen = Vec::new();
    while let Some(frame) = old.socket.frame() {
        assert_ne!(frame.opcode, Opcode::Close, "a goodbye behind half a batch");
        let messages: Vec<Value> = serde_json::from_slice(&frame.payload).expect("an array");
        seen.extend(numbers(&messages));
    }

    assert!(seen.len() < EVENTS, "the old socket took everything");
    seen.extend(taken);
    assert_eq!(seen, Vec::from_iter(0..EVENTS as u64));
}

/// The numbers in the events among them.
fn numbers(messages: &[Value]) -> Vec<u64> {
    messages
        .iter()
        .filter_map(|message| message["data"]["number"].as_u64())
        .collect()
}

// Proves: TM-10, WS-10, WS-11, EX-6
#[test]
fn a_new_socket_takes_over_when_the_old_one_closed() {
    let server = Server::start(&one_shard());
    let mut old = Socket::held(&server);
    let mut publisher = Socket::connected(&server);
    old.subscribe("/t");
    old.socket.send_frame(&Frame {
        opcode: Opcode::Close,
        ..text(1000_u16.to_be_bytes())
    });
    assert_eq!(old.socket.close_code(), Ending::Code(1000));

    publisher.send(publisher.publish("/t", "kept"));
    publisher.expect(json!([ok("/t", "p")]));
    let mut new = Socket {
        socket: WebSocket::open(server.address(), Server::PATH, &[]),
        session: old.session,
    };
    let mut connect = new.connect("9");
    connect["advice"] = json!({"timeout": 0});
    new.send(connect);

    new.expect(json!([event("/t", "kept")]));
    let replies = new.socket.messages();
    assert_eq!(
        (&replies[0]["id"], &replies[0]["successful"]),
        (&json!("9"), &json!(true))
    );
    publisher.send(publisher.publish("/t", "new"));
    new.expect(json!([event("/t", "new")]));
}

// Proves: WS-10, DE-1
#[test]
fn a_new_socket_takes_over_with_its_connect_while_the_old_one_is_open() {
    let server = Server::start(&one_shard());
    let mut old = Socket::held(&server);
    let mut publisher = Socket::connected(&server);
    old.subscribe("/t");
    let mut new = Socket {
        socket: WebSocket::open(server.address(), Server::PATH, &[]),
        session: old.session.clone(),
    };

    new.send(new.publish("/other", 1));
    new.expect(json!([ok("/other", "p")]));
    publisher.send(publisher.publish("/t", "to the old"));
    old.expect(json!([event("/t", "to the old")]));

    let mut connect = new.connect("9");
    connect["advice"] = json!({"timeout": 0});
    new.send(connect);
    assert_eq!(new.socket.messages()[0]["id"], "9");
    publisher.send(publisher.publish("/t", "to the new"));
    new.expect(json!([event("/t", "to the new")]));
}

// Proves: PL-3, WS-5, WS-16
#[test]
fn a_socket_carries_one_session_and_stays_open_for_the_next() {
    for shards in [1, 2, 4] {
        let server = Server::start(&Settings::default().shards(shards));
        // So often that the sessions live together and apart.
        for _ in 0..6 {
            carries_one_session(&server);
        }
    }
}

fn carries_one_session(server: &Server) {
    let mut stranger = WebSocket::open(server.address(), Server::PATH, &[]);
    let mut client = Socket::connected(server);

    stranger.send(&json!([{"channel": "/meta/connect", "id": "1", "clientId": "gone"}]));
    let replies = stranger.messages();
    assert_eq!(replies[0]["error"], "402::session_unknown");
    assert_eq!(replies[0]["advice"]["reconnect"], "handshake");
    // Still unbound: it adopts a session that exists, and is bound from then on.
    stranger.send(&json!([client.publish("/a", 1)]));
    stranger.expect(&json!([ok("/a", "p")]));
    let other = Socket::connected(server);
    stranger.send(&json!([other.publish("/a", 1)]));
    assert_eq!(stranger.messages()[0]["error"], "402::session_unknown");
    // Unbound once more when that session has gone.
    client.send(json!({"channel": "/meta/disconnect", "clientId": client.session}));
    assert_eq!(client.socket.messages()[0]["successful"], true);
    stranger.send(&json!([other.publish("/a", 1)]));
    stranger.expect(&json!([ok("/a", "p")]));
    stranger.send(&json!([handshake()]));
    assert_eq!(stranger.messages()[0]["successful"], true);
}

// Proves: BR-6
#[test]
fn a_socket_with_the_cookie_of_another_browser_adopts_nothing() {
    let server = Server::with_defaults();
    let cookie = ("Cookie", "BAYEUX_BROWSER=000000000000000000000000");
    let poller = Poller::connected_with(server.address(), &[cookie]);
    let wrong = ("Cookie", "BAYEUX_BROWSER=111111111111111111111111");

    let mut socket = WebSocket::open(server.address(), Server::PATH, &[wrong]);
    socket.send(&json!([poller.publish("/a", 1)]));
    assert_eq!(socket.messages()[0]["error"], "402::session_unknown");
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[cookie]);
    socket.send(&json!([poller.publish("/a", 1)]));
    socket.expect(&json!([ok("/a", "p")]));
}

// Proves: HS-10, BR-13
#[test]
fn a_session_moves_between_websocket_and_polling() {
    let server = Server::start(&one_shard());
    let mut poller = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));
    let mut publisher = Socket::connected(&server);
    let mut client = Socket {
        socket: WebSocket::open(server.address(), Server::PATH, &[]),
        session: poller.session.clone(),
    };

    let mut connect = client.connect("1");
    connect["advice"] = json!({"timeout": 0});
    client.send(connect);
    assert_eq!(client.socket.messages()[0]["successful"], true);
    publisher.send(publisher.publish("/t", "pushed"));
    client.expect(json!([event("/t", "pushed")]));

    let held = poller.hold();
    // Answered after the connect was read.
    poller.post(json!([poller.publish("/other", 1)]));
    publisher.send(publisher.publish("/t", "polled"));
    let replies = held.answer().messages();
    assert_eq!(replies[0], event("/t", "polled"), "{replies:?}");
}
