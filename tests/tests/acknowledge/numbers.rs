//! Which events a connect brings, and the number that goes with them.

use super::*;

// Proves: AK-2, AK-14
#[test]
fn only_connect_replies_carry_events_and_numbers() {
    for transport in [HTTP, SOCKET, Transport::CallbackPolling] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, transport);
        script.publish("/news", json!(1));
        let session = &client.session;

        for message in [
            json!({"channel": "/meta/subscribe", "clientId": session, "subscription": "/more"}),
            json!({"channel": "/meta/unsubscribe", "clientId": session, "subscription": "/more"}),
            json!({"channel": "/news", "clientId": session, "data": 2}),
            json!({"channel": "/service/x", "clientId": session, "data": 2}),
        ] {
            let connection = script.request(&client, message.clone());
            let reply = script.take(connection);
            assert_eq!(reply.as_array().unwrap().len(), 1, "{reply}");
            assert_eq!(reply[0]["successful"], true);
            assert_eq!(reply[0].get("ext"), None, "{reply}");
            script.expect_nothing(connection);
        }

        brings(&probe(&mut script, &client, 0), [1, 2], 2);
        let bye = json!({"channel": "/meta/disconnect", "clientId": session});
        let connection = script.request(&client, bye);
        assert_eq!(
            script.take(connection),
            json!([{"channel": "/meta/disconnect", "successful": true}])
        );
        nothing_leaks(&mut script);
    }
}

// Proves: AK-3, AK-5, DE-3
#[test]
fn an_event_is_kept_until_its_number_is_acknowledged() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    for data in 1..=3 {
        script.publish("/news", json!(data));
    }

    brings(&probe(&mut script, &client, 0), [1, 2, 3], 3);
    brings(&probe(&mut script, &client, -1), [1, 2, 3], 3);
    brings(&probe(&mut script, &client, 1), [2, 3], 3);
    brings(&probe(&mut script, &client, 3), [], 3);
    script.publish("/news", json!(4));
    brings(&probe(&mut script, &client, 3), [4], 4);
    // Less than before: what was acknowledged does not come back, what was not does.
    brings(&probe(&mut script, &client, 1), [4], 4);
    brings(&probe(&mut script, &client, 4), [], 4);
    nothing_leaks(&mut script);
}

// Proves: AK-5, DC-5
#[test]
fn the_last_connect_of_a_session_that_was_ended_brings_what_it_does_not_acknowledge() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    for data in 1..=3 {
        script.publish("/news", json!(data));
    }
    brings(&probe(&mut script, &client, 0), [1, 2, 3], 3);
    let session = SessionId::parse(&client.session).unwrap();
    assert_eq!(script.call(Call::Disconnect { session }), CallResult::Done);

    let last = connect(&mut script, &client, 1);

    assert_eq!(brought(&script.take(last)).0, [json!(2), json!(3)]);
    nothing_leaks(&mut script);
}

// Proves: AK-4
#[test]
fn the_number_is_the_position_since_the_handshake() {
    let mut script = Script::new(Config::default());
    for _ in 0..5 {
        script.publish("/before", json!(0));
    }
    let client = reader(&mut script, HTTP);

    brings(&probe(&mut script, &client, 0), [], 0);
    script
        .publish("/other", json!(0))
        .publish("/other", json!(0));
    brings(&probe(&mut script, &client, 0), [], 2);
    script
        .publish("/news", json!(1))
        .publish("/other", json!(0));
    brings(&probe(&mut script, &client, 2), [1], 4);
    brings(&probe(&mut script, &client, 4), [], 4);
    let held = connect(&mut script, &client, 4);
    script.publish("/other", json!(0)).expect_nothing(held);
    script.publish("/news", json!(2));
    brings(&script.take(held), [2], 6);
    nothing_leaks(&mut script);
}

// Proves: AK-4
#[test]
fn a_held_connect_that_times_out_says_how_far_the_log_has_come() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    let held = connect(&mut script, &client, 0);
    script
        .publish("/other", json!(0))
        .publish("/other", json!(0));

    script.after(30_000);

    brings(&script.take(held), [], 2);
    nothing_leaks(&mut script);
}

// Proves: AK-4
#[test]
fn the_number_never_passes_an_event_that_is_not_decided_on() {
    let (mut script, client) = inspected();
    for data in 1..=4 {
        script.publish("/news", json!(data));
    }
    let mut tickets = Vec::new();
    for _ in 1..=4 {
        tickets.push(script.take_question().0);
    }
    let say = |script: &mut Script, at: usize, verdict| {
        let ticket = tickets[at - 1];
        script.fact(Input::Decided { ticket, verdict });
    };

    brings(&probe(&mut script, &client, 0), [], 0);
    say(&mut script, 2, Verdict::Allow);
    brings(&probe(&mut script, &client, 0), [], 0);
    say(&mut script, 1, Verdict::Allow);
    brings(&probe(&mut script, &client, 0), [1, 2], 2);
    say(&mut script, 4, Verdict::Allow);
    brings(&probe(&mut script, &client, 2), [], 2);
    brings(&probe(&mut script, &client, 0), [], 2);
    // Nothing is left of the third: the number may pass it.
    say(&mut script, 3, Verdict::Drop);
    brings(&probe(&mut script, &client, 2), [4], 4);
    brings(&probe(&mut script, &client, 4), [], 4);
}

// Proves: AK-4
#[test]
fn a_held_connect_waits_for_the_decision_on_its_event() {
    let (mut script, client) = inspected();
    let held = connect(&mut script, &client, 0);

    script.publish("/news", json!(1)).publish("/news", json!(2));
    let (first, _) = script.take_question();
    script.decide(Verdict::Allow).expect_nothing(held);
    script.fact(Input::Decided {
        ticket: first,
        verdict: Verdict::Allow,
    });

    brings(&script.take(held), [1, 2], 2);
}

// Proves: AK-6
#[test]
fn what_was_lost_is_sent_again_at_once() {
    for transport in [HTTP, SOCKET] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, transport);
        let held = connect(&mut script, &client, 0);
        script.publish("/news", json!(1)).publish("/news", json!(2));
        brings(&script.take(held), [1], 1);

        let held = connect(&mut script, &client, 0);

        brings(&script.take(held), [1, 2], 2);
        let held = connect(&mut script, &client, 2);
        script.expect_nothing(held);
    }
}

// Proves: AK-6
#[test]
fn lazy_events_that_were_never_sent_do_not_hurry() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    script.publish("/news", json!(1));
    brings(&probe(&mut script, &client, 0), [1], 1);
    publish_lazily(&mut script, json!(2));

    let held = connect(&mut script, &client, 1);

    script.expect_nothing(held);
    script.after(4_999).expect_nothing(held);
    script.after(1);
    brings(&script.take(held), [2], 2);
    // Once it was sent, it is to arrive.
    let again = connect(&mut script, &client, 1);
    brings(&script.take(again), [2], 2);
    nothing_leaks(&mut script);
}

// Proves: AK-7, DE-3
#[test]
fn a_number_ahead_of_the_log_is_waited_for() {
    for transport in [HTTP, SOCKET] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, transport);
        script.publish("/news", json!(1));

        let connection = connect(&mut script, &client, 3);

        script.after(1_999).expect_nothing(connection);
        for data in 2..=4 {
            script.publish("/news", json!(data));
        }
        brings(&script.take(connection), [4], 4);
    }
}

// Proves: AK-7, AK-4, DE-3
#[test]
fn a_number_that_never_was_changes_nothing() {
    for number in [json!(2), json!(1_000_000), json!(2_147_483_646)] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, HTTP);
        script.publish("/news", json!(1));
        let connection = connect(&mut script, &client, number.clone());

        script.after(1_999).expect_nothing(connection);
        script.after(1);

        brings(&script.take(connection), [1], 1);
        brings(&probe(&mut script, &client, 0), [1], 1);
        script.publish("/news", json!(2));
        brings(&probe(&mut script, &client, 1), [2], 2);
        nothing_leaks(&mut script);
    }
}

// Proves: AK-4, AK-7
#[test]
fn a_number_that_no_reply_could_bear_is_not_waited_for() {
    for number in [json!(2_147_483_647), json!(u64::MAX), json!(1e300)] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, HTTP);
        script.publish("/news", json!(1));

        let connection = connect(&mut script, &client, number.clone());

        brings(&script.take(connection), [1], 1);
        brings(&probe(&mut script, &client, 0), [1], 1);
        nothing_leaks(&mut script);
    }
}

// Proves: AK-4, ER-2
#[test]
fn a_session_that_the_log_outruns_begins_anew_with_all_that_it_has_not_acknowledged() {
    for transport in [HTTP, SOCKET] {
        let mut config = Config::default();
        config.limits.max_log_span = 3;
        let mut script = Script::new(config);
        let client = reader(&mut script, transport);
        let plain = script.connected_over(transport, json!({}));
        for data in 1..=3 {
            script.publish("/news", json!(data));
        }
        brings(&probe(&mut script, &client, 1), [2, 3], 3);
        script.publish("/news", json!(4));

        last(&mut script, &client, 2, &[3, 4]);
        last(&mut script, &client, 4, &[]);

        let ask = json!({"advice": {"timeout": 0}});
        let connection = script.connect_with(&plain, ask);
        assert_eq!(script.take(connection)[0]["successful"], true);
        nothing_leaks(&mut script);
    }
}

// Proves: AK-4, ER-7
#[test]
fn sessions_that_the_log_outruns_together_begin_anew_spread_over_time() {
    let mut config = Config::default();
    config.limits.max_log_span = 1;
    let mut script = Script::new(config);
    let clients: Vec<_> = (0..20).map(|_| reader(&mut script, HTTP)).collect();
    for data in 1..=2 {
        script.publish("/news", json!(data));
    }

    let intervals: Vec<_> = clients
        .iter()
        .map(|client| {
            let connection = connect(&mut script, client, 2);
            let reply = script.take(connection);
            reply[0]["advice"]["interval"].as_u64().unwrap()
        })
        .collect();

    assert!(
        intervals.iter().max() > intervals.iter().min(),
        "{intervals:?}"
    );
    nothing_leaks(&mut script);
}

// Proves: AK-4
#[test]
fn a_session_that_the_log_outruns_waits_for_what_is_still_being_written() {
    let mut config = Config::default();
    config.limits.max_log_span = 1;
    let mut script = Script::new(config);
    let client = reader(&mut script, SOCKET);
    for data in 1..=2 {
        script.publish("/news", json!(data));
    }
    script.write_by_hand();
    let socket = script.publish_as(&client, "/service/x", json!(0));
    script.take(socket);

    // The answer to that is not written yet: this connect is like any other.
    connect(&mut script, &client, 0);

    script.expect_nothing(socket);
    script.written(socket);
    assert_eq!(
        rest(&mut script, socket),
        ([1, 2].map(Value::from).into(), Some(2))
    );
    connect(&mut script, &client, 1);
    assert_eq!(rest(&mut script, socket), (vec![json!(2)], None));
    nothing_leaks(&mut script);
}

/// What is written from here on to the answer to a connect, and the number on that.
fn rest(script: &mut Script, socket: ConnectionId) -> (Vec<Value>, Option<u64>) {
    let mut all = Vec::new();
    loop {
        let frame = script.take(socket);
        let (data, number) = brought(&frame);
        all.extend(data);
        let last = frame.as_array().unwrap().last().unwrap();
        if last["channel"] == "/meta/connect" {
            script.written(socket);
            return (all, number);
        }
    }
}

/// A connect whose answer ends the session, and brings `data` before that.
fn last(script: &mut Script, client: &Client, number: i64, data: &[i64]) {
    let ask = json!({"ext": {"ack": number}, "advice": {"timeout": 0}});
    let connection = script.connect_with(client, ask);
    let mut all = Vec::new();
    let reply = loop {
        let frame = script.take(connection);
        all.extend(brought(&frame).0);
        let last = frame.as_array().unwrap().last().unwrap();
        if last["channel"] == "/meta/connect" {
            break last.clone();
        }
    };
    assert_eq!(all, data);
    assert_eq!(reply["error"], "402::session_unknown", "{reply}");
    assert_eq!(reply["advice"]["reconnect"], "handshake", "{reply}");
    assert_eq!(reply.get("ext"), None, "{reply}");
}

// Proves: AK-10, DE-3
#[test]
fn a_connect_without_a_number_acknowledges_nothing() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    script.publish("/news", json!(1)).publish("/news", json!(2));
    brings(&probe(&mut script, &client, 0), [1, 2], 2);

    for ext in [
        json!({}),
        json!({"ext": {}}),
        json!({"ext": {"ack": null}}),
        json!({"ext": {"ack": true}}),
        json!({"ext": {"ack": "2"}}),
        json!({"ext": {"ack": [2]}}),
        json!({"ext": {"ack": {"batch": 2}}}),
    ] {
        let mut members = ext.clone();
        members["advice"] = json!({"timeout": 0});
        let connection = script.connect_with(&client, members);
        brings(&script.take(connection), [1, 2], 2);
    }
    brings(&probe(&mut script, &client, 2), [], 2);
    nothing_leaks(&mut script);
}

// Proves: AK-6, AK-7
#[test]
fn what_is_not_acknowledged_comes_again_at_once_over_whatever_carries_connects() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let alice = script.connected_over(transport, json!({"ack": true}));
        script.subscribe(&alice, "/a");
        script.publish("/a", json!(1));
        let connection = script.connect(&alice);
        assert_eq!(script.take(connection)[0], event("/a", json!(1)));

        let connection = script.connect_with(&alice, json!({"ext": {"ack": 0}}));

        assert_eq!(
            script.take(connection)[0],
            event("/a", json!(1)),
            "{transport:?}"
        );
        script.expect_no_trace();
    }
}

// Proves: AK-4
#[test]
fn a_session_that_the_log_outruns_waits_for_what_is_still_decided_on() {
    let (mut script, client) = inspected();
    let limits = Limits {
        max_log_span: 1,
        ..Limits::default()
    };
    let change = Change::Limits(Box::new(limits));
    script.fact(Input::Configured { change });
    script.publish("/news", json!(1)).publish("/news", json!(2));
    script.decide(Verdict::Allow);

    brings(&probe(&mut script, &client, 0), [1], 1);

    script.decide(Verdict::Allow);
    last(&mut script, &client, 1, &[2]);
}
