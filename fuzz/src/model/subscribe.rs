//! Subscriptions (section 10).

use serde_json::Value;

use super::frame::UNAVAILABLE;
use super::reply::Reply;
use super::{Kind, Model, Name};

impl Model {
    pub(super) fn subscribe(&mut self, number: u32, message: &Value, reply: Reply) -> Reply {
        let names = match names(message) {
            Ok(names) => names,
            Err(error) => return reply.failure(error),
        };
        let mut taken = Vec::new();
        let mut refused = None;
        for name in names {
            if let Err(error) = self.may_subscribe(number, &name, &taken) {
                refused = Some(error);
                break;
            }
            if name.kind() == Kind::Broadcast && !taken.contains(&name) {
                taken.push(name);
            }
        }
        // SU-3.
        if refused.is_some() && self.rules.all_or_nothing {
            taken.clear();
        }
        if !taken.is_empty() && !self.store_works {
            return reply.failure(UNAVAILABLE);
        }
        let new: Vec<_> = taken
            .into_iter()
            .filter(|name| !self.is_subscribed(number, name))
            .collect();
        if let Some(session) = self.session(number) {
            session.subscriptions.extend(new);
        }
        match refused {
            Some(error) => reply.failure(&error),
            None => reply.success(),
        }
    }

    fn is_subscribed(&mut self, number: u32, name: &Name) -> bool {
        let session = self.session(number);
        session.is_some_and(|session| session.subscriptions.contains(name))
    }

    fn may_subscribe(&mut self, number: u32, name: &Name, taken: &[Name]) -> Result<(), String> {
        match name.kind() {
            // SU-6.
            Kind::Service => return Ok(()),
            Kind::Meta => return Err(meta(name)),
            Kind::Broadcast => {}
        }
        let session = self.session(number);
        let count = session.map_or(0, |session| session.subscriptions.len());
        let known = taken.contains(name) || self.is_subscribed(number, name);
        let new = taken
            .iter()
            .filter(|name| !self.is_subscribed(number, name))
            .count();
        if !known && count + new >= self.rules.subscriptions {
            return Err("403:too_many_subscriptions:subscribe_denied".to_owned());
        }
        if let Some(reason) = Self::denies(name) {
            return Err(format!("403:{reason}:subscribe_denied"));
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, number: u32, message: &Value, reply: Reply) -> Reply {
        let names = match names(message) {
            Ok(names) => names,
            Err(error) => return reply.failure(error),
        };
        // SU-7; nothing would be created.
        if names.iter().any(|name| name.kind() == Kind::Meta) {
            return reply.failure("403:denied_by_security_policy:subscribe_denied");
        }
        let had: Vec<_> = names
            .into_iter()
            .filter(|name| name.kind() == Kind::Broadcast)
            .collect();
        if let Some(session) = self.session(number) {
            session
                .subscriptions
                .retain(|pattern| !had.contains(pattern));
        }
        // ER-7: what the store could not note down is to be tried again; it is in force all the same.
        if !had.is_empty() && !self.store_works {
            return reply.failure(UNAVAILABLE);
        }
        reply.success()
    }
}

/// SU-7.
fn meta(name: &Name) -> String {
    let known = [
        "connect",
        "handshake",
        "subscribe",
        "unsubscribe",
        "disconnect",
    ];
    let known = known
        .iter()
        .any(|known| name.text() == format!("/meta/{known}"));
    let what = if known { "subscribe" } else { "create" };
    format!("403:denied_by_security_policy:{what}_denied")
}

/// SU-1.
fn names(message: &Value) -> Result<Vec<Name>, &'static str> {
    let invalid = "403::subscription_invalid";
    let listed = match message.get("subscription") {
        None => return Err("403::subscription_missing"),
        Some(Value::Array(list)) if !list.is_empty() => list.clone(),
        Some(text @ Value::String(_)) => vec![text.clone()],
        Some(_) => return Err(invalid),
    };
    let name = |value: &Value| {
        let name = value.as_str().and_then(Name::parse);
        name.filter(|name| !name.is_reserved()).ok_or(invalid)
    };
    listed.iter().map(name).collect()
}
