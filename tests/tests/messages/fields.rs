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
        let message = json!({"id": "1", "channel": "/a", "clientId": client.session, "data": data});
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
