//! What a server with `--conformance` does for a suite, over real sockets.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::net::SocketAddr;
use std::time::Duration;

use bayeux_tests::live::{Deadline, HttpConnection, Poller, Server, Settings, WebSocket};
use serde_json::{Value, json};

const DELIVER: &str = "/service/conformance/deliver";
const DISCONNECT: &str = "/service/conformance/disconnect";
const ECHO: &str = "/service/conformance/echo";

/// So long that nothing in a test comes of it.
const NEVER: u32 = 600_000;

/// One shard where the order of what comes over two connections matters.
fn helping(shards: u16) -> Settings {
    Settings::default().shards(shards).conformance()
}

fn event(channel: &str, data: impl Into<Value>) -> Value {
    json!({"channel": channel, "data": data.into()})
}

fn ok(channel: &str) -> Value {
    json!({"channel": channel, "id": "p", "successful": true})
}

fn handshake(ext: &Value) -> Value {
    json!([{
        "channel": "/meta/handshake", "version": "1.0", "ext": ext,
        "supportedConnectionTypes": ["long-polling", "websocket"]
    }])
}

/// Events, then the reply to the connect that brought them.
fn events_of(mut answer: Vec<Value>) -> Vec<Value> {
    let reply = answer.pop().unwrap_or_default();
    assert_eq!(reply["channel"], "/meta/connect", "{answer:?}");
    answer
}

/// A client on a websocket, connected and with its next connect held.
struct Socket {
    socket: WebSocket,
    session: Value,
}

impl Socket {
    #[track_caller]
    fn connected(address: SocketAddr) -> Self {
        let (mut socket, replies) = Self::greet(address, &json!({}));
        let session = replies[0]["clientId"].clone();
        for timeout in [0, NEVER] {
            socket.send(&json!([{
                "channel": "/meta/connect", "clientId": session, "connectionType": "websocket",
                "advice": {"timeout": timeout}
            }]));
        }
        assert_eq!(socket.messages()[0]["successful"], true);
        Self { socket, session }
    }

    /// An open socket, and the answer to a handshake with that `ext`.
    #[track_caller]
    fn greet(address: SocketAddr, ext: &Value) -> (WebSocket, Vec<Value>) {
        let mut socket = WebSocket::open(address, Server::PATH, &[]);
        socket.send(&handshake(ext));
        let replies = socket.messages();
        (socket, replies)
    }

    fn publish(&mut self, channel: &str, data: Value) {
        let session = &self.session;
        self.socket
            .send(&json!([{"channel": channel, "id": "p", "clientId": session, "data": data}]));
    }

    fn subscribe(&mut self, channels: &[&str]) {
        self.socket.send(&json!([{
            "channel": "/meta/subscribe", "clientId": self.session, "subscription": channels
        }]));
        assert_eq!(self.socket.messages()[0]["successful"], true);
    }

    /// The next messages, in however many frames they come; these, in any order.
    #[track_caller]
    fn expect(&mut self, expected: &[Value]) {
        let mut seen = Vec::new();
        while seen.len() < expected.len() {
            seen.extend(self.socket.messages());
        }
        assert_eq!(seen.len(), expected.len(), "{seen:?}");
        for message in expected {
            assert!(seen.contains(message), "{message} is not in {seen:?}");
        }
    }
}

// Proves: DE-23, SV-3
#[test]
fn a_client_is_sent_what_it_asks_for_and_nobody_else_is() {
    let server = Server::start(&helping(2));
    let mut poller = Poller::connected(server.address());
    let mut socket = Socket::connected(server.address());
    let mut other = Poller::connected(server.address());
    other.post(json!([other.subscribe("/any/channel")]));

    // As it came, whatever a double would make of it.
    let data = json!({"b": 9_007_199_254_740_993_u64, "a": [null]});
    for channel in ["/service/anything", "/any/channel"] {
        let delivery = json!({"channel": channel, "data": data});
        assert_eq!(
            poller.post(json!([poller.publish(DELIVER, delivery.clone())])),
            [event(channel, data.clone()), ok(DELIVER)]
        );
        socket.publish(DELIVER, delivery);
        socket.expect(&[event(channel, data.clone()), ok(DELIVER)]);
    }

    let nothing = events_of(other.post(json!([other.connect_now()])));
    assert_eq!(nothing, [Value::Null; 0]);
}

// Proves: DE-23
#[test]
fn what_cannot_be_delivered_is_refused() {
    let server = Server::start(&helping(2));
    let mut poller = Poller::connected(server.address());

    for data in [
        json!(null),
        json!("x"),
        json!({}),
        json!({"channel": 1}),
        json!({"channel": "x"}),
        json!({"channel": "/a/*"}),
        json!({"channel": "/a", "lazy": 1}),
    ] {
        let replies = poller.post(json!([poller.publish(DELIVER, data.clone())]));
        assert_eq!(replies.len(), 1, "{data}: {replies:?}");
        assert_eq!(replies[0]["error"], "400::delivery_invalid", "{data}");
    }
}

// Proves: DE-23
#[test]
fn what_is_delivered_lazily_waits_for_company() {
    let settings = helping(1)
        .option("metaConnectDeliverOnly", true)
        .option("maxLazyTimeout", NEVER);
    let server = Server::start(&settings);
    let deliveries = [
        json!({"channel": "/t", "data": 1, "lazy": true}),
        json!({"channel": "/t", "data": 2, "lazy": false}),
    ];

    let mut poller = Poller::connected(server.address());
    let held = poller.hold();
    let mut socket = Socket::connected(server.address());
    for delivery in deliveries {
        let replies = poller.post(json!([poller.publish(DELIVER, delivery.clone())]));
        assert_eq!(replies, [ok(DELIVER)]);
        socket.publish(DELIVER, delivery);
    }

    let both = [event("/t", 1), event("/t", 2)];
    assert_eq!(events_of(held.answer().messages()), both);
    let mut answer = Vec::new();
    while answer.len() < 5 {
        answer.extend(socket.socket.messages());
    }
    answer.retain(|message| message["channel"] != DELIVER);
    assert_eq!(events_of(answer), both);
}

// Proves: DE-23
#[test]
fn lazy_channels_wait_for_company_for_a_second() {
    // Only the channels' own lazy timeout can end the wait.
    let settings = helping(1)
        .option("long-polling.timeout", NEVER)
        .option("maxLazyTimeout", NEVER);
    let server = Server::start(&settings);
    let (lazy, prompt) = ("/conformance/lazy/some/where", "/prompt");
    let mut publisher = Poller::connected(server.address());
    let mut poller = Poller::connected(server.address());
    poller.post(json!([poller.subscribe(lazy), poller.subscribe(prompt)]));
    let mut socket = Socket::connected(server.address());
    socket.subscribe(&[lazy, prompt]);

    let held = poller.hold();
    publisher.post(json!([
        publisher.publish(lazy, 1),
        publisher.publish(prompt, 2)
    ]));
    let both = [event(lazy, 1), event(prompt, 2)];
    assert_eq!(events_of(held.answer().messages()), both);
    socket.socket.expect(&json!(both));

    let held = poller.hold();
    let second = Deadline::after(Duration::from_secs(1));
    publisher.post(json!([publisher.publish(lazy, 3)]));
    assert_eq!(events_of(held.answer().messages()), [event(lazy, 3)]);
    assert!(second.left().is_none(), "at once");
    socket.socket.expect(&json!([event(lazy, 3)]));

    let second = Deadline::after(Duration::from_secs(1));
    publisher.post(json!([publisher.publish(lazy, 4)]));
    socket.socket.expect(&json!([event(lazy, 4)]));
    assert!(second.left().is_none(), "at once");
}

// Proves: DE-23
#[test]
fn a_client_is_disconnected_when_it_asks_for_it() {
    let server = Server::start(&helping(1));
    let over = json!({"channel": "/meta/disconnect", "successful": true});
    let last = json!({"reconnect": "none"});

    let mut poller = Poller::connected(server.address());
    let held = poller.hold();
    let replies = poller.post(json!([poller.publish(DISCONNECT, "now")]));
    assert_eq!(replies, [ok(DISCONNECT)]);
    let answer = held.answer().messages();
    assert_eq!(answer[0], over);
    assert_eq!(answer[1]["successful"], true, "{answer:?}");
    assert_eq!(answer[1]["advice"], last, "{answer:?}");
    let reply = &poller.post(json!([poller.publish("/t", 1)]))[0];
    assert_eq!(reply["error"], "402::session_unknown");

    let mut socket = Socket::connected(server.address());
    socket.publish(DISCONNECT, json!(null));
    let connect = json!({"channel": "/meta/connect", "successful": true, "advice": last});
    socket.expect(&[over, connect, ok(DISCONNECT)]);
}

// Proves: DE-23
#[test]
fn a_remote_call_is_answered_with_its_data() {
    let server = Server::start(&helping(2));
    let mut poller = Poller::connected(server.address());
    let mut socket = Socket::connected(server.address());

    for data in [json!({"question": ["?"]}), json!(null)] {
        let mut result = ok(ECHO);
        result["data"] = data.clone();
        assert_eq!(
            poller.post(json!([poller.publish(ECHO, data.clone())])),
            [result.clone(), ok(ECHO)]
        );
        socket.publish(ECHO, data);
        socket.expect(&[result, ok(ECHO)]);
    }
}

// Proves: DE-23
#[test]
fn a_handshake_that_asks_for_it_is_refused() {
    let server = Server::start(&helping(2));
    for wish in [
        json!({"deny": true}),
        json!({"deny": true, "welcome": 1}),
        json!({"deny": "whatever"}),
        json!({"welcome": -1}),
    ] {
        let ext = json!({"conformance": wish});
        let mut connection = HttpConnection::open(server.address());
        let body = handshake(&ext).to_string();
        let response = connection.request("POST", Server::PATH, &[], &body);
        assert_eq!(response.header("Set-Cookie"), None, "{wish}");
        let (_, replies) = Socket::greet(server.address(), &ext);

        for replies in [response.messages(), replies] {
            assert_eq!(replies.len(), 1, "{wish}: {replies:?}");
            assert_eq!(replies[0]["successful"], false, "{wish}");
            assert_eq!(replies[0]["error"], "403::handshake_denied", "{wish}");
            assert_eq!(replies[0]["advice"], json!({"reconnect": "none"}), "{wish}");
            assert_eq!(replies[0]["clientId"], Value::Null, "{wish}");
        }
    }
}

// Proves: DE-23, HS-14
#[test]
fn a_handshake_brings_as_many_events_as_it_asks_for() {
    let server = Server::start(&helping(2).option("allowMessageDeliveryDuringHandshake", true));

    for (wanted, given) in [(0, 0), (3, 3), (1_000, 100)] {
        let ext = json!({"conformance": {"welcome": wanted}});
        let mut connection = HttpConnection::open(server.address());
        let body = handshake(&ext).to_string();
        let by_http = connection
            .request("POST", Server::PATH, &[], &body)
            .messages();
        let (mut socket, mut by_socket) = Socket::greet(server.address(), &ext);
        while by_socket.len() < given + 1 {
            by_socket.extend(socket.messages());
        }

        let welcome: Vec<_> = (1..=given)
            .map(|number| event("/conformance/welcome", number))
            .collect();
        for messages in [by_http, by_socket] {
            let count = &messages[0]["x-messages"];
            assert_eq!(count.as_u64().unwrap_or(0), given as u64, "{messages:?}");
            assert_eq!(messages[1..], welcome, "{wanted}");
        }
    }
}

// Proves: DE-23, HS-12
#[test]
fn what_may_not_come_with_the_handshake_comes_with_the_first_connect() {
    let server = Server::start(&helping(2));
    let mut connection = HttpConnection::open(server.address());
    let body = handshake(&json!({"conformance": {"welcome": 2}})).to_string();
    let replies = connection
        .request("POST", Server::PATH, &[], &body)
        .messages();
    assert_eq!(replies.len(), 1, "{replies:?}");

    let connect = json!([{
        "channel": "/meta/connect", "clientId": replies[0]["clientId"],
        "connectionType": "long-polling"
    }]);
    let answer = connection.request("POST", Server::PATH, &[], &connect.to_string());

    let welcome = [1, 2].map(|number| event("/conformance/welcome", number));
    assert_eq!(events_of(answer.messages()), welcome);
}

// Proves: DE-23
#[test]
fn no_help_is_offered_unless_the_server_is_told_to() {
    let server = Server::with_defaults();
    let wish = json!({"conformance": {"deny": true}});
    let (_, replies) = Socket::greet(server.address(), &wish);
    assert_eq!(replies[0]["successful"], true);

    let mut poller = Poller::connected(server.address());
    for channel in [DELIVER, ECHO, DISCONNECT] {
        let delivery = json!({"channel": "/t", "data": 1});
        let replies = poller.post(json!([poller.publish(channel, delivery)]));
        assert_eq!(replies, [ok(channel)]);
    }
    let nothing = events_of(poller.post(json!([poller.connect_now()])));
    assert_eq!(nothing, [Value::Null; 0]);
}
