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
    script.stored_or_gone(ticket, StoreReply::Fenced);
    assert_eq!(script.take(publish)[0]["error"], "402::session_unknown");

    let exchange = script.request(&client, subscribe(&client, "/more"));
    let (ticket, _) = script.take_store();
    script.stored_or_gone(ticket, StoreReply::Fenced);
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
    script.stored_or_gone(ticket, StoreReply::Fenced);
    assert_eq!(script.take(exchange)[0]["error"], "403::unsubscribe_failed");
    nothing_leaks(&mut script);
}

/// A message goes after its session, and this becomes of it.
#[track_caller]
fn goes_after(script: &mut Script, reply: StoreReply) -> Messages {
    let (ticket, request) = script.take_store();
    let StoreRequest::Forward { messages, .. } = request else {
        panic!("{request:?}");
    };
    script.stored(ticket, reply);
    messages
}

// Proves: MO-6
#[test]
fn what_a_fence_refuses_is_done_by_whoever_has_the_session() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let publish =
        |id: &str| json!({"channel": "/news", "id": id, "clientId": client.session, "data": 0});
    let exchange = script.post(json!([publish("1"), publish("2")]));
    let first = script.take_store().0;
    let second = script.take_store().0;
    script.stored(first, StoreReply::Appended(at(121)));
    script.stored(second, StoreReply::Fenced);

    // It has moved on again in between.
    goes_after(&mut script, StoreReply::Unowned);
    let reply = Payload::parse(r#"{"channel":"/news","id":"2","successful":true}"#).unwrap();
    let messages = goes_after(&mut script, StoreReply::Answered(vec![reply]));

    assert_eq!(messages.len(), 1);
    assert_eq!(
        messages.first().unwrap().data,
        Some(Payload::parse("0").unwrap())
    );
    log(&mut script, [121]);
    let replies = script.take(exchange);
    let mut ids: Vec<_> = replies
        .as_array()
        .unwrap()
        .iter()
        .filter(|reply| reply["successful"] == true)
        .map(|reply| reply["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["1", "2"]);
}

// Proves: MO-6
#[test]
fn what_is_not_begun_as_its_session_is_taken_is_done_by_whoever_has_it() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let publish = |id: usize| json!({"channel": "/news", "id": id.to_string(), "clientId": client.session, "data": id});
    let most = Config::default().limits.max_open_appends;
    let exchange = script.post(json!((0..most + 3).map(publish).collect::<Vec<_>>()));
    let appends: Vec<_> = (0..most).map(|_| script.take_store().0).collect();
    assert!(!script.has_store_requests());

    script.notify(Notice::Taken {
        session: name(&client),
        fence: Fence(2),
    });
    let (part, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Part { .. }), "{request:?}");
    script.stored(part, StoreReply::Done);
    assert!(
        !script.has_store_requests(),
        "none overtakes those that came before it"
    );
    for append in appends {
        script.stored(append, StoreReply::Appended(at(121)));
    }

    let ids: Vec<_> = (most..most + 3).map(|id| id.to_string()).collect();
    let messages = goes_after(&mut script, StoreReply::Unowned);
    let all: Vec<_> = messages.iter().map(|message| &message.data).collect();
    let data = (most..most + 3).map(|id| Some(json!(id).into()));
    assert_eq!(all, data.collect::<Vec<_>>().iter().collect::<Vec<_>>());
    goes_after(&mut script, StoreReply::Unknown);
    log(&mut script, [121]);
    let replies = script.take(exchange);
    let replies = replies.as_array().unwrap();
    let failed = |reply: &&Value| reply["successful"] == false;
    assert_eq!(replies.len(), most + 3);
    let failed: Vec<_> = replies.iter().filter(failed).collect();
    let unknown = |id| json!({"channel": "/news", "id": id, "successful": false, "error": "402::session_unknown"});
    assert_eq!(
        failed,
        ids.iter()
            .map(unknown)
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>()
    );
    nothing_leaks(&mut script);
}

// Proves: MO-6
#[test]
fn what_goes_after_its_session_goes_as_one_as_far_as_it_may() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let publish = |id: usize| json!({"channel": "/news", "id": id.to_string(), "clientId": client.session, "data": id});
    let most = Config::default().limits.max_open_appends;
    let all = 2 * most + 10;
    let exchange = script.post(json!((0..all).map(publish).collect::<Vec<_>>()));
    let appends: Vec<_> = (0..most).map(|_| script.take_store().0).collect();
    script.notify(Notice::Taken {
        session: name(&client),
        fence: Fence(2),
    });
    done(&mut script);

    for append in appends {
        script.stored(append, StoreReply::Fenced);
    }

    let mut gone = 0;
    // The first was alone in being refused as it went.
    for count in [1, most, most, 9] {
        let (ticket, request) = script.take_store();
        assert!(!script.has_store_requests());
        let StoreRequest::Forward { messages, .. } = request else {
            panic!("{request:?}");
        };
        let data: Vec<_> = messages
            .iter()
            .map(|message| message.data.clone())
            .collect();
        let expected = gone..gone + count;
        assert_eq!(
            data,
            expected
                .clone()
                .map(|id| Some(json!(id).into()))
                .collect::<Vec<_>>()
        );
        let reply = |id: usize| {
            json!({"channel": "/news", "id": id.to_string(), "successful": true}).into()
        };
        script.stored(ticket, StoreReply::Answered(expected.map(reply).collect()));
        gone += count;
    }
    let replies = script.take(exchange);
    let ids = replies
        .as_array()
        .unwrap()
        .iter()
        .map(|reply| reply["id"].as_str().unwrap().parse().unwrap());
    assert_eq!(ids.collect::<Vec<usize>>(), (0..all).collect::<Vec<_>>());
    nothing_leaks(&mut script);
}

// Proves: MO-6, PL-1
#[test]
fn what_is_decided_on_as_its_session_is_taken_is_decided_by_whoever_has_it() {
    for operation in ["/news", "/meta/subscribe"] {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let decider = Decider {
            id: DeciderId(1),
            role: Role::Policy(Operations::ALL),
        };
        let change = Change::AddDecider(decider);
        script.fact(Input::Configured { change });
        let exchange = script.post(json!([{
            "channel": operation, "id": "1", "clientId": client.session, "data": 0, "subscription": "/more",
        }]));

        script.notify(Notice::Taken {
            session: name(&client),
            fence: Fence(2),
        });
        let (part, request) = script.take_store();
        assert!(matches!(request, StoreRequest::Part { .. }), "{request:?}");
        script.stored(part, StoreReply::Done);
        script.decide(Verdict::Allow);
        while script.question().is_some() {
            script.decide(Verdict::Allow);
        }

        let reply = json!({"channel": operation, "id": "1", "successful": true});
        let messages = goes_after(
            &mut script,
            StoreReply::Answered(vec![reply.clone().into()]),
        );
        assert_eq!(messages.len(), 1);
        assert_eq!(script.take(exchange), json!([reply]), "{operation}");
        nothing_leaks(&mut script);
    }
}

// Proves: MO-6
#[test]
fn what_extensions_see_the_reply_of_goes_after_its_session_as_well() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let decider = Decider {
        id: DeciderId(1),
        role: Role::Outgoing,
    };
    let change = Change::AddDecider(decider);
    script.fact(Input::Configured { change });
    let publish =
        |id: &str| json!({"channel": "/news", "id": id, "clientId": client.session, "data": 0});
    let exchange = script.post(json!([publish("1"), publish("2")]));
    script.decide(Verdict::Allow);
    let (first, _) = script.take_store();
    script.stored(first, StoreReply::Fenced);

    let reply = Payload::parse(r#"{"channel":"/news","id":"1","successful":true}"#).unwrap();
    let messages = goes_after(&mut script, StoreReply::Answered(vec![reply]));

    assert_eq!(messages.len(), 1);
    script.decide(Verdict::Allow);
    let (second, _) = script.take_store();
    script.stored(second, StoreReply::Appended(at(121)));
    // Those of the other engine have seen the first reply.
    script.decide(Verdict::Allow);
    assert!(script.question().is_none());
    log(&mut script, [121]);
    let replies = script.take(exchange);
    let ids = replies.as_array().unwrap().iter().map(|reply| &reply["id"]);
    assert_eq!(ids.collect::<Vec<_>>(), ["1", "2"], "{replies}");
    nothing_leaks(&mut script);
}

#[test]
fn a_message_goes_after_its_session_so_often_and_no_more() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let publish = script.publish_as(&client, "/news", json!(0));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Fenced);

    for _ in 0..5 {
        goes_after(&mut script, StoreReply::Unowned);
    }

    assert_eq!(script.take(publish)[0]["error"], "503::unavailable");
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

// Proves: MO-6
#[test]
fn what_a_fence_refuses_goes_after_its_session_in_the_order_in_which_it_came() {
    for transport in [HTTP, SOCKET] {
        let mut script = engine(120);
        let client = own(&mut script, transport, json!({}));
        let publish =
            |number: u8| json!({"channel": "/news", "clientId": client.session, "data": number});
        let frames = [json!([publish(1), publish(2)]), json!([publish(3)])];
        // Between two exchanges there is no order.
        let frames = if transport == SOCKET {
            &frames[..]
        } else {
            &frames[..1]
        };
        for frame in frames {
            script.request(&client, frame.clone());
        }
        let mut asked: Vec<_> = frames
            .iter()
            .flat_map(|frame| frame.as_array().unwrap())
            .map(|_| script.take_store().0)
            .collect();

        while let Some(ticket) = asked.pop() {
            assert!(!script.has_store_requests(), "{transport:?}");
            script.stored(ticket, StoreReply::Fenced);
        }

        for frame in frames {
            // The session has moved on, but for that nothing overtakes the messages.
            goes_after(&mut script, StoreReply::Unowned);
            let reply = Payload::parse(r#"{"channel":"/news","successful":true}"#).unwrap();
            let count = frame.as_array().unwrap().len();
            let messages = goes_after(&mut script, StoreReply::Answered(vec![reply; count]));
            let data = messages.iter().map(|message| message.data.clone().unwrap());
            let expected = frame
                .as_array()
                .unwrap()
                .iter()
                .map(|message| message["data"].clone().into());
            assert_eq!(
                data.collect::<Vec<Payload>>(),
                expected.collect::<Vec<_>>(),
                "{transport:?}"
            );
        }
        assert!(!script.has_store_requests(), "{transport:?}");
    }
}

// Proves: MO-6
#[test]
fn what_is_stored_goes_after_its_session_and_not_what_is_decided_on_behind_it() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let publishes = Operations {
        publish: true,
        ..Operations::default()
    };
    let decider = Decider {
        id: DeciderId(1),
        role: Role::Policy(publishes),
    };
    let change = Change::AddDecider(decider);
    script.fact(Input::Configured { change });
    let publish =
        |number: u8| json!({"channel": "/news", "clientId": client.session, "data": number});
    script.post(json!([publish(1), publish(2)]));
    script.decide(Verdict::Allow);
    let (ticket, _) = script.take_store();

    script.stored(ticket, StoreReply::Fenced);

    let messages = goes_after(&mut script, StoreReply::Unknown);
    assert_eq!(
        messages.first().unwrap().data,
        Some(Payload::from(json!(1)))
    );
    assert_eq!(script.engine().counters().forwarded, 1);
}

// Proves: ER-7
#[test]
fn no_more_late_claims_are_waited_for_than_there_may_be_sessions() {
    let mut script = Script::with_scripted_store(Config {
        limits: Limits {
            max_sessions: 1,
            ..Limits::default()
        },
        ..Config::default()
    });
    for _ in 0..2 {
        let client = stranger(&mut script, HTTP);
        script.connect(&client);
    }
    assert_eq!(script.engine().load().tickets, 2);

    script.after(5_000);

    assert_eq!(script.engine().load().tickets, 1);
}
