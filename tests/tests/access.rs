//! Access control over the wire: what rules, tokens and secrets let through, and what those who are denied
//! see and do.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use bayeux_tests::live::{
    Client, Cutter, Ending, Extras, HttpConnection, Library, Server, Settings, Transport, WebSocket,
};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

/// A client that sends this `ext` with everything.
fn with(ext: Value) -> Extras {
    Extras {
        ext,
        ..Extras::default()
    }
}

const KEY: &str = "the key of the tokens: thirty-two bytes and more";
const PASSWORD: &str = "the password of the backend";
/// Times that have come, and that have not.
const PAST: u64 = 1_000_000_000;
const FUTURE: u64 = 4_000_000_000;

const RULES: &str = r#"
[[rules]]
pattern = "/public/**"
operations = ["subscribe"]
allow = "anyone"

[[rules]]
pattern = "/lobby"
allow = "anyone"

[[rules]]
pattern = "/chat/*"

[[rules]]
pattern = "/users/{sub}/**"

[[rules]]
pattern = "/rooms/{rooms}"

[[rules]]
pattern = "/admin/**"
claims = { role = "admin" }

[[rules]]
pattern = "/service/echo"
operations = ["publish"]
"#;

/// Who somebody is.
const STRANGER: Option<&str> = None;
const ANN: Option<&str> = Some(r#"{"sub": "ann", "rooms": ["7", "8"]}"#);
const ROOT: Option<&str> = Some(r#"{"sub": "root", "role": ["user", "admin"]}"#);
const STAR: Option<&str> = Some(r#"{"sub": "**", "rooms": ["*", "7/8", "", "**"]}"#);

const NO_SUBSCRIBE: &str = "403:denied_by_security_policy:subscribe_denied";
const NO_PUBLISH: &str = "403:denied_by_security_policy:publish_denied";
const OK: &str = "";

/// Who does what where, and what comes of it.
const TABLE: [(Option<&str>, &str, &str, &str); 50] = [
    (STRANGER, "subscribe", "/public/a", OK),
    (STRANGER, "subscribe", "/public/**", OK),
    (STRANGER, "subscribe", "/public", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/**", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/*", NO_SUBSCRIBE),
    (STRANGER, "publish", "/public/a", NO_PUBLISH),
    (STRANGER, "subscribe", "/lobby", OK),
    (STRANGER, "publish", "/lobby", OK),
    (STRANGER, "subscribe", "/lobby/", OK),
    (STRANGER, "subscribe", "/Lobby", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/chat/a", NO_SUBSCRIBE),
    (STRANGER, "publish", "/chat/a", NO_PUBLISH),
    (STRANGER, "subscribe", "/users/ann/inbox", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/users/{sub}/inbox", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/admin/a", NO_SUBSCRIBE),
    (STRANGER, "publish", "/service/echo", NO_PUBLISH),
    (STRANGER, "publish", "/service/other", NO_PUBLISH),
    (STRANGER, "subscribe", "/elsewhere", NO_SUBSCRIBE),
    (ANN, "subscribe", "/public/a", OK),
    (ANN, "publish", "/public/a", NO_PUBLISH),
    (ANN, "subscribe", "/chat/a", OK),
    (ANN, "subscribe", "/chat/*", OK),
    (ANN, "subscribe", "/chat/**", NO_SUBSCRIBE),
    (ANN, "subscribe", "/chat/a/b", NO_SUBSCRIBE),
    (ANN, "publish", "/chat/a", OK),
    (ANN, "subscribe", "/users/ann/**", OK),
    (ANN, "publish", "/users/ann/inbox", OK),
    (ANN, "subscribe", "/users/ann", NO_SUBSCRIBE),
    (ANN, "subscribe", "/users/bob/inbox", NO_SUBSCRIBE),
    (ANN, "publish", "/users/bob/inbox", NO_PUBLISH),
    (ANN, "subscribe", "/users/*", NO_SUBSCRIBE),
    (ANN, "subscribe", "/users/**", NO_SUBSCRIBE),
    (ANN, "subscribe", "/rooms/7", OK),
    (ANN, "publish", "/rooms/8", OK),
    (ANN, "subscribe", "/rooms/9", NO_SUBSCRIBE),
    (ANN, "subscribe", "/rooms/*", NO_SUBSCRIBE),
    (ANN, "subscribe", "/admin/a", NO_SUBSCRIBE),
    (ANN, "publish", "/service/echo", OK),
    (ANN, "publish", "/service/other", NO_PUBLISH),
    (ANN, "subscribe", "/**", NO_SUBSCRIBE),
    (ROOT, "subscribe", "/admin/**", OK),
    (ROOT, "publish", "/admin/a/b", OK),
    (ROOT, "subscribe", "/users/ann/inbox", NO_SUBSCRIBE),
    (ROOT, "subscribe", "/**", NO_SUBSCRIBE),
    (STAR, "subscribe", "/users/**", NO_SUBSCRIBE),
    (STAR, "subscribe", "/users/ann/inbox", NO_SUBSCRIBE),
    (STAR, "subscribe", "/rooms/*", NO_SUBSCRIBE),
    (STAR, "subscribe", "/rooms/**", NO_SUBSCRIBE),
    (STAR, "subscribe", "/rooms/7", NO_SUBSCRIBE),
    (STAR, "publish", "/rooms/7", NO_PUBLISH),
];

// Proves: PL-7, PL-9, CH-9, SU-3
#[test]
fn the_rules_decide_what_each_client_may_do_whatever_it_talks_over() {
    let server = Server::start(&settings("").shards(2));
    for over in OVER {
        for who in [STRANGER, ANN, ROOT, STAR] {
            let mut wire = Wire::handshaken(&server, over, who);
            for (_, operation, channel, error) in TABLE.iter().filter(|row| row.0 == who) {
                let reply = wire.does(operation, channel);

                let place = format!("{over:?} {who:?} {operation} {channel}: {reply}");
                let found = reply["error"].as_str().unwrap_or_default();
                assert_eq!(found, *error, "{place}");
                assert_eq!(reply["successful"], *error == OK, "{place}");
                // The session goes on: nothing tells the client to come back, or not to.
                assert_eq!(reply.get("advice"), None, "{place}");
            }
        }
    }
    server.stop();
}

// Proves: SU-3, PL-7
#[test]
fn one_denied_name_or_message_does_not_spoil_its_neighbours() {
    for (all_or_nothing, hears) in [(false, true), (true, false)] {
        let settings = settings("").shards(1);
        let settings = settings.option("subscribeAllOrNothing", all_or_nothing);
        let server = Server::start(&settings);
        let mut root = Wire::handshaken(&server, Over::Polling, ROOT);
        let mut stranger = Wire::handshaken(&server, Over::Polling, STRANGER);
        let session = stranger.session.clone();
        let names = json!(["/lobby", "/admin/a", "/public/b"]);

        let replies = stranger.ask(&json!([
            {"channel": "/meta/subscribe", "id": "1", "clientId": session, "subscription": names},
            {"channel": "/admin/a", "id": "2", "clientId": session, "data": "forged"},
            {"channel": "/meta/subscribe", "id": "3", "clientId": session, "subscription": "/public/c"},
        ]));

        let outcomes: Vec<_> = replies
            .iter()
            .map(|reply| reply["error"].as_str())
            .collect();
        assert_eq!(outcomes, [Some(NO_SUBSCRIBE), Some(NO_PUBLISH), None]);
        root.does("publish", "/admin/a");
        root.does("publish", "/lobby");
        let channels: Vec<_> = stranger
            .events()
            .into_iter()
            .map(|event| event["channel"].clone())
            .collect();
        let heard = if hears {
            vec![json!("/lobby")]
        } else {
            Vec::new()
        };
        assert_eq!(channels, heard);
        server.stop();
    }
}

/// CVE-2020-11020: extensions of Faye saw `/meta/subscribe` only in these very letters, its server took more
/// for a subscription.
// Proves: CH-4, ER-2
#[test]
fn no_spelling_of_a_channel_gets_past_the_rules() {
    let server = guarded("");
    let mut root = Wire::handshaken(&server, Over::Polling, ROOT);
    for over in OVER {
        let mut stranger = Wire::handshaken(&server, over, STRANGER);
        let session = stranger.session.clone();
        let tricks = [
            "/meta/subscribe/x",
            "/meta/subscribe/",
            "/meta/subscribe/*",
            "/meta/subscribe/**",
            " /meta/subscribe",
            "/meta/subscribe ",
            "\t/meta/subscribe",
            "/meta//subscribe",
            "//meta/subscribe",
            "/META/subscribe",
            "/meta/Subscribe",
            "/meta/subscribe\u{0}",
            "/meta/*",
            "/meta/**",
            "/service/../meta/subscribe",
        ];
        for channel in tricks {
            let replies = stranger.ask(&json!([{
                "channel": channel, "id": "1", "clientId": session, "subscription": "/admin/a",
                "data": {},
            }]));
            assert_eq!(replies[0]["successful"], false, "{channel:?}: {replies:?}");
        }
        for name in [
            "/admin/a",
            "/admin/a/",
            " /admin/a",
            "/admin/a\t",
            "//admin/a",
            "/admin//a",
            "/public/../admin/a",
            "/admin/*",
            "/admin/**",
            "/%61dmin/a",
            "/lobby,/admin/a",
        ] {
            let reply = stranger.does("subscribe", name);
            // A name that says something else is another channel; what counts is what arrives.
            let is_other = reply["successful"] == true && name == "/public/../admin/a";
            assert!(
                is_other || reply["successful"] == false,
                "{name:?}: {reply}"
            );
        }
        assert_eq!(stranger.does("subscribe", "/lobby")["successful"], true);

        root.does("publish", "/admin/a");
        root.does("publish", "/lobby");

        let channels: Vec<_> = stranger
            .events()
            .into_iter()
            .map(|event| event["channel"].clone())
            .collect();
        assert_eq!(channels, ["/lobby"], "{over:?}");
    }
    server.stop();
}

// Proves: HS-8, HS-9
#[test]
fn a_token_is_taken_from_ext_then_from_the_header_then_from_the_cookie() {
    let good = token(ANN.unwrap_or_default(), FUTURE);
    let expired = token(ANN.unwrap_or_default(), PAST);
    let forged = sign(
        "another key of thirty-two bytes and more",
        r#"{"sub": "ann"}"#,
        FUTURE,
    );
    let none = none(r#"{"sub": "ann", "exp": 4000000000}"#);
    // Longer than any that is looked at, and not too long for a URL.
    let long = "x".repeat(10_000);
    let bearer = |token: &str| format!("Bearer {token}");
    let cookie = |token: &str| format!("a=b; token={token}; c=d");
    let nothing = json!(null);
    let text = |token: &str| json!({"authentication": {"token": token}});
    /// Its `ext`, its `Authorization`, its cookies; then why it is refused, if it is.
    type Row<'a> = (Value, Option<String>, Option<String>, Result<(), &'a str>);
    let table: Vec<Row<'_>> = vec![
        (text(&good), None, None, Ok(())),
        (nothing.clone(), Some(bearer(&good)), None, Ok(())),
        (
            nothing.clone(),
            Some(bearer(&good).replace("Bearer", "bearer")),
            None,
            Ok(()),
        ),
        (nothing.clone(), None, Some(cookie(&good)), Ok(())),
        (
            text(&good),
            Some(bearer(&forged)),
            Some(cookie(&forged)),
            Ok(()),
        ),
        (
            nothing.clone(),
            Some(bearer(&good)),
            Some(cookie(&forged)),
            Ok(()),
        ),
        (json!({"other": 1}), None, Some(cookie(&good)), Ok(())),
        (
            json!({"authentication": {}}),
            None,
            Some(cookie(&good)),
            Ok(()),
        ),
        (
            nothing.clone(),
            Some("Basic YTpi".into()),
            Some(cookie(&good)),
            Ok(()),
        ),
        (
            text(&forged),
            Some(bearer(&good)),
            Some(cookie(&good)),
            Err("token_invalid"),
        ),
        (
            nothing.clone(),
            Some(bearer(&forged)),
            Some(cookie(&good)),
            Err("token_invalid"),
        ),
        (
            nothing.clone(),
            None,
            Some(cookie(&forged)),
            Err("token_invalid"),
        ),
        (text(&expired), None, None, Err("token_expired")),
        (text(&none), None, None, Err("token_invalid")),
        (text(&long), None, None, Err("token_invalid")),
        (text(""), None, None, Err("token_invalid")),
        (
            json!({"authentication": {"token": 7}}),
            None,
            None,
            Err("token_invalid"),
        ),
        (
            json!({"authentication": {"token": {"a": good}}}),
            None,
            None,
            Err("token_invalid"),
        ),
        (
            nothing.clone(),
            Some("Bearer ".into()),
            None,
            Err("token_missing"),
        ),
        (nothing.clone(), None, None, Err("token_missing")),
        (
            json!({"authentication": good}),
            None,
            None,
            Err("token_missing"),
        ),
        (json!([]), None, None, Err("token_missing")),
    ];

    let settings = settings("requireToken = true\ncookie = 'token'");
    let server = Server::start(&settings);
    for (ext, header, cookie, expected) in table {
        for over in OVER {
            let mut headers = Vec::new();
            headers.extend(header.as_deref().map(|header| ("Authorization", header)));
            headers.extend(cookie.as_deref().map(|cookie| ("Cookie", cookie)));
            let reply = Wire::open(&server, over, &headers).greet(&ext);

            let place = format!("{over:?} {ext} {header:?} {cookie:?}: {reply}");
            assert_eq!(reply["successful"], expected.is_ok(), "{place}");
            let Err(reason) = expected else { continue };
            assert_eq!(reply["error"], "403::handshake_denied", "{place}");
            assert_eq!(reply["advice"], json!({"reconnect": "none"}), "{place}");
            assert_eq!(reply.get("clientId"), None, "{place}");
            let why = json!({"failed": true, "failureReason": reason});
            assert_eq!(reply["ext"]["authentication"], why, "{place}");
        }
    }
    server.stop();
}

// Proves: FI-6, PB-2
#[test]
fn a_publisher_shows_its_secret_and_nobody_else_sees_it() {
    let server = guarded("secretMember = 'password'");
    let mut listener = Wire::handshaken(&server, Over::Polling, STRANGER);
    assert_eq!(listener.does("subscribe", "/public/**")["successful"], true);
    let mut wire = Wire::open(&server, Over::Polling, &[]);
    let bearer = format!("Bearer {PASSWORD}");
    let mut known = Wire::open(&server, Over::Polling, &[("Authorization", &bearer)]);
    let publish = |channel: &str, ext: Value| json!([{"channel": channel, "id": "1", "data": "hi", "ext": ext}]);
    let with = |password: &str| json!({"password": password, "trace": "t"});
    let unknown = "402::session_unknown";

    let table = [
        (publish("/public/a", with(PASSWORD)), OK),
        (
            publish("/public/a", with("the password of the Backend")),
            unknown,
        ),
        (publish("/public/a", with("")), unknown),
        (
            publish("/public/a", json!({"password": [PASSWORD]})),
            unknown,
        ),
        (publish("/public/a", json!({"secret": PASSWORD})), unknown),
        (publish("/public/a", Value::Null), unknown),
        (publish("/admin/a", with(PASSWORD)), unknown),
        (publish("/lobby", Value::Null), unknown),
    ];
    for (message, error) in table {
        let reply = wire.ask(&message).remove(0);
        assert_eq!(
            reply["error"].as_str().unwrap_or_default(),
            error,
            "{message}"
        );
    }
    let reply = known.ask(&publish("/public/b", Value::Null)).remove(0);
    assert_eq!(reply["successful"], true, "{reply}");
    // With a session it is the same, and a token is not taken for the secret.
    let greeted = known.greet(&Value::Null);
    assert_eq!(greeted["successful"], true, "{greeted}");
    assert_eq!(known.does("publish", "/public/c")["successful"], true);
    assert_eq!(known.does("publish", "/admin/c")["error"], NO_PUBLISH);
    assert_eq!(known.does("subscribe", "/admin/c")["error"], NO_SUBSCRIBE);
    let member = json!({"password": PASSWORD, "authentication": {"token": token("{}", FUTURE)}});
    wire.ask(&publish("/public/d", member));

    let events = listener.events();

    let expected = [
        json!({"channel": "/public/a", "data": "hi", "ext": {"trace": "t"}}),
        json!({"channel": "/public/b", "data": "hi"}),
        json!({"channel": "/public/c", "data": 1}),
        json!({"channel": "/public/d", "data": "hi"}),
    ];
    assert_eq!(events, expected);
    server.stop();
}

// Proves: HS-18
#[test]
fn a_session_ends_with_its_token_and_a_new_handshake_renews_it() {
    let server = guarded("leeway = 0");
    for over in OVER {
        let mut wire = Wire::open(&server, over, &[]);
        let short = token(ANN.unwrap_or_default(), in_seconds(3));
        let reply = wire.greet(&json!({"authentication": {"token": short}}));
        assert_eq!(reply["successful"], true, "{reply}");
        assert_eq!(wire.does("subscribe", "/chat/a")["successful"], true);
        wire.ask(&json!([wire.connect_now()]));

        let told = wire.ask(&json!([wire.connect()])).remove(0);

        assert_eq!(told["error"], "402::session_unknown", "{told}");
        assert_eq!(told["advice"]["reconnect"], "handshake", "{told}");
        if let End::WebSocket(socket) = &mut wire.end {
            assert_eq!(socket.close_code(), Ending::Code(1000));
            wire = Wire::open(&server, over, &[]);
        }
        let fresh = token(ANN.unwrap_or_default(), FUTURE);
        let reply = wire.greet(&json!({"authentication": {"token": fresh}}));
        assert_eq!(reply["successful"], true, "{reply}");
        assert_eq!(wire.does("subscribe", "/chat/a")["successful"], true);
        let stale = wire.greet(&json!({"authentication": {"token": short}}));
        assert_eq!(stale["error"], "403::handshake_denied", "{stale}");
    }
    server.stop();
}

// Proves: HS-18
#[test]
fn a_websocket_that_a_cookie_made_known_closes_with_the_token_and_a_new_one_has_the_next() {
    let server = guarded("leeway = 0\ncookie = 'token'");
    for (name, prefix) in [("Cookie", "token="), ("Authorization", "Bearer ")] {
        let short = token(ANN.unwrap_or_default(), in_seconds(3));
        let mut wire = Wire::open(
            &server,
            Over::WebSocket,
            &[(name, &(prefix.to_owned() + &short))],
        );
        let reply = wire.greet(&Value::Null);
        assert_eq!(reply["successful"], true, "{name}: {reply}");
        wire.ask(&json!([wire.connect_now()]));

        let told = wire.ask(&json!([wire.connect()])).remove(0);

        assert_eq!(told["error"], "402::session_unknown", "{name}: {told}");
        assert_eq!(told["advice"]["reconnect"], "handshake", "{name}: {told}");
        let End::WebSocket(mut socket) = wire.end else {
            unreachable!("it was opened as one")
        };
        assert_eq!(socket.close_code(), Ending::Code(1000), "{name}");
        let fresh = prefix.to_owned() + &token(ANN.unwrap_or_default(), FUTURE);
        let reply = Wire::open(&server, Over::WebSocket, &[(name, &fresh)]).greet(&Value::Null);
        assert_eq!(reply["successful"], true, "{name}: {reply}");
    }
    server.stop();
}

#[test]
fn clients_of_faye_and_cometd_outlive_their_token_if_they_have_the_next() {
    let settings = settings("requireToken = true\nleeway = 0");
    let server = Server::start(&settings.option("interval", 100));
    let known = |exp| {
        let token = token(ANN.unwrap_or_default(), exp);
        with(json!({"authentication": {"token": token}}))
    };
    for library in [Library::Faye, Library::CometD] {
        let before = known(in_seconds(5));
        let transport = Transport::WebSocket;
        let mut ann = Client::start_with(library, transport, &server.url(), &before);
        ann.handshake();
        ann.connects_over(transport);
        ann.subscribe("/chat/a");
        ann.renew(&known(FUTURE).ext);

        let session = ann.handshaken();

        assert!(!session.is_empty(), "{library:?}");
        ann.connects_over(transport);
        ann.subscribed("/chat/a");
        ann.publish("/chat/a", json!("still here"));
        ann.expect_event("/chat/a", "still here");
        assert_eq!(ann.sent("/meta/handshake"), 2, "{library:?}");
    }
    server.stop();
}

#[test]
fn no_secret_is_ever_printed() {
    let secrets = [
        token(ANN.unwrap_or_default(), FUTURE),
        token(ROOT.unwrap_or_default(), PAST),
        sign("another key of thirty-two bytes and more", "{}", FUTURE),
    ];
    let server = Server::start(&settings("cookie = 'token'").log("trace"));
    for over in OVER {
        for token in &secrets {
            let bearer = format!("Bearer {token}");
            let cookie = format!("token={token}");
            for headers in [
                &[][..],
                &[("Authorization", &*bearer)],
                &[("Cookie", &*cookie)],
            ] {
                let mut wire = Wire::open(&server, over, headers);
                wire.greet(&json!({"authentication": {"token": token}}));
                wire.ask(&json!([{
                    "channel": "/public/a", "id": "1", "data": 1, "clientId": wire.session,
                    "ext": {"secret": PASSWORD, "authentication": {"token": token}},
                }]));
                wire.does("subscribe", "/chat/a");
            }
        }
    }

    let printed = server.stop_and_tell().join("\n");

    assert!(
        printed.contains("a handshake was refused"),
        "it was logged at all: {printed}"
    );
    let payloads = secrets.iter().flat_map(|token| token.split('.').skip(1));
    for secret in payloads.chain([KEY, PASSWORD]) {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[test]
fn denied_clients_of_faye_and_cometd_are_told_so_and_do_not_hammer() {
    let server = Server::start(&settings("requireToken = true").option("timeout", HOLD));
    for library in [Library::Faye, Library::CometD] {
        for transport in [Transport::LongPolling, Transport::WebSocket] {
            let place = format!("{library:?} over {transport:?}");
            let proxy = Cutter::before(&server);
            let ext = json!({"authentication": {"token": token("{}", PAST)}});
            let mut denied = Client::start_with(library, transport, &proxy.url(), &with(ext));

            let reply = denied.handshake_refused();

            assert_eq!(reply["error"], "403::handshake_denied", "{place}");
            assert_eq!(reply["advice"]["reconnect"], "none", "{place}");
            let (sent, handshakes) = (proxy.sent(), denied.sent("/meta/handshake"));
            outlast(&server);
            assert_eq!(denied.sent("/meta/handshake"), handshakes, "{place}");
            assert_eq!(denied.sent("/meta/connect"), 0, "{place}");
            // A websocket may say that it closes.
            let more = proxy.sent() - sent;
            assert!(more <= GOODBYE, "{place} sent {more} bytes more");
        }
    }
    server.stop();
}

#[test]
fn clients_of_faye_and_cometd_are_known_by_the_cookie_of_their_site() {
    let server = Server::start(&settings("requireToken = true\ncookie = 'token'"));
    let cookie = format!("token={}", token(ANN.unwrap_or_default(), FUTURE));
    let extras = Extras {
        cookie: Some(cookie),
        ..Extras::default()
    };
    for (library, transport) in [
        (Library::Faye, Transport::LongPolling),
        // It shakes hands over HTTP in any case.
        (Library::Faye, Transport::WebSocket),
        (Library::CometD, Transport::LongPolling),
    ] {
        let mut ann = Client::start_with(library, transport, &server.url(), &extras);
        ann.handshake();
        ann.connects_over(transport);

        ann.subscribe("/users/ann/inbox");
        ann.publish("/users/ann/inbox", json!("mine"));
        ann.expect_event("/users/ann/inbox", "mine");
        let refused = ann.subscribe_refused("/users/bob/inbox");
        assert!(
            refused.contains("subscribe_denied"),
            "{library:?}: {refused}"
        );
    }
    server.stop();
}

#[test]
fn clients_of_faye_and_cometd_that_are_denied_a_channel_keep_their_session_and_do_not_hammer() {
    let server = Server::start(&settings("requireToken = true").option("timeout", HOLD));
    for library in [Library::Faye, Library::CometD] {
        for transport in [Transport::LongPolling, Transport::WebSocket] {
            let place = format!("{library:?} over {transport:?}");
            let ext = json!({"authentication": {"token": token(ANN.unwrap_or_default(), FUTURE)}});
            let mut ann = Client::start_with(library, transport, &server.url(), &with(ext));
            ann.handshake();
            ann.connects_over(transport);

            let subscribed = ann.subscribe_refused("/admin/a");
            let everything = ann.subscribe_refused("/**");
            let published = ann.publish_refused("/admin/a", json!(1));

            for error in [subscribed, everything] {
                assert!(error.contains("subscribe_denied"), "{place}: {error}");
            }
            assert!(published.contains("publish_denied"), "{place}: {published}");
            let before = ["/meta/subscribe", "/admin/a"].map(|channel| ann.sent(channel));
            outlast(&server);
            let after = ["/meta/subscribe", "/admin/a"].map(|channel| ann.sent(channel));
            assert_eq!(after, before, "{place}");
            assert_eq!(ann.sent("/meta/handshake"), 1, "{place}");
            // One connect at a time, each held for its time.
            let connects = ann.sent("/meta/connect");
            assert!(connects <= 4 * HOLDS, "{place}: {connects} connects");
            ann.subscribe("/chat/a");
            ann.publish("/chat/a", json!("still here"));
            ann.expect_event("/chat/a", "still here");
        }
    }
    server.stop();
}

/// For how many milliseconds a connect is held, and how many holds are long enough for a client to show
/// what it does after a refusal: both libraries try again after less than one.
const HOLD: u64 = 300;
const HOLDS: usize = 10;

/// How many bytes the end of a websocket takes; a handshake takes ten times as many.
const GOODBYE: usize = 32;

/// Goes on until the server has held so many connects.
fn outlast(server: &Server) {
    let mut wire = Wire::handshaken(server, Over::Polling, ANN);
    wire.ask(&json!([wire.connect_now()]));
    for _ in 0..HOLDS {
        let reply = wire.ask(&json!([wire.connect()])).remove(0);
        assert_eq!(reply["successful"], true, "{reply}");
    }
}

/// A server with the rules and these lines in `[access]`.
fn guarded(access: &str) -> Server {
    Server::start(&settings(access).shards(1))
}

fn settings(access: &str) -> Settings {
    let (key, password) = (file("key", KEY), file("password", PASSWORD));
    Settings::default().tables(&format!(
        "[access]\n{access}\n\
         [[keys]]\nfile = {key:?}\nalgorithm = 'HS256'\n\
         [[publishers]]\nfile = {password:?}\npattern = '/public/**'\n{RULES}"
    ))
}

/// A file with this text, written once by all tests of this process.
fn file(name: &str, text: &str) -> PathBuf {
    static WRITING: Mutex<()> = Mutex::new(());
    let _alone = WRITING.lock().expect("nobody panics while writing");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("access-{name}"));
    if fs::read_to_string(&path).is_ok_and(|found| found == text) {
        return path;
    }
    fs::write(&path, text).expect("a file can be written");
    path
}

/// A token that says this, good until `exp`.
fn token(claims: &str, exp: u64) -> String {
    sign(KEY, claims, exp)
}

fn sign(key: &str, claims: &str, exp: u64) -> String {
    let mut claims: Value = serde_json::from_str(claims).expect("claims in JSON");
    claims["exp"] = exp.into();
    let key = EncodingKey::from_secret(key.as_bytes());
    encode(&Header::default(), &claims, &key).expect("a token")
}

/// A token that nobody signed.
fn none(claims: &str) -> String {
    let head = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    assert_eq!(claims, r#"{"sub": "ann", "exp": 4000000000}"#);
    format!("{head}.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDQwMDAwMDAwMDB9.")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token ends by the clock of the world"
)]
fn in_seconds(seconds: u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs()) + seconds
}

/// What a client talks over.
#[derive(Clone, Copy, Debug)]
enum Over {
    Polling,
    Callbacks,
    WebSocket,
}

/// All of them.
const OVER: [Over; 3] = [Over::Polling, Over::Callbacks, Over::WebSocket];

/// A client without a will of its own.
struct Wire {
    end: End,
    headers: Vec<(String, String)>,
    session: String,
}

enum End {
    Polling(HttpConnection),
    Callbacks(HttpConnection),
    WebSocket(WebSocket),
}

impl Wire {
    fn open(server: &Server, over: Over, headers: &[(&str, &str)]) -> Self {
        let end = match over {
            Over::Polling => End::Polling(HttpConnection::open(server.address())),
            Over::Callbacks => End::Callbacks(HttpConnection::open(server.address())),
            Over::WebSocket => {
                End::WebSocket(WebSocket::open(server.address(), Server::PATH, headers))
            }
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            end,
            headers: headers.iter().map(owned).collect(),
            session: String::new(),
        }
    }

    /// Somebody of whom a token says these claims, if he has one.
    fn handshaken(server: &Server, over: Over, claims: Option<&str>) -> Self {
        let mut wire = Self::open(server, over, &[]);
        let ext = match claims {
            Some(claims) => json!({"authentication": {"token": token(claims, FUTURE)}}),
            None => Value::Null,
        };
        let reply = wire.greet(&ext);
        assert_eq!(reply["successful"], true, "{reply}");
        wire
    }

    /// Handshakes, and gives the reply.
    fn greet(&mut self, ext: &Value) -> Value {
        let mut handshake = json!({
            "channel": "/meta/handshake", "id": "h", "version": "1.0",
            "supportedConnectionTypes": ["websocket", "long-polling", "callback-polling"],
        });
        if !ext.is_null() {
            handshake["ext"] = ext.clone();
        }
        let reply = self.ask(&json!([handshake])).remove(0);
        self.session = reply["clientId"].as_str().unwrap_or_default().to_owned();
        reply
    }

    /// Subscribes or publishes, and gives the reply.
    fn does(&mut self, operation: &str, channel: &str) -> Value {
        let message = match operation {
            "subscribe" => json!({
                "channel": "/meta/subscribe", "id": "1", "clientId": self.session,
                "subscription": channel,
            }),
            _ => json!({"channel": channel, "id": "1", "clientId": self.session, "data": 1}),
        };
        let replies = self.ask(&json!([message]));
        let reply = replies.into_iter().find(|message| message["id"] == "1");
        reply.expect("a reply")
    }

    fn connect(&self) -> Value {
        let kind = match self.end {
            End::Polling(_) => "long-polling",
            End::Callbacks(_) => "callback-polling",
            End::WebSocket(_) => "websocket",
        };
        json!({
            "channel": "/meta/connect", "id": "c", "clientId": self.session, "connectionType": kind,
        })
    }

    fn connect_now(&self) -> Value {
        let mut connect = self.connect();
        connect["advice"] = json!({"timeout": 0});
        connect
    }

    /// The events that wait, or that have come by the time a connect is answered.
    fn events(&mut self) -> Vec<Value> {
        let connect = self.connect_now();
        let messages = self.ask(&json!([connect]));
        let is_event = |message: &Value| message.get("successful").is_none();
        messages.into_iter().filter(is_event).collect()
    }

    /// Sends messages, and gives what comes until all are answered.
    fn ask(&mut self, messages: &Value) -> Vec<Value> {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        match &mut self.end {
            End::Polling(connection) => connection
                .request("POST", Server::PATH, &headers, &messages.to_string())
                .messages(),
            End::Callbacks(connection) => connection.call(Server::PATH, &headers, messages),
            End::WebSocket(socket) => {
                socket.send(messages);
                let due = messages.as_array().map_or(0, Vec::len);
                let mut all = Vec::new();
                while all
                    .iter()
                    .filter(|one: &&Value| one.get("successful").is_some())
                    .count()
                    < due
                {
                    all.extend(socket.messages());
                }
                all
            }
        }
    }
}
