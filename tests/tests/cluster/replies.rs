//! What the store refuses, or says too late.

use super::rig::*;
use super::*;

#[test]
fn what_a_fence_refuses_is_undone() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let publish = script.publish_as(&client, "/news", json!(0));
    let (ticket, request) = script.take_store();
    assert!(matches!(
        request,
        StoreRequest::Append(entry) if entry.fence == Some(Fence(1))
    ));
    script.stored(ticket, StoreReply::Fenced);
    assert_eq!(script.take(publish)[0]["error"], "402::session_unknown");

    let exchange = script.request(&client, subscribe(&client, "/more"));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Fenced);
    assert_eq!(script.take(exchange)[0]["error"], "403::subscribe_failed");
    let held = script.connect(&client);
    script.notify(Notice::Entries(vec![Entry {
        to: Destination::Channel("/more".parse().unwrap()),
        ..entry(121)
    }]));
    script.expect_nothing(held);

    let exchange = script.post(json!({
        "channel": "/meta/unsubscribe", "clientId": client.session, "subscription": "/news",
    }));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Fenced);
    assert_eq!(script.take(exchange)[0]["error"], "403::unsubscribe_failed");
    nothing_leaks(&mut script);
}

#[test]
fn an_engine_says_how_far_it_has_seen_and_whether_it_has_its_store() {
    let mut script = engine(120);
    assert_eq!(
        (script.engine().seen(), script.engine().has_store()),
        (at(120), true)
    );

    log(&mut script, [121, 122]);
    script.notify(Notice::Down);
    assert_eq!(
        (script.engine().seen(), script.engine().has_store()),
        (at(122), false)
    );

    script.notify(Notice::Up { position: at(122) });
    assert!(script.engine().has_store());
}

// Proves: ER-7
#[test]
fn a_store_that_does_not_answer_in_time_is_away() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let publish = script.publish_as(&client, "/news", json!(0));
    let (append, _) = script.take_store();
    let exchange = script.request(&client, subscribe(&client, "/more"));
    let (remember, _) = script.take_store();

    script.after(4_999).expect_nothing(publish);
    script.after(1);

    for exchange in [publish, exchange] {
        let reply = script.take(exchange);
        assert_eq!(reply[0]["error"], "503::unavailable");
        assert_eq!(reply[0].get("advice"), None);
    }
    // Too late is not at all.
    script.stored(append, StoreReply::Appended(at(121)));
    script.stored(remember, StoreReply::Done);
    assert_eq!(script.engine().counters().facts_ignored, 2);
    nothing_leaks(&mut script);
}

// Proves: ER-7
#[test]
fn a_session_that_could_not_be_opened_in_time_is_ended() {
    let mut script = engine(120);
    let exchange = script.post(json!({"channel": "/meta/handshake", "version": "1.0"}));
    let (_, request) = script.take_store();
    let StoreRequest::Open(record) = request else {
        panic!("{request:?}")
    };

    script.after(5_000);

    let reply = script.take(exchange);
    assert_eq!(reply[0]["error"], "503::unavailable");
    assert_eq!(reply[0]["advice"]["reconnect"], "handshake");
    assert_eq!(script.cookie(exchange), None);
    let (_, request) = script.take_store();
    assert!(matches!(request, StoreRequest::End { session, .. } if session == record.session));
    nothing_leaks(&mut script);
}
