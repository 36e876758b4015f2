//! A session of the test's own over requests and websockets that each may fail.
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::net::SocketAddr;
use std::thread;

use bayeux_conformance::{Opcode, WebSocket as Upgraded};
use serde_json::{Value, json};

use crate::live::{Deadline, HttpConnection, Server, WebSocket, Wire};

/// A client that tries again what fails, and takes each message as it comes.
#[derive(Debug)]
pub struct Session {
    address: SocketAddr,
    /// Its `clientId`.
    pub id: String,
    /// What its browser is told to show: it goes with each request, and with no websocket.
    cookie: Option<String>,
    ack: u64,
    /// What it has received, in order.
    pub received: Vec<u64>,
    delivery: Delivery,
}

/// What a client does about messages that it may have lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It says how far it has come.
    Acknowledged,
    /// Nothing.
    Plain,
}

impl Session {
    /// With acknowledged delivery.
    pub fn open(address: SocketAddr) -> Self {
        Self::open_as(address, Delivery::Acknowledged)
    }

    /// With acknowledged delivery or without.
    pub fn open_as(address: SocketAddr, delivery: Delivery) -> Self {
        let mut session = Self {
            address,
            id: String::new(),
            cookie: None,
            ack: 0,
            received: Vec::new(),
            delivery,
        };
        let handshake = json!([{
            "channel": "/meta/handshake", "version": "1.0",
            "ext": {"ack": delivery == Delivery::Acknowledged},
            "supportedConnectionTypes": ["long-polling", "websocket"]
        }]);
        let replies = session.insist(&handshake, |replies| {
            replies.iter().any(|reply| reply["successful"] == true)
        });
        let id = replies.iter().find_map(|reply| reply["clientId"].as_str());
        id.unwrap_or_default().clone_into(&mut session.id);
        session
    }

    /// Subscribes, and gives back when that is granted.
    pub fn subscribe(&mut self, channel: &str) {
        let subscribe = json!([{
            "channel": "/meta/subscribe", "clientId": self.id, "subscription": channel
        }]);
        let replies = self.insist(&subscribe, |replies| {
            replies.iter().any(|reply| reply["successful"] == true)
        });
        self.take(&replies);
    }

    /// Connects once by polling; whether that was answered.
    pub fn connect(&mut self, timeout: u32) -> bool {
        let mut connect = self.connecting("long-polling");
        connect["advice"] = json!({"timeout": timeout});
        let Some(replies) = self.post(&json!([connect])) else {
            return false;
        };
        self.take(&replies);
        true
    }

    /// Has a websocket carry it, until that breaks or this number comes.
    pub fn ride(&mut self, until: u64) {
        let Some(mut socket) = upgrade(self.address) else {
            return;
        };
        while self.received.last() != Some(&until) {
            socket.send(&json!([self.connecting("websocket")]));
            let mut is_answered = false;
            while !is_answered {
                let Some(messages) = next(&mut socket) else {
                    return;
                };
                self.take(&messages);
                is_answered = messages
                    .iter()
                    .any(|message| message["channel"] == "/meta/connect");
            }
        }
    }

    /// Publishes once, and brings the session to whoever is asked; `None` if nobody knows whether it was stored.
    pub fn publish(&mut self, channel: &str, number: u64) -> Option<bool> {
        let mut connect = self.connecting("long-polling");
        connect["advice"] = json!({"timeout": 0});
        self.send(&json!([connect, self.publishing(channel, number)]))
    }

    /// The same, and leaves the session where it is.
    pub fn publish_from_afar(&mut self, channel: &str, number: u64) -> Option<bool> {
        self.send(&json!([self.publishing(channel, number)]))
    }

    fn send(&mut self, messages: &Value) -> Option<bool> {
        let replies = self.post(messages)?;
        self.take(&replies);
        let reply = replies.iter().find(|reply| reply["id"] == "p")?;
        Some(reply["successful"] == true)
    }

    fn connecting(&self, kind: &str) -> Value {
        let mut connect = json!({
            "channel": "/meta/connect", "clientId": self.id, "connectionType": kind
        });
        if self.delivery == Delivery::Acknowledged {
            connect["ext"] = json!({"ack": self.ack});
        }
        connect
    }

    fn publishing(&self, channel: &str, number: u64) -> Value {
        json!({"channel": channel, "clientId": self.id, "data": number, "id": "p"})
    }

    /// Its requests go there from now on.
    pub fn move_to(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// Ends it.
    pub fn disconnect(&mut self) {
        let disconnect = json!([{"channel": "/meta/disconnect", "clientId": self.id}]);
        self.insist(&disconnect, |replies| {
            replies.iter().any(|reply| reply["successful"] == true)
        });
    }

    /// Whether it is told to begin anew.
    pub fn is_unknown(&self) -> bool {
        let connect = json!([{
            "channel": "/meta/connect", "clientId": self.id, "connectionType": "long-polling",
            "advice": {"timeout": 0}
        }]);
        let cookie = self.cookie.as_deref();
        let replies = exchange(self.address, cookie, &connect);
        let replies = replies.map(|(_, replies)| replies).unwrap_or_default();
        replies
            .iter()
            .any(|reply| reply["advice"]["reconnect"] == "handshake")
    }

    fn take(&mut self, messages: &[Value]) {
        for message in messages {
            if let (None, Some(number)) = (message.get("successful"), message["data"].as_u64()) {
                self.received.push(number);
            }
            if message["channel"] == "/meta/connect" {
                assert!(
                    message["successful"] == true || message["advice"]["reconnect"] == "retry",
                    "the session is lost: {message}; {:?}",
                    self.received.last()
                );
                self.ack = message["ext"]["ack"].as_u64().unwrap_or(self.ack);
            }
        }
    }

    /// What is answered; `None` if nothing whole is.
    fn post(&mut self, messages: &Value) -> Option<Vec<Value>> {
        let (head, replies) = exchange(self.address, self.cookie.as_deref(), messages)?;
        let told = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let (cookie, _) = value.split_once(';')?;
            let is_it = name.eq_ignore_ascii_case("Set-Cookie");
            is_it.then(|| cookie.to_owned())
        });
        self.cookie = told.or(self.cookie.take());
        Some(replies)
    }

    /// Sends it until it is answered so.
    fn insist(&mut self, messages: &Value, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Deadline::usual();
        while deadline.left().is_some() {
            if let Some(replies) = self.post(messages)
                && is_it(&replies)
            {
                return replies;
            }
            thread::yield_now();
        }
        panic!("{messages} is not answered as it should be");
    }
}

/// A websocket, if somebody opens one.
fn upgrade(address: SocketAddr) -> Option<WebSocket> {
    let mut connection = HttpConnection::open(address);
    connection.send("GET", Server::PATH, &Upgraded::UPGRADE, "");
    let response = connection.response_or_end("GET")?;
    (response.status == 101).then(|| WebSocket::after_upgrade(connection))
}

/// The messages that come next on it; `None` at its end.
fn next(socket: &mut WebSocket) -> Option<Vec<Value>> {
    loop {
        let frame = socket.frame()?;
        match frame.opcode {
            Opcode::Text => return serde_json::from_slice(&frame.payload).ok(),
            Opcode::Close => return None,
            Opcode::Ping | Opcode::Pong | Opcode::Continuation | Opcode::Binary => {}
        }
    }
}

/// What is answered; `None` if nothing whole is.
pub fn post(address: SocketAddr, messages: &Value) -> Option<Vec<Value>> {
    exchange(address, None, messages).map(|(_, replies)| replies)
}

/// The head of the answer, and what it carries.
fn exchange(
    address: SocketAddr,
    cookie: Option<&str>,
    messages: &Value,
) -> Option<(String, Vec<Value>)> {
    let body = messages.to_string();
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n"));
    let mut wire = Wire::open(address);
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: cluster\r\n{}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        Server::PATH,
        cookie.unwrap_or_default(),
        body.len()
    );
    wire.send(request.as_bytes());
    let answer = String::from_utf8(wire.rest()).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    // One that broke off is no JSON.
    Some((head.to_owned(), serde_json::from_str(body).ok()?))
}
