//! Events on their way: who gets them, and when they leave (section 14).

use serde_json::Value;

use super::session::Carrier;
use super::{Full, Model, Name, matches};
use crate::history::cast::Transport;
use crate::seen::BROKEN;

/// What was published, in its place.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) to: To,
    pub(super) event: Event,
    pub(super) origin: Option<u32>,
}

/// Whom it is for.
#[derive(Clone, Debug)]
pub(super) enum To {
    Channel(Name),
    Session(u32),
}

/// An event for one session.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Event {
    pub(super) position: u64,
    pub(super) body: Value,
    /// Until when it may wait for company; `None`: not at all (QU-6).
    pub(super) lazy: Option<u64>,
}

impl Event {
    pub(super) fn is_lazy(&self, now: u64) -> bool {
        self.lazy.is_some_and(|until| until > now)
    }
}

impl Model {
    /// Everybody gets what was published (PL-10, PB-7, PB-8, SU-4).
    pub(super) fn spread(&mut self) {
        for entry in std::mem::take(&mut self.published) {
            let position = entry.event.position;
            self.reached = position;
            let all: Vec<_> = self.sessions.keys().copied().collect();
            for number in all {
                if self.is_for(&entry, number) {
                    self.queue(number, entry.event.clone());
                }
            }
        }
    }

    fn is_for(&self, entry: &Entry, number: u32) -> bool {
        let Some(session) = self.sessions.get(&number) else {
            return false;
        };
        match &entry.to {
            To::Session(to) => *to == number,
            To::Channel(name) => {
                let own = entry.origin == Some(number) && !self.rules.echo;
                let mut all = session.subscriptions.iter();
                !own && all.any(|pattern| matches(pattern, name))
            }
        }
    }

    /// QU-5.
    fn queue(&mut self, number: u32, event: Event) {
        let (limit, full) = (self.rules.queue, self.rules.full);
        let Some(session) = self.session(number) else {
            return;
        };
        if session.leaving {
            return;
        }
        session.queue.push(event);
        if session.queue.len() + session.unacknowledged.len() <= limit {
            return;
        }
        match full {
            Full::Ends => self.overflows(number),
            _ if session.ack => self.overflows(number),
            Full::DropsOldest => {
                session.queue.remove(0);
            }
            Full::DropsNewest => {
                session.queue.pop();
            }
        }
    }

    fn overflows(&mut self, number: u32) {
        let hold = self.session(number).and_then(|session| session.hold.take());
        if let Some(hold) = hold {
            let reply = self.reply(&hold.request).unknown();
            self.send(hold.connection, vec![Value::Object(reply.members)]);
        }
        self.end_session(number);
    }

    /// Whether events leave by a frame of their own, as soon as they come (WS-6).
    pub(super) fn pushes(&self, number: u32) -> bool {
        let session = self.sessions.get(&number);
        let by_socket = |carrier: Carrier| matches!(carrier, Carrier::Socket(_));
        session.is_some_and(|it| by_socket(it.carrier) && !it.ack) && !self.rules.deliver_only
    }

    /// What waits and may not wait any longer leaves (QU-1, QU-6).
    pub(super) fn wake_all(&mut self, but: Option<u32>) {
        let all: Vec<_> = self.sessions.keys().copied().collect();
        for number in all.into_iter().filter(|number| but != Some(*number)) {
            self.wake(number);
        }
    }

    fn wake(&mut self, number: u32) {
        let now = self.now;
        let pushes = self.pushes(number);
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        if session.queue.iter().all(|event| event.is_lazy(now)) && !session.leaving {
            return;
        }
        // DC-5: who is to leave is told with the connect that is held.
        let told = session.leaving && session.hold.is_some();
        if pushes
            && !told
            && let Carrier::Socket(connection) = session.carrier
        {
            self.push(number, connection);
        }
        if self
            .sessions
            .get(&number)
            .is_some_and(|session| !session.queue.is_empty() || session.leaving)
        {
            self.release(number);
        }
    }

    /// Events leave by a socket, on their own.
    pub(super) fn push(&mut self, number: u32, connection: u32) {
        let events = self.take(number);
        if events.is_empty() {
            return;
        }
        let bodies = events.iter().map(|event| event.body.clone()).collect();
        let came = self.send(connection, bodies);
        if !came {
            self.give_back(number, events);
        }
        self.leave(number);
    }

    /// The held connect of a session is answered, if there is one, with what waits.
    pub(super) fn release(&mut self, number: u32) {
        let Some(hold) = self.session(number).and_then(|session| session.hold.take()) else {
            return;
        };
        let reply = self.connect_reply(number, &hold.request, false);
        let events = self.take(number);
        let mut bodies: Vec<_> = events.iter().map(|event| event.body.clone()).collect();
        bodies.push(Value::Object(reply.members));
        let came = self.send(hold.connection, bodies);
        self.start_clock(number);
        if !came {
            self.give_back(number, events);
        }
        self.leave(number);
    }

    /// Takes what waits, what is not acknowledged before it (QU-7, AK-4).
    pub(super) fn take(&mut self, number: u32) -> Vec<Event> {
        let Some(session) = self.session(number) else {
            return Vec::new();
        };
        let mut events = std::mem::take(&mut session.unacknowledged);
        events.append(&mut session.queue);
        if session.ack {
            session.unacknowledged.clone_from(&events);
        }
        events
    }

    /// What was not written returns to the front (QU-9).
    pub(super) fn give_back(&mut self, number: u32, mut events: Vec<Event>) {
        let Some(session) = self.session(number) else {
            return;
        };
        if session.ack {
            return;
        }
        // What was on its way already waits for nobody any more.
        for event in &mut events {
            event.lazy = None;
        }
        events.append(&mut session.queue);
        session.queue = events;
    }

    /// Sends messages on a connection; whether they come. An exchange is over with it.
    pub(super) fn send(&mut self, connection: u32, messages: Vec<Value>) -> bool {
        let Some(open) = self.connections.get(&connection) else {
            return false;
        };
        let (works, exchange) = (open.works, open.transport != Transport::Socket);
        let heard = self.seen.on(connection);
        if works {
            heard.messages.extend(messages);
        } else if exchange {
            heard.lost.extend(messages);
        } else {
            heard.closed = Some(BROKEN);
        }
        if exchange {
            self.connections.remove(&connection);
        } else if !works {
            self.closed(connection);
        }
        works
    }
}
