//! How long a connection lives, and what is spoken on it.

use super::*;

// Proves: HT-6
#[test]
fn connections_live_as_long_as_the_client_wants() {
    let server = Server::with_defaults();
    let body = json!([handshake()]).to_string();

    let mut kept = HttpConnection::open(server.address());
    for _ in 0..3 {
        kept.request("POST", Server::PATH, &[JSON], &body)
            .messages();
    }

    let mut closed = HttpConnection::open(server.address());
    let close = [JSON, ("Connection", "close")];
    closed
        .request("POST", Server::PATH, &close, &body)
        .messages();
    closed.expect_end();

    let mut old = HttpConnection::open(server.address());
    let length = body.len();
    old.send_raw(
        format!("POST /bayeux HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes(),
    );
    old.response("POST").messages();
    old.expect_end();
}

// Proves: HT-12
#[test]
fn http_2_is_spoken_with_prior_knowledge() {
    const SETTINGS: u8 = 4;
    let server = Server::with_defaults();
    let mut wire = bayeux_tests::live::Wire::open(server.address());

    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    wire.send(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]);

    let frame = wire.exactly(9).expect("a frame");
    assert_eq!(frame[3], SETTINGS, "{frame:?}");
}

// Proves: DE-19, HT-6, HT-8, HT-10
#[test]
fn a_head_that_has_begun_is_cut_soon_and_a_connection_at_rest_is_not() {
    let settings = Settings::default().option("limits.headerTimeout", 300);
    let server = Server::start(&settings.shards(1));
    let mut resting = HttpConnection::open(server.address());
    let request = |connection: &mut HttpConnection| {
        connection.request(
            "POST",
            Server::PATH,
            &[JSON],
            &json!([handshake()]).to_string(),
        )
    };
    request(&mut resting);

    // Cut after it, so its time is over too.
    let mut silent = HttpConnection::open(server.address());
    silent.expect_end();
    let mut slow = HttpConnection::open(server.address());
    slow.send_raw(b"POST /bayeux HTTP/1.1\r\nHo");
    slow.expect_end();

    assert_eq!(request(&mut resting).status, 200);
    resting.send_raw(b"PO");
    resting.expect_end();
}

// Proves: HT-6
#[test]
fn a_connection_that_rests_for_ever_is_closed() {
    let settings = Settings::default()
        .shards(1)
        .option("timeout", 100)
        .option("limits.keepAliveTimeout", 100);
    let server = Server::start(&settings);
    let mut connection = HttpConnection::open(server.address());

    let body = json!([handshake()]).to_string();
    connection.request("POST", Server::PATH, &[JSON], &body);

    connection.expect_end();
}
