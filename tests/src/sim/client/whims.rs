//! What comes to the minds of clients.

use std::time::Duration;

use serde_json::json;

use super::super::judge::Verdict;
use super::super::world::{Happening, World};
use super::{Alarm, Client, PATIENCE, PATTERNS, What, transport};

impl World {
    pub(super) fn whim(&mut self, number: usize) {
        let next = self.dice.millis(200..4_000);
        self.alarm(number, next, Alarm::Whim);
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let Some(session) = &client.session else {
            return;
        };
        let missing = client.wants.iter().find(|pattern| {
            !session.subscribed.contains(*pattern) && !client.is_doing(&What::Subscribe(pattern))
        });
        if let Some(pattern) = missing.copied() {
            self.subscribe(number, pattern);
            return;
        }
        if self.is_peaceful {
            return;
        }
        match self.dice.below(40) {
            0..=24 => self.publish(number),
            25..=27 => self.begin_to_want(number),
            28..=29 => self.stop_wanting(number),
            30..=32 if !self.plan.calm => self.abort(number),
            33 if !self.plan.calm => self.change_transport(number),
            34 if !self.plan.calm => self.vanish(number),
            35 => self.disconnect(number),
            36 if !self.plan.calm => self.steal(number),
            _ => {}
        }
    }

    pub(super) fn begin_to_want(&mut self, number: usize) {
        let pattern = self.dice.pick(&PATTERNS);
        let (Some(pattern), Some(client)) = (pattern, self.clients.get_mut(number)) else {
            return;
        };
        // An unsubscription that may still be under way would end it.
        let is_doubtful = client
            .session
            .as_ref()
            .is_some_and(|session| session.doubtful.contains(pattern));
        if !is_doubtful && client.wants.insert(pattern) {
            self.subscribe(number, pattern);
        }
    }

    pub(super) fn stop_wanting(&mut self, number: usize) {
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let Some(session) = &client.session else {
            return;
        };
        let mut some = session.subscribed.iter().copied();
        if let Some(pattern) = some.find(|pattern| *pattern != "/all/*") {
            self.unsubscribe(number, pattern);
        }
    }

    /// No more subscriptions are taken: it does without this one, or without the others.
    pub(super) fn has_too_many(&mut self, number: usize, pattern: &'static str) {
        let limit = self.plan.config.limits.max_subscriptions;
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let (_, possible) = client.subscriptions();
        // It may have unsubscribed while the answer was on its way.
        let session = client.session.as_ref();
        let last = session.and_then(|session| session.unsubscribed);
        let had_more = last.is_some_and(|last| self.now < last + PATIENCE);
        // What the store fails to note down may count until that is known.
        if self.plan.gentle && possible.len() < limit && !had_more {
            self.fail(format!(
                "client {number} is told that {} subscriptions are too many",
                possible.len() + 1
            ));
            return;
        }
        if pattern != "/all/*" {
            client.wants.remove(pattern);
            return;
        }
        for other in possible.into_iter().filter(|other| *other != pattern) {
            self.unsubscribe(number, other);
        }
        self.alarm(
            number,
            Duration::from_millis(500),
            Alarm::Subscribe(pattern),
        );
    }

    /// It has no more than it may.
    pub(super) fn subscriptions_are_few(&self, number: usize) -> Verdict {
        let limit = self.plan.config.limits.max_subscriptions;
        let client = self.clients.get(number);
        let (sure, _) = client.map_or_else(Default::default, Client::subscriptions);
        if sure.len() > limit {
            return Err(format!(
                "client {number} has {} subscriptions, not {limit}",
                sure.len()
            ));
        }
        Ok(())
    }

    /// Gives up its connect and tries another way at once.
    pub(super) fn abort(&mut self, number: usize) {
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let mut pending = client.pending.values();
        let connect = pending.find(|pending| pending.what == What::Connect);
        if let Some(link) = connect.map(|pending| pending.link) {
            self.story
                .tell(self.now, || format!("client {number} aborts {link}"));
            self.hang_up(link);
            self.lost(number, link);
            self.connect(number);
        }
    }

    pub(super) fn change_transport(&mut self, number: usize) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        client.transport = transport(&mut self.dice);
        if let Some(socket) = client.socket.filter(|_| client.transport.is_exchange()) {
            self.hang_up(socket);
            self.lost(number, socket);
        }
    }

    /// Is gone without a word, and somebody else comes later.
    pub(super) fn vanish(&mut self, number: usize) {
        self.story.tell(self.now, || {
            format!("client {number} is gone without a word")
        });
        self.give_up(number);
        let after = self.dice.millis(0..20_000);
        self.alarm(number, after, Alarm::Handshake);
        self.alarm(number, after, Alarm::Whim);
    }

    /// Says goodbye, and comes back later.
    pub(super) fn disconnect(&mut self, number: usize) {
        self.say_goodbye(number);
        let after = self.dice.millis(1_000..10_000);
        self.alarm(number, after, Alarm::Handshake);
        self.alarm(number, after, Alarm::Whim);
    }

    pub(super) fn say_goodbye(&mut self, number: usize) {
        let message = json!({"channel": "/meta/disconnect"});
        self.say(number, vec![(What::Disconnect, message)]);
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if let Some(session) = client.session.take() {
            self.judge.ends(&session.id);
        }
        client.life += 1;
        client.pending.clear();
        client.socket = None;
        client.aside = None;
        // It waits a little for the answer, and closes what it had.
        for link in self.links_of(number) {
            self.at(
                self.now + Duration::from_secs(2),
                Happening::NodeSees { link },
            );
        }
    }

    pub(super) fn give_up(&mut self, number: usize) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if let Some(session) = client.session.take() {
            self.judge.ends(&session.id);
        }
        client.life += 1;
        client.socket = None;
        client.aside = None;
        client.pending.clear();
        let links: Vec<u64> = self
            .links
            .iter()
            .filter(|(_, link)| link.client == number && link.is_open())
            .map(|(link, _)| *link)
            .collect();
        for link in links {
            self.hang_up(link);
        }
    }

    /// Leaves for good: with a word or without.
    pub(in crate::sim) fn leave(&mut self, number: usize) {
        if self.dice.permille(500) {
            self.say_goodbye(number);
        } else {
            self.give_up(number);
        }
    }

    pub(super) fn links_of(&self, number: usize) -> Vec<u64> {
        let of_client = self.links.iter().filter(|(_, link)| link.client == number);
        of_client.map(|(number, _)| *number).collect()
    }
}
