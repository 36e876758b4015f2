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
}

impl Socket {
    pub(crate) const fn new(io: Async<TcpStream>) -> Self {
        Self {
            io,
            is_drained: false,
        }
    }

    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.is_drained {
                ready!(self.io.poll_readable(cx))?;
                self.is_drained = false;
            }
            match self.io.get_ref().read(space) {
                Ok(count) => {
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
