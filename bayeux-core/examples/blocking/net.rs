//! The connections by name: orders go out to their threads, facts come in from there.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bayeux_core::http::{BrowserCookie, Options};
use bayeux_core::{Batch, CloseReason, ConnectionId, DecodeLimits, Input, Peer, Transport};

/// How long a peer may take to send what it has begun, and to take what it is sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a peer may say nothing: longer than a connect is ever held.
pub(crate) const SILENCE: Duration = Duration::from_secs(330);

/// All connections, and what their threads need to know.
pub(crate) struct Net {
    pub(crate) facts: Sender<Input>,
    pub(crate) options: Options,
    pub(crate) cookie: BrowserCookie,
    pub(crate) limits: DecodeLimits,
    pub(crate) orders: Mutex<HashMap<ConnectionId, Sender<Order>>>,
    pub(crate) last: AtomicU64,
}

/// What the thread of a connection is told to do.
pub(crate) enum Order {
    Receive,
    Send(Batch),
    Close(CloseReason),
}

/// For the loop: none of these blocks.
impl Net {
    pub(crate) fn receive(&self, connection: ConnectionId) {
        self.order(connection, Order::Receive);
    }

    pub(crate) fn send(&self, connection: ConnectionId, batch: Batch) {
        self.order(connection, Order::Send(batch));
    }

    pub(crate) fn close(&self, connection: ConnectionId, reason: CloseReason) {
        self.order(connection, Order::Close(reason));
    }

    /// If the connection is not there, the fact that says so is on its way.
    fn order(&self, connection: ConnectionId, order: Order) {
        if let Some(orders) = self.orders().get(&connection) {
            let _ = orders.send(order);
        }
    }
}

/// For the threads.
impl Net {
    /// A connection has begun: its name, and where its orders come from.
    pub(crate) fn open(&self, transport: Transport, peer: Peer) -> (ConnectionId, Receiver<Order>) {
        let connection = ConnectionId::new(self.last.fetch_add(1, Ordering::Relaxed));
        let (sender, orders) = mpsc::channel();
        self.orders().insert(connection, sender);
        self.say(Input::Opened {
            connection,
            transport,
            peer,
        });
        (connection, orders)
    }

    pub(crate) fn say(&self, fact: Input) {
        let _ = self.facts.send(fact);
    }

    /// There are no more orders for a connection. A fact that says why is to follow.
    pub(crate) fn forget(&self, connection: ConnectionId) {
        self.orders().remove(&connection);
    }

    fn orders(&self) -> MutexGuard<'_, HashMap<ConnectionId, Sender<Order>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that is read until some time, however slowly the peer drips.
pub(crate) struct Timed<'a> {
    pub(crate) stream: &'a TcpStream,
    until: Instant,
}

impl<'a> Timed<'a> {
    pub(crate) fn new(stream: &'a TcpStream, patience: Duration) -> Self {
        let until = Instant::now() + patience;
        Self { stream, until }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}
