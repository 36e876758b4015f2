//! Where a token is taken from, and what ends with it.

use super::*;

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
