//! What clients get: encoded once, shared by all who get it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::encode::{self, Object};
use super::{Extensions, Message, MessageId, Payload, decode};
use crate::channel::ChannelName;

/// A message on its way to clients, encoded; cloning it is cheap.
///
/// It carries `data`, and neither the publisher's session nor, but for [`Event::answer`], an id (FI-4, FI-5).
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    framed: Bytes,
}

impl Event {
    /// `message` as published on `channel` (FI-4 to FI-6, PB-3): its data, its `ext` without the members named
    /// in `strip_ext`, its timestamp or `timestamp` in its place, and what the protocol does not know.
    pub fn publish(
        channel: &ChannelName,
        message: &Message,
        strip_ext: &[Box<str>],
        timestamp: Option<&str>,
    ) -> Self {
        let ext = message.ext.as_ref().and_then(|ext| strip(ext, strip_ext));
        let data = message
            .data
            .as_ref()
            .map_or(&b"null"[..], Payload::as_bytes);
        let others = || {
            message
                .others
                .iter()
                .filter(|(name, _)| decode::passes_on(name))
        };
        let room = 96
            + channel.as_str().len()
            + data.len()
            + ext.as_ref().map_or(0, |ext| ext.as_payload().size())
            + others()
                .map(|(name, value)| name.len() + value.size() + 4)
                .sum::<usize>();
        Self::framed_object(room, |object| {
            object.string("channel", channel.as_str());
            object.raw("data", data);
            if let Some(ext) = &ext {
                object.raw("ext", ext.as_payload().as_bytes());
            }
            match (timestamp, &message.timestamp) {
                (Some(timestamp), _) => object.string("timestamp", timestamp),
                (None, Some(timestamp)) => object.raw("timestamp", timestamp.as_bytes()),
                (None, None) => {}
            }
            for (name, value) in others() {
                object.raw(name, value.as_bytes());
            }
        })
    }

    /// Plain data from the server on `channel` (SV-3).
    pub fn deliver(channel: &ChannelName, data: &Payload) -> Self {
        Self::framed_object(32 + channel.as_str().len() + data.size(), |object| {
            object.string("channel", channel.as_str());
            object.raw("data", data.as_bytes());
        })
    }

    /// The result of a remote call: the one event with an id (SV-4).
    pub fn answer(channel: &str, id: &MessageId, successful: bool, data: &Payload) -> Self {
        Self::framed_object(
            64 + channel.len() + id.as_json().len() + data.size(),
            |object| {
                object.raw("id", id.as_json().as_bytes());
                object.string("channel", channel);
                object.boolean("successful", successful);
                object.raw("data", data.as_bytes());
            },
        )
    }

    /// What tells a client that the server has ended its session (DC-5).
    pub fn disconnect() -> Self {
        Self {
            framed: Bytes::from_static(br#"[{"channel":"/meta/disconnect","successful":true}]"#),
        }
    }

    /// This event, which has no timestamp yet, with one (EX-2).
    #[must_use]
    pub fn with_timestamp(&self, timestamp: &str) -> Self {
        let object = self.object();
        let open = object.strip_suffix(b"}").unwrap_or(object);
        let mut stamped = Vec::with_capacity(object.len() + timestamp.len() + 16);
        stamped.extend_from_slice(open);
        stamped.extend_from_slice(br#","timestamp":"#);
        encode::push_string(&mut stamped, timestamp);
        stamped.push(b'}');
        Self::from_object(stamped)
    }

    /// An event encoded elsewhere; `object` is one JSON object.
    pub fn from_object(object: impl AsRef<[u8]>) -> Self {
        let object = object.as_ref();
        let mut framed = Vec::with_capacity(object.len() + 2);
        framed.push(b'[');
        framed.extend_from_slice(object);
        framed.push(b']');
        Self {
            framed: framed.into(),
        }
    }

    /// The object that `write` fills, in about `room` bytes.
    fn framed_object(room: usize, write: impl FnOnce(&mut Object<'_>)) -> Self {
        let mut framed = Vec::with_capacity(room);
        framed.push(b'[');
        let mut object = Object::begin(&mut framed);
        write(&mut object);
        object.end();
        framed.push(b']');
        Self {
            framed: framed.into(),
        }
    }

    /// A frame with this event alone: `[{…}]`.
    pub fn framed(&self) -> &Bytes {
        &self.framed
    }

    /// The event to be put among others: `{…}`.
    pub fn object(&self) -> &[u8] {
        self.framed
            .get(1..self.framed.len().saturating_sub(1))
            .unwrap_or_default()
    }

    /// How many bytes the object is.
    pub fn size(&self) -> usize {
        self.object().len()
    }
}

/// `ext` without `names`; `None` if nothing is left.
fn strip<'a>(ext: &'a Extensions, names: &[Box<str>]) -> Option<Cow<'a, Extensions>> {
    if names.is_empty() {
        return Some(Cow::Borrowed(ext));
    }
    ext.without(names).map(Cow::Owned)
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(self.object()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::message::{DecodeLimits, Messages};

    // Proves: FI-4, FI-5, FI-6, PB-3
    #[test]
    fn a_published_event_has_what_is_for_subscribers() {
        let table = [
            // FI-4
            (
                r#"{"channel":"/a","clientId":"c","id":"1","data":""}"#,
                r#"{"channel":"/a","data":""}"#,
            ),
            (r#"{"data":0}"#, r#"{"channel":"/a","data":0}"#),
            (r#"{"data":null}"#, r#"{"channel":"/a","data":null}"#),
            // PB-3
            ("{}", r#"{"channel":"/a","data":null}"#),
            // FR-5
            (
                r#"{"data":9007199254740993.10}"#,
                r#"{"channel":"/a","data":9007199254740993.10}"#,
            ),
            // CH-3, DE-12
            (
                r#"{"channel":" /a/","data":1}"#,
                r#"{"channel":"/a","data":1}"#,
            ),
            // FI-5, FI-6, DE-13
            (
                r#"{"id":"1","clientId":"c","advice":{},"successful":true,"error":"e","subscription":"/x",
                "lazy":true,"x-messages":1,"version":"1","minimumVersion":"1","connectionType":"x",
                "supportedConnectionTypes":[],"own":{"a":1},"o\"wn":2,"timestamp":"t","ext":{"x":1},"data":1}"#,
                r#"{"channel":"/a","data":1,"ext":{"x":1},"timestamp":"t","own":{"a":1},"o\"wn":2}"#,
            ),
            (r#"{"data":1,"ext":7}"#, r#"{"channel":"/a","data":1}"#),
        ];

        for (message, expected) in table {
            let event = Event::publish(&name("/a"), &one(message), &[], None);
            assert_eq!(text(&event), expected, "{message}");
        }
    }

    // Proves: FI-6
    #[test]
    fn members_of_ext_can_be_kept_from_subscribers() {
        // FI-6
        let message = one(r#"{"data":1,"ext":{"token":"s","ack":1,"x":{}}}"#);
        let table: [(&[&str], &str); 4] = [
            (
                &["token"],
                r#"{"channel":"/a","data":1,"ext":{"ack":1,"x":{}}}"#,
            ),
            (
                &["other"],
                r#"{"channel":"/a","data":1,"ext":{"token":"s","ack":1,"x":{}}}"#,
            ),
            (
                &["x", "token"],
                r#"{"channel":"/a","data":1,"ext":{"ack":1}}"#,
            ),
            (&["x", "ack", "token"], r#"{"channel":"/a","data":1}"#),
        ];

        for (names, expected) in table {
            let names: Vec<Box<str>> = names.iter().map(|name| (*name).into()).collect();
            assert_eq!(
                text(&Event::publish(&name("/a"), &message, &names, None)),
                expected
            );
        }
    }

    // Proves: EX-2
    #[test]
    fn the_servers_timestamp_takes_the_place_of_the_publishers() {
        // EX-2
        let message = one(r#"{"data":1,"timestamp":"t"}"#);

        let event = Event::publish(&name("/a"), &message, &[], Some("now"));

        assert_eq!(
            text(&event),
            r#"{"channel":"/a","data":1,"timestamp":"now"}"#
        );
    }

    // Proves: FI-5
    #[test]
    fn an_application_cannot_add_what_the_publisher_could_not() {
        // FI-5
        let mut message = one(r#"{"data":1}"#);
        message.others = vec![
            ("clientId".into(), Payload::string("c")),
            ("x".into(), Payload::null()),
        ];

        let event = Event::publish(&name("/a"), &message, &[], None);

        assert_eq!(text(&event), r#"{"channel":"/a","data":1,"x":null}"#);
    }

    #[test]
    fn the_server_has_events_of_its_own() {
        let data = Payload::string("a\"\\\n\u{1}ä");
        let escaped = r#""a\"\\\n\u0001ä""#;

        // SV-3
        let event = Event::deliver(&name("/service/x"), &data);
        assert_eq!(
            text(&event),
            format!(r#"{{"channel":"/service/x","data":{escaped}}}"#)
        );
        // SV-4, E16
        let event = Event::answer("/service/sum", &MessageId::new("21"), true, &data);
        assert_eq!(
            text(&event),
            format!(r#"{{"id":"21","channel":"/service/sum","successful":true,"data":{escaped}}}"#)
        );
        // DC-5
        assert_eq!(
            text(&Event::disconnect()),
            r#"{"channel":"/meta/disconnect","successful":true}"#
        );
    }

    #[test]
    fn an_event_alone_is_a_ready_frame() {
        let event = Event::deliver(&name("/a"), &Payload::null());

        assert_eq!(**event.framed(), *br#"[{"channel":"/a","data":null}]"#);
        assert_eq!(event.size(), event.framed().len() - 2);
        assert_eq!(Event::from_object(event.object()), event);
        assert_eq!(Event::from_object("").size(), 0);
    }

    proptest! {
        #[test]
        fn what_was_published_is_what_a_subscriber_decodes(
            data in json(),
            ext in json(),
            own in any::<String>(),
            timestamp in prop::option::of(any::<String>()),
        ) {
            let own_json = Value::from(own.as_str());
            let message = one(&format!(r#"{{"data":{data},"ext":{{"e":{ext}}},{own_json}:{data}}}"#));

            let event = Event::publish(&name("/a"), &message, &[], timestamp.as_deref());

            let decoded = one(core::str::from_utf8(event.framed()).unwrap());
            prop_assert_eq!(decoded.channel.as_deref(), Some("/a"));
            prop_assert_eq!(&decoded.data, &message.data);
            prop_assert_eq!(&decoded.ext, &message.ext);
            prop_assert_eq!(&decoded.others, &message.others);
            if let Some(timestamp) = timestamp {
                prop_assert_eq!(decoded.timestamp, Some(Payload::string(&timestamp)));
            }
        }

        #[test]
        fn strings_are_escaped_as_the_parser_expects(text in any::<String>()) {
            let parsed: String = serde_json::from_str(Payload::string(&text).as_str()).unwrap();
            prop_assert_eq!(parsed, text);
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop::collection::vec(any::<i64>(), 0..3).prop_map(Value::from),
            Just(Value::Null),
        ]
    }

    fn one(text: &str) -> Message {
        let messages = Messages::decode(text.to_string(), &DecodeLimits::default()).unwrap();
        messages.into_iter().next().unwrap()
    }

    fn name(text: &str) -> ChannelName {
        text.parse().unwrap()
    }

    fn text(event: &Event) -> &str {
        core::str::from_utf8(event.object()).unwrap()
    }
}
