//! A newer connect ends the one before it, whatever that one was doing (CN-9).

use bayeux_core::testing::event;
use bayeux_core::{CloseReason, Phase};
use serde_json::json;

use super::*;

/// What becomes of the connection of an overtaken connect.
fn expect_overtaken(script: &mut Script, connection: ConnectionId, transport: Transport) {
    if transport.is_exchange() {
        script.expect_closed(connection, CloseReason::Duplicate);
        assert_eq!(
            script.try_take(connection),
            None,
            "it fails, and says nothing"
        );
    } else {
        script.expect_nothing(connection);
        assert!(script.is_asked(connection), "the socket goes on");
    }
}

// Proves: CN-1, CN-9
#[test]
fn a_held_connect_ends_as_its_own_transport_demands_when_a_newer_one_comes() {
    for older in TRANSPORTS {
        for newer in TRANSPORTS {
            let mut script = script();
            let alice = reader(&mut script, older);
            let before = connect(&mut script, &alice, "older");
            let again = over(&mut script, &alice, newer);

            let after = connect(&mut script, &again, "newer");

            expect_overtaken(&mut script, before, older);
            assert_eq!(phase(&mut script, &alice), Some(Phase::Held));
            script.publish("/news", json!(1));
            assert_eq!(
                script.take(after)[0],
                event("/news", json!(1)),
                "{older:?} {newer:?}"
            );
            if older == SOCKET {
                script.expect_nothing(before);
            }
            script.expect_no_trace();
        }
    }
}

// Proves: CN-9, WS-9
#[test]
fn on_one_socket_the_older_connect_is_forgotten_and_the_newer_one_answered_once() {
    let mut script = script();
    let alice = reader(&mut script, SOCKET);
    let socket = connect(&mut script, &alice, "older");
    connect(&mut script, &alice, "newer");

    script.after(30_000);

    script
        .expect(socket, json!([connected("newer")]))
        .expect_nothing(socket);
    script.expect_no_trace();
}

// Proves: CN-9, TM-8
#[test]
fn a_connect_that_is_worked_on_is_overtaken_like_a_held_one() {
    for slow in SLOWNESS {
        for older in TRANSPORTS {
            for newer in TRANSPORTS {
                let mut script = script();
                let alice = slow_client(&mut script, older, slow);
                let before = connect_slowly(&mut script, &alice, "older", slow);
                let again = over(&mut script, &alice, newer);
                let what = format!("{slow:?} {older:?} {newer:?}");

                let after = connect(&mut script, &again, "newer");

                if older.is_exchange() {
                    script.expect_closed(before, CloseReason::Duplicate);
                }
                assert_eq!(phase(&mut script, &alice), Some(Phase::Held), "{what}");
                assert_eq!(script.engine().counters().connects_overtaken, 1, "{what}");
                unblock(&mut script, slow);
                expect_overtaken(&mut script, before, older);
                assert_eq!(phase(&mut script, &alice), Some(Phase::Held), "{what}");
                script.expect_nothing(after);
                script
                    .after(30_000)
                    .expect(after, json!([connected_as(&again, &alice, slow)]));
                script.expect_no_trace();
            }
        }
    }
}

/// The reply to `newer`: with advice if the transport has changed (AD-3).
fn connected_as(now: &Client, before: &Client, slow: Slow) -> Value {
    let mut reply = if now.transport == before.transport {
        connected("newer")
    } else {
        advised("newer", retry())
    };
    if slow == Slow::Log {
        reply["ext"] = json!({"ack": 0});
    }
    reply
}

// Proves: CN-9, TM-8
#[test]
fn two_connects_that_are_worked_on_end_the_same_whichever_is_decided_first() {
    for (role, older_first) in [
        (Role::Incoming, true),
        (Role::Incoming, false),
        (Role::Outgoing, true),
        (Role::Outgoing, false),
    ] {
        for newer in TRANSPORTS {
            let mut script = script();
            let alice = script.connected();
            let again = over(&mut script, &alice, newer);
            ask(&mut script, role.clone());
            let before = connect(&mut script, &alice, "older");
            let after = connect(&mut script, &again, "newer");
            ask_nobody(&mut script);
            let mut tickets = [script.take_question().0, script.take_question().0];
            if !older_first {
                tickets.reverse();
            }

            for ticket in tickets {
                let verdict = bayeux_core::Verdict::Allow;
                script.fact(Input::Decided { ticket, verdict });
            }

            script.expect_closed(before, CloseReason::Duplicate);
            assert_eq!(script.try_take(before), None);
            script.expect_nothing(after);
            assert_eq!(
                phase(&mut script, &alice),
                Some(Phase::Held),
                "{role:?} {newer:?}"
            );
            script.after(30_000).take(after);
            script.expect_no_trace();
        }
    }
}

// Proves: CN-9, CN-15, QU-9
#[test]
fn events_in_flight_with_the_older_answer_go_with_the_newer_connect() {
    for older in TRANSPORTS {
        for newer in TRANSPORTS {
            let mut script = script();
            let alice = reader(&mut script, older);
            let before = connect(&mut script, &alice, "older");
            script.write_by_hand().publish("/news", json!(1));
            script.take(before);
            let again = over(&mut script, &alice, newer);

            let after = connect(&mut script, &again, "newer");

            script.expect_closed(before, CloseReason::Superseded);
            assert_eq!(
                script.take(after)[0],
                event("/news", json!(1)),
                "{older:?} {newer:?}"
            );
            script.written(after);
            assert_eq!(
                script.try_take(after).and_then(|rest| rest.get(1).cloned()),
                None
            );
            assert_eq!(view(&mut script, &alice).unwrap().queued, (0, 0));
            script.expect_no_trace();
        }
    }
}

// Proves: TM-8
#[test]
fn an_overtaken_answer_that_is_written_late_does_not_move_the_clock() {
    for newer in TRANSPORTS {
        let mut script = script();
        let alice = script.connected();
        script.write_by_hand();
        let before = connect_briefly(&mut script, &alice, "older");
        let again = over(&mut script, &alice, newer);
        let after = connect_briefly(&mut script, &again, "newer");
        script.at(1_000).written(after);

        script.at(9_000).written(before);

        script.at(10_999);
        assert!(lives(&mut script, &alice));
        script.at(11_000);
        assert!(!lives(&mut script, &alice), "{newer:?}");
        script.expect_no_trace();
    }
}

// Proves: CN-9
#[test]
fn an_overtaken_connect_is_counted_once_and_takes_nothing() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    connect(&mut script, &alice, "1");
    connect(&mut script, &alice, "2");
    let third = connect(&mut script, &alice, "3");

    script.publish("/news", json!("once"));

    script.expect(
        third,
        json!([event("/news", json!("once")), connected("3")]),
    );
    let counters = *script.engine().counters();
    assert_eq!(
        (counters.connects_overtaken, counters.connects_held),
        (2, 3)
    );
    assert_eq!((counters.events_written, counters.events_requeued), (1, 0));
    script.expect_no_trace();
}

// Proves: CN-9
#[test]
fn the_status_for_a_duplicate_is_the_configured_one() {
    assert_eq!(CloseReason::Duplicate.http_status(500), 500);
    assert_eq!(CloseReason::Duplicate.http_status(409), 409);
    assert_eq!(CloseReason::Superseded.http_status(409), 409);
}

// Proves: CN-9, WS-10
#[test]
fn the_older_socket_stays_usable_and_carries_nothing() {
    let mut script = script();
    let alice = reader(&mut script, SOCKET);
    let before = connect(&mut script, &alice, "older");
    let again = over(&mut script, &alice, SOCKET);
    let after = connect(&mut script, &again, "newer");

    script.publish_as(&alice, "/news", json!("from the older"));

    let reply = script.take(before);
    assert_eq!(reply[0]["successful"], json!(true));
    assert_eq!(reply.as_array().map(Vec::len), Some(1));
    script.expect(after, json!([event("/news", json!("from the older"))]));
    script.expect_nothing(before);
    script.expect_no_trace();
}

// Proves: WS-10
#[test]
fn a_socket_does_not_take_over_while_a_polling_connect_is_worked_on() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    let held = connect_slowly(&mut script, &alice, "c", Slow::Outgoing);
    let other = over(&mut script, &alice, SOCKET);
    script.publish_as(&other, "/other", json!(1));
    script.take(other.socket.unwrap());
    unblock(&mut script, Slow::Outgoing);

    script.publish("/news", json!(1)).publish("/news", json!(2));

    script.expect(held, json!([event("/news", json!(1)), connected("c")]));
    script.expect_nothing(other.socket.unwrap());
    script.expect_no_trace();
}
