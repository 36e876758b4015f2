//! What becomes of a command that Redis has answered, or has not.

use bayeux_core::{ChannelPattern, StoredSubscription};
use redis::{ServerError, Value};

use super::*;
use crate::codec::Unreadable;
use crate::entry::GRAMMAR;
use crate::reply;

/// Redis is not what this node needs: it is to be connected to again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unfit(pub(crate) String);

impl RedisStore {
    /// What Redis says to the commands that it was given, in order. It is `Err` if the connection is worth no more.
    pub(crate) fn replied(&mut self, now: Instant, replies: Vec<Value>) -> Result<(), Unfit> {
        self.now = self.now.max(now);
        let mut unfit = Ok(());
        let mut replies = replies.into_iter();
        for purpose in std::mem::take(&mut self.in_flight) {
            let reply = replies.next().unwrap_or(Value::Nil);
            if let Value::ServerError(error) = &reply {
                self.counts.errors += 1;
                if is_unfit(&purpose, error) {
                    unfit = Err(Unfit(error.to_string()));
                }
                self.failed(purpose);
            } else if self.did(purpose, reply).is_err() {
                unfit = Err(Unfit("Redis gave an answer that makes no sense".into()));
            }
        }
        unfit
    }

    fn did(&mut self, purpose: Purpose, reply: Value) -> Result<(), Unreadable> {
        match purpose {
            Purpose::Join => self.joined(reply),
            Purpose::Verify(asked) => self.verified(&asked, reply),
            Purpose::Renew(said) => self.renewed(said, reply),
            Purpose::Nothing | Purpose::Disown(_) => Ok(()),
            Purpose::KeepAlive(holding) => {
                if reply == Value::Int(0) {
                    self.vanished(holding);
                }
                Ok(())
            }
            Purpose::Open(asker, session, hold) => {
                self.opened(asker, session, hold, reply == Value::Int(1));
                Ok(())
            }
            Purpose::Claim(asker, session) => self.claimed(asker, session, reply),
            Purpose::Write(asker) => {
                self.written(asker, &reply);
                Ok(())
            }
            Purpose::Bind(asker, session, browser) => {
                if reply == Value::Int(1) {
                    self.owned.bound((session, asker.0), browser);
                }
                self.written(asker, &reply);
                Ok(())
            }
            Purpose::Change(asker, session) => {
                if let Value::Int(version @ 1..) = reply {
                    self.owned
                        .changed((session, asker.0), version.unsigned_abs());
                }
                self.written(asker, &reply);
                Ok(())
            }
            Purpose::Part(asker, session) => {
                // One that is another's by now is still to be told so.
                if reply != Value::Int(0) {
                    self.owned.remove((session, asker.0));
                }
                self.written(asker, &reply);
                Ok(())
            }
            Purpose::Append(numbers) => self.appends_came(&numbers, reply),
            Purpose::Read(number) => self.page_came(number, reply),
            Purpose::Forward(number) => self.forwarded(number, reply),
            Purpose::Settle(number) => {
                match reply::number(reply)? {
                    1 => self.settled(number, StoreReply::Unowned),
                    2 => self.settled(number, StoreReply::Failed),
                    _ => {}
                }
                Ok(())
            }
            Purpose::Accept(shard, waiting) => {
                if reply == Value::Int(1) {
                    self.accepted(shard, waiting.letter);
                }
                Ok(())
            }
        }
    }

    /// A command that was not done, or nobody knows.
    pub(super) fn failed(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Open(asker, session, _) => {
                self.came((session, asker.0), false);
                self.seats.reply(asker, StoreReply::Failed);
            }
            Purpose::Claim(asker, session) => self.claim_failed(asker, session),
            Purpose::Disown(holding) => {
                self.doubtful.insert(holding);
            }
            Purpose::Write(asker) | Purpose::Bind(asker, ..) | Purpose::Change(asker, _) => {
                self.seats.reply(asker, StoreReply::Failed)
            }
            Purpose::Part(asker, session) => {
                // Its engine has it no longer: it is not kept alive any more.
                self.owned.remove((session, asker.0));
                self.seats.reply(asker, StoreReply::Failed);
            }
            Purpose::Append(numbers) => {
                for number in numbers {
                    self.append_ended(number, StoreReply::Failed);
                }
            }
            Purpose::Read(number) => {
                if let Some(reading) = self.reads.remove(&number) {
                    self.seats.reply(reading.asker, StoreReply::Failed);
                }
            }
            Purpose::Forward(number) => self.settled(number, StoreReply::Failed),
            Purpose::Join
            | Purpose::Verify(_)
            | Purpose::Renew(_)
            | Purpose::Nothing
            | Purpose::KeepAlive(_)
            | Purpose::Settle(_)
            | Purpose::Accept(..) => {}
        }
    }

    /// Entries were appended, one after the other, but for those that were refused.
    fn appends_came(&mut self, numbers: &[u64], reply: Value) -> Result<(), Unreadable> {
        let mut said = reply::flat(reply)?.into_iter();
        let last = said.next().ok_or(Unreadable)?;
        let refused: Result<BTreeSet<u64>, _> = said.map(|at| reply::parse(&at)).collect();
        let refused = refused?;
        let added = numbers.len().saturating_sub(refused.len()) as u64;
        let mut id = EntryId::default();
        if added > 0 {
            id = reply::id(Value::BulkString(last.into()))?;
            id.position = id.position.saturating_sub(added);
        }
        for (at, number) in (1..).zip(numbers) {
            if refused.contains(&at) {
                self.counts.fenced += 1;
                self.append_ended(*number, StoreReply::Fenced);
            } else {
                id.position += 1;
                self.appended(*number, id);
            }
        }
        Ok(())
    }

    fn append_ended(&mut self, number: u64, reply: StoreReply) {
        if let Some(asker) = self.appends.remove(&number) {
            self.seats.reply(asker, reply);
        }
    }

    fn written(&mut self, asker: Asker, reply: &Value) {
        let is_fenced = *reply == Value::Int(0);
        self.counts.fenced += u64::from(is_fenced);
        let reply = if is_fenced {
            StoreReply::Fenced
        } else {
            StoreReply::Done
        };
        self.seats.reply(asker, reply);
    }

    fn opened(&mut self, asker: Asker, session: SessionId, hold: Hold, is_new: bool) {
        if is_new {
            self.hold((session, asker.0), hold);
        }
        let reply = if is_new {
            StoreReply::Done
        } else {
            StoreReply::Fenced
        };
        self.seats.reply(asker, reply);
        self.arrived((session, asker.0));
    }

    fn claimed(
        &mut self,
        asker: Asker,
        session: SessionId,
        reply: Value,
    ) -> Result<(), Unreadable> {
        if reply == Value::Nil {
            self.came((session, asker.0), false);
            self.seats.reply(asker, StoreReply::Unknown);
            return Ok(());
        }
        let parsed = parse_claim(session, reply);
        let Ok(Claim {
            former,
            former_lives,
            end,
            record,
            hold,
        }) = parsed
        else {
            self.claim_failed(asker, session);
            return parsed.map(drop);
        };
        self.counts.claims += 1;
        self.counts.takeovers += u64::from(!former.is_empty() && former != self.owner(asker.0));
        self.log.known = self.log.known.max(end);
        self.hold((session, asker.0), hold);
        let may_speak = former_lives && !record.settings.acknowledged;
        self.await_parting(asker, record, may_speak);
        Ok(())
    }

    /// A session is an engine's: an earlier claim of it that failed need not be undone any more.
    fn hold(&mut self, holding: Holding, hold: Hold) {
        self.doubtful.remove(&holding);
        self.owned.insert(self.now, holding, hold);
    }

    /// A claim was not done, or nobody knows: its engine is not to be the owner.
    pub(super) fn claim_failed(&mut self, asker: Asker, session: SessionId) {
        self.seats.reply(asker, StoreReply::Failed);
        self.came((session, asker.0), true);
    }

    /// A session has come, and may have gone on already.
    pub(super) fn arrived(&mut self, holding: Holding) {
        let gone = self.coming.get(&holding).and_then(|coming| coming.gone);
        self.came(holding, false);
        if let Some(fence) = gone {
            self.taken(holding, fence);
        }
    }

    /// An opening or a claim has ended. After the last one is undone what has failed, unless another made its engine
    /// the owner.
    fn came(&mut self, holding: Holding, has_failed: bool) {
        let Some(coming) = self.coming.get_mut(&holding) else {
            return;
        };
        coming.under_way = coming.under_way.saturating_sub(1);
        coming.has_failed |= has_failed;
        if coming.under_way > 0 {
            return;
        }
        let is_doubtful = coming.has_failed && self.owned.get(holding).is_none();
        self.coming.remove(&holding);
        if !is_doubtful {
            return;
        }
        if self.link.is_up() {
            self.disown(holding);
        } else {
            self.doubtful.insert(holding);
        }
    }

    fn forwarded(&mut self, number: u64, reply: Value) -> Result<(), Unreadable> {
        if let Value::Array(posted) = reply {
            let [owner, id] = posted.try_into().map_err(|_| Unreadable)?;
            self.posted(number, reply::text(owner)?.into(), reply::text(id)?);
            return Ok(());
        }
        let reply = match &*reply::bytes(reply)? {
            b"unknown" => StoreReply::Unknown,
            b"unowned" => StoreReply::Unowned,
            _ => StoreReply::Failed,
        };
        self.settled(number, reply);
        Ok(())
    }
}

/// A session that was claimed.
struct Claim {
    /// Who had it; empty if nobody did.
    former: String,
    former_lives: bool,
    /// Where the log ended.
    end: EntryId,
    record: Box<SessionRecord>,
    hold: Hold,
}

fn parse_claim(session: SessionId, reply: Value) -> Result<Claim, Unreadable> {
    let [former, former_lives, last, fields] = reply::exactly(reply)?;
    let fields = reply::flat(fields)?;
    let field = |name: &str| {
        let mut pairs = reply::pairs(&fields);
        pairs.find_map(|(known, value)| (**known == *name.as_bytes()).then_some(value))
    };
    let mut record = record::decode(session, field("r").ok_or(Unreadable)?.clone())?;
    record.fence = Fence(reply::parse(field("f").ok_or(Unreadable)?)?);
    let end = reply::id(last)?;
    record.end = Position::new(end.position);
    record.browser = match field("b") {
        Some(browser) => Some(browser_of(browser)?),
        None => None,
    };
    record.bound = field("d").is_some();
    record.released = match field("c") {
        Some(cursor) => Some(Position::new(reply::parse(cursor)?)),
        None => None,
    };
    for (name, since) in reply::pairs(&fields) {
        let Some(pattern) = name.strip_prefix(b"+") else {
            continue;
        };
        let pattern = str::from_utf8(pattern).map_err(|_| Unreadable)?;
        record.subscriptions.push(StoredSubscription {
            pattern: ChannelPattern::parse(pattern, &GRAMMAR).map_err(|_| Unreadable)?,
            since: Position::new(reply::parse(since)?),
        });
    }
    record
        .subscriptions
        .sort_by(|one, other| one.pattern.cmp(&other.pattern));
    let ttl = Duration::from_millis(reply::parse(field("n").ok_or(Unreadable)?)?);
    let version = field("v").map_or(Ok(0), |version| reply::parse(version))?;
    Ok(Claim {
        former: reply::text(former)?,
        former_lives: former_lives == Value::Int(1),
        end,
        hold: Hold::new(record.fence, version, ttl, &record),
        record: Box::new(record),
    })
}

fn browser_of(bytes: &[u8]) -> Result<BrowserId, Unreadable> {
    let text = str::from_utf8(bytes).map_err(|_| Unreadable)?;
    BrowserId::parse(text).ok_or(Unreadable)
}

/// Whether it is the server that is not right, and not this one command.
fn is_unfit(purpose: &Purpose, error: &ServerError) -> bool {
    let is_refused = matches!(
        error.code(),
        "NOSCRIPT"
            | "READONLY"
            | "LOADING"
            | "MASTERDOWN"
            | "LOST"
            | "FORMAT"
            | "NOPERM"
            | "NOAUTH"
    );
    let text = error.details().unwrap_or_default();
    is_refused
        || matches!(purpose, Purpose::Join | Purpose::Verify(_) | Purpose::Renew(_))
        // The epoch is over.
        || text.contains("equal or smaller")
        || text.contains("READONLY")
}
