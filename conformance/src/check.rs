//! What a check is.

use std::fmt::{Debug, Display, Formatter};

use crate::options::Profile;
use crate::scene::Scene;

/// One promise of a Bayeux server, and how it is tried.
pub struct Check {
    /// The ids of the rules that it stands for, such as `CN-9`.
    pub rules: &'static [&'static str],
    /// What a server that conforms does: a sentence.
    pub promise: &'static str,
    /// The transports over which it is tried.
    pub over: Over,
    /// The servers that are known to do something else, and what.
    pub differs: &'static [(Profile, &'static str)],
    /// Those that are known to do so at times only.
    pub differs_at_times: &'static [(Profile, &'static str)],
    /// Tries it.
    pub run: fn(&Scene<'_>) -> Checked,
}

/// What a server is known to do otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In a few words.
    pub what: &'static str,
    /// Whether chance decides if it is seen.
    pub at_times: bool,
}

/// Checks of one subject.
#[derive(Debug)]
pub struct Group {
    /// Its name, one word or two with a hyphen.
    pub name: &'static str,
    /// Its checks.
    pub checks: &'static [Check],
}

/// The transports over which a check is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Each of them.
    All,
    /// Both that poll.
    Polling,
    /// This one.
    Only(Transport),
    /// This one, though nothing of it is asked but that two are there: long-polling and websocket.
    Both,
}

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the protocol's")]
pub enum Transport {
    LongPolling,
    CallbackPolling,
    WebSocket,
}

/// Why a check ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The server does something else than the rule says.
    Failed(String),
    /// It could not be seen, for this reason.
    NotChecked(String),
}

/// What the steps of a check give.
pub type Checked<T = ()> = Result<T, Stop>;

impl Check {
    pub(crate) const fn new(
        rules: &'static [&'static str],
        promise: &'static str,
        over: Over,
        run: fn(&Scene<'_>) -> Checked,
    ) -> Self {
        Self {
            rules,
            promise,
            over,
            differs: &[],
            differs_at_times: &[],
            run,
        }
    }

    pub(crate) const fn differs(mut self, differs: &'static [(Profile, &'static str)]) -> Self {
        self.differs = differs;
        self
    }

    pub(crate) const fn differs_at_times(
        mut self,
        differs: &'static [(Profile, &'static str)],
    ) -> Self {
        self.differs_at_times = differs;
        self
    }

    /// What that server is known to do otherwise, if anything.
    pub fn known_difference(&self, profile: Profile) -> Option<Difference> {
        let of = |list: &'static [(Profile, &'static str)], at_times| {
            let (_, what) = list.iter().find(|(of, _)| *of == profile)?;
            Some(Difference { what, at_times })
        };
        of(self.differs, false).or_else(|| of(self.differs_at_times, true))
    }
}

impl Debug for Check {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}: {}", self.rules, self.promise)
    }
}

impl Over {
    /// The transports of those.
    pub fn of(self, offered: &[Transport]) -> Vec<Transport> {
        let is_for = |transport: &Transport| match self {
            Self::All => true,
            Self::Polling => *transport != Transport::WebSocket,
            Self::Only(only) => *transport == only,
            Self::Both => {
                *transport == Transport::LongPolling && offered.contains(&Transport::WebSocket)
            }
        };
        offered.iter().copied().filter(is_for).collect()
    }
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::LongPolling, Self::CallbackPolling, Self::WebSocket];

    /// Its name as a connection type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LongPolling => "long-polling",
            Self::CallbackPolling => "callback-polling",
            Self::WebSocket => "websocket",
        }
    }
}

impl Display for Transport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

impl Stop {
    /// The server does something else than the rule says.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    /// It could not be seen.
    pub fn not_checked(why: impl Into<String>) -> Self {
        Self::NotChecked(why.into())
    }
}

/// Fails unless that holds.
pub(crate) fn hold(condition: bool, why: impl FnOnce() -> String) -> Checked {
    if condition {
        return Ok(());
    }
    Err(Stop::Failed(why()))
}

/// Fails unless both are equal.
pub(crate) fn equal<A: PartialEq<B> + Debug, B: Debug>(what: &str, is: A, due: B) -> Checked {
    hold(is == due, || {
        format!("{what} is {is:?} where {due:?} is due")
    })
}
