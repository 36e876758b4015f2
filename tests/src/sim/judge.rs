//! What was promised, and whether it was kept.
//!
//! The judge sees the log itself. A session is owed every entry that came after the answer to its
//! subscription; with acknowledgement it gets each once, in order, without a hole.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bayeux_core::{ChannelName, ChannelPattern, Instant};

/// How long a client may be away, less what its messages may take on the way.
const SURE: Duration = Duration::from_secs(6);

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
    sessions: BTreeMap<String, Session>,
    /// The log may be lost or trimmed.
    lossy: bool,
    /// Sessions without acknowledgement are owed everything too, but what was lost on the wire.
    gentle: bool,
    pub(super) delivered: u64,
    pub(super) sessions_lost: u64,
}

struct Session {
    acknowledges: bool,
    interests: Vec<Interest>,
    owed: VecDeque<u64>,
    got: BTreeSet<u64>,
    /// When it was surely there.
    alive: Instant,
    /// It may be ended: its queue was full.
    excused: bool,
}

struct Interest {
    pattern: ChannelPattern,
    /// From which place on it surely holds.
    since: Option<u64>,
}

impl Judge {
    pub(super) fn new(lossy: bool, gentle: bool, bias: Bias) -> Self {
        Self {
            bias,
            lossy,
            gentle,
            ..Self::default()
        }
    }

    /// An entry has come into the log.
    pub(super) fn logged(&mut self, number: u64, channel: &ChannelName, now: Instant) -> Verdict {
        self.end += 1;
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
    pub(super) fn reset(&mut self) {
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
            interests: Vec::new(),
            owed: VecDeque::new(),
            got: BTreeSet::new(),
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
        let away = now.saturating_duration_since(before.alive);
        if self.lossy || before.excused || away > SURE {
            return Ok(());
        }
        Err(format!(
            "a session is unknown that was there {away:?} before"
        ))
    }

    /// It may be unknown from now on.
    pub(super) fn excuses(&mut self, session: &str) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.excused = true;
        }
    }

    pub(super) fn subscribes(&mut self, session: &str, pattern: &str) {
        let Some(session) = self.sessions.get_mut(session) else {
            return;
        };
        let Ok(pattern) = pattern.parse::<ChannelPattern>() else {
            return;
        };
        if !session.interests.iter().any(|at| at.pattern == pattern) {
            session.interests.push(Interest {
                pattern,
                since: None,
            });
        }
    }

    /// The answer has come: from here on everything is owed.
    pub(super) fn subscribed(&mut self, session: &str, pattern: &str) {
        let end = self.end;
        if let Some(interest) = self.interest(session, pattern) {
            interest.since = interest.since.or(Some(end));
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

    fn interest(&mut self, session: &str, pattern: &str) -> Option<&mut Interest> {
        let session = self.sessions.get_mut(session)?;
        let mut interests = session.interests.iter_mut();
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
        let wanted = channel.is_some_and(|channel| session.may_get(channel));
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

    /// An engine has dropped what has this position, and says so. As long as the log is whole, positions are
    /// places.
    pub(super) fn dropped(&mut self, session: &str, position: u64) -> Verdict {
        let session = self.sessions.get_mut(session).filter(|_| !self.lossy);
        let Some(session) = session else {
            return Ok(());
        };
        if session.acknowledges {
            return Err(format!("@{position} is dropped, and would be acknowledged"));
        }
        session.owed.retain(|owed| *owed != position);
        Ok(())
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

    fn may_get(&self, channel: &ChannelName) -> bool {
        let mut all = self.interests.iter();
        all.any(|interest| interest.pattern.matches(channel))
    }
}
