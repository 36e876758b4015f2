//! Frames for websockets, prepared once for all who get them.

use bytes::{BufMut, Bytes, BytesMut};

/// The first byte of a text in one frame.
const TEXT: u8 = 0x81;

/// Up to this size a frame is one buffer, head and all; beyond, the payload is never copied.
const JOINED: usize = 4 << 10;

/// A frame to be written: its two buffers, of which the first may be all of it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) head: Bytes,
    pub(crate) payload: Bytes,
}

/// The last frame that was prepared.
///
/// An event for a thousand sockets comes as a thousand batches that share one buffer: only the
/// first is given its head.
#[derive(Default)]
pub(crate) struct Frames {
    last: Option<Prepared>,
}

struct Prepared {
    payload: Bytes,
    frame: Frame,
}

impl Frames {
    /// `payload`, which is UTF-8, as a text message as a server sends it: unmasked (RFC 6455, section 5).
    pub(crate) fn prepared(&mut self, payload: &Bytes) -> &Frame {
        if self.last.as_ref().is_some_and(|last| !last.is_of(payload)) {
            self.last = None;
        }
        &self
            .last
            .get_or_insert_with(|| Prepared::new(payload))
            .frame
    }

    /// Lets go of the last frame.
    pub(crate) fn clear(&mut self) {
        self.last = None;
    }
}

impl Prepared {
    fn new(payload: &Bytes) -> Self {
        let mut head = head(payload.len());
        let frame = if payload.len() <= JOINED {
            head.extend_from_slice(payload);
            Frame {
                head: head.freeze(),
                payload: Bytes::new(),
            }
        } else {
            Frame {
                head: head.freeze(),
                payload: payload.clone(),
            }
        };
        Self {
            payload: payload.clone(),
            frame,
        }
    }

    /// Whether this is the same buffer.
    fn is_of(&self, payload: &Bytes) -> bool {
        std::ptr::eq(self.payload.as_ptr(), payload.as_ptr()) && self.payload.len() == payload.len()
    }
}

fn head(length: usize) -> BytesMut {
    let capacity = if length <= JOINED { length + 10 } else { 10 };
    let mut head = BytesMut::with_capacity(capacity);
    head.put_u8(TEXT);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..=125), _) => head.put_u8(length),
        (_, Ok(length)) => {
            head.put_u8(126);
            head.put_u16(length);
        }
        (_, Err(_)) => {
            head.put_u8(127);
            head.put_u64(u64::try_from(length).unwrap_or(u64::MAX));
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gives_the_length_in_as_few_bytes_as_it_takes() {
        let table: [(usize, &[u8]); 6] = [
            (0, &[0x81, 0]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (70_000, &[0x81, 127, 0, 0, 0, 0, 0, 1, 17, 112]),
        ];

        for (length, head) in table {
            let payload = Bytes::from(vec![b'x'; length]);
            let mut frames = Frames::default();
            let frame = frames.prepared(&payload);

            assert!(frame.head.starts_with(head), "{length}");
            assert_eq!(frame.head.len() + frame.payload.len(), head.len() + length);
        }
    }

    #[test]
    fn one_payload_is_prepared_once() {
        let mut frames = Frames::default();
        let payload = Bytes::from_static(b"[]");

        let first = frames.prepared(&payload).clone();
        let second = frames.prepared(&payload.clone()).clone();
        let other = frames.prepared(&Bytes::from_static(b"[ ]"));

        assert_eq!(first.head.as_ptr(), second.head.as_ptr());
        assert_ne!(first.head.as_ptr(), other.head.as_ptr());
    }

    #[test]
    fn a_large_payload_is_not_copied() {
        let payload = Bytes::from(vec![b'x'; JOINED + 1]);

        assert_eq!(
            Frames::default().prepared(&payload).payload.as_ptr(),
            payload.as_ptr()
        );
    }
}
