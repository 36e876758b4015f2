//! JSON that is passed on as it came.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::decode::{DecodeError, DecodeLimits};
use super::{encode, scan};

/// One JSON value, checked, as text.
///
/// Cloning it is cheap; it may share the memory of the request that brought it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payload(Bytes);

impl Payload {
    /// The value `null`.
    pub const fn null() -> Self {
        Self::trusted_static("null")
    }

    /// Checks that `text` is one JSON value that may be sent to anybody (FR-6, DE-15).
    ///
    /// It may be nested two levels less than a whole frame: the list and the message around it count.
    pub fn parse(text: impl Into<Bytes>) -> Result<Self, DecodeError> {
        let body: Bytes = text.into();
        let text = core::str::from_utf8(&body).map_err(|_| DecodeError::NotJson)?;
        scan::check(text, DecodeLimits::default().max_depth, scan::IN_MESSAGE)?;
        let raw: &serde_json::value::RawValue =
            serde_json::from_str(text).map_err(|_| DecodeError::NotJson)?;
        Ok(Self::part_of(&body, raw.get()))
    }

    /// The string `text` as JSON.
    pub fn string(text: &str) -> Self {
        let mut json = Vec::with_capacity(text.len() + 2);
        encode::push_string(&mut json, text);
        Self::trusted(json)
    }

    /// The checked value `text`, which lies in `body`, without copying it unless it would keep alive a far
    /// larger buffer.
    pub(super) fn part_of(body: &Bytes, text: &str) -> Self {
        let pins_too_much = body.len() > 1024 && text.len() < body.len() / 4;
        let start = (text.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
        let lies_within = start
            .checked_add(text.len())
            .is_some_and(|end| end <= body.len());
        if pins_too_much || !lies_within {
            return Self(Bytes::copy_from_slice(text.as_bytes()));
        }
        Self(body.slice(start..start + text.len()))
    }

    /// What is known to be checked JSON text.
    pub(super) const fn trusted_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// What is known to be checked JSON text.
    pub(super) fn trusted(text: impl Into<Bytes>) -> Self {
        Self(text.into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("null")
    }

    /// The JSON text, as UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The JSON text in shared memory.
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// How many bytes of text it is.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        *self.0 == *b"null"
    }
}

impl From<&serde_json::Value> for Payload {
    fn from(value: &serde_json::Value) -> Self {
        serde_json::to_vec(value).map_or_else(|_| Self::null(), Self::trusted)
    }
}

impl From<serde_json::Value> for Payload {
    fn from(value: serde_json::Value) -> Self {
        Self::from(&value)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_value_is_kept_without_the_space_around_it() {
        assert_eq!(Payload::parse(" [1, 2]\n").unwrap().as_str(), "[1, 2]");
        for text in [
            "",
            " ",
            "1 2",
            "[1",
            "nul",
            "01",
            "\"\\ud800\"",
            "1e400",
            "[1,]",
            "\u{feff}1",
        ] {
            assert_eq!(Payload::parse(text), Err(DecodeError::NotJson), "{text:?}");
        }
    }

    #[test]
    fn a_value_is_copied_only_out_of_a_far_larger_buffer() {
        for (buffer, size, is_copied) in [
            (1024, 1, false),
            (1024, 1024, false),
            (1028, 257, false),
            (1028, 256, true),
            (1028, 1, true),
        ] {
            let body = Bytes::from("1".repeat(buffer));
            let text = core::str::from_utf8(body.get(..size).unwrap()).unwrap();

            let payload = Payload::part_of(&body, text);

            assert_eq!((payload.as_str(), payload.size()), (text, size));
            assert_eq!((payload.to_bytes().len(), payload.is_null()), (size, false));
            let is_shared = payload.as_bytes().as_ptr() == body.as_ptr();
            assert_eq!(is_shared, !is_copied, "{size} of {buffer}");
        }
    }

    #[test]
    fn a_value_that_fits_into_a_frame_is_not_too_deep() {
        // DE-15
        let nested = |levels: usize| Payload::parse("[".repeat(levels) + &"]".repeat(levels));

        assert!(nested(126).is_ok());
        assert_eq!(nested(127), Err(DecodeError::TooDeep));
    }

    #[test]
    fn values_of_the_application_become_text() {
        assert_eq!(
            Payload::from(json!({"a": [1, null]})).as_str(),
            r#"{"a":[1,null]}"#
        );
        assert_eq!(Payload::string("a\"b").as_str(), r#""a\"b""#);
        assert!(Payload::from(json!(null)).is_null());
        assert_eq!(Payload::from(json!(null)), Payload::null());
    }
}
