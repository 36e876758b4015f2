//! Connects (CN), their advice (AD) and what becomes of a session between them (TM).

use std::time::{Duration, Instant};

use serde_json::json;

use super::{complete_advice, lacks, only, was_held};
use crate::check::{Check, Checked, Group, Over, Stop, Transport, equal, hold};
use crate::client::accepted;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;
const SOCKET: Over = Over::Only(Transport::WebSocket);

pub(super) const GROUP: Group = Group {
    name: "connect",
    checks: &[
        Check::new(
            &["CN-2", "K-2"],
            "the first connect is answered at once, though it does not ask for it",
            Over::All,
            first_at_once,
        )
        .differs(&[(FAYE, "it holds it")]),
        Check::new(
            &["CN-2", "AD-2", "AD-3"],
            "the first connect's reply has complete advice",
            Over::All,
            first_has_advice,
        ),
        Check::new(
            &["CN-4", "CN-6", "QU-1"],
            "a later connect is held, and ends with the event that arrives",
            Over::Polling,
            held_until_an_event,
        ),
        Check::new(
            &["CN-4", "CN-6", "CN-18"],
            "a connect that nothing comes for ends when the timeout has passed",
            Over::All,
            held_until_the_timeout,
        ),
        Check::new(
            &["CN-7", "AD-3"],
            "the reply at the timeout has no advice",
            Over::All,
            no_advice_at_the_timeout,
        )
        .differs(&[(FAYE, "it sends advice always")]),
        Check::new(
            &["CN-17"],
            "a connect is not held longer than was advised",
            Over::All,
            not_too_long,
        ),
        Check::new(
            &["CN-4", "CN-5", "AD-7"],
            "a client that asks for a timeout of zero is answered at once",
            Over::All,
            zero_at_once,
        ),
        Check::new(
            &["CN-5", "AD-7"],
            "a client may ask for a shorter timeout",
            Over::All,
            shorter_timeout,
        ),
        Check::new(
            &["CN-8", "AD-2", "AD-3"],
            "advice in a connect is answered by complete advice",
            Over::All,
            advice_for_advice,
        ),
        Check::new(
            &["AD-7"],
            "advice that makes no sense counts as absent",
            Over::All,
            odd_advice,
        )
        .differs(&[
            (
                COMETD,
                "a timeout below 0 is answered at once, text is a 500",
            ),
            (FAYE, "it answers at once"),
        ]),
        Check::new(
            &["CN-1", "CN-9", "K-5", "TM-8"],
            "a newer connect is held, and ends the older one with an error and no events",
            Over::Polling,
            newer_ends_older,
        )
        .differs(&[(FAYE, "it never answers the older one")]),
        Check::new(
            &["CN-9", "WS-9"],
            "a newer connect on a websocket leaves the older one without an answer",
            SOCKET,
            older_is_forgotten,
        ),
        Check::new(
            &["CN-9", "BR-10"],
            "after many duplicates the last is held, and gets the event",
            Over::Polling,
            many_duplicates,
        )
        .differs(&[(FAYE, "it never answers the older ones")])
        .differs_at_times(&[(
            COMETD,
            "it counts those that arrive together as several sessions of the browser",
        )]),
        Check::new(
            &["CN-10", "PL-3", "ER-6"],
            "a connect of an unknown session is answered by 200 and advice to handshake",
            Over::All,
            unknown_session,
        ),
        Check::new(
            &["CN-11", "CN-4", "K-2"],
            "a connect in company is answered at once, in its place",
            Over::All,
            in_company,
        )
        .differs(&[
            (FAYE, "it holds it, unless it asks for a timeout of zero"),
            (COMETD, "on a websocket it holds it, and the other replies"),
        ]),
        Check::new(
            &["CN-3"],
            "connectionType is not looked at",
            Over::All,
            any_connection_type,
        )
        .differs(&[(FAYE, "it wants one that it knows")]),
        Check::new(
            &["CN-14", "TM-10", "HT-11", "QU-9", "K-4"],
            "a client that drops its connect loses neither session nor events",
            Over::Polling,
            dropped_poll,
        )
        .differs(&[
            (FAYE, "it notices by writing, and loses that event"),
            (COMETD, "it notices by writing, and loses that event"),
        ]),
        Check::new(
            &["TM-3", "TM-6", "CN-13", "SU-10"],
            "a client that stays away loses its session in time, and is told to handshake",
            Over::Polling,
            stays_away,
        ),
        Check::new(
            &["TM-5"],
            "what a client does between two connects keeps its session",
            Over::Polling,
            messages_keep_a_session,
        )
        .differs(&[(FAYE, "connects alone keep it")]),
        Check::new(
            &["TM-2"],
            "a session does not expire while its connect is held",
            Over::Polling,
            held_does_not_expire,
        ),
    ],
};

fn first_at_once(scene: &Scene<'_>) -> Checked {
    let mut client = scene.greeted()?;
    let hold = client.hold()?;
    accepted(&client.answered_at_once(hold)?)
}

fn first_has_advice(scene: &Scene<'_>) -> Checked {
    complete_advice(&scene.greeted()?.connect_now()?, "retry")
}

fn held_until_an_event(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut hold = client.hold()?;
    client.is_held(&mut hold)?;
    scene.connected()?.publish(&channel, 1)?;
    let answer = client.answered(hold)?;
    equal("the length of the answer", answer.len(), 2)?;
    // Faye has the reply first.
    let is_event = |channel_of: &serde_json::Value| channel_of["channel"] == channel.as_str();
    equal("events", answer.iter().filter(|it| is_event(it)).count(), 1)?;
    let mut replies = answer.iter().filter(|it| !is_event(it));
    replies.try_for_each(accepted)
}

fn held_until_the_timeout(scene: &Scene<'_>) -> Checked {
    let timeout = scene.needs_short_hold()?;
    let mut client = scene.connected()?;
    let start = Instant::now();
    let hold = client.hold()?;
    accepted(&only(client.answered(hold)?)?)?;
    was_held(start, timeout)
}

fn no_advice_at_the_timeout(scene: &Scene<'_>) -> Checked {
    let timeout = scene.needs_short_hold()?;
    let mut client = scene.connected()?;
    let start = Instant::now();
    let hold = client.hold()?;
    let id = hold.id.clone();
    let reply = only(client.answered(hold)?)?;
    was_held(start, timeout)?;
    let due = json!({"channel": "/meta/connect", "id": id, "successful": true});
    equal("the reply", reply, due)
}

fn not_too_long(scene: &Scene<'_>) -> Checked {
    let timeout = scene.needs_short_hold()?;
    let mut client = scene.connected()?;
    let start = Instant::now();
    let connect = client.hold()?;
    client.answered(connect)?;
    let lasted = start.elapsed();
    // What clients wait beyond the timeout is 10 s; more where more patience is asked for.
    let slack = scene.options.patience * 2 / 3;
    hold(lasted < timeout + slack, || format!("it lasted {lasted:?}"))
}

fn zero_at_once(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let mut message = client.connect_message();
    message["advice"] = json!({"timeout": 0});
    let hold = client.hold_with(message)?;
    accepted(&client.answered_at_once(hold)?)
}

fn shorter_timeout(scene: &Scene<'_>) -> Checked {
    let soon = scene.needs_long_hold()?;
    let mut client = scene.connected()?;
    let wanted = Duration::from_millis(500).min(soon / 2);
    let start = Instant::now();
    let mut message = client.connect_message();
    message["advice"] = json!({"timeout": wanted.as_millis() as u64});
    let hold = client.hold_with(message)?;
    accepted(&client.answered_at_once(hold)?)?;
    let lasted = start.elapsed();
    if lasted + Duration::from_millis(100) < wanted {
        return Err(Stop::failed(format!(
            "{lasted:?} where {wanted:?} was asked for"
        )));
    }
    Ok(())
}

fn advice_for_advice(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    complete_advice(&client.connect_now()?, "retry")?;
    let mut message = client.connect_message();
    message["advice"] = json!({"timeout": 0, "interval": 0});
    complete_advice(&client.ask_one(message)?, "retry")
}

fn odd_advice(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for timeout in [json!(-1), json!("0"), json!(null), json!({})] {
        let mut message = client.connect_message();
        message["advice"] = json!({"timeout": timeout});
        let mut hold = client.hold_with(message)?;
        client.is_held(&mut hold)?;
    }
    client.connect_now()?;
    Ok(())
}

fn newer_ends_older(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut older = client.hold()?;
    client.is_held(&mut older)?;
    let mut newer = client.hold()?;
    let response = client.response_to(older)?;
    ended_with_an_error(response.status)?;
    client.is_held(&mut newer)?;
    scene.connected()?.publish(&channel, 1)?;
    let answer = client.answered(newer)?;
    equal("the length of the answer", answer.len(), 2)?;
    if scene.options.profile == Profile::Strict {
        hold(response.body.is_empty(), || {
            "the older connect's answer has a body".to_owned()
        })?;
    }
    Ok(())
}

fn older_is_forgotten(scene: &Scene<'_>) -> Checked {
    scene.needs_short_hold()?;
    let mut client = scene.connected()?;
    let mut older = client.hold()?;
    client.is_held(&mut older)?;
    let newer = client.hold()?;
    let reply = only(client.answered(newer)?)?;
    accepted(&reply)?;
    // The older one's time has passed as well.
    client.is_held(&mut older)
}

fn many_duplicates(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut holds = Vec::new();
    for _ in 0..10 {
        holds.push(client.hold()?);
    }
    // Of those that come together any may be the last; all but that one end, in their own time.
    let deadline = Instant::now() + scene.options.patience;
    while holds.len() > 1 && Instant::now() < deadline {
        let mut left = Vec::new();
        for mut hold in holds {
            if client.is_held(&mut hold).is_ok() {
                left.push(hold);
            } else {
                ended_with_an_error(client.response_to(hold)?.status)?;
            }
        }
        holds = left;
    }
    equal("the connects that are left", holds.len(), 1)?;
    let last = holds.pop().ok_or_else(|| Stop::failed("none is held"))?;
    scene.connected()?.publish(&channel, 1)?;
    let answer = client.answered(last)?;
    equal("the length of the answer", answer.len(), 2)
}

fn ended_with_an_error(status: u16) -> Checked {
    hold(status >= 400 && status != 408, || {
        format!("an older connect ended with status {status}")
    })
}

fn unknown_session(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    client.session = "unheardOf1234567890abc".to_owned();
    let hold = client.hold()?;
    let reply = client.answered_at_once(hold)?;
    scene.refused(&reply, "402::session_unknown")?;
    equal("reconnect", &reply["advice"]["reconnect"], "handshake")?;
    if scene.options.profile != Profile::Strict {
        return Ok(());
    }
    complete_advice(&reply, "handshake")
}

fn in_company(scene: &Scene<'_>) -> Checked {
    let soon = scene.needs_long_hold()?;
    let mut client = scene.connected()?;
    let messages = [
        client.subscribe_message(scene.channel("a")),
        client.connect_message(),
        client.subscribe_message(scene.channel("b")),
    ];
    let start = Instant::now();
    let replies = client.ask(&messages)?;
    hold(start.elapsed() < soon, || "the connect was held".to_owned())?;
    equal("the number of replies", replies.len(), 3)?;
    for (reply, message) in replies.iter().zip(&messages) {
        accepted(reply)?;
        equal("the id", &reply["id"], &message["id"])?;
    }
    Ok(())
}

fn any_connection_type(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    for kind in [json!("carrier-pigeon"), json!(7), json!(null)] {
        let mut message = client.connect_message();
        message["connectionType"] = kind;
        message["advice"] = json!({"timeout": 0});
        accepted(&client.ask_one(message)?)?;
    }
    Ok(())
}

fn dropped_poll(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut publisher = scene.connected()?;
    for number in 0..5 {
        let mut hold = client.hold()?;
        client.is_held(&mut hold)?;
        client.give_up(hold)?;
        publisher.publish(&channel, number)?;
        equal("data", &client.event_on(&channel)?["data"], number)?;
    }
    client.nothing_more()
}

/// As long as a session may live at the most, and some more.
fn too_long(scene: &Scene<'_>) -> Checked<Duration> {
    let life = scene.needs(&scene.options.max_interval, "max-interval")? + scene.facts.interval;
    Ok(life + life / 2 + Duration::from_secs(2))
}

fn stays_away(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    // The server must not tell anybody, so that there is nothing to wait for.
    std::thread::sleep(too_long(scene)?);
    let subscribe = client.subscribe_message(scene.channel("a"));
    scene.refused(&client.ask_one(subscribe)?, "402::session_unknown")?;
    let connect = client.connect_message();
    let reply = client.ask_one(connect)?;
    scene.refused(&reply, "402::session_unknown")?;
    equal("reconnect", &reply["advice"]["reconnect"], "handshake")
}

fn messages_keep_a_session(scene: &Scene<'_>) -> Checked {
    let life = scene.needs(&scene.options.max_interval, "max-interval")?;
    let channel = scene.channel("a");
    let mut client = scene.connected()?;
    let start = Instant::now();
    while start.elapsed() < life + life {
        client.publish(&channel, 1)?;
        std::thread::sleep(life / 8);
    }
    client.connect_now()?;
    Ok(())
}

fn held_does_not_expire(scene: &Scene<'_>) -> Checked {
    let life = scene.needs(&scene.options.max_interval, "max-interval")? + scene.facts.interval;
    if scene.facts.timeout <= life {
        let why = "no hold lasts longer than a session lives without one";
        return Err(Stop::not_checked(why));
    }
    let mut client = scene.connected()?;
    let mut message = client.connect_message();
    message["advice"] = json!({"timeout": (life + life).as_millis() as u64});
    let start = Instant::now();
    let hold = client.hold_with(message)?;
    let reply = only(client.answered(hold)?)?;
    accepted(&reply)?;
    was_held(start, scene.facts.timeout.min(life + life))?;
    lacks(&client.publish(&scene.channel("a"), 1)?, "error")
}
