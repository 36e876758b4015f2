//! Publishing, and waiting until everything has arrived: what every scenario with events measures.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::crowd::Crowd;
use crate::latency::Begun;
use crate::layout::{Layout, channel};
use crate::pace::{Pace, Turn};
use crate::progress::Progress;
use crate::session::Session;

pub(crate) mod tally;

use tally::{Check, Found, Tally};

/// How long duplicates are waited for.
const AFTERMATH: Duration = Duration::from_millis(200);

/// What is to be done.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The number of the first event.
    pub(crate) first: usize,
    pub(crate) events: usize,
    /// Events that are published together.
    pub(crate) batch: usize,
    /// Bytes of an event's data.
    pub(crate) size: usize,
    /// Of publishes.
    pub(crate) pace: Pace,
    pub(crate) layout: Layout,
    pub(crate) publishers: Publishers,
    pub(crate) check: Check,
}

/// Who publishes. They take turns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publishers {
    /// So many clients that are no subscribers, and come behind them.
    Others(usize),
    /// The subscribers themselves.
    Subscribers,
}

impl Plan {
    fn publisher(&self, publish: usize) -> usize {
        let subscribers = self.layout.subscribers().len();
        match self.publishers {
            Publishers::Others(count) => subscribers + publish % count,
            Publishers::Subscribers => publish % subscribers,
        }
    }

    /// Events of one publisher come in order; over several connections nobody promises that.
    pub(crate) fn is_ordered(&self) -> bool {
        self.publishers == Publishers::Others(1)
    }
}

/// One run.
pub(crate) struct Race<'a> {
    crowd: &'a mut Crowd,
    plan: &'a Plan,
    begun: Instant,
    /// When each event was published.
    published: Vec<Begun>,
    tally: Tally<'a>,
}

impl<'a> Race<'a> {
    pub(crate) fn new(crowd: &'a mut Crowd, plan: &'a Plan) -> Result<Self, Failure> {
        Ok(Self {
            crowd,
            plan,
            begun: Instant::now(),
            published: Vec::with_capacity(plan.events),
            tally: Tally::new(plan)?,
        })
    }

    /// Says how many seconds it took, and what was found.
    pub(crate) fn run(mut self) -> Result<(f64, Found), Failure> {
        let mut progress = Progress::new("events", self.plan.events);
        self.begun = Instant::now();
        while self.tally.complete() < self.plan.events {
            let patience = self.publish()?;
            self.turn(patience)?;
            progress.tell(self.tally.complete());
            if Instant::now() > self.crowd.deadline() {
                let (complete, all) = (self.tally.complete(), self.plan.events);
                return Err(format!("out of time with {complete} of {all} events").into());
            }
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        let (tally, published) = (&mut self.tally, &self.published);
        self.crowd.rest(AFTERMATH, &mut |client, messages| {
            tally.count(client, messages, published)
        })?;
        Ok((seconds, self.tally.found()))
    }

    /// Publishes what is due, and says how long to wait for the rest.
    fn publish(&mut self) -> Result<Duration, Failure> {
        let batch = self.plan.batch;
        while self.published.len() < self.plan.events {
            let done = self.published.len() / batch;
            let on_their_way = (self.published.len() - self.tally.complete()).div_ceil(batch);
            let due = match self.plan.pace.turn(self.begun, done, on_their_way) {
                Turn::Due(due) => due,
                Turn::Wait(patience) => return Ok(patience),
            };
            let publisher = self.plan.publisher(done);
            let count = batch.min(self.plan.events - self.published.len());
            let messages = self.messages(publisher, self.published.len(), count);
            let begun = Begun {
                due,
                at: Instant::now(),
            };
            self.tally.begin(begun)?;
            self.published.extend(std::iter::repeat_n(begun, count));
            self.crowd.publish(publisher, messages)?;
        }
        Ok(Duration::from_millis(100))
    }

    fn messages(&self, publisher: usize, place: usize, count: usize) -> String {
        let client = self.crowd.session(publisher).map_or("", Session::client_id);
        let messages: Vec<_> = (place..place + count)
            .map(|place| self.message(client, self.plan.first + place))
            .collect();
        format!("[{}]", messages.join(","))
    }

    fn message(&self, client: &str, number: usize) -> String {
        let channel = channel(self.plan.layout.room(number));
        let known = format!(r#"{{"seq":{number},"pad":""}}"#).len();
        let pad = "x".repeat(self.plan.size.saturating_sub(known));
        let data = format!(r#"{{"seq":{number},"pad":"{pad}"}}"#);
        format!(r#"{{"channel":"{channel}","clientId":"{client}","id":"{number}","data":{data}}}"#)
    }

    fn turn(&mut self, patience: Duration) -> Result<(), Failure> {
        let (tally, published) = (&mut self.tally, &self.published);
        self.crowd.turn(patience, &mut |client, messages| {
            tally.count(client, messages, published)
        })?;
        Ok(())
    }
}
