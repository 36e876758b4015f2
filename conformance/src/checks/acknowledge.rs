//! Acknowledged delivery (AK).

use serde_json::{Value, json};

use super::{channels_of, lacks};
use crate::check::{Check, Checked, Group, Over, Stop, Transport, equal, hold};
use crate::client::{Client, accepted};
use crate::options::Profile;
use crate::scene::Scene;

pub(super) const GROUP: Group = Group {
    name: "acknowledge",
    checks: &[
        Check::new(
            &["AK-1"],
            "the extension is agreed on by who offers it, and by nobody else",
            Over::All,
            agreed_on,
        ),
        Check::new(
            &["AK-2", "AK-14", "K-14", "QU-4"],
            "events of an acknowledging session travel with connects only, and other replies have no number",
            Over::All,
            with_connects_only,
        ),
        Check::new(
            &["AK-4", "AK-5", "K-14"],
            "each reply to a connect has a number, an integer that never falls",
            Over::All,
            numbers_rise,
        ),
        Check::new(
            &["AK-5", "AK-6", "AK-7", "AK-3"],
            "what was not acknowledged comes again, at once and in order",
            Over::All,
            resent,
        ),
        Check::new(
            &["AK-5", "AK-3"],
            "what was acknowledged does not come again",
            Over::All,
            forgotten,
        ),
        Check::new(
            &["AK-6", "MO-5"],
            "no event is lost or comes out of order, though each second answer is lost",
            Over::Polling,
            lost_answers,
        ),
        Check::new(
            &["AK-7"],
            "a number that was never issued changes nothing",
            Over::All,
            impossible_number,
        )
        .differs(&[(Profile::CometD, "it drops what was not sent")]),
        Check::new(
            &["AK-10"],
            "a connect without a number changes nothing",
            Over::All,
            without_number,
        ),
        Check::new(
            &["AK-11", "AK-13", "K-7"],
            "on a websocket the events come with the reply to the connect, in one frame",
            Over::Only(Transport::WebSocket),
            one_frame,
        )
        .differs(&[(Profile::CometD, "its events have frames of their own")]),
        Check::new(
            &["AK-3", "WS-11", "MO-5"],
            "what was on its way to a socket that broke comes over the next",
            Over::Only(Transport::WebSocket),
            broken_socket,
        ),
    ],
};

// What a client publishes to itself waits for it once that was answered; what another publishes may still be on its way.

/// A client whose session acknowledges, connected and subscribed.
fn acknowledging<'a>(scene: &'a Scene<'_>, channel: &str) -> Checked<(Client<'a>, i64)> {
    let mut client = scene.client()?;
    let mut message = client.handshake_message();
    message["ext"] = json!({"ack": true});
    let reply = client.handshake_with(message)?;
    let offered = &reply["ext"]["ack"];
    if *offered != true && offered["enabled"] != true {
        return Err(Stop::not_checked(
            "the server does not offer acknowledgement",
        ));
    }
    let answer = connect(&mut client, Some(-1))?;
    let number = number_of(&answer)?;
    client.subscribe(channel)?;
    Ok((client, number))
}

/// All that comes with the reply to a connect with that number, answered at once; the reply is the last.
fn connect(client: &mut Client<'_>, number: Option<i64>) -> Checked<Vec<Value>> {
    let mut message = client.connect_message();
    message["advice"] = json!({"timeout": 0});
    if let Some(number) = number {
        message["ext"] = json!({"ack": number});
    }
    let hold = client.hold_with(message)?;
    client.answered(hold)
}

fn number_of(answer: &[Value]) -> Checked<i64> {
    let reply = answer.last().cloned().unwrap_or_default();
    accepted(&reply)?;
    reply["ext"]["ack"]
        .as_i64()
        .ok_or_else(|| Stop::failed(format!("no number in {reply}")))
}

fn data_of(answer: &[Value]) -> Vec<Option<u64>> {
    let events = answer
        .iter()
        .filter(|message| message.get("data").is_some());
    events.map(|event| event["data"].as_u64()).collect()
}

fn agreed_on(scene: &Scene<'_>) -> Checked {
    acknowledging(scene, &scene.channel("a"))?;
    let mut client = scene.greeted()?;
    lacks(&client.greeting["ext"], "ack")?;
    let reply = client.connect_now()?;
    lacks(&reply["ext"], "ack")
}

fn with_connects_only(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let (mut client, number) = acknowledging(scene, &channel)?;
    let publish = client.publish_message(&channel, 7);
    let subscribe = client.subscribe_message(scene.channel("b"));
    let answer = client.exchange(&[publish, subscribe])?;
    equal("the length of the answer", answer.len(), 2)?;
    for reply in &answer {
        accepted(reply)?;
        lacks(&reply["ext"], "ack")?;
    }
    let answer = connect(&mut client, Some(number))?;
    equal("the data", data_of(&answer), [Some(7)])
}

fn numbers_rise(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let (mut client, mut number) = acknowledging(scene, &channel)?;
    for data in 0..5 {
        client.publish(&channel, data)?;
        let answer = connect(&mut client, Some(number))?;
        equal("the data", data_of(&answer), [Some(data)])?;
        let next = number_of(&answer)?;
        hold(next > number, || format!("{next} behind {number}"))?;
        number = next;
    }
    hold(number < i64::from(i32::MAX), || {
        format!("{number} is above 32 bits")
    })
}

fn resent(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let (mut client, number) = acknowledging(scene, &channel)?;
    client.publish(&channel, 0)?;
    client.publish(&channel, 1)?;
    let answer = connect(&mut client, Some(number))?;
    equal("the data", data_of(&answer), [Some(0), Some(1)])?;
    // As if that had been lost; a connect that need not be answered at once but for this.
    let mut message = client.connect_message();
    message["ext"] = json!({"ack": number});
    let connect_again = client.hold_with(message)?;
    let soon = scene.needs_long_hold()?;
    let start = std::time::Instant::now();
    let answer = client.answered(connect_again)?;
    hold(start.elapsed() < soon, || "it was held".to_owned())?;
    equal("the data", data_of(&answer), [Some(0), Some(1)])?;
    client.publish(&channel, 2)?;
    let answer = connect(&mut client, Some(number))?;
    equal("the data", data_of(&answer), [Some(0), Some(1), Some(2)])
}

fn forgotten(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let (mut client, number) = acknowledging(scene, &channel)?;
    client.publish(&channel, 0)?;
    let answer = connect(&mut client, Some(number))?;
    let number = number_of(&answer)?;
    client.publish(&channel, 1)?;
    let answer = connect(&mut client, Some(number))?;
    equal("the data", data_of(&answer), [Some(1)])?;
    let number = number_of(&answer)?;
    let answer = connect(&mut client, Some(number))?;
    equal("the channels", channels_of(&answer), ["/meta/connect"])
}

fn lost_answers(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let (mut client, mut number) = acknowledging(scene, &channel)?;
    let mut publisher = scene.connected()?;
    let mut seen = Vec::new();
    for data in 0..20 {
        let mut message = client.connect_message();
        message["ext"] = json!({"ack": number});
        let connect = client.hold_with(message)?;
        publisher.publish(&channel, data)?;
        let answer = client.answered(connect)?;
        if data % 2 == 0 {
            // It has got as far as the network; whether the client has read it, the server cannot know.
            client.hang_up();
            continue;
        }
        number = number_of(&answer)?;
        seen.extend(data_of(&answer));
    }
    while seen.len() < 20 {
        let mut message = client.connect_message();
        message["ext"] = json!({"ack": number});
        let connect = client.hold_with(message)?;
        let answer = client.answered(connect)?;
        number = number_of(&answer)?;
        hold(!data_of(&answer).is_empty(), || {
            format!("only {seen:?} came")
        })?;
        seen.extend(data_of(&answer));
    }
    equal("the data", seen, (0..20).map(Some).collect::<Vec<_>>())
}

fn impossible_number(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let (mut client, _) = acknowledging(scene, &channel)?;
    client.publish(&channel, 7)?;
    for _ in 0..2 {
        let answer = connect(&mut client, Some(i64::from(i32::MAX) - 1))?;
        equal("the data", data_of(&answer), [Some(7)])?;
    }
    Ok(())
}

fn without_number(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let (mut client, number) = acknowledging(scene, &channel)?;
    client.publish(&channel, 7)?;
    for presented in [Some(number), None, Some(number)] {
        let answer = connect(&mut client, presented)?;
        equal("the data", data_of(&answer), [Some(7)])?;
    }
    Ok(())
}

fn one_frame(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let (mut client, number) = acknowledging(scene, &channel)?;
    let mut message = client.connect_message();
    message["ext"] = json!({"ack": number});
    let mut connect = client.hold_with(message)?;
    client.is_held(&mut connect)?;
    scene.connected()?.publish(&channel, 7)?;
    let frame = client.websocket()?.messages()?;
    equal(
        "the channels",
        channels_of(&frame),
        [&*channel, "/meta/connect"],
    )
}

fn broken_socket(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let (mut client, number) = acknowledging(scene, &channel)?;
    let mut message = client.connect_message();
    message["ext"] = json!({"ack": number});
    client.hold_with(message)?;
    // The answer is behind the connect, which must not arrive after that of the next socket.
    client.publish(&scene.channel("behind"), 0)?;
    scene.connected()?.publish(&channel, 0)?;
    let mut next = client.moved(Transport::WebSocket)?;
    drop(client);
    next.publish(&channel, 1)?;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let mut message = next.connect_message();
        message["ext"] = json!({"ack": number});
        let connect = next.hold_with(message)?;
        let answer = next.answered(connect)?;
        hold(!data_of(&answer).is_empty(), || {
            format!("only {seen:?} came")
        })?;
        seen = data_of(&answer);
        seen.sort_unstable();
    }
    equal("the data", seen, [Some(0), Some(1)])
}
