//! Few publishers, many subscribers of one channel; and two variants of it.

use std::num::NonZeroU16;

use crate::crowd::Crowd;
use crate::layout::Layout;
use crate::load::{self, Shape};
use crate::process::Usage;
use crate::race::Publishers;
use crate::report::Report;
use crate::session::{Delivery, Handshake, Profile, Session, Transport};
use crate::{Common, Failure};

/// Bystanders subscribe to so many channels each at most; servers have limits.
const EACH: usize = 1000;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// How many subscribers
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// How many publishers, who take turns
    #[arg(long, default_value = "1")]
    publishers: NonZeroU16,
    /// Events that are published together
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// How messages travel
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,
    /// Other channels, which others subscribe to, 1000 each
    #[arg(long, default_value_t = 0)]
    channels: usize,
    /// The same with patterns: half of them for one segment, half for any number
    #[arg(long, default_value_t = 0)]
    patterns: usize,
    #[command(flatten)]
    load: load::Options,
}

/// What the clients are like.
#[derive(Clone, Copy)]
pub(crate) enum Variant {
    Plain,
    /// With acknowledgement.
    Acknowledged,
    /// With the handshake over HTTP, then a websocket.
    Faye,
}

/// Runs the scenario.
pub(crate) fn run(options: &Options, variant: Variant) -> Result<(), Failure> {
    let common = &options.common;
    let plain = Profile::plain(options.transport);
    let (scenario, profile) = match variant {
        Variant::Plain => ("fanout", plain),
        Variant::Acknowledged => {
            let delivery = Delivery::Acknowledged;
            ("ack", Profile { delivery, ..plain })
        }
        Variant::Faye if options.transport == Transport::LongPolling => {
            return Err("a client of the scenario faye goes on over a websocket".into());
        }
        Variant::Faye => {
            let handshake = Handshake::OverHttp;
            ("faye", Profile { handshake, ..plain })
        }
    };
    let layout = Layout::one_room(options.subscribers)?;
    let publishers = usize::from(options.publishers.get());
    let bystanders = (options.channels + options.patterns).div_ceil(EACH);
    let mut crowd = common.crowd(options.subscribers + 2 * publishers + bystanders)?;
    let fresh = Usage::of_server(common.pid)?;
    let subscribers = layout.subscribers();
    crowd.gather(subscribers.map(|who| Session::new(profile, layout.subscriptions(who))))?;
    crowd.gather((0..publishers).map(|_| Session::new(profile, Vec::new())))?;
    let bystanders = gather_bystanders(&mut crowd, options)?;

    let mut report = Report::default();
    report.add("scenario", scenario);
    report.add("transport", options.transport.name());
    report.add("subscribers", options.subscribers);
    report.add("publishers", options.publishers.get());
    if bystanders > 0 {
        report.add("bystanders", bystanders);
        report.add("channels", options.channels);
        report.add("patterns", options.patterns);
    }
    let shape = Shape {
        layout,
        publishers: Publishers::Others(publishers),
        batch: options.batch,
    };
    load::run(&options.load, common, &mut crowd, shape, fresh, report)
}

/// Says how many there are.
fn gather_bystanders(crowd: &mut Crowd, options: &Options) -> Result<usize, Failure> {
    let channel = |number: usize| format!("/bench/other/{number}");
    let pattern = |number: usize| match number % 2 {
        0 => format!("/bench/others/{number}/*"),
        _ => format!("/bench/others/{number}/**"),
    };
    let channels: Vec<_> = (0..options.channels).map(channel).collect();
    let patterns: Vec<_> = (0..options.patterns).map(pattern).collect();
    let shares: Vec<_> = channels.chunks(EACH).chain(patterns.chunks(EACH)).collect();
    let profile = Profile::plain(options.transport);
    crowd.gather(
        shares
            .iter()
            .map(|share| Session::new(profile, share.to_vec())),
    )?;
    Ok(shares.len())
}
