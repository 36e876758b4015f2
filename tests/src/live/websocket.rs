//! Websocket frames as a test wants to send them, well-formed or not.

use std::net::SocketAddr;

use serde_json::Value;

use super::{HttpConnection, Response, Wire};

/// An open websocket of the test's own.
#[derive(Debug)]
pub struct WebSocket {
    wire: Wire,
}

/// A frame, without its mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it ends its message.
    pub last: bool,
    /// What it is.
    pub opcode: Opcode,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// The kinds of frames, RFC 6455 section 11.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// A close frame with this code.
    Code(u16),
    /// A close frame without a code.
    Empty,
    /// No close frame.
    Missing,
}

impl WebSocket {
    /// The example of RFC 6455 section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

    /// Opens one; anything but a correct upgrade is a failure.
    #[track_caller]
    pub fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::upgrade(address, path, headers).0
    }

    /// Opens one and gives the answer to the upgrade too.
    #[track_caller]
    pub fn upgrade(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (Self, Response) {
        let (connection, response) = Self::ask(address, path, headers);
        assert_eq!(response.status, 101, "{response:?}");
        assert_eq!(response.header("Sec-WebSocket-Accept"), Some(Self::ACCEPT));
        (Self::after_upgrade(connection), response)
    }

    /// Asks for one and gives the answer, which should be a refusal.
    #[track_caller]
    pub fn refused(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
        let (_, response) = Self::ask(address, path, headers);
        assert_ne!(
            response.status, 101,
            "the upgrade was granted: {response:?}"
        );
        response
    }

    #[track_caller]
    fn ask(
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (HttpConnection, Response) {
        let mut connection = HttpConnection::open(address);
        let mut all = vec![
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", Self::KEY),
        ];
        all.extend_from_slice(headers);
        let response = connection.request("GET", path, &all, "");
        (connection, response)
    }

    /// What a connection is once an upgrade was agreed on.
    pub fn after_upgrade(connection: HttpConnection) -> Self {
        let wire = connection.into_wire();
        Self { wire }
    }

    /// Sends an array of messages.
    pub fn send(&mut self, messages: &Value) {
        self.send_text(&messages.to_string());
    }

    /// Sends a text message in one frame.
    pub fn send_text(&mut self, text: &str) {
        self.send_frame(&Frame {
            last: true,
            opcode: Opcode::Text,
            payload: text.into(),
        });
    }

    /// Sends a frame, masked as a client must.
    pub fn send_frame(&mut self, frame: &Frame) {
        let mut bytes = head(frame, 0x80);
        bytes.extend(Self::MASK);
        let mask = Self::MASK.iter().cycle();
        bytes.extend(
            frame
                .payload
                .iter()
                .zip(mask)
                .map(|(byte, mask)| byte ^ mask),
        );
        self.wire.send(&bytes);
    }

    /// Sends a frame without a mask, as a client must not.
    pub fn send_unmasked(&mut self, frame: &Frame) {
        let bytes = [head(frame, 0), frame.payload.clone()].concat();
        self.wire.send(&bytes);
    }

    /// Sends bytes that need not be a frame.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.wire.send(bytes);
    }

    /// The next frame; `None` when the connection has ended.
    #[track_caller]
    pub fn frame(&mut self) -> Option<Frame> {
        let [first, second] = self.wire.exactly(2)?.try_into().ok()?;
        assert_eq!(first & 0x70, 0, "reserved bits");
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let length = match second {
            126 => u64::from(u16::from_be_bytes(self.wire.exactly(2)?.try_into().ok()?)),
            127 => u64::from_be_bytes(self.wire.exactly(8)?.try_into().ok()?),
            length => u64::from(length),
        };
        let length = usize::try_from(length).expect("a length that fits memory");
        let payload = self.wire.exactly(length)?;
        let opcode = match first & 0x0F {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            other => panic!("an unknown opcode: {other:#x}"),
        };
        Some(Frame {
            last: first & 0x80 != 0,
            opcode,
            payload,
        })
    }

    /// The messages of the next text frame; pings on the way are answered.
    #[track_caller]
    pub fn messages(&mut self) -> Vec<Value> {
        loop {
            let Some(frame) = self.frame() else {
                panic!("the connection ended where messages were due");
            };
            match frame.opcode {
                Opcode::Text => {
                    assert!(frame.last, "messages in one frame");
                    return serde_json::from_slice(&frame.payload).expect("a JSON array");
                }
                Opcode::Ping => self.pong(frame),
                Opcode::Pong => {}
                Opcode::Continuation | Opcode::Binary | Opcode::Close => {
                    panic!("messages were due, this came: {frame:?}")
                }
            }
        }
    }

    /// Asserts that the next text frame is exactly this array.
    #[track_caller]
    pub fn expect(&mut self, messages: &Value) {
        assert_eq!(Value::from(self.messages()), *messages, "the next frame");
    }

    /// Waits for the end, whatever comes before it.
    pub fn close_code(&mut self) -> CloseCode {
        while let Some(frame) = self.frame() {
            if frame.opcode == Opcode::Close {
                let code = frame.payload.first_chunk().copied().map(u16::from_be_bytes);
                return code.map_or(CloseCode::Empty, CloseCode::Code);
            }
        }
        CloseCode::Missing
    }

    /// Says that nothing more will be sent, without a close frame.
    pub fn finish(&mut self) {
        self.wire.finish();
    }

    fn pong(&mut self, ping: Frame) {
        self.send_frame(&Frame {
            opcode: Opcode::Pong,
            ..ping
        });
    }
}

fn head(frame: &Frame, mask_bit: u8) -> Vec<u8> {
    let last = if frame.last { 0x80 } else { 0 };
    let mut head = vec![last | frame.opcode as u8];
    let length = frame.payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..126), _) => head.push(mask_bit | length),
        (_, Ok(length)) => {
            head.push(mask_bit | 126);
            head.extend(length.to_be_bytes());
        }
        (_, Err(_)) => {
            head.push(mask_bit | 127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}
