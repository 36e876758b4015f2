//! Many connections on one thread: one `epoll`, one read buffer, one read a wake-up.
//!
//! Invariant: an idle connection has no buffer of its own.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::session::Transport;
use crate::target::Target;
use crate::websocket::{self, Frame};
use crate::{Failure, http};

/// What a connection has to say.
pub(crate) enum Heard<'a> {
    /// It can be used.
    Opened,
    /// Messages came, as JSON.
    Messages(&'a [u8]),
    /// The server closed it.
    Closed,
}

/// Connections to one server, known by their number.
pub(crate) struct Swarm {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    line: Line,
    slots: Vec<Slot>,
}

/// What all connections have in common.
struct Line {
    transport: Transport,
    target: Target,
    host: String,
}

struct Slot {
    stream: TcpStream,
    is_open: bool,
    /// The beginning of a message.
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

impl Swarm {
    pub(crate) fn new(target: Target, transport: Transport) -> io::Result<Self> {
        let host = target.address.to_string();
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 << 10],
            line: Line {
                transport,
                target,
                host,
            },
            slots: Vec::new(),
        })
    }

    /// Begins one more connection.
    pub(crate) fn open(&mut self) -> io::Result<()> {
        let mut slot = Slot::connect(self.line.target.address)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(self.slots.len());
        self.poll
            .registry()
            .register(&mut slot.stream, token, interest)?;
        if self.line.transport == Transport::WebSocket {
            let request = websocket::upgrade(&self.line.host, &self.line.target.path);
            slot.unsent = request.into_bytes();
        }
        self.slots.push(slot);
        Ok(())
    }

    pub(crate) fn send(&mut self, index: usize, messages: &str) -> Result<(), Failure> {
        let slot = self.slots.get_mut(index).ok_or("no such connection")?;
        slot.send(&self.line, messages)
    }

    /// Waits for something to happen, and tells `on` of it, which may answer.
    pub(crate) fn turn(
        &mut self,
        patience: Duration,
        mut on: impl FnMut(usize, Heard<'_>) -> Result<Option<String>, Failure>,
    ) -> Result<(), Failure> {
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        for event in &self.events {
            let index = event.token().0;
            let Some(slot) = self.slots.get_mut(index) else {
                continue;
            };
            let mut heard = |heard: Heard<'_>| on(index, heard);
            if event.is_writable() {
                slot.flush(&self.line, &mut heard)?;
            }
            if event.is_readable() {
                slot.read(&self.line, &mut self.buffer, &mut heard)?;
            }
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}

/// Told of what is heard, and says what to answer.
type On<'a> = &'a mut dyn FnMut(Heard<'_>) -> Result<Option<String>, Failure>;

impl Slot {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            is_open: false,
            unread: Vec::new(),
            unsent: Vec::new(),
        })
    }

    fn send(&mut self, line: &Line, messages: &str) -> Result<(), Failure> {
        let bytes = match line.transport {
            Transport::WebSocket => websocket::masked_frame(websocket::TEXT, messages.as_bytes()),
            Transport::LongPolling => {
                http::post(&line.host, &line.target.path, messages).into_bytes()
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

    fn flush(&mut self, line: &Line, on: On<'_>) -> Result<(), Failure> {
        if line.transport == Transport::LongPolling && !self.is_open {
            self.is_open = true;
            return self.tell(line, on, Heard::Opened);
        }
        if self.unsent.is_empty() {
            return Ok(());
        }
        self.write(Vec::new())
    }

    fn tell(&mut self, line: &Line, on: On<'_>, heard: Heard<'_>) -> Result<(), Failure> {
        on(heard)?.map_or(Ok(()), |answer| self.send(line, &answer))
    }

    fn read(&mut self, line: &Line, buffer: &mut [u8], on: On<'_>) -> Result<(), Failure> {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return on(Heard::Closed).map(drop),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let fresh = buffer.get(..count).unwrap_or_default();
            self.take(line, fresh, on)?;
            // A short read has emptied the socket: the next wake-up will come.
            if count < buffer.len() {
                return Ok(());
            }
        }
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
        if line.transport == Transport::LongPolling {
            let Some((body, size)) = http::response(bytes)? else {
                return Ok(None);
            };
            self.tell(line, on, Heard::Messages(body))?;
            return Ok(Some(size));
        }
        if !self.is_open {
            let Some(head) = http::head(bytes) else {
                return Ok(None);
            };
            websocket::check_accepted(head)?;
            self.is_open = true;
            self.tell(line, on, Heard::Opened)?;
            return Ok(Some(head.len()));
        }
        let Some(frame) = Frame::first(bytes) else {
            return Ok(None);
        };
        match frame.kind {
            websocket::TEXT => self.tell(line, on, Heard::Messages(frame.payload))?,
            websocket::PING => {
                self.write(websocket::masked_frame(websocket::PONG, frame.payload))?;
            }
            websocket::PONG => {}
            kind => return Err(format!("a frame of kind {kind:#x}").into()),
        }
        Ok(Some(frame.size))
    }
}
