//! What a message changes about who receives takes effect behind what its session has published before.

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Config, Fence, Notice, Phase, Position, StoreReply, StoreRequest, StoreTicket, Transport,
};
use serde_json::{Value, json};

use bayeux_tests::talk::*;

const TRANSPORTS: [Transport; 2] = [Transport::LongPolling, Transport::WebSocket];

/// A client with a subscription to `/a`.
fn subscriber(transport: Transport) -> (Script, Client) {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(transport, Value::Null);
    ask(&mut script, &alice, subscribe(&alice, json!("/a")));
    (script, alice)
}

/// Everything that comes for a request of `client`, frame by frame.
fn all(script: &mut Script, client: &Client, frame: Value) -> Vec<Value> {
    let connection = script.request(client, frame);
    messages(script, connection)
}

fn unsubscribed(channel: &str) -> Value {
    json!({"channel": "/meta/unsubscribe", "id": "m", "successful": true, "subscription": channel})
}

// Proves: MO-6, PB-8
#[test]
fn what_is_published_before_an_unsubscribe_is_received_and_what_comes_after_it_is_not() {
    for transport in TRANSPORTS {
        let (mut script, alice) = subscriber(transport);
        let frame = [
            publish(&alice, "/a", json!(1)),
            unsubscribe(&alice, json!("/a")),
            publish(&alice, "/a", json!(2)),
        ];

        let got = all(&mut script, &alice, json!(frame));

        let expected = [
            event("/a", json!(1)),
            ok("/a"),
            unsubscribed("/a"),
            ok("/a"),
        ];
        assert_eq!(got, expected, "{transport:?}");
        assert_eq!(subscriptions(&mut script, &alice), [""; 0]);
        script.expect_no_trace();
    }
}

// Proves: MO-6, PB-8
#[test]
fn what_is_published_before_a_subscribe_is_not_received() {
    for transport in TRANSPORTS {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, Value::Null);
        let frame = [
            publish(&alice, "/a", json!(1)),
            subscribe(&alice, json!("/a")),
            publish(&alice, "/a", json!(2)),
        ];

        let got = all(&mut script, &alice, json!(frame));

        let mut subscribed = ok("/meta/subscribe");
        subscribed["subscription"] = json!("/a");
        let expected = [event("/a", json!(2)), ok("/a"), subscribed, ok("/a")];
        assert_eq!(got, expected, "{transport:?}");
        script.expect_no_trace();
    }
}

// Proves: DC-3, DC-4, MO-6
#[test]
fn what_is_published_before_a_goodbye_comes_with_it() {
    for transport in TRANSPORTS {
        let (mut script, alice) = subscriber(transport);
        let frame = [publish(&alice, "/a", json!(1)), disconnect(&alice)];

        let got = all(&mut script, &alice, json!(frame));

        let expected = [event("/a", json!(1)), ok("/a"), ok("/meta/disconnect")];
        assert_eq!(got, expected, "{transport:?}");
        script.expect_no_trace();
    }
}

// Proves: MO-6, PB-8
#[test]
fn an_unsubscribe_in_the_next_frame_is_behind_a_publish_that_is_not_stored_yet() {
    let (mut script, alice) = subscriber(Transport::WebSocket);
    let socket = alice.socket.unwrap();
    script.stall_store();
    script.request(&alice, publish(&alice, "/a", json!(1)));
    script.request(&alice, unsubscribe(&alice, json!("/a")));
    assert!(!script.is_asked(socket), "the third frame is not asked for");

    script.resume_store();

    let expected = [event("/a", json!(1)), ok("/a"), unsubscribed("/a")];
    assert_eq!(messages(&mut script, socket), expected);
    script.expect_no_trace();
}

// Proves: MO-6, PB-8
#[test]
fn an_unsubscribe_is_behind_the_last_of_several_frames_that_are_not_stored_yet() {
    let (mut script, alice) = subscriber(Transport::WebSocket);
    script.stall_store();
    script.request(&alice, publish(&alice, "/a", json!(1)));
    script.request(&alice, publish(&alice, "/a", json!(2)));
    let socket = script.request(&alice, unsubscribe(&alice, json!("/a")));

    script.resume_store();

    let got = messages(&mut script, socket);
    let data = got.iter().filter_map(|message| message.get("data"));
    assert_eq!(data.collect::<Vec<_>>(), [&json!(1), &json!(2)]);
    assert_eq!(got.last(), Some(&unsubscribed("/a")));
    script.expect_no_trace();
}

/// A client whose frame has an unsubscribe behind a publish that a scripted store was asked for.
fn waiting() -> (Script, Client, StoreTicket) {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let connection = script.request(&alice, subscribe(&alice, json!("/a")));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done).take(connection);
    let frame = [
        publish(&alice, "/a", json!(1)),
        unsubscribe(&alice, json!("/a")),
    ];
    script.request(&alice, json!(frame));
    let (ticket, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Append(_)), "{request:?}");
    assert!(!script.has_store_requests(), "it does not overtake");
    (script, alice, ticket)
}

/// The store is asked to forget the subscription now.
fn expect_unsubscribe(script: &mut Script) {
    let (_, request) = script.take_store();
    let unsubscribes = matches!(request, StoreRequest::Unsubscribe { .. });
    assert!(unsubscribes, "{request:?}");
}

// Proves: MO-6
#[test]
fn an_unsubscribe_waits_until_its_engine_has_seen_the_entry_before_it() {
    let (mut script, alice, ticket) = waiting();

    script.stored(ticket, StoreReply::Appended(Position::new(2)));
    script.notify(entries(1, "/a", &[0]));
    assert!(!script.has_store_requests());
    assert_eq!(subscriptions(&mut script, &alice), ["/a"]);
    script.notify(entries(2, "/a", &[1]));

    expect_unsubscribe(&mut script);
    assert_eq!(subscriptions(&mut script, &alice), [""; 0]);
    script.expect_no_trace();
}

// Proves: MO-6
#[test]
fn an_unsubscribe_goes_on_when_the_entry_before_it_has_failed_or_is_never_seen() {
    for reply in [StoreReply::Failed, StoreReply::Fenced] {
        let (mut script, _, ticket) = waiting();
        script.stored_or_gone(ticket, reply);
        expect_unsubscribe(&mut script);
        script.expect_no_trace();
    }
    let (mut script, ..) = waiting();
    script.after(5_000);
    expect_unsubscribe(&mut script);
    script.expect_no_trace();

    let (mut script, _, ticket) = waiting();
    script.stored(ticket, StoreReply::Appended(Position::new(1)));
    script.after(5_000);
    expect_unsubscribe(&mut script);
    script.expect_no_trace();
}

// Proves: MO-6
#[test]
fn an_unsubscribe_that_waits_goes_after_its_session_when_that_is_taken() {
    let (mut script, alice, ticket) = waiting();
    script.notify(Notice::Taken {
        session: session(&alice),
        fence: Fence(9),
    });
    let (_, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Part { .. }), "{request:?}");

    assert!(!script.has_store_requests());
    script.stored(ticket, StoreReply::Appended(Position::new(1)));

    let (ticket, request) = script.take_store();
    let StoreRequest::Forward { messages, .. } = request else {
        panic!("{request:?}");
    };
    let operation = messages.first().unwrap().channel.as_deref();
    assert_eq!((messages.len(), operation), (1, Some("/meta/unsubscribe")));
    script.stored(ticket, StoreReply::Answered(Vec::new()));
    script.expect_no_trace();
}

// Proves: MO-6, MO-7
#[test]
fn two_exchanges_do_not_wait_for_each_other() {
    let (mut script, alice) = subscriber(Transport::LongPolling);
    script.stall_store();
    script.request(&alice, publish(&alice, "/a", json!(1)));

    script.request(&alice, unsubscribe(&alice, json!("/a")));

    assert_eq!(subscriptions(&mut script, &alice), [""; 0]);
    script.resume_store().expect_no_trace();
}

// Proves: MO-6
#[test]
fn frames_that_wait_for_each_other_leave_nothing_when_their_socket_closes() {
    let (mut script, alice) = subscriber(Transport::WebSocket);
    let socket = alice.socket.unwrap();
    script.stall_store();
    script.request(&alice, publish(&alice, "/a", json!(1)));
    script.request(&alice, unsubscribe(&alice, json!("/a")));

    script.close(socket);

    assert_eq!(subscriptions(&mut script, &alice), [""; 0]);
    script.resume_store().expect_no_trace();
}

// Proves: MO-6, PB-8
#[test]
fn a_subscribe_is_behind_a_publish_of_its_frame_also_when_its_socket_has_closed() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let exchange = script.post(json!([
        publish(&alice, "/a", json!(1)),
        subscribe(&alice, json!("/a")),
    ]));
    let (append, _) = script.take_store();

    script.close(exchange);

    assert!(!script.has_store_requests());
    let first = Position::new(1);
    script.stored(append, StoreReply::Appended(first));
    script.notify(entries(1, "/a", &[1]));
    let (_, request) = script.take_store();
    let StoreRequest::Subscribe { since, .. } = request else {
        panic!("{request:?}")
    };
    assert_eq!(since, first);
    script.expect_no_trace();
}

// Proves: MO-6
#[test]
fn a_connect_need_not_wait_for_what_was_published_before_it() {
    let (mut script, alice) = subscriber(Transport::WebSocket);
    script.stall_store();
    script.request(&alice, publish(&alice, "/a", json!(1)));

    script.connect(&alice);

    assert_eq!(view(&mut script, &alice).phase, Phase::Held);
    script.resume_store();
    script.expect_no_trace();
}
