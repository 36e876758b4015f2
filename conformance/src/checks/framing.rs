//! What a frame is (FR).

use serde_json::{Value, json};

use super::only;
use crate::check::{Check, Checked, Group, Over, Stop, Transport, equal, hold};
use crate::client::{Reaction, accepted};
use crate::frame::{Ending, Frame, Opcode};
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;
const HTTP: Over = Over::Only(Transport::LongPolling);
const SOCKET: Over = Over::Only(Transport::WebSocket);

pub(super) const GROUP: Group = Group {
    name: "framing",
    checks: &[
        Check::new(
            &["FR-1", "FR-2"],
            "a single object is taken as an array of one, and answered by an array",
            Over::All,
            a_single_object,
        ),
        Check::new(
            &["FR-3", "WS-12"],
            "what is not JSON, or no array of objects, is refused whole",
            Over::All,
            not_messages,
        )
        .differs(&[
            (COMETD, "it answers some of these with 500 and takes others"),
            (FAYE, "it takes some of these"),
        ]),
        Check::new(
            &["FR-3"],
            "lone surrogates and numbers that no double can hold are refused",
            Over::All,
            unrepresentable,
        )
        .differs(&[
            (COMETD, "its parsers take them"),
            (FAYE, "JavaScript takes them"),
        ]),
        Check::new(
            &["FR-4"],
            "an empty array is refused over HTTP",
            HTTP,
            empty_over_http,
        )
        .differs(&[(COMETD, "it answers 500"), (FAYE, "it answers []")]),
        Check::new(
            &["FR-4"],
            "an empty array or text on a websocket closes nothing",
            SOCKET,
            empty_over_websocket,
        )
        .differs(&[(COMETD, "it closes with 1011")]),
        Check::new(
            &["FR-5"],
            "numbers arrive as they were sent",
            Over::All,
            numbers_survive,
        )
        .differs(&[
            (COMETD, "that depends on its JSON library"),
            (FAYE, "JavaScript has only doubles"),
        ]),
        Check::new(
            &["FR-5"],
            "whatever stands in data arrives, whatever the order of members",
            Over::All,
            data_survives,
        ),
        Check::new(
            &["FR-5"],
            "arrays in arrays arrive",
            Over::All,
            arrays_survive,
        )
        .differs(&[(
            COMETD,
            "over long-polling Jetty's parser takes no array in an array",
        )]),
        Check::new(
            &["FR-6", "HT-8"],
            "a body announced as too large is refused before it is sent",
            HTTP,
            too_large_over_http,
        )
        .differs(&[
            (COMETD, "it answers 500, when it has read so much"),
            (FAYE, "it has no bound"),
        ]),
        Check::new(
            &["FR-6", "WS-12"],
            "a websocket message that is too large is closed upon with 1009",
            SOCKET,
            too_large_over_websocket,
        )
        .differs(&[(FAYE, "its bound is 64 MiB")]),
        Check::new(
            &["FR-6"],
            "a batch of more than 1,000 messages is refused",
            HTTP,
            too_many,
        )
        .differs(&[
            (COMETD, "it has no such bound"),
            (FAYE, "it has no such bound"),
        ]),
        Check::new(
            &["FR-6"],
            "128 levels of nesting are taken, and one more is refused",
            HTTP,
            nesting,
        )
        .differs(&[
            (COMETD, "Jetty's parser takes no array in an array"),
            (FAYE, "it has no such bound"),
        ]),
        Check::new(
            &["FR-7"],
            "of members of one name the last counts",
            Over::All,
            last_member_counts,
        ),
        Check::new(
            &["FR-7"],
            "a byte order mark is skipped",
            Over::All,
            byte_order_mark,
        )
        .differs(&[
            (COMETD, "it takes it for no JSON"),
            (FAYE, "it takes it for no JSON"),
        ]),
        Check::new(
            &["FR-8"],
            "a body is read alike though it comes byte by byte",
            HTTP,
            byte_by_byte,
        ),
        Check::new(
            &["FR-8", "WS-4"],
            "fragments are joined, inside a character too",
            SOCKET,
            fragments,
        ),
    ],
};

const HANDSHAKE: &str = r#"{"channel":"/meta/handshake","id":"1","version":"1.0","supportedConnectionTypes":["websocket","long-polling","callback-polling"]}"#;

fn a_single_object(scene: &Scene<'_>) -> Checked {
    match scene.client()?.react(HANDSHAKE)? {
        Reaction::Messages(messages) => accepted(&only(messages)?),
        other @ (Reaction::Status(_) | Reaction::Closed(_)) => {
            Err(Stop::failed(format!("{other:?} where a reply is due")))
        }
    }
}

/// Fails unless that is refused whole, as not JSON or as too much.
fn refused_whole(scene: &Scene<'_>, text: &str, status: u16, code: u16) -> Checked {
    let due = match scene.transport {
        Transport::WebSocket => Reaction::Closed(Ending::Code(code)),
        Transport::LongPolling | Transport::CallbackPolling => Reaction::Status(status),
    };
    equal("the reaction", scene.client()?.react(text)?, due)
}

fn taken(scene: &Scene<'_>, text: &str) -> Checked<Vec<Value>> {
    match scene.client()?.react(text)? {
        Reaction::Messages(messages) => Ok(messages),
        other @ (Reaction::Status(_) | Reaction::Closed(_)) => {
            Err(Stop::failed(format!("{other:?} where a reply is due")))
        }
    }
}

fn not_messages(scene: &Scene<'_>) -> Checked {
    for text in [
        "nonsense",
        "[",
        r#"{"channel":"#,
        "1",
        r#""text""#,
        "null",
        "[1]",
        "[null]",
        "[[]]",
        r#"[{"channel":"/a"},1]"#,
        r#"[{"channel":"/a",}]"#,
        r#"[{"channel":"/a"}] more"#,
    ] {
        refused_whole(scene, text, 400, 1011)?;
    }
    Ok(())
}

fn unrepresentable(scene: &Scene<'_>) -> Checked {
    for data in [r#""\ud800""#, "1e400"] {
        let text = format!(r#"[{{"channel":"/a","clientId":"x","data":{data}}}]"#);
        refused_whole(scene, &text, 400, 1011)?;
    }
    Ok(())
}

fn empty_over_http(scene: &Scene<'_>) -> Checked {
    refused_whole(scene, "[]", 400, 1011)
}

fn empty_over_websocket(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let socket = client.websocket()?;
    socket.send_text("[]");
    socket.send_text("");
    socket.send_text(HANDSHAKE);
    loop {
        match &*socket.messages()? {
            [] => {}
            [reply] => return accepted(reply),
            more => return Err(Stop::failed(format!("{more:?} to one message"))),
        }
    }
}

fn arrives(scene: &Scene<'_>, data: &Value) -> Checked<Value> {
    let channel = scene.channel("data");
    let mut client = scene.subscriber(&[&channel])?;
    client.publish(&channel, data.clone())?;
    client.event_on(&channel)
}

fn numbers_survive(scene: &Scene<'_>) -> Checked {
    let data = json!([
        9_007_199_254_740_993_i64,
        i64::MIN,
        u64::MAX,
        1,
        1.0,
        0.1,
        -1e-7
    ]);
    equal("data", &arrives(scene, &data)?["data"], &data)
}

fn data_survives(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("data");
    let mut client = scene.subscriber(&[&channel])?;
    let data = json!({
        "clientId": "c", "id": 1, "advice": {"reconnect": "none"}, "channel": "/b",
        "text": "\u{e4}\u{1f600}\u{2028}\"\\/\n<", "nested": [{"a": []}, {}, null, true, "x"], "": 0
    });
    let text = format!(
        r#"[{{"data":{data},"clientId":"{}","id":"p","channel":"{channel}"}}]"#,
        client.session
    );
    let mut answer = match client.react(&text)? {
        Reaction::Messages(messages) => messages,
        other @ (Reaction::Status(_) | Reaction::Closed(_)) => {
            return Err(Stop::failed(format!("{other:?} where a reply is due")));
        }
    };
    answer
        .retain(|message| message["channel"] == channel.as_str() && message.get("data").is_some());
    let event = match answer.pop() {
        Some(event) => event,
        None => client.event_on(&channel)?,
    };
    equal("data", &event["data"], &data)
}

fn arrays_survive(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("data");
    let mut client = scene.subscriber(&[&channel])?;
    let data = json!([[], [1, [null]], [{"a": [["x"]]}]]);
    client.publish(&channel, data.clone())?;
    equal("data", &client.event_on(&channel)?["data"], &data)
}

fn too_large_over_http(scene: &Scene<'_>) -> Checked {
    let mut connection = scene.http()?;
    let length = (scene.options.max_message_size + 1).to_string();
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", &*length),
    ];
    connection.send("POST", scene.base(), &headers, b"[");
    equal("the status", connection.response("POST")?.status, 413)
}

fn too_large_over_websocket(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let socket = client.websocket()?;
    socket.send_text(&" ".repeat(scene.options.max_message_size + 1));
    match (scene.options.profile, socket.ending()?) {
        (_, Ending::Code(1009)) | (Profile::CometD, _) => Ok(()),
        (_, other) => Err(Stop::failed(format!("{other:?} where 1009 is due"))),
    }
}

fn too_many(scene: &Scene<'_>) -> Checked {
    let text = format!("[{}]", vec![r#"{"channel":"/a"}"#; 1_001].join(","));
    refused_whole(scene, &text, 413, 1009)
}

fn nesting(scene: &Scene<'_>) -> Checked {
    // The array and the message are two levels.
    let nested = |levels: usize| {
        let data = format!("{}{}", "[".repeat(levels - 2), "]".repeat(levels - 2));
        format!(r#"[{{"channel":"/a","clientId":"x","data":{data}}}]"#)
    };
    taken(scene, &nested(128))?;
    refused_whole(scene, &nested(129), 400, 1011)
}

fn last_member_counts(scene: &Scene<'_>) -> Checked {
    let text = HANDSHAKE.replacen('{', r#"{"channel":"/meta/connect","id":"0","#, 1);
    let reply = only(taken(scene, &format!("[{text}]"))?)?;
    accepted(&reply)?;
    equal("the id", &reply["id"], "1")
}

fn byte_order_mark(scene: &Scene<'_>) -> Checked {
    accepted(&only(taken(scene, &format!("\u{feff}[{HANDSHAKE}]"))?)?)
}

fn byte_by_byte(scene: &Scene<'_>) -> Checked {
    let body = HANDSHAKE.replacen('{', r#"{"x":"ä😀\u00e4","#, 1);
    let mut connection = scene.http()?;
    let length = body.len().to_string();
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", &*length),
    ];
    connection.send("POST", scene.base(), &headers, b"");
    for byte in body.bytes() {
        connection.send_raw(&[byte]);
    }
    accepted(&only(connection.response("POST")?.messages()?)?)
}

fn fragments(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let socket = client.websocket()?;
    let text = HANDSHAKE.replacen('{', r#"{"x":"ä😀","#, 1);
    let bytes = text.as_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        socket.send_frame(&Frame {
            last: place + 1 == bytes.len(),
            opcode: if place == 0 {
                Opcode::Text
            } else {
                Opcode::Continuation
            },
            payload: vec![*byte],
        });
    }
    let reply = only(socket.messages()?)?;
    accepted(&reply)?;
    hold(reply["id"] == "1", || format!("the id of {reply}"))
}
