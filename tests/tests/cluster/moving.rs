//! Messages whose session moves while they are on their way: what goes after it, what waits, and what does not.

use std::sync::Arc;

use super::rig::*;
use super::*;

/// A session of this engine with a websocket that has a publish in the store, and is taken.
fn moves(script: &mut Script) -> (Client, ConnectionId, StoreTicket) {
    let client = own(script, SOCKET, json!({}));
    let publish = json!([{"channel": "/news", "clientId": client.session, "data": 1}]);
    let socket = script.request(&client, publish);
    let (append, _) = script.take_store();
    take_away(script, &client);
    (client, socket, append)
}

fn take_away(script: &mut Script, client: &Client) {
    script.notify(Notice::Taken {
        session: name(client),
        fence: Fence(2),
    });
    let (part, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Part { .. }), "{request:?}");
    script.stored(part, StoreReply::Done);
}

// Proves: MO-6, CN-9
#[test]
fn a_connect_whose_socket_closes_before_its_turn_claims_nothing() {
    for (frame, others) in [
        (&["/meta/connect", "/more"][..], 1),
        (&["/more", "/more"], 2),
        (&["/meta/connect"], 0),
    ] {
        let mut script = engine(120);
        let (client, socket, append) = moves(&mut script);
        let message = |channel| json!({"channel": channel, "clientId": client.session, "data": 1});
        script.send(socket, frame.iter().map(message).collect());
        assert!(!script.has_store_requests(), "it waits for what came first");

        script.hang_up(socket);

        if others > 0 {
            let (ticket, request) = script.take_store();
            let StoreRequest::Forward { messages, .. } = request else {
                panic!("{request:?}");
            };
            let channels: Vec<_> = messages.iter().map(|it| it.channel.as_deref()).collect();
            assert_eq!(channels, vec![Some("/more"); others]);
            script.stored(ticket, StoreReply::Unknown);
        }
        assert!(!script.has_store_requests(), "nobody would hear the answer");
        script.stored(append, StoreReply::Appended(at(121)));
        log(&mut script, [121]);
        nothing_leaks(&mut script);
    }
}

// Proves: PL-3, ER-7
#[test]
fn what_waits_as_its_session_ends_is_sent_after_it_once_the_store_has_heard_of_that() {
    let mut script = engine(120);
    let client = own(&mut script, SOCKET, json!({}));
    let frame = json!([
        {"id": "p", "channel": "/news", "clientId": client.session, "data": 1},
        {"id": "s", "channel": "/meta/subscribe", "clientId": client.session, "subscription": "/more"},
    ]);
    let socket = script.request(&client, frame);
    let (append, _) = script.take_store();
    let goodbye = json!({"channel": "/meta/disconnect", "clientId": client.session});
    let exchange = script.post(goodbye);
    let (end, request) = script.take_store();
    assert!(matches!(request, StoreRequest::End { .. }), "{request:?}");
    script.stored(end, StoreReply::Failed);
    assert_eq!(script.take(exchange)[0]["successful"], true);

    script.stored(append, StoreReply::Appended(at(121)));
    log(&mut script, [121]);

    let (end, request) = script.take_store();
    assert!(matches!(request, StoreRequest::End { .. }), "{request:?}");
    let (forward, request) = script.take_store();
    assert!(
        matches!(request, StoreRequest::Forward { .. }),
        "{request:?}"
    );
    script.stored(end, StoreReply::Done);
    script.stored(forward, StoreReply::Unknown);
    let replies = script.take(socket);
    assert_eq!(replies[1]["error"], "402::session_unknown", "{replies}");
    nothing_leaks(&mut script);
}

// Proves: HS-7, HT-9, PL-3
#[test]
fn a_frame_whose_socket_closes_before_its_turn_speaks_for_whom_it_spoke() {
    let mut script = engine(120);
    let other = own(&mut script, HTTP, json!({}));
    let (client, socket, append) = moves(&mut script);
    script.send(
        socket,
        json!([
            {"channel": "/meta/connect", "clientId": client.session},
            {"id": "h", "channel": "/meta/handshake", "version": "1.0"},
            {"channel": "/more", "clientId": other.session, "data": 1},
            {"channel": "/more", "clientId": client.session, "data": 2},
        ]),
    );

    script.hang_up(socket);

    let (ticket, request) = script.take_store();
    let StoreRequest::Forward {
        session, messages, ..
    } = request
    else {
        panic!("{request:?}");
    };
    assert_eq!(session, name(&client));
    let channels: Vec<_> = messages.iter().map(|it| it.channel.as_deref()).collect();
    assert_eq!(channels, [Some("/more"); 2], "no handshake");
    script.stored(ticket, StoreReply::Unknown);
    assert!(!script.has_store_requests(), "nothing of it is done");
    script.stored(append, StoreReply::Appended(at(121)));
    log(&mut script, [121]);
    nothing_leaks(&mut script);
}

// Proves: PB-2, HT-9
#[test]
fn a_publish_without_a_session_does_not_change_for_whom_the_rest_of_an_orphaned_frame_speaks() {
    let mut script = Script::with_scripted_store(Config {
        allow_connectionless_publish: true,
        ..Config::default()
    });
    script.notify(Notice::Up { position: at(120) });
    let (client, socket, append) = moves(&mut script);
    script.send(
        socket,
        json!([
            {"channel": "/meta/connect", "clientId": client.session},
            {"channel": "/more", "data": 1},
        ]),
    );

    script.hang_up(socket);

    let (ticket, request) = script.take_store();
    assert!(
        matches!(&request, StoreRequest::Forward { session, .. } if *session == name(&client)),
        "{request:?}"
    );
    script.stored(ticket, StoreReply::Unowned);
    let (ticket, request) = script.take_store();
    assert!(
        matches!(&request, StoreRequest::Claim { session, .. } if *session == name(&client)),
        "{request:?}"
    );
    script.stored(ticket, StoreReply::Unknown);
    let (ticket, request) = script.take_store();
    assert!(
        matches!(request, StoreRequest::Append { .. }),
        "{request:?}"
    );
    script.stored(ticket, StoreReply::Appended(at(122)));
    script.stored(append, StoreReply::Appended(at(121)));
    log(&mut script, [121, 122]);
    nothing_leaks(&mut script);
}

// Proves: MO-6, CN-9
#[test]
fn a_connect_whose_turn_comes_as_its_socket_is_being_closed_claims_nothing() {
    let mut script = engine(120);
    let (client, socket, append) = moves(&mut script);
    let connect = json!({"channel": "/meta/connect", "clientId": client.session});
    script.send(socket, connect);
    assert!(!script.has_store_requests(), "it waits for what came first");

    script.facts([
        // A frame that was not asked for is the end of a socket.
        Input::Received {
            connection: socket,
            messages: Messages::default(),
        },
        Input::Stored {
            ticket: append,
            reply: StoreReply::Appended(at(121)),
        },
        Input::Notified {
            notice: Notice::Entries(entries([121])),
        },
    ]);

    script.expect_closed(socket, CloseReason::Unasked);
    assert!(!script.has_store_requests(), "nobody would hear the answer");
    nothing_leaks(&mut script);
}

// Proves: MO-6, HS-1
#[test]
fn a_handshake_waits_for_no_message_of_the_session_before() {
    let mut script = engine(120);
    let (_, socket, append) = moves(&mut script);

    script.send(
        socket,
        json!({"id": "h", "channel": "/meta/handshake", "version": "1.0"}),
    );

    let (open, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Open(_)), "{request:?}");
    script.stored(open, StoreReply::Done);
    script.stored(append, StoreReply::Appended(at(121)));
    log(&mut script, [121]);
    nothing_leaks(&mut script);
}

// Proves: FI-2, MO-5
#[test]
fn a_connect_that_is_refused_for_its_id_does_not_move_its_session() {
    let mut script = engine(120);
    let connect = json!([{
        "channel": "/meta/connect", "id": {"no": "id"}, "clientId": session_id().text().to_string(),
        "connectionType": "long-polling",
    }]);

    script.post(connect);

    let (ticket, request) = script.take_store();
    assert!(
        matches!(request, StoreRequest::Forward { .. }),
        "{request:?}"
    );
    script.stored(ticket, StoreReply::Unknown);
    nothing_leaks(&mut script);
}

// Proves: MO-6, ER-7
#[test]
fn what_is_decided_on_as_its_session_moves_is_refused_if_the_store_is_away_by_then() {
    for operation in ["/news", "/meta/subscribe"] {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let decider = Decider {
            id: DeciderId(1),
            role: Role::Policy(Operations::ALL),
        };
        let change = Change::AddDecider(decider);
        script.fact(Input::Configured { change });
        let exchange = script.post(json!([{
            "channel": operation, "id": "1", "clientId": client.session, "data": 0, "subscription": "/more",
        }]));
        take_away(&mut script, &client);
        script.notify(Notice::Down);

        while script.question().is_some() {
            script.decide(Verdict::Allow);
        }

        assert!(!script.has_store_requests(), "{operation}");
        assert_eq!(script.take(exchange)[0]["successful"], false);
        script.notify(Notice::Up { position: at(120) });
        nothing_leaks(&mut script);
    }
}

// Proves: AK-4
#[test]
fn a_session_that_the_log_outruns_waits_for_what_is_still_decided_on() {
    let mut config = Config::default();
    config.limits.max_log_span = 1;
    config.deciders = vec![Decider {
        id: DeciderId(1),
        role: Role::SessionOutgoing,
    }];
    let mut script = Script::with_scripted_store(config);
    script.notify(Notice::Up { position: at(120) });
    let mut record = record(true, 100, 105);
    Arc::make_mut(&mut record.settings).outgoing = vec![DeciderId(1)];
    let (client, connection) = claim(&mut script, record, ack(0));
    let ticket = is_read(&mut script, 100, 120);
    script.stored(ticket, StoreReply::Entries(entries([115, 118])));

    // The second is not decided on: it would be lost with a session that ends now.
    script.decide(Verdict::Allow);

    assert_eq!(read(&script.take(connection)), (vec![115], Some(15)));
    script.decide(Verdict::Allow);
    let last = script.connect_with(&client, ack(15));
    let reply = script.take(last);
    assert_eq!(read(&reply).0, [118]);
    is_told_to_handshake(&reply);
    nothing_leaks(&mut script);
}

// Proves: AK-4
#[test]
fn no_span_of_the_log_makes_numbers_that_clients_cannot_keep() {
    for (end, is_outrun) in [((1 << 31) - 2, false), ((1 << 31) - 1, true)] {
        let mut config = Config::default();
        config.limits.max_log_span = u64::MAX;
        let mut script = Script::with_scripted_store(config);
        script.notify(Notice::Up { position: at(end) });
        let ask = json!({"ext": {"ack": 0}, "advice": {"timeout": 0}});
        let (_, connection) = claim(&mut script, record(true, 0, 0), ask);
        let ticket = is_read(&mut script, 0, end);

        script.stored(ticket, StoreReply::Entries(Vec::new()));

        let reply = script.take(connection);
        if is_outrun {
            is_told_to_handshake(&reply);
        } else {
            assert_eq!(reply[0]["ext"]["ack"], end, "{reply}");
        }
        nothing_leaks(&mut script);
    }
}
