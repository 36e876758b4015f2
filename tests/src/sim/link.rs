//! Connections between clients and nodes, by way of a load balancer without affinity.
//!
//! Bytes keep their order on a connection, and come after a while or, once it is broken, never. Either
//! end may see that it is gone, at once or late, or not see it.

mod breaks;
mod holds;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bayeux_core::{
    BrowserId, ConnectionId, DecodeLimits, Input, Instant, Messages, Peer, SessionId, Transport,
};

use serde_json::Value;

use super::bounds::address_of;
use super::client::Client;
use super::node::Node;
use super::story::in_short;
use super::thief::Aim;
use super::world::{Happening, World};

/// Bytes on their way.
pub(super) type Frame = bytes::Bytes;

/// What the node that sends has to do with the session that it sends to.
#[derive(Clone, Copy, Default)]
pub(super) struct Standing {
    /// It does not know yet that it has lost the session.
    pub(super) is_stale: bool,
    /// It has the session as what it sends is written, so that this lives on from then.
    pub(super) keeps: bool,
}

pub(super) struct Link {
    pub(super) client: usize,
    /// The life of the client that opened it.
    pub(super) client_life: u64,
    pub(super) node: usize,
    life: u64,
    pub(super) transport: Transport,
    /// Nothing comes through any more.
    broken: bool,
    client_open: bool,
    node_open: bool,
    /// The engine has ended it, and has not been told that it is gone.
    closing: Option<&'static str>,
    /// The node has seen that it is gone; what the engine ordered before may still come.
    lost: bool,
    /// The node has been told of it.
    known: bool,
    /// It takes another frame.
    asked: bool,
    inbox: VecDeque<Messages>,
    /// What the engine has sent and is not on the wire.
    unwritten: Option<Vec<Frame>>,
    /// That was sent by a node which does not know yet that it has lost the session.
    is_stale: bool,
    /// Bytes are not taken by the other end.
    stuck: bool,
    /// An exchange has been answered.
    answered: bool,
    /// The session whose newest connect has come by it and is not answered.
    pub(super) holds: Option<(SessionId, Instant)>,
    /// The cookie that it was opened with.
    pub(super) cookie: Option<BrowserId>,
    /// The one that its response brings.
    brings: Option<BrowserId>,
    pub(super) aim: Aim,
    /// The session that its client had last.
    pub(super) session: Option<SessionId>,
    /// The place in the log of the last event that came on it.
    pub(super) last: Option<u64>,
    /// What was published by it and answered: where it is in the log.
    pub(super) published: BTreeMap<u64, u64>,
    up: Instant,
    down: Instant,
}

impl Link {
    /// Whether the client may still use it.
    pub(super) const fn is_open(&self) -> bool {
        self.client_open
    }

    /// Whether its driver has it yet.
    pub(super) const fn is_at_node(&self) -> bool {
        self.node_open || self.closing.is_some()
    }

    /// Whether its driver still reads: one that has not ended it yet may have read what it was asked for.
    const fn reads(&self) -> bool {
        self.node_open || (self.closing.is_some() && self.asked)
    }

    /// Whether its node may still answer.
    pub(super) const fn is_open_at_node(&self) -> bool {
        self.node_open
    }
}

impl World {
    /// A client opens a connection: somewhere.
    pub(super) fn open(&mut self, client: usize, transport: Transport) -> u64 {
        let node = self.balance(client);
        let link = self.new_link();
        let life = self.nodes.get(node).map_or(0, |node| node.life);
        let alive = self.nodes.get(node).is_some_and(Node::is_alive);
        let now = self.now;
        let cookie = self.cookie_of(client);
        self.links.insert(
            link,
            Link {
                client,
                client_life: self.clients.get(client).map_or(0, Client::life),
                node,
                life,
                transport,
                broken: !alive,
                client_open: true,
                node_open: true,
                closing: None,
                lost: false,
                known: false,
                asked: true,
                inbox: VecDeque::new(),
                unwritten: None,
                is_stale: false,
                stuck: false,
                answered: false,
                holds: None,
                cookie,
                brings: None,
                aim: Aim::Own,
                session: None,
                last: None,
                published: BTreeMap::new(),
                up: now,
                down: now,
            },
        );
        if !alive {
            let after = self.travel();
            self.after(
                after,
                Happening::ClientSees {
                    link,
                    why: "refused",
                },
            );
        }
        let chance = if self.is_peaceful {
            0
        } else {
            self.plan.bad_connections
        };
        if self.dice.permille(chance) {
            let longest = if transport.is_exchange() {
                3_000
            } else {
                40_000
            };
            let longest = if self.dice.permille(500) { 60 } else { longest };
            let after = self.dice.millis(0..longest);
            self.after(after, Happening::Breaks { link });
        } else if self.dice.permille(chance / 4)
            && let Some(link) = self.links.get_mut(&link)
        {
            link.stuck = true;
        }
        link
    }

    fn balance(&mut self, client: usize) -> usize {
        if self.plan.calm {
            return client % self.plan.nodes;
        }
        // Now and then it does not know yet that a node is dead.
        let any = self.dice.below(self.nodes.len());
        let blind = self.dice.permille(200);
        let alive = |number: &usize| self.nodes.get(*number).is_some_and(Node::is_alive);
        let first = Some(any).filter(|number| blind || alive(number));
        let next = (0..self.nodes.len()).map(|step| (any + step) % self.nodes.len());
        first
            .or_else(|| next.into_iter().find(alive))
            .unwrap_or(any)
    }

    /// How long bytes are under way between a client and a node.
    fn travel(&mut self) -> Duration {
        if self.dice.permille(self.plan.slow) {
            return self.dice.millis(0..2_500);
        }
        self.dice.millis(1..40)
    }

    /// A client sends.
    pub(super) fn send_up(&mut self, link: u64, frame: Frame, session: Option<SessionId>) {
        let travel = self.travel();
        let now = self.now;
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        let (client, node) = (entry.client, entry.node);
        entry.session = session;
        entry.up = entry.up.max(now + travel);
        let at = entry.up;
        self.story.tell(now, || {
            format!(
                "client {client} > node {node} on {link}: {}",
                in_short(&frame)
            )
        });
        self.at(at, Happening::Arrives { link, frame });
    }

    pub(super) fn arrives(&mut self, link: u64, frame: Frame) {
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        if entry.broken || !entry.reads() {
            return;
        }
        let (number, transport) = (entry.node, entry.transport);
        let connection = ConnectionId::new(link);
        if !core::mem::replace(&mut entry.known, true) {
            let peer = Peer {
                address: Some(address_of(entry.client)),
                browser: entry.cookie,
                ..Peer::default()
            };
            self.fact(
                number,
                Input::Opened {
                    connection,
                    transport,
                    peer,
                },
            );
        }
        self.story.note((self.now.since_epoch(), link, &frame[..]));
        let Ok(messages) = Messages::decode(frame, &DecodeLimits::default()) else {
            self.fail("a client has said what is not JSON".to_owned());
            return;
        };
        self.has_come(link, &messages);
        let Some(entry) = self.links.get_mut(&link).filter(|entry| entry.reads()) else {
            return;
        };
        if !entry.asked {
            entry.inbox.push_back(messages);
            return;
        }
        entry.asked = false;
        self.fact(
            number,
            Input::Received {
                connection,
                messages,
            },
        );
    }

    /// An engine wants the next frame of a connection.
    pub(super) fn receive(&mut self, link: u64) {
        let Some(entry) = self.links.get_mut(&link).filter(|entry| !entry.lost) else {
            return;
        };
        if entry.asked || entry.transport.is_exchange() || !entry.node_open {
            self.fail(format!(
                "connection {link} was asked for a frame out of turn"
            ));
            return;
        }
        let (number, life) = (entry.node, entry.life);
        let Some(messages) = entry.inbox.pop_front() else {
            entry.asked = true;
            return;
        };
        let connection = ConnectionId::new(link);
        let input = Input::Received {
            connection,
            messages,
        };
        if self.plan.crowded {
            // Its handshakes are counted once everything else is ordered.
            let input = Box::new(input);
            self.after(Duration::ZERO, Happening::Told { life, input });
        } else {
            self.fact_now(number, input);
        }
    }

    /// An engine sends.
    pub(super) fn send(&mut self, link: u64, frames: Vec<Frame>, cookie: Option<BrowserId>) {
        if self.plan.tight || self.plan.lazy.is_some() {
            let verdict = self.is_within_bounds(link, &frames);
            self.hold(verdict);
        }
        let delay = self.dice.millis(0..4);
        let now = self.now;
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        let exchange = entry.transport.is_exchange();
        let again = core::mem::replace(&mut entry.answered, true);
        let wrong = if !entry.node_open {
            "is gone, and was sent to"
        } else if entry.unwritten.is_some() {
            "has what is unwritten, and was sent to"
        } else if exchange && again {
            "was answered twice"
        } else if frames.is_empty() || (exchange && frames.len() > 1) {
            "was sent a wrong number of frames"
        } else {
            ""
        };
        let (client, node, stuck) = (entry.client, entry.node, entry.stuck);
        for frame in &frames {
            self.story.note((now.since_epoch(), link, &frame[..]));
            self.story.tell(now, || {
                format!(
                    "node {node}   > client {client} on {link}: {}",
                    in_short(frame)
                )
            });
        }
        entry.answers(&frames);
        entry.unwritten = Some(frames);
        entry.brings = cookie;
        let (session, life) = (entry.session, entry.life);
        entry.is_stale = session.is_some_and(|session| !self.store.owns(life, session));
        if !wrong.is_empty() {
            self.fail(format!("connection {link} {wrong}"));
        } else if !stuck {
            self.after(delay, Happening::Wire { link });
        } else {
            let after = self.dice.millis(1_000..20_000);
            self.after(after, Happening::Breaks { link });
        }
    }

    /// What an engine has sent is on the wire; whether it comes is another matter.
    pub(super) fn written(&mut self, link: u64) {
        let travel = self.travel();
        let now = self.now;
        let Some(entry) = self.links.get_mut(&link).filter(|entry| entry.is_at_node()) else {
            return;
        };
        let Some(frames) = entry.unwritten.take() else {
            return;
        };
        if entry.closing.is_some() {
            // Its node may have lost the session since, and know it.
            let owner = entry.session.filter(|_| !entry.is_stale);
            entry.is_stale = owner.is_none_or(|session| !self.store.owns(entry.life, session));
        }
        entry.down = entry.down.max(now + travel);
        let (at, number) = (entry.down, entry.node);
        let session = entry.session;
        let keeps = session.is_some_and(|session| self.store.keeps(entry.life, session));
        let standing = Standing {
            is_stale: entry.is_stale,
            keeps,
        };
        if entry.transport.is_exchange() {
            entry.node_open = false;
        }
        for frame in frames {
            let comes = Happening::Comes {
                link,
                frame,
                session,
                standing,
            };
            self.at(at, comes);
        }
        let connection = ConnectionId::new(link);
        self.fact(number, Input::Written { connection });
    }

    pub(super) fn comes(
        &mut self,
        link: u64,
        frame: &Frame,
        session: Option<SessionId>,
        standing: Standing,
    ) {
        let entry = self.links.get_mut(&link);
        let Some(entry) = entry.filter(|entry| !entry.broken && entry.client_open) else {
            self.is_lost(session, frame);
            return;
        };
        let (client, cookie) = (entry.client, entry.brings.take());
        if entry.transport.is_exchange() {
            entry.client_open = false;
        }
        if let Some(cookie) = cookie {
            self.is_given(client, cookie);
        }
        self.got(client, link, frame, standing);
        self.forget_link(link);
    }

    /// A frame was on the wire, and never comes.
    fn is_lost(&mut self, session: Option<SessionId>, frame: &Frame) {
        let messages = serde_json::from_slice::<Value>(frame).unwrap_or_default();
        let messages = messages.as_array().into_iter().flatten();
        let numbers = messages.filter_map(|message| message.pointer("/data/n")?.as_u64());
        for number in numbers {
            if let Some(session) = session {
                self.judge.lost_on_the_wire(&session.text(), number);
            }
        }
    }

    /// An engine ends a connection. Its driver does so in a while: what it had in hand may yet be written, and
    /// what was read may yet come.
    pub(super) fn close(&mut self, link: u64, why: &'static str) {
        let delay = if self.dice.permille(50) {
            self.dice.millis(0..400)
        } else {
            self.dice.millis(0..8)
        };
        let cuts_off = self.dice.permille(500);
        let now = self.now;
        let Some(entry) = self.links.get_mut(&link).filter(|entry| !entry.lost) else {
            return;
        };
        if !entry.node_open {
            self.fail(format!("connection {link} was ended twice"));
            return;
        }
        entry.node_open = false;
        entry.closing = Some(why);
        if cuts_off {
            entry.unwritten = None;
        }
        let (client, node) = (entry.client, entry.node);
        self.story.note((now.since_epoch(), link, why));
        self.story.tell(now, || {
            format!("node {node}   ends connection {link} of client {client}: {why}")
        });
        self.after(delay, Happening::Closed { link });
    }

    /// A driver has ended a connection: both ends come to know.
    pub(super) fn closed(&mut self, link: u64) {
        let travel = self.travel();
        let now = self.now;
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        let Some(why) = entry.closing.take() else {
            return;
        };
        entry.unwritten = None;
        entry.down = entry.down.max(now + travel);
        let (at, number, life) = (entry.down, entry.node, entry.life);
        self.at(at, Happening::ClientSees { link, why });
        if self.nodes.get(number).is_some_and(|node| node.life == life) {
            let connection = ConnectionId::new(link);
            self.fact(number, Input::Closed { connection });
        }
        self.forget_link(link);
    }

    /// A client gives up a connection.
    pub(super) fn hang_up(&mut self, link: u64) {
        let travel = self.travel();
        let now = self.now;
        let Some(entry) = self.links.get_mut(&link).filter(|entry| entry.client_open) else {
            return;
        };
        entry.client_open = false;
        entry.up = entry.up.max(now + travel);
        let at = entry.up;
        // A broken connection does not say that it is closed, for a long time.
        let at = if entry.broken {
            at + Duration::from_secs(60)
        } else {
            at
        };
        self.at(at, Happening::NodeSees { link });
    }

    pub(super) fn client_sees(&mut self, link: u64, why: &'static str) {
        let Some(entry) = self.links.get_mut(&link).filter(|entry| entry.client_open) else {
            return;
        };
        if entry.broken && why != "refused" && why != "reset" {
            return;
        }
        entry.client_open = false;
        let client = entry.client;
        self.story.tell(self.now, || {
            format!("client {client} loses connection {link}: {why}")
        });
        self.lost(client, link);
        self.forget_link(link);
    }

    pub(super) fn node_sees(&mut self, link: u64) {
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        if !entry.node_open || !entry.known {
            entry.node_open = false;
            self.forget_link(link);
            return;
        }
        let number = entry.node;
        if !self.is_seen_later(number, link) {
            self.may_have_let_go(link);
            self.is_gone(link);
        }
    }

    /// A node is told that a connection is gone.
    pub(super) fn is_gone(&mut self, link: u64) {
        let Some(entry) = self.links.get_mut(&link).filter(|entry| entry.node_open) else {
            return;
        };
        entry.node_open = false;
        entry.lost = true;
        let (number, life) = (entry.node, entry.life);
        self.story.tell(self.now, || {
            format!("node {number}   loses connection {link}")
        });
        if self.nodes.get(number).is_some_and(|node| node.life == life) {
            let connection = ConnectionId::new(link);
            self.fact(number, Input::Closed { connection });
        }
        self.forget_link(link);
    }

    /// A connection that nobody has any more is not kept.
    fn forget_link(&mut self, link: u64) {
        let over = self
            .links
            .get(&link)
            .is_some_and(|entry| !entry.is_at_node() && !entry.client_open);
        if over {
            self.links.remove(&link);
        }
    }
}
