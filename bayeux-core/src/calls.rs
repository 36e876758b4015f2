//! What the application asks for: calls, each of which returns once, and changes of the configuration.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::call::{Call, CallResult, SessionView};
use crate::channel::{ChannelKind, ChannelName, ChannelPattern};
use crate::config::Change;
use crate::connection::Connection;
use crate::id::{CallTicket, ConnectionId, SessionId};
use crate::io::{Output, Peer, Transport};
use crate::message::{Event, Extensions, Message, Payload};
use crate::report::{Removal, ReportKind};
use crate::session::{Session, SessionKey, State};
use crate::store::{
    Destination, Echo, Laziness, NewEntry, SessionRecord, StoreReply, StoreRequest,
};
use crate::tickets::StoreUse;
use crate::turn::Turn;

impl Turn<'_> {
    pub(crate) fn called(&mut self, ticket: CallTicket, call: Call) {
        let result = match call {
            Call::Publish {
                channel,
                data,
                ext,
                laziness,
            } => {
                return self.call_publish(ticket, channel, data, ext, laziness);
            }
            Call::Deliver {
                session,
                channel,
                data,
                laziness,
            } => {
                return self.call_deliver(ticket, session, &channel, &data, laziness);
            }
            Call::Open { connection } => return self.call_open(ticket, connection),
            Call::Subscribe { session, pattern } => {
                return self.call_subscribe(ticket, session, pattern);
            }
            Call::Unsubscribe { session, pattern } => {
                return self.call_unsubscribe(ticket, session, pattern);
            }
            Call::Disconnect { session } => self.call_disconnect(session),
            Call::Batch { session } => {
                self.with_session(session, |session| session.make_special().batches += 1)
            }
            Call::Flush { session } => self.call_flush(session),
            Call::Configure {
                session,
                timeout,
                interval,
                max_interval,
            } => self.with_session(session, |session| {
                let settings = Arc::make_mut(&mut session.settings);
                settings.timeout = timeout.or(settings.timeout);
                settings.interval = interval.or(settings.interval);
                settings.max_interval = max_interval.or(settings.max_interval);
            }),
            Call::ListSessions { from, limit } => self.list_sessions(from, limit),
            Call::ListChannels { from, limit } => self.list_channels(from, limit),
            Call::FindChannels { patterns } => self.find_channels(patterns),
            Call::ListSubscribers {
                pattern,
                from,
                limit,
            } => self.list_subscribers(&pattern, from, limit),
            Call::Inspect { session } => self.inspect(session),
            Call::Count => CallResult::Counters(Box::new(self.counters)),
        };
        self.give_back(ticket, result);
    }

    fn give_back(&mut self, ticket: CallTicket, result: CallResult) {
        self.outbox.push(Output::Return { ticket, result });
    }

    /// The session `id`, unless it was disconnected (DC-7).
    fn living(&self, id: SessionId) -> Option<SessionKey> {
        let key = self.sessions.find(id)?;
        let session = self.sessions.get(key)?;
        (!session.is_leaving()).then_some(key)
    }

    fn with_session(&mut self, id: SessionId, act: impl FnOnce(&mut Session)) -> CallResult {
        let session = self.living(id).and_then(|key| self.sessions.get_mut(key));
        session.map_or(CallResult::Unknown, |session| {
            act(session);
            CallResult::Done
        })
    }

    fn call_publish(
        &mut self,
        ticket: CallTicket,
        channel: ChannelName,
        data: Payload,
        ext: Option<Extensions>,
        laziness: Laziness,
    ) {
        if channel.kind() != ChannelKind::Broadcast || channel.is_reserved() {
            // Nobody could receive it: the one answer that says so.
            return self.give_back(ticket, CallResult::Limited);
        }
        let message = Message {
            data: Some(data),
            ext,
            ..Message::default()
        };
        let timestamp = self.timestamp();
        let event = Event::publish(&channel, &message, &[], timestamp.as_deref());
        if !self.log.is_down() {
            self.use_channel(&ChannelPattern::from(channel.clone()));
        }
        self.call_append(ticket, Destination::Channel(channel), event, laziness);
    }

    fn call_deliver(
        &mut self,
        ticket: CallTicket,
        session: SessionId,
        channel: &ChannelName,
        data: &Payload,
        laziness: Laziness,
    ) {
        if self.living(session).is_none() {
            return self.give_back(ticket, CallResult::Unknown);
        }
        let event = self.stamp(Event::deliver(channel, data));
        self.call_append(ticket, Destination::Session(session), event, laziness);
    }

    fn call_append(
        &mut self,
        ticket: CallTicket,
        to: Destination,
        event: Event,
        laziness: Laziness,
    ) {
        if self.log.is_down() {
            return self.give_back(ticket, CallResult::Unavailable);
        }
        let echo = Echo::ToPublisher;
        let entry = NewEntry {
            origin: None,
            fence: None,
            to,
            event,
            laziness,
            echo,
        };
        let what = StoreUse::Call {
            call: ticket,
            session: None,
            patterns: Vec::new(),
        };
        self.store(StoreRequest::Append(Box::new(entry)), what);
    }

    /// Opens a session of the application's own. It is of this process, and not in the store.
    fn call_open(&mut self, ticket: CallTicket, connection: ConnectionId) {
        if self.sessions.len() >= self.config.limits.max_sessions
            || self.connections.get(connection).is_some()
        {
            return self.give_back(ticket, CallResult::Limited);
        }
        let id = self.mint();
        let seen = self.log.seen();
        let mut session = Session::new(SessionRecord::new(id), self.now, seen);
        session.state = State::Local;
        session.socket = Some(connection);
        let key = self.sessions.insert(session);
        let mut entry = Connection::new(connection, Transport::WebSocket, Peer::default());
        entry.session = Some(key);
        entry.local = true;
        self.connections.insert(entry);
        self.report(ReportKind::SessionCreated(id));
        self.give_back(ticket, CallResult::Opened(id));
    }

    fn call_subscribe(&mut self, ticket: CallTicket, id: SessionId, pattern: ChannelPattern) {
        let Some(key) = self.living(id) else {
            return self.give_back(ticket, CallResult::Unknown);
        };
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let (fence, local) = (session.fence, session.is_local());
        if pattern.kind() != ChannelKind::Broadcast || pattern.is_reserved() {
            return self.give_back(ticket, CallResult::Limited);
        }
        let is_new = !self.has_subscription(key, &pattern);
        if !is_new && !self.unconfirmed.contains(key, &pattern) {
            return self.give_back(ticket, CallResult::Done);
        }
        if is_new && self.no_room_for(key, &pattern, (0, 0)).is_some() {
            return self.give_back(ticket, CallResult::Limited);
        }
        if !local && self.log.is_down() {
            return self.give_back(ticket, CallResult::Unavailable);
        }
        let since = self.log.seen();
        self.add_subscription(key, &pattern, since);
        self.debts.is_subscribed(key, &pattern);
        if local {
            return self.give_back(ticket, CallResult::Done);
        }
        let what = StoreUse::Call {
            call: ticket,
            session: Some(key),
            patterns: alloc::vec![pattern.clone()],
        };
        let written = self.store(
            StoreRequest::Subscribe {
                session: id,
                fence,
                patterns: alloc::vec![pattern.clone()],
                since,
            },
            what,
        );
        if is_new {
            self.unconfirmed.begin(key, &pattern, written);
        } else {
            self.unconfirmed.repeat(key, &pattern);
        }
    }

    fn call_unsubscribe(&mut self, ticket: CallTicket, id: SessionId, pattern: ChannelPattern) {
        let Some(key) = self.living(id) else {
            return self.give_back(ticket, CallResult::Unknown);
        };
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let (fence, local) = (session.fence, session.is_local());
        if !local && self.log.is_down() {
            return self.give_back(ticket, CallResult::Unavailable);
        }
        if !self.remove_subscription(key, &pattern) || local {
            return self.give_back(ticket, CallResult::Done);
        }
        let what = StoreUse::Call {
            call: ticket,
            session: Some(key),
            patterns: Vec::new(),
        };
        let patterns = alloc::vec![pattern];
        self.store(
            StoreRequest::Unsubscribe {
                session: id,
                fence,
                patterns,
            },
            what,
        );
    }

    /// The store has answered what a call asked of it.
    pub(crate) fn call_stored(&mut self, call: CallTicket, reply: StoreReply) {
        let result = match reply {
            StoreReply::Done => CallResult::Done,
            StoreReply::Appended(position) => {
                self.counters.published += 1;
                if self.config.reports.messages {
                    self.report(ReportKind::Published(None, position));
                }
                CallResult::Appended(position)
            }
            StoreReply::Unknown | StoreReply::Fenced => CallResult::Unknown,
            StoreReply::Claimed(_)
            | StoreReply::Unowned
            | StoreReply::Entries(_)
            | StoreReply::Gap
            | StoreReply::Answered(_)
            | StoreReply::Failed => CallResult::Unavailable,
        };
        self.give_back(call, result);
    }

    fn call_disconnect(&mut self, id: SessionId) -> CallResult {
        let Some(key) = self.living(id) else {
            return CallResult::Unknown;
        };
        self.disconnect_session(key, Removal::DisconnectedByServer);
        CallResult::Done
    }

    fn call_flush(&mut self, id: SessionId) -> CallResult {
        let result = self.with_session(id, |session| {
            if let Some(special) = session.special_mut() {
                special.batches = special.batches.saturating_sub(1);
            }
        });
        if let Some(key) = self.sessions.find(id) {
            self.wake(key);
        }
        result
    }

    fn list_sessions(&self, from: u32, limit: u32) -> CallResult {
        let (keys, next) = self.sessions.page(from, limit);
        let sessions = keys.iter().filter_map(|key| self.sessions.get(*key));
        let sessions = sessions.filter(|session| !session.is_leaving());
        CallResult::Sessions(sessions.map(|session| session.id).collect(), next)
    }

    fn list_channels(&self, from: u32, limit: u32) -> CallResult {
        let (channels, next) = self.channels.page(from, limit);
        CallResult::Channels(channels, next)
    }

    fn find_channels(&self, patterns: Vec<ChannelPattern>) -> CallResult {
        let found = patterns.into_iter().filter_map(|pattern| {
            let key = self.channels.find(pattern.as_str())?;
            let subscribers = self.channels.get(key)?.subscribers.len();
            Some((pattern, u32::try_from(subscribers).unwrap_or(u32::MAX)))
        });
        CallResult::Channels(found.collect(), None)
    }

    fn list_subscribers(&mut self, pattern: &ChannelPattern, from: u32, limit: u32) -> CallResult {
        let channel = self.channels.find(pattern.as_str());
        let Some(channel) = channel.and_then(|channel| self.channels.get(channel)) else {
            return CallResult::Sessions(Vec::new(), None);
        };
        let stop = from.saturating_add(limit);
        let next = (channel.subscribers.len() > stop as usize).then_some(stop);
        let page = channel
            .subscribers
            .iter()
            .skip(from as usize)
            .take(limit as usize);
        let slots: Vec<_> = page.map(|subscriber| subscriber.session).collect();
        let mut ids = Vec::with_capacity(slots.len());
        for slot in slots {
            ids.extend(self.sessions.at_slot(slot).map(|(_, session)| session.id));
        }
        CallResult::Sessions(ids, next)
    }

    fn inspect(&self, id: SessionId) -> CallResult {
        let session = self.living(id).and_then(|key| self.sessions.get(key));
        let Some(session) = session else {
            return CallResult::Unknown;
        };
        let pattern = |subscribed: &crate::session::Subscribed| {
            self.channels
                .get(subscribed.channel)
                .map(|channel| channel.pattern.clone())
        };
        let view = SessionView {
            session: session.id,
            phase: session.phase(),
            transport: session.transport.filter(|_| session.connected),
            acknowledged: session.settings.acknowledged,
            subscriptions: session.subscriptions.iter().filter_map(pattern).collect(),
            queued: (session.queue.len(), session.queue.bytes()),
            expires_in: session
                .expires()
                .map(|at| self.expiries.remaining(self.now, at)),
        };
        CallResult::Session(Box::new(view))
    }

    pub(crate) fn configured(&mut self, change: Change) {
        match change {
            Change::AddDecider(decider) => self.deciders.add(decider),
            Change::RemoveDecider(id) => self.deciders.remove(id),
            Change::Limits(limits) => self.config.limits = *limits,
            Change::WallClock(wall_clock) => {
                self.config.wall_clock = wall_clock;
                for session in self.timers.take_admissions() {
                    self.start_admission(session);
                }
            }
        }
    }
}
