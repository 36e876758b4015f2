//! What happens on the wire shows in the metrics.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use futures_executor::block_on;

use crate::server::{Running, Server};

const PATIENCE: Duration = Duration::from_secs(60);

fn started() -> Running {
    let builder = Server::builder().shards(NonZeroU32::new(2).unwrap());
    let mut builder = builder.listen("127.0.0.1:0".parse().unwrap());
    let settings = builder.settings();
    settings.shutdown_window = Duration::ZERO;
    settings.engine.limits.max_message_size = 1_024;
    settings.engine.limits.max_subscriptions = 1;
    block_on(builder.start()).unwrap()
}

/// All series with their values.
fn metrics(running: &Running) -> BTreeMap<String, f64> {
    let text = block_on(running.handle().metrics());
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let series = series.map(|line| line.rsplit_once(' ').unwrap());
    series
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

fn send(socket: &mut TcpStream, method: &str, path: &str, headers: &str, body: &str) {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
}

fn open(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Asks until it is so.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it never comes to that");
        std::thread::yield_now();
    }
}

/// The response to a request on a connection of its own.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut socket = open(address);
    let headers = format!("Connection: close\r\n{headers}");
    send(&mut socket, method, path, &headers, body);
    let mut response = String::new();
    socket.read_to_string(&mut response).unwrap();
    response
}

fn post(address: SocketAddr, message: &str) -> String {
    ask(address, "POST", "/bayeux", "", message)
}

fn handshake(address: SocketAddr) -> String {
    let reply = post(
        address,
        r#"{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}"#,
    );
    let (_, rest) = reply.split_once(r#""clientId":""#).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[test]
fn what_clients_do_and_what_they_are_refused_raises_the_metric_for_it() {
    let running = started();
    let address = running.addresses()[0];
    let before = metrics(&running);
    let session = handshake(address);
    let of = |channel: &str, more: &str| {
        format!(r#"{{"channel":"{channel}","clientId":"{session}"{more}}}"#)
    };

    let connect = of("/meta/connect", r#","connectionType":"long-polling""#);
    post(address, &connect);
    post(address, &of("/meta/subscribe", r#","subscription":"/a""#));
    post(address, &of("/meta/subscribe", r#","subscription":"/b""#));
    post(address, &of("/a", r#","data":1"#));
    post(address, &" ".repeat(1_025));
    post(address, "nonsense");
    ask(
        address,
        "POST",
        "/bayeux",
        "Origin: http://evil.example\r\n",
        "[]",
    );
    ask(address, "POST", "/bayeux", "Host: b\r\n", "[]");
    ask(address, "DELETE", "/bayeux", "", "");
    post(address, &of("/meta/disconnect", ""));

    let after = metrics(&running);
    for series in [
        "bayeux_handshakes_total",
        "bayeux_sessions_opened_total",
        "bayeux_sessions_connected_total",
        "bayeux_sessions_ended_total{reason=\"disconnected\"}",
        "bayeux_subscribed_total",
        "bayeux_channels_opened_total",
        "bayeux_published_total",
        "bayeux_events_queued_total",
        "bayeux_events_written_total",
        "bayeux_log_position",
        "bayeux_messages_refused_total",
        "bayeux_refused_total{reason=\"subscriptions\"}",
        "bayeux_refused_total{reason=\"too_large\"}",
        "bayeux_refused_total{reason=\"not_messages\"}",
        "bayeux_refused_total{reason=\"origin\"}",
        "bayeux_refused_total{reason=\"host\"}",
        "bayeux_refused_total{reason=\"request\"}",
    ] {
        let rise = after[series] - before[series];
        assert!((rise - 1.0).abs() < f64::EPSILON, "{series}: {rise}");
    }
    assert!(after["bayeux_messages_received_total"] > before["bayeux_messages_received_total"]);
    block_on(running.shutdown());
}

#[test]
fn what_there_is_now_shows_and_is_gone_when_it_is_gone() {
    let running = started();
    let address = running.addresses()[0];
    let held = "bayeux_sessions{phase=\"held\",transport=\"long-polling\"}";
    let is_empty = |series: &str| metrics(&running)[series].abs() < f64::EPSILON;
    assert!(is_empty(held) && is_empty("bayeux_sockets"));

    let session = handshake(address);
    let of = |channel: &str, more: &str| {
        format!(r#"{{"channel":"{channel}","clientId":"{session}"{more}}}"#)
    };
    let connect = of("/meta/connect", r#","connectionType":"long-polling""#);
    post(address, &connect);
    let mut socket = open(address);
    send(&mut socket, "POST", "/bayeux", "", &connect);

    wait_until(|| !is_empty(held));
    let now = metrics(&running);
    for series in [
        "bayeux_sockets",
        "bayeux_connections",
        "bayeux_shards_answering",
    ] {
        assert!(now[series] >= 1.0, "{series}: {}", now[series]);
    }
    post(address, &of("/meta/disconnect", ""));
    drop(socket);

    wait_until(|| is_empty(held) && is_empty("bayeux_sockets"));
    block_on(running.shutdown());
}

#[test]
fn nothing_that_a_client_chooses_becomes_a_label() {
    let running = started();
    let address = running.addresses()[0];
    let before: Vec<_> = metrics(&running).into_keys().collect();

    let session = handshake(address);
    post(
        address,
        &format!(
            r#"{{"channel":"/meta/subscribe","clientId":"{session}","subscription":"/odd/one"}}"#
        ),
    );
    ask(address, "GET", "/odd/path", "User-Agent: odd\r\n", "");

    let after: Vec<_> = metrics(&running).into_keys().collect();
    assert_eq!(before, after);
    block_on(running.shutdown());
}
