//! Frames for websockets, prepared once for all who get them.

use bytes::Bytes;

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
/// first is given its head. A buffer that nobody shares comes for one socket, and is not looked for again.
#[derive(Default)]
pub(crate) struct Frames {
    last: Option<Prepared>,
}

struct Prepared {
    /// What others may come with too.
    shared: Option<Bytes>,
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
        let shared = (!payload.is_unique()).then(|| payload.clone());
        let frame = if payload.len() <= JOINED {
            Frame {
                head: head(payload.len(), payload),
                payload: Bytes::new(),
            }
        } else {
            Frame {
                head: head(payload.len(), &[]),
                payload: payload.clone(),
            }
        };
        Self { shared, frame }
    }

    /// Whether this is the same buffer.
    fn is_of(&self, payload: &Bytes) -> bool {
        self.shared.as_ref().is_some_and(|shared| {
            std::ptr::eq(shared.as_ptr(), payload.as_ptr()) && shared.len() == payload.len()
        })
    }
}

/// The head of a frame with so long a payload, and as much of that as is to be joined to it: without
/// room to spare, as `Bytes` takes it over at no cost.
fn head(length: usize, joined: &[u8]) -> Bytes {
    let bytes @ [.., high, low] = u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes();
    let (code, extended): (u8, &[u8]) = match length {
        0..=125 => (low, &[]),
        126..=0xFFFF => (126, &[high, low]),
        _ => (127, &bytes),
    };
    let mut head = Vec::with_capacity(2 + extended.len() + joined.len());
    head.extend([TEXT, code]);
    head.extend_from_slice(extended);
    head.extend_from_slice(joined);
    head.into()
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
    fn a_small_payload_of_one_socket_is_not_kept() {
        let mut frames = Frames::default();
        let payload = Bytes::from(b"[1]".to_vec());

        let frame = frames.prepared(&payload);

        assert_eq!(frame.head, &b"\x81\x03[1]"[..]);
        assert!(payload.is_unique());
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
