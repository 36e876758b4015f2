use super::*;

// Proves: PL-6, ER-7
#[test]
fn a_decision_that_comes_too_late_makes_the_message_unavailable_and_is_ignored_then() {
    let roles = [
        Role::Incoming,
        Role::Policy(Operations::ALL),
        authorizer("/**"),
        handler("/**"),
    ];
    for role in roles {
        for channel in ["/n", "/service/x", "/meta/subscribe"] {
            if matches!(role, Role::Handler(_)) && channel.starts_with("/meta") {
                continue;
            }
            let (mut script, client) = connected();
            script.connect(&client);
            add(&mut script, 1, role.clone());
            let message = json!({
                "channel": channel, "clientId": client.session, "subscription": "/s",
            });
            let neighbour = json!({"channel": "/service/y", "clientId": client.session});
            let exchange = script.post(json!([message, neighbour]));
            let (late, _) = script.take_question();

            script.after(9_999).expect_nothing(exchange);
            script.after(1);
            let before = counters(&mut script);
            script.fact(Input::Decided {
                ticket: late,
                verdict: deny(None),
            });

            let after = counters(&mut script);
            assert_eq!(after.facts_ignored, before.facts_ignored + 1);
            assert_eq!(after.decisions_late, 1);
            allow_all(&mut script);
            let frame = script.take(exchange);
            assert_eq!(
                frame[0]["error"],
                json!("503::unavailable"),
                "{role:?} {channel}"
            );
            assert_eq!(frame[0].get("advice"), None);
            assert_eq!(frame[1]["successful"], json!(true));
        }
    }
}

// Proves: ER-7, AD-5
#[test]
fn a_handshake_decided_too_late_may_be_tried_again_after_a_wait_drawn_at_random() {
    for role in [Role::Incoming, Role::Policy(Operations::ALL)] {
        let mut script = Script::new(Config::default());
        add(&mut script, 1, role);
        let exchanges: Vec<_> = (0..9).map(|_| script.post(handshake())).collect();
        script.after(10_000);
        let mut waits = std::collections::BTreeSet::new();
        for exchange in exchanges {
            waits.insert(expect_try_later(&mut script, exchange));
        }
        assert!(waits.len() > 4, "{waits:?}");
    }
}

// Proves: PL-6
#[test]
fn what_is_done_goes_on_without_an_extension_that_does_not_answer() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Outgoing);
    let exchange = script.post(publish(&client, 1));
    script.decide(Verdict::Allow);
    assert_eq!(subject(&mut script), "1 reply");
    script
        .after(10_000)
        .expect(exchange, json!([published("1")]));

    let mut script = Script::new(Config::default());
    let client = admitted(&mut script, &[9]);
    add(&mut script, 9, Role::SessionOutgoing);
    script.subscribe(&client, "/n");
    let held = script.connect(&client);
    script.publish("/n", json!(1));
    script.after(9_999).expect_nothing(held).after(1);
    assert_eq!(script.take(held)[0], event("/n", json!(1)));
}

// Proves: PL-6
#[test]
fn an_event_that_an_extension_may_have_wanted_to_change_does_not_leave_without_it() {
    let (mut script, client) = connected();
    script.subscribe(&client, "/n");
    add(&mut script, 1, Role::Outgoing);
    let exchange = script.post(publish(&client, 1));
    assert_eq!(subject(&mut script), "1 event");
    script.after(10_000);
    allow_all_but(&mut script, 1);
    script.expect(exchange, json!([refused("1", "503::unavailable")]));
}

#[test]
fn a_verdict_without_question_and_a_second_verdict_are_ignored() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Incoming);
    add(&mut script, 2, Role::Incoming);
    let exchange = script.post(publish(&client, 1));
    let (ticket, _) = script.take_question();
    let fact = |verdict| Input::Decided { ticket, verdict };
    script.fact(fact(Verdict::Allow)).fact(fact(Verdict::Drop));
    script.expect_nothing(exchange);
    script.decide(Verdict::Allow).fact(fact(Verdict::Drop));
    script.expect(exchange, json!([published("1")]));
    assert_eq!(counters(&mut script).facts_ignored, 2);
}

fn counters(script: &mut Script) -> Counters {
    match script.call(Call::Count) {
        CallResult::Counters(counters) => *counters,
        other => panic!("{other:?}"),
    }
}

// Proves: TM-3
#[test]
fn a_connect_that_is_decided_too_late_gives_its_session_the_time_for_another() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Incoming);
    let exchange = script.connect(&client);
    script.take_question();

    script.after(10_000);

    assert_eq!(script.take(exchange)[0]["error"], json!("503::unavailable"));
    script.after(9_999);
    assert_eq!(script.engine().load().sessions, 1);
    script.after(2);
    assert_eq!(script.engine().load().sessions, 0);
}
