//! A server: built, started, running, stopped.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bayeux_core::Config;
use bayeux_server::{Handle, Node, Options, Service};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::listener::accept;
use crate::thread::{ShardThread, runtime};

/// How long a shutdown waits for peers beyond its window.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long it waits for the answers to close frames.
const FAREWELL: Duration = Duration::from_millis(500);

/// A server that is not running yet.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// A server with the defaults: one shard for each core, mounted at `/bayeux`, no listener.
    #[must_use]
    pub fn builder() -> Builder {
        let shards = std::thread::available_parallelism().map_or(1, usize::from);
        let mut options = Options::default();
        options.shards = u32::try_from(shards).unwrap_or(1);
        Builder::new(options)
    }
}

/// What a server is to be.
#[derive(Debug)]
pub struct Builder {
    options: Options,
    listen: Vec<SocketAddr>,
    window: Duration,
}

impl Builder {
    /// A server with these options.
    #[must_use]
    pub const fn new(options: Options) -> Self {
        Self { options, listen: Vec::new(), window: Duration::from_secs(2) }
    }

    /// Listens at this address too; port 0 takes one that is free.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push(address);
        self
    }

    /// How many threads, each with an engine of its own.
    #[must_use]
    pub const fn shards(mut self, shards: u32) -> Self {
        self.options.shards = shards;
        self
    }

    /// What the engines are told.
    #[must_use]
    pub fn engine(mut self, config: Config) -> Self {
        self.options.engine = config;
        self
    }

    /// Over which time held connects are answered at the end (`shutdownWindow`): 2 s.
    #[must_use]
    pub const fn shutdown_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Everything else that can be set.
    pub const fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Binds, and starts the threads of the shards. To be called on a tokio runtime, which accepts
    /// connections and no more.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound (the error names it), or a thread not be started.
    pub async fn start(self) -> io::Result<Running> {
        let mut listeners = Vec::new();
        for address in &self.listen {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
            listeners.push(TcpListener::bind(address).await.map_err(named)?);
        }
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;

        let node = Node::new(self.options).map_err(io::Error::other)?;
        let shards = (0..).zip(node.shards(|_| runtime())?);
        let threads: Vec<_> = shards
            .map(|(index, shard)| ShardThread::start(index, shard, node.door(index, runtime())))
            .collect::<io::Result<_>>()?;
        let mut acceptors = JoinSet::new();
        for listener in listeners {
            let sockets = threads.iter().map(|thread| thread.sockets.clone()).collect();
            acceptors.spawn(accept(listener, node.clone(), sockets));
        }
        let handle = node.handle();
        Ok(Running { node, handle, addresses, acceptors, threads, window: self.window })
    }
}

/// A server that is running. Dropped, it stops at once.
#[derive(Debug)]
pub struct Running {
    node: Node,
    handle: Handle,
    addresses: Vec<SocketAddr>,
    acceptors: JoinSet<()>,
    threads: Vec<ShardThread>,
    window: Duration,
}

impl Running {
    /// Where it listens, in the order asked for, with the real ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The application's way to it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// A service to mount at a path of the application's own, for its own tokio runtime: a
    /// [`hyper::service::Service`](https://docs.rs/hyper/1/hyper/service/trait.Service.html), and
    /// with the feature `tower` one of those, as axum wants it.
    #[must_use]
    pub fn service(&self) -> Service {
        self.node.service(runtime())
    }

    /// Resolves if the server breaks down by itself, which it should not.
    pub async fn broken(&mut self) {
        let mut all: Vec<_> = self.threads.iter_mut().map(|thread| &mut thread.ended).collect();
        std::future::poll_fn(|cx| {
            use std::pin::Pin;
            let ended = all.iter_mut().any(|ended| Pin::new(&mut **ended).poll(cx).is_ready());
            if ended { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    /// Stops: accepts no more, answers held connects over the shutdown window, lets go of all
    /// sessions, and waits until everything is written, for a bounded time.
    pub async fn shutdown(mut self) {
        self.acceptors.shutdown().await;
        if timeout(self.window + PATIENCE, self.node.drain(self.window)).await.is_err() {
            tracing::warn!("some peers did not read to the end");
        }
        let _ = timeout(FAREWELL, self.farewell()).await;
        for ShardThread { sockets, ended, thread } in std::mem::take(&mut self.threads) {
            drop(sockets);
            let _ = ended.await;
            let _ = thread.join();
        }
    }

    /// Waits for the answers to close frames.
    async fn farewell(&self) {
        while self.node.websockets() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
