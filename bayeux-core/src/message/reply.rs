//! What the server answers to one message.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use super::encode::Object;
use super::{Extensions, Id, Message, MessageId, Payload, ProtocolError, Shortened};

/// What a client is to do after this reply (AD-1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reconnect {
    /// Connect again.
    Retry,
    /// Begin with a new handshake.
    Handshake,
    /// Stop for good.
    None,
}

impl Reconnect {
    fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Handshake => "handshake",
            Self::None => "none",
        }
    }
}

/// `advice` of a reply, in milliseconds (AD-1).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Advice {
    /// `reconnect`
    pub reconnect: Option<Reconnect>,
    /// `interval`: how long to wait before the next connect.
    pub interval: Option<u64>,
    /// `timeout`: how long the server may hold it.
    pub timeout: Option<u64>,
    /// `maxInterval`: how long a session lives without one (HS-15).
    pub max_interval: Option<u64>,
    /// `multiple-clients`: the browser has more sessions than may be held (BR-8).
    pub multiple_clients: Option<bool>,
}

impl Advice {
    /// Appends the JSON object to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        if let Some(multiple) = self.multiple_clients {
            object.boolean("multiple-clients", multiple);
        }
        if let Some(reconnect) = self.reconnect {
            object.string("reconnect", reconnect.as_str());
        }
        let numbers = [
            ("interval", self.interval),
            ("timeout", self.timeout),
            ("maxInterval", self.max_interval),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                object.number(name, number);
            }
        }
        object.end();
    }
}

/// The answer to one message. It never has data, by which clients tell it from an event (FI-4).
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// `channel`, as sent (DE-12).
    pub channel: Option<Box<str>>,
    /// `id`, as sent.
    pub id: Option<MessageId>,
    /// `successful`, and `error` if it is not (ER-5).
    pub outcome: Result<(), ProtocolError>,
    /// `clientId`: in the reply to a handshake, elsewhere by the option `echoClientId` (FI-3).
    pub session: Option<Box<str>>,
    /// `subscription`, as sent (SU-2).
    pub subscription: Option<Payload>,
    /// What only the reply to a handshake has.
    pub handshake: Option<Box<HandshakeFields>>,
    /// `ext`
    pub ext: Option<Extensions>,
    /// `advice`
    pub advice: Option<Advice>,
    /// `timestamp` (EX-2)
    pub timestamp: Option<Box<str>>,
}

/// What only the reply to a handshake has; version 1.0 goes without saying (HS-4).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HandshakeFields {
    /// `supportedConnectionTypes`, in the server's order of preference (HS-5).
    pub supported: Vec<&'static str>,
    /// `x-messages`: how many events follow in the same response; absent if 0 (HS-14).
    pub messages: u32,
}

impl Reply {
    /// That `message` succeeded.
    pub fn to(message: &Message) -> Self {
        let id = match &message.id {
            Id::Given(id) => Some(id.clone()),
            Id::Absent | Id::Invalid => None,
        };
        Self {
            channel: message.channel.clone(),
            id,
            outcome: Ok(()),
            session: None,
            subscription: message
                .subscription
                .as_ref()
                .map(|subscription| subscription.raw.clone()),
            handshake: None,
            ext: None,
            advice: None,
            timestamp: None,
        }
    }

    /// That a connect without id succeeded.
    pub(crate) fn connected() -> Self {
        Self::to(&Message {
            channel: Some("/meta/connect".into()),
            ..Message::default()
        })
    }

    /// Appends the JSON object to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        self.encode_outcome(&mut object);
        if let Some(handshake) = &self.handshake {
            handshake.encode(&mut object);
        }
        if let Some(subscription) = &self.subscription {
            object.raw("subscription", subscription.as_bytes());
        }
        if let Err(error) = &self.outcome {
            object.string("error", &error.to_string());
        }
        if let Some(advice) = &self.advice {
            advice.encode(object.name("advice"));
        }
        if let Some(ext) = &self.ext {
            object.raw("ext", ext.as_payload().as_bytes());
        }
        if let Some(timestamp) = &self.timestamp {
            object.string("timestamp", timestamp);
        }
        object.end();
    }

    fn encode_outcome(&self, object: &mut Object<'_>) {
        if let Some(id) = &self.id {
            object.raw("id", id.as_json().as_bytes());
        }
        if let Some(channel) = &self.channel {
            object.string("channel", channel);
        }
        object.boolean("successful", self.outcome.is_ok());
        if let Some(session) = &self.session {
            object.string("clientId", session);
        }
    }
}

impl fmt::Debug for Reply {
    /// With 4 characters of the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("channel", &self.channel)
            .field("id", &self.id)
            .field("outcome", &self.outcome)
            .field("session", &self.session.as_deref().map(Shortened))
            .field("subscription", &self.subscription)
            .field("handshake", &self.handshake)
            .field("ext", &self.ext)
            .field("advice", &self.advice)
            .field("timestamp", &self.timestamp)
            .finish()
    }
}

impl HandshakeFields {
    fn encode(&self, object: &mut Object<'_>) {
        object.string("version", "1.0");
        object.string("minimumVersion", "1.0");
        object.strings("supportedConnectionTypes", &self.supported);
        if self.messages > 0 {
            object.number("x-messages", u64::from(self.messages));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use serde_json::Value;

    use super::*;
    use crate::message::{DecodeLimits, Messages};

    #[test]
    fn replies_look_like_the_examples_of_the_specification() {
        let complete = Advice {
            reconnect: Some(Reconnect::Retry),
            interval: Some(0),
            timeout: Some(30_000),
            ..Advice::default()
        };
        let mut handshake = to(r#"{"id":"1","channel":"/meta/handshake","clientId":"old"}"#);
        handshake.session = Some("1a7k".into());
        let supported = ["websocket", "long-polling"].to_vec();
        handshake.handshake = Some(Box::new(HandshakeFields {
            supported,
            messages: 2,
        }));
        handshake.advice = Some(complete.clone());
        let mut denied = to(r#"{"id":"1","channel":"/meta/handshake"}"#);
        denied.outcome = Err(ProtocolError::handshake_denied());
        denied.advice = Some(Advice {
            reconnect: Some(Reconnect::None),
            ..Advice::default()
        });
        denied.ext = Some(Extensions::new().with("authentication", Payload::null()));
        let mut refused = to(
            r#"{"id":"8","channel":"/meta/subscribe","clientId":"C","subscription":["/a","/b"]}"#,
        );
        refused.outcome = Err(ProtocolError::subscribe_denied("denied_by_not_granting"));
        let mut expired = to(r#"{"id":13,"channel":"/meta/connect","clientId":"gone"}"#);
        expired.outcome = Err(ProtocolError::session_unknown());
        expired.advice = Some(Advice {
            reconnect: Some(Reconnect::Handshake),
            interval: Some(0),
            ..complete.clone()
        });
        let mut nameless = to(r#"{"id":"9","clientId":"C1","data":1}"#);
        nameless.outcome = Err(ProtocolError::channel_missing());
        let mut second_tab = to(r#"{"id":"3","channel":"/meta/connect"}"#);
        second_tab.advice = Some(Advice {
            multiple_clients: Some(true),
            max_interval: Some(7),
            ..complete
        });
        second_tab.timestamp = Some("2024-01-01".into());

        let table = [
            // E1, HS-14
            (
                handshake,
                r#"{"id":"1","channel":"/meta/handshake","successful":true,"clientId":"1a7k","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["websocket","long-polling"],"x-messages":2,"advice":{"reconnect":"retry","interval":0,"timeout":30000}}"#,
            ),
            // E2
            (
                denied,
                r#"{"id":"1","channel":"/meta/handshake","successful":false,"error":"403::handshake_denied","advice":{"reconnect":"none"},"ext":{"authentication":null}}"#,
            ),
            // E5, FI-3, FI-4
            (
                to(r#"{"id":"4","channel":"/room/7","clientId":"C1","data":"hello","ext":{}}"#),
                r#"{"id":"4","channel":"/room/7","successful":true}"#,
            ),
            // E6, SU-2
            (
                refused,
                r#"{"id":"8","channel":"/meta/subscribe","successful":false,"subscription":["/a","/b"],"error":"403:denied_by_not_granting:subscribe_denied"}"#,
            ),
            // E7, FI-1
            (
                nameless,
                r#"{"id":"9","successful":false,"error":"400::channel_missing"}"#,
            ),
            // E8, FI-2
            (
                expired,
                r#"{"id":13,"channel":"/meta/connect","successful":false,"error":"402::session_unknown","advice":{"reconnect":"handshake","interval":0,"timeout":30000}}"#,
            ),
            // E11, EX-2
            (
                second_tab,
                r#"{"id":"3","channel":"/meta/connect","successful":true,"advice":{"multiple-clients":true,"reconnect":"retry","interval":0,"timeout":30000,"maxInterval":7},"timestamp":"2024-01-01"}"#,
            ),
            // DE-12, DE-13
            (
                to(r#"{"id":true,"channel":" \/a/"}"#),
                r#"{"channel":" /a/","successful":true}"#,
            ),
            (to("{}"), r#"{"successful":true}"#),
        ];

        for (reply, expected) in table {
            assert_eq!(encoded(&reply), expected);
            assert!(
                serde_json::from_str::<Value>(expected).is_ok(),
                "{expected}"
            );
        }
    }

    #[test]
    fn what_a_peer_sent_cannot_break_a_reply() {
        let mut reply = to(r#"{"channel":"\"},{\u0000\\"}"#);
        reply.outcome = Err(ProtocolError::publish_denied("a \"reason\""));

        let parsed: Value = serde_json::from_str(&encoded(&reply)).unwrap();

        assert_eq!(parsed["channel"], "\"},{\u{0}\\");
        assert_eq!(parsed["error"], "403:a \"reason\":publish_denied");
    }

    #[test]
    fn secrets_are_not_printed() {
        let mut reply = to("{}");
        reply.session = Some("abcdefgh".into());

        let text = format!("{reply:?}");

        assert!(text.contains("abcd…") && !text.contains("abcde"), "{text}");
    }

    #[test]
    fn replies_are_appended() {
        let mut out = b"[".to_vec();
        to("{}").encode(&mut out);

        assert_eq!(out, br#"[{"successful":true}"#);
    }

    fn to(message: &'static str) -> Reply {
        Reply::to(
            Messages::decode(message, &DecodeLimits::default())
                .unwrap()
                .first()
                .unwrap(),
        )
    }

    fn encoded(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.encode(&mut out);
        String::from_utf8(out).unwrap()
    }
}
