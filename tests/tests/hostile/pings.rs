//! Websockets whose peers keep to the letter of the protocol and mean harm.

use bayeux_tests::live::{Deadline, Frame, Opcode, Server, Settings, WebSocket};
use serde_json::json;

/// How many pings are sent, and how many of them at a time.
const PINGS: usize = 400_000;
const TOGETHER: usize = 1_000;
/// What the peer that sends them may cost.
const COST: u64 = 8 << 20;

#[test]
fn pings_whose_answers_are_not_read_cost_a_bounded_amount() {
    // The socket is cut off in the end; until then the server must not have taken it all in.
    let settings = Settings::default().shards(1);
    let mut server = Server::start(&settings.option("limits.writeTimeout", 3_000));
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
    // Masked with zeros.
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
    let pings = ping.repeat(TOGETHER);
    let before = server.resident();

    let mut most = before;
    for _ in 0..PINGS / TOGETHER {
        socket.send_raw(&pings);
        most = most.max(server.resident());
    }

    assert!(
        most < before + COST,
        "{before} bytes before, {most} at the most"
    );
    // Nobody else notices.
    let mut other = WebSocket::open(server.address(), Server::PATH, &[]);
    other.send_frame(&Frame {
        last: true,
        opcode: Opcode::Ping,
        payload: b"there?".to_vec(),
    });
    let pong = other.frame();
    assert_eq!(pong.map(|pong| pong.opcode), Some(Opcode::Pong));
    server.stop();
}

// Proves: HT-8
#[test]
fn a_message_must_end_in_time_whatever_comes_in_between() {
    let settings = Settings::default().option("limits.messageTimeout", 1_000);
    let server = Server::start(&settings.shards(1));
    let frame = |last, opcode, payload: &[u8]| Frame {
        last,
        opcode,
        payload: payload.into(),
    };
    let mut slow = WebSocket::open(server.address(), Server::PATH, &[]);
    let mut pinging = WebSocket::open(server.address(), Server::PATH, &[]);

    slow.send_frame(&frame(false, Opcode::Text, b"["));
    let patience = Deadline::usual();
    let end = loop {
        assert!(patience.left().is_some(), "the message goes on for ever");
        slow.send_frame(&frame(false, Opcode::Continuation, b" "));
        slow.send_frame(&frame(true, Opcode::Ping, b"still there"));
        // Half a ping is no message either.
        pinging.send_raw(&[0x89]);
        pinging.send_raw(&[0x80, 0, 0, 0, 0]);
        assert_eq!(pinging.frame().map(|pong| pong.opcode), Some(Opcode::Pong));
        match slow.frame() {
            Some(pong) if pong.opcode == Opcode::Pong => {}
            end => break end,
        }
    };

    let code = end.map(|end| (end.opcode, end.payload));
    assert_eq!(code, Some((Opcode::Close, 1008_u16.to_be_bytes().to_vec())));
    pinging.send(&json!([{
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]
    }]));
    assert_eq!(pinging.messages().len(), 1);
    server.stop();
}
