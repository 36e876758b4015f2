//! Messages that arrive away from their session's owner.

use super::rig::*;
use super::*;

#[test]
fn what_is_no_connect_is_forwarded_and_its_replies_come_back() {
    for transport in [HTTP, SOCKET] {
        let mut script = engine(120);
        let client = stranger(&mut script, transport);
        let batch = json!([
            {"id": "1", "channel": "/news", "clientId": client.session, "data": 1},
            subscribe(&client, "/more"),
        ]);
        let connection = script.request(&client, batch);
        let (ticket, request) = script.take_store();
        let StoreRequest::Forward {
            session, messages, ..
        } = request
        else {
            panic!("{request:?}")
        };
        assert_eq!((session, messages.len()), (session_id(), 2));

        let replies = [
            json!({"id": "1", "channel": "/news", "successful": true}),
            json!({"id": "s", "channel": "/meta/subscribe", "successful": true,
                   "subscription": "/more"}),
        ];
        let answers = replies.clone().map(Payload::from).to_vec();
        script.stored(ticket, StoreReply::Answered(answers));

        let mut got = Vec::new();
        while let Some(Value::Array(frame)) = script.try_take(connection) {
            got.extend(frame);
        }
        assert_eq!(got, replies);
        assert_eq!(script.engine().load().sessions, 0);
        nothing_leaks(&mut script);
    }
}

// Proves: ER-7
#[test]
fn a_forward_that_fails_is_an_outage_message_by_message() {
    let mut script = engine(120);
    let client = stranger(&mut script, HTTP);
    let connection = script.publish_as(&client, "/news", json!(0));
    let (ticket, _) = script.take_store();

    script.stored(ticket, StoreReply::Failed);

    let reply = script.take(connection);
    assert_eq!(reply[0]["error"], "503::unavailable");
    assert_eq!(reply[0].get("advice"), None);
    nothing_leaks(&mut script);
}

#[test]
fn the_messages_of_a_dead_owner_are_served_here() {
    let mut script = engine(120);
    let client = stranger(&mut script, HTTP);
    let connection = script.publish_as(&client, "/other", json!(0));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Unowned);
    let (ticket, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Claim { .. }));

    let record = record(false, 100, 105);
    script.stored(ticket, StoreReply::Claimed(Box::new(record)));

    let (ticket, request) = script.take_store();
    let StoreRequest::Append(entry) = request else {
        panic!("{request:?}")
    };
    assert_eq!(entry.origin, Some(session_id()));
    assert_eq!(entry.fence, Some(Fence(3)));
    script.stored(ticket, StoreReply::Appended(at(121)));
    log(&mut script, [121]);
    let reply = script.take(connection);
    assert_eq!(
        reply.as_array().unwrap().last().unwrap()["successful"],
        true
    );
    nothing_leaks(&mut script);
}

// Proves: AK-4, AK-5
#[test]
fn a_session_that_was_claimed_by_a_publish_is_read_when_it_connects() {
    let mut script = engine(120);
    let client = stranger(&mut script, HTTP);
    let connection = script.publish_as(&client, "/other", json!(0));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Unowned);
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Claimed(Box::new(record(true, 1, 5))));
    let (ticket, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Append(_)), "{request:?}");
    script.stored(ticket, StoreReply::Appended(at(121)));
    log(&mut script, [121]);
    script.take(connection);

    // Only now is it known how far its client has come.
    let connection = script.connect_with(&client, ack(110));
    let ticket = is_read(&mut script, 111, 120);
    script.stored(ticket, StoreReply::Entries(entries([115])));

    assert_eq!(read(&script.take(connection)), (vec![115, 121], Some(120)));
    let held = script.connect_with(&client, ack(120));
    assert!(!script.has_store_requests());
    script.expect_nothing(held);
    nothing_leaks(&mut script);
}

fn forward(script: &mut Script, client: &Client, peer: Peer, message: Value) -> ForwardTicket {
    let forward = ForwardTicket::new(7);
    script.notify(Notice::Forwarded {
        forward,
        session: name(client),
        messages: Messages::decode(message.to_string(), &Default::default()).unwrap(),
        peer,
        transport: client.transport,
    });
    forward
}

#[test]
fn messages_of_a_session_that_was_let_go_are_sent_back_to_be_claimed() {
    let mut script = engine(120);
    let client = stranger(&mut script, HTTP);
    let forward = forward(
        &mut script,
        &client,
        Peer::default(),
        json!([{"id": "1", "channel": "/other", "clientId": client.session, "data": 1}]),
    );

    let (ticket, request) = script.take_store();
    assert!(
        matches!(request, StoreRequest::Refuse { forward: refused } if refused == forward),
        "{request:?}"
    );
    script.stored(ticket, StoreReply::Done);
    nothing_leaks(&mut script);
}

fn answer(script: &mut Script) -> Vec<Value> {
    let (ticket, request) = script.take_store();
    script.stored(ticket, StoreReply::Done);
    let StoreRequest::Answer { forward, replies } = request else {
        panic!("{request:?}")
    };
    assert_eq!(forward, ForwardTicket::new(7));
    let parse = |reply: &Payload| serde_json::from_str(reply.as_str()).unwrap();
    replies.iter().map(parse).collect()
}

#[test]
fn forwarded_messages_do_not_disturb_the_held_connect() {
    for ext in [json!({}), json!({"ack": true})] {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, ext);
        let held = script.connect(&client);

        forward(
            &mut script,
            &client,
            Peer::default(),
            json!([
                {"id": "1", "channel": "/other", "clientId": client.session, "data": 1},
                subscribe(&client, "/more"),
                {"id": "2", "channel": "/other", "clientId": "somebody else", "data": 1},
            ]),
        );
        let (ticket, request) = script.take_store();
        assert!(matches!(request, StoreRequest::Append(_)));
        script.stored(ticket, StoreReply::Appended(at(121)));
        script.notify(Notice::Entries(vec![Entry {
            to: Destination::Channel("/other".parse().unwrap()),
            ..entry(121)
        }]));
        done(&mut script);

        let replies = answer(&mut script);
        assert_eq!(replies[0]["successful"], true);
        assert_eq!(replies[1]["subscription"], "/more");
        assert_eq!(replies[2]["error"], "402::session_unknown");
        script.expect_nothing(held);
        log(&mut script, [122]);
        assert_eq!(read(&script.take(held)).0, [122]);
        nothing_leaks(&mut script);
    }
}

#[test]
fn a_forwarded_disconnect_releases_the_hold() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let held = script.connect_with(&client, json!({"id": "held"}));

    let message = json!({"id": "d", "channel": "/meta/disconnect", "clientId": client.session});
    forward(&mut script, &client, Peer::default(), message);
    done(&mut script);

    assert_eq!(
        answer(&mut script),
        [json!({"id": "d", "channel": "/meta/disconnect", "successful": true})]
    );
    let reply = script.take(held);
    assert_eq!(reply[0]["advice"], json!({"reconnect": "none"}));
    nothing_leaks(&mut script);
}

// Proves: DC-3
#[test]
fn a_forwarded_disconnect_brings_what_still_waits() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    log(&mut script, [121]);

    let message = json!({"id": "d", "channel": "/meta/disconnect", "clientId": client.session});
    forward(&mut script, &client, Peer::default(), message);
    done(&mut script);

    assert_eq!(
        answer(&mut script),
        [
            event("/news", json!(121)),
            json!({"id": "d", "channel": "/meta/disconnect", "successful": true})
        ]
    );
    nothing_leaks(&mut script);
}

// Proves: BR-3, BR-4
#[test]
fn a_wrong_cookie_does_not_find_a_session_by_way_of_another_engine() {
    let mut script = engine(120);
    let cookie = |letter: &str| Peer {
        browser: bayeux_core::BrowserId::parse(&letter.repeat(24)),
        ..Peer::default()
    };
    let exchange = script.open_as(HTTP, cookie("a"));
    script.send(
        exchange,
        json!({"channel": "/meta/handshake", "version": "1.0"}),
    );
    done(&mut script);
    let session = script.take(exchange)[0]["clientId"]
        .as_str()
        .unwrap()
        .to_owned();
    let client = Client {
        session,
        ..client(HTTP, None)
    };
    let message = json!({"id": "1", "channel": "/x", "clientId": client.session, "data": 1});

    forward(&mut script, &client, cookie("b"), message.clone());

    assert_eq!(answer(&mut script)[0]["error"], "402::session_unknown");
    forward(&mut script, &client, cookie("a"), message);
    done(&mut script); // that the cookie has come back
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Appended(at(121)));
    assert_eq!(answer(&mut script)[0]["successful"], true);
    nothing_leaks(&mut script);
}

// Proves: WS-5
#[test]
fn whether_a_socket_may_carry_a_session_is_for_its_own_engine_to_say() {
    let config = Config {
        require_handshake_per_connection: true,
        ..Config::default()
    };
    let mut script = Script::with_scripted_store(config);
    script.notify(Notice::Up { position: at(120) });
    // It was carried there, and has moved here meanwhile.
    let client = Client {
        transport: SOCKET,
        ..own(&mut script, HTTP, json!({}))
    };
    let message = json!({"id": "1", "channel": "/x", "clientId": client.session, "data": 1});

    forward(&mut script, &client, Peer::default(), message);

    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Appended(at(121)));
    log(&mut script, [121]);
    let replies = answer(&mut script);
    assert!(
        replies.iter().any(|reply| reply["successful"] == true),
        "{replies:?}"
    );
    nothing_leaks(&mut script);
}

#[test]
fn many_messages_are_given_more_time_at_their_owner_than_one() {
    const COUNT: usize = 4;
    let patience = Config::default().store_timeout;
    let patience = u64::try_from(patience.as_millis()).unwrap();
    for (at, is_late) in [
        (COUNT as u64 * patience - 1, false),
        (COUNT as u64 * patience, true),
    ] {
        let mut script = engine(120);
        let client = stranger(&mut script, HTTP);
        let message = |id: usize| json!({"id": id.to_string(), "channel": "/x", "clientId": client.session, "data": 1});
        let connection = script.request(&client, (0..COUNT).map(message).collect());
        let (ticket, request) = script.take_store();
        assert!(
            matches!(request, StoreRequest::Forward { .. }),
            "{request:?}"
        );

        script.at(at);

        if is_late {
            assert_eq!(script.take(connection)[0]["error"], "503::unavailable");
        } else {
            let reply = |id: usize| {
                json!({"id": id.to_string(), "channel": "/x", "successful": true}).into()
            };
            script.stored(
                ticket,
                StoreReply::Answered((0..COUNT).map(reply).collect()),
            );
            assert_eq!(script.take(connection)[COUNT - 1]["successful"], true);
        }
        nothing_leaks(&mut script);
    }
}

/// The one message that is handed to whoever has its session.
#[track_caller]
fn is_forwarded(script: &mut Script, id: &str) -> StoreTicket {
    let (ticket, request) = script.take_store();
    let StoreRequest::Forward { messages, .. } = request else {
        panic!("{request:?}")
    };
    let ids: Vec<&Id> = messages.iter().map(|message| &message.id).collect();
    assert_eq!(ids, [&Id::Given(MessageId::new(id))]);
    ticket
}

fn publishes(script: &mut Script, client: &Client, id: &str) -> ConnectionId {
    let message = json!({"id": id, "channel": "/other", "clientId": client.session, "data": id});
    script.request(client, message)
}

// Proves: MO-6
#[test]
fn a_frame_does_not_overtake_those_before_it_that_go_after_their_session() {
    for connects in [false, true] {
        let mut script = engine(120);
        let client = own(&mut script, SOCKET, json!({"ack": true}));
        publishes(&mut script, &client, "1");
        let (append, request) = script.take_store();
        assert!(matches!(request, StoreRequest::Append(_)), "{request:?}");
        script.notify(Notice::Taken {
            session: name(&client),
            fence: Fence(2),
        });

        let socket = if connects {
            script.connect_with(&client, ack(0))
        } else {
            publishes(&mut script, &client, "2")
        };

        assert!(!script.has_store_requests());
        script.stored(append, StoreReply::Fenced);
        let ticket = is_forwarded(&mut script, "1");
        assert!(!script.has_store_requests());
        let answer = json!({"id": "1", "channel": "/other", "successful": true});
        script.stored(ticket, StoreReply::Answered(vec![Payload::from(answer)]));
        assert_eq!(script.take(socket)[0]["id"], "1");
        if connects {
            let (ticket, request) = script.take_store();
            assert!(matches!(request, StoreRequest::Claim { .. }), "{request:?}");
            script.stored(ticket, StoreReply::Unknown);
        } else {
            let ticket = is_forwarded(&mut script, "2");
            script.stored(ticket, StoreReply::Unknown);
        }
        assert_eq!(script.take(socket)[0]["error"], "402::session_unknown");
        script.hang_up(socket);
        nothing_leaks(&mut script);
    }
}

// Proves: MO-6
#[test]
fn messages_that_wait_to_go_after_their_session_go_as_their_socket_closes() {
    let mut script = engine(120);
    let client = own(&mut script, SOCKET, json!({"ack": true}));
    let mut socket = None;
    let mut appends = Vec::new();
    for id in ["1", "2", "3"] {
        socket = Some(publishes(&mut script, &client, id));
        appends.push(script.take_store().0);
    }
    script.notify(Notice::Taken {
        session: name(&client),
        fence: Fence(2),
    });
    for append in appends {
        script.stored(append, StoreReply::Fenced);
    }
    let first = is_forwarded(&mut script, "1");
    assert!(!script.has_store_requests());

    script.hang_up(socket.unwrap());

    for id in ["2", "3"] {
        let ticket = is_forwarded(&mut script, id);
        script.stored(ticket, StoreReply::Answered(Vec::new()));
    }
    script.stored(first, StoreReply::Answered(Vec::new()));
    nothing_leaks(&mut script);
}

#[test]
fn a_frame_that_waits_for_others_as_its_socket_closes_is_worked_on_all_the_same() {
    let mut script = engine(120);
    let client = own(&mut script, SOCKET, json!({"ack": true}));
    let socket = publishes(&mut script, &client, "1");
    let (append, _) = script.take_store();
    script.notify(Notice::Taken {
        session: name(&client),
        fence: Fence(2),
    });
    publishes(&mut script, &client, "2");

    script.hang_up(socket);

    let ticket = is_forwarded(&mut script, "2");
    script.stored(ticket, StoreReply::Answered(Vec::new()));
    script.stored(append, StoreReply::Failed);
    nothing_leaks(&mut script);
}
