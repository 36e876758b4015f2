//! What holds for every connection of a server.

use std::time::Duration;

use bayeux_core::DecodeLimits;
use bayeux_core::http::{BrowserCookie, Options, TrustedProxies};
use bytes::Bytes;

use crate::admission::Admission;

/// The options that connections are served by.
pub(crate) struct Site {
    /// Paths, origins, callbacks.
    pub(crate) http: Options,
    /// The same for a service that another application mounts: every path is ours.
    pub(crate) mounted: Options,
    /// The browser cookie.
    pub(crate) cookie: BrowserCookie,
    /// Whose forwarded-for headers count.
    pub(crate) proxies: TrustedProxies,
    /// `duplicateMetaConnectHttpResponseCode`.
    pub(crate) duplicate_status: u16,
    /// How large and deep a frame may be.
    pub(crate) decode: DecodeLimits,
    /// How long peers may take.
    pub(crate) patience: Patience,
    /// The headers that deciders see, in lower case.
    pub(crate) headers: Vec<Box<str>>,
    /// How many connections there may be.
    pub(crate) admission: Admission,
    /// The page at `/`.
    pub(crate) page: Option<Bytes>,
}

/// How long a peer may take, before it is cut off (DE-19).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// For the head of a request, and between two requests: 10 s.
    pub head: Duration,
    /// For the body of a request: 20 s.
    pub body: Duration,
    /// For a websocket message, from its first frame: 20 s.
    pub message: Duration,
    /// For anything on a websocket (`ws.idleTimeout`): 300 s.
    pub idle: Duration,
    /// For a write to get through: 20 s.
    pub write: Duration,
    /// For the answer to a close frame: 1 s.
    pub farewell: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(20),
            message: Duration::from_secs(20),
            idle: Duration::from_secs(300),
            write: Duration::from_secs(20),
            farewell: Duration::from_secs(1),
        }
    }
}
