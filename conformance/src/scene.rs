//! Where a check takes place.

use std::time::Duration;

use serde_json::Value;

use crate::check::{Checked, Stop, Transport};
use crate::client::Client;
use crate::http::{HttpConnection, Response};
use crate::options::{Options, Profile};
use crate::transcript::Transcript;
use crate::websocket::WebSocket;
use crate::wire::Wire;

/// One check's view of the server.
#[derive(Debug)]
pub struct Scene<'a> {
    /// What the suite was told.
    pub options: &'a Options,
    /// What it found out.
    pub facts: &'a ServerFacts,
    /// The transport over which the check is tried.
    pub transport: Transport,
    /// What has gone over the wire.
    pub transcript: Transcript,
    /// The beginning of the names of this check's channels.
    prefix: String,
}

/// What is known of the server before the checks.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// The transports that it offers and that answer.
    pub transports: Vec<Transport>,
    /// Its longest hold.
    pub timeout: Duration,
    /// The wait that it advises between connects.
    pub interval: Duration,
}

impl<'a> Scene<'a> {
    /// A scene of its own; `name` is in the names of its channels and must be unique on the server.
    pub fn new(
        options: &'a Options,
        facts: &'a ServerFacts,
        transport: Transport,
        name: &str,
    ) -> Self {
        Self {
            options,
            facts,
            transport,
            transcript: Transcript::default(),
            prefix: format!("/{name}"),
        }
    }

    /// A channel that no other check uses.
    pub fn channel(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// A client that has sent nothing yet.
    ///
    /// # Errors
    ///
    /// If a websocket is needed and cannot be opened.
    pub fn client(&self) -> Checked<Client<'_>> {
        Client::open(self, self.transport)
    }

    /// A client of another transport than the scene's.
    ///
    /// # Errors
    ///
    /// If the server does not offer it, or it cannot be opened.
    pub fn client_over(&self, transport: Transport) -> Checked<Client<'_>> {
        if !self.facts.transports.contains(&transport) {
            return Err(Stop::not_checked(format!("there is no {transport}")));
        }
        Client::open(self, transport)
    }

    /// A client that has shaken hands.
    ///
    /// # Errors
    ///
    /// If the server refuses it.
    pub fn greeted(&self) -> Checked<Client<'_>> {
        let mut client = self.client()?;
        client.handshake()?;
        Ok(client)
    }

    /// A client whose first connect has been answered.
    ///
    /// # Errors
    ///
    /// If the server refuses it.
    pub fn connected(&self) -> Checked<Client<'_>> {
        let mut client = self.greeted()?;
        client.connect_now()?;
        Ok(client)
    }

    /// A client that is connected and subscribed.
    ///
    /// # Errors
    ///
    /// If the server refuses it.
    pub fn subscriber(&self, channels: &[&str]) -> Checked<Client<'_>> {
        let mut client = self.connected()?;
        for channel in channels {
            client.subscribe(*channel)?;
        }
        Ok(client)
    }

    /// A connection to the server.
    ///
    /// # Errors
    ///
    /// If it does not accept.
    pub fn wire(&self) -> Checked<Wire> {
        let options = self.options;
        let trust = options.trust.as_ref();
        Wire::open(&options.target, trust, options.patience, &self.transcript)
    }

    /// A connection for HTTP.
    ///
    /// # Errors
    ///
    /// If the server does not accept.
    pub fn http(&self) -> Checked<HttpConnection> {
        Ok(HttpConnection::over(
            self.wire()?,
            &self.options.target.host,
        ))
    }

    /// The answer to a POST of that body, over a connection of its own.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub fn post(&self, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Checked<Response> {
        self.http()?
            .request("POST", self.base(), headers, body.as_ref())
    }

    /// A websocket, open, on which nothing was sent.
    ///
    /// # Errors
    ///
    /// If the server does not upgrade.
    pub fn websocket(&self, headers: &[(&str, &str)]) -> Checked<(WebSocket, Response)> {
        WebSocket::open(self.http()?, self.base(), headers)
    }

    /// The path of the base.
    pub fn base(&self) -> &str {
        self.options.target.base()
    }

    /// How long a connect that is held may take to be answered.
    pub fn longest_hold(&self) -> Duration {
        self.facts.timeout + self.options.patience
    }

    /// Not checked unless a hold lasts long enough to be told from an answer at once: within three quarters of it, so that
    /// a busy machine is not taken for a hold.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn needs_long_hold(&self) -> Checked<Duration> {
        if self.facts.timeout < Duration::from_secs(2) {
            return Err(Stop::not_checked("the server's timeout is below 2 s"));
        }
        Ok(self.facts.timeout * 3 / 4)
    }

    /// Not checked unless a hold ends within a minute.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn needs_short_hold(&self) -> Checked<Duration> {
        if self.facts.timeout > Duration::from_secs(60) {
            return Err(Stop::not_checked("the server's timeout is above 60 s"));
        }
        Ok(self.facts.timeout)
    }

    /// Not checked unless that is known.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn needs<T: Clone>(&self, option: &Option<T>, name: &str) -> Checked<T> {
        option
            .clone()
            .ok_or_else(|| Stop::not_checked(format!("needs --{name}")))
    }

    /// Fails unless the message is a reply that refuses, with that error. Faye numbers its errors differently: there any
    /// error of that form does.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn refused(&self, reply: &Value, error: &str) -> Checked {
        let given = reply.get("error").and_then(Value::as_str);
        let is_refusal = reply.get("successful") == Some(&Value::Bool(false));
        let is_due = match self.options.profile {
            Profile::Strict | Profile::CometD => given == Some(error),
            Profile::Faye => given.is_some_and(has_form),
        };
        if is_refusal && is_due {
            return Ok(());
        }
        Err(Stop::failed(format!(
            "{reply} where a refusal with {error:?} is due"
        )))
    }
}

/// Three digits, a colon, anything, a colon, anything.
fn has_form(error: &str) -> bool {
    let mut parts = error.splitn(3, ':');
    let code = parts.next().unwrap_or_default();
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) && parts.count() == 2
}
