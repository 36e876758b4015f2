//! What one client sees of its own messages: frames, fields, channels, errors, small extensions.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

mod channels;
mod errors;
mod extensions;
mod fields;
mod framing;
mod model;
mod pipeline;

use std::time::Duration;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Activity, ActivityMode, Call, CallResult, Characters, CloseReason, Config, ConnectionId,
    DecodeLimits, Grammar, Messages, Phase, Removal, ReportKind, SessionId, StoreReply,
    StoreRequest, Transport,
};
use bayeux_tests::talk::connected_by_hand;
use bayeux_tests::talk::numbered::{publish, published, refused};
use serde_json::{Value, json};

const UNKNOWN: &str = "402::session_unknown";

/// Posts a frame and takes the response.
fn post(script: &mut Script, frame: Value) -> Value {
    let exchange = script.post(frame);
    script.take(exchange)
}

/// Posts a frame that is to arrive to the byte.
fn send_text(script: &mut Script, text: &str) -> ConnectionId {
    let connection = script.open(Transport::LongPolling);
    let messages = Messages::decode(text.to_owned(), &DecodeLimits::default()).unwrap();
    script.receive(connection, messages);
    connection
}

/// A connected client and a store that does nothing by itself any more.
fn with_scripted_store() -> (Script, Client) {
    let mut script = Script::with_scripted_store(Config::default());
    let client = connected_by_hand(&mut script);
    (script, client)
}

fn take_store(script: &mut Script) -> Option<(bayeux_core::StoreTicket, StoreRequest)> {
    script.has_store_requests().then(|| script.take_store())
}

fn position_of(number: u64) -> bayeux_core::Position {
    bayeux_core::Position::new(number)
}

/// The data of the entry that is to be appended.
fn appended(request: &StoreRequest) -> String {
    let StoreRequest::Append(entry) = request else {
        panic!("{request:?}")
    };
    let event: Value = serde_json::from_slice(entry.event.object()).unwrap();
    event["data"].to_string()
}

fn connected(id: &str) -> Value {
    json!({"id": id, "channel": "/meta/connect", "successful": true})
}
