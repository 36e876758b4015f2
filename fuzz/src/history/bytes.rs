//! Histories from bytes, for a coverage-guided fuzzer: a byte says little, so that a changed byte changes
//! little.

use super::{
    Ack, Asked, CLIENTS, History, IdKind, Odd, SOCKETS, Said, Setting, Step, Types, Way, What,
    Whose,
};

/// The history that these bytes stand for. All bytes stand for one; what they leave unsaid is the first
/// choice.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> History {
    let mut bytes = Bytes(bytes);
    let setting = bytes.choice(&Setting::ALL);
    let mut steps = Vec::new();
    while !bytes.0.is_empty() {
        steps.push(bytes.step());
    }
    History { setting, steps }
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

    fn choice<T: Copy + Default>(&mut self, of: &[T]) -> T {
        let at = usize::from(self.next()).checked_rem(of.len()).unwrap_or(0);
        of.get(at).copied().unwrap_or_default()
    }

    fn who(&mut self) -> u8 {
        self.next() % CLIENTS
    }

    /// The high bits say what, the low bits to how much company it comes.
    fn step(&mut self) -> Step {
        let kind = self.next();
        match kind >> 3 {
            0..=23 => Step::Send {
                who: self.who(),
                way: self.way(),
                messages: (0..=kind & if kind & 4 == 0 { 0 } else { 3 })
                    .map(|_| self.said())
                    .collect(),
            },
            24 => Step::Cut {
                who: self.who(),
                which: self.next() % 3,
            },
            25 => Step::Wire {
                who: self.who(),
                works: kind & 1 == 0,
            },
            26 => Step::Publish {
                channel: self.next() % 24,
                lazy: kind & 1 == 1,
            },
            27 => Step::Deliver {
                who: self.who(),
                channel: self.next() % 24,
                lazy: kind & 1 == 1,
            },
            28 => Step::Disconnect { who: self.who() },
            29 => Step::Store {
                works: kind & 1 == 0,
            },
            30 => Step::Pass {
                millis: u32::from(self.next()),
            },
            _ => Step::Pass {
                millis: u32::from(self.next()) * 250,
            },
        }
    }

    fn way(&mut self) -> Way {
        match self.next() % 8 {
            0..=3 => Way::Poll,
            4 => Way::Callback,
            socket => Way::Socket(socket % SOCKETS),
        }
    }

    fn said(&mut self) -> Said {
        let what = self.what();
        let name = self.next();
        let whose = match name & 15 {
            0 => Whose::Former,
            1 => Whose::Of(name >> 4 & (CLIENTS - 1)),
            2 => Whose::Nobody,
            3 => Whose::Missing,
            _ => Whose::Own,
        };
        let id = match name >> 4 {
            12 => IdKind::Number,
            13 => IdKind::Missing,
            14 => IdKind::Null,
            15 => IdKind::Wrong,
            _ => IdKind::Text,
        };
        Said { what, whose, id }
    }

    fn what(&mut self) -> What {
        let kind = self.next();
        match kind % 16 {
            0 | 1 => What::Handshake {
                ack: kind & 1 == 1,
                types: self.types(),
            },
            2..=6 => What::Connect {
                advice: self.asked(),
                ack: self.ack(),
            },
            7 | 8 => What::Subscribe(self.names()),
            9 => What::Unsubscribe(self.names()),
            10..=13 => What::Publish(self.next() % 24),
            14 => What::Disconnect,
            _ => What::Odd(self.odd()),
        }
    }

    fn types(&mut self) -> Types {
        match self.next() {
            0 => Types::CrossOrigin,
            1 => Types::Foreign,
            2 => Types::Missing,
            3 => Types::Denied,
            _ => Types::Usual,
        }
    }

    fn asked(&mut self) -> Asked {
        let byte = self.next();
        match byte % 16 {
            0..=2 => Asked::Timeout(0),
            3 => Asked::Timeout(u32::from(byte) * 2_000),
            4 => Asked::Interval(u32::from(byte) * 500),
            5 => Asked::Wrong,
            _ => Asked::Nothing,
        }
    }

    fn ack(&mut self) -> Ack {
        match self.next() {
            0 => Ack::Missing,
            1 => Ack::Less,
            2 => Ack::Zero,
            3 => Ack::Negative,
            _ => Ack::Honest,
        }
    }

    fn names(&mut self) -> Vec<u8> {
        let count = match self.next() {
            0 => 0,
            many @ 1..=3 => many,
            _ => 1,
        };
        (0..count).map(|_| self.next() % 24).collect()
    }

    fn odd(&mut self) -> Odd {
        match self.next() % 6 {
            0 => Odd::NoChannel,
            1 => Odd::UnknownMeta,
            2 => Odd::NoSubscription,
            3 => Odd::NumberSubscription,
            4 => Odd::MixedSubscription,
            _ => Odd::NoUnsubscription,
        }
    }
}
