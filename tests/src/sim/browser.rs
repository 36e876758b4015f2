//! Browsers: several clients with one jar of cookies.

use std::time::Duration;

use bayeux_core::{BrowserId, Instant, SessionId};
use serde_json::{Value, json};

use super::client::Client;
use super::dice::Dice;
use super::judge::Verdict;
use super::link::Link;
use super::world::World;

/// How long a connect that is not held is worked on at most.
const LONGEST_WORK: Duration = Duration::from_secs(16);

/// What a browser keeps of what it was given.
#[derive(Default)]
pub(super) struct Jar {
    pub(super) cookie: Option<BrowserId>,
    /// How many clients use it.
    clients: usize,
}

/// A jar for each browser, and which client has which.
pub(super) fn jars(dice: &mut Dice, browsers: usize, clients: usize) -> (Vec<Jar>, Vec<usize>) {
    let mut jars: Vec<Jar> = (0..browsers).map(|_| Jar::default()).collect();
    let owned: Vec<usize> = (0..clients).map(|_| dice.below(browsers)).collect();
    for jar in &owned {
        if let Some(jar) = jars.get_mut(*jar) {
            jar.clients += 1;
        }
    }
    for jar in jars.iter_mut().filter(|jar| jar.clients > 1) {
        // Two that shake hands at once would be given one each.
        jar.cookie = BrowserId::parse(&format!("{:024}", dice.below(usize::MAX)));
    }
    (jars, owned)
}

impl World {
    /// The cookie that a client sends along.
    pub(super) fn cookie_of(&self, client: usize) -> Option<BrowserId> {
        self.jar_of(client)?.cookie
    }

    fn jar_of(&self, client: usize) -> Option<&Jar> {
        self.jars.get(*self.jar_numbers.get(client)?)
    }

    /// A response has brought a cookie.
    pub(super) fn is_given(&mut self, client: usize, cookie: BrowserId) {
        let number = self.jar_numbers.get(client).copied();
        if let Some(jar) = number.and_then(|number| self.jars.get_mut(number)) {
            jar.cookie = Some(cookie);
        }
    }

    /// Whoever is alone in a browser, and is not interrupted, is not told of others (BR-10).
    pub(super) fn hears_of_others(&mut self, number: usize, reply: &Value) {
        let Some(true) = reply
            .pointer("/advice/multiple-clients")
            .and_then(Value::as_bool)
        else {
            return;
        };
        let clients = self.jar_of(number).map_or(0, |jar| jar.clients);
        if clients == 0 || (self.plan.calm && clients == 1 && !self.lingers(number)) {
            self.fail(format!(
                "client {number} is alone in its browser, and told that it is not"
            ));
        } else if reply.pointer("/advice/interval") != Some(&json!(2_000)) {
            self.fail(format!(
                "client {number} is told of others, and not to wait"
            ));
        }
    }

    /// Whether a session of this client that it has left is still there: its last word may be on its way.
    fn lingers(&self, number: usize) -> bool {
        let current = self.clients.get(number).and_then(Client::session_id);
        let current = current.and_then(SessionId::parse);
        let mut links = self.links.values();
        links.any(|link| {
            let held = link.holds.map(|(session, _)| session);
            link.client == number && link.is_open_at_node() && held.is_some() && held != current
        })
    }

    /// A browser has no more connects held by a node than it may (BR-7). Once nothing breaks any more, what
    /// is unanswered for long is held.
    pub(super) fn holds_are_few(&self) -> Verdict {
        let Some(peace) = self.peace else {
            return Ok(());
        };
        let limit =
            usize::try_from(self.plan.config.max_sessions_per_browser).unwrap_or(usize::MAX);
        let mut all: Vec<(usize, BrowserId)> = self
            .links
            .values()
            .filter(|link| link.transport.is_exchange() && link.is_open_at_node())
            .filter_map(|link| Some((link.node, link.cookie?, link.held_since()?)))
            .filter(|(_, _, since)| is_long(self.now, peace.max(*since)))
            .map(|(node, cookie, _)| (node, cookie))
            .collect();
        all.sort_unstable();
        let mut groups = all.chunk_by(|one, other| one == other);
        match groups.find(|group| group.len() > limit) {
            Some(group) => Err(format!("a browser has {} connects held", group.len())),
            None => Ok(()),
        }
    }
}

fn is_long(now: Instant, since: Instant) -> bool {
    now.saturating_duration_since(since) >= LONGEST_WORK
}

impl Link {
    /// Since when it has a connect that is not answered.
    const fn held_since(&self) -> Option<Instant> {
        match self.holds {
            Some((_, since)) => Some(since),
            None => None,
        }
    }
}
