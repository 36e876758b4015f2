//! Batching by the application (QU-3).

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{Call, CallResult, CallTicket, Config, Input, Transport};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

fn batch(script: &mut Script, client: &Client) {
    let call = Call::Batch {
        session: session(client),
    };
    assert_eq!(script.call(call), CallResult::Done);
}

fn flush(script: &mut Script, client: &Client) {
    let call = Call::Flush {
        session: session(client),
    };
    assert_eq!(script.call(call), CallResult::Done);
}

// Proves: QU-3
#[test]
fn a_batch_is_flushed_at_its_outermost_end() {
    for transport in [
        Transport::LongPolling,
        Transport::CallbackPolling,
        Transport::WebSocket,
    ] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        script.subscribe(&alice, "/a");
        let held = script.connect(&alice);
        batch(&mut script, &alice);
        batch(&mut script, &alice);

        script.publish("/a", json!(1)).publish("/a", json!(2));
        flush(&mut script, &alice);
        script.expect_nothing(held);
        flush(&mut script, &alice);

        let frame = script.take(held);
        assert_eq!(frame[0], event("/a", json!(1)), "{transport:?}");
        assert_eq!(frame[1], event("/a", json!(2)), "{transport:?}");
        script.publish("/a", json!(3));
        if transport == Transport::WebSocket {
            script.expect(held, json!([event("/a", json!(3))]));
        }
        script.expect_no_trace();
    }
}

// Proves: QU-3
#[test]
fn a_batch_does_not_wake_a_connect_that_comes_during_it() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");
    batch(&mut script, &alice);
    script.publish("/a", json!(1));

    let held = script.connect(&alice);

    script.expect_nothing(held);
    flush(&mut script, &alice);
    assert_eq!(script.take(held)[0], event("/a", json!(1)));
    script.expect_no_trace();
}

// Proves: QU-3
#[test]
fn the_end_of_a_batch_that_was_not_begun_is_no_beginning() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");
    flush(&mut script, &alice);
    batch(&mut script, &alice);
    let held = script.connect(&alice);

    script.publish("/a", json!(1));

    script.expect_nothing(held);
    flush(&mut script, &alice);
    assert_eq!(script.take(held)[0], event("/a", json!(1)));
    script.expect_no_trace();
}

// Proves: QU-3
#[test]
fn the_end_of_a_batch_that_was_not_begun_does_not_end_that_of_a_request() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let held = script.connect(&alice);
    let publishing = script.request(&alice, publish(&alice, "/a", json!(1)));

    flush(&mut script, &alice);
    script.notify(bayeux_core::Notice::Entries(vec![bayeux_core::Entry {
        position: bayeux_core::Position::new(1),
        origin: None,
        to: bayeux_core::Destination::Session(session(&alice)),
        event: bayeux_core::Event::deliver(
            &"/b".parse().unwrap(),
            &bayeux_core::Payload::from(json!(1)),
        ),
        laziness: bayeux_core::Laziness::Prompt,
        echo: bayeux_core::Echo::ToPublisher,
    }]));

    script.expect_nothing(held).expect_nothing(publishing);
    script.expect_no_trace();
}

// Proves: QU-3, QU-7
#[test]
fn a_response_takes_along_what_a_batch_holds_back() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        script.subscribe(&alice, "/a");
        batch(&mut script, &alice);
        script.publish("/a", json!(1));

        let connection = script.request(&alice, publish(&alice, "/b", json!(2)));

        let got = messages(&mut script, connection);
        assert_eq!(got, [event("/a", json!(1)), ok("/b")], "{transport:?}");
        script.expect_no_trace();
    }
}

#[test]
fn what_is_gathered_from_now_on_does_not_leave_although_it_was_about_to() {
    let mut script = Script::with_scripted_store(Config::default());
    let (connection, session) = super::calls::opened(&mut script);
    script.call(super::calls::subscribing(session, "/a"));
    let call = |ticket, call| Input::Called {
        ticket: CallTicket::new(ticket),
        call,
    };

    script.facts([
        Input::Notified {
            notice: entries(1, "/a", &[1]),
        },
        call(1_000, Call::Batch { session }),
    ]);

    script.expect_nothing(connection);
    script.fact(call(1_001, Call::Flush { session }));
    script.expect(connection, json!([event("/a", json!(1))]));
}
