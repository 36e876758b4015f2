//! What has happened, fact by fact and order by order, for somebody to read.

use bayeux_core::{ConnectionId, Input, Instant, Output};
use bytes::Bytes;
use serde::Serialize;

/// A fact or an order.
#[derive(Serialize)]
pub(crate) struct Entry {
    /// When, in milliseconds.
    at: f64,
    kind: Kind,
    /// What kind of fact or order: the name of its variant.
    name: String,
    line: Option<u32>,
    connection: Option<u64>,
    /// The whole of it, as `Debug` has it. Of secrets it shows the beginning.
    text: String,
    /// The JSON that a client sent with it, or is sent.
    json: Vec<String>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Fact,
    Order,
}

impl Entry {
    pub(crate) fn fact(now: Instant, fact: &Input, texts: &[Bytes], line: Option<u32>) -> Self {
        let (connection, text) = (told_of(fact), format!("{fact:?}"));
        Self::new(now, Kind::Fact, text, connection, line, texts)
    }

    pub(crate) fn order(now: Instant, order: &Output, line: Option<u32>) -> Self {
        let mut frames = Vec::new();
        if let Output::Send { batch, .. } = order {
            frames.extend(batch.frames().cloned());
        }
        let (connection, text) = (meant_for(order), format!("{order:?}"));
        Self::new(now, Kind::Order, text, connection, line, &frames)
    }

    fn new(
        now: Instant,
        kind: Kind,
        text: String,
        connection: Option<ConnectionId>,
        line: Option<u32>,
        json: &[Bytes],
    ) -> Self {
        let name = text.split([' ', '(']).next().unwrap_or_default();
        Self {
            at: milliseconds(now),
            kind,
            name: name.to_owned(),
            line,
            connection: connection.map(ConnectionId::number),
            text,
            json: json.iter().map(as_text).collect(),
        }
    }
}

/// The connection that a fact is about.
pub(crate) fn told_of(fact: &Input) -> Option<ConnectionId> {
    if let Input::Opened { connection, .. }
    | Input::Received { connection, .. }
    | Input::Written { connection }
    | Input::Closed { connection } = fact
    {
        return Some(*connection);
    }
    None
}

/// The connection that an order is for.
pub(crate) fn meant_for(order: &Output) -> Option<ConnectionId> {
    match order {
        Output::Receive { connection }
        | Output::Send { connection, .. }
        | Output::Close { connection, .. } => Some(*connection),
        Output::Store { .. }
        | Output::Decide { .. }
        | Output::Return { .. }
        | Output::Report(_) => None,
    }
}

/// Time as a page counts it.
pub(crate) fn milliseconds(instant: Instant) -> f64 {
    instant.since_epoch().as_secs_f64() * 1_000.0
}

fn as_text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
