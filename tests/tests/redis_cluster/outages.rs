//! Redis goes and comes back; a server stands still.

use std::net::SocketAddr;
use std::time::Duration;

use bayeux_tests::live::{Deadline, HttpConnection, Redis, Server};

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
        std::thread::yield_now();
    }
}

#[test]
fn a_server_without_redis_lives_and_is_not_ready() {
    let mut redis = Redis::start();
    let settings = bayeux_tests::live::Settings::default()
        .store(&redis.url())
        .admin();
    let server = Server::start(&settings);
    wait_for(&server, "/ready", 200);

    redis.kill();
    wait_for(&server, "/ready", 503);
    assert_eq!(probe(&server, "/live"), 200);
    redis.restart();
    wait_for(&server, "/ready", 200);

    redis.signal("STOP");
    wait_for(&server, "/ready", 503);
    assert_eq!(probe(&server, "/live"), 200);
    redis.signal("CONT");
    wait_for(&server, "/ready", 200);
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
    std::thread::park_timeout(away / 2);
    cluster.redis.kill();
    std::thread::park_timeout(away / 2);
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
    let mut writer = Session::open(address);
    assert_eq!(writer.publish("/a", 1), Some(true));

    cluster.redis.restart();
    let deadline = Deadline::usual();
    while writer.publish("/a", 2) != Some(true) {
        assert!(deadline.left().is_some(), "nothing can be published");
    }
    while reader.received.last() != Some(&2) {
        assert!(deadline.left().is_some(), "received: {:?}", reader.received);
        reader.connect(100);
    }

    reader.received.dedup();
    assert_eq!(reader.received, [1, 2]);
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
    while after.publish("/a", 1) != Some(true) {}
    while after.received.is_empty() {
        assert!(deadline.left().is_some(), "nothing comes");
        after.connect(100);
    }
}

#[test]
fn a_server_that_stood_still_sends_nothing_twice_and_keeps_what_nobody_took() {
    let mut cluster = Cluster::of(2);
    let [first, second] = [0, 1].map(|at| cluster.servers[at].address());
    let mut reader = Session::open(first);
    reader.connect(0);
    reader.subscribe("/a");
    let mut kept = Session::open(first);
    kept.connect(0);
    kept.subscribe("/a");
    let mut writer = Session::open(second);
    while writer.publish("/a", 1) != Some(true) {}

    cluster.servers[0].signal("STOP");
    reader.move_to(second);
    let deadline = Deadline::usual();
    while reader.received.last() != Some(&1) {
        assert!(deadline.left().is_some(), "received: {:?}", reader.received);
        reader.connect(100);
    }
    // Its lease is over when nothing is known of it any more.
    while cluster
        .redis
        .keys()
        .iter()
        .filter(|key| key.contains(":node:"))
        .count()
        > 1
    {
        std::thread::yield_now();
    }
    while writer.publish("/a", 2) != Some(true) {}
    cluster.servers[0].signal("CONT");
    while kept.received.last() != Some(&2) {
        assert!(deadline.left().is_some(), "received: {:?}", kept.received);
        kept.connect(100);
    }
    while reader.received.last() != Some(&2) {
        reader.connect(100);
    }

    assert_eq!((reader.received, kept.received), (vec![1, 2], vec![1, 2]));
}
