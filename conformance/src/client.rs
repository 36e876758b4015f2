//! A Bayeux client that does what a check tells it, over any transport.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

mod exchange;
mod hold;
mod message;

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use serde_json::{Value, json};

pub use self::exchange::Reaction;
pub(crate) use self::exchange::escaped;
pub use self::hold::Hold;
use crate::check::{Checked, Stop, Transport};
use crate::http::HttpConnection;
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
