//! A client in use, unmodified, steered step by step by the lines of `tests/clients/lines.mjs`.

mod seat;
mod software;

use std::collections::VecDeque;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Deadline;
use seat::Seat;
pub use software::{Software, Transport};

/// An event as the application behind the client got it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The channel it was published to.
    pub channel: String,
    /// What was published.
    pub data: Value,
    /// The subscription that it came by.
    pub by: String,
}

/// What a client on Node.js does that its library does not by itself; one in Java can trust.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// The `ext` of all that it sends; null for none.
    pub ext: Value,
    /// The cookies that it has when it begins, as a header has them; CometD sends them when it polls only.
    pub cookie: Option<String>,
    /// The certificate of an authority that it trusts.
    pub trusted: Option<PathBuf>,
}

/// A running client.
#[derive(Debug)]
pub struct Client {
    seat: Seat,
    ack: bool,
    number: u64,
    /// What the client said and nobody has asked for yet.
    said: VecDeque<Value>,
}

impl Client {
    /// Starts it; nothing is sent before [`Client::handshake`].
    pub fn start(software: Software, transport: Transport, url: &str) -> Self {
        Self::start_with(software, transport, url, &Extras::default())
    }

    /// The same with more than its library does by itself.
    pub fn start_with(
        software: Software,
        transport: Transport,
        url: &str,
        extras: &Extras,
    ) -> Self {
        let options = json!({
            "url": url, "transport": transport.name(), "ext": extras.ext,
            "cookie": extras.cookie, "trusted": extras.trusted,
            "ack": software.acknowledges(), "http2": software.speaks_http_2(),
        });
        let name = format!("{software:?} over {transport:?}");
        let mut client = Self {
            seat: Seat::take(software, name, &options, extras),
            ack: software.acknowledges(),
            number: 0,
            said: VecDeque::new(),
        };
        client.take("start", |said| said["ready"] == true);
        client
    }

    /// Starts it and lets it connect; done when a connect over the wanted transport is on its way.
    pub fn connected(software: Software, transport: Transport, url: &str) -> Self {
        let mut client = Self::start(software, transport, url);
        client.handshake();
        client.connects_over(transport);
        client
    }

    /// Handshakes and gives the `clientId`.
    pub fn handshake(&mut self) -> String {
        self.order(&json!({"do": "handshake"}));
        self.handshaken()
    }

    /// Asks for a handshake that need not come to anything.
    pub fn try_to_handshake(&mut self) {
        self.send(&json!({"do": "handshake"}));
    }

    /// Waits for the next successful handshake reply, also one that the client asked for by itself.
    pub fn handshaken(&mut self) -> String {
        let reply = self.meta("/meta/handshake", |reply| reply["successful"] == true);
        if self.ack && reply["ext"]["ack"] != true {
            self.seat
                .fail(&format!("was not granted acknowledgement: {reply}"));
        }
        reply["clientId"].as_str().unwrap_or_default().to_owned()
    }

    /// Handshakes where that is refused, and gives the reply.
    pub fn handshake_refused(&mut self) -> Value {
        self.try_to_handshake();
        let mut said = self.take("be refused a handshake", |said| {
            let reply = &said["meta"];
            reply["channel"] == "/meta/handshake" && reply["successful"] == false
        });
        said["meta"].take()
    }

    /// How many messages it has sent on this channel, by its own word.
    pub fn sent(&mut self, channel: &str) -> usize {
        // What it has said before it says this has been heard.
        self.order(&json!({"do": "settle"}));
        let sent = |said: &&Value| said["sent"] == channel;
        self.said.iter().filter(sent).count()
    }

    /// From now on this is the `ext` of all that it sends; a client on Node.js can.
    pub fn renew(&mut self, ext: &Value) {
        self.order(&json!({"do": "renew", "ext": ext}));
    }

    /// Waits for the next connect that goes out over this transport.
    pub fn connects_over(&mut self, transport: Transport) {
        let what = format!("connect over {}", transport.name());
        self.take(&what, |said| {
            let name = said["connecting"].as_str();
            name.is_some_and(|name| transport.is_named(name))
        });
    }

    /// Waits until the client has noticed that it lost the server.
    pub fn loses_the_server(&mut self) {
        self.take("notice that the server is away", |said| {
            said["lost"] == true
        });
    }

    /// Subscribes, and gives back when that is granted.
    pub fn subscribe(&mut self, channel: &str) {
        self.order(&json!({"do": "subscribe", "channel": channel}));
        self.subscribed(channel);
    }

    /// Subscribes to all of these at once, and gives back when all are granted.
    pub fn subscribe_all(&mut self, channels: &[String]) {
        for channel in channels {
            self.send(&json!({"do": "subscribe", "channel": channel}));
        }
        for channel in channels {
            self.subscribed(channel);
        }
    }

    /// Waits for the next successful reply to a subscribe, also one that the client sent by itself.
    pub fn subscribed(&mut self, channel: &str) {
        self.meta("/meta/subscribe", |reply| {
            reply["successful"] == true && names(&reply["subscription"], channel)
        });
    }

    /// Subscribes to what is refused, and gives the error.
    pub fn subscribe_refused(&mut self, channel: &str) -> String {
        self.refused(&json!({"do": "subscribe", "channel": channel}))
    }

    /// Unsubscribes, and gives back when that is granted.
    pub fn unsubscribe(&mut self, channel: &str) {
        self.order(&json!({"do": "unsubscribe", "channel": channel}));
        self.meta("/meta/unsubscribe", |reply| {
            reply["successful"] == true && names(&reply["subscription"], channel)
        });
    }

    /// Publishes, and gives back when that is granted.
    pub fn publish(&mut self, channel: &str, data: Value) {
        self.order(&json!({"do": "publish", "channel": channel, "data": data}));
    }

    /// Publishes the numbers from 1 to that one without waiting, and gives back when all are granted.
    pub fn publish_burst(&mut self, channel: &str, count: u64) {
        let command = json!({"do": "burst", "channel": channel, "count": count});
        // A polling client sends one at a time, which takes a page on a busy machine a while.
        let reply = self.answer(&command, Deadline::after(Deadline::USUAL * 4));
        self.expect_granted(&command, &reply);
    }

    /// Publishes what is refused, and gives the error.
    pub fn publish_refused(&mut self, channel: &str, data: Value) -> String {
        self.refused(&json!({"do": "publish", "channel": channel, "data": data}))
    }

    /// Disconnects, and gives back when that is granted.
    pub fn disconnect(&mut self) {
        self.order(&json!({"do": "disconnect"}));
        self.meta("/meta/disconnect", |reply| reply["successful"] == true);
    }

    /// The next event.
    pub fn event(&mut self) -> Event {
        let said = self.take("receive an event", |said| said.get("event").is_some());
        Event {
            channel: said["event"]["channel"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            data: said["event"]["data"].clone(),
            by: said["by"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// Asserts that this is the next event: none before it, none twice, none missing.
    #[track_caller]
    pub fn expect_event(&mut self, channel: &str, data: impl Into<Value>) {
        let event = self.event();
        let expected = (channel, data.into());
        assert_eq!(
            (event.channel.as_str(), event.data),
            expected,
            "the next event"
        );
    }

    /// Forgets what it has said besides events and handshakes, of which a client that stays for long says much.
    pub fn forget_polls(&mut self) {
        self.said.retain(|said| {
            said.get("event").is_some() || said["meta"]["channel"] == "/meta/handshake"
        });
    }

    /// How many handshakes succeeded that no call has waited for.
    pub fn handshakes_unasked(&self) -> usize {
        let handshake = |said: &&Value| {
            said["meta"]["channel"] == "/meta/handshake" && said["meta"]["successful"] == true
        };
        self.said.iter().filter(handshake).count()
    }

    /// Asserts that it has said nothing that tells of a session.
    #[track_caller]
    pub fn expect_no_session(&self) {
        let of_session =
            |said: &&Value| said["meta"]["successful"] == true || said.get("event").is_some();
        assert_eq!(self.said.iter().find(of_session), None);
    }

    fn meta(&mut self, channel: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let what = format!("get a successful reply on {channel}");
        let mut said = self.take(&what, |said| {
            said["meta"]["channel"] == channel && matches(&said["meta"])
        });
        said["meta"].take()
    }

    fn order(&mut self, command: &Value) {
        let reply = self.answer(command, Deadline::usual());
        self.expect_granted(command, &reply);
    }

    fn expect_granted(&mut self, command: &Value, reply: &Value) {
        if reply["successful"] != true {
            self.seat.fail(&format!("was refused {command}: {reply}"));
        }
    }

    fn refused(&mut self, command: &Value) -> String {
        let reply = self.answer(command, Deadline::usual());
        if reply["successful"] != false {
            self.seat.fail(&format!("was granted {command}: {reply}"));
        }
        reply["error"].as_str().unwrap_or_default().to_owned()
    }

    fn answer(&mut self, command: &Value, deadline: Deadline) -> Value {
        let number = self.send(command);
        let what = format!("be through with {command}");
        self.take_before(deadline, &what, |said| said["reply"] == number)
    }

    fn send(&mut self, command: &Value) -> u64 {
        self.number += 1;
        let mut command = command.clone();
        command["number"] = self.number.into();
        self.seat.write_line(&command.to_string());
        self.number
    }

    /// The oldest thing said that matches and has not been taken; waits for it.
    fn take(&mut self, what: &str, matches: impl Fn(&Value) -> bool) -> Value {
        self.take_before(Deadline::usual(), what, matches)
    }

    fn take_before(
        &mut self,
        deadline: Deadline,
        what: &str,
        matches: impl Fn(&Value) -> bool,
    ) -> Value {
        if let Some(place) = self.said.iter().position(&matches)
            && let Some(said) = self.said.remove(place)
        {
            return said;
        }
        while let Some(line) = self.seat.next_line(what, deadline) {
            // Lines that are no JSON come from standard error; a failure prints them.
            let Ok(said) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            if matches(&said) {
                return said;
            }
            self.said.push_back(said);
        }
        self.seat.fail(&format!("ended before this: {what}"));
    }
}

fn names(subscription: &Value, channel: &str) -> bool {
    subscription == channel
        || subscription
            .as_array()
            .is_some_and(|list| list.iter().any(|name| name == channel))
}
