//! Callback-polling: answers that a page loads as scripts.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use bayeux_tests::live::{HttpConnection, Poller, Response, Server, Settings, percent};
use serde_json::{Value, json};

/// A page's way to send messages.
struct Script {
    connection: HttpConnection,
}

impl Script {
    fn of(server: &Server) -> Self {
        Self {
            connection: HttpConnection::open(server.address()),
        }
    }

    #[track_caller]
    fn get(&mut self, query: &str) -> Response {
        self.get_with(query, &[])
    }

    #[track_caller]
    fn get_with(&mut self, query: &str, headers: &[(&str, &str)]) -> Response {
        let path = format!("{}/connect?{query}", Server::PATH);
        self.connection.request("GET", &path, headers, "")
    }

    /// Sends messages and gives those of the answer.
    #[track_caller]
    fn call(&mut self, messages: &Value) -> Vec<Value> {
        let response = self.get(&format!(
            "jsonp=f&message={}",
            percent(&messages.to_string())
        ));
        serde_json::from_str(argument(&response, "f")).expect("JSON")
    }
}

/// What the answer calls that function with.
#[track_caller]
fn argument<'a>(response: &'a Response, function: &str) -> &'a str {
    assert_eq!(response.status, 200, "{response:?}");
    let text = response.text();
    text.strip_prefix("/**/")
        .and_then(|call| call.strip_prefix(function)?.strip_prefix('('))
        .and_then(|call| call.strip_suffix(";").unwrap_or(call).strip_suffix(')'))
        .unwrap_or_else(|| panic!("not a call of {function}: {text}"))
}

fn handshake() -> Value {
    json!([{
        "channel": "/meta/handshake", "id": "1", "version": "1.0",
        "supportedConnectionTypes": ["callback-polling"]
    }])
}

fn ok(channel: &str, id: &str) -> Value {
    json!({"channel": channel, "id": id, "successful": true})
}

// Proves: CB-1, CB-3, CB-8, HT-2
#[test]
fn an_answer_is_a_script_that_nobody_stores_or_guesses_at() {
    let server = Server::with_defaults();
    let message = percent(&handshake().to_string());

    let response = Script::of(&server).get(&format!("jsonp=cometd._cb12&message={message}"));

    let replies: Value = serde_json::from_str(argument(&response, "cometd._cb12")).expect("JSON");
    assert_eq!(replies[0]["successful"], true);
    assert_eq!(
        response.header("Content-Type"),
        Some("text/javascript;charset=UTF-8")
    );
    assert_eq!(response.header("Cache-Control"), Some("no-cache, no-store"));
    assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"));
    assert!(
        response
            .header("Set-Cookie")
            .is_some_and(|cookie| cookie.starts_with("BAYEUX_BROWSER="))
    );
}

// Proves: CB-3
#[test]
fn the_prefix_is_an_option() {
    let server = Server::start(&Settings::default().option("jsonpPrefix", false));
    let message = percent(&handshake().to_string());

    let response = Script::of(&server).get(&format!("jsonp=f&message={message}"));

    assert!(
        response.text().starts_with("f([") && response.text().ends_with("])"),
        "{response:?}"
    );
}

// Proves: CB-4, FR-5
#[test]
fn what_ends_a_line_or_a_script_is_escaped() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));
    let text = "a\u{2028}b\u{2029}c</script><!--\u{0}é😀";
    let mut publisher = Poller::connected(server.address());
    publisher.post(json!([publisher.publish("/t", text)]));

    let connect = percent(&json!([poller.connect()]).to_string());
    let response = Script::of(&server).get(&format!("jsonp=f&message={connect}"));

    let body = response.text();
    for forbidden in ["\u{2028}", "\u{2029}", "</", "\u{0}"] {
        assert!(!body.contains(forbidden), "{forbidden:?} in {body:?}");
    }
    let replies: Value = serde_json::from_str(argument(&response, "f")).expect("JSON");
    assert_eq!(replies[0], json!({"channel": "/t", "data": text}));
}

// Proves: CB-2, DE-20
#[test]
fn the_function_is_a_name_and_nothing_else() {
    let server = Server::with_defaults();
    let mut script = Script::of(&server);
    let message = percent(&handshake().to_string());
    let longest = "f".repeat(64);

    for name in ["f", "cometd._cb12", "jQuery_1.$x", "a-b", "0", &longest] {
        let response = script.get(&format!("jsonp={name}&message={message}"));
        argument(&response, name);
    }
    for name in [
        "",
        "a%20b",
        "a(b)",
        "alert%281%29%2F%2F",
        "%3Cscript%3E",
        "f%0D%0AX",
        "%C3%A9",
        &format!("{longest}f"),
    ] {
        let response = script.get(&format!("jsonp={name}&message={message}"));
        assert_eq!(response.status, 400, "{name}");
    }
    let response = script.get(&format!("jsonp=f&jsonp=g&message={message}"));
    assert_eq!(response.status, 400);
    let response = script.get(&format!("message={message}"));
    argument(&response, "jsonpcallback");
}

// Proves: CB-1, CB-5, FR-3
#[test]
fn a_script_without_messages_is_a_bad_request() {
    let server = Server::with_defaults();
    let mut script = Script::of(&server);

    for query in [
        "jsonp=f",
        "jsonp=f&message=",
        "jsonp=f&message=%5B%5D",
        "jsonp=f&message=1",
        "jsonp=f&message=%5B%7B",
    ] {
        assert_eq!(script.get(query).status, 400, "{query}");
    }
}

// Proves: CB-1, DE-20
#[test]
fn several_message_parameters_are_one_list() {
    let server = Server::with_defaults();
    let poller = Poller::connected(server.address());
    let first = percent(&json!([poller.publish("/a", 1), poller.publish("/b", 2)]).to_string());
    let second = percent(&poller.publish("/c", 3).to_string());

    let response = Script::of(&server).get(&format!("message={first}&jsonp=f&message={second}"));

    let replies: Vec<Value> = serde_json::from_str(argument(&response, "f")).expect("JSON");
    assert_eq!(replies, [ok("/a", "p"), ok("/b", "p"), ok("/c", "p")]);
}

// Proves: CB-7
#[test]
fn urls_may_be_as_long_as_browsers_send_them() {
    let server = Server::with_defaults();
    let poller = Poller::connected(server.address());
    let message = json!([poller.publish("/a", "x".repeat(8_192))]).to_string();
    let message = message
        .replace('"', "%22")
        .replace('{', "%7B")
        .replace('}', "%7D");

    let response = Script::of(&server).get(&format!("jsonp=f&message={message}"));

    let replies: Vec<Value> = serde_json::from_str(argument(&response, "f")).expect("JSON");
    assert_eq!(replies, [ok("/a", "p")]);
}

// Proves: CB-6, QU-4, CN-2
#[test]
fn events_travel_with_connects_only() {
    let server = Server::with_defaults();
    let mut script = Script::of(&server);
    let replies = script.call(&handshake());
    let session = &replies[0]["clientId"];
    let connect = json!([{
        "channel": "/meta/connect", "id": "2", "clientId": session,
        "connectionType": "callback-polling"
    }]);
    assert_eq!(script.call(&connect)[0]["successful"], true);

    let replies = script.call(&json!([
        {"channel": "/meta/subscribe", "id": "3", "clientId": session, "subscription": "/t"},
        {"channel": "/t", "id": "4", "clientId": session, "data": 1}
    ]));
    let subscribed = json!({
        "channel": "/meta/subscribe", "id": "3", "successful": true, "subscription": "/t"
    });
    assert_eq!(replies, [subscribed, ok("/t", "4")]);
    let event = json!({"channel": "/t", "data": 1});
    assert_eq!(script.call(&connect), [event, ok("/meta/connect", "2")]);
}

// Proves: CB-9, DE-20, XO-4
#[test]
fn a_script_is_for_pages_that_may_read_it() {
    let server = Server::start(&Settings::default().allow_origin("https://shop.example"));
    let mut script = Script::of(&server);
    let query = format!("jsonp=f&message={}", percent(&handshake().to_string()));
    let own = format!("http://{}/page.html", server.address());
    let other_port = "http://127.0.0.1:1/page.html";

    for referer in [
        own.as_str(),
        "https://shop.example/a?b",
        "https://shop.example",
    ] {
        let response = script.get_with(&query, &[("Referer", referer)]);
        assert_eq!(response.status, 200, "{referer}");
    }
    for referer in [
        "https://evil.example/",
        "https://shop.example.evil.example/",
        "http://shop.example/",
        "https://shop.example:444/",
        other_port,
        "nonsense",
    ] {
        let response = script.get_with(&query, &[("Referer", referer)]);
        assert_eq!(response.status, 403, "{referer}");
        assert_eq!(response.header("Set-Cookie"), None, "{referer}");
    }
}

// Proves: CB-9
#[test]
fn a_page_that_withholds_its_address_is_known_by_its_site() {
    let query = format!("jsonp=f&message={}", percent(&handshake().to_string()));
    let shop = ("Referer", "https://shop.example/");
    let foreign = ("Referer", "https://evil.example/");
    let site = |site| ("Sec-Fetch-Site", site);
    let cases = [
        (vec![site("cross-site")], 403),
        (vec![site("same-site")], 403),
        (vec![site("cross-site"), ("Referer", "")], 403),
        (vec![site("something-new")], 403),
        (vec![site("same-origin"), site("cross-site")], 403),
        (vec![site("same-origin"), foreign], 403),
        (vec![site("cross-site"), shop], 200),
        (vec![site("same-origin")], 200),
        (vec![site("none")], 200),
        (vec![], 200),
    ];

    let server = Server::start(&Settings::default().allow_origin("https://shop.example"));
    for (headers, status) in &cases {
        let response = Script::of(&server).get_with(&query, headers);
        assert_eq!(response.status, *status, "{headers:?}");
    }
    let server = Server::start(&Settings::default().allow_origin("*"));
    for (headers, _) in &cases {
        let response = Script::of(&server).get_with(&query, headers);
        assert_eq!(response.status, 200, "to anyone: {headers:?}");
    }
}

// Proves: DE-19, DE-20, HS-5
#[test]
fn it_can_be_switched_off() {
    let settings =
        Settings::default().option("allowedTransports", vec!["websocket", "long-polling"]);
    let server = Server::start(&settings);
    let query = format!("jsonp=f&message={}", percent(&handshake().to_string()));

    let response = Script::of(&server).get(&query);

    assert_eq!(response.status, 405);
    assert!(
        response
            .header("Allow")
            .is_some_and(|methods| methods.contains("POST"))
    );
    let (_, response) = Poller::greet(server.address(), &[]);
    let types = &response.messages()[0]["supportedConnectionTypes"];
    assert_eq!(*types, json!(["websocket", "long-polling"]));
}
