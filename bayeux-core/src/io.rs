//! The whole vocabulary: the facts an engine takes in, and the orders it gives.
//!
//! Each order names the fact that ends it. A fact about something already gone is counted and
//! ignored.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::call::{Call, CallResult};
use crate::config::Change;
use crate::decision::{Question, Verdict};
use crate::id::{BrowserId, CallTicket, ConnectionId, DecisionTicket, StoreTicket};
use crate::message::Messages;
use crate::report::Report;
use crate::store::{Notice, StoreReply, StoreRequest};

/// A fact: what has happened, told to [`Engine::handle`](crate::Engine::handle).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// An exchange or a duplex has begun. Its first frame or body may follow at once; each further
    /// one only after an [`Output::Receive`].
    Opened {
        /// Its name, not used before.
        connection: ConnectionId,
        /// What it is.
        transport: Transport,
        /// Who is at the other end.
        peer: Peer,
    },
    /// A frame or body has come, decoded.
    Received {
        /// Where.
        connection: ConnectionId,
        /// What it held.
        messages: Messages,
    },
    /// The last [`Output::Send`] is on the wire: its bytes were accepted by the operating system.
    /// An exchange is over with this; a duplex goes on.
    Written {
        /// Where.
        connection: ConnectionId,
    },
    /// The connection is gone, whoever closed it. What was sent and not `Written` is taken as not
    /// received.
    Closed {
        /// Which.
        connection: ConnectionId,
    },
    /// The store has answered a request.
    Stored {
        /// Which.
        ticket: StoreTicket,
        /// How.
        reply: StoreReply,
    },
    /// The store says something unasked.
    Notified {
        /// What.
        notice: Notice,
    },
    /// A decider has answered a question.
    Decided {
        /// Which.
        ticket: DecisionTicket,
        /// How.
        verdict: Verdict,
    },
    /// The application wants something; ends in [`Output::Return`].
    Called {
        /// The application's name for it.
        ticket: CallTicket,
        /// What.
        call: Call,
    },
    /// Something of the configuration has changed.
    Configured {
        /// What.
        change: Change,
    },
    /// The process is about to stop: let go of everything within this time. Ends in
    /// [`ReportKind::Drained`](crate::ReportKind::Drained).
    Draining {
        /// Over which time held connects are answered.
        over: Duration,
    },
    /// Time has passed: the instant of [`Engine::poll_timeout`](crate::Engine::poll_timeout) has
    /// come.
    Elapsed,
}

/// An order: what the driver is to do, from [`Engine::poll_output`](crate::Engine::poll_output).
///
/// Exhaustive on purpose: an order that a driver does not know is a hang, so a new one is to break
/// its build.
#[derive(Clone, Debug)]
pub enum Output {
    /// Take one more frame from this duplex, when there is one. Ends in [`Input::Received`] or
    /// [`Input::Closed`].
    Receive {
        /// From where.
        connection: ConnectionId,
    },
    /// Write this. Ends in [`Input::Written`] or [`Input::Closed`]; until then there is no other
    /// `Send` for this connection.
    Send {
        /// Where.
        connection: ConnectionId,
        /// What.
        batch: Batch,
    },
    /// End this connection, also if something is still being written. Ends in [`Input::Closed`]; if
    /// what was being written is on the wire after all, [`Input::Written`] comes before that, or in
    /// its place on an exchange: else a client would get events again that it has.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why: the status of a response, the code of a close frame.
        reason: CloseReason,
    },
    /// Ask the store. Ends in [`Input::Stored`].
    Store {
        /// To be named in the reply.
        ticket: StoreTicket,
        /// What.
        request: StoreRequest,
    },
    /// Ask the application. Ends in [`Input::Decided`].
    Decide {
        /// To be named in the verdict.
        ticket: DecisionTicket,
        /// What, and whom.
        question: Box<Question>,
    },
    /// The answer to an [`Input::Called`].
    Return {
        /// Which.
        ticket: CallTicket,
        /// How.
        result: CallResult,
    },
    /// News for the application; wants no answer.
    Report(Report),
}

/// What kind of connection messages travel on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// An HTTP POST and its response (sections 18 and 19).
    LongPolling,
    /// An HTTP GET whose response is a script (CB-1).
    CallbackPolling,
    /// A websocket (WS-1).
    WebSocket,
}

impl Transport {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::LongPolling, Self::CallbackPolling, Self::WebSocket];

    /// Its name in `supportedConnectionTypes`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LongPolling => "long-polling",
            Self::CallbackPolling => "callback-polling",
            Self::WebSocket => "websocket",
        }
    }

    /// Whether a connection of this kind is an exchange: one reply, then over.
    #[must_use]
    pub const fn is_exchange(self) -> bool {
        match self {
            Self::LongPolling | Self::CallbackPolling => true,
            Self::WebSocket => false,
        }
    }
}

/// Who is at the other end of a connection, as far as the driver knows.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The client's address. `None` exempts it from the limits per address, as is right for
    /// loopback and for trusted proxies that name no client.
    pub address: Option<IpAddr>,
    /// The browser cookie, if one of our shape came (DE-5).
    pub browser: Option<BrowserId>,
    /// Whether the request came over TLS.
    pub secure: bool,
    /// Which HTTP it came by, for the limits of BR-7.
    pub http: HttpVersion,
    /// What else deciders may want to know; `None` if nobody will ask.
    pub details: Option<Arc<PeerDetails>>,
}

/// Which HTTP a request came by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HttpVersion {
    /// HTTP/1.0 or 1.1: browsers have few connections to one host.
    #[default]
    One,
    /// HTTP/2: one connection for all.
    Two,
}

/// What deciders may want to know of a request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PeerDetails {
    /// The `Origin` header.
    pub origin: Option<Box<str>>,
    /// The path of the request.
    pub path: Box<str>,
    /// The headers that the driver was told to select, names in lower case; cookies among them.
    pub headers: Box<[(Box<str>, Box<str>)]>,
}

impl fmt::Debug for PeerDetails {
    /// Of the headers the names alone: what they say may be a secret, as a cookie is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.headers.iter().map(|(name, _)| name);
        f.debug_struct("PeerDetails")
            .field("origin", &self.origin)
            .field("path", &self.path)
            .field("headers", &names.collect::<SmallVec<[_; 8]>>())
            .finish()
    }
}

/// What to write: one frame or more for a duplex, the one body for an exchange.
#[derive(Clone, Default)]
pub struct Batch {
    pub(crate) frames: SmallVec<[Bytes; 1]>,
    pub(crate) cookie: Option<BrowserId>,
    pub(crate) last: bool,
}

impl Batch {
    /// The frames in order, each a JSON array. An exchange has exactly one.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.frames.iter()
    }

    /// The browser cookie to set with the response (BR-1).
    #[must_use]
    pub const fn cookie(&self) -> Option<BrowserId> {
        self.cookie
    }

    /// Whether the HTTP connection should not be used again, the server being about to stop
    /// (DE-7).
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.last
    }
}

impl fmt::Debug for Batch {
    /// Without what the frames say: there are secrets among it, such as the session of a handshake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.frames.iter().map(Bytes::len);
        f.debug_struct("Batch")
            .field("bytes", &sizes.collect::<SmallVec<[usize; 4]>>())
            .field("cookie", &self.cookie)
            .field("last", &self.last)
            .finish()
    }
}

/// Why the engine ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CloseReason {
    /// A newer connect of the same session has come (CN-9). HTTP:
    /// `duplicateMetaConnectHttpResponseCode`.
    Duplicate,
    /// The session was swept, or ended because its queue was full (CN-13).
    SessionOver,
    /// Its session moves to another connection, and what was sent on this one is not yet written.
    Superseded,
    /// The store is away, and this connect cannot be served without (ER-7).
    Unavailable,
    /// A duplex stays unused after its session was disconnected (DE-8).
    Idle,
    /// The driver handed over a frame that it was not asked for.
    Unasked,
    /// A limit of the process was reached.
    Limit,
    /// The server stops.
    Shutdown,
}

impl CloseReason {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Duplicate,
        Self::SessionOver,
        Self::Superseded,
        Self::Unavailable,
        Self::Idle,
        Self::Unasked,
        Self::Limit,
        Self::Shutdown,
    ];

    /// Its name, for metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::SessionOver => "session_over",
            Self::Superseded => "superseded",
            Self::Unavailable => "unavailable",
            Self::Idle => "idle",
            Self::Unasked => "unasked",
            Self::Limit => "limit",
            Self::Shutdown => "shutdown",
        }
    }

    /// The status of the response to an exchange; `duplicate` is
    /// `duplicateMetaConnectHttpResponseCode`.
    #[must_use]
    pub const fn http_status(self, duplicate: u16) -> u16 {
        match self {
            Self::Duplicate | Self::Superseded => duplicate,
            Self::SessionOver | Self::Unavailable | Self::Shutdown | Self::Limit => 503,
            Self::Idle | Self::Unasked => 400,
        }
    }

    /// The code of the close frame to a duplex (WS-12, DE-17).
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Duplicate | Self::Superseded | Self::SessionOver | Self::Idle => 1000,
            Self::Shutdown => 1001,
            Self::Unasked | Self::Limit => 1008,
            Self::Unavailable => 1013,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use smallvec::smallvec;

    use super::*;

    #[test]
    fn nobody_reads_a_secret_in_a_trace_of_orders() {
        let batch = Batch {
            frames: smallvec![Bytes::from_static(br#"[{"clientId":"secret"}]"#)],
            ..Batch::default()
        };
        let details = PeerDetails {
            headers: [("cookie".into(), "secret".into())].into(),
            ..PeerDetails::default()
        };

        let trace = format!("{batch:?} {details:?}");

        assert!(trace.contains("23") && trace.contains("cookie"), "{trace}");
        assert!(!trace.contains("secret"), "{trace}");
    }
}
