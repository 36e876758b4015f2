//! Lists, in pages, and the counters.

use std::collections::BTreeMap;

use bayeux_core::{Grammar, SessionId};
use http::request;
use serde::Serialize;

use super::answer::{Answer, Refusal};
use super::question::Listing;
use crate::application::{Cursor, Handle, Page};

#[derive(Serialize)]
struct Sessions {
    sessions: Vec<String>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Channels {
    channels: Vec<Channel>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Channel {
    channel: String,
    subscribers: u32,
}

#[derive(Serialize)]
struct Counters {
    /// By the engines.
    engine: BTreeMap<&'static str, u64>,
    /// Before an engine heard of it.
    server: BTreeMap<&'static str, u64>,
}

/// Who is there.
pub(super) async fn sessions(handle: &Handle, head: &request::Parts) -> Result<Answer, Refusal> {
    let Listing { from, limit, .. } = Listing::read(head, None)?;
    Ok(handle.sessions_from(from, limit).await?.into())
}

/// Who is subscribed to a channel, or to a pattern.
pub(super) async fn subscribers(
    handle: &Handle,
    grammar: &Grammar,
    head: &request::Parts,
) -> Result<Answer, Refusal> {
    let Listing {
        from,
        limit,
        channel,
    } = Listing::read(head, Some(grammar))?;
    let Some(channel) = channel else {
        return Err(Refusal::parameter_invalid("channel", "is missing"));
    };
    let page = handle.subscribers_from(&channel, from, limit).await?;
    Ok(page.into())
}

/// What there is to subscribe to.
pub(super) async fn channels(handle: &Handle, head: &request::Parts) -> Result<Answer, Refusal> {
    let Listing { from, limit, .. } = Listing::read(head, None)?;
    let Page { items, next } = handle.channels_from(from, limit).await?;
    let channels = items.into_iter().map(|(channel, subscribers)| Channel {
        channel: channel.to_string(),
        subscribers,
    });
    Ok(Answer::of(&Channels {
        channels: channels.collect(),
        next: text(next),
    }))
}

/// What has been counted.
pub(super) async fn counters(handle: &Handle) -> Result<Answer, Refusal> {
    let engine = handle.counters().await?;
    Ok(Answer::of(&Counters {
        engine: engine.iter().collect(),
        server: handle.tally().iter().collect(),
    }))
}

impl From<Page<SessionId>> for Answer {
    fn from(page: Page<SessionId>) -> Self {
        let sessions = page.items.into_iter().map(SessionId::text);
        Self::of(&Sessions {
            sessions: sessions.collect(),
            next: text(page.next),
        })
    }
}

fn text(next: Option<Cursor>) -> Option<String> {
    next.map(|next| next.to_string())
}
