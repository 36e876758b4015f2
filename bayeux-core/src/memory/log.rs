//! The ring of entries. The entry at index `i` has the position `first + i`, so no position is kept.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem::size_of;
use core::time::Duration;

use crate::id::SessionId;
use crate::store::{Destination, Entry, Interest, NewEntry, Position, StoredSubscription};
use crate::time::Instant;

use super::STEP;

/// The newest entries of the log, oldest first.
#[derive(Default)]
pub(super) struct Log {
    ring: VecDeque<Kept>,
    end: Position,
    bytes: usize,
}

/// An entry and when it came. The box is the one that the request brought.
struct Kept {
    at: Instant,
    entry: Box<NewEntry>,
}

impl Kept {
    fn size(&self) -> usize {
        let channel = match &self.entry.to {
            Destination::Channel(name) => name.as_str().len(),
            Destination::Session(_) => 0,
        };
        size_of::<Self>() + size_of::<NewEntry>() + self.entry.event.framed().len() + channel
    }

    fn at(&self, position: Position) -> Entry {
        let entry = &*self.entry;
        Entry {
            position,
            origin: entry.origin,
            to: entry.to.clone(),
            event: entry.event.clone(),
            laziness: entry.laziness,
            echo: entry.echo,
        }
    }
}

impl Log {
    /// Adds `entry` behind the others. The oldest give way until the bounds hold; the new one stays,
    /// however large it is.
    pub(super) fn append(
        &mut self,
        now: Instant,
        entry: Box<NewEntry>,
        max_entries: usize,
        max_bytes: usize,
    ) -> Position {
        let kept = Kept { at: now, entry };
        self.bytes += kept.size();
        self.ring.push_back(kept);
        self.end = self.end.plus(1);
        while self.ring.len() > 1 && (self.ring.len() > max_entries || self.bytes > max_bytes) {
            self.drop_oldest();
        }
        self.end
    }

    /// Whether the oldest entry has been kept for `retention`.
    pub(super) fn is_due(&self, now: Instant, retention: Duration) -> bool {
        self.ring
            .front()
            .is_some_and(|oldest| oldest.at + retention <= now)
    }

    /// Drops a few of the entries, up to and with `until`, that have been kept for `retention`.
    pub(super) fn trim(&mut self, now: Instant, retention: Duration, until: Position) {
        for _ in 0..STEP {
            if self.first() > until || !self.is_due(now, retention) {
                return;
            }
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.ring.pop_front() {
            self.bytes = self.bytes.saturating_sub(oldest.size());
        }
    }

    /// The position of the newest entry there ever was.
    pub(super) fn end(&self) -> Position {
        self.end
    }

    /// The position of the oldest entry that is kept, or of the next one to come.
    fn first(&self) -> Position {
        Position::new(self.end.number() + 1 - self.ring.len() as u64)
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The entries after `after`, up to and with `until`; `None` if some of them are no longer kept.
    fn range(
        &self,
        after: Position,
        until: Position,
    ) -> Option<impl ExactSizeIterator<Item = (Position, &Kept)>> {
        let first = self.first();
        let until = until.min(self.end);
        if after < until && after.plus(1) < first {
            return None;
        }
        let index = |position: Position| usize::try_from(position.plus(1).since(first)).ok();
        let to = index(until)?.min(self.ring.len());
        let from = index(after)?.min(to);
        let start = first.plus(from as u64);
        let position = move |at: usize| start.plus(at as u64);
        Some(
            self.ring
                .range(from..to)
                .enumerate()
                .map(move |(at, kept)| (position(at), kept)),
        )
    }

    /// Up to `most` entries after `after`; `None` if some of them are no longer kept.
    pub(super) fn next(&self, after: Position, most: usize) -> Option<Vec<Entry>> {
        let until = after.plus(most as u64);
        Some(
            self.range(after, until)?
                .map(|(position, kept)| kept.at(position))
                .collect(),
        )
    }

    /// The entries after `after`, up to and with `until`, that are for `session`; `None` if some of
    /// them are no longer kept.
    pub(super) fn read(
        &self,
        session: SessionId,
        subscriptions: &[StoredSubscription],
        (after, until): (Position, Position),
        limit: usize,
    ) -> Option<Vec<Entry>> {
        let interest = Interest::new(session, subscriptions);
        let entries = self.range(after, until)?;
        let wanted = entries.filter(|(position, kept)| interest.covers(&kept.entry.to, *position));
        let mut found = Vec::new();
        for (position, kept) in wanted {
            if found.len() == limit {
                return None;
            }
            found.push(kept.at(position));
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::message::Event;
    use crate::store::{Echo, Laziness};

    fn entry(text: &str) -> Box<NewEntry> {
        Box::new(NewEntry {
            origin: None,
            fence: None,
            to: Destination::Channel("/a".parse().unwrap()),
            event: Event::from_object(text),
            laziness: Laziness::Prompt,
            echo: Echo::ToPublisher,
        })
    }

    fn texts(entries: Option<Vec<Entry>>) -> Option<Vec<String>> {
        let text = |entry: &Entry| String::from_utf8_lossy(entry.event.object()).to_string();
        entries.map(|entries| entries.iter().map(text).collect())
    }

    #[test]
    fn what_is_kept_is_counted_to_the_last_byte() {
        let mut log = Log::default();

        for text in ["{}", "{\"a\":1}", "{}"] {
            log.append(Instant::EPOCH, entry(text), 10, usize::MAX);
        }
        let fixed = size_of::<Kept>() + size_of::<NewEntry>() + "/a".len();
        let framed = "[{}]".len() + "[{\"a\":1}]".len() + "[{}]".len();
        assert_eq!((log.len(), log.bytes()), (3, 3 * fixed + framed));
        log.trim(Instant::EPOCH, Duration::ZERO, log.end());

        assert_eq!((log.len(), log.bytes()), (0, 0));
    }

    #[test]
    fn entries_give_way_one_by_one_beyond_the_bound_on_bytes() {
        let mut log = Log::default();
        log.append(Instant::EPOCH, entry("{}"), 9, usize::MAX);
        let one = log.bytes();

        log.append(Instant::EPOCH, entry("{}"), 9, 2 * one);
        assert_eq!(log.len(), 2);
        log.append(Instant::EPOCH, entry("{}"), 9, 3 * one - 1);
        assert_eq!(log.len(), 2);
    }

    #[test]
    fn an_entry_larger_than_the_bound_is_kept_alone() {
        let mut log = Log::default();

        log.append(Instant::EPOCH, entry("{}"), 0, 0);
        log.append(Instant::EPOCH, entry("{\"a\":1}"), 0, 0);

        assert_eq!(
            texts(log.next(Position::new(1), 9)),
            Some(alloc::vec!["{\"a\":1}".into()])
        );
        assert_eq!(texts(log.next(Position::ZERO, 9)), None);
    }

    #[test]
    fn any_two_positions_make_a_range() {
        let mut log = Log::default();
        for _ in 0..5 {
            log.append(Instant::EPOCH, entry("{}"), 3, usize::MAX);
        }
        let all = [0, 1, 2, 3, 4, 5, 6, 7, u64::MAX - 1, u64::MAX];

        for after in all {
            for until in all {
                let found = log.range(Position::new(after), Position::new(until));
                let wanted = after + u64::from(after < u64::MAX)..=until.min(5);
                let kept = wanted
                    .clone()
                    .filter(|position| *position > after && *position > 2);
                let expected = (after >= 2 || after >= until).then(|| kept.count());
                assert_eq!(
                    found.map(|range| range.len()),
                    expected,
                    "({after}, {until}]"
                );
            }
        }
    }
}
