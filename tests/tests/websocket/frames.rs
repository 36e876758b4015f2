//! Frames: pieces, pings, and what is no frame or no message.

use super::*;

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
