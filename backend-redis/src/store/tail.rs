//! What comes by itself: the log, and the inbox of this node.
//!
//! Letters are looked at before entries: an engine hears that a session was taken before anything that was
//! appended later.

use redis::Value;

use super::*;
use crate::codec::Unreadable;
use crate::letter::Letter;
use crate::reply::{self, StreamEntry};

/// How many entries, and how many letters, are asked for at once.
const MOST: usize = 512;

/// How often the log is read under load: once in this time.
///
/// Whoever waits for an entry costs Redis many times what it costs to give him one more, and each node waits. Under load
/// entries come this much later, and so more of them together.
const PACE: Duration = Duration::from_millis(2);

/// How much sooner than at that pace it is read after a silence, so that nothing waits without load.
const AHEAD: Duration = PACE.saturating_mul(10);

impl RedisStore {
    /// The command that waits for what comes next; `None` while there is nothing to wait for.
    pub(crate) fn tail_command(&self) -> Option<Cmd> {
        if !self.link.is_up() {
            return None;
        }
        let mut words = redis::cmd("XREAD");
        words
            .arg("COUNT")
            .arg(MOST)
            .arg("BLOCK")
            .arg(millis(self.options.beat()))
            .arg("STREAMS")
            .arg(&*self.keys.log)
            .arg(self.keys.inbox(&self.node))
            .arg(self.log.tail.to_string())
            .arg(self.log.letter.as_deref().unwrap_or("0"));
        Some(words)
    }

    /// What came; gives how long to wait before more is asked for. What came too late, a lease having passed, is asked
    /// for again.
    pub(crate) fn tailed(&mut self, now: Instant, came: Value) -> Result<Duration, Unreadable> {
        self.pass(now);
        if !self.link.is_up() {
            return Ok(Duration::ZERO);
        }
        let (mut entries, mut letters) = (Vec::new(), Vec::new());
        for (name, stream) in reply::streams(came)? {
            if *name == *self.keys.log.as_bytes() {
                entries = stream;
            } else {
                letters = stream;
            }
        }
        let (is_late, is_cut) = (entries.len() >= MOST, letters.len() >= MOST);
        let is_paced = letters.is_empty() && !entries.is_empty() && !is_late;
        self.letters_came(letters);
        // There may be letters that are older than these entries.
        if !is_cut {
            self.entries_came(entries)?;
        }
        Ok(if is_paced {
            self.pause()
        } else {
            Duration::ZERO
        })
    }

    /// How long after this read of the log the next one is due.
    fn pause(&mut self) -> Duration {
        self.paced = self.paced.max(self.now) + PACE;
        self.paced.saturating_duration_since(self.now + AHEAD)
    }

    fn letters_came(&mut self, letters: Vec<StreamEntry>) {
        let mut done = Vec::new();
        for came in letters {
            let id = String::from_utf8_lossy(&came.id).into_owned();
            self.log.letter = Some(id.clone());
            let shard = came.field("s").map(|shard| reply::parse(shard));
            let shard = shard
                .and_then(Result::ok)
                .and_then(|shard| u32::try_from(shard).ok());
            let letter = came.field("l").map(|letter| letter::decode(letter.clone()));
            let (Some(shard), Some(Ok(letter))) = (shard, letter) else {
                self.counts.unreadable += 1;
                done.push(id);
                continue;
            };
            match letter {
                Letter::Forward { .. } => {
                    if let Some(seat) = self.seats.get_mut(shard) {
                        seat.letters.push_back(Waiting { id, letter });
                        self.seats.wake(shard);
                    }
                    continue;
                }
                Letter::Answer { number, replies } => match replies {
                    Some(replies) => self.settled(number, StoreReply::Answered(replies)),
                    None => self.refused(number),
                },
                Letter::Taken { session, fence, by } => {
                    self.is_asked_to_part(session, fence, by);
                    self.taken((session, shard), fence);
                }
                Letter::Parting {
                    session,
                    fence,
                    cursor,
                } => self.heard_parting(session, fence, cursor),
            }
            done.push(id);
        }
        let done: Vec<_> = done.iter().map(|id| &**id).collect();
        self.discard(&self.keys.inbox(&self.node), &done);
    }

    /// A session of an engine here was claimed.
    pub(super) fn taken(&mut self, holding: Holding, fence: Fence) {
        self.parted_before(holding, fence);
        if let Some(coming) = self.coming.get_mut(&holding) {
            // It is on its way here and gone again: the engine hears of both in order.
            coming.gone = coming.gone.max(Some(fence));
        }
        if self
            .owned
            .get(holding)
            .is_some_and(|hold| hold.fence < fence)
        {
            self.owned.remove(holding);
            self.counts.taken += 1;
            self.seats.taken(holding.1, holding.0, fence);
        }
    }

    /// Redis has a session no more that an engine here has: nobody's is what it is under the next fence.
    pub(super) fn vanished(&mut self, holding: Holding) {
        if let Some(hold) = self.owned.get(holding) {
            self.taken(holding, Fence(hold.fence.0 + 1));
        }
    }

    fn entries_came(&mut self, entries: Vec<StreamEntry>) -> Result<(), Unreadable> {
        if entries.is_empty() {
            return Ok(());
        }
        for came in entries {
            let id = came.id()?;
            if let Some(before) = came.field("m") {
                self.epoch_began(id, reply::parse(before).ok());
                if !self.link.is_up() {
                    return Ok(());
                }
                continue;
            }
            if id.position != self.log.tail.position + 1 {
                self.ring.miss_to(Position::new(id.position - 1));
            }
            self.heard(id);
            match came.field("e").map(|entry| entry::decode(entry.clone())) {
                Some(Ok(stored)) => {
                    if stored.author == self.author {
                        self.appended(stored.number, id);
                    }
                    let entry = stored.at(id.position);
                    self.ring.push(self.now, entry, &self.options);
                }
                Some(Err(Unreadable)) | None => {
                    self.counts.unreadable += 1;
                    self.ring.skip_to(Position::new(id.position));
                }
            }
        }
        self.seats.wake_all();
        Ok(())
    }

    /// Somebody found another Redis than before, or the log lost, or its end.
    fn epoch_began(&mut self, id: EntryId, before: Option<u64>) {
        // What was read here may be what was lost.
        let Some(before) = before.filter(|before| *before >= self.log.tail.position) else {
            self.rejoin();
            return;
        };
        if before > self.log.tail.position {
            self.ring.miss_to(Position::new(id.position));
        } else {
            self.ring.skip_to(Position::new(id.position));
        }
        self.log.epoch = self.log.epoch.max(id.epoch);
        self.log.epochs.insert(id.position, id.epoch);
        self.heard(id);
    }

    fn heard(&mut self, id: EntryId) {
        self.log.tail = id;
        self.log.known = self.log.known.max(id);
    }

    /// An append is done.
    pub(super) fn appended(&mut self, number: u64, id: EntryId) {
        self.log.known = self.log.known.max(id);
        if let Some(asker) = self.appends.remove(&number) {
            self.seats
                .reply(asker, StoreReply::Appended(Position::new(id.position)));
        }
    }
}
