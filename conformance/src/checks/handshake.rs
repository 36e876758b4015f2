//! Handshakes (HS) and the advice in their replies (AD).

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::{complete_advice, lacks, member};
use crate::check::{Check, Checked, Group, Over, Stop, Transport, equal, hold};
use crate::client::accepted;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;

pub(super) const GROUP: Group = Group {
    name: "handshake",
    checks: &[
        Check::new(
            &["HS-4", "HS-5", "ER-5"],
            "a successful reply has version, connection types and clientId",
            Over::All,
            reply_is_whole,
        ),
        Check::new(
            &["AD-1", "AD-2", "AD-3", "AD-4", "K-3"],
            "a successful reply has complete advice, which is not to handshake",
            Over::All,
            advice_is_complete,
        ),
        Check::new(
            &["HS-1"],
            "a clientId in the request is ignored",
            Over::All,
            client_id_is_ignored,
        ),
        Check::new(
            &["HS-2", "MO-1"],
            "each handshake makes a session of its own, and leaves older ones alone",
            Over::Polling,
            sessions_of_their_own,
        ),
        Check::new(
            &["HS-3"],
            "ids of sessions are letters and digits, at least 20, and never the same",
            Over::All,
            ids_of_sessions,
        ),
        Check::new(
            &["HS-4"],
            "the request's version is not looked at",
            Over::All,
            any_version,
        )
        .differs(&[(FAYE, "it wants one")]),
        Check::new(
            &["HS-5"],
            "cross-origin-long-polling is offered to who names it, and to nobody else",
            Over::All,
            cross_origin_type,
        )
        .differs(&[
            (FAYE, "it offers it to everybody"),
            (COMETD, "it does not know it"),
        ]),
        Check::new(
            &["HS-5", "ES-3"],
            "eventsource is not offered",
            Over::All,
            no_event_source,
        )
        .differs(&[(FAYE, "it has it")]),
        Check::new(
            &["HS-6", "AD-5", "ER-1"],
            "a client with none of the server's transports is refused for good",
            Over::All,
            no_overlap,
        )
        .differs(&[(COMETD, "it does not look")]),
        Check::new(
            &["HS-6"],
            "a list of transports that is missing, empty or no list is put up with",
            Over::All,
            no_types,
        )
        .differs(&[(FAYE, "it wants one")]),
        Check::new(
            &["HS-7", "ER-1"],
            "messages behind a handshake do not join the new session",
            Over::All,
            company,
        )
        .differs(&[
            (COMETD, "it fails the whole request"),
            (FAYE, "it allows it"),
        ]),
        Check::new(
            &["HS-7", "AD-3", "ER-1"],
            "a handshake behind other messages is refused, without advice",
            Over::All,
            late_handshake,
        )
        .differs(&[
            (COMETD, "it fails the whole request"),
            (FAYE, "it allows it"),
        ]),
        Check::new(
            &["HS-9", "AD-5", "AD-6", "ER-1", "BR-1"],
            "a client that is denied is told to stop, and gets no session and no cookie",
            Over::All,
            denied,
        ),
        Check::new(
            &["HS-10", "CN-3"],
            "a session that began over long-polling may go on over a websocket",
            Over::Both,
            another_transport,
        ),
        Check::new(
            &["HS-11", "K-10"],
            "a client may subscribe and publish before it connects",
            Over::All,
            before_the_first_connect,
        ),
        Check::new(
            &["HS-12"],
            "events between handshake and first connect are not lost",
            Over::All,
            events_before_the_first_connect,
        ),
        Check::new(
            &["HS-12", "HS-14", "RC-3"],
            "events of the handshake come with the first connect, unless the reply announces them",
            Over::Polling,
            welcome,
        ),
        Check::new(
            &["HS-13", "TM-3", "TM-6", "K-13"],
            "a client that never connects loses its session in time",
            Over::Polling,
            never_connects,
        ),
    ],
};

fn reply_is_whole(scene: &Scene<'_>) -> Checked {
    let client = scene.greeted()?;
    let reply = &client.greeting;
    equal("channel", &reply["channel"], "/meta/handshake")?;
    equal("version", member(reply, "version")?, "1.0")?;
    // Faye leaves it out.
    if scene.options.profile != FAYE {
        equal("minimumVersion", member(reply, "minimumVersion")?, "1.0")?;
    }
    let types = member(reply, "supportedConnectionTypes")?.as_array();
    let is_it = |name: &Value| *name == scene.transport.name();
    let is_there = types.is_some_and(|types| types.iter().any(is_it));
    hold(is_there, || format!("no {} in {reply}", scene.transport))
}

fn advice_is_complete(scene: &Scene<'_>) -> Checked {
    complete_advice(&scene.greeted()?.greeting, "retry")
}

fn client_id_is_ignored(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let mut message = client.handshake_message();
    message["clientId"] = json!("unheardOf1234567890abc");
    let reply = client.handshake_with(message)?;
    hold(reply["clientId"] != "unheardOf1234567890abc", || {
        "the client chose the id of its session".to_owned()
    })
}

fn sessions_of_their_own(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.connected()?;
    let first = client.session.clone();
    client.handshake()?;
    hold(client.session != first, || {
        "the same session again".to_owned()
    })?;
    client.publish(&channel, 1)?;
    client.session = first;
    client.publish(&channel, 2)?;
    Ok(())
}

fn ids_of_sessions(scene: &Scene<'_>) -> Checked {
    let mut ids = BTreeSet::new();
    for _ in 0..10 {
        let id = scene.greeted()?.session;
        let has_form = id.len() >= 20 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        hold(has_form, || format!("an id of {id:?}"))?;
        hold(ids.insert(id), || "an id came twice".to_owned())?;
    }
    Ok(())
}

fn any_version(scene: &Scene<'_>) -> Checked {
    for version in [json!("2.7"), json!(1), Value::Null] {
        let mut client = scene.client()?;
        let mut message = client.handshake_message();
        message["version"] = version;
        let reply = client.handshake_with(message)?;
        equal("version", &reply["version"], "1.0")?;
    }
    Ok(())
}

fn cross_origin_type(scene: &Scene<'_>) -> Checked {
    let name = "cross-origin-long-polling";
    for types in [vec!["long-polling"], vec!["long-polling", name]] {
        let mut client = scene.client()?;
        let mut message = client.handshake_message();
        message["supportedConnectionTypes"] = json!(types);
        let reply = client.handshake_with(message)?;
        let offered = reply["supportedConnectionTypes"].as_array();
        let is_there = offered.is_some_and(|offered| offered.iter().any(|it| it == name));
        equal("whether it is offered", is_there, types.contains(&name))?;
    }
    Ok(())
}

fn no_event_source(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let mut message = client.handshake_message();
    message["supportedConnectionTypes"] = json!(["eventsource", "long-polling"]);
    let reply = client.handshake_with(message)?;
    let offered = reply["supportedConnectionTypes"].as_array();
    let is_there = offered.is_some_and(|offered| offered.iter().any(|it| it == "eventsource"));
    hold(!is_there, || format!("eventsource in {reply}"))
}

fn no_overlap(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let mut message = client.handshake_message();
    message["supportedConnectionTypes"] = json!(["iframe", "Odd!", "flash"]);
    let reply = client.ask_one(message)?;
    scene.refused(&reply, "301:iframe,flash:connection_types_unsupported")?;
    lacks(&reply, "clientId")?;
    if scene.options.profile == FAYE {
        return Ok(());
    }
    equal("reconnect", &reply["advice"]["reconnect"], "none")
}

fn no_types(scene: &Scene<'_>) -> Checked {
    for types in [json!([]), json!("long-polling"), json!(null), json!(7)] {
        let mut client = scene.client()?;
        let mut message = client.handshake_message();
        message["supportedConnectionTypes"] = types;
        client.handshake_with(message)?;
    }
    let mut client = scene.client()?;
    let mut message = client.message("/meta/handshake");
    message["version"] = json!("1.0");
    client.handshake_with(message)?;
    Ok(())
}

fn company(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let messages = [
        client.handshake_message(),
        client.subscribe_message(scene.channel("a")),
        client.publish_message(&scene.channel("a"), 1),
    ];
    let replies = client.ask(&messages)?;
    equal("the number of replies", replies.len(), 3)?;
    accepted(&replies[0])?;
    scene.refused(&replies[1], "402::session_unknown")?;
    scene.refused(&replies[2], "402::session_unknown")
}

fn late_handshake(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let messages = [
        client.publish_message(&scene.channel("a"), 1),
        client.handshake_message(),
        client.publish_message(&scene.channel("a"), 1),
    ];
    let replies = client.ask(&messages)?;
    equal("the number of replies", replies.len(), 3)?;
    accepted(&replies[0])?;
    scene.refused(&replies[1], "400::handshake_must_be_first")?;
    lacks(&replies[1], "advice")?;
    accepted(&replies[2])
}

fn denied(scene: &Scene<'_>) -> Checked {
    if !scene.options.helpers.handshake {
        return Err(Stop::not_checked("needs --helpers"));
    }
    let mut client = scene.client()?;
    let mut message = client.handshake_message();
    message["ext"] = json!({"conformance": {"deny": true}});
    let reply = client.ask_one(message)?;
    scene.refused(&reply, "403::handshake_denied")?;
    lacks(&reply, "clientId")?;
    equal("reconnect", &reply["advice"]["reconnect"], "none")?;
    equal("the cookie", client.cookie, None::<String>)
}

fn another_transport(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.greeted()?.moved(Transport::WebSocket)?;
    client.connect_now()?;
    client.subscribe(channel.as_str())?;
    client.publish(&channel, 1)?;
    client.event_on(&channel)?;
    Ok(())
}

fn before_the_first_connect(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.greeted()?;
    let messages = [
        client.subscribe_message(channel.as_str()),
        client.publish_message(&channel, 1),
    ];
    for reply in client.ask(&messages)? {
        accepted(&reply)?;
    }
    client.event_on(&channel)?;
    Ok(())
}

fn events_before_the_first_connect(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.greeted()?;
    client.subscribe(channel.as_str())?;
    let mut publisher = scene.connected()?;
    for number in 0..3 {
        publisher.publish(&channel, number)?;
    }
    for number in 0..3 {
        equal("data", &client.event_on(&channel)?["data"], number)?;
    }
    client.nothing_more()
}

fn welcome(scene: &Scene<'_>) -> Checked {
    if !scene.options.helpers.handshake {
        return Err(Stop::not_checked("needs --helpers"));
    }
    let mut client = scene.client()?;
    let mut message = client.handshake_message();
    message["ext"] = json!({"conformance": {"welcome": 2}});
    let mut events = VecDeque::from(client.exchange(&[message])?);
    let reply = events.pop_front().unwrap_or_default();
    accepted(&reply)?;
    client.session = reply["clientId"].as_str().unwrap_or_default().to_owned();
    let announced = usize::try_from(reply["x-messages"].as_u64().unwrap_or(0)).unwrap_or(0);
    equal("the events that were announced", events.len(), announced)?;

    let connect = client.connect_message();
    let mut answer = client.exchange(&[connect])?;
    accepted(&answer.pop().unwrap_or_default())?;
    equal("all events", events.len() + answer.len(), 2)
}

fn never_connects(scene: &Scene<'_>) -> Checked {
    let life = scene.needs(&scene.options.max_interval, "max-interval")? + scene.facts.interval;
    let mut client = scene.greeted()?;
    // A deadline, not a state to wait for: the server must not tell anybody.
    std::thread::sleep(life + life / 2 + std::time::Duration::from_secs(2));
    let connect = client.connect_message();
    let reply = client.ask_one(connect)?;
    scene.refused(&reply, "402::session_unknown")?;
    equal("reconnect", &reply["advice"]["reconnect"], "handshake")
}
