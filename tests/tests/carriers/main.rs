//! What carries a session: exchanges of browsers (section 22), and websockets (section 23).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

mod binding;
mod browsers;
mod sockets;
mod takeover;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    BrowserBinding, BrowserId, Call, CallResult, CloseReason, Config, ConnectionId, HttpVersion,
    Load, Peer, Phase, SessionId, SessionView, Transport, TransportOptions,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const HTTP: Transport = Transport::LongPolling;
const SOCKET: Transport = Transport::WebSocket;

fn browser(letter: char) -> BrowserId {
    BrowserId::parse(&String::from(letter).repeat(24)).unwrap()
}

fn with_cookie(letter: char) -> Peer {
    Peer {
        browser: Some(browser(letter)),
        ..Peer::default()
    }
}

fn with_binding(browser_binding: BrowserBinding) -> Config {
    Config {
        browser_binding,
        ..Config::default()
    }
}

/// The same client over something else, or as somebody else.
fn by(script: &mut Script, client: &Client, transport: Transport, peer: Peer) -> Client {
    let socket = (!transport.is_exchange()).then(|| script.open_as(transport, peer.clone()));
    Client {
        session: client.session.clone(),
        transport,
        socket,
        peer,
    }
}

/// Whether a publish of this client is accepted, or refused as that of an unknown session.
fn is_known(script: &mut Script, client: &Client) -> bool {
    let connection = script.publish_as(client, "/elsewhere", json!(0));
    let reply = script.take(connection);
    let reply = reply.as_array().unwrap().last().unwrap().clone();
    if reply["successful"] == true {
        return true;
    }
    assert_eq!(reply["error"], "402::session_unknown");
    false
}

fn inspect(script: &mut Script, client: &Client) -> SessionView {
    let session = SessionId::parse(&client.session).unwrap();
    match script.call(Call::Inspect { session }) {
        CallResult::Session(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn connected(id: &str) -> Value {
    json!({"id": id, "channel": "/meta/connect", "successful": true})
}

/// A connect with this id.
fn connect(script: &mut Script, client: &Client, id: &str) -> ConnectionId {
    script.connect_with(client, json!({"id": id}))
}

/// Lets every session expire, and every channel vanish: then the engine holds what a new one holds.
fn nothing_leaks(script: &mut Script) {
    script.after(400_000);
    let mut load = script.engine().load();
    load.connections = 0; // a socket may stay without a session
    assert_eq!(load, Load::default());
}
