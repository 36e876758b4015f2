//! A driver that is a program with sockets, and prints the facts that its engine is told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use super::conversation::post;
use super::line::Line;
use super::told::connection_of;
use super::{Conversation, Driver, Names, PAGE, Played, Step};
use crate::live::{Process, executable};

/// A program, how it is started, and how it marks a fact that it prints.
#[derive(Clone, Debug)]
pub struct Program {
    name: &'static str,
    executable: PathBuf,
    arguments: Vec<&'static str>,
    mark: &'static str,
}

impl Program {
    /// A server with the command line that all of ours have.
    #[must_use]
    pub fn server(package: &'static str) -> Self {
        let log = ["--log", "bayeux_server::shard=trace"];
        let start = ["--listen", "127.0.0.1:0", "--shards", "1"];
        Self {
            name: package,
            executable: executable("--bin", package),
            arguments: [&start[..], &log].concat(),
            mark: " TRACE bayeux_server::shard: fact=",
        }
    }

    /// An example, which is a program of that kind, `--bin` or `--example`, and of that name.
    #[must_use]
    pub fn example(kind: &str, name: &'static str) -> Self {
        Self {
            name,
            executable: executable(kind, name),
            arguments: vec!["127.0.0.1:0", "--facts"],
            mark: "fact: ",
        }
    }
}

impl Driver for Program {
    fn name(&self) -> &str {
        self.name
    }

    fn play(&self, conversation: &Conversation) -> Played {
        let mut stage = Stage::start(self);
        for step in &conversation.steps {
            stage.play(step);
        }
        stage.end()
    }
}

/// A running program, and the clients of a conversation.
struct Stage {
    process: Process,
    mark: &'static str,
    address: SocketAddr,
    lines: BTreeMap<u8, Line>,
    facts: Vec<String>,
    answers: Vec<String>,
    names: Names,
}

impl Stage {
    fn start(program: &Program) -> Self {
        let mut command = Command::new(&program.executable);
        command.args(&program.arguments);
        command.args(["--allow-origin", PAGE]);
        let mut process = Process::start(program.name, &mut command);
        let mut facts = Vec::new();
        let address = process.wait_for("say where it listens", |line| {
            facts.extend(fact_in(line, program.mark));
            let (_, url) = line.rsplit_once("http://")?;
            url.strip_suffix("/bayeux")?.parse().ok()
        });
        Self {
            process,
            mark: program.mark,
            address,
            lines: BTreeMap::new(),
            facts,
            answers: Vec::new(),
            names: Names::default(),
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Say { line, bytes } => self.say(*line, bytes),
            Step::Hear { line, who } => {
                let (answer, cookie) = self.hear(*line);
                if let Some(who) = who {
                    self.names.learn(who, &answer, cookie.as_deref());
                }
                self.answers.push(answer);
            }
            Step::Taken { id } => {
                self.taken(id);
            }
            Step::HangUp { line, id } => {
                self.lines.remove(line);
                let connection = self.taken(id);
                self.wait_for_fact("notice that a client went away", |fact| {
                    fact.starts_with("Closed") && connection_of(fact) == connection
                });
            }
        }
    }

    fn say(&mut self, line: u8, bytes: &[u8]) {
        let bytes = self.names.fill(bytes);
        let open = || Line::open(self.address);
        self.lines.entry(line).or_insert_with(open).say(&bytes);
    }

    /// The next answer on a line, and the cookie that it sets.
    fn hear(&mut self, number: u8) -> (String, Option<String>) {
        let line = self
            .lines
            .remove(&number)
            .expect("a line that something was said on");
        let (line, answer, cookie) = line.hear();
        self.lines.insert(number, line);
        (answer, cookie)
    }

    /// Waits until the engine was told that message, and gives the connection that it came by.
    fn taken(&mut self, id: &str) -> Option<u64> {
        let id = format!("id: Given({id:?})");
        let is_it = |fact: &str| fact.starts_with("Received") && fact.contains(&id);
        connection_of(self.wait_for_fact("take a message in", is_it))
    }

    /// The first fact of that kind, now or later.
    fn wait_for_fact(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> &str {
        let known = self.facts.iter().position(|fact| is_it(fact));
        let place = known.unwrap_or_else(|| {
            while !is_it(self.next_fact(what)) {}
            self.facts.len() - 1
        });
        self.facts.get(place).map_or("", String::as_str)
    }

    fn next_fact(&mut self, what: &str) -> &str {
        let next = |line: &str| fact_in(line, self.mark);
        let fact = self.process.wait_for(what, next);
        self.facts.push(fact);
        self.facts.last().map_or("", String::as_str)
    }

    /// All hang up. What the engine is told before a last request was answered twice, it was told in the conversation:
    /// the store has replied by then to whatever it was asked.
    fn end(mut self) -> Played {
        self.lines.clear();
        for last in ["last", "very last"] {
            let farewell =
                format!(r#"[{{"channel":"/meta/connect","id":"{last}","clientId":"none"}}]"#);
            self.say(0, &post("", &farewell));
            self.hear(0);
            self.taken(last);
        }
        while !open(&self.facts).is_empty() {
            self.next_fact("finish with every connection");
        }
        let farewells = BTreeSet::from_iter(
            self.facts
                .iter()
                .filter_map(|fact| connection_of(fact).filter(|_| fact.contains(r#"last")"#))),
        );
        self.facts
            .retain(|fact| connection_of(fact).is_none_or(|it| !farewells.contains(&it)));
        Played {
            facts: self.facts,
            answers: self.answers,
            names: self.names,
        }
    }
}

fn fact_in(line: &str, mark: &str) -> Option<String> {
    Some(line.split_once(mark)?.1.to_owned())
}

/// The connections that have not had their end.
fn open(facts: &[String]) -> BTreeSet<u64> {
    let mut exchanges = BTreeSet::new();
    let mut all = BTreeSet::new();
    for fact in facts {
        let Some(connection) = connection_of(fact) else {
            continue;
        };
        if fact.starts_with("Opened") {
            all.insert(connection);
            if !fact.contains("transport: WebSocket") {
                exchanges.insert(connection);
            }
        }
        let is_written = fact.starts_with("Written") && exchanges.contains(&connection);
        if is_written || fact.starts_with("Closed") {
            all.remove(&connection);
        }
    }
    all
}
