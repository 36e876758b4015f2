//! The end of a server: everybody moves on gently, and nothing is lost (TM-11).

use core::time::Duration;

use bayeux_core::testing::event;
use bayeux_core::{
    CloseReason, DecodeLimits, Engine, Instant, Load, Messages, Output, Peer, Position, ReportKind,
    Seed, StoreReply, StoreRequest,
};
use serde_json::json;

use super::*;

const WINDOW: u64 = 2_000;

fn drain(script: &mut Script, millis: u64) {
    let over = Duration::from_millis(millis);
    script.fact(Input::Draining { over });
}

fn drained(script: &mut Script) -> usize {
    let reports = script.reports().into_iter();
    reports
        .filter(|report| *report == ReportKind::Drained)
        .count()
}

/// The advice to move on: complete, with a wait that ends within the window.
fn expect_moving_on(reply: &Value, id: &str) -> u64 {
    let advice = &reply["advice"];
    let interval = advice["interval"].as_u64().unwrap();
    assert!(interval <= WINDOW, "{reply}");
    let complete = json!({"reconnect": "retry", "interval": interval, "timeout": 30_000});
    assert_eq!(*reply, advised(id, complete));
    interval
}

// Proves: CN-6, TM-11, AD-2
#[test]
fn held_connects_are_answered_over_the_window_and_told_to_come_back_at_different_times() {
    let mut script = script();
    let clients: Vec<_> = (0..40).map(|_| script.connected()).collect();
    let held: Vec<_> = clients
        .iter()
        .map(|client| connect(&mut script, client, "c"))
        .collect();
    script.at(5_000);

    drain(&mut script, WINDOW);

    let mut answered = Vec::new();
    let mut intervals = Vec::new();
    let mut waiting = held;
    for at in (5_000..=5_000 + WINDOW).step_by(100) {
        script.at(at);
        waiting.retain(|connection| {
            let Some(reply) = script.try_take(*connection) else {
                return true;
            };
            assert!(
                script.is_last(*connection),
                "its HTTP connection is not used again"
            );
            answered.push(at);
            intervals.push(expect_moving_on(&reply[0], "c"));
            false
        });
    }
    assert_eq!(waiting, []);
    for times in [&mut answered, &mut intervals] {
        times.sort_unstable();
        times.dedup();
        assert!(times.len() > 10, "they do not all come at once: {times:?}");
    }
    assert_eq!(drained(&mut script), 1);
    assert_eq!(script.engine().load(), Load::default());
}

// Proves: TM-11
#[test]
fn connects_in_the_window_are_answered_at_once_with_the_same_advice() {
    for transport in [POLLING, CALLBACK] {
        for first in [true, false] {
            let mut script = script();
            let alice = script.handshaken_over(transport, Value::Null);
            if !first {
                script.first_connect(&alice);
            }
            drain(&mut script, WINDOW);

            let reply = connect(&mut script, &alice, "c");

            let sent = script.take(reply);
            expect_moving_on(&sent[0], "c");
            assert!(script.is_last(reply));
            script.expect_no_trace();
        }
    }
}

// Proves: TM-11
#[test]
fn an_event_in_the_window_is_delivered_with_the_same_advice() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    let held = connect(&mut script, &alice, "c");
    // The first moment at which a hold could end is drawn at random.
    script.call(Call::Batch {
        session: session(&alice),
    });
    script.publish("/news", json!(1));
    drain(&mut script, WINDOW);

    script.call(Call::Flush {
        session: session(&alice),
    });

    let sent = script.take(held);
    assert_eq!(sent[0], event("/news", json!(1)));
    expect_moving_on(&sent[1], "c");
    script.expect_no_trace();
}

// Proves: TM-11
#[test]
fn a_handshake_in_the_window_is_told_to_try_later() {
    let mut script = script();
    drain(&mut script, WINDOW);

    let handshake = script.post(json!({"id": "h", "channel": "/meta/handshake"}));

    let reply = script.take(handshake);
    assert_eq!(reply[0]["error"], json!("503::unavailable"));
    assert_eq!(reply[0]["advice"]["reconnect"], json!("handshake"));
    assert!(script.is_last(handshake));
    script.expect_no_trace();
}

// Proves: TM-11
#[test]
fn sockets_are_closed_when_the_window_ends_and_new_ones_at_once() {
    let mut script = script();
    let alice = reader(&mut script, SOCKET);
    let socket = connect(&mut script, &alice, "c");
    let stranger = script.open(SOCKET);
    drain(&mut script, WINDOW);
    let late = script.open(SOCKET);

    script.expect_closed(late, CloseReason::Shutdown);
    script.at(WINDOW - 1).publish("/news", json!(1));
    let sent = json!([script.take(socket), script.take(socket)]);
    expect_moving_on(&sent[0][0], "c");
    assert_eq!(sent[1], json!([event("/news", json!(1))]));
    assert_eq!(script.closed(socket), None);

    script.at(WINDOW);
    script.expect_closed(socket, CloseReason::Shutdown);
    script.expect_closed(stranger, CloseReason::Shutdown);
    assert_eq!(CloseReason::Shutdown.close_code(), 1001);
    script.expect_no_trace();
}

// Proves: TM-11
#[test]
fn nothing_is_taken_in_after_the_window() {
    let mut script = script();
    let alice = script.connected();
    drain(&mut script, WINDOW);
    script.at(WINDOW);

    let late = connect(&mut script, &alice, "late");

    script.expect_closed(late, CloseReason::Shutdown);
    assert_eq!(script.try_take(late), None);
    script.expect_no_trace();
}

// Proves: TM-11
#[test]
fn a_window_of_no_length_is_over_at_once() {
    let mut script = script();
    let alice = reader(&mut script, POLLING);
    let held = connect(&mut script, &alice, "c");

    drain(&mut script, 0);
    drain(&mut script, WINDOW);

    let sent = script.take(held);
    assert_eq!(expect_moving_on(&sent[0], "c"), 0);
    assert_eq!(drained(&mut script), 1);
    script.expect_no_trace();
    assert_eq!(drained(&mut script), 0, "it is said once");
}

// Proves: TM-11
#[test]
fn a_connect_that_is_worked_on_when_the_window_ends_fails_and_comes_back_elsewhere() {
    for slow in SLOWNESS {
        for transport in TRANSPORTS {
            let mut script = script();
            let alice = slow_client(&mut script, transport, slow);
            let worked_on = connect_slowly(&mut script, &alice, "c", slow);
            drain(&mut script, 1_000);

            script.at(1_000);

            script.expect_closed(worked_on, CloseReason::Shutdown);
            assert_eq!(drained(&mut script), 1, "{slow:?} {transport:?}");
            unblock(&mut script, slow);
            assert_eq!(script.try_take(worked_on), None);
            script.expect_no_trace();
        }
    }
}

// Proves: TM-11
#[test]
fn sessions_are_given_back_with_their_place_in_the_log_before_the_end_is_reported() {
    let mut script = Script::with_scripted_store(Config::default());
    let handshake = script.post(json!({"id": "h", "channel": "/meta/handshake"}));
    let (ticket, open) = script.take_store();
    let StoreRequest::Open(record) = open else {
        panic!("{open:?}")
    };
    script.stored(ticket, StoreReply::Done).take(handshake);
    drain(&mut script, WINDOW);

    script.at(WINDOW);

    let (ticket, release) = script.take_store();
    let StoreRequest::Release {
        session,
        fence,
        cursor,
    } = release
    else {
        panic!("{release:?}")
    };
    assert_eq!((session, fence), (record.session, record.fence));
    assert_eq!(cursor, Position::ZERO);
    assert_eq!(drained(&mut script), 0);
    script.stored(ticket, StoreReply::Done);
    assert_eq!(drained(&mut script), 1);
    script.expect_no_trace();
}

// Proves: TM-11
#[test]
fn a_store_that_does_not_answer_does_not_keep_the_server() {
    let mut script = script();
    script.connected();
    script.stall_store();
    drain(&mut script, WINDOW);

    script.at(WINDOW);
    assert_eq!(drained(&mut script), 0);
    script.after(5_000);

    assert_eq!(drained(&mut script), 1);
    script.expect_no_trace();
}

// Proves: TM-11, DC-5
#[test]
fn the_end_is_reported_once_the_last_events_of_a_disconnected_session_have_landed() {
    for arrives in [true, false] {
        let mut script = script();
        let alice = reader(&mut script, POLLING);
        let held = connect(&mut script, &alice, "c");
        script.write_by_hand();
        script.publish("/news", json!(1));
        let session = session(&alice);
        script.call(Call::Disconnect { session });

        drain(&mut script, 0);

        assert_eq!(drained(&mut script), 0);
        if arrives {
            script.written(held);
        } else {
            script.after(1_000);
            script.expect_closed(held, CloseReason::Shutdown);
        }
        assert_eq!(drained(&mut script), 1);
        script.expect_no_trace();
    }
}

// Proves: TM-11
#[test]
fn a_handshake_that_the_store_keeps_too_late_is_undone() {
    let mut script = Script::with_scripted_store(Config::default());
    let handshake = script.post(json!({"id": "h", "channel": "/meta/handshake"}));
    let (ticket, open) = script.take_store();
    drain(&mut script, WINDOW);
    script.at(WINDOW);

    script.stored(ticket, StoreReply::Done);

    let reply = script.take(handshake);
    assert_eq!(reply[0]["error"], "503::unavailable");
    let (_, end) = script.take_store();
    let (StoreRequest::Open(record), StoreRequest::End { session, .. }) = (&open, &end) else {
        panic!("{open:?} {end:?}")
    };
    assert_eq!(record.session, *session);
    assert_eq!(script.engine().load().sessions, 0);
}

// Proves: TM-11
#[test]
fn what_was_ready_before_the_window_is_not_the_last_on_its_connection() {
    let mut engine = Engine::new(Config::default(), Seed::new([7; 32]));
    let now = Instant::from_epoch(Duration::from_secs(1));
    let connection = ConnectionId::new(1);
    let messages = Messages::decode(r#"{"id":"a"}"#, &DecodeLimits::default()).unwrap();
    engine.handle(
        now,
        Input::Opened {
            connection,
            transport: POLLING,
            peer: Peer::default(),
        },
    );
    engine.handle(
        now,
        Input::Received {
            connection,
            messages,
        },
    );

    // Before anybody asks for what is ready.
    engine.handle(
        now,
        Input::Draining {
            over: Duration::from_millis(WINDOW),
        },
    );

    let sent = std::iter::from_fn(|| engine.poll_output()).find_map(|output| {
        let Output::Send { batch, .. } = output else {
            return None;
        };
        Some(batch.is_last())
    });
    assert_eq!(sent, Some(false));
}

// Proves: DE-7
#[test]
fn a_connection_of_the_applications_own_is_the_applications_to_close() {
    let mut script = script();
    let (connection, _) = script.open_local();

    drain(&mut script, 0);

    assert_eq!(script.closed(connection), None);
}
