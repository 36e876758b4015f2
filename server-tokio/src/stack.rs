//! A thread's runtime: tokio's side of the seam.

use std::future::Future;
use std::io;
use std::net::{self, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use bayeux_backend_redis::{SharedStore, Surroundings, Target, Timer};
use bayeux_server::{Runtime, Stack};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{unconstrained, yield_now};

/// tokio on one thread.
#[derive(Debug)]
pub struct Tokio(tokio::runtime::Runtime);

impl Stack for Tokio {
    type Listener = TcpListener;
    type Socket = TokioIo<TcpStream>;

    fn new() -> io::Result<Self> {
        Builder::new_current_thread().enable_all().build().map(Self)
    }

    /// For whoever is on a runtime of tokio's, this one or the application's.
    fn runtime(&self) -> Runtime {
        Runtime::new(TokioTimer::new(), |task| drop(tokio::spawn(task)))
            .with_turn_of_sockets(wake_later)
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

    fn adopt(socket: net::TcpStream) -> io::Result<TokioIo<TcpStream>> {
        TcpStream::from_std(socket).map(TokioIo::new)
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

/// tokio wakes whoever yields once it has looked at its sockets.
fn wake_later(task: &Waker) {
    let _pending = pin!(yield_now()).poll(&mut Context::from_waker(task));
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::sync::Mutex;
    use std::task::Poll;

    use super::*;

    #[test]
    fn a_task_that_lets_the_sockets_go_first_is_woken_after_those_that_wait_for_them() {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = listener.accept().unwrap().0;
        socket.set_nonblocking(true).unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (reads, pauses) = (Arc::clone(&said), Arc::clone(&said));

        Tokio::new().unwrap().run(async move {
            let socket = TcpStream::from_std(socket).unwrap();
            let reading = tokio::spawn(async move {
                socket.readable().await.unwrap();
                reads.lock().unwrap().push("read");
            });
            let pausing = tokio::spawn(async move {
                yield_now().await;
                peer.write_all(b"x").unwrap();
                let mut has_paused = false;
                poll_fn(|cx| {
                    if std::mem::replace(&mut has_paused, true) {
                        return Poll::Ready(());
                    }
                    wake_later(cx.waker());
                    Poll::Pending
                })
                .await;
                pauses.lock().unwrap().push("paused");
            });
            reading.await.unwrap();
            pausing.await.unwrap();
        });

        assert_eq!(*said.lock().unwrap(), ["read", "paused"]);
    }
}
