//! Frames for websockets, prepared once for all who get them.

use bytes::{BufMut, Bytes, BytesMut};

/// The first byte of a text in one frame.
const TEXT: u8 = 0x81;

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
    frame: Bytes,
}

impl Frames {
    /// `payload`, which is UTF-8, as a text message as a server sends it: unmasked (RFC 6455, section 5).
    pub(crate) fn prepared(&mut self, payload: &Bytes) -> Bytes {
        if let Some(last) = &self.last
            && std::ptr::eq(last.payload.as_ptr(), payload.as_ptr())
            && last.payload.len() == payload.len()
        {
            return last.frame.clone();
        }
        let frame = with_head(payload);
        self.last = Some(Prepared {
            payload: payload.clone(),
            frame: frame.clone(),
        });
        frame
    }

    /// Lets go of the last frame.
    pub(crate) fn clear(&mut self) {
        self.last = None;
    }
}

fn with_head(payload: &Bytes) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    frame.put_u8(TEXT);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => frame.put_u8(length),
        (_, Ok(length)) => {
            frame.put_u8(126);
            frame.put_u16(length);
        }
        (_, Err(_)) => {
            frame.put_u8(127);
            frame.put_u64(u64::try_from(payload.len()).unwrap_or(u64::MAX));
        }
    }
    frame.extend_from_slice(payload);
    frame.freeze()
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
            let frame = with_head(&payload);

            assert!(frame.starts_with(head), "{length}");
            assert_eq!(frame.len(), head.len() + length);
        }
    }

    #[test]
    fn one_payload_is_prepared_once() {
        let mut frames = Frames::default();
        let payload = Bytes::from_static(b"[]");

        let first = frames.prepared(&payload);
        let second = frames.prepared(&payload.clone());
        let other = frames.prepared(&Bytes::from_static(b"[ ]"));

        assert_eq!(first.as_ptr(), second.as_ptr());
        assert_ne!(first.as_ptr(), other.as_ptr());
    }
}
