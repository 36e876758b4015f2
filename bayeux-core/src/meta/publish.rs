//! Publishing (PB-1, SV-1): from a client's message to an entry of the log.
//!
//! An event is encoded once, for all who get it (PL-10).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::channel::{ChannelKind, ChannelName, ChannelPattern};
use crate::connection::Answer;
use crate::decide::{Consultation, Order, Step, reaches};
use crate::decision::{Role, Scope, Subject, Verdict};
use crate::id::StoreTicket;
use crate::message::{Event, Id, Message, Payload, ProtocolError};
use crate::meta::subscribe::{BY_POLICY, refuse};
use crate::report::ReportKind;
use crate::request::{Behind, Current, Flow, Request, RequestKey, Stage};
use crate::session::{Session, SessionKey};
use crate::store::{Destination, Echo, Laziness, NewEntry, Position, StoreReply, StoreRequest};
use crate::tickets::StoreUse;
use crate::timesync::http_date;
use crate::turn::Turn;

/// How far a publish has come.
pub(crate) struct PublishStage {
    channel: ChannelName,
    pattern: ChannelPattern,
    question: Question,
    /// What subscribers will get, once it is encoded.
    event: Option<Event>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Create,
    Publish,
    Handle,
    Outgoing,
    Append,
}

impl Turn<'_> {
    pub(crate) fn begin_publish(&mut self, current: &mut Current) -> Flow {
        let Some(channel) = current.channel.take() else {
            return Flow::fail(&current.message, ProtocolError::channel_invalid());
        };
        if matches!(channel.kind(), ChannelKind::Meta(_)) {
            // ER-2: always refused, whatever the policy says.
            let error = ProtocolError::channel_create_denied(BY_POLICY);
            return Flow::fail(&current.message, error);
        }
        let pattern = ChannelPattern::from(channel.clone());
        let question = if self.deciders.is_empty() {
            Question::Append
        } else {
            Question::Create
        };
        let stage = PublishStage {
            channel,
            pattern,
            question,
            event: None,
        };
        current.stage = Stage::Publish(Box::new(stage));
        Flow::Go
    }

    pub(crate) fn publish(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
    ) -> Flow {
        loop {
            let Stage::Publish(stage) = &current.stage else {
                return Flow::Go;
            };
            let (channel, pattern) = (stage.channel.clone(), stage.pattern.clone());
            let next = match stage.question {
                Question::Create => {
                    let absent = self.channels.find(channel.as_str()).is_none();
                    // Somebody else may have made the channel since the question was asked.
                    if absent || current.is_being_authorized() {
                        let subject = |current: &Current| {
                            Subject::Create(pattern.clone(), current.message.clone().into())
                        };
                        let create = |operations: &crate::Operations| operations.create;
                        let asked =
                            self.authorize(key, request, current, create, Some(&pattern), subject);
                        let error = |why| ProtocolError::channel_create_denied(why);
                        if let Some(flow) = refuse(current, asked, error) {
                            return flow;
                        }
                    }
                    Question::Publish
                }
                Question::Publish => {
                    let subject = |current: &Current| {
                        Subject::Publish(channel.clone(), current.message.clone().into())
                    };
                    let publish = |operations: &crate::Operations| operations.publish;
                    let asked =
                        self.authorize(key, request, current, publish, Some(&pattern), subject);
                    let error = |why| ProtocolError::publish_denied(why);
                    if let Some(flow) = refuse(current, asked, error) {
                        return flow;
                    }
                    Question::Handle
                }
                Question::Handle => match self.handle_message(key, request, current, &channel) {
                    Some(flow) => return flow,
                    None => Question::Outgoing,
                },
                Question::Outgoing => match self.freeze(key, request, current, &channel) {
                    Some(flow) => return flow,
                    None => Question::Append,
                },
                Question::Append => return self.append(key, request, current),
            };
            if let Stage::Publish(stage) = &mut current.stage {
                stage.question = next;
                current.consultation = Consultation::new(match next {
                    Question::Outgoing => Order::Reversed,
                    Question::Create | Question::Publish | Question::Handle | Question::Append => {
                        Order::Registered
                    }
                });
            }
        }
    }

    /// Handlers see the message (PB-9, SV-1): `None` once all have.
    fn handle_message(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
        channel: &ChannelName,
    ) -> Option<Flow> {
        loop {
            let wanted = |role: &Role| match role {
                Role::Handler(Scope::Pattern(pattern)) => reaches(pattern, channel).then(Vec::new),
                Role::Handler(Scope::Template(template)) => {
                    let parameters = template.matches(channel)?;
                    Some(
                        parameters
                            .map(|(name, value)| (name.into(), value.into()))
                            .collect(),
                    )
                }
                Role::Policy(_)
                | Role::Authorizer { .. }
                | Role::Incoming
                | Role::Outgoing
                | Role::SessionOutgoing => None,
            };
            let subject = |current: &Current, parameters| Subject::Handle {
                channel: channel.clone(),
                parameters,
                message: current.message.clone().into(),
            };
            match self.consult(key, request, current, wanted, subject) {
                Step::Waiting => return Some(Flow::Wait),
                Step::Late => return Some(self.overdue(request, current)),
                Step::Done => return None,
                Step::Verdict(Verdict::Drop) => {
                    return Some(Flow::fail(
                        &current.message,
                        ProtocolError::message_deleted(),
                    ));
                }
                Step::Verdict(Verdict::Deny(denial)) => {
                    let error = ProtocolError::message_deleted();
                    return Some(Flow::deny(&current.message, error, *denial));
                }
                Step::Verdict(Verdict::Replace(message)) => {
                    current.message.data = message.data;
                    current.message.ext = message.ext;
                }
                Step::Verdict(Verdict::Answer { successful, data }) => {
                    return Some(self.answer_call(key, request, current, successful, &data));
                }
                Step::Verdict(
                    Verdict::Allow
                    | Verdict::Abstain
                    | Verdict::ReplaceEvent(_)
                    | Verdict::Extend(_)
                    | Verdict::Admit(_),
                ) => {}
            }
        }
    }

    /// SV-4: the result of a remote call goes to the caller alone, as an event with the call's id.
    fn answer_call(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
        successful: bool,
        data: &Payload,
    ) -> Flow {
        let message = &current.message;
        let session = current.session(request);
        let session = session.and_then(|key| self.sessions.get(key));
        let (Id::Given(id), Some(session)) = (&message.id, session) else {
            return Flow::succeed(message);
        };
        let channel = message.channel.as_deref().unwrap_or_default();
        let entry = NewEntry {
            origin: None,
            fence: None,
            to: Destination::Session(session.id),
            event: self.stamp(Event::answer(channel, id, successful, data)),
            laziness: Laziness::Prompt,
            echo: Echo::ToPublisher,
        };
        request.calls = true;
        self.hand_over(key, request, current, entry)
    }

    /// Extensions see the event once, before it is fixed for all (PL-10): `None` once all have.
    fn freeze(
        &mut self,
        key: RequestKey,
        request: &Request,
        current: &mut Current,
        channel: &ChannelName,
    ) -> Option<Flow> {
        let Stage::Publish(stage) = &mut current.stage else {
            return None;
        };
        let event = stage.event.take();
        let asks = event.is_some() || self.deciders.see_outgoing();
        if channel.kind() != ChannelKind::Broadcast || !asks {
            return None;
        }
        let mut event = event.unwrap_or_else(|| self.encode(channel, &current.message));
        loop {
            let wanted = |role: &Role| (*role == Role::Outgoing).then_some(());
            let asked = event.clone();
            let subject = |_: &Current, ()| Subject::Event(asked);
            let step = self.consult(key, request, current, wanted, subject);
            let flow = match step {
                Step::Verdict(Verdict::ReplaceEvent(replaced)) => {
                    event = replaced;
                    continue;
                }
                Step::Verdict(Verdict::Drop | Verdict::Deny(_)) => {
                    return Some(Flow::fail(
                        &current.message,
                        ProtocolError::message_deleted(),
                    ));
                }
                Step::Verdict(
                    Verdict::Allow
                    | Verdict::Abstain
                    | Verdict::Replace(_)
                    | Verdict::Extend(_)
                    | Verdict::Admit(_)
                    | Verdict::Answer { .. },
                ) => continue,
                // Nobody gets what may have been meant to be changed.
                Step::Late => return Some(self.overdue(request, current)),
                Step::Waiting => Some(Flow::Wait),
                Step::Done => None,
            };
            if let Stage::Publish(stage) = &mut current.stage {
                stage.event = Some(event);
            }
            return flow;
        }
    }

    fn encode(&self, channel: &ChannelName, message: &Message) -> Event {
        let timestamp = self.timestamp();
        Event::publish(
            channel,
            message,
            &self.config.strip_ext,
            timestamp.as_deref(),
        )
    }

    /// EX-2: the event with the time of day, if messages carry it.
    pub(crate) fn stamp(&self, event: Event) -> Event {
        match self.timestamp() {
            Some(timestamp) => event.with_timestamp(&timestamp),
            None => event,
        }
    }

    /// EX-2: the time of day, if messages carry it.
    pub(crate) fn timestamp(&self) -> Option<Box<str>> {
        let since_1970 = || {
            self.config
                .wall_clock
                .saturating_add(self.now.since_epoch())
        };
        self.config.timestamp.then(|| http_date(since_1970()))
    }

    /// Everybody agrees: the entry goes to the log. A service message has nowhere further to go.
    fn append(&mut self, key: RequestKey, request: &mut Request, current: &mut Current) -> Flow {
        let Stage::Publish(stage) = &mut current.stage else {
            return Flow::Go;
        };
        let (channel, event) = (stage.channel.clone(), stage.event.take());
        if channel.kind() == ChannelKind::Service {
            // Its handlers have it, also if one of them has ended the session (DC-5).
            return Flow::succeed(&current.message);
        }
        if self.has_moved(request, &current.message) {
            // It was taken while its publish was decided on: whoever has it decides anew.
            return self.seek_out(request, current, ProtocolError::session_unknown());
        }
        let session = request.session.map(|key| self.sessions.get(key));
        if session.is_some_and(|session| session.is_none_or(Session::is_leaving)) {
            // It ended while its publish was decided on.
            return Flow::fail(&current.message, ProtocolError::session_unknown());
        }
        if self.log.is_down() {
            return Flow::fail(&current.message, ProtocolError::unavailable());
        }
        let pattern = stage.pattern.clone();
        self.use_channel(&pattern);
        let session = current.session(request);
        let session = session.and_then(|key| self.sessions.get(key));
        let own = session.and_then(|session| session.settings.echo);
        let entry = NewEntry {
            origin: session.map(|session| session.id),
            fence: session.map(|session| session.fence),
            echo: own.unwrap_or(self.config.broadcast_to_publisher),
            event: event.unwrap_or_else(|| self.encode(&channel, &current.message)),
            to: Destination::Channel(channel),
            laziness: Laziness::Prompt,
        };
        self.hand_over(key, request, current, entry)
    }

    /// Asks the store to append: the message is done, its reply waits.
    fn hand_over(
        &mut self,
        key: RequestKey,
        request: &mut Request,
        current: &mut Current,
        entry: NewEntry,
    ) -> Flow {
        let session = current.session(request);
        let what = StoreUse::Append {
            request: key,
            slot: current.slot,
            session,
        };
        let ticket = self.store(StoreRequest::Append(Box::new(entry)), what);
        request.behind = Behind::Asked(ticket);
        if let Some(session) = session.and_then(|session| self.sessions.get_mut(session)) {
            session.open_appends += 1;
        }
        let answer = Answer::to(&current.message);
        self.wait_for_store(request, current, Box::new(answer))
    }

    /// The store has appended a client's entry, or has not.
    pub(crate) fn appended(&mut self, ticket: StoreTicket, what: StoreUse, reply: &StoreReply) {
        let StoreUse::Append {
            request,
            slot,
            session,
        } = what
        else {
            return;
        };
        if matches!(reply, StoreReply::Fenced)
            && self.follow(
                request,
                slot,
                ProtocolError::session_unknown(),
                Some(ticket),
            )
        {
            return self.go_on_after(session, None);
        }
        let (outcome, position) = match reply {
            StoreReply::Appended(position) => (Ok(()), *position),
            StoreReply::Fenced | StoreReply::Unknown => {
                (Err(ProtocolError::session_unknown()), Position::ZERO)
            }
            StoreReply::Done
            | StoreReply::Claimed(_)
            | StoreReply::Unowned
            | StoreReply::Entries(_)
            | StoreReply::Gap
            | StoreReply::Answered(_)
            | StoreReply::Failed => (Err(ProtocolError::unavailable()), Position::ZERO),
        };
        let entry = session.and_then(|session| self.sessions.get(session));
        let origin = entry.map(|session| session.id);
        let subscribed = entry.is_some_and(|session| !session.subscriptions.is_empty());
        if outcome.is_ok() {
            self.counters.published += 1;
            if self.config.reports.messages {
                self.report(ReportKind::Published(origin, position));
            }
        }
        // RC-2, SU-11: what may be for the publisher itself is to travel with the reply.
        let calls = self
            .requests
            .get_mut(request)
            .is_some_and(|request| request.calls);
        let after = if subscribed || calls {
            position
        } else {
            Position::ZERO
        };
        let waiting = self.entry_placed(request, ticket, position);
        self.fill(request, slot, outcome, after);
        self.go_on_after(session, waiting);
    }

    /// An append is over: what waited for that goes on.
    fn go_on_after(
        &mut self,
        session: Option<SessionKey>,
        waiting: impl IntoIterator<Item = RequestKey>,
    ) {
        if let Some(session) = session {
            self.append_settled(session);
        }
        for request in waiting {
            self.advance(request);
        }
    }
}
