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
    let first = json!({"timesync": {"tc": 30_100, "l": 0, "o": 4930}});
    let connect = script.connect_with(&client, json!({"ext": first, "advice": {"timeout": 0}}));
    let answer = json!({"timesync": {"tc": 30_100, "ts": 35_030, "p": 0, "a": 0}});
    assert_eq!(
        script.take(connect)[0]["ext"],
        answer,
        "it knows no lag yet"
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
