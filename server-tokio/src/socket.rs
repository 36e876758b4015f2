//! A socket with hyper's traits.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use tokio::net::TcpStream;

/// A peer that has gone is an error, not a signal. Apple's systems have no such flag.
#[cfg(not(target_vendor = "apple"))]
const FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const FLAGS: SendFlags = SendFlags::empty();

/// A TCP connection.
///
/// A write of one buffer, as an event to many is, is tried at once, since it nearly always gets through.
/// tokio would look first at what it last heard of the socket: memory that nothing else in a fan-out
/// needs.
#[derive(Debug)]
pub struct Socket(TokioIo<TcpStream>);

impl Socket {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self(TokioIo::new(socket))
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, cursor)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match send(self.0.inner(), bytes, FLAGS) {
            // tokio tries once more, and has the task woken when there is room.
            Err(Errno::WOULDBLOCK | Errno::INTR) => Pin::new(&mut self.0).poll_write(cx, bytes),
            sent => Poll::Ready(sent.map_err(io::Error::from)),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read as _;
    use std::net::{self, TcpListener};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn on_tokio<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap()
            .block_on(test)
    }

    /// To be called on tokio.
    fn pair() -> (Socket, net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        (Socket::new(TcpStream::from_std(socket).unwrap()), peer)
    }

    #[test]
    fn a_write_that_does_not_fit_goes_on_when_there_is_room() {
        const LENGTH: usize = 32 << 20;
        let received = on_tokio(async {
            let (mut socket, mut peer) = pair();
            let (full, is_full) = mpsc::channel();
            let reading = thread::spawn(move || {
                is_full.recv().unwrap();
                let mut all = Vec::new();
                peer.read_to_end(&mut all).unwrap();
                all.len()
            });
            let all = vec![b'a'; LENGTH];
            let mut rest = &all[..];
            while !rest.is_empty() {
                let writing = poll_fn(|cx| {
                    let written = Pin::new(&mut socket).poll_write(cx, rest);
                    if written.is_pending() {
                        let _ = full.send(());
                    }
                    written
                });
                rest = &rest[writing.await.unwrap()..];
            }
            drop((socket, full));
            reading.join().unwrap()
        });

        assert_eq!(received, LENGTH);
    }

    #[test]
    fn a_write_to_a_peer_that_has_gone_fails() {
        let failed = on_tokio(async {
            let (mut socket, peer) = pair();
            drop(peer);
            loop {
                if let Err(error) = poll_fn(|cx| Pin::new(&mut socket).poll_write(cx, b"a")).await {
                    break error;
                }
            }
        });

        let kinds = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        assert!(kinds.contains(&failed.kind()), "{failed}");
    }
}
