//! A client without a will of its own, over whatever it talks.

use super::*;

/// What a client talks over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Over {
    Polling,
    Callbacks,
    WebSocket,
}

/// All of them.
pub(super) const OVER: [Over; 3] = [Over::Polling, Over::Callbacks, Over::WebSocket];

/// A client without a will of its own.
pub(super) struct Wire {
    pub(super) end: End,
    headers: Vec<(String, String)>,
    pub(super) session: String,
}

pub(super) enum End {
    Polling(HttpConnection),
    Callbacks(HttpConnection),
    WebSocket(WebSocket),
}

impl Wire {
    pub(super) fn open(server: &Server, over: Over, headers: &[(&str, &str)]) -> Self {
        let end = match over {
            Over::Polling => End::Polling(HttpConnection::open(server.address())),
            Over::Callbacks => End::Callbacks(HttpConnection::open(server.address())),
            Over::WebSocket => {
                End::WebSocket(WebSocket::open(server.address(), Server::PATH, headers))
            }
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            end,
            headers: headers.iter().map(owned).collect(),
            session: String::new(),
        }
    }

    /// Somebody of whom a token says these claims, if he has one.
    pub(super) fn handshaken(server: &Server, over: Over, claims: Option<&str>) -> Self {
        let mut wire = Self::open(server, over, &[]);
        let ext = match claims {
            Some(claims) => json!({"authentication": {"token": token(claims, FUTURE)}}),
            None => Value::Null,
        };
        let reply = wire.greet(&ext);
        assert_eq!(reply["successful"], true, "{reply}");
        wire
    }

    /// Handshakes, and gives the reply.
    pub(super) fn greet(&mut self, ext: &Value) -> Value {
        let mut handshake = json!({
            "channel": "/meta/handshake", "id": "h", "version": "1.0",
            "supportedConnectionTypes": ["websocket", "long-polling", "callback-polling"],
        });
        if !ext.is_null() {
            handshake["ext"] = ext.clone();
        }
        let reply = self.ask(&json!([handshake])).remove(0);
        self.session = reply["clientId"].as_str().unwrap_or_default().to_owned();
        reply
    }

    /// Subscribes or publishes, and gives the reply.
    pub(super) fn does(&mut self, operation: &str, channel: &str) -> Value {
        let message = match operation {
            "subscribe" => json!({
                "channel": "/meta/subscribe", "id": "1", "clientId": self.session,
                "subscription": channel,
            }),
            _ => json!({"channel": channel, "id": "1", "clientId": self.session, "data": 1}),
        };
        let replies = self.ask(&json!([message]));
        let reply = replies.into_iter().find(|message| message["id"] == "1");
        reply.expect("a reply")
    }

    pub(super) fn connect(&self) -> Value {
        let kind = match self.end {
            End::Polling(_) => "long-polling",
            End::Callbacks(_) => "callback-polling",
            End::WebSocket(_) => "websocket",
        };
        json!({
            "channel": "/meta/connect", "id": "c", "clientId": self.session, "connectionType": kind,
        })
    }

    pub(super) fn connect_now(&self) -> Value {
        let mut connect = self.connect();
        connect["advice"] = json!({"timeout": 0});
        connect
    }

    /// The events that wait, or that have come by the time a connect is answered.
    pub(super) fn events(&mut self) -> Vec<Value> {
        let connect = self.connect_now();
        let messages = self.ask(&json!([connect]));
        let is_event = |message: &Value| message.get("successful").is_none();
        messages.into_iter().filter(is_event).collect()
    }

    /// Sends messages, and gives what comes until all are answered.
    pub(super) fn ask(&mut self, messages: &Value) -> Vec<Value> {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        match &mut self.end {
            End::Polling(connection) => connection
                .request("POST", Server::PATH, &headers, &messages.to_string())
                .messages(),
            End::Callbacks(connection) => connection.call(Server::PATH, &headers, messages),
            End::WebSocket(socket) => {
                socket.send(messages);
                let due = messages.as_array().map_or(0, Vec::len);
                let mut all = Vec::new();
                while all
                    .iter()
                    .filter(|one: &&Value| one.get("successful").is_some())
                    .count()
                    < due
                {
                    all.extend(socket.messages());
                }
                all
            }
        }
    }
}
