//! The words spoken with a store: one ordered log of entries, and a table of sessions.
//!
//! The store is a peer of the engine, not a trait it calls. A request goes out as
//! [`Output::Store`](crate::Output) with a ticket; its reply comes back as
//! [`Input::Stored`](crate::Input) with the same ticket, in any order, late, failed or never (the
//! engine holds the deadline). What a store says unasked is a [`Notice`]. One invariant carries
//! everything: every engine sees all entries of the log in the order of their positions.

mod access;
mod interest;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::channel::{ChannelName, ChannelPattern};
use crate::decision::Identity;
use crate::id::{BrowserId, ForwardTicket, SessionId};
use crate::io::{Peer, Transport};
use crate::message::{Event, Messages, Payload};

pub use self::access::Access;
pub use self::interest::Interest;

/// A place in the log: a rising integer, dense within one life of the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(u64);

impl Position {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);

    /// The position with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// How far this is beyond `start`; 0 if it is not.
    #[must_use]
    pub const fn since(self, start: Self) -> u64 {
        self.0.saturating_sub(start.0)
    }

    /// The position `count` further.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// How often a session has changed hands: a write under an older fence is refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Fence(pub u64);

/// Whom an entry is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// All who are subscribed to the channel: a publish.
    Channel(ChannelName),
    /// One session, whatever it is subscribed to: a delivery.
    Session(SessionId),
}

/// Whether an event may wait for company before it wakes its receiver (QU-6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Laziness {
    /// Leaves at once.
    #[default]
    Prompt,
    /// Leaves with the next response, or after the lazy timeout of its channel.
    Lazy,
}

/// An entry on its way into the log.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// The session that published it, if one did.
    pub origin: Option<SessionId>,
    /// The origin's fence, so that a session that was taken over cannot publish from its old node.
    pub fence: Option<Fence>,
    /// Whom it is for.
    pub to: Destination,
    /// What they receive, encoded once.
    pub event: Event,
    /// Whether it may wait.
    pub laziness: Laziness,
    /// Whether `origin` receives its own event (PB-7).
    pub echo: Echo,
}

/// Whether a publisher that is subscribed receives its own event (PB-7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Echo {
    /// It does.
    #[default]
    ToPublisher,
    /// It does not.
    ToOthers,
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// The session that published it, if one did.
    pub origin: Option<SessionId>,
    /// Whom it is for.
    pub to: Destination,
    /// What they receive.
    pub event: Event,
    /// Whether it may wait.
    pub laziness: Laziness,
    /// Whether `origin` receives its own event.
    pub echo: Echo,
}

/// A subscription as the store keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSubscription {
    /// What is subscribed to.
    pub pattern: ChannelPattern,
    /// Entries after this position are for the session.
    pub since: Position,
}

/// What was agreed with a session at its handshake; it goes with the session from node to node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionSettings {
    /// Acknowledged delivery (AK-1).
    pub acknowledged: bool,
    /// Events travel with connect replies only (QU-4); `None`: as the transport has it.
    pub deliver_only: Option<bool>,
    /// Its own longest hold.
    pub timeout: Option<Duration>,
    /// Its own wait between connects.
    pub interval: Option<Duration>,
    /// Its own grace between a reply and the next connect.
    pub max_interval: Option<Duration>,
    /// Whether it receives what it publishes; `None`: as the server has it.
    pub echo: Option<Echo>,
    /// The deciders that see each of its events before it leaves (PL-10).
    pub outgoing: Vec<crate::DeciderId>,
    /// Who is behind it (HS-18).
    pub identity: Option<Identity>,
    /// Until when it was admitted, as the time since 1970-01-01 00:00 UTC; its client is then told to
    /// handshake (HS-18). `None`: for as long as it comes back.
    pub until: Option<Duration>,
}

/// A session as the store keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRecord {
    /// Its name.
    pub session: SessionId,
    /// How often it has changed hands.
    pub fence: Fence,
    /// The browser it is bound to.
    pub browser: Option<BrowserId>,
    /// Whether that binding holds already: the cookie has come back once (DE-5).
    pub bound: bool,
    /// What was agreed with it.
    pub settings: Arc<SessionSettings>,
    /// The log's position at its handshake: its acknowledgement numbers count from here.
    pub start: Position,
    /// Where its last owner let go of it, or had it taken; `None` if that owner died, or has not said.
    pub released: Option<Position>,
    /// Where the log ended when the session was claimed: its last owner may have delivered up to here.
    /// The store sets it with each claim.
    pub end: Position,
    /// What it is subscribed to.
    pub subscriptions: Vec<StoredSubscription>,
}

impl SessionRecord {
    /// A session from the beginning of the log, in its first hands, with nothing agreed and no
    /// subscription.
    #[must_use]
    pub fn new(session: SessionId) -> Self {
        Self {
            session,
            fence: Fence(1),
            browser: None,
            bound: false,
            settings: Arc::default(),
            start: Position::ZERO,
            released: None,
            end: Position::ZERO,
            subscriptions: Vec::new(),
        }
    }
}

/// What the engine asks of the store. Each ends in an [`Input::Stored`](crate::Input).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreRequest {
    /// Keep a new session. Ends in [`StoreReply::Done`].
    Open(Box<SessionRecord>),
    /// Make this engine the owner of a session that it does not have. Ends in
    /// [`StoreReply::Claimed`] or [`StoreReply::Unknown`]; the former owner gets
    /// [`Notice::Taken`]. A session that does not [admit](SessionRecord::admits) `access` stays where it
    /// is, and is `Unknown` too. After [`StoreReply::Failed`] it is not the owner: a store that cannot say
    /// whether it was done leaves the session without one as soon as it can.
    Claim {
        /// Which.
        session: SessionId,
        /// For whom.
        access: Access,
    },
    /// Note that the cookie of this browser has come back for a session: from now on its record is
    /// `bound`, to this browser (BR-4, BR-13). Asked for once in the life of a session, and again if it
    /// failed; a store that loses that alone mends it by itself. Ends in [`StoreReply::Done`] or [`StoreReply::Fenced`].
    Bind {
        /// Which.
        session: SessionId,
        /// Under which fence.
        fence: Fence,
        /// To whom.
        browser: BrowserId,
    },
    /// Add subscriptions to a session's record; an older `since` stays. Ends in
    /// [`StoreReply::Done`] or [`StoreReply::Fenced`].
    Subscribe {
        /// Whose.
        session: SessionId,
        /// Under which fence.
        fence: Fence,
        /// To what.
        patterns: Vec<ChannelPattern>,
        /// From which position on.
        since: Position,
    },
    /// Take subscriptions from a session's record. Ends as `Subscribe` does.
    Unsubscribe {
        /// Whose.
        session: SessionId,
        /// Under which fence.
        fence: Fence,
        /// From what.
        patterns: Vec<ChannelPattern>,
    },
    /// Add an entry to the log. Those of one engine get positions in the order in which they were
    /// asked for. Ends in [`StoreReply::Appended`] or [`StoreReply::Fenced`].
    Append(Box<NewEntry>),
    /// Give the entries after `after`, up to and with `until`, that are for this session. Ends in
    /// [`StoreReply::Entries`], or in [`StoreReply::Gap`] if some of them are no longer kept.
    Read {
        /// Whose (deliveries to it count too).
        session: SessionId,
        /// Its subscriptions.
        subscriptions: Vec<StoredSubscription>,
        /// The last position it has.
        after: Position,
        /// The last position wanted.
        until: Position,
        /// How many entries are worth having: more would not fit the session's queue, and end in
        /// [`StoreReply::Gap`] too.
        limit: usize,
    },
    /// Hand messages to the owner of their session. Ends in [`StoreReply::Answered`],
    /// [`StoreReply::Unknown`], or [`StoreReply::Unowned`] if the owner is dead: whoever asked then claims
    /// the session and does what the messages say. So this must not be said of messages that the owner
    /// may have seen; those end in [`StoreReply::Failed`].
    Forward {
        /// Whose messages.
        session: SessionId,
        /// The messages.
        messages: Messages,
        /// Who sent them.
        peer: Peer,
        /// What they came by.
        transport: Transport,
    },
    /// Answer what came as [`Notice::Forwarded`]. Ends in [`StoreReply::Done`].
    Answer {
        /// Which.
        forward: ForwardTicket,
        /// The replies, each an encoded message.
        replies: Vec<Payload>,
    },
    /// Send back what came as [`Notice::Forwarded`]: this engine does not have that session any
    /// more. Who forwarded it is told [`StoreReply::Unowned`]. Ends in [`StoreReply::Done`].
    Refuse {
        /// Which.
        forward: ForwardTicket,
    },
    /// Let go of a session, for any engine to claim. Ends in [`StoreReply::Done`].
    Release {
        /// Which.
        session: SessionId,
        /// Under which fence.
        fence: Fence,
        /// The last position it has received.
        cursor: Position,
    },
    /// Say how far a session had come that was [`Taken`](Notice::Taken), for its new owner to go on from
    /// there. A store that can waits for this, a moment at the most, before it answers the claim: it
    /// is `released` then. Said of sessions without acknowledgement. Ends in [`StoreReply::Done`].
    Part {
        /// Which.
        session: SessionId,
        /// The new owner's fence.
        fence: Fence,
        /// The last position that was sent to it.
        cursor: Position,
    },
    /// Forget a session. Ends in [`StoreReply::Done`].
    End {
        /// Which.
        session: SessionId,
        /// Under which fence.
        fence: Fence,
    },
}

/// How the store answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreReply {
    /// It is written.
    Done,
    /// The entry has this position.
    Appended(Position),
    /// The session is this engine's now.
    Claimed(Box<SessionRecord>),
    /// There is no such session, or none that may be claimed so.
    Unknown,
    /// There is, but its owner is dead: claim it.
    Unowned,
    /// Another engine has claimed that session since: nothing was written.
    Fenced,
    /// The entries asked for, in order.
    Entries(Vec<Entry>),
    /// Some of the entries asked for are no longer kept.
    Gap,
    /// The owner's replies to forwarded messages.
    Answered(Vec<Payload>),
    /// The store could not do it. It may or may not have been done. That a session has ended or was
    /// released is then said again until it is done, as is what it is not subscribed to.
    Failed,
}

/// What the store says unasked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The next entries of the log, in order and without a hole.
    Entries(Vec<Entry>),
    /// Another engine has claimed this session: drop it, and send nothing more to it. It comes before
    /// every entry that was appended after the claim: an engine that does not know of it would take for
    /// delivered, by its number, what only the new owner's subscriptions bring.
    Taken {
        /// Which.
        session: SessionId,
        /// The new owner's fence; a session held under this fence or a later one is not meant.
        fence: Fence,
    },
    /// Messages of a session of this engine that reached another one.
    Forwarded {
        /// To be named in the answer.
        forward: ForwardTicket,
        /// Whose messages.
        session: SessionId,
        /// The messages.
        messages: Messages,
        /// Who sent them.
        peer: Peer,
        /// What they came by.
        transport: Transport,
    },
    /// The store cannot be reached: holds stay held, expiry stands still, what needs the store
    /// fails at once.
    Down,
    /// The store can be reached (again). Sessions that were claimed meanwhile have been named in
    /// [`Notice::Taken`] before.
    Up {
        /// The position that the next [`Notice::Entries`] follow on.
        position: Position,
    },
    /// The log was lost, or the end of it: what clients knew of positions is worth nothing, and no
    /// session from before can be claimed. Replies to what was asked before are not believed any more.
    Reset {
        /// Where the new log begins.
        position: Position,
    },
}
