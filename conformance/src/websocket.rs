//! A websocket as a check wants to use it.

use std::time::Duration;

use serde_json::Value;

use crate::check::{Checked, Stop};
use crate::frame::{Ending, Frame, Opcode};
use crate::http::{HttpConnection, Response, messages};
use crate::wire::{Lack, Wire};

/// An open websocket.
#[derive(Debug)]
pub struct WebSocket {
    wire: Wire,
}

impl WebSocket {
    /// The headers that ask for one, with the key of RFC 6455 section 1.3.
    pub const UPGRADE: [(&str, &str); 4] = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    /// The `Sec-WebSocket-Accept` that answers that key.
    pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
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
        let all = [&Self::UPGRADE, headers].concat();
        connection.request("GET", path, &all, b"")
    }

    /// Sends a text message in one frame.
    pub fn send_text(&mut self, text: &str) {
        self.send(Opcode::Text, text);
    }

    /// Sends a message in one frame.
    pub fn send(&mut self, opcode: Opcode, payload: impl Into<Vec<u8>>) {
        self.send_frame(&Frame::whole(opcode, payload));
    }

    /// Sends a frame, masked as a client must.
    pub fn send_frame(&mut self, frame: &Frame) {
        self.wire.send(&frame.to_bytes(Some(Self::MASK)));
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
    pub fn frame(&mut self) -> Checked<Frame> {
        Ok(Frame::read(&mut self.wire)??)
    }

    /// The text of the next message; pings on the way are answered.
    ///
    /// # Errors
    ///
    /// If the connection ends or is closed instead, or nothing comes in time.
    pub fn text(&mut self) -> Checked<Result<String, Ending>> {
        let mut text = Vec::new();
        loop {
            let frame = match Frame::read(&mut self.wire)? {
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
            match Frame::read(&mut self.wire)? {
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
