//! Publishing (section 11).

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, ChannelRule, Config, Decider, DeciderId, Echo, Operations, Position, Role, Scope,
    SessionSettings, StoreReply, StoreRequest, Subject, Transport, Verdict,
};
use serde_json::{Value, json};

use bayeux_tests::talk::*;

fn decider(role: Role) -> Vec<Decider> {
    let id = DeciderId(1);
    vec![Decider { id, role }]
}

// Proves: PB-1, PB-4
#[test]
fn a_publish_is_answered_once_though_nobody_listens() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);

        let connection = script.request(&alice, publish(&alice, "/a", json!({"n": 1})));

        script.expect(connection, json!([ok("/a")]));
        assert_eq!(script.try_take(connection), None);
        script.expect_no_trace();
    }
}

// Proves: PB-2
#[test]
fn a_publish_without_client_is_refused_by_default() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let bob = script.connected();
        script.subscribe(&bob, "/a");

        let connection = script.open(transport);
        script.send(connection, json!({"channel": "/a", "data": 1}));

        let refused =
            json!({"channel": "/a", "successful": false, "error": "402::session_unknown"});
        script.expect(connection, json!([refused]));
        assert_eq!(events(&mut script, &bob), [Value::Null; 0]);
        script.expect_no_trace();
    }
}

/// A script that takes publishes without client.
fn connectionless(deciders: Vec<Decider>) -> Script {
    Script::new(Config {
        allow_connectionless_publish: true,
        deciders,
        ..Config::default()
    })
}

// Proves: PB-2
#[test]
fn a_publish_without_client_can_be_permitted() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = connectionless(Vec::new());
        let bob = script.connected();
        script.subscribe(&bob, "/a");

        let connection = script.open(transport);
        script.send(connection, json!({"channel": "/a", "data": 1}));

        script.expect(connection, json!([{"channel": "/a", "successful": true}]));
        assert_eq!(events(&mut script, &bob), [event("/a", json!(1))]);
        script.expect_no_trace();
    }
}

// Proves: PB-2
#[test]
fn permission_to_publish_without_client_is_no_permission_for_anything_else() {
    let mut script = connectionless(Vec::new());
    let unknown = "402::session_unknown";

    for channel in [
        "/meta/connect",
        "/meta/subscribe",
        "/meta/unsubscribe",
        "/meta/disconnect",
    ] {
        let connection = script.post(json!({"channel": channel, "subscription": "/a"}));
        assert_eq!(script.take(connection)[0]["error"], unknown, "{channel}");
    }
    let connection = script.post(json!({"channel": "/a", "clientId": "gone", "data": 1}));
    assert_eq!(script.take(connection)[0]["error"], unknown);
    script.expect_no_trace();
}

// Proves: PB-2
#[test]
fn policy_is_asked_about_a_publish_without_client_and_without_session() {
    // Alone, behind a message of a session, and on the socket of a session.
    for case in ["alone", "behind", "socket"] {
        let operations = Operations {
            publish: true,
            ..Operations::default()
        };
        let mut script = connectionless(decider(Role::Policy(operations)));
        let transport = if case == "socket" {
            Transport::WebSocket
        } else {
            Transport::LongPolling
        };
        let alice = script.connected_over(transport, Value::Null);
        let bare = json!({"channel": "/a", "data": 1});
        let frame = match case {
            "behind" => json!([subscribe(&alice, json!("/a")), bare]),
            _ => bare,
        };

        let connection = script.request(&alice, frame);

        assert_eq!(script.question().unwrap().session, None, "{case}");
        script.decide(Verdict::Deny(Box::default()));
        let reply = script.take(connection);
        let error = "403:denied_by_security_policy:publish_denied";
        assert_eq!(
            reply.as_array().unwrap().last().unwrap()["error"],
            error,
            "{case}"
        );
        script.expect_no_trace();
    }
}

// Proves: PB-2
#[test]
fn the_answer_to_a_publish_without_client_carries_nobodys_events() {
    let mut script = connectionless(Vec::new());
    let alice = script.connected();
    script.subscribe(&alice, "/a");
    script.publish("/a", json!("waits"));

    let connection = script.post(json!({"channel": "/a", "data": 1}));

    script.expect(connection, json!([{"channel": "/a", "successful": true}]));
    assert_eq!(
        events(&mut script, &alice),
        [event("/a", json!("waits")), event("/a", json!(1))]
    );
    script.expect_no_trace();
}

// Proves: PB-3
#[test]
fn a_publish_without_data_arrives_with_null() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&bob, "/a");
    let bare = message(&alice, "/a", json!({}));

    assert_eq!(ask(&mut script, &alice, bare), json!([ok("/a")]));

    assert_eq!(events(&mut script, &bob), [event("/a", Value::Null)]);
    script.expect_no_trace();
}

// Proves: PB-5, PB-6
#[test]
fn what_is_no_broadcast_channel_is_not_published_to() {
    let denied = "403:denied_by_security_policy:channel_create_denied";
    let table = [
        ("/a/*", "405::channel_invalid"),
        ("/a/**", "405::channel_invalid"),
        ("/*", "405::channel_invalid"),
        ("/**", "405::channel_invalid"),
        ("/a/*/b", "405::channel_invalid"),
        ("/meta", "405::channel_invalid"),
        ("/service/*", "405::channel_invalid"),
        ("/meta/x", denied),
        ("/meta/connect/", denied),
        ("/meta/subscribe/x", denied),
    ];
    for (channel, error) in table {
        let mut script = Script::new(Config::default());
        let (alice, bob) = (script.connected(), script.connected());
        for pattern in ["/a/*", "/a/**", "/**"] {
            script.subscribe(&bob, pattern);
        }

        let reply = ask(&mut script, &alice, publish(&alice, channel, json!(1)));

        assert_eq!(reply, json!([failed(channel, error)]));
        assert_eq!(events(&mut script, &bob), [Value::Null; 0], "{channel}");
        script.expect_no_trace();
    }
}

/// A client whose handshake was admitted with these settings; the decider is registered.
fn admitted(script: &mut Script, settings: SessionSettings) -> Client {
    let connection = shake_hands(script);
    script.decide(Verdict::Admit(Box::new(Admission {
        settings,
        ..Admission::default()
    })));
    greeted(script, connection)
}

// Proves: PB-7
#[test]
fn a_publisher_gets_its_own_event_unless_somebody_says_no() {
    use Echo::{ToOthers, ToPublisher};
    let table = [
        (ToPublisher, None, None, true),
        (ToOthers, None, None, false),
        (ToPublisher, Some(ToOthers), None, false),
        (ToOthers, Some(ToPublisher), None, true),
        (ToPublisher, None, Some(ToOthers), false),
        (ToPublisher, Some(ToPublisher), Some(ToOthers), false),
        (ToPublisher, Some(ToOthers), Some(ToPublisher), false),
        (ToOthers, Some(ToPublisher), Some(ToPublisher), true),
    ];
    for (server, own, channel, arrives) in table {
        let operations = Operations {
            handshake: true,
            ..Operations::default()
        };
        let mut script = Script::new(Config {
            broadcast_to_publisher: server,
            channels: vec![ChannelRule {
                pattern: "/a/*".parse().unwrap(),
                lazy: None,
                broadcast_to_publisher: channel,
                persistent: false,
            }],
            deciders: decider(Role::Policy(operations)),
            ..Config::default()
        });
        let settings = SessionSettings {
            echo: own,
            ..SessionSettings::default()
        };
        let alice = admitted(&mut script, settings);
        let bob = admitted(&mut script, SessionSettings::default());
        script.subscribe(&alice, "/**").subscribe(&bob, "/**");

        let reply = ask(&mut script, &alice, publish(&alice, "/a/b", json!(1)));

        let copy = event("/a/b", json!(1));
        let expected = if arrives {
            json!([copy, ok("/a/b")])
        } else {
            json!([ok("/a/b")])
        };
        assert_eq!(reply, expected, "{server:?} {own:?} {channel:?}");
        assert_eq!(events(&mut script, &bob), [copy]);
        script.expect_no_trace();
    }
}

// Proves: PB-8
#[test]
fn who_receives_is_fixed_by_the_place_in_the_log() {
    let mut script = Script::new(Config::default());
    let (early, late) = (script.connected(), script.connected());
    script.subscribe(&early, "/a");

    script.publish("/a", json!(1));
    script.subscribe(&late, "/a");
    script.publish("/a", json!(2));

    assert_eq!(
        events(&mut script, &early),
        [event("/a", json!(1)), event("/a", json!(2))]
    );
    assert_eq!(events(&mut script, &late), [event("/a", json!(2))]);
    script.expect_no_trace();
}

// Proves: PB-8
#[test]
fn an_entry_that_comes_again_reaches_nobody() {
    let mut script = Script::with_scripted_store(Config::default());
    let (local, _) = script.open_local();
    let bayeux_core::CallResult::Sessions(sessions, _) =
        script.call(bayeux_core::Call::ListSessions { from: 0, limit: 10 })
    else {
        panic!("sessions are listed")
    };
    script.call(bayeux_core::Call::Subscribe {
        session: sessions[0],
        pattern: "/a".parse().unwrap(),
    });
    script.notify(entries(1, "/a", &[1]));
    script.expect(local, json!([event("/a", json!(1))]));

    script.notify(entries(1, "/a", &[1]));

    script.expect_nothing(local);
    assert_eq!(script.engine().counters().entries_seen, 1);
    assert_eq!(script.engine().counters().facts_ignored, 1);
}

// Proves: PB-9
#[test]
fn a_veto_stops_a_publish() {
    let handler = Role::Handler(Scope::Pattern("/a".parse().unwrap()));
    for (role, verdict) in [
        (handler.clone(), Verdict::Drop),
        (handler, Verdict::Deny(Box::default())),
        (Role::Incoming, Verdict::Drop),
        (Role::Outgoing, Verdict::Drop),
    ] {
        let mut script = Script::new(Config::default());
        let (alice, bob) = (script.connected(), script.connected());
        script.subscribe(&bob, "/a");
        script.fact(bayeux_core::Input::Configured {
            change: bayeux_core::Change::AddDecider(Decider {
                id: DeciderId(1),
                role: role.clone(),
            }),
        });

        let connection = script.request(&alice, publish(&alice, "/a", json!(1)));
        script.decide(verdict);
        if role == Role::Outgoing {
            // It sees the reply as well.
            assert!(matches!(
                script.question().unwrap().subject,
                Subject::Reply {
                    successful: false,
                    ..
                }
            ));
            script.decide(Verdict::Allow);
        }

        script.expect(connection, json!([failed("/a", "404::message_deleted")]));
        script.fact(bayeux_core::Input::Configured {
            change: bayeux_core::Change::RemoveDecider(DeciderId(1)),
        });
        assert_eq!(events(&mut script, &bob), [Value::Null; 0]);
        script.expect_no_trace();
    }
}

/// A script whose test plays the store, and a connected client of it.
fn scripted() -> (Script, Client) {
    let mut script = Script::with_scripted_store(Config::default());
    let client = connected_by_hand(&mut script);
    (script, client)
}

// Proves: PB-10
#[test]
fn a_publish_is_answered_once_it_is_stored() {
    let table = [
        (StoreReply::Appended(Position::new(1)), ok("/a")),
        (StoreReply::Failed, failed("/a", "503::unavailable")),
        (StoreReply::Fenced, failed("/a", "402::session_unknown")),
    ];
    for (answer, expected) in table {
        let (mut script, alice) = scripted();
        let connection = script.request(&alice, publish(&alice, "/a", json!(1)));
        let (ticket, request) = script.take_store();
        let StoreRequest::Append(entry) = request else {
            panic!("{request:?}")
        };
        assert_eq!(entry.origin, Some(session(&alice)));
        script.after(4_999).expect_nothing(connection);

        script.stored_or_gone(ticket, answer);

        script.expect(connection, json!([expected]));
        script.expect_no_trace();
    }
}

// Proves: PB-10
#[test]
fn a_publish_that_the_store_does_not_answer_is_refused_in_the_end() {
    let (mut script, alice) = scripted();
    let connection = script.request(&alice, publish(&alice, "/a", json!(1)));
    let (ticket, _) = script.take_store();

    script.after(5_000);

    script.expect(connection, json!([failed("/a", "503::unavailable")]));
    assert_eq!(script.engine().counters().store_late, 1);
    // What comes too late is counted and ignored.
    script.stored(ticket, StoreReply::Appended(Position::new(1)));
    assert_eq!(script.engine().counters().facts_ignored, 1);
    script.expect_no_trace();
}

// Proves: PB-10
#[test]
fn a_publisher_that_is_subscribed_waits_until_its_event_can_ride_along() {
    let (mut script, alice) = scripted();
    let subscribing = script.request(&alice, subscribe(&alice, json!("/a")));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
    script.take(subscribing);
    let connection = script.request(&alice, publish(&alice, "/a", json!(1)));
    let (ticket, _) = script.take_store();

    script.stored(ticket, StoreReply::Appended(Position::new(2)));
    script
        .notify(entries(1, "/a", &[0]))
        .expect_nothing(connection);
    script.notify(entries(2, "/a", &[1]));

    let both = [event("/a", json!(0)), event("/a", json!(1)), ok("/a")];
    script.expect(connection, json!(both));
    script.expect_no_trace();
}

// Proves: PB-10
#[test]
fn a_publisher_that_is_subscribed_does_not_wait_for_ever() {
    let (mut script, alice) = scripted();
    let subscribing = script.request(&alice, subscribe(&alice, json!("/a")));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
    script.take(subscribing);
    let connection = script.request(&alice, publish(&alice, "/a", json!(1)));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Appended(Position::new(1)));

    script.after(4_999).expect_nothing(connection);
    script.after(1);

    script.expect(connection, json!([ok("/a")]));
    script.expect_no_trace();
}

// Proves: PB-11
#[test]
fn an_event_names_the_channel_it_was_published_to() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&bob, "/a/**");

    for sent in ["/a/b", "/a/b/c/", " /a/d "] {
        ask(&mut script, &alice, publish(&alice, sent, json!(1)));
    }

    let names = ["/a/b", "/a/b/c", "/a/d"];
    assert_eq!(
        events(&mut script, &bob),
        names.map(|name| event(name, json!(1)))
    );
    script.expect_no_trace();
}
