//! Events and answers as the frames of a batch.
//!
//! Events come before answers (RC-4), a handshake's reply has a frame of its own, and no frame is empty.

use alloc::vec::Vec;
use core::{iter, slice};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::connection::Answer;
use crate::message::Event;

/// What an answer takes, more or less.
const ANSWER: usize = 128;

/// A JSON array of messages being written.
pub(super) struct Array(Vec<u8>);

impl Array {
    /// With room for these: exactly if no answer is among them, so that it is allocated once.
    pub(super) fn of<'e>(events: impl Iterator<Item = &'e Event>, answers: usize) -> Self {
        // A comma or a bracket behind each.
        let events: usize = events.map(|event| event.size() + 1).sum();
        let mut array = Vec::with_capacity(1 + events + ANSWER * answers);
        array.push(b'[');
        Self(array)
    }

    fn separate(&mut self) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        self.separate();
        self.0.extend_from_slice(event.object());
    }

    pub(super) fn answer(&mut self, answer: &Answer) {
        self.separate();
        answer.reply.encode(&mut self.0);
    }

    fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    pub(super) fn done(mut self) -> Bytes {
        self.0.push(b']');
        self.0.into()
    }
}

/// The frames of a duplex being filled (RC-5, DE-21).
pub(super) struct Frames {
    pub(super) done: SmallVec<[Bytes; 1]>,
    /// Most messages of one frame; 0: no such bound.
    messages: usize,
    bytes: usize,
}

impl Frames {
    pub(super) fn new(messages: usize, bytes: usize) -> Self {
        Self {
            done: SmallVec::new(),
            messages,
            bytes,
        }
    }

    /// A frame of its own, for a handshake's reply.
    pub(super) fn alone(&mut self, answer: &Answer) {
        self.push(iter::empty(), slice::from_ref(answer));
    }

    /// Events, then answers in one frame; all in that one frame if they belong together (AK-11).
    pub(super) fn fill<'e>(
        &mut self,
        mut events: impl Iterator<Item = &'e Event> + Clone,
        answers: &[Answer],
        together: bool,
    ) {
        let mut first = events.clone();
        if let (Some(only), None, []) = (first.next(), first.next(), answers) {
            self.done.push(only.framed().clone());
            return;
        }
        if together {
            self.push(events, answers);
            return;
        }
        while let Some(last) = self.count(events.clone()).checked_sub(1) {
            self.push(events.clone().take(last + 1), &[]);
            events.nth(last);
        }
        if !answers.is_empty() {
            self.push(iter::empty(), answers);
        }
    }

    /// How many of these events one frame has room for; one at least.
    fn count<'e>(&self, events: impl Iterator<Item = &'e Event>) -> usize {
        let most = if self.messages == 0 {
            usize::MAX
        } else {
            self.messages
        };
        let mut bytes = 1;
        let fitting = events.take(most).enumerate().take_while(|(place, event)| {
            // A comma or a bracket behind each.
            bytes += event.size() + 1;
            *place == 0 || bytes <= self.bytes
        });
        fitting.count()
    }

    fn push<'e>(&mut self, events: impl Iterator<Item = &'e Event> + Clone, answers: &[Answer]) {
        let mut array = Array::of(events.clone(), answers.len());
        events.for_each(|event| array.event(event));
        answers.iter().for_each(|answer| array.answer(answer));
        if !array.is_empty() {
            self.done.push(array.done());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_events_has_no_byte_to_spare() {
        let events = ["{}", r#"{"a":1}"#, r#"{"data":[1,2]}"#].map(Event::from_object);
        for count in 1..=events.len() {
            let mut array = Array::of(events.iter().take(count), 0);
            let room = array.0.capacity();

            let first = events.iter().take(count);
            first.for_each(|event| array.event(event));

            assert_eq!(array.done().len(), room, "{count}");
        }
    }
}
