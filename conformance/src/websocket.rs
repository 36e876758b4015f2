//! Websocket frames as a check wants to send them, well-formed or not.

use std::time::Duration;

use serde_json::Value;

use crate::check::{Checked, Stop};
use crate::http::{HttpConnection, Response, messages};
use crate::wire::{Lack, Wire};

/// An open websocket.
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

/// How a websocket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
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

    /// Opens one over a connection, and gives the answer to the upgrade.
    ///
    /// # Errors
    ///
    /// If the server does not upgrade as RFC 6455 says.
    pub fn open(
        mut connection: HttpConnection,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Checked<(Self, Response)> {
        let response = Self::ask(&mut connection, path, headers)?;
        if response.status != 101 {
            let status = response.status;
            return Err(Stop::failed(format!("no upgrade but status {status}")));
        }
        if response.header("Sec-WebSocket-Accept") != Some(Self::ACCEPT) {
            return Err(Stop::failed("a wrong Sec-WebSocket-Accept"));
        }
        let wire = connection.into_wire();
        Ok((Self { wire }, response))
    }

    /// Asks for an upgrade and gives the answer.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub fn ask(
        connection: &mut HttpConnection,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Checked<Response> {
        let mut all = vec![
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", Self::KEY),
        ];
        all.extend_from_slice(headers);
        connection.request("GET", path, &all, b"")
    }

    /// Sends a text message in one frame.
    pub fn send_text(&mut self, text: &str) {
        self.send(Opcode::Text, text);
    }

    /// Sends a message in one frame.
    pub fn send(&mut self, opcode: Opcode, payload: impl Into<Vec<u8>>) {
        self.send_frame(&Frame {
            last: true,
            opcode,
            payload: payload.into(),
        });
    }

    /// Sends a frame, masked as a client must.
    pub fn send_frame(&mut self, frame: &Frame) {
        let mut bytes = head(frame);
        bytes.extend(Self::MASK);
        let mask = Self::MASK.iter().cycle();
        let payload = frame.payload.iter().zip(mask);
        bytes.extend(payload.map(|(byte, mask)| byte ^ mask));
        self.wire.send(&bytes);
    }

    /// Sends bytes that need not be a frame.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.wire.send(bytes);
    }

    /// Waits so long for what is to come, from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.wire.patience = patience;
    }

    /// How long it waits for what is to come.
    pub fn patience(&self) -> Duration {
        self.wire.patience
    }

    /// The next frame.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub fn frame(&mut self) -> Result<Frame, Lack> {
        let head = self.wire.exactly(2)?;
        let [first, second] = head.try_into().map_err(|_| Lack::Ended)?;
        let length = match second & 0x7F {
            126 => number(&self.wire.exactly(2)?),
            127 => number(&self.wire.exactly(8)?),
            length => usize::from(length),
        };
        let payload = self.wire.exactly(length)?;
        let opcode = match first & 0x0F {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => Opcode::Close,
        };
        Ok(Frame {
            last: first & 0x80 != 0,
            opcode,
            payload,
        })
    }

    /// The text of the next message; pings on the way are answered.
    ///
    /// # Errors
    ///
    /// If the connection ends or is closed instead, or nothing comes in time.
    pub fn text(&mut self) -> Checked<Result<String, Ending>> {
        let mut text = Vec::new();
        loop {
            let frame = match self.frame() {
                Ok(frame) => frame,
                Err(Lack::Ended) => return Ok(Err(Ending::Missing)),
                Err(late) => return Err(late.into()),
            };
            match frame.opcode {
                Opcode::Text | Opcode::Continuation => {
                    text.extend(frame.payload);
                    if frame.last {
                        return match String::from_utf8(text) {
                            Ok(text) => Ok(Ok(text)),
                            Err(_) => Err(Stop::failed("a text message that is not UTF-8")),
                        };
                    }
                }
                Opcode::Ping => self.send(Opcode::Pong, frame.payload),
                Opcode::Pong => {}
                Opcode::Binary => return Err(Stop::failed("a binary message")),
                Opcode::Close => return Ok(Err(Ending::of(&frame))),
            }
        }
    }

    /// The messages of the next frame.
    ///
    /// # Errors
    ///
    /// If there is none, or it is no array of messages.
    pub fn messages(&mut self) -> Checked<Vec<Value>> {
        match self.text()? {
            Ok(text) => messages(&text),
            Err(ending) => Err(Stop::failed(format!(
                "messages were due, but the server closed: {ending:?}"
            ))),
        }
    }

    /// Waits for the end, whatever comes before it.
    ///
    /// # Errors
    ///
    /// If it does not come in time.
    pub fn ending(&mut self) -> Checked<Ending> {
        loop {
            match self.frame() {
                Ok(frame) if frame.opcode == Opcode::Close => return Ok(Ending::of(&frame)),
                Ok(_) => {}
                Err(Lack::Ended) => return Ok(Ending::Missing),
                Err(late) => return Err(late.into()),
            }
        }
    }

    /// Whether nothing comes for so long.
    pub fn is_quiet(&mut self, period: Duration) -> bool {
        self.wire.is_quiet(period)
    }
}

impl Ending {
    fn of(close: &Frame) -> Self {
        let code = close.payload.first_chunk().copied();
        code.map_or(Self::Empty, |code| Self::Code(u16::from_be_bytes(code)))
    }
}

/// A length that no memory holds is read as the greatest, and never comes.
fn number(bytes: &[u8]) -> usize {
    let number = bytes
        .iter()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn head(frame: &Frame) -> Vec<u8> {
    const MASKED: u8 = 0x80;
    let last = if frame.last { 0x80 } else { 0 };
    let mut head = vec![last | frame.opcode as u8];
    let length = frame.payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..126), _) => head.push(MASKED | length),
        (_, Ok(length)) => {
            head.push(MASKED | 126);
            head.extend(length.to_be_bytes());
        }
        (_, Err(_)) => {
            head.push(MASKED | 127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}
