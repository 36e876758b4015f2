//! Deciders: policy, authorizers, extensions and handlers; and the store when it fails.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

mod change;
mod handlers;
mod lateness;
mod outage;
mod pipeline;
mod policy;
mod verdicts;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, Advice, Call, CallResult, Change, CloseReason, Config, ConnectionId, Counters,
    Decider, DeciderId, Denial, Event, Input, Laziness, Message, Notice, Operations, Payload,
    Position, ProtocolError, Reconnect, ReportKind, Role, Scope, SessionId, SessionSettings,
    StoreReply, StoreRequest, StoreTicket, Subject, Transport, Verdict,
};
use bayeux_tests::talk::greeted;
use bayeux_tests::talk::numbered::{publish, published, refused};
use serde_json::{Value, json};

/// A script with a connected client and no deciders yet.
fn connected() -> (Script, Client) {
    let mut script = Script::new(Config::default());
    let client = script.connected();
    (script, client)
}

/// A connected client each of whose events these deciders see.
fn admitted(script: &mut Script, outgoing: &[u32]) -> Client {
    let handshakes = Operations {
        handshake: true,
        ..Operations::default()
    };
    add(script, 100, Role::Policy(handshakes));
    let exchange = script.post(handshake());
    let settings = SessionSettings {
        outgoing: outgoing.iter().copied().map(DeciderId).collect(),
        ..SessionSettings::default()
    };
    script.decide(Verdict::Admit(Box::new(Admission {
        settings,
        ..Admission::default()
    })));
    remove(script, 100);
    greeted(script, exchange)
}

fn add(script: &mut Script, id: u32, role: Role) {
    let id = DeciderId(id);
    let change = Change::AddDecider(Decider { id, role });
    script.fact(Input::Configured { change });
}

fn remove(script: &mut Script, id: u32) {
    let change = Change::RemoveDecider(DeciderId(id));
    script.fact(Input::Configured { change });
}

fn authorizer(pattern: &str) -> Role {
    Role::Authorizer {
        pattern: pattern.parse().unwrap(),
        operations: Operations::ALL,
    }
}

fn handler(pattern: &str) -> Role {
    Role::Handler(Scope::Pattern(pattern.parse().unwrap()))
}

/// The oldest open question in short: who is asked, about what.
fn subject(script: &mut Script) -> String {
    let question = script.question().expect("no question is open");
    let about = match &question.subject {
        Subject::Handshake(_) => "handshake".to_owned(),
        Subject::Create(pattern, _) => format!("create {pattern}"),
        Subject::Subscribe(pattern, _) => format!("subscribe {pattern}"),
        Subject::Publish(channel, _) => format!("publish {channel}"),
        Subject::Incoming(_) => "incoming".to_owned(),
        Subject::Handle { channel, .. } => format!("handle {channel}"),
        Subject::Reply { .. } => "reply".to_owned(),
        Subject::Event(_) => "event".to_owned(),
        other => panic!("{other:?}"),
    };
    format!("{} {about}", question.decider.0)
}

/// Allows whatever is asked, and says what was asked.
fn allow_all(script: &mut Script) -> Vec<String> {
    let mut asked = Vec::new();
    while script.question().is_some() {
        asked.push(subject(script));
        script.decide(Verdict::Allow);
    }
    asked
}

/// The same, but the first `count` questions stay without answer.
fn allow_all_but(script: &mut Script, count: usize) {
    for _ in 0..count {
        script.take_question();
    }
    allow_all(script);
}

fn deny(reason: Option<&str>) -> Verdict {
    Verdict::Deny(Box::new(Denial {
        reason: reason.map(Into::into),
        ..Denial::default()
    }))
}

fn replace(message: Value) -> Verdict {
    let messages = bayeux_core::Messages::decode(message.to_string(), &<_>::default()).unwrap();
    let message: Message = messages.into_iter().next().unwrap();
    Verdict::Replace(Box::new(message))
}

fn extensions(value: Value) -> bayeux_core::Extensions {
    bayeux_core::Extensions::from_payload(Payload::from(value)).unwrap()
}

/// The handshake was refused for now; says how long the client is to wait.
fn expect_try_later(script: &mut Script, exchange: ConnectionId) -> u64 {
    let reply = script.take(exchange);
    assert_eq!(reply[0]["error"], json!("503::unavailable"));
    assert_eq!(reply[0]["advice"]["reconnect"], json!("handshake"));
    assert_eq!(reply[0]["advice"]["timeout"], json!(30_000));
    assert_eq!(reply[0].get("clientId"), None);
    assert_eq!(script.cookie(exchange), None);
    let wait = reply[0]["advice"]["interval"].as_u64().unwrap();
    assert!(wait <= 5_000);
    wait
}

fn handshake() -> Value {
    json!({"channel": "/meta/handshake", "version": "1.0"})
}
