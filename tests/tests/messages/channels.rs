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
        "", "/", "//", "a", "a/b", "/a//b", "/a//", "/é", "/a?b", "/a=b", "/a&b", "/a,b", "/a:b",
        "/a%20b", "/a\tb", "/a\"b", "/meta", "/service", "/meta/", "/a/*/b", "/a/**/b", "/**/b",
        &long, &deep,
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
