//! One engine among others (the store's part): sessions that come and go, and what becomes of their
//! events.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

mod claims;
mod cookies;
mod debts;
mod forwards;
mod moving;
mod outages;
mod releases;
mod replies;
mod rig;
mod several;
mod taken;
mod travel;

use std::time::Duration;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Call, CallResult, Change, ChannelRule, CloseReason, Config, ConnectionId, Decider, DeciderId,
    DecodeLimits, Destination, Echo, Entry, Event, Fence, ForwardTicket, Id, Input, Laziness,
    Limits, Load, MessageId, Messages, Notice, Operations, Payload, Peer, Position, ReportKind,
    Role, SessionId, SessionRecord, SessionSettings, StoreReply, StoreRequest, StoreTicket,
    StoredSubscription, Transport, Verdict,
};
use bayeux_tests::talk::{brought, connected_by_hand};
use serde_json::{Value, json};

const HTTP: Transport = Transport::LongPolling;
const SOCKET: Transport = Transport::WebSocket;

fn at(number: u64) -> Position {
    Position::new(number)
}

fn session_id() -> SessionId {
    SessionId::parse("0123456789abcdefghijklmno").unwrap()
}

/// What a frame brought: the data of its events, which are numbers, and the number on its connect reply.
fn read(frame: &Value) -> (Vec<u64>, Option<u64>) {
    let (data, number) = brought(frame);
    let data = data.iter().map(|data| data.as_u64().unwrap());
    (data.collect(), number)
}

/// Lets every session expire, and every channel vanish: then the engine holds what a new one holds.
fn nothing_leaks(script: &mut Script) {
    script.after(400_000);
    script.settle_store();
    let mut load = script.engine().load();
    load.connections = 0; // a socket may stay without a session
    assert_eq!(load, Load::default());
}

fn is_told_to_handshake(reply: &Value) {
    let reply = reply.as_array().unwrap().last().unwrap();
    assert_eq!(reply["error"], "402::session_unknown", "{reply}");
    assert_eq!(reply["advice"]["reconnect"], "handshake", "{reply}");
}
