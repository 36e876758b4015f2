//! A polling client without a will of its own: it sends what it is told, and nothing else.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{HttpConnection, Response, Server};

/// A session used over HTTP, with the headers that a test chose.
#[derive(Debug)]
pub struct Poller {
    address: SocketAddr,
    connection: HttpConnection,
    headers: Vec<(String, String)>,
    /// Its `clientId`.
    pub session: String,
}

/// A connect whose answer has not been read.
#[derive(Debug)]
pub struct Held {
    connection: HttpConnection,
}

impl Poller {
    /// The answer to a handshake, and the connection it came over.
    #[track_caller]
    pub fn greet(address: SocketAddr, headers: &[(&str, &str)]) -> (HttpConnection, Response) {
        let mut connection = HttpConnection::open(address);
        let handshake = json!([{
            "channel": "/meta/handshake", "id": "h", "version": "1.0",
            "supportedConnectionTypes": ["long-polling", "callback-polling"]
        }]);
        let path = format!("{}/handshake", Server::PATH);
        let response = connection.request("POST", &path, headers, &handshake.to_string());
        (connection, response)
    }

    /// Handshakes; these headers go with every request.
    #[track_caller]
    pub fn handshake(address: SocketAddr, headers: &[(&str, &str)]) -> Self {
        let (connection, response) = Self::greet(address, headers);
        let replies = response.messages();
        let reply = &replies[0];
        assert_eq!(reply["successful"], true, "{reply}");
        Self {
            address,
            connection,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            session: reply["clientId"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// Handshakes without any header, and has its first connect answered.
    #[track_caller]
    pub fn connected(address: SocketAddr) -> Self {
        Self::connected_with(address, &[])
    }

    /// Handshakes with those headers, and has its first connect answered.
    #[track_caller]
    pub fn connected_with(address: SocketAddr, headers: &[(&str, &str)]) -> Self {
        let mut poller = Self::handshake(address, headers);
        let replies = poller.post(json!([poller.connect()]));
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
        poller
    }

    /// The connect message, answered when something happens.
    pub fn connect(&self) -> Value {
        json!({
            "channel": "/meta/connect", "id": "c", "clientId": self.session,
            "connectionType": "long-polling"
        })
    }

    /// The connect message, answered at once.
    pub fn connect_now(&self) -> Value {
        let mut connect = self.connect();
        connect["advice"] = json!({"timeout": 0});
        connect
    }

    /// The subscribe message.
    pub fn subscribe(&self, channel: &str) -> Value {
        json!({
            "channel": "/meta/subscribe", "id": "s", "clientId": self.session,
            "subscription": channel
        })
    }

    /// The publish message.
    pub fn publish(&self, channel: &str, data: impl Into<Value>) -> Value {
        json!({"channel": channel, "id": "p", "clientId": self.session, "data": data.into()})
    }

    /// The disconnect message.
    pub fn disconnect(&self) -> Value {
        json!({"channel": "/meta/disconnect", "id": "d", "clientId": self.session})
    }

    /// Sends messages and gives the messages of the answer.
    #[track_caller]
    pub fn post(&mut self, messages: Value) -> Vec<Value> {
        self.answer(messages).messages()
    }

    /// Sends messages and gives the answer.
    #[track_caller]
    pub fn answer(&mut self, messages: Value) -> Response {
        let headers = headers(&self.headers);
        self.connection
            .request("POST", Server::PATH, &headers, &messages.to_string())
    }

    /// Sends a connect over a connection of its own and leaves it there. The server has read it, so that it comes before
    /// anything sent later to the same shard.
    #[track_caller]
    pub fn hold(&self) -> Held {
        let mut connection = HttpConnection::open(self.address);
        let headers = headers(&self.headers);
        let connect = json!([self.connect()]).to_string();
        connection.send("POST", Server::PATH, &headers, &connect);
        connection.until_taken();
        Held { connection }
    }
}

impl Held {
    /// Waits for its answer.
    #[track_caller]
    pub fn answer(mut self) -> Response {
        self.connection.response("POST")
    }

    /// Breaks the connection, and waits until the server has noticed.
    #[track_caller]
    pub fn abort(mut self) {
        self.connection.finish();
        self.connection.expect_end();
    }
}

fn headers(owned: &[(String, String)]) -> Vec<(&str, &str)> {
    owned
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
