//! Publishing and delivering.

use std::borrow::Cow;

use bayeux_core::{ChannelKind, Extensions, Grammar, Position};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{Answer, Error, Refusal};
use super::question::{channel, payload, read, session};
use crate::application::{CallError, Handle, Publication};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with channel and data")]
struct Publish<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow, default)]
    ext: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with clientId, channel and data"
)]
struct Deliver<'a> {
    #[serde(borrow, rename = "clientId")]
    session: Cow<'a, str>,
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Where in the log it is.
#[derive(Serialize)]
struct Published {
    position: u64,
}

#[derive(Serialize)]
struct Results {
    results: Vec<Outcome>,
}

/// What became of one of several.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Published(Published),
    Failed { error: Error },
}

impl From<Position> for Published {
    fn from(position: Position) -> Self {
        let position = position.number();
        Self { position }
    }
}

/// Publishes one.
pub(super) async fn one(
    handle: &Handle,
    grammar: &Grammar,
    body: &Bytes,
) -> Result<Answer, Refusal> {
    let publication = publication(grammar, body, body)?;
    let mut results = handle.publish_all([publication]).await;
    let position = results.pop().unwrap_or(Err(CallError::Stopped))?;
    Ok(Answer::of(&Published::from(position)))
}

/// Publishes several, in order. Those that cannot be published do not keep the others.
pub(super) async fn many(
    handle: &Handle,
    grammar: &Grammar,
    most: usize,
    body: &Bytes,
) -> Result<Answer, Refusal> {
    let texts: Vec<&RawValue> = read(body)?;
    if texts.len() > most {
        return Err(Refusal::batch_too_large(most));
    }
    let read = texts
        .into_iter()
        .map(|text| publication(grammar, body, text.get().as_bytes()));
    let mut publications = Vec::new();
    let refused: Vec<Option<Refusal>> = read
        .map(|read| read.map(|publication| publications.push(publication)).err())
        .collect();

    let mut published = handle.publish_all(publications).await.into_iter();
    let results = refused.into_iter().map(|refused| {
        let result = match refused {
            Some(refusal) => Err(refusal),
            None => {
                let result = published.next().unwrap_or(Err(CallError::Stopped));
                result.map_err(Refusal::from)
            }
        };
        match result {
            Ok(position) => Outcome::Published(position.into()),
            Err(refusal) => Outcome::Failed {
                error: refusal.into(),
            },
        }
    });
    let results = results.collect();
    Ok(Answer::of(&Results { results }))
}

/// Sends an event to one session.
pub(super) async fn deliver(
    handle: &Handle,
    grammar: &Grammar,
    body: &Bytes,
) -> Result<Answer, Refusal> {
    let deliver: Deliver<'_> = read(body)?;
    let channel = channel(&deliver.channel, grammar)?;
    if matches!(channel.kind(), ChannelKind::Meta(_)) || channel.is_reserved() {
        return Err(Refusal::channel_refused(channel.as_str()));
    }
    let data = payload("data", body, deliver.data)?;
    let session = session(&deliver.session)?;
    let position = handle.deliver(session, channel, data).await?;
    Ok(Answer::of(&Published::from(position)))
}

/// What `json`, a part of `body`, wants to be published.
fn publication(grammar: &Grammar, body: &Bytes, json: &[u8]) -> Result<Publication, Refusal> {
    let publish: Publish<'_> = read(json)?;
    let channel = channel(&publish.channel, grammar)?;
    if channel.kind() != ChannelKind::Broadcast || channel.is_reserved() {
        return Err(Refusal::channel_refused(channel.as_str()));
    }
    let data = payload("data", body, publish.data)?;
    let ext = publish
        .ext
        .map(|text| {
            let ext = payload("ext", body, text)?;
            let not_an_object = || Refusal::body_invalid("ext: not an object");
            Extensions::from_payload(ext).ok_or_else(not_an_object)
        })
        .transpose()?;
    Ok(Publication { channel, data, ext })
}
