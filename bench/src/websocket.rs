//! As much of RFC 6455 as a measured client and the bare peer need, both on whole messages.

use crate::{Failure, http};

/// The key of RFC 6455's example, and what a server must answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

/// A frame within a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Its first byte: the flag that it is final, and its kind.
    pub(crate) kind: u8,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) payload: &'a [u8],
    /// How many bytes it takes with its head.
    pub(crate) size: usize,
}

impl<'a> Frame<'a> {
    /// The first frame of a buffer, if it is whole.
    pub(crate) fn first(bytes: &'a [u8]) -> Option<Self> {
        let (&[kind, length], rest) = bytes.split_first_chunk()?;
        let (length, rest) = match length & 0x7F {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
            }
            length => (usize::from(length), rest),
        };
        let is_masked = bytes.get(1).is_some_and(|byte| byte & 0x80 != 0);
        let (mask, rest) = if is_masked {
            let (mask, rest) = rest.split_first_chunk()?;
            (Some(*mask), rest)
        } else {
            (None, rest)
        };
        let payload = rest.get(..length)?;
        let size = bytes.len() - rest.len() + length;
        Some(Self {
            kind,
            mask,
            payload,
            size,
        })
    }

    /// What was masked in it.
    pub(crate) fn unmasked(&self) -> Vec<u8> {
        let mask = self.mask.unwrap_or_default();
        let bytes = self.payload.iter().zip(mask.iter().cycle());
        bytes.map(|(byte, mask)| byte ^ mask).collect()
    }
}

/// A frame of a server.
pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(kind, 0, payload.len());
    frame.extend_from_slice(payload);
    frame
}

/// A frame of a client. Its mask is zero: legal, and as dear to a server as any other.
pub(crate) fn masked_frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(kind, 0x80, payload.len());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

fn head(kind: u8, mask: u8, length: usize) -> Vec<u8> {
    let mut head = vec![kind];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..126), _) => head.push(mask | length),
        (_, Ok(length)) => {
            head.push(mask | 126);
            head.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    head
}

/// The request that opens a websocket.
pub(crate) fn upgrade(host: &str, path: &str, cookie: Option<&str>) -> String {
    let cookie = http::cookie_line(cookie);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// The bare peer's answer, to clients with that one key.
pub(crate) fn accept() -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    )
}

/// Whether the head of a response opens the websocket.
pub(crate) fn check_accepted(head: &str) -> Result<(), Failure> {
    if head.starts_with("HTTP/1.1 101") && head.contains(ACCEPT) {
        return Ok(());
    }
    Err(format!("no websocket: {head}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_any_length_comes_back() {
        for length in [0, 1, 125, 126, 200, 65_535, 65_536, 100_000] {
            let payload = vec![b'x'; length];

            let (plain, masked) = (frame(TEXT, &payload), masked_frame(TEXT, &payload));

            let parsed = Frame::first(&plain).unwrap();
            assert_eq!((parsed.kind, parsed.mask), (TEXT, None));
            assert_eq!((parsed.payload, parsed.size), (&payload[..], plain.len()));
            let parsed = Frame::first(&masked).unwrap();
            assert_eq!((parsed.unmasked(), parsed.size), (payload, masked.len()));
            assert_eq!(Frame::first(&plain[..plain.len() - 1]), None);
        }
    }
}
