//! A server: built, started, running, stopped.

mod front;
mod thread;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;

use bayeux_core::http::CookieError;
use bayeux_core::{Config, Report};
use futures_channel::oneshot;

use self::front::Front;
pub(crate) use self::front::bind;
use self::thread::{StoreThread, Thread, start_shard, start_store};
use crate::application::Handle;
use crate::command_line::Stop;
use crate::config::Settings;
use crate::door::Service;
use crate::entrance::Entrance;
use crate::node::{Extras, Node};
use crate::reload::ReloadError;
use crate::runtime::Runtime;
use crate::stack::Stack;
use crate::tls::{TlsError, TlsFiles};

/// A server that is not running yet.
#[derive(Debug)]
pub struct Server<S> {
    stack: PhantomData<fn() -> S>,
}

impl<S: Stack> Server<S> {
    /// A server with the defaults: one shard for each core, mounted at `/bayeux`, `/faye` and
    /// `/cometd`, and no listener.
    #[must_use]
    pub fn builder() -> Builder<S> {
        let mut settings = Settings::default();
        settings.listen.clear();
        Builder::new(settings)
    }
}

/// What a server is to be.
#[derive(Debug)]
pub struct Builder<S> {
    settings: Settings,
    extras: Extras,
    stack: PhantomData<fn() -> S>,
}

impl<S: Stack> Builder<S> {
    /// A server with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            extras: Extras::default(),
            stack: PhantomData,
        }
    }

    /// Listens at this address too; port 0 takes one that is free.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.settings.listen.push(address);
        self
    }

    /// Speaks TLS at all its addresses, with the certificate and the key in these files.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.settings.tls = Some(files);
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

    /// Binds, and starts the threads: one for each shard, and one that accepts connections. It may be
    /// awaited on any runtime, or on none.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound, or a thread not be started.
    pub async fn start(self) -> Result<Running, StartError> {
        let mut listeners = Vec::new();
        let (mut addresses, mut admin_addresses) = (Vec::new(), Vec::new());
        for (entrance, address) in self.settings.entrances() {
            let failed = |error| StartError::Listen(address, error);
            let listener = bind(address).map_err(failed)?;
            let bound = match entrance {
                Entrance::Clients => &mut addresses,
                Entrance::Admin => &mut admin_addresses,
            };
            bound.push(listener.local_addr()?);
            listeners.push((entrance, listener));
        }

        let window = self.settings.shutdown_window;
        let node = Node::new(self.settings, self.extras)?;
        let (sockets, mut threads): (Vec<_>, Vec<_>) = (0..node.shards())
            .map(|index| start_shard::<S>(&node, index))
            .collect::<io::Result<_>>()?;
        let store = start_store::<S>(&node)?;
        node.prepare().await?;

        let stack = S::new()?;
        let listeners = listeners
            .into_iter()
            .map(|(entrance, listener)| Ok((entrance, stack.listen(listener)?)))
            .collect::<io::Result<_>>()?;
        let runtime = stack.runtime();
        let front = Front {
            node: node.clone(),
            runtime: runtime.clone(),
            shards: sockets,
            window,
        };
        let (stop, stopped) = oneshot::channel();
        let front = front.run::<S>(listeners, stopped);
        threads.push(Thread::start("front".into(), stack, front)?);
        Ok(Running {
            handle: node.handle(),
            node,
            runtime,
            addresses,
            admin_addresses,
            stop,
            threads,
            store,
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
    /// The certificate or its key is not right.
    Tls(TlsError),
    /// The system has no thread or no randomness for it.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen at {address}: {error}"),
            Self::Cookie(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
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

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
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
    /// The front thread's.
    runtime: Runtime,
    addresses: Vec<SocketAddr>,
    admin_addresses: Vec<SocketAddr>,
    /// Has the front thread stop. When that ends, nobody is left to hand sockets to the others, and
    /// they end too.
    stop: oneshot::Sender<()>,
    threads: Vec<Thread>,
    /// Ends when it is closed: after the others, who have things to say to it.
    store: StoreThread,
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

    /// Takes from `settings` what can change while a server runs:
    ///
    /// - the certificate and its key, read again from their files, wherever these are now. New
    ///   connections are shown the new certificate; those that are open go on;
    /// - rules, keys and secrets of access control. Sessions stay who they are: what a token says of
    ///   them is looked at again at their next handshake, and a claim that no rule asked for before is
    ///   none of theirs;
    /// - keys of the HTTP API. Without any it is closed; its listeners stay as they are.
    ///
    /// Everything else stays as it is until the next start. Keys of a configuration that were
    /// changed all the same are named in a warning.
    ///
    /// Reads files, and waits for them.
    ///
    /// # Errors
    ///
    /// If the certificate or its key is not right, or access control cannot change so far without a
    /// restart: those before are kept.
    pub fn reload(&self, settings: &Settings) -> Result<(), ReloadError> {
        self.node.reload(settings)
    }

    /// What a process does when it is told to reload: [`reload`](Self::reload) with the settings
    /// that were just [read again](crate::command_line::parse_again). If they are wrong those before
    /// are kept, and the certificate is read again from where it was. Everything is told in the log.
    pub fn reload_or_warn(&self, again: Result<Settings, Stop>) {
        self.node.reload_or_warn(again);
    }

    /// A service to mount at a path of the application's own: a
    /// [`hyper::service::Service`](https://docs.rs/hyper/1/hyper/service/trait.Service.html), and
    /// with the feature `tower` one of those, as axum wants it.
    #[must_use]
    pub fn service(&self) -> Service {
        self.node.service(self.runtime.clone())
    }

    /// Resolves if the server breaks down by itself, which it should not. It is to be shut down
    /// then as at any other time.
    pub async fn broken(&mut self) {
        poll_fn(|cx| {
            let is_broken = self
                .threads
                .iter_mut()
                .any(|thread| thread.poll_ended(cx).is_ready());
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
    pub async fn shutdown(self) {
        let _ = self.stop.send(());
        for thread in self.threads {
            thread.join().await;
        }
        self.store.join().await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Context;

    use futures_executor::block_on;

    use super::*;

    /// A runtime whose time stands still.
    struct Still;

    impl hyper::rt::Timer for Still {
        fn sleep(&self, _: std::time::Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
            Box::pin(Self)
        }

        fn sleep_until(&self, _: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
            Box::pin(Self)
        }
    }

    impl Future for Still {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }

    impl hyper::rt::Sleep for Still {}

    #[test]
    fn a_server_that_broke_down_is_shut_down_as_any_other() {
        let node = Node::new(Settings::default(), Extras::default()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = |work: Box<dyn FnOnce() + Send>| {
            let (ending, ended) = oneshot::channel();
            let handle = std::thread::spawn(move || {
                work();
                drop(ending);
            });
            Thread { ended, handle }
        };
        let mut running = Running {
            handle: node.handle(),
            store: StoreThread::none(&node),
            node,
            runtime: Runtime::new(Still, drop),
            addresses: Vec::new(),
            admin_addresses: Vec::new(),
            stop,
            threads: vec![
                thread(Box::new(|| ())),
                thread(Box::new(|| {
                    let _ = block_on(stopped);
                })),
            ],
        };

        block_on(running.broken());
        block_on(running.broken());

        block_on(running.shutdown());
    }
}
