//! A shard on a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use bayeux_server::{Admitted, Door, Runtime, Shard};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// A socket on its way to the thread that serves it.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: std::net::TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) admitted: Admitted,
}

/// The thread of one shard, as others hold it. It ends when `sockets` is dropped.
#[derive(Debug)]
pub(crate) struct ShardThread {
    /// Bounded by the limit on connections.
    pub(crate) sockets: mpsc::UnboundedSender<Accepted>,
    /// Resolves when the thread is at its end.
    pub(crate) ended: oneshot::Receiver<()>,
    pub(crate) thread: JoinHandle<()>,
}

/// What tokio lends, to whoever is on one of its runtimes.
pub(crate) fn runtime() -> Runtime {
    Runtime::new(TokioTimer::new(), |task| {
        tokio::spawn(task);
    })
}

impl ShardThread {
    pub(crate) fn start(index: u32, shard: Shard, door: Door) -> io::Result<Self> {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (sockets, accepted) = mpsc::unbounded_channel();
        let (ending, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(format!("shard-{index}"))
            .spawn(move || {
                tokio.block_on(run(shard, door, accepted));
                drop(tokio);
                let _ = ending.send(());
            })?;
        Ok(Self {
            sockets,
            ended,
            thread,
        })
    }
}

/// Runs the shard until there will be no more sockets.
async fn run(shard: Shard, door: Door, mut accepted: mpsc::UnboundedReceiver<Accepted>) {
    // tokio makes a task pause after so many writes; a fan-out to a thousand sockets is one turn.
    let mut shard = tokio::spawn(tokio::task::unconstrained(shard));
    loop {
        tokio::select! {
            next = accepted.recv() => match next {
                Some(accepted) => serve(&door, accepted),
                None => return,
            },
            _ = &mut shard => {
                tracing::error!("a shard has broken down");
                return;
            }
        }
    }
}

fn serve(door: &Door, accepted: Accepted) {
    let Accepted {
        socket,
        address,
        admitted,
    } = accepted;
    match TcpStream::from_std(socket) {
        Ok(socket) => {
            let serving = door.clone().accept(TokioIo::new(socket), address, admitted);
            tokio::spawn(serving);
        }
        Err(error) => tracing::warn!(%error, "a socket could not be taken over"),
    }
}
