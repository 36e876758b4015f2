//! The binary.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use bayeux_server_tokio::{Running, Server};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let tokio = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(tokio) => tokio,
        Err(error) => return failed(&error),
    };
    match tokio.block_on(run()) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &std::io::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

async fn run() -> std::io::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut builder = Server::builder();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match argument.as_str() {
            "--listen" => builder = builder.listen(value.parse().map_err(std::io::Error::other)?),
            "--shards" => builder = builder.shards(value.parse().map_err(std::io::Error::other)?),
            _ => return Err(std::io::Error::other("usage")),
        }
    }
    let mut running = builder.start().await?;
    announce(&running)?;

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = running.broken() => return Ok(ExitCode::FAILURE),
    }
    let handle = running.handle();
    tokio::select! {
        () = running.shutdown() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    writeln!(std::io::stdout(), "facts that crossed shards: {}", handle.crossed())?;
    Ok(ExitCode::SUCCESS)
}

/// Says where clients may come to.
fn announce(running: &Running) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for address in running.addresses() {
        writeln!(out, "listening on http://{address}/bayeux")?;
        writeln!(out, "page at http://{address}/")?;
    }
    out.flush()
}
