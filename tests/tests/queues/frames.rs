//! Frames that nobody asked for, and peers that do not read.

use bayeux_core::testing::{Script, event};
use bayeux_core::{
    CloseReason, Config, Decider, DeciderId, Input, Limits, Messages, Role, Scope, StoreReply,
    StoreTicket, Transport, Verdict,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

// Proves: WS-13
#[test]
fn the_next_frame_is_asked_for_when_the_one_before_is_processed() {
    let mut script = Script::new(Config {
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Handler(Scope::Pattern("/service/*".parse().unwrap())),
        }],
        ..Config::default()
    });
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    let socket = alice.socket.unwrap();
    script.subscribe(&alice, "/a").write_by_hand();
    script.publish("/a", json!(0));
    assert!(script.is_asked(socket));

    script.request(&alice, publish(&alice, "/service/x", json!(1)));

    assert!(!script.is_asked(socket));
    script.written(socket);
    assert!(!script.is_asked(socket), "what was written changes nothing");
    script.decide(Verdict::Allow).written(socket);
    assert!(script.is_asked(socket));
    script.connect(&alice);
    assert!(
        script.is_asked(socket),
        "a connect that is held is processed"
    );
    script.expect_no_trace();
}

// Proves: WS-13
#[test]
fn a_peer_that_does_not_read_is_not_read_from_without_end() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    let socket = alice.socket.unwrap();
    script.write_by_hand();

    let mut sent = 0;
    while script.is_asked(socket) {
        script.request(&alice, publish(&alice, "/a", json!(sent)));
        sent += 1;
        assert!(sent <= 1_000, "its replies gather without end");
    }

    for _ in 0..2 {
        script.written(socket);
    }
    assert!(
        script.is_asked(socket),
        "it reads again, and is read from again"
    );
    assert_eq!(messages(&mut script, socket).len(), sent);
    script.expect_no_trace();
}

#[test]
fn a_frame_that_nobody_asked_for_closes_the_connection() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::with_scripted_store(Config::default());
        let connection = script.open(transport);
        let frame = json!({
            "channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": [transport.name()],
        });
        script.send(connection, frame.clone());
        let messages = Messages::decode(frame.to_string(), &Default::default()).unwrap();

        script.fact(Input::Received {
            connection,
            messages,
        });

        script.expect_closed(connection, CloseReason::Unasked);
        assert_eq!(
            script.engine().counters().frames_unasked,
            1,
            "{transport:?}"
        );
        assert_eq!(CloseReason::Unasked.close_code(), 1008);
        assert_eq!(CloseReason::Unasked.http_status(500), 400);
        script.expect_no_trace();
    }
}

#[test]
fn a_frame_on_a_session_of_the_applications_own_closes_it() {
    let mut script = Script::new(Config::default());
    let (connection, _) = script.open_local();
    let messages = Messages::decode("[{}]", &Default::default()).unwrap();

    script.fact(Input::Received {
        connection,
        messages,
    });

    script.expect_closed(connection, CloseReason::Unasked);
    script.expect_no_trace();
}

#[test]
fn what_concerns_nobody_is_counted_and_ignored() {
    let mut script = Script::new(Config::default());
    let gone = bayeux_core::ConnectionId::new(77);
    let messages = Messages::decode("[{}]", &Default::default()).unwrap();
    for fact in [
        Input::Received {
            connection: gone,
            messages,
        },
        Input::Written { connection: gone },
        Input::Closed { connection: gone },
        Input::Stored {
            ticket: StoreTicket::new(77),
            reply: StoreReply::Done,
        },
        Input::Decided {
            ticket: bayeux_core::DecisionTicket::new(77),
            verdict: Verdict::Allow,
        },
    ] {
        let before = script.engine().counters().facts_ignored;
        script.fact(fact.clone());
        assert_eq!(
            script.engine().counters().facts_ignored,
            before + 1,
            "{fact:?}"
        );
    }

    let connection = script.open(bayeux_core::Transport::WebSocket);
    let before = script.engine().counters().facts_ignored;
    script.fact(Input::Written { connection });
    assert_eq!(
        script.engine().counters().facts_ignored,
        before + 1,
        "nothing was sent there"
    );
    script.expect_no_trace();
}

// Proves: RC-5
#[test]
fn a_frame_is_filled_to_its_last_byte_and_no_further() {
    let pair = json!([event("/a", json!(1)), event("/a", json!(2))]).to_string();
    for (max_frame_bytes, frames) in [(pair.len(), 1), (pair.len() - 1, 2)] {
        let mut script = Script::new(Config {
            limits: Limits {
                max_frame_bytes,
                ..Limits::default()
            },
            ..Config::default()
        });
        let alice = script.connected_over(Transport::WebSocket, Value::Null);
        script.subscribe(&alice, "/a").write_by_hand();
        let socket = script.publish_as(&alice, "/elsewhere", json!(0));
        script.publish("/a", json!(1)).publish("/a", json!(2));
        script.take(socket);

        script.written(socket);

        let sent = Vec::from_iter(std::iter::from_fn(|| script.take_bytes(socket)));
        assert_eq!(sent.len(), frames, "{sent:?}");
        assert!(sent.iter().all(|frame| frame.len() <= max_frame_bytes));
        script.written(socket);
        script.expect_no_trace();
    }
}
