//! What clients send, and what they wait for in between.

use super::{Names, PAGE};

/// A conversation over several lines, which are connections of TCP.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// In order.
    pub steps: Vec<Step>,
}

/// One step; the next begins when it is done.
#[derive(Clone, Debug)]
pub enum Step {
    /// These bytes go out on a line, which is new if it was not named before. [`Names`] in them are filled in.
    Say {
        /// On which.
        line: u8,
        /// What.
        bytes: Vec<u8>,
    },
    /// An answer is waited for: a response, or after an upgrade a frame. It may tell of a session of this name.
    Hear {
        /// On which line.
        line: u8,
        /// Who learns its session by it.
        who: Option<&'static str>,
    },
    /// The engine was told a message with this `id`: what comes next finds it at work on that.
    Taken {
        /// A string that no other message has.
        id: &'static str,
    },
    /// The client closes the line, and the engine is told so.
    HangUp {
        /// Which.
        line: u8,
        /// The `id` of a message that came by it.
        id: &'static str,
    },
}

impl Conversation {
    /// Nothing said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A POST of `body` with these headers, and its answer.
    #[must_use]
    pub fn post(self, line: u8, headers: &str, body: &str) -> Self {
        self.say(line, post(headers, body)).hear(line)
    }

    /// A POST of one message or several in the name of nobody else; `message` is the inside of an array.
    #[must_use]
    pub fn ask(self, line: u8, messages: &str) -> Self {
        self.post(line, "", &format!("[{messages}]"))
    }

    /// The same, taken in by the engine and not answered for the time being.
    #[must_use]
    pub fn hold(self, line: u8, id: &'static str, messages: &str) -> Self {
        self.say(line, post("", &format!("[{messages}]"))).taken(id)
    }

    /// A handshake over HTTP, by which `who` gets a session.
    #[must_use]
    pub fn greet(self, line: u8, who: &'static str, headers: &str) -> Self {
        let body = format!("[{}]", handshake(&format!("{who} greets"), ""));
        self.say(line, post(headers, &body)).learn(line, who)
    }

    /// Bytes of any kind.
    #[must_use]
    pub fn say(self, line: u8, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.then(Step::Say { line, bytes })
    }

    /// Messages in a frame of a websocket.
    #[must_use]
    pub fn text(self, line: u8, messages: &str) -> Self {
        self.say(line, frame(0x81, format!("[{messages}]").as_bytes()))
    }

    /// An answer.
    #[must_use]
    pub fn hear(self, line: u8) -> Self {
        self.then(Step::Hear { line, who: None })
    }

    /// An answer that may have a session for `who`.
    #[must_use]
    pub fn learn(self, line: u8, who: &'static str) -> Self {
        let who = Some(who);
        self.then(Step::Hear { line, who })
    }

    /// Waits until the engine was told a message.
    #[must_use]
    pub fn taken(self, id: &'static str) -> Self {
        self.then(Step::Taken { id })
    }

    /// The client of that message goes away.
    #[must_use]
    pub fn hang_up(self, line: u8, id: &'static str) -> Self {
        self.then(Step::HangUp { line, id })
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// A handshake, with further members.
#[must_use]
pub fn handshake(id: &str, members: &str) -> String {
    let types = r#"["long-polling","callback-polling","websocket"]"#;
    format!(
        r#"{{"channel":"/meta/handshake","id":"{id}","version":"1.0","supportedConnectionTypes":{types}{members}}}"#
    )
}

/// A message of `who`, with further members.
#[must_use]
pub fn message(who: &str, id: &str, channel: &str, members: &str) -> String {
    let session = Names::session(who);
    format!(r#"{{"channel":"{channel}","id":"{id}","clientId":"{session}"{members}}}"#)
}

/// A request with a body.
#[must_use]
pub fn post(headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST /bayeux HTTP/1.1\r\nHost: bayeux.example\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into()
}

/// A request without.
#[must_use]
pub fn request(method: &str, target: &str, headers: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: bayeux.example\r\n{headers}\r\n").into()
}

/// A poll by a script: letters and digits of messages stay readable, and names can be filled in.
#[must_use]
pub fn script(messages: &str) -> Vec<u8> {
    let encoded = |byte: u8| match byte {
        b'-' => "-".to_owned(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let messages: String = format!("[{messages}]").bytes().map(encoded).collect();
    request("GET", &format!("/bayeux?jsonp=f&message={messages}"), "")
}

/// What asks for a websocket.
#[must_use]
pub fn upgrade(headers: &str) -> Vec<u8> {
    let asked = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    request("GET", "/bayeux", &format!("{asked}{key}{headers}"))
}

/// A frame of less than 64 KiB under a mask of zeros, so that names can be filled in.
#[must_use]
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short frame");
    let mut bytes = vec![first, 0x80 | 126];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// The header that a browser adds for a page of another origin.
#[must_use]
pub fn from_page() -> String {
    format!("Origin: {PAGE}\r\n")
}
