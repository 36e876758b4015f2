//! A memory store whose nodes can be cut off from it, for the contract.

use bayeux_tests::store_contract::{Node, Setup, StoreUnderTest, Wait};

use super::*;

pub(super) fn memory_store(setup: &Setup) -> Option<Box<dyn StoreUnderTest>> {
    if setup.losses {
        return None;
    }
    let usual = MemoryOptions::default();
    let options = MemoryOptions {
        retention: setup.retention.unwrap_or(usual.retention),
        max_entries: setup.max_entries.unwrap_or(usual.max_entries),
        max_bytes: setup.max_bytes.unwrap_or(usual.max_bytes),
        session_ttl: setup.session_ttl.unwrap_or(usual.session_ttl),
        max_sessions: setup.max_sessions.unwrap_or(usual.max_sessions),
        max_inbox: setup.max_inbox.unwrap_or(usual.max_inbox),
        forward_timeout: setup.forward_timeout.unwrap_or(usual.forward_timeout),
        max_batch: usual.max_batch,
    };
    Some(Box::new(Rig {
        store: MemoryStore::new(options),
        now: Instant::EPOCH,
        nodes: Vec::new(),
    }))
}

/// A memory store whose nodes can be cut off from it.
struct Rig {
    store: MemoryStore,
    now: Instant,
    nodes: Vec<(NodeId, Line)>,
}

/// What lies between a node and the store.
struct Line {
    is_cut: bool,
    /// What the node is told before anything else.
    first: Vec<Input>,
    /// The last position that it was told.
    cursor: Position,
}

impl StoreUnderTest for Rig {
    fn attach(&mut self) -> Node {
        let line = Line {
            is_cut: false,
            first: Vec::new(),
            cursor: self.store.end(),
        };
        self.nodes.push((self.store.attach(), line));
        Node(self.nodes.len() - 1)
    }

    fn kill(&mut self, node: Node) {
        self.store.detach(self.nodes[node.0].0, self.now);
    }

    fn submit(&mut self, node: Node, ticket: StoreTicket, request: StoreRequest) {
        let (id, line) = &mut self.nodes[node.0];
        if line.is_cut {
            line.first.push(Input::Stored {
                ticket,
                reply: StoreReply::Failed,
            });
        } else {
            self.store.submit(*id, self.now, ticket, request);
        }
    }

    fn next(&mut self, node: Node, _wait: Wait) -> Option<Input> {
        let (id, line) = &mut self.nodes[node.0];
        if !line.first.is_empty() {
            return Some(line.first.remove(0));
        }
        if line.is_cut {
            return None;
        }
        let input = self.store.poll(*id, self.now)?;
        if let Input::Notified {
            notice: Notice::Entries(entries),
        } = &input
        {
            line.cursor = entries.last().unwrap().position;
        }
        Some(input)
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn cut(&mut self, node: Node) {
        let line = &mut self.nodes[node.0].1;
        line.is_cut = true;
        line.first.push(Input::Notified {
            notice: Notice::Down,
        });
    }

    /// The store tells a node its mail before entries: what comes before those is told before `Up`.
    fn restore(&mut self, node: Node) {
        let (id, line) = &mut self.nodes[node.0];
        line.is_cut = false;
        let (up, mut entries) = (
            Notice::Up {
                position: line.cursor,
            },
            None,
        );
        while let Some(input) = self.store.poll(*id, self.now) {
            if let Input::Notified {
                notice: Notice::Entries(_),
            } = &input
            {
                entries = Some(input);
                break;
            }
            line.first.push(input);
        }
        line.first.push(Input::Notified { notice: up });
        line.first.extend(entries);
    }
}
