//! What has bounds: frames, queues, subscriptions, what waits for the store; and how long an event waits.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few reasons out of many are looked at"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bayeux_core::{
    Change, ChannelRule, Config, Input, Limits, Position, QueuePolicy, Removal, SessionId,
    Transport,
};
use serde_json::Value;

use super::dice::Dice;
use super::judge::Verdict;
use super::link::{Frame, Link};
use super::world::World;

/// Where events are lazy, if they are anywhere.
const LAZY: &str = "/all/b";
/// How long it takes at most from the log to a websocket that is open.
const PROMPT: Duration = Duration::from_secs(3);

/// Lets events on one channel wait for company.
pub(super) fn make_lazy(dice: &mut Dice, config: &mut Config) -> Option<Duration> {
    let timeout = dice.millis(200..9_000);
    config.channels.push(ChannelRule {
        pattern: LAZY.parse().ok()?,
        lazy: Some(timeout),
        broadcast_to_publisher: None,
        persistent: false,
    });
    Some(timeout)
}

/// Has everything small.
pub(super) fn make_tight(dice: &mut Dice, config: &mut Config) {
    let policies = [
        QueuePolicy::End,
        QueuePolicy::DropOldest,
        QueuePolicy::DropNewest,
    ];
    config.queue_policy = dice.pick(&policies).unwrap_or_default();
    config.messages_per_frame = dice.below(4);
    let limits = &mut config.limits;
    limits.max_queued_events = 5 + dice.below(30);
    limits.max_queued_bytes = 300 + dice.below(3_000);
    limits.max_frame_bytes = 100 + dice.below(600);
    limits.max_subscriptions = 2 + dice.below(4);
    limits.max_open_appends = 1 + dice.below(4);
}

/// Has room for few sessions and connections: of each address, and altogether.
pub(super) fn make_crowded(dice: &mut Dice, config: &mut Config, clients: usize) {
    let limits = &mut config.limits;
    limits.max_sessions = 1 + dice.below(clients + 1);
    limits.max_sessions_per_address = 1 + dice.below(3);
    limits.max_handshakes_per_second = 1 + dice.below(3);
    limits.max_connections = 2 + dice.below(3 * clients);
}

/// Where a client connects from.
pub(super) fn address_of(client: usize) -> IpAddr {
    let last = if client.is_multiple_of(2) { 1 } else { 2 };
    Ipv4Addr::new(192, 0, 2, last).into()
}

/// What a batch consists of.
#[derive(Default)]
struct Contents {
    replies: usize,
    /// The number of each event, and whether it is lazy.
    events: Vec<(u64, bool)>,
}

impl World {
    /// What is sent keeps its bounds, and comes neither early nor late.
    pub(super) fn is_within_bounds(&self, link: u64, frames: &[Frame]) -> Verdict {
        let Some(link) = self.links.get(&link) else {
            return Ok(());
        };
        let mut all = Contents::default();
        for frame in frames {
            let messages: Vec<Value> = serde_json::from_slice(frame).unwrap_or_default();
            if self.plan.tight {
                self.is_small(link, &messages)?;
            }
            for message in &messages {
                match message.pointer("/data/n").and_then(Value::as_u64) {
                    Some(number) => all.events.push((number, message["channel"] == LAZY)),
                    None => all.replies += 1,
                }
            }
        }
        match self.plan.lazy {
            Some(lazy) if self.plan.calm => self.is_in_time(link, &all, lazy),
            Some(_) | None => Ok(()),
        }
    }

    /// DE-21, AK-11: so many events to a websocket frame; no more bytes of them than fit, or one.
    fn is_small(&self, link: &Link, messages: &[Value]) -> Verdict {
        let events: Vec<&Value> = messages
            .iter()
            .filter(|message| message.get("data").is_some())
            .collect();
        let acknowledges = self.clients.get(link.client).is_none_or(|c| c.acknowledges);
        let socket = link.transport == Transport::WebSocket;
        let most = self.plan.config.messages_per_frame;
        if socket && !acknowledges && most > 0 && events.len() > most {
            return Err(format!("{} events share a frame of {most}", events.len()));
        }
        // The brackets too, and what stands between two.
        let bytes = events.iter().map(|event| event.to_string().len() + 1);
        let bytes = 1 + bytes.sum::<usize>();
        let room = self.plan.config.limits.max_frame_bytes;
        if (socket || acknowledges) && events.len() > 1 && bytes > room {
            return Err(format!("events of {bytes} bytes are in a frame of {room}"));
        }
        Ok(())
    }

    /// QU-6: lazy events do not leave of their own before their time, and nothing waits longer. What a client that polls
    /// gets by the websocket that it publishes on has waited for as long as its poll was on its way.
    fn is_in_time(&self, link: &Link, all: &Contents, lazy: Duration) -> Verdict {
        let client = self.clients.get(link.client);
        let is_pushed = client
            .is_some_and(|client| client.transport == Transport::WebSocket && !client.acknowledges);
        if link.transport != Transport::WebSocket || !is_pushed {
            return Ok(());
        }
        let age = |number: u64| self.judge.age(number, self.now);
        // Who is still decided on is company already.
        let decided = !self.plan.config.deciders.is_empty();
        let company = decided || all.replies > 0 || all.events.iter().any(|(_, lazy)| !lazy);
        let oldest = all.events.iter().map(|(number, _)| age(*number)).max();
        if !company && oldest.is_some_and(|oldest| oldest < lazy) {
            return Err(format!("lazy events leave alone, {oldest:?} old"));
        }
        for (number, is_lazy) in &all.events {
            let bound = if *is_lazy { lazy + PROMPT } else { PROMPT };
            if age(*number) > bound {
                return Err(format!("n{number} leaves late, {:?} old", age(*number)));
            }
        }
        Ok(())
    }

    /// A life of a node has ended a session. One that has lost it, and does not know it yet, may have anything in
    /// its queue.
    pub(super) fn is_removed(&mut self, life: u64, session: SessionId, why: Removal) {
        let id = session.text();
        let verdict = match why {
            Removal::QueueFull | Removal::Gap if !self.store.owns(life, session) => Ok(()),
            Removal::QueueFull => self.judge.overflows(&id),
            Removal::Gap => self.judge.has_gap(&id),
            Removal::Expired | Removal::Disconnected | Removal::Taken | Removal::Released => return,
            _ => Err(format!("a session has ended, {}", why.name())),
        };
        self.judge.excuses(&id);
        self.hold(verdict);
    }

    /// It says that it has written an event.
    pub(super) fn is_written(&mut self, life: u64, session: SessionId, position: Position) {
        let owns = self.store.owns(life, session);
        self.judge.written(&session.text(), position.number(), owns);
    }

    /// It says that it has dropped an event.
    pub(super) fn is_dropped(&mut self, life: u64, session: SessionId, position: Position) {
        let owns = self.store.owns(life, session);
        let verdict = self.judge.dropped(&session.text(), position.number(), owns);
        self.hold(verdict);
    }

    /// There is room for everybody again.
    pub(super) fn make_room(&mut self) {
        if !self.plan.crowded {
            return;
        }
        let limits = &mut self.plan.config.limits;
        let wide = Limits::default();
        limits.max_sessions = wide.max_sessions;
        limits.max_sessions_per_address = wide.max_sessions_per_address;
        limits.max_handshakes_per_second = wide.max_handshakes_per_second;
        limits.max_connections = wide.max_connections;
        let limits = Box::new(limits.clone());
        for number in 0..self.nodes.len() {
            let change = Change::Limits(limits.clone());
            self.fact(number, Input::Configured { change });
        }
    }
}
