//! What a node is told, in words that the store and the model have in common.

use super::*;

/// What a node is told, in words that the store and the model have in common.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Told {
    Up(u64),
    Reply(u64, Reply),
    Taken(SessionId, u64),
    /// The model's number of the forward.
    Forwarded(usize, SessionId),
    Entries(Vec<Seen>),
    Reset(u64),
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Reply {
    Done,
    Appended(u64),
    Claimed(u64, Option<u64>, Vec<(String, u64)>),
    Unknown,
    Unowned,
    Fenced,
    Entries(Vec<Seen>),
    Gap,
    Answered,
    Failed,
}

/// An entry: its position, where to, by whom.
pub(super) type Seen = (u64, String, Option<SessionId>);

/// What the store said; forwards are numbered by `number`.
pub(super) fn told(input: &Input, number: impl Fn(ForwardTicket) -> usize) -> Told {
    match input {
        Input::Stored { ticket, reply } => Told::Reply(ticket.number(), replied(reply)),
        Input::Notified { notice } => match notice {
            Notice::Entries(entries) => Told::Entries(seen(entries)),
            Notice::Taken { session, fence } => Told::Taken(*session, fence.0),
            Notice::Forwarded {
                forward, session, ..
            } => Told::Forwarded(number(*forward), *session),
            Notice::Up { position } => Told::Up(position.number()),
            Notice::Reset { position } => Told::Reset(position.number()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn replied(reply: &StoreReply) -> Reply {
    match reply {
        StoreReply::Done => Reply::Done,
        StoreReply::Appended(position) => Reply::Appended(position.number()),
        StoreReply::Claimed(record) => {
            let released = record.released.map(Position::number);
            Reply::Claimed(record.fence.0, released, subscribed(&record.subscriptions))
        }
        StoreReply::Unknown => Reply::Unknown,
        StoreReply::Unowned => Reply::Unowned,
        StoreReply::Fenced => Reply::Fenced,
        StoreReply::Entries(entries) => Reply::Entries(seen(entries)),
        StoreReply::Gap => Reply::Gap,
        StoreReply::Answered(_) => Reply::Answered,
        StoreReply::Failed => Reply::Failed,
        other => panic!("{other:?}"),
    }
}

pub(super) fn subscribed(subscriptions: &[StoredSubscription]) -> Vec<(String, u64)> {
    let pair = |kept: &StoredSubscription| (kept.pattern.to_string(), kept.since.number());
    let mut all: Vec<_> = subscriptions.iter().map(pair).collect();
    all.sort();
    all
}

pub(super) fn seen(entries: &[Entry]) -> Vec<Seen> {
    let seen = |entry: &Entry| {
        (
            entry.position.number(),
            format!("{:?}", entry.to),
            entry.origin,
        )
    };
    entries.iter().map(seen).collect()
}
