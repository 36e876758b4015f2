//! Admission: who a session is, and until when, by the word of the policy that let it in.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test has to fail"
)]

use core::time::Duration;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, Change, CloseReason, Config, Decider, DeciderId, Identity, Input, Operations,
    Payload, Removal, ReportKind, Role, SessionSettings, Transport, Verdict,
};
use serde_json::{Value, json};

/// The wall clock when the script begins.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);

// Proves: HS-18
#[test]
fn whoever_was_admitted_is_named_in_every_later_question() {
    let mut script = Script::new(guarded());
    let ann = admitted(&mut script, Some("ann"), None);
    let nobody = admitted(&mut script, None, None);

    for (client, name) in [(&ann, Some(r#""ann""#)), (&nobody, None)] {
        script.publish_as(client, "/news", json!(1));
        for operation in ["create", "publish"] {
            let question = script.question().unwrap();
            let words = question.identity.as_ref().map(|it| it.words().as_str());
            assert_eq!(words, name, "{operation}");
            assert!(
                !format!("{question:?}").contains(r#""ann""#),
                "{question:?}"
            );
            script.decide(Verdict::Allow);
            if name.is_none() {
                break;
            }
        }
    }
}

// Proves: HS-18
#[test]
fn the_name_goes_with_the_session_to_another_engine() {
    let mut first = Script::new(guarded());
    let mut second = first.join(guarded());
    let until = EPOCH + Duration::from_secs(20);
    let ann = admitted(&mut first, Some("ann"), Some(until));
    first.crash();
    second.catch_up();

    second.first_connect(&ann);
    let held = second.connect(&ann);
    let exchange = second.publish_as(&ann, "/news", json!(1));

    let question = second.question().unwrap();
    let words = question.identity.as_ref().map(|it| it.words().as_str());
    assert_eq!(words, Some(r#""ann""#));
    allow_all(&mut second);
    assert_eq!(second.take(exchange)[0]["successful"], json!(true));
    second.at(19_999).expect_nothing(held);
    second.at(20_000);
    expect_told_to_handshake(&second.take(held));
    second.expect_no_trace();
}

// Proves: HS-18
#[test]
fn a_session_ends_with_its_admission_and_its_client_is_told_to_handshake() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(guarded());
        let until = EPOCH + Duration::from_millis(1_500);
        let ann = admitted_over(&mut script, transport, Some("ann"), Some(until));
        subscribe(&mut script, &ann, "/news");
        script.reports();
        let held = script.connect(&ann);

        script.at(1_499).expect_nothing(held);
        script.at(1_500);

        expect_told_to_handshake(&script.take(held));
        let closed = (transport == Transport::WebSocket).then_some(CloseReason::SessionOver);
        assert_eq!(script.closed(held), closed);
        let removed = script
            .reports()
            .into_iter()
            .any(|report| matches!(report, ReportKind::SessionRemoved(_, Removal::Lapsed)));
        assert!(removed, "{transport:?}");
        assert_eq!(script.engine().counters().sessions_lapsed, 1);
        let again = Client {
            socket: ann.socket.map(|_| script.open(transport)),
            ..ann
        };
        let exchange = script.publish_as(&again, "/news", json!(1));
        assert_eq!(
            script.take(exchange)[0]["error"],
            json!("402::session_unknown")
        );
    }
}

// Proves: HS-18
#[test]
fn a_websocket_closes_with_the_admission_once_its_client_knows() {
    let mut script = Script::new(guarded());
    let until = EPOCH + Duration::from_secs(1);
    let ann = admitted_over(&mut script, Transport::WebSocket, None, Some(until));
    let held = script.connect(&ann);
    script.write_by_hand();

    script.at(1_000);
    // What it says meanwhile is not judged by what it showed as it opened.
    script.send(
        held,
        json!({"id": "9", "channel": "/meta/handshake", "ext": {"token": "old"}}),
    );

    expect_told_to_handshake(&script.take(held));
    script.expect_nothing(held);
    assert!(script.question().is_none());
    script.written(held);
    script.expect_closed(held, CloseReason::SessionOver);
}

// Proves: HS-18
#[test]
fn a_websocket_without_a_held_connect_closes_with_the_admission() {
    let mut script = Script::new(guarded());
    let until = EPOCH + Duration::from_secs(1);
    let ann = admitted_over(&mut script, Transport::WebSocket, None, Some(until));

    script.at(1_000);

    let socket = ann.socket.unwrap();
    assert_eq!(script.try_take(socket), None);
    script.expect_closed(socket, CloseReason::SessionOver);
}

// Proves: HS-18
#[test]
fn a_websocket_closes_with_the_admission_after_the_answer_that_is_under_way() {
    let mut script = Script::new(guarded());
    let until = EPOCH + Duration::from_secs(1);
    let ann = admitted_over(&mut script, Transport::WebSocket, None, Some(until));
    let socket = script.publish_as(&ann, "/news", json!(1));

    script.at(1_000).expect_nothing(socket);
    allow_all(&mut script);

    assert_eq!(script.take(socket)[0]["channel"], json!("/news"));
    script.expect_closed(socket, CloseReason::SessionOver);
}

// Proves: HS-18
#[test]
fn a_websocket_closes_with_the_admission_after_all_answers_that_are_under_way() {
    let mut script = Script::new(guarded());
    let until = EPOCH + Duration::from_secs(1);
    let ann = admitted_over(&mut script, Transport::WebSocket, None, Some(until));
    let socket = script.connect(&ann);
    script.publish_as(&ann, "/news", json!(1));

    script.at(1_000);
    expect_told_to_handshake(&script.take(socket));
    assert_eq!(script.closed(socket), None);
    allow_all(&mut script);

    assert_eq!(script.take(socket)[0]["channel"], json!("/news"));
    script.expect_closed(socket, CloseReason::SessionOver);
}

// Proves: HS-18
#[test]
fn a_session_that_ends_before_its_admission_leaves_nothing_behind() {
    let mut script = Script::new(guarded());
    let until = EPOCH + Duration::from_secs(86_400);
    let ann = admitted(&mut script, Some("ann"), Some(until));

    let goodbye = json!({"id": "9", "channel": "/meta/disconnect", "clientId": ann.session});
    let exchange = script.request(&ann, goodbye);

    assert_eq!(script.take(exchange)[0]["successful"], json!(true));
    script.expect_no_trace();
}

// Proves: HS-18
#[test]
fn an_admission_that_is_over_already_makes_no_session() {
    let mut script = Script::new(guarded());
    script.at(5_000);

    let exchange = script.post(json!({"id": "1", "channel": "/meta/handshake"}));
    script.decide(admit(None, Some(EPOCH)));

    // The reply may have been on its way: the session is gone whatever it says.
    let reply = script.take(exchange);
    script.at(5_001);
    assert_eq!(script.reports().len() % 2, 0, "{reply}");
    script.expect_no_trace();
}

// Proves: HS-18
#[test]
fn of_several_policies_the_earliest_end_counts_and_the_last_name() {
    let mut config = guarded();
    config.deciders.push(Decider {
        id: DeciderId(2),
        role: Role::Policy(Operations::ALL),
    });
    let mut script = Script::new(config);
    let early = Some(EPOCH + Duration::from_secs(1));
    let late = Some(EPOCH + Duration::from_secs(2));
    let exchange = script.post(json!({"id": "1", "channel": "/meta/handshake"}));
    script.decide(admit(Some("ann"), early));
    script.decide(admit(None, late));
    let ann = client(&script.take(exchange), Transport::LongPolling, None);

    let publish = script.publish_as(&ann, "/news", json!(1));

    let words = script.question().unwrap().identity.clone();
    assert_eq!(words, Some(Identity::new(Payload::string("ann"))));
    allow_all(&mut script);
    script.take(publish);
    script.first_connect(&ann);
    let held = script.connect(&ann);
    script.at(999).expect_nothing(held);
    script.at(1_000);
    expect_told_to_handshake(&script.take(held));
    script.expect_no_trace();
}

// Proves: HS-18
#[test]
fn what_was_published_before_the_end_still_arrives() {
    let mut script = Script::new(guarded());
    let until = EPOCH + Duration::from_secs(1);
    let ann = admitted(&mut script, Some("ann"), Some(until));
    subscribe(&mut script, &ann, "/news");
    let held = script.connect(&ann);

    script.at(999).publish("/news", json!("hi"));

    assert_eq!(script.take(held)[0], event("/news", json!("hi")));
}

// Proves: HS-18
#[test]
fn an_admission_ends_by_the_wall_clock_as_it_was_set_last() {
    for (earlier, end) in [(3, 7_000), (0, 10_000)] {
        let mut script = Script::new(guarded());
        let until = EPOCH + Duration::from_secs(10);
        let ann = admitted(&mut script, None, Some(until));
        let held = script.connect(&ann);

        for seconds in [5, earlier] {
            let change = Change::WallClock(EPOCH + Duration::from_secs(seconds));
            script.fact(Input::Configured { change });
        }

        script.at(end - 1).expect_nothing(held);
        script.at(end);
        expect_told_to_handshake(&script.take(held));
        script.expect_no_trace();
    }
}

/// An engine whose policy is asked about everything.
fn guarded() -> Config {
    Config {
        wall_clock: EPOCH,
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Policy(Operations::ALL),
        }],
        ..Config::default()
    }
}

fn admit(name: Option<&str>, until: Option<Duration>) -> Verdict {
    Verdict::Admit(Box::new(Admission {
        settings: SessionSettings {
            identity: name.map(|name| Identity::new(Payload::string(name))),
            until,
            ..SessionSettings::default()
        },
        ..Admission::default()
    }))
}

/// A client that was admitted on these terms, and has connected once.
fn admitted(script: &mut Script, name: Option<&str>, until: Option<Duration>) -> Client {
    admitted_over(script, Transport::LongPolling, name, until)
}

fn admitted_over(
    script: &mut Script,
    transport: Transport,
    name: Option<&str>,
    until: Option<Duration>,
) -> Client {
    let connection = script.open(transport);
    script.send(connection, json!({"id": "1", "channel": "/meta/handshake"}));
    script.decide(admit(name, until));
    let socket = (!transport.is_exchange()).then_some(connection);
    let client = client(&script.take(connection), transport, socket);
    script.first_connect(&client);
    client
}

fn client(
    reply: &Value,
    transport: Transport,
    socket: Option<bayeux_core::ConnectionId>,
) -> Client {
    Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        transport,
        socket,
        peer: <_>::default(),
    }
}

fn subscribe(script: &mut Script, client: &Client, pattern: &str) {
    let message = json!({
        "id": "s", "channel": "/meta/subscribe", "clientId": client.session,
        "subscription": pattern,
    });
    let exchange = script.request(client, message);
    allow_all(script);
    assert_eq!(script.take(exchange)[0]["successful"], json!(true));
}

fn allow_all(script: &mut Script) {
    while script.question().is_some() {
        script.decide(Verdict::Allow);
    }
}

#[track_caller]
fn expect_told_to_handshake(frame: &Value) {
    let reply = &frame[0];
    assert_eq!(reply["channel"], json!("/meta/connect"), "{frame}");
    assert_eq!(reply["error"], json!("402::session_unknown"), "{frame}");
    assert_eq!(reply["advice"]["reconnect"], json!("handshake"), "{frame}");
}
