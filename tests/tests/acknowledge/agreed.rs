//! What is agreed on, and what welcomes a session that acknowledges.

use super::*;

// Proves: AK-1
#[test]
fn acknowledgement_is_agreed_on_if_both_sides_want_it() {
    let off = Config {
        acknowledge: false,
        ..Config::default()
    };
    for (config, offer, agreed) in [
        (Config::default(), json!({"ack": true}), true),
        (Config::default(), json!({"ack": {"enabled": true}}), true),
        (Config::default(), json!({"ack": false}), false),
        (Config::default(), json!({"ack": {"enabled": false}}), false),
        (Config::default(), json!({"ack": 1}), false),
        (Config::default(), json!({}), false),
        (off, json!({"ack": true}), false),
    ] {
        let mut script = Script::new(config);
        let exchange = script.post(json!({
            "id": "1", "channel": "/meta/handshake", "version": "1.0", "ext": offer,
        }));
        let reply = script.take(exchange);

        let ack = reply.pointer("/0/ext/ack");
        assert_eq!(ack, agreed.then_some(&json!(true)), "{offer}");
        let session = reply[0]["clientId"].as_str().unwrap();
        let exchange = script.post(json!({
            "id": "2", "channel": "/meta/connect", "clientId": session, "ext": {"ack": 0},
        }));
        let reply = script.take(exchange);
        assert_eq!(
            reply.pointer("/0/ext/ack"),
            agreed.then_some(&json!(0)),
            "{offer}"
        );
        nothing_leaks(&mut script);
    }
}

/// An engine whose handshakes are welcomed with 1 and 2 if they are admitted by `welcome`.
fn welcoming(deliver_during_handshake: bool) -> Script {
    let handshake = Operations {
        handshake: true,
        ..Operations::default()
    };
    Script::new(Config {
        deliver_during_handshake,
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Policy(handshake),
        }],
        ..Config::default()
    })
}

fn welcome(script: &mut Script, transport: Transport) -> (ConnectionId, Client) {
    let connection = script.open(transport);
    script.send(
        connection,
        json!({"id": "h", "channel": "/meta/handshake", "version": "1.0", "ext": {"ack": true}}),
    );
    let channel: ChannelName = "/welcome".parse().unwrap();
    script.decide(Verdict::Admit(Box::new(Admission {
        welcome: vec![
            (channel.clone(), Payload::from(json!(1))),
            (channel, Payload::from(json!(2))),
        ],
        ..Admission::default()
    })));
    let session = only_session(script);
    let client = Client {
        session,
        transport,
        socket: (transport == SOCKET).then_some(connection),
        peer: Default::default(),
    };
    (connection, client)
}

fn only_session(script: &mut Script) -> String {
    match script.call(Call::ListSessions { from: 0, limit: 10 }) {
        CallResult::Sessions(sessions, _) => sessions[0].text().to_owned(),
        other => panic!("{other:?}"),
    }
}

// Proves: AK-1, HS-14
#[test]
fn a_handshake_that_delivers_has_a_number_of_its_own() {
    let mut script = welcoming(true);
    script
        .publish("/before", json!(0))
        .publish("/before", json!(0));

    let (exchange, client) = welcome(&mut script, HTTP);

    let reply = script.take(exchange);
    assert_eq!(reply[0]["x-messages"], 2);
    assert_eq!(reply[0]["ext"]["ack"], json!({"enabled": true, "batch": 2}));
    assert_eq!(
        (&reply[1], &reply[2]),
        (&event("/welcome", json!(1)), &event("/welcome", json!(2)))
    );
    brings(&probe(&mut script, &client, 2), [], 2);
    nothing_leaks(&mut script);
}

// Proves: AK-9
#[test]
fn what_welcomes_a_session_is_sent_again_until_it_is_acknowledged() {
    let mut script = welcoming(true);
    let (exchange, client) = welcome(&mut script, HTTP);
    script.take(exchange); // and lost

    brings(&probe(&mut script, &client, 0), [1, 2], 2);
    brings(&probe(&mut script, &client, 1), [2], 2);
    brings(&probe(&mut script, &client, 2), [], 2);

    let mut script = welcoming(false);
    let (exchange, client) = welcome(&mut script, HTTP);
    let reply = script.take(exchange);
    assert_eq!(reply.as_array().unwrap().len(), 1);
    assert_eq!(reply[0]["ext"]["ack"], true);
    brings(&probe(&mut script, &client, 0), [1, 2], 2);
    nothing_leaks(&mut script);
}
