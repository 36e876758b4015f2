//! What of the log is for a session.

use alloc::collections::BTreeMap;

use crate::channel::{ChannelName, Wildcard};
use crate::id::SessionId;

use super::{Destination, Position, StoredSubscription};

/// What of the log is for a session, as [`StoreRequest::Read`](super::StoreRequest) means it: for whoever
/// writes a store.
///
/// Subscriptions are kept by the two parts of their patterns, so that a channel looks up the few that
/// could match it and does not try them all.
#[derive(Debug)]
pub struct Interest<'a> {
    session: SessionId,
    patterns: BTreeMap<(&'a str, &'a str), Position>,
}

impl<'a> Interest<'a> {
    /// What a session with these subscriptions wants. Of one pattern that is there twice the older
    /// position counts.
    #[must_use]
    pub fn new(session: SessionId, subscriptions: &'a [StoredSubscription]) -> Self {
        let mut patterns = BTreeMap::new();
        for StoredSubscription { pattern, since } in subscriptions {
            let oldest = patterns.entry(split(pattern.as_str())).or_insert(*since);
            *oldest = (*oldest).min(*since);
        }
        Self { session, patterns }
    }

    /// Whether an entry at `position` is for it.
    #[must_use]
    pub fn covers(&self, to: &Destination, position: Position) -> bool {
        match to {
            Destination::Session(receiver) => *receiver == self.session,
            Destination::Channel(channel) => self.matches(channel, position),
        }
    }

    fn matches(&self, channel: &ChannelName, position: Position) -> bool {
        let covers = |key| {
            let since = self.patterns.get(&key);
            since.is_some_and(|since| *since < position)
        };
        covers(split(channel.as_str()))
            || channel.patterns().any(|parts| match parts.wildcard {
                Wildcard::One => covers((parts.base, "*")),
                Wildcard::Many => covers((parts.base, "**")),
            })
    }
}

fn split(text: &str) -> (&str, &str) {
    text.rsplit_once('/').unwrap_or(("", text))
}
