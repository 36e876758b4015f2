//! Idle sessions, each with two subscriptions and a held connect: what one costs in memory.

use std::time::Duration;

use crate::process::Usage;
use crate::report::Report;
use crate::session::{Profile, Session, Transport};
use crate::{Common, Failure};

/// How many sessions share a room.
const ROOM: usize = 100;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// How many sessions
    #[arg(long, default_value_t = 5000)]
    sessions: usize,
    /// How messages travel
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,
    /// Seconds of rest before the memory is read
    #[arg(long, default_value_t = 2)]
    rest: u64,
}

/// Runs the scenario.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let common = &options.common;
    let mut crowd = common.crowd(options.sessions)?;
    let before = Usage::of_server(common.pid)?;

    let sessions = (0..options.sessions).map(|number| {
        let room = format!("/bench/room/{}", number / ROOM);
        let own = format!("/bench/own/{number}");
        Session::new(Profile::plain(options.transport), vec![room, own])
    });
    crowd.gather(sessions)?;
    crowd.rest(Duration::from_secs(options.rest), &mut |_, _| Ok(()))?;

    let after = Usage::of_server(common.pid)?;
    let mut report = Report::default();
    report.add("scenario", "idle");
    report.add("transport", options.transport.name());
    report.add("sessions", crowd.len());
    if let (Some(before), Some(after)) = (before, after) {
        report.add_figure("server_rss_kib_before", before.rss);
        report.add_figure("server_rss_kib_after", after.rss);
        let each = (after.rss - before.rss) / crowd.len() as f64;
        report.add_figure("kib_per_session", each);
    }
    Ok(report.print(common.json)?)
}
