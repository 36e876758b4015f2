use super::*;

// Proves: PL-1
#[test]
fn deciders_come_and_go_while_a_message_is_under_way() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Incoming);
    add(&mut script, 2, Role::Incoming);
    add(&mut script, 3, Role::Incoming);
    let exchange = script.post(publish(&client, 1));
    assert_eq!(subject(&mut script), "1 incoming");

    remove(&mut script, 2);
    add(&mut script, 4, Role::Incoming);
    add(&mut script, 5, Role::Outgoing);

    let wanted = [
        "1 incoming",
        "3 incoming",
        "4 incoming",
        "5 event",
        "5 reply",
    ];
    assert_eq!(allow_all(&mut script), wanted);
    script.expect(exchange, json!([published("1")]));
}

// Proves: PL-4, PL-8
#[test]
fn a_decider_that_was_removed_is_obeyed_in_what_it_was_asked() {
    let roles = [
        (Role::Incoming, "404::message_deleted"),
        (
            Role::Policy(Operations::ALL),
            "403:denied_by_security_policy:channel_create_denied",
        ),
        (
            authorizer("/**"),
            "403:denied_by_security_policy:channel_create_denied",
        ),
        (handler("/**"), "404::message_deleted"),
        (Role::Outgoing, "404::message_deleted"),
    ];
    for (role, error) in roles {
        let (mut script, client) = connected();
        add(&mut script, 1, role.clone());
        let exchange = script.post(publish(&client, 1));
        remove(&mut script, 1);
        script.expect_nothing(exchange);
        script.decide(deny(None));
        script.expect(exchange, json!([refused("1", error)]));

        let exchange = script.post(publish(&client, 2));
        assert!(script.question().is_none(), "{role:?}");
        script.expect(exchange, json!([published("2")]));
    }
}

#[test]
fn a_reply_under_way_to_an_extension_that_is_removed_still_waits_for_it() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Outgoing);
    let exchange = script.post(publish(&client, 1));
    script.decide(Verdict::Allow);
    assert_eq!(subject(&mut script), "1 reply");
    remove(&mut script, 1);
    script.decide(Verdict::Extend(extensions(json!({"x": 1}))));
    let mut reply = published("1");
    reply["ext"] = json!({"x": 1});
    script.expect(exchange, json!([reply]));
}

#[test]
fn an_extension_of_a_session_that_is_removed_is_passed_over() {
    let mut script = Script::new(Config::default());
    let client = admitted(&mut script, &[8, 9]);
    add(&mut script, 8, Role::SessionOutgoing);
    add(&mut script, 9, Role::SessionOutgoing);
    script.subscribe(&client, "/n");
    let held = script.connect(&client);
    script.publish("/n", json!(1));
    assert_eq!(subject(&mut script), "8 event");

    remove(&mut script, 9);

    assert_eq!(allow_all(&mut script), ["8 event"]);
    assert_eq!(script.take(held)[0], event("/n", json!(1)));
}

// Proves: CN-9
#[test]
fn a_connect_overtaken_while_extensions_look_at_its_answer_leaves_the_newer_one_alone() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(transport, Value::Null);
        script.subscribe(&client, "/n");
        add(&mut script, 1, Role::Outgoing);
        let older = script.connect_with(&client, json!({"id": "older"}));
        let newer = if transport.is_exchange() {
            script.connect_with(&client, json!({"id": "newer"}))
        } else {
            let socket = script.open(transport);
            let message = json!({
                "id": "newer", "channel": "/meta/connect", "clientId": client.session,
            });
            script.send(socket, message);
            socket
        };
        let (late, _) = script.take_question();
        script.decide(Verdict::Allow);
        script.fact(Input::Decided {
            ticket: late,
            verdict: Verdict::Allow,
        });
        remove(&mut script, 1);
        script.expect_nothing(newer);

        script.publish("/n", json!(1));

        assert_eq!(
            script.take(newer)[0],
            event("/n", json!(1)),
            "{transport:?}"
        );
        assert_eq!(script.try_take(older), None, "{transport:?}");
    }
}

// Proves: CN-12
#[test]
fn a_connect_whose_session_ends_while_extensions_look_at_its_answer_is_told_so() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Outgoing);
    let connect = script.connect(&client);
    let session = SessionId::parse(&client.session).unwrap();
    script.call(Call::Disconnect { session });
    script.decide(Verdict::Allow);
    let reply = script.take(connect);
    let advice = &reply.as_array().unwrap().last().unwrap()["advice"];
    assert_eq!(*advice, json!({"reconnect": "none"}), "{reply}");
}
