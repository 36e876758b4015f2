//! The binary.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use bayeux_server_tokio::command_line::{self, Stop, greeting};
use bayeux_server_tokio::{Builder, Settings, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

const ABOUT: &str = "A Bayeux server: publish and subscribe for the clients of CometD and Faye.";

fn main() -> ExitCode {
    let arguments = std::env::args_os();
    match command_line::parse("bayeux-server-tokio", ABOUT, arguments).and_then(serve) {
        Ok(code) => code,
        Err(stop) => stop.tell(),
    }
}

fn serve(settings: Settings) -> Result<ExitCode, Stop> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives(&settings.log)))
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();

    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let run = |tokio: tokio::runtime::Runtime| tokio.block_on(run(settings));
    tokio
        .map_err(StartError::System)
        .and_then(run)
        .map_err(|error| {
            if let StartError::Listen(address, error) = &error {
                return Stop::cannot_listen(*address, error);
            }
            Stop::cannot_start(&error)
        })
}

/// What to log, with the libraries below kept to their warnings unless they are named: some of them print
/// whole messages, secrets and all.
fn directives(asked: &str) -> String {
    let asked_for = || asked.split(',').map(str::trim);
    let is_chatty = |level: &str| {
        level
            .parse()
            .is_ok_and(|level: LevelFilter| level > LevelFilter::WARN)
    };
    if !asked_for().any(is_chatty) {
        return asked.into();
    }
    let is_named = |target: &str| asked_for().any(|one| one.split('=').next() == Some(target));
    let quiet = ["h2", "hyper", "hyper_util", "tungstenite"]
        .into_iter()
        .filter(|target| !is_named(target));
    quiet.fold(asked.into(), |all, target| format!("{all},{target}=warn"))
}

async fn run(settings: Settings) -> Result<ExitCode, StartError> {
    let mut signals = Signals::new()?;
    let mut running = Builder::new(settings.clone()).start().await?;
    say(&greeting(
        &settings,
        running.addresses(),
        running.admin_addresses(),
    ));

    tokio::select! {
        () = signals.next() => {}
        () = running.broken() => return Ok(ExitCode::FAILURE),
    }
    let handle = running.handle();
    tokio::select! {
        () = running.shutdown() => {}
        () = signals.next() => {}
    }
    say(&format!("facts that crossed shards: {}", handle.crossed()));
    Ok(ExitCode::SUCCESS)
}

/// Nobody may be there to read it.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// What asks a process to end: the first time gracefully, the second time at once.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn libraries_are_quiet_unless_they_are_named() {
        for (asked, all) in [
            ("off", "off"),
            ("warn", "warn"),
            (
                "info",
                "info,h2=warn,hyper=warn,hyper_util=warn,tungstenite=warn",
            ),
            (
                "debug, h2=trace",
                "debug, h2=trace,hyper=warn,hyper_util=warn,tungstenite=warn",
            ),
            ("warn,hyper=debug", "warn,hyper=debug"),
        ] {
            assert_eq!(directives(asked), all);
        }
    }
}
