//! The thread that takes in connections, hands each to the shard with the fewest, and at the end
//! has everybody say goodbye.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::time::Duration;

use futures_channel::mpsc::UnboundedSender;
use futures_channel::oneshot;
use futures_util::future::{Either, join_all, select};
use hyper::rt::Timer as _;
use socket2::{Domain, Protocol, Socket, Type};

use super::thread::Accepted;
use crate::node::Node;
use crate::runtime::Runtime;
use crate::stack::Stack;

/// How many connections the system keeps for us that are not accepted yet.
const BACKLOG: i32 = 1024;

/// How long nothing is accepted when the process has no more file descriptors or memory: first,
/// and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How long a shutdown waits for peers beyond its window.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long it waits for the answers to close frames.
const FAREWELL: Duration = Duration::from_millis(500);

/// How often it looks whether they are there.
const LOOK: Duration = Duration::from_millis(5);

/// A socket that listens at `address`; port 0 takes one that is free.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A server that is started again need not wait for the connections of the one before to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What the front thread works with.
pub(super) struct Front {
    pub(super) node: Node,
    pub(super) runtime: Runtime,
    /// The ways to the threads of the shards, in order.
    pub(super) shards: Vec<UnboundedSender<Accepted>>,
    /// How long held connects are answered over at the end.
    pub(super) window: Duration,
}

impl Front {
    /// Accepts until it is told to stop, gracefully; if nobody is there any more to tell it, it stops
    /// at once.
    pub(super) async fn run<S: Stack>(
        self,
        listeners: Vec<S::Listener>,
        stop: oneshot::Receiver<()>,
    ) {
        if self.accept_until::<S>(listeners, stop).await.is_ok() {
            self.say_goodbye().await;
        }
    }

    async fn accept_until<S: Stack>(
        &self,
        listeners: Vec<S::Listener>,
        stop: oneshot::Receiver<()>,
    ) -> Result<(), oneshot::Canceled> {
        let accepting = listeners
            .into_iter()
            .map(|listener| self.accept::<S>(listener));
        match select(pin!(join_all(accepting)), stop).await {
            // Without a listener.
            Either::Left((_, stop)) => stop.await,
            Either::Right((told, _)) => told,
        }
    }

    async fn accept<S: Stack>(&self, mut listener: S::Listener) {
        let mut pause = PAUSES.0;
        loop {
            match S::accept(&mut listener).await {
                Ok((socket, address)) => {
                    pause = PAUSES.0;
                    if let Err(error) = self.hand_over(socket, address) {
                        tracing::debug!(%address, %error, "a connection was not taken");
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.node.not_accepted();
                    tracing::warn!(%error, ?pause, "no connections are taken for a while");
                    self.runtime.sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    fn hand_over(&self, socket: TcpStream, address: SocketAddr) -> io::Result<()> {
        let Some((shard, admitted)) = self.node.admit(address.ip()) else {
            return Err(io::Error::other("a limit is reached"));
        };
        socket.set_nodelay(true)?;
        let shard = usize::try_from(shard)
            .ok()
            .and_then(|shard| self.shards.get(shard));
        let accepted = Accepted {
            socket,
            address,
            admitted,
        };
        shard
            .and_then(|shard| shard.unbounded_send(accepted).ok())
            .ok_or_else(|| io::Error::other("the shard is gone"))
    }

    /// Answers held connects over the window, lets go of all sessions, and waits until everything is
    /// written, for a bounded time.
    async fn say_goodbye(&self) {
        let drained = self.within(self.window + PATIENCE, self.node.drain(self.window));
        if drained.await.is_none() {
            tracing::warn!("some peers did not read to the end");
        }
        // A peer that does not answer a close frame is left.
        let _ = self.within(FAREWELL, self.closed()).await;
    }

    /// Resolves when no websocket is open.
    async fn closed(&self) {
        while self.node.websockets() > 0 {
            self.runtime.sleep(LOOK).await;
        }
    }

    async fn within(&self, limit: Duration, future: impl Future<Output = ()>) -> Option<()> {
        self.runtime.within(limit, pin!(future)).await
    }
}

/// Whether an error of `accept` says something of one connection only.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    [
        ConnectionAborted,
        ConnectionRefused,
        ConnectionReset,
        Interrupted,
    ]
    .contains(&error.kind())
}
