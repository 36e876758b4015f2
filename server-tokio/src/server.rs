//! A server: built, started, running, stopped.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bayeux_core::http::CookieError;
use bayeux_core::{Config, Report};
use bayeux_server::config::Settings;
use bayeux_server::{Entrance, Extras, Handle, Node, Service};
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
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
    /// A server with the defaults: one shard for each core, mounted at `/bayeux`, `/faye` and
    /// `/cometd`, and no listener.
    #[must_use]
    pub fn builder() -> Builder {
        let mut settings = Settings::default();
        settings.listen.clear();
        Builder::new(settings)
    }
}

/// What a server is to be.
#[derive(Debug)]
pub struct Builder {
    settings: Settings,
    extras: Extras,
}

impl Builder {
    /// A server with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            extras: Extras::default(),
        }
    }

    /// Listens at this address too; port 0 takes one that is free.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.settings.listen.push(address);
        self
    }

    /// How many threads, each with an engine of its own.
    #[must_use]
    pub const fn shards(mut self, shards: NonZeroU32) -> Self {
        self.settings.shards = shards;
        self
    }

    /// What the engines are told.
    #[must_use]
    pub fn engine(mut self, config: Config) -> Self {
        self.settings.engine = config;
        self
    }

    /// Everything that can be set.
    pub const fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The request headers that deciders see.
    #[must_use]
    pub fn headers(mut self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let lower = names
            .into_iter()
            .map(|name| name.as_ref().to_ascii_lowercase().into());
        self.extras.headers.extend(lower);
        self
    }

    /// Has `listener` hear all reports, on the threads of the shards: it must not block.
    #[must_use]
    pub fn reports(mut self, listener: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        self.extras.listener = Some(Arc::new(listener));
        self
    }

    /// Binds, and starts the threads of the shards. To be called on a tokio runtime, which accepts
    /// connections and no more.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound, or a thread not be started.
    pub async fn start(self) -> Result<Running, StartError> {
        let mut listeners = Vec::new();
        let (mut addresses, mut admin_addresses) = (Vec::new(), Vec::new());
        for (entrance, address) in self.settings.entrances() {
            let failed = |error| StartError::Listen(address, error);
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let bound = match entrance {
                Entrance::Clients => &mut addresses,
                Entrance::Admin => &mut admin_addresses,
            };
            bound.push(listener.local_addr()?);
            listeners.push((entrance, listener));
        }

        let window = self.settings.shutdown_window;
        let node = Node::new(self.settings, self.extras)?;
        let shards = (0..).zip(node.shards(|_| runtime())?);
        let threads: Vec<_> = shards
            .map(|(index, shard)| ShardThread::start(index, shard, node.door(index, runtime())))
            .collect::<io::Result<_>>()?;
        node.prepare().await?;
        let mut acceptors = JoinSet::new();
        for (entrance, listener) in listeners {
            let sockets = threads
                .iter()
                .map(|thread| thread.sockets.clone())
                .collect();
            acceptors.spawn(accept(listener, entrance, node.clone(), sockets));
        }
        let handle = node.handle();
        Ok(Running {
            node,
            handle,
            addresses,
            admin_addresses,
            acceptors,
            threads,
            window,
        })
    }
}

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot listen at this address.
    Listen(SocketAddr, io::Error),
    /// The browser cookie would not be well-formed.
    Cookie(CookieError),
    /// The system has no thread or no randomness for it.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen at {address}: {error}"),
            Self::Cookie(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<CookieError> for StartError {
    fn from(error: CookieError) -> Self {
        Self::Cookie(error)
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A server that is running. Dropped, it stops at once.
#[derive(Debug)]
pub struct Running {
    node: Node,
    handle: Handle,
    addresses: Vec<SocketAddr>,
    admin_addresses: Vec<SocketAddr>,
    acceptors: JoinSet<()>,
    threads: Vec<ShardThread>,
    window: Duration,
}

impl Running {
    /// Where it listens to clients, in the order asked for, with the real ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens to backends, in the same way.
    #[must_use]
    pub fn admin_addresses(&self) -> &[SocketAddr] {
        &self.admin_addresses
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

    /// Resolves if the server breaks down by itself, which it should not. It is to be shut down
    /// then as at any other time.
    pub async fn broken(&mut self) {
        poll_fn(|cx| {
            let is_broken = self
                .threads
                .iter_mut()
                .any(|thread| poll_ended(thread, cx).is_ready());
            if is_broken {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Stops: accepts no more, answers held connects over the shutdown window, lets go of all
    /// sessions, and waits until everything is written, for a bounded time.
    pub async fn shutdown(mut self) {
        self.acceptors.shutdown().await;
        if timeout(self.window + PATIENCE, self.node.drain(self.window))
            .await
            .is_err()
        {
            tracing::warn!("some peers did not read to the end");
        }
        let _ = timeout(FAREWELL, self.farewell()).await;
        for mut thread in std::mem::take(&mut self.threads) {
            // It ends by the loss of its last sender.
            thread.sockets = unbounded_channel().0;
            poll_fn(|cx| poll_ended(&mut thread, cx)).await;
            let _ = thread.thread.join();
        }
    }

    /// Waits for the answers to close frames.
    async fn farewell(&self) {
        while self.node.websockets() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Ready once the thread is at its end, however often that is asked.
fn poll_ended(thread: &mut ShardThread, cx: &mut Context<'_>) -> Poll<()> {
    // tokio's would panic at the second time.
    if !thread.ended.is_terminated() {
        let _ = ready!(Pin::new(&mut thread.ended).poll(cx));
    }
    Poll::Ready(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_broke_down_is_shut_down_as_any_other() {
        let builder = Server::builder().shards(NonZeroU32::new(2).unwrap());
        let mut running = builder.start().await.unwrap();
        // A thread without anybody who could hand it sockets ends.
        running.threads.first_mut().unwrap().sockets = unbounded_channel().0;

        running.broken().await;
        running.broken().await;

        running.shutdown().await;
    }
}
