//! Pings, pongs, and how a connection may be closed.

use super::*;

/// Section 5.5: pings, pongs, and what no control frame may be.
pub(super) fn control_frames() -> Vec<Case> {
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

/// Sections 5.5.1 and 7.4: how a connection may be closed.
pub(super) fn closes() -> Vec<Case> {
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
