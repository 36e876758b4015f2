//! Deciders: policy, authorizers, extensions and handlers; and the store when it fails.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Admission, Advice, Call, CallResult, Change, CloseReason, Config, ConnectionId, Counters,
    Decider, DeciderId, Denial, Event, Input, Laziness, Message, Notice, Operations, Payload,
    Position, ProtocolError, Reconnect, ReportKind, Role, Scope, SessionId, SessionSettings,
    StoreReply, StoreRequest, StoreTicket, Subject, Transport, Verdict,
};
use serde_json::{Value, json};

mod pipeline {
    use super::*;

    // Proves: PL-1, MO-6
    #[test]
    fn a_message_passes_everybody_in_order_and_its_neighbour_after_it() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Incoming);
        add(&mut script, 2, Role::Incoming);
        add(&mut script, 3, Role::Policy(Operations::ALL));
        add(&mut script, 4, authorizer("/**"));
        add(&mut script, 5, handler("/**"));
        add(&mut script, 6, Role::Outgoing);
        add(&mut script, 7, Role::Outgoing);

        let exchange = script.post(json!([publish(&client, 1), publish(&client, 2)]));

        let first = [
            "1 incoming",
            "2 incoming",
            "3 create /n",
            "4 create /n",
            "3 publish /n",
            "4 publish /n",
            "5 handle /n",
            "7 event",
            "6 event",
            "7 reply",
            "6 reply",
        ];
        let second = first.iter().filter(|asked| !asked.contains("create"));
        let wanted: Vec<_> = first.iter().chain(second).copied().collect();
        assert_eq!(allow_all(&mut script), wanted);
        script.expect(exchange, json!([published("1"), published("2")]));
    }

    // Proves: PL-1
    #[test]
    fn what_makes_no_sense_is_shown_to_nobody() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Incoming);
        let invalid = [
            json!({"clientId": client.session}),
            json!({"channel": "/a//b", "clientId": client.session}),
            json!({"channel": "/a", "id": {}, "clientId": client.session}),
        ];
        for message in invalid {
            let exchange = script.post(message);
            assert_eq!(script.take(exchange)[0]["successful"], json!(false));
        }
        // What an extension makes of a message is looked at as well.
        let exchange = script.post(publish(&client, 1));
        script.decide(replace(
            json!({"channel": "/a//b", "clientId": client.session}),
        ));
        script.expect(
            exchange,
            json!([{"channel": "/a//b", "successful": false, "error": "405::channel_invalid"}]),
        );
    }

    // Proves: PL-4
    #[test]
    fn a_vetoed_message_is_deleted_whatever_it_is() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Incoming);
        add(&mut script, 2, Role::Incoming);
        for channel in [
            "/meta/connect",
            "/meta/subscribe",
            "/meta/disconnect",
            "/service/x",
            "/n",
        ] {
            for verdict in [Verdict::Drop, Verdict::Deny(Box::default())] {
                let message = json!({
                    "id": "1", "channel": channel, "clientId": client.session, "subscription": "/n",
                });
                let exchange = script.post(message);
                script.decide(verdict);
                assert!(script.question().is_none(), "nobody further is asked");
                let reply = script.take(exchange);
                assert_eq!(
                    reply[0]["error"],
                    json!("404::message_deleted"),
                    "{channel}"
                );
                assert_eq!(reply[0].get("advice"), None);
            }
        }
        remove(&mut script, 1);
        remove(&mut script, 2);
        script.publish("/n", json!(1));
        let held = script.connect(&client);
        script.expect_nothing(held);
    }

    // Proves: PL-4, AD-5
    #[test]
    fn a_vetoed_handshake_is_told_not_to_come_back() {
        let mut script = Script::new(Config::default());
        add(&mut script, 1, Role::Incoming);
        let exchange = script.post(handshake());
        script.decide(Verdict::Drop);
        let reply = script.take(exchange);
        assert_eq!(reply[0]["error"], json!("404::message_deleted"));
        assert_eq!(reply[0]["advice"], json!({"reconnect": "none"}));
        assert_eq!(reply[0].get("clientId"), None);
    }

    // Proves: PL-5
    #[test]
    fn a_dropped_reply_is_no_reply_and_its_neighbours_stay() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Outgoing);
        let exchange = script.post(json!([publish(&client, 1), publish(&client, 2)]));
        let verdicts = [
            Verdict::Allow,
            Verdict::Drop,
            Verdict::Allow,
            Verdict::Allow,
        ];
        for verdict in verdicts {
            script.decide(verdict);
        }
        script.expect(exchange, json!([published("2")]));

        let socket = script.open(Transport::WebSocket);
        script.send(socket, publish(&client, 3));
        script.decide(Verdict::Allow).decide(Verdict::Drop);
        script.expect_nothing(socket);
        assert!(script.is_asked(socket));
    }

    // Proves: PL-5, TM-3
    #[test]
    fn a_session_whose_connect_is_never_answered_expires_all_the_same() {
        for transport in [Transport::LongPolling, Transport::WebSocket] {
            let mut script = Script::new(Config::default());
            let client = script.connected_over(transport, Value::Null);
            add(&mut script, 1, Role::Outgoing);
            script.connect(&client);
            script.decide(Verdict::Drop).reports();

            script.after(10_000);

            let id = SessionId::parse(&client.session).unwrap();
            let expired = ReportKind::SessionRemoved(id, bayeux_core::Removal::Expired);
            assert_eq!(script.reports(), [expired], "{transport:?}");
        }
    }

    // Proves: PL-5, PL-10
    #[test]
    fn an_event_dropped_for_one_session_reaches_the_others() {
        let mut script = Script::new(Config::default());
        let (alice, bob) = (admitted(&mut script, &[9]), script.connected());
        add(&mut script, 9, Role::SessionOutgoing);
        script.subscribe(&alice, "/n").subscribe(&bob, "/n");
        let (first, second) = (script.connect(&alice), script.connect(&bob));

        script.publish("/n", json!(1));

        assert_eq!(script.take(second)[0], event("/n", json!(1)));
        script
            .expect_nothing(first)
            .decide(Verdict::Drop)
            .expect_nothing(first);
        script.publish("/n", json!(2)).decide(Verdict::Allow);
        assert_eq!(script.take(first)[0], event("/n", json!(2)));
    }

    // Proves: PL-10
    #[test]
    fn decisions_about_the_events_of_a_session_take_effect_in_the_order_of_the_events() {
        let orders = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        for order in orders {
            let mut script = Script::new(Config::default());
            let client = admitted(&mut script, &[9]);
            add(&mut script, 9, Role::SessionOutgoing);
            script.subscribe(&client, "/n");
            for data in 0..3 {
                script.publish("/n", json!(data));
            }
            let questions: Vec<_> = (0..3).map(|_| script.take_question()).collect();
            let verdicts = [
                Verdict::Allow,
                Verdict::Drop,
                Verdict::ReplaceEvent(Event::from_object(event("/n", json!("new")).to_string())),
            ];
            let mut seen = Vec::new();
            for at in order {
                let fact = Input::Decided {
                    ticket: questions[at].0,
                    verdict: verdicts[at].clone(),
                };
                script.fact(fact);
                let connect = script.connect_with(&client, json!({"advice": {"timeout": 0}}));
                let frame = script.take(connect);
                let events = frame
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(|m| m.get("data"));
                seen.extend(events.cloned());
            }
            assert_eq!(seen, [json!(0), json!("new")], "{order:?}");
        }
    }

    // Proves: PL-10
    #[test]
    fn handlers_are_asked_from_the_widest_pattern_inward_and_may_change_or_veto() {
        let (mut script, client) = connected();
        let exact = Role::Handler(Scope::Pattern("/a/b".parse().unwrap()));
        let template = Role::Handler(Scope::Template("/a/{x}".parse().unwrap()));
        add(&mut script, 1, exact);
        add(&mut script, 2, handler("/a/*"));
        add(&mut script, 3, handler("/**"));
        add(&mut script, 4, template);
        add(&mut script, 5, handler("/a/**"));
        add(&mut script, 6, handler("/b/**"));
        script.subscribe(&client, "/a/b");

        let exchange = script.publish_as(&client, "/a/b", json!("old"));
        let mut asked = vec![subject(&mut script)];
        script.decide(replace(json!({"data": "new", "clientId": "x"})));
        asked.extend(allow_all(&mut script));

        let wanted = ["3", "5", "2", "1", "4"].map(|id| format!("{id} handle /a/b"));
        assert_eq!(asked, wanted);
        assert_eq!(script.take(exchange)[0], event("/a/b", json!("new")));

        let exchange = script.publish_as(&client, "/a/b", json!(1));
        script.decide(Verdict::Allow).decide(Verdict::Drop);
        assert!(script.question().is_none());
        assert_eq!(
            script.take(exchange)[0]["error"],
            json!("404::message_deleted")
        );
    }

    // Proves: PL-10
    #[test]
    fn an_event_is_shown_once_before_it_is_frozen_and_then_to_each_session_that_wants_it() {
        let mut script = Script::new(Config::default());
        let clients = [admitted(&mut script, &[8, 9]), admitted(&mut script, &[9])];
        add(&mut script, 9, Role::SessionOutgoing);
        add(&mut script, 8, Role::SessionOutgoing);
        let publisher = script.connected();
        let held = clients.each_ref().map(|client| {
            script.subscribe(client, "/n").subscribe(client, "/**");
            script.connect(client)
        });
        add(&mut script, 1, Role::Outgoing);

        let exchange = script.post(publish(&publisher, 1));
        let frozen = Event::from_object(event("/n", json!("frozen")).to_string());
        assert_eq!(subject(&mut script), "1 event");
        script.decide(Verdict::ReplaceEvent(frozen));
        assert_eq!(subject(&mut script), "1 reply");
        let asked = allow_all(&mut script);

        assert_eq!(asked, ["1 reply", "8 event", "9 event", "9 event"]);
        script.expect(exchange, json!([published("1")]));
        for held in held {
            assert_eq!(script.take(held)[0], event("/n", json!("frozen")));
        }
    }
}

mod policy {
    use super::*;

    // Proves: PL-7
    #[test]
    fn denials_say_what_was_denied_and_why() {
        let create_denied = |why: &str| format!("403:{why}:create_denied");
        let channel_create_denied = |why: &str| format!("403:{why}:channel_create_denied");
        let subscribe_denied = |why: &str| format!("403:{why}:subscribe_denied");
        let publish_denied = |why: &str| format!("403:{why}:publish_denied");
        type Error<'a> = &'a dyn Fn(&str) -> String;
        let table: [(&str, &[&str], Error<'_>); 4] = [
            ("/meta/subscribe", &["1 create /n"], &create_denied),
            (
                "/meta/subscribe",
                &["1 create /n", "1 subscribe /n"],
                &subscribe_denied,
            ),
            ("/n", &["1 create /n"], &channel_create_denied),
            ("/n", &["1 create /n", "1 publish /n"], &publish_denied),
        ];
        for (channel, questions, error) in table {
            for reason in [None, Some("too_late")] {
                let (mut script, client) = connected();
                add(&mut script, 1, Role::Policy(Operations::ALL));
                let message = json!({
                    "channel": channel, "clientId": client.session, "subscription": "/n",
                });
                let exchange = script.post(message);
                let (last, before) = questions.split_last().unwrap();
                for question in before {
                    assert_eq!(subject(&mut script), *question);
                    script.decide(Verdict::Allow);
                }
                assert_eq!(subject(&mut script), *last);
                script.decide(deny(reason));
                let error = error(reason.unwrap_or("denied_by_security_policy"));
                assert_eq!(script.take(exchange)[0]["error"], json!(error));
                assert!(script.question().is_none());
            }
        }
    }

    // Proves: PL-7
    #[test]
    fn creation_is_asked_for_only_if_the_channel_is_not_there() {
        let (mut script, client) = connected();
        script.subscribe(&client, "/n");
        add(&mut script, 1, Role::Policy(Operations::ALL));
        for (channel, subject) in [
            ("/n", "1 publish /n"),
            ("/meta/subscribe", "1 subscribe /n"),
        ] {
            let message = json!({
                "channel": channel, "clientId": client.session, "subscription": "/n", "data": 1,
            });
            let exchange = script.post(message);
            assert_eq!(allow_all(&mut script), [subject]);
            script.take(exchange);
        }
    }

    // Proves: PL-7, PL-8
    #[test]
    fn a_channel_that_somebody_else_makes_meanwhile_changes_no_decision() {
        for channel in ["/n", "/meta/subscribe"] {
            for denies in [false, true] {
                let (mut script, client) = connected();
                add(&mut script, 1, Role::Policy(Operations::ALL));
                add(&mut script, 2, authorizer("/n"));
                let message = json!({
                    "channel": channel, "clientId": client.session, "subscription": "/n",
                });
                let exchange = script.post(message);
                assert_eq!(subject(&mut script), "1 create /n");
                script.decide(Verdict::Allow);
                assert_eq!(subject(&mut script), "2 create /n");
                let (local, opened) = script.open_local();
                let CallResult::Opened(session) = opened else {
                    panic!("{opened:?}")
                };
                let pattern = "/n".parse().unwrap();
                script.call(Call::Subscribe { session, pattern });
                if denies {
                    script.decide(deny(None));
                    assert!(script.question().is_none());
                    assert_eq!(script.take(exchange)[0]["successful"], json!(false));
                    script.expect_nothing(local);
                } else {
                    let verb = if channel == "/n" {
                        "publish"
                    } else {
                        "subscribe"
                    };
                    let wanted = [
                        "2 create /n",
                        &format!("1 {verb} /n"),
                        &format!("2 {verb} /n"),
                    ];
                    assert_eq!(allow_all(&mut script), wanted);
                    assert_eq!(script.take(exchange)[0]["successful"], json!(true));
                }
            }
        }
    }

    // Proves: PL-8
    #[test]
    fn authorizers_grant_together_what_nobody_denies() {
        use Verdict::{Abstain, Allow, Drop};
        let deny = || deny(Some("mine"));
        let not_granted = "403:denied_by_not_granting:publish_denied";
        let table = [
            (vec![Allow], None),
            (vec![Abstain], Some(not_granted)),
            (vec![Abstain, Allow, Abstain], None),
            (vec![Allow, Abstain], None),
            (vec![Allow, deny()], Some("403:mine:publish_denied")),
            (vec![deny()], Some("403:mine:publish_denied")),
            (
                vec![Allow, Drop],
                Some("403:denied_by_security_policy:publish_denied"),
            ),
            (vec![Abstain, Abstain], Some(not_granted)),
            (vec![], None),
        ];
        for (verdicts, error) in table {
            let (mut script, client) = connected();
            script.subscribe(&client, "/n");
            for id in 1..=verdicts.len() {
                add(&mut script, id as u32, authorizer("/n"));
            }
            let exchange = script.post(publish(&client, 1));
            for verdict in verdicts.clone() {
                script.decide(verdict);
            }
            assert!(script.question().is_none());
            let frame = script.take(exchange);
            let error = error.map(Value::from);
            let replies = frame.as_array().unwrap();
            assert_eq!(
                replies.last().unwrap().get("error"),
                error.as_ref(),
                "{verdicts:?}"
            );
        }
    }

    // Proves: PL-8, CH-8
    #[test]
    fn an_authorizer_is_asked_about_what_its_pattern_matches() {
        let table: [(&str, &[&str]); 9] = [
            ("/a", &["/a", "/*", "/**"]),
            ("/a/b", &["/a/b", "/a/*", "/a/**", "/**"]),
            ("/a/b/c", &["/a/b/c", "/a/b/*", "/a/b/**", "/a/**", "/**"]),
            ("/a/*", &["/a/*", "/a/**", "/**"]),
            ("/a/**", &["/a/**", "/**"]),
            ("/*", &["/*", "/**"]),
            ("/**", &["/**"]),
            ("/ab/c", &["/**"]),
            ("/a/bc", &["/a/*", "/a/**", "/**"]),
        ];
        let patterns = [
            "/a", "/*", "/**", "/a/b", "/a/*", "/a/**", "/a/b/c", "/a/b/*", "/a/b/**",
        ];
        for (subscription, matching) in table {
            let (mut script, client) = connected();
            for (id, pattern) in patterns.iter().enumerate() {
                let role = Role::Authorizer {
                    pattern: pattern.parse().unwrap(),
                    operations: Operations {
                        subscribe: true,
                        ..Operations::default()
                    },
                };
                add(&mut script, id as u32, role);
            }
            let message = json!({
                "channel": "/meta/subscribe", "clientId": client.session,
                "subscription": subscription,
            });
            let exchange = script.post(message);
            let mut asked = Vec::new();
            while let Some(question) = script.question() {
                asked.push(patterns[question.decider.0 as usize]);
                script.decide(Verdict::Allow);
            }
            let wanted = patterns.iter().filter(|pattern| matching.contains(pattern));
            assert_eq!(asked, wanted.copied().collect::<Vec<_>>(), "{subscription}");
            assert_eq!(script.take(exchange)[0]["successful"], json!(true));
        }
    }

    // Proves: PL-8, SV-2
    #[test]
    fn authorizers_reach_service_channels() {
        let (mut script, client) = connected();
        add(&mut script, 1, authorizer("/service/**"));
        add(&mut script, 2, authorizer("/service/x"));
        add(&mut script, 3, authorizer("/service/y"));
        let exchange = script.publish_as(&client, "/service/x", json!(1));
        let asked = ["1 create", "2 create", "1 publish", "2 publish"];
        let asked = asked.map(|asked| format!("{asked} /service/x"));
        assert_eq!(allow_all(&mut script), asked);
        assert_eq!(script.take(exchange)[0]["successful"], json!(true));
    }

    // Proves: PL-8, HS-9
    #[test]
    fn policy_alone_decides_on_handshakes_and_sets_the_terms() {
        let mut script = Script::new(Config::default());
        add(&mut script, 1, Role::Policy(Operations::ALL));
        add(&mut script, 2, authorizer("/**"));
        let terms = Admission {
            ext: Some(extensions(json!({"hello": 1}))),
            ..Admission::default()
        };
        let exchange = script.post(handshake());
        assert_eq!(subject(&mut script), "1 handshake");
        script.decide(Verdict::Admit(Box::new(terms)));
        let reply = script.take(exchange);
        assert_eq!(reply[0]["successful"], json!(true));
        assert_eq!(reply[0]["ext"], json!({"hello": 1}));

        let exchange = script.post(handshake());
        script.decide(Verdict::Deny(Box::new(Denial {
            error: Some(ProtocolError::new(401, "", "login")),
            advice: Some(Advice {
                reconnect: Some(Reconnect::Handshake),
                interval: Some(500),
                ..Advice::default()
            }),
            ext: Some(extensions(json!({"sorry": 1}))),
            ..Denial::default()
        })));
        let reply = script.take(exchange);
        assert_eq!(reply[0]["error"], json!("401::login"));
        assert_eq!(
            reply[0]["advice"],
            json!({"reconnect": "handshake", "interval": 500})
        );
        assert_eq!(reply[0]["ext"], json!({"sorry": 1}));
        assert_eq!(script.cookie(exchange), None);
    }

    // Proves: HS-9
    #[test]
    fn the_terms_of_several_policies_add_up_and_what_was_said_last_counts() {
        let mut script = Script::new(Config::default());
        add(&mut script, 1, Role::Policy(Operations::ALL));
        add(&mut script, 2, Role::Policy(Operations::ALL));
        let exchange = script.post(handshake());

        for ext in [
            json!({"first": 1, "both": 1}),
            json!({"both": 2, "second": 2}),
        ] {
            script.decide(Verdict::Admit(Box::new(Admission {
                ext: Some(extensions(ext)),
                ..Admission::default()
            })));
        }

        let reply = script.take(exchange);
        assert_eq!(reply[0]["ext"], json!({"first": 1, "both": 2, "second": 2}));
    }

    // Proves: PL-9
    #[test]
    fn policy_does_not_apply_to_the_application() {
        let (mut script, _) = connected();
        add(&mut script, 1, Role::Policy(Operations::ALL));
        add(&mut script, 2, authorizer("/**"));
        let (local, opened) = script.open_local();
        let CallResult::Opened(session) = opened else {
            panic!("{opened:?}")
        };
        let pattern = "/n".parse().unwrap();
        assert_eq!(
            script.call(Call::Subscribe { session, pattern }),
            CallResult::Done
        );
        script.publish("/n", json!(1));
        assert!(script.question().is_none());
        script.expect(local, json!([event("/n", json!(1))]));
    }

    // Proves: PL-4
    #[test]
    fn a_message_that_becomes_a_handshake_holds_back_nothing_of_the_session_it_came_from() {
        let (mut script, client) = connected();
        script.subscribe(&client, "/n");
        let held = script.connect(&client);
        add(&mut script, 1, Role::Incoming);
        script.post(publish(&client, 1));
        let types = ["long-polling"];
        let handshake = json!({
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": types,
        });

        script.decide(replace(handshake));
        script.publish("/n", json!(1));

        assert_eq!(script.take(held)[0], event("/n", json!(1)));
    }

    // Proves: PL-3
    #[test]
    fn a_publish_of_a_session_that_ends_while_it_is_decided_on_goes_nowhere() {
        for server_ends_it in [false, true] {
            let (mut script, client) = connected();
            let (local, opened) = script.open_local();
            let CallResult::Opened(session) = opened else {
                panic!("{opened:?}")
            };
            let pattern = "/n".parse().unwrap();
            script.call(Call::Subscribe { session, pattern });
            add(&mut script, 1, Role::Policy(Operations::ALL));
            let exchange = script.post(publish(&client, 1));
            if server_ends_it {
                let session = SessionId::parse(&client.session).unwrap();
                assert_eq!(script.call(Call::Disconnect { session }), CallResult::Done);
            } else {
                script.post(json!({"channel": "/meta/disconnect", "clientId": client.session}));
            }
            script.decide(Verdict::Allow);
            script.expect(exchange, json!([refused("1", "402::session_unknown")]));
            script.expect_nothing(local);
        }
    }

    // Proves: ER-1
    #[test]
    fn a_subscription_of_a_session_that_ends_while_it_is_decided_on_fails() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Policy(Operations::ALL));
        let exchange = script.post(json!({
            "channel": "/meta/subscribe", "clientId": client.session, "subscription": "/n",
        }));
        let session = SessionId::parse(&client.session).unwrap();
        assert_eq!(script.call(Call::Disconnect { session }), CallResult::Done);

        allow_all(&mut script);

        assert_eq!(
            script.take(exchange)[0]["error"],
            json!("403::subscribe_failed")
        );
        script.expect_no_trace();
    }
}

mod change {
    use super::*;

    // Proves: PL-1
    #[test]
    fn deciders_come_and_go_while_a_message_is_under_way() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Incoming);
        add(&mut script, 2, Role::Incoming);
        add(&mut script, 3, Role::Incoming);
        let exchange = script.post(publish(&client, 1));
        assert_eq!(subject(&mut script), "1 incoming");

        remove(&mut script, 2);
        add(&mut script, 4, Role::Incoming);
        add(&mut script, 5, Role::Outgoing);

        let wanted = [
            "1 incoming",
            "3 incoming",
            "4 incoming",
            "5 event",
            "5 reply",
        ];
        assert_eq!(allow_all(&mut script), wanted);
        script.expect(exchange, json!([published("1")]));
    }

    // Proves: PL-4, PL-8
    #[test]
    fn a_decider_that_was_removed_is_obeyed_in_what_it_was_asked() {
        let roles = [
            (Role::Incoming, "404::message_deleted"),
            (
                Role::Policy(Operations::ALL),
                "403:denied_by_security_policy:channel_create_denied",
            ),
            (
                authorizer("/**"),
                "403:denied_by_security_policy:channel_create_denied",
            ),
            (handler("/**"), "404::message_deleted"),
            (Role::Outgoing, "404::message_deleted"),
        ];
        for (role, error) in roles {
            let (mut script, client) = connected();
            add(&mut script, 1, role.clone());
            let exchange = script.post(publish(&client, 1));
            remove(&mut script, 1);
            script.expect_nothing(exchange);
            script.decide(deny(None));
            script.expect(exchange, json!([refused("1", error)]));

            let exchange = script.post(publish(&client, 2));
            assert!(script.question().is_none(), "{role:?}");
            script.expect(exchange, json!([published("2")]));
        }
    }

    #[test]
    fn a_reply_under_way_to_an_extension_that_is_removed_still_waits_for_it() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Outgoing);
        let exchange = script.post(publish(&client, 1));
        script.decide(Verdict::Allow);
        assert_eq!(subject(&mut script), "1 reply");
        remove(&mut script, 1);
        script.decide(Verdict::Extend(extensions(json!({"x": 1}))));
        let mut reply = published("1");
        reply["ext"] = json!({"x": 1});
        script.expect(exchange, json!([reply]));
    }

    #[test]
    fn an_extension_of_a_session_that_is_removed_is_passed_over() {
        let mut script = Script::new(Config::default());
        let client = admitted(&mut script, &[8, 9]);
        add(&mut script, 8, Role::SessionOutgoing);
        add(&mut script, 9, Role::SessionOutgoing);
        script.subscribe(&client, "/n");
        let held = script.connect(&client);
        script.publish("/n", json!(1));
        assert_eq!(subject(&mut script), "8 event");

        remove(&mut script, 9);

        assert_eq!(allow_all(&mut script), ["8 event"]);
        assert_eq!(script.take(held)[0], event("/n", json!(1)));
    }

    // Proves: CN-9
    #[test]
    fn a_connect_overtaken_while_extensions_look_at_its_answer_leaves_the_newer_one_alone() {
        for transport in [Transport::LongPolling, Transport::WebSocket] {
            let mut script = Script::new(Config::default());
            let client = script.connected_over(transport, Value::Null);
            script.subscribe(&client, "/n");
            add(&mut script, 1, Role::Outgoing);
            let older = script.connect_with(&client, json!({"id": "older"}));
            let newer = if transport.is_exchange() {
                script.connect_with(&client, json!({"id": "newer"}))
            } else {
                let socket = script.open(transport);
                let message = json!({
                    "id": "newer", "channel": "/meta/connect", "clientId": client.session,
                });
                script.send(socket, message);
                socket
            };
            let (late, _) = script.take_question();
            script.decide(Verdict::Allow);
            script.fact(Input::Decided {
                ticket: late,
                verdict: Verdict::Allow,
            });
            remove(&mut script, 1);
            script.expect_nothing(newer);

            script.publish("/n", json!(1));

            assert_eq!(
                script.take(newer)[0],
                event("/n", json!(1)),
                "{transport:?}"
            );
            assert_eq!(script.try_take(older), None, "{transport:?}");
        }
    }

    // Proves: CN-12
    #[test]
    fn a_connect_whose_session_ends_while_extensions_look_at_its_answer_is_told_so() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Outgoing);
        let connect = script.connect(&client);
        let session = SessionId::parse(&client.session).unwrap();
        script.call(Call::Disconnect { session });
        script.decide(Verdict::Allow);
        let reply = script.take(connect);
        let advice = &reply.as_array().unwrap().last().unwrap()["advice"];
        assert_eq!(*advice, json!({"reconnect": "none"}), "{reply}");
    }
}

mod handlers {
    use super::*;

    // Proves: CH-10
    #[test]
    fn a_template_binds_its_parameters_for_its_handler() {
        let (mut script, client) = connected();
        let template = Scope::Template("/service/{kind}/{n}".parse().unwrap());
        add(&mut script, 1, Role::Handler(template));
        type Bound = Option<[(&'static str, &'static str); 2]>;
        let table: [(&str, Bound); 4] = [
            ("/service/x/7", Some([("kind", "x"), ("n", "7")])),
            ("/service/x", None),
            ("/service/x/7/8", None),
            ("/other/x/7", None),
        ];
        for (channel, wanted) in table {
            let exchange = script.publish_as(&client, channel, json!(1));
            let bound = script.question().map(|question| match &question.subject {
                Subject::Handle { parameters, .. } => parameters.clone(),
                other => panic!("{other:?}"),
            });
            let wanted = wanted.map(|wanted| wanted.map(|(n, v)| (n.into(), v.into())).to_vec());
            assert_eq!(bound, wanted, "{channel}");
            allow_all(&mut script);
            assert_eq!(script.take(exchange)[0]["successful"], json!(true));
        }
    }

    // Proves: SV-1
    #[test]
    fn a_service_message_is_for_handlers_alone() {
        let (mut script, client) = connected();
        let other = script.connected();
        for pattern in ["/**", "/service/**", "/service/x"] {
            script.subscribe(&other, pattern);
        }
        add(&mut script, 1, handler("/service/x"));
        add(&mut script, 2, handler("/service/*"));
        add(&mut script, 3, handler("/**"));
        add(&mut script, 4, handler("/service/y"));
        let exchange = script.publish_as(&client, "/service/x", json!(1));
        let asked = ["3", "2", "1"].map(|id| format!("{id} handle /service/x"));
        assert_eq!(allow_all(&mut script), asked);
        assert_eq!(script.take(exchange).as_array().map(Vec::len), Some(1));
        let held = script.connect(&other);
        script.expect_nothing(held);
    }

    // Proves: SV-4, SV-5
    #[test]
    fn a_call_is_answered_by_an_event_that_has_its_id() {
        for successful in [true, false] {
            let (mut script, client) = connected();
            add(&mut script, 1, handler("/service/sum"));
            let call = json!({
                "id": "21", "channel": "/service/sum", "clientId": client.session, "data": [1, 2],
            });
            let exchange = script.post(call);
            script.decide(Verdict::Answer {
                successful,
                data: json!(3).into(),
            });
            let result = json!({
                "id": "21", "channel": "/service/sum", "successful": successful, "data": 3,
            });
            let reply = json!({"id": "21", "channel": "/service/sum", "successful": true});
            script.expect(exchange, json!([result, reply]));
        }
    }
}

mod verdicts {
    use super::*;

    #[test]
    fn a_verdict_means_what_it_says_wherever_it_is_given() {
        let plain = json!([event("/n", json!(1)), published("1")]);
        let deleted = json!([refused("1", "404::message_deleted")]);
        let denied = json!([refused("1", "403:denied_by_security_policy:publish_denied")]);
        let ungranted = json!([refused("1", "403:denied_by_not_granting:publish_denied")]);
        let replaced = json!([event("/n", json!("new")), published("1")]);
        let unheard = json!([published("1")]);
        let mut extended = plain.clone();
        extended[1]["ext"] = json!({"x": 1});
        let mut called = plain.clone();
        called[0] = json!({"id": "1", "channel": "/n", "successful": true, "data": "new"});
        let dropped_reply = json!([event("/n", json!(1))]);

        let policy = || Role::Policy(Operations::ALL);
        type Is = fn(&Subject) -> bool;
        let any: Is = |_| true;
        let is_event: Is = |subject| matches!(subject, Subject::Event(_));
        let is_reply: Is = |subject| matches!(subject, Subject::Reply { .. });
        // For each: what comes of all verdicts but those named.
        type Row<'a> = (Role, Is, &'a Value, &'a [(&'a str, &'a Value)]);
        let table: [Row<'_>; 7] = [
            (
                policy(),
                any,
                &plain,
                &[("deny", &denied), ("drop", &denied)],
            ),
            (
                authorizer("/n"),
                any,
                &ungranted,
                &[("allow", &plain), ("deny", &denied), ("drop", &denied)],
            ),
            (
                Role::Incoming,
                any,
                &plain,
                &[
                    ("deny", &deleted),
                    ("drop", &deleted),
                    ("replace", &replaced),
                ],
            ),
            (
                handler("/n"),
                any,
                &plain,
                &[
                    ("deny", &deleted),
                    ("drop", &deleted),
                    ("replace", &replaced),
                    ("answer", &called),
                ],
            ),
            (
                Role::Outgoing,
                is_event,
                &plain,
                &[
                    ("deny", &deleted),
                    ("drop", &deleted),
                    ("replace event", &replaced),
                ],
            ),
            (
                Role::Outgoing,
                is_reply,
                &plain,
                &[("drop", &dropped_reply), ("extend", &extended)],
            ),
            (
                Role::SessionOutgoing,
                any,
                &plain,
                &[
                    ("deny", &unheard),
                    ("drop", &unheard),
                    ("replace event", &replaced),
                ],
            ),
        ];
        for (role, is, otherwise, named) in table {
            for name in VERDICTS {
                let wanted = named.iter().find(|(other, _)| *other == name);
                let wanted = wanted.map_or(otherwise, |(_, wanted)| *wanted);
                let got = outcome(&role, is, name);
                assert_eq!(got, *wanted, "{role:?}: {name}");
            }
        }
    }

    const VERDICTS: [&str; 9] = [
        "allow",
        "abstain",
        "deny",
        "drop",
        "replace",
        "replace event",
        "extend",
        "admit",
        "answer",
    ];

    fn verdict(name: &str, client: &Client) -> Verdict {
        match name {
            "allow" => Verdict::Allow,
            "abstain" => Verdict::Abstain,
            "deny" => deny(None),
            "drop" => Verdict::Drop,
            "replace" => {
                let mut message = publish(client, 1);
                message["data"] = json!("new");
                replace(message)
            }
            "replace event" => {
                let event = event("/n", json!("new")).to_string();
                Verdict::ReplaceEvent(Event::from_object(event))
            }
            "extend" => Verdict::Extend(extensions(json!({"x": 1}))),
            "admit" => Verdict::Admit(Box::default()),
            "answer" => Verdict::Answer {
                successful: true,
                data: json!("new").into(),
            },
            other => panic!("{other}"),
        }
    }

    /// What a client that is subscribed to `/n` gets for its publish if the first question that
    /// `is` picks is answered in this way, and all others are allowed.
    fn outcome(role: &Role, is: fn(&Subject) -> bool, name: &str) -> Value {
        let mut script = Script::new(Config::default());
        let client = admitted(&mut script, &[1]);
        script.subscribe(&client, "/n");
        add(&mut script, 1, role.clone());
        let exchange = script.post(publish(&client, 1));
        // An event that waits for its verdict does not travel with the response.
        let mut frames = script.try_take(exchange).into_iter().collect::<Vec<_>>();
        let mut given = false;
        while let Some(question) = script.question() {
            let picked = is(&question.subject) && !given;
            given |= picked;
            let name = if picked { name } else { "allow" };
            let verdict = verdict(name, &client);
            script.decide(verdict);
        }
        assert!(given);
        frames.extend(script.try_take(exchange));
        if *role == Role::SessionOutgoing {
            let connect = script.connect_with(&client, json!({"advice": {"timeout": 0}}));
            let mut late = script.take(connect);
            late.as_array_mut().unwrap().pop();
            frames.insert(0, late);
        }
        frames
            .iter()
            .flat_map(|frame| frame.as_array().unwrap())
            .cloned()
            .collect()
    }
}

mod lateness {
    use super::*;

    // Proves: PL-6, ER-7
    #[test]
    fn a_decision_that_comes_too_late_makes_the_message_unavailable_and_is_ignored_then() {
        let roles = [
            Role::Incoming,
            Role::Policy(Operations::ALL),
            authorizer("/**"),
            handler("/**"),
        ];
        for role in roles {
            for channel in ["/n", "/service/x", "/meta/subscribe"] {
                if matches!(role, Role::Handler(_)) && channel.starts_with("/meta") {
                    continue;
                }
                let (mut script, client) = connected();
                script.connect(&client);
                add(&mut script, 1, role.clone());
                let message = json!({
                    "channel": channel, "clientId": client.session, "subscription": "/s",
                });
                let neighbour = json!({"channel": "/service/y", "clientId": client.session});
                let exchange = script.post(json!([message, neighbour]));
                let (late, _) = script.take_question();

                script.after(9_999).expect_nothing(exchange);
                script.after(1);
                let before = counters(&mut script);
                script.fact(Input::Decided {
                    ticket: late,
                    verdict: deny(None),
                });

                let after = counters(&mut script);
                assert_eq!(after.facts_ignored, before.facts_ignored + 1);
                assert_eq!(after.decisions_late, 1);
                allow_all(&mut script);
                let frame = script.take(exchange);
                assert_eq!(
                    frame[0]["error"],
                    json!("503::unavailable"),
                    "{role:?} {channel}"
                );
                assert_eq!(frame[0].get("advice"), None);
                assert_eq!(frame[1]["successful"], json!(true));
            }
        }
    }

    // Proves: ER-7, AD-5
    #[test]
    fn a_handshake_decided_too_late_may_be_tried_again_after_a_wait_drawn_at_random() {
        for role in [Role::Incoming, Role::Policy(Operations::ALL)] {
            let mut script = Script::new(Config::default());
            add(&mut script, 1, role);
            let exchanges: Vec<_> = (0..9).map(|_| script.post(handshake())).collect();
            script.after(10_000);
            let mut waits = std::collections::BTreeSet::new();
            for exchange in exchanges {
                waits.insert(expect_try_later(&mut script, exchange));
            }
            assert!(waits.len() > 4, "{waits:?}");
        }
    }

    // Proves: PL-6
    #[test]
    fn what_is_done_goes_on_without_an_extension_that_does_not_answer() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Outgoing);
        let exchange = script.post(publish(&client, 1));
        script.decide(Verdict::Allow);
        assert_eq!(subject(&mut script), "1 reply");
        script
            .after(10_000)
            .expect(exchange, json!([published("1")]));

        let mut script = Script::new(Config::default());
        let client = admitted(&mut script, &[9]);
        add(&mut script, 9, Role::SessionOutgoing);
        script.subscribe(&client, "/n");
        let held = script.connect(&client);
        script.publish("/n", json!(1));
        script.after(9_999).expect_nothing(held).after(1);
        assert_eq!(script.take(held)[0], event("/n", json!(1)));
    }

    // Proves: PL-6
    #[test]
    fn an_event_that_an_extension_may_have_wanted_to_change_does_not_leave_without_it() {
        let (mut script, client) = connected();
        script.subscribe(&client, "/n");
        add(&mut script, 1, Role::Outgoing);
        let exchange = script.post(publish(&client, 1));
        assert_eq!(subject(&mut script), "1 event");
        script.after(10_000);
        allow_all_but(&mut script, 1);
        script.expect(exchange, json!([refused("1", "503::unavailable")]));
    }

    #[test]
    fn a_verdict_without_question_and_a_second_verdict_are_ignored() {
        let (mut script, client) = connected();
        add(&mut script, 1, Role::Incoming);
        add(&mut script, 2, Role::Incoming);
        let exchange = script.post(publish(&client, 1));
        let (ticket, _) = script.take_question();
        let fact = |verdict| Input::Decided { ticket, verdict };
        script.fact(fact(Verdict::Allow)).fact(fact(Verdict::Drop));
        script.expect_nothing(exchange);
        script.decide(Verdict::Allow).fact(fact(Verdict::Drop));
        script.expect(exchange, json!([published("1")]));
        assert_eq!(counters(&mut script).facts_ignored, 2);
    }

    fn counters(script: &mut Script) -> Counters {
        match script.call(Call::Count) {
            CallResult::Counters(counters) => *counters,
            other => panic!("{other:?}"),
        }
    }
}

mod outage {
    use super::*;

    /// How the store fails.
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Outage {
        /// It has said that it is away.
        Down,
        /// It says no to each request.
        Failed,
        /// It does not answer.
        Silent,
    }

    const OUTAGES: [Outage; 3] = [Outage::Down, Outage::Failed, Outage::Silent];

    impl Outage {
        fn begin(self, script: &mut Script) {
            if self == Self::Down {
                script.notify(Notice::Down);
            }
        }

        /// Lets the requests that are open fail.
        fn strike(self, script: &mut Script) {
            match self {
                Self::Down => assert!(!script.has_store_requests(), "it is asked in vain"),
                Self::Failed => answer_all(script, |_| StoreReply::Failed),
                Self::Silent => {
                    assert!(script.has_store_requests());
                    script.after(5_000);
                    // What it says too late changes nothing.
                    answer_all(script, |_| StoreReply::Done);
                }
            }
        }
    }

    // Proves: ER-7
    #[test]
    fn a_handshake_may_be_tried_again() {
        for outage in OUTAGES {
            let mut script = Script::with_scripted_store(Config::default());
            outage.begin(&mut script);
            let exchange = script.post(handshake());
            outage.strike(&mut script);
            expect_try_later(&mut script, exchange);
            assert_eq!(script.reports(), []);
        }
    }

    // Proves: ER-7
    #[test]
    fn a_session_that_is_late_to_be_kept_is_ended() {
        let mut script = Script::with_scripted_store(Config::default());
        script.post(handshake());
        let (_, open) = script.take_store();
        script.after(5_000);
        let (_, end) = script.take_store();
        match (open, end) {
            (StoreRequest::Open(record), StoreRequest::End { session, fence }) => {
                assert_eq!((record.session, record.fence), (session, fence));
            }
            other => panic!("{other:?}"),
        }
    }

    // Proves: ER-7
    #[test]
    fn publishes_and_subscriptions_are_answered_with_the_error_alone() {
        for outage in OUTAGES {
            for channel in ["/n", "/meta/subscribe", "/meta/unsubscribe"] {
                let (mut script, client) = scripted();
                let session = SessionId::parse(&client.session).unwrap();
                subscribe(&mut script, &client, "/old");
                outage.begin(&mut script);
                let subscription = if channel == "/meta/subscribe" {
                    "/new"
                } else {
                    "/old"
                };
                let message = json!({
                    "id": "1", "channel": channel, "clientId": client.session,
                    "subscription": subscription,
                });
                let exchange = script.post(message);
                outage.strike(&mut script);
                let reply = json!({
                    "id": "1", "channel": channel, "successful": false,
                    "subscription": subscription, "error": "503::unavailable",
                });
                script.expect(exchange, json!([reply]));
                let CallResult::Session(view) = script.call(Call::Inspect { session }) else {
                    panic!("the session is gone")
                };
                assert!(!view.subscriptions.contains(&"/new".parse().unwrap()));
            }
        }
    }

    // Proves: ER-7
    #[test]
    fn an_unsubscription_that_failed_can_be_repeated() {
        for outage in OUTAGES {
            let (mut script, client) = scripted();
            subscribe(&mut script, &client, "/n");
            let message = json!({
                "id": "1", "channel": "/meta/unsubscribe", "clientId": client.session,
                "subscription": "/n",
            });
            outage.begin(&mut script);
            let exchange = script.post(message.clone());
            outage.strike(&mut script);
            assert_eq!(script.take(exchange)[0]["successful"], json!(false));
            script.notify(Notice::Up {
                position: Position::ZERO,
            });

            let exchange = script.post(message);

            let (ticket, request) = script.take_store();
            assert!(
                matches!(request, StoreRequest::Unsubscribe { .. }),
                "{request:?}"
            );
            script.stored(ticket, StoreReply::Done);
            assert_eq!(script.take(exchange)[0]["successful"], json!(true));
        }
    }

    // Proves: ER-7
    #[test]
    fn a_session_that_is_here_connects_calls_and_leaves_as_ever() {
        for outage in OUTAGES {
            let (mut script, client) = scripted();
            outage.begin(&mut script);
            let held = script.connect(&client);
            script.expect_nothing(held);
            let service = script.publish_as(&client, "/service/x", json!(1));
            assert_eq!(script.take(service)[0]["successful"], json!(true));
            let bye = json!({"channel": "/meta/disconnect", "clientId": client.session});
            let exchange = script.post(bye);
            assert_eq!(script.take(held)[0]["advice"], json!({"reconnect": "none"}));
            outage.strike(&mut script);
            script.expect(
                exchange,
                json!([{"channel": "/meta/disconnect", "successful": true}]),
            );
        }
    }

    // Proves: ER-7, DC-6
    #[test]
    fn a_socket_whose_session_left_during_an_outage_is_closed_in_time() {
        for outage in OUTAGES {
            let (mut script, client) = scripted();
            let socket = script.open(Transport::WebSocket);
            outage.begin(&mut script);
            let bye = json!({"channel": "/meta/disconnect", "clientId": client.session});
            script.send(socket, bye);
            outage.strike(&mut script);
            assert_eq!(script.take(socket)[0]["successful"], json!(true));
            script.after(5_000).expect_closed(socket, CloseReason::Idle);
        }
    }

    // Proves: ER-7
    #[test]
    fn a_connect_that_would_have_to_be_handed_over_ends_as_a_whole_and_never_with_402() {
        for outage in OUTAGES {
            for transport in [Transport::LongPolling, Transport::WebSocket] {
                let mut script = Script::with_scripted_store(Config::default());
                outage.begin(&mut script);
                let connection = script.open(transport);
                script.send(
                    connection,
                    json!({"channel": "/meta/connect", "clientId": ELSEWHERE}),
                );
                outage.strike(&mut script);
                script.expect_closed(connection, CloseReason::Unavailable);
                assert_eq!(script.try_take(connection), None);
            }
        }
        assert_eq!(CloseReason::Unavailable.http_status(500), 503);
        assert_eq!(CloseReason::Unavailable.close_code(), 1013);
    }

    // Proves: ER-7
    #[test]
    fn messages_that_would_have_to_be_handed_over_are_unavailable() {
        for outage in OUTAGES {
            let mut script = Script::with_scripted_store(Config::default());
            outage.begin(&mut script);
            let messages = ["/n", "/meta/subscribe"].map(
                |channel| json!({"channel": channel, "clientId": ELSEWHERE, "subscription": "/n"}),
            );
            let exchange = script.post(json!(messages));
            outage.strike(&mut script);
            let frame = script.take(exchange);
            for reply in frame.as_array().unwrap() {
                assert_eq!(reply["error"], json!("503::unavailable"));
                assert_eq!(reply.get("advice"), None);
            }
        }
    }

    // Proves: ER-7
    #[test]
    fn a_call_whose_result_cannot_be_kept_is_unavailable() {
        for outage in [Outage::Failed, Outage::Silent] {
            let (mut script, client) = scripted();
            add(&mut script, 1, handler("/service/x"));
            let call = json!({
                "id": "1", "channel": "/service/x", "clientId": client.session, "data": 1,
            });
            let exchange = script.post(call);
            script.decide(Verdict::Answer {
                successful: true,
                data: Payload::null(),
            });
            outage.strike(&mut script);
            assert_eq!(script.take(exchange)[0]["error"], json!("503::unavailable"));
        }
    }

    // Proves: ER-7
    #[test]
    fn the_application_is_told_that_the_store_is_away() {
        for outage in OUTAGES {
            let (mut script, client) = scripted();
            let session = SessionId::parse(&client.session).unwrap();
            subscribe(&mut script, &client, "/n");
            script.connect(&client);
            outage.begin(&mut script);
            let (channel, data) = ("/n".parse().unwrap(), Payload::null());
            let pattern = || "/n".parse().unwrap();
            let calls = [
                Call::Publish {
                    channel,
                    data: data.clone(),
                    ext: None,
                    laziness: Laziness::Prompt,
                },
                Call::Deliver {
                    session,
                    channel: "/n".parse().unwrap(),
                    data,
                    laziness: Laziness::Prompt,
                },
                Call::Subscribe {
                    session,
                    pattern: "/new".parse().unwrap(),
                },
                Call::Unsubscribe {
                    session,
                    pattern: pattern(),
                },
            ];
            for call in calls {
                let name = format!("{call:?}");
                let ticket = script.call_later(call);
                outage.strike(&mut script);
                let result = script.result(ticket);
                assert_eq!(result, Some(CallResult::Unavailable), "{outage:?} {name}");
            }
        }
    }

    // Proves: ER-7, AD-6
    #[test]
    fn holds_stay_held_while_the_store_is_away_and_nobody_is_told_to_stop() {
        let (mut script, client) = scripted();
        subscribe(&mut script, &client, "/n");
        let held = script.connect(&client);
        script
            .notify(Notice::Down)
            .after(20_000)
            .expect_nothing(held);
        script.notify(Notice::Up {
            position: Position::ZERO,
        });
        script.expect_nothing(held).after(10_000);
        let reply = script.take(held);
        assert_eq!(reply[0]["successful"], json!(true));
        assert_eq!(reply[0].get("advice"), None);
    }

    /// A session that no engine has given out here.
    const ELSEWHERE: &str = "0123456789abcdefghijklmno";

    /// A client that has connected, and a store that does nothing by itself.
    fn scripted() -> (Script, Client) {
        let mut script = Script::with_scripted_store(Config::default());
        let exchange = script.post(handshake());
        answer_all(&mut script, |_| StoreReply::Done);
        let reply = script.take(exchange);
        let client = Client {
            session: reply[0]["clientId"].as_str().unwrap().to_owned(),
            transport: Transport::LongPolling,
            socket: None,
            peer: <_>::default(),
        };
        script.first_connect(&client);
        script.reports();
        (script, client)
    }

    fn subscribe(script: &mut Script, client: &Client, pattern: &str) {
        let message = json!({
            "channel": "/meta/subscribe", "clientId": client.session, "subscription": pattern,
        });
        let exchange = script.post(message);
        answer_all(script, |_| StoreReply::Done);
        assert_eq!(script.take(exchange)[0]["successful"], json!(true));
    }

    fn answer_all(script: &mut Script, reply: fn(&StoreRequest) -> StoreReply) {
        while script.has_store_requests() {
            let (ticket, request): (StoreTicket, _) = script.take_store();
            script.stored(ticket, reply(&request));
        }
    }
}

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
    let session = script.take(exchange)[0]["clientId"]
        .as_str()
        .unwrap()
        .to_owned();
    let client = Client {
        session,
        transport: Transport::LongPolling,
        socket: None,
        peer: <_>::default(),
    };
    script.first_connect(&client);
    client
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

/// A publish of `client` to `/n` with this number as id and data.
fn publish(client: &Client, number: u64) -> Value {
    json!({
        "id": number.to_string(), "channel": "/n", "clientId": client.session, "data": number,
    })
}

fn published(id: &str) -> Value {
    json!({"id": id, "channel": "/n", "successful": true})
}

fn refused(id: &str, error: &str) -> Value {
    json!({"id": id, "channel": "/n", "successful": false, "error": error})
}
