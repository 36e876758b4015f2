//! Whether Redis is there, and whether this node is still taken for alive.

use redis::{Pipeline, Value};

use super::*;
use crate::codec::Unreadable;
use crate::reply;

/// What is written in `meta`: a node does not touch what another format wrote.
const FORMAT: &str = "2";

/// How many sessions are proved at once.
const PROOFS: usize = 200;

/// Into how many parts the retention is divided: so many samples are kept, and entries that much longer.
const SAMPLES: u32 = 4_096;

/// How many commands are sent at once.
const AT_ONCE: usize = 1_000;

/// How the store stands with Redis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Link {
    /// It cannot be reached.
    Away,
    /// It is being asked where the log is.
    Joining,
    /// It is being asked whether sessions are still ours; so many questions are open.
    Proving(usize),
    /// It has been there since then, without a break.
    Up(Instant),
}

impl Link {
    pub(super) const fn is_up(self) -> bool {
        matches!(self, Self::Up(_))
    }

    /// Whether every node that lives has had the time to say so.
    pub(super) fn may_judge(self, now: Instant, lease: Duration) -> bool {
        matches!(self, Self::Up(since) if since + lease <= now)
    }
}

impl RedisStore {
    /// Redis was reached, and has given the scripts these names.
    pub(crate) fn connected(&mut self, now: Instant, names: Names) {
        self.now = self.now.max(now);
        self.names = names;
        self.counts.connects += 1;
        self.join();
    }

    /// Whether Redis takes its time with what it was asked.
    pub(crate) fn is_silent(&mut self, is_silent: bool) {
        self.is_silent = is_silent;
    }

    /// Redis was lost, and what it had not answered with it.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.is_silent = false;
        if self.link != Link::Away {
            self.counts.disconnects += 1;
        }
        for purpose in std::mem::take(&mut self.in_flight) {
            self.failed(purpose);
        }
        self.suspend();
        for (_, asker) in std::mem::take(&mut self.appends) {
            self.seats.reply(asker, StoreReply::Failed);
        }
        self.reads_failed();
        self.coming.clear();
    }

    /// Nothing more is told of the log, and nothing more asked.
    pub(super) fn suspend(&mut self) {
        self.link = Link::Away;
        for command in std::mem::take(&mut self.out) {
            self.failed(command.purpose);
        }
        self.forwards_failed();
        self.partings_failed();
        let mut down = Vec::new();
        for (shard, seat) in (0..).zip(self.seats.iter_mut()) {
            // They are still in the inbox.
            seat.letters.clear();
            if std::mem::take(&mut seat.is_up) {
                down.push(shard);
            }
        }
        for shard in down {
            self.seats.notify(shard, Notice::Down);
        }
    }

    /// Asks anew where the log is, and nothing else until that is known. A node that leaves does not come back.
    pub(super) fn rejoin(&mut self) {
        if !self.is_closing {
            self.suspend();
            self.join();
        }
    }

    /// Asks where the log is.
    fn join(&mut self) {
        if self.is_closing {
            return;
        }
        self.link = Link::Joining;
        self.lease = self.now + self.options.lease;
        self.lease_number = self.number();
        self.log.letter = None;
        let keys = [
            &*self.keys.meta,
            &self.keys.log,
            &self.keys.lease(&self.node),
            &self.keys.inbox(&self.node),
        ];
        let mut words = self.names.call(Script::Join, &keys);
        // Whoever begins a log names it after his node, with a number that rises.
        let name = format!("{}.{}", self.node, self.lease_number);
        words
            .arg(FORMAT)
            .arg(name)
            .arg(self.log.epoch)
            .arg(self.log.known.epoch)
            .arg(self.log.known.position)
            .arg(millis(self.options.lease))
            .arg(self.lease_number)
            .arg(self.stride())
            .arg(&*self.log.name);
        self.order(Purpose::Join, words);
    }

    /// How far the epochs that this node begins are apart: two Redis that go on after the same entry, each for nodes
    /// of its own, are told apart by that.
    fn stride(&self) -> u64 {
        let [one, two, ..] = self.author;
        u64::from(u16::from_le_bytes([one, two])) + 1
    }

    pub(super) fn joined(&mut self, reply: Value) -> Result<(), Unreadable> {
        let [epoch, last, meta] = reply::exactly(reply)?;
        let (epoch, last) = (reply::number(epoch)?, reply::number(last)?);
        let mut name = Box::default();
        self.log.epochs.clear();
        let meta = reply::flat(meta)?;
        for (field, value) in reply::pairs(&meta) {
            if **field == *b"log" {
                name = (**value).into();
            } else if let Some(epoch) = field.strip_prefix(b"e")
                && let (Ok(epoch), Ok(begin)) = (reply::parse(epoch), reply::parse(value))
            {
                self.log.epochs.insert(begin, epoch);
            }
        }
        self.log.epoch = epoch;
        let tail = EntryId {
            epoch,
            position: last,
        };
        let before = std::mem::replace(&mut self.log.name, name);
        if before == self.log.name {
            self.log.known = self.log.known.max(tail);
        } else {
            self.begin(tail, before.is_empty());
        }
        self.prove();
        Ok(())
    }

    /// The log begins here, or anew.
    fn begin(&mut self, tail: EntryId, is_first: bool) {
        let position = Position::new(tail.position);
        self.log.tail = tail;
        self.log.known = tail;
        self.samples.clear();
        self.ring.restart(position);
        for seat in self.seats.iter_mut() {
            seat.cursor = position;
        }
        if !is_first {
            self.counts.resets += 1;
            self.owned.clear();
            self.doubtful.clear();
            self.seats.notify_all(&Notice::Reset { position });
        }
    }

    /// Has Redis say which of our sessions are no longer ours.
    fn prove(&mut self) {
        let held: Vec<_> = self.owned.all().collect();
        let mut open = 0;
        for some in held.chunks(PROOFS) {
            let keys: Vec<String> = some
                .iter()
                .map(|((session, _), _)| self.keys.session(*session))
                .collect();
            let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
            let mut words = self.names.call(Script::Verify, &keys);
            for ((_, shard), hold) in some {
                words
                    .arg(self.owner(*shard))
                    .arg(hold.fence.0)
                    .arg(hold.version)
                    .arg(millis(hold.ttl))
                    .arg(hold.bound.map_or_else(Default::default, BrowserId::text));
            }
            let asked = some.iter().map(|(holding, hold)| (*holding, hold.fence));
            self.order(Purpose::Verify(asked.collect()), words);
            open += 1;
        }
        for holding in std::mem::take(&mut self.doubtful) {
            self.disown(holding);
        }
        self.link = Link::Proving(open);
        self.proved(0);
    }

    /// Has Redis undo a claim that has failed, if it was done: its engine does not have the session.
    pub(super) fn disown(&mut self, (session, shard): Holding) {
        let key = self.keys.session(session);
        let mut words = self.names.call(Script::Disown, &[&key]);
        words.arg(self.owner(shard));
        self.order(Purpose::Disown((session, shard)), words);
    }

    /// Some of the proofs are there.
    fn proved(&mut self, some: usize) {
        let Link::Proving(open) = self.link else {
            return;
        };
        let open = open.saturating_sub(some);
        self.link = Link::Proving(open);
        if open > 0 {
            return;
        }
        self.link = Link::Up(self.now);
        self.next_beat = self.now;
        for seat in self.seats.iter_mut() {
            seat.is_up = true;
            seat.mail.push_back(Mail::Up);
        }
        self.seats.wake_all();
    }

    pub(super) fn verified(
        &mut self,
        asked: &[(Holding, Fence)],
        reply: Value,
    ) -> Result<(), Unreadable> {
        let lost = reply::flat(reply)?;
        for (at, fence) in reply::pairs(&lost) {
            let at = usize::try_from(reply::parse(at)?).map_err(|_| Unreadable)?;
            let Some((holding, held)) = asked.get(at.wrapping_sub(1)) else {
                continue;
            };
            // One that is gone, or that nobody has, is nobody's under the next fence.
            let now = reply::parse(fence).unwrap_or_default().max(held.0 + 1);
            self.taken(*holding, Fence(now));
        }
        self.proved(1);
        Ok(())
    }

    /// How often this node says that it lives.
    pub(crate) fn beat(&self) -> Duration {
        self.options.beat()
    }

    /// When [`elapsed`](Self::elapsed) is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if !self.link.is_up() || self.is_closing {
            return None;
        }
        let parting = self.parting_due();
        Some(parting.map_or(self.next_beat, |due| due.min(self.next_beat)))
    }

    /// A beat, if it is time: the node says that it lives, and looks after what is its own.
    pub(crate) fn elapsed(&mut self, now: Instant) {
        self.pass(now);
        if self.is_closing {
            return;
        }
        self.end_partings();
        if !self.link.is_up() || self.now < self.next_beat {
            return;
        }
        self.next_beat = self.now + self.options.beat();
        let keys = [
            &*self.keys.lease(&self.node),
            &self.keys.inbox(&self.node),
            &self.keys.log,
        ];
        let mut words = self.names.call(Script::Renew, &keys);
        words.arg(millis(self.options.lease)).arg(self.lease_number);
        self.order(Purpose::Renew(self.now), words);
        self.trim();
        while let Some((holding, life)) = self.owned.next_due(self.now) {
            let mut words = redis::cmd("PEXPIRE");
            words.arg(self.keys.session(holding.0)).arg(millis(life));
            self.order(Purpose::KeepAlive(holding), words);
        }
        self.look_after_forwards();
    }

    pub(super) fn renewed(&mut self, said: Instant, reply: Value) -> Result<(), Unreadable> {
        if reply == Value::Nil {
            // The log or the inbox is gone.
            self.rejoin();
            return Ok(());
        }
        self.counts.lag = reply::id(reply)?
            .position
            .saturating_sub(self.ring.end().number());
        self.lease = self.lease.max(said + self.options.lease);
        Ok(())
    }

    /// Drops what has been kept for long enough, here and in Redis.
    pub(super) fn trim(&mut self) {
        let retention = self.options.retention;
        let seen = self.seats.slowest().unwrap_or(self.ring.end());
        self.ring.trim(self.now, retention, seen);
        let is_news = |(at, last): &(Instant, EntryId)| {
            *last != self.log.tail && *at + retention / SAMPLES <= self.now
        };
        if self.samples.back().is_none_or(is_news) {
            self.samples.push_back((self.now, self.log.tail));
        }
        let mut old = None;
        while let Some((at, id)) = self.samples.front().copied()
            && at + retention <= self.now
        {
            old = Some(id);
            self.samples.pop_front();
        }
        if let Some(id) = old {
            let next = EntryId {
                position: id.position + 1,
                ..id
            };
            let mut words = redis::cmd("XTRIM");
            words
                .arg(&*self.keys.log)
                .arg("MINID")
                .arg(next.to_string());
            self.order(Purpose::Nothing, words);
        }
    }

    /// Nobody is served here any more: others need not wait until the lease is over.
    pub(crate) fn leave(&mut self) {
        self.is_closing = true;
        if self.link != Link::Away {
            let mut words = redis::cmd("DEL");
            words
                .arg(self.keys.lease(&self.node))
                .arg(self.keys.inbox(&self.node));
            self.order(Purpose::Nothing, words);
        }
    }

    /// Whether this node has left, and has nothing more to say.
    pub(crate) fn has_left(&self) -> bool {
        self.is_closing && (self.out.is_empty() || self.link == Link::Away)
    }

    /// Whether there is something for Redis to do, and nothing that it is at.
    pub(crate) fn has_commands(&self) -> bool {
        !self.out.is_empty() && self.in_flight.is_empty()
    }

    /// The next commands, in order; `None` if there are none. The reply to all of them is to be brought to
    /// [`replied`](Self::replied) before the next.
    pub(crate) fn next_commands(&mut self) -> Option<Pipeline> {
        if !self.has_commands() {
            return None;
        }
        let count = self.out.len().min(AT_ONCE);
        let mut pipeline = Pipeline::with_capacity(count);
        for Command { purpose, words } in self.out.drain(..count) {
            pipeline.add_command(words);
            self.in_flight.push(purpose);
        }
        Some(pipeline)
    }
}
