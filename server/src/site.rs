//! What holds for every connection of a server.

use std::time::Duration;

use bayeux_core::DecodeLimits;
use bayeux_core::http::{BrowserCookie, Options, TrustedProxies};
use bytes::Bytes;

use crate::admission::Admission;
use crate::client_file::ClientFile;
use crate::config::Deadlines;
use crate::pace::Patience;
use crate::tally::Tally;
use crate::tls::Tls;

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
    pub(crate) deadlines: Deadlines,
    /// The same for what every socket waits for.
    pub(crate) patience: Patience,
    /// The headers that deciders see, in lower case.
    pub(crate) headers: Vec<Box<str>>,
    /// How many connections there may be.
    pub(crate) admission: Admission,
    /// The page at `/`.
    pub(crate) page: Option<Bytes>,
    /// What its own sockets begin with, if they speak TLS.
    pub(crate) tls: Option<Tls>,
    /// What is where pages look for Faye's client.
    pub(crate) client_file: ClientFile,
    /// Whom it refused or cut off.
    pub(crate) tally: Tally,
}

/// How long the answer to a close frame is waited for.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);
