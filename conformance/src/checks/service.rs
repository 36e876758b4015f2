//! Service channels, deliveries and remote calls (SV), lazy events (QU).

use std::time::Instant;

use serde_json::{Value, json};

use super::{channels_of, lacks};
use crate::check::{Check, Checked, Group, Over, Transport, equal, hold};
use crate::client::accepted;
use crate::options::Profile;
use crate::scene::Scene;

pub(super) const GROUP: Group = Group {
    name: "service",
    checks: &[
        Check::new(
            &["SV-1", "SV-2", "PB-4"],
            "a message to a service channel is acknowledged, though nobody serves it",
            Over::All,
            acknowledged,
        ),
        Check::new(
            &["SV-1", "CH-9"],
            "a message to a service channel reaches no other client",
            Over::All,
            reaches_nobody,
        )
        .differs(&[(Profile::Faye, "its service channels are like others")]),
        Check::new(
            &["SV-3", "FI-5"],
            "what the server delivers comes without a subscription, on any channel, without id",
            Over::All,
            delivered,
        ),
        Check::new(
            &["SV-3", "QU-1", "CN-6"],
            "what the server delivers ends a held connect",
            Over::Only(Transport::CallbackPolling),
            delivered_to_a_held_connect,
        ),
        Check::new(
            &["SV-4", "SV-5", "FI-5"],
            "a remote call is acknowledged, and answered by an event with its id and the result",
            Over::All,
            remote_call,
        ),
        Check::new(
            &["QU-6"],
            "a lazy event waits, but not for ever",
            Over::All,
            lazy_waits,
        ),
        Check::new(
            &["QU-6", "QU-7"],
            "a lazy event leaves with the next that is not, in order",
            Over::All,
            lazy_goes_along,
        ),
    ],
};

fn acknowledged(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let channel = format!("/service{}", scene.channel("a"));
    let reply = client.publish(&channel, 1)?;
    equal("channel", &reply["channel"], channel.as_str())?;
    lacks(&reply, "data")
}

fn reaches_nobody(scene: &Scene<'_>) -> Checked {
    let channel = format!("/service{}", scene.channel("a"));
    let end = scene.channel("end");
    let mut client = scene.subscriber(&[&channel, &end])?;
    let mut publisher = scene.connected()?;
    publisher.publish(&channel, 1)?;
    publisher.publish(&end, 2)?;
    client.event_on(&end)?;
    Ok(())
}

fn delivered(scene: &Scene<'_>) -> Checked {
    let deliver = scene.needs(&scene.options.helpers.deliver, "deliver")?;
    let mut client = scene.connected()?;
    for channel in [
        scene.channel("a"),
        format!("/service{}", scene.channel("a")),
    ] {
        let data = json!({"text": "\u{e4}", "n": [1, null]});
        client.publish(&deliver, json!({"channel": channel, "data": data}))?;
        let event = client.event_on(&channel)?;
        equal(
            "the event",
            event,
            json!({"channel": channel, "data": data}),
        )?;
    }
    Ok(())
}

fn delivered_to_a_held_connect(scene: &Scene<'_>) -> Checked {
    let deliver = scene.needs(&scene.options.helpers.deliver, "deliver")?;
    let channel = scene.channel("a");
    let mut client = scene.connected()?;
    let mut connect = client.hold()?;
    client.is_held(&mut connect)?;
    let event = json!({"channel": channel, "data": 1});
    client.publish(&deliver, event.clone())?;
    let answer = client.answered(connect)?;
    equal("the length of the answer", answer.len(), 2)?;
    equal("the event", &answer[0], &event)
}

fn remote_call(scene: &Scene<'_>) -> Checked {
    let echo = scene.needs(&scene.options.helpers.echo, "echo")?;
    let mut client = scene.connected()?;
    let data = json!([1, {"a": "b"}]);
    let call = client.publish_message(&echo, data.clone());
    let mut answer = client.exchange(std::slice::from_ref(&call))?;
    let mut is_result = |message: &Value| message.get("data").is_some();
    let place = answer.iter().position(&mut is_result);
    let result = match place {
        Some(place) => answer.remove(place),
        None => client.event_on(&echo)?,
    };
    let due = json!({"channel": echo, "id": call["id"], "successful": true, "data": data});
    equal("the result", result, due)?;
    equal("the other messages", answer.len(), 1)?;
    accepted(&answer[0])?;
    equal("the id", &answer[0]["id"], &call["id"])
}

fn lazy_waits(scene: &Scene<'_>) -> Checked {
    let lazy = scene.needs(&scene.options.helpers.lazy, "lazy")?;
    let channel = format!("{lazy}{}", scene.channel("a"));
    let mut client = scene.subscriber(&[&channel])?;
    let mut connect = client.hold()?;
    client.is_held(&mut connect)?;
    let mut publisher = scene.connected()?;
    // It waits from some time behind this on: a server that is slow to answer does not wait too shortly.
    let start = Instant::now();
    publisher.publish(&channel, 1)?;
    if scene.transport == Transport::WebSocket {
        client.event_on(&channel)?;
    } else {
        let answer = client.answered(connect)?;
        equal(
            "the channels",
            channels_of(&answer),
            [&*channel, "/meta/connect"],
        )?;
    }
    let waited = start.elapsed();
    hold(waited >= scene.options.quiet, || {
        format!("it waited {waited:?}")
    })
}

fn lazy_goes_along(scene: &Scene<'_>) -> Checked {
    let lazy = scene.needs(&scene.options.helpers.lazy, "lazy")?;
    let channel = format!("{lazy}{}", scene.channel("a"));
    let prompt = scene.channel("b");
    let mut client = scene.subscriber(&[&channel, &prompt])?;
    let mut publisher = scene.connected()?;
    publisher.publish(&channel, 1)?;
    publisher.publish(&prompt, 2)?;
    let events = client.events_until(&prompt)?;
    equal("the channels", channels_of(&events), [&*channel, &*prompt])
}
