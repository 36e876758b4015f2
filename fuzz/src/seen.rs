//! What clients see of a server in one step, in words that do not depend on which server it is.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// What was seen on each connection since it was asked last. Sessions are called `#0`, `#1`, … in the order
/// in which their handshakes were answered.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Seen(pub BTreeMap<u32, Heard>);

/// What is seen of a socket that broke as it was written to. How much of what was under way it had been
/// given by then is left open by the protocol.
pub const BROKEN: &str = "broken";

/// What was seen on one connection.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Heard {
    /// The messages that came, in order; where a frame ends is not looked at.
    pub messages: Vec<Value>,
    /// The messages that an exchange was sent and that did not come, the connection having broken.
    pub lost: Vec<Value>,
    /// That the server has closed it, and why: the name of a [`CloseReason`](bayeux_core::CloseReason),
    /// or [`BROKEN`].
    pub closed: Option<&'static str>,
}

impl Seen {
    /// Something is seen on a connection.
    pub fn on(&mut self, connection: u32) -> &mut Heard {
        self.0.entry(connection).or_default()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return writeln!(f, "    nothing");
        }
        for (connection, heard) in &self.0 {
            for message in &heard.messages {
                writeln!(f, "    connection {connection}: {message}")?;
            }
            for message in &heard.lost {
                writeln!(f, "    connection {connection}, lost: {message}")?;
            }
            if let Some(why) = heard.closed {
                writeln!(f, "    connection {connection} is closed: {why}")?;
            }
        }
        Ok(())
    }
}
