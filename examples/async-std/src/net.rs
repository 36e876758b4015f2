//! The connections by name: orders go out to their tasks, facts come in from there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bayeux_core::http::{BrowserCookie, CookieError, CookieOptions, Options};
use bayeux_core::{Batch, CloseReason, ConnectionId, DecodeLimits, Input, Peer, Transport};
use futures_channel::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// How long a peer may take to send what it has begun, and to take what it is sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a peer may say nothing: longer than a connect is ever held.
pub(crate) const SILENCE: Duration = Duration::from_secs(330);

/// All connections, and what their tasks need to know.
pub(crate) struct Net {
    facts: UnboundedSender<Input>,
    pub(crate) options: Options,
    pub(crate) cookie: BrowserCookie,
    pub(crate) limits: DecodeLimits,
    orders: Mutex<HashMap<ConnectionId, UnboundedSender<Order>>>,
    last: AtomicU64,
}

/// What the task of a connection is told to do.
pub(crate) enum Order {
    Receive,
    Send(Batch),
    Close(CloseReason),
}

/// For the loop: none of these waits.
impl Net {
    pub(crate) fn new(
        facts: UnboundedSender<Input>,
        options: Options,
    ) -> Result<Self, CookieError> {
        Ok(Self {
            facts,
            options,
            cookie: BrowserCookie::new(&CookieOptions::default())?,
            limits: DecodeLimits::default(),
            orders: Mutex::default(),
            last: AtomicU64::new(0),
        })
    }

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
            let _ = orders.unbounded_send(order);
        }
    }

    fn orders(&self) -> MutexGuard<'_, HashMap<ConnectionId, UnboundedSender<Order>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn say(&self, fact: Input) {
        let _ = self.facts.unbounded_send(fact);
    }
}

/// A connection as its task has it. Dropped, it tells the engine that the connection is gone.
pub(crate) struct Connection {
    net: Arc<Net>,
    pub(crate) name: ConnectionId,
    pub(crate) orders: UnboundedReceiver<Order>,
    is_over: bool,
}

impl Connection {
    pub(crate) fn open(net: &Arc<Net>, transport: Transport, peer: Peer) -> Self {
        let name = ConnectionId::new(net.last.fetch_add(1, Ordering::Relaxed));
        let (sender, orders) = mpsc::unbounded();
        net.orders().insert(name, sender);
        net.say(Input::Opened {
            connection: name,
            transport,
            peer,
        });
        Self {
            net: Arc::clone(net),
            name,
            orders,
            is_over: false,
        }
    }

    /// The last batch is written. An exchange is over with this.
    pub(crate) fn written(&self) {
        self.net.say(Input::Written {
            connection: self.name,
        });
    }

    pub(crate) fn written_and_over(mut self) {
        self.written();
        self.is_over = true;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.net.orders().remove(&self.name);
        if !self.is_over {
            self.net.say(Input::Closed {
                connection: self.name,
            });
        }
    }
}
