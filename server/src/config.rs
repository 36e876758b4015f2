//! What a server can be told, and what it does untold.
//!
//! [`Settings`] is all of it, checked: whoever holds one need not check it again. It is made by
//! [`command_line::parse`](crate::command_line::parse) from a file, environment variables and flags,
//! each stronger than the one before. Two tables, `config/key.rs` for what only a file can say and
//! `config/flag.rs` for the rest, drive the reading, the help and `docs/configuration.md`.

mod access;
mod admin;
mod draft;
mod file;
mod flag;
mod key;
mod not_here;
mod reference;
mod said;
mod slot;

use core::net::{Ipv4Addr, SocketAddr};
use core::num::NonZeroU32;
use core::time::Duration;
use std::path::PathBuf;
use std::thread;

use bayeux_backend_redis::Target;
use bayeux_core::http::{self, CookieOptions, Mount, TrustedProxies};
use bayeux_core::{Config, MemoryOptions};
use bytes::Bytes;

use crate::access::Access;
use crate::entrance::Entrance;
use crate::tls::TlsFiles;

pub use self::admin::{AdminKeys, AdminOptions};
pub(crate) use self::draft::Draft;
pub(crate) use self::file::read;
pub(crate) use self::flag::{FLAGS, Flag, Given, Times};
pub use self::reference::reference;
pub(crate) use self::reference::summary;
pub(crate) use self::said::Said;
pub(crate) use self::slot::quoted;

/// Everything that a server is told at its start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where to listen, in the order given; no two alike, but for those that leave the port to the
    /// operating system.
    pub listen: Vec<SocketAddr>,
    /// The certificate to speak TLS with, at every address of `listen`; `None`: no TLS.
    pub tls: Option<TlsFiles>,
    /// Where Bayeux is spoken, in the order given: each begins with `/` and, `/` itself apart, does not
    /// end with it. The same as `http.mounts`; the first is for the page.
    pub paths: Vec<Box<str>>,
    /// How many engines to run, each on a thread of its own.
    pub shards: NonZeroU32,
    /// Where published messages and sessions are kept.
    pub store: Store,
    /// Whose word counts on where a request came from.
    pub trusted_proxies: TrustedProxies,
    /// What to log: levels, for all or by target, separated by commas.
    pub log: Box<str>,
    /// In which form.
    pub log_format: LogFormat,
    /// What bounds the store in memory, and what of the log in Redis. Its `session_ttl` and `max_sessions`
    /// follow from `engine`.
    pub memory: MemoryOptions,
    /// What all keys in Redis begin with: servers with the same are one cluster.
    pub redis_prefix: Box<str>,
    /// What this server is called in Redis; need not differ from the others'.
    pub node_name: Box<str>,
    /// What each engine is told. `shard` and `wall_clock` are for the server to fill in.
    pub engine: Config,
    /// What decides which HTTP requests are served.
    pub http: http::Options,
    /// What the browser cookie looks like. [`http::BrowserCookie::new`] accepts it.
    pub cookie: CookieOptions,
    /// The status that ends a connect which a newer one replaced
    /// (`duplicateMetaConnectHttpResponseCode`, CN-9): from 400 to 599 and not 408.
    pub duplicate_connect_status: u16,
    /// How long peers may take.
    pub deadlines: Deadlines,
    /// The HTTP API for backends.
    pub admin: AdminOptions,
    /// How many sockets are accepted.
    pub sockets: Sockets,
    /// How long a stop may take, held connects being answered over this time (`shutdownWindow`, TM-11).
    pub shutdown_window: Duration,
    /// The client that pages load from `/faye/client.js`, if it is to be served.
    pub client_file: Option<Bytes>,
    /// Whether clients may ask for what test suites need (DE-23).
    pub conformance: Conformance,
    /// Who may do what.
    pub access: Access,
    /// The files that its secrets came from, that of the certificate's key apart.
    pub(crate) secret_files: Vec<PathBuf>,
    /// What of all this was said; nothing in settings that were not read from anywhere.
    pub(crate) said: Said,
}

impl Settings {
    /// The paths at which Bayeux is spoken when none is given.
    pub const DEFAULT_PATHS: [&str; 3] = ["/bayeux", "/faye", "/cometd"];

    /// Where to listen, and for whom.
    pub(crate) fn entrances(&self) -> impl Iterator<Item = (Entrance, SocketAddr)> {
        let clients = self.listen.iter();
        let backends = self.admin.listen.iter();
        let clients = clients.map(|address| (Entrance::Clients, *address));
        clients.chain(backends.map(|address| (Entrance::Admin, *address)))
    }

    /// The path that the page connects to: the first.
    #[must_use]
    pub fn page_path(&self) -> &str {
        self.paths.first().map_or("/", |path| path)
    }
}

impl Default for Settings {
    fn default() -> Self {
        let mut http = http::Options::default();
        http.mounts = mounts(Self::DEFAULT_PATHS);
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            tls: None,
            paths: Self::DEFAULT_PATHS.map(Box::from).to_vec(),
            shards: cores(),
            store: Store::Memory,
            trusted_proxies: TrustedProxies::default(),
            log: "info".into(),
            log_format: LogFormat::Text,
            memory: MemoryOptions::default(),
            redis_prefix: "bayeux".into(),
            node_name: "node".into(),
            engine: Config::default(),
            http,
            cookie: CookieOptions::default(),
            duplicate_connect_status: 500,
            deadlines: Deadlines::default(),
            admin: AdminOptions::default(),
            sockets: Sockets::default(),
            shutdown_window: Duration::from_millis(2_000),
            client_file: None,
            conformance: Conformance::Off,
            access: Access::default(),
            secret_files: Vec::new(),
            said: Said::default(),
        }
    }
}

/// Those of `paths` that can be mounted.
fn mounts<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<Mount> {
    paths
        .into_iter()
        .filter_map(|path| path.parse().ok())
        .collect()
}

/// As many engines as can run at once.
fn cores() -> NonZeroU32 {
    thread::available_parallelism()
        .ok()
        .and_then(|cores| NonZeroU32::try_from(cores).ok())
        .map_or(NonZeroU32::MIN, |cores| cores.min(flag::MOST_SHARDS))
}

/// Where published messages and sessions are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Store {
    /// In this process, and gone with it.
    Memory,
    /// In the Redis that is there, for all servers with the same prefix.
    Redis(Target),
}

/// In which form a server logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// Lines for people, to standard error.
    #[default]
    Text,
    /// One JSON object a line, to standard output; nothing else is printed there.
    Json,
}

/// Whether clients may ask for what test suites need (DE-23): to be sent events, to be refused, to be
/// disconnected, and channels that are lazy. A client reaches nobody but itself with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Conformance {
    /// They may not.
    #[default]
    Off,
    /// They may.
    On,
}

/// How long peers may take (DE-19, WS-14); one that takes longer is cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// For the TLS handshake, from the beginning of its connection: 10 s.
    pub tls: Duration,
    /// For the head of a request, from its first byte; for the first one, from the beginning of its
    /// connection: 10 s.
    pub header: Duration,
    /// For the next request on a connection, beyond `timeout` and `interval` (HT-10): 75 s.
    pub keep_alive: Duration,
    /// For the body of a request: 20 s.
    pub body: Duration,
    /// For a websocket message, from its first frame: 20 s.
    pub message: Duration,
    /// For taking any byte of what is being written to it: 20 s.
    pub write: Duration,
    /// For a websocket between two frames, whoever sends them (`ws.idleTimeout`): 300 s. `None`: for ever.
    pub websocket_idle: Option<Duration>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            tls: Duration::from_secs(10),
            header: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            body: Duration::from_secs(20),
            message: Duration::from_secs(20),
            write: Duration::from_secs(20),
            websocket_idle: Some(Duration::from_secs(300)),
        }
    }
}

/// How many sockets are accepted; those beyond are closed at once (DE-16).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sockets {
    /// In all.
    pub total: usize,
    /// From one address. Loopback and trusted proxies are exempt.
    pub per_address: usize,
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            total: 1_000_000,
            per_address: 10_000,
        }
    }
}
