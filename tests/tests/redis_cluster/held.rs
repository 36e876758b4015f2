//! What reaches another server leaves a held connect alone, whosever it is.

use std::net::SocketAddr;

use bayeux_tests::live::{Cluster, HttpConnection, Poller, Redis, Server, Settings, WebSocket};
use serde_json::{Value, json};

/// Servers that hold a connect for as long as they do by default.
fn cluster() -> Cluster {
    Cluster::of_servers(3, Redis::start(), Settings::default().shards(2))
}

/// What is answered at that server.
fn post(address: SocketAddr, messages: &Value) -> Value {
    let mut connection = HttpConnection::open(address);
    let response = connection.request("POST", Server::PATH, &[], &messages.to_string());
    response.messages().into()
}

/// That is published at that server, and granted there, with nothing besides.
#[track_caller]
fn publish(server: &Server, session: &Value, channel: &str, data: u64) {
    let reply = post(
        server.address(),
        &json!([{"channel": channel, "id": "p", "clientId": session, "data": data}]),
    );
    let granted = json!([{"channel": channel, "id": "p", "successful": true}]);
    assert_eq!(reply, granted);
}

/// The session and another one publish at other servers what the session does not wait for; then the session what it has
/// subscribed to.
fn publish_elsewhere(cluster: &Cluster, session: &Value) {
    let [second, third] = [1, 2].map(|at| &cluster.servers[at]);
    let other = Poller::connected(third.address()).session;
    publish(second, session, "/elsewhere", 1);
    publish(third, &other.into(), "/elsewhere", 2);
    publish(second, session, "/news", 3);
}

// Proves: CN-9, QU-1
#[test]
fn publishes_elsewhere_answer_a_held_poll_with_their_events_alone() {
    let cluster = cluster();
    let first = cluster.servers[0].address();
    let mut reader = Poller::connected(first);
    reader.post(json!([reader.subscribe("/news")]));
    let held = reader.hold();

    publish_elsewhere(&cluster, &reader.session.as_str().into());

    assert_eq!(
        Value::from(held.answer().messages()),
        json!([
            {"channel": "/news", "data": 3},
            {"channel": "/meta/connect", "id": "c", "successful": true},
        ])
    );
    assert_eq!(cluster.moves(), 0, "the session stays where it is");
}

// Proves: CN-9, WS-6
#[test]
fn publishes_elsewhere_push_their_events_and_leave_the_connect_of_a_websocket_held() {
    let cluster = cluster();
    let first = cluster.servers[0].address();
    let mut reader = WebSocket::open(first, Server::PATH, &[]);
    reader.send(&json!([{
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]
    }]));
    let session = reader.messages()[0]["clientId"].clone();
    let connect = json!([{
        "channel": "/meta/connect", "id": "c", "clientId": session, "connectionType": "websocket"
    }]);
    reader.send(&connect);
    reader.messages();
    reader.send(&json!([
        {"channel": "/meta/subscribe", "id": "s", "clientId": session, "subscription": "/news"}
    ]));
    reader.messages();
    reader.send(&connect);

    publish_elsewhere(&cluster, &session);

    reader.expect(&json!([{"channel": "/news", "data": 3}]));
    assert_eq!(cluster.moves(), 0, "the session stays where it is");
    // It is held to the end.
    reader.send(&json!([{"channel": "/meta/disconnect", "id": "d", "clientId": session}]));
    let mut last = Vec::new();
    while last.len() < 2 {
        last.extend(reader.messages());
    }
    assert_eq!(
        Value::from(last),
        json!([
            {
                "channel": "/meta/connect", "id": "c", "successful": true,
                "advice": {"reconnect": "none"}
            },
            {"channel": "/meta/disconnect", "id": "d", "successful": true},
        ])
    );
}
