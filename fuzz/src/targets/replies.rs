//! What the engine writes: it is JSON, and says what it was to say.

use bayeux_core::{
    Advice, ChannelName, Event, Extensions, HandshakeFields, Id, Message, MessageId, Messages,
    Payload, ProtocolError, Reconnect, Reply,
};
use bytes::Bytes;

use crate::naive::json::{self, Value};

/// Deeper than all that can be decoded.
const DEPTH: usize = 200;

/// A frame, of which each message is answered and published in several ways.
///
/// - A reply is an object that echoes channel, id and subscription, whatever is in them, and says so much and no more.
/// - An event is an object with the publisher's data, extensions and own members, and nothing by which to tell who it was.
/// - Extensions are found, added and taken out, member by member.
/// - An error keeps to its three parts (ER-1).
pub fn replies(input: &[u8]) {
    let Ok(messages) = Messages::decode(Bytes::copy_from_slice(input), &Default::default()) else {
        return;
    };
    for message in &messages {
        check_reply(message);
        check_event(message);
        check_answer(message);
        if let Some(ext) = &message.ext {
            check_extensions(ext);
        }
    }
}

fn check_reply(message: &Message) {
    let mut reply = Reply::to(message);
    check_echo(&reply, message, None);

    let text = message.channel.as_deref().unwrap_or_default();
    let (code, args) = (
        text.len() as u16,
        message.connection_type.clone().unwrap_or_default(),
    );
    let errors = [
        ProtocolError::new(code, String::from(args), text.to_string()),
        ProtocolError::connection_types_unsupported(message.connection_types.iter().flatten()),
        ProtocolError::publish_denied(text.to_string()),
    ];
    for error in errors {
        check_error(&error);
        reply.outcome = Err(error.clone());
        reply.session = message.session.clone();
        reply.ext = message.ext.clone();
        reply.timestamp = message.channel.clone();
        reply.advice = Some(Advice {
            reconnect: Some(Reconnect::Handshake),
            interval: message.advice.and_then(|advice| advice.interval),
            timeout: message.advice.and_then(|advice| advice.timeout),
            max_interval: Some(u64::MAX),
            multiple_clients: Some(true),
        });
        reply.handshake = Some(Box::new(HandshakeFields {
            supported: vec!["websocket", "long-polling"],
            messages: u32::MAX,
        }));
        check_echo(&reply, message, Some(&error));
    }
}

fn check_echo(reply: &Reply, message: &Message, error: Option<&ProtocolError>) {
    let mut encoded = Vec::new();
    reply.encode(&mut encoded);
    let text = utf8(&encoded);
    let object = parse(text);

    assert_eq!(
        string(&object, "channel"),
        message.channel.as_deref().map(String::from),
        "{text}"
    );
    let id = match &message.id {
        Id::Given(id) => Some(id.as_json()),
        Id::Absent | Id::Invalid => None,
    };
    assert_eq!(raw(&object, "id"), id, "{text}");
    let subscription = message
        .subscription
        .as_ref()
        .map(|subscription| subscription.raw.as_str());
    assert_eq!(raw(&object, "subscription"), subscription, "{text}");
    let successful = if error.is_some() { "false" } else { "true" };
    assert_eq!(raw(&object, "successful"), Some(successful), "{text}");
    assert_eq!(
        string(&object, "error"),
        error.map(ToString::to_string),
        "{text}"
    );
    assert_eq!(raw(&object, "data"), None, "{text}");
    let session = reply.session.as_deref().map(String::from);
    assert_eq!(string(&object, "clientId"), session, "{text}");
    let ext = reply.ext.as_ref().map(|ext| ext.as_payload().as_str());
    assert_eq!(raw(&object, "ext"), ext, "{text}");
    assert_eq!(
        string(&object, "timestamp"),
        reply.timestamp.as_deref().map(String::from),
        "{text}"
    );
    let interval = reply.advice.as_ref().and_then(|advice| advice.interval);
    let written = object
        .member("advice")
        .and_then(|advice| raw(advice, "interval"));
    assert_eq!(
        written.map(String::from),
        interval.map(|interval| interval.to_string()),
        "{text}"
    );
    let names = object.members().unwrap_or_default();
    let json::Json::Object(members) = &object.json else {
        panic!("no object: {text}")
    };
    assert_eq!(members.len(), names.len(), "a member twice: {text}");
}

fn check_error(error: &ProtocolError) {
    let text = error.to_string();
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let [code, args, said] = parts.as_slice() else {
        panic!("three parts: {text}")
    };
    assert_eq!(code.len(), 3, "{text}");
    assert_eq!(code.parse(), Ok(error.code()), "{text}");
    assert_eq!((*args, *said), (error.args(), error.text()), "{text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

fn check_event(message: &Message) {
    let Ok(name) = message
        .channel
        .as_deref()
        .unwrap_or_default()
        .parse::<ChannelName>()
    else {
        return;
    };
    let stripped = message.others.iter().map(|(name, _)| name.clone()).next();
    let stripped = Vec::from_iter(stripped);
    for timestamp in [None, message.connection_type.as_deref()] {
        let event = Event::publish(&name, message, &stripped, timestamp);
        let text = utf8(event.object());
        let object = parse(text);

        assert_eq!(utf8(event.framed()), format!("[{text}]"));
        assert_eq!(
            string(&object, "channel").as_deref(),
            Some(name.as_str()),
            "{text}"
        );
        let data = message.data.as_ref().map_or("null", Payload::as_str);
        assert_eq!(raw(&object, "data"), Some(data), "{text}");
        for secret in ["clientId", "id", "advice", "successful", "subscription"] {
            assert_eq!(raw(&object, secret), None, "{text}");
        }
        for (own, value) in &message.others {
            assert_eq!(raw(&object, own), Some(value.as_str()), "{own:?}: {text}");
        }
        if let Some(timestamp) = timestamp {
            assert_eq!(
                string(&object, "timestamp").as_deref(),
                Some(timestamp),
                "{text}"
            );
        }
        if stripped.is_empty() {
            let ext = message.ext.as_ref().map(|ext| ext.as_payload().as_str());
            assert_eq!(raw(&object, "ext"), ext, "{text}");
        }
    }
}

fn check_answer(message: &Message) {
    let channel = message.channel.as_deref().unwrap_or_default();
    let data = Payload::string(channel);
    let event =
        Event::answer(channel, &MessageId::new(channel), true, &data).with_timestamp(channel);
    let text = utf8(event.object());
    let object = parse(text);
    for name in ["channel", "id", "data", "timestamp"] {
        assert_eq!(string(&object, name).as_deref(), Some(channel), "{text}");
    }
}

fn check_extensions(ext: &Extensions) {
    let object = parse(ext.as_payload().as_str());
    let members = object.members().unwrap_or_default();
    let listed: Vec<(String, String)> = ext
        .iter()
        .map(|(name, value)| (name.into(), value.as_str().into()))
        .collect();
    let expected = members
        .iter()
        .map(|(name, value)| (String::from(*name), String::from(value.text)));
    assert_eq!(listed, expected.collect::<Vec<_>>());
    assert_eq!(ext.is_empty(), members.is_empty());

    for (name, value) in &members {
        assert_eq!(
            ext.get(name).as_ref().map(Payload::as_str),
            Some(value.text),
            "{name:?}"
        );
        let without = ext.without(&[name]);
        assert_eq!(without.is_none(), members.len() == 1, "{name:?}");
        let Some(without) = without else { continue };
        assert_eq!(without.get(name), None, "{name:?}");
        assert_eq!(without.iter().count(), members.len() - 1, "{name:?}");
        let again = without.with(name, Payload::null());
        assert_eq!(again.get(name), Some(Payload::null()), "{name:?}");
        assert_eq!(again.iter().count(), members.len(), "{name:?}");
    }
}

fn utf8(bytes: &[u8]) -> &str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => panic!("{error}"),
    }
}

fn parse(text: &str) -> Value<'_> {
    match json::parse(text, DEPTH) {
        Ok(value) if value.members().is_some() => value,
        other => panic!("{other:?}: {text}"),
    }
}

fn raw<'a>(object: &Value<'a>, name: &str) -> Option<&'a str> {
    object.member(name).map(|value| value.text)
}

fn string(object: &Value<'_>, name: &str) -> Option<String> {
    object.member(name)?.string().map(String::from)
}
