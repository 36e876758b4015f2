//! Those who listen, each on a thread of its own.

use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use super::{CHANNEL, Delivery, LAST, Session};
use crate::live::{Client, Cluster, Software, Transport};

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Whose it is.
    pub maker: Maker,
    /// What it speaks over.
    pub transport: Transport,
    /// Whether it acknowledges.
    pub delivery: Delivery,
}

/// Whose a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// The test's own.
    Own,
    /// An unmodified one.
    Unmodified(Software),
}

enum Seat {
    Own(Session),
    Unmodified(Box<Client>),
}

/// A client that listens until it hears the last message.
pub(super) struct Listener {
    session: String,
    kind: Kind,
    thread: JoinHandle<Vec<u64>>,
}

/// What one client has received, in order, the last message apart.
pub(super) struct Heard {
    pub(super) kind: Kind,
    pub(super) numbers: Vec<u64>,
}

impl Kind {
    /// One in two is an unmodified client, one in two is over a websocket; one in twenty is on Node.js, which takes a
    /// process for each, the other unmodified ones on Java.
    pub(super) fn in_turn(at: usize, delivery: Delivery) -> Self {
        let software = match (at % 20 < 2, delivery) {
            (true, Delivery::Acknowledged) => Software::CometDWithAck,
            (true, Delivery::Plain) => Software::CometD,
            (false, Delivery::Acknowledged) => Software::CometDOnJavaWithAck,
            (false, Delivery::Plain) => Software::CometDOnJava,
        };
        Self {
            maker: match at % 2 {
                0 => Maker::Own,
                _ => Maker::Unmodified(software),
            },
            transport: match at / 2 % 2 {
                0 => Transport::LongPolling,
                _ => Transport::WebSocket,
            },
            delivery,
        }
    }

    /// A client of that kind comes to the cluster, subscribes, and listens; it lets go of `end` when it has heard the last
    /// message.
    pub(super) fn join(self, cluster: &Cluster, end: Sender<Infallible>) -> Listener {
        let (session, seat) = match self.maker {
            Maker::Own => {
                let mut session = Session::open_as(cluster.balancer.address(), self.delivery);
                session.connect(0);
                session.subscribe(CHANNEL);
                (session.id.clone(), Seat::Own(session))
            }
            Maker::Unmodified(software) => {
                let url = cluster.balancer.url();
                let mut client = Client::start(software, self.transport, &url);
                let session = client.handshake();
                client.connects_over(self.transport);
                client.subscribe(CHANNEL);
                (session, Seat::Unmodified(Box::new(client)))
            }
        };
        let thread = thread::spawn(move || {
            let _end = end;
            match seat {
                Seat::Own(session) => poll_or_ride(session, self.transport),
                Seat::Unmodified(client) => hear(*client),
            }
        });
        Listener {
            session,
            kind: self,
            thread,
        }
    }
}

impl Listener {
    /// Its session, and what it is.
    pub(super) fn entry(&self) -> (String, Kind) {
        (self.session.clone(), self.kind)
    }

    /// Waits until it is through.
    pub(super) fn end(self) -> Heard {
        let mut numbers = self
            .thread
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic));
        // Whoever was asked too late for the first of them may have heard it twice.
        numbers.retain(|number| *number != LAST);
        Heard {
            kind: self.kind,
            numbers,
        }
    }
}

fn poll_or_ride(mut session: Session, transport: Transport) -> Vec<u64> {
    while session.received.last() != Some(&LAST) {
        if transport == Transport::WebSocket {
            session.ride(LAST);
        } else if !session.connect(5_000) {
            thread::yield_now();
        }
    }
    session.received
}

fn hear(mut client: Client) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&LAST) {
        numbers.extend(client.event().data.as_u64());
        client.forget_polls();
    }
    assert_eq!(client.handshakes_unasked(), 0, "the session is lost");
    numbers
}
