//! A thread's runtime: smol's side of the seam.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use async_executor::Executor;
use async_io::{Async, block_on};
use bayeux_backend_redis::{SharedStore, Surroundings, Target, Timer};
use bayeux_server::{Runtime, Stack};
use futures_lite::future::yield_now;
use smol_hyper::rt::SmolTimer;

use crate::socket::Socket;

thread_local! {
    /// Tasks of this thread that are to be woken once the sockets were looked at.
    static LATER: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

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
        .with_turn_of_sockets(wake_later)
    }

    /// smol makes no task pause.
    fn start_whole(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task).detach();
    }

    fn listen(&self, listener: TcpListener) -> io::Result<Async<TcpListener>> {
        Async::new_nonblocking(listener)
    }

    fn run(self, main: impl Future<Output = ()>) {
        let mut running = pin!(self.0.run(main));
        let mut later = Vec::new();
        block_on(poll_fn(|cx| {
            loop {
                if running.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                if later.is_empty() {
                    later = LATER.take();
                    if !later.is_empty() {
                        // Woken meanwhile, `block_on` looks at the sockets and does not wait.
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
                later.drain(..).for_each(Waker::wake);
            }
        }));
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

/// See [`Smol::run`](Stack::run): nothing in smol looks at the sockets while there are tasks to run. If
/// another thread of the process is just waiting for them, that wakes whom they concern.
fn wake_later(task: &Waker) {
    LATER.with_borrow_mut(|later| later.push(task.clone()));
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Context;

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

    #[test]
    fn a_task_that_lets_the_sockets_go_first_has_its_turn_again_and_so_have_they() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = Async::new(listener.accept().unwrap().0).unwrap();
        let smol = Smol::new().unwrap();
        let is_read = Arc::new(AtomicBool::new(false));
        let reads = Arc::clone(&is_read);
        smol.0
            .spawn(async move {
                socket.readable().await.unwrap();
                reads.store(true, Ordering::Relaxed);
            })
            .detach();

        let pausing = smol.0.spawn(async move {
            peer.write_all(b"x").unwrap();
            // Nothing else wakes it, nor the thread.
            poll_fn(|cx| {
                if is_read.load(Ordering::Relaxed) {
                    return Poll::Ready(());
                }
                wake_later(cx.waker());
                Poll::Pending
            })
            .await;
        });
        smol.run(pausing);
    }
}
