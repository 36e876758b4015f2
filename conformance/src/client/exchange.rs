//! Frames on their way: over which connection they go, and what comes back.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Client, is_event};
use crate::check::{Checked, Stop, Transport};
use crate::frame::Ending;
use crate::http::{HttpConnection, Response};
use crate::websocket::WebSocket;

/// What a server does upon a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Reaction {
    /// It answers.
    Messages(Vec<Value>),
    /// It refuses the request with that status.
    Status(u16),
    /// It closes the websocket.
    Closed(Ending),
}

/// Servers close connections on which nothing happens, some after few seconds.
const LONGEST_IDLE: Duration = Duration::from_secs(1);

const CALLBACK: &str = "suite.callback";

impl Client<'_> {
    /// All that comes upon messages sent as one frame, in order: over the transports that poll, the response; over a
    /// websocket what comes until each message has its reply.
    ///
    /// # Errors
    ///
    /// If the server refuses the frame, or the answer does not come.
    pub fn exchange(&mut self, messages: &[Value]) -> Checked<Vec<Value>> {
        let text = Value::from(messages).to_string();
        if self.socket.is_none() {
            let connection = self.start(&text)?;
            let response = self.response_over(connection)?;
            return self.read(&response);
        }
        self.send(&text)?;
        let mut answer = Vec::new();
        let mut replies = 0;
        while replies < messages.len() {
            let frame = self.frame()?;
            replies += frame.iter().filter(|message| !is_event(message)).count();
            answer.extend(frame);
        }
        Ok(answer)
    }

    /// What the server does upon that text as a frame.
    ///
    /// # Errors
    ///
    /// If it does nothing.
    pub fn react(&mut self, text: &str) -> Checked<Reaction> {
        if self.socket.is_none() {
            let connection = self.start(text)?;
            let response = self.response_over(connection)?;
            return match response.status {
                200 => self.read(&response).map(Reaction::Messages),
                status => Ok(Reaction::Status(status)),
            };
        }
        self.send(text)?;
        match self.websocket()?.text()? {
            Ok(text) => crate::http::messages(&text).map(Reaction::Messages),
            Err(ending) => Ok(Reaction::Closed(ending)),
        }
    }

    /// The websocket.
    ///
    /// # Errors
    ///
    /// If the client has none.
    pub fn websocket(&mut self) -> Checked<&mut WebSocket> {
        let none = || Stop::not_checked("only a websocket shows this");
        self.socket.as_mut().ok_or_else(none)
    }

    /// The next frame of the websocket, without the replies to connects that were left open.
    pub(super) fn frame(&mut self) -> Checked<Vec<Value>> {
        let mut frame = self.websocket()?.messages()?;
        let open = &mut self.open;
        let late = &mut self.late;
        frame.retain(|message| {
            let id = message["id"].as_str().unwrap_or_default();
            let is_late = message["channel"] == "/meta/connect" && open.remove(id);
            if is_late {
                late.push(message.clone());
            }
            !is_late
        });
        Ok(frame)
    }

    pub(super) fn send(&mut self, text: &str) -> Checked {
        self.websocket()?.send_text(text);
        Ok(())
    }

    /// Forgets the connection that is free: the next request goes over a new one.
    pub fn hang_up(&mut self) {
        self.idle = None;
    }

    /// Sends a request.
    pub(super) fn start(&mut self, text: &str) -> Checked<HttpConnection> {
        let idle = self.idle.take();
        let mut connection = match idle.filter(|(_, since)| since.elapsed() < LONGEST_IDLE) {
            Some((connection, _)) => connection,
            None => self.scene.http()?,
        };
        let mut headers = Vec::new();
        if let Some(cookie) = &self.cookie {
            headers.push(("Cookie", &**cookie));
        }
        let base = self.scene.base();
        if self.transport == Transport::CallbackPolling {
            let path = format!("{base}?jsonp={CALLBACK}&message={}", escaped(text));
            connection.send("GET", &path, &headers, b"");
        } else {
            headers.push(("Content-Type", "application/json;charset=UTF-8"));
            connection.send("POST", base, &headers, text.as_bytes());
        }
        Ok(connection)
    }

    /// The response; the connection is free again if it may be.
    pub(super) fn response_over(&mut self, mut connection: HttpConnection) -> Checked<Response> {
        let response = connection.response(self.method())?;
        let is_last = response
            .header("Connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !is_last && response.status == 200 {
            connection.set_patience(self.scene.options.patience);
            self.idle = Some((connection, Instant::now()));
        }
        Ok(response)
    }

    fn method(&self) -> &'static str {
        match self.transport {
            Transport::CallbackPolling => "GET",
            Transport::LongPolling | Transport::WebSocket => "POST",
        }
    }

    pub(super) fn read(&mut self, response: &Response) -> Checked<Vec<Value>> {
        if let Some(cookie) = response.set_cookie() {
            self.cookie = Some(cookie.to_owned());
        }
        match self.transport {
            Transport::CallbackPolling => response.callback_messages(CALLBACK),
            Transport::LongPolling | Transport::WebSocket => response.messages(),
        }
    }
}

/// Text in a query, RFC 3986.
pub(crate) fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").ok();
        }
    }
    escaped
}
