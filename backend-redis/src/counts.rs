//! What a store has counted.

use bayeux_core::Position;

/// What a [`RedisStore`](crate::RedisStore) has counted since it began; never goes down, `lag` apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// How often Redis was reached, the first time included.
    pub connects: u64,
    /// How often it was lost.
    pub disconnects: u64,
    /// How often this node was not heard of for so long that others took it for dead.
    pub leases_lapsed: u64,
    /// How often the log was lost.
    pub resets: u64,
    /// Sessions that came to this node.
    pub claims: u64,
    /// Those of them whose former owner had not let go.
    pub takeovers: u64,
    /// Sessions that another node claimed from this one.
    pub taken: u64,
    /// Messages sent on to the owner of their session.
    pub forwards_sent: u64,
    /// Messages that came that way.
    pub forwards_received: u64,
    /// Writes refused under an old fence.
    pub fenced: u64,
    /// Entries and letters that could not be read, and were passed over.
    pub unreadable: u64,
    /// Commands that Redis refused.
    pub errors: u64,
    /// How many entries there were at the last beat that had not come yet.
    pub lag: u64,
}

/// How much of everything a [`RedisStore`](crate::RedisStore) has at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Load {
    /// The position of the newest entry that came.
    pub end: Position,
    /// How many entries are kept here.
    pub entries: usize,
    /// About how much memory these take.
    pub bytes: usize,
    /// The sessions that the engines of this node have.
    pub sessions: usize,
    /// Whether Redis can be reached, answers within a second, and has proved that these are still theirs.
    pub is_there: bool,
}
