//! The threads of a server, and what runs on that of a shard.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_channel::oneshot;
use futures_util::StreamExt as _;

use crate::admission::Admitted;
use crate::door::Door;
use crate::node::Node;
use crate::runtime::Runtime;
use crate::stack::Stack;

/// A thread, as others hold it.
#[derive(Debug)]
pub(super) struct Thread {
    /// Resolves when the thread is at its end.
    pub(super) ended: oneshot::Receiver<()>,
    pub(super) handle: JoinHandle<()>,
}

impl Thread {
    /// Runs `main` on `stack` on a thread of its own.
    pub(super) fn start<S: Stack>(
        name: String,
        stack: S,
        main: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<Self> {
        let (ending, ended) = oneshot::channel();
        let handle = std::thread::Builder::new().name(name).spawn(move || {
            stack.run(main);
            drop(ending);
        })?;
        Ok(Self { ended, handle })
    }

    /// Ready once the thread is at its end, however often that is asked.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.ended).poll(cx).map(drop)
    }

    /// Waits for its end.
    pub(super) async fn join(self) {
        let _ = self.ended.await;
        let _ = self.handle.join();
    }
}

/// The thread that a store is driven on, if it has to be. Dropped, it ends.
#[derive(Debug)]
pub(super) struct StoreThread {
    node: Node,
    thread: Option<Thread>,
}

impl StoreThread {
    /// For a store that nobody has to drive.
    #[cfg(test)]
    pub(super) fn none(node: &Node) -> Self {
        Self {
            node: node.clone(),
            thread: None,
        }
    }

    /// Has it say what is left to say, and waits for its end.
    pub(super) async fn join(mut self) {
        self.node.close_store();
        if let Some(thread) = self.thread.take() {
            thread.join().await;
        }
    }
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        self.node.close_store();
    }
}

/// Starts the thread that drives the store, if there is one to be driven.
pub(super) fn start_store<S: Stack>(node: &Node) -> io::Result<StoreThread> {
    let thread = match node.store_to_drive() {
        Some((store, target)) => {
            let stack = S::new()?;
            let driving = S::drive_store(store, target, node.surroundings(stack.runtime()));
            Some(Thread::start("store".into(), stack, driving)?)
        }
        None => None,
    };
    Ok(StoreThread {
        node: node.clone(),
        thread,
    })
}

/// A socket on its way to the thread that serves it.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) socket: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) admitted: Admitted,
}

/// Starts the thread of a shard, which ends when the sender of its sockets is dropped. How many wait
/// is bounded by the limit on connections.
pub(super) fn start_shard<S: Stack>(
    node: &Node,
    index: u32,
) -> io::Result<(UnboundedSender<Accepted>, Thread)> {
    let stack = S::new()?;
    let runtime = stack.runtime();
    let shard = node.shard(index, runtime.clone())?;
    let door = node.door(index, runtime.clone());
    let (alive, broken) = oneshot::channel::<()>();
    stack.start_whole(async move {
        let _alive = alive;
        shard.await;
    });
    let (sockets, accepted) = unbounded();
    let serving = serve::<S>(door, runtime, accepted, broken);
    let thread = Thread::start(format!("shard-{index}"), stack, serving)?;
    Ok((sockets, thread))
}

/// Serves sockets until there will be no more, or nobody to serve them for.
async fn serve<S: Stack>(
    door: Door,
    runtime: Runtime,
    accepted: UnboundedReceiver<Accepted>,
    broken: oneshot::Receiver<()>,
) {
    let mut accepted = accepted.take_until(broken);
    while let Some(Accepted {
        socket,
        address,
        admitted,
    }) = accepted.next().await
    {
        match S::adopt(socket) {
            Ok(socket) => {
                runtime.spawn(door.clone().accept(socket, address, admitted));
            }
            Err(error) => tracing::warn!(%error, "a socket could not be taken over"),
        }
    }
    if accepted.take_result().is_some() {
        tracing::error!("a shard has broken down");
    }
}
