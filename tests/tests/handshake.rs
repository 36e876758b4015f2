//! From a stranger to a session (section 8), and the bounds on how many (HS-17).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test has to fail"
)]

use std::sync::Arc;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, BrowserId, Call, CallResult, Config, ConnectionId, Decider, DeciderId, Denial,
    Extensions, Fence, Laziness, Limits, Notice, Operations, Payload, Peer, PeerDetails, Position,
    Reconnect, Removal, ReportKind, Role, SessionId, Shard, StoreReply, StoreRequest, Subject,
    Transport, Verdict,
};
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

fn welcoming(count: u32) -> Verdict {
    let channel = "/welcome".parse().unwrap();
    let welcome = |number| (Clone::clone(&channel), Payload::from(json!(number)));
    Verdict::Admit(Box::new(Admission {
        welcome: (1..=count).map(welcome).collect(),
        ..Admission::default()
    }))
}

// Proves: HS-9
#[test]
fn a_handshake_whose_session_is_taken_while_it_is_welcomed_fails() {
    let mut script = Script::with_scripted_store(asking());
    let exchange = shake(&mut script, POLLING, handshake());
    script.decide(welcoming(1));
    let (ticket, request) = script.take_store();
    let StoreRequest::Open(record) = request else {
        panic!("{request:?}")
    };
    script.stored(ticket, StoreReply::Done);
    let (welcome, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Append(_)), "{request:?}");

    script.notify(Notice::Taken {
        session: record.session,
        fence: Fence(2),
    });
    script.stored(welcome, StoreReply::Appended(Position::new(1)));
    script.notify(bayeux_tests::talk::entries(1, "/welcome", &[1]));

    let reply = script.take(exchange);
    assert_eq!(reply[0]["error"], "403::handshake_failed", "{reply}");
}

fn client_of(reply: &Value, transport: Transport, connection: ConnectionId) -> Client {
    Client {
        session: reply["clientId"].as_str().unwrap().to_string(),
        transport,
        socket: (transport == SOCKET).then_some(connection),
        peer: Peer::default(),
    }
}

/// Everything that was sent on a connection, frame after frame.
fn all_sent(script: &mut Script, connection: ConnectionId) -> Vec<Value> {
    let mut messages = Vec::new();
    while let Some(Value::Array(frame)) = script.try_take(connection) {
        messages.extend(frame);
    }
    messages
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

        let replies = all_sent(&mut script, connection);
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

// Proves: HS-8
#[test]
fn policy_sees_ext_headers_and_cookies() {
    let mut script = Script::new(asking());
    let details = PeerDetails {
        origin: Some("https://shop.example".into()),
        path: "/bayeux/handshake".into(),
        headers: [("authorization".into(), "Bearer x".into())].into(),
    };
    let browser = BrowserId::parse("0123456789abcdefghijklmn");
    let peer = Peer {
        browser,
        details: Some(Arc::new(details.clone())),
        ..Peer::default()
    };

    let credentials = json!({"authentication": {"token": "t"}});
    script.post_as(peer, handshake_with(json!({"ext": credentials})));

    let question = script.question().unwrap();
    assert_eq!(question.peer.details.as_deref(), Some(&details));
    assert_eq!(question.peer.browser, browser);
    let Subject::Handshake(message) = &question.subject else {
        panic!("{question:?}")
    };
    let seen = message.ext.as_ref().unwrap().get("authentication").unwrap();
    assert_eq!(seen.as_str(), r#"{"token":"t"}"#);
    script.expect_no_trace();
}

// Proves: HS-9, AD-5
#[test]
fn a_refused_handshake_says_so_in_the_words_of_the_policy() {
    let own = bayeux_core::Advice {
        reconnect: Some(Reconnect::Handshake),
        interval: Some(500),
        ..<_>::default()
    };
    let why = Extensions::new().with("why", Payload::string("no seat"));
    for (advice, expected) in [
        (None, json!({"reconnect": "none"})),
        (
            Some(own),
            json!({"reconnect": "handshake", "interval": 500}),
        ),
    ] {
        let mut script = Script::new(asking());
        let connection = shake(&mut script, POLLING, handshake());
        let ext = Some(why.clone());

        let denial = Denial {
            advice,
            ext,
            ..Denial::default()
        };
        script.decide(Verdict::Deny(Box::new(denial)));

        let reply = script.take(connection);
        assert_eq!(reply[0]["error"], json!("403::handshake_denied"));
        assert_eq!(reply[0]["successful"], json!(false));
        assert_eq!(reply[0]["advice"], expected);
        assert_eq!(reply[0]["ext"], json!({"why": "no seat"}));
        assert_eq!(reply[0].get("clientId"), None);
        assert_eq!(script.cookie(connection), None);
        assert_eq!(script.reports(), []);
        script.expect_no_trace();
    }
}

// Proves: AD-5
#[test]
fn an_outage_is_no_refusal() {
    for stalled in [false, true] {
        let mut script = Script::new(if stalled { Config::default() } else { asking() });
        if stalled {
            script.stall_store();
        }
        let connection = shake(&mut script, POLLING, handshake());

        script.after(10_000);

        let reply = script.take(connection);
        assert_eq!(reply[0]["error"], json!("503::unavailable"));
        assert_eq!(reply[0]["advice"]["reconnect"], json!("handshake"));
        assert!(reply[0]["advice"]["interval"].as_u64().unwrap() <= 5_000);
        assert_eq!(script.cookie(connection), None);
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

        let mut sent = all_sent(&mut script, connection);
        if first != connection {
            sent.extend(all_sent(&mut script, first));
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

// Proves: HS-12
#[test]
fn what_comes_between_handshake_and_first_connect_goes_with_the_first_that_may_carry_it() {
    for (transport, ack) in [
        (POLLING, false),
        (Transport::CallbackPolling, false),
        (POLLING, true),
    ] {
        let mut script = Script::new(asking());
        let connection = shake(
            &mut script,
            transport,
            handshake_with(json!({"ext": {"ack": ack}})),
        );
        script.decide(welcoming(2));
        let reply = script.take(connection);
        assert_eq!(reply.as_array().unwrap().len(), 1, "not with the handshake");
        assert_eq!(reply[0].get("x-messages"), None);
        let alice = client_of(&reply[0], transport, connection);

        let connect = script.connect(&alice);

        let sent = all_sent(&mut script, connect);
        let welcome = [event("/welcome", json!(1)), event("/welcome", json!(2))];
        assert_eq!(sent[..2], welcome);
        assert_eq!(sent[2]["successful"], json!(true));
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

// Proves: HS-14, AK-9
#[test]
fn events_may_travel_with_the_handshake_and_are_announced() {
    for transport in TRANSPORTS {
        for ack in [false, true] {
            for count in [0, 1, 3] {
                let config = Config {
                    deliver_during_handshake: true,
                    ..asking()
                };
                let mut script = Script::new(config);
                let message = handshake_with(json!({"ext": {"ack": ack}}));
                let connection = shake(&mut script, transport, message);

                script.decide(welcoming(count));

                let mut sent = all_sent(&mut script, connection);
                let events = sent.split_off(1);
                let what = format!("{transport:?} {ack} {count}");
                let announced = (count > 0).then(|| json!(count));
                assert_eq!(sent[0].get("x-messages"), announced.as_ref(), "{what}");
                let welcome: Vec<_> = (1..=count).map(|n| event("/welcome", json!(n))).collect();
                assert_eq!(events, welcome, "{what}");
                let offered = json!({"ack": {"enabled": true, "batch": count}});
                assert_eq!(sent[0].get("ext"), ack.then_some(&offered), "{what}");
                let alice = client_of(&sent[0], transport, connection);
                let members = if ack {
                    json!({"ext": {"ack": count}})
                } else {
                    json!({})
                };
                let first = script.connect_with(&alice, members);
                let replies = all_sent(&mut script, first);
                assert_eq!(replies.len(), 1, "nothing comes twice: {what} {replies:?}");
                script.expect_no_trace();
            }
        }
    }
}

// Proves: HS-14
#[test]
fn as_many_events_are_announced_as_follow() {
    for bytes in [60, 1 << 20] {
        let mut script = Script::new(Config {
            deliver_during_handshake: true,
            limits: Limits {
                max_message_size: bytes,
                ..Limits::default()
            },
            ..asking()
        });
        let connection = shake(&mut script, POLLING, handshake());
        script.stall_store().decide(welcoming(3));
        script.resume_store();

        let sent = all_sent(&mut script, connection);

        assert_eq!(sent[0]["x-messages"], json!(sent.len() - 1), "{bytes}");
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

fn from(address: &str) -> Peer {
    Peer {
        address: Some(address.parse().unwrap()),
        ..Peer::default()
    }
}

/// Whether a handshake from there succeeds; if not, it is told to try later.
fn admits(script: &mut Script, peer: Peer) -> bool {
    let connection = script.post_as(peer, handshake());
    let reply = script.take(connection);
    let admitted = reply[0]["successful"] == json!(true);
    if !admitted {
        assert_eq!(reply[0]["error"], json!("503::unavailable"));
        assert_eq!(reply[0]["advice"]["reconnect"], json!("handshake"));
        assert!(reply[0]["advice"]["interval"].as_u64().unwrap() <= 5_000);
        assert_eq!(script.cookie(connection), None);
    }
    admitted
}

fn limited(limits: Limits) -> Script {
    Script::new(Config {
        limits,
        ..Config::default()
    })
}

// Proves: HS-17
#[test]
fn the_bounds_are_those_of_the_digest() {
    let limits = Limits::default();

    assert_eq!(limits.max_handshakes_per_second, 100);
    assert_eq!(limits.max_sessions_per_address, 10_000);
}

// Proves: HS-17
#[test]
fn handshakes_of_one_address_are_bounded_in_each_second() {
    let mut script = limited(Limits {
        max_handshakes_per_second: 3,
        ..Limits::default()
    });
    for (at, address, admitted) in [
        (0, "192.0.2.1", true),
        (0, "192.0.2.1", true),
        (500, "::ffff:192.0.2.1", true),
        (999, "192.0.2.1", false),
        (999, "192.0.2.2", true),
        (1_000, "192.0.2.1", true),
        (1_000, "2001:db8::1", true),
        (1_000, "2001:db8::2", true),
        (1_000, "2001:db8::ffff:3", true),
        (1_000, "2001:db8::4", false),
        (1_000, "2001:db8:0:1::1", true),
    ] {
        assert_eq!(
            admits(script.at(at), from(address)),
            admitted,
            "{at} {address}"
        );
    }
    assert_eq!(script.engine().counters().handshakes_limited, 2);
    script.expect_no_trace();
}

// Proves: HS-17
#[test]
fn loopback_and_clients_without_address_are_not_bounded() {
    let limits = Limits {
        max_handshakes_per_second: 0,
        max_sessions_per_address: 0,
        ..Limits::default()
    };
    let mut script = limited(limits);

    for peer in [
        from("127.0.0.1"),
        from("127.8.9.1"),
        from("::1"),
        Peer::default(),
    ] {
        assert!(admits(&mut script, peer.clone()), "{peer:?}");
    }

    assert!(!admits(&mut script, from("192.0.2.1")));
    script.expect_no_trace();
}

// Proves: HS-17
#[test]
fn sessions_of_one_address_are_bounded_until_one_of_them_is_gone() {
    for expired in [false, true] {
        let mut script = limited(Limits {
            max_sessions_per_address: 2,
            ..Limits::default()
        });
        let peer = from("192.0.2.1");
        let alice = script.handshaken_as(peer.clone(), POLLING, Value::Null);
        assert!(admits(script.at(5_000), peer.clone()));
        assert!(!admits(&mut script, peer.clone()));
        assert!(admits(&mut script, from("192.0.2.2")));

        if expired {
            script.at(10_000);
        } else {
            let bye = json!({"channel": "/meta/disconnect", "clientId": alice.session});
            script.post(bye);
        }

        assert!(admits(&mut script, peer.clone()), "{expired}");
        assert!(!admits(&mut script, peer));
        script.expect_no_trace();
    }
}

// Proves: HS-17
#[test]
fn sessions_are_bounded_in_total() {
    let mut script = limited(Limits {
        max_sessions: 2,
        ..Limits::default()
    });

    assert!(admits(&mut script, from("192.0.2.1")));
    assert!(admits(script.at(5_000), Peer::default()));
    assert!(!admits(&mut script, from("127.0.0.1")));

    assert!(admits(script.at(10_000), from("127.0.0.1")));
    script.expect_no_trace();
}

// Proves: HS-17
#[test]
fn handshakes_that_wait_at_the_same_time_do_not_slip_past_a_bound() {
    for per_address in [false, true] {
        for slow_store in [false, true] {
            let bound = if per_address {
                Limits {
                    max_sessions_per_address: 1,
                    ..Limits::default()
                }
            } else {
                Limits {
                    max_sessions: 1,
                    ..Limits::default()
                }
            };
            let config = if slow_store {
                Config::default()
            } else {
                asking()
            };
            let mut script = Script::new(Config {
                limits: bound,
                ..config
            });
            if slow_store {
                script.stall_store();
            }
            let both = [0, 1].map(|_| script.post_as(from("192.0.2.1"), handshake()));

            if slow_store {
                script.resume_store();
            } else {
                script.decide(Verdict::Allow).decide(Verdict::Allow);
            }

            let replies = both.map(|connection| script.take(connection));
            assert_eq!(replies[0][0]["successful"], json!(true));
            assert_eq!(replies[1][0]["error"], json!("503::unavailable"));
            assert_eq!(script.engine().load().sessions, 1);
            script.expect_no_trace();
        }
    }
}

// Proves: HS-17
#[test]
fn those_who_are_sent_away_come_back_at_different_times() {
    let mut script = limited(Limits {
        max_sessions: 0,
        ..Limits::default()
    });

    let mut intervals: Vec<_> = (0..20)
        .map(|_| {
            let connection = script.post(handshake());
            script.take(connection)[0]["advice"]["interval"].as_u64()
        })
        .collect();

    intervals.sort_unstable();
    intervals.dedup();
    assert!(intervals.len() > 10, "{intervals:?}");
    script.expect_no_trace();
}

// Proves: HS-17
#[test]
fn connections_beyond_their_bound_are_closed() {
    let mut script = limited(Limits {
        max_connections: 1,
        ..Limits::default()
    });
    script.open(SOCKET);

    let second = script.open(SOCKET);

    script.expect_closed(second, bayeux_core::CloseReason::Limit);
    assert_eq!(script.engine().counters().connections_limited, 1);
    script.expect_no_trace();
}

// Proves: HS-12, HS-14
#[test]
fn an_event_for_a_session_that_is_being_welcomed_is_not_lost() {
    let mut script = Script::new(Config {
        deliver_during_handshake: true,
        ..asking()
    });
    let connection = shake(&mut script, POLLING, handshake());
    script.stall_store().decide(welcoming(1));
    script.resume_store();
    let reply = script.take(connection);
    let alice = client_of(&reply[0], POLLING, connection);

    let delivered = script.call(Call::Deliver {
        session: SessionId::parse(&alice.session).unwrap(),
        channel: "/notice".parse().unwrap(),
        data: json!(2).into(),
        laziness: Laziness::Prompt,
    });

    assert!(matches!(delivered, CallResult::Appended(_)));
    let first = script.connect(&alice);
    assert_eq!(script.take(first)[0], event("/notice", json!(2)));
    script.expect_no_trace();
}
