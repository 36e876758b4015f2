//! A Bayeux client that does what a check tells it, over any transport.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::check::{Checked, Stop, Transport};
use crate::frame::Ending;
use crate::http::{HttpConnection, Response};
use crate::scene::Scene;
use crate::websocket::WebSocket;

/// A client with a session of its own, or none yet.
///
/// Over the transports that poll, a request goes over a connection that is free, or else over a new one: nothing waits for
/// a connect that is held. The client returns the cookie that it is given, as a browser does.
#[derive(Debug)]
pub struct Client<'a> {
    scene: &'a Scene<'a>,
    transport: Transport,
    socket: Option<WebSocket>,
    /// The session's id; empty before a handshake.
    pub session: String,
    /// The reply to the handshake.
    pub greeting: Value,
    /// The cookie, as it goes back; none is sent if there is none.
    pub cookie: Option<String>,
    last_id: u32,
    /// A connection that is free for the next request, and since when.
    idle: Option<(HttpConnection, Instant)>,
    /// Events that came and were not yet asked for.
    events: VecDeque<Value>,
    /// The ids of connects over the websocket that have not been answered.
    open: BTreeSet<String>,
    /// The replies to such that came while something else was waited for.
    late: Vec<Value>,
}

/// A connect that was sent and whose answer was not waited for.
#[derive(Debug)]
pub struct Hold {
    /// The message's id.
    pub id: String,
    /// Over the transports that poll, where the answer is to come.
    connection: Option<HttpConnection>,
}

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

impl<'a> Client<'a> {
    pub(crate) fn open(scene: &'a Scene<'a>, transport: Transport) -> Checked<Self> {
        let socket = match transport {
            Transport::WebSocket => Some(scene.websocket(&[])?.0),
            Transport::LongPolling | Transport::CallbackPolling => None,
        };
        Ok(Self {
            scene,
            transport,
            socket,
            session: String::new(),
            greeting: Value::Null,
            cookie: None,
            last_id: 0,
            idle: None,
            events: VecDeque::new(),
            open: BTreeSet::new(),
            late: Vec::new(),
        })
    }

    /// The same session over another transport, or over a new websocket: a client that carries on after it lost its
    /// connection, or moves.
    ///
    /// # Errors
    ///
    /// If the server does not offer the transport, or it cannot be opened.
    pub fn moved(&self, transport: Transport) -> Checked<Self> {
        let mut moved = self.scene.client_over(transport)?;
        moved.session.clone_from(&self.session);
        moved.cookie.clone_from(&self.cookie);
        moved.last_id = self.last_id + 1_000;
        Ok(moved)
    }

    /// A message with an id of its own and, if there is a session, its `clientId`.
    pub fn message(&mut self, channel: &str) -> Value {
        self.last_id += 1;
        let mut message = json!({"channel": channel, "id": self.last_id.to_string()});
        if !self.session.is_empty() {
            message["clientId"] = json!(self.session);
        }
        message
    }

    /// A handshake.
    pub fn handshake_message(&mut self) -> Value {
        let mut message = self.message("/meta/handshake");
        message["version"] = json!("1.0");
        message["supportedConnectionTypes"] =
            json!(["websocket", "long-polling", "callback-polling"]);
        message
    }

    /// A connect without advice.
    pub fn connect_message(&mut self) -> Value {
        let mut message = self.message("/meta/connect");
        message["connectionType"] = json!(self.transport.name());
        message
    }

    /// A subscription.
    pub fn subscribe_message(&mut self, subscription: impl Into<Value>) -> Value {
        let mut message = self.message("/meta/subscribe");
        message["subscription"] = subscription.into();
        message
    }

    /// The end of a subscription.
    pub fn unsubscribe_message(&mut self, subscription: impl Into<Value>) -> Value {
        let mut message = self.message("/meta/unsubscribe");
        message["subscription"] = subscription.into();
        message
    }

    /// A publish.
    pub fn publish_message(&mut self, channel: &str, data: impl Into<Value>) -> Value {
        let mut message = self.message(channel);
        message["data"] = data.into();
        message
    }

    /// Shakes hands.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn handshake(&mut self) -> Checked<Value> {
        let message = self.handshake_message();
        self.handshake_with(message)
    }

    /// Shakes hands by that message.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn handshake_with(&mut self, message: Value) -> Checked<Value> {
        let reply = self.ask_one(message)?;
        accepted(&reply)?;
        let session = reply["clientId"].as_str();
        let session = session.ok_or_else(|| Stop::failed(format!("no clientId in {reply}")))?;
        self.session = session.to_owned();
        self.greeting = reply.clone();
        Ok(reply)
    }

    /// Connects, to be answered at once.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn connect_now(&mut self) -> Checked<Value> {
        let mut message = self.connect_message();
        message["advice"] = json!({"timeout": 0});
        let reply = self.ask_one(message)?;
        accepted(&reply)?;
        Ok(reply)
    }

    /// Subscribes.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn subscribe(&mut self, subscription: impl Into<Value>) -> Checked<Value> {
        let message = self.subscribe_message(subscription);
        let reply = self.ask_one(message)?;
        accepted(&reply)?;
        Ok(reply)
    }

    /// Publishes.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn publish(&mut self, channel: &str, data: impl Into<Value>) -> Checked<Value> {
        let message = self.publish_message(channel, data);
        let reply = self.ask_one(message)?;
        accepted(&reply)?;
        Ok(reply)
    }

    /// Disconnects.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn disconnect(&mut self) -> Checked<Value> {
        let message = self.message("/meta/disconnect");
        let reply = self.ask_one(message)?;
        accepted(&reply)?;
        Ok(reply)
    }

    /// The reply to a message; events that come with it are kept for later.
    ///
    /// # Errors
    ///
    /// If there is no reply, or more than one.
    pub fn ask_one(&mut self, message: Value) -> Checked<Value> {
        match <[Value; 1]>::try_from(self.ask(&[message])?) {
            Ok([reply]) => Ok(reply),
            Err(replies) => Err(Stop::failed(format!(
                "{} replies to one message: {}",
                replies.len(),
                Value::from(replies)
            ))),
        }
    }

    /// The replies to messages sent as one frame; events that come with them are kept for later.
    ///
    /// # Errors
    ///
    /// If they do not come.
    pub fn ask(&mut self, messages: &[Value]) -> Checked<Vec<Value>> {
        let answer = self.exchange(messages)?;
        let (events, replies) = answer.into_iter().partition(is_event);
        self.events.extend::<Vec<_>>(events);
        Ok(replies)
    }

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

    /// Sends a connect without advice, and does not wait.
    ///
    /// # Errors
    ///
    /// If it cannot be sent.
    pub fn hold(&mut self) -> Checked<Hold> {
        let message = self.connect_message();
        self.hold_with(message)
    }

    /// Sends that connect, and does not wait.
    ///
    /// # Errors
    ///
    /// If it cannot be sent.
    pub fn hold_with(&mut self, message: Value) -> Checked<Hold> {
        let id = message["id"].as_str().unwrap_or_default().to_owned();
        let text = Value::from(vec![message]).to_string();
        let connection = if self.socket.is_some() {
            self.open.insert(id.clone());
            self.send(&text)?;
            None
        } else {
            let mut connection = self.start(&text)?;
            connection.set_patience(self.scene.longest_hold());
            Some(connection)
        };
        Ok(Hold { id, connection })
    }

    /// Fails if that connect is answered, or fails, while the suite listens.
    ///
    /// # Errors
    ///
    /// If it is not held.
    pub fn is_held(&mut self, hold: &mut Hold) -> Checked {
        let quiet = self.scene.options.quiet;
        let is_held = match &mut hold.connection {
            Some(connection) => connection.is_quiet(quiet),
            None => {
                let answered = |message: &Value| message["id"] == hold.id.as_str();
                !self.late.iter().any(answered) && self.websocket()?.is_quiet(quiet)
            }
        };
        if is_held {
            return Ok(());
        }
        Err(Stop::failed(format!(
            "the connect with id {:?} is not held",
            hold.id
        )))
    }

    /// All that comes until that connect is answered, its reply the last.
    ///
    /// # Errors
    ///
    /// If it is not answered.
    pub fn answered(&mut self, hold: Hold) -> Checked<Vec<Value>> {
        if let Some(connection) = hold.connection {
            let response = self.response_over(connection)?;
            return self.read(&response);
        }
        let is_it = |message: &Value| message["id"] == hold.id.as_str();
        if let Some(place) = self.late.iter().position(is_it) {
            return Ok(vec![self.late.remove(place)]);
        }
        let deadline = Instant::now() + self.scene.longest_hold();
        let mut seen: Vec<Value> = self.events.drain(..).collect();
        loop {
            let patience = self.scene.longest_hold();
            let socket = self.websocket()?;
            let usual = socket.patience();
            socket.set_patience(patience);
            let frame = socket.messages();
            socket.set_patience(usual);
            seen.extend(frame?);
            if let Some(place) = seen.iter().position(is_it) {
                self.open.remove(&hold.id);
                let after = seen.split_off(place + 1);
                self.events.extend(after.into_iter().filter(is_event));
                return Ok(seen);
            }
            if Instant::now() > deadline {
                return Err(Stop::failed("the held connect was never answered"));
            }
        }
    }

    /// Gives that connect up, as a client that goes away, and waits until the server has noticed.
    ///
    /// # Errors
    ///
    /// If it does not notice.
    pub fn give_up(&mut self, hold: Hold) -> Checked {
        let Some(mut connection) = hold.connection else {
            return Ok(());
        };
        connection.finish();
        if connection.ends() {
            return Ok(());
        }
        Err(Stop::failed(
            "the server does not notice that the client has gone",
        ))
    }

    /// The response with which a held connect ends over a transport that polls, whatever its status.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn response_to(&mut self, hold: Hold) -> Checked<Response> {
        match hold.connection {
            Some(connection) => self.response_over(connection),
            None => Err(Stop::not_checked("a websocket has no responses")),
        }
    }

    /// The reply to that connect, which must be answered without waiting for its time to pass.
    ///
    /// # Errors
    ///
    /// If it is answered too late or not at all.
    pub fn answered_at_once(&mut self, hold: Hold) -> Checked<Value> {
        let start = Instant::now();
        let soon = self.scene.needs_long_hold()?;
        let id = hold.id.clone();
        let answer = self.answered(hold)?;
        if start.elapsed() > soon {
            return Err(Stop::failed(
                "the connect was held, and not answered at once",
            ));
        }
        Ok(self.keep_events(answer, &id))
    }

    /// The events up to the first on that channel; the client connects as long as it has to.
    ///
    /// # Errors
    ///
    /// If it does not come.
    pub fn events_until(&mut self, channel: &str) -> Checked<Vec<Value>> {
        let deadline = Instant::now() + self.scene.options.patience;
        loop {
            if let Some(place) = self
                .events
                .iter()
                .position(|event| event["channel"] == channel)
            {
                return Ok(self.events.drain(..=place).collect());
            }
            if Instant::now() > deadline {
                return Err(Stop::failed(format!("no event on {channel} has come")));
            }
            self.poll()?;
        }
    }

    /// The one event that comes up to the first on that channel.
    ///
    /// # Errors
    ///
    /// If another comes before, or none.
    pub fn event_on(&mut self, channel: &str) -> Checked<Value> {
        match <[Value; 1]>::try_from(self.events_until(channel)?) {
            Ok([event]) => Ok(event),
            Err(events) => Err(Stop::failed(format!(
                "more events than the one on {channel}: {}",
                Value::from(events)
            ))),
        }
    }

    /// Fails if an event has come that was not asked for.
    ///
    /// # Errors
    ///
    /// If there is one.
    pub fn nothing_more(&mut self) -> Checked {
        // Who subscribes to everything gets what other checks publish.
        let own = self.scene.channel("");
        let is_own = |event: &&Value| {
            let channel = event["channel"].as_str().unwrap_or_default();
            channel.starts_with(&own) || !channel.starts_with("/suite-")
        };
        match self.events.iter().find(is_own) {
            None => Ok(()),
            Some(event) => Err(Stop::failed(format!("an event too many: {event}"))),
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

    /// Waits for an event, connecting.
    fn poll(&mut self) -> Checked {
        if self.socket.is_none() {
            let hold = self.hold()?;
            let id = hold.id.clone();
            let answer = self.answered(hold)?;
            return accepted(&self.keep_events(answer, &id));
        }
        if self.open.is_empty() {
            self.hold()?;
        }
        let frame = self.frame()?;
        self.events.extend(frame.into_iter().filter(is_event));
        Ok(())
    }

    /// The reply with that id, wherever it stands; the events beside it are kept for later.
    fn keep_events(&mut self, mut answer: Vec<Value>, id: &str) -> Value {
        let is_it = |message: &Value| !is_event(message) && message["id"] == id;
        let place = answer.iter().rposition(is_it);
        let reply = place.map(|place| answer.remove(place)).unwrap_or_default();
        self.events.extend(answer.into_iter().filter(is_event));
        reply
    }

    /// The next frame of the websocket, without the replies to connects that were left open.
    fn frame(&mut self) -> Checked<Vec<Value>> {
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

    fn send(&mut self, text: &str) -> Checked {
        self.websocket()?.send_text(text);
        Ok(())
    }

    /// Forgets the connection that is free: the next request goes over a new one.
    pub fn hang_up(&mut self) {
        self.idle = None;
    }

    /// Sends a request.
    fn start(&mut self, text: &str) -> Checked<HttpConnection> {
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
    fn response_over(&mut self, mut connection: HttpConnection) -> Checked<Response> {
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

    fn read(&mut self, response: &Response) -> Checked<Vec<Value>> {
        if let Some(cookie) = response.set_cookie() {
            self.cookie = Some(cookie.to_owned());
        }
        match self.transport {
            Transport::CallbackPolling => response.callback_messages(CALLBACK),
            Transport::LongPolling | Transport::WebSocket => response.messages(),
        }
    }
}

/// Whether it is an event and not a reply. What answers a remote call is neither quite; it counts as an event.
pub(crate) fn is_event(message: &Value) -> bool {
    message.get("data").is_some() || message.get("successful").is_none()
}

/// Fails unless the reply says that it is successful, without an error.
///
/// # Errors
///
/// If it does not.
pub(crate) fn accepted(reply: &Value) -> Checked {
    if reply["successful"] == true && reply.get("error").is_none() {
        return Ok(());
    }
    Err(Stop::failed(format!(
        "{reply} where a successful reply is due"
    )))
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
