//! Service channels and remote calls (section 12).

use bayeux_core::testing::{Script, event};
use bayeux_core::{
    Call, CallResult, Config, Decider, DeciderId, Laziness, Operations, Payload, Role, Scope,
    Subject, Transport, Verdict,
};
use serde_json::{Value, json};

use bayeux_tests::talk::*;

/// A script with one decider.
fn with(role: Role) -> Script {
    let id = DeciderId(1);
    Script::new(Config {
        deciders: vec![Decider { id, role }],
        ..Config::default()
    })
}

fn handler() -> Role {
    Role::Handler(Scope::Pattern("/service/**".parse().unwrap()))
}

// Proves: SV-1
#[test]
fn a_service_message_reaches_its_handler_and_no_client() {
    let mut script = with(handler());
    let (alice, bob) = (script.connected(), script.connected());
    for pattern in ["/service/echo", "/service/**", "/**"] {
        script.subscribe(&alice, pattern).subscribe(&bob, pattern);
    }

    let connection = script.request(&alice, publish(&alice, "/service/echo", json!(1)));

    let (_, question) = {
        script.expect_nothing(connection);
        let asked = script.question().cloned().unwrap();
        (asked.decider, asked)
    };
    assert_eq!(question.session, Some(session(&alice)));
    let Subject::Handle {
        channel, message, ..
    } = question.subject
    else {
        panic!("{:?}", question.subject)
    };
    assert_eq!(channel.as_str(), "/service/echo");
    assert_eq!(message.data.unwrap().as_str(), "1");
    script.decide(Verdict::Allow);
    script.expect(connection, json!([ok("/service/echo")]));
    for client in [&alice, &bob] {
        assert_eq!(events(&mut script, client), [Value::Null; 0]);
    }
    script.expect_no_trace();
}

// Proves: SV-1
#[test]
fn a_service_message_that_nobody_handles_is_answered_like_a_publish() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();

    let reply = ask(
        &mut script,
        &alice,
        publish(&alice, "/service/echo", json!(1)),
    );

    assert_eq!(reply, json!([ok("/service/echo")]));
    assert_eq!(script.engine().counters().published, 0);
    script.expect_no_trace();
}

#[test]
fn a_handler_may_disconnect_the_sender_of_what_it_handles() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = with(handler());
        let alice = script.connected_over(transport, Value::Null);
        let held = script.connect(&alice);
        let connection = script.request(&alice, publish(&alice, "/service/bye", json!(1)));

        let session = session(&alice);
        assert_eq!(script.call(Call::Disconnect { session }), CallResult::Done);
        script.decide(Verdict::Allow);

        let over = json!({"channel": "/meta/disconnect", "successful": true});
        assert_eq!(script.take(held)[0], over, "{transport:?}");
        // On a socket the answer to its connect comes first.
        let last = core::iter::from_fn(|| script.try_take(connection)).last();
        assert_eq!(last, Some(json!([ok("/service/bye")])), "{transport:?}");
        script.expect_no_trace();
    }
}

// Proves: SV-2
#[test]
fn policy_is_asked_about_service_channels() {
    let create = Operations {
        create: true,
        ..Operations::default()
    };
    let publishing = Operations {
        publish: true,
        ..Operations::default()
    };
    for (operations, error) in [
        (
            create,
            "403:denied_by_security_policy:channel_create_denied",
        ),
        (publishing, "403:denied_by_security_policy:publish_denied"),
    ] {
        let mut script = with(Role::Policy(operations));
        let alice = script.connected();
        let connection = script.request(&alice, publish(&alice, "/service/x", json!(1)));

        script.decide(Verdict::Deny(Box::default()));

        script.expect(connection, json!([failed("/service/x", error)]));
        script.expect_no_trace();
    }
}

// Proves: SV-3
#[test]
fn the_server_delivers_to_one_session_on_any_channel() {
    for channel in ["/service/x", "/a"] {
        let mut script = Script::new(Config::default());
        let (alice, bob) = (script.connected(), script.connected());
        script.subscribe(&bob, "/a");
        let (held, other) = (script.connect(&alice), script.connect(&bob));

        let result = script.call(Call::Deliver {
            session: session(&alice),
            channel: channel.parse().unwrap(),
            data: Payload::from(json!({"n": 1})),
            laziness: Laziness::Prompt,
        });

        assert!(matches!(result, CallResult::Appended(_)));
        let frame = script.take(held);
        assert_eq!(frame[0], event(channel, json!({"n": 1})));
        assert_eq!(frame[1]["channel"], "/meta/connect");
        script.expect_nothing(other);
        script.expect_no_trace();
    }
}

// Proves: SV-4, SV-5
#[test]
fn a_call_is_answered_by_its_result_and_its_reply() {
    for (transport, successful) in [
        (Transport::LongPolling, true),
        (Transport::LongPolling, false),
        (Transport::WebSocket, true),
        (Transport::WebSocket, false),
    ] {
        let mut script = with(handler());
        let alice = script.connected_over(transport, Value::Null);
        let bob = script.connected();
        let connection = script.request(&alice, publish(&alice, "/service/sum", json!([1, 2])));

        let data = json!({"class": "Overflow", "message": "3"});
        script.decide(Verdict::Answer {
            successful,
            data: Payload::from(data.clone()),
        });

        let result =
            json!({"id": "m", "channel": "/service/sum", "successful": successful, "data": data});
        if transport == Transport::LongPolling {
            script.expect(connection, json!([result, ok("/service/sum")]));
        } else {
            script.expect(connection, json!([result]));
            script.expect(connection, json!([ok("/service/sum")]));
        }
        assert_eq!(events(&mut script, &bob), [Value::Null; 0]);
        script.expect_no_trace();
    }
}

// Proves: SV-4
#[test]
fn the_result_of_a_call_keeps_its_id_as_it_was_sent() {
    for id in [json!("a-b"), json!(7)] {
        let mut script = with(handler());
        let alice = script.connected();
        let call = message(&alice, "/service/sum", json!({"id": id, "data": 1}));
        let connection = script.request(&alice, call);

        script.decide(Verdict::Answer {
            successful: true,
            data: Payload::null(),
        });

        let frame = script.take(connection);
        assert_eq!((&frame[0]["id"], &frame[1]["id"]), (&id, &id), "{frame}");
        assert!(frame[0].as_object().unwrap().contains_key("data"));
        assert!(!frame[1].as_object().unwrap().contains_key("data"));
        script.expect_no_trace();
    }
}

// Proves: SV-4
#[test]
fn a_call_whose_session_has_gone_has_no_result() {
    let mut script = with(handler());
    let alice = script.connected();
    let connection = script.request(&alice, publish(&alice, "/service/sum", json!(1)));
    let (ticket, _) = script.take_question();
    ask(&mut script, &alice, disconnect(&alice));

    script.fact(bayeux_core::Input::Decided {
        ticket,
        verdict: Verdict::Answer {
            successful: true,
            data: Payload::null(),
        },
    });

    assert_eq!(script.take(connection).as_array().unwrap().len(), 1);
    script.expect_no_trace();
}

// Proves: SV-4
#[test]
fn the_results_of_all_calls_of_a_batch_ride_along_in_order() {
    let mut script = with(handler());
    let alice = script.connected();
    let call = |id: u32| message(&alice, "/service/sum", json!({"id": id, "data": id}));
    let connection = script.request(&alice, json!([call(1), call(2)]));

    for number in [1, 2] {
        script.decide(Verdict::Answer {
            successful: true,
            data: Payload::from(json!(number)),
        });
    }

    let frame = script.take(connection);
    let seen: Vec<_> = frame
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (&m["id"], &m["data"]))
        .collect();
    let (one, two, none) = (json!(1), json!(2), Value::Null);
    assert_eq!(
        seen,
        [(&one, &one), (&two, &two), (&one, &none), (&two, &none)]
    );
    assert_eq!(view(&mut script, &alice).queued, (0, 0));
    script.expect_no_trace();
}
