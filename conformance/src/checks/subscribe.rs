//! Subscriptions (SU).

use serde_json::{Value, json};

use crate::check::{Check, Checked, Group, Over, equal, hold};
use crate::client::accepted;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;

pub(super) const GROUP: Group = Group {
    name: "subscribe",
    checks: &[
        Check::new(
            &["SU-1", "ER-1"],
            "a subscription that is missing is refused",
            Over::All,
            missing,
        ),
        Check::new(
            &["SU-1", "ER-1"],
            "a subscription of a wrong type is refused",
            Over::All,
            wrong_type,
        )
        .differs(&[
            (COMETD, "its reply to [] does not say successful"),
            (FAYE, "[] is success"),
        ]),
        Check::new(
            &["SU-1"],
            "an array with one bad name is refused whole",
            Over::All,
            bad_name_in_array,
        )
        .differs(&[(FAYE, "it subscribes to those before")]),
        Check::new(
            &["SU-2"],
            "a reply has the subscription as it was sent",
            Over::All,
            subscription_is_echoed,
        ),
        Check::new(
            &["SU-1", "SU-9"],
            "an array subscribes to all its names",
            Over::All,
            array,
        ),
        Check::new(
            &["SU-3"],
            "an array stops at the first name that is refused, and keeps those before it",
            Over::All,
            stops_at_refusal,
        ),
        Check::new(
            &["SU-4"],
            "subscribing twice is success, and gives an event once",
            Over::All,
            twice,
        ),
        Check::new(
            &["SU-5"],
            "unsubscribing from what one is not subscribed to is success",
            Over::All,
            not_subscribed,
        )
        .differs(&[(COMETD, "it has no such channel")]),
        Check::new(
            &["SU-6"],
            "subscribing to a service channel is success, and does nothing",
            Over::All,
            service_channel,
        )
        .differs(&[(FAYE, "it refuses")]),
        Check::new(
            &["SU-7", "PL-7", "PL-9", "ER-1"],
            "subscribing to a meta channel is refused",
            Over::All,
            meta_channel,
        ),
        Check::new(
            &["SU-8", "CH-9"],
            "one may subscribe to everything",
            Over::All,
            everything,
        ),
        Check::new(
            &["SU-9", "PB-8"],
            "once the reply is there, every event comes",
            Over::All,
            at_once,
        ),
        Check::new(
            &["SU-9", "PB-8"],
            "once unsubscribed, no event comes",
            Over::All,
            unsubscribed,
        ),
        Check::new(
            &["SU-4", "SU-9"],
            "one subscription ends without the others that overlap it",
            Over::All,
            one_of_several,
        ),
        Check::new(
            &["SU-10", "DC-1"],
            "a subscription ends with its session",
            Over::Polling,
            ends_with_the_session,
        ),
        Check::new(
            &["SU-11", "MO-6"],
            "an event published by the next message of the frame comes",
            Over::All,
            same_frame,
        ),
        Check::new(
            &["MO-6", "PB-8"],
            "what is published before the end of a subscription comes, in one frame too",
            Over::All,
            ended_behind_a_publish,
        ),
    ],
};

fn missing(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for channel in ["/meta/subscribe", "/meta/unsubscribe"] {
        let message = client.message(channel);
        scene.refused(&client.ask_one(message)?, "403::subscription_missing")?;
    }
    Ok(())
}

fn wrong_type(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let good = scene.channel("a");
    for wrong in [
        json!(1),
        json!(true),
        json!({}),
        json!([]),
        json!(""),
        json!([good, 1]),
    ] {
        let subscribe = client.subscribe_message(wrong.clone());
        let unsubscribe = client.unsubscribe_message(wrong);
        scene.refused(&client.ask_one(subscribe)?, "403::subscription_invalid")?;
        scene.refused(&client.ask_one(unsubscribe)?, "403::subscription_invalid")?;
    }
    Ok(())
}

/// The data of the events up to a last one, when each of these channels was published to, its place being the data.
fn seen(
    scene: &Scene<'_>,
    client: &mut crate::Client<'_>,
    channels: &[&str],
) -> Checked<Vec<Value>> {
    let end = scene.channel("end-of-it");
    client.subscribe(end.as_str())?;
    let mut publisher = scene.connected()?;
    for (place, channel) in channels.iter().enumerate() {
        publisher.publish(channel, place)?;
    }
    publisher.publish(&end, 0)?;
    let mut events = client.events_until(&end)?;
    events.pop();
    client.nothing_more()?;
    Ok(events
        .into_iter()
        .map(|event| event["data"].clone())
        .collect())
}

fn bad_name_in_array(scene: &Scene<'_>) -> Checked {
    let good = scene.channel("a");
    let mut client = scene.connected()?;
    let subscribe = client.subscribe_message(json!([good, "/a?b"]));
    scene.refused(&client.ask_one(subscribe)?, "403::subscription_invalid")?;
    equal("events", seen(scene, &mut client, &[&good])?.len(), 0)
}

fn subscription_is_echoed(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let name = scene.channel("a");
    for subscription in [
        json!(name),
        json!([name]),
        json!([name, scene.channel("b")]),
    ] {
        let reply = client.subscribe(subscription.clone())?;
        equal("subscription", &reply["subscription"], &subscription)?;
        let unsubscribe = client.unsubscribe_message(subscription.clone());
        let reply = client.ask_one(unsubscribe)?;
        equal("subscription", &reply["subscription"], &subscription)?;
    }
    for refused in ["/meta/connect", "/a?b"] {
        let message = client.subscribe_message(refused);
        let reply = client.ask_one(message)?;
        equal("subscription", &reply["subscription"], refused)?;
    }
    Ok(())
}

fn array(scene: &Scene<'_>) -> Checked {
    let names = ["a", "b", "c/d"].map(|name| scene.channel(name));
    let mut client = scene.connected()?;
    client.subscribe(json!([names[0], names[1], scene.channel("c/*")]))?;
    let names = names.each_ref().map(String::as_str);
    equal("events", seen(scene, &mut client, &names)?.len(), 3)?;

    let unsubscribe = client.unsubscribe_message(json!([names[0], names[1]]));
    accepted(&client.ask_one(unsubscribe)?)?;
    equal("events", seen(scene, &mut client, &names)?, [2])
}

fn stops_at_refusal(scene: &Scene<'_>) -> Checked {
    let [before, after] = ["a", "b"].map(|name| scene.channel(name));
    let mut client = scene.connected()?;
    let subscribe = client.subscribe_message(json!([before, "/meta/connect", after]));
    let reply = client.ask_one(subscribe)?;
    scene.refused(&reply, "403:denied_by_security_policy:subscribe_denied")?;
    equal("events", seen(scene, &mut client, &[&before, &after])?, [0])
}

fn twice(scene: &Scene<'_>) -> Checked {
    let name = scene.channel("a");
    let mut client = scene.subscriber(&[&name, &name])?;
    client.subscribe(json!([name, name]))?;
    equal("events", seen(scene, &mut client, &[&name])?, [0])?;
    let unsubscribe = client.unsubscribe_message(name.as_str());
    accepted(&client.ask_one(unsubscribe)?)?;
    equal("events", seen(scene, &mut client, &[&name])?.len(), 0)
}

fn not_subscribed(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let name = scene.channel("a");
    for _ in 0..2 {
        let unsubscribe = client.unsubscribe_message(name.as_str());
        accepted(&client.ask_one(unsubscribe)?)?;
        scene.connected()?.publish(&name, 1)?;
    }
    Ok(())
}

fn service_channel(scene: &Scene<'_>) -> Checked {
    let name = format!("/service{}", scene.channel("a"));
    let mut client = scene.subscriber(&[&name])?;
    equal("events", seen(scene, &mut client, &[&name])?.len(), 0)?;
    let unsubscribe = client.unsubscribe_message(name);
    accepted(&client.ask_one(unsubscribe)?)
}

fn meta_channel(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for (name, why) in [
        ("/meta/connect", "subscribe_denied"),
        ("/meta/handshake", "subscribe_denied"),
        ("/meta/*", "create_denied"),
        ("/meta/**", "create_denied"),
        ("/meta/unheard", "create_denied"),
    ] {
        let subscribe = client.subscribe_message(name);
        let due = format!("403:denied_by_security_policy:{why}");
        scene.refused(&client.ask_one(subscribe)?, &due)?;
    }
    Ok(())
}

fn everything(scene: &Scene<'_>) -> Checked {
    let name = scene.channel("a");
    for pattern in ["/**", "/*"] {
        let mut client = scene.connected()?;
        client.subscribe(pattern)?;
        if pattern == "/**" {
            scene.connected()?.publish(&name, 1)?;
            client.events_until(&name)?;
        }
        let unsubscribe = client.unsubscribe_message(pattern);
        accepted(&client.ask_one(unsubscribe)?)?;
    }
    Ok(())
}

fn at_once(scene: &Scene<'_>) -> Checked {
    let mut publisher = scene.connected()?;
    for number in 0..10 {
        let name = scene.channel(&number.to_string());
        let mut client = scene.greeted()?;
        client.subscribe(name.as_str())?;
        publisher.publish(&name, number)?;
        client.event_on(&name)?;
    }
    Ok(())
}

fn unsubscribed(scene: &Scene<'_>) -> Checked {
    let name = scene.channel("a");
    let mut client = scene.subscriber(&[&name])?;
    equal("events", seen(scene, &mut client, &[&name])?, [0])?;
    let unsubscribe = client.unsubscribe_message(name.as_str());
    accepted(&client.ask_one(unsubscribe)?)?;
    equal("events", seen(scene, &mut client, &[&name])?.len(), 0)
}

fn one_of_several(scene: &Scene<'_>) -> Checked {
    let [name, star, stars] = ["a", "*", "**"].map(|name| scene.channel(name));
    let mut client = scene.connected()?;
    client.subscribe(json!([name, star]))?;
    let unsubscribe = client.unsubscribe_message(name.as_str());
    accepted(&client.ask_one(unsubscribe)?)?;
    // What this is not subscribed to is not taken for what it is.
    let unsubscribe = client.unsubscribe_message(stars);
    client.ask_one(unsubscribe)?;

    let end = scene.channel("x/end");
    client.subscribe(end.as_str())?;
    let mut publisher = scene.connected()?;
    publisher.publish(&name, 1)?;
    publisher.publish(&end, 2)?;
    let events = client.events_until(&end)?;
    equal("events", events.len(), 2)
}

fn ends_with_the_session(scene: &Scene<'_>) -> Checked {
    let name = scene.channel("a");
    let mut client = scene.subscriber(&[&name])?;
    client.disconnect()?;
    client.session.clear();
    client.handshake()?;
    client.connect_now()?;
    equal("events", seen(scene, &mut client, &[&name])?.len(), 0)
}

fn same_frame(scene: &Scene<'_>) -> Checked {
    let name = scene.channel("a");
    let mut client = scene.connected()?;
    let messages = [
        client.subscribe_message(name.as_str()),
        client.publish_message(&name, 1),
    ];
    for reply in client.ask(&messages)? {
        accepted(&reply)?;
    }
    client.event_on(&name)?;
    Ok(())
}

fn ended_behind_a_publish(scene: &Scene<'_>) -> Checked {
    let [name, end] = ["a", "end"].map(|name| scene.channel(name));
    let mut client = scene.subscriber(&[&name, &end])?;
    let messages = [
        client.publish_message(&name, 0),
        client.unsubscribe_message(name.as_str()),
        client.publish_message(&name, 1),
        client.publish_message(&end, 2),
    ];
    for reply in client.ask(&messages)? {
        accepted(&reply)?;
    }
    let events = client.events_until(&end)?;
    let data: Vec<_> = events.iter().map(|event| event["data"].clone()).collect();
    hold(data == [0, 2], || format!("events with {data:?}"))
}
