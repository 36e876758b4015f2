//! Many connections on one thread: one `epoll`, one read buffer, one read a wake-up.

use std::io::{self, ErrorKind};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use crate::Failure;
use crate::session::Transport;
use crate::target::Target;

mod slot;

use slot::{Line, Slot};

/// What a connection has to say.
pub(crate) enum Heard<'a> {
    /// It can be used.
    Opened,
    /// Messages came, as JSON.
    Messages(&'a [u8]),
    /// The server closed it.
    Closed,
}

/// What to do about it.
pub(crate) enum Answer {
    Send(String),
    /// Leave this connection, and open a websocket in its place.
    Upgrade,
}

/// Connections to one server, known by their number.
pub(crate) struct Swarm {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    line: Line,
    slots: Vec<Slot>,
    /// How many there ever were.
    opened: usize,
    /// Those to be opened anew as websockets.
    leaving: Vec<usize>,
}

impl Swarm {
    pub(crate) fn new(target: Target) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 << 10],
            line: Line::new(target),
            slots: Vec::new(),
            opened: 0,
            leaving: Vec::new(),
        })
    }

    /// Begins one more connection, and says its number.
    pub(crate) fn open(&mut self, transport: Transport) -> io::Result<usize> {
        let index = self.slots.len();
        let slot = self.connect(index, transport, None)?;
        self.slots.push(slot);
        Ok(index)
    }

    /// Begins a connection in place of another, with its cookie.
    pub(crate) fn reopen(&mut self, index: usize, transport: Transport) -> Result<(), Failure> {
        let place = self.slots.get_mut(index).ok_or("no such connection")?;
        let cookie = place.cookie.take();
        let slot = self.connect(index, transport, cookie)?;
        *self.slots.get_mut(index).ok_or("no such connection")? = slot;
        Ok(())
    }

    fn connect(
        &mut self,
        index: usize,
        transport: Transport,
        cookie: Option<Box<str>>,
    ) -> io::Result<Slot> {
        let mut slot = Slot::connect(&self.line, transport, cookie, self.opened)?;
        self.opened += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry.register(&mut slot.stream, Token(index), interest)?;
        Ok(slot)
    }

    pub(crate) fn send(&mut self, index: usize, messages: &str) -> Result<(), Failure> {
        let slot = self.slots.get_mut(index).ok_or("no such connection")?;
        slot.send(&self.line, messages)
    }

    /// Hears nothing more of a connection.
    pub(crate) fn close(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.close();
        }
    }

    /// Gives one connection the cookie of another.
    pub(crate) fn share_cookie(&mut self, from: usize, to: usize) {
        let cookie = self.slots.get(from).and_then(|slot| slot.cookie.clone());
        if let Some(slot) = self.slots.get_mut(to) {
            slot.cookie = cookie;
        }
    }

    /// Waits for something to happen, and tells `on` of it, which may answer.
    pub(crate) fn turn(
        &mut self,
        patience: Duration,
        mut on: impl FnMut(usize, Heard<'_>) -> Result<Option<Answer>, Failure>,
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
            if slot.is_leaving() {
                self.leaving.push(index);
            }
        }
        while let Some(index) = self.leaving.pop() {
            self.reopen(index, Transport::WebSocket)?;
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}
