//! From the bytes of a frame to messages.
//!
//! A frame is always decoded whole, so it does not matter where it was split on its way (FR-8).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    ClientAdvice, Extensions, Id, Message, MessageId, Messages, Payload, Subscription, members,
    scan,
};

/// How much a frame may ask of us (FR-6, DE-16).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeLimits {
    /// The most bytes.
    pub max_size: usize,
    /// The most levels of lists and objects, the outermost list included (DE-15).
    pub max_depth: usize,
    /// The most messages.
    pub max_messages: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_size: 1024 * 1024,
            max_depth: 128,
            max_messages: 1000,
        }
    }
}

/// Why a frame as a whole cannot be used (FR-3 to FR-6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not JSON, or not JSON that may be passed on (FR-3, DE-15).
    NotJson,
    /// JSON, but neither a message nor a list of messages (FR-3).
    NotMessages,
    /// `[]`, or nothing but white space (FR-4).
    Empty,
    /// Nested beyond [`DecodeLimits::max_depth`].
    TooDeep,
    /// Longer than [`DecodeLimits::max_size`].
    TooLarge,
    /// More than [`DecodeLimits::max_messages`].
    TooMany,
}

impl DecodeError {
    /// The status of the response to an exchange.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::NotJson | Self::NotMessages | Self::Empty | Self::TooDeep => 400,
            Self::TooLarge | Self::TooMany => 413,
        }
    }

    /// The code of the close frame to a duplex; `None` if it stays open (WS-12, FR-4, DE-17). Text that
    /// is not UTF-8 closes with 1007 before it gets here.
    #[must_use]
    pub const fn close_code(self) -> Option<u16> {
        match self {
            Self::Empty => None,
            Self::NotJson | Self::NotMessages | Self::TooDeep => Some(1011),
            Self::TooLarge | Self::TooMany => Some(1009),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "not JSON",
            Self::NotMessages => "neither a message nor a list of messages",
            Self::Empty => "no messages",
            Self::TooDeep => "nested too deep",
            Self::TooLarge => "too large",
            Self::TooMany => "too many messages",
        })
    }
}

impl core::error::Error for DecodeError {}

impl Messages {
    /// Reads a frame: a list of messages, or one message (FR-1), behind a byte order mark or not (FR-7).
    ///
    /// ```
    /// # use bayeux_core::{DecodeLimits, Messages};
    /// let body = r#"[{"channel":"/chat/demo","clientId":"1a7k3n9v","data":{"n":1.50}}]"#;
    /// let messages = Messages::decode(body, &DecodeLimits::default())?;
    /// let data = messages.first().and_then(|message| message.data.as_ref());
    /// assert_eq!(data.map(|data| data.as_str()), Some(r#"{"n":1.50}"#));
    /// # Ok::<(), bayeux_core::DecodeError>(())
    /// ```
    pub fn decode(body: impl Into<Bytes>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let body: Bytes = body.into();
        if body.len() > limits.max_size {
            return Err(DecodeError::TooLarge);
        }
        let text = core::str::from_utf8(&body).map_err(|_| DecodeError::NotJson)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        if text.is_empty() {
            return Err(DecodeError::Empty);
        }
        let depth = if text.starts_with('[') {
            0
        } else {
            scan::IN_LIST
        };
        scan::check(text, limits.max_depth, depth)?;
        let messages = read(text, &body, limits.max_messages)?;
        if messages.is_empty() {
            return Err(DecodeError::Empty);
        }
        Ok(Self(messages))
    }

    /// Reads the texts of one request, in order (DE-20); the limit on messages holds for all together.
    ///
    /// ```
    /// # use bayeux_core::{DecodeLimits, Messages, http::body_texts};
    /// let texts = body_texts(None, &"message=[{}]&message={}".into())?;
    /// assert_eq!(Messages::decode_all(texts, &DecodeLimits::default())?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode_all(
        texts: impl IntoIterator<Item = Bytes>,
        limits: &DecodeLimits,
    ) -> Result<Self, DecodeError> {
        let mut all = Self::default();
        for text in texts {
            let messages = Self::decode(text, limits)?;
            if all.len() + messages.len() > limits.max_messages {
                return Err(DecodeError::TooMany);
            }
            all.append(messages);
        }
        Ok(all)
    }
}

fn read(text: &str, body: &Bytes, max_messages: usize) -> Result<Vec<Message>, DecodeError> {
    let too_many = Cell::new(false);
    let frame = Frame {
        body,
        max_messages,
        too_many: &too_many,
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    let messages = frame
        .deserialize(&mut parser)
        .and_then(|messages| parser.end().map(|()| messages));
    messages.map_err(|error| match error.classify() {
        serde_json::error::Category::Data if too_many.get() => DecodeError::TooMany,
        serde_json::error::Category::Data => DecodeError::NotMessages,
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => DecodeError::NotJson,
    })
}

/// A list of messages, or one.
struct Frame<'a> {
    body: &'a Bytes,
    max_messages: usize,
    too_many: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Frame<'_> {
    type Value = Vec<Message>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Message>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Frame<'_> {
    type Value = Vec<Message>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Message>, A::Error> {
        let mut messages = Vec::with_capacity(1);
        while messages.len() < self.max_messages {
            let Some(message) = list.next_element_seed(OneMessage { body: self.body })? else {
                return Ok(messages);
            };
            messages.push(message);
        }
        if list.next_element::<IgnoredAny>()?.is_some() {
            self.too_many.set(true);
            return Err(A::Error::custom("too many messages"));
        }
        Ok(messages)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Message>, A::Error> {
        let message = OneMessage { body: self.body }.visit_map(map)?;
        Ok(Vec::from([message]))
    }
}

struct OneMessage<'a> {
    body: &'a Bytes,
}

impl<'de> DeserializeSeed<'de> for OneMessage<'_> {
    type Value = Message;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Message, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneMessage<'_> {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut message = Message::default();
        while let Some(members::Name(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            message.set(&name, value.get(), self.body);
        }
        members::keep_last(&mut message.others);
        Ok(message)
    }
}

impl Message {
    /// Takes in one member; the last of several with one name counts (FR-7).
    fn set(&mut self, name: &str, value: &str, body: &Bytes) {
        let payload = || Payload::part_of(body, value);
        match Field::of(name) {
            Some(Field::Channel) => self.channel = string(value),
            Some(Field::Id) => self.id = id(value),
            Some(Field::Session) => self.session = session(value),
            Some(Field::Data) => self.data = Some(payload()),
            Some(Field::Ext) => self.ext = Extensions::from_payload(payload()),
            Some(Field::Advice) => self.advice = advice(value),
            Some(Field::Subscription) => self.subscription = subscription(value, body),
            Some(Field::ConnectionType) => self.connection_type = string(value),
            Some(Field::ConnectionTypes) => self.connection_types = connection_types(value),
            Some(Field::Timestamp) => self.timestamp = (value != "null").then(payload),
            Some(Field::Dropped) => {}
            None => self.others.push((name.into(), payload())),
        }
    }
}

/// The members that the protocol knows (FI-1).
enum Field {
    Channel,
    Id,
    Session,
    Data,
    Ext,
    Advice,
    Subscription,
    ConnectionType,
    ConnectionTypes,
    Timestamp,
    /// Means nothing in a request, and is not for subscribers either (DE-13).
    Dropped,
}

impl Field {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "channel" => Self::Channel,
            "id" => Self::Id,
            "clientId" => Self::Session,
            "data" => Self::Data,
            "ext" => Self::Ext,
            "advice" => Self::Advice,
            "subscription" => Self::Subscription,
            "connectionType" => Self::ConnectionType,
            "supportedConnectionTypes" => Self::ConnectionTypes,
            "timestamp" => Self::Timestamp,
            "successful" | "error" | "lazy" | "x-messages" | "version" | "minimumVersion" => {
                Self::Dropped
            }
            _ => return None,
        })
    }
}

/// Whether the member `name` of a published message goes on to subscribers though nobody here knows it
/// (FI-6).
pub(super) fn passes_on(name: &str) -> bool {
    Field::of(name).is_none()
}

fn string(json: &str) -> Option<Box<str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(json)
            .ok()
            .map(String::into_boxed_str);
    }
    Some(inner.into())
}

fn id(json: &str) -> Id {
    match json.as_bytes().first() {
        Some(b'"' | b'-' | b'0'..=b'9') => Id::Given(MessageId::from_json(json)),
        Some(b'n') => Id::Absent,
        _ => Id::Invalid,
    }
}

fn session(json: &str) -> Option<Box<str>> {
    match json {
        "null" => None,
        _ => Some(string(json).unwrap_or_default()),
    }
}

fn advice(json: &str) -> Option<ClientAdvice> {
    let mut advice = ClientAdvice::default();
    let is_object = members::walk(json, |name, value| match &*name {
        "timeout" => advice.timeout = milliseconds(value),
        "interval" => advice.interval = milliseconds(value),
        _ => {}
    });
    is_object.then_some(advice)
}

/// A number that is not negative, without its fraction (AD-7).
fn milliseconds(json: &str) -> Option<u64> {
    if let Ok(number) = json.parse::<u64>() {
        return Some(number);
    }
    let number = json.parse::<f64>().ok().filter(|number| *number >= 0.0)?;
    Some(number as u64)
}

fn subscription(json: &str, body: &Bytes) -> Option<Subscription> {
    let names = match json.as_bytes().first() {
        Some(b'n') => return None,
        Some(b'"') => string(json).map(|name| Vec::from([name])),
        Some(b'[') => serde_json::from_str::<Vec<Box<str>>>(json).ok(),
        _ => None,
    };
    Some(Subscription {
        raw: Payload::part_of(body, json),
        names,
    })
}

fn connection_types(json: &str) -> Option<Vec<Box<str>>> {
    let list: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let types: Vec<_> = list
        .into_iter()
        .filter_map(|value| string(value.get()))
        .collect();
    (!types.is_empty()).then_some(types)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    // Proves: FR-3, FR-4, FR-6, DE-15, DE-16
    #[test]
    fn each_mistake_has_a_status_and_a_close_code() {
        let table = [
            (DecodeError::NotJson, 400, Some(1011)),
            (DecodeError::NotMessages, 400, Some(1011)),
            (DecodeError::Empty, 400, None),
            (DecodeError::TooDeep, 400, Some(1011)),
            (DecodeError::TooLarge, 413, Some(1009)),
            (DecodeError::TooMany, 413, Some(1009)),
        ];

        for (error, status, code) in table {
            assert_eq!(
                (error.http_status(), error.close_code()),
                (status, code),
                "{error}"
            );
        }
    }

    // Proves: FR-6
    #[test]
    fn the_limit_on_messages_holds_for_all_texts_of_a_request_together() {
        let limits = DecodeLimits {
            max_messages: 3,
            ..DecodeLimits::default()
        };
        let count = |texts: &[&'static str]| {
            let texts = texts.iter().map(|text| Bytes::from_static(text.as_bytes()));
            Messages::decode_all(texts, &limits).map(|messages| messages.len())
        };

        assert_eq!(count(&["[{},{}]", "{}"]), Ok(3));
        assert_eq!(count(&["[{},{}]", "[{},{}]"]), Err(DecodeError::TooMany));
        assert_eq!(count(&["{}", "[{},{},{}]"]), Err(DecodeError::TooMany));
        assert_eq!(count(&["{}", "[1]"]), Err(DecodeError::NotMessages));
        assert_eq!(count(&[]), Ok(0));
    }

    // Proves: FR-1, FR-3, FR-4, FR-7
    #[test]
    fn a_frame_is_a_list_of_messages_or_one() {
        let table: [(&str, Result<usize, DecodeError>); 28] = [
            // FR-1
            ("[{}]", Ok(1)),
            ("{}", Ok(1)),
            (" [ {} , {} ]\r\n", Ok(2)),
            // FR-3
            ("", Err(DecodeError::Empty)),
            ("1", Err(DecodeError::NotMessages)),
            ("null", Err(DecodeError::NotMessages)),
            ("\"x\"", Err(DecodeError::NotMessages)),
            ("[1]", Err(DecodeError::NotMessages)),
            ("[null]", Err(DecodeError::NotMessages)),
            ("[[]]", Err(DecodeError::NotMessages)),
            ("[{},1]", Err(DecodeError::NotMessages)),
            ("x", Err(DecodeError::NotJson)),
            ("[", Err(DecodeError::NotJson)),
            ("[{}", Err(DecodeError::NotJson)),
            ("[{},]", Err(DecodeError::NotJson)),
            ("[{}]x", Err(DecodeError::NotJson)),
            ("[{}][{}]", Err(DecodeError::NotJson)),
            ("{}{}", Err(DecodeError::NotJson)),
            ("[{\"data\":01}]", Err(DecodeError::NotJson)),
            ("[{\"data\":\"a\nb\"}]", Err(DecodeError::NotJson)),
            ("[{\"data\":[1,]}]", Err(DecodeError::NotJson)),
            ("[{'data':1}]", Err(DecodeError::NotJson)),
            ("\u{c}[{}]", Err(DecodeError::NotJson)),
            ("[{}]\u{c}", Err(DecodeError::NotJson)),
            // FR-4
            ("[]", Err(DecodeError::Empty)),
            (" \n", Err(DecodeError::Empty)),
            // FR-7
            ("\u{feff}[{}]", Ok(1)),
            ("\u{feff}", Err(DecodeError::Empty)),
        ];

        for (text, expected) in table {
            assert_eq!(
                decode(text).map(|messages| messages.len()),
                expected,
                "{text:?}"
            );
        }
        assert_eq!(
            decode(&b"[{\"data\":\"\xff\"}]"[..]).err(),
            Some(DecodeError::NotJson)
        );
        assert_eq!(
            decode(&b"[{\"data\":\"\xc3"[..]).err(),
            Some(DecodeError::NotJson)
        );
    }

    // Proves: FR-6
    #[test]
    fn limits_hold_to_the_byte_the_level_and_the_message() {
        // FR-6, DE-16
        let limits = DecodeLimits {
            max_size: 60,
            max_depth: 4,
            max_messages: 2,
        };
        let decode = |text: &str| Messages::decode(text.as_bytes().to_vec(), &limits).err();

        assert_eq!(decode(&format!("[{{}}]{}", " ".repeat(56))), None);
        assert_eq!(
            decode(&format!("[{{}}]{}", " ".repeat(57))),
            Some(DecodeError::TooLarge)
        );
        assert_eq!(decode(r#"[{"data":[[]]}]"#), None);
        assert_eq!(decode(r#"[{"data":[[[]]]}]"#), Some(DecodeError::TooDeep));
        assert_eq!(decode(r#"{"data":[[]]}"#), None);
        assert_eq!(decode(r#"{"data":[[[]]]}"#), Some(DecodeError::TooDeep));
        assert_eq!(decode("[{},{}]"), None);
        assert_eq!(decode("[{},{},{}]"), Some(DecodeError::TooMany));
        assert_eq!(decode("[{},{},1]"), Some(DecodeError::TooMany));
    }

    // Proves: FR-3
    #[test]
    fn what_would_break_a_subscriber_is_refused() {
        // DE-15
        for value in ["\"\\ud800\"", "1e400", "{\"a\":-1e999}"] {
            let text = format!(r#"[{{"channel":"/a","data":{value}}}]"#);
            assert_eq!(decode(text).err(), Some(DecodeError::NotJson), "{value}");
        }
    }

    #[test]
    fn every_member_is_understood() {
        let message = one(
            r#"{"channel":"/a","id":"7","clientId":"c1","data":{"n":1},"ext":{"x":[1]},
            "advice":{"timeout":5,"interval":0},"subscription":["/a","/b/*"],
            "connectionType":"websocket","supportedConnectionTypes":["websocket","long-polling"],
            "timestamp":"now","version":"1.0","minimumVersion":"1.0","successful":true,"error":"e",
            "lazy":true,"x-messages":3,"own":null,"other":2}"#,
        );

        assert_eq!(message.channel.as_deref(), Some("/a"));
        assert_eq!(message.id, Id::Given(MessageId::new("7")));
        assert_eq!(message.session.as_deref(), Some("c1"));
        assert_eq!(message.data, Some(payload(r#"{"n":1}"#)));
        assert_eq!(message.ext.unwrap().get("x"), Some(payload("[1]")));
        assert_eq!(
            message.advice,
            Some(ClientAdvice {
                timeout: Some(5),
                interval: Some(0)
            })
        );
        let subscription = message.subscription.unwrap();
        assert_eq!(subscription.raw, payload(r#"["/a","/b/*"]"#));
        assert_eq!(subscription.names, Some(vec!["/a".into(), "/b/*".into()]));
        assert_eq!(message.connection_type.as_deref(), Some("websocket"));
        assert_eq!(
            message.connection_types.unwrap(),
            ["websocket".into(), "long-polling".into()]
        );
        assert_eq!(message.timestamp, Some(payload("\"now\"")));
        // FI-6, DE-13
        assert_eq!(
            message.others,
            [
                ("own".into(), payload("null")),
                ("other".into(), payload("2"))
            ]
        );
    }

    // Proves: FI-1
    #[test]
    fn a_channel_is_a_string() {
        // FI-1
        assert_eq!(
            one(r#"{"channel":"\/meta\/connect"}"#).channel.as_deref(),
            Some("/meta/connect")
        );
        assert_eq!(one(r#"{"channel":""}"#).channel.as_deref(), Some(""));
        for text in [
            "{}",
            r#"{"channel":null}"#,
            r#"{"channel":1}"#,
            r#"{"channel":["/a"]}"#,
        ] {
            assert_eq!(one(text).channel, None, "{text}");
        }
    }

    // Proves: FI-2
    #[test]
    fn an_id_is_echoed_as_it_came() {
        // FI-2, DE-13
        let given = |json: &str| Id::Given(MessageId::from_json(json));
        let table = [
            (r#"{"id":"12"}"#, given("\"12\"")),
            (r#"{"id":12}"#, given("12")),
            (r#"{"id":-1.50}"#, given("-1.50")),
            (r#"{"id":"a-b\u0020\"c"}"#, given(r#""a-b\u0020\"c""#)),
            (r#"{"id":""}"#, given("\"\"")),
            ("{}", Id::Absent),
            (r#"{"id":null}"#, Id::Absent),
            (r#"{"id":true}"#, Id::Invalid),
            (r#"{"id":{}}"#, Id::Invalid),
            (r#"{"id":["1"]}"#, Id::Invalid),
        ];

        for (text, expected) in table {
            assert_eq!(one(text).id, expected, "{text}");
        }
    }

    // Proves: FI-3
    #[test]
    fn a_session_that_is_no_string_is_unknown_rather_than_absent() {
        // FI-3
        let table = [
            ("{}", None),
            (r#"{"clientId":null}"#, None),
            (r#"{"clientId":"c"}"#, Some("c")),
            (r#"{"clientId":7}"#, Some("")),
            (r#"{"clientId":["c"]}"#, Some("")),
        ];

        for (text, expected) in table {
            assert_eq!(one(text).session.as_deref(), expected, "{text}");
        }
    }

    // Proves: FI-4
    #[test]
    fn falsy_data_is_data() {
        // FI-4
        assert_eq!(one("{}").data, None);
        for value in ["null", "0", "false", "\"\"", "[]", "{}"] {
            assert_eq!(
                one(&format!(r#"{{"data": {value} }}"#)).data,
                Some(payload(value)),
                "{value}"
            );
        }
    }

    // Proves: FI-7, HS-6
    #[test]
    fn members_of_the_wrong_type_count_as_absent() {
        // FI-7
        for value in ["null", "1", "\"x\"", "[{}]", "true"] {
            let message = one(&format!(
                r#"{{"ext":{value},"advice":{value},"channel":"/a"}}"#
            ));
            assert_eq!((message.ext, message.advice), (None, None), "{value}");
        }
        // HS-6, DE-14
        for value in ["null", "1", "\"x\"", "[]", "{}", "[1]"] {
            let message = one(&format!(r#"{{"supportedConnectionTypes":{value}}}"#));
            assert_eq!(message.connection_types, None, "{value}");
        }
        assert_eq!(one(r#"{"connectionType":1}"#).connection_type, None);
    }

    // Proves: AD-7
    #[test]
    fn advice_is_a_number_that_is_not_negative() {
        // AD-7
        let table = [
            ("0", Some(0)),
            ("60000", Some(60_000)),
            ("1.9", Some(1)),
            ("1e3", Some(1000)),
            ("1e300", Some(u64::MAX)),
            ("18446744073709551616", Some(u64::MAX)),
            ("-1", None),
            ("-0.5", None),
            ("\"5\"", None),
            ("null", None),
            ("{}", None),
        ];

        for (value, expected) in table {
            let advice = one(&format!(r#"{{"advice":{{"timeout":{value}}}}}"#)).advice;
            assert_eq!(
                advice,
                Some(ClientAdvice {
                    timeout: expected,
                    interval: None
                }),
                "{value}"
            );
        }
    }

    // Proves: SU-1
    #[test]
    fn a_subscription_is_one_name_or_a_list() {
        // SU-1
        let table: [(&str, Option<&[&str]>); 8] = [
            ("\"/a\"", Some(&["/a"])),
            ("\"\"", Some(&[""])),
            (r#"["/a" , "\/b"]"#, Some(&["/a", "/b"])),
            ("[]", Some(&[])),
            ("1", None),
            ("{}", None),
            ("[\"/a\",1]", None),
            ("[[\"/a\"]]", None),
        ];

        for (value, expected) in table {
            let subscription = one(&format!(r#"{{"subscription":{value}}}"#))
                .subscription
                .unwrap();
            assert_eq!(subscription.raw, payload(value), "{value}");
            let names = subscription.names.as_deref();
            let names = names.map(|names| names.iter().map(|name| &**name).collect::<Vec<_>>());
            assert_eq!(names.as_deref(), expected, "{value}");
        }
        assert_eq!(one("{}").subscription, None);
        assert_eq!(one(r#"{"subscription":null}"#).subscription, None);
    }

    // Proves: FR-7
    #[test]
    fn the_last_of_several_members_counts() {
        // FR-7
        let message = one(
            r#"{"channel":"/a","x":1,"data":1,"y":1,"x":2,"\u0064ata":2,"channel":"/b","y":2,"ext":{},"ext":1}"#,
        );

        assert_eq!(message.channel.as_deref(), Some("/b"));
        assert_eq!(message.data, Some(payload("2")));
        assert_eq!(message.ext, None);
        assert_eq!(
            message.others,
            [("x".into(), payload("2")), ("y".into(), payload("2"))]
        );
    }

    #[test]
    fn the_first_message_says_whose_frame_it_is() {
        // HT-9, HS-1
        let handshake =
            decode(r#"[{"channel":"/meta/handshake","clientId":"c"},{"clientId":"d"}]"#).unwrap();
        assert!(handshake.is_handshake());
        assert_eq!(handshake.session(), None);

        let publish =
            decode(r#"[{"channel":"/a","clientId":"c"},{"channel":"/meta/handshake"}]"#).unwrap();
        assert!(!publish.is_handshake());
        assert_eq!(publish.session(), Some("c"));
        assert!(
            !decode(r#"[{"channel":"/meta/handshake/"}]"#)
                .unwrap()
                .is_handshake(),
            "DE-12"
        );
    }

    #[test]
    fn values_of_one_request_are_joined() {
        // DE-20
        let mut messages = decode(r#"[{"channel":"/a"}]"#).unwrap();
        messages.append(decode(r#"{"channel":"/b"}"#).unwrap());

        let channels = messages.iter().map(|message| message.channel.as_deref());
        assert_eq!(channels.collect::<Vec<_>>(), [Some("/a"), Some("/b")]);
    }

    #[test]
    fn a_small_payload_does_not_keep_a_large_body() {
        let body = Bytes::from(format!(
            r#"[{{"data":"small"}},{{"data":"{}"}}]"#,
            "x".repeat(2000)
        ));
        let within = |payload: &Payload| body.as_ptr_range().contains(&payload.as_bytes().as_ptr());

        let messages = Messages::decode(body.clone(), &DecodeLimits::default()).unwrap();

        let kept: Vec<_> = messages
            .iter()
            .map(|message| within(message.data.as_ref().unwrap()))
            .collect();
        assert_eq!(kept, [false, true]);
    }

    #[test]
    fn secrets_are_not_printed() {
        let text = format!(
            "{:?}",
            one(r#"{"clientId":"abcdefgh","ext":{"token":"sesame"}}"#)
        );

        assert!(
            text.contains("abcd…") && !text.contains("abcde") && !text.contains("sesame"),
            "{text}"
        );
    }

    #[test]
    fn many_members_take_no_quadratic_time() {
        let members = (0..50_000)
            .map(|n| format!("\"m{}\":{n}", n % 40_000))
            .collect::<Vec<_>>()
            .join(",");

        let message = one(&format!("{{{members}}}"));

        assert_eq!(message.others.len(), 40_000);
        assert_eq!(
            message.others.last().unwrap(),
            &("m9999".into(), payload("49999"))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(body.clone());
            let _ = Payload::parse(body);
        }

        #[test]
        fn no_damage_makes_it_panic(value in json(4), cut in 0..1000_usize, byte in any::<u8>()) {
            let mut body = format!(r#"[{{"channel":"/a","data":{value},"ext":{value}}}]"#).into_bytes();
            let position = cut % body.len();
            let _ = decode(body[..position].to_vec());
            body[position] = byte;
            if let Ok(messages) = decode(body) {
                for ext in messages.iter().filter_map(|message| message.ext.as_ref()) {
                    let _ = ext.is_empty();
                }
            }
        }

        #[test]
        fn what_is_json_is_agreed_with_the_parser(text in json_like()) {
            let expected = serde_json::from_str::<Value>(&text).is_ok();
            prop_assert_eq!(Payload::parse(text.clone()).is_ok(), expected, "{}", text);
        }

        // Proves: FR-5
        #[test]
        fn any_json_is_passed_on_as_it_came(value in json(6)) {
            let text = value.to_string();
            let message = one(&format!(r#"{{"data":{text},"own":{text}}}"#));
            prop_assert_eq!(message.data.as_ref().map(Payload::as_str), Some(&*text));
            prop_assert_eq!(message.others[0].1.as_str(), &*text);
        }
    }

    fn decode(body: impl Into<Vec<u8>>) -> Result<Messages, DecodeError> {
        Messages::decode(body.into(), &DecodeLimits::default())
    }

    fn one(text: &str) -> Message {
        decode(text).unwrap().into_iter().next().unwrap()
    }

    fn payload(json: &str) -> Payload {
        Payload::parse(json.as_bytes().to_vec()).unwrap()
    }

    /// Text out of which JSON is made, in and out of order.
    fn json_like() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            " ",
            "\n",
            "\"",
            "\\",
            "null",
            "true",
            "1",
            "0",
            "-",
            ".5",
            "e5",
            "E+400",
            "1e-400",
            "\"a\"",
            "\"a\":",
            "\"\\ud83d\\ude00\"",
            "\\ud800",
            "\\udc00",
            "\\n",
            "\\x",
            "\\u00",
            "ä",
            "\u{7f}",
            "\u{1}",
            "\u{2028}",
        ]);
        let soup = prop::collection::vec(piece.clone(), 0..8).prop_map(|pieces| pieces.concat());
        let damaged =
            (json(3), any::<prop::sample::Index>(), piece).prop_map(|(value, index, piece)| {
                let mut text = value.to_string();
                let mut at = index.index(text.len() + 1);
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                text.insert_str(at, piece);
                text
            });
        prop_oneof![soup, damaged]
    }

    fn json(depth: u32) -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(depth, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| members.into_iter().collect::<Value>()),
            ]
        })
    }
}
