//! Backends that speak HTTP/2, many requests over one connection.

use bayeux_tests::live::{Http2, Server, Wire};
use serde_json::{Value, json};

use crate::backend::{KEY, settings};

/// Publishes on that stream with these headers besides; gives the first byte of the answer's headers, and its
/// body.
fn publish(
    connection: &mut Http2,
    stream: u32,
    more: &[(&str, &str)],
    message: &Value,
) -> (u8, Value) {
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/api/v1/publish"),
        (":authority", "a"),
        ("content-type", "application/json"),
    ];
    connection.request(0, stream, &[&head, more].concat());
    let body = message.to_string();
    connection.send(Http2::DATA, Http2::END, stream, body.as_bytes());
    let status = connection.next(Http2::HEADERS)[0];
    let answer = serde_json::from_slice(&connection.next(Http2::DATA));
    (status, answer.expect("JSON"))
}

#[test]
fn one_connection_publishes_again_and_again_and_each_request_shows_its_key() {
    let server = Server::start(&settings());
    let mut connection = Http2::begin(Wire::open(server.admin_address()));
    let bearer = format!("Bearer {KEY}");
    let key = [("authorization", &*bearer)];
    let message = json!({"channel": "/a", "data": 1});

    for n in 1..=100 {
        let (status, answer) = publish(&mut connection, 2 * n - 1, &key, &message);
        assert_eq!((status, answer), (Http2::OK, json!({"position": n})));
    }

    let (status, answer) = publish(&mut connection, 201, &[], &message);
    assert_ne!(status, Http2::OK);
    assert_eq!(answer["error"]["code"], "key_missing", "{answer}");
    // A scheme behind which nothing stands is no key: HTTP/1.1 takes the space away, HTTP/2 does not.
    let (_, answer) = publish(
        &mut connection,
        203,
        &[("authorization", "Bearer ")],
        &message,
    );
    assert_eq!(answer["error"]["code"], "key_missing", "{answer}");
}
