//! The other half of the seam: what a server crate puts under a server, and all that two of them
//! differ in.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use bayeux_backend_redis::{SharedStore, Surroundings, Target, Timer};
use hyper::rt::{Read, Write};

use crate::runtime::Runtime;

/// A runtime for one thread.
pub trait Stack: Sized + Send + 'static {
    /// What takes in connections.
    type Listener: Send + 'static;
    /// A connection.
    type Socket: Read + Write + Unpin + Send + 'static;

    /// One that nothing runs on yet.
    ///
    /// # Errors
    ///
    /// If the system has no room for it.
    fn new() -> io::Result<Self>;

    /// What it lends to the tasks on it.
    fn runtime(&self) -> Runtime;

    /// Starts a task that must never be made to pause, however much it writes.
    fn start_whole(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Listens by a socket that does so already, and does not block.
    ///
    /// # Errors
    ///
    /// If the system cannot watch it.
    fn listen(&self, listener: TcpListener) -> io::Result<Self::Listener>;

    /// Runs `main` to its end on this thread, and the tasks that it leads to. What is left of them
    /// then is dropped before this returns.
    fn run(self, main: impl Future<Output = ()>);

    /// The next connection, and where it comes from. It may be served on another thread.
    fn accept(
        listener: &mut Self::Listener,
    ) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;

    /// Takes over a connection that does not block; called by a task that is run by one of these.
    ///
    /// # Errors
    ///
    /// If the system cannot watch it.
    fn adopt(socket: TcpStream) -> io::Result<Self::Socket>;

    /// Serves a store in Redis until that is closed; run by one of these.
    fn drive_store(
        store: Arc<SharedStore>,
        target: Target,
        surroundings: Surroundings,
    ) -> impl Future<Output = ()> + Send + 'static;

    /// Whether the Redis that is there would do: its version, or why not. Awaited on one of these.
    fn probe_store(
        target: &Target,
        timer: &Timer,
    ) -> impl Future<Output = Result<String, String>> + Send;
}
