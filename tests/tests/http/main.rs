//! HTTP as the protocol needs it: routes, methods, bodies, connections, held requests.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

mod bodies;
mod connections;
mod held;

use bayeux_tests::live::{HttpConnection, Poller, Server, Settings, percent};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("Content-Type", "application/json;charset=UTF-8");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn one_shard() -> Server {
    Server::start(&Settings::default().shards(1))
}

fn handshake() -> Value {
    json!({
        "channel": "/meta/handshake", "id": "1", "version": "1.0",
        "supportedConnectionTypes": ["long-polling"]
    })
}

fn ok(channel: &str, id: &str) -> Value {
    json!({"channel": channel, "id": id, "successful": true})
}

// Proves: HT-1, LP-1
#[test]
fn every_path_below_the_base_dispatches_by_content() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());

    for path in [
        "",
        "/",
        "/handshake",
        "/connect",
        "/disconnect",
        "/subscribe",
        "/a/b.c?d=e",
    ] {
        let path = format!("{}{path}", Server::PATH);
        let response =
            connection.request("POST", &path, &[JSON], &json!([handshake()]).to_string());
        assert_eq!(response.messages()[0]["successful"], true, "{path}");
    }
    let response = connection.request(
        "POST",
        "/elsewhere",
        &[JSON],
        &json!([handshake()]).to_string(),
    );
    assert_eq!(response.status, 404);
}

// Proves: HT-2, DE-19
#[test]
fn other_methods_are_refused() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());

    for method in ["HEAD", "PUT", "DELETE", "TRACE"] {
        let response = connection.request(method, Server::PATH, &[("Content-Length", "0")], "");
        assert_eq!(response.status, 405, "{method}");
        let allow = response.header("Allow").unwrap_or_default();
        assert!(
            allow.contains("POST") && allow.contains("GET"),
            "{method}: {allow:?}"
        );
    }
    let response = connection.request("GET", "/bayeux", &[], "");
    assert_eq!(response.status, 400);
}

// Proves: HT-5, FI-1, RC-8
#[test]
fn an_answer_is_json_that_nobody_stores() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());

    let response = connection.request("POST", Server::PATH, &[JSON], r#"[{"id":"7"}]"#);

    assert_eq!(response.status, 200);
    assert_eq!(
        response.header("Content-Type"),
        Some("application/json;charset=UTF-8")
    );
    assert_eq!(response.header("Cache-Control"), Some("no-cache, no-store"));
    assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    assert!(
        response.text().ends_with("}]"),
        "nothing after the array: {:?}",
        response.text()
    );
    assert_eq!(
        Value::from(response.messages()),
        json!([{"id": "7", "successful": false, "error": "400::channel_missing"}])
    );
}

// Proves: HT-9, PL-3, ER-5
#[test]
fn the_first_message_decides_whose_request_it_is() {
    let server = Server::with_defaults();
    let mut mine = Poller::connected(server.address());
    let other = Poller::connected(server.address());

    let replies = mine.post(json!([mine.publish("/t", 1), other.publish("/t", 2)]));

    let unknown = json!({
        "channel": "/t", "id": "p", "successful": false, "error": "402::session_unknown"
    });
    assert_eq!(replies, [ok("/t", "p"), unknown]);
}

// Proves: HS-7
#[test]
fn a_handshake_comes_first_and_alone() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());

    let replies = poller.post(json!([handshake(), poller.publish("/t", 1)]));
    assert_eq!(replies[0]["successful"], true);
    assert_eq!(replies[1]["error"], "402::session_unknown");

    let replies = poller.post(json!([poller.publish("/t", 1), handshake()]));
    assert_eq!(replies[0], ok("/t", "p"));
    assert_eq!(replies[1]["error"], "400::handshake_must_be_first");
    assert_eq!(replies[1].get("clientId"), None);
}

// Proves: HT-7
#[test]
fn nothing_is_redirected_or_challenged() {
    let server = Server::with_defaults();
    let paths = ["/", "/bayeux", "/bayeux/", "//bayeux", "/bayeux/../x", "/x"];
    let body = json!([{"channel": "/a", "id": "1", "data": 1}]).to_string();

    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
        for path in paths {
            let mut connection = HttpConnection::open(server.address());
            let wrong = ("Authorization", "Basic bm9ib2R5Og==");
            let response = connection.request(method, path, &[JSON, wrong], &body);
            let status = response.status;

            assert!(!(300..400).contains(&status), "{method} {path}: {status}");
            assert_ne!(status, 401, "{method} {path}");
            assert_eq!(response.header("Location"), None, "{method} {path}");
            assert_eq!(response.header("WWW-Authenticate"), None, "{method} {path}");
        }
    }
}

// Proves: LP-5, HT-5
#[test]
fn a_response_is_one_piece_whose_length_is_known() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    poller.post(poller.subscribe("/news"));
    let burst = (0..50).map(|at| poller.publish("/news", format!("event {at}, Zoë")));
    let burst = Value::from_iter(burst);

    let answer = poller.answer(burst);

    assert_eq!(answer.messages().len(), 100, "each event and each reply");
    let length = answer.header("Content-Length").map(str::parse);
    assert_eq!(length, Some(Ok(answer.text().len())));
    assert_eq!(answer.header("Transfer-Encoding"), None);
}

// Proves: XO-4
#[test]
fn a_request_names_one_host() {
    let server = one_shard();
    let body = json!([handshake()]).to_string();
    let table = [
        ("HTTP/1.1", "", 400),
        ("HTTP/1.1", "Host: a\r\n", 200),
        ("HTTP/1.1", "Host: a\r\nHost: a\r\n", 400),
        (
            "HTTP/1.1",
            "Host: a\r\nHost: b\r\nOrigin: http://b\r\n",
            400,
        ),
        ("HTTP/1.0", "", 200),
        ("HTTP/1.0", "Host: a\r\nHost: a\r\n", 400),
    ];

    for (version, headers, status) in table {
        let length = body.len();
        let head = format!(
            "POST /bayeux {version}\r\n{headers}Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let mut connection = HttpConnection::open(server.address());
        connection.send_raw((head + &body).as_bytes());
        let response = connection.response("POST");

        assert_eq!(response.status, status, "{version} {headers:?}");
    }
    let page = HttpConnection::open(server.address()).request(
        "GET",
        "/",
        &[("Host", "a"), ("Host", "b")],
        "",
    );
    assert_eq!(page.status, 400, "for the page too");
}
