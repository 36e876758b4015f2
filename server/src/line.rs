//! What is known of one socket below hyper: whether it still moves, and what has left through it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;

use bayeux_core::Instant;
use futures_util::task::AtomicWaker;

use crate::deadlines::Watched;
use crate::guarded::Guarded;
use crate::http::Exchange;
use crate::inbox::Fact;
use crate::pace::Pace;
use crate::router::{Engagement, Gateway};

/// The state that a socket shares with the responses that are written to it.
pub(crate) struct Line {
    itself: Weak<Self>,
    gateway: Gateway,
    /// Responses that hyper has taken whole and not yet flushed.
    taken: Guarded<Vec<(Arc<Exchange>, Engagement)>>,
    has_taken: AtomicBool,
    /// Whether a response was handed over and not flushed.
    has_answered: AtomicBool,
    clocks: Guarded<Clocks>,
    /// Whether a write is blocked; to be looked at without a lock.
    is_stalled: AtomicBool,
    is_dead: AtomicBool,
    /// How many responses are broken off that have not turned out to have left.
    broken_off: AtomicU32,
    task: AtomicWaker,
    carries_requests: bool,
}

struct Clocks {
    pace: Pace,
    /// When the shard looks at it next.
    look: Option<Instant>,
}

/// A request that is not answered. Dropped when its response was handed over.
pub(crate) struct Asking {
    line: Arc<Line>,
    /// Whether its response is being handed over.
    has_response: bool,
}

impl Asking {
    /// Its response is there.
    pub(crate) fn handing_over(&mut self) {
        self.has_response = true;
        let now = self.line.gateway.router.clock.now();
        let mut clocks = self.line.clocks.lock();
        clocks.pace.handing_over(now);
        self.line.watch(&mut clocks);
    }

    /// Something was taken of its response.
    pub(crate) fn took(&self) {
        let now = self.line.gateway.router.clock.now();
        self.line.clocks.lock().pace.took(now);
    }
}

impl Line {
    /// Of a socket that carries requests; the first of them is due.
    pub(crate) fn of_requests(gateway: Gateway) -> Arc<Self> {
        let now = gateway.router.clock.now();
        Self::new(gateway, Pace::of_requests(now), true)
    }

    /// Of a websocket within a connection that somebody else owns.
    pub(crate) fn of_websocket(gateway: Gateway) -> Arc<Self> {
        Self::new(gateway, Pace::of_writes(), false)
    }

    fn new(gateway: Gateway, pace: Pace, carries_requests: bool) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            itself: itself.clone(),
            gateway,
            taken: Guarded::default(),
            has_taken: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
            clocks: Guarded::new(Clocks { pace, look: None }),
            is_stalled: AtomicBool::new(false),
            is_dead: AtomicBool::new(false),
            broken_off: AtomicU32::new(0),
            task: AtomicWaker::new(),
            carries_requests,
        })
    }

    /// From now on what is read may be something else than requests.
    pub(crate) fn speaks_http2(&self) {
        self.clocks.lock().pace.speaks_http2();
    }

    /// A request has come.
    pub(crate) fn ask(self: &Arc<Self>) -> Asking {
        self.clocks.lock().pace.asked();
        Asking {
            line: Arc::clone(self),
            has_response: false,
        }
    }

    /// Ends the connection, whatever it is doing.
    pub(crate) fn kill(&self) {
        self.is_dead.store(true, Ordering::Release);
        self.task.wake();
    }

    /// Ends the connection, unless the response turns out to have left.
    pub(crate) fn break_off(&self) {
        self.broken_off.fetch_add(1, Ordering::AcqRel);
        self.task.wake();
    }

    /// Fails once the line was killed, or a response is broken off.
    pub(crate) fn check_alive(&self) -> io::Result<()> {
        if self.is_dead.load(Ordering::Acquire) || self.broken_off.load(Ordering::Acquire) > 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// hyper has the whole response: it is written with the next flush.
    pub(crate) fn response_taken(&self, exchange: Arc<Exchange>, engagement: Engagement) {
        self.taken.lock().push((exchange, engagement));
        self.has_taken.store(true, Ordering::Release);
    }

    /// Everything that hyper had was accepted by the operating system.
    pub(crate) fn flushed(&self) {
        // Read before it is written: mostly neither is set.
        if self.has_answered.load(Ordering::Acquire) {
            self.has_answered.store(false, Ordering::Release);
            let now = self.gateway.router.clock.now();
            let mut clocks = self.clocks.lock();
            clocks.pace.flushed(now);
            // HTTP/2 need not read anything before the peer sends it.
            self.watch(&mut clocks);
        }
        if !self.has_taken.load(Ordering::Acquire) {
            return;
        }
        self.has_taken.store(false, Ordering::Release);
        let written = std::mem::take(&mut *self.taken.lock());
        for (exchange, engagement) in written {
            if exchange.written() {
                self.broken_off.fetch_sub(1, Ordering::AcqRel);
            }
            engagement.written_and_over();
        }
    }

    /// Whether nothing is on its way through it.
    pub(crate) fn is_quiet(&self) -> bool {
        let is_flushed = ![&self.has_answered, &self.has_taken]
            .map(|unflushed| unflushed.load(Ordering::Acquire))
            .contains(&true);
        is_flushed && !self.is_stalled.load(Ordering::Relaxed)
    }

    /// The socket is gone: what was not flushed was not written.
    pub(crate) fn hung_up(&self) {
        drop(std::mem::take(&mut *self.taken.lock()));
    }

    /// Something was read.
    pub(crate) fn read(&self) {
        if self.carries_requests {
            let now = self.gateway.router.clock.now();
            self.clocks.lock().pace.read(now);
        }
    }

    /// Nothing is to be read: the task to wake if the line is killed.
    pub(crate) fn waits(&self, waker: &Waker) {
        self.task.register(waker);
        if self.carries_requests {
            self.watch(&mut self.clocks.lock());
        }
    }

    /// A write did not get through.
    pub(crate) fn stall(&self, waker: &Waker) {
        self.task.register(waker);
        let now = self.gateway.router.clock.now();
        let mut clocks = self.clocks.lock();
        clocks.pace.stalled(now);
        self.is_stalled.store(true, Ordering::Relaxed);
        self.watch(&mut clocks);
    }

    /// A write that was blocked got through.
    pub(crate) fn moved(&self) {
        let mut clocks = self.clocks.lock();
        clocks.pace.moved();
        self.is_stalled.store(false, Ordering::Relaxed);
    }

    /// Has the shard look at the clocks in time. What is due later than before is found out then.
    fn watch(&self, clocks: &mut Clocks) {
        let Some(due) = clocks.pace.due(self.gateway.router.site.patience) else {
            return;
        };
        if clocks.look.is_none_or(|look| due < look) {
            clocks.look = Some(due);
            let watched: Weak<dyn Watched> = self.itself.clone();
            self.gateway
                .tell(self.gateway.place.shard(), Fact::Watch(due, watched));
        }
    }
}

impl Watched for Line {
    fn check(&self, now: Instant) -> Option<Instant> {
        let mut clocks = self.clocks.lock();
        if clocks.look.is_some_and(|look| look > now) {
            // Another entry is on its way.
            return None;
        }
        let site = &self.gateway.router.site;
        let due = clocks.pace.due(site.patience);
        clocks.look = due.filter(|due| *due > now);
        if let Some(late) = clocks.pace.late(now, site.patience) {
            site.tally.cut_off(late);
            tracing::debug!(?late, "a peer took too long: cut off");
            self.kill();
        }
        clocks.look
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut clocks = self.line.clocks.lock();
        if self.has_response {
            let now = self.line.gateway.router.clock.now();
            clocks.pace.handed_over(now);
        }
        clocks.pace.answered();
        drop(clocks);
        self.line.has_answered.store(true, Ordering::Release);
    }
}
