//! RFC 6455 as a table: frames of every kind, well-formed or not, on the endpoint that clients use.
//!
//! The endpoint speaks Bayeux, so a text that arrives whole shows by the reply to the message in it.

mod control;
mod framing;

use control::{closes, control_frames};
use framing::{heads, lengths, orders, texts};

use bayeux_tests::live::{Ending, Kept, Opcode, Settings, Siege, WebSocket};

/// For all cases at a time.
const KEPT: Kept = Kept {
    once: 8 << 20,
    again: 2 << 20,
};

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const CONTINUATION: u8 = 0x0;

const LAST: u8 = 0x80;

/// The largest message in this table.
const LARGEST: usize = 100_000;

/// What a peer sees of what it sent.
#[derive(Debug)]
enum Seen {
    /// So many replies to messages.
    Replies(usize),
    /// These pongs, and then the reply to a message.
    Pongs(Vec<Vec<u8>>),
    /// The end, with that code.
    End(u16),
    /// The end, without a code.
    Empty,
}
use Seen::{Empty, End, Pongs, Replies};

/// A frame with a mask.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let extended = match length {
        0..126 => vec![],
        126..65_536 => u16::try_from(length)
            .expect("two bytes")
            .to_be_bytes()
            .to_vec(),
        _ => (length as u64).to_be_bytes().to_vec(),
    };
    let marker = match extended.len() {
        0 => u8::try_from(length).expect("a short length"),
        2 => 126,
        _ => 127,
    };
    with_length(first, marker, &extended, payload)
}

/// The same, with its length written in that way.
fn with_length(first: u8, marker: u8, extended: &[u8], payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x9D, 0x01, 0xFE, 0x6B];
    let mut bytes = vec![first, 0x80 | marker];
    bytes.extend(extended);
    bytes.extend(MASK);
    bytes.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short payload");
    [&[first, length], payload].concat()
}

/// A message as long as that.
fn message(length: usize) -> Vec<u8> {
    let text = r#"[{"channel":"/a","id":"1"}]"#;
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(length, b' ');
    bytes
}

/// One message with this within a text.
fn saying(bytes: &[u8]) -> Vec<u8> {
    [
        br#"[{"channel":"/a","id":"1","ext":{"text":""#,
        bytes,
        br#""}}]"#,
    ]
    .concat()
}

/// A message cut at these places, each part a frame.
fn fragments(payload: &[u8], places: &[usize]) -> Vec<u8> {
    let mut sent = Vec::new();
    let mut from = 0;
    for (number, to) in places.iter().copied().chain([payload.len()]).enumerate() {
        let opcode = if number == 0 { TEXT } else { CONTINUATION };
        let last = if number == places.len() { LAST } else { 0 };
        sent.extend(frame(last | opcode, &payload[from..to]));
        from = to;
    }
    sent
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(LAST | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

fn join(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

type Case = (String, Vec<u8>, Seen);

fn case(name: impl Into<String>, sent: Vec<u8>, seen: Seen) -> Case {
    (name.into(), sent, seen)
}

/// What comes back on the websocket, compared with what is due.
#[track_caller]
fn expect(socket: &mut WebSocket, name: &str, seen: &Seen) {
    let replies = |socket: &mut WebSocket, count: usize| {
        let mut messages = 0;
        while messages < count {
            messages += socket.messages().len();
        }
        assert_eq!(messages, count, "{name}");
    };
    match seen {
        Replies(count) => {
            replies(socket, *count);
            // It goes on.
            socket.send_raw(&frame(LAST | PING, b"still there?"));
            let pong = loop {
                let frame = socket.frame().unwrap_or_else(|| panic!("{name}: the end"));
                // A sign of life may be answered in kind.
                if frame.payload != b"[]" {
                    break frame;
                }
            };
            assert_eq!(
                (pong.opcode, pong.payload),
                (Opcode::Pong, b"still there?".to_vec()),
                "{name}"
            );
        }
        Pongs(payloads) => {
            for payload in payloads {
                let pong = socket.frame().unwrap_or_else(|| panic!("{name}: the end"));
                assert_eq!(
                    (pong.opcode, &pong.payload),
                    (Opcode::Pong, payload),
                    "{name}"
                );
            }
            replies(socket, 1);
        }
        End(code) => assert_eq!(socket.close_code(), Ending::Code(*code), "{name}"),
        Empty => assert_eq!(socket.close_code(), Ending::Empty, "{name}"),
    }
}

// Proves: DE-17, FR-6, FR-8, WS-1, WS-4, WS-12
#[test]
fn every_frame_of_the_standard_has_its_due_answer() {
    let tables = [
        lengths(),
        heads(),
        control_frames(),
        orders(),
        texts(),
        closes(),
    ];
    let cases: Vec<_> = tables.into_iter().flatten().collect();
    assert!(cases.len() >= 60, "{}", cases.len());
    let siege = Siege::begin(Settings::default().option("maxMessageSize", LARGEST));

    siege.endures(KEPT, |siege| {
        for (name, sent, seen) in &cases {
            // At once, and where it is short byte by byte.
            let mut socket = siege.websocket();
            socket.send_raw(sent);
            expect(&mut socket, name, seen);
            if sent.len() < 200 {
                let mut socket = siege.websocket();
                for byte in sent {
                    socket.send_raw(&[*byte]);
                }
                expect(&mut socket, name, seen);
            }
        }
        siege.nobody_notices();
    });
}
