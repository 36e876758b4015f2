//! The store: what its engines ask, what Redis is asked for it, and what becomes of that.
//!
//! Like the engine it is pure: plain calls, and the time is handed in. Whoever drives it takes commands out,
//! carries them to Redis in that order, and brings back what Redis says.

mod forwards;
mod link;
mod owned;
mod parting;
mod reading;
mod replies;
mod ring;
mod seats;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bayeux_core::{
    Access, BrowserId, Fence, ForwardTicket, Input, Instant, NewEntry, Notice, Position, SessionId,
    SessionRecord, SessionSettings, StoreReply, StoreRequest, StoreTicket,
};
use redis::Cmd;

use self::forwards::Forwards;
use self::link::Link;
use self::owned::{Hold, Holding, Owned};
use self::parting::Partings;
use self::reading::Reading;
pub(crate) use self::replies::Unfit;
use self::ring::Ring;
use self::seats::{Mail, Seats, Waiting};
use crate::counts::{Counts, Load};
use crate::entry::{self, Author};
use crate::keys::Keys;
use crate::letter;
use crate::options::Options;
use crate::record;
use crate::reply::EntryId;
use crate::script::{Names, Script};

/// About how many letters an inbox holds at the most.
const MAX_LETTERS: usize = 1 << 16;

/// How many entries are appended in one step at the most.
const APPENDS: usize = 128;

/// Who waits for a reply: an engine, and its ticket.
type Asker = (u32, StoreTicket);

/// Something for Redis to do.
struct Command {
    purpose: Purpose,
    words: Cmd,
}

/// A session on its way to an engine.
#[derive(Default)]
struct Coming {
    /// How many requests for it are not answered.
    under_way: usize,
    /// One of those that are was not done, or nobody knows.
    has_failed: bool,
    /// The fence under which it was claimed away since.
    gone: Option<Fence>,
}

/// What a command is for.
enum Purpose {
    Join,
    Verify(Vec<(Holding, Fence)>),
    /// Said at this time.
    Renew(Instant),
    /// Nobody waits for it.
    Nothing,
    KeepAlive(Holding),
    Open(Asker, SessionId, Hold),
    Claim(Asker, SessionId),
    Disown(Holding),
    /// A write that ends in `Done` or `Fenced`.
    Write(Asker),
    /// The same, which notes that the cookie of this browser has come back.
    Bind(Asker, SessionId, BrowserId),
    /// The same, which changes a session.
    Change(Asker, SessionId),
    /// The same, after which the session is no longer here.
    Part(Asker, SessionId),
    /// By their numbers.
    Append(Vec<u64>),
    Read(u64),
    Forward(u64),
    Settle(u64),
    /// Only who takes a letter out of the inbox does what it says.
    Accept(u32, Box<Waiting>),
}

/// The store of the engines of one process.
///
/// To them it is what a [`MemoryStore`](bayeux_core::MemoryStore) is, with the same calls: it keeps the
/// contract of [`StoreRequest`] for them and for those of all other processes with the same Redis and prefix.
/// Which engine is meant is said by its number: sessions are found by it.
///
/// - **Order.** Replies come in the order of requests, but for forwards and for reads of what is long ago.
///   The reply to an append comes before its entry.
/// - **Outages.** Without Redis every request ends in [`StoreReply::Failed`] at once. When it is back, the store
///   first has it proved that the sessions of its engines are still theirs.
pub struct RedisStore {
    options: Options,
    keys: Keys,
    /// This node, as no other is called.
    node: Box<str>,
    author: Author,
    names: Names,
    now: Instant,
    link: Link,
    /// Redis takes its time with what it was asked.
    is_silent: bool,
    /// Until when other nodes take this one for alive.
    lease: Instant,
    /// What the lease says since this node has joined last: a claim from before is not done any more.
    lease_number: u64,
    next_beat: Instant,
    /// Where the log was at some times, oldest first.
    samples: VecDeque<(Instant, EntryId)>,
    log: LogState,
    /// When the log had been read at an even pace.
    paced: Instant,
    ring: Ring,
    seats: Seats,
    owned: Owned,
    /// Sessions that are being opened or claimed.
    coming: BTreeMap<Holding, Coming>,
    /// Sessions whose claim has failed, and may have been done.
    doubtful: BTreeSet<Holding>,
    appends: BTreeMap<u64, Asker>,
    reads: BTreeMap<u64, Reading>,
    forwards: Forwards,
    partings: Partings,
    last_number: u64,
    out: VecDeque<Command>,
    /// What Redis was given and has not answered.
    in_flight: Vec<Purpose>,
    is_closing: bool,
    counts: Counts,
}

/// What is known of the log.
#[derive(Default)]
struct LogState {
    /// What tells it from one that was lost; empty if nothing is known yet.
    name: Box<[u8]>,
    epoch: u64,
    /// By the position that it began with.
    epochs: BTreeMap<u64, u64>,
    /// The last entry that came.
    tail: EntryId,
    /// The last letter that came.
    letter: Option<String>,
    /// The last entry that was heard of in any way: if Redis has not heard of it, it has lost it.
    known: EntryId,
}

impl RedisStore {
    /// A store that has not spoken with Redis yet. `random` comes from the operating system.
    #[must_use]
    pub fn new(options: Options, random: [u8; 16]) -> Self {
        let (author, rest) = random.split_at(8);
        let author: Author = author.try_into().unwrap_or_default();
        let digits: String = author
            .iter()
            .chain(rest)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let node: Box<str> = format!("{}.{digits}", options.node).into();
        Self {
            keys: Keys::new(&options.prefix),
            author,
            node,
            options,
            names: Names::default(),
            now: Instant::EPOCH,
            link: Link::Away,
            is_silent: false,
            lease: Instant::EPOCH,
            lease_number: 0,
            next_beat: Instant::EPOCH,
            samples: VecDeque::new(),
            log: LogState::default(),
            paced: Instant::EPOCH,
            ring: Ring::default(),
            seats: Seats::default(),
            owned: Owned::default(),
            coming: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            appends: BTreeMap::new(),
            reads: BTreeMap::new(),
            forwards: Forwards::default(),
            partings: Partings::default(),
            last_number: 0,
            out: VecDeque::new(),
            in_flight: Vec::new(),
            is_closing: false,
            counts: Counts::default(),
        }
    }

    /// An engine joins; gives its number, which is that of the engines before it.
    pub fn attach(&mut self) -> u32 {
        let shard = self.seats.attach(self.ring.end());
        if self.link.is_up()
            && let Some(seat) = self.seats.get_mut(shard)
        {
            seat.is_up = true;
            seat.mail.push_back(Mail::Up);
        }
        shard
    }

    /// Takes in one request of an engine. Total; each ends in an [`Input::Stored`] from [`poll`](Self::poll).
    pub fn submit(&mut self, shard: u32, now: Instant, ticket: StoreTicket, request: StoreRequest) {
        self.pass(now);
        self.seats.rouse(shard);
        let asker = (shard, ticket);
        if !self.link.is_up() {
            self.seats.reply(asker, StoreReply::Failed);
            return;
        }
        match request {
            StoreRequest::Open(record) => self.open(asker, &record),
            StoreRequest::Claim { session, access } => self.claim(asker, session, access),
            StoreRequest::Bind {
                session,
                fence,
                browser,
            } => {
                let mut words = self.fenced(Script::Bind, session, fence);
                words.arg(browser.text());
                self.order(Purpose::Bind(asker, session, browser), words);
            }
            StoreRequest::Subscribe {
                session,
                fence,
                patterns,
                since,
            } => {
                let mut words = self.fenced(Script::Subscribe, session, fence);
                words.arg(since.number());
                words.arg(
                    patterns
                        .iter()
                        .map(|pattern| pattern.as_str())
                        .collect::<Vec<_>>(),
                );
                self.order(Purpose::Change(asker, session), words);
            }
            StoreRequest::Unsubscribe {
                session,
                fence,
                patterns,
            } => {
                let mut words = self.fenced(Script::Unsubscribe, session, fence);
                words.arg(
                    patterns
                        .iter()
                        .map(|pattern| pattern.as_str())
                        .collect::<Vec<_>>(),
                );
                self.order(Purpose::Change(asker, session), words);
            }
            StoreRequest::Append(entry) => self.append(asker, &entry),
            StoreRequest::Read {
                session,
                subscriptions,
                after,
                until,
                limit,
            } => self.read(Reading {
                asker,
                session,
                subscriptions,
                after,
                until,
                limit,
                found: Vec::new(),
            }),
            StoreRequest::Forward {
                session,
                messages,
                peer,
                transport,
            } => self.forward(asker, session, &messages, (&peer, transport)),
            StoreRequest::Answer { forward, replies } => {
                self.answer(asker, forward, Some(&replies));
            }
            StoreRequest::Refuse { forward } => self.answer(asker, forward, None),
            StoreRequest::Release {
                session,
                fence,
                cursor,
            } => {
                let mut words = self.fenced(Script::Release, session, fence);
                words.arg(cursor.number());
                self.order(Purpose::Part(asker, session), words);
            }
            StoreRequest::Part {
                session,
                fence,
                cursor,
            } => self.part(asker, session, fence, cursor),
            StoreRequest::End { session, fence } => {
                let words = self.fenced(Script::Finish, session, fence);
                self.order(Purpose::Part(asker, session), words);
            }
            // A word that this version does not know.
            _ => self.seats.reply(asker, StoreReply::Failed),
        }
    }

    /// The next fact for an engine; `None` until something happens, of which
    /// [`poll_wake`](Self::poll_wake) will tell.
    pub fn poll(&mut self, shard: u32, now: Instant) -> Option<Input> {
        self.pass(now);
        let is_up = self.link.is_up();
        let seat = self.seats.get_mut(shard)?;
        if let Some(mail) = seat.mail.pop_front() {
            return Some(match mail {
                Mail::Input(input) => input,
                Mail::Up => notified(Notice::Up {
                    position: seat.cursor,
                }),
            });
        }
        if is_up {
            self.look_at_letters(shard);
            if let Some(input) = self.next_entries(shard) {
                return Some(input);
            }
        }
        self.seats.sleep(shard);
        None
    }

    /// An engine that polled to the end and has something to poll for since; each is named once, until it
    /// has polled to the end again.
    pub fn poll_wake(&mut self) -> Option<u32> {
        self.seats.next_to_wake()
    }

    /// What has been counted.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How much there is at this moment.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            end: self.ring.end(),
            entries: self.ring.len(),
            bytes: self.ring.bytes(),
            sessions: self.owned.len(),
            is_there: self.link.is_up() && !self.is_silent,
        }
    }

    /// What this node is called in Redis.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Time passes. A node that was not heard of for a lease sends nothing until it has proved that its
    /// sessions are still its own.
    fn pass(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.link.is_up() && !self.is_closing && self.now >= self.lease {
            self.counts.leases_lapsed += 1;
            self.rejoin();
        }
    }

    fn next_entries(&mut self, shard: u32) -> Option<Input> {
        let seat = self.seats.get_mut(shard)?;
        let most = self.options.max_batch.max(1);
        let Some(entries) = self.ring.next(seat.cursor, most) else {
            seat.cursor = self.ring.end();
            return Some(notified(Notice::Reset {
                position: seat.cursor,
            }));
        };
        seat.cursor = entries.last()?.position;
        Some(notified(Notice::Entries(entries)))
    }

    fn open(&mut self, asker: Asker, record: &SessionRecord) {
        let ttl = lifetime(self.options.session_ttl, &record.settings);
        let mut words = self.names.call(
            Script::Open,
            &[&self.keys.session(record.session), &self.keys.meta],
        );
        words
            .arg(self.owner(asker.0))
            .arg(record::encode(record))
            .arg(millis(ttl))
            .arg(
                record
                    .browser
                    .map_or_else(Default::default, BrowserId::text),
            )
            .arg(u8::from(record.bound));
        for kept in &record.subscriptions {
            words.arg(kept.pattern.as_str()).arg(kept.since.number());
        }
        self.comes((record.session, asker.0));
        let hold = Hold::new(Fence(1), 0, ttl, record);
        self.order(Purpose::Open(asker, record.session, hold), words);
    }

    fn claim(&mut self, asker: Asker, session: SessionId, access: Access) {
        let mut words = self.names.call(
            Script::Claim,
            &[&self.keys.session(session), &self.keys.log, &self.keys.meta],
        );
        words
            .arg(self.owner(asker.0))
            .arg(&*self.keys.inboxes)
            .arg(session.text())
            .arg(MAX_LETTERS)
            .arg(&*self.node)
            .arg(&*self.keys.leases)
            .arg(self.lease_number);
        match access {
            Access::Any => words.arg("any"),
            Access::Unbound => words.arg("unbound"),
            Access::Browserless => words.arg("browserless"),
            Access::Browser(cookie) => words.arg(cookie.text()),
        };
        self.comes((session, asker.0));
        self.order(Purpose::Claim(asker, session), words);
    }

    /// Notes that an engine asks for a session.
    fn comes(&mut self, holding: Holding) {
        self.coming.entry(holding).or_default().under_way += 1;
    }

    fn append(&mut self, asker: Asker, entry: &NewEntry) {
        let number = self.number();
        self.appends.insert(number, asker);
        let (session, fence) = match (entry.origin, entry.fence) {
            (Some(origin), Some(fence)) => (self.keys.session(origin), fence.0.to_string()),
            _ => (String::new(), String::new()),
        };
        let entry = entry::encode(&self.author, number, entry);
        // Those that come one after the other cost Redis less together.
        let together = self.out.pop_back_if(
            |last| matches!(&last.purpose, Purpose::Append(numbers) if numbers.len() < APPENDS),
        );
        let (mut numbers, mut words) = match together {
            Some(Command {
                purpose: Purpose::Append(numbers),
                words,
            }) => (numbers, words),
            Some(_) | None => (Vec::new(), self.appending()),
        };
        numbers.push(number);
        words.arg(session).arg(fence).arg(entry);
        self.order(Purpose::Append(numbers), words);
    }

    /// The beginning of a call that appends entries.
    fn appending(&self) -> Cmd {
        let mut words = self.names.call(Script::Append, &[&self.keys.log]);
        words.arg(self.log.epoch).arg(self.options.max_entries);
        words
    }

    /// The beginning of a call that is refused under another fence.
    fn fenced(&self, script: Script, session: SessionId, fence: Fence) -> Cmd {
        let mut words = self.names.call(script, &[&self.keys.session(session)]);
        words.arg(fence.0);
        words
    }

    fn order(&mut self, purpose: Purpose, words: Cmd) {
        self.out.push_back(Command { purpose, words });
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// An engine of this node, as the owner of a session.
    fn owner(&self, shard: u32) -> String {
        format!("{}/{shard}", self.node)
    }
}

impl std::fmt::Debug for RedisStore {
    /// How much there is, and none of it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore")
            .field("node", &self.node)
            .field("end", &self.ring.end())
            .field("sessions", &self.owned.len())
            .finish_non_exhaustive()
    }
}

const fn notified(notice: Notice) -> Input {
    Input::Notified { notice }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// How long a session without an owner is kept at the most: twice what may pass between two of its
/// connects, if that is more than usual.
fn lifetime(ttl: Duration, settings: &SessionSettings) -> Duration {
    let own = [settings.timeout, settings.interval, settings.max_interval];
    let own = own
        .into_iter()
        .flatten()
        .fold(Duration::ZERO, Duration::saturating_add);
    // Redis counts in milliseconds up to a bound of its own.
    let most = Duration::from_secs(100 * 365 * 24 * 3600);
    ttl.max(own.saturating_mul(2)).min(most)
}
