//! What the scenarios with events have in common: a warm-up, the measured race, and the report.

use crate::crowd::Crowd;
use crate::latency::Latencies;
use crate::layout::Layout;
use crate::pace::Pace;
use crate::process::{Spent, Usage};
use crate::race::tally::{Check, Found};
use crate::race::{Plan, Publishers, Race};
use crate::report::Report;
use crate::{Common, Failure};

#[derive(clap::Args)]
#[group(id = "load")]
pub(crate) struct Options {
    /// How many events
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,
    /// Publishes that may be on their way; the next is done when all have received one of those
    #[arg(long, default_value_t = 1, conflicts_with = "rate", value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,
    /// Publishes a second, whatever has become of those before; latency is counted from when each was due
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
    /// Bytes of an event's data
    #[arg(long, default_value_t = 200)]
    size: usize,
    /// Events before those that are measured; each is parsed at each subscriber, and compared with the count
    #[arg(long, default_value_t = 20)]
    warm_up: usize,
    /// Parse all events, not only those of the warm-up
    #[arg(long)]
    check: bool,
}

/// Reads how many there are to be in a second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..1e7).contains(&rate) => Ok(rate),
        _ => Err("must be between 0.001 and 10000000 a second".into()),
    }
}

/// Who publishes how much at a time to whom.
pub(crate) struct Shape {
    pub(crate) layout: Layout,
    pub(crate) publishers: Publishers,
    pub(crate) batch: u32,
}

/// Runs both races with clients that are set up, and adds to the report. `fresh` is the server before they came.
pub(crate) fn run(
    options: &Options,
    common: &Common,
    crowd: &mut Crowd,
    shape: Shape,
    fresh: Option<Usage>,
    mut report: Report,
) -> Result<(), Failure> {
    let pace = match options.rate {
        Some(rate) => Pace::Rate(rate),
        None => Pace::InFlight(options.in_flight as usize),
    };
    let warm_up = Plan {
        first: 0,
        events: options.warm_up,
        batch: shape.batch.max(1) as usize,
        size: options.size,
        pace,
        layout: shape.layout,
        publishers: shape.publishers,
        check: Check::Everything,
    };
    Race::new(crowd, &warm_up)?.run()?;
    let plan = Plan {
        first: options.warm_up,
        events: options.events as usize,
        check: match options.check {
            true => Check::Everything,
            false => Check::Counts,
        },
        ..warm_up
    };
    let race = Race::new(crowd, &plan)?;
    let spent = Spent::begin(common.pid)?;
    let (seconds, found) = race.run()?;
    let spent = spent.end()?;

    report.add("events", options.events);
    report.add("batch", shape.batch);
    match options.rate {
        Some(rate) => report.add_figure("publishes_per_second_wanted", rate),
        None => report.add("in_flight", options.in_flight),
    }
    report.add("data_bytes", options.size);
    report.add("connections", crowd.connections());
    add_found(&mut report, &found, seconds);
    add_latencies(&mut report, &found.latencies, pace);
    report.add_figure("generator_cpu_seconds", spent.generator);
    report.add_figure("generator_busy", spent.generator / seconds);
    if let (Some(server), Some(fresh)) = (spent.server, fresh) {
        report.add_figure("server_busy", server.cpu / seconds);
        report.add_figure("server_rss_kib_fresh", fresh.rss);
        report.add_figure("server_rss_kib_before", server.rss_before);
        report.add_figure("server_rss_kib_after", server.rss_after);
        report.add_cost("deliveries_per_cpu_second", server.cpu, found.deliveries);
    }
    Ok(report.print(common.json)?)
}

fn add_found(report: &mut Report, found: &Found, seconds: f64) {
    let deliveries = found.deliveries as f64;
    report.add("deliveries", found.deliveries);
    report.add("bytes", found.bytes);
    report.add_figure("seconds", seconds);
    report.add_figure("deliveries_per_second", deliveries / seconds);
    report.add_figure("bytes_per_delivery", found.bytes as f64 / deliveries);
    report.add_figure("events_per_frame", deliveries / found.frames as f64);
}

fn add_latencies(report: &mut Report, latencies: &Latencies, pace: Pace) {
    latencies.report(report, pace.is_open());
}
