//! A history played twice: to the model, and to a server. They have to agree after every step.

use std::fmt;

use serde_json::Value;

use crate::history::cast::{Cast, Fact};
use crate::history::{History, Setting, Step};
use crate::invariants::Broken;
use crate::model::Model;
use crate::seen::{Heard, Seen};

/// What is compared with the model: a server as clients, a network and an application meet it.
///
/// Time is the history's: it passes when a fact says so, and whatever follows from a fact at once has
/// followed when [`meet`](Self::meet) returns. The test `own_driver` has the smallest one.
pub trait Server {
    /// Something happens.
    ///
    /// # Errors
    ///
    /// A promise that the server has broken, which no model was needed to see.
    fn meet(&mut self, fact: &Fact) -> Result<(), Broken>;

    /// What was seen since this was asked last.
    fn seen(&mut self) -> Seen;

    /// How much there is, if that can be told from outside.
    fn counts(&self) -> Option<Counts> {
        None
    }

    /// The history is over.
    ///
    /// # Errors
    ///
    /// A promise that is broken in the end.
    fn finish(&mut self) -> Result<(), Broken> {
        Ok(())
    }
}

/// How much a server has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Sessions.
    pub sessions: usize,
    /// Connections that are open.
    pub connections: usize,
    /// Subscriptions of all sessions.
    pub subscriptions: usize,
}

/// The model's side of a history.
#[derive(Clone, Debug)]
pub struct Play {
    setting: Setting,
    cast: Cast,
    model: Model,
    facts: Vec<Fact>,
    wanted: Seen,
}

impl Play {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            cast: Cast::default(),
            model: Model::new(setting),
            facts: Vec::new(),
            wanted: Seen::default(),
        }
    }

    /// A step is taken.
    pub fn step(&mut self, step: &Step) {
        self.facts = self.cast.facts(step);
        if self.setting == Setting::FewSubscriptions {
            // Whether what the store is still to refuse counts for the rest of its frame is left open.
            self.facts
                .retain(|fact| !matches!(fact, Fact::Store { .. }));
        }
        self.wanted = self.model.meet(&self.facts);
        self.cast.learn(&self.wanted);
    }

    /// What the last step comes down to.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What the model wants to be seen after it.
    #[must_use]
    pub const fn wanted(&self) -> &Seen {
        &self.wanted
    }

    /// A server takes the same step, and is compared.
    ///
    /// # Errors
    ///
    /// Where it differs.
    pub fn compare(&self, server: &mut impl Server) -> Result<(), Difference> {
        let mut broken = None;
        for fact in &self.facts {
            if let Err(what) = server.meet(fact) {
                broken.get_or_insert(what);
            }
        }
        let seen = server.seen();
        let wanted = self.counts();
        let counts = server.counts().unwrap_or(wanted);
        let mut shown = fixed(&seen);
        let demanded = fixed(&self.wanted);
        forgive(&mut shown, &demanded, self.messages());
        if broken.is_none() && shown == demanded && counts == wanted {
            return Ok(());
        }
        Err(Difference {
            broken,
            wanted: self.wanted.clone(),
            seen,
            counts: (wanted, counts),
        })
    }

    /// How many messages came in this step.
    fn messages(&self) -> u64 {
        let frame = |fact: &Fact| {
            if let Fact::Frame { messages, .. } = fact {
                return messages.len();
            }
            0
        };
        let count: usize = self.facts.iter().map(frame).sum();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    fn counts(&self) -> Counts {
        Counts {
            sessions: self.model.sessions(),
            connections: self.model.connections(),
            subscriptions: self.model.subscriptions(),
        }
    }
}

/// Where a server differs from the model.
#[derive(Clone, Debug)]
pub struct Difference {
    /// A promise that is broken whatever the model says.
    pub broken: Option<Broken>,
    /// What the model wanted to be seen.
    pub wanted: Seen,
    /// What was seen.
    pub seen: Seen,
    /// What there is by the model, and by the server.
    pub counts: (Counts, Counts),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(broken) = &self.broken {
            writeln!(f, "  broken: {broken}")?;
        }
        write!(
            f,
            "  the model wants\n{}  and there was\n{}",
            self.wanted, self.seen
        )?;
        if self.counts.0 != self.counts.1 {
            writeln!(
                f,
                "  {:?} by the model, and {:?}",
                self.counts.0, self.counts.1
            )?;
        }
        Ok(())
    }
}

/// A history that a server does not keep up with.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The history up to the step that failed.
    pub history: History,
    /// What is wrong then.
    pub difference: Difference,
}

impl Failure {
    /// A promise that is broken, and nothing to compare.
    pub(crate) fn at_once(history: History, broken: Broken) -> Box<Self> {
        let counts = Play::new(history.setting).counts();
        let difference = Difference {
            broken: Some(broken),
            wanted: Seen::default(),
            seen: Seen::default(),
            counts: (counts, counts),
        };
        Box::new(Self {
            history,
            difference,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.history, self.difference)
    }
}

/// Plays a history to a server.
///
/// # Errors
///
/// The first step after which it differs from the model.
pub fn play(history: &History, server: &mut impl Server) -> Result<(), Box<Failure>> {
    let mut play = Play::new(history.setting);
    let upto = |count: usize| History {
        setting: history.setting,
        steps: history.steps.iter().take(count).cloned().collect(),
    };
    for (at, step) in history.steps.iter().enumerate() {
        play.step(step);
        if let Err(difference) = play.compare(server) {
            let history = upto(at + 1);
            return Err(Box::new(Failure {
                history,
                difference,
            }));
        }
    }
    server
        .finish()
        .map_err(|broken| Failure::at_once(history.clone(), broken))
}

/// What is fixed by the protocol: a refused handshake need not repeat what the server can do, how long
/// clients stay away in an outage is random, who is never to come back needs no number, and of events and
/// replies each keep their order.
fn fixed(seen: &Seen) -> Seen {
    let mut seen = seen.clone();
    for heard in seen.0.values_mut() {
        let Heard { messages, lost, .. } = heard;
        for message in messages.iter_mut().chain(&mut *lost) {
            loosen(message);
        }
        // Whether events go before replies or behind is fixed within a frame, and looked at there.
        messages.sort_by_key(is_reply);
        lost.sort_by_key(is_reply);
    }
    seen.0.retain(|_, heard| *heard != Heard::default());
    seen
}

fn is_reply(message: &Value) -> bool {
    message.get("data").is_none()
}

fn loosen(message: &mut Value) {
    let last = message.pointer("/advice/reconnect") == Some(&"none".into());
    if let Some(members) = message.as_object_mut().filter(|_| last) {
        members.remove("ext");
    }
    let refused = message.get("successful") == Some(&Value::Bool(false));
    let Some(members) = message.as_object_mut().filter(|_| refused) else {
        return;
    };
    for name in ["version", "minimumVersion", "supportedConnectionTypes"] {
        members.remove(name);
    }
    if members.get("error") == Some(&"503::unavailable".into())
        && let Some(advice) = members.get_mut("advice").and_then(Value::as_object_mut)
    {
        advice.remove("interval");
    }
}

/// AK-4: a number may be lower than it could be, as long as what it leaves out came in the same frame.
fn forgive(seen: &mut Seen, wanted: &Seen, messages: u64) {
    for (connection, heard) in &mut seen.0 {
        let Some(like) = wanted.0.get(connection) else {
            continue;
        };
        let pairs = heard.messages.iter_mut().zip(&like.messages);
        let lost = heard.lost.iter_mut().zip(&like.lost);
        for (message, like) in pairs.chain(lost) {
            let wanted = like.pointer("/ext/ack").and_then(Value::as_u64);
            let number = message.pointer_mut("/ext/ack");
            if let (Some(number), Some(wanted)) = (number, wanted)
                && number
                    .as_u64()
                    .is_some_and(|it| it <= wanted && wanted - it < messages)
            {
                *number = wanted.into();
            }
        }
    }
}
