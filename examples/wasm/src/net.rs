//! What lines share: the settings, the names of connections, and the facts on their way to the engine.

use std::collections::{BTreeMap, VecDeque};

use bayeux_core::http::{BrowserCookie, Options};
use bayeux_core::{ConnectionId, DecodeLimits, Input, Peer, Transport};
use bytes::Bytes;

/// A fact, and the texts of the messages in it.
pub(crate) struct Fact {
    pub(crate) input: Input,
    pub(crate) texts: Vec<Bytes>,
}

pub(crate) struct Net {
    pub(crate) options: Options,
    pub(crate) cookie: BrowserCookie,
    pub(crate) limits: DecodeLimits,
    pub(crate) facts: VecDeque<Fact>,
    /// On which line a connection is, and what it is.
    lines: BTreeMap<ConnectionId, (u32, Transport)>,
    opened: u64,
}

impl Net {
    pub(crate) fn new(options: Options, cookie: BrowserCookie) -> Self {
        Self {
            options,
            cookie,
            limits: DecodeLimits::default(),
            facts: VecDeque::new(),
            lines: BTreeMap::new(),
            opened: 0,
        }
    }

    /// A connection has begun on a line; its name.
    pub(crate) fn open(&mut self, line: u32, transport: Transport, peer: Peer) -> ConnectionId {
        self.opened += 1;
        let connection = ConnectionId::new(self.opened);
        self.lines.insert(connection, (line, transport));
        self.say(Input::Opened {
            connection,
            transport,
            peer,
        });
        connection
    }

    /// The line that a connection is on.
    pub(crate) fn line_of(&self, connection: ConnectionId) -> Option<u32> {
        let (line, _) = self.lines.get(&connection)?;
        Some(*line)
    }

    /// Forgets the connection that a fact ends.
    pub(crate) fn forget(&mut self, fact: &Input) {
        if let Input::Closed { connection } = fact {
            self.lines.remove(connection);
        }
        if let Input::Written { connection } = fact
            && let Some((_, transport)) = self.lines.get(connection)
            && transport.is_exchange()
        {
            self.lines.remove(connection);
        }
    }

    pub(crate) fn say(&mut self, input: Input) {
        self.tell(input, Vec::new());
    }

    pub(crate) fn tell(&mut self, input: Input, texts: Vec<Bytes>) {
        self.facts.push_back(Fact { input, texts });
    }
}
