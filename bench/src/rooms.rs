//! The shape of CometD's own benchmark: clients in rooms, who publish in batches to any of them.

use crate::layout::Layout;
use crate::load::{self, Shape};
use crate::process::Usage;
use crate::race::Publishers;
use crate::report::Report;
use crate::session::{Delivery, Profile, Session, Transport};
use crate::{Common, Failure};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// How many clients, who take turns to publish
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// How many rooms there are
    #[arg(long, default_value_t = 100)]
    rooms: usize,
    /// How many of them each client is in
    #[arg(long, default_value_t = 10)]
    rooms_each: usize,
    /// Events that are published together, each to any room
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// How messages travel
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,
    /// With the extension for acknowledgement
    #[arg(long)]
    ack: bool,
    #[command(flatten)]
    load: load::Options,
}

/// Runs the scenario.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let common = &options.common;
    let layout = Layout::new(options.clients, options.rooms, options.rooms_each)?;
    let profile = Profile {
        delivery: match options.ack {
            true => Delivery::Acknowledged,
            false => Delivery::Plain,
        },
        ..Profile::plain(options.transport)
    };
    // Over long-polling, who publishes has a second connection.
    let each = match options.transport {
        Transport::WebSocket => 1,
        Transport::LongPolling => 2,
    };
    let mut crowd = common.crowd(options.clients * each)?;
    let fresh = Usage::of_server(common.pid)?;
    let subscribers = layout.subscribers();
    crowd.gather(subscribers.map(|who| Session::new(profile, layout.subscriptions(who))))?;

    let mut report = Report::default();
    report.add("scenario", "rooms");
    report.add("transport", options.transport.name());
    report.add("clients", options.clients);
    report.add("rooms", options.rooms);
    report.add("rooms_each", options.rooms_each);
    report.add("ack", options.ack);
    let shape = Shape {
        layout,
        publishers: Publishers::Subscribers,
        batch: options.batch,
    };
    load::run(&options.load, common, &mut crowd, shape, fresh, report)
}
