//! The store in the memory of one process.
//!
//! It keeps the contract of [`StoreRequest`] for an embedder with one engine, and for the shards of a
//! server that share it behind one short lock. Like the engine it is pure: plain calls, and the time is
//! handed in. One invariant carries it: a node is told every entry in the order of the log, or that it
//! has missed some.

mod forwards;
mod log;
mod nodes;
mod sessions;

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use crate::config::Config;
use crate::id::{ForwardTicket, SessionId, StoreTicket};
use crate::io::Input;
use crate::store::{Access, NewEntry, Notice, Position, SessionRecord, StoreReply, StoreRequest};
use crate::time::Instant;

use self::forwards::{Content, Forward, Forwards, Stage};
use self::log::Log;
use self::nodes::{Mail, Nodes};
use self::sessions::{Owner, Sessions, Stale};

/// How much of what has grown old one call clears away.
const STEP: usize = 64;

/// An engine, as the store names it: by the number of engines that were attached before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(u32);

impl NodeId {
    /// Its number, from 0.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// What bounds a [`MemoryStore`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryOptions {
    /// How long entries are kept for sessions that come back. Afterwards an entry goes as soon as every
    /// node has seen it.
    pub retention: Duration,
    /// The most entries kept, at least one. The oldest go first, whoever has not seen them.
    pub max_entries: usize,
    /// About how many bytes of memory entries may take. The newest entry is kept however large it is.
    pub max_bytes: usize,
    /// How long a session without an owner is kept. One that has agreed on longer times of its own is
    /// kept for twice the sum of those.
    pub session_ttl: Duration,
    /// The most sessions; [`StoreRequest::Open`] ends in [`StoreReply::Failed`] beyond.
    pub max_sessions: usize,
    /// The most forwards that one node has not answered; [`StoreRequest::Forward`] ends in
    /// [`StoreReply::Failed`] beyond.
    pub max_inbox: usize,
    /// How long a forward waits for its answer; it ends in [`StoreReply::Failed`] then.
    pub forward_timeout: Duration,
    /// The most entries in one [`Notice::Entries`], at least one.
    pub max_batch: usize,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(180),
            max_entries: 1 << 20,
            max_bytes: 256 << 20,
            session_ttl: Duration::from_secs(80),
            max_sessions: 1_000_000,
            max_inbox: 1_024,
            forward_timeout: Duration::from_secs(30),
            max_batch: 256,
        }
    }
}

impl MemoryOptions {
    /// The options for engines with this configuration: sessions without an owner are kept for twice
    /// what may pass between two connects, and as many of them as the engine may have.
    #[must_use]
    pub fn for_config(config: &Config) -> Self {
        let cycle = [config.timeout, config.interval, config.max_interval]
            .into_iter()
            .fold(Duration::ZERO, Duration::saturating_add);
        let count = usize::try_from(config.shard.count).unwrap_or(1);
        Self {
            session_ttl: cycle.saturating_mul(2),
            max_sessions: config.limits.max_sessions.saturating_mul(count),
            ..Self::default()
        }
    }
}

/// The log and the table of sessions in memory: a store for the engines of one process.
///
/// Each engine is [attached](Self::attach) as a node. Whoever drives it hands each
/// [`Output::Store`](crate::Output::Store) to [`submit`](Self::submit), and what
/// [`poll`](Self::poll) gives to [`Engine::handle`](crate::Engine::handle). Nothing here blocks or waits.
///
/// - **Order.** A node is told its replies in the order of its requests (but for forwards, which end when
///   they are answered), and every entry in the order of positions. Replies come before entries, so that
///   the reply to its own `Append` comes before the entry. The first thing a new node is told is
///   [`Notice::Up`] with the position it begins at.
/// - **Entries** stay for [`retention`](MemoryOptions::retention), and no longer than the bounds on their
///   count and bytes allow. A node that is so slow that it lost some to these bounds is told
///   [`Notice::Reset`] with the position of the newest entry, and goes on from there.
/// - **Fences.** A session is opened under fence 1, whatever its record says. Each change of owner raises
///   it. A write under any other fence, or for a session that is not there, ends in
///   [`StoreReply::Fenced`]; only ending a session that is not there is `Done`. To open a session that is
///   there is `Fenced` too.
/// - **Claims** take effect at once, whether or not the former owner is alive. An owner that claims again
///   gets the same record.
/// - **Forwards** to a session that changes hands before its owner has polled for them follow it.
/// - **Time** that runs backwards is taken as standing still. What has grown old is cleared away a little
///   with every call; a session whose time is over is unknown from then on, cleared away or not.
///
/// # One engine
///
/// ```
/// use bayeux_core::{Config, Engine, Input, Instant, MemoryOptions, MemoryStore, Output, Seed};
///
/// let config = Config::default();
/// let mut store = MemoryStore::new(MemoryOptions::for_config(&config));
/// let node = store.attach();
/// let mut engine = Engine::new(config, Seed::new([7; 32])); // from the operating system, once
///
/// let now = Instant::EPOCH; // from the only clock there is
/// loop {
///     while let Some(output) = engine.poll_output() {
///         match output {
///             Output::Store { ticket, request } => store.submit(node, now, ticket, request),
///             other => drop(other), // to the network and to the application
///         }
///     }
///     match store.poll(node, now) {
///         Some(input) => engine.handle(now, input),
///         None => break, // wait for the network and for `engine.poll_timeout()`
///     }
/// }
/// ```
///
/// # Many engines
///
/// The store stands behind a lock that is held to submit and to poll, and not while an engine works.
/// [`poll_wake`](Self::poll_wake) names those that have gone to sleep and now have something to poll for:
/// each once, until it has polled to the end.
///
/// ```
/// use std::sync::Mutex;
/// use bayeux_core::{Input, Instant, MemoryOptions, MemoryStore, NodeId, StoreRequest, StoreTicket};
///
/// /// What one shard does after its engine was polled to the end.
/// fn exchange(
///     store: &Mutex<MemoryStore>,
///     node: NodeId,
///     now: Instant,
///     orders: &mut Vec<(StoreTicket, StoreRequest)>,
///     wake: impl Fn(NodeId),
/// ) -> Vec<Input> {
///     let mut store = store.lock().unwrap();
///     for (ticket, request) in orders.drain(..) {
///         store.submit(node, now, ticket, request);
///     }
///     let facts = std::iter::from_fn(|| store.poll(node, now)).collect();
///     while let Some(sleeper) = store.poll_wake() {
///         wake(sleeper);
///     }
///     facts // handled without the lock
/// }
///
/// let mut store = MemoryStore::new(MemoryOptions::default());
/// let nodes = [store.attach(), store.attach()];
/// let store = Mutex::new(store);
/// for node in nodes {
///     let facts = exchange(&store, node, Instant::EPOCH, &mut Vec::new(), |_| ());
///     assert_eq!(facts.len(), 1); // `Up`
/// }
/// ```
pub struct MemoryStore {
    options: MemoryOptions,
    now: Instant,
    log: Log,
    sessions: Sessions,
    nodes: Nodes,
    forwards: Forwards,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(options: MemoryOptions) -> Self {
        Self {
            options,
            now: Instant::EPOCH,
            log: Log::default(),
            sessions: Sessions::default(),
            nodes: Nodes::default(),
            forwards: Forwards::default(),
        }
    }

    /// An engine joins. It will be told the entries after the current end of the log.
    pub fn attach(&mut self) -> NodeId {
        self.nodes.attach(self.log.end())
    }

    /// An engine is gone, as if it had died: its sessions can be claimed, what waited for it is dropped.
    /// What was forwarded to it is [`StoreReply::Unowned`] if it has not seen it, and
    /// [`StoreReply::Failed`] if it may have done it.
    ///
    /// This is the one call that takes longer the more sessions there are.
    pub fn detach(&mut self, node: NodeId, now: Instant) {
        self.pass(now);
        if !self.nodes.detach(node) {
            return;
        }
        self.sessions
            .orphan(self.now, self.options.session_ttl, node);
        for forward in self.forwards.of(node) {
            self.close(&forward);
            let reply = match forward.stage {
                Stage::Waiting(_) => StoreReply::Unowned,
                Stage::Handed => StoreReply::Failed,
            };
            self.reply(forward.asker, forward.ticket, reply);
        }
    }

    /// Takes in one request of `node`. Total; each ends in an [`Input::Stored`] from
    /// [`poll`](Self::poll), unless the node was detached.
    ///
    /// Whoever submits is awake: it polls afterwards, and is not named by [`poll_wake`](Self::poll_wake).
    pub fn submit(
        &mut self,
        node: NodeId,
        now: Instant,
        ticket: StoreTicket,
        request: StoreRequest,
    ) {
        if !self.nodes.contains(node) {
            return;
        }
        self.nodes.rouse(node);
        self.pass(now);
        let reply = match request {
            StoreRequest::Append(entry) => self.append(entry),
            StoreRequest::Forward {
                session,
                messages,
                peer,
                transport,
            } => {
                let content = Box::new(Content {
                    session,
                    messages,
                    peer,
                    transport,
                });
                let Some(reply) = self.forward(node, ticket, content) else {
                    return;
                };
                reply
            }
            StoreRequest::Answer { forward, replies } => {
                self.answer(node, forward, StoreReply::Answered(replies))
            }
            StoreRequest::Refuse { forward } => self.answer(node, forward, StoreReply::Unowned),
            StoreRequest::Read {
                session,
                subscriptions,
                after,
                until,
                limit,
            } => {
                let range = (after, until);
                let entries = self.log.read(session, &subscriptions, range, limit);
                entries.map_or(StoreReply::Gap, StoreReply::Entries)
            }
            StoreRequest::Open(record) => self.open(node, *record),
            StoreRequest::Claim { session, access } => self.claim(node, session, access),
            StoreRequest::Bind {
                session,
                fence,
                browser,
            } => written(self.sessions.bind(self.now, session, fence, browser)),
            StoreRequest::Subscribe {
                session,
                fence,
                patterns,
                since,
            } => written(
                self.sessions
                    .subscribe(self.now, session, fence, patterns, since),
            ),
            StoreRequest::Unsubscribe {
                session,
                fence,
                patterns,
            } => written(
                self.sessions
                    .unsubscribe(self.now, session, fence, &patterns),
            ),
            StoreRequest::Release {
                session,
                fence,
                cursor,
            } => {
                let ttl = self.options.session_ttl;
                written(self.sessions.release(self.now, session, fence, cursor, ttl))
            }
            // A claim is answered at once here.
            StoreRequest::Part { .. } => StoreReply::Done,
            StoreRequest::End { session, fence } => {
                written(self.sessions.end(self.now, session, fence))
            }
        };
        self.reply(node, ticket, reply);
    }

    /// The next fact for the engine of `node`: an [`Input::Stored`] or an [`Input::Notified`]; `None`
    /// until something happens, of which [`poll_wake`](Self::poll_wake) will tell.
    pub fn poll(&mut self, node: NodeId, now: Instant) -> Option<Input> {
        self.pass(now);
        let input = self.next_mail(node).or_else(|| self.next_entries(node));
        if input.is_none() {
            self.nodes.sleep(node);
        }
        input
    }

    /// A node that polled to the end and has something to poll for since; each is named once, until it
    /// has polled to the end again.
    pub fn poll_wake(&mut self) -> Option<NodeId> {
        self.nodes.next_to_wake()
    }

    /// Whether `node` has something to poll for.
    #[must_use]
    pub fn has_news(&self, node: NodeId) -> bool {
        self.nodes
            .get(node)
            .is_some_and(|node| node.has_news(self.log.end()))
    }

    /// The position of the newest entry there ever was.
    #[must_use]
    pub fn end(&self) -> Position {
        self.log.end()
    }

    /// How many entries are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether no entries are kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.log.len() == 0
    }

    /// About how many bytes of memory the entries take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.log.bytes()
    }

    /// How many sessions there are; some of them may be over and not yet cleared away.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// What is kept of a session; it may be over and not yet cleared away.
    #[must_use]
    pub fn record(&self, session: SessionId) -> Option<&SessionRecord> {
        self.sessions.record(session)
    }

    /// How many engines are attached.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Time passes: a little of what has grown old is cleared away.
    fn pass(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.sessions.sweep(self.now);
        if let Some(forward) = self.forwards.overdue(self.now) {
            self.close(&forward);
            self.reply(forward.asker, forward.ticket, StoreReply::Failed);
        }
        if self.log.is_due(self.now, self.options.retention) {
            let seen = self.nodes.slowest().unwrap_or(self.log.end());
            self.log.trim(self.now, self.options.retention, seen);
        }
    }

    fn reply(&mut self, node: NodeId, ticket: StoreTicket, reply: StoreReply) {
        self.nodes.post(node, Mail::Stored { ticket, reply });
    }

    fn append(&mut self, entry: Box<NewEntry>) -> StoreReply {
        if let (Some(origin), Some(fence)) = (entry.origin, entry.fence)
            && !self.sessions.is_current(self.now, origin, fence)
        {
            return StoreReply::Fenced;
        }
        let MemoryOptions {
            max_entries,
            max_bytes,
            ..
        } = self.options;
        let position = self.log.append(self.now, entry, max_entries, max_bytes);
        self.nodes.wake_all();
        StoreReply::Appended(position)
    }

    fn open(&mut self, node: NodeId, record: SessionRecord) -> StoreReply {
        if self.sessions.len() >= self.options.max_sessions {
            return StoreReply::Failed;
        }
        written(self.sessions.open(self.now, node, record))
    }

    fn claim(&mut self, node: NodeId, session: SessionId, access: Access) -> StoreReply {
        let end = self.log.end();
        let claimed = self.sessions.claim(self.now, node, session, access, end);
        let Some(claimed) = claimed else {
            return StoreReply::Unknown;
        };
        if let Some(former) = claimed.former {
            self.nodes.post(
                former,
                Mail::Taken {
                    session,
                    fence: claimed.record.fence,
                },
            );
        }
        StoreReply::Claimed(claimed.record)
    }

    /// `None` if the owner will answer.
    fn forward(
        &mut self,
        asker: NodeId,
        ticket: StoreTicket,
        content: Box<Content>,
    ) -> Option<StoreReply> {
        let owner = match self.recipient(content.session) {
            Ok(owner) => owner,
            Err(reply) => return Some(reply),
        };
        let due = self.now + self.options.forward_timeout;
        let stage = Stage::Waiting(content);
        let forward = self.forwards.add(Forward {
            asker,
            ticket,
            owner,
            due,
            stage,
        });
        if let Some(node) = self.nodes.get_mut(owner) {
            node.inbox.push_back(forward);
            node.unanswered += 1;
        }
        self.nodes.wake(owner);
        None
    }

    /// The node that messages for `session` go to, or why there is none.
    fn recipient(&self, session: SessionId) -> Result<NodeId, StoreReply> {
        let owner = match self.sessions.owner(self.now, session) {
            Some(Owner::Node(owner)) => owner,
            Some(Owner::Nobody { .. }) => return Err(StoreReply::Unowned),
            None => return Err(StoreReply::Unknown),
        };
        let node = self.nodes.get(owner).ok_or(StoreReply::Unowned)?;
        let open = node.unanswered.max(node.inbox.len());
        if open < self.options.max_inbox {
            Ok(owner)
        } else {
            Err(StoreReply::Failed)
        }
    }

    fn answer(&mut self, node: NodeId, ticket: ForwardTicket, reply: StoreReply) -> StoreReply {
        if let Some(forward) = self.forwards.answered(ticket, node) {
            self.close(&forward);
            self.reply(forward.asker, forward.ticket, reply);
        }
        StoreReply::Done
    }

    /// A forward is over: its owner has one less to answer.
    fn close(&mut self, forward: &Forward) {
        if let Some(node) = self.nodes.get_mut(forward.owner) {
            node.unanswered = node.unanswered.saturating_sub(1);
        }
    }

    fn next_mail(&mut self, node: NodeId) -> Option<Input> {
        loop {
            if let Some(mail) = self.nodes.take_mail(node) {
                return Some(match mail {
                    Mail::Stored { ticket, reply } => Input::Stored { ticket, reply },
                    Mail::Taken { session, fence } => notified(Notice::Taken { session, fence }),
                    Mail::Up { position } => notified(Notice::Up { position }),
                });
            }
            let forward = self.nodes.get_mut(node)?.inbox.pop_front()?;
            if let Some(notice) = self.hand_over(node, forward) {
                return Some(notified(notice));
            }
        }
    }

    /// What `node` is told of a forward, if it is (still) the owner of its session.
    fn hand_over(&mut self, node: NodeId, ticket: ForwardTicket) -> Option<Notice> {
        let forward = self.forwards.get_mut(ticket)?;
        let Stage::Waiting(content) = core::mem::replace(&mut forward.stage, Stage::Handed) else {
            return None;
        };
        if self.sessions.owner(self.now, content.session) != Some(Owner::Node(node)) {
            self.follow(ticket, content);
            return None;
        }
        let Content {
            session,
            messages,
            peer,
            transport,
        } = *content;
        Some(Notice::Forwarded {
            forward: ticket,
            session,
            messages,
            peer,
            transport,
        })
    }

    /// Sends a forward after its session, which has left the node that it was for.
    fn follow(&mut self, ticket: ForwardTicket, content: Box<Content>) {
        let Some(forward) = self.forwards.remove(ticket) else {
            return;
        };
        self.close(&forward);
        if let Some(reply) = self.forward(forward.asker, forward.ticket, content) {
            self.reply(forward.asker, forward.ticket, reply);
        }
    }

    fn next_entries(&mut self, id: NodeId) -> Option<Input> {
        let end = self.log.end();
        let node = self.nodes.get_mut(id)?;
        if node.cursor >= end {
            return None;
        }
        let Some(entries) = self.log.next(node.cursor, self.options.max_batch.max(1)) else {
            node.cursor = end;
            return Some(notified(Notice::Reset { position: end }));
        };
        node.cursor = node.cursor.plus(entries.len() as u64);
        Some(notified(Notice::Entries(entries)))
    }
}

impl fmt::Debug for MemoryStore {
    /// How much there is, and none of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("end", &self.end())
            .field("len", &self.len())
            .field("bytes", &self.bytes())
            .field("sessions", &self.sessions())
            .field("nodes", &self.nodes())
            .finish_non_exhaustive()
    }
}

fn notified(notice: Notice) -> Input {
    Input::Notified { notice }
}

fn written(outcome: Result<(), Stale>) -> StoreReply {
    match outcome {
        Ok(()) => StoreReply::Done,
        Err(Stale) => StoreReply::Fenced,
    }
}
