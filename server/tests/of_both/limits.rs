//! What is refused or cut off is counted.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::time::Duration;

use futures_executor::block_on;

use crate::server::{Running, Server, Settings};

const PATIENCE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(100);

const MESSAGE: &str = r#"{"channel":"/a"}"#;

const UPGRADE: &str = "GET /bayeux HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn started(set: impl FnOnce(&mut Settings)) -> Running {
    let builder = Server::builder().shards(NonZeroU32::MIN);
    let mut builder = builder.listen("127.0.0.1:0".parse().unwrap());
    builder.settings().shutdown_window = SHORT;
    set(builder.settings());
    block_on(builder.start()).unwrap()
}

/// All counts that are not 0.
fn counted(running: &Running) -> Vec<(&'static str, u64)> {
    let handle = running.handle();
    let all = handle.tally().iter();
    all.filter(|(_, count)| *count > 0).collect()
}

/// What comes back until the server closes the connection.
fn exchange(address: SocketAddr, sent: &[u8]) -> String {
    let mut socket = connect(address);
    socket.write_all(sent).unwrap();
    rest(socket)
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn rest(mut socket: TcpStream) -> String {
    let mut response = Vec::new();
    // A reset is an end as well.
    if let Err(error) = socket.read_to_end(&mut response) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the end comes");
    }
    String::from_utf8_lossy(&response).into_owned()
}

fn request(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /bayeux HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// An upgrade, and a text behind it, masked with 0.
fn websocket(text: &str) -> Vec<u8> {
    let mut bytes = UPGRADE.as_bytes().to_vec();
    let length = u16::try_from(text.len()).unwrap();
    bytes.extend([0x81, 0x80 | 126]);
    bytes.extend(length.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(text.as_bytes());
    bytes
}

// Proves: FR-3, FR-6, HT-8
#[test]
fn what_is_no_list_of_messages_within_the_limits_is_counted() {
    let table = [
        ("too_large", format!("{MESSAGE:1025}")),
        ("too_many_messages", format!("[{}]", [MESSAGE; 4].join(","))),
        (
            "too_deep",
            format!("[{}1{}]", "[".repeat(10), "]".repeat(10)),
        ),
        ("not_messages", "nonsense".into()),
        ("not_messages", "42".into()),
    ];
    for (name, text) in table {
        let running = started(|settings| {
            let limits = &mut settings.engine.limits;
            limits.max_message_size = 1_024;
            limits.max_batch = 3;
            limits.max_depth = 10;
        });
        let address = running.addresses()[0];
        let within = format!("[{}]", [MESSAGE; 3].join(","));
        exchange(address, request("Host: a\r\n", &within).as_bytes());
        assert_eq!(counted(&running), [], "{name}");

        let response = exchange(address, request("Host: a\r\n", &text).as_bytes());
        assert!(response.starts_with("HTTP/1.1 4"), "{name}: {response}");
        assert_eq!(counted(&running), [(name, 1)]);
        exchange(address, &websocket(&text));
        assert_eq!(counted(&running), [(name, 2)]);
        block_on(running.shutdown());
    }
}

// Proves: DE-19, HT-8
#[test]
fn each_deadline_that_ends_a_connection_is_counted_by_its_name() {
    let unfinished = "POST /bayeux HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";
    let page = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let table = [
        ("heads_late", "POST /bay", &b""[..]),
        ("bodies_late", unfinished, b""),
        // A text of 100 bytes, of which none follows.
        ("messages_late", UPGRADE, &[0x81, 0x80 | 100]),
        ("connections_idle", page, b""),
        ("websockets_idle", UPGRADE, b""),
    ];
    for (name, sent, sent_later) in table {
        let running = started(|settings| {
            let deadlines = &mut settings.deadlines;
            match name {
                "heads_late" => deadlines.header = SHORT,
                "bodies_late" => deadlines.body = SHORT,
                "messages_late" => deadlines.message = SHORT,
                "connections_idle" => {
                    settings.engine.timeout = SHORT;
                    deadlines.keep_alive = SHORT;
                }
                _ => deadlines.websocket_idle = Some(SHORT),
            }
        });

        let mut socket = connect(running.addresses()[0]);
        socket.write_all(sent.as_bytes()).unwrap();
        if !sent_later.is_empty() {
            // The answer begins.
            socket.read_exact(&mut [0]).unwrap();
            socket.write_all(sent_later).unwrap();
        }
        rest(socket);

        assert_eq!(counted(&running), [(name, 1)]);
        block_on(running.shutdown());
    }
}

// Proves: HT-8
#[test]
fn a_peer_that_does_not_read_is_cut_off_and_counted() {
    let running = started(|settings| settings.deadlines.write = SHORT);
    let mut socket = connect(running.addresses()[0]);
    let page = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);

    // Pages, none of which is read, until there is no room for more.
    while socket.write_all(page.as_bytes()).is_ok() {}

    assert_eq!(counted(&running), [("writes_late", 1)]);
    block_on(running.shutdown());
}

// Proves: DE-16, XO-4
#[test]
fn what_the_door_refuses_is_counted() {
    let running = started(|_| ());
    let address = running.addresses()[0];
    let list = format!("[{MESSAGE}]");

    let response = exchange(address, request("", &list).as_bytes());
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    assert_eq!(counted(&running), [("hosts_refused", 1)]);
    block_on(running.shutdown());

    let running = started(|_| ());
    let address = running.addresses()[0];
    let foreign = "Host: a\r\nOrigin: http://b\r\n";
    let response = exchange(address, request(foreign, &list).as_bytes());
    assert!(response.starts_with("HTTP/1.1 403"), "{response}");
    assert_eq!(counted(&running), [("origins_refused", 1)]);
    block_on(running.shutdown());

    let running = started(|settings| settings.sockets.total = 1);
    let address = running.addresses()[0];
    let first = connect(address);
    assert_eq!(exchange(address, b""), "");
    assert_eq!(counted(&running), [("sockets_refused", 1)]);
    drop(first);
    block_on(running.shutdown());
}

// Proves: DE-16
#[test]
fn a_request_beyond_the_connections_of_its_shard_is_refused_and_counted() {
    let running = started(|settings| settings.engine.limits.max_connections = 0);

    let list = format!("[{MESSAGE}]");
    let response = exchange(
        running.addresses()[0],
        request("Host: a\r\n", &list).as_bytes(),
    );

    assert!(response.starts_with("HTTP/1.1 5"), "{response}");
    let counters = block_on(running.handle().counters()).unwrap();
    assert_eq!(counters.connections_limited, 1);
    block_on(running.shutdown());
}
