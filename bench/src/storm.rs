//! Sessions that begin as fast as they can: socket, handshake, first connect, subscribe.

use std::time::Instant;

use crate::crowd::Crowd;
use crate::process::Usage;
use crate::report::Report;
use crate::session::{After, Session, Transport};
use crate::{Common, Failure};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// How many sessions
    #[arg(long, default_value_t = 5000)]
    sessions: usize,
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,
}

/// Runs the scenario.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let common = &options.common;
    let deadline = common.deadline();
    let mut crowd = Crowd::new(common, options.transport)?;
    let before = Usage::of_server(common.pid)?;
    let myself = Usage::of(std::process::id())?;
    let begun = Instant::now();

    let channel = || vec!["/bench/storm".to_owned()];
    let sessions =
        (0..options.sessions).map(|_| Session::new(options.transport, channel(), After::Rest));
    crowd.gather(sessions, common.opening, deadline)?;

    let seconds = begun.elapsed().as_secs_f64();
    let after = Usage::of_server(common.pid)?;
    let count = crowd.swarm.len();
    let mut report = Report::default();
    report.add("scenario", "storm");
    report.add("transport", options.transport.name());
    report.add("sessions", count);
    report.add("at_a_time", common.opening);
    report.add_figure("seconds", seconds);
    report.add_figure("sessions_per_second", count as f64 / seconds);
    report.add_figure(
        "generator_cpu_seconds",
        Usage::of(std::process::id())?.cpu - myself.cpu,
    );
    if let (Some(before), Some(after)) = (before, after) {
        report.add_cost(
            "sessions_per_cpu_second",
            after.cpu - before.cpu,
            count as u64,
        );
    }
    report.print(common.json);
    Ok(())
}
