//! Connects, and every way for them and their sessions to end: sections 7, 9, 13 and 15.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

mod aborted;
mod advice;
mod answered;
mod disconnected;
mod draining;
mod expiry;
mod overtaken;

use bayeux_core::testing::{Client, Script};
use bayeux_core::{
    Call, CallResult, Change, Config, ConnectionId, Decider, DeciderId, Input, Laziness, Phase,
    Role, SessionId, SessionView, Transport,
};
use serde_json::{Value, json};

const POLLING: Transport = Transport::LongPolling;
const CALLBACK: Transport = Transport::CallbackPolling;
const SOCKET: Transport = Transport::WebSocket;
const TRANSPORTS: [Transport; 3] = [POLLING, CALLBACK, SOCKET];

/// The reply to the connect `id`, without advice.
fn connected(id: &str) -> Value {
    json!({"id": id, "channel": "/meta/connect", "successful": true})
}

/// The reply to the connect `id`, with advice.
fn advised(id: &str, advice: Value) -> Value {
    let mut reply = connected(id);
    reply["advice"] = advice;
    reply
}

/// The reply to the connect `id` of a session that is not there.
fn unknown(id: &str, advice: Value) -> Value {
    json!({
        "id": id, "channel": "/meta/connect", "successful": false,
        "error": "402::session_unknown", "advice": advice,
    })
}

/// The advice of a server that has its defaults.
fn retry() -> Value {
    json!({"reconnect": "retry", "interval": 0, "timeout": 30_000})
}

fn begin_anew() -> Value {
    json!({"reconnect": "handshake", "interval": 0, "timeout": 30_000})
}

fn stop() -> Value {
    json!({"reconnect": "none"})
}

/// Sends the connect `id`.
fn connect(script: &mut Script, client: &Client, id: &str) -> ConnectionId {
    script.connect_with(client, json!({"id": id}))
}

/// Sends the connect `id`, which is not to be held.
fn connect_briefly(script: &mut Script, client: &Client, id: &str) -> ConnectionId {
    script.connect_with(client, json!({"id": id, "advice": {"timeout": 0}}))
}

/// Sends the disconnect `bye`.
fn disconnect(script: &mut Script, client: &Client) -> ConnectionId {
    let message = json!({"id": "bye", "channel": "/meta/disconnect", "clientId": client.session});
    script.request(client, message)
}

/// The reply to the disconnect `bye`.
fn goodbye() -> Value {
    json!([{"id": "bye", "channel": "/meta/disconnect", "successful": true}])
}

/// The same client, over something else: over a websocket of its own if that is a websocket.
fn over(script: &mut Script, client: &Client, transport: Transport) -> Client {
    let socket = (transport == SOCKET).then(|| script.open(SOCKET));
    Client {
        transport,
        socket,
        ..client.clone()
    }
}

/// A client whose first connect was answered, subscribed to `/news`.
fn reader(script: &mut Script, transport: Transport) -> Client {
    let client = script.connected_over(transport, Value::Null);
    script.subscribe(&client, "/news");
    client
}

fn session(client: &Client) -> SessionId {
    SessionId::parse(&client.session).unwrap()
}

fn view(script: &mut Script, client: &Client) -> Option<SessionView> {
    let session = session(client);
    match script.call(Call::Inspect { session }) {
        CallResult::Session(view) => Some(*view),
        _ => None,
    }
}

fn phase(script: &mut Script, client: &Client) -> Option<Phase> {
    view(script, client).map(|view| view.phase)
}

fn lives(script: &mut Script, client: &Client) -> bool {
    phase(script, client).is_some()
}

/// The application sends an event to one session.
fn deliver(script: &mut Script, client: &Client, channel: &str, data: Value) -> CallResult {
    script.call(Call::Deliver {
        session: session(client),
        channel: channel.parse().unwrap(),
        data: data.into(),
        laziness: Laziness::Prompt,
    })
}

/// From now on somebody is asked.
fn ask(script: &mut Script, role: Role) {
    let decider = Decider {
        id: DeciderId(1),
        role,
    };
    let change = Change::AddDecider(decider);
    script.fact(Input::Configured { change });
}

/// From now on nobody is asked.
fn ask_nobody(script: &mut Script) {
    let change = Change::RemoveDecider(DeciderId(1));
    script.fact(Input::Configured { change });
}

/// What a connect that has come waits for before it can be held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slow {
    /// An extension that sees messages come in.
    Incoming,
    /// An extension that sees replies leave.
    Outgoing,
    /// The log, which has not arrived yet at what the connect acknowledges.
    Log,
}

const SLOWNESS: [Slow; 3] = [Slow::Incoming, Slow::Outgoing, Slow::Log];

/// Sends the connect `id`, which is worked on until `unblock` is called.
fn connect_slowly(script: &mut Script, client: &Client, id: &str, slow: Slow) -> ConnectionId {
    match slow {
        Slow::Incoming => ask(script, Role::Incoming),
        Slow::Outgoing => ask(script, Role::Outgoing),
        Slow::Log => {}
    }
    let members = if slow == Slow::Log {
        json!({"id": id, "ext": {"ack": 1_000}})
    } else {
        json!({"id": id})
    };
    let connection = script.connect_with(client, members);
    ask_nobody(script);
    script.expect_nothing(connection);
    connection
}

/// Lets what `connect_slowly` began go on.
fn unblock(script: &mut Script, slow: Slow) {
    match slow {
        Slow::Incoming | Slow::Outgoing => script.decide(bayeux_core::Verdict::Allow),
        Slow::Log => script.after(2_000),
    };
}

/// A client that has connected, for `connect_slowly`.
fn slow_client(script: &mut Script, transport: Transport, slow: Slow) -> Client {
    let ext = if slow == Slow::Log {
        json!({"ack": true})
    } else {
        Value::Null
    };
    script.connected_over(transport, ext)
}

fn script() -> Script {
    Script::new(Config::default())
}
