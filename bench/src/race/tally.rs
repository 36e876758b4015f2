//! What arrives at the subscribers.
//!
//! An event is counted by its channel and known by its number, without parsing; the check compares
//! that with what a parser finds. Invariant: a race succeeds only if every subscriber received every
//! event of its rooms once and no other, and in order if there is one publisher.

use std::time::Instant;

use memchr::memmem::Finder;
use serde_json::Value;

use super::Plan;
use crate::Failure;
use crate::latency::{Begun, Latencies};
use crate::layout::{Layout, channel};

const MARK: &str = "\"/bench/room/";
const NUMBER: &str = "\"seq\":";

/// How closely the subscribers look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Counts,
    /// Every event is parsed too.
    Everything,
}

/// What the subscribers received.
pub(crate) struct Found {
    pub(crate) deliveries: u64,
    /// Frames or responses with events.
    pub(crate) frames: u64,
    /// Of their payloads.
    pub(crate) bytes: u64,
    /// Of every delivery.
    pub(crate) latencies: Latencies,
}

/// Counts at the subscribers.
pub(crate) struct Tally<'a> {
    plan: &'a Plan,
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

/// Which events a subscriber has, by their place in the race.
#[derive(Clone)]
struct Receipts {
    /// The least place that may come next.
    next: usize,
    seen: Vec<u64>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Result<Self, Failure> {
        let Plan { layout, .. } = plan;
        let receipts = Receipts {
            next: 0,
            seen: vec![0; plan.events.div_ceil(64)],
        };
        let numbers = plan.first..plan.first + plan.events;
        Ok(Self {
            plan,
            mark: Finder::new(MARK),
            number: Finder::new(NUMBER),
            receipts: vec![receipts; layout.subscribers().len()],
            missing: numbers
                .map(|number| layout.members(layout.room(number)))
                .collect(),
            complete: 0,
            found: Found {
                deliveries: 0,
                frames: 0,
                bytes: 0,
                latencies: Latencies::new()?,
            },
        })
    }

    /// How many events have reached all.
    pub(crate) fn complete(&self) -> usize {
        self.complete
    }

    pub(crate) fn found(self) -> Found {
        self.found
    }

    /// Something is published now.
    pub(crate) fn begin(&mut self, begun: Begun) -> Result<(), Failure> {
        self.found.latencies.begin(begun)
    }

    /// Takes in what a client received.
    pub(crate) fn count(
        &mut self,
        client: usize,
        messages: &[u8],
        published: &[Begun],
    ) -> Result<(), Failure> {
        let now = Instant::now();
        let mut events = 0;
        for at in self.number.find_iter(messages) {
            let number = number_at(messages, at + NUMBER.len());
            let place = number.wrapping_sub(self.plan.first);
            let (Some(begun), Some(missing)) = (published.get(place), self.missing.get_mut(place))
            else {
                return Err("an event that was not published".into());
            };
            let room = self.plan.layout.room(number);
            match self.receipts.get_mut(client) {
                Some(receipts) if self.plan.layout.is_in(client, room) => {
                    receipts.add(place, self.plan.is_ordered())?;
                }
                _ => return Err(format!("event {place} at {client}, who did not ask").into()),
            }
            self.found.latencies.end(*begun, now)?;
            *missing -= 1;
            self.complete += usize::from(*missing == 0);
            events += 1;
        }
        // A reply to a publish names a channel too, but has no data.
        if events == 0 {
            return Ok(());
        }
        if self.plan.check == Check::Everything {
            check(messages, &self.number, &self.plan.layout)?;
        }
        if self.mark.find_iter(messages).count() < events {
            return Err("fewer events than numbers".into());
        }
        self.found.deliveries += events as u64;
        self.found.frames += 1;
        self.found.bytes += messages.len() as u64;
        Ok(())
    }
}

impl Receipts {
    fn add(&mut self, place: usize, is_ordered: bool) -> Result<(), Failure> {
        let bit = 1 << (place % 64);
        match self.seen.get_mut(place / 64) {
            Some(seen) if *seen & bit == 0 => *seen |= bit,
            _ => return Err(format!("event {place} came twice").into()),
        }
        if is_ordered && place < self.next {
            return Err(format!("event {place} came after {}", self.next - 1).into());
        }
        self.next = place + 1;
        Ok(())
    }
}

fn number_at(bytes: &[u8], start: usize) -> usize {
    let digits = bytes.get(start..).unwrap_or_default().iter();
    digits
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, byte| number * 10 + usize::from(byte - b'0'))
}

/// Whether a parser finds the same events, each on the channel of its room.
fn check(messages: &[u8], number: &Finder<'_>, layout: &Layout) -> Result<(), Failure> {
    let parsed: Vec<Value> = serde_json::from_slice(messages)?;
    let parsed: Vec<_> = parsed
        .iter()
        .filter_map(|message| {
            let number = message.pointer("/data/seq")?.as_u64();
            Some((message.get("channel")?.as_str()?.to_owned(), number))
        })
        .collect();
    let scanned: Vec<_> = number
        .find_iter(messages)
        .map(|at| number_at(messages, at + NUMBER.len()))
        .map(|number| (channel(layout.room(number)), Some(number as u64)))
        .collect();
    if parsed == scanned {
        return Ok(());
    }
    Err(format!("events {parsed:?}, and not {scanned:?}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Pace;
    use crate::race::Publishers;

    /// Two subscribers, each in two of three rooms.
    fn plan() -> Plan {
        Plan {
            first: 10,
            events: 3,
            batch: 1,
            size: 20,
            pace: Pace::InFlight(3),
            layout: Layout::new(2, 3, 2).unwrap(),
            publishers: Publishers::Others(1),
            check: Check::Everything,
        }
    }

    fn event(plan: &Plan, number: usize) -> String {
        let channel = channel(plan.layout.room(number));
        format!(r#"{{"channel":"{channel}","data":{{"seq":{number},"pad":""}}}}"#)
    }

    fn published() -> Vec<Begun> {
        let now = Instant::now();
        vec![Begun { due: now, at: now }; 3]
    }

    /// The members of an event's room.
    fn members(plan: &Plan, number: usize) -> Vec<usize> {
        let room = plan.layout.room(number);
        let inside = |&who: &usize| plan.layout.is_in(who, room);
        plan.layout.subscribers().filter(inside).collect()
    }

    #[test]
    fn a_race_is_complete_when_every_member_of_a_room_has_every_event_of_it() {
        let plan = plan();
        let mut tally = Tally::new(&plan).unwrap();
        let mut deliveries = 0;

        for number in 10..13 {
            assert_eq!(tally.complete(), number - 10);
            for member in members(&plan, number) {
                let frame = format!("[{}]", event(&plan, number));
                tally.count(member, frame.as_bytes(), &published()).unwrap();
                deliveries += 1;
            }
        }

        assert_eq!(tally.complete(), 3);
        let found = tally.found();
        assert_eq!((found.deliveries, found.frames), (deliveries, deliveries));
    }

    #[test]
    fn events_of_one_frame_count_each() {
        let plan = Plan {
            layout: Layout::one_room(1).unwrap(),
            ..plan()
        };
        let mut tally = Tally::new(&plan).unwrap();
        let [first, second] = [10, 11].map(|number| event(&plan, number));
        let frame =
            format!(r#"[{first},{{"channel":"/meta/connect","successful":true}},{second}]"#);

        tally.count(0, frame.as_bytes(), &published()).unwrap();

        assert_eq!(tally.complete(), 2);
        let found = tally.found();
        assert_eq!((found.deliveries, found.frames), (2, 1));
        assert_eq!(found.bytes, frame.len() as u64);
    }

    #[test]
    fn what_should_not_have_come_fails_the_race() {
        let plan = Plan {
            layout: Layout::one_room(1).unwrap(),
            ..plan()
        };
        let refused = |frames: &[(usize, String)]| {
            let mut tally = Tally::new(&plan).unwrap();
            let mut counted = Ok(());
            for (client, frame) in frames {
                counted = tally.count(*client, frame.as_bytes(), &published());
            }
            counted.unwrap_err().to_string()
        };
        let frame = |number| format!("[{}]", event(&plan, number));

        assert!(refused(&[(0, frame(10)), (0, frame(10))]).contains("twice"));
        assert!(refused(&[(0, frame(11)), (0, frame(10))]).contains("after"));
        assert!(refused(&[(0, frame(13))]).contains("not published"));
        assert!(refused(&[(0, frame(9))]).contains("not published"));
        assert!(refused(&[(1, frame(10))]).contains("did not ask"));
        let elsewhere = frame(10).replace("/bench/room/0", "/bench/room/1");
        assert!(refused(&[(0, elsewhere)]).contains("and not"));
    }
}
