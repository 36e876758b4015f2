//! Takes in connections, and hands each to the shard with the fewest.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bayeux_server::{Entrance, Node};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::thread::Accepted;

/// How long nothing is accepted when the process has no more file descriptors or memory: first,
/// and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Accepts until it is dropped.
pub(crate) async fn accept(
    listener: TcpListener,
    entrance: Entrance,
    node: Node,
    shards: Vec<mpsc::UnboundedSender<Accepted>>,
) {
    let mut pause = PAUSES.0;
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                pause = PAUSES.0;
                if let Err(error) = hand_over(socket, address, entrance, &node, &shards) {
                    tracing::debug!(%address, %error, "a connection was not taken");
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, ?pause, "no connections are taken for a while");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

fn hand_over(
    socket: TcpStream,
    address: SocketAddr,
    entrance: Entrance,
    node: &Node,
    shards: &[mpsc::UnboundedSender<Accepted>],
) -> io::Result<()> {
    let Some((shard, admitted)) = node.admit(entrance, address.ip()) else {
        return Err(io::Error::other("a limit is reached"));
    };
    socket.set_nodelay(true)?;
    let socket = socket.into_std()?;
    let shard = usize::try_from(shard)
        .ok()
        .and_then(|shard| shards.get(shard));
    let accepted = Accepted {
        socket,
        address,
        admitted,
    };
    shard
        .and_then(|shard| shard.send(accepted).ok())
        .ok_or_else(|| io::Error::other("the shard is gone"))
}

/// Whether an error of `accept` says something of one connection only.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    [
        ConnectionAborted,
        ConnectionRefused,
        ConnectionReset,
        Interrupted,
    ]
    .contains(&error.kind())
}
