use super::*;

// Proves: PL-1, MO-6
#[test]
fn a_message_passes_everybody_in_order_and_its_neighbour_after_it() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Incoming);
    add(&mut script, 2, Role::Incoming);
    add(&mut script, 3, Role::Policy(Operations::ALL));
    add(&mut script, 4, authorizer("/**"));
    add(&mut script, 5, handler("/**"));
    add(&mut script, 6, Role::Outgoing);
    add(&mut script, 7, Role::Outgoing);

    let exchange = script.post(json!([publish(&client, 1), publish(&client, 2)]));

    let first = [
        "1 incoming",
        "2 incoming",
        "3 create /n",
        "4 create /n",
        "3 publish /n",
        "4 publish /n",
        "5 handle /n",
        "7 event",
        "6 event",
        "7 reply",
        "6 reply",
    ];
    let second = first.iter().filter(|asked| !asked.contains("create"));
    let wanted: Vec<_> = first.iter().chain(second).copied().collect();
    assert_eq!(allow_all(&mut script), wanted);
    script.expect(exchange, json!([published("1"), published("2")]));
}

// Proves: PL-1
#[test]
fn what_makes_no_sense_is_shown_to_nobody() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Incoming);
    let invalid = [
        json!({"clientId": client.session}),
        json!({"channel": "/a//b", "clientId": client.session}),
        json!({"channel": "/a", "id": {}, "clientId": client.session}),
    ];
    for message in invalid {
        let exchange = script.post(message);
        assert_eq!(script.take(exchange)[0]["successful"], json!(false));
    }
    // What an extension makes of a message is looked at as well.
    let exchange = script.post(publish(&client, 1));
    script.decide(replace(
        json!({"channel": "/a//b", "clientId": client.session}),
    ));
    script.expect(
        exchange,
        json!([{"channel": "/a//b", "successful": false, "error": "405::channel_invalid"}]),
    );
}

// Proves: PL-4
#[test]
fn a_vetoed_message_is_deleted_whatever_it_is() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Incoming);
    add(&mut script, 2, Role::Incoming);
    for channel in [
        "/meta/connect",
        "/meta/subscribe",
        "/meta/disconnect",
        "/service/x",
        "/n",
    ] {
        for verdict in [Verdict::Drop, Verdict::Deny(Box::default())] {
            let message = json!({
                "id": "1", "channel": channel, "clientId": client.session, "subscription": "/n",
            });
            let exchange = script.post(message);
            script.decide(verdict);
            assert!(script.question().is_none(), "nobody further is asked");
            let reply = script.take(exchange);
            assert_eq!(
                reply[0]["error"],
                json!("404::message_deleted"),
                "{channel}"
            );
            assert_eq!(reply[0].get("advice"), None);
        }
    }
    remove(&mut script, 1);
    remove(&mut script, 2);
    script.publish("/n", json!(1));
    let held = script.connect(&client);
    script.expect_nothing(held);
}

// Proves: PL-4, AD-5
#[test]
fn a_vetoed_handshake_is_told_not_to_come_back() {
    let mut script = Script::new(Config::default());
    add(&mut script, 1, Role::Incoming);
    let exchange = script.post(handshake());
    script.decide(Verdict::Drop);
    let reply = script.take(exchange);
    assert_eq!(reply[0]["error"], json!("404::message_deleted"));
    assert_eq!(reply[0]["advice"], json!({"reconnect": "none"}));
    assert_eq!(reply[0].get("clientId"), None);
}

// Proves: PL-5
#[test]
fn a_dropped_reply_is_no_reply_and_its_neighbours_stay() {
    let (mut script, client) = connected();
    add(&mut script, 1, Role::Outgoing);
    let exchange = script.post(json!([publish(&client, 1), publish(&client, 2)]));
    let verdicts = [
        Verdict::Allow,
        Verdict::Drop,
        Verdict::Allow,
        Verdict::Allow,
    ];
    for verdict in verdicts {
        script.decide(verdict);
    }
    script.expect(exchange, json!([published("2")]));

    let socket = script.open(Transport::WebSocket);
    script.send(socket, publish(&client, 3));
    script.decide(Verdict::Allow).decide(Verdict::Drop);
    script.expect_nothing(socket);
    assert!(script.is_asked(socket));
}

// Proves: PL-5, TM-3
#[test]
fn a_session_whose_connect_is_never_answered_expires_all_the_same() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config::default());
        let client = script.connected_over(transport, Value::Null);
        add(&mut script, 1, Role::Outgoing);
        script.connect(&client);
        script.decide(Verdict::Drop).reports();

        script.after(10_000);

        let id = SessionId::parse(&client.session).unwrap();
        let expired = ReportKind::SessionRemoved(id, bayeux_core::Removal::Expired);
        assert_eq!(script.reports(), [expired], "{transport:?}");
    }
}

// Proves: PL-5, PL-10
#[test]
fn an_event_dropped_for_one_session_reaches_the_others() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (admitted(&mut script, &[9]), script.connected());
    add(&mut script, 9, Role::SessionOutgoing);
    script.subscribe(&alice, "/n").subscribe(&bob, "/n");
    let (first, second) = (script.connect(&alice), script.connect(&bob));

    script.publish("/n", json!(1));

    assert_eq!(script.take(second)[0], event("/n", json!(1)));
    script
        .expect_nothing(first)
        .decide(Verdict::Drop)
        .expect_nothing(first);
    assert_eq!(script.engine().counters().events_dropped, 1);
    script.publish("/n", json!(2)).decide(Verdict::Allow);
    assert_eq!(script.take(first)[0], event("/n", json!(2)));
}

// Proves: PL-10
#[test]
fn decisions_about_the_events_of_a_session_take_effect_in_the_order_of_the_events() {
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let mut script = Script::new(Config::default());
        let client = admitted(&mut script, &[9]);
        add(&mut script, 9, Role::SessionOutgoing);
        script.subscribe(&client, "/n");
        for data in 0..3 {
            script.publish("/n", json!(data));
        }
        let questions: Vec<_> = (0..3).map(|_| script.take_question()).collect();
        let verdicts = [
            Verdict::Allow,
            Verdict::Drop,
            Verdict::ReplaceEvent(Event::from_object(event("/n", json!("new")).to_string())),
        ];
        let mut seen = Vec::new();
        for at in order {
            let fact = Input::Decided {
                ticket: questions[at].0,
                verdict: verdicts[at].clone(),
            };
            script.fact(fact);
            let connect = script.connect_with(&client, json!({"advice": {"timeout": 0}}));
            let frame = script.take(connect);
            let events = frame
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|m| m.get("data"));
            seen.extend(events.cloned());
        }
        assert_eq!(seen, [json!(0), json!("new")], "{order:?}");
    }
}

// Proves: PL-10
#[test]
fn handlers_are_asked_from_the_widest_pattern_inward_and_may_change_or_veto() {
    let (mut script, client) = connected();
    let exact = Role::Handler(Scope::Pattern("/a/b".parse().unwrap()));
    let template = Role::Handler(Scope::Template("/a/{x}".parse().unwrap()));
    add(&mut script, 1, exact);
    add(&mut script, 2, handler("/a/*"));
    add(&mut script, 3, handler("/**"));
    add(&mut script, 4, template);
    add(&mut script, 5, handler("/a/**"));
    add(&mut script, 6, handler("/b/**"));
    script.subscribe(&client, "/a/b");

    let exchange = script.publish_as(&client, "/a/b", json!("old"));
    let mut asked = vec![subject(&mut script)];
    script.decide(replace(json!({"data": "new", "clientId": "x"})));
    asked.extend(allow_all(&mut script));

    let wanted = ["3", "5", "2", "1", "4"].map(|id| format!("{id} handle /a/b"));
    assert_eq!(asked, wanted);
    assert_eq!(script.take(exchange)[0], event("/a/b", json!("new")));

    let exchange = script.publish_as(&client, "/a/b", json!(1));
    script.decide(Verdict::Allow).decide(Verdict::Drop);
    assert!(script.question().is_none());
    assert_eq!(
        script.take(exchange)[0]["error"],
        json!("404::message_deleted")
    );
}

// Proves: PL-10
#[test]
fn an_event_is_shown_once_before_it_is_frozen_and_then_to_each_session_that_wants_it() {
    let mut script = Script::new(Config::default());
    let clients = [admitted(&mut script, &[8, 9]), admitted(&mut script, &[9])];
    add(&mut script, 9, Role::SessionOutgoing);
    add(&mut script, 8, Role::SessionOutgoing);
    let publisher = script.connected();
    let held = clients.each_ref().map(|client| {
        script.subscribe(client, "/n").subscribe(client, "/**");
        script.connect(client)
    });
    add(&mut script, 1, Role::Outgoing);

    let exchange = script.post(publish(&publisher, 1));
    let frozen = Event::from_object(event("/n", json!("frozen")).to_string());
    assert_eq!(subject(&mut script), "1 event");
    script.decide(Verdict::ReplaceEvent(frozen));
    assert_eq!(subject(&mut script), "1 reply");
    let asked = allow_all(&mut script);

    assert_eq!(asked, ["1 reply", "8 event", "9 event", "9 event"]);
    script.expect(exchange, json!([published("1")]));
    for held in held {
        assert_eq!(script.take(held)[0], event("/n", json!("frozen")));
    }
}

// Proves: PL-10, QU-5
#[test]
fn an_event_that_two_have_changed_counts_in_its_queue_as_it_is() {
    let mut script = Script::new(Config::default());
    let client = admitted(&mut script, &[8, 9]);
    add(&mut script, 8, Role::SessionOutgoing);
    add(&mut script, 9, Role::SessionOutgoing);
    script.subscribe(&client, "/n").publish("/n", json!(1));
    let longer = |data| Verdict::ReplaceEvent(Event::from_object(event("/n", data).to_string()));

    script.decide(longer(json!("long")));
    script.decide(longer(json!("a little longer")));

    let connect = script.connect(&client);
    assert_eq!(
        script.take(connect)[0],
        event("/n", json!("a little longer"))
    );
    let left = bayeux_tests::talk::view(&mut script, &client).queued;
    assert_eq!(left, (0, 0));
}
