//! Redis goes and comes back; a server stands still.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bayeux_tests::live::{Deadline, HttpConnection, Opcode, Redis, Server, Settings, WebSocket};
use serde_json::{Value, json};

use super::Cluster;
use super::audience::Audience;
use super::crowd::Session;
use super::number_from;

/// What a probe is answered.
fn probe(server: &Server, path: &str) -> u16 {
    probe_at(server.admin_address(), path)
}

fn probe_at(address: SocketAddr, path: &str) -> u16 {
    let mut connection = HttpConnection::open(address);
    connection.request("GET", path, &[], "").status
}

fn wait_for(server: &Server, path: &str, status: u16) {
    let deadline = Deadline::usual();
    while probe(server, path) != status {
        assert!(deadline.left().is_some(), "{path} does not become {status}");
        thread::yield_now();
    }
}

/// Publishes rising numbers.
struct Writer {
    session: Session,
    number: u64,
}

impl Writer {
    fn open(address: SocketAddr) -> Self {
        let session = Session::open(address);
        Self { session, number: 0 }
    }

    /// Publishes until that is answered as stored, and gives the number. Those before it may be stored too.
    #[track_caller]
    fn publish(&mut self) -> u64 {
        let deadline = Deadline::usual();
        loop {
            self.number += 1;
            if self.session.publish("/a", self.number) == Some(true) {
                return self.number;
            }
            assert!(deadline.left().is_some(), "nothing can be published");
        }
    }
}

/// Polls until that comes.
#[track_caller]
fn hear(reader: &mut Session, number: u64) {
    let deadline = Deadline::usual();
    while reader.received.last() != Some(&number) {
        assert!(deadline.left().is_some(), "received: {:?}", reader.received);
        reader.connect(100);
    }
}

/// All of these have come, and nothing has come twice or out of order.
#[track_caller]
fn expect_once(received: &[u64], stored: &[u64]) {
    let is_rising = received.is_sorted_by(|one, next| one < next);
    assert!(is_rising, "out of order or twice: {received:?}");
    let has_all = stored.iter().all(|number| received.contains(number));
    assert!(has_all, "lost: {stored:?} were stored, {received:?} came");
}

/// Whether it says within two seconds that it is not ready, while it lives.
fn is_unready_in_time(server: &Server) -> bool {
    let deadline = Deadline::after(Duration::from_secs(2));
    wait_for(server, "/ready", 503);
    let is_in_time = deadline.left().is_some();
    assert_eq!(probe(server, "/live"), 200);
    is_in_time
}

#[test]
fn a_server_without_redis_lives_and_is_not_ready_within_two_seconds() {
    // On a busy machine one of some has to do.
    const ATTEMPTS: usize = 5;
    let mut redis = Redis::start();
    let settings = Settings::default().store(&redis.url()).admin();
    let server = Server::start(&settings);
    wait_for(&server, "/ready", 200);

    let is_gone_in_time = (0..ATTEMPTS).any(|_| {
        redis.kill();
        let is_in_time = is_unready_in_time(&server);
        redis.restart();
        wait_for(&server, "/ready", 200);
        is_in_time
    });
    let hangs_in_time = (0..ATTEMPTS).any(|_| {
        redis.signal("STOP");
        let is_in_time = is_unready_in_time(&server);
        redis.signal("CONT");
        wait_for(&server, "/ready", 200);
        is_in_time
    });

    assert!(is_gone_in_time, "a Redis that has gone is noticed late");
    assert!(hangs_in_time, "a Redis that hangs is noticed late");
}

// Proves: ER-7
#[test]
fn a_redis_that_hesitates_for_longer_than_a_second_makes_no_publish_fail() {
    // What takes three seconds is an outage; on a busy machine one of some has to do.
    const ATTEMPTS: u64 = 5;
    let mut redis = Redis::start();
    let server = Server::start(&Settings::default().store(&redis.url()).admin());
    wait_for(&server, "/ready", 200);
    let mut session = Session::open(server.address());

    let is_stored = (0..ATTEMPTS).any(|number| {
        redis.signal("STOP");
        let stored = thread::scope(|scope| {
            let publishing = scope.spawn(|| session.publish("/a", number));
            wait_for(&server, "/ready", 503);
            redis.signal("CONT");
            publishing.join()
        });
        wait_for(&server, "/ready", 200);
        matches!(stored, Ok(Some(true)))
    });

    assert!(is_stored, "refused, and Redis was there all the time");
}

#[test]
fn no_session_is_lost_while_redis_is_away() {
    const CLIENTS: usize = 20;
    // For how long; a minute by hand, in `.ci/full`.
    let away = Duration::from_secs(number_from("REDIS_OUTAGE", 3));
    let mut cluster = Cluster::with(2, Redis::on_disk());
    let audience = Audience::gather(CLIENTS, cluster.balancer.address());
    audience.until_stored(20);

    // It hangs, and then it is gone.
    cluster.redis.signal("STOP");
    Deadline::after(away / 2).pass();
    cluster.redis.kill();
    Deadline::after(away / 2).pass();
    for server in &cluster.servers {
        assert_eq!(probe_at(server.address(), "/live"), 200);
        assert_eq!(probe_at(server.address(), "/ready"), 503);
    }
    cluster.redis.restart();

    audience.until_stored(20);
    let outcome = audience.end();
    println!(
        "{} stored, {} sessions lost of {CLIENTS}, {away:?} without Redis",
        outcome.stored(),
        outcome.lost_sessions()
    );
    assert_eq!(outcome.lost_sessions(), 0);
    outcome.expect_no_silent_loss();
}

#[test]
fn sessions_outlive_a_redis_that_keeps_what_it_was_told() {
    let mut cluster = Cluster::with(2, Redis::on_disk());
    let address = cluster.balancer.address();
    let mut reader = Session::open(address);
    reader.connect(0);
    reader.subscribe("/a");
    let mut writer = Writer::open(address);
    let before = writer.publish();

    cluster.redis.restart();
    let after = writer.publish();
    hear(&mut reader, after);

    expect_once(&reader.received, &[before, after]);
}

#[test]
fn clients_begin_anew_after_a_redis_that_has_lost_everything() {
    let mut cluster = Cluster::of(2);
    let address = cluster.balancer.address();
    let before = Session::open(address);

    cluster.redis.restart();

    let deadline = Deadline::usual();
    while !before.is_unknown() {
        assert!(deadline.left().is_some(), "the session is still known");
    }
    let mut after = Session::open(address);
    after.connect(0);
    after.subscribe("/a");
    while after.publish("/a", 1) != Some(true) {
        assert!(deadline.left().is_some(), "nothing can be published");
    }
    while after.received.is_empty() {
        assert!(deadline.left().is_some(), "nothing comes");
        after.connect(100);
    }
}

/// Its connect, held at that server by a websocket; the server has read it.
fn held_by_websocket(reader: &Session, address: SocketAddr) -> WebSocket {
    let mut socket = WebSocket::open(address, Server::PATH, &[]);
    socket.send(&json!([{
        "channel": "/meta/connect", "clientId": reader.id, "connectionType": "websocket"
    }]));
    socket.send(&json!([{
        "channel": "/meta/subscribe", "clientId": reader.id, "subscription": "/b"
    }]));
    let replies = socket.messages();
    assert_eq!(replies[0]["channel"], "/meta/subscribe", "{replies:?}");
    socket
}

/// The messages that come before its end.
fn rest_of(mut socket: WebSocket) -> Vec<Value> {
    let mut messages = Vec::new();
    while let Some(frame) = socket.frame() {
        if frame.opcode == Opcode::Text {
            let array: Vec<Value> = serde_json::from_slice(&frame.payload).expect("an array");
            messages.extend(array);
        }
    }
    messages
}

#[test]
fn a_server_that_stood_still_sends_nothing_twice_and_keeps_what_nobody_took() {
    const STALE: u64 = 0;
    // One shard: what it has for one session it has sent before what it has for the next.
    let settings = Settings::default().shards(1);
    let mut cluster = Cluster::of_servers(2, Redis::start(), settings);
    let [first, second] = [0, 1].map(|at| cluster.servers[at].address());
    let [mut reader, mut kept] = [(); 2].map(|()| {
        let mut session = Session::open(first);
        session.connect(0);
        session.subscribe("/a");
        session
    });
    kept.subscribe("/stale");
    let mut writer = Writer::open(second);
    let mut socket = held_by_websocket(&reader, first);

    cluster.servers[0].signal("STOP");
    // Both wait for it: an event of its session, and what that publishes.
    let meanwhile = writer.publish();
    socket.send(&json!([
        {"channel": "/stale", "clientId": reader.id, "data": STALE, "id": "stale"}
    ]));
    reader.move_to(second);
    hear(&mut reader, meanwhile);
    // Its lease is over when nothing is known of it any more.
    let deadline = Deadline::usual();
    let leases = |cluster: &Cluster| {
        let keys = cluster.redis.keys().into_iter();
        keys.filter(|key| key.contains(":node:")).count()
    };
    while leases(&cluster) > 1 {
        assert!(deadline.left().is_some(), "its lease does not end");
        thread::yield_now();
    }
    let after = writer.publish();
    cluster.servers[0].signal("CONT");
    hear(&mut kept, after);
    hear(&mut reader, after);

    cluster.servers.remove(0).stop();
    let rest = rest_of(socket);
    let events = rest.iter().filter(|message| message["channel"] == "/a");
    assert_eq!(events.count(), 0, "of another's session: {rest:?}");
    // It is refused, or the owner has done it; either way it is answered as it is.
    let is_granted = |reply: &&Value| reply["id"] == "stale" && reply["successful"] == true;
    let granted = rest.iter().filter(is_granted).count();
    let last = writer.publish();
    kept.move_to(second);
    hear(&mut kept, last);
    hear(&mut reader, last);
    let (stale, heard): (Vec<u64>, Vec<u64>) = kept.received.iter().partition(|at| **at == STALE);
    assert_eq!(stale.len(), granted, "{rest:?}");
    let all = [meanwhile, after, last];
    expect_once(&reader.received, &all);
    expect_once(&heard, &all);
}
