//! One session's events, from the log to the wire.
//!
//! In order of position. With acknowledgement an event stays until the client has said that it has
//! it; without, until it was written. Those in flight stay at the front, so that a connection that
//! closes too early gives them back by doing nothing (QU-9).

mod entries;

use alloc::sync::Arc;

use self::entries::Entries;
use crate::config::Limits;
use crate::connection::Leftover;
use crate::id::DecisionTicket;
use crate::message::Event;
use crate::store::{Laziness, Position};
use crate::time::Instant;

/// An event that waits for its session.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) position: Position,
    pub(crate) event: Arc<Event>,
    pub(crate) laziness: Laziness,
    /// The question whose verdict it waits for.
    pub(crate) pending: Option<DecisionTicket>,
}

/// A session's queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: Entries,
    bytes: usize,
    /// How many at the front are on their way to a connection (never with acknowledgement).
    in_flight: u32,
    /// How many that were not sent yet do not want to wait.
    prompt: u32,
    /// The last one that was sent at least once (with acknowledgement only).
    sent: Position,
    /// The lazy ones have waited long enough.
    overdue: bool,
    /// When they will have.
    hurry_at: Option<Instant>,
}

/// How a queue gives out its events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// Until written.
    Written,
    /// Until acknowledged.
    Acknowledged,
}

/// What leaves a queue at once: its first events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    /// How many.
    pub(crate) count: usize,
    /// How many of them were sent before (AK-7).
    pub(crate) again: usize,
}

impl Queue {
    pub(crate) fn push(&mut self, queued: Queued) {
        self.bytes += queued.event.size();
        self.prompt += u32::from(queued.laziness == Laziness::Prompt);
        self.entries.push(queued);
    }

    /// Takes everything out, for what was read from the log to be put before it.
    pub(crate) fn lift(&mut self) -> impl Iterator<Item = Queued> + use<> {
        debug_assert!(self.in_flight == 0, "nothing leaves while the log is read");
        self.bytes = 0;
        self.prompt = 0;
        self.entries.drain()
    }

    /// Chooses what leaves now: everything settled from the front, within `max_bytes` but for the
    /// first.
    pub(crate) fn take(&mut self, keep: Keep, max_bytes: usize) -> Taken {
        debug_assert!(self.in_flight == 0, "one batch is in flight at a time");
        // A bracket before them; a comma or the other bracket after each.
        let mut bytes = 1;
        let (mut count, mut again) = (0_usize, 0);
        for queued in self.entries.iter() {
            bytes += queued.event.size() + 1;
            if queued.pending.is_some() || (count > 0 && bytes > max_bytes) {
                break;
            }
            count += 1;
            if keep == Keep::Written || queued.position > self.sent {
                self.prompt -= u32::from(queued.laziness == Laziness::Prompt);
            } else {
                again += 1;
            }
        }
        match keep {
            Keep::Written => self.in_flight = u32::try_from(count).unwrap_or(u32::MAX),
            Keep::Acknowledged => {
                let last = count.checked_sub(1).and_then(|last| self.entries.get(last));
                self.sent = last.map_or(self.sent, |last| last.position.max(self.sent));
            }
        }
        // What has to stay behind leaves with the next batch, however lazy it is.
        self.overdue = count < self.entries.len();
        Taken { count, again }
    }

    /// What was in flight has arrived.
    pub(crate) fn written(&mut self) {
        let count = core::mem::take(&mut self.in_flight);
        if count as usize == self.entries.len() {
            self.entries = Entries::None;
            self.bytes = 0;
        }
        for _ in 0..count {
            let Some(queued) = self.entries.remove(0) else {
                return;
            };
            self.bytes -= queued.event.size();
        }
    }

    /// What was in flight has not arrived. Says how many.
    pub(crate) fn requeue(&mut self) -> usize {
        let count = self.in_flight as usize;
        for queued in self.entries.iter().take(count) {
            self.prompt += u32::from(queued.laziness == Laziness::Prompt);
        }
        self.in_flight = 0;
        self.overdue = true;
        count
    }

    /// Forgets what the client has, up to and with `position`.
    pub(crate) fn acknowledge(&mut self, position: Position) {
        while self
            .entries
            .get(0)
            .is_some_and(|queued| queued.position <= position)
        {
            self.pop(0);
        }
    }

    /// Whether one more event of this size is within the limits (QU-5).
    pub(crate) fn has_room(&self, size: usize, limits: &Limits) -> bool {
        self.entries.len() < limits.max_queued_events
            && self.bytes + size <= limits.max_queued_bytes
    }

    /// Drops the oldest event that is not in flight.
    pub(crate) fn drop_oldest(&mut self) -> Option<Position> {
        self.pop(self.in_flight as usize)
            .map(|queued| queued.position)
    }

    /// Takes out the event at `index`.
    fn pop(&mut self, index: usize) -> Option<Queued> {
        let queued = self.entries.remove(index)?;
        self.bytes -= queued.event.size();
        if queued.position > self.sent {
            self.prompt -= u32::from(queued.laziness == Laziness::Prompt);
        }
        Some(queued)
    }

    /// Settles the event that waits for the verdict on `ticket`: it leaves as `event`, or not at
    /// all.
    pub(crate) fn settle(&mut self, ticket: DecisionTicket, event: Option<Arc<Event>>) {
        let Some(index) = self
            .entries
            .iter()
            .position(|queued| queued.pending == Some(ticket))
        else {
            return;
        };
        let Some(event) = event else {
            self.pop(index);
            return;
        };
        if let Some(queued) = self.entries.iter_mut().nth(index) {
            self.bytes = self.bytes - queued.event.size() + event.size();
            queued.event = event;
            queued.pending = None;
        }
    }

    /// Lets what is `event` by now wait for the next question.
    pub(crate) fn ask_again(
        &mut self,
        ticket: DecisionTicket,
        next: DecisionTicket,
        event: Arc<Event>,
    ) {
        let waiting = self
            .entries
            .iter_mut()
            .find(|queued| queued.pending == Some(ticket));
        if let Some(queued) = waiting {
            self.bytes = self.bytes - queued.event.size() + event.size();
            queued.event = event;
            queued.pending = Some(next);
        }
    }

    /// The event that waits for the verdict on `ticket`.
    pub(crate) fn pending(&self, ticket: DecisionTicket) -> Option<Arc<Event>> {
        let waiting = self
            .entries
            .iter()
            .find(|queued| queued.pending == Some(ticket));
        waiting.map(|queued| Arc::clone(&queued.event))
    }

    /// When the lazy events do not want to wait any longer.
    pub(crate) const fn hurry_at(&self) -> Option<Instant> {
        self.hurry_at
    }

    pub(crate) const fn set_hurry_at(&mut self, at: Option<Instant>) {
        self.hurry_at = at;
    }

    /// The lazy events do not want to wait any longer.
    pub(crate) fn hurry(&mut self) {
        self.overdue = true;
    }

    /// Whether no event waits for a verdict.
    pub(crate) fn is_decided(&self) -> bool {
        self.entries.iter().all(|queued| queued.pending.is_none())
    }

    /// Everything that could still leave, for the last response of a session.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Leftover> {
        let in_flight = core::mem::take(&mut self.in_flight) as usize;
        self.bytes = 0;
        self.prompt = 0;
        let rest = self.entries.drain().skip(in_flight);
        rest.filter(|queued| queued.pending.is_none())
            .map(|queued| (Some(queued.position), queued.event))
    }

    /// The first `count` events.
    pub(crate) fn front(&self, count: usize) -> impl Iterator<Item = &Queued> + Clone {
        self.entries.iter().take(count)
    }

    /// Whether something wants to leave at once.
    pub(crate) fn is_prompt(&self) -> bool {
        (self.prompt > 0 || self.overdue) && self.is_settled_in_front()
    }

    /// Whether the next event to leave waits for a verdict.
    pub(crate) fn is_undecided_in_front(&self) -> bool {
        self.next().is_some_and(|queued| queued.pending.is_some())
    }

    /// Whether the next event to leave waits for no verdict.
    fn is_settled_in_front(&self) -> bool {
        self.next().is_some_and(|queued| queued.pending.is_none())
    }

    /// Whether something was sent that the client has not acknowledged (AK-6).
    pub(crate) fn is_unacknowledged(&self) -> bool {
        self.entries
            .get(0)
            .is_some_and(|queued| queued.position <= self.sent)
    }

    /// The first event that is not on its way.
    pub(crate) fn next_to_leave(&self) -> Option<Position> {
        self.next().map(|queued| queued.position)
    }

    fn next(&self) -> Option<&Queued> {
        self.entries.get(self.in_flight as usize)
    }

    /// The last event among the first `count`.
    pub(crate) fn last_of(&self, count: usize) -> Option<Position> {
        self.entries
            .get(count.checked_sub(1)?)
            .map(|queued| queued.position)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn filled(count: u64) -> Queue {
        let mut queue = Queue::default();
        for position in 1..=count {
            queue.push(queued(position));
        }
        queue
    }

    fn queued(position: u64) -> Queued {
        Queued {
            position: Position::new(position),
            event: Arc::new(Event::from_object("{}")),
            laziness: Laziness::Prompt,
            pending: None,
        }
    }

    #[test]
    fn a_batch_is_as_large_as_the_array_of_its_events() {
        for (max_bytes, count) in [
            (0, 1),
            ("[{},{}".len(), 1),
            ("[{},{}]".len(), 2),
            ("[{},{},{}".len(), 2),
            ("[{},{},{}]".len(), 3),
        ] {
            let mut queue = filled(3);

            let taken = queue.take(Keep::Written, max_bytes);

            assert_eq!((taken.count, taken.again), (count, 0), "{max_bytes}");
        }
    }

    #[test]
    fn events_leave_in_the_order_in_which_they_came_however_many_wait() {
        for (count, written) in [(1, 1), (2, 1), (2, 2), (3, 1), (100, 99), (100, 100)] {
            let mut queue = filled(count);
            let size = Event::from_object("{}").size();

            let taken = queue.take(Keep::Written, 1 + (size + 1) * written);
            assert_eq!(taken.count, written);
            queue.written();
            queue.push(queued(count + 1));

            let left: Vec<u64> = queue
                .lift()
                .map(|queued| queued.position.number())
                .collect();
            let expected: Vec<u64> = (written as u64 + 1..=count + 1).collect();
            assert_eq!(left, expected);
            assert_eq!((queue.len(), queue.bytes()), (0, 0));
        }
    }

    #[test]
    fn an_empty_queue_holds_no_memory() {
        for count in [0, 1, 3, 100] {
            let mut queue = filled(count);

            queue.take(Keep::Written, usize::MAX);
            queue.written();

            assert!(matches!(queue.entries, Entries::None), "{count}");
            assert_eq!((queue.len(), queue.bytes()), (0, 0));
        }
    }
}
