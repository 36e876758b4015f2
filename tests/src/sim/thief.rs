//! Those who have heard of somebody else's session, and try it (BR-3, BR-4, BR-6, DE-5).
//!
//! With a wrong cookie, or over HTTP with none where one is asked for, nothing is to be had: the answer says no,
//! and the session stays where it is. Over a websocket none is not a wrong one.

use std::time::Duration;

use bayeux_core::{Access, BrowserBinding, SessionId, SessionRecord, Transport};
use serde_json::{Value, json};

use super::client::Client;
use super::judge::Verdict;
use super::link::{Frame, Standing};
use super::world::{Happening, World};

/// By when a guest has hung up.
const VISIT: Duration = Duration::from_secs(10);

/// What somebody has a connection for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Aim {
    /// To talk in its own name.
    #[default]
    Own,
    /// To get at another's session, and not to be let.
    Steals,
    /// To speak for another's session, and to be let.
    Visits,
}

impl World {
    /// Somebody tries a session that it has heard of.
    pub(super) fn steal(&mut self, number: usize) {
        let victim = self.dice.below(self.clients.len());
        let ways = Transport::ALL;
        let transport = self.dice.pick(&ways).unwrap_or(Transport::LongPolling);
        let shows_cookie = self.dice.permille(500);
        let cookie = self.cookie_of(number).filter(|_| shows_cookie);
        let session = self.clients.get(victim).and_then(Client::bound_session);
        let Some(session) = session.and_then(SessionId::parse) else {
            return;
        };
        if self.cookie_of(victim) == cookie {
            return;
        }
        let aim = match cookie {
            Some(_) => Aim::Steals,
            None if transport.is_exchange() && self.asks_for_cookie(session) => Aim::Steals,
            None if !transport.is_exchange() && !self.plan.gentle => Aim::Visits,
            None => return,
        };
        self.story.tell(self.now, || {
            let way = transport.name();
            format!("client {number} tries the session of client {victim} by {way}: {aim:?}")
        });
        let frame = self.trial(aim, transport, session);
        let link = self.open(number, transport);
        if let Some(link) = self.links.get_mut(&link) {
            link.aim = aim;
            link.cookie = cookie;
        }
        self.send_up(link, frame, Some(session));
        if aim == Aim::Visits {
            self.after(VISIT, Happening::NodeSees { link });
        }
    }

    /// A connect would move the session; a publish leaves it where it is.
    fn trial(&mut self, aim: Aim, transport: Transport, session: SessionId) -> Frame {
        let message = match aim {
            Aim::Visits => json!([{
                "id": "tried", "channel": "/nobody", "clientId": session.text(),
                "data": {"n": self.new_number()},
            }]),
            Aim::Own | Aim::Steals => json!([{
                "id": "tried", "channel": "/meta/connect", "clientId": session.text(),
                "connectionType": transport.name(),
            }]),
        };
        Frame::from(message.to_string().into_bytes())
    }

    /// Whether nobody finds this session over HTTP without a cookie: what the store knows of it each node knows that
    /// has it.
    fn asks_for_cookie(&self, session: SessionId) -> bool {
        let access = match self.plan.config.browser_binding {
            BrowserBinding::Off => Access::Any,
            BrowserBinding::Lenient => Access::Unbound,
            BrowserBinding::Strict => Access::Browserless,
        };
        let record = self.store.record(session);
        record.is_some_and(|record| !may_have(access, record))
    }

    /// What somebody is told who has tried another's session.
    pub(super) fn told_a_thief(
        &mut self,
        number: usize,
        link: u64,
        messages: &[Value],
        standing: Standing,
    ) {
        let Some(entry) = self.links.get(&link) else {
            return;
        };
        // Who has lost the session may not have heard that it asks for its cookie by now.
        let is_lax = standing.is_stale && entry.cookie.is_none();
        let (aim, session) = (entry.aim, entry.session.map(|session| session.text()));
        let answer = |message: &&Value| message.get("id") == Some(&json!("tried"));
        let refused = |message: &Value| {
            let error = message.get("error").and_then(Value::as_str).unwrap_or("");
            (error.starts_with("402"), error.starts_with("503"))
        };
        if aim == Aim::Visits {
            // What is pushed to the session may come this way too.
            let Some(answer) = messages.iter().find(answer) else {
                return;
            };
            let session = session.unwrap_or_default();
            if refused(answer).0 && self.judge.is_surely_there(&session, self.now) {
                self.fail(format!(
                    "client {number} is told that {session} is not there"
                ));
            }
            return self.hang_up(link);
        }
        let is_refused = match messages {
            [only] if answer(&only) => refused(only) != (false, false),
            _ => false,
        };
        if !is_refused && !is_lax {
            self.fail(format!("client {number} has got at another's session"));
        }
    }

    /// A claim is done for whoever has this access; whether it has moved no session that it may not.
    pub(super) fn has_moved_for(&self, access: Access, before: Option<SessionRecord>) -> Verdict {
        let Some(before) = before.filter(|record| !may_have(access, record)) else {
            return Ok(());
        };
        let after = self.store.record(before.session);
        match after.filter(|after| after.fence > before.fence) {
            Some(_) => Err(format!("{:?} has moved for {access:?}", before.session)),
            None => Ok(()),
        }
    }
}

/// The rules, once more.
fn may_have(access: Access, record: &SessionRecord) -> bool {
    match (access, record.browser) {
        (_, None) | (Access::Any, _) => true,
        (Access::Browser(cookie), Some(browser)) => cookie == browser,
        (Access::Unbound, Some(_)) => !record.bound,
        (Access::Browserless, Some(_)) => false,
    }
}
