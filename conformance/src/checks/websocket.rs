//! Websockets (WS).

use serde_json::json;

use super::{channels_of, only};
use crate::check::{Check, Checked, Group, Over, Transport, equal, hold};
use crate::client::accepted;
use crate::frame::{Ending, Frame, Opcode};
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;
const SOCKET: Over = Over::Only(Transport::WebSocket);

pub(super) const GROUP: Group = Group {
    name: "websocket",
    checks: &[
        Check::new(
            &["WS-1", "HT-2"],
            "a websocket opens at the base and below it",
            SOCKET,
            opens_below,
        )
        .differs(&[(COMETD, "it opens where it is mapped")]),
        Check::new(
            &["WS-2", "K-11"],
            "the first subprotocol that a client offers is echoed",
            SOCKET,
            subprotocol,
        )
        .differs(&[
            (COMETD, "it does not echo it"),
            (FAYE, "it does not echo it"),
        ]),
        Check::new(
            &["WS-4", "WS-12"],
            "a binary message is closed upon with 1003",
            SOCKET,
            binary,
        )
        .differs(&[(COMETD, "it ignores it"), (FAYE, "it reads it as text")]),
        Check::new(
            &["WS-12"],
            "text that is not UTF-8 is closed upon with 1007, and a frame without a mask with 1002",
            SOCKET,
            not_utf_8,
        )
        .differs(&[(FAYE, "it closes upon a frame without a mask with 1003")]),
        Check::new(
            &["WS-4"],
            "a ping is answered by a pong with the same bytes, between fragments too",
            SOCKET,
            ping,
        ),
        Check::new(
            &["WS-5", "HS-2"],
            "a later handshake on the socket replaces the session, and the older one lives on",
            SOCKET,
            later_handshake,
        ),
        Check::new(
            &["WS-5", "PL-3"],
            "a bound socket refuses a message of another session",
            SOCKET,
            foreign_session,
        )
        .differs(&[(FAYE, "it binds no socket to a session")]),
        Check::new(
            &["WS-6", "K-7", "QU-1"],
            "an event is pushed at once, and the held connect is left alone",
            SOCKET,
            pushed,
        ),
        Check::new(
            &["WS-7"],
            "events are pushed before the first connect, to a client that has sent something",
            SOCKET,
            pushed_before_the_first_connect,
        )
        .differs(&[(FAYE, "its events need a connect")]),
        Check::new(
            &["WS-8", "CN-4"],
            "other messages are answered while a connect is held",
            SOCKET,
            answered_during_a_hold,
        ),
        Check::new(
            &["WS-10", "MO-1"],
            "a connect over another socket takes the session there",
            SOCKET,
            connect_moves,
        ),
        Check::new(
            &["WS-10"],
            "a publish over another socket is answered there, and moves nothing",
            SOCKET,
            publish_moves_nothing,
        )
        .differs(&[(COMETD, "it moves the session with any message")]),
        Check::new(
            &["WS-11", "TM-10", "WS-19", "K-4", "EX-6"],
            "a socket that closes during a hold does not end the session, and what comes meanwhile is kept",
            SOCKET,
            reload,
        ),
        Check::new(
            &["WS-10", "WS-11", "QU-9"],
            "what comes when a socket has closed between two connects is kept",
            SOCKET,
            reload_between_connects,
        )
        .differs(&[(COMETD, "it writes it to the closed socket")]),
        Check::new(
            &["WS-16", "PL-3"],
            "an unknown session closes nothing",
            SOCKET,
            unknown_session,
        )
        .differs(&[(FAYE, "it needs no session to publish")]),
        Check::new(
            &["HS-10", "WS-10", "CN-3"],
            "events follow the last connect from polling to the websocket and back",
            Over::Both,
            back_and_forth,
        ),
        Check::new(
            &["CN-9", "CN-6", "WS-9"],
            "a connect on a websocket ends the one that is held over HTTP",
            Over::Both,
            ends_the_poll,
        )
        .differs(&[(FAYE, "it does not end it")]),
        Check::new(
            &["CN-12", "DC-1"],
            "a disconnect on a websocket ends the connect that is held over HTTP",
            Over::Both,
            disconnect_ends_the_poll,
        )
        .differs(&[
            (FAYE, "it ends with advice to retry"),
            (COMETD, "any message on the websocket ends it, with 500"),
        ]),
        Check::new(
            &["WS-20", "ER-6"],
            "an upgrade that is no websocket's is refused by a status",
            SOCKET,
            no_upgrade,
        ),
    ],
};

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake","id":"1","version":"1.0","supportedConnectionTypes":["websocket"]}]"#;

fn opens_below(scene: &Scene<'_>) -> Checked {
    let base = &scene.options.target.path;
    for path in [
        scene.base().to_owned(),
        format!("{base}/handshake"),
        format!("{base}/a/b?c"),
    ] {
        let (mut socket, _) = crate::WebSocket::open(scene.http()?, &path, &[])?;
        socket.send_text(HANDSHAKE);
        accepted(&only(socket.messages()?)?)?;
    }
    Ok(())
}

fn subprotocol(scene: &Scene<'_>) -> Checked {
    let (_, response) = scene.websocket(&[("Sec-WebSocket-Protocol", "bayeux, other")])?;
    let echoed = response.header("Sec-WebSocket-Protocol");
    equal("the subprotocol", echoed, Some("bayeux"))?;
    let (_, response) = scene.websocket(&[])?;
    let echoed = response.header("Sec-WebSocket-Protocol");
    equal("the subprotocol", echoed, None::<&str>)
}

fn binary(scene: &Scene<'_>) -> Checked {
    let (mut socket, _) = scene.websocket(&[])?;
    socket.send(Opcode::Binary, HANDSHAKE);
    equal("the ending", socket.ending()?, Ending::Code(1003))
}

fn not_utf_8(scene: &Scene<'_>) -> Checked {
    let (mut socket, _) = scene.websocket(&[])?;
    socket.send(Opcode::Text, vec![b'[', b'"', 0xFF, b'"', b']']);
    equal("the ending", socket.ending()?, Ending::Code(1007))?;

    let (mut socket, _) = scene.websocket(&[])?;
    socket.send_raw(&[0x81, 2, b'[', b']']);
    equal("the ending", socket.ending()?, Ending::Code(1002))
}

fn ping(scene: &Scene<'_>) -> Checked {
    let (mut socket, _) = scene.websocket(&[])?;
    let (first, second) = HANDSHAKE.split_at(10);
    let mut part = |last, opcode, payload: &str| {
        socket.send_frame(&Frame {
            last,
            opcode,
            payload: payload.into(),
        });
    };
    part(false, Opcode::Text, first);
    part(true, Opcode::Ping, "are you there");
    part(true, Opcode::Continuation, second);
    let frame = socket.frame()?;
    equal("the frame", frame.opcode, Opcode::Pong)?;
    equal("its payload", frame.payload, b"are you there")?;
    accepted(&only(socket.messages()?)?)
}

fn later_handshake(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.connected()?;
    let first = client.moved(Transport::WebSocket)?;
    client.session.clear();
    client.handshake()?;
    client.connect_now()?;
    client.subscribe(channel.as_str())?;
    client.publish(&channel, 1)?;
    client.event_on(&channel)?;
    let mut first = first;
    first.publish(&channel, 2)?;
    Ok(())
}

fn foreign_session(scene: &Scene<'_>) -> Checked {
    let other = scene.connected()?;
    let mut client = scene.connected()?;
    for session in [other.session.as_str(), "unheardOf"] {
        let mut message = client.publish_message(&scene.channel("a"), 1);
        message["clientId"] = json!(session);
        scene.refused(&client.ask_one(message)?, "402::session_unknown")?;
    }
    client.publish(&scene.channel("a"), 1)?;
    Ok(())
}

fn pushed(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut connect = client.hold()?;
    client.is_held(&mut connect)?;
    let mut publisher = scene.connected()?;
    for number in 0..3 {
        publisher.publish(&channel, number)?;
        let frame = client.websocket()?.messages()?;
        equal("the channels", channels_of(&frame), [&*channel])?;
    }
    client.is_held(&mut connect)
}

fn pushed_before_the_first_connect(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.greeted()?;
    client.subscribe(channel.as_str())?;
    scene.connected()?.publish(&channel, 1)?;
    let frame = client.websocket()?.messages()?;
    equal("the channels", channels_of(&frame), [&*channel])
}

fn answered_during_a_hold(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let mut connect = client.hold()?;
    client.is_held(&mut connect)?;
    client.publish(&scene.channel("a"), 1)?;
    client.subscribe(scene.channel("b"))?;
    client.is_held(&mut connect)
}

fn connect_moves(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut first = scene.subscriber(&[&channel])?;
    let mut second = first.moved(Transport::WebSocket)?;
    second.connect_now()?;
    let _hold = second.hold()?;
    // The answer is behind the connect.
    second.subscribe(channel.as_str())?;
    scene.connected()?.publish(&channel, 1)?;
    let frame = second.websocket()?.messages()?;
    equal("the channels", channels_of(&frame), [&*channel])?;
    let is_quiet = first.websocket()?.is_quiet(scene.options.quiet);
    hold(is_quiet, || {
        "something came over the older socket".to_owned()
    })
}

fn publish_moves_nothing(scene: &Scene<'_>) -> Checked {
    let [channel, other] = ["a", "b"].map(|name| scene.channel(name));
    let mut first = scene.subscriber(&[&channel])?;
    let mut connect = first.hold()?;
    first.is_held(&mut connect)?;
    let mut second = first.moved(Transport::WebSocket)?;
    second.publish(&other, 1)?;
    scene.connected()?.publish(&channel, 1)?;
    let frame = first.websocket()?.messages()?;
    equal("the channels", channels_of(&frame), [&*channel])
}

fn reload(scene: &Scene<'_>) -> Checked {
    closed_and_opened(scene, |client| {
        let mut hold = client.hold()?;
        client.is_held(&mut hold)
    })
}

fn reload_between_connects(scene: &Scene<'_>) -> Checked {
    closed_and_opened(scene, |_| Ok(()))
}

fn closed_and_opened(
    scene: &Scene<'_>,
    before: impl Fn(&mut crate::Client<'_>) -> Checked,
) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut publisher = scene.connected()?;
    for number in 0..3 {
        before(&mut client)?;
        let socket = client.websocket()?;
        socket.send(Opcode::Close, vec![0x03, 0xE8]);
        socket.ending()?;
        let mut next = client.moved(Transport::WebSocket)?;
        publisher.publish(&channel, number)?;
        next.connect_now()?;
        equal("data", &next.event_on(&channel)?["data"], number)?;
        client = next;
    }
    Ok(())
}

fn unknown_session(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    client.session = "unheardOf1234567890abc".to_owned();
    let publish = client.publish_message(&scene.channel("a"), 1);
    let connect = client.connect_message();
    for message in [publish, connect] {
        scene.refused(&client.ask_one(message)?, "402::session_unknown")?;
    }
    client.session.clear();
    client.handshake()?;
    Ok(())
}

fn back_and_forth(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut publisher = scene.connected()?;
    let mut client = scene.subscriber(&[&channel])?;
    let ways = [
        Transport::WebSocket,
        Transport::LongPolling,
        Transport::WebSocket,
    ];
    for (number, transport) in ways.into_iter().enumerate() {
        client = client.moved(transport)?;
        client.connect_now()?;
        publisher.publish(&channel, number)?;
        equal("data", &client.event_on(&channel)?["data"], number)?;
        // Else the connect that this has left open on the websocket may arrive behind the one that moves on.
        client.publish(&scene.channel("behind"), number)?;
    }
    Ok(())
}

fn ends_the_poll(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let mut older = client.hold()?;
    client.is_held(&mut older)?;
    let mut moved = client.moved(Transport::WebSocket)?;
    moved.connect_now()?;
    let status = client.response_to(older)?.status;
    hold(status >= 400 && status != 408, || {
        format!("status {status}")
    })
}

fn disconnect_ends_the_poll(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let mut held = client.hold()?;
    client.is_held(&mut held)?;
    let mut moved = client.moved(Transport::WebSocket)?;
    moved.disconnect()?;
    let reply = client.answered_at_once(held)?;
    accepted(&reply)?;
    equal("reconnect", &reply["advice"]["reconnect"], "none")
}

fn no_upgrade(scene: &Scene<'_>) -> Checked {
    let headers = [
        ("Sec-WebSocket-Version", "12"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
    ];
    let response = scene.http()?.request("GET", scene.base(), &headers, b"")?;
    hold(response.status >= 400, || {
        format!("status {}", response.status)
    })
}
