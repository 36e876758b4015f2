//! `--check`: the server talks to itself, over each transport in turn.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value has null at what it does not have"
)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Starts a server, and is two clients of it; the error says what went wrong.
pub(crate) fn check() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = listener.local_addr()?;
    let _facts = crate::start(listener)?;
    tell(Client::polling(server)?, Client::websocket(server)?)?;
    tell(Client::websocket(server)?, Client::polling(server)?)
}

/// Bob tells Alice something while she waits for it.
fn tell(mut alice: Client, mut bob: Client) -> Result<()> {
    alice.ask("/meta/connect", json!({}))?;
    alice.ask("/meta/subscribe", json!({"subscription": "/news/*"}))?;
    alice.say("/meta/connect", json!({}))?;
    if alice.is_answered()? {
        return Err("a connect was not held".into());
    }
    bob.ask("/news/today", json!({"data": "hi"}))?;
    let event = alice.hear("/news/today")?;
    if event["data"] != json!("hi") {
        return Err(format!("not what was published: {event}").into());
    }
    let refused = bob.ask("/closed/today", json!({"data": "hi"}));
    if !refused.is_err_and(|error| error.to_string().contains("403:closed:publish_denied")) {
        return Err("a publish was not denied".into());
    }
    bob.ask("/meta/disconnect", json!({}))?;
    alice.ask("/meta/disconnect", json!({}))?;
    Ok(())
}

/// A session, seen from the other side.
struct Client {
    line: Line,
    session: Value,
}

enum Line {
    Polling(BufReader<TcpStream>),
    WebSocket(Box<WebSocket<TcpStream>>),
}

impl Client {
    fn polling(server: SocketAddr) -> Result<Self> {
        Self::handshake(Line::Polling(BufReader::new(dial(server)?)))
    }

    fn websocket(server: SocketAddr) -> Result<Self> {
        let (socket, _) = tungstenite::client(format!("ws://{server}/bayeux"), dial(server)?)?;
        Self::handshake(Line::WebSocket(Box::new(socket)))
    }

    fn handshake(line: Line) -> Result<Self> {
        let session = Value::Null;
        let mut client = Self { line, session };
        let types = json!(["websocket", "long-polling"]);
        let members = json!({"version": "1.0", "supportedConnectionTypes": types});
        client.session = client.ask("/meta/handshake", members)?["clientId"].take();
        Ok(client)
    }

    /// Says something, and hears that it was successful.
    fn ask(&mut self, channel: &str, members: Value) -> Result<Value> {
        self.say(channel, members)?;
        let reply = self.hear(channel)?;
        match reply["successful"].as_bool() {
            Some(true) => Ok(reply),
            _ => Err(format!("refused: {reply}").into()),
        }
    }

    fn say(&mut self, channel: &str, mut message: Value) -> Result<()> {
        message["channel"] = json!(channel);
        message["clientId"] = self.session.clone();
        message["connectionType"] = match self.line {
            Line::Polling(_) => json!("long-polling"),
            Line::WebSocket(_) => json!("websocket"),
        };
        let body = json!([message]).to_string();
        match &mut self.line {
            Line::WebSocket(socket) => socket.send(Message::text(body))?,
            Line::Polling(reader) => {
                let head = "POST /bayeux HTTP/1.1\r\nhost: localhost\r\ncontent-length";
                let request = format!("{head}: {}\r\n\r\n{body}", body.len());
                reader.get_mut().write_all(request.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Waits for a message on this channel.
    fn hear(&mut self, channel: &str) -> Result<Value> {
        loop {
            let body = match &mut self.line {
                Line::WebSocket(socket) => socket.read()?.into_data().to_vec(),
                Line::Polling(reader) => read_response(reader)?,
            };
            let messages: Vec<Value> = serde_json::from_slice(&body)?;
            let mut messages = messages.into_iter();
            if let Some(message) = messages.find(|message| message["channel"] == json!(channel)) {
                return Ok(message);
            }
        }
    }

    /// Whether something comes in soon.
    fn is_answered(&self) -> Result<bool> {
        let stream = match &self.line {
            Line::Polling(reader) => reader.get_ref(),
            Line::WebSocket(socket) => socket.get_ref(),
        };
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        let peeked = stream.peek(&mut [0]);
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(peeked.is_ok())
    }
}

fn dial(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

fn read_response(reader: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(length) = line.strip_prefix("content-length: ") {
            body.resize(length.trim().parse()?, 0);
        }
        if line.trim().is_empty() {
            reader.read_exact(&mut body)?;
            return Ok(body);
        }
    }
}
