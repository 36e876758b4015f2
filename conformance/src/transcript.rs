//! What went over the wire during one check, byte for byte.

use std::cell::RefCell;
use std::fmt::{Display, Formatter, Result};
use std::rc::Rc;

/// The bytes of all connections of one check, in the order in which they were seen.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Rc<RefCell<Record>>);

#[derive(Debug, Default)]
struct Record {
    connections: u32,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    connection: u32,
    direction: Direction,
    bytes: Vec<u8>,
}

/// Who sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Sent,
    Received,
    /// Nothing more comes from the server.
    Ended,
}

impl Transcript {
    /// The number of a further connection.
    pub(crate) fn connection(&self) -> u32 {
        let mut record = self.0.borrow_mut();
        record.connections += 1;
        record.connections
    }

    pub(crate) fn note(&self, connection: u32, direction: Direction, bytes: &[u8]) {
        let pieces = &mut self.0.borrow_mut().pieces;
        match pieces.last_mut() {
            Some(last) if last.connection == connection && last.direction == direction => {
                last.bytes.extend_from_slice(bytes);
            }
            _ => pieces.push(Piece {
                connection,
                direction,
                bytes: bytes.to_owned(),
            }),
        }
    }
}

impl Display for Transcript {
    /// A line for each line that was sent (`>`) or received (`<`), with the number of its connection; what is not text
    /// stands as `\x00`.
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        for piece in &self.0.borrow().pieces {
            let mark = match piece.direction {
                Direction::Sent => '>',
                Direction::Received => '<',
                Direction::Ended => {
                    writeln!(formatter, "{} | the connection ends", piece.connection)?;
                    continue;
                }
            };
            for line in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
                writeln!(formatter, "{} {mark} {}", piece.connection, readable(line))?;
            }
        }
        Ok(())
    }
}

fn readable(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                _ if character.is_control() => {
                    text.push_str(&format!("\\x{:02x}", u32::from(character)));
                }
                _ => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_they_were() {
        let transcript = Transcript::default();
        let first = transcript.connection();
        let second = transcript.connection();

        transcript.note(first, Direction::Sent, b"GET / HT");
        transcript.note(first, Direction::Sent, b"TP/1.1\r\n\r\n");
        transcript.note(second, Direction::Received, b"\x81\x02\xff[]");
        transcript.note(first, Direction::Ended, b"");

        assert_eq!(
            transcript.to_string(),
            "1 > GET / HTTP/1.1\\r\\n\n1 > \\r\\n\n2 < \\x81\\x02\\xff[]\n1 | the connection ends\n"
        );
    }
}
