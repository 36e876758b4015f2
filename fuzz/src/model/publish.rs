//! Publishes, service channels, remote calls (sections 11 and 12).

use serde_json::{Value, json};

use super::delivery::{Entry, Event, To};
use super::frame::UNAVAILABLE;
use super::reply::Reply;
use super::{Kind, Model, Name};

/// How long events of `/lazy/…` wait (QU-6).
const LAZY: u64 = 1_000;
/// `maxLazyTimeout`.
const MAX_LAZY: u64 = 5_000;

impl Model {
    pub(super) fn publish(
        &mut self,
        session: u32,
        name: &Name,
        message: &Value,
        reply: Reply,
    ) -> Reply {
        // ER-2.
        if name.kind() == Kind::Meta {
            return reply.failure("403:denied_by_security_policy:channel_create_denied");
        }
        if let Some(reason) = Self::denies(name) {
            return reply.failure(&format!("403:{reason}:publish_denied"));
        }
        // PB-9.
        if name.text() == "/vetoed" {
            return reply.failure("404::message_deleted");
        }
        let data = message.get("data").cloned().unwrap_or_default();
        if name.kind() == Kind::Service {
            return self.call(session, name, message, data, reply);
        }
        if !self.store_works {
            return reply.failure(UNAVAILABLE);
        }
        let body = json!({"channel": name.text(), "data": data});
        let lazy = name.is_below("lazy").then_some(LAZY);
        self.append(To::Channel(name.clone()), body, lazy, Some(session));
        reply.success()
    }

    /// SV-1, SV-4: `/service/echo` answers with what it was given.
    fn call(
        &mut self,
        session: u32,
        name: &Name,
        message: &Value,
        data: Value,
        reply: Reply,
    ) -> Reply {
        let id = message.get("id").filter(|id| !id.is_null());
        if name.text() == "/service/echo"
            && let Some(id) = id
        {
            if !self.store_works {
                return reply.failure(UNAVAILABLE);
            }
            let body = json!({"channel": name.text(), "id": id, "successful": true, "data": data});
            self.append(To::Session(session), body, None, None);
        }
        reply.success()
    }

    pub(super) fn application_publishes(&mut self, channel: &str, data: u64, lazy: bool) {
        let Some(name) = Name::parse(channel).filter(|_| self.store_works) else {
            return;
        };
        let rule = name.is_below("lazy").then_some(LAZY);
        let body = json!({"channel": channel, "data": data});
        self.append(
            To::Channel(name),
            body,
            rule.or(lazy.then_some(MAX_LAZY)),
            None,
        );
        self.spread();
        self.wake_all(None);
    }

    /// SV-3; QU-8: what holds for the channel does not hold for a delivery.
    pub(super) fn application_delivers(
        &mut self,
        session: u32,
        channel: &str,
        data: u64,
        lazy: bool,
    ) {
        let living = self.sessions.get(&session).is_some_and(|it| !it.leaving); // DC-7
        if !self.store_works || !living {
            return;
        }
        let wait = lazy.then_some(MAX_LAZY);
        let body = json!({"channel": channel, "data": data});
        self.append(To::Session(session), body, wait, None);
        self.spread();
        self.wake_all(None);
    }

    fn append(&mut self, to: To, body: Value, lazy: Option<u64>, origin: Option<u32>) {
        self.end += 1;
        let event = Event {
            position: self.end,
            body,
            lazy: lazy.map(|wait| self.now + wait),
        };
        self.published.push(Entry { to, event, origin });
    }
}
