//! `/meta/subscribe` and `/meta/unsubscribe` (SU-1, SU-5).
//!
//! A subscription holds here before the store is asked to keep it, and is undone if it does not. Whoever
//! subscribes again has the store asked again: nothing is promised that a write of somebody else's could
//! take back.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::channel::{ChannelKind, ChannelPattern, MetaChannel};
use crate::connection::Answer;
use crate::decide::Authorization;
use crate::decision::Subject;
use crate::id::StoreTicket;
use crate::message::ProtocolError;
use crate::request::{Current, Flow, Request, RequestKey, Stage};
use crate::session::SessionKey;
use crate::store::{Position, StoreReply, StoreRequest};
use crate::tickets::StoreUse;
use crate::turn::Turn;

/// What policy calls a refusal that it gives no reason for (PL-7).
pub(crate) const BY_POLICY: &str = "denied_by_security_policy";

/// How far a subscription has come: each pattern is decided on in order.
pub(crate) struct SubscribeStage {
    patterns: Vec<ChannelPattern>,
    at: usize,
    question: Question,
    /// Those granted that the session does not have yet, each once.
    new: BTreeSet<ChannelPattern>,
    /// How many of these nobody is subscribed to.
    new_channels: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Create,
    Subscribe,
}

impl Turn<'_> {
    pub(crate) fn begin_subscribe(&mut self, current: &mut Current) -> Flow {
        let patterns = match self.parse_subscription(current) {
            Ok(patterns) => patterns,
            Err(error) => return Flow::fail(&current.message, error),
        };
        let stage = SubscribeStage {
            patterns,
            at: 0,
            question: Question::Create,
            new: BTreeSet::new(),
            new_channels: 0,
        };
        current.stage = Stage::Subscribe(Box::new(stage));
        Flow::Go
    }

    /// SU-1, DE-11: all names of an array are checked for syntax first.
    fn parse_subscription(&self, current: &Current) -> Result<Vec<ChannelPattern>, ProtocolError> {
        let Some(subscription) = &current.message.subscription else {
            return Err(ProtocolError::subscription_missing());
        };
        let names = subscription
            .names
            .as_deref()
            .filter(|names| !names.is_empty());
        let names = names.ok_or_else(ProtocolError::subscription_invalid)?;
        let parse = |name: &str| {
            let pattern = ChannelPattern::parse(name, &self.config.grammar).ok();
            pattern.filter(|pattern| !pattern.is_reserved())
        };
        let patterns = names
            .iter()
            .map(|name| parse(name))
            .collect::<Option<Vec<_>>>();
        patterns.ok_or_else(ProtocolError::subscription_invalid)
    }

    pub(crate) fn subscribe(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        let Some(session) = request
            .session
            .filter(|key| self.sessions.get(*key).is_some())
        else {
            let error = ProtocolError::subscribe_failed();
            if self.has_moved(request, &current.message) {
                return self.seek_out(request, current, error);
            }
            return Flow::fail(&current.message, error);
        };
        let mut refused = None;
        while let Some(pattern) = {
            let Stage::Subscribe(stage) = &current.stage else {
                return Flow::Silent;
            };
            stage.patterns.get(stage.at).cloned()
        } {
            match self.may_subscribe(key, request, current, session, &pattern) {
                Some(Flow::Wait) => return Flow::Wait,
                Some(refusal) => {
                    refused = Some(refusal);
                    break;
                }
                None => {
                    let is_new = !self.is_taken_up(session, current, &pattern);
                    let is_new_channel = self.channels.find(pattern.as_str()).is_none();
                    if let Stage::Subscribe(stage) = &mut current.stage {
                        stage.at += 1;
                        stage.question = Question::Create;
                        if is_new {
                            stage.new_channels += usize::from(is_new_channel);
                            stage.new.insert(pattern);
                        }
                    }
                }
            }
        }
        let Stage::Subscribe(stage) = &mut current.stage else {
            return Flow::Silent;
        };
        let (mut patterns, granted) = (core::mem::take(&mut stage.patterns), stage.at);
        // SU-3: stops at the first refusal; what came before it stays, unless it is all or nothing.
        let keep = if refused.is_some() && self.config.subscribe_all_or_nothing {
            0
        } else {
            granted
        };
        patterns.truncate(keep);
        self.take_up(key, request, current, session, patterns, refused)
    }

    /// Decides on one pattern: `None` if it is granted.
    fn may_subscribe(
        &mut self,
        key: RequestKey,
        request: &Request,
        current: &mut Current,
        session: SessionKey,
        pattern: &ChannelPattern,
    ) -> Option<Flow> {
        match pattern.kind() {
            // SU-7: refused, in the words that CometD has for each.
            ChannelKind::Meta(MetaChannel::Other) => {
                let error = ProtocolError::create_denied(BY_POLICY);
                return Some(Flow::fail(&current.message, error));
            }
            ChannelKind::Meta(
                MetaChannel::Handshake
                | MetaChannel::Connect
                | MetaChannel::Subscribe
                | MetaChannel::Unsubscribe
                | MetaChannel::Disconnect,
            ) => {
                let error = ProtocolError::subscribe_denied(BY_POLICY);
                return Some(Flow::fail(&current.message, error));
            }
            // SU-6: succeeds, and does nothing.
            ChannelKind::Service => return None,
            ChannelKind::Broadcast => {}
        }
        if let Some(refused) = self.subscription_limit(current, session, pattern) {
            return Some(refused);
        }
        loop {
            let Stage::Subscribe(stage) = &current.stage else {
                return Some(Flow::Silent);
            };
            let question = stage.question;
            let absent = self.channels.find(pattern.as_str()).is_none();
            // Somebody else may have made the channel since the question was asked.
            let creates = absent || current.is_being_authorized();
            if question == Question::Create && creates {
                let subject = |current: &Current| {
                    Subject::Create(pattern.clone(), current.message.clone().into())
                };
                let asked =
                    self.authorize(key, request, current, |o| o.create, Some(pattern), subject);
                if let Some(flow) = refuse(current, asked, ProtocolError::create_denied) {
                    return Some(flow);
                }
            } else if question == Question::Subscribe {
                let subject = |current: &Current| {
                    Subject::Subscribe(pattern.clone(), current.message.clone().into())
                };
                let asked = self.authorize(
                    key,
                    request,
                    current,
                    |o| o.subscribe,
                    Some(pattern),
                    subject,
                );
                return refuse(current, asked, ProtocolError::subscribe_denied);
            }
            if let Stage::Subscribe(stage) = &mut current.stage {
                stage.question = Question::Subscribe;
            }
        }
    }

    /// DE-16: no room for one more.
    fn subscription_limit(
        &mut self,
        current: &Current,
        session: SessionKey,
        pattern: &ChannelPattern,
    ) -> Option<Flow> {
        if self.is_taken_up(session, current, pattern) {
            return None;
        }
        let Stage::Subscribe(stage) = &current.stage else {
            return None;
        };
        let ahead = (stage.new.len(), stage.new_channels);
        let error = self.no_room_for(session, pattern, ahead)?;
        Some(Flow::fail(&current.message, error))
    }

    /// Why there is no room for one more subscription, so many subscriptions and channels having
    /// been granted but not taken up.
    pub(crate) fn no_room_for(
        &mut self,
        session: SessionKey,
        pattern: &ChannelPattern,
        (new, new_channels): (usize, usize),
    ) -> Option<ProtocolError> {
        let limits = &self.config.limits;
        let (subscriptions, channels) = (limits.max_subscriptions, limits.max_channels);
        if self.sessions.get(session)?.subscriptions.len() + new >= subscriptions {
            self.counters.subscriptions_limited += 1;
            return Some(ProtocolError::too_many_subscriptions());
        }
        let existing = self.channels.find(pattern.as_str());
        if existing.is_none() && self.channels.len() + new_channels >= channels {
            self.counters.channels_limited += 1;
            return Some(ProtocolError::create_denied("too_many_channels"));
        }
        None
    }

    /// Whether a pattern is no further subscription: the session has it, or it was granted already,
    /// or there is nothing to subscribe to (SU-6).
    fn is_taken_up(
        &self,
        session: SessionKey,
        current: &Current,
        pattern: &ChannelPattern,
    ) -> bool {
        let granted = if let Stage::Subscribe(stage) = &current.stage {
            stage.new.contains(pattern)
        } else {
            false
        };
        granted
            || pattern.kind() != ChannelKind::Broadcast
            || self.has_subscription(session, pattern)
    }

    /// Whether a session is subscribed to exactly this pattern.
    pub(crate) fn has_subscription(&self, session: SessionKey, pattern: &ChannelPattern) -> bool {
        let channel = self.channels.find(pattern.as_str());
        let session = self.sessions.get(session);
        channel.zip(session).is_some_and(|(channel, session)| {
            let mut held = session.subscriptions.iter();
            held.any(|subscribed| subscribed.channel == channel)
        })
    }

    /// Subscribes here, and asks the store to remember it.
    fn take_up(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
        session: SessionKey,
        patterns: Vec<ChannelPattern>,
        refused: Option<Flow>,
    ) -> Flow {
        let since = self.log.seen();
        let (mut added, mut repeated) = (Vec::new(), BTreeSet::new());
        for pattern in broadcast(patterns) {
            if self.add_subscription(session, &pattern, since) {
                // The store shares it with the channel: one text, however many subscribe.
                added.push(self.channels.shared(pattern));
            } else {
                // It may be undone yet; or another engine, which this one has not heard of, has the session.
                repeated.insert(pattern);
            }
        }
        let answer = match refused {
            Some(Flow::Answer(answer)) => answer,
            Some(other) => return other,
            None => Box::new(Answer::to(&current.message)),
        };
        let nothing = added.is_empty() && repeated.is_empty();
        let Some(entry) = self.sessions.get(session).filter(|_| !nothing) else {
            return Flow::Answer(answer);
        };
        if self.log.is_down() {
            for pattern in &added {
                self.remove_subscription(session, pattern);
            }
            return Flow::fail(&current.message, ProtocolError::unavailable());
        }
        let (id, fence) = (entry.id, entry.fence);
        let slot = current.slot;
        let patterns: Vec<_> = added.iter().chain(&repeated).cloned().collect();
        for pattern in &patterns {
            self.debts.is_subscribed(session, pattern);
        }
        let store = StoreRequest::Subscribe {
            session: id,
            fence,
            patterns: patterns.clone(),
            since,
        };
        let what = StoreUse::Subscribe {
            request: key,
            slot,
            session,
            patterns,
        };
        let ticket = self.store(store, what);
        for pattern in &added {
            self.unconfirmed.begin(session, pattern, ticket);
        }
        for pattern in &repeated {
            self.unconfirmed.repeat(session, pattern);
        }
        self.wait_for_store(request, current, answer)
    }

    /// Nobody is asked whether a session may unsubscribe.
    pub(crate) fn unsubscribe(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        let Some(session) = request.session else {
            return Flow::Silent;
        };
        let patterns = match self.parse_subscription(current) {
            Ok(patterns) => patterns,
            Err(error) => return Flow::fail(&current.message, error),
        };
        if patterns
            .iter()
            .any(|pattern| matches!(pattern.kind(), ChannelKind::Meta(_)))
        {
            let error = ProtocolError::subscribe_denied(BY_POLICY);
            return Flow::fail(&current.message, error);
        }
        let patterns = broadcast(patterns);
        let answer = Box::new(Answer::to(&current.message));
        let Some(entry) = self.sessions.get(session).filter(|_| !patterns.is_empty()) else {
            return Flow::Answer(answer);
        };
        if self.log.is_down() {
            return Flow::fail(&current.message, ProtocolError::unavailable());
        }
        let (id, fence) = (entry.id, entry.fence);
        for pattern in &patterns {
            self.remove_subscription(session, pattern);
        }
        // SU-5: what was not there is gone. The store is told all the same: it may still have what
        // it was asked to forget before, in vain.
        let store = StoreRequest::Unsubscribe {
            session: id,
            fence,
            patterns,
        };
        self.store(
            store,
            StoreUse::Unsubscribe {
                request: key,
                slot: current.slot,
            },
        );
        self.wait_for_store(request, current, answer)
    }

    /// The store has forgotten subscriptions, or has not.
    pub(crate) fn unsubscribed(&mut self, request: RequestKey, slot: usize, reply: &StoreReply) {
        let error = ProtocolError::unsubscribe_failed;
        let outcome = match reply {
            StoreReply::Fenced if self.follow(request, slot, error(), None) => return,
            StoreReply::Fenced | StoreReply::Unknown => Err(error()),
            StoreReply::Failed => Err(ProtocolError::unavailable()),
            StoreReply::Done
            | StoreReply::Appended(_)
            | StoreReply::Claimed(_)
            | StoreReply::Unowned
            | StoreReply::Entries(_)
            | StoreReply::Gap
            | StoreReply::Answered(_) => Ok(()),
        };
        self.fill(request, slot, outcome, Position::ZERO);
    }

    /// The store has remembered subscriptions, or has not.
    pub(crate) fn subscribed(&mut self, ticket: StoreTicket, what: StoreUse, reply: &StoreReply) {
        let StoreUse::Subscribe {
            request,
            slot,
            session,
            patterns,
        } = what
        else {
            return;
        };
        if matches!(reply, StoreReply::Fenced)
            && self.follow(request, slot, ProtocolError::subscribe_failed(), None)
        {
            return self.settle_subscriptions(session, patterns, ticket, reply);
        }
        let outcome = match reply {
            StoreReply::Done => Ok(()),
            StoreReply::Fenced | StoreReply::Unknown => Err(ProtocolError::subscribe_failed()),
            StoreReply::Appended(_)
            | StoreReply::Claimed(_)
            | StoreReply::Unowned
            | StoreReply::Entries(_)
            | StoreReply::Gap
            | StoreReply::Answered(_)
            | StoreReply::Failed => Err(ProtocolError::unavailable()),
        };
        self.settle_subscriptions(session, patterns, ticket, reply);
        self.fill(request, slot, outcome, Position::ZERO);
    }

    /// A write is over: what it was to keep is confirmed, or undone if no other write can keep it.
    pub(crate) fn settle_subscriptions(
        &mut self,
        session: SessionKey,
        patterns: Vec<ChannelPattern>,
        written: StoreTicket,
        reply: &StoreReply,
    ) {
        let mut undone = Vec::new();
        for pattern in patterns {
            if matches!(reply, StoreReply::Done) {
                self.unconfirmed.confirm(session, &pattern, written);
            } else if self.unconfirmed.fail(session, &pattern, written)
                && self.remove_subscription(session, &pattern)
            {
                undone.push(pattern);
            }
        }
        // The store may have kept, or may yet keep, what its client was told it does not have.
        if matches!(reply, StoreReply::Failed) {
            self.withdraw(session, undone);
        }
    }
}

/// Those that events can come for (SU-6).
fn broadcast(mut patterns: Vec<ChannelPattern>) -> Vec<ChannelPattern> {
    patterns.retain(|pattern| pattern.kind() == ChannelKind::Broadcast);
    patterns
}

/// What a consultation means for the message at hand: `None` if it may go on.
pub(crate) fn refuse(
    current: &Current,
    asked: Authorization,
    error: fn(Cow<'static, str>) -> ProtocolError,
) -> Option<Flow> {
    match asked {
        Authorization::Waiting => Some(Flow::Wait),
        Authorization::Allowed => None,
        Authorization::Late => Some(Flow::fail(&current.message, ProtocolError::unavailable())),
        Authorization::Denied(denial) => {
            let why = denial.reason.clone();
            let why = why.map_or(Cow::Borrowed(BY_POLICY), |why| Cow::Owned(why.into()));
            let error = error(why);
            Some(Flow::deny(&current.message, error, *denial))
        }
    }
}
