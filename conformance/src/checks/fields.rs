//! The members of messages and errors (FI, ER).

use serde_json::{Value, json};

use super::{lacks, member};
use crate::check::{Check, Checked, Group, Over, equal, hold};
use crate::client::accepted;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;

pub(super) const GROUP: Group = Group {
    name: "fields",
    checks: &[
        Check::new(
            &["FI-1", "ER-1", "K-12"],
            "a message without channel is refused, without a channel, and its neighbours are not",
            Over::All,
            channel_missing,
        ),
        Check::new(
            &["FI-2", "WS-18"],
            "an id comes back as it was sent, and none if none was",
            Over::All,
            ids_are_echoed,
        ),
        Check::new(
            &["FI-2"],
            "an id may be a number or have any characters",
            Over::All,
            ids_of_all_kinds,
        )
        .differs(&[(COMETD, "it takes letters and digits only, and makes numbers text")]),
        Check::new(
            &["FI-2", "ER-1"],
            "an id that is neither text nor a number is refused",
            Over::All,
            ids_of_wrong_type,
        )
        .differs(&[(FAYE, "it echoes them"), (COMETD, "it makes text of them")]),
        Check::new(
            &["FI-3"],
            "only the reply to a handshake has a clientId",
            Over::All,
            client_id_is_not_echoed,
        )
        .differs(&[(FAYE, "it echoes the clientId")]),
        Check::new(
            &["FI-3", "PL-3"],
            "what is not a handshake needs a clientId",
            Over::All,
            client_id_is_needed,
        ),
        Check::new(
            &["FI-4", "PB-4", "K-1"],
            "the reply to a publish has no data",
            Over::All,
            replies_without_data,
        ),
        Check::new(
            &["FI-4"],
            "data that is null, false, zero or empty arrives",
            Over::All,
            falsy_data,
        ),
        Check::new(
            &["FI-5", "K-1"],
            "an event has neither the publisher's clientId nor its id",
            Over::All,
            events_without_ids,
        )
        .differs(&[(FAYE, "it keeps the id")]),
        Check::new(
            &["FI-6"],
            "ext and members without a meaning reach the subscribers",
            Over::All,
            members_pass,
        ),
        Check::new(
            &["FI-6"],
            "members with a meaning for the server do not reach the subscribers",
            Over::All,
            members_stay,
        )
        .differs(&[(FAYE, "it takes an error for its own, and passes the others on"), (COMETD, "it passes them on")]),
        Check::new(
            &["FI-7"],
            "advice and ext of a wrong type count as absent",
            Over::All,
            wrong_types,
        )
        .differs(&[(COMETD, "it passes them on")]),
        Check::new(
            &["FI-8"],
            "a reply has the request's channel, whether it is refused or not",
            Over::All,
            channel_of_replies,
        ),
        Check::new(
            &["ER-5", "ER-1"],
            "error is there exactly if successful is false, and both are what they should be",
            Over::All,
            errors_have_form,
        ),
        Check::new(
            &["PL-3", "ER-4", "K-16", "ER-1"],
            "an unknown session is refused alike by every kind of message, with advice on connect alone",
            Over::All,
            unknown_session,
        )
        .differs(&[(FAYE, "it needs no session to publish")]),
        Check::new(
            &["MO-6", "RC-1"],
            "messages of one frame are answered in their order",
            Over::All,
            replies_in_order,
        ),
    ],
};

fn channel_missing(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let mut bad = client.message("/x");
    bad.as_object_mut().map(|bad| bad.remove("channel"));
    let good = client.publish_message(&scene.channel("ok"), 1);

    let replies = client.ask(&[bad.clone(), good.clone()])?;

    equal("the number of replies", replies.len(), 2)?;
    scene.refused(&replies[0], "400::channel_missing")?;
    lacks(&replies[0], "channel")?;
    equal("the id", &replies[0]["id"], &bad["id"])?;
    accepted(&replies[1])?;
    equal("the other id", &replies[1]["id"], &good["id"])
}

fn ids_are_echoed(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let mut message = client.publish_message(&scene.channel("id"), 1);
    message["id"] = json!("aB9");
    equal("the id", &client.ask_one(message.clone())?["id"], "aB9")?;

    message.as_object_mut().map(|message| message.remove("id"));
    lacks(&client.ask_one(message)?, "id")
}

fn ids_of_all_kinds(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let mut message = client.publish_message(&scene.channel("id"), 1);
    for id in [
        json!("0b6f3a52-9d4e-4c1a-8f00-1f7f3c2b1a10"),
        json!("a b/\u{e4}"),
        json!(7),
        json!(4_294_967_296_u64),
    ] {
        message["id"] = id.clone();
        let reply = client.ask_one(message.clone())?;
        accepted(&reply)?;
        equal("the id", &reply["id"], &id)?;
    }
    message["id"] = Value::Null;
    let reply = client.ask_one(message)?;
    accepted(&reply)?;
    hold(reply.get("id").is_none_or(Value::is_null), || {
        format!("an id in {reply}")
    })
}

fn ids_of_wrong_type(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for id in [json!(true), json!(false), json!({}), json!([])] {
        let mut message = client.publish_message(&scene.channel("id"), 1);
        message["id"] = id;
        let reply = client.ask_one(message)?;
        scene.refused(&reply, "405::message_id_invalid")?;
        lacks(&reply, "id")?;
    }
    Ok(())
}

fn client_id_is_not_echoed(scene: &Scene<'_>) -> Checked {
    let mut client = scene.greeted()?;
    let channel = scene.channel("a");
    member(&client.greeting, "clientId")?;
    lacks(&client.connect_now()?, "clientId")?;
    lacks(&client.subscribe(channel.as_str())?, "clientId")?;
    lacks(&client.publish(&channel, 1)?, "clientId")?;
    lacks(&client.disconnect()?, "clientId")
}

fn client_id_is_needed(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let connect = client.connect_message();
    let subscribe = client.subscribe_message(scene.channel("a"));
    let disconnect = client.message("/meta/disconnect");
    for message in [connect, subscribe, disconnect] {
        scene.refused(&client.ask_one(message)?, "402::session_unknown")?;
    }
    Ok(())
}

fn replies_without_data(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.connected()?;
    let broadcast = client.publish(&channel, json!({"n": 1}))?;
    lacks(&broadcast, "data")?;
    equal("the channel", &broadcast["channel"], channel.as_str())?;
    let invalid = client.publish_message("/a?b", 1);
    lacks(&client.ask_one(invalid)?, "data")
}

fn falsy_data(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    for data in [
        json!(null),
        json!(false),
        json!(0),
        json!(""),
        json!([]),
        json!({}),
    ] {
        // Faye takes null for no data, which it wants.
        if scene.options.profile == FAYE && data.is_null() {
            continue;
        }
        client.publish(&channel, data.clone())?;
        let event = client.event_on(&channel)?;
        equal("data", member(&event, "data")?, &data)?;
    }
    Ok(())
}

fn events_without_ids(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut subscriber = scene.subscriber(&[&channel])?;
    scene.connected()?.publish(&channel, 1)?;
    let event = subscriber.event_on(&channel)?;
    lacks(&event, "clientId")?;
    lacks(&event, "id")?;
    lacks(&event, "successful")
}

fn members_pass(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut message = client.publish_message(&channel, 1);
    message["ext"] = json!({"suite": {"a": [1]}});
    message["unheardOf"] = json!([true, {"b": null}]);
    accepted(&client.ask_one(message.clone())?)?;
    let event = client.event_on(&channel)?;
    equal("ext", &event["ext"], &message["ext"])?;
    equal("unheardOf", &event["unheardOf"], &message["unheardOf"])
}

fn members_stay(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut message = client.publish_message(&channel, 1);
    let names = [
        "advice",
        "successful",
        "error",
        "subscription",
        "connectionType",
        "version",
        "minimumVersion",
        "supportedConnectionTypes",
        "x-messages",
        "lazy",
    ];
    for name in names {
        message[name] = json!({"reconnect": "none"});
    }
    accepted(&client.ask_one(message)?)?;
    let event = client.event_on(&channel)?;
    names.iter().try_for_each(|name| lacks(&event, name))
}

fn wrong_types(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    for wrong in [json!(1), json!("x"), json!([]), json!(true), json!(null)] {
        let mut message = client.publish_message(&channel, 1);
        message["ext"] = wrong.clone();
        message["advice"] = wrong;
        accepted(&client.ask_one(message)?)?;
        let event = client.event_on(&channel)?;
        if scene.options.profile != FAYE {
            lacks(&event, "ext")?;
        }
    }
    Ok(())
}

fn channel_of_replies(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for channel in [
        scene.channel("a"),
        "/a?b".to_owned(),
        "/meta/unheard".to_owned(),
    ] {
        let message = client.publish_message(&channel, 1);
        let reply = client.ask_one(message)?;
        equal("the channel", &reply["channel"], channel.as_str())?;
    }
    Ok(())
}

fn errors_have_form(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let missing = {
        let mut message = client.subscribe_message("");
        message.as_object_mut().map(|it| it.remove("subscription"));
        message
    };
    let mut unknown = client.connect_message();
    unknown["clientId"] = json!("unheardOf");
    let messages = [
        client.publish_message(&scene.channel("a"), 1),
        client.publish_message("/a?b", 1),
        missing,
        client.subscribe_message(scene.channel("a")),
        client.subscribe_message("/meta/connect"),
        unknown,
    ];
    let mut refusals = 0;
    for message in messages {
        let reply = client.ask_one(message)?;
        refusals += usize::from(reply["successful"] == false);
        let has_form = match (&reply["successful"], reply.get("error")) {
            (Value::Bool(true), None) => true,
            (Value::Bool(false), Some(Value::String(error))) => {
                let mut parts = error.splitn(3, ':');
                let code = parts.next().unwrap_or_default();
                code.len() == 3 && code.parse::<u16>().is_ok() && parts.count() == 2
            }
            _ => false,
        };
        hold(has_form, || format!("successful and error of {reply}"))?;
    }
    hold(refusals > 0, || "nothing was refused".to_owned())
}

fn unknown_session(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    client.session = "unheardOf1234567890abc".to_owned();
    let channel = scene.channel("a");
    let messages = [
        client.subscribe_message(channel.as_str()),
        client.unsubscribe_message(channel.as_str()),
        client.publish_message(&channel, 1),
        client.publish_message("/service/unheard", 1),
        client.message("/meta/disconnect"),
    ];
    for message in messages {
        let reply = client.ask_one(message)?;
        scene.refused(&reply, "402::session_unknown")?;
        lacks(&reply, "advice")?;
    }
    let connect = client.connect_message();
    let reply = client.ask_one(connect)?;
    scene.refused(&reply, "402::session_unknown")?;
    equal("reconnect", &reply["advice"]["reconnect"], "handshake")
}

fn replies_in_order(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let channel = scene.channel("a");
    let mut messages = Vec::new();
    for number in 0..20 {
        messages.push(match number % 4 {
            0 => client.publish_message(&channel, number),
            1 => client.subscribe_message(scene.channel(&number.to_string())),
            2 => client.publish_message("/service/unheard", number),
            _ => client.unsubscribe_message(scene.channel(&number.to_string())),
        });
    }
    let replies = client.ask(&messages)?;
    let ids = |messages: &[Value]| -> Vec<Value> {
        messages
            .iter()
            .map(|message| message["id"].clone())
            .collect()
    };
    equal("the order of replies", ids(&replies), ids(&messages))
}
