//! The appends and frames of a session wait for each other.

use bayeux_core::testing::{Client, Script};
use bayeux_core::{Config, Position, StoreReply, StoreRequest, StoreTicket, Transport};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

/// A socket client of a script whose store is played by the test.
fn flooding() -> (Script, Client) {
    let mut script = Script::with_scripted_store(Config::default());
    let connection = script.open(Transport::WebSocket);
    script.send(
        connection,
        json!({
            "channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": ["websocket"],
        }),
    );
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
    let reply = script.take(connection);
    let client = Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        transport: Transport::WebSocket,
        socket: Some(connection),
        peer: bayeux_core::Peer::default(),
    };
    script.first_connect(&client);
    (script, client)
}

/// Takes the appends that the store was asked for: their tickets, and what they say.
fn appends(script: &mut Script) -> Vec<(StoreTicket, Value)> {
    let mut appends = Vec::new();
    while script.has_store_requests() {
        let (ticket, request) = script.take_store();
        let StoreRequest::Append(entry) = request else {
            panic!("{request:?}")
        };
        let event: Value = serde_json::from_slice(entry.event.object()).unwrap();
        appends.push((ticket, event["data"].clone()));
    }
    appends
}

fn stored(script: &mut Script, position: u64, ticket: StoreTicket) {
    script.stored(ticket, StoreReply::Appended(Position::new(position)));
}

// Proves: MO-6
#[test]
fn a_batch_pauses_at_64_open_appends_and_goes_on() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let (mut script, alice) = if transport.is_exchange() {
            let mut script = Script::with_scripted_store(Config::default());
            let alice = connected_by_hand(&mut script);
            (script, alice)
        } else {
            flooding()
        };
        let frame = Vec::from_iter((0..1_000).map(|n| publish(&alice, "/a", json!(n))));

        let connection = script.request(&alice, json!(frame));

        let mut open = appends(&mut script);
        assert_eq!(open.len(), 64);
        let mut seen = Vec::new();
        while !open.is_empty() {
            assert!(open.len() <= 64);
            script.expect_nothing(connection);
            let (ticket, data) = open.remove(0);
            seen.push(data);
            stored(&mut script, seen.len() as u64, ticket);
            open.extend(appends(&mut script));
        }
        assert_eq!(seen, Vec::from_iter((0..1_000).map(|n| json!(n))));
        assert_eq!(script.take(connection), json!(vec![ok("/a"); 1_000]));
        script.expect_no_trace();
    }
}

// Proves: MO-6
#[test]
fn a_publisher_that_floods_is_slowed_down() {
    let (mut script, alice) = flooding();
    let socket = alice.socket.unwrap();

    let mut sent = 0;
    while script.is_asked(socket) {
        script.request(&alice, publish(&alice, "/a", json!(sent)));
        sent += 1;
        assert!(sent <= 64, "its frames are taken in without end");
    }

    assert_eq!(sent, 64);
    let open = appends(&mut script);
    stored(&mut script, 1, open[0].0);
    assert!(
        script.is_asked(socket),
        "it goes on when the store has caught up"
    );
    script.expect(socket, json!([ok("/a")]));
    script.request(&alice, publish(&alice, "/a", json!(sent)));
    assert!(!script.is_asked(socket));
    for (position, (ticket, _)) in (2..).zip(open.into_iter().skip(1)) {
        stored(&mut script, position, ticket);
    }
    script.expect_no_trace();
}

// Proves: MO-6
#[test]
fn a_batch_that_pauses_is_not_followed_by_the_next_frame() {
    let (mut script, alice) = flooding();
    let socket = alice.socket.unwrap();
    let frame = Vec::from_iter((0..65).map(|n| publish(&alice, "/a", json!(n))));

    script.request(&alice, json!(frame));

    assert!(!script.is_asked(socket));
    let open = appends(&mut script);
    stored(&mut script, 1, open[0].0);
    assert!(script.is_asked(socket), "all of its messages are taken in");
    script.expect_no_trace();
}

// Proves: MO-6
#[test]
fn exchanges_that_wait_for_the_store_all_go_on() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let frame = Vec::from_iter((0..64).map(|n| publish(&alice, "/a", json!(n))));
    script.request(&alice, json!(frame));
    let open = appends(&mut script);
    // Messages that need no append, in more requests than appends are open.
    let waiting = Vec::from_iter((0..100).map(|_| {
        let request = publish(&alice, "/service/x", json!(1));
        let connection = script.request(&alice, request);
        script.expect_nothing(connection);
        connection
    }));

    for (position, (ticket, _)) in (1..).zip(open) {
        stored(&mut script, position, ticket);
    }

    for connection in waiting {
        script.expect(connection, json!([ok("/service/x")]));
    }
    script.expect_no_trace();
}

// Proves: MO-6
#[test]
fn a_publisher_without_client_is_slowed_down_as_well() {
    for behind in [true, false] {
        let mut script = Script::with_scripted_store(Config {
            allow_connectionless_publish: true,
            ..Config::default()
        });
        let alice = connected_by_hand(&mut script);
        let bare = (0..100).map(|n| json!({"channel": "/a", "data": n}));
        let first = behind.then(|| publish(&alice, "/service/x", json!(0)));
        let frame = Vec::from_iter(first.into_iter().chain(bare));
        let count = frame.len();

        let connection = script.post(json!(frame));

        let mut open = appends(&mut script);
        assert_eq!(open.len(), 64, "{behind}");
        let mut position = 0;
        while let Some((ticket, _)) = open.pop() {
            position += 1;
            stored(&mut script, position, ticket);
            open.extend(appends(&mut script));
        }
        assert_eq!(position, 100);
        let replies = script.take(connection);
        assert_eq!(replies.as_array().unwrap().len(), count);
        script.expect_no_trace();
    }
}
