//! The store, shared by the threads of a process behind one short lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bayeux_core::{Input, Instant, StoreRequest, StoreTicket};
use futures_util::task::AtomicWaker;

use crate::counts::{Counts, Load};
use crate::store::RedisStore;

/// A [`RedisStore`] that several threads use; the lock is held for one call at a time.
#[derive(Debug)]
pub struct SharedStore {
    store: Mutex<RedisStore>,
    /// Who carries commands to Redis.
    pub(crate) carrier: AtomicWaker,
    /// Who waits for the log.
    pub(crate) reader: AtomicWaker,
}

impl SharedStore {
    /// That store.
    #[must_use]
    pub const fn new(store: RedisStore) -> Self {
        Self {
            store: Mutex::new(store),
            carrier: AtomicWaker::new(),
            reader: AtomicWaker::new(),
        }
    }

    /// See [`RedisStore::attach`].
    pub fn attach(&self) -> u32 {
        self.lock().attach()
    }

    /// See [`RedisStore::submit`].
    pub fn submit(&self, shard: u32, now: Instant, ticket: StoreTicket, request: StoreRequest) {
        let has_commands = {
            let mut store = self.lock();
            store.submit(shard, now, ticket, request);
            store.has_commands()
        };
        if has_commands {
            self.carrier.wake();
        }
    }

    /// See [`RedisStore::poll`].
    pub fn poll(&self, shard: u32, now: Instant) -> Option<Input> {
        let (input, has_commands) = {
            let mut store = self.lock();
            (store.poll(shard, now), store.has_commands())
        };
        if has_commands {
            self.carrier.wake();
        }
        input
    }

    /// See [`RedisStore::poll_wake`].
    pub fn poll_wake(&self) -> Option<u32> {
        self.lock().poll_wake()
    }

    /// See [`RedisStore::counts`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.lock().counts()
    }

    /// See [`RedisStore::load`].
    #[must_use]
    pub fn load(&self) -> Load {
        self.lock().load()
    }

    /// No engine uses the store any more: other nodes are told, and the driver ends.
    pub fn close(&self) {
        self.lock().leave();
        self.carrier.wake();
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, RedisStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
