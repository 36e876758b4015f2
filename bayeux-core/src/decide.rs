//! Asking the deciders, one after the other, for one message.

use alloc::vec::Vec;

use crate::decision::{
    Decider, DeciderId, Denial, Operations, Question, Role, Scope, Subject, Verdict,
};
use crate::id::DecisionTicket;
use crate::request::{Current, Request, RequestKey};
use crate::tickets::Asker;
use crate::turn::Turn;

/// Those who want to be asked, in order. A decider keeps its place for life, so that one may come
/// or go while a message is on its way through them.
pub(crate) struct Deciders {
    list: Vec<(Place, Decider)>,
    last: u64,
}

/// Where a decider stands: by the reach of its pattern, if it is a handler (PL-10), then by when it
/// was registered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    reach: (usize, Wildness),
    number: u64,
}

impl Place {
    /// Before all others.
    const FIRST: Self = Self {
        reach: (0, Wildness::Deep),
        number: 0,
    };
    /// After all others.
    const LAST: Self = Self {
        reach: (usize::MAX, Wildness::Exact),
        number: u64::MAX,
    };

    fn of(role: &Role, number: u64) -> Self {
        let text = match role {
            Role::Handler(Scope::Pattern(pattern)) => pattern.as_str(),
            Role::Handler(Scope::Template(template)) => template.as_str(),
            Role::Policy(_)
            | Role::Authorizer { .. }
            | Role::Incoming
            | Role::Outgoing
            | Role::SessionOutgoing => "",
        };
        let wildness = match text.rsplit('/').next() {
            Some("**") | None => Wildness::Deep,
            Some("*") => Wildness::Wide,
            Some(_) => Wildness::Exact,
        };
        Self {
            reach: (text.matches('/').count(), wildness),
            number,
        }
    }
}

/// How much a pattern matches below its last slash, the most first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Wildness {
    Deep,
    Wide,
    Exact,
}

impl Deciders {
    pub(crate) fn new(deciders: Vec<Decider>) -> Self {
        let mut all = Self {
            list: Vec::new(),
            last: 0,
        };
        deciders.into_iter().for_each(|decider| all.add(decider));
        all
    }

    pub(crate) fn add(&mut self, decider: Decider) {
        self.last += 1;
        let place = Place::of(&decider.role, self.last);
        let index = self.list.partition_point(|(at, _)| *at < place);
        self.list.insert(index, (place, decider));
    }

    pub(crate) fn remove(&mut self, id: DeciderId) {
        self.list.retain(|(_, decider)| decider.id != id);
    }

    /// The first one after `place` that `wanted` picks.
    fn after<T>(&self, place: Place, wanted: impl Fn(&Role) -> Option<T>) -> Option<Asked<T>> {
        let later = self.list.iter().filter(|(at, _)| *at > place);
        pick(later, wanted)
    }

    /// The last one before `place` that `wanted` picks.
    fn before<T>(&self, place: Place, wanted: impl Fn(&Role) -> Option<T>) -> Option<Asked<T>> {
        let earlier = self.list.iter().rev().filter(|(at, _)| *at < place);
        pick(earlier, wanted)
    }

    /// Whether anybody wants to see replies and published events.
    pub(crate) fn see_outgoing(&self) -> bool {
        self.list
            .iter()
            .any(|(_, decider)| decider.role == Role::Outgoing)
    }

    /// Whether `id` looks at the events of sessions.
    pub(crate) fn sees_events(&self, id: DeciderId) -> bool {
        let mut all = self.list.iter();
        all.any(|(_, decider)| decider.id == id && decider.role == Role::SessionOutgoing)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

struct Asked<T> {
    place: Place,
    id: DeciderId,
    picked: T,
}

fn pick<'a, T>(
    mut deciders: impl Iterator<Item = &'a (Place, Decider)>,
    wanted: impl Fn(&Role) -> Option<T>,
) -> Option<Asked<T>> {
    deciders.find_map(|(place, decider)| {
        let picked = wanted(&decider.role)?;
        Some(Asked {
            place: *place,
            id: decider.id,
            picked,
        })
    })
}

/// How far a message has come with the deciders of one stage.
#[derive(Debug)]
pub(crate) struct Consultation {
    order: Order,
    at: Place,
    /// The question that is under way.
    asked: Option<DecisionTicket>,
    /// What has come for the question that was asked last.
    arrived: Option<Arrived>,
}

/// In which order a stage asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// As registered; handlers from the widest pattern inward.
    Registered,
    /// The other way round (PL-1: replies pass the extensions in reverse).
    Reversed,
}

impl Order {
    /// Where nobody has been asked yet.
    const fn start(self) -> Place {
        match self {
            Self::Registered => Place::FIRST,
            Self::Reversed => Place::LAST,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Arrived {
    Verdict(Verdict),
    /// The decider did not answer in time.
    Late,
}

impl Consultation {
    pub(crate) const fn new(order: Order) -> Self {
        Self {
            order,
            at: order.start(),
            asked: None,
            arrived: None,
        }
    }

    /// The verdict on `ticket` has come, or will not come; it counts if that is what was asked last.
    pub(crate) fn arrive(&mut self, ticket: DecisionTicket, arrived: Arrived) {
        if self.asked == Some(ticket) {
            self.arrived = Some(arrived);
            self.asked = None;
        }
    }

    /// Whether somebody was asked already.
    pub(crate) fn has_begun(&self) -> bool {
        self.order.start() != self.at
    }
}

/// What the next step of a consultation is.
pub(crate) enum Step {
    /// A question is under way.
    Waiting,
    /// One has answered.
    Verdict(Verdict),
    /// One has not answered in time: `503::unavailable`.
    Late,
    /// All have answered.
    Done,
}

impl Turn<'_> {
    /// Asks the next decider that `wanted` picks for the message at hand, or says what the last
    /// one answered.
    pub(crate) fn consult<T>(
        &mut self,
        key: RequestKey,
        request: &Request,
        current: &mut Current,
        wanted: impl Fn(&Role) -> Option<T>,
        subject: impl FnOnce(&Current, T) -> Subject,
    ) -> Step {
        let consultation = &mut current.consultation;
        match consultation.arrived.take() {
            Some(Arrived::Verdict(verdict)) => return Step::Verdict(verdict),
            Some(Arrived::Late) => return Step::Late,
            None if consultation.asked.is_some() => return Step::Waiting,
            None => {}
        }
        if self.deciders.is_empty() {
            return Step::Done;
        }
        let asked = match consultation.order {
            Order::Registered => self.deciders.after(consultation.at, wanted),
            Order::Reversed => self.deciders.before(consultation.at, wanted),
        };
        let Some(asked) = asked else {
            return Step::Done;
        };
        current.consultation.at = asked.place;
        let session = current.session(request);
        let session = session.and_then(|key| self.sessions.get(key));
        let question = Question {
            decider: asked.id,
            session: session.map(|session| session.id),
            identity: session.and_then(|session| session.settings.identity.clone()),
            peer: request.peer.clone(),
            subject: subject(current, asked.picked),
        };
        let ticket = self.ask(question, Asker::Request(key));
        current.consultation.asked = Some(ticket);
        Step::Waiting
    }

    /// Asks policy, then authorizers, whether an operation is allowed (PL-7, PL-8).
    pub(crate) fn authorize(
        &mut self,
        key: RequestKey,
        request: &Request,
        current: &mut Current,
        operation: fn(&Operations) -> bool,
        channel: Option<&crate::ChannelPattern>,
        subject: impl Fn(&Current) -> Subject,
    ) -> Authorization {
        loop {
            let asking_policy = !current.authorizing;
            let wanted = |role: &Role| match role {
                Role::Policy(operations) if asking_policy => operation(operations).then_some(()),
                Role::Authorizer {
                    pattern,
                    operations,
                } if !asking_policy => {
                    let covers = channel.is_some_and(|channel| covers(pattern, channel));
                    (operation(operations) && covers).then_some(())
                }
                Role::Policy(_)
                | Role::Authorizer { .. }
                | Role::Incoming
                | Role::Outgoing
                | Role::Handler(_)
                | Role::SessionOutgoing => None,
            };
            match self.consult(key, request, current, wanted, |current, ()| {
                subject(current)
            }) {
                Step::Waiting => {
                    current.asked_authorizer |= !asking_policy;
                    return Authorization::Waiting;
                }
                Step::Late => return Authorization::Late,
                Step::Verdict(Verdict::Deny(denial)) => return Authorization::Denied(denial),
                Step::Verdict(Verdict::Drop) => return Authorization::Denied(<_>::default()),
                Step::Verdict(Verdict::Admit(admission)) => current.admit(*admission),
                Step::Verdict(Verdict::Allow) => current.granted |= !asking_policy,
                Step::Verdict(
                    Verdict::Abstain
                    | Verdict::Replace(_)
                    | Verdict::ReplaceEvent(_)
                    | Verdict::Extend(_)
                    | Verdict::Answer { .. },
                ) => {}
                Step::Done if asking_policy => {
                    current.authorizing = true;
                    current.consultation = Consultation::new(Order::Registered);
                }
                Step::Done => {
                    let allowed = current.granted || !current.asked_authorizer;
                    current.reset_authorization();
                    if allowed {
                        return Authorization::Allowed;
                    }
                    let reason = Some("denied_by_not_granting".into());
                    let denial = Denial {
                        reason,
                        ..Denial::default()
                    };
                    return Authorization::Denied(denial.into());
                }
            }
        }
    }
}

/// What came of asking.
pub(crate) enum Authorization {
    /// A question is under way.
    Waiting,
    /// Nobody objects.
    Allowed,
    /// Somebody does.
    Denied(alloc::boxed::Box<Denial>),
    /// Somebody has not answered in time.
    Late,
}

/// Whether an authorizer on `pattern` is concerned with operations on `channel`, which may be a
/// pattern itself (CH-8).
pub(crate) fn covers(pattern: &crate::ChannelPattern, channel: &crate::ChannelPattern) -> bool {
    if let Some(name) = channel.as_name() {
        return reaches(pattern, &name);
    }
    pattern == channel
        || channel
            .patterns()
            .any(|wider| wider.to_pattern().as_str() == pattern.as_str())
}

/// Whether `pattern` matches `name`, service channels too: what CH-9 keeps from subscribers it does
/// not keep from the server's own.
pub(crate) fn reaches(pattern: &crate::ChannelPattern, name: &crate::ChannelName) -> bool {
    if pattern.as_str() == name.as_str() {
        return true;
    }
    let Some((base, wildcard)) = pattern.as_str().rsplit_once('/') else {
        return false;
    };
    let Some(rest) = name.as_str().strip_prefix(base) else {
        return false;
    };
    let Some(rest) = rest.strip_prefix('/') else {
        return false;
    };
    match wildcard {
        "**" => true,
        "*" => !rest.contains('/'),
        _ => false,
    }
}
