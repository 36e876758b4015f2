//! A server as an operator runs it: what all binaries do.

use std::io;
use std::pin::pin;
use std::process::ExitCode;

use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use futures_executor::block_on;
use futures_util::StreamExt as _;
use futures_util::future::{Either, ready, select};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command_line::{self, Asked, Stop, greeting};
use crate::config::Settings;
use crate::descriptors;
use crate::doctor;
use crate::log::Log;
use crate::server::{Builder, StartError};
use crate::service::{self, State};
use crate::stack::Stack;

const ABOUT: &str = "A Bayeux server: publish and subscribe for the clients of CometD and Faye.";

/// Runs a server with the command line of this process until it is told to end: by a first signal
/// gracefully, by a second at once. At SIGHUP it reloads. `name` is the binary's.
#[must_use]
pub fn main<S: Stack>(name: &'static str) -> ExitCode {
    let arguments = std::env::args_os();
    let done = match command_line::asked(name, ABOUT, arguments) {
        Ok(Asked::Serve(settings)) => serve::<S>(name, *settings),
        Ok(Asked::Examine(Ok(settings))) => Ok(doctor::run::<S>(Ok(&settings))),
        Ok(Asked::Examine(Err(mistakes))) => Ok(doctor::run::<S>(Err(&mistakes))),
        Err(stop) => Err(stop),
    };
    done.unwrap_or_else(|stop| stop.tell())
}

fn serve<S: Stack>(name: &'static str, settings: Settings) -> Result<ExitCode, Stop> {
    let log = Log::start(&settings);
    block_on(run::<S>(name, settings, &log)).map_err(|error| log.stop(error.into()))
}

async fn run<S: Stack>(
    name: &'static str,
    settings: Settings,
    log: &Log,
) -> Result<ExitCode, StartError> {
    let mut signals = signals()?;
    raise_descriptors(&settings);
    let mut running = Builder::<S>::new(settings.clone()).start().await?;
    log.say(&greeting(
        &settings,
        running.addresses(),
        running.admin_addresses(),
    ));
    service::tell(State::Ready);

    loop {
        match select(signals.next(), pin!(running.broken())).await {
            Either::Left((Some(SIGHUP), _)) => {}
            Either::Left(_) => break,
            Either::Right(_) => return Ok(ExitCode::FAILURE),
        }
        let arguments = std::env::args_os();
        running.reload_or_warn(command_line::parse_again(name, ABOUT, arguments));
    }
    tracing::info!("stopping");
    service::tell(State::Stopping);
    let handle = running.handle();
    let mut ends = signals.filter(|signal| ready(*signal != SIGHUP));
    select(pin!(running.shutdown()), ends.next()).await;
    tracing::info!("stopped");
    log.say(&format!("facts that crossed shards: {}", handle.crossed()));
    Ok(ExitCode::SUCCESS)
}

/// What asks a process to end, or to reload, from a thread that waits for it.
fn signals() -> io::Result<UnboundedReceiver<i32>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
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

/// A socket for each client, if the system allows it; if not, `limits.maxSockets` is not what bounds them.
fn raise_descriptors(settings: &Settings) {
    let sockets = settings.sockets.total;
    match descriptors::raise(sockets) {
        Ok((before, after)) if before.soft == after.soft => {}
        Ok((before, after)) => {
            tracing::debug!(
                before.soft,
                after.soft,
                "the limit on open files was raised"
            );
        }
        Err(error) => tracing::warn!(%error, "the limit on open files could not be raised"),
    }
}
