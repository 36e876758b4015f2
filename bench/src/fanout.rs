//! Few publishers, many subscribers.

use std::time::Duration;

use crate::crowd::Crowd;
use crate::process::Usage;
use crate::report::Report;
use crate::session::{After, Session, Transport};
use crate::{Common, Failure};

mod race;
mod tally;

use race::{CHANNEL, Plan, Race};
use tally::Check;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// How many subscribers
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// How many publishers, who take turns
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    publishers: u16,
    /// How many events may be on their way; the next is published when all subscribers have the first
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    /// How many events
    #[arg(long, default_value_t = 1000)]
    events: usize,
    /// Bytes of an event's data
    #[arg(long, default_value_t = 200)]
    size: usize,
    /// Events a second; as fast as they are delivered, if not given
    #[arg(long)]
    rate: Option<f64>,
    /// Events before those that are measured; each is parsed at each subscriber, and compared with the count
    #[arg(long, default_value_t = 20)]
    warm_up: usize,
    /// Parse all events, not only those of the warm-up
    #[arg(long)]
    check: bool,
}

/// Runs the scenario.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let common = &options.common;
    let deadline = common.deadline();
    let mut crowd = Crowd::new(common, Transport::WebSocket)?;
    let fresh = Usage::of_server(common.pid)?;
    let session = |subscriptions| Session::new(Transport::WebSocket, subscriptions, After::Hold);
    let subscribers = (0..options.subscribers).map(|_| session(vec![CHANNEL.to_owned()]));
    crowd.gather(subscribers, common.opening, deadline)?;
    let publishers = (0..options.publishers).map(|_| session(Vec::new()));
    crowd.gather(publishers, common.opening, deadline)?;

    let plan = Plan {
        first: 0,
        events: options.warm_up,
        in_flight: options.in_flight,
        publishers: usize::from(options.publishers),
        size: options.size,
        interval: options.rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
        check: Check::Everything,
        deadline,
    };
    Race::new(&mut crowd, plan)?.run()?;
    let plan = Plan {
        first: options.warm_up,
        events: options.events,
        check: if options.check {
            Check::Everything
        } else {
            Check::Counts
        },
        ..plan
    };
    let race = Race::new(&mut crowd, plan)?;

    let (before, myself) = (
        Usage::of_server(common.pid)?,
        Usage::of(std::process::id())?,
    );
    let (seconds, found) = race.run()?;
    let (after, generator) = (
        Usage::of_server(common.pid)?,
        Usage::of(std::process::id())?,
    );

    let mut report = Report::default();
    report.add("scenario", "fanout");
    report.add("subscribers", options.subscribers);
    report.add("events", options.events);
    report.add("publishers", options.publishers);
    report.add("in_flight", options.in_flight);
    report.add("data_bytes", options.size);
    report.add("deliveries", found.deliveries);
    report.add_figure("seconds", seconds);
    report.add_figure("deliveries_per_second", found.deliveries as f64 / seconds);
    report.add_figure(
        "bytes_per_delivery",
        found.bytes as f64 / found.deliveries as f64,
    );
    report.add_figure(
        "events_per_frame",
        found.deliveries as f64 / found.frames as f64,
    );
    for (name, quantile) in [("latency_p50_ms", 0.5), ("latency_p99_ms", 0.99)] {
        report.add_figure(
            name,
            found.latencies.value_at_quantile(quantile) as f64 / 1e3,
        );
    }
    report.add_figure("latency_max_ms", found.latencies.max() as f64 / 1e3);
    let cpu = generator.cpu - myself.cpu;
    report.add_figure("generator_cpu_seconds", cpu);
    report.add_figure("generator_busy", cpu / seconds);
    if let (Some(fresh), Some(before), Some(after)) = (fresh, before, after) {
        report.add_figure("server_busy", (after.cpu - before.cpu) / seconds);
        report.add_figure("server_rss_kib_fresh", fresh.rss);
        report.add_figure("server_rss_kib_before", before.rss);
        report.add_figure("server_rss_kib_after", after.rss);
        report.add_cost(
            "deliveries_per_cpu_second",
            after.cpu - before.cpu,
            found.deliveries,
        );
    }
    report.print(common.json);
    Ok(())
}
