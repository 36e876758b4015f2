//! Claims: a session goes on where its client stands.

use std::sync::Arc;

use super::rig::*;
use super::*;

// Proves: AK-4, AK-5, AK-7, DE-3
#[test]
fn an_acknowledging_session_is_read_from_where_its_client_stands() {
    let released = |number| released_at(number, record(true, 100, 105));
    for (record, members, after) in [
        (record(true, 100, 105), ack(12), 112),
        (record(true, 100, 105), ack(0), 100),
        (record(true, 100, 105), ack(-1), 100),
        (record(true, 100, 105), json!({}), 100),
        (released(110), ack(12), 112),
        (released(110), ack(3), 103),
        (released(110), json!({}), 110),
    ] {
        let mut script = engine(120);
        let (_, connection) = claim(&mut script, record, members);
        script.expect_nothing(connection);

        let ticket = is_read(&mut script, after, 120);
        script.stored(ticket, StoreReply::Entries(entries([115, 118])));

        assert_eq!(
            read(&script.take(connection)),
            (vec![115, 118], Some(20)),
            "after {after}"
        );
        nothing_leaks(&mut script);
    }
}

#[test]
fn a_session_without_acknowledgement_goes_on_where_it_was_released() {
    let mut script = engine(120);
    let record = released_at(110, record(false, 100, 105));
    let (_, connection) = claim(&mut script, record, json!({}));

    let ticket = is_read(&mut script, 110, 120);
    script.stored(ticket, StoreReply::Entries(entries([115])));

    assert_eq!(read(&script.take(connection)), (vec![115], None));
    nothing_leaks(&mut script);
}

// Proves: MO-5
#[test]
fn a_session_without_acknowledgement_goes_on_from_the_claim_if_its_owner_died() {
    let mut script = engine(120);

    let (_, connection) = claim(&mut script, record(false, 100, 105), json!({}));

    assert!(!script.has_store_requests());
    script.expect_nothing(connection);
    log(&mut script, [121]);
    assert_eq!(read(&script.take(connection)), (vec![121], None));
    nothing_leaks(&mut script);
}

// Proves: MO-5
#[test]
fn a_session_whose_owner_died_ahead_of_this_engine_gets_nothing_twice() {
    let mut script = engine(120);
    let record = SessionRecord {
        end: at(123),
        ..record(false, 100, 105)
    };
    let (_, connection) = claim(&mut script, record, json!({}));

    log(&mut script, [121, 122, 123]);
    script.expect_nothing(connection);
    log(&mut script, [124]);

    assert_eq!(read(&script.take(connection)), (vec![124], None));
    nothing_leaks(&mut script);
}

// Proves: AK-4, AK-7
#[test]
fn a_session_that_began_ahead_of_this_engine_gets_nothing_from_before() {
    let mut script = engine(120);
    let (_, connection) = claim(&mut script, record(true, 122, 120), ack(0));

    log(&mut script, [121, 122]);
    script.expect_nothing(connection);
    log(&mut script, [123]);

    assert_eq!(read(&script.take(connection)), (vec![123], Some(1)));
    nothing_leaks(&mut script);
}

#[test]
fn a_session_ahead_of_this_engine_is_given_back_as_it_came() {
    let mut script = engine(120);
    let record = released_at(123, record(false, 100, 105));
    let (client, connection) = claim(&mut script, record, json!({}));

    drain(&mut script, 0);

    assert_eq!(released(&mut script), [(name(&client), at(123))]);
    assert_eq!(read(&script.take(connection)), (vec![], None));
}

#[test]
fn a_released_session_ahead_of_this_engine_gets_nothing_twice() {
    let mut script = engine(120);
    let record = released_at(123, record(false, 100, 105));
    let (_, connection) = claim(&mut script, record, json!({}));
    assert!(!script.has_store_requests());

    log(&mut script, [121, 122, 123]);
    script.expect_nothing(connection);
    log(&mut script, [124]);

    assert_eq!(read(&script.take(connection)), (vec![124], None));
    nothing_leaks(&mut script);
}

// Proves: SU-9
#[test]
fn a_subscription_newer_than_what_this_engine_has_seen_begins_where_it_began() {
    for acknowledged in [false, true] {
        let mut script = engine(120);
        let (_, connection) = claim(&mut script, record(acknowledged, 120, 123), ack(0));
        assert!(!script.has_store_requests());

        log(&mut script, [121, 122, 123]);
        script.expect_nothing(connection);
        log(&mut script, [124]);

        let number = acknowledged.then_some(4);
        assert_eq!(read(&script.take(connection)), (vec![124], number));
        nothing_leaks(&mut script);
    }
}

// Proves: AK-7, DE-3
#[test]
fn an_engine_that_lags_behind_waits_for_what_the_client_has_already() {
    let mut script = engine(120);
    let (_, connection) = claim(&mut script, record(true, 100, 105), ack(25));
    assert!(!script.has_store_requests());

    log(&mut script, 121..=124);
    script.after(1_999).expect_nothing(connection);
    log(&mut script, 125..=127);

    assert_eq!(read(&script.take(connection)), (vec![126, 127], Some(27)));
    nothing_leaks(&mut script);
}

// Proves: AK-7, DE-3
#[test]
fn a_number_that_never_was_does_not_silence_a_claimed_session() {
    let mut script = engine(120);
    let (client, connection) = claim(&mut script, record(true, 100, 105), ack(1_000_000));

    script.after(1_999).expect_nothing(connection);
    script.after(1);
    log(&mut script, [121]);

    assert_eq!(read(&script.take(connection)), (vec![121], Some(21)));
    let connection = script.connect_with(&client, ack(20));
    assert_eq!(read(&script.take(connection)), (vec![121], Some(21)));
    nothing_leaks(&mut script);
}

// Proves: AK-4
#[test]
fn what_comes_while_the_log_is_read_stands_behind_it() {
    let mut script = engine(120);
    let (_, connection) = claim(&mut script, record(true, 100, 105), ack(10));
    let ticket = is_read(&mut script, 110, 120);

    log(&mut script, [121, 122]);
    script.expect_nothing(connection);
    script.stored(ticket, StoreReply::Entries(entries([111, 120])));

    assert_eq!(
        read(&script.take(connection)),
        (vec![111, 120, 121, 122], Some(22))
    );
    nothing_leaks(&mut script);
}

// Proves: SV-3
#[test]
fn what_was_delivered_to_a_session_is_read_with_what_was_published() {
    let mut script = engine(120);
    let (_, connection) = claim(&mut script, record(true, 100, 105), ack(10));
    let ticket = is_read(&mut script, 110, 120);
    let delivered = Entry {
        to: Destination::Session(session_id()),
        ..entry(113)
    };

    script.stored(
        ticket,
        StoreReply::Entries(vec![entry(111), delivered, entry(115)]),
    );

    assert_eq!(
        read(&script.take(connection)),
        (vec![111, 113, 115], Some(20))
    );
    nothing_leaks(&mut script);
}

// Proves: AK-4, AK-8, CN-9
#[test]
fn a_connect_that_waits_for_the_log_to_be_read_may_be_overtaken() {
    let mut script = engine(120);
    let (client, older) = claim(&mut script, record(true, 100, 105), ack(10));
    let ticket = is_read(&mut script, 110, 120);
    let newer = script.connect_with(&client, ack(15));
    script.expect_closed(older, CloseReason::Duplicate);

    script.stored(ticket, StoreReply::Entries(entries([111, 115, 120])));

    assert_eq!(read(&script.take(newer)), (vec![120], Some(20)));
    assert_eq!(script.try_take(older), None);
    nothing_leaks(&mut script);
}

#[test]
fn a_claimed_websocket_session_is_pushed_what_was_read() {
    let mut script = engine(120);
    let record = released_at(110, record(false, 100, 105));
    let (_, socket) = claim_over(&mut script, SOCKET, record, json!({"id": "c"}));
    let ticket = is_read(&mut script, 110, 120);
    log(&mut script, [121]);
    script.expect_nothing(socket);

    script.stored(ticket, StoreReply::Entries(entries([115])));

    let frame = script.take(socket);
    assert_eq!(
        frame,
        json!([event("/news", json!(115)), event("/news", json!(121))])
    );
}

// Proves: QU-6, PB-7
#[test]
fn what_is_read_is_as_lazy_and_as_quiet_as_it_was() {
    let rule = |pattern: &str| ChannelRule {
        pattern: pattern.parse().unwrap(),
        lazy: None,
        broadcast_to_publisher: None,
        persistent: false,
    };
    let mut script = Script::with_scripted_store(Config {
        channels: vec![
            ChannelRule {
                lazy: Some(Duration::from_secs(1)),
                ..rule("/slow")
            },
            ChannelRule {
                broadcast_to_publisher: Some(Echo::ToOthers),
                ..rule("/quiet")
            },
        ],
        ..Config::default()
    });
    script.notify(Notice::Up { position: at(120) });
    let to = |channel: &str, position| Entry {
        origin: Some(session_id()),
        to: Destination::Channel(channel.parse().unwrap()),
        ..entry(position)
    };
    let (_, connection) = claim(&mut script, record(true, 100, 105), ack(0));
    let ticket = is_read(&mut script, 100, 120);

    script.stored(
        ticket,
        StoreReply::Entries(vec![
            to("/quiet", 110),
            Entry {
                echo: Echo::ToOthers,
                ..to("/news", 111)
            },
            to("/slow", 112),
            Entry {
                laziness: Laziness::Lazy,
                ..to("/news", 113)
            },
        ]),
    );

    script.after(999).expect_nothing(connection);
    script.after(1);
    assert_eq!(read(&script.take(connection)), (vec![112, 113], Some(20)));
    nothing_leaks(&mut script);
}

// Proves: QU-5
#[test]
fn what_is_read_does_not_exceed_the_bounds_of_a_queue() {
    let mut config = Config::default();
    config.limits.max_queued_events = 3;
    let mut script = Script::with_scripted_store(config);
    script.notify(Notice::Up { position: at(120) });
    let (_, connection) = claim(&mut script, record(true, 100, 105), ack(0));
    let ticket = is_read(&mut script, 100, 120);

    script.stored(ticket, StoreReply::Entries(entries(106..=110)));

    is_told_to_handshake(&script.take(connection));
    done(&mut script);
    nothing_leaks(&mut script);
}

#[test]
fn a_gap_ends_the_session() {
    for transport in [HTTP, SOCKET] {
        let mut script = engine(120);
        let (_, connection) = claim_over(&mut script, transport, record(true, 100, 105), ack(1));
        let ticket = is_read(&mut script, 101, 120);

        script.stored(ticket, StoreReply::Gap);

        is_told_to_handshake(&script.take(connection));
        let (_, request) = script.take_store();
        assert!(matches!(
            request,
            StoreRequest::End { session, fence: Fence(3) } if session == session_id()
        ));
        assert_eq!(script.engine().load().sessions, 0);
        nothing_leaks(&mut script);
    }
}

// Proves: ER-7, WS-12
#[test]
fn a_session_that_cannot_be_read_is_given_back() {
    for transport in [HTTP, SOCKET] {
        for late in [false, true] {
            let mut script = engine(120);
            let (_, connection) =
                claim_over(&mut script, transport, record(true, 100, 105), ack(10));
            let ticket = is_read(&mut script, 110, 120);

            if late {
                script.after(5_000);
            } else {
                script.stored(ticket, StoreReply::Failed);
            }

            script.expect_closed(connection, CloseReason::Unavailable);
            assert_eq!(script.try_take(connection), None);
            let (_, request) = script.take_store();
            assert!(matches!(
                request,
                StoreRequest::Release { fence: Fence(3), cursor, .. } if cursor == at(110)
            ));
            if late {
                script.stored(ticket, StoreReply::Entries(entries([115])));
            }
            assert_eq!(script.engine().load().sessions, 0);
            nothing_leaks(&mut script);
        }
    }
}

// Proves: CN-10
#[test]
fn a_session_that_nobody_has_is_unknown() {
    let mut script = engine(120);
    let client = stranger(&mut script, HTTP);
    let connect = script.connect(&client);
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Unknown);
    is_told_to_handshake(&script.take(connect));

    let publish = script.publish_as(&client, "/news", json!(0));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Unknown);
    let reply = script.take(publish);
    assert_eq!(reply[0]["error"], "402::session_unknown");
    assert_eq!(reply[0].get("advice"), None);
    nothing_leaks(&mut script);
}

// Proves: ER-7, WS-12
#[test]
fn a_claim_that_fails_is_an_outage() {
    for transport in [HTTP, SOCKET] {
        for late in [false, true] {
            let mut script = engine(120);
            let client = stranger(&mut script, transport);
            let connection = script.connect(&client);
            let (ticket, _) = script.take_store();

            if late {
                script.after(5_000);
            } else {
                script.stored(ticket, StoreReply::Failed);
            }

            script.expect_closed(connection, CloseReason::Unavailable);
            assert_eq!(script.try_take(connection), None);
            if late {
                // Too late, but nobody else has it now: it is kept as if its client had gone away.
                let record = Box::new(record(true, 100, 105));
                script.stored(ticket, StoreReply::Claimed(record));
                assert_eq!(script.engine().load().sessions, 1);
                assert!(!script.has_store_requests());
                script.after(10_000);
                let (_, request) = script.take_store();
                assert!(matches!(request, StoreRequest::End { .. }), "{request:?}");
            }
            nothing_leaks(&mut script);
        }
    }
}

// Proves: ER-7
#[test]
fn close_reasons_of_an_outage_say_503_and_1013() {
    assert_eq!(CloseReason::Unavailable.http_status(500), 503);
    assert_eq!(CloseReason::Unavailable.close_code(), 1013);
    assert_eq!(CloseReason::Duplicate.http_status(500), 500);
    assert_eq!(CloseReason::Duplicate.http_status(409), 409);
}

// Proves: AK-4
#[test]
fn a_number_does_not_fall_because_this_engine_lags_behind() {
    let mut script = engine(108);
    let record = released_at(112, record(true, 100, 105));

    let (_, connection) = claim(&mut script, record, json!({"advice": {"timeout": 0}}));

    assert_eq!(read(&script.take(connection)), (vec![], Some(12)));
    nothing_leaks(&mut script);
}

// Proves: AK-7, DE-3
#[test]
fn an_engine_that_stood_still_looks_at_the_log_before_it_gives_up_on_a_number() {
    let mut script = engine(106);
    let (_, connection) = claim(&mut script, record(true, 100, 105), ack(7));

    script.oversleep(10_000);
    log(&mut script, [107, 108]);

    assert_eq!(read(&script.take(connection)), (vec![108], Some(8)));
    nothing_leaks(&mut script);
}

// Proves: ER-7
#[test]
fn a_connect_that_has_not_begun_as_its_session_is_given_back_is_to_try_elsewhere() {
    let mut script = Script::with_scripted_store(Config {
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Incoming,
        }],
        ..Config::default()
    });
    script.notify(Notice::Up { position: at(120) });
    let client = client(HTTP, None);
    let first = script.connect(&client);
    let (claimed, _) = script.take_store();
    script.stored(
        claimed,
        StoreReply::Claimed(Box::new(record(true, 100, 105))),
    );
    script.decide(Verdict::Allow);
    let ticket = is_read(&mut script, 100, 120);
    let second = script.connect(&client);

    script.stored(ticket, StoreReply::Failed);
    script.decide(Verdict::Allow);

    for connection in [first, second] {
        script.expect_closed(connection, CloseReason::Unavailable);
        assert_eq!(script.try_take(connection), None);
    }
    nothing_leaks(&mut script);
}

// Proves: CN-4, BR-8, PL-6
#[test]
fn a_connect_that_is_not_held_brings_what_was_read_once_that_is_decided_on() {
    for late in [false, true] {
        let decider = Decider {
            id: DeciderId(1),
            role: Role::SessionOutgoing,
        };
        let mut script = Script::with_scripted_store(Config {
            deciders: vec![decider],
            ..Config::default()
        });
        script.notify(Notice::Up { position: at(120) });
        let mut record = record(true, 100, 105);
        Arc::make_mut(&mut record.settings).outgoing = vec![DeciderId(1)];
        let ask = json!({"ext": {"ack": 0}, "advice": {"timeout": 0}});
        let (_, connection) = claim(&mut script, record, ask);

        let ticket = is_read(&mut script, 100, 120);
        script.stored(ticket, StoreReply::Entries(entries([115])));

        script.expect_nothing(connection);
        if late {
            script.after(10_000);
        } else {
            script.decide(Verdict::Allow);
        }
        assert_eq!(read(&script.take(connection)), (vec![115], Some(20)));
        nothing_leaks(&mut script);
    }
}

// Proves: CN-4, QU-5
#[test]
fn what_is_dropped_while_it_is_decided_on_holds_no_connect_back() {
    let decider = Decider {
        id: DeciderId(1),
        role: Role::SessionOutgoing,
    };
    let mut config = Config {
        deciders: vec![decider],
        queue_policy: bayeux_core::QueuePolicy::DropOldest,
        ..Config::default()
    };
    config.limits.max_queued_events = 2;
    let mut script = Script::with_scripted_store(config);
    script.notify(Notice::Up { position: at(120) });
    let mut record = released_at(114, record(false, 100, 105));
    Arc::make_mut(&mut record.settings).outgoing = vec![DeciderId(1)];
    let (_, connection) = claim(&mut script, record, json!({"advice": {"timeout": 0}}));
    let read = is_read(&mut script, 114, 120);
    script.stored(read, StoreReply::Entries(entries([115, 116])));
    let [(first, _), (second, _)] = [(); 2].map(|()| script.take_question());
    let verdict = Verdict::Allow;
    script.fact(Input::Decided {
        ticket: second,
        verdict,
    });
    log(&mut script, [121]);
    script.expect_nothing(connection);

    let verdict = Verdict::Allow;
    script.fact(Input::Decided {
        ticket: first,
        verdict,
    });

    let reply = script.take(connection);
    assert_eq!(reply[0]["data"], 116, "{reply}");
    assert_eq!(reply[1]["channel"], "/meta/connect", "{reply}");
}

// Proves: CN-4, CN-9
#[test]
fn a_newer_connect_waits_for_what_was_read_and_is_being_decided_on_too() {
    let decider = Decider {
        id: DeciderId(1),
        role: Role::SessionOutgoing,
    };
    let mut script = Script::with_scripted_store(Config {
        deciders: vec![decider],
        ..Config::default()
    });
    script.notify(Notice::Up { position: at(120) });
    let mut record = record(true, 100, 105);
    Arc::make_mut(&mut record.settings).outgoing = vec![DeciderId(1)];
    let ask = json!({"ext": {"ack": 0}, "advice": {"timeout": 0}});
    let (client, first) = claim(&mut script, record, ask.clone());
    let ticket = is_read(&mut script, 100, 120);
    script.stored(ticket, StoreReply::Entries(entries([115])));

    let second = script.connect_with(&client, ask.clone());
    let third = script.connect_with(&client, ask);

    for older in [first, second] {
        script.expect_closed(older, CloseReason::Duplicate);
    }
    script.expect_nothing(third);
    script.decide(Verdict::Allow);
    assert_eq!(read(&script.take(third)), (vec![115], Some(20)));
    nothing_leaks(&mut script);
}

// Proves: RC-3
#[test]
fn another_answer_takes_nothing_along_while_the_log_is_read() {
    let mut script = engine(120);
    let record = released_at(110, record(false, 100, 105));
    let (client, socket) = claim_over(&mut script, SOCKET, record, json!({"id": "c"}));
    let ticket = is_read(&mut script, 110, 120);
    log(&mut script, [121]);

    let service = json!({"channel": "/service/x", "clientId": client.session, "data": 0});
    let exchange = script.post(service);

    assert_eq!(read(&script.take(exchange)), (vec![], None));
    script.stored(ticket, StoreReply::Entries(entries([115])));
    assert_eq!(read(&script.take(socket)), (vec![115, 121], None));
}

// Proves: WS-5
#[test]
fn with_a_handshake_required_for_each_socket_no_session_is_looked_for_elsewhere() {
    let mut script = Script::with_scripted_store(Config {
        require_handshake_per_connection: true,
        ..Config::default()
    });
    let client = stranger(&mut script, SOCKET);

    let socket = script.publish_as(&client, "/news", json!(1));

    assert_eq!(script.take(socket)[0]["error"], "402::session_unknown");
    assert!(!script.has_store_requests());
    nothing_leaks(&mut script);
}
