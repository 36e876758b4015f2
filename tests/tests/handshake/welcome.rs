//! Events that come between the handshake and the first connect.

use super::*;

fn welcoming(count: u32) -> Verdict {
    let channel = "/welcome".parse().unwrap();
    let welcome = |number| (Clone::clone(&channel), Payload::from(json!(number)));
    Verdict::Admit(Box::new(Admission {
        welcome: (1..=count).map(welcome).collect(),
        ..Admission::default()
    }))
}

// Proves: HS-9
#[test]
fn a_handshake_whose_session_is_taken_while_it_is_welcomed_fails() {
    let mut script = Script::with_scripted_store(asking());
    let exchange = shake(&mut script, POLLING, handshake());
    script.decide(welcoming(1));
    let (ticket, request) = script.take_store();
    let StoreRequest::Open(record) = request else {
        panic!("{request:?}")
    };
    script.stored(ticket, StoreReply::Done);
    let (welcome, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Append(_)), "{request:?}");

    script.notify(Notice::Taken {
        session: record.session,
        fence: Fence(2),
    });
    script.stored(welcome, StoreReply::Appended(Position::new(1)));
    script.notify(bayeux_tests::talk::entries(1, "/welcome", &[1]));

    let reply = script.take(exchange);
    assert_eq!(reply[0]["error"], "403::handshake_failed", "{reply}");
}

// Proves: HS-12
#[test]
fn what_comes_between_handshake_and_first_connect_goes_with_the_first_that_may_carry_it() {
    for (transport, ack) in [
        (POLLING, false),
        (Transport::CallbackPolling, false),
        (POLLING, true),
    ] {
        let mut script = Script::new(asking());
        let connection = shake(
            &mut script,
            transport,
            handshake_with(json!({"ext": {"ack": ack}})),
        );
        script.decide(welcoming(2));
        let reply = script.take(connection);
        assert_eq!(reply.as_array().unwrap().len(), 1, "not with the handshake");
        assert_eq!(reply[0].get("x-messages"), None);
        let alice = client_of(&reply[0], transport, connection);

        let connect = script.connect(&alice);

        let sent = messages(&mut script, connect);
        let welcome = [event("/welcome", json!(1)), event("/welcome", json!(2))];
        assert_eq!(sent[..2], welcome);
        assert_eq!(sent[2]["successful"], json!(true));
        script.expect_no_trace();
    }
}

// Proves: HS-14, AK-9
#[test]
fn events_may_travel_with_the_handshake_and_are_announced() {
    for transport in TRANSPORTS {
        for ack in [false, true] {
            for count in [0, 1, 3] {
                let config = Config {
                    deliver_during_handshake: true,
                    ..asking()
                };
                let mut script = Script::new(config);
                let message = handshake_with(json!({"ext": {"ack": ack}}));
                let connection = shake(&mut script, transport, message);

                script.decide(welcoming(count));

                let mut sent = messages(&mut script, connection);
                let events = sent.split_off(1);
                let what = format!("{transport:?} {ack} {count}");
                let announced = (count > 0).then(|| json!(count));
                assert_eq!(sent[0].get("x-messages"), announced.as_ref(), "{what}");
                let welcome: Vec<_> = (1..=count).map(|n| event("/welcome", json!(n))).collect();
                assert_eq!(events, welcome, "{what}");
                let offered = json!({"ack": {"enabled": true, "batch": count}});
                assert_eq!(sent[0].get("ext"), ack.then_some(&offered), "{what}");
                let alice = client_of(&sent[0], transport, connection);
                let members = if ack {
                    json!({"ext": {"ack": count}})
                } else {
                    json!({})
                };
                let first = script.connect_with(&alice, members);
                let replies = messages(&mut script, first);
                assert_eq!(replies.len(), 1, "nothing comes twice: {what} {replies:?}");
                script.expect_no_trace();
            }
        }
    }
}

// Proves: HS-14
#[test]
fn as_many_events_are_announced_as_follow() {
    for bytes in [60, 1 << 20] {
        let mut script = Script::new(Config {
            deliver_during_handshake: true,
            limits: Limits {
                max_message_size: bytes,
                ..Limits::default()
            },
            ..asking()
        });
        let connection = shake(&mut script, POLLING, handshake());
        script.stall_store().decide(welcoming(3));
        script.resume_store();

        let sent = messages(&mut script, connection);

        assert_eq!(sent[0]["x-messages"], json!(sent.len() - 1), "{bytes}");
        script.expect_no_trace();
    }
}

// Proves: HS-12, HS-14
#[test]
fn an_event_for_a_session_that_is_being_welcomed_is_not_lost() {
    let mut script = Script::new(Config {
        deliver_during_handshake: true,
        ..asking()
    });
    let connection = shake(&mut script, POLLING, handshake());
    script.stall_store().decide(welcoming(1));
    script.resume_store();
    let reply = script.take(connection);
    let alice = client_of(&reply[0], POLLING, connection);

    let delivered = script.call(Call::Deliver {
        session: SessionId::parse(&alice.session).unwrap(),
        channel: "/notice".parse().unwrap(),
        data: json!(2).into(),
        laziness: Laziness::Prompt,
    });

    assert!(matches!(delivered, CallResult::Appended(_)));
    let first = script.connect(&alice);
    assert_eq!(script.take(first)[0], event("/notice", json!(2)));
    script.expect_no_trace();
}

#[test]
fn a_session_belongs_to_the_shard_that_it_began_on() {
    for index in 0..3 {
        let shard = Shard { index, count: 3 };
        let mut script = Script::new(Config {
            shard,
            ..Config::default()
        });

        for _ in 0..20 {
            let client = script.handshaken();
            let session = SessionId::parse(&client.session).unwrap();
            assert_eq!(session.shard(3), index);
        }
        script.expect_no_trace();
    }
}

// Proves: HS-9
#[test]
fn a_handshake_is_answered_when_everything_that_welcomes_it_is_in_the_log() {
    let mut script = Script::with_scripted_store(asking());
    let exchange = shake(&mut script, POLLING, handshake());
    script.decide(welcoming(2));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
    let welcomes = [script.take_store().0, script.take_store().0];

    script.stored(welcomes[0], StoreReply::Failed);

    script.expect_nothing(exchange);
    script.stored(welcomes[1], StoreReply::Failed);
    assert_eq!(script.take(exchange)[0]["successful"], json!(true));
}
