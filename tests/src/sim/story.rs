//! The story of a run: a line an event, and a digest of all of them.
//!
//! The digest is taken of what was sent and when, whether or not somebody wants to read the lines.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};

use bayeux_core::Instant;
use serde_json::Value;

/// Who is to read the story.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Telling {
    /// Nobody: only its digest is wanted.
    Silent,
    /// Somebody: every line is kept.
    Full,
}

pub(super) struct Story {
    telling: Telling,
    pub(super) lines: Vec<String>,
    digest: DefaultHasher,
}

impl Story {
    pub(super) fn new(telling: Telling) -> Self {
        Self {
            telling,
            lines: Vec::new(),
            digest: DefaultHasher::new(),
        }
    }

    pub(super) fn tell(&mut self, now: Instant, line: impl FnOnce() -> String) {
        if self.telling == Telling::Full {
            let millis = now.since_epoch().as_millis();
            let (seconds, millis) = (millis / 1_000, millis % 1_000);
            self.lines
                .push(format!("{seconds:>5}.{millis:03}  {}", line()));
        }
    }

    /// Adds to the digest.
    pub(super) fn note(&mut self, what: impl Hash) {
        what.hash(&mut self.digest);
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest.finish()
    }
}

/// A frame in short: who wants what, who is told what.
pub(super) fn in_short(frame: &[u8]) -> String {
    let Ok(Value::Array(messages)) = serde_json::from_slice(frame) else {
        return String::from_utf8_lossy(frame).into_owned();
    };
    let mut short = String::new();
    for message in &messages {
        if !short.is_empty() {
            short.push_str(", ");
        }
        message_in_short(&mut short, message);
    }
    short
}

fn message_in_short(short: &mut String, message: &Value) {
    let text = |name: &str| message.get(name).and_then(Value::as_str);
    let channel = text("channel").unwrap_or("?");
    let _ = write!(short, "{}", channel.trim_start_matches("/meta/"));
    if let Some(id) = text("id") {
        let _ = write!(short, "#{id}");
    }
    if let Some(pattern) = message.get("subscription") {
        let _ = write!(short, " {pattern}");
    }
    if let Some(number) = message.pointer("/data/n") {
        let _ = write!(short, " n{number}");
    }
    if let Some(number) = message.pointer("/ext/ack") {
        let _ = write!(short, " ack {number}");
    }
    if let Some(successful) = message.get("successful") {
        let answer = if successful == true { "ok" } else { "no" };
        let _ = write!(short, " {answer}");
    }
    if let Some(session) = text("clientId") {
        let _ = write!(short, " as {}", session.get(..4).unwrap_or(session));
    }
    if let Some(error) = text("error") {
        let _ = write!(short, " {error}");
    }
    if let Some(advice) = message.pointer("/advice/reconnect").and_then(Value::as_str)
        && advice != "retry"
    {
        let _ = write!(short, " advice {advice}");
    }
}
