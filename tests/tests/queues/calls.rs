//! What the application may ask, and each answer.

use core::time::Duration;

use bayeux_core::testing::{Script, event};
use bayeux_core::{
    Call, CallResult, ChannelPattern, Config, ConnectionId, Extensions, Laziness, Notice, Payload,
    Position, SessionId, StoreReply, StoreRequest,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

fn publishing(channel: &str) -> Call {
    Call::Publish {
        channel: channel.parse().unwrap(),
        data: Payload::from(json!(1)),
        ext: None,
        laziness: Laziness::Prompt,
    }
}

pub(super) fn delivering(session: SessionId) -> Call {
    Call::Deliver {
        session,
        channel: "/a".parse().unwrap(),
        data: Payload::from(json!(1)),
        laziness: Laziness::Prompt,
    }
}

pub(super) fn pattern(text: &str) -> ChannelPattern {
    text.parse().unwrap()
}

pub(super) fn subscribing(session: SessionId, text: &str) -> Call {
    Call::Subscribe {
        session,
        pattern: pattern(text),
    }
}

pub(super) fn unsubscribing(session: SessionId, text: &str) -> Call {
    Call::Unsubscribe {
        session,
        pattern: pattern(text),
    }
}

pub(super) fn opened(script: &mut Script) -> (ConnectionId, SessionId) {
    let (connection, result) = script.open_local();
    let CallResult::Opened(session) = result else {
        panic!("{result:?}")
    };
    (connection, session)
}

#[test]
fn what_is_published_is_answered_with_its_place_in_the_log() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");

    assert_eq!(
        script.call(publishing("/a")),
        CallResult::Appended(Position::new(1))
    );
    let ext = Extensions::new().with("x", Payload::from(json!(2)));
    let with_ext = Call::Publish {
        channel: "/a".parse().unwrap(),
        data: Payload::from(json!(2)),
        ext: Some(ext),
        laziness: Laziness::Prompt,
    };
    assert_eq!(
        script.call(with_ext),
        CallResult::Appended(Position::new(2))
    );

    assert_eq!(
        events(&mut script, &alice),
        [
            event("/a", json!(1)),
            json!({"channel": "/a", "data": 2, "ext": {"x": 2}}),
        ]
    );
    script.expect_no_trace();
}

#[test]
fn what_nobody_could_receive_is_not_published() {
    for channel in ["/service/x", "/meta/x", "/meta", "/service"] {
        let mut script = Script::new(Config::default());

        assert_eq!(
            script.call(publishing(channel)),
            CallResult::Limited,
            "{channel}"
        );

        assert_eq!(script.engine().counters().published, 0);
        script.expect_no_trace();
    }
}

#[test]
fn calls_about_a_session_that_is_not_here() {
    let mut script = Script::new(Config::default());
    let session = SessionId::parse(&script.handshaken().session).unwrap();
    script.expect_no_trace();

    for call in [
        delivering(session),
        subscribing(session, "/a"),
        unsubscribing(session, "/a"),
        Call::Disconnect { session },
        Call::Batch { session },
        Call::Flush { session },
        Call::Configure {
            session,
            timeout: None,
            interval: None,
            max_interval: None,
        },
        Call::Inspect { session },
    ] {
        assert_eq!(script.call(call.clone()), CallResult::Unknown, "{call:?}");
    }
    script.expect_no_trace();
}

#[test]
fn calls_that_need_the_store_while_it_is_away() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let alice = session(&alice);

    script.notify(Notice::Down);

    for call in [
        publishing("/a"),
        delivering(alice),
        subscribing(alice, "/a"),
        unsubscribing(alice, "/a"),
    ] {
        assert_eq!(
            script.call(call.clone()),
            CallResult::Unavailable,
            "{call:?}"
        );
    }
    assert!(!script.has_store_requests());
    assert_eq!(script.engine().load().channels, 0);
}

#[test]
fn calls_are_answered_as_the_store_answers() {
    let position = Position::new(1);
    let table = [
        (
            StoreReply::Appended(position),
            CallResult::Appended(position),
        ),
        (StoreReply::Failed, CallResult::Unavailable),
        (StoreReply::Fenced, CallResult::Unknown),
    ];
    for (reply, expected) in table {
        let mut script = Script::with_scripted_store(Config::default());
        let alice = connected_by_hand(&mut script);
        for call in [publishing("/a"), delivering(session(&alice))] {
            let ticket = script.call_later(call);
            assert_eq!(script.result(ticket), None);
            let (request, _) = script.take_store();

            script.stored(request, reply.clone());

            assert_eq!(script.result(ticket), Some(expected.clone()), "{reply:?}");
        }
        script.expect_no_trace();
    }
}

#[test]
fn a_subscription_that_the_store_does_not_keep_is_no_subscription() {
    for (reply, expected, kept) in [
        (StoreReply::Done, CallResult::Done, &["/a"][..]),
        (StoreReply::Failed, CallResult::Unavailable, &[]),
        (StoreReply::Fenced, CallResult::Unknown, &[]),
    ] {
        let mut script = Script::with_scripted_store(Config::default());
        let alice = connected_by_hand(&mut script);
        let ticket = script.call_later(subscribing(session(&alice), "/a"));
        let (request, wanted) = script.take_store();
        assert!(matches!(wanted, StoreRequest::Subscribe { .. }));

        script.stored(request, reply.clone());

        assert_eq!(script.result(ticket), Some(expected), "{reply:?}");
        assert_eq!(subscriptions(&mut script, &alice), kept, "{reply:?}");
        script.expect_no_trace();
    }
}

#[test]
fn a_call_promises_no_subscription_that_another_write_can_take_back() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let first = script.call_later(subscribing(session(&alice), "/a"));
    let (write, _) = script.take_store();
    let second = script.call_later(subscribing(session(&alice), "/a"));
    assert_eq!(script.result(second), None);
    let (another, _) = script.take_store();

    script.stored(write, StoreReply::Failed);
    script.stored(another, StoreReply::Done);

    assert_eq!(script.result(first), Some(CallResult::Unavailable));
    assert_eq!(script.result(second), Some(CallResult::Done));
    assert_eq!(subscriptions(&mut script, &alice), ["/a"]);
    script.expect_no_trace();
}

#[test]
fn a_call_that_the_store_does_not_answer_is_answered_in_the_end() {
    let mut script = Script::with_scripted_store(Config::default());
    let ticket = script.call_later(publishing("/a"));

    script.after(4_999);
    assert_eq!(script.result(ticket), None);
    script.after(1);

    assert_eq!(script.result(ticket), Some(CallResult::Unavailable));
    script.expect_no_trace();
}

#[test]
fn the_application_subscribes_a_session() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    let id = session(&alice);

    assert_eq!(script.call(subscribing(id, "/a/*")), CallResult::Done);
    assert_eq!(script.call(subscribing(id, "/a/*")), CallResult::Done);
    script.publish("/a/b", json!(1));
    assert_eq!(events(&mut script, &alice), [event("/a/b", json!(1))]);

    assert_eq!(script.call(unsubscribing(id, "/a/*")), CallResult::Done);
    assert_eq!(script.call(unsubscribing(id, "/a/*")), CallResult::Done);
    script.publish("/a/b", json!(2));
    assert_eq!(events(&mut script, &alice), [Value::Null; 0]);
    for none in ["/service/x", "/meta/connect", "/meta/*", "/meta"] {
        assert_eq!(
            script.call(subscribing(id, none)),
            CallResult::Limited,
            "{none}"
        );
    }
    script.expect_no_trace();
}

// Proves: CN-16
#[test]
fn a_session_may_be_given_times_of_its_own() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    let held = script.connect(&alice);

    let result = script.call(Call::Configure {
        session: session(&alice),
        timeout: Some(Duration::from_secs(7)),
        interval: None,
        max_interval: Some(Duration::from_secs(1)),
    });

    assert_eq!(result, CallResult::Done);
    deliver(&mut script, &alice, "/a", json!(1), Laziness::Prompt);
    let advice = json!({"reconnect": "retry", "interval": 0, "timeout": 7_000});
    assert_eq!(script.take(held)[1]["advice"], advice);
    let next = script.connect(&alice);
    script.after(6_999).expect_nothing(next);
    script.after(1);
    assert_eq!(script.take(next)[0]["successful"], true);
    script.after(999);
    assert_eq!(script.engine().load().sessions, 1);
    script.after(1);
    assert_eq!(script.engine().load().sessions, 0);
    script.expect_no_trace();
}

#[test]
fn a_subscription_that_the_store_keeps_is_not_asked_for_again() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);
    let call = script.call_later(subscribing(session(&alice), "/a"));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
    assert_eq!(script.result(call), Some(CallResult::Done));

    let again = script.call(subscribing(session(&alice), "/a"));

    assert_eq!(again, CallResult::Done);
    assert!(!script.has_store_requests());
    script.expect_no_trace();
}
