//! The store goes away, and comes back.

use super::rig::*;
use super::*;

// Proves: ER-7, TM-3
#[test]
fn while_the_store_is_away_holds_stay_and_clocks_stand() {
    let mut script = engine(120);
    let holder = own(&mut script, HTTP, json!({}));
    let absent = own(&mut script, HTTP, json!({"ack": true}));
    let held = script.connect(&holder);
    script.after(9_000);

    script.notify(Notice::Down);
    script.after(20_999).expect_nothing(held);
    script.after(1);
    assert_eq!(script.take(held)[0]["successful"], true);
    let held = script.connect(&holder);
    script.after(3_600_000);
    assert_eq!(script.take(held)[0]["successful"], true);
    assert_eq!(script.engine().load().sessions, 2);
    script.notify(Notice::Up { position: at(120) });

    // The clock goes on where it stood.
    script.after(999);
    assert_eq!(script.engine().load().sessions, 2);
    let connection = script.connect_with(&absent, ack(0));
    script.expect_nothing(connection);
    log(&mut script, [121]);
    assert_eq!(read(&script.take(connection)), (vec![121], Some(1)));
    nothing_leaks(&mut script);
}

// Proves: ER-7, HS-17
#[test]
fn while_the_store_is_away_what_needs_it_fails_at_once() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let held = script.connect(&client);
    script.notify(Notice::Down);
    let session = &client.session;

    for message in [
        json!({"channel": "/news", "clientId": session, "data": 1}),
        subscribe(&client, "/more"),
        json!({"channel": "/meta/unsubscribe", "clientId": session, "subscription": "/news"}),
    ] {
        let exchange = script.request(&client, message.clone());
        let reply = script.take(exchange);
        assert_eq!(reply[0]["error"], "503::unavailable", "{message}");
        assert_eq!(reply[0].get("advice"), None);
    }
    let exchange = script.post(json!({"channel": "/meta/handshake", "version": "1.0"}));
    let reply = script.take(exchange);
    assert_eq!(reply[0]["error"], "503::unavailable");
    assert_eq!(reply[0]["advice"]["reconnect"], "handshake");
    let call = Call::Publish {
        channel: "/news".parse().unwrap(),
        data: Payload::from(json!(0)),
        ext: None,
        laziness: Laziness::Prompt,
    };
    assert_eq!(script.call(call), CallResult::Unavailable);
    assert!(!script.has_store_requests());
    script.expect_nothing(held);

    // What was not unsubscribed is still subscribed.
    script.notify(Notice::Up { position: at(120) });
    log(&mut script, [121]);
    assert_eq!(read(&script.take(held)).0, [121]);
    nothing_leaks(&mut script);
}

// Proves: ER-7, WS-12
#[test]
fn a_connect_that_would_have_to_be_claimed_waits_for_nothing() {
    for transport in [HTTP, SOCKET] {
        let mut script = engine(120);
        script.notify(Notice::Down);
        let client = stranger(&mut script, transport);

        let publish = script.publish_as(&client, "/x", json!(0));
        assert_eq!(script.take(publish)[0]["error"], "503::unavailable");
        let connect = script.connect(&client);

        script.expect_closed(connect, CloseReason::Unavailable);
        assert!(!script.has_store_requests());
        nothing_leaks(&mut script);
    }
}

#[test]
fn a_log_that_went_on_unseen_is_a_gap() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let held = script.connect(&client);
    script.notify(Notice::Down);

    script.notify(Notice::Up { position: at(121) });

    is_told_to_handshake(&script.take(held));
    assert_eq!(script.engine().load().sessions, 0);
    nothing_leaks(&mut script);
}

#[test]
fn what_waits_for_the_log_of_an_engine_without_sessions_goes_on_where_the_log_does() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let published = script.publish_as(&client, "/news", json!(1));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Appended(at(125)));
    script.expect_nothing(published);
    script.post(json!({"channel": "/meta/disconnect", "clientId": client.session}));
    done(&mut script);

    script.notify(Notice::Down);
    script.notify(Notice::Up { position: at(125) });

    assert_eq!(script.take(published)[0]["successful"], true);
    nothing_leaks(&mut script);
}

#[test]
fn a_session_of_the_applications_own_follows_the_log_that_comes_after_a_lost_one() {
    let mut script = engine(120);
    let (connection, opened) = script.open_local();
    let CallResult::Opened(session) = opened else {
        panic!("{opened:?}")
    };
    let pattern = "/news".parse().unwrap();
    script.call(Call::Subscribe { session, pattern });

    script.notify(Notice::Reset { position: at(3) });
    log(&mut script, [4]);

    assert_eq!(script.take(connection), json!([event("/news", json!(4))]));
}

#[test]
fn the_loss_of_the_log_sends_everybody_to_handshake_spread_over_time() {
    let mut script = engine(120);
    let mut held = Vec::new();
    for _ in 0..20 {
        let client = own(&mut script, HTTP, json!({}));
        held.push(script.connect(&client));
        let client = own(&mut script, SOCKET, json!({}));
        held.push(script.connect(&client));
    }
    let away = own(&mut script, HTTP, json!({}));

    script.notify(Notice::Reset { position: at(3) });

    let mut intervals = Vec::new();
    for connection in held {
        let reply = script.take(connection);
        is_told_to_handshake(&reply);
        intervals.push(reply[0]["advice"]["interval"].as_u64().unwrap());
        script.expect_nothing(connection);
    }
    assert!(intervals.iter().all(|interval| *interval <= 5_000));
    assert!(intervals.iter().max() > intervals.iter().min());
    while script.has_store_requests() {
        done(&mut script);
    }
    let connection = script.connect(&away);
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Unknown);
    is_told_to_handshake(&script.take(connection));
    // The new log is followed from where it begins.
    let client = own(&mut script, HTTP, json!({"ack": true}));
    let held = script.connect_with(&client, ack(0));
    log(&mut script, [4]);
    assert_eq!(read(&script.take(held)), (vec![4], Some(1)));
    nothing_leaks(&mut script);
}

// Proves: ER-7
#[test]
fn whoever_comes_back_after_the_loss_of_the_log_is_spread_over_time_too() {
    let mut script = engine(120);
    let away: Vec<_> = (0..20).map(|_| own(&mut script, HTTP, json!({}))).collect();
    script.notify(Notice::Reset { position: at(3) });
    while script.has_store_requests() {
        done(&mut script);
    }
    let comes_back = |script: &mut Script, client| {
        let connection = script.connect(client);
        let (ticket, _) = script.take_store();
        script.stored(ticket, StoreReply::Unknown);
        let reply = script.take(connection);
        is_told_to_handshake(&reply);
        reply[0]["advice"]["interval"].as_u64().unwrap()
    };

    let intervals: Vec<_> = away
        .iter()
        .map(|client| comes_back(&mut script, client))
        .collect();

    assert!(intervals.iter().all(|interval| *interval <= 5_000));
    assert!(intervals.iter().max() > intervals.iter().min());
    // Who was away for longer than a session lives is no news of that loss.
    // Until it cannot live any more: the timeout and the grace, there being no interval.
    script.at(39_999);
    let last = [0; 5].map(|_| comes_back(&mut script, &away[0]));
    assert_ne!(last, [0; 5]);
    script.at(40_000);
    let late = [0; 5].map(|_| comes_back(&mut script, &away[0]));
    assert_eq!(late, [0; 5]);
    nothing_leaks(&mut script);
}

// Proves: ER-7
#[test]
fn clients_that_may_take_for_ever_are_spread_too() {
    let mut script = Script::with_scripted_store(Config {
        timeout: Duration::MAX,
        interval: Duration::MAX,
        max_interval: Duration::MAX,
        ..Config::default()
    });
    script.notify(Notice::Up { position: at(120) });
    let client = own(&mut script, HTTP, json!({}));
    let advice = json!({"advice": {"timeout": 0, "interval": 1}});
    let connection = script.connect_with(&client, advice);
    script.take(connection);

    script.notify(Notice::Reset { position: at(3) });

    while script.has_store_requests() {
        done(&mut script);
    }
    let connection = script.connect(&client);
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Unknown);
    is_told_to_handshake(&script.take(connection));
}

// Proves: ER-7
#[test]
fn clients_that_take_longer_are_spread_for_longer() {
    let mut by_transport = Config::default();
    by_transport.callback_polling.max_interval = Some(Duration::from_secs(100));
    let usual = Config::default();
    for (config, interval) in [(by_transport, None), (usual, Some(60_000))] {
        let mut script = Script::with_scripted_store(config);
        script.notify(Notice::Up { position: at(120) });
        let client = own(&mut script, HTTP, json!({}));
        let advice = json!({"advice": {"timeout": 0, "interval": interval}});
        let connection = script.connect_with(&client, advice);
        script.take(connection);
        script.notify(Notice::Reset { position: at(3) });
        while script.has_store_requests() {
            done(&mut script);
        }

        script.at(90_000);

        let intervals: Vec<_> = (0..20)
            .map(|_| {
                let connection = script.connect(&client);
                let (ticket, _) = script.take_store();
                script.stored(ticket, StoreReply::Unknown);
                let reply = script.take(connection);
                reply[0]["advice"]["interval"].as_u64().unwrap()
            })
            .collect();
        assert!(intervals.iter().max() > intervals.iter().min());
        nothing_leaks(&mut script);
    }
}

// Proves: ER-7, AK-7
#[test]
fn an_engine_without_the_store_resends_nothing_to_a_client_that_has_been_elsewhere() {
    for transport in [HTTP, SOCKET] {
        let mut script = engine(120);
        let client = own(&mut script, transport, json!({"ack": true}));
        log(&mut script, [121, 122]);
        script.notify(Notice::Down);

        let connection = script.connect_with(&client, ack(5));

        script.expect_closed(connection, CloseReason::Unavailable);
        assert_eq!(script.try_take(connection), None);
        script.notify(Notice::Up { position: at(122) });
        log(&mut script, 123..=125);
        let client = Client {
            socket: None,
            transport: HTTP,
            ..client
        };
        let connection = script.connect_with(&client, ack(5));
        log(&mut script, [126]);
        assert_eq!(read(&script.take(connection)), (vec![126], Some(6)));
        nothing_leaks(&mut script);
    }
}

// Proves: RC-5
#[test]
fn a_request_that_waits_behind_another_ends_with_its_socket() {
    let mut script = engine(120);
    let client = own(&mut script, SOCKET, Value::Null);
    let socket = client.socket.unwrap();
    script.publish_as(&client, "/news", json!(121));
    script.connect(&client);
    let (ticket, _) = script.take_store();

    script.hang_up(socket);
    script.stored(ticket, StoreReply::Appended(at(121)));
    log(&mut script, [121]);

    assert_eq!(script.engine().load().requests, 0);
    nothing_leaks(&mut script);
}

#[test]
fn an_entry_that_was_seen_before_is_not_seen_again() {
    let mut script = engine(120);
    let client = own(&mut script, SOCKET, json!({}));

    log(&mut script, [121]);
    log(&mut script, [121, 122]);

    let socket = client.socket.unwrap();
    assert_eq!(script.take(socket), json!([event("/news", json!(121))]));
    assert_eq!(script.take(socket), json!([event("/news", json!(122))]));
    script.expect_nothing(socket);
}

// Proves: ER-7
#[test]
fn the_clock_of_a_session_stands_through_every_outage() {
    let mut script = engine(120);
    own(&mut script, HTTP, json!({}));
    for outage in [30_000, 1_000, 20_000] {
        script.notify(Notice::Down).after(outage);
        script.notify(Notice::Up { position: at(120) }).after(3_000);
        assert_eq!(script.engine().load().sessions, 1, "{outage}");
    }

    script.after(1_000);

    assert_eq!(script.engine().load().sessions, 0);
    nothing_leaks(&mut script);
}

// Proves: ER-7
#[test]
fn a_number_that_this_engine_has_seen_is_served_without_the_store() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({"ack": true}));
    log(&mut script, [121]);
    script.notify(Notice::Down);

    let held = script.connect_with(&client, ack(1));

    script.expect_nothing(held);
    script.after(30_000);
    assert_eq!(read(&script.take(held)), (vec![], Some(1)));
}

#[test]
fn while_the_store_is_away_nothing_is_tried_again() {
    let mut script = engine(120);
    let client = connected_by_hand(&mut script);
    script.notify(Notice::Down);

    script.post(json!({"channel": "/meta/disconnect", "clientId": client.session}));

    assert_eq!(script.engine().load().debts, 1);
    assert_eq!(script.engine().poll_timeout(), None);
    script.notify(Notice::Up { position: at(120) });
    nothing_leaks(&mut script);
}

// Proves: CN-12, ER-7
#[test]
fn advice_for_the_connect_of_a_session_that_has_gone_is_for_that_connect_alone() {
    let mut script = engine(120);
    let client = connected_by_hand(&mut script);
    let decider = Decider {
        id: DeciderId(1),
        role: Role::Incoming,
    };
    let change = Change::AddDecider(decider);
    script.fact(Input::Configured { change });
    let session = &client.session;
    let exchange = script.post(json!([
        {"channel": "/news", "clientId": session, "data": 1},
        {"channel": "/meta/connect", "clientId": session, "connectionType": "long-polling"},
    ]));
    let change = Change::RemoveDecider(DeciderId(1));
    script.fact(Input::Configured { change });
    script.notify(Notice::Down);
    script.post(json!({"channel": "/meta/disconnect", "clientId": session}));

    script.decide(Verdict::Allow);

    let replies = script.take(exchange);
    assert_eq!(replies[0]["error"], "402::session_unknown");
    assert_eq!(replies[0].get("advice"), None);
    assert_eq!(replies[1]["advice"], json!({"reconnect": "none"}));
}

#[test]
fn what_waits_for_an_answer_as_its_socket_is_given_up_leaves_no_trace() {
    let mut script = Script::with_scripted_store(Config {
        allow_connectionless_publish: true,
        ..Config::default()
    });
    let socket = script.open(SOCKET);
    script.send(socket, json!({"channel": "/news", "data": 1}));
    let (ticket, _) = script.take_store();
    script.notify(Notice::Down);
    let connect = json!({
        "channel": "/meta/connect", "clientId": session_id().text().to_string(),
        "connectionType": "websocket",
    });

    // The close is carried out only after the store has answered.
    script.facts([
        Input::Received {
            connection: socket,
            messages: Messages::decode(connect.to_string(), &DecodeLimits::default()).unwrap(),
        },
        Input::Stored {
            ticket,
            reply: StoreReply::Appended(at(1)),
        },
    ]);

    script.expect_closed(socket, CloseReason::Unavailable);
    assert_eq!(script.engine().load().requests, 0);
}
