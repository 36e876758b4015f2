//! Subscribing, publishing, calling the server, saying goodbye: one engine under scripted time.

use bayeux_core::testing::{Client, Script};
use bayeux_core::{Call, CallResult, ConnectionId, SessionId, SessionView};
use serde_json::{Value, json};

mod disconnect;
mod publish;
mod service;
mod subscribe;

/// The request of a client, and the one frame that answers it.
fn ask(script: &mut Script, client: &Client, frame: Value) -> Value {
    let connection = script.request(client, frame);
    script.take(connection)
}

/// A message of a client.
fn message(client: &Client, channel: &str, members: Value) -> Value {
    let mut message = json!({"id": "m", "channel": channel, "clientId": client.session});
    let members = members.as_object().cloned().unwrap_or_default();
    message.as_object_mut().unwrap().extend(members);
    message
}

fn subscribe(client: &Client, subscription: Value) -> Value {
    message(
        client,
        "/meta/subscribe",
        json!({"subscription": subscription}),
    )
}

fn unsubscribe(client: &Client, subscription: Value) -> Value {
    message(
        client,
        "/meta/unsubscribe",
        json!({"subscription": subscription}),
    )
}

fn publish(client: &Client, channel: &str, data: Value) -> Value {
    message(client, channel, json!({"data": data}))
}

fn disconnect(client: &Client) -> Value {
    message(client, "/meta/disconnect", json!({}))
}

/// The reply to a message of these helpers that succeeded.
fn ok(channel: &str) -> Value {
    json!({"id": "m", "channel": channel, "successful": true})
}

/// The reply to one that failed.
fn failed(channel: &str, error: &str) -> Value {
    json!({"id": "m", "channel": channel, "successful": false, "error": error})
}

fn session(client: &Client) -> SessionId {
    SessionId::parse(&client.session).unwrap()
}

/// What the application sees of a session.
fn view(script: &mut Script, client: &Client) -> SessionView {
    match script.call(Call::Inspect {
        session: session(client),
    }) {
        CallResult::Session(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// What a session is subscribed to.
fn subscriptions(script: &mut Script, client: &Client) -> Vec<String> {
    let view = view(script, client);
    view.subscriptions
        .iter()
        .map(|pattern| pattern.as_str().to_owned())
        .collect()
}

/// The events that a client gets with its next connect, which is not held.
fn events(script: &mut Script, client: &Client) -> Vec<Value> {
    let connection: ConnectionId = script.connect_with(client, json!({"advice": {"timeout": 0}}));
    let Value::Array(mut frame) = script.take(connection) else {
        panic!("a frame is an array")
    };
    let reply = frame.pop().unwrap();
    assert_eq!(reply["channel"], "/meta/connect", "{reply}");
    assert_eq!(reply["successful"], true, "{reply}");
    frame
}
