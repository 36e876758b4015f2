//! One store on trial, and the words that the promises are written in.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bayeux_core::{
    Access, BrowserId, Destination, Echo, Entry, Event, Fence, ForwardTicket, Input, Laziness,
    Message, Messages, NewEntry, Notice, Payload, Peer, Position, SessionId, SessionRecord,
    StoreReply, StoreRequest, StoreTicket, StoredSubscription, Transport,
};

use super::{Make, Node, Setup, StoreUnderTest, Wait};

/// A store, and what its nodes were told and no promise has asked for yet.
pub(super) struct Trial {
    store: Box<dyn StoreUnderTest>,
    heard: BTreeMap<Node, VecDeque<Input>>,
    tickets: u64,
}

impl Trial {
    pub(super) fn new(make: Make<'_>) -> Self {
        Self::with(make, &Setup::default()).expect("a store with nothing asked of it")
    }

    /// `None` if the store cannot be set up so.
    pub(super) fn with(make: Make<'_>, setup: &Setup) -> Option<Self> {
        let store = make(setup)?;
        Some(Self {
            store,
            heard: BTreeMap::new(),
            tickets: 0,
        })
    }

    /// A node that has been told where it begins.
    pub(super) fn node(&mut self) -> Node {
        self.node_at().0
    }

    pub(super) fn nodes<const COUNT: usize>(&mut self) -> [Node; COUNT] {
        std::array::from_fn(|_| self.node())
    }

    /// A node, and where it begins.
    pub(super) fn node_at(&mut self) -> (Node, Position) {
        let node = self.store.attach();
        let begins = match self.next(node) {
            Input::Notified {
                notice: Notice::Up { position },
            } => position,
            other => panic!("a new node was told first: {other:?}"),
        };
        (node, begins)
    }

    pub(super) fn store(&mut self) -> &mut dyn StoreUnderTest {
        &mut *self.store
    }

    pub(super) fn kill(&mut self, node: Node) {
        self.store.kill(node);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.store.pass(time);
    }

    pub(super) fn submit(&mut self, node: Node, request: StoreRequest) -> StoreTicket {
        self.tickets += 1;
        let ticket = StoreTicket::new(self.tickets);
        self.store.submit(node, ticket, request);
        ticket
    }

    /// Asks, and waits for the reply.
    pub(super) fn ask(&mut self, node: Node, request: StoreRequest) -> StoreReply {
        let ticket = self.submit(node, request);
        self.reply(node, ticket)
    }

    pub(super) fn reply(&mut self, node: Node, ticket: StoreTicket) -> StoreReply {
        let is_it =
            |input: &Input| matches!(input, Input::Stored { ticket: of, .. } if *of == ticket);
        match self.take(node, "the reply", is_it) {
            Input::Stored { reply, .. } => reply,
            other => panic!("{other:?}"),
        }
    }

    /// The next notice that is about something else than entries.
    pub(super) fn notice(&mut self, node: Node) -> Notice {
        let is_it = |input: &Input| matches!(input, Input::Notified { notice } if !matches!(notice, Notice::Entries(_)));
        match self.take(node, "a notice", is_it) {
            Input::Notified { notice } => notice,
            other => panic!("{other:?}"),
        }
    }

    /// The next `count` entries, in the order in which the node is told them.
    pub(super) fn entries(&mut self, node: Node, count: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        while entries.len() < count {
            entries.extend(self.batch(node));
        }
        assert_eq!(entries.len(), count, "entries that were told to {node:?}");
        entries
    }

    fn batch(&mut self, node: Node) -> Vec<Entry> {
        let is_it = |input: &Input| {
            matches!(
                input,
                Input::Notified {
                    notice: Notice::Entries(_)
                }
            )
        };
        match self.take(node, "entries", is_it) {
            Input::Notified {
                notice: Notice::Entries(entries),
            } => {
                assert!(!entries.is_empty(), "a notice of no entries");
                entries
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next thing that a node is told, whatever it is.
    pub(super) fn next(&mut self, node: Node) -> Input {
        self.take(node, "anything", |_| true)
    }

    /// The next thing that a node is told, if there is any.
    pub(super) fn rest(&mut self, node: Node) -> Option<Input> {
        let heard = self.heard.entry(node).or_default().pop_front();
        heard.or_else(|| self.store.next(node, Wait::Short))
    }

    /// Nothing more is told to this node.
    #[track_caller]
    pub(super) fn expect_silence(&mut self, node: Node) {
        if let Some(input) = self.rest(node) {
            panic!("{node:?} was told more: {input:?}");
        }
    }

    fn take(&mut self, node: Node, what: &str, is_it: impl Fn(&Input) -> bool) -> Input {
        let heard = self.heard.entry(node).or_default();
        if let Some(at) = heard.iter().position(&is_it) {
            return heard.remove(at).expect("what was just found");
        }
        while let Some(input) = self.store.next(node, Wait::Long) {
            if is_it(&input) {
                return input;
            }
            heard.push_back(input);
        }
        panic!("{node:?} was not told {what}; it was told {heard:?}");
    }
}

// What is asked.
impl Trial {
    #[track_caller]
    pub(super) fn append(&mut self, node: Node, entry: NewEntry) -> Position {
        match self.ask(node, StoreRequest::Append(Box::new(entry))) {
            StoreReply::Appended(position) => position,
            other => panic!("an append ended in {other:?}"),
        }
    }

    /// Publishes the number `data` on `channel`.
    #[track_caller]
    pub(super) fn publish(&mut self, node: Node, channel: &str, data: usize) -> Position {
        self.append(node, entry(channel, data))
    }

    /// Opens the session `number`, as it is in [`record`].
    #[track_caller]
    pub(super) fn open(&mut self, node: Node, number: usize) -> SessionId {
        let record = record(number);
        let session = record.session;
        let reply = self.ask(node, StoreRequest::Open(Box::new(record)));
        assert!(
            matches!(reply, StoreReply::Done),
            "opening ended in {reply:?}"
        );
        session
    }

    #[track_caller]
    pub(super) fn claim(&mut self, node: Node, session: SessionId) -> SessionRecord {
        match self.ask(node, claim(session)) {
            StoreReply::Claimed(record) => *record,
            other => panic!("a claim ended in {other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn read(
        &mut self,
        node: Node,
        session: SessionId,
        subscriptions: &[(&str, Position)],
        range: (Position, Position),
    ) -> Vec<Entry> {
        match self.ask(node, read(session, subscriptions, range)) {
            StoreReply::Entries(entries) => entries,
            other => panic!("a read ended in {other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn expect_done(&mut self, node: Node, request: StoreRequest) {
        let reply = self.ask(node, request);
        assert!(matches!(reply, StoreReply::Done), "{reply:?}");
    }

    #[track_caller]
    pub(super) fn expect_fenced(&mut self, node: Node, request: StoreRequest) {
        let reply = self.ask(node, request.clone());
        assert!(
            matches!(reply, StoreReply::Fenced),
            "{request:?} ended in {reply:?}"
        );
    }

    /// The next notice is of messages for `session`; gives the name they are answered by.
    #[track_caller]
    pub(super) fn forwarded(
        &mut self,
        node: Node,
        wanted: SessionId,
    ) -> (ForwardTicket, Messages, (Peer, Transport)) {
        match self.notice(node) {
            Notice::Forwarded {
                forward,
                session,
                messages,
                peer,
                transport,
            } => {
                assert_eq!(session, wanted);
                (forward, messages, (peer, transport))
            }
            other => panic!("{node:?} was told {other:?}"),
        }
    }
}

pub(super) fn session(number: usize) -> SessionId {
    SessionId::parse(&format!("{number:025}")).expect("25 digits")
}

/// A new session with nothing special about it.
pub(super) fn record(number: usize) -> SessionRecord {
    SessionRecord::new(session(number))
}

/// The number `data` published on `channel` by nobody.
pub(super) fn entry(channel: &str, data: usize) -> NewEntry {
    let event = format!(r#"{{"channel":"{channel}","data":{data}}}"#);
    NewEntry {
        origin: None,
        fence: None,
        to: Destination::Channel(channel.parse().expect("a channel")),
        event: Event::from_object(event),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    }
}

pub(super) fn delivery(to: SessionId, data: usize) -> NewEntry {
    NewEntry {
        to: Destination::Session(to),
        ..entry("/delivery", data)
    }
}

/// The same entry, by a session under a fence.
pub(super) fn by(origin: SessionId, fence: Fence, entry: NewEntry) -> NewEntry {
    NewEntry {
        origin: Some(origin),
        fence: Some(fence),
        ..entry
    }
}

/// What was published as `data`, for each of `entries`.
pub(super) fn data(entries: &[Entry]) -> Vec<usize> {
    let number = |entry: &Entry| {
        let text = String::from_utf8_lossy(entry.event.object()).into_owned();
        let (_, tail) = text.rsplit_once(':').expect("a member");
        tail.trim_end_matches('}').parse().expect("a number")
    };
    entries.iter().map(number).collect()
}

pub(super) fn positions(entries: &[Entry]) -> Vec<u64> {
    entries
        .iter()
        .map(|entry| entry.position.number())
        .collect()
}

/// All that is known of entries, to be compared.
pub(super) fn whole(entries: &[Entry]) -> Vec<String> {
    let session = |session: &Option<SessionId>| session.map(SessionId::text);
    let whole = |entry: &Entry| {
        let to = match &entry.to {
            Destination::Channel(channel) => channel.to_string(),
            Destination::Session(session) => session.text(),
        };
        let event = String::from_utf8_lossy(entry.event.framed());
        let origin = session(&entry.origin);
        format!(
            "{:?} {origin:?} {to} {event} {:?} {:?}",
            entry.position, entry.laziness, entry.echo
        )
    };
    entries.iter().map(whole).collect()
}

pub(super) fn subscriptions(subscriptions: &[(&str, Position)]) -> Vec<StoredSubscription> {
    let stored = |(pattern, since): &(&str, Position)| StoredSubscription {
        pattern: pattern.parse().expect("a pattern"),
        since: *since,
    };
    subscriptions.iter().map(stored).collect()
}

/// What a record says it is subscribed to, in the order of the patterns.
pub(super) fn subscribed(record: &SessionRecord) -> Vec<(String, u64)> {
    let pair = |kept: &StoredSubscription| (kept.pattern.to_string(), kept.since.number());
    let mut all: Vec<_> = record.subscriptions.iter().map(pair).collect();
    all.sort();
    all
}

pub(super) fn read(
    session: SessionId,
    subscribed: &[(&str, Position)],
    (after, until): (Position, Position),
) -> StoreRequest {
    StoreRequest::Read {
        session,
        subscriptions: subscriptions(subscribed),
        after,
        until,
        limit: 1_000,
    }
}

/// A claim that nothing is asked of.
pub(super) fn claim(session: SessionId) -> StoreRequest {
    claim_with(session, Access::Any)
}

pub(super) fn claim_with(session: SessionId, access: Access) -> StoreRequest {
    StoreRequest::Claim { session, access }
}

/// The browser whose cookie is 24 times that letter.
pub(super) fn browser(letter: &str) -> BrowserId {
    BrowserId::parse(&letter.repeat(24)).expect("a cookie")
}

pub(super) fn bind(session: SessionId, fence: Fence, browser: BrowserId) -> StoreRequest {
    StoreRequest::Bind {
        session,
        fence,
        browser,
    }
}

pub(super) fn subscribe(
    session: SessionId,
    fence: Fence,
    patterns: &[&str],
    since: u64,
) -> StoreRequest {
    let patterns = patterns
        .iter()
        .map(|pattern| pattern.parse().expect("a pattern"))
        .collect();
    StoreRequest::Subscribe {
        session,
        fence,
        patterns,
        since: Position::new(since),
    }
}

pub(super) fn unsubscribe(session: SessionId, fence: Fence, patterns: &[&str]) -> StoreRequest {
    let patterns = patterns
        .iter()
        .map(|pattern| pattern.parse().expect("a pattern"))
        .collect();
    StoreRequest::Unsubscribe {
        session,
        fence,
        patterns,
    }
}

pub(super) fn release(session: SessionId, fence: Fence, cursor: u64) -> StoreRequest {
    StoreRequest::Release {
        session,
        fence,
        cursor: Position::new(cursor),
    }
}

pub(super) fn end(session: SessionId, fence: Fence) -> StoreRequest {
    StoreRequest::End { session, fence }
}

/// One message with the number `data` for `session`.
pub(super) fn forward(session: SessionId, data: usize) -> StoreRequest {
    let mut message = Message::default();
    message.channel = Some("/forwarded".into());
    message.session = Some(session.text().into());
    message.data = Payload::parse(data.to_string()).ok();
    StoreRequest::Forward {
        session,
        messages: Messages::from(vec![message]),
        peer: Peer::default(),
        transport: Transport::LongPolling,
    }
}

/// The numbers that messages carry.
pub(super) fn carried(messages: &Messages) -> Vec<String> {
    let text = |message: &Message| message.data.as_ref().map(|data| data.as_str().to_owned());
    messages.iter().filter_map(text).collect()
}

pub(super) fn answer(forward: ForwardTicket, reply: &'static str) -> StoreRequest {
    StoreRequest::Answer {
        forward,
        replies: vec![payload(reply)],
    }
}

pub(super) fn payload(text: &'static str) -> Payload {
    Payload::parse(text).expect("JSON")
}

/// The texts of an `Answered`.
#[track_caller]
pub(super) fn answered(reply: StoreReply) -> Vec<String> {
    match reply {
        StoreReply::Answered(replies) => replies
            .iter()
            .map(|reply| reply.as_str().to_owned())
            .collect(),
        other => panic!("a forward ended in {other:?}"),
    }
}
