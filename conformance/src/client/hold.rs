//! Connects that are sent and not waited for.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::time::Instant;

use serde_json::Value;

use super::{Client, is_event};
use crate::check::{Checked, Stop};
use crate::http::{HttpConnection, Response};

/// A connect that was sent and whose answer was not waited for.
#[derive(Debug)]
pub struct Hold {
    /// The message's id.
    pub id: String,
    /// Over the transports that poll, where the answer is to come.
    connection: Option<HttpConnection>,
}

impl Client<'_> {
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
}
