//! Disconnects (DC), by either side.

use serde_json::{Value, json};

use super::{channels_of, lacks};
use crate::check::{Check, Checked, Group, Over, Transport, equal, hold};
use crate::client::accepted;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;

pub(super) const GROUP: Group = Group {
    name: "disconnect",
    checks: &[
        Check::new(
            &["DC-1", "DC-7", "MO-2"],
            "a client that disconnects is told so, and its session accepts nothing more",
            Over::All,
            session_ends,
        )
        .differs(&[(FAYE, "it needs no session to publish, and closes the websocket")]),
        Check::new(
            &["DC-2", "PL-3"],
            "a disconnect of an unknown session is refused, without advice",
            Over::All,
            unknown_session,
        ),
        Check::new(
            &["DC-1", "CN-12", "CN-6", "AD-6"],
            "a held connect ends with the disconnect, successfully, and is the last",
            Over::Polling,
            held_connect_ends,
        )
        .differs(&[(FAYE, "it ends with advice to retry")]),
        Check::new(
            &["CN-12", "CN-10", "AD-6"],
            "a connect behind the disconnect is told to handshake, not to stop",
            Over::All,
            connect_behind,
        )
        .differs(&[(FAYE, "it closes the websocket")]),
        Check::new(
            &["DC-4", "MO-6"],
            "in a frame, what stands before the disconnect counts, and what stands behind is refused",
            Over::All,
            within_a_frame,
        )
        .differs(&[(FAYE, "it needs no session to publish")]),
        Check::new(
            &["DC-5", "CN-12", "AD-6"],
            "a client that the server disconnects is told so, and to stop",
            Over::Polling,
            by_the_server,
        ),
        Check::new(
            &["DC-5"],
            "a client that the server disconnects is told so on its websocket",
            Over::Only(Transport::WebSocket),
            by_the_server_on_a_websocket,
        ),
        Check::new(
            &["DC-6", "WS-5"],
            "after a disconnect the websocket serves for a new handshake",
            Over::Only(Transport::WebSocket),
            new_handshake,
        )
        .differs(&[(FAYE, "it closes it")]),
        Check::new(
            &["CN-12", "MO-7"],
            "a connect that races a disconnect ends in one of the ways that are allowed",
            Over::Polling,
            race,
        )
        .differs(&[(FAYE, "it ends with advice to retry")])
        .differs_at_times(&[(Profile::CometD, "now and then it is held on")]),
    ],
};

fn session_ends(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let reply = client.disconnect()?;
    equal("channel", &reply["channel"], "/meta/disconnect")?;
    let publish = client.publish_message(&scene.channel("a"), 1);
    let subscribe = client.subscribe_message(scene.channel("a"));
    let again = client.message("/meta/disconnect");
    for message in [publish, subscribe, again] {
        scene.refused(&client.ask_one(message)?, "402::session_unknown")?;
    }
    Ok(())
}

fn unknown_session(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    client.session = "unheardOf1234567890abc".to_owned();
    let message = client.message("/meta/disconnect");
    let reply = client.ask_one(message)?;
    scene.refused(&reply, "402::session_unknown")?;
    lacks(&reply, "advice")
}

fn held_connect_ends(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let mut connect = client.hold()?;
    client.is_held(&mut connect)?;
    client.disconnect()?;
    let reply = client.answered_at_once(connect)?;
    accepted(&reply)?;
    equal("reconnect", &reply["advice"]["reconnect"], "none")
}

fn connect_behind(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    client.disconnect()?;
    let connect = client.connect_message();
    let reply = client.ask_one(connect)?;
    scene.refused(&reply, "402::session_unknown")?;
    equal("reconnect", &reply["advice"]["reconnect"], "handshake")
}

fn within_a_frame(scene: &Scene<'_>) -> Checked {
    let [channel, end] = ["a", "end"].map(|name| scene.channel(name));
    let mut subscriber = scene.subscriber(&[&channel, &end])?;
    let mut client = scene.connected()?;
    let messages = [
        client.publish_message(&channel, 1),
        client.message("/meta/disconnect"),
        client.publish_message(&channel, 2),
    ];
    let replies = client.ask(&messages)?;
    equal("the number of replies", replies.len(), 3)?;
    accepted(&replies[0])?;
    accepted(&replies[1])?;
    scene.refused(&replies[2], "402::session_unknown")?;
    scene.connected()?.publish(&end, 3)?;
    let events = subscriber.events_until(&end)?;
    equal("the channels", channels_of(&events), [&*channel, &*end])
}

fn by_the_server(scene: &Scene<'_>) -> Checked {
    let disconnect = scene.needs(&scene.options.helpers.disconnect, "disconnect")?;
    let mut client = scene.connected()?;
    let mut connect = client.hold()?;
    client.is_held(&mut connect)?;
    let message = client.publish_message(&disconnect, 1);
    let mut all = client.exchange(&[message])?;
    all.extend(client.answered(connect)?);
    let is_notice = |message: &&Value| message["channel"] == "/meta/disconnect";
    let notices: Vec<_> = all.iter().filter(is_notice).collect();
    equal("the notices", notices.len(), 1)?;
    let due = json!({"channel": "/meta/disconnect", "successful": true});
    equal("the notice", notices[0], &due)?;
    let reply = all.last().cloned().unwrap_or_default();
    accepted(&reply)?;
    equal("reconnect", &reply["advice"]["reconnect"], "none")
}

fn by_the_server_on_a_websocket(scene: &Scene<'_>) -> Checked {
    let disconnect = scene.needs(&scene.options.helpers.disconnect, "disconnect")?;
    let mut client = scene.connected()?;
    let message = client.publish_message(&disconnect, 1);
    let text = Value::from(vec![message]).to_string();
    let socket = client.websocket()?;
    socket.send_text(&text);
    loop {
        for message in socket.messages()? {
            if message["channel"] == "/meta/disconnect" {
                let due = json!({"channel": "/meta/disconnect", "successful": true});
                return equal("the notice", message, due);
            }
        }
    }
}

fn new_handshake(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.connected()?;
    let first = client.session.clone();
    client.disconnect()?;
    client.session.clear();
    client.handshake()?;
    hold(client.session != first, || "the same session".to_owned())?;
    client.connect_now()?;
    client.subscribe(channel.as_str())?;
    client.publish(&channel, 1)?;
    client.event_on(&channel)?;
    Ok(())
}

fn race(scene: &Scene<'_>) -> Checked {
    for _ in 0..20 {
        let mut client = scene.connected()?;
        let connect = client.hold()?;
        client.disconnect()?;
        let reply = client.answered_at_once(connect)?;
        let advised = &reply["advice"]["reconnect"];
        let is_success = reply["successful"] == true;
        let is_allowed = advised == "none" || (advised == "handshake" && !is_success);
        hold(is_allowed, || format!("it ended by {reply}"))?;
    }
    Ok(())
}
