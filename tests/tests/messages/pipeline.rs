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
                let advice = json!({"reconnect": "handshake", "interval": 0, "timeout": 30_000});
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
