//! How frames are put together, and the text in them.

use super::*;

/// Section 5.2: lengths, and every way to write them.
pub(super) fn lengths() -> Vec<Case> {
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
pub(super) fn heads() -> Vec<Case> {
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

/// Section 5.4: in which order frames may come.
pub(super) fn orders() -> Vec<Case> {
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
pub(super) fn texts() -> Vec<Case> {
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
