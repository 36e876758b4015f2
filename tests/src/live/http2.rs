//! An HTTP/2 connection, frame by frame, for requests whose heads are short.

use super::Wire;

/// A connection after its preface (RFC 9113).
#[derive(Debug)]
pub struct Http2 {
    wire: Wire,
}

impl Http2 {
    /// The kind of frames with what is sent.
    pub const DATA: u8 = 0;
    /// The kind of frames with headers.
    pub const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;

    /// The flag of the last frame on its stream.
    pub const END: u8 = 0x1;
    const END_HEADERS: u8 = 0x4;

    /// `:status: 200`, as it stands in HPACK's table: the first byte of the headers.
    pub const OK: u8 = 0x88;

    /// Begins at once, as clients do that know that the server speaks it.
    pub fn begin(mut wire: Wire) -> Self {
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut connection = Self { wire };
        connection.send(Self::SETTINGS, 0, 0, b"");
        connection
    }

    /// Sends a frame.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short frame");
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        self.wire.send(&bytes);
    }

    /// Sends the headers of a request, each by its name and its value in so many letters.
    pub fn request(&mut self, flags: u8, stream: u32, headers: &[(&str, &str)]) {
        let mut block = Vec::new();
        for (name, value) in headers {
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).expect("a short text"));
                block.extend(text.bytes());
            }
        }
        self.send(Self::HEADERS, flags | Self::END_HEADERS, stream, &block);
    }

    /// What the next frame of that kind carries.
    #[track_caller]
    pub fn next(&mut self, wanted: u8) -> Vec<u8> {
        loop {
            let head = self.wire.exactly(9).expect("a frame");
            let length = u16::from_be_bytes([head[1], head[2]]);
            let payload = self.wire.exactly(length.into()).expect("a whole frame");
            if head[3] == wanted {
                return payload;
            }
        }
    }
}
