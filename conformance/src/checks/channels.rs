//! Names of channels and patterns (CH).

use serde_json::{Value, json};

use super::channels_of;
use crate::check::{Check, Checked, Group, Over, equal};
use crate::client::accepted;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;

pub(super) const GROUP: Group = Group {
    name: "channels",
    checks: &[
        Check::new(
            &["CH-1", "CH-11", "ER-1", "K-12"],
            "a malformed name is refused, and the neighbours in its frame are not",
            Over::All,
            malformed_names,
        )
        .differs(&[(COMETD, "it fails the whole request")]),
        Check::new(
            &["CH-2"],
            "all characters that a name may have are taken",
            Over::All,
            allowed_characters,
        )
        .differs(&[(FAYE, "it takes fewer")]),
        Check::new(
            &["CH-2", "ER-1"],
            "characters that a name may not have are refused, in channel and in subscription",
            Over::All,
            refused_characters,
        ),
        Check::new(
            &["CH-3", "FI-8", "SU-2"],
            "a trailing slash and white space around a name mean nothing, and replies have them",
            Over::All,
            normal_form,
        )
        .differs(&[
            (COMETD, "it delivers under the raw name"),
            (FAYE, "it refuses them"),
        ]),
        Check::new(
            &["CH-4"],
            "/meta and /service alone are no channels",
            Over::All,
            bare_kinds,
        )
        .differs(&[
            (COMETD, "they are ordinary channels"),
            (FAYE, "they are ordinary channels"),
        ]),
        Check::new(
            &["CH-4", "ER-2"],
            "a meta name in another form than the exact one is refused, and not carried out",
            Over::All,
            inexact_meta,
        ),
        Check::new(
            &["CH-5", "ER-1"],
            "a wildcard before the last segment is refused",
            Over::All,
            wildcard_inside,
        )
        .differs(&[(COMETD, "it fails the whole request")]),
        Check::new(
            &["CH-5"],
            "a segment that merely contains a star is an ordinary one",
            Over::All,
            star_in_a_segment,
        )
        .differs(&[(FAYE, "it refuses it")]),
        Check::new(
            &["CH-6"],
            "* matches one further segment, ** one or more, and neither the name itself",
            Over::All,
            wildcards,
        ),
        Check::new(
            &["CH-7", "SU-4", "K-15", "PL-10"],
            "patterns that overlap give an event once",
            Over::All,
            overlaps,
        ),
        Check::new(
            &["CH-9", "K-15", "SU-8", "SV-1"],
            "/** gives broadcast events, and none of service or meta channels",
            Over::All,
            everything,
        )
        .differs(&[(FAYE, "its service channels are like others")]),
        Check::new(
            &["CH-10"],
            "braces in a subscription mean nothing",
            Over::All,
            braces,
        )
        .differs(&[(FAYE, "it refuses braces")]),
        Check::new(&["CH-12"], "case matters", Over::All, case_matters),
        Check::new(
            &["CH-12", "ER-1"],
            "a name of more than 1,024 bytes or 32 segments is refused, and one of as many is not",
            Over::Only(crate::check::Transport::LongPolling),
            long_names,
        )
        .differs(&[
            (COMETD, "it has no such bound"),
            (FAYE, "it has no such bound"),
        ]),
        Check::new(
            &["CH-13"],
            "a channel is there as soon as somebody publishes to it",
            Over::All,
            channels_come_into_being,
        ),
    ],
};

fn malformed_names(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let good = scene.channel("ok");
    for name in ["", "/", "//", "a", "a/b", "/a//b", "//a"] {
        let messages = [
            client.publish_message(name, 1),
            client.subscribe_message(name),
            client.publish_message(&good, 1),
        ];
        let replies = client.ask(&messages)?;
        equal("the number of replies", replies.len(), 3)?;
        scene.refused(&replies[0], "405::channel_invalid")?;
        scene.refused(&replies[1], "403::subscription_invalid")?;
        accepted(&replies[2])?;
    }
    Ok(())
}

fn allowed_characters(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("azAZ09 !#$()+-._{~}@x");
    let mut client = scene.subscriber(&[&channel])?;
    client.publish(&channel, 1)?;
    client.event_on(&channel)?;
    Ok(())
}

fn refused_characters(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for character in [
        "?", "=", "&", ",", ":", "%", "\u{e4}", "\n", "\\", "\"", "<",
    ] {
        let name = scene.channel(&format!("a{character}b"));
        let publish = client.publish_message(&name, 1);
        let subscribe = client.subscribe_message(name);
        scene.refused(&client.ask_one(publish)?, "405::channel_invalid")?;
        scene.refused(&client.ask_one(subscribe)?, "403::subscription_invalid")?;
    }
    Ok(())
}

fn normal_form(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    for form in [
        format!("{channel}/"),
        format!(" {channel}\t"),
        channel.clone(),
    ] {
        let mut client = scene.connected()?;
        let reply = client.subscribe(form.as_str())?;
        equal("subscription", &reply["subscription"], form.as_str())?;
        let reply = client.publish(&form, 1)?;
        equal("channel", &reply["channel"], form.as_str())?;
        client.event_on(&channel)?;
    }
    Ok(())
}

fn bare_kinds(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for name in ["/meta", "/service"] {
        let publish = client.publish_message(name, 1);
        let subscribe = client.subscribe_message(name);
        scene.refused(&client.ask_one(publish)?, "405::channel_invalid")?;
        scene.refused(&client.ask_one(subscribe)?, "403::subscription_invalid")?;
    }
    Ok(())
}

fn inexact_meta(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.connected()?;
    for name in [
        "/meta/disconnect/",
        "/META/disconnect",
        "/meta/Disconnect",
        "/meta/disconnect/x",
    ] {
        let message = client.message(name);
        client.ask_one(message)?;
    }
    // The session is still there.
    client.publish(&channel, 1)?;
    let message = client.message("/meta/connect/");
    let reply = client.ask_one(message)?;
    equal("successful", &reply["successful"], false)
}

fn wildcard_inside(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for name in ["*/b", "**/b"] {
        let name = scene.channel(name);
        let messages = [
            client.publish_message(&name, 1),
            client.subscribe_message(name),
            client.publish_message(&scene.channel("ok"), 1),
        ];
        let replies = client.ask(&messages)?;
        equal("the number of replies", replies.len(), 3)?;
        scene.refused(&replies[0], "405::channel_invalid")?;
        scene.refused(&replies[1], "403::subscription_invalid")?;
        accepted(&replies[2])?;
    }
    Ok(())
}

fn star_in_a_segment(scene: &Scene<'_>) -> Checked {
    let [starred, other] = [scene.channel("a*"), scene.channel("ab")];
    let mut client = scene.subscriber(&[&starred])?;
    client.publish(&other, 1)?;
    client.publish(&starred, 2)?;
    client.event_on(&starred)?;
    Ok(())
}

/// The channels of the events that reach who subscribed to that, when there was one event on each.
fn reached(scene: &Scene<'_>, subscription: &[&str], published: &[&str]) -> Checked<Vec<String>> {
    let end = scene.channel("end-of-it");
    let mut client = scene.connected()?;
    for pattern in subscription {
        client.subscribe(*pattern)?;
    }
    client.subscribe(end.as_str())?;
    let mut publisher = scene.connected()?;
    for channel in published {
        publisher.publish(channel, 1)?;
    }
    publisher.publish(&end, 1)?;
    let mut events = client.events_until(&end)?;
    events.pop();
    // Who listens to everything hears the other checks too.
    if !subscription.iter().any(|pattern| pattern.starts_with("/*")) {
        client.nothing_more()?;
    }
    Ok(channels_of(&events)
        .into_iter()
        .map(str::to_owned)
        .collect())
}

fn wildcards(scene: &Scene<'_>) -> Checked {
    let names = ["p", "p/a", "p/b", "p/a/b", "p/a/b/c", "q", "q/a"].map(|name| scene.channel(name));
    let names = names.each_ref().map(String::as_str);
    let [_, one, other, two, three, ..] = names;
    let star = scene.channel("p/*");
    equal("by *", reached(scene, &[&star], &names)?, [one, other])?;
    let stars = scene.channel("p/**");
    let further = reached(scene, &[&stars], &names)?;
    equal("by **", further, [one, other, two, three])
}

fn overlaps(scene: &Scene<'_>) -> Checked {
    let patterns = ["a/b/c", "a/b/*", "a/b/**", "a/**", "**"].map(|name| scene.channel(name));
    let patterns = patterns.each_ref().map(String::as_str);
    let name = scene.channel("a/b/c");
    for pattern in patterns.iter().chain(&["/**"]) {
        let mut reached = reached(scene, &[pattern], &[&name])?;
        // With /** come the events of the other checks too.
        reached.retain(|channel| *channel == name);
        equal(pattern, reached, [&*name])?;
    }
    equal(
        "all at once",
        reached(scene, &patterns, &[&name])?,
        [&*name],
    )
}

fn everything(scene: &Scene<'_>) -> Checked {
    let service = format!("/service{}", scene.channel("a"));
    let broadcast = scene.channel("a");
    let mut reached = reached(scene, &["/**", "/*"], &[&service, &broadcast])?;
    reached.retain(|channel| {
        *channel == broadcast || channel.starts_with("/service/") || channel.starts_with("/meta/")
    });
    equal("by /**", reached, [&*broadcast])
}

fn braces(scene: &Scene<'_>) -> Checked {
    let [template, filled] = [scene.channel("{x}"), scene.channel("1")];
    let reached = reached(scene, &[&template], &[&filled, &template])?;
    equal("by a name with braces", reached, [&*template])
}

fn case_matters(scene: &Scene<'_>) -> Checked {
    let [lower, upper] = [scene.channel("abc"), scene.channel("ABC")];
    let reached = reached(scene, &[&lower], &[&upper, &lower])?;
    equal("by a name in lower case", reached, [&*lower])
}

fn long_names(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let of = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
    let deep = |segments: usize| "/a".repeat(segments);
    for name in [of(1_024), deep(32)] {
        client.publish(&name, 1)?;
    }
    for name in [of(1_025), deep(33)] {
        let publish = client.publish_message(&name, 1);
        let subscribe = client.subscribe_message(json!([name]));
        scene.refused(&client.ask_one(publish)?, "405::channel_invalid")?;
        scene.refused(&client.ask_one(subscribe)?, "403::subscription_invalid")?;
    }
    Ok(())
}

fn channels_come_into_being(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("new");
    let mut publisher = scene.connected()?;
    publisher.publish(&channel, 0)?;
    let mut subscriber = scene.subscriber(&[&channel])?;
    publisher.publish(&channel, 1)?;
    let event: Value = subscriber.event_on(&channel)?;
    equal("data", &event["data"], 1)
}
