//! A server as an operator runs it: what all binaries do.

use std::io::{self, Write as _};
use std::pin::pin;
use std::process::ExitCode;

use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use futures_executor::block_on;
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command_line::{self, Stop, greeting};
use crate::config::Settings;
use crate::log;
use crate::server::{Builder, StartError};
use crate::stack::Stack;

const ABOUT: &str = "A Bayeux server: publish and subscribe for the clients of CometD and Faye.";

/// Runs a server with the command line of this process until it is told to end: by a first signal
/// gracefully, by a second at once. `name` is the binary's.
#[must_use]
pub fn main<S: Stack>(name: &'static str) -> ExitCode {
    let arguments = std::env::args_os();
    match command_line::parse(name, ABOUT, arguments).and_then(serve::<S>) {
        Ok(code) => code,
        Err(stop) => stop.tell(),
    }
}

fn serve<S: Stack>(settings: Settings) -> Result<ExitCode, Stop> {
    log::start(&settings.log);
    block_on(run::<S>(settings)).map_err(Stop::from)
}

async fn run<S: Stack>(settings: Settings) -> Result<ExitCode, StartError> {
    let mut signals = signals()?;
    let mut running = Builder::<S>::new(settings.clone()).start().await?;
    say(&greeting(&settings, running.addresses()));

    if let Either::Right(_) = select(signals.next(), pin!(running.broken())).await {
        return Ok(ExitCode::FAILURE);
    }
    let handle = running.handle();
    select(pin!(running.shutdown()), signals.next()).await;
    say(&format!("facts that crossed shards: {}", handle.crossed()));
    Ok(ExitCode::SUCCESS)
}

/// What asks a process to end, from a thread that waits for it.
fn signals() -> io::Result<UnboundedReceiver<i32>> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let (sender, receiver) = unbounded();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if sender.unbounded_send(signal).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

/// Nobody may be there to read it.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
