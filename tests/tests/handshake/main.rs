//! From a stranger to a session (section 8), and the bounds on how many (HS-17).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test has to fail"
)]

mod bounds;
mod verdicts;
mod welcome;

use std::sync::Arc;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, BrowserId, Call, CallResult, Config, ConnectionId, Decider, DeciderId, Denial,
    Extensions, Fence, Laziness, Limits, Notice, Operations, Payload, Peer, PeerDetails, Position,
    Reconnect, Removal, ReportKind, Role, SessionId, Shard, StoreReply, StoreRequest, Subject,
    Transport, Verdict,
};
use bayeux_tests::talk::messages;
use serde_json::{Value, json};

const POLLING: Transport = Transport::LongPolling;
const SOCKET: Transport = Transport::WebSocket;
const TRANSPORTS: [Transport; 3] = [POLLING, Transport::CallbackPolling, SOCKET];

fn handshake_with(members: Value) -> Value {
    let mut message = json!({"id": "h", "channel": "/meta/handshake", "version": "1.0"});
    for (name, value) in members.as_object().unwrap() {
        message[name] = value.clone();
    }
    message
}

fn handshake() -> Value {
    handshake_with(json!({"supportedConnectionTypes": ["websocket", "long-polling"]}))
}

fn shake(script: &mut Script, transport: Transport, message: Value) -> ConnectionId {
    let connection = script.open(transport);
    script.send(connection, message);
    connection
}

fn retry() -> Value {
    json!({"reconnect": "retry", "interval": 0, "timeout": 30_000})
}

/// A configuration in which somebody is asked about handshakes.
fn asking() -> Config {
    let handshake = Operations {
        handshake: true,
        ..Operations::default()
    };
    let decider = Decider {
        id: DeciderId(1),
        role: Role::Policy(handshake),
    };
    Config {
        deciders: vec![decider],
        ..Config::default()
    }
}

fn client_of(reply: &Value, transport: Transport, connection: ConnectionId) -> Client {
    Client {
        session: reply["clientId"].as_str().unwrap().to_string(),
        transport,
        socket: (transport == SOCKET).then_some(connection),
        peer: Peer::default(),
    }
}

// Proves: HS-1, HS-4, HS-5, AD-3
#[test]
fn a_handshake_is_answered_with_a_session_and_all_that_its_client_has_to_know() {
    for transport in TRANSPORTS {
        for members in [
            json!({}),
            json!({"version": "7", "minimumVersion": "9"}),
            json!({"version": null}),
            json!({"clientId": "somebody", "advice": {"timeout": 1, "interval": 2}}),
        ] {
            let mut script = Script::new(Config::default());

            let connection = shake(&mut script, transport, handshake_with(members));

            let reply = script.take(connection);
            let expected = json!([{
                "id": "h", "channel": "/meta/handshake", "successful": true,
                "clientId": reply[0]["clientId"], "version": "1.0", "minimumVersion": "1.0",
                "supportedConnectionTypes": ["websocket", "long-polling", "callback-polling"],
                "advice": retry(),
            }]);
            assert_eq!(reply, expected);
            assert!(SessionId::parse(reply[0]["clientId"].as_str().unwrap()).is_some());
            script.expect_no_trace();
        }
    }
}

// Proves: HS-1, HS-2
#[test]
fn every_handshake_makes_a_session_and_leaves_the_one_before_alone() {
    for transport in TRANSPORTS {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        let connection = alice.socket.unwrap_or_else(|| script.open(transport));

        script.send(
            connection,
            handshake_with(json!({"clientId": alice.session})),
        );

        let reply = script.take(connection);
        assert_ne!(reply[0]["clientId"], json!(alice.session));
        assert_eq!(script.engine().load().sessions, 2);
        script.at(10_000);
        assert_eq!(script.engine().load().sessions, 0);
        script.expect_no_trace();
    }
}

// Proves: HS-5, ES-3
#[test]
fn the_transports_are_listed_in_the_order_of_the_option() {
    let faye = ["cross-origin-long-polling", "callback-polling"];
    for (allowed, asked, listed) in [
        (
            vec![POLLING, SOCKET],
            json!(["long-polling"]),
            json!(["long-polling", "websocket"]),
        ),
        (
            vec![POLLING],
            json!(["long-polling", "eventsource"]),
            json!(["long-polling"]),
        ),
        (
            vec![SOCKET, POLLING],
            json!(faye),
            json!(["websocket", "long-polling", "cross-origin-long-polling"]),
        ),
        (
            vec![SOCKET, Transport::CallbackPolling],
            json!(faye),
            json!(["websocket", "callback-polling"]),
        ),
    ] {
        let mut script = Script::new(Config {
            allowed_transports: allowed,
            ..Config::default()
        });

        let message = handshake_with(json!({"supportedConnectionTypes": asked}));
        let connection = shake(&mut script, POLLING, message);

        assert_eq!(
            script.take(connection)[0]["supportedConnectionTypes"],
            listed
        );
        script.expect_no_trace();
    }
}

// Proves: HS-6, AD-5
#[test]
fn a_client_without_a_common_transport_is_refused_for_good() {
    for (types, named) in [
        (json!(["smoke-signals"]), "smoke-signals"),
        (
            json!(["eventsource", "UPPER", "flash"]),
            "eventsource,flash",
        ),
        (json!([7, "a:b"]), ""),
    ] {
        let mut script = Script::new(Config::default());

        let message = handshake_with(json!({"supportedConnectionTypes": types}));
        let connection = shake(&mut script, POLLING, message);

        let reply = script.take(connection);
        let error = format!("301:{named}:connection_types_unsupported");
        assert_eq!(reply[0]["successful"], json!(false));
        assert_eq!(reply[0]["error"], json!(error));
        assert_eq!(reply[0]["advice"], json!({"reconnect": "none"}));
        assert_eq!(script.engine().load().sessions, 0);
        assert_eq!(script.cookie(connection), None);
        script.expect_no_trace();
    }
}

// Proves: HS-6
#[test]
fn a_client_that_names_no_transports_is_taken_in() {
    for types in [
        json!([]),
        json!("websocket"),
        json!({}),
        json!(null),
        json!(["websocket", 1]),
    ] {
        let mut script = Script::new(Config::default());

        let message = handshake_with(json!({"supportedConnectionTypes": types}));
        let connection = shake(&mut script, POLLING, message);

        assert_eq!(
            script.take(connection)[0]["successful"],
            json!(true),
            "{types}"
        );
        script.expect_no_trace();
    }
}

// Proves: HS-7, AD-3
#[test]
fn a_handshake_in_company_is_carried_out_and_its_company_is_not() {
    for transport in TRANSPORTS {
        let mut script = Script::new(Config::default());
        let victim = script.connected();
        let id = &victim.session;
        let frame = json!([
            handshake(),
            {"id": "1", "channel": "/a", "clientId": id, "data": 1},
            {"id": "2", "channel": "/meta/subscribe", "subscription": "/a"},
            {"id": "3", "channel": "/meta/connect", "clientId": id, "connectionType": "websocket"},
            {"id": "4", "channel": "/meta/handshake"},
        ]);

        let connection = shake(&mut script, transport, frame);

        let replies = messages(&mut script, connection);
        assert_eq!(replies.len(), 5);
        assert_eq!(replies[0]["successful"], json!(true));
        for reply in &replies[1..4] {
            assert_eq!(reply["error"], json!("402::session_unknown"), "{reply}");
        }
        let late = json!({
            "id": "4", "channel": "/meta/handshake", "successful": false,
            "error": "400::handshake_must_be_first", "version": "1.0", "minimumVersion": "1.0",
            "supportedConnectionTypes": ["websocket", "long-polling", "callback-polling"],
        });
        let same = |name: &str| replies[4][name] == late[name];
        assert!(
            ["id", "channel", "successful", "error", "advice"]
                .into_iter()
                .all(same)
        );
        assert_eq!(script.engine().load().sessions, 2);
        script.expect_no_trace();
    }
}

// Proves: BR-7, HS-16
#[test]
fn a_new_browser_belongs_to_the_engine_that_names_it() {
    for index in 0..3 {
        let shard = Shard { index, count: 3 };
        let mut script = Script::new(Config {
            shard,
            ..Config::default()
        });
        for _ in 0..16 {
            let connection = script.post(handshake());

            let browser = script.cookie(connection).unwrap();
            assert_eq!(browser.shard(shard.count), index);
        }
        script.expect_no_trace();
    }
}

// Proves: HS-10
#[test]
fn a_session_may_go_on_over_another_transport_than_its_handshake() {
    for before in TRANSPORTS {
        for after in TRANSPORTS {
            let mut script = Script::new(Config::default());
            let alice = script.handshaken_over(before, Value::Null);
            let socket = (after == SOCKET).then(|| script.open(SOCKET));
            let again = Client {
                transport: after,
                socket,
                ..alice
            };

            let first = script.connect_with(&again, json!({"id": "c"}));

            let connected = json!([{
                "id": "c", "channel": "/meta/connect", "successful": true, "advice": retry(),
            }]);
            script.expect(first, connected);
            script.expect_no_trace();
        }
    }
}

// Proves: HS-11, HS-12
#[test]
fn a_client_may_subscribe_and_publish_in_one_batch_before_it_connects() {
    for transport in TRANSPORTS {
        let mut script = Script::new(Config::default());
        let alice = script.handshaken_over(transport, Value::Null);
        let id = &alice.session;
        let batch = json!([
            {"id": "1", "channel": "/meta/subscribe", "clientId": id, "subscription": "/news"},
            {"id": "2", "channel": "/news", "clientId": id, "data": "mine"},
        ]);

        let connection = script.request(&alice, batch);
        let first = script.connect_with(&alice, json!({"id": "c"}));

        let mut sent = messages(&mut script, connection);
        if first != connection {
            sent.extend(messages(&mut script, first));
        }
        let successes = sent
            .iter()
            .filter(|reply| reply["successful"] == json!(true));
        assert_eq!(successes.count(), 3, "{sent:?}");
        let events = sent
            .iter()
            .filter(|sent| **sent == event("/news", json!("mine")));
        assert_eq!(events.count(), 1, "{sent:?}");
        script.expect_no_trace();
    }
}

// Proves: HS-13, TM-3
#[test]
fn a_client_that_never_connects_is_swept() {
    for transport in TRANSPORTS {
        let mut script = Script::new(Config::default());
        script.handshaken_over(transport, Value::Null);
        script.reports();

        script.at(9_999);
        assert_eq!(script.engine().load().sessions, 1);
        script.at(10_000);

        let removed =
            |report: &ReportKind| matches!(report, ReportKind::SessionRemoved(_, Removal::Expired));
        assert!(script.reports().iter().any(removed));
        script.expect_no_trace();
    }
}

// Proves: HS-15, AD-1
#[test]
fn a_client_may_be_told_how_long_its_session_lives() {
    for on in [false, true] {
        let mut script = Script::new(Config {
            handshake_reconnect: on,
            ..Config::default()
        });

        let connection = shake(&mut script, POLLING, handshake());

        let reply = script.take(connection);
        let life = on.then(|| json!(10_000));
        assert_eq!(reply[0]["advice"].get("maxInterval"), life.as_ref());
        script.expect_no_trace();
    }
}

// Proves: HS-16
#[test]
fn a_handshake_over_http_sets_the_cookie_that_its_client_does_not_have() {
    for transport in TRANSPORTS {
        for browser in [None, BrowserId::parse("0123456789abcdefghijklmn")] {
            let mut script = Script::new(Config::default());
            let connection = script.open_as(
                transport,
                Peer {
                    browser,
                    ..Peer::default()
                },
            );

            script.send(connection, handshake());

            let sets = browser.is_none() && transport != SOCKET;
            assert_eq!(
                script.cookie(connection).is_some(),
                sets,
                "{transport:?} {browser:?}"
            );
            script.expect_no_trace();
        }
    }
}
