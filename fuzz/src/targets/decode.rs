//! Frames from anybody: what is decoded is what a naive reader finds, and nothing else is.

use bayeux_core::{ClientAdvice, DecodeError, DecodeLimits, Id, Message, Messages};
use bytes::Bytes;

use crate::naive::json::{self, Fault, Json, Value};

/// The members that the protocol knows but that mean nothing in a request.
const DROPPED: [&str; 6] = [
    "successful",
    "error",
    "lazy",
    "x-messages",
    "version",
    "minimumVersion",
];

/// The members that the protocol knows.
const KNOWN: [&str; 10] = [
    "channel",
    "id",
    "clientId",
    "data",
    "ext",
    "advice",
    "subscription",
    "connectionType",
    "supportedConnectionTypes",
    "timestamp",
];

/// The first byte chooses the limits, the rest is a frame.
///
/// - It is decoded just when it is JSON, a message or a list of them, within the limits (FR-1 to FR-7), and each member is
///   what the naive reader says.
/// - What was decoded, written again, decodes to the same.
/// - Two frames of one request are the messages of both.
pub fn decode(input: &[u8]) {
    let Some((choice, frame)) = input.split_first() else {
        return;
    };
    let limits = limits(*choice);

    let decoded = Messages::decode(Bytes::copy_from_slice(frame), &limits);

    let decoded = decoded.map(|messages| messages.iter().map(Seen::of).collect::<Vec<_>>());
    match (expected(frame, &limits), decoded) {
        (Ok(expected), Ok(decoded)) => {
            assert_eq!(decoded, expected);
            check_written_again(&decoded);
            check_twice(frame, &limits, decoded.len());
        }
        (Err(Wrong::Exactly(expected)), Err(error)) => assert_eq!(error, expected),
        (Err(Wrong::Syntax), Err(error)) => {
            assert!(
                error != DecodeError::TooLarge && error != DecodeError::Empty,
                "{error}"
            );
        }
        (expected, decoded) => panic!("expected {expected:?}, decoded {decoded:?}"),
    }
}

fn limits(choice: u8) -> DecodeLimits {
    let depths = [128, 0, 1, 2, 3, 4, 8, 127];
    let counts = [1000, 0, 1, 2];
    let sizes = [65536, 16];
    let pick = |choices: &[usize], by: u8| {
        choices
            .get(usize::from(by) % choices.len())
            .copied()
            .unwrap_or_default()
    };
    DecodeLimits {
        max_size: pick(&sizes, choice / 32),
        max_depth: pick(&depths, choice),
        max_messages: pick(&counts, choice / 8),
    }
}

/// What the protocol sees of a message.
#[derive(Clone, PartialEq, Debug)]
struct Seen {
    channel: Option<String>,
    id: Option<Option<String>>,
    session: Option<String>,
    data: Option<String>,
    ext: Option<String>,
    advice: Option<ClientAdvice>,
    subscription: Option<(String, Option<Vec<String>>)>,
    connection_type: Option<String>,
    connection_types: Option<Vec<String>>,
    timestamp: Option<String>,
    others: Vec<(String, String)>,
}

impl Seen {
    fn of(message: &Message) -> Self {
        let owned = |text: &Option<Box<str>>| text.as_deref().map(String::from);
        let list = |texts: &Vec<Box<str>>| texts.iter().map(|text| String::from(&**text)).collect();
        Self {
            channel: owned(&message.channel),
            id: match &message.id {
                Id::Absent => None,
                Id::Given(id) => Some(Some(id.as_json().into())),
                Id::Invalid => Some(None),
            },
            session: owned(&message.session),
            data: message.data.as_ref().map(|data| data.as_str().into()),
            ext: message
                .ext
                .as_ref()
                .map(|ext| ext.as_payload().as_str().into()),
            advice: message.advice,
            subscription: message.subscription.as_ref().map(|subscription| {
                (
                    subscription.raw.as_str().into(),
                    subscription.names.as_ref().map(list),
                )
            }),
            connection_type: owned(&message.connection_type),
            connection_types: message.connection_types.as_ref().map(list),
            timestamp: message
                .timestamp
                .as_ref()
                .map(|timestamp| timestamp.as_str().into()),
            others: message
                .others
                .iter()
                .map(|(name, value)| (String::from(&**name), value.as_str().into()))
                .collect(),
        }
    }

    fn expected(message: &Value<'_>) -> Option<Self> {
        let members = message.members()?;
        let find = |name: &str| {
            let found = members.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| *value)
        };
        let text = |name: &str| find(name).map(|value| String::from(value.text));
        let string = |name: &str| find(name)?.string().map(String::from);
        let present = |name: &str| find(name).filter(|value| value.json != Json::Null);
        let is_unknown = |name: &&str| !KNOWN.contains(name) && !DROPPED.contains(name);
        Some(Self {
            channel: string("channel"),
            id: present("id").map(|id| match id.json {
                Json::String(_) | Json::Number => Some(id.text.into()),
                Json::Null | Json::Boolean | Json::List(_) | Json::Object(_) => None,
            }),
            session: present("clientId").map(|id| id.string().unwrap_or_default().into()),
            data: text("data"),
            ext: find("ext")
                .filter(|ext| ext.members().is_some())
                .map(|ext| ext.text.into()),
            advice: find("advice").and_then(advice),
            subscription: present("subscription").map(|value| (value.text.into(), names(value))),
            connection_type: string("connectionType"),
            connection_types: find("supportedConnectionTypes").and_then(|types| {
                let strings = types.list()?.iter().filter_map(Value::string);
                let strings: Vec<String> = strings.map(String::from).collect();
                (!strings.is_empty()).then_some(strings)
            }),
            timestamp: present("timestamp").map(|timestamp| timestamp.text.into()),
            others: members
                .iter()
                .filter(|(name, _)| is_unknown(name))
                .map(|(name, value)| (String::from(*name), value.text.into()))
                .collect(),
        })
    }

    /// As an object, in an order of its own and with all that JSON lets one escape.
    fn write(&self) -> String {
        let mut members = Vec::new();
        let mut member = |name: &str, value: String| members.push((escaped(name), value));
        let list = |texts: &[String]| {
            let texts: Vec<String> = texts.iter().map(|text| escaped(text)).collect();
            format!("[{}]", texts.join(","))
        };
        for (name, value) in &self.others {
            member(name, value.clone());
        }
        let texts = [
            ("data", &self.data),
            ("ext", &self.ext),
            ("timestamp", &self.timestamp),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                member(name, text.clone());
            }
        }
        let strings = [
            ("connectionType", &self.connection_type),
            ("clientId", &self.session),
            ("channel", &self.channel),
        ];
        for (name, text) in strings {
            if let Some(text) = text {
                member(name, escaped(text));
            }
        }
        if let Some((raw, _)) = &self.subscription {
            member("subscription", raw.clone());
        }
        if let Some(types) = &self.connection_types {
            member("supportedConnectionTypes", list(types));
        }
        if let Some(id) = &self.id {
            member("id", id.clone().unwrap_or("true".into()));
        }
        if let Some(advice) = &self.advice {
            let number = |value: Option<u64>| value.map_or("-1".into(), |value| value.to_string());
            let (timeout, interval) = (number(advice.timeout), number(advice.interval));
            member(
                "advice",
                format!(r#"{{"timeout":{timeout},"interval":{interval}}}"#),
            );
        }
        let members: Vec<String> = members
            .iter()
            .map(|(name, value)| format!("{name} : {value}"))
            .collect();
        format!("{{{}}}", members.join(" , "))
    }
}

/// `text` with each character as `\u`.
fn escaped(text: &str) -> String {
    let units: String = text
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    format!("\"{units}\"")
}

fn advice(value: &Value<'_>) -> Option<ClientAdvice> {
    value.members()?;
    let number = |name: &str| {
        let text = value
            .member(name)
            .filter(|value| value.json == Json::Number)?
            .text;
        let float = text.parse::<f64>().ok().filter(|float| *float >= 0.0)?;
        Some(text.parse().unwrap_or(float as u64))
    };
    Some(ClientAdvice {
        timeout: number("timeout"),
        interval: number("interval"),
    })
}

fn names(value: &Value<'_>) -> Option<Vec<String>> {
    if let Some(name) = value.string() {
        return Some(vec![name.into()]);
    }
    value
        .list()?
        .iter()
        .map(|name| name.string().map(String::from))
        .collect()
}

/// Why nothing is to be decoded.
#[derive(Debug)]
enum Wrong {
    /// For this reason.
    Exactly(DecodeError),
    /// It is not JSON; the decoder may have found something else before it saw that.
    Syntax,
}

fn expected(frame: &[u8], limits: &DecodeLimits) -> Result<Vec<Seen>, Wrong> {
    if frame.len() > limits.max_size {
        return Err(Wrong::Exactly(DecodeError::TooLarge));
    }
    let text = str::from_utf8(frame).map_err(|_| Wrong::Syntax)?;
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .trim_matches(json::SPACE);
    if text.is_empty() {
        return Err(Wrong::Exactly(DecodeError::Empty));
    }
    let is_list = text.starts_with('[');
    let max_depth = limits.max_depth.saturating_sub(usize::from(!is_list));
    let value = json::parse(text, max_depth).map_err(|fault| match fault {
        Fault::Depth => Wrong::Exactly(DecodeError::TooDeep),
        Fault::Syntax => Wrong::Syntax,
    })?;
    let messages = if is_list {
        value.list().unwrap_or_default()
    } else {
        &[value]
    };
    if messages.is_empty() {
        return Err(Wrong::Exactly(DecodeError::Empty));
    }
    let mut seen = Vec::new();
    for message in messages {
        if is_list && seen.len() == limits.max_messages {
            return Err(Wrong::Exactly(DecodeError::TooMany));
        }
        seen.push(Seen::expected(message).ok_or(Wrong::Exactly(DecodeError::NotMessages))?);
    }
    Ok(seen)
}

fn check_written_again(seen: &[Seen]) {
    let written: Vec<String> = seen.iter().map(Seen::write).collect();
    let written = format!("[{}]", written.join(","));
    let limits = DecodeLimits {
        max_size: usize::MAX,
        ..DecodeLimits::default()
    };
    match Messages::decode(written.clone(), &limits) {
        Ok(again) => assert_eq!(
            again.iter().map(Seen::of).collect::<Vec<_>>(),
            seen,
            "{written}"
        ),
        Err(error) => panic!("{error}: {written}"),
    }
}

fn check_twice(frame: &[u8], limits: &DecodeLimits, count: usize) {
    let frame = Bytes::copy_from_slice(frame);
    let twice = Messages::decode_all([frame.clone(), frame], limits);
    match twice {
        Ok(twice) => assert_eq!(twice.len(), 2 * count),
        Err(error) => {
            assert_eq!(error, DecodeError::TooMany);
            assert!(2 * count > limits.max_messages);
        }
    }
}
