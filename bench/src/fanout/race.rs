//! The measured part of a fan-out: publishing, and waiting until everything has arrived.

use std::time::{Duration, Instant};

use memchr::memmem;

use super::tally::{Check, Found, Tally};
use crate::Failure;
use crate::crowd::Crowd;
use crate::session::Session;
use crate::swarm::{Heard, Swarm};

pub(super) const CHANNEL: &str = "/bench/fanout";
/// How long duplicates are waited for.
const AFTERMATH: Duration = Duration::from_millis(200);

/// What is to be done.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// The number of the first event.
    pub(super) first: usize,
    pub(super) events: usize,
    pub(super) in_flight: usize,
    /// They take turns.
    pub(super) publishers: usize,
    pub(super) size: usize,
    pub(super) interval: Option<Duration>,
    pub(super) check: Check,
    pub(super) deadline: Instant,
}

/// One run: the last sessions publish, all others subscribe.
pub(super) struct Race<'a> {
    swarm: &'a mut Swarm,
    sessions: &'a mut [Session],
    plan: Plan,
    begun: Instant,
    /// When each event was published, or was due to be.
    published: Vec<Instant>,
    tally: Tally,
}

impl<'a> Race<'a> {
    pub(super) fn new(crowd: &'a mut Crowd, plan: Plan) -> Result<Self, Failure> {
        let subscribers = crowd.sessions.len() - plan.publishers;
        Ok(Self {
            swarm: &mut crowd.swarm,
            sessions: &mut crowd.sessions,
            plan,
            begun: Instant::now(),
            published: Vec::with_capacity(plan.events),
            tally: Tally::new(&plan, subscribers)?,
        })
    }

    /// Says how many seconds it took, and what was found.
    pub(super) fn run(mut self) -> Result<(f64, Found), Failure> {
        self.begun = Instant::now();
        while self.tally.complete() < self.plan.events {
            let patience = self.publish()?;
            self.turn(patience)?;
            if Instant::now() > self.plan.deadline {
                let (complete, all) = (self.tally.complete(), self.plan.events);
                return Err(format!("out of time with {complete} of {all} events").into());
            }
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        let end = Instant::now() + AFTERMATH;
        while Instant::now() < end {
            self.turn(end.saturating_duration_since(Instant::now()))?;
        }
        Ok((seconds, self.tally.found()))
    }

    /// Publishes what may be published now, and says how long to wait for the rest.
    fn publish(&mut self) -> Result<Duration, Failure> {
        let patience = Duration::from_millis(100);
        while self.published.len() < self.plan.events
            && self.published.len() - self.tally.complete() < self.plan.in_flight
        {
            let mut at = Instant::now();
            if let Some(interval) = self.plan.interval {
                let due = self.begun + interval * u32::try_from(self.published.len())?;
                if due > at {
                    return Ok(patience.min(due - at));
                }
                at = due;
            }
            let place = self.published.len();
            let publisher = self.tally.subscribers() + place % self.plan.publishers;
            let message = self.message(publisher, self.plan.first + place);
            self.published.push(at);
            self.swarm.send(publisher, &message)?;
        }
        Ok(patience)
    }

    fn message(&self, publisher: usize, number: usize) -> String {
        let client = self.sessions.get(publisher).map_or("", Session::client_id);
        let known = format!(r#"{{"seq":{number},"pad":""}}"#).len();
        let pad = "x".repeat(self.plan.size.saturating_sub(known));
        let data = format!(r#"{{"seq":{number},"pad":"{pad}"}}"#);
        format!(
            r#"[{{"channel":"{CHANNEL}","clientId":"{client}","id":"{number}","data":{data}}}]"#
        )
    }

    fn turn(&mut self, patience: Duration) -> Result<(), Failure> {
        let (sessions, published) = (&mut *self.sessions, &self.published);
        let tally = &mut self.tally;
        self.swarm.turn(patience, |index, heard| {
            let Some(session) = sessions.get_mut(index) else {
                return Ok(None);
            };
            let Heard::Messages(messages) = heard else {
                return session.closed().map(|()| None);
            };
            if index >= tally.subscribers() {
                return session.received(messages);
            }
            tally.count(index, messages, published)?;
            if memmem::find(messages, b"\"/meta/").is_some() {
                return session.received(messages);
            }
            Ok(None)
        })
    }
}
