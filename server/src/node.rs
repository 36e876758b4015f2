//! One server: its shards, and what they share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bayeux_core::http::{self, BrowserCookie, CookieError, CookieOptions, TrustedProxies};
use bayeux_core::{Config, DecodeLimits, Engine, MemoryOptions, Seed};
use bytes::Bytes;
use futures_channel::oneshot;

use crate::admission::{Admission, Admitted};
use crate::application::{Handle, Listener};
use crate::clock::Clock;
use crate::door::{Door, Service};
use crate::inbox::Fact;
use crate::router::{Gateway, Place, Router};
use crate::runtime::Runtime;
use crate::shard::Shard;
use crate::site::{Patience, Site};
use crate::store::{LogEnd, SharedLog};

/// Everything that a server can be told at its birth.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// What the engines are told. `shard` and `wall_clock` are set for them.
    pub engine: Config,
    /// How many shards: one for each core is right.
    pub shards: u32,
    /// Paths, origins, callbacks.
    pub http: http::Options,
    /// The browser cookie.
    pub cookie: CookieOptions,
    /// Whose forwarded-for headers count.
    pub proxies: TrustedProxies,
    /// The status of a connect that a newer one replaced
    /// (`duplicateMetaConnectHttpResponseCode`).
    pub duplicate_status: u16,
    /// How long peers may take.
    pub patience: Patience,
    /// The headers that deciders see, in lower case.
    pub headers: Vec<Box<str>>,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections of one address; loopback is exempt.
    pub max_connections_per_address: usize,
    /// The page at `/`.
    pub page: Option<Bytes>,
    /// What bounds the log.
    pub log: Option<MemoryOptions>,
    /// Hears all reports, on the threads of the shards: it must not block.
    pub listener: Option<Listener>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: Config::default(),
            shards: 1,
            http: http::Options::default(),
            cookie: CookieOptions::default(),
            proxies: TrustedProxies::default(),
            duplicate_status: 500,
            patience: Patience::default(),
            headers: Vec::new(),
            max_connections: 1_000_000,
            max_connections_per_address: 10_000,
            page: None,
            log: None,
            listener: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("shards", &self.shards).finish_non_exhaustive()
    }
}

/// One server: shards that share a log, and the ways to them.
#[derive(Clone)]
pub struct Node {
    router: Arc<Router>,
    log: Arc<SharedLog>,
    config: Config,
    listener: Option<Listener>,
    handles: Arc<AtomicU32>,
}

impl Node {
    /// A server with these options; nothing runs yet.
    ///
    /// # Errors
    ///
    /// If the browser cookie would not be well-formed.
    pub fn new(options: Options) -> Result<Self, CookieError> {
        let shards = options.shards.max(1);
        let clock = Clock::start();
        let limits = &options.engine.limits;
        let decode = DecodeLimits {
            max_size: limits.max_message_size,
            max_depth: limits.max_depth,
            max_messages: limits.max_batch,
        };
        let mut mounted = options.http.clone();
        mounted.mounts = "/".parse().into_iter().collect();
        let mut config = options.engine;
        config.shard.count = shards;
        config.wall_clock = clock.wall_clock();
        let log = options.log.unwrap_or_else(|| MemoryOptions::for_config(&config));
        let site = Site {
            http: options.http,
            mounted,
            cookie: BrowserCookie::new(&options.cookie)?,
            proxies: options.proxies,
            duplicate_status: options.duplicate_status,
            decode,
            patience: options.patience,
            headers: options.headers,
            admission: Admission::new(options.max_connections, options.max_connections_per_address),
            page: options.page,
        };
        Ok(Self {
            router: Arc::new(Router::new(site, clock, shards)),
            log: SharedLog::new(log),
            config,
            listener: options.listener,
            handles: Arc::default(),
        })
    }

    /// All shards, in order; `runtime` lends what the one with this number needs.
    ///
    /// Call it once: the seeds of the engines come from the operating system here.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness.
    pub fn shards(&self, runtime: impl Fn(u32) -> Runtime) -> std::io::Result<Vec<Shard>> {
        let count = self.router.shards();
        (0..count).map(|index| self.shard(index, runtime(index))).collect()
    }

    fn shard(&self, index: u32, runtime: Runtime) -> std::io::Result<Shard> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
        let mut config = self.config.clone();
        config.shard.index = index;
        let engine = Engine::new(config, Seed::new(seed));
        let gateway = self.gateway(Place::Shard(index));
        let log = LogEnd::new(&self.log, self.router.shards());
        Ok(Shard::new(engine, gateway, runtime, log, self.listener.clone()))
    }

    /// Where sockets are served on the thread of a shard.
    #[must_use]
    pub fn door(&self, shard: u32, runtime: Runtime) -> Door {
        Door::new(self.gateway(Place::Shard(shard)), runtime)
    }

    /// A place for a socket from `address`, and the shard that it is for: the one with the fewest.
    /// `None` if a limit is reached.
    #[must_use]
    pub fn admit(&self, address: IpAddr) -> Option<(u32, Admitted)> {
        let shard = self.router.least_loaded();
        Some((shard, Admission::admit(&self.router, address, shard)?))
    }

    /// A service to be mounted in another application; `runtime` is that application's.
    #[must_use]
    pub fn service(&self, runtime: Runtime) -> Service {
        Service::new(self.gateway(Place::Mounted(self.next_shard())), runtime)
    }

    /// The application's way to the engines.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.router), self.next_shard())
    }

    /// How many websockets are open; other connections may be kept by their peers for ever.
    #[must_use]
    pub fn websockets(&self) -> usize {
        self.router.websockets.load(Ordering::Relaxed)
    }

    /// Has all sessions let go of, held connects over the time `over`; resolves when nothing is
    /// left to write. A peer that does not read makes that late: bound it.
    pub async fn drain(&self, over: Duration) {
        let ask = |shard| {
            let (answer, answered) = oneshot::channel();
            self.router.tell(shard, Fact::Drain(over, answer));
            answered
        };
        let all: Vec<_> = (0..self.router.shards()).map(ask).collect();
        for drained in all {
            let _ = drained.await;
        }
    }

    fn gateway(&self, place: Place) -> Gateway {
        Gateway { router: Arc::clone(&self.router), place }
    }

    fn next_shard(&self) -> u32 {
        self.handles.fetch_add(1, Ordering::Relaxed) % self.router.shards()
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("shards", &self.router.shards()).finish_non_exhaustive()
    }
}
