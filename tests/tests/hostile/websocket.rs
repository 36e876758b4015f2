//! RFC 6455 as a table: frames of every kind, well-formed or not, on the endpoint that clients use.
//!
//! The endpoint speaks Bayeux, so a text that arrives whole shows by the reply to the message in it.

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

/// Section 5.2: lengths, and every way to write them.
fn lengths() -> Vec<Case> {
    let mut cases: Vec<_> = [
        27, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 65_537, LARGEST,
    ]
    .into_iter()
    .map(|length| {
        case(
            format!("a text of {length}"),
            frame(LAST | TEXT, &message(length)),
            Replies(1),
        )
    })
    .collect();
    let short = message(27);
    let huge = |first: u8| [first, 0, 0, 0, 0, 0, 0, 0];
    cases.extend([
        case(
            "a text of 0, which is a sign of life",
            frame(LAST | TEXT, b""),
            Replies(0),
        ),
        case(
            "a short length in 2 bytes",
            with_length(LAST | TEXT, 126, &[0, 27], &short),
            Replies(1),
        ),
        case(
            "a short length in 8 bytes",
            with_length(LAST | TEXT, 127, &[0, 0, 0, 0, 0, 0, 0, 27], &short),
            Replies(1),
        ),
        case(
            "65535 in 8 bytes",
            with_length(
                LAST | TEXT,
                127,
                &65_535_u64.to_be_bytes(),
                &message(65_535),
            ),
            Replies(1),
        ),
        case(
            "one byte too long",
            frame(LAST | TEXT, &message(LARGEST + 1)),
            End(1009),
        ),
        case(
            "2^62 bytes",
            with_length(LAST | TEXT, 127, &huge(0x40), b""),
            End(1009),
        ),
        case(
            "2^63 bytes, which no length may be",
            with_length(LAST | TEXT, 127, &huge(0x80), b""),
            End(1009),
        ),
        case(
            "2^64 - 1 bytes",
            with_length(LAST | TEXT, 127, &[0xFF; 8], b""),
            End(1009),
        ),
        case(
            "a continuation of 2^63 bytes",
            join(&[frame(TEXT, b"["), with_length(LAST, 127, &huge(0x80), b"")]),
            End(1009),
        ),
        case(
            "fragments that are too long together",
            join(&[frame(TEXT, &message(60_000)), frame(LAST, &[b' '; 60_000])]),
            End(1009),
        ),
        case(
            "fragments as long as may be together",
            join(&[frame(TEXT, &message(60_000)), frame(LAST, &[b' '; 40_000])]),
            Replies(1),
        ),
    ]);
    cases
}

/// Sections 5.1 to 5.3: masks, reserved bits, opcodes.
fn heads() -> Vec<Case> {
    let text = message(27);
    let mut cases = vec![
        case(
            "a text without a mask",
            unmasked(LAST | TEXT, &text),
            End(1002),
        ),
        case(
            "a ping without a mask",
            unmasked(LAST | PING, b""),
            End(1002),
        ),
        case(
            "a close without a mask",
            unmasked(LAST | CLOSE, &[0x03, 0xE8]),
            End(1002),
        ),
        case(
            "a continuation without a mask",
            join(&[frame(TEXT, b"["), unmasked(LAST, b"]")]),
            End(1002),
        ),
        case(
            "a mask of zeros",
            [&[LAST | TEXT, 0x80 | 27, 0, 0, 0, 0][..], &text].concat(),
            Replies(1),
        ),
    ];
    for bits in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        cases.push(case(
            format!("reserved bits {bits:#x} on a text"),
            frame(LAST | bits | TEXT, &text),
            End(1002),
        ));
    }
    for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
        cases.push(case(
            format!("a reserved bit on opcode {opcode:#x}"),
            frame(LAST | 0x40 | opcode, b""),
            End(1002),
        ));
    }
    cases.push(case(
        "a reserved bit on a continuation",
        join(&[frame(TEXT, b"["), frame(LAST | 0x40, b"]")]),
        End(1002),
    ));
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        cases.push(case(
            format!("opcode {opcode:#x}, which is reserved"),
            frame(LAST | opcode, b""),
            End(1002),
        ));
    }
    cases.push(case(
        "a reserved opcode within a message",
        join(&[frame(TEXT, b"["), frame(LAST | 0x3, b"")]),
        End(1002),
    ));
    cases
}

/// Section 5.5: pings, pongs, and what no control frame may be.
fn control_frames() -> Vec<Case> {
    let text = frame(LAST | TEXT, &message(27));
    let ping = |payload: &[u8]| frame(LAST | PING, payload);
    let pongs =
        |payloads: &[&[u8]]| Pongs(payloads.iter().map(|payload| payload.to_vec()).collect());
    vec![
        case(
            "a ping without payload",
            join(&[ping(b""), text.clone()]),
            pongs(&[b""]),
        ),
        case(
            "a ping with a text",
            join(&[ping(b"hello"), text.clone()]),
            pongs(&[b"hello"]),
        ),
        case(
            "a ping that is no UTF-8",
            join(&[ping(&[0, 0xFF, 0xFE]), text.clone()]),
            pongs(&[&[0, 0xFF, 0xFE]]),
        ),
        case(
            "a ping of 125 bytes",
            join(&[ping(&[7; 125]), text.clone()]),
            pongs(&[&[7; 125]]),
        ),
        case("a ping of 126 bytes", ping(&[7; 126]), End(1002)),
        case("a ping of 65536 bytes", ping(&[7; 65_536]), End(1002)),
        case(
            "a ping with its length in 2 bytes",
            join(&[with_length(LAST | PING, 126, &[0, 1], b"x"), text.clone()]),
            pongs(&[b"x"]),
        ),
        case(
            "ten pings",
            join(&[ping(b"1").repeat(10), text.clone()]),
            pongs(&[&b"1"[..]; 10]),
        ),
        case("a ping that does not end", frame(PING, b""), End(1002)),
        case("a pong that does not end", frame(PONG, b""), End(1002)),
        case(
            "a close that does not end",
            frame(CLOSE, &[0x03, 0xE8]),
            End(1002),
        ),
        case(
            "a pong nobody asked for",
            join(&[frame(LAST | PONG, b"x"), text.clone()]),
            Replies(1),
        ),
        case(
            "a pong of 126 bytes",
            frame(LAST | PONG, &[7; 126]),
            End(1002),
        ),
        case("a close of 126 bytes", close(1000, &[b'x'; 124]), End(1002)),
        case(
            "a ping within a message",
            join(&[frame(TEXT, &message(27)), ping(b"x"), frame(LAST, b" ")]),
            pongs(&[b"x"]),
        ),
        case(
            "a pong within a message",
            join(&[
                frame(TEXT, &message(27)),
                frame(LAST | PONG, b"x"),
                frame(LAST, b" "),
            ]),
            Replies(1),
        ),
    ]
}

/// Section 5.4: in which order frames may come.
fn orders() -> Vec<Case> {
    let text = message(27);
    vec![
        case("two fragments", fragments(&text, &[10]), Replies(1)),
        case(
            "a fragment for every byte",
            fragments(&text, &Vec::from_iter(1..27)),
            Replies(1),
        ),
        case(
            "empty fragments",
            fragments(&text, &[0, 0, 10, 10, 27]),
            Replies(1),
        ),
        case(
            "fragments that are all empty",
            fragments(b"", &[0, 0]),
            Replies(0),
        ),
        case(
            "two messages in fragments",
            fragments(&text, &[5]).repeat(2),
            Replies(2),
        ),
        case(
            "two messages, not waiting for a reply",
            frame(LAST | TEXT, &text).repeat(2),
            Replies(2),
        ),
        case("a continuation of nothing", frame(LAST, b"x"), End(1002)),
        case(
            "a continuation of nothing that does not end",
            frame(CONTINUATION, b"x"),
            End(1002),
        ),
        case(
            "a continuation after a whole message",
            join(&[frame(LAST | TEXT, b"[]"), frame(LAST, b"x")]),
            End(1002),
        ),
        case(
            "a text within a text",
            join(&[frame(TEXT, b"["), frame(LAST | TEXT, b"]")]),
            End(1002),
        ),
        case(
            "a binary within a text",
            join(&[frame(TEXT, b"["), frame(LAST | BINARY, b"]")]),
            End(1002),
        ),
        case(
            "a text after a text that does not end",
            join(&[frame(TEXT, b"["), frame(TEXT, b"]")]),
            End(1002),
        ),
        case(
            "a binary message, which this protocol has none of",
            frame(LAST | BINARY, &text),
            End(1003),
        ),
        case(
            "a binary message in fragments",
            join(&[frame(BINARY, &text), frame(LAST, b"")]),
            End(1003),
        ),
    ]
}

/// Sections 5.6 and 8.1: a text is UTF-8, as a whole.
fn texts() -> Vec<Case> {
    let good: [(&str, &[u8]); 9] = [
        ("two bytes", "é".as_bytes()),
        ("three bytes", "κόσμε€".as_bytes()),
        ("four bytes", "😀𐍈".as_bytes()),
        ("the last of two bytes", "\u{7FF}".as_bytes()),
        ("the last before the surrogates", "\u{D7FF}".as_bytes()),
        ("the first after them", "\u{E000}".as_bytes()),
        ("no characters", "\u{FFFE}\u{FFFF}\u{FDD0}".as_bytes()),
        ("the last of all", "\u{10FFFF}".as_bytes()),
        (
            "U+2028 and a byte order mark",
            "\u{2028}\u{FEFF}".as_bytes(),
        ),
    ];
    let bad: [(&str, &[u8]); 14] = [
        ("a byte that begins nothing", &[0x80]),
        ("0xFF", &[0xFF]),
        ("0xFE", &[0xFE]),
        ("an end without a beginning", &[b'a', 0xBF, b'b']),
        ("a beginning without an end", &[0xC3]),
        ("two of three bytes", &[0xE2, 0x82]),
        ("three of four bytes", &[0xF0, 0x9F, 0x98]),
        ("a slash in two bytes", &[0xC0, 0xAF]),
        ("a slash in three bytes", &[0xE0, 0x80, 0xAF]),
        ("a slash in four bytes", &[0xF0, 0x80, 0x80, 0xAF]),
        ("NUL in two bytes", &[0xC0, 0x80]),
        ("a surrogate", &[0xED, 0xA0, 0x80]),
        (
            "a pair of surrogates",
            &[0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80],
        ),
        ("beyond the last of all", &[0xF4, 0x90, 0x80, 0x80]),
    ];
    let mut cases = Vec::new();
    for (name, bytes) in good {
        let text = saying(bytes);
        let all = Vec::from_iter(1..text.len());
        cases.push(case(name, frame(LAST | TEXT, &text), Replies(1)));
        cases.push(case(
            format!("{name}, a frame for every byte"),
            fragments(&text, &all),
            Replies(1),
        ));
    }
    for (name, bytes) in bad {
        let text = saying(bytes);
        let all = Vec::from_iter(1..text.len());
        cases.push(case(name, frame(LAST | TEXT, &text), End(1007)));
        cases.push(case(
            format!("{name}, a frame for every byte"),
            fragments(&text, &all),
            End(1007),
        ));
    }
    cases
}

/// Sections 5.5.1 and 7.4: how a connection may be closed.
fn closes() -> Vec<Case> {
    let mut cases = vec![
        case("a close without a code", frame(LAST | CLOSE, b""), Empty),
        case(
            "a close with half a code",
            frame(LAST | CLOSE, &[3]),
            End(1002),
        ),
        case(
            "a close with a reason",
            close(1000, "schön".as_bytes()),
            End(1000),
        ),
        case(
            "a close with the longest reason",
            close(1000, &[b'x'; 123]),
            End(1000),
        ),
        case(
            "a close with a reason that is no UTF-8",
            close(1000, &[0xCE, 0xBA, 0xED, 0xA0, 0x80]),
            End(1007),
        ),
        case(
            "a close within a message",
            join(&[frame(TEXT, b"["), close(1000, b"")]),
            End(1000),
        ),
        case(
            "a message after a close",
            join(&[close(1000, b""), frame(LAST | TEXT, &message(27))]),
            End(1000),
        ),
        case(
            "a ping after a close",
            join(&[close(1000, b""), frame(LAST | PING, b"")]),
            End(1000),
        ),
        case(
            "two closes",
            join(&[close(1000, b""), close(1001, b"")]),
            End(1000),
        ),
        case(
            "nonsense after a close",
            join(&[close(1000, b""), vec![0xFF; 1_000]]),
            End(1000),
        ),
        case(
            "a message and a close",
            join(&[frame(LAST | TEXT, b"[]"), close(1000, b"")]),
            End(1000),
        ),
    ];
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999,
    ] {
        cases.push(case(
            format!("a close with {code}"),
            close(code, b""),
            End(code),
        ));
    }
    for code in [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        cases.push(case(
            format!("a close with {code}, which may not be sent"),
            close(code, b""),
            End(1002),
        ));
    }
    cases
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
