//! Facts from bytes, for a coverage-guided fuzzer.

use super::{Eager, Facts, Sent, Step};

/// The facts that these bytes stand for; all bytes stand for some, and what they leave unsaid is 0.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> Facts {
    let mut bytes = Bytes(bytes);
    let (kind, eager) = (bytes.next(), Eager::of(bytes.next()));
    let mut steps = Vec::new();
    while !bytes.0.is_empty() {
        steps.push(bytes.step());
    }
    Facts { kind, eager, steps }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.next(), self.next()])
    }

    /// The low half says what; the high half how much, where there is something to count.
    fn step(&mut self) -> Step {
        let byte = self.next();
        let more = byte >> 4;
        match byte % 16 {
            0 => Step::Open(self.next()),
            1..=3 => {
                let connection = (more & 4 != 0).then(|| self.next());
                let transport = more & 3;
                let count = 1 + usize::from(more >> 3) * 2;
                let sent = (0..count).map(|_| self.sent()).collect();
                Step::Frame(connection, transport, sent)
            }
            4 | 5 => Step::Written(self.next()),
            6 => Step::Closed(self.next()),
            7 => Step::Stored(self.next(), None),
            8 => Step::Stored(self.next(), Some(more)),
            9 => Step::Notified(self.next()),
            10 => Step::Decided(self.next(), more),
            11 => Step::Called(self.next(), more),
            12 => Step::Configured(self.next(), more),
            13 => Step::Passes(None),
            14 => Step::Passes(Some(self.number() % 6_000)),
            _ => match more {
                0 => Step::Draining(self.number()),
                1 => Step::RunsBack,
                2..=7 => Step::Nonsense(self.next()),
                _ => Step::Passes(Some(u16::from(more))),
            },
        }
    }

    fn sent(&mut self) -> Sent {
        let byte = self.next();
        Sent(byte & 15, byte >> 4, self.next())
    }
}
