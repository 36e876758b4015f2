//! The bytes of a websocket: read through, written as whole frames from one queue.
//!
//! A server does not mask, so a frame is the same for all who get it: it is prepared once and
//! shared, and waits for a slow socket by reference. tungstenite's own frames (pongs, the close
//! frame) go through the same queue, so that nothing lands inside of a frame half sent.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBuf, Write};

use super::scan::Scan;
use crate::frames::Frame;

/// How many bytes of tungstenite's may wait before nothing more is to be read: a peer that sends
/// pings and reads nothing gets no more pongs.
const OWN: usize = 1024;

/// How many frames are written by one call.
const SLICES: usize = 16;

/// A socket below tungstenite.
pub(super) struct Stream<T> {
    io: T,
    /// Where what was read ends.
    scan: Scan,
    /// What is to be written; of the first some may have been already.
    queue: VecDeque<Frame>,
    /// How many bytes of the queue are tungstenite's, at most.
    own: usize,
}

impl<T> Stream<T> {
    /// Over a socket from which these bytes have been read already.
    pub(super) fn new(io: T, early: &[u8]) -> Self {
        let mut scan = Scan::new();
        scan.advance(early);
        Self {
            io,
            scan,
            queue: VecDeque::new(),
            own: 0,
        }
    }

    /// Whether what was read ends within a message.
    pub(super) const fn is_within_message(&self) -> bool {
        self.scan.is_within_message()
    }

    /// Whether something waits to be written.
    pub(super) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether so much of tungstenite's waits that it must not be made to write more: it would keep
    /// what is not taken from it, without end.
    pub(super) const fn is_crowded(&self) -> bool {
        self.own > OWN
    }

    /// Adds a frame; it leaves with the next [`poll_drain`](Self::poll_drain).
    pub(super) fn push(&mut self, frame: Frame) {
        if self.queue.is_empty() {
            // One is what most sockets ever need room for.
            self.queue.reserve_exact(1);
        }
        self.queue.push_back(frame);
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.queue.front_mut() {
            let head = count.min(first.head.len());
            first.head.advance(head);
            let payload = (count - head).min(first.payload.len());
            first.payload.advance(payload);
            if !first.head.is_empty() || !first.payload.is_empty() {
                return;
            }
            count -= head + payload;
            self.queue.pop_front();
        }
    }
}

impl<T: Write + Unpin> Stream<T> {
    /// Adds a frame, and has it leave before the queue is needed if there is nothing before it.
    pub(super) fn send(&mut self, frame: &Frame, cx: &mut Context<'_>) -> io::Result<()> {
        let mut count = 0;
        if self.queue.is_empty()
            && frame.payload.is_empty()
            && let Poll::Ready(written) = Pin::new(&mut self.io).poll_write(cx, &frame.head)
        {
            count = written?;
        }
        if count < frame.head.len() || !frame.payload.is_empty() {
            self.push(frame.clone());
            self.advance(count);
        }
        Ok(())
    }

    /// Writes everything, as far as the socket takes it.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.queue.front() {
            let io = Pin::new(&mut self.io);
            let count = if self.queue.len() == 1 && first.payload.is_empty() {
                ready!(io.poll_write(cx, &first.head))?
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let mut used = 0;
                let parts = self
                    .queue
                    .iter()
                    .flat_map(|frame| [&frame.head, &frame.payload]);
                let parts = parts.filter(|part| !part.is_empty());
                for (slice, part) in slices.iter_mut().zip(parts) {
                    *slice = IoSlice::new(part);
                    used += 1;
                }
                ready!(io.poll_write_vectored(cx, slices.get(..used).unwrap_or_default()))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(count);
        }
        self.own = 0;
        if self.queue.capacity() > SLICES {
            self.queue = VecDeque::new();
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }
}

impl<T: Read + Unpin> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer.unfilled()))?;
        self.scan.advance(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

/// For tungstenite: what it writes is queued at once, and always, so that a close frame cannot be
/// lost. It is a bounded amount, since nothing is read while the stream is crowded.
impl<T: Write + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.own += bytes.len();
        self.push(Frame {
            head: Bytes::copy_from_slice(bytes),
            payload: Bytes::new(),
        });
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_drain(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes, then no more until it is given more.
    struct Narrow {
        room: usize,
        written: Vec<u8>,
    }

    impl Write for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Poll::Pending;
            }
            self.room -= count;
            self.written.extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn frame(head: &'static [u8], payload: &'static [u8]) -> Frame {
        Frame {
            head: Bytes::from_static(head),
            payload: Bytes::from_static(payload),
        }
    }

    fn drain(stream: &mut Stream<Narrow>, room: usize) -> bool {
        stream.io.room = room;
        stream
            .poll_drain(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn frames_leave_in_order_and_whole_however_narrow_the_socket_is() {
        let mut stream = Stream::new(
            Narrow {
                room: 0,
                written: Vec::new(),
            },
            b"",
        );
        stream.push(frame(b"fi", b"rst "));
        assert!(!drain(&mut stream, 2));
        stream.push(frame(b"second ", b""));
        let pong =
            Pin::new(&mut stream).poll_write(&mut Context::from_waker(Waker::noop()), b"pong");

        assert!(matches!(pong, Poll::Ready(Ok(4))));
        assert!(!drain(&mut stream, 7));
        assert!(drain(&mut stream, 100));
        assert_eq!(stream.io.written, b"first second pong");
    }

    #[test]
    fn a_peer_that_reads_nothing_is_not_read_from_after_some_pongs() {
        let mut stream = Stream::new(
            Narrow {
                room: 0,
                written: Vec::new(),
            },
            b"",
        );
        let mut cx = Context::from_waker(Waker::noop());
        let mut pongs = 0;
        while !stream.is_crowded() {
            let taken = Pin::new(&mut stream).poll_write(&mut cx, &[0; 127]);
            assert!(matches!(taken, Poll::Ready(Ok(127))));
            pongs += 1;
        }
        assert!(pongs < 20);

        assert!(!drain(&mut stream, 100));
        assert!(stream.is_crowded());
        assert!(drain(&mut stream, 10_000));
        assert!(!stream.is_crowded() && !stream.is_waiting());
    }
}
