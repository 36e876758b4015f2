//! One server: its shards, and what they share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bayeux_backend_redis::{SharedStore, Surroundings, Target};
use bayeux_core::http::BrowserCookie;
use bayeux_core::{Config, DeciderId, DecodeLimits, Engine, MemoryOptions, Seed};
use futures_channel::oneshot;

use crate::access::{Access, Guard, NeedsRestart};
use crate::admin::Admin;
use crate::admission::{Admission, Admitted};
use crate::application::{Handle, Listener};
use crate::client_file::ClientFile;
use crate::clock::{Clock, WallClock};
use crate::config::{AdminOptions, Conformance, Said, Settings, Store};
use crate::conformance;
use crate::door::{Door, Service};
use crate::entrance::Entrance;
use crate::guarded::Guarded;
use crate::inbox::Fact;
use crate::pace::Patience;
use crate::page;
use crate::router::{Gateway, Place, Router};
use crate::runtime::Runtime;
use crate::server::StartError;
use crate::shard::Shard;
use crate::site::Site;
use crate::store::{LogEnd, SharedLog, surroundings};
use crate::tally::Tally;
use crate::tls::Tls;

/// What an application adds to the settings of its server.
#[derive(Clone, Default)]
pub(crate) struct Extras {
    /// The request headers that deciders see, in lower case.
    pub(crate) headers: Vec<Box<str>>,
    /// Hears all reports, on the threads of the shards: it must not block.
    pub(crate) listener: Option<Listener>,
}

impl std::fmt::Debug for Extras {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extras")
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// One server: shards that share a log, and the ways to them.
#[derive(Clone)]
pub(crate) struct Node {
    router: Arc<Router>,
    log: Arc<SharedLog>,
    config: Config,
    listener: Option<Listener>,
    conformance: Conformance,
    access: Arc<Guarded<Access>>,
    /// The decider that `access` is.
    guard: Arc<Guarded<Option<DeciderId>>>,
    said: Arc<Said>,
    handles: Arc<AtomicU32>,
}

impl Node {
    /// A server with these settings; nothing runs yet.
    ///
    /// # Errors
    ///
    /// If the browser cookie would not be well-formed, or the certificate or its key is not right.
    pub(crate) fn new(settings: Settings, extras: Extras) -> Result<Self, StartError> {
        let shards = settings.shards.get();
        let clock = Clock::start();
        let page = page::index(settings.page_path());
        let mut mounted = settings.http.clone();
        mounted.mounts = "/".parse().into_iter().collect();
        let mut config = settings.engine;
        config.shard.count = shards;
        config.wall_clock = clock.wall_clock();
        if settings.conformance == Conformance::On {
            // The first rule counts.
            config.channels.splice(..0, conformance::rule());
        }
        let access = settings.access.applied(&mut config);
        let limits = &config.limits;
        let decode = DecodeLimits {
            max_size: limits.max_message_size,
            max_depth: limits.max_depth,
            max_messages: limits.max_batch,
        };
        let log = match settings.store {
            Store::Memory => SharedLog::in_memory(MemoryOptions {
                retention: settings.memory.retention,
                max_entries: settings.memory.max_entries,
                max_bytes: settings.memory.max_bytes,
                ..MemoryOptions::for_config(&config)
            }),
            Store::Redis(target) => {
                let options = bayeux_backend_redis::Options {
                    prefix: settings.redis_prefix,
                    node: settings.node_name,
                    retention: settings.memory.retention,
                    max_entries: settings.memory.max_entries,
                    max_bytes: settings.memory.max_bytes,
                    ..bayeux_backend_redis::Options::default()
                };
                SharedLog::in_redis(options.for_config(&config), target)?
            }
        };
        let deadlines = settings.deadlines;
        let patience = Patience {
            head: deadlines.header,
            // A client that polls comes back after these two at the latest.
            idle: config.timeout + config.interval + deadlines.keep_alive,
            write: deadlines.write,
        };
        let admin = Admin::new(settings.admin, &config, settings.tls.is_some());
        let site = Site {
            http: settings.http,
            mounted,
            cookie: BrowserCookie::new(&settings.cookie)?,
            proxies: settings.trusted_proxies,
            duplicate_status: settings.duplicate_connect_status,
            decode,
            deadlines,
            patience,
            headers: access.headers_with(extras.headers),
            admission: Admission::new(settings.sockets),
            page: Some(page),
            tls: settings.tls.as_ref().map(Tls::load).transpose()?,
            admin,
            client_file: ClientFile::new(&settings.paths, settings.client_file),
            tally: Tally::default(),
        };
        Ok(Self {
            router: Arc::new(Router::new(site, clock, shards)),
            log: Arc::new(log),
            config,
            listener: extras.listener,
            conformance: settings.conformance,
            access: Arc::new(Guarded::new(access)),
            guard: Arc::default(),
            said: Arc::new(settings.said),
            handles: Arc::default(),
        })
    }

    /// How many shards it has.
    pub(crate) fn shards(&self) -> u32 {
        self.router.shards()
    }

    /// The shard with this number; call it once for each. `runtime` lends what it needs.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness for the engine's seed.
    pub(crate) fn shard(&self, index: u32, runtime: Runtime) -> std::io::Result<Shard> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
        let mut config = self.config.clone();
        config.shard.index = index;
        let wall_clock = WallClock::new(config.wall_clock);
        let engine = Engine::new(config, Seed::new(seed));
        let gateway = self.gateway(Place::Shard(index));
        let log = LogEnd::new(&self.log, self.router.shards());
        Ok(Shard::new(
            engine,
            gateway,
            runtime,
            log,
            wall_clock,
            self.listener.clone(),
        ))
    }

    /// The store, if it has to be driven.
    pub(crate) fn store_to_drive(&self) -> Option<(Arc<SharedStore>, Target)> {
        self.log.to_drive()
    }

    /// What driving the store on `runtime` takes.
    pub(crate) fn surroundings(&self, runtime: Runtime) -> Surroundings {
        surroundings(&self.router, runtime)
    }

    /// No shard uses the store any more.
    pub(crate) fn close_store(&self) {
        self.log.close();
    }

    /// Puts in place those deciders that the settings ask for; to be awaited once the shards run, before
    /// anybody is let in.
    ///
    /// # Errors
    ///
    /// If the server has stopped.
    pub(crate) async fn prepare(&self) -> std::io::Result<()> {
        self.guard();
        match self.conformance {
            Conformance::Off => Ok(()),
            Conformance::On => conformance::install(&self.handle())
                .await
                .map_err(std::io::Error::other),
        }
    }

    /// Other rules, keys and secrets from now on, if that takes no restart.
    pub(crate) fn reload_access(&self, access: &Access) -> Result<(), NeedsRestart> {
        {
            let mut current = self.access.lock();
            *current = current.replaced_by(access)?;
        }
        self.guard();
        Ok(())
    }

    /// Other keys of the HTTP API from now on.
    pub(crate) fn reload_admin(&self, options: &AdminOptions) {
        let site = &self.router.site;
        site.admin.reload(options, site.tls.is_some());
    }

    /// Has the engines ask what stands in `access`, and no longer what stood there before. In between
    /// they ask both.
    fn guard(&self) {
        let access = self.access.lock().clone();
        if !access.is_on() {
            return;
        }
        let guard = Guard::new(access);
        let mut current = self.guard.lock();
        let handle = self.handle();
        let former = current.replace(handle.tell_decider(Guard::role(), guard));
        if let Some(former) = former {
            handle.tell_no_decider(former);
        }
    }

    /// Where sockets are served on the thread of a shard.
    #[must_use]
    pub(crate) fn door(&self, shard: u32, runtime: Runtime) -> Door {
        Door::new(self.gateway(Place::Shard(shard)), runtime)
    }

    /// A place for a socket that came from `address` by `entrance`, and the shard that it is for: the one with the fewest.
    /// `None` if a limit is reached.
    #[must_use]
    pub(crate) fn admit(&self, entrance: Entrance, address: IpAddr) -> Option<(u32, Admitted)> {
        let shard = self.router.least_loaded();
        let admitted = Admission::admit(&self.router, entrance, address, shard)?;
        Some((shard, admitted))
    }

    /// Counts that no socket could be accepted, for want of what the system lends.
    pub(crate) fn not_accepted(&self) {
        self.router.site.tally.accepts_failed.up();
    }

    /// A service to be mounted in another application; what `runtime` lends works there too.
    #[must_use]
    pub(crate) fn service(&self, runtime: Runtime) -> Service {
        Service::new(self.gateway(Place::Mounted(self.next_shard())), runtime)
    }

    /// The application's way to the engines.
    #[must_use]
    pub(crate) fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.router), self.next_shard())
    }

    /// How many websockets are open; other connections may be kept by their peers for ever.
    #[must_use]
    pub(crate) fn websockets(&self) -> usize {
        self.router.websockets()
    }

    /// Has all sessions let go of, held connects over the time `over`; resolves when nothing is
    /// left to write. A peer that does not read makes that late: bound it.
    pub(crate) async fn drain(&self, over: Duration) {
        self.router.begin_draining();
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

    /// What its settings said.
    pub(crate) fn said(&self) -> &Said {
        &self.said
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.router.site.tls.as_ref()
    }

    pub(crate) fn gateway(&self, place: Place) -> Gateway {
        Gateway {
            router: Arc::clone(&self.router),
            place,
        }
    }

    fn next_shard(&self) -> u32 {
        self.handles.fetch_add(1, Ordering::Relaxed) % self.router.shards()
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("shards", &self.router.shards())
            .finish_non_exhaustive()
    }
}
