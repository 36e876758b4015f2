//! Letting go of sessions.

use super::rig::*;
use super::*;

// Proves: TM-11
#[test]
fn a_session_is_released_where_its_client_stands() {
    let mut script = engine(120);
    let reader = own(&mut script, HTTP, json!({"ack": true}));
    let poller = own(&mut script, HTTP, json!({}));
    let idle = own(&mut script, HTTP, json!({}));
    let now = |number| json!({"ext": {"ack": number}, "advice": {"timeout": 0}});
    let unsubscribe = json!({
        "channel": "/meta/unsubscribe", "clientId": idle.session, "subscription": "/news",
    });
    let exchange = script.request(&idle, unsubscribe);
    done(&mut script);
    script.take(exchange);
    log(&mut script, [121, 122]);
    for client in [&reader, &poller] {
        let connection = script.connect_with(client, now(0));
        assert_eq!(read(&script.take(connection)).0, [121, 122]);
    }
    let connection = script.connect_with(&reader, now(1));
    script.take(connection);
    log(&mut script, [123, 124]);

    drain(&mut script, 2_000);
    script.after(2_000);

    let mut cursors = released(&mut script);
    cursors.sort();
    let mut wanted = [
        (name(&reader), at(121)), // acknowledged
        (name(&poller), at(122)), // written
        (name(&idle), at(124)),   // seen
    ];
    wanted.sort();
    assert_eq!(cursors, wanted);
    assert_eq!(script.engine().load().sessions, 0);
    nothing_leaks(&mut script);
}

// Proves: TM-11
#[test]
fn what_leaves_with_the_last_reply_is_not_released_as_unsent() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let held = script.connect(&client);
    script.notify(Notice::Entries(vec![Entry {
        laziness: Laziness::Lazy,
        ..entry(121)
    }]));
    script.write_by_hand();

    // The driver comes late: hold and window end in the same turn.
    drain(&mut script, 1_000);
    script.oversleep(2_000);

    assert_eq!(read(&script.take(held)).0, [121]);
    assert_eq!(released(&mut script), []);
    script.written(held);
    assert_eq!(released(&mut script), [(name(&client), at(121))]);
    let load = script.engine().load();
    assert_eq!(load.timers, load.channels, "nothing but idle channels");
    nothing_leaks(&mut script);
}

// Proves: TM-11
#[test]
fn what_was_under_way_and_did_not_arrive_is_released_as_unsent() {
    for transport in [HTTP, SOCKET] {
        let mut script = engine(120);
        let client = own(&mut script, transport, json!({}));
        let carrier = script.connect(&client);
        script.write_by_hand();
        log(&mut script, [121, 122]);

        drain(&mut script, 1_000);
        if transport == HTTP {
            script.after(1_000);
            assert_eq!(released(&mut script), []);
            script.close(carrier);
        } else {
            script.after(1_000); // the engine closes the socket itself
        }

        assert_eq!(released(&mut script), [(name(&client), at(120))]);
        let reports = script.reports();
        assert!(reports.contains(&ReportKind::Drained));
        nothing_leaks(&mut script);
    }
}

// Proves: TM-11
#[test]
fn a_shutdown_waits_a_second_at_most_for_what_is_in_flight() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let carrier = script.connect(&client);
    script.write_by_hand();
    log(&mut script, [121]);

    drain(&mut script, 1_000);
    script.after(1_999);
    assert_eq!(released(&mut script), []);
    assert!(!script.reports().contains(&ReportKind::Drained));
    script.after(1);

    script.expect_closed(carrier, CloseReason::Shutdown);
    assert_eq!(released(&mut script), [(name(&client), at(120))]);
    assert!(script.reports().contains(&ReportKind::Drained));
    nothing_leaks(&mut script);
}

// Proves: TM-11
#[test]
fn an_engine_that_has_let_go_claims_nothing_back() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    drain(&mut script, 1_000);
    script.after(1_000);
    assert_eq!(released(&mut script), [(name(&client), at(120))]);

    let connection = script.connect(&client);

    script.expect_closed(connection, CloseReason::Shutdown);
    assert!(!script.has_store_requests());
    nothing_leaks(&mut script);
}

// Proves: TM-11
#[test]
fn what_is_still_read_as_a_session_is_let_go_of_is_read_by_the_next() {
    for newer in [false, true] {
        let mut script = engine(120);
        let record = released_at(110, record(false, 100, 105));
        claim(&mut script, record, json!({}));
        is_read(&mut script, 110, 120);
        if newer {
            log(&mut script, [121]);
        }

        drain(&mut script, 0);

        assert_eq!(released(&mut script), [(session_id(), at(110))]);
    }
}
