//! Websockets, frame by frame.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use bayeux_tests::live::{Ending, Frame, Opcode, Poller, Server, Settings, WebSocket};
use serde_json::{Value, json};

fn one_shard() -> Settings {
    Settings::default().shards(1)
}

/// A client over a websocket that sends what it is told, and nothing else.
struct Socket {
    socket: WebSocket,
    session: String,
}

impl Socket {
    #[track_caller]
    fn handshaken(server: &Server) -> Self {
        let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
        socket.send(&json!([handshake()]));
        let replies = socket.messages();
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
        let session = replies[0]["clientId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Self { socket, session }
    }

    /// Handshaken, and its first connect answered.
    #[track_caller]
    fn connected(server: &Server) -> Self {
        let mut client = Self::handshaken(server);
        client.send(client.connect("2"));
        let replies = client.socket.messages();
        assert_eq!(replies[0]["advice"]["reconnect"], "retry", "{replies:?}");
        client
    }

    /// Connected, and its second connect held.
    #[track_caller]
    fn held(server: &Server) -> Self {
        let mut client = Self::connected(server);
        client.send(client.connect("3"));
        client
    }

    fn connect(&self, id: &str) -> Value {
        json!({
            "channel": "/meta/connect", "id": id, "clientId": self.session,
            "connectionType": "websocket"
        })
    }

    fn publish(&self, channel: &str, data: impl Into<Value>) -> Value {
        json!({"channel": channel, "id": "p", "clientId": self.session, "data": data.into()})
    }

    fn send(&mut self, message: Value) {
        self.socket.send(&json!([message]));
    }

    #[track_caller]
    fn subscribe(&mut self, channel: &str) {
        self.send(json!({
            "channel": "/meta/subscribe", "id": "s", "clientId": self.session,
            "subscription": channel
        }));
        let mut reply = ok("/meta/subscribe", "s");
        reply["subscription"] = channel.into();
        self.expect(json!([reply]));
    }

    #[track_caller]
    fn expect(&mut self, messages: Value) {
        self.socket.expect(&messages);
    }
}

fn handshake() -> Value {
    json!({
        "channel": "/meta/handshake", "id": "1", "version": "1.0",
        "supportedConnectionTypes": ["websocket"]
    })
}

fn ok(channel: &str, id: &str) -> Value {
    json!({"channel": channel, "id": id, "successful": true})
}

fn event(channel: &str, data: impl Into<Value>) -> Value {
    json!({"channel": channel, "data": data.into()})
}

fn text(payload: impl Into<Vec<u8>>) -> Frame {
    Frame {
        last: true,
        opcode: Opcode::Text,
        payload: payload.into(),
    }
}

// Proves: WS-1
#[test]
fn a_socket_opens_on_the_base_and_below() {
    let server = Server::with_defaults();

    for path in ["/bayeux", "/bayeux/", "/bayeux/a/b", "/bayeux?x=y"] {
        let mut socket = WebSocket::open(server.address(), path, &[]);
        socket.send(&json!([handshake()]));
        assert_eq!(socket.messages()[0]["successful"], true, "{path}");
    }
    assert_eq!(
        WebSocket::refused(server.address(), "/elsewhere", &[]).status,
        404
    );
}

// Proves: WS-2
#[test]
fn a_subprotocol_is_echoed() {
    let server = Server::with_defaults();
    let offer = [("Sec-WebSocket-Protocol", "bayeux, other")];

    let (_, response) = WebSocket::upgrade(server.address(), Server::PATH, &offer);
    assert_eq!(response.header("Sec-WebSocket-Protocol"), Some("bayeux"));
    let (_, response) = WebSocket::upgrade(server.address(), Server::PATH, &[]);
    assert_eq!(response.header("Sec-WebSocket-Protocol"), None);
}

// Proves: FR-1, FR-2, RC-5, WS-17
#[test]
fn the_replies_to_one_frame_come_in_one_frame() {
    let server = Server::with_defaults();
    let mut client = Socket::connected(&server);
    let other = Socket::connected(&server);

    client.socket.send(&json!([
        client.publish("/a", 1),
        other.publish("/a", 2),
        client.publish("/a/*/b", 3),
        client.publish("/a", 4)
    ]));
    client.expect(json!([
        ok("/a", "p"),
        {"channel": "/a", "id": "p", "successful": false, "error": "402::session_unknown"},
        {"channel": "/a/*/b", "id": "p", "successful": false, "error": "405::channel_invalid"},
        ok("/a", "p")
    ]));
    let single = client.publish("/a", 5).to_string();
    client.socket.send_text(&single);
    client.expect(json!([ok("/a", "p")]));
}

// Proves: WS-6, WS-8, CN-7, CN-9, WS-9
#[test]
fn events_are_pushed_and_leave_the_held_connect_alone() {
    let server = Server::start(&one_shard().option("timeout", 1500));
    let mut client = Socket::held(&server);
    let mut publisher = Socket::connected(&server);
    client.subscribe("/t/*");

    publisher.send(publisher.publish("/t/1", "a"));
    publisher.expect(json!([ok("/t/1", "p")]));
    client.expect(json!([event("/t/1", "a")]));
    client.send(client.publish("/other", 1));
    client.expect(json!([ok("/other", "p")]));
    // A newer connect; the older one is never answered.
    client.send(client.connect("4"));
    client.expect(json!([ok("/meta/connect", "4")]));
    client.send(client.publish("/other", 2));
    client.expect(json!([ok("/other", "p")]));
}

// Proves: HS-11, WS-7
#[test]
fn nothing_is_pushed_between_the_handshake_and_the_next_message() {
    let server = Server::start(&one_shard());
    let mut client = Socket::handshaken(&server);
    let mut publisher = Socket::connected(&server);
    // By another way, so that the socket itself stays untouched.
    let mut poller = Poller::connected(server.address());
    poller.session.clone_from(&client.session);
    let replies = poller.post(json!([poller.subscribe("/t")]));
    assert_eq!(replies[0]["successful"], true, "{replies:?}");
    publisher.send(publisher.publish("/t", 1));
    publisher.expect(json!([ok("/t", "p")]));

    client.send(client.publish("/other", 2));

    client.expect(json!([event("/t", 1)]));
    client.expect(json!([ok("/other", "p")]));
}

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

// Proves: WS-4, FR-8
#[test]
fn fragments_are_joined_and_pings_answered_between_them() {
    let server = Server::with_defaults();
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
    let mut message = handshake();
    message["ext"] = json!({"text": "é😀"});
    let bytes = json!([message]).to_string().into_bytes();
    // In pieces of three bytes: inside characters too.
    let count = bytes.chunks(3).count();

    for (number, chunk) in bytes.chunks(3).enumerate() {
        socket.send_frame(&Frame {
            last: number + 1 == count,
            opcode: if number == 0 {
                Opcode::Text
            } else {
                Opcode::Continuation
            },
            payload: chunk.into(),
        });
        if number == 5 {
            let ping = Frame {
                opcode: Opcode::Ping,
                ..text("are you there?")
            };
            socket.send_frame(&ping);
        }
    }

    let pong = socket.frame().expect("a frame");
    assert_eq!(
        (pong.opcode, pong.payload),
        (Opcode::Pong, b"are you there?".to_vec())
    );
    assert_eq!(socket.messages()[0]["successful"], true);
}

// Proves: FR-4, DE-15
#[test]
fn an_empty_array_is_a_sign_of_life() {
    let server = Server::with_defaults();
    let mut client = Socket::connected(&server);

    for empty in ["[]", "", " [ ] "] {
        client.socket.send_text(empty);
        client.send(client.publish("/a", 1));
        let mut replies = client.socket.messages();
        if replies.is_empty() {
            // It may be answered in kind.
            replies = client.socket.messages();
        }
        assert_eq!(replies, [ok("/a", "p")], "{empty:?}");
    }
}

// Proves: DE-17, FR-3, FR-6, WS-4, WS-12
#[test]
fn what_is_no_message_closes_the_socket_with_a_reason() {
    let settings = Settings::default().option("maxMessageSize", 1_024);
    let server = Server::start(&settings.option("limits.maxBatch", 3));
    let long = format!("[{}]", " ".repeat(1_024));
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let binary = Frame {
        opcode: Opcode::Binary,
        ..text("[]")
    };
    let cases = [
        ("not JSON", text("nonsense"), 1011),
        ("a number", text("42"), 1011),
        ("an array of numbers", text("[1]"), 1011),
        (
            "a lone surrogate",
            text(r#"[{"channel":"/a","data":"\ud800"}]"#),
            1011,
        ),
        ("nesting", text(deep), 1011),
        ("not UTF-8", text([b'[', b'"', 0xFF, b'"', b']']), 1007),
        ("too long", text(long), 1009),
        ("too many", text("[{},{},{},{}]"), 1009),
        ("binary", binary, 1003),
    ];

    for (name, frame, code) in cases {
        let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
        socket.send_frame(&frame);
        assert_eq!(socket.close_code(), Ending::Code(code), "{name}");
    }
}

// Proves: DE-17, FR-6, WS-12
#[test]
fn what_is_no_frame_closes_the_socket_with_a_reason() {
    let server = Server::start(&Settings::default().option("maxMessageSize", 1_024));
    let open = || WebSocket::open(server.address(), Server::PATH, &[]);

    let mut unmasked = open();
    unmasked.send_unmasked(&text("[]"));
    assert_eq!(unmasked.close_code(), Ending::Code(1002), "no mask");
    for (name, bytes) in [
        ("reserved bits", [0xF1, 0x80, 0, 0, 0, 0]),
        ("an unknown opcode", [0x83, 0x80, 0, 0, 0, 0]),
        ("a ping in fragments", [0x09, 0x80, 0, 0, 0, 0]),
        ("a continuation of nothing", [0x80, 0x80, 0, 0, 0, 0]),
    ] {
        let mut socket = open();
        socket.send_raw(&bytes);
        assert_eq!(socket.close_code(), Ending::Code(1002), "{name}");
    }
    // Announced, never sent: 2^62 bytes.
    let mut huge = open();
    huge.send_raw(&[0x81, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(huge.close_code(), Ending::Code(1009), "too long a frame");
    let mut endless = open();
    let part = |opcode| Frame {
        last: false,
        opcode,
        payload: vec![b' '; 800],
    };
    endless.send_frame(&part(Opcode::Text));
    endless.send_frame(&part(Opcode::Continuation));
    assert_eq!(
        endless.close_code(),
        Ending::Code(1009),
        "too long a message"
    );
}

// Proves: WS-19, MO-1
#[test]
fn a_socket_that_breaks_the_rules_does_not_end_its_session() {
    let server = Server::start(&one_shard());
    let mut client = Socket::held(&server);
    client.subscribe("/t");
    client.socket.send_text("nonsense");
    assert_eq!(client.socket.close_code(), Ending::Code(1011));

    let mut publisher = Socket::connected(&server);
    publisher.send(publisher.publish("/t", 1));
    publisher.expect(json!([ok("/t", "p")]));
    client.socket = WebSocket::open(server.address(), Server::PATH, &[]);
    client.send(client.connect("9"));

    client.expect(json!([event("/t", 1)]));
}

// Proves: CN-12, DC-1, DC-4, DC-6, DE-8
#[test]
fn a_disconnect_answers_the_hold_and_closes_after_a_grace() {
    let server = Server::with_defaults();
    let mut client = Socket::held(&server);

    client.send(json!({"channel": "/meta/disconnect", "id": "d", "clientId": client.session}));

    let mut replies: Vec<Value> = Vec::new();
    while replies.len() < 2 {
        replies.append(&mut client.socket.messages());
    }
    let mut released = ok("/meta/connect", "3");
    released["advice"] = json!({"reconnect": "none"});
    assert!(replies.contains(&released), "{replies:?}");
    assert!(
        replies.contains(&ok("/meta/disconnect", "d")),
        "{replies:?}"
    );
    client.send(client.publish("/a", 1));
    assert_eq!(client.socket.messages()[0]["error"], "402::session_unknown");
    assert_eq!(client.socket.close_code(), Ending::Code(1000));
}

// Proves: AK-1, AK-2, AK-4, AK-5, AK-6, AK-11, AK-13
#[test]
fn an_unacknowledged_event_comes_again_in_one_frame_with_the_reply() {
    let server = Server::start(&one_shard());
    let mut client = Socket::handshaken(&server);
    let mut publisher = Socket::connected(&server);
    let mut greeting = handshake();
    greeting["ext"] = json!({"ack": true});
    client.send(greeting);
    let replies = client.socket.messages();
    assert_eq!(replies[0]["ext"]["ack"], true, "{replies:?}");
    client.session = replies[0]["clientId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let connect = |client: &mut Socket, ack: &Value| {
        let mut connect = client.connect("c");
        connect["ext"] = json!({"ack": ack});
        client.send(connect);
    };
    let taken = |client: &mut Socket| {
        let replies = client.socket.messages();
        let reply = replies.last().expect("a reply");
        let ack = reply["ext"]["ack"].clone();
        assert!(
            ack.is_u64() && reply["channel"] == "/meta/connect",
            "{replies:?}"
        );
        let events: Vec<_> = replies
            .iter()
            .filter_map(|reply| reply.get("data").cloned())
            .collect();
        (events, ack)
    };

    connect(&mut client, &json!(0));
    let (events, start) = taken(&mut client);
    assert!(events.is_empty());
    client.subscribe("/t");
    connect(&mut client, &start);
    publisher.send(publisher.publish("/t", "a"));
    let (events, _) = taken(&mut client);
    assert_eq!(events, ["a"]);
    // The same number again: that reply was lost on the way.
    connect(&mut client, &start);
    let (events, ack) = taken(&mut client);
    assert_eq!(events, ["a"]);
    // This one acknowledges it.
    connect(&mut client, &ack);
    publisher.send(publisher.publish("/t", "b"));
    let (events, _) = taken(&mut client);
    assert_eq!(events, ["b"]);
}

// Proves: TM-11, WS-12
#[test]
fn at_shutdown_sockets_are_closed_in_good_order() {
    let server = Server::start(&one_shard());
    let mut client = Socket::held(&server);
    client.subscribe("/t");

    server.stop();

    assert_eq!(client.socket.close_code(), Ending::Code(1001));
}
