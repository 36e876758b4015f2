//! Sessions of the application's own.

use super::calls::{delivering, opened, subscribing, unsubscribing};
use bayeux_core::testing::{Script, event};
use bayeux_core::{
    Call, CallResult, CloseReason, Config, Decider, DeciderId, Limits, Operations, Phase, Removal,
    ReportKind, Reports, Role,
};
use bayeux_tests::talk::*;
use serde_json::json;

// Proves: TM-9, PL-9
#[test]
fn a_session_of_the_applications_own_may_do_everything_and_never_expires() {
    let operations = Operations::ALL;
    let mut script = Script::new(Config {
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Policy(operations),
        }],
        ..Config::default()
    });
    let (connection, id) = opened(&mut script);
    let CallResult::Session(view) = script.call(Call::Inspect { session: id }) else {
        panic!("it is here")
    };
    assert_eq!(
        (view.phase, view.transport, view.expires_in),
        (Phase::Local, None, None)
    );

    assert_eq!(script.call(subscribing(id, "/**")), CallResult::Done);
    script.after(100_000_000).publish("/a", json!(1));

    assert!(script.question().is_none(), "nobody is asked");
    script.expect(connection, json!([event("/a", json!(1))]));
    script.call(delivering(id));
    script.expect(connection, json!([event("/a", json!(1))]));
    script.call(unsubscribing(id, "/**"));
    script.publish("/a", json!(2)).expect_nothing(connection);
    script.expect_no_trace();
}

// Proves: TM-9
#[test]
fn a_session_of_the_applications_own_is_no_clients() {
    let mut script = Script::new(Config::default());
    let (connection, id) = opened(&mut script);
    let alice = script.handshaken();
    let stolen = bayeux_core::testing::Client {
        session: id.text(),
        ..alice
    };

    for frame in [
        publish(&stolen, "/a", json!(1)),
        disconnect(&stolen),
        message(
            &stolen,
            "/meta/connect",
            json!({"connectionType": "long-polling"}),
        ),
    ] {
        let reply = ask(&mut script, &stolen, frame);
        assert_eq!(reply[0]["error"], "402::session_unknown");
    }
    script.expect_nothing(connection);
    script.expect_no_trace();
}

#[test]
fn a_session_of_the_applications_own_is_not_in_the_store() {
    let mut script = Script::with_scripted_store(Config::default());
    let (_, id) = opened(&mut script);

    script.call(subscribing(id, "/a"));
    script.call(unsubscribing(id, "/a"));
    script.call(Call::Disconnect { session: id });

    assert!(!script.has_store_requests());
    script.expect_no_trace();
}

#[test]
fn a_session_of_the_applications_own_ends_by_either_side() {
    for by_call in [true, false] {
        let mut script = Script::new(Config::default());
        let (connection, id) = opened(&mut script);
        script.call(subscribing(id, "/a"));
        script.reports();

        if by_call {
            assert_eq!(
                script.call(Call::Disconnect { session: id }),
                CallResult::Done
            );
            let goodbye = json!({"channel": "/meta/disconnect", "successful": true});
            script.expect(connection, json!([goodbye]));
            script
                .after(5_000)
                .expect_closed(connection, CloseReason::Idle);
        } else {
            script.close(connection);
        }

        let removed = ReportKind::SessionRemoved(id, Removal::DisconnectedByServer);
        assert!(script.reports().contains(&removed), "{by_call}");
        assert_eq!(script.engine().load().sessions, 0);
        script.expect_no_trace();
    }
}

#[test]
fn sessions_of_the_applications_own_are_limited() {
    let mut script = Script::new(Config {
        limits: Limits {
            max_sessions: 1,
            ..Limits::default()
        },
        ..Config::default()
    });
    let (connection, _) = opened(&mut script);

    let (_, second) = script.open_local();

    assert_eq!(second, CallResult::Limited);
    assert_eq!(script.call(Call::Open { connection }), CallResult::Limited);
    assert_eq!(script.engine().load().connections, 1);
}

#[test]
fn a_session_of_the_applications_own_has_a_bounded_queue() {
    let mut script = Script::new(Config {
        limits: Limits {
            max_queued_events: 2,
            ..Limits::default()
        },
        reports: Reports { messages: true },
        ..Config::default()
    });
    let (connection, id) = opened(&mut script);
    script.call(subscribing(id, "/a"));
    script.write_by_hand();

    for n in 1..=3 {
        script.publish("/a", json!(n));
    }

    script.expect_closed(connection, CloseReason::SessionOver);
    assert_eq!(script.engine().counters().sessions_overflowed, 1);
    script.expect_no_trace();
}
