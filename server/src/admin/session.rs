//! One session: looked at, and ended.

use bayeux_core::{SessionView, Transport};
use bytes::Bytes;
use serde::Serialize;

use super::answer::{Answer, Refusal};
use super::question::{OfSession, read, session};
use crate::application::Handle;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected {
    client_id: String,
    phase: &'static str,
    connection_type: Option<&'static str>,
    acknowledged: bool,
    subscriptions: Vec<String>,
    queued: Queued,
    /// In milliseconds.
    expires_in: Option<u64>,
}

#[derive(Serialize)]
struct Queued {
    events: usize,
    bytes: usize,
}

#[derive(Serialize)]
struct Subscriptions {
    subscriptions: Vec<String>,
}

#[derive(Serialize)]
struct Disconnected {}

/// Everything about it.
pub(super) async fn inspect(handle: &Handle, body: &Bytes) -> Result<Answer, Refusal> {
    Ok(Answer::of(&Inspected::from(view(handle, body).await?)))
}

/// What it is subscribed to.
pub(super) async fn subscriptions(handle: &Handle, body: &Bytes) -> Result<Answer, Refusal> {
    let subscriptions = names(&view(handle, body).await?);
    Ok(Answer::of(&Subscriptions { subscriptions }))
}

/// Ends it; its client is told.
pub(super) async fn disconnect(handle: &Handle, body: &Bytes) -> Result<Answer, Refusal> {
    let session = session(&read::<OfSession<'_>>(body)?.session)?;
    handle.disconnect(session).await?;
    tracing::info!(?session, "a backend has disconnected a session");
    Ok(Answer::of(&Disconnected {}))
}

async fn view(handle: &Handle, body: &Bytes) -> Result<SessionView, Refusal> {
    let session = session(&read::<OfSession<'_>>(body)?.session)?;
    Ok(handle.inspect(session).await?)
}

fn names(view: &SessionView) -> Vec<String> {
    let patterns = view.subscriptions.iter();
    patterns.map(ToString::to_string).collect()
}

impl From<SessionView> for Inspected {
    fn from(view: SessionView) -> Self {
        let (events, bytes) = view.queued;
        let milliseconds = |time: std::time::Duration| time.as_millis();
        Self {
            client_id: view.session.text(),
            phase: view.phase.name(),
            connection_type: view.transport.map(Transport::name),
            acknowledged: view.acknowledged,
            subscriptions: names(&view),
            queued: Queued { events, bytes },
            expires_in: view
                .expires_in
                .map(milliseconds)
                .and_then(|milliseconds| milliseconds.try_into().ok()),
        }
    }
}
