//! A socket with hyper's traits.
//!
//! smol-hyper has an adapter too. That fills what is free of hyper's buffer with zeros before each
//! read, which makes all of it resident, and it cannot shut a socket of async-io down. This one reads
//! by way of a buffer of the thread, and asks the system only when there may be something.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_io::Async;
use hyper::rt::{Read, ReadBufCursor, Write};

/// How much is read by one call at the most.
const SPACE: usize = 64 << 10;

/// How often a socket is read before the others of its thread have their turn, if it never runs dry.
const READS: u32 = 32;

thread_local! {
    /// Where bytes are on their way from the system to whoever reads.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SPACE].into());
}

/// A TCP connection.
#[derive(Debug)]
pub struct Socket {
    io: Async<TcpStream>,
    /// Whether the last read took all there was: another would be for nothing until the system says
    /// that there is more.
    is_drained: bool,
    /// How often it was read since it last ran dry or paused: smol makes no task pause, so a peer that
    /// sends without end would have the thread for itself.
    reads: u32,
}

impl Socket {
    pub(crate) const fn new(io: Async<TcpStream>) -> Self {
        Self {
            io,
            is_drained: false,
            reads: 0,
        }
    }

    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.reads == READS {
            self.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if self.is_drained {
                self.reads = 0;
                ready!(self.io.poll_readable(cx))?;
                self.is_drained = false;
            }
            match self.io.get_ref().read(space) {
                Ok(count) => {
                    self.reads += 1;
                    self.is_drained = (1..space.len()).contains(&count);
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_drained = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_write_by(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(self.io.get_ref()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready!(self.io.poll_writable(cx))?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        BUFFER.with_borrow_mut(|buffer| {
            let room = cursor.remaining().min(buffer.len());
            let space = buffer.get_mut(..room).unwrap_or_default();
            let count = ready!(self.poll_read_into(cx, space))?;
            cursor.put_slice(space.get(..count).unwrap_or_default());
            Poll::Ready(Ok(()))
        })
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_by(cx, |mut socket| socket.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_by(cx, |mut socket| socket.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.io.get_ref().shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;
    use std::thread;

    use async_io::block_on;
    use hyper::rt::ReadBuf;

    use super::*;

    async fn read(socket: &mut Socket, room: usize) -> Vec<u8> {
        let mut space = vec![0; room];
        let mut buffer = ReadBuf::new(&mut space);
        poll_fn(|cx| Pin::new(&mut *socket).poll_read(cx, buffer.unfilled()))
            .await
            .unwrap();
        buffer.filled().to_vec()
    }

    #[test]
    fn whatever_a_peer_sends_is_read_once_it_is_there_and_then_the_end() {
        const PIECES: [usize; 7] = [1, 100, 99, 101, 1_000, 3 * SPACE, 5];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut socket = Socket::new(Async::new(listener.accept().unwrap().0).unwrap());
        // Sends a piece once the one before is answered, so that the socket is empty in between.
        let sending = thread::spawn(move || {
            for length in PIECES {
                peer.write_all(&vec![b'a'; length]).unwrap();
                peer.read_exact(&mut [0]).unwrap();
            }
            peer.shutdown(Shutdown::Write).unwrap();
            peer.read(&mut [0]).unwrap()
        });

        block_on(async {
            for length in PIECES {
                let mut left = length;
                while left > 0 {
                    let piece = read(&mut socket, 100).await;
                    assert!(!piece.is_empty(), "{left} of {length}");
                    left -= piece.len();
                }
                let writing = poll_fn(|cx| Pin::new(&mut socket).poll_write(cx, b"b"));
                assert_eq!(writing.await.unwrap(), 1);
            }
            assert!(read(&mut socket, 100).await.is_empty());
            let closing = poll_fn(|cx| Pin::new(&mut socket).poll_shutdown(cx));
            closing.await.unwrap();
        });

        assert_eq!(sending.join().unwrap(), 0, "the other end was told");
    }

    #[test]
    fn a_peer_that_sends_without_end_lets_others_have_their_turn() {
        struct Woken(AtomicBool);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut socket = Socket::new(Async::new(listener.accept().unwrap().0).unwrap());
        peer.write_all(&[b'a'; 1_000]).unwrap();
        block_on(read(&mut socket, 1));

        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Arc::clone(&woken).into();
        let mut poll = || {
            let mut space = [0];
            let mut buffer = ReadBuf::new(&mut space);
            Pin::new(&mut socket)
                .poll_read(&mut Context::from_waker(&waker), buffer.unfilled())
                .is_ready()
        };
        let reads = (0..900).take_while(|_| poll()).count();

        assert!(reads < 900, "it pauses, though there is more");
        assert!(woken.0.load(Ordering::Relaxed), "and goes on by itself");
        assert!(poll());
    }

    #[test]
    fn a_write_that_does_not_fit_goes_on_when_there_is_room() {
        const LENGTH: usize = 32 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut socket = Socket::new(Async::new(listener.accept().unwrap().0).unwrap());
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all.len()
        });

        block_on(async {
            let all = vec![b'a'; LENGTH];
            let mut rest = &all[..];
            while !rest.is_empty() {
                let slices = [IoSlice::new(rest)];
                let writing = poll_fn(|cx| Pin::new(&mut socket).poll_write_vectored(cx, &slices));
                rest = &rest[writing.await.unwrap()..];
            }
        });

        drop(socket);
        assert_eq!(reading.join().unwrap(), LENGTH);
    }
}
