//! A socket as hyper sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::admission::Admitted;
use crate::line::Line;

/// A socket that tells its [`Line`] what becomes of writes.
pub(crate) struct Socket<T> {
    io: T,
    /// What was read to find out which protocol it is.
    early: Vec<u8>,
    line: Arc<Line>,
    /// Its place among the connections, given back with the socket.
    _admitted: Option<Admitted>,
}

impl<T> Socket<T> {
    pub(crate) fn new(io: T, line: Arc<Line>, admitted: Option<Admitted>) -> Self {
        Self {
            io,
            early: Vec::new(),
            line,
            _admitted: admitted,
        }
    }

    pub(crate) const fn line(&self) -> &Arc<Line> {
        &self.line
    }
}

impl<T: Read + Unpin> Socket<T> {
    /// Reads until it is certain whether `preface` comes; what was read is kept to be read again.
    pub(crate) fn poll_preface(
        &mut self,
        cx: &mut Context<'_>,
        preface: &[u8],
    ) -> Poll<io::Result<bool>> {
        loop {
            let is_beginning = preface.starts_with(&self.early);
            if !is_beginning || self.early.len() >= preface.len() {
                return Poll::Ready(Ok(self.early.starts_with(preface)));
            }
            let mut space = [0; 24];
            let missing = preface
                .len()
                .saturating_sub(self.early.len())
                .min(space.len());
            let mut buffer = ReadBuf::new(space.get_mut(..missing).unwrap_or_default());
            ready!(Pin::new(&mut self.io).poll_read(cx, buffer.unfilled()))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.early.extend_from_slice(buffer.filled());
        }
    }
}

impl<T> Drop for Socket<T> {
    fn drop(&mut self) {
        self.line.hung_up();
    }
}

impl<T: Read + Unpin> Read for Socket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.check_alive()?;
        if !self.early.is_empty() {
            let length = self.early.len().min(buffer.remaining());
            let rest = self.early.split_off(length);
            buffer.put_slice(&std::mem::replace(&mut self.early, rest));
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if read.is_pending() {
            self.line.waits(cx.waker());
        }
        read
    }
}

impl<T: Write + Unpin> Socket<T> {
    fn watch<N>(&self, cx: &Context<'_>, written: Poll<N>) -> Poll<N> {
        match &written {
            Poll::Ready(_) => self.line.moved(),
            Poll::Pending => self.line.stall(cx.waker()),
        }
        written
    }
}

impl<T: Write + Unpin> Write for Socket<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line.check_alive()?;
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.check_alive()?;
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write: then everything it had is written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.line.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
