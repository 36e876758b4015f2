//! Secrets of publishers, and what is never printed.

use super::*;

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
