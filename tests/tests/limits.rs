//! Each limit at its edge and beyond, as a peer meets it.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::time::Duration;

use bayeux_tests::live::{
    Deadline, Ending, HttpConnection, Opcode, Poller, Response, Server, Settings, WebSocket,
};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("Content-Type", "application/json;charset=UTF-8");

/// A short deadline, and one that ends after it.
const SHORT: u64 = 300;
const LATER: u64 = 1_000;

fn start(options: &[(&str, u64)]) -> Server {
    let settings = Settings::default().shards(1);
    Server::start(&options.iter().fold(settings, |settings, (name, value)| {
        settings.option(name, *value)
    }))
}

fn handshake() -> Value {
    json!({
        "channel": "/meta/handshake", "version": "1.0",
        "supportedConnectionTypes": ["long-polling", "websocket"]
    })
}

fn post(server: &Server, body: &str) -> Response {
    HttpConnection::open(server.address()).request("POST", Server::PATH, &[JSON], body)
}

/// Both transports take `within` as one message or more, and refuse `beyond` with that status and that code.
#[track_caller]
fn expect_edge(server: &Server, within: &str, beyond: &str, status: u16, code: u16) {
    let replies = post(server, within).messages();
    assert!(!replies.is_empty(), "an answer over HTTP");
    let refused = post(server, beyond);
    assert_eq!(refused.status, status, "{refused:?}");
    assert!(!refused.text().is_empty(), "it says why");

    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
    socket.send_text(within);
    assert_eq!(socket.messages().len(), replies.len(), "over websocket");
    socket.send_text(beyond);
    assert_eq!(socket.close_code(), Ending::Code(code));
}

// Proves: FR-6, HT-8, WS-12
#[test]
fn a_body_or_message_may_have_the_largest_size_and_not_a_byte_more() {
    let server = start(&[("maxMessageSize", 1_024)]);
    let message = json!([handshake()]).to_string();
    let padded = |size: usize| format!("{message}{}", " ".repeat(size - message.len()));

    expect_edge(&server, &padded(1_024), &padded(1_025), 413, 1009);
}

// Proves: DE-16, FR-6, WS-12
#[test]
fn a_batch_may_have_the_most_messages_and_not_one_more() {
    let server = start(&[("limits.maxBatch", 3)]);
    let batch = |count| Value::from(vec![json!({"channel": "/a"}); count]).to_string();

    expect_edge(&server, &batch(3), &batch(4), 413, 1009);
}

// Proves: FR-6, WS-12
#[test]
fn json_may_be_as_deep_as_the_limit_and_not_deeper() {
    let server = start(&[("limits.maxDepth", 10)]);
    // The list, the message, and so many arrays.
    let nested = |depth: usize| {
        let inner = depth - 2;
        let (open, close) = ("[".repeat(inner), "]".repeat(inner));
        format!(r#"[{{"channel":"/a","data":{open}{close}}}]"#)
    };

    expect_edge(&server, &nested(10), &nested(11), 400, 1011);
}

// Proves: DE-19, HT-8
#[test]
fn a_head_that_trickles_is_cut_as_one_that_stands_still() {
    let server = start(&[("limits.headerTimeout", SHORT)]);
    let mut slow = HttpConnection::open(server.address());
    slow.send_raw(b"GET /bayeux HTTP/1.1\r\nHost: a\r\nX-Slow: ");

    let deadline = Deadline::after(Duration::from_millis(2 * SHORT));
    while deadline.left().is_some() {
        // What takes a moment.
        post(&server, "[]");
        slow.send_raw(b"x");
    }
    slow.send_raw(b"\r\n\r\n");

    slow.expect_end();
}

// Proves: DE-19, HT-8
#[test]
fn a_body_that_does_not_come_is_answered_with_408_and_the_end() {
    let server = start(&[("limits.bodyTimeout", SHORT)]);
    let mut still = HttpConnection::open(server.address());
    still.send("POST", Server::PATH, &[JSON, ("Content-Length", "9")], "");
    let response = still.response("POST");
    assert_eq!((response.status, response.text()), (408, "too slow"));
    still.expect_end();

    let chunked = ("Transfer-Encoding", "chunked");
    let mut slow = HttpConnection::open(server.address());
    slow.send("POST", Server::PATH, &[JSON, chunked], "");
    let deadline = Deadline::after(Duration::from_millis(2 * SHORT));
    while deadline.left().is_some() {
        post(&server, "[]");
        slow.send_raw(b"1\r\n \r\n");
    }
    slow.send_raw(b"2\r\n[]\r\n0\r\n\r\n");
    assert_eq!(slow.response("POST").status, 408, "one that trickles");
}

// Proves: DE-19, HT-8
#[test]
fn a_message_that_has_begun_and_does_not_end_closes_its_socket() {
    let server = start(&[("limits.messageTimeout", SHORT)]);
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);

    // A text of 100 bytes, of which none follows.
    socket.send_raw(&[0x81, 0x80 | 100]);

    assert_eq!(socket.close_code(), Ending::Code(1008));
}

// Proves: WS-13, HT-8
#[test]
fn a_peer_that_takes_nothing_of_what_is_written_is_cut_off() {
    const EVENTS: usize = 16;
    let server = start(&[
        ("limits.writeTimeout", SHORT),
        ("limits.headerTimeout", LATER),
        ("limits.maxQueuedBytes", 1 << 30),
    ]);
    let mut silent = WebSocket::open(server.address(), Server::PATH, &[]);
    silent.send(&json!([handshake()]));
    let session = silent.messages()[0]["clientId"].clone();
    silent.send(&json!([
        {"channel": "/meta/subscribe", "clientId": session, "subscription": "/flood"},
        {"channel": "/meta/connect", "clientId": session, "connectionType": "websocket"},
    ]));
    silent.messages();
    // More than the operating system keeps for it.
    let mut publisher = Poller::connected(server.address());
    let large = "x".repeat(1_000_000);
    for _ in 0..EVENTS {
        publisher.post(json!([publisher.publish("/flood", large.as_str())]));
    }

    // Its time is over later.
    HttpConnection::open(server.address()).expect_end();

    let mut events = 0;
    while let Some(frame) = silent.frame() {
        events += usize::from(frame.opcode == Opcode::Text && frame.payload.len() > large.len());
    }
    assert!(events < EVENTS, "it was sent all");
}

// Proves: WS-14
#[test]
fn a_websocket_on_which_nothing_moves_is_closed_and_no_other() {
    let server = start(&[("timeout", 100), ("ws.idleTimeout", 2 * SHORT)]);
    let mut idle = WebSocket::open(server.address(), Server::PATH, &[]);
    let mut busy = WebSocket::open(server.address(), Server::PATH, &[]);

    let deadline = Deadline::after(Duration::from_millis(4 * SHORT));
    while deadline.left().is_some() {
        busy.send(&json!([{"channel": "/a"}]));
        busy.messages();
    }

    assert_eq!(idle.close_code(), Ending::Code(1000));
    busy.send(&json!([{"channel": "/a"}]));
    assert_eq!(busy.messages().len(), 1);
}

// Proves: DE-16
#[test]
fn there_are_as_many_sockets_as_may_be_and_not_one_more() {
    let server = start(&[("limits.maxSockets", 2)]);
    let body = json!([handshake()]).to_string();
    let ask = |connection: &mut HttpConnection| {
        connection.send("POST", Server::PATH, &[JSON], &body);
        connection.response_or_end("POST")
    };
    let mut first = HttpConnection::open(server.address());
    let mut second = HttpConnection::open(server.address());
    assert!(ask(&mut first).is_some());
    assert!(ask(&mut second).is_some());

    let mut third = HttpConnection::open(server.address());
    assert!(ask(&mut third).is_none(), "it is closed at once");

    assert!(ask(&mut second).is_some(), "the others are not");
    drop(first);
    let deadline = Deadline::usual();
    while ask(&mut HttpConnection::open(server.address())).is_none() {
        assert!(deadline.left().is_some(), "its place is not given back");
    }
}

// Proves: DE-16, SU-3
#[test]
fn a_session_has_as_many_subscriptions_as_may_be_and_not_one_more() {
    let server = start(&[("limits.maxSubscriptions", 2)]);
    let mut poller = Poller::connected(server.address());
    let mut subscribe = |channel: &str| poller.post(json!([poller.subscribe(channel)])).remove(0);

    assert_eq!(subscribe("/a")["successful"], true);
    assert_eq!(subscribe("/b")["successful"], true);
    let refused = subscribe("/c");
    assert_eq!(
        refused["error"],
        "403:too_many_subscriptions:subscribe_denied"
    );
    assert_eq!(subscribe("/b")["successful"], true, "it has that already");
}

// Proves: CH-1
#[test]
fn a_channel_may_be_as_long_and_deep_as_the_limits_and_not_more() {
    let server = start(&[
        ("limits.maxChannelLength", 16),
        ("limits.maxChannelDepth", 3),
    ]);
    let mut poller = Poller::connected(server.address());
    let table = [
        ("/12345678901234/", true),
        ("/123456789012345", true),
        ("/1234567890123456", false),
        ("/a/b/c", true),
        ("/a/b/c/d", false),
    ];

    for (channel, is_taken) in table {
        let published = &poller.post(json!([poller.publish(channel, 1)]))[0];
        let subscribed = &poller.post(json!([poller.subscribe(channel)]))[0];

        for reply in [published, subscribed] {
            assert_eq!(reply["successful"], is_taken, "{channel}: {reply}");
            assert_eq!(reply["error"].is_null(), is_taken, "{channel}: {reply}");
        }
    }
}
