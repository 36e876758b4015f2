//! Where a stream of frames stands: within a message or between two.
//!
//! tungstenite tells of whole messages only, and of control frames in the midst of one.

/// Follows the frames of a peer (RFC 6455, section 5.2) without looking at what they carry.
#[derive(Debug)]
pub(super) struct Scan {
    part: Part,
    /// Whether a message has begun and not ended.
    is_within: bool,
    /// Whether the frame ends its message.
    is_last: bool,
}

/// Which part of a frame is next.
#[derive(Clone, Copy, Debug)]
enum Part {
    Opcode,
    Length,
    /// So many bytes of the length are missing; the payload has a mask before it.
    Extended {
        missing: u8,
        length: u64,
        mask: u64,
    },
    /// So many bytes are left, the mask among them.
    Payload(u64),
}

impl Scan {
    pub(super) const fn new() -> Self {
        Self {
            part: Part::Opcode,
            is_within: false,
            is_last: false,
        }
    }

    /// Whether the first byte of a message has come, and not its last.
    pub(super) const fn is_within_message(&self) -> bool {
        self.is_within
    }

    /// The next bytes of the stream.
    pub(super) fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            bytes = rest;
            self.part = match self.part {
                Part::Opcode => {
                    let is_control = first & 0x08 != 0;
                    self.is_within |= !is_control;
                    self.is_last = !is_control && first & 0x80 != 0;
                    Part::Length
                }
                Part::Length => {
                    let mask = if first & 0x80 == 0 { 0 } else { 4 };
                    match first & 0x7F {
                        126 => Part::extended(2, mask),
                        127 => Part::extended(8, mask),
                        length => Part::Payload(u64::from(length) + mask),
                    }
                }
                Part::Extended {
                    missing,
                    length,
                    mask,
                } => {
                    let length = length << 8 | u64::from(first);
                    if missing > 1 {
                        Part::Extended {
                            missing: missing - 1,
                            length,
                            mask,
                        }
                    } else {
                        Part::Payload(length.saturating_add(mask))
                    }
                }
                Part::Payload(left) => {
                    // The first of them is taken already.
                    let left = left.saturating_sub(1);
                    let here =
                        usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    bytes = rest.get(here..).unwrap_or_default();
                    Part::Payload(left.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX)))
                }
            };
            if let Part::Payload(0) = self.part {
                self.part = Part::Opcode;
                self.is_within &= !self.is_last;
            }
        }
    }
}

impl Part {
    const fn extended(missing: u8, mask: u64) -> Self {
        Self::Extended {
            missing,
            length: 0,
            mask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u8 = 0x81;
    const BEGINNING: u8 = 0x01;
    const MIDDLE: u8 = 0x00;
    const END: u8 = 0x80;
    const PING: u8 = 0x89;

    /// A frame with a mask.
    fn frame(first: u8, length: u16) -> Vec<u8> {
        let head = match u8::try_from(length) {
            Ok(length @ ..126) => vec![first, 0x80 | length],
            _ => [&[first, 0x80 | 126][..], &length.to_be_bytes()].concat(),
        };
        [head, vec![0xFF; 4 + usize::from(length)]].concat()
    }

    /// Whether it is within a message after these bytes, however they are cut.
    fn is_within(bytes: &[u8]) -> bool {
        let mut whole = Scan::new();
        whole.advance(bytes);
        for size in [1, 2, 3, 5, 100] {
            let mut cut = Scan::new();
            for chunk in bytes.chunks(size) {
                cut.advance(chunk);
            }
            assert_eq!(cut.is_within_message(), whole.is_within_message());
        }
        whole.is_within_message()
    }

    #[test]
    fn a_message_lasts_from_its_first_byte_to_its_last() {
        for length in [0, 1, 125, 126, 1_000] {
            let text = frame(TEXT, length);
            assert!(is_within(&text[..1]));
            assert!(is_within(&text[..text.len() - 1]));
            assert!(!is_within(&text));
            assert!(is_within(&[&text[..], &text[..3]].concat()));
        }
        assert!(!is_within(&[0x82, 0]));
        let long = [&[TEXT, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0; 4]].concat();
        assert!(is_within(&[&long[..], &[0; 65_535]].concat()));
        assert!(!is_within(&[&long[..], &[0; 65_536]].concat()));
        let endless = [&[TEXT, 0x80 | 127][..], &[0xFF; 50]].concat();
        assert!(is_within(&endless));
    }

    #[test]
    fn control_frames_neither_begin_a_message_nor_end_one() {
        let (ping, beginning) = (frame(PING, 5), frame(BEGINNING, 9));
        let (middle, end) = (frame(MIDDLE, 200), frame(END, 0));

        assert!(!is_within(&ping));
        assert!(!is_within(&ping[..4]));
        assert!(is_within(&[&beginning[..], &ping].concat()));
        assert!(is_within(&[&beginning[..], &ping[..3]].concat()));
        assert!(is_within(&[&beginning[..], &ping, &middle].concat()));
        assert!(!is_within(&[&beginning[..], &ping, &middle, &end].concat()));
    }
}
