use super::*;

// Proves: MO-1
#[test]
fn a_session_outlives_every_connection_that_carries_it() {
    let mut script = Script::new(Config::default());
    let polling = script.connected();
    let socket = script.open(Transport::WebSocket);
    let on_socket = Client {
        transport: Transport::WebSocket,
        socket: Some(socket),
        ..polling.clone()
    };

    script.subscribe(&on_socket, "/news");
    let held = script.connect(&polling);
    script.publish("/news", json!(1));
    script.expect(held, json!([event("/news", json!(1)), connected("4")]));
    script.connect(&on_socket);
    script.publish("/news", json!(2));
    let pushed = script.take(socket);
    script.close(socket);
    script.publish("/news", json!(3));
    let again = script.connect(&polling);

    assert_eq!(pushed, json!([event("/news", json!(2))]));
    let last = script.take(again);
    assert_eq!(last[0], event("/news", json!(3)));
    assert_eq!(last[1]["successful"], json!(true));
}

// Proves: MO-2
#[test]
fn a_session_is_handshaken_then_connected_then_gone_for_good() {
    for end in [Removal::Disconnected, Removal::Expired] {
        let mut script = Script::new(Config::default());
        let client = script.handshaken();
        let id = SessionId::parse(&client.session).unwrap();

        assert_eq!(script.reports(), [ReportKind::SessionCreated(id)]);
        assert_eq!(phase(&mut script, id), Some(Phase::Fresh));
        script.first_connect(&client);
        assert_eq!(script.reports(), [ReportKind::SessionConnected(id)]);
        assert_eq!(phase(&mut script, id), Some(Phase::Away));
        let held = script.connect(&client);
        assert_eq!(phase(&mut script, id), Some(Phase::Held));
        if end == Removal::Expired {
            script.close(held).after(10_000);
        } else {
            post(
                &mut script,
                json!({"channel": "/meta/disconnect", "clientId": client.session}),
            );
        }
        assert_eq!(script.reports(), [ReportKind::SessionRemoved(id, end)]);
        assert_eq!(phase(&mut script, id), None);

        let connect = script.connect(&client);
        let reply = script.take(connect);
        assert_eq!(reply[0]["error"], json!("402::session_unknown"));
        assert_eq!(script.reports(), []);
    }
}

// Proves: MO-2
#[test]
fn a_session_without_any_grace_expires_in_the_moment_it_is_answered() {
    let mut script = Script::new(Config::default());
    let client = script.connected();
    let session = SessionId::parse(&client.session).unwrap();
    script.reports();
    let zero = Some(Duration::ZERO);
    script.call(Call::Configure {
        session,
        timeout: zero,
        interval: zero,
        max_interval: zero,
    });

    let connect = script.write_by_hand().connect(&client);

    assert_eq!(script.take(connect)[0]["successful"], json!(true));
    let expired = ReportKind::SessionRemoved(session, Removal::Expired);
    assert_eq!(script.reports(), [expired]);
}

// Proves: MO-5
#[test]
fn an_event_comes_once_and_with_acknowledgement_until_it_is_acknowledged() {
    let mut script = Script::new(Config::default());
    let plain = script.connected();
    let safe = script.connected_over(Transport::LongPolling, json!({"ack": true}));
    for client in [&plain, &safe] {
        script.subscribe(client, "/news");
    }
    for data in [1, 2] {
        script.publish("/news", json!(data));
    }
    let events = [event("/news", json!(1)), event("/news", json!(2))];

    // Each response is written and yet, as far as the client is concerned, lost.
    for _ in 0..2 {
        let lost = script.connect_with(&safe, json!({"ext": {"ack": 0}}));
        let frame = script.take(lost);
        assert_eq!(frame.as_array().unwrap()[..2], events);
    }
    let acknowledged = script.connect_with(&safe, json!({"ext": {"ack": 1}}));
    assert_eq!(script.take(acknowledged)[0], events[1]);
    let lost = script.connect(&plain);
    assert_eq!(script.take(lost).as_array().unwrap()[..2], events);
    let again = script.connect(&plain);
    script.expect_nothing(again);
}

// Proves: MO-6
#[test]
fn a_batch_of_publishes_is_handed_over_at_once_and_answered_in_order_once_all_is_stored() {
    let (mut script, client) = with_scripted_store();
    let batch: Vec<_> = (0..3).map(|n| publish(&client, n)).collect();

    let exchange = script.post(json!(batch));

    let stores: Vec<_> = (0..3).map(|_| script.take_store()).collect();
    let data: Vec<_> = stores
        .iter()
        .map(|(_, request)| appended(request))
        .collect();
    assert_eq!(data, ["0", "1", "2"]);
    for (position, at) in [(3, 2), (1, 0)] {
        script.expect_nothing(exchange);
        script.stored(stores[at].0, StoreReply::Appended(position_of(position)));
    }
    script.expect_nothing(exchange);
    script.stored(stores[1].0, StoreReply::Failed);
    let replies = [
        published("0"),
        refused("1", "503::unavailable"),
        published("2"),
    ];
    script.expect(exchange, json!(replies));
}

// Proves: MO-6
#[test]
fn a_session_has_64_publishes_with_the_store_and_no_more() {
    let (mut script, client) = with_scripted_store();
    let batch: Vec<_> = (0..66).map(|n| publish(&client, n)).collect();

    let first = script.post(json!(batch));
    let mut stores: Vec<_> = std::iter::from_fn(|| take_store(&mut script)).collect();
    assert_eq!(stores.len(), 64);
    let second = script.post(publish(&client, 99));
    assert!(
        !script.has_store_requests(),
        "another request of the session waits too"
    );

    let mut stored = 0;
    while !stores.is_empty() {
        let (ticket, _) = stores.remove(0);
        stored += 1;
        script.stored(ticket, StoreReply::Appended(position_of(stored)));
        stores.extend(take_store(&mut script));
        assert!(!script.has_store_requests(), "one goes as one comes back");
    }
    assert_eq!(stored, 67);
    assert_eq!(script.take(first).as_array().map(Vec::len), Some(66));
    script.expect(second, json!([published("99")]));
}

// Proves: MO-6
#[test]
fn a_socket_is_read_no_further_while_the_store_is_behind() {
    let (mut script, client) = with_scripted_store();
    let socket = script.open(Transport::WebSocket);
    let batch: Vec<_> = (0..65).map(|n| publish(&client, n)).collect();
    script.send(socket, publish(&client, 1));
    assert!(script.is_asked(socket));

    script.send(socket, json!(batch));

    assert!(!script.is_asked(socket));
    for number in 1..=3 {
        let (ticket, _) = script.take_store();
        script.stored(ticket, StoreReply::Appended(position_of(number)));
    }
    assert!(script.is_asked(socket));
}

// Proves: MO-7
#[test]
fn a_session_is_served_on_two_exchanges_at_once() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&alice, "/a").subscribe(&bob, "/b");
    let held = script.connect_with(&alice, json!({"id": "c"}));

    let exchange = script.publish_as(&alice, "/b", json!(1));

    assert_eq!(script.take(exchange)[0]["successful"], json!(true));
    script.expect_nothing(held);
    let other = script.publish_as(&bob, "/a", json!(2));
    script.take(other);
    script.expect(held, json!([event("/a", json!(2)), connected("c")]));
}

fn phase(script: &mut Script, session: SessionId) -> Option<Phase> {
    match script.call(Call::Inspect { session }) {
        CallResult::Session(view) => Some(view.phase),
        other => {
            assert_eq!(other, CallResult::Unknown);
            None
        }
    }
}
