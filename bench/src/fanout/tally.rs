//! What arrives at the subscribers.
//!
//! An event is counted by its channel and known by its number, without parsing; the check compares
//! that with what a parser finds. Invariant: a race succeeds only if every subscriber received every
//! event once, and in order if there is one publisher.

use std::time::Instant;

use hdrhistogram::Histogram;
use memchr::memmem::Finder;
use serde_json::Value;

use super::race::{CHANNEL, Plan};
use crate::Failure;

const MARK: &str = "\"/bench/fanout\"";
const NUMBER: &str = "\"seq\":";

/// How closely the subscribers look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Counts,
    /// Every event is parsed too.
    Everything,
}

/// What the subscribers received.
pub(super) struct Found {
    pub(super) deliveries: u64,
    pub(super) frames: u64,
    /// Of the payloads.
    pub(super) bytes: u64,
    /// In microseconds, of every delivery.
    pub(super) latencies: Histogram<u32>,
}

/// Counts at the subscribers.
pub(super) struct Tally {
    first: usize,
    check: Check,
    mark: Finder<'static>,
    number: Finder<'static>,
    /// What each subscriber has.
    receipts: Vec<Receipts>,
    /// How many subscribers each event has yet to reach.
    missing: Vec<usize>,
    /// How many events have reached all.
    complete: usize,
    found: Found,
}

/// Which events a subscriber has, counted from the first of the race.
#[derive(Clone)]
struct Receipts {
    is_ordered: bool,
    count: usize,
    seen: Vec<bool>,
}

impl Tally {
    pub(super) fn new(plan: &Plan, subscribers: usize) -> Result<Self, Failure> {
        let receipts = Receipts {
            is_ordered: plan.publishers == 1,
            count: 0,
            seen: vec![false; plan.events],
        };
        Ok(Self {
            first: plan.first,
            check: plan.check,
            mark: Finder::new(MARK),
            number: Finder::new(NUMBER),
            receipts: vec![receipts; subscribers],
            missing: vec![subscribers; plan.events],
            complete: 0,
            found: Found {
                deliveries: 0,
                frames: 0,
                bytes: 0,
                latencies: Histogram::new(3)?,
            },
        })
    }

    pub(super) fn subscribers(&self) -> usize {
        self.receipts.len()
    }

    /// How many events have reached all.
    pub(super) fn complete(&self) -> usize {
        self.complete
    }

    pub(super) fn found(self) -> Found {
        self.found
    }

    /// Takes in what a subscriber received.
    pub(super) fn count(
        &mut self,
        index: usize,
        messages: &[u8],
        published: &[Instant],
    ) -> Result<(), Failure> {
        let now = Instant::now();
        let receipts = self.receipts.get_mut(index).ok_or("not a subscriber")?;
        let mut events = 0;
        for at in self.number.find_iter(messages) {
            let place = number_at(messages, at + NUMBER.len()).wrapping_sub(self.first);
            let (Some(published), Some(missing)) =
                (published.get(place), self.missing.get_mut(place))
            else {
                return Err("an event that was not published".into());
            };
            receipts.add(place)?;
            let latency = now.saturating_duration_since(*published).as_micros();
            self.found.latencies.record(u64::try_from(latency)?)?;
            *missing -= 1;
            self.complete += usize::from(*missing == 0);
            events += 1;
        }
        if self.mark.find_iter(messages).count() != events {
            return Err("not as many events as numbers".into());
        }
        if self.check == Check::Everything {
            check(messages, &self.number)?;
        }
        if events > 0 {
            self.found.deliveries += events as u64;
            self.found.frames += 1;
            self.found.bytes += messages.len() as u64;
        }
        Ok(())
    }
}

impl Receipts {
    fn add(&mut self, place: usize) -> Result<(), Failure> {
        if self.is_ordered && place != self.count {
            return Err(format!("event {place} where {} was due", self.count).into());
        }
        self.count += 1;
        match self.seen.get_mut(place) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(format!("event {place} came twice").into()),
        }
        Ok(())
    }
}

fn number_at(bytes: &[u8], start: usize) -> usize {
    let digits = bytes.get(start..).unwrap_or_default().iter();
    digits
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, byte| number * 10 + usize::from(byte - b'0'))
}

/// Whether a parser finds the same events.
fn check(messages: &[u8], number: &Finder<'_>) -> Result<(), Failure> {
    let parsed: Vec<Value> = serde_json::from_slice(messages)?;
    let parsed: Vec<_> = parsed
        .iter()
        .filter(|message| {
            message
                .get("channel")
                .is_some_and(|channel| channel == CHANNEL)
        })
        .map(|message| message.pointer("/data/seq").and_then(Value::as_u64))
        .collect();
    let scanned: Vec<_> = number
        .find_iter(messages)
        .map(|at| Some(number_at(messages, at + NUMBER.len()) as u64))
        .collect();
    if parsed == scanned {
        return Ok(());
    }
    Err(format!("events {parsed:?}, and not {scanned:?}").into())
}
