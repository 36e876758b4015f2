//! `--check`: the server talks to itself, over each transport in turn.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value has null at what it does not have"
)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bayeux_core::http::{Options, Origins};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::Facts;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The page of another origin that may use the server.
const PAGE: &str = "https://page.example";

/// Starts a server, and is clients of it over each transport; the error says what went wrong.
pub(crate) fn check() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = listener.local_addr()?;
    let mut options = Options::default();
    options.origins = Origins::Listed([PAGE.parse()?].into());
    let _facts = crate::start(listener, options, Facts::Silent)?;

    let clients = [
        Client::polling,
        Client::cross_origin,
        Client::callback,
        Client::websocket,
    ];
    for (client, other) in clients.iter().zip(clients.iter().cycle().skip(1)) {
        tell(client(server)?, other(server)?)?;
    }
    Ok(())
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
    Http(Style, BufReader<TcpStream>),
    WebSocket(Box<WebSocket<TcpStream>>),
}

/// How messages go by HTTP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Polling,
    CrossOrigin,
    Callback,
}

impl Client {
    fn polling(server: SocketAddr) -> Result<Self> {
        Self::over_http(server, Style::Polling)
    }

    fn cross_origin(server: SocketAddr) -> Result<Self> {
        Self::over_http(server, Style::CrossOrigin)
    }

    fn callback(server: SocketAddr) -> Result<Self> {
        Self::over_http(server, Style::Callback)
    }

    fn over_http(server: SocketAddr, style: Style) -> Result<Self> {
        Self::handshake(Line::Http(style, BufReader::new(dial(server)?)))
    }

    fn websocket(server: SocketAddr) -> Result<Self> {
        let (socket, _) = tungstenite::client(format!("ws://{server}/bayeux"), dial(server)?)?;
        Self::handshake(Line::WebSocket(Box::new(socket)))
    }

    fn handshake(line: Line) -> Result<Self> {
        let session = Value::Null;
        let mut client = Self { line, session };
        let types = json!(["websocket", "long-polling", "callback-polling"]);
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
            Line::Http(Style::Callback, _) => json!("callback-polling"),
            Line::Http(..) => json!("long-polling"),
            Line::WebSocket(_) => json!("websocket"),
        };
        let body = json!([message]).to_string();
        match &mut self.line {
            Line::WebSocket(socket) => socket.send(Message::text(body))?,
            Line::Http(style, reader) => {
                let request = style.request(&body);
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
                Line::Http(style, reader) => style.read_response(reader)?,
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
            Line::Http(_, reader) => reader.get_ref(),
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

impl Style {
    fn request(self, body: &str) -> String {
        if self == Self::Callback {
            let message: String = body.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let target = format!("/bayeux?jsonp=f&message={message}");
            return format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        }
        let mut head = "POST /bayeux HTTP/1.1\r\nhost: localhost\r\n".to_owned();
        if self == Self::CrossOrigin {
            head += &format!("origin: {PAGE}\r\n");
        }
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    }

    /// The array of messages in a response that is as it should be.
    fn read_response(self, reader: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
        let (mut body, mut is_shared) = (Vec::new(), false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if let Some(length) = line.strip_prefix("content-length: ") {
                body.resize(length.trim().parse()?, 0);
            }
            is_shared |= line.trim() == format!("access-control-allow-origin: {PAGE}");
            if line.trim().is_empty() {
                break;
            }
        }
        reader.read_exact(&mut body)?;
        if is_shared != (self == Self::CrossOrigin) {
            return Err("not for the page that asked".into());
        }
        if self != Self::Callback {
            return Ok(body);
        }
        let call = body
            .strip_prefix(b"/**/f(")
            .and_then(|call| call.strip_suffix(b");"));
        Ok(call.ok_or("no script")?.to_vec())
    }
}
