//! The log, shared by the shards of one process behind one short lock.
//!
//! It is held to append and to copy a batch out; nobody parses, matches or writes under it. Each
//! shard reads from a cursor of its own, so order needs no protocol.

use std::pin::Pin;
use std::sync::Arc;

use bayeux_backend_redis::{Options, RedisStore, SharedStore, Sleep, Surroundings, Target};
use bayeux_core::{
    Event, Input, Instant, MemoryOptions, MemoryStore, NodeId, Notice, StoreRequest, StoreTicket,
};
use hyper::rt::Timer as _;

use crate::guarded::Guarded;
use crate::measure::LogMeasure;
use crate::router::Router;
use crate::runtime::Runtime;

/// Up to this size an event is copied for each shard, so that its count of references is not
/// shared between cores: a fan-out touches it once for each subscriber.
const COPIED: usize = 4 << 10;

/// The log of a process.
pub(crate) enum SharedLog {
    /// Its own.
    Memory(Box<Guarded<MemoryStore>>),
    /// The one in Redis, as much of it as is here.
    Redis(Arc<SharedStore>, Target),
}

/// What a store in Redis needs of whoever drives it.
pub(crate) fn surroundings(router: &Arc<Router>, runtime: Runtime) -> Surroundings {
    let clock = router.clock;
    let router = Arc::clone(router);
    Surroundings {
        now: Box::new(move || clock.now()),
        timer: Box::new(move |time| sleep(&runtime, time)),
        wake: Box::new(move |shard| {
            if let Some(inbox) = router.inbox(shard) {
                inbox.log_moved();
            }
        }),
    }
}

impl SharedLog {
    pub(crate) fn in_memory(options: MemoryOptions) -> Self {
        Self::Memory(Box::new(Guarded::new(MemoryStore::new(options))))
    }

    /// # Errors
    ///
    /// If the operating system has no randomness for its name.
    pub(crate) fn in_redis(options: Options, target: Target) -> std::io::Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let store = SharedStore::new(RedisStore::new(options, random));
        Ok(Self::Redis(Arc::new(store), target))
    }

    /// The store in Redis, if that is where it is: it has to be driven.
    pub(crate) fn to_drive(&self) -> Option<(Arc<SharedStore>, Target)> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(store, target) => Some((Arc::clone(store), target.clone())),
        }
    }

    /// No shard uses it any more.
    pub(crate) fn close(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Redis(store, _) => store.close(),
        }
    }
}

/// A while, as the driver of a store wants it.
pub(crate) fn sleep(runtime: &Runtime, time: std::time::Duration) -> Sleep {
    struct Boxed(Pin<Box<dyn hyper::rt::Sleep>>);
    impl Future for Boxed {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
            self.0.as_mut().poll(cx)
        }
    }
    Box::pin(Boxed(runtime.sleep(time)))
}

/// One shard's end of the log.
pub(crate) struct LogEnd {
    log: Arc<SharedLog>,
    place: Place,
    is_copying: bool,
    has_submitted: bool,
}

/// What the shard is called there.
#[derive(Clone, Copy)]
enum Place {
    Memory(NodeId),
    Redis(u32),
}

impl LogEnd {
    /// The end of the shard with the same number, if ends are made in that order.
    pub(crate) fn new(log: &Arc<SharedLog>, shards: u32) -> Self {
        let place = match &**log {
            SharedLog::Memory(store) => Place::Memory(store.lock().attach()),
            SharedLog::Redis(store, _) => Place::Redis(store.attach()),
        };
        Self {
            log: Arc::clone(log),
            place,
            is_copying: shards > 1,
            has_submitted: false,
        }
    }

    pub(crate) fn submit(&mut self, now: Instant, ticket: StoreTicket, request: StoreRequest) {
        self.has_submitted = true;
        match (&*self.log, self.place) {
            (SharedLog::Memory(store), Place::Memory(node)) => {
                store.lock().submit(node, now, ticket, request);
            }
            (SharedLog::Redis(store, _), Place::Redis(shard)) => {
                store.submit(shard, now, ticket, request);
            }
            (SharedLog::Memory(_) | SharedLog::Redis(..), _) => {}
        }
    }

    pub(crate) fn measure(&self) -> LogMeasure {
        match &*self.log {
            SharedLog::Memory(store) => {
                let store = store.lock();
                LogMeasure {
                    end: store.end(),
                    entries: store.len(),
                    bytes: store.bytes(),
                    sessions: store.sessions(),
                    is_there: true,
                    redis: None,
                }
            }
            SharedLog::Redis(store, _) => {
                let load = store.load();
                LogMeasure {
                    end: load.end,
                    entries: load.entries,
                    bytes: load.bytes,
                    sessions: load.sessions,
                    is_there: load.is_there,
                    redis: Some(store.counts()),
                }
            }
        }
    }

    /// Whether something was submitted since the log was last read.
    pub(crate) const fn has_submitted(&self) -> bool {
        self.has_submitted
    }

    /// The next fact from the store. Those who have something to hear by now are woken.
    pub(crate) fn next(&mut self, now: Instant, router: &Router) -> Option<Input> {
        self.has_submitted = false;
        let wake = |shard| {
            if let Some(inbox) = router.inbox(shard) {
                inbox.log_moved();
            }
        };
        let input = match (&*self.log, self.place) {
            (SharedLog::Memory(store), Place::Memory(node)) => {
                let mut store = store.lock();
                while let Some(node) = store.poll_wake() {
                    wake(node.number());
                }
                store.poll(node, now)?
            }
            (SharedLog::Redis(store, _), Place::Redis(shard)) => {
                while let Some(shard) = store.poll_wake() {
                    wake(shard);
                }
                store.poll(shard, now)?
            }
            (SharedLog::Memory(_) | SharedLog::Redis(..), _) => return None,
        };
        Some(if self.is_copying {
            copied(input)
        } else {
            input
        })
    }
}

fn copied(mut input: Input) -> Input {
    if let Input::Notified {
        notice: Notice::Entries(entries),
    } = &mut input
    {
        for entry in entries
            .iter_mut()
            .filter(|entry| entry.event.size() <= COPIED)
        {
            entry.event = Event::from_object(entry.event.object());
        }
    }
    input
}
