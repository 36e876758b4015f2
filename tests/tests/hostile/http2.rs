//! HTTP/2 connections that cost more than they should, frame by frame.

use bayeux_tests::live::{Server, Settings, Wire};

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;

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
    fn open(server: &Server) -> Self {
        let mut wire = Wire::open(server.address());
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut connection = Self { wire };
        connection.send(SETTINGS, 0, 0, b"");
        connection
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short frame");
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        self.wire.send(&bytes);
    }

    /// Asks for the page at `/`: GET, http, that path, and an authority.
    fn request(&mut self) {
        const END: u8 = 0x1 | 0x4;
        self.send(HEADERS, END, 1, &[0x82, 0x86, 0x84, 0x41, 1, b'a']);
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

#[test]
fn a_connection_is_told_its_bounds() {
    let server = Server::start(&Settings::default().shards(1));
    let mut connection = Connection::open(&server);

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
    let (mut gone, mut there) = (Connection::open(&server), Connection::open(&server));

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
    let mut connection = Connection::open(&server);

    connection.request();

    assert!(connection.answer_pings(20) < 20);
}
