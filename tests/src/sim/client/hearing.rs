//! What clients hear, and what they do about it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::link::{Frame, Standing};
use super::super::story::in_short;
use super::super::thief::Aim;
use super::super::world::World;
use super::{Alarm, Client, Membership, What};

impl World {
    pub(in crate::sim) fn got(
        &mut self,
        number: usize,
        link: u64,
        frame: &Frame,
        standing: Standing,
    ) {
        let Ok(Value::Array(messages)) = serde_json::from_slice(frame) else {
            self.fail("a node has said what is no list".to_owned());
            return;
        };
        self.story.tell(self.now, || {
            format!("client {number} < {}", in_short(frame))
        });
        let entry = self.links.get(&link);
        if entry.is_some_and(|link| link.aim != Aim::Own) {
            return self.told_a_thief(number, link, &messages, standing);
        }
        let life = entry.map(|link| link.client_life);
        let exchange = entry.is_some_and(|link| link.transport.is_exchange());
        if self.clients.get(number).map(Client::life) != life {
            return;
        }
        for message in &messages {
            if message.get("data").is_some() {
                self.got_event(number, link, message, standing.is_stale);
            } else {
                self.got_reply(number, link, message, standing.keeps);
            }
        }
        if exchange {
            // What its one answer did not answer never will be.
            self.fail_pending(number, link);
        }
    }

    pub(super) fn got_event(&mut self, number: usize, link: u64, message: &Value, is_stale: bool) {
        let what = message.pointer("/data/n").and_then(Value::as_u64);
        let (Some(what), Some(client)) = (what, self.clients.get(number)) else {
            self.fail(format!(
                "client {number} got what nobody published: {message}"
            ));
            return;
        };
        let Some(session) = client.session_id() else {
            return;
        };
        if is_stale && !client.acknowledges {
            // A node that has lost a session and does not know it yet may send what it had in hand.
            return;
        }
        let before = self.links.get(&link).and_then(|link| link.last);
        match self.judge.delivered(session, what, before) {
            Ok(place) => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.last = Some(place);
                }
            }
            Err(why) => self.fail(format!("client {number}: {why}")),
        }
    }

    pub(super) fn got_reply(&mut self, number: usize, link: u64, message: &Value, keeps: bool) {
        let id = message.get("id").and_then(Value::as_str);
        let id = id.and_then(|id| id.parse::<u64>().ok());
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let what = id.and_then(|id| client.pending.remove(&id)).map(|p| p.what);
        let successful = message.get("successful") == Some(&Value::Bool(true));
        self.hears_of_others(number, message);
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if message.get("channel").and_then(Value::as_str) == Some("/meta/connect")
            && let Some(ack) = message.pointer("/ext/ack").and_then(Value::as_i64)
            && let Some(session) = &mut client.session
        {
            if ack < session.number {
                let before = session.number;
                self.fail(format!(
                    "client {number}: the number falls from {before} to {ack}"
                ));
                return;
            }
            session.number = ack;
        }
        let Some(what) = what else {
            return;
        };
        let error = message.get("error").and_then(Value::as_str).unwrap_or("");
        if error.starts_with("402") {
            self.is_unknown(number, &what, message);
            return;
        }
        if let What::Subscribe(pattern) = &what
            && error.starts_with("403")
        {
            self.is_refused(number, pattern);
        }
        if let What::Subscribe(pattern) = &what
            && error.starts_with("403:too_many_subscriptions")
        {
            self.has_too_many(number, pattern);
        } else if successful {
            self.succeeded(number, link, what, message, keeps);
        } else {
            let is_refused = !self.may_be_underway(number, &what);
            self.failed(number, &what, is_refused);
        }
    }

    /// Whether what was answered with a no may be done all the same.
    fn may_be_underway(&mut self, number: usize, what: &What) -> bool {
        let session = self.clients.get(number).and_then(Client::session_id);
        match (session, what) {
            (Some(session), What::Subscribe(pattern)) => {
                self.judge.may_be_underway(session, pattern, self.now)
            }
            _ => false,
        }
    }

    /// There is no such session, says a node.
    pub(super) fn is_unknown(&mut self, number: usize, what: &What, message: &Value) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if *what != What::Connect {
            self.failed(number, what, false);
            return;
        }
        let Some(session) = client.session.take() else {
            return;
        };
        if message.pointer("/advice/reconnect") != Some(&json!("handshake")) {
            self.fail(format!("client {number} is not told what to do: {message}"));
            return;
        }
        let verdict = self.judge.unknown(&session.id, now);
        self.hold(verdict.map_err(|why| format!("client {number}: {why}")));
        self.give_up(number);
        let wait = message.pointer("/advice/interval").and_then(Value::as_u64);
        let wait = Duration::from_millis(wait.unwrap_or(0));
        self.alarm(number, wait, Alarm::Handshake);
        self.alarm(number, wait, Alarm::Whim);
    }

    pub(super) fn succeeded(
        &mut self,
        number: usize,
        link: u64,
        what: What,
        message: &Value,
        keeps: bool,
    ) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        match what {
            What::Handshake => self.shaken(number, link, message),
            What::Connect => {
                if let Some(session) = &mut client.session {
                    session.connected = true;
                    let id = session.id.clone();
                    // What stayed unwritten until the session was over is no sign of life.
                    if keeps {
                        self.judge.alive(&id, now);
                    }
                    self.judge.is_told(&id);
                }
                let wait = message.pointer("/advice/interval").and_then(Value::as_u64);
                self.alarm(
                    number,
                    Duration::from_millis(wait.unwrap_or(0)),
                    Alarm::Connect,
                );
            }
            What::Subscribe(pattern) => {
                if let Some(session) = &mut client.session
                    && client.wants.contains(pattern)
                {
                    session.subscribed.insert(pattern);
                    session.doubtful.remove(pattern);
                    self.judge.subscribed(&session.id, pattern);
                }
                let verdict = self.subscriptions_are_few(number);
                self.hold(verdict);
            }
            What::Publish(what) => {
                let mut nothing = BTreeMap::new();
                let link = self.links.get_mut(&link);
                let before = link.map_or(&mut nothing, |link| &mut link.published);
                let verdict = self.judge.published(what, before);
                self.hold(verdict);
            }
            What::Unsubscribe(pattern) => {
                if let Some(session) = &mut client.session {
                    let wanted = client.wants.contains(pattern);
                    if wanted || self.judge.unsubscribed(&session.id, pattern, now) {
                        session.doubtful.remove(pattern);
                    }
                }
            }
            What::Disconnect => {}
        }
    }

    pub(super) fn session_of(&mut self, number: usize) -> Option<&mut Membership> {
        self.clients.get_mut(number)?.session.as_mut()
    }

    pub(super) fn shaken(&mut self, number: usize, link: u64, message: &Value) {
        let now = self.now;
        let by = self.links.get(&link);
        let bound = by.is_some_and(|link| link.transport.is_exchange() && link.cookie.is_some());
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let Some(id) = message.get("clientId").and_then(Value::as_str) else {
            self.fail(format!("client {number} got no session: {message}"));
            return;
        };
        client.session = Some(Membership {
            id: id.to_owned(),
            number: 0,
            subscribed: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            unsubscribed: None,
            connected: false,
            bound,
            forgiven: now,
        });
        let wants: Vec<_> = client.wants.iter().copied().collect();
        let verdict = self.judge.begins(id, client.acknowledges, now);
        self.hold(verdict);
        self.connect(number);
        for pattern in wants {
            self.subscribe(number, pattern);
        }
    }

    /// An answer says no, or will never come.
    pub(super) fn failed(&mut self, number: usize, what: &What, is_refused: bool) {
        let now = self.now;
        let wait = self.dice.millis(100..1_500);
        match what {
            What::Handshake => self.alarm(number, wait, Alarm::Handshake),
            What::Connect => {
                if let Some(session) = self.session_of(number)
                    && core::mem::take(&mut session.connected)
                {
                    session.forgiven = now + wait;
                }
                self.alarm(number, wait, Alarm::Connect);
            }
            // It may have been done all the same.
            What::Subscribe(pattern) => {
                if let Some(session) = self.session_of(number)
                    && !is_refused
                {
                    session.doubtful.insert(pattern);
                }
                // Some try again at once, others when it comes to their mind.
                if self.dice.permille(500) {
                    self.alarm(number, wait / 10, Alarm::Subscribe(pattern));
                }
            }
            What::Unsubscribe(_) | What::Publish(_) | What::Disconnect => {}
        }
    }

    /// A subscription was decided on, and never comes about.
    fn is_refused(&mut self, number: usize, pattern: &str) {
        if let Some(session) = self.clients.get(number).and_then(Client::session_id) {
            self.judge.refused(session, pattern);
        }
    }

    /// A connection is gone.
    pub(in crate::sim) fn lost(&mut self, number: usize, link: u64) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if client.socket == Some(link) {
            client.socket = None;
            // It needs another one, also if nothing was under way.
            self.alarm(number, Duration::from_millis(300), Alarm::Connect);
        } else if client.aside == Some(link) {
            client.aside = None;
        }
        self.fail_pending(number, link);
    }

    pub(super) fn fail_pending(&mut self, number: usize, link: u64) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let gone: Vec<u64> = client
            .pending
            .iter()
            .filter(|(_, pending)| pending.link == link)
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            let pending = self
                .clients
                .get_mut(number)
                .and_then(|c| c.pending.remove(&id));
            if let Some(pending) = pending {
                self.failed(number, &pending.what, false);
            }
        }
    }

    pub(super) fn overdue(&mut self, number: usize, id: u64) {
        let pending = self.clients.get(number).and_then(|c| c.pending.get(&id));
        let Some(link) = pending.map(|pending| pending.link) else {
            return;
        };
        self.story.tell(self.now, || {
            format!("client {number} has waited for #{id} in vain")
        });
        self.hang_up(link);
        self.lost(number, link);
    }
}
