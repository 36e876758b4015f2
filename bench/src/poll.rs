//! Connects over long-polling that are answered at once: what a request costs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::crowd::Crowd;
use crate::latency::{Begun, Latencies};
use crate::load;
use crate::pace::{Pace, Turn};
use crate::process::Spent;
use crate::progress::Progress;
use crate::report::Report;
use crate::session::{After, Profile, Session, Transport};
use crate::{Common, Failure};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// How many sessions, who take turns; each has one request on its way at most
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    sessions: u32,
    /// How many requests
    #[arg(long, default_value_t = 100_000)]
    requests: usize,
    /// Requests a second; as fast as they are answered, if not given
    #[arg(long, value_parser = load::rate)]
    rate: Option<f64>,
    /// Requests before those that are measured
    #[arg(long, default_value_t = 2000)]
    warm_up: usize,
}

/// Runs the scenario.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let common = &options.common;
    let sessions = options.sessions as usize;
    let mut crowd = common.crowd(sessions)?;
    let profile = Profile {
        after: After::Rest,
        ..Profile::plain(Transport::LongPolling)
    };
    crowd.gather((0..sessions).map(|_| Session::new(profile, Vec::new())))?;
    let pace = match options.rate {
        Some(rate) => Pace::Rate(rate),
        None => Pace::InFlight(sessions),
    };
    Polling::new(&mut crowd, pace)?.run(options.warm_up)?;

    let mut polling = Polling::new(&mut crowd, pace)?;
    let spent = Spent::begin(common.pid)?;
    let begun = Instant::now();
    polling.run(options.requests)?;
    let seconds = begun.elapsed().as_secs_f64();
    let spent = spent.end()?;

    let mut report = Report::default();
    report.add("scenario", "poll");
    report.add("sessions", sessions);
    report.add("requests", polling.answered);
    report.add("bytes", polling.bytes);
    report.add_figure("seconds", seconds);
    report.add_figure("requests_per_second", polling.answered as f64 / seconds);
    polling.latencies.report(&mut report, pace.is_open());
    report.add_figure("generator_cpu_seconds", spent.generator);
    report.add_figure("generator_busy", spent.generator / seconds);
    if let Some(server) = spent.server {
        report.add_figure("server_busy", server.cpu / seconds);
        let answered = polling.answered as u64;
        report.add_cost("requests_per_cpu_second", server.cpu, answered);
    }
    Ok(report.print(common.json)?)
}

struct Polling<'a> {
    crowd: &'a mut Crowd,
    pace: Pace,
    /// Who may ask, the one that waited longest first.
    free: VecDeque<usize>,
    /// Since when each waits for its answer.
    begun: Vec<Option<Begun>>,
    answered: usize,
    /// Of the bodies.
    bytes: u64,
    latencies: Latencies,
}

impl<'a> Polling<'a> {
    fn new(crowd: &'a mut Crowd, pace: Pace) -> Result<Self, Failure> {
        Ok(Self {
            pace,
            free: (0..crowd.len()).collect(),
            begun: vec![None; crowd.len()],
            crowd,
            answered: 0,
            bytes: 0,
            latencies: Latencies::new()?,
        })
    }

    fn run(&mut self, requests: usize) -> Result<(), Failure> {
        let mut progress = Progress::new("requests", requests);
        let start = Instant::now();
        let mut asked = 0;
        while self.answered < requests {
            let mut patience = Duration::from_millis(100);
            while asked < requests
                && let Some(&client) = self.free.front()
            {
                match self.pace.turn(start, asked, asked - self.answered) {
                    Turn::Due(due) => self.ask(client, due)?,
                    Turn::Wait(wait) => {
                        patience = wait;
                        break;
                    }
                }
                asked += 1;
            }
            self.turn(patience)?;
            progress.tell(self.answered);
        }
        Ok(())
    }

    fn ask(&mut self, client: usize, due: Instant) -> Result<(), Failure> {
        let begun = Begun {
            due,
            at: Instant::now(),
        };
        self.free.pop_front();
        if let Some(place) = self.begun.get_mut(client) {
            *place = Some(begun);
        }
        self.latencies.begin(begun)?;
        self.crowd.poll(client)
    }

    fn turn(&mut self, patience: Duration) -> Result<(), Failure> {
        let (begun, free) = (&mut self.begun, &mut self.free);
        let (answered, bytes) = (&mut self.answered, &mut self.bytes);
        let latencies = &mut self.latencies;
        self.crowd.turn(patience, &mut |client, messages| {
            if memmem::find(messages, br#""/meta/connect""#).is_none() {
                return Err("an answer without a reply to the connect".into());
            }
            let asked = begun.get_mut(client).and_then(Option::take);
            latencies.end(asked.ok_or("an answer to nothing")?, Instant::now())?;
            *answered += 1;
            *bytes += messages.len() as u64;
            free.push_back(client);
            Ok(())
        })?;
        Ok(())
    }
}
