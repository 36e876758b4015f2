//! What was said before an engine listened: from the ring if that has it, from Redis a page at a time if not.

use bayeux_core::{Entry, Interest, StoredSubscription};
use redis::Value;

use super::*;
use crate::codec::Unreadable;
use crate::reply;

/// How many entries a page has.
const PAGE: usize = 500;

/// A read under way.
pub(super) struct Reading {
    pub(super) asker: Asker,
    pub(super) session: SessionId,
    pub(super) subscriptions: Vec<StoredSubscription>,
    /// The last entry that was looked at.
    pub(super) after: Position,
    pub(super) until: Position,
    pub(super) limit: usize,
    pub(super) found: Vec<Entry>,
}

impl RedisStore {
    pub(super) fn read(&mut self, reading: Reading) {
        let Reading {
            asker,
            session,
            after,
            until,
            limit,
            ..
        } = reading;
        if after >= until {
            self.seats.reply(asker, StoreReply::Entries(Vec::new()));
            return;
        }
        let range = (after, until);
        match self
            .ring
            .read(session, &reading.subscriptions, range, limit)
        {
            Some(entries) => {
                let reply = entries.map_or(StoreReply::Gap, StoreReply::Entries);
                self.seats.reply(asker, reply);
            }
            None => self.read_page(reading),
        }
    }

    fn read_page(&mut self, reading: Reading) {
        let number = self.number();
        let mut words = self.names.call(Script::Read, &[&self.keys.log]);
        words
            .arg(self.entry_id(reading.after.plus(1)).to_string())
            .arg(self.entry_id(reading.until).to_string())
            .arg(PAGE);
        self.reads.insert(number, reading);
        self.order(Purpose::Read(number), words);
    }

    /// What Redis calls the entry at a position.
    fn entry_id(&self, position: Position) -> EntryId {
        let position = position.number();
        let epoch = self.log.epochs.range(..=position).next_back();
        EntryId {
            epoch: epoch.map_or(0, |(_, epoch)| *epoch),
            position,
        }
    }

    pub(super) fn page_came(&mut self, number: u64, page: Value) -> Result<(), Unreadable> {
        let Some(mut reading) = self.reads.remove(&number) else {
            return Ok(());
        };
        let [oldest, entries] = reply::exactly(page)?;
        let oldest = reply::stream(oldest)?;
        // Everything after this one is there.
        let begin = match oldest.first() {
            Some(oldest) => match oldest.field("m") {
                Some(before) => reply::parse(before).unwrap_or(oldest.id()?.position),
                None => oldest.id()?.position.saturating_sub(1),
            },
            None => self.ring.end().number(),
        };
        if reading.after.number() < begin {
            self.seats.reply(reading.asker, StoreReply::Gap);
            return Ok(());
        }
        let entries = reply::stream(entries)?;
        let is_full = entries.len() == PAGE;
        let interest = Interest::new(reading.session, &reading.subscriptions);
        for came in entries {
            let id = came.id()?;
            reading.after = Position::new(id.position);
            let Some(entry) = came.field("e") else {
                continue;
            };
            let Ok(stored) = entry::decode(entry.clone()) else {
                self.counts.unreadable += 1;
                continue;
            };
            if interest.covers(&stored.to, reading.after) {
                reading.found.push(stored.at(id.position));
            }
        }
        let Reading {
            asker,
            limit,
            found,
            ..
        } = &mut reading;
        if found.len() > *limit {
            self.seats.reply(*asker, StoreReply::Gap);
        } else if is_full {
            self.read_page(reading);
        } else {
            let found = std::mem::take(found);
            self.seats.reply(*asker, StoreReply::Entries(found));
        }
        Ok(())
    }

    pub(super) fn reads_failed(&mut self) {
        for (_, reading) in std::mem::take(&mut self.reads) {
            self.seats.reply(reading.asker, StoreReply::Failed);
        }
    }
}
