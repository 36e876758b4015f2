//! HTTP/2 connections that cost more than they should, frame by frame.

use std::net::SocketAddr;

use bayeux_tests::live::{Kept, Server, Settings, Siege, Wire};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// The errors of RFC 9113, section 7, that are due below.
const PROTOCOL: u32 = 1;
const CALM: u32 = 11;

/// `GET /` over http, with an authority.
const PAGE: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];
/// `POST /bayeux` over http, with an authority.
const POST: &[u8] = &[
    0x83, 0x86, 0x44, 7, b'/', b'b', b'a', b'y', b'e', b'u', b'x', 0x41, 1, b'a',
];

/// A connection of the test's own, as RFC 9113 has it.
struct Connection {
    wire: Wire,
}

/// A frame that came.
struct Frame {
    kind: u8,
    flags: u8,
    payload: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let mut wire = Wire::open(address);
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut connection = Self { wire };
        connection.send(SETTINGS, 0, 0, b"");
        connection
    }

    /// False if the server does not take it.
    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.wire.send(&frame(kind, flags, stream, payload))
    }

    /// Asks for the page at `/`: GET, http, that path, and an authority.
    fn request(&mut self) {
        self.send(HEADERS, END_STREAM | END_HEADERS, 1, PAGE);
    }

    /// The next frame; `None` at the end of the connection.
    fn frame(&mut self) -> Option<Frame> {
        let [_, first, second, kind, flags, ..] = self.wire.exactly(9)?[..] else {
            return None;
        };
        let length = u16::from_be_bytes([first, second]);
        let payload = self.wire.exactly(length.into())?;
        Some(Frame {
            kind,
            flags,
            payload,
        })
    }

    /// The error in the goodbye; `None` if the connection ends without one.
    fn goodbye(&mut self) -> Option<u32> {
        let mut error = None;
        while let Some(frame) = self.frame() {
            if frame.kind == GOAWAY {
                let code = frame.payload.get(4..8).and_then(|code| code.first_chunk());
                error = code.copied().map(u32::from_be_bytes);
            }
        }
        error
    }

    /// Answers that many pings; fewer if the connection ends before.
    fn answer_pings(&mut self, count: usize) -> usize {
        let mut answered = 0;
        while answered < count
            && let Some(frame) = self.frame()
        {
            if frame.kind == PING && frame.flags & ACK == 0 {
                self.send(PING, ACK, 0, &frame.payload);
                answered += 1;
            }
        }
        answered
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The streams that a client may open, in order.
fn streams(count: usize) -> impl Iterator<Item = u32> {
    (1..).step_by(2).take(count)
}

#[test]
fn a_connection_is_told_its_bounds() {
    let server = Server::start(&Settings::default().shards(1));
    let mut connection = Connection::open(server.address());

    let settings = connection.frame().expect("settings come first");

    assert_eq!(settings.kind, SETTINGS);
    let (settings, _) = settings.payload.as_chunks::<6>();
    let value = |name: u8| {
        settings.iter().find_map(|setting| match *setting {
            [0, found, a, b, c, d] if found == name => Some(u32::from_be_bytes([a, b, c, d])),
            _ => None,
        })
    };
    assert_eq!(value(3), Some(128), "streams at a time");
    assert_eq!(value(4), Some(64 << 10), "bytes ahead on a stream");
    assert_eq!(value(6), Some(16 << 10), "bytes of headers");
}

#[test]
fn a_peer_that_is_gone_is_noticed_by_its_pings() {
    let settings = Settings::default()
        .shards(1)
        .option("limits.headerTimeout", 86_400_000)
        .option("limits.writeTimeout", 300);
    let server = Server::start(&settings);
    let (mut gone, mut there) = (
        Connection::open(server.address()),
        Connection::open(server.address()),
    );

    assert_eq!(there.answer_pings(4), 4);

    let mut pings = 0;
    while let Some(frame) = gone.frame() {
        pings += usize::from(frame.kind == PING);
    }
    assert_eq!(pings, 1);
    assert_eq!(there.answer_pings(1), 1);
}

// Proves: HT-6
#[test]
fn a_connection_without_requests_is_closed_though_it_answers_pings() {
    let settings = Settings::default()
        .shards(1)
        .option("timeout", 100)
        .option("limits.keepAliveTimeout", 1_000)
        .option("limits.writeTimeout", 300);
    let server = Server::start(&settings);
    let mut connection = Connection::open(server.address());

    connection.request();

    assert!(connection.answer_pings(20) < 20);
}

/// For some connections at a time.
const KEPT: Kept = Kept {
    once: 24 << 20,
    again: 6 << 20,
};

/// A flood of these bytes, again and again, until the server does not take them any more; the goodbye, if it is to be read.
#[track_caller]
fn flood(siege: &mut Siege, connection: &mut Connection, bytes: &[u8]) {
    const MOST: u64 = 16 << 20;
    let before = siege.growth();
    let patience = bayeux_tests::live::Deadline::usual();
    while connection.wire.send(bytes) {
        assert!(patience.left().is_some(), "it is taken for ever");
        siege.nobody_notices();
        let growth = siege.growth().saturating_sub(before);
        assert!(growth < MOST, "{growth} bytes");
    }
}

// Proves: HT-12
#[test]
fn rapid_reset_cve_2023_44487_requests_that_are_taken_back_at_once_end_the_connection() {
    Siege::of_defaults().endures(KEPT, |siege| {
        let mut connection = Connection::open(siege.address());
        let mut bytes = Vec::new();
        for stream in streams(20_000) {
            bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, PAGE));
            bytes.extend(frame(RESET, 0, stream, &8_u32.to_be_bytes()));
        }
        connection.wire.send(&bytes);
        siege.nobody_notices();
        // Or reset, since more was sent than is read.
        assert!(matches!(connection.goodbye(), Some(CALM) | None));
    });
}

// Proves: HT-12
#[test]
fn made_you_reset_cve_2025_8671_requests_that_the_server_must_reset_end_the_connection() {
    Siege::of_defaults().endures(KEPT, |siege| {
        let mut connection = Connection::open(siege.address());
        let mut bytes = Vec::new();
        for stream in streams(20_000) {
            bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, PAGE));
            // A window of no size is a mistake on that stream.
            bytes.extend(frame(WINDOW, 0, stream, &[0; 4]));
        }
        connection.wire.send(&bytes);
        siege.nobody_notices();
        assert!(matches!(connection.goodbye(), Some(CALM | PROTOCOL) | None));
    });
}

// Proves: HT-12
#[test]
fn continuation_flood_headers_that_do_not_end_end_the_connection() {
    Siege::of_defaults().endures(KEPT, |siege| {
        let mut connection = Connection::open(siege.address());
        connection.send(HEADERS, 0, 1, PAGE);
        // A header that is not kept by a table, with names and values of their own.
        let header = [&[0x00, 10][..], b"x-whatever", &[100], &[b'x'; 100]].concat();
        let more = frame(CONTINUATION, 0, 1, &header.repeat(100));
        flood(siege, &mut connection, &more.repeat(10));
    });
}

// Proves: HT-12
#[test]
fn empty_continuations_that_do_not_end_end_the_connection() {
    Siege::of_defaults().endures(KEPT, |siege| {
        let mut connection = Connection::open(siege.address());
        connection.send(HEADERS, 0, 1, PAGE);
        flood(
            siege,
            &mut connection,
            &frame(CONTINUATION, 0, 1, b"").repeat(1_000),
        );
    });
}

// Proves: HT-8, HT-12
#[test]
fn settings_and_pings_whose_answers_are_not_read_end_the_connection() {
    let settings = || Settings::default().option("limits.writeTimeout", 1_500);
    let floods = [
        frame(SETTINGS, 0, 0, b"").repeat(1_000),
        frame(PING, 0, 0, b"12345678").repeat(1_000),
    ];

    for bytes in floods {
        Siege::begin(settings()).endures(KEPT, |siege| {
            let mut connection = Connection::open(siege.address());
            flood(siege, &mut connection, &bytes);
        });
    }
}

// Proves: HT-8, HT-12
#[test]
fn streams_whose_bodies_do_not_end_are_bounded_in_number_and_time() {
    const STREAMS: usize = 128;
    let settings = Settings::default().option("limits.bodyTimeout", 1_500);

    Siege::begin(settings).endures(KEPT, |siege| {
        let mut connections: Vec<_> = (0..8).map(|_| Connection::open(siege.address())).collect();
        for connection in &mut connections {
            for stream in streams(STREAMS) {
                connection.send(HEADERS, END_HEADERS, stream, POST);
                connection.send(DATA, 0, stream, b"[");
            }
            // One too many.
            connection.send(HEADERS, END_HEADERS, 1 + 2 * STREAMS as u32, POST);
        }
        siege.nobody_notices();
        for connection in &mut connections {
            let (mut answered, mut refused) = (0, 0);
            while answered < STREAMS {
                let frame = connection.frame().expect("answers to all of them");
                answered += usize::from(frame.kind == HEADERS);
                refused += usize::from(frame.kind == RESET && frame.payload == 7_u32.to_be_bytes());
            }
            assert_eq!(refused, 1, "the one too many");
        }
    });
}

// Proves: HT-8, HT-12, WS-13
#[test]
fn a_peer_that_leaves_no_window_for_answers_is_cut_off_though_it_answers_pings() {
    let settings = Settings::default().option("limits.writeTimeout", 1_500);
    let no_window = [0, 4, 0, 0, 0, 0];

    Siege::begin(settings).endures(KEPT, |siege| {
        let mut connection = Connection::open(siege.address());
        connection.send(SETTINGS, 0, 0, &no_window);
        for stream in streams(100) {
            connection.send(HEADERS, END_STREAM | END_HEADERS, stream, PAGE);
        }
        siege.nobody_notices();

        assert!(connection.answer_pings(10) < 10, "it is waited for");
    });
}
