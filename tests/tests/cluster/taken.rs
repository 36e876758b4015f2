//! Sessions that another engine has claimed.

use super::rig::*;
use super::*;

fn take(script: &mut Script, client: &Client, fence: u64) {
    let session = name(client);
    script.notify(Notice::Taken {
        session,
        fence: Fence(fence),
    });
}

/// The engine says how far it had come with a session that was taken.
#[track_caller]
fn parts(script: &mut Script, fence: u64, reached: u64) {
    let (ticket, request) = script.take_store();
    match request {
        StoreRequest::Part {
            fence: by, cursor, ..
        } => {
            assert_eq!((by, cursor), (Fence(fence), at(reached)));
        }
        other => panic!("{other:?}"),
    }
    script.stored(ticket, StoreReply::Done);
}

// Proves: MO-5
#[test]
fn who_has_a_session_taken_says_what_has_left() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let held = script.connect(&client);
    log(&mut script, [121]);
    script.take(held);
    log(&mut script, [122, 123]);

    take(&mut script, &client, 2);

    parts(&mut script, 2, 121);
    nothing_leaks(&mut script);
}

// Proves: CN-9
#[test]
fn a_hold_whose_session_was_taken_ends_as_a_duplicate() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({"ack": true}));
    let held = script.connect(&client);

    take(&mut script, &client, 2);

    script.expect_closed(held, CloseReason::Duplicate);
    log(&mut script, [121]);
    assert_eq!(script.try_take(held), None);
    assert!(!script.has_store_requests());
    assert_eq!(script.engine().load().sessions, 0);
    nothing_leaks(&mut script);
}

// Proves: WS-5
#[test]
fn a_socket_whose_session_was_taken_is_unbound_and_stays_open() {
    let mut script = engine(120);
    let client = own(&mut script, SOCKET, json!({}));
    let socket = script.connect(&client);

    take(&mut script, &client, 2);

    parts(&mut script, 2, 120);
    log(&mut script, [121]);
    script.after(60_000).expect_nothing(socket);
    script.send(
        socket,
        json!({"channel": "/meta/handshake", "version": "1.0"}),
    );
    done(&mut script);
    assert_eq!(script.take(socket)[0]["successful"], true);
    nothing_leaks(&mut script);
}

#[test]
fn an_older_claim_is_not_meant() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let held = script.connect(&client);

    take(&mut script, &client, 1);

    script.expect_nothing(held);
    log(&mut script, [121]);
    assert_eq!(read(&script.take(held)).0, [121]);
}

// Proves: CN-9
#[test]
fn a_connect_that_is_worked_on_as_its_session_is_taken_ends_as_a_duplicate() {
    for transport in [HTTP, SOCKET] {
        let mut script = engine(120);
        let (client, connection) =
            claim_over(&mut script, transport, record(true, 100, 105), ack(10));
        let ticket = is_read(&mut script, 110, 120);

        take(&mut script, &client, 4);

        if transport == HTTP {
            script.expect_closed(connection, CloseReason::Duplicate);
        } else {
            script.expect_nothing(connection);
            assert!(script.is_asked(connection));
        }
        script.stored(ticket, StoreReply::Entries(entries([115])));
        assert_eq!(script.try_take(connection), None);
        nothing_leaks(&mut script);
    }
}

#[test]
fn what_is_under_way_as_its_session_is_taken_is_cut_off() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let held = script.connect(&client);
    script.write_by_hand();
    log(&mut script, [121]);

    take(&mut script, &client, 2);

    script.expect_closed(held, CloseReason::Superseded);
    nothing_leaks(&mut script);
}

// Proves: MO-6
#[test]
fn a_frame_of_a_session_that_was_taken_waits_for_no_more_than_the_store() {
    let mut script = engine(120);
    let client = own(&mut script, SOCKET, json!({}));
    let session = &client.session;
    script.request(
        &client,
        json!({"channel": "/news", "clientId": session, "data": 1}),
    );
    let (ticket, _) = script.take_store();
    // Its answer waits until this engine has seen that.
    script.stored(ticket, StoreReply::Appended(at(125)));
    take(&mut script, &client, 2);
    parts(&mut script, 2, 120);

    script.request(
        &client,
        json!({"channel": "/news", "clientId": session, "data": 2}),
    );

    let (_, request) = script.take_store();
    assert!(
        matches!(request, StoreRequest::Forward { .. }),
        "{request:?}"
    );
}
