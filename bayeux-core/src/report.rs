//! What the engine tells the application unasked, and what it counts.

use crate::channel::ChannelPattern;
use crate::id::SessionId;
use crate::store::Position;
use crate::time::Instant;

/// News for the application.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// When.
    pub at: Instant,
    /// What.
    pub kind: ReportKind,
}

/// What a [`Report`] is about.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum ReportKind {
    /// A handshake succeeded, or the application opened a session.
    SessionCreated(SessionId),
    /// A session's first connect was accepted.
    SessionConnected(SessionId),
    /// A session is no longer on this engine.
    SessionRemoved(SessionId, Removal),
    /// A channel has come into being on this engine.
    ChannelCreated(ChannelPattern),
    /// A channel has vanished from this engine (CH-13).
    ChannelRemoved(ChannelPattern),
    /// A session has subscribed.
    Subscribed(SessionId, ChannelPattern),
    /// A session has unsubscribed.
    Unsubscribed(SessionId, ChannelPattern),
    /// An entry has its place in the log. Only with [`Reports::messages`].
    Published(Option<SessionId>, Position),
    /// An event was written to a session's connection. Only with [`Reports::messages`].
    Delivered(SessionId, Position),
    /// An event was dropped because a session's queue was full. Only with [`Reports::messages`].
    Dropped(SessionId, Position),
    /// A promise of the engine to itself does not hold: a fault of ours, worth a bug report.
    Broken(&'static str),
    /// What [`Input::Draining`](crate::Input::Draining) asked for is done: connects are answered,
    /// sessions are given back to the store. What is under way on exchanges may still be written.
    Drained,
}

/// Why a session was removed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Removal {
    /// It asked for it (DC-1).
    Disconnected,
    /// The application asked for it (DC-5).
    DisconnectedByServer,
    /// It did not come back in time (TM-6).
    Expired,
    /// Its message handlers never finished (TM-7).
    Stuck,
    /// Its queue was full (QU-5).
    QueueFull,
    /// It was inactive for too long (EX-3).
    Inactive,
    /// It was admitted until then (HS-18).
    Lapsed,
    /// Another engine has claimed it.
    Taken,
    /// It was released for other engines.
    Released,
    /// The log lost entries that it had not received yet.
    Gap,
    /// The log went too far for its acknowledgement numbers (AK-4).
    Outrun,
}

impl Removal {
    /// All there are.
    pub const ALL: [Self; 11] = [
        Self::Disconnected,
        Self::DisconnectedByServer,
        Self::Expired,
        Self::Stuck,
        Self::QueueFull,
        Self::Inactive,
        Self::Lapsed,
        Self::Taken,
        Self::Released,
        Self::Gap,
        Self::Outrun,
    ];

    /// Its name, for metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::DisconnectedByServer => "disconnected_by_server",
            Self::Expired => "expired",
            Self::Stuck => "stuck",
            Self::QueueFull => "queue_full",
            Self::Inactive => "inactive",
            Self::Lapsed => "lapsed",
            Self::Taken => "taken",
            Self::Released => "released",
            Self::Gap => "gap",
            Self::Outrun => "outrun",
        }
    }
}

/// Which reports are wanted beside those of sessions and channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reports {
    /// One for each event published, delivered and dropped.
    pub messages: bool,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// What an engine has counted since it began. Always kept; never goes down.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Every counter with its name, for metrics.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            /// The sum with those of another engine.
            #[must_use]
            pub const fn plus(self, other: &Self) -> Self {
                Self { $($name: self.$name + other.$name),* }
            }
        }
    };
}

counters! {
    /// Facts handled.
    facts
    /// Facts about something already gone.
    facts_ignored
    /// Messages received.
    messages_received
    /// Messages refused with an error, those among them that name a channel which is too long, too
    /// deep, reserved or no channel at all.
    messages_refused
    /// Connections refused by a limit.
    connections_limited
    /// Handshakes that succeeded.
    handshakes
    /// Handshakes refused, for whatever reason.
    handshakes_refused
    /// Handshakes refused by a limit.
    handshakes_limited
    /// Sessions removed for whatever reason.
    sessions_removed
    /// Sessions that expired.
    sessions_expired
    /// Sessions ended because their queue was full.
    sessions_overflowed
    /// Sessions claimed from another engine.
    sessions_claimed
    /// Sessions that another engine claimed from this one.
    sessions_taken
    /// Sessions whose admission came to its end (HS-18).
    sessions_lapsed
    /// Connects held.
    connects_held
    /// Connects overtaken by a newer one, held or still worked on.
    connects_overtaken
    /// Connects answered at once because the browser holds another (BR-8).
    connects_multiple
    /// Subscriptions refused by a limit.
    subscriptions_limited
    /// Channels refused by a limit.
    channels_limited
    /// Entries published through this engine.
    published
    /// Entries of the log seen.
    entries_seen
    /// Events queued for sessions.
    events_queued
    /// Events written to connections.
    events_written
    /// Events returned to their queue because the connection closed first.
    events_requeued
    /// Events sent again because they were not acknowledged.
    events_resent
    /// Events dropped because a queue was full, or by an extension of their session.
    events_dropped
    /// Events dropped with their session.
    events_discarded
    /// Messages forwarded to their owner.
    forwarded
    /// Questions asked of deciders.
    decisions
    /// Deciders that did not answer in time.
    decisions_late
    /// Requests to the store that it did not answer in time.
    store_late
    /// Requests that the store refused or failed.
    store_failed
    /// Frames handed over unasked.
    frames_unasked
}
