//! The two sides of a websocket: the shard that writes to it, and the task that reads from it.
//!
//! Both may be on different threads. Invariant: at most one order to send is under way, and a frame
//! is read only if the engine asked for it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use bayeux_core::{Batch, CloseReason, ConnectionId, Instant, Messages};
use bytes::Bytes;
use futures_util::io::AsyncRead;
use futures_util::{Sink, Stream as _};
use hyper::rt::{Read, Write};

use super::stream::Stream;
use crate::carrier::{Duplex, Sent};
use crate::config::Deadlines;
use crate::deadlines::Watched;
use crate::frames::Frames;
use crate::guarded::Guarded;
use crate::inbox::Fact;
use crate::line::Line;
use crate::router::Gateway;
use crate::site::FAREWELL;
use crate::socket::Socket;

/// So long that nobody waits for it.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The close code for a message that is larger than may be.
const TOO_LARGE: u16 = 1009;

/// A websocket as both sides hold it.
pub(super) struct Shared<T> {
    itself: Weak<Self>,
    gateway: Gateway,
    line: Arc<Line>,
    inner: Guarded<Inner<T>>,
}

struct Inner<T> {
    stream: WebSocketStream<Stream<Socket<T>>>,
    task: Waker,
    /// What it is called by the engine that knows of it.
    connection: Option<ConnectionId>,
    /// Whether a frame was asked for.
    is_wanted: bool,
    /// Which shard is next, and what that is to be told.
    handed_on: Option<Box<(u32, Messages)>>,
    /// Whether something was written that the socket has not taken.
    is_blocked: bool,
    /// Whether the engine waits to hear that its last order to send is finished.
    is_owed: bool,
    /// Whether what comes is no longer understood.
    is_deaf: bool,
    phase: Phase,
    /// When something was last read or written.
    active: Instant,
    /// Since when a message has begun and not ended.
    begun: Option<Instant>,
    /// When the next look at the clocks is due.
    look: Instant,
}

/// Where a websocket stands.
#[derive(Clone, Copy)]
enum Phase {
    Open,
    /// A close frame is to be sent, or was; over at that time at the latest.
    Closing {
        code: u16,
        is_sent: bool,
        until: Instant,
    },
    Dead,
}

/// What a websocket has for its task.
pub(super) enum Event {
    /// A message.
    Text(Bytes),
    /// The order to send is finished.
    Written,
    /// The shard with this number is to be told of it, with these messages.
    HandedOn(u32, Messages),
    /// Nothing more will come of it; it says goodbye.
    Closing,
    /// It is broken, or closed.
    Over,
}

impl<T: Read + Write + Unpin + Send + 'static> Shared<T> {
    pub(super) fn new(
        stream: WebSocketStream<Stream<Socket<T>>>,
        line: Arc<Line>,
        gateway: Gateway,
    ) -> Arc<Self> {
        let now = gateway.router.clock.now();
        let look = now + idle(&gateway.router.site.deadlines);
        let inner = Inner {
            stream,
            task: Waker::noop().clone(),
            connection: None,
            is_wanted: true,
            handed_on: None,
            is_blocked: false,
            is_owed: false,
            is_deaf: false,
            phase: Phase::Open,
            active: now,
            begun: None,
            look,
        };
        let shared = Arc::new_cyclic(|itself| Self {
            itself: itself.clone(),
            gateway,
            line,
            inner: Guarded::new(inner),
        });
        shared.watch(look);
        shared
            .gateway
            .router
            .websockets
            .fetch_add(1, Ordering::Relaxed);
        shared
    }

    /// Says by which name an engine knows of it from now on.
    pub(super) fn engage(&self, connection: ConnectionId) {
        let mut inner = self.inner.lock();
        inner.connection = Some(connection);
        inner.is_owed = false;
    }

    /// Lets the next frame be read, no engine being asked.
    pub(super) fn read_on(&self) {
        self.inner.lock().is_wanted = true;
    }

    /// Begins the end, for a mistake of the peer.
    pub(super) fn fail(&self, code: u16) {
        let now = self.gateway.router.clock.now();
        self.begin_closing(&mut self.inner.lock(), now, code);
    }

    /// What is next for the task.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Event> {
        let now = self.gateway.router.clock.now();
        let mut inner = self.inner.lock();
        if !inner.task.will_wake(cx.waker()) {
            inner.task.clone_from(cx.waker());
        }
        match inner.phase {
            Phase::Open => self.poll_open(&mut inner, now, cx),
            Phase::Closing { .. } => inner.poll_closing(cx),
            Phase::Dead => Poll::Ready(Event::Over),
        }
    }

    fn poll_open(&self, inner: &mut Inner<T>, now: Instant, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            // A pong that waits too, whether or not a frame is asked for: it would seem stalled.
            if inner.is_blocked || inner.stream.get_ref().is_waiting() {
                match inner.poll_drain(now, cx) {
                    Poll::Ready(Ok(())) if std::mem::take(&mut inner.is_owed) => {
                        return Poll::Ready(Event::Written);
                    }
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(Event::Over),
                }
            }
            if let Some(handed_on) = inner.handed_on.take() {
                let (shard, messages) = *handed_on;
                return Poll::Ready(Event::HandedOn(shard, messages));
            }
            if !inner.is_wanted || inner.stream.get_ref().is_crowded() {
                return Poll::Pending;
            }
            let Poll::Ready(message) = Pin::new(&mut inner.stream).poll_next(cx) else {
                self.note_beginning(inner, now);
                if inner.is_blocked && !inner.stream.get_ref().is_waiting() {
                    // It all left together with a pong.
                    continue;
                }
                return Poll::Pending;
            };
            inner.active = now;
            let code = match message {
                Some(Ok(Message::Text(text))) => {
                    inner.begun = None;
                    inner.is_wanted = false;
                    return Poll::Ready(Event::Text(text.into()));
                }
                Some(Ok(Message::Binary(_))) => 1003,
                Some(Ok(_)) => continue,
                None => return self.answer_goodbye(inner, now),
                Some(Err(error)) => match code_of(&error) {
                    Some(code) => {
                        inner.is_deaf = true;
                        code
                    }
                    None => return Poll::Ready(Event::Over),
                },
            };
            let tally = &self.gateway.router.site.tally;
            if code == TOO_LARGE {
                tally.too_large.up();
            } else {
                tally.frames_refused.up();
            }
            self.begin_closing(inner, now, code);
            return inner.poll_closing(cx);
        }
    }

    /// The peer has said goodbye, and tungstenite has queued the answer.
    fn answer_goodbye(&self, inner: &mut Inner<T>, now: Instant) -> Poll<Event> {
        if inner.is_owed {
            return Poll::Ready(inner.cut());
        }
        let until = now + FAREWELL;
        inner.phase = Phase::Closing {
            code: 1000,
            is_sent: true,
            until,
        };
        self.look_at(inner, until);
        Poll::Ready(Event::Closing)
    }

    /// A message that has begun must end in time, whatever comes in between. Of the next one the
    /// beginning may have come with the end of the last.
    fn note_beginning(&self, inner: &mut Inner<T>, now: Instant) {
        if inner.begun.is_none() && inner.stream.get_ref().is_within_message() {
            inner.begun = Some(now);
            self.look_at(inner, now + self.deadlines().message);
        }
    }

    fn begin_closing(&self, inner: &mut Inner<T>, now: Instant, code: u16) {
        if matches!(inner.phase, Phase::Open) {
            let until = now + FAREWELL;
            inner.phase = Phase::Closing {
                code,
                is_sent: false,
                until,
            };
            self.look_at(inner, until);
        }
    }

    /// Has the clocks looked at in time.
    fn look_at(&self, inner: &mut Inner<T>, at: Instant) {
        if at < inner.look {
            inner.look = at;
            self.watch(at);
        }
    }

    fn watch(&self, at: Instant) {
        let watched: Weak<dyn Watched> = self.itself.clone();
        self.gateway
            .tell(self.gateway.place.shard(), Fact::Watch(at, watched));
    }

    fn deadlines(&self) -> &Deadlines {
        &self.gateway.router.site.deadlines
    }
}

impl<T: Read + Write + Unpin> Inner<T> {
    /// Begins an order to send.
    fn poll_send(
        &mut self,
        now: Instant,
        batch: &Batch,
        frames: &mut Frames,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.stream.get_mut();
        if batch.frames().len() == 1 {
            for frame in batch.frames() {
                stream.send(frames.prepared(frame), cx)?;
            }
        } else {
            for frame in batch.frames() {
                stream.push(frames.prepared(frame).clone());
            }
        }
        self.poll_drain(now, cx)
    }

    /// Finishes the order to send.
    fn poll_drain(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.stream.get_mut().poll_drain(cx);
        if flushed.is_ready() {
            self.is_blocked = false;
            self.active = now;
        }
        flushed
    }

    /// Says goodbye, and waits for the peer's: a socket dropped with something unread would be
    /// reset, and the close frame lost.
    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.is_owed {
            return Poll::Ready(self.cut());
        }
        if let Phase::Closing {
            code,
            is_sent: false,
            until,
        } = self.phase
        {
            self.phase = Phase::Closing {
                code,
                is_sent: true,
                until,
            };
            let frame = CloseFrame {
                code: CloseCode::from(code),
                reason: Utf8Bytes::default(),
            };
            // Queued even if the socket is full.
            let _ = Pin::new(&mut self.stream).start_send(Message::Close(Some(frame)));
            return Poll::Ready(Event::Closing);
        }
        let drained = self.stream.get_mut().poll_drain(cx);
        if let Poll::Ready(Err(_)) = drained {
            return Poll::Ready(Event::Over);
        }
        while !self.is_deaf {
            match Pin::new(&mut self.stream).poll_next(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_))) => self.is_deaf = true,
                Poll::Ready(None) => return drained.map(|_| Event::Over),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.poll_end(cx)
    }

    /// The end without a goodbye: behind a batch that is not written none could be sent, and the
    /// events in it will be sent elsewhere.
    fn cut(&mut self) -> Event {
        self.phase = Phase::Dead;
        self.is_owed = false;
        Event::Closing
    }

    /// Reads what is no longer understood, up to the end of the stream.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let mut space = [0; 1024];
        loop {
            match Pin::new(self.stream.get_mut()).poll_read(cx, &mut space) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Event::Over),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn is_known_as(&self, connection: ConnectionId) -> bool {
        self.connection == Some(connection) && matches!(self.phase, Phase::Open)
    }
}

impl<T: Read + Write + Unpin + Send + 'static> Duplex for Shared<T> {
    fn prefetch(&self) -> bool {
        self.inner.prefetch()
    }

    fn send(
        &self,
        now: Instant,
        connection: ConnectionId,
        batch: &Batch,
        frames: &mut Frames,
    ) -> Sent {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if !inner.is_known_as(connection) {
            return Sent::Later;
        }
        // Taken rather than cloned: its count of references is in the memory of the task, which sleeps.
        let task = std::mem::replace(&mut inner.task, Waker::noop().clone());
        let sent = inner.poll_send(now, batch, frames, &mut Context::from_waker(&task));
        inner.task = task;
        match sent {
            Poll::Ready(Ok(())) => return Sent::Written,
            Poll::Ready(Err(_)) => {
                inner.phase = Phase::Dead;
                inner.task.wake_by_ref();
            }
            Poll::Pending => {
                inner.is_blocked = true;
                inner.is_owed = true;
            }
        }
        Sent::Later
    }

    fn receive(&self, connection: ConnectionId) {
        let mut inner = self.inner.lock();
        if inner.is_known_as(connection) {
            inner.is_wanted = true;
            inner.task.wake_by_ref();
        }
    }

    fn close(&self, connection: ConnectionId, reason: CloseReason) {
        let now = self.gateway.router.clock.now();
        let mut inner = self.inner.lock();
        if inner.is_known_as(connection) {
            self.begin_closing(&mut inner, now, reason.close_code());
            inner.task.wake_by_ref();
        }
    }

    fn hand_on(&self, connection: ConnectionId, shard: u32, messages: Messages) {
        let mut inner = self.inner.lock();
        if inner.is_known_as(connection) {
            inner.connection = None;
            inner.handed_on = Some(Box::new((shard, messages)));
            inner.task.wake_by_ref();
        }
    }
}

impl<T: Read + Write + Unpin + Send + 'static> Watched for Shared<T> {
    fn check(&self, now: Instant) -> Option<Instant> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if inner.look > now {
            // Another entry is on its way.
            return None;
        }
        match inner.phase {
            Phase::Dead => return None,
            Phase::Closing { until, .. } if until <= now => {
                inner.phase = Phase::Dead;
                self.line.kill();
                inner.task.wake_by_ref();
                return None;
            }
            Phase::Closing { until, .. } => inner.look = until,
            Phase::Open => {
                let idle = inner.active + idle(self.deadlines());
                let late = inner.begun.map(|begun| begun + self.deadlines().message);
                if late.is_some_and(|late| late <= now) || idle <= now {
                    inner.look = now + FAREWELL;
                    let tally = &self.gateway.router.site.tally;
                    let code = if idle <= now {
                        tally.websockets_idle.up();
                        1000
                    } else {
                        tally.messages_late.up();
                        1008
                    };
                    inner.phase = Phase::Closing {
                        code,
                        is_sent: false,
                        until: inner.look,
                    };
                    inner.task.wake_by_ref();
                } else {
                    inner.look = late.map_or(idle, |late| late.min(idle));
                }
            }
        }
        Some(inner.look)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        self.gateway
            .router
            .websockets
            .fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a websocket may be silent.
fn idle(deadlines: &Deadlines) -> Duration {
    deadlines.websocket_idle.unwrap_or(FOR_EVER)
}

/// The close code for what the peer did wrong; `None` if the connection is gone.
fn code_of(error: &Error) -> Option<u16> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is no mistake of the peer is an end"
    )]
    match error {
        Error::Capacity(_) => Some(TOO_LARGE),
        Error::Utf8(_) => Some(1007),
        Error::Protocol(
            async_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => None,
        Error::Protocol(_) => Some(1002),
        _ => None,
    }
}
