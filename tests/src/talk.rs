//! How tests talk to an engine: the messages of a client, and what comes of them.
//!
//! All messages have the id `m`, so that a reply can be written down.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::missing_panics_doc,
    reason = "a failing test has to fail"
)]

pub mod numbered;

use bayeux_core::testing::{Client, Script};
use bayeux_core::{
    Call, CallResult, ChannelName, ConnectionId, Destination, Echo, Entry, Event, Laziness, Notice,
    Payload, Peer, Position, SessionId, SessionView, StoreReply, StoreRequest, Transport,
};
use serde_json::{Value, json};

/// The request of a client, and the one frame that answers it.
pub fn ask(script: &mut Script, client: &Client, frame: Value) -> Value {
    let connection = script.request(client, frame);
    script.take(connection)
}

/// A message of a client.
#[must_use]
pub fn message(client: &Client, channel: &str, members: Value) -> Value {
    let mut message = json!({"id": "m", "channel": channel, "clientId": client.session});
    let members = members.as_object().cloned().unwrap_or_default();
    message.as_object_mut().unwrap().extend(members);
    message
}

/// A client subscribes.
#[must_use]
pub fn subscribe(client: &Client, subscription: Value) -> Value {
    message(
        client,
        "/meta/subscribe",
        json!({"subscription": subscription}),
    )
}

/// A client unsubscribes.
#[must_use]
pub fn unsubscribe(client: &Client, subscription: Value) -> Value {
    message(
        client,
        "/meta/unsubscribe",
        json!({"subscription": subscription}),
    )
}

/// A client publishes.
#[must_use]
pub fn publish(client: &Client, channel: &str, data: Value) -> Value {
    message(client, channel, json!({"data": data}))
}

/// A client says goodbye.
#[must_use]
pub fn disconnect(client: &Client) -> Value {
    message(client, "/meta/disconnect", json!({}))
}

/// The reply to a message of these helpers that succeeded.
#[must_use]
pub fn ok(channel: &str) -> Value {
    json!({"id": "m", "channel": channel, "successful": true})
}

/// The reply to one that failed.
#[must_use]
pub fn failed(channel: &str, error: &str) -> Value {
    json!({"id": "m", "channel": channel, "successful": false, "error": error})
}

/// The name of a client's session.
#[must_use]
pub fn session(client: &Client) -> SessionId {
    SessionId::parse(&client.session).unwrap()
}

/// What the application sees of a session.
pub fn view(script: &mut Script, client: &Client) -> SessionView {
    match script.call(Call::Inspect {
        session: session(client),
    }) {
        CallResult::Session(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// What a session is subscribed to.
pub fn subscriptions(script: &mut Script, client: &Client) -> Vec<String> {
    let view = view(script, client);
    view.subscriptions
        .iter()
        .map(|pattern| pattern.as_str().to_owned())
        .collect()
}

/// The events that a client gets with its next connect, which is not held.
pub fn events(script: &mut Script, client: &Client) -> Vec<Value> {
    let connection: ConnectionId = script.connect_with(client, json!({"advice": {"timeout": 0}}));
    let Value::Array(mut frame) = script.take(connection) else {
        panic!("a frame is an array")
    };
    let reply = frame.pop().unwrap();
    assert_eq!(reply["channel"], "/meta/connect", "{reply}");
    assert_eq!(reply["successful"], true, "{reply}");
    frame
}

/// Sends a handshake over long-polling; the answer may take its time.
pub fn shake_hands(script: &mut Script) -> ConnectionId {
    script.post(json!({
        "channel": "/meta/handshake", "version": "1.0",
        "supportedConnectionTypes": ["long-polling"],
    }))
}

/// The client whose handshake was answered there, once it has connected.
pub fn greeted(script: &mut Script, connection: ConnectionId) -> Client {
    let reply = script.take(connection);
    let client = Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        transport: Transport::LongPolling,
        socket: None,
        peer: Peer::default(),
    };
    script.first_connect(&client);
    client
}

/// A connected client of a script whose store is played by the test.
pub fn connected_by_hand(script: &mut Script) -> Client {
    let connection = shake_hands(script);
    let (ticket, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Open(_)));
    script.stored(ticket, StoreReply::Done);
    greeted(script, connection)
}

/// Entries of the log from `first` on, published to a channel by nobody.
#[must_use]
pub fn entries(first: u64, channel: &str, data: &[u64]) -> Notice {
    let name: ChannelName = channel.parse().unwrap();
    let entry = |(position, data): (u64, &u64)| Entry {
        position: Position::new(position),
        origin: None,
        to: Destination::Channel(name.clone()),
        event: Event::deliver(&name, &Payload::from(json!(data))),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    };
    Notice::Entries((first..).zip(data).map(entry).collect())
}

/// The application sends an event to one session.
pub fn deliver(
    script: &mut Script,
    client: &Client,
    channel: &str,
    data: Value,
    laziness: Laziness,
) -> CallResult {
    script.call(Call::Deliver {
        session: session(client),
        channel: channel.parse().unwrap(),
        data: Payload::from(data),
        laziness,
    })
}

/// Every message that was sent on a connection and not taken yet, in order.
pub fn messages(script: &mut Script, connection: ConnectionId) -> Vec<Value> {
    let mut messages = Vec::new();
    while let Some(Value::Array(frame)) = script.try_take(connection) {
        messages.extend(frame);
    }
    messages
}

/// What a frame brought: the data of its events in order, and the number on its connect reply.
#[must_use]
pub fn brought(frame: &Value) -> (Vec<Value>, Option<u64>) {
    let messages = frame.as_array().unwrap();
    let data = messages.iter().filter_map(|message| message.get("data"));
    let number = messages
        .iter()
        .find(|message| message["channel"] == "/meta/connect")
        .and_then(|reply| reply.pointer("/ext/ack"))
        .map(|number| number.as_u64().unwrap());
    (data.cloned().collect(), number)
}
