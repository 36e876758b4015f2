use super::*;

// Proves: PL-7
#[test]
fn denials_say_what_was_denied_and_why() {
    let create_denied = |why: &str| format!("403:{why}:create_denied");
    let channel_create_denied = |why: &str| format!("403:{why}:channel_create_denied");
    let subscribe_denied = |why: &str| format!("403:{why}:subscribe_denied");
    let publish_denied = |why: &str| format!("403:{why}:publish_denied");
    type Error<'a> = &'a dyn Fn(&str) -> String;
    let table: [(&str, &[&str], Error<'_>); 4] = [
        ("/meta/subscribe", &["1 create /n"], &create_denied),
        (
            "/meta/subscribe",
            &["1 create /n", "1 subscribe /n"],
            &subscribe_denied,
        ),
        ("/n", &["1 create /n"], &channel_create_denied),
        ("/n", &["1 create /n", "1 publish /n"], &publish_denied),
    ];
    for (channel, questions, error) in table {
        for reason in [None, Some("too_late")] {
            let (mut script, client) = connected();
            add(&mut script, 1, Role::Policy(Operations::ALL));
            let message = json!({
                "channel": channel, "clientId": client.session, "subscription": "/n",
            });
            let exchange = script.post(message);
            let (last, before) = questions.split_last().unwrap();
            for question in before {
                assert_eq!(subject(&mut script), *question);
                script.decide(Verdict::Allow);
            }
            assert_eq!(subject(&mut script), *last);
            script.decide(deny(reason));
            let error = error(reason.unwrap_or("denied_by_security_policy"));
            assert_eq!(script.take(exchange)[0]["error"], json!(error));
            assert!(script.question().is_none());
        }
    }
}

// Proves: PL-7
#[test]
fn creation_is_asked_for_only_if_the_channel_is_not_there() {
    let (mut script, client) = connected();
    script.subscribe(&client, "/n");
    add(&mut script, 1, Role::Policy(Operations::ALL));
    for (channel, subject) in [
        ("/n", "1 publish /n"),
        ("/meta/subscribe", "1 subscribe /n"),
    ] {
        let message = json!({
            "channel": channel, "clientId": client.session, "subscription": "/n", "data": 1,
        });
        let exchange = script.post(message);
        assert_eq!(allow_all(&mut script), [subject]);
        script.take(exchange);
    }
}

/// The application makes the channel `/n`.
fn somebody_else_subscribes(script: &mut Script) -> ConnectionId {
    let (local, opened) = script.open_local();
    let CallResult::Opened(session) = opened else {
        panic!("{opened:?}")
    };
    let pattern = "/n".parse().unwrap();
    script.call(Call::Subscribe { session, pattern });
    local
}

// Proves: PL-7, PL-8
#[test]
fn a_channel_that_somebody_else_makes_meanwhile_changes_no_decision() {
    for channel in ["/n", "/meta/subscribe"] {
        for denies in [false, true] {
            let (mut script, client) = connected();
            add(&mut script, 1, Role::Policy(Operations::ALL));
            add(&mut script, 2, authorizer("/n"));
            let message = json!({
                "channel": channel, "clientId": client.session, "subscription": "/n",
            });
            let exchange = script.post(message);
            assert_eq!(subject(&mut script), "1 create /n");
            script.decide(Verdict::Allow);
            assert_eq!(subject(&mut script), "2 create /n");
            let local = somebody_else_subscribes(&mut script);
            if denies {
                script.decide(deny(None));
                assert!(script.question().is_none());
                assert_eq!(script.take(exchange)[0]["successful"], json!(false));
                script.expect_nothing(local);
            } else {
                let verb = if channel == "/n" {
                    "publish"
                } else {
                    "subscribe"
                };
                let wanted = [
                    "2 create /n",
                    &format!("1 {verb} /n"),
                    &format!("2 {verb} /n"),
                ];
                assert_eq!(allow_all(&mut script), wanted);
                assert_eq!(script.take(exchange)[0]["successful"], json!(true));
            }
        }
    }
}

// Proves: PL-7
#[test]
fn what_policy_says_of_making_a_channel_is_no_word_on_what_comes_after() {
    for (channel, verb, error) in [
        ("/n", "publish", "channel_create_denied"),
        ("/meta/subscribe", "subscribe", "create_denied"),
    ] {
        for denies in [false, true] {
            let (mut script, client) = connected();
            add(&mut script, 1, Role::Policy(Operations::ALL));
            let message = json!({
                "channel": channel, "clientId": client.session, "subscription": "/n",
            });
            let exchange = script.post(message);
            assert_eq!(subject(&mut script), "1 create /n");
            let bob = somebody_else_subscribes(&mut script);
            if denies {
                script.decide(deny(None));
                let error = format!("403:denied_by_security_policy:{error}");
                assert_eq!(script.take(exchange)[0]["error"], json!(error));
                script.expect_nothing(bob);
            } else {
                assert_eq!(
                    allow_all(&mut script),
                    ["1 create /n", &format!("1 {verb} /n")]
                );
                assert_eq!(script.take(exchange)[0]["successful"], json!(true));
            }
        }
    }
}

// Proves: PL-8
#[test]
fn authorizers_grant_together_what_nobody_denies() {
    use Verdict::{Abstain, Allow, Drop};
    let deny = || deny(Some("mine"));
    let not_granted = "403:denied_by_not_granting:publish_denied";
    let table = [
        (vec![Allow], None),
        (vec![Abstain], Some(not_granted)),
        (vec![Abstain, Allow, Abstain], None),
        (vec![Allow, Abstain], None),
        (vec![Allow, deny()], Some("403:mine:publish_denied")),
        (vec![deny()], Some("403:mine:publish_denied")),
        (
            vec![Allow, Drop],
            Some("403:denied_by_security_policy:publish_denied"),
        ),
        (vec![Abstain, Abstain], Some(not_granted)),
        (vec![], None),
    ];
    for (verdicts, error) in table {
        let (mut script, client) = connected();
        script.subscribe(&client, "/n");
        for id in 1..=verdicts.len() {
            add(&mut script, id as u32, authorizer("/n"));
        }
        let exchange = script.post(publish(&client, 1));
        for verdict in verdicts.clone() {
            script.decide(verdict);
        }
        assert!(script.question().is_none());
        let frame = script.take(exchange);
        let error = error.map(Value::from);
        let replies = frame.as_array().unwrap();
        assert_eq!(
            replies.last().unwrap().get("error"),
            error.as_ref(),
            "{verdicts:?}"
        );
    }
}

// Proves: PL-8, CH-8
#[test]
fn an_authorizer_is_asked_about_what_its_pattern_matches() {
    let table: [(&str, &[&str]); 9] = [
        ("/a", &["/a", "/*", "/**"]),
        ("/a/b", &["/a/b", "/a/*", "/a/**", "/**"]),
        ("/a/b/c", &["/a/b/c", "/a/b/*", "/a/b/**", "/a/**", "/**"]),
        ("/a/*", &["/a/*", "/a/**", "/**"]),
        ("/a/**", &["/a/**", "/**"]),
        ("/*", &["/*", "/**"]),
        ("/**", &["/**"]),
        ("/ab/c", &["/**"]),
        ("/a/bc", &["/a/*", "/a/**", "/**"]),
    ];
    let patterns = [
        "/a", "/*", "/**", "/a/b", "/a/*", "/a/**", "/a/b/c", "/a/b/*", "/a/b/**",
    ];
    for (subscription, matching) in table {
        let (mut script, client) = connected();
        for (id, pattern) in patterns.iter().enumerate() {
            let role = Role::Authorizer {
                pattern: pattern.parse().unwrap(),
                operations: Operations {
                    subscribe: true,
                    ..Operations::default()
                },
            };
            add(&mut script, id as u32, role);
        }
        let message = json!({
            "channel": "/meta/subscribe", "clientId": client.session,
            "subscription": subscription,
        });
        let exchange = script.post(message);
        let mut asked = Vec::new();
        while let Some(question) = script.question() {
            asked.push(patterns[question.decider.0 as usize]);
            script.decide(Verdict::Allow);
        }
        let wanted = patterns.iter().filter(|pattern| matching.contains(pattern));
        assert_eq!(asked, wanted.copied().collect::<Vec<_>>(), "{subscription}");
        assert_eq!(script.take(exchange)[0]["successful"], json!(true));
    }
}

// Proves: PL-8, SV-2
#[test]
fn authorizers_reach_service_channels() {
    let (mut script, client) = connected();
    add(&mut script, 1, authorizer("/service/**"));
    add(&mut script, 2, authorizer("/service/x"));
    add(&mut script, 3, authorizer("/service/y"));
    let exchange = script.publish_as(&client, "/service/x", json!(1));
    let asked = ["1 create", "2 create", "1 publish", "2 publish"];
    let asked = asked.map(|asked| format!("{asked} /service/x"));
    assert_eq!(allow_all(&mut script), asked);
    assert_eq!(script.take(exchange)[0]["successful"], json!(true));
}

// Proves: PL-8, HS-9
#[test]
fn policy_alone_decides_on_handshakes_and_sets_the_terms() {
    let mut script = Script::new(Config::default());
    add(&mut script, 1, Role::Policy(Operations::ALL));
    add(&mut script, 2, authorizer("/**"));
    let terms = Admission {
        ext: Some(extensions(json!({"hello": 1}))),
        ..Admission::default()
    };
    let exchange = script.post(handshake());
    assert_eq!(subject(&mut script), "1 handshake");
    script.decide(Verdict::Admit(Box::new(terms)));
    let reply = script.take(exchange);
    assert_eq!(reply[0]["successful"], json!(true));
    assert_eq!(reply[0]["ext"], json!({"hello": 1}));

    let exchange = script.post(handshake());
    script.decide(Verdict::Deny(Box::new(Denial {
        error: Some(ProtocolError::new(401, "", "login")),
        advice: Some(Advice {
            reconnect: Some(Reconnect::Handshake),
            interval: Some(500),
            ..Advice::default()
        }),
        ext: Some(extensions(json!({"sorry": 1}))),
        ..Denial::default()
    })));
    let reply = script.take(exchange);
    assert_eq!(reply[0]["error"], json!("401::login"));
    assert_eq!(
        reply[0]["advice"],
        json!({"reconnect": "handshake", "interval": 500})
    );
    assert_eq!(reply[0]["ext"], json!({"sorry": 1}));
    assert_eq!(script.cookie(exchange), None);
}

// Proves: HS-9
#[test]
fn the_terms_of_several_policies_add_up_and_what_was_said_last_counts() {
    let mut script = Script::new(Config::default());
    add(&mut script, 1, Role::Policy(Operations::ALL));
    add(&mut script, 2, Role::Policy(Operations::ALL));
    let exchange = script.post(handshake());

    for ext in [
        json!({"first": 1, "both": 1}),
        json!({"both": 2, "second": 2}),
    ] {
        script.decide(Verdict::Admit(Box::new(Admission {
            ext: Some(extensions(ext)),
            ..Admission::default()
        })));
    }

    let reply = script.take(exchange);
    assert_eq!(reply[0]["ext"], json!({"first": 1, "both": 2, "second": 2}));
}

// Proves: PL-9
#[test]
fn policy_does_not_apply_to_the_application() {
    let (mut script, _) = connected();
    add(&mut script, 1, Role::Policy(Operations::ALL));
    add(&mut script, 2, authorizer("/**"));
    let (local, opened) = script.open_local();
    let CallResult::Opened(session) = opened else {
        panic!("{opened:?}")
    };
    let pattern = "/n".parse().unwrap();
    assert_eq!(
        script.call(Call::Subscribe { session, pattern }),
        CallResult::Done
    );
    script.publish("/n", json!(1));
    assert!(script.question().is_none());
    script.expect(local, json!([event("/n", json!(1))]));
}

// Proves: PL-4
#[test]
fn a_message_that_becomes_a_handshake_holds_back_nothing_of_the_session_it_came_from() {
    let (mut script, client) = connected();
    script.subscribe(&client, "/n");
    let held = script.connect(&client);
    add(&mut script, 1, Role::Incoming);
    script.post(publish(&client, 1));
    let types = ["long-polling"];
    let handshake = json!({
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": types,
    });

    script.decide(replace(handshake));
    script.publish("/n", json!(1));

    assert_eq!(script.take(held)[0], event("/n", json!(1)));
}

// Proves: PL-3
#[test]
fn a_publish_of_a_session_that_ends_while_it_is_decided_on_goes_nowhere() {
    for server_ends_it in [false, true] {
        let (mut script, client) = connected();
        let (local, opened) = script.open_local();
        let CallResult::Opened(session) = opened else {
            panic!("{opened:?}")
        };
        let pattern = "/n".parse().unwrap();
        script.call(Call::Subscribe { session, pattern });
        add(&mut script, 1, Role::Policy(Operations::ALL));
        let exchange = script.post(publish(&client, 1));
        if server_ends_it {
            let session = SessionId::parse(&client.session).unwrap();
            assert_eq!(script.call(Call::Disconnect { session }), CallResult::Done);
        } else {
            script.post(json!({"channel": "/meta/disconnect", "clientId": client.session}));
        }
        script.decide(Verdict::Allow);
        script.expect(exchange, json!([refused("1", "402::session_unknown")]));
        script.expect_nothing(local);
    }
}

// Proves: ER-1
#[test]
fn a_subscription_of_a_session_that_ends_while_it_is_decided_on_fails() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Policy(Operations::ALL));
    let exchange = script.post(json!({
        "channel": "/meta/subscribe", "clientId": client.session, "subscription": "/n",
    }));
    let session = SessionId::parse(&client.session).unwrap();
    assert_eq!(script.call(Call::Disconnect { session }), CallResult::Done);

    allow_all(&mut script);

    assert_eq!(
        script.take(exchange)[0]["error"],
        json!("403::subscribe_failed")
    );
    script.expect_no_trace();
}
