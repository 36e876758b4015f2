//! How long a session lives without its client (section 15).

use core::time::Duration;

use bayeux_core::testing::event;
use bayeux_core::{CloseReason, Phase, Removal, ReportKind, TransportOptions, Verdict};
use serde_json::json;

use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn expect_lives_until(script: &mut Script, client: &Client, millis: u64) {
    script.at(millis - 1);
    assert!(lives(script, client), "it is gone before {millis}");
    script.at(millis);
    assert!(!lives(script, client), "it is there after {millis}");
}

fn configure(script: &mut Script, client: &Client, interval: u64, max_interval: u64) {
    script.call(Call::Configure {
        session: session(client),
        timeout: None,
        interval: Some(ms(interval)),
        max_interval: Some(ms(max_interval)),
    });
}

// Proves: TM-1
#[test]
fn the_times_are_those_of_cometd_unless_they_are_set() {
    let config = Config::default();

    assert_eq!(config.timeout, ms(30_000));
    assert_eq!(config.interval, ms(0));
    assert_eq!(config.max_interval, ms(10_000));
    assert_eq!(config.max_processing, None);
    assert_eq!(config.sweep_period, ms(997));
    assert_eq!(config.max_lazy_timeout, ms(5_000));
}

// Proves: TM-1, TM-3, AD-8
#[test]
fn a_session_lives_for_interval_and_grace_after_the_answer_to_its_connect() {
    // Of the server, of the transport, of the session; what the client asks for; and what counts.
    let own = Some((700, 7_000));
    for (transport, session, asked, expected) in [
        (None, None, None, 15_000),
        (Some((300, 3_000)), None, None, 3_300),
        (Some((300, 3_000)), own, None, 7_700),
        (None, own, None, 7_700),
        (None, None, Some(1_000), 11_000),
        (None, None, Some(60_000), 70_000),
        (None, None, Some(60_001), 70_000),
        (None, None, Some(u64::from(u32::MAX)), 70_000),
        (None, own, Some(0), 7_000),
    ] {
        for carrier in TRANSPORTS {
            let mut config = Config {
                interval: ms(5_000),
                ..Config::default()
            };
            let options = TransportOptions {
                interval: transport.map(|(interval, _)| ms(interval)),
                max_interval: transport.map(|(_, grace)| ms(grace)),
                ..TransportOptions::default()
            };
            config.long_polling = options;
            config.callback_polling = options;
            config.websocket = options;
            let mut script = Script::new(config);
            let alice = script.connected_over(carrier, Value::Null);
            if let Some((interval, grace)) = session {
                configure(&mut script, &alice, interval, grace);
            }
            let advice = asked.map(|asked| json!({"interval": asked, "timeout": 0}));
            let advice = advice.unwrap_or(json!({"timeout": 0}));

            let reply = script.connect_with(&alice, json!({"advice": advice}));

            script.take(reply);
            expect_lives_until(&mut script, &alice, expected);
            script.expect_no_trace();
        }
    }
}

// Proves: TM-3
#[test]
fn what_a_client_asks_for_holds_for_one_connect() {
    let mut script = script();
    let alice = script.connected();
    let advice = json!({"interval": 20_000, "timeout": 0});
    script.connect_with(&alice, json!({"advice": advice}));

    script.at(5_000);
    connect_briefly(&mut script, &alice, "c");

    expect_lives_until(&mut script, &alice, 15_000);
    script.expect_no_trace();
}

// Proves: TM-3
#[test]
fn the_clock_of_a_new_session_starts_with_the_answer_to_its_handshake() {
    let mut script = script();
    ask(&mut script, Role::Outgoing);
    let handshake = script.post(json!({"id": "h", "channel": "/meta/handshake"}));
    ask_nobody(&mut script);

    script.at(9_000).decide(Verdict::Allow);

    let reply = script.take(handshake);
    let session = reply[0]["clientId"].as_str().unwrap().to_string();
    let alice = Client {
        session,
        transport: POLLING,
        socket: None,
        peer: <_>::default(),
    };

    expect_lives_until(&mut script, &alice, 19_000);
    script.expect_no_trace();
}

// Proves: TM-2
#[test]
fn no_clock_runs_while_a_connect_is_held_or_worked_on() {
    for slow in [None, Some(Slow::Incoming), Some(Slow::Outgoing)] {
        for transport in TRANSPORTS {
            let config = Config {
                max_interval: ms(1_000),
                ..Config::default()
            };
            let mut script = Script::new(config);
            let alice = script.connected_over(transport, Value::Null);

            match slow {
                None => connect(&mut script, &alice, "c"),
                Some(slow) => connect_slowly(&mut script, &alice, "c", slow),
            };

            script.at(9_999);
            assert!(lives(&mut script, &alice), "{slow:?} {transport:?}");
            if let Some(slow) = slow {
                unblock(&mut script, slow);
                assert_eq!(phase(&mut script, &alice), Some(Phase::Held));
            }
            script.expect_no_trace();
        }
    }
}

// Proves: TM-4
#[test]
fn a_peer_that_reads_nothing_expires_and_is_cut() {
    for transport in TRANSPORTS {
        for ack in [Value::Null, json!({"ack": true})] {
            let mut script = script();
            let alice = script.connected_over(transport, ack.clone());
            script.subscribe(&alice, "/news");
            let held = connect(&mut script, &alice, "c");
            script.write_by_hand().at(1_000).publish("/news", json!(1));
            script.take(held);
            let answered = transport.is_exchange() || !ack.is_null();
            let gone_at = if answered { 11_000 } else { 40_000 };

            expect_lives_until(&mut script, &alice, gone_at);

            script.expect_closed(held, CloseReason::SessionOver);
            script.expect_no_trace();
        }
    }
}

// Proves: TM-3, TM-4
#[test]
fn the_clock_starts_anew_when_the_answer_is_written() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = script.connected_over(transport, Value::Null);
        script.write_by_hand();
        let reply = connect_briefly(&mut script, &alice, "c");

        script.at(8_000).written(reply);

        expect_lives_until(&mut script, &alice, 18_000);
        script.expect_no_trace();
    }
}

// Proves: TM-5
#[test]
fn any_other_message_of_the_session_extends_its_life_to_the_grace() {
    for (sent_at, valid, expected) in [
        (4_000, true, 15_000),
        (6_000, true, 16_000),
        (14_999, true, 24_999),
        (6_000, false, 15_000),
    ] {
        let config = Config {
            interval: ms(5_000),
            ..Config::default()
        };
        let mut script = Script::new(config);
        let alice = script.connected();
        let mut sender = alice.clone();
        if !valid {
            sender.session = "0123456789012345678901234".to_string();
        }

        script.at(sent_at);
        script.publish_as(&sender, "/other", json!(1));

        expect_lives_until(&mut script, &alice, expected);
        script.expect_no_trace();
    }
}

// Proves: TM-6, CN-13
#[test]
fn a_swept_session_leaves_its_channels_and_its_client_is_told_nothing() {
    for transport in TRANSPORTS {
        let mut script = script();
        let alice = reader(&mut script, transport);
        script.reports();

        script.at(10_000);

        let reports = script.reports();
        let removed = ReportKind::SessionRemoved(session(&alice), Removal::Expired);
        assert!(reports.contains(&removed), "{reports:?}");
        let pattern = "/news".parse().unwrap();
        let subscribers = script.call(Call::ListSubscribers {
            pattern,
            from: 0,
            limit: 9,
        });
        assert_eq!(subscribers, CallResult::Sessions(Vec::new(), None));
        if let Some(socket) = alice.socket {
            assert_eq!(script.try_take(socket), None);
            script.expect_closed(socket, CloseReason::SessionOver);
        }
        assert_eq!(script.engine().counters().sessions_expired, 1);
        script.expect_no_trace();
    }
}

// Proves: TM-6
#[test]
fn each_of_many_sessions_expires_at_its_own_time() {
    let mut script = script();
    let mut sessions = Vec::new();
    for number in 0..1_000 {
        script.at(number);
        let client = script.connected();
        script.subscribe(&client, &format!("/channel/{number}"));
        sessions.push(session(&client));
    }

    for (number, session) in (0..).zip(&sessions) {
        script.reports();
        script.at(10_000 + number);
        let removed = script
            .reports()
            .into_iter()
            .filter_map(|report| match report {
                ReportKind::SessionRemoved(session, Removal::Expired) => Some(session),
                _ => None,
            });
        assert_eq!(removed.collect::<Vec<_>>(), [*session]);
    }
    script.expect_no_trace();
}

// Proves: TM-7, CN-13
#[test]
fn a_session_whose_connect_is_never_done_is_swept_with_its_transport() {
    for transport in TRANSPORTS {
        let config = Config {
            max_processing: Some(ms(3_000)),
            decision_timeout: ms(60_000),
            ..Config::default()
        };
        let mut script = Script::new(config);
        let alice = script.connected_over(transport, Value::Null);
        let stuck = connect_slowly(&mut script, &alice, "c", Slow::Outgoing);
        script.reports();

        expect_lives_until(&mut script, &alice, 3_000);

        let removed = ReportKind::SessionRemoved(session(&alice), Removal::Stuck);
        assert_eq!(script.reports(), [removed]);
        script.expect_closed(stuck, CloseReason::SessionOver);
        assert_eq!(script.try_take(stuck), None);
        let poller = over(&mut script, &alice, POLLING);
        let late = connect(&mut script, &poller, "late");
        script.expect(late, json!([unknown("late", begin_anew())]));
        script.expect_no_trace();
    }
}

// Proves: TM-7
#[test]
fn a_connect_that_is_done_or_overtaken_in_time_is_not_swept() {
    for overtaken in [false, true] {
        let config = Config {
            max_processing: Some(ms(3_000)),
            ..Config::default()
        };
        let mut script = Script::new(config);
        let alice = script.connected();
        connect_slowly(&mut script, &alice, "c", Slow::Outgoing);
        script.at(2_000);
        if overtaken {
            connect(&mut script, &alice, "d");
        } else {
            unblock(&mut script, Slow::Outgoing);
        }

        script.at(30_000);

        assert!(lives(&mut script, &alice));
        script.expect_no_trace();
    }
}

// Proves: TM-9
#[test]
fn a_session_of_the_application_never_expires() {
    let mut script = script();
    let (connection, opened) = script.open_local();
    let CallResult::Opened(session) = opened else {
        panic!("{opened:?}")
    };
    let pattern = "/news".parse().unwrap();
    script.call(Call::Subscribe { session, pattern });

    script.at(1_000_000_000).publish("/news", json!(1));

    script.expect(connection, json!([event("/news", json!(1))]));
}

// Proves: TM-3
#[test]
fn a_connect_whose_reply_an_extension_drops_or_refuses_does_not_keep_the_session() {
    for transport in TRANSPORTS {
        for (role, verdict) in [
            (Role::Outgoing, Verdict::Drop),
            (Role::Incoming, Verdict::Drop),
            (Role::Incoming, Verdict::Deny(<_>::default())),
        ] {
            let mut script = script();
            let alice = script.connected_over(transport, Value::Null);
            ask(&mut script, role);
            connect(&mut script, &alice, "c");
            ask_nobody(&mut script);

            script.at(1_000).decide(verdict);

            script.at(11_000);
            assert!(!lives(&mut script, &alice), "{transport:?}");
            script.expect_no_trace();
        }
    }
}

// Proves: TM-1, TM-6
#[test]
fn times_that_never_end_may_be_set() {
    let forever = Duration::MAX;
    let config = Config {
        interval: forever,
        max_interval: forever,
        sweep_period: forever,
        ..Config::default()
    };
    let mut script = Script::new(config);
    let alice = script.handshaken();
    script.subscribe(&alice, "/news");
    script.first_connect(&alice);

    script.after(1_000_000_000);

    assert!(lives(&mut script, &alice));
}

// Proves: TM-5
#[test]
fn what_is_no_valid_message_lengthens_no_life() {
    let mut script = script();
    let alice = script.connected();
    script.after(9_000);

    let refused = script.post(json!([
        {"id": {}, "channel": "/a", "clientId": alice.session, "data": 1},
        {"id": {}, "channel": "/meta/connect", "clientId": alice.session},
    ]));

    assert_eq!(script.take(refused)[0]["successful"], json!(false));
    let left = view(&mut script, &alice).unwrap().expires_in;
    assert_eq!(left, Some(Duration::from_secs(1)));
    script.expect_no_trace();
}

// Proves: TM-5
#[test]
fn a_message_that_took_its_time_lengthens_a_life_by_the_grace_alone() {
    let mut script = Script::new(Config {
        interval: Duration::from_secs(20),
        ..Config::default()
    });
    let alice = script.connected();
    ask(
        &mut script,
        Role::Policy(bayeux_core::Operations {
            publish: true,
            ..<_>::default()
        }),
    );
    script.after(25_000);
    script.publish_as(&alice, "/a", json!(1));

    script.after(3_000).decide(bayeux_core::Verdict::Allow);

    let left = view(&mut script, &alice).unwrap().expires_in;
    assert_eq!(left, Some(Duration::from_secs(10)));
    script.expect_no_trace();
}
