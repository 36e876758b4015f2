//! Who is let in, and what nobody learns.

use bayeux_tests::live::{HttpConnection, Server, Settings};
use serde_json::{Value, json};

use crate::backend::{Backend, JSON, KEY, bearer, listener, refusal, settings};

const PUBLISH: &str = r#"{"channel":"/a","data":1}"#;

fn publish(server: &Server, headers: &[(&str, &str)]) -> (u16, String) {
    let mut connection = HttpConnection::open(server.admin_address());
    let headers = [headers, &[JSON]].concat();
    let response = connection.request("POST", "/api/v1/publish", &headers, PUBLISH);
    if response.status == 200 {
        return (200, response.text().into());
    }
    if response.status == 401 {
        let challenge = response.header("WWW-Authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
    }
    refusal(&response)
}

#[test]
fn without_the_right_key_nothing_is_done() {
    let server = Server::start(&settings());
    let longer = format!("Bearer {KEY}x");
    let shorter = format!("Bearer {}", &KEY[..KEY.len() - 1]);
    let right = format!("Bearer {KEY}");

    assert_eq!(publish(&server, &[]), (401, "key_missing".into()));
    for (value, code) in [
        (KEY, "key_missing"),
        ("Basic YTpi", "key_missing"),
        ("Bearer ", "key_missing"),
        (longer.as_str(), "key_wrong"),
        (shorter.as_str(), "key_wrong"),
    ] {
        let refused = publish(&server, &[("Authorization", value)]);
        assert_eq!(refused, (401, code.into()), "{value}");
    }
    // The page of a browser has no business here, whatever it shows.
    let from_a_page = [
        ("Authorization", right.as_str()),
        ("Origin", "http://a.example"),
    ];
    assert_eq!(
        publish(&server, &from_a_page),
        (403, "origin_refused".into())
    );

    let mut backend = Backend::of(&server);
    let done = backend.post_text("publish", PUBLISH);
    assert_eq!(done, json!({"position": 1}), "it is the first");
    let counters = backend.get("counters");
    assert_eq!(counters["server"]["keys_refused"], 6);
    assert_eq!(counters["server"]["origins_refused"], 1);
}

#[test]
fn who_has_no_key_does_not_learn_what_there_is() {
    let server = Server::start(&settings());
    let mut connection = HttpConnection::open(server.admin_address());
    for path in [
        "/api/v1/sessions",
        "/api/v1/publish",
        "/api/v1/nothing",
        "/api/",
    ] {
        let response = connection.request("GET", path, &[], "");
        assert_eq!(refusal(&response), (401, "key_missing".into()), "{path}");
    }
    let mut backend = Backend::of(&server);
    for path in [
        "/api/v1/nothing",
        "/api/v1/",
        "/api/v1/publish/",
        "/",
        "/bayeux",
    ] {
        let response = backend.ask("GET", path, "");
        assert_eq!(refusal(&response), (404, "route_unknown".into()), "{path}");
    }
}

#[test]
fn the_api_is_closed_until_a_key_is_set() {
    let server = Server::start(&Settings::default().shards(1).admin());
    let (name, value) = bearer(KEY);

    let refused = publish(&server, &[(name, &value)]);
    assert_eq!(refused, (403, "no_key_set".into()));

    let mut connection = HttpConnection::open(server.admin_address());
    for path in ["/live", "/ready", "/metrics", "/api/v1/openapi.json"] {
        let response = connection.request("GET", path, &[], "");
        assert_eq!(response.status, 200, "{path}");
    }
}

#[test]
fn any_of_several_keys_will_do() {
    let other = "another-key-for-the-time-of-change";
    let keys = vec![KEY, other];
    let settings = Settings::default().shards(1).admin();
    let server = Server::start(&settings.option("server.admin-key", keys));

    for (n, key) in (1..).zip([KEY, other, KEY]) {
        let (name, value) = bearer(key);
        let done = publish(&server, &[(name, &value)]);
        assert_eq!(done, (200, json!({"position": n}).to_string()));
    }
}

#[test]
fn the_two_doors_lead_to_different_rooms() {
    let server = Server::start(&settings());
    let mut backend = Backend::of(&server);
    let handshake = json!([{
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]
    }]);
    let response = backend.ask("POST", "/bayeux", &handshake.to_string());
    assert_eq!(refusal(&response), (404, "route_unknown".into()));

    let (name, value) = bearer(KEY);
    let mut client = HttpConnection::open(server.address());
    let response = client.request("GET", "/api/v1/sessions", &[(name, &value)], "");
    assert_eq!(response.status, 404);
    assert_eq!(client.request("GET", "/metrics", &[], "").status, 404);
    for path in ["/live", "/ready"] {
        let response = client.request("GET", path, &[], "");
        assert_eq!(response.status, 200, "{path}");
    }
}

#[test]
fn neither_a_key_nor_a_session_is_ever_printed() {
    let wrong = "a-key-that-somebody-has-guessed";
    let server = Server::start(&settings().log("trace"));
    let (_socket, session) = listener(&server, &["/a"]);
    let mut backend = Backend::of(&server);

    let (name, value) = bearer(wrong);
    assert_eq!(publish(&server, &[(name, &value)]).0, 401);
    let body = json!({"clientId": session});
    let seen: Value = backend.post("inspect", &body);
    assert_eq!(seen["clientId"], *session);
    backend.get("sessions");
    backend.post("disconnect", &body);
    backend.refused("disconnect", &body);

    let said = server.stop_and_tell().join("\n");
    let ended = format!("session=SessionId({}..)", &session[..4]);
    assert!(said.contains(&ended), "it logs that it was ended:\n{said}");
    for secret in [KEY, wrong, &session] {
        assert!(!said.contains(secret), "{secret} is in:\n{said}");
    }
}

#[test]
fn a_key_that_is_no_key_stops_the_server_without_being_shown() {
    for (key, why) in [
        (json!("too-short-a-key"), "16 characters"),
        (json!("a key with spaces in it"), "letters"),
        (
            json!(["a-key-that-is-long-enough", "short"]),
            "16 characters",
        ),
        (json!({"a-key": "in-a-table-of-its-own"}), "must be a text"),
    ] {
        let value = key.to_string().replace("\":\"", "\" = \"");
        let file = format!("[server]\nadmin-key = {value}\n");
        let mut server = Server::run(&["--config", "/dev/stdin"], &file);
        let (code, said) = server.end();
        let said = said.join("\n");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(why), "{said}");
        for part in ["too-short-a", "with spaces", "long-enough", "table-of-its"] {
            assert!(!said.contains(part), "{said}");
        }
    }
}
