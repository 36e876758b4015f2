use super::*;

fn handshake(script: &mut Script, transport: Transport, peer: Peer) -> (ConnectionId, Value) {
    let connection = script.open_as(transport, peer);
    script.send(
        connection,
        json!({"id": "1", "channel": "/meta/handshake", "version": "1.0"}),
    );
    let reply = script.take(connection);
    (connection, reply)
}

// Proves: BR-1, HS-16, DE-5
#[test]
fn a_handshake_without_cookie_sets_one() {
    let mut script = Script::new(Config::default());

    let (first, _) = handshake(&mut script, HTTP, Peer::default());
    let (second, _) = handshake(&mut script, HTTP, Peer::default());

    let (first, second) = (
        script.cookie(first).unwrap(),
        script.cookie(second).unwrap(),
    );
    assert_ne!(first, second);
    let text = first.text().to_string();
    assert_eq!(text.len(), 24);
    assert!(
        text.bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
    );
    nothing_leaks(&mut script);
}

// Proves: BR-1
#[test]
fn a_cookie_that_is_there_is_kept() {
    let mut script = Script::new(Config::default());

    let (exchange, _) = handshake(&mut script, HTTP, with_cookie('a'));

    assert_eq!(script.cookie(exchange), None);
    nothing_leaks(&mut script);
}

// Proves: BR-1
#[test]
fn nothing_but_a_successful_handshake_sets_a_cookie() {
    let mut script = Script::new(Config::default());
    let refused = script.post(json!({
        "channel": "/meta/handshake", "version": "1.0",
        "supportedConnectionTypes": ["carrier-pigeon"],
    }));
    assert_eq!(script.take(refused)[0]["successful"], false);
    assert_eq!(script.cookie(refused), None);

    let client = script.connected();
    let held = script.connect(&client);
    script.publish("/x", json!(0));
    assert_eq!(script.cookie(held), None);
    let published = script.publish_as(&client, "/x", json!(0));
    assert_eq!(script.cookie(published), None);
    let (socket, _) = handshake(&mut script, SOCKET, Peer::default());
    assert_eq!(script.cookie(socket), None);
}

// Proves: BR-1
#[test]
fn only_our_own_shape_counts_as_a_cookie() {
    for (text, good) in [
        ("0123456789abcdefghijklmn", true),
        ("zzzzzzzzzzzzzzzzzzzzzzzz", true),
        ("", false),
        ("0123456789abcdefghijklm", false),
        ("0123456789abcdefghijklmno", false),
        ("0123456789ABCDEFGHIJKLMN", false),
        ("0123456789abcdefghijkl-n", false),
        ("0123456789abcdefghijklmé", false),
    ] {
        assert_eq!(BrowserId::parse(text).is_some(), good, "{text}");
    }
}

// Proves: BR-3, BR-4, DE-5
#[test]
fn a_session_is_found_as_the_binding_permits() {
    use BrowserBinding::{Lenient, Off, Strict};
    let (none, right, wrong) = (Peer::default(), with_cookie('a'), with_cookie('b'));
    // Before the cookie has come back, and after.
    for (binding, peer, before, after) in [
        (Strict, &right, true, true),
        (Strict, &none, false, false),
        (Strict, &wrong, false, false),
        (Lenient, &right, true, true),
        (Lenient, &none, true, false),
        (Lenient, &wrong, false, false),
        (Off, &right, true, true),
        (Off, &none, true, true),
        (Off, &wrong, true, true),
    ] {
        let mut script = Script::new(with_binding(binding));
        let client = script.handshaken_as(right.clone(), HTTP, Value::Null);
        let other = by(&mut script, &client, HTTP, peer.clone());
        assert_eq!(
            is_known(&mut script, &other),
            before,
            "{binding:?} {peer:?}"
        );
        assert!(is_known(&mut script, &client));
        assert_eq!(is_known(&mut script, &other), after, "{binding:?} {peer:?}");
        nothing_leaks(&mut script);
    }
}

// Proves: BR-3, CN-10
#[test]
fn a_foreign_session_looks_like_one_that_is_not() {
    let mut script = Script::new(with_binding(BrowserBinding::Strict));
    let client = script.handshaken_as(with_cookie('a'), HTTP, Value::Null);
    let thief = by(&mut script, &client, HTTP, with_cookie('b'));
    let nobody = Client {
        session: "0".repeat(client.session.len()),
        ..thief.clone()
    };

    let stolen = connect(&mut script, &thief, "7");
    let unknown = connect(&mut script, &nobody, "7");

    let (stolen, unknown) = (script.take_bytes(stolen), script.take_bytes(unknown));
    assert_eq!(stolen, unknown);
    nothing_leaks(&mut script);
}

// Proves: BR-6
#[test]
fn a_socket_with_a_wrong_cookie_adopts_nothing() {
    use BrowserBinding::{Lenient, Off, Strict};
    for (binding, peer, adopted) in [
        (Strict, with_cookie('a'), true),
        (Strict, with_cookie('b'), false),
        (Strict, Peer::default(), true),
        (Lenient, with_cookie('a'), true),
        (Lenient, with_cookie('b'), false),
        (Lenient, Peer::default(), true),
        (Off, with_cookie('b'), true),
    ] {
        let mut script = Script::new(with_binding(binding));
        let client = script.handshaken_as(with_cookie('a'), HTTP, Value::Null);
        let socket = by(&mut script, &client, SOCKET, peer.clone());

        assert_eq!(
            is_known(&mut script, &socket),
            adopted,
            "{binding:?} {peer:?}"
        );
    }
}

// Proves: BR-4, BR-6
#[test]
fn a_socket_older_than_the_cookie_adopts_a_session_that_has_polled_with_it() {
    use BrowserBinding::{Lenient, Off, Strict};
    for binding in [Strict, Lenient, Off] {
        let mut script = Script::new(with_binding(binding));
        let client = script.handshaken_as(with_cookie('a'), HTTP, Value::Null);
        let bare = by(&mut script, &client, HTTP, Peer::default());
        let socket = by(&mut script, &client, SOCKET, Peer::default());

        assert!(is_known(&mut script, &client));

        assert!(is_known(&mut script, &socket), "{binding:?}");
        assert_eq!(is_known(&mut script, &bare), binding == Off, "{binding:?}");
    }
}

// Proves: BR-13, HS-10
#[test]
fn a_session_from_a_websocket_takes_the_first_cookie_that_comes() {
    let mut script = Script::new(with_binding(BrowserBinding::Strict));
    let client = script.connected_over(SOCKET, Value::Null);
    let bare = by(&mut script, &client, HTTP, Peer::default());
    let first = by(&mut script, &client, HTTP, with_cookie('a'));
    let second = by(&mut script, &client, HTTP, with_cookie('b'));

    assert!(is_known(&mut script, &bare));
    assert!(is_known(&mut script, &first));
    assert!(!is_known(&mut script, &second));
    assert!(!is_known(&mut script, &bare));
    assert!(is_known(&mut script, &first));
    // Its own socket goes on.
    assert!(is_known(&mut script, &client));
}

// Proves: BR-13
#[test]
fn a_session_from_a_websocket_is_bound_to_the_cookie_of_its_upgrade() {
    let mut script = Script::new(Config::default());
    let client = script.handshaken_as(with_cookie('a'), SOCKET, Value::Null);
    script.first_connect(&client);

    for (peer, found) in [
        (with_cookie('b'), false),
        (Peer::default(), true),
        (with_cookie('a'), true),
        (Peer::default(), false),
    ] {
        let polling = by(&mut script, &client, HTTP, peer);
        assert_eq!(is_known(&mut script, &polling), found);
    }
}

/// Two sessions of one browser; the first holds a connect.
fn tabs(config: Config, peer: Peer) -> (Script, [Client; 2], ConnectionId) {
    let mut script = Script::new(config);
    let tabs = [(); 2].map(|()| {
        let client = script.handshaken_as(peer.clone(), HTTP, Value::Null);
        script.first_connect(&client);
        client
    });
    let held = script.connect(&tabs[0]);
    script.expect_nothing(held);
    (script, tabs, held)
}

fn slow(id: &str) -> Value {
    json!([{
        "id": id, "channel": "/meta/connect", "successful": true,
        "advice": {
            "multiple-clients": true, "reconnect": "retry", "interval": 2000, "timeout": 30000,
        },
    }])
}

// Proves: BR-7, BR-8
#[test]
fn the_second_session_of_a_browser_polls_slowly() {
    let (mut script, [_, second], held) = tabs(Config::default(), with_cookie('a'));

    let exchange = connect(&mut script, &second, "x");

    script.expect(exchange, slow("x")).expect_nothing(held);
    // The wait that it was told counts towards its expiry.
    script.after(11_999);
    let exchange = connect(&mut script, &second, "y");
    script.expect(exchange, slow("y"));
    nothing_leaks(&mut script);
}

// Proves: BR-8, ER-5
#[test]
fn without_an_interval_the_second_session_is_refused() {
    let config = Config {
        multi_session_interval: Duration::ZERO,
        ..Config::default()
    };
    let (mut script, [_, second], held) = tabs(config, with_cookie('a'));

    let exchange = connect(&mut script, &second, "x");

    script.expect(
        exchange,
        json!([{
            "id": "x", "channel": "/meta/connect", "successful": false,
            "error": "403::too_many_sessions",
            "advice": {"multiple-clients": true, "reconnect": "none"},
        }]),
    );
    script.expect_nothing(held);
    nothing_leaks(&mut script);
}

// Proves: BR-7
#[test]
fn the_limit_depends_on_the_protocol() {
    let two = Peer {
        http: HttpVersion::Two,
        ..with_cookie('a')
    };
    let limits = |one, two| Config {
        max_sessions_per_browser: one,
        http2_max_sessions_per_browser: two,
        ..Config::default()
    };
    for (config, peer, holds) in [
        (limits(1, -1), &two, true),
        (limits(-1, 1), &two, false),
        (limits(2, 1), &with_cookie('a'), true),
        (limits(-1, 1), &with_cookie('a'), true),
    ] {
        let (mut script, [_, second], _) = tabs(config, peer.clone());
        let exchange = script.connect(&second);
        assert_eq!(script.try_take(exchange).is_none(), holds);
        nothing_leaks(&mut script);
    }
}

// Proves: BR-7
#[test]
fn a_limit_of_zero_never_holds() {
    let mut script = Script::new(Config {
        max_sessions_per_browser: 0,
        ..Config::default()
    });
    let client = script.handshaken_as(with_cookie('a'), HTTP, Value::Null);
    script.first_connect(&client);

    let exchange = connect(&mut script, &client, "x");

    script.expect(exchange, slow("x"));
}

// Proves: BR-9
#[test]
fn whoever_may_hold_again_is_told_so_once() {
    let (mut script, [first, second], held) = tabs(Config::default(), with_cookie('a'));
    let exchange = connect(&mut script, &second, "x");
    script.expect(exchange, slow("x"));
    let exchange = connect(&mut script, &second, "y");
    script.expect(exchange, slow("y"));
    script.close(held);

    let exchange = connect(&mut script, &second, "z");

    let advice = json!({"reconnect": "retry", "interval": 0, "timeout": 30000});
    script.expect(
        exchange,
        json!([{
            "id": "z", "channel": "/meta/connect", "successful": true, "advice": advice,
        }]),
    );
    let held = connect(&mut script, &second, "last");
    script.expect_nothing(held);
    // Now it is the other one's turn to wait.
    let exchange = connect(&mut script, &first, "x");
    script.expect(exchange, slow("x"));
    script.after(30_000);
    script.expect(held, json!([connected("last")]));
    nothing_leaks(&mut script);
}

// Proves: BR-10
#[test]
fn the_reloaded_page_is_no_second_session() {
    let (mut script, [first, _], held) = tabs(Config::default(), with_cookie('a'));

    let again = script.connect(&first);

    script.expect_closed(held, CloseReason::Duplicate);
    script.expect_nothing(again);
    // And it counts once: when it goes, there is room.
    script.close(again);
    let again = script.connect(&first);
    script.expect_nothing(again);
    nothing_leaks(&mut script);
}

// Proves: BR-11
#[test]
fn each_end_of_a_hold_makes_room_for_the_other() {
    type End = fn(&mut Script, &Client, ConnectionId);
    let ends: [(&str, End); 8] = [
        ("event", |script, client, _| {
            let session = SessionId::parse(&client.session).unwrap();
            script.call(Call::Deliver {
                session,
                channel: "/x".parse().unwrap(),
                data: bayeux_core::Payload::from(json!(0)),
                laziness: bayeux_core::Laziness::Prompt,
            });
        }),
        ("abort", |script, _, held| {
            script.close(held);
        }),
        ("disconnect", |script, client, _| {
            let message = json!({"channel": "/meta/disconnect", "clientId": client.session});
            script.request(client, message);
        }),
        ("disconnected", |script, client, _| {
            let session = SessionId::parse(&client.session).unwrap();
            script.call(Call::Disconnect { session });
        }),
        ("timeout", |script, _, _| {
            script.after(20_001);
        }),
        ("overtaken by a websocket", |script, client, _| {
            let client = by(script, client, SOCKET, client.peer.clone());
            script.connect(&client);
        }),
        ("taken", |script, client, _| {
            script.notify(bayeux_core::Notice::Taken {
                session: SessionId::parse(&client.session).unwrap(),
                fence: bayeux_core::Fence(2),
            });
        }),
        ("reset", |script, _, _| {
            script.notify(bayeux_core::Notice::Down);
            script.notify(bayeux_core::Notice::Up {
                position: bayeux_core::Position::new(9),
            });
        }),
    ];
    for (name, end) in ends {
        let (mut script, [first, second], held) = tabs(Config::default(), with_cookie('a'));
        script.after(10_000 - 1);
        let refused = script.connect(&second);
        assert!(script.try_take(refused).is_some(), "{name}");

        end(&mut script, &first, held);

        let third = script.handshaken_as(with_cookie('a'), HTTP, Value::Null);
        script.first_connect(&third);
        let exchange = script.connect(&third);
        assert_eq!(script.try_take(exchange), None, "{name}");
        script.close(exchange);
        nothing_leaks(&mut script);
    }
}

// Proves: BR-12
#[test]
fn websockets_and_strangers_to_cookies_hold_as_they_like() {
    for (transport, peer) in [(SOCKET, with_cookie('a')), (HTTP, Peer::default())] {
        let mut script = Script::new(with_binding(BrowserBinding::Off));
        let clients = [(); 3].map(|()| {
            let client = script.handshaken_as(peer.clone(), transport, Value::Null);
            script.first_connect(&client);
            client
        });
        for client in &clients {
            let held = script.connect(client);
            script.expect_nothing(held);
        }
        for client in &clients {
            assert_eq!(inspect(&mut script, client).phase, Phase::Held);
        }
        nothing_leaks(&mut script);
    }
}

// Proves: BR-1
#[test]
fn cookies_and_sessions_are_drawn_from_all_that_there_are() {
    let mut script = Script::new(Config::default());
    let (cookies, sessions): (Vec<_>, Vec<_>) = (0..200)
        .map(|_| {
            let (exchange, reply) = handshake(&mut script, HTTP, Peer::default());
            let cookie = script.cookie(exchange).unwrap().text().to_string();
            (cookie, reply[0]["clientId"].as_str().unwrap().to_owned())
        })
        .unzip();

    for (texts, length) in [(cookies, 24), (sessions, 25)] {
        // The first place of a session has less to say.
        for place in 1..length {
            let seen: BTreeSet<_> = texts.iter().map(|text| text.as_bytes()[place]).collect();
            assert!(seen.len() > 30, "{place} of {length}: {seen:?}");
        }
    }
    script.expect_no_trace();
}
