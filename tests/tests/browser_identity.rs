//! The cookie that tells browsers apart, and tabs of one browser.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use bayeux_tests::live::{Poller, Response, Server, Settings};
use serde_json::{Value, json};

fn one_shard() -> Settings {
    Settings::default().shards(1)
}

/// The cookie that an answer sets, without its attributes.
#[track_caller]
fn cookie(response: &Response) -> String {
    let header = response.header("Set-Cookie").expect("a cookie");
    header.split(';').next().unwrap_or_default().to_owned()
}

/// A connected client as a browser is one: it sends back the cookie that it got.
#[track_caller]
fn tab(server: &Server) -> (Poller, String) {
    let (_, response) = Poller::greet(server.address(), &[]);
    let cookie = cookie(&response);
    (
        Poller::connected_with(server.address(), &[("Cookie", &cookie)]),
        cookie,
    )
}

fn ok() -> Value {
    json!({"channel": "/meta/connect", "id": "c", "successful": true})
}

// Proves: BR-1, BR-2, HS-16, DE-5
#[test]
fn a_successful_handshake_gives_a_browser_its_name() {
    let server = Server::with_defaults();

    let (_, response) = Poller::greet(server.address(), &[]);
    let header = response.header("Set-Cookie").expect("a cookie");
    let (name, attributes) = header.split_once("; ").expect("attributes");
    let value = name.strip_prefix("BAYEUX_BROWSER=").expect("its name");
    assert_eq!(attributes, "Path=/; HttpOnly");
    assert_eq!(value.len(), 24, "{value}");
    assert!(
        value
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z')),
        "{value}"
    );

    let (_, response) = Poller::greet(server.address(), &[("Cookie", name)]);
    assert_eq!(response.header("Set-Cookie"), None, "a good one is kept");
    let (_, again) = Poller::greet(server.address(), &[]);
    assert_ne!(cookie(&again), name, "two browsers");
    for bad in [
        "BAYEUX_BROWSER=",
        "BAYEUX_BROWSER=short",
        "BAYEUX_BROWSER=<script>0123456789012345",
        "other=1",
    ] {
        let (_, response) = Poller::greet(server.address(), &[("Cookie", bad)]);
        let good = cookie(&response);
        assert!(good.starts_with("BAYEUX_BROWSER=") && good != bad, "{bad}");
    }
}

// Proves: BR-3, BR-4, DE-5
#[test]
fn a_session_is_found_without_a_cookie_until_it_has_come_back_once() {
    let server = Server::start(&one_shard());
    let (mut connection, response) = Poller::greet(server.address(), &[]);
    let cookie = cookie(&response);
    let session = &response.messages()[0]["clientId"];
    let body = json!([{"channel": "/t", "clientId": session, "data": 1}]).to_string();
    let mut publish = |headers: &[(&str, &str)]| {
        let response = connection.request("POST", Server::PATH, headers, &body);
        response.messages()[0]["successful"] == true
    };
    let wrong = "BAYEUX_BROWSER=000000000000000000000000";

    assert!(publish(&[]), "none");
    assert!(!publish(&[("Cookie", wrong)]), "a wrong one");
    assert!(publish(&[("Cookie", &cookie)]), "the right one");
    assert!(
        publish(&[("Cookie", &format!("a=b; {cookie}; c=d"))]),
        "among others"
    );
    assert!(!publish(&[]), "none, where it came before");
    assert!(!publish(&[("Cookie", wrong)]), "a wrong one again");
}

// Proves: BR-3, BR-4, DE-5, DE-22
#[test]
fn the_binding_can_be_strict_or_off() {
    for (binding, without, with_wrong) in [("strict", false, false), ("off", true, true)] {
        let server = Server::start(&one_shard().option("browserBinding", binding));
        let (mut connection, response) = Poller::greet(server.address(), &[]);
        let session = &response.messages()[0]["clientId"];
        let body = json!([{"channel": "/t", "clientId": session, "data": 1}]).to_string();
        let mut publish = |headers: &[(&str, &str)]| {
            let response = connection.request("POST", Server::PATH, headers, &body);
            response.messages()[0]["successful"] == true
        };

        assert_eq!(publish(&[]), without, "{binding}, without a cookie");
        let wrong = ("Cookie", "BAYEUX_BROWSER=000000000000000000000000");
        assert_eq!(publish(&[wrong]), with_wrong, "{binding}, with a wrong one");
    }
}

// Proves: BR-7, BR-8, AD-1
#[test]
fn a_second_tab_polls_instead_of_being_held() {
    let server = Server::start(&one_shard());
    let (first, cookie) = tab(&server);
    let mut second = Poller::connected_with(server.address(), &[("Cookie", &cookie)]);
    let _held = first.hold();

    let replies = second.post(json!([second.connect()]));

    let mut reply = ok();
    reply["advice"] = json!({
        "multiple-clients": true, "reconnect": "retry", "interval": 2000, "timeout": 30000
    });
    assert_eq!(replies, [reply]);
}

// Proves: BR-9, BR-11
#[test]
fn a_second_tab_is_told_when_it_is_the_only_one() {
    let server = Server::start(&one_shard());
    let (mut first, cookie) = tab(&server);
    let mut second = Poller::connected_with(server.address(), &[("Cookie", &cookie)]);
    second.post(json!([second.subscribe("/t")]));
    let held = first.hold();
    second.post(json!([second.connect()]));

    first.post(json!([first.disconnect()]));
    held.answer();

    let mut reply = ok();
    reply["advice"] = json!({"reconnect": "retry", "interval": 0, "timeout": 30000});
    assert_eq!(second.post(json!([second.connect()])), [reply]);
    let held = second.hold();
    let mut publisher = Poller::connected(server.address());
    publisher.post(json!([publisher.publish("/t", 1)]));
    assert_eq!(
        held.answer().messages(),
        [json!({"channel": "/t", "data": 1}), ok()]
    );
}

// Proves: BR-10
#[test]
fn a_reloaded_page_is_no_second_tab() {
    let server = Server::start(&one_shard());
    let (mut page, _) = tab(&server);
    page.post(json!([page.subscribe("/t")]));
    let mut publisher = Poller::connected(server.address());

    let older = page.hold();
    let newer = page.hold();
    assert_eq!(older.answer().status, 500);
    publisher.post(json!([publisher.publish("/t", 1)]));

    assert_eq!(
        newer.answer().messages(),
        [json!({"channel": "/t", "data": 1}), ok()]
    );
}

// Proves: BR-12
#[test]
fn clients_without_a_cookie_are_not_counted() {
    let server = Server::start(&one_shard());
    let mut publisher = Poller::connected(server.address());
    let mut held = Vec::new();

    for _ in 0..3 {
        let mut poller = Poller::connected(server.address());
        poller.post(json!([poller.subscribe("/t")]));
        held.push(poller.hold());
    }
    publisher.post(json!([publisher.publish("/t", 1)]));

    for held in held {
        assert_eq!(
            held.answer().messages(),
            [json!({"channel": "/t", "data": 1}), ok()]
        );
    }
}

// Proves: HS-9, BR-1, DE-23
#[test]
fn a_refused_handshake_leaves_no_cookie() {
    let server = Server::start(&one_shard().conformance());
    let mut connection = bayeux_tests::live::HttpConnection::open(server.address());
    let handshake = json!([{
        "channel": "/meta/handshake", "version": "1.0", "ext": {"conformance": {"deny": true}},
        "supportedConnectionTypes": ["long-polling"]
    }]);

    let response = connection.request("POST", Server::PATH, &[], &handshake.to_string());

    let reply = &response.messages()[0];
    assert_eq!(reply["error"], "403::handshake_denied");
    assert_eq!(reply["advice"]["reconnect"], "none");
    assert_eq!(response.header("Set-Cookie"), None);
}
