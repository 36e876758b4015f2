//! The driver that is a page: the engine as WASM in Chromium, with the world of `examples/wasm` around it.
//!
//! There is no socket in a page. The bytes of the conversation, the same as for every driver, are handed to the page's
//! lines, which find the requests and frames in them; what is written comes back as bytes. The clients read those from a
//! socket whose other end the test holds, so that answers are read as those of programs are. What stays untested by
//! that is what a network does to bytes: each step's arrive in one piece.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::line::Line;
use super::{Conversation, Driver, Names, PAGE, Played, Step};
use crate::live::{Page, page_with_an_engine};

/// A world, and a function `turn` that does something to it and says what came of that. What the server writes is taken
/// as soon as it is there.
const TURN: &str = r#"
globalThis.turn = (() => {
  const world = new World(7, ORIGIN);
  const lines = new Set();
  const actions = {
    open: () => { const line = world.open(); lines.add(line); return line; },
    say: (line, base64) => world.send(line, Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))),
    hangUp: (line) => { lines.delete(line); world.hang_up(line); },
    look: () => {},
  };
  return (action, ...values) => {
    const result = actions[action](...values) ?? null;
    const written = [];
    for (let more = true; more;) {
      more = false;
      for (const line of lines) {
        if (world.waiting(line) === 0) continue;
        written.push([line, btoa(String.fromCharCode(...world.take(line)))]);
        more = true;
      }
    }
    const facts = JSON.parse(world.journal()).filter((entry) => entry.kind === "fact").map((entry) => entry.text);
    return { result, written, facts, ended: [...lines].filter((line) => world.has_ended(line)) };
  };
})();
null
"#;

/// The page, which is built when this is made.
#[derive(Clone, Debug)]
pub struct InPage {
    url: String,
}

impl InPage {
    /// Builds it.
    #[must_use]
    pub fn built() -> Self {
        Self {
            url: page_with_an_engine(),
        }
    }
}

impl Driver for InPage {
    fn name(&self) -> &str {
        "the engine in a page"
    }

    fn play(&self, conversation: &Conversation) -> Played {
        let mut stage = Stage::open(&self.url);
        for step in &conversation.steps {
            stage.play(step);
        }
        stage.end()
    }
}

/// The page, and the clients of a conversation.
struct Stage {
    page: Page,
    /// Both ends of those that are open, with the numbers that the page gives them.
    lines: BTreeMap<u8, (u64, Line)>,
    servers: BTreeMap<u64, TcpStream>,
    facts: Vec<String>,
    answers: Vec<String>,
    names: Names,
}

impl Stage {
    fn open(url: &str) -> Self {
        let mut page = Page::open(url);
        page.wait_for("document.documentElement.dataset.ready === 'yes'");
        page.evaluate(&TURN.replace("ORIGIN", &format!("{PAGE:?}")));
        let mut stage = Self {
            page,
            lines: BTreeMap::new(),
            servers: BTreeMap::new(),
            facts: Vec::new(),
            answers: Vec::new(),
            names: Names::default(),
        };
        stage.turn("'look'");
        stage
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Say { line, bytes } => self.say(*line, bytes),
            Step::Hear { line, who } => self.hear(*line, *who),
            Step::Taken { id } => assert!(self.has_taken(id), "nobody took {id} in"),
            Step::HangUp { line, id } => {
                assert!(self.has_taken(id), "nobody took {id} in");
                let (number, _) = self.lines.remove(line).expect("a line to hang up");
                self.hang_up(number);
            }
        }
    }

    fn say(&mut self, line: u8, bytes: &[u8]) {
        let bytes = BASE64_STANDARD.encode(self.names.fill(bytes));
        let number = match self.lines.get(&line) {
            Some((number, _)) => *number,
            None => self.dial(line),
        };
        self.turn(&format!("'say', {number}, '{bytes}'"));
    }

    /// A new line, and the socket by which its client hears.
    fn dial(&mut self, line: u8) -> u64 {
        let number = self.turn("'open'").as_u64().expect("a number of a line");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let client = Line::open(address);
        let (server, _) = listener.accept().expect("the client has connected");
        self.lines.insert(line, (number, client));
        self.servers.insert(number, server);
        number
    }

    fn hear(&mut self, line: u8, who: Option<&str>) {
        let (number, client) = self
            .lines
            .remove(&line)
            .expect("a line that something was said on");
        let (client, answer, cookie) = client.hear();
        self.lines.insert(line, (number, client));
        if let Some(who) = who {
            self.names.learn(who, &answer, cookie.as_deref());
        }
        self.answers.push(answer);
    }

    /// Whether the engine was told that message. What was said before, it has been.
    fn has_taken(&self, id: &str) -> bool {
        let id = format!("id: Given({id:?})");
        self.facts
            .iter()
            .any(|fact| fact.starts_with("Received") && fact.contains(&id))
    }

    fn hang_up(&mut self, number: u64) {
        self.turn(&format!("'hangUp', {number}"));
        self.servers.remove(&number);
    }

    /// Does something in the page, and passes on what comes of it.
    fn turn(&mut self, action: &str) -> Value {
        let mut came = self.page.evaluate(&format!("turn({action})"));
        let facts = came["facts"].as_array().into_iter().flatten();
        self.facts
            .extend(facts.filter_map(Value::as_str).map(str::to_owned));
        for written in came["written"].as_array().into_iter().flatten() {
            let number = written[0].as_u64().expect("a number of a line");
            let bytes = BASE64_STANDARD.decode(written[1].as_str().unwrap_or_default());
            let server = self.servers.get_mut(&number).expect("a line that is open");
            server
                .write_all(&bytes.expect("bytes in base64"))
                .expect("the client is there");
        }
        for ended in came["ended"].as_array().into_iter().flatten() {
            self.servers.remove(&ended.as_u64().unwrap_or_default());
        }
        came["result"].take()
    }

    /// All hang up.
    fn end(mut self) -> Played {
        let lines = std::mem::take(&mut self.lines);
        for (number, _) in lines.into_values() {
            self.hang_up(number);
        }
        Played {
            facts: self.facts,
            answers: self.answers,
            names: self.names,
        }
    }
}
