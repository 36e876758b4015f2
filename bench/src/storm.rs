//! Sessions that begin as fast as they can: socket, handshake, first connect, subscribe; and those that come back when
//! their server has ended and another has begun in its place.

use std::time::Instant;

use crate::crowd::Crowd;
use crate::process::{Server, Spent};
use crate::report::Report;
use crate::session::{After, Profile, Session, Transport};
use crate::{Common, Failure};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// How many sessions
    #[arg(long, default_value_t = 5000)]
    sessions: usize,
    /// Sessions before those that are measured
    #[arg(long, default_value_t = 0)]
    warm_up: usize,
    /// How messages travel
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,
    /// Start this command, which is to listen at the URL; kill it when all have come, start it again, and measure how
    /// they come back. It has no shell: words are separated by spaces
    #[arg(long, conflicts_with = "pid", conflicts_with = "warm_up")]
    restart: Option<String>,
}

/// Runs the scenario.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    match &options.restart {
        None => begin(options),
        Some(command) => come_back(options, command),
    }
}

fn begin(options: &Options) -> Result<(), Failure> {
    let common = &options.common;
    let mut crowd = common.crowd(options.sessions + options.warm_up)?;
    crowd.gather(sessions(options.warm_up, options.transport, After::Rest))?;

    let spent = Spent::begin(common.pid)?;
    let begun = Instant::now();
    crowd.gather(sessions(options.sessions, options.transport, After::Rest))?;
    report(options, begun, spent, "begin")
}

fn come_back(options: &Options, command: &str) -> Result<(), Failure> {
    let common = &options.common;
    let mut crowd: Crowd = common.crowd(options.sessions)?;
    let deadline = crowd.deadline();
    let server = Server::start(command, common.url.address, deadline)?;
    crowd.gather(sessions(options.sessions, options.transport, After::Hold))?;
    drop(server);

    let server = Server::start(command, common.url.address, deadline)?;
    let spent = Spent::begin(Some(server.id()))?;
    let begun = Instant::now();
    crowd.return_all()?;
    report(options, begun, spent, "come back")
}

fn sessions(
    count: usize,
    transport: Transport,
    after: After,
) -> impl ExactSizeIterator<Item = Session> {
    let profile = Profile {
        after,
        ..Profile::plain(transport)
    };
    (0..count).map(move |_| Session::new(profile, vec!["/bench/storm".to_owned()]))
}

fn report(options: &Options, begun: Instant, spent: Spent, what: &str) -> Result<(), Failure> {
    let seconds = begun.elapsed().as_secs_f64();
    let spent = spent.end()?;
    let count = options.sessions;
    let mut report = Report::default();
    report.add("scenario", "storm");
    report.add("sessions_that", what);
    report.add("transport", options.transport.name());
    report.add("sessions", count);
    report.add("at_a_time", options.common.opening.get());
    report.add_figure("seconds", seconds);
    report.add_figure("sessions_per_second", count as f64 / seconds);
    report.add_figure("generator_cpu_seconds", spent.generator);
    report.add_figure("generator_busy", spent.generator / seconds);
    if let Some(server) = spent.server {
        report.add_cost("sessions_per_cpu_second", server.cpu, count as u64);
    }
    Ok(report.print(options.common.json)?)
}
