//! Publishes to `/n` that bear a number, so that each can be told from the others by its reply.

use bayeux_core::testing::Client;
use serde_json::{Value, json};

/// A publish of `client` with this number as id and data.
#[must_use]
pub fn publish(client: &Client, number: u64) -> Value {
    json!({
        "id": number.to_string(), "channel": "/n", "clientId": client.session, "data": number,
    })
}

/// The reply to one that was published.
#[must_use]
pub fn published(id: &str) -> Value {
    json!({"id": id, "channel": "/n", "successful": true})
}

/// The reply to one that was refused.
#[must_use]
pub fn refused(id: &str, error: &str) -> Value {
    json!({"id": id, "channel": "/n", "successful": false, "error": error})
}
