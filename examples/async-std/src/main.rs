//! A Bayeux server on async-std: the engine, with hyper and async-tungstenite around it.
//!
//! ```text
//! cargo run -p bayeux-example-async-std -- [ADDRESS] [--allow-origin ORIGIN] [--facts]
//! ```
//!
//! It serves `http://ADDRESS/bayeux`, pages of `ORIGIN` too, and prints each fact that the engine is
//! told. One task has the engine and does nothing but [`run`]; hyper has a task for each TCP
//! connection, and each websocket has one. All of them tell facts over one channel, and get their
//! orders over one each.
//!
//! async-std is discontinued. This shows that the engine does not mind.

mod http;
mod net;
mod websocket;

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_std::future::timeout;
use async_std::net::TcpListener;
use async_std::task;
use bayeux_core::http::{Options, Origins};
use bayeux_core::{
    Config, Engine, Input, Instant, MemoryOptions, MemoryStore, Output, ReportKind, Seed, Verdict,
};
use futures_channel::mpsc::{self, UnboundedReceiver};
use futures_util::StreamExt;

use crate::net::Net;

fn main() -> Result<(), Box<dyn Error>> {
    let mut address = "127.0.0.1:8080".to_owned();
    let mut options = Options::default();
    let mut shows_facts = false;
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--allow-origin" => {
                let origin = arguments.next().unwrap_or_default().parse()?;
                options.origins = Origins::Listed([origin].into());
            }
            "--facts" => shows_facts = true,
            _ => address = argument,
        }
    }
    task::block_on(serve(&address, options, shows_facts))
}

/// Serves until the process ends.
async fn serve(address: &str, options: Options, shows_facts: bool) -> Result<(), Box<dyn Error>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let config = Config {
        wall_clock: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?,
        ..Config::default()
    };
    let store = MemoryStore::new(MemoryOptions::for_config(&config));
    let engine = Engine::new(config, Seed::new(seed));
    let (facts, inbox) = mpsc::unbounded();
    let net = Arc::new(Net::new(facts, options)?);
    task::spawn(run(engine, inbox, Arc::clone(&net), store, shows_facts));

    let listener = TcpListener::bind(address).await?;
    println!("http://{}/bayeux", listener.local_addr()?);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            task::sleep(Duration::from_millis(100)).await; // No descriptor is free.
            continue;
        };
        task::spawn(http::serve(Arc::clone(&net), stream, peer));
    }
}

/// Drives `engine` until the last sender of `facts` is dropped.
async fn run(
    mut engine: Engine,
    mut facts: UnboundedReceiver<Input>,
    net: Arc<Net>,
    mut store: MemoryStore,
    shows_facts: bool,
) {
    let node = store.attach();
    let epoch = std::time::Instant::now(); // the only clock there is
    let now = || Instant::from_epoch(epoch.elapsed());
    loop {
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Receive { connection } => net.receive(connection),
                Output::Send { connection, batch } => net.send(connection, batch),
                Output::Close { connection, reason } => net.close(connection, reason),
                Output::Store { ticket, request } => store.submit(node, now(), ticket, request),
                Output::Decide { ticket, .. } => {
                    let verdict = Verdict::Abstain; // Nobody wants to be asked.
                    net.say(Input::Decided { ticket, verdict });
                }
                Output::Return { ticket, .. } => println!("nobody made this call: {ticket:?}"),
                Output::Report(report) => {
                    if let ReportKind::Broken(what) = report.kind {
                        println!("a fault of the engine: {what}");
                    }
                }
            }
        }
        let fact = match (store.poll(node, now()), engine.poll_timeout()) {
            (Some(news), _) => Ok(Some(news)),
            (None, Some(due)) => timeout(due.saturating_duration_since(now()), facts.next()).await,
            (None, None) => Ok(facts.next().await),
        };
        let fact = match fact {
            Ok(Some(fact)) => fact,
            Ok(None) => return,
            Err(_) => Input::Elapsed,
        };
        if shows_facts {
            println!("fact: {fact:?}");
        }
        engine.handle(now(), fact);
    }
}
