//! One client's side of a Bayeux session, without IO: a reply goes in, the next message comes out.

use clap::ValueEnum;
use memchr::memmem;
use serde_json::{Value, json};

use crate::Failure;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    #[value(name = "websocket")]
    WebSocket,
    LongPolling,
}

impl Transport {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::LongPolling => "long-polling",
        }
    }
}

/// What kind of client it is.
#[derive(Clone, Copy)]
pub(crate) struct Profile {
    pub(crate) transport: Transport,
    pub(crate) handshake: Handshake,
    pub(crate) delivery: Delivery,
    pub(crate) after: After,
}

impl Profile {
    /// A client that holds a connect, and asks for nothing more.
    pub(crate) fn plain(transport: Transport) -> Self {
        Self {
            transport,
            handshake: Handshake::Alike,
            delivery: Delivery::Plain,
            after: After::Hold,
        }
    }

    /// What its first connection speaks.
    pub(crate) fn first_transport(self) -> Transport {
        match self.handshake {
            Handshake::Alike => self.transport,
            Handshake::OverHttp => Transport::LongPolling,
        }
    }
}

/// What the handshake goes over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// What everything else goes over.
    Alike,
    /// A request; then it leaves for a websocket, as Faye's clients do.
    OverHttp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Plain,
    /// With the extension for acknowledgement.
    Acknowledged,
}

/// What a session does once it is set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It keeps a connect outstanding.
    Hold,
    /// Nothing.
    Rest,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    Send(String),
    /// Go on over a websocket.
    Upgrade,
}

/// A client that handshakes, connects, subscribes, and then keeps a connect outstanding.
pub(crate) struct Session {
    profile: Profile,
    subscriptions: Box<[String]>,
    client_id: Box<str>,
    /// The batch that was last received.
    acknowledged: i64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Handshaking,
    /// It asks whether its session is still there.
    Resuming,
    Connecting,
    Subscribing,
    Ready,
}

impl Session {
    pub(crate) fn new(profile: Profile, subscriptions: Vec<String>) -> Self {
        Self {
            profile,
            subscriptions: subscriptions.into(),
            client_id: Box::default(),
            acknowledged: -1,
            stage: Stage::Handshaking,
        }
    }

    /// Its first message over a connection.
    pub(crate) fn opened(&self) -> String {
        match self.stage {
            Stage::Handshaking => self.handshake(),
            Stage::Resuming | Stage::Connecting | Stage::Subscribing | Stage::Ready => {
                self.brief_connect()
            }
        }
    }

    /// Its connection is lost, and the next is being opened.
    pub(crate) fn lost(&mut self) {
        self.stage = Stage::Resuming;
    }

    /// Takes in replies, and says what to send next.
    pub(crate) fn received(&mut self, messages: &[u8]) -> Result<Next, Failure> {
        if self.stage == Stage::Ready && memmem::find(messages, br#""successful":false"#).is_none()
        {
            return Ok(self.received_ready(messages));
        }
        let messages: Vec<Value> = serde_json::from_slice(messages)?;
        let mut next = Next::Nothing;
        for message in &messages {
            let channel = text(message, "channel");
            let answer = match is_refused(channel, message) {
                true => self.refused(message)?,
                false => self.advance(channel, message),
            };
            if answer != Next::Nothing {
                next = answer;
            }
        }
        Ok(next)
    }

    /// Takes in the answer to a publish that went over a connection of its own.
    pub(crate) fn published(&self, messages: &[u8]) -> Result<(), Failure> {
        if memmem::find(messages, br#""successful":false"#).is_none() {
            return Ok(());
        }
        Err(format!("refused: {}", String::from_utf8_lossy(messages)).into())
    }

    /// The way of nearly everything, so without a parser.
    fn received_ready(&mut self, messages: &[u8]) -> Next {
        if memmem::find(messages, br#""/meta/connect""#).is_none() {
            return Next::Nothing;
        }
        if self.profile.delivery == Delivery::Acknowledged
            && let Some(number) = last_number(messages, br#""ack":"#)
        {
            self.acknowledged = number;
        }
        self.hold()
    }

    fn refused(&mut self, message: &Value) -> Result<Next, Failure> {
        let advice = message.pointer("/advice/reconnect").and_then(Value::as_str);
        if self.stage == Stage::Resuming && advice == Some("handshake") {
            self.stage = Stage::Handshaking;
            return Ok(Next::Send(self.handshake()));
        }
        Err(format!("refused: {message}").into())
    }

    fn advance(&mut self, channel: &str, message: &Value) -> Next {
        if let Some(number) = message.pointer("/ext/ack").and_then(Value::as_i64) {
            self.acknowledged = number;
        }
        match (channel, self.stage) {
            ("/meta/handshake", Stage::Handshaking) => {
                self.client_id = text(message, "clientId").into();
                self.acknowledged = -1;
                self.stage = Stage::Connecting;
                match self.profile.handshake {
                    Handshake::Alike => Next::Send(self.brief_connect()),
                    Handshake::OverHttp => Next::Upgrade,
                }
            }
            ("/meta/connect", Stage::Connecting) if !self.subscriptions.is_empty() => {
                self.stage = Stage::Subscribing;
                Next::Send(self.subscribe())
            }
            ("/meta/connect", Stage::Connecting | Stage::Resuming)
            | ("/meta/subscribe", Stage::Subscribing) => {
                self.stage = Stage::Ready;
                self.hold()
            }
            _ => Next::Nothing,
        }
    }

    fn hold(&self) -> Next {
        match self.profile.after {
            After::Hold => Next::Send(self.connect("")),
            After::Rest => Next::Nothing,
        }
    }

    fn handshake(&self) -> String {
        let extension = match self.profile.delivery {
            Delivery::Plain => "",
            Delivery::Acknowledged => r#","ext":{"ack":true}"#,
        };
        let transport = self.profile.transport.name();
        format!(
            r#"[{{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["{transport}"]{extension}}}]"#
        )
    }

    /// A connect that is to be answered at once, as CometD's clients ask for with their first.
    pub(crate) fn brief_connect(&self) -> String {
        self.connect(r#","advice":{"timeout":0}"#)
    }

    fn connect(&self, more: &str) -> String {
        let (client, transport) = (&self.client_id, self.profile.transport.name());
        let extension = match self.profile.delivery {
            Delivery::Plain => String::new(),
            Delivery::Acknowledged => format!(r#","ext":{{"ack":{}}}"#, self.acknowledged),
        };
        format!(
            r#"[{{"channel":"/meta/connect","clientId":"{client}","connectionType":"{transport}"{more}{extension}}}]"#
        )
    }

    fn subscribe(&self) -> String {
        json!([{
            "channel": "/meta/subscribe",
            "clientId": self.client_id,
            "subscription": self.subscriptions,
        }])
        .to_string()
    }

    /// A server may let go of a connection that rests, and of no other.
    pub(crate) fn closed(&self) -> Result<(), Failure> {
        if self.is_ready() && self.profile.after == After::Rest {
            return Ok(());
        }
        Err("the server closed a connection".into())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }
}

fn text<'a>(message: &'a Value, member: &str) -> &'a str {
    message.get(member).and_then(Value::as_str).unwrap_or("")
}

/// Events say nothing of success.
fn is_refused(channel: &str, message: &Value) -> bool {
    match message.get("successful") {
        Some(successful) => successful != &Value::Bool(true),
        None => channel.starts_with("/meta/"),
    }
}

/// The number behind the last of these names.
fn last_number(bytes: &[u8], name: &[u8]) -> Option<i64> {
    let at = memmem::rfind(bytes, name)? + name.len();
    let digits = bytes.get(at..)?.iter();
    let count = digits.take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(bytes.get(at..at + count)?)
        .ok()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(channel: &str) -> Vec<u8> {
        let reply = json!([{"channel": channel, "clientId": "c", "successful": true}]);
        reply.to_string().into_bytes()
    }

    fn sent(next: Next) -> String {
        let Next::Send(messages) = next else {
            panic!("{next:?}");
        };
        messages
    }

    fn ready(profile: Profile) -> Session {
        let mut session = Session::new(profile, vec!["/a".into()]);
        for channel in ["/meta/handshake", "/meta/connect", "/meta/subscribe"] {
            session.received(&reply(channel)).unwrap();
        }
        assert!(session.is_ready());
        session
    }

    #[test]
    fn a_session_handshakes_connects_subscribes_and_holds() {
        let mut session = Session::new(Profile::plain(Transport::WebSocket), vec!["/a".into()]);
        let next =
            |session: &mut Session, channel| sent(session.received(&reply(channel)).unwrap());

        assert!(next(&mut session, "/meta/handshake").contains("timeout"));
        assert!(next(&mut session, "/meta/connect").contains("\"/a\""));
        assert!(!session.is_ready());
        assert!(next(&mut session, "/meta/subscribe").contains("/meta/connect"));
        assert!(session.is_ready());
        let events = br#"[{"channel":"/a","data":1}]"#;
        assert_eq!(session.received(events).unwrap(), Next::Nothing);
        assert!(next(&mut session, "/meta/connect").contains("/meta/connect"));
        let refused = br#"[{"channel":"/meta/connect","successful":false}]"#;
        assert!(session.received(refused).is_err());
    }

    #[test]
    fn a_handshake_over_http_leads_to_a_websocket() {
        let mut session = Session::new(
            Profile {
                handshake: Handshake::OverHttp,
                ..Profile::plain(Transport::WebSocket)
            },
            Vec::new(),
        );

        let next = session.received(&reply("/meta/handshake")).unwrap();

        assert_eq!(next, Next::Upgrade);
        assert!(session.opened().contains("/meta/connect"));
    }

    #[test]
    fn each_connect_acknowledges_what_came_with_the_last() {
        let mut session = ready(Profile {
            delivery: Delivery::Acknowledged,
            ..Profile::plain(Transport::LongPolling)
        });
        assert!(session.handshake().contains(r#""ext":{"ack":true}"#));

        let batch = br#"[{"channel":"/a","data":{"seq":3}},{"channel":"/meta/connect","successful":true,"ext":{"ack":17}}]"#;
        let next = sent(session.received(batch).unwrap());

        assert!(next.contains(r#""ext":{"ack":17}"#), "{next}");
    }

    #[test]
    fn a_session_that_a_new_server_does_not_know_begins_again() {
        let mut session = ready(Profile::plain(Transport::WebSocket));
        session.lost();
        assert!(session.opened().contains(r#""clientId":"c""#));

        let unknown = br#"[{"channel":"/meta/connect","successful":false,"advice":{"reconnect":"handshake"}}]"#;
        let next = sent(session.received(unknown).unwrap());

        assert!(next.contains("/meta/handshake"));
        session.received(&reply("/meta/handshake")).unwrap();
        session.received(&reply("/meta/connect")).unwrap();
        session.received(&reply("/meta/subscribe")).unwrap();
        assert!(session.is_ready());
    }
}
