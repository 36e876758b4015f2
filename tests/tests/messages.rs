//! What one client sees of its own messages: frames, fields, channels, errors, small extensions.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

use std::time::Duration;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Activity, ActivityMode, Call, CallResult, Characters, CloseReason, Config, ConnectionId,
    DecodeLimits, Grammar, Messages, Phase, Removal, ReportKind, SessionId, StoreReply,
    StoreRequest, Transport,
};
use serde_json::{Value, json};

mod model {
    use super::*;

    // Proves: MO-1
    #[test]
    fn a_session_outlives_every_connection_that_carries_it() {
        let mut script = Script::new(Config::default());
        let polling = script.connected();
        let socket = script.open(Transport::WebSocket);
        let on_socket = Client {
            transport: Transport::WebSocket,
            socket: Some(socket),
            ..polling.clone()
        };

        script.subscribe(&on_socket, "/news");
        let held = script.connect(&polling);
        script.publish("/news", json!(1));
        script.expect(held, json!([event("/news", json!(1)), connected("4")]));
        script.connect(&on_socket);
        script.publish("/news", json!(2));
        let pushed = script.take(socket);
        script.close(socket);
        script.publish("/news", json!(3));
        let again = script.connect(&polling);

        assert_eq!(pushed, json!([event("/news", json!(2))]));
        let last = script.take(again);
        assert_eq!(last[0], event("/news", json!(3)));
        assert_eq!(last[1]["successful"], json!(true));
    }

    // Proves: MO-2
    #[test]
    fn a_session_is_handshaken_then_connected_then_gone_for_good() {
        for end in [Removal::Disconnected, Removal::Expired] {
            let mut script = Script::new(Config::default());
            let client = script.handshaken();
            let id = SessionId::parse(&client.session).unwrap();

            assert_eq!(script.reports(), [ReportKind::SessionCreated(id)]);
            assert_eq!(phase(&mut script, id), Some(Phase::Fresh));
            script.first_connect(&client);
            assert_eq!(script.reports(), [ReportKind::SessionConnected(id)]);
            assert_eq!(phase(&mut script, id), Some(Phase::Away));
            let held = script.connect(&client);
            assert_eq!(phase(&mut script, id), Some(Phase::Held));
            if end == Removal::Expired {
                script.close(held).after(10_000);
            } else {
                post(
                    &mut script,
                    json!({"channel": "/meta/disconnect", "clientId": client.session}),
                );
            }
            assert_eq!(script.reports(), [ReportKind::SessionRemoved(id, end)]);
            assert_eq!(phase(&mut script, id), None);

            let connect = script.connect(&client);
            let reply = script.take(connect);
            assert_eq!(reply[0]["error"], json!("402::session_unknown"));
            assert_eq!(script.reports(), []);
        }
    }

    // Proves: MO-2
    #[test]
    fn a_session_without_any_grace_expires_in_the_moment_it_is_answered() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        let session = SessionId::parse(&client.session).unwrap();
        script.reports();
        let zero = Some(Duration::ZERO);
        script.call(Call::Configure {
            session,
            timeout: zero,
            interval: zero,
            max_interval: zero,
        });

        let connect = script.write_by_hand().connect(&client);

        assert_eq!(script.take(connect)[0]["successful"], json!(true));
        let expired = ReportKind::SessionRemoved(session, Removal::Expired);
        assert_eq!(script.reports(), [expired]);
    }

    // Proves: MO-5
    #[test]
    fn an_event_comes_once_and_with_acknowledgement_until_it_is_acknowledged() {
        let mut script = Script::new(Config::default());
        let plain = script.connected();
        let safe = script.connected_over(Transport::LongPolling, json!({"ack": true}));
        for client in [&plain, &safe] {
            script.subscribe(client, "/news");
        }
        for data in [1, 2] {
            script.publish("/news", json!(data));
        }
        let events = [event("/news", json!(1)), event("/news", json!(2))];

        // Each response is written and yet, as far as the client is concerned, lost.
        for _ in 0..2 {
            let lost = script.connect_with(&safe, json!({"ext": {"ack": 0}}));
            let frame = script.take(lost);
            assert_eq!(frame.as_array().unwrap()[..2], events);
        }
        let acknowledged = script.connect_with(&safe, json!({"ext": {"ack": 1}}));
        assert_eq!(script.take(acknowledged)[0], events[1]);
        let lost = script.connect(&plain);
        assert_eq!(script.take(lost).as_array().unwrap()[..2], events);
        let again = script.connect(&plain);
        script.expect_nothing(again);
    }

    // Proves: MO-6
    #[test]
    fn a_batch_of_publishes_is_handed_over_at_once_and_answered_in_order_once_all_is_stored() {
        let (mut script, client) = with_scripted_store();
        let batch: Vec<_> = (0..3).map(|n| publish(&client, n)).collect();

        let exchange = script.post(json!(batch));

        let stores: Vec<_> = (0..3).map(|_| script.take_store()).collect();
        let data: Vec<_> = stores
            .iter()
            .map(|(_, request)| appended(request))
            .collect();
        assert_eq!(data, ["0", "1", "2"]);
        for (position, at) in [(3, 2), (1, 0)] {
            script.expect_nothing(exchange);
            script.stored(stores[at].0, StoreReply::Appended(position_of(position)));
        }
        script.expect_nothing(exchange);
        script.stored(stores[1].0, StoreReply::Failed);
        let replies = [
            published("0"),
            refused("1", "503::unavailable"),
            published("2"),
        ];
        script.expect(exchange, json!(replies));
    }

    // Proves: MO-6
    #[test]
    fn a_session_has_64_publishes_with_the_store_and_no_more() {
        let (mut script, client) = with_scripted_store();
        let batch: Vec<_> = (0..66).map(|n| publish(&client, n)).collect();

        let first = script.post(json!(batch));
        let mut stores: Vec<_> = std::iter::from_fn(|| take_store(&mut script)).collect();
        assert_eq!(stores.len(), 64);
        let second = script.post(publish(&client, 99));
        assert!(
            !script.has_store_requests(),
            "another request of the session waits too"
        );

        let mut stored = 0;
        while !stores.is_empty() {
            let (ticket, _) = stores.remove(0);
            stored += 1;
            script.stored(ticket, StoreReply::Appended(position_of(stored)));
            stores.extend(take_store(&mut script));
            assert!(!script.has_store_requests(), "one goes as one comes back");
        }
        assert_eq!(stored, 67);
        assert_eq!(script.take(first).as_array().map(Vec::len), Some(66));
        script.expect(second, json!([published("99")]));
    }

    // Proves: MO-6
    #[test]
    fn a_socket_is_read_no_further_while_the_store_is_behind() {
        let (mut script, client) = with_scripted_store();
        let socket = script.open(Transport::WebSocket);
        let batch: Vec<_> = (0..65).map(|n| publish(&client, n)).collect();
        script.send(socket, publish(&client, 1));
        assert!(script.is_asked(socket));

        script.send(socket, json!(batch));

        assert!(!script.is_asked(socket));
        for number in 1..=3 {
            let (ticket, _) = script.take_store();
            script.stored(ticket, StoreReply::Appended(position_of(number)));
        }
        assert!(script.is_asked(socket));
    }

    // Proves: MO-7
    #[test]
    fn a_session_is_served_on_two_exchanges_at_once() {
        let mut script = Script::new(Config::default());
        let (alice, bob) = (script.connected(), script.connected());
        script.subscribe(&alice, "/a").subscribe(&bob, "/b");
        let held = script.connect_with(&alice, json!({"id": "c"}));

        let exchange = script.publish_as(&alice, "/b", json!(1));

        assert_eq!(script.take(exchange)[0]["successful"], json!(true));
        script.expect_nothing(held);
        let other = script.publish_as(&bob, "/a", json!(2));
        script.take(other);
        script.expect(held, json!([event("/a", json!(2)), connected("c")]));
    }

    fn phase(script: &mut Script, session: SessionId) -> Option<Phase> {
        match script.call(Call::Inspect { session }) {
            CallResult::Session(view) => Some(view.phase),
            other => {
                assert_eq!(other, CallResult::Unknown);
                None
            }
        }
    }
}

mod framing {
    use super::*;

    // Proves: FR-2
    #[test]
    fn even_one_answer_stands_in_an_array() {
        let mut script = Script::new(Config::default());
        for transport in [
            Transport::LongPolling,
            Transport::CallbackPolling,
            Transport::WebSocket,
        ] {
            let connection = script.open(transport);
            script.send(connection, json!({"channel": "/a"}));
            let answer = [json!({"channel": "/a", "successful": false, "error": UNKNOWN})];
            script.expect(connection, json!(answer));
        }
        let client = script.connected_over(Transport::WebSocket, Value::Null);
        script.subscribe(&client, "/a").publish("/a", json!(1));
        let socket = client.socket.unwrap();
        script.expect(socket, json!([event("/a", json!(1))]));
    }

    // Proves: FR-4
    #[test]
    fn an_empty_frame_is_ignored_on_a_socket() {
        let mut script = Script::new(Config::default());
        let socket = script.open(Transport::WebSocket);

        script.receive(socket, Messages::default());

        script.expect_nothing(socket);
        script.send(socket, json!({"channel": "/a", "id": "1"}));
        assert_eq!(script.take(socket)[0]["id"], json!("1"));
    }

    // Proves: FR-5
    #[test]
    fn what_is_published_arrives_to_the_byte() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        script.subscribe(&client, "/a");
        let data = concat!(
            r#"{"z":1.0,"a":1,"big":18446744073709551615,"nano":-1700000000123456789,"#,
            r#""exact":0.1000,"e":1E5,"zero":-0,"long":123456789012345678901234567890,"#,
            r#""text":"\u00e9\/é","list":[ 1 ,{}],"":null}"#
        );
        let frame = format!(
            r#"{{"ext":{{"t":1.50}},"data":{data},"own":1e2,"channel":"/a","clientId":"{}"}}"#,
            client.session
        );

        let exchange = send_text(&mut script, &frame);

        let sent = script.take_bytes(exchange).unwrap();
        let event = format!(r#"{{"channel":"/a","data":{data},"ext":{{"t":1.50}},"own":1e2}}"#);
        let reply = r#"{"channel":"/a","successful":true}"#;
        assert_eq!(String::from_utf8_lossy(&sent), format!("[{event},{reply}]"));
    }
}

mod fields {
    use super::*;

    // Proves: FI-1
    #[test]
    fn a_message_without_channel_is_refused_without_channel() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        let channels = [None, Some(json!(null)), Some(json!(7)), Some(json!(["/a"]))];
        for channel in channels {
            let mut message = json!({"id": "9", "clientId": client.session, "data": 1});
            if let Some(channel) = channel {
                message["channel"] = channel;
            }
            let neighbour = publish(&client, 10);

            let exchange = script.post(json!([message, neighbour]));

            let error = json!({"id": "9", "successful": false, "error": "400::channel_missing"});
            script.expect(exchange, json!([error, published("10")]));
        }
    }

    // Proves: FI-2
    #[test]
    fn an_id_is_echoed_as_it_came() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        let table = [
            (r#","id":"7""#, r#""id":"7","#, true),
            (r#","id":7"#, r#""id":7,"#, true),
            (r#","id":-1.50"#, r#""id":-1.50,"#, true),
            (
                r#","id":18446744073709551616"#,
                r#""id":18446744073709551616,"#,
                true,
            ),
            (
                r#","id":"5f0c-11 \u00e9""#,
                r#""id":"5f0c-11 \u00e9","#,
                true,
            ),
            (r#","id":"""#, r#""id":"","#, true),
            ("", "", true),
            (r#","id":null"#, "", true),
            (r#","id":true"#, "", false),
            (r#","id":{}"#, "", false),
            (r#","id":["1"]"#, "", false),
        ];
        for (id, echo, is_accepted) in table {
            let frame = format!(r#"{{"channel":"/a","clientId":"{}"{id}}}"#, client.session);
            let exchange = send_text(&mut script, &frame);
            let sent = script.take_bytes(exchange).unwrap();
            let outcome = if is_accepted {
                r#""successful":true"#
            } else {
                r#""successful":false,"error":"405::message_id_invalid""#
            };
            let reply = format!(r#"[{{{echo}"channel":"/a",{outcome}}}]"#);
            assert_eq!(String::from_utf8_lossy(&sent), reply, "{id}");
        }
    }

    // Proves: FI-3
    #[test]
    fn everything_but_the_handshake_needs_a_client_id() {
        let mut script = Script::new(Config::default());
        for client_id in [None, Some(json!(null)), Some(json!(1)), Some(json!("gone"))] {
            for channel in ["/meta/connect", "/meta/subscribe", "/meta/disconnect", "/a"] {
                let mut message = json!({"channel": channel, "subscription": "/a"});
                if let Some(client_id) = &client_id {
                    message["clientId"] = client_id.clone();
                }
                let reply = post(&mut script, message);
                assert_eq!(reply[0]["error"], json!(UNKNOWN), "{channel} {client_id:?}");
            }
        }
    }

    // Proves: FI-3
    #[test]
    fn the_client_id_is_echoed_only_by_the_option() {
        for echo_client_id in [false, true] {
            let mut script = Script::new(Config {
                echo_client_id,
                ..Config::default()
            });
            let client = script.handshaken();
            let session = &client.session;
            let connect = script.first_connect(&client)[0].clone();
            let subscription =
                json!({"channel": "/meta/subscribe", "clientId": session, "subscription": "/a"});
            let others = [
                subscription,
                json!({"channel": "/a", "clientId": session}),
                json!({"channel": "/a//b", "clientId": session}),
                json!({"channel": "/meta/disconnect", "clientId": session}),
            ];
            for message in others {
                let replies = post(&mut script, message);
                let reply = replies.as_array().unwrap().last().unwrap();
                let wanted = echo_client_id.then_some(session.as_str());
                assert_eq!(
                    reply.get("clientId").and_then(Value::as_str),
                    wanted,
                    "{reply}"
                );
            }
            assert_eq!(connect.get("clientId").is_some(), echo_client_id);
        }
    }

    // Proves: FI-4, PB-3, PB-4
    #[test]
    fn an_event_has_data_and_a_reply_has_none() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        script.subscribe(&client, "/a");
        let data = [
            json!(""),
            json!(0),
            json!(false),
            json!(null),
            json!([]),
            json!({}),
        ];
        for data in data {
            let message =
                json!({"id": "1", "channel": "/a", "clientId": client.session, "data": data});
            let frame = post(&mut script, message);
            let reply = json!({"id": "1", "channel": "/a", "successful": true});
            assert_eq!(frame, json!([event("/a", data), reply]));
        }
        let frame = post(
            &mut script,
            json!({"channel": "/a", "clientId": client.session}),
        );
        assert_eq!(frame[0], event("/a", json!(null)));
    }

    // Proves: FI-5, FI-6
    #[test]
    fn subscribers_see_what_is_meant_for_them_and_no_secrets() {
        let mut script = Script::new(Config {
            strip_ext: vec!["token".into()],
            ..Config::default()
        });
        let (alice, bob) = (script.connected(), script.connected());
        script.subscribe(&bob, "/a");
        let held = script.connect(&bob);
        let message = json!({
            "id": "7", "channel": "/a", "clientId": alice.session, "data": 1, "successful": true,
            "error": "x", "advice": {"reconnect": "none"}, "subscription": "/a",
            "connectionType": "websocket", "version": "1.0", "minimumVersion": "1.0",
            "supportedConnectionTypes": ["x"], "x-messages": 9, "lazy": true,
            "timestamp": "now", "ext": {"token": "sesame", "trace": 5}, "own": {"n": 1},
        });

        post(&mut script, message);

        let event = json!({
            "channel": "/a", "data": 1, "ext": {"trace": 5}, "timestamp": "now", "own": {"n": 1},
        });
        assert_eq!(script.take(held)[0], event);
        let only = json!({"channel": "/a", "clientId": alice.session, "ext": {"token": "sesame"}});
        post(&mut script, only);
        let next = script.connect(&bob);
        assert_eq!(script.take(next)[0], json!({"channel": "/a", "data": null}));
    }

    // Proves: FI-7
    #[test]
    fn advice_and_ext_of_the_wrong_type_count_as_absent() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        script.subscribe(&client, "/n");
        for wrong in [json!(1), json!("x"), json!([]), json!(null), json!(true)] {
            let message = json!({
                "id": "1", "channel": "/n", "clientId": client.session, "data": 1, "ext": wrong,
                "advice": wrong,
            });
            let neighbour = publish(&client, 2);
            let frame = post(&mut script, json!([message, neighbour]));
            let wanted = [
                event("/n", json!(1)),
                event("/n", json!(2)),
                published("1"),
                published("2"),
            ];
            let frame: Vec<_> = frame.as_array().unwrap().iter().collect();
            assert_eq!(frame, wanted.iter().collect::<Vec<_>>(), "{wrong}");
            let held = script.connect_with(&client, json!({"ext": wrong, "advice": wrong}));
            script.expect_nothing(held);
        }
    }

    // Proves: FI-8, CH-3
    #[test]
    fn replies_name_the_channel_as_sent_and_events_by_its_normal_form() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        for raw in ["/a", "/a/", " /a", "/a \t", "\t/a/ "] {
            let session = &client.session;
            let subscribe = json!({
                "id": "s", "channel": "/meta/subscribe", "clientId": session, "subscription": raw,
            });
            let reply = post(&mut script, subscribe);
            let wanted = json!({
                "id": "s", "channel": "/meta/subscribe", "successful": true, "subscription": raw,
            });
            assert_eq!(reply, json!([wanted]));

            let publish = json!({"id": "p", "channel": raw, "clientId": session, "data": 1});
            let frame = post(&mut script, publish);
            let reply = json!({"id": "p", "channel": raw, "successful": true});
            assert_eq!(
                frame,
                json!([event("/a", json!(1)), reply]),
                "one event, {raw:?}"
            );
        }
        let refused = json!({"id": "p", "channel": "/a//b ", "clientId": client.session});
        let reply = json!({
            "id": "p", "channel": "/a//b ", "successful": false, "error": "405::channel_invalid",
        });
        assert_eq!(post(&mut script, refused), json!([reply]));
    }
}

mod channels {
    use super::*;

    // Proves: CH-1, CH-2, CH-5, CH-11, CH-12, PB-5
    #[test]
    fn a_bad_name_is_refused_alone_in_channel_and_in_subscription() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        let (long, longest) = (
            format!("/{}", "x".repeat(1024)),
            format!("/{}", "x".repeat(1023)),
        );
        let (deep, deepest) = ("/x".repeat(33), "/x".repeat(32));
        let bad = [
            "", "/", "//", "a", "a/b", "/a//b", "/a//", "/é", "/a?b", "/a=b", "/a&b", "/a,b",
            "/a:b", "/a%20b", "/a\tb", "/a\"b", "/meta", "/service", "/meta/", "/a/*/b", "/a/**/b",
            "/**/b", &long, &deep,
        ];
        for name in bad {
            let (channel, subscription) = both(&mut script, &client, name);
            assert_eq!(channel, Some(json!("405::channel_invalid")), "{name:?}");
            assert_eq!(
                subscription,
                Some(json!("403::subscription_invalid")),
                "{name:?}"
            );
        }
        for name in [
            "/a",
            "/A b!#$()+-.@_{~}0",
            "/a*",
            "/***",
            "/a*/b",
            &longest,
            &deepest,
        ] {
            assert_eq!(both(&mut script, &client, name), (None, None), "{name:?}");
        }
        for name in ["/a/*", "/a/**", "/*", "/**"] {
            let (channel, subscription) = both(&mut script, &client, name);
            assert_eq!(channel, Some(json!("405::channel_invalid")), "{name:?}");
            assert_eq!(subscription, None, "{name:?}");
        }
    }

    // Proves: CH-2
    #[test]
    fn wider_characters_are_allowed_by_the_option() {
        let mut script = Script::new(Config {
            grammar: Grammar {
                characters: Characters::Wide,
                ..Grammar::default()
            },
            ..Config::default()
        });
        let client = script.connected();
        for name in ["/topic/X?field=value", "/é", "/a%b:c,d&e"] {
            assert_eq!(both(&mut script, &client, name), (None, None), "{name:?}");
        }
        let (channel, _) = both(&mut script, &client, "/a\tb");
        assert_eq!(channel, Some(json!("405::channel_invalid")));
    }

    // Proves: CH-4, ER-2, PB-6
    #[test]
    fn only_the_five_exact_names_are_operations() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        let denied = "403:denied_by_security_policy:channel_create_denied";
        for name in [
            "/meta/connect/",
            " /meta/connect",
            "/meta/disconnect ",
            "/meta/Connect",
            "/meta/x",
            "/meta/connect/x",
            "/meta/handshake/",
        ] {
            let message = json!({"channel": name, "clientId": client.session, "data": 1});
            let reply = post(&mut script, message);
            let wanted = json!({"channel": name, "successful": false, "error": denied});
            assert_eq!(reply, json!([wanted]), "{name:?}");
        }
        let held = script.connect(&client);
        script.expect_nothing(held);
        assert_eq!(both(&mut script, &client, "/services/a"), (None, None));
        assert_eq!(both(&mut script, &client, "/a/meta/connect"), (None, None));
    }

    // Proves: CH-6, CH-9, CH-12, PB-11
    #[test]
    fn a_pattern_reaches_as_far_as_it_says() {
        let table: [(&str, &[&str]); 8] = [
            ("/a", &["/a"]),
            ("/a/*", &["/a/b", "/a/B"]),
            ("/a/**", &["/a/b", "/a/B", "/a/b/c"]),
            ("/*", &["/a", "/A"]),
            ("/**", &["/a", "/A", "/a/b", "/a/B", "/a/b/c"]),
            ("/a/b", &["/a/b"]),
            ("/service/x", &[]),
            ("/service/**", &[]),
        ];
        for (pattern, reached) in table {
            let mut script = Script::new(Config::default());
            let (alice, bob) = (script.connected(), script.connected());
            script.subscribe(&alice, pattern);
            for name in ["/a", "/A", "/a/b", "/a/B", "/a/b/c", "/service/x"] {
                let exchange = script.publish_as(&bob, name, json!(1));
                assert_eq!(script.take(exchange)[0]["successful"], json!(true));
            }
            let connect = script.connect_with(&alice, json!({"advice": {"timeout": 0}}));
            let frame = script.take(connect);
            let events = frame.as_array().unwrap().iter();
            let events = events.filter(|message| message.get("data").is_some());
            let channels: Vec<_> = events
                .filter_map(|event| event["channel"].as_str())
                .collect();
            assert_eq!(channels, reached, "{pattern}");
        }
    }

    // Proves: CH-7
    #[test]
    fn overlapping_patterns_bring_an_event_once() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        for pattern in ["/a/b/c", "/a/b/*", "/a/b/**", "/a/**", "/**"] {
            script.subscribe(&client, pattern);
        }
        let exchange = script.publish_as(&client, "/a/b/c", json!(1));
        let frame = script.take(exchange);
        assert_eq!(frame.as_array().map(Vec::len), Some(2), "{frame}");
    }

    // Proves: CH-10
    #[test]
    fn a_remote_subscription_to_a_template_is_to_its_literal_name() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        script.subscribe(&client, "/a/{x}");
        let held = script.connect_with(&client, json!({"id": "c"}));

        script.publish("/a/1", json!(1));
        script.expect_nothing(held);
        script.publish("/a/{x}", json!(2));

        script.expect(held, json!([event("/a/{x}", json!(2)), connected("c")]));
    }

    // Proves: CH-13
    #[test]
    fn a_channel_that_nobody_uses_vanishes_after_three_sweeps_and_comes_again() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        let created = || ReportKind::ChannelCreated("/a".parse().unwrap());
        let removed = || ReportKind::ChannelRemoved("/a".parse().unwrap());
        script.reports();

        let exchange = script.at(1_000).publish_as(&client, "/a", json!(1));
        script.take(exchange);
        assert_eq!(script.reports(), [created()]);
        let exchange = script.at(3_000).publish_as(&client, "/a", json!(1));
        script.take(exchange);
        script.at(5_990);
        assert_eq!(script.reports(), [], "it was used in between");
        script.at(5_991);
        assert_eq!(script.reports(), [removed()]);

        script.subscribe(&client, "/a");
        let held = script.connect(&client);
        script.at(30_000).expect_nothing(held);
        assert_eq!(script.reports().first(), Some(&created()));
        script.publish("/a", json!(1));
        assert_eq!(script.take(held)[0], event("/a", json!(1)));
        let unsubscribe = json!({
            "channel": "/meta/unsubscribe", "clientId": client.session, "subscription": "/a",
        });
        post(&mut script, unsubscribe);
        script.reports();
        script.at(32_990);
        assert_eq!(script.reports(), []);
        script.at(32_991);
        assert_eq!(script.reports(), [removed()]);
    }

    /// The errors of a publish to `name` and of a subscription to it, in one batch with a
    /// neighbour.
    fn both(script: &mut Script, client: &Client, name: &str) -> (Option<Value>, Option<Value>) {
        let session = &client.session;
        let batch = json!([
            {"id": "p", "channel": name, "clientId": session, "data": 1},
            {"id": "s", "channel": "/meta/subscribe", "clientId": session, "subscription": name},
            {"id": "u", "channel": "/meta/unsubscribe", "clientId": session, "subscription": name},
            {"id": "n", "channel": "/neighbour", "clientId": session, "data": 1},
        ]);
        let frame = post(script, batch);
        let replies: Vec<_> = frame.as_array().unwrap().iter().collect();
        let of = |id: &str| {
            let is_reply = |message: &&&Value| message.get("id") == Some(&json!(id));
            let reply = replies.iter().find(is_reply).unwrap();
            assert_eq!(reply["successful"], json!(reply.get("error").is_none()));
            reply.get("error").cloned()
        };
        assert_eq!(of("n"), None);
        assert_eq!(of("s"), of("u"), "{name:?}");
        (of("p"), of("s"))
    }
}

mod pipeline {
    use super::*;

    // Proves: PL-1
    #[test]
    fn a_message_is_validated_before_its_session_is_looked_at() {
        let mut script = Script::new(Config::default());
        let table = [
            (json!({"clientId": "gone"}), "400::channel_missing"),
            (
                json!({"channel": "/a", "id": {}, "clientId": "gone"}),
                "405::message_id_invalid",
            ),
            (
                json!({"channel": "/a//b", "clientId": "gone"}),
                "405::channel_invalid",
            ),
            (json!({"channel": "/a", "clientId": "gone"}), UNKNOWN),
        ];
        for (message, error) in table {
            let reply = post(&mut script, message);
            assert_eq!(reply[0]["error"], json!(error));
        }
    }

    // Proves: PL-2
    #[test]
    fn validation_can_be_switched_off() {
        let mut script = Script::new(Config {
            validate_message_fields: false,
            ..Config::default()
        });
        let client = script.connected();
        let message = json!({"channel": "/é?", "id": {}, "clientId": client.session, "data": 1});
        let reply = post(&mut script, message);
        assert_eq!(reply, json!([{"channel": "/é?", "successful": true}]));
        script.subscribe(&client, "/é?/*");
        let empty = json!({"channel": "/a//b", "clientId": client.session});
        let reply = post(&mut script, empty);
        assert_eq!(
            reply[0]["error"],
            json!("405::channel_invalid"),
            "CH-1 always holds"
        );
    }

    // Proves: PL-3
    #[test]
    fn an_unknown_session_and_a_foreign_one_cannot_be_told_apart() {
        let mut script = Script::new(Config::default());
        let (alice, bob) = (script.connected(), script.connected());
        let unknown = "0123456789abcdefghijklmno";
        let terminated = script.connected();
        post(
            &mut script,
            json!({"channel": "/meta/disconnect", "clientId": terminated.session}),
        );
        let table = [
            ("/meta/connect", true),
            ("/meta/subscribe", false),
            ("/meta/unsubscribe", false),
            ("/meta/disconnect", false),
            ("/a", false),
            ("/service/a", false),
        ];
        for session in [unknown, &bob.session, &terminated.session, ""] {
            for (channel, has_advice) in table {
                let first = publish(&alice, 1);
                let message = json!({
                    "id": "2", "channel": channel, "clientId": session, "subscription": "/a",
                });
                let reply = post(&mut script, json!([first, message]))[1].clone();
                let mut wanted = json!({
                    "id": "2", "channel": channel, "successful": false, "error": UNKNOWN,
                    "subscription": "/a",
                });
                if has_advice {
                    let advice =
                        json!({"reconnect": "handshake", "interval": 0, "timeout": 30_000});
                    wanted["advice"] = advice;
                }
                assert_eq!(reply, wanted, "{session:?} {channel}");
            }
        }
        let held = script.connect(&bob);
        script.expect_nothing(held);
    }

    // Proves: PL-9
    #[test]
    fn a_handshaken_session_may_do_everything_but_with_meta_channels() {
        let mut script = Script::new(Config::default());
        let client = script.handshaken();
        for name in ["/a", "/service/a"] {
            let exchange = script.publish_as(&client, name, json!(1));
            assert_eq!(script.take(exchange)[0]["successful"], json!(true));
        }
        script.subscribe(&client, "/**");
        for name in ["/meta/*", "/meta/x", "/meta/connect"] {
            let message = json!({
                "channel": "/meta/subscribe", "clientId": client.session, "subscription": name,
            });
            let reply = post(&mut script, message);
            assert_eq!(reply[0]["successful"], json!(false), "{name}");
        }
        let (local, opened) = script.open_local();
        let CallResult::Opened(session) = opened else {
            panic!("{opened:?}")
        };
        let pattern = "/a".parse().unwrap();
        let subscribed = script.call(Call::Subscribe { session, pattern });
        assert_eq!(subscribed, CallResult::Done);
        script.publish("/a", json!(2));
        script.expect(local, json!([event("/a", json!(2))]));
    }
}

mod errors {
    use super::*;

    // Proves: ER-1
    #[test]
    fn neighbours_of_an_error_are_processed() {
        // E7 of the digest.
        let mut script = Script::new(Config::default());
        let client = script.connected();
        let session = &client.session;
        let batch = json!([
            {"id": "9", "clientId": session, "data": 1},
            {"id": "10", "channel": "/a/*/b", "clientId": session, "data": 2},
            {"id": "11", "channel": "/meta/subscribe", "clientId": session},
            {"id": "12", "channel": "/ok", "clientId": session, "data": 3},
        ]);
        let replies = json!([
            {"id": "9", "successful": false, "error": "400::channel_missing"},
            {"id": "10", "channel": "/a/*/b", "successful": false, "error": "405::channel_invalid"},
            {"id": "11", "channel": "/meta/subscribe", "successful": false,
             "error": "403::subscription_missing"},
            {"id": "12", "channel": "/ok", "successful": true},
        ]);
        assert_eq!(post(&mut script, batch), replies);
    }

    // Proves: ER-6
    #[test]
    fn whatever_ends_an_exchange_is_a_status_of_400_or_more() {
        let reasons = [
            CloseReason::Duplicate,
            CloseReason::SessionOver,
            CloseReason::Superseded,
            CloseReason::Unavailable,
            CloseReason::Idle,
            CloseReason::Unasked,
            CloseReason::Limit,
            CloseReason::Shutdown,
        ];
        for reason in reasons {
            assert!((400..600).contains(&reason.http_status(500)), "{reason:?}");
        }
    }
}

mod extensions {
    use super::*;

    // Proves: EX-1
    #[test]
    fn the_time_of_a_hold_counts_in_time_synchronisation() {
        let mut script = Script::new(Config {
            wall_clock: Duration::from_millis(5_000),
            ..Config::default()
        });
        let client = script.connected();
        let sync = json!({"timesync": {"tc": 1000, "l": 0, "o": 0}});
        let held = script.at(30).connect_with(&client, json!({"ext": sync}));

        script.at(30_030);

        let answer = json!({"timesync": {"tc": 1000, "ts": 5030, "p": 30_000, "a": -4030}});
        assert_eq!(script.take(held)[0]["ext"], answer);
        let near = json!({"timesync": {"tc": 30_100, "l": 10, "o": 4930}});
        let connect = script.connect_with(&client, json!({"ext": near, "advice": {"timeout": 0}}));
        assert_eq!(
            script.take(connect)[0].get("ext"),
            None,
            "10 ms off is near enough"
        );
        let message = json!({"channel": "/a", "clientId": client.session, "ext": sync});
        assert_eq!(
            post(&mut script, message)[0].get("ext"),
            None,
            "meta messages only"
        );
    }

    // Proves: EX-1
    #[test]
    fn time_synchronisation_can_be_switched_off() {
        let mut script = Script::new(Config {
            timesync: false,
            ..Config::default()
        });
        let sync = json!({"timesync": {"tc": 1000, "l": 0, "o": 0}});
        let message = json!({"channel": "/meta/handshake", "version": "1.0", "ext": sync});
        assert_eq!(post(&mut script, message)[0].get("ext"), None);
    }

    // Proves: EX-2
    #[test]
    fn outgoing_messages_carry_the_time_of_day_by_the_option() {
        let mut script = Script::new(Config {
            timestamp: true,
            wall_clock: Duration::from_secs(1_709_633_472),
            ..Config::default()
        });
        let client = script.connected();
        script.subscribe(&client, "/a").at(1_000);
        let session = SessionId::parse(&client.session).unwrap();
        script.call(Call::Deliver {
            session,
            channel: "/b".parse().unwrap(),
            data: json!(2).into(),
            laziness: bayeux_core::Laziness::Prompt,
        });

        let message = json!({
            "channel": "/a", "clientId": client.session, "data": 1, "timestamp": "yesterday",
        });
        let frame = post(&mut script, message);

        let stamps: Vec<_> = frame
            .as_array()
            .unwrap()
            .iter()
            .map(|m| &m["timestamp"])
            .collect();
        assert_eq!(
            stamps,
            [&json!("Tue, 05 Mar 2024 10:11:13 GMT"); 3],
            "{frame}"
        );
        let without = Script::new(Config::default()).handshaken_frame();
        assert_eq!(without[0].get("timestamp"), None);
    }

    // Proves: EX-3
    #[test]
    fn a_session_without_activity_is_disconnected_at_its_next_connect() {
        let table = [
            // Who was active in the meantime: the client, the server.
            (ActivityMode::Client, false, false, true),
            (ActivityMode::Client, true, false, false),
            (ActivityMode::Client, false, true, true),
            (ActivityMode::ClientServer, false, false, true),
            (ActivityMode::ClientServer, true, false, false),
            (ActivityMode::ClientServer, false, true, false),
        ];
        for (mode, client_acts, server_acts, ends) in table {
            let mut script = Script::new(Config {
                activity: Some(Activity {
                    mode,
                    max_inactivity: Duration::from_millis(60_000),
                }),
                ..Config::default()
            });
            let client = script.connected();
            script.subscribe(&client, "/a");
            for at in [30_000, 60_000] {
                let held = script.connect(&client);
                script.at(at);
                assert_eq!(script.take(held)[0]["successful"], json!(true));
            }
            if client_acts {
                post(
                    &mut script,
                    json!({"channel": "/b", "clientId": client.session}),
                );
            }
            let held = script.connect(&client);
            if server_acts {
                script.publish("/a", json!(1));
                script.take(held);
            } else {
                script.at(61_000).close(held);
            }
            script.at(61_000);

            let last = script.connect_with(&client, json!({"id": "last"}));

            if ends {
                let end = json!({"channel": "/meta/disconnect", "successful": true});
                let mut answer = connected("last");
                answer["advice"] = json!({"reconnect": "none"});
                script.expect(last, json!([end, answer]));
                let id = SessionId::parse(&client.session).unwrap();
                let removed = ReportKind::SessionRemoved(id, Removal::Inactive);
                assert!(script.reports().contains(&removed));
            } else {
                script.expect_nothing(last);
            }
        }
    }

    // Proves: EX-4
    #[test]
    fn binary_data_passes_through_untouched() {
        // E20 of the digest; the text has every symbol of Z85.
        let mut script = Script::new(Config::default());
        let client = script.connected();
        script.subscribe(&client, "/blob");
        let symbols =
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
        let event = format!(
            r#"{{"channel":"/blob","data":{{"data":"{symbols}","last":true,"meta":{{"n":1}}}},"ext":{{"binary":{{}}}}}}"#
        );
        let message = event.replacen('{', &format!(r#"{{"clientId":"{}","#, client.session), 1);

        let exchange = send_text(&mut script, &message);

        let sent = script.take_bytes(exchange).unwrap();
        let reply = r#"{"channel":"/blob","successful":true}"#;
        assert_eq!(String::from_utf8_lossy(&sent), format!("[{event},{reply}]"));
    }

    // Proves: EX-9
    #[test]
    fn unknown_extensions_of_requests_are_neither_minded_nor_echoed() {
        let mut script = Script::new(Config::default());
        let ext = json!({"unknown": {"a": 1}, "ack": "maybe", "timesync": "soon", "": null});
        let handshake = json!({"channel": "/meta/handshake", "version": "1.0", "ext": ext});
        let reply = post(&mut script, handshake);
        assert_eq!(reply[0]["successful"], json!(true));
        assert_eq!(reply[0].get("ext"), None);
        let session = reply[0]["clientId"].as_str().unwrap();
        let messages = [
            json!({"channel": "/meta/connect", "connectionType": "long-polling"}),
            json!({"channel": "/meta/subscribe", "subscription": "/b"}),
            json!({"channel": "/a", "data": 1}),
            json!({"channel": "/service/a", "data": 1}),
            json!({"channel": "/meta/unsubscribe", "subscription": "/b"}),
            json!({"channel": "/meta/disconnect"}),
        ];
        for mut message in messages {
            message["clientId"] = json!(session);
            message["ext"] = ext.clone();
            let reply = post(&mut script, message);
            assert_eq!(reply[0]["successful"], json!(true), "{reply}");
            assert_eq!(reply[0].get("ext"), None, "{reply}");
        }
    }

    trait HandshakenFrame {
        fn handshaken_frame(self) -> Value;
    }

    impl HandshakenFrame for Script {
        fn handshaken_frame(mut self) -> Value {
            post(
                &mut self,
                json!({"channel": "/meta/handshake", "version": "1.0"}),
            )
        }
    }
}

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
    let exchange = script.post(json!({"channel": "/meta/handshake", "version": "1.0"}));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
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

fn connected(id: &str) -> Value {
    json!({"id": id, "channel": "/meta/connect", "successful": true})
}
