//! What stands in one answer, and in which order (RC), and what wakes a connect (QU).

use serde_json::{Value, json};

use super::channels_of;
use crate::check::{Check, Checked, Group, Over, Transport, equal, hold};
use crate::client::is_event;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const LONG: Over = Over::Only(Transport::LongPolling);
const SOCKET: Over = Over::Only(Transport::WebSocket);

pub(super) const GROUP: Group = Group {
    name: "composition",
    checks: &[
        Check::new(
            &["RC-1", "RC-2"],
            "the events stand before the reply to the connect that takes them",
            Over::Polling,
            events_before_the_reply,
        )
        .differs(&[(FAYE, "its reply stands first")]),
        Check::new(
            &["RC-2", "RC-3", "SU-11"],
            "what a publisher causes for itself rides on its own answer, before the replies",
            LONG,
            own_events_before_replies,
        )
        .differs(&[(FAYE, "its events travel with connects only")]),
        Check::new(
            &["QU-2", "K-6"],
            "a publish to oneself does not end one's held connect",
            LONG,
            publish_to_oneself,
        )
        .differs(&[(FAYE, "its events travel with connects only")]),
        Check::new(
            &["QU-4", "CB-6", "RC-3"],
            "over callback-polling events travel with the replies to connects only",
            Over::Only(Transport::CallbackPolling),
            deliver_only,
        ),
        Check::new(
            &["QU-1", "MO-5", "MO-6"],
            "all events that wait come, in order and once",
            Over::All,
            all_that_waits,
        ),
        Check::new(
            &["RC-4", "RC-3"],
            "a refused message brings no events of anybody",
            Over::All,
            nothing_for_the_refused,
        )
        .differs(&[(FAYE, "it needs no session to publish")]),
        Check::new(
            &["RC-5", "WS-17", "K-7"],
            "on a websocket the replies of one frame come in one frame, with no event in it",
            SOCKET,
            replies_in_one_frame,
        ),
        Check::new(
            &["RC-8", "LP-5", "HT-5"],
            "nothing stands behind the array, and the answer is there at once and whole",
            LONG,
            nothing_behind,
        ),
        Check::new(
            &["MO-5"],
            "a client that goes on over another connection after each reply gets no event twice",
            Over::Polling,
            never_twice,
        ),
    ],
};

fn events_before_the_reply(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut publisher = scene.connected()?;
    publisher.publish(&channel, 1)?;
    let connect = client.connect_message();
    let answer = client.exchange(&[connect])?;
    equal(
        "the channels",
        channels_of(&answer),
        [&*channel, "/meta/connect"],
    )
}

fn own_events_before_replies(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.connected()?;
    let messages = [
        client.subscribe_message(channel.as_str()),
        client.publish_message(&channel, 1),
        client.publish_message(&channel, 2),
    ];
    let answer = client.exchange(&messages)?;
    let kinds: Vec<_> = answer.iter().map(is_event).collect();
    equal("which are events", kinds, [true, true, false, false, false])?;
    equal("the first", &answer[0]["data"], 1)?;
    equal("the second", &answer[1]["data"], 2)
}

fn publish_to_oneself(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut connect = client.hold()?;
    client.is_held(&mut connect)?;
    let message = client.publish_message(&channel, 1);
    let answer = client.exchange(&[message])?;
    equal("the length of the answer", answer.len(), 2)?;
    client.is_held(&mut connect)
}

fn deliver_only(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let message = client.publish_message(&channel, 1);
    let answer = client.exchange(&[message])?;
    equal("the length of the answer", answer.len(), 1)?;
    client.event_on(&channel)?;
    Ok(())
}

fn all_that_waits(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut publisher = scene.connected()?;
    for number in 0..50 {
        publisher.publish(&channel, number)?;
    }
    let end = scene.channel("end");
    client.subscribe(end.as_str())?;
    publisher.publish(&end, 50)?;
    let events = client.events_until(&end)?;
    let data: Vec<_> = events.iter().map(|event| event["data"].as_u64()).collect();
    equal("the data", data, (0..=50).map(Some).collect::<Vec<_>>())?;
    client.nothing_more()
}

fn nothing_for_the_refused(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut victim = scene.subscriber(&[&channel])?;
    scene.connected()?.publish(&channel, 1)?;
    let mut client = scene.client()?;
    client.session = format!("{}x", victim.session);
    let connect = client.connect_message();
    let publish = client.publish_message(&channel, 1);
    for message in [connect, publish] {
        let answer = client.exchange(&[message])?;
        equal("the length of the answer", answer.len(), 1)?;
        scene.refused(&answer[0], "402::session_unknown")?;
    }
    victim.event_on(&channel)?;
    Ok(())
}

fn replies_in_one_frame(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let messages = [
        client.publish_message(&channel, 1),
        client.subscribe_message(scene.channel("b")),
        client.publish_message(&channel, 2),
    ];
    let text = Value::from(messages.to_vec()).to_string();
    let socket = client.websocket()?;
    socket.send_text(&text);
    let mut events = 0;
    loop {
        let frame = socket.messages()?;
        let of_frame = frame.iter().filter(|message| is_event(message)).count();
        if of_frame == 0 {
            equal("the replies", frame.len(), 3)?;
            return equal("the events before them", events, 2);
        }
        equal("the events of a frame with events", of_frame, frame.len())?;
        events += of_frame;
    }
}

fn nothing_behind(scene: &Scene<'_>) -> Checked {
    let body = json!([{"channel": "/meta/connect", "clientId": "unheardOf", "id": "1"}]);
    let response = scene.post(&[("Content-Type", "application/json")], body.to_string())?;
    let text = response.text()?;
    hold(text.starts_with('[') && text.ends_with(']'), || {
        format!("the body {text:?}")
    })
}

fn never_twice(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut publisher = scene.connected()?;
    for number in 0..50 {
        publisher.publish(&channel, number)?;
        equal("data", &client.event_on(&channel)?["data"], number)?;
        client.hang_up();
    }
    publisher.publish(&channel, "end")?;
    equal("data", &client.event_on(&channel)?["data"], "end")
}
