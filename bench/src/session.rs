//! One client's side of a Bayeux session, without IO: a reply goes in, the next message comes out.

use clap::ValueEnum;
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

/// A client that handshakes, connects, subscribes, and then keeps a connect outstanding.
pub(crate) struct Session {
    transport: Transport,
    subscriptions: Vec<String>,
    after: After,
    client_id: String,
    stage: Stage,
}

/// What a session does once it is set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It keeps a connect outstanding.
    Hold,
    /// Nothing.
    Rest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Handshaking,
    Connecting,
    Subscribing,
    Ready,
}

impl Session {
    pub(crate) fn new(transport: Transport, subscriptions: Vec<String>, after: After) -> Self {
        Self {
            transport,
            subscriptions,
            after,
            client_id: String::new(),
            stage: Stage::Handshaking,
        }
    }

    /// Its first message.
    pub(crate) fn opened(&self) -> String {
        json!([{
            "channel": "/meta/handshake",
            "version": "1.0",
            "supportedConnectionTypes": [self.transport.name()],
        }])
        .to_string()
    }

    /// Takes in replies, and says what to send next.
    pub(crate) fn received(&mut self, messages: &[u8]) -> Result<Option<String>, Failure> {
        let messages: Vec<Value> = serde_json::from_slice(messages)?;
        let mut next = None;
        for message in &messages {
            let channel = text(message, "channel");
            if is_refused(channel, message) {
                return Err(format!("refused: {message}").into());
            }
            next = self.advance(channel, message).or(next);
        }
        Ok(next)
    }

    fn advance(&mut self, channel: &str, message: &Value) -> Option<String> {
        match (channel, self.stage) {
            ("/meta/handshake", Stage::Handshaking) => {
                text(message, "clientId").clone_into(&mut self.client_id);
                self.stage = Stage::Connecting;
                // The first connect is to be answered at once, as CometD's clients ask for.
                Some(self.meta("connect", &json!({"advice": {"timeout": 0}})))
            }
            ("/meta/connect", Stage::Connecting) if self.subscriptions.is_empty() => self.settle(),
            ("/meta/connect", Stage::Connecting) => {
                self.stage = Stage::Subscribing;
                let subscription = json!({"subscription": self.subscriptions});
                Some(self.meta("subscribe", &subscription))
            }
            ("/meta/subscribe", Stage::Subscribing) => self.settle(),
            ("/meta/connect", Stage::Ready) => self.hold(),
            _ => None,
        }
    }

    fn settle(&mut self) -> Option<String> {
        self.stage = Stage::Ready;
        self.subscriptions = Vec::new();
        self.hold()
    }

    fn hold(&self) -> Option<String> {
        (self.after == After::Hold).then(|| self.meta("connect", &json!({})))
    }

    fn meta(&self, name: &str, more: &Value) -> String {
        let mut message = json!({
            "channel": format!("/meta/{name}"),
            "clientId": self.client_id,
            "connectionType": self.transport.name(),
        });
        if let (Some(message), Some(more)) = (message.as_object_mut(), more.as_object()) {
            message.extend(more.clone());
        }
        Value::Array(vec![message]).to_string()
    }

    /// A server may let go of a connection that rests, and of no other.
    pub(crate) fn closed(&self) -> Result<(), Failure> {
        if self.is_ready() && self.after == After::Rest {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(channel: &str) -> Vec<u8> {
        let reply = json!([{"channel": channel, "clientId": "c", "successful": true}]);
        reply.to_string().into_bytes()
    }

    #[test]
    fn a_session_handshakes_connects_subscribes_and_holds() {
        let mut session = Session::new(Transport::WebSocket, vec!["/a".into()], After::Hold);

        let next = |session: &mut Session, channel| session.received(&reply(channel)).unwrap();

        assert!(
            next(&mut session, "/meta/handshake")
                .unwrap()
                .contains("timeout")
        );
        assert!(
            next(&mut session, "/meta/connect")
                .unwrap()
                .contains("\"/a\"")
        );
        assert!(!session.is_ready());
        assert!(
            next(&mut session, "/meta/subscribe")
                .unwrap()
                .contains("/meta/connect")
        );
        assert!(session.is_ready());
        assert!(
            session
                .received(br#"[{"channel":"/meta/connect"}]"#)
                .is_err()
        );
    }
}
