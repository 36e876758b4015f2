//! Events and answers as the frames of a batch.
//!
//! Events come before answers (RC-4), a handshake's reply has a frame of its own, and no frame is empty.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::connection::Answer;
use crate::message::Event;

/// A JSON array of messages being written.
pub(super) struct Array(Vec<u8>);

impl Array {
    pub(super) fn new() -> Self {
        Self(alloc::vec![b'['])
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
        let mut array = Array::new();
        array.answer(answer);
        self.done.push(array.done());
    }

    /// Events, then answers in one frame; all in that one frame if they belong together (AK-11).
    pub(super) fn fill(&mut self, events: &[Arc<Event>], answers: &[Answer], together: bool) {
        let mut array = Array::new();
        let mut count = 0;
        if let ([only], []) = (events, answers) {
            self.done.push(only.framed().clone());
            return;
        }
        for event in events {
            // A comma comes before it, and a bracket after it.
            let full = count > 0 && array.0.len() + event.size() + 2 > self.bytes;
            if !together && (full || (self.messages > 0 && count >= self.messages)) {
                self.done
                    .push(core::mem::replace(&mut array, Array::new()).done());
                count = 0;
            }
            array.event(event);
            count += 1;
        }
        if !together && !array.is_empty() && !answers.is_empty() {
            self.done
                .push(core::mem::replace(&mut array, Array::new()).done());
        }
        answers.iter().for_each(|answer| array.answer(answer));
        if !array.is_empty() {
            self.done.push(array.done());
        }
    }
}
