//! What the application may ask of an engine, and how it is answered.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::channel::{ChannelName, ChannelPattern};
use crate::id::{ConnectionId, SessionId};
use crate::io::Transport;
use crate::message::{Extensions, Payload};
use crate::report::Counters;
use crate::store::{Laziness, Position};

/// A call of the application.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Call {
    /// Send an event to all who are subscribed to a channel. Answered with
    /// [`CallResult::Appended`] once the log has it.
    Publish {
        /// To which channel.
        channel: ChannelName,
        /// The event's data.
        data: Payload,
        /// The event's extensions.
        ext: Option<Extensions>,
        /// Whether it may wait for company.
        laziness: Laziness,
    },
    /// Send an event to one session, whatever it is subscribed to (SV-3). Answered as `Publish`.
    Deliver {
        /// To which session.
        session: SessionId,
        /// The event's channel.
        channel: ChannelName,
        /// Its data.
        data: Payload,
        /// Whether it may wait for company.
        laziness: Laziness,
    },
    /// Open a session of the application's own. It never expires (TM-9), no policy applies to it
    /// (PL-9), and its events leave as [`Output::Send`](crate::Output::Send) on `connection`. It
    /// ends with that connection, or with `Disconnect`. Answered with [`CallResult::Opened`].
    Open {
        /// The driver's name for the other end, not used before.
        connection: ConnectionId,
    },
    /// Subscribe a session to a pattern. Answered with [`CallResult::Done`].
    Subscribe {
        /// Which session.
        session: SessionId,
        /// To what.
        pattern: ChannelPattern,
    },
    /// Take a subscription from a session. Answered with [`CallResult::Done`].
    Unsubscribe {
        /// From which session.
        session: SessionId,
        /// Which.
        pattern: ChannelPattern,
    },
    /// Disconnect a session (DC-5). Answered with [`CallResult::Done`].
    Disconnect {
        /// Which.
        session: SessionId,
    },
    /// Hold back what is delivered to a session until the outermost `Flush` (QU-3). Answered with
    /// [`CallResult::Done`].
    Batch {
        /// Which session.
        session: SessionId,
    },
    /// Undo one `Batch`.
    Flush {
        /// Which session.
        session: SessionId,
    },
    /// Give a session timings of its own; `None` leaves that one as it is. What changes during a
    /// hold shows as advice in its reply (CN-16). Answered with [`CallResult::Done`].
    Configure {
        /// Which session.
        session: SessionId,
        /// Its longest hold.
        timeout: Option<Duration>,
        /// Its wait between connects.
        interval: Option<Duration>,
        /// Its grace between a reply and the next connect.
        max_interval: Option<Duration>,
    },
    /// The sessions of this engine, a page at a time. Answered with [`CallResult::Sessions`].
    ListSessions {
        /// Where the last page ended; 0 for the first.
        from: u32,
        /// How many at the most.
        limit: u32,
    },
    /// The channels of this engine, a page at a time. Answered with [`CallResult::Channels`].
    ListChannels {
        /// Where the last page ended; 0 for the first.
        from: u32,
        /// How many at the most.
        limit: u32,
    },
    /// The sessions of this engine that are subscribed to exactly this pattern, a page at a time.
    /// Answered with [`CallResult::Sessions`].
    ListSubscribers {
        /// To what.
        pattern: ChannelPattern,
        /// Where the last page ended; 0 for the first.
        from: u32,
        /// How many at the most.
        limit: u32,
    },
    /// Everything about one session. Answered with [`CallResult::Session`].
    Inspect {
        /// Which.
        session: SessionId,
    },
    /// What has been counted. Answered with [`CallResult::Counters`].
    Count,
}

/// The answer to a [`Call`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CallResult {
    /// It is done.
    Done,
    /// The log has the entry, here.
    Appended(Position),
    /// The session is open.
    Opened(SessionId),
    /// A page of sessions, and where the next begins if there is one.
    Sessions(Vec<SessionId>, Option<u32>),
    /// A page of channels with the number of their subscribers on this engine.
    Channels(Vec<(ChannelPattern, u32)>, Option<u32>),
    /// One session.
    Session(Box<SessionView>),
    /// What has been counted.
    Counters(Box<Counters>),
    /// This engine has no such session.
    Unknown,
    /// A limit forbids it.
    Limited,
    /// The store is away, or did not answer in time.
    Unavailable,
}

/// What is to be seen of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its name.
    pub session: SessionId,
    /// What it is doing.
    pub phase: Phase,
    /// What its last connect came by; `None` before the first, and for a local session.
    pub transport: Option<Transport>,
    /// Whether delivery is acknowledged.
    pub acknowledged: bool,
    /// What it is subscribed to.
    pub subscriptions: Vec<ChannelPattern>,
    /// Events that wait, in number and bytes.
    pub queued: (usize, usize),
    /// Until it expires; `None` if it does not while nothing changes.
    pub expires_in: Option<Duration>,
}

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Handshaken, not yet connected.
    Fresh,
    /// A connect of it is being worked on.
    Connecting,
    /// A connect is held.
    Held,
    /// Between two connects.
    Away,
    /// The application's own.
    Local,
}

impl Phase {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Fresh,
        Self::Connecting,
        Self::Held,
        Self::Away,
        Self::Local,
    ];

    /// Its name, for metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Connecting => "connecting",
            Self::Held => "held",
            Self::Away => "away",
            Self::Local => "local",
        }
    }
}
