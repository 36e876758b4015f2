//! The end of a session by the will of one side, in every race with its connect (CN-12, DC).

use bayeux_core::testing::event;
use bayeux_core::{CloseReason, Removal, ReportKind};
use bayeux_tests::talk::messages;
use serde_json::json;

use super::*;

/// The news of a disconnect by the server.
fn ended() -> Value {
    json!({"channel": "/meta/disconnect", "successful": true})
}

fn removals(script: &mut Script) -> Vec<Removal> {
    let removal = |report| match report {
        ReportKind::SessionRemoved(_, removal) => Some(removal),
        _ => None,
    };
    script.reports().into_iter().filter_map(removal).collect()
}

/// The connect after the end: the session is not there.
fn expect_gone(script: &mut Script, client: &Client) {
    let late = connect(script, client, "late");
    script.expect(late, json!([unknown("late", begin_anew())]));
}

// Proves: CN-6, CN-12, DC-1
#[test]
fn a_disconnect_releases_the_held_connect_whatever_each_came_by() {
    for held_over in TRANSPORTS {
        for ended_over in TRANSPORTS {
            let mut script = script();
            let alice = reader(&mut script, held_over);
            let held = connect(&mut script, &alice, "c");
            let again = over(&mut script, &alice, ended_over);

            let bye = disconnect(&mut script, &again);

            script.expect(held, json!([advised("c", stop())]));
            script.expect(bye, goodbye());
            assert_eq!(removals(&mut script), [Removal::Disconnected]);
            let poller = over(&mut script, &alice, POLLING);
            expect_gone(&mut script, &poller);
            script.expect_no_trace();
        }
    }
}

// Proves: CN-12, DC-1
#[test]
fn on_one_socket_both_are_answered() {
    let mut script = script();
    let alice = reader(&mut script, SOCKET);
    let socket = connect(&mut script, &alice, "c");

    disconnect(&mut script, &alice);

    let sent = json!([script.take(socket), script.try_take(socket)]).to_string();
    assert!(sent.contains(&advised("c", stop()).to_string()), "{sent}");
    assert!(sent.contains(&goodbye()[0].to_string()), "{sent}");
    expect_gone(&mut script, &alice);
    script.expect_no_trace();
}

// Proves: CN-12, AD-6
#[test]
fn a_connect_that_is_worked_on_is_refused_for_good_when_the_disconnect_wins() {
    for slow in SLOWNESS {
        for connects_over in TRANSPORTS {
            for ended_over in TRANSPORTS {
                let mut script = script();
                let alice = slow_client(&mut script, connects_over, slow);
                let worked_on = connect_slowly(&mut script, &alice, "c", slow);
                let again = over(&mut script, &alice, ended_over);

                let bye = disconnect(&mut script, &again);
                if slow == Slow::Outgoing && worked_on != bye {
                    script.expect_nothing(worked_on);
                }
                unblock(&mut script, slow);

                script.expect(bye, goodbye());
                script.expect(worked_on, json!([unknown("c", stop())]));
                assert_eq!(removals(&mut script), [Removal::Disconnected]);
                script.expect_no_trace();
            }
        }
    }
}

// Proves: CN-12
#[test]
fn a_connect_that_waits_behind_another_message_is_refused_for_good_too() {
    let mut script = script();
    let alice = script.connected();
    let publish = bayeux_core::Operations {
        publish: true,
        ..<_>::default()
    };
    ask(&mut script, Role::Policy(publish));
    let id = &alice.session;
    let batch = script.post(json!([
        {"id": "p", "channel": "/a", "clientId": id, "data": 1},
        {"id": "c", "channel": "/meta/connect", "clientId": id, "connectionType": "long-polling"},
    ]));
    let bye = disconnect(&mut script, &alice);

    script.decide(bayeux_core::Verdict::Allow);

    script.expect(bye, goodbye());
    let replies = script.take(batch);
    assert_eq!(replies[1], unknown("c", stop()));
    script.expect_no_trace();
}

// Proves: CN-10, CN-12, DC-2
#[test]
fn a_connect_after_the_end_is_told_to_begin_anew() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = script.connected_over(transport, Value::Null);
        let bye = disconnect(&mut script, &alice);
        script.expect(bye, goodbye());

        expect_gone(&mut script, &alice);

        let again = disconnect(&mut script, &alice);
        let refused = json!([{
            "id": "bye", "channel": "/meta/disconnect", "successful": false,
            "error": "402::session_unknown",
        }]);
        script.expect(again, refused);
        script.expect_no_trace();
    }
}

// Proves: DC-1, DC-6
#[test]
fn every_socket_that_has_lost_its_session_stays_for_five_seconds() {
    for (held_over, ended_over) in [(SOCKET, POLLING), (POLLING, SOCKET), (SOCKET, SOCKET)] {
        let mut script = script();
        let alice = script.connected_over(held_over, Value::Null);
        connect(&mut script, &alice, "c");
        let again = over(&mut script, &alice, ended_over);
        disconnect(&mut script, &again);
        let sockets = [alice.socket, again.socket].into_iter().flatten();

        for socket in sockets {
            assert_eq!(script.at(4_999).closed(socket), None);
        }

        script.at(5_000);
        for socket in [alice.socket, again.socket].into_iter().flatten() {
            script.expect_closed(socket, CloseReason::Idle);
        }
        script.expect_no_trace();
    }
}

// Proves: DC-6
#[test]
fn a_handshake_in_these_five_seconds_keeps_the_socket() {
    let mut script = script();
    let alice = script.connected_over(SOCKET, Value::Null);
    disconnect(&mut script, &alice);
    let socket = alice.socket.unwrap();
    script.take(socket);

    script
        .at(4_000)
        .send(socket, json!({"id": "h", "channel": "/meta/handshake"}));

    let reply = script.take(socket);
    let session = reply[0]["clientId"].as_str().unwrap().to_string();
    let bob = Client { session, ..alice };
    connect(&mut script, &bob, "c");
    script.expect(socket, json!([advised("c", retry())]));
    connect(&mut script, &bob, "d");
    script.at(10_000).expect_nothing(socket);
    script.expect_no_trace();
}

// Proves: DC-3
#[test]
fn what_waits_goes_with_the_answer_to_the_disconnect() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    script.publish("/news", json!(1));

    let bye = disconnect(&mut script, &alice);

    script.expect(bye, json!([event("/news", json!(1)), goodbye()[0]]));
    script.expect_no_trace();
}

// Proves: DC-3
#[test]
fn what_waits_is_dropped_and_counted_where_such_an_answer_carries_no_events() {
    let mut script = script();
    let alice = reader(&mut script, CALLBACK);
    script.publish("/news", json!(1));

    let bye = disconnect(&mut script, &alice);

    script.expect(bye, goodbye());
    assert_eq!(script.engine().counters().events_discarded, 1);
    script.expect_no_trace();
}

// Proves: DC-4
#[test]
fn messages_before_the_disconnect_of_a_batch_count_and_those_after_it_do_not() {
    let mut script = script();
    let alice = script.connected();
    let bob = reader(&mut script, POLLING);
    let held = connect(&mut script, &bob, "c");
    let id = &alice.session;

    let batch = script.post(json!([
        {"id": "1", "channel": "/news", "clientId": id, "data": "last words"},
        {"id": "2", "channel": "/meta/disconnect", "clientId": id},
        {"id": "3", "channel": "/news", "clientId": id, "data": "from the grave"},
    ]));

    let refused = json!({
        "id": "3", "channel": "/news", "successful": false, "error": "402::session_unknown",
    });
    let replies = script.take(batch);
    assert_eq!(replies[0]["successful"], json!(true));
    assert_eq!(replies[1], goodbye_to("2"));
    assert_eq!(replies[2], refused);
    script.expect(
        held,
        json!([event("/news", json!("last words")), connected("c")]),
    );
    script.expect_no_trace();
}

fn goodbye_to(id: &str) -> Value {
    json!({"id": id, "channel": "/meta/disconnect", "successful": true})
}

/// The server disconnects a session to which it has just sent an event.
fn dismiss(script: &mut Script, client: &Client) {
    let delivered = deliver(script, client, "/notice", json!("bye"));
    assert!(
        matches!(delivered, CallResult::Appended(_)),
        "{delivered:?}"
    );
    let session = session(client);
    assert_eq!(script.call(Call::Disconnect { session }), CallResult::Done);
}

/// What a session that is dismissed is told with the connect `id`.
fn dismissed(id: &str) -> [Value; 3] {
    [event("/notice", json!("bye")), ended(), advised(id, stop())]
}

// Proves: CN-6, DC-5
#[test]
fn the_server_ends_a_session_whose_connect_is_held() {
    for transport in TRANSPORTS {
        for ack in [Value::Null, json!({"ack": true})] {
            let mut script = script();
            let alice = script.connected_over(transport, ack.clone());
            script.call(Call::Batch {
                session: session(&alice),
            });
            let held = connect(&mut script, &alice, "c");
            script.expect_nothing(held);

            dismiss(&mut script, &alice);

            assert_eq!(
                messages(&mut script, held),
                dismissed("c"),
                "{transport:?} {ack}"
            );
            assert_eq!(removals(&mut script), [Removal::DisconnectedByServer]);
            expect_gone(&mut script, &alice);
            script.expect_no_trace();
        }
    }
}

// Proves: DC-5
#[test]
fn a_polling_session_between_two_connects_hears_of_its_end_with_the_next() {
    for transport in [POLLING, CALLBACK] {
        for has_connected in [false, true] {
            let mut script = script();
            let alice = script.handshaken_over(transport, Value::Null);
            if has_connected {
                script.first_connect(&alice);
            }

            dismiss(&mut script, &alice);

            assert_eq!(removals(&mut script), [Removal::DisconnectedByServer]);
            let next = connect(&mut script, &alice, "c");
            script.expect(next, json!(dismissed("c")));
            expect_gone(&mut script, &alice);
            script.expect_no_trace();
        }
    }
}

// Proves: DC-5
#[test]
fn what_the_last_answer_carries_is_counted_when_its_socket_closes_before_it() {
    let mut script = script();
    let alice = script.connected_over(SOCKET, json!({"ack": true}));
    let socket = alice.socket.unwrap();
    script.write_by_hand();
    script.publish_as(&alice, "/elsewhere", json!(0));
    deliver(&mut script, &alice, "/notice", json!("soon"));
    dismiss(&mut script, &alice);
    connect(&mut script, &alice, "c");
    assert_eq!(script.engine().counters().events_discarded, 0);

    script.close(socket);

    assert_eq!(script.engine().counters().events_discarded, 2);
    script.expect_no_trace();
}

// Proves: DC-5, DC-6
#[test]
fn a_socket_hears_of_the_end_at_once_or_with_the_next_connect() {
    for ack in [Value::Null, json!({"ack": true})] {
        let mut script = script();
        let alice = script.connected_over(SOCKET, ack.clone());
        let socket = alice.socket.unwrap();

        dismiss(&mut script, &alice);

        let mut sent = messages(&mut script, socket);
        if ack.is_null() {
            assert_eq!(sent, [event("/notice", json!("bye")), ended()]);
        } else {
            assert_eq!(sent, [] as [Value; 0]);
            connect(&mut script, &alice, "c");
            sent = messages(&mut script, socket);
            assert_eq!(sent, dismissed("c"));
        }
        script.at(5_000).expect_closed(socket, CloseReason::Idle);
        script.expect_no_trace();
    }
}

// Proves: CN-12, DC-5
#[test]
fn a_connect_that_is_worked_on_takes_along_what_the_server_says_last() {
    for slow in SLOWNESS {
        for transport in TRANSPORTS {
            let mut script = script();
            let alice = slow_client(&mut script, transport, slow);
            // What is held back for a batch waits also where a socket would take it at once.
            script.call(Call::Batch {
                session: session(&alice),
            });
            let worked_on = connect_slowly(&mut script, &alice, "c", slow);

            dismiss(&mut script, &alice);
            unblock(&mut script, slow);

            let sent = messages(&mut script, worked_on);
            assert_eq!(sent, dismissed("c"), "{slow:?} {transport:?}");
            assert_eq!(removals(&mut script), [Removal::DisconnectedByServer]);
            expect_gone(&mut script, &alice);
            script.expect_no_trace();
        }
    }
}

// Proves: DC-5
#[test]
fn a_dismissed_client_that_never_comes_back_leaves_nothing() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);

    dismiss(&mut script, &alice);

    assert!(!lives(&mut script, &alice), "to the application it is gone");
    assert_eq!(script.engine().load().sessions, 1, "its last events wait");
    assert_eq!(script.engine().counters().sessions_removed, 1);
    script.at(10_000);
    assert_eq!(script.engine().counters().sessions_removed, 1);
    assert_eq!(removals(&mut script), [Removal::DisconnectedByServer]);
    script.expect_no_trace();
}

// Proves: DC-7
#[test]
fn a_dismissed_session_accepts_nothing_more() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    dismiss(&mut script, &alice);

    script.publish("/news", json!("too late"));
    let delivered = deliver(&mut script, &alice, "/notice", json!("too late"));
    let again = script.call(Call::Disconnect {
        session: session(&alice),
    });
    let published = script.publish_as(&alice, "/other", json!(1));

    assert_eq!(
        (delivered, again),
        (CallResult::Unknown, CallResult::Unknown)
    );
    assert_eq!(
        script.take(published)[0]["error"],
        json!("402::session_unknown")
    );
    let next = connect(&mut script, &alice, "c");
    script.expect(next, json!(dismissed("c")));
    script.expect_no_trace();
}

// Proves: DC-7
#[test]
fn nor_does_a_dismissed_session_subscribe_unsubscribe_or_say_goodbye() {
    for operation in ["subscribe", "unsubscribe", "disconnect"] {
        let mut script = script();
        let alice = reader(&mut script, POLLING);
        dismiss(&mut script, &alice);
        let channel = format!("/meta/{operation}");

        let answered = script.post(json!({
            "id": "m", "channel": channel, "clientId": alice.session, "subscription": "/news",
        }));

        let reply = script.take(answered);
        assert_eq!(
            reply[0]["error"],
            json!("402::session_unknown"),
            "{channel}"
        );
        let next = connect(&mut script, &alice, "c");
        script.expect(next, json!(dismissed("c")));
        script.expect_no_trace();
    }
}

// Proves: DC-6
#[test]
fn an_exchange_without_session_is_not_closed_while_it_is_written() {
    let mut script = script();
    let alice = script.connected();
    script.write_by_hand();
    let bye = disconnect(&mut script, &alice);

    script.at(60_000);

    assert_eq!(script.closed(bye), None);
    script.written(bye).expect(bye, goodbye());
    script.expect_no_trace();
}

// Proves: DC-3
#[test]
fn what_goes_with_an_answer_is_counted_when_that_cannot_leave_any_more() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    script.publish("/news", json!(1));
    script.stall_store();
    let bye = disconnect(&mut script, &alice);

    script.close(bye).resume_store();

    assert_eq!(script.engine().counters().events_discarded, 1);
    script.expect_no_trace();
}

// Proves: DC-5, TM-6
#[test]
fn what_a_dismissed_session_says_does_not_lengthen_its_life() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    dismiss(&mut script, &alice);
    ask(&mut script, Role::Incoming);
    script.at(5_000);
    let published = script.publish_as(&alice, "/other", json!(1));

    script.at(8_000).decide(bayeux_core::Verdict::Allow);

    assert_eq!(
        script.take(published)[0]["error"],
        json!("402::session_unknown")
    );
    script.at(9_999);
    assert_eq!(script.engine().load().sessions, 1);
    script.at(10_000);
    assert_eq!(script.engine().load().sessions, 0);
    script.expect_no_trace();
}
