//! A Bayeux server on threads: the engine, with the standard library around it.
//!
//! ```text
//! cargo run -p bayeux-core --example blocking -- [ADDRESS] [--allow-origin ORIGIN] [--facts]
//! cargo run -p bayeux-core --example blocking -- --check
//! ```
//!
//! It serves `http://ADDRESS/bayeux` over long-polling, callback-polling and websocket, pages of
//! `ORIGIN` too, and prints each fact that the engine is told. With `--check` it serves itself, and
//! says if that worked.
//!
//! One thread has the engine and does nothing but [`run`]. Each TCP connection has a thread of its
//! own (a websocket has two), which tells it facts over one channel and gets its orders over another.
//! Lines typed at the terminal are published to `/console`; nobody may publish below `/closed`.

mod check;
mod http;
mod net;
mod websocket;

use std::error::Error;
use std::net::TcpListener;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use std::{env, io, thread};

use bayeux_core::http::{BrowserCookie, CookieOptions, Options, Origins};
use bayeux_core::{
    Call, CallResult, CallTicket, Config, Decider, DeciderId, DecisionTicket, DecodeLimits, Denial,
    Engine, Input, Instant, Laziness, MemoryOptions, MemoryStore, NodeId, Operations, Output,
    Payload, Question, Report, Role, Seed, StoreRequest, StoreTicket, Verdict,
};

use crate::net::Net;

fn main() -> Result<(), Box<dyn Error>> {
    let mut address = "127.0.0.1:8080".to_owned();
    let mut options = Options::default();
    let mut facts = Facts::Silent;
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--allow-origin" => {
                let origin = arguments.next().unwrap_or_default().parse()?;
                options.origins = Origins::Listed([origin].into());
            }
            "--facts" => facts = Facts::Printed,
            "--check" => return check::check(),
            _ => address = argument,
        }
    }
    let listener = TcpListener::bind(address)?;
    println!("http://{}/bayeux", listener.local_addr()?);
    let facts = start(listener, options, facts)?;
    for (number, line) in (0..).zip(io::stdin().lines()) {
        let call = Call::Publish {
            channel: "/console".parse()?,
            data: Payload::string(&line?),
            ext: None,
            laziness: Laziness::Prompt,
        };
        let ticket = CallTicket::new(number);
        facts.send(Input::Called { ticket, call })?;
    }
    loop {
        thread::park(); // Nobody types: serve on.
    }
}

/// Drives `engine` on this thread until the last sender of `facts` is dropped.
fn run(mut engine: Engine, facts: &Receiver<Input>, net: &Net, store: &mut Store, app: &App) {
    let epoch = std::time::Instant::now(); // the only clock there is
    let now = || Instant::from_epoch(epoch.elapsed());
    loop {
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Receive { connection } => net.receive(connection),
                Output::Send { connection, batch } => net.send(connection, batch),
                Output::Close { connection, reason } => net.close(connection, reason),
                Output::Store { ticket, request } => store.submit(now(), ticket, request),
                Output::Decide { ticket, question } => app.decide(ticket, &question),
                Output::Return { ticket, result } => app.returned(ticket, &result),
                Output::Report(report) => app.report(&report),
            }
        }
        let fact = match engine.poll_timeout() {
            Some(due) => facts.recv_timeout(due.saturating_duration_since(now())),
            None => facts.recv().map_err(RecvTimeoutError::from),
        };
        match fact {
            Ok(input) => engine.handle(now(), input),
            Err(RecvTimeoutError::Timeout) => engine.handle(now(), Input::Elapsed),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What becomes of a fact besides being handled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Facts {
    Silent,
    Printed,
}

/// Serves on threads of its own, until the process ends. What is returned takes the application's
/// facts.
fn start(
    listener: TcpListener,
    options: Options,
    shown: Facts,
) -> Result<Sender<Input>, Box<dyn Error>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let config = Config {
        wall_clock: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?,
        deciders: vec![App::decider()?],
        ..Config::default()
    };
    let (facts, inbox) = mpsc::channel();
    let inbox = match shown {
        Facts::Silent => inbox,
        Facts::Printed => printed(inbox),
    };
    let net = Arc::new(Net {
        facts: facts.clone(),
        options,
        cookie: BrowserCookie::new(&CookieOptions::default())?,
        limits: DecodeLimits::default(),
        orders: Mutex::default(),
        last: AtomicU64::new(0),
    });
    let mut store = Store::new(facts.clone(), &config);
    let app = App {
        facts: facts.clone(),
    };
    let engine = Engine::new(config, Seed::new(seed));

    thread::spawn({
        let net = Arc::clone(&net);
        move || run(engine, &inbox, &net, &mut store, &app)
    });
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                thread::sleep(Duration::from_millis(100)); // No descriptor is free.
                continue;
            };
            let net = Arc::clone(&net);
            // Whatever ends a connection was told to the engine, and nobody else wants to know.
            drop(thread::Builder::new().spawn(move || http::serve(&net, &stream)));
        }
    });
    Ok(facts)
}

/// The same facts, printed as they pass.
fn printed(facts: Receiver<Input>) -> Receiver<Input> {
    let (sender, inbox) = mpsc::channel();
    thread::spawn(move || {
        for fact in facts {
            println!("fact: {fact:?}");
            if sender.send(fact).is_err() {
                return;
            }
        }
    });
    inbox
}

/// The log and the sessions, in memory. It answers at once, by sending facts.
struct Store {
    memory: MemoryStore,
    node: NodeId,
    facts: Sender<Input>,
}

impl Store {
    fn new(facts: Sender<Input>, config: &Config) -> Self {
        let mut memory = MemoryStore::new(MemoryOptions::for_config(config));
        let node = memory.attach();
        let mut store = Self {
            memory,
            node,
            facts,
        };
        store.answer(Instant::EPOCH); // that it is up
        store
    }

    fn submit(&mut self, now: Instant, ticket: StoreTicket, request: StoreRequest) {
        self.memory.submit(self.node, now, ticket, request);
        self.answer(now);
    }

    fn answer(&mut self, now: Instant) {
        while let Some(fact) = self.memory.poll(self.node, now) {
            let _ = self.facts.send(fact);
        }
    }
}

/// What is peculiar to this server.
struct App {
    facts: Sender<Input>,
}

impl App {
    /// Whom to ask: nobody is asked about anything else.
    fn decider() -> Result<Decider, Box<dyn Error>> {
        let role = Role::Authorizer {
            pattern: "/closed/**".parse()?,
            operations: Operations {
                publish: true,
                ..Operations::default()
            },
        };
        let id = DeciderId(1);
        Ok(Decider { id, role })
    }

    fn decide(&self, ticket: DecisionTicket, question: &Question) {
        println!("{:?} may not publish there", question.session);
        let verdict = Verdict::Deny(Box::new(Denial {
            reason: Some("closed".into()),
            ..Denial::default()
        }));
        let _ = self.facts.send(Input::Decided { ticket, verdict });
    }

    fn returned(&self, ticket: CallTicket, result: &CallResult) {
        println!("line {}: {result:?}", ticket.number());
    }

    fn report(&self, report: &Report) {
        println!("{report:?}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_serves_every_transport() {
        super::check::check().unwrap();
    }
}
