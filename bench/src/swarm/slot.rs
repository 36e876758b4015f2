//! One connection: bytes to messages and back.
//!
//! Invariant: an idle connection has no buffer of its own.

use std::io::{self, ErrorKind, Read as _, Write as _};

use mio::net::TcpStream;

use super::{Answer, Heard};
use crate::session::Transport;
use crate::target::Target;
use crate::websocket::{self, Frame};
use crate::{Failure, http, source};

/// What all connections have in common.
pub(super) struct Line {
    target: Target,
    host: String,
}

impl Line {
    pub(super) fn new(target: Target) -> Self {
        let host = target.address.to_string();
        Self { target, host }
    }
}

pub(super) struct Slot {
    pub(super) stream: TcpStream,
    /// What is given back with each request.
    pub(super) cookie: Option<Box<str>>,
    transport: Transport,
    stage: Stage,
    /// The beginning of a message.
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Open,
    /// Another is wanted in its place.
    Leaving,
    Closed,
}

/// Told of what is heard, and says what to answer.
type On<'a> = &'a mut dyn FnMut(Heard<'_>) -> Result<Option<Answer>, Failure>;

impl Slot {
    pub(super) fn connect(
        line: &Line,
        transport: Transport,
        cookie: Option<Box<str>>,
        number: usize,
    ) -> io::Result<Self> {
        let stream = source::connect(line.target.address, number)?;
        let unsent = match transport {
            Transport::WebSocket => {
                websocket::upgrade(&line.host, &line.target.path, cookie.as_deref()).into_bytes()
            }
            Transport::LongPolling => Vec::new(),
        };
        Ok(Self {
            stream,
            cookie,
            transport,
            stage: Stage::Opening,
            unread: Vec::new(),
            unsent,
        })
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.stage == Stage::Leaving
    }

    pub(super) fn close(&mut self) {
        self.stage = Stage::Closed;
    }

    pub(super) fn send(&mut self, line: &Line, messages: &str) -> Result<(), Failure> {
        let bytes = match self.transport {
            Transport::WebSocket => websocket::masked_frame(websocket::TEXT, messages.as_bytes()),
            Transport::LongPolling => {
                let cookie = self.cookie.as_deref();
                http::post(&line.host, &line.target.path, cookie, messages).into_bytes()
            }
        };
        self.write(bytes)
    }

    fn write(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        if self.unsent.is_empty() {
            self.unsent = bytes;
        } else {
            self.unsent.extend_from_slice(&bytes);
        }
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.unsent = Vec::new();
        Ok(())
    }

    pub(super) fn flush(&mut self, line: &Line, on: On<'_>) -> Result<(), Failure> {
        if self.transport == Transport::LongPolling && self.stage == Stage::Opening {
            self.stage = Stage::Open;
            return self.tell(line, on, Heard::Opened);
        }
        if self.unsent.is_empty() || self.stage == Stage::Closed {
            return Ok(());
        }
        self.write(Vec::new())
    }

    fn tell(&mut self, line: &Line, on: On<'_>, heard: Heard<'_>) -> Result<(), Failure> {
        match on(heard)? {
            Some(Answer::Send(messages)) => self.send(line, &messages),
            Some(Answer::Upgrade) => {
                self.stage = Stage::Leaving;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn read(
        &mut self,
        line: &Line,
        buffer: &mut [u8],
        on: On<'_>,
    ) -> Result<(), Failure> {
        while matches!(self.stage, Stage::Opening | Stage::Open) {
            let count = match self.stream.read(buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
                Err(error) => return Err(error.into()),
            };
            if count == 0 {
                self.stage = Stage::Closed;
                return on(Heard::Closed).map(drop);
            }
            let fresh = buffer.get(..count).unwrap_or_default();
            self.take(line, fresh, on)?;
            // A short read has emptied the socket: the next wake-up will come.
            if count < buffer.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes whole messages out of what was read, and keeps the rest.
    fn take(&mut self, line: &Line, fresh: &[u8], on: On<'_>) -> Result<(), Failure> {
        let mut begun = std::mem::take(&mut self.unread);
        let mut bytes = fresh;
        if !begun.is_empty() {
            begun.extend_from_slice(fresh);
            bytes = &begun;
        }
        while let Some(used) = self.take_one(line, bytes, on)? {
            bytes = bytes.get(used..).unwrap_or_default();
        }
        self.unread = bytes.to_vec();
        Ok(())
    }

    fn take_one(
        &mut self,
        line: &Line,
        bytes: &[u8],
        on: On<'_>,
    ) -> Result<Option<usize>, Failure> {
        match (self.transport, self.stage) {
            (Transport::LongPolling, _) => self.take_response(line, bytes, on),
            (Transport::WebSocket, Stage::Opening) => {
                let Some(head) = http::head(bytes) else {
                    return Ok(None);
                };
                websocket::check_accepted(head)?;
                self.stage = Stage::Open;
                self.tell(line, on, Heard::Opened)?;
                Ok(Some(head.len()))
            }
            (Transport::WebSocket, _) => self.take_frame(line, bytes, on),
        }
    }

    fn take_response(
        &mut self,
        line: &Line,
        bytes: &[u8],
        on: On<'_>,
    ) -> Result<Option<usize>, Failure> {
        let Some(response) = http::response(bytes)? else {
            return Ok(None);
        };
        if let Some(cookie) = response.cookie {
            self.cookie = Some(cookie.into());
        }
        self.tell(line, on, Heard::Messages(&response.body))?;
        Ok(Some(response.size))
    }

    fn take_frame(
        &mut self,
        line: &Line,
        bytes: &[u8],
        on: On<'_>,
    ) -> Result<Option<usize>, Failure> {
        let Some(frame) = Frame::first(bytes) else {
            return Ok(None);
        };
        match frame.kind {
            websocket::TEXT => self.tell(line, on, Heard::Messages(frame.payload))?,
            websocket::PING => {
                self.write(websocket::masked_frame(websocket::PONG, frame.payload))?;
            }
            websocket::PONG => {}
            websocket::CLOSE => {
                self.stage = Stage::Closed;
                on(Heard::Closed)?;
                return Ok(None);
            }
            kind => return Err(format!("a frame of kind {kind:#x}").into()),
        }
        Ok(Some(frame.size))
    }
}
