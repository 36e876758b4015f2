//! Frames: the bodies of requests, the texts of websockets.

use proptest::prelude::*;
use serde_json::{Number, Value, json};

use crate::channel;

/// Any JSON of a moderate size, integers and floats of every size among it.
pub fn json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
        "[a-z]{0,4}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array);
        let members = prop::collection::vec(("[a-z]{0,3}", inner), 0..5);
        prop_oneof![
            list,
            members.prop_map(|members| Value::Object(members.into_iter().collect()))
        ]
    })
}

/// A message as an honest client sends it, of a session with this kind of name.
pub fn message() -> impl Strategy<Value = Value> {
    let parts = (
        0..8_u8,
        "[0-9a-z]{20,25}",
        channel::pattern(),
        channel::name(),
        json(),
        any::<u16>(),
    );
    parts.prop_map(|(kind, session, pattern, name, data, number)| {
        let id = number.to_string();
        let ack = json!({"ack": number});
        match kind {
            0 => json!({
                "id": id, "channel": "/meta/handshake", "version": "1.0",
                "supportedConnectionTypes": ["websocket", "long-polling"], "ext": {"ack": true},
            }),
            1 => json!({
                "id": id, "channel": "/meta/connect", "clientId": session, "connectionType": "long-polling",
                "advice": {"timeout": 0}, "ext": ack,
            }),
            2 => json!({
                "id": id, "channel": "/meta/connect", "clientId": session, "connectionType": "websocket",
            }),
            3 => json!({
                "id": id, "channel": "/meta/subscribe", "clientId": session, "subscription": pattern,
            }),
            4 => json!({
                "id": id, "channel": "/meta/unsubscribe", "clientId": session,
                "subscription": [pattern, name],
            }),
            5 => json!({"id": id, "channel": "/meta/disconnect", "clientId": session}),
            6 => json!({"id": number, "channel": name, "clientId": session, "data": data, "ext": {"x": data}}),
            _ => json!({"id": id, "channel": name, "clientId": session, "data": data}),
        }
    })
}

/// A message with one member of another type, doubled, or unknown.
fn bent() -> impl Strategy<Value = Value> {
    let names = &[
        "channel",
        "id",
        "clientId",
        "data",
        "ext",
        "advice",
        "subscription",
        "version",
        "successful",
        "supportedConnectionTypes",
        "connectionType",
        "timestamp",
        "x",
    ][..];
    let value = prop_oneof![
        2 => json(),
        1 => channel::nearly().prop_map(Value::String),
        1 => prop::collection::vec(channel::nearly().prop_map(Value::String), 0..4).prop_map(Value::Array),
    ];
    (
        message(),
        prop::sample::select(names),
        prop::option::of(value),
    )
        .prop_map(|(mut message, name, value)| {
            if let Some(members) = message.as_object_mut() {
                match value {
                    Some(value) => members.insert(name.to_owned(), value),
                    None => members.remove(name),
                };
            }
            message
        })
}

/// A frame of messages that are well formed.
pub fn valid() -> impl Strategy<Value = Vec<u8>> {
    let list = prop::collection::vec(message(), 1..6).prop_map(Value::Array);
    let frame = prop_oneof![3 => list, 1 => message()];
    (frame, any::<bool>(), any::<bool>()).prop_map(|(frame, pretty, mark)| {
        let text = if pretty {
            format!("\t{frame:#}\n")
        } else {
            frame.to_string()
        };
        let mark = if mark { "\u{feff}" } else { "" };
        format!("{mark}{text}").into_bytes()
    })
}

/// A frame that is JSON, or nearly, and whose messages are not as they should be.
pub fn nearly_valid() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::sample::select(
        &[
            "",
            " ",
            "[]",
            "{}",
            "[[]]",
            "[null]",
            "[1]",
            "null",
            "1e400",
            "[{}]",
            "[{},]",
            "[{}]x",
            r#"[{"channel":"/a","channel":"/b","data":1,"data":2}]"#,
            r#"[{"channel":"/a","data":"\ud800"}]"#,
            r#"[{"channel":"/a","data":"\ud83d\ude00"}]"#,
            r#"[{"channel":"/a","data":1e400}]"#,
            r#"[{"channel":"/a","data":1.0,"x":18446744073709551616}]"#,
            r#"[{"channel":"/a","data":01}]"#,
            r#"[{"ch\u0061nnel":"\/a","data":null}]"#,
        ][..],
    );
    let deep = (120..140_usize).prop_map(|depth| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"[{{"channel":"/a","data":{open}{close}}}]"#)
    });
    let bent =
        prop::collection::vec(bent(), 1..6).prop_map(|frame| Value::Array(frame).to_string());
    let text = prop_oneof![2 => odd.prop_map(str::to_owned), 1 => deep, 5 => bent];
    text.prop_map(String::into_bytes)
}

/// A frame whose bytes were tampered with, or any bytes.
pub fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let tampered = (
        any_valid(),
        any::<prop::sample::Index>(),
        any::<u8>(),
        0..4_u8,
    )
        .prop_map(|(mut frame, at, byte, how)| {
            if frame.is_empty() {
                return frame;
            }
            let at = at.index(frame.len());
            match how {
                0 => frame.truncate(at),
                1 => frame.insert(at, byte),
                2 => {
                    frame.remove(at);
                }
                _ => frame.extend_from_within(at..),
            }
            frame
        });
    let nested = (any::<bool>(), 1..5_000_usize).prop_map(|(list, depth)| {
        if list {
            "[".repeat(depth)
        } else {
            r#"{"a":"#.repeat(depth)
        }
        .into_bytes()
    });
    prop_oneof![
        4 => tampered,
        1 => nested,
        2 => prop::collection::vec(any::<u8>(), 0..200),
        1 => r#"[\[\]{}:,"\\0-9a-z ]{0,60}"#.prop_map(String::into_bytes),
    ]
}

fn any_valid() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![valid(), nearly_valid()]
}

/// All of these.
pub fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![2 => valid(), 4 => nearly_valid(), 2 => hostile()]
}
