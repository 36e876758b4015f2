//! Browser cookies, and a session that goes from engine to engine.

use bayeux_core::{BrowserBinding, BrowserId};

use super::several::*;
use super::*;

fn cluster(browser_binding: BrowserBinding) -> Cluster {
    let config = Config {
        browser_binding,
        ..Config::default()
    };
    Cluster::with(2, config)
}

fn with(cookie: Option<BrowserId>) -> Peer {
    Peer {
        browser: cookie,
        ..Peer::default()
    }
}

fn stranger() -> Peer {
    with(BrowserId::parse(&"z".repeat(24)))
}

/// A client of the first engine that got its cookie with the handshake, and has not shown it again yet.
fn newcomer(cluster: &mut Cluster) -> (Client, Peer) {
    let exchange = cluster.on(0, shake_hands);
    welcomed(&mut cluster.nodes[0], exchange)
}

fn shake_hands(script: &mut Script) -> ConnectionId {
    let exchange = script.open(HTTP);
    script.send(
        exchange,
        json!({"channel": "/meta/handshake", "version": "1.0"}),
    );
    exchange
}

/// The client that was answered there, and its browser.
fn welcomed(script: &mut Script, exchange: ConnectionId) -> (Client, Peer) {
    let cookie = script.cookie(exchange);
    assert!(cookie.is_some());
    let reply = script.take(exchange);
    let client = Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        transport: HTTP,
        socket: None,
        peer: Peer::default(),
    };
    (client, with(cookie))
}

fn seen_as(client: &Client, peer: &Peer) -> Client {
    Client {
        peer: peer.clone(),
        ..client.clone()
    }
}

fn over_a_socket(cluster: &mut Cluster, node: usize, client: &Client, peer: &Peer) -> Client {
    let socket = cluster.nodes[node].open_as(SOCKET, peer.clone());
    Client {
        transport: SOCKET,
        socket: Some(socket),
        ..seen_as(client, peer)
    }
}

/// Whether a publish of this client is taken, by that engine.
fn publishes(cluster: &mut Cluster, node: usize, client: &Client) -> bool {
    let connection = cluster.on(node, |script| script.publish_as(client, "/x", json!(1)));
    let reply = &cluster.nodes[node].take(connection)[0];
    let refused = reply["error"] == "402::session_unknown";
    assert_ne!(reply["successful"] == true, refused, "{reply}");
    !refused
}

/// The answer to a connect of this client that is not held, by that engine.
fn connects(cluster: &mut Cluster, node: usize, client: &Client) -> Value {
    let members = json!({"advice": {"timeout": 0}});
    let connection = cluster.on(node, |script| script.connect_with(client, members));
    cluster.after(1_000);
    cluster.nodes[node].take(connection)
}

#[track_caller]
fn is_connected(reply: &Value) {
    let reply = reply.as_array().unwrap().last().unwrap();
    assert_eq!(reply["successful"], true, "{reply}");
}

// Proves: BR-4
#[test]
fn a_cookie_that_came_back_once_is_asked_for_by_every_engine() {
    let mut cluster = cluster(BrowserBinding::Lenient);
    let (client, cookie) = newcomer(&mut cluster);
    let own = seen_as(&client, &cookie);
    assert!(publishes(&mut cluster, 0, &client), "it is still open");
    assert!(publishes(&mut cluster, 1, &client), "everywhere");
    is_connected(&connects(&mut cluster, 0, &own));

    is_told_to_handshake(&connects(&mut cluster, 1, &client));
    is_connected(&connects(&mut cluster, 1, &own));

    for node in [0, 1] {
        assert!(!publishes(&mut cluster, node, &client), "{node}");
        assert!(publishes(&mut cluster, node, &own), "{node}");
    }
    // Nor after the death of who has it.
    cluster.crash(1);
    is_told_to_handshake(&connects(&mut cluster, 0, &client));
    is_connected(&connects(&mut cluster, 0, &own));
    cluster.nothing_leaks();
}

// Proves: BR-13
#[test]
fn a_session_without_a_cookie_takes_one_for_every_engine() {
    let mut cluster = cluster(BrowserBinding::Lenient);
    let client = cluster.on(0, |script| script.connected_over(SOCKET, json!({})));
    let client = elsewhere(&client);
    let own = seen_as(&client, &with(BrowserId::parse(&"a".repeat(24))));
    assert!(publishes(&mut cluster, 1, &own), "by way of the other");

    for peer in [Peer::default(), stranger()] {
        let other = seen_as(&client, &peer);
        is_told_to_handshake(&connects(&mut cluster, 1, &other));
        assert!(!publishes(&mut cluster, 1, &other));
    }
    is_connected(&connects(&mut cluster, 1, &own));
    cluster.nothing_leaks();
}

// Proves: BR-3, BR-4
#[test]
fn a_wrong_cookie_moves_nothing() {
    for binding in [BrowserBinding::Lenient, BrowserBinding::Strict] {
        let mut cluster = cluster(binding);
        let (client, cookie) = newcomer(&mut cluster);
        let own = seen_as(&client, &cookie);
        is_connected(&connects(&mut cluster, 0, &own));
        let held = cluster.on(0, |script| script.connect(&own));

        for peer in [stranger(), Peer::default()] {
            let thief = seen_as(&client, &peer);
            is_told_to_handshake(&connects(&mut cluster, 1, &thief));
            assert!(!publishes(&mut cluster, 1, &thief));
        }
        let thief = over_a_socket(&mut cluster, 1, &client, &stranger());
        is_told_to_handshake(&connects(&mut cluster, 1, &thief));

        cluster.nodes[0].expect_nothing(held);
        assert_eq!(cluster.nodes[0].engine().load().sessions, 1);
        assert_eq!(cluster.nodes[1].engine().load().sessions, 0);
        cluster.nothing_leaks();
    }
}

// Proves: BR-6
#[test]
fn a_websocket_without_a_cookie_is_served_by_every_engine() {
    for binding in [BrowserBinding::Lenient, BrowserBinding::Strict] {
        let mut cluster = cluster(binding);
        let (client, cookie) = newcomer(&mut cluster);
        let own = seen_as(&client, &cookie);
        is_connected(&connects(&mut cluster, 0, &own));

        let bare = over_a_socket(&mut cluster, 1, &client, &Peer::default());
        let foreign = over_a_socket(&mut cluster, 1, &client, &stranger());

        assert!(publishes(&mut cluster, 1, &bare), "{binding:?}");
        assert!(!publishes(&mut cluster, 1, &foreign), "{binding:?}");
        assert_eq!(cluster.nodes[0].engine().load().sessions, 1);
        is_connected(&connects(&mut cluster, 1, &bare));
        assert_eq!(cluster.nodes[0].engine().load().sessions, 0, "moved");
        cluster.nothing_leaks();
    }
}

#[test]
fn the_store_is_told_once_that_a_cookie_came_back_and_again_if_it_failed() {
    let mut script = super::rig::engine(0);
    let exchange = shake_hands(&mut script);
    super::rig::done(&mut script);
    let (client, cookie) = welcomed(&mut script, exchange);
    let own = seen_as(&client, &cookie);
    let poll = |script: &mut Script| {
        script.connect_with(&own, json!({"advice": {"timeout": 0}}));
    };

    // While it is away nothing is asked, and once it is back it is told, or else with the next connect.
    script.notify(Notice::Down);
    poll(&mut script);
    assert!(!script.has_store_requests());
    for (outage, reply) in [
        (true, StoreReply::Failed),
        (false, StoreReply::Failed),
        (true, StoreReply::Done),
    ] {
        if outage {
            script.notify(Notice::Up { position: at(0) });
        } else {
            poll(&mut script);
            script.notify(Notice::Down);
        }
        let (ticket, request) = script.take_store();
        assert!(
            matches!(request, StoreRequest::Bind { browser, .. } if Some(browser) == cookie.browser),
            "{request:?}"
        );
        script.stored(ticket, reply);
    }
    for _ in 0..5 {
        poll(&mut script);
        script.notify(Notice::Down);
        script.notify(Notice::Up { position: at(0) });
        assert!(!script.has_store_requests());
    }
}
