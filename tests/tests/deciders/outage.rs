use super::*;

/// How the store fails.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Outage {
    /// It has said that it is away.
    Down,
    /// It says no to each request.
    Failed,
    /// It does not answer.
    Silent,
}

const OUTAGES: [Outage; 3] = [Outage::Down, Outage::Failed, Outage::Silent];

impl Outage {
    fn begin(self, script: &mut Script) {
        if self == Self::Down {
            script.notify(Notice::Down);
        }
    }

    /// Lets the requests that are open fail.
    fn strike(self, script: &mut Script) {
        match self {
            Self::Down => assert!(!script.has_store_requests(), "it is asked in vain"),
            Self::Failed => answer_all(script, |_| StoreReply::Failed),
            Self::Silent => {
                assert!(script.has_store_requests());
                script.after(5_000);
                // What it says too late changes nothing.
                answer_all(script, |_| StoreReply::Done);
            }
        }
    }
}

// Proves: ER-7
#[test]
fn a_handshake_may_be_tried_again() {
    for outage in OUTAGES {
        let mut script = Script::with_scripted_store(Config::default());
        outage.begin(&mut script);
        let exchange = script.post(handshake());
        outage.strike(&mut script);
        expect_try_later(&mut script, exchange);
        assert_eq!(script.reports(), []);
    }
}

// Proves: ER-7
#[test]
fn a_session_that_is_late_to_be_kept_is_ended() {
    let mut script = Script::with_scripted_store(Config::default());
    script.post(handshake());
    let (_, open) = script.take_store();
    script.after(5_000);
    let (_, end) = script.take_store();
    match (open, end) {
        (StoreRequest::Open(record), StoreRequest::End { session, fence }) => {
            assert_eq!((record.session, record.fence), (session, fence));
        }
        other => panic!("{other:?}"),
    }
}

// Proves: ER-7
#[test]
fn publishes_and_subscriptions_are_answered_with_the_error_alone() {
    for outage in OUTAGES {
        for channel in ["/n", "/meta/subscribe", "/meta/unsubscribe"] {
            let (mut script, client) = scripted();
            let session = SessionId::parse(&client.session).unwrap();
            subscribe(&mut script, &client, "/old");
            outage.begin(&mut script);
            let subscription = if channel == "/meta/subscribe" {
                "/new"
            } else {
                "/old"
            };
            let message = json!({
                "id": "1", "channel": channel, "clientId": client.session,
                "subscription": subscription,
            });
            let exchange = script.post(message);
            outage.strike(&mut script);
            let reply = json!({
                "id": "1", "channel": channel, "successful": false,
                "subscription": subscription, "error": "503::unavailable",
            });
            script.expect(exchange, json!([reply]));
            let CallResult::Session(view) = script.call(Call::Inspect { session }) else {
                panic!("the session is gone")
            };
            assert!(!view.subscriptions.contains(&"/new".parse().unwrap()));
        }
    }
}

// Proves: ER-7
#[test]
fn an_unsubscription_that_failed_can_be_repeated() {
    for outage in OUTAGES {
        let (mut script, client) = scripted();
        subscribe(&mut script, &client, "/n");
        let message = json!({
            "id": "1", "channel": "/meta/unsubscribe", "clientId": client.session,
            "subscription": "/n",
        });
        outage.begin(&mut script);
        let exchange = script.post(message.clone());
        outage.strike(&mut script);
        assert_eq!(script.take(exchange)[0]["successful"], json!(false));
        script.notify(Notice::Up {
            position: Position::ZERO,
        });

        let exchange = script.post(message);

        let (ticket, request) = script.take_store();
        assert!(
            matches!(request, StoreRequest::Unsubscribe { .. }),
            "{request:?}"
        );
        script.stored(ticket, StoreReply::Done);
        assert_eq!(script.take(exchange)[0]["successful"], json!(true));
    }
}

// Proves: ER-7
#[test]
fn a_session_that_is_here_connects_calls_and_leaves_as_ever() {
    for outage in OUTAGES {
        let (mut script, client) = scripted();
        outage.begin(&mut script);
        let held = script.connect(&client);
        script.expect_nothing(held);
        let service = script.publish_as(&client, "/service/x", json!(1));
        assert_eq!(script.take(service)[0]["successful"], json!(true));
        let bye = json!({"channel": "/meta/disconnect", "clientId": client.session});
        let exchange = script.post(bye);
        assert_eq!(script.take(held)[0]["advice"], json!({"reconnect": "none"}));
        outage.strike(&mut script);
        script.expect(
            exchange,
            json!([{"channel": "/meta/disconnect", "successful": true}]),
        );
    }
}

// Proves: ER-7, DC-6
#[test]
fn a_socket_whose_session_left_during_an_outage_is_closed_in_time() {
    for outage in OUTAGES {
        let (mut script, client) = scripted();
        let socket = script.open(Transport::WebSocket);
        outage.begin(&mut script);
        let bye = json!({"channel": "/meta/disconnect", "clientId": client.session});
        script.send(socket, bye);
        outage.strike(&mut script);
        assert_eq!(script.take(socket)[0]["successful"], json!(true));
        script.after(5_000).expect_closed(socket, CloseReason::Idle);
    }
}

// Proves: ER-7
#[test]
fn a_connect_that_would_have_to_be_handed_over_ends_as_a_whole_and_never_with_402() {
    for outage in OUTAGES {
        for transport in [Transport::LongPolling, Transport::WebSocket] {
            let mut script = Script::with_scripted_store(Config::default());
            outage.begin(&mut script);
            let connection = script.open(transport);
            script.send(
                connection,
                json!({"channel": "/meta/connect", "clientId": ELSEWHERE}),
            );
            outage.strike(&mut script);
            script.expect_closed(connection, CloseReason::Unavailable);
            assert_eq!(script.try_take(connection), None);
        }
    }
    assert_eq!(CloseReason::Unavailable.http_status(500), 503);
    assert_eq!(CloseReason::Unavailable.close_code(), 1013);
}

// Proves: ER-7
#[test]
fn messages_that_would_have_to_be_handed_over_are_unavailable() {
    for outage in OUTAGES {
        let mut script = Script::with_scripted_store(Config::default());
        outage.begin(&mut script);
        let messages = ["/n", "/meta/subscribe"].map(
            |channel| json!({"channel": channel, "clientId": ELSEWHERE, "subscription": "/n"}),
        );
        let exchange = script.post(json!(messages));
        outage.strike(&mut script);
        let frame = script.take(exchange);
        for reply in frame.as_array().unwrap() {
            assert_eq!(reply["error"], json!("503::unavailable"));
            assert_eq!(reply.get("advice"), None);
        }
    }
}

// Proves: ER-7
#[test]
fn a_call_whose_result_cannot_be_kept_is_unavailable() {
    for outage in [Outage::Failed, Outage::Silent] {
        let (mut script, client) = scripted();
        add(&mut script, 1, handler("/service/x"));
        let call = json!({
            "id": "1", "channel": "/service/x", "clientId": client.session, "data": 1,
        });
        let exchange = script.post(call);
        script.decide(Verdict::Answer {
            successful: true,
            data: Payload::null(),
        });
        outage.strike(&mut script);
        assert_eq!(script.take(exchange)[0]["error"], json!("503::unavailable"));
    }
}

// Proves: ER-7
#[test]
fn the_application_is_told_that_the_store_is_away() {
    for outage in OUTAGES {
        let (mut script, client) = scripted();
        let session = SessionId::parse(&client.session).unwrap();
        subscribe(&mut script, &client, "/n");
        script.connect(&client);
        outage.begin(&mut script);
        let (channel, data) = ("/n".parse().unwrap(), Payload::null());
        let pattern = || "/n".parse().unwrap();
        let calls = [
            Call::Publish {
                channel,
                data: data.clone(),
                ext: None,
                laziness: Laziness::Prompt,
            },
            Call::Deliver {
                session,
                channel: "/n".parse().unwrap(),
                data,
                laziness: Laziness::Prompt,
            },
            Call::Subscribe {
                session,
                pattern: "/new".parse().unwrap(),
            },
            Call::Unsubscribe {
                session,
                pattern: pattern(),
            },
        ];
        for call in calls {
            let name = format!("{call:?}");
            let ticket = script.call_later(call);
            outage.strike(&mut script);
            let result = script.result(ticket);
            assert_eq!(result, Some(CallResult::Unavailable), "{outage:?} {name}");
        }
    }
}

// Proves: ER-7, AD-6
#[test]
fn holds_stay_held_while_the_store_is_away_and_nobody_is_told_to_stop() {
    let (mut script, client) = scripted();
    subscribe(&mut script, &client, "/n");
    let held = script.connect(&client);
    script
        .notify(Notice::Down)
        .after(20_000)
        .expect_nothing(held);
    script.notify(Notice::Up {
        position: Position::ZERO,
    });
    script.expect_nothing(held).after(10_000);
    let reply = script.take(held);
    assert_eq!(reply[0]["successful"], json!(true));
    assert_eq!(reply[0].get("advice"), None);
}

/// A session that no engine has given out here.
const ELSEWHERE: &str = "0123456789abcdefghijklmno";

/// A client that has connected, and a store that does nothing by itself.
fn scripted() -> (Script, Client) {
    let mut script = Script::with_scripted_store(Config::default());
    let exchange = script.post(handshake());
    answer_all(&mut script, |_| StoreReply::Done);
    let reply = script.take(exchange);
    let client = Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        transport: Transport::LongPolling,
        socket: None,
        peer: <_>::default(),
    };
    script.first_connect(&client);
    script.reports();
    (script, client)
}

fn subscribe(script: &mut Script, client: &Client, pattern: &str) {
    let message = json!({
        "channel": "/meta/subscribe", "clientId": client.session, "subscription": pattern,
    });
    let exchange = script.post(message);
    answer_all(script, |_| StoreReply::Done);
    assert_eq!(script.take(exchange)[0]["successful"], json!(true));
}

fn answer_all(script: &mut Script, reply: fn(&StoreRequest) -> StoreReply) {
    while script.has_store_requests() {
        let (ticket, request): (StoreTicket, _) = script.take_store();
        script.stored(ticket, reply(&request));
    }
}
