//! The bytes of what is kept in Redis: numbers that take no more room than they need, and texts with
//! their length before them.

use std::time::Duration;

use bytes::Bytes;

/// Bytes that cannot be read: another version wrote them, or nobody of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable;

#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    /// Seven bits a byte, the lowest first.
    pub(crate) fn number(&mut self, mut number: u64) -> &mut Self {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
        self
    }

    pub(crate) fn text(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        let text = text.as_ref();
        self.number(text.len() as u64).rest(text)
    }

    /// Without its length: nothing comes after it, or its length is known.
    pub(crate) fn rest(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    /// To the nanosecond, up to 584 years.
    pub(crate) fn duration(&mut self, duration: Duration) -> &mut Self {
        self.number(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn optional<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T),
    ) -> &mut Self {
        self.byte(value.is_some().into());
        if let Some(value) = value {
            write(self, value);
        }
        self
    }

    pub(crate) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

pub(crate) struct Reader(Bytes);

impl Reader {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Unreadable> {
        let first = *self.0.first().ok_or(Unreadable)?;
        self.take(1)?;
        Ok(first)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Unreadable)
    }

    pub(crate) fn text(&mut self) -> Result<Bytes, Unreadable> {
        let length = usize::try_from(self.number()?).map_err(|_| Unreadable)?;
        self.take(length)
    }

    pub(crate) fn string(&mut self) -> Result<Box<str>, Unreadable> {
        let bytes = self.text()?;
        let text = str::from_utf8(&bytes).map_err(|_| Unreadable)?;
        Ok(text.into())
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<Bytes, Unreadable> {
        if length > self.0.len() {
            return Err(Unreadable);
        }
        Ok(self.0.split_to(length))
    }

    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn duration(&mut self) -> Result<Duration, Unreadable> {
        self.number().map(Duration::from_nanos)
    }

    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Unreadable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        let numbers = [0, 1, 127, 128, 300, 1 << 40, u64::MAX];
        let mut writer = Writer::default();
        for number in numbers {
            writer.number(number);
        }
        let written = writer
            .text("text")
            .optional(Some(7), |writer, number| {
                writer.number(number);
            })
            .optional(None::<u64>, |_, _| ())
            .rest("rest")
            .end();

        let mut reader = Reader::new(written.into());
        for number in numbers {
            assert_eq!(reader.number(), Ok(number));
        }
        assert_eq!(reader.text().as_deref(), Ok(&b"text"[..]));
        assert_eq!(reader.optional(Reader::number), Ok(Some(7)));
        assert_eq!(reader.optional(Reader::number), Ok(None));
        assert_eq!(&*reader.rest(), b"rest");
        assert_eq!(reader.byte(), Err(Unreadable));
    }

    #[test]
    fn lengths_beyond_the_end_and_endless_numbers_are_unreadable() {
        for bytes in [&b"\x05abc"[..], &[0xff; 12], &[0x80]] {
            let mut reader = Reader::new(Bytes::from_static(bytes));
            assert_eq!(reader.text(), Err(Unreadable), "{bytes:?}");
        }
    }
}
