//! Websockets, frame by frame.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

mod frames;
mod takeover;

use bayeux_tests::live::{Ending, Frame, Opcode, Poller, Server, Settings, WebSocket};
use serde_json::{Value, json};

fn one_shard() -> Settings {
    Settings::default().shards(1)
}

/// A client over a websocket that sends what it is told, and nothing else.
struct Socket {
    socket: WebSocket,
    session: String,
}

impl Socket {
    #[track_caller]
    fn handshaken(server: &Server) -> Self {
        let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
        socket.send(&json!([handshake()]));
        let replies = socket.messages();
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
        let session = replies[0]["clientId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Self { socket, session }
    }

    /// Handshaken, and its first connect answered.
    #[track_caller]
    fn connected(server: &Server) -> Self {
        let mut client = Self::handshaken(server);
        client.send(client.connect("2"));
        let replies = client.socket.messages();
        assert_eq!(replies[0]["advice"]["reconnect"], "retry", "{replies:?}");
        client
    }

    /// Connected, and its second connect held.
    #[track_caller]
    fn held(server: &Server) -> Self {
        let mut client = Self::connected(server);
        client.send(client.connect("3"));
        client
    }

    fn connect(&self, id: &str) -> Value {
        json!({
            "channel": "/meta/connect", "id": id, "clientId": self.session,
            "connectionType": "websocket"
        })
    }

    fn publish(&self, channel: &str, data: impl Into<Value>) -> Value {
        json!({"channel": channel, "id": "p", "clientId": self.session, "data": data.into()})
    }

    fn send(&mut self, message: Value) {
        self.socket.send(&json!([message]));
    }

    #[track_caller]
    fn subscribe(&mut self, channel: &str) {
        self.send(json!({
            "channel": "/meta/subscribe", "id": "s", "clientId": self.session,
            "subscription": channel
        }));
        let mut reply = ok("/meta/subscribe", "s");
        reply["subscription"] = channel.into();
        self.expect(json!([reply]));
    }

    #[track_caller]
    fn expect(&mut self, messages: Value) {
        self.socket.expect(&messages);
    }
}

fn handshake() -> Value {
    json!({
        "channel": "/meta/handshake", "id": "1", "version": "1.0",
        "supportedConnectionTypes": ["websocket"]
    })
}

fn ok(channel: &str, id: &str) -> Value {
    json!({"channel": channel, "id": id, "successful": true})
}

fn event(channel: &str, data: impl Into<Value>) -> Value {
    json!({"channel": channel, "data": data.into()})
}

fn text(payload: impl Into<Vec<u8>>) -> Frame {
    Frame {
        last: true,
        opcode: Opcode::Text,
        payload: payload.into(),
    }
}

// Proves: WS-1
#[test]
fn a_socket_opens_on_the_base_and_below() {
    let server = Server::with_defaults();

    for path in ["/bayeux", "/bayeux/", "/bayeux/a/b", "/bayeux?x=y"] {
        let mut socket = WebSocket::open(server.address(), path, &[]);
        socket.send(&json!([handshake()]));
        assert_eq!(socket.messages()[0]["successful"], true, "{path}");
    }
    assert_eq!(
        WebSocket::refused(server.address(), "/elsewhere", &[]).status,
        404
    );
}

// Proves: WS-2
#[test]
fn a_subprotocol_is_echoed() {
    let server = Server::with_defaults();
    let offer = [("Sec-WebSocket-Protocol", "bayeux, other")];

    let (_, response) = WebSocket::upgrade(server.address(), Server::PATH, &offer);
    assert_eq!(response.header("Sec-WebSocket-Protocol"), Some("bayeux"));
    let (_, response) = WebSocket::upgrade(server.address(), Server::PATH, &[]);
    assert_eq!(response.header("Sec-WebSocket-Protocol"), None);
}

// Proves: FR-1, FR-2, RC-5, WS-17
#[test]
fn the_replies_to_one_frame_come_in_one_frame() {
    let server = Server::with_defaults();
    let mut client = Socket::connected(&server);
    let other = Socket::connected(&server);

    client.socket.send(&json!([
        client.publish("/a", 1),
        other.publish("/a", 2),
        client.publish("/a/*/b", 3),
        client.publish("/a", 4)
    ]));
    client.expect(json!([
        ok("/a", "p"),
        {"channel": "/a", "id": "p", "successful": false, "error": "402::session_unknown"},
        {"channel": "/a/*/b", "id": "p", "successful": false, "error": "405::channel_invalid"},
        ok("/a", "p")
    ]));
    let single = client.publish("/a", 5).to_string();
    client.socket.send_text(&single);
    client.expect(json!([ok("/a", "p")]));
}

// Proves: WS-6, WS-8, CN-7, CN-9, WS-9
#[test]
fn events_are_pushed_and_leave_the_held_connect_alone() {
    let server = Server::start(&one_shard().option("timeout", 1500));
    let mut client = Socket::held(&server);
    let mut publisher = Socket::connected(&server);
    client.subscribe("/t/*");

    publisher.send(publisher.publish("/t/1", "a"));
    publisher.expect(json!([ok("/t/1", "p")]));
    client.expect(json!([event("/t/1", "a")]));
    client.send(client.publish("/other", 1));
    client.expect(json!([ok("/other", "p")]));
    // A newer connect; the older one is never answered.
    client.send(client.connect("4"));
    client.expect(json!([ok("/meta/connect", "4")]));
    client.send(client.publish("/other", 2));
    client.expect(json!([ok("/other", "p")]));
}

// Proves: HS-11, WS-7
#[test]
fn nothing_is_pushed_between_the_handshake_and_the_next_message() {
    let server = Server::start(&one_shard());
    let mut client = Socket::handshaken(&server);
    let mut publisher = Socket::connected(&server);
    // By another way, so that the socket itself stays untouched.
    let mut poller = Poller::connected(server.address());
    poller.session.clone_from(&client.session);
    let replies = poller.post(json!([poller.subscribe("/t")]));
    assert_eq!(replies[0]["successful"], true, "{replies:?}");
    publisher.send(publisher.publish("/t", 1));
    publisher.expect(json!([ok("/t", "p")]));

    client.send(client.publish("/other", 2));

    client.expect(json!([event("/t", 1)]));
    client.expect(json!([ok("/other", "p")]));
}

// Proves: CN-12, DC-1, DC-4, DC-6, DE-8
#[test]
fn a_disconnect_answers_the_hold_and_closes_after_a_grace() {
    let server = Server::with_defaults();
    let mut client = Socket::held(&server);

    client.send(json!({"channel": "/meta/disconnect", "id": "d", "clientId": client.session}));

    let mut replies: Vec<Value> = Vec::new();
    while replies.len() < 2 {
        replies.append(&mut client.socket.messages());
    }
    let mut released = ok("/meta/connect", "3");
    released["advice"] = json!({"reconnect": "none"});
    assert!(replies.contains(&released), "{replies:?}");
    assert!(
        replies.contains(&ok("/meta/disconnect", "d")),
        "{replies:?}"
    );
    client.send(client.publish("/a", 1));
    assert_eq!(client.socket.messages()[0]["error"], "402::session_unknown");
    assert_eq!(client.socket.close_code(), Ending::Code(1000));
}

// Proves: AK-1, AK-2, AK-4, AK-5, AK-6, AK-11, AK-13
#[test]
fn an_unacknowledged_event_comes_again_in_one_frame_with_the_reply() {
    let server = Server::start(&one_shard());
    let mut client = Socket::handshaken(&server);
    let mut publisher = Socket::connected(&server);
    let mut greeting = handshake();
    greeting["ext"] = json!({"ack": true});
    client.send(greeting);
    let replies = client.socket.messages();
    assert_eq!(replies[0]["ext"]["ack"], true, "{replies:?}");
    client.session = replies[0]["clientId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let connect = |client: &mut Socket, ack: &Value| {
        let mut connect = client.connect("c");
        connect["ext"] = json!({"ack": ack});
        client.send(connect);
    };
    let taken = |client: &mut Socket| {
        let replies = client.socket.messages();
        let reply = replies.last().expect("a reply");
        let ack = reply["ext"]["ack"].clone();
        assert!(
            ack.is_u64() && reply["channel"] == "/meta/connect",
            "{replies:?}"
        );
        let events: Vec<_> = replies
            .iter()
            .filter_map(|reply| reply.get("data").cloned())
            .collect();
        (events, ack)
    };

    connect(&mut client, &json!(0));
    let (events, start) = taken(&mut client);
    assert!(events.is_empty());
    client.subscribe("/t");
    connect(&mut client, &start);
    publisher.send(publisher.publish("/t", "a"));
    let (events, _) = taken(&mut client);
    assert_eq!(events, ["a"]);
    // The same number again: that reply was lost on the way.
    connect(&mut client, &start);
    let (events, ack) = taken(&mut client);
    assert_eq!(events, ["a"]);
    // This one acknowledges it.
    connect(&mut client, &ack);
    publisher.send(publisher.publish("/t", "b"));
    let (events, _) = taken(&mut client);
    assert_eq!(events, ["b"]);
}

// Proves: TM-11, WS-12
#[test]
fn at_shutdown_sockets_are_closed_in_good_order() {
    let server = Server::start(&one_shard());
    let mut client = Socket::held(&server);
    client.subscribe("/t");

    server.stop();

    assert_eq!(client.socket.close_code(), Ending::Code(1001));
}
