//! Requests from pages of other origins: who may, what the answers say, and that errors can be seen.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use bayeux_tests::live::{HttpConnection, Poller, Response, Server, Settings, WebSocket, percent};
use serde_json::json;

const SHOP: &str = "https://shop.example";
const JSON: (&str, &str) = ("Content-Type", "application/json;charset=UTF-8");

fn server_for_the_shop() -> Server {
    Server::start(&Settings::default().shards(1).allow_origin(SHOP))
}

#[track_caller]
fn expect_open_to(response: &Response, origin: &str) {
    assert_eq!(
        response.header("Access-Control-Allow-Origin"),
        Some(origin),
        "{response:?}"
    );
    assert_eq!(
        response.header("Access-Control-Allow-Credentials"),
        Some("true")
    );
    assert_varies(response);
}

#[track_caller]
fn expect_closed(response: &Response) {
    assert_eq!(response.status, 403, "{response:?}");
    assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    assert_eq!(response.header("Access-Control-Allow-Credentials"), None);
}

#[track_caller]
fn assert_varies(response: &Response) {
    let varies = response
        .header_values("Vary")
        .flat_map(|value| value.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case("origin"));
    assert!(varies, "no Vary: Origin in {response:?}");
}

// Proves: XO-1, XO-2
#[test]
fn an_allowed_origin_may_read_the_answers() {
    let server = server_for_the_shop();
    let origin = ("Origin", SHOP);

    let (_, response) = Poller::greet(server.address(), &[origin, JSON]);
    assert_eq!(response.messages()[0]["successful"], true);
    expect_open_to(&response, SHOP);

    // As Faye sends it.
    let form =
        "message=%5B%7B%22channel%22%3A%22%2Fmeta%2Fconnect%22%2C%22clientId%22%3A%22x%22%7D%5D";
    let mut connection = HttpConnection::open(server.address());
    let text = ("Content-Type", "text/plain");
    let response = connection.request("POST", Server::PATH, &[origin, text], form);
    assert_eq!(response.messages()[0]["error"], "402::session_unknown");
    expect_open_to(&response, SHOP);
}

// Proves: XO-2, ER-6
#[test]
fn an_allowed_origin_may_read_the_errors() {
    let server = server_for_the_shop();
    let origin = ("Origin", SHOP);
    let mut connection = HttpConnection::open(server.address());

    let response = connection.request("POST", Server::PATH, &[origin, JSON], "nonsense");
    assert_eq!(response.status, 400);
    expect_open_to(&response, SHOP);
    let response = connection.request("GET", "/bayeux?jsonp=f", &[origin], "");
    assert_eq!(response.status, 400);
    expect_open_to(&response, SHOP);
    let response = connection.request(
        "DELETE",
        Server::PATH,
        &[origin, ("Content-Length", "0")],
        "",
    );
    assert_eq!(response.status, 405);
    expect_open_to(&response, SHOP);
    let length = ("Content-Length", "1000000000");
    connection.send("POST", Server::PATH, &[origin, JSON, length], "");
    let response = connection.response("POST");
    assert_eq!(response.status, 413);
    expect_open_to(&response, SHOP);
}

// Proves: CN-9, DE-6, XO-2
#[test]
fn an_allowed_origin_may_read_that_its_connect_was_overtaken() {
    let server = server_for_the_shop();
    let poller = Poller::connected_with(server.address(), &[("Origin", SHOP), JSON]);

    let older = poller.hold();
    let _newer = poller.hold();

    let response = older.answer();
    assert_eq!((response.status, response.text()), (500, ""));
    expect_open_to(&response, SHOP);
}

// Proves: XO-3, LP-4
#[test]
fn a_preflight_is_answered_on_every_path_below_the_base() {
    let server = server_for_the_shop();
    let mut connection = HttpConnection::open(server.address());
    let asked = [
        ("Origin", SHOP),
        ("Access-Control-Request-Method", "POST"),
        (
            "Access-Control-Request-Headers",
            "content-type,x-requested-with",
        ),
    ];

    for path in [
        "",
        "/",
        "/handshake",
        "/connect",
        "/disconnect",
        "/subscribe",
        "/unsubscribe",
        "/a/b",
    ] {
        let path = format!("{}{path}", Server::PATH);
        let response = connection.request("OPTIONS", &path, &asked, "");
        assert!(matches!(response.status, 200 | 204), "{path}: {response:?}");
        assert!(response.body.is_empty(), "{path}: {response:?}");
        expect_open_to(&response, SHOP);
        let methods = response.header("Access-Control-Allow-Methods");
        assert_eq!(methods, Some("GET, POST, OPTIONS"), "{path}");
        let headers = response
            .header("Access-Control-Allow-Headers")
            .unwrap_or_default();
        let headers = headers.to_ascii_lowercase();
        for header in ["content-type", "x-requested-with"] {
            assert!(headers.contains(header), "{path}: {headers}");
        }
        assert_eq!(
            response.header("Access-Control-Max-Age"),
            Some("86400"),
            "{path}"
        );
    }
}

// Proves: XO-4, DE-20
#[test]
fn other_origins_are_refused_before_anything_happens() {
    let server = server_for_the_shop();
    let mut poller = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));
    let mut connection = HttpConnection::open(server.address());
    let publish = json!([poller.publish("/t", "forged")]).to_string();
    let other_port = format!("http://{}:1", server.address().ip());

    for origin in [
        "https://evil.example",
        "https://shop.example.evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://sub.shop.example",
        "null",
        "",
        &other_port,
    ] {
        let response =
            connection.request("POST", Server::PATH, &[("Origin", origin), JSON], &publish);
        expect_closed(&response);
        let asked = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
        ];
        expect_closed(&connection.request("OPTIONS", Server::PATH, &asked, ""));
        expect_closed(&WebSocket::refused(
            server.address(),
            Server::PATH,
            &[("Origin", origin)],
        ));
    }

    let replies = poller.post(json!([poller.connect_now()]));
    assert_eq!(replies.len(), 1, "no event was published: {replies:?}");
}

// Proves: XO-4, DE-20, WS-3
#[test]
fn without_a_list_the_own_origin_and_no_origin_are_allowed() {
    let server = Server::with_defaults();
    let own = format!("http://{}", server.address());
    let behind_tls = format!("https://{}", server.address());

    let (_, response) = Poller::greet(server.address(), &[JSON]);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    for origin in [own.as_str(), behind_tls.as_str()] {
        let (_, response) = Poller::greet(server.address(), &[("Origin", origin), JSON]);
        assert_eq!(response.status, 200, "{origin}");
        WebSocket::open(server.address(), Server::PATH, &[("Origin", origin)]);
    }
    WebSocket::open(server.address(), Server::PATH, &[]);
    let (_, response) = Poller::greet(server.address(), &[("Origin", SHOP), JSON]);
    expect_closed(&response);
}

// Proves: XO-2, DE-20
#[test]
fn any_origin_can_be_allowed_and_is_echoed() {
    let server = Server::start(&Settings::default().allow_origin("*"));

    for origin in [SHOP, "http://localhost:3000"] {
        let (_, response) = Poller::greet(server.address(), &[("Origin", origin), JSON]);
        assert_eq!(response.status, 200, "{origin}");
        expect_open_to(&response, origin);
        WebSocket::open(server.address(), Server::PATH, &[("Origin", origin)]);
    }
}

// Proves: XO-6, BR-4, HS-10
#[test]
fn a_script_may_shake_hands_for_a_client_that_goes_on_across_origins_without_its_cookie() {
    let server = server_for_the_shop();
    let mut connection = HttpConnection::open(server.address());
    let handshake = json!([{
        "channel": "/meta/handshake", "id": "1", "version": "1.0",
        "supportedConnectionTypes": ["cross-origin-long-polling", "websocket", "callback-polling"]
    }]);
    let query = format!(
        "/bayeux?jsonp=f&message={}",
        percent(&handshake.to_string())
    );
    let referer = ("Referer", "https://shop.example/cart");
    let response = connection.request("GET", &query, &[referer], "");
    let text = response.text();
    let array = text
        .strip_prefix("/**/f(")
        .and_then(|rest| rest.strip_suffix(");"));
    let reply: serde_json::Value =
        serde_json::from_str(array.unwrap_or_default()).unwrap_or_default();
    assert_eq!(reply[0]["successful"], true, "{text}");
    let types = reply[0]["supportedConnectionTypes"].to_string();
    assert!(types.contains("cross-origin-long-polling"), "{types}");

    let connect = json!([{
        "channel": "/meta/connect", "id": "2", "clientId": reply[0]["clientId"],
        "connectionType": "cross-origin-long-polling"
    }]);
    let form = format!("message={}", percent(&connect.to_string()));
    let origin = ("Origin", SHOP);
    let plain = ("Content-Type", "text/plain");
    let response = connection.request("POST", Server::PATH, &[origin, plain], &form);

    assert_eq!(response.messages()[0]["successful"], true, "{response:?}");
    expect_open_to(&response, SHOP);
}
