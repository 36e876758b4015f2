//! The contract, naively.

use super::told::{Reply, Seen, Told, subscribed};
use super::*;

/// The contract, naively: nothing is ever thrown away, and everything is searched for.
#[derive(Default)]
pub(super) struct Model {
    now: Instant,
    /// Every entry there ever was, and when it came.
    pub(super) log: Vec<(Instant, NewEntry)>,
    /// How many of them are no longer kept.
    trimmed: usize,
    pub(super) nodes: Vec<Option<ModelNode>>,
    sessions: Vec<ModelSession>,
    forwards: Vec<ModelForward>,
}

pub(super) struct ModelNode {
    cursor: usize,
    mail: Vec<Told>,
    inbox: Vec<usize>,
}

struct ModelSession {
    record: SessionRecord,
    owner: Option<usize>,
    /// Since when there is no owner.
    alone: Instant,
}

struct ModelForward {
    asker: usize,
    ticket: u64,
    owner: usize,
    session: SessionId,
    is_handed: bool,
    is_over: bool,
}

impl Model {
    pub(super) fn attach(&mut self) {
        let up = Told::Up(self.log.len() as u64);
        self.nodes.push(Some(ModelNode {
            cursor: self.log.len(),
            mail: vec![up],
            inbox: Vec::new(),
        }));
    }

    pub(super) fn detach(&mut self, node: usize) {
        if self.nodes[node].take().is_none() {
            return;
        }
        for session in self
            .sessions
            .iter_mut()
            .filter(|session| session.owner == Some(node))
        {
            session.owner = None;
            session.alone = self.now;
            session.record.released = None;
        }
        for at in 0..self.forwards.len() {
            let forward = &mut self.forwards[at];
            if !forward.is_over && (forward.owner == node || forward.asker == node) {
                forward.is_over = true;
                let (asker, ticket) = (forward.asker, forward.ticket);
                let reply = if forward.is_handed {
                    Reply::Failed
                } else {
                    Reply::Unowned
                };
                self.tell(asker, Told::Reply(ticket, reply));
            }
        }
    }

    pub(super) fn pass(&mut self, now: Instant) {
        self.now = now;
        self.sessions
            .retain(|session| session.owner.is_some() || session.alone + TTL > now);
        let seen = self.nodes.iter().flatten().map(|node| node.cursor).min();
        let seen = seen.unwrap_or(self.log.len());
        while self.trimmed < seen && self.log[self.trimmed].0 + RETENTION <= now {
            self.trimmed += 1;
        }
    }

    fn tell(&mut self, node: usize, told: Told) {
        if let Some(node) = &mut self.nodes[node] {
            node.mail.push(told);
        }
    }

    fn find(&mut self, session: SessionId) -> Option<&mut ModelSession> {
        self.sessions
            .iter_mut()
            .find(|known| known.record.session == session)
    }

    fn under(&mut self, session: SessionId, fence: Fence) -> Option<&mut ModelSession> {
        self.find(session)
            .filter(|known| known.record.fence == fence)
    }

    pub(super) fn poll(&mut self, at: usize) -> Option<Told> {
        loop {
            let node = self.nodes[at].as_mut()?;
            if !node.mail.is_empty() {
                return Some(node.mail.remove(0));
            }
            if node.inbox.is_empty() {
                break;
            }
            let number = node.inbox.remove(0);
            if self.forwards[number].is_over {
                continue;
            }
            let session = self.forwards[number].session;
            if self
                .find(session)
                .is_some_and(|known| known.owner == Some(at))
            {
                self.forwards[number].is_handed = true;
                return Some(Told::Forwarded(number, session));
            }
            self.forwards[number].is_over = true;
            let (asker, ticket) = (self.forwards[number].asker, self.forwards[number].ticket);
            if let Some(reply) = self.forward(asker, ticket, session) {
                self.tell(asker, Told::Reply(ticket, reply));
            }
        }
        let (end, trimmed) = (self.log.len(), self.trimmed);
        let node = self.nodes[at].as_mut()?;
        if node.cursor == end {
            return None;
        }
        if node.cursor < trimmed {
            node.cursor = end;
            return Some(Told::Reset(end as u64));
        }
        let from = node.cursor;
        node.cursor = end.min(from + MAX_BATCH);
        let to = node.cursor;
        Some(Told::Entries(
            (from..to).map(|index| self.seen(index)).collect(),
        ))
    }

    fn seen(&self, index: usize) -> Seen {
        let (_, entry) = &self.log[index];
        (index as u64 + 1, format!("{:?}", entry.to), entry.origin)
    }

    pub(super) fn submit(
        &mut self,
        node: usize,
        ticket: u64,
        request: StoreRequest,
        handed: &[(ForwardTicket, usize)],
    ) {
        if self.nodes[node].is_none() {
            return;
        }
        let reply = match request {
            StoreRequest::Forward { session, .. } => self.forward(node, ticket, session),
            StoreRequest::Answer { forward, .. } => {
                let number = handed
                    .iter()
                    .find(|known| known.0 == forward)
                    .map(|known| known.1);
                Some(self.answer(node, number))
            }
            other => Some(self.change(node, other)),
        };
        if let Some(reply) = reply {
            self.tell(node, Told::Reply(ticket, reply));
        }
    }

    fn forward(&mut self, asker: usize, ticket: u64, session: SessionId) -> Option<Reply> {
        let Some(known) = self.find(session) else {
            return Some(Reply::Unknown);
        };
        let Some(owner) = known.owner else {
            return Some(Reply::Unowned);
        };
        let open = self
            .forwards
            .iter()
            .filter(|other| other.owner == owner && !other.is_over)
            .count();
        let inbox = self.nodes[owner]
            .as_ref()
            .map_or(0, |node| node.inbox.len());
        if open.max(inbox) >= MAX_INBOX {
            return Some(Reply::Failed);
        }
        let number = self.forwards.len();
        let (is_handed, is_over) = (false, false);
        self.forwards.push(ModelForward {
            asker,
            ticket,
            owner,
            session,
            is_handed,
            is_over,
        });
        self.nodes[owner].as_mut().unwrap().inbox.push(number);
        None
    }

    fn answer(&mut self, node: usize, number: Option<usize>) -> Reply {
        if let Some(number) = number {
            let forward = &mut self.forwards[number];
            if forward.owner == node && forward.is_handed && !forward.is_over {
                forward.is_over = true;
                let (asker, ticket) = (forward.asker, forward.ticket);
                self.tell(asker, Told::Reply(ticket, Reply::Answered));
            }
        }
        Reply::Done
    }

    fn change(&mut self, node: usize, request: StoreRequest) -> Reply {
        let now = self.now;
        match request {
            StoreRequest::Append(entry) => self.append(*entry),
            StoreRequest::Read {
                session,
                subscriptions,
                after,
                until,
                limit: _,
            } => self.read(session, &subscriptions, after.number(), until.number()),
            StoreRequest::Open(record) => {
                if self.sessions.len() >= MAX_SESSIONS {
                    return Reply::Failed;
                }
                if self.find(record.session).is_some() {
                    return Reply::Fenced;
                }
                let owner = Some(node);
                self.sessions.push(ModelSession {
                    record: *record,
                    owner,
                    alone: now,
                });
                Reply::Done
            }
            StoreRequest::Claim { session, access } => self.claim(node, session, access),
            StoreRequest::Bind {
                session,
                fence,
                browser,
            } => {
                let Some(known) = self.under(session, fence) else {
                    return Reply::Fenced;
                };
                known.record.browser = Some(browser);
                known.record.bound = true;
                Reply::Done
            }
            StoreRequest::Subscribe {
                session,
                fence,
                patterns,
                since,
            } => {
                let Some(known) = self.under(session, fence) else {
                    return Reply::Fenced;
                };
                let list = &mut known.record.subscriptions;
                for pattern in patterns {
                    match list.iter_mut().find(|kept| kept.pattern == pattern) {
                        Some(kept) => kept.since = kept.since.min(since),
                        None => list.push(StoredSubscription { pattern, since }),
                    }
                }
                Reply::Done
            }
            StoreRequest::Unsubscribe {
                session,
                fence,
                patterns,
            } => {
                let Some(known) = self.under(session, fence) else {
                    return Reply::Fenced;
                };
                known
                    .record
                    .subscriptions
                    .retain(|kept| !patterns.contains(&kept.pattern));
                Reply::Done
            }
            StoreRequest::Release {
                session,
                fence,
                cursor,
            } => {
                let Some(known) = self.under(session, fence) else {
                    return Reply::Fenced;
                };
                known.owner = None;
                known.alone = now;
                known.record.released = Some(cursor);
                Reply::Done
            }
            StoreRequest::End { session, fence } => {
                if self.find(session).is_none() {
                    return Reply::Done;
                }
                if self.under(session, fence).is_none() {
                    return Reply::Fenced;
                }
                self.sessions
                    .retain(|known| known.record.session != session);
                Reply::Done
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn append(&mut self, entry: NewEntry) -> Reply {
        if let (Some(origin), Some(fence)) = (entry.origin, entry.fence)
            && self.under(origin, fence).is_none()
        {
            return Reply::Fenced;
        }
        self.log.push((self.now, entry));
        self.trimmed = self.trimmed.max(self.log.len().saturating_sub(MAX_ENTRIES));
        Reply::Appended(self.log.len() as u64)
    }

    fn claim(&mut self, node: usize, session: SessionId, access: Access) -> Reply {
        let Some(known) = self.find(session) else {
            return Reply::Unknown;
        };
        let is_of = known.record.browser;
        let admits = match access {
            Access::Any => true,
            Access::Browser(cookie) => is_of.is_none_or(|of| of == cookie),
            Access::Unbound => !known.record.bound,
            Access::Browserless => is_of.is_none(),
        };
        if !admits {
            return Reply::Unknown;
        }
        let former = known.owner.replace(node);
        if former != Some(node) {
            known.record.fence.0 += 1;
        }
        if former.is_some_and(|former| former != node) {
            known.record.released = None;
        }
        let fence = known.record.fence.0;
        let released = known.record.released.map(Position::number);
        let reply = Reply::Claimed(fence, released, subscribed(&known.record.subscriptions));
        if let Some(former) = former.filter(|former| *former != node) {
            self.tell(former, Told::Taken(session, fence));
        }
        reply
    }

    fn read(
        &self,
        session: SessionId,
        subscriptions: &[StoredSubscription],
        after: u64,
        until: u64,
    ) -> Reply {
        let covers = |channel: &ChannelName, position: u64| {
            let covers = |kept: &StoredSubscription| {
                kept.since.number() < position && kept.pattern.matches(channel)
            };
            subscriptions.iter().any(covers)
        };
        let mut found = Vec::new();
        for (index, (_, entry)) in self.log.iter().enumerate() {
            let position = index as u64 + 1;
            if position <= after || position > until {
                continue;
            }
            if index < self.trimmed {
                return Reply::Gap;
            }
            let is_for_it = match &entry.to {
                Destination::Session(to) => *to == session,
                Destination::Channel(channel) => covers(channel, position),
            };
            if is_for_it {
                found.push(self.seen(index));
            }
        }
        Reply::Entries(found)
    }
}
