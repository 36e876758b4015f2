//! What carries a session: exchanges of browsers (section 22), and websockets (section 23).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    BrowserBinding, BrowserId, Call, CallResult, CloseReason, Config, ConnectionId, HttpVersion,
    Load, Peer, Phase, SessionId, SessionView, Transport, TransportOptions,
};
use serde_json::{Value, json};
use std::time::Duration;

const HTTP: Transport = Transport::LongPolling;
const SOCKET: Transport = Transport::WebSocket;

fn browser(letter: char) -> BrowserId {
    BrowserId::parse(&String::from(letter).repeat(24)).unwrap()
}

fn with_cookie(letter: char) -> Peer {
    Peer {
        browser: Some(browser(letter)),
        ..Peer::default()
    }
}

fn with_binding(browser_binding: BrowserBinding) -> Config {
    Config {
        browser_binding,
        ..Config::default()
    }
}

/// The same client over something else, or as somebody else.
fn by(script: &mut Script, client: &Client, transport: Transport, peer: Peer) -> Client {
    let socket = (!transport.is_exchange()).then(|| script.open_as(transport, peer.clone()));
    Client {
        session: client.session.clone(),
        transport,
        socket,
        peer,
    }
}

/// Whether a publish of this client is accepted, or refused as that of an unknown session.
fn is_known(script: &mut Script, client: &Client) -> bool {
    let connection = script.publish_as(client, "/elsewhere", json!(0));
    let reply = script.take(connection);
    let reply = reply.as_array().unwrap().last().unwrap().clone();
    if reply["successful"] == true {
        return true;
    }
    assert_eq!(reply["error"], "402::session_unknown");
    false
}

fn inspect(script: &mut Script, client: &Client) -> SessionView {
    let session = SessionId::parse(&client.session).unwrap();
    match script.call(Call::Inspect { session }) {
        CallResult::Session(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn connected(id: &str) -> Value {
    json!({"id": id, "channel": "/meta/connect", "successful": true})
}

/// A connect with this id.
fn connect(script: &mut Script, client: &Client, id: &str) -> ConnectionId {
    script.connect_with(client, json!({"id": id}))
}

/// Lets every session expire, and every channel vanish: then the engine holds what a new one holds.
fn nothing_leaks(script: &mut Script) {
    script.after(400_000);
    let mut load = script.engine().load();
    load.connections = 0; // a socket may stay without a session
    assert_eq!(load, Load::default());
}

mod browsers {
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
}

mod sockets {
    use super::*;

    // Proves: WS-5
    #[test]
    fn a_handshake_binds_a_socket_and_a_later_one_binds_it_anew() {
        let mut script = Script::new(Config::default());
        let first = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&first, "/news");
        script.connect(&first);
        let socket = first.socket.unwrap();
        script.send(
            socket,
            json!({"id": "h", "channel": "/meta/handshake", "version": "1.0"}),
        );
        let reply = script.take(socket);
        let second = Client {
            session: reply[0]["clientId"].as_str().unwrap().to_owned(),
            ..first.clone()
        };

        // The session before waits for another carrier, and its clock runs.
        script.publish("/news", json!(1)).expect_nothing(socket);
        assert_eq!(inspect(&mut script, &first).phase, Phase::Away);
        assert!(!is_known(&mut script, &first));
        assert!(is_known(&mut script, &second));
        let polling = by(&mut script, &first, HTTP, Peer::default());
        let exchange = connect(&mut script, &polling, "c");
        let reply = script.take(exchange);
        assert_eq!(reply[0], event("/news", json!(1)));
        nothing_leaks(&mut script);
    }

    // Proves: WS-5
    #[test]
    fn a_bound_socket_refuses_the_messages_of_others() {
        let mut script = Script::new(Config::default());
        let own = script.connected_over(SOCKET, Value::Null);
        let other = script.connected();
        let socket = own.socket.unwrap();

        script.send(
            socket,
            json!([
                {"id": "1", "channel": "/x", "clientId": own.session, "data": 1},
                {"id": "2", "channel": "/x", "clientId": other.session, "data": 2},
                {"id": "3", "channel": "/x", "clientId": own.session, "data": 3},
            ]),
        );

        let replies = script.take(socket);
        let successes: Vec<_> = replies.as_array().unwrap().iter().collect();
        let successes: Vec<_> = successes.iter().map(|reply| &reply["successful"]).collect();
        assert_eq!(successes, [&json!(true), &json!(false), &json!(true)]);
        assert_eq!(replies[1]["error"], "402::session_unknown");
    }

    // Proves: WS-5
    #[test]
    fn a_socket_whose_session_is_gone_can_adopt_another() {
        let mut script = Script::new(Config {
            max_interval: Duration::from_secs(60),
            ..Config::default()
        });
        let gone = script.connected_over(SOCKET, Value::Null);
        let other = script.connected();
        let socket = gone.socket.unwrap();
        // The session that the socket is bound to, but does not carry any more, ends.
        let polling = by(&mut script, &gone, HTTP, Peer::default());
        let held = script.connect(&polling);
        script.expect_nothing(held);
        assert!(script.engine().carries(socket));
        let session = SessionId::parse(&gone.session).unwrap();
        script.call(Call::Disconnect { session });
        assert_eq!(script.closed(socket), None);
        assert!(!script.engine().carries(socket));

        let adopted = Client {
            session: other.session,
            ..gone.clone()
        };

        assert!(is_known(&mut script, &adopted));
        assert!(script.engine().carries(socket));
        script
            .subscribe(&adopted, "/news")
            .publish("/news", json!(1));
        script.expect(socket, json!([event("/news", json!(1))]));
        assert!(!is_known(&mut script, &gone));
    }

    // Proves: WS-5
    #[test]
    fn with_a_handshake_required_for_each_socket_nothing_is_adopted() {
        let mut script = Script::new(Config {
            require_handshake_per_connection: true,
            ..Config::default()
        });
        let client = script.connected();
        let socket = by(&mut script, &client, SOCKET, Peer::default());

        assert!(!is_known(&mut script, &socket));

        let own = script.connected_over(SOCKET, Value::Null);
        assert!(is_known(&mut script, &own));
        // HTTP is no socket.
        let polling = by(&mut script, &own, HTTP, Peer::default());
        assert!(is_known(&mut script, &polling));
    }

    // Proves: WS-6, WS-8, CN-2
    #[test]
    fn events_are_pushed_past_the_held_connect() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&client, "/news");
        let socket = connect(&mut script, &client, "held");

        script.publish("/news", json!(1));
        script.expect(socket, json!([event("/news", json!(1))]));
        script.publish("/news", json!(2));
        script.expect(socket, json!([event("/news", json!(2))]));
        let published = script.publish_as(&client, "/other", json!(0));
        assert_eq!(script.take(published)[0]["channel"], "/other");
        assert_eq!(inspect(&mut script, &client).phase, Phase::Held);

        script.after(29_999).expect_nothing(socket);
        script.after(1).expect(socket, json!([connected("held")]));
        nothing_leaks(&mut script);
    }

    // Proves: WS-6, RC-5
    #[test]
    fn with_deliver_only_the_connect_is_answered_and_carries_them() {
        let only = TransportOptions {
            meta_connect_deliver_only: Some(true),
            ..TransportOptions::default()
        };
        let mut script = Script::new(Config {
            websocket: only,
            ..Config::default()
        });
        let client = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&client, "/news");
        let socket = client.socket.unwrap();
        script.publish("/news", json!(1)).expect_nothing(socket);

        connect(&mut script, &client, "first");
        script.expect(socket, json!([event("/news", json!(1))]));
        script.expect(socket, json!([connected("first")]));
        connect(&mut script, &client, "second");
        script.expect_nothing(socket).publish("/news", json!(2));

        script.expect(socket, json!([event("/news", json!(2))]));
        script.expect(socket, json!([connected("second")]));
    }

    // Proves: WS-7
    #[test]
    fn pushing_begins_with_the_first_message_that_is_no_handshake() {
        let mut script = Script::new(Config::default());
        let client = script.handshaken_over(SOCKET, Value::Null);
        let socket = client.socket.unwrap();
        let session = SessionId::parse(&client.session).unwrap();
        let deliver = |script: &mut Script, data| {
            script.call(Call::Deliver {
                session,
                channel: "/x".parse().unwrap(),
                data: bayeux_core::Payload::from(json!(data)),
                laziness: bayeux_core::Laziness::Prompt,
            });
        };
        deliver(&mut script, 1);
        script.expect_nothing(socket);

        let id = script.id();
        let subscribe = json!({
            "id": id, "channel": "/meta/subscribe", "clientId": client.session,
            "subscription": "/news",
        });
        script.send(socket, subscribe);

        script.expect(socket, json!([event("/x", json!(1))]));
        assert_eq!(script.take(socket)[0]["successful"], true);
        deliver(&mut script, 2);
        script.expect(socket, json!([event("/x", json!(2))]));
        nothing_leaks(&mut script);
    }

    // Proves: WS-7, WS-10, DE-1
    #[test]
    fn a_socket_carries_a_session_that_nothing_else_carries() {
        let mut script = Script::new(Config::default());
        let client = script.connected();
        script.subscribe(&client, "/news");
        let socket = by(&mut script, &client, SOCKET, Peer::default());

        assert!(is_known(&mut script, &socket));

        script.publish("/news", json!(1));
        script.expect(socket.socket.unwrap(), json!([event("/news", json!(1))]));
    }

    // Proves: WS-10, DE-1
    #[test]
    fn only_a_connect_moves_a_session_that_something_carries() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&client, "/news");
        let first = client.socket.unwrap();
        let other = by(&mut script, &client, SOCKET, Peer::default());
        let second = other.socket.unwrap();
        let polling = by(&mut script, &client, HTTP, Peer::default());

        // Another socket, without connect: served, and carries nothing.
        assert!(is_known(&mut script, &other));
        script.publish("/news", json!(1));
        script.expect(first, json!([event("/news", json!(1))]));
        script.expect_nothing(second);
        // With a connect.
        script.connect(&other);
        script.publish("/news", json!(2));
        script.expect(second, json!([event("/news", json!(2))]));
        script.expect_nothing(first);
        // The first one again, without.
        assert!(is_known(&mut script, &client));
        script.publish("/news", json!(3));
        script.expect(second, json!([event("/news", json!(3))]));
        // HTTP.
        let held = connect(&mut script, &polling, "p");
        assert!(is_known(&mut script, &other));
        script.publish("/news", json!(4));
        script.expect(
            held,
            json!([event("/news", json!(4)), {
                "id": "p", "channel": "/meta/connect", "successful": true,
                "advice": {"reconnect": "retry", "interval": 0, "timeout": 30000},
            }]),
        );
        script.expect_nothing(first).expect_nothing(second);
        nothing_leaks(&mut script);
    }

    // Proves: WS-9, CN-9
    #[test]
    fn an_overtaken_connect_on_a_websocket_is_never_answered() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        let socket = connect(&mut script, &client, "older");

        connect(&mut script, &client, "newer");

        script
            .after(30_000)
            .expect(socket, json!([connected("newer")]));
        script.expect_nothing(socket);
        nothing_leaks(&mut script);
    }

    // Proves: CN-9, WS-10, DE-6
    #[test]
    fn an_overtaken_connect_ends_as_its_own_transport_demands() {
        let mut script = Script::new(Config::default());
        let polling = script.connected();
        let socket = by(&mut script, &polling, SOCKET, Peer::default());
        script.connect_with(&socket, json!({"advice": {"timeout": 0}}));
        script.take(socket.socket.unwrap());

        let exchange = script.connect_with(&polling, json!({"advice": {"timeout": 0}}));
        script.take(exchange);
        let over_http = script.connect(&polling);
        let over_socket = connect(&mut script, &socket, "older");
        script.expect_closed(over_http, CloseReason::Duplicate);
        assert_eq!(script.try_take(over_http), None);
        let over_http = script.connect(&polling);

        script.after(60_000);

        script.expect_nothing(over_socket);
        assert!(script.try_take(over_http).is_some());
        assert_eq!(script.try_take(over_http), None);
        nothing_leaks(&mut script);
    }

    // Proves: CN-12, DE-6
    #[test]
    fn a_disconnect_releases_a_hold_on_the_other_transport() {
        for (holds, ends) in [(HTTP, SOCKET), (SOCKET, HTTP)] {
            let mut script = Script::new(Config::default());
            let first = script.connected();
            let holder = by(&mut script, &first, holds, Peer::default());
            let ender = by(&mut script, &first, ends, Peer::default());
            let ask = json!({"advice": {"timeout": 0}});
            let connection = script.connect_with(&holder, ask);
            script.take(connection);
            let held = connect(&mut script, &holder, "held");
            script.expect_nothing(held);

            let message =
                json!({"id": "d", "channel": "/meta/disconnect", "clientId": first.session});
            let ended = script.request(&ender, message);

            script.expect(
                ended,
                json!([{"id": "d", "channel": "/meta/disconnect", "successful": true}]),
            );
            script.expect(
                held,
                json!([{
                    "id": "held", "channel": "/meta/connect", "successful": true,
                    "advice": {"reconnect": "none"},
                }]),
            );
            nothing_leaks(&mut script);
        }
    }

    // Proves: WS-11, TM-10, DE-1
    #[test]
    fn a_session_outlives_the_socket_that_carries_it() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&client, "/news");
        script.connect(&client);
        script.after(20_000).close(client.socket.unwrap());
        script.after(9_999).publish("/news", json!(1));

        let page = by(&mut script, &client, SOCKET, Peer::default());
        let socket = script.connect_with(&page, json!({"id": "r", "advice": {"timeout": 0}}));

        script.expect(socket, json!([event("/news", json!(1))]));
        let reply = script.take(socket);
        assert_eq!(
            (&reply[0]["id"], &reply[0]["successful"]),
            (&json!("r"), &json!(true))
        );
        script.close(socket).after(10_000);
        assert_eq!(script.engine().load().sessions, 0);
        nothing_leaks(&mut script);
    }

    // Proves: WS-7, DE-1
    #[test]
    fn a_socket_steps_in_for_the_one_that_closed() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&client, "/news");
        let other = by(&mut script, &client, SOCKET, Peer::default());
        script.connect(&client);
        script.close(client.socket.unwrap());
        script.publish("/news", json!(1));

        let published = script.publish_as(&other, "/other", json!(0));

        script.expect(published, json!([event("/news", json!(1))]));
        assert_eq!(script.take(published)[0]["channel"], "/other");
    }

    // Proves: TM-10, WS-10, DE-1
    #[test]
    fn the_close_of_another_socket_starts_no_clock() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        let other = by(&mut script, &client, SOCKET, Peer::default());
        assert!(is_known(&mut script, &other));
        let socket = connect(&mut script, &client, "held");

        script.close(other.socket.unwrap()).after(29_999);

        script.expect_nothing(socket);
        assert_eq!(inspect(&mut script, &client).phase, Phase::Held);
    }

    // Proves: WS-10, QU-9
    #[test]
    fn what_a_dead_socket_did_not_take_waits_for_the_next_carrier() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&client, "/news");
        script.write_by_hand();
        script.publish("/news", json!(1)).publish("/news", json!(2));
        script.take(client.socket.unwrap()); // but it never arrives

        let page = by(&mut script, &client, SOCKET, Peer::default());
        let ask = json!({"advice": {"timeout": 0}});
        let socket = script.connect_with(&page, ask);

        script.expect_closed(client.socket.unwrap(), CloseReason::Superseded);
        script.expect(
            socket,
            json!([event("/news", json!(1)), event("/news", json!(2))]),
        );
        script.written(socket);
        nothing_leaks(&mut script);
    }

    // Proves: WS-19
    #[test]
    fn a_failed_write_ends_the_socket_and_not_the_session() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&client, "/news");
        script.write_by_hand();
        script.publish("/news", json!(1));
        let socket = client.socket.unwrap();
        script.take(socket);

        script.close(socket);

        assert_eq!(inspect(&mut script, &client).queued.0, 1);
        let page = by(&mut script, &client, SOCKET, Peer::default());
        let socket = script.connect(&page);
        script.expect(socket, json!([event("/news", json!(1))]));
        script.written(socket);
        nothing_leaks(&mut script);
    }

    // Proves: WS-13
    #[test]
    fn the_next_frame_is_asked_for_when_the_one_before_is_done() {
        let mut script = Script::with_scripted_store(Config::default());
        let socket = script.open(SOCKET);
        script.send(
            socket,
            json!({"channel": "/meta/handshake", "version": "1.0"}),
        );

        assert!(!script.is_asked(socket));
        let (ticket, _) = script.take_store();
        script.stored(ticket, bayeux_core::StoreReply::Done);

        assert!(script.is_asked(socket));
    }

    // Proves: WS-13
    #[test]
    fn a_frame_that_was_not_asked_for_ends_the_socket() {
        let mut script = Script::with_scripted_store(Config::default());
        let socket = script.open(SOCKET);
        let handshake = json!({"channel": "/meta/handshake", "version": "1.0"});
        script.send(socket, handshake.clone());
        let messages = bayeux_core::Messages::decode(
            handshake.to_string(),
            &bayeux_core::DecodeLimits::default(),
        );

        script.fact(bayeux_core::Input::Received {
            connection: socket,
            messages: messages.unwrap(),
        });

        script.expect_closed(socket, CloseReason::Unasked);
    }

    // Proves: WS-13, TM-4
    #[test]
    fn who_does_not_read_expires_and_is_cut_off() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&client, "/news");
        let socket = client.socket.unwrap();
        connect(&mut script, &client, "held");
        script.write_by_hand();
        script.publish("/news", json!(1)).after(1_000);
        script.take(socket); // written to nobody
        for data in 0..100 {
            script.publish("/news", json!(data));
        }
        script.expect_nothing(socket);

        script.after(28_999); // the hold times out, and its answer waits behind the events
        script.expect_nothing(socket);
        script.after(10_001);

        script.expect_closed(socket, CloseReason::SessionOver);
        nothing_leaks(&mut script);
    }

    // Proves: WS-12
    #[test]
    fn each_reason_to_close_has_its_code() {
        for (reason, code) in [
            (CloseReason::Duplicate, 1000),
            (CloseReason::SessionOver, 1000),
            (CloseReason::Superseded, 1000),
            (CloseReason::Idle, 1000),
            (CloseReason::Shutdown, 1001),
            (CloseReason::Unasked, 1008),
            (CloseReason::Limit, 1008),
            (CloseReason::Unavailable, 1013),
        ] {
            assert_eq!(reason.close_code(), code, "{reason:?}");
        }
    }

    // Proves: WS-16
    #[test]
    fn an_unknown_session_is_refused_message_by_message() {
        let mut script = Script::new(Config::default());
        let socket = script.open(SOCKET);

        script.send(
            socket,
            json!([
                {"id": "1", "channel": "/x", "clientId": "nobody", "data": 1},
                {"id": "2", "channel": "/meta/connect", "clientId": "nobody"},
                {"id": "3", "channel": "/x", "data": 1},
            ]),
        );

        script.expect(
            socket,
            json!([
                {"id": "1", "channel": "/x", "successful": false, "error": "402::session_unknown"},
                {
                    "id": "2", "channel": "/meta/connect", "successful": false,
                    "error": "402::session_unknown",
                    "advice": {"reconnect": "handshake", "interval": 0, "timeout": 30000},
                },
                {"id": "3", "channel": "/x", "successful": false, "error": "402::session_unknown"},
            ]),
        );
        assert_eq!(script.closed(socket), None);
        assert!(script.is_asked(socket));
        let handshake = json!({"channel": "/meta/handshake", "version": "1.0"});
        script.send(socket, handshake);
        assert_eq!(script.take(socket)[0]["successful"], true);
    }

    // Proves: WS-17, WS-18
    #[test]
    fn the_messages_of_a_frame_are_answered_in_one_and_by_their_ids() {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(SOCKET, Value::Null);
        let session = &client.session;
        let socket = client.socket.unwrap();

        script.send(
            socket,
            json!([
                {"id": "a-1", "channel": "/meta/subscribe", "clientId": session,
                 "subscription": "/news"},
                {"id": 2, "channel": "/news", "clientId": session, "data": 1},
                {"channel": "/other", "clientId": session, "data": 1},
                {"id": "c", "channel": "/meta/connect", "clientId": session},
            ]),
        );

        script.expect(socket, json!([event("/news", json!(1))]));
        script.expect(
            socket,
            json!([
                {"id": "a-1", "channel": "/meta/subscribe", "successful": true,
                 "subscription": "/news"},
                {"id": 2, "channel": "/news", "successful": true},
                {"channel": "/other", "successful": true},
                connected("c"),
            ]),
        );
        script.expect_nothing(socket);
    }

    // Proves: DC-6, DE-8
    #[test]
    fn a_disconnected_socket_waits_five_seconds_for_a_new_handshake() {
        type End = fn(&mut Script, &Client);
        let ends: [End; 2] = [
            |script, client| {
                let message = json!({"channel": "/meta/disconnect", "clientId": client.session});
                let socket = script.request(client, message);
                while script.try_take(socket).is_some() {}
            },
            |script, client| {
                let session = SessionId::parse(&client.session).unwrap();
                script.call(Call::Disconnect { session });
                while script.try_take(client.socket.unwrap()).is_some() {}
            },
        ];
        for end in ends {
            for held in [false, true] {
                let mut script = Script::new(Config::default());
                let client = script.connected_over(SOCKET, Value::Null);
                let socket = client.socket.unwrap();
                if held {
                    script.connect(&client);
                }

                end(&mut script, &client);

                script.after(4_999).expect_nothing(socket);
                let handshake = json!({"channel": "/meta/handshake", "version": "1.0"});
                script.send(socket, handshake);
                let reply = script.take(socket);
                let again = Client {
                    session: reply[0]["clientId"].as_str().unwrap().to_owned(),
                    ..client
                };
                script.first_connect(&again);
                script.after(5_000).expect_nothing(socket);
                end(&mut script, &again);
                script.after(5_000).expect_closed(socket, CloseReason::Idle);
                nothing_leaks(&mut script);
            }
        }
    }

    // Proves: WS-5, RC-5
    #[test]
    fn one_flush_carries_the_events_of_one_session() {
        let mut script = Script::new(Config::default());
        let first = script.connected_over(SOCKET, Value::Null);
        script.subscribe(&first, "/news");
        let other = script.connected();
        script.subscribe(&other, "/news");
        let socket = first.socket.unwrap();
        script.write_by_hand();
        script.send(
            socket,
            json!({"id": "x", "channel": "/x", "clientId": first.session, "data": 0}),
        );
        // Behind a reply that is slow: a connect with an event, and another session with its own.
        script.publish("/news", json!(1));
        let now = json!({"advice": {"timeout": 0}});
        script.connect_with(&first, now.clone());
        script.send(
            socket,
            json!({"id": "h", "channel": "/meta/handshake", "version": "1.0"}),
        );
        let sessions = match script.call(Call::ListSessions { from: 0, limit: 9 }) {
            CallResult::Sessions(sessions, _) => sessions,
            other => panic!("{other:?}"),
        };
        let second = Client {
            session: sessions[2].text().to_string(),
            ..first.clone()
        };
        script.connect_with(&second, now.clone());
        while script.try_take(socket).is_some() {
            while script.try_take(socket).is_some() {}
            script.written(socket);
        }

        // Neither of the two is stuck.
        script.publish("/news", json!(2));
        let polling = by(&mut script, &first, HTTP, Peer::default());
        let exchange = script.connect_with(&polling, now);
        let reply = script.take(exchange);
        assert_eq!(reply[0], event("/news", json!(2)), "{reply}");
        script.written(exchange);
        nothing_leaks(&mut script);
    }
}
