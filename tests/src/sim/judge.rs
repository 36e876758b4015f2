//! What was promised, and whether it was kept.
//!
//! The judge sees the log itself. A session is owed every entry that came after the answer to its
//! subscription; with acknowledgement it gets each once, in order, without a hole.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bayeux_core::{ChannelName, ChannelPattern, Instant, Position};

/// How long a client may be away, less what its messages may take on the way.
const SURE: Duration = Duration::from_secs(6);
/// How far a node that can reach the store is behind the log at most.
const BEHIND: Duration = Duration::from_secs(5);
/// By when what a client has sent has come to its node, or never will.
const STRAY: Duration = Duration::from_secs(30);
/// How long a node waits at least for another that it has handed a message.
const GIVEN_UP: Duration = Duration::from_secs(5);
/// By when every node has heard that the log was lost.
const HEARD: Duration = Duration::from_secs(45);

/// Whether the world is as promised; if not, what is wrong.
pub(super) type Verdict = Result<(), String>;

/// Whether the judge goes by what was promised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Bias {
    /// It does.
    #[default]
    None,
    /// It finds fault with the event that comes after so many: to see what becomes of a failure.
    After(u64),
}

#[derive(Default)]
pub(super) struct Judge {
    bias: Bias,
    /// What was published, by its number: where it is in the log, counted from 1 over all lives of
    /// the log.
    places: BTreeMap<u64, u64>,
    /// By place.
    channels: BTreeMap<u64, ChannelName>,
    times: BTreeMap<u64, Instant>,
    end: u64,
    sizes: BTreeMap<u64, usize>,
    sessions: BTreeMap<String, Session>,
    bounds: Bounds,
    /// When the log was lost last.
    lost: Option<Instant>,
    /// Sessions without acknowledgement are owed everything too, but what was lost on the wire.
    gentle: bool,
    pub(super) delivered: u64,
    pub(super) sessions_lost: u64,
}

/// What has room for so much and no more.
#[derive(Clone, Copy, Default)]
pub(super) struct Bounds {
    /// Entries in the log.
    pub(super) log: usize,
    /// Events in a queue.
    pub(super) events: usize,
    /// Bytes in a queue.
    pub(super) bytes: usize,
}

struct Session {
    acknowledges: bool,
    /// When its client heard of it.
    begun: Instant,
    interests: Vec<Interest>,
    owed: VecDeque<u64>,
    got: BTreeSet<u64>,
    /// What its nodes have written, or dropped.
    left: BTreeSet<u64>,
    /// The last that its node has written while it was its own: without acknowledgement nothing before it waits any
    /// more.
    passed: u64,
    /// How far its client has told its node that it has come.
    told: u64,
    /// When it has sent the connects that were not answered, and how far it had come: one may still come to a node.
    presented: Vec<(Instant, u64)>,
    /// When it was surely there.
    alive: Instant,
    /// It may be ended: its queue was full.
    excused: bool,
}

struct Interest {
    pattern: ChannelPattern,
    /// Before this place it surely did not hold.
    from: u64,
    /// From which place on it surely holds.
    since: Option<u64>,
    /// After which place it surely does not hold any more.
    until: Option<u64>,
    /// When it was asked for without an answer: any of these may still come to a node.
    asked: Vec<Instant>,
}

impl Judge {
    pub(super) fn new(bounds: Bounds, gentle: bool, bias: Bias) -> Self {
        Self {
            bias,
            bounds,
            gentle,
            ..Self::default()
        }
    }

    /// An entry of so many bytes has come into the log.
    pub(super) fn logged(
        &mut self,
        number: u64,
        channel: &ChannelName,
        (position, size): (Position, usize),
        now: Instant,
    ) -> Verdict {
        self.end += 1;
        if position.number() != self.end {
            return Err(format!("n{number} is at {position:?}, not at {}", self.end));
        }
        self.sizes.insert(self.end, size);
        if self.places.insert(number, self.end).is_some() {
            return Err(format!("n{number} is in the log twice"));
        }
        self.channels.insert(self.end, channel.clone());
        self.times.insert(self.end, now);
        for session in self.sessions.values_mut() {
            if (session.acknowledges || self.gentle) && session.is_owed(self.end, channel) {
                session.owed.push_back(self.end);
            }
        }
        Ok(())
    }

    /// The log was lost.
    pub(super) fn reset(&mut self, now: Instant) {
        self.lost = Some(now);
        for session in self.sessions.values_mut() {
            session.owed.clear();
        }
    }

    /// A publish was answered: it is in the log, and what went by the same connection stands there in
    /// the order in which it went. `answered` has where that is.
    pub(super) fn published(&self, number: u64, answered: &mut BTreeMap<u64, u64>) -> Verdict {
        let Some(place) = self.places.get(&number).copied() else {
            return Err(format!("n{number} was answered, and is not in the log"));
        };
        let before = answered.range(..number).next_back();
        let after = answered.range(number..).next();
        let (first, second) = match (before, after) {
            (Some((before, at)), _) if *at > place => (*before, number),
            (_, Some((after, at))) if *at < place => (number, *after),
            _ => {
                answered.insert(number, place);
                return Ok(());
            }
        };
        Err(format!(
            "n{second} stands in the log before n{first}, which was sent before it"
        ))
    }

    pub(super) fn begins(&mut self, session: &str, acknowledges: bool, now: Instant) -> Verdict {
        let begun = Session {
            acknowledges,
            begun: now,
            interests: Vec::new(),
            owed: VecDeque::new(),
            got: BTreeSet::new(),
            left: BTreeSet::new(),
            passed: 0,
            told: 0,
            presented: Vec::new(),
            alive: now,
            excused: false,
        };
        match self.sessions.insert(session.to_owned(), begun) {
            Some(_) => Err(format!("two sessions are named {session}")),
            None => Ok(()),
        }
    }

    /// Its client has heard from it, or it has lost its client just now.
    pub(super) fn alive(&mut self, session: &str, now: Instant) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.alive = session.alive.max(now);
        }
    }

    /// The client itself has ended it, or given it up.
    pub(super) fn ends(&mut self, session: &str) {
        self.sessions.remove(session);
    }

    /// The client was told that there is no such session.
    pub(super) fn unknown(&mut self, session: &str, now: Instant) -> Verdict {
        let Some(before) = self.sessions.remove(session) else {
            return Ok(());
        };
        self.sessions_lost += 1;
        if !self.surely_lives(&before, now) {
            return Ok(());
        }
        let away = now.saturating_duration_since(before.alive);
        Err(format!(
            "a session is unknown that was there {away:?} before"
        ))
    }

    /// Whether nobody may say that there is no such session.
    pub(super) fn is_surely_there(&self, session: &str, now: Instant) -> bool {
        let session = self.sessions.get(session);
        session.is_some_and(|session| self.surely_lives(session, now))
    }

    fn surely_lives(&self, session: &Session, now: Instant) -> bool {
        let away = now.saturating_duration_since(session.alive);
        !session.excused && !self.is_trimmed() && !self.was_lost(session) && away <= SURE
    }

    /// It may be unknown from now on.
    pub(super) fn excuses(&mut self, session: &str) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.excused = true;
        }
    }

    /// It asks for a subscription, which begins where its node stands: a little behind at most.
    pub(super) fn subscribes(&mut self, session: &str, pattern: &str, now: Instant) {
        let before = self.interest(session, pattern);
        if let Some(interest) = before.filter(|interest| interest.until.is_none()) {
            interest.asked.push(now);
            return;
        }
        let late = |logged: &Instant| now.saturating_duration_since(*logged) < BEHIND;
        let mut newest = self.times.iter().rev();
        let from = newest.find(|(_, logged)| !late(logged));
        let from = from.map_or(0, |(place, _)| *place);
        let Some(session) = self.sessions.get_mut(session) else {
            return;
        };
        let Ok(pattern) = pattern.parse::<ChannelPattern>() else {
            return;
        };
        session.interests.push(Interest {
            pattern,
            from,
            since: None,
            until: None,
            asked: vec![now],
        });
    }

    /// The answer has come: from here on everything is owed.
    pub(super) fn subscribed(&mut self, session: &str, pattern: &str) {
        let end = self.end;
        if let Some(interest) = self.interest(session, pattern) {
            interest.since = interest.since.or(Some(end));
            interest.asked.pop();
        }
    }

    /// The answer has come, and is no: nobody has this one in hand any more.
    pub(super) fn refused(&mut self, session: &str, pattern: &str) {
        if let Some(interest) = self.interest(session, pattern) {
            interest.asked.pop();
        }
    }

    /// Whether a subscription may have been given up on its way from node to node: then it may be done yet.
    pub(super) fn may_be_underway(&mut self, session: &str, pattern: &str, now: Instant) -> bool {
        let interest = self.interest(session, pattern);
        interest.is_some_and(|interest| interest.asked.iter().any(|sent| now >= *sent + GIVEN_UP))
    }

    /// The answer to an unsubscribe has come: what is published from here on does not come (SU-5), unless
    /// somebody still has a subscription in hand. Whether it is over.
    pub(super) fn unsubscribed(&mut self, session: &str, pattern: &str, now: Instant) -> bool {
        let end = self.end;
        let Some(interest) = self.interest(session, pattern) else {
            return false;
        };
        if interest.asked.iter().any(|sent| now < *sent + STRAY) {
            return false;
        }
        interest.until = interest.until.or(Some(end));
        true
    }

    /// A connect goes out, and presents how far its client has come.
    pub(super) fn presents(&mut self, session: &str, now: Instant) {
        if let Some(session) = self.sessions.get_mut(session) {
            let has = session.got.last().copied().unwrap_or(0);
            session.presented.retain(|(sent, _)| now < *sent + STRAY);
            session.presented.push((now, has));
        }
    }

    /// It was answered.
    pub(super) fn is_told(&mut self, session: &str) {
        if let Some(session) = self.sessions.get_mut(session)
            && let Some((_, has)) = session.presented.pop()
        {
            session.told = has;
        }
    }

    /// From here on nothing is owed for this pattern, also of what is on its way.
    pub(super) fn unsubscribes(&mut self, session: &str, pattern: &str) {
        if let Some(interest) = self.interest(session, pattern) {
            interest.since = None;
        }
        let Some(session) = self.sessions.get_mut(session) else {
            return;
        };
        let owed = core::mem::take(&mut session.owed);
        let channels = &self.channels;
        let still = |place: &u64| {
            let channel = channels.get(place);
            channel.is_some_and(|channel| session.is_owed(*place, channel))
        };
        let owed = owed.into_iter().filter(still).collect();
        session.owed = owed;
    }

    /// The newest interest of a session in what matches this.
    fn interest(&mut self, session: &str, pattern: &str) -> Option<&mut Interest> {
        let session = self.sessions.get_mut(session)?;
        let mut interests = session.interests.iter_mut().rev();
        interests.find(|interest| interest.pattern.as_str() == pattern)
    }

    /// A client got an event; `before` is the one before it on the same connection.
    pub(super) fn delivered(
        &mut self,
        session: &str,
        number: u64,
        before: Option<u64>,
    ) -> Result<u64, String> {
        let Some(place) = self.places.get(&number).copied() else {
            return Err(format!("n{number} was never in the log"));
        };
        let Some(session) = self.sessions.get_mut(session) else {
            return Ok(place);
        };
        self.delivered += 1;
        if matches!(self.bias, Bias::After(most) if self.delivered > most) {
            return Err(format!(
                "n{number} has come, and the judge does not like it"
            ));
        }
        if !session.got.insert(place) {
            return Err(format!("n{number} has come twice"));
        }
        let channel = self.channels.get(&place);
        let wanted = channel.is_some_and(|channel| session.may_get(place, channel));
        if !wanted {
            return Err(format!("n{number} was never asked for"));
        }
        let last = session.got.last().copied().unwrap_or(0);
        let late = session.acknowledges && last > place;
        if late || before.is_some_and(|before| before > place) {
            return Err(format!("n{number} comes after one that stands behind it"));
        }
        // Without acknowledgement, other responses may still be on their way.
        if !session.acknowledges {
            session.owed.retain(|owed| *owed != place);
            return Ok(place);
        }
        let Some(owed) = session.owed.front().copied().filter(|owed| *owed <= place) else {
            return Ok(place);
        };
        if owed == place {
            session.owed.pop_front();
            return Ok(place);
        }
        let missing = self.named(owed);
        Err(format!(
            "n{number} has come, and {missing}, which stands before it, has not"
        ))
    }

    /// What was on the wire has not come: without acknowledgement it never will.
    pub(super) fn lost_on_the_wire(&mut self, session: &str, number: u64) {
        let place = self.places.get(&number).copied();
        let session = self.sessions.get_mut(session);
        if let Some(session) = session.filter(|session| !session.acknowledges) {
            session.owed.retain(|owed| Some(*owed) != place);
        }
    }

    /// An engine has dropped what has this position, and says so: its queue has to be full, if the session is its own.
    pub(super) fn dropped(&mut self, session: &str, position: u64, owns: bool) -> Verdict {
        let is_full = !owns || self.may_be_full(session);
        let Some(session) = self.sessions.get_mut(session) else {
            return Ok(());
        };
        if session.acknowledges {
            return Err(format!("@{position} is dropped, and would be acknowledged"));
        }
        if !is_full {
            return Err(format!(
                "@{position} is dropped, and the queue has room for it"
            ));
        }
        session.owed.retain(|owed| *owed != position);
        session.left.insert(position);
        Ok(())
    }

    /// An engine has written what has this position; `owns` is whether the session is its own.
    pub(super) fn written(&mut self, session: &str, position: u64, owns: bool) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.left.insert(position);
            if owns {
                session.passed = session.passed.max(position);
            }
        }
    }

    /// It has come to a node, which may read once more what the one before has dropped.
    pub(super) fn moves(&mut self, session: &str) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.left.clear();
        }
    }

    /// An engine has ended a session since its queue is full, or has more to read than it holds.
    pub(super) fn overflows(&self, session: &str) -> Verdict {
        if self.may_be_full(session) {
            return Ok(());
        }
        Err(format!(
            "the queue of {session} is full, and has room for everything"
        ))
    }

    /// An engine has ended a session since a part of the log is gone that it has not seen.
    pub(super) fn has_gap(&self, session: &str) -> Verdict {
        let lost = self.sessions.get(session).map(|s| self.was_lost(s));
        if lost.is_some_and(|lost| !lost) && !self.is_trimmed() && !self.may_be_full(session) {
            return Err(format!("{session} has a gap, and the log has none"));
        }
        Ok(())
    }

    /// Whether the log was ever longer than it may be.
    fn is_trimmed(&self) -> bool {
        self.end > self.bounds.log as u64
    }

    /// Whether the log was lost since this session began, or as it did.
    fn was_lost(&self, session: &Session) -> bool {
        self.lost.is_some_and(|lost| session.begun <= lost + HEARD)
    }

    /// Whether all that may wait for a session is more than its queue holds: what it may have asked for and no
    /// node has written, or its client has not acknowledged. A session that nobody has may have anything.
    fn may_be_full(&self, session: &str) -> bool {
        let Some(session) = self.sessions.get(session) else {
            return true;
        };
        let stray = session.presented.iter().map(|(_, has)| *has).min();
        let told = stray.map_or(session.told, |has| has.min(session.told));
        let waits = |place: &u64| {
            if session.acknowledges {
                *place > told
            } else {
                *place > session.passed && !session.left.contains(place)
            }
        };
        let all = self.channels.iter();
        let waiting =
            all.filter(|(place, channel)| session.may_get(**place, channel) && waits(place));
        let sizes = waiting.filter_map(|(place, _)| self.sizes.get(place));
        let (count, bytes) = sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
        count > self.bounds.events || bytes > self.bounds.bytes
    }

    /// How long what has this number is in the log.
    pub(super) fn age(&self, number: u64, now: Instant) -> Duration {
        let place = self.places.get(&number);
        let logged = place.and_then(|place| self.times.get(place));
        logged.map_or(Duration::ZERO, |logged| {
            now.saturating_duration_since(*logged)
        })
    }

    /// Everything that is owed has come.
    pub(super) fn all_came(&self, session: &str) -> Verdict {
        let missing = self.sessions.get(session).and_then(|s| s.owed.front());
        match missing {
            Some(place) => Err(format!("{} has never come", self.named(*place))),
            None => Ok(()),
        }
    }

    /// Whether a session has got what has this number.
    pub(super) fn has(&self, session: &str, number: u64) -> bool {
        let place = self.places.get(&number);
        let session = self.sessions.get(session);
        session.is_some_and(|session| place.is_some_and(|place| session.got.contains(place)))
    }

    fn named(&self, place: u64) -> String {
        let mut all = self.places.iter();
        let number = all.find(|(_, at)| **at == place).map(|(number, _)| number);
        number.map_or_else(|| format!("entry {place}"), |number| format!("n{number}"))
    }
}

impl Session {
    fn is_owed(&self, place: u64, channel: &ChannelName) -> bool {
        self.interests.iter().any(|interest| {
            interest.since.is_some_and(|since| since < place) && interest.pattern.matches(channel)
        })
    }

    /// Whether it came while it may have been asked for.
    fn may_get(&self, place: u64, channel: &ChannelName) -> bool {
        let mut all = self.interests.iter();
        all.any(|interest| {
            let is_over = interest.until.is_some_and(|until| place > until);
            interest.from < place && !is_over && interest.pattern.matches(channel)
        })
    }
}
