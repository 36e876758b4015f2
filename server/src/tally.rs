//! What happened to peers before an engine heard of them, counted.

use std::error::Error as _;
use std::sync::atomic::{AtomicU64, Ordering};

use bayeux_core::DecodeError;

use crate::pace::Late;

/// A number of things that happened. It never goes down.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// How many so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// What a server has counted outside of its engines since it began: what it refused, and
        /// whom it cut off. One for all shards.
        #[derive(Debug, Default)]
        #[non_exhaustive]
        pub struct Tally {
            $($(#[$doc])* pub $name: Count,)*
        }

        impl Tally {
            /// Every count with its name, for metrics.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.get())),*].into_iter()
            }
        }
    };
}

tally! {
    /// HTTP bodies and websocket messages larger than `limits.maxMessageSize`.
    too_large
    /// HTTP bodies and websocket messages with more messages than `limits.maxBatch`.
    too_many_messages
    /// HTTP bodies and websocket messages nested deeper than `limits.maxDepth`.
    too_deep
    /// HTTP bodies and websocket messages that are no messages: not JSON, or other JSON.
    not_messages
    /// Requests whose body broke off, or was not framed as it said.
    bodies_broken
    /// Connections ended because what came was no HTTP/1.1: something else, or malformed.
    not_http
    /// Connections ended because the head of a request was larger than may be.
    heads_too_large
    /// HTTP/2 connections ended because the peer broke the standard (RFC 9113), or made the server work for nothing:
    /// resets, pings and empty frames without end.
    http2_misused
    /// Websockets ended because a frame was against the standard (RFC 6455), of bytes, or a text that is
    /// not UTF-8.
    frames_refused
    /// Connections ended because their TLS handshake was not through (`limits.tlsHandshakeTimeout`).
    tls_handshakes_late
    /// Connections ended because their TLS handshake failed: no TLS, no version or cipher in common,
    /// a certificate that the client refused, or the peer went away.
    tls_handshakes_failed
    /// Connections ended because the head of a request did not come (`limits.headerTimeout`).
    heads_late
    /// Requests ended because their body did not come (`limits.bodyTimeout`).
    bodies_late
    /// Websockets ended because a message that had begun did not end (`limits.messageTimeout`).
    messages_late
    /// Connections ended because the peer took nothing of what was written to it
    /// (`limits.writeTimeout`).
    writes_late
    /// Connections ended because no further request came (`limits.keepAliveTimeout`).
    connections_idle
    /// Websockets ended because nothing moved on them (`ws.idleTimeout`).
    websockets_idle
    /// Sockets refused because there are as many as may be (`limits.maxSockets`; 4096 of the HTTP API).
    sockets_refused
    /// Sockets refused because there are as many from their address as may be
    /// (`limits.maxSocketsPerAddress`).
    sockets_refused_per_address
    /// Requests refused because their origin, or the page that they come from, is not allowed.
    origins_refused
    /// Requests refused because they do not name one host.
    hosts_refused
    /// Requests to the HTTP API refused because they show no key, or a wrong one.
    keys_refused
    /// Requests refused for what else is wrong with them: their method, their callback, their version of
    /// the websocket protocol.
    requests_refused
    /// Times that no socket could be accepted, for want of file descriptors or memory.
    accepts_failed
}

impl Tally {
    /// A body or a websocket message was of no use.
    pub(crate) fn unusable(&self, error: DecodeError) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "whatever else is wrong, it is no messages"
        )]
        match error {
            DecodeError::TooLarge => self.too_large.up(),
            DecodeError::TooMany => self.too_many_messages.up(),
            DecodeError::TooDeep => self.too_deep.up(),
            // Whoever sends nothing has done nothing wrong (FR-4).
            DecodeError::Empty => {}
            _ => self.not_messages.up(),
        }
    }

    /// Serving a connection failed; the peer may just have gone.
    pub(crate) fn broken(&self, error: &hyper::Error) {
        let http2 = error
            .source()
            .and_then(|source| source.downcast_ref::<h2::Error>());
        if error.is_parse_too_large() {
            self.heads_too_large.up();
        } else if error.is_parse() {
            self.not_http.up();
        } else if http2.is_some_and(h2::Error::is_library) {
            self.http2_misused.up();
        }
    }

    /// A peer was waited for long enough.
    pub(crate) fn cut_off(&self, late: Late) {
        match late {
            Late::Head => self.heads_late.up(),
            Late::Request => self.connections_idle.up(),
            Late::Write => self.writes_late.up(),
        }
    }
}
