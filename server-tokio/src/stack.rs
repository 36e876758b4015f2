//! A thread's runtime: tokio's side of the seam.

use std::future::Future;
use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;

use bayeux_backend_redis::{SharedStore, Surroundings, Target, Timer};
use bayeux_server::{Runtime, Stack};
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::unconstrained;

use crate::socket::Socket;

/// tokio on one thread.
#[derive(Debug)]
pub struct Tokio(tokio::runtime::Runtime);

impl Stack for Tokio {
    type Listener = TcpListener;
    type Socket = Socket;

    fn new() -> io::Result<Self> {
        Builder::new_current_thread().enable_all().build().map(Self)
    }

    /// For whoever is on a runtime of tokio's, this one or the application's.
    fn runtime(&self) -> Runtime {
        Runtime::new(TokioTimer::new(), |task| drop(tokio::spawn(task)))
    }

    /// tokio makes a task pause after so many writes; a fan-out to a thousand sockets is one turn.
    fn start_whole(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(unconstrained(task));
    }

    fn listen(&self, listener: net::TcpListener) -> io::Result<TcpListener> {
        let _on_it = self.0.enter();
        TcpListener::from_std(listener)
    }

    fn run(self, main: impl Future<Output = ()>) {
        self.0.block_on(main);
    }

    async fn accept(listener: &mut TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
        let (socket, address) = listener.accept().await?;
        Ok((socket.into_std()?, address))
    }

    fn adopt(socket: net::TcpStream) -> io::Result<Socket> {
        TcpStream::from_std(socket).map(Socket::new)
    }

    fn drive_store(
        store: Arc<SharedStore>,
        target: Target,
        surroundings: Surroundings,
    ) -> impl Future<Output = ()> + Send + 'static {
        bayeux_backend_redis::drive(store, target, surroundings)
    }

    async fn probe_store(target: &Target, timer: &Timer) -> Result<String, String> {
        bayeux_backend_redis::probe(target, timer).await
    }
}
