//! All checks, by group.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

mod acknowledge;
mod callback;
mod channels;
mod composition;
mod connect;
mod cross_origin;
mod disconnect;
mod extensions;
mod fields;
mod framing;
mod handshake;
mod http;
mod publish;
mod service;
mod sessions;
mod subscribe;
mod websocket;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::check::{Checked, Group, Stop, hold};

/// All groups, in the order of the rules.
pub fn groups() -> &'static [Group] {
    const GROUPS: &[Group] = &[
        framing::GROUP,
        fields::GROUP,
        channels::GROUP,
        handshake::GROUP,
        connect::GROUP,
        subscribe::GROUP,
        publish::GROUP,
        service::GROUP,
        disconnect::GROUP,
        composition::GROUP,
        http::GROUP,
        cross_origin::GROUP,
        callback::GROUP,
        sessions::GROUP,
        websocket::GROUP,
        acknowledge::GROUP,
        extensions::GROUP,
    ];
    GROUPS
}

/// Fails unless the message has that member.
fn member<'v>(message: &'v Value, name: &str) -> Checked<&'v Value> {
    message
        .get(name)
        .ok_or_else(|| Stop::failed(format!("no {name} in {message}")))
}

/// Fails if the message has that member.
fn lacks(message: &Value, name: &str) -> Checked {
    hold(message.get(name).is_none(), || {
        format!("{name} in {message}")
    })
}

/// Fails unless the advice is complete, with that `reconnect` (AD-1, AD-2).
fn complete_advice(reply: &Value, reconnect: &str) -> Checked {
    let advice = member(reply, "advice")?;
    let is_number = |name: &str| advice[name].as_u64().is_some();
    let is_complete =
        advice["reconnect"] == reconnect && is_number("interval") && is_number("timeout");
    hold(is_complete, || {
        format!("{advice} where complete advice with {reconnect:?} is due")
    })
}

/// Fails unless a connect that was sent then was held so long.
fn was_held(since: Instant, due: Duration) -> Checked {
    let lasted = since.elapsed();
    // The server's clock may tick more coarsely than ours.
    hold(lasted + Duration::from_millis(100) >= due, || {
        format!("the connect ended after {lasted:?}, not after {due:?}")
    })
}

/// The one message of an answer.
fn only(answer: Vec<Value>) -> Checked<Value> {
    match <[Value; 1]>::try_from(answer) {
        Ok([message]) => Ok(message),
        Err(answer) => Err(Stop::failed(format!(
            "{} where one message is due",
            Value::from(answer)
        ))),
    }
}

/// The channels of messages, in order.
fn channels_of(messages: &[Value]) -> Vec<&str> {
    let channels = messages.iter().map(|message| &message["channel"]);
    channels
        .map(|name| name.as_str().unwrap_or_default())
        .collect()
}
