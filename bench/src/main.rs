//! A load generator for Bayeux servers: it counts events and bytes where they arrive.
//!
//! Invariant: every scenario is bounded in connections and in time, and speaks to loopback only.
#![forbid(unsafe_code)]

mod bare;
mod crowd;
mod fanout;
mod http;
mod idle;
mod latency;
mod layout;
mod load;
mod pace;
mod poll;
mod process;
mod progress;
mod race;
mod report;
mod rooms;
mod session;
mod source;
mod storm;
mod swarm;
mod target;
mod websocket;

use std::error::Error;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};

use crate::crowd::Crowd;
use crate::fanout::Variant;
use crate::target::Target;

/// What went wrong, for whoever started it.
type Failure = Box<dyn Error>;

#[derive(Parser)]
#[command(version, about = "A load generator for Bayeux servers on this machine")]
struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Few publishers, many subscribers of one channel
    Fanout(fanout::Options),
    /// The shape of CometD's benchmark: clients in rooms, who publish in batches to any of them
    Rooms(rooms::Options),
    /// Fanout to clients with the extension for acknowledgement
    Ack(fanout::Options),
    /// Fanout to clients that handshake over HTTP, then open a websocket, as Faye's do
    Faye(fanout::Options),
    /// Connects over long-polling that are answered at once: what a request costs
    Poll(poll::Options),
    /// Sessions that do nothing but hold a connect: what one costs in memory
    Idle(idle::Options),
    /// Sessions that begin as fast as they can, or that come back after a restart
    Storm(storm::Options),
    /// A peer that writes one prepared frame to every subscriber: the limit of the machine
    Bare(BareOptions),
}

/// What every scenario needs to know.
#[derive(Args, Clone)]
struct Common {
    /// Where the server is: ws:// or http://, an address of loopback, a port, a path
    #[arg(long)]
    url: Target,
    /// The process of the server, whose CPU time and memory are read
    #[arg(long)]
    pid: Option<u32>,
    /// Seconds after which the run fails
    #[arg(long, default_value_t = 120)]
    timeout: u64,
    /// How many connections are being set up at a time
    #[arg(long, default_value = "64")]
    opening: NonZeroUsize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Common {
    fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_secs(self.timeout)
    }

    /// Nobody yet, with leave for so many connections.
    fn crowd(&self, connections: usize) -> Result<Crowd, Failure> {
        source::allow(connections)?;
        Crowd::new(self)
    }
}

#[derive(Args)]
struct BareOptions {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Seconds after which it ends
    #[arg(long, default_value_t = 600)]
    timeout: u64,
}

fn main() -> ExitCode {
    let ran = match Cli::parse().scenario {
        Scenario::Fanout(options) => fanout::run(&options, Variant::Plain),
        Scenario::Ack(options) => fanout::run(&options, Variant::Acknowledged),
        Scenario::Faye(options) => fanout::run(&options, Variant::Faye),
        Scenario::Rooms(options) => rooms::run(&options),
        Scenario::Poll(options) => poll::run(&options),
        Scenario::Idle(options) => idle::run(&options),
        Scenario::Storm(options) => storm::run(&options),
        Scenario::Bare(options) => bare::run(options.listen, Duration::from_secs(options.timeout)),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bayeux-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_has_no_contradiction() {
        Cli::command().debug_assert();
    }
}
