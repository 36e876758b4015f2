//! Subscriptions and the store that keeps them.

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{Config, ConnectionId, StoreReply, StoreRequest, StoreTicket};
use serde_json::json;

use bayeux_tests::talk::*;

/// A script whose test plays the store, and a connected client of it.
fn scripted() -> (Script, Client) {
    let mut script = Script::with_scripted_store(Config::default());
    let client = connected_by_hand(&mut script);
    (script, client)
}

// Proves: SU-4
#[test]
fn a_second_subscription_leaves_the_first_where_it_began() {
    let (mut script, alice) = scripted();
    let first = script.request(&alice, subscribe(&alice, json!("/a")));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
    script.take(first);

    for kept in [StoreReply::Done, StoreReply::Failed] {
        let is_kept = matches!(kept, StoreReply::Done);
        let second = script.request(&alice, subscribe(&alice, json!("/a")));
        // Only the store can say whether another engine has the session by now.
        let (ticket, _) = script.take_store();
        script.expect_nothing(second);

        script.stored(ticket, kept);

        assert_eq!(script.take(second)[0]["successful"], is_kept);
        assert!(!script.has_store_requests());
        assert_eq!(subscriptions(&mut script, &alice), ["/a"]);
    }
    script.expect_no_trace();
}

// Proves: SU-9
#[test]
fn what_is_published_after_the_subscription_was_accepted_arrives() {
    // Whether the entry comes before the store has answered the subscription, or after.
    for entry_first in [true, false] {
        let (mut script, alice) = scripted();
        script.notify(entries(1, "/a", &[0]));
        let subscribing = script.request(&alice, subscribe(&alice, json!("/a")));
        let (ticket, request) = script.take_store();
        let StoreRequest::Subscribe { since, .. } = request else {
            panic!("{request:?}")
        };
        assert_eq!(since.number(), 1);

        if entry_first {
            script.notify(entries(2, "/a", &[1]));
            script.expect_nothing(subscribing);
        }
        script.stored(ticket, StoreReply::Done);
        let mut got = script.take(subscribing).as_array().cloned().unwrap();
        if !entry_first {
            script.notify(entries(2, "/a", &[1]));
        }

        let reply = got.pop().unwrap();
        assert_eq!(reply["channel"], "/meta/subscribe");
        got.extend(events(&mut script, &alice));
        assert_eq!(got, [event("/a", json!(1))], "entry first: {entry_first}");
        script.expect_no_trace();
    }
}

// Proves: SU-9
#[test]
fn a_subscription_that_the_store_does_not_keep_is_taken_back() {
    for (answer, error) in [
        (StoreReply::Failed, "503::unavailable"),
        (StoreReply::Fenced, "403::subscribe_failed"),
    ] {
        let (mut script, alice) = scripted();
        let subscribing = script.request(&alice, subscribe(&alice, json!("/a")));
        let (ticket, _) = script.take_store();

        script.stored_or_gone(ticket, answer);

        assert_eq!(script.take(subscribing)[0]["error"], error);
        assert_eq!(subscriptions(&mut script, &alice), [""; 0]);
        script.expect_no_trace();
    }
}

/// A subscription that the store is asked to keep.
fn ask_to_keep(script: &mut Script, client: &Client) -> (ConnectionId, StoreTicket) {
    let asked = script.request(client, subscribe(client, json!("/a")));
    let (ticket, request) = script.take_store();
    assert!(
        matches!(request, StoreRequest::Subscribe { .. }),
        "{request:?}"
    );
    (asked, ticket)
}

fn done_or_failed(is_done: bool) -> StoreReply {
    if is_done {
        StoreReply::Done
    } else {
        StoreReply::Failed
    }
}

// Proves: SU-4, SU-9
#[test]
fn a_subscription_that_was_promised_is_not_taken_back_by_another_write() {
    // Which write is answered first; whether each of them is done; what is left.
    for (order, is_done, kept) in [
        ([0, 1], [false, true], &["/a"][..]),
        ([0, 1], [true, false], &["/a"]),
        ([1, 0], [false, true], &["/a"]),
        ([1, 0], [true, false], &["/a"]),
        ([0, 1], [false, false], &[]),
        ([1, 0], [false, false], &[]),
    ] {
        let (mut script, alice) = scripted();
        let asked = [
            ask_to_keep(&mut script, &alice),
            ask_to_keep(&mut script, &alice),
        ];
        for (connection, _) in asked {
            script.expect_nothing(connection);
        }

        for index in order {
            let (connection, ticket) = asked[index];
            script.stored(ticket, done_or_failed(is_done[index]));

            let told = &script.take(connection)[0]["successful"];
            assert_eq!(*told, is_done[index], "{order:?} {is_done:?}");
        }

        let held = subscriptions(&mut script, &alice);
        assert_eq!(held, kept, "{order:?} {is_done:?}");
        script.expect_no_trace();
    }
}

// Proves: SU-5, SU-9
#[test]
fn a_write_for_a_subscription_that_is_over_does_not_undo_the_next_one() {
    for (is_done, kept) in [(true, &["/a"][..]), (false, &[])] {
        let (mut script, alice) = scripted();
        let (_, first) = ask_to_keep(&mut script, &alice);
        script.request(&alice, unsubscribe(&alice, json!("/a")));
        let (forgetting, _) = script.take_store();
        let (_, again) = ask_to_keep(&mut script, &alice);

        script.stored(first, StoreReply::Failed);
        script.stored(forgetting, StoreReply::Done);
        assert_eq!(subscriptions(&mut script, &alice), ["/a"], "{is_done}");
        script.stored(again, done_or_failed(is_done));

        assert_eq!(subscriptions(&mut script, &alice), kept, "{is_done}");
        script.expect_no_trace();
    }
}
