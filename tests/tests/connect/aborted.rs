//! Connections that break while a connect is held, worked on, or answered (CN-14, CN-15, TM-10).

use bayeux_core::Phase;
use bayeux_core::testing::event;
use serde_json::json;

use super::*;

/// Nothing keeps a session longer than its grace from now on.
fn expect_gone_after(script: &mut Script, client: &Client, millis: u64) {
    script.after(millis - 1);
    assert!(lives(script, client), "it is gone too early");
    script.after(1);
    assert!(!lives(script, client), "it is still there");
}

// Proves: CN-6, CN-14, TM-3, TM-10, WS-11
#[test]
fn an_aborted_hold_starts_the_clock_and_keeps_the_queue() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = reader(&mut script, transport);
        let held = connect(&mut script, &alice, "c");

        script.at(20_000).close(held);

        assert_eq!(script.try_take(held), None);
        assert_eq!(phase(&mut script, &alice), Some(Phase::Away));
        script.publish("/news", json!("kept"));
        assert_eq!(view(&mut script, &alice).unwrap().queued.0, 1);
        assert_eq!(script.engine().counters().sessions_removed, 0);
        expect_gone_after(&mut script, &alice, 10_000);
        script.expect_no_trace();
    }
}

// Proves: CN-14, QU-9, WS-11
#[test]
fn who_comes_back_after_an_abort_gets_what_has_come_meanwhile() {
    for before in TRANSPORTS {
        for after in TRANSPORTS {
            let mut script = script();
            let alice = reader(&mut script, before);
            let held = connect(&mut script, &alice, "c");
            script.close(held).publish("/news", json!("kept"));
            let again = over(&mut script, &alice, after);

            let reply = connect_briefly(&mut script, &again, "d");

            let sent = [
                script.take(reply),
                script.try_take(reply).unwrap_or(json!([])),
            ];
            let sent = [
                sent[0].as_array().unwrap().clone(),
                sent[1].as_array().unwrap().clone(),
            ];
            assert_eq!(
                sent.concat(),
                [event("/news", json!("kept")), advised("d", retry())]
            );
            script.expect_no_trace();
        }
    }
}

// Proves: CN-14
#[test]
fn a_client_that_aborts_its_connect_for_every_other_message_loses_nothing() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    for number in 0..10 {
        let held = connect(&mut script, &alice, "c");
        script.close(held).publish("/news", json!(number));
        script.subscribe(&alice, &format!("/other/{number}"));
    }

    script.publish("/other/9", json!("end"));

    let last = connect(&mut script, &alice, "d");
    assert_eq!(script.take(last)[0], event("/other/9", json!("end")));
    assert_eq!(script.engine().counters().events_written, 11);
    assert_eq!(script.engine().counters().events_discarded, 0);
    script.expect_no_trace();
}

// Proves: CN-14, TM-3
#[test]
fn a_connect_whose_connection_breaks_while_it_is_worked_on_starts_the_clock_when_it_is_done() {
    for slow in SLOWNESS {
        for transport in TRANSPORTS {
            let mut script = script();
            let alice = slow_client(&mut script, transport, slow);
            let worked_on = connect_slowly(&mut script, &alice, "c", slow);
            script.close(worked_on);

            unblock(&mut script, slow);

            assert_eq!(
                phase(&mut script, &alice),
                Some(Phase::Away),
                "{slow:?} {transport:?}"
            );
            expect_gone_after(&mut script, &alice, 10_000);
            script.expect_no_trace();
        }
    }
}

// Proves: CN-15, HT-11, QU-9, WS-10, WS-19
#[test]
fn events_whose_write_failed_return_to_the_front_and_the_clock_runs() {
    for transport in TRANSPORTS {
        for ack in [Value::Null, json!({"ack": true})] {
            let mut script = script();
            let alice = script.connected_over(transport, ack.clone());
            script.subscribe(&alice, "/news");
            let held = connect(&mut script, &alice, "c");
            script.write_by_hand().publish("/news", json!(1));
            script.publish("/news", json!(2));
            assert_eq!(script.take(held)[0], event("/news", json!(1)));

            script.close(held);

            assert_eq!(view(&mut script, &alice).unwrap().queued.0, 2);
            let again = over(&mut script, &alice, POLLING);
            let retried = connect(&mut script, &again, "d");
            let sent = script.take(retried);
            let first_two = [event("/news", json!(1)), event("/news", json!(2))];
            assert_eq!(
                sent.as_array().unwrap()[..2],
                first_two,
                "{transport:?} {ack}"
            );
            script.close(retried);
            expect_gone_after(&mut script, &alice, 10_000);
            script.expect_no_trace();
        }
    }
}

// Proves: CN-15, QU-9
#[test]
fn events_that_a_publish_response_could_not_deliver_release_the_held_connect() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    let held = connect(&mut script, &alice, "c");
    script.write_by_hand();
    let publish = script.publish_as(&alice, "/news", json!("to myself"));
    assert_eq!(script.take(publish)[0], event("/news", json!("to myself")));
    script.expect_nothing(held);

    script.close(publish);

    script.expect(
        held,
        json!([event("/news", json!("to myself")), connected("c")]),
    );
    assert_eq!(script.engine().counters().events_requeued, 1);
    script.expect_no_trace();
}

// Proves: CN-4, QU-9
#[test]
fn a_connect_is_held_while_what_waits_cannot_leave_yet() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    script.write_by_hand();
    let publish = script.publish_as(&alice, "/news", json!(1));
    script.publish("/news", json!(2));

    let held = connect(&mut script, &alice, "c");

    // Answered at once it would carry nothing, and the client would only ask again.
    script.expect_nothing(held);
    script.written(publish);
    script.expect(held, json!([event("/news", json!(2)), connected("c")]));
    script.expect_no_trace();
}

// Proves: TM-10, WS-10
#[test]
fn the_close_of_a_socket_that_carries_nothing_starts_no_clock() {
    for carrier in TRANSPORTS {
        let mut script = script();
        let alice = reader(&mut script, carrier);
        let held = connect(&mut script, &alice, "c");
        let other = over(&mut script, &alice, SOCKET);
        let socket = script.publish_as(&other, "/other", json!(1));
        script.take(socket);

        script.close(socket);

        assert_eq!(phase(&mut script, &alice), Some(Phase::Held), "{carrier:?}");
        script.at(29_999).expect_nothing(held);
        script.publish("/news", json!(2));
        assert_eq!(script.take(held)[0], event("/news", json!(2)));
        script.expect_no_trace();
    }
}

// Proves: WS-7
#[test]
fn a_connect_that_begins_after_its_socket_is_gone_leaves_the_carrier_to_the_next_one() {
    let mut script = script();
    let alice = reader(&mut script, SOCKET);
    let first = connect_slowly(&mut script, &alice, "c", Slow::Incoming);
    script.close(first);
    unblock(&mut script, Slow::Incoming);
    let alice = over(&mut script, &alice, SOCKET);
    let socket = script.publish_as(&alice, "/elsewhere", json!(0));
    script.take(socket);

    script.publish("/news", json!(1));

    script.expect(socket, json!([event("/news", json!(1))]));
    script.expect_no_trace();
}
