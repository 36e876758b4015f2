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
    /// What was read already: to find out which protocol it is, or whether the peer is still there.
    early: Vec<u8>,
    line: Arc<Line>,
    /// Whether the last write was blocked.
    is_stalled: bool,
    /// Whether it has become a websocket. Then it has no answers to tell the line of, and looks at that
    /// while a write is blocked only: the line is memory that a fan-out does not need otherwise.
    is_websocket: bool,
    /// Its place among the connections, given back with the socket.
    _admitted: Option<Admitted>,
}

impl<T> Socket<T> {
    pub(crate) fn new(io: T, line: Arc<Line>, admitted: Option<Admitted>) -> Self {
        Self {
            io,
            early: Vec::new(),
            line,
            is_stalled: false,
            is_websocket: false,
            _admitted: admitted,
        }
    }

    pub(crate) const fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// It carries no requests any more.
    pub(crate) const fn becomes_websocket(&mut self) {
        self.is_websocket = true;
    }

    /// Fails once the line was killed.
    fn check_alive(&self) -> io::Result<()> {
        if self.is_websocket && !self.is_stalled {
            return Ok(());
        }
        self.line.check_alive()
    }

    /// Whether something was read that nobody has taken.
    pub(crate) const fn has_early(&self) -> bool {
        !self.early.is_empty()
    }

    /// Has these bytes read before all others.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.early.splice(..0, bytes.iter().copied());
        }
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
            let missing = preface.len().saturating_sub(self.early.len());
            if ready!(self.poll_ahead(cx, missing))? == 0 {
                return Poll::Ready(Ok(false));
            }
        }
    }

    /// Reads a little, for whoever reads next: up to `most` bytes. 0 is the end.
    pub(crate) fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut space = [0; 24];
        let length = most.min(space.len());
        let mut buffer = ReadBuf::new(space.get_mut(..length).unwrap_or_default());
        self.line.check_alive()?;
        let read = Pin::new(&mut self.io).poll_read(cx, buffer.unfilled());
        if read.is_pending() {
            self.line.waits(cx.waker());
        }
        ready!(read)?;
        self.early.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
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
        let length = self.early.len().min(buffer.remaining());
        if length > 0 {
            let rest = self.early.split_off(length);
            buffer.put_slice(&std::mem::replace(&mut self.early, rest));
        }
        // With what came early goes what comes now: a head that hyper finds unfinished has it double
        // its buffer, for good.
        match Pin::new(&mut self.io).poll_read(cx, buffer) {
            Poll::Pending if length > 0 => Poll::Ready(Ok(())),
            Poll::Pending => {
                self.line.waits(cx.waker());
                Poll::Pending
            }
            read @ Poll::Ready(_) => {
                self.line.read();
                read
            }
        }
    }
}

impl<T: Write + Unpin> Socket<T> {
    fn watch<N>(&mut self, cx: &Context<'_>, written: Poll<N>) -> Poll<N> {
        if written.is_pending() {
            self.is_stalled = true;
            self.line.stall(cx.waker());
        } else if std::mem::take(&mut self.is_stalled) {
            self.line.moved();
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
        self.check_alive()?;
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_alive()?;
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write: then everything it had is written. Below TLS
    /// that may be the rest of a record for which the socket had no room.
    ///
    /// A client may have read its answer, and the newer connect that it then sent may have had the answer
    /// broken off, before this is called: it is written all the same, and the line lives on.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_websocket {
            self.check_alive()?;
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        let flushed = self.watch(cx, flushed);
        if !self.is_websocket {
            if matches!(flushed, Poll::Ready(Ok(()))) {
                self.line.flushed();
            }
            self.line.check_alive()?;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_alive()?;
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bayeux_core::{CloseReason, Input};

    use super::*;
    use crate::carrier::Exchange;
    use crate::config::Settings;
    use crate::inbox::Fact;
    use crate::node::{Extras, Node};
    use crate::router::Place;

    /// Has these bytes, and no more.
    struct Given(&'static [u8]);

    impl Read for Given {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            mut buffer: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Pending;
            }
            let (now, later) = self.0.split_at(self.0.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.0 = later;
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_was_read_to_tell_the_protocol_comes_again_together_with_the_rest() {
        const HEAD: &[u8] = b"POST /bayeux HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let node = Node::new(Settings::default(), Extras::default()).unwrap();
        let line = Line::of_requests(node.gateway(Place::Shard(0)));
        let mut socket = Socket::new(Given(HEAD), line, None);
        let mut cx = Context::from_waker(Waker::noop());
        let mut space = [0; 100];

        let preface = socket.poll_preface(&mut cx, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert!(matches!(preface, Poll::Ready(Ok(false))));
        let mut buffer = ReadBuf::new(&mut space);
        let read = Pin::new(&mut socket).poll_read(&mut cx, buffer.unfilled());
        assert!(matches!(read, Poll::Ready(Ok(()))));
        assert_eq!(buffer.filled(), HEAD);
        let read = Pin::new(&mut socket).poll_read(&mut cx, buffer.unfilled());
        assert!(read.is_pending());
    }

    /// Takes everything, and does something in doing so: a client has read it, and a newer connect has
    /// come, before the flush.
    struct Overtaken<F>(F);

    impl<F: Fn() + Unpin> Write for Overtaken<F> {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            (self.0)();
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// An answer that is being written; and a function that says how often the engine is told `Written`,
    /// and how often `Closed`.
    fn writing() -> (Arc<Line>, Arc<Exchange>, impl FnOnce() -> [usize; 2]) {
        let node = Node::new(Settings::default(), Extras::default()).unwrap();
        let gateway = node.gateway(Place::Shard(0));
        let line = Line::of_requests(gateway.clone());
        let connection = gateway.router.name(0);
        let engagement = gateway.engage(0, connection, Fact::Input(Input::Elapsed));
        let exchange = Exchange::new(Some(Arc::clone(&line)));
        exchange.close(CloseReason::Superseded);
        let cx = Context::from_waker(Waker::noop());
        assert!(exchange.poll_outcome(&cx).is_ready());
        line.response_taken(Arc::clone(&exchange), engagement);
        let told = move || {
            let mut facts = Vec::new();
            gateway.router.inbox(0).unwrap().take(&mut facts);
            [
                |fact: &Fact| matches!(fact, Fact::Input(Input::Written { .. })),
                |fact: &Fact| matches!(fact, Fact::Input(Input::Closed { .. })),
            ]
            .map(|is_it| facts.iter().filter(|fact| is_it(fact)).count())
        };
        (line, exchange, told)
    }

    /// Takes everything, or nothing.
    struct Door {
        is_open: bool,
    }

    impl Door {
        fn poll<N>(&self, taken: N) -> Poll<io::Result<N>> {
            if self.is_open {
                Poll::Ready(Ok(taken))
            } else {
                Poll::Pending
            }
        }
    }

    impl Write for Door {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll(bytes.len())
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.poll(())
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.poll(())
        }
    }

    /// Blocked: of requests, and of a websocket.
    fn blocked(is_websocket: bool) -> (Socket<Door>, Arc<Line>) {
        let node = Node::new(Settings::default(), Extras::default()).unwrap();
        let line = Line::of_requests(node.gateway(Place::Shard(0)));
        let mut socket = Socket::new(Door { is_open: false }, Arc::clone(&line), None);
        if is_websocket {
            socket.becomes_websocket();
        }
        let mut cx = Context::from_waker(Waker::noop());
        assert!(
            Pin::new(&mut socket)
                .poll_write(&mut cx, b"[]")
                .is_pending()
        );
        assert!(!line.is_quiet());
        (socket, line)
    }

    #[test]
    fn a_blocked_write_ends_with_its_line_though_there_is_room_by_then() {
        let mut cx = Context::from_waker(Waker::noop());
        for is_websocket in [false, true] {
            let (mut writing, line) = blocked(is_websocket);
            line.kill();
            writing.io.is_open = true;
            let written = Pin::new(&mut writing).poll_write(&mut cx, b"[]");

            let (mut flushing, line) = blocked(is_websocket);
            line.kill();
            flushing.io.is_open = true;
            let flushed = Pin::new(&mut flushing).poll_flush(&mut cx);

            assert!(matches!(written, Poll::Ready(Err(_))), "{is_websocket}");
            assert!(matches!(flushed, Poll::Ready(Err(_))), "{is_websocket}");
        }
    }

    #[test]
    fn a_write_that_gets_through_after_all_is_no_longer_waited_for() {
        let mut cx = Context::from_waker(Waker::noop());
        for is_websocket in [false, true] {
            let (mut socket, line) = blocked(is_websocket);
            socket.io.is_open = true;

            let written = Pin::new(&mut socket).poll_write(&mut cx, b"[]");

            assert!(matches!(written, Poll::Ready(Ok(2))), "{is_websocket}");
            assert!(line.is_quiet(), "{is_websocket}");
        }
    }

    // Proves: MO-5
    #[test]
    fn an_answer_that_has_left_is_written_though_its_line_was_killed_before_the_flush() {
        let (line, _, told) = writing();
        let killed = Arc::clone(&line);
        let mut socket = Socket::new(Overtaken(move || killed.kill()), line, None);
        let mut cx = Context::from_waker(Waker::noop());

        let written = Pin::new(&mut socket).poll_write(&mut cx, b"[]");
        let flushed = Pin::new(&mut socket).poll_flush(&mut cx);
        drop(socket);

        assert!(matches!(written, Poll::Ready(Ok(2))));
        assert!(matches!(flushed, Poll::Ready(Err(_))), "the line is dead");
        assert_eq!(told(), [1, 0]);
    }

    // Proves: MO-5
    #[test]
    fn a_line_goes_on_when_an_answer_that_is_broken_off_had_left() {
        let (line, exchange, told) = writing();
        let broken = Arc::clone(&exchange);
        let break_off = move || broken.close(CloseReason::Superseded);
        let mut socket = Socket::new(Overtaken(break_off), Arc::clone(&line), None);
        let mut cx = Context::from_waker(Waker::noop());

        let written = Pin::new(&mut socket).poll_write(&mut cx, b"[]");
        assert!(line.check_alive().is_err(), "it may not have left");
        let flushed = Pin::new(&mut socket).poll_flush(&mut cx);
        exchange.close(CloseReason::Superseded);

        assert!(matches!(written, Poll::Ready(Ok(2))));
        assert!(matches!(flushed, Poll::Ready(Ok(()))));
        line.check_alive().unwrap();
        assert_eq!(told(), [1, 0]);
    }

    // Proves: MO-5
    #[test]
    fn an_answer_that_is_broken_off_before_it_has_left_is_not_written() {
        let (line, exchange, told) = writing();
        let mut socket = Socket::new(Overtaken(|| ()), line, None);
        let mut cx = Context::from_waker(Waker::noop());

        exchange.close(CloseReason::Superseded);
        let written = Pin::new(&mut socket).poll_write(&mut cx, b"[]");
        drop(socket);

        assert!(matches!(written, Poll::Ready(Err(_))));
        assert_eq!(told(), [0, 1]);
    }
}
