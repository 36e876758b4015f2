//! What a backend publishes and delivers arrives.

use bayeux_tests::live::{Opcode, Server};
use serde_json::{Value, json};

use crate::backend::{Backend, events, listener, poller, settings};

#[test]
fn what_is_published_reaches_every_subscriber_with_its_bytes_unchanged() {
    let server = Server::start(&settings());
    let mut backend = Backend::of(&server);
    let data = r#"{"n": 1.50, "big":12345678901234567890123, "ü":"\u00fc"}"#;
    let (mut first, _) = listener(&server, &["/news/*"]);
    let (mut second, _) = listener(&server, &["/news/today"]);
    let mut polling = poller(&server, "/news/**");
    let held = polling.hold();

    let body = format!(r#"{{"channel":"/news/today","data":{data},"ext":{{"from":[1.0]}}}}"#);
    let published = backend.post_text("publish", &body);

    assert_eq!(published, json!({"position": 1}));
    let event = format!(r#"[{{"channel":"/news/today","data":{data},"ext":{{"from":[1.0]}}}}]"#);
    for socket in [&mut first, &mut second] {
        let frame = socket.frame().expect("an event");
        assert_eq!(frame.opcode, Opcode::Text);
        assert_eq!(String::from_utf8_lossy(&frame.payload), event);
    }
    let answer = held.answer();
    let object = &event[1..event.len() - 1];
    assert!(answer.text().contains(object), "{}", answer.text());
    // It ends with the reply to the connect.
    polling.post(json!([polling.disconnect()]));
}

#[test]
fn a_batch_is_published_in_order_and_each_has_a_result_of_its_own() {
    let server = Server::start(&settings());
    let mut backend = Backend::of(&server);
    let (mut socket, _) = listener(&server, &["/**"]);
    let batch = |from: u64| -> Vec<Value> {
        let numbers = from..from + 500;
        numbers
            .map(|n| match n % 5 {
                4 => json!({"channel": "/odd/*", "data": n}),
                3 => json!({"channel": "/service/odd", "data": n}),
                2 => json!({"channel": "/a"}),
                _ => json!({"channel": format!("/c/{}", n % 7), "data": n}),
            })
            .collect()
    };

    for from in [0, 500] {
        let answer = backend.post("publish/batch", &batch(from).into());

        let results = answer["results"].as_array().expect("results");
        assert_eq!(results.len(), 500);
        let mut position = from / 5 * 2;
        for (n, result) in (from..).zip(results) {
            let code = &result["error"]["code"];
            match n % 5 {
                4 => assert_eq!(code, "channel_invalid", "{n}"),
                3 => assert_eq!(code, "channel_refused", "{n}"),
                2 => assert_eq!(code, "body_invalid", "{n}"),
                _ => {
                    position += 1;
                    assert_eq!(*result, json!({"position": position}), "{n}");
                }
            }
        }
    }

    let expected: Vec<_> = (0..1_000).filter(|n| n % 5 < 2).map(Value::from).collect();
    let received = events(&mut socket, expected.len());
    let received: Vec<_> = received.iter().map(|event| event["data"].clone()).collect();
    assert_eq!(received, expected);
    assert_eq!(
        backend.post("publish/batch", &json!([])),
        json!({"results": []})
    );
}

#[test]
fn a_batch_may_have_the_most_messages_and_not_one_more() {
    let server = Server::start(&settings().option("limits.maxBatch", 3));
    let mut backend = Backend::of(&server);
    let batch = |count| Value::from(vec![json!({"channel": "/a", "data": 1}); count]);

    let answer = backend.post("publish/batch", &batch(3));
    assert_eq!(answer["results"][2], json!({"position": 3}));
    let refused = backend.refused("publish/batch", &batch(4));
    assert_eq!(refused, (413, "batch_too_large".into()));
    let next = backend.post("publish", &json!({"channel": "/a", "data": 1}));
    assert_eq!(next, json!({"position": 4}), "nothing of it was published");
}

#[test]
fn a_delivery_reaches_its_session_alone_whatever_that_is_subscribed_to() {
    let server = Server::start(&settings());
    let mut backend = Backend::of(&server);
    // Two shards have two each.
    let mut clients: Vec<_> = (0..4).map(|_| listener(&server, &["/all"])).collect();

    for (n, (_, session)) in clients.iter().enumerate() {
        let deliver = json!({"clientId": session, "channel": "/service/mine", "data": n});
        let position = backend.post("deliver", &deliver)["position"].clone();
        assert_eq!(position, n + 1);
    }
    backend.post("publish", &json!({"channel": "/all", "data": "end"}));

    for (n, (socket, _)) in clients.iter_mut().enumerate() {
        let received = events(socket, 2);
        let own = json!({"channel": "/service/mine", "data": n});
        let end = json!({"channel": "/all", "data": "end"});
        assert_eq!(received, [own, end]);
    }
}

#[test]
fn a_channel_is_for_backends_what_it_is_for_clients() {
    let server = Server::start(&settings().option("wideChannelCharacters", true));
    let mut backend = Backend::of(&server);
    let (mut socket, session) = listener(&server, &["/räume/*"]);

    for (channel, code) in [
        ("", "channel_invalid"),
        ("news", "channel_invalid"),
        ("/", "channel_invalid"),
        ("/a//b", "channel_invalid"),
        ("/a/*", "channel_invalid"),
        ("/**", "channel_invalid"),
        ("/meta/handshake", "channel_refused"),
        ("/meta/x", "channel_refused"),
        ("/meta", "channel_refused"),
        ("/service", "channel_refused"),
        ("/service/x", "channel_refused"),
    ] {
        let refused = backend.refused("publish", &json!({"channel": channel, "data": 1}));
        assert_eq!(refused, (400, code.into()), "{channel:?}");
        if channel == "/service/x" {
            continue;
        }
        let deliver = json!({"clientId": session, "channel": channel, "data": 1});
        let refused = backend.refused("deliver", &deliver);
        assert_eq!(refused, (400, code.into()), "{channel:?}");
    }
    backend.post("publish", &json!({"channel": " /räume/eins/ ", "data": 1}));
    let event = json!({"channel": "/räume/eins", "data": 1});
    assert_eq!(events(&mut socket, 1), [event]);
}
