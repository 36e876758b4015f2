//! A thread's runtime: smol's side of the seam.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use async_executor::Executor;
use async_io::{Async, block_on};
use bayeux_backend_redis::{SharedStore, Surroundings, Target, Timer};
use bayeux_server::{Runtime, Stack};
use futures_lite::future::yield_now;
use smol_hyper::rt::SmolTimer;

use crate::socket::Socket;

/// smol on one thread. Its reactor is one for the whole process, the application's too.
#[derive(Debug)]
pub struct Smol(Arc<Executor<'static>>);

impl Stack for Smol {
    type Listener = Async<TcpListener>;
    type Socket = Socket;

    fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Executor::new())))
    }

    /// For this thread, from wherever it is asked; a task that comes after the end is dropped.
    fn runtime(&self) -> Runtime {
        // Weak, since the tasks on an executor would keep it otherwise.
        let executor = Arc::downgrade(&self.0);
        Runtime::new(SmolTimer::new(), move |task| {
            if let Some(executor) = executor.upgrade() {
                executor.spawn(task).detach();
            }
        })
    }

    /// smol makes no task pause.
    fn start_whole(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task).detach();
    }

    fn listen(&self, listener: TcpListener) -> io::Result<Async<TcpListener>> {
        Async::new_nonblocking(listener)
    }

    fn run(self, main: impl Future<Output = ()>) {
        block_on(self.0.run(main));
    }

    async fn accept(listener: &mut Async<TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
        // However many come, other listeners have their turn, and so has whoever wants the server to stop.
        yield_now().await;
        let (socket, address) = listener.read_with(TcpListener::accept).await?;
        socket.set_nonblocking(true)?;
        Ok((socket, address))
    }

    fn adopt(socket: TcpStream) -> io::Result<Socket> {
        Async::new_nonblocking(socket).map(Socket::new)
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn whoever_is_on_the_thread_has_a_turn_before_each_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut listener = Async::new(listener).unwrap();
        let mut accepting = pin!(Smol::accept(&mut listener));

        let first = accepting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));

        assert!(first.is_pending(), "though one waits");
        block_on(accepting).unwrap();
    }
}
