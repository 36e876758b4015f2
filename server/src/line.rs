//! What is known of one socket below hyper: whether it still moves, and what has left through it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use bayeux_core::Instant;
use futures_util::task::AtomicWaker;

use crate::deadlines::Watched;
use crate::guarded::Guarded;
use crate::inbox::Fact;
use crate::router::{Engagement, Gateway};

/// No stall.
const MOVING: u64 = u64::MAX;

/// The state that a socket shares with the responses that are written to it.
pub(crate) struct Line {
    itself: Weak<Self>,
    gateway: Gateway,
    /// Responses that hyper has taken whole and not yet flushed.
    taken: Guarded<Vec<Engagement>>,
    has_taken: AtomicBool,
    /// Since when a write is blocked, in milliseconds.
    stalled: AtomicU64,
    is_watched: AtomicBool,
    is_dead: AtomicBool,
    task: AtomicWaker,
}

impl Line {
    pub(crate) fn new(gateway: Gateway) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            itself: itself.clone(),
            gateway,
            taken: Guarded::default(),
            has_taken: AtomicBool::new(false),
            stalled: AtomicU64::new(MOVING),
            is_watched: AtomicBool::new(false),
            is_dead: AtomicBool::new(false),
            task: AtomicWaker::new(),
        })
    }

    /// Ends the connection, whatever it is doing.
    pub(crate) fn kill(&self) {
        self.is_dead.store(true, Ordering::Release);
        self.task.wake();
    }

    /// Fails once the line was killed.
    pub(crate) fn check_alive(&self) -> io::Result<()> {
        if self.is_dead.load(Ordering::Acquire) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// hyper has the whole response: it is written with the next flush.
    pub(crate) fn response_taken(&self, engagement: Engagement) {
        self.taken.lock().push(engagement);
        self.has_taken.store(true, Ordering::Release);
    }

    /// Everything that hyper had was accepted by the operating system.
    pub(crate) fn flushed(&self) {
        if !self.has_taken.swap(false, Ordering::AcqRel) {
            return;
        }
        let written = std::mem::take(&mut *self.taken.lock());
        for engagement in written {
            engagement.written_and_over();
        }
    }

    /// The socket is gone: what was not flushed was not written.
    pub(crate) fn hung_up(&self) {
        drop(std::mem::take(&mut *self.taken.lock()));
    }

    /// The task to wake if the line is killed.
    pub(crate) fn waits(&self, waker: &Waker) {
        self.task.register(waker);
    }

    /// A write did not get through.
    pub(crate) fn stall(&self, waker: &Waker) {
        self.waits(waker);
        if self.stalled.load(Ordering::Relaxed) != MOVING {
            return;
        }
        let now = self.gateway.router.clock.now();
        self.stalled.store(millis(now), Ordering::Relaxed);
        if !self.is_watched.swap(true, Ordering::AcqRel) {
            let watched: Weak<dyn Watched> = self.itself.clone();
            self.gateway.tell(
                self.gateway.place.shard(),
                Fact::Watch(now + self.limit(), watched),
            );
        }
    }

    /// A write got through.
    pub(crate) fn moved(&self) {
        if self.stalled.load(Ordering::Relaxed) != MOVING {
            self.stalled.store(MOVING, Ordering::Relaxed);
        }
    }

    fn limit(&self) -> Duration {
        self.gateway.router.site.deadlines.write
    }
}

impl Watched for Line {
    fn check(&self, now: Instant) -> Option<Instant> {
        let since = self.stalled.load(Ordering::Relaxed);
        if since == MOVING {
            self.is_watched.store(false, Ordering::Release);
            return None;
        }
        let until = Instant::from_millis(since) + self.limit();
        if until > now {
            return Some(until);
        }
        tracing::debug!("a peer did not read: cut off");
        self.kill();
        None
    }
}

fn millis(at: Instant) -> u64 {
    u64::try_from(at.since_epoch().as_millis()).unwrap_or(u64::MAX - 1)
}
