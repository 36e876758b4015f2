//! The recent part of the log, as every engine of this node reads it.
//!
//! It holds every entry after `begin`, up to and with `end`.

use std::collections::VecDeque;
use std::time::Duration;

use bayeux_core::{Destination, Entry, Instant, Interest, Position, SessionId, StoredSubscription};

use crate::options::Options;

#[derive(Debug, Default)]
pub(super) struct Ring {
    entries: VecDeque<(Instant, Entry)>,
    begin: Position,
    end: Position,
    bytes: usize,
}

impl Ring {
    /// Holds nothing, and goes on after `position`.
    pub(super) fn restart(&mut self, position: Position) {
        *self = Self {
            begin: position,
            end: position,
            ..Self::default()
        };
    }

    pub(super) const fn end(&self) -> Position {
        self.end
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The log goes on after `position`, and nothing was lost.
    pub(super) fn skip_to(&mut self, position: Position) {
        self.end = self.end.max(position);
    }

    /// Entries up to and with `position` were lost.
    pub(super) fn miss_to(&mut self, position: Position) {
        self.restart(position.max(self.end));
    }

    pub(super) fn push(&mut self, now: Instant, entry: Entry, options: &Options) {
        self.end = entry.position;
        self.bytes += size(&entry);
        self.entries.push_back((now, entry));
        while self.entries.len() > 1
            && (self.entries.len() > options.max_entries || self.bytes > options.max_bytes)
        {
            self.drop_oldest();
        }
    }

    /// Drops what is older than `retention`, up to and with `until`.
    pub(super) fn trim(&mut self, now: Instant, retention: Duration, until: Position) {
        let is_old =
            |(at, entry): &(Instant, Entry)| *at + retention <= now && entry.position <= until;
        while self.entries.front().is_some_and(is_old) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, oldest)) = self.entries.pop_front() {
            self.begin = oldest.position;
            self.bytes = self.bytes.saturating_sub(size(&oldest));
        }
    }

    /// Up to `most` entries after `after`; `None` if some of them are no longer here.
    pub(super) fn next(&self, after: Position, most: usize) -> Option<Vec<Entry>> {
        if after < self.begin {
            return None;
        }
        let entries = self.after(after).take(most);
        Some(entries.cloned().collect())
    }

    /// What is for a session of the entries after `after`, up to and with `until`; `None` if they are not
    /// all here, `Some(None)` if there are more than `limit`.
    pub(super) fn read(
        &self,
        session: SessionId,
        subscriptions: &[StoredSubscription],
        (after, until): (Position, Position),
        limit: usize,
    ) -> Option<Option<Vec<Entry>>> {
        if after < self.begin || until > self.end {
            return None;
        }
        let interest = Interest::new(session, subscriptions);
        let wanted = self
            .after(after)
            .take_while(|entry| entry.position <= until)
            .filter(|entry| interest.covers(&entry.to, entry.position));
        let found: Vec<_> = wanted.take(limit.saturating_add(1)).cloned().collect();
        Some((found.len() <= limit).then_some(found))
    }

    fn after(&self, position: Position) -> impl Iterator<Item = &Entry> {
        let at = self
            .entries
            .partition_point(|(_, entry)| entry.position <= position);
        self.entries.range(at..).map(|(_, entry)| entry)
    }
}

/// About how many bytes of memory an entry takes.
fn size(entry: &Entry) -> usize {
    let channel = match &entry.to {
        Destination::Channel(name) => name.as_str().len(),
        Destination::Session(_) => 0,
    };
    size_of::<(Instant, Entry)>() + entry.event.framed().len() + channel
}
