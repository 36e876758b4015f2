//! Publishing (PB, MO).

use serde_json::{Value, json};

use super::member;
use crate::check::{Check, Checked, Group, Over, Transport, equal};
use crate::client::accepted;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;

pub(super) const GROUP: Group = Group {
    name: "publish",
    checks: &[
        Check::new(
            &["PB-1", "PB-4"],
            "a publish that nobody listens to has one reply, and nothing but its members",
            Over::All,
            one_reply,
        )
        .differs(&[(FAYE, "it echoes the clientId")]),
        Check::new(
            &["PB-2", "ER-1"],
            "a publish without a session is refused",
            Over::All,
            connectionless,
        )
        .differs(&[(FAYE, "it accepts it")]),
        Check::new(
            &["PB-3", "FI-4"],
            "a publish without data gives an event whose data is null",
            Over::All,
            without_data,
        )
        .differs(&[(COMETD, "its event has no data"), (FAYE, "it refuses it")]),
        Check::new(
            &["PB-5", "ER-1"],
            "a publish to a pattern is refused",
            Over::All,
            to_a_pattern,
        )
        .differs(&[(COMETD, "it delivers to who is subscribed to the pattern")]),
        Check::new(
            &["PB-6", "ER-2", "PL-7", "PL-9"],
            "a publish to an unknown meta channel is refused",
            Over::All,
            to_a_meta_channel,
        ),
        Check::new(
            &["PB-7"],
            "a publisher gets its own event, if it is subscribed",
            Over::All,
            own_event,
        ),
        Check::new(
            &["PB-11"],
            "an event has the channel that was published to, not the pattern",
            Over::All,
            concrete_channel,
        ),
        Check::new(
            &["PB-8", "MO-5"],
            "each of many subscribers gets the event once",
            Over::All,
            many_subscribers,
        ),
        Check::new(
            &["MO-6", "K-12"],
            "a hundred events of one frame come in their order",
            Over::All,
            a_hundred_of_one_frame,
        ),
        Check::new(
            &["MO-6"],
            "events come in the order in which they were published, across channels too",
            Over::All,
            order_across_channels,
        ),
        Check::new(
            &["MO-6", "WS-13", "WS-17"],
            "frames that are sent without waiting are worked on in their order",
            Over::Only(Transport::WebSocket),
            order_across_frames,
        ),
        Check::new(
            &["HT-9", "RC-4", "WS-5", "PL-3"],
            "a message of another session in the frame is refused, and gives nothing away",
            Over::All,
            foreign_session,
        )
        .differs(&[(FAYE, "it does not bind a frame to a session")]),
    ],
};

fn one_reply(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.connected()?;
    let message = client.publish_message(&channel, json!({"a": 1}));
    let reply = client.ask_one(message.clone())?;
    let due = json!({"channel": channel, "id": message["id"], "successful": true});
    equal("the reply", reply, due)
}

fn connectionless(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut subscriber = scene.subscriber(&[&channel])?;
    let mut client = scene.client()?;
    let message = client.publish_message(&channel, 1);
    scene.refused(&client.ask_one(message)?, "402::session_unknown")?;
    scene.connected()?.publish(&channel, 2)?;
    equal("data", &subscriber.event_on(&channel)?["data"], 2)
}

fn without_data(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let message = client.message(&channel);
    accepted(&client.ask_one(message)?)?;
    let event = client.event_on(&channel)?;
    equal("data", member(&event, "data")?, &Value::Null)
}

fn to_a_pattern(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for pattern in ["a/*", "a/**"] {
        let message = client.publish_message(&scene.channel(pattern), 1);
        scene.refused(&client.ask_one(message)?, "405::channel_invalid")?;
    }
    Ok(())
}

fn to_a_meta_channel(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for channel in ["/meta/unheard", "/meta/connect/more"] {
        let message = client.publish_message(channel, 1);
        let due = "403:denied_by_security_policy:channel_create_denied";
        scene.refused(&client.ask_one(message)?, due)?;
    }
    Ok(())
}

fn own_event(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    client.publish(&channel, "mine")?;
    equal("data", &client.event_on(&channel)?["data"], "mine")
}

fn concrete_channel(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a/b");
    let mut client = scene.subscriber(&[&scene.channel("a/*")])?;
    client.publish(&channel, 1)?;
    equal("channel", &client.event_on(&channel)?["channel"], &*channel)
}

fn many_subscribers(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut subscribers = Vec::new();
    for _ in 0..8 {
        subscribers.push(scene.subscriber(&[&channel])?);
    }
    let mut publisher = scene.connected()?;
    publisher.publish(&channel, 1)?;
    publisher.publish(&channel, 2)?;
    for subscriber in &mut subscribers {
        equal("data", &subscriber.event_on(&channel)?["data"], 1)?;
        equal("data", &subscriber.event_on(&channel)?["data"], 2)?;
        subscriber.nothing_more()?;
    }
    Ok(())
}

fn a_hundred_of_one_frame(scene: &Scene<'_>) -> Checked {
    let [channel, end] = ["a", "end"].map(|name| scene.channel(name));
    let mut subscriber = scene.subscriber(&[&channel, &end])?;
    let mut publisher = scene.connected()?;
    // Callbacks travel in URLs, of which a server need not take more than 8 KiB.
    let number = match scene.transport {
        Transport::CallbackPolling => 20,
        Transport::LongPolling | Transport::WebSocket => 100,
    };
    let mut messages: Vec<_> = (0..number)
        .map(|number| publisher.publish_message(&channel, number))
        .collect();
    messages.push(publisher.publish_message(&end, number));
    for reply in publisher.ask(&messages)? {
        accepted(&reply)?;
    }
    in_order(&subscriber.events_until(&end)?, number)
}

/// Fails unless the data count from 0 to that.
fn in_order(events: &[Value], last: u64) -> Checked {
    let data: Vec<_> = events.iter().map(|event| event["data"].as_u64()).collect();
    let due: Vec<_> = (0..=last).map(Some).collect();
    equal("the order of events", data, due)
}

fn order_across_channels(scene: &Scene<'_>) -> Checked {
    let end = scene.channel("end");
    let mut subscriber = scene.subscriber(&[&scene.channel("**")])?;
    let mut publisher = scene.connected()?;
    for number in 0..20 {
        publisher.publish(&scene.channel(&format!("a/{number}")), number)?;
    }
    publisher.publish(&end, 20)?;
    in_order(&subscriber.events_until(&end)?, 20)
}

fn order_across_frames(scene: &Scene<'_>) -> Checked {
    let [channel, end] = ["a", "end"].map(|name| scene.channel(name));
    let mut subscriber = scene.subscriber(&[&channel, &end])?;
    let mut publisher = scene.connected()?;
    for number in 0..200 {
        let message = publisher.publish_message(&channel, number);
        let text = Value::from(vec![message]).to_string();
        publisher.websocket()?.send_text(&text);
    }
    let message = publisher.publish_message(&end, 200);
    let text = Value::from(vec![message]).to_string();
    publisher.websocket()?.send_text(&text);
    in_order(&subscriber.events_until(&end)?, 200)
}

fn foreign_session(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut victim = scene.subscriber(&[&channel])?;
    scene.connected()?.publish(&channel, 1)?;
    let mut client = scene.connected()?;
    let good = client.publish_message(&scene.channel("b"), 1);
    let mut foreign = client.publish_message(&scene.channel("b"), 1);
    foreign["clientId"] = json!(victim.session);
    let answer = client.exchange(&[good, foreign])?;
    equal("the length of the answer", answer.len(), 2)?;
    accepted(&answer[0])?;
    scene.refused(&answer[1], "402::session_unknown")?;
    victim.event_on(&channel)?;
    Ok(())
}
