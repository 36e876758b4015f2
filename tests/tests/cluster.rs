//! One engine among others (the store's part): sessions that come and go, and what becomes of their
//! events.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test has to fail"
)]

use std::time::Duration;

use bayeux_core::testing::{Client, Script, event};
use bayeux_core::{
    Call, CallResult, ChannelRule, CloseReason, Config, ConnectionId, Destination, Echo, Entry,
    Event, Fence, ForwardTicket, Input, Laziness, Load, Messages, Notice, Payload, Peer, Position,
    ReportKind, SessionId, SessionRecord, SessionSettings, StoreReply, StoreRequest, StoreTicket,
    StoredSubscription, Transport,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const HTTP: Transport = Transport::LongPolling;
const SOCKET: Transport = Transport::WebSocket;

fn at(number: u64) -> Position {
    Position::new(number)
}

fn session_id() -> SessionId {
    SessionId::parse("0123456789abcdefghijklmno").unwrap()
}

/// What a frame brought: the data of its events in order, and the number on its connect reply.
fn read(frame: &Value) -> (Vec<u64>, Option<u64>) {
    let messages = frame.as_array().unwrap();
    let data = messages.iter().filter_map(|message| message.get("data"));
    let number = messages
        .iter()
        .find(|message| message["channel"] == "/meta/connect")
        .and_then(|reply| reply.pointer("/ext/ack"))
        .map(|number| number.as_u64().unwrap());
    (data.map(|data| data.as_u64().unwrap()).collect(), number)
}

/// Lets every session expire, and every channel vanish: then the engine holds what a new one holds.
fn nothing_leaks(script: &mut Script) {
    script.after(400_000);
    let mut load = script.engine().load();
    load.connections = 0; // a socket may stay without a session
    assert_eq!(load, Load::default());
}

fn is_told_to_handshake(reply: &Value) {
    let reply = reply.as_array().unwrap().last().unwrap();
    assert_eq!(reply["error"], "402::session_unknown", "{reply}");
    assert_eq!(reply["advice"]["reconnect"], "handshake", "{reply}");
}

/// One engine, whose store is the test.
mod one {
    use super::*;

    /// An engine that has seen the log up to `seen`.
    fn engine(seen: u64) -> Script {
        let mut script = Script::with_scripted_store(Config::default());
        script.notify(Notice::Up { position: at(seen) });
        script
    }

    fn record(acknowledged: bool, start: u64, since: u64) -> SessionRecord {
        SessionRecord {
            session: session_id(),
            fence: Fence(2),
            browser: None,
            bound: false,
            settings: SessionSettings {
                acknowledged,
                ..SessionSettings::default()
            },
            start: at(start),
            released: None,
            end: at(0),
            subscriptions: subscriptions(since),
        }
    }

    fn subscriptions(since: u64) -> Vec<StoredSubscription> {
        vec![StoredSubscription {
            pattern: "/news".parse().unwrap(),
            since: at(since),
        }]
    }

    /// An entry whose data is its position.
    fn entry(position: u64) -> Entry {
        Entry {
            position: at(position),
            origin: None,
            to: Destination::Channel("/news".parse().unwrap()),
            event: Event::deliver(&"/news".parse().unwrap(), &Payload::from(json!(position))),
            laziness: Laziness::Prompt,
            echo: Echo::ToPublisher,
        }
    }

    fn entries(positions: impl IntoIterator<Item = u64>) -> Vec<Entry> {
        positions.into_iter().map(entry).collect()
    }

    fn log(script: &mut Script, positions: impl IntoIterator<Item = u64>) {
        script.notify(Notice::Entries(entries(positions)));
    }

    fn client(transport: Transport, socket: Option<ConnectionId>) -> Client {
        Client {
            session: session_id().text().to_string(),
            transport,
            socket,
            peer: Peer::default(),
        }
    }

    fn stranger(script: &mut Script, transport: Transport) -> Client {
        let socket = (transport == SOCKET).then(|| script.open(SOCKET));
        client(transport, socket)
    }

    fn ack(number: i64) -> Value {
        json!({"ext": {"ack": number}})
    }

    /// A connect of a session that is elsewhere; the store hands it over.
    fn claim(script: &mut Script, record: SessionRecord, members: Value) -> (Client, ConnectionId) {
        claim_over(script, HTTP, record, members)
    }

    fn claim_over(
        script: &mut Script,
        transport: Transport,
        record: SessionRecord,
        members: Value,
    ) -> (Client, ConnectionId) {
        let client = stranger(script, transport);
        let connection = script.connect_with(&client, members);
        let (ticket, request) = script.take_store();
        assert!(matches!(request, StoreRequest::Claim(id) if id == session_id()));
        script.stored(ticket, StoreReply::Claimed(Box::new(record)));
        (client, connection)
    }

    /// The store is asked to read `(after, until]`.
    fn is_read(script: &mut Script, after: u64, until: u64) -> StoreTicket {
        let (ticket, request) = script.take_store();
        match request {
            StoreRequest::Read {
                session,
                subscriptions: asked,
                after: from,
                until: to,
                limit: _,
            } => {
                assert_eq!(session, session_id());
                assert_eq!((from, to), (at(after), at(until)));
                assert!(!asked.is_empty());
            }
            other => panic!("{other:?}"),
        }
        ticket
    }

    /// A session of this engine, connected and subscribed to `/news`.
    fn own(script: &mut Script, transport: Transport, ext: Value) -> Client {
        let connection = script.open(transport);
        let handshake =
            json!({"id": "h", "channel": "/meta/handshake", "version": "1.0", "ext": ext});
        script.send(connection, handshake);
        done(script);
        let reply = script.take(connection);
        let client = Client {
            session: reply[0]["clientId"].as_str().unwrap().to_owned(),
            ..client(transport, (transport == SOCKET).then_some(connection))
        };
        script.first_connect(&client);
        let connection = script.request(&client, subscribe(&client, "/news"));
        done(script);
        assert_eq!(script.take(connection)[0]["successful"], true);
        client
    }

    fn subscribe(client: &Client, pattern: &str) -> Value {
        json!({
            "id": "s", "channel": "/meta/subscribe", "clientId": client.session,
            "subscription": pattern,
        })
    }

    /// The store does what it was asked.
    fn done(script: &mut Script) {
        let (ticket, _) = script.take_store();
        script.stored(ticket, StoreReply::Done);
    }

    fn name(client: &Client) -> SessionId {
        SessionId::parse(&client.session).unwrap()
    }

    // Claims.

    // Proves: AK-4, AK-5, AK-7, DE-3
    #[test]
    fn an_acknowledging_session_is_read_from_where_its_client_stands() {
        let released = |number| SessionRecord {
            released: Some(at(number)),
            ..record(true, 100, 105)
        };
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
        let record = SessionRecord {
            released: Some(at(110)),
            ..record(false, 100, 105)
        };
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
        let record = SessionRecord {
            released: Some(at(123)),
            ..record(false, 100, 105)
        };
        let (client, connection) = claim(&mut script, record, json!({}));

        drain(&mut script, 0);

        assert_eq!(released(&mut script), [(name(&client), at(123))]);
        assert_eq!(read(&script.take(connection)), (vec![], None));
    }

    #[test]
    fn a_released_session_ahead_of_this_engine_gets_nothing_twice() {
        let mut script = engine(120);
        let record = SessionRecord {
            released: Some(at(123)),
            ..record(false, 100, 105)
        };
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
        let record = SessionRecord {
            released: Some(at(110)),
            ..record(false, 100, 105)
        };
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
            let (_, connection) =
                claim_over(&mut script, transport, record(true, 100, 105), ack(1));
            let ticket = is_read(&mut script, 101, 120);

            script.stored(ticket, StoreReply::Gap);

            is_told_to_handshake(&script.take(connection));
            let (_, request) = script.take_store();
            assert!(matches!(
                request,
                StoreRequest::End { session, fence: Fence(2) } if session == session_id()
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
                    StoreRequest::Release { fence: Fence(2), cursor, .. } if cursor == at(110)
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
                    // Too late: the client's next connect claims again.
                    let record = Box::new(record(true, 100, 105));
                    script.stored(ticket, StoreReply::Claimed(record));
                    assert_eq!(script.engine().load().sessions, 0);
                    assert!(!script.has_store_requests());
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

    // Messages that arrive away from their session's owner.

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
        assert!(matches!(request, StoreRequest::Claim(_)));

        let record = record(false, 100, 105);
        script.stored(ticket, StoreReply::Claimed(Box::new(record)));

        let (ticket, request) = script.take_store();
        let StoreRequest::Append(entry) = request else {
            panic!("{request:?}")
        };
        assert_eq!(entry.origin, Some(session_id()));
        assert_eq!(entry.fence, Some(Fence(2)));
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
        let (ticket, _) = script.take_store();
        script.stored(ticket, StoreReply::Appended(at(121)));
        assert_eq!(answer(&mut script)[0]["successful"], true);
        nothing_leaks(&mut script);
    }

    // Sessions that another engine has claimed.

    fn take(script: &mut Script, client: &Client, fence: u64) {
        let session = name(client);
        script.notify(Notice::Taken {
            session,
            fence: Fence(fence),
        });
    }

    /// The engine says how far it had come with a session that was taken.
    #[track_caller]
    fn parts(script: &mut Script, fence: u64, reached: u64) {
        let (ticket, request) = script.take_store();
        match request {
            StoreRequest::Part {
                fence: by, cursor, ..
            } => {
                assert_eq!((by, cursor), (Fence(fence), at(reached)));
            }
            other => panic!("{other:?}"),
        }
        script.stored(ticket, StoreReply::Done);
    }

    // Proves: MO-5
    #[test]
    fn who_has_a_session_taken_says_what_has_left() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let held = script.connect(&client);
        log(&mut script, [121]);
        script.take(held);
        log(&mut script, [122, 123]);

        take(&mut script, &client, 2);

        parts(&mut script, 2, 121);
        nothing_leaks(&mut script);
    }

    // Proves: CN-9
    #[test]
    fn a_hold_whose_session_was_taken_ends_as_a_duplicate() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({"ack": true}));
        let held = script.connect(&client);

        take(&mut script, &client, 2);

        script.expect_closed(held, CloseReason::Duplicate);
        log(&mut script, [121]);
        assert_eq!(script.try_take(held), None);
        assert!(!script.has_store_requests());
        assert_eq!(script.engine().load().sessions, 0);
        nothing_leaks(&mut script);
    }

    // Proves: WS-5
    #[test]
    fn a_socket_whose_session_was_taken_is_unbound_and_stays_open() {
        let mut script = engine(120);
        let client = own(&mut script, SOCKET, json!({}));
        let socket = script.connect(&client);

        take(&mut script, &client, 2);

        parts(&mut script, 2, 120);
        log(&mut script, [121]);
        script.after(60_000).expect_nothing(socket);
        script.send(
            socket,
            json!({"channel": "/meta/handshake", "version": "1.0"}),
        );
        done(&mut script);
        assert_eq!(script.take(socket)[0]["successful"], true);
        nothing_leaks(&mut script);
    }

    #[test]
    fn an_older_claim_is_not_meant() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let held = script.connect(&client);

        take(&mut script, &client, 1);

        script.expect_nothing(held);
        log(&mut script, [121]);
        assert_eq!(read(&script.take(held)).0, [121]);
    }

    // Proves: CN-9
    #[test]
    fn a_connect_that_is_worked_on_as_its_session_is_taken_ends_as_a_duplicate() {
        for transport in [HTTP, SOCKET] {
            let mut script = engine(120);
            let (client, connection) =
                claim_over(&mut script, transport, record(true, 100, 105), ack(10));
            let ticket = is_read(&mut script, 110, 120);

            take(&mut script, &client, 3);

            if transport == HTTP {
                script.expect_closed(connection, CloseReason::Duplicate);
            } else {
                script.expect_nothing(connection);
                assert!(script.is_asked(connection));
            }
            script.stored(ticket, StoreReply::Entries(entries([115])));
            assert_eq!(script.try_take(connection), None);
            nothing_leaks(&mut script);
        }
    }

    #[test]
    fn what_is_under_way_as_its_session_is_taken_is_cut_off() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let held = script.connect(&client);
        script.write_by_hand();
        log(&mut script, [121]);

        take(&mut script, &client, 2);

        script.expect_closed(held, CloseReason::Superseded);
        nothing_leaks(&mut script);
    }

    // Refused and late replies.

    #[test]
    fn what_a_fence_refuses_is_undone() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let publish = script.publish_as(&client, "/news", json!(0));
        let (ticket, request) = script.take_store();
        assert!(matches!(
            request,
            StoreRequest::Append(entry) if entry.fence == Some(Fence(1))
        ));
        script.stored(ticket, StoreReply::Fenced);
        goes_after(&mut script, StoreReply::Unknown);
        assert_eq!(script.take(publish)[0]["error"], "402::session_unknown");

        let exchange = script.request(&client, subscribe(&client, "/more"));
        let (ticket, _) = script.take_store();
        script.stored(ticket, StoreReply::Fenced);
        goes_after(&mut script, StoreReply::Unknown);
        assert_eq!(script.take(exchange)[0]["error"], "403::subscribe_failed");
        let held = script.connect(&client);
        script.notify(Notice::Entries(vec![Entry {
            to: Destination::Channel("/more".parse().unwrap()),
            ..entry(121)
        }]));
        script.expect_nothing(held);

        let exchange = script.post(json!({
            "channel": "/meta/unsubscribe", "clientId": client.session, "subscription": "/news",
        }));
        let (ticket, _) = script.take_store();
        script.stored(ticket, StoreReply::Fenced);
        goes_after(&mut script, StoreReply::Unknown);
        assert_eq!(script.take(exchange)[0]["error"], "403::unsubscribe_failed");
        nothing_leaks(&mut script);
    }

    /// A message goes after its session, and this becomes of it.
    #[track_caller]
    fn goes_after(script: &mut Script, reply: StoreReply) -> Messages {
        let (ticket, request) = script.take_store();
        let StoreRequest::Forward { messages, .. } = request else {
            panic!("{request:?}");
        };
        script.stored(ticket, reply);
        messages
    }

    // Proves: MO-6
    #[test]
    fn what_a_fence_refuses_is_done_by_whoever_has_the_session() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let publish =
            |id: &str| json!({"channel": "/news", "id": id, "clientId": client.session, "data": 0});
        let exchange = script.post(json!([publish("1"), publish("2")]));
        let first = script.take_store().0;
        let second = script.take_store().0;
        script.stored(first, StoreReply::Appended(at(121)));
        script.stored(second, StoreReply::Fenced);

        // It has moved on again in between.
        goes_after(&mut script, StoreReply::Unowned);
        let reply = Payload::parse(r#"{"channel":"/news","id":"2","successful":true}"#).unwrap();
        let messages = goes_after(&mut script, StoreReply::Answered(vec![reply]));

        assert_eq!(messages.len(), 1);
        assert_eq!(
            messages.first().unwrap().data,
            Some(Payload::parse("0").unwrap())
        );
        log(&mut script, [121]);
        let replies = script.take(exchange);
        let mut ids: Vec<_> = replies
            .as_array()
            .unwrap()
            .iter()
            .filter(|reply| reply["successful"] == true)
            .map(|reply| reply["id"].as_str().unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, ["1", "2"]);
    }

    #[test]
    fn a_message_goes_after_its_session_so_often_and_no_more() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let publish = script.publish_as(&client, "/news", json!(0));
        let (ticket, _) = script.take_store();
        script.stored(ticket, StoreReply::Fenced);

        for _ in 0..5 {
            goes_after(&mut script, StoreReply::Unowned);
        }

        assert_eq!(script.take(publish)[0]["error"], "503::unavailable");
    }

    #[test]
    fn an_engine_says_how_far_it_has_seen_and_whether_it_has_its_store() {
        let mut script = engine(120);
        assert_eq!(
            (script.engine().seen(), script.engine().has_store()),
            (at(120), true)
        );

        log(&mut script, [121, 122]);
        script.notify(Notice::Down);
        assert_eq!(
            (script.engine().seen(), script.engine().has_store()),
            (at(122), false)
        );

        script.notify(Notice::Up { position: at(122) });
        assert!(script.engine().has_store());
    }

    // Proves: ER-7
    #[test]
    fn a_store_that_does_not_answer_in_time_is_away() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let publish = script.publish_as(&client, "/news", json!(0));
        let (append, _) = script.take_store();
        let exchange = script.request(&client, subscribe(&client, "/more"));
        let (remember, _) = script.take_store();

        script.after(4_999).expect_nothing(publish);
        script.after(1);

        for exchange in [publish, exchange] {
            let reply = script.take(exchange);
            assert_eq!(reply[0]["error"], "503::unavailable");
            assert_eq!(reply[0].get("advice"), None);
        }
        // Too late is not at all.
        script.stored(append, StoreReply::Appended(at(121)));
        script.stored(remember, StoreReply::Done);
        assert_eq!(script.engine().counters().facts_ignored, 2);
        nothing_leaks(&mut script);
    }

    // Proves: ER-7
    #[test]
    fn a_session_that_could_not_be_opened_in_time_is_ended() {
        let mut script = engine(120);
        let exchange = script.post(json!({"channel": "/meta/handshake", "version": "1.0"}));
        let (_, request) = script.take_store();
        let StoreRequest::Open(record) = request else {
            panic!("{request:?}")
        };

        script.after(5_000);

        let reply = script.take(exchange);
        assert_eq!(reply[0]["error"], "503::unavailable");
        assert_eq!(reply[0]["advice"]["reconnect"], "handshake");
        assert_eq!(script.cookie(exchange), None);
        let (_, request) = script.take_store();
        assert!(matches!(request, StoreRequest::End { session, .. } if session == record.session));
        nothing_leaks(&mut script);
    }

    // The store goes away, and comes back.

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

    // Letting go.

    /// Everything that the engine releases, with the cursor of each.
    fn released(script: &mut Script) -> Vec<(SessionId, Position)> {
        let mut released = Vec::new();
        while script.has_store_requests() {
            let (ticket, request) = script.take_store();
            script.stored(ticket, StoreReply::Done);
            if let StoreRequest::Release {
                session, cursor, ..
            } = request
            {
                released.push((session, cursor));
            }
        }
        released
    }

    fn drain(script: &mut Script, millis: u64) {
        let over = Duration::from_millis(millis);
        script.fact(Input::Draining { over });
    }

    // Proves: TM-11
    #[test]
    fn a_session_is_released_where_its_client_stands() {
        let mut script = engine(120);
        let reader = own(&mut script, HTTP, json!({"ack": true}));
        let poller = own(&mut script, HTTP, json!({}));
        let idle = own(&mut script, HTTP, json!({}));
        let now = |number| json!({"ext": {"ack": number}, "advice": {"timeout": 0}});
        let unsubscribe = json!({
            "channel": "/meta/unsubscribe", "clientId": idle.session, "subscription": "/news",
        });
        let exchange = script.request(&idle, unsubscribe);
        done(&mut script);
        script.take(exchange);
        log(&mut script, [121, 122]);
        for client in [&reader, &poller] {
            let connection = script.connect_with(client, now(0));
            assert_eq!(read(&script.take(connection)).0, [121, 122]);
        }
        let connection = script.connect_with(&reader, now(1));
        script.take(connection);
        log(&mut script, [123, 124]);

        drain(&mut script, 2_000);
        script.after(2_000);

        let mut cursors = released(&mut script);
        cursors.sort();
        let mut wanted = [
            (name(&reader), at(121)), // acknowledged
            (name(&poller), at(122)), // written
            (name(&idle), at(124)),   // seen
        ];
        wanted.sort();
        assert_eq!(cursors, wanted);
        assert_eq!(script.engine().load().sessions, 0);
        nothing_leaks(&mut script);
    }

    // Proves: TM-11
    #[test]
    fn what_leaves_with_the_last_reply_is_not_released_as_unsent() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let held = script.connect(&client);
        script.notify(Notice::Entries(vec![Entry {
            laziness: Laziness::Lazy,
            ..entry(121)
        }]));
        script.write_by_hand();

        // The driver comes late: hold and window end in the same turn.
        drain(&mut script, 1_000);
        script.oversleep(2_000);

        assert_eq!(read(&script.take(held)).0, [121]);
        assert_eq!(released(&mut script), []);
        script.written(held);
        assert_eq!(released(&mut script), [(name(&client), at(121))]);
        let load = script.engine().load();
        assert_eq!(load.timers, load.channels, "nothing but idle channels");
        nothing_leaks(&mut script);
    }

    // Proves: TM-11
    #[test]
    fn what_was_under_way_and_did_not_arrive_is_released_as_unsent() {
        for transport in [HTTP, SOCKET] {
            let mut script = engine(120);
            let client = own(&mut script, transport, json!({}));
            let carrier = script.connect(&client);
            script.write_by_hand();
            log(&mut script, [121, 122]);

            drain(&mut script, 1_000);
            if transport == HTTP {
                script.after(1_000);
                assert_eq!(released(&mut script), []);
                script.close(carrier);
            } else {
                script.after(1_000); // the engine closes the socket itself
            }

            assert_eq!(released(&mut script), [(name(&client), at(120))]);
            let reports = script.reports();
            assert!(reports.contains(&ReportKind::Drained));
            nothing_leaks(&mut script);
        }
    }

    // Proves: TM-11
    #[test]
    fn a_shutdown_waits_a_second_at_most_for_what_is_in_flight() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        let carrier = script.connect(&client);
        script.write_by_hand();
        log(&mut script, [121]);

        drain(&mut script, 1_000);
        script.after(1_999);
        assert_eq!(released(&mut script), []);
        assert!(!script.reports().contains(&ReportKind::Drained));
        script.after(1);

        script.expect_closed(carrier, CloseReason::Shutdown);
        assert_eq!(released(&mut script), [(name(&client), at(120))]);
        assert!(script.reports().contains(&ReportKind::Drained));
        nothing_leaks(&mut script);
    }

    // Proves: TM-11
    #[test]
    fn an_engine_that_has_let_go_claims_nothing_back() {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        drain(&mut script, 1_000);
        script.after(1_000);
        assert_eq!(released(&mut script), [(name(&client), at(120))]);

        let connection = script.connect(&client);

        script.expect_closed(connection, CloseReason::Shutdown);
        assert!(!script.has_store_requests());
        nothing_leaks(&mut script);
    }
}

/// Engines over one store.
mod several {
    use super::*;

    struct Cluster {
        nodes: Vec<Script>,
        config: Config,
    }

    impl Cluster {
        fn new(count: usize) -> Self {
            Self::with(count, Config::default())
        }

        fn with(count: usize, config: Config) -> Self {
            let first = Script::new(config.clone());
            let mut nodes = vec![first];
            while nodes.len() < count {
                let next = nodes[0].join(config.clone());
                nodes.push(next);
            }
            Self { nodes, config }
        }

        /// Does something on one node, and lets the others see what comes of it.
        fn on<T>(&mut self, node: usize, act: impl FnOnce(&mut Script) -> T) -> T {
            let done = act(&mut self.nodes[node]);
            self.settle();
            done
        }

        fn settle(&mut self) {
            while self.nodes.iter_mut().any(Script::catch_up) {}
        }

        fn after(&mut self, millis: u64) {
            // In small steps, for what one node does to concern the others in time.
            let mut left = millis;
            while left > 0 {
                let step = left.min(500);
                left -= step;
                for node in &mut self.nodes {
                    node.after(step);
                }
                self.settle();
            }
        }

        /// A node dies, and another is started in its place.
        fn crash(&mut self, node: usize) {
            let fresh = self.nodes[(node + 1) % self.nodes.len()].join(self.config.clone());
            core::mem::replace(&mut self.nodes[node], fresh).crash();
            self.settle();
        }

        /// A node stops as it should.
        fn stop(&mut self, node: usize) {
            let over = Duration::from_millis(2_000);
            self.on(node, |script| {
                script.fact(Input::Draining { over });
            });
            self.after(3_000);
            assert!(self.nodes[node].reports().contains(&ReportKind::Drained));
        }

        fn nothing_leaks(&mut self) {
            for script in &mut self.nodes {
                nothing_leaks(script);
            }
        }
    }

    /// The same client, at another node.
    fn elsewhere(client: &Client) -> Client {
        Client {
            transport: HTTP,
            socket: None,
            ..client.clone()
        }
    }

    fn reader(cluster: &mut Cluster, node: usize, transport: Transport, ext: Value) -> Client {
        cluster.on(node, |script| {
            let client = script.connected_over(transport, ext);
            script.subscribe(&client, "/news");
            client
        })
    }

    fn publish(cluster: &mut Cluster, node: usize, data: u64) {
        cluster.on(node, |script| {
            script.publish("/news", json!(data));
        });
    }

    fn connect(cluster: &mut Cluster, node: usize, client: &Client, number: u64) -> ConnectionId {
        let members = json!({"ext": {"ack": number}});
        cluster.on(node, |script| script.connect_with(client, members))
    }

    fn take(
        cluster: &mut Cluster,
        node: usize,
        connection: ConnectionId,
    ) -> (Vec<u64>, Option<u64>) {
        read(&cluster.nodes[node].take(connection))
    }

    // Proves: CN-9, AK-4, AK-13
    #[test]
    fn a_connect_moves_its_session_and_everything_goes_on_there() {
        let mut cluster = Cluster::new(2);
        publish(&mut cluster, 1, 0);
        let client = reader(&mut cluster, 0, HTTP, json!({"ack": true}));
        let held = connect(&mut cluster, 0, &client, 0);
        publish(&mut cluster, 1, 1);
        assert_eq!(take(&mut cluster, 0, held), (vec![1], Some(1)));
        let held = connect(&mut cluster, 0, &client, 1);

        let moved = connect(&mut cluster, 1, &client, 1);

        cluster.nodes[0].expect_closed(held, CloseReason::Duplicate);
        cluster.nodes[1].expect_nothing(moved);
        publish(&mut cluster, 0, 2);
        assert_eq!(take(&mut cluster, 1, moved), (vec![2], Some(2)));
        // And back, with the reply lost.
        let back = connect(&mut cluster, 0, &client, 1);
        assert_eq!(take(&mut cluster, 0, back), (vec![2], Some(2)));
        assert_eq!(cluster.nodes[1].engine().load().sessions, 0);
        cluster.nothing_leaks();
    }

    #[test]
    fn publish_and_subscribe_by_way_of_another_node_leave_the_hold_alone() {
        for transport in [HTTP, SOCKET] {
            let mut cluster = Cluster::new(2);
            let client = reader(&mut cluster, 0, transport, json!({}));
            let carrier = connect(&mut cluster, 0, &client, 0);
            let other = elsewhere(&client);

            let published = cluster.on(1, |script| script.publish_as(&other, "/other", json!(1)));
            let subscribed = cluster.on(1, |script| {
                script.request(
                    &other,
                    json!({
                        "id": "s", "channel": "/meta/subscribe", "clientId": other.session,
                        "subscription": "/more",
                    }),
                )
            });

            assert_eq!(cluster.nodes[1].take(published)[0]["successful"], true);
            assert_eq!(cluster.nodes[1].take(subscribed)[0]["successful"], true);
            cluster.nodes[0].expect_nothing(carrier);
            assert_eq!(cluster.nodes[1].engine().load().sessions, 0);
            cluster.on(1, |script| {
                script.publish("/more", json!(7));
            });
            assert_eq!(take(&mut cluster, 0, carrier).0, [7]);
            cluster.nothing_leaks();
        }
    }

    // Proves: PB-7, QU-2
    #[test]
    fn what_a_client_publishes_by_way_of_another_node_reaches_itself() {
        let mut cluster = Cluster::new(2);
        let client = reader(&mut cluster, 0, HTTP, json!({}));
        let held = connect(&mut cluster, 0, &client, 0);

        let published = cluster.on(1, |script| {
            script.publish_as(&elsewhere(&client), "/news", json!(1))
        });

        let reply = cluster.nodes[1].take(published);
        assert_eq!(reply.as_array().unwrap().len(), 1);
        assert_eq!(reply[0]["successful"], true);
        assert_eq!(take(&mut cluster, 0, held).0, [1]);
        cluster.nothing_leaks();
    }

    // Proves: WS-5
    #[test]
    fn a_socket_left_behind_serves_on() {
        let mut cluster = Cluster::new(2);
        let client = reader(&mut cluster, 0, SOCKET, json!({}));
        let socket = connect(&mut cluster, 0, &client, 0);
        let held = connect(&mut cluster, 1, &elsewhere(&client), 0);

        // Its messages find their way; its events do not come here any more.
        let published = cluster.on(0, |script| script.publish_as(&client, "/news", json!(1)));

        assert_eq!(cluster.nodes[0].take(published)[0]["successful"], true);
        cluster.nodes[0].expect_nothing(socket);
        assert_eq!(take(&mut cluster, 1, held).0, [1]);
        // Its next connect takes the session back.
        let socket = connect(&mut cluster, 0, &client, 0);
        publish(&mut cluster, 1, 2);
        assert_eq!(take(&mut cluster, 0, socket).0, [2]);
        cluster.nothing_leaks();
    }

    // Proves: MO-5, AK-4
    #[test]
    fn with_acknowledgement_a_dead_node_costs_nothing() {
        let mut cluster = Cluster::new(2);
        let client = reader(&mut cluster, 0, HTTP, json!({"ack": true}));
        for data in 1..=3 {
            publish(&mut cluster, 1, data);
        }
        let connection = connect(&mut cluster, 0, &client, 1);
        assert_eq!(take(&mut cluster, 0, connection), (vec![2, 3], Some(3)));

        cluster.crash(0);
        publish(&mut cluster, 1, 4);

        let connection = connect(&mut cluster, 0, &client, 1);
        assert_eq!(take(&mut cluster, 0, connection), (vec![2, 3, 4], Some(4)));
        cluster.nothing_leaks();
    }

    // Proves: AK-4
    #[test]
    fn a_dead_node_costs_nothing_if_a_publish_is_the_first_to_notice() {
        let mut cluster = Cluster::new(2);
        let client = reader(&mut cluster, 0, HTTP, json!({"ack": true}));
        publish(&mut cluster, 1, 1);
        publish(&mut cluster, 1, 2);
        cluster.crash(0);

        let published = cluster.on(1, |script| script.publish_as(&client, "/news", json!(3)));
        assert_eq!(cluster.nodes[1].take(published)[0]["successful"], true);

        let connection = connect(&mut cluster, 1, &client, 1);
        assert_eq!(take(&mut cluster, 1, connection), (vec![2, 3], Some(3)));
        cluster.nothing_leaks();
    }

    // Proves: MO-5
    #[test]
    fn without_acknowledgement_a_dead_node_costs_what_it_had_in_hand() {
        let mut cluster = Cluster::new(2);
        let client = reader(&mut cluster, 0, HTTP, json!({}));
        publish(&mut cluster, 1, 1);
        cluster.crash(0);
        publish(&mut cluster, 1, 2);

        let held = connect(&mut cluster, 1, &client, 0);
        cluster.nodes[1].expect_nothing(held);
        publish(&mut cluster, 0, 3);

        assert_eq!(take(&mut cluster, 1, held).0, [3]);
        cluster.nothing_leaks();
    }

    // Proves: TM-11
    #[test]
    fn a_node_that_stops_as_it_should_costs_nothing_at_all() {
        for ext in [json!({}), json!({"ack": true})] {
            let mut cluster = Cluster::new(2);
            let client = reader(&mut cluster, 0, HTTP, ext.clone());
            publish(&mut cluster, 1, 1);
            let connection = connect(&mut cluster, 0, &client, 0);
            assert_eq!(take(&mut cluster, 0, connection).0, [1]);
            let held = connect(&mut cluster, 0, &client, 1);

            cluster.on(0, |script| {
                script.fact(Input::Draining {
                    over: Duration::from_secs(2),
                });
            });
            cluster.after(2_000);
            let reply = cluster.nodes[0].take(held);
            assert_eq!(reply[0]["advice"]["reconnect"], "retry");
            assert!(cluster.nodes[0].is_last(held));
            publish(&mut cluster, 1, 2);
            publish(&mut cluster, 1, 3);

            let connection = connect(&mut cluster, 1, &client, 1);
            assert_eq!(take(&mut cluster, 1, connection).0, [2, 3]);
            cluster.crash(0);
            cluster.nothing_leaks();
        }
    }

    // Proves: TM-11
    #[test]
    fn what_waited_at_the_node_that_stopped_is_read_by_the_next() {
        let mut cluster = Cluster::new(2);
        let client = reader(&mut cluster, 0, HTTP, json!({}));
        publish(&mut cluster, 1, 1);
        publish(&mut cluster, 1, 2);
        cluster.stop(0);
        publish(&mut cluster, 1, 3);

        let connection = connect(&mut cluster, 1, &client, 0);

        assert_eq!(take(&mut cluster, 1, connection).0, [1, 2, 3]);
        cluster.crash(0);
        cluster.nothing_leaks();
    }

    #[test]
    fn a_session_ends_everywhere() {
        let mut cluster = Cluster::new(2);
        let client = reader(&mut cluster, 0, HTTP, json!({}));
        let held = connect(&mut cluster, 0, &client, 0);

        let bye = json!({"id": "d", "channel": "/meta/disconnect", "clientId": client.session});
        let exchange = cluster.on(1, |script| script.request(&client, bye));

        assert_eq!(cluster.nodes[1].take(exchange)[0]["successful"], true);
        let reply = cluster.nodes[0].take(held);
        assert_eq!(reply[0]["advice"]["reconnect"], "none");
        for node in 0..2 {
            let connection = connect(&mut cluster, node, &client, 0);
            is_told_to_handshake(&cluster.nodes[node].take(connection));
        }
        cluster.nothing_leaks();
    }

    // A client that goes from node to node, nodes that die and stop, a network that loses answers.

    #[derive(Clone, Debug)]
    enum Step {
        Publish { node: usize, own: bool },
        Connect { node: usize, socket: bool },
        Read,
        Lose,
        Crash(usize),
        Stop(usize),
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let node = || 0..3_usize;
        let step = prop_oneof![
            5 => (node(), any::<bool>()).prop_map(|(node, own)| Step::Publish { node, own }),
            5 => (node(), any::<bool>()).prop_map(|(node, socket)| Step::Connect { node, socket }),
            4 => Just(Step::Read),
            2 => Just(Step::Lose),
            1 => node().prop_map(Step::Crash),
            1 => node().prop_map(Step::Stop),
            1 => (1..3_000_u64).prop_map(Step::Pass),
        ];
        prop::collection::vec(step, 1..50)
    }

    /// The client: one connect at a time, on one carrier.
    struct Traveller {
        session: String,
        carrier: Option<(usize, ConnectionId)>,
        waits: Option<String>,
        number: u64,
        got: Vec<u64>,
    }

    impl Traveller {
        fn connect(&mut self, cluster: &mut Cluster, node: usize, socket: bool) {
            let stays = socket && self.waits.is_none();
            let usable = |(at, connection): &(usize, ConnectionId)| {
                stays && *at == node && cluster.nodes[node].is_asked(*connection)
            };
            let carrier = self.carrier.filter(usable);
            if carrier.is_none() {
                self.lose(cluster);
            }
            let connection = carrier.map_or_else(
                || cluster.nodes[node].open(if socket { SOCKET } else { HTTP }),
                |(_, connection)| connection,
            );
            let id = cluster.nodes[node].id();
            let message = json!({
                "id": id, "channel": "/meta/connect", "clientId": self.session,
                "ext": {"ack": self.number},
            });
            cluster.on(node, |script| {
                script.send(connection, message);
            });
            self.carrier = Some((node, connection));
            self.waits = Some(id);
        }

        /// Reads everything that has come.
        fn read(&mut self, cluster: &mut Cluster) {
            let Some((node, connection)) = self.carrier else {
                return;
            };
            while let Some(frame) = cluster.nodes[node].try_take(connection) {
                for message in frame.as_array().unwrap() {
                    if let Some(data) = message.get("data") {
                        self.got.push(data.as_u64().unwrap());
                    }
                    if message["id"].as_str() == self.waits.as_deref() {
                        assert_eq!(message["successful"], true, "{message}");
                        self.waits = None;
                    }
                    if let Some(number) = message.pointer("/ext/ack") {
                        self.number = number.as_u64().unwrap();
                    }
                }
            }
            if cluster.nodes[node].closed(connection).is_some() {
                self.carrier = None;
                self.waits = None;
            }
        }

        fn lose(&mut self, cluster: &mut Cluster) {
            self.waits = None;
            if let Some((node, connection)) = self.carrier.take() {
                cluster.on(node, |script| {
                    script.hang_up(connection);
                });
            }
        }
    }

    /// What the client got of what was published.
    fn travel(steps: &[Step], ext: Value) -> (Vec<u64>, Vec<u64>) {
        let mut cluster = Cluster::with(
            3,
            Config {
                max_interval: Duration::from_secs(3_600),
                ..Config::default()
            },
        );
        let client = reader(&mut cluster, 0, HTTP, ext.clone());
        let mut traveller = Traveller {
            session: client.session.clone(),
            carrier: None,
            waits: None,
            number: 0,
            got: Vec::new(),
        };
        let mut wanted = Vec::new();
        for (data, step) in (1..).zip(steps) {
            match step {
                Step::Publish { node, own } => {
                    wanted.push(data);
                    if *own {
                        let other = elsewhere(&client);
                        let exchange = cluster.on(*node, |script| {
                            script.publish_as(&other, "/news", json!(data))
                        });
                        // Without acknowledgement the events of a session ride on any reply.
                        let reply = cluster.nodes[*node].take(exchange);
                        let replies = reply.as_array().unwrap();
                        assert_eq!(replies.last().unwrap()["successful"], true, "{reply}");
                        traveller.got.extend(read(&reply).0);
                    } else {
                        publish(&mut cluster, *node, data);
                    }
                }
                Step::Connect { node, socket } => {
                    traveller.read(&mut cluster);
                    traveller.connect(&mut cluster, *node, *socket);
                }
                Step::Read => traveller.read(&mut cluster),
                Step::Lose => traveller.lose(&mut cluster),
                Step::Crash(node) => {
                    if traveller.carrier.is_some_and(|(at, _)| at == *node) {
                        traveller.carrier = None;
                        traveller.waits = None;
                    }
                    cluster.crash(*node);
                }
                Step::Stop(node) => {
                    cluster.stop(*node);
                    traveller.read(&mut cluster);
                    if traveller.carrier.is_some_and(|(at, _)| at == *node) {
                        traveller.carrier = None;
                        traveller.waits = None;
                    }
                    cluster.crash(*node);
                }
                Step::Pass(millis) => cluster.after(*millis),
            }
        }
        traveller.read(&mut cluster);
        for node in [0, 1, 2, 2] {
            traveller.connect(&mut cluster, node, false);
            cluster.after(31_000);
            traveller.read(&mut cluster);
            assert_eq!(traveller.waits, None);
        }
        for script in &mut cluster.nodes {
            script.after(8_000_000);
            assert_eq!(script.engine().load(), Load::default());
        }
        (traveller.got, wanted)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 100, failure_persistence: None, ..ProptestConfig::default()
        })]

        // Proves: MO-5, AK-4, AK-7
        #[test]
        fn with_acknowledgement_everything_arrives_once_whatever_dies(steps in steps()) {
            let (got, wanted) = travel(&steps, json!({"ack": true}));
            assert_eq!(got, wanted);
        }

        // Proves: MO-5
        #[test]
        fn without_it_nothing_arrives_twice(steps in steps()) {
            let (got, wanted) = travel(&steps, json!({}));
            let mut once = got.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), got.len(), "{got:?}");
            assert!(once.iter().all(|data| wanted.contains(data)));
        }
    }
}
