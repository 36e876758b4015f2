//! Websocket frames, well-formed or not.

use crate::check::{Checked, Stop};
use crate::wire::{Lack, Source};

/// A frame, without its mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it ends its message.
    pub last: bool,
    /// What it is.
    pub opcode: Opcode,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// The kinds of frames, RFC 6455 section 11.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

/// How a websocket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A close frame with this code.
    Code(u16),
    /// A close frame without a code.
    Empty,
    /// No close frame.
    Missing,
}

/// Said of a frame that has a mask.
const MASKED: u8 = 0x80;

impl Frame {
    /// A message in one frame.
    pub fn whole(opcode: Opcode, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            last: true,
            opcode,
            payload: payload.into(),
        }
    }

    /// The next frame of a server.
    ///
    /// # Errors
    ///
    /// If it is no frame that a server may send; within, what is missing.
    pub fn read(source: &mut impl Source) -> Checked<Result<Self, Lack>> {
        let (first, second, payload) = match parts(source) {
            Ok(parts) => parts,
            Err(lack) => return Ok(Err(lack)),
        };
        if first & 0x70 != 0 {
            return Err(Stop::failed("a frame with a reserved bit"));
        }
        if second & MASKED != 0 {
            return Err(Stop::failed("a frame of the server's that is masked"));
        }
        let opcode = match first & 0x0F {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            other => return Err(Stop::failed(format!("a frame with opcode {other:#x}"))),
        };
        Ok(Ok(Self {
            last: first & 0x80 != 0,
            opcode,
            payload,
        }))
    }

    /// As it goes over the wire, with that mask: a client has to have one.
    pub fn to_bytes(&self, mask: Option<[u8; 4]>) -> Vec<u8> {
        let last = if self.last { 0x80 } else { 0 };
        let mask_bit = if mask.is_some() { MASKED } else { 0 };
        let mut bytes = vec![last | self.opcode as u8];
        let length = self.payload.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ ..126), _) => bytes.push(mask_bit | length),
            (_, Ok(length)) => {
                bytes.push(mask_bit | 126);
                bytes.extend(length.to_be_bytes());
            }
            (_, Err(_)) => {
                bytes.push(mask_bit | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        match mask {
            Some(mask) => {
                bytes.extend(mask);
                let masked = self.payload.iter().zip(mask.iter().cycle());
                bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
            }
            None => bytes.extend(&self.payload),
        }
        bytes
    }
}

impl Ending {
    /// That of a close frame.
    pub fn of(close: &Frame) -> Self {
        let code = close.payload.first_chunk().copied();
        code.map_or(Self::Empty, |code| Self::Code(u16::from_be_bytes(code)))
    }
}

/// The first two bytes, and what a frame carries.
fn parts(source: &mut impl Source) -> Result<(u8, u8, Vec<u8>), Lack> {
    let head = source.exactly(2)?;
    let [first, second] = head.try_into().map_err(|_| Lack::Ended)?;
    let length = match second & !MASKED {
        126 => number(&source.exactly(2)?),
        127 => number(&source.exactly(8)?),
        length => usize::from(length),
    };
    Ok((first, second, source.exactly(length)?))
}

/// A length that no memory holds is read as the greatest, and never comes.
fn number(bytes: &[u8]) -> usize {
    let number = bytes
        .iter()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(number).unwrap_or(usize::MAX)
}
